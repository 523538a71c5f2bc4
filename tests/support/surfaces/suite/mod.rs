//! What every surface is asked. Each case makes what it needs under names of its
//! own, so that the suite can run against a system that others use.

mod bodies;
mod catalogue;
mod documents;
mod headers;
mod methods;
mod orders;
mod paths;
mod probes;
mod queries;
mod timeouts;

use serde_json::{Value, json};

use super::{Answer, Api, Case, Outcome};

/// Every case, in the order of the table.
pub fn all() -> Vec<Case> {
    [
        probes::cases(),
        catalogue::cases(),
        orders::cases(),
        documents::cases(),
        methods::cases(),
        paths::cases(),
        queries::cases(),
        headers::cases(),
        bodies::cases(),
        timeouts::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A case of this name that runs this function.
macro_rules! case {
    ($name:literal, $check:path) => {
        $crate::surfaces::Case::new($name, |api| Box::pin($check(api)))
    };
}
use case;

/// A product that is like no other.
fn product(api: &Api) -> Value {
    let name = api.unique();
    json!({"name": name, "category": name, "price": {"amount": 12_345, "currency": "DKK"}})
}

/// Makes a product; its path and what was answered.
async fn make(api: &Api, product: &Value) -> Outcome<(String, Answer)> {
    let made = api.json("POST", "/nosqldata", &[], product).await?;
    made.status(201)?;
    Ok((made.value("location").to_owned(), made))
}

/// Places an order for `quantity` of a new product by a new customer; its path
/// and what was answered.
async fn place(api: &Api, quantity: u32) -> Outcome<(String, Answer)> {
    let (_, product) = make(api, &product(api)).await?;
    let line = json!({"productId": product.text_at("/id")?, "quantity": quantity});
    let order = json!({"customer": api.unique(), "lines": [line]});
    let placed = api.json("POST", "/mysqldata", &[], &order).await?;
    placed.status(201)?;
    Ok((placed.value("location").to_owned(), placed))
}
