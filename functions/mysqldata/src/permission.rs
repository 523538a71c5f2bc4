//! What a caller may do with which orders.

use chassis::auth::Caller;

/// Places orders, and changes the caller's own.
pub(crate) const WRITE: &str = "orders:write";

/// Reads everybody's orders, and the summary.
pub(crate) const READ_ALL: &str = "orders:read-all";

/// Reads and changes everybody's orders.
pub(crate) const MANAGE: &str = "orders:manage";

/// The orders that a caller may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readable<'c> {
    /// Everybody's.
    All,
    /// Those that this subject placed.
    OwnedBy(&'c str),
    /// None: the caller is unknown.
    None,
}

impl<'c> Readable<'c> {
    /// The orders that a caller may read; `None` is a caller without a token.
    pub(crate) fn for_caller(caller: Option<&'c Caller>) -> Self {
        match caller {
            Some(caller) if caller.has_scope(READ_ALL) || caller.has_scope(MANAGE) => Self::All,
            Some(caller) => Self::OwnedBy(caller.subject()),
            None => Self::None,
        }
    }

    /// Whether the order that `owner` placed is one of them.
    pub(crate) fn includes(self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::OwnedBy(subject) => subject == owner,
            Self::None => false,
        }
    }
}

/// Whether a caller may change the order that `owner` placed.
pub(crate) fn may_change(caller: &Caller, owner: &str) -> bool {
    caller.has_scope(MANAGE) || (caller.has_scope(WRITE) && caller.subject() == owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scopes: &[&str]) -> Caller {
        Caller::new("ada", scopes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_caller_reads_their_own_orders_and_a_reader_everybodys() {
        for (scopes, own, others) in [
            (&[][..], true, false),
            (&[WRITE], true, false),
            (&[READ_ALL], true, true),
            (&[MANAGE], true, true),
        ] {
            let caller = caller(scopes);
            let readable = Readable::for_caller(Some(&caller));
            assert_eq!(
                (readable.includes("ada"), readable.includes("bob")),
                (own, others)
            );
        }
        assert!(
            !Readable::for_caller(None).includes("") && !Readable::for_caller(None).includes("ada")
        );
    }

    #[test]
    fn a_caller_changes_their_own_orders_and_a_manager_everybodys() {
        for (scopes, own, others) in [
            (&[][..], false, false),
            (&[WRITE], true, false),
            (&[READ_ALL], false, false),
            (&[WRITE, READ_ALL], true, false),
            (&[MANAGE], true, true),
        ] {
            let caller = caller(scopes);
            let may = (may_change(&caller, "ada"), may_change(&caller, "bob"));
            assert_eq!(may, (own, others), "{scopes:?}");
        }
    }
}
