//! Draws the diagrams: `cargo xtask diagrams` runs it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Result, bail};
use clap::Parser;
use diagrams::render::{self, Renderer};

/// Draws the diagrams anew.
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail where a diagram is not what it would be
    #[arg(long)]
    check: bool,

    /// The program `java`
    #[arg(long)]
    java: PathBuf,

    /// The archive of PlantUML
    #[arg(long)]
    plantuml: PathBuf,
}

// On one thread, as a function itself runs: what it begins at once is recorded as
// begun at once, however busy the machine is.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let renderer = Renderer::new(arguments.java, arguments.plantuml)?;
    let sources = tests::diagrams::sources().await?;
    let pictures = renderer.draw(&sources)?;

    let mut files = BTreeMap::new();
    for (extension, contents) in [("puml", sources), ("svg", pictures)] {
        files.extend(
            contents
                .into_iter()
                .map(|(name, content)| (format!("{name}.{extension}"), content)),
        );
    }
    let folder = render::folder(&stores::project());
    fs::create_dir_all(&folder)?;
    let mut stale = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            stale.push(format!("{name} is no diagram any more"));
            if !arguments.check {
                fs::remove_file(folder.join(&name))?;
                eprintln!("removed {name}");
            }
        }
    }
    for (name, content) in &files {
        let there = fs::read_to_string(folder.join(name)).unwrap_or_default();
        if there != *content {
            stale.push(format!("{name} is not what it is made from"));
            if !arguments.check {
                fs::write(folder.join(name), content)?;
                eprintln!("wrote {name}");
            }
        }
    }
    if arguments.check && !stale.is_empty() {
        bail!(
            "in docs/diagrams: {}. Run `cargo xtask diagrams` and commit what it writes. (Where only \
             the pictures differ, it may be another version of Graphviz that drew them.)",
            stale.join("; ")
        );
    }
    eprintln!("{} diagrams are as they should be", files.len() / 2);
    Ok(())
}
