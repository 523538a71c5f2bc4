//! Content negotiation by `Accept` and `Accept-Encoding` (RFC 9110 §12.5).

use std::{convert::Infallible, iter};

use axum::extract::FromRequestParts;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, ACCEPT_ENCODING},
    request::Parts,
};
use mediatype::{MediaType, ReadParams, names};

/// The request's `Accept` header.
#[derive(Debug, Clone, Default)]
pub struct Accept(Vec<HeaderValue>);

impl Accept {
    fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(ACCEPT).iter().cloned().collect())
    }

    /// Selects the media type that the client prefers: `default` if there is no `Accept`
    /// or if none is acceptable, and the first one if several are preferred equally.
    ///
    /// An offer's quality is that of the most specific range that covers it.
    /// Between equal qualities the offer that was named more specifically wins:
    /// `text/plain, */*` prefers text.
    #[must_use]
    pub fn best<'o>(&self, default: &'o str, others: &[&'o str]) -> &'o str {
        // A malformed header matches no offer.
        let ranges = self.ranges().unwrap_or_default();
        let mut preferred: Option<(&str, u16, u8)> = None;
        for offer in iter::once(default).chain(others.iter().copied()) {
            let covering = ranges
                .iter()
                .filter_map(|range| Some((range.covers(offer)?, range)));
            // No offer has parameters, so of two ranges that name it, the one without covers
            // it more exactly.
            let range = covering.max_by_key(|(specific, range)| (*specific, range.is_plain));
            if let Some((specific, &Range { quality, .. })) = range
                && quality > 0
                && preferred.is_none_or(|(_, q, s)| (quality, specific) > (q, s))
            {
                preferred = Some((offer, quality, specific));
            }
        }
        preferred.map_or(default, |(offer, ..)| offer)
    }

    /// Its ranges; `None` if it is malformed.
    fn ranges(&self) -> Option<Vec<Range<'_>>> {
        let mut ranges = Vec::new();
        for value in &self.0 {
            let list = value.to_str().ok()?;
            for range in elements(list) {
                ranges.push(Range::of(MediaType::parse(range).ok()?)?);
            }
        }
        Some(ranges)
    }

    /// Whether the client prefers `text/plain` to `application/json`.
    #[must_use]
    pub fn prefers_text(&self) -> bool {
        self.best("application/json", &["text/plain"]) == "text/plain"
    }
}

