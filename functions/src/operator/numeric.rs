//! numeric: `+ - * / % ^`, signs and comparisons.
//!
//! Vectors whose entries have one scale (Decimal64, Decimal128) are computed over their mantissas: in i64 if no row
//! overflows, else in i128, else exactly. The scale of a sum is the larger one, that of a product the sum of both, so one scale
//! stays one scale. A quotient's scale depends on the values, so division goes row by row.

use super::comparison::Test;
use crate::KernelContext;
use crate::lanes::{bools, live_rows, valid_in_all, with_data};
use crate::registry::{ScalarFunction, family};
use crate::rows::{Arg, map1, map2};
use damask_types::{Mask, Numeric, Result, TypeId, Vector, VectorData};
use std::cmp::Ordering;

/// Mantissas below this lie inline (and in Decimal128).
const MANTISSA_LIMIT: u128 = 10u128.pow(38);

/// 10^exponent, if it fits.
#[inline]
pub(crate) fn pow10(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// The mantissas of a vector of one scale.
#[derive(Clone, Copy)]
enum Mantissas<'a> {
    Short(&'a [i64]),
    Long(&'a [i128]),
}

impl Mantissas<'_> {
    #[inline]
    fn get(self, i: usize) -> i128 {
        match self {
            Self::Short(values) => values[i].into(),
            Self::Long(values) => values[i],
        }
    }
}

fn mantissas(vector: &Vector) -> Option<(Mantissas<'_>, u8)> {
    match &vector.data {
        VectorData::Decimal64 { scale, values } => Some((Mantissas::Short(values), *scale)),
        VectorData::Decimal128 { scale, values } => Some((Mantissas::Long(values), *scale)),
        _ => None,
    }
}

/// `f` over entries, const ones read once: one entry if both are const.
#[inline]
fn zip<R>(args: &[Vector], a: &[i64], b: &[i64], rows: usize, f: impl Fn(i64, i64) -> R) -> Vec<R> {
    match (args[0].is_const(), args[1].is_const()) {
        (false, false) => a[..rows].iter().zip(&b[..rows]).map(|(&a, &b)| f(a, b)).collect(),
        (false, true) => {
            let b = b[0];
            a[..rows].iter().map(|&a| f(a, b)).collect()
        }
        (true, false) => {
            let a = a[0];
            b[..rows].iter().map(|&b| f(a, b)).collect()
        }
        (true, true) => vec![f(a[0], b[0])],
    }
}

/// Wraps entries that `zip` or a row loop made.
fn wrap(ctx: &KernelContext<'_>, args: &[Vector], data: VectorData) -> Vector {
    let validity = valid_in_all(args);
    if args.iter().all(Vector::is_const) {
        if validity.is_some_and(|validity| !validity.get(0)) {
            return Vector::nulls(TypeId::Numeric, ctx.rows);
        }
        return Vector::flat(TypeId::Numeric, 1, data, None).first_as_const(ctx.rows);
    }
    Vector::flat(TypeId::Numeric, ctx.rows, data, validity)
}

/// An operation on the mantissas of two vectors of one scale each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Sub,
    Mul,
}

fn arithmetic(ctx: &KernelContext<'_>, args: &[Vector], operation: Operation) -> Result<Vector> {
    if ctx.rows > 0
        && let (Some((a, s)), Some((b, t))) = (mantissas(&args[0]), mantissas(&args[1]))
        && let Some(vector) = decimals(ctx, args, operation, (a, s), (b, t))
    {
        return Ok(vector);
    }
    map2(ctx, args, |a: Numeric, b: Numeric| match operation {
        Operation::Add => a.add(&b),
        Operation::Sub => a.sub(&b),
        Operation::Mul => a.mul(&b),
    })
}

