//! Texts that real clients and PostgreSQL's own tests send, read from a shared place when it is there.
//!
//! The share that parses may only rise. What does not parse is text that PostgreSQL refuses as well (its tests have
//! errors on purpose), or that psql would have changed first (`:variables`).

use damask_sql::{parse, split};
use std::path::{Path, PathBuf};

/// Statements of the `.sql` files in `folder`, without psql's own commands and without `COPY` data.
pub(crate) fn statements(folder: &Path) -> Vec<String> {
    let mut list = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return list };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "sql")) {
        let Ok(bytes) = std::fs::read(path) else { continue };
        let mut text = String::new();
        let mut data = false;
        for line in String::from_utf8_lossy(&bytes).lines() {
            if data {
                data = line != "\\.";
                continue;
            }
            let lower = line.to_lowercase();
            data = lower.starts_with("copy") && lower.contains("from stdin");
            if !line.starts_with('\\') {
                text.push_str(&line.replace("\\gset", ";").replace("\\gexec", ";"));
                text.push('\n');
            }
        }
        let spans = split(&text).statements;
        list.extend(
            spans.iter().map(|span| text[span.start as usize..span.end as usize].to_owned()),
        );
    }
    list
}

pub(crate) fn shared(folder: &str) -> Vec<String> {
    let shared = std::env::var("DAMASK_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    statements(&shared.join(folder))
}

fn rate(folder: &str, least: f64) {
    let list = shared(folder);
    if list.is_empty() {
        println!("skipped: {folder} is not here (DAMASK_SHARED names its parent)");
        return;
    }
    let parsed = list.iter().filter(|text| parse(text).is_ok()).count();
    let rate = parsed as f64 / list.len() as f64;
    println!("{folder}: {parsed} of {} statements parse", list.len());
    assert!(rate >= least, "{parsed} of {} statements in {folder} parse", list.len());
}

#[test]
fn client_statements_parse() {
    rate("catalog-queries", 0.988);
}

#[test]
fn postgresqls_regression_statements_parse() {
    rate("pg-regress/sql", 0.985);
}
