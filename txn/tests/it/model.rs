//! Random transactions, one thread that steps several sessions, against a list of versions.
//!
//! The model keeps, for each key, its committed values with their commit numbers. Sessions never wait: a change that
//! would have to (another open session changed the key) is left out. So every answer of the engine is known: what each
//! snapshot reads by id, by scan and by index, and whether a change is done, sees a newer version, or is refused.

use crate::support::*;
use damask_storage::Env;
use damask_storage::env::SeededRandom;
use damask_txn::{
    Durability, Engine, EngineOptions, IsolationLevel, KeyRange, Location, Savepoint, Table, Txn,
    WriteOutcome,
};
use damask_types::{RelId, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Keys in play; few, so that sessions meet.
const KEYS: u64 = 24;

/// Every key's committed values: (commit number, value); none is "deleted".
type Committed = BTreeMap<i32, Vec<(u64, Option<String>)>>;

struct Session {
    txn: Txn,
    level: IsolationLevel,
    /// Commits that its snapshot sees; none before its first statement.
    snapshot: Option<u64>,
    own: BTreeMap<i32, Option<String>>,
    savepoint: Option<(Savepoint, BTreeMap<i32, Option<String>>)>,
}

struct Model {
    engine: Arc<Engine>,
    rel: RelId,
    random: SeededRandom,
    committed: Committed,
    commits: u64,
}

impl Model {
    fn value_at(&self, key: i32, snapshot: u64) -> Option<String> {
        let versions = self.committed.get(&key)?;
        versions.iter().rev().find(|(at, _)| *at <= snapshot)?.1.clone()
    }

    fn expected(&self, session: &Session, snapshot: u64) -> Vec<String> {
        let keys = self.committed.keys().chain(session.own.keys());
        let mut keys: Vec<i32> = keys.copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let value = |key: &i32| match session.own.get(key) {
            Some(own) => own.clone(),
            None => self.value_at(*key, snapshot),
        };
        keys.iter().filter_map(|key| value(key).map(|value| format!("{key}:{value}"))).collect()
    }

    /// Begins a statement; the snapshot it reads at.
    fn statement(&self, session: &mut Session) -> u64 {
        session.txn.begin_statement().unwrap();
        if session.level == IsolationLevel::ReadCommitted || session.snapshot.is_none() {
            session.snapshot = Some(self.commits);
        }
        session.snapshot.unwrap()
    }

    fn read(&self, session: &mut Session) {
        let snapshot = self.statement(session);
        let expected = self.expected(session, snapshot);
        let found: Vec<String> =
            scan(&session.txn, self.rel).into_iter().map(|(_, row)| row).collect();
        assert_eq!(found, expected, "a scan");
        let table = self.engine.table(self.rel).unwrap();
        let view = session.txn.view().unwrap();
        let key = self.random.below(KEYS) as i32;
        let row = Table::alias_row(key.into());
        let found = table.get(&view, row, &[column(0), column(1)]).unwrap();
        let found = found.map(|values| show(&values[0], &values[1]));
        let prefix = format!("{key}:");
        let row = expected.iter().find(|row| row.starts_with(&prefix)).cloned();
        assert_eq!(found, row, "a row by its key");
        drop(view);
        self.statement(session);
        let value = format!("v{}", self.random.below(4));
        let range = KeyRange::prefix(vec![Value::text(value.as_str())]);
        let index = RelId(self.rel.0 + 1);
        let found = rows_by_index(&mut session.txn, self.rel, index, range);
        let suffix = format!(":{value}");
        let rows: Vec<_> = self.expected(session, session.snapshot.unwrap()).into_iter().collect();
        let rows: Vec<_> = rows.into_iter().filter(|row| row.ends_with(&suffix)).collect();
        assert_eq!(found, rows, "rows of one value by the index");
    }

    /// Changes a key that no other session has changed. Few values, so that keys of the index leave and come back.
    fn change(&self, session: &mut Session, key: i32) {
        let snapshot = self.statement(session);
        let table = self.engine.table(self.rel).unwrap();
        let row = Table::alias_row(key.into());
        let newest = match session.own.get(&key) {
            Some(own) => own.clone(),
            None => self.value_at(key, u64::MAX),
        };
        let seen = match session.own.get(&key) {
            Some(own) => own.clone(),
            None => self.value_at(key, snapshot),
        };
        let is_newer = !session.own.contains_key(&key)
            && self
                .committed
                .get(&key)
                .is_some_and(|versions| versions.last().is_some_and(|(at, _)| *at > snapshot));
        let value = format!("v{}", self.random.below(4));
        if seen.is_none() {
            let result = insert(&mut session.txn, self.rel, key, &value);
            if newest.is_some() {
                assert_eq!(result.unwrap_err().sqlstate().as_str(), "23505");
            } else {
                result.unwrap();
                session.own.insert(key, Some(value));
            }
            return;
        }
        let delete = self.random.below(3) == 0;
        let change = |txn: &mut Txn| {
            if delete {
                table.delete(txn, row)
            } else {
                table.update(txn, row, &[(column(1), Value::text(value.as_str()))])
            }
        };
        let result = change(&mut session.txn);
        if is_newer {
            assert_eq!(session.level, IsolationLevel::RepeatableRead, "RC sees what is newest");
            assert_eq!(result.unwrap_err().sqlstate().as_str(), "40001");
            return;
        }
        assert_eq!(result.unwrap(), WriteOutcome::Done);
        session.own.insert(key, (!delete).then_some(value));
    }

    /// Inserts a run of keys by one statement, if no other session has changed one of them.
    fn change_run(&self, session: &mut Session, first: i32, count: usize) {
        let snapshot = self.statement(session);
        let newest = |key: &i32| match session.own.get(key) {
            Some(own) => own.clone(),
            None => self.value_at(*key, u64::MAX),
        };
        let keys: Vec<i32> = (first..).take(count).collect();
        let is_free = keys.iter().all(|key| newest(key).is_none());
        // REPEATABLE READ may put a row where its snapshot has one that was deleted since, and hides that one.
        let is_seen =
            |key: &i32| !session.own.contains_key(key) && self.value_at(*key, snapshot).is_some();
        if keys.iter().any(is_seen) && is_free {
            return;
        }
        let value = format!("v{}", self.random.below(4));
        let result = insert_run(&mut session.txn, self.rel, first, count, &value);
        if is_free {
            result.unwrap();
            session.own.extend(keys.iter().map(|key| (*key, Some(value.clone()))));
        } else {
            assert_eq!(result.unwrap_err().sqlstate().as_str(), "23505");
        }
    }

    fn begin(&self) -> Session {
        let level = match self.random.below(2) {
            0 => IsolationLevel::ReadCommitted,
            _ => IsolationLevel::RepeatableRead,
        };
        let txn = self.engine.begin(level, false).unwrap();
        Session { txn, level, snapshot: None, own: BTreeMap::new(), savepoint: None }
    }

    fn commit(&mut self, session: Session) {
        commit(session.txn);
        if !session.own.is_empty() {
            self.commits += 1;
            for (key, value) in session.own {
                self.committed.entry(key).or_default().push((self.commits, value));
            }
        }
    }
}

fn run(seed: u64, steps: usize, engine: Arc<Engine>) {
    let mut txn = read_committed(&engine);
    let desc = damask_txn::RelationDesc {
        columns: vec![plain(damask_types::TypeId::Int4), plain(damask_types::TypeId::Text)],
        alias: Some(damask_txn::AliasKey {
            column: column(0),
            name: "t_pkey".to_owned(),
            column_name: "a".to_owned(),
        }),
        indexes: vec![index("t_b", &[1], false)],
        ..damask_txn::RelationDesc::default()
    };
    let rel = txn.create_relation(desc).unwrap();
    commit(txn);
    let random = SeededRandom::new(seed);
    let mut model = Model { engine, rel, random, committed: Committed::new(), commits: 0 };
    let mut sessions: HashMap<u64, Session> = HashMap::new();
    for _ in 0..steps {
        let who = model.random.below(4);
        let Some(mut session) = sessions.remove(&who) else {
            sessions.insert(who, model.begin());
            continue;
        };
        match model.random.below(18) {
            0..5 => model.read(&mut session),
            16.. => {
                let count = 2 + model.random.below(5) as usize;
                let first = model.random.below(KEYS) as i32;
                let is_met = |key: i32| {
                    sessions.values().any(|other| other.own.contains_key(&key) || held(other, key))
                };
                if !(first..).take(count).any(is_met) {
                    model.change_run(&mut session, first, count);
                }
            }
            5..12 => {
                let key = model.random.below(KEYS) as i32;
                if !sessions.values().any(|other| other.own.contains_key(&key) || held(other, key))
                {
                    model.change(&mut session, key);
                }
            }
            12 => {
                session.savepoint = Some((session.txn.savepoint(), session.own.clone()));
            }
            13 => {
                if let Some((savepoint, own)) = &session.savepoint {
                    session.txn.rollback_to(*savepoint).unwrap();
                    session.own = own.clone();
                }
            }
            14 => {
                model.commit(session);
                continue;
            }
            _ => {
                session.txn.rollback().unwrap();
                continue;
            }
        }
        sessions.insert(who, session);
    }
    sessions.clear();
    verify(&model.engine);
    assert_eq!(model.engine.metrics().versions, 0, "nobody is left who needs old versions");
}

/// Whether a session may still hold a key that a savepoint took out of its own changes.
fn held(session: &Session, key: i32) -> bool {
    session.savepoint.as_ref().is_some_and(|(_, own)| own.contains_key(&key))
}

#[test]
fn sessions_agree_with_a_list_of_versions() {
    for seed in 0..30 {
        let result = std::panic::catch_unwind(|| run(seed, 400, memory()));
        assert!(result.is_ok(), "seed {seed}");
    }
}

/// The same, and nothing waits for the oldest snapshot.
#[test]
fn sessions_agree_while_versions_between_snapshots_go_at_once() {
    for seed in 50..80 {
        let options = EngineOptions {
            pool_bytes: 16 << 20,
            page_bytes: 4096,
            garbage_rows: 0,
            undo_bytes: 0,
            ..Default::default()
        };
        println!("seed {seed}");
        let open = Engine::open(Env::in_memory(seed), Location::Memory, options);
        run(seed, 400, open.unwrap());
    }
}

#[test]
fn threads_keep_the_books() {
    keep_the_books(&memory(), &[Durability::Flushed], false);
}

/// With a log: some commits wait for it, some are shown before others that were logged earlier.
#[test]
fn threads_keep_the_books_while_some_do_not_wait() {
    let options = EngineOptions { pool_bytes: 16 << 20, page_bytes: 4096, ..Default::default() };
    let open = Engine::open(Env::in_memory(1), Location::File("d".into()), options);
    keep_the_books(&open.unwrap(), &[Durability::Flushed, Durability::Relaxed], false);
}

/// The same, and writers build on commits that are not durable yet.
#[test]
fn threads_keep_the_books_ahead_of_the_log() {
    let options = EngineOptions { pool_bytes: 16 << 20, page_bytes: 4096, ..Default::default() };
    let open = Engine::open(Env::in_memory(1), Location::File("d".into()), options);
    let durabilities = [Durability::Flushed, Durability::Flushed, Durability::Relaxed];
    keep_the_books(&open.unwrap(), &durabilities, true);
}

/// Runs and single rows from several threads, of keys that are free, taken, becoming one or the other: whoever inserted a row finds it.
#[test]
fn threads_meet_at_free_places() {
    let engine = memory();
    let rel = alias_table(&engine);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                let random = SeededRandom::new(thread);
                for i in 0..300 {
                    let mut txn = read_committed(engine);
                    let name = format!("{thread}-{i}");
                    let outcome = claim(&mut txn, rel, &random, &name);
                    if let Err(error) = &outcome {
                        let code = error.sqlstate();
                        assert!(["23505", "40P01"].contains(&code.as_str()), "{error}");
                    }
                    if outcome.is_ok() && random.below(3) > 0 {
                        commit(txn);
                    } else {
                        txn.rollback().unwrap();
                    }
                }
            });
        }
    });
    engine.vacuum().unwrap();
    let metrics = engine.metrics();
    assert_eq!((metrics.versions, metrics.hidden_ranges), (0, 0));
    verify(&engine);
}

