//! A text into its statements, without parsing them: for shells and scripts.

use crate::ast::Span;
use crate::lexer::{Keyword, Kind, Token, tokenize};

/// The places of the statements in `text`, each without its semicolon, and whether the last one is still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The statements; empty ones are left out.
    pub statements: Vec<Span>,
    /// The text ends inside a statement, a string or a comment: no semicolon closed it yet.
    pub open: bool,
}

/// Finds the statements of `text`.
///
/// Semicolons inside strings, comments, parentheses and `BEGIN ATOMIC ... END` bodies end nothing. O(text).
pub fn split(text: &str) -> Split {
    let tokens = tokenize(text);
    let mut statements = Vec::new();
    let mut first: Option<Token> = None;
    let mut end = 0;
    let mut parentheses = 0_usize;
    let mut blocks = 0_usize;
    for (index, &token) in tokens.list.iter().enumerate() {
        match token.kind {
            Kind::End => break,
            Kind::Error => {
                let start = first.map_or(token.start, |token| token.start);
                statements.push(Span::new(start, text.len() as u32));
                return Split { statements, open: true };
            }
            Kind::Punctuation(b';') if parentheses == 0 && blocks == 0 => {
                if let Some(first) = first.take() {
                    statements.push(Span::new(first.start, end));
                }
                continue;
            }
            Kind::Punctuation(b'(') => parentheses += 1,
            Kind::Punctuation(b')') => parentheses = parentheses.saturating_sub(1),
            Kind::Keyword(Keyword::Begin)
                if tokens
                    .list
                    .get(index + 1)
                    .is_some_and(|next| next.kind == Kind::Keyword(Keyword::Atomic)) =>
            {
                blocks += 1;
            }
            Kind::Keyword(Keyword::Case) if blocks > 0 => blocks += 1,
            Kind::Keyword(Keyword::End) => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        first.get_or_insert(token);
        end = token.end;
    }
    let open = first.is_some();
    if let Some(first) = first {
        statements.push(Span::new(first.start, end));
    }
    Split { statements, open }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Vec<&str>, bool) {
        let split = split(text);
        let part = |span: &Span| &text[span.start as usize..span.end as usize];
        (split.statements.iter().map(part).collect(), split.open)
    }

    #[test]
    fn statements_end_at_outer_semicolons() {
        assert_eq!(
            parts("select 1; ;\nselect ';' -- ;\n;"),
            (vec!["select 1", "select ';'"], false)
        );
        assert_eq!(parts("select 1; select 2"), (vec!["select 1", "select 2"], true));
        assert_eq!(parts("select 'a"), (vec!["select 'a"], true));
        assert_eq!(parts("create rule r do (a; b);"), (vec!["create rule r do (a; b)"], false));
        let body = "create function f() begin atomic select case when a then b end; end";
        assert_eq!(parts(&format!("{body};")), (vec![body], false));
        assert_eq!(parts(""), (vec![], false));
    }
}
