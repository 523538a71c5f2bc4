//! The problem types and their pages.

use serde_json::json;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(every_problem_type_has_a_page),
        case!(every_problem_has_the_id_of_its_request),
    ]
}

async fn every_problem_type_has_a_page(api: Api) {
    let types = api.get("/problems").await.expect(200).items();
    assert_eq!(types.len(), dto::problem::ProblemType::ALL.len());
    for meaning in types {
        let path = meaning["type"].as_str().unwrap();
        assert_eq!(api.get(path).await.expect(200).json(), meaning);
        let page = api.get_with(path, &[("accept", "text/html")]).await;
        let page = page
            .expect(200)
            .expect_header("content-type", "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{page}");
    }
    let not_found = api.get("/problems/not-found").await.expect(200);
    not_found.expect_members(&[("/status", json!(404))]);
}

async fn every_problem_has_the_id_of_its_request(api: Api) {
    let path = format!("/problems/{}", api.unique());
    let [first, second] = [api.get(&path).await, api.get(&path).await];
    let detail = "No resource has this id.";
    let [first, second] = [first, second].map(|problem| {
        let problem = problem.expect_problem(404, "not-found", detail);
        let problem = problem.expect_members(&[("/instance", json!(path))]);
        problem.json()["requestId"].clone()
    });
    assert_ne!(first, second);
}
