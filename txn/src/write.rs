//! Changes of rows: what INSERT, UPDATE, DELETE and row locks do; [`crate::undo`] turns each back.
//!
//! The order of steps makes every moment right for readers, who hold only a leaf's or an index's shared latch:
//! - forward: push the version, change the page (flagging the row), change the indexes, note undo and redo;
//! - backward: change the indexes back, then the page, then pop the version.
//!
//! So whoever sees an uncommitted page state or index entry also finds the version that tells what was before. Writers
//! of one row, and the garbage collector, exclude each other by the row's stripe; a pending version keeps other
//! transactions off. Nothing is held while waiting (M4): a blocked writer lets go of everything, waits, and looks again.

use crate::cell::{Outcome, TxnCell};
use crate::directory::{Heap, Index, Relation};
use crate::engine::{Blocker, Engine};
use crate::gate::Inside;
use crate::gc::{Changed, PRUNE_LEN};
use crate::horizon::Horizon;
use crate::image::Image;
use crate::isolation::ReadView;
use crate::keys::Conflict;
use crate::table::{RowLock, Wait, WriteOutcome};
use crate::txn::{Txn, Undo};
use crate::upsert::Arbiters;
use crate::version::{Arrival, Fate, Found, RowLockHolder, Version, fate};
use crate::{IsolationLevel, LockOutcome};
use damask_storage::row::RowLayout;
use damask_storage::tree::RowFlags;
use damask_types::{ColumnIndex, Error, Result, RowId, SqlState, Timestamp, Value};
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl RowLock {
    /// PostgreSQL's table of conflicts between row locks.
    pub fn conflicts_with(self, other: Self) -> bool {
        match self {
            Self::KeyShare => other == Self::Update,
            Self::Share => other >= Self::NoKeyUpdate,
            Self::NoKeyUpdate => other >= Self::Share,
            Self::Update => true,
        }
    }
}

/// The latches of a writer of one row.
pub(crate) struct Held<'e> {
    pub(crate) _gate: Inside<'e>,
    pub(crate) _stripe: MutexGuard<'e, ()>,
}

/// What a writer finds.
pub(crate) enum Reached<'e> {
    /// It may change the row, which is this.
    Free(Held<'e>, Vec<u8>),
    /// Another transaction changed it since the snapshot; it is here now, and we have its lock.
    Changed(RowId),
    /// It is deleted.
    Gone,
    /// This command or a later one of ours changed it.
    SelfModified,
    /// It is locked, and we do not wait.
    Skipped,
}

/// What a change leaves in a row's place.
#[derive(Clone, Copy)]
enum After<'a> {
    Row(&'a [u8]),
    Nothing,
    /// Nothing; the same command puts the row there.
    MovedTo(RowId),
}

/// What the version table says to a writer.
enum Verdict {
    Free,
    Blocked(Blocker),
    /// Changed by a commit after our snapshot.
    Changed,
    SelfModified,
}

impl Engine {
    /// Whether `cell`'s transaction stands in the way of `txn`: it is open, or its commit is not given yet.
    pub(crate) fn blocks(&self, cell: &Arc<TxnCell>, txn: &Txn) -> bool {
        if Arc::ptr_eq(cell, &txn.cell) {
            return false;
        }
        match cell.outcome() {
            Outcome::Active(_) => true,
            Outcome::Committed(timestamp) => !self.is_given(txn, timestamp),
            Outcome::Aborted => false,
        }
    }

    /// Whether `txn` may take the commit at `commit` for given: it is shown, or `txn` does not wait for that.
    fn is_given(&self, txn: &Txn, commit: Timestamp) -> bool {
        self.is_shown(commit) || txn.builds_on(commit)
    }

