//! Samples of tables for the planner, drawn when it first asks and again when a table has grown or shrunk.
//!
//! A sample is drawn by whoever plans, from what its transaction sees, and shared by all sessions; `ANALYZE` draws at once. Small tables
//! are read whole; of others rows are read at random row ids. Drawing one table again may take one part in
//! [`TIME_SHARE`] of the time that passes, so a table that changes all the time does not slow its statements down.
//!
//! Samples are not stored; a database that opens draws them anew, for the first statement that needs one (a lookup by a whole unique key does
//! not). So that this one does not read thousands of pages before it begins, a drawing that finds pages not to be in memory ends early, and
//! others follow under the same rule of time as long as each gets further: it finds in memory what the one before had read. `ANALYZE` draws to the end.
//!
//! Left out: an UPDATE that changes no count makes no sample stale.

use damask_catalog::object::{Relation, RelationKind};
use damask_planner::{Statistics, TableSample};
use damask_storage::env::Clock;
use damask_txn::{Engine, IsolationLevel, ReadView, ScanSpec, Table};
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlType, Value};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Rows drawn of a table.
const DRAWN_ROWS: usize = 8192;
/// Rows after each of which it is seen whether half of them or more had to be read from the file.
const COLD_ROWS: usize = 1024;
/// Places at which neighbours are drawn when row ids have too many gaps to hit rows at random.
const PLACES: usize = 128;
/// Rows that a table may gain or lose, beside a fifth of what it had, before its sample is stale.
const CHANGED_ROWS: f64 = 50.0;
/// The time between two drawings is at least so many times what the first took.
const TIME_SHARE: u32 = 100;
/// Samples that are kept.
const TABLES_MAX: usize = 4096;

/// A sample and when it was drawn.
#[derive(Clone, Debug)]
struct Drawn {
    sample: Arc<TableSample>,
    /// The types of the table's columns then.
    types: Vec<SqlType>,
    /// The table's count of rows then, as the engine estimates it.
    rows: f64,
    /// The rows after which it ended early, if the next one may get further.
    ended_after: Option<usize>,
    at: Duration,
    took: Duration,
}

/// Samples by table.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    tables: Mutex<HashMap<RelId, Drawn>>,
    /// Counts runs of ANALYZE: plans from before are made anew.
    epoch: AtomicU64,
}

impl Samples {
    /// How often ANALYZE has run.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// ANALYZE has run.
    pub(crate) fn advance(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sizes and samples of tables as one statement's planning sees them.
pub(crate) struct TableStatistics<'a> {
    pub(crate) samples: &'a Samples,
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) clock: &'a dyn Clock,
    /// What the transaction sees, if it has begun a statement.
    pub(crate) view: Option<ReadView>,
}

impl Statistics for TableStatistics<'_> {
    fn rows(&self, relation: &Relation) -> Option<f64> {
        if relation.kind != RelationKind::Table {
            return None;
        }
        self.engine.table(relation.rel).ok().map(|table| table.row_count_estimate() as f64)
    }

    fn sample(&self, relation: &Relation) -> Option<Arc<TableSample>> {
        if relation.kind != RelationKind::Table {
            return None;
        }
        let table = self.engine.table(relation.rel).ok()?;
        let rows = table.row_count_estimate() as f64;
        let now = self.clock.now();
        let kept = self.samples.tables.lock().get(&relation.rel).cloned();
        if let Some(drawn) = kept
            && is_of(&drawn, relation)
            && (drawn.ended_after.is_none() && !is_stale(drawn.rows, rows)
                || now.saturating_sub(drawn.at) < drawn.took * TIME_SHARE)
        {
            return Some(drawn.sample);
        }
        // Without a sample the planner guesses: no reason to fail a statement.
        self.draw(relation, &table, false).ok()
    }
}

/// Whether a table that had `then` rows has so many more or fewer now that estimates from then mislead.
pub(crate) fn is_stale(then: f64, now: f64) -> bool {
    (now - then).abs() > then * 0.2 + CHANGED_ROWS || (then == 0.0) != (now == 0.0)
}

fn is_of(drawn: &Drawn, relation: &Relation) -> bool {
    drawn.types.len() == relation.columns.len()
        && drawn.types.iter().zip(&relation.columns).all(|(ty, column)| *ty == column.ty)
}

