//! Foreign keys: what a statement did to referencing and referenced rows, looked at when it is done.
//!
//! A new or changed referencing row needs its referenced row, which is locked FOR KEY SHARE so that it stays. A deleted or changed
//! referenced row asks for its referencing rows: they forbid it, or are changed with it, which may go on from table to table.
//!
//! The checks read under a view taken after the statement's changes, so rows of one table may refer to each other.
//!
//! At REPEATABLE READ the two sides differ, as in PostgreSQL. A referenced row must be in the transaction's snapshot: one that came
//! later is not there, one that went later is 40001. Referencing rows are looked for among what is committed now, or a row that
//! another transaction added meanwhile would be left without its referenced row. Such a row forbids the change (23503), and cannot be
//! changed with it (40001), for the snapshot does not see it.

mod rows;

use super::deferred::is_deferred;
use crate::context::State;
use damask_catalog::object::{Constraint, ConstraintKind, ForeignKeyAction, Relation};
use damask_txn::Deferred;
use damask_types::compare::not_distinct;
use damask_types::format::{FormatSettings, to_text};
use damask_types::{Batch, ColumnIndex, Error, Oid, Result, SqlState, Value};
use hashbrown::HashSet;
use rows::{
    converted, default_values, delete_rows, find_row, lock_referenced, referencing_rows,
    rows_with_key, update_rows,
};
use std::sync::Arc;

/// How far ON DELETE CASCADE and its kin go from table to table.
const CASCADE_DEPTH_MAX: usize = 256;

/// The old state of a row in a batch.
pub(crate) struct Old<'a> {
    pub(crate) columns: &'a [(ColumnIndex, usize)],
    pub(crate) batch: &'a Batch,
    pub(crate) row: usize,
}

impl Old<'_> {
    fn value(&self, column: ColumnIndex) -> Value {
        match self.columns.iter().find(|(candidate, _)| *candidate == column) {
            Some((_, position)) => self.batch.columns[*position].value(self.row),
            None => Value::Null,
        }
    }
}

/// What a statement did to one table.
pub(crate) struct ForeignKeys {
    relation: Arc<Relation>,
    /// Constraints of the table that a new row must meet, with the keys to look for.
    outgoing: Vec<(Arc<Constraint>, Vec<Vec<Value>>)>,
    /// Constraints that refer to the table, with the keys that went away and what they became.
    incoming: Vec<(Arc<Constraint>, Vec<Removed>)>,
    depth: usize,
}

/// A referenced key that is no more.
struct Removed {
    old: Vec<Value>,
    /// The key after an update; none after a delete.
    new: Option<Vec<Value>>,
}

impl Removed {
    /// Whether referencing rows forbid it and are not changed with it: only such checks can be put off.
    fn is_only_forbidden(&self, constraint: &Constraint) -> bool {
        parts(constraint).is_some_and(|parts| {
            let action = if self.new.is_some() { parts.on_update } else { parts.on_delete };
            action == ForeignKeyAction::NoAction
        })
    }
}

/// Makes a check that was put off; `table` is the referencing one.
///
/// # Errors
/// 23503.
pub(crate) fn check_later(
    table: &Arc<Relation>,
    constraint: &Arc<Constraint>,
    work: Deferred,
    state: &mut State<'_>,
) -> Result<()> {
    let Some(parts) = parts(constraint) else { return Ok(()) };
    let of = |relation: &Arc<Relation>| ForeignKeys {
        relation: Arc::clone(relation),
        outgoing: vec![],
        incoming: vec![],
        depth: 0,
    };
    match work {
        Deferred::Unique { .. } => Ok(()),
        Deferred::Referencing { key, .. } => {
            let required = of(table).require(constraint, std::slice::from_ref(&key), state);
            let Err(error) = required else { return Ok(()) };
            if error.sqlstate() != SqlState::FOREIGN_KEY_VIOLATION {
                return Err(error);
            }
            // The row may be gone again, or have another key.
            let view = state.txn.view()?;
            let rows = rows_with_key(table, parts.columns, &key, &view, state)?;
            if rows.is_empty() { Ok(()) } else { Err(error) }
        }
        Deferred::Referenced { key, new, .. } => {
            let catalog = Arc::clone(&state.ctx.catalog);
            let target = relation(&catalog, parts.target)?;
            of(target).follow(constraint, &[&Removed { old: key, new }], state)
        }
    }
}

