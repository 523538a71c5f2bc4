//! The files of the project that are generated, and the generated parts of pages.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use similar::TextDiff;

/// Writes the generated files of a folder, by name, that differ from the committed ones.
/// If `check` is set, it writes none, prints the differences and fails. `command` is what
/// generates them.
///
/// # Errors
///
/// A file is out of date and that is checked, or it cannot be written.
pub fn update<C: AsRef<[u8]>>(
    folder: &Path,
    files: impl IntoIterator<Item = (String, C)>,
    check: bool,
    command: &str,
) -> Result<()> {
    let mut stale = Vec::new();
    for (name, generated) in files {
        let generated = generated.as_ref();
        let file = folder.join(&name);
        let committed = fs::read(&file).unwrap_or_default();
        if committed == generated {
            continue;
        }
        if check {
            let generated = str::from_utf8(generated).unwrap_or_default();
            // Not of a picture, which is one line.
            if generated.lines().nth(1).is_some() {
                let committed = String::from_utf8_lossy(&committed);
                eprintln!("{name}:\n{}", differences(&committed, generated));
            }
            stale.push(name);
        } else {
            fs::write(&file, generated).with_context(|| file.display().to_string())?;
            eprintln!("wrote {name}");
        }
    }
    ensure!(
        stale.is_empty(),
        "out of date: {}; run `{command}` and commit what it writes",
        stale.join(", "),
    );
    Ok(())
}

/// The differences between a committed text (-) and a generated one (+), line by line.
#[must_use]
pub fn differences(committed: &str, generated: &str) -> String {
    let differences = TextDiff::from_lines(committed, generated);
    differences.unified_diff().to_string()
}

/// Replaces what is between the comment `mark` and the next comment `end` in a page.
///
/// # Errors
///
/// The page has no such mark, or cannot be written.
pub fn replace(page: &Path, mark: &str, text: &str) -> Result<()> {
    let old = fs::read_to_string(page)?;
    let new = replaced(&old, mark, text);
    let new = new.with_context(|| format!("{} has no mark `{mark}`", page.display()))?;
    Ok(fs::write(page, new)?)
}

fn replaced(page: &str, mark: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {mark} -->\n");
    let (head, rest) = page.split_once(&begin)?;
    let (_, tail) = rest.split_once("<!-- end -->")?;
    Some(format!("{head}{begin}{text}<!-- end -->{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_file_is_reported_or_written() {
        let folder = tempfile::tempdir().unwrap();
        let update = |check| {
            let files = [("a".to_owned(), "1\n2\n"), ("b".to_owned(), "3\n")];
            update(folder.path(), files, check, "cargo xtask a")
        };
        fs::write(folder.path().join("b"), "3\n").unwrap();
        let error = update(true).unwrap_err().to_string();
        assert!(
            error.ends_with(": a; run `cargo xtask a` and commit what it writes"),
            "{error}"
        );
        update(false).unwrap();
        update(true).unwrap();
    }

    #[test]
    fn text_is_replaced_between_its_marks() {
        let page = "before\n<!-- a -->\nold\n<!-- end -->\n<!-- b -->\n<!-- end -->\nafter\n";
        let page = replaced(page, "a", "new\n").unwrap();
        let page = replaced(&page, "b", "other\n").unwrap();
        assert_eq!(
            page,
            "before\n<!-- a -->\nnew\n<!-- end -->\n<!-- b -->\nother\n<!-- end -->\nafter\n"
        );
        assert_eq!(replaced(&page, "c", "new\n"), None);
    }
}
