// region: mysqldata
//! The status of an order, as an activity diagram.

use std::fmt::Write as _;

use mysqldata::OrderStatus;

use crate::style::{self, Colour, Sign};

/// The diagram.
#[must_use]
pub fn draw() -> String {
    let mut text = style::begin("activity", "The status of an order");
    let _ = writeln!(text, "start\n{}:POST /mysqldata;", Colour::External.light());
    // The initial status is one that no other leads to.
    for status in OrderStatus::ALL {
        if !OrderStatus::ALL
            .iter()
            .any(|it| it.next().contains(&status))
        {
            life(status, &mut vec![], &mut text);
        }
    }
    text.push_str(&style::end(&[
        (Sign::Box(Colour::Function), "the status of an order"),
        (
            Sign::Box(Colour::External),
            "what a client requests; any other transition is a 409",
        ),
    ]));
    text
}

/// Draws a status and the transitions from it.
fn life(status: OrderStatus, before: &mut Vec<OrderStatus>, text: &mut String) {
    let colour = Colour::Function.light();
    let _ = writeln!(text, "{colour}:**{status}**;");
    if before.contains(&status) {
        text.push_str("detach\n");
        return;
    }
    before.push(status);
    match status.next() {
        [] => text.push_str("stop\n"),
        next => {
            text.push_str("switch (PATCH /mysqldata/{id})\n");
            for status in next {
                let _ = writeln!(text, "case ( [status = {status}] )");
                life(*status, before, text);
            }
            text.push_str("endswitch\n");
        }
    }
    before.pop();
}
// endregion
