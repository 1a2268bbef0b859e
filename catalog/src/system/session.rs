//! Relations about roles, the database, settings and sessions.

use super::SystemContext;
use super::row::{Rows, count, letter, text, text_or_null};
use crate::snapshot::{BOOTSTRAP_ROLE, DATABASE};
use damask_types::{Numeric, Oid, TypeId, Value};

/// What another session is doing, for `pg_stat_activity`.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Backend number.
    pub pid: i32,
    /// Its role's OID and name.
    pub role: (Oid, String),
    /// `application_name`.
    pub application_name: String,
    /// Address of the client; `None` for embedded sessions.
    pub client: Option<(String, i32)>,
    /// When it connected, when its transaction and its statement began (microseconds since 2000, UTC).
    pub backend_start: i64,
    /// Start of the transaction.
    pub xact_start: Option<i64>,
    /// Start of the last statement.
    pub query_start: Option<i64>,
    /// When `state` changed.
    pub state_change: Option<i64>,
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub state: &'static str,
    /// The last statement.
    pub query: String,
    /// Its transaction's id, if it has changed anything.
    pub xid: Option<u32>,
    /// The first transaction id that had not been given out when the oldest of its snapshots was taken.
    pub xmin: Option<u32>,
    /// Whether it waits for another transaction: to end, or to give back a table.
    pub waits_for_lock: bool,
}

/// What VACUUM and ANALYZE did to a table since the database was opened, for `pg_stat_user_tables`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Maintained {
    /// When VACUUM ran last (microseconds since 2000, UTC).
    pub last_vacuum: Option<i64>,
    /// How often.
    pub vacuum_count: i64,
    /// When ANALYZE ran last.
    pub last_analyze: Option<i64>,
    /// How often.
    pub analyze_count: i64,
}

/// A setting, for `pg_settings`.
#[derive(Clone, Debug)]
pub struct SettingRow {
    /// Name.
    pub name: &'static str,
    /// Present value, in `unit`.
    pub value: String,
    /// Unit of the value.
    pub unit: Option<&'static str>,
    /// Group.
    pub category: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What else is to be known.
    pub remark: Option<String>,
    /// `internal`, `postmaster` or `user`.
    pub context: &'static str,
    /// `bool`, `integer`, `real`, `enum`, `string`.
    pub kind: &'static str,
    /// Lowest and highest value.
    pub range: Option<(String, String)>,
    /// Words an enum takes.
    pub words: &'static [&'static str],
    /// Where the value comes from: `default`, `command line`, `client`, `session`.
    pub source: &'static str,
    /// The default.
    pub default: String,
    /// What RESET goes back to.
    pub reset: String,
}

/// A prepared statement, for `pg_prepared_statements`.
#[derive(Clone, Debug)]
pub struct PreparedRow {
    /// Its name.
    pub name: String,
    /// The text that prepared it.
    pub statement: String,
    /// When (microseconds since 2000, UTC).
    pub prepare_time: i64,
    /// Types of its parameters.
    pub parameter_types: Vec<Oid>,
    /// By PREPARE, not by the protocol.
    pub from_sql: bool,
    /// Times it was run; plans are never made for certain values.
    pub generic_plans: i64,
}

/// A cursor, for `pg_cursors`.
#[derive(Clone, Debug)]
pub struct CursorRow {
    /// Its name.
    pub name: String,
    /// The text that made it.
    pub statement: String,
    /// WITH HOLD.
    pub is_holdable: bool,
    /// It moves backward too.
    pub is_scrollable: bool,
    /// When it was made (microseconds since 2000, UTC).
    pub creation_time: i64,
}

/// A lock held or waited for, for `pg_locks`.
#[derive(Clone, Debug)]
pub struct LockRow {
    /// Backend number.
    pub pid: i32,
    /// What it is on.
    pub target: LockTarget,
    /// `AccessShareLock` and so on.
    pub mode: &'static str,
    /// Whether it is held.
    pub granted: bool,
    /// The virtual id of the holder's transaction.
    pub transaction: String,
}

/// What a lock is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockTarget {
    /// A relation.
    Relation(Oid),
    /// A transaction's virtual id, which it has from its beginning.
    Virtual(String),
    /// A transaction's id, which others wait for.
    Transaction(u32),
    /// An advisory lock: `classid`, `objid`, `objsubid`.
    Advisory(Oid, Oid, i16),
}

