//! Loops over fixed-size lanes: what the hot kernels are made of.
//!
//! A lane function sees one entry of each argument and knows nothing of nulls. Null entries hold valid representations
//! (V1), so the loops run over every row and the result's validity is the conjunction of the arguments'; const arguments
//! are read once. Functions that may raise come in two shapes: *checked* ones give a value and whether it is wrong, and
//! the loop looks at active rows only when some row was wrong; *fallible* ones run for active, non-null rows alone.

use crate::KernelContext;
use arrow_buffer::ScalarBuffer;
use damask_types::{Error, Interval, Mask, Result, TypeId, Value, Vector, VectorData};
use std::sync::Arc;

/// A type that lies in vectors as a slice of itself.
pub(crate) trait Lane: Copy + Default + 'static {
    /// The entries of a vector of this physical type.
    fn entries(vector: &Vector) -> &[Self];
    /// Entries as vector data.
    fn data(entries: Vec<Self>) -> VectorData;
}

macro_rules! lane {
    ($($ty:ty => $variant:ident),*) => {$(
        impl Lane for $ty {
            #[inline]
            fn entries(vector: &Vector) -> &[Self] {
                match &vector.data {
                    VectorData::$variant(entries) => entries,
                    other => wrong(stringify!($variant), other),
                }
            }
            fn data(entries: Vec<Self>) -> VectorData {
                VectorData::$variant(entries.into())
            }
        }
    )*};
}
lane!(i16 => Int2, i32 => Int4, i64 => Int8, u32 => Oid, f32 => Float4, f64 => Float8, Interval => Interval, [u8; 16] => Uuid);

#[cold]
fn wrong(wanted: &str, data: &VectorData) -> ! {
    panic!("a kernel for {wanted} vectors was given {data:?}")
}

/// The bits of a bool vector's entries.
pub(crate) fn bits(vector: &Vector) -> &Mask {
    match &vector.data {
        VectorData::Bool(bits) => bits,
        other => wrong("Bool", other),
    }
}

/// The rows that are null in no argument; `None` if there is no null.
pub(crate) fn valid_in_all(args: &[Vector]) -> Option<Mask> {
    args.iter()
        .filter(|arg| arg.validity().is_some())
        .map(Vector::valid_rows)
        .reduce(|a, b| a.and(&b))
}

/// Rows that a strict function must compute: active, and null in no argument.
pub(crate) fn live_rows(ctx: &KernelContext<'_>, args: &[Vector]) -> Mask {
    let active = ctx.active.and(&Mask::first(ctx.rows));
    valid_in_all(args).map_or(active, |valid| active.and(&valid))
}

/// One value for every row: const arguments give a const result, computed once.
fn all_const(args: &[Vector]) -> bool {
    args.iter().all(Vector::is_const)
}

/// The result vector from its entries; const if every argument was (then there is one entry).
fn wrap<R: Lane>(ctx: &KernelContext<'_>, args: &[Vector], entries: Vec<R>) -> Vector {
    let ty = ctx.result.id;
    let validity = valid_in_all(args);
    if all_const(args) && ctx.rows > 0 {
        let is_null = validity.is_some_and(|validity| !validity.get(0));
        return const_lane(ty, (!is_null).then_some(entries[0]), ctx.rows);
    }
    Vector::flat(ty, ctx.rows, R::data(entries), validity)
}

/// A const vector of one lane value.
fn const_lane<R: Lane>(ty: TypeId, value: Option<R>, rows: usize) -> Vector {
    let Some(value) = value else {
        return Vector::nulls(ty, rows);
    };
    Vector::flat(ty, 1, R::data(vec![value]), None).first_as_const(rows)
}

/// Rows to compute: one if every argument is const.
fn loop_rows(ctx: &KernelContext<'_>, args: &[Vector]) -> usize {
    if all_const(args) { ctx.rows.min(1) } else { ctx.rows }
}

/// A total function of one lane.
#[inline]
pub(crate) fn unary<A: Lane, R: Lane>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A) -> R,
) -> Result<Vector> {
    let rows = loop_rows(ctx, args);
    let entries = A::entries(&args[0])[..rows].iter().map(|&a| f(a)).collect();
    Ok(wrap(ctx, args, entries))
}

/// A total function of two lanes.
#[inline]
pub(crate) fn binary<A: Lane, B: Lane, R: Lane>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A, B) -> R,
) -> Result<Vector> {
    let entries = zip(ctx, args, f);
    Ok(wrap(ctx, args, entries))
}

#[inline]
fn zip<A: Lane, B: Lane, R>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A, B) -> R,
) -> Vec<R> {
    let rows = loop_rows(ctx, args);
    if rows == 0 {
        return Vec::new();
    }
    let (a, b) = (A::entries(&args[0]), B::entries(&args[1]));
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

/// A function of one lane that may be wrong: the value, and whether `error` is to be raised for it.
#[inline]
pub(crate) fn unary_checked<A: Lane, R: Lane>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A) -> (R, bool),
    error: impl FnOnce() -> Error,
) -> Result<Vector> {
    let rows = loop_rows(ctx, args);
    let a = &A::entries(&args[0])[..rows];
    let mut wrong = false;
    let entries = a
        .iter()
        .map(|&a| {
            let (value, bad) = f(a);
            wrong |= bad;
            value
        })
        .collect();
    if wrong && live_rows(ctx, args).iter().any(|row| f(a[args[0].index(row)]).1) {
        return Err(error());
    }
    Ok(wrap(ctx, args, entries))
}

