//! Operators that keep nothing between tiles, or next to nothing.

use super::Operator;
use super::modify::row_id_column;
use super::recheck::{Pin, Pins, run_again};
use crate::build::{Layout, types};
use crate::context::State;
use crate::eval::Eval;
use damask_functions::registry::TableFunction;
use damask_planner::expr::{ColumnId, Expr};
use damask_planner::physical::{LockStrength, LockWait, LockedTable, Node, PlanId};
use damask_txn::{LockOutcome, RowLock, Wait};
use damask_types::{
    Batch, Error, Mask, RelId, Result, RowId, SqlState, TILE_ROWS, TypeId, Value, Vector,
    VectorBuilder,
};

/// Rows of expressions.
pub(crate) struct Values {
    rows: Vec<Vec<Eval>>,
    types: Vec<TypeId>,
    at: usize,
}

impl Values {
    pub(crate) fn new(node: &Node, rows: &[Vec<Expr>]) -> Self {
        let layout = Layout::default();
        Self { rows: rows.iter().map(|row| layout.evals(row)).collect(), types: types(node), at: 0 }
    }
}

impl Operator for Values {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let rows = (self.rows.len() - self.at).min(TILE_ROWS);
        if rows == 0 {
            return Ok(None);
        }
        let mut builders: Vec<_> =
            self.types.iter().map(|&ty| VectorBuilder::new(ty, rows)).collect();
        for row in &self.rows[self.at..self.at + rows] {
            for (eval, builder) in row.iter().zip(&mut builders) {
                builder.push(&eval.value(state)?);
            }
        }
        self.at += rows;
        Ok(Some(Batch::new(builders.into_iter().map(VectorBuilder::finish).collect(), rows)))
    }

    fn rewind(&mut self) {
        self.at = 0;
    }
}

/// The batch handed in from outside.
#[derive(Default)]
pub(crate) struct InputRows {
    is_given: bool,
}

impl Operator for InputRows {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let is_given = std::mem::replace(&mut self.is_given, true);
        Ok(state.run.input.clone().filter(|_| !is_given))
    }

    fn rewind(&mut self) {
        self.is_given = false;
    }
}

/// Narrows a batch to the rows for which every predicate is true, one predicate after the other.
pub(crate) fn apply_predicates(
    predicates: &[Eval],
    batch: &mut Batch,
    state: &mut State<'_>,
) -> Result<()> {
    for predicate in predicates {
        let active = batch.active();
        if active.is_empty() {
            return Ok(());
        }
        let kept = predicate.run(batch, &active, state)?.true_rows();
        batch.select(&kept);
    }
    Ok(())
}

/// Rows for which every predicate is true.
pub(crate) struct Filter {
    input: Box<dyn Operator>,
    predicates: Vec<Eval>,
}

impl Filter {
    pub(crate) fn new(input: Box<dyn Operator>, predicates: Vec<Eval>) -> Self {
        Self { input, predicates }
    }
}

impl Operator for Filter {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        loop {
            state.check()?;
            let Some(mut batch) = self.input.next(state)? else {
                return Ok(None);
            };
            apply_predicates(&self.predicates, &mut batch, state)?;
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        self.input.rewind();
    }
}

/// Below this share of rows that count, a tile is made dense before expressions run over it.
const COMPACT_BELOW: usize = 4;

/// A batch without most of the rows that do not count.
fn dense(batch: Batch) -> Batch {
    if batch.selection.is_some() && batch.selected_count() * COMPACT_BELOW < batch.rows() {
        batch.compact()
    } else {
        batch
    }
}

/// Expressions over the input.
pub(crate) struct Project {
    input: Box<dyn Operator>,
    exprs: Vec<Eval>,
}

impl Project {
    pub(crate) fn new(input: Box<dyn Operator>, exprs: Vec<Eval>) -> Self {
        Self { input, exprs }
    }
}

