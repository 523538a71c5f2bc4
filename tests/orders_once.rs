//! Orders that are placed once, however often they are asked for, and that are
//! placed although the catalogue or a connection is away.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use http::Method;
use mysql_async::{Conn, Opts, prelude::Queryable};
use serde_json::{Value, json};
use tests::{Response, System};
use tokio::time::{Instant, sleep};

/// How many ask at once.
const CLIENTS: usize = 64;

/// Puts a product into the catalogue.
async fn product(system: &System, id: &str, amount: i64, currency: &str) {
    let product = json!({"name": format!("The {id}"), "category": "c", "price": {"amount": amount, "currency": currency}});
    let path = format!("/nosqldata/{id}");
    let put = system.client.put(&path, &product).await;
    assert!(put.status.is_success(), "{}", put.text());
}

fn order(customer: &str, products: &[&str]) -> Value {
    let line = |id: &&str| json!({"productId": id, "quantity": 2});
    json!({"customer": customer, "lines": products.iter().map(line).collect::<Vec<_>>()})
}

/// Places an order under a key.
async fn once(system: &System, key: &str, order: &Value) -> Response {
    let headers = [("idempotency-key", key)];
    let path = "/mysqldata";
    system
        .client
        .json(Method::POST, path, &headers, order)
        .await
}

async fn orders(system: &System) -> Vec<Value> {
    let page = system.client.get("/mysqldata?limit=100").await.expect(200);
    page.json()["items"].as_array().unwrap().clone()
}

/// A connection to the test's database, past its proxy.
async fn database(system: &System) -> Conn {
    Conn::new(Opts::from_url(&system.database).unwrap())
        .await
        .unwrap()
}

async fn sql(system: &System, statement: &str) {
    let mut connection = database(system).await;
    connection.query_drop(statement).await.unwrap();
    connection.disconnect().await.unwrap();
}

async fn count(system: &System, table: &str) -> usize {
    let mut connection = database(system).await;
    let count = connection.query_first(format!("SELECT COUNT(*) FROM {table}"));
    let count = count.await.unwrap().unwrap();
    connection.disconnect().await.unwrap();
    count
}

/// Ends every connection that the functions have to the test's database.
async fn kill_connections(connection: &mut Conn) {
    let sql = "SELECT id FROM information_schema.processlist \
               WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let ids: Vec<u64> = connection.query(sql).await.unwrap();
    for id in ids {
        // It may have ended by itself.
        let _ = connection.query_drop(format!("KILL {id}")).await;
    }
}

fn is_replay(response: &Response) -> bool {
    match response.header("idempotency-replayed") {
        "" => false,
        replayed => replayed == "true" || panic!("{replayed}"),
    }
}

/// Takes the catalogue's table away.
async fn lose_the_catalogue(system: &System) {
    let deleted = system.store().delete_table().table_name(&system.table);
    deleted.send().await.unwrap();
}

/// Gives the catalogue its table back, empty, and waits until it knows.
async fn mend_the_catalogue(system: &System) {
    let prefix = system.table.strip_suffix("products").unwrap();
    let client = system.store();
    let template = stores::template();
    let tables = stores::dynamodb::create_tables(&client, &template, prefix).await;
    assert!(tables.unwrap().contains(&system.table));
    let started = Instant::now();
    while system.client.get("/nosqldata").await.status != 200 {
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "it does not heal"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_one_key_are_one_order() {
    let system = System::with_instances(8).await;
    product(&system, "cup", 100, "DKK").await;
    let order = order("ann", &["cup"]);
    let answers = join_all((0..CLIENTS).map(|_| once(&system, "one", &order))).await;

    let placed: Vec<_> = orders(&system).await;
    assert_eq!(placed.len(), 1);
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 201);
    assert_eq!(done.iter().filter(|answer| !is_replay(answer)).count(), 1);
    for answer in &done {
        assert_eq!(answer.json(), placed[0]);
        assert_eq!(answer.body, done[0].body, "byte for byte");
        for header in ["etag", "location", "content-type"] {
            assert_eq!(answer.header(header), done[0].header(header));
        }
    }
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "1");
        answer.problem(409);
    }
    system.stop().await;
}

