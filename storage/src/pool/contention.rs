//! How much waiting for a leaf's latch is too much, and which waits are looked at.
//!
//! The trees keep what they find out ([`crate::tree`], `contention.rs`). Here is what their trees share: the rule, the chance by which waits are
//! picked, and the counts.

use crate::env::SeededRandom;
use std::sync::atomic::{AtomicU64, Ordering};

/// When a leaf is split because changes of different entries wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentionRule {
    /// Of how many waits one is looked at.
    pub(crate) sample_one_in: u64,
    /// After so many changes of a leaf what was seen of it is forgotten.
    pub(crate) window_changes: u32,
    /// How often, of the waits that are looked at, another entry must be waited for than the time before.
    pub(crate) crossings: u32,
    /// Fewest entries that both halves keep.
    pub(crate) entries_min: usize,
    /// A leaf that was split so is not merged for so many changes.
    pub(crate) apart_changes: u32,
    /// Every so many-th change counts as one that has waited; none if it is zero.
    #[cfg(test)]
    pub(crate) pretend_one_in: u64,
}

impl Default for ContentionRule {
    /// One change in sixty-four has waited, and was of another entry than the one before that had.
    fn default() -> Self {
        Self {
            sample_one_in: 4,
            window_changes: 1024,
            crossings: 4,
            entries_min: 2,
            apart_changes: 16_384,
            #[cfg(test)]
            pretend_one_in: 0,
        }
    }
}

#[cfg(test)]
impl ContentionRule {
    /// One change in `one_in` counts as one that has waited for its leaf, and one wait for another entry is a fight; none if it is zero.
    pub(crate) fn pretending(one_in: u64) -> Self {
        if one_in == 0 {
            return Self::default();
        }
        let rule = Self { sample_one_in: 1, crossings: 1, ..Self::default() };
        Self { apart_changes: 100, pretend_one_in: one_in, ..rule }
    }
}

/// See the head of the file.
pub(crate) struct Contention {
    pub(crate) rule: ContentionRule,
    chance: SeededRandom,
    waits: AtomicU64,
    splits: AtomicU64,
}

impl Contention {
    /// Waits are picked by the sequence that starts at `seed`.
    pub(super) fn new(rule: ContentionRule, seed: u64) -> Self {
        let (waits, splits) = Default::default();
        Self { rule, chance: SeededRandom::new(seed), waits, splits }
    }

    /// A change is about to wait for its leaf.
    #[cold]
    pub(super) fn note_wait(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a wait is to be looked at.
    pub(crate) fn is_picked(&self) -> bool {
        self.chance.below(self.rule.sample_one_in) == 0
    }

    /// A leaf was split.
    pub(crate) fn note_split(&self) {
        self.splits.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether this change, which has not waited, counts as if it had.
    #[cfg(test)]
    pub(super) fn is_pretended(&self) -> bool {
        self.rule.pretend_one_in > 0 && self.chance.below(self.rule.pretend_one_in) == 0
    }

    /// Waits so far, and splits.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.waits.load(Ordering::Relaxed), self.splits.load(Ordering::Relaxed))
    }
}
