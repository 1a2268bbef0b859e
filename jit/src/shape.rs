//! How values lie in a tile, as far as code depends on it.

use damask_types::{PhysicalType, TypeId, Vector, VectorData};

/// One value's representation in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A bit of a mask in memory, 0 or 1 in a register.
    Bool,
    /// int2.
    Int2,
    /// int4, date.
    Int4,
    /// int8, times.
    Int8,
    /// oid, unsigned.
    Oid,
    /// float8.
    Float8,
    /// A numeric times 10 to this scale.
    Decimal(u8),
}

/// An input's form in a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// Its values.
    pub lane: Lane,
    /// Whether one entry stands for every row.
    pub is_const: bool,
    /// Whether some entry may be null.
    pub nullable: bool,
}

impl Form {
    /// The form of a vector; `None` if code has no lane for it.
    pub fn of(vector: &Vector) -> Option<Self> {
        let lane = match &vector.data {
            VectorData::Bool(_) => Lane::Bool,
            VectorData::Int2(_) => Lane::Int2,
            VectorData::Int4(_) => Lane::Int4,
            VectorData::Int8(_) => Lane::Int8,
            VectorData::Oid(_) => Lane::Oid,
            VectorData::Float8(_) => Lane::Float8,
            VectorData::Decimal64 { scale, .. } => Lane::Decimal(*scale),
            _ => return None,
        };
        Some(Self { lane, is_const: vector.is_const(), nullable: vector.validity().is_some() })
    }
}

impl Lane {
    /// The lane of a type; `None` for types without one, and for numeric, whose scale is a value's.
    pub(crate) fn of(ty: TypeId) -> Option<Self> {
        Some(match ty.physical() {
            PhysicalType::Bool => Self::Bool,
            PhysicalType::Int2 => Self::Int2,
            PhysicalType::Int4 => Self::Int4,
            PhysicalType::Int8 => Self::Int8,
            PhysicalType::Oid => Self::Oid,
            PhysicalType::Float8 => Self::Float8,
            _ => return None,
        })
    }

    /// Bytes of an entry in memory; a bool has none of its own.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bool => 0,
            Self::Int2 => 2,
            Self::Int4 | Self::Oid => 4,
            Self::Int8 | Self::Float8 | Self::Decimal(_) => 8,
        }
    }

    /// The least and the greatest value, of lanes that are signed integers in a register.
    pub(crate) fn limits(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::Int2 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int4 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int8 | Self::Decimal(_) => (i64::MIN.into(), i64::MAX.into()),
            Self::Bool | Self::Oid | Self::Float8 => return None,
        })
    }
}
