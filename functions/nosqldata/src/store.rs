//! The catalogue's table: what is asked of `DynamoDB`, and how.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client, Error as StoreError,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_item::builders::GetItemFluentBuilder,
    types::{
        Delete, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
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
use uuid::Uuid;

use crate::{
    Config, Error,
    client::client,
    expression::{Condition, Update},
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
/// An attempt whose response is lost is repeated, and no write is done twice: it
/// recognises its own work by the entity tag that was made for it, once for all
/// its attempts, and is not done again where others may have overwritten or
/// deleted its work ([`Error::Unknown`]). A deletion leaves no tag: it is a
/// transaction, which has a token.
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
            is_there(asked.clone(), table.clone(), deadline)
        });
        Self {
            client,
            keys_table: config.keys_table,
            table: config.table,
            dynamodb,
        }
    }

    /// The same, with its connection opened. Where the store is away it comes
    /// up all the same: the first call then opens it.
    pub async fn open(config: Config) -> Self {
        let catalogue = Self::new(config);
        let (client, table) = (catalogue.client.clone(), catalogue.table.clone());
        is_there(client, table, Deadline::within(PATIENCE_AT_START)).await;
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
        let written = self.write(id, content, preconditions, call).await?;
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
    /// [`Error::NotFound`] or [`Error::PreconditionFailed`].
    pub async fn delete(
        &self,
        id: &ProductId,
        preconditions: &Preconditions,
        call: &Call,
    ) -> Result<(), Error> {
        let condition = Condition::to_delete(preconditions);
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key(id)))
            .condition_expression(condition.expression())
            // `DynamoDB` refuses an empty map.
            .set_expression_attribute_values(
                Some(condition.values).filter(|values| !values.is_empty()),
            )
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(Error::bug)?;
        let delete = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().delete(delete).build())
            .client_request_token(Uuid::now_v7());
        let deleted = self.ask(call, "TransactWriteItems", |_| delete.clone().send());
        let Err(error) = deleted.await else {
            return Ok(());
        };
        let reasons = failure::last(&error).and_then(Failed::cancelled);
        match reasons.and_then(<[_]>::first) {
            Some(reason) if reason.item.is_some() => Err(Error::PreconditionFailed),
            Some(_) => Err(Error::NotFound),
            None => Err(error.into()),
        }
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
        let now = Timestamp::now();
        let first = Condition::to_write(preconditions, &etag);
        let again = first.again(now);
        let update = Update::to(content, &etag, now);
        let write = self.client.update_item().table_name(&self.table);
        let write = write
            .set_key(Some(key(id)))
            .update_expression(update.expression)
            .set_expression_attribute_names(Some(update.names))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let written = self.ask(call, "UpdateItem", |lost| {
            let condition = if lost { &again } else { &first };
            let mut values = update.values.clone();
            values.extend(condition.values.clone());
            write
                .clone()
                .condition_expression(condition.expression())
                .set_expression_attribute_values(Some(values))
                .send()
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

/// The probe: whether the table answers. The log has why it does not.
async fn is_there(client: Client, table: String, deadline: Deadline) -> bool {
    let span = Span::begin(NAME, "GetItem");
    let answer = timeout_at(deadline.instant(), question(&client, &table).send()).await;
    let answer = match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failure::causes(&Failed::of(error, false))),
        Err(elapsed) => Err(elapsed.to_string()),
    };
    span.end(&answer);
    let Err(cause) = answer else { return true };
    tracing::warn!(dependency = NAME, cause, "the store does not answer");
    false
}
