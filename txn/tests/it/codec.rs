//! Compressed tables: which trees are, and what is left of it after a rollback, a TRUNCATE, a crash, a close.

use crate::support::{commit, index, insert, plain, read_committed};
use damask_storage::Env;
use damask_txn::{Engine, EngineOptions, Location, PageCodec, RelationDesc};
use damask_types::{RelId, TypeId};
use std::sync::Arc;

fn open(env: &Env) -> Arc<Engine> {
    Engine::open(env.clone(), Location::File("d".into()), EngineOptions::default()).unwrap()
}

fn codec(engine: &Arc<Engine>, rel: RelId) -> PageCodec {
    engine.table(rel).unwrap().codec()
}

fn desc(codec: PageCodec) -> RelationDesc {
    let columns = vec![plain(TypeId::Int4), plain(TypeId::Text)];
    let indexes = vec![index("t_a", &[0], true)];
    RelationDesc { columns, indexes, codec, ..RelationDesc::default() }
}

fn fill(engine: &Arc<Engine>, rel: RelId) {
    let mut txn = read_committed(engine);
    for a in 0..3000 {
        insert(&mut txn, rel, a, "a text that is the same in every row of the table").unwrap();
    }
    commit(txn);
}

/// Stored bytes of rows, and of the index, which were all written by a checkpoint.
fn stored(engine: &Arc<Engine>, rel: RelId, index: RelId) -> (u64, u64) {
    engine.checkpoint().unwrap();
    let table = engine.table(rel).unwrap();
    (table.stored_bytes(), table.index_stored_bytes(index).unwrap())
}

#[test]
fn a_codec_holds_for_rows_and_indexes_old_and_new() {
    let engine = open(&Env::in_memory(1));
    let mut txn = read_committed(&engine);
    let plain = txn.create_relation(desc(PageCodec::None)).unwrap();
    let small = txn.create_relation(desc(PageCodec::Zstd)).unwrap();
    commit(txn);
    fill(&engine, plain);
    fill(&engine, small);
    let index_of = |rel: RelId| RelId(rel.0 + 1);
    let (rows, keys) = stored(&engine, plain, index_of(plain));
    let (small_rows, small_keys) = stored(&engine, small, index_of(small));
    assert!(small_rows * 3 <= rows, "{small_rows} of {rows} bytes of rows");
    assert!(small_keys < keys, "{small_keys} of {keys} bytes of the index");

    // Indexes that come later, built at once and beside writers.
    let mut txn = read_committed(&engine);
    let built = txn.add_index(small, index("t_b", &[1, 0], false)).unwrap();
    commit(txn);
    let mut txn = read_committed(&engine);
    let building = damask_txn::IndexDesc { building: true, ..index("t_c", &[1, 0], false) };
    let beside = txn.add_index(small, building).unwrap();
    txn.fill_index(small, beside).unwrap();
    txn.finish_index(small, beside).unwrap();
    commit(txn);
    let whole = {
        let mut txn = read_committed(&engine);
        let whole = txn.add_index(plain, index("u_b", &[1, 0], false)).unwrap();
        commit(txn);
        stored(&engine, plain, whole).1
    };
    for index in [built, beside] {
        let (_, bytes) = stored(&engine, small, index);
        assert!(bytes * 2 <= whole, "{bytes} of {whole} bytes");
    }

    // TRUNCATE makes new trees.
    let mut txn = read_committed(&engine);
    txn.truncate(small).unwrap();
    commit(txn);
    fill(&engine, small);
    assert_eq!(codec(&engine, small), PageCodec::Zstd);
    let (again, keys_again) = stored(&engine, small, index_of(small));
    assert_eq!(again, small_rows);
    // The entries have other row ids now, which may be a little longer when compressed.
    assert!(keys_again < keys, "{keys_again} of {keys} bytes of the index");
    assert!(engine.verify().unwrap().errors.is_empty());
}

#[test]
fn a_codec_is_part_of_its_transaction() {
    let env = Env::in_memory(1);
    let engine = open(&env);
    let mut txn = read_committed(&engine);
    let rel = txn.create_relation(desc(PageCodec::None)).unwrap();
    commit(txn);
    let mut txn = read_committed(&engine);
    txn.set_codec(rel, PageCodec::Lz4).unwrap();
    txn.truncate(rel).unwrap();
    assert_eq!(codec(&engine, rel), PageCodec::Lz4);
    txn.rollback().unwrap();
    assert_eq!(codec(&engine, rel), PageCodec::None);

    let mut txn = read_committed(&engine);
    txn.set_codec(rel, PageCodec::Snappy).unwrap();
    let savepoint = txn.savepoint();
    txn.set_codec(rel, PageCodec::Zstd).unwrap();
    txn.rollback_to(savepoint).unwrap();
    commit(txn);
    // Open when the power goes, with a checkpoint that has it.
    let mut txn = read_committed(&engine);
    txn.set_codec(rel, PageCodec::Zstd).unwrap();
    engine.checkpoint().unwrap();
    drop(engine);
    drop(txn);

    let engine = open(&env);
    assert_eq!(codec(&engine, rel), PageCodec::Snappy);
    // In the log only.
    let mut txn = read_committed(&engine);
    txn.set_codec(rel, PageCodec::Lz4).unwrap();
    let other = txn.create_relation(desc(PageCodec::Zstd)).unwrap();
    commit(txn);
    drop(engine);
    let engine = open(&env);
    assert_eq!((codec(&engine, rel), codec(&engine, other)), (PageCodec::Lz4, PageCodec::Zstd));
    engine.close().unwrap();
    drop(engine);
    let engine = open(&env);
    assert_eq!((codec(&engine, rel), codec(&engine, other)), (PageCodec::Lz4, PageCodec::Zstd));
}
