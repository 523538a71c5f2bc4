//! The members of an object while it is read.

use crate::{FieldErrors, FromJson, Object, Pointer, Value, errors::REQUIRED};

/// The members of an object that are not read yet.
///
/// What [`FromJson`] derives reads each field with [`Members::take`] and ends
/// with [`Members::finish`], so that no member is ignored.
#[derive(Debug)]
pub struct Members<'p> {
    object: Object,
    at: &'p Pointer<'p>,
}

impl<'p> Members<'p> {
    /// The members of the object `value` at `at`; an error if it is another kind.
    pub fn of(value: Value, at: &'p Pointer<'p>, errors: &mut FieldErrors) -> Option<Self> {
        match value {
            Value::Object(object) => Some(Self { object, at }),
            other => {
                errors.add(at, format!("must be an object, not {}", other.kind()));
                None
            }
        }
    }

    /// Reads the member called `name`; an error if it is absent and required.
    pub fn take<T: FromJson>(&mut self, name: &str, errors: &mut FieldErrors) -> Option<T> {
        let at = self.at.member(name);
        match self.object.remove(name) {
            Some(value) => T::from_json(value, &at, errors),
            None => T::absent().or_else(|| {
                errors.add(&at, REQUIRED);
                None
            }),
        }
    }

    /// Reports the members that were not read: `read_only` names those that
    /// only the service sets.
    pub fn finish(self, read_only: &[&str], errors: &mut FieldErrors) {
        refuse(self.object.names(), self.at, read_only, errors);
    }

    /// Reports the members of a merge patch that are not in `known`.
    pub fn check_patch(
        patch: &Value,
        at: &Pointer<'_>,
        known: &[&str],
        read_only: &[&str],
        errors: &mut FieldErrors,
    ) {
        if let Value::Object(patch) = patch {
            let unknown = patch.names().filter(|name| !known.contains(name));
            refuse(unknown, at, read_only, errors);
        }
    }
}

fn refuse<'n>(
    names: impl Iterator<Item = &'n str>,
    at: &Pointer<'_>,
    read_only: &[&str],
    errors: &mut FieldErrors,
) {
    for name in names {
        let detail = if read_only.contains(&name) {
            "is set by the service and may not be sent"
        } else {
            "is not a known field"
        };
        errors.add(&at.member(name), detail);
    }
}
