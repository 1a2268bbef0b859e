//! Subqueries in expressions.
//!
//! A subquery that reads no column of the queries around it becomes a subplan, run at most once. One that does, and every `IN`,
//! `ANY` and `ALL`, becomes a join of the query in which the expression stands: the expression reads the join's mark or the
//! subquery's column, and the join is put under the operator that evaluates the expression ([`Binder::attach`]).
//!
//! `x op ALL (q)` is `NOT (x negated-op ANY (q))` with three-valued logic kept: the mark tests `NOT (x op y)`.

use super::scope::Scope;
use super::{Binder, Bound, at};
use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Call, Join, Logical};
use crate::physical::{JoinKind, PlanId};
use damask_sql::ast::Query;
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId};

/// A join that an expression waits for.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) kind: JoinKind,
    pub(crate) plan: Logical,
    pub(crate) predicates: Vec<Expr>,
    /// The mark, or none for [`JoinKind::Single`].
    pub(crate) mark: Option<ColumnId>,
}

impl Pending {
    /// The columns that it reads and does not make.
    pub(crate) fn reads(&self) -> ColumnSet {
        let mut reads = self.plan.free_columns();
        for predicate in &self.predicates {
            predicate.add_columns(&mut reads);
        }
        reads.subtract(&self.plan.output_set());
        reads
    }

    /// Where its text reads one of `columns`.
    pub(crate) fn place_of(&self, columns: &ColumnSet) -> Option<Position> {
        let own = self.predicates.iter().find_map(|predicate| predicate.place_of(columns));
        own.or_else(|| self.plan.place_of(columns))
    }

    /// Whether one of `columns` is what it gives.
    pub(crate) fn gives(&self, columns: &ColumnSet) -> bool {
        match self.mark {
            Some(mark) => columns.contains(mark),
            None => self.plan.output_set().intersects(columns),
        }
    }
}

