//! Further workloads for the crashes: trees that grow and shrink, transactions that stay open over checkpoints, flushes
//! that many commits share, threads, databases that are closed and opened again.

use super::unsettled::Pending;
use super::{Noted, Planted, Run, change, check, dump_view, index, int, open};
use crate::{
    Arbiters, CommitTicket, Durability, Engine, InsertOutcome, IsolationLevel, ReadView, ScanSpec,
    Table,
};
use damask_storage::Flush;
use damask_storage::vfs::SimVfs;
use damask_types::{ColumnIndex, RelId, TxnId, Value};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Threads of [`threads`].
const THREADS: u64 = 4;

/// Transactions of each.
const TRANSACTIONS: u64 = 10;

/// Rows that a thread of [`threads`] leaves behind itself.
const ROWS_LEFT: u64 = 3;

/// Commits of many rows, so that pages split, and deletions of most of them, so that pages are freed and used again.
pub(super) fn growing_trees(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false), index(&[1, 0], true)]));
    let rel = rel.unwrap();
    run.commit(txn);
    let table = run.engine.table(rel).unwrap();
    for round in 0..6 {
        let mut txn = run.begin();
        for i in 0..50 {
            let key = round * 50 + i * 7 % 50;
            let text = format!("{:03}{}", run.random.below(200), "x".repeat(60));
            table.insert(&mut txn, &[int(key), Value::text(text)]).unwrap();
        }
        run.commit(txn);
        if round % 2 == 1 {
            run.engine.checkpoint().unwrap();
        }
        let mut txn = run.begin();
        let first = round.saturating_sub(1) * 50;
        for key in (first..first + 50).filter(|_| run.random.below(10) > 2) {
            let _ = table.delete(&mut txn, Table::alias_row(key.into())).unwrap();
        }
        run.commit(txn);
    }
    run.engine.checkpoint().unwrap();
}

/// Large transactions that are open while checkpoints write what they did; they end either way, in whole or in part.
pub(super) fn open_over_checkpoints(run: &mut Run) {
    let mut txn = run.begin();
    let t = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    let u = txn.create_relation(run.desc(false, vec![index(&[0], false)])).unwrap();
    for key in 0..40 {
        change_row(run, &mut txn, t, key);
    }
    run.commit(txn);
    for round in 0..6 {
        let mut large = run.begin();
        for _ in 0..30 {
            change(run, &mut large, t);
        }
        let savepoint = large.savepoint();
        run.engine.checkpoint().unwrap();
        for _ in 0..3 {
            let mut small = run.begin();
            change(run, &mut small, u);
            run.commit(small);
        }
        for _ in 0..10 {
            change(run, &mut large, t);
        }
        match round % 3 {
            0 => run.commit(large),
            1 => large.rollback().unwrap(),
            _ => {
                run.engine.checkpoint().unwrap();
                large.rollback_to(savepoint).unwrap();
                run.commit(large);
            }
        }
    }
}

/// Large transactions beside each other, whose fragments lie among each other's and small commits; what one rolls back to a
/// savepoint, another changes and commits.
pub(super) fn interleaved(run: &mut Run) {
    let mut txn = run.begin();
    let rels: Vec<RelId> = (0..4)
        .map(|i| txn.create_relation(run.desc(i % 2 == 0, vec![index(&[1], false)])).unwrap())
        .collect();
    run.commit(txn);
    let [a_own, b_own, shared, small] = rels[..] else { unreachable!("four were made") };
    for round in 0..6 {
        let (mut a, mut b) = (run.begin(), run.begin());
        for i in 0..12 {
            change(run, &mut a, a_own);
            change(run, &mut b, b_own);
            if i % 5 == round % 5 {
                let mut txn = run.begin();
                change(run, &mut txn, small);
                run.commit(txn);
            }
        }
        if round % 2 == 0 {
            run.engine.checkpoint().unwrap();
        }
        let savepoint = a.savepoint();
        for _ in 0..8 {
            change(run, &mut a, shared);
        }
        a.rollback_to(savepoint).unwrap();
        for _ in 0..8 {
            change(run, &mut b, shared);
        }
        for _ in 0..round {
            change(run, &mut a, a_own);
        }
        if round % 3 == 1 {
            run.engine.checkpoint().unwrap();
        }
        match round {
            1 => b.rollback().unwrap(),
            _ => run.commit(b),
        }
        match round {
            3 => a.rollback().unwrap(),
            _ => run.commit(a),
        }
    }
}

fn change_row(run: &Run, txn: &mut crate::Txn, rel: RelId, key: i32) {
    let text = Value::text("y".repeat(run.random.below(60) as usize));
    run.engine.table(rel).unwrap().insert(txn, &[int(key), text]).unwrap();
}

