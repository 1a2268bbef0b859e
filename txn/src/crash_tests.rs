//! Crashes at every event of a run, on the simulated disk, through the engine.
//!
//! Each workload runs once; after every commit that was acknowledged, what a new transaction sees of all tables is
//! noted. Then the run is crashed behind its events, four disks each. What must hold for each disk
//! - the database opens, and its tables are as they were after some commit, none earlier than the last acknowledged one;
//! - a sequence gives no value that was given out before that commit;
//! - `verify` finds nothing wrong: pages, trees, every index against its rows;
//! - ten more transactions go through, and the closed database opens with them.
//!
//! Recovery and what follows it are crashed likewise at sampled events; [`images`] does this at size. The controls plant defects
//! that must be found. [`faults`] does not crash: there calls fail. The seed of a life says how many lanes the log has, one to three.
//!
//! `DAMASK_CRASH_STRIDE=1` visits every event.

mod faults;
mod full_disk;
mod images;
mod indexes;
mod unsettled;
mod workloads;

use crate::engine::Planted;
use crate::{
    AliasKey, CommitTicket, Engine, EngineOptions, IndexDesc, IsolationLevel, KeyColumn, Location,
    NewRows, ReadView, RelationDesc, ScanSpec, SequenceSpec, Table, TableEngine, Txn,
};
use damask_storage::env::SeededRandom;
use damask_storage::vfs::{Fault, SimVfs};
use damask_storage::{Env, PageCodec};
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlState, SqlType, TypeId, Value};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use unsettled::{early_writers, mixed_durability};

/// Relations that a workload may make.
const RELATIONS_MAX: u32 = 40;

const SEQUENCE: SequenceSpec =
    SequenceSpec { start: 1, increment: 1, min: 1, max: i64::MAX, cycle: false };

fn open(vfs: &SimVfs, seed: u64, planted: Planted) -> Result<Arc<Engine>> {
    open_sized(vfs, seed, planted, 4096)
}

/// Lanes of the log of a life.
fn lane_count(seed: u64) -> usize {
    1 + (seed.wrapping_sub(1) % 3) as usize
}

/// Opens a database; makes it with pages of so many bytes if there is none.
fn open_sized(vfs: &SimVfs, seed: u64, planted: Planted, page_bytes: usize) -> Result<Arc<Engine>> {
    let env = Env::simulated(Arc::new(vfs.clone()), seed);
    let options = EngineOptions {
        pool_bytes: 64 * 4096,
        page_bytes,
        log_segment_bytes: 64 << 10,
        log_lanes: lane_count(seed),
        // So that versions between snapshots go at once, and old rows to files.
        garbage_rows: 8,
        undo_bytes: 300,
        // So that merges begin and end often.
        write_buffer_bytes: 600,
        // So that most transactions of more than a few changes are large ones.
        fragment_bytes: 200,
        ..EngineOptions::default()
    };
    let engine = Engine::open(env, Location::File("d".into()), options)?;
    engine.planted.store(planted as u8, Ordering::Relaxed);
    engine.versions.is_planted.store(planted == Planted::VersionsLate, Ordering::Relaxed);
    Ok(engine)
}

/// Every row of every table that is shown, as text.
fn dump(engine: &Arc<Engine>) -> Result<String> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, true)?;
    txn.begin_statement()?;
    dump_view(engine, &txn.view()?)
}

fn dump_view(engine: &Arc<Engine>, view: &ReadView) -> Result<String> {
    let mut out = String::new();
    for rel in 1..RELATIONS_MAX {
        let Ok(table) = engine.table(RelId(rel)) else {
            continue;
        };
        let columns: Vec<_> = (0..table.columns().len() as u16).map(ColumnIndex).collect();
        writeln!(out, "relation {rel}").unwrap();
        let mut scan = table.scan(view, ScanSpec::new(columns).with_row_ids())?;
        while let Some((batch, ids)) = scan.next()? {
            for (i, id) in ids.iter().enumerate() {
                let row: Vec<_> = batch.columns.iter().map(|column| column.value(i)).collect();
                writeln!(out, "{id}: {row:?}").unwrap();
            }
        }
    }
    Ok(out)
}

