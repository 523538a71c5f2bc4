// region: mysqldata nosqldata
//! `cargo xtask bench`.

use std::{
    collections::BTreeMap,
    env, fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    environment, growth, net,
    process::{self, step},
    project::Project,
    stores::Stores,
    tools,
};

/// Measure the functions beside the same written with other libraries
///
/// Builds the functions as they are deployed, a minimal function (in
/// C), bare functions of `lambda_http` and axum, functions with all defaults of the
/// AWS SDK and of sqlx, and functions in Python. Runs each on one core under a
/// Runtime API of its own, interleaved, and with its store over TLS. Prints tables
/// with ratios, and writes them as JSON with a plot to .kea/bench. Linux only.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,

    #[command(flatten)]
    measure: Measure,
}

#[derive(clap::Subcommand)]
enum Task {
    Check(Check),
    Growth(growth::Arguments),
}

/// Compare what the functions cost with the limits in xtask/bench/limits.json
///
/// Counts what does not depend on the speed of the machine: the size of each program,
/// the instructions to its first event and those of a warm call (callgrind). Fails if
/// one is more than 5 % over its limit.
#[derive(clap::Args)]
struct Check {
    /// Write the limits instead of comparing with them
    #[arg(long)]
    write: bool,
}

/// What is measured.
#[derive(clap::Args)]
struct Measure {
    /// The number of cold starts of each function
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Only the functions whose name or task contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Leave out the functions in Python and those with all defaults, which take minutes
    /// to build
    #[arg(long)]
    no_peers: bool,

    /// Compare with the programs of an earlier commit: a copy of its folder target/lambda
    #[arg(long, value_name = "DIR")]
    before: Option<PathBuf>,

    /// Write the tables to docs/benchmarks.md too
    #[arg(long, conflicts_with_all = ["only", "no_peers"])]
    write: bool,
}

/// The packages of the functions in Python.
const PYTHON_PACKAGES: &str = include_str!("../bench/peers/python/requirements.txt");

/// The name of their environment among the tools.
const PYTHON: &str = "bench";

/// The core of the stores; the functions have the next.
const STORES_CORE: &str = "0";

/// The host of the servers, in their certificate.
const HOST: &str = "127.0.0.1";

/// The tasks, each of one group of functions.
const HELLO: &str = "A greeting: `GET /`";
const PRODUCT: &str = "A product from DynamoDB, over TLS: `GET /nosqldata/{id}`";
const ORDER: &str = "An order from MySQL, over TLS: `GET /mysqldata/{id}`";

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let output = project.own_folder().join("bench");
    fs::create_dir_all(&output)?;
    match &arguments.task {
        Some(Task::Check(check)) => check.run(&project, &output),
        Some(Task::Growth(growth)) => growth::run(growth),
        None => arguments.measure.run(&project, &output),
    }
}

impl Measure {
    fn run(&self, project: &Project, output: &Path) -> Result<ExitCode> {
        let peers = Peers::of(self, project, output);
        let mut functions = peers.functions(self, project)?;
        functions.retain(|it| {
            let only = self.only.as_deref().unwrap_or_default();
            it.name.contains(only) || it.task.contains(only)
        });
        ensure!(!functions.is_empty(), "no function has such a name or task");
        build(project)?;
        peers.build(project, &functions)?;
        let system = System::start(project, output)?;
        let versions = versions(project, peers.use_python(&functions))?;
        let plan = system.plan(project, &versions, &functions)?;
        let mut bench = System::bench(project, output, &plan)?;
        bench.arg("--runs").arg(self.runs.to_string());
        if self.write {
            let page = project.root.join("docs/benchmarks.md");
            bench.arg("--page").arg(page);
        }
        step(format_args!(
            "Measuring; the logs are in {}",
            output.display()
        ));
        process::run(bench)
    }
}

