//! The rows of a cursor that outlives its transaction (WITH HOLD): as many as `work_mem` allows in memory, the rest in a file.

use crate::spill::{BlockList, BlockReader, Blocks, SpillWriter};
use crate::store::Store;
use damask_txn::TempFolder;
use damask_types::{Batch, Result, TypeId};
use std::sync::Arc;

/// Rows in order, read once.
#[derive(Debug)]
pub struct HeldRows {
    /// The first rows, and how many of them were read.
    kept: Store,
    at: usize,
    /// The others.
    rest: Option<BlockReader>,
}

impl HeldRows {
    /// Takes rows of these types until `next` gives none.
    pub(crate) fn collect(
        types: &[TypeId],
        folder: &Arc<TempFolder>,
        work_mem_bytes: usize,
        mut next: impl FnMut() -> Result<Option<Batch>>,
    ) -> Result<Self> {
        let mut kept = Store::new(types.iter().copied());
        let mut rest: Option<(SpillWriter, BlockList)> = None;
        while let Some(batch) = next()? {
            if rest.is_none() && kept.bytes() < work_mem_bytes {
                kept.append_batch(&batch);
                continue;
            }
            let (writer, list) = match &mut rest {
                Some(rest) => rest,
                None => rest.insert((SpillWriter::create(folder)?, BlockList::default())),
            };
            writer.write(&batch, list)?;
        }
        let types = types.into();
        let rest = rest.map(|(writer, list)| Blocks::new(&writer.finish(), &types, list).reader());
        Ok(Self { kept, at: 0, rest })
    }

    /// The next rows, at most a tile.
    ///
    /// # Errors
    /// XX001 if the file does not hold what was written.
    pub fn next_rows(&mut self) -> Result<Option<Batch>> {
        if self.at < self.kept.len() {
            let batch = self.kept.tile(self.at);
            self.at += batch.rows();
            return Ok(Some(batch));
        }
        match &mut self.rest {
            Some(rest) => rest.next(),
            None => Ok(None),
        }
    }
}
