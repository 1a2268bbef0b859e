//! LISTEN and NOTIFY: messages from transactions that commit to sessions that listen.
//!
//! A transaction collects what it listens to and notifies ([`Pending`]); its commit hands both to the [`Bus`]. The bus keeps
//! one queue in the order of commits. A slot of it is *open* from the commit section on and *ready* once the commit may be
//! acknowledged; listeners read the ready slots before the first open one, each from its own place, and a slot that every
//! listener has passed is dropped.
//!
//! Invariants
//! - N1: slots are in the order of commits: commit and enqueuing are one critical section, under the bus's mutex. It is held
//!   across the commit into the log's memory, and not across the wait for the disk.
//! - N2: nobody hears of a commit before its own client may: when it is durable, or with `synchronous_commit = off` at once.
//! - N3: a session hears of what committed after its LISTEN did, and of nothing else.
//! - N4: the queue holds at most [`QUEUE_BYTES_MAX`]. A listener that does not read holds slots back, and when the queue is
//!   full NOTIFY fails (54000), as in PostgreSQL.
//!
//! Left out: other processes; a notification never leaves the server it was made in.

use damask_storage::env::Clock;
use damask_txn::CommitTicket;
use damask_types::{Error, Result, SqlState};
use hashbrown::{HashMap, HashSet};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of notifications that wait for listeners.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;
/// A payload is shorter than this.
pub const PAYLOAD_BYTES_MAX: usize = 8000;
/// A channel's name is shorter than this.
const CHANNEL_BYTES_MAX: usize = 64;
/// What a notification takes beside its texts.
const OVERHEAD_BYTES: usize = 64;

/// A message that a session got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The session that sent it.
    pub pid: i32,
    /// The channel.
    pub channel: Arc<str>,
    /// The payload; empty if there was none.
    pub payload: Arc<str>,
}

/// What a session asked of its subscriptions.
#[derive(Clone, Debug)]
enum Subscription {
    Listen(Arc<str>),
    Unlisten(Arc<str>),
    UnlistenAll,
}

/// A place in [`Pending`], for savepoints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    notes: usize,
    subscriptions: usize,
}

/// What the open transaction will listen to and notify when it commits.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    notes: Vec<(Arc<str>, Arc<str>)>,
    /// The notes again: equal ones are sent once.
    known: HashSet<(Arc<str>, Arc<str>)>,
    subscriptions: Vec<Subscription>,
    bytes: usize,
}

fn invalid(message: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cold]
fn queue_full() -> Error {
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue")
}

impl Pending {
    /// Notifies when the transaction commits.
    ///
    /// # Errors
    /// 22023 for an empty or overlong channel, or an overlong payload; 54000 when the queue could never hold it.
    pub(crate) fn notify(&mut self, channel: &str, payload: &str) -> Result<()> {
        if channel.is_empty() {
            return Err(invalid("channel name cannot be empty"));
        }
        if channel.len() >= CHANNEL_BYTES_MAX {
            return Err(invalid("channel name too long"));
        }
        if payload.len() >= PAYLOAD_BYTES_MAX {
            return Err(invalid("payload string too long"));
        }
        let note: (Arc<str>, Arc<str>) = (channel.into(), payload.into());
        if self.known.contains(&note) {
            return Ok(());
        }
        let bytes = note_bytes(&note);
        if self.bytes + bytes > QUEUE_BYTES_MAX {
            return Err(queue_full());
        }
        self.bytes += bytes;
        self.known.insert(note.clone());
        self.notes.push(note);
        Ok(())
    }

    pub(crate) fn listen(&mut self, channel: &str) {
        self.subscriptions.push(Subscription::Listen(channel.into()));
    }

