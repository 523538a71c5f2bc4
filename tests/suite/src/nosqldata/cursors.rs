//! Lists, page by page.

use serde_json::{Value, json};

use crate::{Api, Case};

const FOREIGN: &str = "is not a cursor of this list with these filters";

/// The most pages that a walk may take.
const MOST_PAGES: usize = 1_000;

pub fn cases() -> Vec<Case> {
    vec![
        case!(walk_returns_each_product_once),
        case!(walk_by_category_is_in_order_of_ids),
        case!(walk_continues_while_products_are_created_and_deleted),
        // region: mysqldata
        case!(walk_returns_orders_newest_first),
        case!(orders_are_filtered_by_customer_status_and_time),
        case!(walk_continues_while_orders_are_placed),
        // endregion
        case!(foreign_or_changed_cursor_returns_400),
    ]
}

/// Follows a list to its end; every item, in order.
async fn walk(api: &Api, list: &str, limit: usize) -> Vec<Value> {
    let message = if list.starts_with("/nosqldata") {
        "NoSql Data"
    } else {
        "MySql Data"
    };
    let mut items = Vec::new();
    let mut cursor = String::new();
    for _ in 0..MOST_PAGES {
        let page = api.get(&format!("{list}limit={limit}{cursor}")).await;
        let page = page
            .expect(200)
            .expect_members(&[("/message", json!(message))]);
        assert!(page.items().len() <= limit, "{page}");
        items.extend(page.items());
        let next = page.json()["nextCursor"].clone();
        let Some(next) = next.as_str() else {
            assert!(next.is_null(), "{page}");
            return items;
        };
        let is_url_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        assert!(next.bytes().all(is_url_safe), "{next}");
        cursor = format!("&cursor={next}");
    }
    panic!("{list} has no end");
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|it| it["id"].as_str().unwrap()).collect()
}

/// Creates so many products of one category; its name and their ids, in order.
async fn create_products(api: &Api, category: &str, count: usize) -> Vec<String> {
    let mut product = api.product();
    product["category"] = category.into();
    let prefix = api.unique();
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(format!("{prefix}-{n:02}"));
        let path = format!("/nosqldata/{}", ids[n]);
        api.put(&path, &product).await.expect(201);
    }
    ids
}

async fn walk_returns_each_product_once(api: Api) {
    let created = create_products(&api, &api.unique(), 5).await;
    // Other tests create and delete products meanwhile.
    for limit in [7, 100] {
        let walked = walk(&api, "/nosqldata?", limit).await;
        let walked = ids(&walked);
        for id in &created {
            let count = walked.iter().filter(|it| *it == id).count();
            assert_eq!(count, 1, "{id}");
        }
    }
}

async fn walk_by_category_is_in_order_of_ids(api: Api) {
    let unique = api.unique();
    let (even, odd) = (format!("even{unique}"), format!("ødd &={unique}"));
    let created = create_products(&api, &even, 7).await;
    let others = create_products(&api, &odd, 2).await;
    for limit in [1, 3, 100] {
        let walked = walk(&api, &format!("/nosqldata?category={even}&"), limit).await;
        assert_eq!(ids(&walked), created);
        let escaped = format!("%C3%B8dd+%26%3D{unique}");
        let walked = walk(&api, &format!("/nosqldata?category={escaped}&"), limit).await;
        assert_eq!(ids(&walked), others);
    }
    let none = walk(&api, &format!("/nosqldata?category={}&", api.unique()), 5).await;
    assert_eq!(none, [] as [Value; 0]);
}

async fn walk_continues_while_products_are_created_and_deleted(api: Api) {
    let category = api.unique();
    let created = create_products(&api, &category, 7).await;
    let list = format!("/nosqldata?category={category}");
    let page = api.get(&format!("{list}&limit=4")).await.expect(200);
    let cursor = page.json()["nextCursor"].as_str().unwrap().to_owned();
    // One that was returned, the last of the page, and the next.
    for deleted in [0, 3, 4] {
        let path = format!("/nosqldata/{}", created[deleted]);
        api.delete(&path).await.expect(204);
    }
    let mut before = api.product();
    before["category"] = category.as_str().into();
    let path = format!("/nosqldata/a-{}", api.unique());
    api.put(&path, &before).await.expect(201);
    let rest = format!("{list}&limit=100&cursor={cursor}");
    let rest = api.get(&rest).await.expect(200).items();
    assert_eq!(ids(&rest), created[5..]);
}

// region: mysqldata
/// Places so many orders by two customers in turn, of which every third is then
/// paid; the customers and the orders, newest first.
async fn place_orders(api: &Api, count: usize) -> ([String; 2], Vec<Value>) {
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
        let walked = walk(&api, &format!("/mysqldata?from={from}&"), limit).await;
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
        let walked = walk(&api, &format!("/mysqldata?{filters}&"), limit).await;
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
    expect(&by(other.trim_end()), 3, &|_| false).await;
    expect(&format!("{of_ann}&status=shipped"), 2, &|_| false).await;
    let paid = format!("{of_ann}&status=paid");
    let of_ann_and_paid = |it: &Value| it["customer"] == *ann && it["status"] == "paid";
    assert_eq!(expect(&paid, 1, &of_ann_and_paid).await, 2);
    let first = placed[6]["createdAt"].as_str().unwrap();
    let paid = walk(&api, &format!("/mysqldata?status=paid&from={first}&"), 100).await;
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

async fn foreign_or_changed_cursor_returns_400(api: Api) {
    let expect_foreign = async |target: &str| {
        let refused = api.get(target).await;
        refused.expect_malformed(&[("cursor", FOREIGN)]);
    };
    let category = api.unique();
    create_products(&api, &category, 2).await;
    let products = format!("/nosqldata?category={category}");
    // region: mysqldata
    let ([ann, _], _) = place_orders(&api, 3).await;
    let orders = format!("/mysqldata?customer={ann}");
    // endregion
    for (list, others) in [
        (
            &products,
            &[
                "/nosqldata?",
                "/nosqldata?category=other",
                // region: mysqldata
                "/mysqldata?",
                // endregion
            ][..],
        ),
        // region: mysqldata
        (
            &orders,
            &[
                "/mysqldata?",
                "/mysqldata?status=paid",
                "/mysqldata?customer=ann",
                "/mysqldata?from=2026-01-01",
                "/nosqldata?",
            ],
        ),
        // endregion
    ] {
        let page = api.get(&format!("{list}&limit=1")).await.expect(200);
        let cursor = page.json()["nextCursor"].as_str().unwrap().to_owned();
        for other in others {
            expect_foreign(&format!("{other}&cursor={cursor}")).await;
        }
        let last = if cursor.ends_with('A') { "B" } else { "A" };
        let tampered = format!("{}{last}", &cursor[..cursor.len() - 1]);
        for bad in [
            &tampered,
            "",
            "x",
            "nonsense",
            "%00",
            "%F0%9F%AB%96",
            "a+b%2F%3D",
            &cursor[1..],
        ] {
            expect_foreign(&format!("{list}&cursor={bad}")).await;
        }
    }
    for list in [
        "/nosqldata",
        // region: mysqldata
        "/mysqldata",
        // endregion
    ] {
        expect_foreign(&format!("{list}?cursor=nonsense")).await;
    }
}
