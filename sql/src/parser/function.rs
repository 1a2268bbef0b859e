//! Function calls, and the forms that look like calls but have a grammar of their own.

use super::Parser;
use super::primary::{positional, system_call};
use crate::ast::{
    CallSyntax, CastSyntax, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit,
    FunctionArg, FunctionCall, Ident, Literal, Name, Over, Span, SqlValue, TypeName,
    WindowDefinition,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind, Token};

impl Parser<'_> {
    /// The call of `name`; the next token opens its arguments.
    pub(super) fn call(&mut self, name: Name) -> Result<Expr> {
        let start = name.span().start;
        let mut call = FunctionCall {
            name,
            args: Vec::new(),
            star: false,
            distinct: false,
            order_by: Vec::new(),
            within_group: false,
            filter: None,
            over: None,
            syntax: CallSyntax::Ordinary,
        };
        self.expect_punctuation(b'(')?;
        if self.at_punctuation(b'*') {
            self.bump();
            call.star = true;
        } else if !self.at_punctuation(b')') {
            let all = self.eat(Keyword::All);
            call.distinct = !all && self.eat(Keyword::Distinct);
            call.args = self.list(Self::argument)?;
            call.order_by = self.optional_order_by()?;
        }
        self.expect_punctuation(b')')?;
        if self.at_string() && !call.star && !call.distinct && call.order_by.is_empty() {
            let modifiers = call.args.into_iter().map(|arg| arg.value).collect();
            return self.named_type_literal(call.name, modifiers);
        }
        self.call_suffix(&mut call)?;
        Ok(Expr::new(ExprKind::Function(Box::new(call)), self.span_from(start)))
    }

    fn call_suffix(&mut self, call: &mut FunctionCall) -> Result<()> {
        if self.keyword_at(1, Keyword::Group) && self.at_keyword(Keyword::Within) {
            let position = self.start();
            self.at += 2;
            let refusal = if !call.order_by.is_empty() {
                Some("cannot use multiple ORDER BY clauses with WITHIN GROUP")
            } else if call.distinct {
                Some("cannot use DISTINCT with WITHIN GROUP")
            } else if call.args.iter().any(|arg| arg.variadic) {
                Some("cannot use VARIADIC with WITHIN GROUP")
            } else {
                None
            };
            if let Some(message) = refusal {
                return Err(ParseError::new("42601", message, position));
            }
            self.expect_punctuation(b'(')?;
            call.order_by = self.order_by()?;
            self.expect_punctuation(b')')?;
            call.within_group = true;
        }
        if self.at_keyword(Keyword::Filter) && self.kind_at(1) == Kind::Punctuation(b'(') {
            self.at += 2;
            self.expect(Keyword::Where)?;
            call.filter = Some(self.expr()?);
            self.expect_punctuation(b')')?;
        }
        if self.eat(Keyword::Over) {
            call.over = Some(if self.at_punctuation(b'(') {
                Over::Window(self.window_definition()?)
            } else {
                Over::Named(self.column_id()?)
            });
        }
        Ok(())
    }

    /// `value`, `name => value`, `VARIADIC value`.
    fn argument(&mut self) -> Result<FunctionArg> {
        let variadic = self.eat(Keyword::Variadic);
        let named = matches!(self.kind_at(1), Kind::EqualsGreater | Kind::ColonEquals);
        let name = if named { self.eat_ident(super::is_type_or_function)? } else { None };
        if name.is_some() {
            self.bump();
        }
        let value = self.expr()?;
        // Nothing follows it.
        if variadic && self.at_punctuation(b',') {
            return Err(self.unexpected());
        }
        Ok(FunctionArg { name, variadic, value })
    }

    /// `(... PARTITION BY ... ORDER BY ... frame)`.
    pub(super) fn window_definition(&mut self) -> Result<WindowDefinition> {
        let start = self.start();
        self.expect_punctuation(b'(')?;
        let opens_clause = matches!(
            self.kind(),
            Kind::Keyword(
                Keyword::Partition
                    | Keyword::Order
                    | Keyword::Range
                    | Keyword::Rows
                    | Keyword::Groups
            )
        );
        let base =
            if !opens_clause && self.at_column_id() { Some(self.column_id()?) } else { None };
        let partition_by = if self.eat(Keyword::Partition) {
            self.expect(Keyword::By)?;
            self.list(Self::expr)?
        } else {
            Vec::new()
        };
        let order_by = self.optional_order_by()?;
        let frame = self.frame()?;
        self.expect_punctuation(b')')?;
        Ok(WindowDefinition { base, partition_by, order_by, frame, span: self.span_from(start) })
    }

    fn frame(&mut self) -> Result<Option<Frame>> {
        let unit = match self.kind() {
            Kind::Keyword(Keyword::Rows) => FrameUnit::Rows,
            Kind::Keyword(Keyword::Range) => FrameUnit::Range,
            Kind::Keyword(Keyword::Groups) => FrameUnit::Groups,
            _ => return Ok(None),
        };
        self.bump();
        let between = self.eat(Keyword::Between);
        let position = self.start();
        let start = self.frame_bound()?;
        let end = if between {
            self.expect(Keyword::And)?;
            self.frame_bound()?
        } else {
            FrameBound::CurrentRow
        };
        refuse_frame(&start, &end, between, position)?;
        let exclude = if self.eat(Keyword::Exclude) {
            if self.eat_all(&[Keyword::Current, Keyword::Row]) {
                FrameExclude::CurrentRow
            } else if self.eat(Keyword::Group) {
                FrameExclude::Group
            } else if self.eat(Keyword::Ties) {
                FrameExclude::Ties
            } else {
                self.expect_all(&[Keyword::No, Keyword::Others])?;
                FrameExclude::NoOthers
            }
        } else {
            FrameExclude::NoOthers
        };
        Ok(Some(Frame { unit, start, end, exclude }))
    }

    fn frame_bound(&mut self) -> Result<FrameBound> {
        if self.eat_all(&[Keyword::Unbounded, Keyword::Preceding]) {
            return Ok(FrameBound::UnboundedPreceding);
        }
        if self.eat_all(&[Keyword::Unbounded, Keyword::Following]) {
            return Ok(FrameBound::UnboundedFollowing);
        }
        if self.eat_all(&[Keyword::Current, Keyword::Row]) {
            return Ok(FrameBound::CurrentRow);
        }
        let offset = Box::new(self.expr()?);
        if self.eat(Keyword::Preceding) {
            return Ok(FrameBound::Preceding(offset));
        }
        self.expect(Keyword::Following)?;
        Ok(FrameBound::Following(offset))
    }

    /// A form with a grammar of its own that `keyword` opens, if this is one.
    pub(super) fn special_form(&mut self, keyword: Keyword) -> Result<Option<Expr>> {
        let word = self.token();
        if let Some(value) = self.sql_value(keyword)? {
            return Ok(Some(Expr::new(ExprKind::SqlValue(value), self.span_from(word.start))));
        }
        let opens = self.kind_at(1) == Kind::Punctuation(b'(');
        if keyword == Keyword::Collation && self.keyword_at(1, Keyword::For) {
            self.at += 2;
            let args = self.parenthesised_one()?;
            let kind = system_call("pg_collation_for", args, CallSyntax::CollationFor, word);
            return self.form(word, kind);
        }
        if !opens {
            return Ok(None);
        }
        let kind = match keyword {
            Keyword::Cast => {
                self.at += 2;
                let expr = Box::new(self.expr()?);
                self.expect(Keyword::As)?;
                let type_name = Box::new(self.type_name()?);
                self.expect_punctuation(b')')?;
                let location = word.start;
                ExprKind::Cast { expr, type_name, syntax: CastSyntax::Call, location }
            }
            Keyword::Exists => {
                self.bump();
                ExprKind::Exists(Box::new(self.required_query()?))
            }
            Keyword::Row => {
                self.bump();
                let fields = if self.kind_at(1) == Kind::Punctuation(b')') {
                    self.at += 2;
                    Vec::new()
                } else {
                    self.parenthesised(Self::expr)?
                };
                let kind = ExprKind::Row { fields, explicit: true };
                let row = Expr::new(kind, self.span_from(word.start));
                return self.row_or_overlaps(row).map(Some);
            }
            Keyword::Coalesce => ExprKind::Coalesce(self.special_args()?),
            Keyword::Greatest => ExprKind::Greatest(self.special_args()?),
            Keyword::Least => ExprKind::Least(self.special_args()?),
            Keyword::Grouping => ExprKind::Grouping(self.special_args()?),
            Keyword::Nullif => {
                self.at += 2;
                let left = self.expr()?;
                self.expect_punctuation(b',')?;
                let right = self.expr()?;
                self.expect_punctuation(b')')?;
                ExprKind::NullIf(Box::new(left), Box::new(right))
            }
            Keyword::Extract => self.extract(word)?,
            Keyword::Substring => self.substring(word)?,
            Keyword::Position => self.position(word)?,
            Keyword::Trim => self.trim(word)?,
            Keyword::Overlay => self.overlay(word)?,
            Keyword::Normalize => self.normalize(word)?,
            Keyword::Treat => return Err(Self::unsupported("TREAT", word.start)),
            Keyword::Xmlconcat
            | Keyword::Xmlelement
            | Keyword::Xmlexists
            | Keyword::Xmlforest
            | Keyword::Xmlparse
            | Keyword::Xmlpi
            | Keyword::Xmlroot
            | Keyword::Xmlserialize => return Err(Self::unsupported("XML", word.start)),
            _ => return Ok(None),
        };
        self.form(word, kind)
    }

    fn form(&self, word: Token, kind: ExprKind) -> Result<Option<Expr>> {
        Ok(Some(Expr::new(kind, self.span_from(word.start))))
    }

    fn special_args(&mut self) -> Result<Vec<Expr>> {
        self.bump();
        self.parenthesised(Self::expr)
    }

    fn parenthesised_one(&mut self) -> Result<Vec<FunctionArg>> {
        self.expect_punctuation(b'(')?;
        let value = self.expr()?;
        self.expect_punctuation(b')')?;
        Ok(vec![positional(value)])
    }

    fn sql_value(&mut self, keyword: Keyword) -> Result<Option<SqlValue>> {
        let value = match keyword {
            Keyword::CurrentDate => SqlValue::CurrentDate,
            Keyword::CurrentRole => SqlValue::CurrentRole,
            Keyword::CurrentUser => SqlValue::CurrentUser,
            Keyword::User => SqlValue::User,
            Keyword::SessionUser => SqlValue::SessionUser,
            Keyword::CurrentCatalog => SqlValue::CurrentCatalog,
            // This one may also be called or qualified like an ordinary function.
            Keyword::CurrentSchema
                if !matches!(self.kind_at(1), Kind::Punctuation(b'(' | b'.')) =>
            {
                SqlValue::CurrentSchema
            }
            Keyword::CurrentTime
            | Keyword::CurrentTimestamp
            | Keyword::Localtime
            | Keyword::Localtimestamp => {
                self.bump();
                let precision = self.optional_precision()?;
                return Ok(Some(match keyword {
                    Keyword::CurrentTime => SqlValue::CurrentTime(precision),
                    Keyword::CurrentTimestamp => SqlValue::CurrentTimestamp(precision),
                    Keyword::Localtime => SqlValue::LocalTime(precision),
                    _ => SqlValue::LocalTimestamp(precision),
                }));
            }
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(value))
    }

    /// `(n)`, or nothing.
    pub(super) fn optional_precision(&mut self) -> Result<Option<i32>> {
        if !self.eat_punctuation(b'(') {
            return Ok(None);
        }
        let precision = self.integer()?;
        self.expect_punctuation(b')')?;
        Ok(Some(precision))
    }

    fn extract(&mut self, word: Token) -> Result<ExprKind> {
        self.at += 2;
        let token = self.token();
        let field = match self.eat_string()? {
            Some(text) => text,
            None => match token.kind {
                Kind::Identifier
                | Kind::QuotedIdentifier
                | Kind::UnicodeIdentifier
                | Kind::Keyword(
                    Keyword::Year
                    | Keyword::Month
                    | Keyword::Day
                    | Keyword::Hour
                    | Keyword::Minute
                    | Keyword::Second,
                ) => self.label()?.value,
                _ => return Err(self.unexpected()),
            },
        };
        self.expect(Keyword::From)?;
        let source = self.expr()?;
        self.expect_punctuation(b')')?;
        let field = string(field, token);
        let args = vec![positional(field), positional(source)];
        Ok(system_call("extract", args, CallSyntax::Extract, word))
    }

    /// `SUBSTRING(...)` in its keyword forms and as an ordinary call.
    fn substring(&mut self, word: Token) -> Result<ExprKind> {
        self.at += 2;
        let mut args = self.call_args()?;
        let keyword_form = args.len() == 1 && args[0].name.is_none() && !args[0].variadic;
        let mut syntax = CallSyntax::Ordinary;
        if keyword_form && self.eat(Keyword::Similar) {
            args.push(positional(self.expr()?));
            self.expect(Keyword::Escape)?;
            args.push(positional(self.expr()?));
            syntax = CallSyntax::SubstringSimilar;
        } else if keyword_form && self.eat(Keyword::From) {
            args.push(positional(self.expr()?));
            if self.eat(Keyword::For) {
                args.push(positional(self.expr()?));
            }
            syntax = CallSyntax::Substring;
        } else if keyword_form && self.eat(Keyword::For) {
            let length = self.expr()?;
            if self.eat(Keyword::From) {
                args.push(positional(self.expr()?));
                args.push(positional(length));
            } else {
                // The length is made an integer, so that a pattern is not taken for one.
                args.push(positional(Expr::new(
                    ExprKind::Literal(Literal::Integer(1)),
                    Span::new(word.start, word.end),
                )));
                args.push(positional(to_int4(length)));
            }
            syntax = CallSyntax::Substring;
        }
        self.expect_punctuation(b')')?;
        Ok(special_or_plain("substring", args, syntax, word))
    }

    fn call_args(&mut self) -> Result<Vec<FunctionArg>> {
        if self.at_punctuation(b')') { Ok(Vec::new()) } else { self.list(Self::argument) }
    }

    fn overlay(&mut self, word: Token) -> Result<ExprKind> {
        self.at += 2;
        let mut args = self.call_args()?;
        let mut syntax = CallSyntax::Ordinary;
        if args.len() == 1 && args[0].name.is_none() && self.eat(Keyword::Placing) {
            args.push(positional(self.expr()?));
            self.expect(Keyword::From)?;
            args.push(positional(self.expr()?));
            if self.eat(Keyword::For) {
                args.push(positional(self.expr()?));
            }
            syntax = CallSyntax::Overlay;
        }
        self.expect_punctuation(b')')?;
        Ok(special_or_plain("overlay", args, syntax, word))
    }

    fn position(&mut self, word: Token) -> Result<ExprKind> {
        self.at += 2;
        let needle = self.restricted_expr()?;
        self.expect(Keyword::In)?;
        let text = self.restricted_expr()?;
        self.expect_punctuation(b')')?;
        let args = vec![positional(text), positional(needle)];
        Ok(system_call("position", args, CallSyntax::Position, word))
    }

    fn trim(&mut self, word: Token) -> Result<ExprKind> {
        self.at += 2;
        let function = if self.eat(Keyword::Leading) {
            "ltrim"
        } else if self.eat(Keyword::Trailing) {
            "rtrim"
        } else {
            self.eat(Keyword::Both);
            "btrim"
        };
        let mut list =
            if self.at_keyword(Keyword::From) { Vec::new() } else { self.list(Self::expr)? };
        if list.len() <= 1 && self.eat(Keyword::From) {
            let mut sources = self.list(Self::expr)?;
            sources.append(&mut list);
            list = sources;
        }
        self.expect_punctuation(b')')?;
        let args = list.into_iter().map(positional).collect();
        Ok(system_call(function, args, CallSyntax::Trim, word))
    }

    fn normalize(&mut self, word: Token) -> Result<ExprKind> {
        self.at += 2;
        let mut args = vec![positional(self.expr()?)];
        if self.eat_punctuation(b',') {
            let token = self.token();
            let form = self.normal_form().ok_or_else(|| self.unexpected())?;
            args.push(positional(string(form.into(), token)));
        }
        self.expect_punctuation(b')')?;
        Ok(system_call("normalize", args, CallSyntax::Normalize, word))
    }

    fn normal_form(&mut self) -> Option<&'static str> {
        let form = match self.kind() {
            Kind::Keyword(Keyword::Nfc) => "NFC",
            Kind::Keyword(Keyword::Nfd) => "NFD",
            Kind::Keyword(Keyword::Nfkc) => "NFKC",
            Kind::Keyword(Keyword::Nfkd) => "NFKD",
            _ => return None,
        };
        self.bump();
        Some(form)
    }

    /// `IS [NOT] [form] NORMALIZED`, from the form on.
    pub(super) fn is_normalized(&mut self, left: Expr, negated: bool) -> Result<ExprKind> {
        let word = self.token();
        let start = left.span.start;
        let mut args = vec![positional(left)];
        if let Some(form) = self.normal_form() {
            args.push(positional(string(form.into(), word)));
        }
        self.expect(Keyword::Normalized)?;
        let call = system_call("is_normalized", args, CallSyntax::IsNormalized, word);
        if !negated {
            return Ok(call);
        }
        Ok(ExprKind::Not(Box::new(Expr::new(call, self.span_from(start)))))
    }

    /// `name 'text'`: a constant of type `name`.
    pub(super) fn named_type_literal(&mut self, name: Name, modifiers: Vec<Expr>) -> Result<Expr> {
        let span = Span::new(name.span().start, self.end());
        let type_name = TypeName {
            name,
            system: false,
            modifiers,
            interval: None,
            array: Vec::new(),
            setof: false,
            percent_type: false,
            span,
        };
        self.literal_of(type_name)
    }

    /// The string constant that follows, of type `type_name`.
    pub(super) fn literal_of(&mut self, type_name: TypeName) -> Result<Expr> {
        let location = type_name.span.start;
        let token = self.token();
        let text = self.string()?;
        let kind = ExprKind::Cast {
            expr: Box::new(string(text, token)),
            type_name: Box::new(type_name),
            syntax: CastSyntax::Literal,
            location,
        };
        Ok(Expr::new(kind, self.span_from(location)))
    }
}

