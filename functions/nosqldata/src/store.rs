//! The catalogue's table: what is asked of `DynamoDB`, and how.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client, Error as StoreError,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_item::builders::GetItemFluentBuilder,
    types::{KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use chassis::{
    Call, Deadline, Preconditions,
    preconditions::{Tag, Tags},
    resilience::{CallError, Dependency},
    span::Span,
};
use dto::{
    Faults, Timestamp,
    product::{Product, ProductContent, ProductId, ProductPatch},
};
use tokio::time::timeout_at;

use crate::{
    Config, Error,
    client::client,
    expression::{self, Condition, Update},
    failure::{self, Failed},
    item::{self, Item, Stored, text},
    pauses::Pauses,
};

/// What the store is called in health and in the log.
const NAME: &str = "dynamodb";

/// The index that has the products by category, and by id within.
const BY_CATEGORY: &str = "by-category";

/// How long a function waits for its store before it comes up without.
const PATIENCE_AT_START: Duration = Duration::from_millis(1_500);

/// The catalogue: the products in their table, and the keys of those that were
/// to be made once.
///
/// Every call goes through one [`Dependency`], so that any can fail with
/// [`Error::Away`] and [`Error::Contended`], and with [`Error::Refused`] and
/// [`Error::Malformed`] where code or table are broken; what else can happen
/// stands at each.
///
/// An attempt whose answer is lost is made again, and that is safe: a write
/// recognises its own work by the entity tag that was made for it, once for all
/// its attempts. What is left to chance is a lost attempt that somebody else
/// deletes, or writes over by a clock that is behind, before the next attempt
/// comes: it is then done again. An `Idempotency-Key` leaves no such chance.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) keys_table: String,
    dynamodb: Dependency,
}

/// A page of products, in the order of the table or the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The products.
    pub products: Vec<Product>,
    /// The product that the next page begins after; none at the end.
    pub last: Option<ProductId>,
}

