//! Groups and their aggregates.
//!
//! Each input row is given a group number by a hash table over the group keys; accumulators take whole tiles with the group of each
//! row. DISTINCT keeps, for each call, the pairs of group and arguments seen so far; ORDER BY inside a call keeps the rows until the
//! end and feeds them in order.

use super::{Operator, Rows};
use crate::build::Layout;
use crate::context::{Grant, State};
use crate::eval::Eval;
use crate::hash::{Chains, equal, hash_rows};
use crate::order::Order;
use damask_functions::aggregate::Accumulator;
use damask_planner::expr::Expr;
use damask_planner::physical::{AggregateCall, AggregateStrategy};
use damask_types::{Batch, Mask, Result, TILE_ROWS, TypeId, Vector, VectorData};

/// Rows by key: numbers equal keys equally, from 0, in order of appearance.
pub(crate) struct Groups {
    keys: Rows,
    chains: Chains,
    hashes: Vec<u64>,
    grant: Grant,
}

impl Groups {
    pub(crate) fn new(types: &[TypeId]) -> Self {
        Self {
            keys: Rows::new(types),
            chains: Chains::default(),
            hashes: vec![],
            grant: Grant::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.chains.len()
    }

    /// The keys, a row for each group.
    pub(crate) fn keys(&self) -> &crate::store::Store {
        &self.keys.store
    }

    /// The group of each active row of a tile; `fresh` gets the rows that began one.
    pub(crate) fn find(
        &mut self,
        keys: &[Vector],
        rows: usize,
        active: &Mask,
        groups: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
        state: &State<'_>,
    ) -> Result<()> {
        groups.clear();
        groups.resize(rows, 0);
        fresh.clear();
        hash_rows(keys, rows, &mut self.hashes);
        for row in active.iter() {
            let hash = self.hashes[row];
            let columns = &self.keys.store.columns;
            let mut at = self.chains.first(hash);
            let mut found = None;
            while let Some((group, next)) = self.chains.follow(at, hash) {
                at = next;
                if columns.iter().zip(keys).all(|(column, key)| equal(column, group, key, row)) {
                    found = Some(group);
                    break;
                }
            }
            groups[row] = if let Some(group) = found {
                group as u32
            } else {
                let group = self.chains.len() as u32;
                self.chains.insert(hash);
                self.keys.store.append(keys, &[row as u32]);
                fresh.push(row as u32);
                group
            };
        }
        if !fresh.is_empty() {
            self.keys.account(&state.run.memory)?;
            self.grant.grow(self.chains.bytes(), &state.run.memory)?;
        }
        Ok(())
    }
}

/// One aggregate call with its states.
struct Call {
    accumulator: Box<dyn Accumulator>,
    make: Box<dyn Fn() -> Box<dyn Accumulator> + Send>,
    args: Vec<Eval>,
    filter: Option<Eval>,
    /// DISTINCT: the pairs of group and arguments seen.
    seen: Option<Groups>,
    arg_types: Vec<TypeId>,
    /// ORDER BY: keys, their order, and the rows kept: group, keys, arguments.
    ordered: Option<(Vec<Eval>, Order, Vec<TypeId>, Rows)>,
}

impl Call {
    fn new(call: &AggregateCall, layout: &Layout) -> Self {
        let arg_types: Vec<TypeId> = call.args.iter().map(|arg| arg.ty.id).collect();
        let args_sql: Vec<_> = call.args.iter().map(|arg| arg.ty).collect();
        let (function, ty) = (call.function, call.ty);
        let make = Box::new(move || (function.make)(&args_sql, ty));
        let group_and = |types: &[TypeId]| {
            let mut all = vec![TypeId::Int4];
            all.extend_from_slice(types);
            all
        };
        let ordered = (!call.order.is_empty()).then(|| {
            let keys = layout.evals(call.order.iter().map(|key| &key.expr));
            let key_types: Vec<TypeId> = call.order.iter().map(|key| key.expr.ty.id).collect();
            let mut types = key_types.clone();
            types.extend_from_slice(&arg_types);
            (keys, Order::new(&call.order), key_types, Rows::new(&group_and(&types)))
        });
        Self {
            accumulator: make(),
            make,
            args: layout.evals(&call.args),
            filter: call.filter.as_ref().map(|filter| Eval::new(filter, layout)),
            seen: call.distinct.then(|| Groups::new(&group_and(&arg_types))),
            arg_types,
            ordered,
        }
    }

