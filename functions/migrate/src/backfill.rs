// region: mysqldata
//! The orders that are in the database already, added to the sums.

use std::time::Duration;

use chassis::{Deadline, RequestContext, error_chain};
use mysql::{Database, TransactionError};
use tokio::time::{Instant, sleep};

/// The most orders of a transaction. Who changes one of them waits for its end.
const BATCH: u32 = 200;

/// The pause while a function adds orders itself.
const PAUSE: Duration = Duration::from_millis(20);

/// The pause after a batch that failed, as long as a breaker that it opened stays open.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Adds the pending orders to the sums until there are none or `deadline` has come,
/// and returns how many.
///
/// Pending orders do not affect what a summary returns, but how long it takes. So a
/// failure here fails no deployment: the orders that are left are added by later
/// deployments, and by the function that places orders.
pub(crate) async fn add_all(database: mysql::Config, deadline: Instant) -> usize {
    let timeout = database.policy.attempt;
    let database = Database::open(database).await;
    let mut summed = 0;
    let mut limit = BATCH;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let ctx = RequestContext::at_start(Deadline::within(left));
        let batch = async |session| {
            let added = sums::add_pending(&session, limit).await;
            added.map_err(TransactionError::<mysql::Error>::from)
        };
        let started = Instant::now();
        let duration = match database.transaction(&ctx, batch).await {
            Ok(Some(0)) => return summed,
            Ok(Some(added)) => {
                summed += added;
                Some(started.elapsed())
            }
            Ok(None) => {
                sleep(PAUSE).await;
                continue;
            }
            // Orders with many lines may take too long together.
            Err(error) if limit > 1 && Instant::now() + PAUSE_AFTER_FAILURE < deadline => {
                let cause = error_chain(&error);
                tracing::warn!(cause, limit, "a batch of orders was not added to the sums");
                sleep(PAUSE_AFTER_FAILURE).await;
                None
            }
            Err(error) => {
                let cause = error_chain(&error);
                tracing::warn!(cause, summed, "not all orders were added to the sums");
                return summed;
            }
        };
        limit = sums::next_limit(limit, BATCH, duration, timeout);
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_cause_of_a_failed_batch_is_logged() {
        // A few lines fit into a pipe, which ends when the subscriber is dropped.
        let (log, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(writer));
        let guard = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
        let unavailable = "mysql://nobody@127.0.0.1:1/none".parse().unwrap();
        let deadline = Instant::now() + 2 * PAUSE_AFTER_FAILURE;
        assert_eq!(add_all(unavailable, deadline).await, 0);
        drop(guard);
        let log = io::read_to_string(log).unwrap();
        let mut lines = log.lines();
        let failed = lines.find(|line| line.contains("a batch of orders was not added"));
        let failed = failed.unwrap_or_else(|| panic!("{log}"));
        assert!(failed.contains("the database is unavailable: "), "{failed}");
    }
}
// endregion
