//! INSERT, UPDATE, DELETE.
//!
//! A statement reads its input under the view it began with, so it never meets its own changes. Rows are changed as they come;
//! foreign keys are looked at when all are ([`super::foreign_key`]), and only then do RETURNING's rows come out. Rows of an INSERT whose keys
//! come in no order wait for more if their table is larger than memory (docs/decisions/0017-rows-in-the-order-of-their-keys.md).
//!
//! At READ COMMITTED a row that another transaction changed meanwhile is read again in its newest version: if it still passes the
//! qualification, the assignments are computed from it, else it is left alone. With subqueries in them the input runs again for
//! that row ([`super::recheck`]).

mod conflict;

pub(crate) use self::conflict::Conflict;
use super::Operator;
use super::foreign_key::{ForeignKeys, Old};
use super::recheck::{Pin, run_again};
use crate::build::Layout;
use crate::context::{Grant, State};
use crate::eval::Eval;
use crate::spill::spool::{Spool, SpoolPlace};
use damask_catalog::CatalogSnapshot;
use damask_catalog::object::Relation;
use damask_planner::expr::ColumnId;
use damask_planner::physical::{self, PlanId, RowChecks};
use damask_txn::{NewRows, Table, Txn, WriteOutcome};
use damask_types::format::{FormatSettings, to_text};
use damask_types::{
    Batch, ColumnIndex, Error, Mask, Result, RowId, SqlState, TypeId, Value, Vector,
};
use std::sync::Arc;

/// CHECK and NOT NULL of a table.
struct Checks {
    relation: Arc<Relation>,
    exprs: Vec<(String, Eval)>,
}

impl Checks {
    /// `layout` is that of the batches that [`Checks::run`] is given: the new row under the checks' ids, and more.
    fn new(relation: &Arc<Relation>, checks: &RowChecks, layout: &Layout) -> Self {
        let exprs = checks
            .checks
            .iter()
            .map(|(name, expr)| (name.clone(), Eval::new(expr, layout)))
            .collect();
        Self { relation: Arc::clone(relation), exprs }
    }

    /// # Errors
    /// 23502, 23514 with the failing row.
    fn run(
        &self,
        batch: &Batch,
        new: &[(ColumnIndex, Vector)],
        state: &mut State<'_>,
    ) -> Result<()> {
        let active = batch.active();
        let failing = |row: usize| new.iter().map(move |(_, vector)| vector.value(row));
        for (column, vector) in new {
            let definition = &self.relation.columns[usize::from(column.0)];
            if definition.not_null && vector.validity().is_some() {
                let null = active.and_not(&vector.valid_rows());
                if let Some(row) = null.iter().next() {
                    let (relation, catalog) = (&self.relation, &state.ctx.catalog);
                    return Err(null_violation(relation, *column, failing(row), catalog));
                }
            }
        }
        for (name, check) in &self.exprs {
            let value = check.run(batch, &active, state)?;
            let is_false = active.and(&value.valid_rows().and_not(&value.true_rows()));
            if let Some(row) = is_false.iter().next() {
                let schema = state.ctx.catalog.schema_name(self.relation.schema);
                return Err(Error::new(
                    SqlState::CHECK_VIOLATION,
                    format!(
                        "new row for relation \"{}\" violates check constraint \"{name}\"",
                        self.relation.name
                    ),
                )
                .detail(failing_row(&self.relation, failing(row)))
                .table(schema, self.relation.name.as_str())
                .constraint(name.as_str()));
            }
        }
        Ok(())
    }
}

/// The error of a write names its table: storage does not know the names.
pub(crate) fn of_table(error: Error, relation: &Relation, catalog: &CatalogSnapshot) -> Error {
    if error.sqlstate() != SqlState::UNIQUE_VIOLATION || error.fields().table.is_some() {
        return error;
    }
    error.table(catalog.schema_name(relation.schema), relation.name.as_str())
}

/// 23502: a column of the new row `values` (its live columns) is null.
pub(crate) fn null_violation(
    relation: &Relation,
    column: ColumnIndex,
    values: impl Iterator<Item = Value>,
    catalog: &CatalogSnapshot,
) -> Error {
    let definition = &relation.columns[usize::from(column.0)];
    Error::new(
        SqlState::NOT_NULL_VIOLATION,
        format!(
            "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
            definition.name, relation.name
        ),
    )
    .detail(failing_row(relation, values))
    .table(catalog.schema_name(relation.schema), relation.name.as_str())
    .column(definition.name.as_str())
}

