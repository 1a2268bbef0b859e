//! Making, changing and dropping relations inside transactions.
//!
//! A change takes effect at once (its transaction holds a lock that keeps others away), is noted in [`Engine::ddl`] with
//! what undoes it, and in the redo buffer. What a commit dropped is freed when no snapshot needs it; what a rollback
//! undid is freed at once. The list lives in the engine, not in the transaction, because a checkpoint must keep the
//! changes of open transactions together with what undoes them.

use crate::bytes::{put_bytes, put_varint};
use crate::directory::{
    Heap, Index, IndexShape, Relation, put_columns, put_index_desc, put_relation_desc,
};
use crate::engine::Engine;
use crate::redo::tag;
use crate::schema::{IndexDesc, RelationDesc, TableEngine};
use crate::sequence::{SequenceSpec, SequenceState, put_state};
use crate::txn::{Txn, Undo};
use arc_swap::ArcSwap;
use damask_storage::row::{RowColumn, RowLayout};
use damask_storage::tree::{
    BufferedTree, EntryFlags, HeapTree, IndexBuilder, IndexTree, RowFlags, RowTree,
};
use damask_storage::{PageCodec, PageKind, TreeDescriptor, TreeId};
use damask_types::{Error, RelId, Result, RowId, SqlType, Timestamp, TxnId, Value};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How to undo a change of a relation.
#[derive(Debug)]
pub(crate) enum DdlUndo {
    /// The relation was made.
    Create(RelId),
    /// The relation was dropped: it stays until the commit.
    Drop(RelId),
    /// It had this heap.
    Truncate { rel: RelId, old: Arc<Heap> },
    /// It got an index.
    AddIndex { rel: RelId, index: RelId },
    /// It had an index, at this place of the list.
    DropIndex { rel: RelId, heap: Arc<Heap>, place: usize, index: Arc<Index> },
    /// An index had these names.
    RenameIndex { rel: RelId, index: RelId, old: Arc<IndexDesc> },
    /// It had these columns.
    SetColumns { rel: RelId, old: Arc<RowLayout> },
    /// Its pages were stored in this way.
    SetCodec { rel: RelId, old: PageCodec },
    /// The sequence was made.
    CreateSequence(RelId),
    /// The sequence was dropped: it stays until the commit.
    DropSequence(RelId),
}

impl DdlUndo {
    /// Puts a dropped index back into its heap's list.
    pub(crate) fn relist_index(&self) {
        if let Self::DropIndex { heap, place, index, .. } = self {
            heap.change_indexes(|indexes| {
                indexes.insert((*place).min(indexes.len()), Arc::clone(index));
            });
        }
    }
}

impl Txn {
    fn note_ddl(&mut self, undo: DdlUndo) {
        self.engine.ddl.lock().entry(self.cell.id()).or_default().push(undo);
        self.undo.push(Undo::Ddl);
    }

