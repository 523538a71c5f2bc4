//! `GET /` on axum on `lambda_http`.

use axum::{Json, Router, routing::get};
use bare as _;
use lambda_http::{Error, run};
use serde_json::{Value, json};

async fn hello() -> Json<Value> {
    Json(json!({ "message": "Hello Kea" }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(Router::new().route("/", get(hello))).await
}
