//! `synchronous_commit`: what waits for the log, what does not, and that neither is lost when nothing crashes.

use crate::support::{Discard, Folder, error, rows, run};
use damask::session::SessionOptions;
use damask::{Connection, Database, DatabaseOptions, Result, Session, SqlState};
use damask_storage::Env;
use damask_storage::vfs::{Fault, SimVfs};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn syncs(connection: &mut Connection) -> i64 {
    let query = "SELECT wal_sync FROM pg_stat_wal";
    rows(connection, query).parse().expect("a number of syncs")
}

/// How many syncs statements took before they were answered.
fn cost(connection: &mut Connection, statements: &[&str]) -> i64 {
    let before = syncs(connection);
    run(connection, statements);
    syncs(connection) - before
}

fn wait_for_sync(connection: &mut Connection, since: i64) {
    // Twenty seconds, a hundred times the flush's delay.
    for _ in 0..4000 {
        if syncs(connection) != since {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("nothing was flushed");
}

#[test]
fn a_commit_waits_for_the_log_unless_told_otherwise() {
    let folder = Folder::new("durability");
    let database = folder.open();
    let (mut a, mut b) =
        (database.connect().expect("it opens"), database.connect().expect("it opens"));
    run(&mut a, &["CREATE TABLE t (a int)"]);
    for value in ["on", "local", "remote_write", "remote_apply"] {
        run(&mut a, &[&format!("SET synchronous_commit = {value}")]);
        assert_eq!(cost(&mut a, &["INSERT INTO t VALUES (1)"]), 1, "{value}");
    }
    // The background flush may come in between, once in its delay.
    run(&mut b, &["SET synchronous_commit = off"]);
    let before = syncs(&mut b);
    for i in 0..20 {
        run(&mut b, &["INSERT INTO t VALUES (2)"]);
        assert_eq!(rows(&mut a, "SELECT count(*) FROM t WHERE a = 2"), format!("{}", i + 1));
    }
    assert!(syncs(&mut b) < before + 15, "commits did not wait");
    let before = syncs(&mut b);
    run(&mut b, &["INSERT INTO t VALUES (3)"]);
    wait_for_sync(&mut b, before);
    // Relations change with a flush always.
    assert_eq!(cost(&mut b, &["CREATE TABLE u (a int)"]), 1);
    assert_eq!(cost(&mut b, &["TRUNCATE u"]), 1);

    // For one transaction.
    run(&mut b, &["SET synchronous_commit = on"]);
    let block =
        ["BEGIN", "SET LOCAL synchronous_commit = off", "INSERT INTO t VALUES (4)", "COMMIT"];
    let before = syncs(&mut b);
    for _ in 0..10 {
        run(&mut b, &block);
    }
    assert!(syncs(&mut b) < before + 8, "commits did not wait");
    assert_eq!(rows(&mut b, "SHOW synchronous_commit"), "on");
    assert!(cost(&mut b, &["INSERT INTO t VALUES (5)"]) >= 1);
    assert_eq!(
        error(&mut b, "SET wal_writer_delay = 10"),
        "55P02 parameter \"wal_writer_delay\" cannot be changed now"
    );
    assert_eq!(rows(&mut b, "SHOW wal_writer_delay"), "200ms");
}

#[test]
fn wal_writer_delay_bounds_what_a_crash_may_lose() {
    let folder = Folder::new("durability-delay");
    let insert = "INSERT INTO t VALUES (1)";
    for (delay, is_soon) in [("10s", false), ("1ms", true)] {
        let database = folder.open_with(&[("wal_writer_delay", delay)]);
        let mut connection = database.connect().expect("it opens");
        run(
            &mut connection,
            &["CREATE TABLE IF NOT EXISTS t (a int)", "SET synchronous_commit = off"],
        );
        let before = syncs(&mut connection);
        run(&mut connection, &[insert]);
        if is_soon {
            wait_for_sync(&mut connection, before);
        } else {
            assert_eq!(syncs(&mut connection), before);
        }
        database.close().expect("it closes");
    }
}

#[test]
fn max_wal_size_begins_checkpoints_and_shared_buffers_may_be_smaller_than_the_data() {
    let folder = Folder::new("durability-size");
    let settings = [("max_wal_size", "2MB"), ("shared_buffers", "2MB")];
    let database = folder.open_with(&settings);
    let mut connection = database.connect().expect("it opens");
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY, b text)", "CREATE INDEX ON t (b)"]);
    for i in 0..20 {
        let from = i * 1000;
        let insert = format!(
            "INSERT INTO t SELECT i, repeat(md5(i::text), 12) FROM generate_series({from}, {from} + 999) i"
        );
        run(&mut connection, &[&insert]);
    }
    // The background makes them, but with twice the log there should be the writers do.
    let checkpoints = rows(&mut connection, "SELECT checkpoints_req FROM pg_stat_bgwriter");
    assert!(checkpoints.parse::<u64>().expect("a number") >= 1, "{checkpoints}");
    let count = "SELECT count(*), sum(a), count(DISTINCT b) FROM t";
    let expected = "20000|199990000|20000";
    assert_eq!(rows(&mut connection, count), expected);
    let is_whole = |database: &Database| {
        let report = database.verify().expect("it can be read");
        assert!(report.errors.is_empty(), "{:?}", report.errors);
    };
    is_whole(&database);
    // Without a close, so that it recovers.
    drop((connection, database));
    let database = folder.open_with(&settings);
    let mut connection = database.connect().expect("it opens");
    assert_eq!(rows(&mut connection, count), expected);
    is_whole(&database);
}

/// What a checkpoint lets go at its end belongs to nobody in between: the check does not look then.
#[test]
fn a_check_beside_checkpoints_finds_nothing() {
    let folder = Folder::new("durability-check");
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY, b text)"]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for i in 0..200 {
                let insert = format!("INSERT INTO t VALUES ({i}, repeat('x', 500))");
                run(&mut connection, &[&insert, "CHECKPOINT"]);
            }
        });
        let mut found = BTreeSet::new();
        while !writer.is_finished() {
            found.extend(database.verify().expect("it can be read").errors);
        }
        assert!(found.is_empty(), "{found:?}");
    });
}

