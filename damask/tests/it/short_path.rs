//! Statements of one row give the same by value as by batches.

use crate::support::{connect, error, run};
use damask::{Connection, Database, Rows, Value};

const SCHEMA: &[&str] = &[
    "CREATE TABLE a (id int PRIMARY KEY, v int NOT NULL, x text, t varchar(5), d bigint DEFAULT 7, n numeric(8,2))",
    "CREATE UNIQUE INDEX a_tv ON a (t, v DESC)",
    "CREATE INDEX a_d ON a (d) INCLUDE (n)",
    "CREATE UNIQUE INDEX a_x ON a (x) WHERE v > 5",
    "CREATE TABLE k (code text PRIMARY KEY, n bigint, made date DEFAULT '2024-02-29', ok boolean NOT NULL DEFAULT true)",
    "CREATE TABLE checked (id bigint PRIMARY KEY, v int CHECK (v < 50), a int REFERENCES a ON DELETE CASCADE)",
];

/// Statements with the kinds of their parameters: `i` a small int, `I` any int8, `t` a short text, `n` a numeric.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT * FROM a WHERE id = $1", "i"),
    ("SELECT v, id, v + $2, upper(t) || x FROM a WHERE id = $1", "ii"),
    ("SELECT id, n / v FROM a WHERE id = $1", "i"),
    ("SELECT id FROM a WHERE t = $1 AND v = $2", "ti"),
    ("SELECT id, n FROM a WHERE d = $1", "I"),
    ("SELECT id FROM a WHERE x = $1 AND v > 5", "t"),
    ("SELECT v, id, x FROM a WHERE t = $1", "t"),
    ("SELECT v, id FROM a WHERE t = $1 ORDER BY v DESC", "t"),
    ("SELECT v, id FROM a WHERE t = $1 ORDER BY v", "t"),
    ("SELECT d FROM a WHERE id = $1 AND v > $2", "ii"),
    ("SELECT count(*) FROM a WHERE id = $1", "i"),
    ("SELECT * FROM k WHERE code = $1", "t"),
    ("SELECT code, made + 1, NOT ok FROM k WHERE code = $1::varchar", "t"),
    ("SELECT tableoid::regclass, ctid IS NULL FROM k WHERE code = $1", "t"),
    ("SELECT v, x || t FROM a WHERE id = $1 FOR UPDATE", "i"),
    ("SELECT * FROM a WHERE t = $1 AND v = $2 FOR NO KEY UPDATE SKIP LOCKED", "ti"),
    ("SELECT code, n / $2 FROM k WHERE code = $1 FOR KEY SHARE NOWAIT", "tI"),
    ("SELECT n FROM a WHERE d = $1 FOR SHARE", "I"),
    ("INSERT INTO a VALUES ($1, $2, $3, $3, $4, $5)", "iitIn"),
    ("INSERT INTO a (id, v, t) VALUES ($1, $2, $3) RETURNING *, v * 2", "iit"),
    // Not with expressions that raise: batches evaluate all rows before they insert the first.
    ("INSERT INTO a (id, v) VALUES ($1, $2), ($2, $1)", "ii"),
    ("INSERT INTO a (id, v) SELECT $1, $2 WHERE $1 > 3", "ii"),
    ("INSERT INTO k (code, n) VALUES ($1, $2) RETURNING code, made", "tI"),
    (
        "INSERT INTO k (code, n) VALUES ($1, $2) ON CONFLICT (code) DO UPDATE SET n = excluded.n",
        "tI",
    ),
    ("INSERT INTO k (code, ok) VALUES ($1, NULL)", "t"),
    ("INSERT INTO checked VALUES ($1, $2, $2)", "ii"),
    ("UPDATE a SET v = v + $2 WHERE id = $1", "ii"),
    ("UPDATE a SET v = $2, t = $3 WHERE id = $1 RETURNING id, v, t, d", "iit"),
    ("UPDATE a SET id = $2 WHERE id = $1 RETURNING *", "ii"),
    ("UPDATE a SET v = NULL, d = $2 WHERE id = $1", "iI"),
    ("UPDATE a SET d = d * $2, n = n + $3 WHERE id = $1", "iIn"),
    ("UPDATE a SET n = $2 WHERE t = $1 AND v = 3 RETURNING n", "tn"),
    ("UPDATE a SET n = $2 WHERE id = $1 AND v > 3", "in"),
    ("UPDATE k SET n = n / $2, ok = NOT ok WHERE code = $1 RETURNING *", "tI"),
    ("UPDATE checked SET v = v + 20 WHERE id = $1", "i"),
    ("DELETE FROM a WHERE id = $1 RETURNING x, id", "i"),
    ("DELETE FROM a WHERE t = $1 AND v = $2", "ti"),
    ("DELETE FROM k WHERE code = $1", "t"),
    ("DELETE FROM checked WHERE id = $1 RETURNING *", "i"),
];

