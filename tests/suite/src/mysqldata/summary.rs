// region: nosqldata
//! The summary of orders.

use serde_json::json;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(summary_by_product_has_a_row_of_the_order),
        case!(summary_is_grouped_as_requested),
    ]
}

async fn summary_by_product_has_a_row_of_the_order(api: Api) {
    let placed = api.place_order(4).await.json();
    let day = &placed["createdAt"].as_str().unwrap()[..10];
    let target = format!("/mysqldata/summary?by=product&from={day}");
    let summary = api.get(&target).await.expect(200).json();
    let rows = summary["rows"].as_array().unwrap();
    let product = &placed["lines"][0]["productId"];
    let row = rows.iter().find(|row| row["product"] == *product).unwrap();
    assert_eq!(row["quantity"], 4);
    assert_eq!(row["revenue"], json!({"amount": 49_380, "currency": "DKK"}));
}

async fn summary_is_grouped_as_requested(api: Api) {
    for (query, by) in [("", "day"), ("?by=day", "day"), ("?by=status", "status")] {
        let summary = api.get(&format!("/mysqldata/summary{query}")).await;
        summary.expect(200).expect_members(&[("/by", json!(by))]);
    }
}
// endregion
