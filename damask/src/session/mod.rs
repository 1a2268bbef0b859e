//! One session engine for both doors.
//!
//! A [`Session`] runs statements one after the other: parse, plan (or find the plan), lock, run, and keep the transaction block's
//! rules. Results leave through a [`Sink`]; the wire and the embedded API encode them their own way.
//!
//! Reading order: [`transaction`] has the block's states, [`plan`] prepared statements and the plan cache, [`run`] the way of one
//! statement, [`utility`] what is neither query nor definition, [`ddl`] definitions, [`copy_run`] COPY.
//!
//! Invariants
//! - S1: an error inside a block leaves the block failed; nothing runs there until it is rolled back.
//! - S2: settings, the catalog and rows go back together, to the same savepoint.
//! - S3: a commit is acknowledged only when it is durable, unless `synchronous_commit` is off.

mod advisory;
pub(crate) mod backend;
mod by_name;
mod constraints;
pub(crate) mod copy;
mod copy_run;
pub(crate) mod ddl;
mod env;
mod guard;
mod lifted;
mod lock;
mod named;
mod own_plan;
mod password;
pub(crate) mod plan;
mod portal;
mod run;
mod setting_effects;
pub(crate) mod setting_list;
pub(crate) mod settings;
mod shared_settings;
mod short;
mod transaction;
mod utility;
mod vacuum;

pub use by_name::ByName;
/// A result column.
pub use damask_planner::physical::OutputColumn;
pub use setting_effects::Effect as SettingEffect;
pub use setting_list::{Context as SettingContext, Definition as SettingDefinition};
pub use settings::{Jit, Level};
pub use transaction::TransactionStatus;

use crate::database::{DATABASE_NAME, Database};
use crate::notify::{Notification, Waker};
use copy_run::CopyIn;
use damask_catalog::CatalogTxn;
use damask_txn::{CommitTicket, Txn};
use damask_types::format::FormatSettings;
use damask_types::{Batch, Error, Oid, Result, SqlState, SqlType, TypeId, Value, Vector};
use ddl::temporary::Temporary;
use env::{SessionState, StatementEnv};
use named::{Named, Promised};
use own_plan::OwnPlans;
use plan::Prepared;
use portal::Portal;
use run::KnownPath;
use settings::{Effective, Settings};
use shared_settings::KnownEffective;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use transaction::Block;

/// What a client says of itself when it connects.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The role.
    pub user: String,
    /// The database; there is one, `postgres`.
    pub database: Option<String>,
    /// Settings given at start, in order.
    pub settings: Vec<(String, String)>,
    /// Address and port of the client; none in the process.
    pub client: Option<(String, i32)>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { user: "postgres".to_owned(), database: None, settings: vec![], client: None }
    }
}

/// Where results go.
pub trait Sink {
    /// Columns of the rows to come. Called once for each statement with rows, before the first of them.
    fn columns(&mut self, columns: &Arc<[OutputColumn]>) -> Result<()>;
    /// Rows: every one of the batch counts.
    fn rows(&mut self, batch: &Batch, settings: &FormatSettings) -> Result<()>;
    /// One row by value, its columns of these types. Where few rows are wanted they come like this.
    fn row(&mut self, types: &[TypeId], values: &[Value], settings: &FormatSettings) -> Result<()> {
        let column = |(&ty, value)| Vector::constant(ty, value, 1);
        self.rows(&Batch::new(types.iter().zip(values).map(column).collect(), 1), settings)
    }
    /// Lines of COPY TO.
    fn copy_out(&mut self, data: &[u8]) -> Result<()>;
    /// COPY TO begins.
    fn copy_out_start(&mut self, shape: CopyShape) -> Result<()>;
    /// Asks that rows stay with whoever takes them, until this is taken back or [`Session::settle_reads`] or the end of the message
    /// has returned without an error: they may show what is not durable yet. False if that is not possible.
    fn hold(&mut self, is_held: bool) -> bool {
        !is_held
    }
}

/// A notice or warning for the client.
#[derive(Clone, Debug)]
pub struct Notice {
    /// How grave.
    pub level: Level,
    /// SQLSTATE, message, detail, hint.
    pub error: Arc<Error>,
}

