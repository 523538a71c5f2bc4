//! A case, where a surface differs from the contract in it, and its verdict.

use std::{
    any::Any,
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Once},
};

use futures_util::{FutureExt, future::LocalBoxFuture};

use crate::{Api, Kind};

/// Sends requests to a surface and panics at a response that is not as it should.
pub type Check = Arc<dyn Fn(Api) -> LocalBoxFuture<'static, ()> + Send + Sync>;

/// A case: a rule of the contract, and the surfaces that differ.
#[derive(Clone)]
pub struct Case {
    /// The file that it is in.
    pub topic: &'static str,
    /// The rule, as a sentence.
    pub name: &'static str,
    check: Check,
    differences: Vec<Difference>,
}

/// A difference of surfaces, and its reason.
#[derive(Clone)]
struct Difference {
    kinds: &'static [Kind],
    reason: &'static str,
    check: Check,
    /// Whether the surface may also behave as the contract requires.
    optional: bool,
}

/// The result of a case on a surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the contract requires.
    Pass,
    /// As documented for this surface, which differs for this reason.
    Differs(&'static str),
    /// Neither; the message of the failed assertion.
    Fail(String),
}

impl Verdict {
    /// Whether it failed because a response came too late: a 503, or none in time.
    pub(crate) fn is_late(&self) -> bool {
        let signs = ["503 Service Unavailable", "no response in"];
        matches!(self, Self::Fail(failure) if signs.iter().any(|it| failure.contains(it)))
    }
}

impl Case {
    /// A case that every surface must pass.
    pub fn new(module: &'static str, name: &'static str, check: Check) -> Self {
        Self {
            topic: module.rsplit(':').next().unwrap_or(module),
            name,
            check,
            differences: Vec::new(),
        }
    }

    /// The same, where these surfaces do something else for this reason.
    pub fn differs(self, kinds: &'static [Kind], reason: &'static str, check: Check) -> Self {
        self.difference(kinds, reason, check, false)
    }

    /// The same, where they do or do not, depending on how they were set up.
    pub fn may_differ(self, kinds: &'static [Kind], reason: &'static str, check: Check) -> Self {
        self.difference(kinds, reason, check, true)
    }

    fn difference(
        mut self,
        kinds: &'static [Kind],
        reason: &'static str,
        check: Check,
        optional: bool,
    ) -> Self {
        self.differences.push(Difference {
            kinds,
            reason,
            check,
            optional,
        });
        self
    }

    /// Runs it on a surface.
    pub async fn judge(&self, api: &Api) -> Verdict {
        let mut differences = self.differences.iter();
        let difference = differences.find(|it| it.kinds.contains(&api.kind()));
        match (run(&self.check, api).await, difference) {
            (Ok(()), Some(difference)) if !difference.optional => Verdict::Fail(format!(
                "it conforms to the contract, but the suite expects a difference: {} {}",
                api.kind().name(),
                difference.reason
            )),
            (Ok(()), _) => Verdict::Pass,
            (Err(failure), None) => Verdict::Fail(failure),
            (Err(_), Some(difference)) => match run(&difference.check, api).await {
                Ok(()) => Verdict::Differs(difference.reason),
                Err(failure) => Verdict::Fail(failure),
            },
        }
    }
}

thread_local! {
    /// The location of the last panic of this thread, while a check runs in it.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a check; its failure is where and with which message it panicked.
async fn run(check: &Check, api: &Api) -> Result<(), String> {
    keep_places();
    PLACE.set(Some(String::new()));
    let result = AssertUnwindSafe(check(api.clone())).catch_unwind().await;
    let place = PLACE.take().unwrap_or_default();
    result.map_err(|panic| format!("{place}: {}", message(&*panic)))
}

/// Makes panics of checks silent: a difference begins with one.
fn keep_places() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let location = panic.location().map(ToString::to_string);
            let kept = PLACE.with_borrow_mut(|place| {
                let place = place.as_mut()?;
                *place = location.unwrap_or_default();
                Some(())
            });
            if kept.is_none() {
                default(panic);
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a check passes.
    const PASSES: bool = true;
    const FAILS: bool = false;

    fn check(passes: bool) -> Check {
        Arc::new(move |_| async move { assert!(passes, "not as it should be") }.boxed_local())
    }

    /// Judges a case on `watch`, where it differs by a check, optionally or not.
    async fn judge(passes: bool, difference: Option<(bool, bool)>) -> Verdict {
        let mut case = Case::new("suite::topic", "name", check(passes));
        assert_eq!(case.topic, "topic");
        case = case.differs(&[Kind::StartApi], "elsewhere", check(PASSES));
        if let Some((instead, optional)) = difference {
            case = case.difference(
                &[Kind::Replay, Kind::Watch],
                "why",
                check(instead),
                optional,
            );
        }
        case.judge(&Api::new(Kind::Watch, "http://127.0.0.1:9"))
            .await
    }

    #[tokio::test]
    async fn case_without_difference_passes_by_its_check() {
        assert_eq!(judge(PASSES, None).await, Verdict::Pass);
        let Verdict::Fail(failure) = judge(FAILS, None).await else {
            panic!("a failed check fails the case");
        };
        assert!(failure.starts_with("tests/suite/src/case.rs:"), "{failure}");
        assert!(failure.ends_with(": not as it should be"), "{failure}");
    }

    #[tokio::test]
    async fn difference_is_checked_and_must_exist() {
        let differs = Verdict::Differs("why");
        assert_eq!(judge(FAILS, Some((PASSES, false))).await, differs);
        let neither = judge(FAILS, Some((FAILS, false))).await;
        assert!(matches!(neither, Verdict::Fail(_)));
        let Verdict::Fail(stale) = judge(PASSES, Some((PASSES, false))).await else {
            panic!("a difference that no longer exists fails the case");
        };
        assert!(
            stale.ends_with("expects a difference: watch why"),
            "{stale}"
        );
    }

    #[test]
    fn failure_by_a_timeout_is_late() {
        let failed = |failure: &str| Verdict::Fail(failure.to_owned());
        let shown = "GET /nosqldata → 503 Service Unavailable\nretry-after: 1\n";
        assert!(failed(shown).is_late());
        assert!(failed("GET /docs: no response in 300 s").is_late());
        assert!(!failed("GET /docs → 500 Internal Server Error").is_late());
        assert!(!Verdict::Pass.is_late());
    }

    #[tokio::test]
    async fn failure_by_a_refused_connection_is_not_late() {
        let check: Check = Arc::new(|api| async move { drop(api.get("/").await) }.boxed_local());
        let case = Case::new("suite::topic", "name", check);
        let verdict = case
            .judge(&Api::new(Kind::Watch, "http://127.0.0.1:9"))
            .await;
        assert!(!verdict.is_late(), "{verdict:?}");
        let Verdict::Fail(failure) = verdict else {
            panic!("nothing listens there");
        };
        assert!(
            failure.contains("GET /: the connection failed: "),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn optional_difference_is_checked_where_it_exists() {
        assert_eq!(judge(PASSES, Some((FAILS, true))).await, Verdict::Pass);
        let differs = Verdict::Differs("why");
        assert_eq!(judge(FAILS, Some((PASSES, true))).await, differs);
        let neither = judge(FAILS, Some((FAILS, true))).await;
        assert!(matches!(neither, Verdict::Fail(_)));
    }
}
