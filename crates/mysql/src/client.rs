//! The client of a database: its connections behind its circuit breaker.

use std::{convert::Infallible, time::Duration};

use chassis::{
    Deadline, RequestContext, error_chain,
    http::health::Check,
    outbound::{CallError, Dependency, Policy},
};
use dto::health::HealthStatus;

use crate::{
    AttemptError, Database, Error, Session, TransactionError, connections::Connections,
    session::NAME,
};

/// How long opening the first connection may delay the start of a function.
const WARM_UP: Duration = Duration::from_millis(1_500);

/// How long a health check may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// How a database is called.
///
/// A statement waits 2 s for a lock, which says nothing about the database, so an
/// attempt must last longer. Three attempts of 3 s fit into a function's 10 s.
#[must_use]
pub fn default_policy() -> Policy {
    Policy {
        attempt: Duration::from_secs(3),
        ..Policy::default()
    }
}

/// A client of a database. Clones share its connections and its circuit breaker.
#[derive(Clone)]
pub struct Client {
    dependency: Dependency,
    connections: Connections,
}

impl Client {
    /// Builds the client and opens the first connection, within bounded time. An
    /// unavailable database is not an error: later operations try again.
    pub async fn open(database: Database, policy: Policy) -> Self {
        let connections = Connections::new(database, policy.connect);
        if let Err(error) = connections.warm(Deadline::within(WARM_UP)).await {
            let cause = error_chain(&error);
            tracing::warn!(cause, "started without a connection to the database");
        }
        let probed = connections.clone();
        let probe = move |ctx: RequestContext| {
            let connections = probed.clone();
            async move {
                let ping = async |session: &mut Session| Ok(session.ping().await?);
                let pinged = connections.run::<_, Infallible>(&ctx, &ping).await;
                if let Err(error) = &pinged {
                    tracing::warn!(cause = error_chain(error), "the database is unhealthy");
                }
                pinged
            }
        };
        Self {
            dependency: Dependency::new(NAME, policy, probe),
            connections,
        }
    }

    /// The health check of the database. A service cannot work without it.
    #[must_use]
    pub fn check(&self) -> Check {
        Check::of(self.dependency.clone(), HealthStatus::Fail, HEALTH_TIMEOUT)
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn ping(&self, ctx: &RequestContext) -> Result<(), Error> {
        self.run(ctx, async |session| session.ping().await).await
    }

    /// Runs an operation that needs no transaction.
    ///
    /// # Errors
    ///
    /// If no attempt succeeded.
    pub async fn run<T>(
        &self,
        ctx: &RequestContext,
        operation: impl AsyncFn(&mut Session) -> Result<T, AttemptError>,
    ) -> Result<T, Error> {
        let attempt = async |session: &mut Session| Ok(operation(session).await?);
        self.attempt(ctx, attempt).await
    }

    /// Runs an operation in a transaction, which is over before this returns.
    ///
    /// # Errors
    ///
    /// What the operation aborts with, or [`Error`] if no attempt succeeded.
    pub async fn transaction<T, E: From<Error>>(
        &self,
        ctx: &RequestContext,
        operation: impl AsyncFn(&mut Session) -> Result<T, TransactionError<E>>,
    ) -> Result<T, E> {
        let attempt = async |session: &mut Session| session.transaction(&operation).await;
        self.attempt(ctx, attempt).await
    }

    /// Makes attempts at an operation, as the policy allows.
    pub(crate) async fn attempt<T, E: From<Error>>(
        &self,
        ctx: &RequestContext,
        operation: impl AsyncFn(&mut Session) -> Result<T, TransactionError<E>>,
    ) -> Result<T, E> {
        let (connections, operation) = (&self.connections, &operation);
        let attempt = move |ctx| async move { connections.run(&ctx, operation).await };
        let result = self.dependency.call(ctx, attempt).await;
        result.map_err(|error| match error {
            CallError::Failed { name, error } => match error {
                TransactionError::Abort(error) => error,
                TransactionError::Attempt(error) => {
                    Error::from(CallError::Failed { name, error }).into()
                }
            },
            CallError::Open { name, retry_after } => {
                Error::Unavailable(CallError::Open { name, retry_after }).into()
            }
            CallError::Elapsed { name } => Error::Unavailable(CallError::Elapsed { name }).into(),
        })
    }
}
