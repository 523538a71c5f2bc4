//! Invariants of the breaker, the budget and the deadline, on a paused
//! clock.

use std::{
    future::{pending, ready},
    iter::successors,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use proptest::{prelude::*, sample::select};
use tokio::time::{Instant, advance, sleep, timeout};

use super::{
    breaker::{Breaker, Permit, State},
    budget::RetryBudget,
    dependency::PROBE_WAIT,
    *,
};
use crate::{Deadline, RequestContext};

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Failed(Failure);

impl Classify for Failed {
    fn failure(&self) -> Failure {
        self.0
    }
}

const TRANSIENT: Failed = Failed(Failure::Transient(None));

fn context(within: Duration) -> RequestContext {
    RequestContext::at_start(Deadline::within(within))
}

/// The attempts of [`end`] that conflict: more than the retries of a policy.
const CONFLICTS: usize = 10;

/// A dependency that a probe finds healthy.
fn healthy(policy: Policy) -> Dependency {
    Dependency::new("it", policy, |_| async { Ok::<_, Failed>(()) })
}

/// Opens the breaker of a dependency whose policy has `min_attempts` of 1.
async fn open(dependency: &Dependency) {
    let request = context(Duration::from_mins(1));
    let failed = dependency.call(&request, |_| ready(Err::<(), _>(Failed(Failure::Broken))));
    failed.await.unwrap_err();
    assert_eq!(dependency.state(), State::Open);
}

fn succeed(permit: Permit) {
    permit.end(Outcome::Succeeded, Allowance::Full);
}

fn fail(permit: Permit) {
    permit.end(Outcome::Failed(Failure::Broken), Allowance::Full);
}

/// Every failure: the compiler demands that a new one is added here.
fn every_failure() -> impl Iterator<Item = Failure> {
    let after = Some(Duration::from_secs(1));
    successors(Some(Failure::Answered), move |failure| {
        Some(match failure {
            Failure::Answered => Failure::Conflict,
            Failure::Conflict => Failure::Rejected,
            Failure::Rejected => Failure::Unsent,
            Failure::Unsent => Failure::Transient(None),
            Failure::Transient(None) => Failure::Transient(after),
            Failure::Transient(Some(_)) => Failure::Late(None),
            Failure::Late(None) => Failure::Late(after),
            Failure::Late(Some(_)) => Failure::Broken,
            Failure::Broken => return None,
        })
    })
}

/// Every outcome of an attempt, with either allowance.
fn every_end() -> Vec<(Outcome, Allowance)> {
    let failed = every_failure().map(Outcome::Failed);
    let outcomes = failed.chain([Outcome::Succeeded, Outcome::Abandoned]);
    let with_both = |outcome| [Allowance::Full, Allowance::Cut].map(|given| (outcome, given));
    outcomes.flat_map(with_both).collect()
}

/// Whether a caller can cause this outcome of an attempt at a healthy dependency, by
/// its deadline, a disconnect, or an invalid request.
fn is_callers_doing(outcome: Outcome, allowance: Allowance) -> bool {
    match outcome {
        Outcome::Abandoned | Outcome::Failed(Failure::Rejected | Failure::Unsent) => true,
        Outcome::Failed(Failure::Late(_)) => allowance == Allowance::Cut,
        Outcome::Succeeded
        | Outcome::Failed(
            Failure::Answered | Failure::Conflict | Failure::Transient(_) | Failure::Broken,
        ) => false,
    }
}

/// Makes a call of which every attempt has this outcome; the number of attempts. A
/// conflict ends after [`CONFLICTS`] attempts, because it is retried until the deadline.
async fn end(dependency: &Dependency, outcome: Outcome, allowance: Allowance) -> usize {
    let request = context(match allowance {
        Allowance::Full => Duration::from_mins(1),
        Allowance::Cut => Duration::from_millis(500),
    });
    let attempts = AtomicUsize::new(0);
    let called = dependency.call(&request, |_| {
        let attempted = attempts.fetch_add(1, Relaxed);
        async move {
            match outcome {
                Outcome::Succeeded => Ok(()),
                Outcome::Failed(Failure::Conflict) if attempted == CONFLICTS => Ok(()),
                // Without a `Retry-After`, it does not respond.
                Outcome::Failed(Failure::Late(None)) | Outcome::Abandoned => pending().await,
                Outcome::Failed(failure) => Err(Failed(failure)),
            }
        }
    });
    match outcome {
        Outcome::Abandoned => drop(timeout(Duration::from_millis(100), called).await),
        _ => drop(called.await),
    }
    attempts.load(Relaxed)
}

/// Runs `test` on a paused clock.
fn paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test)
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_retried_and_answers_are_not() {
    let dependency = healthy(Policy::default());
    let mut attempts = 0;
    let request = context(Duration::from_secs(9));
    let succeeded = dependency.call(&request, |_| {
        attempts += 1;
        ready(if attempts < 2 { Err(TRANSIENT) } else { Ok(7) })
    });
    assert_eq!(succeeded.await.unwrap(), 7);
    assert_eq!(attempts, 2);

    for failure in [
        Failure::Answered,
        Failure::Rejected,
        Failure::Unsent,
        Failure::Broken,
    ] {
        let mut attempts = 0;
        let dependency = healthy(Policy::default());
        let request = context(Duration::from_secs(9));
        let failed = dependency.call(&request, |_| {
            attempts += 1;
            ready(Err::<(), _>(Failed(failure)))
        });
        assert!(matches!(failed.await, Err(CallError::Failed { .. })));
        assert_eq!(attempts, 1, "{failure:?}");
    }
}

