//! The time that a list or a summary covers.

use chassis::{Input, Params};
use dto::{Fault, Timestamp};

/// From one time, inclusive, to another, exclusive; open where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first time in it.
    pub from: Option<Timestamp>,
    /// The first time after it.
    pub to: Option<Timestamp>,
}

impl Period {
    /// Reads the query parameters `from` and `to`: RFC 3339 times or dates.
    pub fn read(input: &mut Input, params: &Params) -> Self {
        let rule = "must be an RFC 3339 time or a date, such as 2026-11-22";
        let from = input.param(params, "from", rule, Timestamp::parse_time_or_date);
        let to = input.param(params, "to", rule, Timestamp::parse_time_or_date);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            let fault = Fault::parameter("from", "must not be after to");
            input.invalid.add(fault);
        }
        Self { from, to }
    }
}
