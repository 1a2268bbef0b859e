//! The engine: everything sessions share.
//!
//! Whatever changes pages or appends to the log is inside the [`gate`](crate::gate) for the time of one row or one commit.
//!
//! Latch order: gate, stripe of a row, commit section or index tree, row tree, shard of the version table.

use crate::background::Background;
use crate::cell::{Outcome, TxnCell};
use crate::clock::{SnapshotHolder, SnapshotPin, Snapshots};
use crate::ddl::DdlUndo;
use crate::directory::{Directory, Heap};
use crate::fragments::KeptLog;
use crate::gate::{Gate, Inside, Stop};
use crate::gc::Garbage;
use crate::horizon::{Horizon, Unflushed};
use crate::interrupt::{Interrupt, NoInterrupt};
use crate::lock::LockTable;
use crate::program::{NoPrograms, ProgramCompiler};
use crate::redo::{PIECE_BYTES, Redo};
use crate::row_queue::RowQueues;
use crate::sequence::{self, Sequences};
use crate::serializable::Serializable;
use crate::spread::Spread;
use crate::version::{HeapId, Version, VersionTable, stripe};
use crate::wait::WaitGraph;
use crate::{Durability, IsolationLevel, SequenceSpec, SequenceState, Table, Txn};
use crossbeam_utils::CachePadded;
use damask_storage::ledger;
use damask_storage::log::{LogFrame, LogRoom};
use damask_storage::page::UNIT_BYTES;
use damask_storage::pool::{NodeStatistics, PoolStatistics};
use damask_storage::tree::BUFFER_BYTES;
use damask_storage::vfs::MemoryVfs;
use damask_storage::{
    Env, Governor, HugePages, LogCompression, LogSync, Store, StoreOptions, TempFolder, Vfs,
};
use damask_types::{Error, Lsn, RelId, Result, RowId, SqlState, Timestamp, TxnId};
use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Rows share this many mutexes between writers.
const STRIPES: usize = 1024;

/// Where the data lives.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file; its log lies beside it.
    File(PathBuf),
    /// Memory, gone when the engine is.
    Memory,
}

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Memory for pages.
    pub pool_bytes: usize,
    /// Whether the memory of pages is to lie in huge pages.
    pub huge_pages: HugePages,
    /// Log since the last checkpoint that makes the next one due.
    pub checkpoint_log_bytes: u64,
    /// Time since the last checkpoint that makes the next one due, if something was logged.
    pub checkpoint_interval: Duration,
    /// Makes the database if there is none.
    pub create: bool,
    /// Page size of a new database: 4096, 8192 or 16384.
    pub page_bytes: usize,
    /// A commit that does not wait for the log is durable after about this time at the latest.
    pub flush_delay: Duration,
    /// Bytes of a log segment of a new database.
    pub log_segment_bytes: u64,
    /// How the log becomes durable.
    pub log_sync: LogSync,
    /// How many flushes of the log may be under way at a time: 1 to 16.
    pub log_lanes: usize,
    /// Changed rows that may wait for the oldest snapshot; of more of them what lies between snapshots is dropped.
    pub garbage_rows: usize,
    /// Memory for rows as they were, which old snapshots need; more of them go to temporary files.
    pub undo_bytes: u64,
    /// Changes of a transaction that it keeps in memory before they are logged.
    pub fragment_bytes: usize,
    /// Bytes of rows that a table's write buffer gathers ([`crate::TableEngine::Lsm`]); a quarter of the pool if that is less.
    pub write_buffer_bytes: usize,
    /// Makes programs of what indexes compute.
    pub programs: Arc<dyn ProgramCompiler>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let store = StoreOptions::default();
        Self {
            pool_bytes: store.pool_bytes,
            huge_pages: store.huge_pages,
            checkpoint_log_bytes: 256 << 20,
            checkpoint_interval: Duration::from_mins(5),
            create: true,
            page_bytes: store.page_bytes,
            flush_delay: Duration::from_millis(200),
            log_segment_bytes: store.log_segment_bytes,
            log_sync: store.log_sync,
            log_lanes: store.log_lanes,
            garbage_rows: 4096,
            undo_bytes: 64 << 20,
            fragment_bytes: PIECE_BYTES,
            write_buffer_bytes: BUFFER_BYTES,
            programs: Arc::new(NoPrograms),
        }
    }
}

