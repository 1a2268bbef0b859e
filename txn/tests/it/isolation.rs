//! Interleaved sessions as text: the scripts under `testdata/isolation`.
//!
//! Each session is a thread. A line is one step of one session with what it answers:
//!
//! ```text
//! # A comment.
//! s1 begin rc          => ok
//! s2 set 1 12          => blocked
//! s1 commit            => ok
//! s2 wakes             => 1 row
//! ```
//! A step is over when its session has answered, or waits for a lock (`blocked`); `wakes` waits for the answer then. The
//! table is (a int4 primary key, b int4) with rows 1:10 and 2:20, and an index on b. Commands: `begin rc|rr`, `commit`,
//! `abort`, `savepoint`, `rollback` (to it), `get A`, `all`, `where B` (by the index), `insert A B`, `set A B`, `add A N`,
//! `addall N`, `setwhere B C`, `delete A`, `deletewhere B`, `lock A key|share|nokey|update [nowait|skip]`,
//! `table MODE [nowait]`.
//! Statements do what the executor does: at `Changed` they test the newest version again.
//! What PostgreSQL 15 answers to the same steps is the expectation.

use crate::support::*;
use damask_txn::{
    AliasKey, Direction, Engine, Interrupt, IsolationLevel, KeyRange, LockOutcome, LockTag,
    NewRows, RelationDesc, RowLock, Savepoint, ScanSpec, Table, TableLock, Txn, Wait, WriteOutcome,
};
use damask_types::{RelId, Result, RowId, TypeId, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What a session tells the runner.
enum Report {
    Answer(String),
    Blocked,
}

/// Tells the runner when a wait begins.
struct Watch(std::sync::Mutex<Sender<Report>>);

impl Interrupt for Watch {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn waiting(&self, begins: bool) {
        if begins {
            self.0.lock().unwrap().send(Report::Blocked).unwrap();
        }
    }
}

struct Session {
    commands: Sender<String>,
    reports: Receiver<Report>,
    is_blocked: bool,
}

fn int(i: i64) -> Value {
    Value::Int4(i as i32)
}

fn both() -> [damask_types::ColumnIndex; 2] {
    [column(0), column(1)]
}

fn text(values: &[Value]) -> String {
    format!("{}:{}", values[0].as_i64().unwrap(), values[1].as_i64().unwrap())
}

/// One session's state.
struct State {
    engine: Arc<Engine>,
    rel: RelId,
    txn: Option<Txn>,
    savepoint: Option<Savepoint>,
    watch: Arc<Watch>,
    as_runs: bool,
}

impl State {
    fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[0] {
            "begin" => {
                let level = match words[1] {
                    "rc" => IsolationLevel::ReadCommitted,
                    _ => IsolationLevel::RepeatableRead,
                };
                let mut txn = self.engine.begin(level, false).unwrap();
                txn.set_interrupt(Arc::<Watch>::clone(&self.watch));
                self.txn = Some(txn);
                "ok".to_owned()
            }
            "commit" => {
                match self.txn.take().unwrap().commit().and_then(damask_txn::CommitTicket::wait) {
                    Ok(()) => "ok".to_owned(),
                    Err(error) => error.sqlstate().as_str().to_owned(),
                }
            }
            "abort" => {
                self.txn.take().unwrap().rollback().unwrap();
                "ok".to_owned()
            }
            "savepoint" => {
                self.savepoint = Some(self.txn.as_mut().unwrap().savepoint());
                "ok".to_owned()
            }
            "rollback" => {
                let savepoint = self.savepoint.unwrap();
                self.txn.as_mut().unwrap().rollback_to(savepoint).unwrap();
                "ok".to_owned()
            }
            _ => {
                let txn = self.txn.as_mut().unwrap();
                // A statement is atomic, and its error leaves the transaction as it was.
                let savepoint = txn.savepoint();
                match Self::statement(&self.engine, self.rel, txn, &words, self.as_runs) {
                    Ok(answer) => answer,
                    Err(error) => {
                        txn.rollback_to(savepoint).unwrap();
                        error.sqlstate().as_str().to_owned()
                    }
                }
            }
        }
    }

    fn statement(
        engine: &Arc<Engine>,
        rel: RelId,
        txn: &mut Txn,
        words: &[&str],
        as_runs: bool,
    ) -> Result<String> {
        txn.begin_statement()?;
        let table = engine.table(rel)?;
        let view = txn.view()?;
        let number = |i: usize| words[i].parse::<i64>().unwrap();
        let row = || Table::alias_row(number(1));
        let rows =
            |affected: usize| Ok(format!("{affected} row{}", if affected == 1 { "" } else { "s" }));
        match words[0] {
            "get" => {
                let found = table.get(&view, row(), &both())?;
                Ok(found.map_or("none".to_owned(), |values| text(&values)))
            }
            "all" => {
                let found = Self::visible(&table, &view)?;
                let found: Vec<_> = found.iter().map(|(_, values)| text(values)).collect();
                Ok(if found.is_empty() { "none".to_owned() } else { found.join(" ") })
            }
            "where" => {
                let range = KeyRange::prefix(vec![int(number(1))]);
                let index = RelId(rel.0 + 1);
                let columns = both().to_vec();
                let mut scan =
                    table.index_scan(&view, index, range, Direction::Forward, columns)?;
                let mut found = Vec::new();
                while let Some((batch, ids)) = scan.next()? {
                    for i in 0..ids.len() {
                        found.push(text(&[batch.columns[0].value(i), batch.columns[1].value(i)]));
                    }
                }
                Ok(if found.is_empty() { "none".to_owned() } else { found.join(" ") })
            }
            "insert" => {
                let new = [int(number(1)), int(number(2))];
                add(&table, txn, &new, as_runs)?;
                rows(1)
            }
            "set" => {
                let targets = table.get(&view, row(), &both())?.map(|values| (row(), values));
                Self::update(&table, txn, targets, |_| true, |_| number(2)).and_then(rows)
            }
            "add" => {
                let targets = table.get(&view, row(), &both())?.map(|values| (row(), values));
                Self::update(&table, txn, targets, |_| true, |b| b + number(2)).and_then(rows)
            }
            "addall" => {
                let targets = Self::visible(&table, &view)?;
                Self::update(&table, txn, targets, |_| true, |b| b + number(1)).and_then(rows)
            }
            "setwhere" => {
                let targets = Self::visible(&table, &view)?;
                let test = |b| b == number(1);
                Self::update(&table, txn, targets, test, |_| number(2)).and_then(rows)
            }
            "delete" => {
                let targets = table.get(&view, row(), &both())?.map(|values| (row(), values));
                Self::delete(&table, txn, targets, |_| true).and_then(rows)
            }
            "deletewhere" => {
                let targets = Self::visible(&table, &view)?;
                Self::delete(&table, txn, targets, |b| b == number(1)).and_then(rows)
            }
            "lock" => {
                let lock = match words[2] {
                    "key" => RowLock::KeyShare,
                    "share" => RowLock::Share,
                    "nokey" => RowLock::NoKeyUpdate,
                    _ => RowLock::Update,
                };
                let wait = match words.get(3) {
                    Some(&"nowait") => Wait::NoWait,
                    Some(_) => Wait::Skip,
                    None => Wait::Wait,
                };
                Ok(match table.lock_row(txn, row(), lock, wait)? {
                    LockOutcome::Locked => "locked".to_owned(),
                    LockOutcome::Changed(now) => {
                        let values = table.latest(txn, now, &both())?.unwrap();
                        format!("changed {}", text(&values))
                    }
                    LockOutcome::Gone => "gone".to_owned(),
                    LockOutcome::Skipped => "skipped".to_owned(),
                    LockOutcome::SelfModified => "own".to_owned(),
                })
            }
            "table" => {
                let lock = match words[1] {
                    "access-share" => TableLock::AccessShare,
                    "row-exclusive" => TableLock::RowExclusive,
                    "share" => TableLock::Share,
                    _ => TableLock::AccessExclusive,
                };
                txn.lock_relation(LockTag::Relation(damask_types::Oid(1)), lock, words.len() == 2)?;
                Ok("locked".to_owned())
            }
            other => panic!("there is no command {other}"),
        }
    }

    fn visible(table: &Table, view: &damask_txn::ReadView) -> Result<Vec<(RowId, Vec<Value>)>> {
        let mut scan = table.scan(view, ScanSpec::new(both().to_vec()).with_row_ids())?;
        let mut out = Vec::new();
        while let Some((batch, ids)) = scan.next()? {
            for (i, id) in ids.iter().enumerate() {
                let values = batch.columns.iter().map(|column| column.value(i)).collect();
                out.push((*id, values));
            }
        }
        Ok(out)
    }

    fn update(
        table: &Table,
        txn: &mut Txn,
        targets: impl IntoIterator<Item = (RowId, Vec<Value>)>,
        test: impl Fn(i64) -> bool,
        set: impl Fn(i64) -> i64,
    ) -> Result<usize> {
        Self::each(table, txn, targets, test, |txn, row, b, latest| {
            let changes = [(column(1), int(set(b)))];
            if latest {
                table.update_latest(txn, row, &changes)
            } else {
                table.update(txn, row, &changes)
            }
        })
    }

    fn delete(
        table: &Table,
        txn: &mut Txn,
        targets: impl IntoIterator<Item = (RowId, Vec<Value>)>,
        test: impl Fn(i64) -> bool,
    ) -> Result<usize> {
        Self::each(table, txn, targets, test, |txn, row, _, latest| {
            if latest { table.delete_latest(txn, row) } else { table.delete(txn, row) }
        })
    }

    fn each(
        table: &Table,
        txn: &mut Txn,
        targets: impl IntoIterator<Item = (RowId, Vec<Value>)>,
        test: impl Fn(i64) -> bool,
        change: impl Fn(&mut Txn, RowId, i64, bool) -> Result<WriteOutcome>,
    ) -> Result<usize> {
        let mut affected = 0;
        for (mut row, values) in targets {
            let mut b = values[1].as_i64().unwrap();
            let mut latest = false;
            while test(b) {
                match change(txn, row, b, latest)? {
                    WriteOutcome::Done => {
                        affected += 1;
                        break;
                    }
                    WriteOutcome::Changed(now) => {
                        row = now;
                        let newest = table.latest(txn, row, &both())?.unwrap();
                        b = newest[1].as_i64().unwrap();
                        latest = true;
                    }
                    WriteOutcome::Gone | WriteOutcome::SelfModified => break,
                }
            }
        }
        Ok(affected)
    }
}