/// Several transactions at a time, committed one after the other and made durable by one flush.
pub(super) fn shared_flushes(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    let mut key = 0;
    for round in 0..12 {
        let mut txns = Vec::new();
        for _ in 0..=run.random.below(6) {
            let mut txn = run.begin();
            for _ in 0..=run.random.below(4) {
                change_row(run, &mut txn, rel, key);
                key += 1;
            }
            txns.push(txn);
        }
        if round % 4 == 3 {
            run.engine.checkpoint().unwrap();
        }
        let mut pending = Vec::new();
        for txn in txns {
            let ticket = txn.commit_with(Durability::Flushed).unwrap();
            let number = run.states.len();
            run.states.push(dump_view(&run.engine, &ReadView::newest(TxnId(0))).unwrap());
            run.values.push(0);
            pending.push(Pending { number, ticket });
        }
        // The last one's flush is everyone's.
        while let Some(Pending { number, ticket }) = pending.pop() {
            ticket.wait().unwrap();
            run.vfs.mark(number as u64);
        }
    }
}

/// Commits whose flushes are under way together, step by step, and end in any order; with one lane one at a time.
pub(super) fn overlapping_flushes(run: &mut Run) {
    overlap(run, false);
}

/// The same by someone who acknowledges commits when their own flush is done: a defect that must be found.
pub(super) fn hasty_flushes(run: &mut Run) {
    overlap(run, true);
}

/// A flush that is written, synced and finished in steps.
struct Flight<'l> {
    flush: Flush<'l>,
    steps: u8,
    /// The last commit that it has.
    number: usize,
}

fn overlap(run: &mut Run, is_hasty: bool) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    let engine = Arc::clone(&run.engine);
    let log = engine.store.log();
    let mut flights: Vec<Flight<'_>> = Vec::new();
    let mut pending = VecDeque::new();
    for round in 0..72 {
        let mut txn = run.begin();
        for key in 0..=run.random.below(4) as i32 {
            change_row(run, &mut txn, rel, round * 10 + key);
        }
        let ticket = txn.commit_with(Durability::Flushed).unwrap();
        let number = run.states.len();
        run.states.push(dump_view(&run.engine, &ReadView::newest(TxnId(0))).unwrap());
        run.values.push(0);
        pending.push_back(Pending { number, ticket });
        if run.random.below(4) > 0 {
            let flush = log.begin_flush().unwrap();
            flights.extend(flush.map(|flush| Flight { flush, steps: 0, number }));
        }
        let is_last = round % 12 == 11;
        let mut steps = run.random.below(5);
        while !flights.is_empty() && (is_last || steps > 0) {
            steps = steps.saturating_sub(1);
            let at = run.random.below(flights.len() as u64) as usize;
            let flight = &mut flights[at];
            flight.steps += 1;
            match flight.steps {
                1 => flight.flush.write().unwrap(),
                2 => {
                    flight.flush.sync().unwrap();
                    if is_hasty {
                        run.vfs.mark(flight.number as u64);
                    }
                }
                _ => flights.swap_remove(at).flush.finish(),
            }
            acknowledge(run, &mut pending, CommitTicket::is_durable);
        }
        if is_last {
            acknowledge(run, &mut pending, |_| true);
            run.engine.checkpoint().unwrap();
        }
    }
}

/// Waits for the first commits that are `due`, and marks them.
fn acknowledge(run: &Run, pending: &mut VecDeque<Pending>, due: impl Fn(&CommitTicket) -> bool) {
    while let Some(Pending { number, ticket }) = pending.pop_front_if(|it| due(&it.ticket)) {
        ticket.wait().unwrap();
        run.vfs.mark(number as u64);
    }
}

/// Rows that are inserted, or changed if their key is there already.
pub(super) fn upserts(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(false, vec![index(&[0], true), index(&[1], false)]));
    let rel = rel.unwrap();
    run.commit(txn);
    let table = run.engine.table(rel).unwrap();
    for round in 0..30 {
        let mut txn = run.begin();
        for _ in 0..=run.random.below(5) {
            txn.begin_statement().unwrap();
            let values = [int(run.random.below(12) as i32), Value::text(format!("{round}"))];
            match table.insert_unless(&mut txn, &values, &Arbiters::All).unwrap() {
                InsertOutcome::Inserted(_) => {}
                InsertOutcome::Conflict(row) => {
                    let changes = [(ColumnIndex(1), values[1].clone())];
                    let _ = table.update(&mut txn, row, &changes).unwrap();
                }
            }
        }
        if round % 5 == 4 {
            txn.rollback().unwrap();
        } else {
            run.commit(txn);
        }
        if round % 11 == 10 {
            run.engine.checkpoint().unwrap();
        }
    }
}

/// The database is closed and opened again between the changes.
pub(super) fn reopenings(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    for round in 0..4 {
        for _ in 0..5 {
            let mut txn = run.begin();
            change(run, &mut txn, rel);
            change(run, &mut txn, rel);
            run.commit(txn);
        }
        run.engine.close().unwrap();
        run.engine = open(&run.vfs, 100 + round, Planted::Nothing).unwrap();
    }
}