#[test]
fn pauses_are_random_up_to_a_bound_that_doubles() {
    let policy = Policy::default();
    for retry in 0..4 {
        let longest = policy.backoff * (1 << retry);
        let pauses: Vec<_> = (0..1_000).map(|_| policy.pause(retry)).collect();
        assert!(pauses.iter().all(|pause| *pause <= longest));
        assert!(pauses.iter().any(|pause| *pause < longest / 4));
        assert!(pauses.iter().any(|pause| *pause > longest / 4 * 3));
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_respected_or_there_is_no_retry() {
    let dependency = healthy(Policy::default());
    let wait = Duration::from_secs(3);
    let started = Instant::now();
    let mut attempts = 0;
    let request = context(Duration::from_secs(9));
    let called = dependency.call(&request, |_| {
        attempts += 1;
        ready(if attempts == 1 {
            Err(Failed(Failure::Transient(Some(wait))))
        } else {
            Ok(())
        })
    });
    called.await.unwrap();
    assert!(started.elapsed() >= wait);

    let dependency = healthy(Policy::default());
    let mut attempts = 0;
    let request = context(Duration::from_secs(2));
    let too_late = dependency.call(&request, |_| {
        attempts += 1;
        ready(Err::<(), _>(Failed(Failure::Transient(Some(wait)))))
    });
    assert!(too_late.await.is_err());
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_not_made() {
    let dependency = healthy(Policy::default());
    let request = context(Duration::ZERO);
    let late = dependency.call(&request, async |_| -> Result<(), Failed> { panic!("made") });
    assert!(matches!(late.await, Err(CallError::Hurried { .. })));
}

/// What the catalogue's prices fall back on must not be a caller's choice.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_too_short_is_no_outage() {
    let dependency = healthy(Policy::default());
    let attempt = Policy::default().attempt;
    let request = context(attempt / 2);
    let silent = dependency.call(&request, |_| pending::<Result<(), Failed>>());
    assert!(matches!(silent.await, Err(CallError::Hurried { .. })));
    let request = context(attempt / 2);
    let late = dependency.call(&request, |_| {
        ready(Err::<(), _>(Failed(Failure::Late(None))))
    });
    assert!(matches!(
        late.await,
        Err(CallError::Hurried { error: Some(_), .. })
    ));

    // The second attempt has less than its time, but the first had all of it.
    let request = context(attempt * 3 / 2);
    let silent = dependency.call(&request, |_| pending::<Result<(), Failed>>());
    assert!(matches!(silent.await, Err(CallError::Elapsed { .. })));
    let request = context(attempt / 2);
    let broken = dependency.call(&request, |_| ready(Err::<(), _>(Failed(Failure::Broken))));
    assert!(matches!(broken.await, Err(CallError::Failed { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_lets_one_probe_through_at_a_time() {
    let policy = Policy {
        min_attempts: 2,
        ..Policy::default()
    };
    let breaker = Breaker::new("it", policy.clone());
    succeed(breaker.acquire().unwrap());
    fail(breaker.acquire().unwrap());
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.acquire().unwrap_err(), policy.open);
    advance(policy.open).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    let probe = breaker.acquire().unwrap();
    assert!(breaker.acquire().is_err());
    // An abandoned probe shows nothing: the next request probes at once.
    drop(probe);
    assert_eq!(breaker.state(), State::HalfOpen);
    fail(breaker.acquire().unwrap());
    assert_eq!(breaker.state(), State::Open);
    advance(policy.open).await;
    succeed(breaker.acquire().unwrap());
    assert_eq!(breaker.state(), State::Closed);
    fail(breaker.acquire().unwrap());
    assert_eq!(
        breaker.state(),
        State::Closed,
        "earlier attempts are forgotten"
    );
}

#[test]
fn outcomes_a_caller_controls_do_not_affect_the_breaker() {
    for (outcome, allowance) in every_end() {
        let evidence = outcome.evidence(allowance);
        let nothing = evidence == Evidence::None;
        let expected = is_callers_doing(outcome, allowance);
        assert_eq!(nothing, expected, "{outcome:?} {allowance:?}");
    }
}

/// The attack: health is public, and its caller chooses the deadline.
#[tokio::test(start_paused = true)]
async fn health_checks_with_a_short_deadline_do_not_open_the_breaker() {
    let slow = |_| async {
        sleep(Duration::from_millis(50)).await;
        Ok::<_, Failed>(())
    };
    let dependency = Dependency::new("it", Policy::default(), slow);
    for _ in 0..30 {
        assert!(
            !dependency
                .is_healthy(&context(Duration::from_millis(6)))
                .await
        );
    }
    assert_eq!(dependency.state(), State::Closed);
    assert!(
        dependency
            .is_healthy(&context(Duration::from_secs(1)))
            .await
    );
}

#[tokio::test(start_paused = true)]
async fn an_unresponsive_dependency_opens_the_breaker() {
    let policy = Policy {
        retries: 0,
        ..Policy::default()
    };
    let dependency = healthy(policy);
    for _ in 0..Policy::default().min_attempts {
        let request = context(Duration::from_secs(9));
        let silent = dependency.call(&request, |_| pending::<Result<(), Failed>>());
        assert!(matches!(silent.await, Err(CallError::Elapsed { .. })));
    }
    assert_eq!(dependency.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn conflicts_are_retried_until_they_end_and_spend_no_budget() {
    let policy = Policy {
        budget_percent: 0,
        ..Policy::default()
    };
    for (failure, attempts) in [
        (Failure::Conflict, CONFLICTS + 1),
        (Failure::Transient(None), 1),
    ] {
        let dependency = healthy(policy.clone());
        let made = end(&dependency, Outcome::Failed(failure), Allowance::Full).await;
        assert_eq!((made, dependency.budget().counts().1), (attempts, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_end_before_the_deadline() {
    let (dependency, ctx) = (healthy(Policy::default()), context(Duration::from_secs(5)));
    let mut retries = 0;
    while dependency.pause(&ctx, retries).await {
        retries += 1;
    }
    // The longest pause is 400 ms, and a retry needs 50 ms.
    let remaining = ctx.deadline.remaining();
    assert!(remaining > Duration::ZERO);
    assert!(remaining <= Duration::from_millis(450), "{remaining:?}");
    assert!(retries > 10, "{retries}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_a_suspended_process_shows_nothing() {
    let policy = Policy {
        min_attempts: 1,
        ..Policy::default()
    };
    // Ended by the timeout of the attempt, or by one of the probe's own, such as that
    // of a connection.
    for own in [policy.attempt * 2, policy.connect] {
        for (suspended, state) in [(false, State::Open), (true, State::HalfOpen)] {
            let probe = move |_| async move {
                sleep(own).await;
                Err(TRANSIENT)
            };
            let dependency = Dependency::new("it", policy.clone(), probe);
            open(&dependency).await;
            advance(policy.open).await;
            // The request is refused, and its probe continues.
            let refused = end(&dependency, Outcome::Succeeded, Allowance::Full).await;
            assert_eq!(refused, 0);
            if suspended {
                advance(Duration::from_mins(5)).await;
                tokio::task::yield_now().await;
            } else {
                sleep(own.min(policy.attempt)).await;
            }
            assert_eq!(dependency.state(), state, "{own:?}");
        }
    }
}

/// The process runs only while it serves a request, and a probe takes longer than a
/// request waits for it.
#[tokio::test(start_paused = true)]
async fn a_suspended_function_recovers() {
    let policy = Policy {
        min_attempts: 1,
        ..Policy::default()
    };
    let dependency = Dependency::new("it", policy.clone(), |_| async {
        let started = Instant::now();
        sleep(PROBE_WAIT * 3).await;
        // Meanwhile the peer has closed the connection.
        let is_closed = started.elapsed() > Duration::from_secs(1);
        if is_closed { Err(TRANSIENT) } else { Ok(()) }
    });
    open(&dependency).await;
    for made in [0, 0, 1] {
        advance(policy.open * 2).await;
        let ended = end(&dependency, Outcome::Succeeded, Allowance::Full).await;
        assert_eq!(ended, made);
    }
    assert_eq!(dependency.state(), State::Closed);
}

/// An instance that is idle while the dependency recovers.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_forgets_failures_that_are_out_of_the_window() {
    let policy = Policy {
        min_attempts: 1,
        ..Policy::default()
    };
    let dependency = Dependency::new("it", policy.clone(), |_| pending::<Result<(), Failed>>());
    open(&dependency).await;
    advance(policy.open).await;
    assert_eq!(dependency.state(), State::HalfOpen);
    advance(policy.window).await;
    assert_eq!(dependency.state(), State::Closed);
    let made = end(&dependency, Outcome::Succeeded, Allowance::Full).await;
    assert_eq!(made, 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_has_the_time_of_the_policy() {
    let policy = Policy {
        min_attempts: 1,
        ..Policy::default()
    };
    let takes_a_second = |_| async {
        sleep(Duration::from_secs(1)).await;
        Ok::<_, Failed>(())
    };
    let dependency = Dependency::new("it", policy.clone(), takes_a_second);
    open(&dependency).await;
    advance(policy.open).await;
    assert!(
        !dependency
            .is_healthy(&context(Duration::from_millis(6)))
            .await
    );
    sleep(Duration::from_secs(1)).await;
    assert_eq!(dependency.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_briefly_for_the_probe() {
    for (takes_ms, served) in [(5, true), (1_000, false)] {
        let policy = Policy {
            min_attempts: 1,
            retries: 0,
            ..Policy::default()
        };
        let dependency = Dependency::new("it", policy.clone(), move |_| async move {
            sleep(Duration::from_millis(takes_ms)).await;
            Ok::<_, Failed>(())
        });
        let request = || context(Duration::from_secs(9));
        dependency
            .call(&request(), async |_| Err::<(), _>(TRANSIENT))
            .await
            .unwrap_err();
        let refused = request();
        let open = dependency.call(&refused, async |_| -> Result<(), Failed> {
            panic!("nothing is sent")
        });
        assert!(matches!(open.await, Err(CallError::Open { .. })));

        advance(policy.open).await;
        let started = Instant::now();
        let first = dependency
            .call(&request(), async |_| Ok::<_, Failed>(()))
            .await;
        assert_eq!(first.is_ok(), served);
        assert!(
            started.elapsed() <= Duration::from_millis(20),
            "no request waits for a slow probe"
        );
        sleep(Duration::from_secs(1)).await;
        dependency
            .call(&request(), async |_| Ok::<_, Failed>(()))
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_from_before_the_breaker_opened_is_no_evidence() {
    let policy = Policy {
        min_attempts: 1,
        ..Policy::default()
    };
    let breaker = Breaker::new("it", policy.clone());
    let old = breaker.acquire().unwrap();
    fail(breaker.acquire().unwrap());
    advance(policy.open).await;
    let probe = breaker.acquire().unwrap();
    succeed(old);
    assert!(breaker.acquire().is_err(), "the probe is still running");
    fail(probe);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_part_of_the_requests_and_at_least_one() {
    for (percent, requests, retries) in [(10, 200, 20), (10, 5, 1), (20, 0, 1), (0, 200, 0)] {
        let budget = RetryBudget::new(percent);
        for _ in 0..requests {
            budget.record_request();
        }
        let allowed = (0..300).filter(|_| budget.try_take_retry()).count();
        assert_eq!(allowed, retries, "{percent} % of {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_records_that_the_breaker_was_open() {
    let policy = Policy {
        min_attempts: 1,
        ..Policy::default()
    };
    let dependency = healthy(policy);
    let recorded = |request: &RequestContext| {
        let mut members = String::new();
        request.record.push_members(&mut members);
        members.contains("\"it_breaker_open\":1")
    };
    let request = context(Duration::from_mins(1));
    let succeeded = dependency.call(&request, |_| ready(Ok::<_, Failed>(())));
    succeeded.await.unwrap();
    assert!(!recorded(&request));
    let opening = context(Duration::from_mins(1));
    let failed = dependency.call(&opening, |_| ready(Err::<(), _>(Failed(Failure::Broken))));
    failed.await.unwrap_err();
    let refused = context(Duration::from_mins(1));
    let nothing = dependency.call(&refused, |_| ready(Ok::<_, Failed>(())));
    nothing.await.unwrap_err();
    assert!(recorded(&opening) && recorded(&refused));
}

#[test]
fn a_state_has_the_word_that_health_has() {
    let words = [State::Closed, State::Open, State::HalfOpen].map(State::as_str);
    assert_eq!(words, ["closed", "open", "half-open"]);
}

fn failures() -> impl Strategy<Value = Failure> {
    select(every_failure().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over any 10 s there are at most so many retries as the requests of those
    /// 10 s allow, or one.
    #[test]
    fn the_budget_holds_over_any_ten_seconds(steps in prop::collection::vec((0..3_000_u64, any::<bool>()), 1..200)) {
        paused(async {
            let budget = RetryBudget::new(20);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (ms, retry) in steps {
                advance(Duration::from_millis(ms)).await;
                let now = Instant::now();
                if !retry {
                    budget.record_request();
                    requests.push(now);
                } else if budget.try_take_retry() {
                    retries.push(now);
                    let recent = |times: &[Instant]| {
                        times.iter().filter(|&&then| now - then < Duration::from_secs(10)).count()
                    };
                    assert!(recent(&retries) <= (recent(&requests) / 5).max(1));
                }
            }
        });
    }

    /// While it is open nothing goes through; it opens only on failures; and
    /// one success of a probe closes it.
    #[test]
    fn breaker_opens_probes_and_closes_as_documented(steps in prop::collection::vec((0..1_500_u64, any::<bool>()), 1..200)) {
        paused(async {
            let policy = Policy::default();
            let breaker = Breaker::new("it", policy.clone());
            let mut open_until = None;
            for (ms, fails) in steps {
                advance(Duration::from_millis(ms)).await;
                let before = breaker.state();
                let through = breaker.acquire();
                assert_eq!(through.is_err(), open_until.is_some_and(|until| Instant::now() < until));
                let Ok(permit) = through else { continue };
                if fails { fail(permit) } else { succeed(permit) }
                let after = breaker.state();
                match (before, fails) {
                    (State::HalfOpen, true) => assert_eq!(after, State::Open),
                    (_, false) => assert_eq!(after, State::Closed),
                    (State::Closed, true) => {}
                    (State::Open, _) => unreachable!("nothing goes through"),
                }
                open_until = (after == State::Open).then(|| Instant::now() + policy.open);
            }
        });
    }

    /// Whatever fails and however long it takes, a call ends by its deadline
    /// and after no more failures than the policy allows.
    #[test]
    fn a_call_ends_by_its_deadline(
        within in 0..5_000_u64,
        attempts in prop::collection::vec((0..4_000_u64, prop::option::of(failures())), 3),
    ) {
        paused(async {
            let dependency = healthy(Policy { budget_percent: 100, ..Policy::default() });
            let started = Instant::now();
            let within = Duration::from_millis(within);
            let (mut made, mut conflicts) = (0_usize, 0_usize);
            let request = context(within);
            let _ = dependency.call(&request, |ctx| {
                assert!(ctx.deadline.remaining() <= Policy::default().attempt);
                let (ms, outcome) = attempts[made % attempts.len()];
                made += 1;
                conflicts += usize::from(outcome == Some(Failure::Conflict));
                async move {
                    sleep(Duration::from_millis(ms)).await;
                    outcome.map_or(Ok(()), |failure| Err(Failed(failure)))
                }
            }).await;
            assert!(started.elapsed() <= within + Duration::from_millis(1));
            assert!(made <= 3 + conflicts);
        });
    }

    /// Non-interference: of two dependencies, one also serves callers that do
    /// what they can to move its breaker and its retry budget. Both stay alike,
    /// however calls and probes end.
    #[test]
    fn no_caller_moves_a_breaker_or_a_budget(
        steps in prop::collection::vec(
            (0..2_500_u64, select(every_end()), any::<bool>(), any::<bool>()),
            1..60,
        ),
    ) {
        paused(async {
            // Without pauses of random length, so that both take the same time.
            let policy = Policy { min_attempts: 3, backoff: Duration::ZERO, ..Policy::default() };
            let probes = Arc::new(Mutex::new(None));
            let dependency = || {
                let probes = probes.clone();
                Dependency::new("it", policy.clone(), move |_| {
                    let responds = *probes.lock().unwrap();
                    async move {
                        match responds {
                            Some(true) => Ok(()),
                            Some(false) => Err(Failed(Failure::Broken)),
                            None => pending().await,
                        }
                    }
                })
            };
            let (attacked, spared) = (dependency(), dependency());
            for (ms, (outcome, allowance), healthy, checks_health) in steps {
                advance(Duration::from_millis(ms)).await;
                if !is_callers_doing(outcome, allowance) {
                    *probes.lock().unwrap() = Some(healthy);
                    let (one, other) = tokio::join!(
                        end(&attacked, outcome, allowance),
                        end(&spared, outcome, allowance),
                    );
                    assert_eq!(one, other, "attempts");
                } else if attacked.state() != State::HalfOpen {
                    // (Any request sets off the probe of a half-open breaker.)
                    *probes.lock().unwrap() = None;
                    if checks_health {
                        attacked.is_healthy(&context(Duration::from_millis(6))).await;
                    } else {
                        end(&attacked, outcome, allowance).await;
                    }
                }
                assert_eq!(attacked.state(), spared.state());
                assert_eq!(attacked.budget().counts(), spared.budget().counts());
            }
        });
    }

    /// Whatever deadline callers have, whenever they disconnect, and whatever
    /// they request: the breaker of a healthy dependency never opens, nor opens
    /// again after an outage, and no retry is spent.
    #[test]
    fn no_caller_opens_the_breaker_of_a_healthy_dependency(
        outage in any::<bool>(),
        callers in prop::collection::vec(
            (
                0..3_000_u64,
                0..4_000_u64,
                0..1_900_u64,
                prop::option::of(0..4_000_u64),
                any::<bool>(),
                select(vec![
                    None,
                    Some(Failure::Answered),
                    Some(Failure::Rejected),
                    Some(Failure::Unsent),
                ]),
            ),
            1..40,
        ),
    ) {
        paused(async {
            let policy = Policy { min_attempts: 1, ..Policy::default() };
            let latency = Arc::new(AtomicUsize::new(0));
            // As a service that is passed the deadline: it responds a little
            // before it, in time or not.
            let respond = |deadline: Deadline, latency: Duration, failure: Option<Failure>| async move {
                let given = deadline.remaining().mul_f64(0.9);
                sleep(latency.min(given)).await;
                match failure {
                    _ if given < latency => Err(Failed(Failure::Late(Some(Duration::from_secs(1))))),
                    Some(failure) => Err(Failed(failure)),
                    None => Ok(()),
                }
            };
            let probed = latency.clone();
            let dependency = Dependency::new("it", policy.clone(), move |ctx| {
                let latency = u64::try_from(probed.load(Relaxed)).unwrap();
                respond(ctx.deadline, Duration::from_millis(latency), None)
            });
            if outage {
                open(&dependency).await;
                advance(policy.open).await;
            }
            let (_, spent) = dependency.budget().counts();
            for (pause, within, takes, disconnect, checks_health, failure) in callers {
                advance(Duration::from_millis(pause)).await;
                // A tenth less than an attempt may take, as a service keeps it.
                latency.store(usize::try_from(takes).unwrap().min(1_750), Relaxed);
                let takes = Duration::from_millis(takes.min(1_750));
                let request = context(Duration::from_millis(within));
                let caller = async {
                    if checks_health {
                        dependency.is_healthy(&request).await;
                    } else {
                        let respond = |ctx: RequestContext| respond(ctx.deadline, takes, failure);
                        let _ = dependency.call(&request, respond).await;
                    }
                };
                match disconnect {
                    Some(ms) => drop(timeout(Duration::from_millis(ms), caller).await),
                    None => caller.await,
                }
                let state = dependency.state();
                assert!(state == State::Closed || outage && state == State::HalfOpen, "{state:?}");
                assert_eq!(dependency.budget().counts().1, spent);
            }
        });
    }
}
