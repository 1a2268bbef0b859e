//! Filling an index while others write.
//!
//! The index is made empty and is kept by every writer from then on. Then each row is looked at under its stripe: it gets the
//! entries that writers would have made, had the index been there before. So the writers' own entries are the log of what
//! happened meanwhile, merged as it comes, and no moment is needed in which nobody writes.
//!
//! Why no row is missed: a writer changes the page first and looks at the list of indexes then. If it did not find this one, the page was
//! changed before the index was made, and the walk, which starts after that, finds it. An update that is made at once looks at the list
//! first, but under the row's stripe: if it did not find the index, the walk comes to the row after the update.
//!
//! Why both may do the same: adding an entry that is there, and marking one that is marked, changes nothing. Which entries a row
//! needs is told by its page and its versions, which are changed under the stripe; a writer that has changed them and not yet the
//! index does afterwards what the walk did for it.
//!
//! Entries are not logged. A crash before [`Txn::finish_index`] leaves an index that lacks rows; replay of that operation fills it again.

use crate::directory::{Heap, Index, Relation};
use crate::engine::Engine;
use crate::image::Image;
use crate::keys::Conflict;
use crate::reach::Held;
use crate::redo::tag;
use crate::txn::Txn;
use crate::{IndexDesc, bytes::put_varint};
use damask_storage::row::RowLayout;
use damask_storage::tree::{EntryFlags, RowFlags};
use damask_types::{RelId, Result, RowId};
use std::ops::ControlFlow;
use std::sync::Arc;

impl Txn {
    /// Fills an index that was made with [`IndexDesc::building`], while others write. The caller holds SHARE UPDATE EXCLUSIVE.
    ///
    /// # Errors
    /// 23505 `could not create unique index "NAME"`; 40P01, 57014. The index is then as full as it has become.
    pub fn fill_index(&mut self, rel: RelId, index: RelId) -> Result<()> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        let relation = engine.directory.get(rel)?;
        let heap = relation.heap.load_full();
        let layout = relation.layout.load_full();
        let index = heap.index(index)?;
        let mut rows = Vec::new();
        let mut from = Some(RowId(0));
        while let Some(start) = from {
            self.interrupt.check()?;
            engine.check_open()?;
            rows.clear();
            from = heap.tree.scan_leaf(start, |row, _, _| {
                rows.push(row);
                Ok(ControlFlow::Continue(()))
            })?;
            for row in &rows {
                engine.fill_row(self, &heap, &layout, &index, *row)?;
            }
        }
        Ok(())
    }

    /// Says that an index has every row.
    pub fn finish_index(&mut self, rel: RelId, index: RelId) -> Result<()> {
        self.begin_change()?;
        let found = self.engine.directory.get(rel)?.heap.load().index(index)?;
        let old = found.desc.load_full();
        found.desc.store(Arc::new(IndexDesc { building: false, ..IndexDesc::clone(&old) }));
        self.redo.relation(tag::FINISH_INDEX, rel, |out| put_varint(out, index.0.into()));
        self.note_desc(rel, index, old);
        Ok(())
    }
}

impl Engine {
    /// Gives one row its entries.
    fn fill_row(
        &self,
        txn: &Txn,
        heap: &Heap,
        layout: &RowLayout,
        index: &Index,
        row: RowId,
    ) -> Result<()> {
        let (mut key, mut past) = (Vec::new(), Vec::new());
        loop {
            let held = Held { _gate: self.enter(), _stripe: self.stripe(heap.id, row) };
            let Some((bytes, flags)) = heap.tree.get(row)? else {
                return Ok(());
            };
            key.clear();
            if !flags.has(RowFlags::GHOST) {
                let made = index.checked_key_of(layout, &bytes, &mut key)?;
                let is_checked = index.unique
                    && !index.deferrable
                    && (!made.has_null || index.nulls_not_distinct);
                if made.is_indexed && is_checked {
                    let unique = &key[..made.unique_len];
                    let conflict = |other, _| {
                        if other == row {
                            return Ok(None);
                        }
                        self.key_conflict(txn, heap, layout, index, unique, other)
                    };
                    let none = EntryFlags::NONE;
                    match index.tree.insert_unless(&key, unique.len(), row, none, conflict)? {
                        Ok(_) => {}
                        Err(Conflict::Wait(blocker)) => {
                            drop(held);
                            self.wait_for(txn.id(), blocker, &*txn.interrupt)?;
                            continue;
                        }
                        Err(Conflict::Duplicate | Conflict::Later) => {
                            return Err(index.duplicate(layout, &bytes, true));
                        }
                    }
                } else if made.is_indexed {
                    index.tree.insert(&key, row, EntryFlags::NONE)?;
                }
            }
            let images: Vec<Image> = self.versions.with(heap.id, row, |state| {
                let versions = state.map_or(&[][..], |state| &state.versions);
                versions.iter().filter_map(|version| version.before.clone()).collect()
            });
            for image in &images {
                let made = index.key_of(layout, &image.load()?, &mut past)?;
                if made.is_indexed && past != key && index.tree.get(&past, row)?.is_none() {
                    index.tree.insert(&past, row, EntryFlags::DELETE_MARK)?;
                }
            }
            drop(held);
            return Ok(());
        }
    }

    /// Replay: builds an index that was filled beside writers.
    pub(crate) fn refill_index(&self, relation: &Relation, rel: RelId) -> Result<()> {
        let heap = relation.heap.load();
        let old = heap.index(rel)?;
        let desc = IndexDesc { building: false, ..IndexDesc::clone(&old.desc.load()) };
        heap.change_indexes(|indexes| indexes.retain(|index| index.rel != rel));
        self.destroy_index(&old)?;
        self.build_index(relation, rel, desc)
    }
}