/// Deletes some rows, inserts some under random keys, and looks for them.
fn claim(txn: &mut Txn, rel: RelId, random: &SeededRandom, name: &str) -> damask_types::Result<()> {
    let table = txn.engine().table(rel)?;
    for _ in 0..=random.below(3) {
        let first = random.below(48) as i32;
        let count = 1 + random.below(6) as usize;
        if random.below(3) > 0 {
            for key in (first..).take(count) {
                txn.begin_statement()?;
                let _ = table.delete(txn, Table::alias_row(key.into()))?;
            }
        }
        if random.below(2) == 0 {
            insert_run(txn, rel, first, count, name)?;
        } else {
            for key in (first..).take(count) {
                insert(txn, rel, key, name)?;
            }
        }
        txn.begin_statement()?;
        let view = txn.view()?;
        for key in (first..).take(count) {
            let row = Table::alias_row(key.into());
            let found = table.get(&view, row, &[column(1)])?.expect("it is there");
            assert_eq!(found[0].as_text(), Some(name), "and it is ours");
        }
    }
    Ok(())
}

/// Transfers between accounts from several threads, in a circle of waits and deadlocks: the sum stays.
fn keep_the_books(engine: &Arc<Engine>, durabilities: &[Durability], early: bool) {
    let rel = alias_table(engine);
    let mut txn = read_committed(engine);
    for a in 0..8 {
        insert(&mut txn, rel, a, "100").unwrap();
    }
    commit(txn);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let random = SeededRandom::new(thread);
                for _ in 0..60 {
                    let level = match random.below(2) {
                        0 => IsolationLevel::ReadCommitted,
                        _ => IsolationLevel::RepeatableRead,
                    };
                    let mut txn = begin(engine, level);
                    match transfer(&mut txn, rel, &random, early) {
                        Ok(()) => {
                            let durability = random.below(durabilities.len() as u64) as usize;
                            txn.commit_with(durabilities[durability]).unwrap().wait().unwrap();
                        }
                        Err(error) => {
                            let code = error.sqlstate();
                            assert!(["40001", "40P01"].contains(&code.as_str()), "{error}");
                            txn.rollback().unwrap();
                        }
                    }
                    let mut reader = begin(engine, IsolationLevel::RepeatableRead);
                    assert_eq!(total(&mut reader, rel), 800);
                }
            });
        }
    });
    verify(engine);
}

