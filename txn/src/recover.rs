//! Checkpoints and recovery: what the engine keeps beside pages, and how it gets back to a consistent state.
//!
//! A checkpoint keeps the state of one instant between two operations. Pages then hold changes of open transactions, ghosts
//! and marked index entries; so next to the directory and the sequences the checkpoint keeps the whole version table, with a flag
//! on each version that is not committed, and what undoes the open transactions' changes of relations.
//!
//! Recovery (R1..R4, in this order):
//! - R1: read the directory; put back indexes that open transactions had dropped.
//! - R2: settle each row of the version table: its uncommitted versions are undone, the entries of its past keys go. Rows of runs
//!   that open transactions inserted go.
//! - R3: undo open transactions' changes of relations, newest first; free trees of dropped relations.
//! - R4: replay the frames after the checkpoint, each exactly once, to exactly the state they were made from.
//!
//! R2 works by state, not by steps: whatever a row's index entries are, afterwards there is one for each key of its
//! settled state and none for any other key it had. So it does not matter how far a change had come.
//!
//! ```text
//! meta      version u8 = 3 | last relation | sequences | relations | dropped trees | changes | rows
//! sequences count | (relation, state)...
//! relations count | (relation | columns | alias | heap)...
//! heap      tree | engine u8 | [lsm: active tree | count | tree..., oldest first] | next row | rows signed | bytes signed | count | (relation, tree, index)...
//! changes   count | change..., transaction by transaction, oldest first
//! rows      (1 u8 | heap | row | count | (pending u8 | present u8 | [bytes])...)... | (2 u8 | heap | first row | last row)... | 0 u8
//! ```
//! All integers are varints unless said otherwise.

use crate::bytes::{Reader, put_signed, put_varint};
use crate::ddl::DdlUndo;
use crate::directory::{
    Heap, Index, IndexShape, Relation, put_alias, put_columns, put_index_desc, read_alias,
    read_columns, read_index_desc, read_relation_desc,
};
use crate::engine::Engine;
use crate::fragments::Parts;
use crate::gate::Alone;
use crate::redo::{Op, Ops, Part, kind, tag};
use crate::replay::Replay;
use crate::schema::TableEngine;
use crate::sequence::{put_state, read_state};
use crate::version::HeapId;
use arc_swap::ArcSwap;
use damask_storage::row::RowLayout;
use damask_storage::tree::{
    BufferedTree, EntryFlags, HeapTree, IndexTree, LayerIds, RowFlags, RowTree,
};
use damask_storage::{CheckpointMeta, PageCodec, PageId, PageKind, Recovered, TreeId};
use damask_types::{Error, RelId, Result, RowId, Timestamp, TxnId};
use hashbrown::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const META_VERSION: u8 = 3;
/// The version whose heaps have no engine.
const META_VERSION_BTREE: u8 = 2;

/// Tags of changes of relations in the meta.
mod change {
    pub(super) const CREATE: u8 = 1;
    pub(super) const DROP: u8 = 2;
    pub(super) const TRUNCATE: u8 = 3;
    pub(super) const ADD_INDEX: u8 = 4;
    pub(super) const DROP_INDEX: u8 = 5;
    pub(super) const RENAME_INDEX: u8 = 6;
    pub(super) const SET_COLUMNS: u8 = 7;
    pub(super) const CREATE_SEQUENCE: u8 = 8;
    pub(super) const DROP_SEQUENCE: u8 = 9;
    pub(super) const SET_CODEC: u8 = 10;
}

/// Tags of what is to be settled.
pub(crate) mod unsettled {
    pub(super) const END: u8 = 0;
    pub(crate) const ROW: u8 = 1;
    pub(super) const RUN: u8 = 2;
}

type Heaps = HashMap<HeapId, (Arc<Relation>, Arc<Heap>)>;

