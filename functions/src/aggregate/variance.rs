//! `variance`, `stddev` and their kin, and `avg` of floats.
//!
//! Integers and numerics: exact sums of x and of x squared, as PostgreSQL. Floats: Youngs and Cramer's update of the sum of
//! squares of differences, which does not cancel.

use super::grouped::{Fold, Grouped};
use crate::Session;
use crate::aggregate::{Accumulator, AggregateFunction, entry};
use crate::operator::float::overflow;
use crate::rows::Arg;
use damask_types::numeric::NumericSum;
use damask_types::{Mask, Numeric, Result, SqlType, TypeId, Value, Vector, VectorData};

/// Which of the four.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Divide by n - 1 instead of n.
    sample: bool,
    /// The standard deviation instead of the variance.
    root: bool,
}

fn numbers(shape: Shape, result: SqlType) -> Box<dyn Accumulator> {
    Grouped::boxed(Numbers { shape }, result)
}

/// Exact sums of integers or numerics.
#[derive(Debug)]
struct Numbers {
    shape: Shape,
}

/// Sums of x and x squared.
#[derive(Debug, Default)]
struct Sums {
    x: NumericSum,
    xx: NumericSum,
}

fn exact(vector: &Vector, i: usize) -> Numeric {
    match &vector.data {
        VectorData::Int2(values) => Numeric::from_parts(values[i].into(), 0),
        VectorData::Int4(values) => Numeric::from_parts(values[i].into(), 0),
        VectorData::Int8(values) => Numeric::from_parts(values[i].into(), 0),
        _ => Numeric::get(vector, i),
    }
}

impl Fold for Numbers {
    type State = Sums;

    fn update(
        &self,
        states: &mut [Sums],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            let x = exact(&args[0], args[0].index(row));
            let state = &mut states[group(row)];
            state.xx.add(&x.mul(&x)?)?;
            state.x.add(&x)?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Sums, other: Sums) -> Result<()> {
        state.x.merge(&other.x)?;
        state.xx.merge(&other.xx)
    }

    fn finish(&self, _: &dyn Session, state: &Sums) -> Result<Value> {
        let count = state.x.count();
        let (Some(x), Some(xx)) = (state.x.sum()?, state.xx.sum()?) else {
            return Ok(Value::Null);
        };
        if self.shape.sample && count < 2 {
            return Ok(Value::Null);
        }
        if x.is_nan() || x.is_infinite() || xx.is_nan() || xx.is_infinite() {
            return Ok(Value::Numeric(Numeric::NaN));
        }
        let n = Numeric::from_parts(count.into(), 0);
        let numerator = xx.mul(&n)?.sub(&x.mul(&x)?)?;
        if numerator.signum() != Some(1) {
            return Ok(Value::Numeric(Numeric::ZERO));
        }
        let divisor = i128::from(if self.shape.sample { count - 1 } else { count });
        let variance = numerator.div(&n.mul(&Numeric::from_parts(divisor, 0))?)?;
        if !self.shape.root {
            return Ok(Value::Numeric(variance));
        }
        let scale = variance.scale().unwrap_or(0);
        Ok(Value::Numeric(variance.sqrt()?.round(scale.into())?))
    }
}

/// Count, sum, and sum of squares of differences from the mean.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f64) -> Result<()> {
        let before = *self;
        self.n += 1.0;
        self.sum += x;
        if before.n > 0.0 {
            let difference = x * self.n - self.sum;
            self.squares += difference * difference / (self.n * before.n);
            if self.sum.is_infinite() || self.squares.is_infinite() {
                if !before.sum.is_infinite() && !x.is_infinite() {
                    return Err(overflow());
                }
                self.squares = f64::NAN;
            }
        } else if !x.is_finite() {
            self.squares = f64::NAN;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if other.n == 0.0 {
            return Ok(());
        }
        if self.n == 0.0 {
            *self = other;
            return Ok(());
        }
        let n = self.n + other.n;
        let difference = self.sum / self.n - other.sum / other.n;
        let squares = self.squares + other.squares + self.n * other.n * difference * difference / n;
        let was_infinite = self.squares.is_infinite() || other.squares.is_infinite();
        if squares.is_infinite() && !was_infinite {
            return Err(overflow());
        }
        *self = Self { n, sum: self.sum + other.sum, squares };
        Ok(())
    }
}

/// A float of either width.
pub(super) fn float(vector: &Vector, i: usize) -> f64 {
    match &vector.data {
        VectorData::Float4(values) => values[i].into(),
        VectorData::Float8(values) => values[i],
        other => panic!("a float aggregate was given {other:?}"),
    }
}

/// What is made of the moments.
#[derive(Debug)]
enum Floats {
    Average,
    Spread(Shape),
}