#[test]
fn a_hot_row_counts_right_ahead_of_the_log() {
    let folder = Folder::new("durability-hot");
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    run(
        &mut connection,
        &["CREATE TABLE t (a int PRIMARY KEY, b int)", "INSERT INTO t VALUES (1, 0)"],
    );
    let returned = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let mut connection = database.connect().expect("it opens");
            let returned = &returned;
            scope.spawn(move || {
                for i in 0..25 {
                    match (thread + i) % 5 {
                        0 => run(
                            &mut connection,
                            &["BEGIN", "UPDATE t SET b = b + 1 WHERE a = 1", "SELECT 1", "COMMIT"],
                        ),
                        1 => {
                            let update = "UPDATE t SET b = b + 1 WHERE a = 1 RETURNING b";
                            let value = rows(&mut connection, update);
                            assert!(returned.lock().unwrap().insert(value), "each sees its own");
                        }
                        // It finds the row, waits for whoever has it, and leaves it.
                        2 => run(&mut connection, &["UPDATE t SET b = 0 WHERE b < 0"]),
                        _ => run(&mut connection, &["UPDATE t SET b = b + 1 WHERE a = 1"]),
                    }
                }
            });
        }
    });
    assert_eq!(rows(&mut connection, "SELECT b FROM t"), "80");
    assert_eq!(returned.into_inner().unwrap().len(), 20);
    // More rows than are kept until the end of the statement.
    run(&mut connection, &["INSERT INTO t SELECT i, 0 FROM generate_series(2, 5000) i"]);
    let many = rows(&mut connection, "UPDATE t SET b = b + 1 WHERE a > 1 RETURNING a");
    assert_eq!(many.split(';').count(), 4999);
    drop((connection, database));
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    assert_eq!(rows(&mut connection, "SELECT b FROM t WHERE a = 1"), "80");
}

