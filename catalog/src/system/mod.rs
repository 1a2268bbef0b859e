//! `pg_catalog`, with Damask's own views in it, and `information_schema`: relations computed from a snapshot.

mod classes;
pub mod definitions;
mod describe;
pub mod functions;
mod information_schema;
mod operator_classes;
mod own;
mod row;
mod session;
mod types;

pub use classes::{has_operator_class, operator_class_takes};
pub use own::{MemoryRow, NodeRow, PoolRow, VersionCounts};
pub use session::{Activity, CursorRow, LockRow, LockTarget, Maintained, PreparedRow, SettingRow};

use crate::object::{Column, Index, Relation, RelationKind};
use crate::snapshot::{CatalogSnapshot, INFORMATION_SCHEMA, PG_CATALOG, SearchPath};
use damask_txn::Metrics;
use damask_types::{Oid, RelId, SqlType, TypeId, Value};
use definitions::Definition;
use hashbrown::HashMap;
use row::Rows;
use std::sync::{Arc, LazyLock};

/// The system relations by OID and by name.
struct SystemRelations {
    by_oid: HashMap<Oid, Arc<Relation>>,
    by_name: HashMap<(bool, &'static str), Oid>,
}

static RELATIONS: LazyLock<SystemRelations> = LazyLock::new(|| {
    let mut relations = SystemRelations { by_oid: HashMap::new(), by_name: HashMap::new() };
    for definition in definitions() {
        let oid = Oid(definition.oid);
        let schema = if definition.information_schema { INFORMATION_SCHEMA } else { PG_CATALOG };
        let mut relation = Relation::new(oid, schema, definition.name, RelationKind::System);
        relation.columns = definition
            .columns
            .iter()
            .map(|&(name, ty, not_null)| Column {
                not_null,
                ..Column::new(name, SqlType::plain(ty))
            })
            .collect();
        relations.by_name.insert((definition.information_schema, definition.name), oid);
        relations.by_oid.insert(oid, Arc::new(relation));
    }
    relations
});

/// The system relation of this OID.
pub fn relation(oid: Oid) -> Option<&'static Arc<Relation>> {
    RELATIONS.by_oid.get(&oid)
}

/// The system relation of this name in `pg_catalog` or `information_schema`.
pub fn relation_by_name(schema: Oid, name: &str) -> Option<&'static Arc<Relation>> {
    let oid = RELATIONS.by_name.get(&(schema == INFORMATION_SCHEMA, name))?;
    RELATIONS.by_oid.get(oid)
}

/// Every system relation, by OID.
pub fn all_relations() -> impl Iterator<Item = &'static Arc<Relation>> {
    let mut oids: Vec<_> = RELATIONS.by_oid.keys().copied().collect();
    oids.sort_unstable();
    oids.into_iter().map(|oid| &RELATIONS.by_oid[&oid])
}

/// Whether a system relation is a view.
pub fn is_system_view(oid: Oid) -> bool {
    definitions().any(|definition| definition.oid == oid.0 && definition.is_view)
}

fn definitions() -> impl Iterator<Item = &'static Definition> {
    definitions::DEFINITIONS.iter().chain(own::DEFINITIONS)
}

/// What computed relations and catalog functions may ask.
pub struct SystemContext<'a> {
    /// The catalog.
    pub snapshot: &'a CatalogSnapshot,
    /// Where unqualified names are looked up.
    pub path: &'a SearchPath,
    /// The database's name.
    pub database: &'a str,
    /// The rest of the engine.
    pub session: &'a dyn SystemSession,
}

/// What the catalog does not know itself.
pub trait SystemSession {
    /// Rows and pages of a table, estimated; rows are -1 if unknown.
    fn size(&self, relation: &Relation) -> (i64, i64);
    /// Bytes that a table's rows have in the file.
    fn stored_bytes(&self, relation: &Relation) -> i64;
    /// Bytes that an index has there.
    fn index_stored_bytes(&self, relation: &Relation, index: &Index) -> i64;
    /// Bytes of the data file.
    fn database_bytes(&self) -> i64;
    /// A sequence's last value, and whether `nextval` or `setval` gave it.
    fn sequence_state(&self, relation: &Relation) -> Option<(i64, bool)>;
    /// Every setting.
    fn settings(&self) -> Vec<SettingRow>;
    /// Every session.
    fn activity(&self) -> Vec<Activity>;
    /// What VACUUM and ANALYZE did to a table.
    fn maintained(&self, relation: &Relation) -> Maintained;
    /// Old rows that are kept, by table; tables without any may be left out.
    fn dead_rows(&self) -> HashMap<RelId, u64>;
    /// What old snapshots keep.
    fn versions(&self) -> VersionCounts;
    /// What is held in memory: for each purpose its name, bytes and most bytes if it has a limit of its own.
    fn memory(&self) -> Vec<MemoryRow>;
    /// The machine's nodes.
    fn nodes(&self) -> Vec<NodeRow>;
    /// The buffer pool and the data file.
    fn pool(&self) -> PoolRow;
    /// Every lock, save those of rows.
    fn locks(&self) -> Vec<LockRow>;
    /// The prepared statements of this session.
    fn prepared_statements(&self) -> Vec<PreparedRow>;
    /// The cursors of this session.
    fn cursors(&self) -> Vec<CursorRow>;
    /// Counters of the engine since the database was opened.
    fn metrics(&self) -> Metrics;
}