/// `Failing row contains (1, null).`: the live columns' texts, each cut to 64 bytes.
fn failing_row(relation: &Relation, values: impl Iterator<Item = Value>) -> String {
    const VALUE_BYTES_MAX: usize = 64;
    let settings = FormatSettings::default();
    let texts: Vec<String> = relation
        .live_columns()
        .zip(values)
        .map(|((_, column), value)| {
            if value.is_null() {
                return "null".to_owned();
            }
            let text = to_text(column.ty.id, &value, &settings);
            if text.len() <= VALUE_BYTES_MAX {
                return text;
            }
            let cut =
                (0..=VALUE_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            format!("{}...", &text[..cut])
        })
        .collect();
    format!("Failing row contains ({}).", texts.join(", "))
}

/// RETURNING: its rows are kept until the statement is done.
struct Returning {
    exprs: Vec<Eval>,
    rows: Spool,
    place: SpoolPlace,
}

impl Returning {
    fn new(exprs: &[damask_planner::expr::Expr], layout: &Layout) -> Self {
        let types: Vec<TypeId> = exprs.iter().map(|expr| expr.ty.id).collect();
        let (rows, place) = (Spool::new(&types), SpoolPlace::default());
        Self { exprs: layout.evals(exprs), rows, place }
    }

    fn take(&mut self, batch: &Batch, state: &mut State<'_>) -> Result<()> {
        if self.exprs.is_empty() {
            return Ok(());
        }
        let active = batch.active();
        let columns = self
            .exprs
            .iter()
            .map(|expr| expr.run(batch, &active, state))
            .collect::<Result<Vec<_>>>()?;
        let mut out = Batch::new(columns, batch.rows());
        out.selection = batch.selection;
        self.rows.push(&out, state)
    }

    /// The next rows, when all are there.
    fn next(&mut self, state: &State<'_>) -> Result<Option<Batch>> {
        self.rows.finish(state)?;
        Ok(self.rows.read(&mut self.place)?.map(|(batch, _)| batch))
    }
}

/// INSERT.
pub(crate) struct Insert {
    relation: Arc<Relation>,
    input: Box<dyn Operator>,
    /// Place in the input of each live column.
    columns: Vec<ColumnIndex>,
    conflict: Option<Conflict>,
    checks: Checks,
    /// Rows that are to be inserted together.
    new: NewRows,
    /// Memory for those that wait for more.
    gathered: Grant,
    /// References to rows that may be fed later.
    foreign: Option<ForeignKeys>,
    returning: Returning,
    is_done: bool,
}

impl Insert {
    pub(crate) fn new(
        insert: &physical::Insert,
        input: Box<dyn Operator>,
        layout: &Layout,
        conflict: Option<Conflict>,
    ) -> Self {
        debug_assert_eq!(layout.len(), insert.checks.columns.len(), "the input is the new row");
        let new = Layout::new(insert.checks.columns.iter().map(|(_, id)| *id).collect());
        let xmax = conflict.as_ref().and_then(Conflict::xmax);
        let shown = new.join(&Layout::new(xmax.into_iter().collect()));
        Self {
            relation: Arc::clone(&insert.table),
            input,
            columns: insert.checks.columns.iter().map(|(column, _)| *column).collect(),
            conflict,
            checks: Checks::new(&insert.table, &insert.checks, &new),
            new: NewRows::default(),
            gathered: Grant::default(),
            foreign: None,
            returning: Returning::new(&insert.returning, &shown),
            is_done: false,
        }
    }

    fn run(&mut self, state: &mut State<'_>) -> Result<()> {
        let table = state.ctx.engine.table(self.relation.rel)?;
        let held = self.foreign.take();
        let mut foreign = held.unwrap_or_else(|| ForeignKeys::new(&self.relation, None));
        let taken = self.take_input(&table, &mut foreign, state);
        match &taken {
            Ok(()) if state.run.is_fed => {}
            // What the rows before a failing one violate comes first.
            Err(error) if !is_of_a_row(error) => {}
            _ => self.insert_new(&table, state)?,
        }
        taken?;
        if state.run.is_fed {
            let others = foreign.take_others();
            self.foreign = Some(foreign);
            return others.finish(state);
        }
        foreign.finish(state)
    }

    fn take_input(
        &mut self,
        table: &Arc<Table>,
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<()> {
        let mut row_values = vec![Value::Null; self.relation.columns.len()];
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            let batch = batch.compact();
            let Err(error) = self.checks.run(&batch, &self.new_row(&batch), state) else {
                self.insert(&batch, table, &mut row_values, foreign, state)?;
                continue;
            };
            // What the rows before the failing one violate comes first: row by row, until one raises.
            for row in 0..batch.rows() {
                let one = batch_row(&batch, row);
                state.run.failed = Some(state.run.affected);
                self.checks.run(&one, &self.new_row(&one), state)?;
                state.run.failed = None;
                self.insert(&one, table, &mut row_values, foreign, state)?;
            }
            return Err(error);
        }
        Ok(())
    }

    /// Writes a row's values to their columns' places.
    fn row_values(&self, batch: &Batch, row: usize, values: &mut [Value]) {
        for (column, vector) in self.columns.iter().zip(&batch.columns) {
            values[usize::from(column.0)] = vector.value(row);
        }
    }

    fn new_row(&self, batch: &Batch) -> Vec<(ColumnIndex, Vector)> {
        self.columns.iter().copied().zip(batch.columns.iter().cloned()).collect()
    }

    /// Inserts rows that passed the checks; `values` is room for one.
    fn insert(
        &mut self,
        batch: &Batch,
        table: &Arc<Table>,
        values: &mut [Value],
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<()> {
        if self.conflict.is_some() {
            let done = self.insert_or_conflict(batch, table, values, foreign, state);
            return done.map_err(|error| of_table(error, &self.relation, &state.ctx.catalog));
        }
        let mut vectors = vec![None; values.len()];
        for (column, vector) in self.columns.iter().zip(&batch.columns) {
            vectors[usize::from(column.0)] = Some(vector);
        }
        let before = self.new.len();
        let pushed = table.push_rows(&mut self.new, &vectors, 0..batch.rows());
        let count = (self.new.len() - before) as u64;
        state.run.affected += count;
        state.run.pending += count;
        if pushed.is_err() {
            // What the rows before the failing one violate comes first.
            self.insert_new(table, state)?;
            state.run.failed = Some(state.run.affected);
            return pushed;
        }
        if foreign.has_outgoing() {
            for row in 0..batch.rows() {
                self.row_values(batch, row, values);
                foreign.note_new(values);
            }
        }
        if !self.gathers(table, foreign, state)? {
            self.insert_new(table, state)?;
        }
        self.returning.take(batch, state)
    }

    /// Whether more rows should come before those that are there are inserted: fewer pages have to be loaded for each then.
    fn gathers(&mut self, table: &Table, foreign: &ForeignKeys, state: &State<'_>) -> Result<bool> {
        let bytes = self.new.bytes();
        let gathers = self.new.is_scattered()
            && table.outgrows_pool()
            && self.returning.exprs.is_empty()
            && !foreign.has_outgoing()
            && !state.should_spill(bytes, state.ctx.work_mem_bytes);
        if gathers {
            self.gathered.grow(bytes, &state.run.memory)?;
        }
        Ok(gathers)
    }

    /// Inserts what was gathered.
    fn insert_new(&mut self, table: &Arc<Table>, state: &mut State<'_>) -> Result<()> {
        let inserted = table.insert_rows(state.txn, &mut self.new);
        self.gathered.clear();
        let pending = std::mem::take(&mut state.run.pending);
        inserted.map(drop).map_err(|error| {
            let before = state.run.affected - pending;
            state.run.failed = self.new.failed().map(|row| before + row as u64);
            of_table(error, &self.relation, &state.ctx.catalog)
        })
    }
}

/// Whether an error is one of a single row: its values are not what they should be, or violate a constraint.
fn is_of_a_row(error: &Error) -> bool {
    let sqlstate = error.sqlstate();
    sqlstate.is_data_exception() || sqlstate.is_integrity_violation()
}

impl Operator for Insert {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if !std::mem::replace(&mut self.is_done, true) {
            self.run(state)?;
        }
        self.returning.next(state)
    }

    /// More rows are fed.
    fn rewind(&mut self) {
        self.is_done = false;
        self.input.rewind();
    }
}

/// UPDATE.
pub(crate) struct Update {
    relation: Arc<Relation>,
    input: Box<dyn Operator>,
    row_id: usize,
    /// Where the old row stands in the input.
    old: Vec<(ColumnIndex, usize)>,
    assignments: Vec<(ColumnIndex, Eval)>,
    recheck: Recheck,
    /// The new row, in the order of the checks' columns: from the input, or from an assignment.
    new: Vec<(ColumnIndex, Source)>,
    checks: Checks,
    returning: Returning,
    is_done: bool,
}

/// Where a column of the new row comes from.
enum Source {
    /// The old row, at this place in the input.
    Old(usize),
    /// This assignment.
    Assigned(usize),
}

impl Update {
    pub(crate) fn new(
        update: &physical::Update,
        input: Box<dyn Operator>,
        layout: &Layout,
    ) -> Self {
        let old: Vec<(ColumnIndex, usize)> =
            update.old.iter().map(|(column, id)| (*column, layout.position(*id))).collect();
        let source = |column: ColumnIndex| match update
            .assignments
            .iter()
            .position(|(assigned, _)| *assigned == column)
        {
            Some(i) => Source::Assigned(i),
            None => Source::Old(
                old.iter().find(|(old, _)| *old == column).expect("the old row is whole").1,
            ),
        };
        let new =
            update.checks.columns.iter().map(|&(column, _)| (column, source(column))).collect();
        // Checks and RETURNING read the new row first, then the input.
        let ids: Vec<ColumnId> = update.checks.columns.iter().map(|(_, id)| *id).collect();
        let both = Layout::new(ids).join(layout);
        Self {
            relation: Arc::clone(&update.table),
            input,
            row_id: layout.position(update.row_id),
            old,
            assignments: update
                .assignments
                .iter()
                .map(|(column, expr)| (*column, Eval::new(expr, layout)))
                .collect(),
            recheck: Recheck {
                source: update.input,
                row_id: update.row_id,
                predicates: layout.evals(&update.recheck),
                kept: places(update.rerun.as_deref(), layout),
            },
            new,
            checks: Checks::new(&update.table, &update.checks, &both),
            returning: Returning::new(&update.returning, &both),
            is_done: false,
        }
    }

    /// The assigned values, and the batch that checks and RETURNING read; both checked.
    fn compute(&self, batch: &Batch, state: &mut State<'_>) -> Result<(Vec<Vector>, Batch)> {
        let active = batch.active();
        let values = self
            .assignments
            .iter()
            .map(|(_, eval)| eval.run(batch, &active, state))
            .collect::<Result<Vec<_>>>()?;
        let new: Vec<(ColumnIndex, Vector)> = self
            .new
            .iter()
            .map(|(column, source)| {
                let vector = match source {
                    Source::Old(position) => batch.columns[*position].clone(),
                    Source::Assigned(i) => values[*i].clone(),
                };
                (*column, vector)
            })
            .collect();
        let mut columns: Vec<Vector> = new.iter().map(|(_, vector)| vector.clone()).collect();
        columns.extend(batch.columns.iter().cloned());
        let mut both = Batch::new(columns, batch.rows());
        both.selection = batch.selection;
        self.checks.run(&both, &new, state)?;
        Ok((values, both))
    }

    fn run(&mut self, state: &mut State<'_>) -> Result<()> {
        let table = state.ctx.engine.table(self.relation.rel)?;
        let changed: Vec<ColumnIndex> =
            self.assignments.iter().map(|(column, _)| *column).collect();
        let mut foreign = ForeignKeys::new(&self.relation, Some(&changed));
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            let batch = batch.compact();
            match self.compute(&batch, state) {
                Ok((values, both)) => {
                    self.update_batch(&table, &batch, &values, both, &mut foreign, state)?;
                }
                Err(error) if batch.rows() == 1 => return Err(error),
                // What the rows before the failing one violate comes first: row by row, until one raises.
                Err(error) => {
                    for row in 0..batch.rows() {
                        let one = batch_row(&batch, row);
                        let (values, both) = self.compute(&one, state)?;
                        self.update_batch(&table, &one, &values, both, &mut foreign, state)?;
                    }
                    return Err(error);
                }
            }
        }
        foreign.finish(state)
    }

    fn update_batch(
        &mut self,
        table: &Arc<Table>,
        batch: &Batch,
        values: &[Vector],
        mut both: Batch,
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<()> {
        let mut done = Mask::NONE;
        for row in 0..batch.rows() {
            if self.update_row(table, batch, row, values, foreign, state)? {
                done.set(row, true);
                state.run.affected += 1;
            }
        }
        both.select(&done);
        self.returning.take(&both, state)
    }

    /// Updates one row of the batch; `false` if nothing more is to be said of it (it is gone, or RETURNING was served).
    fn update_row(
        &mut self,
        table: &Arc<Table>,
        batch: &Batch,
        row: usize,
        values: &[Vector],
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<bool> {
        let id = row_id(batch, self.row_id, row);
        let list = self.changes(values, row);
        let outcome = early(foreign, state, |txn| table.update(txn, id, &list));
        let outcome =
            outcome.map_err(|error| of_table(error, &self.relation, &state.ctx.catalog))?;
        if outcome == WriteOutcome::Done {
            foreign.note_change(&self.old, batch, row, &list);
            return Ok(true);
        }
        if let WriteOutcome::Changed(now) = outcome {
            self.update_newest(table, batch, row, now, foreign, state)?;
        }
        Ok(false)
    }

    /// Updates the newest version of a row that another transaction changed, if it still qualifies. It has the id `now`, and we
    /// hold its lock.
    fn update_newest(
        &mut self,
        table: &Arc<Table>,
        batch: &Batch,
        row: usize,
        now: RowId,
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<()> {
        let newest = newest(table, self.row_id, &self.old, batch, row, now, state)?;
        let Some(newest) = self.recheck.run(newest, now, state)? else {
            return Ok(());
        };
        let (values, both) = self.compute(&newest, state)?;
        let list = self.changes(&values, 0);
        let outcome = early(foreign, state, |txn| table.update_latest(txn, now, &list));
        if outcome.map_err(|error| of_table(error, &self.relation, &state.ctx.catalog))?
            != WriteOutcome::Done
        {
            return Ok(());
        }
        foreign.note_change(&self.old, &newest, 0, &list);
        state.run.affected += 1;
        self.returning.take(&both, state)
    }

    fn changes(&self, values: &[Vector], row: usize) -> Vec<(ColumnIndex, Value)> {
        self.assignments
            .iter()
            .zip(values)
            .map(|((column, _), vector)| (*column, vector.value(row)))
            .collect()
    }
}

/// How a row that another transaction changed is tried again.
struct Recheck {
    source: PlanId,
    row_id: ColumnId,
    /// Conjuncts of the qualification that need the input's columns alone.
    predicates: Vec<Eval>,
    /// If there are others, or assignments that read subqueries: the columns that stay, for [`run_again`].
    kept: Option<Vec<usize>>,
}

impl Recheck {
    /// The input row to go on with, if it still qualifies. `newest` is the old one with the newest version of the table's row in it.
    fn run(
        &self,
        newest: Option<Batch>,
        now: RowId,
        state: &mut State<'_>,
    ) -> Result<Option<Batch>> {
        let Some(newest) = newest else {
            return Ok(None);
        };
        let mut passing = newest.clone();
        super::simple::apply_predicates(&self.predicates, &mut passing, state)?;
        if passing.selected_count() == 0 {
            return Ok(None);
        }
        match &self.kept {
            None => Ok(Some(newest)),
            Some(kept) => {
                let pins = vec![(self.row_id, Pin::Newest(now))];
                run_again(self.source, pins, kept, &newest, state)
            }
        }
    }
}

fn places(columns: Option<&[ColumnId]>, layout: &Layout) -> Option<Vec<usize>> {
    columns.map(|columns| columns.iter().map(|&id| layout.position(id)).collect())
}

/// One row of a batch without a selection.
fn batch_row(batch: &Batch, row: usize) -> Batch {
    Batch::new(batch.columns.iter().map(|column| column.gather(&[row as u32])).collect(), 1)
}

/// Makes a change without waiting until the row's last change is durable, where the statement allows it. Foreign keys are looked
/// up in what is durable, so a table that has them waits.
fn early(
    foreign: &ForeignKeys,
    state: &mut State<'_>,
    change: impl FnOnce(&mut Txn) -> Result<WriteOutcome>,
) -> Result<WriteOutcome> {
    state.txn.set_early(foreign.is_empty());
    let outcome = change(state.txn);
    state.txn.set_early(false);
    outcome
}

/// A row id as the one value of a column.
pub(crate) fn row_id_column(ty: TypeId, row: RowId) -> Vector {
    Vector::constant(ty, &Value::Int8(row.0.cast_signed()), 1)
}

/// The row id in a batch.
fn row_id(batch: &Batch, column: usize, row: usize) -> RowId {
    let id = batch.columns[column].value(row).as_i64().expect("a row id is never null");
    RowId(id.cast_unsigned())
}

/// One input row with the newest version of the table's row, and its id, in place of the old one; `None` if it is gone.
fn newest(
    table: &Arc<Table>,
    row_id: usize,
    old: &[(ColumnIndex, usize)],
    batch: &Batch,
    row: usize,
    now: RowId,
    state: &State<'_>,
) -> Result<Option<Batch>> {
    let columns: Vec<ColumnIndex> = old.iter().map(|(column, _)| *column).collect();
    let Some(values) = table.latest(state.txn, now, &columns)? else {
        return Ok(None);
    };
    let mut out: Vec<Vector> =
        batch.columns.iter().map(|column| column.gather(&[row as u32])).collect();
    for ((_, position), value) in old.iter().zip(&values) {
        out[*position] = Vector::constant(out[*position].ty, value, 1);
    }
    out[row_id] = row_id_column(out[row_id].ty, now);
    Ok(Some(Batch::new(out, 1)))
}

impl Operator for Update {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if !std::mem::replace(&mut self.is_done, true) {
            self.run(state)?;
        }
        self.returning.next(state)
    }

    fn rewind(&mut self) {
        unreachable!("a statement that changes rows runs once");
    }
}

/// DELETE.
pub(crate) struct Delete {
    relation: Arc<Relation>,
    input: Box<dyn Operator>,
    row_id: usize,
    old: Vec<(ColumnIndex, usize)>,
    recheck: Recheck,
    returning: Returning,
    is_done: bool,
}

impl Delete {
    pub(crate) fn new(
        delete: &physical::Delete,
        input: Box<dyn Operator>,
        layout: &Layout,
    ) -> Self {
        Self {
            relation: Arc::clone(&delete.table),
            input,
            row_id: layout.position(delete.row_id),
            old: delete.old.iter().map(|(column, id)| (*column, layout.position(*id))).collect(),
            recheck: Recheck {
                source: delete.input,
                row_id: delete.row_id,
                predicates: layout.evals(&delete.recheck),
                kept: places(delete.rerun.as_deref(), layout),
            },
            returning: Returning::new(&delete.returning, layout),
            is_done: false,
        }
    }

    fn run(&mut self, state: &mut State<'_>) -> Result<()> {
        let table = state.ctx.engine.table(self.relation.rel)?;
        let mut foreign = ForeignKeys::new(&self.relation, None);
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            let batch = batch.compact();
            let mut done = Mask::NONE;
            for row in 0..batch.rows() {
                let id = row_id(&batch, self.row_id, row);
                match early(&foreign, state, |txn| table.delete(txn, id))? {
                    WriteOutcome::Done => {
                        done.set(row, true);
                        foreign.note_deleted(Old { columns: &self.old, batch: &batch, row });
                    }
                    WriteOutcome::Changed(now) => {
                        self.delete_newest(&table, &batch, row, now, &mut foreign, state)?;
                    }
                    WriteOutcome::Gone | WriteOutcome::SelfModified => {}
                }
            }
            state.run.affected += done.count() as u64;
            let mut batch = batch;
            batch.select(&done);
            self.returning.take(&batch, state)?;
        }
        foreign.finish(state)
    }
}

impl Delete {
    /// Deletes a row whose newest version another transaction made, if it still qualifies. It has the id `now`, and we hold its
    /// lock.
    fn delete_newest(
        &mut self,
        table: &Arc<Table>,
        batch: &Batch,
        row: usize,
        now: RowId,
        foreign: &mut ForeignKeys,
        state: &mut State<'_>,
    ) -> Result<()> {
        let newest = newest(table, self.row_id, &self.old, batch, row, now, state)?;
        let Some(newest) = self.recheck.run(newest, now, state)? else {
            return Ok(());
        };
        let outcome = early(foreign, state, |txn| table.delete_latest(txn, now))?;
        if outcome != WriteOutcome::Done {
            return Ok(());
        }
        foreign.note_deleted(Old { columns: &self.old, batch: &newest, row: 0 });
        state.run.affected += 1;
        self.returning.take(&newest, state)
    }
}

impl Operator for Delete {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if !std::mem::replace(&mut self.is_done, true) {
            self.run(state)?;
        }
        self.returning.next(state)
    }

    fn rewind(&mut self) {
        unreachable!("a statement that changes rows runs once");
    }
}
