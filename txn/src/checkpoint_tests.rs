//! Checkpoints beside threads that write, on the simulated disk: crashed behind its events, they lose nothing.
//!
//! Threads change rows of their own, which share pages, in a pool that is smaller than the table; another writes
//! checkpoints page by page. Each thread notes its rows after each of its commits. On every crashed disk
//! - the rows of each thread are as they were after one of its commits, none earlier than the last acknowledged one;
//! - `verify` finds nothing wrong.
//!
//! And when checkpoints are due.

use crate::{
    AliasKey, Engine, EngineOptions, IndexDesc, IsolationLevel, KeyColumn, Location, RelationDesc,
    Table, Txn,
};
use damask_storage::env::SeededRandom;
use damask_storage::vfs::SimVfs;
use damask_storage::{CheckpointProgress, Env};
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlType, TypeId, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const THREADS: usize = 3;
/// Rows of each thread; the first counts its commits.
const ROWS: usize = 30;
/// Transactions of each thread: so many at least, more while too few checkpoints were made beside them, and so many at most.
const COMMITS: usize = 40;
const COMMITS_MAX: usize = 4000;
/// Checkpoints beside the threads.
const CHECKPOINTS: u64 = 4;

/// A thread's rows after each of its commits.
type History = Vec<[i32; ROWS]>;

fn open(vfs: &SimVfs) -> Result<Arc<Engine>> {
    open_with(vfs, EngineOptions::default())
}

fn open_with(vfs: &SimVfs, options: EngineOptions) -> Result<Arc<Engine>> {
    let options = EngineOptions {
        pool_bytes: 16 * 4096,
        page_bytes: 4096,
        log_segment_bytes: 64 << 10,
        ..options
    };
    Engine::open(Env::simulated(Arc::new(vfs.clone()), 1), Location::File("d".into()), options)
}

/// Rows of one thread are as far from each other as can be.
fn row_of(thread: usize, i: usize) -> RowId {
    Table::alias_row((i * THREADS + thread) as i64)
}

fn values(key: usize, value: i32) -> [Value; 3] {
    [Value::Int4(key as i32), Value::Int4(value), Value::text("x".repeat(300 + key % 7 * 40))]
}

fn begin(engine: &Arc<Engine>) -> Result<Txn> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    Ok(txn)
}

fn make_table(engine: &Arc<Engine>) -> Result<RelId> {
    let index = IndexDesc {
        name: "i".to_owned(),
        keys: vec![KeyColumn::ascending(ColumnIndex(1)), KeyColumn::ascending(ColumnIndex(0))],
        key_names: vec!["b".to_owned(), "a".to_owned()],
        ..IndexDesc::default()
    };
    let desc = RelationDesc {
        columns: [TypeId::Int4, TypeId::Int4, TypeId::Text].map(SqlType::plain).to_vec(),
        alias: Some(AliasKey {
            column: ColumnIndex(0),
            name: "t_pkey".to_owned(),
            column_name: "a".to_owned(),
        }),
        indexes: vec![index],
        ..RelationDesc::default()
    };
    let mut txn = begin(engine)?;
    let rel = txn.create_relation(desc)?;
    let table = engine.table(rel)?;
    for key in 0..THREADS * ROWS {
        table.insert(&mut txn, &values(key, 0))?;
    }
    txn.commit()?.wait()?;
    Ok(rel)
}

/// Moves money between a thread's rows.
fn write(engine: &Arc<Engine>, vfs: &SimVfs, rel: RelId, thread: usize) -> Result<History> {
    let random = SeededRandom::new(thread as u64);
    let table = engine.table(rel)?;
    let mut rows = [0; ROWS];
    let mut history = vec![rows];
    let made = engine.metrics().checkpoints;
    let is_done = |number| {
        let is_enough = engine.metrics().checkpoints >= made + CHECKPOINTS;
        number > COMMITS && is_enough || number > COMMITS_MAX
    };
    for number in (1..).take_while(|number| !is_done(*number)) {
        let mut txn = begin(engine)?;
        let before = rows;
        rows[0] = number as i32;
        for _ in 0..4 {
            let (from, to) = (1 + random.below(ROWS as u64 - 1), 1 + random.below(ROWS as u64 - 1));
            rows[from as usize] -= 1;
            rows[to as usize] += 1;
        }
        for i in (0..ROWS).filter(|&i| rows[i] != before[i]) {
            let row = row_of(thread, i);
            if random.below(4) == 0 {
                let _ = table.delete(&mut txn, row)?;
                table.insert(&mut txn, &values(i * THREADS + thread, rows[i]))?;
            } else {
                let _ = table.update(&mut txn, row, &[(ColumnIndex(1), Value::Int4(rows[i]))])?;
            }
        }
        if random.below(5) == 0 {
            rows = before;
            txn.rollback()?;
            continue;
        }
        txn.commit()?.wait()?;
        history.push(rows);
        vfs.mark(((thread as u64) << 32) + history.len() as u64 - 1);
    }
    Ok(history)
}

