//! The log of `cargo xtask up`: its files, and what the tools read from it.
//!
//! Every function writes one JSON object a line (`docs/logging.md`), and so does the
//! server in front of them, the gateway. `xtask/launcher` and `xtask/front` append
//! the lines to the files; `cargo xtask logs`, `trace` and `top` read them.

mod file;
mod filter;
mod line;
mod readable;
mod statistics;
mod waterfall;

pub use file::{Log, Reader};
pub use filter::{Filter, StatusFilter, duration_ms};
pub use line::{GATEWAY, Line};
pub use readable::{Paint, readable};
pub use statistics::Statistics;
pub use tracing::Level;
pub use waterfall::{Span, Trace};
