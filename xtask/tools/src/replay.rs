//! Replays events and prints what the functions answer: `cargo xtask replay`
//! starts the stores for it.

use std::path::Path;

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    for file in std::env::args().skip(1) {
        let replayed = tests::replay::replay(Path::new(&file)).await?;
        println!("{file}\n{replayed}");
    }
    Ok(())
}
