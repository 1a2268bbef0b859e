//! Queries: WITH, SELECT, ORDER BY and LIMIT.

use super::expr::Env;
use super::row_lock::lock_word;
use super::scope::{Aggregates, Scope, ScopeTable};
use super::{Binder, Bound, BoundColumn, CteEntry, CtePlan, at, without_database};
use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Logical, SortKey};
use damask_functions::registry::{CastContext, TableFunction};
use damask_sql::ast::{self, Distinct, Query, QueryBody, Select, SelectItem};
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId, Value};

/// What ORDER BY may refer to besides the query's own columns.
struct Output {
    name: String,
    expr: Expr,
}

impl Binder<'_> {
    /// A query whose unknown columns become text.
    pub(crate) fn bind_query(&mut self, query: &Query, outer: &Scope<'_>) -> Result<Bound> {
        let bound = self.bind_query_raw(query, outer)?;
        self.resolve_unknown(bound)
    }

    /// Literals of unknown type that a query gives become text.
    pub(crate) fn resolve_unknown(&mut self, mut bound: Bound) -> Result<Bound> {
        if bound.columns.iter().all(|column| column.ty.id != TypeId::Unknown) {
            return Ok(bound);
        }
        // Where the literal itself is at hand it is changed in place.
        if let Logical::Project { exprs, .. } = &mut bound.plan {
            for (id, expr) in exprs {
                if expr.ty.id == TypeId::Unknown && !matches!(expr.kind, ExprKind::Column(_)) {
                    *expr =
                        self.coerce(expr.clone(), TypeId::Text.into(), CastContext::Implicit)?;
                    self.columns[id.0 as usize] = TypeId::Text.into();
                }
            }
        }
        for column in &mut bound.columns {
            column.ty = self.columns[column.id.0 as usize];
        }
        if bound.columns.iter().all(|column| column.ty.id != TypeId::Unknown) {
            return Ok(bound);
        }
        let targets: Vec<SqlType> = bound
            .columns
            .iter()
            .map(
                |column| {
                    if column.ty.id == TypeId::Unknown { TypeId::Text.into() } else { column.ty }
                },
            )
            .collect();
        self.convert_columns(bound, &targets)
    }

    /// A query whose columns are converted to `targets`.
    pub(crate) fn convert_columns(&mut self, bound: Bound, targets: &[SqlType]) -> Result<Bound> {
        let mut exprs = vec![];
        let mut columns = vec![];
        let mut changed = false;
        for (column, &target) in bound.columns.into_iter().zip(targets) {
            let expr = Expr::column(column.id, column.ty);
            if column.ty == target || column.ty.id == target.id {
                exprs.push((column.id, expr));
                columns.push(column);
                continue;
            }
            changed = true;
            let expr = self.coerce(expr, target.id.into(), CastContext::Implicit)?;
            let id = self.new_column(expr.ty);
            columns.push(BoundColumn { id, ty: expr.ty, ..column });
            exprs.push((id, expr));
        }
        let plan = if changed { project(bound.plan, exprs) } else { bound.plan };
        Ok(Bound { plan, columns })
    }

    pub(crate) fn bind_query_raw(&mut self, query: &Query, outer: &Scope<'_>) -> Result<Bound> {
        let mut scope = Scope::inside(outer);
        if let Some(with) = &query.with {
            self.bind_with(with, &mut scope)?;
        }
        if query.with_ties {
            return Err(Error::unsupported("WITH TIES").at(at(query.span)));
        }
        let bound = match &query.body {
            QueryBody::Select(select) => self.bind_select(select, query, &scope)?,
            QueryBody::Values(rows) => {
                let bound = self.bind_values(rows, &scope)?;
                let bound = self.order_output(bound, query)?;
                self.bind_limit(bound, query, &scope)?
            }
            QueryBody::SetOperation(operation) => {
                let bound = self.bind_set_operation(operation, &scope)?;
                let bound = self.order_output(bound, query)?;
                self.bind_limit(bound, query, &scope)?
            }
        };
        if !query.locking.is_empty() && !matches!(query.body, QueryBody::Select(_)) {
            let word = lock_word(query.locking[0].strength);
            let what = if matches!(query.body, QueryBody::Values(_)) {
                "VALUES"
            } else {
                "UNION/INTERSECT/EXCEPT"
            };
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("{word} is not allowed with {what}"),
            ));
        }
        Ok(bound)
    }

    pub(crate) fn bind_with(&mut self, with: &ast::With, scope: &mut Scope<'_>) -> Result<()> {
        for table in &with.tables {
            let name = table.name.as_str();
            if scope.ctes.iter().any(|cte| cte.name == name) {
                return Err(Error::new(
                    SqlState::DUPLICATE_ALIAS,
                    format!("WITH query name \"{name}\" specified more than once"),
                )
                .at(at(table.name.span)));
            }
            let ast::Statement::Query(query) = &*table.statement else {
                return Err(
                    Error::unsupported("data-modifying statement in WITH").at(at(table.name.span))
                );
            };
            if let Some(span) = table.search_or_cycle {
                return Err(Error::unsupported("SEARCH or CYCLE").at(at(span)));
            }
            if with.recursive && mentions(query, name) {
                return Err(Error::unsupported("WITH RECURSIVE").at(at(table.name.span)));
            }
            let mut bound = self.bind_query(query, scope)?;
            if table.columns.len() > bound.columns.len() {
                return Err(Error::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "WITH query \"{name}\" has {} columns available but {} columns specified",
                        bound.columns.len(),
                        table.columns.len()
                    ),
                )
                .at(at(table.name.span)));
            }
            for (column, alias) in bound.columns.iter_mut().zip(&table.columns) {
                alias.as_str().clone_into(&mut column.name);
            }
            self.ctes.push(CtePlan {
                plan: bound.plan,
                columns: bound.columns,
                references: 0,
                materialized: table.materialized,
            });
            scope.ctes.push(CteEntry { name: name.to_owned(), id: self.ctes.len() - 1 });
        }
        Ok(())
    }

    /// ORDER BY over a query's columns alone (VALUES, set operations).
    fn order_output(&mut self, bound: Bound, query: &Query) -> Result<Bound> {
        if query.order_by.is_empty() {
            return Ok(bound);
        }
        let bound = self.resolve_unknown(bound)?;
        let mut keys: Vec<SortKey> = vec![];
        for order in &query.order_by {
            let position = Position(order.expr.span.start);
            let column = match &order.expr.kind {
                ast::ExprKind::Literal(ast::Literal::Integer(number)) => {
                    Some(ordinal(*number, bound.columns.len(), "ORDER BY", position)?)
                }
                ast::ExprKind::Column(name) if name.0.len() == 1 => {
                    bound.columns.iter().position(|column| column.name == name.base().as_str())
                }
                _ => None,
            };
            let Some(column) = column else {
                if let ast::ExprKind::Column(name) = &order.expr.kind
                    && name.0.len() == 1
                {
                    return Err(Error::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{name}\" does not exist"),
                    )
                    .at(position));
                }
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                    .detail("Only result column names can be used, not expressions or functions.")
                    .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                    .at(position));
            };
            let column = &bound.columns[column];
            let expr = Expr { position: Some(position), ..Expr::column(column.id, column.ty) };
            keys.push(self.sort_key(expr, order)?);
        }
        Ok(Bound {
            plan: Logical::Sort { input: Box::new(bound.plan), keys },
            columns: bound.columns,
        })
    }

    fn bind_select(&mut self, select: &Select, query: &Query, outer: &Scope<'_>) -> Result<Bound> {
        if let Some(into) = &select.into {
            // The session makes the table; here it is a query.
            let _ = into;
        }
        if !select.windows.is_empty() {
            return Err(Error::unsupported("WINDOW clause").at(at(select.windows[0].name.span)));
        }
        let from = self.bind_from(&select.from, outer)?;
        let scope = Scope { tables: from.tables, merged: from.merged, ..Scope::inside(outer) };
        let mut plan = from.plan;
        if let Some(filter) = &select.filter {
            let mut env = Env::plain(&scope, "WHERE");
            let condition = self.bind_condition(filter, &mut env)?;
            let mut conjuncts = vec![];
            condition.conjuncts(&mut conjuncts);
            plan = Self::attach(plan, env.pending, &mut conjuncts);
            plan = plan.filter(conjuncts);
        }
        let mut env = Env::select(&scope);
        // The select list.
        let mut outputs: Vec<Output> = vec![];
        for item in &select.items {
            self.bind_item(item, &from.star, &mut env, &mut outputs)?;
        }
        // GROUP BY may name outputs, so it comes after them in binding, before in the plan.
        let is_grouped_by = !select.group_by.is_empty();
        let mut groups = vec![];
        if is_grouped_by {
            groups = self.bind_groups(
                select,
                &scope,
                &outputs.iter().map(|o| (o.name.as_str(), &o.expr)).collect::<Vec<_>>(),
                &mut env,
            )?;
        }
        let mut having = vec![];
        if let Some(condition) = &select.having {
            env.clause = "HAVING";
            let sets = env.sets.take();
            self.bind_condition(condition, &mut env)?.conjuncts(&mut having);
            env.sets = sets;
        }
        // ORDER BY and DISTINCT ON: outputs by name and number, else expressions over the input.
        let mut keys = vec![];
        env.clause = "ORDER BY";
        for order in &query.order_by {
            let expr = self.bind_order_key(&order.expr, &outputs, &mut env, "ORDER BY")?;
            let expr = self.known(expr)?;
            keys.push(self.sort_key(expr, order)?);
        }
        let mut on = vec![];
        if let Distinct::On(exprs) = &select.distinct {
            env.clause = "DISTINCT ON";
            for expr in exprs {
                let bound = self.bind_order_key(expr, &outputs, &mut env, "SELECT DISTINCT ON")?;
                on.push(self.known(bound)?);
            }
        }
        let Aggregates { calls, below, .. } = scope.aggregates.take();
        let mut sets = env.sets.take().unwrap_or_default();
        let mut pending = env.pending;
        let is_aggregated = is_grouped_by || !calls.is_empty() || select.having.is_some();
        if is_aggregated {
            plan = Self::attach(plan, below, &mut vec![]);
            let mut grouping =
                super::aggregate::Grouping::new(self, plan, groups, calls, is_grouped_by, &scope);
            for output in &mut outputs {
                grouping.replace(&mut output.expr)?;
            }
            for key in &mut keys {
                grouping.replace(&mut key.expr)?;
            }
            for expr in on.iter_mut().chain(&mut having) {
                grouping.replace(expr)?;
            }
            for (_, _, args) in &mut sets {
                for arg in args {
                    grouping.replace(arg)?;
                }
            }
            for wait in &mut pending {
                grouping.replace_pending(wait)?;
            }
            plan = grouping.finish();
        }
        plan = Self::attach(plan, pending, &mut having);
        plan = plan.filter(having);
        plan = project_sets(plan, sets);
        let inside = plan.output_set();
        // Outputs, then what only the order reads.
        let mut exprs: Vec<(ColumnId, Expr)> = vec![];
        let mut columns = vec![];
        for output in outputs {
            // A column of a query around this one is copied: its id stays the outer column's.
            let id = match output.expr.as_column().filter(|id| inside.contains(*id)) {
                Some(id) => id,
                None => self.new_column(output.expr.ty),
            };
            columns.push(BoundColumn { name: output.name, id, ty: output.expr.ty });
            if !exprs.iter().any(|(other, _)| *other == id) {
                exprs.push((id, output.expr));
            }
        }
        let visible = exprs.len();
        let mut hidden = |binder: &mut Self, expr: &mut Expr| {
            let found =
                exprs.iter().find(|(id, other)| Some(*id) == expr.as_column() || other.same(expr));
            let id = if let Some((id, _)) = found {
                *id
            } else {
                let own = expr.as_column().filter(|id| inside.contains(*id));
                let id = own.unwrap_or_else(|| binder.new_column(expr.ty));
                exprs.push((id, expr.clone()));
                id
            };
            let position = expr.position;
            *expr = Expr { position, ..Expr::column(id, expr.ty) };
            id
        };
        for key in &mut keys {
            hidden(self, &mut key.expr);
        }
        let on: Vec<ColumnId> = on.iter_mut().map(|expr| hidden(self, expr)).collect();
        let has_hidden = exprs.len() > visible;
        let visible_ids: Vec<ColumnId> = exprs[..visible].iter().map(|(id, _)| *id).collect();
        if has_hidden && matches!(select.distinct, Distinct::Rows) {
            let culprit = keys
                .iter()
                .find(|key| key.expr.as_column().is_some_and(|id| !visible_ids.contains(&id)));
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
            )
            .at(culprit.and_then(|key| key.expr.position).unwrap_or_default()));
        }
        // A lock needs the row ids of its tables above the projection.
        let locks = Self::bind_locks(query, select, &scope, is_aggregated)?;
        let mut kept = vec![];
        if !locks.is_empty() {
            let is_locked =
                |id: Option<ColumnId>| locks.iter().any(|(_, lock, ..)| Some(*lock) == id);
            let others = scope.tables.iter().filter(|table| !is_locked(table.row_id));
            kept = others.flat_map(ScopeTable::identity).collect();
        }
        for id in locks.iter().map(|(_, id, ..)| id).chain(&kept) {
            if !exprs.iter().any(|(other, _)| other == id) {
                exprs.push((*id, self.column_expr(*id)));
            }
        }
        plan = project(plan, exprs);
        match &select.distinct {
            Distinct::No => {}
            Distinct::Rows => {
                let bound = self.resolve_unknown(Bound { plan, columns })?;
                (plan, columns) = (bound.plan, bound.columns);
                let mut distinct: Vec<ColumnId> = vec![];
                for column in &columns {
                    self.comparison("=", column.ty.id)?;
                    if !distinct.contains(&column.id) {
                        distinct.push(column.id);
                    }
                }
                plan = Logical::Distinct { input: Box::new(plan), keys: distinct };
            }
            Distinct::On(_) => {
                // The first row of each group in the order: sort, then keep the first.
                for (index, key) in keys.iter().enumerate().take(on.len()) {
                    let _ = index;
                    if !key.expr.as_column().is_some_and(|id| on.contains(&id)) {
                        return Err(Error::new(
                            SqlState::INVALID_COLUMN_REFERENCE,
                            "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
                        )
                        .at(key.expr.position.unwrap_or_default()));
                    }
                }
                if !keys.is_empty() {
                    // Behind the order that was asked for, so that the rows of a group come together.
                    for &id in &on {
                        if !keys.iter().any(|key| key.expr.as_column() == Some(id)) {
                            let expr = self.column_expr(id);
                            keys.push(SortKey { expr, descending: false, nulls_first: false });
                        }
                    }
                    plan = Logical::Sort { input: Box::new(plan), keys: std::mem::take(&mut keys) };
                }
                plan = Logical::Distinct { input: Box::new(plan), keys: on };
            }
        }
        if !keys.is_empty() {
            plan = Logical::Sort { input: Box::new(plan), keys };
        }
        if !locks.is_empty() {
            plan = Logical::Lock { input: Box::new(plan), tables: locks, kept };
        } else if has_hidden {
            let exprs = visible_ids.iter().map(|&id| (id, self.column_expr(id))).collect();
            plan = project(plan, exprs);
        }
        self.bind_limit(Bound { plan, columns }, query, &scope)
    }

    /// LIMIT and OFFSET, in whose sight the query's columns are so that the message can say what is wrong.
    fn bind_limit(&mut self, bound: Bound, query: &Query, scope: &Scope<'_>) -> Result<Bound> {
        if query.limit.is_none() && query.offset.is_none() {
            return Ok(bound);
        }
        let mut constant = |expr: &Option<ast::Expr>, clause| {
            expr.as_ref()
                .map(|expr| self.bind_constant(expr, scope, clause, TypeId::Int8))
                .transpose()
        };
        let limit = constant(&query.limit, "LIMIT")?
            .filter(|limit| !matches!(limit.kind, ExprKind::Literal(Value::Null)));
        let offset = constant(&query.offset, "OFFSET")?;
        let plan = Logical::Limit { input: Box::new(bound.plan), limit, offset };
        Ok(Bound { plan, columns: bound.columns })
    }

    fn bind_item(
        &mut self,
        item: &SelectItem,
        star: &[(String, Expr)],
        env: &mut Env<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<()> {
        match &item.expr.kind {
            ast::ExprKind::Wildcard(None) => {
                if star.is_empty() && env.scope.tables.is_empty() {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        "SELECT * with no tables specified is not valid",
                    )
                    .at(at(item.expr.span)));
                }
                let position = Some(at(item.expr.span));
                for (_, expr) in star {
                    self.note_read(expr);
                }
                outputs.extend(star.iter().map(|(name, expr)| Output {
                    name: name.clone(),
                    expr: Expr { position, ..expr.clone() },
                }));
                return Ok(());
            }
            ast::ExprKind::Wildcard(Some(name)) => {
                without_database(&name.0, || format!("{name}.*"))
                    .map_err(|error| error.at(at(name.span())))?;
                let table = self.known_table(&name.0, env.scope)?;
                let position = Some(at(item.expr.span));
                for column in table.columns.clone() {
                    let expr = Expr { position, ..self.column_expr(column.id) };
                    self.note_read(&expr);
                    outputs.push(Output { name: column.name, expr });
                }
                return Ok(());
            }
            ast::ExprKind::FieldAll(inner) => {
                if let ast::ExprKind::Column(name) = &inner.kind
                    && let Some(table) = self.table(&name.0, env.scope)?
                {
                    for column in table.columns.clone() {
                        outputs
                            .push(Output { name: column.name, expr: self.column_expr(column.id) });
                    }
                    return Ok(());
                }
            }
            _ => {}
        }
        let expr = self.bind_expr(&item.expr, env)?;
        let name = match &item.alias {
            Some(alias) => alias.as_str().to_owned(),
            None => output_name(&item.expr),
        };
        outputs.push(Output { name, expr });
        Ok(())
    }

    /// A key of ORDER BY or DISTINCT ON.
    fn bind_order_key(
        &mut self,
        expr: &ast::Expr,
        outputs: &[Output],
        env: &mut Env<'_>,
        clause: &str,
    ) -> Result<Expr> {
        let position = Position(expr.span.start);
        let output = match &expr.kind {
            ast::ExprKind::Literal(ast::Literal::Integer(number)) => {
                Some(ordinal(*number, outputs.len(), clause, position)?)
            }
            ast::ExprKind::Literal(ast::Literal::Number(_) | ast::Literal::String(_)) => {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("non-integer constant in {clause}"),
                )
                .at(position));
            }
            ast::ExprKind::Column(name) if name.0.len() == 1 => {
                let wanted = name.base().as_str();
                let mut found =
                    outputs.iter().enumerate().filter(|(_, output)| output.name == wanted);
                let first = found.next();
                if let Some((_, first)) = first
                    && found.any(|(_, other)| !other.expr.same(&first.expr))
                {
                    return Err(Error::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("{clause} \"{wanted}\" is ambiguous"),
                    )
                    .at(position));
                }
                first.map(|(index, _)| index)
            }
            _ => None,
        };
        match output {
            Some(index) => Ok(Expr { position: Some(position), ..outputs[index].expr.clone() }),
            None => self.bind_expr(expr, env),
        }
    }
}

