//! The operators, one family a file.

pub(crate) mod aggregate;
pub(crate) mod deferred;
pub(crate) mod distinct;
pub(crate) mod foreign_key;
pub(crate) mod groups;
pub(crate) mod hash_join;
pub(crate) mod lookup_join;
pub(crate) mod loop_join;
pub(crate) mod modify;
pub(crate) mod read_bounds;
pub(crate) mod recheck;
pub(crate) mod scan;
pub(crate) mod set;
pub(crate) mod simple;
pub(crate) mod sort;

use crate::context::{Grant, Memory, State};
use crate::execution::NodeNote;
use crate::store::Store;
use damask_planner::physical::PlanId;
use damask_types::{Batch, Result, TypeId};
use std::sync::Arc;

/// A running operator.
pub(crate) trait Operator: Send {
    /// The next rows, at most a tile; `None` at the end, and ever after.
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>>;

    /// Goes back to the start, for the same input under other outer columns.
    fn rewind(&mut self);

    /// What it used so far, over all loops.
    fn note(&self) -> NodeNote {
        NodeNote::default()
    }
}

/// Rows kept in memory, accounted for.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) store: Store,
    grant: Grant,
}

impl Rows {
    pub(crate) fn new(types: &[TypeId]) -> Self {
        Self { store: Store::new(types.iter().copied()), grant: Grant::default() }
    }

    /// Appends the rows of a batch that count.
    ///
    /// # Errors
    /// 53200.
    pub(crate) fn append(&mut self, batch: &Batch, state: &State<'_>) -> Result<()> {
        self.store.append_batch(batch);
        self.account(&state.run.memory)
    }

    pub(crate) fn account(&mut self, memory: &Arc<Memory>) -> Result<()> {
        self.grant.grow(self.store.bytes(), memory)
    }

    /// Forgets the rows and gives their memory back.
    pub(crate) fn clear(&mut self) {
        self.store.clear();
        self.grant.clear();
    }
}

/// Counts what an operator does, for `EXPLAIN ANALYZE`.
pub(crate) struct Instrumented {
    id: PlanId,
    inner: Box<dyn Operator>,
    has_started: bool,
    has_row: bool,
}

impl Instrumented {
    pub(crate) fn new(id: PlanId, inner: Box<dyn Operator>) -> Self {
        Self { id, inner, has_started: false, has_row: false }
    }
}

impl Operator for Instrumented {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let start = state.ctx.control.now();
        let above = state.run.node.replace(self.id);
        let result = self.inner.next(state);
        state.run.node = above;
        let time = state.ctx.control.now().saturating_sub(start);
        let stats = state.run.stats.entry(self.id).or_default();
        if !self.has_started {
            self.has_started = true;
            stats.loops += 1;
        }
        stats.time += time;
        stats.note = self.inner.note();
        if !self.has_row {
            stats.first += time;
        }
        if let Ok(Some(batch)) = &result {
            let rows = batch.selected_count();
            self.has_row |= rows > 0;
            stats.rows += rows as u64;
        }
        result
    }

    fn rewind(&mut self) {
        (self.has_started, self.has_row) = (false, false);
        self.inner.rewind();
    }

    fn note(&self) -> NodeNote {
        self.inner.note()
    }
}
