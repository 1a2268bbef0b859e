//! Aggregates: many rows to one value, for many groups at once.

pub(crate) mod bits;
pub(crate) mod collect;
pub(crate) mod count;
pub(crate) mod extreme;
pub(crate) mod grouped;
pub(crate) mod regression;
pub(crate) mod sum;
pub(crate) mod variance;

use crate::kernel::Session;
use damask_types::{Mask, Oid, Result, SqlType, TypeId, Vector};
use std::fmt;

/// An aggregate function.
#[derive(Clone, Copy, Debug)]
pub struct AggregateFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// Name.
    pub name: &'static str,
    /// Argument types; empty for `count(*)`; may be polymorphic.
    pub args: &'static [TypeId],
    /// Result type; may be polymorphic.
    pub result: TypeId,
    /// The value over no rows: null, or 0 for the counts.
    pub empty_is_zero: bool,
    /// Whether the order of its input matters (`array_agg`, `string_agg`).
    pub ordered: bool,
    /// Makes the states. `args` and `result` are resolved.
    pub make: fn(args: &[SqlType], result: SqlType) -> Box<dyn Accumulator>,
}

/// The states of one aggregate call for groups 0..n.
///
/// Nulls: an accumulator skips rows whose argument is null where the function does (all but `count(*)`, `array_agg`).
pub trait Accumulator: Send + fmt::Debug {
    /// Makes room for groups below `groups`; new ones are empty.
    fn resize(&mut self, groups: usize);

    /// Takes rows in: row `i` of the tile, if `active`, belongs to group `groups[i]` (below the last `resize`).
    ///
    /// # Errors
    /// 22003 when a sum leaves its type; what the function raises.
    fn update(
        &mut self,
        session: &dyn Session,
        groups: &[u32],
        args: &[Vector],
        active: &Mask,
    ) -> Result<()>;

    /// As [`Accumulator::update`] when every active row belongs to `group` (aggregation without GROUP BY, streaming runs).
    fn update_one(
        &mut self,
        session: &dyn Session,
        group: u32,
        args: &[Vector],
        active: &Mask,
    ) -> Result<()>;

    /// Takes in another accumulator of the same function: its group `i` joins group `groups[i]` here.
    fn merge(&mut self, other: Box<dyn Accumulator>, groups: &[u32]) -> Result<()>;

    /// The results of groups `from..from + rows` (at most a tile).
    fn finish(&self, session: &dyn Session, from: usize, rows: usize) -> Result<Vector>;

    /// Bytes held.
    fn bytes(&self) -> usize;

    /// Itself, for `merge`'s downcast.
    fn as_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}

/// An aggregate that is null over no rows and does not depend on their order.
pub(crate) const fn entry(
    oid: u32,
    name: &'static str,
    args: &'static [TypeId],
    result: TypeId,
    make: fn(args: &[SqlType], result: SqlType) -> Box<dyn Accumulator>,
) -> AggregateFunction {
    AggregateFunction {
        oid: Oid(oid),
        name,
        args,
        result,
        empty_is_zero: false,
        ordered: false,
        make,
    }
}

/// Every family of aggregates.
pub(crate) static FAMILIES: &[&[AggregateFunction]] = &[
    bits::AGGREGATES,
    collect::AGGREGATES,
    count::AGGREGATES,
    extreme::AGGREGATES,
    regression::AGGREGATES,
    sum::AGGREGATES,
    variance::AGGREGATES,
];