fn string(text: Box<str>, token: Token) -> Expr {
    Expr::new(ExprKind::Literal(Literal::String(text)), Span::new(token.start, token.end))
}

fn to_int4(expr: Expr) -> Expr {
    let span = expr.span;
    let type_name = TypeName {
        name: Name(vec![Ident::new("int4", span)]),
        system: true,
        modifiers: Vec::new(),
        interval: None,
        array: Vec::new(),
        setof: false,
        percent_type: false,
        span,
    };
    let kind = ExprKind::Cast {
        expr: Box::new(expr),
        type_name: Box::new(type_name),
        syntax: CastSyntax::Colons,
        location: span.start,
    };
    Expr::new(kind, span)
}

/// An ordinary call of `substring(...)` looks its name up along the search path like any other.
fn special_or_plain(
    function: &str,
    args: Vec<FunctionArg>,
    syntax: CallSyntax,
    word: Token,
) -> ExprKind {
    let mut call = system_call(function, args, syntax, word);
    if syntax == CallSyntax::Ordinary
        && let ExprKind::Function(call) = &mut call
    {
        call.name.0.remove(0);
    }
    call
}

fn refuse_frame(start: &FrameBound, end: &FrameBound, between: bool, position: u32) -> Result<()> {
    let message = match (start, end) {
        (FrameBound::UnboundedFollowing, _) => "frame start cannot be UNBOUNDED FOLLOWING",
        (FrameBound::Following(_), FrameBound::CurrentRow) if !between => {
            "frame starting from following row cannot end with current row"
        }
        (_, FrameBound::UnboundedPreceding) => "frame end cannot be UNBOUNDED PRECEDING",
        (FrameBound::CurrentRow, FrameBound::Preceding(_)) => {
            "frame starting from current row cannot have preceding rows"
        }
        (FrameBound::Following(_), FrameBound::Preceding(_) | FrameBound::CurrentRow) => {
            "frame starting from following row cannot have preceding rows"
        }
        _ => return Ok(()),
    };
    Err(ParseError::new("42P20", message, position))
}
