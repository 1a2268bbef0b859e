//! Code against a naive interpreter: one row at a time, each part evaluated only if the row reaches it, by the operator table's kernels.

mod reference;

use damask_functions::registry::{cast, operator};
use damask_functions::{CastContext, ScalarFunction, registry::CastMethod};
use damask_jit::{Group, Outcome};
use damask_planner::expr::{ColumnId, Expr, ExprKind};
use damask_types::{Mask, Numeric, TypeId, Value, Vector};
use reference::{Random, value};

fn expr(kind: ExprKind, ty: TypeId) -> Expr {
    Expr { kind, ty: ty.into(), position: None }
}

fn function(name: &str, lhs: Option<TypeId>, rhs: TypeId) -> &'static ScalarFunction {
    operator(name, lhs, rhs).unwrap_or_else(|| panic!("{lhs:?} {name} {rhs:?} exists")).function
}

fn binary(name: &str, lhs: Expr, rhs: Expr) -> Expr {
    let function = function(name, Some(lhs.ty.id), rhs.ty.id);
    expr(ExprKind::Call { function, args: vec![lhs, rhs] }, function.result)
}

fn unary(name: &str, arg: Expr) -> Expr {
    let function = function(name, None, arg.ty.id);
    expr(ExprKind::Call { function, args: vec![arg] }, function.result)
}

fn convert(arg: Expr, target: TypeId) -> Expr {
    let cast = cast(arg.ty.id, target).expect("the cast exists");
    assert!(cast.context <= CastContext::Explicit);
    let CastMethod::Function(function) = cast.method else { panic!("a function") };
    expr(ExprKind::Call { function, args: vec![arg] }, target)
}

fn column(index: u32, ty: TypeId) -> Expr {
    expr(ExprKind::Column(ColumnId(index)), ty)
}

fn literal(value: Value, ty: TypeId) -> Expr {
    expr(ExprKind::Literal(value), ty)
}

fn decimal(mantissa: i128, scale: u16) -> Value {
    Value::Numeric(Numeric::Decimal { mantissa, scale })
}

/// The columns of every test: two of each type.
const TYPES: [TypeId; 7] = [
    TypeId::Bool,
    TypeId::Int2,
    TypeId::Int4,
    TypeId::Int8,
    TypeId::Float8,
    TypeId::Numeric,
    TypeId::Date,
];

/// A value of a column: small mostly, so that operations succeed; now and then at an edge.
fn random_value(random: &mut Random, ty: TypeId, edges: bool, scale: u16) -> Value {
    if random.below(8) == 0 {
        return Value::Null;
    }
    let small = random.below(41) as i64 - 20;
    let edge = edges && random.below(60) == 0;
    match ty {
        TypeId::Bool => Value::Bool(random.below(2) == 0),
        TypeId::Int2 => Value::Int2(if edge { i16::MIN } else { small as i16 }),
        TypeId::Int4 => Value::Int4(if edge { i32::MIN } else { small as i32 }),
        TypeId::Int8 => Value::Int8(if edge { i64::MIN } else { small }),
        TypeId::Float8 => Value::Float8(match (edge, random.below(4)) {
            (false, _) => small as f64 / 4.0,
            (true, 0) => f64::NAN,
            (true, 1) => f64::INFINITY,
            (true, 2) => 1e300,
            (true, _) => -0.0,
        }),
        TypeId::Numeric => decimal(if edge { i64::MAX.into() } else { small.into() }, scale),
        TypeId::Date => Value::Date(small as i32),
        other => panic!("no values of {other:?}"),
    }
}

