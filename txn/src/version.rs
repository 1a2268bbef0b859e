//! What older snapshots need of changed rows, and who holds rows: the version table.
//!
//! A page holds a row's newest state. Each change pushes a [`Version`] on the row's list: whose change it is, and the row
//! as it was before. A reader starts from the page and walks back until it meets a change it may see. Rows without an
//! entry are as the page says, for everybody.
//!
//! Example: T1 (committed at 5) updated `a` to `b`, T2 (active) deleted the row. The page says "ghost" (deleted), the list is
//! `[T1 before=a, T2 before=b]`. A snapshot at 4 walks over T2 (`b`) and T1 (`a`): it reads `a`. At 5 it stops at T1: `b`.
//!
//! Of rows that a command inserts one after the other the versions are kept as ranges ([`crate::births`]).
//!
//! Invariants
//! - V1: a row's page state and its list change together, under the leaf's exclusive latch; readers look at both under
//!   its shared latch. A row with versions is flagged in its leaf.
//! - V2: only the newest versions of a list can be pending, and all pending ones belong to one transaction: the list is the
//!   row's exclusive lock.
//! - V3: versions at or below the watermark are dropped oldest first; what they replaced is seen by nobody.
//!
//! Also here: explicit row locks (FOR SHARE and its like), which change no page and are not logged.

use crate::cell::{Outcome, TxnCell};
use crate::gc::PRUNE_LEN;
use crate::horizon::Horizon;
use crate::image::Image;
use crate::isolation::ReadView;
use crate::table::RowLock;
use crate::version_copy::Copying;
use damask_types::{CommandId, Result, RowId, Timestamp};
use hashbrown::HashMap;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::sync::Arc;

/// Parts of the table, each with its own mutex. A power of two.
const SHARDS: usize = 256;

/// A heap (one table's row tree) in memory words; see [`crate::heap::Heap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct HeapId(pub(crate) u32);

/// One change of a row.
#[derive(Debug)]
pub(crate) struct Version {
    /// Who made it.
    pub(crate) cell: Arc<TxnCell>,
    /// By which command.
    pub(crate) command: CommandId,
    /// The list of the heap's indexes ([`Heap::list_number`](crate::directory::Heap::list_number)) of which none has another key for
    /// the row before it; 0 if there may be other keys. So while that list is the newest, nothing is left in indexes when it goes.
    pub(crate) same_keys: u32,
    /// How strongly it holds the row while it is pending, and what it means to who locks the row later: FOR KEY SHARE
    /// does not mind a committed change of other columns. The strongest of those that were pruned into it, too.
    pub(crate) lock: RowLock,
    /// The row before it; `None` if there was none.
    pub(crate) before: Option<Image>,
    /// If it deleted the row: where its command put the row instead (an alias key was changed).
    pub(crate) moved_to: Option<RowId>,
}

impl Version {
    /// Whether a view sees this change.
    #[inline]
    pub(crate) fn seen_by(&self, view: &ReadView) -> bool {
        view.sees_change(&self.cell, self.command)
    }

    /// When it was committed.
    pub(crate) fn committed(&self) -> Option<Timestamp> {
        match self.cell.outcome() {
            Outcome::Committed(timestamp) => Some(timestamp),
            Outcome::Active(_) | Outcome::Aborted => None,
        }
    }
}

/// What became of the row that someone saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet, or it was changed where it is.
    Here,
    /// It was deleted. What is in its place is another row.
    Deleted,
    /// It is in another place.
    Moved(Arrival),
}

/// A row's way into a place: what tells it from other rows that were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) row: RowId,
    /// When the transaction that put it there committed.
    at: Timestamp,
    /// The command that did.
    command: CommandId,
}

/// An explicit lock on a row.
#[derive(Debug)]
pub(crate) struct RowLockHolder {
    pub(crate) cell: Arc<TxnCell>,
    pub(crate) lock: RowLock,
}

/// A row's versions, oldest first, and its explicit locks.
#[derive(Debug, Default)]
pub(crate) struct RowState {
    pub(crate) versions: SmallVec<[Version; 1]>,
    pub(crate) locks: Vec<RowLockHolder>,
}

/// Where a view's state of a row is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// The page has it (which may be that it is deleted), if there are versions; else also if the row is in a range
    /// that hides it ([`crate::births`]).
    Page,
    /// It is this.
    Image(&'a Image),
    /// There is no row.
    Absent,
}

