//! Values in and out of the embedded API.

use crate::support::{connect, run};
use damask::{SqlState, Value, params};
use std::fmt::Write;

#[test]
fn parameters_take_the_statements_types() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a smallint, b int, c bigint, d numeric, e float8, f date, g text, h uuid)",
        ],
    );
    let insert = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let values = params![7i64, 8i16, 9, 10, 11, "2026-02-28", "text", uuid];
    connection.query(insert, &values).expect("each value fits its column");
    let values = params!["-7", "-8", "-9", "1.50", "2.5", "infinity", "", Option::<&str>::None];
    connection.query(insert, &values).expect("text is read as the column's type");
    let rows = connection
        .query("SELECT a, b, c, d::text, e, f::text, g, h::text FROM t ORDER BY a DESC", &[])
        .expect("they are there");
    assert_eq!(rows.get::<i16>(0, "a").expect("int2"), 7);
    assert_eq!(rows.get::<i64>(0, "c").expect("int8"), 9);
    assert_eq!(rows.get::<f64>(0, "e").expect("float8"), 11.0);
    assert_eq!(rows.get::<String>(0, "f").expect("date"), "2026-02-28");
    assert_eq!(rows.get::<String>(0, "h").expect("uuid"), uuid);
    assert_eq!(rows.get::<String>(1, "d").expect("numeric"), "1.50");
    assert_eq!(rows.get::<Option<String>>(1, "h").expect("null"), None);
}

#[test]
fn values_that_do_not_fit_are_errors() {
    let (_database, mut connection) = connect();
    let mut state = |sql: &str, params: &[Value]| {
        connection.query(sql, params).expect_err("it does not fit").sqlstate()
    };
    assert_eq!(state("SELECT $1::int2", &params![70_000]), SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    assert_eq!(state("SELECT $1::int4", &params![true]), SqlState::DATATYPE_MISMATCH);
    assert_eq!(state("SELECT $1::int4", &params![1.5]), SqlState::DATATYPE_MISMATCH);
    assert_eq!(state("SELECT $1::timestamp", &[Value::Date(1)]), SqlState::DATATYPE_MISMATCH);
    assert_eq!(state("SELECT $1::int4", &params!["x"]), SqlState::INVALID_TEXT_REPRESENTATION);
    assert_eq!(state("SELECT $1::int4", &[]), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(connection.query("SELECT 1", &[]).expect("it goes on").len(), 1);
}

#[test]
fn columns_have_names() {
    let (_database, mut connection) = connect();
    let rows = connection.query("SELECT 1 AS a, 2 AS b, 3 AS b", &[]).expect("a row");
    assert_eq!(rows.get::<i32>(0, "a").expect("there is one"), 1);
    assert_eq!(rows.get::<i32>(0, 2).expect("by number"), 3);
    let state = |column: &str| rows.get::<i32>(0, column).expect_err("not one").sqlstate();
    assert_eq!(state("b"), SqlState::AMBIGUOUS_COLUMN);
    assert_eq!(state("c"), SqlState::UNDEFINED_COLUMN);
    assert_eq!(
        rows.get::<i32>(0, 3).expect_err("no such number").sqlstate(),
        SqlState::UNDEFINED_COLUMN
    );
}

#[test]
fn results_are_record_batches_of_one_schema() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (id int PRIMARY KEY, name text, price numeric)",
            "INSERT INTO t SELECT i, 'name ' || i, i / (CASE WHEN i > 2000 THEN 8.0 ELSE 1 END) FROM generate_series(1, 3000) i",
        ],
    );
    let batches = connection.query_arrow("SELECT * FROM t ORDER BY id", &[]).expect("batches");
    assert_eq!(batches.iter().map(damask::RecordBatch::num_rows).sum::<usize>(), 3000);
    assert!(batches.iter().all(|batch| batch.schema() == batches[0].schema()));
    let names: Vec<String> =
        batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["id", "name", "price"]);
    let none = connection.query_arrow("SELECT * FROM t WHERE id = $1", &params![0]).expect("none");
    assert_eq!((none.len(), none[0].num_rows(), none[0].num_columns()), (1, 0, 3));
}

