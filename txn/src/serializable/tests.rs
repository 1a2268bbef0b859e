//! Random serializable transactions against a model, and the cases that chance does not meet.
//!
//! One thread steps several sessions, as in `tests/it/model.rs`; the model knows the table's state after each commit. A transaction
//! that wrote must commit if none of the commits after its snapshot touched what it read, and fail with 40001 if one did: both
//! directions are asserted, so false aborts are found as well as wrong commits. What a committed one read is compared with the state
//! just before its commit (which is what serializable means), and that of a reader with the state at its snapshot. A defect that is
//! planted, commits without the test, must be seen by that comparison.

use crate::engine::Planted;
use crate::{
    AliasKey, ColumnRange, CommitTicket, Direction, Durability, Engine, EngineOptions, IndexDesc,
    IsolationLevel, KeyColumn, KeyRange, Location, NewRows, RelationDesc, ScanSpec, Table, Txn,
    WriteOutcome,
};
use damask_storage::Env;
use damask_storage::env::SeededRandom;
use damask_storage::vfs::SimVfs;
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlType, TypeId, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const A: ColumnIndex = ColumnIndex(0);
const B: ColumnIndex = ColumnIndex(1);

fn memory() -> Arc<Engine> {
    let options = EngineOptions { pool_bytes: 16 << 20, page_bytes: 4096, ..Default::default() };
    Engine::open(Env::in_memory(1), Location::Memory, options).expect("it opens")
}

fn begin(engine: &Arc<Engine>, level: IsolationLevel) -> Txn {
    let mut txn = engine.begin(level, false).expect("it begins");
    txn.begin_statement().expect("a statement begins");
    txn
}

fn serializable(engine: &Arc<Engine>) -> Txn {
    begin(engine, IsolationLevel::Serializable)
}

fn commit(txn: Txn) -> Result<()> {
    txn.commit().and_then(CommitTicket::wait)
}

fn sqlstate(result: Result<()>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.sqlstate().as_str().to_owned(),
    }
}

/// A table (a int4 primary key, b int4, c text) with an index on b, and rows 1:10 2:20.
fn table(engine: &Arc<Engine>) -> RelId {
    let mut txn = begin(engine, IsolationLevel::ReadCommitted);
    let alias = AliasKey { column: A, name: "t_pkey".to_owned(), column_name: "a".to_owned() };
    let index = IndexDesc {
        name: "t_b".to_owned(),
        keys: vec![KeyColumn::ascending(B)],
        key_names: vec!["b".to_owned()],
        ..IndexDesc::default()
    };
    let columns = [TypeId::Int4, TypeId::Int4, TypeId::Text].map(SqlType::plain).into();
    let desc = RelationDesc {
        columns,
        alias: Some(alias),
        indexes: vec![index],
        ..RelationDesc::default()
    };
    let rel = txn.create_relation(desc).expect("a table is made");
    insert(&mut txn, rel, 1, 10).expect("a row is inserted");
    insert(&mut txn, rel, 2, 20).expect("a row is inserted");
    commit(txn).expect("it commits");
    rel
}

fn row(a: i32) -> RowId {
    Table::alias_row(a.into())
}

/// Rows with even keys are inserted alone, others as runs of one.
fn insert(txn: &mut Txn, rel: RelId, a: i32, b: i32) -> Result<()> {
    let values = [Value::Int4(a), Value::Int4(b), Value::Null];
    let table = txn.engine().table(rel)?;
    if a % 2 == 0 {
        return table.insert(txn, &values).map(drop);
    }
    let mut rows = NewRows::default();
    table.push_row(&mut rows, &values)?;
    table.insert_rows(txn, &mut rows).map(drop)
}

fn set(txn: &mut Txn, rel: RelId, a: i32, b: i32) -> Result<()> {
    txn.begin_statement()?;
    let outcome = txn.engine().table(rel)?.update(txn, row(a), &[(B, Value::Int4(b))])?;
    assert_eq!(outcome, WriteOutcome::Done);
    Ok(())
}

