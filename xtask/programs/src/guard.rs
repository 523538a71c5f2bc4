//! Programs that end when the process that started them does, however it ends.
//!
//! A killed process cannot stop what it started, and no signal reaches its
//! grandchildren. So a guard runs in between: this executable again, whose
//! standard input is a pipe that the parent holds. When the pipe closes, because
//! the parent closes it or is gone, the guard stops the program and every process
//! below it. A process group alone (as in the crate `process-wrap`) would outlive
//! a killed parent and miss the groups that the program creates.

use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, wait};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// The first argument that makes an executable a guard.
const MARK: &str = "--guard-a-program";

/// The interval between checks whether a program has ended.
const INTERVAL: Duration = Duration::from_millis(20);

/// The timeout of each signal to what the program left running.
const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(1);

/// The timeout after which a guard that does not end is killed: longer than any
/// grace period.
const GUARD_TIMEOUT: Duration = Duration::from_mins(1);

/// Acts as a guard and returns the exit code, if this process was started as
/// one. Call it first in `main`.
#[must_use]
pub fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    let grace = arguments.next()?.to_str()?.parse().ok()?;
    let program = arguments.next()?;
    match guard(&program, arguments, Duration::from_millis(grace)) {
        Ok(status) => Some(exit_code(status)),
        Err(error) => {
            eprintln!("{} cannot be run: {error}", program.display());
            Some(ExitCode::from(127))
        }
    }
}

/// A command that runs `program` under a guard, for [`Guarded::spawn`].
///
/// When it is stopped, the program has the grace period `grace` after SIGTERM
/// before it is killed.
#[must_use]
pub fn command(program: &Path, grace: Duration) -> Command {
    // A build may have replaced the executable since it started; this name still
    // means the running one.
    let running = Path::new("/proc/self/exe");
    let executable = if running.exists() {
        running.to_path_buf()
    } else {
        env::current_exe().unwrap_or_default()
    };
    let mut command = Command::new(executable);
    command
        .arg0("guard")
        .arg(MARK)
        .arg(grace.as_millis().to_string())
        .arg(program);
    command
}

/// A running program that is stopped, with all that it started, when this is
/// dropped or this process ends.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    status: Option<ExitStatus>,
}

impl Guarded {
    /// Starts a command from [`command`], or a program that stops by itself when
    /// its standard input closes.
    ///
    /// # Errors
    ///
    /// The guard cannot be started. If the program cannot be, the guard reports
    /// that on standard error and exits with 127.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let guard = command
            .stdin(Stdio::piped())
            // The terminal's Ctrl-C is for this process alone.
            .process_group(0)
            .spawn()?;
        Ok(Self {
            guard,
            status: None,
        })
    }

    /// The program's standard output, if it was piped.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.guard.stdout.take()
    }

    /// The program's exit status if it has ended, with all that it started.
    ///
    /// # Errors
    ///
    /// The operating system reports one.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.guard.try_wait()?;
            if self.status.is_some_and(|status| status.signal().is_some()) {
                // The guard itself was killed.
                self.kill_group();
            }
        }
        Ok(self.status)
    }

    /// Kills what the program started, but not the program. Does nothing where there
    /// is no `/proc`.
    pub fn kill_below(&self) {
        let mut below = vec![Pid::from_child(&self.guard)];
        let parents = parents();
        let mut next = 0;
        while let Some(&parent) = below.get(next) {
            let children = parents
                .iter()
                .filter(|(_, its)| *its == parent.as_raw_pid());
            below.extend(children.map(|&(child, _)| child));
            next += 1;
        }
        // The guard and the program come first.
        for process in below.into_iter().skip(2) {
            // It may have ended since it was listed.
            let _ = kill_process(process, Signal::KILL);
        }
    }

    /// Stops the program and returns once it has ended, with all that it started.
    pub fn stop(&mut self) {
        drop(self.guard.stdin.take());
        let deadline = Instant::now() + GUARD_TIMEOUT;
        while matches!(self.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                self.kill_group();
            }
            thread::sleep(INTERVAL);
        }
    }

    fn kill_group(&self) {
        // Its members may have ended already.
        let _ = kill_process_group(Pid::from_child(&self.guard), Signal::KILL);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs `program` until it ends or has to, and then ends what it left running.
fn guard(
    program: &OsString,
    arguments: impl Iterator<Item = OsString>,
    grace: Duration,
) -> io::Result<ExitStatus> {
    // The processes below whose parents end become children of this one.
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let (stop, stopped) = mpsc::channel();
    let signalled = stop.clone();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = stop.send(());
    });
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let _ = signalled.send(());
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
        if stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
            break stop_child(&mut child, grace)?;
        }
    };
    for signal in [Signal::TERM, Signal::KILL] {
        end_children(signal);
    }
    Ok(status)
}

/// Stops the program alone: it knows best in which order to stop its own.
fn stop_child(child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + grace;
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(INTERVAL);
    }
    child.kill()?;
    child.wait()
}

/// Sends a signal to each child of this process, and to each process that
/// becomes one meanwhile, until there is none.
fn end_children(signal: Signal) {
    let deadline = Instant::now() + LEFTOVER_TIMEOUT;
    let mut signalled = Vec::new();
    while Instant::now() < deadline {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            // Once each: a second SIGTERM makes some programs skip their cleanup.
            if !signalled.contains(&child) {
                // It may have ended since it was listed.
                let _ = kill_process(child, signal);
                signalled.push(child);
            }
        }
        thread::sleep(INTERVAL);
    }
}

/// The children of this process, from `/proc`; none where there is no `/proc`.
fn children() -> Vec<Pid> {
    let own = getpid().as_raw_pid();
    let children = parents().into_iter().filter(|&(_, parent)| parent == own);
    children.map(|(child, _)| child).collect()
}

/// Every process with its parent, from `/proc`.
fn parents() -> Vec<(Pid, i32)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let pid = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            Some((pid, parent(&stat)?))
        })
        .collect()
}

/// The parent in "pid (name) state parent …", where the name may be anything.
fn parent(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// The exit code as a shell has it: 128 and the signal, for a killed program.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_is_read_after_a_name_that_looks_like_fields() {
        assert_eq!(parent("7 (a) Z 1 (b) S 3 4 5 6"), Some(3));
    }
}
