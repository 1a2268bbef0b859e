//! Sessions that meet at rows: the scripts under `testdata/locking`.
//!
//! Each session is a thread with a connection. A line is one step of one session with what it answers:
//!
//! ```text
//! # A comment.
//! setup CREATE TABLE t (a int PRIMARY KEY, b int)
//! s1 begin rc                              => ok
//! s1 UPDATE t SET b = 11 WHERE a = 1       => 1 row
//! s2 SELECT b FROM t WHERE a = 1           => (10)
//! s2 UPDATE t SET b = b + 1 WHERE a = 1    => blocked
//! s1 commit                                => ok
//! s2 wakes                                 => 1 row
//! ```
//! A step is over when its session has answered, or when `pg_stat_activity` says that it waits for a lock (`blocked`); `wakes` waits
//! for the answer then. `begin rc|rr|ser` begins a block at that level, `reset` drops all tables and sessions: a script holds several
//! schedules. Rows are printed in parentheses, a change of rows as their number, an error as its SQLSTATE.
//!
//! What PostgreSQL 15 answers to the same steps is the expectation; `dev/locking.py URL` plays the scripts there.

use crate::support::show_rows;
use damask::{Connection, Database};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

/// How long an answer may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

struct Session {
    statements: Sender<String>,
    answers: Receiver<String>,
    pid: i64,
    is_blocked: bool,
}

fn pid(connection: &mut Connection) -> i64 {
    let rows = connection.query("SELECT pg_backend_pid()", &[]).expect("a session has a number");
    rows.iter().next().and_then(|row| row[0].as_i64()).expect("a number is an integer")
}

impl Session {
    fn start(database: &Database) -> Self {
        let mut connection = database.connect().expect("a connection opens");
        let pid = pid(&mut connection);
        let (statements, inbox) = channel::<String>();
        let (outbox, answers) = channel();
        // It ends when the sender of its statements is dropped.
        std::thread::spawn(move || {
            while let Ok(statement) = inbox.recv() {
                if outbox.send(answer(&mut connection, &statement)).is_err() {
                    return;
                }
            }
        });
        Self { statements, answers, pid, is_blocked: false }
    }

    /// The answer to the statement that runs, or that it waits for a lock.
    fn answer_or_block(&mut self, observer: &mut Connection) -> String {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND wait_event_type = 'Lock'",
            self.pid
        );
        loop {
            match self.answers.try_recv() {
                Ok(answer) => return answer,
                Err(TryRecvError::Disconnected) => return "the session died".to_owned(),
                Err(TryRecvError::Empty) => {}
            }
            let rows = observer.query(&query, &[]).expect("activity can be read");
            if rows.iter().next().and_then(|row| row[0].as_i64()) == Some(1) {
                self.is_blocked = true;
                return "blocked".to_owned();
            }
            std::thread::yield_now();
        }
    }
}

fn answer(connection: &mut Connection, statement: &str) -> String {
    match connection.query(statement, &[]) {
        Err(error) => error.sqlstate().to_string(),
        Ok(rows) if !rows.columns().is_empty() => show_rows(&rows),
        Ok(rows) => match rows.tag().split(' ').next() {
            Some("INSERT" | "UPDATE" | "DELETE") => match rows.affected() {
                1 => "1 row".to_owned(),
                count => format!("{count} rows"),
            },
            _ => "ok".to_owned(),
        },
    }
}

/// One schedule's database and sessions.
struct Stage {
    database: Database,
    observer: Connection,
    sessions: BTreeMap<String, Session>,
}

impl Stage {
    fn new() -> Self {
        let database = Database::open_in_memory().expect("a database in memory opens");
        let observer = database.connect().expect("a connection opens");
        Self { database, observer, sessions: BTreeMap::new() }
    }

    fn step(&mut self, who: &str, what: &str) -> String {
        if who == "setup" {
            return answer(&mut self.observer, what);
        }
        let session =
            self.sessions.entry(who.to_owned()).or_insert_with(|| Session::start(&self.database));
        if what == "wakes" {
            if !session.is_blocked {
                return "was not blocked".to_owned();
            }
            session.is_blocked = false;
            let answer = session.answers.recv_timeout(PATIENCE);
            return answer.unwrap_or_else(|_| "nothing".to_owned());
        }
        if session.is_blocked {
            return "blocked before".to_owned();
        }
        let statement = match what {
            "begin rc" => "BEGIN ISOLATION LEVEL READ COMMITTED",
            "begin rr" => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "begin ser" => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            other => other,
        };
        session.statements.send(statement.to_owned()).expect("the session lives");
        session.answer_or_block(&mut self.observer)
    }
}

/// Plays a script; the lines that answer otherwise than they say.
fn play(script: &str) -> Vec<String> {
    let mut stage = Stage::new();
    let mut wrong = vec![];
    for (number, line) in script.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "reset" {
            stage = Stage::new();
            continue;
        }
        let (step, expected) = match line.split_once("=>") {
            Some((step, expected)) => (step.trim(), Some(expected.trim())),
            None => (line, None),
        };
        let (who, what) = step.split_once(' ').expect("a step names its session");
        let answer = stage.step(who, what.trim());
        if expected.unwrap_or("ok") != answer && !(who == "setup" && answer.contains(" row")) {
            wrong.push(format!("line {}: {step} => {answer}", number + 1));
        }
    }
    wrong
}

#[test]
fn sessions_meet_at_rows_as_in_postgresql() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/locking");
    let entries = std::fs::read_dir(folder).expect("the scripts are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = vec![];
    for file in files {
        let script = std::fs::read_to_string(&file).expect("a script is text");
        for line in play(&script) {
            wrong.push(format!("{} {line}", file.file_stem().unwrap_or_default().display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn who_waits_for_a_row_gets_it_in_the_order_of_coming() {
    const WAITERS: std::ops::RangeInclusive<u32> = 2..=6;
    for round in 0..20 {
        let mut script = vec![
            "setup CREATE TABLE t (id int PRIMARY KEY, log text)".to_owned(),
            "setup INSERT INTO t VALUES (1, '')".to_owned(),
            "s1 begin rc".to_owned(),
            "s1 UPDATE t SET log = '1' WHERE id = 1 => 1 row".to_owned(),
        ];
        script
            .extend(WAITERS.map(|waiter| {
                format!("s{waiter} UPDATE t SET log = log || '{waiter}' => blocked")
            }));
        script.push("s1 commit".to_owned());
        script.extend(WAITERS.map(|waiter| format!("s{waiter} wakes => 1 row")));
        script.push("s1 SELECT log FROM t => (123456)".to_owned());
        let script = script.join("\n");
        assert_eq!(play(&script), Vec::<String>::new(), "round {round}");
    }
}