fn put_heap(out: &mut Vec<u8>, heap: &Heap) {
    put_varint(out, heap.id.0.into());
    out.push(heap.engine() as u8);
    if let Some(LayerIds { active, runs }) = heap.tree.layers() {
        put_varint(out, active.0.into());
        put_varint(out, runs.len() as u64);
        for run in &runs {
            put_varint(out, run.0.into());
        }
    }
    put_varint(out, heap.counts.next_row.load(Ordering::Relaxed));
    put_signed(out, heap.counts.rows.load(Ordering::Relaxed));
    put_signed(out, heap.counts.bytes.load(Ordering::Relaxed));
    let indexes = heap.indexes.load();
    put_varint(out, indexes.len() as u64);
    for index in indexes.iter() {
        put_index(out, index);
    }
}

fn put_index(out: &mut Vec<u8>, index: &Index) {
    put_varint(out, index.rel.0.into());
    put_varint(out, index.tree.id().0.into());
    put_index_desc(out, &index.desc.load());
}

fn put_change(out: &mut Vec<u8>, undo: &DdlUndo) -> Result<()> {
    let mut start = |tag: u8, rel: &RelId| {
        out.push(tag);
        put_varint(out, rel.0.into());
    };
    match undo {
        DdlUndo::Create(rel) => start(change::CREATE, rel),
        DdlUndo::Drop(rel) => start(change::DROP, rel),
        DdlUndo::Truncate { rel, old } => {
            start(change::TRUNCATE, rel);
            put_heap(out, old);
        }
        DdlUndo::AddIndex { rel, index } => {
            start(change::ADD_INDEX, rel);
            put_varint(out, index.0.into());
        }
        DdlUndo::DropIndex { rel, heap, place, index } => {
            start(change::DROP_INDEX, rel);
            put_varint(out, heap.id.0.into());
            put_varint(out, *place as u64);
            put_index(out, index);
        }
        DdlUndo::RenameIndex { rel, index, old } => {
            start(change::RENAME_INDEX, rel);
            put_varint(out, index.0.into());
            put_index_desc(out, old);
        }
        DdlUndo::SetColumns { rel, old } => {
            start(change::SET_COLUMNS, rel);
            put_columns(out, old.columns())?;
        }
        DdlUndo::SetCodec { rel, old } => {
            start(change::SET_CODEC, rel);
            out.push(*old as u8);
        }
        DdlUndo::CreateSequence(rel) => start(change::CREATE_SEQUENCE, rel),
        DdlUndo::DropSequence(rel) => start(change::DROP_SEQUENCE, rel),
    }
    Ok(())
}

fn read_engine(reader: &mut Reader<'_>) -> Result<TableEngine> {
    let byte = reader.u8()?;
    TableEngine::from_u8(byte).ok_or_else(|| reader.bad(&format!("there is no engine {byte}")))
}

fn read_codec(reader: &mut Reader<'_>) -> Result<PageCodec> {
    let byte = reader.u8()?;
    PageCodec::from_u8(byte).ok_or_else(|| reader.bad(&format!("there is no codec {byte}")))
}

