//! The `DynamoDB` side: a server in this process, a client to any, and tables.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region, timeout::TimeoutConfig},
    operation::create_table::CreateTableError,
    types::{AttributeValue, PutRequest, TableStatus, WriteRequest},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde_json::{Value, json};
use template::Template;
use tokio::{net::TcpListener, sync::oneshot};

/// The region of local stores.
pub const REGION: &str = "eu-north-1";

/// The timeout of the creation of a table, which takes seconds in the cloud.
const TABLE_TIMEOUT: Duration = Duration::from_mins(5);

/// The most items of one `BatchWriteItem`.
const BATCH: usize = 25;

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// A DynamoDB-compatible server in this process. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    url: String,
    _shutdown: oneshot::Sender<()>,
}

impl Server {
    /// Serves on `address` of this machine (port 0: a free one) from the database
    /// `file`, or from memory.
    ///
    /// # Errors
    /// The port is in use, the address is not one of this machine, or the file is not a
    /// database of this kind.
    pub async fn start(address: impl Into<SocketAddr>, file: Option<&Path>) -> Result<Self> {
        let address = address.into();
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("DynamoDB cannot listen on {address}: choose another port with --dynamodb-port")
        })?;
        let url = format!("http://{}", listener.local_addr()?);
        let database = match file {
            None => dynoxide::Database::memory(),
            Some(file) => {
                let name = file
                    .to_str()
                    .with_context(|| format!("{} is not UTF-8", file.display()))?;
                dynoxide::Database::new(name)
            }
        }
        .map_err(|error| anyhow!("the DynamoDB database cannot be opened: {error}"))?;
        let (shutdown, stopped) = oneshot::channel();
        tokio::spawn(dynoxide::server::serve_with_shutdown(
            listener,
            database,
            async {
                let _ = stopped.await;
            },
        ));
        Ok(Self {
            url,
            _shutdown: shutdown,
        })
    }

    /// Its URL, such as `http://127.0.0.1:8000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A client of the `DynamoDB` at `url`, with the credentials and the region of the
/// environment or else ones that every local server accepts.
#[must_use]
pub fn client(url: &str) -> Client {
    let from_environment = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let credentials = Credentials::new(
        from_environment("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "local".to_owned()),
        from_environment("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| "local".to_owned()),
        from_environment("AWS_SESSION_TOKEN"),
        None,
        "stores",
    );
    let region = from_environment("AWS_REGION").unwrap_or_else(|| REGION.to_owned());
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(http)
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_timeout(Duration::from_secs(10))
                .build(),
        )
        .build();
    Client::from_conf(config)
}

/// Puts items into a table.
///
/// # Errors
/// The store is unavailable, rejects an item or throttles them.
pub async fn put_all(
    client: &Client,
    table: &str,
    items: impl IntoIterator<Item = Item>,
) -> Result<()> {
    let mut requests = Vec::new();
    for item in items {
        let put = PutRequest::builder().set_item(Some(item)).build()?;
        requests.push(WriteRequest::builder().put_request(put).build());
    }
    for batch in requests.chunks(BATCH) {
        let write = client.batch_write_item();
        let write = write.request_items(table, batch.to_vec()).send().await?;
        ensure!(
            write.unprocessed_items.is_none_or(|items| items.is_empty()),
            "DynamoDB throttles the writes: try again later"
        );
    }
    Ok(())
}

/// Creates the missing tables of the template at `template`, with `prefix` before
/// each name, and returns all names once the tables are active.
///
/// # Errors
/// The template cannot be read, or the server is unavailable or rejects a table.
pub async fn create_tables(client: &Client, template: &Path, prefix: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (id, resource) in Template::read(template)?.of_type("AWS::DynamoDB::Table") {
        let name = format!("{prefix}{}", template::table_name(id));
        create_table(client, &resource.properties, &name)
            .await
            .with_context(|| format!("the DynamoDB table {name}"))?;
        names.push(name);
    }
    Ok(names)
}

/// The properties of a table that a template and `CreateTable` write alike.
const SCHEMA: [&str; 4] = [
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
];

async fn create_table(client: &Client, properties: &Value, name: &str) -> Result<()> {
    let schema = SCHEMA.into_iter();
    let schema = schema.filter_map(|it| Some((it, properties.get(it)?.clone())));
    let mut body: BTreeMap<_, _> = schema.collect();
    body.insert("TableName", name.into());
    body.insert("BillingMode", "PAY_PER_REQUEST".into());
    let body = json!(body).to_string();
    // The SDK's types of a schema cannot be read from JSON.
    let created = client
        .create_table()
        .table_name(name)
        .customize()
        .mutate_request(move |request| {
            let length = body.len().to_string();
            request.headers_mut().insert("content-length", length);
            *request.body_mut() = body.as_str().into();
        })
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(error)
            if error
                .as_service_error()
                .is_some_and(CreateTableError::is_resource_in_use_exception) => {}
        Err(error) => return Err(error.into()),
    }
    tokio::time::timeout(TABLE_TIMEOUT, wait_until_active(client, name))
        .await
        .context("is not active after five minutes")?
}

/// Waits until the table is active.
async fn wait_until_active(client: &Client, name: &str) -> Result<()> {
    loop {
        let description = client.describe_table().table_name(name).send().await?;
        let status = description.table.and_then(|table| table.table_status);
        if status == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
