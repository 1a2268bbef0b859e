//! Statements: queries at the top, UPDATE and DELETE, and what they share with INSERT ([`super::insert`]): targets, checks, RETURNING.

use super::column_expression::without_position;
use super::conflict::Conflict;
use super::expr::Env;
use super::query::output_name;
use super::scope::{Scope, ScopeColumn, ScopeTable};
use super::target::check_default;
use super::{Binder, BoundColumn, at, parse_error, without_database};
use crate::expr::{ColumnId, Expr};
use crate::logical::{Join, Logical};
use crate::physical::{JoinKind, OutputColumn, RowChecks};
use damask_catalog::object::{Column, ConstraintKind, Identity, Relation, RelationKind};
use damask_sql::ast::{self, Query, SelectItem};
use damask_types::{ColumnIndex, Error, Result, SqlState, SqlType, TypeId};
use std::sync::Arc;

/// A bound statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    /// What the client sees; for DML the RETURNING list.
    pub(crate) columns: Vec<BoundColumn>,
}

/// What a statement does.
#[derive(Debug)]
pub(crate) enum StatementKind {
    Query(Logical),
    Insert {
        table: Arc<Relation>,
        input: Logical,
        /// The live columns in order.
        columns: Vec<ColumnId>,
        conflict: Option<Box<Conflict>>,
        checks: RowChecks,
        returning: Vec<Expr>,
    },
    Update {
        table: Arc<Relation>,
        input: Logical,
        row_id: ColumnId,
        old: Vec<(ColumnIndex, ColumnId)>,
        assignments: Vec<(ColumnIndex, Expr)>,
        recheck: Vec<Expr>,
        rerun: Option<Vec<ColumnId>>,
        checks: RowChecks,
        returning: Vec<Expr>,
    },
    Delete {
        table: Arc<Relation>,
        input: Logical,
        row_id: ColumnId,
        old: Vec<(ColumnIndex, ColumnId)>,
        recheck: Vec<Expr>,
        rerun: Option<Vec<ColumnId>>,
        returning: Vec<Expr>,
    },
}

/// How a statement changes its target's rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
}

impl Change {
    /// 55000 for a view that cannot be changed.
    fn on_view(self, name: &str) -> Error {
        let (verb, gerund, command) = match self {
            Self::Insert => ("insert into", "inserting into", "INSERT"),
            Self::Update => ("update", "updating", "UPDATE"),
            Self::Delete => ("delete from", "deleting from", "DELETE"),
        };
        Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot {verb} view \"{name}\""),
        )
        .detail("Views that do not select from a single table or view are not automatically updatable.")
        .hint(format!(
            "To enable {gerund} the view, provide an INSTEAD OF {command} trigger or an unconditional ON {command} DO INSTEAD rule."
        ))
    }
}

impl StatementKind {
    /// The plans in it.
    pub(crate) fn plans_mut(&mut self) -> Vec<&mut Logical> {
        match self {
            Self::Query(plan)
            | Self::Update { input: plan, .. }
            | Self::Delete { input: plan, .. } => {
                vec![plan]
            }
            Self::Insert { input, conflict, .. } => {
                let update = conflict.as_mut().and_then(|conflict| conflict.update.as_mut());
                let source = update.and_then(|update| update.source.as_mut());
                std::iter::once(input).chain(source).collect()
            }
        }
    }
}