impl Engine {
    /// Writes a checkpoint while the world stands still.
    fn checkpoint_under(&self, _gate: &Alone<'_>) -> Result<()> {
        let timestamp = *self.commit.lock();
        self.store.checkpoint(timestamp, &self.whole_meta(timestamp)?)?;
        self.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Writes the last checkpoint and lets go of the files.
    pub(crate) fn close_under(&self, _gate: &Alone<'_>) -> Result<()> {
        // Its versions are copied before others are.
        self.finish_checkpoint()?;
        let timestamp = *self.commit.lock();
        self.store.close(timestamp, &self.whole_meta(timestamp)?)
    }

    /// What a checkpoint keeps besides pages; the world stands still, and goes on before its rows are there. The last commit was at `timestamp`.
    pub(crate) fn meta(&self, timestamp: Timestamp) -> Result<CheckpointMeta> {
        let changes = self.ddl.lock();
        let begun = self.relations_meta(&changes)?;
        let mut end = Vec::new();
        self.put_runs(&mut end, changes.values().flatten());
        end.push(unsettled::END);
        #[cfg(test)]
        if self.is_planted(crate::engine::Planted::NoUndo) {
            return Ok([begun, end].concat().into());
        }
        let copy = self.versions.begin_copy(timestamp);
        Ok(CheckpointMeta::new(begun, move || {
            let mut rest = copy.finish()?;
            rest.append(&mut end);
            Ok(rest)
        }))
    }

    /// The same at once.
    pub(crate) fn whole_meta(&self, timestamp: Timestamp) -> Result<Vec<u8>> {
        self.meta(timestamp)?.whole()
    }

    /// Sequences, relations and the changes of them.
    fn relations_meta(&self, changes: &HashMap<TxnId, Vec<DdlUndo>>) -> Result<Vec<u8>> {
        let mut out = vec![META_VERSION];
        put_varint(&mut out, self.last_rel.load(Ordering::Relaxed).into());
        let sequences = self.sequences.checkpoint();
        put_varint(&mut out, sequences.len() as u64);
        for (rel, state) in sequences {
            put_varint(&mut out, rel.0.into());
            put_state(&mut out, state);
        }
        let relations = self.directory.all();
        put_varint(&mut out, relations.len() as u64);
        for relation in relations {
            put_varint(&mut out, relation.rel.0.into());
            put_columns(&mut out, relation.layout.load().columns())?;
            put_alias(&mut out, relation.alias.as_ref());
            put_heap(&mut out, &relation.heap.load());
        }
        let dropped = self.garbage.trees();
        put_varint(&mut out, dropped.len() as u64);
        for tree in dropped {
            put_varint(&mut out, tree.0.into());
        }
        let mut transactions: Vec<_> = changes.iter().collect();
        transactions.sort_by_key(|(txn, _)| **txn);
        put_varint(&mut out, changes.values().map(Vec::len).sum::<usize>() as u64);
        for undo in transactions.into_iter().flat_map(|(_, list)| list) {
            put_change(&mut out, undo)?;
        }
        Ok(out)
    }

    /// The runs of rows that open transactions inserted ([`crate::births`]), also into heaps that they emptied since, which undoing
    /// `changes` brings back.
    fn put_runs<'c>(&self, out: &mut Vec<u8>, changes: impl Iterator<Item = &'c DdlUndo>) {
        #[cfg(test)]
        if self.is_planted(crate::engine::Planted::NoRuns) {
            return;
        }
        let mut heaps: Vec<Arc<Heap>> =
            self.directory.all().iter().map(|relation| relation.heap.load_full()).collect();
        heaps.extend(changes.filter_map(|undo| match undo {
            DdlUndo::Truncate { old, .. } => Some(Arc::clone(old)),
            DdlUndo::Create(_)
            | DdlUndo::Drop(_)
            | DdlUndo::AddIndex { .. }
            | DdlUndo::DropIndex { .. }
            | DdlUndo::RenameIndex { .. }
            | DdlUndo::SetColumns { .. }
            | DdlUndo::SetCodec { .. }
            | DdlUndo::CreateSequence(_)
            | DdlUndo::DropSequence(_) => None,
        }));
        for heap in heaps {
            heap.births.for_each_pending(|first, last| {
                out.push(unsettled::RUN);
                put_varint(out, heap.id.0.into());
                put_varint(out, first.0);
                put_varint(out, last.0);
            });
        }
    }

