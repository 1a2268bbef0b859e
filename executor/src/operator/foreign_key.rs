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

use crate::context::State;
use damask_catalog::object::{Constraint, ConstraintKind, ForeignKeyAction, Index, Relation};
use damask_txn::{
    Direction, KeyRange, LockOutcome, ReadView, RowLock, ScanSpec, Table, Wait, WriteOutcome,
};
use damask_types::compare::not_distinct;
use damask_types::format::{FormatSettings, parse_text, to_text};
use damask_types::{
    Batch, ColumnIndex, Error, Oid, RelId, Result, RowId, SqlState, SqlType, TypeId, Value,
};
use hashbrown::HashSet;
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
            if !removed.is_empty() {
                self.follow(constraint, removed, state)?;
            }
        }
        for (constraint, keys) in &self.outgoing {
            self.require(constraint, keys, state)?;
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
        removed: &[Removed],
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

/// A key in the types of the columns on the other side; `None` if it cannot exist there.
fn converted(
    from: &Relation,
    from_columns: &[ColumnIndex],
    to: &Relation,
    to_columns: &[ColumnIndex],
    key: &[Value],
) -> Option<Vec<Value>> {
    let ty = |relation: &Relation, column: &ColumnIndex| relation.columns[usize::from(column.0)].ty;
    key.iter()
        .zip(from_columns.iter().zip(to_columns))
        .map(|(value, (from_column, to_column))| {
            convert(value, ty(from, from_column), ty(to, to_column))
        })
        .collect()
}

fn convert(value: &Value, from: SqlType, to: SqlType) -> Option<Value> {
    if value.is_null() || from.id == to.id {
        return Some(value.clone());
    }
    if let Some(number) = value.as_i64() {
        match to.id {
            TypeId::Int2 => return i16::try_from(number).ok().map(Value::Int2),
            TypeId::Int4 => return i32::try_from(number).ok().map(Value::Int4),
            TypeId::Int8 => return Some(Value::Int8(number)),
            _ => {}
        }
    }
    let settings = FormatSettings::default();
    let text = to_text(from.id, value, &settings);
    parse_text(SqlType::plain(to.id), &text, &settings, 0).ok()
}

/// The row that has a key in a unique index.
fn find_row(
    table: &Table,
    index: &Index,
    columns: &[ColumnIndex],
    key: &[Value],
    view: &ReadView,
) -> Result<Option<RowId>> {
    if index.rel == RelId(0) {
        let Some(number) = key.first().and_then(Value::as_i64) else {
            return Ok(None);
        };
        let row = Table::alias_row(number);
        return Ok(table.get(view, row, &[])?.map(|_| row));
    }
    let ordered = in_index_order(index, columns, key);
    Ok(table.index_get(view, index.rel, &ordered, &[])?.map(|(row, _)| row))
}

/// A key's values in the order of the index's columns.
fn in_index_order(index: &Index, columns: &[ColumnIndex], key: &[Value]) -> Vec<Value> {
    index
        .keys
        .iter()
        .filter_map(|part| columns.iter().position(|column| Some(*column) == part.column()))
        .map(|i| key[i].clone())
        .collect()
}

/// Finds a referenced row and locks it; `false` if there is none.
fn lock_referenced(
    table: &Table,
    index: &Index,
    columns: &[ColumnIndex],
    key: &[Value],
    state: &mut State<'_>,
) -> Result<bool> {
    loop {
        state.check()?;
        let view = state.txn.view()?;
        // A row that is found and locked stays. That there is none may change, and the statement's error tells it.
        let Some(row) = find_row(table, index, columns, key, &view.clone().untracked())? else {
            find_row(table, index, columns, key, &view)?;
            return Ok(false);
        };
        match table.lock_row(state.txn, row, RowLock::KeyShare, Wait::Wait)? {
            LockOutcome::Locked | LockOutcome::SelfModified => return Ok(true),
            LockOutcome::Skipped => return Ok(false),
            // Another transaction changed the row, or another row has its key now: look again with a view that sees it.
            LockOutcome::Changed(_) | LockOutcome::Gone => state.txn.begin_statement()?,
        }
    }
}

/// Rows that refer to a key.
struct Referencing<'a> {
    child: &'a Arc<Relation>,
    columns: &'a [ColumnIndex],
    key: &'a [Value],
    /// What was committed when they were looked for.
    view: ReadView,
    rows: Vec<RowId>,
    /// Whether one of them was gone when its turn came.
    has_lost: bool,
}

