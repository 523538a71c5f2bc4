//! Running other programs: cargo above all, and ending them when asked to.

use std::{
    env,
    ffi::OsString,
    fmt,
    io::IsTerminal,
    path::Path,
    process::{Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use programs::{Guarded, guard};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// How often to look whether a program has ended or this one should.
pub const LOOK: Duration = Duration::from_millis(50);

/// How long a program may take to end once it is asked to.
pub const GRACE: Duration = Duration::from_secs(5);

/// Whether somebody asked this process to stop.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

/// Somebody asked this process to stop while it was at something. Whatever was
/// started has been stopped by the time this gets to `main`.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

impl Interrupt {
    /// From here on Ctrl-C and its like no longer end the process.
    pub fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    pub fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits a moment, and fails if somebody asked to stop.
    pub fn pause(&self) -> Result<()> {
        thread::sleep(LOOK);
        self.check()
    }

    /// Fails if somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.happened() {
            bail!(Interrupted);
        }
        Ok(())
    }
}

/// Says what is done next, apart from what programs say.
pub fn step(what: fmt::Arguments<'_>) {
    let (bold, plain) = if std::io::stderr().is_terminal() {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    eprintln!("{bold}==> {what}{plain}");
}

/// A command of cargo, of the toolchain that runs this.
pub fn cargo() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = guard::command(Path::new(&cargo), GRACE);
    without_cargos_variables(&mut command);
    command
}

/// Takes away what `cargo run` set for this process: build scripts that watch
/// such variables would run again, here and at the next plain `cargo build`.
pub fn without_cargos_variables(command: &mut Command) {
    let of_a_package = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    };
    for (name, _) in env::vars_os().filter(|(name, _)| of_a_package(name)) {
        command.env_remove(name);
    }
}

/// Runs a command that [`cargo`] or [`guard::command`] made to its end.
pub fn run(command: Command, interrupt: &Interrupt) -> Result<ExitStatus> {
    let mut program = Guarded::spawn(command)?;
    loop {
        if let Some(status) = program.try_wait()? {
            return Ok(status);
        }
        interrupt.pause()?;
    }
}

/// Runs a command to its end, which must be a good one.
pub fn succeed(command: Command, what: &str, interrupt: &Interrupt) -> Result<()> {
    let status = run(command, interrupt).with_context(|| what.to_owned())?;
    if !status.success() {
        bail!("{what} failed ({status}); what it said is above");
    }
    Ok(())
}