/// A projection.
pub(crate) fn project(input: Logical, exprs: Vec<(ColumnId, Expr)>) -> Logical {
    Logical::Project { input: Box::new(input), exprs }
}

/// Set-returning functions, those that read others' results above them.
fn project_sets(
    mut plan: Logical,
    mut sets: Vec<(ColumnId, &'static TableFunction, Vec<Expr>)>,
) -> Logical {
    while !sets.is_empty() {
        let open: ColumnSet = sets.iter().map(|(id, ..)| *id).collect();
        let reads_open = |args: &[Expr]| args.iter().any(|arg| arg.columns().intersects(&open));
        let (later, now): (Vec<_>, Vec<_>) =
            sets.into_iter().partition(|(_, _, args)| reads_open(args));
        plan = Logical::ProjectSet { input: Box::new(plan), functions: now };
        sets = later;
    }
    plan
}

/// The column of `ORDER BY n`.
pub(crate) fn ordinal(
    number: i64,
    width: usize,
    clause: &str,
    position: Position,
) -> Result<usize> {
    usize::try_from(number)
        .ok()
        .filter(|number| (1..=width).contains(number))
        .map(|number| number - 1)
        .ok_or_else(|| {
            Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("{clause} position {number} is not in select list"),
            )
            .at(position)
        })
}

