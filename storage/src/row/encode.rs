//! Writing rows.

use super::decode::RowView;
use super::physical::{Kind, LAYOUT_BYTES, Physical, Place, Slot, WIDE_OFFSETS};
use super::{ROW_BYTES_MAX, RowColumn, RowLayout, stored, unknown_column};
use damask_types::{ColumnIndex, Error, Numeric, Result, SqlState, Value, Vector};
use std::borrow::Cow;

/// Room for what a changed row may be longer by.
const GROWTH_BYTES: usize = 32;

/// A value that is to be encoded.
pub(crate) enum Cell<'a> {
    Null,
    /// The bytes of a string.
    Bytes(&'a [u8]),
    Value(Cow<'a, Value>),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        if value.is_null() { Self::Null } else { Self::Value(Cow::Borrowed(value)) }
    }
}

impl<'a> Cell<'a> {
    /// Row `row` of a vector.
    pub(crate) fn of(vector: &'a Vector, row: usize) -> Self {
        if vector.is_null(row) {
            return Self::Null;
        }
        match vector.bytes(row) {
            Some(bytes) => Self::Bytes(bytes),
            None => Self::Value(Cow::Owned(vector.value(row))),
        }
    }
}

/// Appends a row of layout `physical` to `out`: `cell` has the `count` values. If it fails, `out` is as it was.
pub(crate) fn append<'a>(
    physical: &Physical,
    columns: &[RowColumn],
    count: usize,
    cell: impl Fn(usize) -> Cell<'a>,
    out: &mut Vec<u8>,
) -> Result<()> {
    if count != columns.len() {
        return Err(Error::internal(format!(
            "a row of {} columns was given {count} values",
            columns.len()
        )));
    }
    let start = out.len();
    for wide in [false, true] {
        match encode_as(physical, columns, &cell, wide, out) {
            Ok(true) => return Ok(()),
            Ok(false) if wide => {
                let bytes = out.len() - start;
                out.truncate(start);
                return Err(too_big(bytes));
            }
            Ok(false) => out.truncate(start),
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
    }
    unreachable!("the second round ends it")
}

#[cold]
fn too_big(bytes: usize) -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("row is too big: size {bytes}, maximum size {ROW_BYTES_MAX}"),
    )
}

/// Encodes with end offsets of one width; false if they do not hold the row's variable bytes.
fn encode_as<'a>(
    physical: &Physical,
    columns: &[RowColumn],
    cell: &impl Fn(usize) -> Cell<'a>,
    wide: bool,
    out: &mut Vec<u8>,
) -> Result<bool> {
    let start = out.len();
    let variable_start = start + physical.variable_start(wide);
    let limit = if wide { start + ROW_BYTES_MAX } else { variable_start + usize::from(u16::MAX) };
    out.resize(variable_start, 0);
    let layout = columns.len() as u16 | if wide { WIDE_OFFSETS } else { 0 };
    out[start..start + LAYOUT_BYTES].copy_from_slice(&layout.to_le_bytes());
    for (index, slot) in physical.slots.iter().enumerate() {
        let cell = if columns[index].dropped { Cell::Null } else { cell(index) };
        if matches!(cell, Cell::Null) {
            out[start + LAYOUT_BYTES + index / 8] |= 1 << (index % 8);
        }
        match slot.place {
            Place::Fixed(offset) => match cell {
                Cell::Null => {}
                Cell::Value(value) => write_fixed(slot, &value, &mut out[start + offset..])?,
                Cell::Bytes(_) => return Err(misplaced(slot)),
            },
            Place::Variable(number) => {
                match (cell, slot.kind) {
                    (Cell::Null, _) => {}
                    (Cell::Value(value), _) => write_variable(slot, &value, out)?,
                    (Cell::Bytes(bytes), Kind::Text | Kind::Bytes) => out.extend_from_slice(bytes),
                    (Cell::Bytes(_), _) => return Err(misplaced(slot)),
                }
                if out.len() > limit {
                    return Ok(false);
                }
                let end = out.len() - variable_start;
                if wide {
                    let at = start + physical.fixed_end + number * 4;
                    out[at..at + 4].copy_from_slice(&(end as u32).to_le_bytes());
                } else {
                    let at = start + physical.fixed_end + number * 2;
                    out[at..at + 2].copy_from_slice(&(end as u16).to_le_bytes());
                }
            }
        }
    }
    Ok(true)
}

