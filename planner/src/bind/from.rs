//! FROM: tables, views, subqueries, functions and joins.

use super::expr::Env;
use super::scope::{Scope, ScopeColumn, ScopeTable};
use super::{Binder, Bound, BoundColumn, at, resolve_type, without_database};
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Get, Join, Logical};
use crate::physical::JoinKind;
use damask_catalog::ObjectName;
use damask_catalog::object::{Relation, RelationKind};
use damask_functions::registry::CastContext;
use damask_functions::resolve::{CommonContext, ResolvedFunction, resolve_function};
use damask_sql::ast::{self, JoinCondition, TableRef, TableRefKind};
use damask_types::{Error, Result, SqlState, SqlType, TypeId};
use std::sync::Arc;

/// A bound FROM item.
#[derive(Debug)]
pub(crate) struct FromItem {
    pub(crate) plan: Logical,
    pub(crate) tables: Vec<ScopeTable>,
    /// Columns merged by USING and NATURAL.
    pub(crate) merged: Vec<(String, Expr)>,
    /// What `*` stands for.
    pub(crate) star: Vec<(String, Expr)>,
}

impl FromItem {
    fn of_table(plan: Logical, table: ScopeTable, binder: &Binder<'_>) -> Self {
        let star = table
            .columns
            .iter()
            .map(|column| (column.name.clone(), binder.column_expr(column.id)))
            .collect();
        Self { plan, tables: vec![table], merged: vec![], star }
    }

    /// No FROM at all.
    pub(crate) fn empty() -> Self {
        Self { plan: Logical::one_row(), tables: vec![], merged: vec![], star: vec![] }
    }
}

