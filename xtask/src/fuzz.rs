//! `cargo xtask fuzz`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::{
    process::{self, step},
    project::{self, Project},
    stores::Stores,
    tools,
};

/// The fuzz target that runs a function, named by [`FUNCTION`].
const EVENT: &str = "event";
const FUNCTION: &str = "KEA_FUZZ_FUNCTION";

/// The memory that a target may take, in MB; without growth it takes a tenth.
const MEMORY_MB: u32 = 1024;

/// How long one input may take: as long as a deployed function may.
const TIMEOUT_S: u32 = 10;

/// The largest input in bytes. Larger events are the business of `cargo xtask hostile`.
const MAX_LENGTH: usize = 8 * 1024;

/// Fuzz each function, and the parts of a request that are parsed
///
/// Runs libFuzzer by cargo-fuzz, which it installs into .kea/tools if it is missing,
/// on throw-away stores; needs a C++ compiler. The targets are the functions, from
/// event to response, and the programs in the folder fuzz. It starts with the events
/// under events/ and the inputs in fuzz/corpus, and goes on where it ended before.
/// Fails at a panic, a 5xx response, an input that takes longer than a function may,
/// or growth of memory; the input is then in fuzz/artifacts.
#[derive(clap::Args)]
pub struct Arguments {
    /// Minutes for each target
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    minutes: u64,

    /// Fuzz only this target; may be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,

