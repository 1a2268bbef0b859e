//! Time, latencies and the CPU that a server used.

use std::fs;
use std::time::{Duration, Instant};

/// Ticks of `/proc/PID/stat` in a second, on every Linux there is.
const TICKS_A_SECOND: f64 = 100.0;

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the machine's time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long things took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn add(&mut self, taken: Duration) {
        self.0.push(u32::try_from(taken.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds, the time that so large a part of them stayed below.
    pub(crate) fn percentile(&mut self, part: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        self.0.sort_unstable();
        let index = (part * (self.0.len() - 1) as f64) as usize;
        f64::from(self.0[index]) / 1000.0
    }
}

/// Seconds of CPU that a process, its children and its ended children have used. A server process that is gone gives zero.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let children = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        let fields = stat(child)?;
        (fields.parent == pid).then_some(fields.own)
    });
    let own = stat(pid).map_or(0, |fields| fields.own + fields.of_ended);
    (own + children.sum::<u64>()) as f64 / TICKS_A_SECOND
}

/// What `/proc/PID/stat` says, in ticks.
struct Stat {
    parent: u32,
    own: u64,
    of_ended: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        of_ended: ticks(13)? + ticks(14)?,
    })
}
