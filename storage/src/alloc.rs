//! The allocator of units: which 4 KiB pieces of the data file are free.
//!
//! Free space is not stored: it is what no block of the last checkpoint owns, computed when the file is opened, so the
//! two cannot disagree. In memory it is a set of runs, found by place (to join neighbours) and by length
//! (to fit).
//!
//! Invariants
//! - A1: a run handed out is owned by nobody else until it is given back.
//! - A2: units that a checkpoint may refer to, the last durable one or one that is being written, are only *deferred*
//!   when freed; they become free when a checkpoint of a later state is durable. Units that no checkpoint names are free
//!   at once.
//! - A3: units 0 and 1, the superblocks, are never handed out.
//!
//! Left out: hole punching inside the file; a buddy system (first fit by size class keeps runs together well
//! enough so far).

use crate::page::UNIT_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Units that hold superblocks.
pub(crate) const SUPERBLOCK_UNITS: u64 = 2;
/// The longest run, in units (4 MiB).
pub(crate) const RUN_UNITS_MAX: u32 = 1024;
/// Bits of a unit number on disk.
const UNIT_BITS: u32 = 40;
/// Bits of a run on disk; what is above belongs to whoever stores it.
pub(crate) const RUN_BITS: u32 = UNIT_BITS + 11;
/// Size classes of free runs, by the power of two below their length.
const CLASSES: usize = UNIT_BITS as usize + 1;
/// Runs of the smallest possible class that are looked at for one that is long enough.
const CLASS_TRIES: usize = 8;
/// A free tail shorter than this stays in the file, in units (1 MiB): it would only grow again.
const TAIL_UNITS_KEPT: u64 = 256;
/// Free units may be one part of this many of the file before short holes are filled.
const HOLES_PART: u64 = 4;

const _: () = assert!(RUN_BITS <= 56 && RUN_UNITS_MAX < 1 << (RUN_BITS - UNIT_BITS));

/// Consecutive units of the data file. Twelve bytes: each page number in use has one in its entry ([`crate::pool`]).
#[repr(C, packed(4))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Run {
    /// The first unit.
    pub(crate) start: u64,
    /// How many; 1 to [`RUN_UNITS_MAX`].
    pub(crate) count: u32,
}

impl Run {
    /// The first byte.
    pub(crate) const fn offset(self) -> u64 {
        self.start * UNIT_BYTES as u64
    }

    /// The unit after the last.
    pub(crate) const fn end(self) -> u64 {
        self.start + self.count as u64
    }

    /// What is left of the run behind its first `count` units.
    pub(crate) fn behind(self, count: u32) -> Option<Self> {
        let left = self.count - count;
        (left > 0).then(|| Self { start: self.start + u64::from(count), count: left })
    }

    /// The run as formats store it: unit number in 40 bits, count above; 0 is "none".
    pub(crate) const fn pack(self) -> u64 {
        self.start | (self.count as u64) << UNIT_BITS
    }

    /// The run a word stands for; `None` if there is none or it is impossible.
    pub(crate) const fn unpack(word: u64) -> Option<Self> {
        let start = word & ((1 << UNIT_BITS) - 1);
        let count = word >> UNIT_BITS;
        if start < SUPERBLOCK_UNITS || count == 0 || count > RUN_UNITS_MAX as u64 {
            return None;
        }
        Some(Self { start, count: count as u32 })
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, count } = *self;
        write!(f, "{start}+{count}")
    }
}

/// Free and deferred units.
#[derive(Debug)]
pub(crate) struct Allocator {
    /// Units the file has, used or free. Everything beyond is free too: the file grows.
    unit_count: u64,
    /// Free runs of any length: first unit to count.
    by_start: BTreeMap<u64, u64>,
    /// First units of the same runs, by class.
    by_class: [BTreeSet<u64>; CLASSES],
    /// Units in free runs.
    free_count: u64,
    /// Freed in an epoch, but named by a checkpoint of a state before it (A2).
    deferred: Vec<(u32, Run)>,
    /// Runs that changed hands during an audit.
    moved: Option<Vec<Run>>,
}