/// A run and what was noted of it.
struct Run {
    engine: Arc<Engine>,
    vfs: SimVfs,
    random: SeededRandom,
    /// What the tables were after each commit; the first entry is the empty database.
    states: Vec<String>,
    /// The largest value of the sequence given out by then.
    values: Vec<i64>,
    sequence: Option<RelId>,
    value: i64,
    /// Checkpoints are written in small pieces between changes.
    beside: bool,
    /// What compresses the tables' pages.
    codec: PageCodec,
    /// What the tables keep their rows in.
    kept_in: TableEngine,
}

impl Run {
    fn new(seed: u64, planted: Planted) -> Self {
        Self::sized(seed, planted, 4096)
    }

    fn sized(seed: u64, planted: Planted, page_bytes: usize) -> Self {
        let vfs = SimVfs::default();
        let engine = open_sized(&vfs, seed, planted, page_bytes).unwrap();
        let random = SeededRandom::new(seed);
        Self {
            engine,
            vfs,
            random,
            states: vec![String::new()],
            values: vec![0],
            sequence: None,
            value: 0,
            beside: false,
            codec: PageCodec::None,
            kept_in: TableEngine::BTree,
        }
    }

    /// A table as of [`desc`], with the run's codec and engine.
    fn desc(&self, alias: bool, indexes: Vec<IndexDesc>) -> RelationDesc {
        RelationDesc { codec: self.codec, engine: self.kept_in, ..desc(alias, indexes) }
    }

    fn begin(&self) -> Txn {
        let mut txn = self.engine.begin(IsolationLevel::ReadCommitted, false).unwrap();
        txn.begin_statement().unwrap();
        txn
    }

    fn commit(&mut self, txn: Txn) {
        let ticket = txn.commit().unwrap();
        self.acknowledge(ticket);
    }

    fn acknowledge(&mut self, ticket: CommitTicket) {
        ticket.wait().unwrap();
        self.vfs.mark(self.states.len() as u64);
        self.states.push(dump(&self.engine).unwrap());
        self.values.push(self.value);
    }

    /// Begins a checkpoint sometimes, or writes a page or two of the one that was begun.
    fn checkpoint_a_little(&self) {
        if !self.beside {
        } else if self.engine.store.is_checkpointing() {
            let pages_max = 1 + self.random.below(2) as usize;
            self.engine.continue_checkpoint(pages_max).unwrap();
        } else if self.random.below(6) == 0 {
            self.engine.begin_checkpoint().unwrap();
        }
    }

    fn next_value(&mut self) -> i64 {
        let Some(rel) = self.sequence else {
            return 0;
        };
        self.value = self.engine.sequence_next(rel, &SEQUENCE).unwrap();
        self.value
    }
}

fn int(i: i32) -> Value {
    Value::Int4(i)
}

fn index(columns: &[u16], unique: bool) -> IndexDesc {
    IndexDesc {
        name: "i".to_owned(),
        keys: columns.iter().map(|i| KeyColumn::ascending(ColumnIndex(*i))).collect(),
        key_names: columns.iter().map(|i| format!("c{i}")).collect(),
        unique,
        ..IndexDesc::default()
    }
}

/// A table (a int4, b text).
fn desc(alias: bool, indexes: Vec<IndexDesc>) -> RelationDesc {
    let alias = alias.then(|| AliasKey {
        column: ColumnIndex(0),
        name: "t_pkey".to_owned(),
        column_name: "a".to_owned(),
    });
    let columns = vec![SqlType::plain(TypeId::Int4), SqlType::plain(TypeId::Text)];
    RelationDesc { columns, alias, indexes, ..RelationDesc::default() }
}

/// Inserts a run of rows with keys that go up from a random one.
fn insert_run(run: &Run, txn: &mut Txn, table: &Table) -> Result<()> {
    let first = run.random.below(60) as i32;
    let mut rows = NewRows::default();
    for a in first..first + 2 + run.random.below(12) as i32 {
        let mut values = vec![int(a), Value::text("y".repeat(run.random.below(90) as usize))];
        values.resize(table.columns().len(), int(7));
        table.push_row(&mut rows, &values)?;
    }
    table.insert_rows(txn, &mut rows).map(drop)
}

