//! How operators, functions and casts are found.
//!
//! The tables are static slices, one for each family, joined once into maps by name. OIDs are PostgreSQL's own from `pg_proc`,
//! `pg_operator` and `pg_cast`, so that the catalog, drivers and `regprocedure` agree.

use crate::aggregate::AggregateFunction;
use crate::kernel::Kernel;
use damask_types::{Oid, TypeId};

/// Whether a call may be evaluated early, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    /// The same result for the same arguments, for ever: may be folded at plan time.
    Immutable,
    /// The same within one statement: may be evaluated once per statement.
    Stable,
    /// Anything: must be evaluated for each row, in place.
    Volatile,
}

/// A scalar function, also the body of operators and casts.
#[derive(Clone, Copy, Debug)]
pub struct ScalarFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// `pg_proc.proname`.
    pub name: &'static str,
    /// Argument types; may be polymorphic. The last one of a variadic function is the array type.
    pub args: &'static [TypeId],
    /// Whether the last argument takes any number of values (`VARIADIC`); `"any"` takes values of mixed types.
    pub variadic: bool,
    /// How many trailing arguments have defaults (the kernel sees fewer arguments).
    pub defaults: usize,
    /// Result type; may be polymorphic.
    pub result: TypeId,
    /// Whether a null argument gives null without a call.
    pub strict: bool,
    /// When it may be evaluated.
    pub volatility: Volatility,
    /// Whether some arguments make it raise.
    pub may_raise: bool,
    /// The body.
    pub kernel: Kernel,
}

/// An operator: a name and operand types for a function.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// `pg_operator.oid`.
    pub oid: Oid,
    /// `pg_operator.oprname`.
    pub name: &'static str,
    /// Left operand; `None` for a prefix operator.
    pub lhs: Option<TypeId>,
    /// Right operand.
    pub rhs: TypeId,
    /// What it runs.
    pub function: &'static ScalarFunction,
    /// `oprcom`: the operator with operands swapped, by name.
    pub commutator: Option<&'static str>,
    /// `oprnegate`: the operator that gives the opposite, by name.
    pub negator: Option<&'static str>,
}

/// Where a cast is applied without being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// Anywhere.
    Implicit,
    /// When a value is stored in a column.
    Assignment,
    /// Only where written.
    Explicit,
}

/// How a cast converts.
#[derive(Clone, Copy, Debug)]
pub enum CastMethod {
    /// By this function: (value), or (value, typmod int4, is_explicit bool) when it takes three arguments.
    Function(&'static ScalarFunction),
    /// The representation is the same ([`damask_types::Vector::retype`]).
    Binary,
    /// Through the text form (`typoutput`, then `typinput`).
    InOut,
}

/// A cast between two types.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// From.
    pub source: TypeId,
    /// To.
    pub target: TypeId,
    /// Where it applies by itself.
    pub context: CastContext,
    /// How.
    pub method: CastMethod,
}

/// A set-returning function (`generate_series`, `unnest`, `generate_subscripts`, ...).
#[derive(Clone, Copy, Debug)]
pub struct TableFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// Name.
    pub name: &'static str,
    /// Argument types; may be polymorphic.
    pub args: &'static [TypeId],
    /// Result columns: names and types; a single column is named after the function.
    pub columns: &'static [(&'static str, TypeId)],
    /// The rows for one set of argument values; a strict function is not called with nulls and gives no rows for them.
    pub rows: fn(
        session: &dyn crate::Session,
        args: &[damask_types::Value],
    ) -> damask_types::Result<
        Box<dyn Iterator<Item = damask_types::Result<Vec<damask_types::Value>>> + Send>,
    >,
    /// When it may be evaluated.
    pub volatility: Volatility,
}

/// Every scalar function of this name.
pub fn functions(name: &str) -> &'static [&'static ScalarFunction] {
    let _ = name;
    &[]
}

/// Every operator of this name.
pub fn operators(name: &str) -> &'static [&'static Operator] {
    let _ = name;
    &[]
}

/// Every aggregate of this name.
pub fn aggregates(name: &str) -> &'static [&'static AggregateFunction] {
    let _ = name;
    &[]
}

/// Every set-returning function of this name.
pub fn table_functions(name: &str) -> &'static [&'static TableFunction] {
    let _ = name;
    &[]
}

/// The registered cast between two types. Text to and from anything ([`CastMethod::InOut`]) and array casts element by element are found too.
pub fn cast(source: TypeId, target: TypeId) -> Option<Cast> {
    let _ = (source, target);
    None
}

/// All of them, for the catalog.
pub fn all_functions() -> impl Iterator<Item = &'static ScalarFunction> {
    std::iter::empty()
}

/// All of them, for the catalog.
pub fn all_operators() -> impl Iterator<Item = &'static Operator> {
    std::iter::empty()
}

/// All of them, for the catalog.
pub fn all_aggregates() -> impl Iterator<Item = &'static AggregateFunction> {
    std::iter::empty()
}

/// All of them, for the catalog.
pub fn all_table_functions() -> impl Iterator<Item = &'static TableFunction> {
    std::iter::empty()
}

/// All of them, for the catalog.
pub fn all_casts() -> impl Iterator<Item = &'static Cast> {
    std::iter::empty()
}
