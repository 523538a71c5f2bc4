// region: mysqldata nosqldata
//! An order: placed, paid, shipped or cancelled.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::model::{Model, NoSuchTransition};
use crate::Client;

/// The product that is ordered.
const PRODUCT: &str = "espresso-cups";

/// The limit of the time to place an order.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The statuses, and those that an order may move to from each.
const TRANSITIONS: [(Status, &[Status]); 4] = [
    ("placed", &["paid", "cancelled"]),
    ("paid", &["shipped", "cancelled"]),
    ("shipped", &[]),
    ("cancelled", &[]),
];

/// A status, as it is in JSON.
pub type Status = &'static str;

/// An order, as far as it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// Its version.
    pub version: u64,
    /// Its status.
    pub status: Status,
}

impl Model for Order {
    /// The status that the order is to move to.
    type Write = Status;

    const INITIAL: Option<Self> = Some(Self {
        version: 1,
        status: "placed",
    });

    const OPERATIONS: usize = 20;

    async fn create(client: &Client) -> Option<(String, Option<String>)> {
        let order = json!({
            "customer": "linearizability",
            "lines": [{"productId": PRODUCT, "quantity": 1}],
        });
        let headers = [("content-type", "application/json")];
        let placed = client
            .try_send(
                Method::POST,
                "/mysqldata",
                &headers,
                order.to_string(),
                TIMEOUT,
            )
            .await?;
        let created = placed.status == 201;
        created.then(|| {
            let tag = placed.header("etag").to_owned();
            (placed.header("location").to_owned(), Some(tag))
        })
    }

    fn random_write(_: usize) -> Status {
        let (status, _) = TRANSITIONS[fastrand::usize(..TRANSITIONS.len())];
        status
    }

    fn request(write: Status) -> (Method, Option<Value>) {
        (Method::PATCH, Some(json!({"status": write})))
    }

    fn read(body: &Value) -> Option<Self> {
        let status = body["status"].as_str()?;
        let (status, _) = TRANSITIONS.into_iter().find(|(name, _)| *name == status)?;
        Some(Self {
            version: body["version"].as_u64()?,
            status,
        })
    }

    fn needs_resource(_: Status) -> bool {
        true
    }

    fn apply(write: Status, before: Option<Self>) -> Result<Option<Self>, NoSuchTransition> {
        let Self { version, status } = before.ok_or(NoSuchTransition)?;
        let mut allowed = TRANSITIONS.iter().filter(|(from, _)| *from == status);
        if !allowed.any(|(_, to)| to.contains(&write)) {
            return Err(NoSuchTransition);
        }
        Ok(Some(Self {
            version: version + 1,
            status: write,
        }))
    }
}
// endregion
