//! What the parser says when a text is not SQL.

use std::fmt;

/// A parse failure, in PostgreSQL's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The message, for example `syntax error at or near "x"`.
    pub message: String,
    /// The SQLSTATE: 42601 for syntax, others for what PostgreSQL's scanner and grammar tell apart.
    pub sqlstate: &'static str,
    /// Byte offset in the text where the error is. PostgreSQL's `POSITION` counts characters from 1.
    pub position: u32,
    /// `HINT`.
    pub hint: Option<String>,
}

impl ParseError {
    /// An error with code `sqlstate` at byte `position`.
    pub(crate) fn new(sqlstate: &'static str, message: impl Into<String>, position: u32) -> Self {
        Self { message: message.into(), sqlstate, position, hint: None }
    }

    /// The same error with a hint.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// A result of the parser.
pub type Result<T, E = ParseError> = std::result::Result<T, E>;
