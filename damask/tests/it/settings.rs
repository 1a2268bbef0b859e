//! Every setting acts, or refuses, or has nothing to steer; what acts is shown to act.

use crate::support::{connect, error, open, rows, run};
use damask::session::{SettingContext, SettingDefinition, SettingEffect};
use damask::{Configuration, Connection, Database, Session};
use std::collections::BTreeSet;

/// A setting that acts: its name, a value, a query, what that gives before, and with the value. An answer is rows, or SQLSTATE
/// and message; of a plan, the lines that `|` joins.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("application_name", "me", "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()", "", "me"),
    ("bytea_output", "escape", "SELECT '\\xff61'::bytea::text", "\\xff61", "\\377a"),
    ("client_encoding", "SQL_ASCII", "SELECT current_setting('client_encoding')", "UTF8", "SQL_ASCII"),
    ("DateStyle", "'German, DMY'", "SELECT date '2001-02-03'::text", "2001-02-03", "03.02.2001"),
    ("default_transaction_isolation", "'repeatable read'", "BEGIN; SHOW transaction_isolation; COMMIT", "read committed", "repeatable read"),
    ("default_transaction_read_only", "on", "BEGIN; SHOW transaction_read_only; COMMIT", "off", "on"),
    ("extra_float_digits", "0", "SELECT (0.1::float8 + 0.2::float8)::text", "0.30000000000000004", "0.3"),
    ("IntervalStyle", "iso_8601", "SELECT interval '1 day 2 hours'::text", "1 day 02:00:00", "P1DT2H"),
    ("search_path", "pg_catalog", "SELECT current_schema()", "public", "pg_catalog"),
    ("statement_timeout", "'20ms'", "SELECT pg_sleep(0.1)", "", "57014 canceling statement due to statement timeout"),
    ("TimeZone", "'Asia/Tokyo'", "SELECT timestamptz '2001-02-03 00:00+00'::text", "2001-02-03 00:00:00+00", "2001-02-03 09:00:00+09"),
    ("transaction_isolation", "'repeatable read'", "SHOW transaction_isolation", "read committed", "repeatable read"),
    ("transaction_read_only", "on", "INSERT INTO t VALUES (0)", "", "25006 cannot execute INSERT in a read-only transaction"),
    ("transform_null_equals", "on", "SELECT count(*) FROM t WHERE NULL = c", "0", "1000"),
    ("enable_seqscan", "off", "EXPLAIN (COSTS off) SELECT * FROM t WHERE b >= 0", "Seq Scan on t|  Filter: (b >= 0)", "Index Scan using t_b_idx on t|  Index Cond: (b >= 0)"),
    ("enable_indexscan", "off", "EXPLAIN (COSTS off) SELECT * FROM t WHERE a = 1", "Index Scan using t_pkey on t|  Index Cond: (a = 1)", "Seq Scan on t|  Filter: (a = 1)"),
    ("enable_indexonlyscan", "off", "EXPLAIN (COSTS off) SELECT b FROM t WHERE b = 1", "Index Only Scan using t_b_idx on t|  Index Cond: (b = 1)", "Index Scan using t_b_idx on t|  Index Cond: (b = 1)"),
    ("enable_hashjoin", "off", "EXPLAIN (COSTS off) SELECT * FROM t JOIN t u ON t.c = u.c", "Hash Join", "Nested Loop"),
    ("enable_nestloop", "off", "EXPLAIN (COSTS off) SELECT * FROM t u JOIN t ON t.a = u.b WHERE u.a = 1", "Nested Loop", "Hash Join"),
    ("enable_hashagg", "off", "EXPLAIN (COSTS off) SELECT c, count(*) FROM t GROUP BY c", "HashAggregate", "GroupAggregate"),
    ("enable_sort", "off", "SET random_page_cost = 20; EXPLAIN (COSTS off) SELECT * FROM t ORDER BY b", "Sort", "Index Scan using t_b_idx on t"),
    ("seq_page_cost", "100", "EXPLAIN SELECT * FROM t WHERE b >= 0", "Seq Scan", "Index Scan"),
    ("random_page_cost", "0", "EXPLAIN (COSTS off) SELECT * FROM t WHERE b >= 100", "Seq Scan", "Index Scan"),
    ("cpu_tuple_cost", "10", "EXPLAIN (COSTS off) SELECT * FROM t WHERE b >= 0", "Seq Scan", "Index Scan"),
    ("cpu_index_tuple_cost", "10", "EXPLAIN (COSTS off) SELECT * FROM t WHERE b BETWEEN 10 AND 19", "Index Scan", "Seq Scan"),
    ("cpu_operator_cost", "10", "EXPLAIN (COSTS off) SELECT * FROM t WHERE b >= 0", "Seq Scan", "Index Scan"),
];

