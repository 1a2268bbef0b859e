//! Large transactions: what they change goes to the log while they run.
//!
//! As often as a piece of a transaction's redo is full ([`crate::redo`]) it is logged as a *fragment*, whose it is and where among its operations
//! it begins. So a transaction keeps about one piece in memory however much it changes, and its commit logs the rest of it, which is as short as
//! another's. Fragments mean nothing until a frame commits them. A rollback logs nothing; one to a savepoint that is behind
//! in the log shows in where the next fragment, or the commit, begins.
//!
//! ```text
//!   log   ... | T5: 0.. | T8 commits | T5: 1000.. | T5: 700.. | T9 commits | T5 commits, 1700.. | ...
//!              ^ every checkpoint keeps the log from here          ^ T5 rolled back what it had behind 700
//!              | until T5 has ended
//! ```
//!
//! Recovery replays a fragment where it stands, if its transaction commits further on: it looks ahead when it meets the first fragment ([`Parts`]).
//!
//! Invariants
//! - F1: while a transaction has fragments and may commit, checkpoints keep the log from before the first. It is noted in one stay inside the
//!   gate with the place, and forgotten in one with the commit: so no instant falls between.
//! - F2: other commits that changed a row before the transaction are before the fragment that has its change, and those that change it later
//!   are behind its commit: it holds the row in between. So replay finds each row as it was changed, also beside fragments of others.
//! - F3: a transaction's id is its own in all of a log that recovery reads: if that has a fragment, recovery ends with a checkpoint behind it.

use crate::engine::Engine;
use crate::redo::Part;
use crate::txn::Txn;
use damask_storage::log::LogFrame;
use damask_storage::{CheckpointStart, Frames, LogPosition, ledger};
use damask_types::{Error, Result, SqlState, Timestamp, TxnId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;

/// Room on the disk that large transactions leave to others: on a full disk nobody commits.
const ROOM_BYTES: u64 = 8 << 20;

#[cold]
fn disk_is_full(free: u64) -> Error {
    Error::new(
        SqlState::DISK_FULL,
        "could not log the changes of a large transaction: the disk is almost full",
    )
    .detail(format!("{free} bytes are free."))
    .hint("Check free disk space.")
}

/// Where the log must be kept from because of open transactions.
#[derive(Debug, Default)]
pub(crate) struct KeptLog(Mutex<HashMap<TxnId, LogPosition>>);

impl KeptLog {
    /// How many transactions need it.
    pub(crate) fn keeper_count(&self) -> usize {
        self.0.lock().len()
    }

    /// Has a checkpoint keep what is needed. The world stands still.
    pub(crate) fn keep_in(&self, checkpoint: &mut CheckpointStart) {
        self.0.lock().values().for_each(|from| checkpoint.keep_log(from));
    }
}

/// An open transaction that checkpoints keep the log for, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHolder {
    /// The transaction.
    pub owner: TxnId,
    /// Bytes of log from its first fragment on.
    pub bytes: u64,
}

impl Engine {
    /// The open transaction that keeps the most of the log, if one has logged fragments.
    pub fn log_holder(&self) -> Option<LogHolder> {
        let log = self.store.log();
        let kept = self.kept_log.0.lock();
        let holders = kept
            .iter()
            .map(|(owner, from)| LogHolder { owner: *owner, bytes: log.bytes_since(from) });
        holders.max_by_key(|holder| holder.bytes)
    }
}

/// Keeps the log for a transaction until it is dropped.
pub(crate) struct LogKeeper {
    engine: Arc<Engine>,
    txn: TxnId,
}

impl LogKeeper {
    /// The caller is inside the gate, and logs the first fragment behind this.
    fn new(engine: &Arc<Engine>, txn: TxnId) -> Result<Self> {
        let position = engine.store.log().position()?;
        engine.kept_log.0.lock().insert(txn, position);
        Ok(Self { engine: Arc::clone(engine), txn })
    }
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        self.engine.kept_log.0.lock().remove(&self.txn);
    }
}

impl Txn {
    /// Logs what is full of the redo. The caller holds no latch and is outside the gate.
    ///
    /// # Errors
    /// 53100 if that would leave too little room on the disk; 58030 and the like when the log cannot be written, after which no transaction
    /// commits.
    #[inline]
    pub(crate) fn log_pieces(&mut self) -> Result<()> {
        if self.redo.has_full() { self.log_full_pieces() } else { Ok(()) }
    }

