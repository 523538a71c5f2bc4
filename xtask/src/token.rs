//! `cargo xtask token`.

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;

/// Print a token that the local system accepts, and nothing else
///
/// It is signed with the development key in .kea, which `up` and every other
/// command that runs the functions on this machine trust, and a deployment only
/// with these `--parameters`. It is valid for eight hours. docs/security.md describes
/// the scopes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The caller: the claim `sub`
    #[arg(
        long,
        value_name = "SUBJECT",
        value_parser = subject,
        required_unless_present = "parameters"
    )]
    sub: Option<String>,

    /// The scopes, separated by blanks, such as "orders:write ops:read"
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: String,

    /// Print instead the parameters of a stack that accepts these tokens, as lines
    /// of samconfig.toml
    ///
    /// For a stack that `cargo xtask surfaces --url` tests. Whoever has the key may do
    /// everything there.
    #[arg(long, conflicts_with_all = ["sub", "scope"])]
    parameters: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let key = Project::read()?.signing_key()?;
    if let Some(subject) = &arguments.sub {
        println!("{}", key.token(subject, &arguments.scope));
    } else {
        for (name, value) in tokens::parameters(&[key.jwk()]) {
            // The SAM CLI reads the value as a shell would.
            println!("{},", toml::Value::from(format!("{name}='{value}'")));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn subject(text: &str) -> Result<String, String> {
    if (1..=255).contains(&text.len()) && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("it must have 1 to 255 bytes and no control characters".to_owned())
    }
}
