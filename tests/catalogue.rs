//! The catalogue, over HTTP and on a real store.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use tests::{Response, System};

fn mug() -> Value {
    json!({
        "name": "Travel mug",
        "category": "coffee",
        "price": {"amount": 17_900, "currency": "DKK"},
        "description": "Keeps hot.\n\tFits a bottle cage.",
        "attributes": {"lid": true, "volume": {"value": 350, "unit": "ml"}, "none": null, "empty": [], "tags": ["a", 1.5]},
    })
}

/// `PUT`s a product and checks that it was made.
async fn put(system: &System, id: &str, category: &str) -> Response {
    let mut product = mug();
    product["category"] = category.into();
    system
        .client
        .put(&format!("/nosqldata/{id}"), &product)
        .await
        .expect(201)
}

#[tokio::test]
async fn a_product_lives_its_life() {
    let system = System::start().await;
    let client = &system.client;

    let made = client.post("/nosqldata", &mug()).await.expect(201);
    let product = made.json();
    let id = product["id"].as_str().unwrap();
    assert_eq!(id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
    let path = format!("/nosqldata/{id}");
    assert_eq!(made.header("location"), path);
    assert_eq!(product["version"], 1);
    assert_eq!(product["createdAt"], product["updatedAt"]);
    for (member, value) in mug().as_object().unwrap() {
        assert_eq!(&product[member], value, "{member}");
    }
    let etag = made.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2);

    let got = client.get(&path).await.expect(200);
    assert_eq!(got.json(), product);
    assert_eq!(got.header("etag"), etag);
    let same = client
        .get_with(&path, &[("if-none-match", &etag)])
        .await
        .expect(304);
    assert!(same.body.is_empty());
    assert_eq!(same.header("etag"), etag);
    client
        .get_with(&path, &[("if-none-match", "*")])
        .await
        .expect(304);
    client
        .get_with(&path, &[("if-none-match", &format!("W/{etag}, \"x\""))])
        .await
        .expect(304);
    client
        .get_with(&path, &[("if-match", "\"x\"")])
        .await
        .problem(412);

    let mut changed = mug();
    changed.as_object_mut().unwrap().remove("description");
    changed["attributes"] = json!({"only": "this"});
    let replaced = client.put(&path, &changed).await.expect(200);
    assert_eq!(replaced.header("content-location"), path);
    let replaced_product = replaced.json();
    assert_eq!(replaced_product["version"], 2);
    assert_eq!(replaced_product["createdAt"], product["createdAt"]);
    assert_eq!(replaced_product["attributes"], json!({"only": "this"}));
    assert_eq!(replaced_product.get("description"), None);
    let second = replaced.header("etag").to_owned();
    assert_ne!(second, etag);

    // A write that changes nothing is a new version all the same.
    let again = client.put(&path, &changed).await.expect(200);
    assert_eq!(again.json()["version"], 3);
    assert_ne!(again.header("etag"), second);

    let patch = json!({"price": {"amount": 1}, "description": "new", "attributes": {"only": null, "more": [1]}});
    let patched = client.patch(&path, &patch).await.expect(200);
    let patched_product = patched.json();
    assert_eq!(patched_product["version"], 4);
    assert_eq!(
        patched_product["price"],
        json!({"amount": 1, "currency": "DKK"})
    );
    assert_eq!(patched_product["attributes"], json!({"more": [1]}));
    assert_eq!(patched_product["description"], "new");
    assert_eq!(client.get(&path).await.json(), patched_product);
    let empty = client.patch(&path, &json!({})).await.expect(200);
    assert_eq!(empty.json()["version"], 5);

    let gone = client
        .send(Method::DELETE, &path, &[], "")
        .await
        .expect(204);
    assert!(gone.body.is_empty());
    client.get(&path).await.problem(404);
    client
        .send(Method::DELETE, &path, &[], "")
        .await
        .problem(404);

    // Made anew it begins at version 1, and no entity tag comes back.
    let anew = client.put(&path, &mug()).await.expect(201);
    assert_eq!(anew.json()["version"], 1);
    assert_ne!(anew.header("etag"), etag);
    assert_eq!(anew.header("content-location"), path);
    system.stop().await;
}

