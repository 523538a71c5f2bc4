//! The processors, and the time and memory that a process takes of them.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of the servers.
pub const SERVER_CORE: usize = 0;

/// The core of the function.
pub const FUNCTION_CORE: usize = 1;

/// Binds this thread, and what it starts, to one core.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).context("the benchmark needs two cores")
}

/// The CPU time of all threads of a process.
pub fn time_of(pid: u32) -> Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended since.
        let Ok(statistics) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let time = statistics.split_whitespace().next();
        total += time.and_then(|ns| ns.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

/// The most memory that a process has had, in bytes.
pub fn peak_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("/proc has no VmHWM")? * 1024)
}

/// The processes that wait for a core, averaged over a minute.
pub fn load() -> Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

/// The processor and the kernel.
pub fn machine() -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let models = |name: &str| {
        let lines = processors.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| Some(line.split_once(':')?.1.trim().to_owned()))
            .collect()
    };
    let names: Vec<String> = models("model name");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{} cores of {}, {}, Linux {}",
        std::thread::available_parallelism()?.max(models("processor").len().try_into()?),
        names.first().map_or("an unknown processor", String::as_str),
        std::env::consts::ARCH,
        kernel.trim()
    ))
}
