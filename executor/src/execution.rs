//! The handle a session holds on a running plan.

use crate::build;
use crate::context::{ExecContext, Memory, Run, State};
use crate::operator::Operator;
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
        let memory = Arc::new(Memory::new(ctx.memory_bytes_max));
        let run = Run {
            plan,
            view: txn.view()?,
            outer: HashMap::new(),
            subplans: HashMap::new(),
            shared: HashMap::new(),
            memory,
            affected: 0,
            pins: vec![],
            stats: HashMap::new(),
            jit: JitStats::default(),
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
                None => return Ok(None),
                Some(batch) if batch.selected_count() == 0 => {}
                Some(batch) => return Ok(Some(batch.compact())),
            }
        }
    }

    /// Rows inserted, updated or deleted so far.
    pub fn affected_rows(&self) -> u64 {
        self.run.affected
    }

    /// What a node did; nothing unless timing was asked for.
    pub fn stats(&self, node: PlanId) -> NodeStats {
        self.run.stats.get(&node).copied().unwrap_or_default()
    }

    /// What compiled expressions did so far.
    pub fn jit_stats(&self) -> JitStats {
        self.run.jit
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.run.plan
    }
}
