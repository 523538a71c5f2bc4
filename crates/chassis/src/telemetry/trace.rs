//! Distributed traces: W3C Trace Context.

use std::fmt;

/// A span of a trace: what a `traceparent` header carries
/// (W3C Trace Context, level 1, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The whole trace.
    id: u128,
    /// The caller's span; `None` where the trace starts.
    parent: Option<u64>,
    span: u64,
    /// Whether the caller records the trace.
    sampled: bool,
    /// Whether the parent is the segment that Lambda itself sends to X-Ray.
    within_lambda: bool,
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
            within_lambda: false,
        }
    }

    /// The caller's trace with a span of this service: that of the header
    /// `traceparent`, or else of the X-Ray header of the invocation. A new trace if
    /// both are absent or malformed.
    #[must_use]
    pub(crate) fn continued(traceparent: Option<&str>, xray: Option<&str>) -> Self {
        traceparent
            .and_then(Self::parse)
            .map(Self::child)
            .or_else(|| xray.and_then(Self::continued_xray))
            .unwrap_or_else(Self::new)
    }

    /// A new span within this one.
    #[must_use]
    pub(crate) fn child(self) -> Self {
        Self {
            parent: Some(self.span),
            span: fastrand::u64(1..),
            within_lambda: false,
            ..self
        }
    }

    /// The trace's id: 32 hexadecimal digits.
    pub(crate) fn trace_id(self) -> String {
        format!("{:032x}", self.id)
    }

    /// The trace's id, as X-Ray has it: `1-` and 8 and 24 hexadecimal digits.
    pub(crate) fn xray_id(self) -> String {
        let (time, rest) = (self.id >> 96, self.id & (u128::MAX >> 32));
        format!("1-{time:08x}-{rest:024x}")
    }

    /// The span's id: 16 hexadecimal digits.
    pub(crate) fn span_id(self) -> String {
        format!("{:016x}", self.span)
    }

    /// The parent span's id, if there is one.
    pub(crate) fn parent_id(self) -> Option<String> {
        self.parent.map(|id| format!("{id:016x}"))
    }

    /// Whether the trace is recorded.
    pub(crate) fn is_sampled(self) -> bool {
        self.sampled
    }

    /// Whether the parent span is the segment that Lambda sends to X-Ray.
    pub(crate) fn is_within_lambda(self) -> bool {
        self.within_lambda
    }

    /// The trace of X-Ray's header, with a span of this service: `Root=1-5759e988-bd862e3fe1be46a994272793;
    /// Parent=53995c3f42cd8ad8;Sampled=1`, in any order and with other parts.
    /// Source: AWS X-Ray Developer Guide, "Tracing header".
    fn continued_xray(header: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut parts = header.split(';').map(str::trim);
            parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        };
        let hex = |text: &str, digits: usize| {
            let all = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
            all.then(|| u128::from_str_radix(text, 16).ok())?
        };
        let (time, rest) = value("Root")?.strip_prefix("1-")?.split_once('-')?;
        let id = hex(time, 8)? << 96 | hex(rest, 24)?;
        let parent = value("Parent").and_then(|parent| hex(parent, 16));
        let parent = parent.and_then(|parent| u64::try_from(parent).ok());
        let parent = parent.filter(|parent| *parent != 0);
        let sampled = value("Sampled") == Some("1");
        (id != 0).then_some(Self {
            id,
            parent,
            span: fastrand::u64(1..),
            sampled,
            within_lambda: parent.is_some(),
        })
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
            within_lambda: false,
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
    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn the_trace_of_the_invocation_continues_without_a_header() {
        for header in [None, Some("x")] {
            let ours = Trace::continued(header, Some(XRAY));
            assert_eq!(ours.trace_id(), "5759e988bd862e3fe1be46a994272793");
            assert_eq!(ours.xray_id(), "1-5759e988-bd862e3fe1be46a994272793");
            assert_eq!(ours.parent_id().unwrap(), "53995c3f42cd8ad8");
            assert!(ours.is_sampled() && ours.is_within_lambda());
        }
        let unsampled = XRAY.replace("Sampled=1", "Sampled=0;Lineage=a:0");
        assert!(!Trace::continued(None, Some(&unsampled)).is_sampled());
        for bad in [
            "",
            "Root=1-5759e988",
            "Root=1-0-0;Parent=1",
            "Root=x;Parent=é",
        ] {
            assert_eq!(Trace::continued_xray(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_continues_with_a_new_span() {
        let caller = Trace::parse(HEADER).unwrap();
        assert_eq!(caller.to_string(), HEADER);
        let ours = Trace::continued(Some(HEADER), Some(XRAY));
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
