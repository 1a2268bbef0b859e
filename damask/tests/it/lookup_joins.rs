//! Joins whose right side is looked up in a unique index for each left row give what other joins give.

use crate::support::{connect, run};
use damask::Connection;

const SCHEMA: &[&str] = &[
    // As key the row id, a tree of texts, a hash index, and two columns; some keys are not there, some left values are null.
    "CREATE TABLE item (id int PRIMARY KEY, code text UNIQUE, price numeric(8,2), stock int, note text)",
    "CREATE TABLE line (id int, item int, code text, amount int)",
    "CREATE TABLE place (a int, b int, name text, PRIMARY KEY (a, b))",
    "INSERT INTO item SELECT i, 'code ' || i, i * 1.25, i % 17, CASE WHEN i % 3 = 0 THEN 'note ' || i END
         FROM generate_series(1, 6000) i WHERE i % 5 <> 0",
    "INSERT INTO line SELECT i, CASE WHEN i % 7 <> 0 THEN i * 37 % 7000 END, 'code ' || i * 11 % 7000, i % 9
         FROM generate_series(1, 2500) i",
    "INSERT INTO place SELECT i / 100, i % 100, 'place ' || i FROM generate_series(1, 6000, 2) i",
    "ANALYZE",
];

/// Each joins `line` to something by a unique key.
const QUERIES: &[&str] = &[
    "SELECT l.id, i.code, price FROM line l JOIN item i ON i.id = l.item",
    "SELECT l.id, i.code, stock FROM line l JOIN item i ON i.id = l.item AND stock > l.amount",
    "SELECT l.id, i.id, note FROM line l JOIN item i ON i.code = l.code WHERE note IS NOT NULL",
    "SELECT l.id, i.id, note FROM line l LEFT JOIN item i ON i.code = l.code",
    "SELECT l.id, i.id, note, price FROM line l LEFT JOIN item i ON i.id = l.item AND (stock < 5 OR amount > 3)",
    "SELECT l.id, p.name, i.stock FROM line l JOIN place p ON p.a = l.amount AND p.b = l.id % 100 LEFT JOIN item i ON i.id = p.b",
    "SELECT l.id FROM line l WHERE EXISTS (SELECT 1 FROM item i WHERE i.id = l.item AND stock > 8)",
    "SELECT l.id FROM line l WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.id = l.item AND stock > l.amount)",
    "SELECT count(*), sum(price), count(note) FROM line l JOIN item i ON i.id = l.item WHERE stock IN (1, 5, 9)",
];

fn sorted(connection: &mut Connection, query: &str) -> Vec<String> {
    let rows = connection.query(query, &[]).expect("it runs");
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

fn plan(connection: &mut Connection, query: &str) -> String {
    sorted(connection, &format!("EXPLAIN (COSTS OFF) {query}")).join("\n")
}

#[test]
fn lookups_give_what_other_joins_give() {
    let (_database, mut connection) = connect();
    run(&mut connection, SCHEMA);
    let looks_up =
        ["SET enable_hashjoin = off", "SET enable_seqscan = on", "SET enable_nestloop = on"];
    let hashes = ["SET enable_hashjoin = on", "SET enable_nestloop = off"];
    let levels = ["READ COMMITTED", "SERIALIZABLE"];
    // Changed rows have versions, which an older snapshot sees.
    for is_changed in [false, true] {
        for query in QUERIES {
            // A part of a tile, and several tiles.
            for limit in ["l.id < 100", "l.id > 0"] {
                let glue = if query.contains(" WHERE ") { "AND" } else { "WHERE" };
                let query = format!("{query} {glue} {limit}");
                run(&mut connection, &hashes);
                let expected = sorted(&mut connection, &query);
                assert!(!expected.is_empty(), "{query} finds nothing");
                run(&mut connection, &looks_up);
                let shown = plan(&mut connection, &query);
                assert!(
                    shown.contains("Nested Loop") && shown.contains("Index"),
                    "{query}: {shown}"
                );
                for level in levels {
                    run(&mut connection, &[&format!("BEGIN ISOLATION LEVEL {level}")]);
                    assert_eq!(sorted(&mut connection, &query), expected, "{query}, {level}");
                    run(&mut connection, &["COMMIT"]);
                }
            }
        }
        if !is_changed {
            run(
                &mut connection,
                &[
                    "UPDATE item SET stock = stock + 1, note = 'changed' WHERE id % 4 = 0",
                    "DELETE FROM item WHERE id % 11 = 0",
                    "UPDATE item SET id = id + 1, code = 'code ' || id + 1 WHERE id % 10 = 4",
                ],
            );
        }
    }
}
