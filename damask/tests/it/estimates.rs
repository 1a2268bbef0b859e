//! What EXPLAIN estimates after ANALYZE, on tables whose contents are known.

use crate::support::{connect, run};
use damask::Connection;

/// The rows that the plan of a query is estimated to give.
fn estimated(connection: &mut Connection, query: &str) -> f64 {
    let plan = connection.query(&format!("EXPLAIN {query}"), &[]).expect("it has a plan");
    let top: String = plan.get(0, 0).expect("a line");
    let rows = top.split("rows=").nth(1).and_then(|rest| rest.split(' ').next());
    rows.and_then(|rows| rows.parse().ok()).unwrap_or_else(|| panic!("no rows in {top}"))
}

#[track_caller]
fn expect_near(connection: &mut Connection, query: &str, actual: f64) {
    let rows = estimated(connection, query);
    let is_near = rows >= actual * 0.7 - 1.0 && rows <= actual * 1.4 + 1.0;
    assert!(is_near, "{query}: {rows} estimated, {actual} there");
}

#[test]
fn conditions_are_run_on_a_sample() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (id int PRIMARY KEY, ten int, half int, word text, d date)",
            "INSERT INTO t SELECT i, i % 10, CASE WHEN i % 2 = 0 THEN i END,
                 CASE WHEN i % 4 = 0 THEN 'special' ELSE 'plain ' || i END, date '2020-01-01' + i % 1000
             FROM generate_series(1, 20000) i",
            "ANALYZE",
        ],
    );
    for (condition, actual) in [
        ("ten = 3", 2000.0),
        ("ten IN (1, 2)", 4000.0),
        ("ten <> 3", 18_000.0),
        ("half IS NULL", 10_000.0),
        ("word LIKE 'spec%'", 5000.0),
        ("d < date '2020-01-01' + 250", 5000.0),
        ("ten + 1 = 4", 2000.0),
        // The second follows from the first, which multiplied shares would not see.
        ("ten = 4 AND half IS NOT NULL", 2000.0),
        ("ten = 1 OR ten = 2", 4000.0),
        ("id = 77", 1.0),
    ] {
        expect_near(&mut connection, &format!("SELECT * FROM t WHERE {condition}"), actual);
    }
    expect_near(&mut connection, "SELECT ten FROM t GROUP BY ten", 10.0);
    expect_near(&mut connection, "SELECT * FROM t a JOIN t b ON a.id = b.id", 20_000.0);
}

#[test]
fn analyze_sees_what_the_table_has_become() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int)",
            "INSERT INTO t SELECT 1 FROM generate_series(1, 1000)",
            "ANALYZE t",
        ],
    );
    expect_near(&mut connection, "SELECT * FROM t WHERE a = 1", 1000.0);
    // The count stays, so that only ANALYZE makes the sample anew.
    run(&mut connection, &["UPDATE t SET a = 2", "ANALYZE t"]);
    expect_near(&mut connection, "SELECT * FROM t WHERE a = 2", 1000.0);
    expect_near(&mut connection, "SELECT * FROM t WHERE a = 1", 0.0);
}
