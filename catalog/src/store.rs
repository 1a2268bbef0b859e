//! The catalog's own tables: ordinary tables that hold one row for each object.
//!
//! Every table's first column is an int8 key, which is its row id, so a change is one descent. A relation is stored as
//! [`Record`]s: one for itself and one for each column, index and constraint; storing a new state of it writes the difference.
//!
//! | table | key | columns |
//! |---|---|---|
//! | schemas | oid | name, owner |
//! | relations | oid | schema, name, kind, owner, rel, alias, view, reads, sequence |
//! | columns | table << 16 + n | name, type, typmod, not null, default, identity, dropped, missing, sequence |
//! | indexes | oid | table, schema, name, rel, flags, keys |
//! | constraints | oid | table, name, kind, text, index, columns, target, target columns, target index, actions |
//! | roles | oid | name, superuser, login, password |
//! | comments | class << 48 + object << 16 + sub | text |

use crate::object::{
    Column, Constraint, ConstraintKind, ForeignKeyAction, Identity, Index, IndexKey, Relation,
    RelationKind, Role, Schema, Sequence,
};
use crate::snapshot::{BOOTSTRAP_ROLE, CatalogSnapshot, INFORMATION_SCHEMA, PG_CATALOG, PUBLIC};
use arc_swap::ArcSwap;
use damask_txn::{
    AliasKey, Engine, IndexDesc, IsolationLevel, KeyColumn, RelationDesc, ScanSpec, SequenceSpec,
    Txn, WriteOutcome,
};
use damask_types::format::{FormatSettings, parse_text, write_text};
use damask_types::{ColumnIndex, Error, Oid, RelId, Result, RowId, SqlType, TypeId, Value};
use hashbrown::HashMap;
use std::sync::Arc;
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
        use TypeId::{Bool, Int2Array, Int4, Int8Array, Oid, OidArray, Text};
        match self {
            Self::Schemas => &[Text, Oid],
            Self::Relations => &[Oid, Text, Text, Oid, Int4, Int4, Text, OidArray, Int8Array],
            Self::Columns => &[Text, Oid, Int4, Bool, Text, Text, Bool, Text, Oid],
            Self::Indexes => &[Oid, Oid, Text, Int4, Bool, Bool, Bool, Int2Array],
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
            bootstrap(&engine, creator, oids)?;
        }
        let snapshot = load(&engine)?;
        Ok(Self {
            engine,
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
        self.current.load().version
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
        self.current.store(Arc::new(next));
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

/// Makes the catalog's tables, the built-in schemas and roles.
fn bootstrap(engine: &Arc<Engine>, creator: Option<&str>, oids: RelId) -> Result<()> {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    for table in CatalogTable::ALL {
        let columns =
            std::iter::once(&TypeId::Int8).chain(table.types()).map(|&ty| SqlType::plain(ty));
        let rel = txn.create_relation(RelationDesc {
            columns: columns.collect(),
            alias: Some(AliasKey {
                column: ColumnIndex(0),
                name: format!("{table:?}_pkey"),
                column_name: "oid".to_owned(),
            }),
            indexes: vec![],
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
                nulls_not_distinct: false,
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
        WriteOutcome::Changed | WriteOutcome::Gone | WriteOutcome::SelfModified => {
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
        let text = Reader::new(CatalogTable::Comments, values).text()?;
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
        relation.constraints.push(constraint);
    }
    for relation in relations.into_values() {
        snapshot.put_relation(Arc::new(relation));
    }
    Ok(snapshot)
}

fn damaged(table: CatalogTable) -> Error {
    Error::corrupted(format!("a row of the catalog's table {table:?} does not decode"))
}

/// Reads the values of one record in order.
struct Reader<'a> {
    table: CatalogTable,
    values: std::slice::Iter<'a, Value>,
}

impl<'a> Reader<'a> {
    fn new(table: CatalogTable, values: &'a [Value]) -> Self {
        Self { table, values: values.iter() }
    }

    fn next(&mut self) -> Result<&'a Value> {
        self.values.next().ok_or_else(|| damaged(self.table))
    }

    fn text(&mut self) -> Result<Arc<str>> {
        self.optional_text()?.ok_or_else(|| damaged(self.table))
    }

    fn optional_text(&mut self) -> Result<Option<Arc<str>>> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(Arc::clone(text))),
            _ => Err(damaged(self.table)),
        }
    }

    fn bool(&mut self) -> Result<bool> {
        match self.next()? {
            Value::Bool(value) => Ok(*value),
            _ => Err(damaged(self.table)),
        }
    }

    fn int(&mut self) -> Result<i64> {
        self.optional_int()?.ok_or_else(|| damaged(self.table))
    }

    fn optional_int(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Value::Null => Ok(None),
            value => Ok(Some(value.as_i64().ok_or_else(|| damaged(self.table))?)),
        }
    }

    fn oid(&mut self) -> Result<Oid> {
        Ok(Oid(self.int()? as u32))
    }

    fn ints(&mut self) -> Result<Vec<i64>> {
        match self.next()? {
            Value::Null => Ok(vec![]),
            Value::Array(array) => array
                .values
                .iter()
                .map(|value| value.as_i64().ok_or_else(|| damaged(self.table)))
                .collect(),
            _ => Err(damaged(self.table)),
        }
    }

    fn columns(&mut self) -> Result<Vec<ColumnIndex>> {
        Ok(self.ints()?.into_iter().map(|i| ColumnIndex(i as u16)).collect())
    }
}

