//! What is done once, even when asked twice: the table of the keys.
//!
//! A key and the product that was made under it are written in one transaction.
//! The key holds what its request said and how it was answered, for a day, so
//! that whoever asks again is told the same.

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::builders::TransactWriteItemsFluentBuilder,
    primitives::Blob,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use chassis::{
    Call,
    idempotency::{Answer, Fingerprint, KEPT_FOR, Key, Once, Refused},
    resilience::{CallError, Classify, Failure},
};
use dto::Timestamp;

use crate::{
    Catalogue, Error,
    failure::{self, Failed, is_condition},
    item::{Item, Malformed, Reader, Stored, integer, string, text},
    pauses::Pauses,
};

/// What the keys belong to: one could stand for another thing elsewhere.
const ROUTE: &str = "POST /nosqldata";

/// Whoever calls: there is nobody to tell from anybody yet.
const CALLER: &str = "";

/// What has become of a request that is to be done once.
#[derive(Debug)]
pub enum Done {
    /// It was done.
    Now,
    /// It had been done before, and was answered like this.
    Before(Answer),
}

impl Catalogue {
    /// Puts a new product into the table and its `answer` under the request's
    /// key, both or neither; or neither, where the key has an answer already.
    ///
    /// # Errors
    ///
    /// [`Error::Key`]: the key was sent with another request, or the first
    /// request with it is still running when the time is up.
    pub async fn create_once(
        &self,
        stored: &Stored,
        once: &Once,
        answer: &Answer,
        call: &Call,
    ) -> Result<Done, Error> {
        let id = id(&once.key);
        let now = Timestamp::now().utc().unix_timestamp();
        let kept = Kept {
            fingerprint: once.fingerprint,
            answer: answer.clone(),
        };
        let transaction = self.transaction(stored, kept.to_item(&id, now)?, now)?;
        let mut pauses = Pauses::until(call.deadline);
        loop {
            let asked = self.ask(call, "TransactWriteItems", |_| transaction.clone().send());
            let Err(error) = asked.await else {
                return Ok(Done::Now);
            };
            if let Some(found) = refused_by(error)? {
                let found = Kept::try_from(found)?;
                return if found.answer == *answer {
                    // An attempt has done it, and was not heard.
                    Ok(Done::Now)
                } else if found.fingerprint == once.fingerprint {
                    Ok(Done::Before(found.answer))
                } else {
                    Err(Refused::Reused.into())
                };
            }
            if !pauses.pause().await {
                return Err(Refused::Running.into());
            }
        }
    }

    /// The product and the key, in this order.
    fn transaction(
        &self,
        stored: &Stored,
        key: Item,
        now: i64,
    ) -> Result<TransactWriteItemsFluentBuilder, Error> {
        let product = Put::builder()
            .table_name(&self.table)
            .set_item(Some(stored.to_item()))
            .condition_expression("attribute_not_exists(id)");
        // `DynamoDB` deletes what has expired, though not on the minute.
        let key = Put::builder()
            .table_name(&self.keys_table)
            .set_item(Some(key))
            .condition_expression("attribute_not_exists(id) OR expiresAt <= :now")
            .expression_attribute_values(":now", integer(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let puts = [product, key].map(|put| {
            let put = put.build()?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        let puts: Result<_, BuildError> = puts.into_iter().collect();
        Ok(self
            .client
            .transact_write_items()
            .set_transact_items(Some(puts.map_err(Error::bug)?))
            // It is 36 characters long, as long as a token may be, and no other
            // request has it.
            .client_request_token(&stored.etag))
    }
}

/// What is kept under the key that a transaction was refused by, which the
/// refusal gives along. Nothing while the first request is at it.
fn refused_by(error: CallError<Failed>) -> Result<Option<Item>, Error> {
    let failed = failure::last(&error);
    if failed.is_some_and(|failed| failed.failure() == Failure::Conflict) {
        return Ok(None);
    }
    match failed.and_then(Failed::cancelled).and_then(<[_]>::last) {
        Some(reason) if is_condition(reason) => Ok(reason.item.clone()),
        _ => Err(error.into()),
    }
}

/// The id of a key's item. Written as JSON, so that no two of them meet.
fn id(key: &Key) -> String {
    serde_json::json!([CALLER, ROUTE, key.as_str()]).to_string()
}

/// What the table holds under a key, besides when it expires: `fingerprint` as
/// binary, `answer` as JSON, and `expiresAt` in seconds since the epoch.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    fingerprint: Fingerprint,
    answer: Answer,
}

impl Kept {
    fn to_item(&self, id: &str, now: i64) -> Result<Item, Error> {
        let answer = serde_json::to_string(&self.answer).map_err(Error::bug)?;
        let kept_for = i64::try_from(KEPT_FOR.as_secs()).map_err(Error::bug)?;
        let fingerprint = Blob::new(self.fingerprint.0);
        let attributes = [
            ("id", text(id)),
            ("fingerprint", AttributeValue::B(fingerprint)),
            ("answer", text(answer)),
            ("expiresAt", integer(now + kept_for)),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
        Ok(attributes.into())
    }
}

impl TryFrom<Item> for Kept {
    type Error = Malformed;

    fn try_from(item: Item) -> Result<Self, Malformed> {
        let mut item = Reader(item);
        let fingerprint = item.required("fingerprint", |value| match value {
            AttributeValue::B(bytes) => bytes.into_inner().try_into().ok(),
            _ => None,
        });
        Ok(Self {
            fingerprint: Fingerprint(fingerprint?),
            answer: item.required("answer", |value| serde_json::from_str(&string(value)?).ok())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use dto::Faults;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn key(text: &'static str) -> Key {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::from_static(text));
        Key::of(&headers, &mut Faults::new()).unwrap()
    }

    #[test]
    fn keys_stay_apart_byte_by_byte() {
        assert_eq!(id(&key("a")), r#"["","POST /nosqldata","a"]"#);
        assert_eq!(id(&key("\"a\"")), id(&key("a")));
        let ids = ["a", "A", "\"a \"", "\"a\\\"b\"", "\"a\\\\\\\"b\""].map(|text| id(&key(text)));
        for (index, one) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(one), "{one}");
        }
        // A key of a table has 2,048 bytes at most.
        let longest: &'static str = Box::leak("\\".repeat(255).into_boxed_str());
        assert!(id(&key(longest)).len() <= 2_048);
    }

    #[test]
    fn an_answer_comes_back_as_it_was_kept() {
        let kept = || Kept {
            fingerprint: Fingerprint([7; 32]),
            answer: Answer {
                status: 201,
                headers: vec![("etag".to_owned(), "\"x\"".to_owned())],
                body: "{\"name\":\"é\\u0000\"}".to_owned(),
            },
        };
        let item = kept().to_item("k", 1_000).unwrap();
        assert_eq!(item["expiresAt"], integer(1_000 + 86_400));
        assert_eq!(Kept::try_from(item), Ok(kept()));

        let mut item = kept().to_item("k", 0).unwrap();
        item.insert("answer".to_owned(), text("{"));
        assert!(Kept::try_from(item).is_err());
    }
}