impl Operator for Project {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let Some(batch) = self.input.next(state)? else {
            return Ok(None);
        };
        let batch = dense(batch);
        let active = batch.active();
        let columns = self
            .exprs
            .iter()
            .map(|expr| expr.run(&batch, &active, state))
            .collect::<Result<Vec<_>>>()?;
        let mut out = Batch::new(columns, batch.rows());
        out.selection = batch.selection;
        Ok(Some(out))
    }

    fn rewind(&mut self) {
        self.input.rewind();
    }
}

type RowIterator = Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>;

/// Set-returning functions beside the input's columns.
pub(crate) struct ProjectSet {
    input: Box<dyn Operator>,
    functions: Vec<(&'static TableFunction, Vec<Eval>, TypeId)>,
    input_types: Vec<TypeId>,
    /// The input batch being expanded, its rows still to come, and the values of their arguments.
    current: Option<Expanding>,
}

struct Expanding {
    batch: Batch,
    rows: std::vec::IntoIter<usize>,
    args: Vec<Vec<Vector>>,
    row: Option<(usize, Vec<Option<RowIterator>>)>,
}

impl ProjectSet {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        functions: Vec<(&'static TableFunction, Vec<Eval>, TypeId)>,
        input_types: Vec<TypeId>,
    ) -> Self {
        Self { input, functions, input_types, current: None }
    }

    fn begin(&self, batch: Batch, state: &mut State<'_>) -> Result<Expanding> {
        let active = batch.active();
        let args = self
            .functions
            .iter()
            .map(|(_, args, _)| args.iter().map(|arg| arg.run(&batch, &active, state)).collect())
            .collect::<Result<Vec<Vec<Vector>>>>()?;
        let rows: Vec<usize> = active.iter().collect();
        Ok(Expanding { batch, rows: rows.into_iter(), args, row: None })
    }
}

/// The rows of a function for one set of arguments; none if one is null (the functions are strict).
pub(crate) fn function_rows(
    function: &TableFunction,
    args: &[Value],
    state: &State<'_>,
) -> Result<Option<RowIterator>> {
    if args.iter().any(Value::is_null) {
        return Ok(None);
    }
    (function.rows)(&*state.ctx.session, args).map(Some)
}

impl Operator for ProjectSet {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let mut out: Vec<_> = self
            .input_types
            .iter()
            .copied()
            .chain(self.functions.iter().map(|(_, _, ty)| *ty))
            .map(|ty| VectorBuilder::new(ty, 0))
            .collect();
        let mut count = 0;
        while count < TILE_ROWS {
            let Some(current) = &mut self.current else {
                state.check()?;
                let Some(batch) = self.input.next(state)? else { break };
                self.current = Some(self.begin(batch, state)?);
                continue;
            };
            let Some((row, iterators)) = &mut current.row else {
                let Some(row) = current.rows.next() else {
                    self.current = None;
                    continue;
                };
                let iterators = self
                    .functions
                    .iter()
                    .zip(&current.args)
                    .map(|((function, ..), args)| {
                        let args: Vec<Value> = args.iter().map(|arg| arg.value(row)).collect();
                        function_rows(function, &args, state)
                    })
                    .collect::<Result<Vec<_>>>()?;
                current.row = Some((row, iterators));
                continue;
            };
            // One step of every function; a function that is through gives null until all are.
            let mut values = Vec::with_capacity(iterators.len());
            let mut any = false;
            for iterator in iterators.iter_mut() {
                let next = iterator.as_mut().and_then(Iterator::next).transpose()?;
                any |= next.is_some();
                values.push(next.and_then(|row| row.into_iter().next()).unwrap_or(Value::Null));
            }
            if !any {
                current.row = None;
                continue;
            }
            for (builder, column) in out.iter_mut().zip(&current.batch.columns) {
                builder.push(&column.value(*row));
            }
            for (builder, value) in out[self.input_types.len()..].iter_mut().zip(&values) {
                builder.push(value);
            }
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        Ok(Some(Batch::new(out.into_iter().map(VectorBuilder::finish).collect(), count)))
    }