    /// Brings the engine to the state of the last commit that is durable.
    pub(crate) fn recover(&self, recovered: Recovered) -> Result<bool> {
        let mut is_new = true;
        let mut is_clean = true;
        if let Some(meta) = &recovered.meta {
            is_clean = self.read_meta(meta)?;
        }
        let (checkpoint, mut frames) = (recovered.checkpoint_ts, recovered.frames);
        let (mut last, mut parts) = (checkpoint, None);
        let mut replay = Replay::new(self);
        while let Some(frame) = frames.next() {
            let (timestamp, frame) = frame?;
            last = last.max(timestamp);
            let part = Part::of(&frame)?;
            let Some(Part { start, .. }) = part.filter(|part| !part.commits) else {
                if timestamp > checkpoint {
                    is_clean = false;
                    self.replay(frame, part, &mut replay)?;
                }
                continue;
            };
            is_clean = false;
            let parts = match &mut parts {
                Some(parts) => parts,
                none => none.insert(Parts::find((timestamp, &frame), frames.clone(), checkpoint)?),
            };
            let len = parts.len_of(timestamp);
            self.replay_ops(Arc::new(frame), start..start + len, &mut replay)?;
        }
        replay.settle()?;
        drop(replay);
        *self.commit.lock() = last;
        self.visible.store(last.0, Ordering::Release);
        if self.last_rel.load(Ordering::Relaxed) > 0 {
            is_new = false;
        }
        if !is_clean {
            let gate = self.gate.close();
            self.checkpoint_under(&gate)?;
        }
        Ok(is_new)
    }

    /// R1 to R3; whether the checkpoint had nothing to settle.
    fn read_meta(&self, meta: &[u8]) -> Result<bool> {
        let mut reader = Reader::new(meta, "the directory of the last checkpoint");
        let version = reader.u8()?;
        if ![META_VERSION, META_VERSION_BTREE].contains(&version) {
            return Err(reader.bad(&format!("version {version} is not known")));
        }
        self.rel_seen(RelId(reader.u32()?));
        for _ in 0..reader.count()? {
            let rel = RelId(reader.u32()?);
            self.sequences.create(rel, read_state(&mut reader)?);
        }
        let mut heaps = Heaps::new();
        for _ in 0..reader.count()? {
            let rel = RelId(reader.u32()?);
            let layout = RowLayout::with_columns(read_columns(&mut reader)?)?;
            let alias = read_alias(&mut reader)?;
            let heap = Arc::new(self.read_heap(&mut reader, version, rel, &layout)?);
            let relation = Arc::new(Relation {
                rel,
                alias,
                heap: ArcSwap::new(Arc::clone(&heap)),
                layout: ArcSwap::from_pointee(layout),
            });
            heaps.insert(heap.id, (Arc::clone(&relation), heap));
            self.directory.relations.write().insert(rel, relation);
        }
        let mut dropped = Vec::new();
        for _ in 0..reader.count()? {
            dropped.push(TreeId(reader.u32()?));
        }
        let mut changes = Vec::new();
        for _ in 0..reader.count()? {
            changes.push(self.read_change(&mut reader, version, &mut heaps)?);
        }
        let mut is_clean = dropped.is_empty() && changes.is_empty();
        loop {
            match reader.u8()? {
                unsettled::END => break,
                unsettled::ROW => Self::read_row(&mut reader, &heaps)?,
                unsettled::RUN => Self::read_run(&mut reader, &heaps)?,
                other => return Err(reader.bad(&format!("{other} is neither a row nor a run"))),
            }
            is_clean = false;
        }
        for undo in changes.into_iter().rev() {
            // R1 has put the index back already.
            // A sequence made by an open transaction stays: values it gave out may be in frames that a later commit
            // in the log relies on.
            if !matches!(undo, DdlUndo::DropIndex { .. } | DdlUndo::CreateSequence(_)) {
                self.apply_ddl_undo(undo)?;
            }
        }
        for tree in dropped {
            self.destroy_tree(tree)?;
        }
        Ok(is_clean)
    }

    fn root(&self, tree: TreeId) -> Result<(PageId, PageKind)> {
        let found = self.store.tree(tree);
        let found =
            found.ok_or_else(|| Error::corrupted(format!("there is no tree {}", tree.0)))?;
        Ok((found.root, found.kind))
    }

    fn destroy_tree(&self, tree: TreeId) -> Result<()> {
        let (root, kind) = self.root(tree)?;
        let pool = Arc::clone(self.store.pool());
        if kind == PageKind::RowLeaf {
            RowTree::open(pool, tree, root)?.destroy()?;
        } else {
            IndexTree::open(pool, tree, root)?.destroy()?;
        }
        self.store.remove_tree(tree);
        Ok(())
    }

