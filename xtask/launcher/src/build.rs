//! The build of a function, once for all its instances.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use fs_err::{self as fs, File};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The environment variable with the folder of the records of builds.
const FOLDER: &str = "LAUNCHER_FOLDER";

/// The time from the start of one instance to a build for it: `cargo lambda watch`
/// starts one every 100 ms until one responds, and at most four by default.
const GATHERING: Duration = Duration::from_millis(400);

/// The time in which the same errors are not reported again.
const REPETITION: Duration = Duration::from_secs(10);

/// Builds the function `name` and returns its program. Returns `None` if it does not
/// compile; the errors are then in the terminal.
///
/// `cargo lambda watch` starts several instances of a function at once. One uses the
/// program of another's build that began after it was started, and does not repeat
/// the errors that another has just reported.
pub fn function(
    cargo: &OsStr,
    options: &[OsString],
    name: &str,
    started: SystemTime,
) -> Result<Option<PathBuf>> {
    let folder = env::var_os(FOLDER).with_context(|| format!("{FOLDER} is not set"))?;
    let folder = Path::new(&folder);
    let record = folder.join(format!("{name}.json"));
    let lock = folder.join(format!("{name}.lock"));
    let lock = File::create(lock)?;
    lock.file().lock()?;
    let last = Record::read(&record);
    if let Some(last) = &last
        && last.began >= started
        && last.program.is_some()
    {
        return Ok(last.program.clone());
    }
    // Most others are started meanwhile, and use this build.
    thread::sleep(GATHERING.saturating_sub(started.elapsed().unwrap_or_default()));
    let began = SystemTime::now();
    let (program, output) = build(cargo, options)?;
    if program.is_some() {
        eprint!("{output}");
    } else if last.is_none_or(|last| !last.has_just_reported(&output)) {
        eprintln!("{output}{name} does not compile");
    }
    let this = Record {
        began,
        ended: SystemTime::now(),
        program: program.clone(),
        output,
    };
    fs::write(record, serde_json::to_string(&this)?)?;
    Ok(program)
}

/// What is kept of the last build of a function.
#[derive(Deserialize, Serialize)]
struct Record {
    began: SystemTime,
    ended: SystemTime,
    /// `None` if it did not compile.
    program: Option<PathBuf>,
    /// The errors and warnings.
    output: String,
}

impl Record {
    fn read(file: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
    }

    /// Whether it reported these errors, for another instance of the function.
    fn has_just_reported(&self, errors: &str) -> bool {
        let is_recent = SystemTime::now() <= self.ended + REPETITION;
        self.program.is_none() && self.output == errors && is_recent
    }
}

/// The program, if it compiles, and the errors and warnings.
fn build(cargo: &OsStr, options: &[OsString]) -> Result<(Option<PathBuf>, String)> {
    let mut command = Command::new(cargo);
    command.args(["build", "--message-format=json-render-diagnostics"]);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        command.arg(option);
        // "auto" would be about the pipe.
        if option == "--color" && options.next().is_some() {
            let is_terminal = io::stderr().is_terminal();
            command.arg(if is_terminal { "always" } else { "never" });
        }
    }
    let output = command
        .output()
        .with_context(|| format!("{} cannot be run", cargo.display()))?;
    let diagnostics = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Ok((None, diagnostics));
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
    Ok((Some(program), diagnostics))
}
