//! `work_mem`: statements give the same rows when their operators go to disk, and EXPLAIN ANALYZE says that they did.

use crate::support::{connect, rows, run};
use damask::Connection;

/// A database with two tables of some 20,000 rows.
fn filled() -> (damask::Database, Connection) {
    let (database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int, b int, c text, n numeric)",
            "INSERT INTO t SELECT i, i * 7919 % 5003, 'text number ' || i % 977, i / 4.0
             FROM generate_series(1, 20000) i",
            "INSERT INTO t VALUES (NULL, NULL, NULL, NULL), (NULL, 5, 'x', 'NaN')",
            "CREATE TABLE u (a int, d text[])",
            "INSERT INTO u SELECT i * 3, ARRAY['x', i::text, NULL] FROM generate_series(1, 15000) i",
            "INSERT INTO u VALUES (NULL, NULL)",
        ],
    );
    (database, connection)
}

/// The lines of EXPLAIN ANALYZE, without times.
fn explain(connection: &mut Connection, query: &str) -> String {
    let query = format!("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {query}");
    rows(connection, &query).replace(';', "\n")
}

/// Of every result a count and sums that change with any row, or the rows themselves.
const QUERIES: &[&str] = &[
    "SELECT md5(string_agg(a::text, ',')) FROM (SELECT a FROM t ORDER BY c DESC, n, a) s",
    "SELECT a, c FROM t ORDER BY n DESC NULLS LAST, a LIMIT 3 OFFSET 15000",
    "SELECT count(*), sum(k), sum(m), sum(d), min(s) FROM (SELECT b, count(*) AS k, max(a) AS m,
     count(DISTINCT c) AS d, string_agg(c, ',' ORDER BY a DESC) AS s FROM t GROUP BY b) g",
    "SELECT count(DISTINCT n), count(DISTINCT c), sum(DISTINCT b), md5(string_agg(c, '' ORDER BY a)) FROM t",
    "SELECT count(*), sum(b) FROM (SELECT DISTINCT b, c FROM t) d",
    "SELECT count(*), sum(a) FROM (SELECT DISTINCT ON (b) b, a FROM t ORDER BY b, a DESC) d",
    "SELECT count(*), sum(t.a), sum(u.a), count(d) FROM t JOIN u ON t.a = u.a",
    "SELECT count(*), sum(t.a), sum(u.a), count(d) FROM t LEFT JOIN u ON t.a = u.a AND t.b < 4000",
    "SELECT count(*), sum(t.a), sum(u.a), count(d) FROM t RIGHT JOIN u ON t.a = u.a",
    "SELECT count(*), sum(t.a), sum(u.a), count(d) FROM t FULL JOIN u ON t.a = u.a",
    "SELECT count(*), sum(a) FROM t WHERE EXISTS (SELECT FROM u WHERE u.a = t.a)",
    "SELECT count(*), sum(a) FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.a = t.a)",
    "SELECT count(*), sum(a) FROM t WHERE a NOT IN (SELECT a FROM u)",
    "SELECT count(*), sum(a) FROM t WHERE a NOT IN (SELECT a FROM u WHERE a > 0)",
    "SELECT count(*), sum(a) FROM (SELECT a FROM t EXCEPT SELECT a FROM u) e",
    "SELECT count(*), sum(a) FROM (SELECT b AS a FROM t INTERSECT ALL SELECT a FROM u) e",
    "WITH w AS MATERIALIZED (SELECT a, c FROM t) SELECT count(*), sum(x.a), min(y.c) FROM w x JOIN w y USING (a)",
    "SELECT count(*), sum(array_length(d, 1)), min(d[2]) FROM (SELECT d FROM u ORDER BY d) s",
];

#[test]
fn the_same_rows_on_disk() {
    let (_database, mut connection) = filled();
    for query in QUERIES {
        run(&mut connection, &["SET work_mem = '1GB'"]);
        let expected = rows(&mut connection, query);
        run(&mut connection, &["SET work_mem = '64kB'"]);
        assert_eq!(rows(&mut connection, query), expected, "{query}");
    }
}

#[test]
fn explain_analyze_says_how_it_went() {
    let (_database, mut connection) = filled();
    let line = |connection: &mut Connection, query: &str, word: &str| {
        let plan = explain(connection, query);
        let line = plan.lines().find(|line| line.contains(word)).map(|line| line.trim().to_owned());
        line.unwrap_or_else(|| panic!("no {word} in\n{plan}"))
    };
    let sort = "SELECT * FROM t ORDER BY c";
    let top = "SELECT * FROM t ORDER BY c LIMIT 5";
    let group = "SELECT a, count(*) FROM t GROUP BY a";
    let join = "SELECT * FROM t JOIN u USING (a)";
    assert!(
        line(&mut connection, sort, "Sort Method").starts_with("Sort Method: quicksort  Memory: ")
    );
    assert!(
        line(&mut connection, top, "Sort Method")
            .starts_with("Sort Method: top-N heapsort  Memory: ")
    );
    assert!(line(&mut connection, group, "Batches").starts_with("Batches: 1  Memory Usage: "));
    assert!(line(&mut connection, join, "Buckets").contains("Batches: 1  Memory Usage: "));
    run(&mut connection, &["SET work_mem = '64kB'"]);
    assert!(
        line(&mut connection, sort, "Sort Method")
            .starts_with("Sort Method: external merge  Disk: ")
    );
    assert!(line(&mut connection, group, "Batches").contains("  Disk Usage: "));
    assert!(!line(&mut connection, join, "Buckets").contains("Batches: 1 "));
}

#[test]
fn explain_analyze_says_what_was_compiled() {
    let (_database, mut connection) = filled();
    run(&mut connection, &["SET jit = force"]);
    let query = "SELECT (a + 1) * 2 - b * 3 + (a - b) * 5 FROM t WHERE a > 10";
    let plan = explain(&mut connection, query);
    assert!(plan.contains("Compiled: ((((a + 1) * 2) - (b * 3)) + ((a - b) * 5))"), "{plan}");
    let analyzed = rows(&mut connection, &format!("EXPLAIN ANALYZE {query}")).replace(';', "\n");
    assert!(analyzed.contains("JIT:\n  Functions: 1\n  Options: "), "{analyzed}");
    assert!(analyzed.contains("\n  Timing: Generation "), "{analyzed}");
    run(&mut connection, &["SET jit = off"]);
    assert!(!explain(&mut connection, query).contains("Compiled"));
}

#[test]
fn a_held_cursor_keeps_rows_on_disk() {
    let (_database, mut connection) = filled();
    run(
        &mut connection,
        &[
            "SET work_mem = '64kB'",
            "BEGIN",
            "DECLARE k CURSOR WITH HOLD FOR SELECT a, c FROM t WHERE a IS NOT NULL ORDER BY a",
            "COMMIT",
            "DELETE FROM t",
        ],
    );
    assert_eq!(rows(&mut connection, "FETCH 2 FROM k"), "1|text number 1;2|text number 2");
    run(&mut connection, &["MOVE 19000 FROM k"]);
    assert_eq!(rows(&mut connection, "FETCH 1 FROM k"), "19003|text number 440");
    assert_eq!(rows(&mut connection, "FETCH ALL FROM k").split(';').count(), 997);
    assert_eq!(rows(&mut connection, "FETCH ALL FROM k"), "");
    run(&mut connection, &["CLOSE k"]);
}
