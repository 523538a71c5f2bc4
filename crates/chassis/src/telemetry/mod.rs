//! The log, the metrics and the traces. `docs/logging.md` lists every field,
//! metric and span.

mod completion;
mod export;
mod log;
mod metrics;
mod record;
mod trace;

pub(crate) use completion::Completed;
pub use export::{Exporter, Telemetry};
use log::METRICS;
pub use log::json_lines;
pub(crate) use log::{ids, micros, milliseconds, push_milliseconds, push_padded, push_text, start};
pub(crate) use record::{Record, Span};
pub(crate) use trace::Trace;
