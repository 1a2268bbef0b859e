//! A column of at most [`TILE_ROWS`] values.
//!
//! Buffers lie as Arrow's do, so they leave the engine without a copy where the form allows it; what runs over them is
//! our own. Two physical forms exist: *flat* (one entry a row) and *const* (one entry for every row). A kernel that does
//! not care calls [`Vector::index`], which maps a row to its entry in either form.
//!
//! Invariants
//! - V1: a null entry has some valid representation (zero, an empty view), so kernels may compute over it blindly.
//! - V2: `validity` is `None` when no entry is null; bits past the entries are unspecified.
//! - V3: `Bytes` of a text type is valid UTF-8.

use crate::array::ArrayValue;
use crate::mask::Mask;
use crate::{Interval, Numeric, Oid, PhysicalType, TILE_ROWS, TypeId, Value};
use arrow_buffer::{Buffer, ScalarBuffer, ToByteSlice};
use std::sync::Arc;

/// A column of values of one type.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The SQL type (without modifier).
    pub ty: TypeId,
    /// Rows it stands for.
    rows: usize,
    /// Whether the data has one entry for every row.
    is_const: bool,
    /// Which entries are not null; `None` when all are.
    validity: Option<Arc<Mask>>,
    /// The entries.
    pub data: VectorData,
}

/// The entries of a [`Vector`].
#[derive(Clone, Debug)]
pub enum VectorData {
    /// bool.
    Bool(Arc<Mask>),
    /// int2.
    Int2(ScalarBuffer<i16>),
    /// int4, date.
    Int4(ScalarBuffer<i32>),
    /// int8, times and timestamps.
    Int8(ScalarBuffer<i64>),
    /// oid and its aliases.
    Oid(ScalarBuffer<u32>),
    /// float4.
    Float4(ScalarBuffer<f32>),
    /// float8.
    Float8(ScalarBuffer<f64>),
    /// Numerics that all have one display scale and fit i64: value * 10^scale.
    Decimal64 {
        /// Digits after the point, of every entry.
        scale: u8,
        /// Scaled values.
        values: ScalarBuffer<i64>,
    },
    /// Numerics that all have one display scale and fit 38 digits: value * 10^scale.
    Decimal128 {
        /// Digits after the point, of every entry.
        scale: u8,
        /// Scaled values; magnitudes below 10^38.
        values: ScalarBuffer<i128>,
    },
    /// Numerics of any shape.
    Numeric(Arc<[Numeric]>),
    /// Intervals.
    Interval(Arc<[Interval]>),
    /// uuid, big-endian in the integer so that its order is the type's.
    Uuid(Arc<[[u8; 16]]>),
    /// Byte strings and text.
    Bytes(Views),
    /// Arrays and records.
    Boxed(Arc<[Value]>),
}

/// Byte strings as Arrow's views: 12 bytes inline, else a 4-byte prefix and a place in a buffer.
#[derive(Clone, Debug)]
pub struct Views {
    /// The views.
    pub views: ScalarBuffer<u128>,
    /// Where long strings lie.
    pub buffers: Arc<[Buffer]>,
}

/// Longest string that lies in its view.
pub const INLINE_BYTES: usize = 12;

impl Views {
    /// Number of strings.
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Whether there is no string.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// String `i`.
    #[inline]
    pub fn get(&self, i: usize) -> &[u8] {
        let view = self.views[i];
        let len = view as u32 as usize;
        if len <= INLINE_BYTES {
            let start = i * 16 + 4;
            &self.views.to_byte_slice()[start..start + len]
        } else {
            let buffer = (view >> 64) as u32 as usize;
            let offset = (view >> 96) as u32 as usize;
            &self.buffers[buffer][offset..offset + len]
        }
    }

    /// String `i` of a text type.
    ///
    /// # Panics
    /// If it is not UTF-8, which V3 rules out.
    #[inline]
    pub fn text(&self, i: usize) -> &str {
        str::from_utf8(self.get(i)).expect("text vectors hold UTF-8 (V3)")
    }
}

/// Builds [`Views`] by appending strings.
#[derive(Debug, Default)]
pub struct ViewsBuilder {
    views: Vec<u128>,
    bytes: Vec<u8>,
}

