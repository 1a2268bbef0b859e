//! Workloads whose commits are shown, told of or built on before they are durable: what a crash may take of them, and what not.

use super::{Run, dump_view, index, int};
use crate::{CommitTicket, Durability, ReadView, ScanSpec, WriteOutcome};
use damask_types::{ColumnIndex, RelId, TxnId, Value};
use std::collections::BTreeSet;

/// A commit of [`mixed_durability`], by its number.
pub(super) struct Pending {
    pub(super) number: usize,
    pub(super) ticket: CommitTicket,
}

/// Commits that wait for their flush and commits that do not, with readers in between.
///
/// Commit `i` inserts key `i`. What is promised: an acknowledged commit that waited, a commit that was flushed in time,
/// and a commit that waits for its flush and that a reader was shown.
pub(super) fn mixed_durability(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    let table = run.engine.table(rel).unwrap();
    let mut waits = BTreeSet::new();
    let mut pending: Vec<Pending> = Vec::new();
    let mut last_relaxed = 0;
    for number in run.states.len()..80 {
        run.checkpoint_a_little();
        // A row that a shown commit made: if one that waits has changed it since, this flushes for it.
        let shown = shown_keys(run, rel);
        let durability = match run.random.below(2) {
            0 => Durability::Flushed,
            _ => Durability::Relaxed,
        };
        let mut txn = run.begin();
        let key = number as i32;
        table.insert(&mut txn, &[int(key), Value::text(format!("{key}"))]).unwrap();
        if let Some(other) = shown.last() {
            let row = crate::Table::alias_row((*other).into());
            let changes = [(ColumnIndex(1), Value::text(format!("by {key}")))];
            if let WriteOutcome::Changed(now) = table.update(&mut txn, row, &changes).unwrap() {
                let outcome = table.update_latest(&mut txn, now, &changes).unwrap();
                assert_eq!(outcome, WriteOutcome::Done);
            }
        }
        let ticket = txn.commit_with(durability).unwrap();
        // The log has it, whoever is shown it.
        run.states.push(dump_view(&run.engine, &ReadView::newest(TxnId(0))).unwrap());
        run.values.push(0);
        match durability {
            Durability::Flushed => {
                waits.insert(key);
                pending.push(Pending { number, ticket });
            }
            Durability::Relaxed => {
                last_relaxed = number;
                ticket.wait().unwrap();
                assert!(shown_keys(run, rel).contains(&key), "it is shown at once");
            }
        }
        if let Some(seen) = shown_keys(run, rel).intersection(&waits).last() {
            run.vfs.mark(*seen as u64);
        }
        if run.random.below(3) == 0 && !pending.is_empty() {
            let at = run.random.below(pending.len() as u64) as usize;
            let Pending { number, ticket } = pending.swap_remove(at);
            ticket.wait().unwrap();
            run.vfs.mark(number as u64);
        }
        if run.random.below(4) == 0 {
            // The background step has had its time: all is flushed.
            let env = run.engine.store.env();
            while !run.engine.is_durable(run.engine.unflushed.last_relaxed()) {
                env.clock.sleep(run.engine.options.flush_delay);
                assert!(env.spawn.run_due() > 0, "a flush is due");
            }
            run.vfs.mark(last_relaxed as u64);
        }
        if number % 30 == 29 {
            run.engine.checkpoint().unwrap();
            run.vfs.mark(number as u64);
        }
    }
    for Pending { number, ticket } in pending {
        ticket.wait().unwrap();
        run.vfs.mark(number as u64);
    }
}

/// Writers of a few rows that build on each other's commits before those are durable, and say what they found.
///
/// Commit `i` writes `i`. What is promised: a commit that was acknowledged, and one whose value someone was told of.
pub(super) fn early_writers(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    let table = run.engine.table(rel).unwrap();
    for key in 0..3 {
        table.insert(&mut txn, &[int(key), Value::text("1")]).unwrap();
    }
    run.commit(txn);
    let mut pending: Vec<Pending> = Vec::new();
    while run.states.len() < 70 {
        let number = run.states.len();
        run.checkpoint_a_little();
        let row = crate::Table::alias_row(run.random.below(3) as i64);
        let mut txn = run.begin();
        txn.allow_early(true);
        txn.set_early(true);
        let changes = [(ColumnIndex(1), Value::text(format!("{number}")))];
        let mut found = 0;
        let mut outcome = table.update(&mut txn, row, &changes).unwrap();
        if let WriteOutcome::Changed(now) = outcome {
            let newest = table.latest(&txn, now, &[ColumnIndex(1)]).unwrap().unwrap();
            found = newest[0].as_text().unwrap().parse().unwrap();
            // Sometimes the newest value no longer qualifies.
            if run.random.below(4) > 0 {
                outcome = table.update_latest(&mut txn, now, &changes).unwrap();
            }
        }
        match (run.random.below(6), outcome) {
            (0, _) => {
                txn.rollback().unwrap();
                run.vfs.mark(found);
            }
            (1, _) => {
                txn.settle().unwrap();
                run.vfs.mark(found);
                txn.begin_statement().unwrap();
                drop(txn);
            }
            (_, WriteOutcome::Done) => {
                let relaxed = run.random.below(4) == 0;
                let durability = if relaxed { Durability::Relaxed } else { Durability::Flushed };
                let ticket = txn.commit_with(durability).unwrap();
                run.states.push(dump_view(&run.engine, &ReadView::newest(TxnId(0))).unwrap());
                run.values.push(0);
                if relaxed {
                    // It waits after all if it built on one that is not durable.
                    ticket.wait().unwrap();
                    run.vfs.mark(found);
                } else {
                    pending.push(Pending { number, ticket });
                }
            }
            (_, _) => {
                txn.commit().unwrap().wait().unwrap();
                run.vfs.mark(found);
            }
        }
        if run.random.below(5) == 0 && !pending.is_empty() {
            let at = run.random.below(pending.len() as u64) as usize;
            let Pending { number, ticket } = pending.swap_remove(at);
            ticket.wait().unwrap();
            run.vfs.mark(number as u64);
        }
        if number % 25 == 24 && pending.len() > 1 {
            run.engine.checkpoint().unwrap();
        }
    }
    for Pending { number, ticket } in pending {
        ticket.wait().unwrap();
        run.vfs.mark(number as u64);
    }
}

/// The keys that a new reader is shown.
fn shown_keys(run: &Run, rel: RelId) -> BTreeSet<i32> {
    let txn = run.begin();
    let table = run.engine.table(rel).unwrap();
    let spec = ScanSpec::new(vec![ColumnIndex(0)]);
    let mut scan = table.scan(&txn.view().unwrap(), spec).unwrap();
    let mut keys = BTreeSet::new();
    while let Some((batch, _)) = scan.next().unwrap() {
        keys.extend((0..batch.rows()).map(|i| batch.columns[0].value(i).as_i64().unwrap() as i32));
    }
    keys
}
