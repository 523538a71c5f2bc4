//! The connections to the database, and the time that each may take.
//!
//! A function answers one request at a time, so there is little to share: the
//! connections that are not in use are kept in a stack. One that was kept may
//! have died meanwhile (a frozen function notices nothing), which is no failure
//! of the database's: the work is then done on another, and at last on a new
//! one, at once.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Duration,
};

use chassis::{
    Deadline,
    resilience::{Classify, Failure},
};
use mysql_async::Conn;
use rds::Database;
use tokio::time::{Instant, timeout_at};

use super::Work;
use crate::error::Error;

/// The most connections that are kept. A function answers one request at a
/// time; the second is for while the first is being given up.
const KEPT: usize = 2;

/// After so long, in seconds, the server ends a session that says nothing.
///
/// A function that is frozen, or cut off from the database, in the middle of a
/// transaction cannot give up its locks itself. A minute is how long others may
/// have to wait for them then; the server's own default is 8 hours. To connect
/// anew costs a few milliseconds.
const SESSION_S: usize = 60;

/// A connection that was not used for so long is not trusted any more.
const IDLE: Duration = Duration::from_secs(SESSION_S as u64 / 2);

/// No connection is kept for so long that it outlives a failover for good.
const LONGEST_LIFE: Duration = Duration::from_mins(30);

/// For so long a statement waits for a lock, in seconds. The server's default
/// is 50.
const LOCK_WAIT_S: usize = 2;

/// What the server is told at the start of a session, in one round trip.
///
/// Transactions see what others committed, statement by statement: nothing here
/// reads the same thing twice, and the gaps between rows are locked less.
fn session() -> String {
    format!(
        "SET wait_timeout = {SESSION_S}, innodb_lock_wait_timeout = {LOCK_WAIT_S}; \
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    )
}

/// The connections of a process; clones share them.
#[derive(Clone)]
pub struct Connections {
    database: Database,
    connect: Duration,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A connection that is not in use.
struct Kept {
    lease: Lease,
    since: Instant,
}

impl Connections {
    /// Connections to `database`, each of which may take so long as `connect`
    /// to be there.
    pub fn new(database: Database, connect: Duration) -> Self {
        let database = database.with(|opts| {
            opts.init(vec![session()])
                // Told here, these two need not be asked of the server.
                .max_allowed_packet(Some(16 * 1024 * 1024))
                .wait_timeout(Some(SESSION_S))
                // The count of affected rows is to tell what an upsert did.
                .client_found_rows(false)
                .prefer_socket(false)
        });
        Self {
            database,
            connect,
            kept: Arc::default(),
        }
    }

    /// Does `work` on a connection.
    ///
    /// # Errors
    ///
    /// What the work gives, and [`Error::Unconnected`] or [`Error::Database`]
    /// where there is no connection.
    pub async fn run<W: Work>(&self, deadline: Deadline, work: &W) -> Result<W::Done, Error> {
        while let Some(kept) = self.take() {
            match self.run_on(kept, work).await {
                // It had died.
                Err(error) if error.is_lost() => {}
                result => return result,
            }
        }
        let opened = self.open(deadline).await?;
        self.run_on(opened, work).await
    }

    async fn run_on<W: Work>(&self, mut lease: Lease, work: &W) -> Result<W::Done, Error> {
        let Some(connection) = lease.connection.as_mut() else {
            unreachable!("a lease has its connection until it is dropped")
        };
        let result = work.run(connection).await;
        let sound = match &result {
            Ok(_) => true,
            Err(error) => matches!(
                error.failure(),
                Failure::Answered | Failure::Conflict | Failure::Rejected
            ),
        };
        if sound {
            self.keep(lease);
        }
        result
    }

    /// Opens a connection, to be kept.
    ///
    /// # Errors
    ///
    /// As for [`Connections::run`].
    pub async fn warm(&self, deadline: Deadline) -> Result<(), Error> {
        let opened = self.open(deadline).await?;
        self.keep(opened);
        Ok(())
    }

    async fn open(&self, deadline: Deadline) -> Result<Lease, Error> {
        let connecting = deadline.at_most(self.connect).instant();
        let opts = self.database.opts()?;
        let connection = timeout_at(connecting, Conn::new(opts)).await??;
        Ok(Lease {
            connection: Some(connection),
            born: Instant::now(),
        })
    }

    fn take(&self) -> Option<Lease> {
        let mut kept = self.lock();
        while let Some(Kept { lease, since }) = kept.pop() {
            if since.elapsed() < IDLE && lease.born.elapsed() < LONGEST_LIFE {
                return Some(lease);
            }
        }
        None
    }

    fn keep(&self, lease: Lease) {
        let mut kept = self.lock();
        if kept.len() < KEPT {
            let since = Instant::now();
            kept.push(Kept { lease, since });
        }
    }

    /// A stack is whole between any two lines, so a panic elsewhere does it no
    /// harm.
    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropped, as when the request is given up in the middle
/// of a statement, it is closed at once: the driver would first wait for all
/// that the server still has to say on it, and one that has gone silent says
/// nothing for good.
struct Lease {
    connection: Option<Conn>,
    born: Instant,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The goodbye is sent if it can be without waiting.
            let goodbye = pin!(connection.disconnect());
            let _ = goodbye.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
