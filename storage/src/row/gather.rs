//! Rows to columns: the scan path over row pages.
//!
//! A [`ColumnGatherer`] appends one value a column from each row to the column's own buffer, until a tile is full.
//! Rows of the newest layout with narrow end offsets, nearly all, take the fast way: their heads are checked once a
//! row, then each column is one small loop over the rows with a constant offset (R1). Other rows go value by value.
//!
//! Nulls cost a test a row while none is seen: the null bits of the gathered columns are collected over the rows, and
//! only a column with a null among them walks its rows for validity. A null's bytes are zeros, which is what V1 asks.

use super::decode::{self, RowView, array};
use super::physical::{Kind, LAYOUT_BYTES, Physical, Place};
use super::strings::{Strings, Variable};
use super::{RowLayout, encode, stored, unknown_column};
use damask_types::vector::numeric_data;
use damask_types::{
    ColumnIndex, Error, Interval, Mask, Numeric, Result, TILE_ROWS, TypeId, Value, Vector,
    VectorData,
};
use std::sync::Arc;

/// Builds vectors of some columns from rows, a tile at a time.
#[derive(Debug)]
pub struct ColumnGatherer {
    rows_layout: Arc<RowLayout>,
    columns: Vec<Column>,
    /// What the first bytes of a row on the fast way are: the newest layout, narrow.
    layout: u16,
    /// Shortest row of that layout.
    bytes_min: usize,
    rows: usize,
    /// Rows of a whole tile.
    tile_rows: usize,
}

/// One column on its way to a vector.
#[derive(Debug)]
struct Column {
    index: usize,
    ty: TypeId,
    kind: Kind,
    dropped: bool,
    place: Place,
    /// Byte of the row and bit that say it is null.
    null_at: usize,
    null_bit: u8,
    has_null: bool,
    validity: Mask,
    values: Values,
}

/// The buffers; nulls have an entry too.
#[derive(Debug)]
enum Values {
    Bool(Mask),
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Oid(Vec<u32>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    Decimal64(Vec<i64>),
    Decimal128(Vec<i128>),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    Bytes(Strings),
    Numeric(Vec<Numeric>),
    Boxed(Vec<Value>),
}

impl ColumnGatherer {
    /// An empty gatherer of `columns` of rows of `layout`.
    ///
    /// # Errors
    /// XX000 for a column the table does not have.
    pub fn new(layout: &Arc<RowLayout>, columns: &[ColumnIndex]) -> Result<Self> {
        let physical = &layout.newest;
        let column = |column: &ColumnIndex| {
            let index = usize::from(column.0);
            let slot = physical.slots.get(index).ok_or_else(|| unknown_column(index))?;
            Ok(Column {
                index,
                ty: slot.ty,
                kind: slot.kind,
                dropped: layout.columns[index].dropped,
                place: slot.place,
                null_at: LAYOUT_BYTES + index / 8,
                null_bit: 1 << (index % 8),
                has_null: false,
                validity: Mask::NONE,
                values: Values::new(slot.kind),
            })
        };
        Ok(Self {
            rows_layout: Arc::clone(layout),
            columns: columns.iter().map(column).collect::<Result<_>>()?,
            layout: layout.columns.len() as u16,
            bytes_min: physical.variable_start(false),
            rows: 0,
            tile_rows: TILE_ROWS,
        })
    }

    /// Rows taken since the last [`Self::finish`].
    #[inline]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether no row was taken since then.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Rows that the tile still has room for.
    #[inline]
    pub fn room(&self) -> usize {
        self.tile_rows - self.rows
    }

    /// Sets how many rows a tile takes, [`TILE_ROWS`] at most: memory for so many is taken with a tile's first row.
    pub fn set_tile_rows(&mut self, rows: usize) {
        self.tile_rows = rows.clamp(self.rows, TILE_ROWS);
    }

    /// Takes one row.
    ///
    /// # Errors
    /// XX000 if the tile is full, XX001 for damaged bytes; the gatherer is of no use after an error.
    pub fn push(&mut self, row: &[u8]) -> Result<()> {
        match self.push_rows(&[row])? {
            0 => Err(Error::internal("the tile is full")),
            _ => Ok(()),
        }
    }

