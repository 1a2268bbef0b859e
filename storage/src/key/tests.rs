//! The order of keys is the order of values.

use super::*;
use crate::testing::{Chance, types};
use damask_types::{Interval, Numeric};
use std::cmp::Ordering;

/// An exact fraction's digits, by plain long arithmetic: sign, then value scaled by 10^400 as decimal text.
fn scaled_text(value: &Numeric) -> (bool, String) {
    let (negative, digits, scale) = match value {
        Numeric::Decimal { mantissa, scale } => {
            (*mantissa < 0, mantissa.unsigned_abs().to_string(), *scale)
        }
        Numeric::Big(big) => {
            let limbs: Vec<String> =
                big.limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
            let digits = limbs.concat();
            (big.negative, digits, big.scale)
        }
        _ => unreachable!("finite"),
    };
    let text = digits + &"0".repeat(400 - usize::from(scale));
    let text = text.trim_start_matches('0').to_owned();
    (negative && !text.is_empty(), text)
}

fn compare_numeric(a: &Numeric, b: &Numeric) -> Ordering {
    let class = |value: &Numeric| match value {
        Numeric::NegativeInfinity => 0,
        Numeric::Decimal { .. } | Numeric::Big(_) => 1,
        Numeric::PositiveInfinity => 2,
        Numeric::NaN => 3,
    };
    if (class(a), class(b)) != (1, 1) {
        return class(a).cmp(&class(b));
    }
    let (a, b) = (scaled_text(a), scaled_text(b));
    let magnitude = |a: &str, b: &str| a.len().cmp(&b.len()).then_with(|| a.cmp(b));
    match (a.0, b.0) {
        (false, false) => magnitude(&a.1, &b.1),
        (true, true) => magnitude(&b.1, &a.1),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

fn compare_float(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).unwrap(),
        (a, b) => a.cmp(&b),
    }
}

/// PostgreSQL's order of two values of one type, neither null; elements' nulls are last.
fn compare(ty: TypeId, a: &Value, b: &Value) -> Ordering {
    let items = |a: &[Value], b: &[Value]| {
        for (a, b) in a.iter().zip(b) {
            let order = match (a.is_null(), b.is_null()) {
                (false, false) => compare(TypeId::Text, a, b),
                (a, b) => a.cmp(&b),
            };
            if order.is_ne() {
                return order;
            }
        }
        a.len().cmp(&b.len())
    };
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Float4(a), Value::Float4(b)) => compare_float((*a).into(), (*b).into()),
        (Value::Float8(a), Value::Float8(b)) => compare_float(*a, *b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::TimestampTz(a), Value::TimestampTz(b)) => a.cmp(b),
        (Value::Interval(a), Value::Interval(b)) => a.cmp_key().cmp(&b.cmp_key()),
        (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
        (Value::Numeric(a), Value::Numeric(b)) => compare_numeric(a, b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) if ty == TypeId::BpChar => {
            a.trim_end_matches(' ').cmp(b.trim_end_matches(' '))
        }
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Array(a), Value::Array(b)) => items(&a.values, &b.values),
        (Value::Record(a), Value::Record(b)) => {
            let values = |fields: &[(TypeId, Value)]| -> Vec<Value> {
                fields.iter().map(|(_, value)| value.clone()).collect()
            };
            items(&values(a), &values(b))
        }
        _ => a.as_i64().unwrap().cmp(&b.as_i64().unwrap()),
    }
}

