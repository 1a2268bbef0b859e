//! What functions and system relations may ask of a session, for the length of one statement.

use super::Notice;
use super::backend::{Backend, Backends};
use super::named::Shown;
use super::setting_list::{Context, Kind};
use super::settings::{Effective, Level, Settings, unknown_setting};
use super::shared_settings::SharedSettings;
use crate::notify::{Bus, Pending};
use damask_catalog::object::{Index, Relation, RelationKind};
use damask_catalog::system::{
    self, Activity, CursorRow, LockRow, LockTarget, Maintained, MemoryRow, NodeRow, PoolRow,
    PreparedRow, SettingRow, SystemContext, SystemSession, VersionCounts,
};
use damask_catalog::{Catalog, CatalogSnapshot, SearchPath};
use damask_storage::Purpose;
use damask_storage::env::{Clock, Random};
use damask_storage::page::UNIT_BYTES;
use damask_storage::pool::NodeStatistics;
use damask_txn::{IsolationLevel, Metrics, SequenceState, SessionLocks, TxnHandle};
use damask_types::format::{FormatSettings, TimeZone};
use damask_types::{Error, Oid, RelId, Result, SqlState, TypeId, Value};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a session keeps across statements and functions may change.
pub(crate) struct SessionState {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) backends: Arc<Backends>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) settings: SharedSettings,
    pub(crate) database: String,
    /// The role that connected.
    pub(crate) user: (Oid, String),
    /// Its advisory locks that outlive transactions.
    pub(crate) locks: SessionLocks,
    pub(crate) bus: Arc<Bus>,
    /// What the open transaction listens to and notifies.
    pub(crate) pending: Mutex<Pending>,
    /// It listens to some channel.
    pub(crate) listens: AtomicBool,
    /// Warnings of functions, for the client.
    notices: Mutex<Vec<Notice>>,
    /// There are some. They are asked for after each message, and rarely there.
    has_notices: AtomicBool,
    /// What `pg_prepared_statements` and `pg_cursors` show.
    pub(crate) shown: Shown,
    sequences: Mutex<Sequences>,
    random: Mutex<u64>,
    entropy: Arc<dyn Random>,
}

/// `currval` and `lastval`.
#[derive(Debug, Default)]
struct Sequences {
    values: HashMap<Oid, i64>,
    last: Option<Oid>,
}

impl SessionState {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Random>,
        backends: Arc<Backends>,
        backend: Arc<Backend>,
        locks: SessionLocks,
        bus: Arc<Bus>,
        settings: Settings,
        database: String,
        user: (Oid, String),
    ) -> Self {
        Self {
            catalog,
            clock,
            backends,
            backend,
            settings: SharedSettings::new(settings),
            database,
            user,
            locks,
            bus,
            pending: Mutex::default(),
            listens: AtomicBool::new(false),
            notices: Mutex::default(),
            has_notices: AtomicBool::new(false),
            shown: Shown::default(),
            sequences: Mutex::default(),
            random: Mutex::new(entropy.next_u64() | 1),
            entropy,
        }
    }

    /// Tells the client something while a statement runs.
    pub(crate) fn notice(&self, level: Level, error: Error) {
        let mut notices = self.notices.lock();
        notices.push(Notice { level, error: Arc::new(error) });
        self.has_notices.store(true, Ordering::Release);
    }

    /// Takes what [`SessionState::notice`] was told.
    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        if !self.has_notices.load(Ordering::Acquire) {
            return vec![];
        }
        let mut notices = self.notices.lock();
        self.has_notices.store(false, Ordering::Release);
        std::mem::take(&mut *notices)
    }

    /// Forgets what `currval` knows (`DISCARD SEQUENCES`).
    pub(crate) fn discard_sequences(&self) {
        *self.sequences.lock() = Sequences::default();
    }
}

/// One statement's view of its session. Immutable, so that an execution can outlive the call that began it.
pub(crate) struct StatementEnv {
    pub(crate) state: Arc<SessionState>,
    pub(crate) catalog: Arc<CatalogSnapshot>,
    pub(crate) path: Arc<SearchPath>,
    pub(crate) effective: Arc<Effective>,
    pub(crate) transaction_timestamp: i64,
    pub(crate) statement_timestamp: i64,
    pub(crate) modes: Modes,
    pub(crate) txn: Option<TxnHandle>,
}

/// What a transaction is, of what SET TRANSACTION says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) isolation: IsolationLevel,
    pub(crate) read_only: bool,
}

