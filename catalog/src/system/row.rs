//! Rows of computed relations, built by column name.

use crate::object::Relation;
use damask_types::{Interval, Numeric, Oid, PhysicalType, TypeId, Value};

/// Rows of one relation under construction.
///
/// Columns that are not set hold null, or the zero of their type where PostgreSQL's column is NOT NULL.
pub(super) struct Rows<'a> {
    relation: &'a Relation,
    template: Vec<Value>,
    done: Vec<Vec<Value>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(relation: &'a Relation) -> Self {
        let zero = |column: &crate::object::Column| {
            if column.not_null { zero(column.ty.id) } else { Value::Null }
        };
        Self { relation, template: relation.columns.iter().map(zero).collect(), done: vec![] }
    }

    /// Adds a row with these columns set.
    ///
    /// # Panics
    /// In debug builds, for a column the relation does not have: the names here are literals.
    pub(super) fn push(&mut self, columns: &[(&str, Value)]) {
        let mut row = self.template.clone();
        for (name, value) in columns {
            let at = self.relation.columns.iter().position(|column| column.name == *name);
            debug_assert!(at.is_some(), "{} has no column {name}", self.relation.name);
            if let Some(at) = at {
                row[at] = value.clone();
            }
        }
        self.done.push(row);
    }

    pub(super) fn finish(self) -> Vec<Vec<Value>> {
        self.done
    }
}

/// The value of a NOT NULL column nobody set.
fn zero(ty: TypeId) -> Value {
    match ty.physical() {
        PhysicalType::Bool => Value::Bool(false),
        PhysicalType::Int2 => Value::Int2(0),
        PhysicalType::Int4 => Value::Int4(0),
        PhysicalType::Int8 => Value::Int8(0),
        PhysicalType::Oid => Value::Oid(Oid::NONE),
        PhysicalType::Float4 => Value::Float4(0.0),
        PhysicalType::Float8 => Value::Float8(0.0),
        PhysicalType::Numeric => Value::Numeric(Numeric::Decimal { mantissa: 0, scale: 0 }),
        PhysicalType::Interval => Value::Interval(Interval::default()),
        PhysicalType::Uuid => Value::Uuid([0; 16]),
        PhysicalType::Bytes if ty == TypeId::Bytea => Value::Bytes([].into()),
        PhysicalType::Bytes => Value::text(""),
        PhysicalType::Boxed => Value::array(ty.element().unwrap_or(TypeId::Text), vec![]),
    }
}

/// A count as a bigint.
pub(super) fn count(count: u64) -> Value {
    Value::Int8(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Text.
pub(super) fn text(text: impl AsRef<str>) -> Value {
    Value::text(text.as_ref())
}

/// Text or null.
pub(super) fn text_or_null(text: Option<impl AsRef<str>>) -> Value {
    text.map_or(Value::Null, |text| Value::text(text.as_ref()))
}

/// A `"char"`.
pub(super) fn letter(letter: char) -> Value {
    Value::text(letter.to_string())
}

/// `YES` or `NO`, as `information_schema` says it.
pub(super) fn yes_or_no(value: bool) -> Value {
    text(if value { "YES" } else { "NO" })
}

/// An array of int2.
pub(super) fn int2_array(values: impl IntoIterator<Item = i16>) -> Value {
    Value::array(TypeId::Int2, values.into_iter().map(Value::Int2).collect())
}

/// An array of oid.
pub(super) fn oid_array(values: impl IntoIterator<Item = Oid>) -> Value {
    Value::array(TypeId::Oid, values.into_iter().map(Value::Oid).collect())
}

/// An int2vector: its subscripts begin at 0.
pub(super) fn int2_vector(values: impl IntoIterator<Item = i16>) -> Value {
    vector(TypeId::Int2, values.into_iter().map(Value::Int2).collect())
}

/// An oidvector: its subscripts begin at 0.
pub(super) fn oid_vector(values: impl IntoIterator<Item = Oid>) -> Value {
    vector(TypeId::Oid, values.into_iter().map(Value::Oid).collect())
}

fn vector(element: TypeId, values: Vec<Value>) -> Value {
    let dims = vec![(values.len() as i32, 0)];
    damask_types::array::ArrayValue { element, dims, values }.into()
}
