//! The version table as it is at a checkpoint's instant, copied when the world goes on.
//!
//! An open transaction may have changed millions of rows, and a checkpoint keeps what each was before. At the instant the table's parts are only
//! marked ([`VersionTable::begin_copy`]); then they are copied one after the other, each under its mutex ([`VersionCopy::finish`]). Whoever changes
//! something in a part that is still marked copies that part first, as with pages.
//!
//! ```text
//! row       1 u8 | heap | row | count | (pending u8 | present u8 | [bytes])...
//! ```
//! What committed after the instant was pending then.

use crate::bytes::{put_bytes, put_varint};
use crate::cell::Outcome;
use crate::recover::unsettled;
use crate::version::{HeapId, RowState, Rows, VersionTable};
use damask_types::{Error, Result, RowId, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was copied so far.
#[derive(Debug)]
pub(crate) struct Copying {
    /// Whose it is.
    number: u64,
    /// The instant: commits up to here are in it.
    at: Timestamp,
    /// The rows of parts, or why one could not be copied.
    parts: Result<Vec<Vec<u8>>>,
}

/// A copy that was begun, one at a time; whoever drops it gives it up.
pub(crate) struct VersionCopy {
    table: Arc<VersionTable>,
    number: u64,
}

impl VersionTable {
    /// Begins a copy of the table as it is now; the world stands still, and the last commit was at `at`.
    pub(crate) fn begin_copy(self: &Arc<Self>, at: Timestamp) -> VersionCopy {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        *self.copying.lock() = Some(Copying { number, at, parts: Ok(Vec::new()) });
        for shard in self.shards() {
            let mut rows = shard.lock();
            rows.is_due = !rows.map.is_empty();
        }
        VersionCopy { table: Arc::clone(self), number }
    }

    /// Copies a part that is marked.
    #[cold]
    pub(crate) fn copy(&self, rows: &mut Rows) {
        rows.is_due = false;
        let Some(at) = self.copying.lock().as_ref().map(|copying| copying.at) else { return };
        let mut out = Vec::new();
        let put = |((heap, row), state): (&(HeapId, RowId), &RowState)| {
            put_row(&mut out, *heap, *row, state, at)
        };
        let copied = rows.map.iter().try_for_each(put);
        if let Some(Copying { parts, .. }) = &mut *self.copying.lock() {
            match (copied, &mut *parts) {
                (Ok(()), Ok(parts)) => parts.push(out),
                (Err(error), Ok(_)) => *parts = Err(error),
                (_, Err(_)) => {}
            }
        }
    }
}

impl VersionCopy {
    /// Copies what is left; all of it.
    ///
    /// # Errors
    /// What reading old rows from temporary files raises.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        for shard in self.table.shards() {
            let mut rows = shard.lock();
            if rows.is_due {
                self.table.copy(&mut rows);
            }
        }
        let copied = self.take();
        let copied =
            copied.ok_or_else(|| Error::internal("another checkpoint copied the versions"))?;
        Ok(copied.parts?.concat())
    }

    fn take(&self) -> Option<Copying> {
        self.table.copying.lock().take_if(|copying| copying.number == self.number)
    }
}

impl Drop for VersionCopy {
    fn drop(&mut self) {
        drop(self.take());
    }
}

fn put_row(
    out: &mut Vec<u8>,
    heap: HeapId,
    row: RowId,
    state: &RowState,
    at: Timestamp,
) -> Result<()> {
    if state.versions.is_empty() {
        return Ok(());
    }
    out.push(unsettled::ROW);
    put_varint(out, heap.0.into());
    put_varint(out, row.0);
    put_varint(out, state.versions.len() as u64);
    for version in &state.versions {
        let is_pending =
            !matches!(version.cell.outcome(), Outcome::Committed(commit) if commit <= at);
        out.push(u8::from(is_pending));
        out.push(u8::from(version.before.is_some()));
        if let Some(before) = &version.before {
            put_bytes(out, &before.load()?);
        }
    }
    Ok(())
}
