//! The latches that a thread holds, kept in builds with assertions.
//!
//! Latches are held for moments. A thread that waits for others for longer (for a transaction, a relation lock, the log's flush)
//! must hold none: whoever it waits for may need the very page, or the gate. [`Token`] is part of every latch's guard, and
//! [`assert_free`] stands before every such wait. (The checkpoints of an opening and a close flush the log with the gate closed: nobody else
//! is there.)
//!
//! Among themselves, latches are waited for in an order, which every taking of one is checked against:
//!
//! - K1: a stripe of an index's keys before anything else of the index.
//! - K2: a leaf while nothing of its tree is held but a stripe.
//! - K3: the right to change a tree's structure while no more of the tree is held than that and a leaf, and not the right itself.
//! - K4: an inner node while no other of its tree is held, or by whoever has the right to change the structure.
//! - K5: anything of an index while nothing of a row tree is held.
//!
//! So each waits only for what comes later in the order stripe, leaf, right, inner node (of two inner nodes only one thread can have one and wait
//! for the other), and nobody waits in a circle. What is only *tried*, or that nobody else can know of yet, needs no order.
//!
//! In other builds all of this is nothing.

use crate::page::TreeId;
#[cfg(debug_assertions)]
use crate::page::{self, PageKind};
#[cfg(debug_assertions)]
use std::cell::RefCell;

/// What of a tree is latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(debug_assertions),
    expect(dead_code, reason = "pages are told apart in builds with assertions")
)]
pub(crate) enum Part {
    /// One of the parts that an index's keys are divided into by their hashes.
    Stripe,
    /// A leaf.
    Leaf,
    /// The right to change which nodes there are.
    Structure,
    /// An inner node.
    Inner,
}

/// How a latch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    /// One waits for it if need be.
    Waiting,
    /// One goes without it if somebody has it, or nobody can have it.
    Trying,
}

/// Latched: what, of which tree, and whether that is a row tree.
#[cfg(debug_assertions)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    part: Part,
    tree: TreeId,
    is_row: bool,
}

/// What a thread holds.
#[cfg(debug_assertions)]
#[derive(Default)]
struct Ledger {
    /// Latches of all kinds.
    count: usize,
    /// Those that are parts of trees.
    parts: Vec<Held>,
}

#[cfg(debug_assertions)]
thread_local! {
    static LEDGER: RefCell<Ledger> = const { RefCell::new(Ledger { count: 0, parts: Vec::new() }) };
}

/// Says that the thread holds a latch, until it is dropped. It stays on its thread, as guards do.
#[derive(Debug)]
pub struct Token {
    #[cfg(debug_assertions)]
    held: Option<Held>,
    _stays: std::marker::PhantomData<*const ()>,
}

impl Token {
    /// A latch was taken that is no part of a tree.
    #[inline]
    #[expect(clippy::new_without_default, reason = "a token stands for a latch")]
    pub fn new() -> Self {
        #[cfg(debug_assertions)]
        LEDGER.with_borrow_mut(|ledger| ledger.count += 1);
        Self {
            #[cfg(debug_assertions)]
            held: None,
            _stays: std::marker::PhantomData,
        }
    }

    /// A page's latch was taken; `bytes` are the page's. Pages that are no nodes have no order of their own.
    ///
    /// # Panics
    /// In builds with assertions, if the thread holds what it must not hold while it waits for that.
    #[inline]
    pub(crate) fn of_page(bytes: Option<&[u8]>, taking: Taking) -> Self {
        #[cfg(debug_assertions)]
        if let Some(bytes) = bytes {
            let node = match page::kind(bytes) {
                Some(PageKind::RowLeaf) => Some((Part::Leaf, true)),
                Some(PageKind::RowInner) => Some((Part::Inner, true)),
                Some(PageKind::IndexLeaf) => Some((Part::Leaf, false)),
                Some(PageKind::IndexInner) => Some((Part::Inner, false)),
                Some(PageKind::Overflow | PageKind::PageTable | PageKind::Root) | None => None,
            };
            if let Some((part, is_row)) = node {
                return Self::of_tree(page::tree(bytes), is_row, part, taking);
            }
        }
        #[cfg(not(debug_assertions))]
        let _ = (bytes, taking);
        Self::new()
    }