#[tokio::test]
async fn a_key_names_one_request() {
    let system = System::start().await;
    product(&system, "cup", 100, "DKK").await;
    let cup = order("ann", &["cup"]);
    let first = once(&system, "a key-1", &cup).await;
    assert_eq!(first.faults(400), ["Idempotency-Key"]);
    let first = once(&system, "key-1", &cup).await.expect(201);
    assert!(!is_replay(&first));

    // The price that it was placed at stays, and so does the answer.
    product(&system, "cup", 999, "DKK").await;
    for key in ["key-1", "\"key-1\"", " key-1"] {
        let again = once(&system, key, &cup).await.expect(201);
        assert!(is_replay(&again));
        assert_eq!(again.body, first.body);
    }
    let headers = [
        ("idempotency-key", "key-1"),
        ("content-type", "application/json"),
    ];
    let spelt = r#"{ "lines":[{"quantity":2.0,"productId":"c\u0075p"}], "customer":"ann" }"#;
    let again = system
        .client
        .send(Method::POST, "/mysqldata", &headers, spelt)
        .await;
    assert!(is_replay(&again.expect(201)));

    let other = order("bob", &["cup"]);
    let refused = once(&system, "key-1", &other).await;
    assert_eq!(refused.faults(422), ["Idempotency-Key"]);
    // What shows without a store comes first.
    let wrong = once(&system, "key-1", &order("", &["cup"])).await;
    assert_eq!(wrong.faults(422), ["/customer"]);
    for malformed in ["", "\"key-1", "key 1", "key-1,key-1", &"k".repeat(256)] {
        let refused = once(&system, malformed, &cup).await;
        assert_eq!(refused.faults(400), ["Idempotency-Key"], "{malformed}");
    }
    // To the byte.
    for new in ["KEY-1", "\"key-1 \"", &"k".repeat(255)] {
        assert!(!is_replay(&once(&system, new, &other).await.expect(201)));
    }
    assert_eq!(orders(&system).await.len(), 4);
    system.stop().await;
}

#[tokio::test]
async fn a_key_ends_when_its_time_is_over() {
    let system = System::start().await;
    product(&system, "cup", 100, "DKK").await;
    let first = once(&system, "key", &order("ann", &["cup"]))
        .await
        .expect(201);
    let age = "UPDATE idempotency_keys SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND";
    sql(&system, age).await;
    let bob = order("bob", &["cup"]);
    let second = once(&system, "key", &bob).await.expect(201);
    assert!(!is_replay(&second));
    assert_ne!(second.json()["id"], first.json()["id"]);
    let again = once(&system, "key", &bob).await.expect(201);
    assert!(is_replay(&again) && again.body == second.body);
    assert_eq!(count(&system, "idempotency_keys").await, 1);

    // Those that expired long ago go as others come.
    for n in 0..25 {
        once(&system, &format!("old-{n}"), &bob).await.expect(201);
    }
    let age = "UPDATE idempotency_keys SET expires_at = expires_at - INTERVAL 3 DAY";
    sql(&system, age).await;
    for n in 0..3 {
        once(&system, &format!("new-{n}"), &bob).await.expect(201);
    }
    assert_eq!(count(&system, "idempotency_keys").await, 3);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_first_request_goes_on_is_waited_for() {
    let system = System::with_instances(2).await;
    product(&system, "cup", 100, "DKK").await;
    let cup = order("ann", &["cup"]);
    let mut first = database(&system).await;
    let hold = "INSERT INTO idempotency_keys \
                VALUES ('', 'POST /mysqldata', 'key', '', '', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 DAY)";
    first.query_drop("START TRANSACTION").await.unwrap();
    first.query_drop(hold).await.unwrap();

    let started = Instant::now();
    let refused = once(&system, "key", &cup).await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(409);
    assert!(started.elapsed() < Duration::from_secs(4));

    // It comes to nothing while the second waits, which is then the first.
    let (placed, ()) = tokio::join!(once(&system, "key", &cup), async {
        sleep(Duration::from_millis(300)).await;
        first.query_drop("ROLLBACK").await.unwrap();
    });
    assert!(!is_replay(&placed.expect(201)));
    assert_eq!(orders(&system).await.len(), 1);
    system.stop().await;
}

#[tokio::test]
async fn an_order_with_a_key_costs_the_same_whatever_its_lines() {
    let system = System::start().await;
    let mut products = Vec::new();
    for n in 0..20 {
        products.push(format!("p{n}"));
        product(&system, &products[n], 100, "DKK").await;
    }
    let products: Vec<_> = products.iter().map(String::as_str).collect();
    once(&system, "warm", &order("ann", &products[..1]))
        .await
        .expect(201);
    let cost = async |key: &str, products: &[&str]| {
        system.mysql.take();
        once(&system, key, &order("ann", products))
            .await
            .expect(201);
        let counted = system.mysql.take();
        let asked = counted
            .iter()
            .filter(|(name, _)| !name.contains("STMT_PREPARE") && !name.contains("STMT_CLOSE"));
        asked.map(|(_, count)| count).sum::<usize>()
    };
    let (few, many) = (
        cost("few", &products[..1]).await,
        cost("many", &products).await,
    );
    assert_eq!(few, many, "the cost grows with the lines");
    // The key is looked up, then the transaction: its begin, the key, the order,
    // its lines, the snapshots, its end; and a few old keys are deleted.
    assert_eq!(few, 8);
    assert_eq!(cost("few", &products[..1]).await, 1);
    system.stop().await;
}

#[tokio::test]
async fn what_did_nothing_is_not_kept() {
    let system = System::start().await;
    let cup = order("ann", &["cup"]);
    let unknown = once(&system, "key", &cup).await;
    assert_eq!(unknown.faults(422), ["/lines/0/productId"]);
    product(&system, "cup", 100, "DKK").await;
    lose_the_catalogue(&system).await;
    let away = once(&system, "key", &cup).await;
    assert!(away.header("retry-after").parse::<u32>().unwrap() >= 1);
    away.problem(503);
    assert_eq!(count(&system, "idempotency_keys").await, 0);

    mend_the_catalogue(&system).await;
    product(&system, "cup", 200, "DKK").await;
    let started = Instant::now();
    let placed = loop {
        let answer = once(&system, "key", &cup).await;
        if answer.status == 201 {
            break answer;
        }
        answer.problem(503);
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "it does not heal"
        );
        sleep(Duration::from_millis(100)).await;
    };
    assert!(!is_replay(&placed));
    assert_eq!(placed.json()["pricing"], "live");
    assert_eq!(orders(&system).await.len(), 1);
    system.stop().await;
}

