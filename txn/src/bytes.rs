//! Little-endian bytes in and out, for frames of the log and for what a checkpoint keeps.
//!
//! Reading checks every length: bytes from disk give an error (XX001), never a panic.

use damask_types::{Error, Result};

/// Appends an integer in as few bytes as it needs, seven bits each, lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer so that small magnitudes are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63) as u64);
}

/// Appends bytes after their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    /// What is read, for errors.
    what: &'static str,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8], what: &'static str) -> Self {
        Self { bytes, what }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes not read yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[cold]
    pub(crate) fn bad(&self, problem: &str) -> Error {
        Error::corrupted(format!("{} is damaged: {problem}", self.what))
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'b [u8]> {
        if len > self.bytes.len() {
            return Err(self.bad("it ends early"));
        }
        let (head, tail) = self.bytes.split_at(len);
        self.bytes = tail;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64> {
        let bytes = self.take(8)?.first_chunk().expect("there are as many");
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        Ok(self.u8()? != 0)
    }

    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.bad("a number is too long"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| self.bad("a number is too large"))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        u16::try_from(self.varint()?).map_err(|_| self.bad("a number is too large"))
    }

    /// A count of things that take at least one byte each.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = self.varint()? as usize;
        if count > self.bytes.len() {
            return Err(self.bad("a count is too large"));
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| self.bad("text is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        let mut out = Vec::new();
        let values = [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN];
        for value in values {
            put_signed(&mut out, value);
            put_varint(&mut out, value as u64);
        }
        let mut reader = Reader::new(&out, "a test");
        for value in values {
            assert_eq!(reader.signed().unwrap(), value);
            assert_eq!(reader.varint().unwrap(), value as u64);
        }
        assert!(reader.is_empty());
        assert!(reader.u8().is_err());
    }
}