impl Binder<'_> {
    /// Binds a FROM list: the items joined crosswise.
    pub(crate) fn bind_from(&mut self, items: &[TableRef], outer: &Scope<'_>) -> Result<FromItem> {
        let mut whole: Option<FromItem> = None;
        for item in items {
            let left = whole.as_ref().map_or(&[][..], |whole| &whole.tables[..]);
            let bound = self.bind_table_ref(item, outer, left)?;
            whole = Some(match whole {
                None => bound,
                Some(whole) => {
                    check_aliases(&whole.tables, &bound.tables, item)?;
                    let is_dependent = depends(&bound.plan, &whole.plan);
                    FromItem {
                        plan: Logical::Join(Join {
                            kind: JoinKind::Inner,
                            left: Box::new(whole.plan),
                            right: Box::new(bound.plan),
                            predicates: vec![],
                            mark: None,
                            is_dependent,
                        }),
                        tables: [whole.tables, bound.tables].concat(),
                        merged: [whole.merged, bound.merged].concat(),
                        star: [whole.star, bound.star].concat(),
                    }
                }
            });
        }
        Ok(whole.unwrap_or_else(FromItem::empty))
    }

    /// `left` are the tables that LATERAL may refer to.
    fn bind_table_ref(
        &mut self,
        item: &TableRef,
        outer: &Scope<'_>,
        left: &[ScopeTable],
    ) -> Result<FromItem> {
        let (plan, table) = match &item.kind {
            TableRefKind::Table { name, sample, .. } => {
                if sample.is_some() {
                    return Err(Error::unsupported("TABLESAMPLE").at(at(item.span)));
                }
                self.bind_named(name, item.alias.as_ref(), outer)?
            }
            TableRefKind::Subquery { lateral, query } => {
                let scope = lateral_scope(outer, left);
                let bound = self.bind_query(query, if *lateral { &scope } else { outer })?;
                let alias = item.alias.as_ref().and_then(|alias| alias.name.as_ref());
                let table = Self::table_of(&bound, alias.map_or("", |alias| alias.as_str()));
                (bound.plan, table)
            }
            TableRefKind::Function { functions, ordinality, rows_from, .. } => {
                if *rows_from && functions.len() > 1 {
                    return Err(
                        Error::unsupported("ROWS FROM with several functions").at(at(item.span))
                    );
                }
                let scope = lateral_scope(outer, left);
                self.bind_table_function(&functions[0], *ordinality, item, &scope)?
            }
            TableRefKind::Join(join) => {
                let joined = self.bind_join(join, item, outer, left)?;
                return match &item.alias {
                    None => Ok(joined),
                    Some(_) => self.alias_join(joined, item),
                };
            }
        };
        let mut table = table;
        rename_columns(&mut table, item)?;
        Ok(FromItem::of_table(plan, table, self))
    }

    fn bind_named(
        &mut self,
        name: &ast::Name,
        alias: Option<&ast::TableAlias>,
        outer: &Scope<'_>,
    ) -> Result<(Logical, ScopeTable)> {
        let base = name.base().as_str();
        let given = alias.and_then(|alias| alias.name.as_ref()).map(ast::Ident::as_str);
        let alias = given.unwrap_or(base);
        if name.0.len() == 1
            && let Some(entry) = outer.cte(base)
        {
            return Ok(self.cte_reference(entry.id, alias));
        }
        let relation = self.relation(name)?;
        self.uses(&relation, false);
        if relation.kind == RelationKind::View {
            let mut bound = self.bind_view(&relation)?;
            keep_declared(&mut bound.columns, &relation);
            let mut table = Self::table_of(&bound, alias);
            table.named = given.is_none().then_some(relation.oid);
            for (column, (_, declared)) in table.columns.iter_mut().zip(relation.live_columns()) {
                column.name.clone_from(&declared.name);
            }
            return Ok((bound.plan, table));
        }
        let relation = match relation.kind {
            RelationKind::Sequence => Arc::new(damask_catalog::system::shown_sequence(&relation)),
            _ => relation,
        };
        let (get, table) = self.get(&relation, given);
        Ok((Logical::Get(get), table))
    }

    /// The relation of a name that may be read.
    ///
    /// # Errors
    /// 42P01, 42809.
    pub(crate) fn relation(&self, name: &ast::Name) -> Result<Arc<Relation>> {
        let position = at(name.span());
        if name.0.len() > 3 {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("improper relation name (too many dotted names): {name}"),
            )
            .at(position));
        }
        without_database(&name.0, || format!("\"{name}\"")).map_err(|error| error.at(position))?;
        let object = ObjectName {
            schema: name.qualifier().map(|schema| schema.as_str().to_owned()),
            name: name.base().as_str().to_owned(),
        };
        if object.schema.is_none() {
            let catalog = self.ctx.catalog;
            let mut read = self.view_reads.iter().filter_map(|&oid| catalog.relation(oid));
            let mut named = read.by_ref().filter(|relation| relation.name == object.name);
            if let (Some(relation), None) = (named.next(), named.next()) {
                return Ok(Arc::clone(relation));
            }
        }
        match self.ctx.catalog.find(&object, self.ctx.path)? {
            Some(relation) => Ok(Arc::clone(relation)),
            None if self.ctx.catalog.find_index(&object, self.ctx.path).is_some() => {
                Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("cannot open relation \"{}\"", object.name),
                )
                .detail("This operation is not supported for indexes.")
                .at(position))
            }
            None => Err(Error::new(
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{name}\" does not exist"),
            )
            .at(position)),
        }
    }

    /// A scan of a stored or computed relation, with new columns for all of it.
    pub(crate) fn get(
        &mut self,
        relation: &Arc<Relation>,
        alias: Option<&str>,
    ) -> (Get, ScopeTable) {
        let named = alias.is_none().then_some(relation.oid);
        let alias = alias.unwrap_or(&relation.name);
        let mut columns = vec![];
        let mut scope = vec![];
        for (index, column) in relation.live_columns() {
            let id = self.new_stored_column(relation.oid, index, column.ty);
            columns.push((index, id));
            scope.push(ScopeColumn { name: column.name.clone(), id, is_merged: false });
        }
        let has_rows = relation.kind == RelationKind::Table;
        let row_id = has_rows.then(|| self.new_column(TypeId::Int8.into()));
        let table_oid = Some(self.new_column(TypeId::Oid.into()));
        let get = Get {
            table: Arc::clone(relation),
            alias: alias.to_owned(),
            columns,
            row_id,
            table_oid,
            predicates: vec![],
        };
        let table = ScopeTable {
            alias: alias.to_owned(),
            columns: scope,
            relation: Some(Arc::clone(relation)),
            named,
            row_id,
            table_oid,
            xmax: None,
        };
        (get, table)
    }

    fn table_of(bound: &Bound, alias: &str) -> ScopeTable {
        let columns = bound.columns.iter().map(|column| ScopeColumn {
            name: column.name.clone(),
            id: column.id,
            is_merged: false,
        });
        ScopeTable {
            alias: alias.to_owned(),
            columns: columns.collect(),
            relation: None,
            named: None,
            row_id: None,
            table_oid: None,
            xmax: None,
        }
    }

    fn cte_reference(&mut self, id: usize, alias: &str) -> (Logical, ScopeTable) {
        self.ctes[id].references += 1;
        let columns = self.ctes[id].columns.clone();
        let fresh: Vec<ColumnId> =
            columns.iter().map(|column| self.new_column(column.ty)).collect();
        let table = ScopeTable {
            alias: alias.to_owned(),
            columns: columns
                .into_iter()
                .zip(&fresh)
                .map(|(column, &id)| ScopeColumn { name: column.name, id, is_merged: false })
                .collect(),
            relation: None,
            named: None,
            row_id: None,
            table_oid: None,
            xmax: None,
        };
        // One that reads an outer query's row is put in its place at once: what stands around it must see that it does.
        if !self.ctes[id].plan.free_columns().is_empty() {
            let source = self.ctes[id].plan.clone();
            let columns: Vec<ColumnId> =
                self.ctes[id].columns.iter().map(|column| column.id).collect();
            return (crate::rewrite::cte_copy(self, &source, &columns, fresh), table);
        }
        (Logical::Cte { id, columns: fresh }, table)
    }

    fn bind_table_function(
        &mut self,
        function: &ast::TableFunction,
        ordinality: bool,
        item: &TableRef,
        scope: &Scope<'_>,
    ) -> Result<(Logical, ScopeTable)> {
        let definitions = item.alias.as_ref().map_or(&[][..], |alias| &alias.definitions[..]);
        if !definitions.is_empty() || !function.columns.is_empty() {
            return Err(Error::unsupported("column definition list").at(at(item.span)));
        }
        let mut env = Env::plain(scope, "functions in FROM");
        let alias = item.alias.as_ref().and_then(|alias| alias.name.as_ref());
        let call = match &function.call.kind {
            ast::ExprKind::Function(call) => Some(call),
            _ => None,
        };
        let name = call.map_or("", |call| call.name.base().as_str());
        let alias = alias.map_or(name, |alias| alias.as_str());
        let is_set = !damask_functions::registry::table_functions(name).is_empty();
        let scalar_exists = !damask_functions::registry::functions(name).is_empty();
        let mut names: Vec<(String, SqlType)> = vec![];
        let (plan, columns) = if let Some(call) = call.filter(|_| is_set) {
            let mut args = vec![];
            for arg in &call.args {
                args.push(self.bind_expr(&arg.value, &mut env)?);
            }
            // unnest(a, b): several arrays side by side.
            if name == "unnest" && args.len() > 1 {
                return self.bind_unnests(args, ordinality, alias, env, item);
            }
            let types: Vec<_> = args.iter().map(|arg| arg.ty.id).collect();
            let resolved =
                resolve_function(name, &types, false).map_err(|error| error.at(at(item.span)))?;
            let ResolvedFunction::Table(resolved) = resolved else {
                if scalar_exists {
                    let value = self.bind_expr(&function.call, &mut env)?;
                    return self.value_as_table(value, ordinality, alias, env);
                }
                return Err(
                    Error::unsupported(format!("function {name} in FROM")).at(at(item.span))
                );
            };
            let mut converted = vec![];
            for (arg, ty) in args.into_iter().zip(&resolved.args) {
                converted.push(if arg.ty.id == *ty {
                    arg
                } else {
                    self.coerce(arg, (*ty).into(), CastContext::Implicit)?
                });
            }
            for (position, (column, ty)) in resolved.entry.columns.iter().enumerate() {
                let ty = if position == 0 { resolved.result } else { *ty };
                let column = if resolved.entry.columns.len() == 1 { alias } else { column };
                names.push((column.to_owned(), ty.into()));
            }
            if ordinality {
                names.push(("ordinality".to_owned(), TypeId::Int8.into()));
            }
            let columns: Vec<ColumnId> = names.iter().map(|(_, ty)| self.new_column(*ty)).collect();
            let plan = Logical::Function {
                function: resolved.entry,
                args: converted,
                columns: columns.clone(),
                ordinality,
            };
            (plan, columns)
        } else {
            let value = self.bind_expr(&function.call, &mut env)?;
            return self.value_as_table(value, ordinality, alias, env);
        };
        if !env.pending.is_empty() {
            return Err(
                Error::unsupported("correlated subquery in a function in FROM").at(at(item.span))
            );
        }
        let table = function_table(alias, names, &columns);
        Ok((plan, table))
    }

    /// A scalar function in FROM: one row of one column.
    fn value_as_table(
        &mut self,
        value: Expr,
        ordinality: bool,
        alias: &str,
        env: Env<'_>,
    ) -> Result<(Logical, ScopeTable)> {
        if !env.pending.is_empty() {
            return Err(Error::unsupported("correlated subquery in a function in FROM"));
        }
        let value = self.known(value)?;
        let mut names = vec![(alias.to_owned(), value.ty)];
        let mut row = vec![value];
        if ordinality {
            names.push(("ordinality".to_owned(), TypeId::Int8.into()));
            row.push(Expr::literal(damask_types::Value::Int8(1), TypeId::Int8));
        }
        let columns: Vec<ColumnId> = names.iter().map(|(_, ty)| self.new_column(*ty)).collect();
        let plan = Logical::Values { columns: columns.clone(), rows: vec![row] };
        Ok((plan, function_table(alias, names, &columns)))
    }

    /// `unnest(a, b, ...)` is a row of set-returning calls expanded in step.
    fn bind_unnests(
        &mut self,
        args: Vec<Expr>,
        ordinality: bool,
        alias: &str,
        env: Env<'_>,
        item: &TableRef,
    ) -> Result<(Logical, ScopeTable)> {
        if ordinality || !env.pending.is_empty() {
            return Err(
                Error::unsupported("unnest of several arrays WITH ORDINALITY").at(at(item.span))
            );
        }
        let mut functions = vec![];
        let mut names = vec![];
        for arg in args {
            let ResolvedFunction::Table(resolved) =
                resolve_function("unnest", &[arg.ty.id], false)?
            else {
                return Err(Error::unsupported("unnest of this type"));
            };
            let arg = if arg.ty.id == resolved.args[0] {
                arg
            } else {
                self.coerce(arg, resolved.args[0].into(), CastContext::Implicit)?
            };
            let id = self.new_column(resolved.result.into());
            names.push(("unnest".to_owned(), SqlType::plain(resolved.result)));
            functions.push((id, resolved.entry, vec![arg]));
        }
        let columns: Vec<ColumnId> = functions.iter().map(|(id, ..)| *id).collect();
        let plan = Logical::ProjectSet { input: Box::new(Logical::one_row()), functions };
        Ok((plan, function_table(alias, names, &columns)))
    }

    fn bind_join(
        &mut self,
        join: &ast::Join,
        item: &TableRef,
        outer: &Scope<'_>,
        visible: &[ScopeTable],
    ) -> Result<FromItem> {
        let left = self.bind_table_ref(&join.left, outer, visible)?;
        let in_sight: Vec<ScopeTable> = visible.iter().chain(&left.tables).cloned().collect();
        let right = self.bind_table_ref(&join.right, outer, &in_sight)?;
        check_aliases(&left.tables, &right.tables, &join.right)?;
        let is_dependent = depends(&right.plan, &left.plan);
        if is_dependent && matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full) {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "invalid reference to FROM-clause entry",
            )
            .detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
            .at(at(join.right.span)));
        }
        let names: Vec<ast::Ident> = match &join.condition {
            JoinCondition::Using(names, _) => names.clone(),
            JoinCondition::Natural => left
                .star
                .iter()
                .filter(|(name, _)| right.star.iter().any(|(other, _)| other == name))
                .map(|(name, _)| ast::Ident::new(name.as_str(), item.span))
                .collect(),
            JoinCondition::None | JoinCondition::On(_) => vec![],
        };
        let mut predicates = vec![];
        let mut merged: Vec<(String, Expr)> = vec![];
        let mut extra: Vec<(ColumnId, Expr)> = vec![];
        for name in &names {
            let find = |star: &[(String, Expr)], side: &str| -> Result<Expr> {
                let mut found = star.iter().filter(|(other, _)| other == name.as_str());
                match (found.next(), found.next()) {
                    (Some((_, expr)), None) => Ok(expr.clone()),
                    (Some(_), Some(_)) => Err(Error::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("common column name \"{}\" appears more than once in {side} table", name.as_str()),
                    )
                    .at(at(name.span))),
                    (None, _) => Err(Error::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{}\" specified in USING clause does not exist in {side} table", name.as_str()),
                    )
                    .at(at(name.span))),
                }
            };
            let (lhs, rhs) = (find(&left.star, "left")?, find(&right.star, "right")?);
            self.note_read(&lhs);
            self.note_read(&rhs);
            let (both, ty) =
                self.common(vec![lhs.clone(), rhs.clone()], CommonContext::JoinUsing)?;
            predicates.push(self.operator(
                "=",
                Some(both[0].clone()),
                both[1].clone(),
                name.span.start,
            )?);
            let value = match join.kind {
                ast::JoinKind::Cross | ast::JoinKind::Inner | ast::JoinKind::Left => {
                    both[0].clone()
                }
                ast::JoinKind::Right => both[1].clone(),
                ast::JoinKind::Full => {
                    let id = self.new_column(ty);
                    extra.push((id, Expr::new(ExprKind::Coalesce(both), ty)));
                    self.column_expr(id)
                }
            };
            merged.push((name.as_str().to_owned(), value));
        }
        let is_merged = |name: &str| names.iter().any(|merged| merged.as_str() == name);
        let mut tables = vec![];
        for table in left.tables.iter().chain(&right.tables) {
            let mut table = table.clone();
            for column in &mut table.columns {
                column.is_merged |= is_merged(&column.name);
            }
            tables.push(table);
        }
        let mut star = merged.clone();
        star.extend(
            left.star.iter().chain(&right.star).filter(|(name, _)| !is_merged(name)).cloned(),
        );
        let mut all_merged = merged.clone();
        all_merged.extend(
            left.merged.iter().chain(&right.merged).filter(|(name, _)| !is_merged(name)).cloned(),
        );
        let mut plan_left = left.plan;
        let mut plan_right = right.plan;
        if let JoinCondition::On(condition) = &join.condition {
            let scope = Scope {
                tables: tables.clone(),
                merged: all_merged.clone(),
                ..Scope::inside(outer)
            };
            let mut env = Env::plain(&scope, "JOIN/ON");
            scope.enter("JOIN conditions", false);
            let bound = self.bind_condition(condition, &mut env)?;
            bound.conjuncts(&mut predicates);
            if !env.pending.is_empty() {
                // The subqueries read either side: put them under the side whose columns they need.
                let left_columns = plan_left.output_set();
                let right_columns = plan_right.output_set();
                for wait in env.pending {
                    let mut needed = wait.plan.free_columns();
                    for predicate in &wait.predicates {
                        predicate.add_columns(&mut needed);
                    }
                    if join.kind == ast::JoinKind::Inner
                        && needed.intersects(&right_columns)
                        && needed.intersects(&left_columns)
                    {
                        return Err(Error::unsupported("subquery in JOIN/ON over both sides"));
                    }
                    if needed.intersects(&right_columns) && needed.intersects(&left_columns) {
                        return Err(Error::unsupported("subquery in JOIN/ON over both sides"));
                    }
                    let side = if needed.intersects(&left_columns) {
                        &mut plan_left
                    } else {
                        &mut plan_right
                    };
                    let input = std::mem::replace(side, Logical::one_row());
                    *side = Self::attach(input, vec![wait], &mut vec![]);
                }
            }
        }
        // A right join is a left join with its sides swapped: columns have names, not places.
        let (kind, first, second) = match join.kind {
            ast::JoinKind::Cross | ast::JoinKind::Inner => (JoinKind::Inner, plan_left, plan_right),
            ast::JoinKind::Left => (JoinKind::Left, plan_left, plan_right),
            ast::JoinKind::Right => (JoinKind::Left, plan_right, plan_left),
            ast::JoinKind::Full => (JoinKind::Full, plan_left, plan_right),
        };
        let mut plan = Logical::Join(Join {
            kind,
            left: Box::new(first),
            right: Box::new(second),
            predicates,
            mark: None,
            is_dependent,
        });
        if !extra.is_empty() {
            let mut exprs: Vec<_> =
                plan.output().into_iter().map(|id| (id, self.column_expr(id))).collect();
            exprs.extend(extra);
            plan = Logical::Project { input: Box::new(plan), exprs };
        }
        if let JoinCondition::Using(_, Some(alias)) = &join.condition {
            let columns = merged.iter().filter_map(|(name, expr)| {
                Some(ScopeColumn { name: name.clone(), id: expr.as_column()?, is_merged: true })
            });
            tables.push(ScopeTable {
                alias: alias.as_str().to_owned(),
                columns: columns.collect(),
                relation: None,
                named: None,
                row_id: None,
                table_oid: None,
                xmax: None,
            });
        }
        Ok(FromItem { plan, tables, merged: all_merged, star })
    }

    /// `(a JOIN b ...) AS x (names)`: one table of all the columns.
    fn alias_join(&mut self, joined: FromItem, item: &TableRef) -> Result<FromItem> {
        let alias = item.alias.as_ref().and_then(|alias| alias.name.as_ref());
        let mut exprs: Vec<(ColumnId, Expr)> = vec![];
        let mut columns = vec![];
        for (name, expr) in joined.star {
            let id = match expr.as_column() {
                Some(id) => id,
                None => self.new_column(expr.ty),
            };
            if !exprs.iter().any(|(other, _)| *other == id) {
                exprs.push((id, expr));
            }
            columns.push(ScopeColumn { name, id, is_merged: false });
        }
        let mut table = ScopeTable {
            alias: alias.map_or("", |alias| alias.as_str()).to_owned(),
            columns,
            relation: None,
            named: None,
            row_id: None,
            table_oid: None,
            xmax: None,
        };
        rename_columns(&mut table, item)?;
        let plan = Logical::Project { input: Box::new(joined.plan), exprs };
        Ok(FromItem::of_table(plan, table, self))
    }

    /// Types of a column definition list.
    #[expect(dead_code, reason = "for functions that return record, once there is one")]
    pub(crate) fn definition_types(
        definitions: &[ast::ColumnDefinition],
    ) -> Result<Vec<(String, SqlType)>> {
        definitions
            .iter()
            .map(|definition| {
                Ok((definition.name.as_str().to_owned(), resolve_type(&definition.type_name)?))
            })
            .collect()
    }
}

