//! Distributed traces: W3C Trace Context.

use std::fmt;

use tracing::field::{DisplayValue, display};

/// A span of a trace: what a `traceparent` header carries
/// (W3C Trace Context, level 1, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The whole trace.
    id: u128,
    /// The caller's span; `None` where the trace starts.
    parent: Option<u64>,
    span: u64,
    /// Whether the caller records the trace.
    sampled: bool,
}

impl Trace {
    /// The start of a new trace.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            id: fastrand::u128(1..),
            parent: None,
            span: fastrand::u64(1..),
            sampled: true,
        }
    }

    /// The caller's trace with a span of this service, or a new trace if the
    /// header is absent or malformed.
    #[must_use]
    pub(crate) fn continued(header: Option<&str>) -> Self {
        header
            .and_then(Self::parse)
            .map_or_else(Self::new, Self::child)
    }

    /// A new span within this one.
    #[must_use]
    pub(crate) fn child(self) -> Self {
        Self {
            parent: Some(self.span),
            span: fastrand::u64(1..),
            ..self
        }
    }

    /// The trace's id, as the log has it: 32 hexadecimal digits.
    pub(crate) fn trace_id(self) -> DisplayValue<String> {
        display(format!("{:032x}", self.id))
    }

    /// The span's id, as the log has it: 16 hexadecimal digits.
    pub(crate) fn span_id(self) -> DisplayValue<String> {
        display(format!("{:016x}", self.span))
    }

    /// The parent span's id, as the log has it.
    pub(crate) fn parent_id(self) -> Option<DisplayValue<String>> {
        self.parent.map(|id| display(format!("{id:016x}")))
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
            id: trace_id,
            parent: None,
            span: u64::try_from(span_id).ok()?,
            sampled: flags & 1 == 1,
        })
    }
}

/// As a `traceparent` header.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.id, self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_continues_with_a_new_span() {
        let caller = Trace::parse(HEADER).unwrap();
        assert_eq!(caller.to_string(), HEADER);
        let ours = Trace::continued(Some(HEADER));
        assert_eq!(ours.id, caller.id);
        assert_ne!(ours.span, caller.span);
        assert_eq!(ours.parent, Some(caller.span));
    }

    #[test]
    fn a_malformed_header_starts_a_new_trace() {
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
