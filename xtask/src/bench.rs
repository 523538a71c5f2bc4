// region: mysqldata nosqldata
//! `cargo xtask bench`.

use std::{
    collections::BTreeMap,
    env,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Result, ensure};
use fs_err as fs;
use serde_json::{Value, json};

use crate::{
    environment, growth, net,
    process::{self, step},
    project::Project,
    stores::Stores,
    tools::{self, PythonTool},
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
    #[arg(long, value_name = "DIR", value_parser = |path: &str| std::path::absolute(path))]
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

/// The certificate of the servers, and its key.
const CHAIN: &str = "server.pem";
const KEY: &str = "server.key";

/// The issuer with the authorities that the functions of Kea trust in AWS and in RDS,
/// and with those that this machine trusts.
const AMAZON_ROOTS: &str = "amazon.pem";
const RDS_ROOTS: &str = "rds.pem";
const MACHINE_ROOTS: &str = "machine.pem";

/// The tasks, each of one group of functions.
const HELLO: &str = "A greeting: `GET /`";
const PRODUCT: &str = "A product from DynamoDB, over TLS: `GET /nosqldata/{id}`";
const ORDER: &str = "An order from MySQL, over TLS: `GET /mysqldata/{id}`";

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let output = project.create_folder("bench")?;
    match &arguments.task {
        Some(Task::Check(check)) => check.run(&project, &output),
        Some(Task::Growth(growth)) => growth::run(growth),
        None => arguments.measure.run(&project, &output),
    }
}

impl Measure {
    fn run(&self, project: &Project, output: &Path) -> Result<ExitCode> {
        let peers = Peers::of(self, project, output);
        // Stands for the daemon of X-Ray. Nothing reads what it receives.
        let xray = UdpSocket::bind((HOST, 0))?;
        let mut functions = peers.functions(self, project, &xray.local_addr()?.to_string());
        functions.retain(|it| {
            let only = self.only.as_deref().unwrap_or_default();
            it.name.contains(only) || it.task.contains(only)
        });
        ensure!(!functions.is_empty(), "no function has such a name or task");
        build(project)?;
        peers.build(project, &functions)?;
        let system = System::start(project, output)?;
        let versions = versions(project, peers.use_python(&functions))?;
        let mut bench = system.bench(project, &versions, &functions)?;
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
        tools::VALGRIND.install()?;
        build(project)?;
        let system = System::start(project, output)?;
        let functions = kea(|name| project.bootstrap(name), "", output);
        let mut bench = system.bench(project, &BTreeMap::new(), &functions)?;
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
    tools::OPENSSL.install()?;
    tools::TASKSET.install()?;
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
    name: String,
    command: Vec<PathBuf>,
    /// What it has in its environment beside that of all.
    variables: BTreeMap<&'static str, String>,
}

/// The functions of this project, whose programs `bootstrap` finds. `suffix` is the end of
/// their names.
fn kea(bootstrap: impl Fn(&str) -> PathBuf, suffix: &str, output: &Path) -> Vec<Function> {
    let roots = output.join(AMAZON_ROOTS).display().to_string();
    let roots = [("SSL_CERT_FILE", roots.as_str())];
    let functions = [
        (HELLO, "hello", &[][..]),
        (PRODUCT, "nosqldata", &roots),
        (ORDER, "mysqldata", &[]),
    ];
    let functions = functions.map(|(task, function, variables)| {
        let name = format!("Kea {function}{suffix}");
        program(task, &name, bootstrap(function), variables)
    });
    functions.into()
}

/// A function that is a program.
fn program(
    task: &'static str,
    name: &str,
    program: PathBuf,
    variables: &[(&'static str, &str)],
) -> Function {
    let variables = variables.iter();
    Function {
        task,
        name: name.to_owned(),
        command: vec![program],
        variables: variables
            .map(|(name, it)| (*name, (*it).to_owned()))
            .collect(),
    }
}

/// The stores, with TLS.
struct System {
    stores: Stores,
    /// The folder of the certificates.
    output: PathBuf,
    port: u16,
}

impl System {
    fn start(project: &Project, output: &Path) -> Result<Self> {
        create_certificates(project, output)?;
        step("Starting throw-away stores");
        let mut stores = Command::new("taskset");
        stores
            .args(["--cpu-list", STORES_CORE])
            .arg(project.program("stores"))
            .arg("--sample")
            .arg("--mysql-tls")
            .args([output.join(CHAIN), output.join(KEY)]);
        Ok(Self {
            stores: Stores::start(stores)?,
            output: output.to_path_buf(),
            port: net::free_port(HOST)?,
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
        let roots = self.output.join(RDS_ROOTS).display().to_string();
        shared.insert("MYSQL_TLS".to_owned(), roots);
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
            let own = it.variables.iter();
            environment.extend(own.map(|(name, value)| ((*name).to_owned(), value.clone())));
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
                "certificate": self.output.join(CHAIN),
                "key": self.output.join(KEY),
            }],
            "functions": functions.collect::<Result<Vec<_>>>()?,
        }))
    }

    /// The command of the program that measures these functions.
    fn bench(
        &self,
        project: &Project,
        versions: &BTreeMap<String, String>,
        functions: &[Function],
    ) -> Result<Command> {
        let plan = self.plan(project, versions, functions)?;
        let file = self.output.join("plan.json");
        fs::write(&file, plan.to_string())?;
        let mut bench = process::command(project.program("bench"));
        bench.arg("--plan").arg(file);
        bench.arg("--output").arg(&self.output);
        Ok(bench)
    }
}