    fn read_row_tree(&self, reader: &mut Reader<'_>) -> Result<RowTree> {
        let tree = TreeId(reader.u32()?);
        RowTree::open(Arc::clone(self.store.pool()), tree, self.root(tree)?.0)
    }

    /// The rows of a heap as a meta of this version has them.
    fn read_heap_tree(&self, reader: &mut Reader<'_>, version: u8) -> Result<HeapTree> {
        let main = self.read_row_tree(reader)?;
        let engine =
            if version == META_VERSION_BTREE { TableEngine::BTree } else { read_engine(reader)? };
        Ok(match engine {
            TableEngine::BTree => HeapTree::Plain(main),
            TableEngine::Lsm => {
                let active = self.read_row_tree(reader)?;
                let runs = (0..reader.count()?).map(|_| self.read_row_tree(reader));
                let runs = runs.collect::<Result<_>>()?;
                let tree = BufferedTree::open(main, active, runs, self.buffer_limits())?;
                HeapTree::Buffered(Box::new(tree))
            }
        })
    }

    fn read_heap(
        &self,
        reader: &mut Reader<'_>,
        version: u8,
        rel: RelId,
        layout: &RowLayout,
    ) -> Result<Heap> {
        let tree = self.read_heap_tree(reader, version)?;
        let heap = Heap::new(rel, tree, &self.counters.ranges);
        heap.counts.next_row.store(reader.varint()?, Ordering::Relaxed);
        heap.counts.rows.store(reader.signed()?, Ordering::Relaxed);
        heap.counts.bytes.store(reader.signed()?, Ordering::Relaxed);
        for _ in 0..reader.count()? {
            let index = self.read_index(reader, layout)?;
            heap.change_indexes(|indexes| indexes.push(index));
        }
        Ok(heap)
    }

    fn read_index(&self, reader: &mut Reader<'_>, layout: &RowLayout) -> Result<Arc<Index>> {
        let rel = RelId(reader.u32()?);
        let tree = TreeId(reader.u32()?);
        let desc = read_index_desc(reader)?;
        let pool = self.store.pool();
        let tree = IndexTree::open(Arc::clone(pool), tree, self.root(tree)?.0)?;
        Ok(Arc::new(Index { shape: IndexShape::new(rel, desc, layout, self)?, tree }))
    }

    fn read_change(
        &self,
        reader: &mut Reader<'_>,
        version: u8,
        heaps: &mut Heaps,
    ) -> Result<DdlUndo> {
        let tag = reader.u8()?;
        let rel = RelId(reader.u32()?);
        Ok(match tag {
            change::CREATE => DdlUndo::Create(rel),
            change::DROP => DdlUndo::Drop(rel),
            change::TRUNCATE => {
                let relation = self.directory.get(rel)?;
                let layout = relation.layout.load_full();
                let old = Arc::new(self.read_heap(reader, version, rel, &layout)?);
                heaps.insert(old.id, (relation, Arc::clone(&old)));
                DdlUndo::Truncate { rel, old }
            }
            change::ADD_INDEX => DdlUndo::AddIndex { rel, index: RelId(reader.u32()?) },
            change::DROP_INDEX => {
                let heap = HeapId(reader.u32()?);
                let place = reader.varint()? as usize;
                let (relation, heap) = heaps
                    .get(&heap)
                    .map(|(relation, heap)| (Arc::clone(relation), Arc::clone(heap)))
                    .ok_or_else(|| reader.bad("an index of no table"))?;
                let index = self.read_index(reader, &relation.layout.load())?;
                let undo = DdlUndo::DropIndex { rel, heap, place, index };
                undo.relist_index();
                undo
            }
            change::RENAME_INDEX => {
                let index = RelId(reader.u32()?);
                DdlUndo::RenameIndex { rel, index, old: Arc::new(read_index_desc(reader)?) }
            }
            change::SET_COLUMNS => {
                let old = Arc::new(RowLayout::with_columns(read_columns(reader)?)?);
                DdlUndo::SetColumns { rel, old }
            }
            change::SET_CODEC => DdlUndo::SetCodec { rel, old: read_codec(reader)? },
            change::CREATE_SEQUENCE => DdlUndo::CreateSequence(rel),
            change::DROP_SEQUENCE => DdlUndo::DropSequence(rel),
            other => return Err(reader.bad(&format!("there is no change {other}"))),
        })
    }

