//! The processes of one session: all that a guarded program started, whatever
//! process groups they have moved to and whoever their parents are by now.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getsid, kill_process};

/// How often to look whether processes have gone.
const LOOK: Duration = Duration::from_millis(20);

/// Ends every process of `session` but the calling one: politely first, and
/// after `grace` for certain.
pub fn end(session: Pid, grace: Duration) {
    signal_until_empty(session, Signal::TERM, grace);
    signal_until_empty(session, Signal::KILL, grace);
}

fn signal_until_empty(session: Pid, signal: Signal, patience: Duration) {
    let deadline = Instant::now() + patience;
    let mut told = Vec::new();
    loop {
        let members = members(session);
        if members.is_empty() || Instant::now() >= deadline {
            return;
        }
        for member in members {
            // Once each: a second SIGTERM makes some programs hurry.
            if !told.contains(&member) {
                // It may have ended since it was listed.
                let _ = kill_process(member, signal);
                told.push(member);
            }
        }
        thread::sleep(LOOK);
    }
}

fn members(session: Pid) -> Vec<Pid> {
    let own = rustix::process::getpid();
    processes()
        .into_iter()
        .filter(|&pid| pid != own && is_running_in(session, pid))
        .collect()
}

/// Every process of the machine: from `/proc`, or from `ps` where there is none.
fn processes() -> Vec<Pid> {
    let numbers: Vec<i32> = if let Ok(entries) = fs::read_dir("/proc") {
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    } else {
        let listing = Command::new("ps").args(["-A", "-o", "pid="]).output();
        listing
            .map(|listing| {
                String::from_utf8_lossy(&listing.stdout)
                    .split_whitespace()
                    .filter_map(|pid| pid.parse().ok())
                    .collect()
            })
            .unwrap_or_default()
    };
    numbers.into_iter().filter_map(Pid::from_raw).collect()
}

fn is_running_in(session: Pid, pid: Pid) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) else {
        return !Path::new("/proc/self/stat").exists() && getsid(Some(pid)) == Ok(session);
    };
    // "pid (name) state parent group session …", where the name may hold
    // anything, parentheses too. A zombie only waits for its parent to notice.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return false;
    };
    let mut fields = fields.split_whitespace();
    fields.next() != Some("Z")
        && fields.nth(2).and_then(|it| it.parse().ok()) == Some(session.as_raw_nonzero().get())
}
