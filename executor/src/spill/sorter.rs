//! Rows in, rows out in order: in memory while they fit, else as sorted runs that are merged.

use super::merge::Merge;
use super::{Blocks, SpillWriter};
use crate::context::{Grant, State};
use crate::operator::Rows;
use crate::order::Order;
use crate::spill::BlockList;
use damask_types::{Batch, Result, TILE_ROWS, TypeId};
use std::sync::Arc;

/// What is sorted, and by what.
#[derive(Clone, Debug)]
pub(crate) struct SortShape {
    pub(crate) order: Order,
    /// Where the keys stand among the columns.
    pub(crate) keys: Vec<usize>,
    /// The types of all columns taken in.
    pub(crate) types: Arc<[TypeId]>,
    /// How many of them, from the first on, come out.
    pub(crate) width: usize,
}

/// How a sort went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SortStats {
    /// Most bytes held.
    pub(crate) memory_bytes: u64,
    /// Bytes of the sorted runs on disk; 0 if all fitted.
    pub(crate) disk_bytes: u64,
}

/// Takes rows in.
#[derive(Debug)]
pub(crate) struct Sorter {
    shape: SortShape,
    rows: Rows,
    /// The runs written so far.
    runs: Option<(SpillWriter, Vec<BlockList>)>,
    stats: SortStats,
    /// For the order of the rows at hand.
    grant: Grant,
}

/// Bytes that sorting takes for each row beside the row.
const ROW_BYTES: usize = 16;

impl Sorter {
    pub(crate) fn new(shape: SortShape) -> Self {
        let rows = Rows::new(&shape.types);
        Self { shape, rows, runs: None, stats: SortStats::default(), grant: Grant::default() }
    }

    /// Takes the active rows of a batch.
    ///
    /// # Errors
    /// 53200, 53100.
    pub(crate) fn push(&mut self, batch: &Batch, state: &State<'_>) -> Result<()> {
        self.rows.append(batch, state)?;
        let store = &self.rows.store;
        let bytes = store.bytes() + store.len() * ROW_BYTES;
        self.stats.memory_bytes = self.stats.memory_bytes.max(bytes as u64);
        // Row numbers are u32, so a run ends before they do.
        let is_full = store.len() > u32::MAX as usize - 2 * TILE_ROWS;
        if state.should_spill(bytes, state.ctx.work_mem_bytes) || is_full {
            self.write_run(state)?;
        } else {
            self.grant.grow(store.len() * ROW_BYTES, &state.run.memory)?;
        }
        Ok(())
    }

    fn sorted(&self) -> Vec<u32> {
        let columns: Vec<_> =
            self.shape.keys.iter().map(|&key| &self.rows.store.columns[key]).collect();
        self.shape.order.sort(&columns, self.rows.store.len())
    }

    fn write_run(&mut self, state: &State<'_>) -> Result<()> {
        let order = self.sorted();
        let (writer, runs) = match &mut self.runs {
            Some(runs) => runs,
            None => self.runs.insert((SpillWriter::new(state)?, vec![])),
        };
        let mut run = BlockList::default();
        writer.write_rows(&self.rows.store, &order, &mut run, state)?;
        runs.push(run);
        self.stats.disk_bytes = writer.bytes();
        self.rows.clear();
        self.grant.clear();
        Ok(())
    }

    /// How it went so far.
    pub(crate) fn stats(&self) -> SortStats {
        self.stats
    }

    /// The rows in order; rows that compare equal in the order of their coming.
    pub(crate) fn finish(mut self, state: &State<'_>) -> Result<Sorted> {
        if self.runs.is_some() && self.rows.store.len() > 0 {
            self.write_run(state)?;
        }
        let Some((writer, runs)) = self.runs.take() else {
            let order = self.sorted();
            let width = self.shape.width;
            return Ok(Sorted::Memory { rows: self.rows, order, at: 0, width, _grant: self.grant });
        };
        let file = writer.finish();
        let blocks = |list| Blocks::new(&file, &self.shape.types, list);
        let runs = runs.into_iter().map(blocks).collect();
        Ok(Sorted::Runs(Box::new(Merge::new(self.shape, runs, state)?)))
    }
}

/// Gives rows in order.
#[derive(Debug)]
pub(crate) enum Sorted {
    Memory { rows: Rows, order: Vec<u32>, at: usize, width: usize, _grant: Grant },
    Runs(Box<Merge>),
}

impl Sorted {
    /// The next rows, at most a tile.
    pub(crate) fn next(&mut self, state: &State<'_>) -> Result<Option<Batch>> {
        state.check()?;
        match self {
            Self::Memory { rows, order, at, width, .. } => {
                let chunk = &order[*at..(*at + TILE_ROWS).min(order.len())];
                *at += chunk.len();
                Ok((!chunk.is_empty()).then(|| rows.store.gather_first(*width, chunk)))
            }
            Self::Runs(merge) => merge.next(),
        }
    }
}
