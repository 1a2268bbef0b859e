//! A bound statement to a whole plan.

use super::{Lower, start};
use crate::bind::Binder;
use crate::bind::conflict::Conflict;
use crate::bind::dml::{Statement, StatementKind};
use crate::column_set::ColumnSet;
use crate::cost::Estimator;
use crate::expr::{ColumnId, Expr};
use crate::logical::Logical;
use crate::physical::{
    ConflictUpdate, Delete, Insert, OnConflict, Operator, Plan, PlanId, RowChecks, Update,
};
use crate::{join_order, rewrite};
use damask_types::{ColumnIndex, Result};

/// Rewrites and lowers a bound statement.
pub(crate) fn plan(mut binder: Binder<'_>, mut statement: Statement) -> Result<Plan> {
    let columns = binder.output_columns(&statement).into();
    let parameters = binder.parameter_types().into();
    let relations = binder.take_relations();
    rewrite::inline_ctes(&mut binder, statement.kind.plans_mut());
    for plan in statement.kind.plans_mut() {
        rewrite::rewrite(&mut binder, plan);
    }
    fold_statement(&binder, &mut statement.kind);
    for index in 0..binder.subplans.len() {
        let mut plan = std::mem::replace(&mut binder.subplans[index], Logical::one_row());
        rewrite::rewrite(&mut binder, &mut plan);
        binder.subplans[index] = plan;
    }
    for index in 0..binder.ctes.len() {
        let mut plan = std::mem::replace(&mut binder.ctes[index].plan, Logical::one_row());
        rewrite::rewrite(&mut binder, &mut plan);
        binder.ctes[index].plan = plan;
    }
    let mut estimator = Estimator::new(binder.ctx.statistics, binder.ctx.session);
    for cte in &mut binder.ctes {
        estimator.learn(&cte.plan);
        join_order::order(&mut cte.plan, &estimator);
        let rows = estimator.rows(&cte.plan);
        estimator.cte_rows.push(rows);
    }
    for subplan in &mut binder.subplans {
        estimator.learn(subplan);
        join_order::order(subplan, &estimator);
    }
    for plan in statement.kind.plans_mut() {
        estimator.learn(plan);
        join_order::order(plan, &estimator);
    }
    let mut lower = start(binder, estimator);
    let visible: Vec<ColumnId> = statement.columns.iter().map(|column| column.id).collect();
    let writes = !matches!(statement.kind, StatementKind::Query(_));
    let root = lower.statement(statement.kind, &visible)?;
    let nodes = lower.nodes;
    let locks_rows = nodes.iter().any(|node| matches!(node.operator, Operator::LockRows { .. }));
    Ok(Plan { nodes, root, columns, parameters, relations, writes, locks_rows })
}

/// Folds constants in the expressions that stand beside a statement's plan.
fn fold_statement(binder: &Binder<'_>, kind: &mut StatementKind) {
    let fold =
        |exprs: &mut Vec<Expr>| exprs.iter_mut().for_each(|expr| rewrite::fold(binder.ctx, expr));
    match kind {
        StatementKind::Query(_) => {}
        StatementKind::Insert { conflict, checks, returning, .. } => {
            if let Some(update) = conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
                for (_, expr) in &mut update.assignments {
                    rewrite::fold(binder.ctx, expr);
                }
                fold(&mut update.predicates);
            }
            for (_, expr) in &mut checks.checks {
                rewrite::fold(binder.ctx, expr);
            }
            fold(returning);
        }
        StatementKind::Update { assignments, recheck, checks, returning, .. } => {
            for (_, expr) in assignments {
                rewrite::fold(binder.ctx, expr);
            }
            for (_, expr) in &mut checks.checks {
                rewrite::fold(binder.ctx, expr);
            }
            fold(recheck);
            fold(returning);
        }
        StatementKind::Delete { recheck, returning, .. } => {
            fold(recheck);
            fold(returning);
        }
    }
}

