//! What `/proc` reports of processes and of this machine.

use std::{fs, io, thread, time::Duration};

use rustix::system::uname;

/// The time that the threads of a process have run on a processor.
///
/// # Errors
///
/// There is no such process, or no `/proc`.
pub fn cpu_time(process: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended since it was listed.
        if let Ok(statistics) = fs::read_to_string(thread?.path().join("schedstat")) {
            let time = statistics.split(' ').next();
            nanoseconds += time.and_then(|it| it.parse().ok()).unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The memory that a process has, in bytes: its resident set.
///
/// # Errors
///
/// There is no such process, or no `/proc`.
pub fn memory(process: u32) -> io::Result<u64> {
    status(process, "VmRSS")
}

/// The most memory that a process has had, in bytes.
///
/// # Errors
///
/// There is no such process, or no `/proc`.
pub fn peak_memory(process: u32) -> io::Result<u64> {
    status(process, "VmHWM")
}

fn status(process: u32, name: &str) -> io::Result<u64> {
    let file = format!("/proc/{process}/status");
    let figure = bytes(&fs::read_to_string(&file)?, name);
    figure.ok_or_else(|| io::Error::other(format!("{file} has no {name}")))
}

/// The processes that wait for a core, averaged over a minute.
///
/// # Errors
///
/// There is no `/proc`.
pub fn load_average() -> io::Result<String> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    Ok(averages.split(' ').next().unwrap_or_default().to_owned())
}

/// A description of this machine: its cores, its memory and its kernel. Where there is
/// no `/proc`, what is unknown without it is left out.
#[must_use]
pub fn machine() -> String {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    // A thread that is bound to one core has a parallelism of 1.
    let parallelism = thread::available_parallelism().map_or(1, usize::from);
    let cores = parallelism.max(values(&cpus, "processor").count());
    let model = values(&cpus, "model name").next();
    let model = model.map_or_else(String::new, |it| format!(" of {it}"));
    let memory = bytes(&memory, "MemTotal").map(|it| it.div_ceil(1 << 30));
    let memory = memory.map_or_else(String::new, |it| format!(", {it} GiB of memory"));
    let system = uname();
    let [name, release, architecture] =
        [system.sysname(), system.release(), system.machine()].map(|it| it.to_string_lossy());
    format!("{cores} cores{model}{memory}, {name} {release} {architecture}")
}

/// The values of a name in a file of lines such as `name: value`.
fn values<'f>(file: &'f str, name: &str) -> impl Iterator<Item = &'f str> {
    let values = file.lines().filter_map(|line| line.split_once(':'));
    let values = values.filter(move |(it, _)| it.trim_end() == name);
    values.map(|(_, value)| value.trim())
}

/// A value such as `12 kB`, in bytes.
fn bytes(file: &str, name: &str) -> Option<u64> {
    let kibibytes = values(file, name).next()?.strip_suffix(" kB")?;
    Some(kibibytes.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_names() {
        let cpus = "processor\t: 0\nmodel name\t: A: B\n\nprocessor\t: 1\nmodel name\t: A: B\n";
        assert_eq!(values(cpus, "processor").collect::<Vec<_>>(), ["0", "1"]);
        assert_eq!(values(cpus, "model name").next(), Some("A: B"));
        let status = "VmPeak:\t     9 kB\nVmHWM:\t     2 kB\nThreads:\t3\n";
        assert_eq!(bytes(status, "VmHWM"), Some(2048));
        assert_eq!(bytes(status, "VmRSS"), None);
        assert_eq!(bytes(status, "Threads"), None);
    }
}
