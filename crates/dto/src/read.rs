//! Reading a request: JSON in, a type that cannot hold a bad value out, and
//! every fault on the way, not the first.
//!
//! A derived `Deserialize` stops at the first member of the wrong type, and a
//! validator that runs after it sees no other. Here shape and bounds are
//! checked together, field by field, so one answer tells a client all there is
//! to mend. A reader gives `None` where it has left a fault.

use std::ops::RangeInclusive;

use crate::{
    Faults, Pointer,
    json::{Object, Value},
};

/// The fields of an object that is being read.
#[derive(Debug)]
pub struct Fields<'v, 'p> {
    object: &'v Object,
    at: &'p Pointer<'p>,
}

impl<'v, 'p> Fields<'v, 'p> {
    /// The fields of the object at `at`; a fault if it is no object.
    pub fn of(value: &'v Value, at: &'p Pointer<'p>, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Object(object) => Some(Self { object, at }),
            other => {
                faults.body(at, format!("must be an object, not {}", other.kind()));
                None
            }
        }
    }

    /// Reads a field that must be there.
    pub fn required<T>(
        &mut self,
        name: &str,
        faults: &mut Faults,
        read: impl FnOnce(&Value, &Pointer<'_>, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        let at = self.at.member(name);
        if let Some(value) = self.object.get(name) {
            read(value, &at, faults)
        } else {
            faults.body(&at, "is required");
            None
        }
    }

    /// Reads a field that may be absent: `Some(None)` if it is, `None` if it is
    /// there and faulty.
    pub fn optional<T>(
        &mut self,
        name: &str,
        faults: &mut Faults,
        read: impl FnOnce(&Value, &Pointer<'_>, &mut Faults) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.object.get(name) {
            Some(value) => read(value, &self.at.member(name), faults).map(Some),
            None => Some(None),
        }
    }

    /// Leaves a fault for every field that is neither known nor the client's to
    /// set.
    pub fn finish(self, known: &[&str], set_by_the_service: &[&str], faults: &mut Faults) {
        refuse_unknown(self.object, self.at, known, set_by_the_service, faults);
    }
}

/// Leaves a fault for every member of `object` that is not in `known`; one for
/// those in `set_by_the_service` says that it is not the client's to set.
pub fn refuse_unknown(
    object: &Object,
    at: &Pointer<'_>,
    known: &[&str],
    set_by_the_service: &[&str],
    faults: &mut Faults,
) {
    for name in object.keys().map(String::as_str) {
        if set_by_the_service.contains(&name) {
            faults.body(
                &at.member(name),
                "is set by the service and may not be sent",
            );
        } else if !known.contains(&name) {
            faults.body(&at.member(name), "is not a known field");
        }
    }
}

/// Reads an integer in `range`. `1999.0` is one: JSON knows only numbers.
pub fn integer(
    value: &Value,
    at: &Pointer<'_>,
    faults: &mut Faults,
    range: RangeInclusive<i64>,
) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let inside = number.filter(|number| range.contains(number));
    if inside.is_none() {
        let (least, most) = range.into_inner();
        faults.body(at, format!("must be an integer between {least} and {most}"));
    }
    inside
}

/// Which control characters a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// None.
    One,
    /// Line feeds and tabs.
    Many,
}

/// Reads a text of so many characters (Unicode scalar values) as `length` says,
/// without control characters but those that `lines` lets stand.
pub fn text(
    value: &Value,
    at: &Pointer<'_>,
    faults: &mut Faults,
    length: RangeInclusive<usize>,
    lines: Lines,
) -> Option<String> {
    let Value::String(text) = value else {
        faults.body(at, format!("must be a string, not {}", value.kind()));
        return None;
    };
    match text_fault(text, length, lines) {
        None => Some(text.clone()),
        Some(fault) => {
            faults.body(at, fault);
            None
        }
    }
}

/// What keeps `text` from being as [`text()`] wants it, if anything does.
#[must_use]
pub fn text_fault(text: &str, length: RangeInclusive<usize>, lines: Lines) -> Option<String> {
    let control = |c: char| c.is_control() && !(lines == Lines::Many && matches!(c, '\n' | '\t'));
    if !length.contains(&text.chars().count()) {
        let (least, most) = length.into_inner();
        Some(match least {
            0 => format!("must have at most {most} characters"),
            _ => format!("must have {least} to {most} characters"),
        })
    } else if text.chars().any(control) {
        Some(match lines {
            Lines::One => "must have no control characters".to_owned(),
            Lines::Many => "must have no control characters but line feed and tab".to_owned(),
        })
    } else {
        None
    }
}