    /// Takes as many of `rows` as the tile has room for, and says how many. The more at once, the faster.
    ///
    /// # Errors
    /// XX001 for damaged bytes; the gatherer is of no use after an error.
    pub fn push_rows(&mut self, rows: &[&[u8]]) -> Result<usize> {
        let taken = rows.len().min(self.room());
        if self.columns.is_empty() {
            self.rows += taken;
            return Ok(taken);
        }
        self.reserve();
        let mut rest = &rows[..taken];
        while !rest.is_empty() {
            let (run, nulls) = self.fast_run(rest);
            let (fast, after) = rest.split_at(run);
            for column in &mut self.columns {
                column.push_run(&self.rows_layout.newest, fast, self.rows, nulls)?;
            }
            self.rows += fast.len();
            rest = after;
            if let Some((row, after)) = rest.split_first() {
                self.push_slow(row)?;
                rest = after;
            }
        }
        Ok(taken)
    }

    /// Takes memory for a tile that begins.
    fn reserve(&mut self) {
        if self.rows == 0 {
            self.columns.iter_mut().for_each(|column| column.values.reserve(self.tile_rows));
        }
    }

    /// How many of `rows` go the fast way before one that does not, and which of their first 64 columns have a null.
    fn fast_run(&self, rows: &[&[u8]]) -> (usize, u64) {
        let head = self.layout.to_le_bytes();
        let mut nulls = 0;
        for (i, row) in rows.iter().enumerate() {
            if row.len() < self.bytes_min || row[..LAYOUT_BYTES] != head {
                return (i, nulls);
            }
            nulls |= if let Some(bytes) = row.get(LAYOUT_BYTES..LAYOUT_BYTES + 8) {
                u64::from_le_bytes(array(bytes))
            } else {
                let mut word = [0; 8];
                word[..row.len() - LAYOUT_BYTES].copy_from_slice(&row[LAYOUT_BYTES..]);
                u64::from_le_bytes(word)
            };
        }
        (rows.len(), nulls)
    }

    /// A row of an older layout or with wide offsets.
    fn push_slow(&mut self, row: &[u8]) -> Result<()> {
        let view: RowView<'_> = self.rows_layout.view(row)?;
        for column in &mut self.columns {
            let value = self.rows_layout.value_of(&view, column.index)?;
            column.push_value(&value, self.rows)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes one row by its values, one for each column gathered.
    ///
    /// # Errors
    /// XX000 if the tile is full, or a value is not of its column's type.
    pub fn push_values<'a>(&mut self, values: impl IntoIterator<Item = &'a Value>) -> Result<()> {
        if self.room() == 0 {
            return Err(Error::internal("the tile is full"));
        }
        self.reserve();
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push_value(value, self.rows)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// The columns of the rows taken; the gatherer is empty then.
    ///
    /// # Errors
    /// XX001 for damaged bytes.
    pub fn finish(&mut self) -> Result<Vec<Vector>> {
        let rows = std::mem::take(&mut self.rows);
        self.columns.iter_mut().map(|column| column.finish(rows)).collect()
    }
}

impl Values {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(Mask::NONE),
            Kind::Int2 => Self::Int2(Vec::new()),
            Kind::Int4 => Self::Int4(Vec::new()),
            Kind::Int8 => Self::Int8(Vec::new()),
            Kind::Oid => Self::Oid(Vec::new()),
            Kind::Float4 => Self::Float4(Vec::new()),
            Kind::Float8 => Self::Float8(Vec::new()),
            Kind::Decimal64 { .. } => Self::Decimal64(Vec::new()),
            Kind::Decimal128 { .. } => Self::Decimal128(Vec::new()),
            Kind::Interval => Self::Interval(Vec::new()),
            Kind::Uuid => Self::Uuid(Vec::new()),
            Kind::Bytes | Kind::Text => Self::Bytes(Strings::new(kind == Kind::Text)),
            Kind::Numeric => Self::Numeric(Vec::new()),
            Kind::Boxed => Self::Boxed(Vec::new()),
        }
    }

    /// Takes memory for `rows` values. Numerics and boxed values are large and rarely many: they grow.
    fn reserve(&mut self, rows: usize) {
        match self {
            Self::Bool(_) | Self::Numeric(_) | Self::Boxed(_) => {}
            Self::Int2(out) => out.reserve_exact(rows),
            Self::Int4(out) => out.reserve_exact(rows),
            Self::Int8(out) | Self::Decimal64(out) => out.reserve_exact(rows),
            Self::Oid(out) => out.reserve_exact(rows),
            Self::Float4(out) => out.reserve_exact(rows),
            Self::Float8(out) => out.reserve_exact(rows),
            Self::Decimal128(out) => out.reserve_exact(rows),
            Self::Interval(out) => out.reserve_exact(rows),
            Self::Uuid(out) => out.reserve_exact(rows),
            Self::Bytes(out) => out.reserve(rows),
        }
    }
}

/// Appends the `N` bytes at `offset` of each row.
#[inline]
fn append<T, const N: usize>(
    rows: &[&[u8]],
    offset: usize,
    out: &mut Vec<T>,
    read: impl Fn([u8; N]) -> T,
) {
    out.extend(rows.iter().map(|row| read(array(&row[offset..]))));
}

impl Column {
    /// Appends rows that have the newest layout, narrow end offsets and a whole fixed section.
    /// `nulls` has a bit set for each of the first 64 columns with a null among them, and more bits behind the last.
    fn push_run(
        &mut self,
        physical: &Physical,
        rows: &[&[u8]],
        at: usize,
        nulls: u64,
    ) -> Result<()> {
        if self.dropped {
            for i in 0..rows.len() {
                self.push_value(&Value::Null, at + i)?;
            }
            return Ok(());
        }
        if self.has_null || self.index >= 64 || nulls >> self.index & 1 == 1 {
            self.push_validity(rows, at);
        }
        match self.place {
            Place::Fixed(offset) => {
                self.push_fixed(rows, offset, at);
                Ok(())
            }
            Place::Variable(number) => self.push_variable(physical, rows, number),
        }
    }

