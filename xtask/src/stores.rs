//! The program `stores`, run as a child of this process, and `cargo xtask stores`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::IpAddr,
    process::{Command, ExitCode},
    sync::mpsc::{self, TryRecvError},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use programs::Guarded;
use template::Template;

use crate::{
    environment::{self, Urls},
    net::{self, http_url},
    process::{pause, step},
    project::Project,
    tools,
};

/// Run the two stores with sample data
///
/// Starts a DynamoDB and a MySQL, prints the environment variables of the functions
/// and runs until Ctrl-C; the data is kept in .kea/data. Beside it, functions run by
/// plain `cargo lambda watch` or in a debugger. `cargo xtask up` does all of it.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// The stores of a system: where they listen, or one's own.
#[derive(clap::Args)]
pub struct Options {
    /// Port of the DynamoDB-compatible server that is started
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8000,
        value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with = "dynamodb_url"
    )]
    dynamodb_port: u16,

    /// Port of the MySQL-compatible server that is started, a MariaDB
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 3307,
        value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with = "mysql_url"
    )]
    mysql_port: u16,

    /// Use your own DynamoDB at this endpoint
    ///
    /// Missing tables are created. The region and the credentials are those of
    /// your environment, if it has any.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub dynamodb_url: Option<String>,

    /// Use your own MySQL at mysql://user:password@host:port/database
    ///
    /// The database is created if it is missing, and migrated.
    #[arg(long, value_name = "URL", value_parser = mysql_url)]
    pub mysql_url: Option<String>,

    /// Drop the data in .kea/data and start with the sample data
    ///
    /// Stores that are given by their URL are not changed.
    #[arg(long)]
    fresh: bool,
}

impl Options {
    /// Fails before anything slow happens if a port is in use, or given twice, or if
    /// no store is started of which `--fresh` could drop the data. `api` is the port
    /// of the API, if that is started too.
    pub fn check(&self, api: Option<u16>) -> Result<()> {
        let starts_mysql = self.starts_mysql()?;
        ensure!(
            !self.fresh || self.dynamodb_url.is_none() || starts_mysql,
            "--fresh drops the data in .kea/data, but every store is given by its URL"
        );
        // Taken together, so that none is given twice.
        let mut taken = Vec::new();
        if let Some(port) = api {
            taken.push(net::require_free(port, "the API", "--port")?);
        }
        if self.dynamodb_url.is_none() {
            let port = self.dynamodb_port;
            taken.push(net::require_free(port, "DynamoDB", "--dynamodb-port")?);
        }
        if starts_mysql {
            let port = self.mysql_port;
            taken.push(net::require_free(port, "MySQL", "--mysql-port")?);
        }
        drop(taken);
        Ok(())
    }

    fn starts_mysql(&self) -> Result<bool> {
        Ok(self.mysql_url.is_none() && uses_mysql()?)
    }

