//! DROP and TRUNCATE.

use super::super::Session;
use super::super::env::StatementEnv;
use super::super::settings::Level;
use super::object_name;
use damask_catalog::ddl::{dependents_error, kind_name};
use damask_catalog::object::{Column, Relation, RelationKind};
use damask_planner::ColumnUse;
use damask_sql::ast::{self, ObjectKind};
use damask_txn::TableLock;
use damask_types::{ColumnIndex, Error, Oid, Result, SqlState, TypeId, Value};
use std::sync::Arc;

impl Session {
    pub(crate) fn drop_objects(&mut self, drop: &ast::Drop) -> Result<String> {
        match drop.object {
            ObjectKind::Table | ObjectKind::View | ObjectKind::Sequence => {
                self.drop_relations(drop)?;
            }
            ObjectKind::Index => self.drop_indexes(drop)?,
            ObjectKind::Schema => self.drop_schemas(drop)?,
            ObjectKind::Role => self.drop_roles(drop)?,
            other => return Err(Error::unsupported(format!("DROP {}", other.as_str()))),
        }
        Ok(format!("DROP {}", drop.object.as_str()))
    }

    fn skip_missing(&mut self, what: &str) {
        self.notice(
            Level::Notice,
            Error::new(SqlState::SUCCESSFUL_COMPLETION, format!("{what} does not exist, skipping")),
        );
    }

