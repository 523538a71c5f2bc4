//! The catalogue's table: what is asked of `DynamoDB`, and how.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, SharedHttpClient, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::SdkError,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError,
    },
    types::{KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use chassis::{
    Deadline, Preconditions,
    preconditions::{Tag, Tags},
};
use dto::{
    Faults, Timestamp,
    product::{Product, ProductContent, ProductId, ProductPatch},
};
use http::{Uri, uri::Scheme};
use tokio::time::{sleep, timeout_at};

use crate::{
    Config, Error,
    expression::{Condition, Update},
    item::{self, Item, Stored, text},
};

/// The certificate authorities of AWS's endpoints.
const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon.pem");

/// The index that has the products by category, and by id within.
const BY_CATEGORY: &str = "by-category";

/// How long a function waits for its store before it comes up without.
const PATIENCE_AT_START: Duration = Duration::from_millis(1_500);

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(1);

/// How long one attempt may take. What `DynamoDB` does takes milliseconds.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How often a call is tried, and how long its first pause is at most.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The catalogue: the products in their table.
///
/// Every call has a deadline, after which it fails with [`Error::Away`]. Any
/// call can fail with [`Error::Away`] and [`Error::Busy`], and with
/// [`Error::Refused`] and [`Error::Malformed`] where code or table are broken;
/// what else can happen stands at each.
#[derive(Debug, Clone)]
pub struct Catalogue {
    client: Client,
    table: String,
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
    /// The catalogue in the table that `config` names. Nothing goes out yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_PAUSE);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .build();
        let mut builder = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(config.endpoint.as_ref()))
            .region(config.region)
            .credentials_provider(config.credentials)
            .retry_config(retries)
            .timeout_config(timeouts)
            // The time-out of the attempt covers its body.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = config.endpoint {
            builder = builder.endpoint_url(endpoint.to_string());
        }
        Self {
            client: Client::from_conf(builder.build()),
            table: config.table,
        }
    }

    /// The same, with its connection opened. Where the store is away it comes
    /// up all the same: the first call then opens it.
    pub async fn open(config: Config) -> Self {
        let catalogue = Self::new(config);
        if let Err(error) = catalogue.ping(Deadline::within(PATIENCE_AT_START)).await {
            tracing::warn!(cause = error.cause(), "starting without the store");
        }
        catalogue
    }

    /// Asks the table for a product that there cannot be.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn ping(&self, deadline: Deadline) -> Result<(), Error> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("id", text("-")).projection_expression("id");
        call(deadline, get.send()).await?;
        Ok(())
    }

    /// The product of this id, if there is one.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn get(&self, id: &ProductId, deadline: Deadline) -> Result<Option<Stored>, Error> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("id", text(id.as_str())).consistent_read(true);
        let item = call(deadline, get.send()).await?.item;
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
        deadline: Deadline,
    ) -> Result<BTreeMap<ProductId, Product>, Error> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(ids.iter().map(key).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| Error::Refused(error.into()))?;
        let mut wanted = HashMap::from([(self.table.clone(), wanted)]);
        let mut products = BTreeMap::new();
        let mut pauses = Pauses::until(deadline);
        loop {
            let get = self.client.batch_get_item();
            let get = get.set_request_items(Some(wanted));
            let answer = call(deadline, get.send()).await?;
            for item in answer.responses.into_iter().flatten().flat_map(|it| it.1) {
                let Stored { product, .. } = item.try_into()?;
                products.insert(product.id.clone(), product);
            }
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(products);
            }
            if !pauses.pause().await {
                return Err(Error::Busy("keys stay unprocessed".into()));
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
        deadline: Deadline,
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
            let answer = call(deadline, query.send()).await?;
            (answer.items, answer.last_evaluated_key)
        } else {
            let scan = self.client.scan().table_name(&self.table);
            let scan = scan
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .limit(limit);
            let answer = call(deadline, scan.send()).await?;
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

    /// Makes a product with an id of its own.
    ///
    /// # Errors
    ///
    /// As for every call.
    pub async fn create(
        &self,
        content: ProductContent,
        deadline: Deadline,
    ) -> Result<Stored, Error> {
        let stored = Stored::new(ProductId::new(), content);
        let put = self.client.put_item().table_name(&self.table);
        let put = put
            .set_item(Some(stored.to_item()))
            .condition_expression("attribute_not_exists(id)");
        match call(deadline, put.send()).await {
            Ok(_) => Ok(stored),
            Err(error) => match error.as_service_error() {
                // Nobody else can know the id: an attempt has made it, and its
                // answer was lost.
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(stored),
                _ => Err(error.into()),
            },
        }
    }

    /// Replaces the product of this id, or makes it, if `preconditions` hold.
    /// It is new if its version is 1.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`].
    pub async fn put(
        &self,
        id: &ProductId,
        content: ProductContent,
        preconditions: &Preconditions,
        deadline: Deadline,
    ) -> Result<Stored, Error> {
        let written = self.write(id, content, preconditions, deadline).await?;
        written.ok_or(Error::PreconditionFailed)
    }

    /// Applies a merge patch to the product of this id, if `preconditions`
    /// hold. No write that comes between is lost: the patch is then applied to
    /// what that has left.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Invalid`]
    /// or [`Error::Contended`].
    pub async fn patch(
        &self,
        id: &ProductId,
        patch: &ProductPatch,
        preconditions: &Preconditions,
        deadline: Deadline,
    ) -> Result<Stored, Error> {
        let mut pauses = Pauses::until(deadline);
        loop {
            let found = self.get(id, deadline).await?.ok_or(Error::NotFound)?;
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
            if let Some(stored) = self.write(id, merged, &unchanged, deadline).await? {
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
        deadline: Deadline,
    ) -> Result<(), Error> {
        let condition = Condition::to_delete(preconditions);
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(key(id)))
            .condition_expression(condition.expression())
            // `DynamoDB` refuses an empty map.
            .set_expression_attribute_values(
                Some(condition.values).filter(|values| !values.is_empty()),
            )
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call(deadline, delete.send()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(refusal)) => {
                    Err(match refusal.item {
                        Some(_) => Error::PreconditionFailed,
                        None => Error::NotFound,
                    })
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Writes what a product is to be, or nothing where `preconditions` do not
    /// hold.
    async fn write(
        &self,
        id: &ProductId,
        content: ProductContent,
        preconditions: &Preconditions,
        deadline: Deadline,
    ) -> Result<Option<Stored>, Error> {
        let etag = item::new_etag();
        let condition = Condition::to_write(preconditions, &etag);
        let mut update = Update::to(content, &etag, Timestamp::now());
        let expression = condition.expression();
        update.values.extend(condition.values);
        let write = self.client.update_item().table_name(&self.table);
        let write = write
            .set_key(Some(key(id)))
            .update_expression(update.expression)
            .condition_expression(expression)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call(deadline, write.send()).await {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default().try_into()?)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                    let found = refusal.item.clone().map(Stored::try_from).transpose()?;
                    // With our own tag it was done, and its answer was lost.
                    Ok(found.filter(|found| found.etag == etag))
                }
                _ => Err(error.into()),
            },
        }
    }
}

