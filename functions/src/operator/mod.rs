//! The bodies of operators, one family a file, and the table that names them.

pub(crate) mod array;
pub(crate) mod comparison;
pub(crate) mod datetime;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod like;
pub(crate) mod numeric;
pub(crate) mod regex;
pub(crate) mod table;
pub(crate) mod timetz;

use crate::ScalarFunction;

/// Every family of operator functions.
pub(crate) static FAMILIES: &[&[ScalarFunction]] = &[
    array::FUNCTIONS,
    comparison::FUNCTIONS,
    float::FUNCTIONS,
    integer::FUNCTIONS,
    like::FUNCTIONS,
    numeric::FUNCTIONS,
    regex::FUNCTIONS,
    comparison::MIXED,
    datetime::FUNCTIONS,
    timetz::FUNCTIONS,
];
