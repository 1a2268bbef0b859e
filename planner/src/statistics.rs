//! What is known of tables: how many rows, and a sample of them.
//!
//! A [`TableSample`] keeps a tile of rows by columns, on which conditions are simply run (`sample`), and for each column
//! the distinct values, estimated from all the rows that were drawn. Whoever owns the tables draws the rows and decides when anew.
//!
//! Left out: statistics of column groups; frequent values beyond those that the sample shows.

use damask_catalog::object::Relation;
use damask_types::{SqlType, TILE_ROWS, Value, Vector};
use hashbrown::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// What is known of the sizes of tables. Every answer may be stale; plans stay correct.
pub trait Statistics {
    /// Rows of a table; `None` if nothing is known.
    fn rows(&self, relation: &Relation) -> Option<f64>;
    /// A sample of a table's rows.
    fn sample(&self, relation: &Relation) -> Option<Arc<TableSample>> {
        let _ = relation;
        None
    }
}

/// Nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStatistics;

impl Statistics for NoStatistics {
    fn rows(&self, _: &Relation) -> Option<f64> {
        None
    }
}

/// Most bytes of text that a column's sample keeps; beyond, conditions on the column are estimated without it.
const COLUMN_BYTES_MAX: usize = 1 << 20;

/// Rows of a table, drawn at random.
#[derive(Debug)]
pub struct TableSample {
    /// Rows of the table when it was drawn.
    pub table_rows: f64,
    /// Rows in `values` of each column; at most a tile.
    pub rows: usize,
    /// One for each column of the table, dropped ones included.
    pub columns: Vec<ColumnSample>,
}

/// A column in a [`TableSample`].
#[derive(Debug)]
pub struct ColumnSample {
    /// Its values in the sample's rows, side by side with the other columns'; none if they are too large to keep.
    pub values: Option<Vector>,
    /// Distinct values in the whole table, estimated.
    pub distinct: f64,
}

impl TableSample {
    /// A sample from drawn rows (each with a value for every type) of a table of `table_rows` rows.
    pub fn new(types: &[SqlType], drawn: &[Vec<Value>], table_rows: f64) -> Self {
        let table_rows = table_rows.max(drawn.len() as f64);
        // A tile spread evenly over all that was drawn, which may be in the table's order.
        let rows = drawn.len().min(TILE_ROWS);
        let kept: Vec<&Vec<Value>> = (0..rows).map(|i| &drawn[i * drawn.len() / rows]).collect();
        let columns = types
            .iter()
            .enumerate()
            .map(|(place, ty)| {
                let bytes: usize = kept.iter().map(|row| value_bytes(&row[place])).sum();
                ColumnSample {
                    values: (bytes <= COLUMN_BYTES_MAX)
                        .then(|| Vector::from_values(ty.id, kept.iter().map(|row| &row[place]))),
                    distinct: distinct(drawn.iter().map(|row| &row[place]), table_rows),
                }
            })
            .collect();
        Self { table_rows, rows, columns }
    }

    /// Whether the sample is the whole table.
    pub fn is_whole(&self) -> bool {
        self.rows as f64 >= self.table_rows
    }
}

/// Distinct values of a table from a random sample: the estimator Duj1 of Haas and Stokes (IBM RJ 10025, 1998), which PostgreSQL uses too.
pub(crate) fn distinct<'v>(values: impl Iterator<Item = &'v Value>, table_rows: f64) -> f64 {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    let hasher = foldhash::fast::FixedState::default();
    let (mut drawn, mut nulls) = (0.0, 0.0);
    for value in values {
        drawn += 1.0;
        if value.is_null() {
            nulls += 1.0;
        } else {
            *counts.entry(digest(value, &hasher)).or_default() += 1;
        }
    }
    let sampled: f64 = drawn - nulls;
    if sampled == 0.0 {
        return 1.0;
    }
    let found = counts.len() as f64;
    let once = counts.values().filter(|&&count| count == 1).count() as f64;
    let total = table_rows * sampled / drawn;
    (sampled * found / (sampled - once + once * sampled / total)).clamp(found, total.max(found))
}

/// A number that equal values share; equal numerics of different scales may not, which only matters if a column mixes them.
fn digest(value: &Value, state: &impl BuildHasher) -> u64 {
    let mut hasher = state.build_hasher();
    match value {
        Value::Text(text) => hasher.write(text.as_bytes()),
        Value::Bytes(bytes) => hasher.write(bytes),
        Value::Float8(v) => hasher.write_u64(v.to_bits()),
        Value::Date(v) => hasher.write_i64(i64::from(*v)),
        Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => hasher.write_i64(*v),
        Value::Numeric(damask_types::Numeric::Decimal { mantissa, scale }) => {
            hasher.write_i128(*mantissa);
            hasher.write_i64(i64::from(*scale));
        }
        other => match other.as_i64() {
            Some(v) => hasher.write_i64(v),
            None => hasher.write(format!("{other:?}").as_bytes()),
        },
    }
    hasher.finish()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(array) => array.values.iter().map(value_bytes).sum::<usize>() + 16,
        Value::Record(fields) => fields.iter().map(|(_, value)| value_bytes(value)).sum(),
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_types::TypeId;

    fn of(values: impl Iterator<Item = i32>, table_rows: f64) -> TableSample {
        let rows: Vec<Vec<Value>> = values.map(|v| vec![Value::Int4(v)]).collect();
        TableSample::new(&[SqlType::plain(TypeId::Int4)], &rows, table_rows)
    }

    #[test]
    fn distinct_counts() {
        // All of a table: exact.
        assert_eq!(of((0..100).map(|i| i % 7), 100.0).columns[0].distinct, 7.0);
        // No value twice: a key.
        assert_eq!(of(0..5000, 1e6).columns[0].distinct, 1e6);
        // Every value often: those are all there are.
        assert_eq!(of((0..5000).map(|i| i % 50), 1e6).columns[0].distinct, 50.0);
        let empty = of(0..0, 0.0);
        assert_eq!((empty.rows, empty.columns[0].distinct), (0, 1.0));
    }

    #[test]
    fn a_sample_is_at_most_a_tile() {
        let sample = of(0..5000, 1e6);
        assert_eq!(sample.rows, TILE_ROWS);
        assert!(!sample.is_whole());
        assert!(of(0..10, 10.0).is_whole());
    }
}