fn check(
    vfs: &SimVfs,
    rel: RelId,
    histories: &[History],
    promised: &[usize],
) -> Result<(), String> {
    let text = |error: damask_types::Error| error.to_string();
    let engine = open(vfs).map_err(text)?;
    let report = engine.verify().map_err(text)?;
    if !report.errors.is_empty() {
        return Err(format!("{:?}", report.errors));
    }
    let txn = begin(&engine).map_err(text)?;
    let view = txn.view().map_err(text)?;
    let table = engine.table(rel).map_err(text)?;
    for (thread, history) in histories.iter().enumerate() {
        let mut rows = [0; ROWS];
        for (i, value) in rows.iter_mut().enumerate() {
            let found = table.get(&view, row_of(thread, i), &[ColumnIndex(1)]).map_err(text)?;
            let found = found.and_then(|values| values[0].as_i64());
            *value = found.ok_or_else(|| format!("row {i} of {thread} is gone"))? as i32;
        }
        if !history[promised[thread]..].contains(&rows) {
            let at = history.iter().position(|state| *state == rows);
            return Err(format!("{thread} is at {at:?}, not at {}", promised[thread]));
        }
    }
    drop(txn);
    engine.close().map_err(text)
}

#[test]
fn threads_write_beside_checkpoints() {
    let vfs = SimVfs::default();
    let engine = open(&vfs).unwrap();
    let rel = make_table(&engine).unwrap();
    engine.checkpoint().unwrap();
    let made = vfs.events().len();
    let writing = AtomicUsize::new(THREADS);
    let histories: Vec<History> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (engine, vfs, writing) = (&engine, &vfs, &writing);
                scope.spawn(move || {
                    let history = write(engine, vfs, rel, thread);
                    writing.fetch_sub(1, Ordering::AcqRel);
                    history.unwrap()
                })
            })
            .collect();
        while writing.load(Ordering::Acquire) > 0 {
            engine.begin_checkpoint().unwrap();
            while let CheckpointProgress::Writing { .. } = engine.continue_checkpoint(1).unwrap() {
                std::thread::yield_now();
            }
        }
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    println!("{} checkpoints, {} events", engine.metrics().checkpoints, vfs.events().len());
    assert!(engine.metrics().checkpoints > CHECKPOINTS, "checkpoints were made");
    let random = SeededRandom::new(7);
    let mut crashes = vfs.crashes();
    let stride = (crashes.event_count() - made) / 120 + 1;
    for event in (made..=crashes.event_count()).step_by(stride) {
        let images = crashes.at(event, &random);
        let mut promised = [0; THREADS];
        for mark in crashes.marks() {
            let (thread, number) = ((mark >> 32) as usize, (mark & u64::from(u32::MAX)) as usize);
            promised[thread] = promised[thread].max(number);
        }
        for image in images {
            let result = check(&image.vfs, rel, &histories, &promised);
            assert!(result.is_ok(), "event {event}, {:?}: {}", image.kind, result.unwrap_err());
        }
    }
}

/// What `checkpoint_timeout` and `max_wal_size` become.
#[test]
fn a_checkpoint_is_due_by_log_or_by_time() {
    let minute = Duration::from_mins(1);
    let options = EngineOptions {
        checkpoint_interval: minute,
        checkpoint_log_bytes: 200 << 10,
        ..EngineOptions::default()
    };
    let engine = open_with(&SimVfs::default(), options).unwrap();
    let rel = make_table(&engine).unwrap();
    let commit = || {
        let mut txn = begin(&engine).unwrap();
        let change = [(ColumnIndex(2), Value::text("y".repeat(1000)))];
        let _ = engine.table(rel).unwrap().update(&mut txn, row_of(0, 1), &change).unwrap();
        txn.commit().unwrap().wait().unwrap();
    };
    let env = engine.store.env();
    let in_background = || {
        for _ in 0..1000 {
            if env.spawn.run_due() == 0 && !engine.store.is_checkpointing() {
                break;
            }
            env.clock.sleep(Duration::from_millis(100));
        }
        engine.metrics().checkpoints
    };
    engine.checkpoint().unwrap();
    let made = engine.metrics().checkpoints;
    commit();
    assert_eq!(in_background(), made, "none is due");
    env.clock.sleep(minute);
    assert_eq!(in_background(), made, "nothing more was logged");
    commit();
    assert_eq!(in_background(), made + 1, "a minute has passed");
    let log_bytes = || engine.store.log().bytes_since_checkpoint();
    while log_bytes() < engine.options.checkpoint_log_bytes {
        commit();
    }
    assert_eq!(engine.metrics().checkpoints, made + 1, "it is not the committer who makes it");
    assert_eq!(in_background(), made + 2, "the log has grown");
    // One commit logs as much as several checkpoints are due for, and nothing comes behind it.
    let mut txn = begin(&engine).unwrap();
    for key in 1_000_000..1_000_040 {
        let values = [Value::Int4(key), Value::Int4(0), Value::text("x".repeat(20_000))];
        engine.table(rel).unwrap().insert(&mut txn, &values).unwrap();
    }
    txn.commit().unwrap().wait().unwrap();
    assert!(log_bytes() > 3 * engine.options.checkpoint_log_bytes);
    let before = env.clock.now();
    assert_eq!(in_background(), made + 3, "the background goes on with it");
    assert!(env.clock.now() < before + minute / 2, "without rest");
    // Nobody runs the background.
    while engine.metrics().checkpoints == made + 3 {
        commit();
        assert!(log_bytes() < 3 * engine.options.checkpoint_log_bytes, "committers help");
    }
}