impl ViewsBuilder {
    /// An empty builder with room for `rows` strings.
    pub fn with_capacity(rows: usize) -> Self {
        Self { views: Vec::with_capacity(rows), bytes: Vec::new() }
    }

    /// Makes room for `bytes` bytes of long strings.
    pub fn reserve_bytes(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Bytes of long strings so far.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a string of less than 4 GiB.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        let len = u32::try_from(value.len()).expect("strings are limited to 1 GiB");
        let mut view = [0u8; 16];
        view[..4].copy_from_slice(&len.to_le_bytes());
        if value.len() <= INLINE_BYTES {
            view[4..4 + value.len()].copy_from_slice(value);
        } else {
            let offset =
                u32::try_from(self.bytes.len()).expect("a vector's strings are below 4 GiB");
            view[4..8].copy_from_slice(&value[..4]);
            view[12..].copy_from_slice(&offset.to_le_bytes());
            self.bytes.extend_from_slice(value);
        }
        self.views.push(u128::from_le_bytes(view));
    }

    /// Strings so far.
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// The strings.
    pub fn finish(self) -> Views {
        let buffers: Arc<[Buffer]> = if self.bytes.is_empty() {
            Arc::new([])
        } else {
            Arc::new([Buffer::from_vec(self.bytes)])
        };
        Views { views: self.views.into(), buffers }
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Views {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let mut builder = ViewsBuilder::default();
        for value in iter {
            builder.push(value.as_ref());
        }
        builder.finish()
    }
}

impl VectorData {
    /// Number of entries; for `Bool` the mask has no length, so this is [`TILE_ROWS`].
    pub fn entries(&self) -> usize {
        match self {
            Self::Bool(_) => TILE_ROWS,
            Self::Int2(v) => v.len(),
            Self::Int4(v) => v.len(),
            Self::Int8(v) => v.len(),
            Self::Oid(v) => v.len(),
            Self::Float4(v) => v.len(),
            Self::Float8(v) => v.len(),
            Self::Decimal64 { values, .. } => values.len(),
            Self::Decimal128 { values, .. } => values.len(),
            Self::Numeric(v) => v.len(),
            Self::Interval(v) => v.len(),
            Self::Uuid(v) => v.len(),
            Self::Bytes(v) => v.len(),
            Self::Boxed(v) => v.len(),
        }
    }
}

impl Vector {
    /// A flat vector of `rows` entries; `validity` marks the entries that are not null.
    ///
    /// # Panics
    /// If the data has fewer entries than rows, or there are more than [`TILE_ROWS`].
    pub fn flat(ty: TypeId, rows: usize, data: VectorData, validity: Option<Mask>) -> Self {
        assert!(rows <= TILE_ROWS, "T1: at most TILE_ROWS rows");
        assert!(data.entries() >= rows, "an entry for each row");
        Self { ty, rows, is_const: false, validity: validity.map(Arc::new), data }
    }

    /// A const vector: `value` for each of `rows` rows.
    pub fn constant(ty: TypeId, value: &Value, rows: usize) -> Self {
        assert!(rows <= TILE_ROWS, "T1: at most TILE_ROWS rows");
        let mut builder = VectorBuilder::new(ty, 1);
        builder.push(value);
        let mut vector = builder.finish();
        vector.rows = rows;
        vector.is_const = true;
        vector
    }

    /// Nulls of a type.
    pub fn nulls(ty: TypeId, rows: usize) -> Self {
        Self::constant(ty, &Value::Null, rows)
    }

    /// Bools from a mask of values and a mask of entries that are not null.
    pub fn bools(rows: usize, values: Mask, validity: Option<Mask>) -> Self {
        Self::flat(TypeId::Bool, rows, VectorData::Bool(Arc::new(values)), validity)
    }

    /// A vector from values.
    pub fn from_values<'a>(ty: TypeId, values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut builder = VectorBuilder::new(ty, 0);
        for value in values {
            builder.push(value);
        }
        builder.finish()
    }

    /// Rows it stands for.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether one entry stands for every row.
    #[inline]
    pub fn is_const(&self) -> bool {
        self.is_const
    }