    /// The command that starts the stores, at this address of this machine if not
    /// at the loopback address.
    pub fn command(&self, project: &Project, host: Option<IpAddr>) -> Result<Command> {
        let mut stores = Command::new(project.program("stores"));
        stores.arg("--sample").current_dir(&project.root);
        stores.args(
            host.iter()
                .flat_map(|host| ["--host".to_owned(), host.to_string()]),
        );
        if self.dynamodb_url.is_none() || self.mysql_url.is_none() {
            stores.arg("--data").arg(project.own_folder().join("data"));
            stores.args(self.fresh.then_some("--fresh"));
        }
        match &self.dynamodb_url {
            Some(url) => stores.args(["--dynamodb-url", url]),
            None => stores.args(["--dynamodb-port", &self.dynamodb_port.to_string()]),
        };
        match &self.mysql_url {
            Some(url) => {
                stores.args(["--mysql-url", url]);
            }
            None if self.starts_mysql()? => {
                stores.args(["--mysql-port", &self.mysql_port.to_string()]);
                tools::mariadbd()?;
            }
            None => {}
        }
        Ok(stores)
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let options = &arguments.options;
    let project = Project::read()?;
    options.check(None)?;
    let stores = options.command(&project, None)?;
    project.build(["stores"])?;
    let mut stores = Stores::start(stores)?;
    let own_dynamodb = options.dynamodb_url.is_some();
    println!("\nThe environment of the functions, with the API at {API}:\n");
    for (name, value) in environment::of_functions(&project, API, &stores.urls, own_dynamodb)? {
        println!("export {name}='{value}'");
    }
    println!(
        "
`cargo lambda watch` sets it itself, for the default ports, except AUTH_…, which `cargo xtask
lambda watch` sets too: the functions then accept the tokens of `cargo xtask token`. For a
function in a debugger, run `cargo lambda watch --only-lambda-apis`, and start its program,
for example target/debug/hello, with these variables and with

export AWS_LAMBDA_RUNTIME_API='{API}/.rt/hello' AWS_LAMBDA_FUNCTION_NAME=hello \\
       AWS_LAMBDA_FUNCTION_VERSION=1 AWS_LAMBDA_FUNCTION_MEMORY_SIZE=4096

Ctrl-C stops the stores."
    );
    loop {
        if let Some(status) = stores.program.try_wait()? {
            bail!("the stores ended ({status})");
        }
        if pause().is_err() {
            step("Stopping");
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The URL at which plain `cargo lambda watch` serves the API.
const API: &str = "http://127.0.0.1:9000";

/// Whether a function of the template has tables in a MySQL database.
pub fn uses_mysql() -> Result<bool> {
    Ok(Template::read(&template::path())?.uses_mysql())
}

/// Parses what looks like a URL of MySQL; the stores check whether it is one.
fn mysql_url(text: &str) -> Result<String, String> {
    if text.starts_with("mysql://") && text.matches('/').count() == 3 {
        Ok(text.to_owned())
    } else {
        Err("its form is mysql://user:password@host:port/database".to_owned())
    }
}

/// Running stores, stopped when this is dropped and when this process ends.
pub struct Stores {
    pub program: Guarded,
    /// Their addresses.
    pub urls: Urls,
}

impl Stores {
    /// Starts throw-away stores with these options. The program must be built.
    pub fn throw_away(project: &Project, options: &[&str]) -> Result<Self> {
        let mut command = Command::new(project.program("stores"));
        if uses_mysql()? {
            tools::mariadbd()?;
        }
        command.args(options);
        step("Starting throw-away stores");
        Self::start(command)
    }

    /// Builds the program `tools` and starts throw-away stores: these, and a command of
    /// the program that uses them.
    pub fn tools(project: &Project, command: &str) -> Result<(Self, Command)> {
        step("Building");
        project.build(["stores", "tools"])?;
        let stores = Self::throw_away(project, &[])?;
        let mut tools = project.tools(command);
        stores.set_variables(project, &mut tools);
        Ok((stores, tools))
    }

    /// Starts the program and waits until the stores are ready.
    pub fn start(mut command: Command) -> Result<Self> {
        // Needs no guard: it stops when its standard input closes.
        command.stdout(std::process::Stdio::piped());
        let mut program = Guarded::spawn(command).context("`stores` cannot be started")?;
        let output = program.take_stdout().context("`stores` has no output")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            // The receiver is gone if the wait was interrupted.
            let _ = sender.send(read.map(|_| line));
        });
        let line = loop {
            match receiver.try_recv() {
                Ok(line) => break line?,
                Err(TryRecvError::Empty) => pause()?,
                Err(TryRecvError::Disconnected) => bail!("the output of `stores` cannot be read"),
            }
        };
        if line.is_empty() {
            bail!("the stores did not start; their output is above");
        }
        let urls = serde_json::from_str(&line);
        let urls = urls.with_context(|| format!("unexpected output of `stores`: {line}"))?;
        Ok(Self { program, urls })
    }

    /// Sets the environment variables of the tests: where the stores are, and the
    /// key that signs tokens.
    pub fn set_variables(&self, project: &Project, command: &mut Command) {
        command.env("KEA_TEST_DYNAMODB_URL", &self.urls.dynamodb);
        command.env("KEA_TEST_MYSQL_URL", &self.urls.mysql);
        project.set_signing_key(command);
    }
}

/// Where the environment of plain `cargo lambda watch` is in the manifest.
const MANIFEST_SECTION: &str = "[workspace.metadata.lambda.watch.env]\n";

/// The environment of the functions beside `cargo xtask stores` on its default
/// ports. The development key is this machine's own, so it is not part of it.
fn manifest_environment(project: &Project) -> Result<BTreeMap<String, String>> {
    let urls = Urls {
        dynamodb: "http://127.0.0.1:8000".to_owned(),
        mysql: "mysql://kea:kea@127.0.0.1:3307/kea".to_owned(),
    };
    let mut variables = environment::of_functions(project, API, &urls, false)?;
    // cargo-lambda accepts no empty values; nothing is the same to a function.
    variables.retain(|name, value| !value.is_empty() && !name.starts_with("AUTH_"));
    Ok(variables)
}

/// Writes the environment of plain `cargo lambda watch` to the manifest, of which it
/// is the last section.
pub fn write_manifest_environment(project: &Project) -> Result<()> {
    let path = project.root.join("Cargo.toml");
    let manifest = fs::read_to_string(&path)?;
    let (before, _) = manifest
        .split_once(MANIFEST_SECTION)
        .with_context(|| format!("Cargo.toml has no {MANIFEST_SECTION}"))?;
    let environment = toml::to_string(&manifest_environment(project)?)?;
    fs::write(path, format!("{before}{MANIFEST_SECTION}{environment}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_has_the_environment_for_plain_cargo_lambda_watch() {
        let project = Project::read().unwrap();
        let expected = manifest_environment(&project).unwrap();
        let manifest = fs::read_to_string(project.root.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let watch = &manifest["workspace"]["metadata"]["lambda"]["watch"];
        let actual: BTreeMap<String, String> = watch["env"].clone().try_into().unwrap();
        assert_eq!(
            actual,
            expected,
            "[workspace.metadata.lambda.watch.env] in Cargo.toml should be:\n{}",
            toml::to_string(&expected).unwrap()
        );
    }
}