    fn read_row(reader: &mut Reader<'_>, heaps: &Heaps) -> Result<()> {
        let heap = HeapId(reader.u32()?);
        let row = RowId(reader.varint()?);
        let mut versions = Vec::new();
        for _ in 0..reader.count()? {
            let is_pending = reader.bool()?;
            let before = if reader.bool()? { Some(reader.bytes()?) } else { None };
            versions.push((is_pending, before));
        }
        // Rows of a dropped heap need no settling: its trees go as a whole.
        match heaps.get(&heap) {
            Some((relation, heap)) => {
                Self::settle_row(&relation.layout.load(), heap, row, &versions)
            }
            None => Ok(()),
        }
    }

    /// Takes the rows of a run away, save those that were settled by their versions.
    fn read_run(reader: &mut Reader<'_>, heaps: &Heaps) -> Result<()> {
        let heap = HeapId(reader.u32()?);
        let (first, last) = (RowId(reader.varint()?), RowId(reader.varint()?));
        let Some((relation, heap)) = heaps.get(&heap) else { return Ok(()) };
        let layout = relation.layout.load();
        let mut rows = Vec::new();
        let mut from = Some(first);
        while let Some(start) = from {
            rows.clear();
            from = heap.tree.scan_leaf(start, |row, _, _| {
                if row > last {
                    return Ok(ControlFlow::Break(()));
                }
                rows.push(row);
                Ok(ControlFlow::Continue(()))
            })?;
            for row in &rows {
                Self::settle_row(&layout, heap, *row, &[(true, None)])?;
            }
            from = from.filter(|next| *next <= last);
        }
        Ok(())
    }

