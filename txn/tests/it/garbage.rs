//! Garbage under long readers: random changes beside snapshots that stay open for long, against a list of states.
//!
//! What each snapshot reads, by scan and by index, is what the model says; and no more versions are kept than the snapshots
//! in use need.

use crate::support::*;
use damask_storage::Env;
use damask_storage::env::SeededRandom;
use damask_txn::{Engine, EngineOptions, IsolationLevel, KeyRange, Location, Txn, WriteOutcome};
use damask_types::{RelId, RowId, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows in play.
const ROWS: u64 = 40;

/// Snapshots open at once, at most.
const READERS: usize = 6;

/// Rows as the model has them: `a` by row id with its text.
type State = BTreeMap<RowId, (i32, String)>;

/// An open snapshot.
struct Reader {
    txn: Txn,
    commit: u64,
    state: State,
}

struct Model {
    engine: Arc<Engine>,
    rel: RelId,
    random: SeededRandom,
    commits: u64,
    now: State,
    /// When each row was changed.
    changes: BTreeMap<RowId, Vec<u64>>,
    readers: Vec<Reader>,
    next_a: i32,
}

fn options(garbage_rows: usize, undo_bytes: u64) -> EngineOptions {
    EngineOptions {
        pool_bytes: 16 << 20,
        page_bytes: 4096,
        garbage_rows,
        undo_bytes,
        ..Default::default()
    }
}

impl Model {
    /// One transaction of a few changes; some are rolled back, whole or in part.
    fn write(&mut self) {
        let mut txn = begin(&self.engine, IsolationLevel::ReadCommitted);
        let table = self.engine.table(self.rel).unwrap();
        let mut state = self.now.clone();
        let mut touched = Vec::new();
        for _ in 0..=self.random.below(4) {
            txn.begin_statement().unwrap();
            let value = format!("v{}", self.random.below(3));
            if self.random.below(4) == 0 {
                let count = 2 + self.random.below(5) as usize;
                let first = self.next_a + 1;
                self.next_a += count as i32;
                let rows = insert_run(&mut txn, self.rel, first, count, &value).unwrap();
                let new = rows.iter().zip(first..);
                state.extend(new.map(|(row, a)| (*row, (a, value.clone()))));
                touched.extend(rows);
                continue;
            }
            let at = self.random.below(ROWS) as usize;
            let Some((&row, (a, _))) = state.iter().nth(at) else {
                self.next_a += 1;
                let row = insert(&mut txn, self.rel, self.next_a, &value).unwrap();
                state.insert(row, (self.next_a, value));
                touched.push(row);
                continue;
            };
            let a = *a;
            let outcome = if self.random.below(3) == 0 || state.len() > ROWS as usize {
                state.remove(&row);
                table.delete(&mut txn, row).unwrap()
            } else {
                state.insert(row, (a, value.clone()));
                table.update(&mut txn, row, &[(column(1), Value::text(value.as_str()))]).unwrap()
            };
            assert_eq!(outcome, WriteOutcome::Done);
            touched.push(row);
        }
        if self.random.below(8) == 0 {
            txn.rollback().unwrap();
            return;
        }
        commit(txn);
        self.commits += 1;
        self.now = state;
        touched.sort_unstable();
        touched.dedup();
        for row in touched {
            self.changes.entry(row).or_default().push(self.commits);
        }
    }

    fn open(&mut self) {
        let txn = begin(&self.engine, IsolationLevel::RepeatableRead);
        self.readers.push(Reader { txn, commit: self.commits, state: self.now.clone() });
    }

    fn check(&self, reader: &Reader) {
        let found = scan(&reader.txn, self.rel);
        let expected = reader.state.iter().map(|(row, (a, b))| (*row, format!("{a}:{b}")));
        assert_eq!(found, expected.collect::<Vec<_>>(), "a scan");
    }

    fn check_index(&self, reader: &mut Reader) {
        let value = format!("v{}", self.random.below(3));
        let range = KeyRange::prefix(vec![Value::text(value.as_str())]);
        let index = RelId(self.rel.0 + 1);
        let found = rows_by_index(&mut reader.txn, self.rel, index, range);
        let expected = reader.state.values().filter(|(_, b)| *b == value);
        let expected: Vec<_> = expected.map(|(a, b)| format!("{a}:{b}")).collect();
        assert_eq!(found, expected, "rows of one value by the index");
        let table = self.engine.table(self.rel).unwrap();
        let view = reader.txn.view().unwrap();
        for (row, (a, b)) in &reader.state {
            let found = table.get(&view, *row, &[column(0), column(1)]).unwrap();
            assert_eq!(found, Some(vec![Value::Int4(*a), Value::text(b.as_str())]), "a row");
            let by_key = table.index_get(&view, RelId(index.0 + 1), &[Value::Int4(*a)], &[]);
            assert_eq!(by_key.unwrap().map(|(row, _)| row), Some(*row), "a row by its key");
        }
    }

    /// States before changes that a snapshot in use sees.
    fn needed(&self) -> u64 {
        let mut needed = 0;
        for times in self.changes.values() {
            let mut before = 0;
            for time in times {
                let sees = |reader: &Reader| {
                    (before == 0 || reader.commit >= before) && reader.commit < *time
                };
                needed += u64::from(self.readers.iter().any(sees));
                before = *time;
            }
        }
        needed
    }
}

fn run(seed: u64, steps: usize, engine: Arc<Engine>) -> (u64, u64) {
    let rel = table(&engine, vec![index("t_b", &[1], false), index("t_a", &[0], true)]);
    let mut model = Model {
        engine,
        rel,
        random: SeededRandom::new(seed),
        commits: 0,
        now: State::new(),
        changes: BTreeMap::new(),
        readers: Vec::new(),
        next_a: 0,
    };
    let (mut ranges, mut spilled) = (0, 0);
    for step in 0..steps {
        match model.random.below(16) {
            0 if model.readers.len() < READERS => model.open(),
            1 if !model.readers.is_empty() => {
                let at = model.random.below(model.readers.len() as u64) as usize;
                let reader = model.readers.swap_remove(at);
                // The oldest stay for long.
                if reader.commit > 20 || model.random.below(8) == 0 {
                    commit(reader.txn);
                } else {
                    model.readers.push(reader);
                }
            }
            2..5 => {
                let mut readers = std::mem::take(&mut model.readers);
                for reader in &mut readers {
                    model.check(reader);
                    model.check_index(reader);
                }
                model.readers = readers;
            }
            _ => model.write(),
        }
        if step % 7 == 0 {
            model.engine.vacuum().unwrap();
            let metrics = model.engine.metrics();
            let limit = model.needed() + model.engine_backlog();
            assert!(metrics.versions <= limit, "{} versions, {limit} are needed", metrics.versions);
            ranges = ranges.max(metrics.hidden_ranges);
            spilled = spilled.max(metrics.undo_spilled_bytes);
        }
        if step % 50 == 0 {
            let mut readers = std::mem::take(&mut model.readers);
            verify(&model.engine);
            for reader in &mut readers {
                model.check_index(reader);
            }
            model.readers = readers;
        }
    }
    model.readers.clear();
    model.engine.vacuum().unwrap();
    verify(&model.engine);
    let metrics = model.engine.metrics();
    let left = (metrics.versions, metrics.undo_bytes, metrics.undo_spilled_bytes);
    assert_eq!(left, (0, 0, 0), "nobody is left who needs old versions");
    assert_eq!((metrics.hidden_ranges, metrics.garbage_rows), (0, 0));
    let mut reader = begin(&model.engine, IsolationLevel::RepeatableRead);
    reader.begin_statement().unwrap();
    let mut last = Reader { txn: reader, commit: model.commits, state: model.now.clone() };
    model.check(&last);
    model.check_index(&mut last);
    (ranges, spilled)
}

impl Model {
    /// Versions of changes that have not been looked at: four of a commit at most.
    fn engine_backlog(&self) -> u64 {
        self.engine.metrics().garbage_rows * 4
    }
}

#[test]
fn long_readers_see_their_states_and_keep_no_more() {
    let mut seen = (0, 0);
    for seed in 0..12 {
        let open = Engine::open(Env::in_memory(seed), Location::Memory, options(0, 0));
        let found = run(seed, 600, open.unwrap());
        seen = (seen.0.max(found.0), seen.1.max(found.1));
    }
    assert!(seen.0 > 0, "rows that came later were never a range");
    assert!(seen.1 > 0, "old rows never went to a file");
}

/// With a log, and with some rows waiting for the watermark.
#[test]
fn long_readers_beside_a_log() {
    for seed in 100..106 {
        let location = Location::File("d".into());
        let open = Engine::open(Env::in_memory(seed), location, options(16, 500));
        run(seed, 400, open.unwrap());
    }
}

/// Runs of rows that many transactions insert beside an old snapshot become few ranges, and cost no version.
#[test]
fn runs_beside_an_endless_reader_become_one_range() {
    let open = Engine::open(Env::in_memory(1), Location::Memory, options(16, 64 << 20));
    let engine = open.unwrap();
    let rel = table(&engine, vec![]);
    let mut reader = begin(&engine, IsolationLevel::RepeatableRead);
    let (mut first, mut second) = (read_committed(&engine), read_committed(&engine));
    for i in 0..400 {
        insert_run(&mut first, rel, i * 100, 20, "x").unwrap();
        insert_run(&mut second, rel, i * 100 + 50, 20, "x").unwrap();
        if i % 2 == 1 {
            commit(std::mem::replace(&mut first, read_committed(&engine)));
        }
        if i % 5 == 4 {
            commit(std::mem::replace(&mut second, read_committed(&engine)));
        }
    }
    commit(first);
    commit(second);
    engine.vacuum().unwrap();
    let metrics = engine.metrics();
    assert_eq!(metrics.versions, 0);
    assert!(metrics.hidden_ranges < 40, "{} ranges", metrics.hidden_ranges);
    assert!(rows(&mut reader, rel).is_empty());
    let mut late = begin(&engine, IsolationLevel::RepeatableRead);
    assert_eq!(rows(&mut late, rel).len(), 16_000);
    drop((reader, late));
    engine.vacuum().unwrap();
    assert_eq!(engine.metrics().hidden_ranges, 0);
}

/// One old snapshot, many commits: what is kept depends on the rows that were changed, not on the number of commits.
#[test]
fn memory_levels_off_beside_an_endless_reader() {
    let open = Engine::open(Env::in_memory(1), Location::Memory, options(16, 64 << 20));
    let engine = open.unwrap();
    let rel = table(&engine, vec![index("t_b", &[1], false)]);
    let mut txn = read_committed(&engine);
    let hot: Vec<RowId> = (0..10).map(|a| insert(&mut txn, rel, a, "0").unwrap()).collect();
    commit(txn);
    let reader = begin(&engine, IsolationLevel::RepeatableRead);
    let before = scan(&reader, rel);
    let table = engine.table(rel).unwrap();
    let mut kept = Vec::new();
    for i in 0..2000 {
        let mut txn = read_committed(&engine);
        let value = Value::text(format!("{i}").as_str());
        let done = table.update(&mut txn, hot[i % hot.len()], &[(column(1), value)]);
        assert_eq!(done.unwrap(), WriteOutcome::Done);
        insert(&mut txn, rel, i as i32, "new").unwrap();
        commit(txn);
        if i % 500 == 499 {
            let metrics = engine.metrics();
            kept.push(metrics.versions + metrics.hidden_ranges + metrics.garbage_rows);
        }
    }
    assert!(kept.iter().all(|kept| *kept < 80), "{kept:?}");
    assert_eq!(scan(&reader, rel), before);
    // More rows of a range than a tile takes.
    let late = begin(&engine, IsolationLevel::RepeatableRead);
    assert_eq!(scan(&late, rel).len(), 2010);
    assert_eq!(engine.snapshot_holders().first().map(|holder| holder.owner), Some(reader.id()));
    drop((reader, late));
    engine.vacuum().unwrap();
    assert_eq!(engine.metrics().versions, 0);
    verify(&engine);
}

/// Who commits a large transaction collects a part of it; the background collects the rest, and who comes with the next one before that pays
/// for both.
#[test]
fn the_garbage_of_a_large_transaction_is_collected_behind_it() {
    const LARGE: i32 = 40_000;
    let env = Env::in_memory(1);
    let open = Engine::open(env.clone(), Location::Memory, options(4096, 64 << 20));
    let engine = open.unwrap();
    let rel = table(&engine, vec![]);
    let mut txn = read_committed(&engine);
    let rows: Vec<RowId> = (0..LARGE).map(|a| insert(&mut txn, rel, a, "0").unwrap()).collect();
    commit(txn);
    engine.vacuum().unwrap();
    let table = engine.table(rel).unwrap();
    let update = |value: &str| {
        let mut txn = read_committed(&engine);
        for row in &rows {
            let change = [(column(1), Value::text(value))];
            assert_eq!(table.update(&mut txn, *row, &change).unwrap(), WriteOutcome::Done);
        }
        commit(txn);
        engine.metrics().versions
    };
    let left = update("1");
    assert!((LARGE as u64 / 2..LARGE as u64).contains(&left), "{left}");
    assert!(update("2") <= left, "the next one pays for both");
    while env.spawn.run_due() > 0 {
        env.clock.sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(engine.metrics().versions, 0);
}
