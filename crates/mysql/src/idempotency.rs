//! Writes that are executed once per `Idempotency-Key`.
//!
//! A table, by default `idempotency_keys`, holds each key with the response to its
//! request:
//!
//! ```sql
//! CREATE TABLE idempotency_keys (
//!     caller          VARBINARY(255) NOT NULL,
//!     route           VARBINARY(64)  NOT NULL,
//!     idempotency_key VARBINARY(255) NOT NULL,
//!     fingerprint     BINARY(32)     NOT NULL,
//!     answer          MEDIUMBLOB     NOT NULL,
//!     created_at      DATETIME(3)    NOT NULL,
//!     expires_at      DATETIME(3)    NOT NULL,
//!     PRIMARY KEY (caller, route, idempotency_key),
//!     KEY idempotency_keys_by_expiry (expires_at)
//! );
//! ```
//!
//! `route` holds the operation, such as `POST /things`; `answer` holds the response.

use std::time::Duration;

use chassis::{
    RequestContext, error_chain,
    http::{Fingerprint, IdempotentRequest, KEY_LIFETIME, KeyConflict, Outcome, StoredResponse},
};
use dto::Timestamp;
use tokio::time::sleep;

use crate::{
    AttemptError, Database, Error, Session, TransactionError, connections::LOCK_WAIT, insert,
    to_datetime,
};

/// The most expired keys that are deleted for each key written: more than
/// one, so that they do not accumulate, and few, so that no request waits.
const MAX_PURGED_KEYS: u32 = 10;

/// The timeout of deleting expired keys.
const PURGE_TIMEOUT: Duration = Duration::from_millis(250);

/// The time that is left for the response when a request stops waiting for another
/// with its key.
const RESERVE: Duration = Duration::from_millis(100);

/// The pause before a request looks again whether another still writes its key.
const PAUSE: Duration = Duration::from_millis(20);

/// The idempotency keys of one operation.
#[derive(Clone)]
pub struct KeyTable {
    database: Database,
    table: &'static str,
    operation: &'static str,
}

impl KeyTable {
    /// The keys in the table `idempotency_keys`. The same key may be used for
    /// another operation, such as `POST /things`, independently.
    #[must_use]
    pub fn new(database: &Database, operation: &'static str) -> Self {
        Self::in_table(database, "idempotency_keys", operation)
    }

    /// The same, in the table `table`: for a service whose tables are beside those
    /// of another.
    #[must_use]
    pub fn in_table(database: &Database, table: &'static str, operation: &'static str) -> Self {
        Self {
            database: database.clone(),
            table,
            operation,
        }
    }

    /// Looks up the stored response to a request.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if the key was used with another body.
    pub async fn stored_response(
        &self,
        ctx: &RequestContext,
        request: &IdempotentRequest,
    ) -> Result<Option<StoredResponse>, Error> {
        let found = self
            .database
            .run(ctx, async |session| {
                self.find(&session, request, Timestamp::now()).await
            })
            .await?;
        match found {
            Some((fingerprint, _)) if fingerprint != request.fingerprint => {
                Err(KeyConflict::Reused.into())
            }
            found => Ok(found.map(|(_, response)| response)),
        }
    }

    /// Looks up the stored response to a request, after waiting for another request that
    /// is writing its key: for a request that is refused, because the other may have been
    /// executed. A request that has not written its key yet is not waited for.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if the key was used with another body, or if the other request is
    /// still running at the deadline.
    pub async fn wait_for_response(
        &self,
        ctx: &RequestContext,
        request: &IdempotentRequest,
    ) -> Result<Option<StoredResponse>, Error> {
        let unlocked = async |session: Session| self.wait_until_unlocked(&session, request).await;
        while !self.database.run(ctx, unlocked).await? {
            if ctx.deadline.remaining() < RESERVE {
                return Err(KeyConflict::Running.into());
            }
        }
        self.stored_response(ctx, request).await
    }

    /// Executes `write` in a transaction. If the request has a key, it is executed
    /// once: `response` is stored under the key in the same transaction, or the
    /// response that is stored there is returned.
    ///
    /// While another request with the key is running, this waits for its end, until
    /// its own deadline. Every response must be unique, as one with a generated id is.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if the key was used with another body or its first request
    /// is still running, and what `write` aborts with.
    pub async fn execute<E, F>(
        &self,
        ctx: &RequestContext,
        request: Option<&IdempotentRequest>,
        response: &StoredResponse,
        write: impl Fn(Session) -> F,
    ) -> Result<Outcome, E>
    where
        E: From<Error>,
        F: Future<Output = Result<(), TransactionError<E>>>,
    {
        let write = &write;
        let transaction = |session: Session| async move {
            // The key is written first, so that a request that waits for it holds no other
            // lock.
            if let Some(request) = request {
                match self.write_key(&session, request, response).await? {
                    KeyWrite::Written => {}
                    // These commit a transaction that has written nothing.
                    KeyWrite::Known(outcome) => return Ok(Some(outcome)),
                    KeyWrite::Locked => return Ok(None),
                }
            }
            write(session).await?;
            Ok(Some(Outcome::Executed))
        };
        let transaction = &transaction;
        loop {
            let ended = self.database.transaction::<_, E, _>(ctx, transaction);
            if let Some(outcome) = ended.await? {
                if request.is_some() && outcome == Outcome::Executed {
                    self.purge(ctx).await;
                }
                return Ok(outcome);
            }
            if ctx.deadline.remaining() < RESERVE {
                return Err(Error::Key(KeyConflict::Running).into());
            }
        }
    }