impl Referencing<'_> {
    /// Locks one of the rows, so that it stays; `false` if none of them refers to the key any more.
    fn lock_one(&mut self, state: &mut State<'_>) -> Result<bool> {
        let table = state.ctx.engine.table(self.child.rel)?;
        for &row in &self.rows {
            state.check()?;
            match table.lock_row_of(state.txn, &self.view, row, RowLock::KeyShare, Wait::Wait)? {
                LockOutcome::Locked | LockOutcome::SelfModified => return Ok(true),
                LockOutcome::Changed(now) if self.is_newest(&table, now, state)? => {
                    return Ok(true);
                }
                LockOutcome::Gone => self.has_lost = true,
                LockOutcome::Changed(_) | LockOutcome::Skipped => {}
            }
        }
        Ok(false)
    }

    /// Whether the newest version of a row that we have locked still has the key.
    fn is_newest(&self, table: &Table, row: RowId, state: &State<'_>) -> Result<bool> {
        let newest = table.latest(state.txn, row, self.columns)?;
        Ok(newest.is_some_and(|values| {
            let ty = |column: &ColumnIndex| self.child.columns[usize::from(column.0)].ty.id;
            self.columns
                .iter()
                .zip(values.iter().zip(self.key))
                .all(|(column, (value, wanted))| not_distinct(ty(column), value, wanted))
        }))
    }
}

/// The rows of a table that have this key, without nulls, in these columns: of what is committed now, and our own.
fn referencing_rows<'a>(
    child: &'a Arc<Relation>,
    columns: &'a [ColumnIndex],
    key: &'a [Value],
    state: &State<'_>,
) -> Result<Referencing<'a>> {
    let view = state.txn.latest_view()?;
    let rows = rows_with_key(child, columns, key, &view, state)?;
    Ok(Referencing { child, columns, key, view, rows, has_lost: false })
}

fn rows_with_key(
    child: &Relation,
    columns: &[ColumnIndex],
    key: &[Value],
    view: &ReadView,
    state: &State<'_>,
) -> Result<Vec<RowId>> {
    let table = state.ctx.engine.table(child.rel)?;
    let leads = |index: &&Arc<Index>| {
        index.predicate.is_none()
            && index.keys.len() >= columns.len()
            && index.keys[..columns.len()]
                .iter()
                .all(|part| part.column().is_some_and(|column| columns.contains(&column)))
    };
    let mut found = vec![];
    if let Some(index) = child.indexes.iter().find(leads) {
        if index.rel == RelId(0) {
            let row = key.first().and_then(Value::as_i64).map(Table::alias_row);
            if let Some(row) = row
                && table.get(view, row, &[])?.is_some()
            {
                found.push(row);
            }
            return Ok(found);
        }
        let prefix = in_index_order(index, columns, key);
        let mut scan = table.index_scan(
            view,
            index.rel,
            KeyRange::prefix(prefix),
            Direction::Forward,
            vec![],
        )?;
        while let Some((batch, rows)) = scan.next()? {
            state.check()?;
            found.extend(batch.active().iter().map(|row| rows[row]));
        }
        return Ok(found);
    }
    let mut scan = table.scan(view, ScanSpec::new(columns.to_vec()).with_row_ids())?;
    while let Some((batch, rows)) = scan.next()? {
        state.check()?;
        for row in batch.active().iter() {
            let matches = batch.columns.iter().zip(key).all(|(column, wanted)| {
                !column.is_null(row) && not_distinct(column.ty, &column.value(row), wanted)
            });
            if matches {
                found.push(rows[row]);
            }
        }
    }
    Ok(found)
}

/// Live columns of a table in one batch of one row.
fn row_batch(relation: &Relation, values: &[Value]) -> (Vec<(ColumnIndex, usize)>, Batch) {
    let columns: Vec<(ColumnIndex, usize)> =
        relation.live_columns().enumerate().map(|(i, (column, _))| (column, i)).collect();
    let vectors = columns
        .iter()
        .zip(values)
        .map(|((column, _), value)| {
            let ty = relation.columns[usize::from(column.0)].ty.id;
            damask_types::Vector::constant(ty, value, 1)
        })
        .collect();
    (columns, Batch::new(vectors, 1))
}

