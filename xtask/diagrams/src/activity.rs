//! The life of an order's status, as an activity diagram.

use std::fmt::Write as _;

use mysqldata::OrderStatus;

use crate::style::{self, Colour, Sign};

/// The diagram.
#[must_use]
pub fn draw() -> String {
    let mut text = style::begin("activity", "The life of an order");
    let _ = writeln!(text, "start\n{}:POST /mysqldata;", Colour::External.light());
    // What no other status leads to is what an order begins as.
    for status in OrderStatus::ALL {
        if !OrderStatus::ALL
            .iter()
            .any(|it| it.next().contains(&status))
        {
            life(status, &mut vec![], &mut text);
        }
    }
    text.push_str(&style::end(&[
        (
            Sign::Box(Colour::Function),
            "the status that an order is in",
        ),
        (
            Sign::Box(Colour::External),
            "what a client asks for; any other move is answered with 409",
        ),
    ]));
    text
}

/// The status, and what becomes of an order that is in it.
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
