//! SELECT of rows that are found by key, or of aggregates over them.

use super::find::Reader;
use super::scalar::{Given, Scalar, Stages, all, values_of};
use super::{Give, ROWS_MAX, ShortContext};
use crate::operator::simple::row_limit;
use damask_functions::Session;
use damask_functions::aggregate::{Accumulator, AggregateFunction};
use damask_planner::expr::{ColumnId, ExprKind};
use damask_planner::physical::{AggregateCall, AggregateStrategy, Node, Operator, Plan};
use damask_txn::Txn;
use damask_types::{Mask, RelId, Result, SqlType, TILE_ROWS, Value, VectorBuilder};
use std::ops::ControlFlow;

/// Rows of a [`Reader`], or one row of aggregates over them.
#[derive(Debug)]
pub(super) struct Select {
    reader: Reader,
    /// None if the rows themselves are asked for.
    aggregates: Option<Vec<Aggregate>>,
    /// What is given of each.
    stages: Stages,
    limit: Option<Scalar>,
}

impl Select {
    pub(super) fn of(plan: &Plan, root: &Node) -> Option<Self> {
        let (mut projections, mut limit, mut node) = (vec![], None, root);
        loop {
            match &node.operator {
                Operator::Project { input, .. } => {
                    projections.push(node);
                    node = plan.node(*input);
                }
                Operator::Limit { input, limit: Some(count), offset: None } if limit.is_none() => {
                    limit = Some(count);
                    node = plan.node(*input);
                }
                _ => break,
            }
        }
        if let Operator::Aggregate { input, groups, aggregates, strategy } = &node.operator {
            let reader = Reader::of(plan, plan.node(*input), ROWS_MAX)?;
            if !groups.is_empty() || *strategy != AggregateStrategy::Plain || limit.is_some() {
                return None;
            }
            let aggregates = aggregates.iter().map(|call| Aggregate::of(call, reader.layout()));
            let aggregates = Some(aggregates.collect::<Option<_>>()?);
            let stages = Stages::of(&projections, &node.output, &root.output)?;
            return Some(Self { reader, aggregates, stages, limit: None });
        }
        // Of a key that many rows have, the first few may be wanted.
        let is_first = matches!(
            limit.map(|count| &count.kind),
            Some(ExprKind::Literal(count)) if count.as_i64().is_some_and(|count| count <= ROWS_MAX as i64)
        );
        let reader = Reader::of(plan, node, if is_first { f64::INFINITY } else { ROWS_MAX })?;
        let stages = Stages::of(&projections, reader.layout(), &root.output)?;
        let limit = match limit {
            Some(count) => Some(Scalar::constant(count)?),
            None => None,
        };
        Some(Self { reader, aggregates: None, stages, limit })
    }

    pub(super) fn tables(&self) -> Vec<RelId> {
        self.reader.tables()
    }

    pub(super) fn is_unique(&self) -> bool {
        self.aggregates.is_some() || self.reader.is_unique()
    }

    /// See [`Reader::keeps_more`]. Batches also stop reading when they have enough.
    pub(super) fn keeps_more(&self) -> bool {
        self.limit.is_some() || self.reader.keeps_more()
    }

    pub(super) fn run(
        &self,
        ctx: &mut ShortContext<'_>,
        txn: &Txn,
        give: &mut Give<'_>,
    ) -> Result<u64> {
        let given = Given { params: ctx.params, session: ctx.session };
        if let Some(aggregates) = &self.aggregates {
            let mut states: Vec<_> = aggregates.iter().map(State::new).collect();
            self.reader.rows(ctx, txn.view_ref()?, usize::MAX, |row| {
                for state in &mut states {
                    state.push(row, given)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
            let values = states.into_iter().map(|state| state.finish(given.session));
            let values = values.collect::<Result<Vec<_>>>()?;
            self.stages.run(&values, given, give)?;
            return Ok(1);
        }
        let limit = match &self.limit {
            Some(count) => row_limit(count.value(&[], given)?.as_i64())?,
            None => u64::MAX,
        };
        if limit == 0 {
            return Ok(0);
        }
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rows = 0;
        self.reader.rows(ctx, txn.view_ref()?, wanted, |row| {
            rows += 1;
            self.stages.run(row, given, &mut *give)?;
            Ok(if rows == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(rows)
    }
}

/// An aggregate over all rows.
#[derive(Debug)]
struct Aggregate {
    function: &'static AggregateFunction,
    args: Vec<Scalar>,
    types: Vec<SqlType>,
    filter: Option<Scalar>,
    result: SqlType,
}

impl Aggregate {
    /// Of a call whose state does not grow with the rows.
    fn of(call: &AggregateCall, layout: &[ColumnId]) -> Option<Self> {
        let AggregateCall { function, args, distinct: false, filter, order, ty } = call else {
            return None;
        };
        if function.ordered || !order.is_empty() {
            return None;
        }
        let mut place = |id| layout.iter().position(|column| *column == id);
        Some(Self {
            function,
            args: all(args, &mut place)?,
            types: args.iter().map(|arg| arg.ty).collect(),
            filter: match filter {
                Some(filter) => Some(Scalar::of(filter, &mut place)?),
                None => None,
            },
            result: *ty,
        })
    }
}

/// An aggregate on its way: arguments gather, and are taken in a tile at a time.
struct State<'a> {
    aggregate: &'a Aggregate,
    accumulator: Box<dyn Accumulator>,
    args: Vec<VectorBuilder>,
    rows: usize,
}

impl<'a> State<'a> {
    fn new(aggregate: &'a Aggregate) -> Self {
        let mut accumulator = (aggregate.function.make)(&aggregate.types, aggregate.result);
        accumulator.resize(1);
        Self { aggregate, accumulator, args: Self::builders(aggregate), rows: 0 }
    }

    fn builders(aggregate: &Aggregate) -> Vec<VectorBuilder> {
        let builder = |ty: &SqlType| VectorBuilder::new(ty.id, ROWS_MAX as usize);
        aggregate.types.iter().map(builder).collect()
    }

    fn push(&mut self, row: &[Value], given: Given<'_>) -> Result<()> {
        if let Some(filter) = &self.aggregate.filter
            && !filter.is_true(row, given)?
        {
            return Ok(());
        }
        for (value, builder) in
            values_of(&self.aggregate.args, row, given)?.iter().zip(&mut self.args)
        {
            builder.push(value);
        }
        self.rows += 1;
        if self.rows == TILE_ROWS { self.take(given.session) } else { Ok(()) }
    }

    /// Takes in what has gathered.
    fn take(&mut self, session: &dyn Session) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return Ok(());
        }
        let args = std::mem::replace(&mut self.args, Self::builders(self.aggregate));
        let args: Vec<_> = args.into_iter().map(VectorBuilder::finish).collect();
        self.accumulator.update_one(session, 0, &args, &Mask::first(rows))
    }

    fn finish(mut self, session: &dyn Session) -> Result<Value> {
        self.take(session)?;
        Ok(self.accumulator.finish(session, 0, 1)?.value(0))
    }
}
