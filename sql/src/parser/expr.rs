//! Operators by precedence climbing.
//!
//! PostgreSQL's levels, loosest first. `Bind` has one constant for each.
//!
//! | level | operators | associativity |
//! |---|---|---|
//! | or | `OR` | left (a flat list) |
//! | and | `AND` | left (a flat list) |
//! | not | `NOT` | right |
//! | is | `IS ...`, `ISNULL`, `NOTNULL` | none |
//! | comparison | `< > = <= >= <>` | none |
//! | pattern | `BETWEEN IN LIKE ILIKE SIMILAR` | none |
//! | other | every other operator, `OPERATOR(...)`, also as a prefix | left |
//! | additive, multiplicative, power | `+ -`, `* / %`, `^` | left |
//! | at, collate | `AT TIME ZONE`, `COLLATE` | left |
//! | minus | prefix `+ -` | right |
//! | cast | `[...]`, `::` | left |
//!
//! "None" refuses `a < b < c`, but not `a IS NULL IS NULL`: what conflicts is a right operand followed by an operator of
//! the same level, and a postfix form has no right operand.

use super::primary::Parenthesis;
use super::{Collect, Parser};
use crate::ast::{
    CastSyntax, Expr, ExprKind, LikeKind, Literal, Operator, QuantifiedOver, Quantifier, Span,
    Symbol,
};
use crate::error::Result;
use crate::lexer::{Keyword, Kind};

/// How tightly an operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bind(u8);

impl Bind {
    pub(super) const NONE: Self = Self(0);
    const OR: Self = Self(1);
    const AND: Self = Self(2);
    const NOT: Self = Self(3);
    const IS: Self = Self(4);
    const COMPARISON: Self = Self(5);
    const PATTERN: Self = Self(6);
    const OTHER: Self = Self(7);
    const ADDITIVE: Self = Self(8);
    const MULTIPLICATIVE: Self = Self(9);
    const POWER: Self = Self(10);
    const AT: Self = Self(11);
    const COLLATE: Self = Self(12);
    const MINUS: Self = Self(13);
    const CAST: Self = Self(14);

    /// The next tighter level: what the right operand of a left-associative operator binds with.
    const fn tighter(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Which grammar an operand is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// Any expression (`a_expr`).
    Any,
    /// Without `AND OR NOT IS IN LIKE BETWEEN COLLATE AT` (`b_expr`), where those words follow an expression.
    Restricted,
}

/// A left spine of operators as high as this becomes a flat chain.
const CHAIN_HEIGHT_MIN: u32 = 128;

/// What the next token does after an operand.
#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Is,
    IsNull(bool),
    Comparison,
    Between,
    In,
    Like,
    NotPattern,
    Other,
    OperatorWord,
    Additive,
    Multiplicative,
    Power,
    At,
    Collate,
    Cast,
}

impl Infix {
    fn bind(self) -> Bind {
        match self {
            Self::Or => Bind::OR,
            Self::And => Bind::AND,
            Self::Is | Self::IsNull(_) => Bind::IS,
            Self::Comparison => Bind::COMPARISON,
            Self::Between | Self::In | Self::Like | Self::NotPattern => Bind::PATTERN,
            Self::Other | Self::OperatorWord => Bind::OTHER,
            Self::Additive => Bind::ADDITIVE,
            Self::Multiplicative => Bind::MULTIPLICATIVE,
            Self::Power => Bind::POWER,
            Self::At => Bind::AT,
            Self::Collate => Bind::COLLATE,
            Self::Cast => Bind::CAST,
        }
    }
}

