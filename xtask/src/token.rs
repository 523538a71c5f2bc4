//! `cargo xtask token`.

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;

/// Print a token that the local system accepts, and nothing else
///
/// It is signed with the development key in .kea, which `up` and every other
/// command that runs the functions on this machine trust, and a deployment does
/// not. It is valid for eight hours. docs/security.md describes the scopes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The caller: the claim `sub`
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    sub: String,

    /// The scopes, separated by blanks, such as "orders:write ops:read"
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: String,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let key = Project::read()?.signing_key()?;
    println!("{}", key.token(&arguments.sub, &arguments.scope));
    Ok(ExitCode::SUCCESS)
}

fn subject(text: &str) -> Result<String, String> {
    if (1..=255).contains(&text.len()) && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("it must have 1 to 255 bytes and no control characters".to_owned())
    }
}
