//! Migrates the database: the schema, and the users as which the functions sign
//! in.
//!
//! A deployment runs it as a custom resource of `CloudFormation`, before these
//! functions get traffic. It may run twice, concurrently, or after a run
//! that was interrupted: what is done already is skipped. A rollback has nothing to
//! migrate, because the schema of a later deployment suits the code of an earlier
//! one. Invoked with any other event, it migrates and returns a report.

// region: mysqldata
mod backfill;
// endregion
mod config;
mod custom_resource;
mod error;
mod schema;
mod secret;
mod user;

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chassis::Environment;
use lambda_runtime::{Context, LambdaEvent};
use mysql_async::Conn;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;

pub use config::Config;
pub use error::Error;
pub use secret::Secret;

use custom_resource::CustomResource;

/// The part of the function's time that is reserved for reporting a timeout.
const RESERVE: Duration = Duration::from_secs(10);

/// The limit of retries while the database cannot be reached: a new one, or one in a
/// failover, may take as long to start.
const CONNECT_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// The function.
#[derive(Clone)]
pub struct Migrate {
    /// The configuration, or its errors: they are reported too, because
    /// `CloudFormation` waits for a response.
    config: Result<Config, String>,
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The migrations that were applied, such as `V1__orders`.
    pub applied: Vec<String>,
    // region: mysqldata
    /// The number of orders that were added to the sums.
    pub summed: usize,
    // endregion
}

impl Migrate {
    /// The function with this configuration. It makes no call yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config: Ok(config) }
    }

    /// The function with the configuration of `environment`. If that is invalid, every
    /// invocation fails with its errors.
    #[must_use]
    pub fn configure(environment: &mut Environment) -> Self {
        let config = Config::read(environment);
        let errors = environment.take_errors();
        let config = config.filter(|_| errors.is_empty());
        let config = config.ok_or_else(|| errors.join("; "));
        Self { config }
    }

    /// Handles an event: reports the result to `CloudFormation` if it is a custom
    /// resource's, and returns the report if it is another. Leaves one completion line.
    ///
    /// # Errors
    ///
    /// [`Error`] if the result was not reported; Lambda then retries.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let LambdaEvent { payload, context } = event;
        let request_id = context.request_id.as_str();
        let span = tracing::error_span!("invocation", function = "migrate", request_id);
        let invocation = async {
            let started = Instant::now();
            let resource =
                CustomResource::read(payload).inspect_err(|error| complete(started, Err(error)))?;
            // The schema stays when the stack is deleted, because the data may stay.
            let is_skipped = |it: &CustomResource| it.is_deleted() || it.is_rolled_back();
            let result = if resource.as_ref().is_some_and(is_skipped) {
                Ok(Report::default())
            } else {
                self.run(deadline(&context)).await
            };
            let Some(resource) = resource else {
                complete(started, result.as_ref());
                return Ok(serde_json::to_value(result?)?);
            };
            let report = result.as_ref();
            let responded = resource.respond(report.map(|_| ()), &context).await;
            let responded = responded.map_err(Error::from);
            let completed = report.and_then(|report| responded.as_ref().map(|()| report));
            complete(started, completed);
            responded.map(|()| Value::Null)
        };
        invocation.instrument(span).await
    }

    /// Migrates the database before `deadline`.
    ///
    /// # Errors
    ///
    /// [`Error`] if it did not finish; it may be run again.
    pub async fn run(&self, deadline: Instant) -> Result<Report, Error> {
        let config = self.config.as_ref();
        let config = config.map_err(|errors| Error::Configuration(errors.clone()))?;
        let migration = async {
            let database = Self::database(config).await?;
            wait_for(&database).await?;
            let applied = schema::migrate(&database).await?;
            if config.creates_users {
                user::create_all(&database).await?;
            }
            Ok::<_, Error>((database, applied))
        };
        let migrated = timeout_at(deadline, migration).await;
        let migrated = migrated.map_err(|_elapsed| Error::Timeout)??;
        Ok(Report {
            applied: migrated.1,
            // region: mysqldata
            summed: backfill::add_all(migrated.0, deadline).await,
            // endregion
        })
    }

    /// The database, with the user and the password of the secret if there is one.
    async fn database(config: &Config) -> Result<mysql::Config, Error> {
        let database = config.mysql.clone();
        let Some(secret) = &config.secret else {
            return Ok(database);
        };
        let login = secret.read().await?;
        Ok(database.with(|opts| opts.user(Some(login.username)).pass(Some(login.password))))
    }
}

/// Waits until the database can be reached. An error that it reports is returned
/// at once.
async fn wait_for(database: &mysql::Config) -> Result<(), Error> {
    let last = Instant::now() + CONNECT_TIMEOUT;
    loop {
        let connected = timeout_at(last, Conn::new(database.opts())).await;
        match connected.unwrap_or_else(|elapsed| Err(io::Error::from(elapsed).into())) {
            Ok(connection) => return Ok(connection.disconnect().await?),
            Err(mysql_async::Error::Io(error)) if Instant::now() < last => {
                tracing::warn!(%error, "the database cannot be reached yet");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes the completion line of an invocation.
fn complete(started: Instant, result: Result<&Report, &Error>) {
    let duration_ms = started.elapsed().as_secs_f64() * 1e3;
    match result {
        Ok(report) => {
            let applied = report.applied.join(" ");
            tracing::info!(
                applied,
                // region: mysqldata
                summed = report.summed,
                // endregion
                duration_ms,
                "migrated"
            );
        }
        Err(error) => {
            tracing::error!(
                error = chassis::error_chain(error),
                duration_ms,
                "the migration failed"
            );
        }
    }
}

/// The deadline of a run, which leaves time to report a timeout. An invocation
/// without a deadline, as in a test, has the longest timeout of Lambda.
fn deadline(context: &Context) -> Instant {
    let deadline = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let left = deadline.duration_since(SystemTime::now()).ok();
    let left = left.unwrap_or(Duration::from_mins(15));
    Instant::now() + left.saturating_sub(RESERVE)
}