/// A counter as a value.
pub(super) fn pg_stat_wal(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let metrics = ctx.session.metrics();
    let bytes = Numeric::Decimal { mantissa: metrics.log_bytes.into(), scale: 0 };
    // A write of the log is followed by a sync.
    rows.push(&[
        ("wal_records", count(metrics.log_frames)),
        ("wal_fpi", Value::Int8(0)),
        ("wal_bytes", Value::Numeric(bytes)),
        ("wal_buffers_full", Value::Int8(0)),
        ("wal_write", count(metrics.log_flushes)),
        ("wal_sync", count(metrics.log_flushes)),
        ("wal_write_time", Value::Float8(0.0)),
        ("wal_sync_time", Value::Float8(0.0)),
    ]);
}

pub(super) fn pg_stat_bgwriter(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.push(&[
        ("checkpoints_timed", Value::Int8(0)),
        ("checkpoints_req", count(ctx.session.metrics().checkpoints)),
    ]);
}

pub(super) fn pg_stat_database(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let metrics = ctx.session.metrics();
    let sessions = i32::try_from(ctx.session.activity().len()).unwrap_or(i32::MAX);
    rows.push(&[
        ("datid", Value::Oid(DATABASE)),
        ("datname", text(ctx.database)),
        ("numbackends", Value::Int4(sessions)),
        ("xact_commit", count(metrics.commits)),
        ("xact_rollback", count(metrics.rollbacks)),
        ("temp_files", count(metrics.temp_files)),
        ("temp_bytes", count(metrics.temp_bytes)),
        ("deadlocks", count(metrics.deadlocks)),
    ]);
}

pub(super) fn roles(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for role in ctx.snapshot.roles() {
        rows.push(&[
            ("oid", Value::Oid(role.oid)),
            ("rolname", text(&role.name)),
            ("rolsuper", Value::Bool(role.superuser)),
            ("rolinherit", Value::Bool(true)),
            ("rolcreaterole", Value::Bool(role.superuser)),
            ("rolcreatedb", Value::Bool(role.superuser)),
            ("rolcanlogin", Value::Bool(role.login)),
            ("rolreplication", Value::Bool(role.superuser)),
            ("rolconnlimit", Value::Int4(-1)),
            ("rolpassword", text_or_null(role.password.as_ref().map(|_| "********"))),
            ("rolbypassrls", Value::Bool(role.superuser)),
        ]);
    }
}

pub(super) fn pg_user(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for role in ctx.snapshot.roles().into_iter().filter(|role| role.login) {
        rows.push(&[
            ("usename", text(&role.name)),
            ("usesysid", Value::Oid(role.oid)),
            ("usecreatedb", Value::Bool(role.superuser)),
            ("usesuper", Value::Bool(role.superuser)),
            ("userepl", Value::Bool(role.superuser)),
            ("usebypassrls", Value::Bool(role.superuser)),
            ("passwd", text("********")),
        ]);
    }
}

pub(super) fn pg_database(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.push(&[
        ("oid", Value::Oid(DATABASE)),
        ("datname", text(ctx.database)),
        ("datdba", Value::Oid(BOOTSTRAP_ROLE)),
        ("encoding", Value::Int4(6)),
        ("datlocprovider", letter('c')),
        ("datallowconn", Value::Bool(true)),
        ("datconnlimit", Value::Int4(-1)),
        ("datfrozenxid", Value::Oid(Oid(3))),
        ("datminmxid", Value::Oid(Oid(1))),
        ("dattablespace", Value::Oid(Oid(1663))),
        ("datcollate", text("C.UTF-8")),
        ("datctype", text("C.UTF-8")),
    ]);
}

