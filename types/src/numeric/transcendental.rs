//! Roots, exponentials and logarithms.

use super::Numeric;
use crate::{Error, Result};

macro_rules! interim {
    ($($name:ident),*) => {$(
        /// Not there yet.
        pub fn $name(&self) -> Result<Self> {
            Err(Error::unsupported(stringify!($name)))
        }
    )*};
}

impl Numeric {
    interim!(sqrt, exp, ln, log10);

    /// The logarithm of self to `base`.
    pub fn log(&self, base: &Self) -> Result<Self> {
        let _ = base;
        Err(Error::unsupported("log"))
    }

    /// self ^ exponent.
    pub fn power(&self, exponent: &Self) -> Result<Self> {
        let _ = exponent;
        Err(Error::unsupported("power"))
    }
}
