//! Which lines of the log are shown.

use std::str::FromStr;

use crate::{Level, Line};

/// What a line must have to be shown: options of `cargo xtask logs`.
#[derive(Debug, Clone, clap::Args)]
pub struct Filter {
    /// Only requests whose id or trace id begins with this
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,

    /// Only requests with this status, such as 404 or 5xx
    #[arg(long)]
    pub status: Option<StatusFilter>,

    /// Only this function, such as mysqldata
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,

    /// Only requests that took longer, such as 100ms or 1.5s
    #[arg(long = "slower-than", value_name = "TIME", value_parser = duration_ms)]
    pub slower_than_ms: Option<f64>,

    /// The lowest level that is shown: debug shows each call
    #[arg(long, default_value = "info")]
    pub level: Level,
}

impl Filter {
    /// Whether a line is shown.
    #[must_use]
    pub fn admits(&self, line: &Line) -> bool {
        let begins = |name, id: &str| line.text(name).is_some_and(|it| it.starts_with(id));
        line.level() <= self.level
            && (self.request.as_ref())
                .is_none_or(|id| begins("request_id", id) || begins("trace_id", id))
            && (self.status).is_none_or(|it| line.status().is_some_and(|status| it.admits(status)))
            && (self.function.as_ref()).is_none_or(|name| line.function() == name)
            && self.slower_than_ms.is_none_or(|least| {
                line.number("duration_ms")
                    .is_some_and(|duration| duration > least)
            })
    }
}

/// One status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusFilter {
    first: u16,
    last: u16,
}

impl StatusFilter {
    fn admits(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

/// `404`, or `5xx`.
impl FromStr for StatusFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first = |text: &str| text.parse().ok().filter(|it| (100..600).contains(it));
        let class = text.strip_suffix("xx");
        let (first, size) = match class {
            Some(class) => (first(&format!("{class}00")), 100),
            None => (first(text), 1),
        };
        let first = first.ok_or("it must be a status, such as 404, or a class, such as 5xx")?;
        let last = first + size - 1;
        Ok(Self { first, last })
    }
}

/// Parses a duration, such as `100ms` or `1.5s`, as milliseconds.
///
/// # Errors
///
/// It has another form.
pub fn duration_ms(text: &str) -> Result<f64, String> {
    let (number, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1_000.0),
        (None, None) => ("", 1.0),
    };
    let number = number.parse::<f64>().ok();
    let number = number.filter(|it| it.is_finite() && *it >= 0.0);
    let number = number.ok_or("it must be a duration, such as 100ms or 1.5s")?;
    Ok(number * unit_ms)
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::line::tests::{CALL, FAILED, PLACED};

    #[test]
    fn lines_are_selected_by_each_criterion() {
        let lines = [PLACED, CALL, FAILED].map(|line| Line::parse(line).unwrap());
        for (options, expected) in [
            (vec![], [true, false, true]),
            (vec!["--level", "debug"], [true, true, true]),
            (vec!["--request", "6a9d"], [true, false, false]),
            (vec!["--status", "5xx"], [false, false, true]),
            (vec!["--status", "201"], [true, false, false]),
            (vec!["--function", "nosqldata"], [false, false, true]),
            (vec!["--slower-than", "20ms"], [true, false, false]),
        ] {
            let command = Filter::augment_args(Command::new("logs").no_binary_name(true));
            let matches = command.get_matches_from(&options);
            let filter = Filter::from_arg_matches(&matches).unwrap();
            let admitted = lines.each_ref().map(|line| filter.admits(line));
            assert_eq!(admitted, expected, "{options:?}");
        }
    }

    #[test]
    fn malformed_criteria_are_rejected() {
        for bad in ["", "xx", "9xx", "99", "600", "5x", "ok"] {
            assert!(bad.parse::<StatusFilter>().is_err(), "{bad}");
        }
        assert_eq!(duration_ms("1.5s"), Ok(1_500.0));
        for bad in ["", "5", "ms", "-1s", "NaNs", "1m"] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
    }
}
