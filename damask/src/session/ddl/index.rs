//! CREATE INDEX and CREATE VIEW.

use super::super::Session;
use super::super::plan::Prepared;
use super::super::settings::Level;
use damask_catalog::ddl::NewIndex;
use damask_catalog::object::{
    Column, IndexExpr, IndexKey, IndexMethod, KeySource, Read, Relation, RelationKind,
};
use damask_sql::ast::{self, ExprKind, OrderDirection};
use damask_txn::TableLock;
use damask_types::{ColumnIndex, Error, Position, Result, SqlState, SqlType};
use std::sync::Arc;

impl Session {
    pub(crate) fn create_index(
        &mut self,
        prepared: &Prepared,
        create: &ast::CreateIndex,
    ) -> Result<String> {
        if create.concurrently {
            self.check_outside_block("CREATE INDEX CONCURRENTLY")?;
        }
        let relation = self.resolve(&create.table)?;
        if damask_catalog::system::is_system_view(relation.oid)
            || relation.kind == RelationKind::View
        {
            return Err(no_index_on(&relation, "views"));
        }
        Self::check_user_relation(&relation)?;
        if relation.kind != RelationKind::Table {
            return Err(no_index_on(&relation, "sequences"));
        }
        let method = method_of(create)?;
        super::parameters::check_index(&create.options)?;
        let lock =
            if create.concurrently { TableLock::ShareUpdateExclusive } else { TableLock::Share };
        let relation = self.lock_and_refresh(&relation, lock)?;
        self.check_no_deferred("CREATE INDEX", &relation)?;
        if let Some(name) = &create.name
            && self.catalog.snapshot().name_in(relation.schema, name.as_str()).is_some()
            && create.if_not_exists
        {
            self.skip_existing(
                SqlState::DUPLICATE_TABLE,
                &format!("relation \"{}\"", name.as_str()),
            );
            return Ok("CREATE INDEX".to_owned());
        }
        let mut new = NewIndex {
            name: create.name.as_ref().map(|name| name.as_str().to_owned()),
            method,
            concurrently: create.concurrently,
            unique: create.unique,
            nulls_not_distinct: create.nulls_not_distinct,
            ..NewIndex::default()
        };
        for column in &create.columns {
            let source = self.index_key(prepared, &relation, column, &mut new.exprs)?;
            let descending = column.direction == OrderDirection::Descending;
            let nulls_first = column.nulls_first.unwrap_or(descending);
            new.keys.push(IndexKey { source, descending, nulls_first });
            let ty = match source {
                KeySource::Column(column) => relation.columns[usize::from(column.0)].ty,
                KeySource::Expr(place) => new.exprs[place].ty,
            };
            if !damask_catalog::system::has_operator_class(method, ty.id) {
                return Err(no_operator_class(method, ty));
            }
            check_order(column, method, ty)?;
        }
        name_apart(&relation, &mut new);
        for column in &create.include {
            new.included.push(included_column(&relation, column)?);
        }
        if let Some(filter) = &create.filter {
            new.predicate = self.index_predicate(prepared, &relation, filter)?;
        }
        let made = self.change(|catalog, txn| catalog.create_index(txn, relation.oid, new))?;
        if create.concurrently {
            self.fill_index(relation.oid, made.oid)?;
        }
        Ok("CREATE INDEX".to_owned())
    }

    /// What a key of an index is the value of; an expression goes on the list.
    fn index_key(
        &mut self,
        prepared: &Prepared,
        relation: &Arc<Relation>,
        key: &ast::IndexColumn,
        exprs: &mut Vec<IndexExpr>,
    ) -> Result<KeySource> {
        if let ExprKind::Column(name) = &key.expr.kind {
            return Ok(KeySource::Column(index_column(relation, name.base())?));
        }
        let env = self.statement_env()?;
        let columns = columns_of(relation);
        let made = self.with_plan_context(&env, prepared.text(), &[], |ctx| {
            damask_planner::bind_index_expr(&key.expr, &relation.name, &columns, ctx)
        })?;
        exprs.push(made);
        Ok(KeySource::Expr(exprs.len() - 1))
    }

    /// The predicate of a partial index as it is stored.
    fn index_predicate(
        &mut self,
        prepared: &Prepared,
        relation: &Arc<Relation>,
        filter: &ast::Expr,
    ) -> Result<Option<String>> {
        let env = self.statement_env()?;
        let columns = columns_of(relation);
        self.with_plan_context(&env, prepared.text(), &[], |ctx| {
            damask_planner::bind_index_predicate(filter, &relation.name, &columns, ctx)
        })
    }

