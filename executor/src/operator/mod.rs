//! The operators, one family a file.

pub(crate) mod aggregate;
pub(crate) mod distinct;
pub(crate) mod foreign_key;
pub(crate) mod hash_join;
pub(crate) mod loop_join;
pub(crate) mod modify;
pub(crate) mod recheck;
pub(crate) mod scan;
pub(crate) mod set;
pub(crate) mod simple;
pub(crate) mod sort;

use crate::context::{Memory, State};
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
}

/// Rows kept in memory, accounted for.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) store: Store,
    reserved: usize,
    memory: Option<Arc<Memory>>,
}

impl Rows {
    pub(crate) fn new(types: &[TypeId]) -> Self {
        Self { store: Store::new(types.iter().copied()), reserved: 0, memory: None }
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
        let bytes = self.store.bytes();
        if bytes > self.reserved {
            memory.reserve(bytes - self.reserved)?;
            self.reserved = bytes;
            self.memory.get_or_insert_with(|| Arc::clone(memory));
        }
        Ok(())
    }

    /// Takes in every row of an operator.
    pub(crate) fn fill(&mut self, input: &mut dyn Operator, state: &mut State<'_>) -> Result<()> {
        while let Some(batch) = input.next(state)? {
            state.check()?;
            self.append(&batch, state)?;
        }
        Ok(())
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.release(self.reserved);
        }
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
        let result = self.inner.next(state);
        let time = state.ctx.control.now().saturating_sub(start);
        let stats = state.run.stats.entry(self.id).or_default();
        if !self.has_started {
            self.has_started = true;
            stats.loops += 1;
        }
        stats.time += time;
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
}
