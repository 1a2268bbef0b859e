//! One row as a view sees it: from its page, or from its versions.

use crate::directory::{Heap, Relation};
use crate::engine::Engine;
use crate::image::Image;
use crate::isolation::ReadView;
use crate::txn::Txn;
use crate::version::Found;
use damask_storage::row::RowLayout;
use damask_storage::tree::{HeapReader, RowFlags};
use damask_types::{ColumnIndex, Error, Result, RowId, Value};

impl Engine {
    /// Columns of a row's newest state: committed, or our own.
    pub(crate) fn newest(
        &self,
        txn: &Txn,
        relation: &Relation,
        row: RowId,
        columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        let view = ReadView::newest(txn.id());
        self.get_row(&view, &relation.heap.load(), &relation.layout.load(), row, columns)
    }

    /// Columns of a row as `view` sees it.
    pub(crate) fn get_row(
        &self,
        view: &ReadView,
        heap: &Heap,
        layout: &RowLayout,
        row: RowId,
        columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        let values = self.with_visible(view, heap, row, |bytes| {
            columns.iter().map(|column| layout.column(bytes, *column)).collect()
        })?;
        self.stop.check()?;
        Ok(values)
    }

    /// Runs `look` on a row's bytes as `view` sees them, under the leaf's latch.
    pub(crate) fn with_visible<R>(
        &self,
        view: &ReadView,
        heap: &Heap,
        row: RowId,
        look: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        heap.tree.read(row, |slot| self.resolve_slot(view, heap, row, slot, look))?
    }

    /// [`Engine::with_visible`] of one of several rows.
    pub(crate) fn with_next_visible<R>(
        &self,
        reader: &mut HeapReader<'_>,
        view: &ReadView,
        heap: &Heap,
        row: RowId,
        look: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        reader.read(row, |slot| self.resolve_slot(view, heap, row, slot, look))?
    }

    #[inline]
    fn resolve_slot<R>(
        &self,
        view: &ReadView,
        heap: &Heap,
        row: RowId,
        slot: Option<(&[u8], RowFlags)>,
        look: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        match slot {
            Some((bytes, flags)) => self.resolve(view, heap, row, flags, bytes, look),
            None => Ok(None),
        }
    }

    /// Runs `look` on what `view` sees of a row whose page state is `bytes` and `flags`, under the leaf's latch.
    #[inline]
    pub(crate) fn resolve<R>(
        &self,
        view: &ReadView,
        heap: &Heap,
        row: RowId,
        flags: RowFlags,
        bytes: &[u8],
        look: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        let is_ghost = flags.has(RowFlags::GHOST);
        if !flags.has(RowFlags::VERSIONED) {
            let is_absent = is_ghost || heap.births.hides(view, row);
            return if is_absent { Ok(None) } else { look(bytes).map(Some) };
        }
        // Files are not read under the table's mutex.
        let mut look = Some(look);
        let mut take = |bytes: &[u8]| look.take().map(|look| look(bytes)).transpose();
        let spilled = self.versions.with(heap.id, row, |state| {
            let versions = state.filter(|state| !state.versions.is_empty());
            let found = match versions {
                Some(state) => state.find(view),
                None if heap.births.hides(view, row) => Found::Absent,
                None => Found::Page,
            };
            Ok::<_, Error>(match found {
                Found::Page if is_ghost => Err(None),
                Found::Page => Err(take(bytes)?),
                Found::Image(Image::Memory(image)) => Err(take(image)?),
                Found::Image(image) => Ok(image.clone()),
                Found::Absent => Err(None),
            })
        })?;
        match spilled {
            Ok(image) => take(&image.load()?),
            Err(result) => Ok(result),
        }
    }
}
