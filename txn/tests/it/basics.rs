//! One session: rows come, change and go; what is undone was never there.

use crate::support::*;
use damask_storage::Env;
use damask_txn::{
    Durability, Engine, EngineOptions, IsolationLevel, KeyRange, LockTag, NewRows, Table,
    TableLock, WriteOutcome,
};
use damask_types::{Oid, RowId, SqlState, Value};

#[test]
fn rows_come_change_and_go() {
    let engine = memory();
    let rel = table(&engine, vec![index("t_a", &[0], true), index("t_b", &[1], false)]);
    let (by_a, by_b) = (damask_types::RelId(rel.0 + 1), damask_types::RelId(rel.0 + 2));
    let mut txn = read_committed(&engine);
    for a in [3, 1, 2] {
        insert(&mut txn, rel, a, "x").unwrap();
    }
    assert_eq!(rows(&mut txn, rel), ["3:x", "1:x", "2:x"]);
    assert_eq!(rows_by_index(&mut txn, rel, by_a, KeyRange::all()), ["1:x", "2:x", "3:x"]);
    commit(txn);

    let mut txn = read_committed(&engine);
    let table = engine.table(rel).unwrap();
    let two = find(&txn, rel, 2).unwrap();
    let change = [(column(0), Value::Int4(9)), (column(1), Value::text("y"))];
    assert_eq!(table.update(&mut txn, two, &change).unwrap(), WriteOutcome::Done);
    assert_eq!(table.update(&mut txn, two, &change).unwrap(), WriteOutcome::SelfModified);
    let one = find(&txn, rel, 1).unwrap();
    assert_eq!(table.delete(&mut txn, one).unwrap(), WriteOutcome::Done);
    assert_eq!(scan(&txn, rel).len(), 3, "a statement does not see its own changes");
    assert_eq!(rows(&mut txn, rel), ["3:x", "9:y"]);
    assert_eq!(rows_by_index(&mut txn, rel, by_a, KeyRange::all()), ["3:x", "9:y"]);
    let y = KeyRange::prefix(vec![Value::text("y")]);
    assert_eq!(rows_by_index(&mut txn, rel, by_b, y), ["9:y"]);
    commit(txn);
    let mut txn = read_committed(&engine);
    let view = txn.view().unwrap();
    let got = table.index_get(&view, by_a, &[Value::Int4(9)], &[column(1)]).unwrap();
    assert_eq!(got, Some((two, vec![Value::text("y")])));
    assert_eq!(table.index_get(&view, by_a, &[Value::Int4(2)], &[column(1)]).unwrap(), None);
    drop(view);
    assert_eq!(rows(&mut txn, rel), ["3:x", "9:y"]);
    drop(txn);
    verify(&engine);
    assert_eq!(engine.metrics().versions, 0, "nobody needs old versions");
}

#[test]
fn rollback_and_savepoints_take_back() {
    let engine = memory();
    let rel = table(&engine, vec![index("t_a", &[0], true)]);
    let by_a = damask_types::RelId(rel.0 + 1);
    let mut txn = read_committed(&engine);
    insert(&mut txn, rel, 1, "x").unwrap();
    insert(&mut txn, rel, 2, "x").unwrap();
    commit(txn);
    let mut txn = read_committed(&engine);
    let table = engine.table(rel).unwrap();
    let one = find(&txn, rel, 1).unwrap();
    assert_eq!(table.delete(&mut txn, one).unwrap(), WriteOutcome::Done);
    let savepoint = txn.savepoint();
    insert(&mut txn, rel, 1, "again").unwrap();
    let two = find(&txn, rel, 2).unwrap();
    for a in [7, 2, 8] {
        txn.begin_statement().unwrap();
        let change = [(column(0), Value::Int4(a))];
        assert_eq!(table.update(&mut txn, two, &change).unwrap(), WriteOutcome::Done);
    }
    assert_eq!(rows_by_index(&mut txn, rel, by_a, KeyRange::all()), ["1:again", "8:x"]);
    txn.rollback_to(savepoint).unwrap();
    assert_eq!(rows(&mut txn, rel), ["2:x"]);
    assert_eq!(rows_by_index(&mut txn, rel, by_a, KeyRange::all()), ["2:x"]);
    txn.rollback().unwrap();
    let mut txn = read_committed(&engine);
    assert_eq!(rows(&mut txn, rel), ["1:x", "2:x"]);
    assert_eq!(rows_by_index(&mut txn, rel, by_a, KeyRange::all()), ["1:x", "2:x"]);
    drop(txn);
    verify(&engine);
    assert_eq!(engine.metrics().versions, 0);
}

