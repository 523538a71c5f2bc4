//! `cargo xtask openapi`: writes the OpenAPI document where the docs function
//! embeds it.

use anyhow::{Context, Result, bail};
use clap::Parser;
use openapi::{document, files, project};

/// Writes the OpenAPI document.
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail with the difference if there is one
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let document = document()?;
    for (file, content) in files(&document)? {
        let path = project().join(&file);
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        if there == content {
            continue;
        }
        if arguments.check {
            bail!("{}", openapi::stale(&file, &there, &content));
        }
        std::fs::write(&path, content).with_context(|| file.clone())?;
        eprintln!("wrote {file}");
    }
    Ok(())
}
