//! What `oscheck` reports is true of this machine.

use serde_json::json;
use testbed::System;

#[tokio::test]
async fn oscheck_reports_the_values_of_uname() {
    let system = System::start().await;
    let uname = |flag: &str| {
        let output = std::process::Command::new("uname").arg(flag).output();
        String::from_utf8(output.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    let name = uname("-s");
    let expected = json!({
        "message": format!("Your operation system is: {name}"),
        "system": name,
        "release": uname("-r"),
        "architecture": uname("-m"),
    });
    assert_eq!(
        system.client.get("/oscheck").await.expect(200).json(),
        expected
    );
}
