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
use damask_storage::log::{FRAME_HEAD_BYTES, LogFrame};
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
const FRAGMENT_BYTES: usize = 1 << 20;

/// A piece is full from here on: with an operation of usual length at its end it still goes into one group of the log.
const PIECE_BYTES: usize = FRAGMENT_BYTES - (32 << 10);

/// Room before a piece's operations, so that it becomes a frame where it lies: for the frame's head, and its kind.
const ROOM_BYTES: usize = FRAME_HEAD_BYTES + 1;

/// Memory that a transaction leaves to the next one of its session.
const KEPT_BYTES: usize = 16 << 10;

/// A transaction's operations so far: in pieces, so that the bytes of a large one are not moved when there come more, nor when it commits.
#[derive(Debug, Default)]
pub(crate) struct Redo {
    /// Full pieces, with room at the front.
    full: Vec<Vec<u8>>,
    /// The last piece: nothing yet, or room and operations.
    last: Vec<u8>,
    /// The row of the last operation.
    row: u64,
}

/// A place in a [`Redo`] to cut it off at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RedoMark {
    full_count: usize,
    /// Length of the piece behind those.
    len: usize,
    row: u64,
}

impl Redo {
    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.last.is_empty()
    }

    /// Forgets all operations, and keeps memory of a usual size.
    pub(crate) fn clear(&mut self) {
        self.full.clear();
        self.last.clear();
        self.last.shrink_to(KEPT_BYTES);
        self.row = 0;
    }

    pub(crate) fn mark(&self) -> RedoMark {
        RedoMark { full_count: self.full.len(), len: self.last.len(), row: self.row }
    }

    pub(crate) fn cut(&mut self, mark: RedoMark) {
        if let Some(piece) = self.full.drain(mark.full_count..).next() {
            self.last = piece;
        }
        self.last.truncate(mark.len);
        self.row = mark.row;
    }

    /// Gives `log` the frames of a commit of these operations, which are gone then. Returns what it says of the last one.
    pub(crate) fn log<R>(&mut self, mut log: impl FnMut(LogFrame<'_>) -> Result<R>) -> Result<R> {
        let mut last_kind = kind::COMMIT;
        for mut piece in self.full.drain(..) {
            last_kind = kind::COMMIT_FRAGMENTS;
            if piece.len() <= ROOM_BYTES + FRAGMENT_BYTES {
                piece[ROOM_BYTES - 1] = kind::FRAGMENT;
                log(LogFrame::Owned(piece))?;
                continue;
            }
            for part in piece[ROOM_BYTES..].chunks(FRAGMENT_BYTES) {
                log(fragment(part))?;
            }
        }
        if self.last.is_empty() {
            // A cut left nothing behind full pieces.
            self.last.resize(ROOM_BYTES, 0);
        }
        let mut begin = ROOM_BYTES;
        while self.last.len() - begin > FRAGMENT_BYTES {
            last_kind = kind::COMMIT_FRAGMENTS;
            log(fragment(&self.last[begin..begin + FRAGMENT_BYTES]))?;
            begin += FRAGMENT_BYTES;
        }
        // Fragments have been logged: nobody needs what stands there.
        self.last[begin - 1] = last_kind;
        let logged = log(LogFrame::Borrowed(&self.last[begin - 1..]));
        self.last.clear();
        logged
    }

    /// Where the next operation's bytes go.
    fn next(&mut self) -> &mut Vec<u8> {
        if self.last.len() >= PIECE_BYTES {
            let next = Vec::with_capacity(ROOM_BYTES + FRAGMENT_BYTES);
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        if self.last.is_empty() {
            self.last.resize(ROOM_BYTES, 0);
        }
        &mut self.last
    }

    fn row_op(&mut self, tag: u8, rel: RelId, row: RowId) -> &mut Vec<u8> {
        let difference = row.0.wrapping_sub(self.row) as i64;
        self.row = row.0;
        let bytes = self.next();
        bytes.push(tag);
        put_varint(bytes, rel.0.into());
        put_signed(bytes, difference);
        bytes
    }

    pub(crate) fn insert(&mut self, rel: RelId, row: RowId, bytes: &[u8]) {
        put_bytes(self.row_op(tag::INSERT, rel, row), bytes);
    }

    pub(crate) fn update(&mut self, rel: RelId, row: RowId, before: &[u8], after: &[u8]) {
        let out = self.row_op(tag::UPDATE, rel, row);
        let head = common_head(before, after);
        let tail = common_tail(&before[head..], &after[head..]);
        put_varint(out, head as u64);
        put_varint(out, (before.len() - head - tail) as u64);
        put_bytes(out, &after[head..after.len() - tail]);
    }

    pub(crate) fn delete(&mut self, rel: RelId, row: RowId) {
        self.row_op(tag::DELETE, rel, row);
    }

    /// An operation on a relation as a whole; `body` writes what follows.
    pub(crate) fn relation(&mut self, tag: u8, rel: RelId, body: impl FnOnce(&mut Vec<u8>)) {
        let bytes = self.next();
        bytes.push(tag);
        put_varint(bytes, rel.0.into());
        body(bytes);
    }
}

/// A fragment of a piece that is longer than one.
fn fragment(part: &[u8]) -> LogFrame<'static> {
    let mut frame = Vec::with_capacity(ROOM_BYTES + part.len());
    frame.resize(ROOM_BYTES, 0);
    frame[ROOM_BYTES - 1] = kind::FRAGMENT;
    frame.extend_from_slice(part);
    LogFrame::Owned(frame)
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

    /// The operations that the frames of a commit hold, after a check of their kinds, and how many frames there are.
    fn logged(mut redo: Redo) -> (Vec<u8>, usize) {
        let mut frames: Vec<Vec<u8>> = vec![];
        redo.log(|frame| {
            frames.push(frame.bytes().to_vec());
            Ok(())
        })
        .unwrap();
        assert!(redo.is_empty());
        let (last, fragments) = frames.split_last().unwrap();
        let is_alone = fragments.is_empty();
        assert_eq!(last[0], if is_alone { kind::COMMIT } else { kind::COMMIT_FRAGMENTS });
        assert!(fragments.iter().all(|frame| frame[0] == kind::FRAGMENT));
        assert!(frames.iter().all(|frame| frame.len() <= 1 + FRAGMENT_BYTES));
        (frames.iter().flat_map(|frame| &frame[1..]).copied().collect(), frames.len())
    }

    #[test]
    fn pieces_come_out_as_one() {
        // Of usual rows, of rows that a piece does not hold, and of both.
        for lens in
            [&[100][..], &[3 * FRAGMENT_BYTES], &[PIECE_BYTES], &[70_000, 9], &[1, 2_500_000]]
        {
            for count in [1, 2, 50, 3000] {
                let sizes: Vec<usize> = lens.iter().copied().cycle().take(count).collect();
                if sizes.iter().sum::<usize>() > 40 * FRAGMENT_BYTES {
                    continue;
                }
                let mut redo = Redo::default();
                for (i, len) in sizes.iter().enumerate() {
                    redo.insert(RelId(1), RowId(i as u64), &vec![i as u8; *len]);
                }
                let (bytes, _) = logged(redo);
                let mut ops = Ops::new(&bytes);
                for (i, len) in sizes.iter().enumerate() {
                    let Some(Op::Insert { row, bytes, .. }) = ops.next().unwrap() else {
                        panic!("an insert");
                    };
                    assert_eq!((row, bytes), (RowId(i as u64), &vec![i as u8; *len][..]));
                }
                assert!(ops.next().unwrap().is_none());
            }
        }
    }

    #[test]
    fn a_cut_goes_back_over_pieces() {
        let row = vec![7; 1000];
        let with = |count: u64| {
            let mut redo = Redo::default();
            (0..count).for_each(|i| redo.insert(RelId(1), RowId(i), &row));
            redo
        };
        for kept in [0, 1, 1000, 1031, 1100, 2500] {
            let mut redo = with(kept);
            let mark = redo.mark();
            (0..3000).for_each(|i| redo.insert(RelId(2), RowId(i), &row));
            redo.cut(mark);
            assert_eq!(redo.is_empty(), kept == 0);
            redo.delete(RelId(3), RowId(5));
            let mut expected = with(kept);
            expected.delete(RelId(3), RowId(5));
            assert_eq!(logged(redo).0, logged(expected).0);
        }
    }

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
                let mut ops = Ops::new(&redo.last[ROOM_BYTES..]);
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
