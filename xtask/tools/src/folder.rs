//! Where the commands keep what they write.

use std::path::PathBuf;

/// The folder of a command of `cargo xtask`.
pub fn own_folder(command: &str) -> PathBuf {
    template::project().join(".kea").join(command)
}
