//! The diagrams in `docs/diagrams`: written, or compared.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Result, bail};
use diagrams::{
    differences,
    render::{self, Renderer},
};

/// Draw the diagrams again
#[derive(clap::Args)]
pub struct Arguments {
    /// Write nothing, and fail where a diagram is out of date
    #[arg(long)]
    check: bool,

    /// The program `java`
    #[arg(long)]
    java: PathBuf,

    /// The archive of PlantUML
    #[arg(long)]
    plantuml: PathBuf,
}

/// Draws them; an error where one is out of date and that was to be checked.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let renderer = Renderer::new(arguments.java.clone(), arguments.plantuml.clone())?;
    let sources = diagrams::sources().await?;
    let pictures = renderer.draw(&sources)?;

    let mut files = BTreeMap::new();
    for (extension, contents) in [("puml", sources), ("svg", pictures)] {
        let contents = contents.into_iter();
        files.extend(contents.map(|(name, content)| (format!("{name}.{extension}"), content)));
    }
    let folder = render::folder(&template::project());
    fs::create_dir_all(&folder)?;
    let mut stale = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            stale.push(format!("{name} is no longer a diagram"));
            if !arguments.check {
                fs::remove_file(folder.join(&name))?;
                eprintln!("removed {name}");
            }
        }
    }
    for (name, content) in &files {
        let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
        if committed != *content {
            stale.push(format!("{name} is out of date"));
            if arguments.check && content.starts_with("@startuml") {
                eprintln!("{name}:\n{}", differences(&committed, content));
            }
            if !arguments.check {
                fs::write(folder.join(name), content)?;
                eprintln!("wrote {name}");
            }
        }
    }
    if arguments.check && !stale.is_empty() {
        bail!(
            "in docs/diagrams: {}. Run `cargo xtask diagrams` and commit what it writes. (Where only \
             the pictures differ, another version of Graphviz may have drawn them.)",
            stale.join("; ")
        );
    }
    eprintln!("{} diagrams are up to date", files.len() / 2);
    Ok(true)
}
