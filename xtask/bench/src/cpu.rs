//! The cores of the servers and of the functions.

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
