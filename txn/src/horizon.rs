//! Which commits are shown: the durable ones, and those that asked not to wait for the log.
//!
//! A commit that waits for its flush is shown when it is durable. One that does not (`synchronous_commit = off`) is
//! shown at once, though commits before it in the log may still be waiting; a snapshot taken then sees it and not them.
//! So a snapshot is a timestamp and, only while both kinds are under way, a short list of commits before it that it does
//! not see, as PostgreSQL's snapshots list the transactions that are still running.
//!
//! ```text
//!   commits:   7 durable | 8 waits | 9 does not wait | 10 waits         horizon: up to 9, without 8
//! ```
//!
//! Invariants
//! - H1: a commit that waits is in [`Unflushed`] before the visible timestamp reaches it, and until it is durable.
//! - H2: whoever reads or changes what a commit changed does so after it is shown. So of two commits of which one depends
//!   on the other no snapshot sees the later one alone, and a crash, which keeps a prefix of the log, does not keep it alone.
//!   A writer that builds on a commit that is not shown ([`Txn::allow_early`](crate::Txn::allow_early)) waits for its own flush,
//!   so it is shown later, and is behind the other in the log.
//! - H3: what is shown stays shown.

use damask_types::Timestamp;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The commits that a snapshot sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// None after it is seen.
    pub(crate) timestamp: Timestamp,
    /// Commits at or before it that are not seen, ascending; rarely any.
    hidden: Option<Arc<[u64]>>,
}

impl Horizon {
    /// Sees every commit there is and will be.
    pub(crate) const ALL: Self = Self::up_to(Timestamp(u64::MAX >> 1));

    /// Sees every commit up to a time.
    pub(crate) const fn up_to(timestamp: Timestamp) -> Self {
        Self { timestamp, hidden: None }
    }

    /// Whether it sees the commit at `commit`.
    #[inline]
    pub(crate) fn sees(&self, commit: Timestamp) -> bool {
        commit <= self.timestamp && self.hidden().binary_search(&commit.0).is_err()
    }

    /// The commits that it leaves out.
    #[inline]
    pub(crate) fn hidden(&self) -> &[u64] {
        self.hidden.as_deref().unwrap_or_default()
    }

    /// The time up to which it sees every commit.
    pub(crate) fn settled(&self) -> Timestamp {
        self.hidden().first().map_or(self.timestamp, |first| Timestamp(first - 1))
    }
}

/// Commits whose frames are not durable.
#[derive(Debug, Default)]
pub(crate) struct Unflushed {
    /// Those that wait for it, ascending. Some may be durable meanwhile.
    waiting: Mutex<VecDeque<u64>>,
    /// The last commit that does not wait.
    relaxed: AtomicU64,
}

impl Unflushed {
    /// Notes a commit that waits; in the commit section, before the visible timestamp moves to it (H1).
    pub(crate) fn add_waiting(&self, commit: Timestamp, durable: Timestamp) {
        let mut waiting = self.waiting.lock();
        while waiting.front().is_some_and(|&first| first <= durable.0) {
            waiting.pop_front();
        }
        waiting.push_back(commit.0);
    }

    /// Notes a commit that does not wait; in the commit section, after the visible timestamp moved to it.
    pub(crate) fn add_relaxed(&self, commit: Timestamp) {
        self.relaxed.store(commit.0, Ordering::Release);
    }

    /// The last commit that does not wait.
    pub(crate) fn last_relaxed(&self) -> Timestamp {
        Timestamp(self.relaxed.load(Ordering::Acquire))
    }

    /// What is shown, given the visible timestamp, read first, and the durable one.
    pub(crate) fn horizon(&self, visible: Timestamp, durable: Timestamp) -> Horizon {
        let sure = visible.min(durable);
        let timestamp = visible.min(self.last_relaxed());
        if timestamp <= sure {
            return Horizon::up_to(sure);
        }
        let waiting = self.waiting.lock();
        let is_hidden = |commit: &u64| *commit > durable.0 && *commit <= timestamp.0;
        let hidden = waiting.iter().any(is_hidden);
        let hidden = hidden.then(|| waiting.iter().copied().filter(is_hidden).collect());
        Horizon { timestamp, hidden }
    }

    /// Whether the commit at `commit` is shown.
    pub(crate) fn shows(&self, commit: Timestamp, visible: Timestamp, durable: Timestamp) -> bool {
        if commit <= visible.min(durable) {
            return true;
        }
        commit <= visible.min(self.last_relaxed())
            && self.waiting.lock().binary_search(&commit.0).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(i: u64) -> Timestamp {
        Timestamp(i)
    }

    #[test]
    fn what_waits_is_hidden_until_it_is_durable() {
        let unflushed = Unflushed::default();
        unflushed.add_waiting(at(8), at(7));
        assert_eq!(unflushed.horizon(at(8), at(7)), Horizon::up_to(at(7)));
        unflushed.add_relaxed(at(9));
        unflushed.add_waiting(at(10), at(7));
        let horizon = unflushed.horizon(at(10), at(7));
        let seen: Vec<u64> = (0..12).filter(|i| horizon.sees(at(*i))).collect();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 9]);
        assert_eq!(horizon.settled(), at(7));
        let shown = (0..12).filter(|i| unflushed.shows(at(*i), at(10), at(7)));
        assert_eq!(shown.collect::<Vec<u64>>(), seen);
        assert_eq!(unflushed.horizon(at(10), at(8)), Horizon::up_to(at(9)));
        assert_eq!(unflushed.horizon(at(10), at(10)), Horizon::up_to(at(10)));
    }
}