fn total(txn: &mut Txn, rel: RelId) -> i64 {
    let rows = rows(txn, rel);
    rows.iter().map(|row| row.split_once(':').unwrap().1.parse::<i64>().unwrap()).sum()
}

fn transfer(
    txn: &mut Txn,
    rel: RelId,
    random: &SeededRandom,
    early: bool,
) -> damask_types::Result<()> {
    let table = txn.engine().table(rel)?;
    let (from, to) = (random.below(8) as i64, random.below(8) as i64);
    for (key, amount) in [(from, -7), (to, 7)] {
        txn.begin_statement()?;
        txn.allow_early(early);
        txn.set_early(early);
        let row = Table::alias_row(key);
        let view = txn.view()?;
        let changes = |values: Vec<Value>| {
            let balance: i64 = values[0].as_text().unwrap().parse().unwrap();
            [(column(1), Value::text((balance + amount).to_string()))]
        };
        let values = table.get(&view, row, &[column(1)])?.unwrap();
        let mut outcome = table.update(txn, row, &changes(values))?;
        if let WriteOutcome::Changed(now) = outcome {
            let newest = table.latest(txn, now, &[column(1)])?.unwrap();
            outcome = table.update_latest(txn, now, &changes(newest))?;
        }
        assert_eq!(outcome, WriteOutcome::Done);
    }
    Ok(())
}