#[tokio::test]
async fn orders_go_on_at_the_last_known_prices() {
    let system = System::start().await;
    let client = &system.client;
    for (id, amount, currency) in [
        ("cup", 100, "DKK"),
        ("pot", 200, "DKK"),
        ("gone", 300, "DKK"),
        ("euro", 400, "EUR"),
        ("old", 500, "DKK"),
        ("unseen", 600, "DKK"),
    ] {
        product(&system, id, amount, currency).await;
    }
    for products in [&["cup", "pot", "gone", "old"] as &[_], &["euro"]] {
        let placed = client
            .post("/mysqldata", &order("ann", products))
            .await
            .expect(201);
        assert_eq!(placed.json()["pricing"], "live");
    }
    product(&system, "cup", 150, "DKK").await;
    client
        .post("/mysqldata", &order("ann", &["cup"]))
        .await
        .expect(201);
    client
        .send(Method::DELETE, "/nosqldata/gone", &[], "")
        .await
        .expect(204);
    let gone = client
        .post("/mysqldata", &order("ann", &["cup", "gone"]))
        .await;
    assert_eq!(gone.faults(422), ["/lines/1/productId"]);
    let age = "UPDATE product_snapshots SET seen_at = UTC_TIMESTAMP(3) - INTERVAL 1441 MINUTE WHERE product_id = 'old'";
    sql(&system, age).await;

    lose_the_catalogue(&system).await;
    let placed = client
        .post("/mysqldata", &order("ann", &["pot", "cup"]))
        .await
        .expect(201)
        .json();
    assert_eq!(placed["pricing"], "snapshot");
    assert_eq!(placed["total"], json!({"amount": 700, "currency": "DKK"}));
    assert_eq!(placed["lines"][1]["name"], "The cup");
    assert_eq!(
        client
            .get(&format!("/mysqldata/{}", placed["id"].as_str().unwrap()))
            .await
            .json(),
        placed
    );
    for refused in ["gone", "old", "unseen"] {
        let refused = client
            .post("/mysqldata", &order("ann", &["cup", refused]))
            .await;
        assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
        refused.problem(503);
    }
    let mixed = client
        .post("/mysqldata", &order("ann", &["cup", "euro"]))
        .await;
    assert_eq!(mixed.faults(422), ["/lines/1/productId"]);
    system.stop().await;
}