/// A random expression of a type.
fn random_expr(random: &mut Random, ty: TypeId, depth: usize) -> Expr {
    let place = TYPES.iter().position(|other| *other == ty).expect("one of ours") as u32;
    if depth == 0 || random.below(8) == 0 {
        return match random.below(4) {
            0 => literal(random_value(random, ty, true, 2), ty),
            other => column(place * 2 + other as u32 % 2, ty),
        };
    }
    let depth = depth - 1;
    match random.below(12) {
        0 => {
            let mut branches = vec![];
            for _ in 0..=random.below(2) {
                let condition = random_expr(random, TypeId::Bool, depth);
                branches.push((condition, random_expr(random, ty, depth)));
            }
            let otherwise =
                (random.below(2) == 0).then(|| Box::new(random_expr(random, ty, depth)));
            return expr(ExprKind::Case { branches, otherwise }, ty);
        }
        1 => {
            let parts = (0..2).map(|_| random_expr(random, ty, depth)).collect();
            return expr(ExprKind::Coalesce(parts), ty);
        }
        2 => {
            let lhs = Box::new(random_expr(random, ty, depth));
            let rhs = Box::new(random_expr(random, ty, depth));
            let equality = function("=", Some(ty), ty);
            return expr(ExprKind::NullIf { lhs, rhs, equality }, ty);
        }
        3 => {
            let args = (0..3).map(|_| random_expr(random, ty, depth)).collect();
            let less = function("<", Some(ty), ty);
            return expr(ExprKind::MinMax { args, least: random.below(2) == 0, less }, ty);
        }
        _ => {}
    }
    if ty == TypeId::Bool {
        return random_condition(random, depth);
    }
    let arithmetic = ["+", "-", "*", "/", "%"][random.below(5) as usize];
    match ty {
        TypeId::Int2 | TypeId::Int4 | TypeId::Int8 => match random.below(6) {
            0 => unary("-", random_expr(random, ty, depth)),
            1 => unary("@", random_expr(random, ty, depth)),
            2 if ty == TypeId::Int8 => convert(random_expr(random, TypeId::Int4, depth), ty),
            2 if ty == TypeId::Int4 => convert(random_expr(random, TypeId::Int8, depth), ty),
            3 if ty == TypeId::Int8 && arithmetic != "%" => binary(
                arithmetic,
                random_expr(random, TypeId::Int2, depth),
                random_expr(random, TypeId::Int8, depth),
            ),
            4 => binary(
                ["&", "|", "#"][random.below(3) as usize],
                random_expr(random, ty, depth),
                random_expr(random, ty, depth),
            ),
            _ => binary(arithmetic, random_expr(random, ty, depth), random_expr(random, ty, depth)),
        },
        TypeId::Float8 => match random.below(6) {
            0 => convert(random_expr(random, TypeId::Int4, depth), ty),
            1 => convert(random_expr(random, TypeId::Numeric, depth), ty),
            2 => unary("-", random_expr(random, ty, depth)),
            _ => binary(
                ["+", "-", "*", "/"][random.below(4) as usize],
                random_expr(random, ty, depth),
                random_expr(random, ty, depth),
            ),
        },
        TypeId::Numeric => match random.below(5) {
            0 => convert(random_expr(random, TypeId::Int8, depth), ty),
            1 => unary("-", random_expr(random, ty, depth)),
            _ => binary(
                ["+", "-", "*"][random.below(3) as usize],
                random_expr(random, ty, depth),
                random_expr(random, ty, depth),
            ),
        },
        _ => column(12 + random.below(2) as u32, TypeId::Date),
    }
}