    pub(crate) fn create_view(
        &mut self,
        prepared: &Prepared,
        create: &ast::CreateView,
    ) -> Result<String> {
        if create.recursive {
            return Err(Error::unsupported("CREATE RECURSIVE VIEW"));
        }
        if create.check_option.is_some() {
            return Err(Error::unsupported("WITH CHECK OPTION"));
        }
        let name = create.name.base().as_str();
        let text = prepared.slice(create.query.span).trim().to_owned();
        let env = self.statement_env()?;
        let plan = self.with_plan_context(&env, prepared.text(), &[], |ctx| {
            damask_planner::plan_query(&create.query, ctx)
        })?;
        // What it reads cannot go before it is there.
        for used in &plan.relations {
            self.lock_and_refresh(&used.relation, TableLock::AccessShare)?;
        }
        if create.columns.len() > plan.columns.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "CREATE VIEW specifies more column names than columns",
            ));
        }
        let columns: Vec<Column> = plan
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let name = create.columns.get(i).map_or(column.name.as_str(), ast::Ident::as_str);
                Column::new(name, column.ty)
            })
            .collect();
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].iter().any(|other| other.name == column.name) {
                return Err(Error::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", column.name),
                ));
            }
        }
        let mut persistence = create.persistence;
        let reads_temp =
            plan.relations.iter().any(|used| env.catalog.is_temp(used.relation.schema));
        if reads_temp && persistence != ast::Persistence::Temporary {
            let text = format!("view \"{name}\" will be a temporary view");
            self.notice(Level::Notice, Error::new(SqlState::SUCCESSFUL_COMPLETION, text));
            persistence = ast::Persistence::Temporary;
        }
        let schema = self.creation_schema(&create.name, persistence)?;
        let reads = plan
            .relations
            .iter()
            .filter(|used| used.is_direct)
            .map(|used| Read { relation: used.relation.oid, columns: used.columns.clone() })
            .collect();
        let existing = self.catalog.snapshot().relation_in(schema, name).cloned();
        if let Some(old) = existing.filter(|_| create.or_replace) {
            if old.kind != RelationKind::View {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{name}\" is not a view"),
                ));
            }
            let old = self.lock_and_refresh(&old, TableLock::AccessExclusive)?;
            for (before, after) in old.columns.iter().zip(&columns) {
                if before.name != after.name {
                    return Err(Error::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!("cannot change name of view column \"{}\" to \"{}\"", before.name, after.name),
                    )
                    .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
                }
                if before.ty != after.ty {
                    let ty = damask_types::format::format_type;
                    return Err(Error::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!(
                            "cannot change data type of view column \"{}\" from {} to {}",
                            before.name,
                            ty(before.ty),
                            ty(after.ty)
                        ),
                    ));
                }
            }
            if columns.len() < old.columns.len() {
                return Err(Error::new(
                    SqlState::INVALID_TABLE_DEFINITION,
                    "cannot drop columns from view",
                ));
            }
            self.change(|catalog, txn| {
                let mut view = catalog.owned(old.oid);
                (view.columns, view.view, view.reads) = (columns, Some(text), reads);
                catalog.put_relation(txn, view)
            })?;
            return Ok("CREATE VIEW".to_owned());
        }
        let owner = self.state.user.0;
        self.change(|catalog, txn| {
            catalog.create_view(txn, (schema, name), owner, columns, text, reads)
        })?;
        Ok("CREATE VIEW".to_owned())
    }

    /// Tells the client of objects that a CASCADE takes along.
    pub(crate) fn notice_cascade(&mut self, lines: &[String]) {
        let drops: Vec<String> = lines
            .iter()
            .map(|line| {
                let object = line.split(" depends on ").next().unwrap_or(line);
                format!("drop cascades to {object}")
            })
            .collect();
        let error = match &drops[..] {
            [] => return,
            [one] => Error::new(SqlState::SUCCESSFUL_COMPLETION, one.clone()),
            many => Error::new(
                SqlState::SUCCESSFUL_COMPLETION,
                format!("drop cascades to {} other objects", many.len()),
            )
            .detail(many.join("\n")),
        };
        self.notice(Level::Notice, error);
    }
}

/// A table's columns as definitions see them, dropped ones under names nobody can write.
pub(super) fn columns_of(relation: &Relation) -> Vec<(String, SqlType)> {
    relation.columns.iter().map(|column| (column.name.clone(), column.ty)).collect()
}

fn no_index_on(relation: &Relation, what: &str) -> Error {
    Error::new(
        SqlState::WRONG_OBJECT_TYPE,
        format!("cannot create index on relation \"{}\"", relation.name),
    )
    .detail(format!("This operation is not supported for {what}."))
}

