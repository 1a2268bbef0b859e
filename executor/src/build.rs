//! Plans to operators.

use crate::context::State;
use crate::eval::Eval;
use crate::operator::aggregate::Aggregate;
use crate::operator::distinct::{Distinct, Unique};
use crate::operator::hash_join::{HashJoin, Shape};
use crate::operator::lookup_join::{self, LookupJoin};
use crate::operator::loop_join::{Inner, LoopJoin};
use crate::operator::modify::{Conflict, Delete, Insert, Update};
use crate::operator::scan::{FunctionScan, IndexScan, SeqScan, SystemScan};
use crate::operator::set::{Append, SetOperation, Shared};
use crate::operator::simple::{Filter, InputRows, Limit, LockRows, Project, ProjectSet, Values};
use crate::operator::sort::{Sort, TopN};
use crate::operator::{Instrumented, Operator};
use damask_planner::expr::{ColumnId, Expr};
use damask_planner::physical::{self, Node, Plan, PlanId};
use damask_types::{Result, TypeId};

/// Where each column of a batch stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout(Vec<ColumnId>);

impl Layout {
    pub(crate) fn new(columns: Vec<ColumnId>) -> Self {
        Self(columns)
    }

    /// This layout with another behind it.
    pub(crate) fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).copied().collect())
    }

    /// # Panics
    /// If the column is not there.
    pub(crate) fn position(&self, column: ColumnId) -> usize {
        match self.find(column) {
            Some(position) => position,
            None => panic!("column {column:?} is not among {:?}", self.0),
        }
    }

    pub(crate) fn find(&self, column: ColumnId) -> Option<usize> {
        self.0.iter().position(|&candidate| candidate == column)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Prepares expressions over it.
    pub(crate) fn evals<'a>(&self, exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<Eval> {
        exprs.into_iter().map(|expr| Eval::new(expr, self)).collect()
    }

    pub(crate) fn columns(&self) -> &[ColumnId] {
        &self.0
    }
}

/// The layout of a node's output.
pub(crate) fn layout(node: &Node) -> Layout {
    Layout(node.output.clone())
}

/// The types of a node's output.
pub(crate) fn types(node: &Node) -> Vec<TypeId> {
    node.types.iter().map(|ty| ty.id).collect()
}

/// Makes the operator of a node, with its inputs.
pub(crate) fn build(plan: &Plan, id: PlanId, state: &mut State<'_>) -> Result<Box<dyn Operator>> {
    let operator = build_plain(plan, id, state)?;
    Ok(if state.ctx.timing { Box::new(Instrumented::new(id, operator)) } else { operator })
}

