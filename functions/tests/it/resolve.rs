//! Overload resolution: what PostgreSQL 15 answers for `pg_typeof` of the same expressions.

use damask_functions::CastContext;
use damask_functions::resolve::{
    CommonContext, ResolvedFunction, can_coerce, common_type, resolve_function, resolve_operator,
};
use damask_types::TypeId::{self, *};

fn operator(lhs: TypeId, name: &str, rhs: TypeId) -> String {
    match resolve_operator(name, Some(lhs), rhs) {
        Ok(found) => {
            format!("{:?} {name} {:?} -> {:?}", found.args[0], found.args[1], found.result)
        }
        Err(error) => format!("{} {}", error.sqlstate(), error.message()),
    }
}

fn function(name: &str, args: &[TypeId]) -> String {
    match resolve_function(name, args, false) {
        Ok(ResolvedFunction::Scalar(found)) => format!("{:?} -> {:?}", found.args, found.result),
        Ok(ResolvedFunction::Aggregate(found)) => {
            format!("aggregate {:?} -> {:?}", found.args, found.result)
        }
        Ok(ResolvedFunction::Table(found)) => {
            format!("table {:?} -> {:?}", found.args, found.result)
        }
        Ok(ResolvedFunction::Cast { target, .. }) => format!("cast to {target:?}"),
        Err(error) => format!("{} {}", error.sqlstate(), error.message()),
    }
}

#[test]
fn operators() {
    assert_eq!(operator(Int4, "+", Int8), "int4 + int8 -> int8");
    assert_eq!(operator(Int4, "=", Unknown), "int4 = int4 -> bool");
    assert_eq!(operator(Int2, "+", Numeric), "numeric + numeric -> numeric");
    assert_eq!(operator(Numeric, "*", Float8), "float8 * float8 -> float8");
    assert_eq!(operator(Varchar, "=", Unknown), "text = text -> bool");
    assert_eq!(operator(Varchar, "=", Varchar), "text = text -> bool");
    assert_eq!(operator(BpChar, "=", Unknown), "bpchar = bpchar -> bool");
    assert_eq!(operator(BpChar, "=", Text), "text = text -> bool");
    assert_eq!(operator(Unknown, "||", Unknown), "text || text -> text");
    assert_eq!(operator(Int4, "||", Text), "int4 || text -> text");
    assert_eq!(operator(Int4Array, "||", Int4), "_int4 || int4 -> _int4");
    assert_eq!(operator(Int4Array, "||", Int8), "_int8 || int8 -> _int8");
    assert_eq!(operator(Int4Array, "=", Unknown), "_int4 = _int4 -> bool");
    assert_eq!(operator(Date, "-", Date), "date - date -> int4");
    assert_eq!(operator(Date, "+", Interval), "date + interval -> timestamp");
    assert_eq!(operator(Date, "-", Unknown), "date - date -> int4");
    assert_eq!(operator(Timestamp, "<", Unknown), "timestamp < timestamp -> bool");
    assert_eq!(operator(RegClass, "=", Oid), "oid = oid -> bool");
    assert_eq!(operator(Oid, "=", Int4), "oid = oid -> bool");
    assert_eq!(operator(Name, "=", Unknown), "name = name -> bool");
    assert_eq!(operator(Name, "~", Unknown), "name ~ text -> bool");
    assert_eq!(operator(Float4, "/", Int4), "float4 / float8 -> float8");
    assert_eq!(operator(Int4, "^", Int4), "float8 ^ float8 -> float8");
    assert_eq!(operator(Int4, "=", Text), "42883 operator does not exist: integer = text");
    assert_eq!(operator(Bool, "+", Bool), "42883 operator does not exist: boolean + boolean");
    assert_eq!(operator(Unknown, "+", Unknown), "42725 operator is not unique: unknown + unknown");
}

#[test]
fn functions() {
    assert_eq!(function("abs", &[Unknown]), "[float8] -> float8");
    assert_eq!(function("length", &[Varchar]), "[text] -> int4");
    assert_eq!(function("round", &[Int4]), "[float8] -> float8");
    assert_eq!(
        function("round", &[Float8, Int4]),
        "42883 function round(double precision, integer) does not exist"
    );
    assert_eq!(function("substr", &[Unknown, Int4]), "[text, int4] -> text");
    assert_eq!(function("sum", &[Int2]), "aggregate [int2] -> int8");
    assert_eq!(function("count", &[]), "aggregate [] -> int8");
    assert_eq!(function("max", &[Varchar]), "aggregate [text] -> text");
    assert_eq!(function("array_agg", &[Int4]), "aggregate [int4] -> _int4");
    assert_eq!(function("unnest", &[TextArray]), "table [_text] -> text");
    assert_eq!(function("generate_series", &[Int4, Int8]), "table [int8, int8] -> int8");
    assert_eq!(function("concat", &[Int4, Unknown]), "[int4, text] -> text");
    assert_eq!(function("to_char", &[Date, Unknown]), "[timestamptz, text] -> text");
    assert_eq!(function("int4", &[Unknown]), "cast to int4");
    assert_eq!(function("int4", &[Float8]), "[float8] -> int4");
    assert_eq!(
        function("date_trunc", &[Unknown, Unknown]),
        "42725 function date_trunc(unknown, unknown) is not unique"
    );
    assert_eq!(function("nothing", &[Int4]), "42883 function nothing(integer) does not exist");
}

#[test]
fn common_types() {
    let common = |types: &[TypeId]| match common_type(types, CommonContext::Case) {
        Ok(ty) => format!("{ty:?}"),
        Err(error) => format!("{} {}", error.sqlstate(), error.message()),
    };
    assert_eq!(common(&[Int4, Unknown, Int8]), "int8");
    assert_eq!(common(&[Int4, Numeric]), "numeric");
    assert_eq!(common(&[Unknown, Unknown]), "text");
    // Each converts to the other, so the first one stays.
    assert_eq!(common(&[Varchar, Text]), "varchar");
    assert_eq!(common(&[Text, Varchar]), "text");
    assert_eq!(common(&[Date, TimestampTz]), "timestamptz");
    assert_eq!(common(&[Text, Int4]), "42804 CASE types text and integer cannot be matched");
}

#[test]
fn coercions() {
    assert!(can_coerce(Int4, Int8, CastContext::Implicit));
    assert!(!can_coerce(Int8, Int4, CastContext::Implicit));
    assert!(can_coerce(Int8, Int4, CastContext::Assignment));
    assert!(can_coerce(Int4, Text, CastContext::Assignment));
    assert!(!can_coerce(Text, Int4, CastContext::Assignment));
    assert!(can_coerce(Text, Int4, CastContext::Explicit));
    assert!(!can_coerce(Date, Int4, CastContext::Explicit));
}
