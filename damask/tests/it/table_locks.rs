//! Table locks: what conflicts with what, what statements take, and how NOWAIT says no.

use crate::support::{connect, error, rows, run};

const MODES: [&str; 8] = [
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
];

/// The table of PostgreSQL's manual (13.3.1): a row is the mode asked for, x a conflict with a mode that is held.
const CONFLICTS: [&str; 8] = [
    ".......x", "......xx", "....xxxx", "...xxxxx", "..xx.xxx", "..xxxxxx", ".xxxxxxx", "xxxxxxxx",
];

#[test]
fn modes_conflict_as_in_the_manual() {
    let (database, mut a) = connect();
    let mut b = database.connect().unwrap();
    run(&mut a, &["CREATE TABLE t (a int)"]);
    for (wanted, row) in MODES.iter().zip(CONFLICTS) {
        for (held, cell) in MODES.iter().zip(row.bytes()) {
            run(&mut a, &["BEGIN", &format!("LOCK TABLE t IN {held} MODE")]);
            run(&mut b, &["BEGIN"]);
            let ask = format!("LOCK TABLE t IN {wanted} MODE NOWAIT");
            if cell == b'x' {
                let refused = error(&mut b, &ask);
                assert_eq!(refused, "55P03 could not obtain lock on relation \"t\"", "{held}");
            } else {
                run(&mut b, &[&ask]);
            }
            run(&mut b, &["ROLLBACK"]);
            // One's own are never in the way.
            run(&mut a, &[&ask, "ROLLBACK"]);
        }
    }
}

#[test]
fn statements_take_postgresqls_modes() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY, b int)",
            "CREATE TABLE u (a int)",
            "INSERT INTO t VALUES (1, 1)",
        ],
    );
    for (statement, mode) in [
        ("SELECT * FROM t", "AccessShareLock"),
        ("CREATE VIEW v AS SELECT * FROM t", "AccessShareLock"),
        ("SELECT * FROM t FOR KEY SHARE", "RowShareLock"),
        ("SELECT * FROM t FOR SHARE", "RowShareLock"),
        ("SELECT * FROM t FOR NO KEY UPDATE", "RowShareLock"),
        ("SELECT * FROM t FOR UPDATE", "RowShareLock"),
        ("INSERT INTO t VALUES (2, 2)", "RowExclusiveLock"),
        ("UPDATE t SET b = 3", "RowExclusiveLock"),
        ("DELETE FROM t", "RowExclusiveLock"),
        ("CREATE INDEX ON t (b)", "ShareLock"),
        ("ALTER TABLE u ADD FOREIGN KEY (a) REFERENCES t", "ShareRowExclusiveLock"),
        ("ALTER TABLE t ADD c int", "AccessExclusiveLock"),
        ("TRUNCATE t", "AccessExclusiveLock"),
        ("DROP TABLE t", "AccessExclusiveLock"),
        ("LOCK t", "AccessExclusiveLock"),
        ("LOCK TABLE ONLY t IN SHARE MODE", "ShareLock"),
    ] {
        let oid = rows(&mut connection, "SELECT 't'::regclass::oid");
        run(&mut connection, &["BEGIN", statement]);
        let modes = format!(
            "SELECT string_agg(mode, ',' ORDER BY mode) FROM pg_locks WHERE relation = {oid} AND granted"
        );
        let held = rows(&mut connection, &modes);
        assert!(held.split(',').any(|held| held == mode), "{statement}: {held}");
        // Nothing stronger.
        let strongest = held.split(',').map(strength).max();
        assert_eq!(strongest, Some(strength(mode)), "{statement}: {held}");
        run(&mut connection, &["ROLLBACK"]);
    }
}

/// A mode's place in the list, weakest first.
fn strength(mode: &str) -> Option<usize> {
    let words = |name: &str| name.to_lowercase().replace(' ', "");
    MODES.iter().position(|known| words(known) + "lock" == words(mode))
}

#[test]
fn locks_need_a_block_and_a_table() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY)", "CREATE SEQUENCE s"]);
    assert_eq!(
        error(&mut connection, "LOCK TABLE t"),
        "25P01 LOCK TABLE can only be used in transaction blocks"
    );
    for (name, refused) in [
        ("nothing", "42P01 relation \"nothing\" does not exist"),
        ("t_pkey", "42809 cannot lock relation \"t_pkey\""),
        ("s", "42809 cannot lock relation \"s\""),
    ] {
        run(&mut connection, &["BEGIN"]);
        assert_eq!(error(&mut connection, &format!("LOCK TABLE {name}")), refused);
        run(&mut connection, &["ROLLBACK"]);
    }
}

#[test]
fn a_locked_view_locks_its_tables() {
    let (database, mut a) = connect();
    let mut b = database.connect().unwrap();
    run(
        &mut a,
        &["CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t", "CREATE VIEW w AS TABLE v"],
    );
    run(&mut a, &["BEGIN", "LOCK TABLE w IN EXCLUSIVE MODE"]);
    run(&mut b, &["BEGIN"]);
    assert_eq!(
        error(&mut b, "LOCK TABLE t IN ROW SHARE MODE NOWAIT"),
        "55P03 could not obtain lock on relation \"t\""
    );
}

#[test]
fn locks_taken_since_a_savepoint_go_back_with_it() {
    let (database, mut a) = connect();
    let mut b = database.connect().unwrap();
    run(&mut a, &["CREATE TABLE t (a int)", "BEGIN", "SAVEPOINT s", "LOCK t", "ROLLBACK TO s"]);
    run(&mut b, &["BEGIN", "LOCK t NOWAIT", "COMMIT"]);
}

#[test]
fn row_locks_say_which_relation() {
    let (database, mut a) = connect();
    let mut b = database.connect().unwrap();
    run(&mut a, &["CREATE TABLE t (a int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)"]);
    run(&mut a, &["BEGIN", "SELECT * FROM t WHERE a = 1 FOR UPDATE"]);
    for strength in ["KEY SHARE", "SHARE", "NO KEY UPDATE", "UPDATE"] {
        assert_eq!(
            error(&mut b, &format!("SELECT * FROM t FOR {strength} NOWAIT")),
            "55P03 could not obtain lock on row in relation \"t\""
        );
        let skipped = format!("SELECT a FROM t FOR {strength} SKIP LOCKED");
        assert_eq!(rows(&mut b, &skipped), "2");
    }
}
