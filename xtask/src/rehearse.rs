// region: mysqldata
//! `cargo xtask rehearse`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use programs::Guarded;
use serde_json::{Value, json};
use template::Template;

use crate::{
    net,
    preflight::differences,
    process::{self, step},
    project::{self, Project},
    sam::Architecture,
    stores::Stores,
    tools,
};

/// The timeout of the emulator's start, of each request to it and of the deletion of
/// a stack, on a loaded machine.
const TIMEOUT: Duration = Duration::from_mins(5);

/// How many pages of events are read.
const EVENT_PAGES: usize = 50;

const STACK: &str = "kea-rehearsal";
const REGION: &str = "eu-north-1";

/// The id of the API in the emulator.
const API: &str = "ab12cd34";

/// The function whose code alone is updated.
const UPDATED: &str = "HelloFunction";

/// Cases in which the emulator is not like AWS: it decodes the path, and does not
/// encode a body that is no text.
const SKIPPED: [&str; 3] = [
    "authorization::unknown_path_is_reported_before_the_token",
    "paths::escaped_slash_in_an_id_is_a_path_separator",
    "bodies::binary_body_sent_as_text_is_refused",
];

/// What the emulator cannot show; printed at the end.
const NOT_REACHED: &str = "\
Left out: the quotas and defaults of an account; whether AWS accepts each
property; the network, security groups, TLS and IAM sign-in to RDS; permissions
other than those of DynamoDB and Secrets Manager; traffic shifting, alarms and
throttling; time. This is a rehearsal of the template's logic, not a proof that it
deploys.";

/// A change that the rehearsal makes to the template.
struct Edit {
    function: &'static str,
    from: &'static str,
    to: &'static str,
}

/// One kind of change for each function except `migrate`; none is of its code.
const EDITS: &[Edit] = &[
    Edit {
        function: "HelloFunction",
        from: "      MemorySize: 128\n",
        to: "      MemorySize: 128\n      Timeout: 9\n",
    },
    // region: oscheck
    Edit {
        function: "OscheckFunction",
        from: "      Role: !GetAtt OscheckRole.Arn\n",
        to: "      Role: !GetAtt HelloRole.Arn\n",
    },
    // endregion
    Edit {
        function: "DocsFunction",
        from: "LogGroup: !Ref DocsLogGroup",
        to: "LogGroup: !Ref HelloLogGroup",
    },
    Edit {
        function: "HealthFunction",
        from: "      MemorySize: 128\n",
        to: "      MemorySize: 128\n      Tracing: PassThrough\n",
    },
    // region: nosqldata
    Edit {
        function: "NosqldataFunction",
        from: "      MemorySize: 256\n",
        to: "      MemorySize: 512\n",
    },
    // endregion
    Edit {
        function: "MysqldataFunction",
        from: "        SubnetIds: [!Ref SubnetA, !Ref SubnetB]\n",
        to: "        SubnetIds: [!Ref SubnetA]\n",
    },
];

/// What makes the migration fail.
const BAD_MIGRATION: Edit = Edit {
    function: "MigrateFunction",
    from: "          MYSQL_USERS: iam\n",
    to: "          MYSQL_USERS: nobody\n",
};