impl Check {
    fn run(&self, project: &Project, output: &Path) -> Result<ExitCode> {
        tools::valgrind()?;
        build(project)?;
        let system = System::start(project, output)?;
        let functions = kea(project)?;
        let plan = system.plan(project, &BTreeMap::new(), &functions)?;
        let mut bench = System::bench(project, output, &plan)?;
        let limits = project.root.join("xtask/bench/limits.json");
        bench.arg("--limits").arg(limits);
        bench.args(self.write.then_some("--renew"));
        step("Counting");
        process::run(bench)
    }
}

/// Builds the functions that are measured, and what measures them. Fails first if
/// there is not what [`System::start`] needs.
fn build(project: &Project) -> Result<()> {
    tools::mariadbd()?;
    tools::openssl()?;
    tools::taskset()?;
    step("Building the functions");
    let mut build = process::command(tools::cargo_lambda(project)?);
    tools::set_linker(project, &mut build)?;
    build
        .args(["lambda", "build", "--release", "--locked"])
        .args(["--bin", "hello", "--bin", "nosqldata", "--bin", "mysqldata"])
        .current_dir(&project.root);
    process::succeed(build, "the build of the functions")?;
    project.build(["bench", "stores"])
}

/// A function to measure.
struct Function {
    task: &'static str,
    name: &'static str,
    command: Vec<String>,
    environment: Environment,
}

/// What a function has in its environment beside that of all.
#[derive(Clone, Copy)]
enum Environment {
    Same,
    /// What the functions of Kea trust in AWS, and the issuer of the loopback.
    AmazonRoots,
    /// What others trust.
    MachineRoots,
    /// The level of its log.
    LogLevel(&'static str),
    /// The address of the daemon of X-Ray.
    XRay,
}

/// The functions of this project.
fn kea(project: &Project) -> Result<Vec<Function>> {
    use Environment::{AmazonRoots, Same};
    let [hello, nosqldata, mysqldata] =
        ["hello", "nosqldata", "mysqldata"].map(|name| project.bootstrap(name));
    Ok(vec![
        program(HELLO, "Kea hello", &hello, Same)?,
        program(PRODUCT, "Kea nosqldata", &nosqldata, AmazonRoots)?,
        program(ORDER, "Kea mysqldata", &mysqldata, Same)?,
    ])
}

/// A function that is a program.
fn program(
    task: &'static str,
    name: &'static str,
    program: &Path,
    environment: Environment,
) -> Result<Function> {
    Ok(Function {
        task,
        name,
        command: vec![text(program)?],
        environment,
    })
}

/// The stores, with TLS, and the environment of the functions.
struct System {
    stores: Stores,
    tls: Certificates,
    port: u16,
    /// Stands for the daemon of X-Ray. Nothing reads what it receives.
    xray: UdpSocket,
}

impl System {
    fn start(project: &Project, output: &Path) -> Result<Self> {
        let tls = Certificates::create(project, output)?;
        step("Starting throw-away stores");
        let mut stores = Command::new("taskset");
        stores
            .args(["--cpu-list", STORES_CORE])
            .arg(project.program("stores"))
            .arg("--sample")
            .arg("--mysql-tls")
            .args([&tls.chain, &tls.key]);
        Ok(Self {
            stores: Stores::start(stores)?,
            tls,
            port: net::free_port(HOST)?,
            xray: UdpSocket::bind((HOST, 0))?,
        })
    }

    fn variables(&self, of: Environment) -> Result<Vec<(&'static str, String)>> {
        Ok(match of {
            Environment::Same => vec![],
            Environment::AmazonRoots => vec![("SSL_CERT_FILE", text(&self.tls.amazon_roots)?)],
            Environment::MachineRoots => {
                let roots = text(&self.tls.machine_roots)?;
                vec![("SSL_CERT_FILE", roots.clone()), ("AWS_CA_BUNDLE", roots)]
            }
            Environment::LogLevel(level) => vec![("AWS_LAMBDA_LOG_LEVEL", level.to_owned())],
            Environment::XRay => {
                vec![(
                    "AWS_XRAY_DAEMON_ADDRESS",
                    self.xray.local_addr()?.to_string(),
                )]
            }
        })
    }