fn random_condition(random: &mut Random, depth: usize) -> Expr {
    let ty = TYPES[random.below(TYPES.len() as u64) as usize];
    match random.below(8) {
        0 | 1 => {
            let parts = (0..=1 + random.below(2))
                .map(|_| random_expr(random, TypeId::Bool, depth))
                .collect();
            let kind =
                if random.below(2) == 0 { ExprKind::And(parts) } else { ExprKind::Or(parts) };
            expr(kind, TypeId::Bool)
        }
        2 => {
            let arg = random_expr(random, TypeId::Bool, depth);
            expr(ExprKind::Not(Box::new(arg)), TypeId::Bool)
        }
        3 => {
            let arg = Box::new(random_expr(random, ty, depth));
            expr(ExprKind::IsNull { arg, negated: random.below(2) == 0 }, TypeId::Bool)
        }
        4 => {
            let arg = Box::new(random_expr(random, TypeId::Bool, depth));
            let value = [None, Some(true), Some(false)][random.below(3) as usize];
            let kind = ExprKind::IsBool { arg, value, negated: random.below(2) == 0 };
            expr(kind, TypeId::Bool)
        }
        5 => {
            let lhs = Box::new(random_expr(random, ty, depth));
            let rhs = Box::new(random_expr(random, ty, depth));
            let equality = function("=", Some(ty), ty);
            let kind = ExprKind::IsDistinct { lhs, rhs, equality, negated: random.below(2) == 0 };
            expr(kind, TypeId::Bool)
        }
        6 => {
            let lhs = Box::new(random_expr(random, TypeId::Int4, depth));
            let items = (0..3).map(|_| random_expr(random, TypeId::Int4, 0)).collect();
            let array = Box::new(expr(ExprKind::Array(items), TypeId::Int4Array));
            let function = function("=", Some(TypeId::Int4), TypeId::Int4);
            let kind = ExprKind::AnyAll { lhs, function, array, all: random.below(2) == 0 };
            expr(kind, TypeId::Bool)
        }
        _ => {
            let name = ["=", "<>", "<", "<=", ">", ">="][random.below(6) as usize];
            binary(name, random_expr(random, ty, depth), random_expr(random, ty, depth))
        }
    }
}

/// Columns of a tile: by value, and as vectors. One in four is the same for every row.
fn tile(random: &mut Random, rows: usize, edges: bool) -> (Vec<Vec<Value>>, Vec<Vector>) {
    let mut columns = vec![];
    let mut vectors = vec![];
    for ty in TYPES {
        for scale in [2, 3] {
            if random.below(4) == 0 {
                let value = random_value(random, ty, edges, scale);
                columns.push(vec![value.clone(); rows]);
                vectors.push(Vector::constant(ty, &value, rows));
            } else {
                let values: Vec<Value> =
                    (0..rows).map(|_| random_value(random, ty, edges, scale)).collect();
                vectors.push(Vector::from_values(ty, &values));
                columns.push(values);
            }
        }
    }
    (columns, vectors)
}

fn inputs(group: &Group, vectors: &[Vector]) -> Vec<Vector> {
    let input = |input: &Expr| match input.kind {
        ExprKind::Column(id) => vectors[id.0 as usize].clone(),
        _ => panic!("only columns are inputs here"),
    };
    group.inputs().iter().map(input).collect()
}

/// Equal bit for bit, any NaN like any other.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float8(a), Value::Float8(b)) => {
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
        }
        (
            Value::Numeric(Numeric::Decimal { mantissa: a, scale: s }),
            Value::Numeric(Numeric::Decimal { mantissa: b, scale: t }),
        ) => a == b && s == t,
        (a, b) => a == b,
    }
}

/// Runs an expression over a tile and compares; gives whether code answered.
fn check(
    expr: &Expr,
    group: &Group,
    columns: &[Vec<Value>],
    vectors: &[Vector],
    seed: u64,
) -> bool {
    let rows = columns[0].len();
    let mut random = Random(seed ^ 0x5555);
    let active = Mask::from_fn(rows, |_| random.below(4) > 0);
    let Outcome::Done(vector) = group.run(&inputs(group, vectors), rows, &active, 0) else {
        return false;
    };
    assert_eq!((vector.rows(), vector.ty), (rows, expr.ty.id));
    for row in active.iter() {
        let input = |id: ColumnId| columns[id.0 as usize][row].clone();
        let wanted = value(expr, &input);
        let got = vector.value(row);
        match &wanted {
            Ok(wanted) if same(wanted, &got) => {}
            _ => panic!("seed {seed}, row {row}: {got:?}, not {wanted:?}, of {expr:#?}"),
        }
    }
    true
}

