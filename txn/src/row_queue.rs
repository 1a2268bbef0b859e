//! The order in which transactions that wait for a row come to it: first come, first served, as PostgreSQL's tuple locks keep it.
//!
//! Whoever finds a row locked takes a [`Place`] in the row's queue. Only the first waits for the transaction that has the row; when
//! that ends the first takes the row, or gives up, and leaves; then it is the next one's turn to look. The place is kept while a
//! moved row is followed, so that those behind find the row where the first left it.
//!
//! Who comes to a free row takes it and never looks here.

use crate::interrupt::Interrupt;
use crate::version::{HeapId, stripe};
use crate::wait::WaitGraph;
use damask_types::{Result, RowId, TxnId};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// Parts of the table, each with a mutex of its own.
const SHARDS: usize = 64;

type Row = (HeapId, RowId);

#[derive(Default)]
struct Shard {
    /// Who waits, the first in front; no queue is empty.
    queues: Mutex<HashMap<Row, VecDeque<TxnId>>>,
    /// Somebody left a queue.
    left: Condvar,
}

/// The queues of all rows that somebody waits for.
pub(crate) struct RowQueues {
    shards: Box<[Shard]>,
}

impl RowQueues {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Goes to the end of a row's queue.
    pub(crate) fn join(&self, heap: HeapId, row: RowId, txn: TxnId) -> Place<'_> {
        let shard = &self.shards[stripe(heap, row) & (SHARDS - 1)];
        shard.queues.lock().entry((heap, row)).or_default().push_back(txn);
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
    /// Who is first, if it is another.
    fn first_other(&self, queues: &HashMap<Row, VecDeque<TxnId>>) -> Option<TxnId> {
        queues.get(&self.row)?.front().copied().filter(|first| *first != self.txn)
    }

    /// Waits until it is first; whether it had to.
    ///
    /// # Errors
    /// 40P01; what the interrupt says.
    pub(crate) fn wait_turn(&self, graph: &WaitGraph, interrupt: &dyn Interrupt) -> Result<bool> {
        let mut has_waited = false;
        loop {
            let Some(first) = self.first_other(&self.shard.queues.lock()) else {
                return Ok(has_waited);
            };
            has_waited = true;
            graph.blocked(self.txn, [first].into_iter().collect(), interrupt, |timeout| {
                let mut queues = self.shard.queues.lock();
                if self.first_other(&queues) == Some(first) {
                    self.shard.left.wait_for(&mut queues, timeout);
                }
                self.first_other(&queues) != Some(first)
            })?;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.shard.queues.lock();
        if let Some(queue) = queues.get_mut(&self.row) {
            queue.retain(|waiter| *waiter != self.txn);
            if queue.is_empty() {
                queues.remove(&self.row);
            }
        }
        drop(queues);
        self.shard.left.notify_all();
    }
}
