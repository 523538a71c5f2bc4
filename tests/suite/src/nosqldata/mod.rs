//! The catalogue, and what every service with a store does, by its example.

mod batch;
mod bodies;
mod catalogue;
mod conditional_requests;
mod cursors;
mod idempotency;
mod limits;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [
        catalogue::cases(),
        batch::cases(),
        conditional_requests::cases(),
        idempotency::cases(),
        cursors::cases(),
        bodies::cases(),
        limits::cases(),
    ]
    .concat()
}