    /// Without a channel, from all.
    pub(crate) fn unlisten(&mut self, channel: Option<&str>) {
        self.subscriptions.push(match channel {
            Some(channel) => Subscription::Unlisten(channel.into()),
            None => Subscription::UnlistenAll,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.subscriptions.is_empty()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { notes: self.notes.len(), subscriptions: self.subscriptions.len() }
    }

    pub(crate) fn rollback_to(&mut self, mark: Mark) {
        self.subscriptions.truncate(mark.subscriptions);
        for note in self.notes.drain(mark.notes.min(self.notes.len())..) {
            self.bytes -= note_bytes(&note);
            self.known.remove(&note);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn note_bytes(note: &(Arc<str>, Arc<str>)) -> usize {
    note.0.len() + note.1.len() + OVERHEAD_BYTES
}

/// Called when there may be something new for a listener; must not block.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

struct Listener {
    channels: HashSet<Arc<str>>,
    /// Number of the next slot to read.
    at: u64,
}

/// One transaction's notifications.
struct Slot {
    is_ready: bool,
    notes: Vec<Notification>,
    bytes: usize,
}

#[derive(Default)]
struct Queue {
    slots: VecDeque<Slot>,
    /// Number of the first slot.
    first: u64,
    bytes: usize,
    listeners: HashMap<i32, Listener>,
    /// By session; they stay when it no longer listens.
    wakers: HashMap<i32, Waker>,
}

/// The queue that all sessions of a database share.
#[derive(Default)]
pub(crate) struct Bus {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

impl Bus {
    /// Commits a transaction with what it listens to and notifies. The number is to be given to [`Bus::settle`].
    ///
    /// # Errors
    /// 54000 if the queue is full, what committing raises; nothing is committed then.
    pub(crate) fn commit(
        &self,
        pid: i32,
        pending: Pending,
        commit: impl FnOnce() -> Result<CommitTicket>,
    ) -> Result<(CommitTicket, Option<u64>)> {
        let mut queue = self.queue.lock();
        if queue.bytes + pending.bytes > QUEUE_BYTES_MAX {
            return Err(queue_full());
        }
        let ticket = commit()?;
        queue.subscribe(pid, pending.subscriptions);
        if pending.notes.is_empty() || queue.listeners.is_empty() {
            return Ok((ticket, None));
        }
        let note = |(channel, payload)| Notification { pid, channel, payload };
        let notes = pending.notes.into_iter().map(note).collect();
        queue.bytes += pending.bytes;
        queue.slots.push_back(Slot { is_ready: false, notes, bytes: pending.bytes });
        let number = queue.end() - 1;
        Ok((ticket, Some(number)))
    }

    /// The commit that made this slot may be acknowledged, or has failed and must not be heard of.
    pub(crate) fn settle(&self, slot: u64, is_committed: bool) {
        let wakers: Vec<Waker> = {
            let mut queue = self.queue.lock();
            // The slot may be gone with the last listener.
            let Some(index) = slot.checked_sub(queue.first).and_then(|at| usize::try_from(at).ok())
            else {
                return;
            };
            let Some(slot) = queue.slots.get_mut(index) else {
                return;
            };
            slot.is_ready = true;
            if !is_committed {
                slot.notes.clear();
            }
            queue.listeners.keys().filter_map(|pid| queue.wakers.get(pid).cloned()).collect()
        };
        self.arrived.notify_all();
        for waker in wakers {
            waker();
        }
    }

    /// What a session has not been given yet, oldest first.
    pub(crate) fn take(&self, pid: i32) -> Vec<Notification> {
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        let Some(listener) = queue.listeners.get_mut(&pid) else {
            return vec![];
        };
        let skip = usize::try_from(listener.at - queue.first).unwrap_or(usize::MAX);
        let mut taken = vec![];
        for slot in queue.slots.iter().skip(skip).take_while(|slot| slot.is_ready) {
            let heard = slot.notes.iter().filter(|note| listener.channels.contains(&note.channel));
            taken.extend(heard.cloned());
            listener.at += 1;
        }
        queue.trim();
        taken
    }

    /// As [`Bus::take`]; waits until there is something, at most so long.
    pub(crate) fn wait(&self, pid: i32, limit: Duration, clock: &dyn Clock) -> Vec<Notification> {
        let start = clock.now();
        loop {
            let taken = self.take(pid);
            let left = limit.saturating_sub(clock.now().saturating_sub(start));
            if !taken.is_empty() || left.is_zero() {
                return taken;
            }
            let mut queue = self.queue.lock();
            if !queue.has_news(pid) {
                self.arrived.wait_for(&mut queue, left);
            }
        }
    }

    /// Sets what is called when a session may have news.
    pub(crate) fn set_waker(&self, pid: i32, waker: Waker) {
        self.queue.lock().wakers.insert(pid, waker);
    }

    /// The channels a session listens to, by name.
    pub(crate) fn channels(&self, pid: i32) -> Vec<Arc<str>> {
        let queue = self.queue.lock();
        let mut channels: Vec<_> = queue
            .listeners
            .get(&pid)
            .map_or_else(Vec::new, |listener| listener.channels.iter().cloned().collect());
        channels.sort();
        channels
    }

    /// How full the queue is, from 0 to 1.
    pub(crate) fn usage(&self) -> f64 {
        self.queue.lock().bytes as f64 / QUEUE_BYTES_MAX as f64
    }

    /// Forgets a session.
    pub(crate) fn close(&self, pid: i32) {
        let mut queue = self.queue.lock();
        queue.wakers.remove(&pid);
        if queue.listeners.remove(&pid).is_some() {
            queue.trim();
        }
    }
}

impl Queue {
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    fn has_news(&self, pid: i32) -> bool {
        self.listeners.get(&pid).is_some_and(|listener| {
            let index = usize::try_from(listener.at - self.first).unwrap_or(usize::MAX);
            self.slots.get(index).is_some_and(|slot| slot.is_ready)
        })
    }

    fn subscribe(&mut self, pid: i32, subscriptions: Vec<Subscription>) {
        let end = self.end();
        for subscription in subscriptions {
            match subscription {
                Subscription::Listen(channel) => {
                    let new = || Listener { at: end, channels: HashSet::new() };
                    self.listeners.entry(pid).or_insert_with(new).channels.insert(channel);
                }
                Subscription::Unlisten(channel) => {
                    if let Some(listener) = self.listeners.get_mut(&pid) {
                        listener.channels.remove(&channel);
                    }
                }
                Subscription::UnlistenAll => {
                    if let Some(listener) = self.listeners.get_mut(&pid) {
                        listener.channels.clear();
                    }
                }
            }
        }
        if self.listeners.get(&pid).is_some_and(|listener| listener.channels.is_empty()) {
            self.listeners.remove(&pid);
            self.trim();
        }
    }

    /// Drops what every listener has passed.
    fn trim(&mut self) {
        let needed = self.listeners.values().map(|listener| listener.at).min();
        let needed = needed.unwrap_or_else(|| self.end());
        while self.first < needed
            && let Some(slot) = self.slots.pop_front()
        {
            self.first += 1;
            self.bytes -= slot.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_notes_are_one_until_rolled_back() {
        let mut pending = Pending::default();
        pending.notify("a", "x").unwrap();
        let mark = pending.mark();
        pending.notify("a", "x").unwrap();
        pending.notify("a", "y").unwrap();
        assert_eq!(pending.notes.len(), 2);
        pending.rollback_to(mark);
        assert_eq!(pending.notes.len(), 1);
        pending.notify("a", "y").unwrap();
        assert_eq!(pending.notes.len(), 2);
    }

    #[test]
    fn a_full_queue_refuses() {
        let mut pending = Pending::default();
        let payload = "x".repeat(PAYLOAD_BYTES_MAX - 8);
        let error = (0..)
            .find_map(|number| pending.notify("a", &format!("{number:07}{payload}")).err())
            .unwrap();
        assert_eq!(error.sqlstate(), SqlState::PROGRAM_LIMIT_EXCEEDED);
        assert!(pending.bytes <= QUEUE_BYTES_MAX);
    }
}
