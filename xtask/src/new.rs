//! `cargo xtask new`.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use template::Template;

use crate::{
    process::{self, step},
    project::Project,
    regenerate,
    registry::{Database, Files, Registration},
    remove,
};

/// Add an endpoint: a function of its own, with tests and documentation
///
/// Writes the crate functions/NAME, its section in template.yaml, its tests and
/// its events, registers it, and regenerates what is generated: snapshots, the
/// OpenAPI document and the diagrams. docs/adding-an-endpoint.md explains the
/// result. `cargo xtask remove NAME` undoes it.
#[derive(clap::Args)]
pub struct Arguments {
    /// The name: lower-case letters and digits, such as parcels
    name: String,

    /// Where it stores what it creates
    #[arg(long, value_enum, default_value_t = Store::None)]
    store: Store,
}

/// The store of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Store {
    /// Tables of its own in `DynamoDB`
    Dynamodb,
    /// Tables of its own in the MySQL database
    Mysql,
    /// No store
    None,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let files = Files::of(&project.root);
    let names = Names::of(&arguments.name)?;
    check(&names, arguments.store, &files)?;
    regenerate::prepare(&project)?;
    step(format_args!("Writing functions/{}", names.name));
    write(&names, arguments.store, &files)?;
    process::format(&project.root)?;
    regenerate::regenerate(&Project::read()?)?;
    step("Done");
    let name = &names.name;
    println!(
        "
  functions/{name}/src: its code; begin at lib.rs
  template.yaml: its section
  events/{name}: its events; tests/snapshots/{name} has the responses
  tests/suite/src/{name}.rs: its black-box tests

  cargo xtask test: runs all tests
  cargo xtask up: serves it at http://127.0.0.1:9000/{name}
  cargo xtask remove {name}: removes it"
    );
    Ok(ExitCode::SUCCESS)
}

impl Store {
    fn folder(self) -> &'static str {
        match self {
            Self::Dynamodb => "dynamodb",
            Self::Mysql => "mysql",
            Self::None => "none",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Dynamodb => "DynamoDB",
            Self::Mysql => "MySQL",
            Self::None => "no store",
        }
    }
}

/// Fails unless it can be the name of a `kind` of thing: part of an identifier, a path
/// and an environment variable.
pub fn check_name(name: &str, kind: &str, longest: usize) -> Result<()> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(is_allowed)
            && name.len() <= longest,
        "{name} is not the name of a {kind}: use a lower-case letter, and then lower-case letters \
         and digits, at most {longest}"
    );
    Ok(())
}

/// The forms of a function's name.
struct Names {
    /// `parcels`.
    name: String,
    /// One of them: `parcel`.
    one: String,
}

impl Names {
    fn of(name: &str) -> Result<Self> {
        check_name(name, "function", 32)?;
        Ok(Self {
            name: name.to_owned(),
            one: singular(name),
        })
    }

    /// Replaces the placeholders.
    fn fill(&self, text: &str) -> String {
        let article = if self.one.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        [
            ("@a@", article.to_owned()),
            ("@A@", capitalized(article)),
            ("@name@", self.name.clone()),
            ("@Name@", capitalized(&self.name)),
            ("@NAME@", self.name.to_uppercase()),
            ("@type@", self.one.clone()),
            ("@Type@", capitalized(&self.one)),
        ]
        .iter()
        .fold(text.to_owned(), |text, (placeholder, value)| {
            text.replace(placeholder, value)
        })
    }
}

/// The singular of a name, by the common rules; otherwise the name itself.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies") {
        return format!("{stem}y");
    }
    let keeps = ["ss", "us", "is"].iter().any(|end| name.ends_with(end));
    let extended = ["sses", "xes", "ches", "shes", "zes"];
    let ending = match name {
        _ if keeps => "",
        _ if extended.iter().any(|end| name.ends_with(end)) => "es",
        _ => "s",
    };
    match name.strip_suffix(ending) {
        Some(one) if one.len() > 1 => one.to_owned(),
        _ => name.to_owned(),
    }
}

/// An event from which those of a new function are made.
const SAMPLE_EVENT: &str = "events/hello/get.json";

/// Names that mean something else in Rust, in the paths or in the tests.
const RESERVED: [&str; 61] = [
    "abstract", "api", "as", "async", "await", "batch", "become", "bodies", "box", "break", "case",
    "config", "const", "continue", "core", "crate", "do", "dyn", "else", "enum", "error", "extern",
    "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "lib", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "std", "store", "struct", "super", "test", "tests", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "yield",
];

