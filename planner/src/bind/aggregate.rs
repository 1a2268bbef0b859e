//! GROUP BY: which expressions a grouped query may use, and what they become above the aggregation.

use super::expr::Env;
use super::query::ordinal;
use super::scope::Scope;
use super::subquery::Pending;
use super::{Binder, at};
use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Call, Logical};
use damask_sql::ast::{self, GroupItem, Select};
use damask_types::{Error, Position, Result, SqlState};

impl Binder<'_> {
    /// The group keys. Names mean input columns first, then outputs.
    pub(crate) fn bind_groups(
        &mut self,
        select: &Select,
        scope: &Scope<'_>,
        outputs: &[(&str, &Expr)],
        env: &mut Env<'_>,
    ) -> Result<Vec<Expr>> {
        let mut groups: Vec<Expr> = vec![];
        for item in &select.group_by {
            let expr = match item {
                GroupItem::Expr(expr) => expr,
                GroupItem::Empty(_) => continue,
                GroupItem::Rollup(_, span)
                | GroupItem::Cube(_, span)
                | GroupItem::Sets(_, span) => {
                    return Err(Error::unsupported("grouping sets").at(at(*span)));
                }
            };
            let exprs: &[ast::Expr] = match &expr.kind {
                ast::ExprKind::Row { fields, explicit: false } => fields,
                _ => std::slice::from_ref(expr),
            };
            for expr in exprs {
                let bound = self.bind_group(expr, scope, outputs, env)?;
                let bound = self.known(bound)?;
                let position = bound.position.unwrap_or_default();
                self.comparison("=", bound.ty.id).map_err(|error| error.at(position))?;
                if !groups.iter().any(|other| other.same(&bound)) {
                    groups.push(bound);
                }
            }
        }
        Ok(groups)
    }

    fn bind_group(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        outputs: &[(&str, &Expr)],
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let position = Position(expr.span.start);
        match &expr.kind {
            ast::ExprKind::Literal(ast::Literal::Integer(number)) => {
                let index = ordinal(*number, outputs.len(), "GROUP BY", position)?;
                let found = outputs[index].1.clone();
                return group_output(found, env);
            }
            ast::ExprKind::Literal(ast::Literal::Number(_) | ast::Literal::String(_)) => {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "non-integer constant in GROUP BY")
                    .at(position));
            }
            ast::ExprKind::Column(name) if name.0.len() == 1 => {
                let wanted = name.base().as_str();
                let in_input = scope.merged.iter().any(|(merged, _)| merged == wanted)
                    || scope
                        .tables
                        .iter()
                        .any(|table| table.columns.iter().any(|column| column.name == wanted));
                let mut found = outputs.iter().filter(|(name, _)| *name == wanted);
                if !in_input && let Some((_, first)) = found.next() {
                    if found.any(|(_, other)| !other.same(first)) {
                        return Err(Error::new(
                            SqlState::AMBIGUOUS_COLUMN,
                            format!("GROUP BY \"{wanted}\" is ambiguous"),
                        )
                        .at(position));
                    }
                    return group_output((*first).clone(), env);
                }
            }
            _ => {}
        }
        // What group keys wait for lies below the aggregation.
        let mut own = Env::plain(env.scope, "GROUP BY");
        let bound = self.bind_expr(expr, &mut own);
        env.scope.enter(env.clause, true);
        env.scope.aggregates.borrow_mut().below.extend(own.pending);
        bound
    }
}

/// An output that is also a group key: it is computed below the aggregation, with the joins it waits for.
fn group_output(expr: Expr, env: &mut Env<'_>) -> Result<Expr> {
    let mut aggregates = env.scope.aggregates.borrow_mut();
    let calls = aggregates.ids();
    let mut place = expr.place_of(&calls);
    let mut reads = expr.columns();
    let pending = std::mem::take(&mut env.pending);
    for wait in pending {
        if wait.gives(&reads) {
            reads.union(&wait.reads());
            place = place.or_else(|| wait.place_of(&calls));
            aggregates.below.push(wait);
        } else {
            env.pending.push(wait);
        }
    }
    if calls.intersects(&reads) {
        return Err(Error::new(
            SqlState::GROUPING_ERROR,
            "aggregate functions are not allowed in GROUP BY",
        )
        .at(place.unwrap_or_default()));
    }
    Ok(expr)
}

/// The aggregation of a query while the expressions above it are adapted.
pub(crate) struct Grouping<'b, 'a, 's> {
    binder: &'b mut Binder<'a>,
    input: Logical,
    /// Columns of the input.
    inside: ColumnSet,
    groups: Vec<(ColumnId, Expr)>,
    calls: Vec<(ColumnId, Call)>,
    scope: &'s Scope<'s>,
}

