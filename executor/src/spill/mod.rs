//! What operators do when their rows do not fit: rows in temporary files, sorted or by hash.
//!
//! An operator that holds more than its soft limit (`work_mem`; see [`crate::context::State::should_spill`]) writes rows as blocks of at most
//! a tile and goes on with empty hands. [`Blocks`] is a list of such blocks, which can be read in order any number of times.
//! [`sorter`] and [`merge`] are the external sort, [`partition`] divides rows by hash for the hash operators, [`spool`] keeps rows in
//! their order for who reads them several times.
//!
//! Invariants
//! - SP1: a block is read back as the rows that were written ([`codec`]), or the statement fails with XX001.
//! - SP2: files belong to values of the operators, so they are gone when the execution is dropped, by its end, an error, a cancel or a
//!   panic alike.
//! - SP3: what an operator holds beside its file (a block of each run, a buffer of each partition) is reserved like everything else.
//!
//! Left out: writing ahead and reading ahead on other threads; compression.

pub(crate) mod codec;
pub(crate) mod merge;
pub(crate) mod partition;
pub(crate) mod sorter;
pub(crate) mod spool;

use crate::context::State;
use crate::store::Store;
use damask_txn::{TempBlock, TempFile, TempFolder};
use damask_types::{Batch, Result, TILE_ROWS, TypeId};
use std::sync::Arc;

/// About how many bytes a block has at most; single rows may be larger.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;

/// Rows in blocks of a file.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    file: Arc<TempFile>,
    types: Arc<[TypeId]>,
    list: BlockList,
}

/// Where some rows lie in a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockList {
    blocks: Vec<TempBlock>,
    rows: u64,
    bytes: u64,
}

impl Blocks {
    pub(crate) fn new(file: &Arc<TempFile>, types: &Arc<[TypeId]>, list: BlockList) -> Self {
        Self { file: Arc::clone(file), types: Arc::clone(types), list }
    }

    /// Block `index`; `None` behind the last.
    pub(crate) fn read(&self, index: usize, buffer: &mut Vec<u8>) -> Result<Option<Batch>> {
        let Some(&block) = self.list.blocks.get(index) else { return Ok(None) };
        codec::decode(&self.types, self.file.read(block, buffer)?).map(Some)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.list.rows
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.list.bytes
    }

    /// Its blocks, one after the other.
    pub(crate) fn reader(self) -> BlockReader {
        BlockReader { blocks: self, at: 0, buffer: vec![] }
    }
}

/// Reads blocks in order.
#[derive(Debug)]
pub(crate) struct BlockReader {
    blocks: Blocks,
    at: usize,
    buffer: Vec<u8>,
}

impl BlockReader {
    pub(crate) fn next(&mut self) -> Result<Option<Batch>> {
        let batch = self.blocks.read(self.at, &mut self.buffer)?;
        self.at += usize::from(batch.is_some());
        Ok(batch)
    }

    /// Goes back to the first block.
    pub(crate) fn restart(&mut self) {
        self.at = 0;
    }

    /// Whether a block is left.
    pub(crate) fn has_more(&self) -> bool {
        self.at < self.blocks.list.blocks.len()
    }
}

/// A file that rows are written to.
#[derive(Debug)]
pub(crate) struct SpillWriter {
    file: TempFile,
    buffer: Vec<u8>,
}

impl SpillWriter {
    pub(crate) fn new(state: &State<'_>) -> Result<Self> {
        Self::create(state.ctx.engine.temp_folder())
    }

    pub(crate) fn create(folder: &Arc<TempFolder>) -> Result<Self> {
        Ok(Self { file: folder.create()?, buffer: vec![] })
    }

    /// Writes the active rows of a batch as a block, if there are any.
    pub(crate) fn write(&mut self, batch: &Batch, list: &mut BlockList) -> Result<()> {
        let rows = batch.selected_count();
        if rows == 0 {
            return Ok(());
        }
        self.buffer.clear();
        codec::encode(batch, &mut self.buffer)?;
        list.blocks.push(self.file.append(&self.buffer)?);
        list.rows += rows as u64;
        list.bytes += self.buffer.len() as u64;
        Ok(())
    }

    /// Writes rows of a store in this order.
    pub(crate) fn write_rows(
        &mut self,
        store: &Store,
        order: &[u32],
        list: &mut BlockList,
        state: &State<'_>,
    ) -> Result<()> {
        for rows in order.chunks(rows_per_block(store)) {
            state.check()?;
            self.write(&store.gather(rows), list)?;
        }
        Ok(())
    }

    /// Bytes written.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// The file, to be read.
    pub(crate) fn finish(self) -> Arc<TempFile> {
        Arc::new(self.file)
    }
}

/// How many rows of a store make a block.
fn rows_per_block(store: &Store) -> usize {
    let rows = (BLOCK_BYTES as u128 * store.len() as u128) / store.bytes().max(1) as u128;
    usize::try_from(rows).unwrap_or(TILE_ROWS).clamp(1, TILE_ROWS)
}
