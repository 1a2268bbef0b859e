//! Sums and averages of integers, numerics, intervals and floats (averages of floats are with the variances).
//!
//! int2 and int4 sum to int8 (22003 when that overflows), int8 to numeric over an i128. Floats add in row order.

use super::grouped::{Fold, Grouped};
use crate::Session;
use crate::aggregate::{AggregateFunction, entry};
use crate::lanes::Lane;
use crate::operator::integer::bigint;
use damask_types::numeric::NumericSum;
use damask_types::{Interval, Mask, Numeric, Result, TypeId, Value, Vector, VectorData};
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
            return Ok(Value::Numeric(Numeric::from_parts(state.sum, 0)));
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

/// numerics: sum and average keep the same state.
#[derive(Debug)]
struct NumericTotal {
    average: bool,
}

impl Fold for NumericTotal {
    type State = NumericSum;

    fn update(
        &self,
        states: &mut [NumericSum],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        let arg = &args[0];
        match &arg.data {
            VectorData::Decimal64 { scale, values } => {
                let scale = u16::from(*scale);
                for row in rows.iter() {
                    states[group(row)].add_decimal(values[arg.index(row)].into(), scale)?;
                }
            }
            VectorData::Decimal128 { scale, values } => {
                let scale = u16::from(*scale);
                for row in rows.iter() {
                    states[group(row)].add_decimal(values[arg.index(row)], scale)?;
                }
            }
            VectorData::Numeric(values) => {
                for row in rows.iter() {
                    states[group(row)].add(&values[arg.index(row)])?;
                }
            }
            other => panic!("a numeric aggregate was given {other:?}"),
        }
        Ok(())
    }

    fn update_one(&self, state: &mut NumericSum, args: &[Vector], rows: &Mask) -> Result<()> {
        let arg = &args[0];
        if let VectorData::Decimal64 { scale, values } = &arg.data
            && !rows.is_empty()
        {
            // A tile of i64 sums within an i128.
            let mut sum = 0i128;
            for row in rows.iter() {
                sum += i128::from(values[arg.index(row)]);
            }
            return state.add_many(sum, u16::from(*scale), rows.count() as u64);
        }
        self.update(std::slice::from_mut(state), args, rows, |_| 0)
    }

    fn merge(&self, state: &mut NumericSum, other: NumericSum) -> Result<()> {
        state.merge(&other)
    }

    fn finish(&self, _: &dyn Session, state: &NumericSum) -> Result<Value> {
        let value = if self.average { state.avg() } else { state.sum() }?;
        Ok(value.map_or(Value::Null, Value::Numeric))
    }
}

/// The average of integers: an exact sum and a count.
#[derive(Debug)]
struct IntegerAverage<T>(PhantomData<T>);

impl<T: Lane + Into<i64> + Send + std::fmt::Debug> Fold for IntegerAverage<T> {
    type State = (i128, u64);

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for_each_lane(&args[0], rows, |row, entry: T| {
            let state = &mut states[group(row)];
            state.0 += i128::from(entry.into());
            state.1 += 1;
        });
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        state.0 += other.0;
        state.1 += other.1;
        Ok(())
    }

    fn finish(&self, _: &dyn Session, &(sum, count): &Self::State) -> Result<Value> {
        if count == 0 {
            return Ok(Value::Null);
        }
        let mut total = NumericSum::new();
        total.add_many(sum, 0, count)?;
        Ok(total.avg()?.map_or(Value::Null, Value::Numeric))
    }
}

/// Intervals: sum and average.
#[derive(Debug)]
struct IntervalTotal {
    average: bool,
}

impl Fold for IntervalTotal {
    type State = (Interval, u64);

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        let entries = Interval::entries(&args[0]);
        for row in rows.iter() {
            let state = &mut states[group(row)];
            state.0 = state.0.checked_add(entries[args[0].index(row)])?;
            state.1 += 1;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        state.0 = state.0.checked_add(other.0)?;
        state.1 += other.1;
        Ok(())
    }

    fn finish(&self, _: &dyn Session, &(sum, count): &Self::State) -> Result<Value> {
        Ok(match count {
            0 => Value::Null,
            _ if self.average => Value::Interval(sum.div(count as f64)?),
            _ => Value::Interval(sum),
        })
    }
}

/// The family.
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    entry(2107, "sum", &[TypeId::Int8], TypeId::Numeric, |_, r| {
        Grouped::boxed(IntegerSum::<i64>(PhantomData), r)
    }),
    entry(2108, "sum", &[TypeId::Int4], TypeId::Int8, |_, r| {
        Grouped::boxed(IntegerSum::<i32>(PhantomData), r)
    }),
    entry(2109, "sum", &[TypeId::Int2], TypeId::Int8, |_, r| {
        Grouped::boxed(IntegerSum::<i16>(PhantomData), r)
    }),
    entry(2110, "sum", &[TypeId::Float4], TypeId::Float4, |_, r| {
        Grouped::boxed(FloatSum::<f32>(PhantomData), r)
    }),
    entry(2111, "sum", &[TypeId::Float8], TypeId::Float8, |_, r| {
        Grouped::boxed(FloatSum::<f64>(PhantomData), r)
    }),
    entry(2114, "sum", &[TypeId::Numeric], TypeId::Numeric, |_, r| {
        Grouped::boxed(NumericTotal { average: false }, r)
    }),
    entry(2113, "sum", &[TypeId::Interval], TypeId::Interval, |_, r| {
        Grouped::boxed(IntervalTotal { average: false }, r)
    }),
    entry(2106, "avg", &[TypeId::Interval], TypeId::Interval, |_, r| {
        Grouped::boxed(IntervalTotal { average: true }, r)
    }),
    entry(2100, "avg", &[TypeId::Int8], TypeId::Numeric, |_, r| {
        Grouped::boxed(IntegerAverage::<i64>(PhantomData), r)
    }),
    entry(2101, "avg", &[TypeId::Int4], TypeId::Numeric, |_, r| {
        Grouped::boxed(IntegerAverage::<i32>(PhantomData), r)
    }),
    entry(2102, "avg", &[TypeId::Int2], TypeId::Numeric, |_, r| {
        Grouped::boxed(IntegerAverage::<i16>(PhantomData), r)
    }),
    entry(2103, "avg", &[TypeId::Numeric], TypeId::Numeric, |_, r| {
        Grouped::boxed(NumericTotal { average: true }, r)
    }),
];