/// A question to the table. Bounds are included.
#[derive(Clone, Debug)]
enum Query {
    /// The row of a key.
    Get(i32),
    /// Rows by key.
    Rows(i32, i32),
    /// Rows by the index on b.
    Keys(i32, i32),
    /// Rows by b, without the index.
    Scan(i32, i32),
    /// How many rows there are.
    Count,
    /// All keys.
    AllA,
}

type State = BTreeMap<i32, i32>;

impl Query {
    fn random(random: &SeededRandom, keys: u64) -> Self {
        let first = random.below(keys) as i32;
        let last = first + random.below(3) as i32;
        match random.below(10) {
            0..3 => Self::Get(first),
            3 | 4 => Self::Rows(first, last),
            5 | 6 => Self::Keys(first, last),
            7 | 8 => Self::Scan(first, last),
            _ if random.below(2) == 0 => Self::Count,
            _ => Self::AllA,
        }
    }

    /// The rows that count for the answer. The same before and after a commit: it did not touch what was asked.
    fn touched(&self, state: &State) -> BTreeSet<(i32, i32)> {
        let all = state.iter().map(|(a, b)| (*a, *b));
        match *self {
            Self::Get(key) => all.filter(|(a, _)| *a == key).collect(),
            Self::Rows(first, last) => all.filter(|(a, _)| (first..=last).contains(a)).collect(),
            Self::Keys(first, last) | Self::Scan(first, last) => {
                all.filter(|(_, b)| (first..=last).contains(b)).collect()
            }
            Self::Count | Self::AllA => all.map(|(a, _)| (a, 0)).collect(),
        }
    }

    fn expected(&self, state: &State) -> BTreeSet<(i32, i32)> {
        match self {
            Self::Count => [(state.len() as i32, 0)].into(),
            other => other.touched(state),
        }
    }

    fn ask(&self, txn: &Txn, rel: RelId) -> Result<BTreeSet<(i32, i32)>> {
        let table = txn.engine().table(rel)?;
        let view = txn.view()?;
        let int = |value: &Value| value.as_i64().expect("it is an integer") as i32;
        let scanned = |spec: ScanSpec| -> Result<Vec<Vec<Value>>> {
            let mut found = vec![];
            let mut scan = table.scan(&view, spec)?;
            while let Some((batch, _)) = scan.next()? {
                let values =
                    |i| batch.columns.iter().map(|column| column.value(i)).collect::<Vec<_>>();
                found.extend((0..batch.rows()).map(values));
            }
            Ok(found)
        };
        let pair = |values: &Vec<Value>| (int(&values[0]), int(&values[1]));
        Ok(match *self {
            Self::Get(key) => table.get(&view, row(key), &[A, B])?.iter().map(pair).collect(),
            Self::Rows(first, last) => {
                let mut spec = ScanSpec::new(vec![A, B]);
                spec.row_range = Some((Bound::Included(row(first)), Bound::Included(row(last))));
                scanned(spec)?.iter().map(pair).collect()
            }
            Self::Keys(first, last) => {
                let range = KeyRange {
                    lower: Bound::Included(vec![Value::Int4(first)]),
                    upper: Bound::Excluded(vec![Value::Int4(last + 1)]),
                };
                let index = RelId(rel.0 + 1);
                let mut scan =
                    table.index_scan(&view, index, range, Direction::Forward, vec![A, B])?;
                let mut found = BTreeSet::new();
                while let Some((batch, _)) = scan.next()? {
                    let value = |column: usize, i| int(&batch.columns[column].value(i));
                    found.extend((0..batch.rows()).map(|i| (value(0, i), value(1, i))));
                }
                found
            }
            Self::Scan(first, last) => {
                let mut spec = ScanSpec::new(vec![A, B]);
                spec.conjuncts = vec![ColumnRange {
                    column: B,
                    lower: Bound::Excluded(Value::Int4(first - 1)),
                    upper: Bound::Included(Value::Int4(last)),
                }];
                let found = scanned(spec)?;
                found.iter().map(pair).filter(|(_, b)| (first..=last).contains(b)).collect()
            }
            Self::Count => [(scanned(ScanSpec::new(vec![]))?.len() as i32, 0)].into(),
            Self::AllA => {
                let found = scanned(ScanSpec::new(vec![A]))?;
                found.iter().map(|values| (int(&values[0]), 0)).collect()
            }
        })
    }
}

