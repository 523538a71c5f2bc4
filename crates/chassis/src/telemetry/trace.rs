//! Which request of which caller this is: W3C Trace Context.

use std::fmt;

/// A span of a trace: what a `traceparent` header says
/// (W3C Trace Context, level 1, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The whole trace.
    pub trace_id: u128,
    /// What this is part of: the caller's span; none where the trace begins.
    pub parent_id: Option<u64>,
    /// This request in it, or this call.
    pub span_id: u64,
    /// Whether the caller records it.
    pub sampled: bool,
}

impl Trace {
    /// The beginning of a trace of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            trace_id: fastrand::u128(1..),
            parent_id: None,
            span_id: fastrand::u64(1..),
            sampled: true,
        }
    }

    /// The caller's trace with a span of this service's own, or a new one where
    /// the header is absent or malformed: a bad one is no fault of the request.
    #[must_use]
    pub fn continued(header: Option<&str>) -> Self {
        header
            .and_then(Self::parse)
            .map_or_else(Self::new, Self::child)
    }

    /// A span of its own within this one.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            parent_id: Some(self.span_id),
            span_id: fastrand::u64(1..),
            ..self
        }
    }

    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next()?;
            let lower = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            (part.len() == digits && lower).then(|| u128::from_str_radix(part, 16).ok())?
        };
        let (version, trace_id, span_id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        // A later version may have more parts; version 0 has these four.
        let whole = version != 0xff && (version != 0 || parts.next().is_none());
        (whole && trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            parent_id: None,
            span_id: u64::try_from(span_id).ok()?,
            sampled: flags & 1 == 1,
        })
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

/// As a `traceparent` header.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(
            f,
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.span_id
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_goes_on_with_a_span_of_its_own() {
        let caller = Trace::parse(HEADER).unwrap();
        assert_eq!(caller.to_string(), HEADER);
        let ours = Trace::continued(Some(HEADER));
        assert_eq!(ours.trace_id, caller.trace_id);
        assert_ne!(ours.span_id, caller.span_id);
        assert_eq!(ours.parent_id, Some(caller.span_id));
    }

    #[test]
    fn a_bad_header_begins_a_trace_anew() {
        for bad in [
            "",
            "x",
            "00-0-0-0",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
        assert!(
            Trace::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some()
        );
    }
}
