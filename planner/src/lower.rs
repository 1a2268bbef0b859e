//! The algebra made physical: operators chosen, columns pruned, expected rows and costs written down.
//!
//! Top down with the set of columns that the operator above reads; bottom up with nodes. A column that belongs to the outer side of an
//! enclosing [`Operator::Apply`] becomes [`ExprKind::Outer`].

mod access;
pub mod bounds;
mod join;
mod statement;

use crate::bind::{Binder, CtePlan};
use crate::column_set::ColumnSet;
use crate::cost::Estimator;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Call, Logical};
use crate::physical::{
    AggregateCall, AggregateStrategy, LockedTable, Node, Operator, PlanId, SortKey,
};
use crate::tuning::{Tuning, penalty};
use damask_types::{Result, SqlType, TypeId};

pub(crate) use join::join_key;
pub(crate) use statement::plan;

/// Rows of a page.
const PAGE_ROWS: f64 = 100.0;

/// A plan in the making.
struct Lower<'a> {
    nodes: Vec<Node>,
    /// Types of the columns.
    columns: Vec<SqlType>,
    estimator: Estimator<'a>,
    tuning: Tuning,
    /// Columns of the outer sides of enclosing applies.
    outer: ColumnSet,
    subplans: Vec<Option<Logical>>,
    /// Where each subplan went.
    subplan_ids: Vec<Option<PlanId>>,
    ctes: Vec<CtePlan>,
    cte_ids: Vec<Option<PlanId>>,
    /// The path that the next scan must take.
    forced: Option<access::Path>,
}

