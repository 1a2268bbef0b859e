//! The way of one statement.

use super::env::StatementEnv;
use super::own_plan::OwnPlan;
use super::plan::{Prepared, has_into, is_planned};
use super::portal::Portal;
use super::{Completion, Session, Sink, Tag};
use damask_catalog::object::{Relation, RelationKind};
use damask_catalog::{CatalogSnapshot, SearchPath};
use damask_executor::context::Jit as ExecJit;
use damask_executor::{Control, ExecContext, Execution, Short, SystemRows};
use damask_functions::text_io::{is_reg_type, output};
use damask_planner::physical::Plan;
use damask_sql::ast::Statement;
use damask_txn::{LockTag, TableLock};
use damask_types::{Batch, Error, Oid, Result, SqlState, TypeId, Value, Vector};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A search path, and what it was looked up under.
pub(crate) struct KnownPath {
    /// Weak, so that a transaction that changes the catalog need not copy what only this holds.
    catalog: Weak<CatalogSnapshot>,
    generation: u64,
    temporary: Option<Oid>,
    path: Arc<SearchPath>,
}

/// A statement that is planned and has its locks.
pub(crate) struct Ready {
    pub(crate) env: Arc<StatementEnv>,
    pub(crate) plan: Arc<OwnPlan>,
    /// Whether its short form is to be run.
    pub(crate) is_short: bool,
}

impl Ready {
    /// The short form that is to be run, if that is so.
    fn short(&self) -> Option<&Short> {
        self.plan.short.as_deref().filter(|_| self.is_short)
    }
}

impl SystemRows for StatementEnv {
    fn rows(&self, relation: &Relation) -> Result<Vec<Vec<Value>>> {
        Ok(damask_catalog::system::rows(&self.system(), relation))
    }
}

impl Control for super::backend::Backend {
    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn now(&self) -> Duration {
        Self::now(self)
    }
}

/// How often a statement is planned anew because the catalog changed while it waited for locks.
const REPLANS_MAX: usize = 16;

impl Session {
    /// What the statement that begins now may ask of its session.
    pub(crate) fn statement_env(&mut self) -> Result<Arc<StatementEnv>> {
        self.catalog.refresh();
        if let Some(known) = self.known_env() {
            return Ok(known);
        }
        let catalog = Arc::clone(self.catalog.snapshot());
        let effective = Arc::clone(self.effective());
        let generation = self.state.settings.generation();
        let path = self.search_path(&catalog, &effective, generation);
        self.catalog.use_path(&path);
        let modes = self.modes();
        let env = Arc::new(StatementEnv {
            state: Arc::clone(&self.state),
            catalog,
            path,
            effective,
            transaction_timestamp: self.transaction_timestamp,
            statement_timestamp: self.now,
            modes,
            txn: self.txn.as_deref().map(damask_txn::Txn::handle),
        });
        self.env = self.txn.is_some().then(|| Arc::clone(&env));
        Ok(env)
    }

    /// What the last statement was given, if it serves the next one. Nothing is looked up here, and nothing written that other sessions use.
    fn known_env(&mut self) -> Option<Arc<StatementEnv>> {
        let (modes, temporary) = (self.modes(), self.temp_schema());
        let path = self.path.as_ref()?;
        let known = self.env.as_mut()?;
        let is_same = Arc::ptr_eq(&known.catalog, self.catalog.snapshot())
            && Arc::ptr_eq(&known.path, &path.path)
            && path.temporary == temporary
            && path.generation == self.state.settings.generation()
            && known.modes == modes;
        if !is_same {
            return None;
        }
        if known.statement_timestamp != self.now || known.txn.is_none() {
            // The statement before is done with it, or it gets another one.
            let env = Arc::get_mut(known)?;
            env.statement_timestamp = self.now;
            if env.txn.is_none() {
                env.transaction_timestamp = self.transaction_timestamp;
                env.txn = self.txn.as_deref().map(damask_txn::Txn::handle);
            }
        }
        Some(Arc::clone(known))
    }

