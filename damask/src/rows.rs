//! The rows of a query, by value, by batch and as Arrow's.

use crate::session::{CopyShape, Sink, Tag};
use arrow_array::RecordBatch;
use damask_planner::physical::OutputColumn;
use damask_types::format::FormatSettings;
use damask_types::{
    Batch, Error, Numeric, Result, SqlState, TILE_ROWS, TypeId, Value, Vector, arrow,
};
use std::sync::{Arc, OnceLock};

/// The rows of a query.
///
/// They are kept as they come: as batches, or, if they are few, by value; these become a batch when somebody asks for it.
#[derive(Debug, Default)]
pub struct Rows {
    columns: Arc<[OutputColumn]>,
    batches: Vec<Batch>,
    /// Rows by value, one after the other; they stand behind the batches.
    values: Vec<Value>,
    /// How many rows that is, and everything as batches once somebody has asked.
    by_value: usize,
    all: OnceLock<Vec<Batch>>,
    pub(crate) tag: Tag,
}

impl Rows {
    /// Names and types of the columns.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.batches.iter().map(Batch::rows).sum::<usize>() + self.by_value
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The command tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Rows that the statement changed (or gave, for a query).
    pub fn affected(&self) -> u64 {
        affected(&self.tag)
    }

    /// The rows as batches of vectors.
    pub fn batches(&self) -> &[Batch] {
        if self.by_value == 0 {
            return &self.batches;
        }
        self.all.get_or_init(|| {
            let mut all = self.batches.clone();
            for first in (0..self.by_value).step_by(TILE_ROWS) {
                let rows = first..self.by_value.min(first + TILE_ROWS);
                let column = |(index, column): (usize, &OutputColumn)| {
                    let values = rows.clone().map(|row| self.value_at(row, index));
                    Vector::from_values(column.ty.id, values)
                };
                let columns = self.columns.iter().enumerate().map(column).collect();
                all.push(Batch::new(columns, rows.len()));
            }
            all
        })
    }

    /// A value of the rows that are kept by value.
    fn value_at(&self, row: usize, column: usize) -> &Value {
        &self.values[row * self.columns.len() + column]
    }

    /// The value in a row and column.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn value(&self, row: usize, column: usize) -> Value {
        let mut at = row;
        for batch in &self.batches {
            if at < batch.rows() {
                return batch.columns[column].value(at);
            }
            at -= batch.rows();
        }
        if at < self.by_value {
            assert!(column < self.columns.len(), "column {column} of {}", self.columns.len());
            return self.value_at(at, column).clone();
        }
        panic!("row {row} of {}", self.len())
    }

    /// The value in a row and column, given by number or name, as a Rust type.
    ///
    /// # Errors
    /// 42703 if there is no such column, 42702 if the name has several; 42804 if the value is not of that type; 22004 for a
    /// null that is not asked for as an `Option`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get<T: FromValue>(&self, row: usize, column: impl ColumnRef) -> Result<T> {
        T::from_value(self.value(row, column.find(&self.columns)?))
    }

    /// The rows as Arrow's record batches: all of one schema, at least one.
    ///
    /// # Errors
    /// 22008 and 0A000 for what Arrow cannot hold ([`damask_types::arrow`]).
    pub fn record_batches(&self) -> Result<Vec<RecordBatch>> {
        let columns: Vec<_> =
            self.columns.iter().map(|column| (column.name.as_str(), column.ty.id)).collect();
        arrow::to_record_batches(self.batches(), &columns)
    }

    /// Every row's values.
    pub fn iter(&self) -> impl Iterator<Item = Vec<Value>> + '_ {
        self.batches().iter().flat_map(|batch| {
            (0..batch.rows())
                .map(|row| batch.columns.iter().map(|column| column.value(row)).collect())
        })
    }
}

impl Sink for Rows {
    fn columns(&mut self, columns: &Arc<[OutputColumn]>) -> Result<()> {
        self.columns = Arc::clone(columns);
        Ok(())
    }

    fn row(
        &mut self,
        _types: &[TypeId],
        values: &[Value],
        _settings: &FormatSettings,
    ) -> Result<()> {
        if self.values.is_empty() {
            // Most often it is the only one.
            self.values = values.to_vec();
        } else {
            self.values.extend_from_slice(values);
        }
        self.by_value += 1;
        Ok(())
    }

    fn rows(&mut self, batch: &Batch, _settings: &FormatSettings) -> Result<()> {
        self.batches.push(batch.clone());
        Ok(())
    }

    fn copy_out(&mut self, _data: &[u8]) -> Result<()> {
        Err(Error::unsupported("COPY ... TO STDOUT as a query")
            .hint("Use a session with a sink of its own."))
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        Ok(())
    }

    fn hold(&mut self, _is_held: bool) -> bool {
        // They are handed out after the end of the message.
        true
    }
}

/// A column of a result: its number from 0, or its name.
pub trait ColumnRef {
    /// Its number.
    ///
    /// # Errors
    /// 42703 if there is none, 42702 if there are several.
    fn find(&self, columns: &[OutputColumn]) -> Result<usize>;
}

impl ColumnRef for usize {
    fn find(&self, columns: &[OutputColumn]) -> Result<usize> {
        if *self < columns.len() {
            return Ok(*self);
        }
        Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column {self} does not exist, the result has {}", columns.len()),
        ))
    }
}

impl ColumnRef for &str {
    fn find(&self, columns: &[OutputColumn]) -> Result<usize> {
        let mut found = columns.iter().enumerate().filter(|(_, column)| column.name == *self);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (None, _) => Err(Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{self}\" does not exist"),
            )),
            _ => Err(Error::new(
                SqlState::AMBIGUOUS_COLUMN,
                format!("column reference \"{self}\" is ambiguous"),
            )),
        }
    }
}

/// The number at the end of a command tag.
pub(crate) fn affected(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A Rust type that values come as.
pub trait FromValue: Sized {
    /// The value as this type.
    ///
    /// # Errors
    /// 42804 if it is another type's, 22004 if it is null.
    fn from_value(value: Value) -> Result<Self>;
}

fn mismatch<T>(value: &Value) -> Error {
    if value.is_null() {
        return Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "unexpected null value");
    }
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!("value {value:?} is not a {}", std::any::type_name::<T>()),
    )
}

macro_rules! from_value {
    ($($ty:ty: $pattern:pat => $result:expr;)*) => {$(
        impl FromValue for $ty {
            fn from_value(value: Value) -> Result<Self> {
                match value {
                    $pattern => Ok($result),
                    other => Err(mismatch::<Self>(&other)),
                }
            }
        }
    )*};
}

from_value! {
    bool: Value::Bool(v) => v;
    i16: Value::Int2(v) => v;
    f32: Value::Float4(v) => v;
    f64: Value::Float8(v) => v;
    String: Value::Text(v) => v.as_ref().to_owned();
    Vec<u8>: Value::Bytes(v) => v.to_vec();
    Numeric: Value::Numeric(v) => v;
}

impl FromValue for i32 {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Int2(v) => Ok(v.into()),
            Value::Int4(v) => Ok(v),
            other => Err(mismatch::<Self>(&other)),
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self> {
        value.as_i64().ok_or_else(|| mismatch::<Self>(&value))
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}