    fn plan(
        &self,
        project: &Project,
        versions: &BTreeMap<String, String>,
        functions: &[Function],
    ) -> Result<Value> {
        let urls = &self.stores.urls;
        let mut shared = environment::of_functions(project, "http://127.0.0.1:1", urls, false)?;
        let endpoint = format!("https://{HOST}:{}", self.port);
        shared.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), endpoint);
        shared.insert("MYSQL_TLS".to_owned(), text(&self.tls.rds_roots)?);
        // Lambda sets both. boto3 reads this one.
        if let Some(region) = shared.get("AWS_REGION").cloned() {
            shared.insert("AWS_DEFAULT_REGION".to_owned(), region);
        }
        let token = project.signing_key()?.token("sample", "");
        let functions = functions.iter().map(|it| {
            let (event, expected) = match it.task {
                PRODUCT => ("nosqldata/get.json", "Espresso cups"),
                ORDER => ("mysqldata/get.json", "productId"),
                _ => ("hello/get.json", "Hello Kea"),
            };
            let event = fs::read_to_string(project.root.join("events").join(event))?;
            let mut environment = shared.clone();
            let own = self.variables(it.environment)?.into_iter();
            environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
            // Python has no single program.
            let is_program = it.command.len() == 1;
            Ok(json!({
                "name": it.name,
                "group": it.task,
                "folder": project.root.join("xtask/bench/peers/python"),
                "program": it.command.first().filter(|_| is_program),
                "command": it.command,
                "environment": environment,
                "event": event.replace("token(sample,)", &token),
                "expected": expected,
                "warmCalls": if is_program { 2000 } else { 400 },
            }))
        });
        Ok(json!({
            "versions": versions,
            "tls": [{
                "listen": format!("{HOST}:{}", self.port),
                "upstream": urls.dynamodb.trim_start_matches("http://"),
                "certificate": self.tls.chain,
                "key": self.tls.key,
            }],
            "functions": functions.collect::<Result<Vec<_>>>()?,
        }))
    }

    /// The command of the program that measures.
    fn bench(project: &Project, output: &Path, plan: &Value) -> Result<Command> {
        let file = output.join("plan.json");
        fs::write(&file, plan.to_string())?;
        let mut bench = process::command(project.program("bench"));
        bench.arg("--plan").arg(file).arg("--output").arg(output);
        Ok(bench)
    }
}

/// The functions that those of this project are compared with.
struct Peers {
    limit: PathBuf,
    /// The folder of those in Rust.
    target: PathBuf,
    python: Option<PathBuf>,
}

impl Peers {
    fn of(arguments: &Measure, project: &Project, output: &Path) -> Self {
        let python = tools::python_folder(project, PYTHON).join("bin/python3");
        Self {
            limit: output.join("limit"),
            target: project.peers(),
            python: (!arguments.no_peers).then_some(python),
        }
    }

    /// Whether one of the functions is in Python.
    fn use_python(&self, functions: &[Function]) -> bool {
        let python = self.python.as_deref();
        python.is_some_and(|python| uses(functions, python))
    }