fn function_table(alias: &str, names: Vec<(String, SqlType)>, columns: &[ColumnId]) -> ScopeTable {
    ScopeTable {
        alias: alias.to_owned(),
        columns: names
            .into_iter()
            .zip(columns)
            .map(|((name, _), &id)| ScopeColumn { name, id, is_merged: false })
            .collect(),
        relation: None,
        named: None,
        row_id: None,
        table_oid: None,
        xmax: None,
    }
}

fn lateral_scope<'s>(outer: &'s Scope<'s>, left: &[ScopeTable]) -> Scope<'s> {
    Scope { tables: left.to_vec(), ..Scope::inside(outer) }
}

fn depends(right: &Logical, left: &Logical) -> bool {
    let free = right.free_columns();
    !free.is_empty() && free.intersects(&left.output_set())
}

fn check_aliases(left: &[ScopeTable], right: &[ScopeTable], item: &TableRef) -> Result<()> {
    for table in right {
        if left.iter().any(|other| other.conflicts(table)) {
            return Err(Error::new(
                SqlState::DUPLICATE_ALIAS,
                format!("table name \"{}\" specified more than once", table.alias),
            )
            .at(at(item.span)));
        }
    }
    Ok(())
}

/// Applies `AS t (a, b)`.
fn rename_columns(table: &mut ScopeTable, item: &TableRef) -> Result<()> {
    let Some(alias) = &item.alias else {
        return Ok(());
    };
    if alias.columns.len() > table.columns.len() {
        return Err(Error::new(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "table \"{}\" has {} columns available but {} columns specified",
                table.alias,
                table.columns.len(),
                alias.columns.len()
            ),
        )
        .at(at(item.span)));
    }
    for (column, name) in table.columns.iter_mut().zip(&alias.columns) {
        name.as_str().clone_into(&mut column.name);
    }
    Ok(())
}

/// Leaves of a view's columns those it had when it was made: a `*` in its text grows with its tables.
///
/// The columns it had are found among the new ones in their order, by name. Names that the view gave itself are found
/// nowhere; then only a `*` at the end can have grown, and the first columns are the view's.
fn keep_declared(columns: &mut Vec<BoundColumn>, view: &Relation) {
    let declared: Vec<&str> = view.live_columns().map(|(_, column)| column.name.as_str()).collect();
    if columns.len() <= declared.len() {
        return;
    }
    let mut kept = vec![];
    for (index, column) in columns.iter().enumerate() {
        if declared.get(kept.len()).is_some_and(|name| *name == column.name) {
            kept.push(index);
        }
    }
    if kept.len() == declared.len() {
        *columns = kept.into_iter().map(|index| columns[index].clone()).collect();
    } else {
        columns.truncate(declared.len());
    }
}
