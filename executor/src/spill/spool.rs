//! Rows in their order, read any number of times: as many as fit in memory, the rest in a file.

use super::{BLOCK_BYTES, BlockList, Blocks, SpillWriter};
use crate::context::State;
use crate::operator::{Operator, Rows};
use damask_types::{Batch, Result, TILE_ROWS, TypeId};
use std::sync::Arc;

/// The rows of a materialised input.
#[derive(Debug)]
pub(crate) struct Spool {
    types: Arc<[TypeId]>,
    /// The first rows.
    rows: Rows,
    /// While rows come: the file for those that did not fit, and the rows of the block that is being filled.
    overflow: Option<(SpillWriter, BlockList, Rows)>,
    /// Behind the last row: the rows that did not fit.
    blocks: Option<Blocks>,
}

/// Where a reader of a spool stands.
#[derive(Debug, Default)]
pub(crate) struct SpoolPlace {
    /// Rows read.
    row: usize,
    block: usize,
    buffer: Vec<u8>,
}

impl SpoolPlace {
    /// Goes back to the first row.
    pub(crate) fn restart(&mut self) {
        (self.row, self.block) = (0, 0);
    }
}

impl Spool {
    pub(crate) fn new(types: &[TypeId]) -> Self {
        let rows = Rows::new(types);
        Self { types: types.into(), rows, overflow: None, blocks: None }
    }

    /// Takes in every row of an operator.
    ///
    /// # Errors
    /// What the operator raises; 53200, 53100.
    pub(crate) fn fill(
        types: &[TypeId],
        input: &mut dyn Operator,
        state: &mut State<'_>,
    ) -> Result<Self> {
        let mut spool = Self::new(types);
        while let Some(batch) = input.next(state)? {
            state.check()?;
            spool.push(&batch, state)?;
        }
        spool.finish(state)?;
        Ok(spool)
    }

    /// Takes the active rows of a batch.
    pub(crate) fn push(&mut self, batch: &Batch, state: &State<'_>) -> Result<()> {
        if self.overflow.is_none() {
            let is_full = self.rows.store.len() > u32::MAX as usize - 2 * TILE_ROWS;
            if !is_full && !state.should_spill(self.rows.store.bytes(), state.ctx.work_mem_bytes) {
                return self.rows.append(batch, state);
            }
            self.overflow =
                Some((SpillWriter::new(state)?, BlockList::default(), Rows::new(&self.types)));
        }
        let Some((writer, list, block)) = &mut self.overflow else { return Ok(()) };
        block.append(batch, state)?;
        if block.store.len() >= TILE_ROWS || block.store.bytes() >= BLOCK_BYTES {
            write_block(writer, list, block, state)?;
        }
        Ok(())
    }

    /// Ends the taking in; what is spooled can be read now.
    pub(crate) fn finish(&mut self, state: &State<'_>) -> Result<()> {
        if let Some((mut writer, mut list, mut block)) = self.overflow.take() {
            write_block(&mut writer, &mut list, &mut block, state)?;
            self.blocks = Some(Blocks::new(&writer.finish(), &self.types, list));
        }
        Ok(())
    }

    /// Rows in all.
    pub(crate) fn len(&self) -> usize {
        let spilled = self.blocks.as_ref().map_or(0, Blocks::rows);
        self.rows.store.len() + usize::try_from(spilled).unwrap_or(usize::MAX)
    }

    /// The next rows and the number of the first of them.
    pub(crate) fn read(&self, place: &mut SpoolPlace) -> Result<Option<(Batch, usize)>> {
        let from = place.row;
        let batch = if from < self.rows.store.len() {
            self.rows.store.tile(from)
        } else {
            let Some(blocks) = &self.blocks else { return Ok(None) };
            let Some(batch) = blocks.read(place.block, &mut place.buffer)? else {
                return Ok(None);
            };
            place.block += 1;
            batch
        };
        place.row += batch.rows();
        Ok(Some((batch, from)))
    }
}

fn write_block(
    writer: &mut SpillWriter,
    list: &mut BlockList,
    block: &mut Rows,
    state: &State<'_>,
) -> Result<()> {
    let order: Vec<u32> = (0..block.store.len() as u32).collect();
    writer.write_rows(&block.store, &order, list, state)?;
    block.clear();
    Ok(())
}
