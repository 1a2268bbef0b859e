//! `count(*)` and `count(x)`.

use super::grouped::{Fold, Grouped};
use crate::Session;
use crate::aggregate::AggregateFunction;
use damask_types::{Mask, Oid, Result, TypeId, Value, Vector};

/// Counts rows: those it is given, which for `count(x)` are the ones where x is not null.
#[derive(Debug)]
struct Count;

impl Fold for Count {
    type State = i64;

    fn update(
        &self,
        states: &mut [i64],
        _: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            states[group(row)] += 1;
        }
        Ok(())
    }

    fn update_one(&self, state: &mut i64, _: &[Vector], rows: &Mask) -> Result<()> {
        *state += rows.count() as i64;
        Ok(())
    }

    fn merge(&self, state: &mut i64, other: i64) -> Result<()> {
        *state += other;
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &i64) -> Result<Value> {
        Ok(Value::Int8(*state))
    }
}

const fn count(oid: u32, args: &'static [TypeId]) -> AggregateFunction {
    AggregateFunction {
        oid: Oid(oid),
        name: "count",
        args,
        result: TypeId::Int8,
        empty_is_zero: true,
        ordered: false,
        make: |_, result| Grouped::boxed(Count, result),
    }
}

/// The family.
pub(crate) static AGGREGATES: &[AggregateFunction] =
    &[count(2147, &[TypeId::Any]), count(2803, &[])];
