//! Placing an order: a client's request at the catalogue's prices.

use dto::{Currency, Price, Timestamp};
use json::{FieldErrors, Pointer};

use crate::{
    catalogue::Products,
    error::Error,
    money::Money,
    order::{NewOrder, Order, OrderId, OrderLine, OrderStatus, Pricing, Version},
};

/// The prices of the products of a new order.
pub(crate) struct Prices {
    /// The products that exist, with their prices.
    pub products: Products,
    /// When they were requested from the catalogue; `None` if they are snapshot prices.
    pub seen_at: Option<Timestamp>,
}

impl Prices {
    /// The source of the prices.
    pub(crate) fn pricing(&self) -> Pricing {
        match self.seen_at {
            Some(_) => Pricing::Live,
            None => Pricing::Snapshot,
        }
    }
}

/// Creates the order that a client requests, now and at these prices.
///
/// # Errors
///
/// [`Error::InvalidLines`] with every line whose product does not exist or is priced in
/// another currency than the first.
pub(crate) fn create_order(new: &NewOrder, prices: &Prices) -> Result<Order, Error> {
    let NewOrder { customer, lines } = new;
    let (mut placed, mut errors) = (Vec::<OrderLine>::new(), FieldErrors::new());
    let mut currency: Option<&Currency> = None;
    for (index, line) in lines.as_slice().iter().enumerate() {
        let Some(product) = prices.products.get(&line.product_id) else {
            add_line_error(&mut errors, index, "is not a product of the catalogue");
            continue;
        };
        let Price {
            amount,
            currency: priced_in,
        } = &product.price;
        let first = *currency.get_or_insert(priced_in);
        if first != priced_in {
            let detail = format!(
                "is priced in {priced_in}, but an earlier line in {first}: an order has one currency"
            );
            add_line_error(&mut errors, index, &detail);
        }
        placed.push(OrderLine {
            product_id: line.product_id.clone(),
            name: product.name.clone(),
            quantity: line.quantity.widen(),
            unit_price: Money {
                amount: amount.get().into(),
                currency: priced_in.clone(),
            },
        });
    }
    let (Some(currency), true) = (currency, errors.is_empty()) else {
        return Err(Error::InvalidLines(errors));
    };
    let price = |line: &OrderLine| i128::from(line.quantity.get()) * line.unit_price.amount;
    let created_at = Timestamp::now();
    Ok(Order {
        id: OrderId::generate(created_at),
        customer: customer.clone(),
        status: OrderStatus::Placed,
        total: Money {
            amount: placed.iter().map(price).sum(),
            currency: currency.clone(),
        },
        lines: placed,
        pricing: prices.pricing(),
        version: Version::MIN,
        created_at,
        updated_at: created_at,
    })
}

fn add_line_error(errors: &mut FieldErrors, line: usize, detail: &str) {
    let root = Pointer::root();
    let lines = root.member("lines");
    let line = lines.item(line);
    errors.add(&line.member("productId"), detail);
}

#[cfg(test)]
mod tests {
    use dto::{MAX_PRICE, catalogue::PricedProduct};
    use json::{Int, Location, Value};

    use super::*;

    fn new(products: &[(&str, i64)]) -> NewOrder {
        let lines: Vec<_> = products
            .iter()
            .map(|(id, quantity)| format!(r#"{{"productId":"{id}","quantity":{quantity}}}"#))
            .collect();
        let order = format!(r#"{{"customer":"Ann","lines":[{}]}}"#, lines.join(","));
        let mut errors = FieldErrors::new();
        let order = Value::parse(order.as_bytes(), &mut errors).unwrap();
        json::read(order, &mut errors).unwrap()
    }

    fn prices(products: &[(&str, i64, &str)]) -> Prices {
        let product = |&(id, amount, currency): &(&str, i64, &str)| PricedProduct {
            id: id.parse().unwrap(),
            name: id.to_uppercase().parse().unwrap(),
            price: Price {
                amount: Int::new(amount).unwrap(),
                currency: currency.parse().unwrap(),
            },
        };
        let products = products.iter().map(product);
        Prices {
            products: products.map(|p| (p.id.clone(), p)).collect(),
            seen_at: Some(Timestamp::now()),
        }
    }

    #[test]
    fn an_order_keeps_the_names_and_prices_of_its_products() {
        let prices = prices(&[("cup", 1999, "DKK"), ("pot", 5, "DKK")]);
        let order = create_order(&new(&[("pot", 3), ("cup", 2)]), &prices).unwrap();
        assert_eq!(order.total.amount, 3 * 5 + 2 * 1999);
        assert_eq!(order.total.currency.as_str(), "DKK");
        assert_eq!(order.lines[0].name.as_str(), "POT");
        assert_eq!(order.lines[1].unit_price.amount, 1999);
        assert_eq!(
            (order.version.get(), order.status),
            (1, OrderStatus::Placed)
        );
        assert_eq!(order.created_at, order.updated_at);
    }

    #[test]
    fn every_line_that_cannot_be_ordered_is_reported() {
        let prices = prices(&[("b", 1, "DKK"), ("c", 1, "EUR"), ("e", 1, "SEK")]);
        let wanted = new(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
        let Err(Error::InvalidLines(errors)) = create_order(&wanted, &prices) else {
            panic!("the order was accepted")
        };
        let at: Vec<_> = errors
            .into_vec()
            .into_iter()
            .map(|error| error.at)
            .collect();
        let pointer = |line| Location::Pointer(format!("/lines/{line}/productId"));
        assert_eq!(at, [0, 2, 3, 4].map(pointer));
    }

    #[test]
    fn the_largest_order_has_an_exact_total_that_a_double_holds() {
        let ids: Vec<_> = (0..100).map(|i| format!("p{i}")).collect();
        let wanted: Vec<_> = ids.iter().map(|id| (id.as_str(), 999)).collect();
        let priced: Vec<_> = ids
            .iter()
            .map(|id| (id.as_str(), MAX_PRICE, "DKK"))
            .collect();
        let order = create_order(&new(&wanted), &prices(&priced)).unwrap();
        assert_eq!(order.total.amount, 99_900 * i128::from(MAX_PRICE));
        assert!(order.total.amount < 1 << 53);
    }
}
