//! Changes of rows: what INSERT, UPDATE and DELETE do once they may ([`crate::reach`]); [`crate::undo`] turns each back.
//!
//! The order of steps makes every moment right for readers, who hold only a leaf's or an index's shared latch:
//! - forward: push the version, change the page (flagging the row), change the indexes, note undo and redo;
//! - backward: change the indexes back, then the page, then pop the version.
//!
//! So whoever sees an uncommitted page state or index entry also finds the version that tells what was before. Writers
//! of one row, and the garbage collector, exclude each other by the row's stripe; a pending version keeps other
//! transactions off. Nothing is held while waiting (M4): a blocked writer lets go of everything, waits, and looks again.

use crate::directory::{Heap, Index, Relation};
use crate::engine::{Blocker, Engine};
use crate::gc::{Changed, PRUNE_LEN};
use crate::horizon::Horizon;
use crate::image::Image;
use crate::keys::Conflict;
use crate::reach::{Held, Reached};
use crate::table::{RowLock, Wait, WriteOutcome};
use crate::txn::{Txn, Undo};
use crate::upsert::Arbiters;
use crate::version::Version;
use damask_storage::row::RowLayout;
use damask_storage::tree::RowFlags;
use damask_types::{ColumnIndex, Error, Result, RowId, Value};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a change leaves in a row's place.
#[derive(Clone, Copy)]
enum After<'a> {
    Row(&'a [u8]),
    Nothing,
    /// Nothing; the same command puts the row there.
    MovedTo(RowId),
}

impl Engine {
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
        heap.counts.versions.fetch_add(1, Ordering::AcqRel);
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
        heap.counts.versions.fetch_add(1, Ordering::AcqRel);
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
        heap.counts.versions.fetch_sub(1, Ordering::AcqRel);
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
        txn.begin_change()?;
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
        self.before_change(heap)?;
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
        txn.begin_change()?;
        txn.expect();
        if let Some(alias) = &relation.alias
            && let Some((_, key)) = changes.iter().find(|(column, _)| *column == alias.column)
            && key.as_i64() != Some(crate::Table::alias_key(row))
        {
            let to = key.as_i64().map(crate::Table::alias_row);
            return self.move_row(txn, relation, row, to, changes, seen);
        }
        let heap = relation.heap.load_full();
        self.before_change(&heap)?;
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
                if !self.is_free(txn, state, lock, seen) {
                    return None;
                }
                let image = Image::Memory(Box::from(before));
                self.count_image(&image);
                heap.counts.versions.fetch_add(1, Ordering::AcqRel);
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
        txn.begin_change()?;
        txn.expect();
        let heap = relation.heap.load_full();
        self.before_change(&heap)?;
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
