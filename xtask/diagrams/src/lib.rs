//! The system in UML, generated from its sources and from recorded requests.
//!
//! Each diagram is a PlantUML source that depends on nothing but the template, the
//! workspace, the routers or a recording: the same input gives the same bytes.
//! [`render`] draws them.

// region: mysqldata
pub mod activity;
// endregion
pub mod component;
pub mod deployment;
pub mod package;
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a log that lacks what every line has ends the tool"
)]
mod recording;
pub mod render;
pub mod sequence;
mod sources;
pub mod store;
pub mod style;
pub mod workspace;

pub use sources::sources;

/// The differences between two sources, line by line.
#[must_use]
pub fn differences(before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(1)
        .to_string()
}
