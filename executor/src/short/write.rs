//! INSERT, UPDATE and DELETE of one row.
//!
//! The order of steps is that of [`crate::operator::modify`]: values, NOT NULL, the change, RETURNING.

use super::find::Access;
use super::scalar::{Given, Scalar, Stages, all, values_of};
use super::{Give, Places, ROWS_MAX, ShortContext, column_of};
use crate::operator::foreign_key::ForeignKeys;
use crate::operator::modify::{null_violation, of_table};
use damask_catalog::object::Relation;
use damask_planner::expr::ColumnId;
use damask_planner::physical::{self, Operator, Plan, RowChecks};
use damask_txn::{NewRows, Table, Txn, WriteOutcome};
use damask_types::compare::compare;
use damask_types::{ColumnIndex, RelId, Result, RowId, TILE_ROWS, Value};
use smallvec::SmallVec;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Gives what `exprs` make of a row.
pub(super) fn give_row(
    exprs: &[Scalar],
    row: &[Value],
    given: Given<'_>,
    give: &mut Give<'_>,
) -> Result<()> {
    give(&values_of(exprs, row, given)?)
}

/// Whether a changed row has nothing to pass but NOT NULL.
fn is_free(relation: &Arc<Relation>, checks: &RowChecks, changed: Option<&[ColumnIndex]>) -> bool {
    checks.checks.is_empty() && ForeignKeys::new(relation, changed).is_empty()
}

/// INSERT of rows of expressions.
#[derive(Debug)]
pub(super) struct Insert {
    relation: Arc<Relation>,
    rows: Vec<Vec<Scalar>>,
    /// From each of them to the new row, in the order of the live columns.
    stages: Stages,
    columns: Vec<ColumnIndex>,
    /// Over the new row.
    returning: Vec<Scalar>,
}

impl Insert {
    pub(super) fn of(plan: &Plan, insert: &physical::Insert) -> Option<Self> {
        if insert.conflict.is_some() || !insert.checks.checks.is_empty() {
            return None;
        }
        // A foreign key of this table asks for a row; those that refer to it ask nothing of a new one.
        if ForeignKeys::new(&insert.table, None).has_outgoing() {
            return None;
        }
        let (mut projections, mut node) = (vec![], plan.node(insert.input));
        let rows = loop {
            match &node.operator {
                Operator::Values { rows } => break rows,
                Operator::Project { input, .. } => {
                    projections.push(node);
                    node = plan.node(*input);
                }
                _ => return None,
            }
        };
        let stages = Stages::of(&projections, &node.output, &plan.node(insert.input).output)?;
        let new = &insert.checks.columns;
        Some(Self {
            relation: Arc::clone(&insert.table),
            rows: rows.iter().map(|row| all(row, &mut |_| None)).collect::<Option<_>>()?,
            stages,
            columns: new.iter().map(|(column, _)| *column).collect(),
            returning: all(&insert.returning, &mut |id| {
                new.iter().position(|(_, known)| *known == id)
            })?,
        })
    }

    pub(super) fn table(&self) -> RelId {
        self.relation.rel
    }

    pub(super) fn run(
        &self,
        ctx: &ShortContext<'_>,
        txn: &mut Txn,
        give: &mut Give<'_>,
    ) -> Result<u64> {
        let table = &ctx.tables[0];
        let given = Given { params: ctx.params, session: ctx.session };
        let of_table = |error| of_table(error, &self.relation, ctx.catalog);
        let mut whole = vec![Value::Null; self.relation.columns.len()];
        let mut returned = vec![];
        let mut new = NewRows::default();
        for exprs in &self.rows {
            ctx.control.check()?;
            let take = |row: &[Value]| {
                self.check_nulls(row, ctx)?;
                let values = if row.len() == whole.len() {
                    row
                } else {
                    // Dropped columns keep their places.
                    for (column, value) in self.columns.iter().zip(row) {
                        whole[usize::from(column.0)] = value.clone();
                    }
                    &whole
                };
                if let [_] = &self.rows[..] {
                    table.insert(txn, values).map_err(of_table)?;
                } else {
                    table.push_row(&mut new, values)?;
                }
                if !self.returning.is_empty() {
                    returned.push(values_of(&self.returning, row, given)?);
                }
                Ok(())
            };
            let values = values_of(exprs, &[], given);
            let taken = values.and_then(|values| self.stages.run(&values, given, take));
            if taken.is_err() || new.len() == TILE_ROWS {
                // What the rows before a failing one violate comes first.
                table.insert_rows(txn, &mut new).map_err(of_table)?;
            }
            taken?;
        }
        table.insert_rows(txn, &mut new).map_err(of_table)?;
        // RETURNING's rows come when all is done.
        for shown in &returned {
            give(shown)?;
        }
        Ok(self.rows.len() as u64)
    }