    fn reset(&mut self) {
        self.accumulator = (self.make)();
        if let Some(seen) = &mut self.seen {
            let mut types = vec![TypeId::Int4];
            types.extend_from_slice(&self.arg_types);
            *seen = Groups::new(&types);
        }
        if let Some((_, _, key_types, rows)) = &mut self.ordered {
            let mut types = vec![TypeId::Int4];
            types.extend_from_slice(key_types);
            types.extend_from_slice(&self.arg_types);
            *rows = Rows::new(&types);
        }
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
        if let Some(seen) = &mut self.seen {
            let mut keys = vec![group_vector(groups, batch.rows())];
            keys.extend(args.iter().cloned());
            let (mut numbers, mut fresh) = (vec![], vec![]);
            seen.find(&keys, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            active = Mask::NONE;
            for row in fresh {
                active.set(row as usize, true);
            }
            if active.is_empty() {
                return Ok(());
            }
        }
        if let Some((keys, _, _, rows)) = &mut self.ordered {
            let mut columns = vec![group_vector(groups, batch.rows())];
            for key in keys.iter() {
                columns.push(key.run(batch, &active, state)?);
            }
            columns.extend(args);
            let mut kept = Batch::new(columns, batch.rows());
            kept.selection = Some(active);
            return rows.append(&kept, state);
        }
        let session = &*state.ctx.session;
        match groups {
            Some(groups) => self.accumulator.update(session, groups, &args, &active),
            None => self.accumulator.update_one(session, 0, &args, &active),
        }
    }

    /// Feeds the rows kept for ORDER BY.
    fn finish_input(&mut self, state: &State<'_>) -> Result<()> {
        let Some((keys, order, _, rows)) = &self.ordered else {
            return Ok(());
        };
        let store = &rows.store;
        let columns: Vec<_> = store.columns[1..=keys.len()].iter().collect();
        let sorted = order.sort(&columns, store.len());
        for chunk in sorted.chunks(TILE_ROWS) {
            let batch = store.gather(chunk);
            let groups: Vec<u32> = (0..chunk.len())
                .map(|row| batch.columns[0].value(row).as_i64().unwrap_or(0) as u32)
                .collect();
            let args = &batch.columns[1 + keys.len()..];
            self.accumulator.update(
                &*state.ctx.session,
                &groups,
                args,
                &Mask::first(chunk.len()),
            )?;
        }
        Ok(())
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
    keys: Vec<Eval>,
    key_types: Vec<TypeId>,
    calls: Vec<Call>,
    strategy: AggregateStrategy,
    groups: Option<Groups>,
    at: usize,
    grant: Grant,
}

impl Aggregate {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        layout: &Layout,
        groups: &[Expr],
        aggregates: &[AggregateCall],
        strategy: AggregateStrategy,
    ) -> Self {
        Self {
            input,
            keys: layout.evals(groups),
            key_types: groups.iter().map(|group| group.ty.id).collect(),
            calls: aggregates.iter().map(|call| Call::new(call, layout)).collect(),
            strategy,
            groups: None,
            at: 0,
            grant: Grant::default(),
        }
    }

    fn fill(&mut self, state: &mut State<'_>) -> Result<Groups> {
        let mut groups = Groups::new(&self.key_types);
        let (mut numbers, mut fresh) = (vec![], vec![]);
        let is_plain = self.strategy == AggregateStrategy::Plain;
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            if is_plain {
                for call in &mut self.calls {
                    call.update(&batch, None, 1, state)?;
                }
                continue;
            }
            let active = batch.active();
            let keys = self
                .keys
                .iter()
                .map(|key| key.run(&batch, &active, state))
                .collect::<Result<Vec<_>>>()?;
            groups.find(&keys, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            for call in &mut self.calls {
                call.update(&batch, Some(&numbers), groups.len(), state)?;
            }
            let bytes: usize = self.calls.iter().map(|call| call.accumulator.bytes()).sum();
            self.grant.grow(bytes, &state.run.memory)?;
        }
        let count = if is_plain { 1 } else { groups.len() };
        for call in &mut self.calls {
            call.accumulator.resize(count);
            call.finish_input(state)?;
        }
        Ok(groups)
    }
}

impl Operator for Aggregate {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let groups = match self.groups.take() {
            Some(groups) => groups,
            None => self.fill(state)?,
        };
        state.check()?;
        let total = if self.strategy == AggregateStrategy::Plain { 1 } else { groups.len() };
        let rows = (total - self.at).min(TILE_ROWS);
        let mut out = None;
        if rows > 0 {
            let mut columns =
                if self.keys.is_empty() { vec![] } else { groups.keys().tile(self.at).columns };
            for call in &self.calls {
                columns.push(call.accumulator.finish(&*state.ctx.session, self.at, rows)?);
            }
            out = Some(Batch::new(columns, rows));
        }
        self.at += rows;
        self.groups = Some(groups);
        Ok(out)
    }

    fn rewind(&mut self) {
        (self.groups, self.at) = (None, 0);
        self.grant.clear();
        for call in &mut self.calls {
            call.reset();
        }
        self.input.rewind();
    }
}
