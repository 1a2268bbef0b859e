//! PostgreSQL 15's `pg_type` of the built-in types, a row a line, and all that follows from it.
//!
//! [`TypeId`], the order of [`TypeId::ALL`], the way from an OID and [`TypeId::info`] come from one list, so that a type is
//! added in one place.

use super::{PhysicalType, TypeInfo};
use crate::Oid;

/// Makes the enumeration of the types and its lookups. A row is the variant, its OID, and the fields of [`TypeInfo`] in
/// their order.
macro_rules! types {
    ($(
        $variant:ident = $oid:literal: $name:literal, $len:literal, $by_value:literal, $category:literal,
        $preferred:literal, $delimiter:literal, $kind:literal, $align:literal, $storage:literal, $element:literal,
        $array:literal, $procs:expr, $collation:literal, $subscript:literal, $physical:ident;
    )*) => {
        /// A built-in type; the discriminant is its OID.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        #[expect(missing_docs, reason = "the names are PostgreSQL's type names")]
        pub enum TypeId {
            $($variant = $oid,)*
        }

        impl TypeId {
            /// Every type, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type with this OID.
            pub fn from_oid(oid: Oid) -> Option<Self> {
                match oid.0 {
                    $($oid => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The row of `pg_type`.
            pub fn info(self) -> &'static TypeInfo {
                match self {
                    $(Self::$variant => &TypeInfo {
                        name: $name,
                        len: $len,
                        by_value: $by_value,
                        category: $category,
                        preferred: $preferred,
                        delimiter: $delimiter,
                        kind: $kind,
                        align: $align,
                        storage: $storage,
                        element: Oid($element),
                        array: Oid($array),
                        procs: $procs,
                        collation: Oid($collation),
                        subscript: $subscript,
                        physical: PhysicalType::$physical,
                    },)*
                }
            }
        }
    };
}

types! {
    Bool = 16: "bool", 1, true, 'B', true, ',', 'b', 'c', 'p', 0, 1000, [1242, 1243, 2436, 2437, 0, 0], 0, 0, Bool;
    Bytea = 17: "bytea", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 1001, [1244, 31, 2412, 2413, 0, 0], 0, 0, Bytes;
    Char = 18: "char", 1, true, 'Z', false, ',', 'b', 'c', 'p', 0, 1002, [1245, 33, 2434, 2435, 0, 0], 0, 0, Bytes;
    Name = 19: "name", 64, false, 'S', false, ',', 'b', 'c', 'p', 18, 1003, [34, 35, 2422, 2423, 0, 0], 950, 6180, Bytes;
    Int8 = 20: "int8", 8, true, 'N', false, ',', 'b', 'd', 'p', 0, 1016, [460, 461, 2408, 2409, 0, 0], 0, 0, Int8;
    Int2 = 21: "int2", 2, true, 'N', false, ',', 'b', 's', 'p', 0, 1005, [38, 39, 2404, 2405, 0, 0], 0, 0, Int2;
    Int2Vector = 22: "int2vector", -1, false, 'A', false, ',', 'b', 'i', 'p', 21, 1006, [40, 41, 2410, 2411, 0, 0], 0, 6179, Boxed;
    Int4 = 23: "int4", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 1007, [42, 43, 2406, 2407, 0, 0], 0, 0, Int4;
    RegProc = 24: "regproc", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 1008, [44, 45, 2444, 2445, 0, 0], 0, 0, Oid;
    Text = 25: "text", -1, false, 'S', true, ',', 'b', 'i', 'x', 0, 1009, [46, 47, 2414, 2415, 0, 0], 100, 0, Bytes;
    Oid = 26: "oid", 4, true, 'N', true, ',', 'b', 'i', 'p', 0, 1028, [1798, 1799, 2418, 2419, 0, 0], 0, 0, Oid;
    Tid = 27: "tid", 6, false, 'U', false, ',', 'b', 's', 'p', 0, 1010, [48, 49, 2438, 2439, 0, 0], 0, 0, Int8;
    Xid = 28: "xid", 4, true, 'U', false, ',', 'b', 'i', 'p', 0, 1011, [50, 51, 2440, 2441, 0, 0], 0, 0, Oid;
    Cid = 29: "cid", 4, true, 'U', false, ',', 'b', 'i', 'p', 0, 1012, [52, 53, 2442, 2443, 0, 0], 0, 0, Oid;
    OidVector = 30: "oidvector", -1, false, 'A', false, ',', 'b', 'i', 'p', 26, 1013, [54, 55, 2420, 2421, 0, 0], 0, 6179, Boxed;
    Json = 114: "json", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 199, [321, 322, 323, 324, 0, 0], 0, 0, Bytes;
    Xml = 142: "xml", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 143, [2893, 2894, 2898, 2899, 0, 0], 0, 0, Bytes;
    PgNodeTree = 194: "pg_node_tree", -1, false, 'Z', false, ',', 'b', 'i', 'x', 0, 0, [195, 196, 197, 198, 0, 0], 100, 0, Bytes;
    Float4 = 700: "float4", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 1021, [200, 201, 2424, 2425, 0, 0], 0, 0, Float4;
    Float8 = 701: "float8", 8, true, 'N', true, ',', 'b', 'd', 'p', 0, 1022, [214, 215, 2426, 2427, 0, 0], 0, 0, Float8;
    Money = 790: "money", 8, true, 'N', false, ',', 'b', 'd', 'p', 0, 791, [886, 887, 2492, 2493, 0, 0], 0, 0, Int8;
    Unknown = 705: "unknown", -2, false, 'X', false, ',', 'p', 'c', 'p', 0, 0, [109, 110, 2416, 2417, 0, 0], 0, 0, Bytes;
    MacAddr = 829: "macaddr", 6, false, 'U', false, ',', 'b', 'i', 'p', 0, 1040, [436, 437, 2494, 2495, 0, 0], 0, 0, Bytes;
    Inet = 869: "inet", -1, false, 'I', true, ',', 'b', 'i', 'm', 0, 1041, [910, 911, 2496, 2497, 0, 0], 0, 0, Bytes;
    Cidr = 650: "cidr", -1, false, 'I', false, ',', 'b', 'i', 'm', 0, 651, [1267, 1427, 2498, 2499, 0, 0], 0, 0, Bytes;
    AclItem = 1033: "aclitem", 12, false, 'U', false, ',', 'b', 'i', 'p', 0, 1034, [1031, 1032, 0, 0, 0, 0], 0, 0, Bytes;
    BpChar = 1042: "bpchar", -1, false, 'S', false, ',', 'b', 'i', 'x', 0, 1014, [1044, 1045, 2430, 2431, 2913, 2914], 100, 0, Bytes;
    Varchar = 1043: "varchar", -1, false, 'S', false, ',', 'b', 'i', 'x', 0, 1015, [1046, 1047, 2432, 2433, 2915, 2916], 100, 0, Bytes;
    Date = 1082: "date", 4, true, 'D', false, ',', 'b', 'i', 'p', 0, 1182, [1084, 1085, 2468, 2469, 0, 0], 0, 0, Int4;
    Time = 1083: "time", 8, true, 'D', false, ',', 'b', 'd', 'p', 0, 1183, [1143, 1144, 2470, 2471, 2909, 2910], 0, 0, Int8;
    Timestamp = 1114: "timestamp", 8, true, 'D', false, ',', 'b', 'd', 'p', 0, 1115, [1312, 1313, 2474, 2475, 2905, 2906], 0, 0, Int8;
    TimestampTz = 1184: "timestamptz", 8, true, 'D', true, ',', 'b', 'd', 'p', 0, 1185, [1150, 1151, 2476, 2477, 2907, 2908], 0, 0, Int8;
    Interval = 1186: "interval", 16, false, 'T', true, ',', 'b', 'd', 'p', 0, 1187, [1160, 1161, 2478, 2479, 2903, 2904], 0, 0, Interval;
    TimeTz = 1266: "timetz", 12, false, 'D', false, ',', 'b', 'd', 'p', 0, 1270, [1350, 1351, 2472, 2473, 2911, 2912], 0, 0, Int8;
    Bit = 1560: "bit", -1, false, 'V', false, ',', 'b', 'i', 'x', 0, 1561, [1564, 1565, 2456, 2457, 2919, 2920], 0, 0, Bytes;
    VarBit = 1562: "varbit", -1, false, 'V', true, ',', 'b', 'i', 'x', 0, 1563, [1579, 1580, 2458, 2459, 2902, 2921], 0, 0, Bytes;
    Numeric = 1700: "numeric", -1, false, 'N', false, ',', 'b', 'i', 'm', 0, 1231, [1701, 1702, 2460, 2461, 2917, 2918], 0, 0, Numeric;
    RefCursor = 1790: "refcursor", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 2201, [46, 47, 2414, 2415, 0, 0], 0, 0, Bytes;
    RegProcedure = 2202: "regprocedure", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 2207, [2212, 2213, 2446, 2447, 0, 0], 0, 0, Oid;
    RegOper = 2203: "regoper", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 2208, [2214, 2215, 2448, 2449, 0, 0], 0, 0, Oid;
    RegOperator = 2204: "regoperator", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 2209, [2216, 2217, 2450, 2451, 0, 0], 0, 0, Oid;
    RegClass = 2205: "regclass", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 2210, [2218, 2219, 2452, 2453, 0, 0], 0, 0, Oid;
    RegType = 2206: "regtype", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 2211, [2220, 2221, 2454, 2455, 0, 0], 0, 0, Oid;
    RegRole = 4096: "regrole", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 4097, [4098, 4092, 4094, 4095, 0, 0], 0, 0, Oid;
    RegNamespace = 4089: "regnamespace", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 4090, [4084, 4085, 4087, 4088, 0, 0], 0, 0, Oid;
    RegConfig = 3734: "regconfig", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 3735, [3736, 3737, 3738, 3739, 0, 0], 0, 0, Oid;
    RegDictionary = 3769: "regdictionary", 4, true, 'N', false, ',', 'b', 'i', 'p', 0, 3770, [3771, 3772, 3773, 3774, 0, 0], 0, 0, Oid;
    Uuid = 2950: "uuid", 16, false, 'U', false, ',', 'b', 'c', 'p', 0, 2951, [2952, 2953, 2961, 2962, 0, 0], 0, 0, Uuid;
    PgLsn = 3220: "pg_lsn", 8, true, 'U', false, ',', 'b', 'd', 'p', 0, 3221, [3229, 3230, 3238, 3239, 0, 0], 0, 0, Int8;
    Jsonb = 3802: "jsonb", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 3807, [3806, 3804, 3805, 3803, 0, 0], 0, 6098, Bytes;
    JsonPath = 4072: "jsonpath", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 4073, [4001, 4003, 4002, 4004, 0, 0], 0, 0, Bytes;
    TsVector = 3614: "tsvector", -1, false, 'U', false, ',', 'b', 'i', 'x', 0, 3643, [3610, 3611, 3639, 3638, 0, 0], 0, 0, Bytes;
    TsQuery = 3615: "tsquery", -1, false, 'U', false, ',', 'b', 'i', 'p', 0, 3645, [3612, 3613, 3641, 3640, 0, 0], 0, 0, Bytes;
    Xid8 = 5069: "xid8", 8, true, 'U', false, ',', 'b', 'd', 'p', 0, 271, [5070, 5081, 5082, 5083, 0, 0], 0, 0, Int8;
    Record = 2249: "record", -1, false, 'P', false, ',', 'p', 'd', 'x', 0, 2287, [2290, 2291, 2402, 2403, 0, 0], 0, 0, Boxed;
    CString = 2275: "cstring", -2, false, 'P', false, ',', 'p', 'c', 'p', 0, 1263, [2292, 2293, 2500, 2501, 0, 0], 0, 0, Bytes;
    Any = 2276: "any", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [2294, 2295, 0, 0, 0, 0], 0, 0, Bytes;
    AnyArray = 2277: "anyarray", -1, false, 'P', false, ',', 'p', 'd', 'x', 0, 0, [2296, 2297, 2502, 2503, 0, 0], 0, 0, Boxed;
    Void = 2278: "void", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [2298, 2299, 3120, 3121, 0, 0], 0, 0, Bytes;
    Trigger = 2279: "trigger", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [2300, 2301, 0, 0, 0, 0], 0, 0, Bytes;
    EventTrigger = 3838: "event_trigger", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [3594, 3595, 0, 0, 0, 0], 0, 0, Bytes;
    LanguageHandler = 2280: "language_handler", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [2302, 2303, 0, 0, 0, 0], 0, 0, Bytes;
    Internal = 2281: "internal", 8, true, 'P', false, ',', 'p', 'd', 'p', 0, 0, [2304, 2305, 0, 0, 0, 0], 0, 0, Bytes;
    AnyElement = 2283: "anyelement", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [2312, 2313, 0, 0, 0, 0], 0, 0, Bytes;
    AnyNonArray = 2776: "anynonarray", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [2777, 2778, 0, 0, 0, 0], 0, 0, Bytes;
    AnyEnum = 3500: "anyenum", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [3504, 3505, 0, 0, 0, 0], 0, 0, Bytes;
    AnyRange = 3831: "anyrange", -1, false, 'P', false, ',', 'p', 'd', 'x', 0, 0, [3832, 3833, 0, 0, 0, 0], 0, 0, Bytes;
    AnyCompatible = 5077: "anycompatible", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [5086, 5087, 0, 0, 0, 0], 0, 0, Bytes;
    AnyCompatibleArray = 5078: "anycompatiblearray", -1, false, 'P', false, ',', 'p', 'd', 'x', 0, 0, [5088, 5089, 5090, 5091, 0, 0], 0, 0, Boxed;
    AnyCompatibleNonArray = 5079: "anycompatiblenonarray", 4, true, 'P', false, ',', 'p', 'i', 'p', 0, 0, [5092, 5093, 0, 0, 0, 0], 0, 0, Bytes;
    BoolArray = 1000: "_bool", -1, false, 'A', false, ',', 'b', 'i', 'x', 16, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    ByteaArray = 1001: "_bytea", -1, false, 'A', false, ',', 'b', 'i', 'x', 17, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    CharArray = 1002: "_char", -1, false, 'A', false, ',', 'b', 'i', 'x', 18, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    NameArray = 1003: "_name", -1, false, 'A', false, ',', 'b', 'i', 'x', 19, 0, [750, 751, 2400, 2401, 0, 0], 950, 6179, Boxed;
    Int8Array = 1016: "_int8", -1, false, 'A', false, ',', 'b', 'd', 'x', 20, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    Int2Array = 1005: "_int2", -1, false, 'A', false, ',', 'b', 'i', 'x', 21, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    Int2VectorArray = 1006: "_int2vector", -1, false, 'A', false, ',', 'b', 'i', 'x', 22, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    Int4Array = 1007: "_int4", -1, false, 'A', false, ',', 'b', 'i', 'x', 23, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegProcArray = 1008: "_regproc", -1, false, 'A', false, ',', 'b', 'i', 'x', 24, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    TextArray = 1009: "_text", -1, false, 'A', false, ',', 'b', 'i', 'x', 25, 0, [750, 751, 2400, 2401, 0, 0], 100, 6179, Boxed;
    OidArray = 1028: "_oid", -1, false, 'A', false, ',', 'b', 'i', 'x', 26, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    TidArray = 1010: "_tid", -1, false, 'A', false, ',', 'b', 'i', 'x', 27, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    XidArray = 1011: "_xid", -1, false, 'A', false, ',', 'b', 'i', 'x', 28, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    CidArray = 1012: "_cid", -1, false, 'A', false, ',', 'b', 'i', 'x', 29, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    OidVectorArray = 1013: "_oidvector", -1, false, 'A', false, ',', 'b', 'i', 'x', 30, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    JsonArray = 199: "_json", -1, false, 'A', false, ',', 'b', 'i', 'x', 114, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    XmlArray = 143: "_xml", -1, false, 'A', false, ',', 'b', 'i', 'x', 142, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    Float4Array = 1021: "_float4", -1, false, 'A', false, ',', 'b', 'i', 'x', 700, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    Float8Array = 1022: "_float8", -1, false, 'A', false, ',', 'b', 'd', 'x', 701, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    MoneyArray = 791: "_money", -1, false, 'A', false, ',', 'b', 'd', 'x', 790, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    MacAddrArray = 1040: "_macaddr", -1, false, 'A', false, ',', 'b', 'i', 'x', 829, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    InetArray = 1041: "_inet", -1, false, 'A', false, ',', 'b', 'i', 'x', 869, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    CidrArray = 651: "_cidr", -1, false, 'A', false, ',', 'b', 'i', 'x', 650, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    AclItemArray = 1034: "_aclitem", -1, false, 'A', false, ',', 'b', 'i', 'x', 1033, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    BpCharArray = 1014: "_bpchar", -1, false, 'A', false, ',', 'b', 'i', 'x', 1042, 0, [750, 751, 2400, 2401, 2913, 2914], 100, 6179, Boxed;
    VarcharArray = 1015: "_varchar", -1, false, 'A', false, ',', 'b', 'i', 'x', 1043, 0, [750, 751, 2400, 2401, 2915, 2916], 100, 6179, Boxed;
    DateArray = 1182: "_date", -1, false, 'A', false, ',', 'b', 'i', 'x', 1082, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    TimeArray = 1183: "_time", -1, false, 'A', false, ',', 'b', 'd', 'x', 1083, 0, [750, 751, 2400, 2401, 2909, 2910], 0, 6179, Boxed;
    TimestampArray = 1115: "_timestamp", -1, false, 'A', false, ',', 'b', 'd', 'x', 1114, 0, [750, 751, 2400, 2401, 2905, 2906], 0, 6179, Boxed;
    TimestampTzArray = 1185: "_timestamptz", -1, false, 'A', false, ',', 'b', 'd', 'x', 1184, 0, [750, 751, 2400, 2401, 2907, 2908], 0, 6179, Boxed;
    IntervalArray = 1187: "_interval", -1, false, 'A', false, ',', 'b', 'd', 'x', 1186, 0, [750, 751, 2400, 2401, 2903, 2904], 0, 6179, Boxed;
    TimeTzArray = 1270: "_timetz", -1, false, 'A', false, ',', 'b', 'd', 'x', 1266, 0, [750, 751, 2400, 2401, 2911, 2912], 0, 6179, Boxed;
    BitArray = 1561: "_bit", -1, false, 'A', false, ',', 'b', 'i', 'x', 1560, 0, [750, 751, 2400, 2401, 2919, 2920], 0, 6179, Boxed;
    VarBitArray = 1563: "_varbit", -1, false, 'A', false, ',', 'b', 'i', 'x', 1562, 0, [750, 751, 2400, 2401, 2902, 2921], 0, 6179, Boxed;
    NumericArray = 1231: "_numeric", -1, false, 'A', false, ',', 'b', 'i', 'x', 1700, 0, [750, 751, 2400, 2401, 2917, 2918], 0, 6179, Boxed;
    RefCursorArray = 2201: "_refcursor", -1, false, 'A', false, ',', 'b', 'i', 'x', 1790, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegProcedureArray = 2207: "_regprocedure", -1, false, 'A', false, ',', 'b', 'i', 'x', 2202, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegOperArray = 2208: "_regoper", -1, false, 'A', false, ',', 'b', 'i', 'x', 2203, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegOperatorArray = 2209: "_regoperator", -1, false, 'A', false, ',', 'b', 'i', 'x', 2204, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegClassArray = 2210: "_regclass", -1, false, 'A', false, ',', 'b', 'i', 'x', 2205, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegTypeArray = 2211: "_regtype", -1, false, 'A', false, ',', 'b', 'i', 'x', 2206, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegRoleArray = 4097: "_regrole", -1, false, 'A', false, ',', 'b', 'i', 'x', 4096, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegNamespaceArray = 4090: "_regnamespace", -1, false, 'A', false, ',', 'b', 'i', 'x', 4089, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegConfigArray = 3735: "_regconfig", -1, false, 'A', false, ',', 'b', 'i', 'x', 3734, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RegDictionaryArray = 3770: "_regdictionary", -1, false, 'A', false, ',', 'b', 'i', 'x', 3769, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    UuidArray = 2951: "_uuid", -1, false, 'A', false, ',', 'b', 'i', 'x', 2950, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    PgLsnArray = 3221: "_pg_lsn", -1, false, 'A', false, ',', 'b', 'd', 'x', 3220, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    JsonbArray = 3807: "_jsonb", -1, false, 'A', false, ',', 'b', 'i', 'x', 3802, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    JsonPathArray = 4073: "_jsonpath", -1, false, 'A', false, ',', 'b', 'i', 'x', 4072, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    TsVectorArray = 3643: "_tsvector", -1, false, 'A', false, ',', 'b', 'i', 'x', 3614, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    TsQueryArray = 3645: "_tsquery", -1, false, 'A', false, ',', 'b', 'i', 'x', 3615, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    Xid8Array = 271: "_xid8", -1, false, 'A', false, ',', 'b', 'd', 'x', 5069, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    RecordArray = 2287: "_record", -1, false, 'P', false, ',', 'p', 'd', 'x', 2249, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
    CStringArray = 1263: "_cstring", -1, false, 'A', false, ',', 'b', 'i', 'x', 2275, 0, [750, 751, 2400, 2401, 0, 0], 0, 6179, Boxed;
}