#[test]
fn a_duplicate_key_is_refused_in_postgresqls_words() {
    let engine = memory();
    let rel = table(&engine, vec![index("t_a_b_key", &[0, 1], true)]);
    let mut txn = read_committed(&engine);
    insert(&mut txn, rel, 1, "x").unwrap();
    let error = insert(&mut txn, rel, 1, "x").unwrap_err();
    assert_eq!(error.sqlstate().as_str(), "23505");
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"t_a_b_key\"");
    let detail = error.fields().detail.as_deref();
    assert_eq!(detail, Some("Key (a, b)=(1, x) already exists."));
    assert_eq!(rows(&mut txn, rel), ["1:x"], "the failed insert took itself back");
    commit(txn);
    verify(&engine);
}

#[test]
fn an_alias_key_is_the_row_id() {
    let engine = memory();
    let rel = alias_table(&engine);
    let table = engine.table(rel).unwrap();
    let mut txn = read_committed(&engine);
    for a in [5, -3, 0] {
        assert_eq!(insert(&mut txn, rel, a, "x").unwrap(), Table::alias_row(a.into()));
    }
    let error = insert(&mut txn, rel, 5, "y").unwrap_err();
    assert_eq!(error.fields().detail.as_deref(), Some("Key (a)=(5) already exists."));
    assert_eq!(rows(&mut txn, rel), ["-3:x", "0:x", "5:x"]);
    let five = Table::alias_row(5);
    let moved = [(column(0), Value::Int4(-7)), (column(1), Value::text("m"))];
    assert_eq!(table.update(&mut txn, five, &moved).unwrap(), WriteOutcome::Done);
    assert_eq!(rows(&mut txn, rel), ["-7:m", "-3:x", "0:x"]);
    insert(&mut txn, rel, 5, "again").unwrap();
    assert_eq!(rows(&mut txn, rel), ["-7:m", "-3:x", "0:x", "5:again"]);
    commit(txn);
    let mut txn = read_committed(&engine);
    assert_eq!(table.delete(&mut txn, five).unwrap(), WriteOutcome::Done);
    insert(&mut txn, rel, 5, "third").unwrap();
    assert_eq!(rows(&mut txn, rel), ["-7:m", "-3:x", "0:x", "5:third"]);
    txn.rollback().unwrap();
    let mut txn = read_committed(&engine);
    assert_eq!(rows(&mut txn, rel), ["-7:m", "-3:x", "0:x", "5:again"]);
    let view = txn.view().unwrap();
    assert_eq!(table.get(&view, RowId(1), &[column(0)]).unwrap(), None);
    drop(view);
    drop(txn);
    verify(&engine);
}

#[test]
fn many_rows_and_tiles() {
    let engine = memory();
    let rel = table(&engine, vec![index("t_a", &[0], true)]);
    let mut txn = read_committed(&engine);
    for a in 0..3000 {
        insert(&mut txn, rel, (a * 7919) % 3000, "some text that fills pages").unwrap();
    }
    assert_eq!(rows(&mut txn, rel).len(), 3000);
    let by_a = damask_types::RelId(rel.0 + 1);
    let found = rows_by_index(&mut txn, rel, by_a, KeyRange::all());
    assert_eq!(found.len(), 3000);
    assert!(found.iter().enumerate().all(|(i, row)| row.starts_with(&format!("{i}:"))));
    commit(txn);
    let mut txn = read_committed(&engine);
    assert_eq!(rows(&mut txn, rel).len(), 3000);
    assert_eq!(rows_by_index(&mut txn, rel, by_a, KeyRange::all()), found);
    drop(txn);
    verify(&engine);
}

