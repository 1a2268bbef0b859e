//! The handle a session holds on a running plan.

use crate::build;
use crate::context::{ExecContext, Memory, Run, State};
use crate::held::HeldRows;
use crate::operator::Operator;
use crate::operator::deferred::{self, Due};
use damask_planner::expr::Expr;
use damask_planner::physical::{Plan, PlanId};
use damask_txn::Txn;
use damask_types::{Batch, Result};
use hashbrown::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What `EXPLAIN ANALYZE` shows of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeStats {
    /// Rows given, over all loops.
    pub rows: u64,
    /// How often it was started.
    pub loops: u64,
    /// Time inside it and its inputs, over all loops.
    pub time: Duration,
    /// Time until its first row, over all loops.
    pub first: Duration,
    /// What it held in memory and on disk.
    pub note: NodeNote,
}

/// How a node sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortMethod {
    /// Everything in memory.
    Quicksort,
    /// Only the first rows were kept.
    TopN,
    /// Sorted runs on disk were merged.
    ExternalMerge,
}

/// What a node held in memory and on disk: the most of all its loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeNote {
    /// Of a node that sorts.
    pub sort: Option<SortMethod>,
    /// Of a node with a hash table: how many parts its rows were worked on in, 1 if all fitted.
    pub batches: u64,
    /// Buckets of its hash table.
    pub buckets: u64,
    /// Most bytes in memory.
    pub memory_bytes: u64,
    /// Most bytes on disk.
    pub disk_bytes: u64,
}

impl NodeNote {
    /// Takes in how a sort went that would have been by `method` in memory.
    pub(crate) fn sorted(&mut self, method: SortMethod, memory_bytes: u64, disk_bytes: u64) {
        self.memory_bytes = self.memory_bytes.max(memory_bytes);
        self.disk_bytes = self.disk_bytes.max(disk_bytes);
        let is_external = self.disk_bytes > 0;
        self.sort = Some(if is_external { SortMethod::ExternalMerge } else { method });
    }

    /// Takes in what a hash table came to.
    pub(crate) fn hashed(&mut self, batches: u64, buckets: usize, memory: usize, disk_bytes: u64) {
        self.batches = self.batches.max(batches);
        self.buckets = self.buckets.max(buckets as u64);
        self.memory_bytes = self.memory_bytes.max(memory as u64);
        self.disk_bytes = self.disk_bytes.max(disk_bytes);
    }
}

/// What compiled expressions did in an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitStats {
    /// Expressions that ran as machine code.
    pub functions: u64,
    /// Tiles they answered.
    pub tiles: u64,
    /// Tiles that went back to the interpreter, which raised an error or used wider numbers.
    pub tiles_interpreted: u64,
    /// Time that compiling took; nothing unless timing was asked for.
    pub time: Duration,
}

/// A plan that runs: rows on demand, a batch at a time.
pub struct Execution {
    ctx: ExecContext,
    run: Run,
    root: Option<Box<dyn Operator>>,
    is_done: bool,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("is_done", &self.is_done).finish_non_exhaustive()
    }
}

impl Execution {
    /// Begins a plan under the transaction's present view. Nothing runs before the first [`Execution::next`].
    ///
    /// # Errors
    /// What taking the view raises.
    pub fn start(plan: Arc<Plan>, ctx: ExecContext, txn: &Txn) -> Result<Self> {
        let memory = Arc::new(Memory::new(ctx.memory_bytes_max, Arc::clone(&ctx.memory)));
        let run = Run {
            plan,
            view: txn.view()?,
            outer: HashMap::new(),
            subplans: HashMap::new(),
            shared: HashMap::new(),
            memory,
            affected: 0,
            pins: vec![],
            input: None,
            is_fed: false,
            pending: 0,
            failed: None,
            stats: HashMap::new(),
            jit: JitStats::default(),
            node: None,
            compiled: vec![],
        };
        Ok(Self { ctx, run, root: None, is_done: false })
    }