fn optional_text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::text)
}

fn column_array(columns: &[ColumnIndex]) -> Value {
    Value::array(TypeId::Int2, columns.iter().map(|column| Value::Int2(column.0 as i16)).collect())
}

pub(crate) fn schema_record(schema: &Schema) -> Record {
    Record {
        table: CatalogTable::Schemas,
        key: schema.oid.0.into(),
        values: vec![Value::text(schema.name.as_str()), Value::Oid(schema.owner)],
    }
}

fn read_schema(key: i64, values: &[Value]) -> Result<Schema> {
    let mut reader = Reader::new(CatalogTable::Schemas, values);
    Ok(Schema {
        oid: Oid(key as u32),
        name: reader.text()?.as_ref().to_owned(),
        owner: reader.oid()?,
    })
}

pub(crate) fn role_record(role: &Role) -> Record {
    Record {
        table: CatalogTable::Roles,
        key: role.oid.0.into(),
        values: vec![
            Value::text(role.name.as_str()),
            Value::Bool(role.superuser),
            Value::Bool(role.login),
            optional_text(role.password.as_deref()),
        ],
    }
}

fn read_role(key: i64, values: &[Value]) -> Result<Role> {
    let mut reader = Reader::new(CatalogTable::Roles, values);
    Ok(Role {
        oid: Oid(key as u32),
        name: reader.text()?.as_ref().to_owned(),
        superuser: reader.bool()?,
        login: reader.bool()?,
        password: reader.optional_text()?.map(|text| text.as_ref().to_owned()),
    })
}

pub(crate) fn comment_record((class, object, sub): (Oid, Oid, i32), text: &str) -> Record {
    let key = i64::from(class.0) << 48 | i64::from(object.0) << 16 | i64::from(sub);
    Record { table: CatalogTable::Comments, key, values: vec![Value::text(text)] }
}

/// The records of a relation with its columns, indexes and constraints.
pub(crate) fn relation_records(relation: &Relation) -> Result<Vec<Record>> {
    let mut records = vec![Record {
        table: CatalogTable::Relations,
        key: relation.oid.0.into(),
        values: vec![
            Value::Oid(relation.schema),
            Value::text(relation.name.as_str()),
            Value::text(kind_letter(relation.kind)),
            Value::Oid(relation.owner),
            Value::Int4(relation.rel.0 as i32),
            relation.alias.map_or(Value::Null, |column| Value::Int4(column.0.into())),
            optional_text(relation.view.as_deref()),
            Value::array(TypeId::Oid, relation.reads.iter().map(|&oid| Value::Oid(oid)).collect()),
            relation.sequence.as_ref().map_or(Value::Null, sequence_value),
        ],
    }];
    for (i, column) in relation.columns.iter().enumerate() {
        records.push(column_record(relation.oid, i, column));
    }
    for index in &relation.indexes {
        records.push(index_record(relation.schema, index));
    }
    records.extend(relation.constraints.iter().map(|constraint| constraint_record(constraint)));
    Ok(records)
}

fn kind_letter(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => "r",
        RelationKind::Index => "i",
        RelationKind::Sequence => "S",
        RelationKind::View => "v",
        RelationKind::System => unreachable!("system relations are not stored"),
    }
}

