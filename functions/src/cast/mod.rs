//! The bodies of casts, one family a file, and the table that names them.

pub(crate) mod datetime;
pub(crate) mod number;
pub(crate) mod reinterpret;
pub(crate) mod table;
pub(crate) mod text;

use crate::ScalarFunction;
pub(crate) use reinterpret::{INT2_TO_OID, INT4_TO_OID, OID_TO_INT4};

/// Every family of cast functions.
pub(crate) static FAMILIES: &[&[ScalarFunction]] =
    &[number::FUNCTIONS, reinterpret::FUNCTIONS, text::FUNCTIONS, datetime::FUNCTIONS];
