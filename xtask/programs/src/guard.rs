//! Programs that end when their parent does, however it ends.
//!
//! No signal can be relied on to tell a program that its parent was killed,
//! and none reaches its grandchildren. So a guarded program is started by a
//! guard: this very executable, whose standard input is a pipe that its parent
//! holds. When the pipe closes, because the parent says so or is no more, the
//! guard ends every process below it. Its session is its own, so that the
//! terminal's Ctrl-C reaches the parent alone.

use std::{
    env,
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::family::Family;

/// The first argument that makes an executable a guard.
const MARK: &str = "--guard-a-program";

/// How often a guard and its parent look whether a program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long what a program left behind may take to end.
const REMAINS: Duration = Duration::from_secs(1);

/// Acts as a guard and returns the exit code to end with, if this process was
/// started to be one. Call it first in `main`.
#[must_use]
pub fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    let grace = arguments
        .next()
        .and_then(|text| text.to_str()?.parse().ok());
    let program = arguments.next()?;
    Some(
        match run(
            &program,
            arguments,
            Duration::from_millis(grace.unwrap_or_default()),
        ) {
            Ok(status) => exit_code(status),
            Err(error) => {
                eprintln!("{} cannot be run: {error}", program.display());
                ExitCode::from(127)
            }
        },
    )
}

/// A command that runs `program` under a guard, to be given its arguments and
/// environment and then to [`Guarded::spawn`]. Asked to stop, the program has
/// `grace` to do so before it is killed.
#[must_use]
pub fn command(program: &Path, grace: Duration) -> Command {
    // The running executable may have been replaced by a build since it
    // started; this name still means it.
    let running = Path::new("/proc/self/exe");
    let mut command = if running.exists() {
        Command::new(running)
    } else {
        Command::new(env::current_exe().unwrap_or_default())
    };
    command
        .arg0("guard")
        .arg(MARK)
        .arg(grace.as_millis().to_string())
        .arg(program);
    command
}

/// A running program that is stopped, with all that it started, when this is
/// dropped or when this process ends in any way.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    status: Option<ExitStatus>,
    grace: Duration,
}

impl Guarded {
    /// Starts what [`command`] made.
    ///
    /// # Errors
    /// The guard cannot be started. That the program itself cannot be is told
    /// on standard error and by an exit status of 127.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let grace = command
            .get_args()
            .nth(1)
            .and_then(|grace| grace.to_str()?.parse().ok())
            .map_or(Duration::ZERO, Duration::from_millis);
        let guard = command.stdin(Stdio::piped()).spawn()?;
        Ok(Self {
            guard,
            status: None,
            grace,
        })
    }

    /// The program's exit status if it has ended, together with all that it
    /// started.
    ///
    /// # Errors
    /// The operating system cannot say.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.guard.try_wait()?;
            if self.status.is_some() {
                // Nothing is left, unless the guard itself was killed.
                self.family().end(REMAINS);
            }
        }
        Ok(self.status)
    }

    /// Asks the program to stop and returns once it and all that it started
    /// have ended.
    pub fn stop(&mut self) {
        drop(self.guard.stdin.take());
        let deadline = Instant::now() + self.grace + 3 * REMAINS;
        while matches!(self.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.guard.kill();
                let _ = self.guard.wait();
                self.family().end(REMAINS);
                return;
            }
            thread::sleep(LOOK);
        }
    }

    fn family(&self) -> Family {
        Family::of(Pid::from_child(&self.guard))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The guard: runs `program` until it ends or has to.
fn run(
    program: &OsString,
    arguments: impl Iterator<Item = OsString>,
    grace: Duration,
) -> io::Result<ExitStatus> {
    let family = Family::found()?;
    let (asked, stop) = mpsc::channel();
    let parent = asked.clone();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = parent.send(());
    });
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let _ = asked.send(());
        }
    });

    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if !matches!(stop.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
            break stop_child(&mut child, grace)?;
        }
    };
    family.end(REMAINS);
    Ok(status)
}

/// Asks the program alone: it knows best in which order to end its own.
fn stop_child(child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + grace;
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK);
    }
    child.kill()?;
    child.wait()
}

/// A shell's way of saying it: 128 and the signal, for a killed program.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
