//! A guarded program ends with its parent, and so does all that it started.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Starts, under a guard, a shell that starts a process in a session of its
/// own and forgets about it. Returns the guard, the shell and that process.
fn start() -> (Child, u32, u32) {
    let mut guard = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["--guard-a-program", "1000", "/bin/sh", "-c"])
        .arg("echo $$; (setsid sh -c 'echo $$; exec sleep 100' &) ; exec sleep 100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids: Vec<u32> = BufReader::new(guard.stdout.take().unwrap())
        .lines()
        .take(2)
        .map(|line| line.unwrap().parse().unwrap())
        .collect();
    let forgotten = pids.pop().unwrap();
    (guard, pids.pop().unwrap(), forgotten)
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat")));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn assert_ends(pids: [u32; 2]) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while pids.iter().any(|&pid| runs(pid)) {
        assert!(Instant::now() < deadline, "{pids:?} still run");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn closed_pipe_ends_the_program_and_its_descendants() {
    let (mut guard, program, forgotten) = start();
    assert!(runs(program) && runs(forgotten));
    // This is what the end of the parent does, whatever ends it.
    drop(guard.stdin.take());
    guard.wait().unwrap();
    assert_ends([program, forgotten]);
}

#[test]
fn killed_program_takes_its_descendants_along() {
    let (mut guard, program, forgotten) = start();
    let killed = Command::new("kill")
        .args(["-9", &program.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(guard.wait().unwrap().code(), Some(128 + 9));
    assert_ends([program, forgotten]);
}