    /// The transaction has ended: what is left of its statements' view serves the next one if nobody else has it, and the session
    /// stands on the same catalog.
    pub(crate) fn end_env(&mut self) {
        let Some(mut known) = self.env.take() else { return };
        if let Some(env) = Arc::get_mut(&mut known)
            && Arc::ptr_eq(&env.catalog, self.catalog.snapshot())
        {
            env.txn = None;
            self.env = Some(known);
        }
    }

    /// The search path, looked up again when the catalog, a setting or the temporary schema changed.
    fn search_path(
        &mut self,
        catalog: &Arc<CatalogSnapshot>,
        effective: &super::settings::Effective,
        generation: u64,
    ) -> Arc<SearchPath> {
        let temporary = self.temp_schema();
        if let Some(known) = &self.path
            && std::ptr::eq(known.catalog.as_ptr(), Arc::as_ptr(catalog))
            && known.generation == generation
            && known.temporary == temporary
        {
            return Arc::clone(&known.path);
        }
        let user = self.state.user.1.as_str();
        let names =
            effective.search_path.iter().map(|name| if name == "$user" { user } else { name });
        let path = Arc::new(catalog.search_path(names, temporary));
        let catalog = Arc::downgrade(catalog);
        self.path = Some(KnownPath { catalog, generation, temporary, path: Arc::clone(&path) });
        path
    }

    pub(crate) fn show_activity(&self, query: Option<&str>) {
        // A statement has just noted the time when it begins.
        let now = if query.is_some() { self.now } else { self.state.clock.wall_micros() };
        let state = match (query, self.status()) {
            (Some(_), _) => "active",
            (None, super::TransactionStatus::Idle) => "idle",
            (None, super::TransactionStatus::Open) => "idle in transaction",
            (None, super::TransactionStatus::Failed) => "idle in transaction (aborted)",
        };
        self.state.backend.show(|activity| {
            activity.state = state;
            activity.state_change = Some(now);
            if let Some(query) = query {
                activity.query.clear();
                activity.query.push_str(query);
                activity.query_start = Some(now);
            }
        });
    }

    /// Begins a statement: its timeouts, its transaction, its view.
    pub(crate) fn begin_statement(&mut self) -> Result<()> {
        let effective = self.effective.get(&self.state.settings);
        self.state.backend.begin_statement(
            effective.statement_timeout,
            effective.lock_timeout,
            effective.deadlock_timeout,
        );
        self.state.backend.check()?;
        self.ensure_transaction()?;
        self.txn.as_mut().expect("a transaction was ensured").begin_statement()
    }

    /// Runs a whole statement; `text` is what others see of it.
    pub(crate) fn run_statement(
        &mut self,
        prepared: &Arc<Prepared>,
        text: &str,
        params: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        let Some(statement) = prepared.statement() else {
            return Ok(Completion::Empty);
        };
        self.settle_commit()?;
        self.tick();
        self.show_activity(Some(text));
        if let Statement::Transaction(transaction) = statement {
            return self.transaction_statement(transaction).map(Completion::Tag);
        }
        self.check_not_failed()?;
        self.settle_reads()?;
        sink.hold(false);
        if !is_planned(statement) {
            return self.utility(prepared, statement, params, sink);
        }
        self.begin_statement()?;
        let ready = self.ready(prepared)?;
        let plan = &ready.plan.plan;
        let has_rows = returns_rows(plan, statement);
        if has_rows {
            sink.columns(&ready.plan.columns)?;
        }
        // A query's rows leave for the client before the end of the message. Those of RETURNING come after all changes are made, and
        // the first of them can be kept until then.
        let mut is_held = has_rows && !matches!(statement, Statement::Query(_)) && sink.hold(true);
        let is_early = !has_rows || is_held;
        if let Some(short) = ready.short() {
            let rows = self.run_short(short, &ready, params, is_early, sink)?;
            return Ok(Completion::Tag(tag(statement, rows, rows)));
        }
        let plan = Arc::clone(plan);
        let mut execution = self.execution(plan, params.to_vec(), &ready.env, false)?;
        let settings = Arc::clone(self.effective());
        let names = self.object_names(&execution)?;
        let mut rows = 0;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        txn.allow_early(is_early);
        while let Some(batch) = execution.next(txn)? {
            if is_held && rows > 0 {
                is_held = false;
                txn.allow_early(false);
                txn.settle()?;
                sink.hold(false);
            }
            rows += batch.rows() as u64;
            if has_rows {
                let batch = with_object_names(batch, names.as_deref());
                sink.rows(&batch, &settings.format)?;
            }
        }
        Ok(Completion::Tag(tag(statement, rows, execution.affected_rows())))
    }

