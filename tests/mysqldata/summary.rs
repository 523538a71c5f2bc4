// region: nosqldata
//! Sums of orders, on a database with nothing but the sample orders.

use serde_json::{Value, json};
use testbed::System;

/// The sum of a member of each row: a number, or an amount of money.
fn sum(rows: &[Value], member: &str) -> i64 {
    let values = rows.iter().map(|row| &row[member]);
    values
        .map(|value| value.as_i64().or_else(|| value["amount"].as_i64()).unwrap())
        .sum()
}

/// The rows of a summary, which are in the order of their keys.
async fn rows(system: &System, by: &str, query: &str) -> Vec<Value> {
    let target = format!("/mysqldata/summary?by={by}{query}");
    let summary = system.client.get(&target).await;
    let rows = summary.expect(200).json()["rows"].clone();
    let rows = rows.as_array().unwrap().clone();
    assert!(rows.is_sorted_by_key(|row| row[by].as_str().unwrap().to_owned()));
    rows
}

#[tokio::test]
async fn summary_is_exact() {
    let system = System::with_samples().await;
    let orders = system.client.get("/mysqldata?limit=100").await.items();
    let counted: Vec<_> = orders
        .iter()
        .filter(|it| it["status"] != "cancelled")
        .collect();
    let totals = counted
        .iter()
        .map(|it| it["total"]["amount"].as_i64().unwrap());
    let lines = counted
        .iter()
        .flat_map(|it| it["lines"].as_array().unwrap());
    let quantities = lines.map(|line| line["quantity"].as_i64().unwrap());
    let (revenue, quantity): (i64, i64) = (totals.sum(), quantities.sum());

    let days = rows(&system, "day", "").await;
    assert_eq!(sum(&days, "orders"), i64::try_from(counted.len()).unwrap());
    let products = rows(&system, "product", "").await;
    for rows in [&days, &products] {
        assert_eq!(sum(rows, "revenue"), revenue);
        assert_eq!(sum(rows, "quantity"), quantity);
    }
    let cups = products
        .iter()
        .find(|row| row["product"] == "espresso-cups");
    assert_eq!(cups.unwrap()["orders"], 2);

    // Cancelled orders count here alone.
    let statuses = rows(&system, "status", "").await;
    let names: Vec<_> = statuses.iter().map(|row| row["status"].clone()).collect();
    assert_eq!(names, ["cancelled", "paid", "placed", "shipped"]);
    assert_eq!(
        sum(&statuses, "orders"),
        i64::try_from(orders.len()).unwrap()
    );

    let one_day = rows(&system, "day", "&from=2026-11-06&to=2026-11-07").await;
    assert_eq!(one_day.len(), 1);
    assert_eq!(one_day[0]["day"], "2026-11-06");
}

#[tokio::test]
async fn summary_has_a_row_for_each_currency() {
    let system = System::with_samples().await;
    let product = system.client.put_product("euro", 7, "EUR").await;
    product.expect(201);
    let order = json!({"customer": "c", "lines": [{"productId": "euro", "quantity": 2}]});
    system.client.post("/mysqldata", &order).await.expect(201);
    let statuses = rows(&system, "status", "").await;
    let placed: Vec<_> = statuses
        .iter()
        .filter(|row| row["status"] == "placed")
        .collect();
    assert_eq!(placed.len(), 2);
    assert_eq!(
        placed[1]["revenue"],
        json!({"amount": 14, "currency": "EUR"})
    );
}
// endregion