fn sequence_value(sequence: &Sequence) -> Value {
    let owner = sequence
        .owned_by
        .map_or(-1, |(table, column)| i64::from(table.0) << 16 | i64::from(column.0));
    let numbers = [
        i64::from(sequence.ty.id.oid().0),
        sequence.start,
        sequence.increment,
        sequence.min,
        sequence.max,
        sequence.cache,
        sequence.cycle.into(),
        owner,
    ];
    Value::array(TypeId::Int8, numbers.into_iter().map(Value::Int8).collect())
}

fn read_relation(key: i64, values: &[Value]) -> Result<Relation> {
    let table = CatalogTable::Relations;
    let mut reader = Reader::new(table, values);
    let schema = reader.oid()?;
    let name = reader.text()?;
    let kind = match &*reader.text()? {
        "r" => RelationKind::Table,
        "S" => RelationKind::Sequence,
        "v" => RelationKind::View,
        _ => return Err(damaged(table)),
    };
    let mut relation = Relation::new(Oid(key as u32), schema, &*name, kind);
    relation.owner = reader.oid()?;
    relation.rel = RelId(reader.int()? as u32);
    relation.alias = reader.optional_int()?.map(|column| ColumnIndex(column as u16));
    relation.view = reader.optional_text()?.map(|text| text.as_ref().to_owned());
    relation.reads = reader.ints()?.into_iter().map(|oid| Oid(oid as u32)).collect();
    let numbers = reader.ints()?;
    if let [ty, start, increment, min, max, cache, cycle, owner] = numbers[..] {
        let ty = TypeId::from_oid(Oid(ty as u32)).ok_or_else(|| damaged(table))?;
        relation.sequence = Some(Sequence {
            ty: SqlType::plain(ty),
            start,
            increment,
            min,
            max,
            cache,
            cycle: cycle != 0,
            owned_by: (owner >= 0)
                .then_some((Oid((owner >> 16) as u32), ColumnIndex(owner as u16))),
        });
    }
    Ok(relation)
}

fn column_record(table: Oid, number: usize, column: &Column) -> Record {
    let missing = match &column.missing {
        Value::Null => Value::Null,
        value => {
            let mut text = Vec::new();
            write_text(column.ty.id, value, &FormatSettings::default(), &mut text);
            Value::text(String::from_utf8(text).expect("text forms are UTF-8"))
        }
    };
    Record {
        table: CatalogTable::Columns,
        key: i64::from(table.0) << 16 | number as i64,
        values: vec![
            Value::text(column.name.as_str()),
            Value::Oid(column.ty.id.oid()),
            Value::Int4(column.ty.typmod),
            Value::Bool(column.not_null),
            optional_text(column.default.as_deref()),
            Value::text(match column.identity {
                None => "",
                Some(Identity::Always) => "a",
                Some(Identity::ByDefault) => "d",
            }),
            Value::Bool(column.dropped),
            missing,
            column.sequence.map_or(Value::Null, Value::Oid),
        ],
    }
}

fn read_column(values: &[Value]) -> Result<Column> {
    let table = CatalogTable::Columns;
    let mut reader = Reader::new(table, values);
    let name = reader.text()?;
    let id = TypeId::from_oid(reader.oid()?).ok_or_else(|| damaged(table))?;
    let ty = SqlType { id, typmod: reader.int()? as i32 };
    let mut column = Column::new(&*name, ty);
    column.not_null = reader.bool()?;
    column.default = reader.optional_text()?.map(|text| text.as_ref().to_owned());
    column.identity = match &*reader.text()? {
        "" => None,
        "a" => Some(Identity::Always),
        "d" => Some(Identity::ByDefault),
        _ => return Err(damaged(table)),
    };
    column.dropped = reader.bool()?;
    if let Some(text) = reader.optional_text()? {
        column.missing = parse_text(ty, &text, &FormatSettings::default(), 0)?;
    }
    column.sequence = reader.optional_int()?.map(|oid| Oid(oid as u32));
    Ok(column)
}

