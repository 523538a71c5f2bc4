//! Brings the orders' database up to date: the schema, and the user that the
//! orders function signs in as.
//!
//! A deployment runs it as a custom resource of `CloudFormation`, before the
//! orders function takes traffic. It may run twice, by two deployments at once,
//! or after one that broke off: what was done is not done again. Invoked by
//! hand, with any other event, it does the same and says what it did.

mod config;
mod custom_resource;
mod error;
mod schema;
mod secret;
mod user;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, LambdaEvent};
use mysql_async::Conn;
use rds::Database;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

pub use config::{Config, VARIABLES};
pub use error::Error;
pub use secret::Secret;
pub use user::{GRANTS, User};

use custom_resource::CustomResource;

/// What is left of the function's time when it gives up, to say so.
const TO_ANSWER: Duration = Duration::from_secs(10);

/// How long a database that cannot be reached is tried again: one that is new,
/// or that is being moved, may take so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(500);

/// The function.
#[derive(Clone)]
pub struct Migrate {
    config: Config,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The migrations that ran now, such as `V1__orders`; none where all had.
    pub applied: Vec<String>,
}

impl Migrate {
    /// The function of this configuration. Nothing goes out yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Responds to an event, and logs one line for it: to a custom resource's by
    /// reporting to `CloudFormation` whether it was done, to any other by its
    /// report.
    ///
    /// # Errors
    ///
    /// [`Error`] where it was not done and nobody was told; Lambda tries it
    /// again then.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let LambdaEvent { payload, context } = event;
        let resource = match CustomResource::read(payload) {
            Ok(resource) => resource,
            Err(error) => {
                log(Err(&error), &context);
                return Err(error);
            }
        };
        // What was migrated stays when the stack goes, as the data may.
        let done = if resource.as_ref().is_some_and(CustomResource::goes) {
            Ok(Report {
                applied: Vec::new(),
            })
        } else {
            self.run(give_up(&context)).await
        };
        let reported = match &resource {
            Some(resource) => resource.answer(&done, &context).await,
            None => Ok(()),
        };
        let reported = reported.map_err(Error::from);
        let outcome = match (&done, &reported) {
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(report), Ok(())) => Ok(report),
        };
        log(outcome, &context);
        reported?;
        match resource {
            Some(_) => Ok(Value::Null),
            None => Ok(serde_json::to_value(done?)?),
        }
    }

    /// Brings the database up to date before `give_up`.
    ///
    /// # Errors
    ///
    /// [`Error`] where it was not done, or not to the end; it may be run again.
    pub async fn run(&self, give_up: Instant) -> Result<Report, Error> {
        let work = async {
            let database = self.database().await?;
            reach(&database).await?;
            let applied = schema::migrate(&database).await?;
            if let Some(user) = &self.config.orders_user {
                user::create(&database, user).await?;
            }
            Ok(Report { applied })
        };
        timeout_at(give_up, work).await.map_err(|_| Error::Time)?
    }

    /// The database, with the password of the secret where there is one.
    async fn database(&self) -> Result<Database, Error> {
        let database = self.config.mysql.clone();
        let Some(secret) = &self.config.secret else {
            return Ok(database);
        };
        let login = secret.read().await?;
        Ok(database.with(|opts| opts.user(Some(login.username)).pass(Some(login.password))))
    }
}

/// Logs the line of an invocation.
fn log(done: Result<&Report, &Error>, context: &Context) {
    let request_id = &context.request_id;
    match done {
        Ok(report) => tracing::info!(request_id, applied = report.applied.join(" "), "migrated"),
        Err(error) => tracing::error!(request_id, error = error.chain(), "not migrated"),
    }
}

/// Waits until the database can be reached. One that answers, whatever it says,
/// is not asked twice.
async fn reach(database: &Database) -> Result<(), Error> {
    let last = Instant::now() + PATIENCE;
    loop {
        match Conn::new(database.opts()?).await {
            Ok(connection) => return Ok(connection.disconnect().await?),
            Err(mysql_async::Error::Io(error)) if Instant::now() < last => {
                tracing::warn!(%error, "the database cannot be reached yet");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// When to give up, so that there is time left to say so. An invocation without
/// a deadline, as a test's, has as long as Lambda gives any.
fn give_up(context: &Context) -> Instant {
    let deadline = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let left = deadline.duration_since(SystemTime::now()).ok();
    let left = left.unwrap_or(Duration::from_mins(15));
    Instant::now() + left.saturating_sub(TO_ANSWER)
}