#[tokio::test]
async fn an_open_breaker_costs_no_order_and_no_time() {
    let system = System::start().await;
    let client = &system.client;
    product(&system, "cup", 100, "DKK").await;
    client
        .post("/mysqldata", &order("ann", &["cup"]))
        .await
        .expect(201);
    lose_the_catalogue(&system).await;
    let started = Instant::now();
    while breaker(&system).await != "open" {
        client
            .post("/mysqldata", &order("ann", &["cup"]))
            .await
            .expect(201);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it never opens"
        );
    }
    // Nobody waits, and nothing goes out.
    let calls = system.gateway.calls().len();
    let started = Instant::now();
    for _ in 0..5 {
        client
            .post("/mysqldata", &order("ann", &["cup"]))
            .await
            .expect(201);
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    let calls = system.gateway.calls().split_off(calls);
    assert!(
        !calls.iter().any(|call| call.contains("/nosqldata")),
        "{calls:?}"
    );

    // And all is as before when the catalogue is back.
    mend_the_catalogue(&system).await;
    product(&system, "cup", 1, "DKK").await;
    let started = Instant::now();
    loop {
        let placed = client
            .post("/mysqldata", &order("ann", &["cup"]))
            .await
            .expect(201);
        if placed.json()["pricing"] == "live" {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "it does not heal"
        );
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(breaker(&system).await, "closed");
    system.stop().await;
}

/// What the health of the orders says of the catalogue's breaker.
async fn breaker(system: &System) -> String {
    let health = system
        .client
        .get("/health/mysqldata")
        .await
        .expect(200)
        .json();
    let breaker = &health["checks"]["catalogue"][0]["breaker"];
    breaker.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_connection_that_died_is_not_noticed() {
    let system = System::start().await;
    let client = &system.client;
    product(&system, "cup", 100, "DKK").await;
    let mut killer = database(&system).await;
    for n in 0..5 {
        kill_connections(&mut killer).await;
        let placed = once(&system, &format!("key-{n}"), &order("ann", &["cup"]))
            .await
            .expect(201)
            .json();
        kill_connections(&mut killer).await;
        let path = format!("/mysqldata/{}", placed["id"].as_str().unwrap());
        client
            .patch(&path, &json!({"status": "paid"}))
            .await
            .expect(200);
        kill_connections(&mut killer).await;
        assert_eq!(client.get(&path).await.expect(200).json()["version"], 2);
    }
    assert_eq!(orders(&system).await.len(), 5);
    let health = client.get("/health/mysqldata").await.expect(200).json();
    assert_eq!(health["checks"]["mysql"][0]["breaker"], "closed");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_cut_each_order_is_there_once() {
    let system = System::with_instances(4).await;
    product(&system, "cup", 100, "DKK").await;
    let over = AtomicBool::new(false);
    let kill = async {
        let mut killer = database(&system).await;
        while !over.load(Ordering::Relaxed) {
            kill_connections(&mut killer).await;
            sleep(Duration::from_millis(15)).await;
        }
    };
    let clients = async {
        let place = async |n: usize| {
            let order = order(&format!("c{n}"), &["cup"]);
            for _ in 0..200 {
                let answer = once(&system, &format!("key-{n}"), &order).await;
                match answer.status.as_u16() {
                    201 => return answer.json(),
                    409 | 503 => sleep(Duration::from_millis(50)).await,
                    status => panic!("{status}: {}", answer.text()),
                }
            }
            panic!("client {n} has no answer")
        };
        let placed = join_all((0..40).map(place)).await;
        over.store(true, Ordering::Relaxed);
        placed
    };
    let (placed, ()) = tokio::join!(clients, kill);
    // The last that were killed may be in their places still.
    let listed = loop {
        let page = system.client.get("/mysqldata?limit=100").await;
        if page.status == 200 {
            break page.json()["items"].as_array().unwrap().clone();
        }
        sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(listed.len(), placed.len());
    assert!(placed.iter().all(|order| listed.contains(order)));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_the_same_products_do_not_block_each_other() {
    let system = System::with_instances(8).await;
    let ids: Vec<_> = (0..10).map(|n| format!("p{n}")).collect();
    for id in &ids {
        product(&system, id, 100, "DKK").await;
    }
    let place = async |n: usize| {
        let mut products: Vec<_> = ids.iter().map(String::as_str).collect();
        products.rotate_left(n % 10);
        if n.is_multiple_of(2) {
            products.reverse();
        }
        let order = order(&format!("c{n}"), &products);
        system.client.post("/mysqldata", &order).await.expect(201);
    };
    join_all((0..CLIENTS).map(place)).await;
    assert_eq!(orders(&system).await.len(), CLIENTS);
    assert_eq!(count(&system, "product_snapshots").await, 10);
    system.stop().await;
}
