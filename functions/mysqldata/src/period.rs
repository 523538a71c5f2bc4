//! The time that a list or a summary covers.

use std::str::FromStr;

use chassis::http::openapi::Operation;
use chassis::http::{FromParameter, Query};
use dto::Timestamp;
use json::FieldErrors;

/// The rule for either end of a period.
const RULE: &str = "must be an RFC 3339 time or a date, such as 2026-11-22";

/// From one time, inclusive, to another, exclusive; unbounded where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Period {
    /// The first time in the period.
    pub from: Option<Timestamp>,
    /// The first time after the period.
    pub to: Option<Timestamp>,
}

/// Reads the parameters `from` and `to`.
impl FromParameter for Period {
    fn from_parameter(_: &str, query: &mut Query, errors: &mut FieldErrors) -> Option<Self> {
        let from = query.take_parsed("from", errors);
        let to = query.take_parsed("to", errors);
        let time = |TimeOrDate(time)| time;
        let (from, to) = (from?.map(time), to?.map(time));
        if let (Some(first), Some(end)) = (from, to)
            && first > end
        {
            errors.add_parameter("from", "must not be after to");
            return None;
        }
        Some(Self { from, to })
    }

    fn describe(_: &str, _: &str, operation: &mut Operation) {
        for (name, description) in [
            ("from", "Only orders placed at this time or later."),
            (
                "to",
                "Only orders placed before this time; not before `from`.",
            ),
        ] {
            let schema = operation.request_schema::<TimeOrDate>();
            operation.query_parameter(name, description, &schema);
        }
    }
}

/// A time or a date, which is its midnight in UTC.
struct TimeOrDate(Timestamp);

impl FromStr for TimeOrDate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        Timestamp::parse_time_or_date(text).map(Self).ok_or(RULE)
    }
}

impl json::Schema for TimeOrDate {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        components.named("TimeOrDate", |_| {
            json::schema::json!({
                "type": "string",
                "description": "An RFC 3339 time, such as `2026-11-22T12:00:00Z`, or a date, which \
                                is its midnight in UTC.",
                "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
                            (T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?\
                            (Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
                "examples": ["2026-11-22T12:00:00Z", "2026-11-22"],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Period, Vec<String>> {
        let mut errors = FieldErrors::new();
        let period = Period::from_parameter("period", &mut Query::parse(query), &mut errors);
        period.ok_or_else(|| {
            let errors = errors.into_vec().into_iter();
            errors.map(|error| error.detail).collect()
        })
    }

    #[test]
    fn a_period_is_read_from_two_parameters() {
        assert_eq!(read(""), Ok(Period::default()));
        let day = Timestamp::parse_time_or_date("2026-11-22");
        let period = Period { from: day, to: day };
        assert_eq!(read("from=2026-11-22&to=2026-11-22T00:00:00Z"), Ok(period));
        for (query, errors) in [
            ("from=yesterday&to=2026-13-01", [RULE, RULE].as_slice()),
            ("from=2026-11-23&to=2026-11-22", &["must not be after to"]),
        ] {
            let errors = errors.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(read(query), Err(errors), "{query}");
        }
    }
}