/// Statements without parameters, now and then: blocks, and tables that change under prepared plans.
const OTHERS: &[&str] = &[
    "BEGIN",
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "BEGIN READ ONLY",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "COMMIT",
    "COMMIT",
    "ROLLBACK",
    "ALTER TABLE a ADD COLUMN e int DEFAULT 5",
    "ALTER TABLE a DROP COLUMN e",
    "ALTER TABLE k ALTER COLUMN ok DROP NOT NULL",
    "ALTER TABLE k ALTER COLUMN ok SET NOT NULL",
    "SET DateStyle = 'German'",
    "RESET DateStyle",
    "ANALYZE a",
];

/// A generator that gives the same numbers everywhere (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn value(&mut self, kind: char) -> Value {
        if self.below(12) == 0 {
            return Value::Null;
        }
        match kind {
            'i' if self.below(30) == 0 => Value::Int4(i32::MAX),
            'i' => Value::Int4(self.below(12) as i32 - 2),
            'I' if self.below(10) == 0 => Value::Int8(i64::MAX),
            'I' => Value::Int8(self.below(6) as i64),
            't' => Value::text(["", "a", "bc", "ä", "toolong"][self.below(5) as usize]),
            _ => Value::text(["0.5", "-3", "999999.99", "9999999", "NaN"][self.below(5) as usize]),
        }
    }
}

/// What came of a statement: its rows and tag, or all that its error tells.
fn outcome(connection: &mut Connection, sql: &str, params: &[Value]) -> String {
    match connection.query(sql, params) {
        Ok(rows) => format!("{} {:?}", rows.tag(), rows.iter().collect::<Vec<_>>()),
        Err(error) => format!("{:?}", error.fields()),
    }
}

fn open(is_short: bool) -> (Database, Connection) {
    let (database, mut connection) = connect();
    connection.session().avoid_short_path(!is_short);
    run(&mut connection, SCHEMA);
    (database, connection)
}

#[test]
fn both_ways_give_the_same() {
    for seed in 0..12 {
        let mut chance = Chance(seed);
        let (_short_database, mut short) = open(true);
        let (_long_database, mut long) = open(false);
        for step in 0..400 {
            let (sql, params): (&str, Vec<Value>) = if chance.below(8) == 0 {
                (OTHERS[chance.below(OTHERS.len() as u64) as usize], vec![])
            } else {
                let (sql, kinds) = STATEMENTS[chance.below(STATEMENTS.len() as u64) as usize];
                (sql, kinds.chars().map(|kind| chance.value(kind)).collect())
            };
            let (by_value, by_batch) =
                (outcome(&mut short, sql, &params), outcome(&mut long, sql, &params));
            assert_eq!(by_value, by_batch, "seed {seed}, step {step}: {sql} with {params:?}");
        }
    }
}

/// As in PostgreSQL, a row is inserted before the next one is evaluated.
#[test]
fn rows_are_inserted_one_by_one() {
    let (_database, mut connection) = open(true);
    run(&mut connection, &["INSERT INTO a (id, v) VALUES (1, 1)"]);
    let statement = "INSERT INTO a (id, v) VALUES (1, 1), (2, 1 / 0)";
    let duplicate = "23505 duplicate key value violates unique constraint \"a_pkey\"";
    assert_eq!(error(&mut connection, statement), duplicate);
}