impl Catalogue {
    /// The catalogue in the tables that `config` names. Nothing goes out yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let client = client(&config);
        let (asked, table) = (client.clone(), config.table.clone());
        let dynamodb = Dependency::new(NAME, config.policy, move |deadline| {
            probe(asked.clone(), table.clone(), deadline)
        });
        Self {
            client,
            keys_table: config.keys_table,
            table: config.table,
            dynamodb,
        }
    }

    /// The same, with its connection opened. It starts even when the store is
    /// unavailable: the first call then opens the connection.
    pub async fn open(config: Config) -> Self {
        let catalogue = Self::new(config);
        let (client, table) = (catalogue.client.clone(), catalogue.table.clone());
        // The log has the reason if this fails.
        let _ = probe(client, table, Deadline::within(PATIENCE_AT_START)).await;
        catalogue
    }

    /// The store that it depends on, as it knows it.
    #[must_use]
    pub fn dynamodb(&self) -> &Dependency {
        &self.dynamodb
    }

    /// Asks the table for a product that there cannot be.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn ping(&self, call: &Call) -> Result<(), Error> {
        let question = question(&self.client, &self.table);
        self.ask(call, "GetItem", |_| question.clone().send())
            .await?;
        Ok(())
    }

    /// The product of this id, if there is one.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn get(&self, id: &ProductId, call: &Call) -> Result<Option<Stored>, Error> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("id", text(id.as_str())).consistent_read(true);
        let answer = self.ask(call, "GetItem", |_| get.clone().send()).await?;
        let item = answer.item;
        Ok(item.map(Stored::try_from).transpose()?)
    }

    /// Those of the products with these ids that there are; at most 100 ids,
    /// each once.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn batch(
        &self,
        ids: &[ProductId],
        call: &Call,
    ) -> Result<BTreeMap<ProductId, Product>, Error> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(ids.iter().map(key).collect()))
            .consistent_read(true)
            .build()
            .map_err(Error::bug)?;
        let mut wanted = HashMap::from([(self.table.clone(), wanted)]);
        let mut products = BTreeMap::new();
        let mut pauses = Pauses::until(call.deadline);
        loop {
            let get = self.client.batch_get_item();
            let get = get.set_request_items(Some(wanted));
            let answer = self
                .ask(call, "BatchGetItem", |_| get.clone().send())
                .await?;
            for item in answer.responses.into_iter().flatten().flat_map(|it| it.1) {
                let Stored { product, .. } = item.try_into()?;
                products.insert(product.id.clone(), product);
            }
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(products);
            }
            if !pauses.pause().await {
                return Err(CallError::Elapsed { name: NAME }.into());
            }
        }
    }

    /// A page of at most `limit` products, those of `category` if one is given,
    /// beginning after the product `after`. It may be shorter before the end.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn page(
        &self,
        category: Option<&str>,
        limit: u32,
        after: Option<&ProductId>,
        call: &Call,
    ) -> Result<Page, Error> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let mut start = after.map(key);
        let (items, last) = if let Some(category) = category {
            if let Some(start) = &mut start {
                start.insert("category".to_owned(), text(category));
            }
            let query = self.client.query().table_name(&self.table);
            let query = query
                .index_name(BY_CATEGORY)
                .key_condition_expression("category = :category")
                .expression_attribute_values(":category", text(category))
                .set_exclusive_start_key(start)
                .limit(limit);
            let answer = self.ask(call, "Query", |_| query.clone().send()).await?;
            (answer.items, answer.last_evaluated_key)
        } else {
            let scan = self.client.scan().table_name(&self.table);
            let scan = scan
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .limit(limit);
            let answer = self.ask(call, "Scan", |_| scan.clone().send()).await?;
            (answer.items, answer.last_evaluated_key)
        };
        let products = items.into_iter().flatten().map(|item| {
            let Stored { product, .. } = item.try_into()?;
            Ok(product)
        });
        Ok(Page {
            products: products.collect::<Result<_, Error>>()?,
            last: last.and_then(|key| ProductId::parse(key.get("id")?.as_s().ok()?)),
        })
    }

    /// Puts a new product into the table.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn create(&self, stored: &Stored, call: &Call) -> Result<(), Error> {
        let put = self.client.put_item().table_name(&self.table);
        let put = put
            .set_item(Some(stored.to_item()))
            .condition_expression("attribute_not_exists(id)");
        match self.ask(call, "PutItem", |_| put.clone().send()).await {
            Ok(_) => Ok(()),
            // Nobody else can know the id: an attempt has made it, and its
            // answer was lost.
            Err(error) if failure::refused(&error).is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the product of this id, or makes it, if `preconditions` hold.
    /// It is new if its version is 1.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] or [`Error::Unknown`].
    pub async fn put(
        &self,
        id: &ProductId,
        content: ProductContent,
        preconditions: &Preconditions,
        call: &Call,
    ) -> Result<Stored, Error> {
        let preconditions = self.condensed(id, preconditions, call).await?;
        let written = self.write(id, content, &preconditions, call).await?;
        written.ok_or(Error::PreconditionFailed)
    }

    /// Applies a merge patch to the product of this id, if `preconditions`
    /// hold. No write that comes between is lost: the patch is then applied to
    /// what that has left.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Invalid`]
    /// or [`Error::Unknown`].
    pub async fn patch(
        &self,
        id: &ProductId,
        patch: &ProductPatch,
        preconditions: &Preconditions,
        call: &Call,
    ) -> Result<Stored, Error> {
        let mut pauses = Pauses::until(call.deadline);
        loop {
            let found = self.get(id, call).await?.ok_or(Error::NotFound)?;
            if !preconditions.hold(Some(&found.etag)) {
                return Err(Error::PreconditionFailed);
            }
            let mut faults = Faults::new();
            let merged = patch.clone().apply(&found.product.into(), &mut faults);
            let Some(merged) = merged else {
                return Err(Error::Invalid(faults));
            };
            let unchanged = Preconditions {
                if_match: Some(Tags::List(vec![Tag {
                    weak: false,
                    opaque: found.etag,
                }])),
                if_none_match: None,
            };
            if let Some(stored) = self.write(id, merged, &unchanged, call).await? {
                return Ok(stored);
            }
            if !pauses.pause().await {
                return Err(Error::Contended);
            }
        }
    }

    /// Deletes the product of this id, if `preconditions` hold.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::PreconditionFailed`] or
    /// [`Error::Unknown`].
    pub async fn delete(
        &self,
        id: &ProductId,
        preconditions: &Preconditions,
        call: &Call,
    ) -> Result<(), Error> {
        let preconditions = self.condensed(id, preconditions, call).await?;
        let condition = Condition::to_delete(&preconditions);
        let now = Timestamp::now();
        let again = condition.again();
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(key(id)))
            .condition_expression(condition.expression())
            // `DynamoDB` refuses an empty map.
            .set_expression_attribute_values(
                Some(condition.values).filter(|values| !values.is_empty()),
            )
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let deleted = self.ask(call, "DeleteItem", |lost| {
            let delete = delete.clone();
            let delete = if lost {
                delete
                    .condition_expression(&again)
                    .expression_attribute_values(":updatedAt", text(now.to_string()))
            } else {
                delete
            };
            delete.send()
        });
        let Err(error) = deleted.await else {
            return Ok(());
        };
        let Some((failed, refused)) = failure::refused(&error) else {
            return Err(error.into());
        };
        match (&refused.item, failed.lost) {
            // The attempt whose answer was lost has deleted it.
            (None, true) => Ok(()),
            (None, false) => Err(Error::NotFound),
            (Some(_), false) => Err(Error::PreconditionFailed),
            (Some(_), true) => Err(Error::Unknown),
        }
    }

    /// `preconditions` as a condition can hold them: of lists that are too long,
    /// the tags that decide, by what the product is now.
    async fn condensed<'p>(
        &self,
        id: &ProductId,
        preconditions: &'p Preconditions,
        call: &Call,
    ) -> Result<Cow<'p, Preconditions>, Error> {
        if expression::fits(preconditions) {
            return Ok(Cow::Borrowed(preconditions));
        }
        let found = self.get(id, call).await?;
        let current = found.as_ref().map(|found| found.etag.as_str());
        let condensed = expression::condensed(preconditions, current);
        Ok(Cow::Owned(condensed))
    }

    /// Writes what a product is to be, or nothing where `preconditions` do not
    /// hold.
    async fn write(
        &self,
        id: &ProductId,
        content: ProductContent,
        preconditions: &Preconditions,
        call: &Call,
    ) -> Result<Option<Stored>, Error> {
        let etag = item::new_etag();
        let condition = Condition::to_write(preconditions, &etag);
        let mut update = Update::to(content, &etag, Timestamp::now());
        let (expression, again) = (condition.expression(), condition.again());
        update.values.extend(condition.values);
        let write = self.client.update_item().table_name(&self.table);
        let write = write
            .set_key(Some(key(id)))
            .update_expression(update.expression)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let written = self.ask(call, "UpdateItem", |lost| {
            let condition = if lost { &again } else { &expression };
            write.clone().condition_expression(condition).send()
        });
        let error = match written.await {
            Ok(answer) => return Ok(Some(answer.attributes.unwrap_or_default().try_into()?)),
            Err(error) => error,
        };
        let Some((failed, refused)) = failure::refused(&error) else {
            return Err(error.into());
        };
        let found = refused.item.clone().map(Stored::try_from).transpose()?;
        match found {
            // With our own tag it was done, and its answer was lost.
            Some(found) if found.etag == etag => Ok(Some(found)),
            _ if failed.lost => Err(Error::Unknown),
            _ => Ok(None),
        }
    }

    /// The one way out to the store. `operation` is what the log calls it, and
    /// `attempt` is told whether one before it may have been done although its
    /// answer was lost.
    pub(crate) async fn ask<T, E, F>(
        &self,
        call: &Call,
        operation: &'static str,
        attempt: impl Fn(bool) -> F,
    ) -> Result<T, CallError<Failed>>
    where
        E: ProvideErrorMetadata,
        F: Future<Output = Result<T, SdkError<E>>>,
        StoreError: From<SdkError<E>>,
    {
        let lost = AtomicBool::new(false);
        let asked = self.dynamodb.call(call, |_| {
            // So it stays if the attempt is given up in the middle.
            let before = lost.swap(true, Relaxed);
            let (lost, attempt) = (&lost, attempt(before));
            async move {
                let span = Span::begin(NAME, operation);
                let answer = attempt.await.map_err(|error| Failed::of(error, before));
                span.end(&answer);
                lost.store(answer.as_ref().is_err_and(|failed| failed.lost), Relaxed);
                answer
            }
        });
        asked.await
    }
}

fn key(id: &ProductId) -> Item {
    Item::from([("id".to_owned(), text(id.as_str()))])
}

/// What costs the table next to nothing to answer: a product that there cannot
/// be.
fn question(client: &Client, table: &str) -> GetItemFluentBuilder {
    let get = client.get_item().table_name(table);
    get.key("id", text("-")).projection_expression("id")
}

/// Checks the table's health. The log has the reason where it is unhealthy.
async fn probe(client: Client, table: String, deadline: Deadline) -> Result<(), Failed> {
    let span = Span::begin(NAME, "GetItem");
    let answer = timeout_at(deadline.instant(), question(&client, &table).send()).await;
    let answer = match answer {
        Ok(answer) => answer.map(drop),
        Err(elapsed) => Err(SdkError::timeout_error(elapsed)),
    };
    let answer = answer.map_err(|error| Failed::of(error, false));
    span.end(&answer);
    if let Err(error) = &answer {
        let cause = failure::causes(error);
        tracing::warn!(dependency = NAME, cause, "the store is unhealthy");
    }
    answer
}
