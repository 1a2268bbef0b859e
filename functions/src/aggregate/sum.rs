//! Sums of integers and floats.
//!
//! int2 and int4 sum to int8 (22003 when that overflows), int8 to numeric over an i128. Floats add in row order.

use super::grouped::{Fold, Grouped};
use crate::Session;
use crate::aggregate::AggregateFunction;
use crate::lanes::Lane;
use crate::operator::integer::bigint;
use damask_types::{Mask, Numeric, Oid, Result, SqlType, TypeId, Value, Vector};
use std::marker::PhantomData;

/// A sum and whether it has any row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum<S> {
    pub(crate) sum: S,
    pub(crate) any: bool,
}

/// Integers: an i128 cannot overflow below 2^64 rows, so only the result is checked.
#[derive(Debug)]
struct IntegerSum<T>(PhantomData<T>);

/// Calls `f` with each entry of `rows`, const vectors read as such.
#[inline]
pub(crate) fn for_each_lane<T: Lane>(vector: &Vector, rows: &Mask, mut f: impl FnMut(usize, T)) {
    let entries = T::entries(vector);
    if vector.is_const() {
        for row in rows.iter() {
            f(row, entries[0]);
        }
        return;
    }
    let count = vector.rows();
    let entries = &entries[..count];
    if *rows == Mask::first(count) {
        for (row, &entry) in entries.iter().enumerate() {
            f(row, entry);
        }
    } else {
        for row in rows.iter() {
            f(row, entries[row]);
        }
    }
}

impl<T: Lane + Into<i64> + Send + std::fmt::Debug> Fold for IntegerSum<T> {
    type State = Sum<i128>;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for_each_lane(&args[0], rows, |row, entry: T| {
            let state = &mut states[group(row)];
            state.sum += i128::from(entry.into());
            state.any = true;
        });
        Ok(())
    }

    fn update_one(&self, state: &mut Self::State, args: &[Vector], rows: &Mask) -> Result<()> {
        // A tile of int4 sums within an i64; of int8 it needs the i128.
        if size_of::<T>() < 8 {
            let mut sum = 0i64;
            for_each_lane(&args[0], rows, |_, entry: T| sum += entry.into());
            state.sum += i128::from(sum);
        } else {
            let mut sum = 0i128;
            for_each_lane(&args[0], rows, |_, entry: T| sum += i128::from(entry.into()));
            state.sum += sum;
        }
        state.any |= !rows.is_empty();
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        state.sum += other.sum;
        state.any |= other.any;
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        if !state.any {
            return Ok(Value::Null);
        }
        if size_of::<T>() == 8 {
            return Ok(Value::Numeric(Numeric::Decimal { mantissa: state.sum, scale: 0 }));
        }
        i64::try_from(state.sum).map(Value::Int8).map_err(|_| bigint())
    }
}

/// Floats, in the order of the rows.
#[derive(Debug)]
struct FloatSum<T>(PhantomData<T>);

macro_rules! float_sum {
    ($ty:ty, $value:ident) => {
        impl Fold for FloatSum<$ty> {
            type State = Sum<$ty>;

            fn update(
                &self,
                states: &mut [Self::State],
                args: &[Vector],
                rows: &Mask,
                group: impl Fn(usize) -> usize + Copy,
            ) -> Result<()> {
                let mut overflow = false;
                for_each_lane(&args[0], rows, |row, entry: $ty| {
                    let state = &mut states[group(row)];
                    let sum = state.sum + entry;
                    overflow |=
                        sum.is_infinite() && !state.sum.is_infinite() && !entry.is_infinite();
                    state.sum = sum;
                    state.any = true;
                });
                if overflow { Err(crate::operator::float::overflow()) } else { Ok(()) }
            }

            fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
                state.sum += other.sum;
                state.any |= other.any;
                Ok(())
            }

            fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
                Ok(if state.any { Value::$value(state.sum) } else { Value::Null })
            }
        }
    };
}
float_sum!(f32, Float4);
float_sum!(f64, Float8);

pub(super) const fn sum(
    oid: u32,
    args: &'static [TypeId],
    result: TypeId,
    make: fn(&[SqlType], SqlType) -> Box<dyn crate::aggregate::Accumulator>,
) -> AggregateFunction {
    AggregateFunction {
        oid: Oid(oid),
        name: "sum",
        args,
        result,
        empty_is_zero: false,
        ordered: false,
        make,
    }
}

/// The family.
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    sum(2107, &[TypeId::Int8], TypeId::Numeric, |_, r| {
        Grouped::boxed(IntegerSum::<i64>(PhantomData), r)
    }),
    sum(2108, &[TypeId::Int4], TypeId::Int8, |_, r| {
        Grouped::boxed(IntegerSum::<i32>(PhantomData), r)
    }),
    sum(2109, &[TypeId::Int2], TypeId::Int8, |_, r| {
        Grouped::boxed(IntegerSum::<i16>(PhantomData), r)
    }),
    sum(2110, &[TypeId::Float4], TypeId::Float4, |_, r| {
        Grouped::boxed(FloatSum::<f32>(PhantomData), r)
    }),
    sum(2111, &[TypeId::Float8], TypeId::Float8, |_, r| {
        Grouped::boxed(FloatSum::<f64>(PhantomData), r)
    }),
];
