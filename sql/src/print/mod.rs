//! Trees back to SQL text, in the manner of PostgreSQL's deparser: every operator in parentheses, key words in capitals,
//! names quoted where they must be, types by their SQL names.
//!
//! Invariants
//! - R1: what is printed parses again, and prints the same again.
//! - R2: the meaning is kept; the spelling is not (`x::int`, `CAST(x AS int)` and `int 'x'` look alike afterwards).
//!
//! Left out: statements other than queries, and line breaks.

mod expr;
mod query;
mod type_name;

use crate::ast::{Expr, Ident, Name, Query, TypeName};
use crate::lexer::{Category, Keyword};

/// The text of an expression.
pub fn print_expression(expr: &Expr) -> String {
    let mut printer = Printer::default();
    printer.expr(expr);
    printer.text
}

/// The text of a query; none if its `WITH` changes rows or has `SEARCH` or `CYCLE`, which are not printed.
pub fn print_query(query: &Query) -> Option<String> {
    let mut printer = Printer::default();
    printer.query(query);
    (!printer.incomplete).then_some(printer.text)
}

/// The text of a type.
pub fn print_type(type_name: &TypeName) -> String {
    let mut printer = Printer::default();
    printer.type_name(type_name);
    printer.text
}

/// `name` as an identifier: in double quotes unless it is plain and no key word forbids it (`quote_ident`).
pub fn quote_identifier(name: &str) -> String {
    let mut printer = Printer::default();
    printer.word(name);
    printer.text
}

/// A text that grows.
#[derive(Default)]
struct Printer {
    text: String,
    /// Something that has no text here was met.
    incomplete: bool,
}

impl Printer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn word(&mut self, name: &str) {
        let mut bytes = name.bytes();
        let plain = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && Keyword::lookup(name.as_bytes())
                .is_none_or(|keyword| keyword.category() == Category::Unreserved);
        if plain {
            return self.push(name);
        }
        self.push("\"");
        self.push(&name.replace('"', "\"\""));
        self.push("\"");
    }

    fn ident(&mut self, ident: &Ident) {
        self.word(&ident.value);
    }

    fn name(&mut self, name: &Name) {
        self.list_with(&name.0, ".", Self::ident);
    }

    fn list_with<T>(&mut self, items: &[T], separator: &str, mut item: impl FnMut(&mut Self, &T)) {
        for (index, entry) in items.iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            item(self, entry);
        }
    }

    /// `(a, b)`.
    fn columns(&mut self, columns: &[Ident]) {
        self.push("(");
        self.list_with(columns, ", ", Self::ident);
        self.push(")");
    }

    /// A string constant, with escapes where a backslash needs them.
    fn string(&mut self, text: &str) {
        if text.contains('\\') {
            self.push("E'");
            self.push(&text.replace('\\', "\\\\").replace('\'', "''"));
        } else {
            self.push("'");
            self.push(&text.replace('\'', "''"));
        }
        self.push("'");
    }
}
