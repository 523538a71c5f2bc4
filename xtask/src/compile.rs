//! `cargo xtask compile`, which cargo-lambda calls in place of `cargo build`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use fs_err as fs;
use template::Template;

use crate::{process, project::Project, tools};

/// Compile functions as they are deployed: static, with musl
///
/// `cargo lambda build` calls this, also for `sam build`, with the arguments of
/// `cargo build`: docs/decisions/0020 has the reasons.
#[derive(clap::Args)]
pub struct Arguments {
    /// The arguments of `cargo build`, among them `--target`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let mut options = arguments.arguments.clone();
    let asked = replace_target(&mut options).context("`--target` is missing")?;
    let mut names: Vec<_> = (options.windows(2))
        .filter(|pair| matches!(pair, [option, _] if option == "--bin"))
        .filter_map(|pair| pair.last().cloned())
        .collect();
    let template = Template::read(&project.root.join("template.yaml"))?;
    let functions: Vec<_> = template.functions().map(|it| it.binary).collect();
    if names.is_empty() {
        names.extend(functions.iter().map(|name| (*name).to_owned()));
        options.extend(option_for_each("--bin", &functions));
    }
    // Cargo gives a dependency the features that any selected package asks for. The
    // tools ask for many; and all functions are selected, so that what they share is
    // compiled once.
    options.extend(option_for_each("--package", &functions));

    if let Some(rustup) = programs::find("rustup", &[]) {
        let mut add = process::command(rustup);
        add.args(["--quiet", "target", "add", &musl_target(&asked)]);
        process::succeed(add, "rustup target add")?;
    }
    let mut build = process::command(tools::cargo_lambda(&project)?);
    tools::set_linker(&project, &mut build)?;
    build
        .args(["lambda", "build", "--compiler", "cargo-zigbuild"])
        // They are among the options.
        .arg("--disable-optimizations")
        .args(options);
    process::succeed(build, "the build of the functions")?;

    // It has moved them; the one that called this looks for them where it asked for
    // them.
    let (target, _) = asked.split_once('.').unwrap_or((&asked, ""));
    let folder = project.target.join(target).join("release");
    fs::create_dir_all(&folder)?;
    for name in names {
        fs::rename(project.bootstrap(&name), folder.join(&name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The option with each of these values.
fn option_for_each(option: &str, values: &[&str]) -> Vec<String> {
    let pairs = values.iter().flat_map(|value| [option, *value]);
    pairs.map(str::to_owned).collect()
}

/// Replaces the target in the options of cargo by its variant with musl, and
/// returns the one that was asked for.
fn replace_target(options: &mut [String]) -> Option<String> {
    let at = options.iter().position(|it| it == "--target")?;
    let target = options.get_mut(at + 1)?;
    let asked = target.clone();
    *target = musl_target(&asked);
    Some(asked)
}

/// `aarch64-unknown-linux-musl` for `aarch64-unknown-linux-gnu`, which may have a
/// version of glibc.
fn musl_target(target: &str) -> String {
    match target.split_once("-gnu") {
        Some((machine, _)) => format!("{machine}-musl"),
        None => target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_becomes_musl() {
        for (asked, musl) in [
            ("aarch64-unknown-linux-gnu", "aarch64-unknown-linux-musl"),
            ("x86_64-unknown-linux-gnu.2.26", "x86_64-unknown-linux-musl"),
            ("x86_64-unknown-linux-musl", "x86_64-unknown-linux-musl"),
        ] {
            let mut options = ["--release", "--target", asked, "--bin", "hello"].map(String::from);
            assert_eq!(replace_target(&mut options).as_deref(), Some(asked));
            assert_eq!(options, ["--release", "--target", musl, "--bin", "hello"]);
        }
        assert_eq!(replace_target(&mut ["--target".to_owned()]), None);
    }
}
