//! `cargo xtask demonstrate`.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use programs::Guarded;

use crate::{
    net,
    process::{self, pause, step},
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
    quick: bool,
}

impl Scratch {
    /// It shares what the dependencies are built to, and the tools that are installed.
    fn of(project: &Project, quick: bool) -> Result<Self> {
        let own = project.own_folder();
        let clone = Self {
            folder: own.join("demonstration"),
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
        step("Linking what the dependencies are built to");
        for folder in [".fingerprint", "build", "deps"] {
            let from = project.target().join("debug").join(folder);
            if from.exists() {
                let to = clone.folder.join("target/debug").join(folder);
                link(&from, &to, &project.artifacts)?;
            }
        }
        Ok(clone)
    }

    fn delete(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("{} cannot be deleted", self.folder.display()))?;
        }
        Ok(())
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = process::cargo(&self.folder);
        cargo.args(arguments).env_remove("CARGO_TARGET_DIR");
        cargo
    }

    fn xtask(&self, arguments: &[&str]) -> Result<()> {
        step(format_args!("cargo xtask {}", arguments.join(" ")));
        let arguments = [&["xtask", "--yes"], arguments].concat();
        process::succeed(self.cargo(&arguments), "cargo xtask")
    }

    fn git(&self, arguments: &[&str]) -> Result<String> {
        self.read(Command::new("git").args(arguments))
    }

    /// The output of a command that succeeds. It ends by itself, so it has no guard.
    fn read(&self, command: &mut Command) -> Result<String> {
        let output = command
            .current_dir(&self.folder)
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(
            output.status.success(),
            "{command:?} failed: see the error above"
        );
        Ok(String::from_utf8(output.stdout)?)
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
        let left = self.git(&["status", "--porcelain"])?;
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
        let [api, dynamodb, mysql] = [(); 3].map(|()| net::free_port("127.0.0.1"));
        let (api, dynamodb, mysql) = (api?, dynamodb?, mysql?);
        step(format_args!("cargo xtask up --port {api}"));
        let [port, dynamodb, mysql] = [api, dynamodb, mysql].map(|port| port.to_string());
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
        let api = format!("http://127.0.0.1:{api}");
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = up.try_wait()? {
                bail!("`up` ended ({status})");
            }
            // It checks the health of every function.
            if let Ok((200, _)) = net::fetch(&format!("{api}/health"), net::REQUEST_TIMEOUT) {
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "`up` is not healthy after {} s; its output is above",
                START_TIMEOUT.as_secs()
            );
            pause()?;
        }
        if let Some(name) = created {
            let scope = format!("{name}:write");
            let mut token = Command::new(process::cargo_program());
            process::remove_package_variables(&mut token);
            token.env_remove("CARGO_TARGET_DIR");
            let token =
                self.read(token.args(["xtask", "token", "--sub", "ada", "--scope", &scope]))?;
            let response = net::agent(net::REQUEST_TIMEOUT)
                .post(format!("{api}/{name}"))
                .header("authorization", format!("Bearer {}", token.trim()))
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

/// Links the files of a folder into another, except what the packages of this workspace
/// are built to: cargo cannot distinguish it from that of the clone's packages.
fn link(from: &Path, to: &Path, without: &BTreeSet<String>) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `libjson-0123456789abcdef.rlib` is of `json`.
        let artifact = name.rsplit_once('-').map_or(name.as_str(), |(it, _)| it);
        let library = artifact.strip_prefix("lib").unwrap_or(artifact);
        if [artifact, library].iter().any(|it| without.contains(*it)) {
            continue;
        }
        let to = to.join(&name);
        if entry.file_type()?.is_dir() {
            link(&entry.path(), &to, &BTreeSet::new())?;
        } else {
            fs::hard_link(entry.path(), &to)
                .with_context(|| format!("{} cannot be linked", to.display()))?;
        }
    }
    Ok(())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            eprintln!("{error:#}");
        }
    }
}
