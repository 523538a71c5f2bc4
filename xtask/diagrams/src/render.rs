//! From sources to pictures.
//!
//! PlantUML draws them. Added here are a dark variant for dark pages, and the digest
//! of the source, so that an outdated picture is found without drawing.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::style::Colour;

/// The version of PlantUML.
const PLANTUML: &str = "1.2025.8";

/// The SHA-256 of its archive.
const DIGEST: &str = "b6e83f027bc69e48beb3bf86456ea14173f4f1d0149a8a1132488cf1726e2a9a";

/// The colours that PlantUML uses on its own, and those that replace them.
const REPAINTED: [(&str, Colour); 4] = [
    ("#000000", Colour::Text),
    ("#222222", Colour::Text),
    ("#E2E2F0", Colour::Sheet),
    ("#EEEEEE", Colour::External),
];

/// Draws the pictures of these sources, by the same names, with this Java and this
/// archive of PlantUML.
///
/// # Errors
///
/// The archive is not the pinned one, or PlantUML cannot be started or cannot draw one.
pub fn draw(
    java: &Path,
    plantuml: &Path,
    sources: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let archive = fs::read(plantuml).with_context(|| plantuml.display().to_string())?;
    let digest = hex(&archive);
    ensure!(
        digest == DIGEST,
        "{} is not PlantUML {PLANTUML}: its SHA-256 is {digest} instead of {DIGEST}. \
         Delete it and run this again.",
        plantuml.display()
    );
    let folder = tempfile::tempdir()?;
    let file = |name: &str, extension: &str| folder.path().join(format!("{name}.{extension}"));
    for (name, source) in sources {
        fs::write(file(name, "puml"), source)?;
    }
    let drawn = Command::new(java)
        .args([
            "-Djava.awt.headless=true",
            "-DPLANTUML_LIMIT_SIZE=8192",
            "-jar",
        ])
        .arg(plantuml)
        .args(["-charset", "UTF-8", "-nometadata", "-tsvg"])
        .args(sources.keys().map(|name| file(name, "puml")))
        .output()
        .with_context(|| format!("{} cannot be started", java.display()))?;
    ensure!(
        drawn.status.success(),
        "PlantUML cannot draw the sources:\n{}{}",
        String::from_utf8_lossy(&drawn.stdout),
        String::from_utf8_lossy(&drawn.stderr)
    );
    let pictures = sources.iter().map(|(name, source)| {
        let picture = fs::read_to_string(file(name, "svg"));
        let picture = picture.with_context(|| format!("PlantUML did not draw {name}"))?;
        let finished = finish(&picture, source).with_context(|| name.clone())?;
        Ok((name.clone(), finished))
    });
    pictures.collect()
}

/// The comment in a picture of this source.
fn mark(source: &str) -> String {
    format!(
        "PlantUML {PLANTUML}, of a source with the SHA-256 {}",
        hex(source.as_bytes())
    )
}

/// Whether this is a picture of this source.
#[must_use]
pub fn is_of(picture: &str, source: &str) -> bool {
    picture.contains(&mark(source))
}

/// The picture with its dark variant and its comment.
fn finish(picture: &str, source: &str) -> Result<String> {
    let mut picture = picture.to_owned();
    for (theirs, ours) in REPAINTED {
        picture = picture.replace(theirs, ours.light());
    }
    for colour in painted(&picture) {
        ensure!(
            Colour::all().any(|it| it.light() == colour),
            "{colour} is not in the palette of style.rs, so it has no dark variant: add it"
        );
    }
    // Without DejaVu: Verdana is as wide.
    picture = picture.replace("\"DejaVu Sans\"", "\"DejaVu Sans, Verdana, sans-serif\"");
    let (head, rest) = picture.split_once('>').context("is no SVG")?;
    let head = without_style(head).replace("preserveAspectRatio=\"none\" ", "");
    // The instruction has nothing but the path of the source.
    let rest = rest.trim_start();
    let rest = match rest.split_once("?>") {
        Some((_, after)) if rest.starts_with("<?") => after,
        _ => rest,
    };
    Ok(format!(
        "{head}><!-- {} --><style>{}</style>{}\n",
        mark(source),
        rules(),
        rest.trim_end()
    ))
}

/// The tag without its `style`, which repeats its size and sets a background.
fn without_style(tag: &str) -> String {
    let Some((before, rest)) = tag.split_once("style=\"") else {
        return tag.to_owned();
    };
    let after = rest.split_once("\" ").map_or("", |(_, after)| after);
    format!("{before}{after}")
}

/// Every colour in the picture.
fn painted(picture: &str) -> Vec<&str> {
    let starts = picture.match_indices('#').map(|(at, _)| at);
    let colours = starts.filter_map(|at| picture.get(at..at + 7));
    colours
        .filter(|it| it.chars().skip(1).all(|c| c.is_ascii_hexdigit()))
        .collect()
}

/// The style rules that replace light colours by dark ones.
fn rules() -> String {
    let mut rules = format!("svg{{background:{}}}", Colour::Sheet.light());
    rules.push_str("@media (prefers-color-scheme:dark){");
    // Writing to a string cannot fail.
    let _ = write!(rules, "svg{{background:{}}}", Colour::Sheet.dark());
    for colour in Colour::all() {
        let (light, dark) = (colour.light(), colour.dark());
        let _ = write!(
            rules,
            "[fill=\"{light}\"]{{fill:{dark}}}[style*=\"stroke:{light}\"]{{stroke:{dark}!important}}"
        );
    }
    rules.push('}');
    rules
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The folder of the diagrams, in that of the project.
#[must_use]
pub fn folder(project: &Path) -> PathBuf {
    project.join("docs/diagrams")
}
