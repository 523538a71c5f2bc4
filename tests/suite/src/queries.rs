//! Query strings.

// region: nosqldata
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use testbed::LISTS;
// endregion

use crate::{Api, Case};

// region: nosqldata
const LIMIT: &str = "must be between 1 and 100";
const NO_LIMIT: &str = "must be an integer between 1 and 100";
const UNKNOWN: &str = "is not a known parameter";
const REPEATED: &str = "must be given once";
const NOT_UTF8: &str = "must be UTF-8";
const CONTROL: &str = "must have no control characters";
const CATEGORY: &str = "must have 1 to 64 characters";
// endregion
// region: mysqldata nosqldata
const CUSTOMER: &str = "must have 1 to 200 characters";
const STATUS: &str = "must be cancelled, paid, placed or shipped";
// endregion
// region: mysqldata
const TIME: &str = "must be an RFC 3339 time or a date, such as 2026-11-22";
// endregion

pub fn cases() -> Vec<Case> {
    vec![
        // region: nosqldata
        case!(repeated_parameter_returns_422),
        case!(unknown_parameter_returns_422),
        case!(every_error_of_a_query_is_reported),
        // endregion
        case!(parameters_are_ignored_elsewhere),
        // region: nosqldata
        case!(invalid_value_returns_422),
        case!(limit_is_not_clamped),
        // endregion
        // region: mysqldata
        case!(malformed_time_or_period_returns_422),
        // endregion
        // region: nosqldata
        case!(empty_query_string_is_accepted),
        case!(plus_and_percent_20_are_decoded_as_a_space),
        case!(escaped_value_is_decoded),
        // endregion
    ]
}

// region: nosqldata
async fn repeated_parameter_returns_422(api: Api) {
    for list in LISTS {
        for query in ["limit=1&limit=2", "limit=1&limit=1", "limit=1&l%69mit=1"] {
            let refused = api.get(&format!("{list}?{query}")).await;
            refused.expect_invalid(&[("limit", REPEATED)]);
        }
    }
}

async fn unknown_parameter_returns_422(api: Api) {
    for list in LISTS {
        let refused = api.get(&format!("{list}?colour=blue&limit=0")).await;
        refused.expect_invalid(&[("limit", LIMIT), ("colour", UNKNOWN)]);
    }
    // region: mysqldata
    let order = "/mysqldata/01a1a14c-afba-72da-b5b1-000000000000?x=1";
    api.get(order).await.expect_invalid(&[("x", UNKNOWN)]);
    // endregion
}

async fn every_error_of_a_query_is_reported(api: Api) {
    let refused = api.get("/nosqldata?limit=0&limit=2&colour=red&category=&%ff=1");
    refused.await.expect_invalid(&[
        ("limit", REPEATED),
        ("category", CATEGORY),
        ("colour", UNKNOWN),
        ("%ff", NOT_UTF8),
    ]);
    // region: mysqldata
    let query = "status=lost&customer=&from=x&to=2026-02-30&limit=101&page=2&status=paid";
    let refused = api.get(&format!("/mysqldata?{query}")).await;
    refused.expect_invalid(&[
        ("limit", LIMIT),
        ("status", REPEATED),
        ("customer", CUSTOMER),
        ("from", TIME),
        ("to", TIME),
        ("page", UNKNOWN),
    ]);
    let refused = api.get("/mysqldata/summary?by=week&limit=1&from=2026-13-01");
    refused.await.expect_invalid(&[
        ("from", TIME),
        ("by", "must be day, product or status"),
        ("limit", UNKNOWN),
    ]);
    // endregion
}
// endregion

async fn parameters_are_ignored_elsewhere(api: Api) {
    for target in [
        "/?a=1&a=2&b",
        "/docs?a=%F0%9F%AB%96&a=&=",
        "/health/docs?a=%zz&a=%FF",
    ] {
        api.get(target).await.expect(200);
    }
}

// region: nosqldata
async fn invalid_value_returns_422(api: Api) {
    for (target, parameter, detail) in [
        ("/nosqldata?limit=", "limit", NO_LIMIT),
        ("/nosqldata?category", "category", CATEGORY),
        ("/nosqldata?category=%FF", "category", NOT_UTF8),
        ("/nosqldata?category=a%C3", "category", NOT_UTF8),
        ("/nosqldata?category=%ED%A0%80", "category", NOT_UTF8),
        ("/nosqldata?category=a%00b", "category", CONTROL),
        // region: mysqldata
        ("/mysqldata?customer=", "customer", CUSTOMER),
        ("/mysqldata?status", "status", STATUS),
        ("/mysqldata?from=", "from", TIME),
        // endregion
    ] {
        let refused = api.get(target).await;
        refused.expect_invalid(&[(parameter, detail)]);
    }
}

async fn limit_is_not_clamped(api: Api) {
    for (limit, detail) in [
        ("0", LIMIT),
        ("101", LIMIT),
        ("-1", LIMIT),
        ("1.0", NO_LIMIT),
        ("ten", NO_LIMIT),
        ("", NO_LIMIT),
        ("+5", NO_LIMIT),
        ("%205", NO_LIMIT),
        ("99999999999999999999", NO_LIMIT),
    ] {
        let refused = api.get(&format!("/nosqldata?limit={limit}")).await;
        refused.expect_invalid(&[("limit", detail)]);
    }
}
// endregion

// region: mysqldata
async fn malformed_time_or_period_returns_422(api: Api) {
    for path in ["/mysqldata", "/mysqldata/summary"] {
        for time in [
            "2026-11-25t00:00:00z",
            "2026-11-25T00:00:00z",
            "2026-11-25+00:00:00Z",
            "2026-11-25T00:00:60Z",
        ] {
            for name in ["from", "to"] {
                let refused = api.get(&format!("{path}?{name}={time}")).await;
                refused.expect_invalid(&[(name, TIME)]);
            }
        }
        let period = "from=2026-01-02&to=2026-01-01";
        let refused = api.get(&format!("{path}?{period}")).await;
        refused.expect_invalid(&[("from", "must not be after to")]);
        let time = "2026-11-25T00:00:00.0000000000%2B14:00";
        api.get(&format!("{path}?from={time}")).await.expect(200);
    }
}
// endregion

// region: nosqldata
async fn empty_query_string_is_accepted(api: Api) {
    for list in LISTS {
        for query in ["?", "?&", "?&&limit=1&"] {
            api.get(&format!("{list}{query}")).await.expect(200);
        }
    }
}

/// Checks that a list by `category`, escaped in each of these ways, has the one
/// product of it.
async fn expect_found(api: &Api, category: &str, escaped: [String; 2]) {
    let mut product = api.product();
    product["category"] = category.into();
    let created = api.post("/nosqldata", &product).await.expect(201);
    for escaped in escaped {
        let list = api.get(&format!("/nosqldata?category={escaped}")).await;
        assert_eq!(list.expect(200).items(), [created.json()], "{escaped}");
    }
}

async fn plus_and_percent_20_are_decoded_as_a_space(api: Api) {
    let category = format!("tea pots {}", api.unique());
    let escaped = ["+", "%20"].map(|blank| category.replace(' ', blank));
    expect_found(&api, &category, escaped).await;
}

async fn escaped_value_is_decoded(api: Api) {
    let category = format!("é&=+%/?#🫖{}", api.unique());
    let upper = utf8_percent_encode(&category, NON_ALPHANUMERIC).to_string();
    let lower = upper.replace("%C3%A9", "%c3%a9").replace("%2F", "%2f");
    expect_found(&api, &category, [upper, lower]).await;
}
// endregion
