//! The log's frames: what a commit changed, row by row.
//!
//! ```text
//! frame     kind u8 | ...
//!           1 commit:    ops
//!           4 sequence:  relation varint | last signed | called u8
//!           5 fragment:  transaction u64 | begin u64 | ops, which count if a frame of kind 6 of the transaction follows
//!           6 commit of fragments: transaction u64 | begin u64 | ops
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
//! `begin` is how many bytes of the transaction's ops come before those of the frame, from its first fragment on. What fragments before had
//! behind that place was rolled back.
//!
//! A row is the difference to the row of the operation before it in the frame (0 before the first), so a run of rows costs
//! a byte each. An update is a splice: `removed` bytes at `offset` of the row are replaced; replay applies each operation
//! to exactly the row it was made from, and refuses one that does not fit. Descriptions are those of [`crate::directory`].
//!
//! Left out: a dictionary of relations in each frame; compression.

use crate::bytes::{Reader, put_bytes, put_signed, put_varint};
use damask_storage::log::{FRAME_HEAD_BYTES, LogFrame};
use damask_types::{RelId, Result, RowId, TxnId};

/// What a frame is.
pub(crate) mod kind {
    pub(crate) const COMMIT: u8 = 1;
    pub(crate) const SEQUENCE: u8 = 4;
    pub(crate) const FRAGMENT: u8 = 5;
    pub(crate) const COMMIT_FRAGMENTS: u8 = 6;
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

/// What a piece has room for before it is full, as a rule: with an operation of usual length at its end it still goes into one group of the log.
pub(crate) const PIECE_BYTES: usize = (1 << 20) - LAST_OP_BYTES;

/// Room for the operation that fills a piece, as a rule.
const LAST_OP_BYTES: usize = 32 << 10;

/// Before the operations of a fragment: its kind, its transaction, where it begins.
const FRAGMENT_HEAD_BYTES: usize = 1 + 8 + 8;

/// Room before a piece's operations, so that it becomes a frame where it lies.
const ROOM_BYTES: usize = FRAME_HEAD_BYTES + FRAGMENT_HEAD_BYTES;

/// Memory that a transaction leaves to the next one of its session.
const KEPT_BYTES: usize = 16 << 10;

/// A transaction's operations so far: in pieces, which are logged as they are full ([`crate::fragments`]). Each has whole operations.
#[derive(Debug)]
pub(crate) struct Redo {
    /// Bytes of operations that count and are logged.
    logged: u64,
    /// Full pieces that are not, with room at the front.
    full: Vec<Vec<u8>>,
    /// The last piece: nothing yet, or room and operations.
    last: Vec<u8>,
    /// The row of its last operation.
    row: u64,
    /// Operations of so many bytes fill a piece.
    piece_bytes: usize,
}

/// A place in a [`Redo`] to cut it off at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RedoMark {
    /// Bytes of operations before it.
    position: u64,
    row: u64,
}

/// Bytes of the operations in a piece.
fn len_of(piece: &[u8]) -> usize {
    piece.len().saturating_sub(ROOM_BYTES)
}

impl Redo {
    /// No operations; so many bytes of them fill a piece.
    pub(crate) fn new(piece_bytes: usize) -> Self {
        Self { logged: 0, full: Vec::new(), last: Vec::new(), row: 0, piece_bytes }
    }

