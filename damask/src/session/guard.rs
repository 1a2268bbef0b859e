//! A panic inside a statement is that statement's error, XX000, and the session goes on.
//!
//! Every call that runs a statement, or a part of one, goes through [`Session::guarded`]. Unwinding gives latches back; the
//! transaction is then rolled back like after any error, which gives its locks back. What was in the statement's hands
//! (an execution, a portal) is dropped with it.
//!
//! Invariants
//! - G1: after a panic nothing of the statement is left but its error.
//! - G2: a session whose rollback panics too runs nothing more: it is broken, and ends.
//!
//! A panic while pages or versions are being changed leaves them in a state that nobody knows: `txn` then stops the engine, and
//! everything after it answers 58030 until the database is opened again and recovers.

use super::Session;
use damask_types::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The error of a session that is broken (G2).
pub(super) fn broken() -> Error {
    Error::internal("terminating connection because its state is not known after an internal error")
}

impl Session {
    /// Runs a part of a statement; a panic in it becomes XX000.
    pub(crate) fn guarded<R>(&mut self, run: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        if self.is_broken {
            return Err(broken());
        }
        // Whatever the panic left half done in the session is cleared below.
        match catch_unwind(AssertUnwindSafe(|| run(self))) {
            Ok(result) => result,
            Err(payload) => {
                self.clear_after_panic();
                Err(Error::panicked(&*payload))
            }
        }
    }

    fn clear_after_panic(&mut self) {
        self.copy = None;
        self.state.backend.end_statement();
        let cleared = catch_unwind(AssertUnwindSafe(|| {
            self.fail_transaction();
            self.show_activity(None);
        }));
        self.is_broken = cleared.is_err();
    }
}
