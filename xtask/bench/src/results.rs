//! The results of a run.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

/// The results of a run.
#[derive(Serialize)]
pub struct Results {
    /// The machine.
    pub machine: String,
    /// Its load before and after the run.
    pub load: [String; 2],
    /// The versions of what was measured.
    pub versions: BTreeMap<String, String>,
    /// The number of cold starts of each function.
    pub runs: usize,
    /// The figures of each function.
    pub functions: Vec<Figures>,
}

/// The figures of a function. Times are in microseconds.
#[derive(Serialize)]
pub struct Figures {
    /// Its name.
    pub name: String,
    /// Its task.
    pub group: String,
    /// From the start of the process to its request for an event.
    pub init: Spread,
    /// The first call.
    pub first: Spread,
    /// From the start of the process to its first response.
    pub cold: Spread,
    /// The CPU time of that.
    pub cold_cpu: Spread,
    /// A warm call.
    pub warm: Spread,
    /// Warm calls per second.
    pub calls_per_second: f64,
    /// The CPU time of a warm call.
    pub cpu_per_call_us: f64,
    /// The most memory, in bytes.
    pub peak_memory: u64,
    /// The size of the program.
    pub size: u64,
    /// The size of the program compressed by deflate, as in the archive that is
    /// deployed.
    pub zip: u64,
}

/// The distribution of a time, in microseconds.
#[derive(Serialize, Clone, Copy)]
pub struct Spread {
    /// The shortest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    /// That of these times.
    pub fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let last = sorted.len().saturating_sub(1);
            let time = sorted.get(last * percent / 100).copied();
            time.unwrap_or_default().as_secs_f64() * 1e6
        };
        Self {
            min: at(0),
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl Results {
    /// The figures of the function with this name.
    pub fn find(&self, name: &str) -> Option<&Figures> {
        self.functions.iter().find(|it| it.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_that_of_the_sorted_times() {
        let times: Vec<_> = (1..=101).rev().map(Duration::from_micros).collect();
        let Spread { min, p50, p99, max } = Spread::of(&times);
        let all = [min, p50, p99, max].map(f64::round);
        assert_eq!(all.map(|it| it.to_string()), ["1", "51", "100", "101"]);
    }
}