#[test]
fn code_agrees_with_the_kernels() {
    let (mut answered, mut groups) = (0, 0);
    for seed in 0..700u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let ty = TYPES[random.below(6) as usize];
        let depth = 1 + random.below(4) as usize;
        let expr = random_expr(&mut random, ty, depth);
        let Some(group) = Group::new(&expr, 1) else { continue };
        groups += 1;
        for edges in [false, true] {
            let rows = [1, 63, 64, 65, 200][random.below(5) as usize];
            let (columns, vectors) = tile(&mut random, rows, edges);
            answered += usize::from(check(&expr, &group, &columns, &vectors, seed));
        }
    }
    // The rest divides by zero, overflows, mixes scales.
    assert!(groups > 350, "{groups} groups");
    assert!(answered > groups / 2, "{answered} tiles answered");
}

/// `CASE WHEN b <> 0 THEN a / b ELSE 0 END` with zeros is answered by code: what is not reached does not count.
#[test]
fn unreached_errors_do_not_count() {
    let (a, b) = (column(4, TypeId::Int4), column(5, TypeId::Int4));
    let zero = || literal(Value::Int4(0), TypeId::Int4);
    let guarded = |guard: Expr| {
        let quotient = binary("/", a.clone(), b.clone());
        let kind =
            ExprKind::Case { branches: vec![(guard, quotient)], otherwise: Some(Box::new(zero())) };
        expr(kind, TypeId::Int4)
    };
    let mut vectors: Vec<Vector> =
        TYPES.iter().flat_map(|ty| [*ty; 2]).map(|ty| Vector::nulls(ty, 3)).collect();
    vectors[4] = Vector::from_values(TypeId::Int4, &[7, i32::MIN, 9].map(Value::Int4));
    vectors[5] = Vector::from_values(TypeId::Int4, &[2, 0, -1].map(Value::Int4));
    let run = |expr: &Expr| {
        let group = Group::new(expr, 1).expect("it can be compiled");
        group.run(&inputs(&group, &vectors), 3, &Mask::first(3), 0)
    };
    let Outcome::Done(result) = run(&guarded(binary("<>", b.clone(), zero()))) else {
        panic!("no live row divides by zero")
    };
    assert_eq!([0, 1, 2].map(|row| result.value(row)), [3, 0, -9].map(Value::Int4));
    // Unguarded, the interpreter has to raise.
    assert!(matches!(run(&guarded(binary(">=", b.clone(), zero()))), Outcome::Interpret));
    assert!(matches!(run(&binary("/", a.clone(), b.clone())), Outcome::Interpret));
    assert!(matches!(
        run(&binary("-", a.clone(), convert(column(6, TypeId::Int8), TypeId::Int4))),
        Outcome::Done(_)
    ));
}

/// Code is looked for only after so many rows.
#[test]
fn compilation_waits() {
    let sum = binary("+", column(4, TypeId::Int4), column(5, TypeId::Int4));
    let group = Group::new(&sum, 1).expect("it can be compiled");
    let vectors: Vec<Vector> =
        TYPES.iter().flat_map(|ty| [*ty; 2]).map(|ty| Vector::nulls(ty, 10)).collect();
    let run = || group.run(&inputs(&group, &vectors), 10, &Mask::first(10), 15);
    assert!(matches!(run(), Outcome::Interpret));
    assert!(matches!(run(), Outcome::Interpret));
    assert!(matches!(run(), Outcome::Done(_)));
    assert_eq!(group.tiles(), (1, 0));
    assert!(Group::new(&sum, 2).is_none(), "one operation is not worth it");
}

/// A part that may raise and cannot be compiled is not evaluated early, under a condition nothing but columns is.
#[test]
fn parts_stay_with_the_interpreter() {
    let text = || literal(Value::text("x"), TypeId::Text);
    let equal = || binary("=", text(), text());
    let small = || binary("<", column(4, TypeId::Int4), column(5, TypeId::Int4));
    let and = |parts| expr(ExprKind::And(parts), TypeId::Bool);
    assert_eq!(Group::new(&and(vec![equal(), small()]), 1).expect("early").inputs().len(), 3);
    assert!(Group::new(&and(vec![small(), equal()]), 1).is_none());
    let raises = binary("/", column(10, TypeId::Numeric), column(11, TypeId::Numeric));
    assert!(Group::new(&binary("+", raises, column(10, TypeId::Numeric)), 1).is_none());
}
