//! Writes the OpenAPI document where the docs function embeds it: `cargo xtask
//! openapi` runs it.

use anyhow::{Context, Result, bail};
use clap::Parser;
use openapi::{files, stale};
use template::project;

/// Writes the OpenAPI document and the samples of the problem types.
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail with the difference if a file is stale
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for (file, generated) in files()? {
        let path = project().join(&file);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        if committed == generated {
            continue;
        }
        if arguments.check {
            bail!("{}", stale(&file, &committed, &generated));
        }
        std::fs::write(&path, generated).with_context(|| file.clone())?;
        eprintln!("wrote {file}");
    }
    Ok(())
}
