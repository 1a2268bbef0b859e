//! Temporary relations among sessions, and what is left of them.

use crate::support::{Folder, connect, error, rows, run};

const SCHEMAS: &str = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg\\_temp\\_%'";

#[test]
fn each_session_has_its_own() {
    let (database, mut one) = connect();
    let mut two = database.connect().expect("a second connection opens");
    run(&mut one, &["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"]);
    // Both sessions use one plan cache: the text means another table in each.
    for connection in [&mut one, &mut two] {
        assert_eq!(rows(connection, "SELECT a FROM t"), "1");
    }
    run(&mut one, &["CREATE TEMP TABLE t (a int)", "INSERT INTO t VALUES (2)"]);
    assert_eq!(rows(&mut one, "SELECT a FROM t"), "2");
    assert_eq!(rows(&mut two, "SELECT a FROM t"), "1");
    run(&mut two, &["CREATE TEMP TABLE t (a int)", "INSERT INTO t VALUES (3)"]);
    assert_eq!(rows(&mut one, "SELECT a FROM t"), "2");
    assert_eq!(rows(&mut two, "SELECT a FROM t"), "3");
    let schema = rows(&mut one, "SELECT pg_my_temp_schema()::regnamespace::text");
    assert_eq!(
        error(&mut two, &format!("SELECT a FROM {schema}.t")),
        "0A000 cannot access temporary tables of other sessions"
    );
    assert_eq!(
        error(&mut two, &format!("CREATE TABLE {schema}.u (a int)")),
        "42P16 cannot create relations in temporary schemas of other sessions"
    );
    assert_eq!(rows(&mut two, SCHEMAS), "2");
    drop(one);
    assert_eq!(rows(&mut two, SCHEMAS), "1");
    run(&mut two, &["DROP TABLE t"]);
    assert_eq!(rows(&mut two, "SELECT a FROM t"), "1");
}

#[test]
fn a_rollback_takes_the_schema_along() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["BEGIN", "SAVEPOINT s", "CREATE TEMP TABLE t (a int)", "ROLLBACK TO s"]);
    assert_eq!(rows(&mut connection, SCHEMAS), "0");
    run(&mut connection, &["CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS"]);
    run(&mut connection, &["INSERT INTO t VALUES (1)", "COMMIT"]);
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "0");
    assert_eq!(rows(&mut connection, SCHEMAS), "1");
}

#[test]
fn nothing_is_left_after_a_crash() {
    let folder = Folder::new("temporary");
    {
        let database = folder.open();
        let mut connection = database.connect().expect("a connection opens");
        run(
            &mut connection,
            &[
                "CREATE TEMP TABLE p (a serial PRIMARY KEY)",
                "CREATE TEMP TABLE c (a int REFERENCES p)",
                "CREATE VIEW v AS SELECT * FROM c",
                "INSERT INTO p DEFAULT VALUES",
            ],
        );
        database.close().expect("it closes");
        // The session's end comes too late to drop them, as if the process had died.
        drop(connection);
    }
    let database = folder.open();
    let mut connection = database.connect().expect("a connection opens");
    assert_eq!(rows(&mut connection, SCHEMAS), "0");
    let mine = "SELECT count(*) FROM pg_class WHERE oid >= 16384";
    assert_eq!(rows(&mut connection, mine), "0");
    database.close().expect("it closes");
}