    /// R2.
    fn settle_row(
        layout: &RowLayout,
        heap: &Heap,
        row: RowId,
        versions: &[(bool, Option<&[u8]>)],
    ) -> Result<()> {
        let current = heap.tree.get(row)?.filter(|(_, flags)| !flags.has(RowFlags::GHOST));
        let current = current.map(|(bytes, _)| bytes);
        let mut settled = current.as_deref();
        for (is_pending, before) in versions.iter().rev() {
            if *is_pending {
                settled = *before;
            }
        }
        let images = versions.iter().filter_map(|(_, before)| *before);
        let images: Vec<&[u8]> = images.chain(current.as_deref()).collect();
        let (mut key, mut kept) = (Vec::new(), Vec::new());
        for index in heap.indexes.load().iter() {
            if let Some(settled) = settled {
                index.key_of(layout, settled, &mut kept)?;
            }
            for image in &images {
                index.key_of(layout, image, &mut key)?;
                if !key.is_empty() && (settled.is_none() || key != kept) {
                    index.tree.remove(&key, row)?;
                }
            }
            if settled.is_some() && !kept.is_empty() {
                index.tree.insert(&kept, row, EntryFlags::NONE)?;
            }
        }
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len() as i64);
        heap.count(
            i64::from(settled.is_some()) - i64::from(current.is_some()),
            len(settled) - len(current.as_deref()),
        );
        heap.tree.modify(row, |slot| {
            match settled {
                Some(bytes) => slot.put(bytes, RowFlags::NONE),
                None => slot.remove(),
            }
            Ok(())
        })
    }

    /// R4: one frame that is no fragment; `part` if it commits some.
    fn replay(&self, frame: Vec<u8>, part: Option<Part>, to: &mut Replay<'_>) -> Result<()> {
        let len = frame.len();
        if let Some(part) = part {
            return self.replay_ops(Arc::new(frame), part.start..len, to);
        }
        let mut reader = Reader::new(&frame, "a frame of the log");
        match reader.u8()? {
            kind::COMMIT => self.replay_ops(Arc::new(frame), 1..len, to),
            kind::SEQUENCE => {
                let rel = RelId(reader.u32()?);
                self.sequences.create(rel, read_state(&mut reader)?);
                self.rel_seen(rel);
                Ok(())
            }
            other => Err(reader.bad(&format!("there is no kind {other}"))),
        }
    }

    /// The operations in a part of a frame.
    fn replay_ops(
        &self,
        frame: Arc<Vec<u8>>,
        part: Range<usize>,
        to: &mut Replay<'_>,
    ) -> Result<()> {
        let end = part.end;
        let mut ops = Ops::new(&frame[part]);
        while let Some(op) = ops.next()? {
            match op {
                Op::Relation { tag, rel } => {
                    to.settle()?;
                    self.replay_relation(tag, rel, &mut ops.reader)?;
                }
                Op::Insert { bytes, .. } | Op::Update { bytes, .. } => {
                    to.add(&op, &frame, end - ops.reader.len() - bytes.len())?;
                }
                Op::Delete { .. } => to.add(&op, &frame, 0)?,
            }
        }
        Ok(())
    }

    fn replay_relation(&self, tag: u8, rel: RelId, reader: &mut Reader<'_>) -> Result<()> {
        match tag {
            tag::CREATE | tag::CREATE_WITH_ENGINE => {
                let has_engine = tag == tag::CREATE_WITH_ENGINE;
                let engine = if has_engine { read_engine(reader)? } else { TableEngine::BTree };
                let (mut desc, indexes) = read_relation_desc(reader)?;
                desc.engine = engine;
                self.rel_seen(rel);
                for index in &indexes {
                    self.rel_seen(*index);
                }
                self.make_relation(rel, &desc, &indexes)?;
            }
            tag::DROP => {
                let relation = self.directory.get(rel)?;
                self.directory.relations.write().remove(&rel);
                self.destroy_heap(&relation.heap.load())?;
            }
            tag::TRUNCATE => {
                let old = self.replace_heap(&*self.directory.get(rel)?)?;
                self.destroy_heap(&old)?;
            }
            tag::ADD_INDEX => {
                let index = RelId(reader.u32()?);
                let desc = read_index_desc(reader)?;
                self.rel_seen(index);
                self.build_index(&*self.directory.get(rel)?, index, desc)?;
            }
            tag::DROP_INDEX => {
                let index = RelId(reader.u32()?);
                let heap = self.directory.get(rel)?.heap.load_full();
                let dropped = heap.index(index)?;
                heap.change_indexes(|indexes| indexes.retain(|other| other.rel != index));
                self.destroy_index(&dropped)?;
            }
            tag::RENAME_INDEX => {
                let index = RelId(reader.u32()?);
                let index = self.directory.get(rel)?.heap.load().index(index)?;
                let mut desc = crate::IndexDesc::clone(&index.desc.load());
                desc.name = reader.string()?;
                desc.key_names.clear();
                for _ in 0..reader.count()? {
                    desc.key_names.push(reader.string()?);
                }
                index.desc.store(Arc::new(desc));
            }
            tag::FINISH_INDEX => {
                let index = RelId(reader.u32()?);
                self.refill_index(&*self.directory.get(rel)?, index)?;
            }
            tag::SET_COLUMNS => {
                let columns = read_columns(reader)?;
                Self::replace_layout(&*self.directory.get(rel)?, columns)?;
            }
            tag::SET_CODEC => {
                let codec = read_codec(reader)?;
                self.replace_codec(&*self.directory.get(rel)?, codec);
            }
            tag::CREATE_SEQUENCE => {
                let state = read_state(reader)?;
                self.rel_seen(rel);
                // Values may have been given out, and logged, before the commit.
                if self.sequences.get(rel).is_err() {
                    self.sequences.create(rel, state);
                }
            }
            tag::DROP_SEQUENCE => drop(self.sequences.remove(rel)),
            other => return Err(reader.bad(&format!("there is no operation {other}"))),
        }
        Ok(())
    }
}