/// Inserts a row alone, or as a run of one.
fn add(table: &Table, txn: &mut Txn, new: &[Value], as_run: bool) -> Result<()> {
    if !as_run {
        return table.insert(txn, new).map(drop);
    }
    let mut rows = NewRows::default();
    table.push_row(&mut rows, new)?;
    table.insert_rows(txn, &mut rows).map(drop)
}

fn session(engine: Arc<Engine>, rel: RelId, as_runs: bool) -> Session {
    let (commands, inbox) = channel::<String>();
    let (outbox, reports) = channel();
    std::thread::spawn(move || {
        let watch = Arc::new(Watch(std::sync::Mutex::new(outbox.clone())));
        let mut state = State { engine, rel, txn: None, savepoint: None, watch, as_runs };
        while let Ok(command) = inbox.recv() {
            let answer = state.run(&command);
            if outbox.send(Report::Answer(answer)).is_err() {
                break;
            }
        }
    });
    Session { commands, reports, is_blocked: false }
}

/// How long a session that waits must go on doing so to be taken for blocked where that is expected.
const BLOCKED_FOR: Duration = Duration::from_millis(60);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What a session answers to a command, or that it waits.
fn step(session: &mut Session, command: &str, expected: &str) -> String {
    if command == "wakes" {
        assert!(session.is_blocked, "only a blocked session wakes");
    } else {
        assert!(!session.is_blocked, "a blocked session takes no command");
        session.commands.send(command.to_owned()).unwrap();
    }
    loop {
        match session.reports.recv_timeout(ANSWER_WITHIN) {
            Ok(Report::Answer(answer)) => {
                session.is_blocked = false;
                return answer;
            }
            // A session that wakes may have to wait for the next one in its way.
            Ok(Report::Blocked) if command == "wakes" => {}
            Ok(Report::Blocked) => {
                session.is_blocked = true;
                // A deadlock ends a wait, sooner or later on a busy machine; nothing else does by itself.
                let patience = if expected == "blocked" { BLOCKED_FOR } else { ANSWER_WITHIN };
                return match session.reports.recv_timeout(patience) {
                    Ok(Report::Answer(answer)) => {
                        session.is_blocked = false;
                        answer
                    }
                    Ok(Report::Blocked) | Err(_) => "blocked".to_owned(),
                };
            }
            Err(error) => panic!("a session does not answer: {error}"),
        }
    }
}