/// The reserved words of MySQL 8.4 that can be names of tables here.
const RESERVED_IN_SQL: &str = "\
accessible add all alter analyze and as asc asensitive before between bigint binary blob both by \
call cascade case change char character check collate column condition constraint continue \
convert create cross cube cursor database databases dec decimal declare default delayed delete \
dense desc describe deterministic distinct distinctrow div double drop dual each else elseif \
empty enclosed escaped except exists exit explain false fetch float for force foreign from \
fulltext function generated get grant group grouping groups having if ignore in index infile \
inner inout insensitive insert int integer intersect interval into is iterate join key keys kill \
lag lateral lead leading leave left like limit linear lines load localtime localtimestamp lock \
long loop manual match maxvalue mod modifies natural not null numeric of on optimize option \
optionally or order out outer outfile over parallel partition precision primary procedure purge \
qualify range rank read reads real recursive references regexp release rename repeat replace \
require resignal restrict return revoke right rlike row rows schema schemas select sensitive \
separator set show signal smallint spatial specific sql sqlexception sqlstate sqlwarning ssl \
starting stored straight system table tablesample terminated then to trailing trigger true undo \
union unique unlock unsigned update usage use using values varying virtual when where while \
window with write xor zerofill";

/// Fails if the function cannot be written.
fn check(names: &Names, store: Store, files: &Files) -> Result<()> {
    let name = &names.name;
    ensure!(
        !files.path(&format!("functions/{name}")).exists(),
        "functions/{name} exists already"
    );
    if store != Store::None {
        let folder = format!("crates/{}", store.folder());
        ensure!(
            files.path(&folder).exists(),
            "there is no {folder}: it was removed with the last function that used it"
        );
    }
    if let Some(reason) = clash(names, store, files)? {
        bail!("{name} cannot be the name of a function, because {reason}: choose another");
    }
    Ok(())
}

/// What the name means already, if it does.
fn clash(names: &Names, store: Store, files: &Files) -> Result<Option<String>> {
    let Names { name, one } = names;
    let ty = capitalized(one);

    let used = identifiers(store, files)?;
    let is_reserved = |word: &&String| {
        RESERVED.contains(&word.as_str())
            || (store == Store::Mysql && RESERVED_IN_SQL.split(' ').any(|it| it == *word))
            || used.contains(*word)
            || used.contains(&capitalized(word))
    };
    if let Some(word) = [name, one].into_iter().find(is_reserved) {
        return Ok(Some(format!("{word} is reserved")));
    }
    // A package is built by its name, which must be that of no other.
    let lock: toml::Table = files.read("Cargo.lock")?.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let mut packages = packages.into_iter().flatten();
    if packages.any(|it| it.get("name").and_then(toml::Value::as_str) == Some(name)) {
        return Ok(Some("a crate in Cargo.lock has that name".to_owned()));
    }
    let functions = files.list("functions")?;
    if let Some(function) = functions.iter().find(|it| singular(it) == *one) {
        return Ok(Some(format!("{function} has the type {ty} too")));
    }
    let document: Value = serde_json::from_str(&files.read("functions/docs/assets/openapi.json")?)?;
    let schema = document.pointer(&format!("/components/schemas/{ty}"));
    if schema.is_some() {
        return Ok(Some(format!("the API has a schema {ty} already")));
    }
    let tracked = files.tracked()?;
    if let Some(path) = tracked.iter().find_map(|path| remove::own(path, name)) {
        return Ok(Some(format!(
            "a file or folder with this name belongs to a function: {path} already exists"
        )));
    }
    let template = Template::read(&files.path("template.yaml"))?;
    let section = names.fill(&section_of(store, files)?);
    let mut ids = section.lines().filter_map(|line| {
        let id = line.strip_prefix("  ")?.strip_suffix(':')?;
        id.chars().all(char::is_alphanumeric).then_some(id)
    });
    let taken = ids.find(|id| template.resources.contains_key(*id));
    Ok(taken.map(|id| format!("template.yaml has a resource {id} already")))
}

/// The identifiers of the code that is written, with which a name would clash.
fn identifiers(store: Store, files: &Files) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let stored = (store != Store::None).then_some("stored");
    for folder in std::iter::once(store.folder()).chain(stored) {
        let folder = format!("xtask/templates/{folder}/src");
        for file in files.list(&folder)? {
            let text = files.read(&format!("{folder}/{file}"))?;
            let code = text.lines().filter(|it| !it.trim().starts_with("//"));
            let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '@';
            let words = code.flat_map(|line| line.split(move |c| !is_of_word(c)));
            found.extend(words.map(str::to_owned));
        }
    }
    Ok(found)
}

