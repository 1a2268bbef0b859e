//! What a commit changed, kept for serializable transactions that do not see it.
//!
//! It is made from the transaction's list of undo before its commit: the rows are its own, so neither the versions
//! that tell how they were nor the pages that tell how they are can change meanwhile.

use super::reads::{ReadSet, RowChange};
use crate::ddl::DdlUndo;
use crate::directory::{Heap, Relation};
use crate::engine::Engine;
use crate::image::Image;
use crate::txn::{Txn, Undo};
use damask_storage::row::RowLayout;
use damask_storage::tree::RowFlags;
use damask_types::{RelId, Result, RowId};
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// Memory of one commit's rows. Of a larger one only the tables are kept.
const COMMIT_BYTES_MAX: usize = 4 << 20;
/// What a row costs beside its images.
const ROW_BYTES: usize = size_of::<RowChange>() + 2 * size_of::<RowId>();
/// What a table, and a commit, cost beside their rows.
const TABLE_BYTES: usize = 128;

/// What a commit did to a table.
#[derive(Debug)]
enum TableChange {
    /// Whatever can be done to it.
    Whole,
    /// It changed these rows.
    Rows(Arc<RowLayout>, Vec<RowChange>),
}

/// What a commit changed.
#[derive(Debug)]
pub(crate) struct Changes {
    tables: HashMap<RelId, TableChange>,
    bytes: usize,
}

impl Changes {
    /// What a transaction that is about to commit has changed.
    pub(crate) fn of(txn: &Txn) -> Result<Self> {
        let mut tables = HashMap::new();
        let mut bytes = TABLE_BYTES;
        let mut seen = HashSet::new();
        let mut is_large = false;
        for undo in &txn.undo {
            let (relation, heap, rows) = match undo {
                Undo::Row { relation, heap, row } => (relation, heap, row.0..=row.0),
                Undo::Run { relation, run } => (relation, &run.heap, run.first.0..=run.last.0),
                Undo::RowLock { .. } | Undo::RelationLock { .. } | Undo::Ddl => continue,
            };
            for row in rows.map(RowId) {
                if is_large {
                    tables.insert(relation.rel, TableChange::Whole);
                    break;
                }
                if !seen.insert((heap.id, row)) {
                    continue;
                }
                let change = row_change(&txn.engine, txn, heap, row)?;
                bytes += ROW_BYTES + change.image_bytes();
                add_row(&mut tables, relation, change);
                if bytes > COMMIT_BYTES_MAX {
                    is_large = true;
                    tables.values_mut().for_each(|change| *change = TableChange::Whole);
                }
            }
        }
        if txn.undo.iter().any(|undo| matches!(undo, Undo::Ddl)) {
            let all = txn.engine.ddl.lock();
            let changed = all.get(&txn.id()).into_iter().flatten().filter_map(changed_table);
            tables.extend(changed.map(|rel| (rel, TableChange::Whole)));
        }
        if is_large {
            bytes = TABLE_BYTES;
        }
        bytes += tables.len() * TABLE_BYTES;
        Ok(Self { tables, bytes })
    }

    /// Memory it takes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether what was read may have come out otherwise after this commit.
    pub(crate) fn meet(&self, reads: &ReadSet) -> bool {
        self.tables.iter().any(|(rel, change)| match change {
            TableChange::Whole => reads.has(*rel),
            TableChange::Rows(layout, rows) => {
                rows.iter().any(|change| reads.is_touched(*rel, layout, change))
            }
        })
    }
}

fn add_row(tables: &mut HashMap<RelId, TableChange>, relation: &Relation, change: RowChange) {
    if change.before.is_none() && change.after.is_none() {
        return;
    }
    let none = || TableChange::Rows(relation.layout.load_full(), Vec::new());
    if let TableChange::Rows(_, rows) = tables.entry(relation.rel).or_insert_with(none) {
        rows.push(change);
    }
}

/// A row before the transaction's first change and after its last.
fn row_change(engine: &Engine, txn: &Txn, heap: &Heap, row: RowId) -> Result<RowChange> {
    let before = engine.versions.with(heap.id, row, |state| {
        let versions = state.map_or(&[][..], |state| &state.versions);
        let own = versions.iter().find(|version| Arc::ptr_eq(&version.cell, &txn.cell));
        own.and_then(|version| version.before.clone())
    });
    let load = |image: &Image| image.load().map(|bytes| Box::from(&bytes[..]));
    let before = before.as_ref().map(load).transpose()?;
    let current = heap.tree.get(row)?.filter(|(_, flags)| !flags.has(RowFlags::GHOST));
    Ok(RowChange { row, before, after: current.map(|(bytes, _)| bytes.into_boxed_slice()) })
}

impl RowChange {
    fn image_bytes(&self) -> usize {
        [&self.before, &self.after].into_iter().flatten().map(|image| image.len()).sum()
    }
}

/// The table whose rows are others after a change of relations.
fn changed_table(undo: &DdlUndo) -> Option<RelId> {
    match undo {
        DdlUndo::Drop(rel) | DdlUndo::Truncate { rel, .. } | DdlUndo::SetColumns { rel, .. } => {
            Some(*rel)
        }
        DdlUndo::Create(_)
        | DdlUndo::AddIndex { .. }
        | DdlUndo::DropIndex { .. }
        | DdlUndo::RenameIndex { .. }
        | DdlUndo::SetCodec { .. }
        | DdlUndo::CreateSequence(_)
        | DdlUndo::DropSequence(_) => None,
    }
}