/// The functions that those of this project are compared with.
struct Peers {
    /// The folder of the certificates.
    output: PathBuf,
    limit: PathBuf,
    /// The folder of those in Rust.
    target: PathBuf,
    python: Option<PathBuf>,
}

impl Peers {
    fn of(arguments: &Measure, project: &Project, output: &Path) -> Self {
        let python = PythonTool(PYTHON, &[]).folder(project).join("bin/python3");
        Self {
            output: output.to_path_buf(),
            limit: output.join("limit"),
            target: project.target.join("bench"),
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
            PythonTool(PYTHON, &packages).install(project)?;
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

    /// All functions: these, and those of this project. `xray` is the address of the
    /// daemon of X-Ray.
    fn functions(&self, arguments: &Measure, project: &Project, xray: &str) -> Vec<Function> {
        let bootstrap = |folder: &Path, name: &str| folder.join(name).join("bootstrap");
        let bare = |name: &str| bootstrap(&self.bare(), name);
        let [axum, lambda_http] = ["bare-axum", "bare-lambda-http"].map(bare);
        let hello = project.bootstrap("hello");
        let mut all = vec![
            program(HELLO, "the limit: C, raw socket", self.limit.clone(), &[]),
            program(HELLO, "bare lambda_http", lambda_http, &[]),
            program(HELLO, "bare axum on lambda_http", axum, &[]),
        ];
        all.extend(kea(|name| project.bootstrap(name), "", &self.output));
        // What telemetry costs.
        for (name, variable) in [
            ("Kea hello, no telemetry", ("AWS_LAMBDA_LOG_LEVEL", "off")),
            ("Kea hello, metrics alone", ("AWS_LAMBDA_LOG_LEVEL", "warn")),
            ("Kea hello, with X-Ray", ("AWS_XRAY_DAEMON_ADDRESS", xray)),
        ] {
            all.push(program(HELLO, name, hello.clone(), &[variable]));
        }
        if let Some(before) = &arguments.before {
            let before = |name: &str| bootstrap(before, name);
            all.extend(kea(before, ", before", &self.output));
        }
        if let Some(python) = &self.python {
            // What others trust in AWS.
            let roots = self.output.join(MACHINE_ROOTS).display().to_string();
            let roots = [("SSL_CERT_FILE", &*roots), ("AWS_CA_BUNDLE", &*roots)];
            let in_python = |task, name, module: &str, variables: &[_]| {
                let mut function = program(task, name, python.clone(), variables);
                let handler = format!("{module}.handler");
                let arguments = ["-m", "awslambdaric", &handler];
                function.command.extend(arguments.map(PathBuf::from));
                function
            };
            let [sdk, sqlx] =
                ["default-dynamodb", "default-sqlx"].map(|it| self.defaults().join(it));
            all.extend([
                in_python(HELLO, "Powertools", "powertools_hello", &[]),
                in_python(HELLO, "Flask + apig-wsgi", "flask_hello", &[]),
                in_python(HELLO, "FastAPI + Mangum", "fastapi_hello", &[]),
                program(PRODUCT, "DynamoDB SDK, all defaults", sdk, &roots),
                in_python(PRODUCT, "Powertools + boto3", "powertools_boto3", &roots),
                in_python(PRODUCT, "FastAPI + boto3", "fastapi_boto3", &roots),
                program(ORDER, "sqlx, all defaults", sqlx, &[]),
            ]);
        }
        all
    }
}

/// Whether the program of one of the functions is this file, or in this folder.
fn uses(functions: &[Function], path: &Path) -> bool {
    let mut programs = functions.iter().filter_map(|it| it.command.first());
    programs.any(|program| program.starts_with(path))
}

/// Creates the certificates of this machine's servers, as PEM files, with RSA keys of 2048
/// bits as AWS's have.
fn create_certificates(project: &Project, folder: &Path) -> Result<()> {
    step("Creating certificates");
    let openssl = |arguments: &str| {
        let mut openssl = process::command("openssl");
        openssl
            .args("req -x509 -nodes -days 2 -newkey rsa:2048".split(' '))
            .args(arguments.split(' '))
            .current_dir(folder)
            .stderr(Stdio::null());
        process::succeed(openssl, "openssl")
    };
    openssl("-subj /CN=benchmark -keyout root.key -out root.pem")?;
    openssl(&format!(
        "-subj /CN=store -addext subjectAltName=IP:{HOST} \
         -addext basicConstraints=critical,CA:FALSE -CA root.pem -CAkey root.key \
         -keyout {KEY} -out {CHAIN}"
    ))?;
    let write = |name: &str, others: &[&Path]| {
        let mut pem = fs::read(folder.join("root.pem"))?;
        for other in others {
            pem.extend(fs::read(other)?);
        }
        fs::write(folder.join(name), pem)
    };
    let amazon = project.root.join("crates/chassis/roots/amazon.pem");
    let rds = project.root.join("crates/mysql/roots/eu-north-1.pem");
    write(AMAZON_ROOTS, &[&amazon])?;
    write(RDS_ROOTS, &[&rds, &amazon])?;
    let machine = Path::new("/etc/ssl/certs/ca-certificates.crt");
    write(MACHINE_ROOTS, &[machine])?;
    Ok(())
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
// endregion
