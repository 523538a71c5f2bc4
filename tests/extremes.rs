//! What was accepted can be read: every kind of row, at the bounds of the API
//! and at those of the columns that hold it.

use dto::{
    json::Value as Json,
    money::MOST_AMOUNT,
    order::{MOST_LINES, MOST_QUANTITY, Order, OrderPage, OrderSummary, RowKey, SummaryRow},
    product::{MOST_ATTRIBUTE_BYTES, MOST_ATTRIBUTE_LEVELS, Product, ProductBatch, ProductPage},
};
use http::Method;
use mysql_async::{Conn, Opts, Params, prelude::Queryable};
use serde::de::DeserializeOwned;
use serde_json::json;
use tests::{Response, System, wire::Fault};
use uuid::Uuid;

/// A text of so many characters of four bytes each.
fn wide(characters: usize) -> String {
    "😀".repeat(characters)
}

fn body<T: DeserializeOwned>(response: &Response) -> T {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|error| panic!("{error}: {}", response.text()))
}

/// `attributes` of exactly the largest size, `member` repeated in an array.
fn full_of(member: &str) -> String {
    let frame = r#"{"":[],"":""}"#.len() + 1;
    let count = (MOST_ATTRIBUTE_BYTES - frame) / (member.len() + 1);
    let members = vec![member; count].join(",");
    let padding = MOST_ATTRIBUTE_BYTES - frame - members.len();
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
    let inside = MOST_ATTRIBUTE_LEVELS - 1;
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
        r#"{{"name":"{}","category":"{}","price":{{"amount":{MOST_AMOUNT},"currency":"ZZZ"}},"description":"{}","attributes":{attributes}}}"#,
        wide(200),
        wide(64),
        r"\n\t".repeat(1_000),
    )
}

async fn put(system: &System, id: &str, product: String) -> Response {
    let headers = [("content-type", "application/json")];
    let path = format!("/nosqldata/{id}");
    let put = system.client.send(Method::PUT, &path, &headers, product);
    let put = put.await;
    assert!(put.status.is_success(), "{}", put.text());
    put
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
    for (number, attributes) in extreme_attributes().iter().enumerate() {
        let id = long_id(number);
        let made = put(&system, &id, largest_product(attributes)).await;
        let path = format!("/nosqldata/{id}");
        let got = client.get(&path).await.expect(200);
        assert_eq!(got.text(), made.text());
        let product: Product = body(&got);
        let mut faults = dto::Faults::new();
        let sent = Json::parse(attributes.as_bytes(), &mut faults).unwrap();
        assert!(faults.is_empty(), "{attributes}");
        assert_eq!(Json::Object(product.attributes.0), sent);
        let patched = client.patch(&path, &json!({})).await.expect(200);
        products.push(body::<Product>(&patched));
    }
    for some in products.chunks(3) {
        let ids: Vec<_> = some.iter().map(|product| product.id.as_str()).collect();
        let batch = client
            .get(&format!("/nosqldata?ids={}", ids.join(",")))
            .await;
        let batch: ProductBatch = body(&batch.expect(200));
        assert_eq!(batch.items, some);
    }
    let category = format!("category={}&", "%F0%9F%98%80".repeat(64));
    for filter in ["", category.as_str()] {
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("/nosqldata?{filter}limit=3{cursor}");
            let page: ProductPage = body(&client.get(&page).await.expect(200));
            walked.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        walked.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(walked, products, "{filter}");
    }
    system.stop().await;
}

