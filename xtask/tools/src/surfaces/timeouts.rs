//! Time-outs: the function's own, and the platform's.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::case;
use crate::{
    surfaces::{Api, Case, Kind, Outcome},
    wire::Fault,
};

/// How long a function may take to be well again.
const RECOVERY: Duration = Duration::from_secs(30);

pub fn cases() -> Vec<Case> {
    vec![
        case!(
            "a store that hangs is a 503 before the time-out",
            hanging_store
        )
        .only(Kind::Emulator),
        case!(
            "a function that overruns is ended and started anew",
            overrun
        )
        .only(Kind::Emulator),
    ]
}

async fn hanging_store(api: &Api) -> Outcome {
    let emulator = api.emulator();
    emulator.dynamodb.set(Fault::BlackHole).await;
    let path = format!("/nosqldata/{}", api.unique());
    let refused = api.get(&path).await;
    emulator.dynamodb.heal().await;
    let refused = refused?;
    // The platform's would be a 500 without any of this.
    refused
        .problem(503, "service-unavailable")?
        .that(!refused.value("retry-after").is_empty(), "a retry-after")?;
    recovers(api, &path, 404).await
}

async fn overrun(api: &Api) -> Outcome {
    let emulator = api.emulator();
    let timeout = emulator.timeout("hello");
    let before = api.get("/").await?;
    before.status(200)?;
    let halted = emulator.halt("hello");
    before.that(
        halted == 1,
        format_args!("one process to halt, not {halted}"),
    )?;
    let started = Instant::now();
    let ended = api.get("/").await?;
    // It does nothing at all, so nothing but the emulator can end it.
    ended
        .status(500)?
        .member("/message", "Internal Server Error")?
        .that(
            started.elapsed() >= timeout,
            format_args!("an end after {} s and not before", timeout.as_secs()),
        )?;
    let said = emulator.last("hello");
    let timed_out = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
    ended.that(
        said.contains(&timed_out),
        format_args!("{timed_out}, not {said}"),
    )?;
    recovers(api, "/", 200).await
}

/// That a path is answered with `status` again, before long.
async fn recovers(api: &Api, path: &str, status: u16) -> Outcome {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let answer = api.get(path).await?;
        if answer.code() == status || Instant::now() >= deadline {
            answer.status(status)?;
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
}
