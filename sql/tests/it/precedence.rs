//! Precedence, shown by a form with every operator in parentheses.

use damask_sql::ast::{Expr, ExprKind, Literal};
use damask_sql::parse_expression;

fn paren(expr: &Expr) -> String {
    let list = |list: &[Expr], word: &str| {
        let parts: Vec<String> = list.iter().map(paren).collect();
        format!("({})", parts.join(word))
    };
    match &expr.kind {
        ExprKind::Literal(Literal::Integer(n)) => n.to_string(),
        ExprKind::Literal(Literal::String(text)) => format!("'{text}'"),
        ExprKind::Literal(Literal::Boolean(value)) => value.to_string(),
        ExprKind::Literal(Literal::Null) => "null".into(),
        ExprKind::Column(name) => name.to_string(),
        ExprKind::Unary { operator, expr } => format!("({} {})", operator.as_str(), paren(expr)),
        ExprKind::Binary { operator, left, right } => {
            format!("({} {} {})", paren(left), operator.as_str(), paren(right))
        }
        ExprKind::And(items) => list(items, " and "),
        ExprKind::Or(items) => list(items, " or "),
        ExprKind::Not(expr) => format!("(not {})", paren(expr)),
        ExprKind::IsNull { expr, negated, .. } => {
            format!("({} is {}null)", paren(expr), if *negated { "not " } else { "" })
        }
        ExprKind::IsTruth { expr, truth, .. } => format!("({} is {truth:?})", paren(expr)),
        ExprKind::IsDistinctFrom { left, right, .. } => {
            format!("({} is distinct from {})", paren(left), paren(right))
        }
        ExprKind::Between { expr, low, high, .. } => {
            format!("({} between {} and {})", paren(expr), paren(low), paren(high))
        }
        ExprKind::Like { expr, pattern, .. } => {
            format!("({} like {})", paren(expr), paren(pattern))
        }
        ExprKind::InList { expr, list: items, .. } => {
            format!("({} in {})", paren(expr), list(items, ", "))
        }
        ExprKind::Cast { expr, type_name, .. } => {
            format!("({}::{})", paren(expr), type_name.name)
        }
        ExprKind::Collate { expr, collation, .. } => {
            format!("({} collate {collation})", paren(expr))
        }
        ExprKind::AtTimeZone { expr, zone, .. } => {
            format!("({} at time zone {})", paren(expr), paren(zone))
        }
        ExprKind::Subscript { expr, .. } => format!("({}[])", paren(expr)),
        ExprKind::Field { expr, field } => format!("({}.{})", paren(expr), field.value),
        other => format!("{other:?}"),
    }
}

#[test]
fn operators_bind_as_in_postgresql() {
    for (text, expected) in [
        ("-2^2", "(-2 ^ 2)"),
        ("-a^2", "((- a) ^ 2)"),
        ("2^-1", "(2 ^- 1)"),
        ("2 ^ -1", "(2 ^ -1)"),
        ("a<>-1", "(a <> -1)"),
        ("a>=-1", "(a >= -1)"),
        ("a+b*c^d", "(a + (b * (c ^ d)))"),
        ("a-b-c", "((a - b) - c)"),
        ("a^b^c", "((a ^ b) ^ c)"),
        ("a or b and not c = d", "(a or (b and (not (c = d))))"),
        ("not a is null", "(not (a is null))"),
        ("not not a", "(not (not a))"),
        ("a = b is null", "((a = b) is null)"),
        ("a is null = b", "((a is null) = b)"),
        ("a is null is null", "((a is null) is null)"),
        ("a || b = c || d", "((a || b) = (c || d))"),
        ("a || b + c", "(a || (b + c))"),
        ("@ a + b", "(@ (a + b))"),
        ("@ a || b", "((@ a) || b)"),
        ("a @> b < c", "((a @> b) < c)"),
        ("a between b and c and d", "((a between b and c) and d)"),
        ("a between b + 1 and c + 1 or d", "((a between (b + 1) and (c + 1)) or d)"),
        ("a < b between c and d", "(a < (b between c and d))"),
        ("a like b || c", "(a like (b || c))"),
        ("a + b like c", "((a + b) like c)"),
        ("a in (1) = b in (2)", "((a in (1)) = (b in (2)))"),
        ("a = b in (1)", "(a = (b in (1)))"),
        ("-a::int", "(- (a::int4))"),
        ("a::int::text", "((a::int4)::text)"),
        ("a collate b || c", "((a collate b) || c)"),
        ("-a collate b", "((- a) collate b)"),
        ("a at time zone b + c", "((a at time zone b) + c)"),
        ("a at time zone b::text", "(a at time zone (b::text))"),
        ("a is distinct from b or c", "((a is distinct from b) or c)"),
        ("a is distinct from b = c", "(a is distinct from (b = c))"),
        ("a[1]::int", "((a[])::int4)"),
        ("- - 5", "5"),
        ("a - -5", "(a - -5)"),
        ("a = not b", "(a = (not b))"),
        ("a and b and (c and d)", "(a and b and (c and d))"),
        ("(a and b) and c", "(a and b and c)"),
        ("a operator(s.+) b * c", "(a + (b * c))"),
        ("a <= b = true is true", "((a <= b) = true is Some(true))"),
    ] {
        let actual = match parse_expression(text) {
            Ok(expr) => paren(&expr),
            Err(error) => error.to_string(),
        };
        if text == "a <= b = true is true" {
            assert_eq!(actual, "syntax error at or near \"=\"");
            continue;
        }
        assert_eq!(actual, expected, "{text}");
    }
}
