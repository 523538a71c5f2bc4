//! Headers, as gateways join, split and add them.

// region: nosqldata
use http::Method;
use testbed::LISTS;
// endregion

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(cookies_change_nothing),
        case!(repeated_header_is_one_list),
        case!(long_header_is_accepted),
        // region: nosqldata
        case!(forwarding_and_override_headers_change_nothing),
        // endregion
        case!(trace_continues_unless_the_traceparent_is_malformed),
        // region: nosqldata
        case!(malformed_or_long_deadline_is_accepted),
        case!(body_after_expect_100_continue_is_read),
        // endregion
    ]
}

async fn cookies_change_nothing(api: Api) {
    for cookies in [
        &[("cookie", "session=abc")][..],
        &[("cookie", "a=1; b=\"two words\"; c=%C3%A9; d=; =; e")],
        &[("cookie", "a=1"), ("cookie", "b=2; c=3"), ("cookie", "a=4")],
    ] {
        let response = api.get_with("/", cookies).await.expect(200);
        response.expect_header("set-cookie", "");
        // region: nosqldata
        for list in LISTS {
            let response = api.get_with(list, cookies).await.expect(200);
            response.expect_header("set-cookie", "");
        }
        // endregion
    }
}

async fn repeated_header_is_one_list(api: Api) {
    let accept = [
        ("accept", "application/json;q=0.1"),
        ("accept", "text/plain"),
    ];
    let text = api.get_with("/", &accept).await.expect(200);
    assert_eq!(text.text(), "Hello KEA!");
    // region: nosqldata
    let created = api.create_product().await;
    let known = [
        ("if-none-match", "\"a\""),
        ("if-none-match", created.header("etag")),
    ];
    api.get_with(created.header("location"), &known)
        .await
        .expect(304);
    // endregion
}

/// API Gateway takes 10,240 bytes of request line and headers.
async fn long_header_is_accepted(api: Api) {
    let cookie = format!("session={}", "x".repeat(7_000));
    api.get_with("/", &[("cookie", &cookie)]).await.expect(200);
}

async fn trace_continues_unless_the_traceparent_is_malformed(api: Api) {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (value, continues) in [
        (format!("00-{trace}-00f067aa0ba902b7-01"), true),
        (format!("00-{trace}-0000000000000000-01"), false),
        (format!("00-{trace}-00f067aa0ba902b7"), false),
        ("nonsense".to_owned(), false),
    ] {
        let headers = [("traceparent", &*value), ("tracestate", "a=1,b=2")];
        let response = api.get_with("/health/health", &headers).await.expect(200);
        let returned: Vec<_> = response.header("traceresponse").split('-').collect();
        assert_eq!(returned.len(), 4, "{response}");
        assert_eq!(returned[1] == trace, continues, "{value}: {response}");
        assert_ne!(returned[2], "00f067aa0ba902b7", "{response}");
    }
}

// region: nosqldata
async fn forwarding_and_override_headers_change_nothing(api: Api) {
    let headers = [
        ("x-forwarded-host", "attacker.example"),
        ("x-forwarded-prefix", "/attacker"),
        ("forwarded", "host=attacker.example;proto=gopher"),
        ("x-original-url", "/health"),
        ("x-rewrite-url", "/health"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
    ];
    let created = api
        .json(Method::POST, "/nosqldata", &headers, &api.product())
        .await
        .expect(201);
    let path = created.header("location").to_owned();
    assert_eq!(path, format!("/nosqldata/{}", created.id()));
    let read = api.get_with(&path, &headers).await.expect(200);
    assert_eq!(read.json(), created.json());
    let problem = api.get_with("/nosqldata/none", &headers).await.expect(404);
    assert_eq!(problem.json()["instance"], "/nosqldata/none");
    api.get(&path).await.expect(200);
}

async fn malformed_or_long_deadline_is_accepted(api: Api) {
    for value in ["3600000", "-1", "soon"] {
        let headers = [("x-request-deadline", value)];
        api.get_with("/nosqldata?limit=1", &headers)
            .await
            .expect(200);
    }
}

async fn body_after_expect_100_continue_is_read(api: Api) {
    let headers = [("expect", "100-continue")];
    let product = api.product();
    let created = api.json(Method::POST, "/nosqldata", &headers, &product);
    created.await.expect(201);
}
// endregion