pub(super) fn pg_settings(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for setting in ctx.session.settings() {
        let (min, max) = setting.range.unzip();
        let words = (!setting.words.is_empty()).then(|| {
            let words = setting.words.iter().map(text).collect();
            Value::array(TypeId::Text, words)
        });
        rows.push(&[
            ("name", text(setting.name)),
            ("setting", text(&setting.value)),
            ("unit", text_or_null(setting.unit)),
            ("category", text(setting.category)),
            ("short_desc", text(setting.description)),
            ("extra_desc", text_or_null(setting.remark)),
            ("context", text(setting.context)),
            ("vartype", text(setting.kind)),
            ("source", text(setting.source)),
            ("min_val", text_or_null(min)),
            ("max_val", text_or_null(max)),
            ("enumvals", words.unwrap_or(Value::Null)),
            ("boot_val", text(&setting.default)),
            ("reset_val", text(&setting.reset)),
            ("pending_restart", Value::Bool(false)),
        ]);
    }
}

pub(super) fn pg_stat_activity(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let moment = |moment: Option<i64>| moment.map_or(Value::Null, Value::TimestampTz);
    for activity in ctx.session.activity() {
        let (address, port) = activity.client.unzip();
        rows.push(&[
            ("datid", Value::Oid(DATABASE)),
            ("datname", text(ctx.database)),
            ("pid", Value::Int4(activity.pid)),
            ("usesysid", Value::Oid(activity.role.0)),
            ("usename", text(&activity.role.1)),
            ("application_name", text(&activity.application_name)),
            ("client_addr", text_or_null(address)),
            ("client_port", Value::Int4(port.unwrap_or(-1))),
            ("backend_start", Value::TimestampTz(activity.backend_start)),
            ("xact_start", moment(activity.xact_start)),
            ("query_start", moment(activity.query_start)),
            ("state_change", moment(activity.state_change)),
            ("wait_event_type", text_or_null(activity.waits_for_lock.then_some("Lock"))),
            ("wait_event", text_or_null(activity.waits_for_lock.then_some("transactionid"))),
            ("state", text(activity.state)),
            ("backend_xid", activity.xid.map_or(Value::Null, |xid| Value::Oid(Oid(xid)))),
            ("backend_xmin", activity.xmin.map_or(Value::Null, |xid| Value::Oid(Oid(xid)))),
            ("query", text(&activity.query)),
            ("backend_type", text("client backend")),
        ]);
    }
}

pub(super) fn pg_locks(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for lock in ctx.session.locks() {
        let mut row = vec![
            ("virtualtransaction", text(lock.transaction)),
            ("pid", Value::Int4(lock.pid)),
            ("mode", text(lock.mode)),
            ("granted", Value::Bool(lock.granted)),
            ("fastpath", Value::Bool(false)),
        ];
        let kind = match lock.target {
            LockTarget::Relation(oid) => {
                row.push(("database", Value::Oid(DATABASE)));
                row.push(("relation", Value::Oid(oid)));
                "relation"
            }
            LockTarget::Virtual(id) => {
                row.push(("virtualxid", text(id)));
                "virtualxid"
            }
            LockTarget::Transaction(id) => {
                row.push(("transactionid", Value::Oid(Oid(id))));
                "transactionid"
            }
            LockTarget::Advisory(class, object, sub) => {
                row.push(("database", Value::Oid(DATABASE)));
                row.push(("classid", Value::Oid(class)));
                row.push(("objid", Value::Oid(object)));
                row.push(("objsubid", Value::Int2(sub)));
                "advisory"
            }
        };
        row.push(("locktype", text(kind)));
        rows.push(&row);
    }
}

pub(super) fn pg_prepared_statements(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for row in ctx.session.prepared_statements() {
        let types = row.parameter_types.into_iter().map(Value::Oid).collect();
        rows.push(&[
            ("name", text(row.name)),
            ("statement", text(row.statement)),
            ("prepare_time", Value::TimestampTz(row.prepare_time)),
            ("parameter_types", Value::array(TypeId::RegType, types)),
            ("from_sql", Value::Bool(row.from_sql)),
            ("generic_plans", Value::Int8(row.generic_plans)),
            ("custom_plans", Value::Int8(0)),
        ]);
    }
}

pub(super) fn pg_cursors(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for row in ctx.session.cursors() {
        rows.push(&[
            ("name", text(row.name)),
            ("statement", text(row.statement)),
            ("is_holdable", Value::Bool(row.is_holdable)),
            ("is_binary", Value::Bool(false)),
            ("is_scrollable", Value::Bool(row.is_scrollable)),
            ("creation_time", Value::TimestampTz(row.creation_time)),
        ]);
    }
}
