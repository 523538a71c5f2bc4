//! A whole service with a store in `DynamoDB`: create, read and list suppliers.

use std::process::ExitCode;

use axum::extract::State;
use chassis::{
    RequestContext,
    auth::{self, Access, Authenticator},
    http::{
        Created, Fetched, Id, Idempotent, IdempotentRequest, Outcome, Page, Paged, Preconditions,
        Problem, Replayable, Representation, Request, Resource, Router, StoredResponse, doc, get,
    },
    runtime::Environment,
};
use dynamodb::{Database, Entity, Error, KeyTable, Revision, Table};
use json::{FromJson, Schema, Text, ToJson};
use serde::Serialize;
use uuid::Uuid;

// config.rs

/// Where the suppliers are stored.
struct Config {
    dynamodb: dynamodb::Config,
    suppliers_table: String,
    keys_table: String,
}

impl Config {
    /// Reads the environment.
    fn read(environment: &mut Environment) -> Option<Self> {
        let parse = str::parse::<String>;
        let suppliers_table = environment.required("SUPPLIERS_TABLE", "a table's name", parse);
        let keys_table = environment.required("IDEMPOTENCY_TABLE", "a table's name", parse);
        let dynamodb = dynamodb::Config::read(environment);
        Some(Self {
            dynamodb: dynamodb?,
            suppliers_table: suppliers_table?,
            keys_table: keys_table?,
        })
    }
}

// supplier.rs

/// A supplier's id: a UUID.
type SupplierId = Text<36, 36>;

/// What a client sends of a supplier.
#[derive(Debug, Clone, Serialize, FromJson, ToJson, Schema)]
#[serde(rename_all = "camelCase")]
#[json(read_only("id", "version", "createdAt", "updatedAt"))]
#[schema(request = "SupplierContent")]
struct SupplierContent {
    /// The supplier's name.
    name: Text<1, 200>,
    /// Whom to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_person: Option<Text<1, 200>>,
}

/// A supplier.
#[derive(Debug, Clone, Serialize, Schema)]
struct Supplier {
    /// The supplier's id.
    id: SupplierId,
    #[serde(flatten)]
    content: SupplierContent,
    #[serde(flatten)]
    revision: Revision,
}

// store.rs

/// The suppliers in their table.
#[derive(Clone)]
struct Suppliers {
    database: Database,
    table: Table<Supplier>,
    keys: KeyTable,
}

impl Suppliers {
    /// Opens the store.
    async fn open(config: Config) -> Self {
        let database = Database::open(config.dynamodb, &config.suppliers_table).await;
        Self {
            table: Table::new(&database, config.suppliers_table),
            keys: KeyTable::new(&database, config.keys_table, "POST /suppliers"),
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
        let Some(key) = key else {
            self.table.create(ctx, supplier).await?;
            return Ok(Outcome::Executed);
        };
        let created = self.keys.create(ctx, &self.table, supplier, key, response);
        created.await
    }
}

impl Entity for Supplier {
    type Id = SupplierId;
    type Content = SupplierContent;

    fn new(id: SupplierId, content: SupplierContent, revision: Revision) -> Self {
        Self {
            id,
            content,
            revision,
        }
    }

    fn id(&self) -> &SupplierId {
        &self.id
    }

    fn content(&self) -> &SupplierContent {
        &self.content
    }

    fn revision(&self) -> &Revision {
        &self.revision
    }
}

// http.rs

impl Resource for Supplier {
    fn path(&self) -> String {
        format!("/suppliers/{}", self.id)
    }

    fn etag(&self) -> String {
        self.revision.etag.clone()
    }
}

/// `GET /suppliers`: a page of suppliers.
async fn list(
    State(store): State<Suppliers>,
    ctx: RequestContext,
    Request((request,)): Request<(Paged<(), SupplierId>,)>,
) -> Result<Representation<Page<Supplier>>, Problem> {
    let after = request.after.as_ref();
    let page = store.table.scan(&ctx, request.limit, after).await?;
    let page = request.page("Suppliers", page.items, page.last.as_ref())?;
    Ok(Representation(page))
}

/// `POST /suppliers`: creates a supplier.
async fn create(
    State(store): State<Suppliers>,
    ctx: RequestContext,
    Request((Idempotent { body, key },)): Request<(Idempotent<SupplierContent>,)>,
) -> Result<Replayable<Created<Supplier>>, Problem> {
    let id = SupplierId::parse(&Uuid::now_v7().to_string()).map_err(Problem::internal)?;
    let created = Created(Supplier::new(id, body, Revision::first()));
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
    let supplier = store.table.get(&ctx, &id).await?;
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
