//! `string_agg` and `array_agg`: every value, in the order of the rows.

use super::grouped::{Fold, Grouped};
use crate::Session;
use crate::aggregate::{Accumulator, AggregateFunction};
use damask_types::array::ArrayValue;
use damask_types::{
    Error, Mask, Oid, Result, SqlState, SqlType, TypeId, Value, Vector, VectorData, Views,
};

/// Values joined with delimiters; a null value is left out, a null delimiter is none, the first one is not used.
#[derive(Debug)]
struct Joined {
    is_text: bool,
}

/// The bytes, beginning with a delimiter of this length.
#[derive(Debug, Default)]
struct Piece {
    bytes: Option<Vec<u8>>,
    first_delimiter: usize,
}

fn views(vector: &Vector) -> &Views {
    match &vector.data {
        VectorData::Bytes(views) => views,
        other => panic!("string_agg was given {other:?}"),
    }
}

impl Fold for Joined {
    type State = Piece;
    const STRICT: bool = false;

    fn update(
        &self,
        states: &mut [Piece],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        let (values, delimiters) = (views(&args[0]), views(&args[1]));
        for row in rows.iter().filter(|&row| !args[0].is_null(row)) {
            let delimiter: &[u8] =
                if args[1].is_null(row) { &[] } else { delimiters.get(args[1].index(row)) };
            let state = &mut states[group(row)];
            let bytes = match &mut state.bytes {
                Some(bytes) => bytes,
                none @ None => {
                    state.first_delimiter = delimiter.len();
                    none.insert(Vec::new())
                }
            };
            bytes.extend_from_slice(delimiter);
            bytes.extend_from_slice(values.get(args[0].index(row)));
        }
        Ok(())
    }

    fn merge(&self, state: &mut Piece, other: Piece) -> Result<()> {
        match (&mut state.bytes, other.bytes) {
            (Some(bytes), Some(others)) => bytes.extend(others),
            (None, bytes) => *state = Piece { bytes, first_delimiter: other.first_delimiter },
            (Some(_), None) => {}
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Piece) -> Result<Value> {
        let Some(bytes) = &state.bytes else {
            return Ok(Value::Null);
        };
        let bytes = &bytes[state.first_delimiter..];
        if !self.is_text {
            return Ok(Value::Bytes(bytes.into()));
        }
        std::str::from_utf8(bytes)
            .map(Value::text)
            .map_err(|_| Error::internal("string_agg joins whole texts"))
    }

    fn heap_bytes(state: &Piece) -> usize {
        state.bytes.as_ref().map_or(0, Vec::capacity)
    }
}

/// Values as an array, nulls included.
#[derive(Debug)]
struct Elements {
    element: TypeId,
}

impl Fold for Elements {
    type State = Option<Vec<Value>>;
    const STRICT: bool = false;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            states[group(row)].get_or_insert_default().push(args[0].value(row));
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        match (&mut *state, other) {
            (Some(values), Some(others)) => values.extend(others),
            (None, other) => *state = other,
            (Some(_), None) => {}
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        Ok(match state {
            None => Value::Null,
            Some(values) => Value::array(self.element, values.clone()),
        })
    }

    fn heap_bytes(state: &Self::State) -> usize {
        state.as_ref().map_or(0, |values| values.capacity() * size_of::<Value>())
    }
}

/// Arrays of one shape as an array of one more dimension.
#[derive(Debug)]
struct Arrays;

impl Fold for Arrays {
    type State = Option<(ArrayValue, i32)>;
    const STRICT: bool = false;

    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()> {
        for row in rows.iter() {
            let Value::Array(array) = args[0].value(row) else {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "cannot accumulate null arrays",
                ));
            };
            if array.dims.is_empty() {
                return Err(Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "cannot accumulate empty arrays",
                ));
            }
            self.merge(&mut states[group(row)], Some(((*array).clone(), 1)))?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        let Some((array, count)) = other else {
            return Ok(());
        };
        match state {
            None => *state = Some((array, count)),
            Some((all, total)) if all.dims == array.dims => {
                all.values.extend(array.values);
                *total += count;
            }
            Some(_) => {
                return Err(Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "cannot accumulate arrays of different dimensionality",
                ));
            }
        }
        Ok(())
    }

    fn finish(&self, _: &dyn Session, state: &Self::State) -> Result<Value> {
        let Some((array, count)) = state else {
            return Ok(Value::Null);
        };
        let mut array = array.clone();
        array.dims.insert(0, (*count, 1));
        Ok(array.into())
    }

    fn heap_bytes(state: &Self::State) -> usize {
        state.as_ref().map_or(0, |(array, _)| array.values.capacity() * size_of::<Value>())
    }
}

const fn ordered(
    oid: u32,
    name: &'static str,
    args: &'static [TypeId],
    result: TypeId,
    make: fn(&[SqlType], SqlType) -> Box<dyn Accumulator>,
) -> AggregateFunction {
    AggregateFunction {
        oid: Oid(oid),
        name,
        args,
        result,
        empty_is_zero: false,
        ordered: true,
        make,
    }
}

/// The family.
#[rustfmt::skip]
pub(crate) static AGGREGATES: &[AggregateFunction] = &[
    ordered(3538, "string_agg", &[TypeId::Text, TypeId::Text], TypeId::Text, |_, r| Grouped::boxed(Joined { is_text: true }, r)),
    ordered(3545, "string_agg", &[TypeId::Bytea, TypeId::Bytea], TypeId::Bytea, |_, r| Grouped::boxed(Joined { is_text: false }, r)),
    ordered(2335, "array_agg", &[TypeId::AnyNonArray], TypeId::AnyArray, |args, r| {
        Grouped::boxed(Elements { element: args[0].id }, r)
    }),
    ordered(4053, "array_agg", &[TypeId::AnyArray], TypeId::AnyArray, |_, r| Grouped::boxed(Arrays, r)),
];
