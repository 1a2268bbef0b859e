//! Many connections on few threads: who waits holds no thread, who runs holds one for as long as it needs.
//!
//! A [`Task`] is a connection as a value. While its client is silent it is *parked*: a place in a table, and its socket in one epoll
//! instance. A *worker* takes what becomes ready, lets it do all it can without waiting for its client, and parks it again. As many
//! workers as there are processors hold a *permit*; the others sleep or are held up by what they run. On a machine with several nodes each permit
//! is one of a node, and its holder is bound to that node's processors; the pages that it loads are near it then (`storage/src/pool/frames.rs`).
//!
//! ```text
//!                     signal: bytes, a wake-up, a deadline
//!   Parked ──────────────────────────────────────────────► Owned by a worker ◄─┐ signalled meanwhile
//!     ▲                                                     │  │  │  └─────────┘
//!     └───────────────────── Wait ──────────────────────────┘  │  └── End ──► gone
//!                                                               ▼
//!                                     Unsettled: waits for the log, owned by nobody's thread
//! ```
//!
//! A task that has said something that is not durable yet does not wait for the log on its thread either: it is put aside, and a worker
//! that finds nothing else ready flushes for all that are, so commits that come together share a flush. While others are about to commit, it
//! lets their clients have the processor first, for a moment.
//!
//! Statements wait for locks, run long, or read what their client has yet to send: then a worker stands still in the middle of a task. It
//! gives its permit up to another one: before it waits, if nobody polls ([`about_to_wait`]), else when the watch thread finds that a
//! task has taken longer than a tick. The watch thread sleeps while somebody polls and nothing is due, so an idle server does nothing.
//!
//! Reading order: [`turn`] who owns a task, [`crew`] who holds a permit, [`poller`] the kernel's part, [`timers`] deadlines, [`tasks`] the table, [`pool`] the workers.
//!
//! Invariants
//! - R1: a task has at most one owner, and runs on its thread alone. What happens to it meanwhile is not lost: its owner looks again.
//! - R2: at most as many workers as there are permits poll or run a task that is not held up. A worker that is held up for longer than two
//!   ticks, while there are other tasks but nobody polls or rests, has no permit. So as long as threads can be had, what becomes ready is served.
//! - R3: a task that is ready or can be settled, and is in nobody's hands, is in `ready` or `unsettled`; a worker looks there before
//!   it polls, and the watch thread wakes one that polls if they stay there.
//! - R4: there are never more threads than tasks that are held up and permits; surplus ones end after a while.
//!
//! Left out: a queue a worker, stealing between them. One queue and the kernel's list are enough for tens of thousands of tasks.

mod crew;
#[cfg(test)]
mod crew_tests;
#[cfg(test)]
mod model;
mod poller;
mod pool;
mod tasks;
mod timers;
mod turn;

pub(crate) use poller::Poller;
pub(crate) use pool::{Handle, Pool, about_to_wait};

/// What the modelled parts run on here.
mod sync {
    pub(super) use parking_lot::Mutex;
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
    pub(super) use std::thread::{Thread, current, park, park_timeout};
}

use std::time::Duration;

/// What tells the time since some fixed moment.
pub(crate) type Clock = std::sync::Arc<dyn Fn() -> Duration + Send + Sync>;

/// What a task wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// To run again when something happens, or at this time at the latest.
    Wait(Option<Duration>),
    /// To be settled, and to run again then.
    Settle {
        /// Other tasks are expected to want the same before long.
        others_follow: bool,
    },
    /// Nothing any more: it is dropped.
    End,
}

/// What a task is told when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signs {
    /// Something has happened since the last run; otherwise it has only been settled.
    pub(crate) has_news: bool,
    /// Nothing more will arrive than what has.
    pub(crate) is_hung_up: bool,
}

/// What the pool runs: a connection.
pub(crate) trait Task: Send + 'static {
    /// What a worker lends to the task that it runs.
    type Room: Default;

    /// Does what can be done. It is called when something may have happened, and at times when nothing has. A panic ends the task.
    fn run(&mut self, room: &mut Self::Room, signs: Signs) -> Next;

    /// Whether [`Task::settle`] would not wait.
    fn is_settled(&self) -> bool;

    /// Waits until what the task has said may leave the process, or cannot; the next run finds out which.
    fn settle(&mut self);
}
