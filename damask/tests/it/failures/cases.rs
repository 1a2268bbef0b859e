//! The database and the statements that are made to fail.

/// What makes the database; then it is closed.
pub(super) const SETUP: &[&str] = &[
    "CREATE TABLE t (a int PRIMARY KEY, b int, c text, d numeric)",
    "INSERT INTO t SELECT i, i * 7919 % 503, repeat(md5(i::text), 20), i / 4.0 FROM generate_series(1, 1500) i",
    "CREATE INDEX t_b ON t (b)",
    "CREATE TABLE u (k int PRIMARY KEY, a int REFERENCES t (a), e text)",
    "INSERT INTO u SELECT i, i * 3, i % 50 || repeat('e', 500) FROM generate_series(1, 400) i",
    "CREATE UNIQUE INDEX u_e ON u (e, k)",
    "CREATE TABLE w (a int, b text)",
    "INSERT INTO w SELECT i, repeat('w', 500) FROM generate_series(1, 300) i",
    "CREATE VIEW v AS SELECT b, count(*) AS n FROM t GROUP BY b",
    "CREATE SEQUENCE s",
    "CREATE TABLE probe (a int)",
    "ANALYZE",
];

/// How a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// As one message.
    Text,
    /// `COPY ... FROM STDIN` of rows that begin with this number.
    CopyIn(i32),
    /// `COPY ... TO STDOUT`.
    CopyOut,
}

/// A statement, or several of one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) sql: &'static str,
    pub(super) run: Run,
    /// Whether it changes what the digest shows, or takes ids from where others do.
    pub(super) writes: bool,
}

const fn read(sql: &'static str) -> Case {
    Case { sql, run: Run::Text, writes: false }
}

const fn write(sql: &'static str) -> Case {
    Case { sql, run: Run::Text, writes: true }
}

