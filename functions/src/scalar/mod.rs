//! Functions called by name, one family a file.

use crate::ScalarFunction;

/// Every family of scalar functions.
pub(crate) static FAMILIES: &[&[ScalarFunction]] = &[];