impl RowState {
    /// Where the state is that `view` sees.
    pub(crate) fn find(&self, view: &ReadView) -> Found<'_> {
        let mut found = Found::Page;
        for version in self.versions.iter().rev() {
            if version.seen_by(view) {
                break;
            }
            found = version.before.as_ref().map_or(Found::Absent, Found::Image);
        }
        found
    }

    /// Drops the versions at or below `watermark`.
    pub(crate) fn truncate(&mut self, watermark: Timestamp) -> SmallVec<[Version; 1]> {
        let count = self
            .versions
            .iter()
            .take_while(|version| {
                matches!(version.cell.outcome(), Outcome::Committed(at) if at <= watermark)
            })
            .count();
        self.versions.drain(..count).collect()
    }

    /// Drops versions up to `horizon` that lie between `snapshots`, which are ascending: of two changes that no snapshot
    /// tells apart the younger stays, with the row before the older. What is dropped goes to `dropped`, with rows nobody reads.
    pub(crate) fn prune(
        &mut self,
        snapshots: &[u64],
        horizon: Timestamp,
        dropped: &mut SmallVec<[Version; 1]>,
    ) {
        let mut at = 0;
        while at + 1 < self.versions.len() {
            let (older, newer) = (&self.versions[at], &self.versions[at + 1]);
            let (Some(first), Some(second)) = (older.committed(), newer.committed()) else {
                return;
            };
            // The state between the two changes is seen by snapshots from the first up to just before the second.
            let next = snapshots.partition_point(|snapshot| *snapshot < first.0);
            let is_seen = snapshots.get(next).is_some_and(|snapshot| *snapshot < second.0);
            // The end of a row that a snapshot may see is kept: whoever waits for that row follows it, or finds it deleted.
            // Other ends are kept while they are few, for who has followed the row to here.
            let is_end = newer.before.is_none()
                && (older.before.is_some() || self.versions.len() <= PRUNE_LEN);
            if is_seen || is_end || second > horizon {
                at += 1;
                continue;
            }
            let mut older = self.versions.remove(at);
            let newer = &mut self.versions[at];
            // The row in between has the keys of one of its neighbours, if either change kept them.
            (older.same_keys, newer.same_keys) =
                (older.same_keys.max(newer.same_keys), older.same_keys.min(newer.same_keys));
            newer.lock = newer.lock.max(older.lock);
            std::mem::swap(&mut newer.before, &mut older.before);
            dropped.push(older);
        }
    }

    fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.locks.is_empty()
    }
}

/// What shown commits made of the row that a reader at `seen` sees in a place with these `versions`, or that arrived there later by
/// `arrival`.
///
/// `is_ghost` tells the page's state: no row after the newest version.
pub(crate) fn fate(
    versions: &[Version],
    seen: &Horizon,
    arrival: Option<Arrival>,
    is_ghost: bool,
    is_shown: impl Fn(Timestamp) -> bool,
) -> Fate {
    let all = versions.iter().enumerate();
    let later = all.skip_while(|(_, version)| match (arrival, version.cell.outcome()) {
        (None, Outcome::Committed(at)) => seen.sees(at),
        (Some(arrival), Outcome::Committed(at)) => {
            (at, version.command) < (arrival.at, arrival.command) || version.before.is_some()
        }
        (_, Outcome::Active(_) | Outcome::Aborted) => false,
    });
    for (i, version) in later {
        let Outcome::Committed(at) = version.cell.outcome() else {
            break;
        };
        let is_deletion = versions.get(i + 1).map_or(is_ghost, |next| next.before.is_none());
        if is_deletion {
            if !is_shown(at) {
                break;
            }
            let arrival = |row| Arrival { row, at, command: version.command };
            return version.moved_to.map_or(Fate::Deleted, |row| Fate::Moved(arrival(row)));
        }
    }
    Fate::Here
}

/// A part of the table.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) map: HashMap<(HeapId, RowId), RowState, foldhash::fast::RandomState>,
    /// A checkpoint has not copied it yet ([`crate::version_copy`]).
    pub(crate) is_due: bool,
}

type Shard = Mutex<Rows>;

