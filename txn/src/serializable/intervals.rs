//! Sets of keys as intervals that do not overlap.
//!
//! Reads by index are mostly single keys, and many: each is an interval, and whether a changed key is in one of them must not take a
//! walk through all.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Intervals, each with its first key and the first key behind it; `None` if there is none behind.
///
/// Invariant: none overlaps another or touches it.
#[derive(Debug, Default)]
pub(super) struct Intervals<K>(BTreeMap<K, Option<K>>);

impl<K: Ord + Clone> Intervals<K> {
    /// Adds the keys from `start` to before `end`.
    pub(super) fn add(&mut self, start: K, end: Option<K>) {
        if end.as_ref().is_some_and(|end| *end <= start) {
            return;
        }
        let (mut first, mut last) = (start, end);
        // Those that begin at or before the end and do not end before the start, from the last on.
        loop {
            let upper = last.as_ref().map_or(Bound::Unbounded, Bound::Included);
            let near = self.0.range((Bound::Unbounded, upper)).next_back();
            let Some((begin, behind)) = near else { break };
            if behind.as_ref().is_some_and(|behind| *behind < first) {
                break;
            }
            let begin = begin.clone();
            let behind = self.0.remove(&begin).expect("it was found");
            first = first.min(begin);
            // None is above all.
            last = last.zip(behind).map(|(last, behind)| last.max(behind));
        }
        self.0.insert(first, last);
    }

    /// Whether a key is in one of them.
    pub(super) fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let before = self.0.range::<Q, _>((Bound::Unbounded, Bound::Included(key))).next_back();
        before.is_some_and(|(_, end)| end.as_ref().is_none_or(|end| key < end.borrow()))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_storage::env::SeededRandom;

    #[test]
    fn they_hold_what_was_added_and_never_touch() {
        for seed in 0..50 {
            let random = SeededRandom::new(seed);
            let mut intervals = Intervals::default();
            let mut model = [false; 64];
            for _ in 0..12 {
                let start = random.below(64);
                let end = (random.below(12) > 0).then(|| start + random.below(6));
                intervals.add(start, end);
                for (key, is_in) in model.iter_mut().enumerate() {
                    *is_in |= key as u64 >= start && end.is_none_or(|end| (key as u64) < end);
                }
                for (key, is_in) in model.iter().enumerate() {
                    assert_eq!(intervals.contains(&(key as u64)), *is_in, "seed {seed}, {key}");
                }
                let all: Vec<_> = intervals.0.iter().collect();
                assert!(all.windows(2).all(|pair| pair[0].1.is_some_and(|end| end < *pair[1].0)));
            }
        }
    }
}