impl Lower<'_> {
    fn type_of(&self, id: ColumnId) -> SqlType {
        self.columns[id.0 as usize]
    }

    fn new_column(&mut self, ty: SqlType) -> ColumnId {
        self.columns.push(ty);
        ColumnId(self.columns.len() as u32 - 1)
    }

    fn node(
        &mut self,
        operator: Operator,
        output: Vec<ColumnId>,
        rows: f64,
        cost: (f64, f64),
    ) -> PlanId {
        let types = output.iter().map(|&id| self.type_of(id)).collect();
        self.nodes.push(Node { operator, output, types, rows: rows.max(1.0).round(), cost });
        PlanId(self.nodes.len() as u32 - 1)
    }

    fn at(&self, id: PlanId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Finishes an expression: outer columns marked, subplans lowered and named.
    fn expr(&mut self, mut expr: Expr) -> Result<Expr> {
        let mut needed = vec![];
        let outer = &self.outer;
        let has_outer = !outer.is_empty();
        expr.transform(&mut |expr| match expr.kind {
            ExprKind::Column(id) if has_outer && outer.contains(id) => {
                expr.kind = ExprKind::Outer(id);
            }
            ExprKind::Subplan(id) | ExprKind::Exists(id) | ExprKind::ArraySubplan(id) => {
                needed.push(id);
            }
            _ => {}
        });
        if needed.is_empty() {
            return Ok(expr);
        }
        for id in needed {
            self.subplan(id.0 as usize)?;
        }
        let ids = &self.subplan_ids;
        let lowered = |id: PlanId| ids[id.0 as usize].unwrap_or(id);
        expr.transform(&mut |expr| match &mut expr.kind {
            ExprKind::Subplan(id) | ExprKind::Exists(id) | ExprKind::ArraySubplan(id) => {
                *id = lowered(*id);
            }
            _ => {}
        });
        Ok(expr)
    }

    fn exprs(&mut self, exprs: Vec<Expr>) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn subplan(&mut self, index: usize) -> Result<()> {
        let Some(plan) = self.subplans[index].take() else {
            return Ok(());
        };
        let outer = std::mem::take(&mut self.outer);
        let output = plan.output();
        let required = output.iter().copied().collect();
        let lowered = self.lower(plan, &required)?;
        let exact = self.exact(lowered, &output);
        self.outer = outer;
        self.subplan_ids[index] = Some(exact);
        Ok(())
    }

    /// A node that gives exactly these columns in this order.
    fn exact(&mut self, input: PlanId, columns: &[ColumnId]) -> PlanId {
        let has_duplicates = columns.iter().enumerate().any(|(i, id)| columns[..i].contains(id));
        if self.at(input).output == columns && !has_duplicates {
            return input;
        }
        let mut output = vec![];
        let mut exprs = vec![];
        for &id in columns {
            let ty = self.type_of(id);
            let own = if output.contains(&id) { self.new_column(ty) } else { id };
            let kind = if self.outer.contains(id) && !self.at(input).output.contains(&id) {
                ExprKind::Outer(id)
            } else {
                ExprKind::Column(id)
            };
            exprs.push(Expr::new(kind, ty));
            output.push(own);
        }
        let (rows, cost) = (self.at(input).rows, self.at(input).cost);
        // A projection below is widened rather than topped by another.
        if let Operator::Project { input: below, exprs: inner } = &self.at(input).operator {
            let inner_output = &self.at(input).output;
            let composed: Option<Vec<Expr>> = columns
                .iter()
                .map(|id| {
                    let place = inner_output.iter().position(|other| other == id)?;
                    Some(inner[place].clone())
                })
                .collect();
            if let Some(composed) = composed.filter(|_| !has_duplicates) {
                let below = *below;
                return self.node(
                    Operator::Project { input: below, exprs: composed },
                    output,
                    rows,
                    cost,
                );
            }
        }
        self.node(Operator::Project { input, exprs }, output, rows, cost)
    }

    /// Lowers a plan of which the operator above reads `required`.
    fn lower(&mut self, plan: Logical, required: &ColumnSet) -> Result<PlanId> {
        match plan {
            Logical::Values { columns, rows } => {
                let keep: Vec<usize> =
                    (0..columns.len()).filter(|&i| required.contains(columns[i])).collect();
                let count = rows.len() as f64;
                let mut lowered = vec![];
                for row in rows {
                    let mut row: Vec<Option<Expr>> = row.into_iter().map(Some).collect();
                    let kept = keep.iter().filter_map(|&i| row[i].take()).collect();
                    lowered.push(self.exprs(kept)?);
                }
                let output = keep.into_iter().map(|i| columns[i]).collect();
                Ok(self.node(
                    Operator::Values { rows: lowered },
                    output,
                    count,
                    (0.0, count * self.tuning.cpu_tuple_cost),
                ))
            }
            Logical::Input { columns, rows } => Ok(self.node(
                Operator::Input,
                columns,
                rows,
                (0.0, rows * self.tuning.cpu_tuple_cost),
            )),
            Logical::Get(get) => self.scan(get, required, &[]),
            Logical::Function { function, args, columns, ordinality } => {
                let args = self.exprs(args)?;
                let operator = Operator::FunctionScan { function, args, ordinality };
                Ok(self.node(operator, columns, 100.0, (0.0, 1.0)))
            }
            Logical::Filter { input, predicates } => self.filter(*input, predicates, required),
            Logical::Project { input, exprs } => {
                let mut needed = ColumnSet::default();
                let exprs: Vec<_> = exprs
                    .into_iter()
                    .filter(|(id, expr)| required.contains(*id) || expr.is_volatile())
                    .collect();
                for (_, expr) in &exprs {
                    expr.add_columns(&mut needed);
                }
                let input = self.lower(*input, &needed)?;
                let output: Vec<ColumnId> = exprs.iter().map(|(id, _)| *id).collect();
                let is_identity = exprs.iter().all(|(id, expr)| expr.as_column() == Some(*id));
                if is_identity
                    && !exprs.is_empty()
                    && !output.iter().any(|id| self.outer.contains(*id))
                {
                    return Ok(input);
                }
                let exprs = self.exprs(exprs.into_iter().map(|(_, expr)| expr).collect())?;
                let (rows, cost) = (self.at(input).rows, self.at(input).cost);
                let own = rows
                    * self.tuning.cpu_operator_cost
                    * exprs.iter().filter(|expr| expr.as_column().is_none()).count() as f64;
                Ok(self.node(
                    Operator::Project { input, exprs },
                    output,
                    rows,
                    (cost.0, cost.1 + own),
                ))
            }
            Logical::ProjectSet { input, functions } => {
                let mut needed = required.clone();
                for (_, _, args) in &functions {
                    for arg in args {
                        arg.add_columns(&mut needed);
                    }
                }
                let input = self.lower(*input, &needed)?;
                let mut output = self.at(input).output.clone();
                let mut lowered = vec![];
                for (id, function, args) in functions {
                    output.push(id);
                    lowered.push((function, self.exprs(args)?));
                }
                let (rows, cost) = (self.at(input).rows * 10.0, self.at(input).cost);
                Ok(self.node(
                    Operator::ProjectSet { input, functions: lowered },
                    output,
                    rows,
                    (cost.0, cost.1 + rows * self.tuning.cpu_tuple_cost),
                ))
            }
            Logical::Join(join) => self.join(join, required),
            Logical::Aggregate { input, groups, calls } => {
                self.aggregate(*input, groups, calls, required)
            }
            Logical::Distinct { input, keys } => {
                let mut needed = required.clone();
                needed.extend(keys.iter().copied());
                let rows = {
                    let keys: Vec<Expr> =
                        keys.iter().map(|&id| Expr::column(id, TypeId::Bool.into())).collect();
                    let rows = self.estimator.rows(&input);
                    self.estimator.groups(keys.iter(), rows)
                };
                let sorted = is_sorted_by(&input, &keys);
                let input = self.lower(*input, &needed)?;
                let output = self.at(input).output.clone();
                let cost = self.at(input).cost;
                let total = cost.1 + self.at(input).rows * self.tuning.cpu_tuple_cost;
                let operator = Operator::Distinct { input, keys, sorted };
                Ok(self.node(operator, output, rows, (cost.0, total)))
            }
            Logical::Sort { input, keys } => self.sort(*input, keys, required, None),
            Logical::Limit { input, limit, offset } => {
                let limit = limit.map(|limit| self.expr(limit)).transpose()?;
                let offset = offset.map(|offset| self.expr(offset)).transpose()?;
                // Look through projections that only rename and compute: ORDER BY then LIMIT is one operator.
                match *input {
                    Logical::Sort { input, keys } if limit.is_some() => {
                        self.sort(*input, keys, required, Some((limit, offset)))
                    }
                    Logical::Project { input, exprs }
                        if limit.is_some()
                            && matches!(*input, Logical::Sort { .. })
                            && exprs.iter().all(|(_, expr)| expr.as_column().is_some()) =>
                    {
                        let Logical::Sort { input, keys } = *input else {
                            return Err(damask_types::Error::internal(
                                "a sort that was there is gone",
                            ));
                        };
                        let mut needed = ColumnSet::default();
                        for (_, expr) in &exprs {
                            expr.add_columns(&mut needed);
                        }
                        let sorted = self.sort(*input, keys, &needed, Some((limit, offset)))?;
                        let columns: Vec<ColumnId> = exprs
                            .iter()
                            .map(|(id, _)| *id)
                            .filter(|id| required.contains(*id))
                            .collect();
                        Ok(self.exact(sorted, &columns))
                    }
                    input => {
                        let input = self.lower(input, required)?;
                        Ok(self.limit(input, limit, offset))
                    }
                }
            }
            Logical::Append { inputs, sources, columns } => {
                let keep: Vec<usize> =
                    (0..columns.len()).filter(|&i| required.contains(columns[i])).collect();
                let mut lowered = vec![];
                let (mut rows, mut cost) = (0.0, 0.0);
                for (input, source) in inputs.into_iter().zip(sources) {
                    let wanted: Vec<ColumnId> = keep.iter().map(|&i| source[i]).collect();
                    let set = wanted.iter().copied().collect();
                    let input = self.lower(input, &set)?;
                    let input = self.exact(input, &wanted);
                    rows += self.at(input).rows;
                    cost += self.at(input).cost.1;
                    lowered.push(input);
                }
                let output = keep.into_iter().map(|i| columns[i]).collect();
                Ok(self.node(Operator::Append { inputs: lowered }, output, rows, (0.0, cost)))
            }
            Logical::SetOperation {
                kind,
                all,
                left,
                right,
                left_columns,
                right_columns,
                columns,
            } => {
                let set = left_columns.iter().copied().collect();
                let left = self.lower(*left, &set)?;
                let left = self.exact(left, &left_columns);
                let set = right_columns.iter().copied().collect();
                let right = self.lower(*right, &set)?;
                let right = self.exact(right, &right_columns);
                let rows = self.at(left).rows;
                let cost = self.at(left).cost.1
                    + self.at(right).cost.1
                    + (rows + self.at(right).rows) * self.tuning.cpu_tuple_cost;
                Ok(self.node(
                    Operator::SetOperation { kind, all, left, right },
                    columns,
                    rows,
                    (cost, cost),
                ))
            }
            Logical::Cte { id, columns, .. } => {
                let source = if let Some(source) = self.cte_ids[id] {
                    source
                } else {
                    let plan = std::mem::replace(&mut self.ctes[id].plan, Logical::one_row());
                    let ids: Vec<ColumnId> =
                        self.ctes[id].columns.iter().map(|column| column.id).collect();
                    let outer = std::mem::take(&mut self.outer);
                    let lowered = self.lower(plan, &ids.iter().copied().collect())?;
                    self.outer = outer;
                    let source = self.exact(lowered, &ids);
                    self.cte_ids[id] = Some(source);
                    source
                };
                let (rows, cost) = (self.at(source).rows, self.at(source).cost);
                Ok(self.node(Operator::Shared { source }, columns, rows, cost))
            }
            Logical::Lock { input, tables, kept } => {
                let mut needed = required.clone();
                needed.extend(tables.iter().map(|(_, id, ..)| *id));
                needed.extend(kept.iter().copied());
                let input = self.lower(*input, &needed)?;
                let tables = tables
                    .into_iter()
                    .map(|(table, row_id, strength, wait)| LockedTable {
                        table,
                        row_id,
                        strength,
                        wait,
                    })
                    .collect();
                let output = self.at(input).output.clone();
                let (rows, cost) = (self.at(input).rows, self.at(input).cost);
                Ok(self.node(Operator::LockRows { input, tables, kept }, output, rows, cost))
            }
        }
    }

    fn filter(
        &mut self,
        input: Logical,
        predicates: Vec<Expr>,
        required: &ColumnSet,
    ) -> Result<PlanId> {
        let mut needed = required.clone();
        for predicate in &predicates {
            predicate.add_columns(&mut needed);
        }
        let part = self.estimator.conjunction(&predicates);
        let input = self.lower(input, &needed)?;
        let predicates = self.exprs(order_predicates(predicates))?;
        let output = self.at(input).output.clone();
        let (rows, cost) = (self.at(input).rows, self.at(input).cost);
        let total = cost.1 + rows * self.tuning.cpu_operator_cost * predicates.len() as f64;
        Ok(self.node(Operator::Filter { input, predicates }, output, rows * part, (cost.0, total)))
    }

    fn limit(&mut self, input: PlanId, limit: Option<Expr>, offset: Option<Expr>) -> PlanId {
        let output = self.at(input).output.clone();
        let (rows, cost) = (self.at(input).rows, self.at(input).cost);
        let count = limit_rows(limit.as_ref(), offset.as_ref(), rows);
        let part = if rows > 0.0 { (count / rows).min(1.0) } else { 1.0 };
        let total = cost.0 + (cost.1 - cost.0) * part;
        self.node(Operator::Limit { input, limit, offset }, output, count, (cost.0, total))
    }

    fn sort(
        &mut self,
        input: Logical,
        keys: Vec<SortKey>,
        required: &ColumnSet,
        limit: Option<(Option<Expr>, Option<Expr>)>,
    ) -> Result<PlanId> {
        let mut needed = required.clone();
        for key in &keys {
            key.expr.add_columns(&mut needed);
        }
        // Constants order nothing.
        let keys: Vec<SortKey> =
            keys.into_iter().filter(|key| key.expr.as_literal().is_none()).collect();
        if let Some(sorted) = self.ordered_scan(&input, &keys, &needed, limit.is_some())? {
            return Ok(match limit {
                Some((limit, offset)) => self.limit(sorted, limit, offset),
                None => sorted,
            });
        }
        let input = self.lower(input, &needed)?;
        if keys.is_empty() {
            return Ok(match limit {
                Some((limit, offset)) => self.limit(input, limit, offset),
                None => input,
            });
        }
        let mut lowered = vec![];
        for key in keys {
            lowered.push(SortKey { expr: self.expr(key.expr)?, ..key });
        }
        let output = self.at(input).output.clone();
        let (rows, cost) = (self.at(input).rows, self.at(input).cost);
        let compare = 2.0 * self.tuning.cpu_operator_cost;
        Ok(if let Some((Some(limit), offset)) = limit {
            let count = limit_rows(Some(&limit), offset.as_ref(), rows);
            let start =
                cost.1 + rows * compare * count.max(2.0).log2() + penalty(self.tuning.enable_sort);
            let operator = Operator::TopN { input, keys: lowered, limit, offset };
            self.node(operator, output, count, (start, start + count * self.tuning.cpu_tuple_cost))
        } else {
            let start =
                cost.1 + rows * compare * rows.max(2.0).log2() + penalty(self.tuning.enable_sort);
            self.node(
                Operator::Sort { input, keys: lowered },
                output,
                rows,
                (start, start + rows * self.tuning.cpu_operator_cost),
            )
        })
    }

    fn aggregate(
        &mut self,
        input: Logical,
        groups: Vec<(ColumnId, Expr)>,
        calls: Vec<(ColumnId, Call)>,
        required: &ColumnSet,
    ) -> Result<PlanId> {
        let calls: Vec<(ColumnId, Call)> =
            calls.into_iter().filter(|(id, _)| required.contains(*id)).collect();
        let mut needed = ColumnSet::default();
        for (_, expr) in &groups {
            expr.add_columns(&mut needed);
        }
        for (_, call) in &calls {
            for arg in &call.args {
                arg.add_columns(&mut needed);
            }
            if let Some(filter) = &call.filter {
                filter.add_columns(&mut needed);
            }
            for key in &call.order {
                key.expr.add_columns(&mut needed);
            }
        }
        let in_rows = self.estimator.rows(&input);
        let rows = if groups.is_empty() {
            1.0
        } else {
            self.estimator.groups(groups.iter().map(|(_, expr)| expr), in_rows)
        };
        let group_columns: Option<Vec<ColumnId>> =
            groups.iter().map(|(_, expr)| expr.as_column()).collect();
        let streamed = match group_columns {
            Some(columns) if !columns.is_empty() => self.grouped_scan(&input, &columns, &needed)?,
            _ => None,
        };
        // Groups lie side by side after a sort, too. What is volatile would be computed twice.
        let sorts = !self.tuning.enable_hashagg
            && !groups.is_empty()
            && groups.iter().all(|(_, expr)| !expr.is_volatile());
        let (input, strategy) = if let Some(input) = streamed {
            (input, AggregateStrategy::Streaming)
        } else if sorts {
            let key = |(_, expr): &(ColumnId, Expr)| SortKey {
                expr: expr.clone(),
                descending: false,
                nulls_first: false,
            };
            let keys = groups.iter().map(key).collect();
            (self.sort(input, keys, &needed, None)?, AggregateStrategy::Streaming)
        } else {
            let strategy =
                if groups.is_empty() { AggregateStrategy::Plain } else { AggregateStrategy::Hash };
            (self.lower(input, &needed)?, strategy)
        };
        let mut output: Vec<ColumnId> = groups.iter().map(|(id, _)| *id).collect();
        output.extend(calls.iter().map(|(id, _)| *id));
        let groups = self.exprs(groups.into_iter().map(|(_, expr)| expr).collect())?;
        let mut aggregates = vec![];
        for (_, call) in calls {
            let mut order = vec![];
            for key in call.order {
                order.push(SortKey { expr: self.expr(key.expr)?, ..key });
            }
            aggregates.push(AggregateCall {
                function: call.function,
                args: self.exprs(call.args)?,
                distinct: call.distinct,
                filter: call.filter.map(|filter| self.expr(filter)).transpose()?,
                order,
                ty: call.ty,
            });
        }
        let (in_rows, cost) = (self.at(input).rows, self.at(input).cost);
        let work =
            in_rows * self.tuning.cpu_operator_cost * (groups.len() + aggregates.len()) as f64;
        let start = match strategy {
            AggregateStrategy::Streaming => cost.0,
            AggregateStrategy::Hash => cost.1 + work + penalty(self.tuning.enable_hashagg),
            AggregateStrategy::Plain => cost.1 + work,
        };
        let total = (cost.1 + work).max(start) + rows * self.tuning.cpu_tuple_cost;
        Ok(self.node(
            Operator::Aggregate { input, groups, aggregates, strategy },
            output,
            rows,
            (start, total),
        ))
    }
}