    fn push_validity(&mut self, rows: &[&[u8]], at: usize) {
        let (null_at, bit) = (self.null_at, self.null_bit);
        let any = rows.iter().fold(0, |bits, row| bits | row[null_at]);
        if any & bit == 0 && !self.has_null {
            return;
        }
        self.note_null(at);
        for (i, row) in rows.iter().enumerate() {
            if row[null_at] & bit == 0 {
                self.validity.set(at + i, true);
            }
        }
    }

    /// The first null makes the `rows` rows before it valid in the mask.
    fn note_null(&mut self, rows: usize) {
        if !self.has_null {
            self.has_null = true;
            self.validity = Mask::first(rows);
        }
    }

    fn push_fixed(&mut self, rows: &[&[u8]], offset: usize, at: usize) {
        match &mut self.values {
            Values::Bool(mask) => {
                for (i, row) in rows.iter().enumerate() {
                    mask.words[(at + i) / 64] |= u64::from(row[offset] != 0) << ((at + i) % 64);
                }
            }
            Values::Int2(out) => append(rows, offset, out, i16::from_le_bytes),
            Values::Int4(out) => append(rows, offset, out, i32::from_le_bytes),
            Values::Int8(out) | Values::Decimal64(out) => {
                append(rows, offset, out, i64::from_le_bytes);
            }
            Values::Oid(out) => append(rows, offset, out, u32::from_le_bytes),
            Values::Float4(out) => append(rows, offset, out, f32::from_le_bytes),
            Values::Float8(out) => append(rows, offset, out, f64::from_le_bytes),
            Values::Decimal128(out) => append(rows, offset, out, i128::from_le_bytes),
            Values::Interval(out) => append(rows, offset, out, decode::interval),
            Values::Uuid(out) => append(rows, offset, out, |bytes| bytes),
            Values::Bytes(_) | Values::Numeric(_) | Values::Boxed(_) => {
                unreachable!("a variable kind has no fixed place")
            }
        }
    }

    fn push_variable(&mut self, physical: &Physical, rows: &[&[u8]], number: usize) -> Result<()> {
        let variable = Variable {
            end_at: physical.fixed_end + number * 2,
            has_start: number > 0,
            start: physical.variable_start(false),
        };
        match &mut self.values {
            Values::Bytes(out) => out.push_rows(rows, variable)?,
            Values::Numeric(out) => {
                for row in rows {
                    let (begin, end) = variable.range(row)?;
                    let is_null = row[self.null_at] & self.null_bit != 0;
                    out.push(if is_null { ZERO } else { stored::read_numeric(&row[begin..end])? });
                }
            }
            Values::Boxed(out) => {
                for row in rows {
                    let (begin, end) = variable.range(row)?;
                    let is_null = row[self.null_at] & self.null_bit != 0;
                    out.push(if is_null {
                        Value::Null
                    } else {
                        stored::read_boxed(&row[begin..end])?
                    });
                }
            }
            _ => unreachable!("a fixed kind has no variable place"),
        }
        Ok(())
    }

