//! The error that every layer speaks and every client sees.
//!
//! An [`Error`] carries a SQLSTATE, PostgreSQL's message fields, and the cause it came from. It is one pointer wide,
//! so a `Result` costs little on the paths that succeed.

use crate::SqlState;
use std::fmt;

/// The result of anything that can fail towards a client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a statement's text: a byte offset from 0.
///
/// Clients are shown characters from 1; the conversion happens where the statement's text is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u32);

/// An error with its SQLSTATE and the fields a client may be shown.
pub struct Error(Box<Fields>);

/// What an [`Error`] carries. Every optional field is one of the protocol's.
#[derive(Debug)]
pub struct Fields {
    /// The class and case, five characters.
    pub sqlstate: SqlState,
    /// One line, lower case, no full stop.
    pub message: String,
    /// A full sentence with particulars.
    pub detail: Option<String>,
    /// A full sentence with what to do.
    pub hint: Option<String>,
    /// Where in the statement's text.
    pub position: Option<Position>,
    /// Where it happened, as a call stack of SQL-visible things.
    pub context: Option<String>,
    /// Schema of the object concerned.
    pub schema: Option<String>,
    /// Table concerned.
    pub table: Option<String>,
    /// Column concerned.
    pub column: Option<String>,
    /// Data type concerned.
    pub data_type: Option<String>,
    /// Constraint concerned.
    pub constraint: Option<String>,
    /// PostgreSQL's function that reports it, for the few errors that drivers know by it.
    pub routine: Option<&'static str>,
    /// The error below this one.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a SQLSTATE and a message.
    #[cold]
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
            routine: None,
            source: None,
        }))
    }

    /// 0A000: `what` is a statement or feature Damask does not have.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    /// XX000: a guarantee of our own code was broken.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    /// XX000 for a panic that was caught, with what it said.
    #[must_use]
    pub fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("of unknown cause");
        Self::internal(format!("internal error: {text}"))
    }

    /// XX001: bytes on disk are not what was written; `message` names file, page and expectation.
    pub fn corrupted(message: impl Into<String>) -> Self {
        Self::new(SqlState::DATA_CORRUPTED, message)
    }

    /// Adds a detail sentence.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a hint sentence.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the place in the statement's text unless one is known already.
    pub fn at(mut self, position: Position) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    /// Names the table concerned.
    pub fn table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    /// Names the column concerned.
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// Names the constraint concerned.
    pub fn constraint(mut self, constraint: impl Into<String>) -> Self {
        self.0.constraint = Some(constraint.into());
        self
    }

    /// Names PostgreSQL's function that reports this error. Drivers tell a few errors from others of their SQLSTATE by it.
    pub fn routine(mut self, routine: &'static str) -> Self {
        self.0.routine = Some(routine);
        self
    }

    /// Adds a line of context.
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    /// Keeps the error below this one.
    pub fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The SQLSTATE.
    pub fn sqlstate(&self) -> SqlState {
        self.0.sqlstate
    }

    /// Whether there was no room on a disk (53100): what is refused for that may be tried again.
    pub fn is_disk_full(&self) -> bool {
        self.sqlstate() == SqlState::DISK_FULL
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The place in the statement's text.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// Every field.
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// Every field, to be changed.
    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

const _: () = assert!(size_of::<Error>() == size_of::<usize>());
