//! Set-returning functions, one family a file.

use crate::registry::TableFunction;

/// Every family of set-returning functions.
pub(crate) static FAMILIES: &[&[TableFunction]] = &[];
