//! Turning changes back: the order of steps is told in [`crate::write`].
//!
//! Each call takes back the newest change of a transaction that is not yet taken back. A change that cannot be undone stops the
//! engine: recovery starts again from what is durable.

use crate::cell::TxnCell;
use crate::directory::{Heap, Index, Relation};
use crate::engine::Engine;
use crate::image::Image;
use crate::lock::WeakLocks;
use crate::reach::Held;
use crate::runs::Run;
use crate::txn::Undo;
use crate::version::{RowLockHolder, Version};
use damask_storage::row::RowLayout;
use damask_storage::tree::{EntryFlags, RowFlags};
use damask_types::{Result, RowId};
use std::borrow::Cow;
use std::sync::Arc;

/// What versions a row has besides the one that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// The one that [`crate::births`] keeps as a range.
    Recalled,
    Versions,
}

impl Engine {
    /// Takes back one change of `cell`'s transaction, whose newest it is.
    pub(crate) fn undo(
        &self,
        cell: &Arc<TxnCell>,
        weak_locks: &WeakLocks,
        undo: Undo,
    ) -> Result<()> {
        match undo {
            Undo::Row { relation, heap, row } => {
                self.stop.check()?;
                let undone = self.before_undo(&heap);
                self.or_stop(undone.and_then(|()| self.undo_row(cell, &relation, &heap, row)))
            }
            Undo::Run { relation, run } => {
                self.stop.check()?;
                self.or_stop(self.undo_run(&relation, &run))
            }
            Undo::RowLock { heap, row, lock } => {
                self.versions.change(heap.id, row, |state| {
                    let ours = |holder: &RowLockHolder| {
                        Arc::ptr_eq(&holder.cell, cell) && holder.lock == lock
                    };
                    if let Some(at) = state.locks.iter().rposition(ours) {
                        state.locks.remove(at);
                    }
                });
                Ok(())
            }
            Undo::RelationLock { tag, lock } => {
                self.lock_table.release_for_txn(weak_locks, cell.id(), tag, lock);
                Ok(())
            }
            Undo::Ddl => {
                self.stop.check()?;
                self.or_stop(self.undo_ddl(cell.id()))
            }
        }
    }

    /// Stops the engine if something could not be undone.
    fn or_stop(&self, undone: Result<()>) -> Result<()> {
        if undone.is_err() {
            self.stop.stop();
        }
        undone
    }

    /// Takes a run's rows away, the last first.
    fn undo_run(&self, relation: &Relation, run: &Run) -> Result<()> {
        let Run { heap, first, last } = run;
        for row in (first.0..=last.0).rev().map(RowId) {
            self.before_undo(heap)?;
            let _held = Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) };
            let layout = relation.layout.load();
            let current = heap.tree.get(row)?.map(|(bytes, _)| bytes);
            for index in heap.indexes.load().iter() {
                Self::undo_entry(&layout, index, row, current.as_deref(), None, &[])?;
            }
            heap.tree.remove(row)?;
            heap.births.exclude(row);
            heap.count(-1, -current.map_or(0, |bytes| bytes.len() as i64));
        }
        Ok(())
    }

    fn undo_row(
        &self,
        cell: &Arc<TxnCell>,
        relation: &Relation,
        heap: &Heap,
        row: RowId,
    ) -> Result<()> {
        let _held = Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) };
        let layout = relation.layout.load();
        let (before, older, rest) = self.versions.with(heap.id, row, |state| {
            let versions = &state.expect("a change that is undone has a version").versions;
            let (newest, older) = versions.split_last().expect("and it is the newest");
            // The version that our first change of a row of our own run had recalled goes with that change.
            let is_recalled = |version: &Version| {
                Arc::ptr_eq(&version.cell, cell) && heap.births.is_by(row, cell)
            };
            let rest = match older {
                [] => Rest::Nothing,
                [only] if is_recalled(only) => Rest::Recalled,
                _ => Rest::Versions,
            };
            let older: Vec<Image> =
                older.iter().filter_map(|version| version.before.clone()).collect();
            (newest.before.clone(), older, rest)
        });
        let has_older = rest == Rest::Versions;
        let older: Vec<_> = older.iter().map(Image::load).collect::<Result<_>>()?;
        let before = before.as_ref().map(Image::load).transpose()?;
        let current = heap.tree.get(row)?.filter(|(_, flags)| !flags.has(RowFlags::GHOST));
        let current = current.map(|(bytes, _)| bytes);
        for index in heap.indexes.load().iter() {
            Self::undo_entry(&layout, index, row, current.as_deref(), before.as_deref(), &older)?;
        }
        #[cfg(test)]
        assert!(!self.is_planted(crate::engine::Planted::PanicInUndo), "planted");
        let flags = if has_older { RowFlags::VERSIONED } else { RowFlags::NONE };
        heap.tree.modify(row, |slot| {
            match &before {
                Some(bytes) => slot.put(&bytes[..], flags),
                None if has_older => slot.set_flags(flags.with(RowFlags::GHOST)),
                None => slot.remove(),
            }
            Ok(())
        })?;
        let len = |bytes: Option<usize>| bytes.map_or(0, |len| len as i64);
        heap.count(
            i64::from(before.is_some()) - i64::from(current.is_some()),
            len(before.as_ref().map(|b| b.len())) - len(current.as_ref().map(Vec::len)),
        );
        self.pop_version(heap, row);
        if rest == Rest::Recalled {
            self.pop_version(heap, row);
        }
        Ok(())
    }

    /// Takes an index back from the state `current` of a row to the state `before`.
    fn undo_entry(
        layout: &RowLayout,
        index: &Index,
        row: RowId,
        current: Option<&[u8]>,
        before: Option<&[u8]>,
        older: &[Cow<'_, [u8]>],
    ) -> Result<()> {
        if let (Some(current), Some(before)) = (current, before)
            && index.same_key(layout, current, before)?
        {
            return Ok(());
        }
        let mut key = Vec::new();
        if let Some(current) = current
            && index.key_of(layout, current, &mut key)?.is_indexed
        {
            let mut is_needed = false;
            for image in older {
                let mut other = Vec::new();
                index.key_of(layout, image, &mut other)?;
                is_needed = is_needed || other == key;
            }
            if is_needed {
                index.tree.set_flags(&key, row, EntryFlags::DELETE_MARK)?;
            } else {
                index.tree.remove(&key, row)?;
            }
        }
        if let Some(before) = before
            && index.key_of(layout, before, &mut key)?.is_indexed
        {
            index.tree.insert(&key, row, EntryFlags::NONE)?;
        }
        Ok(())
    }
}