impl Allocator {
    /// An allocator for a file in which exactly `used` is taken, besides the superblocks.
    ///
    /// # Errors
    /// A sentence about two owners of one unit.
    pub(crate) fn from_used(mut used: Vec<Run>) -> Result<Self, String> {
        used.sort_unstable();
        let mut allocator = Self {
            unit_count: SUPERBLOCK_UNITS,
            by_start: BTreeMap::new(),
            by_class: [const { BTreeSet::new() }; CLASSES],
            free_count: 0,
            deferred: Vec::new(),
            moved: None,
        };
        for run in used {
            if run.start < allocator.unit_count {
                return Err(format!("units {run:?} overlap those of another block"));
            }
            if run.start > allocator.unit_count {
                allocator.insert(allocator.unit_count, run.start - allocator.unit_count);
            }
            allocator.unit_count = run.end();
        }
        Ok(allocator)
    }

    /// Units the file needs to have.
    pub(crate) fn unit_count(&self) -> u64 {
        self.unit_count
    }

    /// Units the file needs to have once `freed` and what was deferred up to `epoch` are free.
    pub(crate) fn unit_count_without(&self, freed: &[Run], epoch: u32) -> u64 {
        let deferred = self.deferred.iter().filter(|(at, _)| *at <= epoch).map(|(_, run)| run);
        let freed = freed.iter().chain(deferred).map(|run| (run.end(), run.start));
        let free = self.by_start.iter().map(|(&start, &count)| (start + count, start));
        let starts: BTreeMap<u64, u64> = freed.chain(free).collect();
        let mut end = self.unit_count;
        while let Some(&start) = starts.get(&end) {
            end = start;
        }
        end
    }

    /// Free units inside the file.
    pub(crate) fn free_count(&self) -> u64 {
        self.free_count
    }

    /// Takes a run of exactly `count` units: near the file's beginning, so that its end becomes free; else the file
    /// grows.
    pub(crate) fn allocate(&mut self, count: u32) -> Run {
        assert!((1..=RUN_UNITS_MAX).contains(&count), "a run has 1 to 1024 units");
        let wanted = u64::from(count);
        let run = if let Some(start) = self.find(wanted) {
            let found = self.by_start[&start];
            self.take(start, found);
            if found > wanted {
                self.insert(start + wanted, found - wanted);
            }
            Run { start, count }
        } else {
            self.grow(count)
        };
        self.note(run);
        run
    }

    /// Takes a run of `least` to `wanted` units: a long one where that costs little room.
    ///
    /// What is written together should lie together. But copy-on-write leaves holes all over the file; once they are
    /// [a quarter of it](HOLES_PART), they are filled, longest first, before it grows.
    pub(crate) fn allocate_long(&mut self, wanted: u32, least: u32) -> Run {
        debug_assert!((1..=wanted).contains(&least), "the least is no more than wanted");
        if self.find(u64::from(wanted)).is_some() || self.free_count * HOLES_PART < self.unit_count
        {
            return self.allocate(wanted);
        }
        let longest = self.by_class.iter().rev().find_map(BTreeSet::first);
        let found = longest.map_or(0, |start| self.by_start[start]);
        // A hole of this class may be longer than the first of it; never mind.
        let count = found.min(u64::from(wanted)) as u32;
        self.allocate(count.max(least))
    }

    /// Gives a run back for use at once. No durable checkpoint may name it (A2).
    pub(crate) fn release(&mut self, run: Run) {
        assert!(
            run.start >= SUPERBLOCK_UNITS && run.end() <= self.unit_count,
            "a run of this file"
        );
        self.note(run);
        let (mut start, mut count) = (run.start, u64::from(run.count));
        if let Some((&before, &before_count)) = self.by_start.range(..start).next_back() {
            assert!(before + before_count <= start, "units {run:?} were free already");
            if before + before_count == start {
                self.take(before, before_count);
                start = before;
                count += before_count;
            }
        }
        if let Some((&after, &after_count)) = self.by_start.range(start..).next() {
            assert!(after >= run.end(), "units {run:?} were free already");
            if after == run.end() {
                self.take(after, after_count);
                count += after_count;
            }
        }
        self.insert(start, count);
    }

