//! Conversions: implicit ones where SQL allows them, and casts as written.

use super::Binder;
use crate::expr::{Expr, ExprKind};
use damask_functions::registry::{self, CastContext, CastMethod};
use damask_functions::resolve::{can_coerce, type_text};
use damask_types::format::parse_text;
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId, Value};
use std::sync::Arc;

impl Binder<'_> {
    /// Converts `expr` to `target` where it is used as if it were of that type.
    ///
    /// # Errors
    /// 42846 if no cast of this context exists; 22P02 and others for an unknown literal that does not parse.
    pub(crate) fn coerce(
        &mut self,
        expr: Expr,
        target: SqlType,
        context: CastContext,
    ) -> Result<Expr> {
        let source = expr.ty.id;
        if source == TypeId::Unknown {
            return self.coerce_unknown(expr, target, context);
        }
        if source == target.id {
            return Ok(apply_typmod(expr, target, context == CastContext::Explicit));
        }
        if target.id.is_polymorphic() {
            return Ok(expr);
        }
        // The catalog's vectors are arrays in all but name.
        if matches!(
            (source, target.id),
            (TypeId::Int2Vector, TypeId::Int2Array) | (TypeId::OidVector, TypeId::OidArray)
        ) {
            let position = expr.position;
            return Ok(Expr { kind: ExprKind::Retype(Box::new(expr)), ty: target, position });
        }
        let Some(cast) = registry::cast(source, target.id).filter(|cast| cast.context <= context)
        else {
            // A cast as written is pointed at by its own place, by the caller.
            let position = expr.position.filter(|_| context != CastContext::Explicit);
            return Err(cannot_cast(source, target.id, position));
        };
        let position = expr.position;
        let is_explicit = context == CastContext::Explicit;
        if let (Some(from), Some(to)) = (true_element(source), true_element(target.id))
            && from != to
        {
            let element = Expr::new(ExprKind::Element, from);
            let element =
                self.coerce(element, SqlType { id: to, typmod: target.typmod }, context)?;
            let kind = ExprKind::ArrayCast { arg: Box::new(expr), element: Box::new(element) };
            return Ok(Expr { kind, ty: target, position });
        }
        let plain = SqlType::plain(target.id);
        let converted = match cast.method {
            CastMethod::Binary => {
                Expr { kind: ExprKind::Retype(Box::new(expr)), ty: plain, position }
            }
            CastMethod::InOut => {
                // The text form is parsed with the modifier applied.
                return Ok(Expr { kind: ExprKind::InOut(Box::new(expr)), ty: target, position });
            }
            CastMethod::Function(function) if function.args.len() >= 2 => {
                let mut args = vec![expr, Expr::literal(Value::Int4(target.typmod), TypeId::Int4)];
                if function.args.len() >= 3 {
                    args.push(Expr::bool(is_explicit));
                }
                return Ok(Expr { kind: ExprKind::Call { function, args }, ty: target, position });
            }
            CastMethod::Function(function) => {
                Expr { kind: ExprKind::Call { function, args: vec![expr] }, ty: plain, position }
            }
        };
        Ok(apply_typmod(converted, target, is_explicit))
    }

    /// A literal or parameter whose type was not known becomes one of `target`.
    fn coerce_unknown(
        &mut self,
        expr: Expr,
        target: SqlType,
        context: CastContext,
    ) -> Result<Expr> {
        let position = expr.position;
        match &expr.kind {
            ExprKind::Parameter(index) => {
                let known = self.parameter_type(*index, target.id);
                let expr =
                    Expr { kind: ExprKind::Parameter(*index), ty: SqlType::plain(known), position };
                if known == target.id {
                    return Ok(apply_typmod(expr, target, context == CastContext::Explicit));
                }
                self.coerce(expr, target, context)
            }
            ExprKind::Literal(Value::Null) => Ok(Expr { kind: expr.kind, ty: target, position }),
            ExprKind::Literal(Value::Text(text)) if target.id.is_polymorphic() => {
                let text = Value::Text(Arc::clone(text));
                Ok(Expr { kind: ExprKind::Literal(text), ty: TypeId::Text.into(), position })
            }
            ExprKind::Literal(Value::Text(text)) => {
                if is_session_dependent(target.id) {
                    let text = Expr {
                        kind: ExprKind::Literal(Value::Text(Arc::clone(text))),
                        ty: TypeId::Unknown.into(),
                        position,
                    };
                    return Ok(Expr {
                        kind: ExprKind::InOut(Box::new(text)),
                        ty: target,
                        position,
                    });
                }
                let session = self.ctx.session;
                // A length is applied after reading, as a cast does: an explicit one cuts, and does not complain. Only
                // an interval's fields say how its text is read.
                let ty =
                    if target.id == TypeId::Interval { target } else { SqlType::plain(target.id) };
                let value = parse_text(ty, text, session.format(), session.transaction_timestamp());
                let value = match (value, position) {
                    (Ok(value), _) => value,
                    (Err(error), Some(position)) => return Err(error.at(position)),
                    (Err(error), None) => return Err(error),
                };
                let literal = Expr { kind: ExprKind::Literal(value), ty, position };
                Ok(apply_typmod(literal, target, context == CastContext::Explicit))
            }
            // An unknown column of a subquery or VALUES.
            _ => Ok(Expr { kind: ExprKind::InOut(Box::new(expr)), ty: target, position }),
        }
    }

    /// Converts for storing in a column; a failure names the column.
    ///
    /// # Errors
    /// 42804 `column "a" is of type integer but expression is of type text`.
    pub(crate) fn assign(&mut self, expr: Expr, column: &str, target: SqlType) -> Result<Expr> {
        let source = expr.ty.id;
        if !can_coerce(source, target.id, CastContext::Assignment) {
            let mut error = Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{column}\" is of type {} but expression is of type {}",
                    type_text(target.id),
                    type_text(source)
                ),
            )
            .hint("You will need to rewrite or cast the expression.");
            if let Some(position) = expr.position {
                error = error.at(position);
            }
            return Err(error);
        }
        self.coerce(expr, target, CastContext::Assignment)
    }

    /// Makes a condition of `expr`; `what` is the clause's name in the error.
    ///
    /// # Errors
    /// 42804 `argument of WHERE must be type boolean, not type integer`.
    pub(crate) fn condition(&mut self, expr: Expr, what: &str) -> Result<Expr> {
        if !can_coerce(expr.ty.id, TypeId::Bool, CastContext::Assignment) {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "argument of {what} must be type boolean, not type {}",
                    type_text(expr.ty.id)
                ),
            )
            .at(expr.position.unwrap_or_default()));
        }
        self.coerce(expr, TypeId::Bool.into(), CastContext::Assignment)
    }
}

