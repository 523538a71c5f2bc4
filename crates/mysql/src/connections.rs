//! The connections of a process, and their connect timeout.
//!
//! A function serves one request at a time, so the connections that are not in
//! use are kept in a stack. A kept connection may have died meanwhile, unnoticed
//! while the function was suspended. That is no failure of the database: the
//! attempt is made on the next connection, and at last on a new one.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chassis::{RequestContext, outbound::CallLog};
use mysql_async::Conn;
use tokio::time::{Instant, timeout_at};

use crate::{
    AttemptError, Config, Session,
    session::{Connection, NAME},
};

/// The most connections that are kept. The second is for a request that arrives
/// while the first is still being abandoned.
const MAX_KEPT: usize = 2;

/// The seconds after which the server ends an idle session.
///
/// A function that is suspended or cut off within a transaction cannot release
/// its locks itself, so this is how long others may have to wait for them. The
/// server's default is 8 hours; a new connection costs a few milliseconds.
const WAIT_TIMEOUT_S: usize = 60;

/// The seconds that a statement waits for a lock of a row, or of a table whose schema is
/// being changed. The server's defaults are 50 seconds, and at least a day.
const LOCK_WAIT_TIMEOUT_S: usize = 2;

/// [`LOCK_WAIT_TIMEOUT_S`] as a duration.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(LOCK_WAIT_TIMEOUT_S as u64);

/// A connection that was idle for longer is not used again.
const MAX_IDLE: Duration = Duration::from_secs(WAIT_TIMEOUT_S as u64 / 2);

/// A connection that is older is not used again, so that all of them follow a
/// failover in the end.
const MAX_AGE: Duration = Duration::from_mins(30);

/// The connections of a process. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections {
    config: Config,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A connection that is not in use.
struct Kept {
    connection: Connection,
    since: Instant,
}

impl Connections {
    pub(crate) fn new(config: Config) -> Self {
        // READ COMMITTED: no operation relies on reading the same rows again, and fewer
        // gaps between rows are locked.
        let setup = format!(
            "SET wait_timeout = {WAIT_TIMEOUT_S}, \
             innodb_lock_wait_timeout = {LOCK_WAIT_TIMEOUT_S}, \
             lock_wait_timeout = {LOCK_WAIT_TIMEOUT_S}; \
             SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        );
        let config = config.with(|opts| {
            opts.init(vec![setup])
                // The driver queries these two unless they are set.
                .max_allowed_packet(Some(16 * 1024 * 1024))
                .wait_timeout(Some(WAIT_TIMEOUT_S))
                // An upsert that changes nothing then affects no rows.
                .client_found_rows(false)
                .prefer_socket(false)
        });
        Self {
            config,
            kept: Arc::default(),
        }
    }

    /// Runs `operation` in a session on a connection: on the next one if a kept one is
    /// broken, which the server may have closed. The operation is safe to repeat.
    pub(crate) async fn run<T, F>(
        &self,
        ctx: &RequestContext,
        operation: impl Fn(Session) -> F,
    ) -> Result<T, AttemptError>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        while let Some(kept) = self.take() {
            match self.run_on(kept, ctx, &operation).await {
                Err(error) if error.is_disconnected() => {}
                result => return result,
            }
        }
        let opened = self.open(ctx).await?;
        self.run_on(opened, ctx, &operation).await
    }

    async fn run_on<F: Future>(
        &self,
        connection: Connection,
        ctx: &RequestContext,
        operation: impl Fn(Session) -> F,
    ) -> F::Output {
        let session = Session::new(connection, ctx.clone());
        let result = operation(session.clone()).await;
        if let Some(connection) = session.take() {
            self.keep(connection);
        }
        result
    }

    /// Opens a connection and keeps it.
    pub(crate) async fn warm(&self, ctx: &RequestContext) -> Result<(), AttemptError> {
        let opened = self.open(ctx).await?;
        self.keep(opened);
        Ok(())
    }

    async fn open(&self, ctx: &RequestContext) -> Result<Connection, AttemptError> {
        let call = CallLog::start(ctx, NAME, "CONNECT");
        let opened = self.connect(ctx).await;
        call.end(&opened);
        opened
    }

    async fn connect(&self, ctx: &RequestContext) -> Result<Connection, AttemptError> {
        let deadline = ctx.deadline.at_most(self.config.policy.connect);
        let opts = self.config.opts();
        let connected = timeout_at(deadline.instant(), Conn::new(opts)).await;
        let conn = connected.map_err(|elapsed| {
            if deadline.instant() < ctx.deadline.instant() {
                AttemptError::ConnectTimeout(elapsed)
            } else {
                AttemptError::NoTimeToConnect(elapsed)
            }
        })?;
        Ok(Connection::new(conn.map_err(AttemptError::connecting)?))
    }

    fn take(&self) -> Option<Connection> {
        let mut kept = self.lock();
        while let Some(Kept { connection, since }) = kept.pop() {
            if since.elapsed() < MAX_IDLE && connection.opened.elapsed() < MAX_AGE {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        let mut kept = self.lock();
        if kept.len() < MAX_KEPT {
            let since = Instant::now();
            kept.push(Kept { connection, since });
        }
    }

    /// The stack is consistent between any two statements, so a panic elsewhere
    /// does not affect it.
    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