/// The parts of a foreign key.
struct Parts<'a> {
    columns: &'a [ColumnIndex],
    target: Oid,
    target_columns: &'a [ColumnIndex],
    target_index: Oid,
    on_update: ForeignKeyAction,
    on_delete: ForeignKeyAction,
    match_full: bool,
}

fn parts(constraint: &Constraint) -> Option<Parts<'_>> {
    match &constraint.kind {
        ConstraintKind::ForeignKey {
            columns,
            target,
            target_columns,
            target_index,
            on_update,
            on_delete,
            match_full,
        } => Some(Parts {
            columns,
            target: *target,
            target_columns,
            target_index: *target_index,
            on_update: *on_update,
            on_delete: *on_delete,
            match_full: *match_full,
        }),
        _ => None,
    }
}

impl ForeignKeys {
    /// Of a table; with `changed`, only the constraints that an update of these columns concerns.
    pub(crate) fn new(relation: &Arc<Relation>, changed: Option<&[ColumnIndex]>) -> Self {
        let concerns = |columns: &[ColumnIndex]| {
            changed.is_none_or(|changed| columns.iter().any(|column| changed.contains(column)))
        };
        let outgoing = relation
            .constraints
            .iter()
            .filter(|constraint| parts(constraint).is_some_and(|parts| concerns(parts.columns)))
            .map(|constraint| (Arc::clone(constraint), vec![]));
        let incoming = relation
            .referenced_by
            .iter()
            .filter(|constraint| {
                parts(constraint).is_some_and(|parts| concerns(parts.target_columns))
            })
            .map(|constraint| (Arc::clone(constraint), vec![]));
        Self {
            relation: Arc::clone(relation),
            outgoing: outgoing.collect(),
            incoming: incoming.collect(),
            depth: 0,
        }
    }

    /// Takes out what can be checked though more rows come: all but references of the table to itself, which may be to those.
    pub(crate) fn take_others(&mut self) -> Self {
        let own = self.relation.oid;
        let is_other = |constraint: &Constraint| parts(constraint).is_some_and(|p| p.target != own);
        let others = self.outgoing.iter_mut().filter(|(constraint, _)| is_other(constraint));
        let taken = others.map(|(constraint, keys)| (Arc::clone(constraint), std::mem::take(keys)));
        let outgoing = taken.collect();
        Self { relation: Arc::clone(&self.relation), outgoing, incoming: vec![], depth: self.depth }
    }