/// Rehearse a deployment on an emulator of AWS
///
/// Creates the stack of template.yaml with `sam deploy` on ministack, which runs
/// stacks and functions without Docker: a first deployment that fails
/// and leaves nothing, one that succeeds, the suite against its API with the
/// template's own roles, updates of one function, of every kind of setting and of
/// parameters, each of which must reach the alias `live`, an update with a failing
/// migration, and the deletion. It rehearses the template's logic and does not
/// prove that it deploys; docs/deploying.md lists what it cannot reach.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only deploy, and run these cases of the suite: those whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let folder = project.own_folder().join("rehearsal");
    project::empty_folder(&folder)?;
    let stage = Stage::set(&project, &folder)?;

    step("A first deployment whose migration fails");
    let mut build = Build::of(&project, &folder)?;
    let right = build.template.clone();
    build.apply(&BAD_MIGRATION)?;
    let mut parameters = Parameters::of_dev(&stage);
    parameters.set("Protected", "true");
    stage.must_fail(&build, &parameters, "ROLLBACK_COMPLETE", "MYSQL_USERS")?;
    stage.delete()?;

    step("The first deployment");
    build.template = right;
    parameters.set("Protected", "false");
    // The suite signs its tokens itself.
    for (name, value) in tokens::parameters(&[project.signing_key()?.jwk()]) {
        parameters.set(name, &value);
    }
    stage.deploy(&build, &parameters)?;
    let first = stage.versions(&build)?;

    step("The suite, with the roles of the template");
    let mut suite = project.tools("surfaces");
    suite.args(["--url", &stage.api()]);
    project.set_signing_key(&mut suite);
    suite.args(arguments.only.iter().flat_map(|only| ["--only", only]));
    suite.args(SKIPPED.iter().flat_map(|case| ["--skip", case]));
    process::succeed(suite, "the suite")?;
    if arguments.only.is_some() {
        stage.delete()?;
        step("The cases have passed. Left out with --only: other cases, and updates of the stack");
        return Ok(ExitCode::SUCCESS);
    }

    step(format_args!("An update of {UPDATED} alone"));
    build.change_code(UPDATED)?;
    stage.deploy(&build, &parameters)?;
    let second = stage.versions(&build)?;
    expect_changed(&first, &second, &[UPDATED])?;

    step("An update of a setting of each function");
    for edit in EDITS {
        build.apply(edit)?;
    }
    stage.deploy(&build, &parameters)?;
    let third = stage.versions(&build)?;
    let edited: Vec<_> = EDITS.iter().map(|edit| edit.function).collect();
    expect_changed(&second, &third, &edited)?;

    step("An update of parameters");
    let other = stage.api().replace("127.0.0.1", "localhost");
    parameters.set("ApiUrl", &other);
    parameters.set("OrdersConcurrency", "5");
    parameters.set("DatabaseProxy", "true");
    stage.deploy(&build, &parameters)?;
    let fourth = stage.versions(&build)?;
    let template = Template::read(&project.root.join("template.yaml"))?;
    let mut referring = template.answering();
    referring.retain(|function| {
        let referred = template.references(&function.resource.properties);
        referred.contains("ApiUrl") || referred.contains("OrdersConcurrency")
    });
    let referring: Vec<_> = referring.iter().map(|function| function.id).collect();
    expect_changed(&third, &fourth, &referring)?;

    step("An update of parameters that no function reads: canary, CORS, alarms by mail");
    parameters.set("Canary", "true");
    parameters.set("CorsOrigins", "https://shop.example.com");
    parameters.set("AlarmEmail", "somebody@example.com");
    stage.deploy(&build, &parameters)?;
    let fifth = stage.versions(&build)?;
    expect_changed(&fourth, &fifth, &[])?;

    step("An update whose migration fails");
    build.apply(&BAD_MIGRATION)?;
    build.change_code("MysqldataFunction")?;
    stage.must_fail(
        &build,
        &parameters,
        "UPDATE_ROLLBACK_COMPLETE",
        "MYSQL_USERS",
    )?;
    expect_changed(&fifth, &stage.versions(&build)?, &[])?;

    step("The deletion");
    stage.delete()?;
    step("The rehearsal has succeeded");
    println!("{NOT_REACHED}");
    println!("Left out of the suite: {}.", SKIPPED.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The parameters of a deployment.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Those of an experiment on this machine.
    fn of_dev(stage: &Stage) -> Self {
        let mut parameters = Self(BTreeMap::new());
        parameters.set("Architecture", stage.architecture.name());
        parameters.set("OrdersConcurrency", "0");
        parameters.set("ApiUrl", &stage.api());
        parameters
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }
}

/// What is deployed: the template, and the program of each function.
struct Build {
    folder: PathBuf,
    template: String,
    /// The functions' logical ids.
    functions: Vec<String>,
}

