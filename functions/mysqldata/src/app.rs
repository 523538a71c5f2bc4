//! What the handlers share.

use chassis::outbound::Client;

use crate::{Config, catalogue::Catalogue, store::Orders};

/// The state of the handlers.
#[derive(Clone)]
pub struct App {
    pub(crate) orders: Orders,
    pub(crate) catalogue: Catalogue,
}

impl App {
    /// Builds the clients and opens the first connection to the database.
    pub async fn open(config: Config) -> Self {
        let client = Client::new("catalogue", config.api, config.catalogue_policy.connect);
        Self {
            orders: Orders::open(config.mysql).await,
            catalogue: Catalogue::new(client, config.catalogue_policy),
        }
    }
}