impl Lower<'_> {
    fn statement(&mut self, kind: StatementKind, visible: &[ColumnId]) -> Result<PlanId> {
        match kind {
            StatementKind::Query(plan) => {
                let required: ColumnSet = visible.iter().copied().collect();
                let lowered = self.lower(plan, &required)?;
                Ok(self.exact(lowered, visible))
            }
            StatementKind::Insert { table, input, columns, conflict, checks, returning } => {
                let lowered = self.lower(input, &columns.iter().copied().collect())?;
                let input = self.exact(lowered, &columns);
                let conflict = match conflict {
                    Some(conflict) => Some(self.conflict(*conflict)?),
                    None => None,
                };
                let returning = self.exprs(returning)?;
                let checks = self.checks(checks)?;
                let (rows, cost) = (self.at(input).rows, self.at(input).cost);
                let insert = Insert { table, input, conflict, checks, returning };
                let operator = Operator::Insert(Box::new(insert));
                Ok(self.node(operator, visible.to_vec(), rows, cost))
            }
            StatementKind::Update {
                table,
                input,
                row_id,
                old,
                assignments,
                recheck,
                rerun,
                checks,
                returning,
            } => {
                let mut needed = read_by(&old, row_id);
                needed.extend(rerun.iter().flatten().copied());
                for (_, expr) in &assignments {
                    expr.add_columns(&mut needed);
                }
                recheck.iter().chain(&returning).for_each(|expr| expr.add_columns(&mut needed));
                let input = self.lower(input, &needed)?;
                let mut lowered = vec![];
                for (index, expr) in assignments {
                    lowered.push((index, self.expr(expr)?));
                }
                let recheck = self.exprs(recheck)?;
                let returning = self.exprs(returning)?;
                let checks = self.checks(checks)?;
                let (rows, cost) = (self.at(input).rows, self.at(input).cost);
                let operator = Operator::Update(Box::new(Update {
                    table,
                    input,
                    row_id,
                    old,
                    assignments: lowered,
                    recheck,
                    rerun,
                    checks,
                    returning,
                }));
                Ok(self.node(operator, visible.to_vec(), rows, cost))
            }
            StatementKind::Delete { table, input, row_id, old, recheck, rerun, returning } => {
                // Foreign keys that refer to the table read their columns of the old row.
                let referenced: Vec<ColumnIndex> = table
                    .referenced_by
                    .iter()
                    .flat_map(|constraint| match &constraint.kind {
                        damask_catalog::object::ConstraintKind::ForeignKey {
                            target_columns,
                            ..
                        } => target_columns.clone(),
                        _ => vec![],
                    })
                    .collect();
                let mut needed = ColumnSet::default();
                needed.insert(row_id);
                needed.extend(rerun.iter().flatten().copied());
                recheck.iter().chain(&returning).for_each(|expr| expr.add_columns(&mut needed));
                let old: Vec<_> = old
                    .into_iter()
                    .filter(|(index, id)| needed.contains(*id) || referenced.contains(index))
                    .collect();
                needed.extend(old.iter().map(|(_, id)| *id));
                let input = self.lower(input, &needed)?;
                let recheck = self.exprs(recheck)?;
                let returning = self.exprs(returning)?;
                let (rows, cost) = (self.at(input).rows, self.at(input).cost);
                let operator = Operator::Delete(Box::new(Delete {
                    table,
                    input,
                    row_id,
                    old,
                    recheck,
                    rerun,
                    returning,
                }));
                Ok(self.node(operator, visible.to_vec(), rows, cost))
            }
        }
    }

    fn conflict(&mut self, conflict: Conflict) -> Result<OnConflict> {
        let Some(update) = conflict.update else {
            return Ok(OnConflict { arbiters: conflict.arbiters, update: None });
        };
        let source = match update.source {
            Some(plan) => {
                let mut needed = read_by(&update.old, update.row_id);
                needed.insert(update.table_oid);
                needed.extend(update.excluded.iter().map(|(_, id)| *id));
                for (_, expr) in &update.assignments {
                    expr.add_columns(&mut needed);
                }
                Some(self.lower(plan, &needed)?)
            }
            None => None,
        };
        let mut assignments = vec![];
        for (index, expr) in update.assignments {
            assignments.push((index, self.expr(expr)?));
        }
        let update = ConflictUpdate {
            row_id: update.row_id,
            table_oid: update.table_oid,
            old: update.old,
            excluded: update.excluded,
            predicates: self.exprs(update.predicates)?,
            assignments,
            source,
            xmax: update.xmax,
        };
        Ok(OnConflict { arbiters: conflict.arbiters, update: Some(update) })
    }

    fn checks(&mut self, checks: RowChecks) -> Result<RowChecks> {
        let mut lowered = vec![];
        for (name, expr) in checks.checks {
            lowered.push((name, self.expr(expr)?));
        }
        Ok(RowChecks { columns: checks.columns, checks: lowered })
    }
}

fn read_by(old: &[(ColumnIndex, ColumnId)], row_id: ColumnId) -> ColumnSet {
    let mut needed: ColumnSet = old.iter().map(|(_, id)| *id).collect();
    needed.insert(row_id);
    needed
}