/// Inserts a row or a run of rows, updates or deletes a random row; a duplicate key changes nothing.
fn change(run: &Run, txn: &mut Txn, rel: RelId) {
    run.checkpoint_a_little();
    try_change(run, txn, rel).unwrap();
}

/// The same on a disk that may fail.
fn try_change(run: &Run, txn: &mut Txn, rel: RelId) -> Result<()> {
    txn.begin_statement()?;
    let table = run.engine.table(rel)?;
    let view = txn.view()?;
    let mut scan = table.scan(&view, ScanSpec::new(vec![]).with_row_ids())?;
    let ids: Vec<RowId> = scan.next()?.map(|(_, ids)| ids).unwrap_or_default();
    let some = ids.get(run.random.below(ids.len() as u64) as usize).copied();
    let a = int(run.random.below(60) as i32);
    let b = Value::text("x".repeat(run.random.below(40) as usize));
    let outcome = match (run.random.below(12), some) {
        (10.., _) => insert_run(run, txn, &table),
        (0..4, _) | (_, None) => {
            let mut values = vec![a, b];
            values.resize(table.columns().len(), int(7));
            table.insert(txn, &values).map(drop)
        }
        (4..6, Some(row)) => table.update(txn, row, &[(ColumnIndex(1), b)]).map(drop),
        (6..8, Some(row)) => {
            let changes = [(ColumnIndex(0), a), (ColumnIndex(1), b)];
            table.update(txn, row, &changes).map(drop)
        }
        (_, Some(row)) => table.delete(txn, row).map(drop),
    };
    match outcome {
        Err(error) if error.sqlstate() == SqlState::UNIQUE_VIOLATION => Ok(()),
        outcome => outcome,
    }
}

/// One change a transaction, on a table with an alias key and an index.
fn single_changes(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    for i in 0..40 {
        let mut txn = run.begin();
        change(run, &mut txn, rel);
        run.commit(txn);
        if i == 20 {
            run.engine.checkpoint().unwrap();
        }
    }
}

/// Several changes of two tables with unique indexes in each transaction; some are rolled back.
fn several_tables(run: &mut Run) {
    let mut txn = run.begin();
    let unique = vec![index(&[0], true), index(&[1, 0], false)];
    let t = txn.create_relation(run.desc(false, unique)).unwrap();
    let u = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    for i in 0..24 {
        let mut txn = run.begin();
        for _ in 0..run.random.below(6) {
            change(run, &mut txn, t);
            change(run, &mut txn, u);
        }
        if run.random.below(4) == 0 {
            txn.rollback().unwrap();
        } else {
            run.commit(txn);
        }
        if i % 10 == 9 {
            run.engine.checkpoint().unwrap();
        }
    }
}

