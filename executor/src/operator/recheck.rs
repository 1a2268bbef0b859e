//! Trying a row again whose version changed while it was waited for (READ COMMITTED).
//!
//! PostgreSQL runs the plan once more for that one row: each locked or changed table gives its row alone, in the newest version, the
//! other tables the rows they gave before, and subqueries run anew under the same snapshot. Whatever comes out takes the row's place;
//! if nothing does, the row no longer qualifies. Rows that begin to match meanwhile are not looked for.
//!
//! Here the input is built again with [`Pins`] in the run's state, which its scans obey, and of what it gives the first row is taken whose
//! `kept` columns are those of the old one: row ids of stored tables, every column of what else is joined.
//!
//! What was computed once for the statement (subplans, common table expressions) stays as it is.

use crate::build::build;
use crate::context::State;
use damask_planner::expr::ColumnId;
use damask_planner::physical::PlanId;
use damask_txn::Table;
use damask_types::compare::not_distinct;
use damask_types::{Batch, ColumnIndex, Result, RowId, Value};

/// What the scan of a table gives while a row is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// Nothing: the null side of an outer join.
    Nothing,
    /// This row as the statement's view shows it.
    Seen(RowId),
    /// The newest version of this row. It is locked, so there is no newer one.
    Newest(RowId),
}

impl Pin {
    /// The row and these columns of it, if it is there.
    pub(crate) fn row(
        self,
        table: &Table,
        columns: &[ColumnIndex],
        state: &State<'_>,
    ) -> Result<Option<(RowId, Vec<Value>)>> {
        let (row, values) = match self {
            Self::Nothing => return Ok(None),
            Self::Seen(row) => (row, table.get(&state.run.view, row, columns)?),
            Self::Newest(row) => (row, table.latest(state.txn, row, columns)?),
        };
        Ok(values.map(|values| (row, values)))
    }
}

/// Pins by the column that holds the table's row id.
pub(crate) type Pins = Vec<(ColumnId, Pin)>;

/// What the input `source` gives for a row that it gave before, now that the row is another: at most one row. `one` is the old row,
/// with the present row ids of what is pinned.
pub(crate) fn run_again(
    source: PlanId,
    pins: Pins,
    kept: &[usize],
    one: &Batch,
    state: &mut State<'_>,
) -> Result<Option<Batch>> {
    let before = std::mem::replace(&mut state.run.pins, pins);
    let result = find(source, kept, one, state);
    state.run.pins = before;
    result
}

fn find(
    source: PlanId,
    kept: &[usize],
    one: &Batch,
    state: &mut State<'_>,
) -> Result<Option<Batch>> {
    let plan = std::sync::Arc::clone(&state.run.plan);
    let mut input = build(&plan, source, state)?;
    while let Some(found) = input.next(state)? {
        state.check()?;
        let is_same = |&candidate: &usize| {
            kept.iter().all(|&column| {
                let (old, new) = (&one.columns[column], &found.columns[column]);
                not_distinct(old.ty, &old.value(0), &new.value(candidate))
            })
        };
        let first = found.active().iter().find(is_same);
        if let Some(at) = first {
            let columns = found.columns.iter().map(|column| column.gather(&[at as u32])).collect();
            return Ok(Some(Batch::new(columns, 1)));
        }
    }
    Ok(None)
}