    fn rewind(&mut self) {
        self.current = None;
        self.input.rewind();
    }
}

/// The first rows.
pub(crate) struct Limit {
    input: Box<dyn Operator>,
    count: Option<Eval>,
    offset: Option<Eval>,
    /// Rows still to leave out and still to give; set on the first call.
    left: Option<(u64, u64)>,
}

impl Limit {
    pub(crate) fn new(input: Box<dyn Operator>, limit: Option<Eval>, offset: Option<Eval>) -> Self {
        Self { input, count: limit, offset, left: None }
    }
}

/// The values of LIMIT and OFFSET.
///
/// # Errors
/// 2201W and 2201X for negative ones.
pub(crate) fn limits(
    limit: Option<&Eval>,
    offset: Option<&Eval>,
    state: &mut State<'_>,
) -> Result<(u64, u64)> {
    let mut value = |eval: Option<&Eval>| -> Result<Option<i64>> {
        Ok(match eval {
            Some(eval) => eval.value(state)?.as_i64(),
            None => None,
        })
    };
    let (limit, offset) = (value(limit)?, value(offset)?);
    if offset.is_some_and(|offset| offset < 0) {
        return Err(Error::new(
            SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
            "OFFSET must not be negative",
        ));
    }
    Ok((offset.map_or(0, i64::cast_unsigned), row_limit(limit)?))
}

/// How many rows a value of LIMIT lets through.
///
/// # Errors
/// 2201W for a negative one.
pub(crate) fn row_limit(limit: Option<i64>) -> Result<u64> {
    match limit {
        None => Ok(u64::MAX),
        Some(limit) => u64::try_from(limit).map_err(|_| {
            Error::new(SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative")
        }),
    }
}

impl Operator for Limit {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let (mut skip, mut take) = match self.left {
            Some(left) => left,
            None => limits(self.count.as_ref(), self.offset.as_ref(), state)?,
        };
        let result = loop {
            if take == 0 {
                break None;
            }
            state.check()?;
            let Some(mut batch) = self.input.next(state)? else { break None };
            let count = batch.selected_count() as u64;
            if count <= skip {
                skip -= count;
                continue;
            }
            if skip > 0 || count - skip > take {
                let mut kept = Mask::NONE;
                let rows = batch.active();
                for row in rows
                    .iter()
                    .skip(skip as usize)
                    .take(usize::try_from(take).unwrap_or(usize::MAX))
                {
                    kept.set(row, true);
                }
                batch.select(&kept);
                skip = 0;
            }
            take -= batch.selected_count() as u64;
            break Some(batch);
        };
        self.left = Some((skip, take));
        Ok(result)
    }

    fn rewind(&mut self) {
        self.left = None;
        self.input.rewind();
    }
}

/// Locks the rows it passes on, one by one: what stands above may want no more (`LIMIT 1 FOR UPDATE SKIP LOCKED`).
///
/// READ COMMITTED: a row that is no longer what the statement saw is tried again in its newest version ([`super::recheck`]) and passed on
/// as it is now, or left out.
pub(crate) struct LockRows {
    input: Box<dyn Operator>,
    source: PlanId,
    /// A tile of the input, and its rows that are still to be locked.
    waiting: Option<(Batch, std::vec::IntoIter<u32>)>,
    tables: Vec<Locked>,
    /// Places of the columns that a row which is tried again keeps.
    kept: Vec<usize>,
}

/// A table whose rows are locked.
struct Locked {
    row_id: ColumnId,
    /// Where the row id stands in the input.
    position: usize,
    rel: RelId,
    name: String,
    lock: RowLock,
    wait: Wait,
}

impl LockRows {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        source: PlanId,
        layout: &Layout,
        tables: &[LockedTable],
        kept: &[ColumnId],
    ) -> Self {
        let locked = |table: &LockedTable| {
            let (lock, wait) = lock_of(table);
            Locked {
                row_id: table.row_id,
                position: layout.position(table.row_id),
                rel: table.table.rel,
                name: table.table.name.clone(),
                lock,
                wait,
            }
        };
        Self {
            input,
            source,
            waiting: None,
            tables: tables.iter().map(locked).collect(),
            kept: kept.iter().map(|&id| layout.position(id)).collect(),
        }
    }