impl<'b, 'a, 's> Grouping<'b, 'a, 's> {
    pub(crate) fn new(
        binder: &'b mut Binder<'a>,
        input: Logical,
        groups: Vec<Expr>,
        calls: Vec<(ColumnId, Call)>,
        _is_grouped_by: bool,
        scope: &'s Scope<'s>,
    ) -> Self {
        let inside = input.output_set();
        // A column keeps its id through the aggregation, so that subqueries above it need no change.
        let groups = groups
            .into_iter()
            .map(|expr| {
                let id = expr.as_column().unwrap_or_else(|| binder.new_column(expr.ty));
                (id, expr)
            })
            .collect();
        Self { binder, input, inside, groups, calls, scope }
    }

    /// Makes an expression over the input one over the groups.
    ///
    /// # Errors
    /// 42803 for a column that is neither grouped nor determined by what is.
    pub(crate) fn replace(&mut self, expr: &mut Expr) -> Result<()> {
        if let Some((id, group)) = self.groups.iter().find(|(_, group)| group.same(expr)) {
            let position = expr.position;
            *expr = Expr { position, ..Expr::column(*id, group.ty) };
            return Ok(());
        }
        if let ExprKind::Column(id) = expr.kind {
            return self.check(id, expr.position, false);
        }
        let mut result = Ok(());
        expr.for_each_child_mut(&mut |child| {
            if result.is_ok() {
                result = self.replace(child);
            }
        });
        result
    }

    /// As [`Grouping::replace`] for a subquery above the aggregation.
    pub(crate) fn replace_pending(&mut self, wait: &mut Pending) -> Result<()> {
        for predicate in &mut wait.predicates {
            // Predicates also read the subquery's own columns, which are not `inside`.
            self.replace(predicate)?;
        }
        let free = wait.plan.free_columns();
        if !free.intersects(&self.inside) {
            return Ok(());
        }
        let complex: Vec<_> =
            self.groups.iter().filter(|(_, group)| group.as_column().is_none()).cloned().collect();
        if !complex.is_empty() {
            fn swap(expr: &mut Expr, groups: &[(ColumnId, Expr)]) {
                if let Some((id, group)) = groups.iter().find(|(_, group)| group.same(expr)) {
                    *expr = Expr::column(*id, group.ty);
                    return;
                }
                expr.for_each_child_mut(&mut |child| swap(child, groups));
            }
            wait.plan.transform_exprs(&mut |expr| swap(expr, &complex));
        }
        for id in wait.plan.free_columns().iter() {
            let place = wait.place_of(&[id].into_iter().collect());
            self.check(id, place, true)?;
        }
        Ok(())
    }

    fn check(&mut self, id: ColumnId, position: Option<Position>, in_subquery: bool) -> Result<()> {
        if !self.inside.contains(id) || self.groups.iter().any(|(group, _)| *group == id) {
            return Ok(());
        }
        if self.is_determined(id) {
            let expr = self.binder.column_expr(id);
            self.groups.push((id, expr));
            return Ok(());
        }
        let name = self.column_name(id);
        let message = if in_subquery {
            format!("subquery uses ungrouped column \"{name}\" from outer query")
        } else {
            format!(
                "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
            )
        };
        let error = Error::new(SqlState::GROUPING_ERROR, message);
        Err(match position {
            Some(position) => error.at(position),
            None => error,
        })
    }

    /// Whether the column's table has its whole primary key among the groups.
    fn is_determined(&self, id: ColumnId) -> bool {
        let Some(table) =
            self.scope.tables.iter().find(|table| table.columns.iter().any(|c| c.id == id))
        else {
            return false;
        };
        let Some(relation) = &table.relation else {
            return false;
        };
        let Some(key) = relation.primary_key().filter(|key| key.immediate) else {
            return false;
        };
        key.key_columns().unwrap_or_default().iter().all(|column| {
            let name = &relation.columns[usize::from(column.0)].name;
            let position = relation.live_columns().position(|(_, column)| column.name == *name);
            position
                .and_then(|position| table.columns.get(position))
                .is_some_and(|column| self.groups.iter().any(|(group, _)| *group == column.id))
        })
    }

    fn column_name(&self, id: ColumnId) -> String {
        for table in &self.scope.tables {
            if let Some(column) = table.columns.iter().find(|column| column.id == id) {
                return format!("{}.{}", table.alias, column.name);
            }
        }
        "?".to_owned()
    }

    /// The aggregation.
    pub(crate) fn finish(self) -> Logical {
        Logical::Aggregate { input: Box::new(self.input), groups: self.groups, calls: self.calls }
    }
}