    /// The entry of row `row`.
    #[inline]
    pub fn index(&self, row: usize) -> usize {
        if self.is_const { 0 } else { row }
    }

    /// Which *entries* are not null (entry 0 alone for a const vector); `None` when all are.
    #[inline]
    pub fn validity(&self) -> Option<&Mask> {
        self.validity.as_deref()
    }

    /// Whether row `row` is null.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.validity.as_ref().is_some_and(|validity| !validity.get(self.index(row)))
    }

    /// The *rows* that are not null, const vectors spread out.
    pub fn valid_rows(&self) -> Mask {
        match &self.validity {
            None => Mask::first(self.rows),
            Some(validity) if self.is_const => {
                if validity.get(0) {
                    Mask::first(self.rows)
                } else {
                    Mask::NONE
                }
            }
            Some(validity) => validity.and(&Mask::first(self.rows)),
        }
    }

    /// The rows that are true: what a filter keeps. Null counts as false.
    ///
    /// # Panics
    /// If this is not a vector of bools.
    pub fn true_rows(&self) -> Mask {
        let VectorData::Bool(values) = &self.data else {
            panic!("a filter's vector is bool");
        };
        let valid = self.valid_rows();
        if self.is_const {
            if values.get(0) { valid } else { Mask::NONE }
        } else {
            values.and(&valid)
        }
    }

    /// The same values under another type of the same physical kind.
    pub fn retype(mut self, ty: TypeId) -> Self {
        debug_assert_eq!(self.ty.physical(), ty.physical(), "retyping keeps the representation");
        self.ty = ty;
        self
    }

    /// A const vector with another row count.
    ///
    /// # Panics
    /// If this is not const.
    pub fn with_rows(mut self, rows: usize) -> Self {
        assert!(self.is_const && rows <= TILE_ROWS, "only a const vector stands for any row count");
        self.rows = rows;
        self
    }

    /// A const vector that stands for `rows` rows with this one's first entry.
    ///
    /// # Panics
    /// If this has no entry.
    pub fn first_as_const(mut self, rows: usize) -> Self {
        assert!(self.rows > 0 && rows <= TILE_ROWS, "the first row exists");
        self.is_const = true;
        self.rows = rows;
        self
    }

    /// The value of row `row`.
    pub fn value(&self, row: usize) -> Value {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        if self.is_null(row) {
            return Value::Null;
        }
        let i = self.index(row);
        match &self.data {
            VectorData::Bool(v) => Value::Bool(v.get(i)),
            VectorData::Int2(v) => Value::Int2(v[i]),
            VectorData::Int4(v) if self.ty == TypeId::Date => Value::Date(v[i]),
            VectorData::Int4(v) => Value::Int4(v[i]),
            VectorData::Int8(v) => match self.ty {
                TypeId::Time => Value::Time(v[i]),
                TypeId::Timestamp => Value::Timestamp(v[i]),
                TypeId::TimestampTz => Value::TimestampTz(v[i]),
                _ => Value::Int8(v[i]),
            },
            VectorData::Oid(v) => Value::Oid(Oid(v[i])),
            VectorData::Float4(v) => Value::Float4(v[i]),
            VectorData::Float8(v) => Value::Float8(v[i]),
            VectorData::Decimal64 { scale, values } => Value::Numeric(Numeric::Decimal {
                mantissa: values[i].into(),
                scale: u16::from(*scale),
            }),
            VectorData::Decimal128 { scale, values } => {
                Value::Numeric(Numeric::Decimal { mantissa: values[i], scale: u16::from(*scale) })
            }
            VectorData::Numeric(v) => Value::Numeric(v[i].clone()),
            VectorData::Interval(v) => Value::Interval(v[i]),
            VectorData::Uuid(v) => Value::Uuid(v[i]),
            VectorData::Bytes(v) if self.ty == TypeId::Bytea => Value::Bytes(v.get(i).into()),
            VectorData::Bytes(v) => Value::Text(v.text(i).into()),
            VectorData::Boxed(v) => v[i].clone(),
        }
    }

    /// The bytes of a string that is not null, if this is a vector of strings.
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        match &self.data {
            VectorData::Bytes(views) => Some(views.get(self.index(row))),
            _ => None,
        }
    }

    /// Rows `rows` in that order (repeats allowed), at most [`TILE_ROWS`].
    pub fn gather(&self, rows: &[u32]) -> Self {
        assert!(rows.len() <= TILE_ROWS, "T1: at most TILE_ROWS rows");
        if self.is_const {
            let mut vector = self.clone();
            vector.rows = rows.len();
            return vector;
        }
        fn pick<T: Copy + arrow_buffer::ArrowNativeType>(
            v: &ScalarBuffer<T>,
            rows: &[u32],
        ) -> ScalarBuffer<T> {
            rows.iter().map(|&i| v[i as usize]).collect::<Vec<T>>().into()
        }
        let data = match &self.data {
            VectorData::Bool(v) => {
                VectorData::Bool(Arc::new(Mask::from_fn(rows.len(), |i| v.get(rows[i] as usize))))
            }
            VectorData::Int2(v) => VectorData::Int2(pick(v, rows)),
            VectorData::Int4(v) => VectorData::Int4(pick(v, rows)),
            VectorData::Int8(v) => VectorData::Int8(pick(v, rows)),
            VectorData::Oid(v) => VectorData::Oid(pick(v, rows)),
            VectorData::Float4(v) => VectorData::Float4(pick(v, rows)),
            VectorData::Float8(v) => VectorData::Float8(pick(v, rows)),
            VectorData::Decimal64 { scale, values } => {
                VectorData::Decimal64 { scale: *scale, values: pick(values, rows) }
            }
            VectorData::Decimal128 { scale, values } => {
                VectorData::Decimal128 { scale: *scale, values: pick(values, rows) }
            }
            VectorData::Numeric(v) => {
                VectorData::Numeric(rows.iter().map(|&i| v[i as usize].clone()).collect())
            }
            VectorData::Interval(v) => {
                VectorData::Interval(rows.iter().map(|&i| v[i as usize]).collect())
            }
            VectorData::Uuid(v) => VectorData::Uuid(rows.iter().map(|&i| v[i as usize]).collect()),
            VectorData::Bytes(v) => VectorData::Bytes(Views {
                views: pick(&v.views, rows),
                buffers: Arc::clone(&v.buffers),
            }),
            VectorData::Boxed(v) => {
                VectorData::Boxed(rows.iter().map(|&i| v[i as usize].clone()).collect())
            }
        };
        let validity = self
            .validity
            .as_ref()
            .map(|validity| Mask::from_fn(rows.len(), |i| validity.get(rows[i] as usize)));
        Self::flat(self.ty, rows.len(), data, validity)
    }

    /// The rows in `mask`, in order.
    pub fn compact(&self, mask: &Mask) -> Self {
        let rows: Vec<u32> = mask.iter().map(|i| i as u32).collect();
        self.gather(&rows)
    }
}

