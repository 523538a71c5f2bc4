//! `GET /` on `lambda_http` alone.

use bare as _;
use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        let response = Response::builder().header("content-type", "application/json");
        let body = r#"{"message":"Hello Kea"}"#.to_owned();
        response.body(body).map_err(Error::from)
    }))
    .await
}
