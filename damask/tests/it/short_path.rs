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
    ("SELECT id, n FROM a WHERE d = $1 AND v > $2 AND x IS DISTINCT FROM t", "Ii"),
    ("SELECT id, n FROM a WHERE d = $1 AND (v > $2 OR n / v > 1)", "Ii"),
    ("SELECT v, id FROM a WHERE t = $1 ORDER BY v LIMIT 2", "t"),
    ("SELECT v, id, d FROM a WHERE t = $1 AND d > 3 ORDER BY v DESC LIMIT $2", "ti"),
    ("SELECT v, id FROM a WHERE t = $1 AND d > $2 ORDER BY v LIMIT $3", "tIi"),
    ("SELECT id + 1 FROM a WHERE d = $1 LIMIT $2::text::int", "Ii"),
    ("SELECT a.id, k.n, a.v + k.n FROM a JOIN k ON k.code = a.t WHERE a.id = $1", "i"),
    ("SELECT * FROM k, a WHERE k.code = $1 AND a.id = $2 AND (a.v > k.n OR k.ok)", "ti"),
    ("SELECT a.id, b.id FROM a JOIN a AS b ON b.t = a.t AND b.v > a.v WHERE a.id = $1", "i"),
    ("SELECT a.id, b.id FROM a JOIN a AS b ON b.d = a.v - 1 JOIN k ON code = b.t WHERE a.id = $1", "i"),
    ("SELECT a.v, b.v FROM a, a AS b WHERE a.id = $1 AND b.id = 7 / $2", "ii"),
    ("SELECT count(*), sum(v), max(n), min(x) FILTER (WHERE v > $2), avg(n / v) FROM a WHERE d = $1", "Ii"),
    ("SELECT sum(b.n) * 2 FROM a JOIN a AS b ON b.d = a.d WHERE a.id = $1", "i"),
    ("SELECT count(DISTINCT t), string_agg(x, ',') FROM a WHERE d = $1", "I"),
    ("SELECT n::text, $2::text::numeric + n, d::text || t, v::float8 FROM a WHERE id = $1", "in"),
    (
        "SELECT CASE WHEN v > $2 THEN 'x' WHEN n / v > 1 THEN t ELSE x END, coalesce(x, t, 'none'), n IS NULL,
            (v > 3 AND d > 2) IS TRUE, NOT (n > 1 OR x = t), nullif(v, 3) FROM a WHERE id = $1",
        "ii",
    ),
    ("SELECT made::text, made::timestamp, code::char(2), ok::int, ok::text FROM k WHERE code = $1", "t"),
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
    ("UPDATE a SET n = n - $2::text::numeric, x = d::text WHERE id = $1 RETURNING n::text, x", "in"),
    ("UPDATE a SET v = CASE WHEN d > $2 THEN v + 1 ELSE v / ($2 - 1) END WHERE id = $1", "iI"),
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

/// So that few rows are looked for by key, too.
const BY_KEY: &[&str] = &[
    "INSERT INTO a (id, v, t, d) SELECT i, i % 7, 't' || i % 50, i % 40 FROM generate_series(100, 400) i",
    "INSERT INTO k (code, n) SELECT 't' || i, i FROM generate_series(1, 300) i",
    "ANALYZE",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_sort = off",
];

fn open(is_short: bool) -> (Database, Connection) {
    let (database, mut connection) = connect();
    connection.session().avoid_short_path(!is_short);
    run(&mut connection, SCHEMA);
    (database, connection)
}

#[test]
fn both_ways_give_the_same() {
    for seed in 0..16 {
        let mut chance = Chance(seed);
        let (_short_database, mut short) = open(true);
        let (_long_database, mut long) = open(false);
        if seed % 2 == 0 {
            run(&mut short, BY_KEY);
            run(&mut long, BY_KEY);
        }
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

/// Some of the statements above, lest they all go the way of batches.
#[test]
fn statements_by_key_run_by_value() {
    let (_database, mut connection) = open(true);
    run(&mut connection, BY_KEY);
    for statement in [
        "SELECT id, n FROM a WHERE d = $1 AND (v > $2 OR n / v > 1)",
        "SELECT v, id FROM a WHERE t = $1 ORDER BY v LIMIT 2",
        "SELECT a.id, k.n, a.v + k.n FROM a JOIN k ON k.code = a.t WHERE a.id = $1",
        "SELECT * FROM k, a WHERE k.code = $1 AND a.id = $2 AND (a.v > k.n OR k.ok)",
        "SELECT count(*), sum(v), min(x) FILTER (WHERE v > $2) FROM a WHERE d = $1",
        "SELECT CASE WHEN v > $2 THEN 'x' ELSE x END, coalesce(x, t), made::text FROM a, k WHERE id = $1 AND code = $3",
        "UPDATE a SET n = n - $2::text::numeric WHERE id = $1 RETURNING n::text",
    ] {
        let is_short = connection.session().runs_by_value(statement).expect("it has a plan");
        assert!(is_short, "{statement}");
    }
    for statement in [
        "SELECT count(DISTINCT t) FROM a WHERE d = $1",
        "SELECT v, count(*) FROM a WHERE d = $1 GROUP BY v",
        "SELECT a.v FROM a, a AS b WHERE a.id = $1 AND b.id = 7 / $2",
    ] {
        let is_short = connection.session().runs_by_value(statement).expect("it has a plan");
        assert!(!is_short, "{statement}");
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
    for seed in 100..116 {
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
