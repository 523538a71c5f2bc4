//! Idempotency keys: a request is executed once.
//!
//! The key is written in the transaction of the write it protects. Its item has
//! `fingerprint` (binary), `response` (JSON) and `expiresAt` (seconds since the
//! epoch).

use std::sync::Arc;

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::{TransactWriteItems, TransactWriteItemsInput},
    primitives::Blob,
    types::{
        AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        builders::PutBuilder,
    },
};
use chassis::{
    RequestContext,
    http::{Fingerprint, IdempotentRequest, KEY_LIFETIME, KeyConflict, Outcome, StoredResponse},
    outbound::{CallError, Classify, Failure},
};
use dto::Timestamp;
use uuid::Uuid;

use crate::{
    Database, Entity, Error, Table,
    error::{AttemptError, MalformedItem, is_failed_condition, last_attempt},
    item::{ID, Item, Reader, text},
    value::{integer, string},
};

const FINGERPRINT: &str = "fingerprint";
const RESPONSE: &str = "response";
const EXPIRES_AT: &str = "expiresAt";

/// The table of the idempotency keys of one operation.
#[derive(Debug, Clone)]
pub struct KeyTable {
    database: Database,
    name: Arc<str>,
    operation: &'static str,
}

impl KeyTable {
    /// The table called `name`. The same key may be used for another operation,
    /// such as `POST /things`, independently.
    #[must_use]
    pub fn new(database: &Database, name: impl Into<Arc<str>>, operation: &'static str) -> Self {
        Self {
            database: database.clone(),
            name: name.into(),
            operation,
        }
    }

    /// Creates an entity whose id was generated for it. If the request has a key, this
    /// stores `response` under it, both or neither; neither if the key has a response
    /// already.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if the key was used with another body, or if the first
    /// request with it is still running at the deadline.
    pub async fn create<T: Entity>(
        &self,
        ctx: &RequestContext,
        table: &Table<T>,
        entity: &T,
        request: Option<&IdempotentRequest>,
        response: &StoredResponse,
    ) -> Result<Outcome, Error> {
        let Some(request) = request else {
            table.create(ctx, entity).await?;
            return Ok(Outcome::Executed);
        };
        let writes = [table.creation(entity)?, self.key_write(request, response)?];
        let writes: Result<_, BuildError> = writes
            .into_iter()
            .map(|put| Ok(TransactWriteItem::builder().put(put.build()?).build()))
            .collect();
        let transaction = TransactWriteItemsInput::builder()
            .set_transact_items(Some(writes.map_err(Error::bug)?))
            // Every attempt has the same token, so DynamoDB recognizes a repeated one.
            .client_request_token(Uuid::now_v7());
        let executed =
            (self.database).call::<TransactWriteItems>(ctx, |_| transaction.clone().build());
        let Err(error) = executed.await else {
            return Ok(Outcome::Executed);
        };
        let item = stored_key(error)?.ok_or(KeyConflict::Running)?;
        let (fingerprint, stored) = from_key_item(item)?;
        Ok(request.outcome(fingerprint, stored, response)?)
    }

    /// The write that stores the key. Its condition fails while the key is stored.
    fn key_write(
        &self,
        request: &IdempotentRequest,
        response: &StoredResponse,
    ) -> Result<PutBuilder, Error> {
        let now = Timestamp::now().utc().unix_timestamp();
        let id = key_id(self.operation, request);
        let put = Put::builder()
            .table_name(&*self.name)
            .set_item(Some(to_key_item(id, request.fingerprint, response, now)?))
            // DynamoDB deletes expired items within days, not at once.
            .condition_expression("attribute_not_exists(id) OR expiresAt <= :now")
            .expression_attribute_values(":now", integer(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(put)
    }
}

/// The item of the key that cancelled a transaction, which DynamoDB returns with
/// the error; `None` if another request with the key is running.
fn stored_key(error: CallError<AttemptError>) -> Result<Option<Item>, Error> {
    let attempt = last_attempt(&error);
    if attempt.is_some_and(|attempt| attempt.failure() == Failure::Conflict) {
        return Ok(None);
    }
    // The key is the last write of the transaction.
    match attempt
        .and_then(AttemptError::reasons_if_condition_failed)
        .and_then(<[_]>::last)
    {
        Some(reason) if is_failed_condition(reason) => Ok(reason.item.clone()),
        _ => Err(error.into()),
    }
}

/// The id of a key's item: JSON, so that no two are equal.
fn key_id(operation: &str, request: &IdempotentRequest) -> String {
    serde_json::json!([request.caller, operation, request.key]).to_string()
}

fn to_key_item(
    id: String,
    fingerprint: Fingerprint,
    response: &StoredResponse,
    now: i64,
) -> Result<Item, Error> {
    let response = serde_json::to_string(response).map_err(Error::bug)?;
    let lifetime = i64::try_from(KEY_LIFETIME.as_secs()).map_err(Error::bug)?;
    let attributes = [
        (ID, string(id)),
        (FINGERPRINT, AttributeValue::B(Blob::new(fingerprint.0))),
        (RESPONSE, string(response)),
        (EXPIRES_AT, integer(now + lifetime)),
    ];
    Ok(attributes
        .map(|(name, value)| (name.to_owned(), value))
        .into())
}

fn from_key_item(item: Item) -> Result<(Fingerprint, StoredResponse), MalformedItem> {
    let mut item = Reader::new(item);
    let fingerprint = item.take(FINGERPRINT, |value| match value {
        AttributeValue::B(bytes) => bytes.into_inner().try_into().ok(),
        _ => None,
    })?;
    let response = item.take(RESPONSE, |value| serde_json::from_str(&text(value)?).ok())?;
    Ok((Fingerprint(fingerprint), response))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(caller: &str, key: &str) -> String {
        let request = IdempotentRequest {
            caller: caller.to_owned(),
            key: key.to_owned(),
            fingerprint: Fingerprint([7; 32]),
        };
        key_id("POST /things", &request)
    }

    #[test]
    fn keys_are_distinct_by_caller_and_byte_by_byte() {
        assert_eq!(id("ada", "a"), r#"["ada","POST /things","a"]"#);
        let mut ids = ["a", "A", "a ", "a\"b", "a\\\"b"]
            .map(|key| id("ada", key))
            .to_vec();
        ids.extend([id("", "a"), id("Ada", "a")]);
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{id}");
        }
        // A partition key has at most 2,048 bytes.
        assert!(id(&"\\".repeat(255), &"\\".repeat(255)).len() <= 2_048);
    }

    #[test]
    fn a_response_is_read_as_it_was_stored() {
        let fingerprint = Fingerprint([7; 32]);
        let response = StoredResponse {
            status: 201,
            headers: vec![("etag".to_owned(), "\"x\"".to_owned())],
            body: "{\"name\":\"é\\u0000\"}".to_owned(),
        };
        let item = to_key_item("k".to_owned(), fingerprint, &response, 1_000).unwrap();
        assert_eq!(item[EXPIRES_AT], integer(1_000 + 86_400));
        assert_eq!(from_key_item(item.clone()), Ok((fingerprint, response)));

        let mut item = item;
        item.insert(RESPONSE.to_owned(), string("{"));
        assert!(from_key_item(item).is_err());
    }
}
