//! Indexes that are filled while others write, hashed ones, and keys that are checked later.

use crate::support::*;
use damask_storage::env::SeededRandom;
use damask_txn::{
    Deferred, Direction, Engine, IndexDesc, IsolationLevel, KeyRange, Txn, WriteOutcome,
};
use damask_types::{RelId, RowId, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Random changes of random rows until `is_done`; a duplicate key is rolled back.
fn write(engine: &Arc<Engine>, rel: RelId, seed: u64, is_done: &AtomicBool) {
    let random = SeededRandom::new(seed);
    let table = engine.table(rel).unwrap();
    while !is_done.load(Ordering::Acquire) {
        let mut txn = begin(engine, IsolationLevel::ReadCommitted);
        for _ in 0..3 {
            txn.begin_statement().unwrap();
            let a = Value::Int4(random.below(1_000_000) as i32);
            let b = Value::text(format!("v{}", random.below(30)).as_str());
            let row = RowId(1 + random.below(600));
            let outcome = match random.below(4) {
                0 => table.insert(&mut txn, &[a, b]).map(|_| WriteOutcome::Done),
                1 => table.delete(&mut txn, row),
                2 => table.update(&mut txn, row, &[(column(1), b)]),
                _ => table.update(&mut txn, row, &[(column(0), a), (column(1), b)]),
            };
            if let Err(error) = outcome {
                let state = error.sqlstate();
                assert!(["23505", "40P01"].contains(&state.as_str()), "{error}");
            }
        }
        if random.below(4) == 0 {
            txn.rollback().unwrap();
        } else {
            commit(txn);
        }
    }
}

/// Ends the writers, also when the test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn build_beside_writers(desc: IndexDesc, seed: u64) {
    let engine = memory();
    let rel = table(&engine, vec![index("t_a", &[0], true)]);
    let mut txn = read_committed(&engine);
    for a in 0..500 {
        insert(&mut txn, rel, a * 2000 + 1, "start").unwrap();
    }
    commit(txn);
    // Somebody still sees what was there first.
    let mut reader = begin(&engine, IsolationLevel::RepeatableRead);
    let before = rows(&mut reader, rel);
    let is_done = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        for thread in 0..3 {
            let (engine, is_done) = (&engine, &is_done);
            scope.spawn(move || write(engine, rel, seed * 10 + thread, is_done));
        }
        let _done = Done(&is_done);
        let mut txn = read_committed(&engine);
        let made = txn.add_index(rel, IndexDesc { building: true, ..desc.clone() }).unwrap();
        commit(txn);
        let mut txn = read_committed(&engine);
        txn.end_statement();
        let filled = txn.fill_index(rel, made);
        filled.unwrap();
        txn.finish_index(rel, made).unwrap();
        commit(txn);
        made
    });
    verify(&engine);
    let mut txn = read_committed(&engine);
    let all = rows(&mut txn, rel);
    if !desc.hash && desc.keys.len() == 1 {
        let mut found = rows_by_index(&mut txn, rel, made, KeyRange::all());
        let by_row = |rows: &mut Vec<String>| rows.sort_unstable();
        let mut all = all;
        by_row(&mut found);
        by_row(&mut all);
        assert_eq!(found, all);
        let mut old = rows_by_index(&mut reader, rel, made, KeyRange::all());
        let mut before = before;
        by_row(&mut old);
        by_row(&mut before);
        assert_eq!(old, before, "a snapshot from before the index finds its rows in it");
    }
}

#[test]
fn an_index_is_built_beside_writers() {
    for seed in 0..4 {
        build_beside_writers(index("t_b", &[1], false), seed);
        build_beside_writers(IndexDesc { hash: true, ..index("t_b", &[1], false) }, seed);
        build_beside_writers(index("t_u", &[0], true), seed);
    }
}

#[test]
fn a_duplicate_ends_the_filling_and_the_index_can_go() {
    let engine = memory();
    let rel = table(&engine, vec![]);
    let mut txn = read_committed(&engine);
    insert(&mut txn, rel, 1, "x").unwrap();
    insert(&mut txn, rel, 1, "y").unwrap();
    commit(txn);
    let mut txn = read_committed(&engine);
    let desc = IndexDesc { building: true, ..index("t_u", &[0], true) };
    let made = txn.add_index(rel, desc).unwrap();
    commit(txn);
    let mut txn = read_committed(&engine);
    let error = txn.fill_index(rel, made).unwrap_err();
    assert_eq!(error.sqlstate().as_str(), "23505");
    assert!(error.message().contains("could not create unique index"), "{error}");
    txn.rollback().unwrap();
    verify(&engine);
    let mut txn = read_committed(&engine);
    txn.drop_index(rel, made).unwrap();
    commit(txn);
    verify(&engine);
}

fn duplicates(txn: &Txn) -> Result<(), damask_types::Error> {
    txn.deferred(false).iter().try_for_each(|(_, work)| match work {
        Deferred::Unique { rel, index, row } => txn.check_unique(*rel, *index, *row),
        Deferred::Referencing { .. } | Deferred::Referenced { .. } => Ok(()),
    })
}

#[test]
fn a_deferrable_key_is_checked_when_it_is_asked_for() {
    let engine = memory();
    let desc = IndexDesc { deferrable: true, ..index("t_a", &[0], true) };
    let rel = table(&engine, vec![desc]);
    let mut one = read_committed(&engine);
    let first = insert(&mut one, rel, 1, "x").unwrap();
    let savepoint = one.savepoint();
    insert(&mut one, rel, 1, "y").unwrap();
    assert_eq!(duplicates(&one).unwrap_err().sqlstate().as_str(), "23505");
    one.rollback_to(savepoint).unwrap();
    assert!(!one.has_deferred(), "its work went with it");
    insert(&mut one, rel, 1, "z").unwrap();
    one.begin_statement().unwrap();
    let table = engine.table(rel).unwrap();
    let moved = table.update(&mut one, first, &[(column(0), Value::Int4(2))]).unwrap();
    assert_eq!(moved, WriteOutcome::Done);
    duplicates(&one).unwrap();
    // Another transaction adds the key at the same time: the second to look finds the first.
    let mut two = read_committed(&engine);
    insert(&mut two, rel, 2, "w").unwrap();
    assert!(two.has_deferred());
    commit(one);
    assert_eq!(duplicates(&two).unwrap_err().sqlstate().as_str(), "23505");
    two.rollback().unwrap();
    verify(&engine);
}

#[test]
fn a_hash_index_answers_equality_and_nothing_else() {
    let engine = memory();
    let rel = table(&engine, vec![IndexDesc { hash: true, ..index("t_b", &[1], false) }]);
    let hashed = RelId(rel.0 + 1);
    let mut txn = read_committed(&engine);
    for a in 0..2000 {
        insert(&mut txn, rel, a, &format!("v{}", a % 1000)).unwrap();
    }
    commit(txn);
    let mut txn = read_committed(&engine);
    let one = KeyRange::prefix(vec![Value::text("v7")]);
    assert_eq!(rows_by_index(&mut txn, rel, hashed, one), ["7:v7", "1007:v7"]);
    let none = KeyRange::prefix(vec![Value::text("w")]);
    assert!(rows_by_index(&mut txn, rel, hashed, none).is_empty());
    let table = engine.table(rel).unwrap();
    let view = txn.view().unwrap();
    let all = table.index_scan(&view, hashed, KeyRange::all(), Direction::Forward, vec![]);
    assert_eq!(all.map(drop).unwrap_err().sqlstate().as_str(), "XX000");
    verify(&engine);
}
