//! Orders: whole and the first few rows.

use super::simple::limits;
use super::{Operator, Rows};
use crate::build::Layout;
use crate::context::{Grant, State};
use crate::eval::Eval;
use crate::execution::{NodeNote, SortMethod};
use crate::order::{Order, pick};
use crate::spill::sorter::{SortShape, Sorted, Sorter};
use damask_planner::physical::SortKey;
use damask_types::{Batch, Mask, Result, TILE_ROWS, TypeId};

/// Keys to sort by: columns of the input, and what has to be computed and then stands behind them.
pub(crate) struct Keys {
    computed: Vec<Eval>,
    shape: SortShape,
}

impl Keys {
    pub(crate) fn new(layout: &Layout, keys: &[SortKey], types: &[TypeId]) -> Self {
        let (mut computed, mut places, mut all) = (vec![], vec![], types.to_vec());
        for key in keys {
            let eval = Eval::new(&key.expr, layout);
            places.push(eval.as_column().unwrap_or(all.len()));
            if eval.as_column().is_none() {
                all.push(key.expr.ty.id);
                computed.push(eval);
            }
        }
        let order = Order::new(keys);
        let shape = SortShape { order, keys: places, types: all.into(), width: types.len() };
        Self { computed, shape }
    }

    /// A batch with its computed keys behind its columns.
    fn extend(&self, mut batch: Batch, state: &mut State<'_>) -> Result<Batch> {
        let active = batch.active();
        for key in &self.computed {
            let column = key.run(&batch, &active, state)?;
            batch.columns.push(column);
        }
        Ok(batch)
    }
}

/// Every row in order.
pub(crate) struct Sort {
    input: Box<dyn Operator>,
    keys: Keys,
    sorted: Option<Sorted>,
    note: NodeNote,
}

impl Sort {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        layout: &Layout,
        keys: &[SortKey],
        types: &[TypeId],
    ) -> Self {
        let keys = Keys::new(layout, keys, types);
        Self { input, keys, sorted: None, note: NodeNote::default() }
    }

    fn fill(&mut self, state: &mut State<'_>) -> Result<Sorted> {
        let mut sorter = Sorter::new(self.keys.shape.clone());
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            sorter.push(&self.keys.extend(batch, state)?, state)?;
        }
        let stats = sorter.stats();
        self.note.sorted(SortMethod::Quicksort, stats.memory_bytes, stats.disk_bytes);
        sorter.finish(state)
    }
}

impl Operator for Sort {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.sorted.is_none() {
            self.sorted = Some(self.fill(state)?);
        }
        let Some(sorted) = &mut self.sorted else { return Ok(None) };
        sorted.next(state)
    }

    fn rewind(&mut self) {
        self.sorted = None;
        self.input.rewind();
    }

    fn note(&self) -> NodeNote {
        self.note
    }
}

/// The first rows in an order: keeps some multiple of what is asked for and cuts it back now and then.
pub(crate) struct TopN {
    input: Box<dyn Operator>,
    keys: Keys,
    limit: Eval,
    offset: Option<Eval>,
    result: Option<Output>,
    note: NodeNote,
}