/// With `as_runs` rows are inserted as runs, which an old snapshot keeps from being forgotten.
fn run(name: &str, script: &str, as_runs: bool) {
    let engine = memory();
    let mut txn = read_committed(&engine);
    let alias =
        AliasKey { column: column(0), name: "t_pkey".to_owned(), column_name: "a".to_owned() };
    let desc = RelationDesc {
        columns: vec![plain(TypeId::Int4), plain(TypeId::Int4)],
        alias: Some(alias),
        indexes: vec![index("t_b", &[1], false)],
        ..RelationDesc::default()
    };
    let rel = txn.create_relation(desc).unwrap();
    let table = engine.table(rel).unwrap();
    let reader = as_runs.then(|| begin(&engine, IsolationLevel::RepeatableRead));
    add(&table, &mut txn, &[int(1), int(10)], as_runs).unwrap();
    add(&table, &mut txn, &[int(2), int(20)], as_runs).unwrap();
    commit(txn);

    let mut sessions: HashMap<&str, Session> = HashMap::new();
    for (i, line) in script.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (left, expected) = line.split_once("=>").expect("a step has an answer");
        let (who, command) = left.trim().split_once(' ').unwrap();
        let session =
            sessions.entry(who).or_insert_with(|| session(Arc::clone(&engine), rel, as_runs));
        let expected = expected.trim();
        let answer = step(session, command.trim(), expected);
        assert_eq!(answer, expected, "{name}, line {}: {line}", i + 1);
    }
    drop((sessions, reader));
    verify(&engine);
}

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let script = concat!("../../testdata/isolation/", stringify!($name), ".txt");
            let text = include_str!(concat!("../../testdata/isolation/", stringify!($name), ".txt"));
            run(script, text, false);
            run(script, text, true);
        })*
    };
}

scripts!(
    g0,
    g1a,
    g1b,
    g1c,
    otv,
    pmp,
    pmp_write,
    p4,
    g_single,
    g_single_write,
    g2_item,
    deadlock,
    unique,
    key_share,
    row_locks,
    table_locks,
    savepoint_wakes,
    deleted,
    moved_key,
    chain,
);
