//! The catalog's own tables: ordinary tables that hold one row for each object; [`record`] has their rows.
//!
//! Every table's first column is an int8 key, which is its row id, so a change is one descent. A relation is stored as
//! [`Record`]s: one for itself and one for each column, index and constraint; storing a new state of it writes the difference.
//!
//! | table | key | columns |
//! |---|---|---|
//! | schemas | oid | name, owner |
//! | relations | oid | schema, name, kind, owner, rel, alias, view, reads, sequence, parameters |
//! | columns | table << 16 + n | name, type, typmod, not null, default, identity, dropped, missing, sequence |
//! | indexes | oid | table, schema, name, rel, flags, keys, included, expressions, their types, predicate |
//! | constraints | oid | table, name, kind, text, index, columns, target, target columns, target index, actions |
//! | roles | oid | name, superuser, login, password |
//! | comments | class << 48 + object << 16 + sub | text |

mod record;

pub(crate) use record::{
    comment_record, parameters_value, relation_records, role_record, schema_record,
};

use crate::object::{ConstraintKind, Relation, Role, Schema};
use crate::snapshot::{BOOTSTRAP_ROLE, CatalogSnapshot, INFORMATION_SCHEMA, PG_CATALOG, PUBLIC};
use arc_swap::ArcSwap;
use damask_txn::{
    AliasKey, Engine, IndexDesc, IsolationLevel, KeyColumn, RelationDesc, ScanSpec, SequenceSpec,
    Txn, WriteOutcome,
};
use damask_types::{ColumnIndex, Error, Oid, RelId, Result, RowId, SqlType, TypeId, Value};
use hashbrown::HashMap;
use record::{
    damaged, read_column, read_comment, read_constraint, read_index, read_relation, read_role,
    read_schema,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One of the catalog's tables. The discriminant is its [`RelId`]: they are the first relations of every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CatalogTable {
    Schemas = 1,
    Relations = 2,
    Columns = 3,
    Indexes = 4,
    Constraints = 5,
    Roles = 6,
    Comments = 7,
}

impl CatalogTable {
    const ALL: [Self; 7] = [
        Self::Schemas,
        Self::Relations,
        Self::Columns,
        Self::Indexes,
        Self::Constraints,
        Self::Roles,
        Self::Comments,
    ];

    /// Types of the columns after the key.
    fn types(self) -> &'static [TypeId] {
        use TypeId::{Bool, Int2Array, Int4, Int8Array, Oid, Text, TextArray};
        match self {
            Self::Schemas => &[Text, Oid],
            Self::Relations => {
                &[Oid, Text, Text, Oid, Int4, Int4, Text, Int8Array, Int8Array, TextArray]
            }
            Self::Columns => &[Text, Oid, Int4, Bool, Text, Text, Bool, Text, Oid],
            Self::Indexes => &[
                Oid, Oid, Text, Int4, Bool, Bool, Bool, Int2Array, Int2Array, TextArray, Int8Array,
                Text,
            ],
            Self::Constraints => {
                &[Oid, Text, Text, Text, Oid, Int2Array, Oid, Int2Array, Oid, Text]
            }
            Self::Roles => &[Text, Bool, Bool, Text],
            Self::Comments => &[Text],
        }
    }

    /// Columns (counted with the key) whose values are unique together, with the constraint's name.
    fn unique(self) -> Option<(&'static str, &'static [u16])> {
        match self {
            Self::Schemas => Some(("pg_namespace_nspname_index", &[1])),
            Self::Relations => Some(("pg_class_relname_nsp_index", &[1, 2])),
            Self::Indexes => Some(("pg_class_relname_nsp_index", &[2, 3])),
            Self::Roles => Some(("pg_authid_rolname_index", &[1])),
            Self::Columns | Self::Constraints | Self::Comments => None,
        }
    }

    /// Types of the columns, the key first.
    fn columns(self) -> Vec<SqlType> {
        std::iter::once(&TypeId::Int8).chain(self.types()).map(|&ty| SqlType::plain(ty)).collect()
    }

    fn rel(self) -> RelId {
        RelId(self as u32)
    }
}

/// The sequence that OIDs come from: made right after the catalog's tables and their indexes.
const OID_SEQUENCE: SequenceSpec = SequenceSpec {
    start: Oid::FIRST_USER.0 as i64,
    increment: 1,
    min: 1,
    max: u32::MAX as i64,
    cycle: false,
};

