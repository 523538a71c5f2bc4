//! The @name@ in their table.

use chassis::{
    RequestContext,
    http::{IdempotentRequest, Limit, Outcome, StoredResponse, health::Check},
};
use json::Text;
use mysql::{
    AttemptError, Conditions, Database, KeyTable, Session, from_datetime, insert, to_datetime,
};
use time::PrimitiveDateTime;

use crate::{
    Config,
    error::Error,
    @type@::{@Type@, @Type@Id},
};

/// The columns of @a@ @type@.
const COLUMNS: [&str; 4] = ["id", "name", "note", "created_at"];

/// A row of [`COLUMNS`].
type Row = (String, String, Option<String>, PrimitiveDateTime);

/// The store of the @name@. Clones share its connections.
#[derive(Clone)]
pub struct @Type@Store {
    database: Database,
    keys: KeyTable,
}

impl @Type@Store {
    /// Opens the store. A service starts even if its database is unavailable.
    pub async fn open(config: Config) -> Self {
        let database = Database::open(config.mysql).await;
        Self {
            keys: KeyTable::in_table(&database, "@name@_keys", "POST /@name@"),
            database,
        }
    }

    /// The health check of its database.
    pub(crate) fn check(&self) -> Check {
        self.database.check()
    }

    /// The @name@ after an id or from the start: at most `limit`, and one more if
    /// there are more.
    pub(crate) async fn page(
        &self,
        ctx: &RequestContext,
        limit: Limit,
        after: Option<&@Type@Id>,
    ) -> Result<Vec<@Type@>, Error> {
        let mut conditions = Conditions::new();
        if let Some(after) = after {
            conditions.add("id > ?", [after.as_str().into()]);
        }
        self.select(ctx, conditions, limit.get() + 1).await
    }

    /// The @type@ with this id.
    pub(crate) async fn get(&self, ctx: &RequestContext, id: &@Type@Id) -> Result<@Type@, Error> {
        let mut conditions = Conditions::new();
        conditions.add("id = ?", [id.as_str().into()]);
        let mut found = self.select(ctx, conditions, 1).await?;
        found.pop().ok_or(Error::NotFound)
    }

    /// Creates @a@ @type@. If the request has an idempotency key, this is done once, and
    /// `response` is stored under the key.
    pub(crate) async fn create(
        &self,
        ctx: &RequestContext,
        @type@: &@Type@,
        key: Option<&IdempotentRequest>,
        response: &StoredResponse,
    ) -> Result<Outcome, Error> {
        let write = async |session: Session| {
            let row = [
                @type@.id.as_str().into(),
                @type@.name.as_str().into(),
                @type@.note.as_ref().map(Text::as_str).into(),
                to_datetime(@type@.created_at).into(),
            ];
            let (sql, values) = insert("@name@", COLUMNS, [row]);
            match session.execute(&sql, values).await {
                // An id is generated once: an earlier attempt was committed.
                Err(error) if !error.is_duplicate() => Err(error.into()),
                _ => Ok(()),
            }
        };
        self.keys.execute(ctx, key, response, write).await
    }

    async fn select(
        &self,
        ctx: &RequestContext,
        conditions: Conditions,
        count: u8,
    ) -> Result<Vec<@Type@>, Error> {
        let (conditions, mut values) = conditions.into_parts();
        let columns = COLUMNS.join(", ");
        let sql = format!("SELECT {columns} FROM @name@ WHERE {conditions} ORDER BY id LIMIT ?");
        values.push(count.into());
        let read = async |session: Session| {
            let rows = session.rows(&sql, values.clone()).await?;
            rows.into_iter().map(to_@type@).collect()
        };
        Ok(self.database.run(ctx, read).await?)
    }
}

/// A row that breaks the rules of its type is an error of the store: 500.
fn to_@type@((id, name, note, created_at): Row) -> Result<@Type@, AttemptError> {
    Ok(@Type@ {
        id: id.parse()?,
        name: name.parse()?,
        note: note.map(|note| note.parse()).transpose()?,
        created_at: from_datetime(created_at),
    })
}
