//! Tables, constraints, views, sequences.

use crate::support::{connect, error, rows, run};

#[test]
fn constraints_hold() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE p (id int PRIMARY KEY, name text UNIQUE NOT NULL)",
            "CREATE TABLE c (id serial, p int REFERENCES p ON DELETE CASCADE, n int CHECK (n > 0))",
            "INSERT INTO p VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO c (p, n) VALUES (1, 5), (2, 6)",
        ],
    );
    for (statement, expected) in [
        (
            "INSERT INTO p VALUES (3, NULL)",
            "23502 null value in column \"name\" of relation \"p\" violates not-null constraint",
        ),
        (
            "INSERT INTO p VALUES (3, 'a')",
            "23505 duplicate key value violates unique constraint \"p_name_key\"",
        ),
        (
            "INSERT INTO c (p, n) VALUES (9, 1)",
            "23503 insert or update on table \"c\" violates foreign key constraint \"c_p_fkey\"",
        ),
        (
            "INSERT INTO c (p, n) VALUES (1, 0)",
            "23514 new row for relation \"c\" violates check constraint \"c_n_check\"",
        ),
        ("DROP TABLE p", "2BP01 cannot drop table p because other objects depend on it"),
        ("TRUNCATE p", "0A000 cannot truncate a table referenced in a foreign key constraint"),
    ] {
        assert_eq!(error(&mut connection, statement), expected, "{statement}");
    }
    run(&mut connection, &["DELETE FROM p WHERE id = 1"]);
    assert_eq!(rows(&mut connection, "SELECT id, p, n FROM c"), "2|2|6");
    run(&mut connection, &["DROP TABLE p CASCADE"]);
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM c"), "1");
}

#[test]
fn tables_change() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int, b text)",
            "INSERT INTO t VALUES (1, '10'), (2, '20')",
            "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 3",
            "ALTER TABLE t RENAME COLUMN a TO x",
            "ALTER TABLE t DROP COLUMN b",
            "ALTER TABLE t ALTER COLUMN c SET DEFAULT 4",
            "INSERT INTO t (x) VALUES (3)",
        ],
    );
    assert_eq!(rows(&mut connection, "SELECT * FROM t ORDER BY x"), "1|3;2|3;3|4");
    assert_eq!(
        error(&mut connection, "ALTER TABLE t ADD CHECK (c > 3)"),
        "23514 check constraint \"t_c_check\" of relation \"t\" is violated by some row"
    );
    assert_eq!(
        error(&mut connection, "ALTER TABLE t ADD COLUMN d int NOT NULL"),
        "23502 column \"d\" of relation \"t\" contains null values"
    );
}

#[test]
fn types_change_with_their_rows() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY, b text, c int)",
            "CREATE INDEX t_b ON t (b)",
            "INSERT INTO t VALUES (1, '10', 5), (2, '20', 6)",
            "ALTER TABLE t DROP COLUMN c",
            "ALTER TABLE t ALTER COLUMN b TYPE int USING b::int + 1",
        ],
    );
    assert_eq!(rows(&mut connection, "SELECT a, b + 1 FROM t WHERE b = 21"), "2|22");
    run(
        &mut connection,
        &["ALTER TABLE t ALTER COLUMN a TYPE bigint", "INSERT INTO t VALUES (5000000000, 1)"],
    );
    assert_eq!(rows(&mut connection, "SELECT a FROM t ORDER BY a"), "1;2;5000000000");
    assert_eq!(
        error(&mut connection, "ALTER TABLE t ALTER COLUMN b TYPE date"),
        "42804 column \"b\" cannot be cast automatically to type date"
    );
}

#[test]
fn views_and_sequences() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int)",
            "INSERT INTO t VALUES (1), (2)",
            "CREATE VIEW v AS SELECT a * 2 AS twice FROM t",
            "CREATE SEQUENCE s START 10 INCREMENT 5",
        ],
    );
    assert_eq!(rows(&mut connection, "SELECT twice FROM v ORDER BY 1"), "2;4");
    assert_eq!(rows(&mut connection, "SELECT nextval('s'), nextval('s')"), "10|15");
    assert_eq!(
        error(&mut connection, "DROP TABLE t"),
        "2BP01 cannot drop table t because other objects depend on it"
    );
    run(&mut connection, &["DROP TABLE t CASCADE"]);
    assert_eq!(error(&mut connection, "SELECT * FROM v"), "42P01 relation \"v\" does not exist");
}

#[test]
fn tables_from_queries() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t AS SELECT g AS a, g::text AS b FROM generate_series(1, 2500) g",
            "SELECT a INTO u FROM t WHERE a <= 10",
        ],
    );
    assert_eq!(rows(&mut connection, "SELECT count(*), max(a) FROM t"), "2500|2500");
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM u"), "10");
}
