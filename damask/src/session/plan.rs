//! Prepared statements and the plans they keep.
//!
//! A plan is good for one version of the catalog and one search path, until ANALYZE runs or a table that it reads is of another size
//! than when it was made. The cache is keyed by the statement's text and the types the
//! client gave its parameters, and is shared by all sessions; the least recently used half goes when it is full.

use super::Session;
use super::env::StatementEnv;
use super::own_plan::OwnPlan;
use super::run::has_object_names;
use crate::statistics::{TableStatistics, is_stale};
use damask_catalog::SearchPath;
use damask_catalog::object::RelationKind;
use damask_executor::Short;
use damask_planner::physical::{OutputColumn, Plan};
use damask_planner::{PlanContext, Tuning};
use damask_sql::{Parsed, ast};
use damask_txn::ReadView;
use damask_types::format::{DateOrder, FormatSettings, IntervalStyle};
use damask_types::{Result, SqlType, TypeId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most statements the cache holds.
const CACHE_STATEMENTS_MAX: usize = 2048;
/// No version of the catalog.
pub(crate) const NEVER: u64 = u64::MAX - 1;
/// Longest text it holds.
const CACHE_TEXT_BYTES_MAX: usize = 64 << 10;

/// A parsed statement with its plan, if it has one.
#[derive(Debug)]
pub struct Prepared {
    text: Arc<str>,
    parsed: Option<Parsed>,
    /// Types of parameters as the client gave them.
    types: Vec<Option<TypeId>>,
    plan: Mutex<Option<Planned>>,
    used: AtomicU64,
    /// Of a [template](super::lifted): the version of the catalog under which it was found not to stand for its texts.
    pub(crate) unfit: AtomicU64,
}

/// A plan, and what it was made under.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Arc<Plan>,
    /// The same by value, if it is of that kind.
    short: Option<Arc<Short>>,
    version: u64,
    path: Arc<SearchPath>,
    /// How often ANALYZE had run.
    epoch: u64,
    /// Rows of the tables it reads, in the order of the plan's relations.
    sizes: Arc<[f64]>,
    /// Literals are read when the plan is made, as these settings say.
    reading: Reading,
    tuning: Tuning,
}

/// The settings that literals of dates and times are read by.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    date_order: DateOrder,
    interval_style: IntervalStyle,
    time_zone: String,
}

impl Reading {
    fn of(format: &FormatSettings) -> Self {
        Self {
            date_order: format.date_order,
            interval_style: format.interval_style,
            time_zone: format.time_zone.name.clone(),
        }
    }

    fn is_of(&self, format: &FormatSettings) -> bool {
        self.date_order == format.date_order
            && self.interval_style == format.interval_style
            && self.time_zone == format.time_zone.name
    }
}

impl Prepared {
    pub(crate) fn new(text: Arc<str>, parsed: Option<Parsed>, types: Vec<Option<TypeId>>) -> Self {
        Self {
            text,
            parsed,
            types,
            plan: Mutex::new(None),
            used: AtomicU64::new(0),
            unfit: AtomicU64::new(NEVER),
        }
    }

    /// The whole text it was part of, into which positions point.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The statement; none for an empty text.
    pub fn statement(&self) -> Option<&ast::Statement> {
        self.parsed.as_ref().map(|parsed| &parsed.statement)
    }

    /// Types of the parameters as far as they are known: from its plan, or else from the client.
    pub(crate) fn parameter_types(&self) -> Vec<Option<TypeId>> {
        match &*self.plan.lock() {
            Some(planned) => planned.plan.parameters.iter().map(|ty| Some(ty.id)).collect(),
            None => self.types.clone(),
        }
    }

    /// The statement's own text.
    pub(crate) fn own_text(&self) -> &str {
        self.parsed
            .as_ref()
            .and_then(|parsed| self.text.get(parsed.span.start as usize..parsed.span.end as usize))
            .unwrap_or("")
    }

