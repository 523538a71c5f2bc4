//! `GET /` on `lambda_http` alone.

use bare as _;
use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        Response::builder()
            .header("content-type", "application/json")
            .body(r#"{"message":"Hello Kea"}"#)
    }))
    .await
}