    /// What turns OIDs of objects into names, if a result has some.
    fn object_names(&mut self, execution: &Execution) -> Result<Option<Arc<StatementEnv>>> {
        let has_names =
            execution.plan().columns.iter().any(|column| has_object_names(column.ty.id));
        has_names.then(|| self.statement_env()).transpose()
    }

    /// Plans and locks; the execution stands before its first row. The caller has begun the statement.
    pub(crate) fn start(
        &mut self,
        prepared: &Arc<Prepared>,
        params: &[Value],
    ) -> Result<Execution> {
        let Ready { plan, env, is_short: _ } = self.ready(prepared)?;
        self.execution(Arc::clone(&plan.plan), params.to_vec(), &env, false)
    }

    /// Plans and locks. The caller has begun the statement.
    pub(crate) fn ready(&mut self, prepared: &Arc<Prepared>) -> Result<Ready> {
        let (env, plan) = self.plan_and_lock(prepared)?;
        self.show_named(&plan.plan);
        if plan.plan.writes {
            self.check_writable(prepared.statement().map_or("", command_name))?;
        }
        let keeps_reads = || {
            let view = self.txn.as_ref().and_then(|txn| txn.view_ref().ok());
            view.is_some_and(damask_txn::ReadView::keeps_reads)
        };
        let is_unfit =
            |short: &Short| self.avoids_short_path || short.keeps_more() && keeps_reads();
        let is_short = plan.short.as_deref().is_some_and(|short| !is_unfit(short));
        Ok(Ready { env, plan, is_short })
    }

    /// The plan of a statement, whose tables are locked, and the catalog that it holds for. The statement's snapshot is not older than either:
    /// rows that others have written anew, as some changes of a table do, are in no snapshot from before.
    pub(crate) fn plan_and_lock(
        &mut self,
        prepared: &Arc<Prepared>,
    ) -> Result<(Arc<StatementEnv>, Arc<OwnPlan>)> {
        let mut replans = 0;
        loop {
            // From before the snapshot.
            let known = Arc::as_ptr(self.catalog.snapshot());
            let env = self.statement_env()?;
            let plan = self.plan(prepared, &env)?;
            let has_waited = self.lock_plan(&plan.plan)?;
            self.catalog.refresh();
            // Otherwise the catalog changed before we had the locks, perhaps without making us wait: the plan may speak of what is gone.
            let is_current = Arc::ptr_eq(self.catalog.snapshot(), &env.catalog);
            if has_waited || !is_current || !std::ptr::eq(known, Arc::as_ptr(&env.catalog)) {
                self.txn.as_mut().expect("a statement runs in a transaction").begin_statement()?;
            }
            if is_current || replans == REPLANS_MAX {
                return Ok((env, plan));
            }
            replans += 1;
        }
    }

    /// An execution of a plan.
    pub(crate) fn execution(
        &self,
        plan: Arc<Plan>,
        params: Vec<Value>,
        env: &Arc<StatementEnv>,
        timing: bool,
    ) -> Result<Execution> {
        let ctx = ExecContext {
            params,
            session: Arc::clone(env) as _,
            engine: Arc::clone(self.database.shared.catalog.engine()),
            catalog: Arc::clone(&env.catalog),
            system: Arc::clone(env) as _,
            control: Arc::clone(&self.state.backend) as _,
            memory_bytes_max: self.database.shared.options.configuration.query_memory_bytes(),
            memory: Arc::clone(&self.database.shared.env.memory),
            work_mem_bytes: env.effective.work_mem_bytes,
            hash_mem_bytes: env.effective.hash_mem_bytes,
            jit: match env.effective.jit {
                super::settings::Jit::Off => ExecJit::Off,
                super::settings::Jit::On => ExecJit::On,
                super::settings::Jit::Force => ExecJit::Force,
                super::settings::Jit::Verify => ExecJit::Verify,
            },
            timing,
        };
        Execution::start(plan, ctx, self.txn.as_ref().expect("a statement runs in a transaction"))
    }

