//! Statistics of pairs (y, x): `corr`, `covar_*`, `regr_*`, by Youngs and Cramer's update.

use super::grouped::{Fold, Grouped};
use super::variance::float;
use crate::Session;
use crate::aggregate::{Accumulator, AggregateFunction};
use crate::operator::float::overflow;
use damask_types::{Mask, Oid, Result, SqlType, TypeId, Value, Vector};

/// Count, sums, and sums of products of differences from the means.
#[derive(Clone, Copy, Debug, Default)]
struct Pairs {
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

impl Pairs {
    fn add(&mut self, y: f64, x: f64) -> Result<()> {
        let before = *self;
        self.n += 1.0;
        self.x += x;
        self.y += y;
        if before.n > 0.0 {
            let (dx, dy) = (x * self.n - self.x, y * self.n - self.y);
            let scale = 1.0 / (self.n * before.n);
            self.xx += dx * dx * scale;
            self.yy += dy * dy * scale;
            self.xy += dx * dy * scale;
            let infinite = [self.x, self.xx, self.y, self.yy, self.xy];
            if infinite.iter().any(|value| value.is_infinite()) {
                let x_left = (self.x.is_infinite() || self.xx.is_infinite())
                    && !before.x.is_infinite()
                    && !x.is_infinite();
                let y_left = (self.y.is_infinite() || self.yy.is_infinite())
                    && !before.y.is_infinite()
                    && !y.is_infinite();
                let xy_left = self.xy.is_infinite()
                    && ![before.x, before.y, x, y].iter().any(|value| value.is_infinite());
                if x_left || y_left || xy_left {
                    return Err(overflow());
                }
                for value in [&mut self.xx, &mut self.yy, &mut self.xy] {
                    if value.is_infinite() {
                        *value = f64::NAN;
                    }
                }
            }
        } else {
            if !x.is_finite() {
                (self.xx, self.xy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.yy, self.xy) = (f64::NAN, f64::NAN);
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        if other.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            *self = other;
            return;
        }
        let n = self.n + other.n;
        let (dx, dy) = (self.x / self.n - other.x / other.n, self.y / self.n - other.y / other.n);
        let weight = self.n * other.n / n;
        *self = Self {
            n,
            x: self.x + other.x,
            xx: self.xx + other.xx + weight * dx * dx,
            y: self.y + other.y,
            yy: self.yy + other.yy + weight * dy * dy,
            xy: self.xy + other.xy + weight * dx * dy,
        };
    }
}

/// What is made of the sums.
#[derive(Debug)]
enum Statistic {
    Count,
    Sxx,
    Syy,
    Sxy,
    AvgX,
    AvgY,
    R2,
    Slope,
    Intercept,
    CovarPop,
    CovarSamp,
    Corr,
}

impl Statistic {
    fn of(&self, s: &Pairs) -> Option<f64> {
        let some = s.n >= 1.0;
        match self {
            Self::Count => Some(s.n),
            Self::Sxx => some.then_some(s.xx),
            Self::Syy => some.then_some(s.yy),
            Self::Sxy => some.then_some(s.xy),
            Self::AvgX => some.then(|| s.x / s.n),
            Self::AvgY => some.then(|| s.y / s.n),
            Self::R2 if !some || s.xx == 0.0 => None,
            Self::R2 if s.yy == 0.0 => Some(1.0),
            Self::R2 => Some(s.xy * s.xy / (s.xx * s.yy)),
            Self::Slope => (some && s.xx != 0.0).then(|| s.xy / s.xx),
            Self::Intercept => (some && s.xx != 0.0).then(|| (s.y - s.x * s.xy / s.xx) / s.n),
            Self::CovarPop => some.then(|| s.xy / s.n),
            Self::CovarSamp => (s.n >= 2.0).then(|| s.xy / (s.n - 1.0)),
            Self::Corr => (some && s.xx != 0.0 && s.yy != 0.0).then(|| s.xy / (s.xx * s.yy).sqrt()),
        }
    }
}

impl Fold for Statistic {
    type State = Pairs;

    fn update(
        &self,
        states: &mut [Pairs],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            let y = float(&args[0], args[0].index(row));
            states[group(row)].add(y, float(&args[1], args[1].index(row)))?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Pairs, other: Pairs) -> Result<()> {
        state.merge(other);
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Pairs) -> Result<Value> {
        Ok(match (self, self.of(state)) {
            (_, None) => Value::Null,
            (Self::Count, Some(count)) => Value::Int8(count as i64),
            (_, Some(value)) => Value::Float8(value),
        })
    }
}

const fn pair(
    oid: u32,
    name: &'static str,
    result: TypeId,
    empty_is_zero: bool,
    make: fn(&[SqlType], SqlType) -> Box<dyn Accumulator>,
) -> AggregateFunction {
    AggregateFunction {
        oid: Oid(oid),
        name,
        args: &[TypeId::Float8, TypeId::Float8],
        result,
        empty_is_zero,
        ordered: false,
        make,
    }
}

/// The family.
#[rustfmt::skip]
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    pair(2818, "regr_count", TypeId::Int8, true, |_, r| Grouped::boxed(Statistic::Count, r)),
    pair(2819, "regr_sxx", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::Sxx, r)),
    pair(2820, "regr_syy", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::Syy, r)),
    pair(2821, "regr_sxy", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::Sxy, r)),
    pair(2822, "regr_avgx", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::AvgX, r)),
    pair(2823, "regr_avgy", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::AvgY, r)),
    pair(2824, "regr_r2", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::R2, r)),
    pair(2825, "regr_slope", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::Slope, r)),
    pair(2826, "regr_intercept", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::Intercept, r)),
    pair(2827, "covar_pop", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::CovarPop, r)),
    pair(2828, "covar_samp", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::CovarSamp, r)),
    pair(2829, "corr", TypeId::Float8, false, |_, r| Grouped::boxed(Statistic::Corr, r)),
];
