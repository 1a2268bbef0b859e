//! Errors carry PostgreSQL's codes and places; COPY says where.

use crate::support::{connect, error, rows, run, show};

#[test]
fn positions_point_into_the_text() {
    let (_database, mut connection) = connect();
    let failure = connection.execute("SELECT nothing").expect_err("there is no such column");
    assert_eq!(show(&failure), "42703 column \"nothing\" does not exist");
    assert_eq!(failure.position().map(|position| position.0), Some(7));
    let failure = connection.execute("SELECT 1 +").expect_err("it is no SQL");
    assert_eq!(show(&failure), "42601 syntax error at end of input");
}

#[test]
fn copy_takes_rows_and_says_what_is_wrong() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a int, b text)"]);
    let copied = connection.copy_in("COPY t FROM STDIN", b"1\tone\n2\t\\N\n").expect("rows go in");
    assert_eq!(copied, 2);
    let copied = connection
        .copy_in("COPY t (b, a) FROM STDIN (FORMAT csv, HEADER)", b"b,a\n\"x,y\",3\n")
        .expect("rows go in");
    assert_eq!(copied, 1);
    assert_eq!(rows(&mut connection, "SELECT a, b FROM t ORDER BY a"), "1|one;2|null;3|x,y");
    let failure =
        connection.copy_in("COPY t FROM STDIN", b"4\tx\nfive\ty\n").expect_err("five is no number");
    assert_eq!(show(&failure), "22P02 invalid input syntax for type integer: \"five\"");
    assert_eq!(failure.fields().context.as_deref(), Some("COPY t, line 2, column a: \"five\""));
    let failure = connection.copy_in("COPY t FROM STDIN", b"4\n").expect_err("b is missing");
    assert_eq!(show(&failure), "22P04 missing data for column \"b\"");
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "3");
}

/// Wide rows of a copy are not gathered: they go in as they come, so what the first violates is told before what is wrong further on.
#[test]
fn wide_rows_of_a_copy_go_in_as_they_come() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY, b text)"]);
    let wide = "x".repeat(9_000_000);
    let data = format!("1\t{wide}\n1\t{wide}\nmissing\n");
    let failure = connection.copy_in("COPY t FROM STDIN", data.as_bytes()).expect_err("both are 1");
    assert_eq!(show(&failure), "23505 duplicate key value violates unique constraint \"t_pkey\"");
    let data = data.replacen('1', "2", 1).replace("missing\n", "");
    assert_eq!(connection.copy_in("COPY t FROM STDIN", data.as_bytes()).expect("rows go in"), 2);
    assert_eq!(rows(&mut connection, "SELECT a, length(b) FROM t"), "1|9000000;2|9000000");
}

#[test]
fn what_is_not_there_says_so() {
    let (_database, mut connection) = connect();
    for statement in ["CREATE DATABASE d", "CREATE TYPE t AS ENUM ('a')", "CREATE EXTENSION e"] {
        assert!(error(&mut connection, statement).starts_with("0A000"), "{statement}");
    }
}

#[test]
fn names_of_relations_that_commands_are_about_have_no_position() {
    let (_database, mut connection) = connect();
    let statements = [
        "CREATE INDEX ON nothing (a)",
        "ALTER TABLE nothing ADD COLUMN a int",
        "TRUNCATE nothing",
        "DROP TABLE nothing",
        "DROP INDEX nothing",
        "COMMENT ON TABLE nothing IS 'x'",
        "CREATE TABLE t (a int REFERENCES nothing)",
        "REINDEX TABLE nothing",
        "VACUUM nothing",
        "BEGIN; LOCK TABLE nothing",
    ];
    for statement in statements {
        let failure = connection.execute(statement).expect_err("there is nothing");
        assert_eq!(failure.fields().position.map(|at| at.0), None, "{statement}");
        let _ = connection.execute("ROLLBACK");
    }
    let failure = connection.execute("SELECT * FROM nothing").expect_err("there is nothing");
    assert_eq!(failure.fields().position.map(|at| at.0), Some(14));
}