/// The access method of a new index.
///
/// # Errors
/// 42704 for a name that no method has, 0A000 for one that is not there or cannot do what is asked of it.
fn method_of(create: &ast::CreateIndex) -> Result<IndexMethod> {
    let Some(name) = &create.method else {
        return Ok(IndexMethod::Btree);
    };
    match name.as_str() {
        "btree" => return Ok(IndexMethod::Btree),
        "hash" => {}
        "gist" | "gin" | "spgist" | "brin" => {
            return Err(Error::unsupported(format!("index access method \"{}\"", name.as_str()))
                .at(Position(name.span.start)));
        }
        other => {
            let text = format!("access method \"{other}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, text));
        }
    }
    let is_ordered = |key: &ast::IndexColumn| key.direction != OrderDirection::Default;
    let has_nulls = |key: &ast::IndexColumn| key.nulls_first.is_some();
    let what = if create.unique {
        "unique indexes"
    } else if !create.include.is_empty() {
        "included columns"
    } else if create.columns.len() > 1 {
        "multicolumn indexes"
    } else if create.columns.iter().any(is_ordered) {
        "ASC/DESC options"
    } else if create.columns.iter().any(has_nulls) {
        "NULLS FIRST/LAST options"
    } else {
        return Ok(IndexMethod::Hash);
    };
    let text = format!("access method \"hash\" does not support {what}");
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, text))
}

/// 42704 for a type that an access method does not take.
fn no_operator_class(method: IndexMethod, ty: SqlType) -> Error {
    let shown = damask_types::format::format_type(SqlType::plain(ty.id));
    Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!(
            "data type {shown} has no default operator class for access method \"{}\"",
            method.name()
        ),
    )
    .hint("You must specify an operator class for the index or define a default operator class for the data type.")
}

/// Checks the collation and the operator class that a key asks for: those that mean the order that it gets anyway.
fn check_order(column: &ast::IndexColumn, method: IndexMethod, ty: SqlType) -> Result<()> {
    if let Some(collation) = &column.collation {
        damask_planner::check_collation(collation, ty.id)?;
    }
    let Some(class) = &column.operator_class else {
        return Ok(());
    };
    let name = class.base().as_str();
    match damask_catalog::system::operator_class_takes(method, name, ty.id) {
        Some(true) if column.operator_class_options.is_empty() => Ok(()),
        Some(true) => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("operator class {name} has no options"),
        )),
        Some(false) => {
            let shown = damask_types::format::format_type(SqlType::plain(ty.id));
            Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!("operator class \"{name}\" does not accept data type {shown}"),
            ))
        }
        None => Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!(
                "operator class \"{name}\" does not exist for access method \"{}\"",
                method.name()
            ),
        )),
    }
}

/// Numbers the names of expressions that an earlier column of the index has too.
fn name_apart(relation: &Relation, new: &mut NewIndex) {
    let mut taken: Vec<String> = vec![];
    for key in &new.keys {
        let name = match key.source {
            KeySource::Column(column) => relation.columns[usize::from(column.0)].name.clone(),
            KeySource::Expr(place) => {
                let base = new.exprs[place].name.clone();
                let mut name = base.clone();
                for number in 1.. {
                    if !taken.contains(&name) {
                        break;
                    }
                    name = format!("{base}{number}");
                }
                new.exprs[place].name.clone_from(&name);
                name
            }
        };
        taken.push(name);
    }
}

fn index_column(relation: &Relation, name: &ast::Ident) -> Result<ColumnIndex> {
    let found = relation.column(name.as_str()).map(|(column, _)| column);
    found.ok_or_else(|| {
        Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{}\" does not exist", name.as_str()),
        )
        .at(Position(name.span.start))
    })
}

/// A column of INCLUDE.
fn included_column(relation: &Relation, column: &ast::IndexColumn) -> Result<ColumnIndex> {
    let ExprKind::Column(name) = &column.expr.kind else {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "expressions are not supported in included columns",
        ));
    };
    let options = if column.direction != OrderDirection::Default {
        "ASC/DESC options"
    } else if column.nulls_first.is_some() {
        "NULLS FIRST/LAST options"
    } else if column.collation.is_some() {
        "a collation"
    } else if column.operator_class.is_some() {
        "an operator class"
    } else {
        return index_column(relation, name.base());
    };
    Err(Error::new(
        SqlState::INVALID_OBJECT_DEFINITION,
        format!("including column does not support {options}"),
    ))
}
