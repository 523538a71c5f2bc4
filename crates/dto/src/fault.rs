//! What is wrong with a request, and where: the members of a problem's `errors`.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// The most faults that one answer lists; the rest are counted in a last one.
///
/// A body of 256 KiB could hold tens of thousands of unknown fields, and the
/// answer has to stay well under the 6 MB that Lambda lets a function return.
pub const MOST_FAULTS: usize = 1_000;

/// One fault: where it is and what must hold there.
///
/// On the wire `{"pointer":"/lines/0/quantity","detail":"must be …"}`, or with
/// `parameter` or `header` in place of `pointer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where it is.
    #[serde(flatten)]
    pub at: Location,
    /// What must hold there, in words for the person who sent it.
    pub detail: String,
}

/// The part of a request that a [`Fault`] is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Location {
    /// A place in the body, as a JSON pointer (RFC 6901); `""` is the whole body.
    Pointer(String),
    /// A query parameter, by its name.
    Parameter(String),
    /// A header, by its name.
    Header(String),
}

impl Fault {
    /// A fault in the body, at `pointer`.
    pub fn body(pointer: &Pointer, detail: impl Into<String>) -> Self {
        Self {
            at: Location::Pointer(pointer.to_string()),
            detail: detail.into(),
        }
    }

    /// A fault of the query parameter called `name`.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            at: Location::Parameter(name.into()),
            detail: detail.into(),
        }
    }

    /// A fault of the header called `name`.
    pub fn header(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            at: Location::Header(name.into()),
            detail: detail.into(),
        }
    }
}

/// Every fault of one request, in the order they were found.
#[derive(Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    more: usize,
}

impl Faults {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Adds one in the body, at `pointer`.
    pub fn body(&mut self, pointer: &Pointer, detail: impl Into<String>) {
        self.add(Fault::body(pointer, detail));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The list that is answered: at most [`MOST_FAULTS`], and one that counts
    /// the rest.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Fault> {
        if self.more > 0 {
            let rest = format!("and {} more faults like these", self.more);
            self.faults.push(Fault::body(&Pointer::root(), rest));
        }
        self.faults
    }
}

/// A JSON pointer (RFC 6901) to the value being read.
///
/// It is a list of borrowed steps, so that pointing at a value costs nothing
/// until there is a fault to report.
#[derive(Debug, Clone, Copy)]
pub struct Pointer<'p> {
    parent: Option<&'p Pointer<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Member(&'p str),
    Item(usize),
}

impl Pointer<'_> {
    /// The whole document, `""`.
    #[must_use]
    pub fn root() -> Self {
        Self {
            parent: None,
            step: Step::Root,
        }
    }

    /// The member called `name` of the object here.
    #[must_use]
    pub fn member<'p>(&'p self, name: &'p str) -> Pointer<'p> {
        Pointer {
            parent: Some(self),
            step: Step::Member(name),
        }
    }

    /// The item at `index` of the array here.
    #[must_use]
    pub fn item(&self, index: usize) -> Pointer<'_> {
        Pointer {
            parent: Some(self),
            step: Step::Item(index),
        }
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Item(index) => write!(f, "/{index}"),
            Step::Member(name) => {
                f.write_char('/')?;
                name.chars().try_for_each(|c| match c {
                    '~' => f.write_str("~0"),
                    '/' => f.write_str("~1"),
                    c => f.write_char(c),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_what_rfc_6901_says() {
        let root = Pointer::root();
        let lines = root.member("a/b~c");
        let line = lines.item(0);
        assert_eq!(line.member("quantity").to_string(), "/a~1b~0c/0/quantity");
        assert_eq!(root.to_string(), "");
    }

    #[test]
    fn a_fault_names_its_place_by_one_member() {
        let body = Fault::body(&Pointer::root().member("name"), "must be there");
        let json = serde_json::to_string(&body).unwrap();
        assert_eq!(json, r#"{"pointer":"/name","detail":"must be there"}"#);
        let header = Fault::header("If-Match", "is not a list of entity tags");
        let json = serde_json::to_string(&header).unwrap();
        assert!(json.starts_with(r#"{"header":"If-Match""#));
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), header);
    }

    #[test]
    fn the_faults_beyond_the_most_are_counted() {
        let mut faults = Faults::new();
        for _ in 0..MOST_FAULTS + 7 {
            faults.body(&Pointer::root(), "again");
        }
        let listed = faults.into_vec();
        assert_eq!(listed.len(), MOST_FAULTS + 1);
        assert_eq!(
            listed.last().unwrap().detail,
            "and 7 more faults like these"
        );
    }
}
