//! What EXPLAIN estimates, mostly after ANALYZE, on tables whose contents are known.

use crate::support::{connect, pages_loaded, run};
use damask::{Configuration, Connection, Database, DatabaseOptions};
use damask_storage::Env;
use damask_storage::vfs::SimVfs;
use std::path::Path;
use std::sync::Arc;

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

/// A table of 3,600 pages, none of which is in memory.
fn cold_table(shared_buffers: &str) -> (Database, Connection) {
    let env = Env::simulated(Arc::new(SimVfs::default()), 1);
    let mut configuration = Configuration::default();
    configuration.set("shared_buffers", shared_buffers).expect("the setting is taken");
    let options = DatabaseOptions { configuration, ..DatabaseOptions::default() };
    let open = || {
        let database = Database::open_in(env.clone(), Some(Path::new("/db")), options.clone());
        let database = database.expect("it opens");
        let connection = database.connect().expect("a connection opens");
        (database, connection)
    };
    let (database, mut connection) = open();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY, ten int, pad text)",
            "INSERT INTO t SELECT i, i % 10, repeat('x', 1300) FROM generate_series(1, 40000) AS g(i)",
        ],
    );
    drop(connection);
    database.close().expect("it closes");
    open()
}

/// The pages read for an estimate, which has to be near.
fn read_for_estimate(connection: &mut Connection) -> u64 {
    let before = pages_loaded(connection);
    expect_near(connection, "SELECT * FROM t WHERE ten = 3", 4000.0);
    pages_loaded(connection) - before
}

/// An estimate reads pages of some of the next 1,024 rows.
#[track_caller]
fn expect_a_part_is_read(connection: &mut Connection) {
    let read = read_for_estimate(connection);
    assert!((512..=1024).contains(&read), "{read} pages");
}

/// The first statement after a start reads a thousand pages for its estimates, not one for each of eight thousand rows.
#[test]
fn a_sample_of_a_cold_table_is_drawn_bit_by_bit() {
    let (_database, mut connection) = cold_table("64MB");
    expect_a_part_is_read(&mut connection);
    expect_a_part_is_read(&mut connection);
    let before = pages_loaded(&mut connection);
    run(&mut connection, &["ANALYZE t"]);
    let read = pages_loaded(&mut connection) - before;
    assert!(read > 1000, "{read} pages");
    assert_eq!(read_for_estimate(&mut connection), 0);
}

/// Where the pages do not stay in memory, there is no getting further.
#[test]
fn a_sample_of_a_table_larger_than_the_pool_is_left_at_that() {
    let (_database, mut connection) = cold_table("8MB");
    expect_a_part_is_read(&mut connection);
    expect_a_part_is_read(&mut connection);
    assert_eq!(read_for_estimate(&mut connection), 0);
}
