//! The greetings of the functions.

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(greeting_is_exact_json),
        case!(greeting_as_text_is_exact),
        case!(greeting_as_html_links_to_the_documentation),
        // region: nosqldata
        case!(data_services_return_their_message_as_text),
        // endregion
    ]
}

async fn greeting_is_exact_json(api: Api) {
    let greeting = api.get("/").await.expect(200);
    assert_eq!(greeting.text(), r#"{"message":"Hello Kea"}"#);
    greeting
        .expect_header("content-type", "application/json")
        .expect_header("vary", "Accept");
}

async fn greeting_as_text_is_exact(api: Api) {
    let greeting = api.get_with("/", &[("accept", "text/plain")]).await;
    assert_eq!(greeting.text(), "Hello KEA!");
    greeting
        .expect(200)
        .expect_header("content-type", "text/plain; charset=utf-8");
}

async fn greeting_as_html_links_to_the_documentation(api: Api) {
    for accept in [
        "text/html,*/*;q=0.8",
        "text/html,application/xml;q=0.9,*/*;q=0.8",
    ] {
        let page = api.get_with("/", &[("accept", accept)]).await.expect(200);
        assert!(page.text().contains("Hello KEA!"), "{page}");
        assert!(page.text().contains(r#"href="/docs""#), "{page}");
        page.expect_header("content-type", "text/html; charset=utf-8");
    }
}

// region: nosqldata
async fn data_services_return_their_message_as_text(api: Api) {
    for (path, text) in [
        ("/nosqldata", "Test NoSQL"),
        // region: mysqldata
        ("/mysqldata", "Test MySQL"),
        // endregion
    ] {
        let greeting = api.get_with(path, &[("accept", "text/plain")]).await;
        assert_eq!(greeting.text(), text);
        greeting.expect(200).expect_header("vary", "Accept");
    }
}
// endregion
