//! Checking a database: pages and trees (storage's part), and every index against its rows (M5).

use crate::directory::{Heap, Index, Relation};
use crate::engine::{Engine, VerifyReport};
use damask_storage::row::RowLayout;
use damask_storage::tree::{Direction, EntryFlags, KeyRange, RowFlags};
use damask_types::{Result, RowId};
use std::ops::ControlFlow;

/// Problems listed at most.
const ERRORS_MAX: usize = 100;

impl VerifyReport {
    fn error(&mut self, text: String) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(text);
        }
    }
}

impl Engine {
    /// Checks every page, tree and index; sessions that write wait meanwhile.
    ///
    /// # Errors
    /// Only what stops the check; what is wrong with the data is in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.collect_if_room()?;
        let _gate = self.gate.close();
        let store = self.store.verify()?;
        let mut report = VerifyReport { errors: store.problems, ..VerifyReport::default() };
        for relation in self.directory.all() {
            if let Err(error) = Self::verify_relation(&relation, &mut report) {
                report.error(format!("relation {}: {error}", relation.rel));
            }
        }
        Ok(report)
    }

    fn verify_relation(relation: &Relation, report: &mut VerifyReport) -> Result<()> {
        let heap = relation.heap.load();
        let layout = relation.layout.load();
        let statistics = heap.tree.verify(&mut |_| Ok(()))?;
        report.pages += statistics.leaves + statistics.inners + statistics.overflows;
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        for index in heap.indexes.load().iter() {
            let statistics = index.tree.verify(&mut |_| Ok(()))?;
            report.pages += statistics.leaves + statistics.inners + statistics.overflows;
            keys.clear();
            Self::index_keys(index, &mut keys)?;
            rows.clear();
            Self::row_keys(&heap, &layout, index, &mut rows)?;
            rows.sort_unstable();
            if index.desc.load().building {
                // It may lack rows, and has none that is not there.
                keys.sort_unstable();
                rows.retain(|row| keys.binary_search(row).is_ok());
            }
            report.index_entries += keys.len() as u64;
            compare(relation, index, &keys, &rows, report);
        }
        let mut from = Some(RowId(0));
        let mut live = 0;
        while let Some(start) = from {
            from = heap.tree.scan_leaf(start, |row, flags, bytes| {
                if flags.has(RowFlags::VERSIONED) || !flags.has(RowFlags::GHOST) {
                    layout.decode(bytes)?;
                } else {
                    report.error(format!(
                        "relation {}: row {row} is a ghost without versions",
                        relation.rel
                    ));
                }
                live += u64::from(!flags.has(RowFlags::GHOST));
                Ok(ControlFlow::Continue(()))
            })?;
        }
        report.rows += live;
        Ok(())
    }

    /// Entries that stand. Marked ones may outlive the versions they were for (an index built over them): readers check
    /// those against the row, so they are no error.
    fn index_keys(index: &Index, keys: &mut Vec<(Vec<u8>, RowId)>) -> Result<()> {
        let mut range = KeyRange::all();
        while index.tree.scan_leaf(&mut range, Direction::Forward, |entry| {
            if !entry.flags.has(EntryFlags::DELETE_MARK) {
                keys.push((entry.key.to_vec(), entry.rowid));
            }
            Ok(ControlFlow::Continue(()))
        })? {}
        Ok(())
    }

    fn row_keys(
        heap: &Heap,
        layout: &RowLayout,
        index: &Index,
        keys: &mut Vec<(Vec<u8>, RowId)>,
    ) -> Result<()> {
        let mut from = Some(RowId(0));
        while let Some(start) = from {
            from = heap.tree.scan_leaf(start, |row, flags, bytes| {
                if !flags.has(RowFlags::GHOST) {
                    let mut key = Vec::new();
                    if index.key_of(layout, bytes, &mut key)?.is_indexed {
                        keys.push((key, row));
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }
}

/// Compares what an index has with what its rows say, both sorted.
fn compare(
    relation: &Relation,
    index: &Index,
    keys: &[(Vec<u8>, RowId)],
    rows: &[(Vec<u8>, RowId)],
    report: &mut VerifyReport,
) {
    let place = |row: RowId| format!("index {} of relation {}, row {row}", index.rel, relation.rel);
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] >= pair[1]) {
        report.error(format!("{}: entries are out of order", place(pair[1].1)));
        return;
    }
    let (mut left, mut right) = (keys.iter().peekable(), rows.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some(entry), Some(row)) if entry == row => {
                left.next();
                right.next();
            }
            (Some(entry), row) if row.is_none_or(|row| entry < row) => {
                report.error(format!("{}: an entry has no row with its key", place(entry.1)));
                left.next();
            }
            (_, Some(row)) => {
                report.error(format!("{}: a row has no entry", place(row.1)));
                right.next();
            }
            (Some(_), None) => {
                unreachable!("the guard above takes every entry when no row is left")
            }
        }
    }
}