impl SystemContext<'_> {
    fn role_name(&self, oid: Oid) -> &str {
        self.snapshot.role(oid).map_or("", |role| &role.name)
    }
}

/// A sequence as the relation of one row that a query may read.
pub fn shown_sequence(relation: &Relation) -> Relation {
    Relation { columns: sequence_columns(), ..relation.clone() }
}

/// The columns of every sequence.
fn sequence_columns() -> Vec<Column> {
    let columns =
        [("last_value", TypeId::Int8), ("log_cnt", TypeId::Int8), ("is_called", TypeId::Bool)];
    columns
        .into_iter()
        .map(|(name, ty)| Column { not_null: true, ..Column::new(name, ty.into()) })
        .collect()
}

/// The row of [`shown_sequence`]. No value is fetched ahead in the log, so `log_cnt` is always 0.
fn sequence_row(ctx: &SystemContext<'_>, relation: &Relation) -> Vec<Value> {
    let (last_value, is_called) = ctx.session.sequence_state(relation).unwrap_or_default();
    vec![Value::Int8(last_value), Value::Int8(0), Value::Bool(is_called)]
}

/// The rows of a system relation or a sequence. Those that PostgreSQL fills with what Damask does not have are empty.
pub fn rows(ctx: &SystemContext<'_>, relation: &Relation) -> Vec<Vec<Value>> {
    if relation.kind == RelationKind::Sequence {
        return vec![sequence_row(ctx, relation)];
    }
    let mut rows = Rows::new(relation);
    let out = &mut rows;
    if relation.schema == INFORMATION_SCHEMA {
        match relation.name.as_str() {
            "check_constraints" => information_schema::check_constraints(ctx, out),
            "columns" => information_schema::columns(ctx, out),
            "constraint_column_usage" => information_schema::constraint_column_usage(ctx, out),
            "information_schema_catalog_name" => information_schema::catalog_name(ctx, out),
            "key_column_usage" => information_schema::key_column_usage(ctx, out),
            "referential_constraints" => information_schema::referential_constraints(ctx, out),
            "schemata" => information_schema::schemata(ctx, out),
            "sequences" => information_schema::sequences(ctx, out),
            "table_constraints" => information_schema::table_constraints(ctx, out),
            "tables" => information_schema::tables(ctx, out),
            "views" => information_schema::views(ctx, out),
            _ => {}
        }
        return rows.finish();
    }
    match relation.name.as_str() {
        "damask_memory" => own::damask_memory(ctx, out),
        "damask_numa" => own::damask_numa(ctx, out),
        "damask_pool" => own::damask_pool(ctx, out),
        "damask_versions" => own::damask_versions(ctx, out),
        "pg_aggregate" => types::pg_aggregate(out),
        "pg_am" => types::pg_am(out),
        "pg_attrdef" => classes::pg_attrdef(ctx, out),
        "pg_attribute" => classes::pg_attribute(ctx, out),
        "pg_authid" | "pg_roles" => session::roles(ctx, out),
        "pg_cast" => types::pg_cast(out),
        "pg_class" => classes::pg_class(ctx, out),
        "pg_collation" => types::pg_collation(out),
        "pg_constraint" => classes::pg_constraint(ctx, out),
        "pg_cursors" => session::pg_cursors(ctx, out),
        "pg_database" => session::pg_database(ctx, out),
        "pg_depend" => classes::pg_depend(ctx, out),
        "pg_description" => classes::pg_description(ctx, out),
        "pg_index" => classes::pg_index(ctx, out),
        "pg_indexes" => classes::pg_indexes(ctx, out),
        "pg_language" => types::pg_language(out),
        "pg_locks" => session::pg_locks(ctx, out),
        "pg_namespace" => classes::pg_namespace(ctx, out),
        "pg_opclass" => types::pg_opclass(out),
        "pg_operator" => types::pg_operator(out),
        "pg_opfamily" => types::pg_opfamily(out),
        "pg_prepared_statements" => session::pg_prepared_statements(ctx, out),
        "pg_proc" => types::pg_proc(out),
        "pg_rewrite" => classes::pg_rewrite(ctx, out),
        "pg_sequence" => classes::pg_sequence(ctx, out),
        "pg_sequences" => classes::pg_sequences(ctx, out),
        "pg_settings" => session::pg_settings(ctx, out),
        "pg_stat_activity" => session::pg_stat_activity(ctx, out),
        "pg_stat_all_tables" | "pg_stat_user_tables" => classes::pg_stat_tables(ctx, out),
        "pg_stat_bgwriter" => session::pg_stat_bgwriter(ctx, out),
        "pg_stat_database" => session::pg_stat_database(ctx, out),
        "pg_stat_wal" => session::pg_stat_wal(ctx, out),
        "pg_tables" => classes::pg_tables(ctx, out),
        "pg_tablespace" => types::pg_tablespace(out),
        "pg_type" => types::pg_type(out),
        "pg_user" => session::pg_user(ctx, out),
        "pg_views" => classes::pg_views(ctx, out),
        _ => {}
    }
    rows.finish()
}
