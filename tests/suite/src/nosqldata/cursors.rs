//! Lists, page by page.

use serde_json::Value;
use testbed::LISTS;

// region: mysqldata
use crate::mysqldata::cursors::place_orders;
// endregion
use crate::{Api, Case};

const FOREIGN: &str = "is not a cursor of this list with these filters";

pub fn cases() -> Vec<Case> {
    vec![
        case!(walk_returns_each_product_once),
        case!(walk_by_category_is_in_order_of_ids),
        case!(page_has_20_items_by_default),
        case!(walk_continues_while_products_are_created_and_deleted),
        case!(foreign_or_changed_cursor_returns_400),
    ]
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
        let walked = api.walk_by("/nosqldata?", limit).await;
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
        let walked = api
            .walk_by(&format!("/nosqldata?category={even}&"), limit)
            .await;
        assert_eq!(ids(&walked), created);
        let escaped = format!("%C3%B8dd+%26%3D{unique}");
        let walked = api
            .walk_by(&format!("/nosqldata?category={escaped}&"), limit)
            .await;
        assert_eq!(ids(&walked), others);
    }
    let none = api
        .walk_by(&format!("/nosqldata?category={}&", api.unique()), 5)
        .await;
    assert_eq!(none, [] as [Value; 0]);
}

async fn page_has_20_items_by_default(api: Api) {
    let category = api.unique();
    create_products(&api, &category, 21).await;
    // region: mysqldata
    let order = api.order(1).await;
    for _ in 0..21 {
        api.post("/mysqldata", &order).await.expect(201);
    }
    let customer = order["customer"].as_str().unwrap();
    // endregion
    for list in [
        format!("/nosqldata?category={category}"),
        // region: mysqldata
        format!("/mysqldata?customer={customer}"),
        // endregion
    ] {
        let page = api.get(&list).await.expect(200);
        assert_eq!(page.items().len(), 20, "{list}");
        let cursor = page.json()["nextCursor"].as_str().unwrap().to_owned();
        let rest = api
            .get(&format!("{list}&cursor={cursor}"))
            .await
            .expect(200);
        assert_eq!(rest.items().len(), 1, "{list}");
    }
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
    for list in LISTS {
        expect_foreign(&format!("{list}?cursor=nonsense")).await;
    }
}