#[test]
fn copy_reads_nulls_as_its_options_say() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a text, b text, c text)"]);
    let options = "(FORMAT csv, NULL 'x', FORCE_NULL (b), FORCE_NOT_NULL (c))";
    let copied =
        connection.copy_in(&format!("COPY t FROM STDIN WITH {options}"), b"\"x\",\"x\",x\n");
    assert_eq!(copied.expect("the data is good"), 1);
    let rows = connection.query("SELECT a, b, c FROM t", &[]).expect("it is there");
    let text = |column: &str| rows.get::<Option<String>>(0, column).expect("text or null");
    assert_eq!((text("a"), text("b"), text("c")), (Some("x".into()), None, Some("x".into())));
    let mut state = |names: &str, column: &str| {
        let copy = format!("COPY t ({names}) FROM STDIN WITH (FORMAT csv, FORCE_NULL ({column}))");
        connection.copy_in(&copy, b"").expect_err("no such column").sqlstate()
    };
    assert_eq!(state("a", "d"), SqlState::UNDEFINED_COLUMN);
    assert_eq!(state("a", "b"), SqlState::INVALID_COLUMN_REFERENCE);
}

#[test]
fn copy_says_where_text_is_broken() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a int, b text, c varchar(3))"]);
    let mut failure = |data: &[u8]| {
        let error = connection.copy_in("COPY t FROM STDIN", data).expect_err("it is broken");
        (error.sqlstate(), error.fields().context.clone().expect("COPY says where"))
    };
    let invalid = SqlState::CHARACTER_NOT_IN_REPERTOIRE;
    for (data, state, column) in [
        (&b"1\tgood\tx\n2\tb\xc3\tx\n"[..], invalid, "b: \"b\u{fffd}\""),
        // Halves of one character on both sides of a delimiter are no character.
        (b"1\tgood\tx\n2\tb\xc3\t\xa9\n", invalid, "b: \"b\u{fffd}\""),
        (b"1\tgood\tx\n2\tb\0d\tx\n", invalid, "b: \"b\0d\""),
        (b"1\tgood\tx\n2\tb\\xffd\tx\n", invalid, "b: \"b\u{fffd}d\""),
        // The first column that is wrong counts, whatever comes behind it.
        (b"1\tgood\tx\ntwo\tb\xff\tx\n", SqlState::INVALID_TEXT_REPRESENTATION, "a: \"two\""),
        (
            "1\tgood\tx\n2\té\tlong\n".as_bytes(),
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            "c: \"long\"",
        ),
    ] {
        assert_eq!(failure(data), (state, format!("COPY t, line 2, column {column}")));
    }
    assert_eq!(connection.query("SELECT * FROM t", &[]).expect("nothing stays").len(), 0);
}

#[test]
fn copied_text_is_as_long_as_its_column_says() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (a varchar(3), b char(3), c varchar, d char, e name)"]);
    let data = "abc\tabc\tlong\tx\tn\nééé\téé\té\té\té\nabc   \tabc   \t\tx  \tn\n\\N\t\t\\N\t\t\n";
    assert_eq!(connection.copy_in("COPY t FROM STDIN", data.as_bytes()).expect("it fits"), 4);
    let rows = connection
        .query("SELECT concat_ws('|', a, octet_length(b), b, c, d, e) FROM t", &[])
        .expect("they are there");
    let shown: Vec<String> = (0..4).map(|row| rows.get(row, 0).expect("text")).collect();
    assert_eq!(shown, ["abc|3|abc|long|x|n", "ééé|5|éé |é|é|é", "abc|3|abc||x|n", "3|   | |"]);
}

/// Rows of a table with columns that were dropped and added, longer than a page, with the short and the wide form of offsets.
#[test]
fn copied_rows_come_back() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (gone text, a int PRIMARY KEY, b bytea, c text[], d numeric, e timestamp)",
            "ALTER TABLE t DROP COLUMN gone",
            "ALTER TABLE t ADD COLUMN f text DEFAULT 'f'",
        ],
    );
    let len = |i: usize| if i.is_multiple_of(500) { 70_000 } else { 1 + i % 50 };
    let mut data = String::new();
    for i in 0..3000 {
        let text = "x".repeat(len(i));
        let fixed = format!("{i}\t\\\\x{i:04x}\t{{{text},y}}\t{i}.5\t2026-01-02 03:04:05");
        writeln!(data, "{fixed}\t{text}").expect("strings take all");
    }
    assert_eq!(connection.copy_in("COPY t FROM STDIN", data.as_bytes()).expect("good data"), 3000);
    let rows = connection
        .query(
            "SELECT concat_ws('|', count(*), sum(a), sum(d), sum(length(f)), min(e), max(c[2]), \
             count(*) FILTER (WHERE f = c[1] AND get_byte(b, 1) = a % 256)) FROM t",
            &[],
        )
        .expect("they are there");
    let chars: usize = (0..3000).map(len).sum();
    assert_eq!(
        rows.get::<String>(0, 0).expect("text"),
        format!("3000|4498500|4500000.0|{chars}|2026-01-02 03:04:05|y|3000")
    );
}
