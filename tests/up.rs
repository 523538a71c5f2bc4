// region: mysqldata nosqldata
//! `cargo xtask up`, and the tools that read its log. `cargo xtask browser` starts a
//! system and runs this, with its address in `KEA_TEST_API_URL`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

use std::process::Command;

use logs::{Line, Log, Span, Trace};
use suite::{Api, Kind};
use testbed::eventually;

/// The attempts at a request whose spans add up: they do not if a process is preempted
/// between two readings of the clock.
const ATTEMPTS: usize = 5;

/// What a request to place an order consists of, at least, from the outside.
const PARTS: [&str; 7] = [
    "gateway POST /mysqldata",
    "mysqldata POST /mysqldata",
    "→ catalogue GET /nosqldata?ids=",
    "gateway GET /nosqldata",
    "nosqldata GET /nosqldata",
    "→ dynamodb BatchGetItem",
    "→ mysql ",
];

fn lines() -> Vec<Line> {
    let log = Log::at(&template::project().join(".kea/logs"));
    let lines = log.read().unwrap().expect("a log").lines().unwrap();
    lines.iter().filter_map(|line| Line::parse(line)).collect()
}

/// A span and all below it.
fn all(span: &Span) -> Vec<&Span> {
    let below = span.children.iter().flat_map(all);
    std::iter::once(span).chain(below).collect()
}

/// The output of a task.
fn xtask(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["xtask"]).args(arguments);
    let output = cargo.current_dir(template::project()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether every part of a span lies within it, and the own times of all add up to its
/// time, each within 5 %.
fn adds_up(root: &Span) -> bool {
    let tolerance = root.duration_ms * 0.05;
    let parts = all(root);
    let lie_within = parts.iter().all(|span| {
        span.children.iter().all(|child| {
            child.start_ms >= span.start_ms - tolerance
                && child.end_ms() <= span.end_ms() + tolerance
        })
    });
    let own: f64 = parts.iter().map(|span| span.own_ms()).sum();
    lie_within && (own - root.duration_ms).abs() <= tolerance
}

#[tokio::test]
#[ignore = "needs a running system: `cargo xtask browser`"]
async fn order_is_followed_through_every_service() {
    let url = std::env::var("KEA_TEST_API_URL").expect("the address of a system");
    let api = Api::new(Kind::Watch, &url);
    for attempt in 1.. {
        let placed = api.place_order(1).await;
        let id = placed.header("x-request-id").to_owned();
        let traceresponse = placed.header("traceresponse").to_owned();
        let trace_id = traceresponse.split('-').nth(1).expect("a trace");
        let root = eventually(async || {
            let mut trace = Trace::find(&lines(), trace_id, Some(&id))?;
            let root = trace.roots.pop().filter(|_| trace.roots.is_empty())?;
            let names: Vec<_> = all(&root).iter().map(|span| span.name.clone()).collect();
            let has = |part: &&str| names.iter().any(|name| name.starts_with(part));
            PARTS.iter().all(has).then_some(root)
        })
        .await;
        assert_eq!(root.status, Some(201));

        let drawing = xtask(&["trace", &id, "--width", "160"]);
        assert!(
            drawing.starts_with(&format!("trace {trace_id}\n")),
            "{drawing}"
        );
        let mut rest = drawing.as_str();
        for part in PARTS {
            let (_, after) = rest
                .split_once(part)
                .unwrap_or_else(|| panic!("{part}: {drawing}"));
            rest = after;
        }
        let logged = xtask(&[
            "logs",
            "--request",
            &id,
            "--status",
            "2xx",
            "--function",
            "mysqldata",
        ]);
        assert!(logged.contains("  201  POST   /mysqldata "), "{logged}");
        assert_eq!(logged.lines().count(), 1, "{logged}");
        let top = xtask(&["top", "--once"]);
        assert!(top.contains("mysqldata  POST /mysqldata "), "{top}");
        if adds_up(&root) {
            break;
        }
        assert!(attempt < ATTEMPTS, "the times do not add up: {drawing}");
    }
    api.clean_up().await;
}
// endregion
