//! Functions called by name, one family a file.

pub(crate) mod array;
pub(crate) mod array_assign;
pub(crate) mod bytea;
pub(crate) mod case;
pub(crate) mod catalog;
pub(crate) mod compose;
pub(crate) mod datetime;
pub(crate) mod digest;
pub(crate) mod keywords;
pub(crate) mod libm;
pub(crate) mod math;
pub(crate) mod misc;
pub(crate) mod regexp;
pub(crate) mod string;
pub(crate) mod unicode;

use crate::ScalarFunction;

/// Every family of scalar functions.
pub(crate) static FAMILIES: &[&[ScalarFunction]] = &[
    array::FUNCTIONS,
    array_assign::FUNCTIONS,
    bytea::FUNCTIONS,
    case::FUNCTIONS,
    catalog::FUNCTIONS,
    compose::FUNCTIONS,
    digest::FUNCTIONS,
    math::FUNCTIONS,
    misc::FUNCTIONS,
    regexp::FUNCTIONS,
    string::FUNCTIONS,
    datetime::FUNCTIONS,
    unicode::FUNCTIONS,
];
