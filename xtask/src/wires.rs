// region: nosqldata
//! `cargo xtask break`, and the fault proxies in `up` that it controls.
//!
//! The fault of a wire is a word in a file of its own, `.kea/wires/<name>`, which
//! exists as long as the wire does.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use faultproxy::{Fault, Protocol, Proxy};
use fs_err as fs;
use logs::duration_ms;
use tokio::runtime::Runtime;

use crate::{
    environment::Urls,
    project::{self, Project},
    stores::Options,
};

/// The interval at which `up` reads the fault of a wire.
const INTERVAL: Duration = Duration::from_millis(50);

/// The name of the file with the URL of the API.
const API: &str = "api";

/// A dependency of the functions.
#[derive(Clone, Copy, ValueEnum)]
pub enum Wire {
    // region: mysqldata
    /// The requests of other functions to the catalogue
    Catalogue,
    // endregion
    /// The catalogue's store
    Dynamodb,
    // region: mysqldata
    /// The orders' store
    Mysql,
    // endregion
}

/// Cut or slow a connection of the running system, or heal it
///
/// For a system that `cargo xtask up` runs in another terminal, except stores of
/// your own. docs/let-it-fail.md shows what happens then.
#[derive(clap::Args)]
pub struct Arguments {
    /// The dependency at its other end
    #[arg(value_name = "DEPENDENCY")]
    wire: Wire,

    /// Let no response through, rather than refuse connections
    #[arg(long, conflicts_with_all = ["heal", "slow"])]
    silent: bool,

    /// Delay each response by this time, such as 300ms or 1.5s, rather than refuse
    /// connections
    #[arg(long, value_name = "TIME", value_parser = duration_ms, conflicts_with = "heal")]
    slow: Option<f64>,

    /// Heal the connection
    #[arg(long)]
    heal: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = folder(&Project::read()?);
    let (wire, name) = (arguments.wire, name(&arguments.wire));
    let file = folder.join(&name);
    let title = wire.title();
    ensure!(
        file.exists(),
        "no connection to {title} can be cut: start the system with `cargo xtask up`, \
         without a store of your own"
    );
    let (fault, result) = match arguments {
        Arguments { heal: true, .. } => (Fault::None, "healed. Within 2 s this works again"),
        Arguments { silent: true, .. } => (Fault::BlackHole, "silent. Try, more than once"),
        Arguments { slow: Some(ms), .. } => {
            let by = Duration::try_from_secs_f64(ms / 1_000.0)?;
            (Fault::Latency(by), "slow. Try")
        }
        Arguments { .. } => (Fault::Refused, "cut. Try, more than once"),
    };
    fs::write(file, word(fault))?;
    let api = fs::read_to_string(folder.join(API))?;
    println!("The connection to {title} is {result}:");
    let (path, body) = wire.example();
    let token = "-H \"Authorization: Bearer $TOKEN\"";
    println!("\n  curl -i '{api}{path}' {token}{body}");
    println!("  curl {api}{} {token}\n", wire.health());
    if fault != Fault::None {
        println!("Heal it with: cargo xtask break {name} --heal");
    }
    Ok(ExitCode::SUCCESS)
}

/// The wires of a running system. They end when this is dropped.
pub struct Wires {
    folder: PathBuf,
    runtime: Runtime,
}

impl Wires {
    /// Starts without any, for the API at `api`.
    pub fn start(project: &Project, api: &str) -> Result<Self> {
        let folder = folder(project);
        // Those of a process that was killed.
        project::empty_folder(&folder)?;
        fs::write(folder.join(API), api)?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build()?;
        Ok(Self { folder, runtime })
    }

    /// Puts a wire in front of each store that is not the user's own.
    pub fn to_stores(&self, urls: &Urls, own: &Options) -> Result<Urls> {
        let mut wired = urls.clone();
        if own.dynamodb_url.is_none() {
            wired.dynamodb = self.to(Wire::Dynamodb, &urls.dynamodb)?;
        }
        // region: mysqldata
        if own.mysql_url.is_none() {
            wired.mysql = self.to(Wire::Mysql, &urls.mysql)?;
        }
        // endregion
        Ok(wired)
    }

    /// Puts a wire in front of the server at `url` and returns the wire's URL.
    pub fn to(&self, wire: Wire, url: &str) -> Result<String> {
        let upstream = faultproxy::address(url);
        let proxy = self.runtime.block_on(async {
            match wire {
                // region: mysqldata
                // All functions share the address of the API.
                Wire::Catalogue => Proxy::start_for_path(upstream, "/nosqldata").await,
                Wire::Mysql => Proxy::start(upstream, Protocol::MySql).await,
                // endregion
                Wire::Dynamodb => Proxy::start(upstream, Protocol::DynamoDb).await,
            }
        })?;
        let url = url.replacen(upstream, &proxy.address().to_string(), 1);
        let file = self.folder.join(name(&wire));
        fs::write(&file, word(Fault::None))?;
        self.runtime.spawn(follow(file, proxy));
        Ok(url)
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Has a proxy inject the fault that the file names.
async fn follow(file: PathBuf, proxy: Proxy) {
    let mut current = Fault::None;
    loop {
        let wanted = read(&file);
        if wanted != current {
            current = wanted;
            proxy.set(current).await;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The fault that a file names; none if there is no file.
fn read(file: &Path) -> Fault {
    let word = fs::read_to_string(file).unwrap_or_default();
    match (word.as_str(), duration_ms(&word)) {
        ("cut", _) => Fault::Refused,
        ("silent", _) => Fault::BlackHole,
        (_, Ok(ms)) => {
            Duration::try_from_secs_f64(ms / 1_000.0).map_or(Fault::None, Fault::Latency)
        }
        _ => Fault::None,
    }
}

/// How a file names a fault.
fn word(fault: Fault) -> String {
    match fault {
        Fault::Refused => "cut".to_owned(),
        Fault::BlackHole => "silent".to_owned(),
        Fault::Latency(by) => format!("{}ms", by.as_millis()),
        // A wire has no other.
        _ => "whole".to_owned(),
    }
}

impl Wire {
    /// Its name in a sentence.
    fn title(self) -> &'static str {
        match self {
            // region: mysqldata
            Self::Catalogue => "the catalogue",
            Self::Mysql => "MySQL",
            // endregion
            Self::Dynamodb => "DynamoDB",
        }
    }

    /// The path of a request that needs it, and the rest of the command.
    fn example(self) -> (&'static str, &'static str) {
        match self {
            // region: mysqldata
            Self::Catalogue => (
                "/mysqldata",
                r#" --json '{"customer":"Ada","lines":[{"productId":"moka-pot","quantity":2}]}'"#,
            ),
            Self::Mysql => ("/mysqldata?limit=1", ""),
            // endregion
            Self::Dynamodb => ("/nosqldata/moka-pot", ""),
        }
    }

    /// The path of the health that checks it.
    fn health(self) -> &'static str {
        match self {
            // region: mysqldata
            Self::Catalogue | Self::Mysql => "/health/mysqldata",
            // endregion
            Self::Dynamodb => "/health/nosqldata",
        }
    }
}

/// The word for a value on the command line and in a file.
fn name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn folder(project: &Project) -> PathBuf {
    project.own_folder().join("wires")
}
// endregion
