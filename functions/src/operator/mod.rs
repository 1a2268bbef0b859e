//! The bodies of operators, one family a file, and the table that names them.

pub(crate) mod comparison;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod table;

use crate::ScalarFunction;

/// Every family of operator functions.
pub(crate) static FAMILIES: &[&[ScalarFunction]] =
    &[comparison::FUNCTIONS, comparison::MIXED, integer::FUNCTIONS, float::FUNCTIONS];