type Own = BTreeMap<i32, Option<i32>>;

fn with(state: &State, own: &Own) -> State {
    let mut state = state.clone();
    for (key, value) in own {
        match value {
            Some(value) => drop(state.insert(*key, *value)),
            None => drop(state.remove(key)),
        }
    }
    state
}

/// A question that was asked: what the transaction had written then, and the answer.
type Read = (Query, Own, BTreeSet<(i32, i32)>);

struct Session {
    txn: Txn,
    level: IsolationLevel,
    /// Commits that its snapshot sees.
    snapshot: usize,
    own: Own,
    reads: Vec<Read>,
}

struct Model {
    engine: Arc<Engine>,
    rel: RelId,
    random: SeededRandom,
    /// The table after each commit.
    states: Vec<State>,
    /// The keys that each commit wrote, perhaps what they were.
    written: Vec<BTreeSet<i32>>,
    /// Whether what is expected is asserted, or only counted.
    asserts: bool,
    /// Reads that were not as the order of commits has them.
    anomalies: usize,
    commits: usize,
    aborts: usize,
}

const KEYS: u64 = 12;

impl Model {
    fn latest(&self) -> usize {
        self.states.len() - 1
    }

    fn begin(&self) -> Session {
        let (level, read_only) = match self.random.below(8) {
            0 => (IsolationLevel::ReadCommitted, false),
            1 => (IsolationLevel::Serializable, true),
            _ => (IsolationLevel::Serializable, false),
        };
        let mut txn = self.engine.begin(level, read_only).expect("it begins");
        txn.begin_statement().expect("a statement begins");
        Session { txn, level, snapshot: self.latest(), own: Own::new(), reads: vec![] }
    }

    /// Whether a commit that the session does not see touched what it read.
    fn is_lost(&self, session: &Session) -> bool {
        session.level == IsolationLevel::Serializable
            && self.states[session.snapshot..].windows(2).any(|pair| {
                let touches =
                    |(query, ..): &Read| query.touched(&pair[0]) != query.touched(&pair[1]);
                session.reads.iter().any(touches)
            })
    }

    /// One more answer, compared with what its snapshot says.
    fn read(&self, session: &mut Session) {
        session.txn.begin_statement().expect("a statement begins");
        let query = Query::random(&self.random, KEYS);
        let answer = query.ask(&session.txn, self.rel).expect("it answers");
        let at = match session.level {
            IsolationLevel::Serializable => session.snapshot,
            _ => self.latest(),
        };
        assert_eq!(answer, query.expected(&with(&self.states[at], &session.own)), "{query:?}");
        session.reads.push((query, session.own.clone(), answer));
    }

    /// Changes a key that no other session has changed; none if the transaction is over.
    fn change(&mut self, mut session: Session, key: i32) -> Option<Session> {
        let txn = &mut session.txn;
        txn.begin_statement().expect("a statement begins");
        let at = match session.level {
            IsolationLevel::Serializable => session.snapshot,
            _ => self.latest(),
        };
        let of = |state: &State| match session.own.get(&key) {
            Some(own) => *own,
            None => state.get(&key).copied(),
        };
        let (seen, newest) = (of(&self.states[at]), of(&self.states[self.latest()]));
        let is_newer = self.written[at..].iter().any(|keys| keys.contains(&key));
        let value = self.random.below(KEYS) as i32;
        let table = self.engine.table(self.rel).expect("the table is there");
        let delete = seen.is_some() && self.random.below(3) == 0;
        let outcome = match seen {
            None => insert(txn, self.rel, key, value),
            Some(_) if delete => table.delete(txn, row(key)).map(drop),
            Some(_) => table.update(txn, row(key), &[(B, Value::Int4(value))]).map(drop),
        };
        let expected = match (seen, newest) {
            (None, None) => "ok",
            (None, Some(_)) if self.is_lost(&session) => "40001",
            (None, Some(_)) => "23505",
            (Some(_), _) if is_newer => "40001",
            (Some(_), _) => "ok",
        };
        let outcome = sqlstate(outcome);
        assert!(outcome == expected || !self.asserts, "{key}: {outcome} instead of {expected}");
        if outcome != "ok" {
            self.aborts += 1;
            session.txn.rollback().expect("it rolls back");
            return None;
        }
        session.own.insert(key, (!delete).then_some(value));
        Some(session)
    }

