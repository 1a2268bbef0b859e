//! Leaves that are split because many want them at once, though they have room.
//!
//! Changes of neighbouring entries wait for each other only since they lie in one page. So a leaf where that happens often is split between the
//! entries that are fought for (Alhomssi, Leis, Haubenschild, 2021, after LeanStore, ICDE 2018: "contention split"). Differences:
//!
//! - Only waits are looked at. LeanStore samples all changes, which costs each of them a random number; here a change that
//!   finds its leaf free adds one to the leaf's count of changes, under the latch, and that is all.
//! - The leaf is split before the change that has waited is made: it was only looked for so far, and is looked for again. So a split that cannot be
//!   made (disk full) is no error of anything.
//! - What was seen of a leaf lies in a few places of its tree, not in the page: a leaf that nobody waits for has none.
//!
//! Invariants
//! - X1: both entries that are fought for are in the leaf, and one goes to either side: a single hot entry never splits its leaf, and neither do
//!   inserts, whose fight moves on with the keys that are added.
//! - X2: both halves have [`ContentionRule::entries_min`] entries at least.
//! - X3: for [`ContentionRule::apart_changes`] changes the halves are not merged, unless one is empty.
//!
//! Left out: merging them when the fight is over; they are merged as all leaves are, when one is underfull after something was taken out.

use super::base::{Base, Format};
use crate::page::PageId;
use crate::pool::{ContentionRule, PageWrite};
use damask_types::Result;
use parking_lot::Mutex;
use std::borrow::Borrow;
use std::sync::OnceLock;

/// Leaves of a tree that are watched at one time.
const WATCHED: usize = 8;

/// What was seen of a leaf.
#[derive(Debug)]
struct Watched<K> {
    leaf: PageId,
    /// The leaf's count of changes when it was first seen.
    since: u32,
    /// The entry that was last waited for.
    last: K,
    /// How often that was another than the time before.
    crossings: u32,
}

/// The leaves of a tree that changes have waited for.
#[derive(Debug)]
pub(super) struct Fights<K>(OnceLock<Box<[Mutex<Option<Watched<K>>>; WATCHED]>>);

impl<K: Ord> Fights<K> {
    pub(super) fn new() -> Self {
        Self(OnceLock::new())
    }

    /// A change of `key` has waited for its leaf, which has had so many changes. The entry that it fights with, if there is enough of a
    /// fight between the two; it is forgotten then.
    fn note(&self, rule: &ContentionRule, leaf: PageId, changes: u32, key: K) -> Option<K> {
        let places = self.0.get_or_init(|| Box::new([const { Mutex::new(None) }; WATCHED]));
        let mut place = places[leaf.0 as usize % WATCHED].lock();
        let watched = place.as_mut().filter(|watched| {
            watched.leaf == leaf && changes.wrapping_sub(watched.since) <= rule.window_changes
        });
        let Some(watched) = watched else {
            // Another leaf that was watched here is forgotten.
            *place = Some(Watched { leaf, since: changes, last: key, crossings: 0 });
            return None;
        };
        if watched.last == key {
            return None;
        }
        let other = std::mem::replace(&mut watched.last, key);
        watched.crossings += 1;
        if watched.crossings < rule.crossings {
            return None;
        }
        *place = None;
        Some(other)
    }
}

impl<F: Format> Base<F> {
    /// The change of `probe` has waited for `leaf`. Gives the leaf back, unless it was split and has to be looked for again.
    #[cold]
    pub(super) fn after_wait<'p>(
        &'p self,
        leaf: PageWrite<'p>,
        probe: &F::Probe,
    ) -> Result<Option<PageWrite<'p>>> {
        let contention = self.pool.contention();
        if !contention.is_picked() {
            return Ok(Some(leaf));
        }
        let rule = &contention.rule;
        let Some(own) = F::find_entry(&leaf, probe)? else { return Ok(Some(leaf)) };
        let fight = self.fights.note(rule, leaf.page(), leaf.change_count(), probe.to_owned());
        let Some(other) = fight else { return Ok(Some(leaf)) };
        if !F::has(&leaf, other.borrow())? {
            return Ok(Some(leaf));
        }
        let Some(other) = F::find_entry(&leaf, other.borrow())? else { return Ok(Some(leaf)) };
        let cut = cut_between(own, other, F::count(&leaf)?, rule.entries_min);
        let Some(cut) = cut else { return Ok(Some(leaf)) };
        // If it cannot be split they go on waiting for each other.
        if self.split_apart(leaf, cut).is_ok_and(|is_split| is_split) {
            contention.note_split();
        }
        Ok(None)
    }
}

/// Where to cut a leaf of `count` entries so that of two of them one goes to either side: near the middle, if that is between them.
fn cut_between(one: usize, other: usize, count: usize, entries_min: usize) -> Option<usize> {
    let lowest = (one.min(other) + 1).max(entries_min);
    let highest = one.max(other).min(count.saturating_sub(entries_min));
    (lowest <= highest).then(|| (count / 2).clamp(lowest, highest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_lies_between() {
        for (one, other, count, cut) in [
            (4, 5, 10, Some(5)),
            (5, 4, 10, Some(5)),
            (0, 9, 10, Some(5)),
            (7, 9, 10, Some(8)),
            (0, 1, 10, None),
            (0, 2, 10, Some(2)),
            (8, 9, 10, None),
            (1, 2, 4, Some(2)),
            (0, 1, 2, None),
            (1, 2, 3, None),
        ] {
            assert_eq!(cut_between(one, other, count, 2), cut, "{one} {other} of {count}");
        }
    }

    #[test]
    fn a_fight_is_between_two_and_within_a_window() {
        let rule =
            ContentionRule { window_changes: 100, crossings: 3, ..ContentionRule::default() };
        let (fights, leaf) = (Fights::new(), PageId(7));
        let note = |changes, key| fights.note(&rule, leaf, changes, key);
        assert!((0..50).all(|changes| note(changes, 1).is_none()), "one entry");
        assert_eq!((note(60, 2), note(70, 1), note(80, 2)), (None, None, Some(1)));
        assert_eq!((note(81, 1), note(82, 2)), (None, None), "it begins anew");
        // The window ends, across the counter's end too.
        assert_eq!((note(182, 1), note(u32::MAX, 2), note(5, 1)), (None, None, None));
        assert_eq!((note(6, 2), note(7, 1)), (None, Some(2)));
        // Another leaf in the same place.
        let other = PageId(7 + WATCHED as u32);
        note(8, 1);
        assert_eq!(fights.note(&rule, other, 9, 1), None);
        assert_eq!((note(10, 2), note(11, 1), note(12, 2)), (None, None, None));
    }
}
