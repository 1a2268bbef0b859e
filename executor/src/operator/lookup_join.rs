//! Joins whose right side is one row of a unique index for each left row: found by value, a left tile at a time.
//!
//! It stands for an [`Operator::Apply`](physical::Operator::Apply) over an index scan, without a scan for each row. What
//! is left to that: kinds that tell unknown from false, right sides whose rows are asked for by id (they may be tried again), subqueries in
//! conditions, and timed executions, which show what each node did. `damask/tests/it/lookup_joins.rs` compares both with hash joins.

use super::Operator;
use super::simple::apply_predicates;
use crate::build::Layout;
use crate::context::State;
use crate::eval::Eval;
use crate::store::{NO_ROW, Store};
use damask_catalog::object::Relation;
use damask_planner::expr::{Expr, ExprKind};
use damask_planner::physical::{self, JoinKind, KeyBounds, Plan, PlanId};
use damask_txn::{Lookup, Table};
use damask_types::{Batch, ColumnIndex, Mask, RelId, Result, TypeId, Value, Vector, VectorBuilder};
use std::ops::ControlFlow;
use std::sync::Arc;

/// See the head of the file.
pub(crate) struct LookupJoin {
    kind: JoinKind,
    left: Box<dyn Operator>,
    shape: Shape,
}

/// What is looked up for a left row.
pub(crate) struct Shape {
    relation: Arc<Relation>,
    index: RelId,
    /// Over the left row.
    key: Vec<Eval>,
    /// Columns read: those given, then those that only predicates look at.
    columns: Vec<ColumnIndex>,
    types: Vec<TypeId>,
    given: usize,
    /// Over the left row and the columns read.
    predicates: Vec<Eval>,
}

