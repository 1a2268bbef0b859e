//! Who may change or lock a row now, and what it is by then: the way to a row that others may have.
//!
//! A writer looks at the row's versions and explicit locks under the row's stripe ([`Held`]). Whoever stands in its way it waits for, with
//! nothing held (M4), and looks again. What it finds then depends on the level: a row that was changed since its snapshot is read
//! anew at READ COMMITTED, wherever it has gone, and is 40001 at the others.

use crate::cell::{Outcome, TxnCell};
use crate::directory::{Heap, Relation};
use crate::engine::{Blocker, Engine};
use crate::gate::Inside;
use crate::horizon::Horizon;
use crate::table::{RowLock, Wait};
use crate::txn::{Txn, Undo};
use crate::version::{Arrival, Fate, RowLockHolder, RowState, Version, fate};
use crate::{IsolationLevel, LockOutcome};
use damask_storage::tree::RowFlags;
use damask_types::{Error, Result, RowId, SqlState, Timestamp};
use parking_lot::MutexGuard;
use std::sync::Arc;

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

    /// Whether a row that is there, and in no range, is what a view at `seen` shows, with nobody in the way of a writer that wants
    /// `lock` on it.
    pub(crate) fn is_free(
        &self,
        txn: &Txn,
        state: &RowState,
        lock: RowLock,
        seen: &Horizon,
    ) -> bool {
        let found = self.look(txn, &state.versions, &state.locks, None, false, lock, seen);
        matches!(found, (Fate::Here, Verdict::Free))
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
}

#[cold]
pub(crate) fn serialization(what: &str) -> Error {
    Error::new(
        SqlState::SERIALIZATION_FAILURE,
        format!("could not serialize access due to concurrent {what}"),
    )
}
