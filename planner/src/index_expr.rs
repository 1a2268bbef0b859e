//! Expressions and predicates of indexes: from syntax to the text that the catalog keeps, and back.
//!
//! The catalog has them as [`damask_catalog::template`] says: deparsed, with columns as parameters. That text is all there is:
//! what rows are indexed by ([`crate::IndexProgram`]) and what queries are matched with are both bound from it, by [`bind_text`],
//! so that they cannot differ.

use crate::bind::{Binder, output_name, parse_error};
use crate::column_set::ColumnSet;
use crate::explain::expression_text;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::rewrite::fold;
use crate::statistics::NoStatistics;
use crate::tuning::Tuning;
use crate::{ColumnUse, PlanContext};
use damask_catalog::object::IndexExpr;
use damask_catalog::{CatalogSnapshot, SearchPath};
use damask_functions::FixedSession;
use damask_functions::Volatility;
use damask_sql::ast;
use damask_types::compare::compare;
use damask_types::{Error, Result, SqlState, SqlType, TypeId, Value};
use std::cmp::Ordering;

/// Binds a key expression of CREATE INDEX. Column `i` of `columns` is the table's `i`th.
///
/// # Errors
/// 42P17 if it is not immutable, 42P16 for a type that no column can have, and what binding raises.
pub fn bind_index_expr(
    expr: &ast::Expr,
    table: &str,
    columns: &[(String, SqlType)],
    ctx: &PlanContext<'_>,
) -> Result<IndexExpr> {
    let mut binder = Binder::new(ctx);
    let bound = binder.bind_column_expression(expr, table, columns, ColumnUse::IndexKey)?;
    let name = match output_name(expr) {
        name if name == "?column?" => "expr".to_owned(),
        name => name,
    };
    if bound.ty.id.info().kind == 'p' {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column \"{name}\" has pseudo-type {}", bound.ty.id.name()),
        ));
    }
    let ty = bound.ty;
    let text = stored_text(bound, "expression", columns)?;
    Ok(IndexExpr { name, text, ty })
}

/// Binds the predicate of CREATE INDEX; gives its stored text, none if it is true of every row.
///
/// # Errors
/// As [`bind_index_expr`]; 42804 if it is no condition.
pub fn bind_index_predicate(
    expr: &ast::Expr,
    table: &str,
    columns: &[(String, SqlType)],
    ctx: &PlanContext<'_>,
) -> Result<Option<String>> {
    let mut binder = Binder::new(ctx);
    let bound = binder.bind_column_expression(expr, table, columns, ColumnUse::IndexPredicate)?;
    if bound.as_literal() == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    stored_text(bound, "predicate", columns).map(Some)
}

/// A stored text over columns of other types: the text again, with the casts it needs now, and its type.
///
/// # Errors
/// What binding raises if it does not fit them.
pub fn rebind_index_text(text: &str, types: &[SqlType]) -> Result<(String, SqlType)> {
    let bound = bind(text, types, |_, bound| bound)?;
    Ok((expression_text(&bound), bound.ty))
}

/// The text of a bound expression, which means the same when it is bound again.
fn stored_text(mut bound: Expr, what: &str, columns: &[(String, SqlType)]) -> Result<String> {
    if !is_immutable(&bound) {
        return Err(Error::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            format!("functions in index {what} must be marked IMMUTABLE"),
        ));
    }
    let unsupported = || Error::unsupported(format!("this expression in an index {what}"));
    if !crate::index_program::can_run(&bound) {
        return Err(unsupported());
    }
    bound.transform(&mut |expr| {
        expr.position = None;
        if let ExprKind::Column(id) = expr.kind {
            (expr.kind, expr.ty) = (ExprKind::Parameter(id.0 as usize), SqlType::plain(expr.ty.id));
        }
    });
    let text = expression_text(&bound);
    let types: Vec<SqlType> = columns.iter().map(|(_, ty)| *ty).collect();
    let again = bind(&text, &types, |_, bound| bound).map_err(|_| unsupported())?;
    if again.same(&bound) || again.ty.id == bound.ty.id && expression_text(&again) == text {
        Ok(text)
    } else {
        Err(unsupported())
    }
}

