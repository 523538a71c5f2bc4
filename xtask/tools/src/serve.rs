//! Serves the whole system with the sample data, as the tests have it, until it
//! is stopped. Writes its base URL into the file that its argument names.

use anyhow::{Context, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let file = std::env::args().nth(1).context("serve FILE")?;
    let system = tests::System::with_samples().await;
    std::fs::write(&file, system.gateway.url()).context(file)?;
    std::future::pending().await
}
