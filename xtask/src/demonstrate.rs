//! `cargo xtask demonstrate`.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use fs_err::{self as fs, os::unix::fs::symlink};
use programs::Guarded;

use crate::{
    net,
    process::{self, step},
    project::Project,
};

/// Show in a scratch clone that the project can be changed as documented
///
/// Adds and removes an endpoint with each store, removes each sample service, and
/// makes a project of one's own. For each it runs the lints and all tests, starts
/// the system and sends it a request. Uncommitted changes are not part of the clone.
/// Takes an hour or more.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these parts, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,

    /// Leave out the lints and the tests: start the system, and send a request
    #[arg(long)]
    quick: bool,
}

/// A part, with a clone as it is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An endpoint with each store, and without any
    New,
    /// mysqldata, then nosqldata, then oscheck, in one clone
    RemoveAll,
    /// mysqldata alone
    RemoveMysqldata,
    /// nosqldata alone
    RemoveNosqldata,
    /// oscheck alone
    RemoveOscheck,
    // region: new-project
    /// A project of one's own
    NewProject,
    // endregion
}

/// The sample services.
const SAMPLES: [&str; 3] = ["mysqldata", "nosqldata", "oscheck"];

/// The endpoints that are added, and their stores. The first builds what the clone
/// has not built yet.
const ENDPOINTS: [(&str, &str); 3] = [
    ("quotes", "none"),
    ("parcels", "dynamodb"),
    ("invoices", "mysql"),
];

/// How long the system may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(20);

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let only = &arguments.only;
    let (parts, left_out): (Vec<Part>, Vec<Part>) = Part::value_variants()
        .iter()
        .partition(|part| only.is_empty() || only.contains(part));
    for part in &parts {
        step(format_args!("Part: {part:?}"));
        let clone = Scratch::of(&project, arguments.quick)?;
        part.show(&clone)?;
    }
    step(format_args!("These parts work: {parts:?}"));
    if !left_out.is_empty() {
        println!("Left out with --only: {left_out:?}");
    }
    if arguments.quick {
        println!("Left out with --quick: the lints and the tests");
    }
    Ok(ExitCode::SUCCESS)
}

impl Part {
    fn show(self, clone: &Scratch) -> Result<()> {
        match self {
            // region: new-project
            Self::NewProject => {
                clone.xtask(&["new-project", "acme", "--keep", "hello"])?;
                let files = crate::registry::Files::of(&clone.folder);
                let mentions = crate::new_project::mentions(&files)?;
                ensure!(mentions.is_empty(), "the name is left in {mentions:?}");
                clone.check()?;
                clone.up(None)
            }
            // endregion
            Self::New => clone.add(),
            Self::RemoveAll => SAMPLES.iter().try_for_each(|name| clone.remove(name)),
            Self::RemoveMysqldata => clone.remove("mysqldata"),
            Self::RemoveNosqldata => clone.remove("nosqldata"),
            Self::RemoveOscheck => clone.remove("oscheck"),
        }
    }
}

/// A scratch clone of the project. It is deleted when this is dropped.
struct Scratch {
    folder: PathBuf,
    /// The folder that cargo builds to, which is kept: what is not of the clone is
    /// compiled once.
    target: PathBuf,
    quick: bool,
}

impl Scratch {
    /// It shares the tools that are installed.
    fn of(project: &Project, quick: bool) -> Result<Self> {
        let own = project.own_folder();
        let clone = Self {
            folder: own.join("demonstration"),
            target: own.join("demonstration-target"),
            quick,
        };
        clone.delete()?;
        let mut git = process::command("git");
        git.args(["clone", "--quiet", "--shared"])
            .arg(&project.root)
            .arg(&clone.folder);
        process::succeed(git, "git clone")?;
        let tools = own.join("tools");
        if tools.exists() {
            let name = own.file_name().context("the folder of tools has no name")?;
            let own = clone.folder.join(name);
            fs::create_dir(&own)?;
            symlink(tools, own.join("tools"))?;
        }
        Ok(clone)
    }

    fn delete(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = process::cargo(&self.folder);
        cargo.args(arguments).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    fn xtask(&self, arguments: &[&str]) -> Result<()> {
        step(format_args!("cargo xtask {}", arguments.join(" ")));
        let arguments = [&["xtask", "--yes"], arguments].concat();
        process::succeed(self.cargo(&arguments), "cargo xtask")
    }

    /// Adds endpoints, uses and removes them.
    fn add(&self) -> Result<()> {
        for (name, store) in ENDPOINTS {
            let started = Instant::now();
            self.xtask(&["new", name, "--store", store])?;
            self.up((store != "none").then_some(name))?;
            let seconds = started.elapsed().as_secs();
            step(format_args!("From `new` to its response: {seconds} s"));
        }
        self.check()?;
        for (name, _) in ENDPOINTS {
            self.xtask(&["remove", name])?;
        }
        let mut status = Command::new("git");
        status.args(["status", "--porcelain"]);
        let left = process::output(status.current_dir(&self.folder))?;
        ensure!(left.is_empty(), "`remove` left changes:\n{left}");
        Ok(())
    }

    /// Removes a sample service.
    fn remove(&self, name: &str) -> Result<()> {
        self.xtask(&["remove", name])?;
        self.check()?;
        self.up(None)
    }

    /// The part of the gate that needs no other installed tools.
    fn check(&self) -> Result<()> {
        if self.quick {
            return Ok(());
        }
        step("cargo fmt, cargo clippy");
        process::succeed(self.cargo(&["fmt", "--all", "--check"]), "cargo fmt")?;
        let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--"];
        let clippy = [&clippy[..], &["--deny", "warnings"]].concat();
        process::succeed(self.cargo(&clippy), "cargo clippy")?;
        self.xtask(&["test", "--", "--no-fail-fast"])
    }

    /// Starts the system and reads its health. Creates one of these, if it is one.
    fn up(&self, created: Option<&str>) -> Result<()> {
        let ports = net::free_ports("127.0.0.1")?;
        let [port, dynamodb, mysql] = ports.map(|port| port.to_string());
        step(format_args!("cargo xtask up --port {port}"));
        let ports = [
            "--port",
            &port,
            "--dynamodb-port",
            &dynamodb,
            "--mysql-port",
            &mysql,
        ];
        let up = self.cargo(&[&["xtask", "--yes", "up", "--fresh"], &ports[..]].concat());
        let mut up = Guarded::spawn(up)?;
        let api = format!("http://127.0.0.1:{port}");
        // It checks the health of every function.
        let health = format!("{api}/health");
        process::wait_until_ready(&mut up, "`up`", START_TIMEOUT, || net::get(&health))?;
        if let Some(name) = created {
            let scope = format!("{name}:write");
            let mut token = Command::new(process::cargo_program());
            process::remove_package_variables(&mut token);
            token
                .args(["xtask", "token", "--sub", "ada", "--scope", &scope])
                .env("CARGO_TARGET_DIR", &self.target)
                .current_dir(&self.folder);
            let token = process::output(&mut token)?;
            let response = net::agent(net::REQUEST_TIMEOUT)
                .post(format!("{api}/{name}"))
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .send(r#"{"name":"First"}"#)?;
            let status = response.status();
            let body = response.into_body().read_to_string()?;
            ensure!(status == 201, "POST /{name}: {status}: {body}");
            step(format_args!("POST /{name}: {status}"));
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            eprintln!("{error:#}");
        }
    }
}