fn compare_columns(columns: &[KeyColumn], a: &[Value], b: &[Value]) -> Ordering {
    for (column, (a, b)) in columns.iter().zip(a.iter().zip(b)) {
        let order = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if column.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if column.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if column.descending => compare(column.ty.id, b, a),
            (false, false) => compare(column.ty.id, a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

#[test]
fn keys_order_as_values_do() {
    let mut chance = Chance(11);
    for ty in types() {
        for _ in 0..1500 {
            let column = |chance: &mut Chance, ty| KeyColumn {
                ty,
                descending: chance.one_in(2),
                nulls_first: chance.one_in(2),
            };
            // A second column shows that nothing of the first leaks into it.
            let columns = [column(&mut chance, ty), column(&mut chance, TypeId::Int2.into())];
            let mut values = || [chance.value(ty), chance.value(TypeId::Int2.into())];
            let (a, b) = (values(), values());
            let keys = [encode_key(&columns, &a).unwrap(), encode_key(&columns, &b).unwrap()];
            assert_eq!(
                keys[0].cmp(&keys[1]),
                compare_columns(&columns, &a, &b),
                "{columns:?}: {a:?} and {b:?} as {keys:?}"
            );
            // K2 and K3.
            let prefix = encode_key(&columns, &a[..1]).unwrap();
            assert!(keys[0].starts_with(&prefix));
            let same_first = compare_columns(&columns[..1], &a[..1], &b[..1]).is_eq();
            assert_eq!(keys[1].starts_with(&prefix), same_first);
            let above = prefix_successor(&prefix).unwrap();
            assert!(keys[0] < above && (same_first || keys[1] < prefix || keys[1] >= above));
        }
    }
}

#[test]
fn lossless_keys_come_back() {
    let mut chance = Chance(12);
    for ty in types() {
        for _ in 0..200 {
            let column =
                KeyColumn { ty, descending: chance.one_in(2), nulls_first: chance.one_in(2) };
            let value = chance.value(ty);
            let key = encode_key(&[column], std::slice::from_ref(&value)).unwrap();
            let mut out = Vec::new();
            let decoded = decode_key(&[column], &key, &mut out);
            assert_eq!(decoded.is_ok(), column.is_lossless());
            if column.is_lossless() {
                assert_eq!(out, [value]);
                // Damage is an error or another value, never a panic.
                for end in 0..key.len() {
                    decode_key(&[column], &key[..end], &mut out).unwrap_err();
                }
            }
        }
    }
}

#[test]
fn equal_values_of_different_looks_have_one_key() {
    let number = |mantissa, scale| Value::Numeric(Numeric::Decimal { mantissa, scale });
    let month = |months, days| Value::Interval(Interval { months, days, micros: 0 });
    let cases = [
        (TypeId::Numeric, number(110, 2), number(11, 1)),
        (TypeId::Numeric, number(0, 5), number(0, 0)),
        (TypeId::Numeric, number(1_000_000, 0), number(10_000_000, 1)),
        (TypeId::Float8, Value::Float8(0.0), Value::Float8(-0.0)),
        (TypeId::Float4, Value::Float4(f32::NAN), Value::Float4(-f32::NAN)),
        (TypeId::BpChar, Value::text("a  "), Value::text("a")),
        (TypeId::Interval, month(1, 0), month(0, 30)),
        (TypeId::Int8, Value::Int8(5), Value::Int4(5)),
    ];
    for (ty, a, b) in cases {
        let column = [KeyColumn::ascending(ty)];
        assert_eq!(encode_key(&column, &[a]).unwrap(), encode_key(&column, &[b]).unwrap());
    }
}

#[test]
fn successors_end_prefixes() {
    assert_eq!(prefix_successor(&[1, 2]), Some(vec![1, 3]));
    assert_eq!(prefix_successor(&[1, 255, 255]), Some(vec![2]));
    assert_eq!(prefix_successor(&[255]), None);
    assert_eq!(prefix_successor(&[]), None);
}

#[test]
fn keys_too_long_are_refused_as_postgresql_does() {
    let key = vec![0; 2697];
    let error = check_key_len(&key, crate::page::PAGE_BYTES, "t_a_idx").unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    assert_eq!(
        error.message(),
        "index row size 2705 exceeds btree version 4 maximum 2704 for index \"t_a_idx\""
    );
    check_key_len(&key[1..], crate::page::PAGE_BYTES, "t_a_idx").unwrap();
}