/// The changed row, of a row of the newest layout with short offsets that still holds it; that is most often so.
pub(crate) fn patch(
    layout: &RowLayout,
    row: &[u8],
    changes: &[(ColumnIndex, Value)],
) -> Result<Option<Vec<u8>>> {
    let view: RowView<'_> = layout.view(row)?;
    if view.column_count() != layout.column_count() {
        return Ok(None);
    }
    let physical = &layout.newest;
    let is_variable = |(column, _): &(ColumnIndex, Value)| {
        let slot = physical.slots.get(usize::from(column.0));
        slot.is_some_and(|slot| matches!(slot.place, Place::Variable(_)))
    };
    let mut out = if !changes.iter().any(is_variable) {
        row.to_vec()
    } else if view.is_wide() {
        return Ok(None);
    } else {
        match with_variables(layout, row, &view, changes)? {
            Some(out) => out,
            None => return Ok(None),
        }
    };
    for (column, value) in changes {
        let index = usize::from(column.0);
        let slot = physical.slots.get(index).ok_or_else(|| unknown_column(index))?;
        let is_null = value.is_null() || layout.columns[index].dropped;
        set_null(&mut out, index, is_null);
        if let Place::Fixed(offset) = slot.place {
            if is_null {
                let width = slot.kind.width().expect("a fixed column has a width");
                out[offset..offset + width].fill(0);
            } else {
                write_fixed(slot, value, &mut out[offset..])?;
            }
        }
    }
    Ok(Some(out))
}

fn set_null(row: &mut [u8], column: usize, is_null: bool) {
    let bitmap = &mut row[LAYOUT_BYTES + column / 8];
    let bit = 1 << (column % 8);
    if is_null {
        *bitmap |= bit;
    } else {
        *bitmap &= !bit;
    }
}

/// A row with short offsets whose variable columns are changed, and nothing else yet; `None` if it becomes too long for them.
fn with_variables(
    layout: &RowLayout,
    row: &[u8],
    view: &RowView<'_>,
    changes: &[(ColumnIndex, Value)],
) -> Result<Option<Vec<u8>>> {
    let physical = &layout.newest;
    let variable_start = physical.variable_start(false);
    let mut out = Vec::with_capacity(row.len() + GROWTH_BYTES);
    out.extend_from_slice(&row[..variable_start]);
    for (index, slot) in physical.slots.iter().enumerate() {
        let Place::Variable(number) = slot.place else { continue };
        let change = changes.iter().rfind(|(column, _)| usize::from(column.0) == index);
        match change {
            // A dropped column has no bytes.
            _ if layout.columns[index].dropped => set_null(&mut out, index, true),
            Some((_, value)) if value.is_null() => {}
            Some((_, value)) => write_variable(slot, value, &mut out)?,
            None if view.is_null(index) => {}
            None => out.extend_from_slice(view.bytes(slot)?),
        }
        let Ok(end) = u16::try_from(out.len() - variable_start) else {
            return Ok(None);
        };
        let at = physical.fixed_end + number * 2;
        out[at..at + 2].copy_from_slice(&end.to_le_bytes());
    }
    Ok(Some(out))
}