/// The name PostgreSQL gives a column without an alias.
pub(crate) fn output_name(expr: &ast::Expr) -> String {
    fn name_of(expr: &ast::Expr) -> (Option<String>, bool) {
        use ast::ExprKind as Ast;
        let strong = |name: &str| (Some(name.to_owned()), true);
        let weak = |name: &str| (Some(name.to_owned()), false);
        match &expr.kind {
            Ast::Column(name) => strong(name.base().as_str()),
            Ast::Field { field, .. } => strong(field.as_str()),
            Ast::Function(call) => strong(call.name.base().as_str()),
            Ast::Subscript { expr, .. } | Ast::Collate { expr, .. } => name_of(expr),
            Ast::Cast { expr, type_name, .. } => match name_of(expr) {
                (Some(name), true) => (Some(name), true),
                _ => weak(type_name.name.base().as_str()),
            },
            Ast::Case { otherwise, .. } => match otherwise.as_deref().map(name_of) {
                Some((Some(name), true)) => (Some(name), true),
                _ => weak("case"),
            },
            Ast::Coalesce(_) => strong("coalesce"),
            Ast::Greatest(_) => strong("greatest"),
            Ast::Least(_) => strong("least"),
            Ast::NullIf(..) => strong("nullif"),
            Ast::Exists(_) => strong("exists"),
            Ast::ArraySubquery(_) | Ast::Array(_) => strong("array"),
            Ast::Row { .. } => strong("row"),
            Ast::AtTimeZone { .. } => strong("timezone"),
            Ast::Grouping(_) => strong("grouping"),
            Ast::Subquery(query) => {
                let mut query = &**query;
                while let QueryBody::SetOperation(operation) = &query.body {
                    query = &operation.left;
                }
                match &query.body {
                    QueryBody::Select(select) => match select.items.first() {
                        Some(SelectItem { alias: Some(alias), .. }) => strong(alias.as_str()),
                        Some(SelectItem { expr, alias: None }) => name_of(expr),
                        None => (None, false),
                    },
                    QueryBody::Values(_) => strong("column1"),
                    QueryBody::SetOperation(_) => (None, false),
                }
            }
            Ast::SqlValue(value) => strong(match value {
                ast::SqlValue::CurrentDate => "current_date",
                ast::SqlValue::CurrentTime(_) => "current_time",
                ast::SqlValue::CurrentTimestamp(_) => "current_timestamp",
                ast::SqlValue::LocalTime(_) => "localtime",
                ast::SqlValue::LocalTimestamp(_) => "localtimestamp",
                ast::SqlValue::CurrentRole => "current_role",
                ast::SqlValue::CurrentUser => "current_user",
                ast::SqlValue::User => "user",
                ast::SqlValue::SessionUser => "session_user",
                ast::SqlValue::CurrentCatalog => "current_catalog",
                ast::SqlValue::CurrentSchema => "current_schema",
            }),
            Ast::Literal(ast::Literal::Boolean(_)) => weak("bool"),
            _ => (None, false),
        }
    }
    name_of(expr).0.unwrap_or_else(|| "?column?".to_owned())
}

