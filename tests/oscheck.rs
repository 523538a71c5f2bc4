//! What `oscheck` says is true of this machine.

use serde_json::json;
use tests::System;

#[tokio::test]
async fn the_operating_system_is_this_ones() {
    let system = System::start().await;
    let client = &system.client;
    let uname = |flag: &str| {
        let output = std::process::Command::new("uname")
            .arg(flag)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let name = uname("-s");
    let message = format!("Your operation system is: {name}");
    let told = client.get("/oscheck").await.expect(200).json();
    assert_eq!(
        told,
        json!({
            "message": message,
            "system": name,
            "release": uname("-r"),
            "architecture": uname("-m"),
        })
    );
    let text = [("accept", "text/plain")];
    let told = client.get_with("/oscheck", &text).await.expect(200);
    assert_eq!(told.text(), message);
    system.stop().await;
}
