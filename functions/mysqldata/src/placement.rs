//! Placing an order: what a client wants and what the catalogue offers become
//! an order.

use dto::{
    Faults, Money, Pointer, Timestamp,
    order::{NewOrder, Order, OrderLine, OrderStatus, Pricing},
};
use uuid::{NoContext, Uuid};

use crate::{catalogue::Offers, error::Error};

/// The order that `new` becomes now, at these prices.
///
/// # Errors
///
/// [`Error::Lines`] with every line whose product does not exist, or is priced
/// in another currency than the first.
pub fn order(new: NewOrder, mut offers: Offers, pricing: Pricing) -> Result<Order, Error> {
    let (mut lines, mut faults) = (Vec::<OrderLine>::new(), Faults::new());
    for (index, line) in new.lines.into_iter().enumerate() {
        let Some(offer) = offers.remove(&line.product_id) else {
            fault(&mut faults, index, "is not a product of the catalogue");
            continue;
        };
        if let Some(first) = lines.first()
            && first.unit_price.currency != offer.price.currency
        {
            let detail = format!(
                "is priced in {}, but an earlier line in {}: an order has one currency",
                offer.price.currency, first.unit_price.currency,
            );
            fault(&mut faults, index, &detail);
        }
        lines.push(OrderLine {
            product_id: line.product_id,
            name: offer.name,
            quantity: line.quantity,
            unit_price: offer.price,
        });
    }
    if !faults.is_empty() {
        return Err(Error::Lines(faults));
    }
    let created_at = Timestamp::now();
    Ok(Order {
        id: id(created_at),
        customer: new.customer,
        status: OrderStatus::Placed,
        total: total(&lines).ok_or(Error::Total)?,
        lines,
        pricing,
        version: 1,
        created_at,
        updated_at: created_at,
    })
}

/// The sum of the lines, in the currency of the first; nothing if there are no
/// lines or it passes 64 bits, which the bounds of a price and an order rule out.
fn total(lines: &[OrderLine]) -> Option<Money> {
    let amount = lines.iter().try_fold(0_i64, |sum, line| {
        sum.checked_add(line.quantity.checked_mul(line.unit_price.amount)?)
    });
    Some(Money {
        amount: amount?,
        currency: lines.first()?.unit_price.currency.clone(),
    })
}

/// A new id that sorts by `created_at`.
fn id(created_at: Timestamp) -> Uuid {
    let at = created_at.utc();
    // A clock before 1970 still gives an id, if not one in order.
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(
        NoContext,
        seconds,
        at.nanosecond(),
    ))
}

fn fault(faults: &mut Faults, line: usize, detail: &str) {
    let root = Pointer::root();
    let lines = root.member("lines");
    let line = lines.item(line);
    faults.body(&line.member("productId"), detail);
}

#[cfg(test)]
mod tests {
    use dto::{money::MOST_AMOUNT, order::NewOrderLine, product::ProductId};

    use super::*;
    use crate::catalogue::Offer;

    fn new(products: &[(&str, i64)]) -> NewOrder {
        let line = |&(id, quantity): &(&str, i64)| NewOrderLine {
            product_id: ProductId::parse(id).unwrap(),
            quantity,
        };
        NewOrder {
            customer: "Ann".to_owned(),
            lines: products.iter().map(line).collect(),
        }
    }

    fn offers(products: &[(&str, i64, &str)]) -> Offers {
        let offer = |&(id, amount, currency): &(&str, i64, &str)| {
            let price = Money {
                amount,
                currency: currency.to_owned(),
            };
            let name = id.to_uppercase();
            (ProductId::parse(id).unwrap(), Offer { name, price })
        };
        products.iter().map(offer).collect()
    }

    fn pointers(refused: Result<Order, Error>) -> Vec<String> {
        let Err(Error::Lines(faults)) = refused else {
            panic!("{refused:?}")
        };
        let faults = serde_json::to_value(faults.into_vec()).unwrap();
        let faults = faults.as_array().unwrap().iter();
        faults
            .map(|f| f["pointer"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn an_order_keeps_what_was_offered() {
        let offers = offers(&[("cup", 1999, "DKK"), ("pot", 5, "DKK")]);
        let order = order(new(&[("pot", 3), ("cup", 2)]), offers, Pricing::Live).unwrap();
        assert_eq!(order.total.amount, 3 * 5 + 2 * 1999);
        assert_eq!(order.total.currency, "DKK");
        assert_eq!(order.lines[0].name, "POT");
        assert_eq!(order.lines[1].unit_price.amount, 1999);
        assert_eq!((order.version, order.status), (1, OrderStatus::Placed));
        assert_eq!(order.created_at, order.updated_at);
        let (seconds, nanos) = order.id.get_timestamp().unwrap().to_unix();
        let at = order.created_at.utc();
        assert_eq!(i64::try_from(seconds).unwrap(), at.unix_timestamp());
        assert_eq!(nanos, at.nanosecond());
    }

    #[test]
    fn every_line_that_cannot_be_ordered_is_named() {
        let offers = offers(&[("b", 1, "DKK"), ("c", 1, "EUR"), ("e", 1, "SEK")]);
        let wanted = new(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
        assert_eq!(
            pointers(order(wanted, offers, Pricing::Live)),
            ["0", "2", "3", "4"].map(|line| format!("/lines/{line}/productId")),
        );
    }

    #[test]
    fn the_largest_order_has_an_exact_total() {
        let ids: Vec<_> = (0..100).map(|i| format!("p{i}")).collect();
        let wanted: Vec<_> = ids.iter().map(|id| (id.as_str(), 999)).collect();
        let offered: Vec<_> = ids
            .iter()
            .map(|id| (id.as_str(), MOST_AMOUNT, "DKK"))
            .collect();
        let offers = offers(&offered);
        let order = order(new(&wanted), offers, Pricing::Live).unwrap();
        assert_eq!(order.total.amount, 99_900 * MOST_AMOUNT);
        assert!(order.total.amount < 1 << 53, "doubles do not hold it");
    }
}
