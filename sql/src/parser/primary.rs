//! Primary expressions: constants, columns, parentheses, `CASE`, arrays, rows and what may follow them in brackets.
//!
//! A parenthesis may hold an expression, a row or a query, and which one may show only behind further parentheses
//! (`((SELECT 1) + 1)`, `((SELECT 1) UNION SELECT 2)`). [`Parser::parenthesis`] reads each text once: it takes the inner
//! parenthesis first and then decides by the token behind it.

use super::{Parser, expr::Bind, expr::Operand};
use crate::ast::{
    CallSyntax, Expr, ExprKind, FunctionArg, FunctionCall, Ident, Literal, Name, Query, Span,
    Subscript, When,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind, Token, decode_string};

/// The content of a parenthesis.
pub(super) enum Parenthesis {
    /// A query.
    Query(Box<Query>),
    /// One expression.
    Expr(Expr),
    /// Two or more expressions.
    List(Vec<Expr>),
}

impl Parser<'_> {
    /// A primary expression (`c_expr`).
    pub(super) fn primary(&mut self) -> Result<Expr> {
        let token = self.token();
        match token.kind {
            Kind::Identifier | Kind::QuotedIdentifier | Kind::UnicodeIdentifier => {
                self.name_or_call()
            }
            Kind::Integer | Kind::Number => Ok(self.number_literal()),
            Kind::String
            | Kind::EscapeString
            | Kind::UnicodeString
            | Kind::DollarString
            | Kind::BitString
            | Kind::HexString => self.string_literal(token),
            Kind::Parameter => self.parameter(),
            Kind::Punctuation(b'(') => self.parenthesised_expr(),
            Kind::Keyword(keyword) => self.keyword_primary(keyword),
            _ => Err(self.unexpected()),
        }
    }

    fn number_literal(&mut self) -> Expr {
        let token = self.bump();
        let text = self.token_text(token);
        let literal = match text.parse() {
            Ok(value) if token.kind == Kind::Integer => Literal::Integer(value),
            _ => Literal::Number(text.into()),
        };
        Expr::new(ExprKind::Literal(literal), Span::new(token.start, token.end))
    }

    fn string_literal(&mut self, token: Token) -> Result<Expr> {
        self.bump();
        let text = decode_string(self.text, token)?;
        let literal = match token.kind {
            Kind::BitString => Literal::BitString(text),
            Kind::HexString => Literal::HexString(text),
            _ => Literal::String(text),
        };
        Ok(Expr::new(ExprKind::Literal(literal), Span::new(token.start, token.end)))
    }

    fn parameter(&mut self) -> Result<Expr> {
        let token = self.bump();
        let number =
            self.token_text(token)[1..].parse().ok().filter(|&n: &u32| i32::try_from(n).is_ok());
        let Some(number) = number else {
            let message = format!("there is no parameter {}", self.token_text(token));
            return Err(ParseError::new("42P02", message, token.start));
        };
        let span = Span::new(token.start, token.end);
        self.indirection(Expr::new(ExprKind::Parameter(number), span))
    }

    /// A primary that begins with a key word.
    fn keyword_primary(&mut self, keyword: Keyword) -> Result<Expr> {
        if let Some(expr) = self.special_form(keyword)? {
            return Ok(expr);
        }
        match keyword {
            Keyword::Null => Ok(self.word_literal(Literal::Null)),
            Keyword::True => Ok(self.word_literal(Literal::Boolean(true))),
            Keyword::False => Ok(self.word_literal(Literal::Boolean(false))),
            Keyword::Default => {
                let token = self.bump();
                Ok(Expr::new(ExprKind::Default, Span::new(token.start, token.end)))
            }
            Keyword::Case => self.case(),
            Keyword::Array => self.array(),
            _ => match self.typed_literal()? {
                Some(expr) => Ok(expr),
                None => self.name_or_call(),
            },
        }
    }

    fn word_literal(&mut self, literal: Literal) -> Expr {
        let token = self.bump();
        Expr::new(ExprKind::Literal(literal), Span::new(token.start, token.end))
    }

    fn case(&mut self) -> Result<Expr> {
        let start = self.bump().start;
        let operand =
            if self.at_keyword(Keyword::When) { None } else { Some(Box::new(self.expr()?)) };
        let mut whens = Vec::new();
        while self.eat(Keyword::When) {
            let condition = self.expr()?;
            self.expect(Keyword::Then)?;
            whens.push(When { condition, result: self.expr()? });
        }
        if whens.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.eat(Keyword::Else) { Some(Box::new(self.expr()?)) } else { None };
        self.expect(Keyword::End)?;
        Ok(Expr::new(ExprKind::Case { operand, whens, otherwise }, self.span_from(start)))
    }

    /// `ARRAY[...]` or `ARRAY(SELECT ...)`.
    fn array(&mut self) -> Result<Expr> {
        let start = self.bump().start;
        if self.at_punctuation(b'[') {
            let mut array = self.array_elements()?;
            array.span.start = start;
            return Ok(array);
        }
        let query = self.required_query()?;
        Ok(Expr::new(ExprKind::ArraySubquery(Box::new(query)), self.span_from(start)))
    }

    /// `[a, b]` or `[[a], [b]]`.
    fn array_elements(&mut self) -> Result<Expr> {
        self.enter()?;
        let collect = self.collect();
        let start = self.start();
        self.expect_punctuation(b'[')?;
        let elements = if self.at_punctuation(b']') {
            Vec::new()
        } else if self.at_punctuation(b'[') {
            self.list(Self::array_elements)?
        } else {
            self.list(Self::expr)?
        };
        self.expect_punctuation(b']')?;
        self.grown(collect)?;
        self.count_child();
        self.leave();
        Ok(Expr::new(ExprKind::Array(elements), self.span_from(start)))
    }

    /// A parenthesis as a primary, with what may follow it.
    fn parenthesised_expr(&mut self) -> Result<Expr> {
        let start = self.start();
        let content = self.parenthesis()?;
        self.after_parenthesis(content, start)
    }

    /// The expression that a parenthesis from `start` is, with its subscripts and fields, or `OVERLAPS`.
    fn after_parenthesis(&mut self, content: Parenthesis, start: u32) -> Result<Expr> {
        let span = self.span_from(start);
        match content {
            Parenthesis::Query(query) => {
                self.indirection(Expr::new(ExprKind::Subquery(query), span))
            }
            Parenthesis::Expr(mut expr) => {
                expr.span = span;
                self.indirection(expr)
            }
            Parenthesis::List(fields) => {
                self.row_or_overlaps(Expr::new(ExprKind::Row { fields, explicit: false }, span))
            }
        }
    }

    /// A parenthesis and its content; the next token is the opening one.
    pub(super) fn parenthesis(&mut self) -> Result<Parenthesis> {
        self.enter()?;
        self.expect_punctuation(b'(')?;
        let content = if self.at_query_word() {
            Parenthesis::Query(Box::new(self.query()?))
        } else if self.query_after_parentheses(0) {
            self.nested_parenthesis()?
        } else {
            let first = self.expr()?;
            self.rest_of_list(first)?
        };
        self.expect_punctuation(b')')?;
        self.leave();
        Ok(content)
    }

    /// The content of a parenthesis that begins with another one which holds a query at its bottom.
    fn nested_parenthesis(&mut self) -> Result<Parenthesis> {
        let start = self.start();
        let collect = self.collect();
        let inner = self.parenthesis()?;
        self.grown(collect)?;
        let inner = match inner {
            Parenthesis::Query(query) => {
                if self.at_punctuation(b')') {
                    self.count_child();
                    return Ok(Parenthesis::Query(query));
                }
                if self.at_query_continuation() {
                    return Ok(Parenthesis::Query(Box::new(self.query_after(*query)?)));
                }
                Parenthesis::Query(query)
            }
            inner => inner,
        };
        let left = self.after_parenthesis(inner, start)?;
        let first = self.operators(left, Bind::NONE, Operand::Any)?;
        self.rest_of_list(first)
    }

    fn rest_of_list(&mut self, first: Expr) -> Result<Parenthesis> {
        if !self.at_punctuation(b',') {
            return Ok(Parenthesis::Expr(first));
        }
        let mut list = vec![first];
        while self.eat_punctuation(b',') {
            list.push(self.expr()?);
        }
        Ok(Parenthesis::List(list))
    }

    /// From the token `ahead` on: one or more opening parentheses and then a word that begins a query.
    pub(super) fn query_after_parentheses(&self, ahead: usize) -> bool {
        let mut index = ahead;
        // Deeper nesting than this is refused anyway.
        while index <= ahead + super::DEPTH_MAX as usize
            && self.kind_at(index) == Kind::Punctuation(b'(')
        {
            index += 1;
        }
        index > ahead && is_query_word(self.kind_at(index))
    }

    /// The next token begins a query.
    pub(super) fn at_query_word(&self) -> bool {
        is_query_word(self.kind())
    }

    /// The query in the parenthesis that follows, if there is one (`select_with_parens`).
    pub(super) fn required_query(&mut self) -> Result<Query> {
        let token = self.token_after_parentheses();
        if self.at_punctuation(b'(')
            && let Parenthesis::Query(query) = self.parenthesis()?
        {
            return Ok(*query);
        }
        Err(self.unexpected_at(token))
    }

    fn token_after_parentheses(&self) -> Token {
        let mut index = self.at;
        while self.tokens[index].kind == Kind::Punctuation(b'(') && index + 1 < self.tokens.len() {
            index += 1;
        }
        self.tokens[index]
    }

    /// `ROW(...)` or `(a, b)` as read, and `OVERLAPS` with another row.
    pub(super) fn row_or_overlaps(&mut self, row: Expr) -> Result<Expr> {
        if !self.at_keyword(Keyword::Overlaps) {
            return Ok(row);
        }
        let word = self.bump();
        let start = row.span.start;
        let right = self.primary()?;
        let (ExprKind::Row { fields: left, .. }, ExprKind::Row { fields: right, .. }) =
            (row.kind, right.kind)
        else {
            return Err(self.unexpected());
        };
        for (fields, side) in [(&left, "left"), (&right, "right")] {
            if fields.len() != 2 {
                let message =
                    format!("wrong number of parameters on {side} side of OVERLAPS expression");
                return Err(ParseError::new("42601", message, word.start));
            }
        }
        let args = left.into_iter().chain(right).map(positional).collect();
        let call = system_call("overlaps", args, CallSyntax::Overlaps, word);
        Ok(Expr::new(call, self.span_from(start)))
    }

    /// `expr` with the `[...]` and `.field` that follow it (`opt_indirection`).
    pub(super) fn indirection(&mut self, mut expr: Expr) -> Result<Expr> {
        let mut steps = 0;
        loop {
            if self.at_punctuation(b'[') {
                expr = self.subscripts(expr)?;
            } else if self.at_punctuation(b'.') {
                self.bump();
                let start = expr.span.start;
                if self.eat_punctuation(b'*') {
                    let span = self.span_from(start);
                    return Ok(Expr::new(ExprKind::FieldAll(Box::new(expr)), span));
                }
                let field = self.label()?;
                let span = self.span_from(start);
                expr = Expr::new(ExprKind::Field { expr: Box::new(expr), field }, span);
            } else {
                return Ok(expr);
            }
            // Each step wraps the tree once; the caller adds one for the primary itself (D2).
            steps += 1;
            self.peak += 1;
            self.height += 1;
            if steps > super::DEPTH_MAX {
                return Err(self.too_deep());
            }
        }
    }

    fn subscripts(&mut self, expr: Expr) -> Result<Expr> {
        let start = expr.span.start;
        let mut subscripts = Vec::new();
        while self.at_punctuation(b'[') {
            subscripts.push(self.subscript()?);
        }
        let kind = ExprKind::Subscript { expr: Box::new(expr), subscripts };
        Ok(Expr::new(kind, self.span_from(start)))
    }

    /// `[i]`, `[i:j]`, `[i:]`, `[:j]`, `[:]`.
    pub(super) fn subscript(&mut self) -> Result<Subscript> {
        self.expect_punctuation(b'[')?;
        let low = if self.at_punctuation(b':') { None } else { Some(self.expr()?) };
        let subscript = match low {
            Some(index) if !self.at_punctuation(b':') => Subscript::Index(index),
            low => {
                self.expect_punctuation(b':')?;
                let high = if self.at_punctuation(b']') { None } else { Some(self.expr()?) };
                Subscript::Slice(low, high)
            }
        };
        self.expect_punctuation(b']')?;
        Ok(subscript)
    }

    /// A column, a call, or a constant of a named type.
    pub(super) fn name_or_call(&mut self) -> Result<Expr> {
        let start = self.start();
        let token = self.token();
        let first = self.ident(|category| category != Some(crate::lexer::Category::Reserved))?;
        let keyword = match token.kind {
            Kind::Keyword(keyword) => Some(keyword.category()),
            _ => None,
        };
        let mut parts = vec![first];
        while self.at_punctuation(b'.') {
            if self.kind_at(1) == Kind::Punctuation(b'*') {
                if !super::is_column_id(keyword) {
                    return Err(self.unexpected());
                }
                self.at += 2;
                let span = self.span_from(start);
                return Ok(Expr::new(ExprKind::Wildcard(Some(Name(parts))), span));
            }
            self.bump();
            parts.push(self.label()?);
        }
        let callable = parts.len() > 1 || super::is_type_or_function(keyword);
        let name = Name(parts);
        match self.kind() {
            Kind::Punctuation(b'(') if callable => self.call(name),
            Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::DollarString
                if callable =>
            {
                self.named_type_literal(name, Vec::new())
            }
            _ if !super::is_column_id(keyword) => Err(self.unexpected()),
            _ => {
                if name.0.len() > 4 {
                    return Err(ParseError::new(
                        "42601",
                        format!("improper qualified name (too many dotted names): {name}"),
                        start,
                    ));
                }
                let span = self.span_from(start);
                let column = Expr::new(ExprKind::Column(name), span);
                if self.at_punctuation(b'[') { self.indirection(column) } else { Ok(column) }
            }
        }
    }
}

fn is_query_word(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Keyword(Keyword::Select | Keyword::Values | Keyword::With | Keyword::Table)
    )
}

/// `value` as a plain argument.
pub(super) fn positional(value: Expr) -> FunctionArg {
    FunctionArg { name: None, variadic: false, value }
}

/// A call of `pg_catalog.function`, which `word` stood for.
pub(super) fn system_call(
    function: &str,
    args: Vec<FunctionArg>,
    syntax: CallSyntax,
    word: Token,
) -> ExprKind {
    let span = Span::new(word.start, word.end);
    let name = Name(vec![Ident::new("pg_catalog", span), Ident::new(function, span)]);
    ExprKind::Function(Box::new(FunctionCall {
        name,
        args,
        star: false,
        distinct: false,
        order_by: Vec::new(),
        within_group: false,
        filter: None,
        over: None,
        syntax,
    }))
}
