//! The `Idempotency-Key`s in the database, each with the answer of its request.

use chassis::idempotency::{Answer, KEPT_FOR, Once, Refused};
use dto::Timestamp;
use mysql_async::{Conn, Row, Transaction, prelude::Queryable};

use super::{Work, columns, place::Placed, statement, to_column};
use crate::error::Error;

/// Whose the keys are: there are no callers to tell apart yet.
const CALLER: &[u8] = b"";

/// What the keys are for.
const ROUTE: &[u8] = b"POST /mysqldata";

/// How many expired keys are deleted for each that is written. More than one,
/// so that they do not pile up; few, so that nobody waits for it.
const PURGED: u32 = 10;

/// Looks for the answer that was given to a request.
pub struct Recall<'o>(pub &'o Once);

impl Work for Recall<'_> {
    type Done = Option<Answer>;

    /// Gives [`Refused::Reused`] where the key was another request's.
    async fn run(&self, connection: &mut Conn) -> Result<Option<Answer>, Error> {
        let row = find(connection, self.0).await?;
        row.map(|kept| kept.answer_to(self.0)).transpose()
    }
}

/// A key's row.
struct Kept {
    fingerprint: Vec<u8>,
    answer: Vec<u8>,
}

impl Kept {
    fn answer_to(self, once: &Once) -> Result<Answer, Error> {
        if self.fingerprint != once.fingerprint.0 {
            return Err(Refused::Reused.into());
        }
        serde_json::from_slice(&self.answer).map_err(|_| Error::Row("an answer is none"))
    }
}

async fn find(database: &mut impl Queryable, once: &Once) -> Result<Option<Kept>, Error> {
    let sql = "SELECT fingerprint, answer FROM idempotency_keys \
               WHERE caller = ? AND route = ? AND idempotency_key = ? AND expires_at > ?";
    let key = once.key.as_str().as_bytes();
    let now = to_column(Timestamp::now());
    let row: Option<Row> = statement::first(database, sql, (CALLER, ROUTE, key, now)).await?;
    let Some(row) = row else { return Ok(None) };
    let (fingerprint, answer) = columns(row)?;
    Ok(Some(Kept {
        fingerprint,
        answer,
    }))
}

/// Writes the key with its request's `answer`, in the transaction of what the
/// request does. While another request with the key is at it, this waits for
/// how that ends. A key that has expired is taken over.
///
/// Gives what is to be answered where the key was written already: by another
/// request, or by this very one at an earlier attempt.
///
/// # Errors
///
/// [`Refused::Reused`] where the key was another request's, [`Refused::Running`]
/// where its first request goes on for longer than the database waits.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    once: &Once,
    answer: &Answer,
) -> Result<Option<Placed>, Error> {
    // An upsert, because it asks for the row's lock outright: of two plain
    // INSERTs that wait for a third, which then rolls back, one is a deadlock's
    // victim. `expires_at` comes last: each assignment sees those before it.
    let sql = "INSERT INTO idempotency_keys \
               (caller, route, idempotency_key, fingerprint, answer, created_at, expires_at) \
               VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE \
               fingerprint = IF(expires_at <= VALUES(created_at), VALUES(fingerprint), fingerprint), \
               answer = IF(expires_at <= VALUES(created_at), VALUES(answer), answer), \
               created_at = IF(expires_at <= VALUES(created_at), VALUES(created_at), created_at), \
               expires_at = IF(expires_at <= VALUES(created_at), VALUES(expires_at), expires_at)";
    let now = Timestamp::now();
    let values = (
        CALLER,
        ROUTE,
        once.key.as_str().as_bytes(),
        once.fingerprint.0.as_slice(),
        serde_json::to_vec(answer)?,
        to_column(now),
        to_column((now.utc() + KEPT_FOR).into()),
    );
    match statement::run(transaction, sql, values)
        .await
        .map_err(Error::from)
    {
        Err(error) if error.is_lock_wait() => return Err(Refused::Running.into()),
        written => written?,
    }
    if transaction.affected_rows() > 0 {
        return Ok(None);
    }
    let kept = find(transaction, once).await?;
    let kept = kept.ok_or(Error::Row("a key is neither free nor taken"))?;
    let first = kept.answer_to(once)?;
    // No two orders have the same answer: their ids are in it.
    Ok(Some(if first == *answer {
        Placed::Now
    } else {
        Placed::Before(first)
    }))
}

/// Deletes some of the keys that have expired for long enough that nobody is
/// about to take them over. It is not part of anything: what comes of it makes
/// no difference to the request that it comes after.
pub(super) async fn purge(connection: &mut Conn) {
    let sql = "DELETE FROM idempotency_keys WHERE expires_at <= ? ORDER BY expires_at LIMIT ?";
    let until = Timestamp::now().utc() - KEPT_FOR;
    let values = (to_column(until.into()), PURGED);
    if let Err(error) = statement::run(connection, sql, values).await {
        tracing::debug!(error = error.to_string(), "no expired key was deleted");
    }
}