/// Threads that commit at once. Transaction `i` of a thread puts row `i` of the thread into two tables and takes an old
/// one out of both; its mark says thread and transaction.
pub(super) fn threads(run: &mut Run) {
    let mut txn = run.begin();
    // Relations 1 and 2; the index is 3.
    let t = txn.create_relation(run.desc(true, vec![])).unwrap();
    let u = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    txn.commit().unwrap().wait().unwrap();
    run.vfs.mark(thread_mark(THREADS, 1));
    let run = &*run;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for i in 0..TRANSACTIONS {
                    let mut txn = run.begin();
                    for rel in [t, u] {
                        let table = run.engine.table(rel).unwrap();
                        let values = [int(thread_key(thread, i) as i32), Value::text("x")];
                        table.insert(&mut txn, &values).unwrap();
                        if let Some(old) = i.checked_sub(ROWS_LEFT) {
                            let row = Table::alias_row(thread_key(thread, old) as i64);
                            let _ = table.delete(&mut txn, row).unwrap();
                        }
                    }
                    txn.commit().unwrap().wait().unwrap();
                    run.vfs.mark(thread_mark(thread, i + 1));
                    if thread == 0 && i % 4 == 3 {
                        run.engine.checkpoint().unwrap();
                    }
                }
            });
        }
    });
}

/// The key of a thread's row.
fn thread_key(thread: u64, i: u64) -> u64 {
    thread * 1000 + i
}

/// Says that so many transactions of a thread are acknowledged; thread [`THREADS`] made the tables.
fn thread_mark(thread: u64, count: u64) -> u64 {
    thread << 32 | count
}

/// Whether each thread's rows are those that some number of its transactions left, no fewer than were acknowledged.
pub(super) fn check_threads(
    vfs: &SimVfs,
    seed: u64,
    _: &Noted<'_>,
    marks: &[u64],
) -> Result<Arc<Engine>, String> {
    let engine = open(vfs, seed, Planted::Nothing).map_err(|e| format!("does not open: {e}"))?;
    let report = engine.verify().map_err(|e| format!("cannot be verified: {e}"))?;
    if !report.errors.is_empty() {
        return Err(format!("{:?}", report.errors));
    }
    let acknowledged = |thread: u64| {
        let of_thread = marks.iter().filter(|mark| *mark >> 32 == thread);
        of_thread.map(|mark| mark & 0xffff_ffff).max().unwrap_or(0)
    };
    if acknowledged(THREADS) == 0 && keys(&engine, RelId(2)).is_err() {
        // The tables are made by one transaction.
        return if keys(&engine, RelId(1)).is_ok() {
            Err("a table of two".to_owned())
        } else {
            Ok(engine)
        };
    }
    let keys = |rel| keys(&engine, rel).map_err(|e| format!("cannot be read: {e}"));
    let (t, u) = (keys(RelId(1))?, keys(RelId(2))?);
    if t != u {
        return Err(format!("half of a transaction is there: {t:?}, {u:?}"));
    }
    for thread in 0..THREADS {
        let own: BTreeSet<u64> =
            t.range(thread_key(thread, 0)..thread_key(thread + 1, 0)).copied().collect();
        let count = own.last().map_or(0, |last| last - thread_key(thread, 0) + 1);
        let first = count.saturating_sub(ROWS_LEFT);
        let expected = (first..count).map(|i| thread_key(thread, i)).collect();
        if own != expected {
            return Err(format!("thread {thread} has {own:?}"));
        }
        let promised = acknowledged(thread);
        if count < promised {
            return Err(format!("thread {thread} is at {count}, but {promised} was acknowledged"));
        }
    }
    Ok(engine)
}

fn keys(engine: &Arc<Engine>, rel: RelId) -> damask_types::Result<BTreeSet<u64>> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, true)?;
    txn.begin_statement()?;
    let mut scan = engine.table(rel)?.scan(&txn.view()?, ScanSpec::new(vec![ColumnIndex(0)]))?;
    let mut keys = BTreeSet::new();
    while let Some((batch, _)) = scan.next()? {
        keys.extend((0..batch.rows()).filter_map(|i| batch.columns[0].value(i).as_i64()));
    }
    Ok(keys.into_iter().map(|key| key as u64).collect())
}

/// [`check`] for workloads whose marks are numbers of commits.
pub(super) fn check_commits(
    vfs: &SimVfs,
    seed: u64,
    noted: &Noted<'_>,
    marks: &[u64],
) -> Result<Arc<Engine>, String> {
    let acknowledged = marks.iter().max().map_or(0, |mark| *mark as usize);
    check(vfs, seed, noted, acknowledged)
}