/// Binds a stored text and folds its constants; the table's column `i` is parameter `i`.
///
/// # Errors
/// What binding raises: the text does not fit columns of these types.
pub(crate) fn bind_text(text: &str, types: &[SqlType]) -> Result<Expr> {
    bind(text, types, |ctx, mut bound| {
        fold(ctx, &mut bound);
        bound
    })
}

fn bind(
    text: &str,
    types: &[SqlType],
    finish: impl FnOnce(&PlanContext<'_>, Expr) -> Expr,
) -> Result<Expr> {
    let parsed = damask_sql::parse_expression(text).map_err(|error| parse_error(&error))?;
    let parameters: Vec<Option<TypeId>> = types.iter().map(|ty| Some(ty.id)).collect();
    let (catalog, path) = (CatalogSnapshot::default(), SearchPath::default());
    let session = FixedSession::default();
    let ctx = PlanContext {
        catalog: &catalog,
        path: &path,
        session: &session,
        text,
        parameters: &parameters,
        statistics: &NoStatistics,
        tuning: Tuning::default(),
    };
    let mut binder = Binder::new(&ctx);
    let bound = binder.bind_column_expression(&parsed, "", &[], ColumnUse::IndexKey)?;
    let mut bound = finish(&ctx, bound);
    bound.transform(&mut |expr| expr.position = None);
    Ok(bound)
}

/// Binds a stored text over the columns of a scan; none if it reads one that the scan does not have.
pub(crate) fn bind_over(
    text: &str,
    types: &[SqlType],
    column: impl Fn(usize) -> Option<ColumnId>,
) -> Option<Expr> {
    let mut bound = bind_text(text, types).ok()?;
    let mut is_complete = true;
    bound.transform(&mut |expr| {
        if let ExprKind::Parameter(place) = expr.kind {
            match column(place) {
                Some(id) => *expr = Expr::column(id, types[place]),
                None => is_complete = false,
            }
        }
    });
    is_complete.then_some(bound)
}

/// Whether it is the same for equal rows at any time and under any settings.
fn is_immutable(expr: &Expr) -> bool {
    !expr.any(&|expr| match &expr.kind {
        ExprKind::Call { function, .. } | ExprKind::AnyAll { function, .. } => {
            function.volatility != Volatility::Immutable
        }
        ExprKind::InOut(arg) => !has_fixed_text(arg.ty.id) || !has_fixed_text(expr.ty.id),
        ExprKind::Parameter(_)
        | ExprKind::Outer(_)
        | ExprKind::Subplan(_)
        | ExprKind::Exists(_)
        | ExprKind::ArraySubplan(_) => true,
        _ => false,
    })
}

/// Whether no setting has a say in a type's text form.
fn has_fixed_text(ty: TypeId) -> bool {
    ty.is_text()
        || matches!(
            ty,
            TypeId::Bool
                | TypeId::Int2
                | TypeId::Int4
                | TypeId::Int8
                | TypeId::Float4
                | TypeId::Float8
                | TypeId::Numeric
                | TypeId::Uuid
                | TypeId::Oid
                | TypeId::Json
                | TypeId::Jsonb
                | TypeId::Unknown
        )
}

/// Whether rows for which every one of `known` is true are rows for which `wanted` is true.
///
/// PostgreSQL's simple proofs: the same condition; a comparison with a constant that a comparison of the same side with another
/// constant makes true; IS NOT NULL of what a condition cannot be true without; AND and OR by their parts.
pub(crate) fn implies(known: &[Expr], wanted: &Expr) -> bool {
    if known.iter().any(|known| known.same(wanted)) {
        return true;
    }
    match &wanted.kind {
        ExprKind::And(parts) => parts.iter().all(|part| implies(known, part)),
        ExprKind::Or(parts) => {
            parts.iter().any(|part| implies(known, part))
                || known.iter().any(|known| match &known.kind {
                    ExprKind::Or(cases) => {
                        cases.iter().all(|case| implies(std::slice::from_ref(case), wanted))
                    }
                    _ => false,
                })
        }
        ExprKind::Literal(Value::Bool(true)) => true,
        ExprKind::IsNull { arg, negated: true } => match arg.as_column() {
            Some(column) => {
                let column: ColumnSet = std::iter::once(column).collect();
                known.iter().any(|known| known.rejects_nulls_of(&column))
            }
            None => known.iter().any(|known| is_strict_over(known, arg)),
        },
        _ => {
            known.iter().any(|known| match &known.kind {
                // All of the elements' comparisons make it true.
                ExprKind::AnyAll { .. } => cases_of(known)
                    .is_some_and(|cases| cases.iter().all(|case| implies_one(case, wanted))),
                ExprKind::And(parts) => implies(parts, wanted),
                _ => implies_one(known, wanted),
            }) || cases_of(wanted).is_some_and(|cases| {
                known.iter().any(|known| match cases_of(known) {
                    Some(known) => {
                        known.iter().all(|known| cases.iter().any(|case| implies_one(known, case)))
                    }
                    None => cases.iter().any(|case| implies_one(known, case)),
                })
            })
        }
    }
}

/// Whether a comparison that a condition is cannot be true when `arg` is null.
fn is_strict_over(known: &Expr, arg: &Expr) -> bool {
    match &known.kind {
        ExprKind::Call { function, args } => function.strict && args.iter().any(|a| a.same(arg)),
        ExprKind::IsNull { arg: known, negated: true } => known.same(arg),
        _ => false,
    }
}

/// `x = ANY (ARRAY[a, b])` as `x = a`, `x = b`.
fn cases_of(expr: &Expr) -> Option<Vec<Expr>> {
    let ExprKind::AnyAll { lhs, function, array, all: false } = &expr.kind else {
        return None;
    };
    let items = match &array.kind {
        ExprKind::Array(items) => items.clone(),
        ExprKind::Literal(Value::Array(array)) => {
            let element = |value: &Value| Expr::literal(value.clone(), array.element);
            array.values.iter().map(element).collect()
        }
        _ => return None,
    };
    let call = |item| Expr::call(function, vec![(**lhs).clone(), item], TypeId::Bool.into());
    Some(items.into_iter().map(call).collect())
}

/// As [`implies`], for two comparisons of one expression with constants of one type.
fn implies_one(known: &Expr, wanted: &Expr) -> bool {
    if known.same(wanted) {
        return true;
    }
    let (Some((lhs, op, a)), Some((rhs, target, b))) = (comparison(known), comparison(wanted))
    else {
        return false;
    };
    if !lhs.same(rhs) {
        return false;
    }
    let Some(order) = order_of_literals(a, b) else {
        return false;
    };
    // With the constants in this order: `x op a` leaves no x for which `x target b` is false.
    match (op, target) {
        ("=" | "<>", "=") | ("<>", "<>") => op == target && order.is_eq(),
        ("=", "<>") => order.is_ne(),
        ("<", "<" | "<=" | "<>") | ("=" | "<=", "<=") => order.is_le(),
        ("=" | "<=", "<") | ("<=", "<>") => order.is_lt(),
        (">", ">" | ">=" | "<>") | ("=" | ">=", ">=") => order.is_ge(),
        ("=" | ">=", ">") | (">=", "<>") => order.is_gt(),
        _ => false,
    }
}

/// How two constants compare, if they are of one type or both integers.
fn order_of_literals(a: &Expr, b: &Expr) -> Option<Ordering> {
    let is_integer = |ty: TypeId| matches!(ty, TypeId::Int2 | TypeId::Int4 | TypeId::Int8);
    let (ty, other) = (a.ty.id, b.ty.id);
    let (a, b) = (a.as_literal()?, b.as_literal()?);
    if a.is_null() || b.is_null() {
        return None;
    }
    if is_integer(ty) && is_integer(other) {
        return Some(a.as_i64()?.cmp(&b.as_i64()?));
    }
    (ty == other).then(|| compare(ty, a, b))
}

/// A comparison with a constant: the other side, the operator seen from it, the constant.
fn comparison(expr: &Expr) -> Option<(&Expr, &'static str, &Expr)> {
    let ExprKind::Call { function, args } = &expr.kind else {
        return None;
    };
    let [lhs, rhs] = &args[..] else {
        return None;
    };
    let symbol = crate::explain::operator_symbol(function)?;
    if !matches!(symbol, "=" | "<>" | "<" | "<=" | ">" | ">=") {
        return None;
    }
    if rhs.as_literal().is_some() {
        return Some((lhs, symbol, rhs));
    }
    let turned = match symbol {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    };
    lhs.as_literal().map(|_| (rhs, turned, lhs))
}