    #[cold]
    fn log_full_pieces(&mut self) -> Result<()> {
        let (engine, id) = (Arc::clone(&self.engine), self.id());
        if engine.in_memory {
            return self.redo.log_full(id, |_| Ok(()));
        }
        let needed = ROOM_BYTES + self.redo.full_lens().sum::<usize>() as u64;
        if let Some(free) = engine.store.log().free_bytes()?.filter(|free| *free < needed) {
            return Err(disk_is_full(free));
        }
        let mut room = engine.reserve_log(self.redo.full_lens())?;
        {
            let _gate = engine.enter();
            engine.check_open()?;
            if self.log_keeper.is_none() {
                self.log_keeper = Some(LogKeeper::new(&engine, id)?);
            }
            let compression = self.log_compression;
            let log =
                |frame: LogFrame<'_>| engine.log_frame(frame, compression, &mut room).map(drop);
            self.redo.log_full(id, log)?;
        }
        ledger::assert_free("the log");
        engine.flush_fragments()
    }
}

/// Which fragments of a log are to be replayed.
#[derive(Debug)]
pub(crate) struct Parts {
    /// How many bytes of its operations count, by the fragment's time. Those of transactions that do not commit are not in it.
    lens: HashMap<Timestamp, usize>,
}

/// Fragments of a transaction that may yet commit, in order.
#[derive(Debug, Default)]
struct Open {
    /// The time of each, where it begins, and how many bytes of it count.
    fragments: Vec<(Timestamp, u64, usize)>,
    /// Some are missing.
    has_gap: bool,
}

impl Open {
    /// Forgets what is behind `begin`, where the next part begins.
    fn cut(&mut self, begin: u64) {
        while self.fragments.pop_if(|(_, first, _)| *first >= begin).is_some() {}
        let mut end = 0;
        if let Some((_, first, len)) = self.fragments.last_mut() {
            *len = (*len).min((begin - *first) as usize);
            end = *first + *len as u64;
        }
        self.has_gap = end != begin;
    }
}

impl Parts {
    /// Reads a log to its end from its first fragment, `first`, on; `rest` are the frames behind it. What committed up to `checkpoint` is in the
    /// checkpoint.
    ///
    /// # Errors
    /// XX001 if a transaction commits of which fragments are missing; what reading raises.
    pub(crate) fn find(
        first: (Timestamp, &[u8]),
        rest: Frames,
        checkpoint: Timestamp,
    ) -> Result<Self> {
        let (mut lens, mut open) = (HashMap::new(), HashMap::new());
        let mut note = |timestamp: Timestamp, frame: &[u8]| {
            let Some(part) = Part::of(frame)? else { return Ok(()) };
            let of_txn: &mut Open = open.entry(part.txn).or_default();
            of_txn.cut(part.begin);
            if !part.commits {
                of_txn.fragments.push((timestamp, part.begin, frame.len() - part.start));
                return Ok(());
            }
            let Some(Open { fragments, has_gap }) = open.remove(&part.txn) else { return Ok(()) };
            if timestamp <= checkpoint {
                return Ok(());
            }
            if has_gap {
                let message =
                    format!("the log has not all of what the commit at {timestamp} logged");
                return Err(Error::corrupted(message));
            }
            lens.extend(fragments.into_iter().map(|(timestamp, _, len)| (timestamp, len)));
            Ok(())
        };
        note(first.0, first.1)?;
        for frame in rest {
            let (timestamp, frame) = frame?;
            note(timestamp, &frame)?;
        }
        Ok(Self { lens })
    }

    /// How many bytes of the operations of the fragment at `timestamp` are to be replayed.
    pub(crate) fn len_of(&self, timestamp: Timestamp) -> usize {
        self.lens.get(&timestamp).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use crate::txn::Durability;
    use crate::{Engine, EngineOptions, IsolationLevel, Location, RelationDesc, Table, Txn};
    use damask_storage::Env;
    use damask_storage::vfs::{Fault, SimVfs, Vfs};
    use damask_types::{RelId, SqlState, SqlType, TypeId, Value};
    use std::path::Path;
    use std::sync::Arc;

    const FRAGMENT_BYTES: usize = 4000;

    fn open(vfs: &SimVfs, location: Location) -> Arc<Engine> {
        let options = EngineOptions {
            fragment_bytes: FRAGMENT_BYTES,
            log_segment_bytes: 16 << 10,
            ..EngineOptions::default()
        };
        Engine::open(Env::simulated(Arc::new(vfs.clone()), 1), location, options).unwrap()
    }

    fn begin(engine: &Arc<Engine>) -> Txn {
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).unwrap();
        txn.begin_statement().unwrap();
        txn
    }

