//! Several products in one request: `GET /nosqldata?ids=`.

use serde_json::json;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(batch_keeps_the_requested_order),
        case!(batch_item_equals_the_product),
        case!(batch_takes_100_distinct_ids),
        case!(batch_with_a_malformed_id_returns_422),
        case!(batch_with_another_parameter_returns_422),
    ]
}

async fn batch_keeps_the_requested_order(api: Api) {
    let [a, b] = [api.create_product().await, api.create_product().await].map(|it| it.id());
    let [c, d] = [api.unique(), api.unique()];
    // The comma as it is and escaped.
    for comma in [",", "%2C"] {
        let ids = [&*b, &c, &a, &b, &d].join(comma);
        let batch = api.get(&format!("/nosqldata?ids={ids}")).await.expect(200);
        let found: Vec<_> = batch.items().iter().map(|it| it["id"].clone()).collect();
        assert_eq!(found, [&*b, &a], "{batch}");
        batch.expect_members(&[("/missing", json!([c, d]))]);
    }
}

async fn batch_item_equals_the_product(api: Api) {
    let created = api.create_product().await;
    let batch = api.get(&format!("/nosqldata?ids={}", created.id())).await;
    batch
        .expect(200)
        .expect_members(&[("/items/0", created.json()), ("/missing", json!([]))]);
}

async fn batch_takes_100_distinct_ids(api: Api) {
    let ids = |count: usize| (0..count).map(|n| format!("x{n}")).collect::<Vec<_>>();
    let batch = format!("/nosqldata?ids={},x0,x1", ids(100).join(","));
    api.get(&batch).await.expect(200);
    let batch = format!("/nosqldata?ids={}", ids(101).join(","));
    let refused = api.get(&batch).await;
    refused.expect_invalid(&[("ids", "must list at most 100 ids")]);
}

async fn batch_with_a_malformed_id_returns_422(api: Api) {
    let rule = "must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or a digit";
    for (ids, malformed) in [
        ("", &[1][..]),
        (",", &[1, 2]),
        ("a,,b", &[2]),
        ("a%20b", &[1]),
        ("-a", &[1]),
        // Nothing of what was sent is repeated.
        ("mug,%E2%80%AE,%00", &[2, 3]),
    ] {
        let details = malformed.iter();
        let details = details.map(|position| format!("id {position} in the list {rule}"));
        let details: Vec<_> = details.collect();
        let errors: Vec<_> = details.iter().map(|it| ("ids", it.as_str())).collect();
        let refused = api.get(&format!("/nosqldata?ids={ids}")).await;
        refused.expect_invalid(&errors);
    }
}

async fn batch_with_another_parameter_returns_422(api: Api) {
    let id = api.create_product().await.id();
    for (parameter, value) in [("limit", "1"), ("category", "coffee")] {
        let batch = format!("/nosqldata?ids={id}&{parameter}={value}");
        let refused = api.get(&batch).await;
        refused.expect_invalid(&[(parameter, "must not be given together with ids")]);
    }
}
