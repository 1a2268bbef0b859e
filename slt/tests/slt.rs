//! Every case of `cases/` in the process, and some of each area over the wire.

use damask_slt::{Door, Summary, collect_files, run_files};
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = collect_files(&folder).expect("the folder of cases can be read");
    assert!(!files.is_empty(), "there are cases");
    files
}

#[track_caller]
fn expect_ok(summary: &Summary) {
    let failures: Vec<String> = summary.failures.iter().map(ToString::to_string).collect();
    assert!(summary.is_ok(), "{summary}\n{}", failures.join("\n"));
}

#[test]
fn embedded() {
    expect_ok(&run_files(&cases(), Door::Embedded, |_, _| ()));
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
    expect_ok(&run_files(&files, Door::Wire, |_, _| ()));
}
