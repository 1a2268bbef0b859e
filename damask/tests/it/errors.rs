//! Errors carry PostgreSQL's codes and places; COPY says where.

use crate::support::{connect, error, open, pages_loaded, rows, run, show};

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

/// Rows whose keys come in no order are inserted in that of their keys, and gathered for that if the pool is small; what one violates is told with its own line.
#[test]
fn a_copy_names_the_line_of_the_row_that_is_wrong() {
    let database = open(None, &[("shared_buffers", "1MB")]);
    let mut connection = database.connect().expect("a connection opens");
    run(
        &mut connection,
        &["CREATE TABLE t (a int PRIMARY KEY, b int CHECK (b < 100), c int UNIQUE)"],
    );
    let mut failure = |data: &str| {
        let error = connection.copy_in("COPY t FROM STDIN", data.as_bytes()).expect_err("wrong");
        (show(&error), error.fields().context.clone().expect("COPY says where"))
    };
    let key = "23505 duplicate key value violates unique constraint \"t_pkey\"";
    let unique = "23505 duplicate key value violates unique constraint \"t_c_key\"";
    let check = "23514 new row for relation \"t\" violates check constraint \"t_b_check\"";
    let null = "23502 null value in column \"a\" of relation \"t\" violates not-null constraint";
    for (data, message, line) in [
        ("5\t1\t1\n3\t1\t2\n9\t1\t3\n3\t1\t4\n1\t1\t5\n", key, 4),
        ("5\t1\t1\n3\t1\t2\n9\t100\t3\n2\t1\t4\n", check, 3),
        ("5\t1\t1\n3\t1\t2\n5\t1\t9\n9\t100\t3\n2\t1\t4\n", key, 3),
        ("5\t1\t1\n3\t1\t2\n\\N\t1\t3\n2\t1\t4\n", null, 3),
        ("5\t1\t1\n3\t1\t2\n9\t1\t1\n2\t1\t4\n", unique, 3),
    ] {
        assert_eq!(failure(data), (message.to_owned(), format!("COPY t, line {line}")), "{data}");
    }
    // Through many tiles, in no order: the row that comes a second time, not the one that does in the order of the keys.
    let row = |i: u32| format!("{}\t1\t{i}\n", i * 7_919 % 30_011);
    let twice = |i: u32| format!("{}\t1\t{}\n", i * 7_919 % 30_011, 100_000 + i);
    let data: Vec<String> = (0..20_000)
        .map(row)
        .chain([twice(900), twice(7)])
        .chain((20_000..25_000).map(row))
        .collect();
    let error = failure(&data.concat());
    assert_eq!(error, (key.to_owned(), "COPY t, line 20001".to_owned()));
    let good: String = (0..25_000).map(row).collect();
    let copied = connection.copy_in("COPY t FROM STDIN", good.as_bytes()).expect("they go in");
    assert_eq!(copied, 25_000);
    let sums = "SELECT count(*), sum(a::bigint), sum(c::bigint), count(DISTINCT c) FROM t";
    let keys: u64 = (0..25_000_u64).map(|i| i * 7_919 % 30_011).sum();
    assert_eq!(rows(&mut connection, sums), format!("25000|{keys}|312487500|25000"));
}

/// References of a table to itself are looked at when all rows of a copy are there.
#[test]
fn a_copy_may_have_rows_that_reference_later_ones() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE other (k int PRIMARY KEY)",
            "INSERT INTO other VALUES (1)",
            "CREATE TABLE t (k int PRIMARY KEY, next int REFERENCES t, o int REFERENCES other)",
        ],
    );
    let data = |last: u32, other: u32| -> String {
        let row = |k: u32| {
            let next = if k < 3000 { k + 1 } else { last };
            format!("{k}\t{next}\t{}\n", if k == 10 { other } else { 1 })
        };
        (1..=3000).map(row).collect()
    };
    let mut copy = |data: String| connection.copy_in("COPY t FROM STDIN", data.as_bytes());
    for (data, constraint) in [(data(3001, 1), "t_next_fkey"), (data(1, 2), "t_o_fkey")] {
        let failure = copy(data).expect_err("a row is missing");
        assert_eq!(failure.fields().constraint.as_deref(), Some(constraint));
    }
    assert_eq!(copy(data(1, 1)).expect("each has its next one"), 3000);
    assert_eq!(rows(&mut connection, "SELECT count(*), sum(next) FROM t"), "3000|4501500");
}

/// An insertion gathers rows likewise: with as little memory as it may have it inserts them in parts.
#[test]
fn an_insertion_in_no_order_tells_what_comes_first() {
    let database = open(None, &[("shared_buffers", "1MB")]);
    let mut connection = database.connect().expect("a connection opens");
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY, b text)"]);
    let of = |up_to: u32, what: &str| {
        format!(
            "INSERT INTO t SELECT i * 7919 % 30011, repeat('x', 100) || {what} \
             FROM generate_series(1, {up_to}) i"
        )
    };
    let key = "23505 duplicate key value violates unique constraint \"t_pkey\"";
    let mut loaded = vec![];
    for memory in ["64MB", "64kB"] {
        run(&mut connection, &[&format!("SET work_mem = '{memory}'")]);
        // Row 30,012 has the key of row 1.
        assert_eq!(error(&mut connection, &of(30_020, "''")), key);
        // A value that cannot be had comes after that.
        assert_eq!(error(&mut connection, &of(33_000, "1 / (32000 - i)")), key);
        assert_eq!(
            error(&mut connection, &of(30_020, "1 / (20000 - i)")),
            "22012 division by zero"
        );
        assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "0");
        let before = pages_loaded(&mut connection);
        run(&mut connection, &[&of(30_000, "''")]);
        loaded.push(pages_loaded(&mut connection) - before);
        assert_eq!(
            rows(&mut connection, "SELECT count(*), min(a), max(a) FROM t"),
            "30000|1|30010"
        );
        run(&mut connection, &["TRUNCATE t"]);
    }
    assert!(loaded[0] * 5 < loaded[1], "pages loaded with more memory and with less: {loaded:?}");
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
