//! `GET /mysqldata/{id}` with a pool of sqlx.

use lambda_http::{Error, Request, Response, run, service_fn};
use serde_json::json;
use sqlx::{MySqlPool, Row};

// Unchecked: text with a binary collation is of a binary type to sqlx.
async fn get(pool: &MySqlPool, request: Request) -> Result<Response<String>, Error> {
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    let order = sqlx::query("SELECT customer, status FROM orders WHERE id = UNHEX(REPLACE(?, '-', ''))")
        .bind(id)
        .fetch_one(pool)
        .await?;
    let lines = sqlx::query(
        "SELECT product_id, name, quantity, unit_price FROM order_lines \
         WHERE order_id = UNHEX(REPLACE(?, '-', '')) ORDER BY position",
    )
    .bind(id)
    .fetch_all(pool)
    .await?;
    let lines: Vec<_> = lines
        .iter()
        .map(|line| Ok(json!({ "productId": line.try_get_unchecked::<String, _>("product_id")?, "name": line.try_get_unchecked::<String, _>("name")? })))
        .collect::<Result<_, sqlx::Error>>()?;
    let body = json!({
        "id": id,
        "customer": order.try_get_unchecked::<String, _>("customer")?,
        "status": order.try_get_unchecked::<String, _>("status")?,
        "lines": lines,
    });
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(body.to_string())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let pool = MySqlPool::connect_lazy(&std::env::var("MYSQL_URL")?)?;
    let pool = &pool;
    run(service_fn(|request| get(pool, request))).await
}