    /// A part of a tree was latched.
    ///
    /// # Panics
    /// As [`Token::of_page`].
    #[inline]
    pub(crate) fn of_tree(tree: TreeId, is_row: bool, part: Part, taking: Taking) -> Self {
        #[cfg(debug_assertions)]
        LEDGER.with_borrow_mut(|ledger| {
            let held = Held { part, tree, is_row };
            if taking == Taking::Waiting {
                check(&ledger.parts, held);
            }
            ledger.count += 1;
            ledger.parts.push(held);
        });
        #[cfg(not(debug_assertions))]
        let _ = (tree, is_row, part, taking);
        Self {
            #[cfg(debug_assertions)]
            held: Some(Held { part, tree, is_row }),
            _stays: std::marker::PhantomData,
        }
    }
}

/// K1 to K5.
#[cfg(debug_assertions)]
fn check(held: &[Held], wanted: Held) {
    let has = |part| held.iter().any(|held| held.tree == wanted.tree && held.part == part);
    let is_allowed = match wanted.part {
        Part::Stripe => {
            ![Part::Stripe, Part::Leaf, Part::Structure, Part::Inner].map(has).contains(&true)
        }
        Part::Leaf => !has(Part::Leaf) && !has(Part::Structure) && !has(Part::Inner),
        Part::Structure => !has(Part::Structure) && !has(Part::Inner),
        Part::Inner => has(Part::Structure) || !has(Part::Inner),
    };
    assert!(is_allowed, "{wanted:?} is waited for while {held:?} are held");
    let has_row = held.iter().any(|held| held.is_row);
    assert!(wanted.is_row || !has_row, "{wanted:?} is waited for while {held:?} are held");
}

#[cfg(debug_assertions)]
impl Drop for Token {
    fn drop(&mut self) {
        LEDGER.with_borrow_mut(|ledger| {
            ledger.count -= 1;
            if let Some(held) = self.held
                && let Some(index) = ledger.parts.iter().rposition(|other| *other == held)
            {
                ledger.parts.swap_remove(index);
            }
        });
    }
}

/// Panics if the thread, which is about to wait for `what`, holds a latch.
#[inline]
pub fn assert_free(what: &str) {
    #[cfg(debug_assertions)]
    {
        let count = LEDGER.with_borrow(|ledger| ledger.count);
        assert!(count == 0, "{count} latches are held while waiting for {what}");
    }
    #[cfg(not(debug_assertions))]
    let _ = what;
}

#[cfg(test)]
#[cfg(debug_assertions)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_held_latch_is_noticed() {
        let token = Token::new();
        let caught = catch_unwind(|| assert_free("a test"));
        assert!(caught.is_err(), "the latch is held");
        drop(token);
        assert_free("a test");
    }

    /// Whether the last of some parts of an index may be waited for while the others are held.
    fn is_allowed(parts: &[Part]) -> bool {
        let (wanted, held) = parts.split_last().unwrap();
        let take = |part: &Part, taking| Token::of_tree(TreeId(1), false, *part, taking);
        catch_unwind(|| {
            let _held: Vec<_> = held.iter().map(|part| take(part, Taking::Trying)).collect();
            take(wanted, Taking::Waiting);
        })
        .is_ok()
    }

    #[test]
    fn an_order_that_could_deadlock_is_noticed() {
        use Part::{Inner, Leaf, Stripe, Structure};
        for good in [
            &[Stripe, Leaf, Structure, Inner, Inner][..],
            &[Leaf, Inner],
            &[Structure, Inner, Inner],
            &[Leaf, Leaf, Structure],
        ] {
            assert!(is_allowed(good), "{good:?}");
        }
        for bad in [
            &[Leaf, Stripe][..],
            &[Leaf, Leaf],
            &[Structure, Leaf],
            &[Inner, Leaf],
            &[Inner, Inner],
            &[Inner, Structure],
            &[Structure, Structure],
        ] {
            assert!(!is_allowed(bad), "{bad:?}");
        }
        let _row = Token::of_tree(TreeId(2), true, Leaf, Taking::Waiting);
        assert!(!is_allowed(&[Leaf]), "an index is looked at under a row's latch");
        assert_free_of_parts();
    }

    /// The parts given back are forgotten: only the row tree's leaf is left.
    fn assert_free_of_parts() {
        assert_eq!(LEDGER.with_borrow(|ledger| ledger.parts.len()), 1);
    }
}