    /// Locks one row of the waiting tile in every table; the row as it is then, or none if it is gone or left out.
    fn lock(&self, batch: &Batch, row: usize, state: &mut State<'_>) -> Result<Option<Batch>> {
        let columns = batch.columns.iter().map(|column| column.gather(&[row as u32])).collect();
        let mut one = Batch::new(columns, 1);
        let mut pins = Pins::with_capacity(self.tables.len());
        for locked in &self.tables {
            // Null in the null rows of an outer join.
            let Some(id) = batch.columns[locked.position].value(row).as_i64() else {
                pins.push((locked.row_id, Pin::Nothing));
                continue;
            };
            let id = RowId(id.cast_unsigned());
            let table = state.ctx.engine.table(locked.rel)?;
            let outcome = table.lock_row(state.txn, id, locked.lock, locked.wait);
            let outcome = outcome.map_err(|error| lock_error(error, locked.wait, &locked.name))?;
            let pin = match outcome {
                LockOutcome::Locked | LockOutcome::SelfModified => Pin::Seen(id),
                LockOutcome::Changed(now) => {
                    // Its id is one of the columns that are kept.
                    one.columns[locked.position] =
                        row_id_column(one.columns[locked.position].ty, now);
                    Pin::Newest(now)
                }
                LockOutcome::Gone | LockOutcome::Skipped => return Ok(None),
            };
            pins.push((locked.row_id, pin));
        }
        if pins.iter().any(|(_, pin)| matches!(pin, Pin::Newest(_))) {
            return run_again(self.source, pins, &self.kept, &one, state);
        }
        Ok(Some(one))
    }
}

/// The lock that a plan asks for, and what to do about other holders.
pub(crate) const fn lock_of(table: &LockedTable) -> (RowLock, Wait) {
    let lock = match table.strength {
        LockStrength::KeyShare => RowLock::KeyShare,
        LockStrength::Share => RowLock::Share,
        LockStrength::NoKeyUpdate => RowLock::NoKeyUpdate,
        LockStrength::Update => RowLock::Update,
    };
    let wait = match table.wait {
        LockWait::Wait => Wait::Wait,
        LockWait::NoWait => Wait::NoWait,
        LockWait::Skip => Wait::Skip,
    };
    (lock, wait)
}

/// An error of locking a row; NOWAIT's, which does not know the table's name, gets it.
pub(crate) fn lock_error(error: Error, wait: Wait, table: &str) -> Error {
    if error.sqlstate() != SqlState::LOCK_NOT_AVAILABLE || wait != Wait::NoWait {
        return error;
    }
    Error::new(
        SqlState::LOCK_NOT_AVAILABLE,
        format!("could not obtain lock on row in relation \"{table}\""),
    )
}

impl Operator for LockRows {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        loop {
            state.check()?;
            let Some((batch, mut rows)) = self.waiting.take() else {
                let Some(batch) = self.input.next(state)? else {
                    return Ok(None);
                };
                let rows: Vec<u32> = batch.active().iter().map(|row| row as u32).collect();
                self.waiting = Some((batch, rows.into_iter()));
                continue;
            };
            let Some(row) = rows.next() else { continue };
            let locked = self.lock(&batch, row as usize, state)?;
            self.waiting = Some((batch, rows));
            if let Some(one) = locked {
                return Ok(Some(one));
            }
        }
    }

    fn rewind(&mut self) {
        self.waiting = None;
        self.input.rewind();
    }
}