/// Settings that act, and the test that shows it: a file that names the setting, or what it becomes.
const ELSEWHERE: &[(&str, &str)] = &[
    ("checkpoint_timeout", "../txn/src/checkpoint_tests.rs"),
    ("client_min_messages", "tests/it/settings.rs"),
    ("deadlock_timeout", "testdata/locking/advisory.txt"),
    ("hash_mem_multiplier", "../executor/tests/it/spill.rs"),
    ("huge_pages", "tests/it/memory.rs"),
    ("idle_in_transaction_session_timeout", "../server/tests/it/ends.rs"),
    ("idle_session_timeout", "../server/tests/it/ends.rs"),
    ("io_method", "tests/it/memory.rs"),
    ("jit", "tests/it/settings.rs"),
    ("listen_addresses", "../cli/src/command.rs"),
    ("lock_timeout", "testdata/locking/advisory.txt"),
    ("max_connections", "../server/tests/it/limits.rs"),
    ("max_wal_size", "tests/it/durability.rs"),
    ("memory_limit", "tests/it/memory.rs"),
    ("numa", "tests/it/memory.rs"),
    ("port", "../cli/src/command.rs"),
    ("query_memory_limit", "tests/it/settings.rs"),
    ("shared_buffers", "tests/it/durability.rs"),
    ("synchronous_commit", "tests/it/durability.rs"),
    ("unix_socket_directories", "../server/tests/it/local.rs"),
    ("wal_lanes", "tests/it/durability.rs"),
    ("wal_sync_method", "tests/it/durability.rs"),
    ("wal_writer_delay", "tests/it/durability.rs"),
    ("work_mem", "../executor/tests/it/spill.rs"),
];

fn definitions() -> &'static [SettingDefinition] {
    Session::setting_definitions()
}

/// What the last statement with rows of a text gives.
fn answer(connection: &mut Connection, text: &str) -> String {
    let mut last = String::new();
    for statement in text.split("; ") {
        match connection.query(statement, &[]) {
            Ok(_) if statement == "COMMIT" || statement == "BEGIN" => {}
            Ok(found) => {
                let texts = found.iter().map(|row| match &row[..] {
                    [damask::Value::Text(text)] => text.to_string(),
                    [value] => {
                        value.as_i64().map_or_else(|| format!("{value:?}"), |v| v.to_string())
                    }
                    _ => String::new(),
                });
                last = texts.collect::<Vec<_>>().join("|");
            }
            Err(error) => return crate::support::show(&error),
        }
    }
    last
}