impl Parser<'_> {
    /// An expression (`a_expr`).
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.operand(Bind::NONE, Operand::Any)
    }

    /// A restricted expression (`b_expr`).
    pub(super) fn restricted_expr(&mut self) -> Result<Expr> {
        self.operand(Bind::NONE, Operand::Restricted)
    }

    /// An operand whose operators bind at least as tightly as `min`.
    fn operand(&mut self, min: Bind, grammar: Operand) -> Result<Expr> {
        self.enter()?;
        let collect = self.collect();
        let left = self.prefix(grammar)?;
        self.grown(collect)?;
        let expr = self.operators(left, min, grammar)?;
        self.leave();
        Ok(expr)
    }

    /// `left`, whose height is [`Parser::height`], and the operators after it.
    pub(super) fn operators(
        &mut self,
        mut left: Expr,
        min: Bind,
        grammar: Operand,
    ) -> Result<Expr> {
        // The level whose operators may not follow: that of a right operand just taken.
        let mut barred = None;
        while let Some(infix) = self.infix(grammar) {
            let bind = infix.bind();
            if bind < min {
                break;
            }
            if barred == Some(bind) {
                return Err(self.unexpected());
            }
            barred = None;
            left = match infix {
                Infix::Additive
                | Infix::Multiplicative
                | Infix::Power
                | Infix::Comparison
                | Infix::Other
                | Infix::OperatorWord => {
                    let expr = self.binary_or_quantified(left, bind, grammar)?;
                    if bind == Bind::COMPARISON && !matches!(expr.kind, ExprKind::Quantified { .. })
                    {
                        barred = Some(bind);
                    }
                    expr
                }
                Infix::Or | Infix::And => self.connective(left, bind)?,
                Infix::Cast => self.cast_after(left)?,
                _ => {
                    let (expr, ends_in_operand) = self.word_operator(left, infix, grammar)?;
                    if ends_in_operand {
                        barred = Some(bind);
                    }
                    expr
                }
            };
        }
        self.count_child();
        Ok(left)
    }

    /// What the next token does after an operand, if anything.
    fn infix(&self, grammar: Operand) -> Option<Infix> {
        let infix = match self.kind() {
            Kind::Punctuation(byte) => match byte {
                b'+' | b'-' => Infix::Additive,
                b'*' | b'/' | b'%' => Infix::Multiplicative,
                b'^' => Infix::Power,
                b'<' | b'>' | b'=' => Infix::Comparison,
                _ => return None,
            },
            Kind::LessEquals | Kind::GreaterEquals | Kind::NotEquals => Infix::Comparison,
            Kind::Operator => Infix::Other,
            Kind::Colons => Infix::Cast,
            Kind::Keyword(keyword) => match keyword {
                Keyword::Operator if self.kind_at(1) == Kind::Punctuation(b'(') => {
                    Infix::OperatorWord
                }
                Keyword::Is => {
                    // A restricted expression knows `IS [NOT] DISTINCT FROM` only.
                    let distinct = if self.keyword_at(1, Keyword::Not) { 2 } else { 1 };
                    if grammar == Operand::Restricted
                        && !self.keyword_at(distinct, Keyword::Distinct)
                    {
                        return None;
                    }
                    Infix::Is
                }
                _ if grammar == Operand::Restricted => return None,
                Keyword::Or => Infix::Or,
                Keyword::And => Infix::And,
                Keyword::Isnull => Infix::IsNull(false),
                Keyword::Notnull => Infix::IsNull(true),
                Keyword::Between => Infix::Between,
                Keyword::In => Infix::In,
                Keyword::Like | Keyword::Ilike => Infix::Like,
                Keyword::Similar if self.keyword_at(1, Keyword::To) => Infix::Like,
                Keyword::Not => match self.kind_at(1) {
                    Kind::Keyword(
                        Keyword::Between
                        | Keyword::In
                        | Keyword::Like
                        | Keyword::Ilike
                        | Keyword::Similar,
                    ) => Infix::NotPattern,
                    _ => return None,
                },
                Keyword::At if self.keyword_at(1, Keyword::Time) => Infix::At,
                Keyword::Collate => Infix::Collate,
                _ => return None,
            },
            _ => return None,
        };
        Some(infix)
    }

    /// A prefix operator with its operand, or a primary.
    fn prefix(&mut self, grammar: Operand) -> Result<Expr> {
        match self.kind() {
            Kind::Punctuation(b'-' | b'+') => self.sign(grammar),
            Kind::Operator => self.prefix_operator(grammar),
            Kind::Keyword(Keyword::Not) if grammar == Operand::Any => self.not(),
            Kind::Keyword(Keyword::Operator) if self.kind_at(1) == Kind::Punctuation(b'(') => {
                self.prefix_operator(grammar)
            }
            _ => self.primary(),
        }
    }

    fn not(&mut self) -> Result<Expr> {
        let start = self.bump().start;
        let expr = self.operand(Bind::NOT, Operand::Any)?;
        Ok(Expr::new(ExprKind::Not(Box::new(expr)), self.span_from(start)))
    }

    /// `+ a`, `- a`; a minus goes into a number (PostgreSQL's `doNegate`), a plus into nothing.
    fn sign(&mut self, grammar: Operand) -> Result<Expr> {
        let token = self.bump();
        let mut expr = self.operand(Bind::MINUS, grammar)?;
        let span = self.span_from(token.start);
        if token.kind == Kind::Punctuation(b'-') {
            match &mut expr.kind {
                // The least 64-bit integer has no positive counterpart: it arrives as a number.
                ExprKind::Literal(Literal::Integer(value)) if *value != i64::MIN => {
                    *value = -*value;
                    expr.span = span;
                    return Ok(expr);
                }
                ExprKind::Literal(Literal::Number(text)) => {
                    expr.kind = ExprKind::Literal(negated(text));
                    expr.span = span;
                    return Ok(expr);
                }
                _ => {}
            }
        }
        let operator = Operator {
            schema: None,
            symbol: Symbol::new(if token.kind == Kind::Punctuation(b'-') { "-" } else { "+" }),
            span: Span::new(token.start, token.end),
        };
        Ok(Expr::new(ExprKind::Unary { operator, expr: Box::new(expr) }, span))
    }

    fn prefix_operator(&mut self, grammar: Operand) -> Result<Expr> {
        let start = self.start();
        let operator = self.operator()?;
        let expr = self.operand(Bind::OTHER.tighter(), grammar)?;
        let span = self.span_from(start);
        Ok(Expr::new(ExprKind::Unary { operator, expr: Box::new(expr) }, span))
    }

    /// An operator symbol or `OPERATOR(...)`.
    fn operator(&mut self) -> Result<Operator> {
        if self.at_keyword(Keyword::Operator) {
            return self.operator_call();
        }
        let symbol = self.symbol().ok_or_else(|| self.unexpected())?;
        let token = self.bump();
        Ok(Operator { schema: None, symbol, span: Span::new(token.start, token.end) })
    }

    fn binary_rest(
        &mut self,
        left: Expr,
        operator: Operator,
        bind: Bind,
        grammar: Operand,
    ) -> Result<Expr> {
        let height = self.height;
        let collect = self.collect();
        let right = self.operand(bind.tighter(), grammar)?;
        self.chained(left, operator, right, height, collect)
    }

    /// The node of `left operator right`: flat when the left spine is already high.
    fn chained(
        &mut self,
        mut left: Expr,
        operator: Operator,
        right: Expr,
        height: u32,
        collect: Collect,
    ) -> Result<Expr> {
        let span = left.span.to(right.span);
        if let ExprKind::Chain { rest, .. } = &mut left.kind {
            rest.push((operator, right));
            left.span = span;
            // The right operand sits one below the chain, like the first.
            self.height = height.max(self.peak + 1);
            self.peak = collect.0;
            self.check_height()?;
            return Ok(left);
        }
        let spine = height >= CHAIN_HEIGHT_MIN && matches!(left.kind, ExprKind::Binary { .. });
        self.wrapped(collect, height)?;
        let left = Box::new(left);
        let kind = if spine {
            ExprKind::Chain { first: left, rest: vec![(operator, right)] }
        } else {
            ExprKind::Binary { operator, left, right: Box::new(right) }
        };
        Ok(Expr::new(kind, span))
    }

    /// `left op right`, or `left op ANY (...)`.
    fn binary_or_quantified(&mut self, left: Expr, bind: Bind, grammar: Operand) -> Result<Expr> {
        let operator = self.operator()?;
        match self.quantifier() {
            Some(quantifier) if grammar == Operand::Any => {
                self.quantified(left, operator, quantifier)
            }
            _ => self.binary_rest(left, operator, bind, grammar),
        }
    }

    fn quantifier(&self) -> Option<Quantifier> {
        if self.kind_at(1) != Kind::Punctuation(b'(') {
            return None;
        }
        match self.kind() {
            Kind::Keyword(Keyword::Any | Keyword::Some) => Some(Quantifier::Any),
            Kind::Keyword(Keyword::All) => Some(Quantifier::All),
            _ => None,
        }
    }

    fn quantified(
        &mut self,
        left: Expr,
        operator: Operator,
        quantifier: Quantifier,
    ) -> Result<Expr> {
        let height = self.height;
        let collect = self.collect();
        self.bump();
        let over = match self.parenthesis()? {
            Parenthesis::Query(query) => QuantifiedOver::Query(query),
            Parenthesis::Expr(array) => QuantifiedOver::Array(Box::new(array)),
            Parenthesis::List(_) => return Err(self.unexpected()),
        };
        self.wrapped(collect, height)?;
        let span = self.span_from(left.span.start);
        let kind = ExprKind::Quantified { left: Box::new(left), operator, quantifier, over };
        Ok(Expr::new(kind, span))
    }

    /// `left AND right`, `left OR right`, as one flat list.
    fn connective(&mut self, mut left: Expr, bind: Bind) -> Result<Expr> {
        self.bump();
        let height = self.height;
        let collect = self.collect();
        let right = self.operand(bind.tighter(), Operand::Any)?;
        let span = left.span.to(right.span);
        let list = match &mut left.kind {
            ExprKind::Or(list) if bind == Bind::OR => Some(list),
            ExprKind::And(list) if bind == Bind::AND => Some(list),
            _ => None,
        };
        if let Some(list) = list {
            list.push(right);
            left.span = span;
            self.height = height.max(self.peak + 1);
            self.peak = collect.0;
            self.check_height()?;
            return Ok(left);
        }
        self.wrapped(collect, height)?;
        let list = vec![left, right];
        let kind = if bind == Bind::OR { ExprKind::Or(list) } else { ExprKind::And(list) };
        Ok(Expr::new(kind, span))
    }

    /// `left::type`.
    fn cast_after(&mut self, left: Expr) -> Result<Expr> {
        let height = self.height;
        let collect = self.collect();
        let location = self.bump().start;
        let type_name = Box::new(self.type_name()?);
        self.wrapped(collect, height)?;
        let span = self.span_from(left.span.start);
        let kind = ExprKind::Cast {
            expr: Box::new(left),
            type_name,
            syntax: CastSyntax::Colons,
            location,
        };
        Ok(Expr::new(kind, span))
    }

    /// The operators that are words, other than `AND` and `OR`. Also says whether the form ends in an operand.
    fn word_operator(
        &mut self,
        left: Expr,
        infix: Infix,
        grammar: Operand,
    ) -> Result<(Expr, bool)> {
        let height = self.height;
        let collect = self.collect();
        let start = left.span.start;
        let location = self.start();
        let left = Box::new(left);
        let mut ends_in_operand = false;
        let kind = match infix {
            Infix::IsNull(negated) => {
                self.bump();
                ExprKind::IsNull { expr: left, negated, location }
            }
            Infix::At => {
                self.expect_all(&[Keyword::At, Keyword::Time, Keyword::Zone])?;
                let zone = Box::new(self.operand(Bind::AT.tighter(), grammar)?);
                ExprKind::AtTimeZone { expr: left, zone, location }
            }
            Infix::Collate => {
                self.bump();
                ExprKind::Collate { expr: left, collation: self.name()?, location }
            }
            Infix::Is => {
                self.bump();
                self.is_test(left, location, grammar, &mut ends_in_operand)?
            }
            _ => {
                let negated = self.eat(Keyword::Not);
                self.pattern(left, location, negated, &mut ends_in_operand)?
            }
        };
        self.wrapped(collect, height)?;
        let span = self.span_from(start);
        Ok((Expr::new(kind, span), ends_in_operand))
    }

    /// What follows `IS`.
    fn is_test(
        &mut self,
        left: Box<Expr>,
        location: u32,
        grammar: Operand,
        ends_in_operand: &mut bool,
    ) -> Result<ExprKind> {
        let negated = self.eat(Keyword::Not);
        let token = self.token();
        let Kind::Keyword(keyword) = token.kind else { return Err(self.unexpected()) };
        let truth = match keyword {
            Keyword::Null => {
                self.bump();
                return Ok(ExprKind::IsNull { expr: left, negated, location });
            }
            Keyword::Distinct => {
                self.bump();
                self.expect(Keyword::From)?;
                let right = Box::new(self.operand(Bind::IS.tighter(), grammar)?);
                *ends_in_operand = true;
                return Ok(ExprKind::IsDistinctFrom { left, right, negated, location });
            }
            Keyword::True => Some(true),
            Keyword::False => Some(false),
            Keyword::Unknown => None,
            Keyword::Document => return Err(Self::unsupported("IS DOCUMENT", token.start)),
            Keyword::Normalized | Keyword::Nfc | Keyword::Nfd | Keyword::Nfkc | Keyword::Nfkd => {
                return self.is_normalized(*left, negated);
            }
            _ => return Err(self.unexpected()),
        };
        self.bump();
        Ok(ExprKind::IsTruth { expr: left, truth, negated, location })
    }

    /// `[NOT] BETWEEN`, `IN`, `LIKE`, `ILIKE`, `SIMILAR TO`; a `NOT` is already taken.
    fn pattern(
        &mut self,
        left: Box<Expr>,
        location: u32,
        negated: bool,
        ends_in_operand: &mut bool,
    ) -> Result<ExprKind> {
        let token = self.bump();
        let kind = match token.kind {
            Kind::Keyword(Keyword::Between) => {
                *ends_in_operand = true;
                let symmetric = self.eat(Keyword::Symmetric);
                if !symmetric {
                    self.eat(Keyword::Asymmetric);
                }
                let low = Box::new(self.restricted_expr()?);
                self.expect(Keyword::And)?;
                let high = Box::new(self.operand(Bind::PATTERN.tighter(), Operand::Any)?);
                return Ok(ExprKind::Between {
                    expr: left,
                    low,
                    high,
                    symmetric,
                    negated,
                    location,
                });
            }
            Kind::Keyword(Keyword::In) => {
                if !self.at_punctuation(b'(') {
                    return Err(self.unexpected());
                }
                let list = match self.parenthesis()? {
                    Parenthesis::Query(query) => {
                        return Ok(ExprKind::InSubquery { expr: left, query, negated, location });
                    }
                    Parenthesis::Expr(expr) => vec![expr],
                    Parenthesis::List(list) => list,
                };
                return Ok(ExprKind::InList { expr: left, list, negated, location });
            }
            Kind::Keyword(Keyword::Like) => LikeKind::Like,
            Kind::Keyword(Keyword::Ilike) => LikeKind::ILike,
            Kind::Keyword(Keyword::Similar) => {
                self.expect(Keyword::To)?;
                LikeKind::SimilarTo
            }
            _ => return Err(self.unexpected_at(token)),
        };
        if kind != LikeKind::SimilarTo
            && let Some(quantifier) = self.quantifier()
        {
            let symbol = Symbol::new(match (kind, negated) {
                (LikeKind::Like, false) => "~~",
                (LikeKind::Like, true) => "!~~",
                (_, false) => "~~*",
                (_, true) => "!~~*",
            });
            let operator = Operator { schema: None, symbol, span: self.span_from(location) };
            return Ok(self.quantified(*left, operator, quantifier)?.kind);
        }
        *ends_in_operand = true;
        let pattern = Box::new(self.operand(Bind::PATTERN.tighter(), Operand::Any)?);
        let escape = if self.eat(Keyword::Escape) {
            Some(Box::new(self.operand(Bind::PATTERN.tighter(), Operand::Any)?))
        } else {
            None
        };
        Ok(ExprKind::Like { kind, expr: left, pattern, escape, negated, location })
    }
}

/// `-text`, or `text` without its minus.
fn negated(text: &str) -> Literal {
    let text = match text.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None => format!("-{text}"),
    };
    // 9223372036854775808 fits once it is negative.
    text.parse().map_or_else(|_| Literal::Number(text.into()), Literal::Integer)
}
