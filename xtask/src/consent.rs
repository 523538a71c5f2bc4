//! Whether system packages may be installed without asking.

use std::{
    env,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

/// The variable that hands it on to the `cargo xtask` that this one runs.
const VARIABLE: &str = "XTASK_YES";

/// Whether this process was started with `--yes`.
static IS_GIVEN: AtomicBool = AtomicBool::new(false);

/// Allows it.
pub fn give() {
    IS_GIVEN.store(true, Ordering::Relaxed);
}

/// Whether it is allowed, to this process or to one that runs it.
pub fn is_given() -> bool {
    IS_GIVEN.load(Ordering::Relaxed) || env::var_os(VARIABLE).is_some()
}

/// Hands it on to a command.
pub fn hand_on(command: &mut Command) {
    if IS_GIVEN.load(Ordering::Relaxed) {
        command.env(VARIABLE, "1");
    }
}