/// The fast paths; `None` if a live row leaves i128.
fn decimals(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    operation: Operation,
    (a, s): (Mantissas<'_>, u8),
    (b, t): (Mantissas<'_>, u8),
) -> Option<Vector> {
    let scale = match operation {
        Operation::Add | Operation::Sub => s.max(t),
        Operation::Mul => s.checked_add(t)?,
    };
    let (up_a, up_b) = match operation {
        Operation::Add | Operation::Sub => (pow10((scale - s).into())?, pow10((scale - t).into())?),
        Operation::Mul => (1, 1),
    };
    if let (Mantissas::Short(a), Mantissas::Short(b)) = (a, b)
        && let (Ok(x), Ok(y)) = (i64::try_from(up_a), i64::try_from(up_b))
        && let Some(values) = short(args, a, b, ctx.rows, operation, x, y)
    {
        return Some(wrap(ctx, args, VectorData::Decimal64 { scale, values: values.into() }));
    }
    let rows = if args.iter().all(Vector::is_const) { 1 } else { ctx.rows };
    let live = live_rows(ctx, args);
    let mut values = vec![0i128; rows];
    let compute = |row: usize| {
        let a = a.get(args[0].index(row)).checked_mul(up_a)?;
        let b = b.get(args[1].index(row)).checked_mul(up_b)?;
        let value = match operation {
            Operation::Add => a.checked_add(b),
            Operation::Sub => a.checked_sub(b),
            Operation::Mul => a.checked_mul(b),
        }?;
        (value.unsigned_abs() < MANTISSA_LIMIT).then_some(value)
    };
    for (row, value) in values.iter_mut().enumerate() {
        match compute(row) {
            Some(result) => *value = result,
            None if rows == 1 && !live.is_empty() || live.get(row) => return None,
            None => {}
        }
    }
    Some(wrap(ctx, args, VectorData::Decimal128 { scale, values: values.into() }))
}

/// All in i64; `None` if a row overflows (live or not: it is rare, and the next path sorts it out).
fn short(
    args: &[Vector],
    a: &[i64],
    b: &[i64],
    rows: usize,
    operation: Operation,
    up_a: i64,
    up_b: i64,
) -> Option<Vec<i64>> {
    let wrong = std::cell::Cell::new(false);
    let note = |(value, overflow): (i64, bool)| {
        wrong.set(wrong.get() | overflow);
        value
    };
    let values = match (operation, up_a == 1 && up_b == 1) {
        (Operation::Mul, _) => zip(args, a, b, rows, |a, b| note(a.overflowing_mul(b))),
        (Operation::Add, true) => zip(args, a, b, rows, |a, b| note(a.overflowing_add(b))),
        (Operation::Sub, true) => zip(args, a, b, rows, |a, b| note(a.overflowing_sub(b))),
        (Operation::Add, false) => zip(args, a, b, rows, |a, b| {
            note(note(a.overflowing_mul(up_a)).overflowing_add(note(b.overflowing_mul(up_b))))
        }),
        (Operation::Sub, false) => zip(args, a, b, rows, |a, b| {
            note(note(a.overflowing_mul(up_a)).overflowing_sub(note(b.overflowing_mul(up_b))))
        }),
    };
    (!wrong.get()).then_some(values)
}

/// A comparison. One scale on both sides compares mantissas; else one side is scaled up.
fn compare(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    if ctx.rows > 0
        && let (Some((a, s)), Some((b, t))) = (mantissas(&args[0]), mantissas(&args[1]))
    {
        let scale = s.max(t);
        if let (Mantissas::Short(a), Mantissas::Short(b)) = (a, b)
            && let Some(vector) = compare_short(ctx, args, test, (a, scale - s), (b, scale - t))
        {
            return Ok(vector);
        }
    }
    let (a, b) = (&args[0], &args[1]);
    Ok(bools(ctx, args, |rows| {
        let valid = valid_in_all(args);
        Mask::from_fn(rows, |row| {
            valid.is_none_or(|valid| valid.get(row)) && {
                let x = Numeric::get(a, a.index(row));
                test.holds(x.compare(&Numeric::get(b, b.index(row))))
            }
        })
    }))
}

fn compare_short(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    test: Test,
    (a, up_a): (&[i64], u8),
    (b, up_b): (&[i64], u8),
) -> Option<Vector> {
    let (up_a, up_b) = (pow10(up_a.into())?, pow10(up_b.into())?);
    // A const side is scaled once, if it stays an i64.
    let scaled = |values: &[i64], up: i128| {
        i128::from(values[0]).checked_mul(up).and_then(|value| i64::try_from(value).ok())
    };
    if up_a == 1 && args[1].is_const() && !args[0].is_const() {
        let b = scaled(b, up_b)?;
        return Some(compare_mask(ctx, args, test, |row| a[row], |_| b));
    }
    if up_b == 1 && args[0].is_const() && !args[1].is_const() {
        let a = scaled(a, up_a)?;
        return Some(compare_mask(ctx, args, test, |_| a, |row| b[row]));
    }
    if up_a == 1 && up_b == 1 {
        let (x, y) = (&args[0], &args[1]);
        return Some(compare_mask(ctx, args, test, |row| a[x.index(row)], |row| b[y.index(row)]));
    }
    // An i64 times 10^19 is within i128.
    let limit = 10i128.pow(19);
    if up_a > limit || up_b > limit {
        return None;
    }
    Some(compare_mask(
        ctx,
        args,
        test,
        |row| i128::from(a[args[0].index(row)]) * up_a,
        |row| i128::from(b[args[1].index(row)]) * up_b,
    ))
}

#[inline]
fn compare_mask<T: Ord>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    test: Test,
    a: impl Fn(usize) -> T,
    b: impl Fn(usize) -> T,
) -> Vector {
    bools(ctx, args, |rows| match test {
        Test::Equal => Mask::from_fn(rows, |row| a(row) == b(row)),
        Test::NotEqual => Mask::from_fn(rows, |row| a(row) != b(row)),
        Test::Less => Mask::from_fn(rows, |row| a(row) < b(row)),
        Test::LessEqual => Mask::from_fn(rows, |row| a(row) <= b(row)),
        Test::Greater => Mask::from_fn(rows, |row| a(row) > b(row)),
        Test::GreaterEqual => Mask::from_fn(rows, |row| a(row) >= b(row)),
    })
}

fn negate(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    match &args[0].data {
        // The magnitude of i64::MIN does not fit; then the general path.
        VectorData::Decimal64 { scale, values } if !values.contains(&i64::MIN) => {
            let values: Vec<i64> = values.iter().map(|value| -value).collect();
            let data = VectorData::Decimal64 { scale: *scale, values: values.into() };
            Ok(with_data(&args[0], TypeId::Numeric, data))
        }
        VectorData::Decimal128 { scale, values } => {
            let values: Vec<i128> = values.iter().map(|value| -value).collect();
            let data = VectorData::Decimal128 { scale: *scale, values: values.into() };
            Ok(with_data(&args[0], TypeId::Numeric, data))
        }
        _ => map1(ctx, args, |value: Numeric| value.neg()),
    }
}

/// `numeric_smaller` and `numeric_larger` are the aggregates' helpers; SQL reaches them by name.
fn pick(ctx: &KernelContext<'_>, args: &[Vector], wanted: Ordering) -> Result<Vector> {
    map2(ctx, args, |a: Numeric, b: Numeric| if a.compare(&b) == wanted { a } else { b })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1718 numeric_eq(Numeric, Numeric) -> Bool: strict immutable = |c, a| compare(c, a, Test::Equal);
    1719 numeric_ne(Numeric, Numeric) -> Bool: strict immutable = |c, a| compare(c, a, Test::NotEqual);
    1722 numeric_lt(Numeric, Numeric) -> Bool: strict immutable = |c, a| compare(c, a, Test::Less);
    1723 numeric_le(Numeric, Numeric) -> Bool: strict immutable = |c, a| compare(c, a, Test::LessEqual);
    1720 numeric_gt(Numeric, Numeric) -> Bool: strict immutable = |c, a| compare(c, a, Test::Greater);
    1721 numeric_ge(Numeric, Numeric) -> Bool: strict immutable = |c, a| compare(c, a, Test::GreaterEqual);
    1724 numeric_add(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| arithmetic(c, a, Operation::Add);
    1725 numeric_sub(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| arithmetic(c, a, Operation::Sub);
    1726 numeric_mul(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| arithmetic(c, a, Operation::Mul);
    1727 numeric_div(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.div(&y));
    1729 numeric_mod(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.modulo(&y));
    1728 mod(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.modulo(&y));
    1973 div(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.div_trunc(&y));
    1980 numeric_div_trunc(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.div_trunc(&y));
    1771 numeric_uminus(Numeric) -> Numeric: strict immutable = negate;
    1915 numeric_uplus(Numeric) -> Numeric: strict immutable = |_, a| Ok(a[0].clone());
    1704 numeric_abs(Numeric) -> Numeric: strict immutable = |c, a| map1(c, a, |x: Numeric| x.abs());
    1705 abs(Numeric) -> Numeric: strict immutable = |c, a| map1(c, a, |x: Numeric| x.abs());
    1766 numeric_smaller(Numeric, Numeric) -> Numeric: strict immutable = |c, a| pick(c, a, Ordering::Less);
    1767 numeric_larger(Numeric, Numeric) -> Numeric: strict immutable = |c, a| pick(c, a, Ordering::Greater);
    1764 numeric_inc(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.inc());
};