    /// Replace fuzz/corpus by the fewest inputs with the same coverage
    #[arg(long)]
    keep: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let fuzzer = Fuzzer::install(&project)?;
    let all = fuzzer.targets()?;
    for name in &arguments.target {
        let is_known = all.contains(name);
        ensure!(is_known, "{name} is not one of {}", all.join(", "));
    }
    let targets = match &arguments.target[..] {
        [] => all,
        some => some.to_vec(),
    };
    project.build(["stores"])?;
    fuzzer.build()?;
    let stores = Stores::throw_away(&project, &[])?;
    for target in &targets {
        step(format_args!("Fuzzing {target}"));
        let mut command = fuzzer.run(target, &stores)?;
        let seconds = arguments.minutes * 60;
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-rss_limit_mb={MEMORY_MB}"));
        command.arg(format!("-timeout={TIMEOUT_S}"));
        command.args(["-print_final_stats=1", "-verbosity=0"]);
        process::succeed(command, target)?;
        if arguments.keep {
            fuzzer.keep(target, &stores)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

struct Fuzzer<'p> {
    project: &'p Project,
    program: PathBuf,
    /// The folder of the targets and of what is found.
    folder: PathBuf,
    /// The folder of what is built, and of what is not committed.
    built: PathBuf,
}

impl<'p> Fuzzer<'p> {
    fn install(project: &'p Project) -> Result<Self> {
        Ok(Self {
            project,
            program: tools::CARGO_FUZZ.install(project)?,
            folder: project.root.join("fuzz"),
            built: project.root.join("target/fuzz"),
        })
    }

    /// The functions, and the parts of a request.
    fn targets(&self) -> Result<Vec<String>> {
        let mut targets: Vec<_> = self.project.functions().map(str::to_owned).collect();
        for file in files(&self.folder.join("fuzz_targets"))? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            if name != EVENT {
                targets.push(name.into_owned());
            }
        }
        Ok(targets)
    }

    /// A command of cargo-fuzz. Without a sanitizer it needs no nightly toolchain;
    /// there is no unsafe code for one to look at.
    fn command(&self, command: &str) -> Command {
        let mut fuzz = process::command(&self.program);
        fuzz.args(["fuzz", command, "--sanitizer", "none"])
            // One would take many minutes.
            .args(["--codegen-units", "16", "--target-dir"])
            .arg(&self.built)
            .current_dir(&self.project.root);
        fuzz
    }

    fn build(&self) -> Result<()> {
        step("Building the fuzz targets; the first time takes ten minutes");
        let versions = self.project.root.join("Cargo.lock");
        fs::copy(versions, self.folder.join("Cargo.lock"))?;
        process::succeed(self.command("build"), "cargo fuzz build")
    }

    /// The command that fuzzes, but for libFuzzer's flags.
    fn run(&self, target: &str, stores: &Stores) -> Result<Command> {
        let found = self.found(target);
        let kept = self.kept(target);
        let artifacts = self.folder.join("artifacts").join(target);
        for folder in [&found, &kept, &artifacts] {
            fs::create_dir_all(folder)?;
        }
        let mut fuzz = self.target(target, stores);
        // New inputs go to the first folder.
        fuzz.args([&found, &kept, &self.seeds(target)?]).arg("--");
        fuzz.arg(format!("-artifact_prefix={}/", artifacts.display()));
        fuzz.arg(format!("-max_len={MAX_LENGTH}"));
        Ok(fuzz)
    }

    /// The command that runs the program of a target.
    fn target(&self, target: &str, stores: &Stores) -> Command {
        let mut fuzz = self.command("run");
        stores.set_variables(self.project, &mut fuzz);
        if self.project.functions().any(|function| function == target) {
            fuzz.arg(EVENT).env(FUNCTION, target);
        } else {
            fuzz.arg(target);
        }
        fuzz
    }

    /// Replaces the committed inputs of a target by the fewest, of all that are known,
    /// that reach the same code.
    fn keep(&self, target: &str, stores: &Stores) -> Result<()> {
        step(format_args!("Minimizing the corpus of {target}"));
        let fewest = self.built.join("fewest").join(target);
        project::empty_folder(&fewest)?;
        let mut merge = self.target(target, stores);
        merge
            .arg(&fewest)
            .args([self.found(target), self.kept(target)]);
        merge.args([
            "--",
            "-set_cover_merge=1",
            "-use_counters=0",
            "-verbosity=0",
        ]);
        process::succeed(merge, "the merge")?;
        let kept = self.kept(target);
        project::empty_folder(&kept)?;
        for file in files(&fewest)? {
            fs::copy(&file, kept.join(file.file_name().context("a file")?))?;
        }
        Ok(())
    }

    /// The inputs that were found on this machine.
    fn found(&self, target: &str) -> PathBuf {
        self.built.join("corpus").join(target)
    }

    /// The inputs that are committed.
    fn kept(&self, target: &str) -> PathBuf {
        self.folder.join("corpus").join(target)
    }

    /// The events under `events/` as inputs: those of a function, or all.
    fn seeds(&self, target: &str) -> Result<PathBuf> {
        let seeds = self.built.join("seeds").join(target);
        fs::create_dir_all(&seeds)?;
        let functions: Vec<_> = self.project.functions().collect();
        let is_function = functions.contains(&target);
        for function in functions {
            if is_function && function != target {
                continue;
            }
            for event in files(&self.project.root.join("events").join(function))? {
                let text = fs::read_to_string(&event)?;
                let name = event.file_stem().unwrap_or_default().to_string_lossy();
                let input = input(&serde_json::from_str(&text)?);
                if input.len() <= MAX_LENGTH {
                    fs::write(seeds.join(format!("{function}-{name}")), input)?;
                }
            }
        }
        Ok(seeds)
    }
}

/// The request of an event, as `fuzz/src/lib.rs` reads it.
fn input(event: &Value) -> String {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
    let text = |pointer| text(pointer).unwrap_or_default();
    let method = text("/requestContext/http/method");
    let mut input = format!(
        "{method} {}?{}\n",
        text("/rawPath"),
        text("/rawQueryString")
    );
    let headers = event.get("headers").and_then(Value::as_object);
    for (name, value) in headers.into_iter().flatten() {
        input.extend([name, ": ", value.as_str().unwrap_or_default(), "\n"]);
    }
    input + "\n" + text("/body")
}

/// The files in a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_the_request_of_an_event() {
        let event = serde_json::json!({
            "rawPath": "/things",
            "rawQueryString": "a=1",
            "headers": { "accept": "*/*" },
            "requestContext": { "http": { "method": "POST" } },
            "body": "{}",
        });
        assert_eq!(input(&event), "POST /things?a=1\naccept: */*\n\n{}");
    }
}