fn write_fixed(slot: &Slot, value: &Value, out: &mut [u8]) -> Result<()> {
    fn put<const N: usize>(out: &mut [u8], bytes: [u8; N]) {
        out[..N].copy_from_slice(&bytes);
    }
    match (slot.kind, value) {
        (Kind::Bool, Value::Bool(v)) => out[0] = (*v).into(),
        (Kind::Int2, Value::Int2(v)) => put(out, v.to_le_bytes()),
        (Kind::Int4, Value::Int4(v) | Value::Date(v)) => put(out, v.to_le_bytes()),
        (
            Kind::Int8,
            Value::Int8(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v),
        ) => put(out, v.to_le_bytes()),
        (Kind::Oid, Value::Oid(v)) => put(out, v.0.to_le_bytes()),
        (Kind::Float4, Value::Float4(v)) => put(out, v.to_le_bytes()),
        (Kind::Float8, Value::Float8(v)) => put(out, v.to_le_bytes()),
        (Kind::Decimal64 { scale }, Value::Numeric(v)) => {
            put(out, decimal64(v, scale)?.to_le_bytes());
        }
        (Kind::Decimal128 { scale }, Value::Numeric(v)) => {
            put(out, decimal128(v, scale)?.to_le_bytes());
        }
        (Kind::Interval, Value::Interval(v)) => {
            out[..4].copy_from_slice(&v.months.to_le_bytes());
            out[4..8].copy_from_slice(&v.days.to_le_bytes());
            out[8..16].copy_from_slice(&v.micros.to_le_bytes());
        }
        (Kind::Uuid, Value::Uuid(v)) => put(out, *v),
        _ => return Err(mismatch(slot, value)),
    }
    Ok(())
}

fn write_variable(slot: &Slot, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match (slot.kind, value) {
        (Kind::Text, Value::Text(v)) => out.extend_from_slice(v.as_bytes()),
        (Kind::Bytes, Value::Bytes(v)) => out.extend_from_slice(v),
        (Kind::Numeric, Value::Numeric(v)) => stored::write_numeric(v, out),
        (Kind::Boxed, Value::Array(_) | Value::Record(_)) => stored::write_boxed(value, out)?,
        _ => return Err(mismatch(slot, value)),
    }
    Ok(())
}

/// What stands for `value` in a column of at most 18 digits (R3).
pub(crate) fn decimal64(value: &Numeric, scale: u8) -> Result<i64> {
    let Some(scaled) = scaled(value, scale)? else { return Ok(i64::MIN) };
    i64::try_from(scaled).ok().filter(|&v| v != i64::MIN).ok_or_else(field_overflow)
}

/// What stands for `value` in a column of at most 38 digits (R3).
pub(crate) fn decimal128(value: &Numeric, scale: u8) -> Result<i128> {
    Ok(scaled(value, scale)?.unwrap_or(i128::MIN))
}

/// The mantissa of `value` at `scale`; `None` for NaN.
fn scaled(value: &Numeric, scale: u8) -> Result<Option<i128>> {
    match value {
        Numeric::NaN => Ok(None),
        Numeric::Decimal { mantissa, scale: own } => rescale(*mantissa, *own, scale.into())
            .filter(|v| v.unsigned_abs() < stored::DECIMAL_LIMIT)
            .map(Some)
            .ok_or_else(field_overflow),
        Numeric::Big(_) | Numeric::PositiveInfinity | Numeric::NegativeInfinity => {
            Err(field_overflow())
        }
    }
}

/// The exact mantissa at another scale. Callers round to the column's scale before they store.
fn rescale(mut mantissa: i128, from: u16, to: u16) -> Option<i128> {
    for _ in from..to {
        mantissa = mantissa.checked_mul(10)?;
    }
    for _ in to..from {
        if mantissa % 10 != 0 {
            return None;
        }
        mantissa /= 10;
    }
    Some(mantissa)
}

#[cold]
fn field_overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow")
}

#[cold]
fn misplaced(slot: &Slot) -> Error {
    Error::internal(format!("a column of type {} was given a string's bytes", slot.ty.name()))
}

#[cold]
fn mismatch(slot: &Slot, value: &Value) -> Error {
    Error::internal(format!("a column of type {} was given {value:?}", slot.ty.name()))
}
