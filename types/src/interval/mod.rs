//! Intervals: months, days and microseconds kept apart, as PostgreSQL does.
//!
//! Reading order: [`input`] and [`output`] are the text forms, [`typmod`] the fields of `interval day to hour` and the
//! like, [`arith`] sums, products, justification.

pub(crate) mod arith;
mod input;
mod output;
pub(crate) mod typmod;

/// A span of time whose parts have no fixed ratio to each other until they are applied to a date.
///
/// Equality and order are of the parts; SQL's comparison (30-day months, 24-hour days) is [`Interval::cmp_key`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Months (years are 12 of them).
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

impl Interval {
    /// The length in microseconds with 30-day months and 24-hour days: SQL's order and equality of intervals.
    pub fn cmp_key(self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * 86_400_000_000 + i128::from(self.micros)
    }
}