    /// Looks at a row's versions and locks for a writer that wants `lock` on the row as a view at `seen` shows it.
    fn judge(
        &self,
        txn: &Txn,
        versions: &[Version],
        locks: &[RowLockHolder],
        lock: RowLock,
        seen: &Horizon,
    ) -> Verdict {
        let is_own = |holder: &RowLockHolder| Arc::ptr_eq(&holder.cell, &txn.cell);
        // What FOR KEY SHARE wants stays as it is through changes of other columns.
        let is_lost = |version: &Version| {
            version.lock.conflicts_with(lock)
                && matches!(version.cell.outcome(), Outcome::Committed(at) if !seen.sees(at))
        };
        let newest_is_own =
            versions.last().is_some_and(|newest| Arc::ptr_eq(&newest.cell, &txn.cell));
        // A snapshot that is kept has lost already if there is a commit after it, whoever locked the row since. What others did
        // in a place before we put a row there is nothing to that row.
        if txn.isolation() != IsolationLevel::ReadCommitted
            && !newest_is_own
            && let Some(version) = versions.iter().rfind(|version| is_lost(version))
        {
            if let Outcome::Committed(at) = version.cell.outcome() {
                txn.note_lost(at);
            }
            return Verdict::Changed;
        }
        let is_lost = || versions.iter().any(is_lost);
        for holder in locks.iter().filter(|holder| !is_own(holder)) {
            if holder.lock.conflicts_with(lock) && self.blocks(&holder.cell, txn) {
                return Verdict::Blocked(Blocker::new(&holder.cell));
            }
        }
        let Some(newest) = versions.last() else {
            return Verdict::Free;
        };
        if newest_is_own {
            let is_seen = newest.command < txn.command;
            return if is_seen { Verdict::Free } else { Verdict::SelfModified };
        }
        match newest.cell.outcome() {
            Outcome::Active(_) if newest.lock.conflicts_with(lock) => {
                Verdict::Blocked(Blocker::new(&newest.cell))
            }
            Outcome::Committed(at) if !self.is_given(txn, at) => {
                Verdict::Blocked(Blocker::new(&newest.cell))
            }
            Outcome::Active(_) | Outcome::Committed(_) if is_lost() => Verdict::Changed,
            Outcome::Active(_) | Outcome::Committed(_) | Outcome::Aborted => Verdict::Free,
        }
    }

