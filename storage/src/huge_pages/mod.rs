//! Huge pages: memory of which the processor remembers 2 MiB by one entry of its table of pages (TLB) instead of 4 KiB.
//!
//! The pool asks for them where it makes frames ([`crate::pool`]), as the setting `huge_pages` says. It asks a [`HugePageSource`], which comes
//! with the [`crate::Env`]: the machine's ([`system`]), one that a test makes up ([`SimulatedHugePages`]), or one that has none
//! ([`NoHugePages`]).
//!
//! Invariants
//! - H1: asking is a wish. Memory that was asked for is as good as other memory, whatever the answer.
//! - H2: with [`HugePages::Off`] nobody asks.
//!
//! Left out: pages of a reserved stock (hugetlbfs), which would have to be taken before the pool needs them; huge pages of other sizes than
//! 2 MiB.

mod simulated;
#[cfg(target_os = "linux")]
mod system;

pub use simulated::SimulatedHugePages;

use std::fmt::Debug;
use std::sync::Arc;

/// Bytes of a huge page, which begins at a multiple of them.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Whether frames of the pool are to lie in huge pages (`huge_pages`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugePages {
    /// Nobody asks for them; the system may give some of its own accord.
    Off,
    /// Without them a store does not open.
    On,
    /// If there are any.
    Try,
}

/// Who is asked for huge pages.
pub trait HugePageSource: Send + Sync + Debug {
    /// Asks that `memory`, whole huge pages that were not touched yet, lies in huge pages as far as there are some when it is touched.
    ///
    /// # Errors
    /// Why not, as a sentence.
    fn ask(&self, memory: &mut [u8]) -> Result<(), String>;
}

/// There are none.
#[derive(Debug)]
pub struct NoHugePages;

impl HugePageSource for NoHugePages {
    fn ask(&self, _memory: &mut [u8]) -> Result<(), String> {
        Err("This system has none, or they are not used here.".to_owned())
    }
}

/// The machine's.
pub(crate) fn of_machine() -> Arc<dyn HugePageSource> {
    #[cfg(target_os = "linux")]
    return Arc::new(system::SystemHugePages::default());
    #[cfg(not(target_os = "linux"))]
    return Arc::new(NoHugePages);
}
