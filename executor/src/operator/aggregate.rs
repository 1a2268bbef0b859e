//! Groups and their aggregates.
//!
//! Each input row is given a group number by a hash table over the group keys; accumulators take whole tiles with the group of each
//! row. DISTINCT passes on, for each call, the first of each pair of group and arguments; ORDER BY inside a call sorts the rows and feeds
//! them in order at the end.
//!
//! When table and accumulators have grown too large, rows of new groups are postponed ([`super::groups`]); groups come out part by part.
//! What one group's accumulator holds (`array_agg`, `string_agg`) has to fit in memory.

use super::Operator;
use super::groups::{Dedup, Groups, Postponed};
use crate::build::Layout;
use crate::context::{Grant, State};
use crate::eval::Eval;
use crate::execution::NodeNote;
use crate::order::Order;
use crate::spill::sorter::{SortShape, Sorter};
use damask_functions::aggregate::Accumulator;
use damask_planner::expr::Expr;
use damask_planner::physical::{AggregateCall, AggregateStrategy};
use damask_types::{Batch, Result, TILE_ROWS, TypeId, Vector, VectorData};
use std::sync::Arc;

/// One aggregate call with its states.
struct Call {
    accumulator: Box<dyn Accumulator>,
    make: Box<dyn Fn() -> Box<dyn Accumulator> + Send>,
    args: Vec<Eval>,
    filter: Option<Eval>,
    /// ORDER BY.
    order: Vec<Eval>,
    /// DISTINCT.
    dedup: Option<Dedup>,
    /// ORDER BY: rows are group, keys, arguments.
    shape: Option<SortShape>,
    sorter: Option<Sorter>,
}

impl Call {
    fn new(call: &AggregateCall, layout: &Layout) -> Self {
        let args_sql: Vec<_> = call.args.iter().map(|arg| arg.ty).collect();
        let (function, ty) = (call.function, call.ty);
        let make = Box::new(move || (function.make)(&args_sql, ty));
        // Rows that are kept: group, ORDER BY, arguments.
        let exprs = call.order.iter().map(|key| &key.expr).chain(&call.args);
        let types: Arc<[TypeId]> =
            std::iter::once(TypeId::Int4).chain(exprs.map(|expr| expr.ty.id)).collect();
        let (keys, width) = (call.order.len(), types.len());
        let shape = (keys > 0).then(|| SortShape {
            order: Order::new(&call.order),
            keys: (1..=keys).collect(),
            types: Arc::clone(&types),
            width,
        });
        let dedup = call.distinct.then(|| {
            let places = std::iter::once(0).chain(1 + keys..width).collect();
            Dedup::new(places, &types)
        });
        Self {
            accumulator: make(),
            make,
            args: layout.evals(&call.args),
            filter: call.filter.as_ref().map(|filter| Eval::new(filter, layout)),
            order: layout.evals(call.order.iter().map(|key| &key.expr)),
            dedup,
            sorter: shape.clone().map(Sorter::new),
            shape,
        }
    }

    fn reset(&mut self) {
        self.accumulator = (self.make)();
        if let Some(dedup) = &mut self.dedup {
            dedup.reset();
        }
        self.sorter = self.shape.clone().map(Sorter::new);
    }

    /// Takes a tile in; without `groups` every row belongs to group 0.
    fn update(
        &mut self,
        batch: &Batch,
        groups: Option<&[u32]>,
        count: usize,
        state: &mut State<'_>,
    ) -> Result<()> {
        let mut active = batch.active();
        if let Some(filter) = &self.filter {
            active = filter.run(batch, &active, state)?.true_rows().and(&active);
        }
        self.accumulator.resize(count);
        if active.is_empty() {
            return Ok(());
        }
        let args = self
            .args
            .iter()
            .map(|arg| arg.run(batch, &active, state))
            .collect::<Result<Vec<_>>>()?;
        if self.dedup.is_none() && self.sorter.is_none() {
            let session = &*state.ctx.session;
            return match groups {
                Some(groups) => self.accumulator.update(session, groups, &args, &active),
                None => self.accumulator.update_one(session, 0, &args, &active),
            };
        }
        let mut columns = vec![group_vector(groups, batch.rows())];
        for key in &self.order {
            columns.push(key.run(batch, &active, state)?);
        }
        columns.extend(args);
        let mut rows = Batch::new(columns, batch.rows());
        rows.selection = Some(active);
        if let Some(dedup) = &mut self.dedup {
            dedup.push(&mut rows, state)?;
        }
        self.take(&rows, state)
    }

    /// Rows of group, keys and arguments: to be sorted, or to the accumulator.
    fn take(&mut self, rows: &Batch, state: &State<'_>) -> Result<()> {
        if rows.selected_count() == 0 {
            return Ok(());
        }
        match &mut self.sorter {
            Some(sorter) => sorter.push(rows, state),
            None => self.accumulate(rows, state),
        }
    }

    fn accumulate(&mut self, rows: &Batch, state: &State<'_>) -> Result<()> {
        let groups: Vec<u32> = match &rows.columns[0].data {
            VectorData::Int4(groups) => {
                (0..rows.rows()).map(|row| groups[rows.columns[0].index(row)] as u32).collect()
            }
            other => unreachable!("a group number is int4, not {other:?}"),
        };
        let args = &rows.columns[1 + self.order.len()..];
        self.accumulator.update(&*state.ctx.session, &groups, args, &rows.active())
    }

    /// Feeds the rows kept for DISTINCT and ORDER BY.
    fn finish_input(&mut self, state: &State<'_>) -> Result<()> {
        while let Some(dedup) = &mut self.dedup
            && let Some(rows) = dedup.next_postponed(state)?
        {
            self.take(&rows, state)?;
        }
        if let Some(sorter) = self.sorter.take() {
            let mut sorted = sorter.finish(state)?;
            while let Some(rows) = sorted.next(state)? {
                self.accumulate(&rows, state)?;
            }
        }
        Ok(())
    }