impl EngineOptions {
    /// Log since the last checkpoint from which on nobody rests until there is another.
    pub(crate) fn hurry_log_bytes(&self) -> u64 {
        self.checkpoint_log_bytes.saturating_mul(2)
    }
}

/// What `verify` found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Pages read and checked.
    pub pages: u64,
    /// Rows visited.
    pub rows: u64,
    /// Index entries compared with their rows.
    pub index_entries: u64,
    /// What is wrong, a sentence each; empty if all is well.
    pub errors: Vec<String>,
}

/// Counters since the engine was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metrics {
    /// Transactions committed, pure readers included.
    pub commits: u64,
    /// Transactions rolled back.
    pub rollbacks: u64,
    /// Deadlocks resolved.
    pub deadlocks: u64,
    /// Waits for another transaction.
    pub lock_waits: u64,
    /// Versions in memory.
    pub versions: u64,
    /// Bytes of rows as they were before changes, in memory.
    pub undo_bytes: u64,
    /// The same, in temporary files.
    pub undo_spilled_bytes: u64,
    /// Ranges of rows that were inserted together and that some snapshot may not see.
    pub hidden_ranges: u64,
    /// Changed rows whose garbage has not been looked for.
    pub garbage_rows: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Frames of the log: a commit is one, unless it is large.
    pub log_frames: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Syncs of the log that made commits durable.
    pub log_flushes: u64,
    /// Temporary files made.
    pub temp_files: u64,
    /// Bytes written to them.
    pub temp_bytes: u64,
}

/// What transactions and statements hold at a moment. Without any of them all is zero; tests ask it after failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Pages that someone has latched.
    pub latched_pages: usize,
    /// Page frames that neither hold a page nor are spare.
    pub frames_astray: usize,
    /// Snapshots in use.
    pub snapshots: usize,
    /// Locks of relations and advisory locks, held or waited for.
    pub locks: usize,
    /// Transactions that keep checkpoints from letting go of the log.
    pub log_keepers: usize,
    /// Temporary files that are open.
    pub temp_files: u64,
    /// Bytes in them.
    pub temp_bytes: u64,
}

/// Counters that change.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) rollbacks: AtomicU64,
    pub(crate) versions: AtomicU64,
    /// Ranges of rows ([`crate::births`]).
    pub(crate) ranges: Arc<AtomicUsize>,
    pub(crate) undo_bytes: AtomicU64,
    pub(crate) undo_spilled: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
}