#[test]
fn what_acts_is_shown_to_act() {
    let (_database, mut connection) = connect();
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL, c int)",
            "CREATE INDEX ON t (b)",
            "INSERT INTO t SELECT i, i % 200, NULL FROM generate_series(1, 1000) i",
            "ANALYZE t",
        ],
    );
    // Of a plan, the expectation is a part.
    let is_like = |query: &str, answer: &str, expected: &str| {
        answer == expected || query.contains("EXPLAIN") && answer.contains(expected)
    };
    let mut wrong = vec![];
    for (name, value, query, before, after) in CASES {
        let in_block = name.starts_with("transaction_");
        if in_block {
            run(&mut connection, &["BEGIN"]);
        }
        if *name != "transaction_read_only" && *name != "transaction_isolation" {
            let found = answer(&mut connection, query);
            if !is_like(query, &found, before) {
                wrong.push(format!("{name} before: {found}"));
            }
        }
        run(&mut connection, &[&format!("SET {name} = {value}")]);
        let found = answer(&mut connection, query);
        if !is_like(query, &found, after) {
            wrong.push(format!("{name} = {value}: {found}"));
        }
        run(&mut connection, &[if in_block { "ROLLBACK" } else { "RESET ALL" }]);
        if in_block {
            run(&mut connection, &["RESET ALL"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_setting_that_acts_has_a_case() {
    let acts: BTreeSet<&str> = definitions()
        .iter()
        .filter(|definition| definition.effect() == SettingEffect::Acts)
        .map(|definition| definition.name)
        .collect();
    let shown: BTreeSet<&str> =
        CASES.iter().map(|case| case.0).chain(ELSEWHERE.iter().map(|(name, _)| *name)).collect();
    assert_eq!(acts, shown);
    for (name, file) in ELSEWHERE {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let word = name.trim_end_matches("_multiplier");
        assert!(text.contains(word), "{file} does not speak of {word}");
    }
}

/// A value other than the default that the setting's type takes.
fn another(definition: &SettingDefinition) -> String {
    let mut connection = connect().1;
    let name = definition.name;
    let query = format!(
        "SELECT vartype || ' ' || coalesce(min_val, '') || ' ' || coalesce(enumvals::text, '') FROM pg_settings WHERE name = '{name}'"
    );
    let text = rows(&mut connection, &query);
    let default = definition.default;
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["bool", ..] => (if default == "on" { "off" } else { "on" }).to_owned(),
        ["integer", "-1", ..] if default == "-1" => "0".to_owned(),
        ["integer", min, ..] if min == default => format!("{min}1"),
        ["real", min, ..] if min == default => format!("{min}.5"),
        ["integer" | "real", min, ..] => min.to_owned(),
        ["enum", _, words] => {
            let words = words.trim_matches(['{', '}']).split(',');
            words
                .map(|word| word.trim_matches('"'))
                .find(|word| *word != default)
                .expect("an enum has two words")
                .to_owned()
        }
        _ => "something else".to_owned(),
    }
}

#[test]
fn what_cannot_be_obeyed_is_refused_and_what_is_moot_is_taken() {
    let (_database, mut connection) = connect();
    for definition in definitions() {
        let name = definition.name;
        let set = |value: &str| format!("SET {name} = '{value}'");
        if definition.context != SettingContext::User {
            let refused = error(&mut connection, &set(definition.default));
            assert!(refused.starts_with("55P02"), "{name}: {refused}");
            continue;
        }
        match definition.effect() {
            SettingEffect::Acts | SettingEffect::Fixed => {}
            SettingEffect::Only(values) => {
                for value in values {
                    run(&mut connection, &[&set(value)]);
                }
                let words = ["off", "on", "replica", "ddl", "debug1", "md5", "1", "de_DE.UTF-8"];
                let refused: Vec<String> = words
                    .iter()
                    .filter(|word| !values.contains(word))
                    .filter_map(|word| connection.execute(&set(word)).err().map(|e| (word, e)))
                    .filter(|(_, error)| error.sqlstate().as_str() == "0A000")
                    .map(|(word, error)| {
                        assert!(error.message().starts_with(&format!("{name} = '")), "{error}");
                        (*word).to_owned()
                    })
                    .collect();
                assert!(!refused.is_empty(), "{name} refuses nothing");
            }
            SettingEffect::Moot(_) => {
                let value = another(definition);
                run(&mut connection, &[&set(&value), &format!("RESET {name}")]);
                let remark = format!(
                    "SELECT extra_desc LIKE 'It has no effect. %' FROM pg_settings WHERE name = '{name}'"
                );
                assert_eq!(rows(&mut connection, &remark), "true", "{name}");
            }
        }
    }
}

#[test]
fn what_only_a_start_may_change_is_as_honest() {
    for definition in definitions().iter().filter(|found| found.context != SettingContext::User) {
        let name = definition.name;
        let set = |value: &str| Configuration::default().set(name, value);
        match definition.effect() {
            SettingEffect::Acts => set(definition.default).expect("the default is taken"),
            SettingEffect::Fixed => {
                let refused = set(definition.default).expect_err("it is fixed");
                assert_eq!(refused.sqlstate().as_str(), "55P02", "{name}");
            }
            SettingEffect::Only(values) => {
                for value in values {
                    set(value).expect("the values that are supported are taken");
                }
                let words = ["off", "on", "logical", "1"];
                let refused = words
                    .iter()
                    .filter(|word| !values.contains(word))
                    .filter_map(|word| set(word).err())
                    .any(|error| error.sqlstate().as_str() == "0A000");
                assert!(refused, "{name} refuses nothing");
            }
            SettingEffect::Moot(_) => set(&another(definition)).expect("any value is taken"),
        }
    }
}

/// A database in memory with settings of its own, and a connection.
fn configured(settings: &[(&str, &str)]) -> (Database, Connection) {
    let database = open(None, settings);
    let connection = database.connect().expect("a connection opens");
    (database, connection)
}

#[test]
fn sessions_begin_with_what_the_database_was_opened_with() {
    let (_database, mut connection) =
        configured(&[("work_mem", "1MB"), ("shared_buffers", "16MB"), ("TimeZone", "Asia/Tokyo")]);
    assert_eq!(rows(&mut connection, "SHOW work_mem"), "1MB");
    assert_eq!(rows(&mut connection, "SHOW shared_buffers"), "16MB");
    run(&mut connection, &["SET work_mem = '2MB'"]);
    let query = "SELECT name, setting, source, reset_val FROM pg_settings WHERE name IN ('work_mem', 'shared_buffers', 'jit') ORDER BY name";
    assert_eq!(
        rows(&mut connection, query),
        "jit|on|default|on;shared_buffers|2048|command line|2048;work_mem|2048|session|1024"
    );
    run(&mut connection, &["RESET ALL"]);
    assert_eq!(rows(&mut connection, "SHOW work_mem"), "1MB");
    assert_eq!(rows(&mut connection, "SHOW TimeZone"), "Asia/Tokyo");
    assert_eq!(
        rows(&mut connection, "SELECT timestamptz '2001-02-03 00:00+00'::text"),
        "2001-02-03 09:00:00+09"
    );
}

#[test]
fn query_memory_limit_stops_a_statement() {
    let (_database, mut connection) = configured(&[("query_memory_limit", "256kB")]);
    let refused = error(&mut connection, "SELECT array_agg(i) FROM generate_series(1, 1000000) i");
    assert!(refused.starts_with("53200 out of memory"), "{refused}");
    assert_eq!(rows(&mut connection, "SELECT 1"), "1");
}

#[test]
fn what_drivers_and_dumps_set_is_taken() {
    let (_database, mut connection) = connect();
    for statement in [
        "SET statement_timeout = 0",
        "SET lock_timeout = 0",
        "SET idle_in_transaction_session_timeout = 0",
        "SET client_encoding = 'UTF8'",
        "SET standard_conforming_strings = on",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SET check_function_bodies = false",
        "SET xmloption = content",
        "SET client_min_messages = warning",
        "SET row_security = off",
        "SET default_tablespace = ''",
        "SET default_table_access_method = heap",
        "SET synchronize_seqscans TO off",
        "SET extra_float_digits = 3",
        "SET DATESTYLE = ISO",
        "SET INTERVALSTYLE = POSTGRES",
        "SET enable_mergejoin = off",
        "SET jit = off",
        "SET max_parallel_workers_per_gather = 0",
        "SET escape_string_warning = off",
        "SET session_replication_role = DEFAULT",
        "SET TimeZone = 'UTC'",
    ] {
        run(&mut connection, &[statement]);
    }
}

#[test]
fn notices_below_client_min_messages_are_not_sent() {
    let (_database, mut connection) = connect();
    let notice = "DROP TABLE IF EXISTS nothing";
    run(&mut connection, &[notice]);
    assert_eq!(connection.session().take_notices().len(), 1);
    run(&mut connection, &["SET client_min_messages = warning", notice]);
    assert_eq!(connection.session().take_notices().len(), 0);
}

#[test]
fn compiled_and_interpreted_give_the_same() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 3000) i"]);
    let query = "SELECT count(*) FROM t WHERE (a * 3 + 1) % 7 = 2";
    let mut counts = BTreeSet::new();
    for value in ["off", "on", "force", "verify"] {
        run(&mut connection, &[&format!("SET jit = {value}")]);
        counts.insert(rows(&mut connection, query));
    }
    assert_eq!(counts.len(), 1);
}