/// A function of two lanes that may be wrong: the value, and whether `error` is to be raised for it.
#[inline]
pub(crate) fn binary_checked<A: Lane, B: Lane, R: Lane>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A, B) -> (R, bool),
    error: impl FnOnce() -> Error,
) -> Result<Vector> {
    let wrong = std::cell::Cell::new(false);
    let entries = zip(ctx, args, |a, b| {
        let (value, bad) = f(a, b);
        wrong.set(wrong.get() | bad);
        value
    });
    if wrong.get() {
        let (a, b) = (A::entries(&args[0]), B::entries(&args[1]));
        let bad = |row| f(a[args[0].index(row)], b[args[1].index(row)]).1;
        if live_rows(ctx, args).iter().any(bad) {
            return Err(error());
        }
    }
    Ok(wrap(ctx, args, entries))
}

/// A function of two lanes that raises its own errors; run for live rows only.
#[inline]
pub(crate) fn binary_fallible<A: Lane, B: Lane, R: Lane>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A, B) -> Result<R>,
) -> Result<Vector> {
    let live = live_rows(ctx, args);
    let mut entries = vec![R::default(); loop_rows(ctx, args)];
    let (a, b) = (A::entries(&args[0]), B::entries(&args[1]));
    if all_const(args) {
        if !live.is_empty() {
            entries[0] = f(a[0], b[0])?;
        }
    } else {
        for row in live.iter() {
            entries[row] = f(a[args[0].index(row)], b[args[1].index(row)])?;
        }
    }
    Ok(wrap(ctx, args, entries))
}

/// A comparison, or any total predicate of two lanes.
#[inline]
pub(crate) fn predicate<A: Lane, B: Lane>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    f: impl Fn(A, B) -> bool,
) -> Result<Vector> {
    let (a, b) = (A::entries(&args[0]), B::entries(&args[1]));
    Ok(bools(ctx, args, |rows| match (args[0].is_const(), args[1].is_const()) {
        (false, false) => {
            let (a, b) = (&a[..rows], &b[..rows]);
            Mask::from_fn(rows, |i| f(a[i], b[i]))
        }
        (false, true) => {
            let (a, b) = (&a[..rows], b[0]);
            Mask::from_fn(rows, |i| f(a[i], b))
        }
        (true, false) => {
            let (a, b) = (a[0], &b[..rows]);
            Mask::from_fn(rows, |i| f(a, b[i]))
        }
        (true, true) => Mask::from_fn(rows, |_| f(a[0], b[0])),
    }))
}

/// A bool vector from the bits of `rows` rows that `compute` gives; const if every argument is.
pub(crate) fn bools(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    compute: impl FnOnce(usize) -> Mask,
) -> Vector {
    if all_const(args) && ctx.rows > 0 {
        if args.iter().any(|arg| arg.is_null(0)) {
            return Vector::nulls(TypeId::Bool, ctx.rows);
        }
        return Vector::constant(TypeId::Bool, &Value::Bool(compute(1).get(0)), ctx.rows);
    }
    Vector::bools(ctx.rows, compute(ctx.rows), valid_in_all(args))
}

/// The same entries in another physical type of the same layout.
pub(crate) fn reinterpret_i32_u32(vector: &Vector, ty: TypeId) -> Vector {
    let VectorData::Int4(entries) = &vector.data else { wrong("Int4", &vector.data) };
    let data =
        VectorData::Oid(ScalarBuffer::from(entries.iter().map(|&v| v as u32).collect::<Vec<_>>()));
    with_data(vector, ty, data)
}

/// As [`reinterpret_i32_u32`], the other way.
pub(crate) fn reinterpret_u32_i32(vector: &Vector, ty: TypeId) -> Vector {
    let VectorData::Oid(entries) = &vector.data else { wrong("Oid", &vector.data) };
    let data =
        VectorData::Int4(ScalarBuffer::from(entries.iter().map(|&v| v as i32).collect::<Vec<_>>()));
    with_data(vector, ty, data)
}

/// `vector` with other data of the same number of entries.
pub(crate) fn with_data(vector: &Vector, ty: TypeId, data: VectorData) -> Vector {
    if vector.is_const() {
        if vector.rows() == 0 || vector.is_null(0) {
            return Vector::nulls(ty, vector.rows());
        }
        return Vector::flat(ty, 1, data, None).first_as_const(vector.rows());
    }
    Vector::flat(ty, vector.rows(), data, vector.validity().copied())
}

/// Boxed values as vector data.
pub(crate) fn boxed(values: Vec<Value>) -> VectorData {
    VectorData::Boxed(Arc::from(values))
}
