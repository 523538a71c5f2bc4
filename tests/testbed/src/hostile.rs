//! Generated, mostly invalid requests.

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{callers, event};

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z0-9.-]{0,8}",
        2 => "[ -~]{0,20}",
        2 => any::<String>(),
        1 => "\\PC{60,300}",
        1 => prop_oneof![
            Just("' OR 1=1 --"), Just("%00"), Just("../.."), Just("\u{0}"), Just("null"), Just("\u{202e}"),
            Just("9223372036854775808"), Just("-0"), Just("1e400"), Just("NaN"), Just("{{7*7}}"), Just("\u{feff}"),
        ].prop_map(str::to_owned),
    ]
}

/// A path segment, often an id that exists.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("espresso-cups".to_owned()),
        3 => Just("01a1a14c-afba-72da-b5b1-966a1c0be80c".to_owned()),
        1 => Just("summary".to_owned()),
        3 => word().prop_map(|word| word.replace('%', "%25")),
        1 => word(),
    ]
}

fn parameter() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        12 => prop::sample::select(vec![
            "limit", "cursor", "category", "ids", "status", "customer", "from", "to", "by",
        ]).prop_map(str::to_owned),
        1 => word(),
    ];
    let value = prop_oneof![
        3 => word(),
        1 => (0..200_i32).prop_map(|n| n.to_string()),
        2 => prop::sample::select(vec![
            "coffee", "paid", "2026-11-05", "2026-11-05T00:00:00Z", "0000-01-01", "9999-12-31T23:59:59.999Z", "day",
            "product", "espresso-cups,wool-socks", "0001-01-01T00:00:00+14:00", "2026-06-30T23:59:60Z", "1000-01-01",
        ]).prop_map(str::to_owned),
    ];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(20, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((field(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "name", "category", "price", "amount", "currency", "description", "attributes", "customer", "lines",
            "productId", "quantity", "status", "id", "version",
        ]).prop_map(str::to_owned),
        1 => word(),
    ]
}

/// A body: valid, with some members replaced, or not even JSON.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop::sample::select(vec![
        json!({"name": "n", "category": "coffee", "price": {"amount": 1, "currency": "DKK"}, "attributes": {"a": [1]}}),
        json!({"customer": "c", "lines": [{"productId": "espresso-cups", "quantity": 1}]}),
        json!({"status": "paid"}),
        json!({"price": {"amount": 5}}),
    ]);
    let changed = (valid, prop::collection::vec((field(), any_json()), 0..3)).prop_map(
        |(mut body, changes)| {
            for (name, value) in changes {
                body[name] = value;
            }
            body.to_string().into_bytes()
        },
    );
    let changed = changed.boxed();
    prop_oneof![
        6 => changed.clone(),
        2 => any_json().prop_map(|json| json.to_string().into_bytes()),
        2 => (changed, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
            let at = at.index(body.len());
            body[at] = byte;
            body
        }),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (1..5_000_usize).prop_map(|deep| [vec![b'['; deep], vec![b']'; deep]].concat()),
        1 => Just(Vec::new()),
        1 => Just(br#"{"name":"a","name":"b","price":{"amount":1e400,"amount":-0}}"#.to_vec()),
        1 => (250_000..300_000_usize).prop_map(|long| vec![b'1'; long]),
        1 => dense(),
    ]
}

