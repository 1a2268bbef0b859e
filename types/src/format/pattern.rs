//! Format patterns: `to_char` and its opposites.

use super::FormatSettings;
use crate::{Error, Numeric, Result, TypeId, Value};

/// A number, timestamp or interval in the form that `pattern` describes.
pub fn to_char(
    ty: TypeId,
    value: &Value,
    pattern: &str,
    settings: &FormatSettings,
) -> Result<String> {
    let _ = (ty, value, pattern, settings);
    Err(Error::unsupported("to_char"))
}

/// The date (days since 2000-01-01) that `text` means under `pattern`.
pub fn to_date(text: &str, pattern: &str) -> Result<i32> {
    let _ = (text, pattern);
    Err(Error::unsupported("to_date"))
}

/// The timestamptz that `text` means under `pattern`.
pub fn to_timestamp(text: &str, pattern: &str, settings: &FormatSettings) -> Result<i64> {
    let _ = (text, pattern, settings);
    Err(Error::unsupported("to_timestamp"))
}

/// The number that `text` means under `pattern`.
pub fn to_number(text: &str, pattern: &str) -> Result<Numeric> {
    let _ = (text, pattern);
    Err(Error::unsupported("to_number"))
}