pub(super) fn item_position(query: &Query, index: usize) -> Position {
    match &query.body {
        QueryBody::Select(select) => {
            Position(select.items.get(index).map_or(query.span.start, |item| item.expr.span.start))
        }
        QueryBody::Values(rows) => Position(
            rows.first()
                .and_then(|row| row.get(index))
                .map_or(query.span.start, |expr| expr.span.start),
        ),
        QueryBody::SetOperation(_) => Position(query.span.start),
    }
}

/// Whether a query of a WITH RECURSIVE reads itself: some FROM item has its name.
fn mentions(query: &Query, name: &str) -> bool {
    fn in_from(item: &ast::TableRef, name: &str) -> bool {
        match &item.kind {
            ast::TableRefKind::Table { name: table, .. } => {
                table.0.len() == 1 && table.base().as_str() == name
            }
            ast::TableRefKind::Subquery { query, .. } => mentions(query, name),
            ast::TableRefKind::Function { .. } => false,
            ast::TableRefKind::Join(join) => {
                in_from(&join.left, name) || in_from(&join.right, name)
            }
        }
    }
    match &query.body {
        QueryBody::Select(select) => select.from.iter().any(|item| in_from(item, name)),
        QueryBody::Values(_) => false,
        QueryBody::SetOperation(operation) => {
            mentions(&operation.left, name) || mentions(&operation.right, name)
        }
    }
}