/// All row states.
pub(crate) struct VersionTable {
    shards: Box<[Shard]>,
    /// The copy that a checkpoint makes. Its mutex comes behind those of the parts.
    pub(crate) copying: Mutex<Option<Copying>>,
    #[cfg(test)]
    pub(crate) is_planted: std::sync::atomic::AtomicBool,
}

impl VersionTable {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self {
            shards,
            copying: Mutex::new(None),
            #[cfg(test)]
            is_planted: std::sync::atomic::AtomicBool::default(),
        }
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }

    #[inline]
    fn shard(&self, heap: HeapId, row: RowId) -> &Shard {
        &self.shards[stripe(heap, row) & (SHARDS - 1)]
    }

    /// Looks at a row's state, if it has one, under its shard's mutex.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        heap: HeapId,
        row: RowId,
        look: impl FnOnce(Option<&RowState>) -> R,
    ) -> R {
        look(self.shard(heap, row).lock().map.get(&(heap, row)))
    }

    /// Changes a row's state, which is made for it and forgotten when it is left empty.
    pub(crate) fn change<R>(
        &self,
        heap: HeapId,
        row: RowId,
        change: impl FnOnce(&mut RowState) -> R,
    ) -> R {
        let mut rows = self.shard(heap, row).lock();
        if rows.is_due && !self.copies_late() {
            self.copy(&mut rows);
        }
        match rows.map.entry((heap, row)) {
            hashbrown::hash_map::Entry::Occupied(mut entry) => {
                let result = change(entry.get_mut());
                if entry.get().is_empty() {
                    entry.remove();
                }
                result
            }
            hashbrown::hash_map::Entry::Vacant(entry) => {
                let mut state = RowState::default();
                let result = change(&mut state);
                if !state.is_empty() {
                    entry.insert(state);
                }
                result
            }
        }
    }

    #[cfg(not(test))]
    fn copies_late(&self) -> bool {
        let _ = self;
        false
    }

    /// Whether a test has planted that a part is changed before it is copied.
    #[cfg(test)]
    fn copies_late(&self) -> bool {
        self.is_planted.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Visits every row state, part by part.
    pub(crate) fn for_each(
        &self,
        mut visit: impl FnMut(HeapId, RowId, &RowState) -> Result<()>,
    ) -> Result<()> {
        for shard in &self.shards {
            for (&(heap, row), state) in &shard.lock().map {
                visit(heap, row, state)?;
            }
        }
        Ok(())
    }
}

/// Spreads rows over a power of two of places.
#[inline]
pub(crate) fn stripe(heap: HeapId, row: RowId) -> usize {
    let mixed = (row.0 ^ u64::from(heap.0) << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A committed change; the row before it is named after it.
    fn version(at: u64, same_keys: u32) -> Version {
        Version {
            cell: Arc::new(TxnCell::committed(Timestamp(at))),
            command: CommandId(0),
            same_keys,
            lock: RowLock::NoKeyUpdate,
            before: Some(Image::Memory(Box::from([at as u8]))),
            moved_to: None,
        }
    }

    fn shown(versions: &[Version]) -> Vec<(u8, u32)> {
        let before = |version: &Version| version.before.as_ref().unwrap().load().unwrap()[0];
        versions.iter().map(|version| (before(version), version.same_keys)).collect()
    }

    #[test]
    fn a_pruned_row_has_the_keys_of_a_neighbour_or_is_looked_at() {
        let pruned = |keys: [u32; 3]| {
            let mut state = RowState::default();
            state
                .versions
                .extend([2, 4, 6].into_iter().zip(keys).map(|(at, same)| version(at, same)));
            let mut dropped = SmallVec::new();
            state.prune(&[1], Timestamp(10), &mut dropped);
            (shown(&state.versions), shown(&dropped))
        };
        assert_eq!(pruned([7, 7, 7]), (vec![(2, 7)], vec![(4, 7), (6, 7)]));
        // The first change has changed keys: the row before it must be looked at when it goes.
        assert_eq!(pruned([0, 7, 7]), (vec![(2, 0)], vec![(4, 7), (6, 7)]));
        assert_eq!(pruned([7, 0, 0]), (vec![(2, 0)], vec![(4, 7), (6, 0)]));
        assert_eq!(pruned([0, 0, 0]), (vec![(2, 0)], vec![(4, 0), (6, 0)]));
    }
}
