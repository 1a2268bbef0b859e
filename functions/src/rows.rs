//! Functions written for one row, run over vectors: the form of everything that is not a hot loop.
//!
//! [`map1`] to [`map5`] read typed arguments, call the body for live rows (active, null in no argument) and collect what it
//! returns: a value, `Option` (null), `Result`, or both. If every argument is const the body runs once. Text
//! arguments are borrowed from the vector; text results are appended to one buffer.

use crate::lanes::{bits, live_rows};
use crate::{KernelContext, lanes::boxed};
use damask_types::array::ArrayValue;
use damask_types::vector::{ViewsBuilder, numeric_data};
use damask_types::{Interval, Mask, Numeric, Oid, Result, Value, Vector, VectorData};
use std::borrow::Cow;
use std::sync::Arc;

/// An argument type: how a row's entry is read. The entry is not null.
pub(crate) trait Arg<'a>: Sized {
    /// Entry `i` of `vector`.
    fn get(vector: &'a Vector, i: usize) -> Self;
}

macro_rules! copy_arg {
    ($($ty:ty => $variant:ident),*) => {$(
        impl<'a> Arg<'a> for $ty {
            #[inline]
            fn get(vector: &'a Vector, i: usize) -> Self {
                match &vector.data {
                    VectorData::$variant(entries) => entries[i],
                    other => panic!("a kernel for {} was given {other:?}", stringify!($variant)),
                }
            }
        }
    )*};
}
copy_arg!(i16 => Int2, i32 => Int4, i64 => Int8, u32 => Oid, f32 => Float4, f64 => Float8, Interval => Interval, [u8; 16] => Uuid);

impl<'a> Arg<'a> for bool {
    #[inline]
    fn get(vector: &'a Vector, i: usize) -> Self {
        bits(vector).get(i)
    }
}

impl<'a> Arg<'a> for &'a str {
    #[inline]
    fn get(vector: &'a Vector, i: usize) -> Self {
        match &vector.data {
            VectorData::Bytes(views) => views.text(i),
            other => panic!("a kernel for text was given {other:?}"),
        }
    }
}

impl<'a> Arg<'a> for &'a [u8] {
    #[inline]
    fn get(vector: &'a Vector, i: usize) -> Self {
        match &vector.data {
            VectorData::Bytes(views) => views.get(i),
            other => panic!("a kernel for byte strings was given {other:?}"),
        }
    }
}

impl<'a> Arg<'a> for Numeric {
    fn get(vector: &'a Vector, i: usize) -> Self {
        match &vector.data {
            VectorData::Decimal64 { scale, values } => {
                Self::Decimal { mantissa: values[i].into(), scale: u16::from(*scale) }
            }
            VectorData::Decimal128 { scale, values } => {
                Self::Decimal { mantissa: values[i], scale: u16::from(*scale) }
            }
            VectorData::Numeric(values) => values[i].clone(),
            other => panic!("a kernel for numerics was given {other:?}"),
        }
    }
}

impl<'a> Arg<'a> for &'a ArrayValue {
    fn get(vector: &'a Vector, i: usize) -> Self {
        match &vector.data {
            VectorData::Boxed(values) => match &values[i] {
                Value::Array(array) => array,
                other => panic!("an array kernel was given {other:?}"),
            },
            other => panic!("an array kernel was given {other:?}"),
        }
    }
}

impl<'a> Arg<'a> for Value {
    fn get(vector: &'a Vector, i: usize) -> Self {
        // A const vector's entry 0 is every row's value.
        vector.value(i)
    }
}

/// A result type: how entries are collected.
pub(crate) trait Out: Sized {
    /// Where entries are collected.
    type Entries;
    /// Room for `rows` entries.
    fn entries(rows: usize) -> Self::Entries;
    /// Appends an entry, or some valid entry for a null.
    fn push(entries: &mut Self::Entries, value: Option<Self>);
    /// The data.
    fn data(entries: Self::Entries, validity: Option<&Mask>) -> VectorData;
}