/// A row of one of the catalog's tables.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) table: CatalogTable,
    pub(crate) key: i64,
    /// The columns after the key.
    pub(crate) values: Vec<Value>,
}

/// A change of the catalog, as the snapshot takes it.
#[derive(Clone, Debug)]
pub enum Change {
    /// A schema is new or different.
    PutSchema(Arc<Schema>),
    /// A schema is gone.
    RemoveSchema(Oid),
    /// A relation is new or different.
    PutRelation(Arc<Relation>),
    /// A relation is gone.
    RemoveRelation(Oid),
    /// A role is new or different.
    PutRole(Arc<Role>),
    /// A role is gone.
    RemoveRole(Oid),
    /// A comment is new, different or gone.
    Comment((Oid, Oid, i32), Option<Arc<str>>),
}

/// The catalog of an open database.
#[derive(Debug)]
pub struct Catalog {
    engine: Arc<Engine>,
    current: ArcSwap<CatalogSnapshot>,
    /// The version of `current`, or of the one before for an instant: looking at it costs less.
    version: AtomicU64,
    /// Held while changes are applied to `current`.
    publishing: Mutex<()>,
    oids: RelId,
}

impl Catalog {
    /// Opens the catalog, making it first if the database is new; `creator` becomes a superuser role beside `postgres`.
    ///
    /// # Errors
    /// What the engine raises; XX001 if a row of the catalog does not decode.
    pub fn open(engine: Arc<Engine>, creator: Option<&str>) -> Result<Self> {
        let oids = RelId(1 + CatalogTable::ALL.len() as u32 + unique_count());
        if engine.is_new() {
            bootstrap(&engine, creator, oids, CatalogTable::columns)?;
        } else {
            add_columns(&engine)?;
        }
        let snapshot = load(&engine)?;
        Ok(Self {
            engine,
            version: AtomicU64::new(snapshot.version),
            current: ArcSwap::from_pointee(snapshot),
            publishing: Mutex::new(()),
            oids,
        })
    }

    /// The engine it lives in.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The catalog as last committed.
    pub fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.current.load_full()
    }

    /// The version of the catalog as last committed.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Applies the changes of a committed transaction.
    pub fn publish(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let _guard = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = CatalogSnapshot::clone(&self.current.load());
        for change in changes {
            next.apply(change);
        }
        next.version += 1;
        let version = next.version;
        self.current.store(Arc::new(next));
        self.version.store(version, Ordering::Release);
    }

    /// A new OID.
    ///
    /// # Errors
    /// 2200H when 2^32 were given out.
    pub fn new_oid(&self) -> Result<Oid> {
        let value = self.engine.sequence_next(self.oids, &OID_SEQUENCE)?;
        Ok(Oid(u32::try_from(value).expect("the sequence ends at u32::MAX")))
    }
}

impl CatalogSnapshot {
    /// Applies one change.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::PutSchema(schema) => self.put_schema(Arc::clone(schema)),
            Change::RemoveSchema(oid) => self.remove_schema(*oid),
            Change::PutRelation(relation) => self.put_relation(Arc::clone(relation)),
            Change::RemoveRelation(oid) => self.remove_relation(*oid),
            Change::PutRole(role) => self.put_role(Arc::clone(role)),
            Change::RemoveRole(oid) => self.remove_role(*oid),
            Change::Comment(key, text) => self.put_comment(*key, text.clone()),
        }
    }
}

fn unique_count() -> u32 {
    CatalogTable::ALL.iter().filter(|table| table.unique().is_some()).count() as u32
}

/// Gives tables of a database that an older version made the columns that came since; they are null in its rows.
fn add_columns(engine: &Arc<Engine>) -> Result<()> {
    for table in CatalogTable::ALL {
        let columns = table.columns();
        if engine.table(table.rel())?.columns().len() < columns.len() {
            let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
            txn.begin_statement()?;
            txn.set_columns(table.rel(), columns, vec![])?;
            txn.commit()?.wait()?;
        }
    }
    Ok(())
}