    fn commit(&mut self, session: Session) {
        let has_written = !session.own.is_empty();
        let is_lost = has_written && self.is_lost(&session);
        let outcome = sqlstate(commit(session.txn));
        let expected = if is_lost { "40001" } else { "ok" };
        assert!(outcome == expected || !self.asserts, "{outcome} instead of {expected}");
        if outcome != "ok" {
            self.aborts += 1;
            return;
        }
        self.commits += 1;
        if session.level == IsolationLevel::Serializable {
            // A writer's place in the order is its commit, a reader's its snapshot.
            let at = if has_written { self.latest() } else { session.snapshot };
            for (query, own, answer) in &session.reads {
                if *answer != query.expected(&with(&self.states[at], own)) {
                    self.anomalies += 1;
                }
            }
        }
        if has_written {
            let after = with(&self.states[self.latest()], &session.own);
            self.states.push(after);
            self.written.push(session.own.keys().copied().collect());
        }
    }
}

fn run(seed: u64, steps: usize, planted: Planted) -> Model {
    let engine = memory();
    engine.planted.store(planted as u8, Ordering::Relaxed);
    let rel = table(&engine);
    let mut model = Model {
        engine,
        rel,
        random: SeededRandom::new(seed),
        states: vec![State::from([(1, 10), (2, 20)])],
        written: vec![],
        asserts: planted == Planted::Nothing,
        anomalies: 0,
        commits: 0,
        aborts: 0,
    };
    let mut sessions: BTreeMap<u64, Session> = BTreeMap::new();
    for _ in 0..steps {
        let who = model.random.below(4);
        let Some(mut session) = sessions.remove(&who) else {
            sessions.insert(who, model.begin());
            continue;
        };
        match model.random.below(10) {
            0..4 => model.read(&mut session),
            4..7 => {
                let key = model.random.below(KEYS) as i32;
                let is_free = !sessions.values().any(|other| other.own.contains_key(&key));
                if is_free && !session.txn.is_read_only() {
                    match model.change(session, key) {
                        Some(changed) => session = changed,
                        None => continue,
                    }
                }
            }
            7 | 8 => {
                model.commit(session);
                continue;
            }
            _ => {}
        }
        sessions.insert(who, session);
    }
    drop(sessions);
    let list = model.engine.serializable.list.lock();
    assert!(list.commits.is_empty() && list.bytes == 0, "nothing is kept for nobody");
    assert!(!model.engine.serializable.is_active());
    drop(list);
    model
}

#[test]
fn commits_and_failures_are_exactly_those_of_the_model() {
    let (mut commits, mut aborts) = (0, 0);
    for seed in 0..24 {
        let model = run(seed, 1500, Planted::Nothing);
        assert_eq!(model.anomalies, 0, "seed {seed}");
        commits += model.commits;
        aborts += model.aborts;
    }
    assert!(commits > 1000 && aborts > 500, "{commits} commits, {aborts} aborts say little");
}

#[test]
fn commits_that_are_not_tested_are_found() {
    let found = (0..4).filter(|&seed| run(seed, 1500, Planted::NoValidation).anomalies > 0).count();
    assert_eq!(found, 4);
}

