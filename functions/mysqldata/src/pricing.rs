//! The prices of a new order: the catalogue's, or those of its snapshots.

use std::time::Duration;

use chassis::{Deadline, RequestContext, error_chain, outbound::CallError};
use dto::{ProductId, Timestamp};

use crate::{
    App,
    error::Error,
    order::{NewOrder, Order},
    placement::{self, Prices},
};

/// The age up to which an order is placed at snapshot prices.
const MAX_AGE: Duration = Duration::from_hours(24);

/// Creates the order that a client requests, at the prices that are returned with it.
///
/// # Errors
///
/// [`Error::InvalidLines`] if products do not exist or have different currencies,
/// [`Error::PricesUnavailable`] if there are no prices, and [`Error::Store`] if the
/// snapshots cannot be read.
pub(crate) async fn price_order(
    app: &App,
    ctx: &RequestContext,
    new: &NewOrder,
) -> Result<(Order, Prices), Error> {
    let ids = new.lines.products();
    let prices = fetch_prices(app, ctx, &ids).await?;
    match placement::create_order(new, &prices) {
        Ok(order) => Ok((order, prices)),
        Err(error) => {
            remember(app, ctx, &ids, &prices).await;
            Err(error)
        }
    }
}

/// Gets the prices from the catalogue. While that is unavailable, they are snapshot
/// prices, if every product has one.
async fn fetch_prices(
    app: &App,
    ctx: &RequestContext,
    ids: &[&ProductId],
) -> Result<Prices, Error> {
    let seen_at = Timestamp::now();
    let limited = ctx.with_deadline(catalogue_deadline(ctx.deadline));
    let unavailable = match app.catalogue.products(&limited, ids).await {
        Ok(products) => {
            return Ok(Prices {
                products,
                seen_at: Some(seen_at),
            });
        }
        // A caller must not obtain snapshot prices by sending a short
        // `X-Request-Deadline`.
        Err(hurried @ CallError::Hurried { .. }) if ctx.is_shortened() => {
            return Err(Error::PricesUnavailable(hurried));
        }
        // Whatever the reason is: the snapshots serve.
        Err(unavailable) => unavailable,
    };
    let since = (seen_at.utc() - MAX_AGE).into();
    let products = app.orders.snapshots(ctx, ids, since).await?;
    if !ids.iter().all(|&id| products.contains_key(id)) {
        return Err(Error::PricesUnavailable(unavailable));
    }
    let cause = error_chain(&unavailable);
    tracing::warn!(cause, "snapshot prices are used");
    ctx.count("snapshot_prices");
    Ok(Prices {
        products,
        seen_at: None,
    })
}

/// Remembers what the catalogue returned for an order that is refused: the prices, and
/// which products do not exist any more. The order is refused whether this succeeds or
/// not.
async fn remember(app: &App, ctx: &RequestContext, ids: &[&ProductId], prices: &Prices) {
    let Prices { products, seen_at } = prices;
    let Some(seen_at) = *seen_at else {
        return;
    };
    let missing: Vec<_> = (ids.iter().copied())
        .filter(|&id| !products.contains_key(id))
        .collect();
    if let Err(error) = (app.orders.remember(ctx, products, &missing, seen_at)).await {
        let cause = error_chain(&error);
        tracing::warn!(cause, "the catalogue's prices were not written");
    }
}

/// The deadline of the call to the catalogue: it leaves the time of one attempt to
/// write the order.
fn catalogue_deadline(deadline: Deadline) -> Deadline {
    let left = deadline.remaining();
    let write = mysql::default_policy().attempt;
    deadline.at_most(left.saturating_sub(write).max(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_catalogue_leaves_time_to_write_the_order() {
        for (left_ms, granted_ms) in [(9_750, 6_750), (6_000, 3_000), (400, 200), (0, 0)] {
            let left = Deadline::within(Duration::from_millis(left_ms));
            let granted = catalogue_deadline(left).remaining();
            assert_eq!(granted, Duration::from_millis(granted_ms));
        }
    }
}
