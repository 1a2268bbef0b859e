//! SERIALIZABLE: every way to read counts, and what was not read does not.
//!
//! What PostgreSQL does the same is in `testdata/locking/serializable.txt`; it takes locks on pages and relations where these are
//! about single rows and columns.

use crate::support::{error, run};
use damask::{Connection, Database};

/// Two sessions in a database with `t (k, v, a, b)`, 40 rows and no index, `p (k, v)`, the same by primary key, and `u (a)`.
fn sessions() -> (Database, [Connection; 2]) {
    let database = Database::open_in_memory().expect("a database in memory opens");
    let connect = || database.connect().expect("a connection opens");
    let mut sessions = [connect(), connect()];
    run(
        &mut sessions[0],
        &[
            "CREATE TABLE t (k int, v int, a text, b numeric)",
            "INSERT INTO t SELECT i, i, 'a' || i, i FROM generate_series(1, 40) i",
            "CREATE TABLE p (k int PRIMARY KEY, v int)",
            "INSERT INTO p SELECT i, i FROM generate_series(1, 40) i",
            "CREATE TABLE i (k int, v int, w int)",
            "CREATE INDEX ON i (k)",
            "INSERT INTO i SELECT i / 10, i, i FROM generate_series(1, 4000) i",
            "CREATE TABLE u (a int)",
            "INSERT INTO u VALUES (0)",
        ],
    );
    (database, sessions)
}

/// The answer to COMMIT of a serializable transaction that has done `tested` and written something before, after another session
/// has done `other` and committed.
fn outcome(tested: &[&str], other: &str) -> String {
    let (_database, [mut first, mut second]) = sessions();
    run(&mut first, &["BEGIN ISOLATION LEVEL SERIALIZABLE"]);
    run(&mut first, tested);
    run(&mut first, &["INSERT INTO u VALUES (1)"]);
    run(&mut second, &[other]);
    match first.execute("COMMIT") {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.sqlstate().to_string(),
    }
}

#[test]
fn every_way_to_read_counts() {
    for read in [
        "SELECT * FROM t",
        "SELECT count(*) FROM t",
        "SELECT * FROM t WHERE k = 77",
        "SELECT * FROM t WHERE k BETWEEN 70 AND 77",
        "SELECT * FROM t WHERE k IN (1, 77)",
        "SELECT * FROM t WHERE 76 < k AND v = 77",
        "SELECT * FROM t WHERE k = 77 OR v = 77",
        "SELECT * FROM t WHERE k % 7 = 0",
        "SELECT * FROM t WHERE a = 'a77' AND b = 77",
        "SELECT * FROM t WHERE a > 'a7' AND b > 76.5",
        "SELECT * FROM t LIMIT 100",
        "SELECT k FROM t ORDER BY k DESC LIMIT 1",
        "SELECT * FROM t FOR SHARE",
        "WITH x AS (SELECT k FROM t) SELECT count(*) FROM x",
        "SELECT EXISTS (SELECT FROM t WHERE k = 77)",
        "SELECT (SELECT max(k) FROM t)",
        "SELECT * FROM p JOIN t USING (k)",
        "SELECT * FROM p WHERE NOT EXISTS (SELECT FROM t WHERE t.k = p.k + 37)",
        "INSERT INTO u SELECT k FROM t",
        "UPDATE u SET a = a WHERE a IN (SELECT k FROM t)",
        "DELETE FROM u USING t WHERE u.a = t.k",
        "CREATE TABLE w AS SELECT * FROM t",
        "EXPLAIN ANALYZE SELECT * FROM t",
    ] {
        let answer = outcome(&[read], "INSERT INTO t VALUES (77, 77, 'a77', 77)");
        assert_eq!(answer, "40001", "{read}");
    }
    for reads in [
        ["DECLARE c CURSOR FOR SELECT k FROM t", "FETCH ALL FROM c"],
        ["PREPARE q (int) AS SELECT * FROM t WHERE k = $1", "EXECUTE q (77)"],
        ["CREATE TEMPORARY VIEW w AS SELECT * FROM t", "SELECT count(*) FROM w"],
    ] {
        let answer = outcome(&reads, "INSERT INTO t VALUES (77, 77, 'a77', 77)");
        assert_eq!(answer, "40001", "{reads:?}");
    }
}

#[test]
fn what_was_read_by_a_key_counts() {
    for (read, write) in [
        ("SELECT v FROM p WHERE k = 5", "UPDATE p SET v = 0 WHERE k = 5"),
        ("SELECT v FROM p WHERE k = 5", "DELETE FROM p WHERE k = 5"),
        ("SELECT v FROM p WHERE k = 5", "UPDATE p SET k = 55 WHERE k = 5"),
        ("SELECT v FROM p WHERE k = 55", "UPDATE p SET k = 55 WHERE k = 5"),
        ("SELECT v FROM p WHERE k BETWEEN 50 AND 60", "UPDATE p SET k = 55 WHERE k = 5"),
        ("SELECT v FROM i WHERE k = 5", "UPDATE i SET v = 0 WHERE w = 55"),
        ("SELECT v FROM i WHERE k = 5", "UPDATE i SET k = 6 WHERE w = 55"),
        ("SELECT v FROM i WHERE k = 6", "UPDATE i SET k = 6 WHERE w = 55"),
        ("SELECT v FROM i WHERE k = 5 AND w = 55", "UPDATE i SET w = 0 WHERE w = 55"),
        ("SELECT v FROM i WHERE k = 5 AND w = 0", "UPDATE i SET w = 0 WHERE w = 55"),
        ("SELECT count(*) FROM u JOIN i ON i.k = u.a", "DELETE FROM i WHERE w = 5"),
        ("INSERT INTO p VALUES (5, 0) ON CONFLICT DO NOTHING", "DELETE FROM p WHERE k = 5"),
        ("SELECT 1 FROM u, p", "TRUNCATE t"),
    ] {
        let expected = if write == "TRUNCATE t" { "ok" } else { "40001" };
        assert_eq!(outcome(&[read], write), expected, "{read}, {write}");
    }
}

