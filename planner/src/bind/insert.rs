//! INSERT, and the rows of COPY: sources, columns left out, identity, defaults.

use super::column_expression::{forget_positions, without_position};
use super::conflict::Conflict;
use super::dml::{Change, Statement, StatementKind};
use super::expr::{DEFAULT_CLAUSE, Env};
use super::query::project;
use super::scope::Scope;
use super::target::check_default;
use super::{Binder, at, parse_error};
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::Logical;
use damask_catalog::object::{Column, Identity, Relation};
use damask_functions::registry::CastContext;
use damask_sql::ast::{self, ColumnTarget, Query, QueryBody};
use damask_types::{ColumnIndex, Error, Position, Result, SqlState, TypeId, Value};
use std::sync::Arc;

/// A target of the values, in their order.
struct Target {
    index: ColumnIndex,
    column: Column,
    /// The column as named, perhaps a part of it.
    name: ColumnTarget,
}

impl Target {
    /// A column that is not named.
    fn whole((index, column): (ColumnIndex, &Column)) -> Self {
        let name = ast::Ident::new(column.name.as_str(), ast::Span::default());
        Self { index, column: column.clone(), name: ColumnTarget { name, path: vec![] } }
    }
}

impl Binder<'_> {
    pub(super) fn bind_insert(&mut self, insert: &ast::Insert) -> Result<Statement> {
        let mut scope = Scope::root();
        if let Some(with) = &insert.with {
            self.bind_with(with, &mut scope)?;
        }
        let relation = self.target(&insert.table, Change::Insert)?;
        let mut targets: Vec<Target> = vec![];
        for target in &insert.columns {
            let (index, column) = Self::target_column(&relation, target)?;
            // Parts of one column add up.
            let is_part = !target.path.is_empty();
            if targets
                .iter()
                .any(|other| other.index == index && (!is_part || other.name.path.is_empty()))
            {
                return Err(Error::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", column.name),
                )
                .at(at(target.name.span)));
            }
            targets.push(Target { index, column: column.clone(), name: target.clone() });
        }
        let is_listed = !insert.columns.is_empty();
        if !is_listed {
            targets = relation.live_columns().map(Target::whole).collect();
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
            return self.finish_insert(&relation, rows, insert, &scope);
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
        self.finish_insert(&relation, (project(plan, exprs), columns), insert, &scope)
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
        targets: &[Target],
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
                for (expr, target) in row.iter().zip(targets) {
                    if matches!(expr.kind, ast::ExprKind::Default) {
                        check_default(&target.name)?;
                        continue;
                    }
                    let value = self.bind_expr(expr, &mut env)?;
                    if user && target.column.identity.is_some() {
                        continue;
                    }
                    self.store(&mut bound, target, value)?;
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
        for (index, (column, target)) in bound.columns.iter().zip(targets).enumerate() {
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
            self.store(values, target, expr)?;
        }
        // What stays unknown is text inside; nothing reads it.
        Ok((plan, None))
    }

    /// Adds the value of a target: a part goes into what is there for its column.
    fn store(
        &mut self,
        values: &mut Vec<(ColumnIndex, Expr)>,
        target: &Target,
        value: Expr,
    ) -> Result<()> {
        let earlier = values.iter().position(|(index, _)| *index == target.index);
        let whole = match earlier {
            Some(found) => values.remove(found).1,
            None => Expr::null(target.column.ty),
        };
        let scope = Scope::root();
        let mut env = Env::plain(&scope, "INSERT");
        let value = self.assign_target(&target.name, &target.column, whole, value, &mut env)?;
        if !env.pending.is_empty() {
            return Err(Error::unsupported("subquery in an array subscript of INSERT"));
        }
        values.push((target.index, value));
        Ok(())
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
    pub(super) fn default(&mut self, column: &Column) -> Result<Expr> {
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
        scope: &Scope<'_>,
    ) -> Result<Statement> {
        let alias = insert.alias.as_ref().map(ast::Ident::as_str);
        let (checks, mut table) = self.new_row(relation, alias)?;
        let mut conflict = None;
        if let Some(clause) = &insert.on_conflict {
            let (target, bound) = self.bind_conflict(clause, relation, &table, scope)?;
            table.xmax = bound.update.as_ref().map(|update| update.xmax);
            conflict = Some((target, bound));
        }
        let returning_scope = Scope { tables: vec![table], ..Scope::root() };
        let returning = self.bind_returning(&insert.returning, &returning_scope);
        let (returning, shown) = returning.map_err(|error| without_excluded(error, insert))?;
        let conflict = match conflict {
            Some((target, bound)) => {
                Some(Box::new(Conflict { arbiters: target.arbiters(relation)?, ..bound }))
            }
            None => None,
        };
        Ok(Statement {
            kind: StatementKind::Insert {
                table: Arc::clone(relation),
                input,
                columns,
                conflict,
                checks,
                returning,
            },
            columns: shown,
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
        let input = project(Logical::Input { columns: input, rows: 1000.0 }, exprs);
        let kind = StatementKind::Insert {
            table: Arc::clone(relation),
            input,
            columns,
            conflict: None,
            checks,
            returning: vec![],
        };
        Ok(Statement { kind, columns: vec![] })
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

/// RETURNING does not see `excluded`, and PostgreSQL says so in other words than of a table that is nowhere.
fn without_excluded(error: Error, insert: &ast::Insert) -> Error {
    let has_excluded = insert.on_conflict.as_ref().is_some_and(|clause| clause.update.is_some());
    if !has_excluded || error.message() != "missing FROM-clause entry for table \"excluded\"" {
        return error;
    }
    let hidden = Error::new(
        SqlState::UNDEFINED_TABLE,
        "invalid reference to FROM-clause entry for table \"excluded\"",
    )
    .hint("There is an entry for table \"excluded\", but it cannot be referenced from this part of the query.");
    match error.position() {
        Some(position) => hidden.at(position),
        None => hidden,
    }
}
