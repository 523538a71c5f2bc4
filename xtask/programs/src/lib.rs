//! The programs that the project's tools run: where they are, and how to run
//! them so that nothing is left behind.
//!
//! A crate of its own because both `xtask` and `stores` need it, and `xtask`
//! must not compile a database to show its help.

mod family;
mod find;
pub mod guard;

pub use find::{find, mariadbd};
pub use guard::Guarded;
