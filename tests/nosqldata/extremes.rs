//! Accepted data can be read: every kind of row, at the bounds of the API
//! and at those of the columns that hold it.

use dto::money::MAX_PRICE;
use http::Method;
use json::FieldErrors;
// region: mysqldata
use mysql_async::{Conn, prelude::Queryable};
// endregion
use serde::Deserialize;
use serde_json::{json, value::RawValue};
// region: mysqldata
use testbed::wire::Fault;
// endregion
use testbed::{Response, System};
// region: mysqldata
use uuid::Uuid;

use crate::mysqldata::sums::{Row, rows};
// endregion

// region: mysqldata
const MAX_LINES: usize = 100;
const MAX_QUANTITY: i64 = 999;
// endregion
const MAX_ATTRIBUTE_BYTES: usize = 16 * 1024;
const MAX_ATTRIBUTE_LEVELS: usize = 16;

/// The attributes of a product in a response, as JSON with exact numbers.
fn attributes(product: &Response) -> json::Value {
    #[derive(Deserialize)]
    struct Product<'p> {
        #[serde(borrow)]
        attributes: &'p RawValue,
    }
    let product: Product = serde_json::from_slice(&product.body).unwrap();
    parse(product.attributes.get())
}

fn parse(text: &str) -> json::Value {
    let mut errors = FieldErrors::new();
    let value = json::Value::parse(text.as_bytes(), &mut errors).unwrap();
    assert!(errors.is_empty(), "{text}");
    value
}

/// A text of so many characters of four bytes each.
fn wide(characters: usize) -> String {
    "😀".repeat(characters)
}