/// A database's storage under transactions; shared by all sessions.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) options: EngineOptions,
    temp: Arc<TempFolder>,
    pub(crate) in_memory: bool,
    is_new: bool,
    pub(crate) gate: Gate,
    /// Raised when nobody knows any more what the pages hold.
    pub(crate) stop: Arc<Stop>,
    /// Open transactions that have begun to write and whose commits are gathered, roughly.
    pub(crate) gathered_writers: CachePadded<AtomicUsize>,
    stripes: Box<[Mutex<()>]>,
    /// The commit section; holds the last timestamp given out.
    pub(crate) commit: CachePadded<Mutex<Timestamp>>,
    /// The last commit whose cell is flipped.
    pub(crate) visible: CachePadded<AtomicU64>,
    pub(crate) unflushed: Unflushed,
    /// The last transaction id given out.
    next_txn: CachePadded<AtomicU64>,
    /// The last relation number given out.
    pub(crate) last_rel: AtomicU32,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) serializable: Serializable,
    pub(crate) versions: Arc<VersionTable>,
    pub(crate) directory: Directory,
    pub(crate) sequences: Sequences,
    pub(crate) garbage: Garbage,
    /// What open transactions need of the log.
    pub(crate) kept_log: KeptLog,
    pub(crate) lock_table: LockTable,
    pub(crate) graph: WaitGraph,
    /// Who waits for which row.
    pub(crate) row_queues: RowQueues,
    /// What open transactions did to relations, oldest first.
    pub(crate) ddl: Mutex<HashMap<TxnId, Vec<DdlUndo>>>,
    /// Commits since it was opened.
    pub(crate) commits: Spread<AtomicU64>,
    pub(crate) counters: CachePadded<Counters>,
    closed: AtomicBool,
    /// Whether background steps may still run; see [`crate::background`].
    pub(crate) background: Background,
    /// Set while a background step makes a checkpoint; see [`crate::checkpointer`].
    pub(crate) checkpoint_is_due: AtomicBool,
    /// Held by the one who begins a checkpoint, and before the gate.
    pub(crate) checkpoint_begin: Mutex<()>,
    /// When the last one was begun, by the clock.
    pub(crate) checkpointed_nanos: AtomicU64,
    /// Set while a flush of what nobody waits for is due; see [`crate::flusher`].
    pub(crate) flush_is_due: AtomicBool,
    /// Set while a flush of fragments is due.
    pub(crate) fragments_are_due: AtomicBool,
    /// A defect that a test plants, to see that it is found.
    #[cfg(test)]
    pub(crate) planted: std::sync::atomic::AtomicU8,
}

/// Defects for tests of the tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// None.
    Nothing,
    /// Commits are acknowledged before they are durable (breaks M2).
    NoFlush,
    /// Checkpoints do not keep what undoes open transactions.
    NoUndo,
    /// Checkpoints do not keep which runs of rows open transactions inserted.
    NoRuns,
    /// A commit that does not wait for its flush shows those before it that do (breaks M2).
    ShownEarly,
    /// Undoing a row panics half-way.
    PanicInUndo,
    /// What was found in commits that are not durable is let out.
    NoSettling,
    /// Serializable transactions commit whatever became of what they read.
    NoValidation,
    /// Checkpoints let go of the log of open transactions (breaks F1 of the fragments).
    LogLetGo,
    /// Versions change before a checkpoint has copied them.
    VersionsLate,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("in_memory", &self.in_memory).finish_non_exhaustive()
    }
}

/// Whom a writer has to wait for.
#[derive(Debug)]
pub(crate) struct Blocker {
    pub(crate) cell: Arc<TxnCell>,
    pub(crate) seen: u64,
}

impl Blocker {
    /// Counts events before the caller lets go of its latches, so that none is missed.
    pub(crate) fn new(cell: &Arc<TxnCell>) -> Self {
        Self { seen: cell.events(), cell: Arc::clone(cell) }
    }
}

