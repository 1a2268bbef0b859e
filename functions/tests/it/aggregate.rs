//! Aggregates: grouped, ungrouped and merged folds agree with each other and with PostgreSQL 15.

use crate::session;
use damask_functions::registry;
use damask_functions::text_io::{input, output};
use damask_types::{Mask, TypeId, Value, Vector};

/// `name` over texts of `ty`, `-` being null: in one go, by groups, and merged from two halves.
fn aggregate(name: &str, ty: TypeId, texts: &[&str]) -> String {
    let session = session();
    let function = *registry::aggregates(name)
        .iter()
        .find(|aggregate| {
            aggregate.args.len() <= 1
                && aggregate.args.first().is_none_or(|&arg| {
                    arg == ty || matches!(arg, TypeId::Any | TypeId::AnyNonArray)
                })
        })
        .expect("an aggregate of this type");
    let result = match function.result {
        TypeId::AnyArray => ty.array().expect("the type has arrays"),
        result => result,
    };
    let values: Vec<Value> = texts
        .iter()
        .map(|text| match *text {
            "-" => Value::Null,
            text => input(&session, ty.into(), text).expect("a value of the type"),
        })
        .collect();
    let vector = Vector::from_values(ty, &values);
    let make = || (function.make)(&[ty.into()], result.into());
    let rows = values.len();
    let show = |vector: Vector| {
        output(&session, result, &vector.value(0)).unwrap_or_else(|| "null".to_owned())
    };

    let mut one = make();
    one.resize(1);
    one.update_one(&session, 0, std::slice::from_ref(&vector), &Mask::first(rows))
        .expect("no error");
    let expected = show(one.finish(&session, 0, 1).expect("no error"));

    let mut grouped = make();
    grouped.resize(2);
    let groups = vec![1; rows];
    grouped
        .update(&session, &groups, std::slice::from_ref(&vector), &Mask::first(rows))
        .expect("no error");
    assert_eq!(
        show(grouped.finish(&session, 1, 1).expect("no error")),
        expected,
        "{name} by group"
    );

    let (mut left, mut right) = (make(), make());
    left.resize(1);
    right.resize(1);
    let half = Mask::first(rows / 2);
    left.update_one(&session, 0, std::slice::from_ref(&vector), &half).expect("no error");
    let rest = Mask::first(rows).and_not(&half);
    right.update_one(&session, 0, &[vector], &rest).expect("no error");
    left.merge(right, &[0]).expect("no error");
    assert_eq!(show(left.finish(&session, 0, 1).expect("no error")), expected, "{name} merged");
    expected
}

#[test]
fn numbers() {
    let ints = ["1", "2", "-", "4"];
    assert_eq!(aggregate("count", TypeId::Int4, &ints), "3");
    assert_eq!(aggregate("sum", TypeId::Int4, &ints), "7");
    assert_eq!(
        aggregate("sum", TypeId::Int8, &["9223372036854775807", "1"]),
        "9223372036854775808"
    );
    assert_eq!(aggregate("avg", TypeId::Int4, &ints), "2.3333333333333333");
    assert_eq!(aggregate("max", TypeId::Int4, &ints), "4");
    assert_eq!(aggregate("stddev", TypeId::Int4, &ints), "1.5275252316519467");
    assert_eq!(aggregate("var_pop", TypeId::Int4, &ints), "1.5555555555555556");
    assert_eq!(aggregate("bit_or", TypeId::Int4, &ints), "7");
    assert_eq!(aggregate("sum", TypeId::Int4, &["-"]), "null");
    assert_eq!(aggregate("count", TypeId::Int4, &["-"]), "0");
    let numerics = ["1.10", "2.250", "-", "3"];
    assert_eq!(aggregate("sum", TypeId::Numeric, &numerics), "6.350");
    assert_eq!(aggregate("avg", TypeId::Numeric, &numerics), "2.1166666666666667");
    assert_eq!(aggregate("min", TypeId::Numeric, &numerics), "1.10");
    assert_eq!(
        aggregate("avg", TypeId::Numeric, &["10.00", "20.00", "5.00"]),
        "11.6666666666666667"
    );
    assert_eq!(aggregate("avg", TypeId::Float8, &["1", "2.5"]), "1.75");
    assert_eq!(aggregate("variance", TypeId::Float8, &["1", "2", "3"]), "1");
}

#[test]
fn others() {
    assert_eq!(aggregate("max", TypeId::Text, &["a", "-", "b"]), "b");
    assert_eq!(aggregate("min", TypeId::Date, &["2000-01-02", "1999-12-31"]), "1999-12-31");
    assert_eq!(aggregate("bool_and", TypeId::Bool, &["t", "-", "f"]), "f");
    assert_eq!(aggregate("array_agg", TypeId::Int4, &["1", "-", "3"]), "{1,NULL,3}");
    assert_eq!(aggregate("sum", TypeId::Interval, &["1 day", "02:00"]), "1 day 02:00:00");
    assert_eq!(aggregate("avg", TypeId::Interval, &["1 day", "02:00"]), "13:00:00");
}
