//! Merges sorted runs by a loser tree.
//!
//! The tree's leaves are the runs; every inner node keeps the run that lost the comparison there, and the winner of all stands on
//! top. When the winner moves on, only the path from its leaf to the top is played again: log2(runs) comparisons a row, each of
//! them of two prefixes first (see [`crate::order`]). Of equal rows the run that was written first wins, which makes the sort stable.
//!
//! With more runs than blocks fit into the soft limit, neighbours are merged into longer runs first. Source: Knuth, volume 3, 5.4.1.

use super::sorter::SortShape;
use super::{BLOCK_BYTES, BlockReader, Blocks, SpillWriter};
use crate::context::{Grant, State};
use crate::spill::BlockList;
use crate::store::Column;
use damask_types::{Batch, Result, TILE_ROWS};
use std::cmp::Ordering;

/// Fewest and most runs that are merged at once.
const FAN_IN: std::ops::RangeInclusive<usize> = 6..=512;

/// Runs being merged.
#[derive(Debug)]
pub(crate) struct Merge {
    shape: SortShape,
    cursors: Vec<Cursor>,
    /// `losers[0]` is the winner, `losers[1..]` the losers of the inner nodes.
    losers: Vec<usize>,
    /// The blocks that rows of the tile at hand come from.
    sources: Vec<Batch>,
    _grant: Grant,
}

/// Where a run stands.
#[derive(Debug)]
struct Cursor {
    reader: BlockReader,
    /// Its block among the sources; `None` at its end.
    source: Option<usize>,
    row: usize,
    prefixes: Vec<u64>,
}

impl Merge {
    pub(crate) fn new(shape: SortShape, mut runs: Vec<Blocks>, state: &State<'_>) -> Result<Self> {
        let fan_in = (state.ctx.work_mem_bytes / BLOCK_BYTES).clamp(*FAN_IN.start(), *FAN_IN.end());
        while runs.len() > fan_in {
            runs = Self::shorten(&shape, runs, fan_in, state)?;
        }
        Self::begin(shape, runs, state)
    }

    /// Merges neighbouring runs into longer ones.
    fn shorten(
        shape: &SortShape,
        runs: Vec<Blocks>,
        fan_in: usize,
        state: &State<'_>,
    ) -> Result<Vec<Blocks>> {
        let mut writer = SpillWriter::new(state)?;
        let mut lists = vec![];
        for neighbours in runs.chunks(fan_in) {
            let all = SortShape { width: shape.types.len(), ..shape.clone() };
            let mut merge = Self::begin(all, neighbours.to_vec(), state)?;
            let mut list = BlockList::default();
            while let Some(batch) = merge.next()? {
                state.check()?;
                writer.write(&batch, &mut list)?;
            }
            lists.push(list);
        }
        let file = writer.finish();
        Ok(lists.into_iter().map(|list| Blocks::new(&file, &shape.types, list)).collect())
    }

    fn begin(shape: SortShape, runs: Vec<Blocks>, state: &State<'_>) -> Result<Self> {
        let mut grant = Grant::default();
        // A block's rows, decoded, and its bytes.
        grant.grow(2 * BLOCK_BYTES * runs.len(), &state.run.memory)?;
        let cursors: Vec<Cursor> = runs
            .into_iter()
            .map(|run| Cursor { reader: run.reader(), source: None, row: 0, prefixes: vec![] })
            .collect();
        let mut merge = Self { shape, losers: vec![], cursors, sources: vec![], _grant: grant };
        for run in 0..merge.cursors.len() {
            merge.load(run)?;
        }
        merge.play_all();
        Ok(merge)
    }

    /// Reads a run's next block.
    fn load(&mut self, run: usize) -> Result<()> {
        let cursor = &mut self.cursors[run];
        cursor.row = 0;
        cursor.source = match cursor.reader.next()? {
            None => None,
            Some(batch) => {
                if let Some(&key) = self.shape.keys.first() {
                    cursor.prefixes = self.shape.order.prefixes(&batch.columns[key]);
                }
                self.sources.push(batch);
                Some(self.sources.len() - 1)
            }
        };
        Ok(())
    }

