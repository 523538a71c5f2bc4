//! The @name@ in their table.

use chassis::{
    RequestContext,
    http::{IdempotentRequest, Limit, Outcome, StoredResponse, health::Check},
};
use dynamodb::{Database, Entity, KeyTable, Page, Revision, Table};

use crate::{
    Config,
    error::Error,
    @type@::{@Type@, @Type@Content, @Type@Id},
};

/// The store of the @name@. Clones share its connections.
#[derive(Debug, Clone)]
pub struct @Type@Store {
    database: Database,
    table: Table<@Type@>,
    keys: KeyTable,
}

impl @Type@Store {
    /// Opens the store. A service starts even if its database is unavailable.
    pub async fn open(config: Config) -> Self {
        let database = Database::open(config.dynamodb, &config.table).await;
        Self {
            table: Table::new(&database, config.table),
            keys: KeyTable::new(&database, config.keys_table, "POST /@name@"),
            database,
        }
    }

    /// The health check of its database.
    pub(crate) fn check(&self) -> Check {
        self.database.check()
    }

    /// A page of the @name@, after an id or from the start.
    pub(crate) async fn page(
        &self,
        ctx: &RequestContext,
        limit: Limit,
        after: Option<&@Type@Id>,
    ) -> Result<Page<@Type@, @Type@Id>, Error> {
        Ok(self.table.scan(ctx, limit, after).await?)
    }

    /// The @type@ with this id.
    pub(crate) async fn get(&self, ctx: &RequestContext, id: &@Type@Id) -> Result<@Type@, Error> {
        self.table.get(ctx, id).await?.ok_or(Error::NotFound)
    }

    /// Creates @a@ @type@. If the request has an idempotency key, this is done once, and
    /// `response` is stored under the key.
    pub(crate) async fn create(
        &self,
        ctx: &RequestContext,
        @type@: &@Type@,
        key: Option<&IdempotentRequest>,
        response: &StoredResponse,
    ) -> Result<Outcome, Error> {
        let created = self.keys.create(ctx, &self.table, @type@, key, response);
        Ok(created.await?)
    }
}

/// Builds @a@ @type@ from an item of the table.
impl Entity for @Type@ {
    type Id = @Type@Id;
    type Content = @Type@Content;

    fn new(id: @Type@Id, content: @Type@Content, revision: Revision) -> Self {
        Self {
            id,
            content,
            revision,
        }
    }

    fn id(&self) -> &@Type@Id {
        &self.id
    }

    fn content(&self) -> &@Type@Content {
        &self.content
    }

    fn revision(&self) -> &Revision {
        &self.revision
    }
}