#[tokio::test]
async fn conditions_are_part_of_the_write() {
    let system = System::start().await;
    let client = &system.client;
    let path = "/nosqldata/mug";
    let send = async |method: Method, condition: (&str, &str), body: Value| {
        client.json(method, path, &[condition], &body).await
    };

    // There is no product yet.
    send(Method::PUT, ("if-match", "*"), mug())
        .await
        .problem(412);
    send(Method::PUT, ("if-match", "\"x\""), mug())
        .await
        .problem(412);
    send(Method::PATCH, ("if-match", "\"x\""), json!({}))
        .await
        .problem(404);
    send(Method::DELETE, ("if-match", "\"x\""), json!({}))
        .await
        .problem(404);
    client.get(path).await.problem(404);
    let etag = send(Method::PUT, ("if-none-match", "*"), mug())
        .await
        .expect(201)
        .header("etag")
        .to_owned();

    // Now there is.
    let weak = format!("W/{etag}");
    for condition in [
        ("if-none-match", "*"),
        ("if-none-match", etag.as_str()),
        ("if-match", "\"x\""),
        ("if-match", weak.as_str()),
    ] {
        send(Method::PUT, condition, mug()).await.problem(412);
        send(Method::PATCH, condition, json!({"name": ""}))
            .await
            .problem(412);
        send(Method::DELETE, condition, json!({}))
            .await
            .problem(412);
    }
    let kept = client.get(path).await.expect(200);
    assert_eq!(kept.header("etag"), etag);
    assert_eq!(kept.json()["version"], 1);

    let list = format!("\"other\", {etag}");
    let put = send(Method::PUT, ("if-match", &list), mug())
        .await
        .expect(200);
    let any = send(Method::PATCH, ("if-match", "*"), json!({}))
        .await
        .expect(200);
    assert_eq!(any.json()["version"], 3);
    send(Method::PUT, ("if-match", put.header("etag")), mug())
        .await
        .problem(412);
    let etag = any.header("etag").to_owned();
    send(Method::DELETE, ("if-match", &etag), json!({}))
        .await
        .expect(204);

    for header in ["if-match", "if-none-match"] {
        for malformed in ["", "x", "\"x", "*, \"x\"", "\"a\" \"b\""] {
            let answer = send(Method::PUT, (header, malformed), json!({})).await;
            let wanted = if header == "if-match" {
                "If-Match"
            } else {
                "If-None-Match"
            };
            assert_eq!(answer.faults(400), [wanted], "{malformed}");
        }
    }
    system.stop().await;
}

#[tokio::test]
async fn a_condition_may_list_any_number_of_tags() {
    let system = System::start().await;
    let client = &system.client;
    let path = "/nosqldata/mug";
    let send = async |method: Method, condition: (&str, &str), body: Value| {
        client.json(method, path, &[condition], &body).await
    };
    let get = async |condition: (&str, &str)| client.get_with(path, &[condition]).await;
    // More than DynamoDB compares at once, in number or in length.
    for count in [51, 101, 1_000] {
        let others: Vec<_> = (0..count).map(|n| format!("\"{n}\"")).collect();
        let others = others.join(",");
        send(Method::PUT, ("if-match", &others), mug())
            .await
            .problem(412);
        send(Method::DELETE, ("if-match", &others), json!({}))
            .await
            .problem(404);
        let made = send(Method::PUT, ("if-none-match", &others), mug()).await;
        let with = |etag: &str| format!("{others},{etag}");
        let list = with(made.expect(201).header("etag"));

        get(("if-none-match", &list)).await.expect(304);
        get(("if-none-match", &others)).await.expect(200);
        get(("if-match", &list)).await.expect(200);
        get(("if-match", &others)).await.problem(412);
        for (name, stale) in [("if-match", &others), ("if-none-match", &list)] {
            send(Method::PUT, (name, stale), mug()).await.problem(412);
            send(Method::PATCH, (name, stale), json!({}))
                .await
                .problem(412);
            send(Method::DELETE, (name, stale), json!({}))
                .await
                .problem(412);
        }
        assert_eq!(client.get(path).await.expect(200).json()["version"], 1);

        let put = send(Method::PUT, ("if-match", &list), mug()).await;
        let list = with(put.expect(200).header("etag"));
        let patch = send(Method::PATCH, ("if-match", &list), json!({})).await;
        let list = with(patch.expect(200).header("etag"));
        let put = send(Method::PUT, ("if-none-match", &others), mug()).await;
        assert_eq!(put.expect(200).json()["version"], 4);
        send(Method::DELETE, ("if-match", &list), json!({}))
            .await
            .problem(412);
        send(Method::DELETE, ("if-none-match", &list), json!({}))
            .await
            .expect(204);
    }
    system.stop().await;
}

