//! The chassis in a crate outside of the workspace, as docs/using-the-chassis.md
//! describes it.

use std::{fs, process::Command};

/// The first block of this language in the guide.
fn block<'g>(guide: &'g str, language: &str) -> &'g str {
    let fence = format!("```{language}\n");
    let (_, block) = guide.split_once(&fence).expect("a block");
    block.split_once("```").expect("the end of the block").0
}

#[test]
fn crate_outside_of_the_workspace_builds_with_the_chassis() {
    let project = template::project().canonicalize().unwrap();
    let guide = fs::read_to_string(project.join("docs/using-the-chassis.md")).unwrap();
    let crates = format!("{}/crates/", project.display());
    let dependencies = block(&guide, "toml").replace("../kea/crates/", &crates);
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"greetings\"\nedition = \"2024\"\n\n{dependencies}\n[workspace]\n"
    );
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), block(&guide, "rust")).unwrap();
    // The versions that are on this machine already.
    fs::copy(project.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let mut check = Command::new(env!("CARGO"));
    check
        .args(["check", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", project.join("target/outside"));
    let checked = check.output().unwrap();
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{errors}");
}