impl SessionState {
    /// The value of a setting as SHOW prints it; some follow from the session's state.
    pub(crate) fn shown_setting(&self, name: &str, modes: Modes) -> Option<String> {
        let text = match &*name.to_ascii_lowercase() {
            "transaction_isolation" => match modes.isolation {
                IsolationLevel::ReadCommitted => "read committed",
                IsolationLevel::RepeatableRead => "repeatable read",
                IsolationLevel::Serializable => "serializable",
            },
            "transaction_read_only" if modes.read_only => "on",
            "transaction_read_only" => "off",
            "session_authorization" => &self.user.1,
            "role" => "none",
            "is_superuser" => "on",
            _ => return self.settings.lock().show(name),
        };
        Some(text.to_owned())
    }
}

impl StatementEnv {
    /// The context that system relations and catalog functions read.
    pub(crate) fn system(&self) -> SystemContext<'_> {
        SystemContext {
            snapshot: &self.catalog,
            path: &self.path,
            database: &self.state.database,
            session: self,
        }
    }

    fn sequence(&self, oid: Oid) -> Result<&Arc<Relation>> {
        let relation = self.catalog.relation(oid).ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_TABLE, format!("relation with OID {oid} does not exist"))
        })?;
        if relation.kind != RelationKind::Sequence {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a sequence", relation.name),
            ));
        }
        Ok(relation)
    }

    fn nextval(&self, oid: Oid) -> Result<i64> {
        let relation = self.sequence(oid)?;
        let sequence = relation.sequence.as_ref().expect("a sequence has a definition");
        let spec = damask_catalog::ddl::sequence_spec(sequence);
        let next = self.state.catalog.engine().sequence_next(relation.rel, &spec);
        let value = next.map_err(|mut error| {
            if error.sqlstate() == SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED {
                let (which, limit) = if sequence.increment > 0 {
                    ("maximum", sequence.max)
                } else {
                    ("minimum", sequence.min)
                };
                error.fields_mut().message = format!(
                    "nextval: reached {which} value of sequence \"{}\" ({limit})",
                    relation.name
                );
            }
            error
        })?;
        let mut sequences = self.state.sequences.lock();
        sequences.values.insert(oid, value);
        sequences.last = Some(oid);
        Ok(value)
    }

    fn currval(&self, oid: Oid) -> Result<i64> {
        let relation = self.sequence(oid)?;
        self.state.sequences.lock().values.get(&oid).copied().ok_or_else(|| {
            Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "currval of sequence \"{}\" is not yet defined in this session",
                    relation.name
                ),
            )
        })
    }

    fn lastval(&self) -> Result<i64> {
        let sequences = self.state.sequences.lock();
        sequences.last.and_then(|oid| sequences.values.get(&oid).copied()).ok_or_else(|| {
            Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "lastval is not yet defined in this session",
            )
        })
    }

    fn setval(&self, oid: Oid, value: i64, is_called: bool) -> Result<i64> {
        let relation = self.sequence(oid)?;
        let sequence = relation.sequence.as_ref().expect("a sequence has a definition");
        if value < sequence.min || value > sequence.max {
            return Err(Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    relation.name, sequence.min, sequence.max
                ),
            ));
        }
        let state = SequenceState { last_value: value, is_called };
        self.state.catalog.engine().sequence_set(relation.rel, state)?;
        if is_called {
            self.state.sequences.lock().values.insert(oid, value);
        }
        Ok(value)
    }

    fn sleep(&self, seconds: f64) -> Result<Value> {
        const SLICE: Duration = Duration::from_millis(5);
        let wanted = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        let start = self.state.clock.now();
        loop {
            self.state.backend.check()?;
            let Some(left) = wanted.checked_sub(self.state.clock.now().saturating_sub(start))
            else {
                return Ok(Value::text(""));
            };
            if left.is_zero() {
                return Ok(Value::text(""));
            }
            self.state.clock.sleep(left.min(SLICE));
        }
    }

    fn schemas(&self, with_implicit: bool) -> Value {
        let says = |wanted: &str| self.effective.search_path.iter().any(|name| name == wanted);
        let (names_catalog, names_temp) = (says("pg_catalog"), says("pg_temp"));
        let is_implicit = |oid: &Oid| {
            (*oid == damask_catalog::snapshot::PG_CATALOG && !names_catalog)
                || (Some(*oid) == self.path.temp && !names_temp)
        };
        let names = self
            .path
            .schemas
            .iter()
            .filter(|oid| with_implicit || !is_implicit(oid))
            .map(|&oid| Value::text(self.catalog.schema_name(oid)));
        Value::array(TypeId::Name, names.collect())
    }
}