impl Engine {
    /// Opens a database, creating it if there is none, and recovers it if it was not closed.
    pub fn open(env: Env, location: Location, options: EngineOptions) -> Result<Arc<Self>> {
        let path = match &location {
            Location::File(path) => path.as_path(),
            Location::Memory => Path::new(":memory:"),
        };
        let store_options = StoreOptions {
            page_bytes: options.page_bytes,
            pool_bytes: options.pool_bytes,
            huge_pages: options.huge_pages,
            log_segment_bytes: options.log_segment_bytes,
            log_sync: options.log_sync,
            log_lanes: options.log_lanes,
            create: options.create,
        };
        let in_memory = matches!(location, Location::Memory);
        let temp_vfs: Arc<dyn Vfs> =
            if in_memory { Arc::new(MemoryVfs::default()) } else { Arc::clone(&env.vfs) };
        let (store, recovered) = Store::open(env, path, store_options)?;
        // After the store, whose lock says that no other process has files there.
        let temp = TempFolder::open(temp_vfs, path)?;
        let stop = Arc::<Stop>::default();
        let opened = store.env().clock.now();
        let mut engine = Self {
            store,
            options,
            temp,
            in_memory,
            is_new: false,
            gate: Gate::new(Arc::clone(&stop)),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            commit: CachePadded::new(Mutex::new(recovered.checkpoint_ts)),
            visible: CachePadded::new(AtomicU64::new(recovered.checkpoint_ts.0)),
            unflushed: Unflushed::default(),
            next_txn: CachePadded::new(AtomicU64::new(1)),
            last_rel: AtomicU32::new(0),
            snapshots: Arc::default(),
            serializable: Serializable::default(),
            versions: Arc::new(VersionTable::new()),
            directory: Directory::default(),
            sequences: Sequences::default(),
            garbage: Garbage::default(),
            kept_log: KeptLog::default(),
            lock_table: LockTable::new(),
            graph: WaitGraph::new(Arc::clone(&stop)),
            row_queues: RowQueues::new(),
            stop,
            gathered_writers: CachePadded::new(AtomicUsize::new(0)),
            ddl: Mutex::default(),
            commits: Spread::default(),
            counters: CachePadded::default(),
            closed: AtomicBool::new(false),
            background: Background::default(),
            checkpoint_is_due: AtomicBool::new(false),
            checkpoint_begin: Mutex::default(),
            checkpointed_nanos: AtomicU64::new(opened.as_nanos() as u64),
            flush_is_due: AtomicBool::new(false),
            fragments_are_due: AtomicBool::new(false),
            #[cfg(test)]
            planted: std::sync::atomic::AtomicU8::new(0),
        };
        engine.is_new = engine.recover(recovered)?;
        Ok(Arc::new(engine))
    }

    /// Whether `open` created the database, so that nothing is in it.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Where statements put what does not fit in memory.
    pub fn temp_folder(&self) -> &Arc<TempFolder> {
        &self.temp
    }

    /// Begins a transaction.
    pub fn begin(self: &Arc<Self>, level: IsolationLevel, read_only: bool) -> Result<Txn> {
        self.check_open()?;
        Ok(Txn::new(Arc::clone(self), self.next_id(), level, read_only))
    }

    /// Takes a snapshot for a transaction.
    pub(crate) fn pin_snapshot(&self, owner: TxnId) -> SnapshotPin {
        self.snapshots.pin(owner, self.next_txn(), || self.horizon())
    }

    /// The first transaction id that has not been given out.
    pub fn next_txn(&self) -> TxnId {
        TxnId(self.next_txn.load(Ordering::Relaxed) | crate::cell::ACTIVE)
    }

    /// Who holds which snapshot, oldest first: the first holds the watermark back.
    pub fn snapshot_holders(&self) -> Vec<SnapshotHolder> {
        self.snapshots.holders()
    }

    /// The last commit.
    pub fn last_commit(&self) -> Timestamp {
        Timestamp(self.visible.load(Ordering::Acquire))
    }

    /// Collects all garbage that no snapshot needs.
    ///
    /// # Errors
    /// What reading and writing pages raises.
    pub fn vacuum(&self) -> Result<()> {
        self.check_open()?;
        self.collect_garbage(usize::MAX)
    }

    /// For each table how many rows as they were before committed changes are kept.
    pub fn dead_rows(&self) -> HashMap<RelId, u64> {
        let mut by_heap = HashMap::<HeapId, u64>::new();
        // It visits and cannot fail.
        let _ = self.versions.for_each(|heap, _, state| {
            let is_dead =
                |version: &&Version| version.before.is_some() && version.committed().is_some();
            let dead = state.versions.iter().filter(is_dead).count() as u64;
            if dead > 0 {
                *by_heap.entry(heap).or_default() += dead;
            }
            Ok(())
        });
        let relations = self.directory.all().into_iter();
        let of = |heap: &HeapId| by_heap.get(heap).copied();
        relations.filter_map(|table| Some((table.rel, of(&table.heap.load().id)?))).collect()
    }

    /// An id that no transaction and no session has had.
    pub(crate) fn next_id(&self) -> TxnId {
        TxnId(self.next_txn.fetch_add(1, Ordering::Relaxed) | crate::cell::ACTIVE)
    }

