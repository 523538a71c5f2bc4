//! Validation errors: what is wrong with a request, and where.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// The most errors that one response lists; the rest are counted in a last one.
///
/// A body of 256 KiB can hold tens of thousands of unknown fields, and a
/// response must stay below the 6 MB that Lambda lets a function return.
pub const MAX_ERRORS: usize = 1_000;

/// The bytes of locations and rules after which no more errors are listed.
///
/// Each error repeats its whole location, and a member's name may be as long as the
/// body.
const MAX_BYTES: usize = 128 * 1024;

/// The rule of a required member that is missing.
pub(crate) const REQUIRED: &str = "is required";

/// One validation error: where it is and which rule is broken there.
///
/// On the wire `{"pointer":"/lines/0/quantity","detail":"must be …"}`, or with
/// `parameter` or `header` in place of `pointer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The location of the error.
    #[serde(flatten)]
    pub at: Location,
    /// The rule, for the person who sent the request.
    pub detail: String,
}

/// The part of a request that a [`FieldError`] is about.
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

/// The validation errors of one request, in the order they were found.
#[derive(Debug, Default, Clone)]
pub struct FieldErrors {
    errors: Vec<FieldError>,
    /// The bytes of their locations and rules.
    bytes: usize,
    /// The number of errors that are not listed.
    more: usize,
}

impl FieldErrors {
    /// No errors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error in the body.
    pub fn add(&mut self, at: &Pointer<'_>, detail: impl Into<String>) {
        if self.is_full() {
            // To write the location takes time.
            self.more += 1;
        } else {
            self.push(Location::Pointer(at.to_string()), detail.into());
        }
    }

    /// Adds an error of the query parameter called `name`.
    pub fn add_parameter(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.push(Location::Parameter(name.into()), detail.into());
    }

    /// Adds an error of the header called `name`.
    pub fn add_header(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.push(Location::Header(name.into()), detail.into());
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Self) {
        self.more += other.more;
        for error in other.errors {
            self.push(error.at, error.detail);
        }
    }

    /// Adds those of `patch` at locations that have no error yet. Errors that are not
    /// listed may be the same in both, so they are not added up.
    pub fn append_patch(&mut self, patch: Self) {
        self.more = self.more.max(patch.more);
        let known = self.errors.len();
        for error in patch.errors {
            let mut known = self.errors.iter().take(known);
            if known.all(|known| known.at != error.at) {
                self.push(error.at, error.detail);
            }
        }
    }

    /// The same errors except those for missing members.
    #[must_use]
    pub fn without_missing(mut self) -> Self {
        self.errors.retain(|error| error.detail != REQUIRED);
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The errors that a response lists: at most [`MAX_ERRORS`], fewer if they are
    /// long, and one that counts the rest.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<FieldError> {
        if self.more > 0 {
            self.errors.push(FieldError {
                at: Location::Pointer(String::new()),
                detail: format!("{} more errors are not listed", self.more),
            });
        }
        self.errors
    }

    fn push(&mut self, at: Location, detail: String) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let (Location::Pointer(text) | Location::Parameter(text) | Location::Header(text)) = &at;
        self.bytes += text.len() + detail.len();
        self.errors.push(FieldError { at, detail });
    }

    fn is_full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS || self.bytes >= MAX_BYTES
    }
}

/// A JSON pointer (RFC 6901) to the value that is being read.
///
/// It is a list of borrowed steps, so that it costs nothing until there is an
/// error to report.
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
    fn pointers_are_escaped_as_rfc_6901_defines() {
        let root = Pointer::root();
        let lines = root.member("a/b~c");
        let line = lines.item(0);
        assert_eq!(line.member("quantity").to_string(), "/a~1b~0c/0/quantity");
        assert_eq!(root.to_string(), "");
    }

    #[test]
    fn an_error_names_its_location_by_one_member() {
        let mut errors = FieldErrors::new();
        errors.add(&Pointer::root().member("name"), "is required");
        errors.add_header("If-Match", "must be *");
        errors.add_parameter("limit", "must be given once");
        assert_eq!(
            serde_json::to_value(errors.into_vec()).unwrap(),
            serde_json::json!([
                {"pointer": "/name", "detail": "is required"},
                {"header": "If-Match", "detail": "must be *"},
                {"parameter": "limit", "detail": "must be given once"},
            ])
        );
    }

    #[test]
    fn appended_errors_are_counted_beyond_the_limit() {
        let errors = |count| {
            let mut errors = FieldErrors::new();
            (0..count).for_each(|_| errors.add_parameter("limit", "must be given once"));
            errors
        };
        let mut all = errors(MAX_ERRORS + 2);
        all.append(errors(MAX_ERRORS + 3));
        let listed = all.into_vec();
        assert_eq!(listed.len(), MAX_ERRORS + 1);
        let more = listed.last().unwrap();
        assert_eq!(
            more.detail,
            format!("{} more errors are not listed", MAX_ERRORS + 5)
        );
    }

    #[test]
    fn long_errors_are_bounded_by_their_bytes() {
        let name = "k".repeat(100_000);
        let mut errors = FieldErrors::new();
        for _ in 0..10_000 {
            errors.add(&Pointer::root().member(&name), "is unknown");
        }
        let listed = errors.into_vec();
        assert_eq!(listed.len(), 3);
        assert_eq!(listed[2].detail, "9998 more errors are not listed");
    }

    #[test]
    fn errors_beyond_the_limit_are_counted() {
        let mut errors = FieldErrors::new();
        for _ in 0..MAX_ERRORS + 7 {
            errors.add(&Pointer::root(), "is required");
        }
        let listed = errors.into_vec();
        assert_eq!(listed.len(), MAX_ERRORS + 1);
        assert_eq!(listed[MAX_ERRORS].detail, "7 more errors are not listed");
    }
}