    /// Part of the text.
    pub(crate) fn slice(&self, span: ast::Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

/// Plans by text.
#[derive(Debug, Default)]
pub(crate) struct PlanCache {
    statements: Mutex<HashMap<Arc<str>, Vec<Arc<Prepared>>>>,
    clock: AtomicU64,
}

impl PlanCache {
    /// The statement of this text and these parameter types.
    pub(crate) fn find(&self, text: &str, types: &[Option<TypeId>]) -> Option<Arc<Prepared>> {
        let statements = self.statements.lock();
        let found = statements.get(text)?.iter().find(|prepared| prepared.types == types)?;
        found.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(Arc::clone(found))
    }

    /// Keeps a statement that is planned, or one that ends or begins a transaction (others gain nothing from it).
    pub(crate) fn keep(&self, prepared: &Arc<Prepared>) {
        if prepared
            .statement()
            .is_some_and(|statement| is_planned(statement) || is_short(statement))
        {
            self.keep_any(prepared);
        }
    }

    pub(crate) fn keep_any(&self, prepared: &Arc<Prepared>) {
        if prepared.text.len() > CACHE_TEXT_BYTES_MAX {
            return;
        }
        let mut statements = self.statements.lock();
        if statements.len() >= CACHE_STATEMENTS_MAX {
            let mut ages: Vec<u64> = statements
                .values()
                .flatten()
                .map(|prepared| prepared.used.load(Ordering::Relaxed))
                .collect();
            let middle = ages.len() / 2;
            let (_, median, _) = ages.select_nth_unstable(middle);
            let median = *median;
            statements.retain(|_, list| {
                list.retain(|prepared| prepared.used.load(Ordering::Relaxed) > median);
                !list.is_empty()
            });
        }
        prepared.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        statements.entry(Arc::clone(&prepared.text)).or_default().push(Arc::clone(prepared));
    }
}

/// Whether parsing a statement is much of what it costs.
fn is_short(statement: &ast::Statement) -> bool {
    use ast::Transaction::{Begin, Commit, Rollback};
    matches!(statement, ast::Statement::Transaction(Begin { .. } | Commit { .. } | Rollback { .. }))
}

/// Whether a statement is run by a plan of the planner.
pub(crate) fn is_planned(statement: &ast::Statement) -> bool {
    match statement {
        ast::Statement::Query(query) => !has_into(query),
        ast::Statement::Insert(_) | ast::Statement::Update(_) | ast::Statement::Delete(_) => true,
        _ => false,
    }
}

/// Whether a query is `SELECT ... INTO`, which makes a table.
pub(crate) fn has_into(query: &ast::Query) -> bool {
    into_clause(query).is_some()
}

/// The INTO of such a query.
pub(crate) fn into_clause(query: &ast::Query) -> Option<&ast::IntoTable> {
    match &query.body {
        ast::QueryBody::Select(select) => select.into.as_ref(),
        _ => None,
    }
}

/// Where `INTO [TABLE] name` stands in a query's text, which begins at `offset`.
fn into_range(text: &str, offset: u32, name: ast::Span) -> std::ops::Range<usize> {
    let end = (name.end - offset) as usize;
    let before = &text[..(name.start - offset) as usize];
    let start = before.to_ascii_lowercase().rfind("into").unwrap_or(before.len());
    start..end
}

impl Session {
    /// What is known of tables' sizes and contents.
    pub(crate) fn table_statistics(&self) -> TableStatistics<'_> {
        let shared = &self.database.shared;
        TableStatistics {
            samples: &shared.samples,
            engine: shared.catalog.engine(),
            clock: &*shared.env.clock,
            // Plans may depend on rows, answers do not depend on plans.
            view: self.txn.as_ref().and_then(|txn| txn.view().ok()).map(ReadView::untracked),
        }
    }

    /// Calls `f` with what planning may look at.
    pub(crate) fn with_plan_context<R>(
        &self,
        env: &StatementEnv,
        text: &str,
        types: &[Option<TypeId>],
        f: impl FnOnce(&PlanContext<'_>) -> R,
    ) -> R {
        let statistics = self.table_statistics();
        f(&PlanContext {
            catalog: &env.catalog,
            path: &env.path,
            session: env,
            text,
            parameters: types,
            statistics: &statistics,
            tuning: env.effective.tuning,
        })
    }

    /// The plan of a statement, of the session's own or of those that all share.
    pub(crate) fn plan(
        &mut self,
        prepared: &Arc<Prepared>,
        env: &StatementEnv,
    ) -> Result<Arc<OwnPlan>> {
        let epoch = self.database.shared.samples.epoch();
        if let Some(own) = self.own_plans.find(prepared, env, epoch) {
            return Ok(own);
        }
        let (plan, short) = self.shared_plan(prepared, env)?;
        let own = Arc::new(OwnPlan::new(plan, short));
        self.own_plans.keep(prepared, env, epoch, &own);
        Ok(own)
    }

    /// The plan that sessions share, made now if what is kept does not fit, with its short form if it has one.
    fn shared_plan(
        &self,
        prepared: &Prepared,
        env: &StatementEnv,
    ) -> Result<(Arc<Plan>, Option<Arc<Short>>)> {
        let version = env.catalog.version;
        let epoch = self.database.shared.samples.epoch();
        {
            let kept = prepared.plan.lock();
            if let Some(planned) = &*kept
                && planned.version == version
                && planned.epoch == epoch
                && version != u64::MAX
                && (Arc::ptr_eq(&planned.path, &env.path) || planned.path == env.path)
                && planned.reading.is_of(damask_functions::Session::format(env))
                && planned.tuning == env.effective.tuning
                && !self.sizes_changed(&planned.plan, &planned.sizes)
            {
                return Ok((Arc::clone(&planned.plan), planned.short.clone()));
            }
        }
        let statement = prepared.statement().expect("a statement that is planned is there");
        let plan = self.with_plan_context(env, &prepared.text, &prepared.types, |ctx| {
            damask_planner::bind_and_plan(statement, ctx)
        })?;
        let shown = plan.columns.iter().all(|column| !has_object_names(column.ty.id));
        let short = if shown { Short::of(&plan).map(Arc::new) } else { None };
        let plan = Arc::new(plan);
        if version != u64::MAX {
            let reading = Reading::of(damask_functions::Session::format(env));
            let path = Arc::clone(&env.path);
            let sizes = self.table_sizes(&plan).collect();
            let tuning = env.effective.tuning;
            let (plan, short) = (Arc::clone(&plan), short.clone());
            let planned = Planned { plan, short, version, path, epoch, sizes, reading, tuning };
            *prepared.plan.lock() = Some(planned);
        }
        Ok((plan, short))
    }

    /// Rows of the tables that a plan reads or writes.
    fn table_sizes(&self, plan: &Plan) -> impl Iterator<Item = f64> {
        let engine = self.database.shared.catalog.engine();
        plan.relations.iter().map(|used| match used.relation.kind {
            RelationKind::Table => engine
                .table(used.relation.rel)
                .map_or(0.0, |table| table.row_count_estimate() as f64),
            _ => 0.0,
        })
    }

    /// Whether some table has grown or shrunk so much that another plan may be better.
    fn sizes_changed(&self, plan: &Plan, then: &[f64]) -> bool {
        self.table_sizes(plan)
            .zip(then)
            .any(|(now, then)| is_stale(*then, now) && (now > 2.0 * then || now < 0.5 * then))
    }

    /// The query of a statement that keeps its rows, in a cursor or in a new table. The statement's parameters are the query's, with the types
    /// that the client gave them.
    pub(super) fn inner_query(&mut self, prepared: &Prepared) -> Result<Option<Arc<Prepared>>> {
        let text = match prepared.statement() {
            Some(ast::Statement::DeclareCursor(declare)) => {
                Cow::Borrowed(prepared.slice(declare.query.span))
            }
            Some(ast::Statement::CreateTableAs(create)) => match &create.source {
                ast::Statement::Query(query) => Cow::Borrowed(prepared.slice(query.span)),
                _ => return Ok(None),
            },
            Some(ast::Statement::Query(query)) => match into_clause(query) {
                Some(into) => {
                    // The same without INTO: its words are cut out of the text.
                    let text = prepared.slice(query.span);
                    let cut = into_range(text, query.span.start, into.name.span());
                    Cow::Owned(format!("{} {}", &text[..cut.start], &text[cut.end..]))
                }
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.prepare(&text, prepared.parameter_types()).map(Some)
    }

    /// Parameter types and result columns of a statement.
    pub(crate) fn describe(
        &mut self,
        prepared: &Arc<Prepared>,
    ) -> Result<(Arc<[SqlType]>, Option<Arc<[OutputColumn]>>)> {
        let given = || {
            prepared
                .types
                .iter()
                .map(|ty| SqlType::plain(ty.unwrap_or(TypeId::Text)))
                .collect::<Arc<[_]>>()
        };
        let Some(statement) = prepared.statement() else {
            return Ok((given(), None));
        };
        if is_planned(statement) {
            self.check_not_failed()?;
            self.ensure_transaction()?;
            let env = self.statement_env()?;
            let plan = self.plan(prepared, &env)?;
            let columns = (!plan.columns.is_empty()
                || matches!(statement, ast::Statement::Query(_)))
            .then(|| Arc::clone(&plan.columns));
            return Ok((Arc::clone(&plan.parameters), columns));
        }
        if let Some(query) = self.inner_query(prepared)? {
            return Ok((self.describe(&query)?.0, None));
        }
        Ok((given(), self.utility_columns(statement)?))
    }
}
