//! How a wait learns that its statement is to stop.

use damask_types::Result;
use std::time::Duration;

/// Polled at least every 10 ms by every wait for a lock, a transaction or a flush.
///
/// Cancel requests, `statement_timeout` and `lock_timeout` are implemented by whoever owns the session: the check returns
/// the error (57014, 55P03) that the statement is to end with.
pub trait Interrupt: Send + Sync {
    /// An error if the wait is to end.
    fn check(&self) -> Result<()>;

    /// How long a wait lasts before it looks for a deadlock (`deadlock_timeout`).
    fn deadlock_wait(&self) -> Duration {
        Duration::from_millis(5)
    }

    /// Told when a wait for a lock begins (`true`) and ends (`false`), so that `lock_timeout` can count only such waits.
    fn waiting(&self, _begins: bool) {}
}

/// Never interrupts.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoInterrupt;

impl Interrupt for NoInterrupt {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}