    /// The next rows: at most a tile, in the order of the plan's output, without a selection; `None` at the end.
    ///
    /// # Errors
    /// What the statement raises; after an error the execution is over.
    pub fn next(&mut self, txn: &mut Txn) -> Result<Option<Batch>> {
        if self.is_done {
            return Ok(None);
        }
        let result = self.advance(txn);
        if !matches!(result, Ok(Some(_))) {
            self.is_done = true;
            self.root = None;
        }
        result
    }

    /// Takes rows into a plan whose input comes from outside ([`damask_planner::plan_copy_from`]). They may be inserted together with later
    /// ones; [`Execution::next`] ends it.
    ///
    /// # Errors
    /// What the statement raises; after an error the execution is over.
    pub fn feed(&mut self, rows: Batch, txn: &mut Txn) -> Result<()> {
        self.run.input = Some(rows);
        self.run.is_fed = true;
        let fed = self.advance(txn);
        self.run.is_fed = false;
        self.run.input = None;
        match &mut self.root {
            Some(root) if fed.is_ok() => root.rewind(),
            _ => {
                self.is_done = true;
                self.root = None;
            }
        }
        fed.map(drop)
    }

    fn advance(&mut self, txn: &mut Txn) -> Result<Option<Batch>> {
        let plan = Arc::clone(&self.run.plan);
        let mut state = State { ctx: &self.ctx, txn, run: &mut self.run };
        let root = match &mut self.root {
            Some(root) => root,
            None => self.root.insert(build::build(&plan, plan.root, &mut state)?),
        };
        loop {
            state.check()?;
            match root.next(&mut state)? {
                None => {
                    if state.txn.has_unswept() {
                        deferred::run(Due::Statement, &mut state)?;
                    }
                    return Ok(None);
                }
                Some(batch) if batch.selected_count() == 0 => {}
                Some(batch) => return Ok(Some(batch.compact())),
            }
        }
    }

    /// Makes checks that the transaction has put off. The execution need not have run.
    ///
    /// # Errors
    /// 23505, 23503.
    pub fn check_deferred(&mut self, due: Due, txn: &mut Txn) -> Result<()> {
        deferred::run(due, &mut State { ctx: &self.ctx, txn, run: &mut self.run })
    }

    /// Runs to the end and keeps the rows for when the transaction is over.
    ///
    /// # Errors
    /// What the statement raises; 53100.
    pub fn hold(mut self, txn: &mut Txn) -> Result<HeldRows> {
        let types = build::types(self.run.plan.node(self.run.plan.root));
        let (engine, bytes) = (Arc::clone(&self.ctx.engine), self.ctx.work_mem_bytes);
        HeldRows::collect(&types, engine.temp_folder(), bytes, || self.next(txn))
    }

    /// Rows inserted, updated or deleted so far.
    pub fn affected_rows(&self) -> u64 {
        self.run.affected
    }

    /// How many of those are not inserted yet, the last ones.
    pub fn pending_rows(&self) -> u64 {
        self.run.pending
    }

    /// After an error: how many rows to be inserted came before the one that raised it, if that is known.
    pub fn failed_row(&self) -> Option<u64> {
        self.run.failed
    }

    /// What a node did; nothing unless timing was asked for.
    pub fn stats(&self, node: PlanId) -> NodeStats {
        self.run.stats.get(&node).copied().unwrap_or_default()
    }

    /// What compiled expressions did so far.
    pub fn jit_stats(&self) -> JitStats {
        self.run.jit
    }

    /// The expressions of a node that ran as machine code; nothing unless timing was asked for.
    pub fn compiled(&self, node: PlanId) -> impl Iterator<Item = &Expr> {
        self.run.compiled.iter().filter(move |(id, _)| *id == node).map(|(_, expr)| expr)
    }

    /// Bytes that its operators hold now.
    pub fn memory_bytes(&self) -> usize {
        self.run.memory.used()
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.run.plan
    }
}
