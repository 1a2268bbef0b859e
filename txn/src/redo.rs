//! The log's frames: what a commit changed, row by row.
//!
//! ```text
//! frame     kind u8 | ...
//!           1 commit:    ops
//!           2 fragment:  bytes of a large commit's ops, which a following frame continues
//!           3 commit of fragments: the last bytes of its ops
//!           4 sequence:  relation varint | last signed | called u8
//! op        tag u8 | relation varint | ...
//!           1 insert:    row signed | length varint | row bytes
//!           2 update:    row signed | offset varint | removed varint | length varint | bytes
//!           3 delete:    row signed
//!           16 create:   description           17 drop
//!           18 truncate                        19 add index:     index varint | description
//!           20 drop index: index varint        21 rename index:  index varint | names
//!           22 set columns: columns            23 create sequence: state
//!           24 drop sequence               25 index is full: index varint
//!           26 set codec: codec u8            27 create with an engine: engine u8 | description
//! ```
//! A row is the difference to the row of the operation before it in the frame (0 before the first), so a run of rows costs
//! a byte each. An update is a splice: `removed` bytes at `offset` of the row are replaced; replay applies each operation
//! to exactly the row it was made from, and refuses one that does not fit. Descriptions are those of [`crate::directory`].
//!
//! Left out: a dictionary of relations in each frame; compression.

use crate::bytes::{Reader, put_bytes, put_signed, put_varint};
use damask_types::{RelId, Result, RowId};

/// What a frame is.
pub(crate) mod kind {
    pub(crate) const COMMIT: u8 = 1;
    pub(crate) const FRAGMENT: u8 = 2;
    pub(crate) const COMMIT_FRAGMENTS: u8 = 3;
    pub(crate) const SEQUENCE: u8 = 4;
}

/// What an operation does.
pub(crate) mod tag {
    pub(crate) const INSERT: u8 = 1;
    pub(crate) const UPDATE: u8 = 2;
    pub(crate) const DELETE: u8 = 3;
    pub(crate) const CREATE: u8 = 16;
    pub(crate) const DROP: u8 = 17;
    pub(crate) const TRUNCATE: u8 = 18;
    pub(crate) const ADD_INDEX: u8 = 19;
    pub(crate) const DROP_INDEX: u8 = 20;
    pub(crate) const RENAME_INDEX: u8 = 21;
    pub(crate) const SET_COLUMNS: u8 = 22;
    pub(crate) const CREATE_SEQUENCE: u8 = 23;
    pub(crate) const DROP_SEQUENCE: u8 = 24;
    pub(crate) const FINISH_INDEX: u8 = 25;
    pub(crate) const SET_CODEC: u8 = 26;
    pub(crate) const CREATE_WITH_ENGINE: u8 = 27;
}

/// Longest piece of a commit's operations in one frame.
pub(crate) const FRAGMENT_BYTES: usize = 1 << 20;

/// Memory that a transaction leaves to the next one of its session.
const KEPT_BYTES: usize = 16 << 10;

/// A transaction's operations so far.
#[derive(Debug, Default)]
pub(crate) struct Redo {
    /// The operations.
    pub(crate) bytes: Vec<u8>,
    /// Room for a frame of them.
    pub(crate) frame: Vec<u8>,
    /// The row of the last one.
    row: u64,
}

/// A place in a [`Redo`] to cut it off at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RedoMark {
    len: usize,
    row: u64,
}

impl Redo {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets all operations, and keeps memory of a usual size.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.frame.clear();
        self.frame.shrink_to(KEPT_BYTES);
        self.row = 0;
    }

    pub(crate) fn mark(&self) -> RedoMark {
        RedoMark { len: self.bytes.len(), row: self.row }
    }

    pub(crate) fn cut(&mut self, mark: RedoMark) {
        self.bytes.truncate(mark.len);
        self.row = mark.row;
    }

    fn row_op(&mut self, tag: u8, rel: RelId, row: RowId) {
        self.bytes.push(tag);
        put_varint(&mut self.bytes, rel.0.into());
        put_signed(&mut self.bytes, row.0.wrapping_sub(self.row) as i64);
        self.row = row.0;
    }

    pub(crate) fn insert(&mut self, rel: RelId, row: RowId, bytes: &[u8]) {
        self.row_op(tag::INSERT, rel, row);
        put_bytes(&mut self.bytes, bytes);
    }

    pub(crate) fn update(&mut self, rel: RelId, row: RowId, before: &[u8], after: &[u8]) {
        self.row_op(tag::UPDATE, rel, row);
        let head = common_head(before, after);
        let tail = common_tail(&before[head..], &after[head..]);
        put_varint(&mut self.bytes, head as u64);
        put_varint(&mut self.bytes, (before.len() - head - tail) as u64);
        put_bytes(&mut self.bytes, &after[head..after.len() - tail]);
    }

    pub(crate) fn delete(&mut self, rel: RelId, row: RowId) {
        self.row_op(tag::DELETE, rel, row);
    }

    /// An operation on a relation as a whole; `body` writes what follows.
    pub(crate) fn relation(&mut self, tag: u8, rel: RelId, body: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(tag);
        put_varint(&mut self.bytes, rel.0.into());
        body(&mut self.bytes);
    }
}

