//! A whole service with a store in `MySQL`: create, read and list suppliers.

use std::process::ExitCode;

use axum::extract::State;
use chassis::{
    RequestContext,
    auth::{self, Access, Authenticator},
    http::{
        Created, Fetched, Id, Idempotent, IdempotentRequest, Limit, Outcome, Page, Paged,
        Preconditions, Problem, Replayable, Representation, Request, Resource, Router,
        StoredResponse, doc, get,
    },
    runtime::Environment,
};
use dto::Timestamp;
use json::{FromJson, Schema, Text};
use mysql::{
    AttemptError, Conditions, Config, Database, Error, KeyTable, Session, from_datetime, insert,
    to_datetime,
};
use serde::Serialize;
use time::PrimitiveDateTime;
use uuid::Uuid;

// supplier.rs

/// A supplier's id: a UUID.
type SupplierId = Text<36, 36>;

/// What a client sends of a supplier.
#[derive(Debug, Clone, FromJson, Schema)]
#[json(read_only("id", "createdAt"))]
struct NewSupplier {
    /// The supplier's name.
    name: Text<1, 200>,
    /// Whom to call.
    contact_person: Option<Text<1, 200>>,
}

/// A supplier.
#[derive(Debug, Clone, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
struct Supplier {
    /// The supplier's id.
    id: SupplierId,
    /// The supplier's name.
    name: Text<1, 200>,
    /// Whom to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_person: Option<Text<1, 200>>,
    /// When the supplier was created.
    created_at: Timestamp,
}

// store.rs

/// The suppliers in their table.
#[derive(Clone)]
struct Suppliers {
    database: Database,
    keys: KeyTable,
}

/// The columns of a supplier.
const COLUMNS: [&str; 4] = ["id", "name", "contact_person", "created_at"];

/// A row of [`COLUMNS`].
type Row = (String, String, Option<String>, PrimitiveDateTime);

impl Suppliers {
    /// Opens the store.
    async fn open(config: Config) -> Self {
        let database = Database::open(config).await;
        Self {
            keys: KeyTable::new(&database, "POST /suppliers"),
            database,
        }
    }

    /// Creates a supplier; once, for a request with an idempotency key.
    async fn create(
        &self,
        ctx: &RequestContext,
        supplier: &Supplier,
        key: Option<&IdempotentRequest>,
        response: &StoredResponse,
    ) -> Result<Outcome, Error> {
        let write = async |session: Session| {
            let Supplier {
                id,
                name,
                contact_person,
                created_at,
            } = supplier;
            let row = [
                id.as_str().into(),
                name.as_str().into(),
                contact_person.as_ref().map(Text::as_str).into(),
                to_datetime(*created_at).into(),
            ];
            let (sql, values) = insert("suppliers", COLUMNS, [row]);
            match session.execute(&sql, values).await {
                // An id is generated once: an earlier attempt was committed.
                Err(error) if !error.is_duplicate() => Err(error.into()),
                _ => Ok(()),
            }
        };
        self.keys.execute(ctx, key, response, write).await
    }

    /// The supplier with this id.
    async fn get(&self, ctx: &RequestContext, id: &SupplierId) -> Result<Option<Supplier>, Error> {
        let mut conditions = Conditions::new();
        conditions.add("id = ?", [id.as_str().into()]);
        Ok(self.select(ctx, conditions, 1).await?.pop())
    }

    /// The suppliers after an id: at most `limit`, and one more if there are more.
    async fn list(
        &self,
        ctx: &RequestContext,
        after: Option<&SupplierId>,
        limit: Limit,
    ) -> Result<Vec<Supplier>, Error> {
        let mut conditions = Conditions::new();
        if let Some(after) = after {
            conditions.add("id > ?", [after.as_str().into()]);
        }
        self.select(ctx, conditions, limit.get() + 1).await
    }

    async fn select(
        &self,
        ctx: &RequestContext,
        conditions: Conditions,
        count: u32,
    ) -> Result<Vec<Supplier>, Error> {
        let (conditions, mut values) = conditions.into_parts();
        let columns = COLUMNS.join(", ");
        let sql = format!("SELECT {columns} FROM suppliers WHERE {conditions} ORDER BY id LIMIT ?");
        values.push(count.into());
        let read = async |session: Session| {
            let rows = session.rows(&sql, values.clone()).await?;
            rows.into_iter().map(to_supplier).collect()
        };
        self.database.run(ctx, read).await
    }
}

fn to_supplier((id, name, contact_person, created_at): Row) -> Result<Supplier, AttemptError> {
    Ok(Supplier {
        id: id.parse()?,
        name: name.parse()?,
        contact_person: contact_person.map(|name| name.parse()).transpose()?,
        created_at: from_datetime(created_at),
    })
}

// http.rs

impl Resource for Supplier {
    fn path(&self) -> String {
        format!("/suppliers/{}", self.id)
    }

    /// A supplier never changes.
    fn etag(&self) -> String {
        "1".to_owned()
    }
}

/// `GET /suppliers`: a page of suppliers.
async fn list(
    State(store): State<Suppliers>,
    ctx: RequestContext,
    Request((request,)): Request<(Paged<(), SupplierId>,)>,
) -> Result<Representation<Page<Supplier>>, Problem> {
    let after = request.after.as_ref();
    let found = store.list(&ctx, after, request.limit).await?;
    let page = request.page_of("Suppliers", found, |supplier| supplier.id.clone())?;
    Ok(Representation(page))
}

/// `POST /suppliers`: creates a supplier.
async fn create(
    State(store): State<Suppliers>,
    ctx: RequestContext,
    Request((Idempotent { body, key },)): Request<(Idempotent<NewSupplier>,)>,
) -> Result<Replayable<Created<Supplier>>, Problem> {
    let created = Created(Supplier {
        id: SupplierId::parse(&Uuid::now_v7().to_string()).map_err(Problem::internal)?,
        name: body.name,
        contact_person: body.contact_person,
        created_at: Timestamp::now(),
    });
    let response = created.store().map_err(Problem::internal)?;
    let outcome = store
        .create(&ctx, &created.0, key.as_ref(), &response)
        .await?;
    Ok(Replayable::new(response, outcome))
}

/// `GET /suppliers/{id}`: one supplier.
async fn fetch(
    State(store): State<Suppliers>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<SupplierId>, Preconditions)>,
) -> Result<Fetched<Supplier>, Problem> {
    let supplier = store.get(&ctx, &id).await?;
    preconditions.fetch(supplier.ok_or_else(Problem::not_found)?)
}

// lib.rs

/// The routes.
fn router(store: Suppliers, authenticator: Authenticator) -> Router<Suppliers> {
    let check = store.database.check();
    Router::new("suppliers", store)
        .authenticate(authenticator)
        .route(
            "/suppliers",
            get(doc("listSuppliers", "List suppliers", Access::Public), list).post(
                doc(
                    "createSupplier",
                    "Create a supplier",
                    Access::Scope(&["suppliers:write"]),
                ),
                create,
            ),
        )
        .route(
            "/suppliers/{id}",
            get(doc("getSupplier", "Get a supplier", Access::Public), fetch),
        )
        .check(check)
}

// main.rs

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let read = |environment: &mut Environment| {
        let (config, auth) = (Config::read(environment), auth::Config::read(environment));
        Some((config?, auth?))
    };
    chassis::runtime::start(read, async |(config, auth)| {
        let authenticator = Authenticator::open(auth).await;
        router(Suppliers::open(config).await, authenticator)
    })
    .await
}