    /// Whether run `a` stands at an earlier row than run `b`.
    fn is_before(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.cursors[a], &self.cursors[b]);
        let (Some(left), Some(right)) = (x.source, y.source) else {
            return x.source.is_some();
        };
        let rough = if self.shape.keys.is_empty() {
            Ordering::Equal
        } else {
            x.prefixes[x.row].cmp(&y.prefixes[y.row])
        };
        let ordering = rough.then_with(|| {
            self.shape.order.compare_rows(
                &self.shape.keys,
                (&self.sources[left].columns, x.row),
                (&self.sources[right].columns, y.row),
            )
        });
        ordering.then(a.cmp(&b)) == Ordering::Less
    }

    /// Plays every game: leaf `run` is node `runs + run` of a binary tree whose top is node 1.
    fn play_all(&mut self) {
        let runs = self.cursors.len();
        let mut winners = vec![0; 2 * runs];
        for run in 0..runs {
            winners[runs + run] = run;
        }
        self.losers = vec![0; runs.max(1)];
        for node in (1..runs).rev() {
            let (a, b) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if self.is_before(a, b) { (a, b) } else { (b, a) };
            winners[node] = winner;
            self.losers[node] = loser;
        }
        self.losers[0] = if runs > 1 { winners[1] } else { 0 };
    }

    /// Plays the games of a run that moved on.
    fn play_again(&mut self, run: usize) {
        let mut winner = run;
        // The parent of leaf `run`.
        let mut node = (self.cursors.len() + run) >> 1;
        while node > 0 {
            if self.is_before(self.losers[node], winner) {
                std::mem::swap(&mut self.losers[node], &mut winner);
            }
            node /= 2;
        }
        self.losers[0] = winner;
    }

    /// The next rows, at most a tile.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>> {
        let mut picks: Vec<(u32, u32)> = Vec::with_capacity(TILE_ROWS);
        while picks.len() < TILE_ROWS && !self.cursors.is_empty() {
            let run = self.losers[0];
            let cursor = &mut self.cursors[run];
            let Some(source) = cursor.source else { break };
            picks.push((source as u32, cursor.row as u32));
            cursor.row += 1;
            if cursor.row == self.sources[source].rows() {
                self.load(run)?;
            }
            self.play_again(run);
        }
        let batch = (!picks.is_empty()).then(|| self.gather(&picks));
        self.forget_read_blocks();
        Ok(batch)
    }

    /// The picked rows' columns that come out.
    fn gather(&self, picks: &[(u32, u32)]) -> Batch {
        // Rows are copied source by source and put in order afterwards: a column at a time instead of a row at a time.
        let mut rows: Vec<Vec<u32>> = vec![vec![]; self.sources.len()];
        for &(source, row) in picks {
            rows[source as usize].push(row);
        }
        let mut next = vec![0; rows.len()];
        for source in 1..rows.len() {
            next[source] = next[source - 1] + rows[source - 1].len() as u32;
        }
        let places: Vec<u32> = picks
            .iter()
            .map(|&(source, _)| {
                let place = &mut next[source as usize];
                *place += 1;
                *place - 1
            })
            .collect();
        let columns = (0..self.shape.width).map(|at| {
            let mut column = Column::new(self.shape.types[at]);
            for (source, rows) in self.sources.iter().zip(&rows) {
                if !rows.is_empty() {
                    column.append(&source.columns[at], rows);
                }
            }
            column.gather(&places)
        });
        Batch::new(columns.collect(), picks.len())
    }

    /// Keeps the blocks at which the runs stand.
    fn forget_read_blocks(&mut self) {
        let live = self.cursors.iter().filter(|cursor| cursor.source.is_some()).count();
        if self.sources.len() == live {
            return;
        }
        let mut kept = Vec::with_capacity(self.cursors.len());
        for cursor in &mut self.cursors {
            if let Some(source) = &mut cursor.source {
                kept.push(self.sources[*source].clone());
                *source = kept.len() - 1;
            }
        }
        self.sources = kept;
    }
}
