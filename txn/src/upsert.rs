//! INSERT ... ON CONFLICT: rows that give way to rows which have their keys already.
//!
//! The caller names unique keys, the *arbiters*. [`Table::insert_unless`] looks for a row with an equal key in one of them, waiting for
//! whoever is adding or removing such a row, and inserts only if there is none. Between the look and the insert another transaction may
//! add the key: the insert then backs out of what it did, without waiting with half a row in the indexes, and looks again. So two
//! inserts of one key never wait for each other.
//!
//! The row that is in the way is the newest there is, whether the statement's snapshot shows it or not. What is to be done to it
//! ([`Table::lock_conflict`], [`Table::pass_conflict`]) is where REPEATABLE READ draws the line: a row that the snapshot does not show
//! is 40001.
//!
//! Unique keys that are no arbiters raise 23505 as in any insert, after the arbiters have been looked at.

use crate::IsolationLevel;
use crate::directory::{Heap, Index, Relation};
use crate::engine::Engine;
use crate::horizon::Horizon;
use crate::keys::Conflict;
use crate::reach::{Reached, serialization};
use crate::table::{RowLock, Table, Wait};
use crate::txn::Txn;
use crate::version::Version;
use damask_storage::row::RowLayout;
use damask_storage::tree::{Direction, KeyRange};
use damask_types::{ColumnIndex, RelId, Result, RowId, Value};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The unique keys whose conflicts an insert answers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arbiters {
    /// All that the table has.
    All,
    /// These.
    Some {
        /// The alias key.
        alias: bool,
        /// Unique indexes.
        indexes: Vec<RelId>,
    },
}

/// What came of an insert with arbiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum InsertOutcome {
    /// The row is there, under this id.
    Inserted(RowId),
    /// This row, committed or our own, has its key.
    Conflict(RowId),
}

/// What came of locking a row that was in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ConflictOutcome {
    /// It is ours to change: read it with [`Table::latest`], change it with [`Table::update_latest`].
    Locked,
    /// It no longer has the key: insert again.
    Moved,
    /// The running command inserted or changed it.
    SelfModified,
}

impl Arbiters {
    /// None: every conflict is an error.
    pub(crate) const NONE: Self = Self::Some { alias: false, indexes: Vec::new() };

    pub(crate) fn has_alias(&self) -> bool {
        match self {
            Self::All => true,
            Self::Some { alias, .. } => *alias,
        }
    }

    pub(crate) fn has(&self, index: &Index) -> bool {
        match self {
            Self::All => index.unique && !index.deferrable,
            Self::Some { indexes, .. } => indexes.contains(&index.rel),
        }
    }
}

impl Table {
    /// Inserts a row unless a committed row, or one of our own, has an equal key in one of the arbiters.
    ///
    /// Waits for a transaction that is inserting or deleting such a row. Undoes itself when it fails.
    ///
    /// # Errors
    /// As for [`Table::insert`]; 23505 only for keys that are no arbiters.
    pub fn insert_unless(
        &self,
        txn: &mut Txn,
        values: &[Value],
        arbiters: &Arbiters,
    ) -> Result<InsertOutcome> {
        let bytes = self.relation.layout.load().encode(values)?;
        let engine = &self.engine;
        loop {
            txn.interrupt.check()?;
            if let Some(row) =
                engine.find_conflict(txn, &self.relation, values, &bytes, arbiters)?
            {
                return Ok(InsertOutcome::Conflict(row));
            }
            let inserted =
                engine.insert_row_unless(txn, &self.relation, values, &bytes, arbiters)?;
            if let Some(row) = inserted {
                return Ok(InsertOutcome::Inserted(row));
            }
        }
    }

    /// Locks the row that was in the way of `values`, as an update of the columns `assigned` does.
    ///
    /// # Errors
    /// 40001 at REPEATABLE READ when the snapshot does not show it as it is; 40P01.
    pub fn lock_conflict(
        &self,
        txn: &mut Txn,
        row: RowId,
        values: &[Value],
        arbiters: &Arbiters,
        assigned: &[ColumnIndex],
    ) -> Result<ConflictOutcome> {
        let bytes = self.relation.layout.load().encode(values)?;
        self.engine.lock_conflict(txn, &self.relation, row, (values, &bytes), arbiters, assigned)
    }

    /// Leaves the row that was in the way as it is.
    ///
    /// # Errors
    /// 40001 at REPEATABLE READ when the snapshot does not show it as it is.
    pub fn pass_conflict(&self, txn: &Txn, row: RowId) -> Result<()> {
        if txn.isolation() == IsolationLevel::ReadCommitted {
            return Ok(());
        }
        let seen = &txn.view_ref()?.horizon;
        let heap = self.relation.heap.load();
        let is_unseen = |version: &Version| version.committed().is_some_and(|at| !seen.sees(at));
        let is_newer =
            self.engine.with_state(&heap, row, |versions, _| versions.iter().any(is_unseen));
        if is_newer {
            return Err(serialization("update"));
        }
        if let Some(reads) = &txn.view_ref()?.reads {
            // That it is there, with its keys.
            reads.row(self.relation.rel, row, &self.relation.key_columns(&heap));
        }
        Ok(())
    }
}

