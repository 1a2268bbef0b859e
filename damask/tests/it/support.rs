//! Running scripts and showing what came of them.

use damask::session::{CopyShape, OutputColumn, Sink};
use damask::types::Batch;
use damask::{Configuration, Connection, Database, DatabaseOptions, Error, Result, Rows, Value};
use damask_types::format::FormatSettings;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A database in memory with a connection.
pub(crate) fn connect() -> (Database, Connection) {
    let database = Database::open_in_memory().expect("a database in memory opens");
    let connection = database.connect().expect("a connection opens");
    (database, connection)
}

/// A database with settings of its own; without a path in memory.
pub(crate) fn open(path: Option<&Path>, settings: &[(&str, &str)]) -> Database {
    let mut configuration = Configuration::default();
    for (name, value) in settings {
        configuration.set(name, value).expect("the setting is taken");
    }
    let options = DatabaseOptions { configuration, ..DatabaseOptions::default() };
    Database::open_with(path, options).expect("the database opens")
}

/// Runs statements that succeed.
pub(crate) fn run(connection: &mut Connection, statements: &[&str]) {
    for statement in statements {
        if let Err(error) = connection.execute(statement) {
            panic!("{statement}: {error:?}");
        }
    }
}

/// The rows of a query: values by `|`, rows by `;`.
pub(crate) fn rows(connection: &mut Connection, query: &str) -> String {
    let rows = match connection.query(query, &[]) {
        Ok(rows) => rows,
        Err(error) => panic!("{query}: {error:?}"),
    };
    rows.iter()
        .map(|row| row.iter().map(show_value).collect::<Vec<_>>().join("|"))
        .collect::<Vec<_>>()
        .join(";")
}

/// Reads of a page from the file so far.
pub(crate) fn pages_loaded(connection: &mut Connection) -> u64 {
    rows(connection, "SELECT pages_loaded FROM damask_pool").parse().expect("a number")
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Numeric(value) => value.to_string(),
        other => other.as_i64().map_or_else(|| format!("{other:?}"), |value| value.to_string()),
    }
}

/// Rows as `(1, a) (2, b)`; `none` if there is no row.
pub(crate) fn show_rows(rows: &Rows) -> String {
    if rows.is_empty() {
        return "none".to_owned();
    }
    let row = |row: &Vec<Value>| {
        format!("({})", row.iter().map(show_value).collect::<Vec<_>>().join(", "))
    };
    rows.iter().map(|values| row(&values)).collect::<Vec<_>>().join(" ")
}

/// The error of a statement that fails: SQLSTATE and message.
pub(crate) fn error(connection: &mut Connection, statement: &str) -> String {
    match connection.execute(statement) {
        Ok(count) => panic!("{statement}: succeeded with {count}"),
        Err(error) => show(&error),
    }
}

/// SQLSTATE and message.
pub(crate) fn show(error: &Error) -> String {
    format!("{} {}", error.sqlstate(), error.message())
}

/// A folder that goes when the test has passed.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("damask-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder is made");
        Self(folder)
    }

    pub(crate) fn open(&self) -> Database {
        self.open_with(&[])
    }

    /// With settings of its own.
    pub(crate) fn open_with(&self, settings: &[(&str, &str)]) -> Database {
        open(Some(&self.0.join("d.damask")), settings)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Takes results and forgets them.
pub(crate) struct Discard {
    /// Whether it holds back what it is told when it is asked to.
    pub(crate) holds: bool,
}

impl Sink for Discard {
    fn columns(&mut self, _columns: &Arc<[OutputColumn]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, _batch: &Batch, _settings: &FormatSettings) -> Result<()> {
        Ok(())
    }

    fn copy_out(&mut self, _data: &[u8]) -> Result<()> {
        Ok(())
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        Ok(())
    }

    fn hold(&mut self, _is_held: bool) -> bool {
        self.holds
    }
}