impl Shape {
    /// Of the right side of an Apply, if it is one that this operator is for.
    pub(crate) fn of(
        plan: &Plan,
        kind: JoinKind,
        left: PlanId,
        right: PlanId,
        conditions: &[Expr],
        state: &State<'_>,
    ) -> Option<Self> {
        let is_kind =
            matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti);
        let physical::Operator::IndexScan { scan, index, bounds, backward: _, index_only: _ } =
            &plan.node(right).operator
        else {
            return None;
        };
        let KeyBounds { equal, any: false, lower: None, upper: None } = bounds else {
            return None;
        };
        let is_unique = equal.len() == index.keys.len() && index.tells_rows_apart();
        let predicates = || scan.predicates.iter().chain(conditions);
        let has_subplan = |expr: &Expr| {
            expr.any(&|part| {
                use ExprKind::{ArraySubplan, Exists, Subplan};
                matches!(part.kind, Subplan(_) | Exists(_) | ArraySubplan(_))
            })
        };
        // A transaction that keeps its reads may forget what the predicates leave out; the scan tells which that is.
        let keeps_more = state.run.view.keeps_reads() && !scan.predicates.is_empty();
        if !is_kind
            || !is_unique
            || scan.row_id.is_some()
            || scan.table_oid.is_some()
            || keeps_more
            || state.ctx.timing
            || equal.iter().chain(predicates()).any(has_subplan)
        {
            return None;
        }
        let left = Layout::new(plan.node(left).output.clone());
        let read = scan.columns.iter().chain(&scan.filter_columns);
        let right = Layout::new(read.clone().map(|(_, id)| *id).collect());
        let columns: Vec<ColumnIndex> = read.map(|(column, _)| *column).collect();
        let both = left.join(&right);
        // The left row's columns are outer ones for the right side.
        let inner = |expr: &Expr, layout: &Layout| {
            let mut expr = expr.clone();
            expr.transform(&mut |part| {
                if let ExprKind::Outer(id) = part.kind
                    && left.find(id).is_some()
                {
                    part.kind = ExprKind::Column(id);
                }
            });
            Eval::new(&expr, layout)
        };
        let ty = |column: &ColumnIndex| scan.table.columns[usize::from(column.0)].ty.id;
        Some(Self {
            relation: Arc::clone(&scan.table),
            index: index.rel,
            key: equal.iter().map(|expr| inner(expr, &left)).collect(),
            types: columns.iter().map(ty).collect(),
            columns,
            given: scan.columns.len(),
            predicates: predicates().map(|expr| inner(expr, &both)).collect(),
        })
    }

    /// For each row of a left tile the columns of its right one: which left rows have one, and those behind each other.
    fn look_up(&self, left: &Batch, state: &mut State<'_>) -> Result<(Vec<u32>, Vec<Vector>)> {
        let rows = left.rows();
        let all = Mask::first(rows);
        let key = self.key.iter().map(|part| part.run(left, &all, state));
        let key = key.collect::<Result<Vec<_>>>()?;
        let table = state.ctx.engine.table_handle(self.relation.rel)?;
        let mut found = vec![];
        let builders = self.types.iter().map(|&ty| VectorBuilder::new(ty, rows));
        let mut builders: Vec<_> = builders.collect();
        let (mut wanted, mut room) = (vec![], vec![]);
        for row in 0..rows {
            state.check()?;
            wanted.clear();
            wanted.extend(key.iter().map(|part| part.value(row)));
            if wanted.iter().any(Value::is_null) || !self.read(&wanted, &table, &mut room, state)? {
                continue;
            }
            found.push(row as u32);
            for (builder, value) in builders.iter_mut().zip(&room) {
                builder.push(value);
            }
        }
        Ok((found, builders.into_iter().map(VectorBuilder::finish).collect()))
    }

    /// Reads the row of a key into `room`; false if there is none.
    fn read(
        &self,
        key: &[Value],
        table: &Table,
        room: &mut Vec<Value>,
        state: &State<'_>,
    ) -> Result<bool> {
        let mut is_found = false;
        let lookup = Lookup::all(self.index, key, &self.columns);
        table.lookup(&state.run.view, &lookup, room, |_, _| {
            is_found = true;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(is_found)
    }
}

impl LookupJoin {
    pub(crate) fn new(kind: JoinKind, left: Box<dyn Operator>, shape: Shape) -> Self {
        Self { kind, left, shape }
    }

    /// The rows that a left tile comes to.
    fn join(&self, left: Batch, state: &mut State<'_>) -> Result<Batch> {
        let Shape { given, predicates, types, .. } = &self.shape;
        let rows = left.rows();
        let (mut found, right) = self.shape.look_up(&left, state)?;
        let mut columns: Vec<Vector> = if found.len() == rows {
            left.columns.clone()
        } else {
            left.columns.iter().map(|column| column.gather(&found)).collect()
        };
        let width = columns.len();
        columns.extend(right);
        let mut pairs = Batch::new(columns, found.len());
        apply_predicates(predicates, &mut pairs, state)?;
        if self.kind == JoinKind::Inner {
            pairs.columns.truncate(width + given);
            return Ok(pairs);
        }
        let mut left = left;
        let kept = pairs.active();
        let mut matches = Mask::NONE;
        for pair in kept.iter() {
            matches.set(found[pair] as usize, true);
        }
        match self.kind {
            JoinKind::Semi => left.select(&matches),
            JoinKind::Anti => left.select(&Mask::first(rows).and_not(&matches)),
            _ => {
                // Every left row, with nulls where there is no right one.
                let mut store = Store::new(types[..*given].iter().copied());
                pairs.columns.drain(..width);
                pairs.columns.truncate(*given);
                store.append_batch(&pairs);
                found.clear();
                let mut next = 0..;
                found.extend((0..rows).map(|row| {
                    if matches.get(row) { next.next().unwrap_or(NO_ROW) } else { NO_ROW }
                }));
                left.columns.extend(store.gather(&found).columns);
            }
        }
        Ok(left)
    }
}

impl Operator for LookupJoin {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        loop {
            state.check()?;
            let Some(left) = self.left.next(state)? else { return Ok(None) };
            let batch = self.join(left.compact(), state)?;
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        self.left.rewind();
    }
}
