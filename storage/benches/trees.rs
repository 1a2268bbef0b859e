//! Time per operation of rows, keys and trees: point read, insert, update, scan into columns, index work.
//!
//! `cargo bench -p damask-storage --bench trees` measures; without `--bench` (as `cargo test` runs it) or with `--test`
//! everything runs once at tiny size; another argument picks those whose name contains it. The figure is the best of five rounds: the machine's noise only adds.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]

use damask_storage::env::Env;
use damask_storage::key::{KeyColumn, encode_key_into};
use damask_storage::row::{ColumnGatherer, RowLayout};
use damask_storage::tree::{
    Direction, EntryFlags, IndexTree, KeyRange, RowBuilder, RowFlags, RowTree,
};
use damask_storage::{Store, StoreOptions, TreeId};
use damask_types::{
    ColumnIndex, Numeric, Result, RowId, SqlType, TILE_ROWS, TypeId, Value, VectorData,
};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

struct Bench {
    env: Env,
    rounds: usize,
    /// What a name must contain to be run.
    filter: String,
}

impl Bench {
    /// Prints the nanoseconds of each of `count` operations that `run` does.
    fn time(&self, name: &str, count: u64, mut run: impl FnMut() -> Result<()>) -> Result<()> {
        if !name.contains(&self.filter) {
            return Ok(());
        }
        let mut best = f64::INFINITY;
        for _ in 0..self.rounds {
            let start = self.env.clock.now();
            run()?;
            let took = self.env.clock.now().saturating_sub(start);
            best = best.min(took.as_nanos() as f64 / count as f64);
        }
        println!("{name:<44} {best:9.1} ns");
        Ok(())
    }
}

/// The columns of TPC-H's lineitem.
fn lineitem() -> Vec<SqlType> {
    let decimal = SqlType { id: TypeId::Numeric, typmod: SqlType::numeric_typmod(15, 2) };
    let plain = SqlType::plain;
    vec![
        plain(TypeId::Int8),
        plain(TypeId::Int4),
        plain(TypeId::Int4),
        plain(TypeId::Int4),
        decimal,
        decimal,
        decimal,
        decimal,
        plain(TypeId::BpChar),
        plain(TypeId::BpChar),
        plain(TypeId::Date),
        plain(TypeId::Date),
        plain(TypeId::Date),
        plain(TypeId::BpChar),
        plain(TypeId::BpChar),
        plain(TypeId::Varchar),
    ]
}

fn row(i: u64) -> Vec<Value> {
    let decimal = |v: u64| Value::Numeric(Numeric::Decimal { mantissa: v.into(), scale: 2 });
    let text = |v: &[&str]| Value::text(v[i as usize % v.len()]);
    vec![
        Value::Int8(i as i64 / 4),
        Value::Int4((i * 7 % 20_000) as i32),
        Value::Int4((i * 3 % 1000) as i32),
        Value::Int4((i % 4) as i32),
        decimal(i % 50 * 100),
        decimal(i * 31 % 9_000_000),
        decimal(i % 11),
        decimal(i % 9),
        text(&["N", "A", "R"]),
        text(&["O", "F"]),
        Value::Date(-2000 + (i % 2500) as i32),
        Value::Date(-1990 + (i % 2500) as i32),
        Value::Date(-1980 + (i % 2500) as i32),
        text(&["DELIVER IN PERSON        ", "NONE                     "]),
        text(&["TRUCK     ", "MAIL      ", "SHIP      "]),
        text(&["carefully final deposits sleep", "quick asymptotes", "slyly"]),
    ]
}

