//! The pages of `docs` with results in them.

use std::fs;

use anyhow::{Context, Result};

/// Replaces what is between the comment `mark` and the next comment `end` in a page of
/// `docs`.
///
/// # Errors
/// The page has no such mark, or cannot be written.
pub fn replace(page: &str, mark: &str, text: &str) -> Result<()> {
    let file = template::project().join("docs").join(page);
    let old = fs::read_to_string(&file)?;
    let new = replaced(&old, mark, text);
    let new = new.with_context(|| format!("docs/{page} has no mark `{mark}`"))?;
    Ok(fs::write(file, new)?)
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
