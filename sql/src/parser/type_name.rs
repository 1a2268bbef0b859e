//! Type names, and constants of a type the grammar spells.

use super::Parser;
use crate::ast::{Expr, ExprKind, Ident, IntervalFields, Literal, Name, Span, TypeName};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// A type (`Typename`).
    pub(super) fn type_name(&mut self) -> Result<TypeName> {
        let start = self.start();
        let setof = self.eat(Keyword::Setof);
        let mut type_name = self.simple_type()?;
        type_name.setof = setof;
        if self.eat(Keyword::Array) {
            let bound = if self.eat_punctuation(b'[') {
                let bound = self.integer()?;
                self.expect_punctuation(b']')?;
                Some(bound)
            } else {
                None
            };
            type_name.array.push(bound);
        } else {
            while self.eat_punctuation(b'[') {
                let bound = if self.at_punctuation(b']') { None } else { Some(self.integer()?) };
                self.expect_punctuation(b']')?;
                type_name.array.push(bound);
            }
        }
        type_name.span = self.span_from(start);
        Ok(type_name)
    }

    fn simple_type(&mut self) -> Result<TypeName> {
        if let Some(type_name) = self.grammar_type()? {
            return Ok(type_name);
        }
        let start = self.start();
        let first = self.ident(super::is_type_or_function)?;
        let name = self.name_after(first)?;
        let percent_type = self.at_punctuation(b'%') && self.keyword_at(1, Keyword::Type);
        if percent_type {
            self.at += 2;
        }
        let modifiers = if self.at_punctuation(b'(') && !percent_type {
            self.parenthesised(Self::expr)?
        } else {
            Vec::new()
        };
        Ok(TypeName {
            name,
            system: false,
            modifiers,
            interval: None,
            array: Vec::new(),
            setof: false,
            percent_type,
            span: self.span_from(start),
        })
    }

    /// A type that the grammar spells with key words, if one follows.
    fn grammar_type(&mut self) -> Result<Option<TypeName>> {
        let Kind::Keyword(keyword) = self.kind() else { return Ok(None) };
        let start = self.start();
        let mut modifiers = Vec::new();
        let mut interval = None;
        let name = match keyword {
            Keyword::Int | Keyword::Integer => self.word_type("int4"),
            Keyword::Smallint => self.word_type("int2"),
            Keyword::Bigint => self.word_type("int8"),
            Keyword::Real => self.word_type("float4"),
            Keyword::Boolean => self.word_type("bool"),
            Keyword::Double if self.keyword_at(1, Keyword::Precision) => {
                self.bump();
                self.word_type("float8")
            }
            Keyword::Float => {
                self.bump();
                self.float_size()?
            }
            Keyword::Decimal | Keyword::Dec | Keyword::Numeric => {
                self.bump();
                if self.at_punctuation(b'(') {
                    modifiers = self.parenthesised(Self::expr)?;
                }
                "numeric"
            }
            Keyword::Bit => {
                self.bump();
                let varying = self.eat(Keyword::Varying);
                if self.at_punctuation(b'(') {
                    modifiers = self.parenthesised(Self::expr)?;
                } else if !varying {
                    modifiers.push(integer(1, self.span_from(start)));
                }
                if varying { "varbit" } else { "bit" }
            }
            Keyword::Character
            | Keyword::Char
            | Keyword::Varchar
            | Keyword::National
            | Keyword::Nchar => self.character(keyword, &mut modifiers)?,
            Keyword::Timestamp | Keyword::Time => {
                self.bump();
                self.precision(&mut modifiers)?;
                let zoned = if self.eat_all(&[Keyword::With, Keyword::Time, Keyword::Zone]) {
                    true
                } else {
                    self.eat_all(&[Keyword::Without, Keyword::Time, Keyword::Zone]);
                    false
                };
                match (keyword, zoned) {
                    (Keyword::Timestamp, true) => "timestamptz",
                    (Keyword::Timestamp, false) => "timestamp",
                    (_, true) => "timetz",
                    (_, false) => "time",
                }
            }
            Keyword::Interval => {
                self.bump();
                self.precision(&mut modifiers)?;
                if modifiers.is_empty() {
                    interval = self.interval_fields(&mut modifiers)?;
                }
                "interval"
            }
            _ => return Ok(None),
        };
        let span = self.span_from(start);
        Ok(Some(TypeName {
            name: Name(vec![Ident::new(name, span)]),
            system: true,
            modifiers,
            interval,
            array: Vec::new(),
            setof: false,
            percent_type: false,
            span,
        }))
    }

    fn word_type(&mut self, name: &'static str) -> &'static str {
        self.bump();
        name
    }

    /// `float`, `float(n)`.
    fn float_size(&mut self) -> Result<&'static str> {
        let position = self.tokens.get(self.at + 1).map_or(0, |token| token.start);
        let message = match self.optional_precision()? {
            None | Some(25..=53) => return Ok("float8"),
            Some(1..=24) => return Ok("float4"),
            Some(..=0) => "precision for type float must be at least 1 bit",
            Some(_) => "precision for type float must be less than 54 bits",
        };
        Err(ParseError::new("22023", message, position))
    }

    fn character(&mut self, keyword: Keyword, modifiers: &mut Vec<Expr>) -> Result<&'static str> {
        let start = self.bump().start;
        if keyword == Keyword::National && !self.eat(Keyword::Character) && !self.eat(Keyword::Char)
        {
            return Err(self.unexpected());
        }
        let varying = keyword == Keyword::Varchar || self.eat(Keyword::Varying);
        if self.at_punctuation(b'(') {
            self.precision(modifiers)?;
        } else if !varying && !self.at_string() {
            // A constant `char 'text'` keeps its length; a type `char` is `char(1)`.
            modifiers.push(integer(1, self.span_from(start)));
        }
        Ok(if varying { "varchar" } else { "bpchar" })
    }

    /// `(n)` into `modifiers`.
    fn precision(&mut self, modifiers: &mut Vec<Expr>) -> Result<()> {
        let start = self.start();
        if let Some(precision) = self.optional_precision()? {
            modifiers.push(integer(i64::from(precision), self.span_from(start)));
        }
        Ok(())
    }

    /// `DAY TO SECOND (3)` and the like.
    fn interval_fields(&mut self, modifiers: &mut Vec<Expr>) -> Result<Option<IntervalFields>> {
        let Kind::Keyword(first) = self.kind() else { return Ok(None) };
        let fields = match first {
            Keyword::Year => IntervalFields::Year,
            Keyword::Month => IntervalFields::Month,
            Keyword::Day => IntervalFields::Day,
            Keyword::Hour => IntervalFields::Hour,
            Keyword::Minute => IntervalFields::Minute,
            Keyword::Second => IntervalFields::Second,
            _ => return Ok(None),
        };
        self.bump();
        if fields == IntervalFields::Second {
            self.precision(modifiers)?;
            return Ok(Some(fields));
        }
        if fields == IntervalFields::Month || !self.eat(Keyword::To) {
            return Ok(Some(fields));
        }
        let Kind::Keyword(last) = self.kind() else { return Err(self.unexpected()) };
        let range = match (fields, last) {
            (IntervalFields::Year, Keyword::Month) => IntervalFields::YearToMonth,
            (IntervalFields::Day, Keyword::Hour) => IntervalFields::DayToHour,
            (IntervalFields::Day, Keyword::Minute) => IntervalFields::DayToMinute,
            (IntervalFields::Day, Keyword::Second) => IntervalFields::DayToSecond,
            (IntervalFields::Hour, Keyword::Minute) => IntervalFields::HourToMinute,
            (IntervalFields::Hour, Keyword::Second) => IntervalFields::HourToSecond,
            (IntervalFields::Minute, Keyword::Second) => IntervalFields::MinuteToSecond,
            _ => return Err(self.unexpected()),
        };
        self.bump();
        if last == Keyword::Second {
            self.precision(modifiers)?;
        }
        Ok(Some(range))
    }

    /// A constant of a type that the grammar spells: `timestamp with time zone '...'`, `interval '1' day`.
    ///
    /// Its words may also be the name of a column, so what is no constant is left unread.
    pub(super) fn typed_literal(&mut self) -> Result<Option<Expr>> {
        let start = self.at;
        let literal = match self.grammar_type() {
            Ok(Some(type_name)) => type_name,
            Ok(None) => return Ok(None),
            // What follows a column named like a type may look like a broken type: `int(a)`.
            Err(error) if error.sqlstate == "42601" => {
                self.at = start;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if !self.at_string() {
            self.at = start;
            return Ok(None);
        }
        let fields_before = literal.interval.is_some();
        let mut expr = self.literal_of(literal)?;
        if let ExprKind::Cast { type_name, .. } = &mut expr.kind
            && &*type_name.name.base().value == "interval"
            && type_name.modifiers.is_empty()
            && !fields_before
        {
            type_name.interval = self.interval_fields(&mut type_name.modifiers)?;
            expr.span = self.span_from(expr.span.start);
        }
        Ok(Some(expr))
    }
}

fn integer(value: i64, span: Span) -> Expr {
    Expr::new(ExprKind::Literal(Literal::Integer(value)), span)
}