    /// # Errors
    /// 23502 if a new row lacks what it must have.
    fn check_nulls(&self, row: &[Value], ctx: &ShortContext<'_>) -> Result<()> {
        for (column, value) in self.columns.iter().zip(row) {
            if value.is_null() && self.relation.columns[usize::from(column.0)].not_null {
                let values = row.iter().cloned();
                return Err(null_violation(&self.relation, *column, values, ctx.catalog));
            }
        }
        Ok(())
    }
}

/// The row that an UPDATE, a DELETE or a row lock finds, and how it is tried again.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) access: Access,
    /// Columns read of the row.
    read: Vec<ColumnIndex>,
    /// Where the key stands among them.
    key: Vec<usize>,
}

impl Target {
    /// Of the scan below a change; what else is read is added by `more`.
    pub(super) fn of<R>(
        plan: &Plan,
        input: physical::PlanId,
        row_id: ColumnId,
        more: impl FnOnce(&mut Places, &[(ColumnIndex, ColumnId)]) -> Option<R>,
    ) -> Option<(Self, R)> {
        let (access, scan) = Access::of(plan.node(input), ROWS_MAX, &mut |_| None)?;
        if !access.is_unique || !scan.predicates.is_empty() || scan.row_id != Some(row_id) {
            return None;
        }
        let mut places = Places::default();
        let key = access.index.key_columns()?.into_iter().map(|column| places.place(column));
        let key = key.collect();
        let made = more(&mut places, &scan.columns)?;
        Some((Self { access, read: places.columns, key }, made))
    }

    pub(super) fn table(&self) -> RelId {
        self.access.relation.rel
    }

