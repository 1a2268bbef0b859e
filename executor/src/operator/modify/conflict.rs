//! ON CONFLICT: rows that give way to rows which have their keys already, or change them.
//!
//! Rows come one by one, for each may meet what the one before it did. A row that is in the way is locked and read in its newest version,
//! which the statement's snapshot need not show; if it lost the key while it was waited for, the insert is tried again. A row that this
//! command inserted or changed is not changed again (21000).

use super::{Checks, Insert, Source, batch_row};
use crate::build::{Layout, build, layout};
use crate::context::State;
use crate::eval::Eval;
use crate::operator::foreign_key::ForeignKeys;
use crate::operator::simple::apply_predicates;
use damask_catalog::object::Index;
use damask_planner::expr::ColumnId;
use damask_planner::physical::{self, Plan, PlanId};
use damask_txn::{Arbiters, ConflictOutcome, InsertOutcome, Table, WriteOutcome};
use damask_types::{
    Batch, ColumnIndex, Error, Mask, Oid, RelId, Result, RowId, SqlState, TypeId, Value, Vector,
};
use std::sync::Arc;

/// What ON CONFLICT does.
pub(crate) struct Conflict {
    arbiters: Arbiters,
    /// A deferrable key among the arbiters: an error with the first row.
    deferrable: Option<Arc<Index>>,
    update: Option<ConflictUpdate>,
}

/// DO UPDATE.
struct ConflictUpdate {
    table_oid: Oid,
    /// The live columns, whose values of the old row are read.
    columns: Vec<(ColumnIndex, TypeId)>,
    /// The plan that the two rows go through, if WHERE and SET need one.
    source: Option<PlanId>,
    predicates: Vec<Eval>,
    /// Where the old row stands in what the assignments read.
    old: Vec<(ColumnIndex, usize)>,
    assignments: Vec<(ColumnIndex, Eval)>,
    assigned: Vec<ColumnIndex>,
    /// The row after it, in the order of the checks' columns.
    new: Vec<Source>,
    xmax: ColumnId,
}

impl Conflict {
    pub(crate) fn new(
        plan: &Plan,
        insert: &physical::Insert,
        conflict: &physical::OnConflict,
    ) -> Self {
        let arbiters = match &conflict.arbiters {
            None => Arbiters::All,
            // The primary key of an alias table has no storage: the key is the row id.
            Some(indexes) => Arbiters::Some {
                alias: indexes.iter().any(|index| index.rel == RelId(0)),
                indexes: indexes.iter().map(|index| index.rel).filter(|rel| rel.0 != 0).collect(),
            },
        };
        let update = conflict.update.as_ref().map(|update| {
            let rows = update.old.iter().chain(&update.excluded).map(|(_, id)| *id);
            let given =
                Layout::new([update.row_id, update.table_oid].into_iter().chain(rows).collect());
            let read = update.source.map_or_else(|| given.clone(), |id| layout(plan.node(id)));
            let old: Vec<(ColumnIndex, usize)> =
                update.old.iter().map(|(column, id)| (*column, read.position(*id))).collect();
            let assigned: Vec<ColumnIndex> =
                update.assignments.iter().map(|(column, _)| *column).collect();
            let source = |column: ColumnIndex| match assigned
                .iter()
                .position(|assigned| *assigned == column)
            {
                Some(i) => Source::Assigned(i),
                None => Source::Old(
                    old.iter()
                        .find(|(old, _)| *old == column)
                        .expect("the old row has every live column")
                        .1,
                ),
            };
            ConflictUpdate {
                table_oid: insert.table.oid,
                columns: insert
                    .table
                    .live_columns()
                    .map(|(index, column)| (index, column.ty.id))
                    .collect(),
                source: update.source,
                predicates: given.evals(&update.predicates),
                new: insert.checks.columns.iter().map(|(column, _)| source(*column)).collect(),
                assignments: update
                    .assignments
                    .iter()
                    .map(|(column, expr)| (*column, Eval::new(expr, &read)))
                    .collect(),
                old,
                assigned,
                xmax: update.xmax,
            }
        });
        let is_deferrable = |index: &&Arc<Index>| index.unique && index.valid && !index.immediate;
        let candidates = conflict.arbiters.as_ref().unwrap_or(&insert.table.indexes);
        let deferrable = candidates.iter().find(is_deferrable).cloned();
        Self { arbiters, deferrable, update }
    }

    /// The column behind the new row's that RETURNING reads.
    pub(super) fn xmax(&self) -> Option<ColumnId> {
        self.update.as_ref().map(|update| update.xmax)
    }
}

/// What became of a row.
enum Fate {
    Inserted,
    Skipped,
    /// The row that was there is this now.
    Updated(Batch),
}