    fn drop_relations(&mut self, drop: &ast::Drop) -> Result<()> {
        let (wanted, word) = match drop.object {
            ObjectKind::View => (RelationKind::View, "view"),
            ObjectKind::Sequence => (RelationKind::Sequence, "sequence"),
            _ => (RelationKind::Table, "table"),
        };
        let mut targets: Vec<Arc<Relation>> = vec![];
        for name in &drop.names {
            let found = match self.find(&name.name)? {
                Some(relation) => relation,
                None if self.is_index(&name.name)? => {
                    return Err(Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("\"{}\" is not a {word}", name.name.base().as_str()),
                    )
                    .hint("Use DROP INDEX to remove an index."));
                }
                None if drop.if_exists => {
                    self.skip_missing(&format!("{word} \"{}\"", name.name.base().as_str()));
                    continue;
                }
                None => {
                    let shown = object_name(&name.name)?;
                    return Err(Error::new(
                        SqlState::UNDEFINED_TABLE,
                        format!("{word} \"{shown}\" does not exist"),
                    ));
                }
            };
            Self::check_user_relation(&found)?;
            if found.kind != wanted {
                let hint = format!(
                    "Use DROP {} to remove {} {}.",
                    kind_name(found.kind).to_uppercase(),
                    if found.kind == RelationKind::Index { "an" } else { "a" },
                    kind_name(found.kind)
                );
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a {word}", found.name),
                )
                .hint(hint));
            }
            let target = self.lock_and_refresh(&found, TableLock::AccessExclusive)?;
            self.check_no_deferred("DROP TABLE", &target)?;
            targets.push(target);
        }
        self.drop_together(&targets, drop.cascade)
    }

    /// Drops relations; what depends on them from outside of the list forbids it or goes too.
    fn drop_together(&mut self, targets: &[Arc<Relation>], cascade: bool) -> Result<()> {
        let ids: Vec<Oid> = targets.iter().map(|target| target.oid).collect();
        for target in targets {
            if let Some((table, column)) =
                target.sequence.as_ref().and_then(|sequence| sequence.owned_by)
                && !ids.contains(&table)
                && !cascade
                && let Some(owner) = self.catalog.snapshot().relation(table)
                && owner.columns[usize::from(column.0)].sequence == Some(target.oid)
            {
                let line = format!(
                    "default value for column {} of table {} depends on sequence {}",
                    owner.columns[usize::from(column.0)].name,
                    owner.name,
                    target.name
                );
                return Err(dependents_error(&format!("sequence {}", target.name), &[line]));
            }
            let (mut lines, views) = self.catalog.dependents(target.oid);
            let defaults = self.defaults_on(target)?;
            for (table, column) in &defaults {
                let shown = &table.columns[usize::from(column.0)].name;
                let table = self.catalog.qualified(table);
                let name = self.catalog.qualified(target);
                lines.push(format!(
                    "default value for column {shown} of table {table} depends on sequence {name}"
                ));
            }
            // What is dropped by the same statement does not stand in the way.
            let outside: Vec<String> = lines
                .into_iter()
                .filter(|line| !targets.iter().any(|other| is_about(line, other)))
                .collect();
            if !outside.is_empty() && !cascade {
                let what = format!("{} {}", kind_name(target.kind), self.catalog.qualified(target));
                return Err(dependents_error(&what, &outside));
            }
            self.notice_cascade(&outside);
            for view in views {
                if let Some(view) = self.catalog.snapshot().relation(view).cloned() {
                    self.lock(view.oid, TableLock::AccessExclusive)?;
                    self.change(|catalog, txn| catalog.drop_relation(txn, view.oid))?;
                }
            }
            for (table, column) in defaults {
                if ids.contains(&table.oid) {
                    continue;
                }
                self.lock(table.oid, TableLock::AccessExclusive)?;
                self.change_column(table.oid, column, |column| column.default = None)?;
            }
            for reference in &target.referenced_by {
                self.lock(reference.table, TableLock::AccessExclusive)?;
            }
            if let Some((table, column)) =
                target.sequence.as_ref().and_then(|sequence| sequence.owned_by)
            {
                self.change(|catalog, txn| {
                    if catalog.snapshot().relation(table).is_none() {
                        return Ok(());
                    }
                    let mut owner = catalog.owned(table);
                    let column = &mut owner.columns[usize::from(column.0)];
                    if column.sequence == Some(target.oid) {
                        (column.sequence, column.default, column.identity) = (None, None, None);
                        catalog.put_relation(txn, owner)?;
                    }
                    Ok(())
                })?;
            }
            self.change(|catalog, txn| catalog.drop_relation(txn, target.oid))?;
        }
        Ok(())
    }

    /// The columns whose defaults name a sequence, but for the one that owns it.
    fn defaults_on(&mut self, sequence: &Relation) -> Result<Vec<(Arc<Relation>, ColumnIndex)>> {
        let mut found = vec![];
        if sequence.kind != RelationKind::Sequence {
            return Ok(found);
        }
        let env = self.statement_env()?;
        for table in
            self.catalog.snapshot().user_relations().into_iter().cloned().collect::<Vec<_>>()
        {
            for (number, column) in table.live_columns() {
                let Some(default) = &column.default else { continue };
                if column.sequence.is_none() && self.names(&env, (column, default), sequence.oid)? {
                    found.push((Arc::clone(&table), number));
                }
            }
        }
        Ok(found)
    }

    /// Whether a constant of a column's default names a relation. A default that no longer binds names none.
    fn names(
        &mut self,
        env: &Arc<StatementEnv>,
        (column, default): (&Column, &str),
        relation: Oid,
    ) -> Result<bool> {
        let Ok(parsed) = damask_sql::parse_expression(default) else { return Ok(false) };
        let purpose = ColumnUse::Default(&column.name, column.ty);
        let bound = self.with_plan_context(env, default, &[], |ctx| {
            damask_planner::bind_column_expression(&parsed, "", &[], purpose, ctx)
        });
        let mut constants = vec![];
        if let Ok(bound) = bound {
            bound.walk(&mut |expr| {
                if expr.ty.id == TypeId::RegClass && expr.is_constant_text() {
                    constants.push(expr.clone());
                }
            });
        }
        for constant in constants {
            // A name that means nothing any more is no reference.
            if matches!(self.value_of(constant, env), Ok(Value::Oid(oid)) if oid == relation) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an index has this name.
    pub(crate) fn is_index(&mut self, name: &ast::Name) -> Result<bool> {
        let env = self.statement_env()?;
        Ok(env.catalog.find_index(&object_name(name)?, &env.path).is_some())
    }

    fn drop_indexes(&mut self, drop: &ast::Drop) -> Result<()> {
        if drop.concurrently {
            let refused =
                [(drop.names.len() > 1, "dropping multiple objects"), (drop.cascade, "CASCADE")];
            if let Some((_, what)) = refused.iter().find(|(is_asked, _)| *is_asked) {
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("DROP INDEX CONCURRENTLY does not support {what}"),
                ));
            }
            self.check_outside_block("DROP INDEX CONCURRENTLY")?;
        }
        for name in &drop.names {
            let env = self.statement_env()?;
            let wanted = object_name(&name.name)?;
            let found = env
                .catalog
                .find_index(&wanted, &env.path)
                .map(|(table, index)| (Arc::clone(table), Arc::clone(index)));
            let Some((table, index)) = found else {
                if let Some(other) = env.catalog.find(&wanted, &env.path)? {
                    return Err(Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("\"{}\" is not an index", other.name),
                    ));
                }
                if drop.if_exists {
                    self.skip_missing(&format!("index \"{wanted}\""));
                    continue;
                }
                return Err(Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("index \"{wanted}\" does not exist"),
                ));
            };
            let table = self.lock_and_refresh(&table, TableLock::AccessExclusive)?;
            if let Some(constraint) = table.constraint_of_index(index.oid) {
                return Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!(
                        "cannot drop index {} because constraint {} on table {} requires it",
                        index.name, constraint.name, table.name
                    ),
                )
                .hint(format!(
                    "You can drop constraint {} on table {} instead.",
                    constraint.name, table.name
                )));
            }
            let resting = self.catalog.references_on_index(table.oid, index.oid);
            if !resting.is_empty() && !drop.cascade {
                let lines: Vec<String> = resting
                    .iter()
                    .map(|constraint| {
                        format!("constraint {} depends on index {}", constraint.name, index.name)
                    })
                    .collect();
                return Err(dependents_error(&format!("index {}", index.name), &lines));
            }
            for constraint in resting {
                self.lock(constraint.table, TableLock::AccessExclusive)?;
                self.change(|catalog, txn| {
                    catalog.drop_constraint(txn, constraint.table, constraint.oid)
                })?;
            }
            self.change(|catalog, txn| catalog.drop_index(txn, index.oid))?;
        }
        Ok(())
    }

    fn drop_schemas(&mut self, drop: &ast::Drop) -> Result<()> {
        for name in &drop.names {
            let schema_name = name.name.base().as_str();
            let Some(schema) = self.catalog.snapshot().schema_by_name(schema_name).cloned() else {
                if drop.if_exists {
                    self.skip_missing(&format!("schema \"{schema_name}\""));
                    continue;
                }
                return Err(Error::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    format!("schema \"{schema_name}\" does not exist"),
                ));
            };
            if drop.cascade {
                let inside: Vec<Arc<Relation>> = self
                    .catalog
                    .snapshot()
                    .user_relations()
                    .into_iter()
                    .filter(|relation| relation.schema == schema.oid)
                    .cloned()
                    .collect();
                let lines: Vec<String> = inside
                    .iter()
                    .map(|relation| {
                        let shown = self.catalog.qualified(relation);
                        format!(
                            "{} {shown} depends on schema {schema_name}",
                            kind_name(relation.kind)
                        )
                    })
                    .collect();
                self.notice_cascade(&lines);
                for relation in inside {
                    // Dropping one may have dropped others.
                    if let Some(relation) = self.catalog.snapshot().relation(relation.oid).cloned()
                    {
                        self.lock(relation.oid, TableLock::AccessExclusive)?;
                        self.drop_together(&[relation], true)?;
                    }
                }
            }
            self.change(|catalog, txn| catalog.drop_schema(txn, schema.oid))?;
        }
        Ok(())
    }

    fn drop_roles(&mut self, drop: &ast::Drop) -> Result<()> {
        for name in &drop.names {
            let role_name = name.name.base().as_str();
            let Some(role) = self.catalog.snapshot().role_by_name(role_name).cloned() else {
                if drop.if_exists {
                    self.skip_missing(&format!("role \"{role_name}\""));
                    continue;
                }
                return Err(Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("role \"{role_name}\" does not exist"),
                ));
            };
            if role.oid == self.state.user.0 {
                return Err(Error::new(SqlState::OBJECT_IN_USE, "current user cannot be dropped"));
            }
            let owns = self
                .catalog
                .snapshot()
                .user_relations()
                .iter()
                .any(|relation| relation.owner == role.oid);
            if owns {
                return Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!(
                        "role \"{role_name}\" cannot be dropped because some objects depend on it"
                    ),
                ));
            }
            self.change(|catalog, txn| catalog.drop_role(txn, role.oid))?;
        }
        Ok(())
    }

    pub(crate) fn truncate(&mut self, truncate: &ast::Truncate) -> Result<String> {
        let mut tables: Vec<Arc<Relation>> = vec![];
        for (name, _) in &truncate.tables {
            let table = self.owned_table(name)?;
            self.check_no_deferred("TRUNCATE", &table)?;
            if !tables.iter().any(|known| known.oid == table.oid) {
                tables.push(table);
            }
        }
        // Tables that refer to the list must be in it, or are taken along.
        let mut at = 0;
        while at < tables.len() {
            for constraint in &Arc::clone(&tables[at]).referenced_by {
                if tables.iter().any(|known| known.oid == constraint.table) {
                    continue;
                }
                let Some(other) = self.catalog.snapshot().relation(constraint.table).cloned()
                else {
                    continue;
                };
                if !truncate.cascade {
                    return Err(Error::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "cannot truncate a table referenced in a foreign key constraint",
                    )
                    .detail(format!("Table \"{}\" references \"{}\".", other.name, tables[at].name))
                    .hint(format!(
                        "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                        other.name
                    )));
                }
                self.notice(
                    Level::Notice,
                    Error::new(
                        SqlState::SUCCESSFUL_COMPLETION,
                        format!("truncate cascades to table \"{}\"", other.name),
                    ),
                );
                tables.push(self.lock_and_refresh(&other, TableLock::AccessExclusive)?);
            }
            at += 1;
        }
        for table in &tables {
            self.change(|_, txn| txn.truncate(table.rel))?;
            if truncate.restart_identity {
                for sequence in table.columns.iter().filter_map(|column| column.sequence) {
                    let Some(relation) = self.catalog.snapshot().relation(sequence).cloned() else {
                        continue;
                    };
                    let start = relation.sequence.as_ref().map_or(1, |sequence| sequence.start);
                    let state = damask_txn::SequenceState { last_value: start, is_called: false };
                    self.database.shared.catalog.engine().sequence_set(relation.rel, state)?;
                }
            }
        }
        Ok("TRUNCATE TABLE".to_owned())
    }
}

/// Whether a dependency's line speaks of this relation as the one that depends.
fn is_about(line: &str, relation: &Relation) -> bool {
    let object = line.split(" depends on ").next().unwrap_or(line);
    object == format!("view {}", relation.name)
        || object.ends_with(&format!(" on table {}", relation.name))
}
