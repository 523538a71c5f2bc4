//! `cargo xtask top`.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use logs::{Line, Log, Paint, Statistics};
use time::OffsetDateTime;

use crate::{
    logs::{INTERVAL, open, print},
    process::check_interrupt,
    project::Project,
};

/// The time that is looked back at.
const WINDOW: Duration = Duration::from_mins(1);

/// The interval between two frames.
const FRAME: Duration = Duration::from_secs(1);

/// Moves the cursor to the upper left corner and clears the terminal.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Watch rates, latencies, problems and circuit breakers of the running system
///
/// For each route and each dependency of a function, over the last minute: requests
/// or calls per second, the median and the 99th percentile of their durations,
/// failures, retries and cold starts; then the problems by type, the open circuit
/// breakers and the last warning. Drawn again each second until Ctrl-C.
#[derive(clap::Args)]
pub struct Arguments {
    /// Print one frame and end
    #[arg(long)]
    once: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let log = Log::at(&Project::read()?.log_folder());
    let mut reader = open(&log)?;
    let mut statistics = Statistics::new(WINDOW);
    let clear = if io::stdout().is_terminal() && !arguments.once {
        CLEAR
    } else {
        ""
    };
    loop {
        for line in reader.lines()? {
            if let Some(line) = Line::parse(&line) {
                statistics.add(line);
            }
        }
        let frame = statistics.frame(OffsetDateTime::now_utc(), Paint::of_stdout());
        let is_read = print(&[format!("{clear}{}", frame.trim_end())])?;
        if arguments.once || !is_read {
            return Ok(ExitCode::SUCCESS);
        }
        let next = Instant::now() + FRAME;
        while Instant::now() < next {
            thread::sleep(INTERVAL);
            check_interrupt()?;
        }
    }
}
