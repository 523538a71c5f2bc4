//! The document describes the orders as the function reads them.

use dto::Timestamp;
use proptest::prelude::*;
use regex::Regex;
use testbed::document::pattern;

/// Times and dates, and what is nearly one.
fn near_time() -> impl Strategy<Value = String> {
    let form = "[0-9]{4}-[01][0-9]-[0-3][0-9]\
                ([Tt _][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{0,12})?([Zz]|[+-][0-2][0-9]:?[0-6][0-9])?)?";
    let sound = "[1-8][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])\
                 (T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,12})?(Z|[+-][01][0-9]:[0-5][0-9]))?";
    let changed =
        (sound, any::<prop::sample::Index>(), "[ -~]?").prop_map(|(mut text, at, with)| {
            let at = at.index(text.len());
            text.replace_range(at..=at, &with);
            text
        });
    prop_oneof![form, sound, changed]
}

/// Whether `text`, which has the form of a time or a date, is valid whatever the
/// month and year: a pattern knows neither their lengths nor the leap seconds.
fn is_valid_in_any_month(text: &str) -> bool {
    let number = |range| {
        text.get(range)
            .map_or(0, |digits: &str| digits.parse().unwrap())
    };
    (1..9_999).contains(&number(0..4)) && number(8..10) <= 28 && number(17..19) < 60
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn document_and_reader_agree_on_times(text in near_time()) {
        thread_local! {
            static PATTERNS: Vec<Regex> = ["/mysqldata", "/mysqldata/summary"]
                .into_iter()
                .flat_map(|path| ["from", "to"].map(|name| pattern(path, "get", name)))
                .collect();
        }
        let read = Timestamp::parse_time_or_date(&text).is_some();
        PATTERNS.with(|patterns| {
            for pattern in patterns {
                let matches = pattern.is_match(&text);
                prop_assert!(matches || !read, "only the reader accepts it");
                let is_valid = matches && is_valid_in_any_month(&text);
                prop_assert!(read || !is_valid, "only the document accepts it");
            }
            Ok(())
        })?;
    }
}
