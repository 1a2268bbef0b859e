//! Plans as a session last got them.
//!
//! The plan of a text is shared by all sessions ([`super::plan`]). To find it there, to see that it still holds and to have it takes several
//! writes to memory that they all use: sessions on different processors then wait for each other's caches. So each keeps its own handle
//! on what it uses again and again, with handles on the tables, and tells by comparing what it has itself whether it still holds.
//!
//! Invariant: what is found here is what the shared cache would give, save that it looks for tables of another size once in
//! [`USES_PER_LOOK`] uses alone.

use super::env::StatementEnv;
use super::plan::Prepared;
use damask_catalog::SearchPath;
use damask_executor::Short;
use damask_planner::physical::{OutputColumn, Plan};
use damask_txn::{Engine, Table};
use damask_types::{Result, SqlType};
use hashbrown::HashMap;
use std::sync::{Arc, OnceLock};

/// A plan goes back to the shared cache every so many uses.
const USES_PER_LOOK: u32 = 32;
/// Most plans a session has; all go when there are more.
const PLANS_MAX: usize = 256;

/// A plan that a session runs.
#[derive(Debug)]
pub(crate) struct OwnPlan {
    pub(crate) plan: Arc<Plan>,
    /// A copy of the plan's.
    pub(crate) parameters: Arc<[SqlType]>,
    /// A copy of the plan's.
    pub(crate) columns: Arc<[OutputColumn]>,
    /// The same by value, if it is of that kind.
    pub(crate) short: Option<Arc<Short>>,
    /// The tables that this reads or writes, once it has run.
    tables: OnceLock<Vec<Table>>,
}

impl OwnPlan {
    /// Of a plan that others have, too. Its tables need not be there yet, or any more: that is sure once they are locked.
    pub(crate) fn new(plan: Arc<Plan>, short: Option<Arc<Short>>) -> Self {
        Self {
            parameters: plan.parameters.iter().copied().collect(),
            columns: plan.columns.iter().cloned().collect(),
            tables: OnceLock::new(),
            plan,
            short,
        }
    }

    /// The tables of its short form, which are locked.
    ///
    /// # Errors
    /// XX000 if the engine lacks one of them.
    pub(crate) fn tables(&self, engine: &Arc<Engine>) -> Result<&[Table]> {
        if let Some(tables) = self.tables.get() {
            return Ok(tables);
        }
        let tables = self.short.iter().flat_map(|short| short.tables());
        let tables = tables.map(|rel| engine.table_handle(rel)).collect::<Result<_>>()?;
        Ok(self.tables.get_or_init(|| tables))
    }
}

/// A session's plans, by the address of their statement.
#[derive(Debug, Default)]
pub(crate) struct OwnPlans(HashMap<usize, Kept>);

/// A plan, and what it was got under.
#[derive(Debug)]
struct Kept {
    plan: Arc<OwnPlan>,
    /// Whose address is the key.
    _prepared: Arc<Prepared>,
    epoch: u64,
    /// The session looks it up anew when the catalog, a setting or its temporary schema changes, so it stands for all of them.
    path: Arc<SearchPath>,
    uses: u32,
}

impl OwnPlans {
    /// The plan of a statement, if what was kept holds; `epoch` is how often ANALYZE has run.
    pub(crate) fn find(
        &mut self,
        prepared: &Arc<Prepared>,
        env: &StatementEnv,
        epoch: u64,
    ) -> Option<Arc<OwnPlan>> {
        let kept = self.0.get_mut(&address(prepared))?;
        kept.uses += 1;
        let holds =
            Arc::ptr_eq(&kept.path, &env.path) && kept.epoch == epoch && kept.uses < USES_PER_LOOK;
        holds.then(|| Arc::clone(&kept.plan))
    }

    /// Keeps what was got, unless it is of a catalog that no other transaction sees.
    pub(crate) fn keep(
        &mut self,
        prepared: &Arc<Prepared>,
        env: &StatementEnv,
        epoch: u64,
        plan: &Arc<OwnPlan>,
    ) {
        if env.catalog.version == u64::MAX {
            return;
        }
        if self.0.len() >= PLANS_MAX {
            self.0.clear();
        }
        let kept = Kept {
            plan: Arc::clone(plan),
            _prepared: Arc::clone(prepared),
            epoch,
            path: Arc::clone(&env.path),
            uses: 0,
        };
        self.0.insert(address(prepared), kept);
    }
}

fn address(prepared: &Arc<Prepared>) -> usize {
    Arc::as_ptr(prepared).addr()
}
