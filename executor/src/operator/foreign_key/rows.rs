//! The rows on both sides of a foreign key: found by their keys, locked, and changed along.

use super::{ForeignKeys, Old};
use crate::context::State;
use damask_catalog::object::{Index, IndexMethod, Relation};
use damask_txn::{
    Direction, KeyRange, LockOutcome, ReadView, RowLock, ScanSpec, Table, Wait, WriteOutcome,
};
use damask_types::compare::not_distinct;
use damask_types::format::{FormatSettings, parse_text, to_text};
use damask_types::{
    Batch, ColumnIndex, Error, RelId, Result, RowId, SqlState, SqlType, TypeId, Value,
};
use std::sync::Arc;

/// A key in the types of the columns on the other side; `None` if it cannot exist there.
pub(super) fn converted(
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
pub(super) fn find_row(
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
pub(super) fn lock_referenced(
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
pub(super) struct Referencing<'a> {
    child: &'a Arc<Relation>,
    columns: &'a [ColumnIndex],
    key: &'a [Value],
    /// What was committed when they were looked for.
    view: ReadView,
    pub(super) rows: Vec<RowId>,
    /// Whether one of them was gone when its turn came.
    pub(super) has_lost: bool,
}

impl Referencing<'_> {
    /// Locks one of the rows, so that it stays; `false` if none of them refers to the key any more.
    pub(super) fn lock_one(&mut self, state: &mut State<'_>) -> Result<bool> {
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

/// The rows of a table that have this key in these columns: of what is committed now, and our own.
pub(super) fn referencing_rows<'a>(
    child: &'a Arc<Relation>,
    columns: &'a [ColumnIndex],
    key: &'a [Value],
    state: &State<'_>,
) -> Result<Referencing<'a>> {
    let view = state.txn.latest_view()?;
    let rows = rows_with_key(child, columns, key, &view, state)?;
    Ok(Referencing { child, columns, key, view, rows, has_lost: false })
}

pub(super) fn rows_with_key(
    child: &Relation,
    columns: &[ColumnIndex],
    key: &[Value],
    view: &ReadView,
    state: &State<'_>,
) -> Result<Vec<RowId>> {
    let table = state.ctx.engine.table(child.rel)?;
    let leads = |index: &&Arc<Index>| {
        index.valid
            && index.predicate.is_none()
            && (index.method == IndexMethod::Btree || key.iter().all(|value| !value.is_null()))
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
                column.is_null(row) == wanted.is_null()
                    && not_distinct(column.ty, &column.value(row), wanted)
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
pub(super) fn delete_rows(
    found: &mut Referencing<'_>,
    depth: usize,
    state: &mut State<'_>,
) -> Result<()> {
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
pub(super) fn update_rows(
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
            .map_err(|error| crate::operator::modify::of_table(error, child, &state.ctx.catalog))?;
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
pub(super) fn default_values(relation: &Relation, columns: &[ColumnIndex]) -> Result<Vec<Value>> {
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
