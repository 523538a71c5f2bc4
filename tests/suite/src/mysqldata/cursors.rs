// region: nosqldata
//! The list of orders, page by page.

use serde_json::{Value, json};

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(walk_returns_orders_newest_first),
        case!(orders_are_filtered_by_customer_status_and_time),
        case!(walk_continues_while_orders_are_placed),
    ]
}

/// Places so many orders by two customers in turn, of which every third is then
/// paid; the customers and the orders, newest first.
pub async fn place_orders(api: &Api, count: usize) -> ([String; 2], Vec<Value>) {
    let unique = api.unique();
    // They differ by their case and by a blank at the end.
    let customers = [format!("ann{unique}"), format!("Ann{unique} ")];
    let mut order = api.order(1).await;
    let mut placed = Vec::new();
    for n in 0..count {
        order["customer"] = customers[n % 2].as_str().into();
        let mut response = api.post("/mysqldata", &order).await.expect(201);
        if n % 3 == 0 {
            let path = response.header("location");
            response = api
                .patch(path, &json!({"status": "paid"}))
                .await
                .expect(200);
        }
        placed.insert(0, response.json());
    }
    (customers, placed)
}

async fn walk_returns_orders_newest_first(api: Api) {
    let (_, placed) = place_orders(&api, 7).await;
    let from = placed[6]["createdAt"].as_str().unwrap();
    let key = |order: &Value| (order["createdAt"].to_string(), order["id"].to_string());
    for limit in [1, 3, 7, 100] {
        let walked = api
            .walk_by(&format!("/mysqldata?from={from}&"), limit)
            .await;
        assert!(walked.is_sorted_by(|a, b| key(a) > key(b)));
        for order in &placed {
            let count = walked.iter().filter(|it| *it == order).count();
            assert_eq!(count, 1, "{order}");
        }
    }
}

async fn orders_are_filtered_by_customer_status_and_time(api: Api) {
    let ([ann, other], placed) = place_orders(&api, 7).await;
    let expect = async |filters: &str, limit, keep: &dyn Fn(&Value) -> bool| {
        let walked = api.walk_by(&format!("/mysqldata?{filters}&"), limit).await;
        let expected: Vec<_> = placed.iter().filter(|it| keep(it)).cloned().collect();
        assert_eq!(walked, expected, "{filters}");
        walked.len()
    };
    let by = |customer: &str| format!("customer={}", customer.replace(' ', "+"));
    let (of_ann, of_other) = (by(&ann), by(&other));
    assert_eq!(expect(&of_ann, 3, &|it| it["customer"] == *ann).await, 4);
    assert_eq!(
        expect(&of_other, 3, &|it| it["customer"] == *other).await,
        3
    );
    // Neither the case of a letter nor a blank at the end is ignored.
    expect(&by(other.trim_end()), 3, &|_| false).await;
    expect(&format!("{of_ann}&status=shipped"), 2, &|_| false).await;
    let paid = format!("{of_ann}&status=paid");
    let of_ann_and_paid = |it: &Value| it["customer"] == *ann && it["status"] == "paid";
    assert_eq!(expect(&paid, 1, &of_ann_and_paid).await, 2);
    let first = placed[6]["createdAt"].as_str().unwrap();
    let paid = api
        .walk_by(&format!("/mysqldata?status=paid&from={first}&"), 100)
        .await;
    assert!(paid.iter().all(|order| order["status"] == "paid"));
    let mut placed_and_paid = placed.iter().filter(|order| order["status"] == "paid");
    assert!(placed_and_paid.all(|order| paid.contains(order)));

    let at = placed[3]["createdAt"].as_str().unwrap();
    let is_since = |it: &Value| it["createdAt"].as_str().unwrap() >= at;
    let since = |it: &Value| it["customer"] == *ann && is_since(it);
    let until = |it: &Value| it["customer"] == *ann && !is_since(it);
    let all = |it: &Value| it["customer"] == *ann;
    for (period, keep) in [
        (format!("from={at}"), &since as &dyn Fn(&Value) -> bool),
        (format!("to={at}"), &until),
        (format!("from={at}&to={at}"), &|_| false),
        ("to=0001-01-01".to_owned(), &|_| false),
        ("from=9999-12-31T23:59:59Z".to_owned(), &|_| false),
        ("from=0000-01-01&to=9999-12-31".to_owned(), &all),
    ] {
        expect(&format!("{of_ann}&{period}"), 100, keep).await;
    }
}

async fn walk_continues_while_orders_are_placed(api: Api) {
    let ([ann, _], placed) = place_orders(&api, 7).await;
    let list = format!("/mysqldata?customer={ann}");
    let page = api.get(&format!("{list}&limit=2")).await.expect(200);
    let cursor = page.json()["nextCursor"].as_str().unwrap().to_owned();
    let mut late = api.order(1).await;
    late["customer"] = ann.as_str().into();
    api.post("/mysqldata", &late).await.expect(201);
    let rest = format!("{list}&limit=100&cursor={cursor}");
    let rest = api.get(&rest).await.expect(200).items();
    let of_ann: Vec<_> = placed.iter().step_by(2).cloned().collect();
    assert_eq!(rest, of_ann[2..]);
}
// endregion
