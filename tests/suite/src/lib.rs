//! What every surface is asked. Each case makes what it needs under names of its
//! own, so that the suite can run against a system that others use.

mod bodies;
mod catalogue;
mod documents;
mod headers;
mod methods;
mod orders;
mod oscheck;
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
        oscheck::cases(),
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use axum::{Router, http::StatusCode};
    use tokio::net::TcpListener;

    use super::*;
    use crate::surfaces::{Kind, Verdict};

    /// What is asked of such a server is asked in vain.
    #[tokio::test]
    async fn no_case_passes_where_nothing_is_right() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let teapot = Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT });
        tokio::spawn(async move { axum::serve(listener, teapot).await });
        for kind in [Kind::Replay, Kind::Watch, Kind::StartApi, Kind::Deployed] {
            let api = Api::new(kind, &url, None);
            for case in all() {
                let verdict = case.judge(&api).await;
                let failed = matches!(verdict, Verdict::Fail(_) | Verdict::NotApplicable);
                assert!(failed, "{}: {verdict:?}", case.name);
            }
        }
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: HashSet<_> = all().into_iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
