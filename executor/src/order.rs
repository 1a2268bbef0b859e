//! How rows compare under ORDER BY.
//!
//! A row's *prefix* is the beginning of its first key as a number: if two prefixes differ, they order the rows as the keys do, direction
//! and place of nulls included. Only rows with equal prefixes are compared by their values, which are somewhere else in memory.

use crate::store::{Column, Store};
use damask_planner::physical::SortKey;
use damask_types::compare::compare;
use damask_types::{PhysicalType, TILE_ROWS, TypeId, Vector, VectorData};
use std::cmp::Ordering;

/// How rows compare: directions of the keys.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Of each key: descending, nulls first.
    keys: Vec<(bool, bool)>,
}

impl Order {
    pub(crate) fn new(keys: &[SortKey]) -> Self {
        Self { keys: keys.iter().map(|key| (key.descending, key.nulls_first)).collect() }
    }

    /// Compares by what `nulls` says of both sides of a key and, if neither is null, by `values`.
    #[inline]
    fn compare_by(
        &self,
        nulls: impl Fn(usize) -> (bool, bool),
        values: impl Fn(usize) -> Ordering,
    ) -> Ordering {
        for (key, &(descending, nulls_first)) in self.keys.iter().enumerate() {
            let null = if nulls_first { Ordering::Less } else { Ordering::Greater };
            let ordering = match nulls(key) {
                (true, true) => continue,
                (true, false) => null,
                (false, true) => null.reverse(),
                (false, false) if descending => values(key).reverse(),
                (false, false) => values(key),
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }

    /// Compares two rows of the key columns.
    fn compare(&self, columns: &[&Column], a: usize, b: usize) -> Ordering {
        self.compare_by(
            |key| (columns[key].is_null(a), columns[key].is_null(b)),
            |key| compare_values(columns[key], a, b),
        )
    }

    /// Compares a row of some vectors with one of others; `places` are those of the keys among them.
    pub(crate) fn compare_rows(
        &self,
        places: &[usize],
        (left, a): (&[Vector], usize),
        (right, b): (&[Vector], usize),
    ) -> Ordering {
        self.compare_by(
            |key| (left[places[key]].is_null(a), right[places[key]].is_null(b)),
            |key| compare_vectors(&left[places[key]], a, &right[places[key]], b),
        )
    }

    /// The prefixes of a tile's rows, by its first key.
    pub(crate) fn prefixes(&self, key: &Vector) -> Vec<u64> {
        let (descending, nulls_first) = self.keys[0];
        let top = if nulls_first { 1 << 63 } else { 0 };
        let null = if nulls_first { 0 } else { u64::MAX };
        let flip = if descending { u64::MAX >> 1 } else { 0 };
        macro_rules! each {
            (|$i:ident| $prefix:expr) => {
                (0..key.rows())
                    .map(|row| {
                        let $i = key.index(row);
                        if key.is_null(row) { null } else { ($prefix >> 1 ^ flip) | top }
                    })
                    .collect()
            };
        }
        match &key.data {
            VectorData::Bool(v) => each!(|i| u64::from(v.get(i)) << 1),
            VectorData::Int2(v) => each!(|i| signed(v[i].into())),
            VectorData::Int4(v) => each!(|i| signed(v[i].into())),
            VectorData::Int8(v) => each!(|i| signed(v[i])),
            VectorData::Oid(v) => each!(|i| u64::from(v[i]) << 1),
            VectorData::Float4(v) => each!(|i| float(v[i].into())),
            VectorData::Float8(v) => each!(|i| float(v[i])),
            VectorData::Bytes(v) if key.ty != TypeId::BpChar => each!(|i| bytes(v.get(i))),
            // Blanks at the end do not count, and a numeric's form may change from tile to tile.
            VectorData::Bytes(_)
            | VectorData::Decimal64 { .. }
            | VectorData::Decimal128 { .. }
            | VectorData::Numeric(_)
            | VectorData::Interval(_)
            | VectorData::Uuid(_)
            | VectorData::Boxed(_) => each!(|_i| 0_u64),
        }
    }

    /// The rows in order; rows that compare equal keep theirs.
    pub(crate) fn sort(&self, columns: &[&Column], rows: usize) -> Vec<u32> {
        if self.keys.is_empty() {
            return (0..rows as u32).collect();
        }
        // One integer key without nulls: compare numbers rather than rows.
        if let ([column], [(descending, _)]) = (columns, &self.keys[..])
            && rows > 0
            && column.as_i64(0).is_some()
            && !column.has_null()
        {
            let mut pairs: Vec<(i64, u32)> =
                (0..rows).map(|row| (column.as_i64(row).unwrap_or(0), row as u32)).collect();
            if *descending {
                pairs.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            } else {
                pairs.sort_unstable();
            }
            return pairs.into_iter().map(|pair| pair.1).collect();
        }
        if !has_prefix(columns[0].ty) {
            let mut order: Vec<u32> = (0..rows as u32).collect();
            order.sort_by(|&a, &b| self.compare(columns, a as usize, b as usize));
            return order;
        }
        let mut pairs: Vec<(u64, u32)> = Vec::with_capacity(rows);
        for from in (0..rows).step_by(TILE_ROWS) {
            let tile: Vec<u32> = (from as u32..rows.min(from + TILE_ROWS) as u32).collect();
            let prefixes = self.prefixes(&columns[0].gather(&tile));
            pairs.extend(prefixes.into_iter().zip(tile));
        }
        pairs.sort_by(|a, b| {
            let by_value = || self.compare(columns, a.1 as usize, b.1 as usize);
            a.0.cmp(&b.0).then_with(by_value)
        });
        pairs.into_iter().map(|pair| pair.1).collect()
    }
}

/// Whether prefixes of values of a type tell anything.
fn has_prefix(ty: TypeId) -> bool {
    match ty.physical() {
        PhysicalType::Bool
        | PhysicalType::Int2
        | PhysicalType::Int4
        | PhysicalType::Int8
        | PhysicalType::Oid
        | PhysicalType::Float4
        | PhysicalType::Float8 => true,
        PhysicalType::Bytes => ty != TypeId::BpChar,
        PhysicalType::Numeric
        | PhysicalType::Interval
        | PhysicalType::Uuid
        | PhysicalType::Boxed => false,
    }
}

fn signed(value: i64) -> u64 {
    (value ^ i64::MIN).cast_unsigned()
}

/// SQL's order of floats: both zeros are equal, and NaN is above everything.
fn float(value: f64) -> u64 {
    if value.is_nan() {
        return u64::MAX;
    }
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn bytes(value: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = value.len().min(8);
    word[..len].copy_from_slice(&value[..len]);
    u64::from_be_bytes(word)
}

/// Compares two values of a column that are not null.
fn compare_values(column: &Column, a: usize, b: usize) -> Ordering {
    if let (Some(a), Some(b)) = (column.as_i64(a), column.as_i64(b)) {
        return a.cmp(&b);
    }
    if column.ty != TypeId::BpChar
        && let (Some(a), Some(b)) = (column.as_bytes(a), column.as_bytes(b))
    {
        return a.cmp(b);
    }
    compare(column.ty, &column.value(a), &column.value(b))
}

/// Compares two values of one type that are not null.
fn compare_vectors(left: &Vector, a: usize, right: &Vector, b: usize) -> Ordering {
    let (i, j) = (left.index(a), right.index(b));
    match (&left.data, &right.data) {
        (VectorData::Int4(x), VectorData::Int4(y)) => x[i].cmp(&y[j]),
        (VectorData::Int8(x), VectorData::Int8(y)) => x[i].cmp(&y[j]),
        (VectorData::Bytes(x), VectorData::Bytes(y)) if left.ty != TypeId::BpChar => {
            x.get(i).cmp(y.get(j))
        }
        (
            VectorData::Decimal64 { scale, values },
            VectorData::Decimal64 { scale: other, values: others },
        ) if scale == other => values[i].cmp(&others[j]),
        _ => compare(left.ty, &left.value(a), &right.value(b)),
    }
}

/// Whether two values of one type are equal; nulls are.
pub(crate) fn equal_vectors(left: &Vector, a: usize, right: &Vector, b: usize) -> bool {
    match (left.is_null(a), right.is_null(b)) {
        (false, false) => compare_vectors(left, a, right, b) == Ordering::Equal,
        (left, right) => left == right,
    }
}

/// The rows named, in that order.
pub(crate) fn pick(store: &Store, rows: &[u32]) -> Store {
    let mut picked = Store::new(store.columns.iter().map(|column| column.ty));
    for chunk in rows.chunks(TILE_ROWS) {
        picked.append_batch(&store.gather(chunk));
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_types::{Numeric, Value};

    /// Every prefix must order as the comparison does wherever it differs.
    #[test]
    fn prefixes_order_like_values() {
        let number = |mantissa, scale| Value::Numeric(Numeric::Decimal { mantissa, scale });
        let samples: Vec<(TypeId, Vec<Value>)> = vec![
            (TypeId::Int4, [i32::MIN, -1, 0, 1, i32::MAX].map(Value::Int4).to_vec()),
            (TypeId::Int8, [i64::MIN, -1, 0, 1, i64::MAX].map(Value::Int8).to_vec()),
            (
                TypeId::Float8,
                [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, 2.0, f64::INFINITY, f64::NAN]
                    .map(Value::Float8)
                    .to_vec(),
            ),
            (
                TypeId::Text,
                ["", "a", "ab", "b", "bbbbbbbbb", "é", "ab\u{1}"].map(Value::text).to_vec(),
            ),
            (TypeId::BpChar, ["a  ", "a", "b"].map(Value::text).to_vec()),
            (TypeId::Bool, vec![Value::Bool(false), Value::Bool(true)]),
            (TypeId::Numeric, vec![number(110, 2), number(11, 1), number(2, 0)]),
        ];
        for (ty, mut values) in samples {
            values.push(Value::Null);
            let vector = Vector::from_values(ty, &values);
            for (descending, nulls_first) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let order = Order { keys: vec![(descending, nulls_first)] };
                let prefixes = order.prefixes(&vector);
                let columns = std::slice::from_ref(&vector);
                for a in 0..values.len() {
                    for b in 0..values.len() {
                        let exact = order.compare_rows(&[0], (columns, a), (columns, b));
                        let rough = prefixes[a].cmp(&prefixes[b]);
                        assert!(
                            rough == Ordering::Equal || rough == exact,
                            "{ty:?} {:?} {:?}",
                            values[a],
                            values[b]
                        );
                    }
                }
            }
        }
    }
}
