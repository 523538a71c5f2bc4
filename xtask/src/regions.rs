//! Regions: the parts of shared files that concern one function or store alone.
//!
//! A comment `region: mysqldata` begins one and `endregion` ends it, each on a line
//! of its own. Regions may be nested. One with several names concerns all of them
//! together, and is removed with the first. A file that has nothing else goes with
//! its region.

use anyhow::{Result, ensure};

/// How a comment begins and ends: Rust, TOML and YAML, Markdown and HTML, SQL.
const COMMENTS: [(&str, &str); 4] = [("// ", ""), ("# ", ""), ("<!-- ", " -->"), ("-- ", "")];

/// What a line is to the regions.
#[derive(Debug, PartialEq, Eq)]
enum Line<'t> {
    Begin(&'t str),
    End,
    Other,
}

fn read(line: &str) -> Line<'_> {
    let line = line.trim();
    let contents = COMMENTS
        .iter()
        .filter_map(|(start, end)| line.strip_prefix(start)?.strip_suffix(end));
    for content in contents {
        if content == "endregion" {
            return Line::End;
        }
        if let Some(names) = content.strip_prefix("region: ") {
            return Line::Begin(names);
        }
    }
    Line::Other
}

/// The text without the regions of these names.
pub fn without(text: &str, names: &[&str]) -> Result<String> {
    let mut kept = String::with_capacity(text.len());
    // Whether each open region is removed.
    let mut open = Vec::new();
    // Whether the last line was removed, and the kept one before it was empty.
    let mut after_gap = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let was_removed = open.contains(&true);
        let is_removed = match read(line) {
            Line::Begin(of) => {
                open.push(of.split(' ').any(|name| names.contains(&name)));
                open.contains(&true)
            }
            Line::End => {
                ensure!(open.pop().is_some(), "line {number} ends no region");
                was_removed
            }
            Line::Other => was_removed,
        };
        if is_removed {
            after_gap.get_or_insert(kept.is_empty() || kept.ends_with("\n\n"));
        } else if after_gap.take() == Some(true) && line == "\n" {
            // One empty line remains of those around the region.
        } else {
            kept.push_str(line);
        }
    }
    ensure!(open.is_empty(), "a region does not end");
    Ok(kept)
}

/// Whether a text has regions.
pub fn has_regions(text: &str) -> bool {
    text.lines().any(|line| read(line) != Line::Other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Files;

    const TEXT: &str = "\
a

// region: one
b
    # region: two three
    c
    # endregion
// endregion

d
<!-- region: two -->
e
<!-- endregion -->
";

    #[test]
    fn region_is_removed_with_one_of_its_names() {
        let one = without(TEXT, &["one"]).unwrap();
        assert_eq!(one, "a\n\nd\n<!-- region: two -->\ne\n<!-- endregion -->\n");
        let three = without(TEXT, &["three"]).unwrap();
        assert!(!three.contains('c') && three.contains("b\n// endregion\n"));
        assert_eq!(without(TEXT, &["one", "two"]).unwrap(), "a\n\nd\n");
        assert_eq!(without(TEXT, &["four"]).unwrap(), TEXT);
    }

    #[test]
    fn every_region_of_the_project_has_an_end() {
        let files = Files::of(&template::project());
        for path in files.tracked().unwrap() {
            if path != "xtask/src/regions.rs"
                && let Ok(text) = files.read(&path)
            {
                // rustfmt puts some comments behind what is before them.
                assert!(!text.contains(", // region: "), "{path}");
                without(&text, &[]).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
    }

    #[test]
    fn region_without_an_end_is_an_error() {
        assert!(without("// region: one\n", &[]).is_err());
        assert!(without("// endregion\n", &[]).is_err());
    }
}
