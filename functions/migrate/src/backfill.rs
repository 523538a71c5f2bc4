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

/// Adds the pending orders to the sums until there are none or `deadline` has come,
/// and returns how many.
///
/// Pending orders do not affect what a summary returns, but how long it takes. So a
/// failure here fails no deployment: the orders that are left are added by later
/// deployments, and by the function that places orders.
pub(crate) async fn add_all(database: mysql::Config, deadline: Instant) -> usize {
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
        match database.transaction(&ctx, batch).await {
            Ok(Some(0)) => return summed,
            Ok(Some(added)) => summed += added,
            Ok(None) => sleep(PAUSE).await,
            // Orders with many lines may take too long together.
            Err(_) if limit > 1 => limit /= 2,
            Err(error) => {
                let cause = error_chain(&error);
                tracing::warn!(cause, summed, "not all orders were added to the sums");
                return summed;
            }
        }
    }
}
// endregion
