//! Set-returning functions, one family a file.

pub(crate) mod series;
pub(crate) mod text;

use crate::Session;
use crate::registry::{TableFunction, Volatility};
use damask_types::{Oid, Result, TypeId, Value};

/// What a set-returning function gives.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>;

/// No row.
pub(crate) fn none() -> Result<Rows> {
    Ok(Box::new(std::iter::empty()))
}

/// Rows of one column from values.
pub(crate) fn values(values: Vec<Value>) -> Result<Rows> {
    Ok(Box::new(values.into_iter().map(|value| Ok(vec![value]))))
}

/// An immutable function.
pub(crate) const fn one_column(
    oid: u32,
    name: &'static str,
    args: &'static [TypeId],
    columns: &'static [(&'static str, TypeId)],
    rows: fn(&dyn Session, &[Value]) -> Result<Rows>,
) -> TableFunction {
    TableFunction { oid: Oid(oid), name, args, columns, rows, volatility: Volatility::Immutable }
}

/// Every family of set-returning functions.
pub(crate) static FAMILIES: &[&[TableFunction]] = &[series::FUNCTIONS, text::FUNCTIONS];
