//! Every case of `cases/` in the process, and some of each area over the wire.

use damask_slt::{Door, Summary, collect_files, run_files};
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = collect_files(&folder).expect("the folder of cases can be read");
    assert!(!files.is_empty(), "there are cases");
    files
}

/// Records that do not give PostgreSQL's answer yet, as `file:line`. A list that only shrinks: a record that fails and is not
/// here fails the test, and so does one that is here and passes.
const KNOWN_FAILURES: &str = include_str!("../known_failures.txt");

#[track_caller]
fn expect_known(summary: &Summary, files: &[PathBuf]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let name = |file: &Path| file.strip_prefix(&folder).unwrap_or(file).display().to_string();
    let ran: Vec<String> = files.iter().map(|file| name(file)).collect();
    let mut known: Vec<&str> = KNOWN_FAILURES
        .lines()
        .filter(|line| {
            line.rsplit_once(':').is_some_and(|(file, _)| ran.iter().any(|ran| ran == file))
        })
        .collect();
    let mut news = vec![];
    for failure in &summary.failures {
        let at = format!("{}:{}", name(&failure.file), failure.line);
        match known.iter().position(|known| *known == at) {
            Some(index) => drop(known.swap_remove(index)),
            None => news.push(format!("{at}: {}", failure.message)),
        }
    }
    assert!(news.is_empty(), "{summary}\n{}", news.join("\n"));
    assert!(known.is_empty(), "these pass; take them off the list: {known:?}");
}

#[test]
fn embedded() {
    let files = cases();
    expect_known(&run_files(&files, Door::Embedded, |_, _| ()), &files);
}

#[test]
fn over_the_wire() {
    let some =
        ["boolean", "bytea", "dates", "joins", "basics", "transactions", "isolation", "prepared"];
    let files: Vec<PathBuf> = cases()
        .into_iter()
        .filter(|file| file.file_stem().is_some_and(|stem| some.iter().any(|name| stem == *name)))
        .collect();
    assert_eq!(files.len(), some.len());
    expect_known(&run_files(&files, Door::Wire, |_, _| ()), &files);
}
