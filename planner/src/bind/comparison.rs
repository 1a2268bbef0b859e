//! Comparisons: of rows, with subqueries, BETWEEN, IN, LIKE, ANY and ALL.
//!
//! A row comparison is taken apart into comparisons of its fields, as PostgreSQL does.

use super::Binder;
use super::expr::{Env, is_unknown_null, row_fields};
use super::subquery::Pending;
use crate::expr::{Expr, ExprKind};
use damask_functions::registry::CastContext;
use damask_functions::resolve::{CommonContext, common_type};
use damask_sql::ast;
use damask_types::{Error, Position, Result, SqlState, TypeId};

impl Binder<'_> {
    pub(super) fn bind_row_comparison(
        &mut self,
        symbol: &str,
        left: &[ast::Expr],
        right: &[ast::Expr],
        location: u32,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let left = self.bind_all(left, env)?;
        let right = self.bind_all(right, env)?;
        self.compare_rows(symbol, left, right, location)
    }

    /// `(a, b) op (c, d)` field by field.
    pub(super) fn compare_rows(
        &mut self,
        symbol: &str,
        left: Vec<Expr>,
        right: Vec<Expr>,
        location: u32,
    ) -> Result<Expr> {
        if left.len() != right.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "unequal number of entries in row expressions",
            ));
        }
        if left.is_empty() {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot compare rows of zero length",
            ));
        }
        match symbol {
            "=" | "<>" => {
                let mut parts = vec![];
                for (left, right) in left.into_iter().zip(right) {
                    parts.push(self.operator(symbol, Some(left), right, location)?);
                }
                Ok(if symbol == "=" { Expr::and(parts) } else { Expr::or(parts) })
            }
            "<" | "<=" | ">" | ">=" => {
                // a < c OR (a = c AND (b < d ...)), from the last field outwards.
                let strict = &symbol[..1];
                let mut result: Option<Expr> = None;
                for (left, right) in left.into_iter().zip(right).rev() {
                    result = Some(match result {
                        None => self.operator(symbol, Some(left), right, location)?,
                        Some(rest) => {
                            let less =
                                self.operator(strict, Some(left.clone()), right.clone(), location)?;
                            let equal = self.operator("=", Some(left), right, location)?;
                            Expr::or(vec![less, Expr::and(vec![equal, rest])])
                        }
                    });
                }
                result.ok_or_else(|| Error::internal("a row comparison without fields"))
            }
            _ => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("could not determine interpretation of row comparison operator {symbol}"),
            )
            .hint("Row comparison operators must be associated with btree operator families.")),
        }
    }

    pub(super) fn bind_row_subquery(
        &mut self,
        symbol: &str,
        fields: &[ast::Expr],
        query: &ast::Query,
        location: u32,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let left = self.bind_all(fields, env)?;
        let bound = self.bind_query(query, env.scope)?;
        if bound.columns.len() != left.len() {
            let word = if bound.columns.len() < left.len() { "few" } else { "many" };
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("subquery has too {word} columns"),
            ));
        }
        let right = bound.columns.iter().map(|column| Expr::column(column.id, column.ty)).collect();
        env.pending.push(Pending {
            kind: crate::physical::JoinKind::Single,
            plan: bound.plan,
            predicates: vec![],
            mark: None,
        });
        self.compare_rows(symbol, left, right, location)
    }

    pub(super) fn bind_row_distinct(
        &mut self,
        left: &[ast::Expr],
        right: &[ast::Expr],
        negated: bool,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        if left.len() != right.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "unequal number of entries in row expressions",
            ));
        }
        let mut parts = vec![];
        for (left, right) in left.iter().zip(right) {
            let location = left.span.start;
            let left = self.bind_expr(left, env)?;
            let right = self.bind_expr(right, env)?;
            parts.push(self.distinct(left, right, negated, location)?);
        }
        Ok(if negated { Expr::and(parts) } else { Expr::or(parts) })
    }

    /// IS [NOT] DISTINCT FROM of two values.
    pub(crate) fn distinct(
        &mut self,
        lhs: Expr,
        rhs: Expr,
        negated: bool,
        location: u32,
    ) -> Result<Expr> {
        if is_unknown_null(&rhs) {
            let lhs = self.known(lhs)?;
            return Ok(Expr::new(
                ExprKind::IsNull { arg: Box::new(lhs), negated: !negated },
                TypeId::Bool,
            ));
        }
        if is_unknown_null(&lhs) {
            let rhs = self.known(rhs)?;
            return Ok(Expr::new(
                ExprKind::IsNull { arg: Box::new(rhs), negated: !negated },
                TypeId::Bool,
            ));
        }
        let call = self.operator("=", Some(lhs), rhs, location)?;
        let ExprKind::Call { function, mut args } = call.kind else {
            return Err(Error::unsupported("IS DISTINCT FROM of these types"));
        };
        let rhs = Box::new(args.pop().expect("an infix operator has two operands"));
        let lhs = Box::new(args.pop().expect("an infix operator has two operands"));
        Ok(Expr::new(ExprKind::IsDistinct { lhs, rhs, equality: function, negated }, TypeId::Bool))
    }

    pub(super) fn bind_between(
        &mut self,
        arg: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        symmetric: bool,
        negated: bool,
        location: u32,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let arg = self.bind_expr(arg, env)?;
        let low = self.bind_expr(low, env)?;
        let high = self.bind_expr(high, env)?;
        let within = |binder: &mut Self, low: Expr, high: Expr| -> Result<Expr> {
            let above = binder.operator(">=", Some(arg.clone()), low, location)?;
            let below = binder.operator("<=", Some(arg.clone()), high, location)?;
            Ok(Expr::and(vec![above, below]))
        };
        let mut bound = within(self, low.clone(), high.clone())?;
        if symmetric {
            let swapped = within(self, high, low)?;
            bound = Expr::or(vec![bound, swapped]);
        }
        Ok(if negated { bound.negate() } else { bound })
    }

    pub(super) fn bind_in_list(
        &mut self,
        arg: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        location: u32,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        if let Some(fields) = row_fields(arg) {
            let left = self.bind_all(fields, env)?;
            let mut parts = vec![];
            for item in list {
                let Some(right) = row_fields(item) else {
                    return Err(Error::unsupported(
                        "IN of a row and a value that is not written as a row",
                    ));
                };
                let right = self.bind_all(right, env)?;
                parts.push(self.compare_rows("=", left.clone(), right, location)?);
            }
            let bound = Expr::or(parts);
            return Ok(if negated { bound.negate() } else { bound });
        }
        let lhs = self.bind_expr(arg, env)?;
        let items = self.bind_all(list, env)?;
        // As PostgreSQL: constants become one array if they have a common type; the others are compared one by one.
        let (constants, others): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|item| !item.any(&|expr| matches!(expr.kind, ExprKind::Column(_))));
        let mut parts = vec![];
        let mut singles = others;
        if constants.len() > 1 {
            let mut types = vec![lhs.ty.id];
            types.extend(constants.iter().map(|item| item.ty.id));
            match common_type(&types, CommonContext::In).ok().and_then(TypeId::array) {
                Some(array) if array != TypeId::RecordArray => {
                    let element = array.element().unwrap_or(TypeId::Text);
                    let mut converted = vec![];
                    for item in constants {
                        converted.push(self.coerce(item, element.into(), CastContext::Implicit)?);
                    }
                    let array = Expr::new(ExprKind::Array(converted), array);
                    let symbol = if negated { "<>" } else { "=" };
                    parts.push(self.any_all(symbol, lhs.clone(), array, negated, location)?);
                }
                _ => singles.splice(0..0, constants).for_each(drop),
            }
        } else {
            singles.splice(0..0, constants).for_each(drop);
        }
        let symbol = if negated { "<>" } else { "=" };
        for item in singles {
            parts.push(self.operator(symbol, Some(lhs.clone()), item, location)?);
        }
        Ok(if negated { Expr::and(parts) } else { Expr::or(parts) })
    }

    pub(super) fn bind_like(
        &mut self,
        kind: ast::LikeKind,
        arg: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        negated: bool,
        location: u32,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let arg = self.bind_expr(arg, env)?;
        let mut pattern = self.bind_expr(pattern, env)?;
        let escape = escape.map(|escape| self.bind_expr(escape, env)).transpose()?;
        let symbol = match (kind, negated) {
            (ast::LikeKind::Like, false) => "~~",
            (ast::LikeKind::Like, true) => "!~~",
            (ast::LikeKind::ILike, false) => "~~*",
            (ast::LikeKind::ILike, true) => "!~~*",
            (ast::LikeKind::SimilarTo, false) => "~",
            (ast::LikeKind::SimilarTo, true) => "!~",
        };
        match (kind, escape) {
            (ast::LikeKind::SimilarTo, escape) => {
                let args = [pattern].into_iter().chain(escape).collect();
                pattern = self.call("similar_to_escape", args)?;
            }
            (_, Some(escape)) => pattern = self.call("like_escape", vec![pattern, escape])?,
            (_, None) => {}
        }
        self.operator(symbol, Some(arg), pattern, location)
    }

    /// `lhs op ANY (array)` or `ALL`.
    pub(crate) fn any_all(
        &mut self,
        symbol: &str,
        lhs: Expr,
        array: Expr,
        is_all: bool,
        location: u32,
    ) -> Result<Expr> {
        let mut array = array;
        if array.ty.id == TypeId::Unknown {
            let element = if lhs.ty.id == TypeId::Unknown { TypeId::Text } else { lhs.ty.id };
            let target = element.array().ok_or_else(|| Error::unsupported("ANY of this type"))?;
            array = self.coerce(array, target.into(), CastContext::Implicit)?;
        }
        let Some(element) = array.ty.id.element() else {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires array on right side",
            )
            .at(Position(location)));
        };
        // Resolve the operator on an element, then convert the whole array.
        let sample = Expr { position: array.position, ..Expr::new(ExprKind::Element, element) };
        let call = self.operator(symbol, Some(lhs), sample, location)?;
        if call.ty.id != TypeId::Bool {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires operator to yield boolean",
            )
            .at(Position(location)));
        }
        let ExprKind::Call { function, mut args } = call.kind else {
            return Err(Error::unsupported("ANY of this operator"));
        };
        let converted = args.pop().expect("an infix operator has two operands");
        let lhs = args.pop().expect("an infix operator has two operands");
        let array = if converted.ty.id == element {
            array
        } else {
            let target =
                converted.ty.id.array().ok_or_else(|| Error::unsupported("ANY of this type"))?;
            match (array.kind, array.position) {
                (ExprKind::Array(items), position) => {
                    let mut changed = vec![];
                    for item in items {
                        changed.push(self.coerce(item, converted.ty, CastContext::Implicit)?);
                    }
                    Expr { kind: ExprKind::Array(changed), ty: target.into(), position }
                }
                (kind, position) => self.coerce(
                    Expr { kind, ty: array.ty, position },
                    target.into(),
                    CastContext::Implicit,
                )?,
            }
        };
        let kind =
            ExprKind::AnyAll { lhs: Box::new(lhs), function, array: Box::new(array), all: is_all };
        Ok(Expr::new(kind, TypeId::Bool))
    }
}

pub(super) fn is_comparison(symbol: &str) -> bool {
    matches!(symbol, "=" | "<>" | "<" | "<=" | ">" | ">=")
}
