//! Who may call what. The routes and their rules are those of the OpenAPI
//! document, so that a new route is part of every case.

use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};
use testbed::{
    Client, Response,
    callers::{bearer, signing_key},
};
use tokens::{SigningKey, claims, encode, message};

// region: nosqldata
use crate::paths::{DECODES_AN_ESCAPED_SLASH, KEEPS_AN_ESCAPED_SLASH};
// endregion
use crate::{Api, Case, Kind};

pub fn cases() -> Vec<Case> {
    vec![
        case!(protected_route_needs_a_token),
        case!(token_without_the_scope_is_refused),
        case!(token_with_the_scope_is_admitted),
        case!(token_of_another_key_is_refused),
        case!(token_of_an_unknown_key_is_refused),
        case!(token_with_other_claims_is_refused),
        case!(unsigned_token_is_refused),
        case!(token_signed_with_the_public_key_is_refused),
        case!(authorization_without_a_bearer_token_returns_401),
        case!(clock_skew_of_30_s_is_tolerated),
        // region: nosqldata
        case!(unknown_path_is_reported_before_the_token)
            .differs(
                &[Kind::Watch],
                KEEPS_AN_ESCAPED_SLASH,
                check!(malformed_token_is_refused),
            )
            .differs(
                &[Kind::StartApi],
                DECODES_AN_ESCAPED_SLASH,
                check!(gateway_refuses_the_path),
            ),
        case!(refusal_comes_after_405_and_before_the_body),
        // endregion
        case!(details_of_health_need_a_scope),
        case!(repeated_header_is_refused),
    ]
}

/// Who may call an operation, according to the document.
enum Rule {
    /// Everybody; a token is ignored.
    Ignored,
    /// Everybody; a token must be valid.
    Open,
    /// Every caller with a token.
    Token,
    /// Callers with one of these scopes.
    Scopes(Vec<String>),
}

/// An operation of the API.
struct Operation {
    method: Method,
    target: String,
    rule: Rule,
}

/// Every operation of the document. Its ids exist nowhere.
async fn operations(api: &Api) -> Vec<Operation> {
    let document = api.get("/openapi.json").await.expect(200).json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = uuid::Uuid::now_v7().to_string();
            let parts = path.split('/').map(|part| match part.strip_prefix('{') {
                Some(_) => id.as_str(),
                None => part,
            });
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                target: parts.collect::<Vec<_>>().join("/"),
                rule: rule(operation),
            });
        }
    }
    assert!(operations.len() >= 10, "{}", operations.len());
    operations
}

fn rule(operation: &Value) -> Rule {
    let security = operation["security"].as_array().expect("a rule");
    let scopes = security.iter().flat_map(|it| {
        let scopes = it["bearer"].as_array();
        scopes.into_iter().flatten()
    });
    let scopes: Vec<_> = scopes
        .map(|scope| scope.as_str().unwrap().to_owned())
        .collect();
    let is_open = security.is_empty() || security.iter().any(|it| *it == json!({}));
    if operation["responses"]["401"].is_null() {
        assert!(security.is_empty());
        Rule::Ignored
    } else if is_open {
        Rule::Open
    } else if scopes.is_empty() {
        Rule::Token
    } else {
        Rule::Scopes(scopes)
    }
}

async fn call(client: &Client, operation: &Operation) -> Response {
    let Operation { method, target, .. } = operation;
    client.send(method.clone(), target, &[], "").await
}

/// Checks that an operation got as far as its handler.
fn expect_admitted(response: &Response) {
    let status = response.status.as_u16();
    let is_admitted = status < 500 && ![401, 403, 405].contains(&status);
    assert!(is_admitted, "not admitted: {response}");
}

