//! Indexes and views.

use super::super::Session;
use super::super::plan::Prepared;
use super::super::settings::Level;
use damask_catalog::object::{Column, IndexKey, Read, RelationKind};
use damask_sql::ast::{self, ExprKind, OrderDirection};
use damask_txn::TableLock;
use damask_types::{Error, Position, Result, SqlState};

impl Session {
    pub(crate) fn create_index(&mut self, create: &ast::CreateIndex) -> Result<String> {
        let relation = self.resolve(&create.table)?;
        Self::check_user_relation(&relation)?;
        if relation.kind != RelationKind::Table {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot create index on relation \"{}\"", relation.name),
            ));
        }
        if let Some(method) = &create.method
            && method.as_str() != "btree"
        {
            return Err(Error::unsupported(format!("index access method \"{}\"", method.as_str()))
                .at(Position(method.span.start)));
        }
        if create.filter.is_some() {
            return Err(Error::unsupported("partial indexes"));
        }
        if !create.include.is_empty() {
            return Err(Error::unsupported("INCLUDE columns of an index"));
        }
        let relation = self.lock_and_refresh(&relation, TableLock::Share)?;
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
        let mut keys = vec![];
        for column in &create.columns {
            let ExprKind::Column(name) = &column.expr.kind else {
                return Err(Error::unsupported("indexes on expressions")
                    .at(Position(column.expr.span.start)));
            };
            let name = name.base();
            let (index, _) = relation.column(name.as_str()).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{}\" does not exist", name.as_str()),
                )
                .at(Position(name.span.start))
            })?;
            let descending = column.direction == OrderDirection::Descending;
            keys.push(IndexKey {
                column: index,
                descending,
                nulls_first: column.nulls_first.unwrap_or(descending),
            });
        }
        let name = create.name.as_ref().map(ast::Ident::as_str);
        let (unique, nulls) = (create.unique, create.nulls_not_distinct);
        self.change(|catalog, txn| {
            catalog.create_index(txn, relation.oid, name, keys, unique, nulls)
        })?;
        Ok("CREATE INDEX".to_owned())
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