/// Cheapest first, those that may raise last in text order.
fn order_predicates(mut predicates: Vec<Expr>) -> Vec<Expr> {
    let rank = |expr: &Expr| {
        let mut operators = 0usize;
        expr.walk(&mut |expr| {
            operators += match &expr.kind {
                ExprKind::Call { function, .. }
                    if function.name.contains("like") || function.name.contains("regex") =>
                {
                    20
                }
                ExprKind::Subplan(_) | ExprKind::Exists(_) | ExprKind::ArraySubplan(_) => 100,
                ExprKind::Call { .. } => 1,
                _ => 0,
            };
        });
        let raises = expr.may_raise();
        // Among those that may raise the order of the text stays.
        (raises, if raises { 0 } else { operators })
    };
    predicates.sort_by_cached_key(rank);
    predicates
}

fn limit_rows(limit: Option<&Expr>, offset: Option<&Expr>, rows: f64) -> f64 {
    let value = |expr: &Expr| {
        expr.as_literal().and_then(damask_types::Value::as_i64).map(|v| v.max(0) as f64)
    };
    let skipped = offset.and_then(value).unwrap_or(0.0);
    match limit {
        Some(limit) => value(limit).unwrap_or(rows * 0.1).min((rows - skipped).max(0.0)),
        None => (rows - skipped).max(0.0),
    }
}

/// Whether a join's right side is run anew for each left row.
fn is_dependent(right: &Logical, left: &ColumnSet) -> bool {
    right.free_columns().intersects(left)
}

/// What a binder leaves, as a plan in the making.
fn start<'a>(binder: Binder<'a>, estimator: Estimator<'a>) -> Lower<'a> {
    let subplan_ids = binder.subplans.iter().map(|_| None).collect();
    let cte_ids = binder.ctes.iter().map(|_| None).collect();
    Lower {
        tuning: binder.ctx.tuning,
        nodes: vec![],
        columns: binder.columns,
        estimator,
        outer: ColumnSet::default(),
        subplans: binder.subplans.into_iter().map(Some).collect(),
        subplan_ids,
        ctes: binder.ctes,
        cte_ids,
        forced: None,
    }
}

/// Whether rows with equal values of these columns come one after the other out of a sort.
fn is_sorted_by(input: &Logical, columns: &[ColumnId]) -> bool {
    let Logical::Sort { keys, .. } = input else { return false };
    let mut left = columns.to_vec();
    for key in keys {
        let Some(id) = key.expr.as_column().filter(|id| columns.contains(id)) else { break };
        left.retain(|&column| column != id);
    }
    left.is_empty()
}