/// `attributes` of exactly the largest size, `member` repeated in an array.
fn full_of(member: &str) -> String {
    let frame = r#"{"":[],"":""}"#.len() + 1;
    let count = (MAX_ATTRIBUTE_BYTES - frame) / (member.len() + 1);
    let members = vec![member; count].join(",");
    let padding = MAX_ATTRIBUTE_BYTES - frame - members.len();
    format!(r#"{{"":[{members}],"~":"{}"}}"#, "x".repeat(padding))
}

/// `attributes` at each of their bounds.
fn extreme_attributes() -> Vec<String> {
    let numbers = [
        "12345678901234567890123456789012345678",
        "-99999999999999999999999999999999999999",
        "0.00000000000000000000000000000000000012345678901234567890123456789012345678",
        "9.9999999999999999999999999999999999999e125",
        "-9.9999999999999999999999999999999999999e125",
        "1e-130",
        "-1e-130",
        "-0",
    ];
    let nested = |open: &str, close: &str, levels: usize| {
        format!("{}{}", open.repeat(levels), close.repeat(levels))
    };
    let inside = MAX_ATTRIBUTE_LEVELS - 1;
    vec![
        format!(r#"{{"numbers":[{}]}}"#, numbers.join(",")),
        format!(r#"{{"":{}}}"#, nested("[", "]", inside)),
        nested(r#"{"":"#, "}", inside).replacen('}', "{}}", 1),
        format!(r#"{{"~~":{},"":null,"~":""}}"#, nested("[", "]", inside)),
        full_of("[]"),
        full_of("{}"),
        full_of("null"),
        full_of("\"\""),
        full_of("-1e-130"),
        full_of(r#""\"""#),
        full_of(r#""\\\\\\\\""#),
        full_of(r#""\u0000\u001f""#),
        full_of(r#"{"":{"~":[{"":{}}]}}"#),
        full_of(&format!("\"{}\"", wide(100))),
    ]
}

/// A product with every member at its bound.
fn largest_product(attributes: &str) -> String {
    format!(
        r#"{{"name":"{}","category":"{}","price":{{"amount":{MAX_PRICE},"currency":"ZZZ"}},"description":"{}","attributes":{attributes}}}"#,
        wide(200),
        wide(64),
        r"\n\t".repeat(1_000),
    )
}

async fn put(system: &System, id: &str, product: String) -> Response {
    let headers = [("content-type", "application/json")];
    let path = format!("/nosqldata/{id}");
    let put = system.client.send(Method::PUT, &path, &headers, product);
    put.await.expect(201)
}

/// The longest id that there is for a number.
fn long_id(number: usize) -> String {
    format!("p{number:063}")
}

#[tokio::test]
async fn largest_products_can_be_read_on_every_path() {
    let system = System::start().await;
    let client = &system.client;
    let mut products = Vec::new();
    for (number, sent) in extreme_attributes().iter().enumerate() {
        let id = long_id(number);
        let created = put(&system, &id, largest_product(sent)).await;
        let path = format!("/nosqldata/{id}");
        let read = client.get(&path).await.expect(200);
        assert_eq!(read.body, created.body);
        assert_eq!(attributes(&read), parse(sent));
        let patched = client.patch(&path, &json!({})).await.expect(200);
        products.push(patched.json());
    }
    for some in products.chunks(3) {
        let ids: Vec<_> = some.iter().map(|it| it["id"].as_str().unwrap()).collect();
        let batch = client
            .get(&format!("/nosqldata?ids={}", ids.join(",")))
            .await;
        assert_eq!(batch.expect(200).items(), some);
    }
    let category = "%F0%9F%98%80".repeat(64);
    for list in [
        "/nosqldata?limit=3",
        &format!("/nosqldata?limit=3&category={category}"),
    ] {
        let mut walked = system.client.walk(list).await;
        walked.sort_by_key(|product| product["id"].to_string());
        assert_eq!(walked, products, "{list}");
    }
}

// region: mysqldata
#[tokio::test]
async fn largest_orders_can_be_placed_read_replayed_and_summed() {
    let system = System::start().await;
    let client = &system.client;
    let mut lines = Vec::new();
    for number in 0..MAX_LINES {
        put(&system, &long_id(number), largest_product("{}")).await;
        lines.push(json!({"productId": long_id(number), "quantity": MAX_QUANTITY}));
    }
    let order = json!({"customer": wide(200), "lines": lines});
    let key = "k".repeat(255);
    let placed = client
        .post_once("/mysqldata", &key, &order)
        .await
        .expect(201);
    let first = placed.json();
    assert_eq!(first["total"]["amount"], 999_000_000_000_000_i64);
    let replayed = client.post_once("/mysqldata", &key, &order).await;
    assert_eq!(replayed.expect(201).body, placed.body);
    let read = client.get(placed.header("location")).await.expect(200);
    assert_eq!(read.body, placed.body);

    // At snapshot prices.
    system.catalogue.set(Fault::Refused).await;
    let snapshot = client.post("/mysqldata", &order).await.expect(201).json();
    for member in ["lines", "total"] {
        assert_eq!(snapshot[member], first[member]);
    }
    let list = client.get("/mysqldata").await.expect(200);
    assert_eq!(list.items(), [snapshot, first]);
    // There are two days if the test runs at midnight.
    let days = rows(&system, "by=day").await;
    let sum = |of: fn(&Row) -> i128| days.iter().map(of).sum::<i128>();
    assert_eq!(sum(|day| day.orders), 2);
    assert_eq!(sum(|day| day.revenue.amount), 2 * 999_000_000_000_000);
    assert_eq!(sum(|day| day.quantity), 2 * 99_900);
}

/// The first and the last time that the database can hold.
const TIMES: [&str; 2] = ["1000-01-01 00:00:00.000", "9999-12-31 23:59:59.999"];

/// The lines of each order that is written straight into the database.
const LINES: usize = 100;

/// Writes an order with every column at its bound.
async fn insert_extreme_order(connection: &mut Conn, id: Uuid, at: &str, status: &str) {
    let order = "INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, \
                 version, created_at, updated_at, change_id) \
                 VALUES (?, ?, ?, 'ZZZ', ?, ?, 'snapshot', ?, ?, ?, ?)";
    let (customer, most) = (wide(200), i64::MAX);
    let values = (id, customer, status, most, most, most, at, at, Uuid::max());
    connection.exec_drop(order, values).await.unwrap();
    let line = "INSERT INTO order_lines (order_id, position, product_id, name, quantity, unit_price) \
                VALUES (?, ?, ?, ?, ?, ?)";
    let lines = (0..LINES).map(|position| {
        let name = wide(200);
        (id, position, long_id(position), name, i32::MAX, i64::MAX)
    });
    connection.exec_batch(line, lines).await.unwrap();
}

#[tokio::test]
async fn orders_at_the_bounds_of_their_columns_can_be_read_and_summed() {
    let system = System::start().await;
    let client = &system.client;
    let mut connection = system.connect().await;
    let ids = [Uuid::nil(), Uuid::max(), Uuid::now_v7(), Uuid::now_v7()];
    let statuses = ["placed", "paid", "shipped", "cancelled"];
    for ((id, status), at) in ids.into_iter().zip(statuses).zip(TIMES.iter().cycle()) {
        insert_extreme_order(&mut connection, id, at, status).await;
    }
    for id in ids {
        let order = client
            .get(&format!("/mysqldata/{id}"))
            .await
            .expect(200)
            .json();
        assert_eq!(order["customer"], wide(200));
        assert_eq!(order["lines"].as_array().unwrap().len(), LINES);
        assert_eq!(order["total"]["amount"], i64::MAX);
        assert_eq!(order["lines"][LINES - 1]["unitPrice"]["amount"], i64::MAX);
    }
    let walked = client.walk("/mysqldata?limit=1").await;
    let mut walked: Vec<_> = walked.iter().map(|it| it["id"].clone()).collect();
    walked.sort_by_key(ToString::to_string);
    let mut all = ids.map(|id| id.to_string());
    all.sort();
    assert_eq!(walked, all);
    for query in [
        &format!("customer={}", "%F0%9F%98%80".repeat(200)),
        "from=0000-01-01&to=9999-12-31T23:59:59.999Z",
        "from=9999-12-31T23:59:59.999Z",
    ] {
        let list = client.get(&format!("/mysqldata?{query}")).await.expect(200);
        assert!(!list.items().is_empty(), "{query}");
    }

    let bound = i128::from(i64::MAX);
    let sums = |row: &Row| (row.orders, row.quantity, row.revenue.amount);
    // The cancelled order counts by status alone.
    let days = rows(&system, "by=day").await;
    assert_eq!(days[0].key, "1000-01-01");
    assert_eq!(days[1].key, "9999-12-31");
    let expected = [(2, 2 * bound, 2 * bound), (1, bound, bound)];
    assert_eq!(days.iter().map(sums).collect::<Vec<_>>(), expected);
    let products = rows(&system, "by=product").await;
    assert_eq!(products.len(), LINES);
    let pieces = 3 * i128::from(i32::MAX);
    for row in &products {
        assert_eq!(sums(row), (3, pieces, pieces * bound));
    }
    assert_eq!(rows(&system, "by=status").await.len(), 4);
}

// endregion
