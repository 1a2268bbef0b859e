//! COPY's binary format: a signature, then rows of counted fields in the types' binary forms, then a mark.

use super::decode::{RECORD_BYTES_MAX, bad_format, too_long};
use damask_types::format::write_binary_at;
use damask_types::{Batch, Result};
use std::ops::Range;

/// What every stream begins with; flags and the length of an extension follow.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;
/// The count of fields that ends the rows.
const END: i16 = -1;
/// Rows have OIDs, as long ago.
const WITH_OIDS: u32 = 1 << 16;
/// Flags whose meaning a reader must know.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

/// The start of a stream.
pub(crate) fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]);
}

/// The end of a stream.
pub(crate) fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&END.to_be_bytes());
}

/// Gives the bytes of each row that counts; what `out` holds already goes with the first.
pub(crate) fn write_rows(
    batch: &Batch,
    out: &mut Vec<u8>,
    give: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    for row in batch.active().iter() {
        out.extend_from_slice(&(batch.columns.len() as u16).to_be_bytes());
        for column in &batch.columns {
            if column.is_null(row) {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            }
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            write_binary_at(column, row, out);
            let length = (out.len() - start - 4) as u32;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        give(out)?;
        out.clear();
    }
    Ok(())
}

/// Cuts a stream into rows, however it arrives.
#[derive(Debug, Default)]
pub(crate) struct BinaryDecoder {
    buffer: Vec<u8>,
    start: usize,
    header_is_read: bool,
    ended: bool,
}

impl BinaryDecoder {
    /// Takes bytes in.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The bytes of a field of the row last found.
    pub(crate) fn bytes(&self, field: &Range<usize>) -> &[u8] {
        &self.buffer[field.clone()]
    }

    /// The next row's fields, none for null, into `fields`. False if more bytes are needed (or, when `is_last`, if there is none).
    ///
    /// # Errors
    /// 22P04 for what is no such stream, or a row of another count of fields than `columns`.
    pub(crate) fn next_row(
        &mut self,
        columns: usize,
        is_last: bool,
        fields: &mut Vec<Option<Range<usize>>>,
    ) -> Result<bool> {
        if !self.header_is_read && !self.read_header(is_last)? {
            return Ok(false);
        }
        if self.ended {
            return if self.start < self.buffer.len() {
                Err(bad_format("received copy data after EOF marker"))
            } else {
                Ok(false)
            };
        }
        let found = self.row(columns, fields)?;
        if !found && is_last && !self.ended && self.start < self.buffer.len() {
            return Err(bad_format("unexpected EOF in COPY data"));
        }
        Ok(found)
    }

    fn read_header(&mut self, is_last: bool) -> Result<bool> {
        let head = &self.buffer[self.start..];
        let known = head.len().min(SIGNATURE.len());
        if head[..known] != SIGNATURE[..known] || (is_last && known < SIGNATURE.len()) {
            return Err(bad_format("COPY file signature not recognized"));
        }
        let missing = |what: &str| {
            if is_last {
                Err(bad_format(format!("invalid COPY file header ({what})")))
            } else {
                Ok(false)
            }
        };
        let word = |at: usize| {
            head.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_be_bytes)
        };
        let Some(flags) = word(SIGNATURE.len()) else { return missing("missing flags") };
        if flags & WITH_OIDS != 0 {
            return Err(bad_format("invalid COPY file header (WITH OIDS)"));
        }
        if flags & CRITICAL_FLAGS != 0 {
            return Err(bad_format("unrecognized critical flags in COPY file header"));
        }
        let Some(extension) = word(SIGNATURE.len() + 4) else { return missing("missing length") };
        let extension = extension as usize;
        if extension > i32::MAX as usize {
            return Err(bad_format("invalid COPY file header (missing length)"));
        }
        if extension > RECORD_BYTES_MAX {
            return Err(bad_format("invalid COPY file header (wrong length)"));
        }
        if head.len() < HEADER_BYTES + extension {
            return missing("wrong length");
        }
        self.start += HEADER_BYTES + extension;
        self.header_is_read = true;
        Ok(true)
    }

    fn row(&mut self, columns: usize, fields: &mut Vec<Option<Range<usize>>>) -> Result<bool> {
        fields.clear();
        let mut at = self.start;
        let Some(&[high, low]) = self.buffer.get(at..at + 2) else { return Ok(false) };
        at += 2;
        let count = i16::from_be_bytes([high, low]);
        if count == END {
            self.start = at;
            self.ended = true;
            if self.start < self.buffer.len() {
                return Err(bad_format("received copy data after EOF marker"));
            }
            return Ok(false);
        }
        if usize::try_from(count) != Ok(columns) {
            return Err(bad_format(format!("row field count is {count}, expected {columns}")));
        }
        for _ in 0..columns {
            let Some(&[a, b, c, d]) = self.buffer.get(at..at + 4) else { return Ok(false) };
            at += 4;
            let length = i32::from_be_bytes([a, b, c, d]);
            if length == -1 {
                fields.push(None);
                continue;
            }
            let Ok(length) = usize::try_from(length) else {
                return Err(bad_format("invalid field size"));
            };
            if at - self.start + length > RECORD_BYTES_MAX {
                return Err(too_long());
            }
            if self.buffer.len() - at < length {
                return Ok(false);
            }
            fields.push(Some(at..at + length));
            at += length;
        }
        self.start = at;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_types::{TypeId, Value, Vector};

    fn stream() -> Vec<u8> {
        let ints = Vector::from_values(TypeId::Int4, &[Value::Int4(7), Value::Null]);
        let texts = Vector::from_values(TypeId::Text, &[Value::text("ab"), Value::text("")]);
        let mut bytes = vec![];
        write_header(&mut bytes);
        let batch = Batch::new(vec![ints, texts], 2);
        write_rows(&batch, &mut vec![], &mut |row| {
            bytes.extend_from_slice(row);
            Ok(())
        })
        .unwrap();
        write_end(&mut bytes);
        bytes
    }

    #[test]
    fn rows_come_back_whatever_the_cuts() {
        let bytes = stream();
        for cut in 0..=bytes.len() {
            let mut decoder = BinaryDecoder::default();
            let (mut rows, mut fields) = (vec![], vec![]);
            for (part, is_last) in [(&bytes[..cut], false), (&bytes[cut..], true)] {
                decoder.feed(part);
                while decoder.next_row(2, is_last, &mut fields).unwrap() {
                    let row: Vec<_> = fields
                        .iter()
                        .map(|field| field.as_ref().map(|field| decoder.bytes(field).to_vec()))
                        .collect();
                    rows.push(row);
                }
            }
            assert_eq!(
                rows,
                [vec![Some(vec![0, 0, 0, 7]), Some(b"ab".to_vec())], vec![None, Some(vec![])],]
            );
        }
    }

    #[test]
    fn broken_streams_are_errors() {
        let bytes = stream();
        let read = |bytes: &[u8], columns: usize| -> Result<()> {
            let mut decoder = BinaryDecoder::default();
            decoder.feed(bytes);
            let mut fields = vec![];
            while decoder.next_row(columns, true, &mut fields)? {}
            Ok(())
        };
        assert!(read(&bytes, 2).is_ok());
        assert!(read(&bytes, 3).is_err());
        assert!(read(b"1\tab\n", 2).is_err());
        assert!(read(&bytes[..bytes.len() - 3], 2).is_err());
        assert!(read(&[&bytes[..], b"x"].concat(), 2).is_err());
        let mut flags = bytes.clone();
        flags[SIGNATURE.len()] = 1;
        assert!(read(&flags, 2).is_err());
    }
}
