// region: nosqldata
//! The summary of orders.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(summary_is_grouped_as_requested),
        case!(period_with_an_offset_means_the_same_in_list_and_summary),
    ]
}

/// An order for two products, in a currency that no other order since then has.
async fn order_in_own_currency(api: &Api) -> (String, Value) {
    // The last bytes of an id are random.
    let random = &uuid::Uuid::now_v7().into_bytes()[13..];
    let letters = random.iter().map(|byte| char::from(b'A' + byte % 26));
    let currency: String = letters.collect();
    let mut lines = Vec::new();
    for (amount, quantity) in [(100, 2), (7, 3)] {
        let product = api.unique();
        api.put_product(&product, amount, &currency).await;
        lines.push(json!({"productId": product, "quantity": quantity}));
    }
    let order = json!({"customer": api.unique(), "lines": lines});
    let placed = api.post("/mysqldata", &order).await.expect(201).json();
    (currency, placed)
}

async fn summary_is_grouped_as_requested(api: Api) {
    let (currency, placed) = order_in_own_currency(&api).await;
    let at = placed["createdAt"].as_str().unwrap();
    let own_rows = async |by: &str, expected: &str| {
        let summary = api.get(&format!("/mysqldata/summary?from={at}{by}")).await;
        let summary = summary
            .expect(200)
            .expect_members(&[("/by", json!(expected))]);
        let rows = summary.json()["rows"].as_array().unwrap().clone();
        assert!(rows.is_sorted_by_key(|row| row[expected].as_str().unwrap().to_owned()));
        let own = rows.into_iter();
        let own = own.filter(|row| row["revenue"]["currency"] == currency);
        own.collect::<Vec<_>>()
    };
    let row = |by: &str, key: &Value, quantity: u32, amount: u32| {
        let revenue = json!({"amount": amount, "currency": currency});
        json!({by: key, "orders": 1, "quantity": quantity, "revenue": revenue})
    };
    let day = [row("day", &json!(at[..10]), 5, 221)];
    assert_eq!(own_rows("", "day").await, day);
    assert_eq!(own_rows("&by=day", "day").await, day);
    let status = [row("status", &json!("placed"), 5, 221)];
    assert_eq!(own_rows("&by=status", "status").await, status);
    let [first, second] = [0, 1].map(|line| &placed["lines"][line]["productId"]);
    let mut products = [row("product", first, 2, 200), row("product", second, 3, 21)];
    products.sort_by_key(|row| row["product"].to_string());
    assert_eq!(own_rows("&by=product", "product").await, products);

    // A cancelled order counts by status alone.
    let path = format!("/mysqldata/{}", placed["id"].as_str().unwrap());
    let cancelled = api.patch(&path, &json!({"status": "cancelled"})).await;
    cancelled.expect(200);
    assert!(own_rows("&by=day", "day").await.is_empty());
    assert!(own_rows("&by=product", "product").await.is_empty());
    let status = [row("status", &json!("cancelled"), 5, 221)];
    assert_eq!(own_rows("&by=status", "status").await, status);
}

/// The instant of a time in UTC, written with an offset and escaped for a query.
fn with_offset(time: &str) -> String {
    let utc = dto::Timestamp::parse_time_or_date(time).unwrap().utc();
    let local = dto::Timestamp::from(utc + Duration::from_mins(5 * 60 + 30));
    let local = local.to_string();
    format!("{}%2B05:30", local.strip_suffix('Z').unwrap())
}

async fn period_with_an_offset_means_the_same_in_list_and_summary(api: Api) {
    let (currency, placed) = order_in_own_currency(&api).await;
    let at = placed["createdAt"].as_str().unwrap();
    let utc = dto::Timestamp::parse_time_or_date(at).unwrap().utc();
    let next = dto::Timestamp::from(utc + Duration::from_millis(1)).to_string();
    let customer = placed["customer"].as_str().unwrap();
    // `from` is inclusive, `to` exclusive. The end is another instant than with
    // its offset ignored.
    for (from, to, is_within) in [(at, &*next, true), (at, at, false), (&next, &next, false)] {
        for period in [
            format!("from={from}&to={to}"),
            format!("from={}&to={}", with_offset(from), with_offset(to)),
        ] {
            let list = format!("/mysqldata?customer={customer}&{period}");
            let listed = api.get(&list).await.expect(200).items();
            assert_eq!(listed.len(), usize::from(is_within), "{period}");
            for by in ["day", "product", "status"] {
                let summary = format!("/mysqldata/summary?by={by}&{period}");
                let summary = api.get(&summary).await.expect(200).json();
                let mut rows = summary["rows"].as_array().unwrap().iter();
                let is_summed = rows.any(|row| row["revenue"]["currency"] == currency);
                assert_eq!(is_summed, is_within, "{by}: {period}");
            }
        }
    }
}
// endregion