pub(super) const CASES: &[Case] = &[
    // Scans, lookups, expressions.
    read("SELECT count(*), sum(b) FROM t"),
    read("SELECT * FROM t WHERE a = 700"),
    read("SELECT a, c FROM t WHERE a BETWEEN 100 AND 140"),
    read("SELECT a FROM t WHERE b = 77"),
    read("SELECT sum(a) FROM t WHERE b < 40"),
    read("SELECT b FROM t WHERE b > 490 ORDER BY b"),
    read("SELECT a FROM t WHERE c LIKE '%ff%' AND d > 10"),
    read("SELECT * FROM t LIMIT 5 OFFSET 900"),
    read("SELECT count(*) FROM t WHERE a IN (1, 50, 900, 1400)"),
    read("SELECT CASE WHEN b > 100 THEN upper(c) ELSE c END FROM t WHERE a < 60"),
    // Sorts.
    read("SELECT a FROM t ORDER BY c"),
    read("SELECT a, c FROM t ORDER BY b, c DESC"),
    read("SELECT a FROM t ORDER BY d DESC LIMIT 7"),
    read("SELECT DISTINCT ON (b) b, c FROM t ORDER BY b, a DESC"),
    read("SELECT count(*) FROM (SELECT DISTINCT c FROM t) x"),
    // Aggregates.
    read("SELECT b, count(*), sum(d), max(c) FROM t GROUP BY b"),
    read("SELECT c, count(*) FROM t GROUP BY c HAVING count(*) > 1"),
    read("SELECT md5(string_agg(c, '' ORDER BY a)) FROM t"),
    read("SELECT count(DISTINCT c), count(DISTINCT b) FROM t"),
    read("SELECT array_agg(a) FROM t"),
    read("SELECT * FROM v WHERE n > 2"),
    // Joins.
    read("SELECT count(*) FROM t JOIN u USING (a)"),
    read("SELECT t.c, u.e FROM t JOIN u ON t.a = u.a WHERE u.k < 40"),
    read("SELECT count(*), max(x.c) FROM t x JOIN t y ON x.b = y.b"),
    read("SELECT count(*), max(y.c) FROM t x LEFT JOIN t y ON x.c = y.c"),
    read("SELECT count(*) FROM t FULL JOIN u ON t.a = u.a"),
    read("SELECT count(*) FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.a = t.a)"),
    read("SELECT count(*) FROM t WHERE a NOT IN (SELECT a FROM u)"),
    read("SELECT (SELECT max(e) FROM u WHERE u.a = t.a) FROM t WHERE a < 100"),
    read("SELECT count(*) FROM w x, w y WHERE x.a < y.a"),
    // Set operations and common table expressions.
    read("SELECT c FROM t EXCEPT SELECT e FROM u"),
    read("SELECT a FROM t INTERSECT ALL SELECT a FROM u"),
    read("SELECT b FROM t UNION SELECT a FROM u"),
    read("WITH x AS MATERIALIZED (SELECT a, c FROM t) SELECT count(*) FROM x p JOIN x q USING (a)"),
    read(
        "SELECT c, lag FROM (SELECT c, (SELECT max(k) FROM u WHERE u.a < t.a) AS lag FROM t WHERE b = 9) x ORDER BY c",
    ),
    read("SELECT count(*) FROM generate_series(1, 5000) g"),
    read("VALUES (1, 'a'), (2, 'b')"),
    // What looks at the catalog.
    read("SELECT relname FROM pg_class ORDER BY relname"),
    read("SELECT table_name, column_name FROM information_schema.columns WHERE table_name = 't'"),
    read("SELECT 't'::regclass, pg_get_indexdef('t_b'::regclass)"),
    read("EXPLAIN SELECT * FROM t JOIN u USING (a)"),
    read("EXPLAIN ANALYZE SELECT b, count(*) FROM t GROUP BY b"),
    read("SHOW work_mem"),
    // Cursors, prepared statements, locks.
    read(
        "BEGIN; DECLARE x CURSOR FOR SELECT a, c FROM t ORDER BY c; FETCH 50 FROM x; FETCH ALL FROM x; COMMIT",
    ),
    read(
        "BEGIN; DECLARE x CURSOR FOR SELECT a FROM t; FETCH 100 FROM x; MOVE 10 FROM x; CLOSE x; COMMIT",
    ),
    read(
        "BEGIN; DECLARE x CURSOR WITH HOLD FOR SELECT c FROM t; FETCH 5 FROM x; COMMIT; FETCH 5 FROM x; CLOSE x",
    ),
    read(
        "PREPARE p (int) AS SELECT c FROM t WHERE a = $1; EXECUTE p (5); EXECUTE p (1200); DEALLOCATE p",
    ),
    read("SELECT a FROM t WHERE a < 20 FOR UPDATE"),
    read("BEGIN; SELECT a FROM t WHERE b = 3 FOR SHARE; LOCK u IN SHARE MODE; COMMIT"),
    read(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t; SELECT sum(a) FROM u; COMMIT",
    ),
    read("BEGIN; SELECT pg_advisory_xact_lock(7); SELECT count(*) FROM u; COMMIT"),
    Case { sql: "COPY t TO STDOUT", run: Run::CopyOut, writes: false },
    Case {
        sql: "COPY (SELECT b, max(c) FROM t GROUP BY b ORDER BY 2) TO STDOUT (FORMAT csv)",
        run: Run::CopyOut,
        writes: false,
    },
    Case { sql: "COPY u TO STDOUT (FORMAT binary)", run: Run::CopyOut, writes: false },
    // Inserts.
    write("INSERT INTO w VALUES (1, 'x')"),
    write("INSERT INTO t VALUES (5000, 1, 'x', 1.5)"),
    write("INSERT INTO t SELECT i, i % 50, repeat('y', 300), 0 FROM generate_series(2000, 2300) i"),
    write("INSERT INTO u SELECT i, i, 'z' || i FROM generate_series(501, 600) i"),
    write("INSERT INTO w SELECT a, c FROM t ORDER BY c LIMIT 200"),
    write("INSERT INTO w VALUES (7, repeat('large ', 30000))"),
    write("INSERT INTO t VALUES (6000, 5, 'r', 2) RETURNING a, c"),
    // Upserts.
    write(
        "INSERT INTO t VALUES (5, 1, 'up', 1) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = excluded.c",
    ),
    write(
        "INSERT INTO t SELECT i, 2, 'up', 0 FROM generate_series(1450, 1550) i ON CONFLICT (a) DO UPDATE SET c = 'met'",
    ),
    write("INSERT INTO u VALUES (1, 3, 'none'), (900, 3, 'new') ON CONFLICT DO NOTHING"),
    // Updates.
    write("UPDATE t SET c = 'one' WHERE a = 800"),
    write("UPDATE t SET b = b + 1 WHERE a < 120"),
    write("UPDATE t SET c = repeat('longer', 80) WHERE b < 60"),
    write("UPDATE t SET a = a + 10000 WHERE a > 1400"),
    write("UPDATE w SET b = u.e FROM u WHERE u.k = w.a"),
    write("UPDATE u SET e = e || '!' WHERE k IN (SELECT a FROM w WHERE a < 30) RETURNING k"),
    write("UPDATE w SET b = 'all'"),
    // Deletes.
    write("DELETE FROM w WHERE a = 5"),
    write("DELETE FROM t WHERE a % 3 = 1"),
    write("DELETE FROM u USING t WHERE u.a = t.a AND t.b < 200"),
    write("DELETE FROM w"),
    write("DELETE FROM w WHERE NOT EXISTS (SELECT FROM u WHERE u.a = w.a)"),
    // Transactions.
    write(
        "BEGIN; INSERT INTO w VALUES (1, 'a'); UPDATE t SET b = 0 WHERE a < 30; DELETE FROM u WHERE k < 10; COMMIT",
    ),
    write(
        "BEGIN; UPDATE w SET a = a + 1; SAVEPOINT x; DELETE FROM w WHERE a > 100; ROLLBACK TO x; COMMIT",
    ),
    write(
        "BEGIN; SAVEPOINT x; INSERT INTO u VALUES (777, 9, 'q'); RELEASE x; UPDATE u SET e = 'r' WHERE k = 777; COMMIT",
    ),
    write("BEGIN; DELETE FROM w; INSERT INTO w SELECT a, c FROM t WHERE a < 200; ROLLBACK"),
    write(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE t SET b = 9 WHERE b = 8; SELECT count(*) FROM t; COMMIT",
    ),
    write(
        "SET synchronous_commit = off; INSERT INTO w VALUES (2, 'off'); SET synchronous_commit = on; INSERT INTO w VALUES (3, 'on')",
    ),
    write("SELECT nextval('s'), nextval('s')"),
    // COPY in.
    Case { sql: "COPY w FROM STDIN", run: Run::CopyIn(1), writes: true },
    Case { sql: "COPY u (k, e) FROM STDIN", run: Run::CopyIn(2000), writes: true },
    // Definitions.
    write("CREATE TABLE n (a int PRIMARY KEY, b text UNIQUE, CHECK (a > 0))"),
    write("CREATE TABLE n AS SELECT a, c FROM t WHERE a < 300"),
    write("CREATE INDEX n ON t (c)"),
    write("CREATE UNIQUE INDEX n ON t (d, a)"),
    write("CREATE INDEX n ON t (lower(c)) WHERE b < 100"),
    write("DROP INDEX t_b"),
    write("DROP TABLE u"),
    write("DROP VIEW v; DROP TABLE w"),
    write("TRUNCATE w"),
    write("TRUNCATE t, u"),
    write("ALTER TABLE w ADD COLUMN n int DEFAULT 5"),
    write(
        "ALTER TABLE w ADD COLUMN n int; UPDATE w SET n = a; ALTER TABLE w ALTER COLUMN n SET NOT NULL",
    ),
    write("ALTER TABLE t DROP COLUMN d"),
    write("ALTER TABLE u RENAME COLUMN e TO f"),
    write("ALTER TABLE w ADD PRIMARY KEY (a)"),
    write("ALTER TABLE w ADD CONSTRAINT n CHECK (a >= 0)"),
    write("ALTER TABLE w RENAME TO n"),
    write(
        "BEGIN; CREATE TABLE n (a int); INSERT INTO n SELECT a FROM t; CREATE INDEX ON n (a); COMMIT",
    ),
    write("BEGIN; DROP TABLE u; CREATE TABLE u (x int); INSERT INTO u VALUES (1); ROLLBACK"),
    write("CREATE VIEW n AS SELECT * FROM t JOIN u USING (a)"),
    write("CREATE SEQUENCE n START 10; SELECT nextval('n')"),
    write("CREATE SCHEMA n; CREATE TABLE n.n (a int)"),
    write("CREATE TEMPORARY TABLE n (a int); INSERT INTO n SELECT a FROM t; DROP TABLE n"),
    write("COMMENT ON TABLE t IS 'rows'"),
    write("CREATE ROLE n SUPERUSER"),
    // Upkeep.
    write("ANALYZE t"),
    write("CHECKPOINT"),
    write("VACUUM"),
];