    /// The table whose storage is `rel`; cheap, also for a table that an open transaction made.
    ///
    /// # Errors
    /// XX000 if there is none.
    pub fn table(self: &Arc<Self>, rel: RelId) -> Result<Arc<Table>> {
        self.table_handle(rel).map(Arc::new)
    }

    /// The same, for use in one place.
    ///
    /// # Errors
    /// As for [`Engine::table`].
    pub fn table_handle(self: &Arc<Self>, rel: RelId) -> Result<Table> {
        let relation = self.directory.get(rel)?;
        Ok(Table { engine: Arc::clone(self), relation })
    }

    /// Writes a checkpoint and lets go of the files; every later call fails. Open transactions should have ended; one that
    /// has not is undone by the next opening.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) || self.stop.is_stopped() {
            return Ok(());
        }
        self.collect_if_room()?;
        self.temp.close();
        let gate = self.gate.close();
        if self.stop.is_stopped() {
            return Ok(());
        }
        self.close_under(&gate)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        self.stop.check()?;
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(SqlState::ADMIN_SHUTDOWN, "the database has been closed"));
        }
        Ok(())
    }

    /// The next value of a sequence (`nextval`), never given out twice, also not after a crash or a rollback.
    ///
    /// # Errors
    /// 2200H when it has come to its end and does not cycle; 53100 if the disk is full.
    pub fn sequence_next(&self, rel: RelId, spec: &SequenceSpec) -> Result<i64> {
        let mut room = None;
        loop {
            {
                let _gate = self.enter();
                self.check_open()?;
                if let Some(next) = self.sequences.next(self, rel, spec, room.as_mut())? {
                    return Ok(next);
                }
            }
            room = Some(self.reserve_log([sequence::FRAME_BYTES_MAX])?);
        }
    }

    /// Sets a sequence (`setval`); not undone by a rollback.
    ///
    /// # Errors
    /// 53100 if the disk is full.
    pub fn sequence_set(&self, rel: RelId, state: SequenceState) -> Result<()> {
        let mut room = self.reserve_log([sequence::FRAME_BYTES_MAX])?;
        let _gate = self.enter();
        self.check_open()?;
        self.sequences.set(self, rel, state, &mut room)
    }

    /// Where a sequence stands.
    pub fn sequence_get(&self, rel: RelId) -> Result<SequenceState> {
        self.sequences.get(rel)
    }

    /// Who grants memory; what versions take is up to date.
    pub fn memory(&self) -> &Governor {
        self.recount_versions();
        &self.store.env().memory
    }

    /// Figures of the buffer pool and the data file.
    pub fn pool_statistics(&self) -> PoolStatistics {
        self.store.pool().statistics()
    }

    /// Figures of the frames of each node.
    pub fn node_statistics(&self) -> Vec<NodeStatistics> {
        self.store.pool().node_statistics()
    }

    /// Most bytes of pages in memory.
    pub fn pool_bytes(&self) -> usize {
        self.options.pool_bytes
    }

    /// Bytes of the data file, free ones included.
    pub fn file_bytes(&self) -> u64 {
        self.pool_statistics().unit_count * UNIT_BYTES as u64
    }

    /// Counters.
    pub fn metrics(&self) -> Metrics {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (log_frames, log_bytes) = self.store.log().appended_since_open();
        let temp = self.temp.stats();
        Metrics {
            commits: self.commits.parts().map(load).sum(),
            rollbacks: load(&self.counters.rollbacks),
            deadlocks: load(&self.graph.deadlocks),
            lock_waits: load(&self.graph.waits),
            versions: load(&self.counters.versions),
            undo_bytes: load(&self.counters.undo_bytes),
            undo_spilled_bytes: load(&self.counters.undo_spilled),
            hidden_ranges: self.counters.ranges.load(Ordering::Relaxed) as u64,
            garbage_rows: self.garbage.waiting(),
            checkpoints: load(&self.counters.checkpoints),
            log_frames,
            log_bytes,
            log_flushes: self.store.log().flush_count(),
            temp_files: temp.files,
            temp_bytes: temp.bytes_written,
        }
    }

    /// What is held now; exact if nothing runs meanwhile.
    pub fn holdings(&self) -> Holdings {
        let pool = self.store.pool().holdings();
        let temp = self.temp.stats();
        Holdings {
            latched_pages: pool.latched_pages,
            frames_astray: pool.frames_astray,
            snapshots: self.snapshots.active().len(),
            locks: self.locks().len(),
            log_keepers: self.kept_log.keeper_count(),
            temp_files: temp.open,
            temp_bytes: temp.bytes,
        }
    }

    /// The commits that a snapshot may see: their cells are flipped, and they are durable or do not wait for it.
    pub(crate) fn horizon(&self) -> Horizon {
        // The order matters: a commit that becomes durable between the two loads is not taken before its cell flips.
        let visible = Timestamp(self.visible.load(Ordering::Acquire));
        if self.in_memory {
            return Horizon::up_to(visible);
        }
        self.unflushed.horizon(visible, self.store.log().durable_ts())
    }

    /// Whether a snapshot taken now sees the commit at `timestamp`.
    pub(crate) fn is_shown(&self, timestamp: Timestamp) -> bool {
        let visible = Timestamp(self.visible.load(Ordering::Acquire));
        if self.in_memory {
            return timestamp <= visible;
        }
        self.unflushed.shows(timestamp, visible, self.store.log().durable_ts())
    }

    /// Whether transactions whose commits are gathered ([`Txn::set_gathered`]) have begun to write and not yet ended: a flush that
    /// waits a moment may save one.
    pub fn expects_gathered(&self) -> bool {
        self.gathered_writers.load(Ordering::Relaxed) > 0
    }

    /// How many flushes of the log may be under way at a time.
    pub fn log_lanes(&self) -> usize {
        self.store.log().lane_count()
    }

    /// Whether the commit at `timestamp` survives a crash.
    pub(crate) fn is_durable(&self, timestamp: Timestamp) -> bool {
        self.in_memory || timestamp <= self.store.log().durable_ts()
    }

    /// Returns when the commit at `timestamp` is shown.
    fn wait_shown(&self, timestamp: Timestamp) -> Result<()> {
        if self.is_shown(timestamp) {
            return Ok(());
        }
        // One that does not wait for its flush may be a few instructions before the end of the commit section.
        drop(self.commit.lock());
        if self.is_shown(timestamp) { Ok(()) } else { self.wait_durable(timestamp) }
    }

    /// Returns when the commit at `timestamp` is durable, and shown.
    pub(crate) fn wait_durable(&self, timestamp: Timestamp) -> Result<()> {
        ledger::assert_free("the log");
        while Timestamp(self.visible.load(Ordering::Acquire)) < timestamp {
            // Its committer is inside the commit section, a few instructions from the end.
            drop(self.commit.lock());
            std::thread::yield_now();
        }
        if self.in_memory { Ok(()) } else { self.store.log().flush_ts(timestamp) }
    }

    /// Waits for whoever is in the way to end, or to undo a part, or to become durable.
    pub(crate) fn wait_for(
        &self,
        me: TxnId,
        blocker: Blocker,
        interrupt: &dyn Interrupt,
    ) -> Result<()> {
        match blocker.cell.outcome() {
            Outcome::Active(_) => {
                self.graph.wait_for(me, &[(blocker.cell, blocker.seen)], interrupt)
            }
            Outcome::Committed(timestamp) => self.wait_shown(timestamp),
            Outcome::Aborted => Ok(()),
        }
    }

    /// Keeps other writers and the garbage collector off a row.
    pub(crate) fn stripe(&self, heap: HeapId, row: RowId) -> MutexGuard<'_, ()> {
        self.stripes[stripe(heap, row) & (STRIPES - 1)].lock()
    }

    pub(crate) fn enter(&self) -> Inside<'_> {
        self.gate.enter()
    }

    /// Makes room in the log for frames of these lengths. The caller is outside the gate: it may wait for the disk.
    ///
    /// # Errors
    /// 53100 if the disk is full; 58030 and the like; 57P01 if the database is closed.
    pub(crate) fn reserve_log(
        &self,
        frame_lens: impl IntoIterator<Item = usize>,
    ) -> Result<LogRoom<'_>> {
        ledger::assert_free("the log");
        self.check_open()?;
        self.store.log().reserve(frame_lens)
    }

    /// Logs the frame that commits a transaction and gives it a timestamp; `flip` runs before anybody can see that timestamp. Nothing if
    /// `admit`, which is asked when no other commit can come before this one, says no. `redo` is empty afterwards, unless it did; there
    /// is room for it.
    pub(crate) fn log_commit(
        &self,
        (txn, redo, room): (TxnId, &mut Redo, &mut LogRoom<'_>),
        durability: Durability,
        compression: LogCompression,
        admit: impl FnOnce() -> Result<bool>,
        flip: impl FnOnce(Timestamp),
    ) -> Result<Option<(Timestamp, Lsn)>> {
        let mut last = self.commit.lock();
        if !admit()? {
            return Ok(None);
        }
        let mut lsn = Lsn(0);
        if self.in_memory {
            last.0 += 1;
        } else {
            let log = self.store.log();
            let next = Timestamp(last.0 + 1);
            let append = |frame: LogFrame<'_>| log.append_with(next, frame, compression, room);
            lsn = redo.log_commit(txn, append)?;
            *last = next;
        }
        flip(*last);
        if durability == Durability::Flushed && !self.in_memory && !self.shows_too_early() {
            self.unflushed.add_waiting(*last, self.store.log().durable_ts());
        }
        self.visible.store(last.0, Ordering::Release);
        if durability == Durability::Relaxed {
            self.unflushed.add_relaxed(*last);
        }
        Ok(Some((*last, lsn)))
    }

    /// Logs a frame that commits nothing, for which there is room.
    pub(crate) fn log_frame(
        &self,
        frame: LogFrame<'_>,
        compression: LogCompression,
        room: &mut LogRoom<'_>,
    ) -> Result<Timestamp> {
        let mut last = self.commit.lock();
        if !self.in_memory {
            self.store.log().append_with(Timestamp(last.0 + 1), frame, compression, room)?;
        }
        last.0 += 1;
        self.visible.store(last.0, Ordering::Release);
        Ok(*last)
    }

    /// Gives a dropped heap's pages back. Nobody reads it any more.
    pub(crate) fn destroy_heap(&self, heap: &Heap) -> Result<()> {
        for index in heap.indexes.load().iter() {
            index.tree.destroy()?;
            self.store.remove_tree(index.tree.id());
        }
        heap.tree.destroy()?;
        heap.tree.ids().into_iter().for_each(|tree| self.store.remove_tree(tree));
        Ok(())
    }

    #[cfg(not(test))]
    fn shows_too_early(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(not(test))]
    pub(crate) fn lets_log_go(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(test)]
    pub(crate) fn lets_log_go(&self) -> bool {
        self.is_planted(Planted::LogLetGo)
    }

    #[cfg(not(test))]
    pub(crate) fn skips_flush(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(not(test))]
    pub(crate) fn skips_settling(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(test)]
    pub(crate) fn skips_settling(&self) -> bool {
        self.is_planted(Planted::NoSettling)
    }

    #[cfg(test)]
    pub(crate) fn skips_flush(&self) -> bool {
        self.is_planted(Planted::NoFlush)
    }

    #[cfg(test)]
    fn shows_too_early(&self) -> bool {
        self.is_planted(Planted::ShownEarly)
    }

    #[cfg(test)]
    pub(crate) fn is_planted(&self, defect: Planted) -> bool {
        self.planted.load(Ordering::Relaxed) == defect as u8
    }

    /// For waits that nobody interrupts.
    pub(crate) fn no_interrupt() -> Arc<dyn Interrupt> {
        static NONE: LazyLock<Arc<NoInterrupt>> = LazyLock::new(|| Arc::new(NoInterrupt));
        Arc::<NoInterrupt>::clone(&NONE) as _
    }
}
