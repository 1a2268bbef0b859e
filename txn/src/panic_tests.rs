//! Panics where they hurt most: nobody waits for ever, nothing half-made is shown or kept.

use crate::engine::Planted;
use crate::{
    AliasKey, Engine, EngineOptions, IsolationLevel, Location, LockTag, RelationDesc, ScanSpec,
    Table, TableLock, Txn, WriteOutcome,
};
use damask_storage::Env;
use damask_storage::vfs::{Fault, SimVfs};
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlType, TypeId, Value};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a thread may take before the test says that it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

fn open(vfs: &SimVfs) -> Result<Arc<Engine>> {
    let env = Env::simulated(Arc::new(vfs.clone()), 1);
    let options = EngineOptions {
        pool_bytes: 32 * 4096,
        page_bytes: 4096,
        log_segment_bytes: 64 << 10,
        checkpoint_log_bytes: 60 << 10,
        ..EngineOptions::default()
    };
    Engine::open(env, Location::File("d".into()), options)
}

fn begin(engine: &Arc<Engine>) -> Result<Txn> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    Ok(txn)
}

/// A table (a int4 primary key, b text).
fn make_table(engine: &Arc<Engine>) -> Result<RelId> {
    let mut txn = begin(engine)?;
    let alias =
        AliasKey { column: ColumnIndex(0), name: "t_pkey".to_owned(), column_name: "a".to_owned() };
    let columns = vec![SqlType::plain(TypeId::Int4), SqlType::plain(TypeId::Text)];
    let desc = RelationDesc { columns, alias: Some(alias), ..RelationDesc::default() };
    let rel = txn.create_relation(desc)?;
    txn.commit()?.wait()?;
    Ok(rel)
}

fn row(key: i32) -> RowId {
    Table::alias_row(key.into())
}

fn insert(txn: &mut Txn, rel: RelId, key: i32, text: &str) -> Result<()> {
    let table = txn.engine().table(rel)?;
    table.insert(txn, &[Value::Int4(key), Value::text(text)]).map(drop)
}

fn set(txn: &mut Txn, rel: RelId, key: i32, text: &str) -> Result<()> {
    let table = txn.engine().table(rel)?;
    let changes = [(ColumnIndex(1), Value::text(text))];
    if let WriteOutcome::Changed(now) = table.update(txn, row(key), &changes)? {
        let _ = table.update_latest(txn, now, &changes)?;
    }
    Ok(())
}

fn keys(engine: &Arc<Engine>, rel: RelId) -> Result<BTreeSet<i64>> {
    let txn = begin(engine)?;
    let mut scan = engine.table(rel)?.scan(&txn.view()?, ScanSpec::new(vec![ColumnIndex(0)]))?;
    let mut keys = BTreeSet::new();
    while let Some((batch, _)) = scan.next()? {
        keys.extend((0..batch.rows()).filter_map(|i| batch.columns[0].value(i).as_i64()));
    }
    Ok(keys)
}

/// SQLSTATE of what went wrong.
fn code<T>(result: Result<T>) -> String {
    result.err().map_or_else(|| "ok".to_owned(), |error| error.sqlstate().to_string())
}

