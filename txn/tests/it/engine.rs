//! Tables with write buffers: the engine holds as long as the table, whatever becomes of it, and no row is lost on the way from layer to layer.

use crate::support::{
    column, commit, index, insert_run, plain, read_committed, row, rows, rows_by_index, scan,
};
use damask_storage::Env;
use damask_txn::{
    AliasKey, Engine, EngineOptions, IsolationLevel, KeyRange, Location, RelationDesc, Table,
    TableEngine, WriteOutcome,
};
use damask_types::{RelId, TypeId, Value};
use std::sync::Arc;

fn open(env: &Env) -> Arc<Engine> {
    let options = EngineOptions {
        page_bytes: 4096,
        pool_bytes: 1 << 20,
        write_buffer_bytes: 4000,
        ..EngineOptions::default()
    };
    Engine::open(env.clone(), Location::File("d".into()), options).unwrap()
}

/// A table (a int4 primary key, b text) with an index on b.
fn make(engine: &Arc<Engine>, kept_in: TableEngine) -> RelId {
    let mut txn = read_committed(engine);
    let alias =
        AliasKey { column: column(0), name: "t_pkey".to_owned(), column_name: "a".to_owned() };
    let desc = RelationDesc {
        columns: vec![plain(TypeId::Int4), plain(TypeId::Text)],
        alias: Some(alias),
        indexes: vec![index("t_b", &[1, 0], false)],
        engine: kept_in,
        ..RelationDesc::default()
    };
    let rel = txn.create_relation(desc).unwrap();
    commit(txn);
    rel
}

/// Inserts rows with scattered keys, changes some of them and deletes others.
fn fill(engine: &Arc<Engine>, rel: RelId) {
    let table = engine.table(rel).unwrap();
    for round in 0..40 {
        let mut txn = read_committed(engine);
        for i in 0..50 {
            let a = (round * 50 + i) * 7919 % 2003;
            table.insert(&mut txn, &row(a, &format!("first {a} {}", "x".repeat(40)))).unwrap();
        }
        commit(txn);
        let mut txn = read_committed(engine);
        for i in (0..50).step_by(3) {
            let id = Table::alias_row(i64::from((round * 50 + i) * 7919 % 2003));
            let changes = [(column(1), Value::text("changed"))];
            assert_eq!(table.update(&mut txn, id, &changes).unwrap(), WriteOutcome::Done);
        }
        for i in (1..50).step_by(5).filter(|i| i % 3 > 0) {
            let id = Table::alias_row(i64::from((round * 50 + i) * 7919 % 2003));
            assert_eq!(table.delete(&mut txn, id).unwrap(), WriteOutcome::Done);
        }
        commit(txn);
    }
}

fn content(engine: &Arc<Engine>, rel: RelId) -> (Vec<String>, Vec<String>) {
    let mut txn = read_committed(engine);
    let by_index = rows_by_index(&mut txn, rel, RelId(rel.0 + 1), KeyRange::all());
    (rows(&mut txn, rel), by_index)
}

fn verify(engine: &Arc<Engine>) {
    let report = engine.verify().unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
}

#[test]
fn rows_are_those_of_a_plain_table() {
    let env = Env::in_memory(1);
    let engine = open(&env);
    let plain = make(&engine, TableEngine::BTree);
    let buffered = make(&engine, TableEngine::Lsm);
    fill(&engine, plain);
    fill(&engine, buffered);
    verify(&engine);
    let expected = content(&engine, plain);
    assert_eq!(expected.0.len(), 2000 - 280);
    assert_eq!(content(&engine, buffered), expected);
    let table = engine.table(buffered).unwrap();
    assert!(table.stored_bytes() >= engine.table(plain).unwrap().stored_bytes());
    let (first, last) = table.row_bounds().unwrap().unwrap();
    let ids: Vec<_> =
        scan(&read_committed(&engine), buffered).into_iter().map(|row| row.0).collect();
    assert_eq!((Some(&first), Some(&last)), (ids.first(), ids.last()));

    // Without a close: from the log alone, then from a checkpoint that finds a merge half done.
    drop((table, engine));
    let engine = open(&env);
    assert_eq!(content(&engine, buffered), expected);
    verify(&engine);
    engine.checkpoint().unwrap();
    drop(engine);
    let engine = open(&env);
    assert_eq!(content(&engine, buffered), expected);
    verify(&engine);
    engine.close().unwrap();
    drop(engine);
    let engine = open(&env);
    assert_eq!(engine.table(buffered).unwrap().kind(), TableEngine::Lsm);
    assert_eq!(content(&engine, buffered), expected);
    verify(&engine);
}

