//! The orders, over HTTP and on real stores, priced by the real catalogue.

use http::Method;
use serde_json::{Value, json};
use tests::{Response, System};

/// Puts a product into the catalogue.
async fn product(system: &System, id: &str, amount: i64, currency: &str) {
    let product = json!({"name": format!("The {id}"), "category": "c", "price": {"amount": amount, "currency": currency}});
    let put = system
        .client
        .put(&format!("/nosqldata/{id}"), &product)
        .await;
    assert!(put.status.is_success(), "{}", put.text());
}

/// Places an order of one line.
async fn place(system: &System, customer: &str, product: &str, quantity: i64) -> Response {
    let order =
        json!({"customer": customer, "lines": [{"productId": product, "quantity": quantity}]});
    system.client.post("/mysqldata", &order).await
}

fn path(order: &Value) -> String {
    format!("/mysqldata/{}", order["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_order_lives_its_life() {
    let system = System::start().await;
    let client = &system.client;
    product(&system, "cup", 1_050, "DKK").await;
    product(&system, "dear", 10_000_000_000, "DKK").await;

    let placed = client
        .post("/mysqldata", &json!({"customer": "Zoë 😀", "lines": [{"productId": "dear", "quantity": 999}, {"productId": "cup", "quantity": 3}]}))
        .await
        .expect(201);
    let order = placed.json();
    assert_eq!(placed.header("location"), path(&order));
    assert_eq!(placed.header("etag"), "\"1\"");
    assert_eq!(order["customer"], "Zoë 😀");
    assert_eq!(order["status"], "placed");
    assert_eq!(order["pricing"], "live");
    assert_eq!(order["version"], 1);
    assert_eq!(
        order["total"],
        json!({"amount": 9_990_000_003_150_i64, "currency": "DKK"})
    );
    assert_eq!(
        order["lines"][1],
        json!({"productId": "cup", "name": "The cup", "quantity": 3, "unitPrice": {"amount": 1_050, "currency": "DKK"}})
    );
    let id: uuid::Uuid = order["id"].as_str().unwrap().parse().unwrap();
    let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
    let created = dto::Timestamp::parse_time_or_date(order["createdAt"].as_str().unwrap())
        .unwrap()
        .utc();
    assert_eq!(
        created.unix_timestamp_nanos(),
        i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
    );

    let got = client.get(&path(&order)).await.expect(200);
    assert_eq!(got.json(), order);
    assert_eq!(got.header("etag"), placed.header("etag"));
    // Its id is read in either case and written in lower case.
    let capitals = format!(
        "/mysqldata/{}",
        order["id"].as_str().unwrap().to_uppercase()
    );
    assert_eq!(client.get(&capitals).await.expect(200).json(), order);
    client
        .get_with(&path(&order), &[("if-none-match", "\"1\"")])
        .await
        .expect(304);

    // What was ordered keeps its price and name.
    product(&system, "cup", 9_999, "DKK").await;
    client
        .send(Method::DELETE, "/nosqldata/dear", &[], "")
        .await
        .expect(204);
    assert_eq!(client.get(&path(&order)).await.json(), order);

    let paid = client
        .patch(&capitals, &json!({"status": "paid"}))
        .await
        .expect(200);
    assert_eq!(paid.json()["id"], order["id"]);
    assert_eq!(paid.header("etag"), "\"2\"");
    assert_eq!(paid.json()["version"], 2);
    assert_eq!(paid.json()["createdAt"], order["createdAt"]);
    let shipped = client
        .json(
            Method::PATCH,
            &path(&order),
            &[("if-match", "\"2\"")],
            &json!({"status": "shipped"}),
        )
        .await
        .expect(200);
    assert_eq!(shipped.json()["status"], "shipped");
    assert_eq!(client.get(&path(&order)).await.json(), shipped.json());
    system.stop().await;
}

#[tokio::test]
async fn a_status_moves_only_as_it_may() {
    let system = System::start().await;
    let client = &system.client;
    product(&system, "cup", 1, "DKK").await;
    let may = |from: &str, to: &str| {
        matches!(
            (from, to),
            ("placed", "paid" | "cancelled") | ("paid", "shipped" | "cancelled")
        )
    };
    let ways: [(&str, &[&str]); 4] = [
        ("placed", &[]),
        ("paid", &["paid"]),
        ("shipped", &["paid", "shipped"]),
        ("cancelled", &["cancelled"]),
    ];
    for (from, way) in ways {
        for to in ["placed", "paid", "shipped", "cancelled"] {
            let order = place(&system, "c", "cup", 1).await.expect(201).json();
            for step in way {
                client
                    .patch(&path(&order), &json!({"status": step}))
                    .await
                    .expect(200);
            }
            let before = client.get(&path(&order)).await.json();
            let stale = client
                .json(
                    Method::PATCH,
                    &path(&order),
                    &[("if-match", "\"77\"")],
                    &json!({"status": to}),
                )
                .await;
            stale.problem(412);
            let moved = client.patch(&path(&order), &json!({"status": to})).await;
            if may(from, to) {
                assert_eq!(moved.expect(200).json()["status"], to);
            } else {
                moved.problem(409);
                assert_eq!(client.get(&path(&order)).await.json(), before);
            }
        }
    }
    let unknown = "/mysqldata/01a1a14c-afba-72da-b5b1-000000000000";
    client
        .patch(unknown, &json!({"status": "paid"}))
        .await
        .problem(404);
    client
        .json(
            Method::PATCH,
            unknown,
            &[("if-match", "*")],
            &json!({"status": "paid"}),
        )
        .await
        .problem(404);
    client.get(unknown).await.problem(404);
    for never in [
        "x",
        "%00",
        "01A1A14C",
        "%ff",
        "01a1a14c-afba-72da-b5b1-00000000000g",
    ] {
        client
            .get(&format!("/mysqldata/{never}"))
            .await
            .problem(404);
        client
            .patch(&format!("/mysqldata/{never}"), &json!({}))
            .await
            .problem(422);
    }
    system.stop().await;
}

#[tokio::test]
async fn what_cannot_be_ordered_is_said_line_by_line() {
    let system = System::start().await;
    let client = &system.client;
    product(&system, "cup", 100, "DKK").await;
    product(&system, "pot", 100, "EUR").await;
    let order = |lines: Value| json!({"customer": "c", "lines": lines});

    let unknown = order(
        json!([{"productId": "gone", "quantity": 1}, {"productId": "cup", "quantity": 1}, {"productId": "nor", "quantity": 1}]),
    );
    assert_eq!(
        client.post("/mysqldata", &unknown).await.faults(422),
        ["/lines/0/productId", "/lines/2/productId"]
    );
    let mixed =
        order(json!([{"productId": "cup", "quantity": 1}, {"productId": "pot", "quantity": 1}]));
    client.post("/mysqldata", &mixed).await.problem(422);
    let wrong = json!({"customer": "c\u{0}", "id": 1, "lines": [{"productId": "cup", "quantity": 0}, {"productId": "cup", "quantity": 1}]});
    let mut faults = client.post("/mysqldata?x=1", &wrong).await.faults(422);
    faults.sort();
    assert_eq!(
        faults,
        [
            "/customer",
            "/id",
            "/lines/0/quantity",
            "/lines/1/productId",
            "x"
        ]
    );
    // Nothing of it was kept, and what shows without the catalogue never asks it.
    assert_eq!(client.get("/mysqldata").await.json()["items"], json!([]));
    let asked = system
        .gateway
        .calls()
        .iter()
        .filter(|call| call.contains("ids="))
        .count();
    assert_eq!(asked, 2);

    client
        .send(Method::DELETE, "/mysqldata/x", &[], "")
        .await
        .problem(405);
    system.stop().await;
}

/// Places `count` orders a few milliseconds apart; every third is paid.
async fn many(system: &System, count: usize) -> Vec<Value> {
    product(system, "cup", 100, "DKK").await;
    let mut orders = Vec::new();
    for n in 0..count {
        let order = place(system, if n % 2 == 0 { "ann" } else { "Ann " }, "cup", 1)
            .await
            .expect(201)
            .json();
        let order = if n % 3 == 0 {
            system
                .client
                .patch(&path(&order), &json!({"status": "paid"}))
                .await
                .expect(200)
                .json()
        } else {
            order
        };
        orders.push(order);
    }
    orders.reverse();
    orders
}

async fn walk(system: &System, query: &str, limit: usize) -> Vec<Value> {
    let mut orders = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = system
            .client
            .get(&format!("/mysqldata?{query}limit={limit}{cursor}"))
            .await
            .expect(200)
            .json();
        assert_eq!(page["message"], "MySql Data");
        orders.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else {
            return orders;
        };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn the_list_is_newest_first_and_a_walk_sees_each_once() {
    let system = System::start().await;
    let orders = many(&system, 13).await;
    let key = |order: &Value| (order["createdAt"].to_string(), order["id"].to_string());
    for limit in [1, 4, 13, 100] {
        let walked = walk(&system, "", limit).await;
        assert_eq!(walked.len(), orders.len());
        assert!(walked.is_sorted_by(|a, b| key(a) > key(b)));
        assert!(orders.iter().all(|order| walked.contains(order)));
    }
    let only = |keep: &dyn Fn(&Value) -> bool| orders.iter().filter(|o| keep(o)).count();
    assert_eq!(
        walk(&system, "status=paid&", 2).await.len(),
        only(&|o| o["status"] == "paid")
    );
    assert_eq!(walk(&system, "status=shipped&", 2).await.len(), 0);
    // To the byte: neither case nor a blank at the end is folded.
    assert_eq!(walk(&system, "customer=ann&", 3).await.len(), 7);
    assert_eq!(walk(&system, "customer=Ann+&", 3).await.len(), 6);
    assert_eq!(walk(&system, "customer=Ann&", 3).await.len(), 0);
    assert_eq!(
        walk(&system, "customer=ann&status=paid&", 1).await.len(),
        only(&|o| o["status"] == "paid" && o["customer"] == "ann")
    );

    let at = orders[5]["createdAt"].as_str().unwrap();
    let since = walk(&system, &format!("from={at}&"), 100).await;
    assert_eq!(
        since.len(),
        only(&|o| o["createdAt"].as_str().unwrap() >= at)
    );
    let until = walk(&system, &format!("to={at}&"), 100).await;
    assert_eq!(until.len(), orders.len() - since.len());
    assert_eq!(
        walk(&system, &format!("from={at}&to={at}&"), 100)
            .await
            .len(),
        0
    );
    assert_eq!(walk(&system, "to=0001-01-01&", 100).await.len(), 0);
    assert_eq!(
        walk(&system, "from=0000-01-01&to=9999-12-31&", 100)
            .await
            .len(),
        13
    );
    assert_eq!(
        walk(&system, "from=9999-12-31T23:59:59Z&", 100).await.len(),
        0
    );

    // Orders are placed while somebody walks.
    let page = system.client.get("/mysqldata?limit=5").await.json();
    place(&system, "late", "cup", 1).await.expect(201);
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = system
        .client
        .get(&format!("/mysqldata?limit=100&cursor={cursor}"))
        .await
        .expect(200)
        .json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 8);
    for other in ["status=paid&", "customer=ann&", "from=2026-01-01&"] {
        let answer = system
            .client
            .get(&format!("/mysqldata?{other}cursor={cursor}"))
            .await;
        assert_eq!(answer.faults(400), ["cursor"]);
    }
    system.stop().await;
}

#[tokio::test]
async fn parameters_are_checked_all_at_once() {
    let system = System::start().await;
    let client = &system.client;
    let mut faults = client
        .get("/mysqldata?status=lost&customer=&from=x&to=2026-02-30&limit=101&page=2&status=paid")
        .await
        .faults(422);
    faults.sort();
    faults.dedup();
    assert_eq!(
        faults,
        ["customer", "from", "limit", "page", "status", "to"]
    );
    assert!(
        !client
            .get("/mysqldata?from=2026-01-02&to=2026-01-01")
            .await
            .faults(422)
            .is_empty()
    );
    assert!(
        !client
            .get("/mysqldata/summary?from=2026-01-02&to=2026-01-01")
            .await
            .faults(422)
            .is_empty()
    );
    let mut faults = client
        .get("/mysqldata/summary?by=week&limit=1&from=2026-13-01")
        .await
        .faults(422);
    faults.sort();
    assert_eq!(faults, ["by", "from", "limit"]);
    for path in ["/mysqldata", "/mysqldata/summary"] {
        for time in [
            "2026-11-25t00:00:00z",
            "2026-11-25T00:00:00z",
            "2026-11-25+00:00:00Z",
            "2026-11-25T00:00:60Z",
        ] {
            for name in ["from", "to"] {
                let answer = client.get(&format!("{path}?{name}={time}")).await;
                assert_eq!(answer.faults(422), [name], "{path}: {time}");
            }
        }
        let time = "2026-11-25T00:00:00.0000000000%2B14:00";
        client.get(&format!("{path}?from={time}")).await.expect(200);
    }
    client
        .get("/mysqldata/01a1a14c-afba-72da-b5b1-000000000000?x=1")
        .await
        .problem(422);
    system.stop().await;
}

#[tokio::test]
async fn the_summary_counts_exactly() {
    let system = System::with_samples().await;
    let client = &system.client;
    let orders = walk(&system, "", 100).await;
    let samples: Vec<_> = orders
        .iter()
        .filter(|o| o["status"] != "cancelled")
        .collect();
    let sum = |rows: &Value, member: &str| -> i64 {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| {
                row[member]
                    .as_i64()
                    .unwrap_or_else(|| row[member]["amount"].as_i64().unwrap())
            })
            .sum()
    };
    let revenue: i64 = samples
        .iter()
        .map(|o| o["total"]["amount"].as_i64().unwrap())
        .sum();
    let quantity: i64 = samples
        .iter()
        .flat_map(|o| o["lines"].as_array().unwrap())
        .map(|l| l["quantity"].as_i64().unwrap())
        .sum();

    let by_day = client.get("/mysqldata/summary").await.expect(200).json();
    assert_eq!(by_day["by"], "day");
    let rows = &by_day["rows"];
    assert_eq!(sum(rows, "orders"), i64::try_from(samples.len()).unwrap());
    assert_eq!(
        (sum(rows, "revenue"), sum(rows, "quantity")),
        (revenue, quantity)
    );
    assert!(
        rows.as_array()
            .unwrap()
            .is_sorted_by_key(|row| row["day"].to_string())
    );

    let by_product = client
        .get("/mysqldata/summary?by=product")
        .await
        .expect(200)
        .json();
    let rows = &by_product["rows"];
    assert_eq!(
        (sum(rows, "revenue"), sum(rows, "quantity")),
        (revenue, quantity)
    );
    let cups = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["product"] == "espresso-cups")
        .unwrap();
    assert_eq!(cups["orders"], 2);
    assert!(
        rows.as_array()
            .unwrap()
            .is_sorted_by_key(|row| row["product"].to_string())
    );

    let by_status = client
        .get("/mysqldata/summary?by=status")
        .await
        .expect(200)
        .json();
    let statuses: Vec<_> = by_status["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["status"].clone())
        .collect();
    assert_eq!(statuses, ["cancelled", "paid", "placed", "shipped"]);
    assert_eq!(
        sum(&by_status["rows"], "orders"),
        i64::try_from(orders.len()).unwrap()
    );

    let one_day = client
        .get("/mysqldata/summary?from=2026-11-06&to=2026-11-07")
        .await
        .expect(200)
        .json();
    assert_eq!(one_day["rows"].as_array().unwrap().len(), 1);
    assert_eq!(one_day["rows"][0]["day"], "2026-11-06");

    // A second currency has a row of its own.
    product(&system, "euro", 7, "EUR").await;
    place(&system, "c", "euro", 2).await.expect(201);
    let placed = client.get("/mysqldata/summary?by=status").await.json();
    let placed: Vec<_> = placed["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["status"] == "placed")
        .collect();
    assert_eq!(placed.len(), 2);
    assert_eq!(
        placed[1]["revenue"],
        json!({"amount": 14, "currency": "EUR"})
    );
    system.stop().await;
}

#[tokio::test]
async fn an_order_costs_one_call_and_one_transaction_whatever_its_lines() {
    let system = System::start().await;
    let mut lines = Vec::new();
    for n in 0..20 {
        product(&system, &format!("p{n}"), 100 + n, "DKK").await;
        lines.push(json!({"productId": format!("p{n}"), "quantity": 2}));
    }
    let warm = json!({"customer": "c", "lines": lines[..1]});
    system.client.post("/mysqldata", &warm).await.expect(201);
    let cost = async |order: Value| {
        let before = system.gateway.calls().len();
        system.mysql.take();
        system.dynamodb.take();
        system.client.post("/mysqldata", &order).await.expect(201);
        let calls = system.gateway.calls();
        let to_the_catalogue = calls[before..]
            .iter()
            .filter(|call| call.contains("/nosqldata"))
            .count();
        let dynamodb: usize = system.dynamodb.take().values().sum();
        let commands: usize = system
            .mysql
            .take()
            .iter()
            .filter(|(name, _)| !name.contains("PREPARE") && !name.contains("CLOSE"))
            .map(|(_, n)| n)
            .sum();
        (to_the_catalogue, dynamodb, commands)
    };
    let one = cost(json!({"customer": "c", "lines": lines[..1]})).await;
    let twenty = cost(json!({"customer": "c", "lines": lines})).await;
    assert_eq!((twenty.0, twenty.1), (1, 1));
    assert_eq!(one, twenty, "the cost grows with the lines");
    system.stop().await;
}

#[tokio::test]
async fn without_the_catalogue_an_order_is_503_and_not_half_there() {
    let system = System::start().await;
    product(&system, "cup", 100, "DKK").await;
    system
        .store()
        .delete_table()
        .table_name(&system.table)
        .send()
        .await
        .unwrap();
    let answer = place(&system, "c", "cup", 1).await;
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    answer.problem(503);
    assert_eq!(
        system.client.get("/mysqldata").await.expect(200).json()["items"],
        json!([])
    );
    system.stop().await;
}
