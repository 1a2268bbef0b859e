//! `min` and `max` of every ordered type.
//!
//! Fixed-size types keep the best lane; numerics of one scale are compared by mantissa first; texts are compared in place and
//! copied only when they are better.

use super::grouped::{Fold, Grouped};
use super::sum::for_each_lane;
use crate::Session;
use crate::aggregate::{Accumulator, AggregateFunction, entry};
use crate::lanes::Lane;
use crate::operator::comparison::{float4, float8};
use crate::rows::Arg;
use damask_types::compare::{compare, trim_blanks};
use damask_types::{Interval, Mask, Numeric, Result, SqlType, TypeId, Value, Vector, VectorData};
use std::cmp::Ordering;
use std::marker::PhantomData;

/// A lane with SQL's order.
trait Ordered: Lane + Send + std::fmt::Debug {
    fn order(self, other: Self) -> Ordering;
}

macro_rules! ordered {
    ($($ty:ty: |$a:ident, $b:ident| $order:expr;)*) => {$(
        impl Ordered for $ty {
            #[inline]
            fn order(self, other: Self) -> Ordering {
                let ($a, $b) = (self, other);
                $order
            }
        }
    )*};
}
ordered! {
    i16: |a, b| a.cmp(&b);
    i32: |a, b| a.cmp(&b);
    i64: |a, b| a.cmp(&b);
    u32: |a, b| a.cmp(&b);
    f32: |a, b| float4(a, b);
    f64: |a, b| float8(a, b);
    Interval: |a, b| a.cmp_key().cmp(&b.cmp_key());
}

/// The best lane so far.
#[derive(Debug)]
struct Lanes<T> {
    max: bool,
    result: SqlType,
    lane: PhantomData<T>,
}

fn lanes<T: Ordered>(max: bool, result: SqlType) -> Box<dyn Accumulator> {
    Grouped::boxed(Lanes::<T> { max, result, lane: PhantomData }, result)
}

impl<T: Ordered> Lanes<T> {
    #[inline]
    fn take(&self, state: &mut Option<T>, entry: T) {
        let better = match *state {
            None => true,
            Some(best) if self.max => entry.order(best).is_gt(),
            Some(best) => entry.order(best).is_lt(),
        };
        if better {
            *state = Some(entry);
        }
    }
}

impl<T: Ordered> Fold for Lanes<T> {
    type State = Option<T>;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for_each_lane(&args[0], rows, |row, entry: T| self.take(&mut states[group(row)], entry));
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        if let Some(other) = other {
            self.take(state, other);
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        Ok(state.map_or(Value::Null, |best| {
            Vector::flat(self.result.id, 1, T::data(vec![best]), None).value(0)
        }))
    }
}

/// The best numeric so far.
#[derive(Debug)]
struct Numerics {
    max: bool,
}

fn numerics(max: bool, result: SqlType) -> Box<dyn Accumulator> {
    Grouped::boxed(Numerics { max }, result)
}

impl Numerics {
    fn wanted(&self) -> Ordering {
        if self.max { Ordering::Greater } else { Ordering::Less }
    }
}