/// Scans a tree into tiles as a table scan does, and counts rows.
fn scan(tree: &RowTree, layout: &Arc<RowLayout>, columns: &[ColumnIndex]) -> Result<u64> {
    let mut gatherer = ColumnGatherer::new(layout, columns)?;
    let (mut count, mut next) = (0, Some(RowId(0)));
    while let Some(from) = next {
        next = tree.scan_leaf_runs(from, RowId(u64::MAX), |_, _, rows| gatherer.push_rows(rows))?;
        if gatherer.room() == 0 {
            count += black_box(gatherer.finish()?)[0].rows() as u64;
        }
    }
    Ok(count + gatherer.finish()?[0].rows() as u64)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let is_full =
        args.iter().any(|arg| arg == "--bench") && !args.iter().any(|arg| arg == "--test");
    let rows: u64 = if is_full { 200_000 } else { 2000 };
    let filter = args.iter().skip(1).find(|arg| !arg.starts_with("--")).cloned();
    let bench = Bench {
        env: Env::real(),
        rounds: if is_full { 5 } else { 1 },
        filter: filter.unwrap_or_default(),
    };
    let options = StoreOptions { pool_bytes: 512 << 20, ..StoreOptions::default() };
    let (store, _) = Store::open(Env::in_memory(1), Path::new(":memory:"), options)?;
    let layout = Arc::new(RowLayout::new(lineitem())?);

    let values: Vec<Vec<Value>> = (0..rows).map(row).collect();
    let encoded = values.iter().map(|row| layout.encode(row)).collect::<Result<Vec<_>>>()?;
    let bytes: usize = encoded.iter().map(Vec::len).sum();
    println!("{rows} rows of {} bytes", bytes as u64 / rows);
    let mut buffer = Vec::new();
    bench.time("encode a row, 16 columns", rows, || {
        values.iter().try_for_each(|row| layout.encode_into(row, &mut buffer))
    })?;
    let mut decoded = Vec::new();
    bench.time("decode a row, 16 columns", rows, || {
        encoded.iter().try_for_each(|row| layout.decode_into(row, &mut decoded))
    })?;

    bench.time("insert a row, ascending", rows, || {
        let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1))?;
        for (i, row) in encoded.iter().enumerate() {
            tree.insert(RowId(i as u64), row, RowFlags::NONE)?;
        }
        tree.destroy()
    })?;
    bench.time("insert a row, shuffled", rows, || {
        let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1))?;
        for (i, row) in encoded.iter().enumerate() {
            let rowid = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            tree.insert(RowId(rowid), row, RowFlags::NONE)?;
        }
        tree.destroy()
    })?;
    bench.time("bulk build, a row", rows, || {
        let mut builder = RowBuilder::new(Arc::clone(store.pool()), TreeId(1))?;
        for (i, row) in encoded.iter().enumerate() {
            builder.push(RowId(i as u64), row, RowFlags::NONE)?;
        }
        builder.finish()?.destroy()
    })?;

    let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1))?;
    for (i, row) in encoded.iter().enumerate() {
        tree.insert(RowId(i as u64), row, RowFlags::NONE)?;
    }
    let shuffled = |i: u64| RowId(i.wrapping_mul(7919) % rows);
    bench.time("read a row at random", rows, || {
        for i in 0..rows {
            black_box(tree.read(shuffled(i), |row| row.map_or(0, |(bytes, _)| bytes.len()))?);
        }
        Ok(())
    })?;
    bench.time("replace a row at random", rows, || {
        for i in 0..rows {
            let rowid = shuffled(i);
            tree.replace(rowid, &encoded[rowid.0 as usize], RowFlags::NONE)?;
        }
        Ok(())
    })?;
    for (name, columns) in [
        ("scan a row into 1 int8 column", &[0][..]),
        ("scan a row into 4 decimal, 1 date", &[4, 5, 6, 7, 10]),
        ("scan a row into 4 decimal, 2 char, 1 date (Q1)", &[4, 5, 6, 7, 8, 9, 10]),
        ("scan a row into all 16 columns", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    ] {
        let columns: Vec<ColumnIndex> = columns.iter().map(|i| ColumnIndex(*i)).collect();
        bench.time(name, rows, || {
            assert_eq!(scan(&tree, &layout, &columns)?, rows);
            Ok(())
        })?;
    }
    let slices: Vec<&[u8]> = encoded.iter().map(|row| &row[..]).collect();
    let columns = [4, 5, 6, 7, 8, 9, 10].map(ColumnIndex);
    let mut gatherer = ColumnGatherer::new(&layout, &columns)?;
    bench.time("gather alone, Q1's columns, 64 rows at once", rows, || {
        for rows in slices.chunks(TILE_ROWS) {
            for rows in rows.chunks(64) {
                gatherer.push_rows(rows)?;
            }
            let vectors = gatherer.finish()?;
            assert!(matches!(vectors[0].data, VectorData::Decimal64 { .. }));
            black_box(vectors);
        }
        Ok(())
    })?;

    let column = [KeyColumn::ascending(TypeId::Int8)];
    let mut key = Vec::new();
    let key_of = |i: u64, key: &mut Vec<u8>| {
        key.clear();
        encode_key_into(&column, &[Value::Int8(shuffled(i).0 as i64)], key)
    };
    bench.time("insert an index entry, shuffled int8", rows, || {
        let index = IndexTree::create(Arc::clone(store.pool()), TreeId(2))?;
        for i in 0..rows {
            key_of(i, &mut key)?;
            index.insert(&key, RowId(i), EntryFlags::NONE)?;
        }
        index.destroy()
    })?;
    let index = IndexTree::create(Arc::clone(store.pool()), TreeId(2))?;
    for i in 0..rows {
        key_of(i, &mut key)?;
        index.insert(&key, RowId(i), EntryFlags::NONE)?;
    }
    let statistics = index.verify(&mut |_| Ok(()))?;
    println!("{} bytes an index entry", statistics.leaves * 16_384 / statistics.entries);
    bench.time("look a key up at random", rows, || {
        for i in 0..rows {
            key_of(i, &mut key)?;
            let mut range = KeyRange::prefix(&key);
            index.scan_leaf(&mut range, Direction::Forward, |entry| {
                black_box(entry.rowid);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    })?;
    let words = IndexTree::create(Arc::clone(store.pool()), TreeId(3))?;
    let text = [KeyColumn::ascending(TypeId::Text)];
    let word_of = |i: u64, key: &mut Vec<u8>| {
        key.clear();
        // Names of which a few are frequent, as of people.
        let row = shuffled(i).0;
        let name = format!("{}-{row}", ["smith", "miller", "sm"][(row % 7 / 3) as usize]);
        encode_key_into(&text, &[Value::Text(name.into())], key)
    };
    for i in 0..rows {
        word_of(i, &mut key)?;
        words.insert(&key, RowId(i), EntryFlags::NONE)?;
    }
    bench.time("look a text key up at random", rows, || {
        for i in 0..rows {
            word_of(i, &mut key)?;
            let mut range = KeyRange::prefix(&key);
            words.scan_leaf(&mut range, Direction::Forward, |entry| {
                black_box(entry.rowid);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    })?;
    bench.time("scan an index entry", rows, || {
        let mut range = KeyRange::all();
        let mut count = 0;
        while index.scan_leaf(&mut range, Direction::Forward, |_| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })? {}
        assert_eq!(count, rows);
        Ok(())
    })?;
    for threads in [1, 2, 4] {
        share(&bench, &store, &tree, &encoded, threads)?;
    }
    Ok(())
}

/// Runs `run` with each number below `rows` on some thread: numbers that follow each other on different ones.
fn on_threads(threads: u64, rows: u64, run: impl Fn(u64) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let part = |thread| {
            let run = &run;
            scope.spawn(move || (thread..rows).step_by(threads as usize).try_for_each(run))
        };
        let parts: Vec<_> = (0..threads).map(part).collect();
        parts.into_iter().try_for_each(|part| part.join().expect("no part panics"))
    })
}

/// One tree on several threads. The time of an operation is that of all of them together by their number: with a processor for
/// each thread and nothing to wait for it falls as threads are added.
fn share(
    bench: &Bench,
    store: &Store,
    tree: &RowTree,
    encoded: &[Vec<u8>],
    threads: u64,
) -> Result<()> {
    let rows = encoded.len() as u64;
    let shuffled = |i: u64| RowId(i.wrapping_mul(7919) % rows);
    let time = |name: &str, run: &mut dyn FnMut() -> Result<()>| {
        bench.time(&format!("{threads} threads: {name}"), rows, run)
    };
    time("read a row at random", &mut || {
        on_threads(threads, rows, |i| {
            let len = tree.read(shuffled(i), |row| row.map_or(0, |(bytes, _)| bytes.len()))?;
            black_box(len);
            Ok(())
        })
    })?;
    time("replace a row at random", &mut || {
        on_threads(threads, rows, |i| {
            let rowid = shuffled(i);
            tree.replace(rowid, &encoded[rowid.0 as usize], RowFlags::NONE).map(drop)
        })
    })?;
    time("replace 1 row and read 3 at random", &mut || {
        on_threads(threads, rows, |i| {
            let rowid = shuffled(i);
            if (i / threads).is_multiple_of(4) {
                return tree.replace(rowid, &encoded[rowid.0 as usize], RowFlags::NONE).map(drop);
            }
            black_box(tree.read(rowid, |row| row.map_or(0, |(bytes, _)| bytes.len()))?);
            Ok(())
        })
    })?;
    time("insert a row, in places of its own", &mut || {
        let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1))?;
        on_threads(threads, rows, |i| {
            // The thread in the upper bits.
            let rowid = RowId(((i % threads) << 40) | (i / threads));
            tree.insert(rowid, &encoded[i as usize], RowFlags::NONE).map(drop)
        })?;
        tree.destroy()
    })?;
    time("insert a row, ascending together", &mut || {
        let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1))?;
        on_threads(threads, rows, |i| {
            tree.insert(RowId(i), &encoded[i as usize], RowFlags::NONE).map(drop)
        })?;
        tree.destroy()
    })?;
    // Ten rows in one leaf. Changes hold its latch for as long as they take, which is some hundred nanoseconds where versions are kept.
    let fight = |first: u64, stride: u64, steps: u64| {
        let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1))?;
        for i in 0..10 {
            tree.insert(RowId(i), &encoded[i as usize], RowFlags::NONE)?;
        }
        on_threads(threads, rows, |i| {
            let rowid = RowId(first + i % threads * stride);
            tree.modify(rowid, |slot| {
                black_box((0..steps).fold(1_u64, |mix, i| black_box(mix.wrapping_mul(i | 1))));
                slot.put(&encoded[rowid.0 as usize][..], RowFlags::NONE);
                Ok(())
            })
        })?;
        tree.destroy()
    };
    for (name, steps) in [("short", 0), ("long", 300)] {
        time(&format!("change neighbours of 10 rows, {name}"), &mut || fight(3, 1, steps))?;
        time(&format!("change one row of 10, {name}"), &mut || fight(4, 0, steps))?;
    }
    let statistics = store.pool().statistics();
    println!("{} waits, {} splits", statistics.leaf_waits, statistics.contention_splits);
    let column = [KeyColumn::ascending(TypeId::Int8)];
    time("insert an entry, shuffled int8", &mut || {
        let index = IndexTree::create(Arc::clone(store.pool()), TreeId(2))?;
        on_threads(threads, rows, |i| {
            let mut key = Vec::new();
            encode_key_into(&column, &[Value::Int8(shuffled(i).0 as i64)], &mut key)?;
            index.insert(&key, RowId(i), EntryFlags::NONE).map(drop)
        })?;
        index.destroy()
    })?;
    time("insert a unique entry, shuffled int8", &mut || {
        let index = IndexTree::create(Arc::clone(store.pool()), TreeId(2))?;
        on_threads(threads, rows, |i| {
            let mut key = Vec::new();
            encode_key_into(&column, &[Value::Int8(shuffled(i).0 as i64)], &mut key)?;
            let conflict = |rowid, _| Ok(Some(rowid));
            let added =
                index.insert_unless(&key, key.len(), RowId(i), EntryFlags::NONE, conflict)?;
            assert!(added.is_ok(), "keys differ");
            Ok(())
        })?;
        index.destroy()
    })
}