impl Build {
    /// As `sam build` leaves it, from the programs for development.
    fn of(project: &Project, folder: &Path) -> Result<Self> {
        let path = project.root.join("template.yaml");
        let described = Template::read(&path)?;
        let folder = folder.join("build");
        let mut template = fs::read_to_string(path)?;
        let mut functions = Vec::new();
        let strip = programs::find("strip", &[]);
        for function in described.functions() {
            let program = project.program(function.binary);
            let own = folder.join(function.id);
            fs::create_dir_all(&own)?;
            let bootstrap = own.join("bootstrap");
            match &strip {
                Some(strip) => {
                    let mut strip = process::command(strip);
                    strip.arg("-o").args([&bootstrap, &program]);
                    process::succeed(strip, "strip")?;
                }
                None => drop(fs::copy(program, bootstrap)?),
            }
            let own = format!("      CodeUri: {}\n", function.id);
            template = in_resource(&template, function.id, |resource| {
                resource.replacen("    Properties:\n", &format!("    Properties:\n{own}"), 1)
            })?;
            functions.push(function.id.to_owned());
        }
        Ok(Self {
            folder,
            template,
            functions,
        })
    }

    fn apply(&mut self, edit: &Edit) -> Result<()> {
        self.template = in_resource(&self.template, edit.function, |resource| {
            resource.replacen(edit.from, edit.to, 1)
        })
        .with_context(|| format!("the rehearsal cannot change {:?}", edit.from))?;
        Ok(())
    }

    /// Changes the bytes of a program and not what it does.
    fn change_code(&self, function: &str) -> Result<()> {
        let program = self.folder.join(function).join("bootstrap");
        let mut bytes = fs::read(&program)?;
        bytes.push(0);
        Ok(fs::write(program, bytes)?)
    }
}

/// Changes the text of one resource of a template; fails if nothing changes.
fn in_resource(template: &str, id: &str, change: impl Fn(&str) -> String) -> Result<String> {
    let head = format!("\n  {id}:\n");
    let start = template.find(&head);
    let start = start.with_context(|| format!("template.yaml has no {id}"))? + head.len();
    let (before, rest) = template.split_at(start);
    // Its lines are indented further, or empty.
    let is_inside = |line: &&str| line.starts_with("    ") || line.trim().is_empty();
    let end = rest.split_inclusive('\n').take_while(is_inside);
    let (resource, after) = rest.split_at(end.map(str::len).sum());
    let changed = change(resource);
    ensure!(changed != resource, "{id} is not changed");
    Ok(format!("{before}{changed}{after}"))
}

/// The version of each function, by logical id.
type Versions = BTreeMap<String, String>;

/// Fails unless these functions, and no others, have other versions.
fn expect_changed(before: &Versions, after: &Versions, expected: &[&str]) -> Result<()> {
    let changed = after
        .iter()
        .filter(|(id, version)| before.get(*id) != Some(version))
        .map(|(id, _)| id.as_str());
    let changed: BTreeSet<_> = changed.collect();
    let expected = expected.iter().copied().collect::<BTreeSet<_>>();
    ensure!(
        changed == expected,
        "`live` of {changed:?} has a new version, but what has changed is {expected:?}"
    );
    println!("new versions: {changed:?}");
    Ok(())
}

/// The emulator and the stores.
struct Stage {
    sam: PathBuf,
    /// The URL of the emulator.
    endpoint: String,
    architecture: Architecture,
    folder: PathBuf,
    _emulator: Guarded,
    _stores: Stores,
}