impl damask_functions::Session for StatementEnv {
    fn transaction_timestamp(&self) -> i64 {
        self.transaction_timestamp
    }

    fn statement_timestamp(&self) -> i64 {
        self.statement_timestamp
    }

    fn clock_timestamp(&self) -> i64 {
        self.state.clock.wall_micros()
    }

    fn time_zone(&self) -> &TimeZone {
        &self.effective.format.time_zone
    }

    fn format(&self) -> &FormatSettings {
        &self.effective.format
    }

    fn random(&self) -> f64 {
        // xorshift64*: fast, and good enough for what SQL promises of random().
        let mut state = self.state.random.lock();
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        let bits = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    fn random_bytes(&self, out: &mut [u8]) -> Result<()> {
        self.state.entropy.fill(out);
        Ok(())
    }

    fn set_seed(&self, seed: f64) {
        *self.state.random.lock() = seed.to_bits() | 1;
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.state.settings.lock().show(name)
    }

    fn set_setting(&self, name: &str, value: Option<&str>, is_local: bool) -> Result<String> {
        let mut settings = self.state.settings.lock();
        settings.set(name, value, is_local)?;
        settings.show(name).ok_or_else(|| unknown_setting(name))
    }

    fn catalog_function(&self, function: &str, args: &[Value]) -> Result<Value> {
        let oid =
            |i: usize| args.get(i).and_then(Value::as_i64).map_or(Oid::NONE, |oid| Oid(oid as u32));
        let text = |i: usize| match args.get(i) {
            Some(Value::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        let int = |i: usize| args.get(i).and_then(Value::as_i64).unwrap_or(0);
        if let Some(result) = self.advisory(function, args) {
            return result;
        }
        Ok(match function {
            "nextval" => Value::Int8(self.nextval(oid(0))?),
            "currval" => Value::Int8(self.currval(oid(0))?),
            "lastval" => Value::Int8(self.lastval()?),
            "setval" => {
                let is_called = !matches!(args.get(2), Some(Value::Bool(false)));
                Value::Int8(self.setval(oid(0), int(1), is_called)?)
            }
            "current_user" | "session_user" | "user" | "current_role" => {
                Value::text(self.state.user.1.as_str())
            }
            "current_database" | "current_catalog" => Value::text(self.state.database.as_str()),
            "current_schema" => match self.path.creation {
                Some(oid) => Value::text(self.catalog.schema_name(oid)),
                None => Value::Null,
            },
            "current_schemas" => self.schemas(matches!(args.first(), Some(Value::Bool(true)))),
            "current_setting" => {
                let name = text(0).unwrap_or_default();
                match self.state.shown_setting(&name, self.modes) {
                    Some(value) => Value::text(value),
                    None if matches!(args.get(1), Some(Value::Bool(true))) => Value::Null,
                    None => return Err(unknown_setting(&name)),
                }
            }
            "set_config" => {
                let is_local = matches!(args.get(2), Some(Value::Bool(true)));
                let name = text(0).unwrap_or_default();
                Value::text(self.set_setting(&name, text(1).as_deref(), is_local)?)
            }
            "version" => Value::text(super::version_text()),
            "pg_backend_pid" => Value::Int4(self.state.backend.pid),
            "pg_cancel_backend" => Value::Bool(self.state.backends.cancel(int(0) as i32)),
            "pg_terminate_backend" => Value::Bool(self.state.backends.terminate(int(0) as i32)),
            "pg_sleep" => match args.first() {
                Some(Value::Float8(seconds)) => self.sleep(*seconds)?,
                _ => Value::Null,
            },
            "txid_current" | "pg_current_xact_id" => {
                let shown = |txn: &TxnHandle| super::advisory::shown_id(txn.id()).cast_signed();
                Value::Int8(self.txn.as_ref().map_or(0, shown))
            }
            "age" => {
                let next = super::advisory::shown_id(self.state.catalog.engine().next_txn()) as u32;
                let xid = int(0) as u32;
                Value::Int4(next.wrapping_sub(xid).cast_signed())
            }
            "pg_notify" => {
                let (channel, payload) = (text(0).unwrap_or_default(), text(1).unwrap_or_default());
                self.state.pending.lock().notify(&channel, &payload)?;
                Value::text("")
            }
            "pg_listening_channels" => {
                let channels = self.state.bus.channels(self.state.backend.pid);
                Value::array(TypeId::Text, channels.into_iter().map(Value::text).collect())
            }
            "pg_notification_queue_usage" => Value::Float8(self.state.bus.usage()),
            "pg_blocking_pids" => self.blocking_pids(int(0) as i32),
            "pg_is_in_recovery" => Value::Bool(false),
            "pg_postmaster_start_time" | "pg_conf_load_time" => {
                Value::TimestampTz(self.state.backends.start())
            }
            "inet_server_addr" | "inet_client_addr" | "inet_server_port" | "inet_client_port" => {
                Value::Null
            }
            _ => match system::functions::call(&self.system(), function, args) {
                Some(result) => result?,
                None => return Err(Error::unsupported(format!("function {function}()"))),
            },
        })
    }

    fn reg_from_name(&self, ty: TypeId, name: &str) -> Result<Oid> {
        system::functions::reg_from_name(&self.system(), ty, name)
    }

    fn reg_to_name(&self, ty: TypeId, oid: Oid) -> String {
        system::functions::reg_to_name(&self.system(), ty, oid)
    }
}

impl SystemSession for StatementEnv {
    fn size(&self, relation: &Relation) -> (i64, i64) {
        if relation.kind != RelationKind::Table {
            return (1, 1);
        }
        match self.state.catalog.engine().table(relation.rel) {
            Ok(table) => (table.row_count_estimate() as i64, table.page_count_estimate() as i64),
            Err(_) => (-1, 0),
        }
    }

    fn stored_bytes(&self, relation: &Relation) -> i64 {
        let table = self.state.catalog.engine().table(relation.rel);
        table.map_or(0, |table| table.stored_bytes() as i64)
    }

    fn index_stored_bytes(&self, relation: &Relation, index: &Index) -> i64 {
        let table = self.state.catalog.engine().table(relation.rel);
        // An integer primary key has no storage.
        table.and_then(|table| table.index_stored_bytes(index.rel)).unwrap_or(0) as i64
    }

    fn database_bytes(&self) -> i64 {
        self.state.catalog.engine().file_bytes() as i64
    }

    fn sequence_state(&self, relation: &Relation) -> Option<(i64, bool)> {
        let state = self.state.catalog.engine().sequence_get(relation.rel).ok()?;
        Some((state.last_value, state.is_called))
    }

    fn settings(&self) -> Vec<SettingRow> {
        let shown = |name| self.state.shown_setting(name, self.modes).unwrap_or_default();
        let modes = (shown("transaction_isolation"), shown("transaction_read_only"));
        let settings = self.state.settings.lock();
        settings
            .all()
            .into_iter()
            .map(|(definition, _)| {
                let (kind, unit, range, words): (_, _, _, &'static [&'static str]) =
                    match definition.kind {
                        Kind::Bool => ("bool", "", None, &[]),
                        Kind::Integer { min, max, unit } => {
                            ("integer", unit, Some((min.to_string(), max.to_string())), &[])
                        }
                        Kind::Real { min, max, unit } => {
                            ("real", unit, Some((min.to_string(), max.to_string())), &[])
                        }
                        Kind::Enum(words) => ("enum", "", None, words),
                        Kind::Text => ("string", "", None, &[]),
                    };
                // These two hold no numbers.
                let value = match definition.name {
                    "transaction_isolation" => modes.0.clone(),
                    "transaction_read_only" => modes.1.clone(),
                    name => settings.raw(name),
                };
                SettingRow {
                    name: definition.name,
                    value,
                    unit: (!unit.is_empty()).then_some(unit),
                    category: definition.category,
                    description: definition.description,
                    remark: definition.remark(),
                    context: match definition.context {
                        Context::Internal => "internal",
                        Context::Postmaster => "postmaster",
                        Context::Sighup => "sighup",
                        Context::User => "user",
                    },
                    kind,
                    range,
                    words,
                    source: settings.source(definition.name),
                    default: definition.default.to_owned(),
                    reset: settings.reset_value(definition.name),
                }
            })
            .collect()
    }

    fn activity(&self) -> Vec<Activity> {
        let mut activity = self.state.backends.activity();
        let holders = self.state.catalog.engine().snapshot_holders();
        let (owners, locks) = (self.lock_owners(), self.lock_rows());
        for activity in &mut activity {
            let own = holders
                .iter()
                .find(|holder| owners.get(&holder.owner).copied() == Some(activity.pid));
            activity.xmin = own.map(|holder| super::advisory::shown_id(holder.next_txn) as u32);
            activity.xid = locks.iter().find_map(|lock| match lock.target {
                LockTarget::Transaction(id) if lock.granted && lock.pid == activity.pid => Some(id),
                _ => None,
            });
        }
        activity
    }

    fn metrics(&self) -> Metrics {
        self.state.catalog.engine().metrics()
    }

    fn maintained(&self, relation: &Relation) -> Maintained {
        self.state.backends.maintained(relation.oid)
    }

    fn dead_rows(&self) -> HashMap<RelId, u64> {
        self.state.catalog.engine().dead_rows()
    }

    fn versions(&self) -> VersionCounts {
        let engine = self.state.catalog.engine();
        let metrics = engine.metrics();
        let holder = engine.snapshot_holders().into_iter().next();
        let owners = self.lock_owners();
        let last_commit = engine.last_commit();
        let log_holder = engine.log_holder();
        VersionCounts {
            versions: metrics.versions,
            undo_bytes: metrics.undo_bytes,
            undo_spilled_bytes: metrics.undo_spilled_bytes,
            hidden_ranges: metrics.hidden_ranges,
            garbage_rows: metrics.garbage_rows,
            last_commit: last_commit.0,
            watermark: holder.map_or(last_commit, |holder| holder.timestamp.min(last_commit)).0,
            pid: holder.and_then(|holder| owners.get(&holder.owner).copied()),
            kept_log_bytes: log_holder.map_or(0, |holder| holder.bytes),
            kept_log_pid: log_holder.and_then(|holder| owners.get(&holder.owner).copied()),
        }
    }

    fn memory(&self) -> Vec<MemoryRow> {
        let engine = self.state.catalog.engine();
        let governor = engine.memory();
        // A limit that is none is not shown.
        let limited = |bytes: usize| (bytes < usize::MAX).then_some(bytes as u64);
        let limit_of = |purpose| match purpose {
            Purpose::Pages => Some(engine.pool_bytes() as u64),
            Purpose::Versions | Purpose::Statements => None,
        };
        let of = |purpose: Purpose| MemoryRow {
            purpose: purpose.name(),
            used: governor.held(purpose) as u64,
            limit: limit_of(purpose),
        };
        let mut rows: Vec<MemoryRow> = Purpose::ALL.into_iter().map(of).collect();
        rows.push(MemoryRow {
            purpose: "total",
            used: governor.total() as u64,
            limit: limited(governor.limit()),
        });
        rows
    }

    fn nodes(&self) -> Vec<NodeRow> {
        let nodes = self.state.catalog.engine().node_statistics();
        let of = |statistics: NodeStatistics| NodeRow {
            node: statistics.node.number,
            cpus: Some(statistics.node.cpu_list()).filter(|cpus| !cpus.is_empty()),
            frames_max: statistics.frames_max as u64,
            frames: statistics.frame_count as u64,
            frames_spare: statistics.spare_count as u64,
            pages_afar: statistics.afar_count,
            is_bound: statistics.is_bound,
        };
        nodes.into_iter().map(of).collect()
    }

    fn pool(&self) -> PoolRow {
        let statistics = self.state.catalog.engine().pool_statistics();
        PoolRow {
            frames_max: statistics.frames_max as u64,
            frames: statistics.frame_count as u64,
            frames_huge: statistics.frame_huge_count as u64,
            pages: statistics.page_count as u64,
            pages_dirty: statistics.dirty_count as u64,
            pages_loaded: statistics.load_count,
            pages_ahead: statistics.ahead_count,
            io_method: statistics.io_method.name(),
            leaf_waits: statistics.leaf_waits,
            contention_splits: statistics.contention_splits,
            file_bytes: statistics.unit_count * UNIT_BYTES as u64,
            file_free_bytes: statistics.unit_free_count * UNIT_BYTES as u64,
        }
    }

    fn locks(&self) -> Vec<LockRow> {
        self.lock_rows()
    }

    fn prepared_statements(&self) -> Vec<PreparedRow> {
        self.state.shown.statements.lock().clone()
    }

    fn cursors(&self) -> Vec<CursorRow> {
        self.state.shown.cursors.lock().clone()
    }
}
