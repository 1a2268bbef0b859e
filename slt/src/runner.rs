//! Files and records: each file in a fresh in-memory database, every record whatever became of those before it.
//!
//! A file runs in a thread of its own, so that a panic of the engine is a failure of that file and not the end of the run.

use crate::engine::Door;
use crate::engine::embedded::Embedded;
use crate::engine::wire::Wire;
use damask::Database;
use sqllogictest::{AsyncDB, DefaultColumnType, MakeConnection, Normalizer, Record, Runner};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, future, io, thread};

/// Stack of the thread that runs a file.
const STACK_BYTES: usize = 32 << 20;

/// A record that did not answer as it must.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The file.
    pub file: PathBuf,
    /// The record's first line, from 1; 0 is the whole file.
    pub line: u32,
    /// What was expected and what came.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// What came of one or more files.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Files run.
    pub files: usize,
    /// Statements and queries that were run.
    pub records: usize,
    /// Those that failed.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// Whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.records += other.records;
        self.failures.extend(other.failures);
        self.elapsed += other.elapsed;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures.len();
        write!(
            f,
            "{} of {} records passed, {failed} failed, {} files, {:.1} s",
            self.records.saturating_sub(failed),
            self.records,
            self.files,
            self.elapsed.as_secs_f64()
        )
    }
}

/// The `.slt` and `.test` files of a path, sorted: the file itself, or those of a folder at any depth.
///
/// # Errors
/// If a folder cannot be read.
pub fn collect_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = vec![];
    let mut folders = vec![path.to_owned()];
    if !path.is_dir() {
        return Ok(folders);
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "slt" || ext == "test") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Runs files one after the other; `progress` hears of each when it is over.
pub fn run_files(
    files: &[PathBuf],
    door: Door,
    mut progress: impl FnMut(&Path, &Summary),
) -> Summary {
    let mut total = Summary::default();
    for file in files {
        let summary = run_file(file, door);
        progress(file, &summary);
        total.add(summary);
    }
    total
}

/// Runs one file through a door.
#[expect(clippy::disallowed_methods, reason = "tells a person how long the file took")]
pub fn run_file(file: &Path, door: Door) -> Summary {
    let started = Instant::now();
    let path = file.to_owned();
    let outcome = thread::Builder::new()
        .name("slt".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run_here(&path, door));
    let whole = |message: String| Failure { file: file.to_owned(), line: 0, message };
    let mut summary = match outcome.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(summary))) => summary,
        Ok(Ok(Err(message))) => Summary { failures: vec![whole(message)], ..Summary::default() },
        Ok(Err(_)) => {
            Summary { failures: vec![whole("panicked".to_owned())], ..Summary::default() }
        }
        Err(error) => Summary { failures: vec![whole(error.to_string())], ..Summary::default() },
    };
    summary.files = 1;
    summary.elapsed = started.elapsed();
    summary
}

fn run_here(file: &Path, door: Door) -> Result<Summary, String> {
    let script = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let name = file.display().to_string();
    let records = sqllogictest::parse_with_name::<DefaultColumnType>(&script, name)
        .map_err(|error| error.to_string())?;
    let database = Database::open_in_memory().map_err(|error| error.message().to_owned())?;
    match door {
        Door::Embedded => {
            Ok(run_records(file, records, || future::ready(Embedded::new(&database))))
        }
        Door::Wire => {
            let options = damask_server::ServerOptions {
                listen: "127.0.0.1:0".to_owned(),
                ..damask_server::ServerOptions::default()
            };
            let server = damask_server::serve(database, options)
                .map_err(|error| error.message().to_owned())?;
            let address = server.local_addr();
            let summary = run_records(file, records, || future::ready(Wire::connect(address)));
            server.stop();
            Ok(summary)
        }
    }
}

fn run_records<D, M>(file: &Path, records: Vec<Record<DefaultColumnType>>, make: M) -> Summary
where
    D: AsyncDB<ColumnType = DefaultColumnType>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = Runner::new(make);
    runner.add_label("damask");
    runner.add_label("postgresql");
    runner.with_validator(rows_match);
    let mut summary = Summary::default();
    for record in records {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        if matches!(record, Record::Statement { .. } | Record::Query { .. }) {
            summary.records += 1;
        }
        if let Err(error) = runner.run(record) {
            summary.failures.push(Failure {
                file: file.to_owned(),
                line: error.location().line(),
                message: error.kind().to_string(),
            });
        }
    }
    runner.shutdown();
    summary
}

/// Rows are equal to the expected lines, whether those separate columns by tabs or by spaces.
fn rows_match(normalize: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    actual.len() == expected.len()
        && actual.iter().zip(expected).all(|(row, line)| {
            row.join("\t").trim_end() == line.trim_end()
                || (!line.contains('\t') && normalize(&row.join(" ")) == normalize(line))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_by_column_when_the_line_has_tabs() {
        let row = |values: &[&str]| vec![values.iter().map(|&value| value.to_owned()).collect()];
        let equal = |actual: &[&str], line: &str| {
            rows_match(sqllogictest::default_normalizer, &row(actual), &[line.to_owned()])
        };
        assert!(equal(&["a", "b c"], "a\tb c"));
        assert!(equal(&["a", "b"], "a b"));
        assert!(equal(&["a   "], "a"));
        assert!(!equal(&["a b", "c"], "a\tb c"));
        assert!(!equal(&["a"], "b"));
        assert!(!rows_match(sqllogictest::default_normalizer, &[], &["a".to_owned()]));
    }
}