macro_rules! lane_out {
    ($($ty:ty => $variant:ident),*) => {$(
        impl Out for $ty {
            type Entries = Vec<Self>;
            fn entries(rows: usize) -> Self::Entries {
                Vec::with_capacity(rows)
            }
            #[inline]
            fn push(entries: &mut Self::Entries, value: Option<Self>) {
                entries.push(value.unwrap_or_default());
            }
            fn data(entries: Self::Entries, _: Option<&Mask>) -> VectorData {
                VectorData::$variant(entries.into())
            }
        }
        impl Return for $ty {
            type Out = Self;
            #[inline]
            fn give(self) -> Result<Option<Self>> {
                Ok(Some(self))
            }
        }
    )*};
}
lane_out!(i16 => Int2, i32 => Int4, i64 => Int8, u32 => Oid, f32 => Float4, f64 => Float8, Interval => Interval, [u8; 16] => Uuid);

impl Out for bool {
    type Entries = (Mask, usize);
    fn entries(_: usize) -> Self::Entries {
        (Mask::NONE, 0)
    }
    #[inline]
    fn push(entries: &mut Self::Entries, value: Option<Self>) {
        entries.0.set(entries.1, value == Some(true));
        entries.1 += 1;
    }
    fn data(entries: Self::Entries, _: Option<&Mask>) -> VectorData {
        VectorData::Bool(Arc::new(entries.0))
    }
}

macro_rules! bytes_out {
    ($($ty:ty),*) => {$(
        impl Out for $ty {
            type Entries = ViewsBuilder;
            fn entries(rows: usize) -> Self::Entries {
                ViewsBuilder::with_capacity(rows)
            }
            #[inline]
            fn push(entries: &mut Self::Entries, value: Option<Self>) {
                match value {
                    Some(value) => entries.push(value.as_ref()),
                    None => entries.push(&[]),
                }
            }
            fn data(entries: Self::Entries, _: Option<&Mask>) -> VectorData {
                VectorData::Bytes(entries.finish())
            }
        }
    )*};
}
/// Text that may be borrowed.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);
impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
bytes_out!(String, &str, &[u8], Vec<u8>, Text<'_>);

impl Out for Numeric {
    type Entries = Vec<Self>;
    fn entries(rows: usize) -> Self::Entries {
        Vec::with_capacity(rows)
    }
    fn push(entries: &mut Self::Entries, value: Option<Self>) {
        entries.push(value.unwrap_or(Self::Decimal { mantissa: 0, scale: 0 }));
    }
    fn data(entries: Self::Entries, validity: Option<&Mask>) -> VectorData {
        numeric_data(entries, validity)
    }
}

impl Out for ArrayValue {
    type Entries = Vec<Value>;
    fn entries(rows: usize) -> Self::Entries {
        Vec::with_capacity(rows)
    }
    fn push(entries: &mut Self::Entries, value: Option<Self>) {
        entries.push(value.map_or(Value::Null, Value::from));
    }
    fn data(entries: Self::Entries, _: Option<&Mask>) -> VectorData {
        boxed(entries)
    }
}

/// What a body may return.
pub(crate) trait Return {
    /// The result's type.
    type Out: Out;
    /// The value; `None` is null.
    fn give(self) -> Result<Option<Self::Out>>;
}

macro_rules! plain_return {
    ($($ty:ty),*) => {$(
        impl Return for $ty {
            type Out = Self;
            #[inline]
            fn give(self) -> Result<Option<Self>> {
                Ok(Some(self))
            }
        }
    )*};
}
plain_return!(bool, String, &str, &[u8], Vec<u8>, Numeric, ArrayValue);

impl Return for Text<'_> {
    type Out = Self;
    fn give(self) -> Result<Option<Self>> {
        Ok(Some(self))
    }
}

impl Return for Oid {
    type Out = u32;
    fn give(self) -> Result<Option<u32>> {
        Ok(Some(self.0))
    }
}

impl<'a> Return for Cow<'a, str> {
    type Out = Text<'a>;
    fn give(self) -> Result<Option<Text<'a>>> {
        Ok(Some(Text(self)))
    }
}

impl<R: Out> Return for Option<R> {
    type Out = R;
    #[inline]
    fn give(self) -> Result<Option<R>> {
        Ok(self)
    }
}

impl<R: Return> Return for Result<R> {
    type Out = R::Out;
    #[inline]
    fn give(self) -> Result<Option<R::Out>> {
        self?.give()
    }
}

