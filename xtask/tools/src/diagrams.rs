//! The diagrams in `docs/diagrams`: written, or compared.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use diagrams::render;
use template::generated;

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
pub async fn run(arguments: &Arguments) -> Result<()> {
    let sources = diagrams::sources().await?;
    let pictures = render::draw(&arguments.java, &arguments.plantuml, &sources)?;

    let mut files = BTreeMap::new();
    for (extension, contents) in [("puml", sources), ("svg", pictures)] {
        let contents = contents.into_iter();
        files.extend(contents.map(|(name, content)| (format!("{name}.{extension}"), content)));
    }
    let folder = render::folder(&template::project());
    fs::create_dir_all(&folder)?;
    let count = files.len() / 2;
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            ensure!(
                !arguments.check,
                "docs/diagrams/{name} is no longer a diagram: run `cargo xtask diagrams`"
            );
            fs::remove_file(folder.join(&name))?;
            eprintln!("removed {name}");
        }
    }
    generated::update(&folder, files, arguments.check, "cargo xtask diagrams").context(
        "the diagrams (where only the pictures differ, another version of Graphviz may have \
         drawn them)",
    )?;
    eprintln!("{count} diagrams are up to date");
    Ok(())
}