/// Makes the catalog's tables, with these columns, the built-in schemas and roles.
fn bootstrap(
    engine: &Arc<Engine>,
    creator: Option<&str>,
    oids: RelId,
    columns: fn(CatalogTable) -> Vec<SqlType>,
) -> Result<()> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    for table in CatalogTable::ALL {
        let rel = txn.create_relation(RelationDesc {
            columns: columns(table),
            alias: Some(AliasKey {
                column: ColumnIndex(0),
                name: format!("{table:?}_pkey"),
                column_name: "oid".to_owned(),
            }),
            ..RelationDesc::default()
        })?;
        assert_eq!(rel, table.rel(), "the catalog's tables are the first relations");
    }
    for table in CatalogTable::ALL {
        let Some((name, columns)) = table.unique() else { continue };
        let key = |&column| KeyColumn::ascending(ColumnIndex(column));
        txn.add_index(
            table.rel(),
            IndexDesc {
                name: name.to_owned(),
                keys: columns.iter().map(key).collect(),
                key_names: columns.iter().map(|column| format!("column{column}")).collect(),
                unique: true,
                ..IndexDesc::default()
            },
        )?;
    }
    let sequence = txn.create_sequence(&OID_SEQUENCE)?;
    assert_eq!(sequence, oids, "the sequence of OIDs follows the catalog's indexes");
    for (oid, name) in
        [(PG_CATALOG, "pg_catalog"), (PUBLIC, "public"), (INFORMATION_SCHEMA, "information_schema")]
    {
        let schema = Schema { oid, name: name.to_owned(), owner: BOOTSTRAP_ROLE };
        put(engine, &mut txn, &schema_record(&schema))?;
    }
    let roles = std::iter::once("postgres").chain(creator.filter(|&name| name != "postgres"));
    for (i, name) in roles.enumerate() {
        let oid = Oid(BOOTSTRAP_ROLE.0 + i as u32 * 6_000);
        let role =
            Role { oid, name: name.to_owned(), superuser: true, login: true, password: None };
        put(engine, &mut txn, &role_record(&role))?;
    }
    txn.commit()?.wait()
}

/// Inserts a record.
fn put(engine: &Arc<Engine>, txn: &mut Txn, record: &Record) -> Result<()> {
    let table = engine.table(record.table.rel())?;
    let mut row = Vec::with_capacity(record.values.len() + 1);
    row.push(Value::Int8(record.key));
    row.extend(record.values.iter().cloned());
    table.insert(txn, &row)?;
    Ok(())
}

/// Changes `old` records into `new` ones.
///
/// Each call is a command of its own, so that one statement can change a record several times.
pub(crate) fn replace(
    engine: &Arc<Engine>,
    txn: &mut Txn,
    old: &[Record],
    new: &[Record],
) -> Result<()> {
    txn.begin_statement()?;
    let old_by_key: HashMap<_, _> =
        old.iter().map(|record| ((record.table, record.key), record)).collect();
    let new_keys: hashbrown::HashSet<_> =
        new.iter().map(|record| (record.table, record.key)).collect();
    for record in old.iter().filter(|record| !new_keys.contains(&(record.table, record.key))) {
        let table = engine.table(record.table.rel())?;
        let outcome = table.delete(txn, row_id(record.key))?;
        expect_done(outcome)?;
    }
    for record in new {
        match old_by_key.get(&(record.table, record.key)) {
            None => put(engine, txn, record)?,
            Some(before) if before.values == record.values => {}
            Some(before) => {
                let changed: Vec<_> = record
                    .values
                    .iter()
                    .enumerate()
                    .filter(|(i, value)| before.values[*i] != **value)
                    .map(|(i, value)| (ColumnIndex(i as u16 + 1), value.clone()))
                    .collect();
                let table = engine.table(record.table.rel())?;
                let outcome = table.update(txn, row_id(record.key), &changed)?;
                expect_done(outcome)?;
            }
        }
    }
    Ok(())
}

/// The row id of an alias table's key.
fn row_id(key: i64) -> RowId {
    RowId(key.cast_unsigned() ^ 1 << 63)
}

fn expect_done(outcome: WriteOutcome) -> Result<()> {
    match outcome {
        WriteOutcome::Done => Ok(()),
        WriteOutcome::Changed(_) | WriteOutcome::Gone | WriteOutcome::SelfModified => {
            Err(Error::new(damask_types::SqlState::INTERNAL_ERROR, "tuple concurrently updated"))
        }
    }
}