/// A text with the parameters written into it.
fn with_constants(sql: &str, params: &[Value]) -> String {
    let mut text = sql.to_owned();
    for (index, value) in params.iter().enumerate().rev() {
        let constant = match value {
            Value::Null => "NULL".to_owned(),
            Value::Text(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => text.to_string(),
            Value::Text(text) => format!("'{text}'"),
            other => other.as_i64().expect("a number").to_string(),
        };
        text = text.replace(&format!("${}", index + 1), &constant);
    }
    text
}

/// What came of a text sent as a simple query, and whether it ran by a template.
fn outcome_of_text(connection: &mut Connection, sql: &str) -> (String, bool) {
    let session = connection.session();
    let mut rows = Rows::default();
    let lifted = session.lift(sql);
    let is_lifted = lifted.is_some();
    let result = match lifted {
        Some(lifted) => session.run_lifted(&lifted, sql, &mut rows),
        None => {
            session.prepare_text(sql).and_then(|statements| session.run(&statements[0], &mut rows))
        }
    };
    let result = result.and_then(|completion| session.end_message().map(|()| completion));
    let shown = match result {
        Ok(completion) => format!("{completion:?} {:?}", rows.iter().collect::<Vec<_>>()),
        Err(error) => format!("{:?}", error.fields()),
    };
    (shown, is_lifted)
}

#[test]
fn texts_give_the_same_by_template() {
    let mut lifted_count = 0;
    for seed in 100..112 {
        let mut chance = Chance(seed);
        let (_short_database, mut short) = open(true);
        let (_long_database, mut long) = open(false);
        for step in 0..300 {
            let text = if chance.below(8) == 0 {
                OTHERS[chance.below(OTHERS.len() as u64) as usize].to_owned()
            } else {
                let (sql, kinds) = STATEMENTS[chance.below(STATEMENTS.len() as u64) as usize];
                let params: Vec<Value> = kinds.chars().map(|kind| chance.value(kind)).collect();
                with_constants(sql, &params)
            };
            let (by_template, is_lifted) = outcome_of_text(&mut short, &text);
            let (by_text, _) = outcome_of_text(&mut long, &text);
            assert_eq!(by_template, by_text, "seed {seed}, step {step}: {text}");
            lifted_count += usize::from(is_lifted);
        }
    }
    assert!(lifted_count > 1000, "{lifted_count} texts ran by a template");
}

/// The row that was waited for is read again, and must still have the key.
#[test]
fn a_row_that_was_changed_meanwhile_is_tried_again() {
    for is_short in [true, false] {
        for (theirs, ours, then) in [
            ("UPDATE a SET v = v + 1 WHERE id = 1", "UPDATE a SET v = v * 10 WHERE id = 1", "60"),
            ("UPDATE a SET id = 2 WHERE id = 1", "UPDATE a SET v = v * 10 WHERE id = 1", "5"),
            ("DELETE FROM a WHERE id = 1", "UPDATE a SET v = v * 10 WHERE id = 1", ""),
            ("UPDATE a SET v = v + 1 WHERE id = 1", "DELETE FROM a WHERE id = 1", ""),
            ("UPDATE a SET t = 'b' WHERE id = 1", "DELETE FROM a WHERE t = 'a' AND v = 5", "5"),
        ] {
            let (database, mut first) = open(is_short);
            run(&mut first, &["INSERT INTO a (id, v, t) VALUES (1, 5, 'a')", "BEGIN", theirs]);
            let mut second = database.connect().expect("a second connection opens");
            second.session().avoid_short_path(!is_short);
            let waiting = std::thread::spawn(move || second.execute(ours).expect("it succeeds"));
            while crate::support::rows(
                &mut first,
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
            ) != "1"
            {
                std::thread::yield_now();
            }
            run(&mut first, &["COMMIT"]);
            waiting.join().expect("it ends");
            assert_eq!(
                crate::support::rows(&mut first, "SELECT v FROM a"),
                then,
                "short path {is_short}: {theirs}; {ours}"
            );
        }
    }
}
