//! A surface as a client sees it.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

// region: nosqldata
use serde_json::{Value, json};
// endregion
use testbed::Client;
// region: nosqldata
use testbed::Response;
// endregion

/// A way of using the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Events, replayed in process.
    Replay,
    /// `cargo lambda watch`.
    Watch,
    /// The Lambda Runtime Interface Emulator.
    Emulator,
    /// `sam local start-api`.
    StartApi,
    /// API Gateway and Lambda.
    Deployed,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Replay,
        Self::Watch,
        Self::Emulator,
        Self::StartApi,
        Self::Deployed,
    ];

    /// Whether it runs the functions as they are deployed, but on this machine.
    pub fn is_emulated(self) -> bool {
        matches!(self, Self::Watch | Self::Emulator | Self::StartApi)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Watch => "watch",
            Self::Emulator => "emulator",
            Self::StartApi => "start-api",
            Self::Deployed => "deployed",
        }
    }
}

/// A surface. Nothing else on it has the names that this makes, so that the suite
/// can run against a system that others use.
#[derive(Clone)]
pub struct Api {
    kind: Kind,
    client: Client,
    run: Arc<str>,
    names: Arc<AtomicUsize>,
}

impl Api {
    /// The surface at `url`.
    pub fn new(kind: Kind, url: &str) -> Self {
        Self {
            kind,
            client: Client::new(url.trim_end_matches('/').to_owned()),
            run: uuid::Uuid::now_v7().simple().to_string().into(),
            names: Arc::default(),
        }
    }

    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A name that nothing has, and that can be an id, a category or a key.
    pub fn unique(&self) -> String {
        let count = self.names.fetch_add(1, Ordering::Relaxed);
        format!("s-{}-{count}", self.run)
    }

    // region: nosqldata
    /// A product like no other, in a category of its own.
    pub fn product(&self) -> Value {
        let name = self.unique();
        json!({"name": name, "category": name, "price": {"amount": 12_345, "currency": "DKK"}})
    }

    /// Creates [such a product](Self::product).
    pub async fn create_product(&self) -> Response {
        self.post("/nosqldata", &self.product()).await.expect(201)
    }
    // endregion

    // region: nosqldata
    /// Follows a list to its end in pages of at most `limit` items; every item, in order.
    /// `list` ends with `?` or `&`.
    pub async fn walk_by(&self, list: &str, limit: usize) -> Vec<Value> {
        let message = if list.starts_with("/nosqldata") {
            "NoSql Data"
        } else {
            "MySql Data"
        };
        let mut items = Vec::new();
        for page in self.pages(&format!("{list}limit={limit}")).await {
            let page = page.expect_members(&[("/message", json!(message))]);
            assert!(page.items().len() <= limit, "{page}");
            items.extend(page.items());
        }
        items
    }
    // endregion

    // region: mysqldata nosqldata
    /// An order by a new customer for `quantity` of a new product.
    pub async fn order(&self, quantity: u32) -> Value {
        let product = self.create_product().await.id();
        json!({"customer": self.unique(), "lines": [{"productId": product, "quantity": quantity}]})
    }

    /// Places [such an order](Self::order).
    pub async fn place_order(&self, quantity: u32) -> Response {
        let order = self.order(quantity).await;
        self.post("/mysqldata", &order).await.expect(201)
    }
    // endregion

    /// Deletes what the suite created.
    pub async fn clean_up(&self) {
        for path in self.take_created() {
            // 404 if a case has deleted it, and 405 if it cannot be deleted.
            self.delete(&path).await;
        }
    }
}

/// The requests are the client's.
impl Deref for Api {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
