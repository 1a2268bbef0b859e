//! One layout: where each column of a row lies.

use super::RowColumn;
use damask_types::{PhysicalType, SqlType, TypeId};

/// Bytes before the null bitmap.
pub(crate) const LAYOUT_BYTES: usize = 2;

/// The bit of the layout number that says that end offsets are u32.
pub(crate) const WIDE_OFFSETS: u16 = 1 << 15;

/// Most digits of a numeric that lies as i64.
pub(crate) const DECIMAL64_DIGITS: u16 = 18;

/// Most digits of a numeric that lies as i128.
pub(crate) const DECIMAL128_DIGITS: u16 = 38;

/// How a column's bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    /// Value * 10^scale in an i64; `i64::MIN` is NaN.
    Decimal64 {
        scale: u8,
    },
    /// Value * 10^scale in an i128; `i128::MIN` is NaN.
    Decimal128 {
        scale: u8,
    },
    Interval,
    Uuid,
    /// Bytes of bytea.
    Bytes,
    /// Bytes of a text type.
    Text,
    /// A numeric of any shape ([`super::stored`]).
    Numeric,
    /// An array or record ([`super::stored`]).
    Boxed,
}

impl Kind {
    pub(crate) fn of(ty: SqlType) -> Self {
        match ty.id.physical() {
            PhysicalType::Bool => Self::Bool,
            PhysicalType::Int2 => Self::Int2,
            PhysicalType::Int4 => Self::Int4,
            PhysicalType::Int8 => Self::Int8,
            PhysicalType::Oid => Self::Oid,
            PhysicalType::Float4 => Self::Float4,
            PhysicalType::Float8 => Self::Float8,
            PhysicalType::Numeric => Self::of_numeric(ty),
            PhysicalType::Interval => Self::Interval,
            PhysicalType::Uuid => Self::Uuid,
            PhysicalType::Bytes if ty.id == TypeId::Bytea => Self::Bytes,
            PhysicalType::Bytes => Self::Text,
            PhysicalType::Boxed => Self::Boxed,
        }
    }

    /// numeric(p, s) has at most p digits, of which s are after the point; with s < 0 it has up to p - s digits and
    /// none after the point.
    fn of_numeric(ty: SqlType) -> Self {
        let Some((precision, scale)) = ty.numeric_shape() else {
            return Self::Numeric;
        };
        let digits = precision.saturating_add_signed(-scale.min(0));
        match u8::try_from(scale.max(0)) {
            Ok(scale) if digits <= DECIMAL64_DIGITS => Self::Decimal64 { scale },
            Ok(scale) if digits <= DECIMAL128_DIGITS => Self::Decimal128 { scale },
            _ => Self::Numeric,
        }
    }

    /// Bytes in the fixed section; `None` for a variable column.
    pub(crate) fn width(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::Int2 => Some(2),
            Self::Int4 | Self::Oid | Self::Float4 => Some(4),
            Self::Int8 | Self::Float8 | Self::Decimal64 { .. } => Some(8),
            Self::Decimal128 { .. } | Self::Interval | Self::Uuid => Some(16),
            Self::Bytes | Self::Text | Self::Numeric | Self::Boxed => None,
        }
    }
}

/// Where a column lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// At this offset of the row.
    Fixed(usize),
    /// The variable column with this number, from 0.
    Variable(usize),
}

/// A column of a layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) ty: TypeId,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

/// One layout.
#[derive(Debug)]
pub(crate) struct Physical {
    /// By column.
    pub(crate) slots: Vec<Slot>,
    /// Where the end offsets start.
    pub(crate) fixed_end: usize,
    /// How many columns are variable.
    pub(crate) variable_count: usize,
}

impl Physical {
    pub(crate) fn new(columns: &[RowColumn]) -> Self {
        let bitmap_bytes = columns.len().div_ceil(8);
        let mut offset = LAYOUT_BYTES + bitmap_bytes;
        let mut variable_count = 0;
        let mut slots: Vec<Slot> = columns
            .iter()
            .map(|column| Slot {
                ty: column.ty.id,
                kind: Kind::of(column.ty),
                place: Place::Variable(0),
            })
            .collect();
        for width in [16, 8, 4, 2, 1] {
            for slot in slots.iter_mut().filter(|slot| slot.kind.width() == Some(width)) {
                slot.place = Place::Fixed(offset);
                offset += width;
            }
        }
        for slot in slots.iter_mut().filter(|slot| slot.kind.width().is_none()) {
            slot.place = Place::Variable(variable_count);
            variable_count += 1;
        }
        Self { slots, fixed_end: offset, variable_count }
    }

    /// Where the variable bytes start.
    pub(crate) fn variable_start(&self, wide: bool) -> usize {
        self.fixed_end + self.variable_count * if wide { 4 } else { 2 }
    }
}
