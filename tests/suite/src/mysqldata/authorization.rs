// region: nosqldata
//! Who may read and change an order.

use serde_json::json;
use testbed::Client;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(order_of_another_caller_returns_404),
        case!(reader_sees_every_order_and_changes_none),
        case!(manager_changes_every_order),
        case!(anonymous_caller_sees_no_orders),
        case!(cursor_of_another_caller_returns_400),
        case!(idempotency_key_is_scoped_to_its_caller),
    ]
}

async fn order_of_another_caller_returns_404(api: Api) {
    let order = api.place_order(1).await;
    let path = order.header("location").to_owned();
    let other = api.caller(&api.unique(), "orders:write");
    let detail = "No resource has this id.";
    other
        .get(&path)
        .await
        .expect_problem(404, "not-found", detail);
    let paid = json!({"status": "paid"});
    other
        .patch(&path, &paid)
        .await
        .expect_problem(404, "not-found", detail);
    let customer = order.json()["customer"].as_str().unwrap().to_owned();
    let listed = other.get(&format!("/mysqldata?customer={customer}")).await;
    assert!(listed.expect(200).items().is_empty());
    api.anonymous().get(&path).await.expect(401);
    api.get(&path)
        .await
        .expect(200)
        .expect_members(&[("/status", json!("placed"))]);
}

/// An order, placed by a caller with the scope for that alone, and that caller.
async fn own_order(api: &Api) -> (Client, String) {
    let owner = api.caller(&api.unique(), "orders:write");
    let order = api.order(1).await;
    let placed = owner.post("/mysqldata", &order).await.expect(201);
    let path = placed.header("location").to_owned();
    (owner, path)
}

async fn reader_sees_every_order_and_changes_none(api: Api) {
    let (owner, path) = own_order(&api).await;
    let paid = json!({"status": "paid"});
    let reader = api.caller(&api.unique(), "orders:read-all");
    reader.get(&path).await.expect(200);
    reader.get("/mysqldata/summary").await.expect(200);
    let detail = "The token lacks the scope orders:write or orders:manage.";
    reader
        .patch(&path, &paid)
        .await
        .expect_problem(403, "forbidden", detail);
    let reader = api.caller(&api.unique(), "orders:read-all orders:write");
    let detail = "The token lacks the scope orders:manage.";
    reader
        .patch(&path, &paid)
        .await
        .expect_problem(403, "forbidden", detail);
    owner.patch(&path, &paid).await.expect(200);
    owner.get("/mysqldata/summary").await.expect(403);
}

async fn manager_changes_every_order(api: Api) {
    let (owner, path) = own_order(&api).await;
    let manager = api.caller(&api.unique(), "orders:manage");
    let paid = manager.patch(&path, &json!({"status": "paid"})).await;
    paid.expect(200);
    manager.get(&path).await.expect(200);
    let mine = owner.get("/mysqldata").await.expect(200).items();
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0]["status"], "paid");
    manager
        .post("/mysqldata", &api.order(1).await)
        .await
        .expect(403);
}

async fn anonymous_caller_sees_no_orders(api: Api) {
    api.place_order(1).await;
    let client = api.anonymous();
    let expected = json!({"message": "MySql Data", "items": [], "nextCursor": null});
    assert_eq!(client.get("/mysqldata").await.expect(200).json(), expected);
    let text = client
        .get_with("/mysqldata", &[("accept", "text/plain")])
        .await;
    assert_eq!(text.expect(200).text(), "Test MySQL");
}

async fn cursor_of_another_caller_returns_400(api: Api) {
    let owner = api.caller(&api.unique(), "orders:write");
    for _ in 0..2 {
        owner
            .post("/mysqldata", &api.order(1).await)
            .await
            .expect(201);
    }
    let page = owner.get("/mysqldata?limit=1").await.expect(200).json();
    let cursor = page["nextCursor"].as_str().expect("another page");
    let target = format!("/mysqldata?limit=1&cursor={cursor}");
    assert_eq!(owner.get(&target).await.expect(200).items().len(), 1);
    let reader = api.caller(&api.unique(), "orders:read-all");
    for other in [reader, api.caller(&api.unique(), ""), api.anonymous()] {
        let detail = "is not a cursor of this list with these filters";
        other
            .get(&target)
            .await
            .expect_malformed(&[("cursor", detail)]);
    }
}

async fn idempotency_key_is_scoped_to_its_caller(api: Api) {
    let key = api.unique();
    let order = api.order(1).await;
    for (target, scope, body) in [
        ("/mysqldata", "orders:write", order),
        ("/nosqldata", "catalogue:write", api.product()),
    ] {
        let owner = api.caller(&api.unique(), scope);
        let other = api.caller(&api.unique(), scope);
        let first = owner.post_once(target, &key, &body).await.expect(201);
        let second = other.post_once(target, &key, &body).await.expect(201);
        assert!(!second.is_replay() && second.id() != first.id(), "{second}");
        let replay = owner.post_once(target, &key, &body).await.expect(201);
        assert!(replay.is_replay() && replay.id() == first.id(), "{replay}");
    }
}
// endregion