/// Relations made, changed, emptied, dropped, indexes built, committed or not; a sequence counts on.
fn relations(run: &mut Run) {
    let mut txn = run.begin();
    let t = txn.create_relation(run.desc(false, vec![])).unwrap();
    run.sequence = Some(txn.create_sequence(&SEQUENCE).unwrap());
    run.next_value();
    for _ in 0..30 {
        change(run, &mut txn, t);
    }
    run.commit(txn);
    let mut index_rel = None;
    let mut width = 2;
    let mut extra = None;
    for i in 0..14 {
        run.next_value();
        let mut txn = run.begin();
        let mut commits = run.random.below(3) > 0;
        let mut then = (index_rel, width, extra);
        match i % 7 {
            0 if then.0.is_none() => then.0 = Some(txn.add_index(t, index(&[1], false)).unwrap()),
            1 => {
                then.1 += 1;
                let columns = [SqlType::plain(TypeId::Int4), SqlType::plain(TypeId::Text)];
                let added = std::iter::repeat_n(SqlType::plain(TypeId::Int4), then.1 - 2);
                let types = columns.into_iter().chain(added).collect();
                let missing = [Value::Null, Value::Null, int(5), int(6), int(7)];
                txn.set_columns(t, types, missing[..then.1.min(5)].to_vec()).unwrap();
            }
            2 => {
                let made = txn.create_relation(run.desc(true, vec![index(&[1], true)])).unwrap();
                change(run, &mut txn, made);
                then.2 = Some(made);
            }
            3 => txn.truncate(t).unwrap(),
            4 => {
                if let Some(rel) = then.2.take() {
                    txn.drop_relation(rel).unwrap();
                }
            }
            5 => {
                if let Some(rel) = then.0.take() {
                    txn.drop_index(t, rel).unwrap();
                }
            }
            _ => commits = true,
        }
        if run.codec != PageCodec::None && i % 2 == 0 {
            txn.set_codec(t, PageCodec::ALL[i / 2 % 4]).unwrap();
        }
        for _ in 0..6 {
            change(run, &mut txn, t);
        }
        // A checkpoint beside the open transaction, on some rounds.
        if i % 3 == 0 {
            run.engine.checkpoint().unwrap();
        }
        change(run, &mut txn, t);
        if commits {
            (index_rel, width, extra) = then;
            run.commit(txn);
        } else {
            txn.rollback().unwrap();
        }
    }
}

/// Rows of many pages, and a commit larger than a fragment of the log.
fn large_rows(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(true, vec![index(&[0], true)])).unwrap();
    run.commit(txn);
    let table = run.engine.table(rel).unwrap();
    for i in 0..8 {
        let mut txn = run.begin();
        let text = "y".repeat(20_000 + i as usize * 7000);
        table.insert(&mut txn, &[int(i), Value::text(text.as_str())]).unwrap();
        if i % 2 == 1 {
            let row = Table::alias_row((i - 1).into());
            let _ = table.update(&mut txn, row, &[(ColumnIndex(1), Value::text(text))]).unwrap();
        }
        if i == 5 {
            let _ = table.delete(&mut txn, Table::alias_row(1)).unwrap();
        }
        run.commit(txn);
        if i == 3 {
            run.engine.checkpoint().unwrap();
        }
    }
    let mut txn = run.begin();
    for i in 10..14 {
        let values = [int(i), Value::text("z".repeat(400_000))];
        table.insert(&mut txn, &values).unwrap();
    }
    run.commit(txn);
}

/// Savepoints, with a second transaction and an old reader open over checkpoints.
fn savepoints(run: &mut Run) {
    let mut txn = run.begin();
    let t =
        txn.create_relation(run.desc(false, vec![index(&[1], false), index(&[0], false)])).unwrap();
    let u = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    let mut other = run.begin();
    let mut reader = run.engine.begin(IsolationLevel::RepeatableRead, true).unwrap();
    reader.begin_statement().unwrap();
    for i in 0..16 {
        let mut txn = run.begin();
        for _ in 0..3 {
            change(run, &mut txn, t);
        }
        let savepoint = txn.savepoint();
        for _ in 0..4 {
            change(run, &mut txn, t);
        }
        change(run, &mut other, u);
        if i % 4 == 1 {
            run.engine.checkpoint().unwrap();
        }
        if run.random.below(2) == 0 {
            txn.rollback_to(savepoint).unwrap();
        }
        change(run, &mut txn, t);
        run.commit(txn);
        if i == 9 {
            run.commit(std::mem::replace(&mut other, run.begin()));
        }
        if i == 12 {
            reader = run.engine.begin(IsolationLevel::RepeatableRead, true).unwrap();
            reader.begin_statement().unwrap();
        }
    }
    other.rollback().unwrap();
}