    /// Builds those of these functions that are peers, with others of their workspace.
    fn build(&self, project: &Project, functions: &[Function]) -> Result<()> {
        step("Building the functions to compare with");
        let peers = project.root.join("xtask/bench/peers");
        if uses(functions, &self.limit) {
            self.build_limit(project, &peers)?;
        }
        if uses(functions, &self.bare()) {
            let musl = format!("{}-unknown-linux-musl", env::consts::ARCH);
            let mut bare = process::command(tools::cargo_lambda(project)?);
            tools::set_linker(project, &mut bare)?;
            bare.args(["lambda", "build", "--release", "--locked"])
                .args(["--target", &musl])
                .env("CARGO_TARGET_DIR", &self.target)
                .current_dir(peers.join("bare"));
            process::succeed(bare, "the build of the bare functions")?;
        }
        if uses(functions, &self.defaults()) {
            let mut defaults = process::cargo(&peers.join("defaults"));
            defaults
                .args(["build", "--release", "--locked"])
                .env("CARGO_TARGET_DIR", &self.target);
            process::succeed(defaults, "the build of the functions with all defaults")?;
        }
        if self.use_python(functions) {
            let packages: Vec<_> = PYTHON_PACKAGES.lines().collect();
            tools::python_tool(project, PYTHON, &packages)?;
        }
        Ok(())
    }

    /// The folder of the bare functions.
    fn bare(&self) -> PathBuf {
        self.target.join("lambda")
    }

    /// The folder of the functions with all defaults.
    fn defaults(&self) -> PathBuf {
        self.target.join("release")
    }

    fn build_limit(&self, project: &Project, peers: &Path) -> Result<()> {
        let mut compile = match tools::zig(project)? {
            Some(python) => {
                let mut zig = process::command(python);
                zig.args(["-m", "ziglang"]);
                zig
            }
            None => process::command("zig"),
        };
        compile
            .args(["cc", "-target"])
            .arg(format!("{}-linux-musl", env::consts::ARCH))
            .args(["-static", "-O2", "-s", "-D_GNU_SOURCE", "-o"])
            .args([&self.limit, &peers.join("limit.c")]);
        process::succeed(compile, "zig cc")
    }

    /// All functions: these, and those of this project.
    fn functions(&self, arguments: &Measure, project: &Project) -> Result<Vec<Function>> {
        use Environment::{AmazonRoots, LogLevel, MachineRoots, Same, XRay};
        let bootstrap = |folder: &Path, name: &str| folder.join(name).join("bootstrap");
        let bare = |name: &str| bootstrap(&self.bare(), name);
        let hello = &project.bootstrap("hello");
        let mut all = vec![
            program(HELLO, "the limit: C, raw socket", &self.limit, Same)?,
            program(HELLO, "bare lambda_http", &bare("bare-lambda-http"), Same)?,
            program(HELLO, "bare axum on lambda_http", &bare("bare-axum"), Same)?,
        ];
        all.extend(kea(project)?);
        // What telemetry costs.
        all.extend([
            program(HELLO, "Kea hello, no telemetry", hello, LogLevel("off"))?,
            program(HELLO, "Kea hello, metrics alone", hello, LogLevel("warn"))?,
            program(HELLO, "Kea hello, with X-Ray", hello, XRay)?,
        ]);
        if let Some(before) = &arguments.before {
            let before = |name| bootstrap(before, name);
            let (hello, mysqldata) = (before("hello"), before("mysqldata"));
            let nosqldata = before("nosqldata");
            all.extend([
                program(HELLO, "Kea hello, before", &hello, Same)?,
                program(PRODUCT, "Kea nosqldata, before", &nosqldata, AmazonRoots)?,
                program(ORDER, "Kea mysqldata, before", &mysqldata, Same)?,
            ]);
        }
        if let Some(python) = &self.python {
            let in_python = |task, name, module: &str, environment| {
                let handler = format!("{module}.handler");
                Ok::<_, anyhow::Error>(Function {
                    task,
                    name,
                    command: vec![text(python)?, "-m".into(), "awslambdaric".into(), handler],
                    environment,
                })
            };
            let defaults = |name: &str| self.defaults().join(name);
            let sdk = defaults("default-dynamodb");
            let sqlx = defaults("default-sqlx");
            all.extend([
                in_python(HELLO, "Powertools", "powertools_hello", Same)?,
                in_python(HELLO, "Flask + apig-wsgi", "flask_hello", Same)?,
                in_python(HELLO, "FastAPI + Mangum", "fastapi_hello", Same)?,
                program(PRODUCT, "DynamoDB SDK, all defaults", &sdk, MachineRoots)?,
                in_python(
                    PRODUCT,
                    "Powertools + boto3",
                    "powertools_boto3",
                    MachineRoots,
                )?,
                in_python(PRODUCT, "FastAPI + boto3", "fastapi_boto3", MachineRoots)?,
                program(ORDER, "sqlx, all defaults", &sqlx, Same)?,
            ]);
        }
        Ok(all)
    }
}

