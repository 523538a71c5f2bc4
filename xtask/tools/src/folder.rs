//! Where the commands keep what they write.

use std::{fs, io, path::PathBuf};

/// The folder of a command of `cargo xtask`, which is created if it is missing.
pub fn own_folder(command: &str) -> io::Result<PathBuf> {
    let folder = template::project().join(".kea").join(command);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
