//! Operators and function calls.

use super::expr::Env;
use super::{Binder, at, without_database};
use crate::column_set::ColumnSet;
use crate::expr::{Expr, ExprKind};
use crate::logical::{Call, SortKey};
use damask_functions::ScalarFunction;
use damask_functions::registry::{self, CastContext, ScalarFunction as Scalar, TableFunction};
use damask_functions::resolve::{
    Argument, NamedCall, Resolved, ResolvedFunction, function_exists, resolve_function,
    resolve_named, resolve_operator, type_text,
};
use damask_sql::ast::{self, FunctionCall};
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId, Value};

impl Binder<'_> {
    /// `lhs op rhs`, or `op rhs`.
    ///
    /// # Errors
    /// 42883, 42725 at `location`.
    pub(crate) fn operator(
        &mut self,
        symbol: &str,
        lhs: Option<Expr>,
        rhs: Expr,
        location: u32,
    ) -> Result<Expr> {
        let at = Position(location);
        // Two arrays are joined; that one might also be an element of the other is not a doubt.
        if symbol == "||"
            && let Some(array) =
                lhs.as_ref().filter(|lhs| lhs.ty.id.is_array() && lhs.ty.id == rhs.ty.id)
        {
            let args = vec![array.clone(), rhs];
            return self.call("array_cat", args).map_err(|error| error.at(at));
        }
        let resolved = resolve_operator(symbol, lhs.as_ref().map(|lhs| lhs.ty.id), rhs.ty.id)
            .map_err(|error| error.at(at))?;
        let operands: Vec<Expr> = lhs.into_iter().chain([rhs]).collect();
        let mut args = Vec::with_capacity(2);
        for (operand, ty) in operands.into_iter().zip(&resolved.args) {
            args.push(self.convert_operand(operand, *ty)?);
        }
        Ok(Expr {
            kind: ExprKind::Call { function: resolved.entry.function, args },
            ty: resolved.result.into(),
            position: Some(at),
        })
    }

    /// Converts an operand to the type that resolution chose; its modifier stays if the type does.
    fn convert_operand(&mut self, operand: Expr, ty: TypeId) -> Result<Expr> {
        if operand.ty.id == ty {
            return Ok(operand);
        }
        self.coerce(operand, ty.into(), CastContext::Implicit)
    }

    /// The comparison function of two values of one type.
    pub(crate) fn comparison(
        &mut self,
        symbol: &str,
        ty: TypeId,
    ) -> Result<&'static ScalarFunction> {
        let sample = || Expr::null(ty.into());
        match self.operator(symbol, Some(sample()), sample(), 0).map(|expr| expr.kind) {
            Ok(ExprKind::Call { function, .. }) => Ok(function),
            _ => Err(Error::new(
                SqlState::UNDEFINED_FUNCTION,
                match symbol {
                    "=" => format!(
                        "could not identify an equality operator for type {}",
                        type_text(ty)
                    ),
                    _ => format!(
                        "could not identify an ordering operator for type {}",
                        type_text(ty)
                    ),
                },
            )),
        }
    }

    /// A call of a scalar function that our own rules make.
    pub(crate) fn call(&mut self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        let types: Vec<_> = args.iter().map(|arg| arg.ty.id).collect();
        match resolve_function(name, &types, false)? {
            ResolvedFunction::Scalar(resolved) => self.scalar_call(&resolved, args),
            _ => Err(Error::unsupported(format!("function {name}"))),
        }
    }

    fn scalar_call(&mut self, resolved: &Resolved<Scalar>, args: Vec<Expr>) -> Result<Expr> {
        let mut converted = vec![];
        for (arg, ty) in args.into_iter().zip(&resolved.args) {
            converted.push(self.convert_operand(arg, *ty)?);
        }
        if let Some(from) = resolved.variadic_from {
            let rest = converted.split_off(from);
            let element = rest.first().map_or(TypeId::Text, |arg| arg.ty.id);
            let array =
                element.array().ok_or_else(|| Error::unsupported("VARIADIC of this type"))?;
            converted.push(Expr::new(ExprKind::Array(rest), array));
        }
        Ok(Expr::call(resolved.entry, converted, resolved.result.into()))
    }

    /// A function call as written.
    pub(crate) fn bind_function(&mut self, call: &FunctionCall, env: &mut Env<'_>) -> Result<Expr> {
        let at = Position(call.name.span().start);
        let name = call.name.base().as_str();
        without_database(&call.name.0, || call.name.to_string()).map_err(|error| error.at(at))?;
        if let Some(schema) = call.name.qualifier()
            && schema.as_str() != "pg_catalog"
        {
            let known = self.ctx.catalog.schema_by_name(schema.as_str()).is_some();
            if !known {
                return Err(Error::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    format!("schema \"{}\" does not exist", schema.as_str()),
                )
                .at(at));
            }
        }
        if call.over.is_some() {
            return Err(Error::unsupported("window function").at(at));
        }
        if call.within_group {
            return Err(Error::unsupported("WITHIN GROUP").at(at));
        }
        check_names(&call.args)?;
        let is_aggregate = !registry::aggregates(name).is_empty();
        let was_in_aggregate = env.in_aggregate;
        // What an aggregate's arguments wait for is gathered apart.
        let outer_pending = if is_aggregate { std::mem::take(&mut env.pending) } else { vec![] };
        env.in_aggregate |= is_aggregate;
        let result = self.bind_call(call, name, at, env).map_err(|error| error.at(at));
        env.in_aggregate = was_in_aggregate;
        env.pending.splice(0..0, outer_pending);
        result
    }

    fn bind_call(
        &mut self,
        call: &FunctionCall,
        name: &str,
        at: Position,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let mut args = vec![];
        for arg in &call.args {
            // `f(t.*)` and `count(t.*)` take the row.
            args.push(match &arg.value.kind {
                ast::ExprKind::Wildcard(Some(table)) => match self.table(&table.0, env.scope)? {
                    Some(found) => {
                        let row = self.whole_row(found);
                        self.note_read(&row);
                        row
                    }
                    None => self.bind_expr(&arg.value, env)?,
                },
                _ => self.bind_expr(&arg.value, env)?,
            });
        }
        let variadic = call.args.iter().any(|arg| arg.variadic);
        let types: Vec<_> = args.iter().map(|arg| arg.ty.id).collect();
        if call.star && !(name == "count" && args.is_empty()) && !function_exists(name) {
            return Err(missing(name, "*").at(at));
        }
        if call.args.iter().any(|arg| arg.name.is_some()) {
            return self.named_call(call, name, args);
        }
        let resolved = resolve_function(name, &types, variadic);
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(error) => {
                // With a schema, the message has it too.
                return Err(match call.name.qualifier() {
                    Some(_) if error.sqlstate() == SqlState::UNDEFINED_FUNCTION => {
                        let types: Vec<_> = types.iter().map(|&ty| type_text(ty)).collect();
                        missing(&call.name.to_string(), &types.join(", "))
                    }
                    _ => error,
                });
            }
        };
        let plain_only = |what: &str| {
            if call.distinct {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("DISTINCT specified, but {name} is not an aggregate function"),
                ));
            }
            if !call.order_by.is_empty() {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("ORDER BY specified, but {name} is not an aggregate function"),
                ));
            }
            if call.filter.is_some() {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("FILTER specified, but {name} is not an aggregate function"),
                ));
            }
            let _ = what;
            Ok(())
        };
        match resolved {
            ResolvedFunction::Scalar(mut resolved) => {
                plain_only("function")?;
                if variadic && let Some(form) = registry::array_form(resolved.entry) {
                    if let Some(array) = args.last().filter(|arg| !arg.ty.id.is_array()) {
                        return Err(Error::new(
                            SqlState::DATATYPE_MISMATCH,
                            "VARIADIC argument must be an array",
                        )
                        .at(array.position.unwrap_or(at)));
                    }
                    resolved.entry = form;
                }
                self.scalar_call(&resolved, args)
            }
            ResolvedFunction::Cast { target, .. } => {
                plain_only("cast")?;
                let arg = args.pop().ok_or_else(|| Error::internal("a cast without an operand"))?;
                self.coerce(arg, target.into(), CastContext::Explicit)
            }
            ResolvedFunction::Table(resolved) => {
                plain_only("set")?;
                self.bind_set(&resolved, args, env)
            }
            ResolvedFunction::Aggregate(resolved) => {
                let mut converted = vec![];
                for (arg, ty) in args.into_iter().zip(&resolved.args) {
                    let arg = self.convert_operand(arg, *ty)?;
                    converted.push(self.known(arg)?);
                }
                let filter = match &call.filter {
                    Some(filter) => {
                        let (clause, is_allowed) = env.scope.enter("FILTER", false);
                        let bound = self.bind_expr(filter, env)?;
                        env.scope.enter(clause, is_allowed);
                        Some(self.condition(bound, "FILTER")?)
                    }
                    None => None,
                };
                let mut order: Vec<SortKey> = vec![];
                for key in &call.order_by {
                    let bound = self.bind_expr(&key.expr, env)?;
                    let bound = self.known(bound)?;
                    order.push(self.sort_key(bound, key)?);
                }
                if call.distinct {
                    if let Some(arg) = converted.first() {
                        self.comparison("=", arg.ty.id)?;
                    } else {
                        return Err(Error::new(
                            SqlState::SYNTAX_ERROR,
                            "DISTINCT specified, but count(*) has no argument",
                        ));
                    }
                    let in_args = |key: &SortKey| converted.iter().any(|arg| arg.same(&key.expr));
                    if !order.iter().all(in_args) {
                        return Err(Error::new(
                            SqlState::INVALID_COLUMN_REFERENCE,
                            "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
                        ));
                    }
                }
                let ty = aggregate_type(name, &converted, resolved.result);
                let call = Call {
                    function: resolved.entry,
                    args: converted,
                    distinct: call.distinct,
                    filter,
                    order,
                    ty,
                };
                let mut reads = call.columns();
                for wait in &env.pending {
                    reads.union(&wait.reads());
                }
                let place = |columns: &ColumnSet| {
                    let direct = call.exprs().find_map(|expr| expr.place_of(columns));
                    direct.or_else(|| env.pending.iter().find_map(|wait| wait.place_of(columns)))
                };
                let owner = env.scope.aggregating(&reads, place)?;
                let mut aggregates = owner.aggregates.borrow_mut();
                aggregates.below.append(&mut env.pending);
                // The same call twice is computed once.
                let same = aggregates.calls.iter().find(|(_, other)| same_call(other, &call));
                if let Some((id, _)) = same {
                    return Ok(Expr::column(*id, ty));
                }
                let id = self.new_column(ty);
                aggregates.calls.push((id, call));
                Ok(Expr::column(id, ty))
            }
        }
    }

    /// A call with named arguments.
    fn named_call(&mut self, call: &FunctionCall, name: &str, args: Vec<Expr>) -> Result<Expr> {
        let types: Vec<_> = args.iter().map(|arg| arg.ty.id).collect();
        let names: Vec<_> =
            call.args.iter().map(|arg| arg.name.as_ref().map(ast::Ident::as_str)).collect();
        let NamedCall { function, arguments } = resolve_named(name, &types, &names)?;
        let mut converted = vec![];
        for (arg, ty) in args.into_iter().zip(&function.args) {
            converted.push(Some(self.convert_operand(arg, *ty)?));
        }
        let mut args = vec![];
        for argument in arguments {
            args.push(match argument {
                Argument::Given(at) => converted[at]
                    .take()
                    .ok_or_else(|| Error::internal("an operand is one argument"))?,
                Argument::Default(text, ty) => {
                    let literal = Expr::literal(Value::text(text), TypeId::Unknown);
                    self.coerce(literal, ty.into(), CastContext::Implicit)?
                }
            });
        }
        Ok(Expr::call(function.entry, args, function.result.into()))
    }

    fn bind_set(
        &mut self,
        resolved: &Resolved<TableFunction>,
        args: Vec<Expr>,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        if resolved.entry.columns.len() != 1 {
            return Err(Error::unsupported(format!(
                "function {} in a select list",
                resolved.entry.name
            )));
        }
        let mut converted = vec![];
        for (arg, ty) in args.into_iter().zip(&resolved.args) {
            converted.push(self.convert_operand(arg, *ty)?);
        }
        if env.in_aggregate {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "aggregate function calls cannot contain set-returning function calls",
            ));
        }
        let Some(sets) = &mut env.sets else {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("set-returning functions are not allowed in {}", env.clause),
            ));
        };
        let ty = SqlType::plain(resolved.result);
        let id = self.new_column(ty);
        sets.push((id, resolved.entry, converted));
        Ok(Expr::column(id, ty))
    }

    /// A key of an ORDER BY.
    pub(crate) fn sort_key(&mut self, expr: Expr, order: &ast::OrderBy) -> Result<SortKey> {
        let at = expr.position.unwrap_or_default();
        let descending = match &order.direction {
            ast::OrderDirection::Default | ast::OrderDirection::Ascending => false,
            ast::OrderDirection::Descending => true,
            ast::OrderDirection::Using(operator) => match operator.as_str() {
                "<" => false,
                ">" => true,
                other => {
                    return Err(Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("operator {other} is not a valid ordering operator"),
                    )
                    .hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                    .at(Position(operator.span.start)));
                }
            },
        };
        self.comparison("<", expr.ty.id).map_err(|error| {
            error.at(at).hint("Use an explicit ordering operator or modify the query.")
        })?;
        Ok(SortKey { expr, descending, nulls_first: order.nulls_first.unwrap_or(descending) })
    }
}