#[test]
fn an_engine_holds_for_new_heaps_too() {
    let env = Env::in_memory(1);
    let engine = open(&env);
    let rel = make(&engine, TableEngine::Lsm);
    fill(&engine, rel);
    let full = content(&engine, rel);
    let kind = |engine: &Arc<Engine>| engine.table(rel).unwrap().kind();

    // TRUNCATE makes new trees; a rollback brings the old ones back.
    let mut txn = read_committed(&engine);
    txn.truncate(rel).unwrap();
    assert_eq!(kind(&engine), TableEngine::Lsm);
    insert_run(&mut txn, rel, 0, 500, "after").unwrap();
    assert_eq!(rows(&mut txn, rel).len(), 500);
    engine.checkpoint().unwrap();
    txn.rollback().unwrap();
    assert_eq!(content(&engine, rel), full);
    verify(&engine);

    let mut txn = read_committed(&engine);
    txn.truncate(rel).unwrap();
    commit(txn);
    fill(&engine, rel);
    assert_eq!((content(&engine, rel), kind(&engine)), (full.clone(), TableEngine::Lsm));

    // Tables that are dropped, or were never committed.
    let mut txn = read_committed(&engine);
    txn.drop_relation(rel).unwrap();
    commit(txn);
    let mut txn = read_committed(&engine);
    let desc = RelationDesc {
        columns: vec![plain(TypeId::Int4), plain(TypeId::Text)],
        engine: TableEngine::Lsm,
        ..RelationDesc::default()
    };
    let other = txn.create_relation(desc).unwrap();
    insert_run(&mut txn, other, 0, 3000, "never").unwrap();
    engine.checkpoint().unwrap();
    txn.rollback().unwrap();
    verify(&engine);
}

/// A reader that began before the changes sees the rows as they were, from whichever layer.
#[test]
fn old_snapshots_see_old_rows() {
    let engine = open(&Env::in_memory(1));
    let rel = make(&engine, TableEngine::Lsm);
    fill(&engine, rel);
    let before = content(&engine, rel);
    let mut reader = engine.begin(IsolationLevel::RepeatableRead, true).unwrap();
    reader.begin_statement().unwrap();
    let seen = |reader: &damask_txn::Txn| -> Vec<String> {
        scan(reader, rel).into_iter().map(|(_, row)| row).collect()
    };
    assert_eq!(seen(&reader), before.0);
    let table = engine.table(rel).unwrap();
    for round in 0..6 {
        let mut txn = read_committed(&engine);
        for (id, _) in scan(&txn, rel) {
            let text = Value::text(format!("round {round} {}", "y".repeat(30)));
            assert_eq!(
                table.update(&mut txn, id, &[(column(1), text)]).unwrap(),
                WriteOutcome::Done
            );
        }
        commit(txn);
        assert_eq!(seen(&reader), before.0, "round {round}");
    }
    let mut txn = read_committed(&engine);
    for (id, _) in scan(&txn, rel) {
        assert_eq!(table.delete(&mut txn, id).unwrap(), WriteOutcome::Done);
    }
    commit(txn);
    assert_eq!(seen(&reader), before.0);
    reader.rollback().unwrap();
    assert_eq!(content(&engine, rel).0, Vec::<String>::new());
    verify(&engine);
}
