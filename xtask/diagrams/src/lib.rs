//! The system in UML, drawn from what it is made of and what it was seen to do.
//!
//! Each diagram is a PlantUML source: a function of the template, the
//! workspace, the routers or a recording, and of nothing else. The same input
//! gives the same bytes. [`render`] makes pictures of them.

pub mod activity;
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

/// What differs between two sources, line by line.
#[must_use]
pub fn differences(before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(1)
        .to_string()
}
