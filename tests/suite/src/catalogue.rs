//! The products.

use serde_json::json;

use super::{case, make, product};
use crate::surfaces::{Api, Case, Outcome};

pub fn cases() -> Vec<Case> {
    vec![
        case!("a product is made, and read", made),
        case!("a product is put, and replaced", put),
        case!("a product is changed by a merge patch", patched),
        case!("a product is deleted", deleted),
        case!("products by category, page by page", paged),
        case!("products by their ids", batch),
        case!("every fault of a product is told", faults),
        case!("a product that is known already is 304", not_modified),
        case!("a stale write of a product is 412", stale),
        case!("a product is made once for one key", once),
    ]
}

async fn made(api: &Api) -> Outcome {
    let wanted = product(api);
    let (path, made) = make(api, &wanted).await?;
    let etag = made.value("etag").to_owned();
    made.header("content-type", "application/json")?
        .member("/name", wanted["name"].clone())?
        .member("/price", wanted["price"].clone())?
        .member("/attributes", json!({}))?
        .member("/version", 1)?
        .that(!etag.is_empty(), "an etag")?
        .that(
            path == format!("/nosqldata/{}", made.text_at("/id")?),
            "a location with the id",
        )?;
    let read = api.get(&path).await?;
    read.status(200)?.header("etag", &etag)?;
    read.that(
        read.body() == made.body(),
        "what was answered when it was made",
    )?;
    Ok(())
}

async fn put(api: &Api) -> Outcome {
    let path = format!("/nosqldata/{}", api.unique());
    let mut product = product(api);
    let created = api.json("PUT", &path, &[], &product).await?;
    created
        .status(201)?
        .header("content-location", &path)?
        .member("/version", 1)?;
    product["attributes"] = json!({"colour": "blue", "sizes": [1, 2.5, null]});
    let replaced = api.json("PUT", &path, &[], &product).await?;
    replaced
        .status(200)?
        .header("content-location", &path)?
        .member("/version", 2)?
        .member("/attributes", product["attributes"].clone())?;
    Ok(())
}

async fn patched(api: &Api) -> Outcome {
    let (path, _) = make(api, &product(api)).await?;
    let headers = [("content-type", "application/merge-patch+json")];
    let patch = json!({"description": "Of stoneware", "attributes": {"litres": 0.3}});
    let patched = api
        .send("PATCH", &path, &headers, patch.to_string())
        .await?;
    patched
        .status(200)?
        .member("/description", "Of stoneware")?
        .member("/attributes/litres", 0.3)?
        .member("/version", 2)?;
    let json = json!({"description": null});
    let without = api.json("PATCH", &path, &[], &json).await?;
    let gone = without.value_of_json()?.get("description").is_none();
    without.status(200)?.that(gone, "no description")?;
    Ok(())
}

async fn deleted(api: &Api) -> Outcome {
    let (path, _) = make(api, &product(api)).await?;
    let deleted = api.send("DELETE", &path, &[], "").await?;
    deleted.status(204)?.empty()?;
    let read = api.get(&path).await?;
    read.problem(404, "not-found")?
        .member("/instance", path.as_str())?;
    let again = api.send("DELETE", &path, &[], "").await?;
    again.problem(404, "not-found")?;
    Ok(())
}

async fn paged(api: &Api) -> Outcome {
    let category = api.unique();
    let mut made = Vec::new();
    for _ in 0..3 {
        let mut product = product(api);
        product["category"] = category.as_str().into();
        made.push(make(api, &product).await?.1.text_at("/id")?);
    }
    let mut found = Vec::new();
    let mut target = format!("/nosqldata?category={category}&limit=2");
    // Twice as many pages as there can be.
    for _ in 0..6 {
        let page = api.get(&target).await?;
        page.status(200)?.member("/message", "NoSql Data")?;
        let json = page.value_of_json()?;
        let items = json["items"].as_array().cloned().unwrap_or_default();
        found.extend(
            items
                .iter()
                .filter_map(|it| Some(it["id"].as_str()?.to_owned())),
        );
        let Some(cursor) = json["nextCursor"].as_str() else {
            found.sort();
            made.sort();
            page.that(found == made, format_args!("{made:?} over all pages"))?;
            return Ok(());
        };
        target = format!("/nosqldata?category={category}&limit=2&cursor={cursor}");
    }
    let page = api.get(&target).await?;
    Err(page.failure("an end of the list"))
}

