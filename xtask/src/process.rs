//! Running other programs to their end, or to Ctrl-C.

use std::{
    env,
    ffi::OsString,
    fmt::{self, Display},
    fs::File,
    io::{self, IsTerminal},
    path::Path,
    process::{Command, ExitCode, ExitStatus, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use programs::{Guarded, guard};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::consent;

/// The interval between checks whether a program has ended or this one should.
const INTERVAL: Duration = Duration::from_millis(50);

/// The time that a program has to stop.
pub const GRACE: Duration = Duration::from_secs(5);

/// Whether this process received a signal to stop.
static IS_INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// This process received a signal to stop. When `main` gets this error, every
/// process that it started has been stopped.
#[derive(Debug)]
pub struct Interrupted;

impl Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Turns Ctrl-C and similar signals into an [`Interrupted`] error.
pub fn catch_interrupts() -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&IS_INTERRUPTED))?;
    }
    Ok(())
}

/// Fails if this process received a signal to stop.
pub fn check_interrupt() -> Result<()> {
    if IS_INTERRUPTED.load(Ordering::Relaxed) {
        bail!(Interrupted);
    }
    Ok(())
}

/// Waits for [`INTERVAL`]; fails if this process received a signal to stop.
pub fn pause() -> Result<()> {
    thread::sleep(INTERVAL);
    check_interrupt()
}

/// Prints what is done next, apart from the output of programs.
pub fn step(what: impl Display) {
    let (bold, plain) = if io::stderr().is_terminal() {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    eprintln!("{bold}==> {what}{plain}");
}

/// A command that runs `program` and stops it when this process ends.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = guard::command(program.as_ref(), GRACE);
    consent::hand_on(&mut command);
    remove_package_variables(&mut command);
    command
}

/// The program cargo, of the toolchain that runs this.
pub fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A command of cargo in `folder`.
pub fn cargo(folder: &Path) -> Command {
    let mut command = command(cargo_program());
    command.current_dir(folder);
    command
}

/// Formats the code of the workspace in `folder`.
pub fn format(folder: &Path) -> Result<()> {
    let mut format = cargo(folder);
    format.args(["fmt", "--all"]);
    succeed(format, "cargo fmt")
}

/// Removes what `cargo run` set for this process: build scripts that depend on
/// such variables would run again, here and at the next plain `cargo build`.
pub fn remove_package_variables(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Runs a guarded command to its end.
pub fn status(command: Command) -> Result<ExitStatus> {
    let mut program = Guarded::spawn(command)?;
    loop {
        if let Some(status) = program.try_wait()? {
            return Ok(status);
        }
        pause()?;
    }
}

/// Runs a guarded command to its end; its exit code becomes this one's.
pub fn run(command: Command) -> Result<ExitCode> {
    let code = status(command)?.code();
    let code = code.and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Runs a guarded command that must succeed. `what` is its name in the error.
pub fn succeed(command: Command, what: &str) -> Result<()> {
    let status = status(command).with_context(|| what.to_owned())?;
    if !status.success() {
        bail!("{what} failed ({status}); its output is above");
    }
    Ok(())
}

/// The output of a command that ends by itself, so that it needs no guard, and that
/// must succeed. The error has what it wrote to its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or_default().display();
    let mut name = program.to_string();
    for argument in command.get_args() {
        name = format!("{name} {}", argument.display());
    }
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{name} cannot be started"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {}", error.trim());
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Starts a server whose output goes to the file `log`, and waits until `probe` succeeds.
/// `name` is that of the server in an error.
pub fn start_server<T>(
    mut command: Command,
    name: &str,
    log: &Path,
    timeout: Duration,
    probe: impl FnMut() -> Result<T>,
) -> Result<Guarded> {
    let output: File = fs_err::File::create(log)?.into();
    command.stdout(output.try_clone()?).stderr(output);
    let mut server = Guarded::spawn(command)?;
    wait_until_ready(&mut server, name, timeout, probe)
        .with_context(|| format!("see {}", log.display()))?;
    Ok(server)
}

/// Repeats `probe` until it succeeds, while `program` runs. `name` is that of the
/// program in an error.
pub fn wait_until_ready<T>(
    program: &mut Guarded,
    name: &str,
    timeout: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let error = match probe() {
            Ok(ready) => return Ok(ready),
            Err(error) => error,
        };
        if let Some(status) = program.try_wait()? {
            bail!("{name} ended ({status}) before it was ready");
        }
        if Instant::now() >= deadline {
            let seconds = timeout.as_secs();
            return Err(error.context(format!("{name} is not ready after {seconds} s")));
        }
        pause()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_trimmed_and_an_error_has_that_of_the_program() {
        let sh = |script| output(Command::new("sh").args(["-c", script]));
        assert_eq!(sh("cat; echo ' a'").unwrap(), " a");
        let error = sh("echo why >&2; exit 1").unwrap_err().to_string();
        assert_eq!(error, "sh -c echo why >&2; exit 1: why");
        let error = output(&mut Command::new("/nowhere/program")).unwrap_err();
        assert_eq!(error.to_string(), "program cannot be started");
    }
}