    /// Locks what a plan uses, and says whether it had to wait. The catalog may have changed before that is done.
    fn lock_plan(&mut self, plan: &Plan) -> Result<bool> {
        let mut has_waited = false;
        for used in &plan.relations {
            if used.relation.kind != RelationKind::Table {
                continue;
            }
            self.use_relation(&used.relation, used.written)?;
            let lock = match (used.written, plan.locks_rows) {
                (true, _) => TableLock::RowExclusive,
                (false, true) => TableLock::RowShare,
                (false, false) => TableLock::AccessShare,
            };
            let txn = self.txn.as_mut().expect("a statement runs in a transaction");
            match txn.lock_relation(LockTag::Relation(used.relation.oid), lock, false) {
                Err(error) if error.sqlstate() == SqlState::LOCK_NOT_AVAILABLE => {
                    self.lock(used.relation.oid, lock)?;
                    has_waited = true;
                }
                locked => locked?,
            }
        }
        Ok(has_waited)
    }

    /// Locks a relation until the transaction ends.
    pub(crate) fn lock(&mut self, oid: Oid, lock: TableLock) -> Result<()> {
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        txn.lock_relation(LockTag::Relation(oid), lock, true)
    }

    /// Runs a portal for at most `limit` rows; 0 is all.
    pub(crate) fn run_portal(
        &mut self,
        name: &str,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        let mut portal = self.portals.remove(name).expect("the caller looked the portal up");
        let is_query = matches!(portal.statement.prepared.statement(), Some(Statement::Query(query)) if !has_into(query));
        if portal.execution.is_none() && portal.left.is_none() && !portal.is_done && !is_query {
            // Everything but a plain query runs to its end at once.
            let statement = &portal.statement;
            let params = std::mem::take(&mut portal.params);
            portal.is_done = true;
            if statement.has_columns() {
                let (_, columns) = self.describe(&statement.prepared)?;
                statement.check(columns.as_deref().unwrap_or_default())?;
            }
            let prepared = &statement.prepared;
            let result = self.run_statement(prepared, prepared.own_text(), &params, sink);
            if result.is_err() {
                self.failed = Some(portal.statement);
            } else if self.block.is_open() {
                self.portals.insert(name, portal);
            }
            return result;
        }
        if portal.is_done && !is_query {
            return Err(Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("portal \"{name}\" cannot be run"),
            ));
        }
        let result = self.step_portal(&mut portal, limit, sink);
        if result.is_ok() {
            self.portals.insert(name, portal);
        } else {
            self.failed = Some(portal.statement);
        }
        result
    }

    /// Gives the next rows of a query's portal.
    pub(crate) fn step_portal(
        &mut self,
        portal: &mut Portal,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        self.check_not_failed()?;
        self.settle_commit()?;
        self.settle_reads()?;
        sink.hold(false);
        if portal.execution.is_none() && !portal.is_done && portal.held.is_none() {
            self.tick();
            self.show_activity(Some(portal.statement.prepared.own_text()));
            self.begin_statement()?;
            let params = std::mem::take(&mut portal.params);
            let ready = self.ready(&portal.statement.prepared)?;
            portal.statement.check(&ready.plan.columns)?;
            sink.columns(&ready.plan.columns)?;
            if let Some(short) = ready.short()
                && (limit == 0 || limit > 1 && short.is_unique())
            {
                let rows = self.run_short(short, &ready, &params, true, sink)?;
                portal.given += rows;
                portal.is_done = true;
                return Ok(Completion::Tag(counted("SELECT ", rows)));
            }
            let plan = Arc::clone(&ready.plan.plan);
            let execution = self.execution(plan, params, &ready.env, false)?;
            portal.execution = Some(Box::new(execution));
        }
        let effective = Arc::clone(self.effective());
        let names = match &portal.execution {
            Some(execution) => self.object_names(execution)?,
            None => None,
        };
        let mut given = 0;
        while limit == 0 || given < limit {
            let Some((batch, from)) = self.next_rows(portal)? else { break };
            let batch = with_object_names(batch, names.as_deref());
            let available = batch.rows() - from;
            let wanted =
                if limit == 0 { available } else { available.min((limit - given) as usize) };
            if from == 0 && wanted == batch.rows() {
                sink.rows(&batch, &effective.format)?;
            } else {
                let rows: Vec<u32> = (from as u32..(from + wanted) as u32).collect();
                let columns = batch.columns.iter().map(|column| column.gather(&rows)).collect();
                sink.rows(&Batch::new(columns, wanted), &effective.format)?;
                if wanted < available {
                    portal.left = Some((batch, from + wanted));
                }
            }
            given += wanted as u64;
        }
        portal.given += given;
        // PostgreSQL says "suspended" whenever the limit was reached, also at the very end.
        if limit != 0 && given == limit {
            return Ok(Completion::Suspended);
        }
        portal.is_done = true;
        if !portal.is_named_cursor {
            // Its snapshot goes with it.
            portal.execution = None;
        }
        Ok(Completion::Tag(counted("SELECT ", given)))
    }

    /// The next batch of a portal and the first of its rows that is left.
    fn next_rows(&mut self, portal: &mut Portal) -> Result<Option<(Batch, usize)>> {
        if let Some(left) = portal.left.take() {
            return Ok(Some(left));
        }
        if let Some(held) = &mut portal.held {
            return Ok(held.next_rows()?.map(|batch| (batch, 0)));
        }
        let (Some(execution), Some(txn)) = (&mut portal.execution, &mut self.txn) else {
            return Ok(None);
        };
        Ok(execution.next(txn)?.map(|batch| (batch, 0)))
    }
}