async fn batch(api: &Api) -> Outcome {
    let (_, made) = make(api, &product(api)).await?;
    let (id, none) = (made.text_at("/id")?, api.unique());
    // As it is and with the comma escaped.
    for comma in [",", "%2C"] {
        let batch = api
            .get(&format!("/nosqldata?ids={none}{comma}{id}"))
            .await?;
        batch
            .status(200)?
            .member("/items/0/id", id.as_str())?
            .member("/missing", json!([none]))?;
    }
    Ok(())
}

async fn faults(api: &Api) -> Outcome {
    let wrong = json!({
        "id": "mine", "name": "", "category": "c", "price": {"amount": -1, "currency": "kr"}
    });
    let refused = api.json("POST", "/nosqldata", &[], &wrong).await?;
    let places = ["/name", "/price/amount", "/price/currency", "/id"];
    refused.faults(422, "invalid-request", &places)?;
    Ok(())
}

async fn not_modified(api: &Api) -> Outcome {
    let (path, made) = make(api, &product(api)).await?;
    let etag = made.value("etag");
    for known in [etag, &format!("\"other\", W/{etag}"), "*"] {
        let read = api.get_with(&path, &[("if-none-match", known)]).await?;
        read.status(304)?.header("etag", etag)?.empty()?;
    }
    let changed = api
        .get_with(&path, &[("if-none-match", "\"other\"")])
        .await?;
    changed.status(200)?;
    let malformed = api.get_with(&path, &[("if-none-match", "other")]).await?;
    malformed.faults(400, "malformed-request", &["If-None-Match"])?;
    Ok(())
}

async fn stale(api: &Api) -> Outcome {
    let product = product(api);
    let (path, made) = make(api, &product).await?;
    let etag = made.value("etag").to_owned();
    let matches = [("if-match", etag.as_str())];
    let replaced = api.json("PUT", &path, &matches, &product).await?;
    replaced.status(200)?;
    for headers in [&matches, &[("if-none-match", "*")]] {
        let refused = api.json("PUT", &path, headers, &product).await?;
        refused.problem(412, "precondition-failed")?;
    }
    let refused = api.send("DELETE", &path, &matches, "").await?;
    refused.problem(412, "precondition-failed")?;
    let read = api.get(&path).await?;
    read.status(200)?.member("/version", 2)?;
    Ok(())
}

async fn once(api: &Api) -> Outcome {
    let (product, key) = (product(api), api.unique());
    let quoted = format!("\"{key}\"");
    let first = api
        .json("POST", "/nosqldata", &[("idempotency-key", &key)], &product)
        .await?;
    first.status(201)?.header("idempotency-replayed", "")?;
    let again = api
        .json(
            "POST",
            "/nosqldata",
            &[("idempotency-key", &quoted)],
            &product,
        )
        .await?;
    again
        .status(201)?
        .header("idempotency-replayed", "true")?
        .header("location", first.value("location"))?
        .header("etag", first.value("etag"))?
        .that(
            again.body() == first.body(),
            "the first answer, byte for byte",
        )?;
    let mut other = product;
    other["name"] = "Another".into();
    let refused = api
        .json("POST", "/nosqldata", &[("idempotency-key", &key)], &other)
        .await?;
    refused.problem(422, "invalid-request")?;
    let malformed = api
        .json(
            "POST",
            "/nosqldata",
            &[("idempotency-key", "\"half")],
            &other,
        )
        .await?;
    malformed.faults(400, "malformed-request", &["Idempotency-Key"])?;
    Ok(())
}