    /// Waits until `txn` may change or lock the row that a view at `seen` shows, and decides what it finds. Follows the row
    /// where commits after `seen` moved it.
    pub(crate) fn reach<'e>(
        &'e self,
        txn: &mut Txn,
        heap: &Arc<Heap>,
        row: RowId,
        lock: RowLock,
        wait: Wait,
        seen: &Horizon,
    ) -> Result<Reached<'e>> {
        let wanted = row;
        let mut row = row;
        let mut arrival = None;
        let mut place = None;
        loop {
            let held = Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) };
            let current = heap.tree.get(row)?.filter(|(_, flags)| !flags.has(RowFlags::GHOST));
            let (fate, verdict) = self.with_state(heap, row, |versions, locks| {
                self.look(txn, versions, locks, arrival, current.is_none(), lock, seen)
            });
            match fate {
                Fate::Here => {}
                Fate::Deleted => return Self::gone(txn, true),
                Fate::Moved(to) => {
                    if txn.isolation() != IsolationLevel::ReadCommitted {
                        return Err(serialization("update"));
                    }
                    row = to.row;
                    arrival = Some(to);
                    continue;
                }
            }
            let mut has_changed = arrival.is_some();
            match verdict {
                Verdict::Blocked(blocker) => {
                    drop(held);
                    match wait {
                        Wait::Wait => {}
                        Wait::Skip => return Ok(Reached::Skipped),
                        Wait::NoWait => {
                            return Err(Error::new(
                                SqlState::LOCK_NOT_AVAILABLE,
                                "could not obtain lock on row",
                            ));
                        }
                    }
                    let place = place
                        .get_or_insert_with(|| self.row_queues.join(heap.id, wanted, txn.id()));
                    // Whom the row waited for before it was our turn tells nothing of now.
                    if !place.wait_turn(&self.graph, &*txn.interrupt)? {
                        self.wait_for(txn.id(), blocker, &*txn.interrupt)?;
                    }
                    continue;
                }
                Verdict::SelfModified => return Ok(Reached::SelfModified),
                Verdict::Changed => has_changed = true,
                Verdict::Free => {}
            }
            let Some((bytes, _)) = current else {
                return Self::gone(txn, has_changed);
            };
            if has_changed {
                if txn.isolation() != IsolationLevel::ReadCommitted {
                    return Err(serialization("update"));
                }
                self.push_lock(txn, heap, row, lock);
                return Ok(Reached::Changed(row));
            }
            return Ok(Reached::Free(held, bytes));
        }
    }

    /// What became of the row that a view at `seen` shows here, or that came later by `arrival`, and what a writer that wants `lock`
    /// on it has to do.
    fn look(
        &self,
        txn: &Txn,
        versions: &[Version],
        locks: &[RowLockHolder],
        arrival: Option<Arrival>,
        is_ghost: bool,
        lock: RowLock,
        seen: &Horizon,
    ) -> (Fate, Verdict) {
        // A row of our own that the view sees is here, whatever others did in its place before it. One that this command
        // put there is not what was found: that may have moved on.
        let is_own = versions.last().is_some_and(|newest| {
            Arc::ptr_eq(&newest.cell, &txn.cell) && newest.command < txn.command
        });
        let found = if is_own && arrival.is_none() {
            Fate::Here
        } else {
            fate(versions, seen, arrival, is_ghost, |at| self.is_given(txn, at))
        };
        match found {
            Fate::Here => (found, self.judge(txn, versions, locks, lock, seen)),
            Fate::Deleted | Fate::Moved(_) => (found, Verdict::Changed),
        }
    }

    /// What a writer is told of a row that is deleted, after its snapshot or not.
    fn gone<'e>(txn: &Txn, is_lost: bool) -> Result<Reached<'e>> {
        if is_lost && txn.isolation() != IsolationLevel::ReadCommitted {
            return Err(serialization("delete"));
        }
        Ok(Reached::Gone)
    }

    /// Notes an explicit lock, unless we hold one as strong.
    pub(crate) fn push_lock(&self, txn: &mut Txn, heap: &Arc<Heap>, row: RowId, lock: RowLock) {
        let cell = &txn.cell;
        let is_new = self.versions.change(heap.id, row, |state| {
            let own = |holder: &RowLockHolder| Arc::ptr_eq(&holder.cell, cell);
            if state.locks.iter().any(|holder| own(holder) && holder.lock >= lock) {
                return false;
            }
            state.locks.push(RowLockHolder { cell: Arc::clone(cell), lock });
            true
        });
        if is_new {
            txn.undo.push(Undo::RowLock { heap: Arc::clone(heap), row, lock });
        }
    }

    /// Pushes a version and then changes the page; the version is gone again if the page cannot be changed. False if the row was to
    /// come into a place that has one: runs of rows are put into free places without their stripes.
    fn change_row(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        row: RowId,
        lock: RowLock,
        before: Option<&[u8]>,
        after: After<'_>,
    ) -> Result<bool> {
        let (after, moved_to) = match after {
            After::Row(bytes) => (Some(bytes), None),
            After::Nothing => (None, None),
            After::MovedTo(row) => (None, Some(row)),
        };
        let version = Version {
            cell: Arc::clone(&txn.cell),
            command: txn.command,
            same_keys: 0,
            lock,
            before: before.map(|bytes| Image::Memory(Box::from(bytes))),
            moved_to,
        };
        heap.versions.fetch_add(1, Ordering::AcqRel);
        self.counters.versions.fetch_add(1, Ordering::Relaxed);
        if let Some(image) = &version.before {
            self.count_image(image);
        }
        let is_recalled = before.is_some() && self.recall_birth(txn, relation, heap, row);
        self.versions.change(heap.id, row, |state| state.versions.push(version));
        let changed = heap.tree.modify(row, |slot| {
            let is_taken = slot.current().is_some_and(|(_, flags)| !flags.has(RowFlags::GHOST));
            if before.is_none() && is_taken {
                return Ok(false);
            }
            match after {
                Some(bytes) => slot.put(bytes, RowFlags::VERSIONED),
                None => slot.set_flags(RowFlags::VERSIONED.with(RowFlags::GHOST)),
            }
            Ok(true)
        });
        if !matches!(changed, Ok(true)) {
            self.pop_version(heap, row);
            if is_recalled {
                self.pop_version(heap, row);
            }
            // Somebody may have met that version.
            txn.cell.notify();
            return changed;
        }
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len() as i64);
        heap.count(
            i64::from(after.is_some()) - i64::from(before.is_some()),
            len(after) - len(before),
        );
        txn.undo.push(Undo::Row { relation: Arc::clone(relation), heap: Arc::clone(heap), row });
        Ok(true)
    }

    /// Gives a row that is in a range its version back that says who inserted it (B2 of [`crate::births`]). True if that is the
    /// transaction that changes it now: what undoes the change takes this version back, too ([`Engine::undo`]).
    fn recall_birth(
        &self,
        txn: &Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        row: RowId,
    ) -> bool {
        let Some(born) = heap.births.version(row) else { return false };
        let (committed, is_own) = (born.committed(), Arc::ptr_eq(&born.cell, &txn.cell));
        let is_recalled = self.versions.change(heap.id, row, |state| {
            let is_recalled = state.versions.is_empty();
            if is_recalled {
                state.versions.push(born);
            }
            is_recalled
        });
        if !is_recalled {
            return false;
        }
        heap.versions.fetch_add(1, Ordering::AcqRel);
        self.counters.versions.fetch_add(1, Ordering::Relaxed);
        if let Some(at) = committed {
            let row = (Arc::clone(relation), Arc::clone(heap), row);
            self.garbage.add(at, vec![Changed::Row(row)]);
        }
        is_own
    }

    pub(crate) fn pop_version(&self, heap: &Heap, row: RowId) {
        let popped = self.versions.change(heap.id, row, |state| state.versions.pop());
        if let Some(image) = popped.and_then(|version| version.before) {
            self.discount_image(&image);
        }
        heap.versions.fetch_sub(1, Ordering::AcqRel);
        self.counters.versions.fetch_sub(1, Ordering::Relaxed);
    }

    /// Inserts the row `bytes` that `values` were encoded to.
    pub(crate) fn insert_row(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        values: &[Value],
        bytes: &[u8],
    ) -> Result<RowId> {
        let inserted = self.insert_row_unless(txn, relation, values, bytes, &Arbiters::NONE)?;
        inserted.ok_or_else(|| Error::internal("an insert without arbiters met one"))
    }

    /// Inserts a row, unless another one has or may get one of its keys that are arbiters: `None` then, and nothing is left of it.
    pub(crate) fn insert_row_unless(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        values: &[Value],
        bytes: &[u8],
        arbiters: &Arbiters,
    ) -> Result<Option<RowId>> {
        txn.check_writable()?;
        txn.expect();
        let heap = relation.heap.load_full();
        let row = match &relation.alias {
            Some(alias) => alias.row(values)?,
            None => RowId(heap.allocate_rows(1)),
        };
        let is_inserted = self.insert_at(txn, relation, &heap, row, bytes, arbiters)?;
        Ok(is_inserted.then_some(row))
    }

    /// Inserts a row under an id; false if an arbiter forbids it, and nothing is left of it then.
    pub(crate) fn insert_at(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        row: RowId,
        bytes: &[u8],
        arbiters: &Arbiters,
    ) -> Result<bool> {
        let savepoint = txn.savepoint();
        let is_inserted = Self::atomically(txn, |txn| {
            let layout = relation.layout.load();
            let after = After::Row(bytes);
            loop {
                let held = match &relation.alias {
                    None => Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) },
                    Some(alias) => match self.reach_free_place(txn, heap, row)? {
                        Some(held) => held,
                        None if arbiters.has_alias() => return Ok(false),
                        None => return Err(txn.blame(alias.duplicate(row))),
                    },
                };
                Self::check_programs(heap, &layout, bytes)?;
                let is_done =
                    self.change_row(txn, relation, heap, row, RowLock::Update, None, after)?;
                drop(held);
                if is_done {
                    break;
                }
            }
            txn.redo.insert(relation.rel, row, bytes);
            for index in heap.indexes.load().iter() {
                if !arbiters.has(index) {
                    self.add_entry(txn, heap, &layout, index, row, bytes)?;
                } else if self.try_add_entry(txn, heap, &layout, index, row, bytes)?.is_some() {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        if !is_inserted {
            txn.rollback_to(savepoint)?;
        }
        Ok(is_inserted)
    }

    /// Runs what indexes compute of a row that is to be written. What they raise must come before the row is there: undoing it
    /// computes its keys again, and so does whoever finds it.
    pub(crate) fn check_programs(heap: &Heap, layout: &RowLayout, row: &[u8]) -> Result<()> {
        let mut key = Vec::new();
        for index in heap.indexes.load().iter().filter(|index| index.program.is_some()) {
            index.checked_key_of(layout, row, &mut key)?;
        }
        Ok(())
    }

    /// Waits until nobody is changing the place of an alias key; `None` if it is taken then.
    fn reach_free_place<'e>(
        &'e self,
        txn: &Txn,
        heap: &Heap,
        row: RowId,
    ) -> Result<Option<Held<'e>>> {
        loop {
            let held = Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) };
            match self.place_conflict(txn, heap, row)? {
                None => return Ok(Some(held)),
                Some(Conflict::Duplicate | Conflict::Later) => return Ok(None),
                Some(Conflict::Wait(blocker)) => {
                    drop(held);
                    self.wait_for(txn.id(), blocker, &*txn.interrupt)?;
                }
            }
        }
    }

    /// Whether the place of an alias key is taken, or may be when who is changing it is done.
    pub(crate) fn place_conflict(
        &self,
        txn: &Txn,
        heap: &Heap,
        row: RowId,
    ) -> Result<Option<Conflict>> {
        heap.tree.read(row, |slot| {
            let is_live = slot.is_some_and(|(_, flags)| !flags.has(RowFlags::GHOST));
            self.with_state(heap, row, |versions, _| {
                match versions.last().filter(|version| self.blocks(&version.cell, txn)) {
                    Some(version) => Some(Conflict::Wait(Blocker::new(&version.cell))),
                    None => is_live.then_some(Conflict::Duplicate),
                }
            })
        })
    }

    /// Sets columns of a row that a view at `seen` shows.
    pub(crate) fn update_row(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        row: RowId,
        changes: &[(ColumnIndex, Value)],
        seen: &Horizon,
    ) -> Result<WriteOutcome> {
        txn.check_writable()?;
        txn.expect();
        if let Some(alias) = &relation.alias
            && let Some((_, key)) = changes.iter().find(|(column, _)| *column == alias.column)
            && key.as_i64() != Some(crate::Table::alias_key(row))
        {
            let to = key.as_i64().map(crate::Table::alias_row);
            return self.move_row(txn, relation, row, to, changes, seen);
        }
        let heap = relation.heap.load_full();
        let layout = relation.layout.load();
        let changed = changes.iter().map(|(column, _)| *column);
        let mut lock = RowLock::NoKeyUpdate;
        if relation.has_key_in(&heap, changed) {
            let keys = relation.key_columns(&heap);
            if self.changes_key(txn, relation, row, &keys, changes)? {
                lock = RowLock::Update;
            }
        }
        Self::atomically(txn, |txn| {
            if let Some(versions) =
                self.update_at_once(txn, relation, &heap, &layout, row, lock, changes, seen)?
            {
                if versions > PRUNE_LEN {
                    self.prune_row(relation, &heap, row)?;
                }
                return Ok(WriteOutcome::Done);
            }
            let (held, before) = match self.reach(txn, &heap, row, lock, Wait::Wait, seen)? {
                Reached::Free(held, before) => (held, before),
                Reached::Changed(now) => return Ok(WriteOutcome::Changed(now)),
                Reached::Gone | Reached::Skipped => return Ok(WriteOutcome::Gone),
                Reached::SelfModified => return Ok(WriteOutcome::SelfModified),
            };
            let after = layout.update(&before, changes)?;
            Self::check_programs(&heap, &layout, &after)?;
            self.change_row(txn, relation, &heap, row, lock, Some(&before), After::Row(&after))?;
            drop(held);
            txn.redo.update(relation.rel, row, &before, &after);
            let indexes = heap.indexes.load();
            for index in indexes.iter() {
                let may_change = changes.iter().any(|(column, _)| index.has_column(*column));
                if !may_change || index.same_key(&layout, &before, &after)? {
                    continue;
                }
                self.mark_entry(&layout, index, row, &before)?;
                self.add_entry(txn, &heap, &layout, index, row, &after)?;
            }
            self.prune_row(relation, &heap, row)?;
            Ok(WriteOutcome::Done)
        })
    }

    /// Updates a row with one descent if nobody is in its way and the columns are no index's: most updates are like that. Gives the
    /// number of its versions. `None`, and nothing has happened, if it is to be done the long way, by [`Engine::reach`].
    fn update_at_once(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        layout: &RowLayout,
        row: RowId,
        lock: RowLock,
        changes: &[(ColumnIndex, Value)],
        seen: &Horizon,
    ) -> Result<Option<usize>> {
        let _held = Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) };
        // Under the stripe: one that is made from here on is filled with this row when the stripe is free ([`crate::build`]).
        let is_indexed = |index: &Arc<Index>| {
            index.program.is_some() || changes.iter().any(|(column, _)| index.has_column(*column))
        };
        let same_keys = heap.list_number();
        if heap.indexes.load().iter().any(is_indexed) {
            return Ok(None);
        }
        let mut pushed = None;
        let mut growth = 0;
        let changed = heap.tree.modify(row, |slot| {
            let Some((before, flags)) = slot.current() else {
                return Ok(());
            };
            // A row of a range gets its version back first; ranges are added under this latch.
            if flags.has(RowFlags::GHOST) || heap.births.has(row) {
                return Ok(());
            }
            // What it raises is raised when the row is known to be free.
            let Ok(after) = layout.update(before, changes) else {
                return Ok(());
            };
            pushed = self.versions.change(heap.id, row, |state| {
                let (versions, locks) = (&state.versions[..], &state.locks[..]);
                let found = self.look(txn, versions, locks, None, false, lock, seen);
                let (Fate::Here, Verdict::Free) = found else {
                    return None;
                };
                let image = Image::Memory(Box::from(before));
                self.count_image(&image);
                heap.versions.fetch_add(1, Ordering::AcqRel);
                self.counters.versions.fetch_add(1, Ordering::Relaxed);
                state.versions.push(Version {
                    cell: Arc::clone(&txn.cell),
                    command: txn.command,
                    same_keys,
                    lock,
                    before: Some(image),
                    moved_to: None,
                });
                Some(state.versions.len())
            });
            if pushed.is_some() {
                txn.redo.update(relation.rel, row, before, &after);
                growth = after.len() as i64 - before.len() as i64;
                slot.put(after, RowFlags::VERSIONED);
            }
            Ok(())
        });
        if let Err(error) = changed {
            if pushed.is_some() {
                self.pop_version(heap, row);
            }
            return Err(error);
        }
        if pushed.is_some() {
            heap.count(0, growth);
            let (relation, heap) = (Arc::clone(relation), Arc::clone(heap));
            txn.undo.push(Undo::Row { relation, heap, row });
        }
        Ok(pushed)
    }

    /// Whether the changes give a key column another value than the newest version has.
    fn changes_key(
        &self,
        txn: &Txn,
        relation: &Relation,
        row: RowId,
        keys: &[ColumnIndex],
        changes: &[(ColumnIndex, Value)],
    ) -> Result<bool> {
        let columns: Vec<ColumnIndex> = changes
            .iter()
            .map(|(column, _)| *column)
            .filter(|column| keys.contains(column))
            .collect();
        let Some(values) = self.newest(txn, relation, row, &columns)? else {
            return Ok(true);
        };
        Ok(columns.iter().zip(values).any(|(column, value)| {
            changes.iter().any(|(changed, new)| changed == column && *new != value)
        }))
    }

    /// UPDATE of an alias key: the row moves to another id, if the key is one.
    fn move_row(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        row: RowId,
        to: Option<RowId>,
        changes: &[(ColumnIndex, Value)],
        seen: &Horizon,
    ) -> Result<WriteOutcome> {
        Self::atomically(txn, |txn| {
            let mut moved = None;
            let after = to.map_or(After::Nothing, After::MovedTo);
            let outcome = self.delete_row_with(txn, relation, row, after, seen, |before| {
                moved = Some(before.to_vec());
            })?;
            if let Some(before) = moved {
                let layout = relation.layout.load();
                let after = layout.update(&before, changes)?;
                let values = layout.decode(&after)?;
                self.insert_row(txn, relation, &values, &after)?;
            }
            Ok(outcome)
        })
    }

    /// Deletes a row that a view at `seen` shows.
    pub(crate) fn delete_row(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        row: RowId,
        seen: &Horizon,
    ) -> Result<WriteOutcome> {
        self.delete_row_with(txn, relation, row, After::Nothing, seen, |_| {})
    }

    fn delete_row_with(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        row: RowId,
        after: After<'_>,
        seen: &Horizon,
        deleted: impl FnOnce(&[u8]),
    ) -> Result<WriteOutcome> {
        txn.check_writable()?;
        txn.expect();
        let heap = relation.heap.load_full();
        Self::atomically(txn, |txn| {
            let (held, before) =
                match self.reach(txn, &heap, row, RowLock::Update, Wait::Wait, seen)? {
                    Reached::Free(held, before) => (held, before),
                    Reached::Changed(now) => return Ok(WriteOutcome::Changed(now)),
                    Reached::Gone | Reached::Skipped => return Ok(WriteOutcome::Gone),
                    Reached::SelfModified => return Ok(WriteOutcome::SelfModified),
                };
            self.change_row(txn, relation, &heap, row, RowLock::Update, Some(&before), after)?;
            drop(held);
            txn.redo.delete(relation.rel, row);
            let layout = relation.layout.load();
            for index in heap.indexes.load().iter() {
                self.mark_entry(&layout, index, row, &before)?;
            }
            deleted(&before);
            Ok(WriteOutcome::Done)
        })
    }

    /// Locks a row that a view at `seen` shows.
    pub(crate) fn lock_row(
        &self,
        txn: &mut Txn,
        relation: &Relation,
        row: RowId,
        lock: RowLock,
        wait: Wait,
        seen: &Horizon,
    ) -> Result<LockOutcome> {
        let heap = relation.heap.load_full();
        // PostgreSQL's words are the same here for a row that was deleted.
        let reached = self.reach(txn, &heap, row, lock, wait, seen).map_err(|error| {
            let is_lost = error.sqlstate() == SqlState::SERIALIZATION_FAILURE;
            if is_lost { serialization("update") } else { error }
        })?;
        match reached {
            Reached::Free(held, _) => {
                self.push_lock(txn, &heap, row, lock);
                drop(held);
                Ok(LockOutcome::Locked)
            }
            Reached::Changed(now) => Ok(LockOutcome::Changed(now)),
            Reached::Gone => Ok(LockOutcome::Gone),
            Reached::SelfModified => Ok(LockOutcome::SelfModified),
            Reached::Skipped => Ok(LockOutcome::Skipped),
        }
    }

    /// Columns of a row's newest state: committed, or our own.
    pub(crate) fn newest(
        &self,
        txn: &Txn,
        relation: &Relation,
        row: RowId,
        columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        let view = ReadView::newest(txn.id());
        self.get_row(&view, &relation.heap.load(), &relation.layout.load(), row, columns)
    }

    /// Columns of a row as `view` sees it.
    pub(crate) fn get_row(
        &self,
        view: &ReadView,
        heap: &Heap,
        layout: &RowLayout,
        row: RowId,
        columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        let values = self.with_visible(view, heap, row, |bytes| {
            columns.iter().map(|column| layout.column(bytes, *column)).collect()
        })?;
        self.stop.check()?;
        Ok(values)
    }

    /// Runs `look` on a row's bytes as `view` sees them, under the leaf's latch.
    pub(crate) fn with_visible<R>(
        &self,
        view: &ReadView,
        heap: &Heap,
        row: RowId,
        look: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        heap.tree.read(row, |slot| {
            let Some((bytes, flags)) = slot else {
                return Ok(None);
            };
            self.resolve(view, heap, row, flags, bytes, look)
        })?
    }

    /// Runs `look` on what `view` sees of a row whose page state is `bytes` and `flags`, under the leaf's latch.
    #[inline]
    pub(crate) fn resolve<R>(
        &self,
        view: &ReadView,
        heap: &Heap,
        row: RowId,
        flags: RowFlags,
        bytes: &[u8],
        look: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        let is_ghost = flags.has(RowFlags::GHOST);
        if !flags.has(RowFlags::VERSIONED) {
            let is_absent = is_ghost || heap.births.hides(view, row);
            return if is_absent { Ok(None) } else { look(bytes).map(Some) };
        }
        // Files are not read under the table's mutex.
        let mut look = Some(look);
        let mut take = |bytes: &[u8]| look.take().map(|look| look(bytes)).transpose();
        let spilled = self.versions.with(heap.id, row, |state| {
            let versions = state.filter(|state| !state.versions.is_empty());
            let found = match versions {
                Some(state) => state.find(view),
                None if heap.births.hides(view, row) => Found::Absent,
                None => Found::Page,
            };
            Ok::<_, Error>(match found {
                Found::Page if is_ghost => Err(None),
                Found::Page => Err(take(bytes)?),
                Found::Image(Image::Memory(image)) => Err(take(image)?),
                Found::Image(image) => Ok(image.clone()),
                Found::Absent => Err(None),
            })
        })?;
        match spilled {
            Ok(image) => take(&image.load()?),
            Err(result) => Ok(result),
        }
    }

    /// Runs `change` and takes back what it did if it fails.
    pub(crate) fn atomically<R>(
        txn: &mut Txn,
        change: impl FnOnce(&mut Txn) -> Result<R>,
    ) -> Result<R> {
        let savepoint = txn.savepoint();
        change(txn).or_else(|error| {
            txn.rollback_to(savepoint)?;
            Err(error)
        })
    }
}

#[cold]
pub(crate) fn serialization(what: &str) -> Error {
    Error::new(
        SqlState::SERIALIZATION_FAILURE,
        format!("could not serialize access due to concurrent {what}"),
    )
}