/// Builds a flat [`Vector`] of any type by appending values.
///
/// Convenient rather than fast: kernels and scans build buffers themselves.
#[derive(Debug)]
pub struct VectorBuilder {
    ty: TypeId,
    rows: usize,
    validity: Mask,
    has_null: bool,
    data: BuilderData,
}

#[derive(Debug)]
enum BuilderData {
    Bool(Mask),
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Oid(Vec<u32>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    Numeric(Vec<Numeric>),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    Bytes(ViewsBuilder),
    Boxed(Vec<Value>),
}

impl VectorBuilder {
    /// An empty builder with room for `capacity` rows.
    pub fn new(ty: TypeId, capacity: usize) -> Self {
        let data = match ty.physical() {
            PhysicalType::Bool => BuilderData::Bool(Mask::NONE),
            PhysicalType::Int2 => BuilderData::Int2(Vec::with_capacity(capacity)),
            PhysicalType::Int4 => BuilderData::Int4(Vec::with_capacity(capacity)),
            PhysicalType::Int8 => BuilderData::Int8(Vec::with_capacity(capacity)),
            PhysicalType::Oid => BuilderData::Oid(Vec::with_capacity(capacity)),
            PhysicalType::Float4 => BuilderData::Float4(Vec::with_capacity(capacity)),
            PhysicalType::Float8 => BuilderData::Float8(Vec::with_capacity(capacity)),
            PhysicalType::Numeric => BuilderData::Numeric(Vec::with_capacity(capacity)),
            PhysicalType::Interval => BuilderData::Interval(Vec::with_capacity(capacity)),
            PhysicalType::Uuid => BuilderData::Uuid(Vec::with_capacity(capacity)),
            PhysicalType::Bytes => BuilderData::Bytes(ViewsBuilder::with_capacity(capacity)),
            PhysicalType::Boxed => BuilderData::Boxed(Vec::with_capacity(capacity)),
        };
        Self { ty, rows: 0, validity: Mask::NONE, has_null: false, data }
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a value.
    ///
    /// # Panics
    /// If the value is not of the builder's physical type, or the vector is full.
    pub fn push(&mut self, value: &Value) {
        assert!(self.rows < TILE_ROWS, "T1: at most TILE_ROWS rows");
        let row = self.rows;
        self.rows += 1;
        if value.is_null() {
            self.has_null = true;
            match &mut self.data {
                BuilderData::Bool(_) => {}
                BuilderData::Int2(v) => v.push(0),
                BuilderData::Int4(v) => v.push(0),
                BuilderData::Int8(v) => v.push(0),
                BuilderData::Oid(v) => v.push(0),
                BuilderData::Float4(v) => v.push(0.0),
                BuilderData::Float8(v) => v.push(0.0),
                BuilderData::Numeric(v) => v.push(Numeric::Decimal { mantissa: 0, scale: 0 }),
                BuilderData::Interval(v) => v.push(Interval::default()),
                BuilderData::Uuid(v) => v.push([0; 16]),
                BuilderData::Bytes(v) => v.push(&[]),
                BuilderData::Boxed(v) => v.push(Value::Null),
            }
            return;
        }
        self.validity.set(row, true);
        match (&mut self.data, value) {
            (BuilderData::Bool(mask), Value::Bool(v)) => mask.set(row, *v),
            (BuilderData::Int2(out), Value::Int2(v)) => out.push(*v),
            (BuilderData::Int4(out), Value::Int4(v) | Value::Date(v)) => out.push(*v),
            (
                BuilderData::Int8(out),
                Value::Int8(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v),
            ) => out.push(*v),
            (BuilderData::Oid(out), Value::Oid(v)) => out.push(v.0),
            (BuilderData::Float4(out), Value::Float4(v)) => out.push(*v),
            (BuilderData::Float8(out), Value::Float8(v)) => out.push(*v),
            (BuilderData::Numeric(out), Value::Numeric(v)) => out.push(v.clone()),
            (BuilderData::Interval(out), Value::Interval(v)) => out.push(*v),
            (BuilderData::Uuid(out), Value::Uuid(v)) => out.push(*v),
            (BuilderData::Bytes(out), Value::Text(v)) => out.push(v.as_bytes()),
            (BuilderData::Bytes(out), Value::Bytes(v)) => out.push(v),
            (BuilderData::Boxed(out), Value::Array(_) | Value::Record(_)) => {
                out.push(value.clone());
            }
            (data, value) => panic!("a {:?} builder was given {value:?} ({data:?})", self.ty),
        }
    }

    /// Appends a string to a builder of a text type.
    ///
    /// # Panics
    /// If the builder is of another physical type, or the vector is full.
    pub fn push_text(&mut self, text: &str) {
        assert!(self.rows < TILE_ROWS, "T1: at most TILE_ROWS rows");
        let BuilderData::Bytes(out) = &mut self.data else {
            panic!("a {:?} builder was given a string", self.ty);
        };
        out.push(text.as_bytes());
        self.validity.set(self.rows, true);
        self.rows += 1;
    }

    /// Bytes of long strings so far; 0 for other types.
    pub fn bytes_len(&self) -> usize {
        if let BuilderData::Bytes(out) = &self.data { out.bytes_len() } else { 0 }
    }

    /// Makes room for `bytes` bytes of long strings, if it is a builder of strings.
    pub fn reserve_bytes(&mut self, bytes: usize) {
        if let BuilderData::Bytes(out) = &mut self.data {
            out.reserve_bytes(bytes);
        }
    }

    /// The vector. Numerics of one scale become decimals.
    pub fn finish(self) -> Vector {
        let validity = self.has_null.then_some(self.validity);
        let data = match self.data {
            BuilderData::Bool(mask) => VectorData::Bool(Arc::new(mask)),
            BuilderData::Int2(v) => VectorData::Int2(v.into()),
            BuilderData::Int4(v) => VectorData::Int4(v.into()),
            BuilderData::Int8(v) => VectorData::Int8(v.into()),
            BuilderData::Oid(v) => VectorData::Oid(v.into()),
            BuilderData::Float4(v) => VectorData::Float4(v.into()),
            BuilderData::Float8(v) => VectorData::Float8(v.into()),
            BuilderData::Numeric(v) => numeric_data(v, validity.as_ref()),
            BuilderData::Interval(v) => VectorData::Interval(v.into()),
            BuilderData::Uuid(v) => VectorData::Uuid(v.into()),
            BuilderData::Bytes(v) => VectorData::Bytes(v.finish()),
            BuilderData::Boxed(v) => VectorData::Boxed(v.into()),
        };
        Vector::flat(self.ty, self.rows, data, validity)
    }
}

/// The narrowest form that holds `values`: one scale and i64, one scale and i128, or as they are.
pub fn numeric_data(values: Vec<Numeric>, validity: Option<&Mask>) -> VectorData {
    let is_valid = |i: usize| validity.is_none_or(|validity| validity.get(i));
    let mut shape: Option<u16> = None;
    let mut fits_64 = true;
    for (i, value) in values.iter().enumerate().filter(|(i, _)| is_valid(*i)) {
        let Numeric::Decimal { mantissa, scale } = value else {
            return VectorData::Numeric(values.into());
        };
        debug_assert!(i < TILE_ROWS, "T1");
        if *shape.get_or_insert(*scale) != *scale || *scale > u16::from(u8::MAX) {
            return VectorData::Numeric(values.into());
        }
        fits_64 &= i64::try_from(*mantissa).is_ok();
    }
    let scale = shape.unwrap_or(0) as u8;
    let mantissa = |(i, value): (usize, &Numeric)| match value {
        Numeric::Decimal { mantissa, .. } if is_valid(i) => *mantissa,
        _ => 0,
    };
    if fits_64 {
        let values: Vec<i64> =
            values.iter().enumerate().map(|entry| mantissa(entry) as i64).collect();
        VectorData::Decimal64 { scale, values: values.into() }
    } else {
        let values: Vec<i128> = values.iter().enumerate().map(mantissa).collect();
        VectorData::Decimal128 { scale, values: values.into() }
    }
}

impl From<ArrayValue> for Value {
    fn from(array: ArrayValue) -> Self {
        Self::Array(Arc::new(array))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let long = "a string that does not lie in its view";
        let values = [Value::text("short"), Value::Null, Value::text(long)];
        let vector = Vector::from_values(TypeId::Text, &values);
        assert!(values.iter().enumerate().all(|(i, value)| vector.value(i) == *value));
        let picked = vector.gather(&[2, 2, 1]);
        assert_eq!(picked.value(0), Value::text(long));
        assert!(picked.is_null(2));
    }

    #[test]
    fn numerics_of_one_scale_become_decimals() {
        let number = |mantissa, scale| Value::Numeric(Numeric::Decimal { mantissa, scale });
        let vector =
            Vector::from_values(TypeId::Numeric, &[number(110, 2), Value::Null, number(5, 2)]);
        assert!(matches!(vector.data, VectorData::Decimal64 { scale: 2, .. }));
        assert_eq!(vector.value(0), number(110, 2));
        let vector = Vector::from_values(TypeId::Numeric, &[number(110, 2), number(5, 1)]);
        assert!(matches!(vector.data, VectorData::Numeric(_)));
    }

    #[test]
    fn const_vectors_stand_for_every_row() {
        let vector = Vector::constant(TypeId::Bool, &Value::Bool(true), 70);
        assert_eq!(vector.true_rows().count(), 70);
        assert_eq!(Vector::nulls(TypeId::Bool, 70).true_rows().count(), 0);
    }
}