/// # Errors
/// 42601 for a name given twice, or an operand without name after one with.
fn check_names(args: &[ast::FunctionArg]) -> Result<()> {
    let mut seen: Vec<&str> = vec![];
    for arg in args {
        match &arg.name {
            Some(name) if seen.contains(&name.as_str()) => {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("argument name \"{}\" used more than once", name.as_str()),
                )
                .at(at(name.span)));
            }
            Some(name) => seen.push(name.as_str()),
            None if !seen.is_empty() => {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "positional argument cannot follow named argument",
                )
                .at(Position(arg.value.location())));
            }
            None => {}
        }
    }
    Ok(())
}

/// The result type of an aggregate: min, max and the like keep the modifier of their argument.
fn aggregate_type(name: &str, args: &[Expr], result: TypeId) -> SqlType {
    match args {
        [arg] if arg.ty.id == result && matches!(name, "min" | "max") => arg.ty,
        _ => result.into(),
    }
}

fn same_call(a: &Call, b: &Call) -> bool {
    std::ptr::eq(a.function, b.function)
        && a.distinct == b.distinct
        && a.order.is_empty()
        && b.order.is_empty()
        && a.args.len() == b.args.len()
        && a.args.iter().zip(&b.args).all(|(a, b)| a.same(b) && !a.is_volatile())
        && match (&a.filter, &b.filter) {
            (None, None) => true,
            (Some(a), Some(b)) => a.same(b),
            _ => false,
        }
}

fn missing(name: &str, args: &str) -> Error {
    Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {name}({args}) does not exist")).hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}
