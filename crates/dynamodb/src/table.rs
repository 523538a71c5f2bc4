//! A table of entities.

use std::{
    collections::{BTreeMap, HashMap},
    marker::PhantomData,
    sync::Arc,
};

use aws_sdk_dynamodb::{
    operation::{
        batch_get_item::{BatchGetItem, BatchGetItemInput},
        get_item::{GetItem, GetItemInput},
        put_item::{PutItem, PutItemInput},
    },
    types::{KeysAndAttributes, Put, builders::PutBuilder},
};
use chassis::{RequestContext, outbound::CallError};
use json::FromJson;

use crate::{
    Database, Entity, Error,
    attempt::failed_condition,
    database::NAME,
    item::{from_item, has_conflict, key, to_item},
    pauses::Pauses,
};

/// The condition that no item has the id.
const IS_NEW: &str = "attribute_not_exists(id)";

/// A table of entities, with the partition key `id` (a string).
///
/// Every operation takes the request context first, and can fail with
/// [`Error::Unavailable`], [`Error::Contended`], [`Error::Rejected`] and
/// [`Error::Malformed`]; other errors are listed at each.
#[derive(Debug, Clone)]
pub struct Table<T> {
    pub(crate) database: Database,
    pub(crate) name: Arc<str>,
    entity: PhantomData<fn() -> T>,
}

impl<T: Entity> Table<T> {
    /// The table called `name`.
    #[must_use]
    pub fn new(database: &Database, name: impl Into<Arc<str>>) -> Self {
        const {
            assert!(
                !has_conflict(T::Content::MEMBERS),
                "a member of the content is called as an attribute that the service sets"
            );
        }
        Self {
            database: database.clone(),
            name: name.into(),
            entity: PhantomData,
        }
    }

    /// The entity with this id, if it exists.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn get(&self, ctx: &RequestContext, id: &T::Id) -> Result<Option<T>, Error> {
        let get = GetItemInput::builder().table_name(&*self.name);
        let get = get.set_key(Some(key::<T>(id))).consistent_read(true);
        let got = (self.database).call::<GetItem>(ctx, |_| get.clone().build());
        let item = got.await?.item;
        Ok(item.map(from_item).transpose()?)
    }

    /// Those of the entities with these ids that exist; at most 100 ids, each
    /// once.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn get_batch(
        &self,
        ctx: &RequestContext,
        ids: &[T::Id],
    ) -> Result<BTreeMap<T::Id, T>, Error> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(ids.iter().map(key::<T>).collect()))
            .consistent_read(true)
            .build()
            .map_err(Error::bug)?;
        let mut wanted = HashMap::from([(self.name.to_string(), keys)]);
        let mut found = BTreeMap::new();
        let mut pauses = Pauses::until(ctx.deadline);
        loop {
            let get = BatchGetItemInput::builder().set_request_items(Some(wanted));
            let got = (self.database)
                .call::<BatchGetItem>(ctx, |_| get.clone().build())
                .await?;
            for item in got
                .responses
                .into_iter()
                .flatten()
                .flat_map(|table| table.1)
            {
                let entity: T = from_item(item)?;
                found.insert(entity.id().clone(), entity);
            }
            wanted = got.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
            if !pauses.pause().await {
                return Err(CallError::Elapsed { name: NAME }.into());
            }
        }
    }

    /// Creates an entity whose id was generated for it.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn create(&self, ctx: &RequestContext, entity: &T) -> Result<(), Error> {
        let put = PutItemInput::builder().table_name(&*self.name);
        let put = put
            .set_item(Some(to_item(entity)?))
            .condition_expression(IS_NEW);
        let created = (self.database).call::<PutItem>(ctx, |_| put.clone().build());
        match created.await {
            Ok(_) => Ok(()),
            // The id was generated for it: an earlier attempt has created it,
            // and its response was lost.
            Err(error) if failed_condition(&error).is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The write of a transaction that creates an entity whose id was generated
    /// for it.
    pub(crate) fn creation(&self, entity: &T) -> Result<PutBuilder, Error> {
        let put = Put::builder()
            .table_name(&*self.name)
            .set_item(Some(to_item(entity)?))
            .condition_expression(IS_NEW);
        Ok(put)
    }
}
