//! The catalogue's store: the products in their table.

use std::collections::BTreeMap;

use chassis::{
    RequestContext,
    http::{
        IdempotentRequest, Limit, MergePatch, Outcome, Preconditions, StoredResponse, health::Check,
    },
};
use dto::ProductId;
use dynamodb::{Database, Entity, Index, KeyTable, Page, Revision, Table};

use crate::{
    Config,
    error::Error,
    product::{Category, Product, ProductContent},
};

/// The products by category.
const BY_CATEGORY: Index = Index {
    name: "by-category",
    attribute: "category",
};

/// The catalogue. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Catalogue {
    database: Database,
    products: Table<Product>,
    keys: KeyTable,
}

impl Catalogue {
    /// Opens the catalogue. A service starts even if its database is
    /// unavailable.
    pub async fn open(config: Config) -> Self {
        let Config {
            dynamodb,
            products_table,
            keys_table,
            auth: _, // opened beside the store
        } = config;
        let database = Database::open(dynamodb, &products_table).await;
        Self {
            products: Table::new(&database, products_table),
            keys: KeyTable::new(&database, keys_table, "POST /nosqldata"),
            database,
        }
    }

    /// The health check of its database.
    pub(crate) fn check(&self) -> Check {
        self.database.check()
    }

    /// Checks that the table responds.
    pub(crate) async fn ping(&self, ctx: &RequestContext) -> Result<(), Error> {
        Ok(self.database.ping(ctx).await?)
    }

    /// A page of the products, of one category or of all.
    pub(crate) async fn page(
        &self,
        ctx: &RequestContext,
        category: Option<&Category>,
        limit: Limit,
        after: Option<&ProductId>,
    ) -> Result<Page<Product, ProductId>, Error> {
        let products = &self.products;
        Ok(match category {
            Some(category) => {
                let queried = products.query(ctx, BY_CATEGORY, category.as_str(), limit, after);
                queried.await?
            }
            None => products.scan(ctx, limit, after).await?,
        })
    }

    /// Those of at most 100 products that exist, by their ids.
    pub(crate) async fn batch(
        &self,
        ctx: &RequestContext,
        ids: &[ProductId],
    ) -> Result<BTreeMap<ProductId, Product>, Error> {
        Ok(self.products.get_batch(ctx, ids).await?)
    }

    /// Creates a product. If the request has an idempotency key, this is done once, and
    /// `response` is stored under the key.
    pub(crate) async fn create(
        &self,
        ctx: &RequestContext,
        product: &Product,
        key: Option<&IdempotentRequest>,
        response: &StoredResponse,
    ) -> Result<Outcome, Error> {
        let keys = &self.keys;
        let created = keys.create(ctx, &self.products, product, key, response);
        Ok(created.await?)
    }

    /// The product with this id.
    pub(crate) async fn get(&self, ctx: &RequestContext, id: &ProductId) -> Result<Product, Error> {
        let product = self.products.get(ctx, id).await?;
        Ok(product.ok_or(dynamodb::Error::NotFound)?)
    }

    /// Replaces the product with this id, or creates it, if `preconditions` hold.
    pub(crate) async fn put(
        &self,
        ctx: &RequestContext,
        id: &ProductId,
        content: &ProductContent,
        preconditions: &Preconditions,
    ) -> Result<Product, Error> {
        Ok(self.products.put(ctx, id, content, preconditions).await?)
    }

    /// Patches the product with this id, if `preconditions` hold. No concurrent
    /// write is lost. Where no product has the id, errors of the patch's values take
    /// precedence over that.
    pub(crate) async fn patch(
        &self,
        ctx: &RequestContext,
        id: &ProductId,
        patch: &MergePatch<ProductContent>,
        preconditions: &Preconditions,
    ) -> Result<Product, Error> {
        let change = |content: &ProductContent| patch.apply(content).map_err(Error::Invalid);
        let patched = self.products.update(ctx, id, preconditions, change).await;
        patched.map_err(|error| match error {
            Error::Store(dynamodb::Error::NotFound) if !patch.value_errors().is_empty() => {
                Error::Invalid(patch.value_errors().clone())
            }
            error => error,
        })
    }

    /// Deletes the product with this id, if `preconditions` hold.
    pub(crate) async fn delete(
        &self,
        ctx: &RequestContext,
        id: &ProductId,
        preconditions: &Preconditions,
    ) -> Result<(), Error> {
        Ok(self.products.delete(ctx, id, preconditions).await?)
    }
}

impl Entity for Product {
    type Id = ProductId;
    type Content = ProductContent;

    fn new(id: ProductId, content: ProductContent, revision: Revision) -> Self {
        Self {
            id,
            content,
            revision,
        }
    }

    fn id(&self) -> &ProductId {
        &self.id
    }

    fn content(&self) -> &ProductContent {
        &self.content
    }

    fn revision(&self) -> &Revision {
        &self.revision
    }
}