/// What a command is called when it is done, often with a count: `SELECT 1`.
pub type Tag = Cow<'static, str>;

/// How a statement ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Done: its command tag.
    Tag(Tag),
    /// It stopped at the row limit and may go on.
    Suspended,
    /// There was no statement.
    Empty,
    /// COPY FROM STDIN waits for data ([`Session::copy_data`]): what it looks like.
    CopyIn(CopyShape),
}

/// What the data of a COPY looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyShape {
    /// Columns of a row.
    pub columns: usize,
    /// The format is binary.
    pub binary: bool,
}

/// One client's session.
pub struct Session {
    database: Database,
    state: Arc<SessionState>,
    catalog: CatalogTxn,
    /// Boxed, since it moves between here and [`Session::idle_txn`] with each statement outside a block.
    txn: Option<Box<Txn>>,
    /// One that has ended, for the next to take its place.
    idle_txn: Option<Box<Txn>>,
    block: Block,
    statements: ByName<Named>,
    /// Boxed, since those that run are taken out.
    portals: ByName<Box<Portal>>,
    /// The statement of a portal that has just failed.
    failed: Option<Arc<Promised>>,
    notices: Vec<Notice>,
    copy: Option<CopyIn>,
    /// Values of settings that clients are told about, as last told.
    reported: Vec<(&'static str, String)>,
    /// The generation of the settings that was last told.
    reported_generation: Option<u64>,
    transaction_timestamp: i64,
    /// When the message or statement that runs began.
    now: i64,
    temporary: Temporary,
    effective: KnownEffective,
    path: Option<KnownPath>,
    own_plans: OwnPlans,
    /// The last statement's, for the next one of the transaction.
    env: Option<Arc<StatementEnv>>,
    /// Room for a row of [`short`].
    room: Vec<Value>,
    avoids_short_path: bool,
    /// As of [`Session::hold_output`].
    holds_output: bool,
    /// A commit whose wait for the log was deferred.
    unsettled: Option<CommitTicket>,
    /// That wait, or one for what the transaction has found, ended with an error.
    has_lost_commit: bool,
    /// A panic came while the session cleared up after another one.
    is_broken: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("pid", &self.pid())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// Settings whose changes clients are told about.
const REPORTED: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "server_encoding",
    "server_version",
    "standard_conforming_strings",
    "TimeZone",
];

/// 58030.
#[cold]
fn lost_commit() -> Error {
    let message = "terminating connection because the log could not be written";
    Error::new(SqlState::IO_ERROR, message)
}

impl Session {
    pub(crate) fn new(database: Database, options: SessionOptions) -> Result<Self> {
        let shared = &database.shared;
        let snapshot = shared.catalog.snapshot();
        let role = snapshot.role_by_name(&options.user).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("role \"{}\" does not exist", options.user),
            )
        })?;
        if !role.login {
            return Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("role \"{}\" is not permitted to log in", options.user),
            ));
        }
        if let Some(name) = options.database.as_deref().filter(|name| *name != DATABASE_NAME) {
            return Err(Error::new(
                SqlState::INVALID_CATALOG_NAME,
                format!("database \"{name}\" does not exist"),
            ));
        }
        let user = (role.oid, role.name.clone());
        let settings = Settings::new(&shared.options.configuration, &options.settings)?;
        let now = shared.env.clock.wall_micros();
        let secret = shared.env.random.next_u64() as i32;
        let locks = shared.catalog.engine().session_locks();
        let backend = shared.backends.open(user.clone(), secret, locks.id(), options.client);
        let state = SessionState::new(
            Arc::clone(&shared.catalog),
            Arc::clone(&shared.env.clock),
            Arc::clone(&shared.env.random),
            Arc::clone(&shared.backends),
            backend,
            locks,
            Arc::clone(&shared.bus),
            settings,
            DATABASE_NAME.to_owned(),
            user,
        );
        Ok(Self {
            catalog: CatalogTxn::new(Arc::clone(&shared.catalog)),
            txn: None,
            idle_txn: None,
            block: Block::default(),
            statements: ByName::default(),
            portals: ByName::default(),
            failed: None,
            notices: vec![],
            copy: None,
            reported: vec![],
            reported_generation: None,
            transaction_timestamp: 0,
            now,
            temporary: Temporary::default(),
            effective: KnownEffective::new(&state.settings),
            path: None,
            own_plans: OwnPlans::default(),
            env: None,
            room: vec![],
            avoids_short_path: false,
            holds_output: false,
            unsettled: None,
            has_lost_commit: false,
            is_broken: false,
            state: Arc::new(state),
            database,
        })
    }

    /// Sends statements of one row the way of batches, too: for tests, which compare the two.
    pub fn avoid_short_path(&mut self, avoids: bool) {
        self.avoids_short_path = avoids;
    }

    /// Its number, which cancel requests name.
    pub fn pid(&self) -> i32 {
        self.state.backend.pid
    }

    /// What a cancel request must know.
    pub fn secret(&self) -> i32 {
        self.state.backend.secret
    }

    /// Why it is to end, if it is: 57P01 when another session or the server wants it, 08006 when its client is gone, XX000
    /// when a panic left it in a state that cannot be trusted, 58030 when a commit that it took for done could not be made durable.
    pub fn end_reason(&self) -> Option<Error> {
        if self.is_broken {
            return Some(guard::broken());
        }
        if self.has_lost_commit {
            return Some(lost_commit());
        }
        self.state.backend.end_reason()
    }

    /// How long its client may be silent now, and why the session ends after that: `idle_in_transaction_session_timeout`
    /// inside a block, `idle_session_timeout` outside one.
    pub fn idle_limit(&mut self) -> Option<(Duration, Error)> {
        let is_open = self.block.is_open();
        let effective = self.effective();
        if is_open {
            let limit = effective.idle_in_transaction_timeout?;
            let message = "terminating connection due to idle-in-transaction timeout";
            return Some((
                limit,
                Error::new(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message),
            ));
        }
        let limit = effective.idle_session_timeout?;
        let message = "terminating connection due to idle-session timeout";
        Some((limit, Error::new(SqlState::IDLE_SESSION_TIMEOUT, message)))
    }

    /// Notices since the last call that the client wants to see.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let mut notices = std::mem::take(&mut self.notices);
        notices.append(&mut self.state.take_notices());
        if notices.is_empty() {
            return notices;
        }
        let least = self.effective().client_min_messages;
        // What was asked for (VERBOSE) comes whatever the setting says.
        notices.retain(|notice| notice.level >= least || notice.level == Level::Info);
        notices
    }

    /// Every setting there is.
    pub fn setting_definitions() -> &'static [SettingDefinition] {
        setting_list::DEFINITIONS
    }

    /// What other sessions, or this one, notified it of; nothing inside a transaction block.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        if self.block.is_open() || !self.listens() {
            return vec![];
        }
        self.state.bus.take(self.pid())
    }

    /// As [`Session::take_notifications`]; waits until there is something, at most so long.
    pub fn wait_for_notifications(&mut self, limit: Duration) -> Vec<Notification> {
        if self.block.is_open() || !self.listens() {
            return vec![];
        }
        self.state.bus.wait(self.pid(), limit, &*self.state.clock)
    }

    /// Whether it listens to some channel.
    pub fn listens(&self) -> bool {
        self.state.listens.load(Ordering::Relaxed)
    }

    /// Sets what is called, from the thread of whoever notifies, when there may be a notification; for a session that listens.
    pub fn set_waker(&mut self, waker: Waker) {
        self.state.bus.set_waker(self.pid(), waker);
    }

    /// Sets what is called on the session's thread before it waits for a lock, once.
    pub fn set_before_wait(&mut self, before_wait: fn()) {
        self.state.backend.set_before_wait(before_wait);
    }

    pub(crate) fn notice(&mut self, level: Level, error: Error) {
        self.notices.push(Notice { level, error: Arc::new(error) });
    }

    /// Settings that clients are told about and that changed since the last call; the first call gives all.
    pub fn take_parameter_changes(&mut self) -> Vec<(&'static str, String)> {
        if self.reported_generation == Some(self.state.settings.generation()) {
            return vec![];
        }
        let settings = self.state.settings.lock();
        self.reported_generation = Some(settings.generation);
        let mut changes = vec![];
        for &name in REPORTED {
            let value = settings.show(name).unwrap_or_default();
            match self.reported.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) if *known == value => {}
                Some((_, known)) => {
                    known.clone_from(&value);
                    changes.push((name, value));
                }
                None => {
                    self.reported.push((name, value.clone()));
                    changes.push((name, value));
                }
            }
        }
        if self.reported.len() == REPORTED.len() {
            // Told once: they follow from the role.
            self.reported.push(("is_superuser", "on".to_owned()));
            changes.push(("is_superuser", "on".to_owned()));
            changes.push(("session_authorization", self.state.user.1.clone()));
        }
        changes
    }

    /// The settings that hold now.
    pub(crate) fn effective(&mut self) -> &Arc<Effective> {
        self.effective.get(&self.state.settings)
    }

    /// The settings that shape the text form of values.
    pub fn format_settings(&self) -> FormatSettings {
        self.state.settings.lock().effective().format.clone()
    }

    /// Reads a value of type `ty` from its text form, under the session's settings.
    ///
    /// # Errors
    /// What the type's input raises.
    pub fn read_text(&mut self, ty: SqlType, text: &str) -> Result<Value> {
        let element = ty.id.element().unwrap_or(ty.id);
        if damask_functions::text_io::is_reg_type(element) {
            let env = self.statement_env()?;
            return damask_functions::text_io::input(&*env, ty, text);
        }
        // Only dates and times have texts that depend on it.
        let now = if element.info().category == 'D' {
            self.database.shared.env.clock.wall_micros()
        } else {
            0
        };
        damask_types::format::parse_text(ty, text, &self.effective().format, now)
    }

    // The simple protocol: one text of several statements.

    /// Splits a text into statements, ready to run.
    ///
    /// # Errors
    /// 42601 and the like with a position in `text`.
    pub fn prepare_text(&mut self, text: &str) -> Result<Vec<Arc<Prepared>>> {
        if let Some(known) = self.database.shared.plans.find(text, &[]) {
            return Ok(vec![known]);
        }
        let parsed = self.guarded(|_| {
            damask_sql::parse(text).map_err(|error| damask_planner::parse_error(&error))
        })?;
        let is_single = parsed.len() == 1;
        let text: Arc<str> = text.into();
        let statements: Vec<Arc<Prepared>> = parsed
            .into_iter()
            .map(|parsed| Arc::new(Prepared::new(Arc::clone(&text), Some(parsed), vec![])))
            .collect();
        if is_single {
            self.database.shared.plans.keep(&statements[0]);
        }
        Ok(statements)
    }

    /// Runs one statement of a simple message; `is_last` lets it commit by itself when nothing else is in the message.
    ///
    /// # Errors
    /// What the statement raises; the transaction is rolled back or its block failed.
    pub fn run(&mut self, prepared: &Arc<Prepared>, sink: &mut dyn Sink) -> Result<Completion> {
        self.run_with(prepared, &[], sink)
    }

    /// As [`Session::run`], with parameters.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_with(
        &mut self,
        prepared: &Arc<Prepared>,
        params: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        self.guarded(|session| {
            let result = session.run_statement(prepared, prepared.own_text(), params, sink);
            session.settle(result)
        })
    }

    /// Ends a message (Query, or Sync): what was done outside a block is committed.
    ///
    /// # Errors
    /// What committing raises; then it is rolled back.
    pub fn end_message(&mut self) -> Result<()> {
        // Inside a block portals live on to the block's end.
        if self.block.is_open() {
            return if self.holds_output { Ok(()) } else { self.settle_reads() };
        }
        self.portals.retain(|portal| portal.is_named_cursor);
        if self.txn.is_none() {
            return Ok(());
        }
        self.guarded(|session| {
            let result = session.commit_and_defer();
            session.settle(result.map(|()| Completion::Empty)).map(|_| ())
        })
    }

    /// A message failed before it reached a statement: rolls back what was done outside a block, or fails the block.
    pub fn fail(&mut self) {
        self.fail_transaction();
    }

    /// Returns when what the transaction has found is durable: to be called before anything of it leaves the process, other than
    /// by the end of a message.
    ///
    /// # Errors
    /// 58030 if the log could not be written; nothing may leave then.
    pub fn settle_reads(&self) -> Result<()> {
        self.txn.as_deref().map_or(Ok(()), Txn::settle)
    }

    /// Promises that nothing the session says, by whatever call, leaves the process before [`Session::settle_output`] has returned
    /// without an error. A commit then need not wait for the log.
    pub fn hold_output(&mut self) {
        self.holds_output = true;
    }

    /// Whether [`Session::settle_output`] would not wait for the log.
    pub fn is_settled(&self) -> bool {
        self.has_lost_commit
            || self.unsettled.as_ref().is_none_or(CommitTicket::is_settled)
                && self.txn.as_ref().is_none_or(|txn| txn.is_settled())
    }

    /// Whether other sessions that hold their output have begun to write: if commits of theirs can be let come along, one flush is
    /// enough for all.
    pub fn expects_commits(&self) -> bool {
        self.database.shared.catalog.engine().expects_gathered()
    }

    /// Returns when everything that the session has said may leave the process.
    ///
    /// # Errors
    /// 58030 if the log could not be written, now and from then on; nothing of it may leave then.
    pub fn settle_output(&mut self) -> Result<()> {
        self.settle_commit()?;
        if self.has_lost_commit {
            return Err(lost_commit());
        }
        self.settle_reads().inspect_err(|_| self.has_lost_commit = true)
    }

    fn settle(&mut self, result: Result<Completion>) -> Result<Completion> {
        self.state.backend.end_statement();
        // Cursors go on with what they have; so does a copy.
        if self.portals.iter().all(|(_, portal)| portal.is_done && !portal.is_named_cursor)
            && self.copy.is_none()
            && let Some(txn) = &mut self.txn
        {
            txn.end_statement();
        }
        let mut settled = Ok(());
        if result.is_err() {
            self.copy = None;
            self.fail_transaction();
            settled = self.settle_reads();
        }
        // Outside a block it is active until the end of the message commits.
        if self.txn.is_none() || self.block.is_open() {
            self.show_activity(None);
        }
        settled.and(result)
    }

    // The extended protocol.

    /// Makes a prepared statement; the unnamed one is replaced.
    ///
    /// # Errors
    /// 42P05 if the name is taken; what parsing and binding raise.
    pub fn parse(&mut self, name: &str, text: &str, types: &[Oid]) -> Result<()> {
        if !name.is_empty() && self.statements.get(name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        let types = types
            .iter()
            .map(|&oid| match oid {
                Oid::NONE => Ok(None),
                oid => match TypeId::from_oid(oid) {
                    Some(TypeId::Unknown) => Ok(None),
                    Some(ty) => Ok(Some(ty)),
                    None => Err(Error::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("type with OID {oid} does not exist"),
                    )),
                },
            })
            .collect::<Result<Vec<_>>>()?;
        let prepared = self.prepare(text, types)?;
        let text = Arc::clone(prepared.text());
        self.keep_statement(name, prepared, text, false);
        Ok(())
    }

    /// Notes the time.
    pub(crate) fn tick(&mut self) {
        self.now = self.state.clock.wall_micros();
    }

    pub(crate) fn keep_statement(
        &mut self,
        name: &str,
        prepared: Arc<Prepared>,
        text: Arc<str>,
        from_sql: bool,
    ) -> Arc<Promised> {
        let statement = Promised::new(prepared);
        self.tick();
        let made = self.now;
        let kept = Arc::clone(&statement);
        self.statements.insert(name, Named { statement: kept, text, made, from_sql, uses: 0 });
        statement
    }

    pub(crate) fn prepare(
        &mut self,
        text: &str,
        types: Vec<Option<TypeId>>,
    ) -> Result<Arc<Prepared>> {
        if let Some(known) = self.database.shared.plans.find(text, &types) {
            return Ok(known);
        }
        let parsed = self.guarded(|_| {
            damask_sql::parse_one(text).map_err(|error| damask_planner::parse_error(&error))
        })?;
        let prepared = Arc::new(Prepared::new(text.into(), parsed, types));
        self.database.shared.plans.keep(&prepared);
        Ok(prepared)
    }

    /// The prepared statement of a name.
    ///
    /// # Errors
    /// 26000.
    pub fn statement(&self, name: &str) -> Result<&Arc<Prepared>> {
        match self.statements.get(name) {
            Some(named) => Ok(&named.statement.prepared),
            None => Err(no_statement(name)),
        }
    }

    /// The prepared statement of a name, about to be run.
    pub(crate) fn use_statement(&mut self, name: &str) -> Result<Arc<Promised>> {
        let named = self.statements.get_mut(name).ok_or_else(|| no_statement(name))?;
        named.uses += 1;
        Ok(Arc::clone(&named.statement))
    }

    /// Types of a prepared statement's parameters, and its result columns if it has rows.
    ///
    /// # Errors
    /// What binding raises.
    pub fn describe_statement(
        &mut self,
        name: &str,
    ) -> Result<(Arc<[SqlType]>, Option<Arc<[OutputColumn]>>)> {
        self.tick();
        let named = self.statements.get(name).ok_or_else(|| no_statement(name))?;
        let statement = Arc::clone(&named.statement);
        self.describe_as(&statement)
    }

    fn describe_as(
        &mut self,
        statement: &Promised,
    ) -> Result<(Arc<[SqlType]>, Option<Arc<[OutputColumn]>>)> {
        let result = self.guarded(|session| {
            let described = session.describe(&statement.prepared)?;
            statement.check(described.1.as_deref().unwrap_or_default())?;
            Ok(described)
        });
        if result.is_err() {
            self.fail_transaction();
        }
        result
    }

    /// Makes a portal of a prepared statement and its parameters' values.
    ///
    /// # Errors
    /// 26000, 42P03 if the name is taken, 08P01 for a wrong number of values.
    pub fn bind(&mut self, portal: &str, statement: &str, params: Vec<Value>) -> Result<()> {
        let statement = self.use_statement(statement)?;
        if !portal.is_empty() && self.portals.get(portal).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_CURSOR,
                format!("cursor \"{portal}\" already exists"),
            ));
        }
        self.tick();
        self.portals.insert(portal, Box::new(Portal::new(statement, params, self.now)));
        Ok(())
    }

    /// The result columns of a portal.
    pub fn describe_portal(&mut self, name: &str) -> Result<Option<Arc<[OutputColumn]>>> {
        let statement = Arc::clone(&self.portal(name)?.statement);
        Ok(self.describe_as(&statement)?.1)
    }

    fn portal(&self, name: &str) -> Result<&Portal> {
        self.portals.get(name).map(|portal| &**portal).ok_or_else(|| {
            Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
        })
    }

    /// The text that positions in the error of the last [`Session::execute`] count in, if its statement raised it.
    pub fn failed_text(&self) -> Option<&Arc<str>> {
        self.failed.as_ref().map(|statement| statement.prepared.text())
    }

    /// Runs a portal for at most `limit` rows; 0 is all.
    ///
    /// # Errors
    /// What the statement raises.
    pub fn execute(&mut self, name: &str, limit: u64, sink: &mut dyn Sink) -> Result<Completion> {
        self.failed = None;
        self.portal(name)?;
        self.guarded(|session| {
            let result = session.run_portal(name, limit, sink);
            session.settle(result)
        })
    }

    /// Drops a prepared statement, if it is there.
    pub fn close_statement(&mut self, name: &str) {
        self.statements.remove(name);
    }

    /// Drops a portal, if it is there.
    pub fn close_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.portals.clear();
        if let Some(txn) = self.txn.take() {
            drop(txn);
            self.catalog.rolled_back();
        }
        self.end_temporary();
        self.state.locks.unlock_all();
        self.state.bus.close(self.state.backend.pid);
        self.state.backends.close(self.state.backend.pid);
    }
}

/// 26000.
fn no_statement(name: &str) -> Error {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
}

/// What `version()` says.
pub(crate) fn version_text() -> String {
    format!(
        "PostgreSQL 15.0 (Damask {}) on {}-{}, 64-bit",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}