    /// Finds the row; its columns are in `room` then.
    fn find(
        &self,
        key: &[Value],
        table: &Table,
        txn: &Txn,
        room: &mut Vec<Value>,
    ) -> Result<Option<RowId>> {
        let mut found = None;
        self.access.rows(key, table, txn.view_ref()?, &self.read, 1, room, |row, _| {
            found = Some(row);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Reads the newest version of a row that another transaction changed; says whether it still has the key.
    fn find_newest(
        &self,
        key: &[Value],
        now: RowId,
        table: &Table,
        txn: &Txn,
        room: &mut Vec<Value>,
    ) -> Result<bool> {
        let Some(values) = table.latest(txn, now, &self.read)? else {
            return Ok(false);
        };
        *room = values;
        let relation = &self.access.relation;
        Ok(key.iter().zip(&self.key).all(|(wanted, &place)| {
            let ty = relation.columns[usize::from(self.read[place].0)].ty.id;
            let value = &room[place];
            !value.is_null() && compare(ty, value, wanted).is_eq()
        }))
    }

    /// Finds the row and lets `change` change or lock it; again, as [`Tried::Newest`], if another transaction changed it meanwhile and it still
    /// has the key. Whether that was done; its columns as they were are in `room` then.
    pub(super) fn change(
        &self,
        table: &Table,
        txn: &mut Txn,
        given: Given<'_>,
        room: &mut Vec<Value>,
        mut change: impl FnMut(&mut Txn, &[Value], Tried) -> Result<WriteOutcome>,
    ) -> Result<bool> {
        let Some(key) = self.access.key(&[], given)? else {
            return Ok(false);
        };
        let Some(row) = self.find(&key, table, txn, room)? else {
            return Ok(false);
        };
        let mut outcome = change(txn, room, Tried::Seen(row))?;
        if let WriteOutcome::Changed(now) = outcome {
            if !self.find_newest(&key, now, table, txn, room)? {
                return Ok(false);
            }
            outcome = change(txn, room, Tried::Newest(now))?;
        }
        Ok(outcome == WriteOutcome::Done)
    }
}

/// The state of a row that a change is tried on.
#[derive(Clone, Copy)]
pub(super) enum Tried {
    /// What the view shows.
    Seen(RowId),
    /// The newest version.
    Newest(RowId),
}

/// Makes a change without waiting until the row's last change is durable; no foreign key is concerned.
fn early(
    txn: &mut Txn,
    change: impl FnOnce(&mut Txn) -> Result<WriteOutcome>,
) -> Result<WriteOutcome> {
    txn.set_early(true);
    let outcome = change(txn);
    txn.set_early(false);
    outcome
}

/// UPDATE of one row.
#[derive(Debug)]
pub(super) struct Update {
    target: Target,
    /// Over the columns read.
    assignments: Vec<(ColumnIndex, Scalar)>,
    /// Over the columns read, with the assigned values in their places.
    returning: Vec<Scalar>,
}

impl Update {
    pub(super) fn of(plan: &Plan, update: &physical::Update) -> Option<Self> {
        let changed: Vec<ColumnIndex> =
            update.assignments.iter().map(|(column, _)| *column).collect();
        if update.rerun.is_some() || !is_free(&update.table, &update.checks, Some(&changed)) {
            return None;
        }
        let (target, (assignments, returning)) =
            Target::of(plan, update.input, update.row_id, |places, scan| {
                let mut old = |id| Some(places.place(column_of(scan, id)?));
                let assignments = update
                    .assignments
                    .iter()
                    .map(|(column, expr)| Some((*column, Scalar::of(expr, &mut old)?)))
                    .collect::<Option<Vec<_>>>()?;
                let new = &update.checks.columns;
                let mut place = |id| Some(places.place(column_of(new, id)?));
                let returning = all(&update.returning, &mut place)?;
                Some((assignments, returning))
            })?;
        Some(Self { target, assignments, returning })
    }

    /// The changes that the row in `row` gets, checked.
    fn changes(
        &self,
        row: &[Value],
        ctx: &ShortContext<'_>,
        table: &Table,
        txn: &Txn,
        tried: Tried,
    ) -> Result<SmallVec<[(ColumnIndex, Value); 4]>> {
        let given = Given { params: ctx.params, session: ctx.session };
        let changes: SmallVec<[(ColumnIndex, Value); 4]> = self
            .assignments
            .iter()
            .map(|(column, expr)| Ok((*column, expr.value(row, given)?)))
            .collect::<Result<_>>()?;
        let relation = &self.target.access.relation;
        // In the order of the table's columns.
        let null = changes
            .iter()
            .filter(|(column, value)| {
                value.is_null() && relation.columns[usize::from(column.0)].not_null
            })
            .map(|(column, _)| *column)
            .min();
        let Some(column) = null else {
            return Ok(changes);
        };
        let live: Vec<ColumnIndex> = relation.live_columns().map(|(column, _)| column).collect();
        let whole = match tried {
            Tried::Newest(id) => table.latest(txn, id, &live)?,
            Tried::Seen(id) => table.get(&txn.view()?, id, &live)?,
        };
        let mut whole = whole.unwrap_or_default();
        for (value, place) in whole.iter_mut().zip(&live) {
            if let Some((_, new)) = changes.iter().find(|(column, _)| column == place) {
                *value = new.clone();
            }
        }
        Err(null_violation(relation, column, whole.into_iter(), ctx.catalog))
    }

    pub(super) fn table(&self) -> RelId {
        self.target.table()
    }

    pub(super) fn run(
        &self,
        ctx: &mut ShortContext<'_>,
        txn: &mut Txn,
        give: &mut Give<'_>,
    ) -> Result<u64> {
        let given = Given { params: ctx.params, session: ctx.session };
        let target = &self.target;
        let table = &ctx.tables[0];
        let mut row = std::mem::take(ctx.room);
        let mut changes = SmallVec::new();
        let is_done = target.change(table, txn, given, &mut row, |txn, row, tried| {
            changes = self.changes(row, ctx, table, txn, tried)?;
            let outcome = early(txn, |txn| match tried {
                Tried::Seen(id) => table.update(txn, id, &changes),
                Tried::Newest(id) => table.update_latest(txn, id, &changes),
            });
            outcome.map_err(|error| of_table(error, &target.access.relation, ctx.catalog))
        })?;
        if !is_done {
            return Ok(0);
        }
        if !self.returning.is_empty() {
            for (column, value) in changes {
                if let Some(place) = target.read.iter().position(|read| *read == column) {
                    row[place] = value;
                }
            }
            give_row(&self.returning, &row, given, give)?;
        }
        *ctx.room = row;
        Ok(1)
    }
}

/// DELETE of one row.
#[derive(Debug)]
pub(super) struct Delete {
    target: Target,
    /// Over the columns read.
    returning: Vec<Scalar>,
}

impl Delete {
    pub(super) fn of(plan: &Plan, delete: &physical::Delete) -> Option<Self> {
        if delete.rerun.is_some() || !is_free(&delete.table, &RowChecks::default(), None) {
            return None;
        }
        let (target, returning) = Target::of(plan, delete.input, delete.row_id, |places, scan| {
            all(&delete.returning, &mut |id| Some(places.place(column_of(scan, id)?)))
        })?;
        Some(Self { target, returning })
    }

    pub(super) fn table(&self) -> RelId {
        self.target.table()
    }

    pub(super) fn run(
        &self,
        ctx: &mut ShortContext<'_>,
        txn: &mut Txn,
        give: &mut Give<'_>,
    ) -> Result<u64> {
        let given = Given { params: ctx.params, session: ctx.session };
        let target = &self.target;
        let table = &ctx.tables[0];
        let row = &mut *ctx.room;
        let is_done = target.change(table, txn, given, row, |txn, _, tried| {
            early(txn, |txn| match tried {
                Tried::Seen(id) => table.delete(txn, id),
                Tried::Newest(id) => table.delete_latest(txn, id),
            })
        })?;
        if !is_done {
            return Ok(0);
        }
        if !self.returning.is_empty() {
            give_row(&self.returning, row, given, give)?;
        }
        Ok(1)
    }
}
