//! The database: every operation goes through one dependency.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use chassis::{Deadline, RequestContext, error_chain, http::health::Check, outbound::Dependency};
use dto::health::HealthStatus;

use crate::{
    AttemptError, Config, Error, Session, TransactionError, connections::Connections, session::NAME,
};

/// The time that a start waits for the first connection.
const START_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The timeout of a health check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// A database, as one service uses it. Clones share the connections, the circuit
/// breaker and the retry budget.
#[derive(Clone)]
pub struct Database {
    dependency: Dependency,
    connections: Connections,
}

impl Database {
    /// Opens a connection while the service starts.
    ///
    /// A service starts even if the database is unavailable: the first operation
    /// then opens the connection.
    pub async fn open(config: Config) -> Self {
        let policy = config.policy.clone();
        let connections = Connections::new(config);
        let ctx = RequestContext::at_start(Deadline::within(START_TIMEOUT));
        if let Err(error) = connections.warm(&ctx).await {
            let cause = error_chain(&error);
            tracing::warn!(cause, "started without a connection to the database");
        }
        let probed = connections.clone();
        let probe = move |ctx: RequestContext| {
            let connections = probed.clone();
            async move {
                let ping = async |session: Session| session.ping().await;
                connections.run(&ctx, ping).await
            }
        };
        Self {
            dependency: Dependency::new(NAME, policy, probe),
            connections,
        }
    }

    /// Its health check. Without its store a service cannot work.
    #[must_use]
    pub fn check(&self) -> Check {
        Check::of(self.dependency.clone(), HealthStatus::Fail, CHECK_TIMEOUT)
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
    pub async fn run<T, F>(
        &self,
        ctx: &RequestContext,
        operation: impl Fn(Session) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        self.call(ctx, &AtomicBool::new(false), operation).await
    }

    /// Runs an operation in a transaction: commits if it succeeds, else rolls back.
    ///
    /// The transaction has ended before this returns, unless an attempt timed out or
    /// lost its connection: the server ends that one later.
    ///
    /// # Errors
    ///
    /// The error that the operation aborts with, or [`Error`] if no attempt succeeded.
    pub async fn transaction<T, E, F>(
        &self,
        ctx: &RequestContext,
        operation: impl Fn(Session) -> F,
    ) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, TransactionError<E>>>,
    {
        let maybe_committed = AtomicBool::new(false);
        let (operation, flag) = (&operation, &maybe_committed);
        let attempt = |session: Session| async move { session.transaction(flag, operation).await };
        self.call(ctx, flag, attempt).await?
    }

    /// Calls the database with an operation that is safe to repeat. `maybe_committed` is
    /// whether an attempt may have been committed although its response was lost.
    async fn call<T, F>(
        &self,
        ctx: &RequestContext,
        maybe_committed: &AtomicBool,
        operation: impl Fn(Session) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        let (connections, operation) = (&self.connections, &operation);
        let attempt = |ctx| async move { connections.run(&ctx, operation).await };
        let called = self.dependency.call(ctx, attempt).await;
        called.map_err(|error| Error::of(error, maybe_committed.load(Relaxed)))
    }
}
