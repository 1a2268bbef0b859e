//! The SQL types, with what PostgreSQL's `pg_type` says of each.
//!
//! [`TypeId`] is a type without its modifier and its number is PostgreSQL's OID, so clients and catalog agree without
//! a mapping. [`SqlType`] adds the modifier (`numeric(15,2)`, `varchar(10)`), encoded as PostgreSQL encodes it.
//! The table below was taken from PostgreSQL 15's catalog.

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

/// A built-in type; the discriminant is its OID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names are PostgreSQL's type names")]
pub enum TypeId {
    Bool = 16,
    Bytea = 17,
    Char = 18,
    Name = 19,
    Int8 = 20,
    Int2 = 21,
    Int2Vector = 22,
    Int4 = 23,
    RegProc = 24,
    Text = 25,
    Oid = 26,
    Tid = 27,
    Xid = 28,
    Cid = 29,
    OidVector = 30,
    Json = 114,
    Xml = 142,
    PgNodeTree = 194,
    Float4 = 700,
    Float8 = 701,
    Money = 790,
    Unknown = 705,
    MacAddr = 829,
    Inet = 869,
    Cidr = 650,
    AclItem = 1033,
    BpChar = 1042,
    Varchar = 1043,
    Date = 1082,
    Time = 1083,
    Timestamp = 1114,
    TimestampTz = 1184,
    Interval = 1186,
    TimeTz = 1266,
    Bit = 1560,
    VarBit = 1562,
    Numeric = 1700,
    RefCursor = 1790,
    RegProcedure = 2202,
    RegOper = 2203,
    RegOperator = 2204,
    RegClass = 2205,
    RegType = 2206,
    RegRole = 4096,
    RegNamespace = 4089,
    RegConfig = 3734,
    RegDictionary = 3769,
    Uuid = 2950,
    PgLsn = 3220,
    Jsonb = 3802,
    JsonPath = 4072,
    TsVector = 3614,
    TsQuery = 3615,
    Xid8 = 5069,
    Record = 2249,
    CString = 2275,
    Any = 2276,
    AnyArray = 2277,
    Void = 2278,
    Trigger = 2279,
    EventTrigger = 3838,
    LanguageHandler = 2280,
    Internal = 2281,
    AnyElement = 2283,
    AnyNonArray = 2776,
    AnyEnum = 3500,
    AnyRange = 3831,
    AnyCompatible = 5077,
    AnyCompatibleArray = 5078,
    AnyCompatibleNonArray = 5079,
    BoolArray = 1000,
    ByteaArray = 1001,
    CharArray = 1002,
    NameArray = 1003,
    Int8Array = 1016,
    Int2Array = 1005,
    Int2VectorArray = 1006,
    Int4Array = 1007,
    RegProcArray = 1008,
    TextArray = 1009,
    OidArray = 1028,
    TidArray = 1010,
    XidArray = 1011,
    CidArray = 1012,
    OidVectorArray = 1013,
    JsonArray = 199,
    XmlArray = 143,
    Float4Array = 1021,
    Float8Array = 1022,
    MoneyArray = 791,
    MacAddrArray = 1040,
    InetArray = 1041,
    CidrArray = 651,
    AclItemArray = 1034,
    BpCharArray = 1014,
    VarcharArray = 1015,
    DateArray = 1182,
    TimeArray = 1183,
    TimestampArray = 1115,
    TimestampTzArray = 1185,
    IntervalArray = 1187,
    TimeTzArray = 1270,
    BitArray = 1561,
    VarBitArray = 1563,
    NumericArray = 1231,
    RefCursorArray = 2201,
    RegProcedureArray = 2207,
    RegOperArray = 2208,
    RegOperatorArray = 2209,
    RegClassArray = 2210,
    RegTypeArray = 2211,
    RegRoleArray = 4097,
    RegNamespaceArray = 4090,
    RegConfigArray = 3735,
    RegDictionaryArray = 3770,
    UuidArray = 2951,
    PgLsnArray = 3221,
    JsonbArray = 3807,
    JsonPathArray = 4073,
    TsVectorArray = 3643,
    TsQueryArray = 3645,
    Xid8Array = 271,
    RecordArray = 2287,
    CStringArray = 1263,
}

