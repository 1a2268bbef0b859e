//! Rows of batches as data messages, straight into the output buffer.

use super::Outbound;
use damask_types::format::{
    FormatSettings, write_binary, write_binary_at, write_text, write_text_at,
};
use damask_types::{Batch, TypeId, Value, Vector};

/// Which result columns are binary.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Formats {
    /// All are text.
    #[default]
    Text,
    /// All are binary.
    Binary,
    /// One flag a column.
    Each(Vec<bool>),
}

impl Formats {
    /// The formats of a bind message: none, one for all, or one each.
    pub(crate) fn new(flags: Vec<bool>) -> Self {
        match flags.as_slice() {
            [] | [false] => Self::Text,
            [true] => Self::Binary,
            _ => Self::Each(flags),
        }
    }

    /// Column `index` is binary.
    pub(crate) fn is_binary(&self, index: usize) -> bool {
        match self {
            Self::Text => false,
            Self::Binary => true,
            Self::Each(flags) => flags.get(index).copied().unwrap_or(false),
        }
    }
}

/// Appends the rows of `batch` that count, as many as `limit`, from the one after `skip` on.
pub(crate) fn write_rows(
    out: &mut Outbound,
    batch: &Batch,
    rows: impl Iterator<Item = usize>,
    formats: &Formats,
    settings: &FormatSettings,
) {
    for row in rows {
        write_row(&mut out.bytes, &batch.columns, row, formats, settings);
    }
}

fn write_row(
    bytes: &mut Vec<u8>,
    columns: &[Vector],
    row: usize,
    formats: &Formats,
    settings: &FormatSettings,
) {
    write_message(bytes, columns.len(), |index, bytes| {
        let column = &columns[index];
        let is_null = column.is_null(row);
        if is_null {
        } else if formats.is_binary(index) {
            write_binary_at(column, row, bytes);
        } else {
            write_text_at(column, row, settings, bytes);
        }
        !is_null
    });
}

/// Appends one row of values of these types.
pub(crate) fn write_values(
    bytes: &mut Vec<u8>,
    types: &[TypeId],
    values: &[Value],
    formats: &Formats,
    settings: &FormatSettings,
) {
    write_message(bytes, values.len(), |index, bytes| {
        let (ty, value) = (types[index], &values[index]);
        if value.is_null() {
        } else if formats.is_binary(index) {
            write_binary(ty, value, bytes);
        } else {
            write_text(ty, value, settings, bytes);
        }
        !value.is_null()
    });
}

/// A data message; `write` appends a column's value, or says that it is null.
#[inline]
fn write_message(bytes: &mut Vec<u8>, columns: usize, write: impl Fn(usize, &mut Vec<u8>) -> bool) {
    let start = bytes.len();
    bytes.extend_from_slice(&[b'D', 0, 0, 0, 0]);
    bytes.extend_from_slice(&(columns as u16).to_be_bytes());
    for index in 0..columns {
        let at = bytes.len();
        bytes.extend_from_slice(&[0xff; 4]);
        if write(index, bytes) {
            let length = (bytes.len() - at - 4) as u32;
            bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
    }
    let length = (bytes.len() - start - 1) as u32;
    bytes[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_types::{TypeId, Value};

    #[test]
    fn rows_are_text_or_binary_by_column() {
        let ints = Vector::from_values(TypeId::Int4, &[Value::Int4(7), Value::Null]);
        let texts = Vector::from_values(TypeId::Text, &[Value::text("ab"), Value::text("")]);
        let batch = Batch::new(vec![ints, texts], 2);
        let mut out = Outbound::default();
        let formats = Formats::new(vec![true, false]);
        write_rows(&mut out, &batch, 0..2, &formats, &FormatSettings::default());
        let expected = [
            &b"D\0\0\0\x14\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02ab"[..],
            b"D\0\0\0\x0e\0\x02\xff\xff\xff\xff\0\0\0\0",
        ]
        .concat();
        assert_eq!(out.bytes, expected);
    }
}
