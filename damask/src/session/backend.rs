//! The sessions of a database: how one is found, cancelled and shown.

use damask_catalog::system::{Activity, Maintained};
use damask_storage::env::Clock;
use damask_types::{Error, Oid, Result, SqlState, TxnId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Why a statement is to stop; the discriminants are what [`Backend::stop`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stop {
    None = 0,
    /// A cancel request.
    Cancel = 1,
    /// The client is gone: the session ends.
    ClientGone = 2,
    /// The session is to end.
    Terminate = 3,
}

/// What others may see of a session and do to it.
pub(crate) struct Backend {
    /// Its number; clients call it the process id.
    pub(crate) pid: i32,
    /// What a cancel request must know.
    pub(crate) secret: i32,
    clock: Arc<dyn Clock>,
    stop: AtomicU8,
    /// When the running statement times out, in nanoseconds of the clock; 0 is never.
    statement_deadline: AtomicU64,
    /// `deadlock_timeout` in milliseconds.
    deadlock_wait: AtomicU64,
    /// `lock_timeout` in nanoseconds; 0 is none. Counted from the start of each wait.
    lock_timeout: AtomicU64,
    /// When the present wait for a lock times out; 0 is never.
    lock_deadline: AtomicU64,
    /// Under what id the session holds advisory locks.
    locks: TxnId,
    /// The id of the open transaction; 0 is none.
    txn: AtomicU64,
    /// Called before each wait for a lock.
    before_wait: OnceLock<fn()>,
    activity: Mutex<Activity>,
}

impl Backend {
    /// Sets what is called before each wait for a lock, once.
    pub(crate) fn set_before_wait(&self, before_wait: fn()) {
        // Whoever was first stays.
        let _ = self.before_wait.set(before_wait);
    }

    /// Begins a statement: forgets a cancel that came too late for the one before.
    pub(crate) fn begin_statement(
        &self,
        timeout: Option<Duration>,
        lock_timeout: Option<Duration>,
        deadlock_wait: Duration,
    ) {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let _ = self.stop.compare_exchange(
            Stop::Cancel as u8,
            Stop::None as u8,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let deadline = timeout.map_or(0, |timeout| nanos(self.clock.now().saturating_add(timeout)));
        self.statement_deadline.store(deadline, Ordering::Release);
        self.lock_timeout.store(lock_timeout.map_or(0, nanos), Ordering::Release);
        self.lock_deadline.store(0, Ordering::Release);
        let millis = u64::try_from(deadlock_wait.as_millis()).unwrap_or(u64::MAX);
        self.deadlock_wait.store(millis, Ordering::Release);
    }

    /// Ends a statement.
    pub(crate) fn end_statement(&self) {
        self.statement_deadline.store(0, Ordering::Release);
    }

    /// Whether the running statement may go on.
    ///
    /// # Errors
    /// 57014 after a cancel request or `statement_timeout`, 57P01 when the session is to end, 55P03 after `lock_timeout`.
    pub(crate) fn check(&self) -> Result<()> {
        match self.stop.load(Ordering::Acquire) {
            0 => {}
            stop if stop == Stop::Cancel as u8 => {
                return Err(Error::new(
                    SqlState::QUERY_CANCELED,
                    "canceling statement due to user request",
                ));
            }
            stop if stop == Stop::ClientGone as u8 => return Err(client_gone()),
            _ => return Err(terminated()),
        }
        let deadline = self.statement_deadline.load(Ordering::Acquire);
        let lock_deadline = self.lock_deadline.load(Ordering::Acquire);
        if deadline == 0 && lock_deadline == 0 {
            return Ok(());
        }
        let now = u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX);
        if deadline != 0 && now >= deadline {
            return Err(Error::new(
                SqlState::QUERY_CANCELED,
                "canceling statement due to statement timeout",
            ));
        }
        if lock_deadline != 0 && now >= lock_deadline {
            return Err(Error::new(
                SqlState::LOCK_NOT_AVAILABLE,
                "canceling statement due to lock timeout",
            ));
        }
        Ok(())
    }

    /// Time since some fixed moment.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Why the session is to end, if it is.
    pub(crate) fn end_reason(&self) -> Option<Error> {
        match self.stop.load(Ordering::Acquire) {
            stop if stop == Stop::ClientGone as u8 => Some(client_gone()),
            stop if stop == Stop::Terminate as u8 => Some(terminated()),
            _ => None,
        }
    }

    /// Whether the session is to end.
    pub(crate) fn is_terminated(&self) -> bool {
        self.stop.load(Ordering::Acquire) >= Stop::ClientGone as u8
    }

    /// Shows which transaction is open, and since when.
    pub(crate) fn show_transaction(&self, txn: Option<(TxnId, i64)>) {
        self.txn.store(txn.map_or(0, |(txn, _)| txn.0), Ordering::Release);
        self.show(|activity| activity.xact_start = txn.map(|(_, start)| start));
    }

    /// Changes what `pg_stat_activity` shows.
    pub(crate) fn show(&self, change: impl FnOnce(&mut Activity)) {
        change(&mut self.activity.lock());
    }
}

/// 57P01.
pub(crate) fn terminated() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

/// 08006.
fn client_gone() -> Error {
    Error::new(SqlState::CONNECTION_FAILURE, "connection to client lost")
}

impl damask_txn::Interrupt for Backend {
    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn deadlock_wait(&self) -> Duration {
        Duration::from_millis(self.deadlock_wait.load(Ordering::Acquire))
    }

    fn waiting(&self, begins: bool) {
        if begins && let Some(before_wait) = self.before_wait.get() {
            before_wait();
        }
        let timeout = self.lock_timeout.load(Ordering::Acquire);
        let deadline = if begins && timeout > 0 {
            let now = u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX);
            now.saturating_add(timeout)
        } else {
            0
        };
        self.lock_deadline.store(deadline, Ordering::Release);
        self.show(|activity| activity.waits_for_lock = begins);
    }
}

/// Every session of a database.
pub(crate) struct Backends {
    next_pid: AtomicI32,
    start: i64,
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<i32, Arc<Backend>>>,
    /// What VACUUM and ANALYZE did to tables.
    maintained: Mutex<HashMap<Oid, Maintained>>,
}

impl Backends {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let start = clock.wall_micros();
        Self {
            next_pid: AtomicI32::new(1),
            start,
            clock,
            open: Mutex::default(),
            maintained: Mutex::default(),
        }
    }

    /// When the database was opened.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// Registers a session of this role.
    pub(crate) fn open(
        &self,
        role: (Oid, String),
        secret: i32,
        locks: TxnId,
        client: Option<(String, i32)>,
    ) -> Arc<Backend> {
        let pid = self.next_pid.fetch_add(1, Ordering::Relaxed);
        let backend = Arc::new(Backend {
            pid,
            secret,
            clock: Arc::clone(&self.clock),
            stop: AtomicU8::new(Stop::None as u8),
            statement_deadline: AtomicU64::new(0),
            deadlock_wait: AtomicU64::new(0),
            lock_timeout: AtomicU64::new(0),
            lock_deadline: AtomicU64::new(0),
            locks,
            txn: AtomicU64::new(0),
            before_wait: OnceLock::new(),
            activity: Mutex::new(Activity {
                pid,
                role,
                application_name: String::new(),
                client,
                backend_start: self.clock.wall_micros(),
                xact_start: None,
                query_start: None,
                state_change: None,
                state: "idle",
                query: String::new(),
                xid: None,
                xmin: None,
                waits_for_lock: false,
            }),
        });
        self.open.lock().insert(pid, Arc::clone(&backend));
        backend
    }

    /// Forgets a session.
    pub(crate) fn close(&self, pid: i32) {
        self.open.lock().remove(&pid);
    }

    /// How many sessions there are.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Cancels what a session runs.
    pub(crate) fn cancel(&self, pid: i32) -> bool {
        self.stop(pid, Stop::Cancel)
    }

    /// Ends a session at its next check.
    pub(crate) fn terminate(&self, pid: i32) -> bool {
        self.stop(pid, Stop::Terminate)
    }

    /// Ends a session whose client is gone.
    pub(crate) fn client_gone(&self, pid: i32) -> bool {
        self.stop(pid, Stop::ClientGone)
    }

    /// Cancels what a session runs, if the secret is its.
    pub(crate) fn cancel_request(&self, pid: i32, secret: i32) {
        let backend = self.open.lock().get(&pid).cloned();
        if backend.is_some_and(|backend| backend.secret == secret) {
            self.cancel(pid);
        }
    }

    fn stop(&self, pid: i32, stop: Stop) -> bool {
        match self.open.lock().get(&pid) {
            Some(backend) => {
                backend.stop.fetch_max(stop as u8, Ordering::AcqRel);
                true
            }
            None => false,
        }
    }

    /// Whether a session is asked to end.
    pub(crate) fn is_terminated(&self, pid: i32) -> bool {
        self.open.lock().get(&pid).is_some_and(|backend| backend.is_terminated())
    }

    /// Each session, under what id it holds advisory locks, and the id of its open transaction.
    pub(crate) fn lock_owners(&self) -> Vec<(i32, TxnId, Option<TxnId>)> {
        let open = self.open.lock();
        let owner = |backend: &Arc<Backend>| {
            let txn = TxnId(backend.txn.load(Ordering::Acquire));
            (backend.pid, backend.locks, (txn.0 != 0).then_some(txn))
        };
        open.values().map(owner).collect()
    }

    /// What VACUUM and ANALYZE did to a table.
    pub(crate) fn maintained(&self, table: Oid) -> Maintained {
        self.maintained.lock().get(&table).copied().unwrap_or_default()
    }

    /// Notes what VACUUM or ANALYZE did to tables, and forgets those that are no more.
    pub(crate) fn maintain(
        &self,
        tables: &[Oid],
        change: impl Fn(&mut Maintained),
        exists: impl Fn(Oid) -> bool,
    ) {
        let mut maintained = self.maintained.lock();
        maintained.retain(|table, _| exists(*table));
        for table in tables {
            change(maintained.entry(*table).or_default());
        }
    }

    /// What each session is doing.
    pub(crate) fn activity(&self) -> Vec<Activity> {
        let mut all: Vec<_> =
            self.open.lock().values().map(|backend| backend.activity.lock().clone()).collect();
        all.sort_by_key(|activity| activity.pid);
        all
    }
}
