//! `bit_and`, `bit_or`, `bit_xor`; `bool_and`, `bool_or`, `every`.

use super::grouped::{Fold, Grouped};
use super::sum::for_each_lane;
use crate::Session;
use crate::aggregate::{AggregateFunction, entry};
use crate::lanes::{Lane, bits};
use damask_types::{Mask, Result, TypeId, Value, Vector};

/// Combines integers; the state is null before the first row.
#[derive(Debug)]
struct Bits<T>(fn(T, T) -> T);

macro_rules! bits_fold {
    ($($ty:ty => $variant:ident),*) => {$(
        impl Fold for Bits<$ty> {
            type State = Option<$ty>;

            fn update(
                &self,
                states: &mut [Self::State],
                args: &[Vector],
                rows: &Mask,
                group: impl Fn(usize) -> usize + Copy,
            ) -> Result<()> {
                for_each_lane(&args[0], rows, |row, entry: $ty| join(&mut states[group(row)], entry, self.0));
                Ok(())
            }

            fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
                if let Some(other) = other {
                    join(state, other, self.0);
                }
                Ok(())
            }

            fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
                Ok(state.map_or(Value::Null, Value::$variant))
            }
        }
    )*};
}
bits_fold!(i16 => Int2, i32 => Int4, i64 => Int8);

#[inline]
fn join<T: Lane>(state: &mut Option<T>, entry: T, f: fn(T, T) -> T) {
    *state = Some(state.map_or(entry, |state| f(state, entry)));
}

/// Conjunction, or disjunction.
#[derive(Debug)]
struct Bools {
    and: bool,
}

impl Fold for Bools {
    type State = Option<bool>;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        let values = bits(&args[0]);
        for row in rows.iter() {
            let entry = values.get(args[0].index(row));
            self.merge(&mut states[group(row)], Some(entry))?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        *state = match (*state, other) {
            (Some(a), Some(b)) => Some(if self.and { a && b } else { a || b }),
            (a, b) => a.or(b),
        };
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        Ok(state.map_or(Value::Null, Value::Bool))
    }
}

/// The family.
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    entry(2517, "bool_and", &[TypeId::Bool], TypeId::Bool, |_, r| {
        Grouped::boxed(Bools { and: true }, r)
    }),
    entry(2518, "bool_or", &[TypeId::Bool], TypeId::Bool, |_, r| {
        Grouped::boxed(Bools { and: false }, r)
    }),
    entry(2519, "every", &[TypeId::Bool], TypeId::Bool, |_, r| {
        Grouped::boxed(Bools { and: true }, r)
    }),
    entry(2236, "bit_and", &[TypeId::Int2], TypeId::Int2, |_, r| {
        Grouped::boxed(Bits::<i16>(|x, y| x & y), r)
    }),
    entry(2238, "bit_and", &[TypeId::Int4], TypeId::Int4, |_, r| {
        Grouped::boxed(Bits::<i32>(|x, y| x & y), r)
    }),
    entry(2240, "bit_and", &[TypeId::Int8], TypeId::Int8, |_, r| {
        Grouped::boxed(Bits::<i64>(|x, y| x & y), r)
    }),
    entry(2237, "bit_or", &[TypeId::Int2], TypeId::Int2, |_, r| {
        Grouped::boxed(Bits::<i16>(|x, y| x | y), r)
    }),
    entry(2239, "bit_or", &[TypeId::Int4], TypeId::Int4, |_, r| {
        Grouped::boxed(Bits::<i32>(|x, y| x | y), r)
    }),
    entry(2241, "bit_or", &[TypeId::Int8], TypeId::Int8, |_, r| {
        Grouped::boxed(Bits::<i64>(|x, y| x | y), r)
    }),
    entry(6164, "bit_xor", &[TypeId::Int2], TypeId::Int2, |_, r| {
        Grouped::boxed(Bits::<i16>(|x, y| x ^ y), r)
    }),
    entry(6165, "bit_xor", &[TypeId::Int4], TypeId::Int4, |_, r| {
        Grouped::boxed(Bits::<i32>(|x, y| x ^ y), r)
    }),
    entry(6166, "bit_xor", &[TypeId::Int8], TypeId::Int8, |_, r| {
        Grouped::boxed(Bits::<i64>(|x, y| x ^ y), r)
    }),
];