#[test]
fn every_way_to_sync_the_log_keeps_what_is_committed() {
    let folder = Folder::new("durability-methods");
    let mut count = 0;
    for method in ["fdatasync", "fsync", "open_datasync", "open_sync"] {
        let database = folder.open_with(&[("wal_sync_method", method)]);
        let mut connection = database.connect().expect("it opens");
        assert_eq!(rows(&mut connection, "SHOW wal_sync_method"), method);
        run(&mut connection, &["CREATE TABLE IF NOT EXISTS t (a int, b text)"]);
        // The last life was not closed, so this was read from its log.
        assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), count.to_string());
        let load =
            "INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 3000) i";
        assert_eq!(cost(&mut connection, &["INSERT INTO t VALUES (1, 'one')"]), 1, "{method}");
        // What it logs, not quite 3 MiB, may be flushed meanwhile, once a MiB.
        let flushes = cost(&mut connection, &[load]);
        assert!((1..=4).contains(&flushes), "{method}: {flushes}");
        count += 3001;
    }
}

/// Checkpoints beside it keep the log that it needs, and a view names its session.
#[test]
fn a_large_transaction_is_logged_while_it_runs() {
    // Of the five pieces that are full by then, 2 MiB may wait for their flush.
    const KEPT: &str = "SELECT kept_log_bytes > 2500000, a.state FROM damask_versions LEFT JOIN pg_stat_activity a ON a.pid = kept_log_pid";
    let folder = Folder::new("durability-large");
    let database = folder.open();
    let (mut large, mut small) =
        (database.connect().expect("it opens"), database.connect().expect("it opens"));
    run(&mut small, &["CREATE TABLE t (a int PRIMARY KEY, b text)", "CREATE TABLE u (a int)"]);
    assert_eq!(rows(&mut small, KEPT), "false|null");
    let insert = |from: i32| {
        let to = from + 5999;
        format!("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series({from}, {to}) i")
    };
    run(&mut large, &["BEGIN", &insert(1)]);
    assert_eq!(rows(&mut small, KEPT), "true|idle in transaction");
    run(&mut small, &["INSERT INTO u VALUES (1)", "CHECKPOINT"]);
    run(&mut large, &["SAVEPOINT s", &insert(10_001), "UPDATE t SET b = 'y'", "ROLLBACK TO s"]);
    run(&mut small, &[&insert(10_001), "CHECKPOINT"]);
    run(&mut large, &["UPDATE t SET b = 'z' WHERE a <= 3", "COMMIT"]);
    assert_eq!(rows(&mut small, KEPT), "false|null");
    drop((large, small, database));
    // It was not closed, so this is read from its log.
    let mut connection = folder.open().connect().expect("it opens");
    let found = "SELECT count(*), sum(length(b)), count(*) FILTER (WHERE b = 'z') FROM t";
    assert_eq!(rows(&mut connection, found), "12000|11997003|3");
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM u"), "1");
}

#[test]
fn lives_with_any_number_of_lanes_keep_what_is_committed() {
    let folder = Folder::new("durability-lanes");
    // Whether a superblock says that there may be lanes (docs/format.md).
    let is_marked = || {
        let file = std::fs::read(folder.0.join("d.damask")).expect("it can be read");
        [0, 4096].iter().any(|superblock| file[superblock + 32] & 8 != 0)
    };
    let mut count = 0;
    for lanes in ["1", "3", "16", "2", "0"] {
        let database = folder.open_with(&[("wal_lanes", lanes)]);
        let mut connection = database.connect().expect("it opens");
        assert_eq!(rows(&mut connection, "SHOW wal_lanes"), lanes);
        assert_eq!(is_marked(), lanes != "1");
        run(&mut connection, &["CREATE TABLE IF NOT EXISTS t (a int)"]);
        // The last life was not closed, so this was read from its log.
        assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), count.to_string());
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let mut connection = database.connect().expect("it opens");
                    for _ in 0..20 {
                        run(&mut connection, &["INSERT INTO t VALUES (1)"]);
                    }
                });
            }
        });
        count += 120;
    }
}