impl Binder<'_> {
    /// Binds SELECT, INSERT, UPDATE or DELETE.
    pub(crate) fn bind_statement(&mut self, statement: &ast::Statement) -> Result<Statement> {
        match statement {
            ast::Statement::Query(query) => self.bind_root_query(query),
            ast::Statement::Insert(insert) => self.bind_insert(insert),
            ast::Statement::Update(update) => self.bind_update(update),
            ast::Statement::Delete(delete) => self.bind_delete(delete),
            _ => Err(Error::internal("a statement without a plan was given to the planner")),
        }
    }

    /// Binds a query that is a statement.
    pub(crate) fn bind_root_query(&mut self, query: &Query) -> Result<Statement> {
        let bound = self.bind_query(query, &Scope::root())?;
        Ok(Statement { kind: StatementKind::Query(bound.plan), columns: bound.columns })
    }

    /// # Errors
    /// 42P18 for a parameter without a type.
    pub(crate) fn finish_parameters(&mut self) -> Result<()> {
        for (index, ty) in self.parameters.iter().enumerate() {
            if ty.is_none_or(|ty| ty == TypeId::Unknown) {
                return Err(Error::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    format!("could not determine data type of parameter ${}", index + 1),
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn parameter_types(&self) -> Vec<SqlType> {
        self.parameters.iter().map(|ty| SqlType::plain(ty.unwrap_or(TypeId::Text))).collect()
    }

    pub(crate) fn output_columns(&self, statement: &Statement) -> Vec<OutputColumn> {
        statement
            .columns
            .iter()
            .map(|column| OutputColumn {
                name: column.name.clone(),
                ty: column.ty,
                origin: self.origins[column.id.0 as usize].as_ref().and_then(|origin| origin.table),
            })
            .collect()
    }

    /// The table of a DML statement.
    ///
    /// # Errors
    /// 42809 for what is no table, 55000 for a system view, 42501 for a system catalog (PostgreSQL lets its superusers change
    /// those; here their rows are computed), 0A000 for other views.
    pub(super) fn target(&mut self, name: &ast::Name, change: Change) -> Result<Arc<Relation>> {
        let relation = self.relation(name)?;
        let what = match relation.kind {
            RelationKind::Table => {
                self.uses(&relation, true);
                return Ok(relation);
            }
            RelationKind::View => {
                return Err(Error::unsupported(format!(
                    "changing rows through view \"{}\"",
                    relation.name
                )));
            }
            RelationKind::Sequence => format!("cannot change sequence \"{}\"", relation.name),
            RelationKind::Index => format!("cannot change index \"{}\"", relation.name),
            RelationKind::System if damask_catalog::system::is_system_view(relation.oid) => {
                return Err(change.on_view(&relation.name));
            }
            RelationKind::System => {
                return Err(Error::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied: \"{}\" is a system catalog", relation.name),
                ));
            }
        };
        Err(Error::new(SqlState::WRONG_OBJECT_TYPE, what).at(at(name.span())))
    }

    /// Ids for a new row, and its CHECK constraints.
    pub(super) fn new_row(
        &mut self,
        relation: &Arc<Relation>,
        alias: Option<&str>,
    ) -> Result<(RowChecks, ScopeTable)> {
        let mut columns = vec![];
        let mut scope = vec![];
        for (index, column) in relation.live_columns() {
            let id = self.new_stored_column(relation.oid, index, column.ty);
            columns.push((index, id));
            scope.push(ScopeColumn { name: column.name.clone(), id, is_merged: false });
        }
        let table = ScopeTable {
            alias: alias.unwrap_or(&relation.name).to_owned(),
            columns: scope,
            relation: Some(Arc::clone(relation)),
            named: alias.is_none().then_some(relation.oid),
            row_id: None,
            table_oid: None,
            xmax: None,
        };
        // Constraints know the table by its own name.
        let own = ScopeTable { alias: relation.name.clone(), ..table.clone() };
        let check_scope = Scope { tables: vec![own], ..Scope::root() };
        let mut checks = vec![];
        for constraint in &relation.constraints {
            let ConstraintKind::Check { expr, .. } = &constraint.kind else {
                continue;
            };
            let parsed = damask_sql::parse_expression(expr).map_err(|error| parse_error(&error))?;
            let mut env = Env::plain(&check_scope, "CHECK constraints");
            let bound = self.bind_condition(&parsed, &mut env).map_err(without_position)?;
            checks.push((constraint.name.clone(), bound));
        }
        // PostgreSQL tests them in the order of their names.
        checks.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((RowChecks { columns, checks }, table))
    }

    pub(super) fn bind_returning(
        &mut self,
        items: &[SelectItem],
        scope: &Scope<'_>,
    ) -> Result<(Vec<Expr>, Vec<BoundColumn>)> {
        let mut exprs: Vec<(String, Expr)> = vec![];
        let mut env = Env::plain(scope, "RETURNING");
        for item in items {
            match &item.expr.kind {
                ast::ExprKind::Wildcard(None) => {
                    for table in &scope.tables {
                        for column in &table.columns {
                            exprs.push((column.name.clone(), self.column_expr(column.id)));
                        }
                    }
                    continue;
                }
                ast::ExprKind::Wildcard(Some(name)) => {
                    without_database(&name.0, || format!("{name}.*"))
                        .map_err(|error| error.at(at(name.span())))?;
                    let table = self.known_table(&name.0, scope)?;
                    for column in &table.columns {
                        exprs.push((column.name.clone(), self.column_expr(column.id)));
                    }
                    continue;
                }
                _ => {}
            }
            let expr = self.bind_expr(&item.expr, &mut env)?;
            let expr = self.known(expr)?;
            let name = item
                .alias
                .as_ref()
                .map_or_else(|| output_name(&item.expr), |alias| alias.as_str().to_owned());
            exprs.push((name, expr));
        }
        if !env.pending.is_empty() {
            return Err(Error::unsupported("correlated subquery in RETURNING"));
        }
        let mut columns = vec![];
        let mut returning = vec![];
        for (name, expr) in exprs {
            let id = self.new_column(expr.ty);
            if let Some(column) = expr.as_column() {
                let origin = self.origins[column.0 as usize].clone();
                self.origins[id.0 as usize] = origin;
            }
            columns.push(BoundColumn { name, id, ty: expr.ty });
            returning.push(expr);
        }
        Ok((returning, columns))
    }

    /// Joins the target with FROM or USING.
    fn join_sources(
        &mut self,
        plan: Logical,
        from: &[ast::TableRef],
        scope: &mut Scope<'_>,
    ) -> Result<Logical> {
        if from.is_empty() {
            return Ok(plan);
        }
        // The sources do not see the target, except through LATERAL, which is left out here.
        let outer = Scope { ctes: scope.ctes.clone(), ..Scope::root() };
        let item = self.bind_from(from, &outer)?;
        for table in item.tables {
            scope.add(table, at(from[0].span))?;
        }
        scope.merged = item.merged;
        Ok(Logical::Join(Join {
            kind: JoinKind::Inner,
            left: Box::new(plan),
            right: Box::new(item.plan),
            predicates: vec![],
            mark: None,
            is_dependent: false,
        }))
    }

    /// WHERE of UPDATE and DELETE: the filtered plan, the conjuncts that can be tried again on a newer row, and whether there are others,
    /// with subqueries in them.
    fn bind_filter(
        &mut self,
        plan: Logical,
        filter: Option<&ast::Expr>,
        scope: &Scope<'_>,
    ) -> Result<(Logical, Vec<Expr>, bool)> {
        let Some(filter) = filter else {
            return Ok((plan, vec![], false));
        };
        let mut env = Env::plain(scope, "WHERE");
        let mut conjuncts = vec![];
        self.bind_condition(filter, &mut env)?.conjuncts(&mut conjuncts);
        let visible = plan.output_set();
        let recheck = conjuncts
            .iter()
            .filter(|expr| visible.contains_all(&expr.columns()) && !expr.is_volatile())
            .cloned()
            .collect();
        let has_subqueries = !env.pending.is_empty();
        let plan = Self::attach(plan, env.pending, &mut conjuncts);
        Ok((plan.filter(conjuncts), recheck, has_subqueries))
    }

    fn bind_update(&mut self, update: &ast::Update) -> Result<Statement> {
        let mut scope = Scope::root();
        if let Some(with) = &update.with {
            self.bind_with(with, &mut scope)?;
        }
        let relation = self.target(&update.table, Change::Update)?;
        let alias = update.alias.as_ref().map(ast::Ident::as_str);
        let (get, table) = self.get(&relation, alias);
        let row_id = get.row_id.ok_or_else(|| Error::internal("a table without row ids"))?;
        let old = get.columns.clone();
        scope.add(table, at(update.table.span()))?;
        let plan = self.join_sources(Logical::Get(get), &update.from, &mut scope)?;
        let (plan, recheck, has_subqueries) =
            self.bind_filter(plan, update.filter.as_ref(), &scope)?;
        let mut env = Env::plain(&scope, "UPDATE");
        let assignments = self.bind_assignments(&update.assignments, &relation, &old, &mut env)?;
        let rerun = (has_subqueries || !env.pending.is_empty()).then(|| others(&scope));
        let plan = Self::attach(plan, env.pending, &mut vec![]);
        let (checks, new) = self.new_row(&relation, alias)?;
        // RETURNING sees the new row in the place of the old, and the other tables.
        let mut tables = scope.tables.clone();
        tables[0] = new;
        let returning_scope = Scope { tables, merged: scope.merged.clone(), ..Scope::root() };
        let (returning, columns) = self.bind_returning(&update.returning, &returning_scope)?;
        Ok(Statement {
            kind: StatementKind::Update {
                table: relation,
                input: plan,
                row_id,
                old,
                assignments,
                recheck,
                rerun,
                checks,
                returning,
            },
            columns,
        })
    }

    /// SET: the columns assigned to, each with its value. `old` is the row whose parts may be assigned to.
    pub(super) fn bind_assignments(
        &mut self,
        list: &[ast::Assignment],
        relation: &Relation,
        old: &[(ColumnIndex, ColumnId)],
        env: &mut Env<'_>,
    ) -> Result<Vec<(ColumnIndex, Expr)>> {
        let mut assignments: Vec<(ColumnIndex, Expr)> = vec![];
        let mut is_partial: Vec<ColumnIndex> = vec![];
        for assignment in list {
            let values = self.bind_assignment(assignment, relation, env)?;
            for (target, value) in assignment.columns.iter().zip(values) {
                let (index, column) = Self::target_column(relation, target)?;
                // Parts of one column add up; a whole column is assigned once.
                let earlier = match assignments.iter().position(|(other, _)| *other == index) {
                    Some(found) if !target.path.is_empty() && is_partial.contains(&index) => {
                        Some(found)
                    }
                    Some(_) => {
                        return Err(Error::new(
                            SqlState::SYNTAX_ERROR,
                            format!("multiple assignments to same column \"{}\"", column.name),
                        ));
                    }
                    None => None,
                };
                let Some(value) = value else {
                    check_default(target)?;
                    assignments.push((index, self.default(column)?));
                    continue;
                };
                if column.identity == Some(Identity::Always) {
                    return Err(only_default(column));
                }
                let whole = match earlier {
                    Some(found) => assignments.remove(found).1,
                    None => match old.iter().find(|(other, _)| *other == index) {
                        Some((_, id)) => self.column_expr(*id),
                        None => Expr::null(column.ty),
                    },
                };
                let value = self.assign_target(target, column, whole, value, env)?;
                if !target.path.is_empty() {
                    is_partial.push(index);
                }
                assignments.push((index, value));
            }
        }
        Ok(assignments)
    }

    /// The values of one assignment; `None` is DEFAULT.
    fn bind_assignment(
        &mut self,
        assignment: &ast::Assignment,
        relation: &Relation,
        env: &mut Env<'_>,
    ) -> Result<Vec<Option<Expr>>> {
        let mut bind = |binder: &mut Self, expr: &ast::Expr| -> Result<Option<Expr>> {
            if matches!(expr.kind, ast::ExprKind::Default) {
                return Ok(None);
            }
            binder.bind_expr(expr, env).map(Some)
        };
        if !assignment.tuple {
            return Ok(vec![bind(self, &assignment.value)?]);
        }
        for target in &assignment.columns {
            Self::target_column(relation, target)?;
        }
        let width = assignment.columns.len();
        let mismatch = |found: usize| {
            if found == width {
                return Ok(());
            }
            Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "number of columns does not match number of values",
            )
            .at(at(assignment.value.span)))
        };
        match &assignment.value.kind {
            ast::ExprKind::Row { fields, .. } => {
                mismatch(fields.len())?;
                fields.iter().map(|field| bind(self, field)).collect()
            }
            ast::ExprKind::Subquery(query) => {
                let bound = self.bind_query(query, env.scope)?;
                mismatch(bound.columns.len())?;
                let values = bound
                    .columns
                    .iter()
                    .map(|column| Some(Expr::column(column.id, column.ty)))
                    .collect();
                env.pending.push(super::subquery::Pending {
                    kind: JoinKind::Single,
                    plan: bound.plan,
                    predicates: vec![],
                    mark: None,
                });
                Ok(values)
            }
            _ if width == 1 => Ok(vec![bind(self, &assignment.value)?]),
            _ => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            )
            .at(at(assignment.value.span))),
        }
    }

    fn bind_delete(&mut self, delete: &ast::Delete) -> Result<Statement> {
        let mut scope = Scope::root();
        if let Some(with) = &delete.with {
            self.bind_with(with, &mut scope)?;
        }
        let relation = self.target(&delete.table, Change::Delete)?;
        let alias = delete.alias.as_ref().map(ast::Ident::as_str);
        let (get, table) = self.get(&relation, alias);
        let row_id = get.row_id.ok_or_else(|| Error::internal("a table without row ids"))?;
        let old = get.columns.clone();
        scope.add(table, at(delete.table.span()))?;
        let plan = self.join_sources(Logical::Get(get), &delete.using, &mut scope)?;
        let (plan, recheck, has_subqueries) =
            self.bind_filter(plan, delete.filter.as_ref(), &scope)?;
        let rerun = has_subqueries.then(|| others(&scope));
        let (returning, columns) = self.bind_returning(&delete.returning, &scope)?;
        Ok(Statement {
            kind: StatementKind::Delete {
                table: relation,
                input: plan,
                row_id,
                old,
                recheck,
                rerun,
                returning,
            },
            columns,
        })
    }
}

/// 428C9 for an assignment to a GENERATED ALWAYS column.
fn only_default(column: &Column) -> Error {
    Error::new(
        SqlState::GENERATED_ALWAYS,
        format!("column \"{}\" can only be updated to DEFAULT", column.name),
    )
    .detail(format!(
        "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
        column.name
    ))
}

/// Columns that tell which rows of the tables beside the target belong to a row of the input.
fn others(scope: &Scope<'_>) -> Vec<ColumnId> {
    scope.tables.iter().skip(1).flat_map(ScopeTable::identity).collect()
}
