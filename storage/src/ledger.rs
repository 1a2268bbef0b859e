//! The latches that a thread holds, counted in builds with assertions.
//!
//! Latches are held for moments. A thread that waits for others for longer (for a transaction, a relation lock, the log's flush)
//! must hold none: whoever it waits for may need the very page, or the gate. [`Token`] is part of every latch's guard, and
//! [`assert_free`] stands before every such wait. (The checkpoints of an opening and a close flush the log with the gate closed: nobody else
//! is there.) In other builds both are nothing.

#[cfg(debug_assertions)]
use std::cell::Cell;

#[cfg(debug_assertions)]
thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Says that the thread holds a latch, until it is dropped. It stays on its thread, as guards do.
#[derive(Debug)]
pub struct Token(std::marker::PhantomData<*const ()>);

impl Token {
    /// A latch was taken.
    #[inline]
    #[expect(clippy::new_without_default, reason = "a token stands for a latch")]
    pub fn new() -> Self {
        #[cfg(debug_assertions)]
        HELD.set(HELD.get() + 1);
        Self(std::marker::PhantomData)
    }
}

#[cfg(debug_assertions)]
impl Drop for Token {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// Panics if the thread, which is about to wait for `what`, holds a latch.
#[inline]
pub fn assert_free(what: &str) {
    #[cfg(debug_assertions)]
    assert!(HELD.get() == 0, "{} latches are held while waiting for {what}", HELD.get());
    #[cfg(not(debug_assertions))]
    let _ = what;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(debug_assertions)]
    fn a_held_latch_is_noticed() {
        let token = Token::new();
        let caught = std::panic::catch_unwind(|| assert_free("a test"));
        assert!(caught.is_err(), "the latch is held");
        drop(token);
        assert_free("a test");
    }
}