    /// Makes a table. In a new database relations (tables, indexes, sequences) are numbered from 1 in the order they are
    /// made; a table comes before the indexes made with it.
    pub fn create_relation(&mut self, desc: RelationDesc) -> Result<RelId> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        if desc.engine != TableEngine::BTree {
            // Before the gate, since it may wait for the disk (M4).
            engine.store.allow_write_buffers()?;
        }
        let _gate = engine.enter();
        let rel = engine.next_rel();
        let indexes: Vec<RelId> = desc.indexes.iter().map(|_| engine.next_rel()).collect();
        engine.make_relation(rel, &desc, &indexes)?;
        let mut body = Vec::new();
        put_relation_desc(&mut body, &desc, &indexes)?;
        match desc.engine {
            TableEngine::BTree => {
                self.redo.relation(tag::CREATE, rel, |out| out.extend_from_slice(&body));
            }
            TableEngine::Lsm => self.redo.relation(tag::CREATE_WITH_ENGINE, rel, |out| {
                out.push(desc.engine as u8);
                out.extend_from_slice(&body);
            }),
        }
        self.note_ddl(DdlUndo::Create(rel));
        if desc.codec != PageCodec::None {
            self.set_codec(rel, desc.codec)?;
        }
        Ok(rel)
    }

    /// Says what compresses the pages of a table and its indexes, also of those to come, when they are written from now on.
    /// The caller holds ACCESS EXCLUSIVE.
    pub fn set_codec(&mut self, rel: RelId, codec: PageCodec) -> Result<()> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        let relation = engine.directory.get(rel)?;
        let old = engine.codec(&relation.heap.load());
        if old == codec {
            return Ok(());
        }
        // Before the gate, since it may wait for the disk (M4).
        engine.store.allow_codecs()?;
        let _gate = engine.enter();
        engine.replace_codec(&relation, codec);
        self.redo.relation(tag::SET_CODEC, rel, |out| out.push(codec as u8));
        self.note_ddl(DdlUndo::SetCodec { rel, old });
        Ok(())
    }

    /// Drops a table with its indexes. The caller holds ACCESS EXCLUSIVE.
    pub fn drop_relation(&mut self, rel: RelId) -> Result<()> {
        self.begin_change()?;
        self.engine.directory.get(rel)?;
        self.redo.relation(tag::DROP, rel, |_| {});
        self.note_ddl(DdlUndo::Drop(rel));
        Ok(())
    }

    /// Empties a table (for every snapshot, as PostgreSQL does). The caller holds ACCESS EXCLUSIVE.
    pub fn truncate(&mut self, rel: RelId) -> Result<()> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        let _gate = engine.enter();
        let old = engine.replace_heap(&*engine.directory.get(rel)?)?;
        self.redo.relation(tag::TRUNCATE, rel, |_| {});
        self.note_ddl(DdlUndo::Truncate { rel, old });
        Ok(())
    }

    /// Makes an index and fills it. The caller holds at least SHARE.
    ///
    /// # Errors
    /// 23505 `could not create unique index "NAME"` with the duplicate in the detail.
    pub fn add_index(&mut self, rel: RelId, desc: IndexDesc) -> Result<RelId> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        if !desc.building {
            // So that few old versions have to go into the index.
            engine.collect_garbage(usize::MAX)?;
        }
        let _gate = engine.enter();
        let index = engine.next_rel();
        engine.build_index(&*engine.directory.get(rel)?, index, desc.clone())?;
        self.redo.relation(tag::ADD_INDEX, rel, |out| {
            put_varint(out, index.0.into());
            put_index_desc(out, &desc);
        });
        self.note_ddl(DdlUndo::AddIndex { rel, index });
        Ok(index)
    }

    /// Drops an index. The caller holds ACCESS EXCLUSIVE on the table.
    pub fn drop_index(&mut self, rel: RelId, index: RelId) -> Result<()> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        let _gate = engine.enter();
        let relation = engine.directory.get(rel)?;
        let heap = relation.heap.load_full();
        let dropped = heap.index(index)?;
        let place = heap.indexes.load().iter().position(|other| other.rel == index).unwrap_or(0);
        heap.change_indexes(|indexes| indexes.retain(|other| other.rel != index));
        self.redo.relation(tag::DROP_INDEX, rel, |out| put_varint(out, index.0.into()));
        self.note_ddl(DdlUndo::DropIndex { rel, heap, place, index: dropped });
        Ok(())
    }

    /// Changes the names an index uses in errors.
    pub fn rename_index(
        &mut self,
        rel: RelId,
        index: RelId,
        name: String,
        key_names: Vec<String>,
    ) -> Result<()> {
        self.begin_change()?;
        let found = self.engine.directory.get(rel)?.heap.load().index(index)?;
        let old = found.desc.load_full();
        let mut desc = IndexDesc::clone(&old);
        (desc.name, desc.key_names) = (name, key_names);
        self.redo.relation(tag::RENAME_INDEX, rel, |out| {
            put_varint(out, index.0.into());
            put_bytes(out, desc.name.as_bytes());
            put_varint(out, desc.key_names.len() as u64);
            for name in &desc.key_names {
                put_bytes(out, name.as_bytes());
            }
        });
        found.desc.store(Arc::new(desc));
        self.note_ddl(DdlUndo::RenameIndex { rel, index, old });
        Ok(())
    }

    /// Notes how an index was described before.
    pub(crate) fn note_desc(&mut self, rel: RelId, index: RelId, old: Arc<IndexDesc>) {
        self.note_ddl(DdlUndo::RenameIndex { rel, index, old });
    }

    /// Sets a table's columns without rewriting a row: those it has keep their types, new ones come at the end, and older
    /// rows hold in them what `missing` says (by position; null where nothing else was said). A dropped column stays in the
    /// list; rows are written with null in it. The caller holds ACCESS EXCLUSIVE.
    ///
    /// # Errors
    /// XX000 if a column is missing or has another type; a change of type is a rewrite into a new table.
    pub fn set_columns(
        &mut self,
        rel: RelId,
        columns: Vec<SqlType>,
        missing: Vec<Value>,
    ) -> Result<()> {
        self.begin_change()?;
        let mut columns: Vec<RowColumn> = columns.into_iter().map(RowColumn::new).collect();
        for (column, missing) in columns.iter_mut().zip(missing) {
            column.missing = missing;
        }
        let engine = Arc::clone(&self.engine);
        let _gate = engine.enter();
        let relation = engine.directory.get(rel)?;
        let mut body = Vec::new();
        put_columns(&mut body, &columns)?;
        let old = Engine::replace_layout(&relation, columns)?;
        self.redo.relation(tag::SET_COLUMNS, rel, |out| out.extend_from_slice(&body));
        self.note_ddl(DdlUndo::SetColumns { rel, old });
        Ok(())
    }

    /// Makes a sequence.
    pub fn create_sequence(&mut self, spec: &SequenceSpec) -> Result<RelId> {
        self.begin_change()?;
        let engine = Arc::clone(&self.engine);
        let _gate = engine.enter();
        let rel = engine.next_rel();
        let state = SequenceState { last_value: spec.start, is_called: false };
        engine.sequences.create(rel, state);
        self.redo.relation(tag::CREATE_SEQUENCE, rel, |out| put_state(out, state));
        self.note_ddl(DdlUndo::CreateSequence(rel));
        Ok(rel)
    }

    /// Drops a sequence.
    pub fn drop_sequence(&mut self, rel: RelId) -> Result<()> {
        self.begin_change()?;
        self.engine.sequences.get(rel)?;
        self.redo.relation(tag::DROP_SEQUENCE, rel, |_| {});
        self.note_ddl(DdlUndo::DropSequence(rel));
        Ok(())
    }
}

