//! The casts, as `pg_cast` has them.
//!
//! Casts of the text category to and from everything, and array casts, are rules rather than rows: see [`crate::registry::cast`].

use crate::registry::CastContext::{self, Assignment, Explicit, Implicit};
use damask_types::TypeId;

/// How a cast of the table converts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    /// The function with this OID.
    Function(u32),
    /// The representation is the same.
    Binary,
}
use Method::{Binary, Function};

/// A row of `pg_cast`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CastSpec {
    pub(crate) source: TypeId,
    pub(crate) target: TypeId,
    pub(crate) context: CastContext,
    pub(crate) method: Method,
}

const fn spec(source: TypeId, target: TypeId, context: CastContext, method: Method) -> CastSpec {
    CastSpec { source, target, context, method }
}

/// Every cast between types that have values.
#[rustfmt::skip]
pub(crate) static CASTS: &[CastSpec] = &[
    spec(TypeId::Int8, TypeId::Int2, Assignment, Function(714)), // int2
    spec(TypeId::Int8, TypeId::Int4, Assignment, Function(480)), // int4
    spec(TypeId::Int8, TypeId::Float4, Implicit, Function(652)), // float4
    spec(TypeId::Int8, TypeId::Float8, Implicit, Function(482)), // float8
    spec(TypeId::Int8, TypeId::Numeric, Implicit, Function(1781)), // numeric
    spec(TypeId::Int2, TypeId::Int8, Implicit, Function(754)), // int8
    spec(TypeId::Int2, TypeId::Int4, Implicit, Function(313)), // int4
    spec(TypeId::Int2, TypeId::Float4, Implicit, Function(236)), // float4
    spec(TypeId::Int2, TypeId::Float8, Implicit, Function(235)), // float8
    spec(TypeId::Int2, TypeId::Numeric, Implicit, Function(1782)), // numeric
    spec(TypeId::Int4, TypeId::Int8, Implicit, Function(481)), // int8
    spec(TypeId::Int4, TypeId::Int2, Assignment, Function(314)), // int2
    spec(TypeId::Int4, TypeId::Float4, Implicit, Function(318)), // float4
    spec(TypeId::Int4, TypeId::Float8, Implicit, Function(316)), // float8
    spec(TypeId::Int4, TypeId::Numeric, Implicit, Function(1740)), // numeric
    spec(TypeId::Float4, TypeId::Int8, Assignment, Function(653)), // int8
    spec(TypeId::Float4, TypeId::Int2, Assignment, Function(238)), // int2
    spec(TypeId::Float4, TypeId::Int4, Assignment, Function(319)), // int4
    spec(TypeId::Float4, TypeId::Float8, Implicit, Function(311)), // float8
    spec(TypeId::Float4, TypeId::Numeric, Assignment, Function(1742)), // numeric
    spec(TypeId::Float8, TypeId::Int8, Assignment, Function(483)), // int8
    spec(TypeId::Float8, TypeId::Int2, Assignment, Function(237)), // int2
    spec(TypeId::Float8, TypeId::Int4, Assignment, Function(317)), // int4
    spec(TypeId::Float8, TypeId::Float4, Assignment, Function(312)), // float4
    spec(TypeId::Float8, TypeId::Numeric, Assignment, Function(1743)), // numeric
    spec(TypeId::Numeric, TypeId::Int8, Assignment, Function(1779)), // int8
    spec(TypeId::Numeric, TypeId::Int2, Assignment, Function(1783)), // int2
    spec(TypeId::Numeric, TypeId::Int4, Assignment, Function(1744)), // int4
    spec(TypeId::Numeric, TypeId::Float4, Implicit, Function(1745)), // float4
    spec(TypeId::Numeric, TypeId::Float8, Implicit, Function(1746)), // float8
    spec(TypeId::Int4, TypeId::Bool, Explicit, Function(2557)), // bool
    spec(TypeId::Bool, TypeId::Int4, Explicit, Function(2558)), // int4
    spec(TypeId::Xid8, TypeId::Xid, Explicit, Function(5071)), // xid
    spec(TypeId::Int8, TypeId::Oid, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::Oid, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Oid, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::Oid, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegProc, Implicit, Binary),
    spec(TypeId::RegProc, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegProc, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegProc, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegProc, Implicit, Binary),
    spec(TypeId::RegProc, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegProc, TypeId::Int4, Assignment, Binary),
    spec(TypeId::RegProc, TypeId::RegProcedure, Implicit, Binary),
    spec(TypeId::RegProcedure, TypeId::RegProc, Implicit, Binary),
    spec(TypeId::Oid, TypeId::RegProcedure, Implicit, Binary),
    spec(TypeId::RegProcedure, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegProcedure, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegProcedure, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegProcedure, Implicit, Binary),
    spec(TypeId::RegProcedure, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegProcedure, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegOper, Implicit, Binary),
    spec(TypeId::RegOper, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegOper, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegOper, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegOper, Implicit, Binary),
    spec(TypeId::RegOper, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegOper, TypeId::Int4, Assignment, Binary),
    spec(TypeId::RegOper, TypeId::RegOperator, Implicit, Binary),
    spec(TypeId::RegOperator, TypeId::RegOper, Implicit, Binary),
    spec(TypeId::Oid, TypeId::RegOperator, Implicit, Binary),
    spec(TypeId::RegOperator, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegOperator, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegOperator, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegOperator, Implicit, Binary),
    spec(TypeId::RegOperator, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegOperator, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegClass, Implicit, Binary),
    spec(TypeId::RegClass, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegClass, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegClass, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegClass, Implicit, Binary),
    spec(TypeId::RegClass, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegClass, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegType, Implicit, Binary),
    spec(TypeId::RegType, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegType, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegType, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegType, Implicit, Binary),
    spec(TypeId::RegType, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegType, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegConfig, Implicit, Binary),
    spec(TypeId::RegConfig, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegConfig, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegConfig, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegConfig, Implicit, Binary),
    spec(TypeId::RegConfig, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegConfig, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegDictionary, Implicit, Binary),
    spec(TypeId::RegDictionary, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegDictionary, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegDictionary, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegDictionary, Implicit, Binary),
    spec(TypeId::RegDictionary, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegDictionary, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Text, TypeId::RegClass, Implicit, Function(1079)), // regclass
    spec(TypeId::Varchar, TypeId::RegClass, Implicit, Function(1079)), // regclass
    spec(TypeId::Oid, TypeId::RegRole, Implicit, Binary),
    spec(TypeId::RegRole, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegRole, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegRole, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegRole, Implicit, Binary),
    spec(TypeId::RegRole, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegRole, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Oid, TypeId::RegNamespace, Implicit, Binary),
    spec(TypeId::RegNamespace, TypeId::Oid, Implicit, Binary),
    spec(TypeId::Int8, TypeId::RegNamespace, Implicit, Function(1287)), // oid
    spec(TypeId::Int2, TypeId::RegNamespace, Implicit, Function(313)), // int4
    spec(TypeId::Int4, TypeId::RegNamespace, Implicit, Binary),
    spec(TypeId::RegNamespace, TypeId::Int8, Assignment, Function(1288)), // int8
    spec(TypeId::RegNamespace, TypeId::Int4, Assignment, Binary),
    spec(TypeId::Text, TypeId::BpChar, Implicit, Binary),
    spec(TypeId::Text, TypeId::Varchar, Implicit, Binary),
    spec(TypeId::BpChar, TypeId::Text, Implicit, Function(401)), // text
    spec(TypeId::BpChar, TypeId::Varchar, Implicit, Function(401)), // text
    spec(TypeId::Varchar, TypeId::Text, Implicit, Binary),
    spec(TypeId::Varchar, TypeId::BpChar, Implicit, Binary),
    spec(TypeId::Char, TypeId::Text, Implicit, Function(946)), // text
    spec(TypeId::Char, TypeId::BpChar, Assignment, Function(860)), // bpchar
    spec(TypeId::Char, TypeId::Varchar, Assignment, Function(946)), // text
    spec(TypeId::Name, TypeId::Text, Implicit, Function(406)), // text
    spec(TypeId::Name, TypeId::BpChar, Assignment, Function(408)), // bpchar
    spec(TypeId::Name, TypeId::Varchar, Assignment, Function(1401)), // varchar
    spec(TypeId::Text, TypeId::Char, Assignment, Function(944)), // char
    spec(TypeId::BpChar, TypeId::Char, Assignment, Function(944)), // char
    spec(TypeId::Varchar, TypeId::Char, Assignment, Function(944)), // char
    spec(TypeId::Text, TypeId::Name, Implicit, Function(407)), // name
    spec(TypeId::BpChar, TypeId::Name, Implicit, Function(409)), // name
    spec(TypeId::Varchar, TypeId::Name, Implicit, Function(1400)), // name
    spec(TypeId::Char, TypeId::Int4, Explicit, Function(77)), // int4
    spec(TypeId::Int4, TypeId::Char, Explicit, Function(78)), // char
    spec(TypeId::PgNodeTree, TypeId::Text, Implicit, Binary),
    spec(TypeId::Date, TypeId::Timestamp, Implicit, Function(2024)), // timestamp
    spec(TypeId::Date, TypeId::TimestampTz, Implicit, Function(1174)), // timestamptz
    spec(TypeId::Time, TypeId::Interval, Implicit, Function(1370)), // interval
    spec(TypeId::Timestamp, TypeId::Date, Assignment, Function(2029)), // date
    spec(TypeId::Timestamp, TypeId::Time, Assignment, Function(1316)), // time
    spec(TypeId::Timestamp, TypeId::TimestampTz, Implicit, Function(2028)), // timestamptz
    spec(TypeId::TimestampTz, TypeId::Date, Assignment, Function(1178)), // date
    spec(TypeId::TimestampTz, TypeId::Time, Assignment, Function(2019)), // time
    spec(TypeId::TimestampTz, TypeId::Timestamp, Assignment, Function(2027)), // timestamp
    spec(TypeId::Interval, TypeId::Time, Assignment, Function(1419)), // time
    spec(TypeId::Bool, TypeId::Text, Assignment, Function(2971)), // text
    spec(TypeId::Bool, TypeId::Varchar, Assignment, Function(2971)), // text
    spec(TypeId::Bool, TypeId::BpChar, Assignment, Function(2971)), // text
    spec(TypeId::BpChar, TypeId::BpChar, Implicit, Function(668)), // bpchar
    spec(TypeId::Varchar, TypeId::Varchar, Implicit, Function(669)), // varchar
    spec(TypeId::Time, TypeId::Time, Implicit, Function(1968)), // time
    spec(TypeId::Time, TypeId::TimeTz, Implicit, Function(2047)), // timetz
    spec(TypeId::TimestampTz, TypeId::TimeTz, Assignment, Function(1388)), // timetz
    spec(TypeId::TimeTz, TypeId::Time, Assignment, Function(2046)), // time
    spec(TypeId::TimeTz, TypeId::TimeTz, Implicit, Function(1969)), // timetz
    spec(TypeId::Timestamp, TypeId::Timestamp, Implicit, Function(1961)), // timestamp
    spec(TypeId::TimestampTz, TypeId::TimestampTz, Implicit, Function(1967)), // timestamptz
    spec(TypeId::Interval, TypeId::Interval, Implicit, Function(1200)), // interval
    spec(TypeId::Numeric, TypeId::Numeric, Implicit, Function(1703)), // numeric
];
