//! A period, divided into whole years, months and days, and parts of days.

use mysql::{Value, to_datetime};
use time::{Date, Duration, PrimitiveDateTime, macros::datetime};

use crate::period::Period;

/// The first time that a column can hold.
const START: PrimitiveDateTime = datetime!(1000-01-01 0:00);

/// After the last time that a column can hold, in milliseconds.
const END: PrimitiveDateTime = PrimitiveDateTime::MAX;

/// A divided period. No two intervals overlap; an interval may be empty.
#[derive(Debug)]
pub(super) struct DividedPeriod {
    /// The partial days at both ends.
    pub parts: [Interval; 2],
    /// The whole days between them.
    pub whole: Interval,
    /// Days that are in none of `months`.
    pub days: [Interval; 2],
    /// Months that are in none of `years`.
    pub months: [Interval; 2],
    /// Whole years.
    pub years: Interval,
}

/// From one time, inclusive, to another, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    from: PrimitiveDateTime,
    to: PrimitiveDateTime,
}

/// What a period is divided into.
#[derive(Debug, Clone, Copy)]
enum Span {
    Day,
    Month,
    Year,
}

impl DividedPeriod {
    /// Divides a period into days only.
    pub(super) fn by_days(period: Period) -> Self {
        let (parts, whole) = Interval::of(period).divide(Span::Day);
        let none = whole.end();
        Self {
            parts,
            whole,
            days: [whole, none],
            months: [none; 2],
            years: none,
        }
    }

    /// Divides a period into the largest spans.
    pub(super) fn by_largest_spans(period: Period) -> Self {
        let (parts, whole) = Interval::of(period).divide(Span::Day);
        let (days, rest) = whole.divide(Span::Month);
        let (months, years) = rest.divide(Span::Year);
        Self {
            parts,
            whole,
            days,
            months,
            years,
        }
    }
}

impl Interval {
    fn of(Period { from, to }: Period) -> Self {
        Self {
            from: from.map_or(START, to_datetime),
            to: to.map_or(END, to_datetime),
        }
    }

    /// The whole spans within, and what comes before and after them.
    fn divide(self, span: Span) -> ([Self; 2], Self) {
        let from = span.next_start(self.from);
        let to = span.start(self.to);
        if from < to {
            let before = Self {
                from: self.from,
                to: from,
            };
            let after = Self {
                from: to,
                to: self.to,
            };
            ([before, after], Self { from, to })
        } else {
            ([self, self.end()], self.end())
        }
    }

    /// The empty interval at its end.
    fn end(self) -> Self {
        Self {
            from: self.to,
            to: self.to,
        }
    }

    /// Its ends, for `>= ? AND < ?`.
    pub(super) fn times(self) -> [Value; 2] {
        [self.from.into(), self.to.into()]
    }

    /// Its first and its last day, for `BETWEEN ? AND ?`.
    pub(super) fn dates(self) -> [Value; 2] {
        let last = if self.from < self.to && self.to == END {
            Some(Date::MAX)
        } else {
            self.to.date().previous_day()
        };
        [self.from.date().into(), last.unwrap_or(Date::MIN).into()]
    }
}

impl Span {
    /// The start of the span that contains `at`; [`END`] is its own start.
    fn start(self, at: PrimitiveDateTime) -> PrimitiveDateTime {
        if at == END {
            return at;
        }
        let date = at.date();
        let first = match self {
            Self::Day => Some(date),
            Self::Month => date.replace_day(1).ok(),
            Self::Year => Date::from_ordinal_date(date.year(), 1).ok(),
        };
        first.unwrap_or(date).midnight()
    }

    /// The first start at `at` or later.
    fn next_start(self, at: PrimitiveDateTime) -> PrimitiveDateTime {
        let start = self.start(at);
        if start == at {
            return at;
        }
        let longest = match self {
            Self::Day => 1,
            Self::Month => 31,
            Self::Year => 366,
        };
        let next = start.checked_add(Duration::days(longest));
        next.map_or(END, |next| self.start(next))
    }
}

#[cfg(test)]
mod tests {
    use dto::Timestamp;

    use super::*;

    const TIMES: [&str; 12] = [
        "1000-01-01",
        "2023-12-31T23:59:59.999Z",
        "2024-01-01",
        "2024-02-28T12:00:00Z",
        "2024-02-29",
        "2024-02-29T00:00:00.001Z",
        "2024-03-01",
        "2024-12-31",
        "2025-01-01",
        "2026-07-14T03:00:00Z",
        "9999-12-31",
        "9999-12-31T23:59:59.999Z",
    ];

    /// Every period between two of the times, or without an end.
    fn periods() -> Vec<Period> {
        let times = TIMES.map(Timestamp::parse_time_or_date);
        let times: Vec<_> = times.into_iter().chain([None]).collect();
        let pairs = times
            .iter()
            .flat_map(|from| times.iter().map(move |to| (*from, *to)));
        let periods = pairs.map(|(from, to)| Period { from, to });
        let is_valid = |it: &Period| it.from.zip(it.to).is_none_or(|(from, to)| from <= to);
        periods.filter(is_valid).collect()
    }

    #[test]
    fn spans_and_parts_make_up_the_period_without_overlap() {
        for period in periods() {
            for divided in [
                DividedPeriod::by_largest_spans(period),
                DividedPeriod::by_days(period),
            ] {
                let DividedPeriod {
                    parts: [first, last],
                    whole,
                    days,
                    months,
                    years,
                } = divided;
                let intervals = [first, last, days[0], days[1], months[0], months[1], years];
                let mut intervals: Vec<_> = intervals
                    .into_iter()
                    .filter(|it| it.from != it.to)
                    .collect();
                intervals.sort_by_key(|it| it.from);
                let Interval { from, to } = Interval::of(period);
                let ends = intervals.iter().fold(from, |end, it| {
                    assert_eq!(it.from, end, "{period:?}: {intervals:?}");
                    it.to
                });
                assert_eq!(ends, if from == to { from } else { to });
                let spans: Vec<_> = intervals
                    .iter()
                    .filter(|it| **it != first && **it != last)
                    .collect();
                assert_eq!(spans.first().map_or(whole.to, |it| it.from), whole.from);
                assert_eq!(spans.last().map_or(whole.to, |it| it.to), whole.to);
            }
        }
    }

    #[test]
    fn an_empty_interval_has_no_dates() {
        let dates = Interval { from: END, to: END }.dates();
        let before = Date::MAX.previous_day().unwrap();
        assert_eq!(dates, [Date::MAX.into(), before.into()]);
    }

    #[test]
    fn a_span_starts_and_ends_with_a_day_a_month_or_a_year() {
        for period in periods() {
            let DividedPeriod {
                parts,
                whole: _,
                days,
                months,
                years,
            } = DividedPeriod::by_largest_spans(period);
            for (span, intervals) in [
                (Span::Day, &days[..]),
                (Span::Month, &months),
                (Span::Year, &[years]),
            ] {
                for Interval { from, to } in intervals.iter().filter(|it| it.from != it.to) {
                    assert_eq!((span.start(*from), span.start(*to)), (*from, *to));
                }
            }
            assert!(parts.iter().all(|it| it.to - it.from < Duration::days(2)));
        }
    }
}
