//! What an execution is given, and what it carries while it runs.

use crate::operator::recheck::Pins;
use crate::spill::spool::Spool;
use damask_catalog::CatalogSnapshot;
use damask_catalog::object::Relation;
use damask_functions::Session;
use damask_planner::expr::{ColumnId, Expr};
use damask_planner::physical::{Plan, PlanId};

use damask_txn::{Engine, Governor, Purpose, ReadView, Txn};
use damask_types::{Batch, Error, Result, SqlState, Value};
use hashbrown::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Rows of the relations that the catalog computes.
pub trait SystemRows: Send + Sync {
    /// Every row of `relation`, values by column.
    fn rows(&self, relation: &Relation) -> Result<Vec<Vec<Value>>>;
}

/// What stops an execution, and what bounds it.
pub trait Control: Send + Sync {
    /// # Errors
    /// 57014 if the statement is to end.
    fn check(&self) -> Result<()>;

    /// Time since some fixed moment, for `EXPLAIN ANALYZE`.
    fn now(&self) -> Duration;
}

/// Never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoControl;

impl Control for NoControl {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// Whether hot expressions are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Jit {
    /// Interpret.
    Off,
    /// Compile what is worth it.
    #[default]
    On,
    /// Compile whatever can be, from the first row on.
    Force,
    /// Compile whatever can be, run both and compare; XX000 on a difference.
    Verify,
}

/// What an execution is given. Owned, so that it lives as long as the portal it is in.
#[derive(Clone)]
pub struct ExecContext {
    /// Values of `$1`, `$2`, ...
    pub params: Vec<Value>,
    /// What functions may ask.
    pub session: Arc<dyn Session + Send + Sync>,
    /// Where tables live.
    pub engine: Arc<Engine>,
    /// The catalog the plan was made under.
    pub catalog: Arc<CatalogSnapshot>,
    /// Rows of computed relations.
    pub system: Arc<dyn SystemRows>,
    /// What stops it.
    pub control: Arc<dyn Control>,
    /// Most bytes that its operators may hold together.
    pub memory_bytes_max: usize,
    /// Who grants it.
    pub memory: Arc<Governor>,
    /// Bytes that one operator may hold before it goes on in temporary files (`work_mem`).
    pub work_mem_bytes: usize,
    /// The same for one that holds a hash table (`work_mem * hash_mem_multiplier`).
    pub hash_mem_bytes: usize,
    /// Compilation.
    pub jit: Jit,
    /// Whether time is counted for each node.
    pub timing: bool,
}

/// Memory of one execution.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    max: usize,
    governor: Arc<Governor>,
}

impl Memory {
    pub(crate) fn new(max: usize, governor: Arc<Governor>) -> Self {
        Self { used: AtomicUsize::new(0), max, governor }
    }

    /// Reserves bytes.
    ///
    /// # Errors
    /// 53200 if the statement's limit or the database's would be passed.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<()> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let granted = if before.saturating_add(bytes) > self.max {
            Err(Error::new(SqlState::OUT_OF_MEMORY, "out of memory")
                .detail(format!("The statement may hold at most {} bytes.", self.max))
                .hint("Raise query_memory_limit, or make the statement keep fewer rows."))
        } else {
            self.governor.grant(bytes)
        };
        if granted.is_err() {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        granted
    }

    /// Gives bytes back.
    pub(crate) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.governor.give_back(Purpose::Statements, bytes);
    }

    /// Bytes reserved.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so much is reserved that whoever can should hold less.
    pub(crate) fn is_tight(&self) -> bool {
        self.used() > self.max - self.max / 4 || self.governor.is_tight()
    }
}

/// What one holder has reserved; given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    bytes: usize,
    memory: Option<Arc<Memory>>,
}

impl Grant {
    /// Reserves up to `bytes` in all; what is more already stays.
    ///
    /// # Errors
    /// 53200.
    pub(crate) fn grow(&mut self, bytes: usize, memory: &Arc<Memory>) -> Result<()> {
        if bytes > self.bytes {
            memory.reserve(bytes - self.bytes)?;
            self.bytes = bytes;
            self.memory.get_or_insert_with(|| Arc::clone(memory));
        }
        Ok(())
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self) {
        if let Some(memory) = &self.memory {
            memory.release(std::mem::take(&mut self.bytes));
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What is smaller than this is not worth a temporary file.
const SPILL_BYTES_MIN: usize = 256 << 10;

/// State of an execution that all its operators share.
pub(crate) struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) view: ReadView,
    /// Columns of the rows that enclosing applies stand on.
    pub(crate) outer: HashMap<ColumnId, Value>,
    /// Results of subplans that have run.
    pub(crate) subplans: HashMap<PlanId, Arc<SubplanResult>>,
    /// Rows of shared nodes that have run.
    pub(crate) shared: HashMap<PlanId, Arc<Spool>>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) affected: u64,
    /// What the scans of some tables give while a row is tried again; see [`crate::operator::recheck`].
    pub(crate) pins: Pins,
    /// The rows of the plan's input: those that it is fed, or while ON CONFLICT's plan runs its own.
    pub(crate) input: Option<Batch>,
    /// More rows are fed later.
    pub(crate) is_fed: bool,
    /// Of the rows counted in `affected`, the last ones that are not inserted yet.
    pub(crate) pending: u64,
    /// How many rows came before the one that failed, if that is known.
    pub(crate) failed: Option<u64>,
    pub(crate) stats: HashMap<PlanId, crate::NodeStats>,
    pub(crate) jit: crate::JitStats,
    /// The node that runs, if nodes are timed, and what was compiled in each.
    pub(crate) node: Option<PlanId>,
    pub(crate) compiled: Vec<(PlanId, Expr)>,
}

/// What a subplan gave: its first column.
#[derive(Debug)]
pub(crate) struct SubplanResult {
    pub(crate) values: Vec<Value>,
    pub(crate) rows: usize,
}

/// What an operator's `next` works with.
pub(crate) struct State<'a> {
    pub(crate) ctx: &'a ExecContext,
    pub(crate) txn: &'a mut Txn,
    pub(crate) run: &'a mut Run,
}

impl State<'_> {
    /// Whether an operator that holds `bytes` should go on in temporary files: it is above its soft limit, or the whole statement
    /// is near its hard one and this is no trifle.
    pub(crate) fn should_spill(&self, bytes: usize, limit: usize) -> bool {
        bytes > limit || bytes > SPILL_BYTES_MIN && self.run.memory.is_tight()
    }

    /// Cancel and timeouts (E2).
    pub(crate) fn check(&self) -> Result<()> {
        self.ctx.control.check()
    }
}