/// Updates with an old reader open: versions do not pile up.
#[test]
fn memory_levels_off_under_updates() {
    let engine = memory();
    let rel = alias_table(&engine);
    let table = engine.table(rel).unwrap();
    let mut txn = read_committed(&engine);
    for a in 0..10 {
        insert(&mut txn, rel, a, "x").unwrap();
    }
    commit(txn);
    let mut reader = begin(&engine, IsolationLevel::RepeatableRead);
    for i in 0..2000 {
        let mut txn = read_committed(&engine);
        let change = [(column(1), Value::text(format!("{i}")))];
        let row = Table::alias_row(i % 10);
        assert_eq!(table.update(&mut txn, row, &change).unwrap(), WriteOutcome::Done);
        commit(txn);
    }
    assert!(engine.metrics().versions <= 10 * 10, "{:?}", engine.metrics());
    assert!(rows(&mut reader, rel).iter().all(|row| row.ends_with(":x")));
    drop(reader);
    for i in 0..40 {
        let mut txn = read_committed(&engine);
        let change = [(column(1), Value::text("y"))];
        let row = Table::alias_row(i % 10);
        assert_eq!(table.update(&mut txn, row, &change).unwrap(), WriteOutcome::Done);
        commit(txn);
    }
    assert!(engine.metrics().versions <= 2, "{:?}", engine.metrics());
    verify(&engine);
}