impl TypeId {
    /// Every type, in the order of the declaration.
    pub const ALL: &'static [Self] = &[
        Self::Bool,
        Self::Bytea,
        Self::Char,
        Self::Name,
        Self::Int8,
        Self::Int2,
        Self::Int2Vector,
        Self::Int4,
        Self::RegProc,
        Self::Text,
        Self::Oid,
        Self::Tid,
        Self::Xid,
        Self::Cid,
        Self::OidVector,
        Self::Json,
        Self::Xml,
        Self::PgNodeTree,
        Self::Float4,
        Self::Float8,
        Self::Money,
        Self::Unknown,
        Self::MacAddr,
        Self::Inet,
        Self::Cidr,
        Self::AclItem,
        Self::BpChar,
        Self::Varchar,
        Self::Date,
        Self::Time,
        Self::Timestamp,
        Self::TimestampTz,
        Self::Interval,
        Self::TimeTz,
        Self::Bit,
        Self::VarBit,
        Self::Numeric,
        Self::RefCursor,
        Self::RegProcedure,
        Self::RegOper,
        Self::RegOperator,
        Self::RegClass,
        Self::RegType,
        Self::RegRole,
        Self::RegNamespace,
        Self::RegConfig,
        Self::RegDictionary,
        Self::Uuid,
        Self::PgLsn,
        Self::Jsonb,
        Self::JsonPath,
        Self::TsVector,
        Self::TsQuery,
        Self::Xid8,
        Self::Record,
        Self::CString,
        Self::Any,
        Self::AnyArray,
        Self::Void,
        Self::Trigger,
        Self::EventTrigger,
        Self::LanguageHandler,
        Self::Internal,
        Self::AnyElement,
        Self::AnyNonArray,
        Self::AnyEnum,
        Self::AnyRange,
        Self::AnyCompatible,
        Self::AnyCompatibleArray,
        Self::AnyCompatibleNonArray,
        Self::BoolArray,
        Self::ByteaArray,
        Self::CharArray,
        Self::NameArray,
        Self::Int8Array,
        Self::Int2Array,
        Self::Int2VectorArray,
        Self::Int4Array,
        Self::RegProcArray,
        Self::TextArray,
        Self::OidArray,
        Self::TidArray,
        Self::XidArray,
        Self::CidArray,
        Self::OidVectorArray,
        Self::JsonArray,
        Self::XmlArray,
        Self::Float4Array,
        Self::Float8Array,
        Self::MoneyArray,
        Self::MacAddrArray,
        Self::InetArray,
        Self::CidrArray,
        Self::AclItemArray,
        Self::BpCharArray,
        Self::VarcharArray,
        Self::DateArray,
        Self::TimeArray,
        Self::TimestampArray,
        Self::TimestampTzArray,
        Self::IntervalArray,
        Self::TimeTzArray,
        Self::BitArray,
        Self::VarBitArray,
        Self::NumericArray,
        Self::RefCursorArray,
        Self::RegProcedureArray,
        Self::RegOperArray,
        Self::RegOperatorArray,
        Self::RegClassArray,
        Self::RegTypeArray,
        Self::RegRoleArray,
        Self::RegNamespaceArray,
        Self::RegConfigArray,
        Self::RegDictionaryArray,
        Self::UuidArray,
        Self::PgLsnArray,
        Self::JsonbArray,
        Self::JsonPathArray,
        Self::TsVectorArray,
        Self::TsQueryArray,
        Self::Xid8Array,
        Self::RecordArray,
        Self::CStringArray,
    ];

    /// The type with this OID.
    pub fn from_oid(oid: Oid) -> Option<Self> {
        Some(match oid.0 {
            16 => Self::Bool,
            17 => Self::Bytea,
            18 => Self::Char,
            19 => Self::Name,
            20 => Self::Int8,
            21 => Self::Int2,
            22 => Self::Int2Vector,
            23 => Self::Int4,
            24 => Self::RegProc,
            25 => Self::Text,
            26 => Self::Oid,
            27 => Self::Tid,
            28 => Self::Xid,
            29 => Self::Cid,
            30 => Self::OidVector,
            114 => Self::Json,
            142 => Self::Xml,
            194 => Self::PgNodeTree,
            700 => Self::Float4,
            701 => Self::Float8,
            790 => Self::Money,
            705 => Self::Unknown,
            829 => Self::MacAddr,
            869 => Self::Inet,
            650 => Self::Cidr,
            1033 => Self::AclItem,
            1042 => Self::BpChar,
            1043 => Self::Varchar,
            1082 => Self::Date,
            1083 => Self::Time,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            1186 => Self::Interval,
            1266 => Self::TimeTz,
            1560 => Self::Bit,
            1562 => Self::VarBit,
            1700 => Self::Numeric,
            1790 => Self::RefCursor,
            2202 => Self::RegProcedure,
            2203 => Self::RegOper,
            2204 => Self::RegOperator,
            2205 => Self::RegClass,
            2206 => Self::RegType,
            4096 => Self::RegRole,
            4089 => Self::RegNamespace,
            3734 => Self::RegConfig,
            3769 => Self::RegDictionary,
            2950 => Self::Uuid,
            3220 => Self::PgLsn,
            3802 => Self::Jsonb,
            4072 => Self::JsonPath,
            3614 => Self::TsVector,
            3615 => Self::TsQuery,
            5069 => Self::Xid8,
            2249 => Self::Record,
            2275 => Self::CString,
            2276 => Self::Any,
            2277 => Self::AnyArray,
            2278 => Self::Void,
            2279 => Self::Trigger,
            3838 => Self::EventTrigger,
            2280 => Self::LanguageHandler,
            2281 => Self::Internal,
            2283 => Self::AnyElement,
            2776 => Self::AnyNonArray,
            3500 => Self::AnyEnum,
            3831 => Self::AnyRange,
            5077 => Self::AnyCompatible,
            5078 => Self::AnyCompatibleArray,
            5079 => Self::AnyCompatibleNonArray,
            1000 => Self::BoolArray,
            1001 => Self::ByteaArray,
            1002 => Self::CharArray,
            1003 => Self::NameArray,
            1016 => Self::Int8Array,
            1005 => Self::Int2Array,
            1006 => Self::Int2VectorArray,
            1007 => Self::Int4Array,
            1008 => Self::RegProcArray,
            1009 => Self::TextArray,
            1028 => Self::OidArray,
            1010 => Self::TidArray,
            1011 => Self::XidArray,
            1012 => Self::CidArray,
            1013 => Self::OidVectorArray,
            199 => Self::JsonArray,
            143 => Self::XmlArray,
            1021 => Self::Float4Array,
            1022 => Self::Float8Array,
            791 => Self::MoneyArray,
            1040 => Self::MacAddrArray,
            1041 => Self::InetArray,
            651 => Self::CidrArray,
            1034 => Self::AclItemArray,
            1014 => Self::BpCharArray,
            1015 => Self::VarcharArray,
            1182 => Self::DateArray,
            1183 => Self::TimeArray,
            1115 => Self::TimestampArray,
            1185 => Self::TimestampTzArray,
            1187 => Self::IntervalArray,
            1270 => Self::TimeTzArray,
            1561 => Self::BitArray,
            1563 => Self::VarBitArray,
            1231 => Self::NumericArray,
            2201 => Self::RefCursorArray,
            2207 => Self::RegProcedureArray,
            2208 => Self::RegOperArray,
            2209 => Self::RegOperatorArray,
            2210 => Self::RegClassArray,
            2211 => Self::RegTypeArray,
            4097 => Self::RegRoleArray,
            4090 => Self::RegNamespaceArray,
            3735 => Self::RegConfigArray,
            3770 => Self::RegDictionaryArray,
            2951 => Self::UuidArray,
            3221 => Self::PgLsnArray,
            3807 => Self::JsonbArray,
            4073 => Self::JsonPathArray,
            3643 => Self::TsVectorArray,
            3645 => Self::TsQueryArray,
            271 => Self::Xid8Array,
            2287 => Self::RecordArray,
            1263 => Self::CStringArray,
            _ => return None,
        })
    }

    /// The row of `pg_type`.
    pub fn info(self) -> &'static TypeInfo {
        match self {
            Self::Bool => &TypeInfo { name: "bool", len: 1, by_value: true, category: 'B', preferred: true, delimiter: ',', kind: 'b', align: 'c', storage: 'p', element: Oid(0), array: Oid(1000), procs: [1242, 1243, 2436, 2437, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bool },
            Self::Bytea => &TypeInfo { name: "bytea", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(1001), procs: [1244, 31, 2412, 2413, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Char => &TypeInfo { name: "char", len: 1, by_value: true, category: 'Z', preferred: false, delimiter: ',', kind: 'b', align: 'c', storage: 'p', element: Oid(0), array: Oid(1002), procs: [1245, 33, 2434, 2435, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Name => &TypeInfo { name: "name", len: 64, by_value: false, category: 'S', preferred: false, delimiter: ',', kind: 'b', align: 'c', storage: 'p', element: Oid(18), array: Oid(1003), procs: [34, 35, 2422, 2423, 0, 0], collation: Oid(950), subscript: 6180, physical: PhysicalType::Bytes },
            Self::Int8 => &TypeInfo { name: "int8", len: 8, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1016), procs: [460, 461, 2408, 2409, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Int2 => &TypeInfo { name: "int2", len: 2, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 's', storage: 'p', element: Oid(0), array: Oid(1005), procs: [38, 39, 2404, 2405, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int2 },
            Self::Int2Vector => &TypeInfo { name: "int2vector", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(21), array: Oid(1006), procs: [40, 41, 2410, 2411, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Int4 => &TypeInfo { name: "int4", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1007), procs: [42, 43, 2406, 2407, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int4 },
            Self::RegProc => &TypeInfo { name: "regproc", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1008), procs: [44, 45, 2444, 2445, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::Text => &TypeInfo { name: "text", len: -1, by_value: false, category: 'S', preferred: true, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(1009), procs: [46, 47, 2414, 2415, 0, 0], collation: Oid(100), subscript: 0, physical: PhysicalType::Bytes },
            Self::Oid => &TypeInfo { name: "oid", len: 4, by_value: true, category: 'N', preferred: true, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1028), procs: [1798, 1799, 2418, 2419, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::Tid => &TypeInfo { name: "tid", len: 6, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 's', storage: 'p', element: Oid(0), array: Oid(1010), procs: [48, 49, 2438, 2439, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Xid => &TypeInfo { name: "xid", len: 4, by_value: true, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1011), procs: [50, 51, 2440, 2441, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::Cid => &TypeInfo { name: "cid", len: 4, by_value: true, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1012), procs: [52, 53, 2442, 2443, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::OidVector => &TypeInfo { name: "oidvector", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(26), array: Oid(1013), procs: [54, 55, 2420, 2421, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Json => &TypeInfo { name: "json", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(199), procs: [321, 322, 323, 324, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Xml => &TypeInfo { name: "xml", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(143), procs: [2893, 2894, 2898, 2899, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::PgNodeTree => &TypeInfo { name: "pg_node_tree", len: -1, by_value: false, category: 'Z', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(0), procs: [195, 196, 197, 198, 0, 0], collation: Oid(100), subscript: 0, physical: PhysicalType::Bytes },
            Self::Float4 => &TypeInfo { name: "float4", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1021), procs: [200, 201, 2424, 2425, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Float4 },
            Self::Float8 => &TypeInfo { name: "float8", len: 8, by_value: true, category: 'N', preferred: true, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1022), procs: [214, 215, 2426, 2427, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Float8 },
            Self::Money => &TypeInfo { name: "money", len: 8, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(791), procs: [886, 887, 2492, 2493, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Unknown => &TypeInfo { name: "unknown", len: -2, by_value: false, category: 'X', preferred: false, delimiter: ',', kind: 'p', align: 'c', storage: 'p', element: Oid(0), array: Oid(0), procs: [109, 110, 2416, 2417, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::MacAddr => &TypeInfo { name: "macaddr", len: 6, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1040), procs: [436, 437, 2494, 2495, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Inet => &TypeInfo { name: "inet", len: -1, by_value: false, category: 'I', preferred: true, delimiter: ',', kind: 'b', align: 'i', storage: 'm', element: Oid(0), array: Oid(1041), procs: [910, 911, 2496, 2497, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Cidr => &TypeInfo { name: "cidr", len: -1, by_value: false, category: 'I', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'm', element: Oid(0), array: Oid(651), procs: [1267, 1427, 2498, 2499, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AclItem => &TypeInfo { name: "aclitem", len: 12, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1034), procs: [1031, 1032, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::BpChar => &TypeInfo { name: "bpchar", len: -1, by_value: false, category: 'S', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(1014), procs: [1044, 1045, 2430, 2431, 2913, 2914], collation: Oid(100), subscript: 0, physical: PhysicalType::Bytes },
            Self::Varchar => &TypeInfo { name: "varchar", len: -1, by_value: false, category: 'S', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(1015), procs: [1046, 1047, 2432, 2433, 2915, 2916], collation: Oid(100), subscript: 0, physical: PhysicalType::Bytes },
            Self::Date => &TypeInfo { name: "date", len: 4, by_value: true, category: 'D', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(1182), procs: [1084, 1085, 2468, 2469, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int4 },
            Self::Time => &TypeInfo { name: "time", len: 8, by_value: true, category: 'D', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1183), procs: [1143, 1144, 2470, 2471, 2909, 2910], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Timestamp => &TypeInfo { name: "timestamp", len: 8, by_value: true, category: 'D', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1115), procs: [1312, 1313, 2474, 2475, 2905, 2906], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::TimestampTz => &TypeInfo { name: "timestamptz", len: 8, by_value: true, category: 'D', preferred: true, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1185), procs: [1150, 1151, 2476, 2477, 2907, 2908], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Interval => &TypeInfo { name: "interval", len: 16, by_value: false, category: 'T', preferred: true, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1187), procs: [1160, 1161, 2478, 2479, 2903, 2904], collation: Oid(0), subscript: 0, physical: PhysicalType::Interval },
            Self::TimeTz => &TypeInfo { name: "timetz", len: 12, by_value: false, category: 'D', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(1270), procs: [1350, 1351, 2472, 2473, 2911, 2912], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Bit => &TypeInfo { name: "bit", len: -1, by_value: false, category: 'V', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(1561), procs: [1564, 1565, 2456, 2457, 2919, 2920], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::VarBit => &TypeInfo { name: "varbit", len: -1, by_value: false, category: 'V', preferred: true, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(1563), procs: [1579, 1580, 2458, 2459, 2902, 2921], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Numeric => &TypeInfo { name: "numeric", len: -1, by_value: false, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'm', element: Oid(0), array: Oid(1231), procs: [1701, 1702, 2460, 2461, 2917, 2918], collation: Oid(0), subscript: 0, physical: PhysicalType::Numeric },
            Self::RefCursor => &TypeInfo { name: "refcursor", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(2201), procs: [46, 47, 2414, 2415, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::RegProcedure => &TypeInfo { name: "regprocedure", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(2207), procs: [2212, 2213, 2446, 2447, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegOper => &TypeInfo { name: "regoper", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(2208), procs: [2214, 2215, 2448, 2449, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegOperator => &TypeInfo { name: "regoperator", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(2209), procs: [2216, 2217, 2450, 2451, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegClass => &TypeInfo { name: "regclass", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(2210), procs: [2218, 2219, 2452, 2453, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegType => &TypeInfo { name: "regtype", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(2211), procs: [2220, 2221, 2454, 2455, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegRole => &TypeInfo { name: "regrole", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(4097), procs: [4098, 4092, 4094, 4095, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegNamespace => &TypeInfo { name: "regnamespace", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(4090), procs: [4084, 4085, 4087, 4088, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegConfig => &TypeInfo { name: "regconfig", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(3735), procs: [3736, 3737, 3738, 3739, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::RegDictionary => &TypeInfo { name: "regdictionary", len: 4, by_value: true, category: 'N', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(3770), procs: [3771, 3772, 3773, 3774, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Oid },
            Self::Uuid => &TypeInfo { name: "uuid", len: 16, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'c', storage: 'p', element: Oid(0), array: Oid(2951), procs: [2952, 2953, 2961, 2962, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Uuid },
            Self::PgLsn => &TypeInfo { name: "pg_lsn", len: 8, by_value: true, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(3221), procs: [3229, 3230, 3238, 3239, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Jsonb => &TypeInfo { name: "jsonb", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(3807), procs: [3806, 3804, 3805, 3803, 0, 0], collation: Oid(0), subscript: 6098, physical: PhysicalType::Bytes },
            Self::JsonPath => &TypeInfo { name: "jsonpath", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(4073), procs: [4001, 4003, 4002, 4004, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::TsVector => &TypeInfo { name: "tsvector", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(0), array: Oid(3643), procs: [3610, 3611, 3639, 3638, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::TsQuery => &TypeInfo { name: "tsquery", len: -1, by_value: false, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'p', element: Oid(0), array: Oid(3645), procs: [3612, 3613, 3641, 3640, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Xid8 => &TypeInfo { name: "xid8", len: 8, by_value: true, category: 'U', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'p', element: Oid(0), array: Oid(271), procs: [5070, 5081, 5082, 5083, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Int8 },
            Self::Record => &TypeInfo { name: "record", len: -1, by_value: false, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'd', storage: 'x', element: Oid(0), array: Oid(2287), procs: [2290, 2291, 2402, 2403, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Boxed },
            Self::CString => &TypeInfo { name: "cstring", len: -2, by_value: false, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'c', storage: 'p', element: Oid(0), array: Oid(1263), procs: [2292, 2293, 2500, 2501, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Any => &TypeInfo { name: "any", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [2294, 2295, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyArray => &TypeInfo { name: "anyarray", len: -1, by_value: false, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'd', storage: 'x', element: Oid(0), array: Oid(0), procs: [2296, 2297, 2502, 2503, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Boxed },
            Self::Void => &TypeInfo { name: "void", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [2298, 2299, 3120, 3121, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bool },
            Self::Trigger => &TypeInfo { name: "trigger", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [2300, 2301, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::EventTrigger => &TypeInfo { name: "event_trigger", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [3594, 3595, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::LanguageHandler => &TypeInfo { name: "language_handler", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [2302, 2303, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::Internal => &TypeInfo { name: "internal", len: 8, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'd', storage: 'p', element: Oid(0), array: Oid(0), procs: [2304, 2305, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyElement => &TypeInfo { name: "anyelement", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [2312, 2313, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyNonArray => &TypeInfo { name: "anynonarray", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [2777, 2778, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyEnum => &TypeInfo { name: "anyenum", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [3504, 3505, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyRange => &TypeInfo { name: "anyrange", len: -1, by_value: false, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'd', storage: 'x', element: Oid(0), array: Oid(0), procs: [3832, 3833, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyCompatible => &TypeInfo { name: "anycompatible", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [5086, 5087, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::AnyCompatibleArray => &TypeInfo { name: "anycompatiblearray", len: -1, by_value: false, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'd', storage: 'x', element: Oid(0), array: Oid(0), procs: [5088, 5089, 5090, 5091, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Boxed },
            Self::AnyCompatibleNonArray => &TypeInfo { name: "anycompatiblenonarray", len: 4, by_value: true, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'i', storage: 'p', element: Oid(0), array: Oid(0), procs: [5092, 5093, 0, 0, 0, 0], collation: Oid(0), subscript: 0, physical: PhysicalType::Bytes },
            Self::BoolArray => &TypeInfo { name: "_bool", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(16), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::ByteaArray => &TypeInfo { name: "_bytea", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(17), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::CharArray => &TypeInfo { name: "_char", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(18), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::NameArray => &TypeInfo { name: "_name", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(19), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(950), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Int8Array => &TypeInfo { name: "_int8", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(20), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Int2Array => &TypeInfo { name: "_int2", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(21), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Int2VectorArray => &TypeInfo { name: "_int2vector", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(22), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Int4Array => &TypeInfo { name: "_int4", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(23), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegProcArray => &TypeInfo { name: "_regproc", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(24), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TextArray => &TypeInfo { name: "_text", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(25), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(100), subscript: 6179, physical: PhysicalType::Boxed },
            Self::OidArray => &TypeInfo { name: "_oid", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(26), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TidArray => &TypeInfo { name: "_tid", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(27), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::XidArray => &TypeInfo { name: "_xid", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(28), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::CidArray => &TypeInfo { name: "_cid", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(29), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::OidVectorArray => &TypeInfo { name: "_oidvector", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(30), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::JsonArray => &TypeInfo { name: "_json", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(114), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::XmlArray => &TypeInfo { name: "_xml", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(142), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Float4Array => &TypeInfo { name: "_float4", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(700), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Float8Array => &TypeInfo { name: "_float8", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(701), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::MoneyArray => &TypeInfo { name: "_money", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(790), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::MacAddrArray => &TypeInfo { name: "_macaddr", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(829), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::InetArray => &TypeInfo { name: "_inet", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(869), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::CidrArray => &TypeInfo { name: "_cidr", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(650), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::AclItemArray => &TypeInfo { name: "_aclitem", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1033), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::BpCharArray => &TypeInfo { name: "_bpchar", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1042), array: Oid(0), procs: [750, 751, 2400, 2401, 2913, 2914], collation: Oid(100), subscript: 6179, physical: PhysicalType::Boxed },
            Self::VarcharArray => &TypeInfo { name: "_varchar", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1043), array: Oid(0), procs: [750, 751, 2400, 2401, 2915, 2916], collation: Oid(100), subscript: 6179, physical: PhysicalType::Boxed },
            Self::DateArray => &TypeInfo { name: "_date", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1082), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TimeArray => &TypeInfo { name: "_time", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(1083), array: Oid(0), procs: [750, 751, 2400, 2401, 2909, 2910], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TimestampArray => &TypeInfo { name: "_timestamp", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(1114), array: Oid(0), procs: [750, 751, 2400, 2401, 2905, 2906], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TimestampTzArray => &TypeInfo { name: "_timestamptz", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(1184), array: Oid(0), procs: [750, 751, 2400, 2401, 2907, 2908], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::IntervalArray => &TypeInfo { name: "_interval", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(1186), array: Oid(0), procs: [750, 751, 2400, 2401, 2903, 2904], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TimeTzArray => &TypeInfo { name: "_timetz", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(1266), array: Oid(0), procs: [750, 751, 2400, 2401, 2911, 2912], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::BitArray => &TypeInfo { name: "_bit", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1560), array: Oid(0), procs: [750, 751, 2400, 2401, 2919, 2920], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::VarBitArray => &TypeInfo { name: "_varbit", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1562), array: Oid(0), procs: [750, 751, 2400, 2401, 2902, 2921], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::NumericArray => &TypeInfo { name: "_numeric", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1700), array: Oid(0), procs: [750, 751, 2400, 2401, 2917, 2918], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RefCursorArray => &TypeInfo { name: "_refcursor", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(1790), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegProcedureArray => &TypeInfo { name: "_regprocedure", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2202), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegOperArray => &TypeInfo { name: "_regoper", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2203), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegOperatorArray => &TypeInfo { name: "_regoperator", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2204), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegClassArray => &TypeInfo { name: "_regclass", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2205), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegTypeArray => &TypeInfo { name: "_regtype", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2206), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegRoleArray => &TypeInfo { name: "_regrole", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(4096), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegNamespaceArray => &TypeInfo { name: "_regnamespace", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(4089), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegConfigArray => &TypeInfo { name: "_regconfig", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(3734), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RegDictionaryArray => &TypeInfo { name: "_regdictionary", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(3769), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::UuidArray => &TypeInfo { name: "_uuid", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2950), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::PgLsnArray => &TypeInfo { name: "_pg_lsn", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(3220), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::JsonbArray => &TypeInfo { name: "_jsonb", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(3802), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::JsonPathArray => &TypeInfo { name: "_jsonpath", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(4072), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TsVectorArray => &TypeInfo { name: "_tsvector", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(3614), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::TsQueryArray => &TypeInfo { name: "_tsquery", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(3615), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::Xid8Array => &TypeInfo { name: "_xid8", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'd', storage: 'x', element: Oid(5069), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::RecordArray => &TypeInfo { name: "_record", len: -1, by_value: false, category: 'P', preferred: false, delimiter: ',', kind: 'p', align: 'd', storage: 'x', element: Oid(2249), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
            Self::CStringArray => &TypeInfo { name: "_cstring", len: -1, by_value: false, category: 'A', preferred: false, delimiter: ',', kind: 'b', align: 'i', storage: 'x', element: Oid(2275), array: Oid(0), procs: [750, 751, 2400, 2401, 0, 0], collation: Oid(0), subscript: 6179, physical: PhysicalType::Boxed },
        }
    }

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