    /// Gives a run back that the state of `epoch` has no use for, for use after the checkpoint of that state (A2).
    pub(crate) fn defer(&mut self, run: Run, epoch: u32) {
        self.note(run);
        self.deferred.push((epoch, run));
    }

    /// Frees what was deferred up to `epoch`: a checkpoint of that state is durable.
    pub(crate) fn release_deferred(&mut self, epoch: u32) {
        let (free, kept) = self.deferred.drain(..).partition(|(at, _)| *at <= epoch);
        self.deferred = kept;
        let free: Vec<(u32, Run)> = free;
        for (_, run) in free {
            self.release(run);
        }
    }

    /// Deferred and free runs, these cut to the length that a run can have.
    pub(crate) fn spare_runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = self.deferred.iter().map(|(_, run)| *run).collect();
        for (mut start, mut count) in self.free_runs() {
            while count > 0 {
                let step = count.min(u64::from(RUN_UNITS_MAX));
                runs.push(Run { start, count: step as u32 });
                start += step;
                count -= step;
            }
        }
        runs
    }

    /// Forgets a free tail; the number of units the file should be cut to, if that changes enough to matter or `all`.
    pub(crate) fn cut_tail(&mut self, all: bool) -> Option<u64> {
        let (&start, &count) = self.by_start.last_key_value()?;
        if start + count < self.unit_count || (count < TAIL_UNITS_KEPT && !all) {
            return None;
        }
        self.take(start, count);
        self.unit_count = start;
        Some(start)
    }

    /// Free runs by place.
    fn free_runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.by_start.iter().map(|(&start, &count)| (start, count))
    }

    /// From now on notes which runs change hands.
    pub(crate) fn begin_audit(&mut self) {
        self.moved = Some(Vec::new());
    }

    /// The runs that changed hands since [`Self::begin_audit`]; of all others it is still true who owned them then.
    pub(crate) fn end_audit(&mut self) -> Vec<Run> {
        self.moved.take().unwrap_or_default()
    }

    fn note(&mut self, run: Run) {
        if let Some(moved) = &mut self.moved {
            moved.push(run);
        }
    }

    fn grow(&mut self, count: u32) -> Run {
        // A free tail that is too short is the beginning of the new run.
        let mut start = self.unit_count;
        if let Some((&tail, &tail_count)) = self.by_start.last_key_value()
            && tail + tail_count == self.unit_count
        {
            self.take(tail, tail_count);
            start = tail;
        }
        self.unit_count = start + u64::from(count);
        assert!(self.unit_count < 1 << UNIT_BITS, "a data file has less than 2^40 units");
        Run { start, count }
    }

    /// The first free run of each class that is long enough, and of those the first.
    fn find(&self, wanted: u64) -> Option<u64> {
        let class = class(wanted);
        // Runs of the class itself may be shorter than wanted.
        let fits = |start: &&u64| self.by_start[*start] >= wanted;
        let same = self.by_class[class].iter().take(CLASS_TRIES).find(fits);
        let longer = self.by_class[class + 1..].iter().filter_map(BTreeSet::first);
        same.into_iter().chain(longer).min().copied()
    }

    fn insert(&mut self, start: u64, count: u64) {
        self.free_count += count;
        self.by_start.insert(start, count);
        self.by_class[class(count)].insert(start);
    }

    fn take(&mut self, start: u64, count: u64) {
        self.free_count -= count;
        self.by_start.remove(&start);
        self.by_class[class(count)].remove(&start);
    }
}

