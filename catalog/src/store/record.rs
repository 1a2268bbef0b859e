//! Objects as rows of the catalog's tables, and back.
//!
//! A row that does not decode is XX001: it came from the disk. The order of values here is the order of columns in
//! [`CatalogTable::types`].

use super::{CatalogTable, Record};
use crate::object::{
    Column, Constraint, ConstraintKind, ForeignKeyAction, Identity, Index, IndexExpr, IndexKey,
    IndexMethod, KeySource, Read, Relation, RelationKind, Role, Schema, Sequence, Timing,
};
use damask_types::format::{FormatSettings, parse_text, write_text};
use damask_types::{ColumnIndex, Error, Oid, RelId, Result, SqlType, TypeId, Value};
use std::sync::Arc;

pub(super) fn damaged(table: CatalogTable) -> Error {
    Error::corrupted(format!("a row of the catalog's table {table:?} does not decode"))
}

/// The text of a comment's row.
pub(super) fn read_comment(values: &[Value]) -> Result<Arc<str>> {
    Reader::new(CatalogTable::Comments, values).text()
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

    fn texts(&mut self) -> Result<Vec<Arc<str>>> {
        match self.next()? {
            Value::Null => Ok(vec![]),
            Value::Array(array) => array
                .values
                .iter()
                .map(|value| match value {
                    Value::Text(text) => Ok(Arc::clone(text)),
                    _ => Err(damaged(self.table)),
                })
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

pub(super) fn read_schema(key: i64, values: &[Value]) -> Result<Schema> {
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

pub(super) fn read_role(key: i64, values: &[Value]) -> Result<Role> {
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
            reads_value(&relation.reads),
            relation.sequence.as_ref().map_or(Value::Null, sequence_value),
            parameters_value(&relation.parameters),
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

/// Each parameter as `name=value`; null if there are none.
pub(crate) fn parameters_value(parameters: &[(String, String)]) -> Value {
    if parameters.is_empty() {
        return Value::Null;
    }
    let text = |(name, value): &(String, String)| Value::text(format!("{name}={value}"));
    Value::array(TypeId::Text, parameters.iter().map(text).collect())
}

/// Each relation as `oid << 16`, then its columns as `oid << 16 | number`, from 1.
fn reads_value(reads: &[Read]) -> Value {
    let entries = reads.iter().flat_map(|read| {
        let oid = i64::from(read.relation.0) << 16;
        let columns = read.columns.iter().map(move |column| oid | (i64::from(column.0) + 1));
        std::iter::once(oid).chain(columns)
    });
    Value::array(TypeId::Int8, entries.map(Value::Int8).collect())
}

fn read_reads(entries: &[i64]) -> Vec<Read> {
    let mut reads: Vec<Read> = vec![];
    for entry in entries {
        let relation = Oid((entry >> 16) as u32);
        match (*entry as u16).checked_sub(1) {
            None => reads.push(Read { relation, columns: vec![] }),
            Some(column) => {
                if let Some(read) = reads.last_mut().filter(|read| read.relation == relation) {
                    read.columns.push(ColumnIndex(column));
                }
            }
        }
    }
    reads
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

pub(super) fn read_relation(key: i64, values: &[Value]) -> Result<Relation> {
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
    relation.reads = read_reads(&reader.ints()?);
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
    for text in reader.texts()? {
        let (name, value) = text.split_once('=').ok_or_else(|| damaged(table))?;
        relation.parameters.push((name.to_owned(), value.to_owned()));
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

pub(super) fn read_column(values: &[Value]) -> Result<Column> {
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
        let is_hash = index.method == IndexMethod::Hash;
        let flags = i16::from(key.descending)
            | i16::from(key.nulls_first) << 1
            | i16::from(is_hash) << 2
            | i16::from(!index.valid) << 3;
        // An expression by its place, counted down from -1.
        let number = match key.source {
            KeySource::Column(column) => column.0 as i16,
            KeySource::Expr(place) => -1 - place as i16,
        };
        [Value::Int2(number), Value::Int2(flags)]
    });
    let texts = index.exprs.iter().flat_map(|expr| [&expr.name, &expr.text]);
    let types = index
        .exprs
        .iter()
        .flat_map(|expr| [i64::from(expr.ty.id.oid().0), i64::from(expr.ty.typmod)]);
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
            column_array(&index.included),
            Value::array(TypeId::Text, texts.map(|text| Value::text(text.as_str())).collect()),
            Value::array(TypeId::Int8, types.map(Value::Int8).collect()),
            optional_text(index.predicate.as_deref()),
        ],
    }
}

pub(super) fn read_index(key: i64, values: &[Value]) -> Result<Index> {
    let mut reader = Reader::new(CatalogTable::Indexes, values);
    let table = reader.oid()?;
    let _schema = reader.oid()?;
    let mut flags = 0;
    let mut index = Index {
        oid: Oid(key as u32),
        table,
        name: reader.text()?.as_ref().to_owned(),
        rel: RelId(reader.int()? as u32),
        unique: reader.bool()?,
        primary: reader.bool()?,
        nulls_not_distinct: reader.bool()?,
        keys: pairs(&mut reader, &mut flags)?
            .chunks_exact(2)
            .map(|pair| IndexKey {
                source: match usize::try_from(-1 - pair[0]) {
                    Ok(place) => KeySource::Expr(place),
                    Err(_) => KeySource::Column(ColumnIndex(pair[0] as u16)),
                },
                descending: pair[1] & 1 != 0,
                nulls_first: pair[1] & 2 != 0,
            })
            .collect(),
        method: IndexMethod::Btree,
        valid: true,
        included: reader.columns()?,
        exprs: read_index_exprs(&mut reader)?,
        predicate: reader.optional_text()?.map(|text| text.as_ref().to_owned()),
        // The constraint says otherwise.
        immediate: true,
    };
    if flags & 4 != 0 {
        index.method = IndexMethod::Hash;
    }
    index.valid = flags & 8 == 0;
    let count = index.exprs.len();
    let lacks = |key: &IndexKey| matches!(key.source, KeySource::Expr(place) if place >= count);
    if index.keys.iter().any(lacks) { Err(damaged(CatalogTable::Indexes)) } else { Ok(index) }
}

/// An index's keys as they are stored: source and flags of each, of which two are the index's: whether it is a hash index, and
/// whether it is not valid.
fn pairs(reader: &mut Reader<'_>, flags: &mut i64) -> Result<Vec<i64>> {
    let pairs = reader.ints()?;
    *flags = pairs.get(1).copied().unwrap_or(0);
    Ok(pairs)
}

fn read_index_exprs(reader: &mut Reader<'_>) -> Result<Vec<IndexExpr>> {
    let texts = reader.texts()?;
    let types = reader.ints()?;
    let exprs = texts.chunks_exact(2).zip(types.chunks_exact(2)).map(|(texts, ty)| {
        let id =
            TypeId::from_oid(Oid(ty[0] as u32)).ok_or_else(|| damaged(CatalogTable::Indexes))?;
        let ty = SqlType { id, typmod: ty[1] as i32 };
        Ok(IndexExpr { name: texts[0].to_string(), text: texts[1].to_string(), ty })
    });
    exprs.collect()
}

fn constraint_record(constraint: &Constraint) -> Record {
    let (mut text, mut index, mut actions) = (Value::Null, Oid::NONE, String::new());
    let (mut target, mut target_columns, mut target_index) = (Oid::NONE, &vec![], Oid::NONE);
    let kind = match &constraint.kind {
        ConstraintKind::Check { expr, .. } => {
            text = Value::text(expr.as_str());
            "c"
        }
        ConstraintKind::PrimaryKey { index: of, .. } => {
            index = *of;
            "p"
        }
        ConstraintKind::Unique { index: of, .. } => {
            index = *of;
            "u"
        }
        ConstraintKind::ForeignKey {
            target: to,
            target_columns: to_columns,
            target_index: to_index,
            on_update,
            on_delete,
            match_full,
            ..
        } => {
            (target, target_columns, target_index) = (*to, to_columns, *to_index);
            let matching = if *match_full { 'f' } else { 's' };
            actions = [on_update.letter(), on_delete.letter(), matching].iter().collect();
            "f"
        }
    };
    Record {
        table: CatalogTable::Constraints,
        key: constraint.oid.0.into(),
        values: vec![
            Value::Oid(constraint.table),
            Value::text(constraint.name.as_str()),
            Value::text(format!("{kind}{}", timing_suffix(constraint.timing))),
            text,
            Value::Oid(index),
            column_array(constraint.kind.columns()),
            Value::Oid(target),
            column_array(target_columns),
            Value::Oid(target_index),
            Value::text(actions),
        ],
    }
}

/// What follows a constraint's letter: `d` if it is deferrable, `D` if it is deferred at first.
fn timing_suffix(timing: Timing) -> &'static str {
    match (timing.deferrable, timing.deferred) {
        (false, _) => "",
        (true, false) => "d",
        (true, true) => "D",
    }
}

/// A constraint's letter and its timing.
fn read_timing(kind: &str) -> (&str, Timing) {
    let timing = |deferred| Timing { deferrable: true, deferred };
    if let Some(kind) = kind.strip_suffix('d') {
        (kind, timing(false))
    } else if let Some(kind) = kind.strip_suffix('D') {
        (kind, timing(true))
    } else {
        (kind, Timing::default())
    }
}

pub(super) fn read_constraint(key: i64, values: &[Value]) -> Result<Constraint> {
    let table = CatalogTable::Constraints;
    let mut reader = Reader::new(table, values);
    let (owner, name, kind) = (reader.oid()?, reader.text()?, reader.text()?);
    let (text, index, columns) = (reader.optional_text()?, reader.oid()?, reader.columns()?);
    let (target, target_columns, target_index) = (reader.oid()?, reader.columns()?, reader.oid()?);
    let actions = reader.text()?;
    let (kind, timing) = read_timing(&kind);
    let kind = match kind {
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
    let name = name.as_ref().to_owned();
    Ok(Constraint { oid: Oid(key as u32), name, table: owner, kind, timing })
}
