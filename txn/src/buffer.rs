//! Write buffers of tables ([`TableEngine::Lsm`](crate::TableEngine)): who writes to one keeps it small.
//!
//! Before each change of a row the writer asks whether the buffer wants tending, and does what is due then: each step is an operation of
//! its own inside the gate, so a checkpoint is between two of them. Rows are the same before and after, so a step is
//! not logged, and a crash only loses work. What a merge leaves is garbage like a dropped table's trees, which a checkpoint lists.

use crate::directory::Heap;
use crate::engine::Engine;
use damask_storage::tree::{BufferLimits, HeapTree, MergedLayer, Tended};
use damask_types::Result;

impl Engine {
    /// The size of write buffers: their pages are to be hot, so they leave most of the pool to others. And that of filters, which are
    /// held beside the pool.
    pub(crate) fn buffer_limits(&self) -> BufferLimits {
        let options = &self.options;
        let bytes = options.write_buffer_bytes.min(options.pool_bytes / 4);
        BufferLimits::new(bytes, options.pool_bytes / 16)
    }

    /// Does what a heap's write buffer, if it has one, wants done before it takes more. The caller is outside the gate.
    ///
    /// # Errors
    /// What reading and writing pages raises; no row is changed then.
    #[inline]
    pub(crate) fn tend(&self, heap: &Heap) -> Result<()> {
        match &heap.tree {
            HeapTree::Buffered(tree) if tree.is_due() => self.tend_buffer(heap),
            HeapTree::Buffered(_) | HeapTree::Plain(_) => Ok(()),
        }
    }

    #[cold]
    fn tend_buffer(&self, heap: &Heap) -> Result<()> {
        let HeapTree::Buffered(tree) = &heap.tree else { return Ok(()) };
        while tree.is_due() {
            let _gate = self.enter();
            match tree.tend(|| self.new_row_tree(self.codec(heap)))? {
                Tended::Nothing => break,
                Tended::Done => {}
                Tended::Merged(runs) => {
                    for run in runs {
                        self.garbage.add_layer(run);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives a layer's pages back.
    pub(crate) fn destroy_layer(&self, layer: &MergedLayer) -> Result<()> {
        layer.destroy()?;
        self.store.remove_tree(layer.id());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, EngineOptions, IsolationLevel, Location, RelationDesc, TableEngine};
    use damask_storage::Env;
    use damask_types::{SqlType, TypeId, Value};

    #[test]
    fn merges_and_drops_leave_no_page() {
        let options = EngineOptions { write_buffer_bytes: 3000, ..EngineOptions::default() };
        let engine = Engine::open(Env::in_memory(1), Location::Memory, options).unwrap();
        let page_count = || engine.store.pool().statistics().page_count;
        let empty = page_count();
        let begin = || {
            let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).unwrap();
            txn.begin_statement().unwrap();
            txn
        };
        let mut txn = begin();
        let rel = txn
            .create_relation(RelationDesc {
                columns: vec![SqlType::plain(TypeId::Text)],
                engine: TableEngine::Lsm,
                ..RelationDesc::default()
            })
            .unwrap();
        let table = engine.table(rel).unwrap();
        txn.commit().unwrap().wait().unwrap();
        for _ in 0..3 {
            let mut txn = begin();
            for i in 0..1000 {
                let value = Value::text("x".repeat(i % 90));
                table.insert(&mut txn, &[value]).unwrap();
            }
            txn.commit().unwrap().wait().unwrap();
            engine.vacuum().unwrap();
            // The main tree and at most five layers, each a page more than it needs.
            let needed = table.page_count_estimate() as usize;
            let found = page_count() - empty;
            assert!(found <= needed * 2 + 6, "{found} pages for {needed}");
        }
        drop(table);
        let mut txn = begin();
        txn.drop_relation(rel).unwrap();
        txn.commit().unwrap().wait().unwrap();
        engine.vacuum().unwrap();
        assert_eq!(page_count(), empty);
    }
}
