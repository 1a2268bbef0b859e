//! Comparisons, each giving a mask: `=`, `<>`, `<`, `<=`, `>`, `>=` of the types that compare without the session.
//!
//! Floats: NaN equals itself and is above every number, -0 equals 0. Text is in C collation, that is by bytes. bpchar ignores
//! trailing blanks. Comparisons of dates with timestamps are with the dates, of numerics with the numerics, of arrays with the arrays.

use crate::KernelContext;
use crate::lanes::{bits, bools, predicate, valid_in_all};
use crate::registry::{ScalarFunction, family};
use damask_types::{Interval, Mask, Result, TILE_ROWS, Vector, VectorData, Views};
use std::cmp::Ordering;

/// Which outcomes of an order satisfy a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Test {
    /// Whether the outcome satisfies it.
    #[inline]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}

/// SQL's order of float4.
#[inline]
pub(crate) fn float4(x: f32, y: f32) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

/// SQL's order of float8.
#[inline]
pub(crate) fn float8(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

fn bool_compare(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    holds: fn(Ordering) -> bool,
) -> Result<Vector> {
    let (a, b) = (bits(&args[0]), bits(&args[1]));
    let spread = |arg: &Vector, bits: &Mask| {
        if !arg.is_const() {
            *bits
        } else if bits.get(0) {
            Mask::first(TILE_ROWS)
        } else {
            Mask::NONE
        }
    };
    let (a, b) = (spread(&args[0], a), spread(&args[1], b));
    // The truth table as masks: which of false<true, equal, true>false satisfy the comparison.
    let mut result = Mask::NONE;
    if holds(Ordering::Less) {
        result = result.or(&b.and_not(&a));
    }
    if holds(Ordering::Greater) {
        result = result.or(&a.and_not(&b));
    }
    if holds(Ordering::Equal) {
        let differ = a.and_not(&b).or(&b.and_not(&a));
        result = result.or(&Mask::first(TILE_ROWS).and_not(&differ));
    }
    Ok(bools(ctx, args, |rows| result.and(&Mask::first(rows))))
}

fn views(vector: &Vector) -> &Views {
    match &vector.data {
        VectorData::Bytes(views) => views,
        other => panic!("a kernel for byte strings was given {other:?}"),
    }
}

/// Text, names, byte strings and `"char"`, by bytes. Equality looks at the views first: length and prefix lie there.
fn text(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    let (a, b) = (views(&args[0]), views(&args[1]));
    if matches!(test, Test::Equal | Test::NotEqual) {
        let wanted = test == Test::Equal;
        return Ok(bools(ctx, args, |rows| {
            if let Some(mask) = equal_to_inline(args, rows, wanted) {
                return mask;
            }
            Mask::from_fn(rows, |row| {
                let (i, j) = (args[0].index(row), args[1].index(row));
                views_equal(a, i, b, j) == wanted
            })
        }));
    }
    Ok(bools(ctx, args, |rows| {
        Mask::from_fn(rows, |row| {
            test.holds(compare_views(a, args[0].index(row), b, args[1].index(row)))
        })
    }))
}

/// Equality with a const string that lies in its view is equality of views.
fn equal_to_inline(args: &[Vector], rows: usize, wanted: bool) -> Option<Mask> {
    let (flat, constant) = match (args[0].is_const(), args[1].is_const()) {
        (false, true) => (views(&args[0]), views(&args[1])),
        (true, false) => (views(&args[1]), views(&args[0])),
        _ => return None,
    };
    let view = *constant.views.first()?;
    if view as u32 as usize > damask_types::vector::INLINE_BYTES {
        return None;
    }
    let flat = &flat.views[..rows];
    Some(Mask::from_fn(rows, |i| (flat[i] == view) == wanted))
}

#[inline]
fn views_equal(a: &Views, i: usize, b: &Views, j: usize) -> bool {
    let (x, y) = (a.views[i], b.views[j]);
    // Length and the first four bytes.
    if x as u64 != y as u64 {
        return false;
    }
    x == y && x as u32 as usize <= damask_types::vector::INLINE_BYTES || a.get(i) == b.get(j)
}

#[inline]
fn compare_views(a: &Views, i: usize, b: &Views, j: usize) -> Ordering {
    // The prefix is zero-padded and text has no NUL, but bytea may: then prefixes decide only if they differ within both.
    let prefix = |view: u128| ((view >> 32) as u32).swap_bytes();
    let (x, y) = (a.views[i], b.views[j]);
    if x as u32 >= 4 && y as u32 >= 4 && prefix(x) != prefix(y) {
        return prefix(x).cmp(&prefix(y));
    }
    a.get(i).cmp(b.get(j))
}

/// A bpchar without the blanks it is padded with.
#[inline]
pub(crate) fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

fn bpchar(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    let (a, b) = (views(&args[0]), views(&args[1]));
    Ok(bools(ctx, args, |rows| {
        let valid = valid_in_all(args);
        Mask::from_fn(rows, |row| {
            let (i, j) = (args[0].index(row), args[1].index(row));
            valid.is_none_or(|valid| valid.get(row))
                && test.holds(trim_blanks(a.get(i)).cmp(trim_blanks(b.get(j))))
        })
    }))
}

/// Comparisons within a type.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    63 int2eq(Int2, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i16| x == y);
    145 int2ne(Int2, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i16| x != y);
    64 int2lt(Int2, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i16| x < y);
    148 int2le(Int2, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i16| x <= y);
    146 int2gt(Int2, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i16| x > y);
    151 int2ge(Int2, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i16| x >= y);
    65 int4eq(Int4, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x == y);
    144 int4ne(Int4, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x != y);
    66 int4lt(Int4, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x < y);
    149 int4le(Int4, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x <= y);
    147 int4gt(Int4, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x > y);
    150 int4ge(Int4, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x >= y);
    467 int8eq(Int8, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    468 int8ne(Int8, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    469 int8lt(Int8, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    471 int8le(Int8, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    470 int8gt(Int8, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    472 int8ge(Int8, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    184 oideq(Oid, Oid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x == y);
    185 oidne(Oid, Oid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x != y);
    716 oidlt(Oid, Oid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x < y);
    717 oidle(Oid, Oid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x <= y);
    1638 oidgt(Oid, Oid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x > y);
    1639 oidge(Oid, Oid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x >= y);
    1086 date_eq(Date, Date) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x == y);
    1091 date_ne(Date, Date) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x != y);
    1087 date_lt(Date, Date) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x < y);
    1088 date_le(Date, Date) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x <= y);
    1089 date_gt(Date, Date) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x > y);
    1090 date_ge(Date, Date) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i32| x >= y);
    1145 time_eq(Time, Time) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    1106 time_ne(Time, Time) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    1102 time_lt(Time, Time) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    1103 time_le(Time, Time) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    1104 time_gt(Time, Time) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    1105 time_ge(Time, Time) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    2052 timestamp_eq(Timestamp, Timestamp) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    2053 timestamp_ne(Timestamp, Timestamp) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    2054 timestamp_lt(Timestamp, Timestamp) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    2055 timestamp_le(Timestamp, Timestamp) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    2057 timestamp_gt(Timestamp, Timestamp) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    2056 timestamp_ge(Timestamp, Timestamp) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    1152 timestamptz_eq(TimestampTz, TimestampTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    1153 timestamptz_ne(TimestampTz, TimestampTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    1154 timestamptz_lt(TimestampTz, TimestampTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    1155 timestamptz_le(TimestampTz, TimestampTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    1157 timestamptz_gt(TimestampTz, TimestampTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    1156 timestamptz_ge(TimestampTz, TimestampTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    2956 uuid_eq(Uuid, Uuid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: [u8; 16], y: [u8; 16]| x == y);
    2959 uuid_ne(Uuid, Uuid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: [u8; 16], y: [u8; 16]| x != y);
    2954 uuid_lt(Uuid, Uuid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: [u8; 16], y: [u8; 16]| x < y);
    2955 uuid_le(Uuid, Uuid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: [u8; 16], y: [u8; 16]| x <= y);
    2958 uuid_gt(Uuid, Uuid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: [u8; 16], y: [u8; 16]| x > y);
    2957 uuid_ge(Uuid, Uuid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: [u8; 16], y: [u8; 16]| x >= y);
    5084 xid8eq(Xid8, Xid8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    5085 xid8ne(Xid8, Xid8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    5034 xid8lt(Xid8, Xid8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    5036 xid8le(Xid8, Xid8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    5035 xid8gt(Xid8, Xid8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    5037 xid8ge(Xid8, Xid8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    68 xideq(Xid, Xid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x == y);
    3308 xidneq(Xid, Xid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x != y);
    69 cideq(Cid, Cid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: u32| x == y);
    1292 tideq(Tid, Tid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    1265 tidne(Tid, Tid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    2791 tidlt(Tid, Tid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    2793 tidle(Tid, Tid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    2790 tidgt(Tid, Tid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    2792 tidge(Tid, Tid) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    1162 interval_eq(Interval, Interval) -> Bool: strict immutable = |c, a| predicate(c, a, |x: Interval, y: Interval| Ordering::is_eq(x.cmp_key().cmp(&y.cmp_key())));
    1163 interval_ne(Interval, Interval) -> Bool: strict immutable = |c, a| predicate(c, a, |x: Interval, y: Interval| Ordering::is_ne(x.cmp_key().cmp(&y.cmp_key())));
    1164 interval_lt(Interval, Interval) -> Bool: strict immutable = |c, a| predicate(c, a, |x: Interval, y: Interval| Ordering::is_lt(x.cmp_key().cmp(&y.cmp_key())));
    1165 interval_le(Interval, Interval) -> Bool: strict immutable = |c, a| predicate(c, a, |x: Interval, y: Interval| Ordering::is_le(x.cmp_key().cmp(&y.cmp_key())));
    1167 interval_gt(Interval, Interval) -> Bool: strict immutable = |c, a| predicate(c, a, |x: Interval, y: Interval| Ordering::is_gt(x.cmp_key().cmp(&y.cmp_key())));
    1166 interval_ge(Interval, Interval) -> Bool: strict immutable = |c, a| predicate(c, a, |x: Interval, y: Interval| Ordering::is_ge(x.cmp_key().cmp(&y.cmp_key())));
    287 float4eq(Float4, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f32| Ordering::is_eq(float4(x, y)));
    288 float4ne(Float4, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f32| Ordering::is_ne(float4(x, y)));
    289 float4lt(Float4, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f32| Ordering::is_lt(float4(x, y)));
    290 float4le(Float4, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f32| Ordering::is_le(float4(x, y)));
    291 float4gt(Float4, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f32| Ordering::is_gt(float4(x, y)));
    292 float4ge(Float4, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f32| Ordering::is_ge(float4(x, y)));
    293 float8eq(Float8, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f64| Ordering::is_eq(float8(x, y)));
    294 float8ne(Float8, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f64| Ordering::is_ne(float8(x, y)));
    295 float8lt(Float8, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f64| Ordering::is_lt(float8(x, y)));
    296 float8le(Float8, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f64| Ordering::is_le(float8(x, y)));
    297 float8gt(Float8, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f64| Ordering::is_gt(float8(x, y)));
    298 float8ge(Float8, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f64| Ordering::is_ge(float8(x, y)));
    60 booleq(Bool, Bool) -> Bool: strict immutable = |c, a| bool_compare(c, a, Ordering::is_eq);
    84 boolne(Bool, Bool) -> Bool: strict immutable = |c, a| bool_compare(c, a, Ordering::is_ne);
    56 boollt(Bool, Bool) -> Bool: strict immutable = |c, a| bool_compare(c, a, Ordering::is_lt);
    1691 boolle(Bool, Bool) -> Bool: strict immutable = |c, a| bool_compare(c, a, Ordering::is_le);
    57 boolgt(Bool, Bool) -> Bool: strict immutable = |c, a| bool_compare(c, a, Ordering::is_gt);
    1692 boolge(Bool, Bool) -> Bool: strict immutable = |c, a| bool_compare(c, a, Ordering::is_ge);
    67 texteq(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Equal);
    157 textne(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::NotEqual);
    740 text_lt(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    741 text_le(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    742 text_gt(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    743 text_ge(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    62 nameeq(Name, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::Equal);
    659 namene(Name, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::NotEqual);
    655 namelt(Name, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    656 namele(Name, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    657 namegt(Name, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    658 namege(Name, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    1948 byteaeq(Bytea, Bytea) -> Bool: strict immutable = |c, a| text(c, a, Test::Equal);
    1953 byteane(Bytea, Bytea) -> Bool: strict immutable = |c, a| text(c, a, Test::NotEqual);
    1949 bytealt(Bytea, Bytea) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    1950 byteale(Bytea, Bytea) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    1951 byteagt(Bytea, Bytea) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    1952 byteage(Bytea, Bytea) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    61 chareq(Char, Char) -> Bool: strict immutable = |c, a| text(c, a, Test::Equal);
    70 charne(Char, Char) -> Bool: strict immutable = |c, a| text(c, a, Test::NotEqual);
    1246 charlt(Char, Char) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    72 charle(Char, Char) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    73 chargt(Char, Char) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    74 charge(Char, Char) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    1048 bpchareq(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::Equal);
    1053 bpcharne(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::NotEqual);
    1049 bpcharlt(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::Less);
    1050 bpcharle(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::LessEqual);
    1051 bpchargt(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::Greater);
    1052 bpcharge(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::GreaterEqual);
    2160 text_pattern_lt(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    2161 text_pattern_le(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    2164 text_pattern_gt(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    2163 text_pattern_ge(Text, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    2174 bpchar_pattern_lt(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::Less);
    2175 bpchar_pattern_le(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::LessEqual);
    2178 bpchar_pattern_gt(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::Greater);
    2177 bpchar_pattern_ge(BpChar, BpChar) -> Bool: strict immutable = |c, a| bpchar(c, a, Test::GreaterEqual);
};

/// Comparisons across types.
#[rustfmt::skip]
pub(crate) static MIXED: &[ScalarFunction] = family! {
    299 float48eq(Float4, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f64| Ordering::is_eq(float8(x.into(), y)));
    300 float48ne(Float4, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f64| Ordering::is_ne(float8(x.into(), y)));
    301 float48lt(Float4, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f64| Ordering::is_lt(float8(x.into(), y)));
    302 float48le(Float4, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f64| Ordering::is_le(float8(x.into(), y)));
    303 float48gt(Float4, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f64| Ordering::is_gt(float8(x.into(), y)));
    304 float48ge(Float4, Float8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f32, y: f64| Ordering::is_ge(float8(x.into(), y)));
    305 float84eq(Float8, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f32| Ordering::is_eq(float8(x, y.into())));
    306 float84ne(Float8, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f32| Ordering::is_ne(float8(x, y.into())));
    307 float84lt(Float8, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f32| Ordering::is_lt(float8(x, y.into())));
    308 float84le(Float8, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f32| Ordering::is_le(float8(x, y.into())));
    309 float84gt(Float8, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f32| Ordering::is_gt(float8(x, y.into())));
    310 float84ge(Float8, Float4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: f64, y: f32| Ordering::is_ge(float8(x, y.into())));
    240 nameeqtext(Name, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Equal);
    247 texteqname(Text, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::Equal);
    245 namenetext(Name, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::NotEqual);
    252 textnename(Text, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::NotEqual);
    241 namelttext(Name, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    248 textltname(Text, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::Less);
    242 nameletext(Name, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    249 textlename(Text, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::LessEqual);
    244 namegttext(Name, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    251 textgtname(Text, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::Greater);
    243 namegetext(Name, Text) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    250 textgename(Text, Name) -> Bool: strict immutable = |c, a| text(c, a, Test::GreaterEqual);
    158 int24eq(Int2, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i32| i32::from(x) == y);
    164 int24ne(Int2, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i32| i32::from(x) != y);
    160 int24lt(Int2, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i32| i32::from(x) < y);
    166 int24le(Int2, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i32| i32::from(x) <= y);
    162 int24gt(Int2, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i32| i32::from(x) > y);
    168 int24ge(Int2, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i32| i32::from(x) >= y);
    1850 int28eq(Int2, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i64| i64::from(x) == y);
    1851 int28ne(Int2, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i64| i64::from(x) != y);
    1852 int28lt(Int2, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i64| i64::from(x) < y);
    1854 int28le(Int2, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i64| i64::from(x) <= y);
    1853 int28gt(Int2, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i64| i64::from(x) > y);
    1855 int28ge(Int2, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i16, y: i64| i64::from(x) >= y);
    159 int42eq(Int4, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i16| x == i32::from(y));
    165 int42ne(Int4, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i16| x != i32::from(y));
    161 int42lt(Int4, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i16| x < i32::from(y));
    167 int42le(Int4, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i16| x <= i32::from(y));
    163 int42gt(Int4, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i16| x > i32::from(y));
    169 int42ge(Int4, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i16| x >= i32::from(y));
    852 int48eq(Int4, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i64| i64::from(x) == y);
    853 int48ne(Int4, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i64| i64::from(x) != y);
    854 int48lt(Int4, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i64| i64::from(x) < y);
    856 int48le(Int4, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i64| i64::from(x) <= y);
    855 int48gt(Int4, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i64| i64::from(x) > y);
    857 int48ge(Int4, Int8) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i32, y: i64| i64::from(x) >= y);
    1856 int82eq(Int8, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i16| x == i64::from(y));
    1857 int82ne(Int8, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i16| x != i64::from(y));
    1858 int82lt(Int8, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i16| x < i64::from(y));
    1860 int82le(Int8, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i16| x <= i64::from(y));
    1859 int82gt(Int8, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i16| x > i64::from(y));
    1861 int82ge(Int8, Int2) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i16| x >= i64::from(y));
    474 int84eq(Int8, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i32| x == i64::from(y));
    475 int84ne(Int8, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i32| x != i64::from(y));
    476 int84lt(Int8, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i32| x < i64::from(y));
    478 int84le(Int8, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i32| x <= i64::from(y));
    477 int84gt(Int8, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i32| x > i64::from(y));
    479 int84ge(Int8, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i32| x >= i64::from(y));
    1319 xideqint4(Xid, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: i32| x == y as u32);
    3309 xidneqint4(Xid, Int4) -> Bool: strict immutable = |c, a| predicate(c, a, |x: u32, y: i32| x != y as u32);
};
