//! Columns longer than a tile: how joins, sorts and aggregates keep rows.

use arrow_buffer::{Buffer, ToByteSlice};
use damask_types::vector::{INLINE_BYTES, numeric_data};
use damask_types::{
    Batch, Interval, Mask, Numeric, TILE_ROWS, TypeId, Value, Vector, VectorData, Views,
};
use std::sync::Arc;

/// A column of any number of rows.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) ty: TypeId,
    len: usize,
    /// One bit a row; empty until a null comes.
    validity: Vec<u64>,
    data: Data,
    /// About what boxed values take outside of the column.
    heap_bytes: usize,
}

#[derive(Debug)]
enum Data {
    Bool(Vec<bool>),
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Oid(Vec<u32>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    /// All of one scale, while that holds.
    Decimal64(u8, Vec<i64>),
    Numeric(Vec<Numeric>),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    /// Strings.
    Bytes(Strings),
    Boxed(Vec<Value>),
}

impl Column {
    pub(crate) fn new(ty: TypeId) -> Self {
        use damask_types::PhysicalType as P;
        let data = match ty.physical() {
            P::Bool => Data::Bool(vec![]),
            P::Int2 => Data::Int2(vec![]),
            P::Int4 => Data::Int4(vec![]),
            P::Int8 => Data::Int8(vec![]),
            P::Oid => Data::Oid(vec![]),
            P::Float4 => Data::Float4(vec![]),
            P::Float8 => Data::Float8(vec![]),
            P::Numeric => Data::Decimal64(0, vec![]),
            P::Interval => Data::Interval(vec![]),
            P::Uuid => Data::Uuid(vec![]),
            P::Bytes => Data::Bytes(Strings::default()),
            P::Boxed => Data::Boxed(vec![]),
        };
        Self { ty, len: 0, validity: vec![], data, heap_bytes: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether row `row` is null.
    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        !self.validity.is_empty() && self.validity[row / 64] >> (row % 64) & 1 == 0
    }

    /// Whether any row is null.
    pub(crate) fn has_null(&self) -> bool {
        !self.validity.is_empty()
    }

    fn mark_valid(&mut self, row: usize) {
        if !self.validity.is_empty() {
            if self.validity.len() <= row / 64 {
                self.validity.push(0);
            }
            self.validity[row / 64] |= 1 << (row % 64);
        }
    }

    fn mark_null(&mut self, row: usize) {
        if self.validity.is_empty() {
            self.validity = vec![u64::MAX; row / 64];
            self.validity.push((1 << (row % 64)) - 1);
        } else if self.validity.len() <= row / 64 {
            self.validity.push(0);
        }
    }

    /// Appends rows `rows` of a vector.
    pub(crate) fn append(&mut self, vector: &Vector, rows: &[u32]) {
        let start = self.len;
        self.len += rows.len();
        if vector.validity().is_some() {
            for (i, &row) in rows.iter().enumerate() {
                if vector.is_null(row as usize) {
                    self.mark_null(start + i);
                } else {
                    self.mark_valid(start + i);
                }
            }
        } else if !self.validity.is_empty() {
            for row in start..self.len {
                self.mark_valid(row);
            }
        }
        let at = |row: &u32| vector.index(*row as usize);
        match (&mut self.data, &vector.data) {
            (Data::Bool(out), VectorData::Bool(v)) => out.extend(rows.iter().map(|r| v.get(at(r)))),
            (Data::Int2(out), VectorData::Int2(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Int4(out), VectorData::Int4(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Int8(out), VectorData::Int8(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Oid(out), VectorData::Oid(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Float4(out), VectorData::Float4(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Float8(out), VectorData::Float8(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Interval(out), VectorData::Interval(v)) => {
                out.extend(rows.iter().map(|r| v[at(r)]));
            }
            (Data::Uuid(out), VectorData::Uuid(v)) => out.extend(rows.iter().map(|r| v[at(r)])),
            (Data::Boxed(out), VectorData::Boxed(v)) => {
                out.extend(rows.iter().map(|r| v[at(r)].clone()));
                self.heap_bytes += rows.iter().map(|r| heap_bytes(&v[at(r)])).sum::<usize>();
            }
            (Data::Bytes(out), VectorData::Bytes(v)) => out.append(v, rows, at),
            (Data::Decimal64(scale, out), VectorData::Decimal64 { scale: new, values })
                if out.is_empty() || scale == new =>
            {
                *scale = *new;
                out.extend(rows.iter().map(|r| values[at(r)]));
            }
            (data @ (Data::Decimal64(..) | Data::Numeric(_)), _) => {
                // Scales or widths differ: go on with exact values.
                if let Data::Decimal64(scale, values) = data {
                    let scale = u16::from(*scale);
                    let exact =
                        values.iter().map(|&v| Numeric::Decimal { mantissa: v.into(), scale });
                    *data = Data::Numeric(exact.collect());
                }
                let Data::Numeric(out) = data else { unreachable!("converted above") };
                out.extend(rows.iter().map(|&row| match vector.value(row as usize) {
                    Value::Numeric(value) => value,
                    _ => Numeric::Decimal { mantissa: 0, scale: 0 },
                }));
            }
            (data, vector) => unreachable!("a column of {data:?} was given {vector:?}"),
        }
    }

    /// The rows named, in that order, at most a tile; `u32::MAX` gives null.
    pub(crate) fn gather(&self, rows: &[u32]) -> Vector {
        assert!(rows.len() <= TILE_ROWS, "at most a tile is gathered");
        let has_hole = rows.contains(&NO_ROW);
        let validity = (has_hole || !self.validity.is_empty()).then(|| {
            Mask::from_fn(rows.len(), |i| rows[i] != NO_ROW && !self.is_null(rows[i] as usize))
        });
        if self.len == 0 {
            return Vector::nulls(self.ty, rows.len());
        }
        // A hole reads row 0, whose value nobody looks at.
        let at = |row: &u32| if *row == NO_ROW { 0 } else { *row as usize };
        macro_rules! pick {
            ($v:expr) => {
                rows.iter().map(|r| $v[at(r)]).collect::<Vec<_>>().into()
            };
        }
        let data = match &self.data {
            Data::Bool(v) => {
                VectorData::Bool(Arc::new(Mask::from_fn(rows.len(), |i| v[at(&rows[i])])))
            }
            Data::Int2(v) => VectorData::Int2(pick!(v)),
            Data::Int4(v) => VectorData::Int4(pick!(v)),
            Data::Int8(v) => VectorData::Int8(pick!(v)),
            Data::Oid(v) => VectorData::Oid(pick!(v)),
            Data::Float4(v) => VectorData::Float4(pick!(v)),
            Data::Float8(v) => VectorData::Float8(pick!(v)),
            Data::Decimal64(scale, v) => VectorData::Decimal64 { scale: *scale, values: pick!(v) },
            Data::Numeric(v) => {
                numeric_data(rows.iter().map(|r| v[at(r)].clone()).collect(), validity.as_ref())
            }
            Data::Interval(v) => VectorData::Interval(rows.iter().map(|r| v[at(r)]).collect()),
            Data::Uuid(v) => VectorData::Uuid(rows.iter().map(|r| v[at(r)]).collect()),
            Data::Bytes(strings) => VectorData::Bytes(strings.gather(rows)),
            Data::Boxed(v) => VectorData::Boxed(rows.iter().map(|r| v[at(r)].clone()).collect()),
        };
        Vector::flat(self.ty, rows.len(), data, validity)
    }

    /// About how many bytes the rows take.
    pub(crate) fn bytes(&self) -> usize {
        let width = match &self.data {
            Data::Bool(_) => 1,
            Data::Int2(_) => 2,
            Data::Int4(_) | Data::Oid(_) | Data::Float4(_) => 4,
            Data::Int8(_) | Data::Float8(_) | Data::Decimal64(..) => 8,
            Data::Interval(_) | Data::Uuid(_) => 16,
            Data::Bytes(strings) => return strings.bytes(),
            Data::Numeric(_) => size_of::<Numeric>(),
            Data::Boxed(_) => size_of::<Value>(),
        };
        self.len * width + self.heap_bytes
    }

    /// The integers of an integer, date or time column.
    pub(crate) fn as_i64(&self, row: usize) -> Option<i64> {
        match &self.data {
            Data::Bool(v) => Some(v[row].into()),
            Data::Int2(v) => Some(v[row].into()),
            Data::Int4(v) => Some(v[row].into()),
            Data::Int8(v) => Some(v[row]),
            Data::Oid(v) => Some(v[row].into()),
            Data::Decimal64(_, v) => Some(v[row]),
            _ => None,
        }
    }

    /// The scale that all numerics of the column share, if they fit 64 bits.
    pub(crate) fn decimal_scale(&self) -> Option<u8> {
        match &self.data {
            Data::Decimal64(scale, _) => Some(*scale),
            _ => None,
        }
    }

    /// The bytes of a text or bytea column.
    pub(crate) fn as_bytes(&self, row: usize) -> Option<&[u8]> {
        match &self.data {
            Data::Bytes(strings) => Some(strings.get(row)),
            _ => None,
        }
    }

    /// The value of a row.
    pub(crate) fn value(&self, row: usize) -> Value {
        self.gather(&[row as u32]).value(0)
    }
}

/// About what a value takes besides itself. Shared parts are counted wherever they are met.
fn heap_bytes(value: &Value) -> usize {
    let of = |values: &mut dyn Iterator<Item = &Value>| {
        // One level: an array's elements are flat, and a record within a record is rare.
        let one = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        values.map(|value| size_of::<Value>() + one(value)).sum::<usize>()
    };
    match value {
        Value::Array(array) => 64 + of(&mut array.values.iter()),
        Value::Record(fields) => 16 + of(&mut fields.iter().map(|(_, value)| value)),
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// The row number that stands for "no row": gathered as null.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// Bytes after which a buffer of strings is closed and the next begun.
const STRING_BUFFER_BYTES: usize = 1 << 20;

/// Strings as views into a few large buffers; the last one still grows.
#[derive(Debug, Default)]
struct Strings {
    /// A view's buffer number `closed.len()` means `open`.
    views: Vec<u128>,
    closed: Vec<Buffer>,
    open: Vec<u8>,
}

impl Strings {
    fn append(&mut self, from: &Views, rows: &[u32], at: impl Fn(&u32) -> usize) {
        self.views.reserve(rows.len());
        for row in rows {
            let view = from.views[at(row)];
            if view as u32 as usize <= INLINE_BYTES {
                self.views.push(view);
                continue;
            }
            if self.open.len() >= STRING_BUFFER_BYTES {
                self.closed.push(Buffer::from_vec(std::mem::take(&mut self.open)));
            }
            let place = (self.closed.len() as u128) << 64 | (self.open.len() as u128) << 96;
            self.open.extend_from_slice(from.get(at(row)));
            self.views.push(view & u128::from(u64::MAX) | place);
        }
    }

    fn get(&self, row: usize) -> &[u8] {
        let view = self.views[row];
        let len = view as u32 as usize;
        if len <= INLINE_BYTES {
            return &self.views[row..=row].to_byte_slice()[4..4 + len];
        }
        let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
        match self.closed.get(buffer) {
            Some(buffer) => &buffer[offset..offset + len],
            None => &self.open[offset..offset + len],
        }
    }

    fn gather(&self, rows: &[u32]) -> Views {
        let mut out = Vec::with_capacity(rows.len());
        // Strings of the buffer that still grows are copied.
        let mut copied: Vec<u8> = vec![];
        let open = self.closed.len() as u128;
        for &row in rows {
            let view = if row == NO_ROW { 0 } else { self.views[row as usize] };
            if view as u32 as usize > INLINE_BYTES
                && (view >> 64) as u32 as usize == self.closed.len()
            {
                let place = open << 64 | (copied.len() as u128) << 96;
                copied.extend_from_slice(self.get(row as usize));
                out.push(view & u128::from(u64::MAX) | place);
            } else {
                out.push(view);
            }
        }
        let mut buffers = self.closed.clone();
        if !copied.is_empty() {
            buffers.push(Buffer::from_vec(copied));
        }
        Views { views: out.into(), buffers: buffers.into() }
    }

    fn bytes(&self) -> usize {
        self.views.len() * 16 + self.closed.iter().map(Buffer::len).sum::<usize>() + self.open.len()
    }
}

/// Rows kept column by column.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) columns: Vec<Column>,
    rows: usize,
}

impl Store {
    pub(crate) fn new(types: impl IntoIterator<Item = TypeId>) -> Self {
        Self { columns: types.into_iter().map(Column::new).collect(), rows: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Appends rows of vectors.
    pub(crate) fn append(&mut self, vectors: &[Vector], rows: &[u32]) {
        for (column, vector) in self.columns.iter_mut().zip(vectors) {
            column.append(vector, rows);
        }
        self.rows += rows.len();
    }

    /// Appends the rows of a batch that count.
    pub(crate) fn append_batch(&mut self, batch: &Batch) {
        let rows: Vec<u32> = batch.active().iter().map(|row| row as u32).collect();
        self.append(&batch.columns, &rows);
    }

    /// The rows named, at most a tile.
    pub(crate) fn gather(&self, rows: &[u32]) -> Batch {
        let columns = self.columns.iter().map(|column| column.gather(rows)).collect();
        Batch::new(columns, rows.len())
    }

    /// The same, of the first `width` columns alone.
    pub(crate) fn gather_first(&self, width: usize, rows: &[u32]) -> Batch {
        let columns = self.columns[..width].iter().map(|column| column.gather(rows)).collect();
        Batch::new(columns, rows.len())
    }

    /// Rows `from..` as a batch of at most a tile.
    pub(crate) fn tile(&self, from: usize) -> Batch {
        let to = (from + TILE_ROWS).min(self.rows);
        let rows: Vec<u32> = (from as u32..to as u32).collect();
        self.gather(&rows)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    /// Forgets the rows.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.columns.iter().map(|column| column.ty));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_over_tiles() {
        let long = "a text of more than twelve bytes";
        let mut column = Column::new(TypeId::Text);
        for i in 0..100 {
            let values = [Value::text(format!("{long} {i}")), Value::Null, Value::text("short")];
            column.append(&Vector::from_values(TypeId::Text, &values), &[0, 1, 2]);
        }
        assert_eq!(column.len(), 300);
        let vector = column.gather(&[297, 298, 0, NO_ROW, 299]);
        assert_eq!(vector.value(0), Value::text(format!("{long} 99")));
        assert!(vector.is_null(1) && vector.is_null(3));
        assert_eq!(vector.value(2), Value::text(format!("{long} 0")));
        assert_eq!(vector.value(4), Value::text("short"));
    }

    #[test]
    fn numerics_of_several_scales_stay_exact() {
        let number = |mantissa, scale| Value::Numeric(Numeric::Decimal { mantissa, scale });
        let mut column = Column::new(TypeId::Numeric);
        column.append(&Vector::from_values(TypeId::Numeric, &[number(110, 2)]), &[0]);
        column.append(&Vector::from_values(TypeId::Numeric, &[number(5, 1), Value::Null]), &[0, 1]);
        assert_eq!(column.value(0), number(110, 2));
        assert_eq!(column.value(1), number(5, 1));
        assert!(column.is_null(2));
    }
}
