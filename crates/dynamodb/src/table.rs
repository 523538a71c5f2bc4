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
        query::{Query, QueryInput},
        scan::{Scan, ScanInput},
    },
    types::{KeysAndAttributes, Put, builders::PutBuilder},
};
use chassis::{RequestContext, http::Limit};
use json::FromJson;

use crate::{
    Database, Entity, Error,
    error::failed_condition,
    item::{ID, Item, Reader, from_item, has_conflict, key, text, to_item},
    value::string,
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

/// A page of entities. It may be shorter than its limit before the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, I> {
    /// The entities, in the order of the table or the index.
    pub items: Vec<T>,
    /// The id after which the next page starts; `None` at the end.
    pub last: Option<I>,
}

/// An index of a table: the entities by a string attribute, and by `id` among
/// those with an equal one.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// The attribute.
    pub attribute: &'static str,
}

impl<T: Entity> Table<T> {
    /// The table called `name`.
    #[must_use]
    pub fn new(database: &Database, name: impl Into<Arc<str>>) -> Self {
        const {
            assert!(
                !has_conflict(T::Content::MEMBERS),
                "a member of the content has the name of an attribute that the service sets"
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
    /// Those of every operation, and [`Error::Unprocessed`].
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
        let mut request_items = HashMap::from([(self.name.to_string(), keys)]);
        let mut found = BTreeMap::new();
        for retry in 0.. {
            let get = BatchGetItemInput::builder().set_request_items(Some(request_items));
            let response = (self.database)
                .call::<BatchGetItem>(ctx, |_| get.clone().build())
                .await?;
            let responses = response.responses.unwrap_or_default();
            for item in responses.into_values().flatten() {
                let entity: T = from_item(item)?;
                found.insert(entity.id().clone(), entity);
            }
            request_items = response.unprocessed_keys.unwrap_or_default();
            if request_items.is_empty() {
                return Ok(found);
            }
            if !self.database.dependency.pause(ctx, retry).await {
                break;
            }
        }
        Err(Error::Unprocessed)
    }

    /// A page of all entities that starts after the id `after`.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn scan(
        &self,
        ctx: &RequestContext,
        limit: Limit,
        after: Option<&T::Id>,
    ) -> Result<Page<T, T::Id>, Error> {
        let scan = ScanInput::builder().table_name(&*self.name);
        let scan = scan
            .consistent_read(true)
            .set_exclusive_start_key(after.map(key::<T>))
            .limit(limit.get().into());
        let scanned = (self.database).call::<Scan>(ctx, |_| scan.clone().build());
        let scanned = scanned.await?;
        page(scanned.items, scanned.last_evaluated_key.as_ref())
    }

    /// A page of the entities whose attribute in `index` is `value`, which starts
    /// after the id `after`.
    ///
    /// It is eventually consistent, because a global secondary index has no consistent
    /// reads; a scan is consistent.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    pub async fn query(
        &self,
        ctx: &RequestContext,
        index: Index,
        value: &str,
        limit: Limit,
        after: Option<&T::Id>,
    ) -> Result<Page<T, T::Id>, Error> {
        let start = after.map(|id| {
            let mut start = key::<T>(id);
            start.insert(index.attribute.to_owned(), string(value));
            start
        });
        let query = QueryInput::builder().table_name(&*self.name);
        let query = query
            .index_name(index.name)
            .key_condition_expression("#attribute = :value")
            .expression_attribute_names("#attribute", index.attribute)
            .expression_attribute_values(":value", string(value))
            .set_exclusive_start_key(start)
            .limit(limit.get().into());
        let queried = (self.database).call::<Query>(ctx, |_| query.clone().build());
        let queried = queried.await?;
        page(queried.items, queried.last_evaluated_key.as_ref())
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

/// The page of a response.
fn page<T: Entity>(items: Option<Vec<Item>>, last: Option<&Item>) -> Result<Page<T, T::Id>, Error> {
    let items = items.into_iter().flatten().map(from_item);
    // A key without an id is an error: ignoring it would end the list early.
    let last = last.map(|key| Reader::new(key.clone()).take(ID, |id| text(id)?.parse().ok()));
    Ok(Page {
        items: items.collect::<Result<_, _>>()?,
        last: last.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use chassis::{Deadline, Problem};
    use serde_json::{Value, json};
    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{Config, item::tests::Thing};

    /// The responses to `BatchGetItem` that are left; the last is repeated. And the
    /// requests so far.
    type Exchange = Arc<Mutex<(VecDeque<Value>, Vec<Value>)>>;

    /// Serves one connection: other operations get an empty object.
    async fn serve(connection: TcpStream, exchange: Exchange) -> io::Result<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let (mut length, mut is_batch) = (0, false);
            loop {
                let mut line = String::new();
                if connection.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                is_batch |= line.ends_with(".batchgetitem");
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).await?;
            let body = if is_batch {
                let (responses, requests) = &mut *exchange.lock().unwrap();
                requests.push(serde_json::from_slice(&body).unwrap());
                let response = responses.pop_front().unwrap();
                if responses.is_empty() {
                    responses.push_back(response.clone());
                }
                response.to_string()
            } else {
                "{}".to_owned()
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            connection.write_all((head + &body).as_bytes()).await?;
        }
    }

    /// A table of a server that responds to `BatchGetItem` like this.
    async fn table(responses: impl IntoIterator<Item = Value>) -> (Table<Thing>, Exchange) {
        let exchange = Exchange::default();
        exchange.lock().unwrap().0.extend(responses);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let served = exchange.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, served.clone()));
            }
        });
        let database = Database::open(Config::local(&endpoint), "things").await;
        (Table::new(&database, "things"), exchange)
    }

    fn item(id: &str) -> Value {
        json!({
            "id": {"S": id}, "name": {"S": "n"}, "etag": {"S": "e"}, "version": {"N": "1"},
            "createdAt": {"S": "2026-01-01T00:00:00Z"}, "updatedAt": {"S": "2026-01-01T00:00:00Z"},
        })
    }

    fn unprocessed(id: &str) -> Value {
        json!({"things": {"Keys": [{"id": {"S": id}}], "ConsistentRead": true}})
    }

    fn ctx(limit: Duration) -> RequestContext {
        RequestContext::at_start(Deadline::within(limit))
    }

    #[tokio::test]
    async fn unprocessed_keys_are_requested_again() {
        let (table, exchange) = table([
            json!({"Responses": {"things": [item("a")]}, "UnprocessedKeys": unprocessed("b")}),
            json!({"Responses": {"things": [item("b")]}, "UnprocessedKeys": {}}),
        ])
        .await;
        let ids = ["a", "b", "c"].map(str::to_owned);
        let found = table.get_batch(&ctx(Duration::from_secs(10)), &ids).await;
        assert_eq!(found.unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
        let requests = &exchange.lock().unwrap().1;
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1]["RequestItems"], unprocessed("b"));
    }

    #[tokio::test]
    async fn keys_that_stay_unprocessed_are_requested_until_the_deadline() {
        let nothing = json!({"Responses": {}, "UnprocessedKeys": unprocessed("a")});
        let (table, exchange) = table([nothing]).await;
        let limit = Duration::from_millis(500);
        let found = table.get_batch(&ctx(limit), &["a".to_owned()]).await;
        let error = found.unwrap_err();
        assert_eq!(error.to_string(), "keys remained unprocessed");
        let problem = Problem::from(error);
        assert_eq!(problem.status(), 503);
        assert_eq!(problem.detail(), "The store did not respond in time.");
        assert!(exchange.lock().unwrap().1.len() > 1);
    }
}
