//! What must hold of the breaker, the budget and the deadline, whatever
//! happens, with a clock that stands still until it is told to move.

use std::future::ready;

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Failed(Failure);

impl Classify for Failed {
    fn failure(&self) -> Failure {
        self.0
    }
}

const TRANSIENT: Failed = Failed(Failure::Transient(None));

fn call(within: Duration) -> Call {
    Call {
        deadline: Deadline::within(within),
        request_id: String::new(),
        api: None,
        trace: crate::trace::Trace::new(),
    }
}

/// A dependency that a probe finds well.
fn well(policy: Policy) -> Dependency {
    Dependency::new("it", policy, |_| async { true })
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
async fn a_glitch_is_retried_and_an_answer_is_not() {
    let dependency = well(Policy::default());
    let mut attempts = 0;
    let request = call(Duration::from_secs(9));
    let cured = dependency.call(&request, |_| {
        attempts += 1;
        ready(if attempts < 2 { Err(TRANSIENT) } else { Ok(7) })
    });
    assert_eq!(cured.await.unwrap(), 7);
    assert_eq!(attempts, 2);

    for (failure, made) in [(Failure::Answered, 1), (Failure::Broken, 1)] {
        let mut attempts = 0;
        let dependency = well(Policy::default());
        let request = call(Duration::from_secs(9));
        let failed = dependency.call(&request, |_| {
            attempts += 1;
            ready(Err::<(), _>(Failed(failure)))
        });
        assert!(matches!(failed.await, Err(CallError::Failed { .. })));
        assert_eq!(attempts, made, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_or_the_retry_left() {
    let dependency = well(Policy::default());
    let wait = Duration::from_secs(3);
    let started = Instant::now();
    let mut attempts = 0;
    let request = call(Duration::from_secs(9));
    let asked = dependency.call(&request, |_| {
        attempts += 1;
        ready(if attempts == 1 {
            Err(Failed(Failure::Transient(Some(wait))))
        } else {
            Ok(())
        })
    });
    asked.await.unwrap();
    assert!(started.elapsed() >= wait);

    let dependency = well(Policy::default());
    let mut attempts = 0;
    let request = call(Duration::from_secs(2));
    let too_late = dependency.call(&request, |_| {
        attempts += 1;
        ready(Err::<(), _>(Failed(Failure::Transient(Some(wait)))))
    });
    assert!(too_late.await.is_err());
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_not_made() {
    let dependency = well(Policy::default());
    let request = call(Duration::ZERO);
    let late = dependency.call(&request, async |_| -> Result<(), Failed> { panic!("made") });
    assert!(matches!(late.await, Err(CallError::Elapsed { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_lets_one_probe_through_at_a_time() {
    let policy = Policy {
        calls: 2,
        ..Policy::default()
    };
    let breaker = Breaker::new("it", policy.clone());
    breaker.acquire().unwrap().succeed();
    breaker.acquire().unwrap().fail();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.acquire().unwrap_err(), policy.open);
    advance(policy.open).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    let probe = breaker.acquire().unwrap();
    assert!(breaker.acquire().is_err());
    // Given up in the middle: as good as a failure.
    drop(probe);
    assert_eq!(breaker.state(), State::Open);
    advance(policy.open).await;
    breaker.acquire().unwrap().succeed();
    assert_eq!(breaker.state(), State::Closed);
    breaker.acquire().unwrap().fail();
    assert_eq!(
        breaker.state(),
        State::Closed,
        "what was before is forgotten"
    );
}

#[tokio::test(start_paused = true)]
async fn callers_in_a_hurry_do_not_open_the_breaker() {
    let dependency = well(Policy::default());
    for _ in 0..20 {
        let request = call(Duration::from_millis(100));
        let cut_short = dependency.call(&request, |_| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Failed>(())
        });
        assert!(matches!(cut_short.await, Err(CallError::Elapsed { .. })));
    }
    assert_eq!(dependency.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_goes_ahead_of_the_request_that_sets_it_off() {
    for (takes_ms, served) in [(5, true), (1_000, false)] {
        let policy = Policy {
            calls: 1,
            retries: 0,
            ..Policy::default()
        };
        let dependency = Dependency::new("it", policy.clone(), move |_| async move {
            sleep(Duration::from_millis(takes_ms)).await;
            true
        });
        let call = || call(Duration::from_secs(9));
        dependency
            .call(&call(), async |_| Err::<(), _>(TRANSIENT))
            .await
            .unwrap_err();
        let request = call();
        let open = dependency.call(&request, async |_| -> Result<(), Failed> {
            panic!("nothing goes out")
        });
        assert!(matches!(open.await, Err(CallError::Open { .. })));

        advance(policy.open).await;
        let started = Instant::now();
        let first = dependency
            .call(&call(), async |_| Ok::<_, Failed>(()))
            .await;
        assert_eq!(first.is_ok(), served);
        assert!(
            started.elapsed() <= Duration::from_millis(20),
            "no request waits for a slow probe"
        );
        sleep(Duration::from_secs(1)).await;
        dependency
            .call(&call(), async |_| Ok::<_, Failed>(()))
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_attempt_does_not_speak_for_the_probe() {
    let policy = Policy {
        calls: 1,
        ..Policy::default()
    };
    let breaker = Breaker::new("it", policy.clone());
    let old = breaker.acquire().unwrap();
    breaker.acquire().unwrap().fail();
    advance(policy.open).await;
    let probe = breaker.acquire().unwrap();
    old.succeed();
    assert!(breaker.acquire().is_err(), "the probe is still under way");
    probe.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_policy_is_read_from_one_line() {
    let policy: Policy = "attempt=250ms retries=0 budget=5% rate=80% open=7s calls=3"
        .parse()
        .unwrap();
    assert_eq!(policy.attempt, Duration::from_millis(250));
    assert_eq!(
        (
            policy.retries,
            policy.budget_percent,
            policy.rate_percent,
            policy.calls
        ),
        (0, 5, 80, 3)
    );
    assert_eq!(policy.open, Duration::from_secs(7));
    assert_eq!(policy.connect, Policy::default().connect);
    for bad in [
        "attempt",
        "attempt=2",
        "attempt=0s",
        "retries=3",
        "retries=-1",
        "budget=20",
        "rate=0%",
        "calls=0",
        "x=1",
        "open=+1s",
    ] {
        assert!(bad.parse::<Policy>().is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over any 10 s there are at most so many retries as the requests of those
    /// 10 s allow, or one.
    #[test]
    fn the_budget_holds_over_any_ten_seconds(steps in prop::collection::vec((0..3_000_u64, any::<bool>()), 1..200)) {
        paused(async {
            let budget = Budget::new(20);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (ms, retry) in steps {
                advance(Duration::from_millis(ms)).await;
                let now = Instant::now();
                if !retry {
                    budget.request();
                    requests.push(now);
                } else if budget.retry() {
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
    fn a_breaker_keeps_its_promises(steps in prop::collection::vec((0..1_500_u64, any::<bool>()), 1..200)) {
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
                if fails { permit.fail() } else { permit.succeed() }
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
    /// and after no more attempts than the policy allows.
    #[test]
    fn a_call_ends_by_its_deadline(
        within in 0..5_000_u64,
        attempts in prop::collection::vec((0..4_000_u64, 0..4_u8), 3),
    ) {
        paused(async {
            let dependency = well(Policy { budget_percent: 100, ..Policy::default() });
            let started = Instant::now();
            let within = Duration::from_millis(within);
            let mut made = 0_usize;
            let request = call(within);
            let _ = dependency.call(&request, |deadline| {
                assert!(deadline.remaining() <= Policy::default().attempt);
                let (ms, outcome) = attempts.get(made).copied().unwrap();
                made += 1;
                async move {
                    sleep(Duration::from_millis(ms)).await;
                    match outcome {
                        0 => Ok(()),
                        1 => Err(Failed(Failure::Answered)),
                        2 => Err(Failed(Failure::Conflict)),
                        _ => Err(TRANSIENT),
                    }
                }
            }).await;
            assert!(started.elapsed() <= within + Duration::from_millis(1));
            assert!(made <= 3);
        });
    }
}