    /// Bytes that depend on the number of groups.
    fn bytes(&self) -> usize {
        self.accumulator.bytes() + self.dedup.as_ref().map_or(0, Dedup::bytes)
    }
}

/// The group numbers as a vector.
fn group_vector(groups: Option<&[u32]>, rows: usize) -> Vector {
    let numbers: Vec<i32> = match groups {
        Some(groups) => groups.iter().map(|&group| group as i32).collect(),
        None => vec![0; rows],
    };
    Vector::flat(TypeId::Int4, rows, VectorData::Int4(numbers.into()), None)
}

/// Aggregation with or without groups.
pub(crate) struct Aggregate {
    input: Box<dyn Operator>,
    /// Keys that are no columns of the input; they stand behind its columns.
    computed: Vec<Eval>,
    /// Where the keys stand.
    keys: Vec<usize>,
    key_types: Vec<TypeId>,
    /// Of the input's columns and the computed keys.
    types: Arc<[TypeId]>,
    calls: Vec<Call>,
    is_plain: bool,
    /// The groups of the part at hand, once it is read.
    groups: Option<Groups>,
    /// Groups of it that are given.
    at: usize,
    postponed: Postponed,
    note: NodeNote,
    grant: Grant,
}

impl Aggregate {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        layout: &Layout,
        input_types: Vec<TypeId>,
        groups: &[Expr],
        aggregates: &[AggregateCall],
        strategy: AggregateStrategy,
    ) -> Self {
        let (mut computed, mut keys, mut types) = (vec![], vec![], input_types);
        for group in groups {
            let eval = Eval::new(group, layout);
            keys.push(eval.as_column().unwrap_or(types.len()));
            if eval.as_column().is_none() {
                types.push(group.ty.id);
                computed.push(eval);
            }
        }
        Self {
            input,
            computed,
            key_types: keys.iter().map(|&key| types[key]).collect(),
            keys,
            types: types.into(),
            calls: aggregates.iter().map(|call| Call::new(call, layout)).collect(),
            is_plain: strategy == AggregateStrategy::Plain,
            groups: None,
            at: 0,
            postponed: Postponed::default(),
            note: NodeNote::default(),
            grant: Grant::default(),
        }
    }

    /// The next rows of the input, or of the part at hand, with computed keys.
    fn next_rows(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        state.check()?;
        if self.postponed.is_begun() {
            return self.postponed.next();
        }
        let Some(mut batch) = self.input.next(state)? else { return Ok(None) };
        let active = batch.active();
        for key in &self.computed {
            let column = key.run(&batch, &active, state)?;
            batch.columns.push(column);
        }
        Ok(Some(batch))
    }

    /// Reads the input or a part to its end.
    fn fill(&mut self, state: &mut State<'_>) -> Result<Groups> {
        let mut groups = Groups::new(&self.key_types);
        let (mut numbers, mut fresh) = (vec![], vec![]);
        while let Some(mut batch) = self.next_rows(state)? {
            if self.is_plain {
                for call in &mut self.calls {
                    call.update(&batch, None, 1, state)?;
                }
            } else {
                let keys: Vec<Vector> =
                    self.keys.iter().map(|&key| batch.columns[key].clone()).collect();
                let active = batch.active();
                groups.find(&keys, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
                if groups.is_frozen() {
                    self.postponed.take_missing(&groups, &batch.columns, &self.types, state)?;
                    batch.select(&active.and_not(&groups.missing_mask()));
                }
                for call in &mut self.calls {
                    call.update(&batch, Some(&numbers), groups.len(), state)?;
                }
            }
            let states: usize = self.calls.iter().map(|call| call.accumulator.bytes()).sum();
            self.grant.grow(states, &state.run.memory)?;
            let bytes = groups.bytes() + self.calls.iter().map(Call::bytes).sum::<usize>();
            self.note.hashed(1, groups.buckets(), bytes, 0);
            if !groups.is_frozen() && state.should_spill(bytes, state.ctx.hash_mem_bytes) {
                groups.freeze();
            }
        }
        let count = if self.is_plain { 1 } else { groups.len() };
        for call in &mut self.calls {
            call.accumulator.resize(count);
            call.finish_input(state)?;
        }
        Ok(groups)
    }

    fn reset(&mut self) {
        (self.groups, self.at) = (None, 0);
        self.grant.clear();
        for call in &mut self.calls {
            call.reset();
        }
    }
}

impl Operator for Aggregate {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        loop {
            let groups = match self.groups.take() {
                Some(groups) => groups,
                None => self.fill(state)?,
            };
            state.check()?;
            let total = if self.is_plain { 1 } else { groups.len() };
            let rows = (total - self.at).min(TILE_ROWS);
            if rows > 0 {
                let mut columns =
                    if self.keys.is_empty() { vec![] } else { groups.keys().tile(self.at).columns };
                for call in &self.calls {
                    columns.push(call.accumulator.finish(&*state.ctx.session, self.at, rows)?);
                }
                self.at += rows;
                self.groups = Some(groups);
                return Ok(Some(Batch::new(columns, rows)));
            }
            if !self.postponed.next_part(state)? {
                self.groups = Some(groups);
                return Ok(None);
            }
            self.note.hashed(self.postponed.batches(), 0, 0, self.postponed.disk_bytes());
            self.reset();
        }
    }

    fn rewind(&mut self) {
        self.reset();
        self.postponed = Postponed::default();
        self.input.rewind();
    }

    fn note(&self) -> NodeNote {
        if self.is_plain { NodeNote::default() } else { self.note }
    }
}
