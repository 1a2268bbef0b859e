//! Disks that fail or are full while work goes on: a failure ends a transaction, or the engine, and nothing acknowledged is lost.

use super::{Planted, desc, go_on, index, int, open};
use crate::{CommitTicket, Engine, IsolationLevel, RelationDesc, TableEngine, Txn};
use damask_storage::vfs::{Fault, SimVfs};
use damask_types::{ColumnIndex, RelId, Result, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Inserts, updates and deletes rows of half a page, each in its own transaction; a failure ends one transaction only.
/// Returns the keys that were acknowledged with their last acknowledged text, and those whose fate is open.
fn work_on(
    engine: &Arc<Engine>,
    kept_in: TableEngine,
) -> Result<(BTreeMap<i32, Option<i32>>, BTreeSet<i32>)> {
    let (mut sure, mut open) = (BTreeMap::new(), BTreeSet::new());
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    let desc = RelationDesc { engine: kept_in, ..desc(true, vec![index(&[0], false)]) };
    let rel = txn.create_relation(desc)?;
    txn.commit()?.wait()?;
    let table = engine.table(rel)?;
    for i in 0..150 {
        let key = i * 7 % 40;
        let change = |txn: &mut Txn| {
            txn.begin_statement()?;
            let text = Value::text(format!("{i} {}", "x".repeat(900)));
            let row = crate::Table::alias_row(key.into());
            let view = txn.view()?;
            match table.get(&view, row, &[ColumnIndex(0)])? {
                None => table.insert(txn, &[int(key), text]).map(|_| Some(i)),
                Some(_) if i % 5 == 4 => table.delete(txn, row).map(|_| None),
                Some(_) => table.update(txn, row, &[(ColumnIndex(1), text)]).map(|_| Some(i)),
            }
        };
        let Ok(mut txn) = engine.begin(IsolationLevel::ReadCommitted, false) else {
            break;
        };
        let Ok(outcome) = change(&mut txn) else {
            continue;
        };
        if i % 11 == 10 {
            let _ = txn.rollback();
            continue;
        }
        match txn.commit().and_then(CommitTicket::wait) {
            Ok(()) => {
                sure.insert(key, outcome);
            }
            Err(_) => {
                open.insert(key);
            }
        }
        if i % 50 == 49 {
            let _ = engine.checkpoint();
        }
    }
    Ok((sure, open))
}

/// Every call on the disk fails once, and the disk is full at many places. What was acknowledged is there afterwards.
fn are_survived(kept_in: TableEngine) {
    let calls = (1..500).step_by(7).map(Fault::FailCall);
    let budgets = (1..40).step_by(2).map(|i| Fault::Budget(i * 30_000));
    let mut struck = 0;
    for fault in calls.chain(budgets) {
        let vfs = SimVfs::default();
        vfs.inject(fault.clone());
        let work = open(&vfs, 1, Planted::Nothing).and_then(|engine| work_on(&engine, kept_in));
        let (sure, unknown) = work.unwrap_or_default();
        let counts = vfs.counts();
        struck += counts.failed_writes + counts.failed_syncs + counts.disk_full;
        let image = vfs.killed();
        let engine = open(&image, 2, Planted::Nothing).unwrap();
        let report = engine.verify().unwrap();
        assert!(report.errors.is_empty(), "{fault:?}: {:?}", report.errors);
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, true).unwrap();
        txn.begin_statement().unwrap();
        for (key, number) in sure.iter().filter(|(key, _)| !unknown.contains(*key)) {
            let row = crate::Table::alias_row((*key).into());
            let table = engine.table(RelId(1)).unwrap();
            let found = table.get(&txn.view().unwrap(), row, &[ColumnIndex(1)]).unwrap();
            let found = found.map(|values| {
                values[0].as_text().and_then(|text| text.split(' ').next()?.parse().ok()).unwrap()
            });
            assert_eq!(found, *number, "{fault:?}, key {key}");
        }
        drop(txn);
        go_on(&engine, &image, 3).unwrap();
    }
    assert!(struck > 20, "{struck} faults struck");
}

#[test]
fn failing_calls_and_a_full_disk_are_survived() {
    are_survived(TableEngine::BTree);
}

#[test]
fn failing_calls_and_a_full_disk_are_survived_by_write_buffers() {
    are_survived(TableEngine::Lsm);
}