/// The class of a run's length.
const fn class(count: u64) -> usize {
    count.ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SeededRandom;

    #[test]
    fn runs_survive_packing() {
        for run in [Run { start: 2, count: 1 }, Run { start: (1 << 40) - 1, count: 1024 }] {
            assert_eq!(Run::unpack(run.pack()), Some(run));
        }
        for word in [0, 1, 1 | 4 << 40, 7, 7 | 1025 << 40, u64::MAX] {
            assert_eq!(Run::unpack(word), None, "{word:#x}");
        }
    }

    #[test]
    fn two_owners_of_a_unit_are_found() {
        let used = vec![Run { start: 2, count: 4 }, Run { start: 5, count: 1 }];
        assert!(Allocator::from_used(used).is_err());
    }

    #[test]
    fn the_tail_is_cut() {
        let mut allocator = Allocator::from_used(Vec::new()).unwrap();
        let runs: Vec<_> = (0..4).map(|_| allocator.allocate(1000)).collect();
        allocator.release(runs[3]);
        allocator.release(runs[1]);
        assert_eq!(allocator.cut_tail(false), Some(3002));
        assert_eq!(allocator.cut_tail(false), None);
        assert_eq!(allocator.unit_count_without(&[runs[2]], 1), 1002);
        allocator.defer(runs[2], 1);
        assert_eq!(allocator.unit_count_without(&[runs[0]], 1), 2);
        assert_eq!(allocator.unit_count_without(&[], 1), 1002);
        assert_eq!(allocator.unit_count_without(&[], 0), 3002);
        assert_eq!(allocator.cut_tail(true), None);
        allocator.release_deferred(0);
        assert_eq!(allocator.cut_tail(true), None);
        allocator.release_deferred(1);
        assert_eq!(allocator.cut_tail(true), Some(1002));
    }

    /// Rewriting all over a file neither scatters what is written together nor makes the file grow for ever.
    #[test]
    fn holes_are_filled() {
        let random = SeededRandom::new(1);
        let mut allocator = Allocator::from_used(Vec::new()).unwrap();
        let mut pages: Vec<Run> = (0..4000).map(|_| allocator.allocate(4)).collect();
        let mut runs = 0;
        for _ in 0..200 {
            let mut left = 100;
            while left > 0 {
                let run = allocator.allocate_long(4 * left.min(64), 4);
                left -= run.count / 4;
                if !run.count.is_multiple_of(4) {
                    let count = run.count % 4;
                    allocator.release(Run { start: run.end() - u64::from(count), count });
                }
                runs += 1;
                for i in 0..u64::from(run.count / 4) {
                    let at = random.below(pages.len() as u64) as usize;
                    let page = Run { start: run.start + 4 * i, count: 4 };
                    let old = std::mem::replace(&mut pages[at], page);
                    allocator.release(old);
                }
            }
        }
        let unit_count = allocator.unit_count();
        assert!(unit_count < 16_000 * 3 / 2, "{unit_count} units for 16000");
        assert!(runs < 20_000 / 2, "{runs} runs for 20000 pages");
    }

    /// Random use against a plain map of units.
    #[test]
    fn no_unit_has_two_owners() {
        for seed in 0..20 {
            let random = SeededRandom::new(seed);
            let mut allocator = Allocator::from_used(Vec::new()).unwrap();
            let mut owned: Vec<Run> = Vec::new();
            for _ in 0..400 {
                if random.below(5) < 3 {
                    let count = 1 + random.below(8) as u32;
                    let run = match random.below(2) {
                        0 => allocator.allocate(count),
                        _ => allocator.allocate_long(4 * count, 4),
                    };
                    assert!(run.count <= 4 * count);
                    let clash = owned.iter().any(|o| run.start < o.end() && o.start < run.end());
                    assert!(!clash, "seed {seed}: {run:?}");
                    owned.push(run);
                } else if !owned.is_empty() {
                    let run = owned.swap_remove(random.below(owned.len() as u64) as usize);
                    allocator.release(run);
                }
                let used: u64 = owned.iter().map(|run| u64::from(run.count)).sum();
                assert_eq!(used + allocator.free_count() + 2, allocator.unit_count());
            }
            let rebuilt = Allocator::from_used(owned).unwrap();
            allocator.cut_tail(true);
            assert!(rebuilt.free_runs().eq(allocator.free_runs()), "seed {seed}");
        }
    }
}