/// Reads the whole catalog.
fn load(engine: &Arc<Engine>) -> Result<CatalogSnapshot> {
    let mut txn = engine.begin(IsolationLevel::RepeatableRead, true)?;
    txn.begin_statement()?;
    let mut rows: HashMap<CatalogTable, Vec<(i64, Vec<Value>)>> = HashMap::new();
    for table in CatalogTable::ALL {
        let count = table.types().len() as u16 + 1;
        let spec = ScanSpec::new((0..count).map(ColumnIndex).collect());
        let mut scan = engine.table(table.rel())?.scan(&txn.view()?, spec)?;
        let out = rows.entry(table).or_default();
        while let Some((batch, _)) = scan.next()? {
            for row in batch.active().iter() {
                let mut values = batch.columns.iter().map(|column| column.value(row));
                let key =
                    values.next().and_then(|key| key.as_i64()).ok_or_else(|| damaged(table))?;
                out.push((key, values.collect()));
            }
        }
    }
    txn.rollback()?;
    let take = |table| rows.get(&table).into_iter().flatten();
    let mut snapshot = CatalogSnapshot::default();
    snapshot.version = 1;
    for (key, values) in take(CatalogTable::Schemas) {
        snapshot.put_schema(Arc::new(read_schema(*key, values)?));
    }
    for (key, values) in take(CatalogTable::Roles) {
        snapshot.put_role(Arc::new(read_role(*key, values)?));
    }
    for (key, values) in take(CatalogTable::Comments) {
        let parts = (Oid((key >> 48) as u32), Oid((key >> 16) as u32), (key & 0xffff) as i32);
        let text = read_comment(values)?;
        snapshot.put_comment(parts, Some(text));
    }
    let mut relations: HashMap<Oid, Relation> = HashMap::new();
    for (key, values) in take(CatalogTable::Relations) {
        relations.insert(Oid(*key as u32), read_relation(*key, values)?);
    }
    for (key, values) in take(CatalogTable::Columns) {
        let relation = relations.get_mut(&Oid((key >> 16) as u32));
        // Columns come in key order, so they arrive by number.
        relation.ok_or_else(|| damaged(CatalogTable::Columns))?.columns.push(read_column(values)?);
    }
    for (key, values) in take(CatalogTable::Indexes) {
        let index = read_index(*key, values)?;
        let relation =
            relations.get_mut(&index.table).ok_or_else(|| damaged(CatalogTable::Indexes))?;
        relation.indexes.push(Arc::new(index));
    }
    for (key, values) in take(CatalogTable::Constraints) {
        let constraint = Arc::new(read_constraint(*key, values)?);
        if let ConstraintKind::ForeignKey { target, .. } = &constraint.kind {
            let target =
                relations.get_mut(target).ok_or_else(|| damaged(CatalogTable::Constraints))?;
            target.referenced_by.push(Arc::clone(&constraint));
        }
        let relation = relations
            .get_mut(&constraint.table)
            .ok_or_else(|| damaged(CatalogTable::Constraints))?;
        if constraint.timing.deferrable
            && let Some(index) = constraint.kind.index()
        {
            for found in relation.indexes.iter_mut().filter(|found| found.oid == index) {
                Arc::make_mut(found).immediate = false;
            }
        }
        relation.constraints.push(constraint);
    }
    for relation in relations.into_values() {
        snapshot.put_relation(Arc::new(relation));
    }
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_txn::{Env, Location};
    use std::path::PathBuf;

    /// A catalog without the column of storage parameters, as version 0.1 began.
    fn older(table: CatalogTable) -> Vec<SqlType> {
        let mut columns = table.columns();
        if table == CatalogTable::Relations {
            columns.pop();
        }
        columns
    }

    #[test]
    fn an_older_catalog_gets_the_columns_that_came_since() {
        let env = Env::in_memory(1);
        let open = || {
            let file = Location::File(PathBuf::from("d"));
            Engine::open(env.clone(), file, damask_txn::EngineOptions::default()).unwrap()
        };
        let engine = open();
        let oids = RelId(1 + CatalogTable::ALL.len() as u32 + unique_count());
        bootstrap(&engine, None, oids, older).unwrap();
        let width = older(CatalogTable::Relations).len();
        assert_eq!(engine.table(RelId(2)).unwrap().columns().len(), width);
        engine.close().unwrap();
        drop(engine);
        for _ in 0..2 {
            let engine = open();
            let catalog = Catalog::open(Arc::clone(&engine), None).unwrap();
            assert!(catalog.snapshot().schema_by_name("public").is_some());
            assert_eq!(engine.table(RelId(2)).unwrap().columns().len(), width + 1);
            engine.close().unwrap();
        }
    }
}
