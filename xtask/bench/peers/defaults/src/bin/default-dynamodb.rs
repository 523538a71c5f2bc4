//! `GET /nosqldata/{id}` with `aws_config::load_defaults`.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_http::{Error, Request, Response, run, service_fn};
use serde_json::{Map, Value};

fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.clone().into(),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap_or_default(),
        AttributeValue::Bool(truth) => (*truth).into(),
        AttributeValue::L(items) => items.iter().map(json).collect(),
        AttributeValue::M(members) => {
            Value::Object(members.iter().map(|(name, it)| (name.clone(), json(it))).collect())
        }
        _ => Value::Null,
    }
}

async fn get(client: &Client, request: Request) -> Result<Response<String>, Error> {
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    let table = std::env::var("PRODUCTS_TABLE")?;
    let get = client.get_item().table_name(table).consistent_read(true);
    let got = get.key("id", AttributeValue::S(id.to_owned())).send().await?;
    let item = got.item.unwrap_or_default();
    let product: Map<_, _> = item.iter().map(|(name, it)| (name.clone(), json(it))).collect();
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(Value::Object(product).to_string())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = &Client::new(&config);
    run(service_fn(|request| get(client, request))).await
}