/// Runs of rows by transactions that are open over checkpoints: undone in part, changed, emptied by their own transaction.
fn runs(run: &mut Run) {
    let mut txn = run.begin();
    let t =
        txn.create_relation(run.desc(false, vec![index(&[1], false), index(&[0], false)])).unwrap();
    let u = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    run.commit(txn);
    let (table, keyed) = (run.engine.table(t).unwrap(), run.engine.table(u).unwrap());
    let mut other = run.begin();
    for i in 0..16 {
        let mut txn = run.begin();
        insert_run(run, &mut txn, &table).unwrap();
        change(run, &mut txn, t);
        let savepoint = txn.savepoint();
        insert_run(run, &mut txn, &table).unwrap();
        // It may meet its own keys.
        let _ = insert_run(run, &mut other, &keyed);
        if i % 5 == 3 {
            txn.truncate(t).unwrap();
            insert_run(run, &mut txn, &table).unwrap();
        }
        run.checkpoint_a_little();
        if !run.beside && i % 3 == 1 {
            run.engine.checkpoint().unwrap();
        }
        change(run, &mut txn, t);
        if run.random.below(2) == 0 {
            txn.rollback_to(savepoint).unwrap();
        }
        if run.random.below(4) == 0 {
            txn.rollback().unwrap();
        } else {
            run.commit(txn);
        }
        match i {
            6 => run.commit(std::mem::replace(&mut other, run.begin())),
            11 => std::mem::replace(&mut other, run.begin()).rollback().unwrap(),
            _ => {}
        }
    }
}

/// A workload with checkpoints written beside it.
fn beside(run: &mut Run, workload: fn(&mut Run)) {
    run.beside = true;
    workload(run);
}

/// A workload whose tables are compressed, each run by another codec, on pages large enough for that to save units.
fn compressed(run: &mut Run, workload: fn(&mut Run)) {
    let seed = run.random.below(1 << 32);
    *run = Run { beside: run.beside, ..Run::sized(seed, Planted::Nothing, 8192) };
    run.codec = PageCodec::ALL[1 + seed as usize % 3];
    workload(run);
    let table = |rel: u32| run.engine.table(RelId(rel)).ok();
    let tables: Vec<_> = (1..RELATIONS_MAX).filter_map(table).collect();
    let page_count = run.engine.store.pool().statistics().page_count as u64;
    let bytes: u64 = tables.iter().map(|table| table.stored_bytes()).sum();
    assert!(bytes < page_count * 8192, "{bytes} bytes of {page_count} pages");
}

/// A workload whose tables have write buffers, which are merged several times.
fn buffered(run: &mut Run, workload: fn(&mut Run)) {
    run.kept_in = TableEngine::Lsm;
    workload(run);
    let tables = (1..RELATIONS_MAX).filter_map(|rel| run.engine.table(RelId(rel)).ok()).count();
    let trees = run.engine.store.next_tree_id().0;
    assert!(trees > 12 * tables as u32, "{trees} trees were made for {tables} tables");
}

/// Compares a crashed disk with the run; the engine on it and which commit it stands at.
fn check(
    vfs: &SimVfs,
    seed: u64,
    run: &Noted<'_>,
    acknowledged: usize,
) -> Result<Arc<Engine>, String> {
    let engine = open(vfs, seed, Planted::Nothing).map_err(|e| format!("does not open: {e}"))?;
    let found = dump(&engine).map_err(|e| format!("cannot be read: {e}"))?;
    let report = engine.verify().map_err(|e| format!("cannot be verified: {e}"))?;
    if !report.errors.is_empty() {
        return Err(format!("{:?}", report.errors));
    }
    if !run.states[acknowledged..].contains(&found) {
        let earlier = run.states.iter().rposition(|state| *state == found);
        return Err(format!("is at commit {earlier:?}, but {acknowledged} was acknowledged"));
    }
    if let Some(rel) = run.sequence
        && run.values[acknowledged] > 0
    {
        let next = engine.sequence_next(rel, &SEQUENCE).map_err(|e| e.to_string())?;
        if next <= run.values[acknowledged] {
            return Err(format!("the sequence gives {next} again"));
        }
    }
    Ok(engine)
}

/// What a crashed disk is compared with.
struct Noted<'r> {
    states: &'r [String],
    values: &'r [i64],
    sequence: Option<RelId>,
}

