//! What records run against: a session of a fresh database, reached through one of two doors.

pub mod embedded;
pub mod wire;

use sqllogictest::{DBOutput, DefaultColumnType};
use std::fmt;

/// How a session is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// In the process.
    Embedded,
    /// Over TCP, by PostgreSQL's protocol.
    Wire,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Wire => "wire",
        })
    }
}

/// An error that a statement raised, as the runner compares and prints it.
#[derive(Debug)]
pub struct SqlError {
    /// Five characters.
    pub sqlstate: String,
    /// The message alone.
    pub message: String,
}

impl SqlError {
    /// 08006: the connection broke, in whatever way.
    pub(crate) fn broken(reason: impl fmt::Display) -> Self {
        Self { sqlstate: "08006".to_owned(), message: format!("connection broken: {reason}") }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate, self.message)
    }
}

impl std::error::Error for SqlError {}

impl From<damask::Error> for SqlError {
    fn from(error: damask::Error) -> Self {
        Self { sqlstate: error.sqlstate().to_string(), message: error.message().to_owned() }
    }
}

/// The answer to one record: the last statement's rows, or the number of rows it touched.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    types: Option<Vec<DefaultColumnType>>,
    rows: Vec<Vec<String>>,
    count: u64,
}

impl Answer {
    /// A statement with rows begins; `oids` are its columns' types.
    pub(crate) fn columns(&mut self, oids: impl Iterator<Item = u32>) {
        self.types = Some(oids.map(column_type).collect());
        self.rows.clear();
    }

    /// Takes a row's values; `None` is null.
    pub(crate) fn row<'a>(&mut self, values: impl Iterator<Item = Option<&'a [u8]>>) {
        self.rows.push(values.map(value_text).collect());
    }

    /// A statement is over.
    pub(crate) fn tag(&mut self, tag: &str) {
        self.count = tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    }

    pub(crate) fn into_output(self) -> DBOutput<DefaultColumnType> {
        match self.types {
            Some(types) if !types.is_empty() || !self.rows.is_empty() => {
                DBOutput::Rows { types, rows: self.rows }
            }
            _ => DBOutput::StatementComplete(self.count),
        }
    }
}

/// The letter of a type: whole numbers, other numbers, the rest.
fn column_type(oid: u32) -> DefaultColumnType {
    match oid {
        20 | 21 | 23 | 26 => DefaultColumnType::Integer,
        700 | 701 | 1700 => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

/// A value in one line.
fn value_text(value: Option<&[u8]>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some([]) => "(empty)".to_owned(),
        Some(text) => String::from_utf8_lossy(text)
            .replace('\n', "\\n")
            .replace('\t', "\\t")
            .replace('\r', "\\r"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_in_one_line() {
        assert_eq!(value_text(None), "NULL");
        assert_eq!(value_text(Some(b"")), "(empty)");
        assert_eq!(value_text(Some(b"a\tb\nc")), "a\\tb\\nc");
    }

    #[test]
    fn a_later_statement_replaces_the_rows_of_an_earlier() {
        let mut answer = Answer::default();
        answer.columns([23].into_iter());
        answer.row([Some(b"1".as_slice())].into_iter());
        answer.columns([25].into_iter());
        answer.row([Some(b"x".as_slice())].into_iter());
        answer.tag("SELECT 1");
        match answer.into_output() {
            DBOutput::Rows { types, rows } => {
                assert_eq!(types, [DefaultColumnType::Text]);
                assert_eq!(rows, [["x"]]);
            }
            _ => panic!("rows were given"),
        }
    }
}