impl Fold for Numerics {
    type State = Option<Numeric>;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        let wanted = self.wanted();
        for row in rows.iter() {
            let entry = Numeric::get(&args[0], args[0].index(row));
            let state = &mut states[group(row)];
            if state.as_ref().is_none_or(|best| entry.compare(best) == wanted) {
                *state = Some(entry);
            }
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        if let Some(other) = other
            && state.as_ref().is_none_or(|best| other.compare(best) == self.wanted())
        {
            *state = Some(other);
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        Ok(state.clone().map_or(Value::Null, Value::Numeric))
    }
}

/// The best text so far; bpchar is compared without the blanks at its end.
#[derive(Debug)]
struct Texts {
    max: bool,
    blanks: bool,
}

fn texts(max: bool, result: SqlType) -> Box<dyn Accumulator> {
    Grouped::boxed(Texts { max, blanks: result.id == TypeId::BpChar }, result)
}

impl Texts {
    fn is_better(&self, entry: &[u8], best: &[u8]) -> bool {
        let order =
            if self.blanks { trim_blanks(entry).cmp(trim_blanks(best)) } else { entry.cmp(best) };
        order == if self.max { Ordering::Greater } else { Ordering::Less }
    }
}

impl Fold for Texts {
    type State = Option<String>;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        let VectorData::Bytes(views) = &args[0].data else {
            panic!("min and max of text were given {:?}", args[0].data);
        };
        for row in rows.iter() {
            let i = args[0].index(row);
            match &mut states[group(row)] {
                Some(best) if self.is_better(views.get(i), best.as_bytes()) => {
                    best.clear();
                    best.push_str(views.text(i));
                }
                Some(_) => {}
                state @ None => *state = Some(views.text(i).to_owned()),
            }
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        if let Some(other) = other
            && state.as_ref().is_none_or(|best| self.is_better(other.as_bytes(), best.as_bytes()))
        {
            *state = Some(other);
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        Ok(state.as_deref().map_or(Value::Null, Value::text))
    }

    fn heap_bytes(state: &Self::State) -> usize {
        state.as_ref().map_or(0, String::capacity)
    }
}

/// The best value so far of any type.
#[derive(Debug)]
struct Values {
    max: bool,
    ty: TypeId,
}

fn values(max: bool, result: SqlType) -> Box<dyn Accumulator> {
    Grouped::boxed(Values { max, ty: result.id }, result)
}

impl Fold for Values {
    type State = Option<Value>;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            self.merge(&mut states[group(row)], Some(args[0].value(row)))?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        let wanted = if self.max { Ordering::Greater } else { Ordering::Less };
        if let Some(other) = other
            && state.as_ref().is_none_or(|best| compare(self.ty, &other, best) == wanted)
        {
            *state = Some(other);
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        Ok(state.clone().unwrap_or(Value::Null))
    }
}

/// The family.
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    entry(2115, "max", &[TypeId::Int8], TypeId::Int8, |_, r| lanes::<i64>(true, r)),
    entry(2131, "min", &[TypeId::Int8], TypeId::Int8, |_, r| lanes::<i64>(false, r)),
    entry(2116, "max", &[TypeId::Int4], TypeId::Int4, |_, r| lanes::<i32>(true, r)),
    entry(2132, "min", &[TypeId::Int4], TypeId::Int4, |_, r| lanes::<i32>(false, r)),
    entry(2117, "max", &[TypeId::Int2], TypeId::Int2, |_, r| lanes::<i16>(true, r)),
    entry(2133, "min", &[TypeId::Int2], TypeId::Int2, |_, r| lanes::<i16>(false, r)),
    entry(2118, "max", &[TypeId::Oid], TypeId::Oid, |_, r| lanes::<u32>(true, r)),
    entry(2134, "min", &[TypeId::Oid], TypeId::Oid, |_, r| lanes::<u32>(false, r)),
    entry(2119, "max", &[TypeId::Float4], TypeId::Float4, |_, r| lanes::<f32>(true, r)),
    entry(2135, "min", &[TypeId::Float4], TypeId::Float4, |_, r| lanes::<f32>(false, r)),
    entry(2120, "max", &[TypeId::Float8], TypeId::Float8, |_, r| lanes::<f64>(true, r)),
    entry(2136, "min", &[TypeId::Float8], TypeId::Float8, |_, r| lanes::<f64>(false, r)),
    entry(2122, "max", &[TypeId::Date], TypeId::Date, |_, r| lanes::<i32>(true, r)),
    entry(2138, "min", &[TypeId::Date], TypeId::Date, |_, r| lanes::<i32>(false, r)),
    entry(2123, "max", &[TypeId::Time], TypeId::Time, |_, r| lanes::<i64>(true, r)),
    entry(2139, "min", &[TypeId::Time], TypeId::Time, |_, r| lanes::<i64>(false, r)),
    entry(2124, "max", &[TypeId::TimeTz], TypeId::TimeTz, |_, r| lanes::<i64>(true, r)),
    entry(2140, "min", &[TypeId::TimeTz], TypeId::TimeTz, |_, r| lanes::<i64>(false, r)),
    entry(2126, "max", &[TypeId::Timestamp], TypeId::Timestamp, |_, r| lanes::<i64>(true, r)),
    entry(2142, "min", &[TypeId::Timestamp], TypeId::Timestamp, |_, r| lanes::<i64>(false, r)),
    entry(2127, "max", &[TypeId::TimestampTz], TypeId::TimestampTz, |_, r| lanes::<i64>(true, r)),
    entry(2143, "min", &[TypeId::TimestampTz], TypeId::TimestampTz, |_, r| lanes::<i64>(false, r)),
    entry(2128, "max", &[TypeId::Interval], TypeId::Interval, |_, r| lanes::<Interval>(true, r)),
    entry(2144, "min", &[TypeId::Interval], TypeId::Interval, |_, r| lanes::<Interval>(false, r)),
    entry(2797, "max", &[TypeId::Tid], TypeId::Tid, |_, r| lanes::<i64>(true, r)),
    entry(2798, "min", &[TypeId::Tid], TypeId::Tid, |_, r| lanes::<i64>(false, r)),
    entry(5099, "max", &[TypeId::Xid8], TypeId::Xid8, |_, r| lanes::<i64>(true, r)),
    entry(5100, "min", &[TypeId::Xid8], TypeId::Xid8, |_, r| lanes::<i64>(false, r)),
    entry(2129, "max", &[TypeId::Text], TypeId::Text, |_, r| texts(true, r)),
    entry(2145, "min", &[TypeId::Text], TypeId::Text, |_, r| texts(false, r)),
    entry(2244, "max", &[TypeId::BpChar], TypeId::BpChar, |_, r| texts(true, r)),
    entry(2245, "min", &[TypeId::BpChar], TypeId::BpChar, |_, r| texts(false, r)),
    entry(2130, "max", &[TypeId::Numeric], TypeId::Numeric, |_, r| numerics(true, r)),
    entry(2146, "min", &[TypeId::Numeric], TypeId::Numeric, |_, r| numerics(false, r)),
    entry(2050, "max", &[TypeId::AnyArray], TypeId::AnyArray, |_, r| values(true, r)),
    entry(2051, "min", &[TypeId::AnyArray], TypeId::AnyArray, |_, r| values(false, r)),
];
