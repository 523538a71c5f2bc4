//! What the products of a new order cost: now, or when it was last seen.

use std::time::Duration;

use chassis::{Call, Deadline};
use dto::{
    Timestamp,
    order::{NewOrder, Pricing},
    product::ProductId,
};

use crate::{
    Error, Orders,
    catalogue::Offers,
    error::chain,
    store::{Forget, Known},
};

/// How old a price may be that an order is placed at.
const OLDEST: Duration = Duration::from_hours(24);

/// What the catalogue leaves of the request's time, for the order to be written
/// in: one attempt at the database, by its default policy.
const TO_WRITE: Duration = Duration::from_secs(3);

/// The prices of the products of a new order.
pub struct Prices {
    /// What they are offered for.
    pub offers: Offers,
    /// Where that comes from.
    pub pricing: Pricing,
    /// When the catalogue was asked, if it answered.
    pub seen_at: Option<Timestamp>,
}

/// Asks the catalogue what the products of `new` cost. While it is away, they
/// cost what they last did, if that is known of all of them.
///
/// # Errors
///
/// [`Error::Catalogue`] if it is not known, and [`Error::Away`] if the database
/// does not say whether it is.
pub async fn prices(orders: &Orders, call: &Call, new: &NewOrder) -> Result<Prices, Error> {
    let products = new.lines.iter().map(|line| &line.product_id);
    let seen_at = Timestamp::now();
    let asked = call.by(to_ask(call.deadline));
    let away = match orders.catalogue.offers(&asked, products.clone()).await {
        Ok(offers) => {
            let gone = products.filter(|id| !offers.contains_key(id));
            let gone: Vec<_> = gone.cloned().collect();
            if !gone.is_empty() {
                forget(orders, call, &gone, seen_at).await;
            }
            return Ok(Prices {
                offers,
                pricing: Pricing::Live,
                seen_at: Some(seen_at),
            });
        }
        Err(away) => away,
    };
    let since = (seen_at.utc() - OLDEST).into();
    let offers = orders.store.run(call, &Known { new, since }).await?;
    if !products.clone().all(|id| offers.contains_key(id)) {
        return Err(Error::Catalogue(Box::new(away)));
    }
    let cause = chain(&away);
    tracing::warn!(request_id = call.request_id, cause, "the last known prices");
    Ok(Prices {
        offers,
        pricing: Pricing::Snapshot,
        seen_at: None,
    })
}

/// Until when the catalogue may be asked.
fn to_ask(deadline: Deadline) -> Deadline {
    let left = deadline.remaining();
    deadline.at_most(left.saturating_sub(TO_WRITE).max(left / 2))
}

/// The order is refused in any case, so nothing depends on whether this can be
/// done.
async fn forget(orders: &Orders, call: &Call, products: &[ProductId], seen_at: Timestamp) {
    let forget = Forget { products, seen_at };
    if let Err(error) = orders.store.run(call, &forget).await {
        let cause = chain(&error);
        let request_id = &call.request_id;
        tracing::warn!(request_id, cause, "a product that is gone is still known");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_catalogue_leaves_time_to_write_the_order() {
        for (left_ms, asked_ms) in [(9_750, 6_750), (6_000, 3_000), (400, 200), (0, 0)] {
            let left = Deadline::within(Duration::from_millis(left_ms));
            let asked = to_ask(left).remaining().as_millis();
            assert!(
                (asked_ms.max(50) - 50..=asked_ms).contains(&asked),
                "{asked}"
            );
        }
    }
}
