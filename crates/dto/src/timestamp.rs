//! Points in time: RFC 3339, in UTC, to the millisecond.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{
    Date, Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339,
    macros::format_description,
};

/// A point in time, in UTC, to the millisecond: `2026-11-22T21:50:40.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The present time of this machine's clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from(OffsetDateTime::now_utc())
    }

    /// The date and time in UTC.
    #[must_use]
    pub fn utc(self) -> OffsetDateTime {
        self.0
    }

    /// Parses an RFC 3339 time with any offset, or a date, which is its midnight
    /// in UTC. Returns `None` for other text and outside the years 0 to 9999.
    ///
    /// `T` and `Z` are capital letters. A second of 60 is accepted where UTC may
    /// have a leap second: at the end of a month.
    ///
    /// A time finer than a millisecond is rounded up: as the bound of a range of
    /// whole milliseconds, it then compares like the finer time.
    #[must_use]
    pub fn parse_time_or_date(text: &str) -> Option<Self> {
        if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            let plain = text.len() == "2026-11-22".len();
            return plain.then(|| Self(date.midnight().assume_utc()));
        }
        // The crate accepts any character in place of the `T`, and `z`.
        let (_, of_day) = text.split_at_checked("2026-11-22".len())?;
        if !of_day.starts_with('T') || of_day.ends_with('z') {
            return None;
        }
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let time = time.checked_to_offset(UtcOffset::UTC)?;
        let past = i64::from(time.nanosecond() % 1_000_000);
        // The crate drops what is finer than a nanosecond.
        let fraction = of_day.bytes().skip("T00:00:00.".len());
        let mut finest = fraction.take_while(u8::is_ascii_digit).skip(9);
        let up = if past > 0 || finest.any(|digit| digit != b'0') {
            1_000_000 - past
        } else {
            0
        };
        let in_range = |time: &OffsetDateTime| (0..=9999).contains(&time.year());
        let rounded = time.checked_add(Duration::nanoseconds(up));
        // The last millisecond of the year 9999 has none after it.
        let rounded = rounded
            .filter(in_range)
            .map_or_else(|| Self::from(time), Self);
        in_range(&time).then_some(rounded)
    }
}

/// Drops what is finer than a millisecond.
impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        let time = time.to_offset(UtcOffset::UTC);
        let fine = i64::from(time.nanosecond() % 1_000_000);
        Self(time - Duration::nanoseconds(fine))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        f.write_str(&self.0.format(format).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)?;
        let time = time
            .checked_to_offset(UtcOffset::UTC)
            .ok_or_else(|| de::Error::custom("the time is out of range"))?;
        Ok(Self::from(time))
    }
}

impl json::schema::Schema for Timestamp {
    fn schema(_: &mut json::schema::Components) -> json::schema::Json {
        json::schema::json!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Timestamp::parse_time_or_date(text).map(|t| t.to_string())
    }

    #[test]
    fn the_last_instant_of_the_year_9999_is_a_time() {
        let last = Timestamp::parse_time_or_date("9999-12-31T23:59:59.9999999Z").unwrap();
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(
            Timestamp::parse_time_or_date("9999-12-31T23:59:59-01:00"),
            None
        );
    }

    #[test]
    fn times_and_dates_are_parsed() {
        for (text, utc) in [
            ("2026-11-22", "2026-11-22T00:00:00.000Z"),
            ("2026-11-22T01:30:00+02:00", "2026-11-21T23:30:00.000Z"),
            ("2026-11-22T00:00:00.123Z", "2026-11-22T00:00:00.123Z"),
            ("2026-11-22T00:00:00.1230001Z", "2026-11-22T00:00:00.124Z"),
            (
                "2026-11-22T00:00:00.1230000000Z",
                "2026-11-22T00:00:00.123Z",
            ),
            (
                "2026-11-22T00:00:00.123000000001+00:00",
                "2026-11-22T00:00:00.124Z",
            ),
            ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00.000Z"),
            ("2026-07-01T05:44:60.5+05:45", "2026-07-01T00:00:00.000Z"),
            ("2026-11-22T00:00:00-00:00", "2026-11-22T00:00:00.000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(utc), "{text}");
        }
    }

    #[test]
    fn time_of_the_clock_is_cut_to_the_millisecond() {
        let fine = OffsetDateTime::parse("2026-11-22T00:00:00.123456789+01:00", &Rfc3339).unwrap();
        let cut = Timestamp::parse_time_or_date("2026-11-21T23:00:00.123Z").unwrap();
        assert_eq!(Timestamp::from(fine), cut);
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "2026",
            "2026-11",
            "22-11-2026",
            "2026-13-01",
            "2026-02-29",
            "2026-11-22T25:00:00Z",
            "2026-11-22t00:00:00Z",
            "2026-11-22T00:00:00z",
            "2026-11-22 00:00:00Z",
            "2026-11-22T00:00:00.Z",
            "2026-11-22T00:00:00,5Z",
            "2026-11-22T00:00:60Z",
            "2026-11-22T23:59:60Z",
            "2026-11-22T00:00:00+24:00",
            "2026-11-22T00:00:00+00:60",
            "2026-11-22T00:00:00+0100",
            "2026-11-2é00:00:00Z",
            "2026-11-22T00:00:00",
            "2026-11-22 ",
            "+2026-11-22",
            "-2026-11-22",
            "0000-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.9999-01:00",
            "12026-11-22",
            "2026-11-22T00:00:00 01:00",
            "２０２６-11-22",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
