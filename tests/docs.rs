//! The OpenAPI document is of this API, and what Lambda is given of it is small
//! enough.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use testbed::{System, event};

#[tokio::test]
async fn document_has_the_paths_and_methods_of_the_routers() {
    let system = System::start().await;
    let document = system.client.get("/openapi.json").await.expect(200).json();
    let mut documented = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        let mut methods: Vec<_> = methods.map(|method| method.to_uppercase()).collect();
        // The chassis adds these two to every path.
        methods.extend(["HEAD".to_owned(), "OPTIONS".to_owned()]);
        methods.sort();
        documented.insert(path.clone(), methods);
    }
    let mut routed = BTreeMap::new();
    for path in testbed::routes().await.into_keys() {
        let target = path.replace(['{', '}'], "");
        let options = system.client.send(Method::OPTIONS, &target, &[], "").await;
        let options = options.expect(204);
        let methods = options.header("allow").split(", ").map(str::to_owned);
        let mut methods: Vec<_> = methods.collect();
        methods.sort();
        routed.insert(path, methods);
    }
    assert_eq!(
        documented, routed,
        "left: the document, right: the routers; describe the operation beside its handler and run \
         `cargo xtask openapi`"
    );
}

#[tokio::test]
async fn compressed_body_leaves_the_function_in_base64() {
    let system = System::start().await;
    let request = Request::get("/openapi.json").header("accept-encoding", "br");
    let request = request.body(Bytes::new()).unwrap();
    let response = system.invoke("docs", &event::of(&request)).await;
    assert_eq!(response["isBase64Encoded"], true);
    assert!(STANDARD.decode(response["body"].as_str().unwrap()).is_ok());
    // Lambda takes 6 MB of a response, API Gateway 10 MB.
    assert!(response.to_string().len() < 6_000_000);
}

// region: nosqldata
#[tokio::test]
async fn limits_of_the_document_are_those_of_the_lists() {
    let system = System::start().await;
    let client = &system.client;
    let document = client.get("/openapi.json").await.expect(200).json();
    for path in [
        "/nosqldata",
        // region: mysqldata
        "/mysqldata",
        // endregion
    ] {
        let operation = &document["paths"][path]["get"];
        let mut parameters = operation["parameters"].as_array().unwrap().iter();
        let limit = parameters.find(|it| it["name"] == "limit").unwrap();
        let bound = |name: &str| limit["schema"][name].as_i64().unwrap();
        let (min, max) = (bound("minimum"), bound("maximum"));
        for (limit, status) in [(min - 1, 422), (min, 200), (max, 200), (max + 1, 422)] {
            let list = client.get(&format!("{path}?limit={limit}")).await;
            list.expect(status);
        }
    }
}
// endregion