fn write_skew(engine: &Arc<Engine>, rel: RelId, queries: [Query; 2]) -> [String; 2] {
    let (mut first, mut second) = (serializable(engine), serializable(engine));
    queries[0].ask(&first, rel).expect("it answers");
    queries[1].ask(&second, rel).expect("it answers");
    set(&mut first, rel, 1, 11).expect("it changes a row");
    set(&mut second, rel, 2, 21).expect("it changes a row");
    [sqlstate(commit(first)), sqlstate(commit(second))]
}

#[test]
fn of_two_that_read_what_the_other_writes_one_commits() {
    for query in [Query::Rows(1, 2), Query::Keys(10, 20), Query::Scan(10, 20)] {
        let engine = memory();
        let rel = table(&engine);
        assert_eq!(write_skew(&engine, rel, [query.clone(), query]), ["ok", "40001"]);
    }
}

#[test]
fn who_reads_its_own_rows_is_left_alone() {
    let pairs = [
        [Query::Get(1), Query::Get(2)],
        [Query::Rows(0, 1), Query::Rows(2, 5)],
        [Query::Keys(5, 15), Query::Keys(16, 30)],
        [Query::Scan(5, 15), Query::Scan(16, 30)],
        [Query::Count, Query::AllA],
    ];
    for pair in pairs {
        let engine = memory();
        let rel = table(&engine);
        assert_eq!(write_skew(&engine, rel, pair), ["ok", "ok"]);
    }
}

#[test]
fn a_transaction_that_writes_nothing_commits_whatever_it_read() {
    let engine = memory();
    let rel = table(&engine);
    let reader = serializable(&engine);
    Query::AllA.ask(&reader, rel).expect("it answers");
    let mut writer = begin(&engine, IsolationLevel::ReadCommitted);
    insert(&mut writer, rel, 3, 30).expect("it inserts");
    commit(writer).expect("it commits");
    let answer = Query::Count.ask(&reader, rel).expect("it answers");
    assert_eq!(answer, [(2, 0)].into());
    commit(reader).expect("a reader commits");
}

#[test]
fn reads_before_a_savepoint_and_after_it_count() {
    let engine = memory();
    let rel = table(&engine);
    let mut txn = serializable(&engine);
    let savepoint = txn.savepoint();
    Query::Get(2).ask(&txn, rel).expect("it answers");
    txn.rollback_to(savepoint).expect("it rolls back");
    set(&mut txn, rel, 1, 11).expect("it changes a row");
    let mut other = begin(&engine, IsolationLevel::RepeatableRead);
    set(&mut other, rel, 2, 21).expect("it changes a row");
    commit(other).expect("it commits");
    assert_eq!(sqlstate(commit(txn)), "40001");
}

#[test]
fn a_relation_that_is_emptied_counts_as_a_change_of_all_its_rows() {
    let engine = memory();
    let rel = table(&engine);
    let other = table(&engine);
    let mut txn = serializable(&engine);
    let mut ddl = begin(&engine, IsolationLevel::ReadCommitted);
    ddl.truncate(rel).expect("it truncates");
    commit(ddl).expect("it commits");
    Query::Get(2).ask(&txn, rel).expect("it answers");
    set(&mut txn, other, 1, 11).expect("it changes a row");
    assert_eq!(sqlstate(commit(txn)), "40001");
}

#[test]
fn too_many_reads_become_one_of_the_whole_table() {
    let engine = memory();
    let rel = table(&engine);
    let mut txn = serializable(&engine);
    for i in 0..3000 {
        Query::Scan(100 + 2 * i, 100 + 2 * i).ask(&txn, rel).expect("it answers");
    }
    set(&mut txn, rel, 1, 11).expect("it changes a row");
    let mut other = begin(&engine, IsolationLevel::ReadCommitted);
    set(&mut other, rel, 2, 21).expect("it changes a row");
    commit(other).expect("it commits");
    assert_eq!(sqlstate(commit(txn)), "40001");
}

