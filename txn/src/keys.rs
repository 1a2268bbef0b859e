//! Entries of indexes as rows are written: added, unless an equal unique key is in the way, and marked.
//!
//! A unique key is checked as its entry is added, with nobody adding an equal one in between: an entry with an equal key counts if its row has
//! that key now, or may have it again when a pending transaction ends. A deferrable one is added first and looked at then
//! ([`crate::deferred`]).

use crate::deferred::Deferred;
use crate::directory::{Heap, Index};
use crate::engine::{Blocker, Engine};
use crate::txn::Txn;
use damask_storage::row::RowLayout;
use damask_storage::tree::{EntryFlags, RowFlags};
use damask_types::{Error, Result, RowId};

/// Why a key cannot be added to a unique index now.
pub(crate) enum Conflict {
    Duplicate,
    Wait(Blocker),
    /// Of a deferrable key, one of these; the key was added.
    Later,
}

impl Engine {
    /// Adds a row's entry to an index, waiting for whoever is adding or removing an equal unique key.
    pub(crate) fn add_entry(
        &self,
        txn: &mut Txn,
        heap: &Heap,
        layout: &RowLayout,
        index: &Index,
        row: RowId,
        bytes: &[u8],
    ) -> Result<()> {
        loop {
            match self.try_add_entry(txn, heap, layout, index, row, bytes)? {
                None => return Ok(()),
                Some(Conflict::Duplicate) => {
                    return Err(txn.blame(index.duplicate(layout, bytes, false)));
                }
                Some(Conflict::Later) => {
                    txn.defer(Deferred::Unique { rel: heap.rel, index: index.rel, row });
                    return Ok(());
                }
                Some(Conflict::Wait(blocker)) => {
                    self.wait_for(txn.id(), blocker, &*txn.interrupt)?;
                }
            }
        }
    }

    /// Adds a row's entry to an index, or tells what equal unique key is in the way.
    pub(crate) fn try_add_entry(
        &self,
        txn: &Txn,
        heap: &Heap,
        layout: &RowLayout,
        index: &Index,
        row: RowId,
        bytes: &[u8],
    ) -> Result<Option<Conflict>> {
        let mut key = Vec::new();
        let made = index.checked_key_of(layout, bytes, &mut key)?;
        if !made.is_indexed {
            return Ok(None);
        }
        let _gate = self.enter();
        if !index.unique || made.has_null && !index.nulls_not_distinct {
            index.tree.insert(&key, row, EntryFlags::NONE)?;
            return Ok(None);
        }
        let unique = &key[..made.unique_len];
        if index.deferrable {
            index.tree.insert(&key, row, EntryFlags::NONE)?;
            let other = self.index_conflict(txn, heap, layout, index, unique, Some(row))?;
            return Ok(other.map(|_| Conflict::Later));
        }
        let conflict = |other, _| {
            if other == row {
                return Ok(None);
            }
            self.key_conflict(txn, heap, layout, index, unique, other)
        };
        let flags = EntryFlags::NONE;
        Ok(index.tree.insert_unless(&key, unique.len(), row, flags, conflict)?.err())
    }

    /// Whether row `other`, which an entry with this key points at, has the key now or may have it again.
    pub(crate) fn key_conflict(
        &self,
        txn: &Txn,
        heap: &Heap,
        layout: &RowLayout,
        index: &Index,
        key: &[u8],
        other: RowId,
    ) -> Result<Option<Conflict>> {
        let has_key = |bytes: &[u8]| {
            let mut found = Vec::new();
            let made = index.key_of(layout, bytes, &mut found)?;
            Ok::<_, Error>(made.is_indexed && found[..made.unique_len] == *key)
        };
        heap.tree.read(other, |slot| {
            let Some((bytes, flags)) = slot else {
                return Ok(None);
            };
            let live_with_key = !flags.has(RowFlags::GHOST) && has_key(bytes)?;
            self.with_state(heap, other, |versions, _| {
                let pending =
                    versions.iter().rev().take_while(|version| self.blocks(&version.cell, txn));
                let mut blocker = None;
                let mut may_have_key = live_with_key;
                for version in pending {
                    blocker = Some(&version.cell);
                    if let Some(before) = &version.before {
                        may_have_key = may_have_key || has_key(&before.load()?)?;
                    }
                }
                Ok(match blocker {
                    Some(cell) if may_have_key => Some(Conflict::Wait(Blocker::new(cell))),
                    None if live_with_key => Some(Conflict::Duplicate),
                    _ => None,
                })
            })
        })?
    }

    /// Marks the entry of a row that no longer has this key.
    pub(crate) fn mark_entry(
        &self,
        layout: &RowLayout,
        index: &Index,
        row: RowId,
        before: &[u8],
    ) -> Result<()> {
        let mut key = Vec::new();
        if !index.key_of(layout, before, &mut key)?.is_indexed {
            return Ok(());
        }
        let _gate = self.enter();
        index.tree.set_flags(&key, row, EntryFlags::DELETE_MARK)?;
        Ok(())
    }
}
