//! `cargo xtask logs`.

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use logs::{Filter, Line, Log, Paint, Reader, readable};

use crate::{process::check_interrupt, project::Project};

/// The interval at which a log is looked at again.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// The number of lines that `--follow` begins with.
const RECENT: usize = 20;

/// Show the log of the running system, or of the last one
///
/// One line for each request, and for each warning and error. Times are in UTC. The
/// log is in .kea/logs; each `cargo xtask up` starts a new one, and the last one
/// is kept. docs/logging.md describes the members of a line.
#[derive(clap::Args)]
pub struct Arguments {
    /// Show the last 20 lines, and then new ones as they are written
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    filter: Filter,

    /// Print the JSON objects as they are
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let log = Log::at(&Project::read()?.log_folder());
    let mut reader = open(&log)?;
    let mut lines = arguments.select(reader.lines()?);
    if arguments.follow {
        lines.drain(..lines.len().saturating_sub(RECENT));
    }
    while print(&lines)? && arguments.follow {
        thread::sleep(INTERVAL);
        check_interrupt()?;
        lines = arguments.select(reader.lines()?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The log from its beginning.
pub fn open(log: &Log) -> Result<Reader<'_>> {
    let reader = log.read().context("the log cannot be read")?;
    reader.context("there is no log yet: start the system with `cargo xtask up`")
}

impl Arguments {
    /// The lines to show, as they are shown.
    fn select(&self, lines: Vec<String>) -> Vec<String> {
        let selected = lines.into_iter().filter_map(|text| {
            let line = Line::parse(&text).filter(|line| self.filter.admits(line))?;
            Some(if self.json {
                text
            } else {
                readable(&line, Paint::of_stdout())
            })
        });
        selected.collect()
    }
}

/// Prints lines; whether somebody reads them, unlike a `head` that has ended.
pub fn print(lines: &[String]) -> Result<bool> {
    let mut output = io::stdout().lock();
    for line in lines {
        match writeln!(output, "{line}") {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
