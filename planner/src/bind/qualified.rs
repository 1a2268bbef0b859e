//! Names that start with a database, `postgres.public.t`: allowed for the one there is.

use damask_catalog::snapshot::DATABASE_NAME;
use damask_sql::ast::Ident;
use damask_types::{Error, Result, SqlState};

/// The parts of an object's name without a database in front.
///
/// # Errors
/// 0A000 for another database; `shown` is the name in the message.
pub fn without_database(parts: &[Ident], shown: impl FnOnce() -> String) -> Result<&[Ident]> {
    match parts {
        [database, rest @ ..] if rest.len() == 2 => {
            if database.as_str() == DATABASE_NAME {
                return Ok(rest);
            }
            Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("cross-database references are not implemented: {}", shown()),
            ))
        }
        _ => Ok(parts),
    }
}

/// Parts with points between.
pub(crate) fn joined(parts: &[Ident]) -> String {
    parts.iter().map(Ident::as_str).collect::<Vec<_>>().join(".")
}