impl Binder<'_> {
    /// EXISTS.
    pub(crate) fn bind_exists(
        &mut self,
        query: &Query,
        scope: &Scope<'_>,
        pending: &mut Vec<Pending>,
    ) -> Result<Expr> {
        let bound = self.bind_query(query, scope)?;
        if bound.plan.free_columns().is_empty() {
            let id = self.subplan(bound.plan);
            return Ok(Expr::new(ExprKind::Exists(id), TypeId::Bool));
        }
        Ok(self.mark(bound.plan, vec![], pending))
    }

    /// `(query)` as a value.
    pub(crate) fn bind_scalar(
        &mut self,
        query: &Query,
        scope: &Scope<'_>,
        pending: &mut Vec<Pending>,
    ) -> Result<Expr> {
        let mut bound = self.bind_query(query, scope)?;
        let mut column = single_column(&bound, query)?;
        let free = bound.plan.free_columns();
        if free.is_empty() {
            let id = self.subplan(bound.plan);
            return Ok(Expr::new(ExprKind::Subplan(id), column.1));
        }
        if free.contains(column.0) {
            // `(SELECT outer.a …)`: the join gives it beside the outer column, and null when there is no row.
            let renamed = self.new_column(column.1);
            let exprs = vec![(renamed, Expr::column(column.0, column.1))];
            bound.plan = Logical::Project { input: Box::new(bound.plan), exprs };
            column.0 = renamed;
        }
        pending.push(Pending {
            kind: JoinKind::Single,
            plan: bound.plan,
            predicates: vec![],
            mark: None,
        });
        Ok(Expr::column(column.0, column.1))
    }

    /// ARRAY(query).
    pub(crate) fn bind_array_query(
        &mut self,
        query: &Query,
        scope: &Scope<'_>,
        pending: &mut Vec<Pending>,
    ) -> Result<Expr> {
        let mut bound = self.bind_query(query, scope)?;
        let (mut id, mut ty) = single_column(&bound, query)?;
        if ty.id == TypeId::Unknown {
            let text = self.coerce(
                Expr::column(id, ty),
                TypeId::Text.into(),
                damask_functions::CastContext::Implicit,
            )?;
            (id, ty) = (self.new_column(text.ty), text.ty);
            bound.plan = Logical::Project { input: Box::new(bound.plan), exprs: vec![(id, text)] };
        }
        let array = ty.id.array().ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "could not find array type for data type {}",
                    damask_types::format::format_type(ty)
                ),
            )
            .at(at(query.span))
        })?;
        let array = SqlType { id: array, typmod: ty.typmod };
        if bound.plan.free_columns().is_empty() {
            let id = self.subplan(bound.plan);
            return Ok(Expr::new(ExprKind::ArraySubplan(id), array));
        }
        let function = damask_functions::registry::aggregates("array_agg")
            .iter()
            .find(|function| function.args == [TypeId::AnyNonArray])
            .copied()
            .ok_or_else(|| Error::unsupported("ARRAY(correlated subquery)"))?;
        let call = Call {
            function,
            args: vec![Expr::column(id, ty)],
            distinct: false,
            filter: None,
            order: vec![],
            ty: array,
        };
        let result = self.new_column(array);
        let plan = Logical::Aggregate {
            input: Box::new(bound.plan),
            groups: vec![],
            calls: vec![(result, call)],
        };
        pending.push(Pending { kind: JoinKind::Single, plan, predicates: vec![], mark: None });
        let empty = Expr::literal(damask_types::Value::array(ty.id, vec![]), array);
        Ok(Expr::new(ExprKind::Coalesce(vec![Expr::column(result, array), empty]), array))
    }

    /// `lhs op ANY (query)` or `ALL`; `lhs` has one expression for each column of the query.
    pub(crate) fn bind_quantified(
        &mut self,
        lhs: Vec<Expr>,
        operator: &str,
        query: &Query,
        is_all: bool,
        location: u32,
        scope: &Scope<'_>,
        pending: &mut Vec<Pending>,
    ) -> Result<Expr> {
        let bound = self.bind_query(query, scope)?;
        if bound.columns.len() != lhs.len() {
            let message = if bound.columns.len() < lhs.len() {
                "subquery has too few columns"
            } else {
                "subquery has too many columns"
            };
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(Position(location)));
        }
        let mut comparisons = vec![];
        for (lhs, column) in lhs.into_iter().zip(&bound.columns) {
            let rhs = Expr::column(column.id, column.ty);
            comparisons.push(self.operator(operator, Some(lhs), rhs, location)?);
        }
        if comparisons.iter().any(|comparison| comparison.ty.id != TypeId::Bool) {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                "row comparison operator must yield type boolean",
            ));
        }
        let predicates = if is_all { vec![Expr::and(comparisons).negate()] } else { comparisons };
        let mark = self.mark(bound.plan, predicates, pending);
        Ok(if is_all { mark.negate() } else { mark })
    }

    fn mark(&mut self, plan: Logical, predicates: Vec<Expr>, pending: &mut Vec<Pending>) -> Expr {
        let mark = self.new_column(TypeId::Bool.into());
        pending.push(Pending { kind: JoinKind::Mark, plan, predicates, mark: Some(mark) });
        Expr::column(mark, TypeId::Bool.into())
    }

    fn subplan(&mut self, plan: Logical) -> PlanId {
        self.subplans.push(plan);
        PlanId(self.subplans.len() as u32 - 1)
    }

    /// Puts the joins that `exprs` wait for under them.
    ///
    /// `conjuncts` are tested on the result; a mark that is one of them (or whose negation is) makes a semi or anti join.
    pub(crate) fn attach(
        mut plan: Logical,
        pending: Vec<Pending>,
        conjuncts: &mut Vec<Expr>,
    ) -> Logical {
        for wait in pending {
            let mut kind = wait.kind;
            let mut mark = wait.mark;
            if let Some(column) = mark {
                let is_mark = |expr: &Expr| expr.as_column() == Some(column);
                let is_no_mark =
                    |expr: &Expr| matches!(&expr.kind, ExprKind::Not(arg) if is_mark(arg));
                let uses = conjuncts.iter().filter(|expr| expr.columns().contains(column)).count();
                let dependent = !wait.plan.free_columns().is_empty();
                if uses == 1
                    && let Some(i) = conjuncts.iter().position(is_mark)
                {
                    conjuncts.remove(i);
                    (kind, mark) = (JoinKind::Semi, None);
                } else if uses == 1
                    && let Some(i) = conjuncts.iter().position(is_no_mark)
                {
                    // Without a comparison the mark is never unknown.
                    if wait.predicates.is_empty() {
                        conjuncts.remove(i);
                        (kind, mark) = (JoinKind::Anti, None);
                    } else if !dependent && wait.predicates.len() == 1 {
                        conjuncts.remove(i);
                        (kind, mark) = (JoinKind::NullAwareAnti, None);
                    }
                }
            }
            let is_dependent = wait.plan.free_columns().intersects(&plan.output_set());
            plan = Logical::Join(Join {
                kind,
                left: Box::new(plan),
                right: Box::new(wait.plan),
                predicates: wait.predicates,
                mark,
                is_dependent,
            });
        }
        plan
    }
}

/// The one column of a scalar subquery.
fn single_column(bound: &Bound, query: &Query) -> Result<(ColumnId, SqlType)> {
    match &bound.columns[..] {
        [column] => Ok((column.id, column.ty)),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, "subquery must return only one column")
            .at(at(query.span))),
    }
}
