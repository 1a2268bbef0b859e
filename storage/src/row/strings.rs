//! Views of strings being built from rows.
//!
//! Unlike `ViewsBuilder` this loads a short string in one go, with what follows it in the row masked off, and checks
//! that text is UTF-8 (V3): a look at the high bits of each byte, and only where one is set, a real check.

use super::bad_row;
use super::decode::{array, text};
use arrow_buffer::Buffer;
use damask_types::vector::INLINE_BYTES;
use damask_types::{Error, Result, Views};
use std::sync::Arc;

/// The string bytes of an inline view, by length.
const MASKS: [u128; INLINE_BYTES + 1] = {
    let mut masks = [0; INLINE_BYTES + 1];
    let mut len = 1;
    while len <= INLINE_BYTES {
        masks[len] = masks[len - 1] | 0xff << (24 + len * 8);
        len += 1;
    }
    masks
};

/// Bit 7 of each string byte of an inline view.
const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080 << 32;

/// The strings of one column so far.
#[derive(Debug)]
pub(super) struct Strings {
    is_text: bool,
    views: Vec<u128>,
    /// Where long strings lie.
    bytes: Vec<u8>,
}

/// Where a variable column of narrow rows lies.
#[derive(Clone, Copy)]
pub(super) struct Variable {
    /// Where its end offset is.
    pub(super) end_at: usize,
    /// Whether another column's end offset, its own start, is before that.
    pub(super) has_start: bool,
    /// Where the variable bytes start.
    pub(super) start: usize,
}

impl Variable {
    /// Start and end of the column's bytes in a row that has the whole fixed section.
    #[inline]
    pub(super) fn range(self, row: &[u8]) -> Result<(usize, usize)> {
        let (begin, end) = if self.has_start {
            let both = u32::from_le_bytes(array(&row[self.end_at - 2..]));
            (both as u16, (both >> 16) as u16)
        } else {
            (0, u16::from_le_bytes(array(&row[self.end_at..])))
        };
        let (begin, end) = (self.start + usize::from(begin), self.start + usize::from(end));
        if begin <= end && end <= row.len() { Ok((begin, end)) } else { Err(out_of_range()) }
    }
}

#[cold]
fn out_of_range() -> Error {
    bad_row("an end offset is out of range")
}

impl Strings {
    pub(super) fn new(is_text: bool) -> Self {
        Self { is_text, views: Vec::new(), bytes: Vec::new() }
    }

    /// Takes memory for `rows` strings' views.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.views.reserve_exact(rows);
    }

    /// Appends the strings of a column of `rows`.
    pub(super) fn push_rows(&mut self, rows: &[&[u8]], variable: Variable) -> Result<()> {
        let first = self.views.len();
        self.views.resize(first + rows.len(), 0);
        for (view, row) in self.views[first..].iter_mut().zip(rows) {
            let (begin, end) = variable.range(row)?;
            make_view(&mut self.bytes, self.is_text, row, begin, end, view)?;
        }
        Ok(())
    }

    /// Appends one string.
    pub(super) fn push(&mut self, value: &[u8]) -> Result<()> {
        let mut view = 0;
        make_view(&mut self.bytes, self.is_text, value, 0, value.len(), &mut view)?;
        self.views.push(view);
        Ok(())
    }

    /// Appends the entry of a null.
    pub(super) fn push_null(&mut self) {
        self.views.push(0);
    }

    pub(super) fn finish(self) -> Views {
        let buffers: Arc<[Buffer]> = if self.bytes.is_empty() {
            Arc::new([])
        } else {
            Arc::new([Buffer::from_vec(self.bytes)])
        };
        Views { views: self.views.into(), buffers }
    }
}

/// Makes the view of bytes `begin..end` of `row`, a range that is in it.
///
/// It is written where it belongs at once: handed back, it would go through the stack in halves and be loaded whole, which
/// stalls (half of the time of this loop was that).
#[inline]
fn make_view(
    long: &mut Vec<u8>,
    is_text: bool,
    row: &[u8],
    begin: usize,
    end: usize,
    view: &mut u128,
) -> Result<()> {
    let len = end - begin;
    let Some(mask) = MASKS.get(len) else {
        *view = make_long_view(long, is_text, &row[begin..end])?;
        return Ok(());
    };
    let bytes = if let Some(bytes) = row.get(begin..begin + INLINE_BYTES) {
        let low = u64::from_le_bytes(array(bytes));
        let high = u32::from_le_bytes(array(&bytes[8..]));
        (u128::from(low) << 32 | u128::from(high) << 96) & mask
    } else {
        load_at_end(&row[begin..end])
    };
    *view = bytes | len as u128;
    if is_text && bytes & HIGH_BITS != 0 {
        text(&row[begin..end])?;
    }
    Ok(())
}

/// The string bytes of a view whose row ends less than twelve bytes behind the string's start.
fn load_at_end(bytes: &[u8]) -> u128 {
    let mut word = [0; 16];
    word[4..4 + bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(word)
}

fn make_long_view(long: &mut Vec<u8>, is_text: bool, bytes: &[u8]) -> Result<u128> {
    if is_text && !bytes.is_ascii() {
        text(bytes)?;
    }
    let offset = u32::try_from(long.len())
        .map_err(|_| Error::unsupported("a tile with more than 4 GiB in one column"))?;
    long.extend_from_slice(bytes);
    let prefix = u32::from_le_bytes(array(bytes));
    Ok(bytes.len() as u128 | u128::from(prefix) << 32 | u128::from(offset) << 96)
}
