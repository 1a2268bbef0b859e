//! One limit for the large things that a database keeps in memory.
//!
//! Each use counts what it holds here, so that together they stay below the limit whatever their own limits are:
//!
//! | use | who asks | when the limit is reached |
//! |---|---|---|
//! | pages | the pool, for each frame beyond its first few | it evicts a page instead of growing; already at three quarters of the limit |
//! | versions | whoever changes a row | the change is 53200; the statement is undone |
//! | statements | operators, before they keep rows | they go on in temporary files near the limit, and 53200 at it |
//!
//! Copies of inner nodes and filters of tables with write buffers count as pages; where there is no memory for one, there is none.
//!
//! Not counted, since each has a bound of its own or is small beside them: the rest of a huge page of which the pool uses the first frames (at most
//! 2 MiB for each node of the machine), what checkpoints lay aside, plans and catalog, buffers of
//! sessions and log, the files of a database in memory.

use damask_types::{Error, Result, SqlState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Frames of the buffer pool.
    Pages,
    /// Rows as they were before changes, and who changed them.
    Versions,
    /// What statements keep while they run.
    Statements,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pages, Self::Versions, Self::Statements];

    /// Its name in `damask_memory`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Versions => "versions",
            Self::Statements => "statements",
        }
    }
}

/// The memory of a database; see the module.
#[derive(Debug)]
pub struct Governor {
    limit: AtomicUsize,
    held: [AtomicUsize; Purpose::ALL.len()],
    grants: AtomicU64,
    /// The grant to a statement, counted from now, that is refused; zero if none is.
    refuse_at: AtomicU64,
    refused: AtomicU64,
}

impl Default for Governor {
    /// Without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Governor {
    /// One that grants up to `limit` bytes in all.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            held: Default::default(),
            grants: AtomicU64::new(0),
            refuse_at: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Changes the limit; what is held already stays.
    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Most bytes that are granted in all.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Bytes held for a purpose.
    pub fn held(&self, purpose: Purpose) -> usize {
        self.held[purpose as usize].load(Ordering::Relaxed)
    }

    /// Bytes held in all.
    pub fn total(&self) -> usize {
        Purpose::ALL.iter().map(|purpose| self.held(*purpose)).sum()
    }

    /// Takes bytes, unless the limit would be passed; says whether it did.
    pub(crate) fn try_take(&self, purpose: Purpose, bytes: usize) -> bool {
        self.take_anyway(purpose, bytes);
        let limit = self.limit();
        // Pages are kept as long as there is room for them, so some is left to others.
        let limit = if purpose == Purpose::Pages { limit - limit / 4 } else { limit };
        let is_granted = self.total() <= limit;
        if !is_granted {
            self.give_back(purpose, bytes);
        }
        is_granted
    }

    /// Takes bytes that the database cannot do without.
    pub(crate) fn take_anyway(&self, purpose: Purpose, bytes: usize) {
        self.held[purpose as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives bytes back.
    pub fn give_back(&self, purpose: Purpose, bytes: usize) {
        self.held[purpose as usize].fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Says how much is held now for a purpose that counts it itself.
    ///
    /// # Errors
    /// 53200 if the limit is passed.
    pub fn note(&self, purpose: Purpose, bytes: usize) -> Result<()> {
        self.held[purpose as usize].store(bytes, Ordering::Relaxed);
        if self.total() > self.limit() { Err(self.exhausted()) } else { Ok(()) }
    }

    /// Takes bytes for a statement.
    ///
    /// # Errors
    /// 53200 if the limit would be passed.
    pub fn grant(&self, bytes: usize) -> Result<()> {
        if self.is_refused() || !self.try_take(Purpose::Statements, bytes) {
            return Err(self.exhausted());
        }
        self.grants.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether so much is held that whoever can should hold less.
    pub fn is_tight(&self) -> bool {
        let limit = self.limit();
        self.total() > limit - limit / 8
    }

    /// Times that a statement was granted memory.
    pub fn grant_count(&self) -> u64 {
        self.grants.load(Ordering::Relaxed)
    }

    /// The `nth` grant to a statement from now is refused, as if the limit were passed; zero takes that back. For tests.
    pub fn refuse(&self, nth: u64) {
        self.refuse_at.store(nth, Ordering::Relaxed);
    }

    /// Grants that [`Governor::refuse`] has refused.
    pub fn refused_count(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether this grant is the one to refuse.
    fn is_refused(&self) -> bool {
        if self.refuse_at.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let is_it = self.refuse_at.fetch_sub(1, Ordering::Relaxed) == 1;
        self.refused.fetch_add(u64::from(is_it), Ordering::Relaxed);
        is_it
    }

    #[cold]
    fn exhausted(&self) -> Error {
        let held = Purpose::ALL.map(|purpose| format!("{} {}", purpose.name(), self.held(purpose)));
        Error::new(SqlState::OUT_OF_MEMORY, "out of memory")
            .detail(format!(
                "The database may hold {} bytes; it holds {}.",
                self.limit(),
                held.join(", ")
            ))
            .hint("Raise memory_limit, or run fewer statements at a time.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_share_the_limit() {
        let memory = Governor::new(1000);
        assert!(memory.try_take(Purpose::Pages, 600) && !memory.try_take(Purpose::Pages, 151));
        memory.grant(200).expect("there is room");
        assert!(!memory.is_tight());
        memory.note(Purpose::Versions, 150).expect("there is room");
        assert!(memory.is_tight());
        let refused = memory.grant(51).expect_err("the limit is reached");
        assert_eq!(refused.sqlstate(), SqlState::OUT_OF_MEMORY);
        let detail = refused.fields().detail.clone().unwrap_or_default();
        assert!(detail.contains("pages 600, versions 150, statements 200"), "{detail}");
        assert!(memory.note(Purpose::Versions, 201).is_err());
        assert_eq!(memory.total(), 1001, "what is counted elsewhere is there");
        memory.give_back(Purpose::Pages, 600);
        memory.grant(51).expect("there is room again");
        assert_eq!((memory.held(Purpose::Statements), memory.grant_count()), (251, 2));
    }

    #[test]
    fn the_nth_grant_is_refused() {
        let memory = Governor::default();
        memory.refuse(2);
        assert!(memory.grant(1).is_ok() && memory.grant(1).is_err() && memory.grant(1).is_ok());
        assert_eq!((memory.refused_count(), memory.total()), (1, 2));
    }
}
