//! The programs that the tools run: where they are, and how to run them so that
//! nothing outlives the process that started it.
//!
//! A crate because `xtask`, `stores` and `tools` need it, and `xtask` must not compile
//! a database to show its help.

mod find;
pub mod guard;

pub use find::{find, mariadbd};
pub use guard::Guarded;