/// Whether the text form of a literal must be read when the statement runs, not when it is planned: names of objects, and words like `now`.
fn is_session_dependent(ty: TypeId) -> bool {
    matches!(
        ty,
        TypeId::RegClass
            | TypeId::RegType
            | TypeId::RegProc
            | TypeId::RegProcedure
            | TypeId::RegOper
            | TypeId::RegOperator
            | TypeId::RegNamespace
            | TypeId::RegRole
            | TypeId::RegConfig
            | TypeId::RegDictionary
    )
}

/// Applies a type's modifier to a value that has the type but not (provably) the modifier.
pub(crate) fn apply_typmod(expr: Expr, target: SqlType, is_explicit: bool) -> Expr {
    if target.typmod == -1
        || expr.ty == target
        || matches!(expr.kind, ExprKind::Literal(Value::Null))
    {
        return Expr { ty: if target.typmod == -1 { expr.ty } else { target }, ..expr };
    }
    if let Some(element) = target.id.element().filter(|_| target.id.is_array()) {
        let position = expr.position;
        let element_type = SqlType { id: element, typmod: target.typmod };
        let inner = Expr::new(ExprKind::Element, element);
        let element = apply_typmod(inner, element_type, is_explicit);
        if matches!(element.kind, ExprKind::Element) {
            return Expr { ty: target, ..expr };
        }
        let kind = ExprKind::ArrayCast { arg: Box::new(expr), element: Box::new(element) };
        return Expr { kind, ty: target, position };
    }
    let Some(function) = registry::length_coercion(target.id) else {
        return Expr { ty: target, ..expr };
    };
    let position = expr.position;
    let mut args = vec![expr, Expr::literal(Value::Int4(target.typmod), TypeId::Int4)];
    if function.args.len() >= 3 {
        args.push(Expr::bool(is_explicit));
    }
    Expr { kind: ExprKind::Call { function, args }, ty: target, position }
}

/// The element type of a true array; the vectors of system columns convert as whole values.
fn true_element(ty: TypeId) -> Option<TypeId> {
    match ty {
        TypeId::Int2Vector | TypeId::OidVector => None,
        _ => ty.element(),
    }
}

/// 42846.
fn cannot_cast(source: TypeId, target: TypeId, position: Option<Position>) -> Error {
    let error = Error::new(
        SqlState::CANNOT_COERCE,
        format!("cannot cast type {} to {}", type_text(source), type_text(target)),
    );
    match position {
        Some(position) => error.at(position),
        None => error,
    }
}
