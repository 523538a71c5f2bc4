//! The processes that a guarded program started, directly or not, whatever
//! process groups and sessions they have moved to.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getpid, getsid, kill_process};

/// How often to look whether processes have gone.
const LOOK: Duration = Duration::from_millis(20);

/// A guard and all that is below it.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The guard, which also leads the session that its program starts in.
    guard: Pid,
}

impl Family {
    /// Makes this process a guard: leader of a session of its own, and the one
    /// who gets the processes below it whose own parents end.
    ///
    /// # Errors
    /// This process leads a process group already.
    pub fn found() -> rustix::io::Result<Self> {
        let guard = rustix::process::setsid()?;
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(guard))?;
        Ok(Self { guard })
    }

    /// What was below a guard, also if that is no more.
    pub fn of(guard: Pid) -> Self {
        Self { guard }
    }

    /// Ends every process of it but the calling one: politely first, and after
    /// `grace` for certain.
    pub fn end(self, grace: Duration) {
        self.signal_until_gone(Signal::TERM, grace);
        self.signal_until_gone(Signal::KILL, grace);
    }

    fn signal_until_gone(self, signal: Signal, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut told = Vec::new();
        loop {
            let members = self.members();
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

    /// Those that run, without the guard.
    fn members(self) -> Vec<Pid> {
        let processes = processes();
        let mut found = vec![self.guard];
        let mut before = 0;
        // A generation at a time, as a list of processes is in no order.
        while found.len() > before {
            before = found.len();
            for process in &processes {
                let is_member = process.session == Some(self.guard)
                    || process.parent.is_some_and(|it| found.contains(&it));
                if is_member && !found.contains(&process.id) {
                    found.push(process.id);
                }
            }
        }
        let runs =
            |pid: &Pid| (processes.iter()).any(|process| process.id == *pid && !process.is_zombie);
        found.retain(|pid| *pid != self.guard && *pid != getpid() && runs(pid));
        found
    }
}

struct Process {
    id: Pid,
    parent: Option<Pid>,
    session: Option<Pid>,
    /// Ended, and waiting for its parent to notice.
    is_zombie: bool,
}

/// Every process of the machine: from `/proc`, or from `ps` where there is none.
fn processes() -> Vec<Process> {
    if Path::new("/proc/self/stat").exists() {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        return entries
            .filter(|entry| {
                entry
                    .file_name()
                    .as_encoded_bytes()
                    .iter()
                    .all(u8::is_ascii_digit)
            })
            // It may have ended since it was listed.
            .filter_map(|entry| from_stat(&fs::read_to_string(entry.path().join("stat")).ok()?))
            .collect();
    }
    let listing = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,stat="])
        .output();
    let listing = listing.map(|listing| listing.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listing)
        .lines()
        .filter_map(from_ps)
        .collect()
}

/// Reads "pid (name) state parent group session …", where the name may hold
/// anything, parentheses too.
fn from_stat(stat: &str) -> Option<Process> {
    let (id, _) = stat.split_once(' ')?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    Some(Process {
        id: pid(id)?,
        is_zombie: fields.next()? == "Z",
        parent: pid(fields.next()?),
        session: pid(fields.nth(1)?),
    })
}

/// Reads "pid parent state".
fn from_ps(line: &str) -> Option<Process> {
    let mut fields = line.split_whitespace();
    let id = pid(fields.next()?)?;
    Some(Process {
        id,
        parent: pid(fields.next()?),
        session: getsid(Some(id)).ok(),
        is_zombie: fields.next()?.starts_with('Z'),
    })
}

/// A process number; 0 stands for one outside this machine's view, and a
/// process that is just ending has -1 for its session.
fn pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok().filter(|&number| number >= 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_that_looks_like_fields() {
        let process = from_stat("7 (a) Z 1 (b) S 3 4 5 6").unwrap();
        assert_eq!(process.id, Pid::from_raw(7).unwrap());
        assert_eq!(
            (process.parent, process.session),
            (Pid::from_raw(3), Pid::from_raw(5))
        );
        assert!(!process.is_zombie);
    }

    #[test]
    fn finds_this_process() {
        assert!(processes().iter().any(|process| process.id == getpid()));
    }
}