#[test]
fn a_compressed_log_is_read_again() {
    let folder = Folder::new("durability-lz4");
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    run(&mut connection, &["CREATE TABLE t (a int, b text)"]);
    for value in ["off", "lz4"] {
        run(&mut connection, &[&format!("SET wal_compression = {value}")]);
        let load = "INSERT INTO t SELECT i, repeat('abc', 100) FROM generate_series(1, 1000) i";
        run(&mut connection, &[load, "UPDATE t SET a = a + 1 WHERE a < 10"]);
    }
    for value in ["pglz", "zstd", "on"] {
        let refused = error(&mut connection, &format!("SET wal_compression = {value}"));
        assert_eq!(refused, format!("0A000 wal_compression = '{value}' is not supported"));
    }
    // Not closed: the log is read.
    drop((connection, database));
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    assert_eq!(rows(&mut connection, "SELECT count(*), sum(length(b)) FROM t"), "2000|600000");
}

#[test]
fn what_did_not_wait_is_there_after_a_close_or_without_one() {
    let folder = Folder::new("durability-end");
    for closes in [true, false] {
        let database = folder.open();
        let mut connection = database.connect().expect("it opens");
        run(
            &mut connection,
            &[
                "CREATE TABLE IF NOT EXISTS t (a int)",
                "SET synchronous_commit = off",
                "INSERT INTO t VALUES (1)",
            ],
        );
        if closes {
            database.close().expect("it closes");
        }
    }
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "2");
}

/// Runs a message of the simple protocol.
fn say(session: &mut Session, text: &str) -> Result<()> {
    for statement in session.prepare_text(text)? {
        session.run(&statement, &mut Discard { holds: true })?;
    }
    session.end_message()
}

#[test]
fn a_session_whose_output_is_held_leaves_the_wait_to_its_caller() {
    let folder = Folder::new("durability-held");
    let database = folder.open();
    let mut other = database.connect().expect("it opens");
    run(&mut other, &["CREATE TABLE t (a int PRIMARY KEY, b int)", "INSERT INTO t VALUES (1, 0)"]);
    let mut session = database.session(SessionOptions::default()).expect("it opens");
    session.hold_output();
    for text in ["UPDATE t SET b = b + 1", "BEGIN; UPDATE t SET b = b + 1; COMMIT"] {
        let before = syncs(&mut other);
        say(&mut session, text).expect("it runs");
        assert_eq!((session.is_settled(), syncs(&mut other) - before), (false, 0), "{text}");
        session.settle_output().expect("the log can be written");
        assert_eq!((session.is_settled(), syncs(&mut other) - before), (true, 1), "{text}");
    }
    // The next statement waits for the commit before it, and what others are to see at once is not left.
    say(&mut session, "UPDATE t SET b = b + 1").expect("it runs");
    say(&mut session, "SELECT b FROM t").expect("it runs");
    assert!(session.is_settled());
    say(&mut session, "CREATE TABLE u (a int)").expect("it runs");
    assert!(session.is_settled());
    assert_eq!(rows(&mut other, "SELECT b FROM t"), "3");
    assert_eq!(rows(&mut other, "SELECT count(*) FROM u"), "0");
    // What an open block has found is not to leave before it is durable either.
    let mut second = database.session(SessionOptions::default()).expect("it opens");
    second.hold_output();
    say(&mut session, "UPDATE t SET b = b + 1").expect("it runs");
    say(&mut second, "BEGIN; UPDATE t SET b = b + 1 RETURNING b").expect("it runs");
    assert!(!second.is_settled());
    second.settle_output().expect("the log can be written");
    assert!(session.is_settled(), "it came before");
    say(&mut second, "ROLLBACK").expect("it runs");
    // A session that ends waits, too.
    say(&mut session, "UPDATE t SET b = b + 1").expect("it runs");
    drop(session);
    assert_eq!(rows(&mut other, "SELECT b FROM t"), "5");
}