impl TopN {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        layout: &Layout,
        keys: &[SortKey],
        types: &[TypeId],
        limit: Eval,
        offset: Option<Eval>,
    ) -> Self {
        let keys = Keys::new(layout, keys, types);
        Self { input, keys, limit, offset, result: None, note: NodeNote::default() }
    }

    fn fill(&mut self, state: &mut State<'_>) -> Result<Output> {
        let (skip, take) = limits(Some(&self.limit), self.offset.as_ref(), state)?;
        let wanted = usize::try_from(skip.saturating_add(take)).unwrap_or(usize::MAX);
        let mut rows = Rows::new(&self.keys.shape.types);
        // Cutting back costs a sort; doing it at twice the size keeps the total linear.
        let cut_at = wanted.saturating_mul(2).max(4 * TILE_ROWS);
        let mut bound = None;
        let mut memory_bytes = 0;
        while take > 0
            && let Some(batch) = self.input.next(state)?
        {
            state.check()?;
            let mut batch = self.keys.extend(batch, state)?;
            self.leave_out(bound, &mut batch);
            rows.append(&batch, state)?;
            memory_bytes = memory_bytes.max(rows.store.bytes() as u64);
            let is_large = state.should_spill(rows.store.bytes(), state.ctx.work_mem_bytes);
            if rows.store.len() >= cut_at || is_large && rows.store.len() > wanted {
                bound = self.cut(&mut rows, wanted);
            }
            if is_large && state.should_spill(rows.store.bytes(), state.ctx.work_mem_bytes) {
                let sorter = self.sort_all(rows, bound, state)?;
                return Ok(Output { sorted: sorter, skip, take });
            }
        }
        self.cut(&mut rows, wanted);
        self.note.sorted(SortMethod::TopN, memory_bytes, 0);
        let order = (0..rows.store.len() as u32).collect();
        let width = self.keys.shape.width;
        let sorted = Sorted::Memory { rows, order, at: 0, width, _grant: Grant::default() };
        Ok(Output { sorted, skip, take })
    }

    /// The way of a plain sort, when even the rows wanted do not fit.
    fn sort_all(
        &mut self,
        mut rows: Rows,
        bound: Option<u64>,
        state: &mut State<'_>,
    ) -> Result<Sorted> {
        let mut sorter = Sorter::new(self.keys.shape.clone());
        for from in (0..rows.store.len()).step_by(TILE_ROWS) {
            sorter.push(&rows.store.tile(from), state)?;
        }
        rows.clear();
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            let mut batch = self.keys.extend(batch, state)?;
            self.leave_out(bound, &mut batch);
            sorter.push(&batch, state)?;
        }
        let stats = sorter.stats();
        self.note.sorted(SortMethod::Quicksort, stats.memory_bytes, stats.disk_bytes);
        sorter.finish(state)
    }

    /// Leaves rows out that are behind as many as are wanted.
    fn leave_out(&self, bound: Option<u64>, batch: &mut Batch) {
        if let (Some(bound), Some(&key)) = (bound, self.keys.shape.keys.first()) {
            let prefixes = self.keys.shape.order.prefixes(&batch.columns[key]);
            let kept = Mask::from_fn(batch.rows(), |row| prefixes[row] <= bound);
            batch.select(&kept);
        }
    }

    /// Keeps the first `wanted` rows, in order; if there are as many, the prefix behind which no other row is wanted.
    fn cut(&self, rows: &mut Rows, wanted: usize) -> Option<u64> {
        let SortShape { order, keys, .. } = &self.keys.shape;
        let columns: Vec<_> = keys.iter().map(|&key| &rows.store.columns[key]).collect();
        let mut sorted = order.sort(&columns, rows.store.len());
        sorted.truncate(wanted);
        let store = pick(&rows.store, &sorted);
        rows.clear();
        rows.store = store;
        let last = wanted.checked_sub(1).filter(|&last| last < rows.store.len())?;
        let key = rows.store.columns[*keys.first()?].gather(&[last as u32]);
        order.prefixes(&key).first().copied()
    }
}

/// Rows in order, of which some are left out and some given.
struct Output {
    sorted: Sorted,
    skip: u64,
    take: u64,
}

impl Operator for TopN {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.result.is_none() {
            self.result = Some(self.fill(state)?);
        }
        let Some(Output { sorted, skip, take }) = &mut self.result else { return Ok(None) };
        while *take > 0
            && let Some(mut batch) = sorted.next(state)?
        {
            let rows = batch.rows() as u64;
            let from = rows.min(*skip);
            let to = rows.min(from.saturating_add(*take));
            *skip -= from;
            *take -= to - from;
            if from < to {
                if to - from < rows {
                    let kept =
                        Mask::from_fn(batch.rows(), |row| (from..to).contains(&(row as u64)));
                    batch.select(&kept);
                }
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn rewind(&mut self) {
        self.result = None;
        self.input.rewind();
    }

    fn note(&self) -> NodeNote {
        self.note
    }
}