/// Follows a list to its end and returns every id, in order.
async fn walk(system: &System, query: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = system
            .client
            .get(&format!("/nosqldata?{query}limit={limit}{cursor}"))
            .await
            .expect(200)
            .json();
        assert_eq!(page["message"], "NoSql Data");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        ids.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["nextCursor"].as_str() else {
            assert!(page["nextCursor"].is_null());
            return ids;
        };
        assert!(
            next.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)),
            "{next}"
        );
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_walk_sees_each_product_once() {
    let system = System::start().await;
    for n in 0..23 {
        put(
            &system,
            &format!("p{n:02}"),
            if n % 2 == 0 { "even" } else { "ødd &=" },
        )
        .await;
    }
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let every: Vec<_> = (0..23).map(|n| format!("p{n:02}")).collect();
    for limit in [1, 7, 100] {
        assert_eq!(sorted(walk(&system, "", limit).await), every);
        let even = walk(&system, "category=even&", limit).await;
        assert_eq!(even, every.iter().step_by(2).cloned().collect::<Vec<_>>());
        let odd = walk(&system, "category=%C3%B8dd+%26%3D&", limit).await;
        assert_eq!(odd.len(), 11);
    }
    assert_eq!(
        walk(&system, "category=none&", 5).await,
        Vec::<String>::new()
    );

    // Products come and go while somebody walks.
    let page = system
        .client
        .get("/nosqldata?category=even&limit=4")
        .await
        .expect(200)
        .json();
    let cursor = page["nextCursor"].as_str().unwrap();
    for id in ["p00", "p06", "p08"] {
        system
            .client
            .send(Method::DELETE, &format!("/nosqldata/{id}"), &[], "")
            .await
            .expect(204);
    }
    put(&system, "a-new-one", "even").await;
    let rest = system
        .client
        .get(&format!(
            "/nosqldata?category=even&limit=100&cursor={cursor}"
        ))
        .await
        .expect(200);
    let rest: Vec<_> = rest.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["id"].clone())
        .collect();
    assert_eq!(rest, ["p10", "p12", "p14", "p16", "p18", "p20", "p22"]);

    // A cursor belongs to its list.
    for other in ["/nosqldata?", "/nosqldata?category=other&", "/mysqldata?"] {
        let answer = system.client.get(&format!("{other}cursor={cursor}")).await;
        assert_eq!(answer.faults(400), ["cursor"], "{other}");
    }
    let mut tampered = cursor.to_owned();
    let last = if tampered.pop() == Some('A') {
        'B'
    } else {
        'A'
    };
    tampered.push(last);
    for bad in [tampered.as_str(), "", "x", "%00", &cursor[1..]] {
        let answer = system
            .client
            .get(&format!("/nosqldata?category=even&cursor={bad}"))
            .await;
        assert_eq!(answer.faults(400), ["cursor"], "{bad}");
    }
    system.stop().await;
}

