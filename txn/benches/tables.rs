//! Time per operation of tables under transactions, in memory: what a statement costs below SQL.
//!
//! `cargo bench -p damask-txn` measures; without `--bench` (as `cargo test` runs it) everything runs at tiny size. The
//! figure is the best of five rounds: the machine's noise only adds.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]

use damask_storage::Env;
use damask_txn::{
    AliasKey, Engine, EngineOptions, IndexDesc, IsolationLevel, KeyColumn, Location, RelationDesc,
    ScanSpec, Table,
};
use damask_types::{Batch, ColumnIndex, RelId, Result, SqlType, TypeId, Value, Vector};
use std::hint::black_box;
use std::sync::Arc;

struct Bench {
    env: Env,
    rounds: usize,
}

impl Bench {
    fn time(&self, name: &str, count: u64, mut run: impl FnMut() -> Result<()>) -> Result<()> {
        let mut best = f64::INFINITY;
        for _ in 0..self.rounds {
            let start = self.env.clock.now();
            run()?;
            let took = self.env.clock.now().saturating_sub(start);
            best = best.min(took.as_nanos() as f64 / count as f64);
        }
        println!("{name:<40} {best:>10.1} ns");
        Ok(())
    }
}

/// pgbench's accounts: a key, two numbers, 84 characters; with `index`, one on the second column.
fn accounts(engine: &Arc<Engine>, index: bool) -> Result<RelId> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    let types = [TypeId::Int4, TypeId::Int4, TypeId::Int4, TypeId::Text];
    let indexes = index.then(|| IndexDesc {
        name: "i".to_owned(),
        keys: vec![KeyColumn::ascending(ColumnIndex(1))],
        key_names: vec!["bid".to_owned()],
        ..IndexDesc::default()
    });
    let rel = txn.create_relation(RelationDesc {
        columns: types.map(SqlType::plain).to_vec(),
        alias: Some(AliasKey {
            column: ColumnIndex(0),
            name: "accounts_pkey".to_owned(),
            column_name: "aid".to_owned(),
        }),
        indexes: indexes.into_iter().collect(),
        ..RelationDesc::default()
    })?;
    txn.commit()?.wait()?;
    Ok(rel)
}

fn row(key: i64) -> [Value; 4] {
    [
        Value::Int4(key as i32),
        Value::Int4((key % 10) as i32),
        Value::Int4(0),
        Value::text(" ".repeat(84)),
    ]
}

fn load(engine: &Arc<Engine>, rel: RelId, rows: i64) -> Result<()> {
    let table = engine.table(rel)?;
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    let types = [TypeId::Int4, TypeId::Int4, TypeId::Int4, TypeId::Text];
    for start in (0..rows).step_by(1024) {
        let tile: Vec<[Value; 4]> = (start..rows.min(start + 1024)).map(row).collect();
        let columns = types
            .iter()
            .enumerate()
            .map(|(i, ty)| Vector::from_values(*ty, tile.iter().map(|row| &row[i])))
            .collect();
        table.insert_batch(&mut txn, &Batch::new(columns, tile.len()))?;
    }
    txn.commit()?.wait()
}

fn main() -> Result<()> {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let rows: i64 = if measures { 200_000 } else { 500 };
    let bench = Bench { env: Env::real(), rounds: if measures { 5 } else { 1 } };
    let engine = Engine::open(Env::real(), Location::Memory, EngineOptions::default())?;
    let count = rows as u64;
    bench.time("bulk insert, a row", count, || {
        let rel = accounts(&engine, false)?;
        load(&engine, rel, rows)
    })?;
    bench.time("bulk insert with an index, a row", count, || {
        let rel = accounts(&engine, true)?;
        load(&engine, rel, rows)
    })?;
    let rel = accounts(&engine, true)?;
    load(&engine, rel, rows)?;
    let table = engine.table(rel)?;
    let key = |i: u64| Table::alias_row((i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % count) as i64);
    let operations = count / 2;
    bench.time("begin, point read, commit", operations, || {
        for i in 0..operations {
            let mut txn = engine.begin(IsolationLevel::ReadCommitted, true)?;
            txn.begin_statement()?;
            let view = txn.view()?;
            black_box(table.get(&view, key(i), &[ColumnIndex(2)])?);
            drop(view);
            txn.commit()?.wait()?;
        }
        Ok(())
    })?;
    bench.time("point read", operations, || {
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, true)?;
        txn.begin_statement()?;
        let view = txn.view()?;
        for i in 0..operations {
            black_box(table.get(&view, key(i), &[ColumnIndex(2)])?);
        }
        Ok(())
    })?;
    bench.time("begin, update, commit", operations, || {
        for i in 0..operations {
            let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
            txn.begin_statement()?;
            let change = [(ColumnIndex(2), Value::Int4(i as i32))];
            let _ = black_box(table.update(&mut txn, key(i), &change)?);
            txn.commit()?.wait()?;
        }
        Ok(())
    })?;
    bench.time("begin, update of an index key, commit", operations, || {
        for i in 0..operations {
            let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
            txn.begin_statement()?;
            let change = [(ColumnIndex(1), Value::Int4(i as i32))];
            let _ = black_box(table.update(&mut txn, key(i), &change)?);
            txn.commit()?.wait()?;
        }
        Ok(())
    })?;
    bench.time("scan of three columns, a row", count, || {
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, true)?;
        txn.begin_statement()?;
        let spec = ScanSpec::new((0..3).map(ColumnIndex).collect());
        let mut scan = table.scan(&txn.view()?, spec)?;
        while let Some(batch) = scan.next()? {
            black_box(batch);
        }
        Ok(())
    })?;
    println!("{:?}", engine.metrics());
    Ok(())
}
