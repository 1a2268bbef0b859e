//! Scalar expressions.

use super::comparison::is_comparison;
use super::scope::Scope;
use super::subquery::Pending;
use super::{Binder, check_collation, resolve_type};
use crate::expr::{ColumnId, Expr, ExprKind};
use damask_functions::registry::{CastContext, TableFunction};
use damask_functions::resolve::{CommonContext, can_coerce, common_type, type_text};
use damask_sql::ast::{self, Literal, Quantifier, SqlValue};
use damask_types::format::parse_text;
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId, Value};

/// A place where expressions are bound: what they see, what they may hold, and what binding them leaves to be done.
pub(crate) struct Env<'s> {
    pub(crate) scope: &'s Scope<'s>,
    /// The clause, for messages.
    pub(crate) clause: &'static str,
    /// Joins to be put under the operator that evaluates the expressions.
    pub(crate) pending: Vec<Pending>,
    /// Whether set-returning functions may stand here, and those found.
    pub(crate) sets: Option<Vec<(ColumnId, &'static TableFunction, Vec<Expr>)>>,
    pub(crate) in_aggregate: bool,
}

/// The clause of a column's default.
pub(crate) const DEFAULT_CLAUSE: &str = "DEFAULT expressions";

impl<'s> Env<'s> {
    /// A clause that holds neither aggregates nor set-returning functions.
    pub(crate) fn plain(scope: &'s Scope<'s>, clause: &'static str) -> Self {
        scope.enter(clause, false);
        Self { scope, clause, pending: vec![], sets: None, in_aggregate: false }
    }

    /// The select list and the clauses that stand above the aggregation with it.
    pub(crate) fn select(scope: &'s Scope<'s>) -> Self {
        let env = Self { sets: Some(vec![]), ..Self::plain(scope, "SELECT") };
        scope.enter("SELECT", true);
        env
    }
}

