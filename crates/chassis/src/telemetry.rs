//! The log: JSON in Lambda, readable in a terminal.

use std::io::IsTerminal;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Starts the log. The level is `AWS_LAMBDA_LOG_LEVEL` (what a function's
/// `LoggingConfig` sets), `RUST_LOG`, or `info`.
pub(crate) fn start() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    // The runtime's own lines repeat what ours say: a handler's error is logged
    // where it is made, and a panic by the hook below.
    let levels = Targets::new()
        .with_default(level)
        .with_target("lambda_runtime", level.min(LevelFilter::ERROR))
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let log = tracing_subscriber::registry().with(levels);
    let line = fmt::layer().with_target(false);
    if in_json() {
        let line = line.json().flatten_event(true);
        log.with(line.with_current_span(false).with_span_list(false))
            .init();
    } else {
        log.with(line.with_ansi(std::io::stdout().is_terminal()))
            .init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let reason = panic.payload_as_str().unwrap_or("unknown");
        tracing::error!(place, reason, "panic");
    }));
}

/// Lambda sets the first for JSON logging, and the second always.
fn in_json() -> bool {
    match std::env::var("AWS_LAMBDA_LOG_FORMAT") {
        Ok(format) => format.eq_ignore_ascii_case("json"),
        Err(_) => std::env::var_os("LAMBDA_TASK_ROOT").is_some(),
    }
}