    /// Appends one value of the column's type.
    fn push_value(&mut self, value: &Value, at: usize) -> Result<()> {
        if value.is_null() {
            self.note_null(at);
            self.push_zero();
            return Ok(());
        }
        if self.has_null {
            self.validity.set(at, true);
        }
        match (&mut self.values, value) {
            (Values::Bool(mask), Value::Bool(v)) => mask.set(at, *v),
            (Values::Int2(out), Value::Int2(v)) => out.push(*v),
            (Values::Int4(out), Value::Int4(v) | Value::Date(v)) => out.push(*v),
            (
                Values::Int8(out),
                Value::Int8(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v),
            ) => out.push(*v),
            (Values::Oid(out), Value::Oid(v)) => out.push(v.0),
            (Values::Float4(out), Value::Float4(v)) => out.push(*v),
            (Values::Float8(out), Value::Float8(v)) => out.push(*v),
            (Values::Decimal64(out), Value::Numeric(v)) => {
                let Kind::Decimal64 { scale } = self.kind else {
                    unreachable!("the buffer follows the kind")
                };
                out.push(encode::decimal64(v, scale)?);
            }
            (Values::Decimal128(out), Value::Numeric(v)) => {
                let Kind::Decimal128 { scale } = self.kind else {
                    unreachable!("the buffer follows the kind")
                };
                out.push(encode::decimal128(v, scale)?);
            }
            (Values::Interval(out), Value::Interval(v)) => out.push(*v),
            (Values::Uuid(out), Value::Uuid(v)) => out.push(*v),
            (Values::Bytes(out), Value::Text(v)) => out.push(v.as_bytes())?,
            (Values::Bytes(out), Value::Bytes(v)) => out.push(v)?,
            (Values::Numeric(out), Value::Numeric(v)) => out.push(v.clone()),
            (Values::Boxed(out), Value::Array(_) | Value::Record(_)) => out.push(value.clone()),
            _ => {
                return Err(Error::internal(format!(
                    "a column of type {} has {value:?}",
                    self.ty.name()
                )));
            }
        }
        Ok(())
    }

    fn push_zero(&mut self) {
        match &mut self.values {
            Values::Bool(_) => {}
            Values::Int2(out) => out.push(0),
            Values::Int4(out) => out.push(0),
            Values::Int8(out) | Values::Decimal64(out) => out.push(0),
            Values::Oid(out) => out.push(0),
            Values::Float4(out) => out.push(0.0),
            Values::Float8(out) => out.push(0.0),
            Values::Decimal128(out) => out.push(0),
            Values::Interval(out) => out.push(Interval::default()),
            Values::Uuid(out) => out.push([0; 16]),
            Values::Bytes(out) => out.push_null(),
            Values::Numeric(out) => out.push(ZERO),
            Values::Boxed(out) => out.push(Value::Null),
        }
    }

    fn finish(&mut self, rows: usize) -> Result<Vector> {
        let validity = std::mem::take(&mut self.has_null).then_some(self.validity);
        let values = std::mem::replace(&mut self.values, Values::new(self.kind));
        let data = match values {
            Values::Bool(mask) => VectorData::Bool(Arc::new(mask)),
            Values::Int2(v) => VectorData::Int2(v.into()),
            Values::Int4(v) => VectorData::Int4(v.into()),
            Values::Int8(v) => VectorData::Int8(v.into()),
            Values::Oid(v) => VectorData::Oid(v.into()),
            Values::Float4(v) => VectorData::Float4(v.into()),
            Values::Float8(v) => VectorData::Float8(v.into()),
            Values::Decimal64(v) => decimal64_data(v, self.kind),
            Values::Decimal128(v) => decimal128_data(v, self.kind)?,
            Values::Interval(v) => VectorData::Interval(v.into()),
            Values::Uuid(v) => VectorData::Uuid(v.into()),
            Values::Bytes(v) => VectorData::Bytes(v.finish()),
            Values::Numeric(v) => numeric_data(v, validity.as_ref()),
            Values::Boxed(v) => VectorData::Boxed(v.into()),
        };
        Ok(Vector::flat(self.ty, rows, data, validity))
    }
}

const ZERO: Numeric = Numeric::Decimal { mantissa: 0, scale: 0 };

/// NaN is rare, but then the vector must take the form that has it.
fn decimal64_data(values: Vec<i64>, kind: Kind) -> VectorData {
    let Kind::Decimal64 { scale } = kind else { unreachable!("the buffer follows the kind") };
    if values.contains(&i64::MIN) {
        let values = values.into_iter().map(|v| decode::decimal64(v, scale));
        return VectorData::Numeric(values.collect());
    }
    VectorData::Decimal64 { scale, values: values.into() }
}

fn decimal128_data(values: Vec<i128>, kind: Kind) -> Result<VectorData> {
    let Kind::Decimal128 { scale } = kind else { unreachable!("the buffer follows the kind") };
    let largest = values.iter().map(|v| v.unsigned_abs()).max();
    if largest.is_some_and(|v| v >= stored::DECIMAL_LIMIT) {
        let values = values.into_iter().map(|v| decode::decimal128(v, scale));
        return Ok(VectorData::Numeric(values.collect::<Result<_>>()?));
    }
    Ok(VectorData::Decimal128 { scale, values: values.into() })
}
