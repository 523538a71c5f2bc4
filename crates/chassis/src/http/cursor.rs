//! Cursors: where the next page of a list starts, opaque to the client.
//!
//! A cursor is bound to its list, the list's filters and its caller by a checksum, so
//! that a modified or borrowed one is recognized. It grants nothing that the list itself
//! does not, so the checksum needs no secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// The bytes of the checksum. A random modification is accepted with a probability of
/// 2^-96.
const CHECKSUM_BYTES: usize = 12;

/// What a cursor is bound to.
#[derive(Debug, Clone)]
pub(super) struct CursorScope {
    /// The list's path.
    path: String,
    /// The filters in the request, by name.
    filters: Vec<(String, Option<String>)>,
    /// The subject of the caller, where the list depends on it.
    caller: Option<String>,
}

impl CursorScope {
    pub(super) fn new(
        path: &str,
        filters: Vec<(String, Option<String>)>,
        caller: Option<&str>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            filters,
            caller: caller.map(str::to_owned),
        }
    }

    /// Encodes `position` as a cursor of this list.
    ///
    /// # Errors
    ///
    /// If the position cannot be written as JSON, which is a bug.
    pub(super) fn seal(&self, position: &impl Serialize) -> Result<String, serde_json::Error> {
        let position = serde_json::to_vec(position)?;
        let sealed = [&self.checksum(&position)[..], &position].concat();
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Decodes the position of `cursor`; `None` if it is not a cursor of this list.
    pub(super) fn open<T: DeserializeOwned>(&self, cursor: &str) -> Option<T> {
        let sealed = decode(cursor)?;
        let (checksum, position) = sealed.split_at_checked(CHECKSUM_BYTES)?;
        if checksum != self.checksum(position) {
            return None;
        }
        serde_json::from_slice(position).ok()
    }

    fn checksum(&self, position: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        // Each part is preceded by its length, so that no two lists hash alike.
        let mut add = |part: Option<&[u8]>| {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(part.unwrap_or_default());
        };
        add(Some(self.path.as_bytes()));
        add(self.caller.as_deref().map(str::as_bytes));
        for (name, value) in &self.filters {
            add(Some(name.as_bytes()));
            add(value.as_deref().map(str::as_bytes));
        }
        add(Some(position));
        hash.finalize().into_iter().take(CHECKSUM_BYTES).collect()
    }
}

/// Whether a text has the form of a cursor. [`CursorScope::open`] checks of which list.
pub(super) fn is_well_formed(cursor: &str) -> bool {
    decode(cursor).is_some()
}

/// The checksum and the position in `cursor`.
fn decode(cursor: &str) -> Option<Vec<u8>> {
    let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    (sealed.len() > CHECKSUM_BYTES).then_some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(path: &str, filters: &[(&str, &str)]) -> CursorScope {
        let filters = filters
            .iter()
            .map(|&(name, value)| (name.to_owned(), Some(value.to_owned())));
        CursorScope::new(path, filters.collect(), None)
    }

    #[test]
    fn a_cursor_opens_only_in_its_own_list() {
        let cursor = list("/things", &[("colour", "red")])
            .seal(&("id", 7))
            .unwrap();
        let opened = list("/things", &[("colour", "red")]).open(&cursor);
        assert_eq!(opened, Some(("id".to_owned(), 7)));
        for other in [
            list("/other", &[("colour", "red")]),
            list("/things", &[("colour", "blue")]),
            list("/things", &[("colour", "red"), ("size", "1")]),
            list("/things", &[]),
            CursorScope::new(
                "/things",
                vec![("colour".to_owned(), Some("red".to_owned()))],
                Some("ada"),
            ),
        ] {
            assert_eq!(other.open::<(String, i32)>(&cursor), None);
        }
    }

    #[test]
    fn a_modified_cursor_does_not_open() {
        let list = list("/things", &[]);
        let cursor = list.seal(&("id", 7)).unwrap();
        for (at, was) in cursor.char_indices() {
            for now in ['A', 'B', 'z', '-', '_', '=']
                .into_iter()
                .filter(|&now| now != was)
            {
                let mut modified = cursor.clone();
                modified.replace_range(at..=at, &now.to_string());
                assert_eq!(list.open::<(String, i32)>(&modified), None, "{modified}");
            }
        }
        for cut in 0..cursor.len() {
            assert_eq!(list.open::<(String, i32)>(&cursor[..cut]), None);
        }
        assert_eq!(list.open::<(String, i32)>(&format!("{cursor}A")), None);
    }
}
