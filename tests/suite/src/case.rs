//! A case, where a surface differs from the contract in it, and what came of it.

use futures_util::future::BoxFuture;

use super::{Api, Failure, Outcome};

/// A way of using the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Events, replayed in process.
    Replay,
    /// `cargo lambda watch`.
    Watch,
    /// The Lambda Runtime Interface Emulator.
    Emulator,
    /// `sam local start-api`.
    StartApi,
    /// API Gateway and Lambda.
    Deployed,
}

impl Kind {
    /// Its name, as one chooses it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Watch => "watch",
            Self::Emulator => "emulator",
            Self::StartApi => "start-api",
            Self::Deployed => "deployed",
        }
    }
}

/// Asks a surface, and holds what it answers against what it should.
pub type Check = for<'a> fn(&'a Api) -> BoxFuture<'a, Outcome>;

/// A case of the suite: what the contract says, and who differs.
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    check: Check,
    only: Option<Kind>,
    differences: Vec<Difference>,
}

/// Where a surface has to differ: with its reason, and what it does instead.
pub struct Difference {
    /// Which surfaces.
    pub kinds: &'static [Kind],
    /// Why.
    pub reason: &'static str,
    check: Check,
    /// Whether it differs by how it was set up, and otherwise not at all.
    sometimes: bool,
}

/// What came of a case on a surface.
#[derive(Debug)]
pub enum Verdict {
    /// As the contract says.
    Pass,
    /// As the suite says that it differs.
    Differs(&'static str),
    /// Of no meaning on this surface.
    NotApplicable,
    /// Neither.
    Fail(Box<Failure>),
}

impl Case {
    /// A case that every surface is to pass.
    pub fn new(name: &'static str, check: Check) -> Self {
        Self {
            name,
            check,
            only: None,
            differences: Vec::new(),
        }
    }

    /// The same, of a meaning on one surface alone.
    pub fn only(mut self, kind: Kind) -> Self {
        self.only = Some(kind);
        self
    }

    /// The same, where these surfaces do something else for this reason.
    pub fn differs(self, kinds: &'static [Kind], reason: &'static str, check: Check) -> Self {
        self.difference(kinds, reason, check, false)
    }

    /// The same, where they do or do not, as they were set up.
    pub fn may_differ(self, kinds: &'static [Kind], reason: &'static str, check: Check) -> Self {
        self.difference(kinds, reason, check, true)
    }

    fn difference(
        mut self,
        kinds: &'static [Kind],
        reason: &'static str,
        check: Check,
        sometimes: bool,
    ) -> Self {
        self.differences.push(Difference {
            kinds,
            reason,
            check,
            sometimes,
        });
        self
    }

    /// Where surfaces differ in it.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Runs it on a surface.
    pub async fn judge(&self, api: &Api) -> Verdict {
        let kind = api.kind();
        if self.only.is_some_and(|only| only != kind) {
            return Verdict::NotApplicable;
        }
        let difference = (self.differences.iter()).find(|it| it.kinds.contains(&kind));
        let outcome = (self.check)(api).await;
        match (difference, outcome) {
            (None, Ok(())) => Verdict::Pass,
            (Some(difference), Ok(())) if difference.sometimes => Verdict::Pass,
            (None, Err(failure)) => Verdict::Fail(Box::new(failure)),
            (Some(difference), Ok(())) => Verdict::Fail(Box::new(Failure {
                sent: "what the contract says".to_owned(),
                expected: format!("to differ: {}", difference.reason),
                got: "it no longer does: take the difference out of the suite".to_owned(),
            })),
            (Some(difference), Err(_)) => match (difference.check)(api).await {
                Ok(()) => Verdict::Differs(difference.reason),
                Err(failure) => Verdict::Fail(Box::new(failure)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const GOOD: Check = |_| async { Ok(()) }.boxed();

    const BAD: Check = |_| {
        let failure = Failure {
            sent: "GET /".to_owned(),
            expected: "200".to_owned(),
            got: "500".to_owned(),
        };
        async { Err(failure) }.boxed()
    };

    async fn judge(case: Case) -> Verdict {
        let nowhere = Api::new(Kind::Watch, "http://127.0.0.1:9", None);
        case.judge(&nowhere).await
    }

    #[tokio::test]
    async fn a_case_passes_by_its_check_alone() {
        assert!(matches!(judge(Case::new("", GOOD)).await, Verdict::Pass));
        assert!(matches!(judge(Case::new("", BAD)).await, Verdict::Fail(_)));
        let elsewhere = Case::new("", BAD).only(Kind::Emulator);
        assert!(matches!(judge(elsewhere).await, Verdict::NotApplicable));
        let elsewhere = Case::new("", BAD).differs(&[Kind::StartApi], "", GOOD);
        assert!(matches!(judge(elsewhere).await, Verdict::Fail(_)));
    }

    #[tokio::test]
    async fn a_difference_is_checked_too() {
        let differs = |check, instead| {
            let case = Case::new("", check);
            judge(case.differs(&[Kind::Replay, Kind::Watch], "why", instead))
        };
        assert!(matches!(differs(BAD, GOOD).await, Verdict::Differs("why")));
        assert!(matches!(differs(BAD, BAD).await, Verdict::Fail(_)));
        let Verdict::Fail(stale) = differs(GOOD, GOOD).await else {
            panic!("a difference that is none any more has to go");
        };
        assert!(stale.expected.contains("why"), "{stale:?}");
    }

    #[tokio::test]
    async fn a_difference_that_is_not_always_there_is_checked_where_it_is() {
        let differs = |check, instead| {
            let case = Case::new("", check);
            judge(case.may_differ(&[Kind::Watch], "why", instead))
        };
        assert!(matches!(differs(GOOD, BAD).await, Verdict::Pass));
        assert!(matches!(differs(BAD, GOOD).await, Verdict::Differs("why")));
        assert!(matches!(differs(BAD, BAD).await, Verdict::Fail(_)));
    }
}