/// Checks that every operation refuses this value of `Authorization`, but for
/// those that ignore it.
async fn expect_refused(api: &Api, authorization: String, reason: &str) {
    let client = api.authorized(authorization);
    for operation in operations(api).await {
        let response = call(&client, &operation).await;
        if matches!(operation.rule, Rule::Ignored) {
            expect_admitted(&response);
            continue;
        }
        let detail = format!("The bearer token is not accepted: {reason}.");
        let challenge = format!(
            "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"{reason}\""
        );
        response
            .expect_problem(401, "unauthorized", &detail)
            .expect_header("www-authenticate", &challenge);
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

async fn protected_route_needs_a_token(api: Api) {
    let client = api.anonymous();
    for operation in operations(&api).await {
        let response = call(&client, &operation).await;
        match operation.rule {
            Rule::Ignored | Rule::Open => expect_admitted(&response),
            Rule::Token | Rule::Scopes(_) => {
                let detail = "This needs a bearer token in the header Authorization.";
                response
                    .expect_problem(401, "unauthorized", detail)
                    .expect_header("www-authenticate", "Bearer realm=\"api\"");
            }
        }
    }
}

async fn token_without_the_scope_is_refused(api: Api) {
    let operations = operations(&api).await;
    let scopes_of = |operation: &Operation| match &operation.rule {
        Rule::Scopes(scopes) => scopes.clone(),
        _ => Vec::new(),
    };
    let known: Vec<_> = operations.iter().flat_map(scopes_of).collect();
    for operation in operations {
        // That of another operation, if there is one.
        let sufficient = scopes_of(&operation);
        let other = known.iter().find(|scope| !sufficient.contains(scope));
        let client = api.caller(&api.unique(), other.map_or("other:read", String::as_str));
        let response = call(&client, &operation).await;
        match operation.rule {
            Rule::Ignored | Rule::Open | Rule::Token => expect_admitted(&response),
            Rule::Scopes(scopes) => {
                let detail = format!("The token lacks the scope {}.", scopes.join(" or "));
                let scope = &scopes[0];
                let challenge = format!(
                    "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"{scope}\""
                );
                response
                    .expect_problem(403, "forbidden", &detail)
                    .expect_header("www-authenticate", &challenge);
            }
        }
    }
}

async fn token_with_the_scope_is_admitted(api: Api) {
    for operation in operations(&api).await {
        let scopes = match &operation.rule {
            Rule::Scopes(scopes) => scopes.clone(),
            _ => vec![String::new()],
        };
        for scope in scopes {
            let client = api.caller(&api.unique(), &scope);
            expect_admitted(&call(&client, &operation).await);
        }
    }
}

async fn token_of_another_key_is_refused(api: Api) {
    let header = json!({ "alg": "EdDSA", "kid": signing_key().id() });
    let other = SigningKey::generate().unwrap();
    let token = other.sign(&header, &claims("tester", &tokens::scopes().unwrap()));
    let reason = "its signature is not valid";
    expect_refused(&api, format!("Bearer {token}"), reason).await;
}

async fn token_of_an_unknown_key_is_refused(api: Api) {
    let other = SigningKey::generate().unwrap();
    let token = other.token("tester", &tokens::scopes().unwrap());
    expect_refused(&api, format!("Bearer {token}"), "its key is unknown").await;
    let header = json!({ "alg": "EdDSA" });
    let token = signing_key().sign(&header, &claims("tester", &tokens::scopes().unwrap()));
    expect_refused(&api, format!("Bearer {token}"), "its header has no kid").await;
}

async fn token_with_other_claims_is_refused(api: Api) {
    let audience = "its audience is not accepted";
    for (claim, value, reason) in [
        ("exp", json!(now() - 120), "it has expired"),
        ("exp", json!(null), "it lacks exp, iss or sub"),
        ("nbf", json!(now() + 600), "it is not valid yet"),
        ("aud", json!("another"), audience),
        ("aud", json!(["another"]), audience),
        ("aud", json!(null), audience),
        // An ID token identifies a user to a client, and authorizes no call.
        ("token_use", json!("id"), audience),
        (
            "iss",
            json!("https://issuer.example.com"),
            "its issuer is not the configured one",
        ),
    ] {
        // Of a caller who may do everything.
        let mut claims = claims("tester", &tokens::scopes().unwrap());
        claims[claim] = value;
        let header = json!({ "alg": "EdDSA", "kid": signing_key().id() });
        let token = signing_key().sign(&header, &claims);
        expect_refused(&api, format!("Bearer {token}"), reason).await;
    }
}

async fn unsigned_token_is_refused(api: Api) {
    let header = json!({ "alg": "none", "kid": signing_key().id() });
    let message = message(&header, &claims("tester", &tokens::scopes().unwrap()));
    expect_refused(&api, format!("Bearer {message}."), "it is malformed").await;
}

/// A verifier that uses the public key as an HMAC secret accepts it (RFC 8725 §2.1).
async fn token_signed_with_the_public_key_is_refused(api: Api) {
    let header = json!({ "alg": "HS256", "kid": signing_key().id() });
    let message = message(&header, &claims("tester", &tokens::scopes().unwrap()));
    let public = signing_key().jwk()["x"].as_str().unwrap().to_owned();
    let signature = testbed::callers::hmac(public.as_bytes(), message.as_bytes());
    let token = format!("{message}.{}", encode(&signature));
    let reason = "its algorithm is not that of its key";
    expect_refused(&api, format!("Bearer {token}"), reason).await;
}

async fn authorization_without_a_bearer_token_returns_401(api: Api) {
    let reason = "the header Authorization must be Bearer and one token";
    for authorization in ["Basic YWRhOnNlY3JldA==", "Bearer", "Bearer a b", "token"] {
        expect_refused(&api, authorization.to_owned(), reason).await;
    }
    expect_refused(&api, "Bearer a.b.c".to_owned(), "it is malformed").await;
}

async fn clock_skew_of_30_s_is_tolerated(api: Api) {
    for (name, time) in [("exp", now() - 30), ("nbf", now() + 30)] {
        let mut claims = claims(&api.unique(), "");
        claims[name] = time.into();
        let header = json!({ "alg": "EdDSA", "kid": signing_key().id() });
        let token = signing_key().sign(&header, &claims);
        let client = api.authorized(format!("Bearer {token}"));
        client.get("/health/health").await.expect(200);
    }
}

// region: nosqldata
/// A path that no route has and that reaches a function nevertheless, with a
/// malformed token.
async fn get_an_unknown_path(api: &Api) -> Response {
    let client = api.authorized("Bearer a.b.c".to_owned());
    client.get("/nosqldata/a%2Fb").await
}

async fn unknown_path_is_reported_before_the_token(api: Api) {
    let refused = get_an_unknown_path(&api).await;
    refused.expect_problem(404, "unknown-path", "No route has this path.");
}

async fn malformed_token_is_refused(api: Api) {
    let refused = get_an_unknown_path(&api).await;
    let detail = "The bearer token is not accepted: it is malformed.";
    refused.expect_problem(401, "unauthorized", detail);
}

async fn gateway_refuses_the_path(api: Api) {
    get_an_unknown_path(&api).await.expect(403);
}

async fn refusal_comes_after_405_and_before_the_body(api: Api) {
    // Neither the media type nor the body is what any of them accepts.
    let headers = [("content-type", "text/plain"), ("if-match", "bogus")];
    let body = vec![b'{'; 300_000];
    let client = api.anonymous();
    for (method, target, status) in [
        (Method::DELETE, "/nosqldata", 405),
        (Method::OPTIONS, "/nosqldata", 204),
        (Method::POST, "/nosqldata?unknown=1", 401),
        (Method::PATCH, "/nosqldata/none", 401),
        (Method::PUT, "/nosqldata/%00", 401),
        // region: mysqldata
        (Method::POST, "/mysqldata", 401),
        // endregion
    ] {
        let response = client.send(method, target, &headers, body.clone()).await;
        response.expect(status);
    }
    let client = api.caller(&api.unique(), "");
    for target in [
        "/nosqldata?unknown=1",
        // region: mysqldata
        "/mysqldata",
        // endregion
    ] {
        let response = client.send(Method::POST, target, &headers, body.clone());
        response.await.expect(403);
    }
}
// endregion

async fn details_of_health_need_a_scope(api: Api) {
    let operator = api.caller(&api.unique(), "ops:read");
    for (path, name, check) in [
        ("/health", "health", "/checks/hello/0/observedUnit"),
        // region: nosqldata
        (
            "/health/nosqldata",
            "nosqldata",
            "/checks/dynamodb/0/observedUnit",
        ),
        // endregion
        // region: mysqldata nosqldata
        (
            "/health/mysqldata",
            "mysqldata",
            "/checks/mysql/0/observedUnit",
        ),
        // endregion
    ] {
        let world = json!({"status": "pass", "serviceId": name});
        for client in [api.anonymous(), api.caller(&api.unique(), "other:read")] {
            assert_eq!(client.get(path).await.expect(200).json(), world);
        }
        operator
            .get(path)
            .await
            .expect(200)
            .expect_members(&[(check, json!("ms"))]);
    }
}

async fn repeated_header_is_refused(api: Api) {
    let valid = bearer("tester", "");
    let headers = [
        ("authorization", valid.as_str()),
        ("authorization", "Bearer a.b.c"),
    ];
    api.get_with("/health/health", &headers).await.expect(401);
}