impl Stage {
    fn set(project: &Project, folder: &Path) -> Result<Self> {
        let sam = tools::SAM.install(project)?.join("bin/sam");
        let emulator = tools::EMULATOR_OF_AWS.install(project)?;
        step("Building the functions for development");
        let template = Template::read(&project.root.join("template.yaml"))?;
        let binaries = template.functions().map(|function| function.binary);
        project.build(binaries.chain(["stores", "tools"]))?;
        let stores = Stores::throw_away(project, &["--as-deployed"])?;

        step("Starting the emulator");
        let port = net::free_port("127.0.0.1")?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let database = faultproxy::address(&stores.urls.mysql);
        let login = |user: &str| format!("mysql://{user}@{database}/kea");
        let mut variables = BTreeMap::from([(
            "MigrateFunction",
            BTreeMap::from([
                ("MYSQL_URL", login("nobody")),
                ("MYSQL_TLS", String::new()),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint.clone()),
            ]),
        )]);
        for function in template.answering() {
            let own = variables.entry(function.id).or_default();
            if !function.tables().is_empty() {
                own.insert("AWS_ENDPOINT_URL_DYNAMODB", endpoint.clone());
            }
            if let Some(user) = function.database_user() {
                own.insert("MYSQL_URL", login(&format!("{user}:{user}")));
                own.insert("MYSQL_TLS", String::new());
                own.insert("MYSQL_SIGN_IN", String::new());
            }
        }
        let mut launcher = process::command(emulator.join("bin/python3"));
        launcher.arg(project.root.join("xtask/rehearsal/launcher.py"));
        // The functions inherit these.
        launcher.env_clear();
        for name in ["PATH", "LANG"] {
            launcher.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        for (name, value) in [
            ("AUTH", "true"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("BIND_HOST", "127.0.0.1"),
            ("DOCKER_HOST", "unix:///none"),
            ("GATEWAY_PORT", &port.to_string()),
            ("IOT_MTLS_ENABLED", "0"),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("MINISTACK_REGION", REGION),
            ("REHEARSE_API_ID", API),
            ("REHEARSE_SECRET", &secret(&stores.urls.mysql)?),
            ("REHEARSE_VARIABLES", &json!(variables).to_string()),
            ("SFTP_ENABLED", "0"),
        ] {
            launcher.env(name, value);
        }
        let own = folder.join("emulator");
        fs::create_dir_all(&own)?;
        for name in ["HOME", "TMPDIR", "STATE_DIR", "S3_DATA_DIR"] {
            launcher.env(name, &own);
        }
        let health = format!("{endpoint}/_ministack/health");
        let log = folder.join("emulator.log");
        let ready = || net::get(&health);
        let emulator = process::start_server(launcher, "the emulator", &log, TIMEOUT, ready)?;
        Ok(Self {
            sam,
            endpoint,
            architecture: Architecture::here()?,
            folder: folder.to_owned(),
            _emulator: emulator,
            _stores: stores,
        })
    }

    fn api(&self) -> String {
        format!("{}/_aws/execute-api/{API}/$default", self.endpoint)
    }

    fn sam_deploy(&self, build: &Build, parameters: &Parameters) -> Result<Command> {
        let template = build.folder.join("template.yaml");
        fs::write(&template, &build.template)?;
        let mut deploy = process::command(&self.sam);
        deploy
            .args(["deploy", "--stack-name", STACK, "--region", REGION])
            .arg("--template-file")
            .arg(template)
            .args(["--resolve-s3", "--no-confirm-changeset", "--no-progressbar"])
            .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
            .arg("--parameter-overrides")
            .args(
                parameters
                    .0
                    .iter()
                    .map(|(name, value)| format!("{name}='{value}'")),
            )
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("SAM_CLI_POLL_DELAY", "1")
            .env("SAM_CLI_TELEMETRY", "0")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            // It has no samconfig.toml.
            .current_dir(&build.folder);
        let log = self.folder.join("sam.log");
        let log = File::options().create(true).append(true).open(log)?;
        deploy.stdout(log.try_clone()?).stderr(log);
        Ok(deploy)
    }

    /// Deploys, and checks that every `live` has what its function has.
    fn deploy(&self, build: &Build, parameters: &Parameters) -> Result<()> {
        let log = self.folder.join("sam.log");
        let deploy = self.sam_deploy(build, parameters)?;
        if !process::status(deploy)?.success() {
            bail!(
                "the deployment failed: {}; see {}",
                self.failures()?.join("; "),
                log.display()
            );
        }
        self.check_live(build)
    }

    /// Deploys what must fail and end in this status, for this reason.
    fn must_fail(
        &self,
        build: &Build,
        parameters: &Parameters,
        status: &str,
        reason: &str,
    ) -> Result<()> {
        let deploy = self.sam_deploy(build, parameters)?;
        ensure!(
            !process::status(deploy)?.success(),
            "the deployment succeeded"
        );
        let stack = self.cloudformation("DescribeStacks", &[("StackName", STACK)])?;
        let found = members(&stack, "StackStatus");
        ensure!(found == [status], "the stack is {found:?}, not {status}");
        let failures = self.failures()?;
        ensure!(
            failures.iter().any(|failure| failure.contains(reason)),
            "the stack's events have no reason with {reason}: {failures:?}"
        );
        println!("{status}, as it should");
        Ok(())
    }

    /// The reasons of failure in the stack's events.
    fn failures(&self) -> Result<Vec<String>> {
        let mut reasons = Vec::new();
        let mut parameters = vec![("StackName", STACK.to_owned())];
        for _ in 0..EVENT_PAGES {
            let page = self.cloudformation("DescribeStackEvents", &parameters)?;
            let events = page.split("<member>").filter(|it| it.contains("_FAILED<"));
            reasons.extend(events.flat_map(|event| members(event, "ResourceStatusReason")));
            let Some(next) = members(&page, "NextToken").pop() else {
                break;
            };
            parameters.truncate(1);
            parameters.push(("NextToken", next));
        }
        Ok(reasons)
    }

    /// The functions' names, by logical id.
    fn names(&self, build: &Build) -> Result<BTreeMap<String, String>> {
        let stack = self.cloudformation("DescribeStackResources", &[("StackName", STACK)])?;
        let mut names = BTreeMap::new();
        for resource in stack.split("<member>") {
            let id = members(resource, "LogicalResourceId").pop();
            let name = members(resource, "PhysicalResourceId").pop();
            if let Some((id, name)) = id.zip(name)
                && build.functions.contains(&id)
            {
                names.insert(id, name);
            }
        }
        ensure!(
            names.len() == build.functions.len(),
            "the stack has the functions {names:?} alone"
        );
        Ok(names)
    }

    fn configuration(&self, name: &str, qualifier: &str) -> Result<Value> {
        let path = format!("/2015-03-31/functions/{name}/configuration?Qualifier={qualifier}");
        Ok(serde_json::from_str(&self.get("lambda", &path)?)?)
    }

    /// The version of each alias `live`.
    fn versions(&self, build: &Build) -> Result<Versions> {
        let mut versions = Versions::new();
        for (id, name) in self.names(build)? {
            let configuration = self.configuration(&name, "live")?;
            let version = configuration.get("Version").and_then(Value::as_str);
            versions.insert(id, version.unwrap_or_default().to_owned());
        }
        Ok(versions)
    }

    /// Fails if a change of a function has not reached its alias.
    fn check_live(&self, build: &Build) -> Result<()> {
        for (id, name) in self.names(build)? {
            let live = self.configuration(&name, "live")?;
            let latest = self.configuration(&name, "$LATEST")?;
            let stale = differences(&latest, &live);
            ensure!(
                stale.is_empty(),
                "a change of {} in {id} has not reached `live`",
                stale.join(", ")
            );
        }
        Ok(())
    }

    /// Deletes the stack, and checks that it leaves nothing.
    fn delete(&self) -> Result<()> {
        self.cloudformation("DeleteStack", &[("StackName", STACK)])?;
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let stack = self.cloudformation("DescribeStacks", &[("StackName", STACK)]);
            // CloudFormation describes no stack that is deleted.
            let status = match stack {
                Err(error) if error.to_string().contains("does not exist") => break,
                stack => members(&stack?, "StackStatus"),
            };
            ensure!(
                Instant::now() < deadline && status != ["DELETE_FAILED"],
                "the stack is not deleted: {status:?}, {:?}",
                self.failures()?
            );
            process::pause()?;
        }
        let functions = self.get("lambda", "/2015-03-31/functions/")?;
        ensure!(
            !functions.contains("FunctionName"),
            "functions are left: {functions}"
        );
        for (service, target, list) in [
            ("dynamodb", "DynamoDB_20120810.ListTables", "TableNames"),
            ("logs", "Logs_20140328.DescribeLogGroups", "logGroups"),
        ] {
            let found: Value = serde_json::from_str(&self.json(service, target)?)?;
            let found = found.get(list).and_then(Value::as_array);
            let found: Vec<_> = found.into_iter().flatten().collect();
            ensure!(found.is_empty(), "{list} are left: {found:?}");
        }
        println!("nothing is left");
        Ok(())
    }

