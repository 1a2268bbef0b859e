//! A session keeps handles on plans that it has run: each statement must still run as if it were planned for it.

use crate::support::{connect, error, rows, run};
use damask::Connection;

const QUERY: &str = "SELECT b FROM t WHERE a = 1";

/// Runs the query a few times, so that the session has its plan for itself; what it gives.
fn used(connection: &mut Connection) -> String {
    let first = rows(connection, QUERY);
    for _ in 0..3 {
        assert_eq!(rows(connection, QUERY), first);
    }
    first
}

#[test]
fn what_another_session_defines_is_seen_at_once() {
    let (database, mut connection) = connect();
    let mut other = database.connect().unwrap();
    run(
        &mut other,
        &["CREATE TABLE t (a int PRIMARY KEY, b text)", "INSERT INTO t VALUES (1, 'one')"],
    );
    assert_eq!(used(&mut connection), "one");
    run(&mut other, &["ALTER TABLE t ALTER b TYPE int USING 7"]);
    assert_eq!(used(&mut connection), "7");
    run(&mut other, &["ALTER TABLE t DROP CONSTRAINT t_pkey", "INSERT INTO t VALUES (1, 8)"]);
    assert_eq!(used(&mut connection), "7;8");
    run(&mut other, &["TRUNCATE t", "INSERT INTO t VALUES (1, 9)"]);
    assert_eq!(used(&mut connection), "9");
    run(&mut other, &["DROP TABLE t"]);
    assert!(error(&mut connection, QUERY).contains("42P01"));
    run(
        &mut other,
        &["CREATE TABLE t (b text, a int PRIMARY KEY)", "INSERT INTO t VALUES ('ten', 1)"],
    );
    assert_eq!(used(&mut connection), "ten");
    // A change that is rolled back was never there for others, and is there until then for its own.
    run(
        &mut other,
        &["BEGIN", "ALTER TABLE t RENAME b TO c", "ALTER TABLE t ADD b int DEFAULT 11"],
    );
    assert_eq!(used(&mut other), "11");
    run(&mut other, &["ROLLBACK"]);
    assert_eq!([used(&mut other), used(&mut connection)], ["ten", "ten"]);
}

#[test]
fn names_are_found_by_the_path_of_the_moment() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY, b text)",
            "INSERT INTO t VALUES (1, 'public')",
            "CREATE SCHEMA s",
            "CREATE TABLE s.t (a int PRIMARY KEY, b text)",
            "INSERT INTO s.t VALUES (1, 's')",
        ],
    );
    assert_eq!(used(&mut connection), "public");
    run(&mut connection, &["SET search_path = s, public"]);
    assert_eq!(used(&mut connection), "s");
    run(&mut connection, &["CREATE TEMP TABLE t (a int PRIMARY KEY, b text)"]);
    assert_eq!(used(&mut connection), "");
    run(&mut connection, &["BEGIN", "SET LOCAL search_path = public, pg_temp"]);
    assert_eq!(used(&mut connection), "public");
    run(&mut connection, &["ROLLBACK"]);
    assert_eq!(used(&mut connection), "");
    run(&mut connection, &["DROP TABLE pg_temp.t"]);
    assert_eq!(used(&mut connection), "s");
}

#[test]
fn settings_of_the_session_count() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &["CREATE TABLE t (a int PRIMARY KEY, b date)", "INSERT INTO t VALUES (1, '2020-02-01')"],
    );
    let found = "SELECT a FROM t WHERE b = '01/02/2020'";
    for (style, count) in [("DMY", "1"), ("MDY", ""), ("DMY", "1")] {
        run(&mut connection, &[&format!("SET DateStyle = ISO, {style}")]);
        for _ in 0..3 {
            assert_eq!(rows(&mut connection, found), count, "{style}");
        }
    }
}

/// A table that has grown gets another plan before long, though nobody runs ANALYZE.
#[test]
fn tables_that_grow_are_planned_for() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &["CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 1)", "CREATE INDEX ON t (a)"],
    );
    // The statement itself, so that the plan is the one that is kept.
    let is_by_key = |connection: &mut Connection| {
        for _ in 0..40 {
            rows(connection, QUERY);
        }
        connection.session().runs_by_value(QUERY).unwrap()
    };
    assert!(!is_by_key(&mut connection));
    run(&mut connection, &["INSERT INTO t SELECT i, i FROM generate_series(2, 20000) i"]);
    assert!(is_by_key(&mut connection));
}

#[test]
fn analyze_counts_at_once() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &["CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 1)", "CREATE INDEX ON t (a)"],
    );
    used(&mut connection);
    run(&mut connection, &["INSERT INTO t SELECT i, i FROM generate_series(2, 20000) i"]);
    assert!(!connection.session().runs_by_value(QUERY).unwrap());
    run(&mut connection, &["ANALYZE t"]);
    assert!(connection.session().runs_by_value(QUERY).unwrap());
}

/// A plan is made before its tables are locked: what changes them in between is noticed, whether or not the lock had to be waited for.
#[test]
fn definitions_change_between_planning_and_locking() {
    const CHANGES: usize = 300;
    let (database, mut connection) = connect();
    run(
        &mut connection,
        &["CREATE TABLE t (a int PRIMARY KEY, b text)", "INSERT INTO t VALUES (1, '7')"],
    );
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let mut reader = database.connect().unwrap();
                let done = &done;
                scope.spawn(move || {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        assert_eq!(rows(&mut reader, QUERY), "7");
                    }
                })
            })
            .collect();
        for change in 0..CHANGES {
            let to = if change % 2 == 0 { "int USING b::int" } else { "text" };
            run(&mut connection, &[&format!("ALTER TABLE t ALTER b TYPE {to}")]);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