/// Whoever gets a lock of a transaction next sees what that has changed: so it is given back when the commit is shown, whatever kind it is.
#[test]
fn a_commit_that_is_left_keeps_its_locks_until_it_is_shown() {
    let folder = Folder::new("durability-locks");
    let database = folder.open();
    let mut other = database.connect().expect("it opens");
    run(&mut other, &["CREATE TABLE t (a int PRIMARY KEY, b int)", "INSERT INTO t VALUES (1, 0)"]);
    let mut session = database.session(SessionOptions::default()).expect("it opens");
    session.hold_output();
    let tries = [
        ("SELECT pg_advisory_xact_lock(7)", "SELECT pg_try_advisory_xact_lock(7)"),
        (
            "LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE",
            "LOCK TABLE t IN SHARE MODE NOWAIT; SELECT true",
        ),
    ];
    for (round, (lock, try_lock)) in tries.into_iter().enumerate() {
        say(&mut session, &format!("BEGIN; {lock}; UPDATE t SET b = b + 1; COMMIT"))
            .expect("it runs");
        assert!(!session.is_settled());
        let mut try_it = || -> Result<String> {
            run(&mut other, &["BEGIN"]);
            let mut found = String::new();
            for statement in try_lock.split("; ") {
                let tried = other.query(statement, &[]);
                found = match tried {
                    Ok(rows) => crate::support::show_rows(&rows),
                    Err(error) => {
                        run(&mut other, &["ROLLBACK"]);
                        return Err(error);
                    }
                };
            }
            let seen = rows(&mut other, "SELECT b FROM t");
            run(&mut other, &["ROLLBACK"]);
            Ok(format!("{found} {seen}"))
        };
        match try_it() {
            Ok(found) => assert_eq!(found, format!("(false) {round}"), "{lock}"),
            Err(error) => assert_eq!(error.sqlstate(), SqlState::LOCK_NOT_AVAILABLE, "{lock}"),
        }
        session.settle_output().expect("the log can be written");
        assert_eq!(try_it().expect("it is free"), format!("(true) {}", round + 1), "{lock}");
    }
}

#[test]
fn a_commit_that_was_left_and_is_lost_ends_its_session() {
    let vfs = SimVfs::default();
    let env = Env::simulated(Arc::new(vfs.clone()), 1);
    let database = Database::open_in(env, Some(Path::new("d")), DatabaseOptions::default());
    let database = database.expect("it opens");
    let mut session = database.session(SessionOptions::default()).expect("it opens");
    session.hold_output();
    say(&mut session, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)").expect("it runs");
    session.settle_output().expect("the log can be written");
    say(&mut session, "INSERT INTO t VALUES (2)").expect("it runs");
    vfs.inject(Fault::FailSync(1));
    // A statement that waits for it fails, and whoever would let the first one's answer out is told, as often as it asks.
    let error = say(&mut session, "SHOW work_mem").expect_err("the log cannot be written");
    assert_eq!(error.sqlstate(), SqlState::IO_ERROR);
    for _ in 0..2 {
        assert!(session.is_settled(), "there is nothing to wait for");
        let error = session.settle_output().expect_err("the commit is lost");
        assert_eq!(error.sqlstate(), SqlState::IO_ERROR);
    }
    let reason = session.end_reason().expect("the session ends");
    assert_eq!(reason.sqlstate(), SqlState::IO_ERROR);
}
