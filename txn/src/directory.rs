//! Relations in memory: their trees, layouts and indexes, and how a checkpoint and the log describe them.

use crate::births::Births;
use crate::bytes::{Reader, put_bytes, put_signed, put_varint};
use crate::engine::Engine;
use crate::program::RowProgram;
use crate::schema::{AliasKey, IndexDesc, KeyColumn, KeySource, RelationDesc, TableEngine};
use crate::version::HeapId;
use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use damask_storage::key::{KeyColumn as OrderedColumn, check_key_len, encode_key_into, hash_key};
use damask_storage::row::{RowColumn, RowLayout};
use damask_storage::tree::{HeapTree, IndexTree};
use damask_types::format::{FormatSettings, to_text};
use damask_types::{ColumnIndex, Error, RelId, Result, RowId, SqlState, SqlType, TypeId, Value};
use hashbrown::HashMap;
use parking_lot::RwLock;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// What an index is, apart from its tree: how rows become keys.
pub(crate) struct IndexShape {
    pub(crate) rel: RelId,
    pub(crate) desc: ArcSwap<IndexDesc>,
    pub(crate) columns: Vec<OrderedColumn>,
    pub(crate) keys: Vec<KeyColumn>,
    /// How many of the keys count for [`IndexShape::unique`]; the others are only carried along.
    pub(crate) counted: usize,
    pub(crate) unique: bool,
    pub(crate) deferrable: bool,
    pub(crate) hash: bool,
    pub(crate) nulls_not_distinct: bool,
    pub(crate) page_bytes: usize,
    /// Computes the keys that are no columns, and which rows the index has.
    pub(crate) program: Option<Arc<dyn RowProgram>>,
}

/// What [`IndexShape::key_of`] says of a row and the key it wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyOf {
    /// Whether the index has the row; else the key is empty, which no row's key is.
    pub(crate) is_indexed: bool,
    /// Whether a part of the key that counts for uniqueness is null.
    pub(crate) has_null: bool,
    /// Length of the part of the key that counts for uniqueness.
    pub(crate) unique_len: usize,
}

/// An index of a heap.
pub(crate) struct Index {
    pub(crate) shape: IndexShape,
    pub(crate) tree: IndexTree,
}

impl std::ops::Deref for Index {
    type Target = IndexShape;

    fn deref(&self) -> &IndexShape {
        &self.shape
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("rel", &self.rel).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Heap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heap").field("id", &self.id).finish_non_exhaustive()
    }
}

impl IndexShape {
    pub(crate) fn new(
        rel: RelId,
        desc: IndexDesc,
        layout: &RowLayout,
        engine: &Engine,
    ) -> Result<Self> {
        let page_bytes = engine.store.pool().page_bytes();
        let lacking = || Error::internal("an index has a column that its table lacks");
        let columns = desc
            .keys
            .iter()
            .map(|key| {
                let ty = match key.source {
                    KeySource::Column(column) => {
                        layout.columns().get(usize::from(column.0)).ok_or_else(lacking)?.ty
                    }
                    KeySource::Computed(expr, ty) if usize::from(expr) < desc.exprs.len() => ty,
                    KeySource::Computed(..) => return Err(lacking()),
                };
                Ok(OrderedColumn { ty, descending: key.descending, nulls_first: key.nulls_first })
            })
            .collect::<Result<_>>()?;
        let program = if desc.exprs.is_empty() && desc.predicate.is_none() {
            None
        } else {
            let types: Vec<SqlType> = layout.columns().iter().map(|column| column.ty).collect();
            Some(engine.options.programs.compile(&desc.exprs, desc.predicate.as_deref(), &types)?)
        };
        Ok(Self {
            rel,
            program,
            counted: desc.keys.len().saturating_sub(desc.included),
            columns,
            keys: desc.keys.clone(),
            unique: desc.unique,
            deferrable: desc.deferrable,
            hash: desc.hash,
            nulls_not_distinct: desc.nulls_not_distinct,
            desc: ArcSwap::from_pointee(desc),
            page_bytes,
        })
    }

    /// Where in the key these columns are, if it gives the values of all of them back. A key is read from its beginning, so no
    /// column before the last of them may be one that does not.
    pub(crate) fn carried(&self, columns: &[ColumnIndex]) -> Option<Vec<usize>> {
        if self.hash {
            return None;
        }
        let lossless = self.columns.iter().take_while(|column| column.is_lossless()).count();
        let place = |column: &ColumnIndex| {
            let wanted = KeySource::Column(*column);
            self.keys[..lossless].iter().position(|key| key.source == wanted)
        };
        columns.iter().map(place).collect()
    }

