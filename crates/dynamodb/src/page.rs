//! Lists of the entities of a table, page by page.

use aws_sdk_dynamodb::operation::{
    query::{Query, QueryInput},
    scan::{Scan, ScanInput},
};
use chassis::{RequestContext, http::Limit};

use crate::{
    Entity, Error, Table,
    item::{ID, Item, Reader, from_item, key, text},
    value::string,
};

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
}

fn page<T: Entity>(items: Option<Vec<Item>>, last: Option<&Item>) -> Result<Page<T, T::Id>, Error> {
    let items = items.into_iter().flatten().map(from_item);
    // A key without an id is an error: ignoring it would end the list early.
    let last = last.map(|key| Reader::new(key.clone()).take(ID, |id| text(id)?.parse().ok()));
    Ok(Page {
        items: items.collect::<Result<_, _>>()?,
        last: last.transpose()?,
    })
}
