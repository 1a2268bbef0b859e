//! Isolation levels and what a statement may see.

use crate::cell::{Outcome, TxnCell};
use crate::clock::SnapshotPin;
use crate::horizon::Horizon;
use crate::serializable::ReadSet;
use damask_types::{CommandId, TxnId};
use std::sync::Arc;

/// PostgreSQL's levels (READ UNCOMMITTED is READ COMMITTED).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum IsolationLevel {
    /// A snapshot for each statement.
    #[default]
    ReadCommitted,
    /// One snapshot; writing what another changed since is 40001.
    RepeatableRead,
    /// One snapshot, and what was read is so at the commit, too: see [`crate::serializable`].
    Serializable,
}

/// What a statement sees: the commits of a horizon, and its own transaction's changes by earlier commands.
///
/// While a view or a clone of it lives, the versions it may need are kept.
#[derive(Clone, Debug)]
pub struct ReadView {
    /// The commits that are seen.
    pub(crate) horizon: Horizon,
    /// The transaction's own id.
    pub own: TxnId,
    /// Own changes of smaller command ids are seen.
    pub command: CommandId,
    /// Holds the watermark back; none for a view of newest versions.
    pub(crate) pin: Option<Arc<SnapshotPin>>,
    /// Takes in what is read under it (SERIALIZABLE).
    pub(crate) reads: Option<Arc<ReadSet>>,
}

impl ReadView {
    /// Sees whatever is committed, and everything of its own: for looking at newest versions.
    pub(crate) fn newest(own: TxnId) -> Self {
        Self { horizon: Horizon::ALL, own, command: CommandId(u32::MAX), pin: None, reads: None }
    }

    /// Whether it sees what a command of a transaction changed.
    #[inline]
    pub(crate) fn sees_change(&self, cell: &TxnCell, command: CommandId) -> bool {
        match cell.outcome() {
            Outcome::Committed(timestamp) => self.horizon.sees(timestamp),
            Outcome::Active(id) => id == self.own && command < self.command,
            Outcome::Aborted => true,
        }
    }

    /// Whether what is read under it is kept until the commit, to be tested. [`crate::ScanSpec::conjuncts`] are of use then.
    pub fn keeps_reads(&self) -> bool {
        self.reads.is_some()
    }

    /// The same view for reads that the transaction's outcome does not depend on, or that locks keep as they are.
    pub fn untracked(self) -> Self {
        Self { reads: None, ..self }
    }
}
