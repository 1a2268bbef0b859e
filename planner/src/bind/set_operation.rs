//! VALUES and set operations: rows of several sources under one type a column.

use super::expr::Env;
use super::query::{item_position, project};
use super::scope::Scope;
use super::{Binder, Bound, BoundColumn, at};
use crate::expr::{ColumnId, Expr};
use crate::logical::Logical;
use crate::physical::SetKind;
use damask_functions::resolve::CommonContext;
use damask_sql::ast::{self, QueryBody, SetOperation, SetOperationKind};
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId};

impl Binder<'_> {
    pub(super) fn bind_values(
        &mut self,
        rows: &[Vec<ast::Expr>],
        scope: &Scope<'_>,
    ) -> Result<Bound> {
        let width = rows.first().map_or(0, Vec::len);
        let mut bound: Vec<Vec<Expr>> = vec![vec![]; width];
        let mut env = Env::plain(scope, "VALUES");
        for row in rows {
            if row.len() != width {
                let position = row.first().or(rows[0].first()).map_or(0, |expr| expr.span.start);
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "VALUES lists must all be the same length",
                )
                .at(Position(position)));
            }
            for (column, expr) in bound.iter_mut().zip(row) {
                column.push(self.bind_expr(expr, &mut env)?);
            }
        }
        let mut columns = vec![];
        let mut by_column = vec![];
        for (index, values) in bound.into_iter().enumerate() {
            // A single row may keep literals of unknown type, for INSERT.
            let (values, ty) =
                if values.len() == 1 || values.iter().all(|value| value.ty.id == TypeId::Unknown) {
                    let ty = values[0].ty;
                    (values, ty)
                } else {
                    self.common(values, CommonContext::Values)?
                };
            let id = self.new_column(ty);
            columns.push(BoundColumn { name: format!("column{}", index + 1), id, ty });
            by_column.push(values.into_iter());
        }
        let rows: Vec<Vec<Expr>> = (0..rows.len())
            .map(|_| {
                by_column
                    .iter_mut()
                    .map(|values| values.next().unwrap_or_else(|| Expr::bool(false)))
                    .collect()
            })
            .collect();
        let ids: Vec<ColumnId> = columns.iter().map(|column| column.id).collect();
        if !env.pending.is_empty() {
            // One row at a time over the joins that its subqueries wait for.
            let [row] = <[Vec<Expr>; 1]>::try_from(rows).map_err(|_| {
                Error::unsupported("correlated subquery in VALUES with several rows")
            })?;
            let plan = Self::attach(Logical::one_row(), env.pending, &mut vec![]);
            let exprs = ids.into_iter().zip(row).collect();
            return Ok(Bound { plan: project(plan, exprs), columns });
        }
        let plan = if rows.len() == 1 {
            let exprs = ids.into_iter().zip(rows.into_iter().flatten()).collect();
            project(Logical::one_row(), exprs)
        } else {
            Logical::Values { columns: ids, rows }
        };
        Ok(Bound { plan, columns })
    }

    pub(super) fn bind_set_operation(
        &mut self,
        operation: &SetOperation,
        scope: &Scope<'_>,
    ) -> Result<Bound> {
        // The left arms of a chain of one operation are walked in a loop: chains may be long.
        let mut arms = vec![&operation.right];
        let mut left = &operation.left;
        let is_union = operation.kind == SetOperationKind::Union;
        if is_union {
            while let QueryBody::SetOperation(inner) = &left.body {
                let is_plain = left.with.is_none()
                    && left.order_by.is_empty()
                    && left.limit.is_none()
                    && left.offset.is_none()
                    && left.locking.is_empty();
                if !is_plain || inner.kind != SetOperationKind::Union || inner.all != operation.all
                {
                    break;
                }
                arms.push(&inner.right);
                left = &inner.left;
            }
        }
        arms.push(left);
        arms.reverse();
        let (context, word) = match operation.kind {
            SetOperationKind::Union => (CommonContext::Union, "UNION"),
            SetOperationKind::Intersect => (CommonContext::Intersect, "INTERSECT"),
            SetOperationKind::Except => (CommonContext::Except, "EXCEPT"),
        };
        let mut bound = vec![];
        for arm in &arms {
            bound.push(self.bind_query_raw(arm, scope)?);
        }
        let width = bound[0].columns.len();
        for (arm, query) in bound.iter().zip(&arms) {
            if arm.columns.len() != width {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("each {word} query must have the same number of columns"),
                )
                .at(at(query.span)));
            }
        }
        let mut targets: Vec<SqlType> = vec![];
        for index in 0..width {
            let samples = bound
                .iter()
                .zip(&arms)
                .map(|(arm, query)| {
                    let column = &arm.columns[index];
                    let mut sample = Expr::column(column.id, column.ty);
                    sample.position = Some(item_position(query, index));
                    sample
                })
                .collect();
            targets.push(self.common(samples, context)?.1);
        }
        let columns: Vec<BoundColumn> = bound[0]
            .columns
            .iter()
            .zip(&targets)
            .map(|(column, &ty)| BoundColumn { name: column.name.clone(), id: ColumnId(0), ty })
            .collect();
        let columns: Vec<BoundColumn> = columns
            .into_iter()
            .map(|column| BoundColumn { id: self.new_column(column.ty), ..column })
            .collect();
        let ids: Vec<ColumnId> = columns.iter().map(|column| column.id).collect();
        if !(is_union && operation.all) {
            for target in &targets {
                self.comparison("=", target.id)?;
            }
        }
        let mut inputs = vec![];
        let mut sources = vec![];
        for arm in bound {
            let arm = self.convert_columns(arm, &targets)?;
            sources.push(arm.columns.iter().map(|column| column.id).collect::<Vec<_>>());
            inputs.push(arm.plan);
        }
        let plan = if is_union {
            let append = Logical::Append { inputs, sources, columns: ids.clone() };
            if operation.all {
                append
            } else {
                Logical::Distinct { input: Box::new(append), keys: ids }
            }
        } else {
            let right =
                inputs.pop().ok_or_else(|| Error::internal("a set operation without arms"))?;
            let left =
                inputs.pop().ok_or_else(|| Error::internal("a set operation without arms"))?;
            let right_columns = sources.pop().unwrap_or_default();
            let left_columns = sources.pop().unwrap_or_default();
            Logical::SetOperation {
                kind: if operation.kind == SetOperationKind::Intersect {
                    SetKind::Intersect
                } else {
                    SetKind::Except
                },
                all: operation.all,
                left: Box::new(left),
                right: Box::new(right),
                left_columns,
                right_columns,
                columns: ids,
            }
        };
        Ok(Bound { plan, columns })
    }
}
