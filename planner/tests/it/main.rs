//! Scripts of SQL against a small catalog: what binds, what does not and why, and which plans come out.
//!
//! A script's lines that begin with `-- rows t 1000` give tables sizes; DDL fills the catalog; each other statement is planned and its
//! plan, or its error with SQLSTATE and position, is recorded in the `.out` file beside the script. `UPDATE_GOLDEN=1`
//! records anew; what changed must be read before it is committed.

mod world;

use std::fmt::Write as _;
use std::path::Path;
use world::World;

fn run(path: &Path) {
    let text = std::fs::read_to_string(path).expect("the script is there");
    let mut world = World::default();
    let mut out = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("-- rows ") {
            let (table, rows) = rest.split_once(' ').expect("a table and a number");
            world.rows.insert(table.to_owned(), rows.trim().parse().expect("a number"));
        }
    }
    for parsed in damask_sql::parse(&text).expect("the script parses") {
        let sql = &text[parsed.span.start as usize..parsed.span.end as usize];
        if world.define(&parsed.statement, sql) {
            continue;
        }
        let _ = writeln!(out, "{sql};");
        match world.plan(&parsed.statement, &text) {
            Ok(plan) => {
                let options =
                    damask_planner::explain::ExplainOptions { costs: false, ..Default::default() };
                for line in damask_planner::explain::text(&plan, options, None) {
                    let _ = writeln!(out, "    {line}");
                }
                let columns: Vec<String> = plan
                    .columns
                    .iter()
                    .map(|column| {
                        format!("{} {}", column.name, damask_types::format::format_type(column.ty))
                    })
                    .collect();
                let _ = writeln!(out, "    columns: {}", columns.join(", "));
            }
            Err(error) => {
                let place = error.position().map_or(String::new(), |position| {
                    let rest = &text[position.0 as usize..parsed.span.end as usize];
                    format!(" at {:?}", rest.chars().take(12).collect::<String>())
                });
                let _ = writeln!(
                    out,
                    "    error {}: {}{place}",
                    error.sqlstate().as_str(),
                    error.message()
                );
                if let Some(hint) = &error.fields().hint {
                    let _ = writeln!(out, "    hint: {hint}");
                }
            }
        }
        out.push('\n');
    }
    let golden = path.with_extension("out");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &out).expect("the folder can be written");
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        out == expected,
        "{} differs; run with UPDATE_GOLDEN=1 and read the change:\n{out}",
        golden.display()
    );
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

#[test]
fn scripts() {
    let mut scripts: Vec<_> = std::fs::read_dir(folder("bind"))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    scripts.sort();
    for script in scripts {
        run(&script);
    }
}

/// A sample is drawn by the first statement that needs it, which then waits for it: what finds one row does not.
#[test]
fn a_whole_unique_key_asks_for_no_sample() {
    let mut world = World::default();
    world.rows.insert("lines".to_owned(), 1e6);
    let tables = "CREATE TABLE lines (\"order\" int, line int, item int, code text UNIQUE, PRIMARY KEY (\"order\", line));
        CREATE INDEX ON lines (item)";
    let sampled = |world: &mut World, sql: &str| {
        world.sampled.borrow_mut().clear();
        for parsed in damask_sql::parse(sql).expect("it parses") {
            let text = &sql[parsed.span.start as usize..parsed.span.end as usize];
            if !world.define(&parsed.statement, text) {
                world.plan(&parsed.statement, sql).expect("it plans");
            }
        }
        !world.sampled.borrow().is_empty()
    };
    sampled(&mut world, tables);
    for sql in [
        "SELECT item FROM lines WHERE \"order\" = 1 AND line = 2",
        "SELECT item FROM lines WHERE \"order\" = 1 AND line = 2 AND item = 3 FOR UPDATE",
        "SELECT item FROM lines WHERE code = 'a'",
        "UPDATE lines SET item = item + 1 WHERE \"order\" = 1 AND line = 2",
        "DELETE FROM lines WHERE code = 'a' AND item > 1",
        "INSERT INTO lines VALUES (1, 2, 3, 'a') ON CONFLICT (code) DO UPDATE SET item = 4",
    ] {
        assert!(!sampled(&mut world, sql), "{sql}");
    }
    for sql in
        ["SELECT item FROM lines WHERE \"order\" = 1", "SELECT code FROM lines WHERE item = 3"]
    {
        assert!(sampled(&mut world, sql), "{sql}");
    }
}

/// TPC-H: every query plans, none falls back to running a subquery for each row (lookups through an index do not count).
#[test]
fn tpch() {
    let schema =
        std::fs::read_to_string(folder("tpch").join("schema.sql")).expect("the schema is there");
    let mut world = World::default();
    for parsed in damask_sql::parse(&schema).expect("the schema parses") {
        let sql = &schema[parsed.span.start as usize..parsed.span.end as usize];
        assert!(world.define(&parsed.statement, sql), "{sql}");
    }
    for (table, rows) in [
        ("region", 5.0),
        ("nation", 25.0),
        ("supplier", 10_000.0),
        ("customer", 150_000.0),
        ("part", 200_000.0),
        ("partsupp", 800_000.0),
        ("orders", 1_500_000.0),
        ("lineitem", 6_001_215.0),
    ] {
        world.rows.insert(table.to_owned(), rows);
    }
    let mut out = String::new();
    for number in 1..=22 {
        let path = folder("tpch").join(format!("q{number:02}.sql"));
        let text = std::fs::read_to_string(&path).expect("the query is there");
        for parsed in damask_sql::parse(&text).expect("the query parses") {
            let sql = &text[parsed.span.start as usize..parsed.span.end as usize];
            if world.define(&parsed.statement, sql)
                || !matches!(parsed.statement, damask_sql::ast::Statement::Query(_))
            {
                continue;
            }
            let plan = match world.plan(&parsed.statement, &text) {
                Ok(plan) => plan,
                Err(error) => panic!("query {number}: {error:?}"),
            };
            let _ = writeln!(out, "Q{number}");
            let options =
                damask_planner::explain::ExplainOptions { costs: false, ..Default::default() };
            for line in damask_planner::explain::text(&plan, options, None) {
                let _ = writeln!(out, "    {line}");
            }
            for node in &plan.nodes {
                if let damask_planner::physical::Operator::Apply { right, .. } = &node.operator {
                    let right = plan.node(*right);
                    assert!(
                        matches!(
                            right.operator,
                            damask_planner::physical::Operator::IndexScan { .. }
                        ),
                        "query {number} runs a subquery for each row:\n{out}"
                    );
                }
            }
        }
    }
    let golden = folder("tpch").join("plans.out");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &out).expect("the folder can be written");
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        out == expected,
        "the plans differ; run with UPDATE_GOLDEN=1 and read the change:\n{out}"
    );
}
