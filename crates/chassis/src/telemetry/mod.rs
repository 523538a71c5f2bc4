//! The log, the metrics and the traces. `docs/logging.md` lists every field,
//! metric and span.

mod completion;
mod export;
mod log;
mod metrics;
mod record;
mod span;
mod trace;

pub use export::{Exporter, Telemetry};
pub use log::json_lines;
pub(crate) use log::{
    METRICS, ids, micros, milliseconds, push_milliseconds, push_padded, push_text, start,
};
pub(crate) use record::Record;
pub(crate) use span::{Completed, Span};
pub(crate) use trace::Trace;
