//! SQL text to syntax tree and back, in PostgreSQL 15's dialect.
//!
//! [`parse`] turns a text of one or more statements into [`ast::Statement`]s; [`parse_expression`] does the same for a
//! stored default or check. The lexer and the recursive-descent parser are our own: PostgreSQL's operator rules,
//! precedence, error texts and positions, in one pass and with a bounded depth.
//!
//! The crate knows no catalog, no types and no files, and depends on nothing of ours.
//!
//! Invariants
//! - P1: no text makes the parser panic or overflow the stack; a tree too high is 54001.
//! - P2: the time is linear in the text.
//! - P3: what the grammar of PostgreSQL 15 accepts but we have no tree for becomes [`ast::Statement::Unsupported`] or an
//!   error with SQLSTATE 0A000, never a wrong tree.

pub mod ast;
mod error;
mod lexer;
mod lift;
mod parser;
mod print;
mod split;

pub use error::{ParseError, Result};
pub use lift::{Constant, Lifted, lift};
pub use print::{print_expression, print_query, print_type, quote_identifier};
pub use split::{Split, split};

use parser::Parser;

/// A statement with its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The statement.
    pub statement: ast::Statement,
    /// Its text, without the semicolon and the blanks and comments around it. All spans inside it count from the
    /// beginning of the whole text.
    pub span: ast::Span,
}

/// Parses a text of any number of statements, separated by semicolons; empty statements leave nothing.
///
/// # Errors
/// 42601 for what is not SQL, 54001 for what nests too deep, 0A000 for forms that have no tree, and what PostgreSQL's
/// scanner and grammar refuse with codes of their own (22025, 22021, 42P02, 42P20, 22003, 22023, 42939).
pub fn parse(text: &str) -> Result<Vec<Parsed>> {
    Parser::new(text).statements()
}

/// Parses a text that holds exactly one statement, or none at all.
///
/// # Errors
/// As [`parse`]; also 42601 `cannot insert multiple commands into a prepared statement`.
pub fn parse_one(text: &str) -> Result<Option<Parsed>> {
    let mut list = parse(text)?;
    if list.len() > 1 {
        let message = "cannot insert multiple commands into a prepared statement";
        return Err(ParseError::new("42601", message, list[1].span.start));
    }
    Ok(list.pop())
}

/// Parses a text that is one expression, such as a stored default or check.
///
/// # Errors
/// As [`parse`].
pub fn parse_expression(text: &str) -> Result<ast::Expr> {
    Parser::new(text).whole_expression()
}
