//! Conditional writes of the entities of a table.

use std::borrow::Cow;

use aws_sdk_dynamodb::{
    operation::{
        transact_write_items::{TransactWriteItems, TransactWriteItemsInput},
        update_item::{UpdateItem, UpdateItemInput},
    },
    types::{Delete, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use chassis::{RequestContext, http::Preconditions};
use dto::Timestamp;
use json::FromJson;
use uuid::Uuid;

use crate::{
    Entity, Error, Table,
    entity::new_etag,
    error::{AttemptError, failed_condition, last_attempt},
    expression::{Condition, Update, condensed, fits},
    item::{from_item, key, members},
};

impl<T: Entity> Table<T> {
    /// Replaces the content of the entity with this id, or creates the entity, if
    /// `preconditions` hold. It is new if its revision is the first.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] or [`Error::Unknown`].
    pub async fn put(
        &self,
        ctx: &RequestContext,
        id: &T::Id,
        content: &T::Content,
        preconditions: &Preconditions,
    ) -> Result<T, Error> {
        let preconditions = self.condensed(ctx, id, preconditions).await?;
        let written = self.write(ctx, id, content, &preconditions).await?;
        written.ok_or(Error::PreconditionFailed)
    }

    /// Changes the content of the entity with this id, if `preconditions` hold.
    ///
    /// `change` returns the new content. It is called again with the present
    /// content whenever another request has written meanwhile, so that no write
    /// is lost.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Unknown`], or
    /// that of `change`.
    pub async fn update<E: From<Error>>(
        &self,
        ctx: &RequestContext,
        id: &T::Id,
        preconditions: &Preconditions,
        change: impl Fn(&T::Content) -> Result<T::Content, E>,
    ) -> Result<T, E> {
        for retry in 0.. {
            let found = self.get(ctx, id).await?.ok_or(Error::NotFound)?;
            let etag = &found.revision().etag;
            if !preconditions.hold(Some(etag)) {
                return Err(Error::PreconditionFailed.into());
            }
            let content = change(found.content())?;
            let unchanged = Preconditions::unchanged(etag.clone());
            if let Some(written) = self.write(ctx, id, &content, &unchanged).await? {
                return Ok(written);
            }
            if !self.database.dependency.pause(ctx, retry).await {
                break;
            }
        }
        Err(Error::Contended(None).into())
    }

    /// Deletes the entity with this id, if `preconditions` hold.
    ///
    /// A deleted item has no entity tag by which a retry could recognize the
    /// deletion, so it is a transaction: its token makes it idempotent.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::PreconditionFailed`] or [`Error::Unknown`].
    pub async fn delete(
        &self,
        ctx: &RequestContext,
        id: &T::Id,
        preconditions: &Preconditions,
    ) -> Result<(), Error> {
        let preconditions = self.condensed(ctx, id, preconditions).await?;
        let condition = Condition::of_deletion(&preconditions);
        let delete = Delete::builder()
            .table_name(&*self.name)
            .set_key(Some(key::<T>(id)))
            .condition_expression(condition.expression())
            // DynamoDB rejects an empty map.
            .set_expression_attribute_values(
                Some(condition.values).filter(|values| !values.is_empty()),
            )
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(Error::bug)?;
        let transaction = TransactWriteItemsInput::builder()
            .transact_items(TransactWriteItem::builder().delete(delete).build())
            .client_request_token(Uuid::now_v7());
        let deleted =
            (self.database).call::<TransactWriteItems>(ctx, |_| transaction.clone().build());
        let Err(error) = deleted.await else {
            return Ok(());
        };
        let failed = last_attempt(&error).and_then(AttemptError::reasons_if_condition_failed);
        match failed.and_then(<[_]>::first) {
            Some(reason) if reason.item.is_some() => Err(Error::PreconditionFailed),
            Some(_) => Err(Error::NotFound),
            None => Err(error.into()),
        }
    }

    /// Writes the content of an entity; `None` if `preconditions` do not hold.
    async fn write(
        &self,
        ctx: &RequestContext,
        id: &T::Id,
        content: &T::Content,
        preconditions: &Preconditions,
    ) -> Result<Option<T>, Error> {
        let etag = new_etag();
        let condition = Condition::of_write(preconditions, &etag);
        let now = Timestamp::now();
        let update = Update::of(members(content)?, T::Content::MEMBERS, &etag, now);
        let write = UpdateItemInput::builder().table_name(&*self.name);
        let write = write
            .set_key(Some(key::<T>(id)))
            .update_expression(update.expression)
            .set_expression_attribute_names(Some(update.names))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let written = (self.database).call::<UpdateItem>(ctx, |lost| {
            let condition = if lost {
                condition.after_lost(now)
            } else {
                condition.clone()
            };
            let write = write.clone().condition_expression(condition.expression());
            let mut values = update.values.clone();
            values.extend(condition.values);
            write.set_expression_attribute_values(Some(values)).build()
        });
        let error = match written.await {
            Ok(response) => {
                return Ok(Some(from_item(response.attributes.unwrap_or_default())?));
            }
            Err(error) => error,
        };
        let Some((attempt, failed)) = failed_condition(&error) else {
            return Err(error.into());
        };
        let found = failed.item.clone().map(from_item::<T>).transpose()?;
        match found {
            // With this etag the write was executed, and its response was lost.
            Some(found) if found.revision().etag == etag => Ok(Some(found)),
            _ if attempt.lost => Err(Error::Unknown(None)),
            _ => Ok(None),
        }
    }

    /// `preconditions` as a condition can hold them: lists that are too long are
    /// reduced to the tag that decides, by the item's present state.
    async fn condensed<'p>(
        &self,
        ctx: &RequestContext,
        id: &T::Id,
        preconditions: &'p Preconditions,
    ) -> Result<Cow<'p, Preconditions>, Error> {
        if fits(preconditions) {
            return Ok(Cow::Borrowed(preconditions));
        }
        let found = self.get(ctx, id).await?;
        let current = found.as_ref().map(|found| found.revision().etag.as_str());
        Ok(Cow::Owned(condensed(preconditions, current)))
    }
}