    /// Writes the key of a row into `out`, which is cleared.
    pub(crate) fn key_of(
        &self,
        layout: &RowLayout,
        row: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<KeyOf> {
        out.clear();
        let Some(values) = self.values_of(layout, row)? else {
            return Ok(KeyOf { is_indexed: false, has_null: false, unique_len: 0 });
        };
        if self.hash && values.iter().any(Value::is_null) {
            return Ok(KeyOf { is_indexed: false, has_null: true, unique_len: 0 });
        }
        let (counted, carried) = values.split_at(self.counted);
        self.encode(counted, out)?;
        let unique_len = out.len();
        encode_key_into(&self.columns[self.counted..], carried, out)?;
        let has_null = counted.iter().any(Value::is_null);
        Ok(KeyOf { is_indexed: true, has_null, unique_len })
    }

    /// Appends what the keys of rows begin with that have these values in the first of the key's columns.
    pub(crate) fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        encode_key_into(&self.columns, values, out)?;
        if self.hash && !values.is_empty() {
            let hash = hash_key(&out[start..]);
            out.truncate(start);
            out.extend_from_slice(&hash);
        }
        Ok(())
    }

    /// Of a hash index, the key that was hashed: what tells apart rows whose hashes are equal.
    pub(crate) fn unhashed_key_of(
        &self,
        layout: &RowLayout,
        row: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.clear();
        if let Some(values) = self.values_of(layout, row)? {
            encode_key_into(&self.columns, &values, out)?;
        }
        Ok(())
    }

    /// The values of a row's key; none if the index does not have the row.
    fn values_of(&self, layout: &RowLayout, row: &[u8]) -> Result<Option<SmallVec<[Value; 4]>>> {
        let mut computed = Vec::new();
        if let Some(program) = &self.program {
            let mut read = SmallVec::<[Value; 4]>::new();
            for column in program.columns() {
                read.push(layout.column(row, *column)?);
            }
            match program.run(&read)? {
                Some(values) => computed = values,
                None => return Ok(None),
            }
        }
        let mut values = SmallVec::new();
        for key in &self.keys {
            values.push(match key.source {
                KeySource::Column(column) => layout.column(row, column)?,
                KeySource::Computed(expr, _) => computed
                    .get(usize::from(expr))
                    .cloned()
                    .ok_or_else(|| Error::internal("a program computes each of its keys"))?,
            });
        }
        Ok(Some(values))
    }

    /// The same, for a row that is to be written: the key must fit.
    pub(crate) fn checked_key_of(
        &self,
        layout: &RowLayout,
        row: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<KeyOf> {
        let made = self.key_of(layout, row, out)?;
        check_key_len(out, self.page_bytes, &self.desc.load().name)?;
        Ok(made)
    }

    /// Whether two rows have one key.
    pub(crate) fn same_key(&self, layout: &RowLayout, a: &[u8], b: &[u8]) -> Result<bool> {
        if a == b {
            return Ok(true);
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.key_of(layout, a, &mut left)?;
        self.key_of(layout, b, &mut right)?;
        Ok(left == right)
    }

    /// The columns that its keys come from.
    pub(crate) fn key_columns(&self) -> impl Iterator<Item = ColumnIndex> + '_ {
        let computed = self.program.iter().flat_map(|program| program.columns());
        self.keys.iter().filter_map(KeyColumn::column).chain(computed.copied())
    }

    pub(crate) fn has_column(&self, column: ColumnIndex) -> bool {
        self.keys.iter().any(|key| key.column() == Some(column))
            || self.program.as_ref().is_some_and(|program| program.columns().contains(&column))
    }

    /// 23505 for a row whose key is there already.
    #[cold]
    pub(crate) fn duplicate(&self, layout: &RowLayout, row: &[u8], building: bool) -> Error {
        let desc = self.desc.load();
        let found = match self.values_of(layout, row) {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => return error,
        };
        let values: Vec<(SqlType, Value)> =
            self.columns[..self.counted].iter().map(|column| column.ty).zip(found).collect();
        let names = desc.key_names.get(..self.counted).unwrap_or(&desc.key_names);
        duplicate_key(&desc.name, names, &values, building)
    }
}

/// 23505 with PostgreSQL's words.
#[cold]
pub(crate) fn duplicate_key(
    constraint: &str,
    names: &[String],
    values: &[(SqlType, Value)],
    building: bool,
) -> Error {
    let texts: Vec<String> = values.iter().map(|(ty, value)| value_text(*ty, value)).collect();
    let key = format!("Key ({})=({})", names.join(", "), texts.join(", "));
    let error = if building {
        Error::new(
            SqlState::UNIQUE_VIOLATION,
            format!("could not create unique index \"{constraint}\""),
        )
        .detail(format!("{key} is duplicated."))
    } else {
        Error::new(
            SqlState::UNIQUE_VIOLATION,
            format!("duplicate key value violates unique constraint \"{constraint}\""),
        )
        .detail(format!("{key} already exists."))
    };
    error.constraint(constraint)
}

/// A value's text form, with the settings a new session has.
fn value_text(ty: SqlType, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        value => to_text(ty.id, value, &FormatSettings::default()),
    }
}

