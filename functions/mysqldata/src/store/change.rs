//! Detects whether an earlier attempt of a status change was committed.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use uuid::Uuid;

use crate::{error::Error, order::Order};

/// A status change of an order, across all its attempts. If the response to `COMMIT` is
/// lost, the next attempt detects by this whether the change was committed.
pub(super) struct Change {
    /// Its id, which is written with the order.
    pub id: Uuid,
    /// The version whose commit the last attempt started; 0, which no order has, if it did
    /// not get that far.
    attempted: AtomicI64,
}

impl Change {
    /// A change that no attempt has made yet.
    pub(super) fn new() -> Self {
        Self {
            id: Uuid::now_v7(),
            attempted: AtomicI64::new(0),
        }
    }

    /// Checks whether an earlier attempt was committed, and forgets its version: what
    /// follows is a new attempt. `order` is locked, so no attempt is still being
    /// committed.
    ///
    /// Fails with [`mysql::Error::Unknown`] if the order is beyond the version of the
    /// earlier attempt. At that version or below, the attempt was not committed:
    /// another change made the version, or none did.
    pub(super) fn check_committed(
        &self,
        order: &Order,
        last_change: Option<Uuid>,
    ) -> Result<bool, Error> {
        if last_change == Some(self.id) {
            return Ok(true);
        }
        let attempted = self.attempted.swap(0, Relaxed);
        if attempted != 0 && order.version.get() > attempted {
            return Err(mysql::Error::Unknown(None).into());
        }
        Ok(false)
    }

    /// Records that an attempt to commit `order` follows.
    pub(super) fn record_attempt(&self, order: &Order) {
        self.attempted.store(order.version.get(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Version, tests::order};

    fn at(version: i64) -> Order {
        Order {
            version: Version::new(version).unwrap(),
            ..order()
        }
    }

    /// A change whose first attempt changed version 7 to 8, and whether that one
    /// was committed is unknown.
    fn attempted() -> Change {
        let change = Change::new();
        assert!(!change.check_committed(&at(7), None).unwrap());
        change.record_attempt(&at(8));
        change
    }

    #[test]
    fn a_committed_change_is_recognized_by_its_id() {
        let change = attempted();
        assert!(change.check_committed(&at(8), Some(change.id)).unwrap());
    }

    #[test]
    fn a_change_that_was_not_committed_is_made_again() {
        let other = Some(Uuid::now_v7());
        // Another request has made the version that the attempt would have made.
        for version in [7, 8] {
            let change = attempted();
            assert!(!change.check_committed(&at(version), other).unwrap());
            // An attempt that failed before its commit leaves no doubt.
            assert!(!change.check_committed(&at(9), other).unwrap());
        }
    }

    #[test]
    fn a_change_that_may_have_been_followed_by_another_is_unknown() {
        let other = Some(Uuid::now_v7());
        let committed = attempted().check_committed(&at(9), other);
        assert!(matches!(
            committed,
            Err(Error::Store(mysql::Error::Unknown(None)))
        ));
    }

    #[test]
    fn the_first_attempt_is_never_unknown() {
        let other = Some(Uuid::now_v7());
        let committed = Change::new().check_committed(&at(i64::MAX), other);
        assert!(!committed.unwrap());
    }
}
