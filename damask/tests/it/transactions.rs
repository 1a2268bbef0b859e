//! Blocks, savepoints, what rolls back.

use crate::support::{connect, error, rows, run};

const ABORTED: &str =
    "25P02 current transaction is aborted, commands ignored until end of transaction block";

#[test]
fn a_failed_block_takes_nothing_until_it_ends() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &["CREATE TABLE t (a int PRIMARY KEY)", "BEGIN", "INSERT INTO t VALUES (1)"],
    );
    let duplicate = error(&mut connection, "INSERT INTO t VALUES (1)");
    assert_eq!(duplicate, "23505 duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!(error(&mut connection, "SELECT 1"), ABORTED);
    run(&mut connection, &["COMMIT"]);
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "0");
}

#[test]
fn savepoints_nest() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int)",
            "BEGIN",
            "INSERT INTO t VALUES (1)",
            "SAVEPOINT s",
            "INSERT INTO t VALUES (2)",
            "SAVEPOINT s",
            "INSERT INTO t VALUES (3)",
            "ROLLBACK TO s",
            "RELEASE s",
            "ROLLBACK TO s",
            "INSERT INTO t VALUES (4)",
        ],
    );
    assert_eq!(error(&mut connection, "SELECT 1/0"), "22012 division by zero");
    run(&mut connection, &["ROLLBACK TO s", "INSERT INTO t VALUES (5)", "COMMIT"]);
    assert_eq!(rows(&mut connection, "SELECT a FROM t ORDER BY a"), "1;5");
}

#[test]
fn definitions_and_settings_roll_back() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &["BEGIN", "CREATE TABLE t (a int)", "SET statement_timeout = 1000", "ROLLBACK"],
    );
    assert_eq!(error(&mut connection, "SELECT * FROM t"), "42P01 relation \"t\" does not exist");
    assert_eq!(rows(&mut connection, "SHOW statement_timeout"), "0");
    run(&mut connection, &["BEGIN", "SET LOCAL statement_timeout = 1000"]);
    assert_eq!(rows(&mut connection, "SHOW statement_timeout"), "1s");
    run(&mut connection, &["COMMIT"]);
    assert_eq!(rows(&mut connection, "SHOW statement_timeout"), "0");
}

#[test]
fn read_only_transactions_do_not_write() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a int)", "BEGIN READ ONLY"]);
    assert_eq!(
        error(&mut connection, "INSERT INTO t VALUES (1)"),
        "25006 cannot execute INSERT in a read-only transaction"
    );
    run(&mut connection, &["ROLLBACK", "BEGIN READ ONLY"]);
    assert_eq!(
        error(&mut connection, "CREATE TABLE u (a int)"),
        "25006 cannot execute CREATE TABLE in a read-only transaction"
    );
}

#[test]
fn two_connections_see_commits_only() {
    let (database, mut one) = connect();
    let mut two = database.connect().expect("a second connection opens");
    run(&mut one, &["CREATE TABLE t (a int)", "BEGIN", "INSERT INTO t VALUES (1)"]);
    assert_eq!(rows(&mut two, "SELECT count(*) FROM t"), "0");
    run(&mut two, &["BEGIN ISOLATION LEVEL REPEATABLE READ"]);
    assert_eq!(rows(&mut two, "SELECT count(*) FROM t"), "0");
    run(&mut one, &["COMMIT"]);
    assert_eq!(rows(&mut two, "SELECT count(*) FROM t"), "0");
    run(&mut two, &["COMMIT"]);
    assert_eq!(rows(&mut two, "SELECT count(*) FROM t"), "1");
}

#[test]
fn guards_roll_back_when_dropped() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a int)"]);
    {
        let mut transaction = connection.transaction().expect("a transaction begins");
        transaction.execute("INSERT INTO t VALUES (1)").expect("a row goes in");
    }
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "0");
    let mut transaction = connection.transaction().expect("a transaction begins");
    transaction.execute("INSERT INTO t VALUES (1)").expect("a row goes in");
    transaction.commit().expect("it commits");
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "1");
}

#[test]
fn cursors_go_forward_and_hold() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int)",
            "INSERT INTO t SELECT * FROM generate_series(1, 3000)",
            "BEGIN",
            "DECLARE c CURSOR FOR SELECT a FROM t ORDER BY a",
            "DECLARE h CURSOR WITH HOLD FOR SELECT a FROM t ORDER BY a DESC",
        ],
    );
    assert_eq!(rows(&mut connection, "FETCH 2 FROM c"), "1;2");
    run(&mut connection, &["MOVE 1200 IN c"]);
    assert_eq!(rows(&mut connection, "FETCH c"), "1203");
    run(&mut connection, &["COMMIT"]);
    assert_eq!(rows(&mut connection, "FETCH 2 FROM h"), "3000;2999");
    assert_eq!(error(&mut connection, "FETCH c"), "34000 cursor \"c\" does not exist");
}

#[test]
fn prepared_statements_follow_the_catalog() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY, b text)",
            "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
            "PREPARE p (int) AS SELECT b FROM t WHERE a = $1",
        ],
    );
    assert_eq!(rows(&mut connection, "EXECUTE p (2)"), "two");
    run(&mut connection, &["CREATE INDEX ON t (b)", "ALTER TABLE t ADD COLUMN c int DEFAULT 7"]);
    assert_eq!(rows(&mut connection, "EXECUTE p (1)"), "one");
    assert_eq!(rows(&mut connection, "SELECT c FROM t"), "7;7");
    run(&mut connection, &["DEALLOCATE p"]);
    assert_eq!(
        error(&mut connection, "EXECUTE p (1)"),
        "26000 prepared statement \"p\" does not exist"
    );
}