fn floats(shape: Shape, result: SqlType) -> Box<dyn Accumulator> {
    Grouped::boxed(Floats::Spread(shape), result)
}

impl Fold for Floats {
    type State = Moments;

    fn update(
        &self,
        states: &mut [Moments],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            states[group(row)].add(float(&args[0], args[0].index(row)))?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Moments, other: Moments) -> Result<()> {
        state.merge(other)
    }

    fn finish(&self, _: &dyn Session, state: &Moments) -> Result<Value> {
        if state.n == 0.0 {
            return Ok(Value::Null);
        }
        let Self::Spread(shape) = self else {
            return Ok(Value::Float8(state.sum / state.n));
        };
        if shape.sample && state.n < 2.0 {
            return Ok(Value::Null);
        }
        let variance = state.squares / if shape.sample { state.n - 1.0 } else { state.n };
        Ok(Value::Float8(if shape.root { variance.sqrt() } else { variance }))
    }
}

/// The family.
#[rustfmt::skip]
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    entry(2104, "avg", &[TypeId::Float4], TypeId::Float8, |_, r| Grouped::boxed(Floats::Average, r)),
    entry(2105, "avg", &[TypeId::Float8], TypeId::Float8, |_, r| Grouped::boxed(Floats::Average, r)),
    entry(2154, "stddev", &[TypeId::Int8], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2155, "stddev", &[TypeId::Int4], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2156, "stddev", &[TypeId::Int2], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2157, "stddev", &[TypeId::Float4], TypeId::Float8, |_, r| floats(Shape { sample: true, root: true }, r)),
    entry(2158, "stddev", &[TypeId::Float8], TypeId::Float8, |_, r| floats(Shape { sample: true, root: true }, r)),
    entry(2159, "stddev", &[TypeId::Numeric], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2724, "stddev_pop", &[TypeId::Int8], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: true }, r)),
    entry(2725, "stddev_pop", &[TypeId::Int4], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: true }, r)),
    entry(2726, "stddev_pop", &[TypeId::Int2], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: true }, r)),
    entry(2727, "stddev_pop", &[TypeId::Float4], TypeId::Float8, |_, r| floats(Shape { sample: false, root: true }, r)),
    entry(2728, "stddev_pop", &[TypeId::Float8], TypeId::Float8, |_, r| floats(Shape { sample: false, root: true }, r)),
    entry(2729, "stddev_pop", &[TypeId::Numeric], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: true }, r)),
    entry(2712, "stddev_samp", &[TypeId::Int8], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2713, "stddev_samp", &[TypeId::Int4], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2714, "stddev_samp", &[TypeId::Int2], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2715, "stddev_samp", &[TypeId::Float4], TypeId::Float8, |_, r| floats(Shape { sample: true, root: true }, r)),
    entry(2716, "stddev_samp", &[TypeId::Float8], TypeId::Float8, |_, r| floats(Shape { sample: true, root: true }, r)),
    entry(2717, "stddev_samp", &[TypeId::Numeric], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: true }, r)),
    entry(2718, "var_pop", &[TypeId::Int8], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: false }, r)),
    entry(2719, "var_pop", &[TypeId::Int4], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: false }, r)),
    entry(2720, "var_pop", &[TypeId::Int2], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: false }, r)),
    entry(2721, "var_pop", &[TypeId::Float4], TypeId::Float8, |_, r| floats(Shape { sample: false, root: false }, r)),
    entry(2722, "var_pop", &[TypeId::Float8], TypeId::Float8, |_, r| floats(Shape { sample: false, root: false }, r)),
    entry(2723, "var_pop", &[TypeId::Numeric], TypeId::Numeric, |_, r| numbers(Shape { sample: false, root: false }, r)),
    entry(2641, "var_samp", &[TypeId::Int8], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2642, "var_samp", &[TypeId::Int4], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2643, "var_samp", &[TypeId::Int2], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2644, "var_samp", &[TypeId::Float4], TypeId::Float8, |_, r| floats(Shape { sample: true, root: false }, r)),
    entry(2645, "var_samp", &[TypeId::Float8], TypeId::Float8, |_, r| floats(Shape { sample: true, root: false }, r)),
    entry(2646, "var_samp", &[TypeId::Numeric], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2148, "variance", &[TypeId::Int8], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2149, "variance", &[TypeId::Int4], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2150, "variance", &[TypeId::Int2], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
    entry(2151, "variance", &[TypeId::Float4], TypeId::Float8, |_, r| floats(Shape { sample: true, root: false }, r)),
    entry(2152, "variance", &[TypeId::Float8], TypeId::Float8, |_, r| floats(Shape { sample: true, root: false }, r)),
    entry(2153, "variance", &[TypeId::Numeric], TypeId::Numeric, |_, r| numbers(Shape { sample: true, root: false }, r)),
];