/// A body of 250,000 bytes that is small things, each of which takes memory, or is an
/// error with a long location.
fn dense() -> impl Strategy<Value = Vec<u8>> {
    let thing = prop::sample::select(vec![r#"{"":0}"#, "[1]", "1", "1e999", "{}", "\"\""]);
    let name_bytes = prop::sample::select(vec![1, 60_000, 200_000_usize]);
    let parts = (thing, name_bytes, any::<bool>());
    parts.prop_map(|(thing, name_bytes, is_object)| {
        let name = "k".repeat(name_bytes);
        let things = |thing: &str| {
            let count = (250_000 - name_bytes) / (thing.len() + 1);
            vec![thing; count].join(",")
        };
        let body = if is_object {
            let member = format!("\"a\":{thing}");
            format!(r#"{{"{name}":{{{}}}}}"#, things(&member))
        } else {
            format!(r#"{{"attributes":{{"{name}":[{}]}}}}"#, things(thing))
        };
        body.into_bytes()
    })
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let media_type = prop_oneof![
        10 => Just("application/json".to_owned()),
        4 => Just("application/merge-patch+json".to_owned()),
        1 => word(),
    ];
    let condition = prop_oneof![
        2 => Just("*".to_owned()),
        2 => Just("\"sample-espresso-cups\"".to_owned()),
        1 => Just("\"1\", W/\"2\"".to_owned()),
        1 => word(),
        1 => word().prop_map(|word| format!("\"{word}\"")),
    ];
    let other = prop_oneof![
        word(),
        Just("text/plain".to_owned()),
        Just("text/html;q=0.5,*/*;q=x".to_owned()),
    ];
    let condition_name = prop::sample::select(vec!["if-match", "if-none-match"]);
    let other_name = prop::sample::select(vec![
        "accept",
        "host",
        "x-forwarded-proto",
        "traceparent",
        "authorization",
        "cookie",
        "content-encoding",
        "idempotency-key",
    ]);
    // API Gateway accepts 10,240 bytes of headers.
    let flood = Just(("x-flood", "f".repeat(8_000)));
    let token = Just(("authorization", callers::tester().to_owned()));
    (
        prop::option::weighted(0.9, token),
        prop::option::weighted(0.01, flood),
        prop::option::weighted(0.9, media_type),
        prop::option::weighted(0.3, (condition_name, condition)),
        prop::option::weighted(0.3, (other_name, other)),
    )
        .prop_map(|(token, flood, media_type, condition, other)| {
            let media_type = media_type.map(|value| ("content-type", value));
            [token, flood, media_type, condition, other]
                .into_iter()
                .flatten()
                .collect()
        })
}

/// An event for `function` with generated parts, mostly with a valid token.
pub fn events(function: &'static str) -> impl Strategy<Value = Value> {
    let root = if function == "hello" {
        String::new()
    } else {
        format!("/{function}")
    };
    let path = prop_oneof![
        4 => Just(root.clone()),
        8 => segment().prop_map(move |segment| format!("{root}/{segment}")),
        1 => Just(format!("/health/{function}")),
        1 => word().prop_map(|word| format!("/{word}")),
    ];
    let method = prop::sample::select(vec![
        "GET", "GET", "GET", "POST", "POST", "PUT", "PUT", "PATCH", "PATCH", "DELETE", "HEAD",
        "OPTIONS", "BREW",
    ]);
    let query =
        prop::collection::vec(parameter(), 0..4).prop_map(|parameters| parameters.join("&"));
    (method, path, query, headers(), body(), any::<bool>()).prop_map(
        |(method, path, query, headers, body, decoded)| {
            let request = Request::builder()
                .method(method)
                .uri("/")
                .body(Bytes::from(body))
                .unwrap();
            let mut event = event::of(&request);
            event["rawPath"] = path.as_str().into();
            // Some gateways pass spaces in the query on as they are.
            event["rawQueryString"] = if decoded {
                query.into()
            } else {
                query.replace(' ', "%20").into()
            };
            event["headers"] = headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), header(&value)))
                .collect();
            event
        },
    )
}

/// The value of a header; a gateway rejects control characters.
fn header(value: &str) -> Value {
    value
        .chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .into()
}

/// Checks what holds for every response.
///
/// # Errors
///
/// What does not hold.
pub fn check(event: &Value, response: &Value) -> Result<(), TestCaseError> {
    let status = response["statusCode"].as_u64().unwrap_or_default();
    prop_assert!(
        (200..500).contains(&status),
        "{status} to {event}: {response}"
    );
    prop_assert_eq!(&response["headers"]["x-content-type-options"], "nosniff");
    let method = event["requestContext"]["http"]["method"].as_str();
    if status >= 400 && method != Some("HEAD") {
        let response = event::response(response);
        prop_assert_eq!(
            &response.headers()["content-type"],
            "application/problem+json"
        );
        let problem: dto::problem::ProblemDetails =
            serde_json::from_slice(response.body()).unwrap();
        prop_assert_eq!(u64::from(problem.status), status);
        prop_assert!(
            !matches!(status, 400 | 422) || !problem.errors.is_empty(),
            "{status} without errors to {event}"
        );
    }
    Ok(())
}