    /// Takes all operations out.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.piece_bytes))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mark().position == 0
    }

    /// Forgets all operations, and keeps memory of a usual size.
    pub(crate) fn clear(&mut self) {
        self.logged = 0;
        self.full.clear();
        self.last.clear();
        self.last.shrink_to(KEPT_BYTES);
    }

    /// Bytes of operations in memory.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        (self.mark().position - self.logged) as usize
    }

    /// Where the last piece begins.
    fn begin(&self) -> u64 {
        self.logged + self.full.iter().map(|piece| len_of(piece) as u64).sum::<u64>()
    }

    pub(crate) fn mark(&self) -> RedoMark {
        RedoMark { position: self.begin() + len_of(&self.last) as u64, row: self.row }
    }

    /// Forgets what is behind the mark. If that is logged already, the next frame says so.
    pub(crate) fn cut(&mut self, mark: RedoMark) {
        if mark.position <= self.logged {
            self.full.clear();
            self.last.clear();
            self.logged = mark.position;
            return;
        }
        while mark.position < self.begin() {
            self.last = self.full.pop().expect("it is behind what is logged");
        }
        let len = (mark.position - self.begin()) as usize;
        self.last.truncate(ROOM_BYTES + len);
        self.row = mark.row;
    }

    /// The lengths of the frames that [`Redo::log_full`] logs.
    pub(crate) fn full_lens(&self) -> impl Iterator<Item = usize> {
        self.full.iter().map(|piece| piece.len() - FRAME_HEAD_BYTES)
    }

    /// The length of the frame that [`Redo::log_commit`] logs, at most.
    pub(crate) fn commit_len(&self) -> usize {
        self.last.len().max(ROOM_BYTES) - FRAME_HEAD_BYTES
    }

    /// Whether there are full pieces.
    #[inline]
    pub(crate) fn has_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Says that there will be no more operations: a last piece that is full is among the full ones then.
    pub(crate) fn end(&mut self) {
        if len_of(&self.last) >= self.piece_bytes {
            self.full.push(std::mem::take(&mut self.last));
        }
    }

    /// Gives `log` the full pieces as fragments of a transaction; they are gone then. There is room for them: an error is one after which
    /// the log takes no commit.
    pub(crate) fn log_full(
        &mut self,
        txn: TxnId,
        mut log: impl FnMut(LogFrame<'_>) -> Result<()>,
    ) -> Result<()> {
        for mut piece in self.full.drain(..) {
            let begin = self.logged;
            self.logged += len_of(&piece) as u64;
            put_head(&mut piece, kind::FRAGMENT, txn, begin);
            log(LogFrame::Owned(piece))?;
        }
        Ok(())
    }

    /// Gives `log` the frame that commits a transaction's operations, which are gone then. Returns what it says. Full pieces are logged.
    pub(crate) fn log_commit<R>(
        &mut self,
        txn: TxnId,
        log: impl FnOnce(LogFrame<'_>) -> Result<R>,
    ) -> Result<R> {
        debug_assert!(!self.has_full(), "they come first");
        let begin = std::mem::take(&mut self.logged);
        if self.last.is_empty() {
            self.last.resize(ROOM_BYTES, 0);
        }
        let frame = if begin == 0 {
            self.last[ROOM_BYTES - 1] = kind::COMMIT;
            &self.last[ROOM_BYTES - 1..]
        } else {
            put_head(&mut self.last, kind::COMMIT_FRAGMENTS, txn, begin);
            &self.last[FRAME_HEAD_BYTES..]
        };
        let logged = log(LogFrame::Borrowed(frame));
        self.last.clear();
        logged
    }

    /// Makes room for an operation.
    fn make_room(&mut self) {
        if len_of(&self.last) >= self.piece_bytes {
            let next = Vec::with_capacity(ROOM_BYTES + self.piece_bytes + LAST_OP_BYTES);
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        if len_of(&self.last) == 0 {
            self.last.resize(ROOM_BYTES, 0);
            self.row = 0;
        }
    }

    fn row_op(&mut self, tag: u8, rel: RelId, row: RowId) -> &mut Vec<u8> {
        self.make_room();
        let difference = row.0.wrapping_sub(self.row) as i64;
        self.row = row.0;
        let bytes = &mut self.last;
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
        self.make_room();
        let bytes = &mut self.last;
        bytes.push(tag);
        put_varint(bytes, rel.0.into());
        body(bytes);
    }
}

/// Writes the head of a fragment, or of what commits fragments, into a piece's room.
fn put_head(piece: &mut [u8], kind: u8, txn: TxnId, begin: u64) {
    let head = &mut piece[FRAME_HEAD_BYTES..ROOM_BYTES];
    head[0] = kind;
    head[1..9].copy_from_slice(&txn.0.to_le_bytes());
    head[9..].copy_from_slice(&begin.to_le_bytes());
}

/// A part of a transaction's operations, read from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) txn: TxnId,
    /// Bytes of operations before it.
    pub(crate) begin: u64,
    /// Where its operations begin in the frame.
    pub(crate) start: usize,
    /// Whether it commits what came before.
    pub(crate) commits: bool,
}

impl Part {
    /// What a frame says if it is a fragment or commits some.
    ///
    /// # Errors
    /// XX001 if it ends early.
    pub(crate) fn of(frame: &[u8]) -> Result<Option<Self>> {
        let commits = match frame.first() {
            Some(&kind::FRAGMENT) => false,
            Some(&kind::COMMIT_FRAGMENTS) => true,
            _ => return Ok(None),
        };
        let mut reader = Reader::new(&frame[1..], "a frame of the log");
        let (txn, begin) = (TxnId(reader.u64()?), reader.u64()?);
        Ok(Some(Self { txn, begin, start: FRAGMENT_HEAD_BYTES, commits }))
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

    const TXN: TxnId = TxnId(7);

    /// The operations that the frames of a commit hold, after a check of their heads, and how many frames there are.
    fn logged(mut redo: Redo) -> (Vec<u8>, usize) {
        redo.end();
        let mut fragments = vec![];
        let mut keep = |frame: LogFrame<'_>| {
            fragments.push(frame.bytes().to_vec());
            Ok(())
        };
        redo.log_full(TXN, &mut keep).unwrap();
        let last = redo.log_commit(TXN, |frame| Ok(frame.bytes().to_vec())).unwrap();
        assert!(redo.is_empty());
        if fragments.is_empty() {
            assert_eq!((last[0], Part::of(&last).unwrap()), (kind::COMMIT, None));
            return (last[1..].to_vec(), 1);
        }
        fragments.push(last);
        let count = fragments.len();
        let mut ops = vec![];
        for (i, frame) in fragments.iter().enumerate() {
            let (begin, start, commits) = (ops.len() as u64, FRAGMENT_HEAD_BYTES, i + 1 == count);
            assert_eq!(Part::of(frame).unwrap(), Some(Part { txn: TXN, begin, start, commits }));
            ops.extend_from_slice(&frame[start..]);
        }
        (ops, count)
    }

    /// Operations of the frames, each of which begins anew.
    fn rows_of(pieces: &[Vec<u8>]) -> Vec<(RowId, Vec<u8>)> {
        let mut rows = vec![];
        for piece in pieces {
            let mut ops = Ops::new(piece);
            while let Some(op) = ops.next().unwrap() {
                let Op::Insert { row, bytes, .. } = op else { panic!("an insert") };
                rows.push((row, bytes.to_vec()));
            }
        }
        rows
    }

    #[test]
    fn every_piece_has_whole_operations() {
        for lens in [&[100][..], &[3000], &[1000], &[70, 9, 1500], &[1, 25_000]] {
            for count in [1, 2, 50, 300] {
                let rows: Vec<_> = (0..count)
                    .map(|i| (RowId(i * i), vec![i as u8; lens[i as usize % lens.len()]]))
                    .collect();
                let mut redo = Redo::new(1000);
                for (row, bytes) in &rows {
                    redo.insert(RelId(1), *row, bytes);
                }
                redo.end();
                let mut pieces = vec![];
                redo.log_full(TXN, |frame| {
                    pieces.push(frame.bytes()[FRAGMENT_HEAD_BYTES..].to_vec());
                    Ok(())
                })
                .unwrap();
                assert!(pieces.iter().all(|piece| piece.len() >= 1000));
                let is_whole = pieces.is_empty();
                let last = redo.log_commit(TXN, |frame| Ok(frame.bytes().to_vec())).unwrap();
                pieces.push(last[if is_whole { 1 } else { FRAGMENT_HEAD_BYTES }..].to_vec());
                assert_eq!(rows_of(&pieces), rows);
            }
        }
    }

    #[test]
    fn a_cut_goes_back_over_pieces() {
        let row = vec![7; 100];
        let with = |count: u64| {
            let mut redo = Redo::new(1000);
            (0..count).for_each(|i| redo.insert(RelId(1), RowId(i), &row));
            redo
        };
        for kept in [0, 1, 9, 10, 11, 40, 100] {
            let mut redo = with(kept);
            let mark = redo.mark();
            (0..35).for_each(|i| redo.insert(RelId(2), RowId(i), &row));
            redo.cut(mark);
            assert_eq!(redo.is_empty(), kept == 0);
            redo.delete(RelId(3), RowId(5));
            let mut expected = with(kept);
            expected.delete(RelId(3), RowId(5));
            assert_eq!(logged(redo), logged(expected));
        }
    }

    #[test]
    fn a_cut_goes_back_over_what_is_logged() {
        let row = vec![7; 100];
        for kept in [0, 1, 9, 10, 11, 25] {
            let mut redo = Redo::new(1000);
            (0..kept).for_each(|i| redo.insert(RelId(1), RowId(i), &row));
            let mark = redo.mark();
            (0..30).for_each(|i| redo.insert(RelId(2), RowId(i), &row));
            redo.end();
            redo.log_full(TXN, |_| Ok(())).unwrap();
            redo.cut(mark);
            assert_eq!(redo.is_empty(), kept == 0);
            redo.insert(RelId(3), RowId(5), &row);
            let last = redo.log_commit(TXN, |frame| Ok(frame.bytes().to_vec())).unwrap();
            let part = Part::of(&last).unwrap();
            assert_eq!(part.map(|part| part.begin), (kept > 0).then_some(mark.position));
            let ops = &last[part.map_or(1, |part| part.start)..];
            assert_eq!(rows_of(&[ops.to_vec()]), [(RowId(5), row.clone())]);
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
                let mut redo = Redo::new(PIECE_BYTES);
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
