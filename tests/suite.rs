//! The black-box suite, on the system in process. `cargo xtask surfaces` runs the
//! same cases on every way of using the bundle.

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use libtest_mimic::Arguments;
use suite::{Api, Kind};
use testbed::System;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = Runtime::new().expect("a runtime");
    // Started by the first case that runs: a list of the tests needs no stores.
    let system: Arc<OnceLock<(System, Api)>> = Arc::default();
    let trials = suite::cases().into_iter().map(|case| {
        let (handle, system) = (runtime.handle().clone(), system.clone());
        let start = {
            let handle = handle.clone();
            move || {
                let started = system.get_or_init(|| {
                    let system = handle.block_on(System::start());
                    let api = Api::new(Kind::Replay, &system.gateway.url());
                    (system, api)
                });
                started.1.clone()
            }
        };
        suite::trial(case, handle, start, |_| ())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(system);
    conclusion.exit_code()
}