/// Whether a statement's rows go to the client.
pub(crate) fn returns_rows(plan: &Plan, statement: &Statement) -> bool {
    matches!(statement, Statement::Query(_)) || !plan.columns.is_empty()
}

/// The command's name in messages.
pub(crate) fn command_name(statement: &Statement) -> &'static str {
    match statement {
        Statement::Query(_) => "SELECT",
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        _ => "this command",
    }
}

/// The command tag of a planned statement.
pub(crate) fn tag(statement: &Statement, rows: u64, affected: u64) -> Tag {
    match statement {
        Statement::Insert(_) => counted("INSERT 0 ", affected),
        Statement::Update(_) => counted("UPDATE ", affected),
        Statement::Delete(_) => counted("DELETE ", affected),
        _ => counted("SELECT ", rows),
    }
}

/// A word and a number.
fn counted(word: &'static str, count: u64) -> Tag {
    // Formatting costs as much as finding a row by its key.
    let usual = match (word, count) {
        ("SELECT ", 0) => "SELECT 0",
        ("SELECT ", 1) => "SELECT 1",
        ("INSERT 0 ", 1) => "INSERT 0 1",
        ("UPDATE ", 0) => "UPDATE 0",
        ("UPDATE ", 1) => "UPDATE 1",
        ("DELETE ", 0) => "DELETE 0",
        ("DELETE ", 1) => "DELETE 1",
        _ => return format!("{word}{count}").into(),
    };
    usual.into()
}

/// Whether values of a type are shown as the names of objects.
pub(crate) fn has_object_names(ty: TypeId) -> bool {
    is_reg_type(ty) || ty.element().is_some_and(is_reg_type)
}

/// The batch with the names of objects, as text, in place of their OIDs.
fn with_object_names(batch: Batch, names: Option<&StatementEnv>) -> Batch {
    let Some(names) = names else {
        return batch;
    };
    let mut batch = batch.compact();
    let rows = batch.rows();
    for column in &mut batch.columns {
        let ty = column.ty;
        if has_object_names(ty) {
            let texts: Vec<Value> = (0..rows)
                .map(|row| output(names, ty, &column.value(row)).map_or(Value::Null, Value::text))
                .collect();
            *column = Vector::from_values(TypeId::Text, &texts);
        }
    }
    batch
}
