//! The activity diagram of an order's status.

use std::fmt::Write as _;

use dto::order::OrderStatus;

use crate::style::{self, Colour, Sign};

/// Draws the diagram.
#[must_use]
pub fn draw() -> String {
    let mut text = style::begin("activity", "The life of an order");
    let _ = writeln!(text, "start\n{}:POST /mysqldata;", Colour::External.light());
    // An order begins with the status that no other leads to.
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
            "a request of a client; any other transition is 409",
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