fn key(id: &ProductId) -> Item {
    Item::from([("id".to_owned(), text(id.as_str()))])
}

/// The one way out to the store: an answer before the deadline, or none.
async fn call<T, E>(
    deadline: Deadline,
    operation: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, SdkError<E>> {
    match timeout_at(deadline.instant(), operation).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(SdkError::timeout_error(elapsed)),
    }
}

/// The pauses between tries: random ones, so that those who met do not meet
/// again, and longer each time.
struct Pauses {
    deadline: Deadline,
    most: Duration,
}

impl Pauses {
    fn until(deadline: Deadline) -> Self {
        let most = Duration::from_millis(10);
        Self { deadline, most }
    }

    /// Waits, unless it would be past the deadline: then there is no next try.
    async fn pause(&mut self) -> bool {
        let pause = self.most.mul_f64(fastrand::f64());
        self.most = (self.most * 2).min(Duration::from_millis(400));
        let in_time = pause < self.deadline.remaining();
        if in_time {
            sleep(pause).await;
        }
        in_time
    }
}

/// A client that speaks http and https. AWS's own endpoints are known by the
/// roots compiled in: loading those of the machine costs a cold start
/// milliseconds. An https endpoint of one's own is known by the machine's.
fn http_client(endpoint: Option<&Uri>) -> SharedHttpClient {
    let trusted = match endpoint {
        Some(endpoint) if endpoint.scheme() == Some(&Scheme::HTTPS) => TrustStore::default(),
        _ => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build();
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.unwrap_or_default())
        .build_https()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::{Credentials, Region};

    use super::*;

    /// The roots are read when the first connection is made, and bad ones would
    /// be a panic.
    #[tokio::test]
    async fn the_roots_can_be_read() {
        let refused = "https://127.0.0.1:1";
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(None))
            .region(Region::new("eu-north-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(refused);
        let catalogue = Catalogue {
            client: Client::from_conf(config.build()),
            table: "products".to_owned(),
        };
        let answer = catalogue.ping(Deadline::within(CONNECT)).await;
        assert!(matches!(answer, Err(Error::Away(_))), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_end_before_the_deadline() {
        let deadline = Deadline::within(Duration::from_secs(5));
        let mut pauses = Pauses::until(deadline);
        let mut tries = 0;
        while pauses.pause().await {
            tries += 1;
        }
        assert!(deadline.remaining() > Duration::ZERO);
        assert!(tries > 10, "{tries}");
    }
}