/// A recovered database goes on: ten transactions, closed, opened again.
fn go_on(engine: &Arc<Engine>, vfs: &SimVfs, seed: u64) -> Result<()> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    let rel = txn.create_relation(desc(true, vec![index(&[1], false)]))?;
    txn.commit()?.wait()?;
    for i in 0..9 {
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
        txn.begin_statement()?;
        let table = engine.table(rel)?;
        table.insert(&mut txn, &[int(i), Value::text("later")])?;
        txn.commit()?.wait()?;
    }
    let before = dump(engine)?;
    engine.close()?;
    let engine = open(vfs, seed, Planted::Nothing)?;
    assert_eq!(dump(&engine)?, before, "a closed database is the same when opened");
    assert!(engine.verify()?.errors.is_empty());
    Ok(())
}

/// Crashes a run at every `stride`th event; the first deeper ones are crashed in their recovery.
fn crash(
    vfs: &SimVfs,
    noted: &Noted<'_>,
    before: usize,
    seed: u64,
    strides: &[usize],
    outcome: &mut Outcome,
) {
    let Some((&stride, deeper)) = strides.split_first() else { return };
    let random = SeededRandom::new(seed ^ 0x00c4_a54e);
    let mut crashes = vfs.crashes();
    for event in (0..=crashes.event_count()).step_by(stride) {
        let images = crashes.at(event, &random);
        let acknowledged = crashes.marks().map(|mark| mark as usize).fold(before, usize::max);
        for image in images {
            outcome.images += 1;
            let deep = outcome.images.is_multiple_of(29) && !deeper.is_empty();
            let result = check(&image.vfs, seed, noted, acknowledged).and_then(|engine| {
                if deep {
                    // What recovery wrote, and no commit after it.
                    crash(&image.vfs, noted, acknowledged, seed, deeper, outcome);
                }
                go_on(&engine, &image.vfs, seed).map_err(|e| format!("does not go on: {e}"))
            });
            if let Err(problem) = result {
                let kind = image.kind;
                outcome.bad.push(format!("seed {seed}, event {event}, {kind:?}: {problem}"));
            }
        }
    }
}

#[derive(Debug, Default)]
struct Outcome {
    images: usize,
    bad: Vec<String>,
}

fn enumerate(
    workload: fn(&mut Run),
    seed: u64,
    planted: Planted,
    fault: Option<Fault>,
    strides: &[usize],
) -> Outcome {
    let mut run = Run::new(seed, planted);
    if let Some(fault) = fault {
        run.vfs.inject(fault);
    }
    workload(&mut run);
    let noted = Noted { states: &run.states, values: &run.values, sequence: run.sequence };
    let mut outcome = Outcome::default();
    crash(&run.vfs, &noted, 0, seed, strides, &mut outcome);
    outcome
}

fn survives(workload: fn(&mut Run), stride: usize) {
    survives_seeded(workload, 1, stride);
}

fn survives_seeded(workload: fn(&mut Run), seed: u64, stride: usize) {
    let wanted = std::env::var("DAMASK_CRASH_STRIDE").ok().and_then(|text| text.parse().ok());
    let strides = [wanted.unwrap_or(stride), wanted.unwrap_or(5)];
    let outcome = enumerate(workload, seed, Planted::Nothing, None, &strides);
    println!("{} images", outcome.images);
    assert!(outcome.bad.is_empty(), "{}: {:#?}", outcome.bad.len(), &outcome.bad[..1]);
    assert!(outcome.images > 50, "{} images", outcome.images);
}

#[test]
fn crashes_between_single_changes() {
    survives(single_changes, 5);
}

#[test]
fn crashes_between_changes_of_several_tables() {
    survives(several_tables, 5);
}

#[test]
fn crashes_while_relations_change() {
    survives(relations, 5);
}

#[test]
fn crashes_among_large_rows() {
    survives(large_rows, 17);
}

#[test]
fn crashes_with_open_transactions_over_checkpoints() {
    survives(savepoints, 5);
}

#[test]
fn crashes_with_runs_open_over_checkpoints() {
    survives(runs, 7);
    survives(|run| beside(run, runs), 7);
}