#[test]
fn commits_that_do_not_fit_memory_are_taken_for_conflicts() {
    let engine = memory();
    let rel = table(&engine);
    let mut txn = serializable(&engine);
    Query::Get(1).ask(&txn, rel).expect("it answers");
    set(&mut txn, rel, 1, 11).expect("it changes a row");
    let c = ColumnIndex(2);
    for i in 0..100 {
        let mut other = begin(&engine, IsolationLevel::ReadCommitted);
        let text = Value::text(format!("{i}{}", "x".repeat(super::LIST_BYTES_MAX / 64)).as_str());
        let table = engine.table(rel).expect("the table is there");
        let outcome = table.update(&mut other, row(2), &[(c, text)]).expect("it changes a row");
        assert_eq!(outcome, WriteOutcome::Done);
        commit(other).expect("it commits");
        assert!(engine.serializable.list.lock().bytes <= super::LIST_BYTES_MAX);
    }
    assert_eq!(sqlstate(commit(txn)), "40001");
}

/// A database on a simulated disk.
fn on_disk() -> Arc<Engine> {
    let env = Env::simulated(Arc::new(SimVfs::default()), 1);
    let options = EngineOptions { page_bytes: 4096, ..EngineOptions::default() };
    Engine::open(env, Location::File("d".into()), options).expect("it opens")
}

/// A commit that waits for its flush is hidden, the next one does not wait and is shown: whoever saw the second alone could see that
/// it comes first, though the order of commits says otherwise.
#[test]
fn a_serializable_snapshot_has_no_gap() {
    let engine = on_disk();
    let rel = table(&engine);
    let mut waits = begin(&engine, IsolationLevel::ReadCommitted);
    set(&mut waits, rel, 1, 11).expect("it changes a row");
    let ticket = waits.commit().expect("it commits");
    let mut relaxed = begin(&engine, IsolationLevel::ReadCommitted);
    set(&mut relaxed, rel, 2, 21).expect("it changes a row");
    let at_once = relaxed.commit_with(Durability::Relaxed).expect("it commits");
    let seen = |txn: &Txn| Query::Rows(1, 2).ask(txn, rel).expect("it answers");
    let repeatable = begin(&engine, IsolationLevel::RepeatableRead);
    assert_eq!(seen(&repeatable), [(1, 10), (2, 21)].into(), "the gap is there");
    assert_eq!(seen(&serializable(&engine)), [(1, 11), (2, 21)].into());
    at_once.wait().expect("it is durable");
    ticket.wait().expect("it is durable");
}

#[test]
fn commits_that_nobody_noted_are_waited_for() {
    let engine = on_disk();
    let rel = table(&engine);
    let mut other = begin(&engine, IsolationLevel::ReadCommitted);
    set(&mut other, rel, 1, 11).expect("it changes a row");
    // No serializable transaction is open, so what it changes is not kept, and it is not shown yet.
    let ticket = other.commit().expect("it commits");
    let txn = serializable(&engine);
    let seen = Query::Get(1).ask(&txn, rel).expect("it answers");
    assert_eq!(seen, [(1, 11)].into());
    ticket.wait().expect("it is durable");
}

/// Who fails because of a commit that is not shown waits for it, so that the next attempt does not meet it again.
#[test]
fn who_lost_to_a_commit_sees_it_the_next_time() {
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let engine = on_disk();
        let rel = table(&engine);
        let mut winner = begin(&engine, IsolationLevel::ReadCommitted);
        set(&mut winner, rel, 1, 11).expect("it changes a row");
        let open = serializable(&engine);
        let ticket = winner.commit().expect("it commits");
        let mut loser = begin(&engine, level);
        assert_eq!(sqlstate(set(&mut loser, rel, 1, 12)), "40001", "it is not durable");
        loser.rollback().expect("it rolls back");
        assert!(ticket.is_durable());
        set(&mut begin(&engine, level), rel, 1, 12).expect("it changes a row");
        drop((open, ticket));
    }
}