impl Insert {
    /// As [`Insert::insert`], with ON CONFLICT.
    pub(super) fn insert_or_conflict(
        &mut self,
        batch: &Batch,
        table: &Arc<Table>,
        values: &mut [Value],
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<()> {
        let conflict = self.conflict.as_ref().expect("the caller looked");
        if let (Some(index), true) = (&conflict.deferrable, batch.rows() > 0) {
            let table = &self.relation;
            return Err(Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters",
            )
            .table(state.ctx.catalog.schema_name(table.schema), table.name.as_str())
            .constraint(index.name.as_str()));
        }
        let shows = !self.returning.exprs.is_empty();
        let mut inserted = Mask::NONE;
        for row in 0..batch.rows() {
            state.check()?;
            self.row_values(batch, row, values);
            let fate =
                conflict.insert(table, values, (batch, row), &self.checks, foreign, state)?;
            match fate {
                Fate::Inserted => {
                    foreign.note_new(values);
                    inserted.set(row, true);
                }
                Fate::Skipped => continue,
                Fate::Updated(_) => {}
            }
            state.run.affected += 1;
            if conflict.update.is_none() || !shows {
                continue;
            }
            let (mut one, xmax) = match fate {
                Fate::Updated(new) => (new, (state.txn.id().0 as u32).max(1)),
                Fate::Inserted | Fate::Skipped => (batch_row(batch, row), 0),
            };
            one.columns.push(Vector::constant(TypeId::Xid, &Value::Oid(Oid(xmax)), 1));
            self.returning.take(&one, state)?;
        }
        if conflict.update.is_none() {
            let mut shown = batch.clone();
            shown.select(&inserted);
            self.returning.take(&shown, state)?;
        }
        Ok(())
    }
}

impl Conflict {
    /// Inserts a row of the batch, whose values are `values`, or does what is to be done instead.
    fn insert(
        &self,
        table: &Arc<Table>,
        values: &[Value],
        (batch, row): (&Batch, usize),
        checks: &Checks,
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<Fate> {
        loop {
            let id = match table.insert_unless(state.txn, values, &self.arbiters)? {
                InsertOutcome::Inserted(_) => return Ok(Fate::Inserted),
                InsertOutcome::Conflict(id) => id,
            };
            let Some(update) = &self.update else {
                table.pass_conflict(state.txn, id)?;
                return Ok(Fate::Skipped);
            };
            let assigned = &update.assigned;
            match table.lock_conflict(state.txn, id, values, &self.arbiters, assigned)? {
                ConflictOutcome::Moved => {}
                ConflictOutcome::SelfModified => return Err(second_time()),
                ConflictOutcome::Locked => {
                    return update.run(table, id, (batch, row), checks, foreign, state);
                }
            }
            state.check()?;
        }
    }
}

impl ConflictUpdate {
    /// Updates row `id`, which is locked, if WHERE holds.
    fn run(
        &self,
        table: &Arc<Table>,
        id: RowId,
        (batch, row): (&Batch, usize),
        checks: &Checks,
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<Fate> {
        let columns: Vec<ColumnIndex> = self.columns.iter().map(|(column, _)| *column).collect();
        let Some(old) = table.latest(state.txn, id, &columns)? else {
            return Err(Error::internal("a row that is locked is not there"));
        };
        let mut both = vec![
            Vector::constant(TypeId::Int8, &Value::Int8(id.0.cast_signed()), 1),
            Vector::constant(TypeId::Oid, &Value::Oid(self.table_oid), 1),
        ];
        let types = self.columns.iter().map(|(_, ty)| *ty);
        both.extend(old.iter().zip(types).map(|(value, ty)| Vector::constant(ty, value, 1)));
        both.extend(batch.columns.iter().map(|column| column.gather(&[row as u32])));
        let Some(read) = self.qualify(Batch::new(both, 1), state)? else {
            return Ok(Fate::Skipped);
        };
        let active = read.active();
        let mut assigned = vec![];
        for (_, eval) in &self.assignments {
            assigned.push(eval.run(&read, &active, state)?);
        }
        let new: Vec<Vector> = self
            .new
            .iter()
            .map(|source| match source {
                Source::Old(position) => read.columns[*position].clone(),
                Source::Assigned(i) => assigned[*i].clone(),
            })
            .collect();
        let named: Vec<(ColumnIndex, Vector)> =
            columns.into_iter().zip(new.iter().cloned()).collect();
        let new = Batch::new(new, 1);
        checks.run(&new, &named, state)?;
        let changes: Vec<(ColumnIndex, Value)> = self
            .assigned
            .iter()
            .zip(&assigned)
            .map(|(column, vector)| (*column, vector.value(0)))
            .collect();
        if table.update_latest(state.txn, id, &changes)? != WriteOutcome::Done {
            return Err(Error::internal("a row that is locked was changed"));
        }
        foreign.note_change(&self.old, &read, 0, &changes);
        Ok(Fate::Updated(new))
    }

    /// What the assignments read, if WHERE holds of the two rows in `both`.
    fn qualify(&self, mut both: Batch, state: &mut State<'_>) -> Result<Option<Batch>> {
        let Some(source) = self.source else {
            apply_predicates(&self.predicates, &mut both, state)?;
            return Ok((both.selected_count() > 0).then_some(both));
        };
        let before = state.run.input.replace(both);
        let result = first_row(source, state);
        state.run.input = before;
        result
    }
}

/// The first row that a plan gives.
fn first_row(source: PlanId, state: &mut State<'_>) -> Result<Option<Batch>> {
    let plan = Arc::clone(&state.run.plan);
    let mut input = build(&plan, source, state)?;
    while let Some(batch) = input.next(state)? {
        if let Some(row) = batch.active().iter().next() {
            return Ok(Some(batch_row(&batch, row)));
        }
    }
    Ok(None)
}

#[cold]
fn second_time() -> Error {
    Error::new(
        SqlState::CARDINALITY_VIOLATION,
        "ON CONFLICT DO UPDATE command cannot affect row a second time",
    )
    .hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
}
