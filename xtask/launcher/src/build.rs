use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The environment variable with the folder of the records of builds.
const FOLDER: &str = "LAUNCHER_FOLDER";

/// The result of a build.
pub enum Built {
    /// The program.
    Program(PathBuf),
    /// The errors are in the terminal.
    DoesNotCompile,
}

/// Builds the function `name`, and reports it if it does not compile.
///
/// `cargo lambda watch` starts several instances of a function at once: the first
/// one builds it, and the others use the result of any build that began after they
/// did.
pub fn function(
    cargo: &OsStr,
    options: &[OsString],
    name: &str,
    started: SystemTime,
) -> Result<Built> {
    let folder = env::var_os(FOLDER).with_context(|| format!("{FOLDER} is not set"))?;
    let folder = Path::new(&folder);
    let record = folder.join(format!("{name}.json"));
    let lock = folder.join(format!("{name}.lock"));
    let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
    lock.lock()?;
    if let Some(built) = recorded(&record, started) {
        return Ok(built);
    }
    let began = nanoseconds(SystemTime::now());
    let built = build(cargo, options)?;
    let program = match &built {
        Built::Program(program) => Some(program),
        Built::DoesNotCompile => {
            eprintln!("{name} does not compile");
            None
        }
    };
    let text = json!({ "began": began, "program": program }).to_string();
    fs::write(&record, text).with_context(|| record.display().to_string())?;
    Ok(built)
}

/// The recorded result of a build, if that began at `started` or later.
fn recorded(record: &Path, started: SystemTime) -> Option<Built> {
    let record: Value = serde_json::from_str(&fs::read_to_string(record).ok()?).ok()?;
    let began = record.get("began")?.as_u64()?;
    let built = match record.get("program")?.as_str() {
        Some(program) => Built::Program(program.into()),
        None => Built::DoesNotCompile,
    };
    (began >= nanoseconds(started)).then_some(built)
}

/// The time since 1970, until 2554.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

fn build(cargo: &OsStr, options: &[OsString]) -> Result<Built> {
    let output = Command::new(cargo)
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(options)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be run", cargo.display()))?;
    if !output.status.success() {
        return Ok(Built::DoesNotCompile);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut programs = messages.filter_map(|message: Value| {
        let program = message.get("executable")?.as_str()?;
        Some(PathBuf::from(program))
    });
    let program = programs.next_back().context("cargo built no program")?;
    Ok(Built::Program(program))
}
