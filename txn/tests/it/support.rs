//! What the tests share: engines, a small table, rows as numbers and text.

use damask_storage::Env;
use damask_txn::{
    AliasKey, Direction, Engine, EngineOptions, IndexDesc, IsolationLevel, KeyColumn, KeyRange,
    Location, NewRows, RelationDesc, ScanSpec, Txn,
};
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlType, TypeId, Value};
use std::sync::Arc;

pub(crate) fn memory() -> Arc<Engine> {
    let options = EngineOptions { pool_bytes: 16 << 20, page_bytes: 4096, ..Default::default() };
    Engine::open(Env::in_memory(1), Location::Memory, options).unwrap()
}

pub(crate) fn begin(engine: &Arc<Engine>, level: IsolationLevel) -> Txn {
    let mut txn = engine.begin(level, false).unwrap();
    txn.begin_statement().unwrap();
    txn
}

pub(crate) fn read_committed(engine: &Arc<Engine>) -> Txn {
    begin(engine, IsolationLevel::ReadCommitted)
}

pub(crate) fn commit(txn: Txn) {
    txn.commit().unwrap().wait().unwrap();
}

pub(crate) fn plain(id: TypeId) -> SqlType {
    SqlType::plain(id)
}

pub(crate) fn column(i: u16) -> ColumnIndex {
    ColumnIndex(i)
}

/// An index on columns named a, b, ....
pub(crate) fn index(name: &str, columns: &[u16], unique: bool) -> IndexDesc {
    IndexDesc {
        name: name.to_owned(),
        keys: columns.iter().map(|i| KeyColumn::ascending(ColumnIndex(*i))).collect(),
        key_names: columns.iter().map(|i| char::from(b'a' + *i as u8).to_string()).collect(),
        unique,
        ..IndexDesc::default()
    }
}

/// A table (a int4, b text) with these indexes, its own commit.
pub(crate) fn table(engine: &Arc<Engine>, indexes: Vec<IndexDesc>) -> RelId {
    let mut txn = read_committed(engine);
    let columns = vec![plain(TypeId::Int4), plain(TypeId::Text)];
    let rel = txn
        .create_relation(RelationDesc { columns, alias: None, indexes, ..RelationDesc::default() })
        .unwrap();
    commit(txn);
    rel
}

/// A table (a int4 primary key, b text) whose row ids are its keys, its own commit.
pub(crate) fn alias_table(engine: &Arc<Engine>) -> RelId {
    let mut txn = read_committed(engine);
    let columns = vec![plain(TypeId::Int4), plain(TypeId::Text)];
    let alias =
        AliasKey { column: column(0), name: "t_pkey".to_owned(), column_name: "a".to_owned() };
    let desc = RelationDesc { columns, alias: Some(alias), ..RelationDesc::default() };
    let rel = txn.create_relation(desc).unwrap();
    commit(txn);
    rel
}

pub(crate) fn row(a: i32, b: &str) -> Vec<Value> {
    vec![Value::Int4(a), Value::text(b)]
}

/// Inserts, in a statement of its own.
pub(crate) fn insert(txn: &mut Txn, rel: RelId, a: i32, b: &str) -> Result<RowId> {
    txn.begin_statement()?;
    let table = txn.engine().table(rel)?;
    table.insert(txn, &row(a, b))
}

/// Inserts rows whose `a` goes up from `first`, all with this `b`, by one statement.
pub(crate) fn insert_run(
    txn: &mut Txn,
    rel: RelId,
    first: i32,
    count: usize,
    b: &str,
) -> Result<Vec<RowId>> {
    txn.begin_statement()?;
    let table = txn.engine().table(rel)?;
    let mut rows = NewRows::default();
    for a in (first..).take(count) {
        table.push_row(&mut rows, &row(a, b))?;
    }
    table.insert_rows(txn, &mut rows)
}

/// All rows that a new statement of `txn` sees, as "a:b", by scan.
pub(crate) fn rows(txn: &mut Txn, rel: RelId) -> Vec<String> {
    txn.begin_statement().unwrap();
    scan(txn, rel).into_iter().map(|(_, row)| row).collect()
}

/// All rows that the current statement sees, with their ids.
pub(crate) fn scan(txn: &Txn, rel: RelId) -> Vec<(RowId, String)> {
    let table = txn.engine().table(rel).unwrap();
    let spec = ScanSpec::new(vec![column(0), column(1)]).with_row_ids();
    let mut scan = table.scan(&txn.view().unwrap(), spec).unwrap();
    let mut out = Vec::new();
    while let Some((batch, ids)) = scan.next().unwrap() {
        for (i, id) in ids.iter().enumerate() {
            out.push((*id, show(&batch.columns[0].value(i), &batch.columns[1].value(i))));
        }
    }
    out
}

/// The same through an index, in its order.
pub(crate) fn rows_by_index(
    txn: &mut Txn,
    rel: RelId,
    index: RelId,
    range: KeyRange,
) -> Vec<String> {
    txn.begin_statement().unwrap();
    let table = txn.engine().table(rel).unwrap();
    let columns = vec![column(0), column(1)];
    let view = txn.view().unwrap();
    let mut scan =
        table.index_scan(&view, index, range.clone(), Direction::Forward, columns.clone()).unwrap();
    let mut out = Vec::new();
    while let Some((batch, ids)) = scan.next().unwrap() {
        for i in 0..ids.len() {
            out.push(show(&batch.columns[0].value(i), &batch.columns[1].value(i)));
        }
    }
    let mut scan = table.index_scan(&view, index, range, Direction::Backward, columns).unwrap();
    let mut back = Vec::new();
    while let Some((batch, ids)) = scan.next().unwrap() {
        for i in 0..ids.len() {
            back.push(show(&batch.columns[0].value(i), &batch.columns[1].value(i)));
        }
    }
    back.reverse();
    assert_eq!(out, back, "an index reads the same both ways");
    out
}

pub(crate) fn show(a: &Value, b: &Value) -> String {
    let a = a.as_i64().map_or("null".to_owned(), |a| a.to_string());
    format!("{a}:{}", b.as_text().unwrap_or("null"))
}

/// The row with this `a`, by scan.
pub(crate) fn find(txn: &Txn, rel: RelId, a: i32) -> Option<RowId> {
    let prefix = format!("{a}:");
    scan(txn, rel).into_iter().find(|(_, row)| row.starts_with(&prefix)).map(|(id, _)| id)
}

/// Panics unless the engine's check finds nothing wrong.
pub(crate) fn verify(engine: &Arc<Engine>) {
    let report = engine.verify().unwrap();
    assert!(report.errors.is_empty(), "{:#?}", report.errors);
}
