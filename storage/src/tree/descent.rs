//! How a tree is gone down while others change which nodes it has.
//!
//! A descent latches one node at a time: it looks for the child under the node's latch, lets go, and latches the child. In between
//! the child may be split, so that what is looked for is in another node now, or be merged away, and its page be free or
//! be another node, of another tree even. So a descent is only as good as what can be said of its end:
//!
//! - The tree has a *version*, which is odd while a structure change (a split, a merge, a root that grows or shrinks) is being made and goes on
//!   when it is done. A descent that has its leaf and finds the version even and as it was when it set out, met no change.
//! - Else the leaf itself tells: it is a leaf of this tree, and its fences have what is looked for. There is one such leaf only.
//! - Else the descent begins anew. Each time another structure change was made, so somebody gets on.
//!
//! What cannot be so (a page that is free, a node of another level or tree) is damage if the version did not change, else a descent led
//! astray.
//!
//! ```text
//!   descent   version 6   root    inner          leaf latched   version 8: look at its fences
//!   split                            7: latched, changed: 8
//! ```
//!
//! Invariants
//! - S1: whoever changes the structure latches all nodes concerned exclusively, then makes the version odd, changes them, makes the version
//!   even, and lets go. So whoever latches one of them and finds it changed also finds that the version did.
//! - S2: one thread at a time changes the structure of a tree, and all others leave the inner nodes as they are.
//!
//! The mutex and the atomic come from the module's parent, so that a model can run this very file on others (see `descent_model`).

use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// The structure of a tree: who may change it, and its version.
pub(super) struct Structure {
    /// Odd while a change is made. Written under the mutex.
    version: AtomicU64,
    mutex: Mutex<()>,
}

/// The version at some moment.
#[derive(Clone, Copy)]
pub(super) struct Watch(u64);

/// The right to change a tree's structure (S2).
pub(super) struct Restructuring<'s> {
    version: &'s AtomicU64,
    _mutex: MutexGuard<'s, ()>,
}

/// A change being made, until it is dropped.
pub(super) struct Change<'s>(&'s AtomicU64);

impl Structure {
    pub(super) fn new() -> Self {
        Self { version: AtomicU64::new(0), mutex: Mutex::new(()) }
    }

    /// Takes the right to change the structure.
    pub(super) fn lock(&self) -> Restructuring<'_> {
        Restructuring { _mutex: self.mutex.lock(), version: &self.version }
    }

    #[inline]
    fn watch(&self) -> Watch {
        // Acquire: nodes are latched after.
        Watch(self.version.load(Ordering::Acquire))
    }

    /// Whether no change was under way since `watch` at any time, as far as the nodes show that were latched meanwhile (S1).
    #[inline]
    fn is_unchanged(&self, watch: Watch) -> bool {
        // Latches were acquired before; whoever changed what they cover had made the version odd before it released them.
        watch.0.is_multiple_of(2) && self.version.load(Ordering::Acquire) == watch.0
    }

    /// Goes down until the end is certain. `down` goes once, and gives the leaf, latched, or as the inner error what cannot be so; what it
    /// fails with is returned at once. `is_there` says of a leaf of this tree whether its fences have what is looked for.
    #[inline]
    pub(super) fn descend<L, E>(
        &self,
        down: impl Fn() -> Result<Result<L, E>, E>,
        is_there: impl Fn(&L) -> Result<bool, E>,
    ) -> Result<L, E> {
        loop {
            let watch = self.watch();
            match down()? {
                Ok(leaf) if self.is_unchanged(watch) || is_there(&leaf)? => return Ok(leaf),
                Err(damage) if self.is_unchanged(watch) => return Err(damage),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

impl Restructuring<'_> {
    /// Begins to change nodes, all of which are latched exclusively (S1).
    pub(super) fn begin(&mut self) -> Change<'_> {
        self.version.fetch_add(1, Ordering::AcqRel);
        Change(self.version)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
