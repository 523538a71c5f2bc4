//! The health of each function, and of all.

use std::collections::BTreeSet;

use serde_json::json;
use testbed::FUNCTIONS;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(every_function_reports_its_own_health),
        case!(function_without_dependencies_has_no_checks),
        case!(health_checks_every_other_function),
    ]
}

async fn every_function_reports_its_own_health(api: Api) {
    for &function in FUNCTIONS.iter() {
        let health = api.get(&format!("/health/{function}")).await.expect(200);
        health
            .expect_header("content-type", "application/health+json")
            .expect_members(&[("/serviceId", json!(function))]);
    }
}

async fn function_without_dependencies_has_no_checks(api: Api) {
    let health = api.get("/health/hello").await.expect(200).json();
    let expected = json!({"status": "pass", "serviceId": "hello", "checks": {}});
    assert_eq!(health, expected);
}

/// It queries the others over HTTP, through the surface itself.
async fn health_checks_every_other_function(api: Api) {
    let health = api.get("/health").await.expect(200);
    let checks = health.json()["checks"].as_object().unwrap().clone();
    let checked: BTreeSet<_> = checks.keys().map(String::as_str).collect();
    let others = FUNCTIONS.iter().copied().filter(|&name| name != "health");
    assert_eq!(checked, others.collect());
    for (function, check) in checks {
        // region: nosqldata
        assert_eq!(check[0]["status"], "pass", "{function}");
        // endregion
        assert_ne!(check[0]["status"], "fail", "{function}");
        assert_eq!(check[0]["observedUnit"], "ms", "{function}");
        assert!(check[0]["observedValue"].is_u64(), "{function}: {check}");
    }
    health
        .expect_header("content-type", "application/health+json")
        .expect_members(&[("/serviceId", json!("health"))]);
}
