//! The order in which transactions that wait for a row come to it: first come, first served, as PostgreSQL's tuple locks keep it.
//!
//! Whoever finds a row locked takes a [`Place`] in the row's queue. Only the first waits for the transaction that has the row; when
//! that ends the first takes the row, or gives up, and leaves; then it is the next one's turn to look. The place is kept while a
//! moved row is followed, so that those behind find the row where the first left it.
//!
//! Each waits for the one before it, and one that leaves wakes the one behind it and nobody else: however long the queue is, handing the
//! row on costs one wake-up.
//!
//! Who comes to a free row takes it and never looks here.

use crate::interrupt::Interrupt;
use crate::version::{HeapId, stripe};
use crate::wait::WaitGraph;
use damask_types::{Result, RowId, TxnId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::thread::Thread;
use std::time::Duration;

/// Parts of the table, each with a mutex of its own.
const SHARDS: usize = 64;

type Row = (HeapId, RowId);

/// Who waits.
struct Seat {
    txn: TxnId,
    thread: Thread,
}

/// Who waits for each row, the first in front; no queue is empty.
type Shard = Mutex<HashMap<Row, VecDeque<Seat>>>;

/// The queues of all rows that somebody waits for.
pub(crate) struct RowQueues {
    shards: Box<[Shard]>,
}

impl RowQueues {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Goes to the end of a row's queue. The thread that calls is the one that will wait.
    pub(crate) fn join(&self, heap: HeapId, row: RowId, txn: TxnId) -> Place<'_> {
        let shard = &self.shards[stripe(heap, row) & (SHARDS - 1)];
        let seat = Seat { txn, thread: std::thread::current() };
        shard.lock().entry((heap, row)).or_default().push_back(seat);
        Place { shard, row: (heap, row), txn }
    }
}

/// A transaction's place in a row's queue, given up when it is dropped.
pub(crate) struct Place<'q> {
    shard: &'q Shard,
    row: Row,
    txn: TxnId,
}

impl Place<'_> {
    /// Who is just before it.
    fn before(&self) -> Option<TxnId> {
        let queues = self.shard.lock();
        let queue = queues.get(&self.row)?;
        let at = queue.iter().position(|seat| seat.txn == self.txn)?;
        Some(queue[at.checked_sub(1)?].txn)
    }

    /// Waits until it is first; whether it had to.
    ///
    /// # Errors
    /// 40P01; what the interrupt says.
    pub(crate) fn wait_turn(&self, graph: &WaitGraph, interrupt: &dyn Interrupt) -> Result<bool> {
        let mut has_waited = false;
        while let Some(before) = self.before() {
            has_waited = true;
            let has_left = |timeout: Duration| {
                if self.before() == Some(before) {
                    // A wake-up between the two is kept for the thread. One that was meant for something else does no harm.
                    std::thread::park_timeout(timeout);
                }
                self.before() != Some(before)
            };
            graph.blocked(self.txn, [before].into_iter().collect(), interrupt, has_left)?;
        }
        Ok(has_waited)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.shard.lock();
        let Some(queue) = queues.get_mut(&self.row) else { return };
        let Some(at) = queue.iter().position(|seat| seat.txn == self.txn) else { return };
        queue.remove(at);
        let behind = queue.get(at).map(|seat| seat.thread.clone());
        if queue.is_empty() {
            queues.remove(&self.row);
        }
        drop(queues);
        if let Some(thread) = behind {
            thread.unpark();
        }
    }
}