impl Engine {
    /// A row that has a key of the new row in one of the arbiters, once nobody is changing such rows.
    fn find_conflict(
        &self,
        txn: &Txn,
        relation: &Relation,
        values: &[Value],
        bytes: &[u8],
        arbiters: &Arbiters,
    ) -> Result<Option<RowId>> {
        let heap = relation.heap.load();
        if let Some(alias) = relation.alias.as_ref().filter(|_| arbiters.has_alias()) {
            let row = alias.row(values)?;
            while let Some(conflict) = self.place_conflict(txn, &heap, row)? {
                match conflict {
                    Conflict::Duplicate | Conflict::Later => return Ok(Some(row)),
                    Conflict::Wait(blocker) => {
                        self.wait_for(txn.id(), blocker, &*txn.interrupt)?;
                    }
                }
            }
        }
        let layout = relation.layout.load();
        let mut key = Vec::new();
        for index in heap.indexes.load().iter().filter(|index| arbiters.has(index)) {
            let made = index.checked_key_of(&layout, bytes, &mut key)?;
            if !made.is_indexed || made.has_null && !index.nulls_not_distinct {
                continue;
            }
            key.truncate(made.unique_len);
            while let Some((row, conflict)) =
                self.index_conflict(txn, &heap, &layout, index, &key, None)?
            {
                match conflict {
                    Conflict::Duplicate | Conflict::Later => return Ok(Some(row)),
                    Conflict::Wait(blocker) => {
                        self.wait_for(txn.id(), blocker, &*txn.interrupt)?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// The first row by id, other than `but`, that has a key in an index or may have it again; of the key, what counts for
    /// uniqueness.
    pub(crate) fn index_conflict(
        &self,
        txn: &Txn,
        heap: &Heap,
        layout: &RowLayout,
        index: &Index,
        key: &[u8],
        but: Option<RowId>,
    ) -> Result<Option<(RowId, Conflict)>> {
        let mut range = KeyRange::prefix(key);
        let mut found = None;
        while found.is_none()
            && index.tree.scan_leaf(&mut range, Direction::Forward, |entry| {
                if but == Some(entry.rowid) {
                    return Ok(ControlFlow::Continue(()));
                }
                let conflict = self.key_conflict(txn, heap, layout, index, key, entry.rowid)?;
                found = conflict.map(|conflict| (entry.rowid, conflict));
                Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?
        {}
        Ok(found)
    }

    fn lock_conflict(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        row: RowId,
        (values, bytes): (&[Value], &[u8]),
        arbiters: &Arbiters,
        assigned: &[ColumnIndex],
    ) -> Result<ConflictOutcome> {
        let heap = relation.heap.load_full();
        let keys = relation.key_columns(&heap);
        let lock = if assigned.iter().any(|column| keys.contains(column)) {
            RowLock::Update
        } else {
            RowLock::NoKeyUpdate
        };
        let seen = match txn.isolation() {
            IsolationLevel::ReadCommitted => Horizon::ALL,
            IsolationLevel::RepeatableRead | IsolationLevel::Serializable => {
                txn.view_ref()?.horizon.clone()
            }
        };
        let (held, found) = match self.reach(txn, &heap, row, lock, Wait::Wait, &seen)? {
            Reached::Free(held, found) => (held, found),
            Reached::SelfModified => return Ok(ConflictOutcome::SelfModified),
            Reached::Changed(_) | Reached::Gone | Reached::Skipped => {
                return Ok(ConflictOutcome::Moved);
            }
        };
        let layout = relation.layout.load();
        let by_alias = match relation.alias.as_ref().filter(|_| arbiters.has_alias()) {
            Some(alias) => alias.row(values)? == row,
            None => false,
        };
        let mut has_key = by_alias;
        let (mut wanted, mut key) = (Vec::new(), Vec::new());
        for index in heap.indexes.load().iter().filter(|index| arbiters.has(index)) {
            let made = index.key_of(&layout, bytes, &mut wanted)?;
            if !has_key && made.is_indexed && (!made.has_null || index.nulls_not_distinct) {
                let other = index.key_of(&layout, &found, &mut key)?;
                has_key = other.is_indexed && key[..other.unique_len] == wanted[..made.unique_len];
            }
        }
        if !has_key {
            return Ok(ConflictOutcome::Moved);
        }
        self.push_lock(txn, &heap, row, lock);
        drop(held);
        Ok(ConflictOutcome::Locked)
    }
}