/// The rows of a table with the indexes on them; TRUNCATE gives a table a new one.
pub(crate) struct Heap {
    pub(crate) id: HeapId,
    pub(crate) rel: RelId,
    pub(crate) tree: HeapTree,
    pub(crate) indexes: ArcSwap<Vec<Arc<Index>>>,
    /// Counts the lists of indexes, from 1; raised when a new one is there.
    list_number: AtomicU32,
    pub(crate) counts: CachePadded<Counts>,
    /// Rows without versions that not everybody sees.
    pub(crate) births: Births,
}

/// What changes with a heap's rows.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The next row id to give out, for tables without an alias key.
    pub(crate) next_row: AtomicU64,
    /// Rows, own uncommitted ones included: an estimate.
    pub(crate) rows: AtomicI64,
    /// Bytes of rows, as above.
    pub(crate) bytes: AtomicI64,
    /// Versions in the version table; readers of a heap without any need not look there.
    pub(crate) versions: AtomicU64,
}

impl Heap {
    /// A heap without indexes; `ranges` counts those of all heaps.
    pub(crate) fn new(rel: RelId, tree: HeapTree, ranges: &Arc<AtomicUsize>) -> Self {
        Self {
            id: HeapId(tree.id().0),
            rel,
            tree,
            indexes: ArcSwap::default(),
            list_number: AtomicU32::new(1),
            counts: CachePadded::new(Counts { next_row: AtomicU64::new(1), ..Counts::default() }),
            births: Births::new(ranges),
        }
    }

    /// What the rows are kept in.
    pub(crate) fn engine(&self) -> TableEngine {
        match self.tree {
            HeapTree::Plain(_) => TableEngine::BTree,
            HeapTree::Buffered(_) => TableEngine::Lsm,
        }
    }

    pub(crate) fn allocate_rows(&self, count: u64) -> u64 {
        self.counts.next_row.fetch_add(count, Ordering::Relaxed)
    }

    /// Replay and recovery: `row` is in use.
    pub(crate) fn row_seen(&self, row: RowId) {
        self.counts.next_row.fetch_max(row.0.saturating_add(1), Ordering::Relaxed);
    }

    pub(crate) fn count(&self, rows: i64, bytes: i64) {
        self.counts.rows.fetch_add(rows, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn index(&self, rel: RelId) -> Result<Arc<Index>> {
        index_of(&self.indexes.load(), rel).map(Arc::clone)
    }

    /// Replaces the list of indexes.
    pub(crate) fn change_indexes(&self, change: impl FnOnce(&mut Vec<Arc<Index>>)) {
        let mut indexes = Vec::clone(&self.indexes.load());
        change(&mut indexes);
        self.indexes.store(Arc::new(indexes));
        self.list_number.fetch_add(1, Ordering::Release);
    }

    /// The number of the list of indexes: the list that is loaded after this has that number or a higher one.
    #[inline]
    pub(crate) fn list_number(&self) -> u32 {
        self.list_number.load(Ordering::Acquire)
    }
}

/// An index in a list of [`Heap::indexes`].
pub(crate) fn index_of(indexes: &[Arc<Index>], rel: RelId) -> Result<&Arc<Index>> {
    let index = indexes.iter().find(|index| index.rel == rel);
    index.ok_or_else(|| Error::internal(format!("there is no index {rel}")))
}

/// A table.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) rel: RelId,
    pub(crate) alias: Option<AliasKey>,
    pub(crate) heap: ArcSwap<Heap>,
    pub(crate) layout: ArcSwap<RowLayout>,
}

impl Relation {
    /// Columns whose change needs the strongest row lock: those of unique keys.
    pub(crate) fn key_columns(&self, heap: &Heap) -> SmallVec<[ColumnIndex; 8]> {
        let alias = self.alias.iter().map(|alias| alias.column);
        let indexes = heap.indexes.load();
        // As in PostgreSQL: foreign keys cannot rest on an index that computes, nor on one of some rows.
        let unique = indexes.iter().filter(|index| index.unique && index.program.is_none());
        let columns = unique
            .flat_map(|index| index.keys[..index.counted].iter().filter_map(KeyColumn::column));
        alias.chain(columns).collect()
    }
}

impl Relation {
    /// Whether one of these columns is among the [`Relation::key_columns`].
    pub(crate) fn has_key_in(
        &self,
        heap: &Heap,
        mut columns: impl Iterator<Item = ColumnIndex>,
    ) -> bool {
        let indexes = heap.indexes.load();
        columns.any(|column| {
            let is_counted = |index: &Arc<Index>| {
                index.unique
                    && index.program.is_none()
                    && index.keys[..index.counted].iter().any(|key| key.column() == Some(column))
            };
            self.alias.as_ref().is_some_and(|alias| alias.column == column)
                || indexes.iter().any(is_counted)
        })
    }
}

impl AliasKey {
    /// The row id of a row with these values.
    pub(crate) fn row(&self, values: &[Value]) -> Result<RowId> {
        Self::row_of(values.get(usize::from(self.column.0)))
    }