/// Threads commit on a real file; the engine is dropped, not closed; all that was acknowledged is there.
#[test]
fn commits_survive_on_a_real_file() {
    let folder = std::env::temp_dir().join(format!("damask-txn-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let open = || {
        let location = damask_txn::Location::File(folder.join("t.damask"));
        Engine::open(Env::real(), location, EngineOptions::default()).unwrap()
    };
    let engine = open();
    assert!(engine.is_new());
    let rel = table(&engine, vec![index("t_a", &[0], true)]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for i in 0..15 {
                    let mut txn = read_committed(engine);
                    insert(&mut txn, rel, thread * 100 + i, "x").unwrap();
                    if i % 5 == 4 {
                        txn.rollback().unwrap();
                    } else {
                        commit(txn);
                        // What was acknowledged is in the next snapshot.
                        let mut reader = read_committed(engine);
                        let row = format!("{}:x", thread * 100 + i);
                        assert!(rows(&mut reader, rel).contains(&row));
                    }
                }
            });
        }
    });
    drop(engine);
    for _ in 0..2 {
        let engine = open();
        assert!(!engine.is_new());
        let mut txn = read_committed(&engine);
        assert_eq!(rows(&mut txn, rel).len(), 48);
        drop(txn);
        verify(&engine);
        engine.close().unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_transaction_that_has_ended_is_restarted() {
    let engine = memory();
    let rel = table(&engine, vec![index("t_a", &[0], true)]);
    let mut txn = read_committed(&engine);
    let first = txn.id();
    txn.lock_relation(LockTag::Relation(Oid(7)), TableLock::AccessShare, true).unwrap();
    insert(&mut txn, rel, 1, "x").unwrap();
    txn.end(Durability::Flushed).unwrap();
    assert_eq!((engine.locks(), engine.snapshot_holders()), (vec![], vec![]));

    // Repeatable read keeps its snapshot; what others commit meanwhile is the next one's.
    txn.restart(IsolationLevel::RepeatableRead, true).unwrap();
    assert_ne!(txn.id(), first);
    assert!(!txn.has_writes());
    txn.begin_statement().unwrap();
    assert_eq!(engine.snapshot_holders()[0].owner, txn.id());
    let mut other = read_committed(&engine);
    insert(&mut other, rel, 2, "y").unwrap();
    commit(other);
    assert_eq!(rows(&mut txn, rel), ["1:x"]);
    assert!(insert(&mut txn, rel, 3, "z").is_err(), "it is read-only");
    let handle = txn.handle();
    txn.end(Durability::Flushed).unwrap();

    txn.restart(IsolationLevel::ReadCommitted, false).unwrap();
    assert_ne!(txn.id(), handle.id(), "who has a handle keeps the transaction it was of");
    txn.begin_statement().unwrap();
    assert_eq!(rows(&mut txn, rel), ["1:x", "2:y"]);
    insert(&mut txn, rel, 3, "z").unwrap();
    // Dropped while open, it is rolled back.
    drop(txn);
    let mut txn = read_committed(&engine);
    assert_eq!(rows(&mut txn, rel), ["1:x", "2:y"]);
    drop(txn);
    verify(&engine);
    assert_eq!(engine.snapshot_holders(), []);
}

/// Rows whose keys come in no order go in in that of the keys; ids and errors are as if they had not.
#[test]
fn rows_in_no_order_are_inserted_together() {
    let engine = memory();
    let rel = alias_table(&engine);
    let table = engine.table(rel).unwrap();
    let push = |keys: &[i32]| {
        let mut rows = NewRows::default();
        for a in keys {
            table.push_row(&mut rows, &row(*a, "x")).unwrap();
        }
        rows
    };
    let ids = |keys: &[i32]| -> Vec<RowId> {
        keys.iter().map(|a| Table::alias_row(i64::from(*a))).collect()
    };
    let mut txn = read_committed(&engine);
    let mut new = push(&[1, 2, 4]);
    assert!(!new.is_scattered());
    table.insert_rows(&mut txn, &mut new).unwrap();
    let keys = [50, 7, 9, 8, 30, 6];
    let mut new = push(&keys);
    assert!(new.is_scattered() && new.bytes() > 0);
    assert_eq!(table.insert_rows(&mut txn, &mut new).unwrap(), ids(&keys));
    assert!(new.is_empty() && !new.is_scattered());
    // The first that fails is not the first by its key.
    for (keys, failed) in [([90, 80, 7, 2, 70], 2), ([90, 3, 91, 3, 7], 3)] {
        let mut new = push(&keys);
        let error = table.insert_rows(&mut txn, &mut new).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::UNIQUE_VIOLATION);
        assert_eq!(new.failed(), Some(failed), "{keys:?}");
    }
    let all = ["1:x", "2:x", "4:x", "6:x", "7:x", "8:x", "9:x", "30:x", "50:x"];
    assert_eq!(rows(&mut txn, rel), all);
    commit(txn);
    assert_eq!(table.row_count_estimate(), 9);
}
