//! The settings that steer planning, with PostgreSQL's names and defaults.
//!
//! A method that is switched off is not forbidden: its cost grows by [`DISABLED`], so it is still taken where nothing else does.

/// What a method that is switched off costs beside its cost.
pub(crate) const DISABLED: f64 = 1e10;

/// Settings that steer planning.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting")]
#[expect(missing_docs, reason = "the names are the settings'")]
pub struct Tuning {
    pub enable_seqscan: bool,
    /// Index-only scans too.
    pub enable_indexscan: bool,
    pub enable_indexonlyscan: bool,
    pub enable_hashjoin: bool,
    /// Lookups in an index for each row of the other side too.
    pub enable_nestloop: bool,
    pub enable_hashagg: bool,
    pub enable_sort: bool,
    pub seq_page_cost: f64,
    pub random_page_cost: f64,
    pub cpu_tuple_cost: f64,
    pub cpu_index_tuple_cost: f64,
    pub cpu_operator_cost: f64,
    /// `x = NULL` means `x IS NULL`.
    pub transform_null_equals: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            enable_seqscan: true,
            enable_indexscan: true,
            enable_indexonlyscan: true,
            enable_hashjoin: true,
            enable_nestloop: true,
            enable_hashagg: true,
            enable_sort: true,
            seq_page_cost: 1.0,
            random_page_cost: 4.0,
            cpu_tuple_cost: 0.01,
            cpu_index_tuple_cost: 0.005,
            cpu_operator_cost: 0.0025,
            transform_null_equals: false,
        }
    }
}

/// What is added to the cost of a method.
pub(crate) fn penalty(enabled: bool) -> f64 {
    if enabled { 0.0 } else { DISABLED }
}
