//! The database: every call to it goes through one dependency.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    Error as StoreError,
    error::{BuildError, SdkError},
    operation::get_item::{GetItem, GetItemInput, builders::GetItemInputBuilder},
};
use chassis::{
    RequestContext, error_chain,
    http::health::Check,
    outbound::{CallError, CallLog, Dependency},
};
use dto::health::HealthStatus;

use crate::{
    Config, Error,
    client::{Client, Operation},
    error::AttemptError,
    item::ID,
    value::string,
};

/// The database's name in health and in the log.
const NAME: &str = "dynamodb";

/// The timeout of a health check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// `DynamoDB`, as one service uses it. Clones share the connections, the circuit
/// breaker and the retry budget.
#[derive(Debug, Clone)]
pub struct Database {
    client: Client,
    pub(crate) dependency: Dependency,
    table: Arc<str>,
}

impl Database {
    /// Opens a connection while the service starts. Health is that of `table`,
    /// whose items have an `id`.
    ///
    /// A service starts even if the database is unavailable: the first call then
    /// opens the connection.
    pub async fn open(config: Config, table: &str) -> Self {
        let client = Client::new(&config);
        let dependency = Dependency::new(NAME, config.policy, {
            let (client, probed) = (client.clone(), health_request(table));
            move |ctx| {
                let (client, input) = (client.clone(), probed.clone().build());
                async move {
                    attempt::<GetItem>(&client, &ctx, input, false)
                        .await
                        .map(drop)
                }
            }
        });
        if let Err(error) = client.connect().await {
            let cause = error_chain(&*error);
            tracing::warn!(cause, "started without a connection to the database");
        }
        Self {
            client,
            dependency,
            table: table.into(),
        }
    }

    /// Its health check. Without its store a service cannot work.
    #[must_use]
    pub fn check(&self) -> Check {
        Check::of(self.dependency.clone(), HealthStatus::Fail, CHECK_TIMEOUT)
    }

    /// Requests an item that cannot exist: the cheapest proof that the table
    /// responds.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it does not.
    pub async fn ping(&self, ctx: &RequestContext) -> Result<(), Error> {
        let get = health_request(&self.table);
        self.call::<GetItem>(ctx, |_| get.clone().build()).await?;
        Ok(())
    }

    /// Calls the database with an operation that is safe to repeat. `input` receives
    /// `true` if an earlier attempt may have been executed: its response was lost.
    ///
    /// # Errors
    ///
    /// [`CallError`] if no attempt succeeded.
    pub(crate) async fn call<O: Operation>(
        &self,
        ctx: &RequestContext,
        input: impl Fn(bool) -> Result<O::Input, BuildError>,
    ) -> Result<O::Output, CallError<AttemptError>>
    where
        StoreError: From<SdkError<O::Error>>,
    {
        let lost = AtomicBool::new(false);
        let called = self.dependency.call(ctx, |ctx| {
            // Set while an attempt runs, so that one that is dropped counts as lost.
            let earlier = lost.swap(true, Relaxed);
            let (lost, input) = (&lost, input(earlier));
            async move {
                let response = attempt::<O>(&self.client, &ctx, input, earlier).await;
                lost.store(response.as_ref().is_err_and(|error| error.lost), Relaxed);
                response
            }
        });
        called.await
    }
}

fn health_request(table: &str) -> GetItemInputBuilder {
    let get = GetItemInput::builder().table_name(table);
    get.key(ID, string("-")).projection_expression(ID)
}

/// Makes one attempt at a call. `earlier` is whether an earlier one may have been
/// executed.
async fn attempt<O: Operation>(
    client: &Client,
    ctx: &RequestContext,
    input: Result<O::Input, BuildError>,
    earlier: bool,
) -> Result<O::Output, AttemptError>
where
    StoreError: From<SdkError<O::Error>>,
{
    let log = CallLog::start(ctx, NAME, O::NAME);
    let response = match input {
        Ok(input) => client.send::<O>(input).await,
        Err(error) => Err(SdkError::construction_failure(error)),
    };
    let response = response.map_err(|error| AttemptError::of(error, earlier));
    log.end(&response);
    response
}