    /// Adds rows; at no time does the transaction keep much more than a fragment of them.
    fn insert(txn: &mut Txn, table: &Table, count: usize) {
        for _ in 0..count {
            table.insert(txn, &[Value::text("x".repeat(100))]).unwrap();
            assert!(txn.redo.bytes() < 2 * FRAGMENT_BYTES);
        }
    }

    fn make(engine: &Arc<Engine>) -> RelId {
        let mut txn = begin(engine);
        let columns = vec![SqlType::plain(TypeId::Text)];
        let rel = txn.create_relation(RelationDesc { columns, ..RelationDesc::default() }).unwrap();
        txn.end(Durability::Flushed).unwrap();
        rel
    }

    #[test]
    fn the_log_is_kept_while_a_large_transaction_is_open() {
        let vfs = SimVfs::default();
        let engine = open(&vfs, Location::File("d".into()));
        let table = engine.table(make(&engine)).unwrap();
        let segments = || {
            engine.checkpoint().unwrap();
            vfs.list(Path::new("d.wal")).unwrap().len()
        };
        let few = segments();
        let mut txn = begin(&engine);
        for end in 0..4 {
            assert_eq!(engine.holdings().log_keepers, 0);
            let savepoint = txn.savepoint();
            insert(&mut txn, &table, 1000);
            assert_eq!(engine.holdings().log_keepers, 1);
            assert!(segments() > few + 3, "{} and {few}", segments());
            match end {
                0 => txn.end(Durability::Flushed).unwrap(),
                1 => txn.end(Durability::Relaxed).unwrap(),
                2 => {
                    // Nothing is left to be committed.
                    txn.rollback_to(savepoint).unwrap();
                    assert!(!txn.has_writes());
                    txn.end(Durability::Flushed).unwrap();
                }
                _ => {
                    txn.rollback().unwrap();
                    break;
                }
            }
            assert_eq!(engine.holdings().log_keepers, 0);
            // Spare segments may be more than there were.
            assert!(segments() <= few + 2, "{} and {few}", segments());
            txn.restart(IsolationLevel::ReadCommitted, false).unwrap();
            txn.begin_statement().unwrap();
        }
        assert_eq!(engine.holdings().log_keepers, 0);
        assert_eq!(table.row_count_estimate(), 2000);
    }

    /// It fails while there is room for the commits of others.
    #[test]
    fn a_large_transaction_fills_no_disk() {
        let vfs = SimVfs::default();
        let engine = open(&vfs, Location::File("d".into()));
        let table = engine.table(make(&engine)).unwrap();
        let free_bytes = || vfs.free_bytes(Path::new("d")).unwrap().unwrap();
        vfs.inject(Fault::Budget(super::ROOM_BYTES + (2 << 20)));
        let mut txn = begin(&engine);
        let row = [Value::text("x".repeat(1000))];
        let error = (0..10_000).find_map(|_| table.insert(&mut txn, &row).err()).unwrap();
        assert_eq!(error.sqlstate(), SqlState::DISK_FULL);
        assert!(free_bytes() > super::ROOM_BYTES / 2, "{}", free_bytes());
        assert!(txn.commit().is_err());
        assert_eq!(engine.holdings().log_keepers, 0);
        let mut txn = begin(&engine);
        insert(&mut txn, &table, 10);
        txn.end(Durability::Flushed).unwrap();
        drop((txn, table, engine));
        let engine = open(&vfs, Location::File("d".into()));
        assert_eq!(engine.table(RelId(1)).unwrap().row_count_estimate(), 10);
    }

    #[test]
    fn a_database_in_memory_keeps_no_redo() {
        let engine = open(&SimVfs::default(), Location::Memory);
        let table = engine.table(make(&engine)).unwrap();
        let mut txn = begin(&engine);
        insert(&mut txn, &table, 1000);
        txn.end(Durability::Flushed).unwrap();
        assert_eq!(table.row_count_estimate(), 1000);
        assert_eq!(engine.holdings().log_keepers, 0);
    }
}
