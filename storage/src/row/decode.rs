//! Reading a row's columns.

use super::bad_row;
use super::physical::{Kind, LAYOUT_BYTES, Physical, Place, Slot, WIDE_OFFSETS};
use super::stored;
use damask_types::{Interval, Numeric, Oid, Result, TypeId, Value};

/// A row with its layout found and its head checked.
pub(crate) struct RowView<'a> {
    row: &'a [u8],
    physical: &'a Physical,
    wide: bool,
    /// Where the variable bytes start.
    variable_start: usize,
}

impl<'a> RowView<'a> {
    /// Reads the head of `row`; `physical` gives the layout with a number of columns.
    pub(crate) fn new(
        row: &'a [u8],
        physical: impl FnOnce(usize) -> Option<&'a Physical>,
    ) -> Result<Self> {
        let head: [u8; LAYOUT_BYTES] =
            *row.first_chunk().ok_or_else(|| bad_row("it has no head"))?;
        let layout = u16::from_le_bytes(head);
        let columns = usize::from(layout & !WIDE_OFFSETS);
        let physical = physical(columns).ok_or_else(|| bad_row("its layout is unknown"))?;
        let wide = layout & WIDE_OFFSETS != 0;
        let variable_start = physical.variable_start(wide);
        if row.len() < variable_start {
            return Err(bad_row("it is shorter than its fixed section"));
        }
        Ok(Self { row, physical, wide, variable_start })
    }

    /// Columns the row was written with.
    pub(crate) fn column_count(&self) -> usize {
        self.physical.slots.len()
    }

    /// Whether its end offsets are the wide ones.
    pub(crate) fn is_wide(&self) -> bool {
        self.wide
    }

    pub(crate) fn is_null(&self, column: usize) -> bool {
        self.row[LAYOUT_BYTES + column / 8] >> (column % 8) & 1 == 1
    }

    /// The value of a column; `None` if the row is older than the column.
    pub(crate) fn value(&self, column: usize) -> Result<Option<Value>> {
        let Some(slot) = self.physical.slots.get(column) else {
            return Ok(None);
        };
        if self.is_null(column) {
            return Ok(Some(Value::Null));
        }
        self.bytes(slot).and_then(|bytes| value(slot, bytes)).map(Some)
    }

    /// The bytes of a column that is not null.
    pub(crate) fn bytes(&self, slot: &Slot) -> Result<&'a [u8]> {
        match slot.place {
            Place::Fixed(offset) => {
                let width = slot.kind.width().expect("a fixed column has a width");
                // In range: `new` compared the row's length with the end of the fixed section.
                Ok(&self.row[offset..offset + width])
            }
            Place::Variable(number) => {
                let end = self.end(number);
                let start = if number == 0 { 0 } else { self.end(number - 1) };
                self.row
                    .get(self.variable_start..)
                    .and_then(|bytes| bytes.get(start..end))
                    .ok_or_else(|| bad_row("an end offset is out of range"))
            }
        }
    }

    fn end(&self, number: usize) -> usize {
        if self.wide {
            let at = self.physical.fixed_end + number * 4;
            u32::from_le_bytes(array(&self.row[at..])) as usize
        } else {
            let at = self.physical.fixed_end + number * 2;
            usize::from(u16::from_le_bytes(array(&self.row[at..])))
        }
    }
}

/// The first `N` bytes of a slice that has them.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("the caller checked the length")
}

/// The value whose bytes are `bytes`; for fixed kinds they have the kind's width.
pub(crate) fn value(slot: &Slot, bytes: &[u8]) -> Result<Value> {
    Ok(match slot.kind {
        Kind::Bool => Value::Bool(bytes[0] != 0),
        Kind::Int2 => Value::Int2(i16::from_le_bytes(array(bytes))),
        Kind::Int4 => {
            let v = i32::from_le_bytes(array(bytes));
            if slot.ty == TypeId::Date { Value::Date(v) } else { Value::Int4(v) }
        }
        Kind::Int8 => {
            let v = i64::from_le_bytes(array(bytes));
            match slot.ty {
                TypeId::Time => Value::Time(v),
                TypeId::Timestamp => Value::Timestamp(v),
                TypeId::TimestampTz => Value::TimestampTz(v),
                _ => Value::Int8(v),
            }
        }
        Kind::Oid => Value::Oid(Oid(u32::from_le_bytes(array(bytes)))),
        Kind::Float4 => Value::Float4(f32::from_le_bytes(array(bytes))),
        Kind::Float8 => Value::Float8(f64::from_le_bytes(array(bytes))),
        Kind::Decimal64 { scale } => {
            Value::Numeric(decimal64(i64::from_le_bytes(array(bytes)), scale))
        }
        Kind::Decimal128 { scale } => {
            Value::Numeric(decimal128(i128::from_le_bytes(array(bytes)), scale)?)
        }
        Kind::Interval => Value::Interval(interval(array(bytes))),
        Kind::Uuid => Value::Uuid(array(bytes)),
        Kind::Bytes => Value::Bytes(bytes.into()),
        Kind::Text => Value::Text(text(bytes)?.into()),
        Kind::Numeric => Value::Numeric(stored::read_numeric(bytes)?),
        Kind::Boxed => stored::read_boxed(bytes)?,
    })
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    str::from_utf8(bytes).map_err(|_| bad_row("text is not UTF-8"))
}

pub(crate) fn decimal64(v: i64, scale: u8) -> Numeric {
    if v == i64::MIN {
        return Numeric::NaN;
    }
    Numeric::Decimal { mantissa: v.into(), scale: scale.into() }
}

/// # Errors
/// XX001 for a magnitude of 10^38 and more, which no numeric has in this form.
pub(crate) fn decimal128(v: i128, scale: u8) -> Result<Numeric> {
    if v == i128::MIN {
        return Ok(Numeric::NaN);
    }
    if v.unsigned_abs() >= stored::DECIMAL_LIMIT {
        return Err(bad_row("a numeric has more than 38 digits"));
    }
    Ok(Numeric::Decimal { mantissa: v, scale: scale.into() })
}

pub(crate) fn interval(bytes: [u8; 16]) -> Interval {
    Interval {
        months: i32::from_le_bytes(array(&bytes)),
        days: i32::from_le_bytes(array(&bytes[4..])),
        micros: i64::from_le_bytes(array(&bytes[8..])),
    }
}