fn build_plain(plan: &Plan, id: PlanId, state: &mut State<'_>) -> Result<Box<dyn Operator>> {
    let node = plan.node(id);
    let of = |id: PlanId| layout(plan.node(id));
    let types_of = |id: PlanId| types(plan.node(id));
    Ok(match &node.operator {
        physical::Operator::Values { rows } => Box::new(Values::new(node, rows)),
        physical::Operator::Input => Box::new(InputRows::default()),
        physical::Operator::SeqScan(scan) => Box::new(SeqScan::new(scan, state)),
        physical::Operator::IndexScan { scan, index, bounds, backward, index_only: _ } => {
            Box::new(IndexScan::new(scan, index, bounds, *backward, state))
        }
        physical::Operator::SystemScan(scan) => Box::new(SystemScan::new(scan, state)),
        physical::Operator::FunctionScan { function, args, ordinality } => {
            Box::new(FunctionScan::new(node, function, args, *ordinality))
        }
        physical::Operator::Filter { input, predicates } => {
            Box::new(Filter::new(build(plan, *input, state)?, of(*input).evals(predicates)))
        }
        physical::Operator::Project { input, exprs } => {
            Box::new(Project::new(build(plan, *input, state)?, of(*input).evals(exprs)))
        }
        physical::Operator::ProjectSet { input, functions } => {
            let layout = of(*input);
            let functions = functions
                .iter()
                .zip(&types(node)[layout.len()..])
                .map(|((function, args), &ty)| (*function, layout.evals(args), ty))
                .collect();
            Box::new(ProjectSet::new(build(plan, *input, state)?, functions, types_of(*input)))
        }
        physical::Operator::HashJoin { kind, left, right, keys, residual } => {
            let (left_layout, right_layout) = (of(*left), of(*right));
            let both = left_layout.join(&right_layout);
            let shape = Shape {
                kind: *kind,
                left_keys: left_layout.evals(keys.iter().map(|key| &key.left)),
                right_keys: right_layout.evals(keys.iter().map(|key| &key.right)),
                null_safe: keys.iter().map(|key| key.null_safe).collect(),
                key_types: keys.iter().map(|key| key.right.ty.id).collect(),
                residual: both.evals(residual),
                left_types: types_of(*left).into(),
                right_types: types_of(*right).into(),
            };
            Box::new(HashJoin::new(shape, build(plan, *left, state)?, build(plan, *right, state)?))
        }
        physical::Operator::NestedLoopJoin { kind, left, right, predicates } => {
            let both = of(*left).join(&of(*right));
            Box::new(LoopJoin::new(
                *kind,
                build(plan, *left, state)?,
                Inner::kept(build(plan, *right, state)?),
                both.evals(predicates),
                types_of(*left),
                types_of(*right),
            ))
        }
        physical::Operator::Apply { kind, left, right, predicates } => {
            let shape = lookup_join::Shape::of(plan, *kind, *left, *right, predicates, state);
            if let Some(shape) = shape {
                return Ok(Box::new(LookupJoin::new(*kind, build(plan, *left, state)?, shape)));
            }
            let both = of(*left).join(&of(*right));
            Box::new(LoopJoin::new(
                *kind,
                build(plan, *left, state)?,
                Inner::rerun(build(plan, *right, state)?, of(*left)),
                both.evals(predicates),
                types_of(*left),
                types_of(*right),
            ))
        }
        physical::Operator::Aggregate { input, groups, aggregates, strategy } => {
            let layout = of(*input);
            Box::new(Aggregate::new(
                build(plan, *input, state)?,
                &layout,
                types_of(*input),
                groups,
                aggregates,
                *strategy,
            ))
        }
        physical::Operator::Distinct { input, keys, sorted } => {
            let layout = of(*input);
            let keys = keys.iter().map(|&key| layout.position(key)).collect();
            let operator = build(plan, *input, state)?;
            if *sorted {
                Box::new(Unique::new(operator, keys))
            } else {
                Box::new(Distinct::new(operator, keys, types_of(*input)))
            }
        }
        physical::Operator::Sort { input, keys } => {
            let layout = of(*input);
            Box::new(Sort::new(build(plan, *input, state)?, &layout, keys, &types_of(*input)))
        }
        physical::Operator::TopN { input, keys, limit, offset } => {
            let layout = of(*input);
            Box::new(TopN::new(
                build(plan, *input, state)?,
                &layout,
                keys,
                &types_of(*input),
                Eval::new(limit, &Layout::default()),
                offset.as_ref().map(|offset| Eval::new(offset, &Layout::default())),
            ))
        }
        physical::Operator::Limit { input, limit, offset } => {
            let eval =
                |expr: &Option<Expr>| expr.as_ref().map(|expr| Eval::new(expr, &Layout::default()));
            Box::new(Limit::new(build(plan, *input, state)?, eval(limit), eval(offset)))
        }
        physical::Operator::Append { inputs } => {
            let inputs = inputs
                .iter()
                .map(|&input| build(plan, input, state))
                .collect::<Result<Vec<_>>>()?;
            Box::new(Append::new(inputs))
        }
        physical::Operator::SetOperation { kind, all, left, right } => Box::new(SetOperation::new(
            *kind,
            *all,
            build(plan, *left, state)?,
            build(plan, *right, state)?,
            types(node),
        )),
        physical::Operator::Shared { source } => Box::new(Shared::new(*source, types_of(*source))),
        physical::Operator::Insert(insert) => {
            let conflict = insert.conflict.as_ref();
            let conflict = conflict.map(|conflict| Conflict::new(plan, insert, conflict));
            let input = build(plan, insert.input, state)?;
            Box::new(Insert::new(insert, input, &of(insert.input), conflict))
        }
        physical::Operator::Update(update) => {
            Box::new(Update::new(update, build(plan, update.input, state)?, &of(update.input)))
        }
        physical::Operator::Delete(delete) => {
            Box::new(Delete::new(delete, build(plan, delete.input, state)?, &of(delete.input)))
        }
        physical::Operator::LockRows { input, tables, kept } => {
            Box::new(LockRows::new(build(plan, *input, state)?, *input, &of(*input), tables, kept))
        }
    })
}