#[tokio::test]
async fn a_batch_keeps_the_order_asked() {
    let system = System::with_samples().await;
    let client = &system.client;
    let batch = client
        .get("/nosqldata?ids=wool-socks,none,espresso-cups,wool-socks,nil")
        .await
        .expect(200)
        .json();
    let ids: Vec<_> = batch["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["id"].clone())
        .collect();
    assert_eq!(ids, ["wool-socks", "espresso-cups"]);
    assert_eq!(batch["missing"], json!(["none", "nil"]));
    let full = client
        .get("/nosqldata?ids=espresso-cups")
        .await
        .expect(200)
        .json();
    assert_eq!(full["missing"], json!([]));
    assert_eq!(
        full["items"][0],
        client.get("/nosqldata/espresso-cups").await.json()
    );

    let many = |count: usize| {
        (0..count)
            .map(|n| format!("x{n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    client
        .get(&format!("/nosqldata?ids={},x0,x1", many(100)))
        .await
        .expect(200);
    assert_eq!(
        client
            .get(&format!("/nosqldata?ids={}", many(101)))
            .await
            .faults(422),
        ["ids"]
    );
    for bad in ["ids=", "ids=,", "ids=a,,b", "ids=a%20b", "ids=-a"] {
        let faults = client.get(&format!("/nosqldata?{bad}")).await.faults(422);
        assert!(
            !faults.is_empty() && faults.iter().all(|at| at == "ids"),
            "{bad}: {faults:?}"
        );
    }
    // The detail says which id is wrong, and repeats nothing that was sent.
    let answer = client.get("/nosqldata?ids=mug,%E2%80%AE,%00").await;
    let problem = answer.problem(422);
    let details: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["detail"].as_str().unwrap())
        .collect();
    assert!(details[0].starts_with("id 2 in the list must be 1 to 64 of"));
    assert!(details[1].starts_with("id 3 in the list must be 1 to 64 of"));
    for other in ["limit=1", "category=coffee"] {
        let answer = client
            .get(&format!("/nosqldata?ids=espresso-cups&{other}"))
            .await;
        answer.problem(422);
    }
    system.stop().await;
}

#[tokio::test]
async fn every_fault_is_told_at_once_and_nothing_is_clamped() {
    let system = System::start().await;
    let client = &system.client;

    let faults = client
        .get("/nosqldata?limit=0&limit=2&colour=red&category=&%ff=1")
        .await
        .faults(422);
    for expected in ["limit", "colour", "category"] {
        assert!(
            faults.iter().any(|at| at == expected),
            "{expected}: {faults:?}"
        );
    }
    for limit in [
        "0",
        "101",
        "-1",
        "1.0",
        "ten",
        "",
        "+5",
        "%205",
        "99999999999999999999",
    ] {
        assert_eq!(
            client
                .get(&format!("/nosqldata?limit={limit}"))
                .await
                .faults(422),
            ["limit"],
            "{limit}"
        );
    }
    assert_eq!(
        client.get("/nosqldata?category=a%00b").await.faults(422),
        ["category"]
    );

    let wrong = json!({"id": "x", "name": "a\u{7}", "category": "c".repeat(65), "price": {"amount": 1e13, "currency": "dkk"}, "attributes": 1, "x/y~z": 1});
    let mut faults = client
        .post("/nosqldata?verbose=1", &wrong)
        .await
        .faults(422);
    faults.sort();
    assert_eq!(
        faults,
        [
            "/attributes",
            "/category",
            "/id",
            "/name",
            "/price/amount",
            "/price/currency",
            "/x~1y~0z",
            "verbose"
        ]
    );

    // 413, 415, 400 and 422 come in this order, and before a 404.
    let large = vec![b'x'; 256 * 1024 + 1];
    client
        .send(
            Method::POST,
            "/nosqldata",
            &[("content-type", "text/plain")],
            large,
        )
        .await
        .problem(413);
    let answer = client
        .send(
            Method::POST,
            "/nosqldata",
            &[("content-type", "text/plain")],
            "{",
        )
        .await;
    assert_eq!(answer.header("accept"), "application/json");
    answer.problem(415);
    client
        .send(Method::POST, "/nosqldata", &[], "{}")
        .await
        .problem(415);
    let latin = [("content-type", "application/json; charset=iso-8859-1")];
    client
        .send(Method::POST, "/nosqldata", &latin, "{}")
        .await
        .problem(415);
    let patch = client
        .send(
            Method::PATCH,
            "/nosqldata/x",
            &[("content-type", "text/plain")],
            "{}",
        )
        .await;
    assert_eq!(
        patch.header("accept-patch"),
        "application/merge-patch+json, application/json"
    );
    patch.problem(415);
    let utf8 = [("content-type", "Application/JSON; Charset=\"UTF-8\"")];
    client
        .send(Method::POST, "/nosqldata?verbose=1", &utf8, "{")
        .await
        .problem(400);
    client
        .send(Method::PUT, "/nosqldata/-x?verbose=1", &utf8, "{}")
        .await
        .problem(422);
    client.put("/nosqldata/-x", &mug()).await.problem(404);
    client.put("/nosqldata/a%2Fb", &mug()).await.problem(404);
    client.get("/nosqldata/%ff").await.problem(404);
    client
        .get(&format!("/nosqldata/{}", "x".repeat(65)))
        .await
        .problem(404);

    let at_the_edge = mug().to_string();
    let at_the_edge = format!(
        "{at_the_edge}{}",
        " ".repeat(256 * 1024 - at_the_edge.len())
    );
    assert_eq!(at_the_edge.len(), 256 * 1024);
    client
        .send(Method::POST, "/nosqldata", &utf8, at_the_edge)
        .await
        .expect(201);
    system.stop().await;
}

/// The status of a `POST` of an empty object, sent as this media type: 422 where
/// the body was read.
async fn status_of(system: &System, headers: &[(&str, &str)]) -> u16 {
    let sent = system
        .client
        .send(Method::POST, "/nosqldata", headers, "{}");
    sent.await.status.as_u16()
}

#[tokio::test]
async fn the_parameters_of_a_media_type_are_parsed_with_their_quoting() {
    let system = System::start().await;
    for accepted in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=utf8",
        "application/json; charset=UTF8",
        "application/json ; Charset=\"Utf-8\"",
        "application/json; charset=\"\\u\\t\\f-8\"",
        "application/json;profile=\"a;charset=utf-16\"",
        "application/json;profile=\"a\\\";charset=utf-16\"",
        "application/json;profile=x; v=\"1, 2\"",
        "application/json;",
    ] {
        let status = status_of(&system, &[("content-type", accepted)]).await;
        assert_eq!(status, 422, "{accepted}");
    }
    for refused in [
        "",
        "json",
        "application/",
        "application/json5",
        "application/problem+json",
        "application/*",
        "application/json, text/plain",
        "application/json,application/json",
        "application/json charset=utf-8",
        "application/json;charset",
        "application/json;charset=",
        "application/json;charset=utf-16",
        "application/json;charset=\"utf-8",
        "application/json;charset=utf-8\"",
        "application/json;charset='utf-8'",
        "application/json;charset=utf-8;charset=latin1",
    ] {
        let status = status_of(&system, &[("content-type", refused)]).await;
        assert_eq!(status, 415, "{refused}");
    }
    system.stop().await;
}

#[tokio::test]
async fn a_415_names_what_was_wrong() {
    let system = System::start().await;
    let json = "application/json";
    for (headers, accept, accept_encoding) in [
        (
            [
                ("content-type", "text/plain"),
                ("content-encoding", "identity"),
            ],
            json,
            "",
        ),
        (
            [("content-type", json), ("content-encoding", "br")],
            "",
            "identity",
        ),
        (
            [
                ("content-type", json),
                ("content-encoding", "identity, gzip"),
            ],
            "",
            "identity",
        ),
        (
            [
                ("content-type", "text/plain"),
                ("content-encoding", "x-gzip"),
            ],
            json,
            "identity",
        ),
    ] {
        let sent = system
            .client
            .send(Method::POST, "/nosqldata", &headers, "{}");
        let answer = sent.await;
        assert_eq!(answer.header("accept"), accept, "{headers:?}");
        assert_eq!(
            answer.header("accept-encoding"),
            accept_encoding,
            "{headers:?}"
        );
        answer.problem(415);
    }
    let plain = [("content-type", json), ("content-encoding", "Identity")];
    assert_eq!(status_of(&system, &plain).await, 422);
    system.stop().await;
}

#[tokio::test]
async fn attributes_come_back_as_they_were_sent() {
    let system = System::start().await;
    let client = &system.client;
    for attributes in [
        "{}",
        r#"{"a":{"b":[[],{},[{"c":null}]]},"t":true,"f":false}"#,
        r#"{"n":[0,-1,1.5,12345678901234567890123456789012345678,1e125,1e-130,-9.9e-100,0.1]}"#,
        r#"{"s":["","\u0000\n\u001f","é😀","\"\\/"],"ключ":1,"a.b":1,"#,
    ] {
        let attributes = if attributes.ends_with(',') {
            format!("{attributes}\"$ref\":\"x\"}}")
        } else {
            attributes.to_owned()
        };
        let body = format!(
            r#"{{"name":"n","category":"c","price":{{"amount":0,"currency":"EUR"}},"attributes":{attributes}}}"#
        );
        let json = [("content-type", "application/json")];
        let made = client
            .send(Method::PUT, "/nosqldata/exact", &json, body)
            .await;
        assert!(made.status.is_success(), "{attributes}: {}", made.text());
        let text = made.text().to_owned();
        let got = client.get("/nosqldata/exact").await.expect(200);
        // To the byte: every number has one spelling, before and after the store.
        assert_eq!(got.text(), text, "{attributes}");
        let sent = dto::json::Value::parse(attributes.as_bytes(), &mut dto::Faults::new()).unwrap();
        let product: dto::product::Product = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(dto::json::Value::Object(product.attributes.0), sent);
    }
    system.stop().await;
}

#[tokio::test]
async fn a_request_costs_one_round_trip() {
    let system = System::start().await;
    for n in 0..100 {
        put(&system, &format!("p{n:03}"), "c").await;
    }
    let ids: Vec<_> = (0..100).map(|n| format!("p{n:03}")).collect();
    let batch = format!("/nosqldata?ids={}", ids.join(","));
    let client = &system.client;
    let counted = |name: &str, count: usize| BTreeMap::from([(name.to_owned(), count)]);
    system.dynamodb.take();

    let list = client.get("/nosqldata?limit=100").await.expect(200);
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 100);
    assert_eq!(system.dynamodb.take(), counted("Scan", 1));
    client
        .get("/nosqldata?limit=100&category=c")
        .await
        .expect(200);
    assert_eq!(system.dynamodb.take(), counted("Query", 1));
    assert_eq!(
        client.get(&batch).await.expect(200).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
    assert_eq!(system.dynamodb.take(), counted("BatchGetItem", 1));
    client.post("/nosqldata", &mug()).await.expect(201);
    assert_eq!(system.dynamodb.take(), counted("PutItem", 1));
    client.get("/nosqldata/p000").await.expect(200);
    assert_eq!(system.dynamodb.take(), counted("GetItem", 1));
    client.put("/nosqldata/p000", &mug()).await.expect(200);
    assert_eq!(system.dynamodb.take(), counted("UpdateItem", 1));
    client
        .json(
            Method::PUT,
            "/nosqldata/p000",
            &[("if-match", "\"x\"")],
            &mug(),
        )
        .await
        .problem(412);
    assert_eq!(system.dynamodb.take(), counted("UpdateItem", 1));
    client
        .patch("/nosqldata/p000", &json!({"name": "x"}))
        .await
        .expect(200);
    assert_eq!(system.dynamodb.take().values().sum::<usize>(), 2);
    client
        .send(Method::DELETE, "/nosqldata/p000", &[], "")
        .await
        .expect(204);
    assert_eq!(system.dynamodb.take(), counted("TransactWriteItems", 1));
    client
        .send(
            Method::DELETE,
            "/nosqldata/p000",
            &[("if-match", "\"x\"")],
            "",
        )
        .await
        .problem(404);
    assert_eq!(system.dynamodb.take(), counted("TransactWriteItems", 1));
    // What is not valid never reaches the store.
    client.post("/nosqldata", &json!({})).await.problem(422);
    client.get("/nosqldata/-").await.problem(404);
    assert_eq!(system.dynamodb.take(), BTreeMap::new());
    system.stop().await;
}
