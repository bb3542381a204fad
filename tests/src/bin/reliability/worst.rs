//! The most that any run cost.

use briq_tests::Cost;

/// What a file of a megabyte may cost to look at.
const MOST_MEMORY: u64 = 64 << 20;
const MOST_SECONDS: f64 = 1.0;

/// The most that any run cost, and which it was.
#[derive(Default)]
pub(crate) struct Worst {
    pub(crate) shows_all: bool,
    pub(crate) memory: (u64, String),
    pub(crate) seconds: (f64, String),
    /// The runs that cost more than is allowed.
    pub(crate) failures: Vec<String>,
}

impl Worst {
    /// Takes note of a run.
    pub(crate) fn see(&mut self, what: &str, cost: Cost) {
        let seconds = cost.time.as_secs_f64();
        if self.shows_all {
            println!("  {what:60} {:>8.1} MiB {seconds:>8.3} s {:?}", mebibytes(cost.memory), cost.code);
        }
        if cost.memory > self.memory.0 {
            self.memory = (cost.memory, what.to_owned());
        }
        if seconds > self.seconds.0 {
            self.seconds = (seconds, what.to_owned());
        }
        if cost.code.is_none() || cost.memory > MOST_MEMORY || seconds > MOST_SECONDS {
            let memory = mebibytes(cost.memory);
            self.failures.push(format!("{what}: {memory:.1} MiB, {seconds:.3} s, exit code {:?}", cost.code));
        }
    }

    pub(crate) fn most_memory(&self) -> String {
        format!(
            "{:.1} MiB at most, of {} allowed: {}",
            mebibytes(self.memory.0),
            MOST_MEMORY >> 20,
            self.memory.1
        )
    }

    pub(crate) fn most_time(&self) -> String {
        format!("{:.3} s at most, of {MOST_SECONDS} allowed: {}", self.seconds.0, self.seconds.1)
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