/// The elements of a list of media types, whose quoted parameters may have commas. Empty
/// elements are ignored (RFC 9110 §5.6.1.2).
fn elements(list: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let elements = list.split(move |character| {
        let separates = character == ',' && !is_quoted;
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = is_quoted && character == '\\' && !is_escaped;
        separates
    });
    elements
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

impl<S: Sync> FromRequestParts<S> for Accept {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// Selects the coding that the client prefers; `None` for content without a coding,
/// also if there is no `Accept-Encoding`.
///
/// The coding of the highest quality is chosen, the first of several alike, and
/// none only where that is preferred or all codings are refused. `x-gzip` is
/// `gzip` (RFC 9110 §8.4.1.3).
#[must_use]
pub fn content_coding(headers: &HeaderMap, codings: &[&'static str]) -> Option<&'static str> {
    let accepts = headers.get_all(ACCEPT_ENCODING).iter();
    let accepts = accepts.filter_map(|value| value.to_str().ok());
    let listed: Vec<_> = accepts
        .flat_map(|value| value.split(','))
        .filter_map(|element| {
            let (name, weight) = element.split_once(';').unwrap_or((element, "q=1"));
            let (q, value) = weight.split_once('=')?;
            let quality = quality(value.trim())?;
            (q.trim().eq_ignore_ascii_case("q")).then_some((alias(name.trim()), quality))
        })
        .collect();
    let quality_of = |coding: &str| {
        let named = |name: &str| {
            let found = listed.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|&(_, quality)| quality)
        };
        named(coding).or_else(|| named("*"))
    };
    let plain = quality_of("identity").unwrap_or(0);
    let mut preferred = None;
    for &coding in codings {
        let quality = quality_of(coding).unwrap_or(0);
        if quality > 0 && quality >= plain && preferred.is_none_or(|(_, best)| quality > best) {
            preferred = Some((coding, quality));
        }
    }
    preferred.map(|(coding, _)| coding)
}

/// The registered name of a content coding.
fn alias(name: &str) -> &str {
    if name.eq_ignore_ascii_case("x-gzip") {
        "gzip"
    } else {
        name
    }
}

/// A media range of an `Accept` header, such as `text/*;q=0.5`.
struct Range<'h> {
    media_type: MediaType<'h>,
    /// Thousandths.
    quality: u16,
    /// Whether it has no parameters but its weight.
    is_plain: bool,
}

impl<'h> Range<'h> {
    /// The range; `None` if its weight is malformed.
    fn of(media_type: MediaType<'h>) -> Option<Self> {
        let mut parameters = media_type.params();
        let weight = parameters.find(|(name, _)| *name == "q");
        let quality = weight.map_or(Some(1_000), |(_, weight)| quality(weight.as_str()));
        Some(Self {
            quality: quality?,
            is_plain: media_type.params().all(|(name, _)| name == "q"),
            media_type,
        })
    }

    /// How specifically the range covers `offer`, if it does.
    fn covers(&self, offer: &str) -> Option<u8> {
        let offer = MediaType::parse(offer).ok()?;
        let MediaType { ty, subty, .. } = self.media_type;
        if ty == names::_STAR && subty == names::_STAR {
            Some(0)
        } else if ty != offer.ty {
            None
        } else if subty == names::_STAR {
            Some(1)
        } else {
            (self.media_type.essence() == offer).then_some(2)
        }
    }
}

/// Parses a weight of 0 to 1 with at most three decimals, in thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: &str = "application/json";
    const OTHERS: [&str; 2] = ["text/plain", "text/html"];

    fn chosen(accept: &str) -> &'static str {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        Accept::of(&headers).best(DEFAULT, &OTHERS)
    }

    #[test]
    fn a_malformed_list_satisfies_nothing() {
        for accept in [
            "text/plain, garbage",
            "garbage, text/plain",
            "text/plain;q=abc, text/html",
            "text/plain;v=\"1, text/html",
        ] {
            assert_eq!(chosen(accept), "application/json", "{accept}");
        }
        assert_eq!(chosen(", text/plain,,"), "text/plain");
        assert_eq!(
            chosen(r#"text/plain;v="a\",",,text/html;q=0.5"#),
            "text/plain"
        );
        let quoted = "text/plain;v=\"a,b\", */*;q=0.1";
        assert_eq!(chosen(quoted), "text/plain");
    }

    #[test]
    fn the_preferred_media_type_is_chosen() {
        for (accept, offer) in [
            ("text/plain", "text/plain"),
            ("TEXT/Plain;charset=utf-8", "text/plain"),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                "text/html",
            ),
            ("application/json, text/plain, */*", "application/json"),
            ("text/plain, */*", "text/plain"),
            ("text/plain;q=0.5, application/json;q=0.4", "text/plain"),
            ("text/*;q=0.9, application/json;q=0.8", "text/plain"),
            ("text/plain;q=0, text/*", "text/html"),
            ("text/plain ; q=0.3 , text/html ; Q=0.7", "text/html"),
            ("*/*;q=0.1, application/json;q=0", "text/plain"),
            (r#"text/plain;x="a,b;q=0", text/html;q=0.9"#, "text/plain"),
            (r#"text/html;x="text/plain""#, "text/html"),
            (
                "application/json;charset=utf-8, text/plain, */*",
                "application/json",
            ),
            (
                "text/plain;v=1;q=0.1, text/plain;q=0.9, text/html;q=0.5",
                "text/plain",
            ),
            (
                "text/plain;v=1;q=0.9, text/plain;q=0.1, text/html;q=0.5",
                "text/html",
            ),
        ] {
            assert_eq!(chosen(accept), offer, "{accept}");
        }
    }

    #[test]
    fn the_preferred_coding_is_chosen() {
        let chosen = |accept: &str| {
            let headers =
                HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap())]);
            content_coding(&headers, &["br", "gzip"])
        };
        for (accept, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("X-GZIP", Some("gzip")),
            ("x-gzip;q=0, gzip;q=0", None),
            ("GZip;Q=0.5", Some("gzip")),
            ("br;q=0.5, gzip;q=0.8", Some("gzip")),
            ("br;q=0, *", Some("gzip")),
            ("*", Some("br")),
            ("identity, gzip;q=0.5", None),
            ("br;q=0, gzip;q=0", None),
            ("*;q=0", None),
            ("deflate, zstd", None),
            ("br;q=2, gzip;v=1", None),
            (";,=", None),
            ("", None),
        ] {
            assert_eq!(chosen(accept), coding, "{accept}");
        }
        assert_eq!(content_coding(&HeaderMap::new(), &["br", "gzip"]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_headers_do_not_panic(accept in r#"[a-z*/+;,=q.01"\\ é-]{0,60}"#) {
            chosen(&accept);
        }
    }

    #[test]
    fn the_default_is_the_first_offer() {
        assert_eq!(Accept::default().best(DEFAULT, &OTHERS), DEFAULT);
        for accept in [
            "*/*",
            "image/png",
            "",
            ";;,,/",
            "text",
            "text/plain;q=2",
            "text/plain;q=1.001",
            "text/plain;q=0.1234",
            r#"text/plain;q="0.9""#,
            r#"text/plain;x="a"#,
            "text/plain;q=0",
        ] {
            assert_eq!(chosen(accept), "application/json", "{accept}");
        }
    }
}
