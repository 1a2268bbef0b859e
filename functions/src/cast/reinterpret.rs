//! Casts that are binary-compatible in PostgreSQL but change the physical type here: int2 and int4 to and from the OID types.

use crate::lanes::{reinterpret_i32_u32, reinterpret_u32_i32, unary};
use crate::registry::{ScalarFunction, family};

/// int4 to any OID type.
pub(crate) const INT4_TO_OID: u32 = 0xffff_0000;
/// Any OID type to int4.
pub(crate) const OID_TO_INT4: u32 = 0xffff_0001;
/// int2 to any OID type.
pub(crate) const INT2_TO_OID: u32 = 0xffff_0002;

/// The family. Its names are not reachable from SQL.
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    0xffff_0000 int4_to_oid(Int4) -> Oid: strict immutable = |c, a| Ok(reinterpret_i32_u32(&a[0], c.result.id));
    0xffff_0001 oid_to_int4(Oid) -> Int4: strict immutable = |c, a| Ok(reinterpret_u32_i32(&a[0], c.result.id));
    0xffff_0002 int2_to_oid(Int2) -> Oid: strict immutable = |c, a| unary(c, a, |v: i16| i32::from(v) as u32);
};
