//! Rows divided by the hash of their keys, so that each part can be worked on alone.
//!
//! Level 0 looks at the topmost bits of the hash, each further level at the next: a part that is still too large is divided again. Hash tables
//! use the lowest bits, so a part's rows are spread over all buckets of its table.

use super::{BLOCK_BYTES, BlockList, Blocks, SpillWriter};
use crate::context::{Grant, State};
use crate::store::Store;
use damask_types::{Result, TILE_ROWS, TypeId, Vector};
use std::sync::Arc;

/// Bits of the hash that a level looks at.
const BITS: u32 = 4;

/// Parts that rows are divided into.
pub(crate) const PARTITIONS: usize = 1 << BITS;

/// Levels there are; rows that are together on the last have (nearly) one hash, and dividing them is given up.
pub(crate) const LEVELS: u32 = 8;

const _: () =
    assert!(BITS * LEVELS <= 32, "hash tables of 2^32 buckets must not see the same bits");

/// The part of a hash.
#[inline]
pub(crate) fn partition(hash: u64, level: u32) -> usize {
    (hash >> (64 - BITS * (level + 1))) as usize & (PARTITIONS - 1)
}

/// Divides rows.
#[derive(Debug)]
pub(crate) struct Partitions {
    level: u32,
    types: Arc<[TypeId]>,
    writer: SpillWriter,
    /// Rows of each part that are not written yet.
    buffers: Vec<Store>,
    lists: Vec<BlockList>,
    /// The rows of a tile by part, kept for its memory.
    rows: Vec<Vec<u32>>,
    buffer_bytes: usize,
    _grant: Grant,
}

/// A part: its rows and the level at which it would be divided again.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) blocks: Blocks,
    pub(crate) level: u32,
}

impl Partitions {
    /// An empty division at `level`.
    ///
    /// # Errors
    /// 53100 and other failures to make a file; 53200.
    pub(crate) fn new(level: u32, types: &Arc<[TypeId]>, state: &State<'_>) -> Result<Self> {
        assert!(level < LEVELS, "who divides looks at the level first");
        let buffer_bytes = (state.ctx.hash_mem_bytes / (2 * PARTITIONS)).clamp(4096, BLOCK_BYTES);
        let mut grant = Grant::default();
        grant.grow(buffer_bytes * PARTITIONS, &state.run.memory)?;
        Ok(Self {
            level,
            types: Arc::clone(types),
            writer: SpillWriter::new(state)?,
            buffers: (0..PARTITIONS).map(|_| Store::new(types.iter().copied())).collect(),
            lists: vec![BlockList::default(); PARTITIONS],
            rows: vec![vec![]; PARTITIONS],
            buffer_bytes,
            _grant: grant,
        })
    }

    /// Takes rows of a tile; `hashes` is by row of the tile.
    pub(crate) fn push(
        &mut self,
        columns: &[Vector],
        rows: impl Iterator<Item = usize>,
        hashes: &[u64],
        state: &State<'_>,
    ) -> Result<()> {
        for row in rows {
            self.rows[partition(hashes[row], self.level)].push(row as u32);
        }
        for part in 0..PARTITIONS {
            let rows = &mut self.rows[part];
            if rows.is_empty() {
                continue;
            }
            let buffer = &mut self.buffers[part];
            buffer.append(columns, rows);
            rows.clear();
            if buffer.len() >= TILE_ROWS || buffer.bytes() >= self.buffer_bytes {
                self.write(part, state)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, part: usize, state: &State<'_>) -> Result<()> {
        let buffer = &mut self.buffers[part];
        let order: Vec<u32> = (0..buffer.len() as u32).collect();
        self.writer.write_rows(buffer, &order, &mut self.lists[part], state)?;
        buffer.clear();
        Ok(())
    }

    /// The parts by number, also the empty ones.
    pub(crate) fn finish(mut self, state: &State<'_>) -> Result<Vec<Part>> {
        for part in 0..PARTITIONS {
            self.write(part, state)?;
        }
        let file = self.writer.finish();
        let part =
            |list| Part { blocks: Blocks::new(&file, &self.types, list), level: self.level + 1 };
        Ok(self.lists.into_iter().map(part).collect())
    }
}

/// Bytes on disk of some parts.
pub(crate) fn bytes_of(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.blocks.bytes()).sum()
}
