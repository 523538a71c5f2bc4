//! Cursors: where the next page of a list begins, opaque to the client.
//!
//! A cursor is bound to its list and the list's filters by a checksum, so that
//! a changed or borrowed one is told from a good one. It grants nothing that
//! the list itself does not, so the checksum needs no secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// The bytes of the checksum: 2^96 tries find a false one.
const SUM: usize = 12;

/// What a cursor is good for.
#[derive(Debug, Clone)]
pub struct List<'l> {
    /// The list's name: its path.
    pub name: &'l str,
    /// The filters it was asked with, by name, in a fixed order.
    pub filters: &'l [(&'l str, Option<&'l str>)],
}

impl List<'_> {
    /// The cursor that stands for `position` in this list.
    ///
    /// # Errors
    ///
    /// If the position cannot be written as JSON, which is a bug.
    pub fn seal(&self, position: &impl Serialize) -> Result<String, serde_json::Error> {
        let position = serde_json::to_vec(position)?;
        let sealed = [&self.sum(&position)[..], &position].concat();
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The position that `cursor` stands for, or nothing if it is no cursor of
    /// this list.
    #[must_use]
    pub fn open<T: DeserializeOwned>(&self, cursor: &str) -> Option<T> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (sum, position) = sealed.split_at_checked(SUM)?;
        if sum != self.sum(position) {
            return None;
        }
        serde_json::from_slice(position).ok()
    }

    fn sum(&self, position: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        // Lengths go in front, so that no two lists hash alike.
        let mut add = |part: Option<&[u8]>| {
            hash.update(
                part.map_or(u64::MAX, |part| part.len() as u64)
                    .to_be_bytes(),
            );
            hash.update(part.unwrap_or_default());
        };
        add(Some(self.name.as_bytes()));
        for (name, value) in self.filters {
            add(Some(name.as_bytes()));
            add(value.map(str::as_bytes));
        }
        add(Some(position));
        hash.finalize().into_iter().take(SUM).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: List<'_> = List {
        name: "/things",
        filters: &[("colour", Some("red"))],
    };

    #[test]
    fn a_cursor_opens_where_it_was_sealed_and_nowhere_else() {
        let cursor = LIST.seal(&("id", 7)).unwrap();
        assert_eq!(LIST.open(&cursor), Some(("id".to_owned(), 7)));
        for other in [
            List {
                name: "/other",
                ..LIST
            },
            List {
                filters: &[("colour", Some("blue"))],
                ..LIST
            },
            List {
                filters: &[("colour", None)],
                ..LIST
            },
            List {
                filters: &[],
                ..LIST
            },
        ] {
            assert_eq!(other.open::<(String, i32)>(&cursor), None);
        }
    }

    #[test]
    fn a_changed_cursor_does_not_open() {
        let cursor = LIST.seal(&("id", 7)).unwrap();
        for (at, was) in cursor.char_indices() {
            for now in ['A', 'B', 'z', '-', '_', '=']
                .into_iter()
                .filter(|&now| now != was)
            {
                let mut changed = cursor.clone();
                changed.replace_range(at..=at, &now.to_string());
                assert_eq!(LIST.open::<(String, i32)>(&changed), None, "{changed}");
            }
        }
        for cut in 0..cursor.len() {
            assert_eq!(LIST.open::<(String, i32)>(&cursor[..cut]), None);
        }
        assert_eq!(LIST.open::<(String, i32)>(&format!("{cursor}A")), None);
    }
}