    /// The row id of a row with this key.
    pub(crate) fn row_of(key: Option<&Value>) -> Result<RowId> {
        let key = key.and_then(Value::as_i64);
        let key = key.ok_or_else(|| Error::internal("an alias key is not an integer"))?;
        Ok(crate::Table::alias_row(key))
    }

    /// 23505 for a key that is there already.
    #[cold]
    pub(crate) fn duplicate(&self, row: RowId) -> Error {
        let key = Value::Int8(crate::Table::alias_key(row));
        let names = std::slice::from_ref(&self.column_name);
        duplicate_key(&self.name, names, &[(SqlType::plain(TypeId::Int8), key)], false)
    }
}

/// All relations by storage number.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) relations: RwLock<HashMap<RelId, Arc<Relation>>>,
}

impl Directory {
    pub(crate) fn get(&self, rel: RelId) -> Result<Arc<Relation>> {
        let relations = self.relations.read();
        let relation = relations.get(&rel).map(Arc::clone);
        relation.ok_or_else(|| Error::internal(format!("there is no relation {rel}")))
    }

    /// All, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Relation>> {
        let mut all: Vec<_> = self.relations.read().values().map(Arc::clone).collect();
        all.sort_by_key(|relation| relation.rel);
        all
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends an index's description.
///
/// ```text
/// name | unique, deferrable 2, hash 4, building 8 u8 | nulls not distinct u8 | included | count | key...
///      | count | text of an expression... | present u8 [text of the predicate]
/// key  column, flags u8, name | place of an expression, flags u8 with bit 4, type, modifier signed, name
/// ```
pub(crate) fn put_index_desc(out: &mut Vec<u8>, desc: &IndexDesc) {
    put_string(out, &desc.name);
    let kind = u8::from(desc.unique)
        | u8::from(desc.deferrable) << 1
        | u8::from(desc.hash) << 2
        | u8::from(desc.building) << 3;
    out.push(kind);
    out.push(u8::from(desc.nulls_not_distinct));
    put_varint(out, desc.included as u64);
    put_varint(out, desc.keys.len() as u64);
    for (i, key) in desc.keys.iter().enumerate() {
        let flags = u8::from(key.descending) | u8::from(key.nulls_first) << 1;
        match key.source {
            KeySource::Column(column) => {
                put_varint(out, column.0.into());
                out.push(flags);
            }
            KeySource::Computed(expr, ty) => {
                put_varint(out, expr.into());
                out.push(flags | COMPUTED);
                put_varint(out, ty.id.oid().0.into());
                put_signed(out, ty.typmod.into());
            }
        }
        put_string(out, desc.key_names.get(i).map_or("", |name| name));
    }
    put_varint(out, desc.exprs.len() as u64);
    for expr in &desc.exprs {
        put_string(out, expr);
    }
    out.push(u8::from(desc.predicate.is_some()));
    if let Some(predicate) = &desc.predicate {
        put_string(out, predicate);
    }
}

/// The flag of a key that is an expression.
const COMPUTED: u8 = 4;

fn read_type(reader: &mut Reader<'_>) -> Result<SqlType> {
    let oid = reader.u32()?;
    let id = TypeId::from_oid(damask_types::Oid(oid))
        .ok_or_else(|| reader.bad(&format!("there is no type {oid}")))?;
    let typmod = i32::try_from(reader.signed()?).map_err(|_| reader.bad("a modifier"))?;
    Ok(SqlType { id, typmod })
}

pub(crate) fn read_index_desc(reader: &mut Reader<'_>) -> Result<IndexDesc> {
    let name = reader.string()?;
    let kind = reader.u8()?;
    if kind > 15 {
        return Err(reader.bad(&format!("there is no kind {kind} of index")));
    }
    let mut desc = IndexDesc {
        name,
        unique: kind & 1 != 0,
        deferrable: kind & 2 != 0,
        hash: kind & 4 != 0,
        building: kind & 8 != 0,
        nulls_not_distinct: reader.bool()?,
        included: reader.varint()? as usize,
        ..IndexDesc::default()
    };
    for _ in 0..reader.count()? {
        let place = reader.u16()?;
        let flags = reader.u8()?;
        let source = if flags & COMPUTED == 0 {
            KeySource::Column(ColumnIndex(place))
        } else {
            KeySource::Computed(place, read_type(reader)?)
        };
        desc.keys.push(KeyColumn {
            source,
            descending: flags & 1 != 0,
            nulls_first: flags & 2 != 0,
        });
        desc.key_names.push(reader.string()?);
    }
    for _ in 0..reader.count()? {
        desc.exprs.push(reader.string()?);
    }
    if reader.bool()? {
        desc.predicate = Some(reader.string()?);
    }
    Ok(desc)
}

/// Appends columns: `count | (type, modifier signed, dropped u8)... | row of the missing values`.
pub(crate) fn put_columns(out: &mut Vec<u8>, columns: &[RowColumn]) -> Result<()> {
    put_varint(out, columns.len() as u64);
    for column in columns {
        put_varint(out, column.ty.id.oid().0.into());
        put_signed(out, column.ty.typmod.into());
        out.push(u8::from(column.dropped));
    }
    // Missing values lie as a row of the same columns would; dropped ones read as null.
    let layout = RowLayout::with_columns(columns.to_vec())?;
    let missing: Vec<Value> = columns.iter().map(|column| column.missing.clone()).collect();
    put_bytes(out, &layout.encode(&missing)?);
    Ok(())
}

pub(crate) fn read_columns(reader: &mut Reader<'_>) -> Result<Vec<RowColumn>> {
    let mut columns = Vec::new();
    for _ in 0..reader.count()? {
        let mut column = RowColumn::new(read_type(reader)?);
        column.dropped = reader.bool()?;
        columns.push(column);
    }
    let layout = RowLayout::with_columns(columns.clone())?;
    for (column, missing) in columns.iter_mut().zip(layout.decode(reader.bytes()?)?) {
        column.missing = missing;
    }
    Ok(columns)
}

/// Appends an alias key: `present u8 | [column | name | column name]`.
pub(crate) fn put_alias(out: &mut Vec<u8>, alias: Option<&AliasKey>) {
    out.push(u8::from(alias.is_some()));
    if let Some(alias) = alias {
        put_varint(out, alias.column.0.into());
        put_string(out, &alias.name);
        put_string(out, &alias.column_name);
    }
}

pub(crate) fn read_alias(reader: &mut Reader<'_>) -> Result<Option<AliasKey>> {
    Ok(if reader.bool()? {
        Some(AliasKey {
            column: ColumnIndex(reader.u16()?),
            name: reader.string()?,
            column_name: reader.string()?,
        })
    } else {
        None
    })
}

/// Appends a table's description with the numbers of its indexes: `columns | alias | count | (number | index)...`. Its codec
/// is an operation of its own, and its engine comes before, if it is said.
pub(crate) fn put_relation_desc(
    out: &mut Vec<u8>,
    desc: &RelationDesc,
    indexes: &[RelId],
) -> Result<()> {
    let columns: Vec<RowColumn> = desc.columns.iter().map(|ty| RowColumn::new(*ty)).collect();
    put_columns(out, &columns)?;
    put_alias(out, desc.alias.as_ref());
    put_varint(out, indexes.len() as u64);
    for (rel, index) in indexes.iter().zip(&desc.indexes) {
        put_varint(out, rel.0.into());
        put_index_desc(out, index);
    }
    Ok(())
}

pub(crate) fn read_relation_desc(reader: &mut Reader<'_>) -> Result<(RelationDesc, Vec<RelId>)> {
    let columns = read_columns(reader)?.into_iter().map(|column| column.ty).collect();
    let alias = read_alias(reader)?;
    let mut desc = RelationDesc { columns, alias, ..RelationDesc::default() };
    let mut rels = Vec::new();
    for _ in 0..reader.count()? {
        rels.push(RelId(reader.u32()?));
        desc.indexes.push(read_index_desc(reader)?);
    }
    Ok((desc, rels))
}
