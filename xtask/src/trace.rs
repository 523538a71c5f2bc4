//! `cargo xtask trace`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use logs::{Line, Log, Paint, Trace};

use crate::{
    logs::{open, print},
    project::Project,
};

/// Draw one request as a waterfall, across services
///
/// From the gateway through the functions to their stores: each request and each call
/// with its status, its duration, the part of it in which nothing else was waited
/// for, and a bar on one scale of time. An id is in the header `x-request-id` of a
/// response, in the body of a problem and in `cargo xtask logs`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The id of a request, or that of a trace
    #[arg(value_name = "REQUEST ID", required_unless_present = "last")]
    id: Option<String>,

    /// The newest request
    #[arg(long, conflicts_with = "id")]
    last: bool,

    /// The width of the drawing
    #[arg(long, default_value_t = 120)]
    width: usize,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let log = Log::at(&Project::read()?.log_folder());
    let lines = open(&log)?.lines()?;
    let lines: Vec<_> = lines.iter().filter_map(|line| Line::parse(line)).collect();
    let (trace, request) = match arguments.id.as_deref() {
        Some(id) => of(&lines, id).with_context(|| {
            format!(
                "the log has no request {id}: is it one of the last `cargo xtask up`? \
                 `cargo xtask logs` shows all of them"
            )
        })?,
        None => newest(&lines).context(
            "the log has no request yet: send one, such as `curl http://127.0.0.1:9000/`",
        )?,
    };
    let trace = Trace::find(&lines, trace, request)
        .context("the log has no spans of the request: try again when it is complete")?;
    let drawing = trace.draw(arguments.width, Paint::of_stdout());
    print(&[drawing.trim_end().to_owned()])?;
    Ok(ExitCode::SUCCESS)
}

/// The id of the trace of a request, and that of the request; of a trace, all of it.
fn of<'l>(lines: &'l [Line], id: &'l str) -> Option<(&'l str, Option<&'l str>)> {
    let of_request = lines
        .iter()
        .find(|line| line.text("request_id") == Some(id));
    if let Some(line) = of_request {
        return Some((line.text("trace_id")?, Some(id)));
    }
    let is_trace = lines.iter().any(|line| line.text("trace_id") == Some(id));
    is_trace.then_some((id, None))
}

/// The newest request from outside: the last one at the gateway that continues no
/// other's trace.
fn newest(lines: &[Line]) -> Option<(&str, Option<&str>)> {
    let mut newest = lines
        .iter()
        .rev()
        .filter(|line| line.message() == logs::GATEWAY && line.text("parent_id").is_none());
    let line = newest.next()?;
    Some((line.text("trace_id")?, line.text("request_id")))
}