/// Runs `body` for the live rows and collects what it gives.
#[inline]
fn collect<R: Return>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    mut body: impl FnMut(usize) -> R,
) -> Result<Vector> {
    let live = live_rows(ctx, args);
    let is_const = args.iter().all(Vector::is_const);
    let rows = if is_const { ctx.rows.min(1) } else { ctx.rows };
    if live.is_empty() || rows == 0 {
        return Ok(Vector::nulls(ctx.result.id, ctx.rows));
    }
    let mut validity = Mask::first(rows);
    let mut has_null = false;
    let mut entries = R::Out::entries(rows);
    for row in 0..rows {
        let value = if is_const || live.get(row) { body(row).give()? } else { None };
        if value.is_none() {
            validity.set(row, false);
            has_null = true;
        }
        R::Out::push(&mut entries, value);
    }
    let validity = has_null.then_some(validity);
    let data = R::Out::data(entries, validity.as_ref());
    let vector = Vector::flat(ctx.result.id, rows, data, validity);
    Ok(if is_const { vector.first_as_const(ctx.rows) } else { vector })
}

/// Runs a body without arguments once.
pub(crate) fn map0<R: Return>(ctx: &KernelContext<'_>, body: impl FnOnce() -> R) -> Result<Vector> {
    let mut body = Some(body);
    collect(ctx, &[], move |_| body.take().expect("a call without arguments has one row")())
}

macro_rules! map {
    ($name:ident: $($arg:ident $index:literal),*) => {
        /// Runs a body over live rows.
        #[inline]
        pub(crate) fn $name<'a, $($arg: Arg<'a>,)* R: Return>(
            ctx: &KernelContext<'_>,
            args: &'a [Vector],
            mut body: impl FnMut($($arg),*) -> R,
        ) -> Result<Vector> {
            collect(ctx, args, |row| body($($arg::get(&args[$index], args[$index].index(row))),*))
        }
    };
}
map!(map1: A 0);
map!(map2: A 0, B 1);
map!(map3: A 0, B 1, C 2);
map!(map4: A 0, B 1, C 2, D 3);
map!(map5: A 0, B 1, C 2, D 3, E 4);
map!(map6: A 0, B 1, C 2, D 3, E 4, F 5);
map!(map7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);

/// Runs a body that reads its arguments itself, for live rows.
#[inline]
pub(crate) fn map_rows<R: Return>(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    body: impl FnMut(usize) -> R,
) -> Result<Vector> {
    collect(ctx, args, body)
}

/// How often a body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Once if every argument is const: for functions that are not volatile.
    Once,
    /// Once for each row.
    EachRow,
}

/// Runs a body on values, for active rows, nulls included: for functions that are not strict or that take any type.
pub(crate) fn map_values(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    calls: Calls,
    mut body: impl FnMut(&[Value]) -> Result<Value>,
) -> Result<Vector> {
    map_where(ctx, args, &ctx.active.and(&Mask::first(ctx.rows)), calls, &mut body)
}

/// As [`map_values`] for a strict function: rows with a null argument give null.
pub(crate) fn map_values_strict(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    calls: Calls,
    mut body: impl FnMut(&[Value]) -> Result<Value>,
) -> Result<Vector> {
    map_where(ctx, args, &live_rows(ctx, args), calls, &mut body)
}

fn map_where(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    rows: &Mask,
    calls: Calls,
    body: &mut dyn FnMut(&[Value]) -> Result<Value>,
) -> Result<Vector> {
    let Some(first) = rows.iter().next() else {
        return Ok(Vector::nulls(ctx.result.id, ctx.rows));
    };
    let mut values = Vec::with_capacity(args.len());
    if calls == Calls::Once && args.iter().all(Vector::is_const) {
        values.extend(args.iter().map(|arg| arg.value(first)));
        return Ok(Vector::constant(ctx.result.id, &body(&values)?, ctx.rows));
    }
    let mut builder = damask_types::VectorBuilder::new(ctx.result.id, ctx.rows);
    for row in 0..ctx.rows {
        if rows.get(row) {
            values.clear();
            values.extend(args.iter().map(|arg| arg.value(row)));
            builder.push(&body(&values)?);
        } else {
            builder.push(&Value::Null);
        }
    }
    Ok(builder.finish())
}
