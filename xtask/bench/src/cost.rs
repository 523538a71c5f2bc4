//! What a million requests cost on Lambda, by the measured times.
//!
//! Prices of us-east-1 for arm64 (<https://aws.amazon.com/lambda/pricing/>), as in
//! docs/deploying.md. The API and the stores cost the same for every function.

use std::fmt::Write;

use crate::results::{Figures, Results};

/// US dollars for a million invocations.
const INVOCATIONS: f64 = 0.20;

/// US dollars for a second of a gigabyte.
const GB_SECOND: f64 = 0.000_013_333_4;

/// The megabytes with which a function has one vCPU
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).
const MB_OF_ONE_CPU: f64 = 1_769.0;

/// The sizes that are compared, in megabytes.
const SIZES: [u16; 5] = [128, 256, 512, 1_024, 1_769];

/// The part of the requests that meets a cold start.
const COLD: f64 = 0.01;

/// A mix of requests, in percent: the functions of this project, and the same tasks
/// in Python. Each with the memory of template.yaml.
const MIX: [(f64, &str, &str, u16); 2] = [
    (20.0, "Kea hello", "FastAPI + Mangum", 128),
    (80.0, "Kea nosqldata", "FastAPI + boto3", 256),
];

/// The milliseconds that are billed: the CPU time takes longer with a share of a CPU,
/// the time that a call waits does not. Lambda rounds up.
fn billed(elapsed_us: f64, cpu_us: f64, size: u16) -> f64 {
    let share = (f64::from(size) / MB_OF_ONE_CPU).min(1.0);
    let waiting = (elapsed_us - cpu_us).max(0.0);
    ((waiting + cpu_us / share) / 1e3).ceil()
}

/// The milliseconds of a warm call and of a cold one, which are billed with the start.
fn times(figures: &Figures, size: u16) -> (f64, f64) {
    (
        billed(figures.warm.p50, figures.cpu_per_call_us, size),
        billed(figures.cold.p50, figures.cold_cpu.p50, size),
    )
}

/// US dollars for a million requests.
fn dollars((warm, cold): (f64, f64), size: u16) -> f64 {
    let mean_ms = warm * (1.0 - COLD) + cold * COLD;
    INVOCATIONS + mean_ms * 1e3 * f64::from(size) / 1_024.0 * GB_SECOND
}

/// Writes what each function costs at each size, and the mix.
pub fn write(text: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(text, "### Cost\n")?;
    writeln!(
        text,
        "US dollars for a million invocations on arm64, of which {:.0} % are cold; in brackets the milliseconds that are \
         billed, warm and cold.\n",
        COLD * 100.0
    )?;
    write!(text, "| function |")?;
    for size in SIZES {
        write!(text, " {size} MB |")?;
    }
    writeln!(text, "\n|---|{}", "--:|".repeat(SIZES.len()))?;
    for it in results.functions.iter().filter(|it| is_deployed(&it.name)) {
        write!(text, "| {} |", it.name)?;
        for size in SIZES {
            let (warm, cold) = times(it, size);
            let cost = dollars((warm, cold), size);
            write!(text, " {cost:.2} ({warm:.0}, {cold:.0}) |")?;
        }
        writeln!(text)?;
    }
    write_mix(text, results)
}

/// Whether one would deploy it: not what only shows how little a function can be, or
/// a part of it.
fn is_deployed(name: &str) -> bool {
    let is_variant = name.starts_with("Kea") && name.contains(", ");
    !name.starts_with("the limit") && !name.starts_with("bare") && !is_variant
}

/// The sums of the mix; nothing if a part of it was not measured.
fn write_mix(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut sums = [(String::new(), 0.0), (String::new(), 0.0)];
    for (percent, own, other, size) in MIX {
        for (name, (terms, sum)) in [own, other].into_iter().zip(&mut sums) {
            let Some(figures) = results.find(name) else {
                return Ok(());
            };
            let cost = dollars(times(figures, size), size);
            if !terms.is_empty() {
                terms.push_str(" + ");
            }
            write!(terms, "{:.1} × {cost:.2}", percent / 100.0)?;
            *sum += percent / 100.0 * cost;
        }
    }
    let parts = MIX.map(|(percent, name, _, size)| format!("{percent:.0} % {name} at {size} MB"));
    writeln!(text, "\nA million requests, {}:\n", parts.join(", "))?;
    writeln!(text, "| | sum | US dollars |")?;
    writeln!(text, "|---|---|--:|")?;
    for (name, (terms, sum)) in ["Kea", "FastAPI"].into_iter().zip(sums) {
        writeln!(text, "| {name} | {terms} | {sum:.2} |")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_cpu_makes_the_cpu_time_longer() {
        // 300 µs of CPU take 4.1 ms with 128 MB; 1.7 ms of waiting do not change.
        assert_eq!(billed(2_000.0, 300.0, 128).to_string(), "6");
        assert_eq!(billed(2_000.0, 300.0, 1_769).to_string(), "2");
        assert_eq!(billed(100.0, 100.0, 3_008).to_string(), "1");
    }

    #[test]
    fn a_request_costs_its_invocation_and_its_gigabyte_seconds() {
        // 0.99 × 1 ms and 0.01 × 101 ms are 2 ms in the mean: 2,000 s × 0.125 GB.
        let cost = dollars((1.0, 101.0), 128);
        assert!((cost - (0.2 + 250.0 * GB_SECOND)).abs() < 1e-9, "{cost}");
    }
}
