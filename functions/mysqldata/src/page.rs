//! A page of the list, cut where an answer ends that Lambda still delivers.

use chassis::cursor::List;
use dto::order::{Order, OrderPage};
use serde_json::to_vec;

use crate::error::Error;

/// The most bytes of a page's orders, as Lambda's answer carries them. Lambda
/// lets an answer be 6 MB; 100 of the largest orders are more.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The page of `list` that begins with `orders`: at most `limit` of them, and
/// fewer if they are large. Where there are more, it says how to go on.
///
/// # Errors
///
/// [`Error::Answer`] if an order or a cursor cannot be written as JSON.
pub fn page(mut orders: Vec<Order>, limit: u32, list: &List<'_>) -> Result<OrderPage, Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let fit = fitting(&orders, MOST_BYTES)?.min(limit);
    let more = orders.len() > fit;
    orders.truncate(fit);
    let end = orders.last().filter(|_| more);
    let next_cursor = end.map(|order| list.seal(&(order.created_at, order.id)));
    Ok(OrderPage {
        message: "MySql Data".to_owned(),
        items: orders,
        next_cursor: next_cursor.transpose()?,
    })
}

/// How many of the first orders fit into `most` bytes; one does in any case.
fn fitting(orders: &[Order], most: usize) -> Result<usize, Error> {
    let mut bytes = 0;
    for (count, order) in orders.iter().enumerate() {
        bytes += carried(&to_vec(order)?);
        if bytes > most && count > 0 {
            return Ok(count);
        }
    }
    Ok(orders.len())
}

/// The bytes of `json` within Lambda's answer, which is JSON and has the body
/// as a string in it: quotes and backslashes are escaped once more.
fn carried(json: &[u8]) -> usize {
    let escaped = json.iter().filter(|byte| matches!(byte, b'"' | b'\\'));
    json.len() + escaped.count() + 1
}

#[cfg(test)]
mod tests {
    use dto::{
        Money, Timestamp,
        order::{OrderLine, OrderStatus, Pricing},
        product::ProductId,
    };
    use uuid::Uuid;

    use super::*;
    use crate::store::Position;

    const LIST: List<'_> = List {
        name: "/mysqldata",
        filters: &[],
    };

    fn order(lines: usize, name: &str) -> Order {
        let at = Timestamp::now();
        let price = Money {
            amount: 1,
            currency: "DKK".to_owned(),
        };
        let line = OrderLine {
            product_id: ProductId::parse("cup").unwrap(),
            name: name.to_owned(),
            quantity: 1,
            unit_price: price.clone(),
        };
        Order {
            id: Uuid::now_v7(),
            customer: "Ann".to_owned(),
            status: OrderStatus::Placed,
            lines: vec![line; lines],
            total: price,
            pricing: Pricing::Live,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    fn cursor_of(page: &OrderPage) -> Option<Uuid> {
        let cursor = page.next_cursor.as_deref()?;
        let (_, id): Position = LIST.open(cursor).unwrap();
        Some(id)
    }

    #[test]
    fn a_page_says_how_to_go_on_only_if_there_is_more() {
        let orders = vec![order(1, "Cup"), order(1, "Cup"), order(1, "Cup")];
        let whole = page(orders.clone(), 3, &LIST).unwrap();
        assert_eq!((whole.items.len(), whole.next_cursor), (3, None));
        let half = page(orders.clone(), 2, &LIST).unwrap();
        assert_eq!(half.items.len(), 2);
        assert_eq!(cursor_of(&half), Some(orders[1].id));
        let none = page(Vec::new(), 2, &LIST).unwrap();
        assert_eq!((none.items.len(), none.next_cursor), (0, None));
    }

    #[test]
    fn a_page_of_large_orders_is_cut_to_what_lambda_delivers() {
        for name in ["\u{1f63a}", "\"", "\\", "x"] {
            let orders: Vec<_> = (0..101).map(|_| order(100, &name.repeat(200))).collect();
            let page = page(orders, 100, &LIST).unwrap();
            let answer = serde_json::to_string(&page).unwrap();
            let carried = serde_json::to_string(&answer).unwrap();
            assert!(carried.len() < MOST_BYTES + 1_000, "{}", carried.len());
            assert_eq!(cursor_of(&page), page.items.last().map(|order| order.id));
        }
        assert_eq!(fitting(&[order(100, "x")], 1).unwrap(), 1);
    }
}