fn live(relation: &Relation) -> Vec<ColumnIndex> {
    relation.live_columns().map(|(column, _)| column).collect()
}

/// ON DELETE CASCADE.
fn delete_rows(found: &mut Referencing<'_>, depth: usize, state: &mut State<'_>) -> Result<()> {
    let child = found.child;
    let table = state.ctx.engine.table(child.rel)?;
    let mut foreign = ForeignKeys::new(child, None);
    foreign.depth = depth;
    for &row in &found.rows {
        state.check()?;
        let mut values = table.latest(state.txn, row, &live(child))?;
        let mut outcome = table.delete(state.txn, row)?;
        if let WriteOutcome::Changed(now) = outcome
            && found.is_newest(&table, now, state)?
        {
            values = table.latest(state.txn, now, &live(child))?;
            outcome = table.delete_latest(state.txn, now)?;
        }
        found.has_lost |= outcome == WriteOutcome::Gone;
        if let (WriteOutcome::Done, Some(values)) = (outcome, values) {
            let (columns, batch) = row_batch(child, &values);
            foreign.note_deleted(Old { columns: &columns, batch: &batch, row: 0 });
        }
    }
    foreign.finish(state)
}

/// ON UPDATE CASCADE, SET NULL and SET DEFAULT.
fn update_rows(
    found: &mut Referencing<'_>,
    values: &[Value],
    depth: usize,
    state: &mut State<'_>,
) -> Result<()> {
    let (child, columns) = (found.child, found.columns);
    let table = state.ctx.engine.table(child.rel)?;
    let changes: Vec<(ColumnIndex, Value)> =
        columns.iter().copied().zip(values.iter().cloned()).collect();
    for (column, value) in &changes {
        let definition = &child.columns[usize::from(column.0)];
        if definition.not_null && value.is_null() {
            return Err(Error::new(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    definition.name, child.name
                ),
            )
            .table(state.ctx.catalog.schema_name(child.schema), child.name.as_str())
            .column(definition.name.as_str()));
        }
    }
    let mut foreign = ForeignKeys::new(child, Some(columns));
    foreign.depth = depth;
    for &row in &found.rows {
        state.check()?;
        let mut old = table.latest(state.txn, row, &live(child))?;
        let mut outcome = table
            .update(state.txn, row, &changes)
            .map_err(|error| super::modify::of_table(error, child, &state.ctx.catalog))?;
        if let WriteOutcome::Changed(now) = outcome
            && found.is_newest(&table, now, state)?
        {
            old = table.latest(state.txn, now, &live(child))?;
            outcome = table.update_latest(state.txn, now, &changes)?;
        }
        found.has_lost |= outcome == WriteOutcome::Gone;
        if let (WriteOutcome::Done, Some(old)) = (outcome, old) {
            let (places, batch) = row_batch(child, &old);
            foreign.note_change(&places, &batch, 0, &changes);
        }
    }
    foreign.finish(state)
}

/// The constant defaults of columns, for SET DEFAULT.
///
/// # Errors
/// 0A000 for a default that is not a plain literal.
fn default_values(relation: &Relation, columns: &[ColumnIndex]) -> Result<Vec<Value>> {
    columns
        .iter()
        .map(|column| {
            let column = &relation.columns[usize::from(column.0)];
            let Some(text) = &column.default else {
                return Ok(Value::Null);
            };
            let literal = text.split("::").next().unwrap_or(text).trim();
            let literal = literal
                .strip_prefix('\'')
                .and_then(|rest| rest.strip_suffix('\''))
                .unwrap_or(literal);
            if literal.eq_ignore_ascii_case("null") {
                return Ok(Value::Null);
            }
            parse_text(column.ty, literal, &FormatSettings::default(), 0).map_err(|_| {
                Error::unsupported(
                    "ON DELETE or UPDATE SET DEFAULT with a default that is not a constant",
                )
            })
        })
        .collect()
}