impl Engine {
    fn next_rel(&self) -> RelId {
        RelId(self.last_rel.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Replay: `rel` is in use.
    pub(crate) fn rel_seen(&self, rel: RelId) {
        self.last_rel.fetch_max(rel.0, Ordering::Relaxed);
    }

    /// What compresses a table's pages: its indexes' pages, too. The store keeps it, with the row tree.
    pub(crate) fn codec(&self, heap: &Heap) -> PageCodec {
        self.store.codec(heap.tree.id())
    }

    /// Says what compresses the pages of a table and its indexes; also for replay.
    pub(crate) fn replace_codec(&self, relation: &Relation, codec: PageCodec) {
        let heap = relation.heap.load();
        heap.tree.ids().into_iter().for_each(|tree| self.store.set_codec(tree, codec));
        for index in heap.indexes.load().iter() {
            self.store.set_codec(index.tree.id(), codec);
        }
    }

    /// A number for a tree to be made, whose pages `codec` compresses.
    fn next_tree(&self, codec: PageCodec) -> TreeId {
        let tree = self.store.next_tree_id();
        self.store.set_codec(tree, codec);
        tree
    }

    fn new_heap_tree(&self, codec: PageCodec, engine: TableEngine) -> Result<HeapTree> {
        let main = self.new_row_tree(codec)?;
        Ok(match engine {
            TableEngine::BTree => HeapTree::Plain(main),
            TableEngine::Lsm => {
                let active = self.new_row_tree(codec)?;
                let tree = BufferedTree::create(main, active, self.buffer_limits());
                HeapTree::Buffered(Box::new(tree))
            }
        })
    }

    pub(crate) fn new_row_tree(&self, codec: PageCodec) -> Result<RowTree> {
        let id = self.next_tree(codec);
        let tree = RowTree::create(Arc::clone(self.store.pool()), id)?;
        let (kind, root) = (PageKind::RowLeaf, tree.root());
        self.store.set_tree(TreeDescriptor { tree: id, kind, root, codec });
        Ok(tree)
    }

    fn adopt_index_tree(&self, tree: &IndexTree) {
        let (kind, root, codec) = (PageKind::IndexLeaf, tree.root(), self.store.codec(tree.id()));
        self.store.set_tree(TreeDescriptor { tree: tree.id(), kind, root, codec });
    }

    fn new_index(
        &self,
        rel: RelId,
        desc: IndexDesc,
        layout: &RowLayout,
        codec: PageCodec,
    ) -> Result<Arc<Index>> {
        let tree = IndexTree::create(Arc::clone(self.store.pool()), self.next_tree(codec))?;
        self.adopt_index_tree(&tree);
        Ok(Arc::new(Index { shape: IndexShape::new(rel, desc, layout, self)?, tree }))
    }

    /// Makes an empty table, whose pages are stored whole; also for replay.
    pub(crate) fn make_relation(
        &self,
        rel: RelId,
        desc: &RelationDesc,
        indexes: &[RelId],
    ) -> Result<()> {
        let layout = RowLayout::new(desc.columns.clone())?;
        let codec = PageCodec::None;
        let heap = Heap::new(rel, self.new_heap_tree(codec, desc.engine)?, &self.counters.ranges);
        for (index, desc) in indexes.iter().zip(&desc.indexes) {
            let index = self.new_index(*index, desc.clone(), &layout, codec)?;
            heap.change_indexes(|indexes| indexes.push(index));
        }
        let relation = Relation {
            rel,
            alias: desc.alias.clone(),
            heap: ArcSwap::from_pointee(heap),
            layout: ArcSwap::from_pointee(layout),
        };
        self.directory.relations.write().insert(rel, Arc::new(relation));
        Ok(())
    }

    /// Gives a table a new, empty heap; returns the old one.
    pub(crate) fn replace_heap(&self, relation: &Relation) -> Result<Arc<Heap>> {
        let old = relation.heap.load_full();
        let codec = self.codec(&old);
        let tree = self.new_heap_tree(codec, old.engine())?;
        let heap = Heap::new(relation.rel, tree, &self.counters.ranges);
        heap.counts.next_row.store(old.counts.next_row.load(Ordering::Relaxed), Ordering::Relaxed);
        let layout = relation.layout.load();
        for index in old.indexes.load().iter() {
            let desc = IndexDesc::clone(&index.desc.load());
            let index = self.new_index(index.rel, desc, &layout, codec)?;
            heap.change_indexes(|indexes| indexes.push(index));
        }
        relation.heap.store(Arc::new(heap));
        Ok(old)
    }

    /// Gives a table other columns; returns the old ones.
    pub(crate) fn replace_layout(
        relation: &Relation,
        columns: Vec<RowColumn>,
    ) -> Result<Arc<RowLayout>> {
        let old = relation.layout.load_full();
        let kept = old.columns().iter().zip(&columns).all(|(old, new)| old.ty.id == new.ty.id);
        if columns.len() < old.column_count() || !kept {
            return Err(Error::internal("a table's columns can only be added to"));
        }
        relation.layout.store(Arc::new(RowLayout::with_columns(columns)?));
        Ok(old)
    }

    /// Builds an index over a table's rows and adds it; also for replay.
    ///
    /// Rows of the past that some snapshot may still want get a marked entry.
    pub(crate) fn build_index(
        &self,
        relation: &Relation,
        rel: RelId,
        desc: IndexDesc,
    ) -> Result<()> {
        let heap = relation.heap.load();
        let layout = relation.layout.load();
        if desc.building {
            let index = self.new_index(rel, desc, &layout, self.codec(&heap))?;
            heap.change_indexes(|indexes| indexes.push(index));
            return Ok(());
        }
        let shape = IndexShape::new(rel, desc, &layout, self)?;
        let entries = self.collect_entries(&heap, &layout, &shape)?;
        if shape.unique {
            Self::check_duplicates(&heap, &layout, &shape, &entries)?;
        }
        // From here on nothing but the disk can fail, so no page is left without an owner.
        let tree_id = self.next_tree(self.codec(&heap));
        let mut builder = IndexBuilder::new(Arc::clone(self.store.pool()), tree_id)?;
        let mut previous: Option<&Entry> = None;
        for entry in &entries {
            if previous.is_some_and(|p| p.row == entry.row && p.key == entry.key) {
                continue;
            }
            let flags = if entry.is_live { EntryFlags::NONE } else { EntryFlags::DELETE_MARK };
            builder.push(&entry.key, entry.row, flags)?;
            previous = Some(entry);
        }
        let tree = builder.finish()?;
        self.adopt_index_tree(&tree);
        let index = Arc::new(Index { shape, tree });
        heap.change_indexes(|indexes| indexes.push(index));
        Ok(())
    }

    /// 23505 if two live rows have one key.
    fn check_duplicates(
        heap: &Heap,
        layout: &RowLayout,
        index: &IndexShape,
        entries: &[Entry],
    ) -> Result<()> {
        let counts =
            |entry: &&Entry| entry.is_live && (!entry.has_null || index.nulls_not_distinct);
        let mut live = entries.iter().filter(counts);
        let mut previous = live.next();
        for entry in live {
            if previous.is_some_and(|previous| previous.unique() == entry.unique()) {
                let (row, _) = heap.tree.get(entry.row)?.unwrap_or_default();
                return Err(index.duplicate(layout, &row, true));
            }
            previous = Some(entry);
        }
        Ok(())
    }

    /// The entries an index needs, in order; of two for one key and row, the live one is first.
    fn collect_entries(
        &self,
        heap: &Heap,
        layout: &RowLayout,
        index: &IndexShape,
    ) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut add = |bytes: &[u8], row: RowId, is_live: bool| {
            let mut key = Vec::new();
            let made = index.checked_key_of(layout, bytes, &mut key)?;
            if made.is_indexed {
                let (has_null, unique_len) = (made.has_null, made.unique_len);
                entries.push(Entry { key, row, is_live, has_null, unique_len });
            }
            Ok::<_, Error>(())
        };
        let mut from = Some(RowId(0));
        while let Some(start) = from {
            from = heap.tree.scan_leaf(start, |row, flags, bytes| {
                if !flags.has(RowFlags::GHOST) {
                    add(bytes, row, true)?;
                }
                if flags.has(RowFlags::VERSIONED) {
                    self.versions.with(heap.id, row, |state| {
                        let versions = state.map_or(&[][..], |state| &state.versions);
                        versions
                            .iter()
                            .filter_map(|version| version.before.as_ref())
                            .try_for_each(|image| add(&image.load()?, row, false))
                    })?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        entries.sort_unstable_by(|a, b| {
            a.key.cmp(&b.key).then(a.row.cmp(&b.row)).then(b.is_live.cmp(&a.is_live))
        });
        Ok(entries)
    }

    /// Undoes the newest change of relations by `txn`.
    pub(crate) fn undo_ddl(&self, txn: TxnId) -> Result<()> {
        let undo = {
            let mut all = self.ddl.lock();
            let list = all.get_mut(&txn);
            let undo = list.and_then(Vec::pop).expect("an undone change was noted");
            if all.get(&txn).is_some_and(Vec::is_empty) {
                all.remove(&txn);
            }
            undo
        };
        // The collector may be at work on old rows of the table, in the very tree that goes now.
        let _collector = self.garbage.collector.lock();
        let _gate = self.enter();
        self.apply_ddl_undo(undo)
    }

    /// Undoes a change of a relation.
    pub(crate) fn apply_ddl_undo(&self, undo: DdlUndo) -> Result<()> {
        match undo {
            DdlUndo::Create(rel) => {
                let relation = self.directory.relations.write().remove(&rel);
                if let Some(relation) = relation {
                    self.destroy_heap(&relation.heap.load())?;
                }
            }
            DdlUndo::Drop(_) | DdlUndo::DropSequence(_) => {}
            DdlUndo::Truncate { rel, old } => {
                let new = self.directory.get(rel)?.heap.swap(old);
                self.destroy_heap(&new)?;
            }
            DdlUndo::AddIndex { rel, index } => {
                let relation = self.directory.get(rel)?;
                let heap = relation.heap.load();
                let added = heap.index(index)?;
                heap.change_indexes(|indexes| indexes.retain(|other| other.rel != index));
                self.destroy_index(&added)?;
            }
            DdlUndo::DropIndex { .. } => undo.relist_index(),
            DdlUndo::RenameIndex { rel, index, old } => {
                self.directory.get(rel)?.heap.load().index(index)?.desc.store(old);
            }
            DdlUndo::SetColumns { rel, old } => self.directory.get(rel)?.layout.store(old),
            DdlUndo::SetCodec { rel, old } => self.replace_codec(&*self.directory.get(rel)?, old),
            DdlUndo::CreateSequence(rel) => drop(self.sequences.remove(rel)),
        }
        Ok(())
    }

    pub(crate) fn destroy_index(&self, index: &Index) -> Result<()> {
        index.tree.destroy()?;
        self.store.remove_tree(index.tree.id());
        Ok(())
    }

    /// After a commit: what it dropped leaves the directory, and its pages go when no snapshot needs them.
    pub(crate) fn finish_ddl(&self, txn: TxnId, timestamp: Timestamp) {
        let list = self.ddl.lock().remove(&txn).unwrap_or_default();
        for undo in list {
            match undo {
                DdlUndo::Drop(rel) => {
                    if let Some(relation) = self.directory.relations.write().remove(&rel) {
                        self.garbage.add_heap(timestamp, relation.heap.load_full());
                    }
                }
                DdlUndo::Truncate { old, .. } => self.garbage.add_heap(timestamp, old),
                DdlUndo::DropIndex { index, .. } => self.garbage.add_index(timestamp, index),
                DdlUndo::DropSequence(rel) => drop(self.sequences.remove(rel)),
                DdlUndo::Create(_)
                | DdlUndo::AddIndex { .. }
                | DdlUndo::RenameIndex { .. }
                | DdlUndo::SetColumns { .. }
                | DdlUndo::SetCodec { .. }
                | DdlUndo::CreateSequence(_) => {}
            }
        }
    }
}

/// An entry to be.
struct Entry {
    key: Vec<u8>,
    row: RowId,
    is_live: bool,
    has_null: bool,
    /// Length of the part of the key that counts for uniqueness.
    unique_len: usize,
}

impl Entry {
    fn unique(&self) -> &[u8] {
        &self.key[..self.unique_len]
    }
}
