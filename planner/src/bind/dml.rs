//! Statements: queries at the top, INSERT, UPDATE and DELETE, and expressions of table definitions.

use super::expr::{DEFAULT_CLAUSE, Env};
use super::query::{output_name, project};
use super::scope::{Scope, ScopeColumn, ScopeTable};
use super::{Binder, BoundColumn, Origin, at, parse_error};
use crate::ColumnUse;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Join, Logical};
use crate::physical::{JoinKind, OutputColumn, RowChecks};
use damask_catalog::object::{Column, ConstraintKind, Identity, Relation, RelationKind};
use damask_functions::registry::CastContext;
use damask_functions::resolve::{can_coerce, type_text};
use damask_sql::ast::{self, ColumnTarget, Query, QueryBody, SelectItem};
use damask_types::{ColumnIndex, Error, Position, Result, SqlState, SqlType, TypeId, Value};
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
    fn target(&mut self, name: &ast::Name) -> Result<Arc<Relation>> {
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
            RelationKind::System => {
                return Err(Error::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied: \"{}\" is a system catalog", relation.name),
                ));
            }
        };
        Err(Error::new(SqlState::WRONG_OBJECT_TYPE, what).at(at(name.span())))
    }

    /// A column that is assigned to.
    fn target_column<'r>(
        relation: &'r Relation,
        target: &ColumnTarget,
    ) -> Result<(ColumnIndex, &'r Column)> {
        if !target.path.is_empty() {
            return Err(
                Error::unsupported("assignment to a part of a column").at(at(target.name.span))
            );
        }
        let name = target.name.as_str();
        relation.column(name).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
            )
            .at(at(target.name.span))
        })
    }

    fn bind_insert(&mut self, insert: &ast::Insert) -> Result<Statement> {
        let mut scope = Scope::root();
        if let Some(with) = &insert.with {
            self.bind_with(with, &mut scope)?;
        }
        let relation = self.target(&insert.table)?;
        if let Some(conflict) = &insert.on_conflict {
            return Err(Error::unsupported("ON CONFLICT").at(at(conflict.span)));
        }
        let mut targets: Vec<(ColumnIndex, Column)> = vec![];
        for target in &insert.columns {
            let (index, column) = Self::target_column(&relation, target)?;
            if targets.iter().any(|(other, _)| *other == index) {
                return Err(Error::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", column.name),
                )
                .at(at(target.name.span)));
            }
            targets.push((index, column.clone()));
        }
        let is_listed = !insert.columns.is_empty();
        if !is_listed {
            targets =
                relation.live_columns().map(|(index, column)| (index, column.clone())).collect();
        }
        // Values for the first so many target columns.
        let mut values: Vec<(ColumnIndex, Expr)> = vec![];
        let (plan, rows) = match insert.source.as_deref() {
            None => (Logical::one_row(), None),
            Some(query) => {
                self.bind_insert_source(query, &targets, is_listed, &scope, insert, &mut values)?
            }
        };
        if let Some(rows) = rows {
            // Several rows of values: each is a full row already.
            return self.finish_insert(&relation, rows, insert);
        }
        let user = insert.overriding == Some(ast::Overriding::User);
        values.retain(|(index, _)| {
            !(user && relation.columns[usize::from(index.0)].identity.is_some())
        });
        Self::check_identity(&relation, &values, insert, plan_is_default)?;
        let row = self.full_row(&relation, values)?;
        let exprs: Vec<(ColumnId, Expr)> =
            row.into_iter().map(|expr| (self.new_column(expr.ty), expr)).collect();
        let columns = exprs.iter().map(|(id, _)| *id).collect();
        self.finish_insert(&relation, (project(plan, exprs), columns), insert)
    }

    /// # Errors
    /// 428C9 for a value given to a GENERATED ALWAYS column.
    fn check_identity(
        relation: &Relation,
        values: &[(ColumnIndex, Expr)],
        insert: &ast::Insert,
        is_default: fn(&Expr) -> bool,
    ) -> Result<()> {
        if insert.overriding == Some(ast::Overriding::System) {
            return Ok(());
        }
        for (index, expr) in values {
            let column = &relation.columns[usize::from(index.0)];
            if column.identity == Some(Identity::Always) && !is_default(expr) {
                return Err(generated_always(column));
            }
        }
        Ok(())
    }

    #[expect(
        clippy::type_complexity,
        reason = "either values over a plan, or whole rows with their columns"
    )]
    fn bind_insert_source(
        &mut self,
        query: &Query,
        targets: &[(ColumnIndex, Column)],
        is_listed: bool,
        scope: &Scope<'_>,
        insert: &ast::Insert,
        values: &mut Vec<(ColumnIndex, Expr)>,
    ) -> Result<(Logical, Option<(Logical, Vec<ColumnId>)>)> {
        let check_width = |width: usize, position: Option<Position>| {
            if width > targets.len() {
                let error = Error::new(
                    SqlState::SYNTAX_ERROR,
                    "INSERT has more expressions than target columns",
                );
                return Err(match position {
                    Some(position) => error.at(position),
                    None => error,
                });
            }
            if is_listed && width < targets.len() {
                let target = &insert.columns[width];
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "INSERT has more target columns than expressions",
                )
                .at(at(target.name.span)));
            }
            Ok(())
        };
        let is_plain = query.with.is_none()
            && query.order_by.is_empty()
            && query.limit.is_none()
            && query.offset.is_none();
        if let QueryBody::Values(rows) = &query.body
            && is_plain
        {
            let relation = self.relation(&insert.table)?;
            let user = insert.overriding == Some(ast::Overriding::User);
            let mut bound_rows = vec![];
            let mut env = Env::plain(scope, "VALUES");
            let width = rows.first().map_or(0, Vec::len);
            for row in rows {
                if row.len() != width {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        "VALUES lists must all be the same length",
                    )
                    .at(Position(row.first().map_or(query.span.start, |expr| expr.span.start))));
                }
                check_width(row.len(), row.get(targets.len()).map(|expr| at(expr.span)))?;
                let mut bound = vec![];
                for (expr, (index, column)) in row.iter().zip(targets) {
                    if matches!(expr.kind, ast::ExprKind::Default) {
                        continue;
                    }
                    let value = self.bind_expr(expr, &mut env)?;
                    if user && column.identity.is_some() {
                        continue;
                    }
                    let value = self.assign(value, &column.name, column.ty)?;
                    bound.push((*index, value));
                }
                Self::check_identity(&relation, &bound, insert, |_| false)?;
                if rows.len() == 1 {
                    *values = bound;
                    let plan = Self::attach(Logical::one_row(), env.pending, &mut vec![]);
                    return Ok((plan, None));
                }
                bound_rows.push(self.full_row(&relation, bound)?);
            }
            if !env.pending.is_empty() {
                return Err(Error::unsupported("IN (subquery) in VALUES with several rows"));
            }
            let columns: Vec<ColumnId> = relation
                .live_columns()
                .map(|(_, column)| column.ty)
                .map(|ty| self.new_column(ty))
                .collect();
            let plan = Logical::Values { columns: columns.clone(), rows: bound_rows };
            return Ok((Logical::one_row(), Some((plan, columns))));
        }
        let bound = self.bind_query_raw(query, scope)?;
        let position = match &query.body {
            QueryBody::Select(select) => {
                select.items.get(targets.len()).map(|item| at(item.expr.span))
            }
            QueryBody::Values(_) | QueryBody::SetOperation(_) => None,
        };
        check_width(bound.columns.len(), position)?;
        let mut plan = bound.plan;
        for (index, (column, (target, description))) in
            bound.columns.iter().zip(targets).enumerate()
        {
            // A literal of the select list is converted itself, so that its text is checked now.
            let literal = match &mut plan {
                Logical::Project { exprs, .. } if column.ty.id == TypeId::Unknown => exprs
                    .iter()
                    .find(|(id, expr)| {
                        *id == column.id
                            && matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Parameter(_))
                    })
                    .map(|(_, expr)| expr.clone()),
                _ => None,
            };
            let mut expr = literal.unwrap_or_else(|| Expr::column(column.id, column.ty));
            if let QueryBody::Select(select) = &query.body {
                expr.position = select.items.get(index).map(|item| at(item.expr.span));
            }
            let expr = self.assign(expr, &description.name, description.ty)?;
            values.push((*target, expr));
        }
        // What stays unknown is text inside; nothing reads it.
        Ok((plan, None))
    }

    /// One expression for each live column, defaults filled in.
    fn full_row(
        &mut self,
        relation: &Relation,
        values: Vec<(ColumnIndex, Expr)>,
    ) -> Result<Vec<Expr>> {
        let mut row: Vec<Option<Expr>> = vec![None; relation.columns.len()];
        for (index, expr) in values {
            row[usize::from(index.0)] = Some(expr);
        }
        let mut full = vec![];
        for (index, column) in relation.live_columns() {
            full.push(match row[usize::from(index.0)].take() {
                Some(expr) => expr,
                None => self.default(column)?,
            });
        }
        Ok(full)
    }

    /// Whether a default is `nextval` of the sequence that its column owns.
    fn draws_from_own(&self, column: &Column) -> bool {
        let own = column.sequence.and_then(|oid| self.ctx.catalog.relation(oid));
        let (Some(text), Some(own)) = (&column.default, own) else { return false };
        let name =
            text.strip_prefix("nextval('").and_then(|text| text.strip_suffix("'::regclass)"));
        let quoted = damask_catalog::ddl::quote_identifier(&own.name);
        name.and_then(|name| name.strip_suffix(&quoted))
            .is_some_and(|schema| schema.is_empty() || schema.ends_with('.'))
    }

    /// The default of a column.
    fn default(&mut self, column: &Column) -> Result<Expr> {
        // A serial's text names the sequence it owns: the name may mean another one under this search path.
        if (column.identity.is_some() || self.draws_from_own(column))
            && let Some(sequence) = column.sequence
        {
            let sequence = Expr::literal(Value::Oid(sequence), TypeId::RegClass);
            let next = self.call("nextval", vec![sequence])?;
            return self.coerce(next, column.ty, CastContext::Assignment);
        }
        let Some(text) = &column.default else {
            return Ok(Expr::null(column.ty));
        };
        let parsed = damask_sql::parse_expression(text).map_err(|error| parse_error(&error))?;
        let scope = Scope::root();
        let mut env = Env::plain(&scope, DEFAULT_CLAUSE);
        let bound = self
            .bind_expr(&parsed, &mut env)
            .and_then(|bound| self.assign(bound, &column.name, column.ty));
        let mut bound = bound.map_err(without_position)?;
        forget_positions(&mut bound);
        Ok(bound)
    }

    fn finish_insert(
        &mut self,
        relation: &Arc<Relation>,
        (input, columns): (Logical, Vec<ColumnId>),
        insert: &ast::Insert,
    ) -> Result<Statement> {
        let alias = insert.alias.as_ref().map(ast::Ident::as_str);
        let (checks, table) = self.new_row(relation, alias)?;
        let scope = Scope { tables: vec![table], ..Scope::root() };
        let (returning, shown) = self.bind_returning(&insert.returning, &scope)?;
        Ok(Statement {
            kind: StatementKind::Insert {
                table: Arc::clone(relation),
                input,
                columns,
                checks,
                returning,
            },
            columns: shown,
        })
    }

    /// Ids for a new row, and its CHECK constraints.
    fn new_row(
        &mut self,
        relation: &Arc<Relation>,
        alias: Option<&str>,
    ) -> Result<(RowChecks, ScopeTable)> {
        let mut columns = vec![];
        let mut scope = vec![];
        for (index, column) in relation.live_columns() {
            let id = self.new_column(column.ty);
            self.origins[id.0 as usize] = Some(Origin { table: Some((relation.oid, index.0 + 1)) });
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

    fn bind_returning(
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
        let relation = self.target(&update.table)?;
        let alias = update.alias.as_ref().map(ast::Ident::as_str);
        let (get, table) = self.get(&relation, alias);
        let row_id = get.row_id.ok_or_else(|| Error::internal("a table without row ids"))?;
        let old = get.columns.clone();
        scope.add(table, at(update.table.span()))?;
        let plan = self.join_sources(Logical::Get(get), &update.from, &mut scope)?;
        let (plan, recheck, has_subqueries) =
            self.bind_filter(plan, update.filter.as_ref(), &scope)?;
        let mut env = Env::plain(&scope, "UPDATE");
        let mut assignments: Vec<(ColumnIndex, Expr)> = vec![];
        for assignment in &update.assignments {
            let values = self.bind_assignment(assignment, &relation, &mut env)?;
            for (target, value) in assignment.columns.iter().zip(values) {
                let (index, column) = Self::target_column(&relation, target)?;
                if assignments.iter().any(|(other, _)| *other == index) {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        format!("multiple assignments to same column \"{}\"", column.name),
                    )
                    .at(at(target.name.span)));
                }
                let value = match value {
                    Some(value) => {
                        if column.identity == Some(Identity::Always) {
                            return Err(Error::new(
                                SqlState::GENERATED_ALWAYS,
                                format!(
                                    "column \"{}\" can only be updated to DEFAULT",
                                    column.name
                                ),
                            )
                            .detail(format!(
                                "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
                                column.name
                            )));
                        }
                        self.assign(value, &column.name, column.ty)?
                    }
                    None => self.default(column)?,
                };
                assignments.push((index, value));
            }
        }
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
        let relation = self.target(&delete.table)?;
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

    /// COPY FROM.
    pub(crate) fn bind_copy(
        &mut self,
        relation: &Arc<Relation>,
        given: &[ColumnIndex],
    ) -> Result<Statement> {
        self.uses(relation, true);
        let mut values = vec![];
        let mut input = vec![];
        for &index in given {
            let ty = relation.columns[usize::from(index.0)].ty;
            let id = self.new_column(ty);
            input.push(id);
            values.push((index, Expr::column(id, ty)));
        }
        let row = self.full_row(relation, values)?;
        let exprs: Vec<(ColumnId, Expr)> = row
            .into_iter()
            .map(|expr| (expr.as_column().unwrap_or_else(|| self.new_column(expr.ty)), expr))
            .collect();
        let columns = exprs.iter().map(|(id, _)| *id).collect();
        let (checks, _) = self.new_row(relation, None)?;
        let input = project(Logical::Input { columns: input }, exprs);
        let kind = StatementKind::Insert {
            table: Arc::clone(relation),
            input,
            columns,
            checks,
            returning: vec![],
        };
        Ok(Statement { kind, columns: vec![] })
    }

    /// An expression of a table's definition; column `i` has id `i`.
    pub(crate) fn bind_column_expression(
        &mut self,
        expr: &ast::Expr,
        table: &str,
        columns: &[(String, SqlType)],
        purpose: ColumnUse<'_>,
    ) -> Result<Expr> {
        let scope_columns: Vec<ScopeColumn> = columns
            .iter()
            .map(|(name, ty)| ScopeColumn {
                name: name.clone(),
                id: self.new_column(*ty),
                is_merged: false,
            })
            .collect();
        let mut scope = Scope::root();
        scope.tables.push(ScopeTable {
            alias: table.to_owned(),
            columns: scope_columns,
            relation: None,
            named: None,
            row_id: None,
            table_oid: None,
        });
        let clause = match purpose {
            ColumnUse::Default(..) => DEFAULT_CLAUSE,
            ColumnUse::Check => "check constraints",
            ColumnUse::Using(..) => "transform expressions",
        };
        let mut env = Env::plain(&scope, clause);
        let bound = self.bind_expr(expr, &mut env)?;
        let has_subplan = bound.any(&|expr| {
            matches!(
                expr.kind,
                ExprKind::Subplan(_) | ExprKind::Exists(_) | ExprKind::ArraySubplan(_)
            )
        });
        if !env.pending.is_empty() || has_subplan {
            let what = if clause == "check constraints" {
                "check constraint"
            } else {
                clause.trim_end_matches('s')
            };
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("cannot use subquery in {what}"),
            )
            .at(bound.position.unwrap_or_default()));
        }
        match purpose {
            ColumnUse::Check => self.condition(bound, "CHECK"),
            ColumnUse::Default(name, ty) => {
                if !bound.columns().is_empty() {
                    return Err(Error::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "cannot use column reference in DEFAULT expression",
                    )
                    .at(bound.position.unwrap_or_default()));
                }
                if !can_coerce(bound.ty.id, ty.id, CastContext::Assignment) {
                    return Err(Error::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!(
                            "column \"{name}\" is of type {} but default expression is of type {}",
                            type_text(ty.id),
                            type_text(bound.ty.id)
                        ),
                    )
                    .hint("You will need to rewrite or cast the expression."));
                }
                self.coerce(bound, ty, CastContext::Assignment)
            }
            ColumnUse::Using(name, ty) => {
                if !can_coerce(bound.ty.id, ty.id, CastContext::Assignment) {
                    return Err(Error::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!(
                            "result of USING clause for column \"{name}\" cannot be cast automatically to type {}",
                            type_text(ty.id)
                        ),
                    )
                    .hint("You might need to add an explicit cast."));
                }
                self.coerce(bound, ty, CastContext::Assignment)
            }
        }
    }
}

/// In INSERT ... SELECT no expression is DEFAULT.
fn plan_is_default(_: &Expr) -> bool {
    false
}

fn generated_always(column: &Column) -> Error {
    Error::new(
        SqlState::GENERATED_ALWAYS,
        format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name),
    )
    .detail(format!(
        "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
        column.name
    ))
    .hint("Use OVERRIDING SYSTEM VALUE to override.")
}

fn without_position(mut error: Error) -> Error {
    error.fields_mut().position = None;
    error
}

fn forget_positions(expr: &mut Expr) {
    expr.transform(&mut |expr| expr.position = None);
}

/// Columns that tell which rows of the tables beside the target belong to a row of the input.
fn others(scope: &Scope<'_>) -> Vec<ColumnId> {
    scope.tables.iter().skip(1).flat_map(ScopeTable::identity).collect()
}
