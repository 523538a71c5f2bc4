//! JSON read exactly, into types that hold only valid values.
//!
//! A body is parsed into a [`Value`], which keeps numbers as decimals and
//! reports duplicate members. A type that implements [`FromJson`] is then read
//! from it: the type is the reader, the rule and the schema of what it holds. Every
//! error is reported, not only the first.
//!
//! ```
//! use json::{FieldErrors, FromJson, Int, Text, Value};
//!
//! /// A line of a shopping list.
//! #[derive(FromJson)]
//! struct Line {
//!     /// What to buy.
//!     name: Text<1, 40>,
//!     /// How many; one if absent.
//!     quantity: Option<Int<1, 99>>,
//! }
//!
//! let mut errors = FieldErrors::new();
//! let value = Value::parse(br#"{"name":"","quantity":0}"#, &mut errors)?;
//! assert!(json::read::<Line>(value, &mut errors).is_none());
//! assert_eq!(errors.into_vec()[0].detail, "must have 1 to 40 characters");
//! # Ok::<(), json::ParseError>(())
//! ```

mod errors;
mod integer;
mod members;
mod number;
mod parse;
pub mod schema;
mod text;
mod value;

pub use derive::{FromJson, Schema, StringEnum, ToJson};
pub use errors::{FieldError, FieldErrors, Location, Pointer};
pub use integer::Int;
pub use members::Members;
pub use number::Number;
pub use parse::ParseError;
pub use schema::Schema;
pub use text::{MultilineText, Text};
pub use value::{Object, Value};

/// A type that is read from JSON.
///
/// Derive it for an object. Implement it for a type with a rule of its own.
pub trait FromJson: Sized {
    /// The names of the members that an object may have; none for another type.
    const MEMBERS: &'static [&'static str] = &[];

    /// Reads the value at the pointer `at`.
    ///
    /// Returns `None` if and only if it has added an error to `errors`.
    fn from_json(value: Value, at: &Pointer<'_>, errors: &mut FieldErrors) -> Option<Self>;

    /// The value of a member that is absent; `None` if the member is required.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }

    /// Reports the members that a merge patch of this type may not have.
    ///
    /// The merged result is validated after merging.
    fn check_patch(_patch: &Value, _at: &Pointer<'_>, _errors: &mut FieldErrors) {}
}

/// A type that is written as a JSON value.
pub trait ToJson {
    /// The value that [`FromJson`] reads; `None` for a member that is absent.
    fn to_json(&self) -> Option<Value>;
}

/// Reads a whole document.
///
/// Returns `None` if and only if it has added an error to `errors`.
pub fn read<T: FromJson>(value: Value, errors: &mut FieldErrors) -> Option<T> {
    T::from_json(value, &Pointer::root(), errors)
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value, at: &Pointer<'_>, errors: &mut FieldErrors) -> Option<Self> {
        T::from_json(value, at, errors).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn check_patch(patch: &Value, at: &Pointer<'_>, errors: &mut FieldErrors) {
        T::check_patch(patch, at, errors);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Option<Value> {
        self.as_ref()?.to_json()
    }
}