#[test]
fn a_panic_in_a_rollback_stops_the_engine_and_frees_who_waits() {
    let vfs = SimVfs::default();
    let engine = open(&vfs).unwrap();
    let rel = make_table(&engine).unwrap();
    let mut txn = begin(&engine).unwrap();
    insert(&mut txn, rel, 1, "committed").unwrap();
    txn.commit().unwrap().wait().unwrap();

    let mut old = engine.begin(IsolationLevel::RepeatableRead, false).unwrap();
    old.begin_statement().unwrap();
    let mut victim = begin(&engine).unwrap();
    victim
        .lock_relation(LockTag::Relation(damask_types::Oid(7)), TableLock::AccessExclusive, true)
        .unwrap();
    set(&mut victim, rel, 1, "half undone").unwrap();
    insert(&mut victim, rel, 2, "half undone").unwrap();

    let (outbox, inbox) = channel();
    let waiters: [fn(&mut Txn, RelId) -> Result<()>; 3] = [
        |txn, rel| set(txn, rel, 1, "mine"),
        |txn, rel| insert(txn, rel, 2, "mine"),
        |txn, _| {
            txn.lock_relation(LockTag::Relation(damask_types::Oid(7)), TableLock::AccessShare, true)
        },
    ];
    let before = engine.metrics().lock_waits;
    for wait in waiters {
        let (engine, outbox) = (Arc::clone(&engine), outbox.clone());
        std::thread::spawn(move || {
            let mut txn = begin(&engine).unwrap();
            let waited = wait(&mut txn, rel);
            let _ = outbox.send((code(waited), code(txn.commit())));
        });
    }
    while engine.metrics().lock_waits < before + 3 {
        std::thread::yield_now();
    }
    engine.planted.store(Planted::PanicInUndo as u8, Ordering::Relaxed);
    let panicked = catch_unwind(AssertUnwindSafe(|| victim.rollback()));
    assert!(panicked.is_err());
    for _ in 0..3 {
        let (waited, committed) = inbox.recv_timeout(PATIENCE).expect("who waits is told");
        assert_eq!(waited, "58030");
        // One that had changed nothing has nothing to lose.
        assert!(["58030", "ok"].contains(&committed.as_str()), "{committed}");
    }
    assert_eq!(code(begin(&engine)), "58030");
    let table = engine.table(rel).unwrap();
    let view = old.view().unwrap();
    assert_eq!(code(table.get(&view, row(1), &[ColumnIndex(1)])), "58030");
    assert_eq!(code(engine.checkpoint()), "58030");
    drop((old, view, table));
    engine.close().unwrap();

    let engine = open(&vfs.killed()).unwrap();
    assert_eq!(keys(&engine, rel).unwrap(), BTreeSet::from([1]));
    assert!(engine.verify().unwrap().errors.is_empty());
}

/// One thread's work: rows that the other meets, too. What is sure is noted.
fn work(engine: &Arc<Engine>, rel: RelId, thread: i32, sure: &Mutex<BTreeSet<i64>>) {
    for i in 0..25 {
        let key = 100 + thread * 1000 + i;
        let done = catch_unwind(AssertUnwindSafe(|| {
            let mut txn = begin(engine)?;
            txn.lock_relation(
                LockTag::Relation(damask_types::Oid(1)),
                TableLock::RowExclusive,
                true,
            )?;
            insert(&mut txn, rel, key, &"x".repeat(700))?;
            set(&mut txn, rel, i % 2, &format!("{thread} {i}"))?;
            if i % 7 == 6 {
                return txn.rollback().map(|()| false);
            }
            txn.commit()?.wait()?;
            // Background steps, that of a checkpoint among them.
            engine.store.env().spawn.run_due();
            Ok(true)
        }));
        if matches!(done, Ok(Ok(true))) {
            sure.lock().unwrap().insert(key.into());
        }
    }
}

/// Every kind of call on the disk panics once, wherever it is made from: a flush, an eviction, a checkpoint.
#[test]
fn panicking_calls_are_survived() {
    let mut panics = 0;
    for nth in (1..260).step_by(4) {
        let vfs = SimVfs::default();
        vfs.inject(Fault::PanicCall(nth));
        let sure = Arc::new(Mutex::new(BTreeSet::new()));
        let (outbox, inbox) = channel();
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let engine = open(&vfs)?;
            let rel = make_table(&engine)?;
            let mut txn = begin(&engine)?;
            insert(&mut txn, rel, 0, "")?;
            insert(&mut txn, rel, 1, "")?;
            txn.commit()?.wait()?;
            Ok::<_, damask_types::Error>((engine, rel))
        }));
        let mut rel = RelId(1);
        if let Ok(Ok((engine, made))) = opened {
            rel = made;
            sure.lock().unwrap().extend([0, 1]);
            for thread in 0..2 {
                let engine = Arc::clone(&engine);
                let (sure, outbox) = (Arc::clone(&sure), outbox.clone());
                std::thread::spawn(move || {
                    work(&engine, rel, thread, &sure);
                    let _ = outbox.send(());
                });
            }
            for _ in 0..2 {
                inbox.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("call {nth}: it hangs"));
            }
        }
        panics += vfs.counts().panics;
        vfs.heal();
        let engine = open(&vfs.killed()).unwrap();
        let report = engine.verify().unwrap();
        assert!(report.errors.is_empty(), "call {nth}: {:?}", report.errors);
        let sure = sure.lock().unwrap();
        if !sure.is_empty() {
            let found = keys(&engine, rel).unwrap();
            assert!(sure.is_subset(&found), "call {nth}: {:?} are lost", sure.difference(&found));
        }
    }
    assert!(panics > 30, "{panics} panics");
}
