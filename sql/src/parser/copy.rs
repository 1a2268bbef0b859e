//! `COPY`, in its new and its two older spellings.

use super::Parser;
use crate::ast::{
    Copy, CopySource, CopyTarget, Ident, OptionValue, Span, Statement, UtilityOption,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn copy(&mut self) -> Result<Statement> {
        let start = self.bump().start;
        let mut options = Vec::new();
        let query = self.at_punctuation(b'(');
        let source = if query {
            self.bump();
            let statement = self.preparable_statement()?;
            self.expect_punctuation(b')')?;
            CopySource::Statement(Box::new(statement))
        } else {
            if self.at_keyword(Keyword::Binary) {
                let word = self.label()?;
                options.push(text_option("format", "binary", word.span));
            }
            let table = self.relation_name()?;
            CopySource::Table(table, self.optional_columns()?)
        };
        let from = !query && self.eat(Keyword::From);
        if !from {
            self.expect(Keyword::To)?;
        }
        let program = self.eat(Keyword::Program);
        let target = if program {
            CopyTarget::Program(self.string()?)
        } else if self.eat_any(&[Keyword::Stdin, Keyword::Stdout]) {
            CopyTarget::Client
        } else {
            CopyTarget::File(self.string()?)
        };
        if self.at_any(&[Keyword::Using, Keyword::Delimiters]) {
            let start = self.start();
            self.eat(Keyword::Using);
            self.expect(Keyword::Delimiters)?;
            let text = self.string()?;
            options.push(text_option("delimiter", &text, self.span_from(start)));
        }
        self.eat(Keyword::With);
        if self.at_punctuation(b'(') {
            options.append(&mut self.utility_options()?);
        } else {
            while let Some(option) = self.old_copy_option()? {
                options.push(option);
            }
        }
        if !from && self.at_keyword(Keyword::Where) {
            let message = "WHERE clause not allowed with COPY TO";
            return Err(ParseError::new("42601", message, self.start()));
        }
        let filter = self.optional_where()?;
        let span = self.span_from(start);
        Ok(Statement::Copy(Box::new(Copy { source, from, target, options, filter, span })))
    }

    /// One option of the old spelling.
    fn old_copy_option(&mut self) -> Result<Option<UtilityOption>> {
        let token = self.token();
        let Kind::Keyword(keyword) = token.kind else { return Ok(None) };
        let span = Span::new(token.start, token.end);
        let option = match keyword {
            Keyword::Binary => {
                self.bump();
                text_option("format", "binary", span)
            }
            Keyword::Csv => {
                self.bump();
                text_option("format", "csv", span)
            }
            Keyword::Freeze => {
                self.bump();
                bare_option("freeze", span)
            }
            Keyword::Header => {
                self.bump();
                bare_option("header", span)
            }
            Keyword::Delimiter => self.old_text_option("delimiter", span)?,
            Keyword::Null => self.old_text_option("null", span)?,
            Keyword::Quote => self.old_text_option("quote", span)?,
            Keyword::Escape => self.old_text_option("escape", span)?,
            Keyword::Encoding => self.old_text_option("encoding", span)?,
            Keyword::Force => {
                self.bump();
                let name = if self.eat(Keyword::Quote) {
                    "force_quote"
                } else if self.eat_all(&[Keyword::Not, Keyword::Null]) {
                    "force_not_null"
                } else {
                    self.expect(Keyword::Null)?;
                    "force_null"
                };
                let value = if name == "force_quote" && self.eat_punctuation(b'*') {
                    OptionValue::Star
                } else {
                    OptionValue::List(self.list(Self::column_id)?)
                };
                UtilityOption { name: Ident::new(name, span), value: Some(value) }
            }
            _ => return Ok(None),
        };
        Ok(Some(option))
    }

    fn old_text_option(&mut self, name: &str, span: Span) -> Result<UtilityOption> {
        self.bump();
        self.eat(Keyword::As);
        let text = self.string()?;
        Ok(text_option(name, &text, span))
    }

    /// `(name [value], ...)`.
    pub(super) fn utility_options(&mut self) -> Result<Vec<UtilityOption>> {
        self.parenthesised(|parser| {
            let name = parser.ident(|_| true)?;
            let value = match parser.kind() {
                Kind::Punctuation(b',' | b')') => None,
                Kind::Punctuation(b'*') => {
                    parser.bump();
                    Some(OptionValue::Star)
                }
                Kind::Punctuation(b'(') => {
                    Some(OptionValue::List(parser.parenthesised(Self::label)?))
                }
                _ => Some(parser.option_value()?),
            };
            Ok(UtilityOption { name, value })
        })
    }

    fn option_value(&mut self) -> Result<OptionValue> {
        if let Some(number) = self.eat_number() {
            return Ok(OptionValue::Number(number));
        }
        if let Some(text) = self.eat_string()? {
            return Ok(OptionValue::Text(text));
        }
        Ok(OptionValue::Text(self.label()?.value))
    }
}

/// `name 'text'`.
fn text_option(name: &str, text: &str, span: Span) -> UtilityOption {
    let value = Some(OptionValue::Text(text.into()));
    UtilityOption { name: Ident::new(name, span), value }
}

/// `name`, which means true.
pub(super) fn bare_option(name: &str, span: Span) -> UtilityOption {
    UtilityOption { name: Ident::new(name, span), value: None }
}
