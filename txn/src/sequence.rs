//! Sequences: counters that no rollback turns back.

/// How a sequence counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceSpec {
    /// First value.
    pub start: i64,
    /// Step; not zero.
    pub increment: i64,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Whether it starts over at its end.
    pub cycle: bool,
}

/// Where a sequence stands, as PostgreSQL shows it (`last_value`, `is_called`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// The last value given out, or the next one if `is_called` is false.
    pub last_value: i64,
    /// Whether `last_value` has been given out.
    pub is_called: bool,
}
