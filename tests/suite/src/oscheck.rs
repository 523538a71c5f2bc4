//! The machine that the functions run on.

use serde_json::json;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![case!(oscheck_reports_the_operating_system)]
}

async fn oscheck_reports_the_operating_system(api: Api) {
    let message = "Your operation system is: Linux";
    let report = api.get("/oscheck").await.expect(200);
    for member in ["release", "architecture"] {
        let value = report.json()[member].as_str().map(str::len);
        assert!(value.is_some_and(|length| length > 0), "{member}: {report}");
    }
    report.expect_members(&[("/message", json!(message)), ("/system", json!("Linux"))]);
    let text = api.get_with("/oscheck", &[("accept", "text/plain")]).await;
    assert_eq!(text.expect(200).text(), message);
}