#[test]
fn what_was_not_read_does_not_count() {
    for (read, write) in [
        // Other rows.
        ("SELECT v FROM p WHERE k = 5", "UPDATE p SET v = 0 WHERE k = 6"),
        ("SELECT v FROM p WHERE k IN (5, 7)", "UPDATE p SET v = 0 WHERE k = 6"),
        ("SELECT v FROM p WHERE k > 5 AND k < 9", "UPDATE p SET v = 0 WHERE k = 9"),
        ("SELECT v FROM i WHERE k = 5", "UPDATE i SET v = 0 WHERE k = 6"),
        ("SELECT v FROM i WHERE k = 5 AND w = 55", "UPDATE i SET v = 0 WHERE w = 56"),
        ("SELECT count(*) FROM u JOIN i ON i.k = u.a", "UPDATE i SET v = 0 WHERE k = 1"),
        ("SELECT v FROM t WHERE k = 5", "UPDATE t SET v = 0 WHERE k = 6"),
        ("SELECT v FROM t WHERE k IN (5, 7)", "UPDATE t SET v = 0 WHERE k = 8"),
        ("SELECT v FROM t WHERE 5 <= k AND k < 9", "UPDATE t SET v = 0 WHERE k = 9"),
        ("SELECT v FROM t WHERE a = 'a5'", "DELETE FROM t WHERE a = 'a50' OR a = 'a4'"),
        ("SELECT v FROM t WHERE b = 5.0 AND v % 2 = 1", "UPDATE t SET a = '' WHERE b = 6"),
        ("SELECT v FROM t WHERE k < 5 + 5", "INSERT INTO t VALUES (10, 10, '', NULL)"),
        ("SELECT v FROM t WHERE k = 5", "INSERT INTO t VALUES (NULL, 5, '', 5)"),
        // Other columns.
        ("SELECT k, v FROM t", "UPDATE t SET a = '', b = 0"),
        ("SELECT count(*) FROM t", "UPDATE t SET v = 0"),
        ("SELECT k FROM p WHERE k < 7", "UPDATE p SET v = 0"),
        ("UPDATE p SET v = v + 1 WHERE k = 5", "UPDATE p SET v = 0 WHERE k = 6"),
        // The same values.
        ("SELECT * FROM t", "UPDATE t SET v = v"),
        // Nothing that is a row.
        ("SELECT * FROM t", "CREATE INDEX ON t (v)"),
        ("SELECT relname FROM pg_class", "CREATE TABLE x ()"),
        ("SELECT 1", "UPDATE t SET v = 0"),
    ] {
        assert_eq!(outcome(&[read], write), "ok", "{read}, {write}");
    }
}

/// Each reads and changes its own part, in turn; the second to commit would be the victim.
#[test]
fn who_stays_in_its_part_is_left_alone() {
    for [first, second] in [
        [
            ["SELECT sum(v) FROM t WHERE k BETWEEN 1 AND 10", "UPDATE t SET v = v + 1 WHERE k = 5"],
            [
                "SELECT sum(v) FROM t WHERE k BETWEEN 11 AND 20",
                "UPDATE t SET v = v + 1 WHERE k = 15",
            ],
        ],
        [
            ["SELECT v FROM p WHERE k = 1", "UPDATE p SET v = v + 1 WHERE k = 1"],
            ["SELECT v FROM p WHERE k = 2", "UPDATE p SET v = v + 1 WHERE k = 2"],
        ],
        [
            ["SELECT v FROM i WHERE k = 1", "UPDATE i SET v = v + 1 WHERE k = 1"],
            ["SELECT v FROM i WHERE k = 2", "UPDATE i SET v = v + 1 WHERE k = 2"],
        ],
        [
            ["DELETE FROM t WHERE k = 1", "INSERT INTO t VALUES (1, 1, '', 0)"],
            ["DELETE FROM t WHERE k = 2", "INSERT INTO t VALUES (2, 2, '', 0)"],
        ],
    ] {
        let (_database, [mut one, mut two]) = sessions();
        run(&mut one, &["BEGIN ISOLATION LEVEL SERIALIZABLE"]);
        run(&mut two, &["BEGIN ISOLATION LEVEL SERIALIZABLE"]);
        run(&mut one, &first);
        run(&mut two, &second);
        run(&mut one, &["COMMIT"]);
        run(&mut two, &["COMMIT"]);
    }
}

#[test]
fn the_error_is_postgresql_s() {
    let (_database, [mut first, mut second]) = sessions();
    run(&mut first, &["BEGIN ISOLATION LEVEL SERIALIZABLE"]);
    run(&mut first, &["SELECT * FROM t", "INSERT INTO u VALUES (1)"]);
    run(&mut second, &["DELETE FROM t WHERE k = 1"]);
    let message =
        "40001 could not serialize access due to read/write dependencies among transactions";
    assert_eq!(error(&mut first, "COMMIT"), message);
    run(&mut first, &["BEGIN", "SELECT * FROM t", "COMMIT"]);
}