fn index_record(schema: Oid, index: &Index) -> Record {
    let keys = index.keys.iter().flat_map(|key| {
        let flags = i16::from(key.descending) | i16::from(key.nulls_first) << 1;
        [Value::Int2(key.column.0 as i16), Value::Int2(flags)]
    });
    Record {
        table: CatalogTable::Indexes,
        key: index.oid.0.into(),
        values: vec![
            Value::Oid(index.table),
            Value::Oid(schema),
            Value::text(index.name.as_str()),
            Value::Int4(index.rel.0 as i32),
            Value::Bool(index.unique),
            Value::Bool(index.primary),
            Value::Bool(index.nulls_not_distinct),
            Value::array(TypeId::Int2, keys.collect()),
        ],
    }
}

fn read_index(key: i64, values: &[Value]) -> Result<Index> {
    let mut reader = Reader::new(CatalogTable::Indexes, values);
    let table = reader.oid()?;
    let _schema = reader.oid()?;
    Ok(Index {
        oid: Oid(key as u32),
        table,
        name: reader.text()?.as_ref().to_owned(),
        rel: RelId(reader.int()? as u32),
        unique: reader.bool()?,
        primary: reader.bool()?,
        nulls_not_distinct: reader.bool()?,
        keys: reader
            .ints()?
            .chunks_exact(2)
            .map(|pair| IndexKey {
                column: ColumnIndex(pair[0] as u16),
                descending: pair[1] & 1 != 0,
                nulls_first: pair[1] & 2 != 0,
            })
            .collect(),
    })
}

fn constraint_record(constraint: &Constraint) -> Record {
    let none = Value::Oid(Oid::NONE);
    let (kind, text, index, columns, target, target_columns, target_index, actions) =
        match &constraint.kind {
            ConstraintKind::Check { expr, columns } => (
                "c",
                Value::text(expr.as_str()),
                none.clone(),
                columns,
                none.clone(),
                &vec![],
                none,
                String::new(),
            ),
            ConstraintKind::PrimaryKey { index, columns } => (
                "p",
                Value::Null,
                Value::Oid(*index),
                columns,
                none.clone(),
                &vec![],
                none,
                String::new(),
            ),
            ConstraintKind::Unique { index, columns } => (
                "u",
                Value::Null,
                Value::Oid(*index),
                columns,
                none.clone(),
                &vec![],
                none,
                String::new(),
            ),
            ConstraintKind::ForeignKey {
                columns,
                target,
                target_columns,
                target_index,
                on_update,
                on_delete,
                match_full,
            } => (
                "f",
                Value::Null,
                none,
                columns,
                Value::Oid(*target),
                target_columns,
                Value::Oid(*target_index),
                [on_update.letter(), on_delete.letter(), if *match_full { 'f' } else { 's' }]
                    .iter()
                    .collect(),
            ),
        };
    Record {
        table: CatalogTable::Constraints,
        key: constraint.oid.0.into(),
        values: vec![
            Value::Oid(constraint.table),
            Value::text(constraint.name.as_str()),
            Value::text(kind),
            text,
            index,
            column_array(columns),
            target,
            column_array(target_columns),
            target_index,
            Value::text(actions),
        ],
    }
}

fn read_constraint(key: i64, values: &[Value]) -> Result<Constraint> {
    let table = CatalogTable::Constraints;
    let mut reader = Reader::new(table, values);
    let (owner, name, kind) = (reader.oid()?, reader.text()?, reader.text()?);
    let (text, index, columns) = (reader.optional_text()?, reader.oid()?, reader.columns()?);
    let (target, target_columns, target_index) = (reader.oid()?, reader.columns()?, reader.oid()?);
    let actions = reader.text()?;
    let kind = match &*kind {
        "c" => ConstraintKind::Check {
            expr: text.ok_or_else(|| damaged(table))?.as_ref().to_owned(),
            columns,
        },
        "p" => ConstraintKind::PrimaryKey { index, columns },
        "u" => ConstraintKind::Unique { index, columns },
        "f" => {
            let letters: Vec<char> = actions.chars().collect();
            let [update, delete, matching] = letters[..] else {
                return Err(damaged(table));
            };
            let action =
                |letter| ForeignKeyAction::from_letter(letter).ok_or_else(|| damaged(table));
            ConstraintKind::ForeignKey {
                columns,
                target,
                target_columns,
                target_index,
                on_update: action(update)?,
                on_delete: action(delete)?,
                match_full: matching == 'f',
            }
        }
        _ => return Err(damaged(table)),
    };
    Ok(Constraint { oid: Oid(key as u32), name: name.as_ref().to_owned(), table: owner, kind })
}