impl TableStatistics<'_> {
    /// Draws the sample of a relation, if it is a table, whatever the age of the one there is.
    ///
    /// # Errors
    /// What reading the table raises.
    pub(crate) fn analyze(&self, relation: &Relation) -> Result<()> {
        if relation.kind == RelationKind::Table {
            self.draw(relation, &*self.engine.table(relation.rel)?, true)?;
        }
        Ok(())
    }

    fn draw(
        &self,
        relation: &Relation,
        table: &Table,
        to_the_end: bool,
    ) -> Result<Arc<TableSample>> {
        let rows = table.row_count_estimate() as f64;
        let at = self.clock.now();
        let view = if let Some(view) = &self.view {
            view.clone()
        } else {
            let mut txn = self.engine.begin(IsolationLevel::ReadCommitted, true)?;
            txn.begin_statement()?;
            txn.view()?
        };
        let columns: Vec<ColumnIndex> = relation.live_columns().map(|(index, _)| index).collect();
        let (drawn, ended_early) = if rows <= DRAWN_ROWS as f64 {
            (whole(table, &view, &columns)?, false)
        } else {
            let loads = || self.engine.pool_statistics().load_count;
            random(table, &view, &columns, (!to_the_end).then_some(&loads))?
        };
        let types: Vec<SqlType> = relation.columns.iter().map(|column| column.ty).collect();
        let drawn_count = drawn.len();
        let drawn: Vec<Vec<Value>> =
            drawn.into_iter().map(|row| spread(row, &columns, types.len())).collect();
        // Of a small table everything that is visible was read.
        let table_rows = if rows <= DRAWN_ROWS as f64 { drawn.len() as f64 } else { rows };
        let sample = Arc::new(TableSample::new(&types, &drawn, table_rows));
        let took = self.clock.now().saturating_sub(at);
        let mut tables = self.samples.tables.lock();
        if tables.len() >= TABLES_MAX {
            tables.clear();
        }
        let before = tables.get(&relation.rel).and_then(|drawn| drawn.ended_after);
        let ended_after = (ended_early && Some(drawn_count) > before).then_some(drawn_count);
        let drawn = Drawn { sample: Arc::clone(&sample), types, rows, ended_after, at, took };
        tables.insert(relation.rel, drawn);
        Ok(sample)
    }
}

/// A row of some columns as one of all, the others null.
fn spread(row: Vec<Value>, columns: &[ColumnIndex], count: usize) -> Vec<Value> {
    let mut all = vec![Value::Null; count];
    for (value, column) in row.into_iter().zip(columns) {
        all[usize::from(column.0)] = value;
    }
    all
}

fn whole(table: &Table, view: &ReadView, columns: &[ColumnIndex]) -> Result<Vec<Vec<Value>>> {
    let mut drawn = vec![];
    let mut scan = table.scan(view, ScanSpec::new(columns.to_vec()))?;
    while let Some((batch, _)) = scan.next()? {
        // The count was an estimate; more than twice as many are not read.
        if drawn.len() > 2 * DRAWN_ROWS {
            break;
        }
        drawn.extend(
            (0..batch.rows()).map(|row| {
                batch.columns.iter().map(|column| column.value(row)).collect::<Vec<_>>()
            }),
        );
    }
    Ok(drawn)
}

/// Rows at random places, each with the same chance unless row ids have wide gaps. With `loads`, which counts the pages that were read from the
/// file, by whomever, there are fewer if they are not in memory; whether that is so is given, too.
fn random(
    table: &Table,
    view: &ReadView,
    columns: &[ColumnIndex],
    loads: Option<&dyn Fn() -> u64>,
) -> Result<(Vec<Vec<Value>>, bool)> {
    let Some((RowId(first), RowId(last))) = table.row_bounds()? else {
        return Ok((vec![], false));
    };
    let span = last - first;
    // A fixed sequence (splitmix64), so that one table gives one plan, and a second drawing finds what the first one read.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut place = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        first + ((u128::from(z) * (u128::from(span) + 1)) >> 64) as u64
    };
    let mut drawn = vec![];
    let mut loaded = loads.map_or(0, |loads| loads());
    for tried in 0..DRAWN_ROWS {
        // In order of their places rows of one page would be read together, but then the first ones would tell nothing of gaps, nor of the table.
        drawn.extend(table.get(view, RowId(place()), columns)?);
        if tried == DRAWN_ROWS / 16 && drawn.len() < tried / 4 {
            return Ok((neighbours(table, view, columns, &mut place)?, false));
        }
        if let Some(loads) = loads
            && (tried + 1) % COLD_ROWS == 0
        {
            let before = std::mem::replace(&mut loaded, loads());
            if loaded - before >= COLD_ROWS as u64 / 2 {
                return Ok((drawn, true));
            }
        }
    }
    Ok((drawn, false))
}

/// Rows that lie side by side at a few random places.
fn neighbours(
    table: &Table,
    view: &ReadView,
    columns: &[ColumnIndex],
    place: &mut dyn FnMut() -> u64,
) -> Result<Vec<Vec<Value>>> {
    let mut drawn = vec![];
    for _ in 0..PLACES {
        let range = (Bound::Included(RowId(place())), Bound::Unbounded);
        let spec = ScanSpec { row_range: Some(range), ..ScanSpec::new(columns.to_vec()) };
        if let Some((batch, _)) = table.scan(view, spec)?.next()? {
            let step = batch.rows().div_ceil(DRAWN_ROWS / PLACES).max(1);
            drawn.extend((0..batch.rows()).step_by(step).map(|row| {
                batch.columns.iter().map(|column| column.value(row)).collect::<Vec<_>>()
            }));
        }
    }
    Ok(drawn)
}
