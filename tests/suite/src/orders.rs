//! The orders.

use serde_json::json;

use super::{case, make, place, product};
use crate::surfaces::{Api, Case, Outcome};

pub fn cases() -> Vec<Case> {
    vec![
        case!("an order is placed at the catalogue's prices", placed),
        case!("an unknown product is told by its line", unknown_product),
        case!("every fault of an order is told", faults),
        case!("an order is paid, and not twice", paid),
        case!("orders by customer, newest first", by_customer),
        case!("what orders sum up to", summary),
        case!("an order that is known already is 304", not_modified),
        case!("a stale change of an order is 412", stale),
        case!("an order is placed once for one key", once),
    ]
}

/// The function asks the catalogue over HTTP, through the surface itself.
async fn placed(api: &Api) -> Outcome {
    let (path, placed) = place(api, 3).await?;
    placed
        .header("content-type", "application/json")?
        .member("/status", "placed")?
        .member("/pricing", "live")?
        .member("/lines/0/unitPrice/amount", 12_345)?
        .member("/total", json!({"amount": 37_035, "currency": "DKK"}))?
        .that(
            path == format!("/mysqldata/{}", placed.text_at("/id")?),
            "a location with the id",
        )?;
    let read = api.get(&path).await?;
    read.status(200)?.header("etag", placed.value("etag"))?;
    read.that(
        read.body() == placed.body(),
        "what was answered when it was placed",
    )?;
    Ok(())
}

async fn unknown_product(api: &Api) -> Outcome {
    let (_, made) = make(api, &product(api)).await?;
    let order = json!({"customer": "Ada", "lines": [
        {"productId": made.text_at("/id")?, "quantity": 1},
        {"productId": api.unique(), "quantity": 1},
    ]});
    let refused = api.json("POST", "/mysqldata", &[], &order).await?;
    refused.faults(422, "invalid-request", &["/lines/1/productId"])?;
    Ok(())
}

async fn faults(api: &Api) -> Outcome {
    let wrong = json!({"customer": "", "total": 1, "lines": [{"productId": "a", "quantity": 0}]});
    let refused = api.json("POST", "/mysqldata", &[], &wrong).await?;
    let places = ["/customer", "/lines/0/quantity", "/total"];
    refused.faults(422, "invalid-request", &places)?;
    Ok(())
}

async fn paid(api: &Api) -> Outcome {
    let (path, _) = place(api, 1).await?;
    let paid = json!({"status": "paid"});
    let first = api.json("PATCH", &path, &[], &paid).await?;
    first
        .status(200)?
        .member("/status", "paid")?
        .member("/version", 2)?;
    let again = api.json("PATCH", &path, &[], &paid).await?;
    again.problem(409, "conflict")?;
    Ok(())
}

async fn by_customer(api: &Api) -> Outcome {
    let (_, made) = make(api, &product(api)).await?;
    let customer = format!("Zoë & Søn + {}", api.unique());
    let escaped = customer
        .replace('ë', "%C3%AB")
        .replace('&', "%26")
        .replace('ø', "%c3%b8")
        .replace('+', "%2B")
        .replace(' ', "+");
    let mut placed = Vec::new();
    for quantity in 1..=3 {
        let line = json!({"productId": made.text_at("/id")?, "quantity": quantity});
        let order = json!({"customer": customer, "lines": [line]});
        let order = api.json("POST", "/mysqldata", &[], &order).await?;
        placed.push(order.status(201)?.text_at("/id")?);
    }
    placed.reverse();
    let list = format!("/mysqldata?customer={escaped}&status=placed&limit=2");
    let first = api.get(&list).await?;
    first
        .status(200)?
        .member("/message", "MySql Data")?
        .member("/items/0/customer", customer.as_str())?
        .member("/items/0/id", placed[0].as_str())?
        .member("/items/1/id", placed[1].as_str())?;
    let cursor = first.text_at("/nextCursor")?;
    let second = api.get(&format!("{list}&cursor={cursor}")).await?;
    second
        .status(200)?
        .member("/items/0/id", placed[2].as_str())?
        .member("/nextCursor", json!(null))?;
    Ok(())
}

async fn summary(api: &Api) -> Outcome {
    let (_, made) = make(api, &product(api)).await?;
    let id = made.text_at("/id")?;
    let line = json!({"productId": id, "quantity": 4});
    let order = json!({"customer": api.unique(), "lines": [line]});
    let order = api.json("POST", "/mysqldata", &[], &order).await?;
    let created = order.status(201)?.text_at("/createdAt")?;
    let from = created.get(..10).unwrap_or_default();
    let target = format!("/mysqldata/summary?by=product&from={from}");
    let by_product = api.get(&target).await?;
    let json = by_product.status(200)?.value_of_json()?;
    let rows = json["rows"].as_array().cloned().unwrap_or_default();
    let mine = rows.iter().find(|row| row["product"] == id.as_str());
    let right = mine.is_some_and(|row| {
        row["quantity"] == 4 && row["revenue"] == json!({"amount": 49_380, "currency": "DKK"})
    });
    by_product.that(right, format_args!("a row for {id} with quantity 4"))?;
    for by in ["day", "status"] {
        let target = format!("/mysqldata/summary?by={by}&from={from}");
        let rows = api.get(&target).await?;
        rows.status(200)?.member("/by", by)?;
    }
    Ok(())
}

async fn not_modified(api: &Api) -> Outcome {
    let (path, placed) = place(api, 1).await?;
    let etag = placed.value("etag");
    let read = api.get_with(&path, &[("if-none-match", etag)]).await?;
    read.status(304)?.header("etag", etag)?.empty()?;
    Ok(())
}

async fn stale(api: &Api) -> Outcome {
    let (path, placed) = place(api, 1).await?;
    let matches = [("if-match", placed.value("etag"))];
    let paid = api
        .json("PATCH", &path, &matches, &json!({"status": "paid"}))
        .await?;
    paid.status(200)?;
    let refused = api
        .json("PATCH", &path, &matches, &json!({"status": "shipped"}))
        .await?;
    refused.problem(412, "precondition-failed")?;
    Ok(())
}

async fn once(api: &Api) -> Outcome {
    let (_, made) = make(api, &product(api)).await?;
    let line = json!({"productId": made.text_at("/id")?, "quantity": 1});
    let order = json!({"customer": api.unique(), "lines": [line]});
    let key = api.unique();
    let headers = [("idempotency-key", key.as_str())];
    let first = api.json("POST", "/mysqldata", &headers, &order).await?;
    first.status(201)?.header("idempotency-replayed", "")?;
    let again = api.json("POST", "/mysqldata", &headers, &order).await?;
    again
        .status(201)?
        .header("idempotency-replayed", "true")?
        .header("location", first.value("location"))?
        .that(
            again.body() == first.body(),
            "the first answer, byte for byte",
        )?;
    Ok(())
}
