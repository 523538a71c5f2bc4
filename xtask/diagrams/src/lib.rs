//! The system in UML, drawn from what it is made of and what it was seen to do.
//!
//! Each diagram is a PlantUML source: a function of the template, the
//! workspace, the routers or a recording, and of nothing else. The same input
//! gives the same bytes. [`render`] makes pictures of them.

pub mod activity;
pub mod component;
pub mod deployment;
pub mod package;
pub mod render;
pub mod sequence;
pub mod store;
pub mod style;
pub mod workspace;

/// What differs between two sources, line by line.
#[must_use]
pub fn differences(before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(1)
        .to_string()
}
