//! The SQL types, with what PostgreSQL's `pg_type` says of each.
//!
//! [`TypeId`] is a type without its modifier and its number is PostgreSQL's OID, so clients and catalog agree without
//! a mapping. [`SqlType`] adds the modifier (`numeric(15,2)`, `varchar(10)`), encoded as PostgreSQL encodes it.
//! Their table, in `table.rs`, was taken from PostgreSQL 15's catalog.

mod table;

pub use table::TypeId;

use crate::Oid;
use std::fmt;

/// How values of a type lie in a [`crate::Vector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhysicalType {
    /// One bit.
    Bool,
    /// i16.
    Int2,
    /// i32 (also dates: days).
    Int4,
    /// i64 (also times and timestamps: microseconds).
    Int8,
    /// u32, compared unsigned.
    Oid,
    /// f32.
    Float4,
    /// f64.
    Float8,
    /// Decimal64, Decimal128 or exact arbitrary numerics, chosen per vector.
    Numeric,
    /// Months, days, microseconds.
    Interval,
    /// 16 bytes.
    Uuid,
    /// Views of bytes; valid UTF-8 for text types.
    Bytes,
    /// Boxed [`crate::Value`]s: arrays and records.
    Boxed,
}

/// What `pg_type` says of a built-in type.
#[derive(Clone, Copy, Debug)]
pub struct TypeInfo {
    /// `typname`; arrays begin with an underscore.
    pub name: &'static str,
    /// `typlen`: bytes, or -1 for variable length, -2 for a C string.
    pub len: i16,
    /// `typbyval`.
    pub by_value: bool,
    /// `typcategory`.
    pub category: char,
    /// `typispreferred`: the type its category converts to when in doubt.
    pub preferred: bool,
    /// `typdelim`: between elements of an array of this type.
    pub delimiter: char,
    /// `typtype`: `b`ase or `p`seudo.
    pub kind: char,
    /// `typalign`.
    pub align: char,
    /// `typstorage`.
    pub storage: char,
    /// `typelem`.
    pub element: Oid,
    /// `typarray`.
    pub array: Oid,
    /// `typinput`, `typoutput`, `typreceive`, `typsend`, `typmodin`, `typmodout`.
    pub procs: [u32; 6],
    /// `typcollation`.
    pub collation: Oid,
    /// `typsubscript`.
    pub subscript: u32,
    /// How its values lie in vectors.
    pub physical: PhysicalType,
}

impl TypeId {
    /// Its OID.
    pub fn oid(self) -> Oid {
        Oid(self as u32)
    }

    /// `typname`.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// How its values lie in vectors.
    pub fn physical(self) -> PhysicalType {
        self.info().physical
    }

    /// The element type of a true array type (also of `int2vector` and `oidvector`).
    pub fn element(self) -> Option<Self> {
        if self.physical() != PhysicalType::Boxed {
            return None;
        }
        Self::from_oid(self.info().element)
    }

    /// The type of arrays of this type.
    pub fn array(self) -> Option<Self> {
        Self::from_oid(self.info().array)
    }

    /// Whether this is an array type with its own element type.
    pub fn is_array(self) -> bool {
        self.element().is_some()
    }

    /// Whether values are text in one of its forms (category `S`).
    pub fn is_text(self) -> bool {
        self.info().category == 'S'
    }

    /// Whether this stands for a family of types in a signature.
    pub fn is_polymorphic(self) -> bool {
        matches!(
            self,
            Self::Any
                | Self::AnyArray
                | Self::AnyElement
                | Self::AnyNonArray
                | Self::AnyEnum
                | Self::AnyRange
                | Self::AnyCompatible
                | Self::AnyCompatibleArray
                | Self::AnyCompatibleNonArray
        )
    }
}

impl fmt::Debug for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A type with its modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqlType {
    /// The type.
    pub id: TypeId,
    /// `typmod`: -1 for none. `varchar(n)` and `char(n)`: n + 4. `numeric(p,s)`: (p << 16 | s & 0x7ff) + 4.
    /// Times: fractional digits.
    pub typmod: i32,
}

impl SqlType {
    /// `id` without a modifier.
    pub const fn plain(id: TypeId) -> Self {
        Self { id, typmod: -1 }
    }

    /// Precision and scale of a constrained numeric.
    pub fn numeric_shape(self) -> Option<(u16, i16)> {
        if self.id != TypeId::Numeric || self.typmod < 4 {
            return None;
        }
        let bits = self.typmod - 4;
        // The scale is an 11-bit two's complement number.
        let scale = ((bits & 0x7ff) ^ 1024) - 1024;
        Some(((bits >> 16) as u16, scale as i16))
    }

    /// The modifier of `numeric(precision, scale)`.
    pub const fn numeric_typmod(precision: u16, scale: i16) -> i32 {
        (((precision as i32) << 16) | (scale as i32 & 0x7ff)) + 4
    }
}

impl From<TypeId> for SqlType {
    fn from(id: TypeId) -> Self {
        Self::plain(id)
    }
}
