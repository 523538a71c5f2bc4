//! The deployed source: what the functions and their crates are built from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use template::project;

/// The Rust files under these folders of the project, each without its unit tests.
pub fn deployed(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in folders {
        add(&project().join(folder), &mut files);
    }
    assert!(!files.is_empty());
    files
}

fn add(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add(&path, files);
        } else if is_deployed(&path) {
            let source = fs::read_to_string(&path).unwrap();
            let source = without_tests(&source).to_owned();
            files.push((path, source));
        }
    }
}

/// Whether a file is a module of a package; its build script and tests are not.
fn is_deployed(path: &Path) -> bool {
    let path = path.strip_prefix(project()).unwrap();
    let is_module = path.components().any(|part| part.as_os_str() == "src");
    let is_rust = path.extension().is_some_and(|it| it == "rs");
    is_module && is_rust && !path.ends_with("tests.rs")
}

/// A source up to its module of tests, which is the last item of a file.
fn without_tests(source: &str) -> &str {
    let tests = Regex::new(r"(?m)^#\[cfg\(test\)\]\n(?:pub(?:\(crate\))? )?mod \w+ \{").unwrap();
    let end = tests.find(source).map_or(source.len(), |it| it.start());
    &source[..end]
}

#[test]
fn only_the_module_of_tests_is_left_out() {
    let deployed = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nextern crate a;\nfn f() {}\n";
    for tests in ["mod tests {", "pub(crate) mod tests {"] {
        let source = format!("{deployed}#[cfg(test)]\n{tests}\n}}\n");
        assert_eq!(without_tests(&source), deployed);
    }
    assert_eq!(without_tests(deployed), deployed);
}