    /// Calls an action of `CloudFormation`.
    fn cloudformation(
        &self,
        action: &str,
        parameters: &[(&str, impl AsRef<str>)],
    ) -> Result<String> {
        let mut form = vec![("Action", action), ("Version", "2010-05-15")];
        form.extend(
            parameters
                .iter()
                .map(|(name, value)| (*name, value.as_ref())),
        );
        let request = net::agent(TIMEOUT)
            .post(&self.endpoint)
            .header("authorization", &authorization("cloudformation"));
        body(request.send_form(form)?, action)
    }

    /// Calls an action with the JSON protocol.
    fn json(&self, service: &str, target: &str) -> Result<String> {
        let request = net::agent(TIMEOUT).post(&self.endpoint);
        let request = request
            .header("authorization", &authorization(service))
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0");
        body(request.send("{}")?, target)
    }

    fn get(&self, service: &str, path: &str) -> Result<String> {
        let url = format!("{}{path}", self.endpoint);
        let request = net::agent(TIMEOUT)
            .get(&url)
            .header("authorization", &authorization(service));
        body(request.call()?, path)
    }
}

/// The body of a response that succeeded to a request, which an error names.
fn body(response: ureq::http::Response<ureq::Body>, request: &str) -> Result<String> {
    let status = response.status();
    let text = response.into_body().read_to_string()?;
    ensure!(status.is_success(), "{request}: {text}");
    Ok(text)
}