/// The section of a function in the template, with placeholders.
fn section_of(store: Store, files: &Files) -> Result<String> {
    let common = files.read("xtask/templates/common.yaml")?;
    let policies = files.read("xtask/templates/policies.yaml")?;
    let section = files.read(&format!("xtask/templates/{}/section.yaml", store.folder()))?;
    let alarm = match store {
        Store::Mysql => {
            "!If [Has@Name@ReservedConcurrency, !Ref @Name@ReservedConcurrency, !Ref ConcurrencyAlarm]"
        }
        Store::Dynamodb | Store::None => "!Ref ConcurrencyAlarm",
    };
    let section = section.replace("@POLICIES@", &policies);
    let section = section.replace("@COMMON@", &common);
    Ok(section.replace("@CONCURRENCY_ALARM@", alarm))
}

/// Writes every file of a function and registers it.
fn write(names: &Names, store: Store, files: &Files) -> Result<()> {
    let name = &names.name;
    let templates = format!("xtask/templates/{}", store.folder());
    // What is the same for each store, and the variables of one that is unavailable.
    let (shared, variables) = match store {
        Store::None => (templates.as_str(), String::new()),
        Store::Dynamodb | Store::Mysql => (
            "xtask/templates/stored",
            files.read(&format!("{templates}/variables.rs"))?,
        ),
    };
    let copy = |folder: &str, from: &str, to: &str| {
        let text = files.read(&format!("{folder}/{from}"))?;
        let text = text
            .replace("@VARIABLES@", &variables)
            .replace("@store@", store.folder())
            .replace("@Store@", store.title());
        files.write(&names.fill(to), &names.fill(&text))
    };
    copy(&templates, "Cargo.toml", "functions/@name@/Cargo.toml")?;
    for folder in BTreeSet::from([shared, &templates]) {
        for file in files.list(&format!("{folder}/src"))? {
            copy(
                folder,
                &format!("src/{file}"),
                &format!("functions/@name@/src/{file}"),
            )?;
        }
    }
    copy(shared, "suite.rs", "tests/suite/src/@name@.rs")?;
    let mut database = None;
    if store == Store::Mysql {
        let migrations = files.list("functions/migrate/migrations")?;
        let versions = migrations.iter().filter_map(|file| {
            let (version, _) = file.strip_prefix('V')?.split_once("__")?;
            version.parse::<u32>().ok()
        });
        let version = versions.max().unwrap_or_default() + 1;
        let migration = format!("functions/migrate/migrations/V{version}__@name@.sql");
        copy(&templates, "migration.sql", &migration)?;
        let part = |file| anyhow::Ok(names.fill(&files.read(&format!("{templates}/{file}"))?));
        database = Some(Database {
            grants: part("grants.sql")?,
            parameter: part("parameter.yaml")?,
            condition: part("condition.yaml")?,
            of_dev: part("dev.toml")?,
        });
    }
    let mut paths = vec![format!("/{name}"), format!("/health/{name}")];
    if store != Store::None {
        paths.push(format!("/{name}/{{id}}"));
    }
    let sample = serde_json::from_str(&files.read(SAMPLE_EVENT)?)?;
    for (case, event) in events(name, store, &sample)? {
        let text = serde_json::to_string_pretty(&event)? + "\n";
        files.write(&format!("events/{name}/{case}.json"), &text)?;
    }
    files.register(&Registration {
        name,
        paths,
        section: names.fill(&section_of(store, files)?),
        arm: names.fill(&files.read(&format!("{shared}/bundle.rs"))?),
        scope: (store != Store::None).then(|| format!("{name}:write")),
        database,
    })
}

/// The events of a function by the case that each is. They differ from `sample`, an
/// event of API Gateway, in what their requests are.
fn events(name: &str, store: Store, sample: &Value) -> Result<Vec<(&'static str, Value)>> {
    let event = |method, path: &str, query, body| event(sample, method, path, query, body);
    let list = format!("/{name}");
    let mut events = vec![
        ("list", event("GET", &list, "", None)?),
        (
            "list-invalid-parameters",
            event("GET", &list, "limit=0&colour=red", None)?,
        ),
        (
            "health",
            event("GET", &format!("/health/{name}"), "", None)?,
        ),
    ];
    if store != Store::None {
        let valid = json!({"name": "First", "note": "On the top shelf"});
        let invalid = json!({"id": "mine", "name": "", "note": 7});
        let unknown = format!("/{name}/019aacd4-3b7f-7cc1-8a53-0123456789ab");
        events.extend([
            ("create", event("POST", &list, "", Some(valid))?),
            (
                "create-invalid-fields",
                event("POST", &list, "", Some(invalid))?,
            ),
            ("get-unknown", event("GET", &unknown, "", None)?),
        ]);
    }
    Ok(events)
}

