//! The programs that the tools run: where they are, how to run them so that nothing
//! outlives the process that started it, and the processor time and memory of each.
//!
//! A crate because `xtask`, `stores`, `tools` and `bench` need it, and `xtask` must not
//! compile a database to show its help.

mod find;
pub mod guard;
pub mod proc;

pub use find::{find, mariadbd};
pub use guard::Guarded;