/// Whether the program of one of the functions is this file, or in this folder.
fn uses(functions: &[Function], path: &Path) -> bool {
    let mut programs = functions.iter().filter_map(|it| it.command.first());
    programs.any(|program| Path::new(program).starts_with(path))
}

/// Certificates of this machine's servers, as PEM files.
struct Certificates {
    /// That of the servers, and that of its issuer.
    chain: PathBuf,
    key: PathBuf,
    /// The issuer with the authorities that the functions of Kea embed, and with
    /// those of this machine.
    amazon_roots: PathBuf,
    rds_roots: PathBuf,
    machine_roots: PathBuf,
}

impl Certificates {
    /// Creates them, with RSA keys of 2048 bits as AWS's have.
    fn create(project: &Project, folder: &Path) -> Result<Self> {
        step("Creating certificates");
        let file = |name: &str| folder.join(name);
        let openssl = |arguments: &[&str]| {
            let mut command = process::command("openssl");
            command.args([
                "req", "-x509", "-nodes", "-days", "2", "-newkey", "rsa:2048",
            ]);
            command
                .args(arguments)
                .current_dir(folder)
                .stderr(Stdio::null());
            process::succeed(command, "openssl")
        };
        openssl(&[
            "-subj",
            "/CN=Kea benchmark",
            "-keyout",
            "root.key",
            "-out",
            "root.pem",
        ])?;
        let name = format!("subjectAltName=IP:{HOST}");
        openssl(&[
            "-subj",
            "/CN=store",
            "-addext",
            &name,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-keyout",
            "server.key",
            "-out",
            "server.pem",
        ])?;
        let write = |name: &str, others: &[&Path]| {
            let mut pem = fs::read(file("root.pem"))?;
            for other in others {
                pem.extend(fs::read(other).with_context(|| other.display().to_string())?);
            }
            fs::write(file(name), pem)?;
            Ok::<_, anyhow::Error>(file(name))
        };
        let amazon = project.root.join("crates/chassis/roots/amazon.pem");
        let rds = project.root.join("crates/mysql/roots/eu-north-1.pem");
        let machine = Path::new("/etc/ssl/certs/ca-certificates.crt");
        Ok(Self {
            chain: file("server.pem"),
            key: file("server.key"),
            amazon_roots: write("amazon.pem", &[&amazon])?,
            rds_roots: write("rds.pem", &[&rds, &amazon])?,
            machine_roots: write("machine.pem", &[machine])?,
        })
    }
}

/// The versions that the report names.
fn versions(project: &Project, use_python: bool) -> Result<BTreeMap<String, String>> {
    let output = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        process::output(command.args(arguments).current_dir(&project.root))
    };
    let mut versions = BTreeMap::from([(
        "commit".to_owned(),
        output("git", &["rev-parse", "--short", "HEAD"])?,
    )]);
    let rustc = output("rustc", &["--version"])?;
    let rustc = rustc.split(' ').nth(1).unwrap_or_default();
    versions.insert("rustc".to_owned(), rustc.to_owned());
    if use_python {
        let python = output("python3", &["--version"])?;
        versions.insert("Python".to_owned(), python.replace("Python ", ""));
        let packages = PYTHON_PACKAGES
            .lines()
            .filter_map(|line| line.split_once("=="));
        versions.extend(packages.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }
    Ok(versions)
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().context("a path that is not UTF-8")?;
    Ok(text.to_owned())
}
// endregion