    /// Deletes some keys that expired so long ago that no request takes them over.
    /// The request has been executed; a failure here does not affect it.
    async fn purge(&self, ctx: &RequestContext) {
        if ctx.deadline.remaining() < PURGE_TIMEOUT {
            return;
        }
        let table = self.table;
        let sql = format!("DELETE FROM {table} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?");
        // A day more than they are kept, because the clocks of functions differ.
        let until = Timestamp::now().utc() - KEY_LIFETIME;
        let values = (to_datetime(until.into()), MAX_PURGED_KEYS);
        let ctx = ctx.with_deadline(ctx.deadline.at_most(PURGE_TIMEOUT));
        let purge = async |session: Session| session.execute(&sql, values).await;
        if let Err(error) = self.database.run(&ctx, purge).await {
            let cause = error_chain(&error);
            tracing::warn!(cause, "expired keys were not deleted");
        }
    }

    /// Writes the key with the response. A key that has expired is taken over.
    async fn write_key<E: From<Error>>(
        &self,
        session: &Session,
        request: &IdempotentRequest,
        response: &StoredResponse,
    ) -> Result<KeyWrite, TransactionError<E>> {
        let abort = |conflict: KeyConflict| TransactionError::Abort(Error::Key(conflict).into());
        let now = Timestamp::now();
        let response_json = serde_json::to_vec(response).map_err(|error| error.to_string());
        let (sql, values) = insert(
            self.table,
            [
                "caller",
                "route",
                "idempotency_key",
                "fingerprint",
                "answer",
                "created_at",
                "expires_at",
            ],
            [[
                request.caller.as_bytes().into(),
                self.operation.into(),
                request.key.as_str().into(),
                request.fingerprint.0.as_slice().into(),
                response_json.map_err(AttemptError::from)?.into(),
                to_datetime(now).into(),
                to_datetime((now.utc() + KEY_LIFETIME).into()).into(),
            ]],
        );
        // An upsert takes an exclusive lock at once. Of two plain INSERTs that wait
        // for a third, which rolls back, one ends in a deadlock. `expires_at` comes
        // last, because each assignment sees the ones before it.
        let sql = format!(
            "{sql} ON DUPLICATE KEY UPDATE \
             fingerprint = IF(expires_at <= VALUES(created_at), VALUES(fingerprint), fingerprint), \
             answer = IF(expires_at <= VALUES(created_at), VALUES(answer), answer), \
             created_at = IF(expires_at <= VALUES(created_at), VALUES(created_at), created_at), \
             expires_at = IF(expires_at <= VALUES(created_at), VALUES(expires_at), expires_at)"
        );
        // With more time left, the statement itself waits.
        let is_short = session.deadline().remaining() < LOCK_WAIT + RESERVE;
        if is_short && !self.wait_until_unlocked(session, request).await? {
            return Ok(KeyWrite::Locked);
        }
        match session.execute(&sql, values).await {
            // The key is stored: an upsert that changes nothing affects no rows, because
            // `connections.rs` sets `client_found_rows(false)`.
            Ok(0) => {}
            Ok(_) => return Ok(KeyWrite::Written),
            Err(error) if error.is_lock_timeout() => return Ok(KeyWrite::Locked),
            Err(error) => return Err(error.into()),
        }
        let found = self.find(session, request, now).await?;
        let (fingerprint, stored) = found.ok_or_else(|| {
            AttemptError::from("an idempotency key is neither new nor stored".to_owned())
        })?;
        let outcome = request.outcome(fingerprint, stored, response);
        outcome.map(KeyWrite::Known).map_err(abort)
    }

    /// Waits until no other request is writing the key; `false` if one still is when the
    /// time of the attempt is up.
    ///
    /// A request that has not written its key yet holds no lock and is not seen. So a
    /// duplicate that is refused, for example because its prices could not be determined,
    /// may be refused although the first request is executed later. A retry of the
    /// duplicate is then replayed.
    async fn wait_until_unlocked(
        &self,
        session: &Session,
        request: &IdempotentRequest,
    ) -> Result<bool, AttemptError> {
        let table = self.table;
        let sql = format!(
            "SELECT 1 FROM {table} \
             WHERE caller = ? AND route = ? AND idempotency_key = ? FOR UPDATE NOWAIT"
        );
        loop {
            let key = (
                request.caller.as_bytes(),
                self.operation,
                request.key.as_str(),
            );
            match session.row::<(i64,)>(&sql, key).await {
                Ok(_) => return Ok(true),
                Err(error) if !error.is_lock_timeout() => return Err(error),
                Err(_) if session.deadline().remaining() < RESERVE => return Ok(false),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// The stored response to a request with the key, and that request's
    /// fingerprint, unless it has expired.
    async fn find(
        &self,
        session: &Session,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<(Fingerprint, StoredResponse)>, AttemptError> {
        let table = self.table;
        let sql = format!(
            "SELECT fingerprint, answer FROM {table} \
             WHERE caller = ? AND route = ? AND idempotency_key = ? AND expires_at > ?"
        );
        let key = (
            request.caller.as_bytes(),
            self.operation,
            request.key.as_str(),
            to_datetime(now),
        );
        let row = session.row::<(Vec<u8>, Vec<u8>)>(&sql, key).await?;
        let Some((fingerprint, response_json)) = row else {
            return Ok(None);
        };
        let fingerprint = fingerprint.try_into().map(Fingerprint);
        let fingerprint = fingerprint.map_err(|_| "a fingerprint must have 32 bytes".to_owned())?;
        let response = serde_json::from_slice(&response_json).map_err(|error| error.to_string())?;
        Ok(Some((fingerprint, response)))
    }
}

/// The result of writing a key.
enum KeyWrite {
    /// It is written.
    Written,
    /// It was written before, by another request or by an earlier attempt of this one.
    Known(Outcome),
    /// Another request is writing it, for as long as a statement waits for a lock.
    Locked,
}
