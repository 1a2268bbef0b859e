//! Whether the store may still be trusted with writes.
//!
//! After a failed write or sync nobody knows what the disk holds, so the first such error is kept and every later write
//! is refused with it (S3). Only reopening, which recovers from what is surely there, starts afresh.

use damask_types::{Error, Result, SqlState};
use std::sync::OnceLock;

/// The first fatal error, if there was one.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failure: OnceLock<(SqlState, String)>,
}

impl Health {
    /// Notes an error after which no write may be acknowledged, and hands it back.
    pub(crate) fn poison(&self, error: Error) -> Error {
        let _ = self.failure.set((error.sqlstate(), error.message().to_owned()));
        error
    }

    /// Fails if an error was noted.
    ///
    /// # Errors
    /// 58030, with the first error as detail.
    pub(crate) fn check(&self) -> Result<()> {
        match self.failure.get() {
            None => Ok(()),
            Some((_, first)) => {
                let message = "database takes no more writes after an input/output error";
                Err(Error::new(SqlState::IO_ERROR, message)
                    .detail(format!("The first error was: {first}."))
                    .hint("Close the database and open it again to recover."))
            }
        }
    }
}