/// An event of this request, and otherwise as `sample`.
fn event(
    sample: &Value,
    method: &str,
    path: &str,
    query: &str,
    body: Option<Value>,
) -> Result<Value> {
    let mut event = sample.clone();
    let mut set = |object: &str, member: &str, value: &str| {
        let object = event.pointer_mut(object).and_then(Value::as_object_mut);
        let object = object.context("the sample is no event of an HTTP API")?;
        object.insert(member.to_owned(), value.into());
        anyhow::Ok(())
    };
    set("", "rawPath", path)?;
    set("", "rawQueryString", query)?;
    set("/requestContext/http", "method", method)?;
    set("/requestContext/http", "path", path)?;
    if let Some(body) = body {
        let name = path.trim_start_matches('/');
        set("/headers", "content-type", "application/json")?;
        // The replay signs it: a committed token would expire.
        let token = format!("Bearer token(sample, {name}:write)");
        set("/headers", "authorization", &token)?;
        set("", "body", &body.to_string())?;
    }
    Ok(event)
}

/// A name with its first letter in upper case.
pub fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, process::Command};

    use clap::ValueEnum;

    use super::*;

    #[test]
    fn name_has_a_singular() {
        for (name, one) in [
            ("parcels", "parcel"),
            ("stock", "stock"),
            ("glass", "glass"),
            ("addresses", "address"),
            ("companies", "company"),
            ("status", "status"),
        ] {
            assert_eq!(Names::of(name).unwrap().one, one);
        }
        for wrong in ["", "Parcels", "1st", "a-b", "a_b", "ä"] {
            assert!(Names::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn name_that_is_taken_or_reserved_is_refused() {
        let files = Files::of(&template::project());
        let refused = |name, store| check(&Names::of(name).unwrap(), store, &files).is_err();
        for taken in [
            "hello", "json", "match", "types", "tokio", "headers", "digest", "libs",
        ] {
            assert!(refused(taken, Store::None), "{taken}");
        }
        // region: nosqldata
        assert!(refused("prices", Store::None), "a schema of the API");
        // endregion
        for taken in ["https", "texts", "outcomes"] {
            assert!(refused(taken, Store::Dynamodb), "{taken}");
        }
        for taken in ["groups", "notes"] {
            assert!(refused(taken, Store::Mysql), "{taken}");
        }
        // A project may have these functions.
        let functions = files.list("functions").unwrap();
        let names = ["parcels", "invoices", "shipments", "suppliers", UNUSED];
        let is_free = |name: &&str| functions.iter().all(|it| it.as_str() != *name);
        for name in names.into_iter().filter(is_free) {
            for store in stores(&files) {
                check(&Names::of(name).unwrap(), store, &files).unwrap();
            }
        }
    }

    /// A name that no function has.
    const UNUSED: &str = "neverused";

    /// The stores of which the project has the crate.
    fn stores(files: &Files) -> Vec<Store> {
        let has_crate = |store: &Store| {
            let folder = format!("crates/{}", store.folder());
            *store == Store::None || files.path(&folder).exists()
        };
        let all = Store::value_variants().iter().copied();
        all.filter(has_crate).collect()
    }

    /// Except what is regenerated, which `cargo xtask demonstrate` compares too.
    #[test]
    fn function_that_is_added_and_removed_leaves_no_trace() {
        let project = Files::of(&template::project());
        let folder = tempfile::tempdir().unwrap();
        let copy = Files::of(folder.path());
        for path in project.tracked().unwrap() {
            let to = copy.path(&path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(project.path(&path), to).unwrap();
        }
        let init = ["init", "--quiet"];
        let git = Command::new("git")
            .args(init)
            .current_dir(folder.path())
            .status();
        assert!(git.unwrap().success());
        let content = || {
            let paths = copy.tracked().unwrap().into_iter();
            let files = paths.map(|path| (fs::read(copy.path(&path)).unwrap(), path));
            files.map(|(bytes, path)| (path, bytes)).collect()
        };
        let before: BTreeMap<String, Vec<u8>> = content();
        for store in stores(&copy) {
            write(&Names::of(UNUSED).unwrap(), store, &copy).unwrap();
            let template = Template::read(&copy.path("template.yaml")).unwrap();
            assert!(template.function(UNUSED).is_ok());
            remove::check(&[UNUSED], &copy).unwrap();
            remove::remove(UNUSED, &copy).unwrap();
            let after = content();
            for path in before.keys().chain(after.keys()) {
                assert!(before.get(path) == after.get(path), "{store:?}: {path}");
            }
        }
    }

    /// What a new function gets is what the functions of the template have.
    #[test]
    fn section_is_as_those_of_other_functions() {
        let files = Files::of(&template::project());
        let section = section_of(Store::None, &files).unwrap();
        let section = Names::of("hello").unwrap().fill(&section);
        let template = files.read("template.yaml").unwrap();
        // The events are the function's own.
        let (before, after) = section.split_once("      Events:\n").unwrap();
        let (_, after) = after.split_once("\n\n").unwrap();
        assert!(
            template.contains(before),
            "xtask/templates/none/section.yaml"
        );
        assert!(template.contains(after), "xtask/templates/common.yaml");
    }
}
