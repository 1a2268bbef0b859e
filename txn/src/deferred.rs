//! What is to be checked later: of deferrable constraints, at the end of the statement or of the transaction.
//!
//! A transaction keeps the list; who knows the constraints looks at it (`executor`). A check asks what is there when it is made,
//! so it may be made twice, and work whose row is gone since is no work.
//!
//! `SET CONSTRAINTS` may have work done that a savepoint's rollback brings back, so what is done is marked and stays in the list.
//!
//! Unique keys: the index takes the entry and notes the row here if another row has the key, or may have it when a transaction
//! ends. Of two transactions that add one key at a time at least one finds the other's entry, since each adds before it looks.

use crate::isolation::ReadView;
use crate::keys::Conflict;
use crate::txn::Txn;
use damask_types::{Oid, RelId, Result, RowId, Value};
use std::sync::Arc;

/// Work that is put off.
#[derive(Clone, Debug, PartialEq)]
pub enum Deferred {
    /// No other row may have this row's key in a unique index.
    Unique {
        /// The table.
        rel: RelId,
        /// The index.
        index: RelId,
        /// The row.
        row: RowId,
    },
    /// A row refers to a key, which must be there.
    Referencing {
        /// The foreign key.
        constraint: Oid,
        /// The columns of the referencing row.
        key: Vec<Value>,
    },
    /// A key went away, which nothing may refer to.
    Referenced {
        /// The foreign key.
        constraint: Oid,
        /// The key.
        key: Vec<Value>,
        /// The key that an update made of it.
        new: Option<Vec<Value>>,
    },
}

/// A transaction's list.
#[derive(Debug, Default)]
pub(crate) struct DeferredList {
    /// With whether it is done.
    work: Vec<(Deferred, bool)>,
    /// What of the list was done, in this order.
    done: Vec<usize>,
    /// Work before this was looked at when its statement ended.
    swept: usize,
    /// `SET CONSTRAINTS`: which constraint, or all, and whether it is deferred; the last one that fits counts.
    modes: Vec<(Option<Oid>, bool)>,
}

/// A point of the list to come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeferredMark {
    work: usize,
    done: usize,
    modes: usize,
}

impl DeferredList {
    pub(crate) fn mark(&self) -> DeferredMark {
        DeferredMark { work: self.work.len(), done: self.done.len(), modes: self.modes.len() }
    }

    pub(crate) fn cut(&mut self, mark: DeferredMark) {
        for place in self.done.drain(mark.done..) {
            if let Some((_, is_done)) = self.work.get_mut(place) {
                *is_done = false;
            }
        }
        self.work.truncate(mark.work);
        self.modes.truncate(mark.modes);
        self.swept = self.swept.min(mark.work);
    }
}

impl Txn {
    /// Puts work off.
    pub fn defer(&mut self, work: Deferred) {
        self.deferred.work.push((work, false));
    }

    /// Whether work of the last statement waits to be looked at; cheap.
    pub fn has_unswept(&self) -> bool {
        self.deferred.swept < self.deferred.work.len()
    }

    /// Whether anything is put off.
    pub fn has_deferred(&self) -> bool {
        self.deferred.work.len() > self.deferred.done.len()
    }

    /// The work that is not done, by its place in the list; with `unswept` only what came since the last
    /// [`Txn::sweep`].
    pub fn deferred(&self, unswept: bool) -> Vec<(usize, Deferred)> {
        let from = if unswept { self.deferred.swept } else { 0 };
        let work = self.deferred.work.iter().enumerate().skip(from);
        let left = work.filter(|(_, (_, is_done))| !is_done);
        left.map(|(place, (work, _))| (place, work.clone())).collect()
    }

    /// Notes that work was done.
    pub fn done_deferred(&mut self, place: usize) {
        if let Some((_, is_done)) = self.deferred.work.get_mut(place)
            && !std::mem::replace(is_done, true)
        {
            self.deferred.done.push(place);
        }
    }

    /// The statement has ended and its work was looked at.
    pub fn sweep(&mut self) {
        self.deferred.swept = self.deferred.work.len();
    }

    /// `SET CONSTRAINTS` for one constraint or for all.
    pub fn set_deferred(&mut self, constraint: Option<Oid>, is_deferred: bool) {
        self.deferred.modes.push((constraint, is_deferred));
    }

    /// Whether a deferrable constraint, deferred at first or not, is deferred now.
    pub fn is_deferred(&self, constraint: Oid, initially: bool) -> bool {
        let fits = |(of, _): &&(Option<Oid>, bool)| of.is_none_or(|of| of == constraint);
        let last = self.deferred.modes.iter().rev().find(fits);
        last.map_or(initially, |(_, is_deferred)| *is_deferred)
    }

    /// Checks that no other row has the key that a row has in a unique index, waiting for transactions that may give
    /// it one. Nothing is wrong if the row or the index is gone.
    ///
    /// # Errors
    /// 23505, or 40001 as for [`Txn::commit`]; 40P01.
    pub fn check_unique(&self, rel: RelId, index: RelId, row: RowId) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let Ok(relation) = engine.directory.get(rel) else {
            return Ok(());
        };
        let heap = relation.heap.load_full();
        let Ok(index) = heap.index(index) else {
            return Ok(());
        };
        let layout = relation.layout.load_full();
        let view = ReadView::newest(self.id());
        loop {
            self.interrupt.check()?;
            let found = engine.with_visible(&view, &heap, row, |bytes| Ok(bytes.to_vec()))?;
            let Some(bytes) = found else {
                return Ok(());
            };
            let mut key = Vec::new();
            let made = index.key_of(&layout, &bytes, &mut key)?;
            if !made.is_indexed || made.has_null && !index.nulls_not_distinct {
                return Ok(());
            }
            let unique = &key[..made.unique_len];
            let conflict = {
                let _gate = engine.enter();
                engine.index_conflict(self, &heap, &layout, &index, unique, Some(row))?
            };
            match conflict {
                None => return Ok(()),
                Some((_, Conflict::Wait(blocker))) => {
                    engine.wait_for(self.id(), blocker, &*self.interrupt)?;
                }
                Some((_, Conflict::Duplicate | Conflict::Later)) => {
                    return Err(self.blame(index.duplicate(&layout, &bytes, false)));
                }
            }
        }
    }
}