/// Names the root user of the emulator, which checks no signature of it.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={}",
        "0".repeat(64)
    )
}

/// The content of the elements of this name. They have no attributes.
fn members(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let elements = xml.split(&open).skip(1);
    elements
        .filter_map(|element| Some(element.split_once(&close)?.0.to_owned()))
        .collect()
}

/// The secret that RDS would write, of the user in a URL.
fn secret(url: &str) -> Result<String> {
    let login = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('@'));
    let (user, password) = login
        .and_then(|(login, _)| login.split_once(':'))
        .context("the URL of MySQL has no user and password")?;
    Ok(json!({ "username": user, "password": password }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_changes_one_resource() {
        let template = "Resources:\n  A:\n    X: 1\n\n    Y: 1\n  B:\n    X: 1\n";
        let change = |id| in_resource(template, id, |text| text.replacen("X: 1", "X: 2", 1));
        assert_eq!(
            change("B").unwrap(),
            "Resources:\n  A:\n    X: 1\n\n    Y: 1\n  B:\n    X: 2\n"
        );
        assert!(change("C").is_err());
        let none = in_resource(template, "A", |text| text.replacen('Z', "", 1));
        assert!(none.unwrap_err().to_string().contains("A is not changed"));
    }

    /// The rehearsal changes template.yaml; a change that finds nothing to change
    /// would rehearse nothing.
    #[test]
    fn every_edit_finds_its_place_in_the_template() {
        let template = fs::read_to_string(template::path()).unwrap();
        for edit in EDITS.iter().chain([&BAD_MIGRATION]) {
            let change = |resource: &str| resource.replacen(edit.from, edit.to, 1);
            in_resource(&template, edit.function, change).unwrap();
        }
    }
}
// endregion