#[test]
fn crashes_among_large_transactions() {
    survives(workloads::interleaved, 7);
    survives(|run| beside(run, workloads::interleaved), 9);
    survives(|run| buffered(run, workloads::interleaved), 11);
}

#[test]
fn crashes_beside_checkpoints() {
    survives(|run| beside(run, single_changes), 7);
    survives(|run| beside(run, several_tables), 11);
}

#[test]
fn crashes_among_unsettled_commits_beside_checkpoints() {
    survives(|run| beside(run, mixed_durability), 13);
    survives(|run| beside(run, early_writers), 13);
}

#[test]
fn crashes_while_relations_change_beside_checkpoints() {
    survives(|run| beside(run, relations), 9);
}

#[test]
fn crashes_with_open_transactions_beside_checkpoints() {
    survives(|run| beside(run, savepoints), 9);
}

#[test]
fn crashes_among_compressed_pages() {
    survives(|run| compressed(run, several_tables), 5);
    survives(|run| compressed(run, relations), 5);
    survives(|run| compressed(run, workloads::growing_trees), 5);
    survives(|run| compressed(run, large_rows), 5);
}

#[test]
fn crashes_among_compressed_pages_beside_checkpoints() {
    survives(|run| beside(run, |run| compressed(run, relations)), 9);
    survives(|run| beside(run, |run| compressed(run, savepoints)), 9);
}

#[test]
fn crashes_among_write_buffers() {
    survives(|run| buffered(run, several_tables), 5);
    survives(|run| buffered(run, relations), 5);
    survives(|run| buffered(run, workloads::growing_trees), 5);
    survives(|run| buffered(run, large_rows), 17);
    survives(|run| buffered(run, savepoints), 7);
}

#[test]
fn crashes_among_write_buffers_beside_checkpoints() {
    survives(|run| beside(run, |run| buffered(run, several_tables)), 11);
    survives(|run| beside(run, |run| buffered(run, relations)), 9);
    survives(|run| beside(run, |run| buffered(run, runs)), 7);
    survives(|run| beside(run, |run| compressed(run, |run| buffered(run, savepoints))), 11);
}

#[test]
fn crashes_among_commits_that_do_not_wait() {
    survives(mixed_durability, 7);
}

/// With one, two and three lanes.
#[test]
fn crashes_among_flushes_that_overlap() {
    for seed in 1..=3 {
        survives_seeded(workloads::overlapping_flushes, seed, 3);
    }
}

#[test]
fn crashes_among_writers_that_build_on_each_other() {
    survives(early_writers, 7);
}

#[test]
fn planted_defects_are_found() {
    let lying = || Some(Fault::LyingSync(".wal"));
    let cases: [(&str, fn(&mut Run), Planted, Option<Fault>); 11] = [
        ("a commit acknowledged before its flush", single_changes, Planted::NoFlush, None),
        ("an acknowledgement among others", mixed_durability, Planted::NoFlush, None),
        ("a commit shown before its flush", mixed_durability, Planted::ShownEarly, None),
        ("a value told before it is durable", early_writers, Planted::NoSettling, None),
        ("a checkpoint without undo", savepoints, Planted::NoUndo, None),
        ("a checkpoint without open runs", runs, Planted::NoRuns, None),
        ("a log that is let go", workloads::interleaved, Planted::LogLetGo, None),
        (
            "a checkpoint without undo beside writers",
            |run| beside(run, savepoints),
            Planted::NoUndo,
            None,
        ),
        (
            "versions that change before they are copied",
            |run| beside(run, savepoints),
            Planted::VersionsLate,
            None,
        ),
        ("a disk that lies about syncs", single_changes, Planted::Nothing, lying()),
        (
            "a flush acknowledged before an earlier one",
            workloads::hasty_flushes,
            Planted::Nothing,
            None,
        ),
    ];
    for (name, workload, planted, fault) in cases {
        let outcome = enumerate(workload, 2, planted, fault, &[5]);
        assert!(!outcome.bad.is_empty(), "{name} was not noticed in {} images", outcome.images);
    }
}