#[test]
fn commits_that_are_not_shown_yet_are_tested() {
    let engine = on_disk();
    let rel = table(&engine);
    let open = serializable(&engine);
    let mut other = begin(&engine, IsolationLevel::ReadCommitted);
    set(&mut other, rel, 1, 11).expect("it changes a row");
    let ticket = other.commit().expect("it commits");
    drop(open);
    let mut txn = serializable(&engine);
    let seen = Query::Get(1).ask(&txn, rel).expect("it answers");
    assert_eq!(seen, [(1, 10)].into(), "it is not durable");
    set(&mut txn, rel, 2, 21).expect("it changes a row");
    assert_eq!(sqlstate(commit(txn)), "40001");
    assert!(ticket.is_durable(), "who tries again sees it");
    ticket.wait().expect("it is durable");
}

/// Accounts in pairs, of which one may be overdrawn as long as the other has as much. Each withdrawal looks at both and changes one, so
/// two of them side by side would break it; deposits at READ COMMITTED look at nothing.
#[test]
fn threads_keep_what_their_transactions_look_at() {
    const PAIRS: i32 = 3;
    const THREADS: u64 = 6;
    for engine in [memory(), on_disk()] {
        let rel = table(&engine);
        let mut txn = begin(&engine, IsolationLevel::ReadCommitted);
        for a in 10..10 + 2 * PAIRS {
            insert(&mut txn, rel, a, 50).expect("it inserts");
        }
        commit(txn).expect("it commits");
        let work = |seed: u64| {
            let random = SeededRandom::new(seed);
            let mut withdrawn = 0;
            for _ in 0..200 {
                let first = 10 + 2 * random.below(PAIRS as u64) as i32;
                let account = first + random.below(2) as i32;
                let (level, read_only) = match random.below(8) {
                    0 => (IsolationLevel::ReadCommitted, false),
                    1 => (IsolationLevel::Serializable, true),
                    _ => (IsolationLevel::Serializable, false),
                };
                let mut txn = engine.begin(level, read_only).expect("it begins");
                txn.begin_statement().expect("a statement begins");
                let found = Query::Rows(first, first + 1).ask(&txn, rel).expect("it answers");
                let sum: i32 = found.iter().map(|(_, b)| b).sum();
                let own = found.iter().find(|(a, _)| *a == account).map_or(0, |(_, b)| *b);
                assert!(sum >= 0, "{found:?}");
                std::thread::yield_now();
                let amount = random.below(60) as i32;
                if read_only {
                    commit(txn).expect("a reader commits");
                    continue;
                }
                if level == IsolationLevel::ReadCommitted {
                    // Of the newest version, once it is locked.
                    let table = engine.table(rel).expect("the table is there");
                    let lock = crate::RowLock::NoKeyUpdate;
                    let locked = table.lock_row(&mut txn, row(account), lock, crate::Wait::Wait);
                    assert!(locked.is_ok());
                    let newest = table.latest(&txn, row(account), &[B]).expect("it answers");
                    let newest = newest.and_then(|values| values[0].as_i64()).expect("a number");
                    let more = Value::Int4(newest as i32 + amount);
                    let outcome = table.update_latest(&mut txn, row(account), &[(B, more)]);
                    assert_eq!(outcome.expect("it changes a row"), WriteOutcome::Done);
                    commit(txn).expect("a deposit commits");
                    continue;
                }
                if sum < amount {
                    continue;
                }
                let outcome = set(&mut txn, rel, account, own - amount).and_then(|()| commit(txn));
                match sqlstate(outcome).as_str() {
                    "ok" => withdrawn += 1,
                    other => assert_eq!(other, "40001"),
                }
            }
            withdrawn
        };
        let withdrawn: i32 = std::thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> =
                (0..THREADS).map(|seed| scope.spawn(move || work(seed))).collect();
            workers.into_iter().map(|worker| worker.join().expect("nothing is overdrawn")).sum()
        });
        assert!(withdrawn > 0);
        assert!(!engine.serializable.is_active());
    }
}
