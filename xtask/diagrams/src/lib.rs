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
mod recording;
pub mod render;
pub mod sequence;
mod sources;
pub mod store;
pub mod style;
pub mod workspace;

pub use sources::sources;
pub use template::generated::differences;