    /// Whether a new row needs others.
    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether nothing of the table's constraints is concerned.
    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_empty()
    }

    /// A row was inserted.
    pub(crate) fn note_new(&mut self, row: &[Value]) {
        for (constraint, keys) in &mut self.outgoing {
            let columns = constraint.kind.columns();
            keys.push(columns.iter().map(|column| row[usize::from(column.0)].clone()).collect());
        }
    }

    /// A row was deleted.
    pub(crate) fn note_deleted(&mut self, old: Old<'_>) {
        for (constraint, removed) in &mut self.incoming {
            if let Some(parts) = parts(constraint) {
                let key = parts.target_columns.iter().map(|&column| old.value(column)).collect();
                removed.push(Removed { old: key, new: None });
            }
        }
    }

    /// A row was updated.
    pub(crate) fn note_change(
        &mut self,
        columns: &[(ColumnIndex, usize)],
        batch: &Batch,
        row: usize,
        changes: &[(ColumnIndex, Value)],
    ) {
        if self.outgoing.is_empty() && self.incoming.is_empty() {
            return;
        }
        let old = Old { columns, batch, row };
        let new = |column: ColumnIndex| match changes.iter().find(|(changed, _)| *changed == column)
        {
            Some((_, value)) => value.clone(),
            None => old.value(column),
        };
        let differs = |key: &[ColumnIndex]| {
            key.iter().any(|&column| {
                let ty = self.relation.columns[usize::from(column.0)].ty.id;
                !not_distinct(ty, &old.value(column), &new(column))
            })
        };
        for (constraint, keys) in &mut self.outgoing {
            let columns = constraint.kind.columns();
            if differs(columns) {
                keys.push(columns.iter().map(|&column| new(column)).collect());
            }
        }
        for (constraint, removed) in &mut self.incoming {
            if let Some(parts) = parts(constraint).filter(|parts| differs(parts.target_columns)) {
                removed.push(Removed {
                    old: parts.target_columns.iter().map(|&column| old.value(column)).collect(),
                    new: Some(parts.target_columns.iter().map(|&column| new(column)).collect()),
                });
            }
        }
    }

    /// Looks at everything noted.
    ///
    /// # Errors
    /// 23503 for a missing referenced row or a row still referenced.
    pub(crate) fn finish(self, state: &mut State<'_>) -> Result<()> {
        let is_idle = self.outgoing.iter().all(|(_, keys)| keys.is_empty())
            && self.incoming.iter().all(|(_, removed)| removed.is_empty());
        if is_idle {
            return Ok(());
        }
        if self.depth > CASCADE_DEPTH_MAX {
            return Err(Error::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                format!("referential actions go on over more than {CASCADE_DEPTH_MAX} tables"),
            ));
        }
        state.txn.begin_statement()?;
        for (constraint, removed) in &self.incoming {
            let is_put_off = is_deferred(state.txn, constraint);
            let (later, now): (Vec<&Removed>, Vec<&Removed>) = removed
                .iter()
                .partition(|removed| is_put_off && removed.is_only_forbidden(constraint));
            for Removed { old, new } in later {
                let (key, new) = (old.clone(), new.clone());
                state.txn.defer(Deferred::Referenced { constraint: constraint.oid, key, new });
            }
            if !now.is_empty() {
                self.follow(constraint, &now, state)?;
            }
        }
        for (constraint, keys) in &self.outgoing {
            if is_deferred(state.txn, constraint) {
                for key in keys {
                    let (constraint, key) = (constraint.oid, key.clone());
                    state.txn.defer(Deferred::Referencing { constraint, key });
                }
            } else {
                self.require(constraint, keys, state)?;
            }
        }
        Ok(())
    }

    /// Every key has its referenced row.
    fn require(
        &self,
        constraint: &Constraint,
        keys: &[Vec<Value>],
        state: &mut State<'_>,
    ) -> Result<()> {
        let Some(parts) = parts(constraint) else { return Ok(()) };
        let catalog = Arc::clone(&state.ctx.catalog);
        let target = relation(&catalog, parts.target)?;
        let (_, index) = catalog
            .index(parts.target_index)
            .ok_or_else(|| Error::internal("a foreign key's index is not in the catalog"))?;
        let table = state.ctx.engine.table(target.rel)?;
        let mut seen = HashSet::new();
        for key in keys {
            let nulls = key.iter().filter(|value| value.is_null()).count();
            if nulls > 0 {
                if parts.match_full && nulls < key.len() {
                    return Err(self.violation(constraint, state).detail(
                        "MATCH FULL does not allow mixing of null and nonnull key values.",
                    ));
                }
                continue;
            }
            let text = key_text(&self.relation, parts.columns, key);
            if !seen.insert(text.clone()) {
                continue;
            }
            state.check()?;
            let Some(wanted) =
                converted(&self.relation, parts.columns, target, parts.target_columns, key)
            else {
                return Err(self.missing(constraint, target, &text, state));
            };
            if !lock_referenced(&table, index, parts.target_columns, &wanted, state)? {
                return Err(self.missing(constraint, target, &text, state));
            }
        }
        Ok(())
    }

    fn violation(&self, constraint: &Constraint, state: &State<'_>) -> Error {
        let schema = state.ctx.catalog.schema_name(self.relation.schema);
        Error::new(
            SqlState::FOREIGN_KEY_VIOLATION,
            format!(
                "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                self.relation.name, constraint.name
            ),
        )
        .table(schema, self.relation.name.as_str())
        .constraint(constraint.name.as_str())
    }

    fn missing(
        &self,
        constraint: &Constraint,
        target: &Relation,
        key: &str,
        state: &State<'_>,
    ) -> Error {
        self.violation(constraint, state)
            .detail(format!("Key {key} is not present in table \"{}\".", target.name))
    }

    /// What becomes of the rows that referred to the keys that went away.
    fn follow(
        &self,
        constraint: &Constraint,
        removed: &[&Removed],
        state: &mut State<'_>,
    ) -> Result<()> {
        let Some(parts) = parts(constraint) else { return Ok(()) };
        let catalog = Arc::clone(&state.ctx.catalog);
        let child = relation(&catalog, constraint.table)?;
        for key in removed {
            state.check()?;
            if key.old.iter().any(Value::is_null) {
                continue;
            }
            let action = if key.new.is_some() { parts.on_update } else { parts.on_delete };
            let Some(wanted) =
                converted(&self.relation, parts.target_columns, child, parts.columns, &key.old)
            else {
                continue;
            };
            // The key may be there again, by another row or a later change of the same statement.
            if matches!(action, ForeignKeyAction::NoAction)
                && self.is_present(&parts, &key.old, state)?
            {
                continue;
            }
            loop {
                state.check()?;
                let mut rows = referencing_rows(child, parts.columns, &wanted, state)?;
                if rows.rows.is_empty() {
                    break;
                }
                match action {
                    ForeignKeyAction::NoAction | ForeignKeyAction::Restrict => {
                        if rows.lock_one(state)? {
                            return Err(
                                self.still_referenced(constraint, child, &parts, &key.old, state)
                            );
                        }
                    }
                    ForeignKeyAction::Cascade => match &key.new {
                        None => delete_rows(&mut rows, self.depth + 1, state)?,
                        Some(new) => {
                            let new = converted(
                                &self.relation,
                                parts.target_columns,
                                child,
                                parts.columns,
                                new,
                            )
                            .unwrap_or_else(|| vec![Value::Null; parts.columns.len()]);
                            update_rows(&mut rows, &new, self.depth + 1, state)?;
                        }
                    },
                    ForeignKeyAction::SetNull => {
                        let nulls = vec![Value::Null; parts.columns.len()];
                        update_rows(&mut rows, &nulls, self.depth + 1, state)?;
                    }
                    ForeignKeyAction::SetDefault => {
                        let defaults = default_values(child, parts.columns)?;
                        update_rows(&mut rows, &defaults, self.depth + 1, state)?;
                        // The default may be the very key that goes.
                        let left = referencing_rows(child, parts.columns, &wanted, state)?;
                        if !left.rows.is_empty() && !self.is_present(&parts, &key.old, state)? {
                            return Err(
                                self.still_referenced(constraint, child, &parts, &key.old, state)
                            );
                        }
                    }
                }
                if !rows.has_lost {
                    break;
                }
                // It may have moved to another row id, key and all: look again, past our own changes.
                state.txn.advance_command()?;
            }
        }
        Ok(())
    }

    fn is_present(&self, parts: &Parts<'_>, key: &[Value], state: &State<'_>) -> Result<bool> {
        let Some((_, index)) = state.ctx.catalog.index(parts.target_index) else {
            return Ok(false);
        };
        let table = state.ctx.engine.table(self.relation.rel)?;
        let view = state.txn.latest_view()?;
        Ok(find_row(&table, index, parts.target_columns, key, &view)?.is_some())
    }

    fn still_referenced(
        &self,
        constraint: &Constraint,
        child: &Relation,
        parts: &Parts<'_>,
        key: &[Value],
        state: &State<'_>,
    ) -> Error {
        let schema = state.ctx.catalog.schema_name(child.schema);
        Error::new(
            SqlState::FOREIGN_KEY_VIOLATION,
            format!(
                "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
                self.relation.name, constraint.name, child.name
            ),
        )
        .detail(format!(
            "Key {} is still referenced from table \"{}\".",
            key_text(&self.relation, parts.target_columns, key),
            child.name
        ))
        .table(schema, child.name.as_str())
        .constraint(constraint.name.as_str())
    }
}

fn relation(catalog: &damask_catalog::CatalogSnapshot, oid: Oid) -> Result<&Arc<Relation>> {
    catalog
        .relation(oid)
        .ok_or_else(|| Error::internal("a foreign key's table is not in the catalog"))
}

/// `(a, b)=(1, 2)`.
fn key_text(relation: &Relation, columns: &[ColumnIndex], key: &[Value]) -> String {
    let settings = FormatSettings::default();
    let names: Vec<&str> = columns
        .iter()
        .map(|column| relation.columns[usize::from(column.0)].name.as_str())
        .collect();
    let values: Vec<String> = columns
        .iter()
        .zip(key)
        .map(|(column, value)| {
            if value.is_null() {
                return "null".to_owned();
            }
            to_text(relation.columns[usize::from(column.0)].ty.id, value, &settings)
        })
        .collect();
    format!("({})=({})", names.join(", "), values.join(", "))
}