#[cold]
pub(crate) fn misfit(rel: RelId, row: RowId) -> Error {
    Error::corrupted(format!("a frame of the log does not fit the data: relation {rel}, row {row}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EngineOptions, IsolationLevel, Location, RelationDesc, ScanSpec};
    use damask_storage::Env;
    use damask_types::{ColumnIndex, SqlType, TypeId, Value};

    fn open(env: &Env) -> Result<Arc<Engine>> {
        Engine::open(env.clone(), Location::File("d".into()), EngineOptions::default())
    }

    /// The meta of a database with one table, as this version and the one before it write it.
    fn meta_of(relation: &Relation, version: u8) -> Vec<u8> {
        let mut out = vec![version];
        let heap = relation.heap.load();
        put_varint(&mut out, relation.rel.0.into());
        put_varint(&mut out, 0);
        put_varint(&mut out, 1);
        put_varint(&mut out, relation.rel.0.into());
        put_columns(&mut out, relation.layout.load().columns()).unwrap();
        put_alias(&mut out, relation.alias.as_ref());
        put_varint(&mut out, heap.id.0.into());
        if version > META_VERSION_BTREE {
            out.push(TableEngine::BTree as u8);
        }
        put_varint(&mut out, heap.counts.next_row.load(Ordering::Relaxed));
        put_signed(&mut out, heap.counts.rows.load(Ordering::Relaxed));
        put_signed(&mut out, heap.counts.bytes.load(Ordering::Relaxed));
        // Indexes, dropped trees, changes, the end of rows.
        out.extend([0, 0, 0, unsettled::END]);
        out
    }

    /// A closed database with a table of ten rows, and such a meta.
    fn closed(version: u8) -> Env {
        let env = Env::in_memory(1);
        let engine = open(&env).unwrap();
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).unwrap();
        txn.begin_statement().unwrap();
        let columns = vec![SqlType::plain(TypeId::Int4)];
        let rel = txn.create_relation(RelationDesc { columns, ..RelationDesc::default() }).unwrap();
        let table = engine.table(rel).unwrap();
        for a in 0..10 {
            table.insert(&mut txn, &[Value::Int4(a)]).unwrap();
        }
        txn.commit().unwrap().wait().unwrap();
        engine.vacuum().unwrap();
        let meta = meta_of(&engine.directory.get(rel).unwrap(), version);
        if version == META_VERSION {
            assert_eq!(meta, engine.whole_meta(*engine.commit.lock()).unwrap());
        }
        let _gate = engine.gate.close();
        engine.store.close(*engine.commit.lock(), &meta).unwrap();
        env
    }

    #[test]
    fn metas_of_the_version_before_are_read() {
        for version in [META_VERSION_BTREE, META_VERSION] {
            let engine = open(&closed(version)).unwrap();
            let table = engine.table(RelId(1)).unwrap();
            assert_eq!((table.kind(), table.row_count_estimate()), (TableEngine::BTree, 10));
            let mut txn = engine.begin(IsolationLevel::ReadCommitted, true).unwrap();
            txn.begin_statement().unwrap();
            let spec = ScanSpec::new(vec![ColumnIndex(0)]);
            let mut scan = table.scan(&txn.view().unwrap(), spec).unwrap();
            let (batch, _) = scan.next().unwrap().unwrap();
            assert_eq!(batch.rows(), 10);
        }
    }

    #[test]
    fn metas_of_other_versions_and_engines_are_refused() {
        for version in [0, 1, META_VERSION + 1] {
            let error = open(&closed(version)).unwrap_err();
            assert!(error.message().contains("is not known"), "{error}");
        }
        assert!(read_engine(&mut Reader::new(&[9], "a test")).is_err());
    }
}
