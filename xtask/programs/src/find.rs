//! Where programs are on this machine.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The folders of servers that are not on an ordinary `PATH`: Debian's `sbin`,
/// and Homebrew's on Apple and on Intel machines.
const SERVER_FOLDERS: [&str; 6] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/bin",
    "/usr/local/opt/mariadb/bin",
];

/// The program called `name` in one of `folders`, or else on `PATH`.
#[must_use]
pub fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|candidate| is_program(candidate))
}

/// The `MariaDB` server of this machine.
#[must_use]
pub fn mariadbd() -> Option<PathBuf> {
    find("mariadbd", &SERVER_FOLDERS.map(PathBuf::from))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
