//! Values in and out of the embedded API.

use crate::support::{connect, run};
use damask::{SqlState, Value, params};

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