/// Bytes that are compared at once.
const STRIDE: usize = 8;

/// Length of what two rows begin with.
fn common_head(a: &[u8], b: &[u8]) -> usize {
    let strides = a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE));
    let head = STRIDE * strides.take_while(|(a, b)| a == b).count();
    head + a[head..].iter().zip(&b[head..]).take_while(|(a, b)| a == b).count()
}

/// Length of what two rows end with.
fn common_tail(a: &[u8], b: &[u8]) -> usize {
    let strides = a.rchunks_exact(STRIDE).zip(b.rchunks_exact(STRIDE));
    let tail = STRIDE * strides.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - tail], &b[..b.len() - tail]);
    tail + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// An operation read from a frame.
#[derive(Debug)]
pub(crate) enum Op<'f> {
    Insert {
        rel: RelId,
        row: RowId,
        bytes: &'f [u8],
    },
    Update {
        rel: RelId,
        row: RowId,
        offset: usize,
        removed: usize,
        bytes: &'f [u8],
    },
    Delete {
        rel: RelId,
        row: RowId,
    },
    /// An operation on a relation; its body is to be read from the reader at once.
    Relation {
        tag: u8,
        rel: RelId,
    },
}

/// Reads operations one after the other.
#[derive(Debug)]
pub(crate) struct Ops<'f> {
    pub(crate) reader: Reader<'f>,
    row: u64,
}

impl<'f> Ops<'f> {
    pub(crate) fn new(bytes: &'f [u8]) -> Self {
        Self { reader: Reader::new(bytes, "a frame of the log"), row: 0 }
    }

    fn row(&mut self) -> Result<RowId> {
        self.row = self.row.wrapping_add(self.reader.signed()? as u64);
        Ok(RowId(self.row))
    }

    pub(crate) fn next(&mut self) -> Result<Option<Op<'f>>> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let tag = self.reader.u8()?;
        let rel = RelId(self.reader.u32()?);
        Ok(Some(match tag {
            tag::INSERT => {
                let row = self.row()?;
                Op::Insert { rel, row, bytes: self.reader.bytes()? }
            }
            tag::UPDATE => {
                let row = self.row()?;
                let offset = self.reader.varint()? as usize;
                let removed = self.reader.varint()? as usize;
                Op::Update { rel, row, offset, removed, bytes: self.reader.bytes()? }
            }
            tag::DELETE => Op::Delete { rel, row: self.row()? },
            tag::CREATE..=tag::CREATE_WITH_ENGINE => Op::Relation { tag, rel },
            other => return Err(self.reader.bad(&format!("there is no operation {other}"))),
        }))
    }
}

/// The row that a splice makes of `before`; `None` if it does not fit it.
pub(crate) fn splice(
    before: &[u8],
    offset: usize,
    removed: usize,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let head = before.get(..offset)?;
    let tail = before.get(offset.checked_add(removed)?..)?;
    Some([head, bytes, tail].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_splice_makes_the_new_row() {
        let rows: [&[u8]; 10] = [
            b"",
            b"a",
            b"aa",
            b"aaa",
            b"abca",
            b"abcabc",
            b"xbcabd",
            b"abcabcabcabcabcabcabcabcabc",
            b"abcabcabcaXcabcabcabcabcabc",
            b"abcabcabcabcabcaYcabcabcabcabc",
        ];
        for before in rows {
            for after in rows {
                let mut redo = Redo::default();
                redo.update(RelId(1), RowId(1 << 63), before, after);
                redo.insert(RelId(2), RowId(7), after);
                let mut ops = Ops::new(&redo.bytes);
                let Some(Op::Update { row, offset, removed, bytes, .. }) = ops.next().unwrap()
                else {
                    panic!("an update");
                };
                assert_eq!(row, RowId(1 << 63));
                assert_eq!(splice(before, offset, removed, bytes).unwrap(), after);
                let Some(Op::Insert { rel, row, bytes }) = ops.next().unwrap() else {
                    panic!("an insert");
                };
                assert_eq!((rel, row, bytes), (RelId(2), RowId(7), after));
                assert!(ops.next().unwrap().is_none());
            }
        }
    }
}