#[tokio::test]
async fn largest_orders_can_be_placed_read_replayed_and_summed() {
    let system = System::start().await;
    let client = &system.client;
    let mut lines = Vec::new();
    for number in 0..MOST_LINES {
        put(&system, &long_id(number), largest_product("{}")).await;
        lines.push(json!({"productId": long_id(number), "quantity": MOST_QUANTITY}));
    }
    let order = json!({"customer": wide(200), "lines": lines});
    let key = "k".repeat(255);
    let key = [("idempotency-key", key.as_str())];
    let placed = client.json(Method::POST, "/mysqldata", &key, &order).await;
    let placed = placed.expect(201);
    let first: Order = body(&placed);
    assert_eq!(first.total.amount, 999_000_000_000_000);
    let replayed = client.json(Method::POST, "/mysqldata", &key, &order).await;
    assert_eq!(replayed.expect(201).body, placed.body);
    let got = client.get(&format!("/mysqldata/{}", first.id)).await;
    assert_eq!(got.expect(200).body, placed.body);

    // By the prices that were seen last.
    system.catalogue.set(Fault::Refused).await;
    let snapshot: Order = body(&client.post("/mysqldata", &order).await.expect(201));
    assert_eq!(
        (&snapshot.lines, &snapshot.total),
        (&first.lines, &first.total)
    );
    let page: OrderPage = body(&client.get("/mysqldata").await.expect(200));
    assert_eq!(page.items, [snapshot, first.clone()]);
    let summary: OrderSummary = body(&client.get("/mysqldata/summary").await.expect(200));
    let [row] = &summary.rows[..] else {
        panic!("{summary:?}")
    };
    assert_eq!(row.revenue.amount, 2 * i128::from(first.total.amount));
    assert_eq!(row.quantity, 2 * 99_900);
    system.stop().await;
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
    let values: Vec<mysql_async::Value> = vec![
        id.into(),
        wide(200).into_bytes().into(),
        status.into(),
        i64::MAX.into(),
        i64::MAX.into(),
        i64::MAX.into(),
        at.into(),
        at.into(),
        Uuid::max().into(),
    ];
    connection
        .exec_drop(order, Params::Positional(values))
        .await
        .unwrap();
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
    let mut connection = Conn::new(Opts::from_url(&system.database).unwrap())
        .await
        .unwrap();
    let ids = [Uuid::nil(), Uuid::max(), Uuid::now_v7(), Uuid::now_v7()];
    let statuses = ["placed", "paid", "shipped", "cancelled"];
    for ((id, status), at) in ids.into_iter().zip(statuses).zip(TIMES.iter().cycle()) {
        insert_extreme_order(&mut connection, id, at, status).await;
    }
    connection.disconnect().await.unwrap();

    for id in ids {
        let got = client.get(&format!("/mysqldata/{id}")).await.expect(200);
        let order: Order = body(&got);
        assert_eq!(order.customer, wide(200));
        assert_eq!(order.lines.len(), LINES);
        assert_eq!(order.total.amount, i64::MAX);
        assert_eq!(order.lines[LINES - 1].unit_price.amount, i64::MAX);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/mysqldata?limit=1{cursor}")).await;
        let page: OrderPage = body(&page.expect(200));
        seen.extend(page.items.iter().map(|order| order.id));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    let mut all = ids.to_vec();
    all.sort();
    assert_eq!(seen, all);
    for query in [
        format!("customer={}", "%F0%9F%98%80".repeat(200)),
        "from=0000-01-01&to=9999-12-31T23:59:59.999Z".to_owned(),
        "from=9999-12-31T23:59:59.999Z".to_owned(),
    ] {
        let page = client.get(&format!("/mysqldata?{query}")).await.expect(200);
        assert!(!body::<OrderPage>(&page).items.is_empty(), "{query}");
    }

    let rows = async |by: &str| {
        let summary = client.get(&format!("/mysqldata/summary?by={by}")).await;
        body::<OrderSummary>(&summary.expect(200)).rows
    };
    let bound = i128::from(i64::MAX);
    let sums = |row: &SummaryRow| (row.orders, row.quantity, row.revenue.amount);
    // The cancelled order counts by status alone.
    let days = rows("day").await;
    assert_eq!(days[0].key, RowKey::Day("1000-01-01".to_owned()));
    assert_eq!(days[1].key, RowKey::Day("9999-12-31".to_owned()));
    assert_eq!(
        days.iter().map(sums).collect::<Vec<_>>(),
        [(2, 2 * bound, 2 * bound), (1, bound, bound)]
    );
    let products = rows("product").await;
    assert_eq!(products.len(), LINES);
    let pieces = 3 * i128::from(i32::MAX);
    for row in &products {
        assert_eq!(sums(row), (3, pieces, pieces * bound));
    }
    assert_eq!(rows("status").await.len(), 4);
    system.stop().await;
}

/// The case that was reported, at the highest price that was ever accepted.
#[tokio::test]
async fn ninety_three_orders_at_the_former_highest_price_can_be_summed() {
    let system = System::start().await;
    let url = Opts::from_url(&system.database).unwrap();
    let mut connection = Conn::new(url).await.unwrap();
    let id = Uuid::now_v7();
    insert_extreme_order(&mut connection, id, TIMES[0], "paid").await;
    let total = 1_000_000_000_000_i64 * 999 * 100;
    for statement in [
        format!("UPDATE orders SET quantity = 99900, total = {total}"),
        "UPDATE order_lines SET quantity = 999, unit_price = 1000000000000".to_owned(),
    ] {
        connection.query_drop(statement).await.unwrap();
    }
    let columns =
        "customer, status, currency, quantity, total, pricing, version, created_at, updated_at";
    let order =
        format!("INSERT INTO orders (id, {columns}) SELECT ?, {columns} FROM orders WHERE id = ?");
    let lines = "INSERT INTO order_lines SELECT ?, position, product_id, name, quantity, unit_price \
                 FROM order_lines WHERE order_id = ?";
    for _ in 1..93 {
        let copy = Uuid::now_v7();
        connection.exec_drop(&order, (copy, id)).await.unwrap();
        connection.exec_drop(lines, (copy, id)).await.unwrap();
    }
    connection.disconnect().await.unwrap();

    for by in ["day", "status", "product"] {
        let summary = format!("/mysqldata/summary?by={by}");
        let summary: OrderSummary = body(&system.client.get(&summary).await.expect(200));
        let revenue: i128 = summary.rows.iter().map(|row| row.revenue.amount).sum();
        assert_eq!(revenue, 93 * i128::from(total), "{by}");
        assert!(revenue > i128::from(i64::MAX));
    }
    system.stop().await;
}
