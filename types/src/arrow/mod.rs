//! The edge to Arrow: vectors and batches as Arrow's arrays, and back.
//!
//! Buffers of flat numbers, times of day and views are shared, not copied. What Arrow holds otherwise is converted: bits,
//! dates and timestamps (from the epoch of 2000 to 1970), numerics (`Decimal128(38, scale)` where one scale fits, else
//! text), intervals (microseconds to nanoseconds). Types of one meaning each: `uuid` is `FixedSizeBinary(16)`, `timetz`
//! and other text-like types are text, `oid` is `UInt32`, an array is a `List`.
//!
//! Left out: arrays of several dimensions or with other lower bounds than 1, and records; they are 0A000. Infinite dates
//! and timestamps have no place in Arrow and are 22008.

mod export;
mod import;

pub use export::{to_array, to_record_batch, to_record_batches};
pub use import::{from_array, from_record_batch};

use crate::{Error, SqlState};

#[cold]
fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range for Arrow"))
}

#[cold]
fn failed(error: arrow_schema::ArrowError) -> Error {
    Error::internal("an array could not be built").source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayValue;
    use crate::{Batch, Interval, Numeric, Oid, TypeId, Value, Vector};

    #[test]
    fn vectors_come_back() {
        let number = |text: &str| Value::Numeric(Numeric::parse(text).expect("a number"));
        let list = |values: Vec<Value>| Value::array(TypeId::Int4, values);
        let cases: Vec<(TypeId, Vec<Value>)> = vec![
            (TypeId::Bool, vec![Value::Bool(true), Value::Null, Value::Bool(false)]),
            (TypeId::Int2, vec![Value::Int2(-1), Value::Null]),
            (TypeId::Int4, vec![Value::Int4(i32::MIN), Value::Int4(7)]),
            (TypeId::Int8, vec![Value::Int8(1 << 40), Value::Null]),
            (TypeId::Oid, vec![Value::Oid(Oid(u32::MAX))]),
            (TypeId::Float4, vec![Value::Float4(1.5)]),
            (TypeId::Float8, vec![Value::Float8(-0.25), Value::Null]),
            (TypeId::Numeric, vec![number("1.10"), Value::Null, number("-20.05")]),
            (TypeId::Date, vec![Value::Date(0), Value::Date(-40_000)]),
            (TypeId::Time, vec![Value::Time(86_399_999_999)]),
            (TypeId::Timestamp, vec![Value::Timestamp(5), Value::Null]),
            (TypeId::TimestampTz, vec![Value::TimestampTz(-5)]),
            (TypeId::Interval, vec![Value::Interval(Interval { months: 1, days: -2, micros: 3 })]),
            (TypeId::Uuid, vec![Value::Uuid([7; 16]), Value::Null]),
            (
                TypeId::Text,
                vec![Value::text("a"), Value::text("longer than what lies in a view"), Value::Null],
            ),
            (TypeId::Bytea, vec![Value::Bytes([0u8, 255].as_slice().into())]),
            (
                TypeId::Int4Array,
                vec![
                    list(vec![Value::Int4(1), Value::Null]),
                    Value::Null,
                    list(vec![]),
                    list(vec![Value::Int4(3)]),
                ],
            ),
        ];
        for (ty, values) in cases {
            let vector = Vector::from_values(ty, &values);
            let array = to_array(&vector).expect("it has an Arrow form");
            let back = from_array(&array).expect("it comes back");
            assert_eq!(back.ty, ty);
            let found: Vec<Value> = (0..values.len()).map(|i| back.value(i)).collect();
            assert_eq!(found, values, "{ty:?}");
        }
    }

    #[test]
    fn batches_keep_selected_rows_only() {
        let column = Vector::from_values(TypeId::Int4, &[1, 2, 3].map(Value::Int4));
        let mut batch = Batch::new(vec![column, Vector::nulls(TypeId::Text, 3)], 3);
        let mut mask = crate::Mask::NONE;
        mask.set(1, true);
        batch.select(&mask);
        let record = to_record_batch(&batch, &["a", "b"]).expect("it has an Arrow form");
        assert_eq!((record.num_rows(), record.num_columns()), (1, 2));
        let back = from_record_batch(&record).expect("it comes back");
        assert_eq!(back.columns[0].value(0), Value::Int4(2));
        assert_eq!(back.columns[1].value(0), Value::Null);
    }

    #[test]
    fn what_arrow_cannot_hold_is_an_error() {
        let infinite = Vector::from_values(TypeId::Timestamp, &[Value::Timestamp(i64::MAX)]);
        assert_eq!(
            to_array(&infinite).expect_err("no infinity").sqlstate(),
            SqlState::DATETIME_FIELD_OVERFLOW
        );
        let deep = ArrayValue {
            element: TypeId::Int4,
            dims: vec![(1, 1), (1, 1)],
            values: vec![Value::Int4(1)],
        };
        let deep = Vector::from_values(TypeId::Int4Array, &[Value::from(deep)]);
        assert_eq!(
            to_array(&deep).expect_err("one dimension").sqlstate(),
            SqlState::FEATURE_NOT_SUPPORTED
        );
        let mixed = ["1.5", "1.25"].map(|text| Value::Numeric(Numeric::parse(text).expect("ok")));
        let mixed = to_array(&Vector::from_values(TypeId::Numeric, &mixed)).expect("as text");
        assert_eq!(mixed.data_type(), &arrow_schema::DataType::Utf8View);
    }

    #[test]
    fn a_result_has_one_schema() {
        let column = |texts: &[&str]| {
            let values: Vec<Value> = texts
                .iter()
                .map(|text| Value::Numeric(Numeric::parse(text).expect("a number")))
                .collect();
            Batch::new(vec![Vector::from_values(TypeId::Numeric, &values)], values.len())
        };
        let columns = [("n", TypeId::Numeric)];
        let records = to_record_batches(&[column(&["1.5", "2"]), column(&["0.125"])], &columns)
            .expect("they have an Arrow form");
        assert_eq!(records.len(), 2);
        let shape = arrow_schema::DataType::Decimal128(38, 3);
        assert!(records.iter().all(|record| record.schema().field(0).data_type() == &shape));
        let back = from_record_batch(&records[0]).expect("it comes back");
        assert_eq!(
            back.columns[0].value(1),
            Value::Numeric(Numeric::parse("2.000").expect("a number"))
        );
        let records = to_record_batches(&[column(&["1e30", "1e-20"])], &columns).expect("as text");
        let text = arrow_schema::DataType::Utf8View;
        assert_eq!(records[0].schema().field(0).data_type(), &text);
        let records = to_record_batches(&[], &columns).expect("an empty result has a schema");
        assert_eq!((records.len(), records[0].num_rows(), records[0].num_columns()), (1, 0, 1));
    }
}