impl Binder<'_> {
    /// Binds an expression.
    pub(crate) fn bind_expr(&mut self, expr: &ast::Expr, env: &mut Env<'_>) -> Result<Expr> {
        let location = Position(expr.location());
        let mut bound = self.bind_kind(expr, env).map_err(|error| error.at(location))?;
        bound.position.get_or_insert(location);
        Ok(bound)
    }

    /// Binds an expression that must be a condition.
    pub(crate) fn bind_condition(&mut self, expr: &ast::Expr, env: &mut Env<'_>) -> Result<Expr> {
        let bound = self.bind_expr(expr, env)?;
        self.condition(bound, env.clause)
    }

    fn bind_bool(&mut self, expr: &ast::Expr, what: &str, env: &mut Env<'_>) -> Result<Expr> {
        let bound = self.bind_expr(expr, env)?;
        self.condition(bound, what)
    }

    pub(super) fn bind_all(&mut self, exprs: &[ast::Expr], env: &mut Env<'_>) -> Result<Vec<Expr>> {
        exprs.iter().map(|expr| self.bind_expr(expr, env)).collect()
    }

    fn bind_kind(&mut self, expr: &ast::Expr, env: &mut Env<'_>) -> Result<Expr> {
        use ast::ExprKind as Ast;
        match &expr.kind {
            Ast::Literal(literal) => self.bind_literal(literal),
            Ast::Column(_) if env.clause == DEFAULT_CLAUSE => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use column reference in DEFAULT expression",
            )),
            Ast::Column(name) => self.resolve_column(name, env.scope),
            Ast::Wildcard(_) => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "row expansion via \"*\" is not supported here",
            )),
            Ast::Parameter(number) => self.bind_parameter(*number),
            Ast::Unary { operator, expr } => {
                let arg = self.bind_expr(expr, env)?;
                self.operator(operator.as_str(), None, arg, operator.span.start)
            }
            Ast::Binary { operator, left, right } => self.bind_binary(operator, left, right, env),
            Ast::Chain { first, rest } => {
                let mut bound = self.bind_expr(first, env)?;
                for (operator, right) in rest {
                    let right = self.bind_expr(right, env)?;
                    bound =
                        self.operator(operator.as_str(), Some(bound), right, operator.span.start)?;
                    bound.position = Some(Position(operator.span.start));
                }
                Ok(bound)
            }
            Ast::And(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.bind_bool(part, "AND", env))
                    .collect::<Result<Vec<_>>>()?;
                Ok(Expr::and(parts))
            }
            Ast::Or(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.bind_bool(part, "OR", env))
                    .collect::<Result<Vec<_>>>()?;
                Ok(Expr::or(parts))
            }
            Ast::Not(arg) => Ok(self.bind_bool(arg, "NOT", env)?.negate()),
            Ast::IsNull { expr, negated, .. } => {
                let arg = self.bind_expr(expr, env)?;
                let arg = self.known(arg)?;
                Ok(Expr::new(
                    ExprKind::IsNull { arg: Box::new(arg), negated: *negated },
                    TypeId::Bool,
                ))
            }
            Ast::IsTruth { expr, truth, negated, .. } => {
                let word = match (truth, negated) {
                    (Some(true), false) => "IS TRUE",
                    (Some(true), true) => "IS NOT TRUE",
                    (Some(false), false) => "IS FALSE",
                    (Some(false), true) => "IS NOT FALSE",
                    (None, false) => "IS UNKNOWN",
                    (None, true) => "IS NOT UNKNOWN",
                };
                let arg = Box::new(self.bind_bool(expr, word, env)?);
                Ok(Expr::new(
                    ExprKind::IsBool { arg, value: *truth, negated: *negated },
                    TypeId::Bool,
                ))
            }
            Ast::IsDistinctFrom { left, right, negated, .. } => {
                if let (Some(left), Some(right)) = (row_fields(left), row_fields(right)) {
                    return self.bind_row_distinct(left, right, *negated, env);
                }
                let lhs = self.bind_expr(left, env)?;
                let rhs = self.bind_expr(right, env)?;
                self.distinct(lhs, rhs, *negated, expr.location())
            }
            Ast::Between { expr: arg, low, high, symmetric, negated, location } => {
                self.bind_between(arg, low, high, *symmetric, *negated, *location, env)
            }
            Ast::InList { expr, list, negated, location } => {
                self.bind_in_list(expr, list, *negated, *location, env)
            }
            Ast::InSubquery { expr, query, negated, location } => {
                let lhs = match row_fields(expr) {
                    Some(fields) => self.bind_all(fields, env)?,
                    None => vec![self.bind_expr(expr, env)?],
                };
                let bound = self.bind_quantified(
                    lhs,
                    "=",
                    query,
                    false,
                    *location,
                    env.scope,
                    &mut env.pending,
                )?;
                Ok(if *negated { bound.negate() } else { bound })
            }
            Ast::Like { kind, expr, pattern, escape, negated, location } => {
                self.bind_like(*kind, expr, pattern, escape.as_deref(), *negated, *location, env)
            }
            Ast::Quantified { left, operator, quantifier, over } => {
                let is_all = *quantifier == Quantifier::All;
                match over {
                    ast::QuantifiedOver::Query(query) => {
                        let lhs = match row_fields(left) {
                            Some(fields) => self.bind_all(fields, env)?,
                            None => vec![self.bind_expr(left, env)?],
                        };
                        self.bind_quantified(
                            lhs,
                            operator.as_str(),
                            query,
                            is_all,
                            operator.span.start,
                            env.scope,
                            &mut env.pending,
                        )
                    }
                    ast::QuantifiedOver::Array(array) => {
                        let lhs = self.bind_expr(left, env)?;
                        let array = self.bind_expr(array, env)?;
                        self.any_all(operator.as_str(), lhs, array, is_all, operator.span.start)
                    }
                }
            }
            Ast::Exists(query) => self.bind_exists(query, env.scope, &mut env.pending),
            Ast::Subquery(query) => self.bind_scalar(query, env.scope, &mut env.pending),
            Ast::ArraySubquery(query) => self.bind_array_query(query, env.scope, &mut env.pending),
            Ast::Array(items) => self.bind_array(items, None, env),
            Ast::Row { fields, .. } => {
                let mut bound = vec![];
                for field in fields {
                    let field = self.bind_expr(field, env)?;
                    bound.push(self.known(field)?);
                }
                Ok(Expr::new(ExprKind::Row(bound), TypeId::Record))
            }
            Ast::Subscript { expr, subscripts } => self.bind_subscript(expr, subscripts, env),
            Ast::Field { expr, field } => self.bind_field(expr, field, env),
            Ast::FieldAll(_) => Err(Error::unsupported("row expansion via \".*\"")),
            Ast::Cast { expr: arg, type_name, .. } => {
                let target = resolve_type(type_name)?;
                if let (Ast::Array(items), true) = (&arg.kind, target.id.is_array()) {
                    let array = self.bind_array(items, Some(target), env)?;
                    return self.coerce(array, target, CastContext::Explicit);
                }
                let arg = self.bind_expr(arg, env)?;
                self.coerce(arg, target, CastContext::Explicit)
            }
            Ast::Collate { expr, collation, .. } => {
                let arg = self.bind_expr(expr, env)?;
                let arg = self.known(arg)?;
                check_collation(collation, arg.ty.id)?;
                Ok(arg)
            }
            Ast::AtTimeZone { expr, zone, .. } => {
                let arg = self.bind_expr(expr, env)?;
                let zone = self.bind_expr(zone, env)?;
                self.call("timezone", vec![zone, arg])
            }
            Ast::Case { operand, whens, otherwise } => {
                self.bind_case(operand.as_deref(), whens, otherwise.as_deref(), env)
            }
            Ast::Coalesce(args) => {
                let args = self.bind_all(args, env)?;
                let (args, ty) = self.common(args, CommonContext::Coalesce)?;
                Ok(Expr::new(ExprKind::Coalesce(args), ty))
            }
            Ast::Greatest(args) | Ast::Least(args) => {
                let least = matches!(expr.kind, Ast::Least(_));
                let context = if least { CommonContext::Least } else { CommonContext::Greatest };
                let args = self.bind_all(args, env)?;
                let (args, ty) = self.common(args, context)?;
                let less = self.comparison("<", ty.id)?;
                Ok(Expr::new(ExprKind::MinMax { args, least, less }, ty))
            }
            Ast::NullIf(a, b) => {
                let a = self.bind_expr(a, env)?;
                let b = self.bind_expr(b, env)?;
                let ty = a.ty;
                let call = self.operator("=", Some(a), b, expr.location())?;
                let ExprKind::Call { function, mut args } = call.kind else {
                    return Err(Error::unsupported("NULLIF of these types"));
                };
                let rhs = Box::new(args.pop().expect("an infix operator has two operands"));
                let lhs = Box::new(args.pop().expect("an infix operator has two operands"));
                let ty = if ty.id == lhs.ty.id { ty } else { lhs.ty };
                Ok(Expr::new(ExprKind::NullIf { lhs, rhs, equality: function }, ty))
            }
            Ast::Function(call) => self.bind_function(call, env),
            Ast::SqlValue(value) => self.bind_sql_value(*value),
            Ast::Default => {
                Err(Error::new(SqlState::SYNTAX_ERROR, "DEFAULT is not allowed in this context"))
            }
            Ast::Grouping(_) => Err(Error::unsupported("GROUPING")),
            Ast::CurrentOf(_) => Err(Error::unsupported("WHERE CURRENT OF")),
        }
    }

    fn bind_literal(&mut self, literal: &Literal) -> Result<Expr> {
        Ok(match literal {
            Literal::Null => Expr::literal(Value::Null, TypeId::Unknown),
            Literal::Boolean(value) => Expr::bool(*value),
            Literal::Integer(value) => match i32::try_from(*value) {
                Ok(value) => Expr::literal(Value::Int4(value), TypeId::Int4),
                Err(_) => Expr::literal(Value::Int8(*value), TypeId::Int8),
            },
            Literal::Number(text) => {
                let value = parse_text(TypeId::Numeric.into(), text, self.ctx.session.format(), 0)?;
                Expr::literal(value, TypeId::Numeric)
            }
            Literal::String(text) => Expr::literal(Value::text(&**text), TypeId::Unknown),
            Literal::BitString(_) | Literal::HexString(_) => {
                return Err(Error::unsupported("type bit"));
            }
        })
    }

    fn bind_parameter(&mut self, number: u32) -> Result<Expr> {
        if number == 0 || number > 65_535 {
            return Err(Error::new(
                SqlState::UNDEFINED_PARAMETER,
                format!("there is no parameter ${number}"),
            ));
        }
        let index = number as usize - 1;
        if self.parameters.len() <= index {
            self.parameters.resize(index + 1, None);
        }
        let ty = self.parameters[index].unwrap_or(TypeId::Unknown);
        Ok(Expr::new(ExprKind::Parameter(index), ty))
    }

    /// An expression of unknown type becomes text.
    pub(crate) fn known(&mut self, expr: Expr) -> Result<Expr> {
        if expr.ty.id == TypeId::Unknown {
            return self.coerce(expr, TypeId::Text.into(), CastContext::Implicit);
        }
        Ok(expr)
    }

    /// Converts all to their common type.
    pub(crate) fn common(
        &mut self,
        args: Vec<Expr>,
        context: CommonContext,
    ) -> Result<(Vec<Expr>, SqlType)> {
        let types: Vec<_> = args.iter().map(|arg| arg.ty.id).collect();
        let id = common_type(&types, context).map_err(|error| {
            // The error stands at the first operand whose type differs from the first known one.
            let first = types.iter().find(|&&ty| ty != TypeId::Unknown);
            let culprit =
                args.iter().find(|arg| arg.ty.id != TypeId::Unknown && Some(&arg.ty.id) != first);
            match culprit.and_then(|arg| arg.position) {
                Some(position) => error.at(position),
                None => error,
            }
        })?;
        // A modifier survives only if all share it.
        let mut typmod = None;
        for arg in args.iter().filter(|arg| !is_unknown_null(arg)) {
            let own = if arg.ty.id == id { arg.ty.typmod } else { -1 };
            if *typmod.get_or_insert(own) != own {
                typmod = Some(-1);
            }
        }
        let ty = SqlType { id, typmod: typmod.unwrap_or(-1) };
        let args = args
            .into_iter()
            .map(|arg| {
                if arg.ty == ty {
                    return Ok(arg);
                }
                self.coerce(arg, id.into(), CastContext::Implicit)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((args, ty))
    }

    fn bind_binary(
        &mut self,
        operator: &ast::Operator,
        left: &ast::Expr,
        right: &ast::Expr,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let symbol = operator.as_str();
        let location = operator.span.start;
        if let (Some(left), Some(right)) = (row_fields(left), row_fields(right)) {
            return self.bind_row_comparison(symbol, left, right, location, env);
        }
        if let (Some(fields), ast::ExprKind::Subquery(query)) = (row_fields(left), &right.kind) {
            return self.bind_row_subquery(symbol, fields, query, location, env);
        }
        let lhs = self.bind_expr(left, env)?;
        let rhs = self.bind_expr(right, env)?;
        if let (ExprKind::Row(_), ExprKind::Row(_)) = (&lhs.kind, &rhs.kind)
            && let (ExprKind::Row(left), ExprKind::Row(right)) =
                (lhs.kind.clone(), rhs.kind.clone())
            && is_comparison(symbol)
        {
            return self.compare_rows(symbol, left, right, location);
        }
        if self.ctx.tuning.transform_null_equals && symbol == "=" {
            let (left, right) = (is_unknown_null(&lhs), is_unknown_null(&rhs));
            if left || right {
                let arg = self.known(if left { rhs } else { lhs })?;
                let kind = ExprKind::IsNull { arg: Box::new(arg), negated: false };
                return Ok(Expr::new(kind, TypeId::Bool));
            }
        }
        self.operator(symbol, Some(lhs), rhs, location)
    }

    fn bind_array(
        &mut self,
        items: &[ast::Expr],
        wanted: Option<SqlType>,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let mut bound = vec![];
        for item in items {
            bound.push(match &item.kind {
                ast::ExprKind::Array(inner) => self.bind_array(inner, wanted, env)?,
                _ => self.bind_expr(item, env)?,
            });
        }
        let Some(wanted) = wanted else {
            if bound.is_empty() {
                return Err(Error::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    "cannot determine type of empty array",
                )
                .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."));
            }
            let (items, ty) = self.common(bound, CommonContext::Array)?;
            // Arrays of arrays are one array of more dimensions.
            let array = if ty.id.is_array() { Some(ty.id) } else { ty.id.array() };
            let array = array.ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("could not find array type for data type {}", type_text(ty.id)),
                )
            })?;
            return Ok(Expr::new(ExprKind::Array(items), SqlType { id: array, typmod: ty.typmod }));
        };
        let element = wanted.id.element().unwrap_or(TypeId::Text);
        let mut converted = vec![];
        for item in bound {
            let target = if item.ty.id.is_array() { wanted.id } else { element };
            converted.push(self.coerce(
                item,
                SqlType { id: target, typmod: wanted.typmod },
                CastContext::Explicit,
            )?);
        }
        Ok(Expr::new(ExprKind::Array(converted), wanted))
    }

    fn bind_subscript(
        &mut self,
        arg: &ast::Expr,
        subscripts: &[ast::Subscript],
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let array = self.bind_expr(arg, env)?;
        let Some(element) = array.ty.id.element() else {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "cannot subscript type {} because it does not support subscripting",
                    type_text(array.ty.id)
                ),
            ));
        };
        if let [ast::Subscript::Slice(lower, upper)] = subscripts {
            let lower =
                lower.as_ref().map(|expr| self.array_index(expr, env)).transpose()?.map(Box::new);
            let upper =
                upper.as_ref().map(|expr| self.array_index(expr, env)).transpose()?.map(Box::new);
            let ty = array.ty;
            return Ok(Expr::new(ExprKind::Slice { array: Box::new(array), lower, upper }, ty));
        }
        let mut bound = vec![];
        for subscript in subscripts {
            match subscript {
                ast::Subscript::Index(expr) => bound.push(self.array_index(expr, env)?),
                ast::Subscript::Slice(..) => {
                    return Err(Error::unsupported("slice of several dimensions"));
                }
            }
        }
        let ty = SqlType { id: element, typmod: array.ty.typmod };
        Ok(Expr::new(ExprKind::Subscript { array: Box::new(array), subscripts: bound }, ty))
    }

    fn bind_field(
        &mut self,
        arg: &ast::Expr,
        field: &ast::Ident,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        // `(t).a` and `(ROW(...)).f1`.
        if let ast::ExprKind::Column(name) = &arg.kind
            && let [table] = &name.0[..]
            && env.scope.has_table(table.as_str())
        {
            let qualified = ast::Name(vec![table.clone(), field.clone()]);
            return self.resolve_column(&qualified, env.scope);
        }
        let arg = self.bind_expr(arg, env)?;
        let index =
            field.as_str().strip_prefix('f').and_then(|number| number.parse::<usize>().ok());
        if let (ExprKind::Row(fields), Some(index)) = (&arg.kind, index)
            && let Some(found) = index.checked_sub(1).and_then(|index| fields.get(index))
        {
            return Ok(found.clone());
        }
        if arg.ty.id != TypeId::Record {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "column notation .{} applied to type {}, which is not a composite type",
                    field.as_str(),
                    type_text(arg.ty.id)
                ),
            ));
        }
        Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("could not identify column \"{}\" in record data type", field.as_str()),
        ))
    }

    fn bind_case(
        &mut self,
        operand: Option<&ast::Expr>,
        whens: &[ast::When],
        otherwise: Option<&ast::Expr>,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let operand = operand.map(|operand| self.bind_expr(operand, env)).transpose()?;
        let operand = operand.map(|operand| self.known(operand)).transpose()?;
        let mut conditions = vec![];
        let mut results = vec![];
        for when in whens {
            let condition = match &operand {
                Some(operand) => {
                    let value = self.bind_expr(&when.condition, env)?;
                    self.operator("=", Some(operand.clone()), value, when.condition.span.start)?
                }
                None => self.bind_bool(&when.condition, "CASE/WHEN", env)?,
            };
            conditions.push(condition);
            results.push(self.bind_expr(&when.result, env)?);
        }
        // PostgreSQL looks at ELSE first when it chooses the common type.
        let has_else = otherwise.is_some();
        if let Some(otherwise) = otherwise {
            results.insert(0, self.bind_expr(otherwise, env)?);
        }
        let (mut results, ty) = self.common(results, CommonContext::Case)?;
        let otherwise = has_else.then(|| Box::new(results.remove(0)));
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Expr::new(ExprKind::Case { branches, otherwise }, ty))
    }

    fn bind_sql_value(&mut self, value: SqlValue) -> Result<Expr> {
        let cast = |binder: &mut Self,
                    function: &str,
                    ty: TypeId,
                    precision: Option<i32>|
         -> Result<Expr> {
            let value = binder.call(function, vec![])?;
            let target =
                SqlType { id: ty, typmod: precision.map_or(-1, |precision| precision.clamp(0, 6)) };
            binder.coerce(value, target, CastContext::Explicit)
        };
        match value {
            SqlValue::CurrentDate => cast(self, "now", TypeId::Date, None),
            SqlValue::CurrentTime(precision) => cast(self, "now", TypeId::TimeTz, precision),
            SqlValue::CurrentTimestamp(precision) => {
                cast(self, "now", TypeId::TimestampTz, precision)
            }
            SqlValue::LocalTime(precision) => cast(self, "now", TypeId::Time, precision),
            SqlValue::LocalTimestamp(precision) => cast(self, "now", TypeId::Timestamp, precision),
            SqlValue::CurrentRole | SqlValue::CurrentUser | SqlValue::User => {
                self.call("current_user", vec![])
            }
            SqlValue::SessionUser => self.call("session_user", vec![]),
            SqlValue::CurrentCatalog => self.call("current_database", vec![]),
            SqlValue::CurrentSchema => self.call("current_schema", vec![]),
        }
    }

    /// Binds an expression that may read no column of this query.
    pub(crate) fn bind_constant(
        &mut self,
        expr: &ast::Expr,
        scope: &Scope<'_>,
        clause: &'static str,
        ty: TypeId,
    ) -> Result<Expr> {
        // Columns of this query are in sight, so that the message can say what is wrong.
        let mut env = Env::plain(scope, clause);
        let bound = self.bind_expr(expr, &mut env)?;
        let own = scope.own_columns();
        let place = bound.place_of(&own);
        let place = place.or_else(|| env.pending.iter().find_map(|wait| wait.place_of(&own)));
        if let Some(place) = place {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("argument of {clause} must not contain variables"),
            )
            .at(place));
        }
        if !env.pending.is_empty() {
            return Err(Error::unsupported(format!("correlated subquery in {clause}")));
        }
        if !can_coerce(bound.ty.id, ty, CastContext::Assignment) {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "argument of {clause} must be type {}, not type {}",
                    type_text(ty),
                    type_text(bound.ty.id)
                ),
            )
            .at(bound.position.unwrap_or_default()));
        }
        self.coerce(bound, ty.into(), CastContext::Assignment)
    }
}

/// The fields of an expression that is written as a row.
pub(crate) fn row_fields(expr: &ast::Expr) -> Option<&[ast::Expr]> {
    match &expr.kind {
        ast::ExprKind::Row { fields, .. } => Some(fields),
        _ => None,
    }
}

/// Whether it is NULL as written.
pub(crate) fn is_unknown_null(expr: &Expr) -> bool {
    expr.ty.id == TypeId::Unknown && matches!(expr.kind, ExprKind::Literal(Value::Null))
}
