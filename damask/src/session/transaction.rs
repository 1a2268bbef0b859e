//! The transaction block: BEGIN to COMMIT, savepoints, and what an error does to them.
//!
//! ```text
//!            BEGIN                 error
//!   Idle ───────────► Open ─────────────────► Failed
//!    ▲                 │ ▲                      │
//!    └── COMMIT, ──────┘ └── ROLLBACK TO ───────┤
//!        ROLLBACK                               │
//!    ▲                                          │
//!    └───────── ROLLBACK, COMMIT ───────────────┘
//! ```
//!
//! Outside a block a transaction lasts for one message; `BEGIN` turns it into a block.

use super::env::Modes;
use super::settings::Level;
use super::{Session, Tag};
use crate::notify::Mark as NotifyMark;
use damask_catalog::ddl::Mark;
use damask_executor::Due;
use damask_sql::ast::{Isolation, Transaction, TransactionModes};
use damask_txn::{CommitTicket, Durability, IsolationLevel, Savepoint, Txn};
use damask_types::{Error, Result, SqlState};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the client is told of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// No block.
    Idle,
    /// In a block.
    Open,
    /// In a block that failed.
    Failed,
}

/// The state of the block.
#[derive(Debug, Default)]
pub(crate) struct Block {
    is_open: bool,
    is_failed: bool,
    savepoints: Vec<Saved>,
    isolation: Option<IsolationLevel>,
    pub(crate) read_only: Option<bool>,
}

/// A savepoint: where rows, catalog and settings stood.
#[derive(Debug)]
struct Saved {
    name: String,
    rows: Savepoint,
    catalog: Mark,
    settings: usize,
    notify: NotifyMark,
}

impl Block {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }
}

impl Session {
    /// The state of the transaction.
    pub fn status(&self) -> TransactionStatus {
        match (self.block.is_open, self.block.is_failed) {
            (false, _) => TransactionStatus::Idle,
            (true, false) => TransactionStatus::Open,
            (true, true) => TransactionStatus::Failed,
        }
    }

    /// # Errors
    /// 25P02 in a failed block (S1).
    pub(crate) fn check_not_failed(&self) -> Result<()> {
        if self.block.is_failed {
            return Err(Error::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// Begins a transaction unless one is open.
    pub(crate) fn ensure_transaction(&mut self) -> Result<()> {
        if self.txn.is_some() {
            return Ok(());
        }
        self.settle_commit()?;
        let Modes { isolation, read_only } = self.modes();
        let txn = if let Some(mut txn) = self.idle_txn.take() {
            txn.restart(isolation, read_only)?;
            txn
        } else {
            let mut txn = self.database.shared.catalog.engine().begin(isolation, read_only)?;
            if self.holds_output {
                txn.set_gathered();
            }
            txn.set_interrupt(Arc::clone(&self.state.backend) as _);
            Box::new(txn)
        };
        self.transaction_timestamp = self.now;
        self.state.locks.enter(txn.id());
        self.state.backend.show_transaction(Some((txn.id(), self.transaction_timestamp)));
        self.txn = Some(txn);
        self.catalog.refresh();
        Ok(())
    }

    /// Commits the open transaction and waits until it may be acknowledged (S3).
    pub(crate) fn commit_transaction(&mut self) -> Result<()> {
        self.commit_and_defer()?;
        self.settle_commit()
    }

    /// Commits the open transaction. It waits until that may be acknowledged (S3), unless whoever uses the session holds back what it
    /// says ([`Session::hold_output`]): then that is left to [`Session::settle_output`]. What others may see or hear only once it is
    /// durable, a changed catalog or a notification, is not left.
    pub(crate) fn commit_and_defer(&mut self) -> Result<()> {
        self.portals.retain(|portal| portal.is_held);
        let checked = self.check_deferred(Due::All);
        self.end_env();
        if let Err(error) = checked.and_then(|()| self.run_on_commit()) {
            self.rollback_transaction()?;
            return Err(error);
        }
        self.block = Block::default();
        let Some(mut txn) = self.txn.take() else {
            return Ok(());
        };
        let effective = self.effective();
        let (durability, compression) = (effective.durability, effective.log_compression);
        txn.set_log_compression(compression);
        let committed = self.commit_and_notify(txn, durability);
        self.state.backend.show_transaction(None);
        match committed {
            Ok(()) => {
                self.catalog.committed();
                self.forget_dropped_temporary();
                self.state.settings.commit();
                Ok(())
            }
            Err(error) => {
                self.catalog.rolled_back();
                self.state.settings.rollback();
                Err(error)
            }
        }
    }

    /// Commits, waits as `durability` says, and only then lets others hear of it.
    fn commit_and_notify(&mut self, mut txn: Box<Txn>, durability: Durability) -> Result<()> {
        let mut pending = self.state.pending.lock();
        if pending.is_empty() {
            drop(pending);
            if self.catalog.is_changed() {
                let ticket = txn.commit_boxed(durability)?;
                return self.publish(ticket);
            }
            if self.holds_output && txn.has_writes() {
                let ticket = txn.commit_boxed(durability)?;
                if ticket.is_settled() {
                    self.idle_txn = Some(ticket.wait_for_txn()?);
                } else {
                    self.unsettled = Some(ticket);
                }
                return Ok(());
            }
            txn.end(durability)?;
            self.idle_txn = Some(txn);
            return Ok(());
        }
        let taken = std::mem::take(&mut *pending);
        drop(pending);
        let (bus, pid) = (Arc::clone(&self.state.bus), self.state.backend.pid);
        let (ticket, slot) = bus.commit(pid, taken, || txn.commit_boxed(durability))?;
        self.state.listens.store(!bus.channels(pid).is_empty(), Ordering::Relaxed);
        let settled = self.publish(ticket);
        if let Some(slot) = slot {
            bus.settle(slot, settled.is_ok());
        }
        settled
    }

    /// Waits until a commit may be acknowledged. What it changed of the catalog is there before its locks go: whoever gets them next finds it.
    fn publish(&mut self, ticket: CommitTicket) -> Result<()> {
        if self.catalog.is_changed() {
            ticket.wait_until_durable()?;
            self.catalog.committed();
        }
        self.idle_txn = Some(ticket.wait_for_txn()?);
        Ok(())
    }

    /// Waits until the commit that was deferred, if there is one, may be acknowledged.
    ///
    /// # Errors
    /// 58030 if the log could not be written. The session may have said what is not so, and ends.
    pub(crate) fn settle_commit(&mut self) -> Result<()> {
        let Some(ticket) = self.unsettled.take() else { return Ok(()) };
        let txn = ticket.wait_for_txn().inspect_err(|_| self.has_lost_commit = true)?;
        self.idle_txn = Some(txn);
        Ok(())
    }

    /// Ends the open transaction, if there is one, without its changes.
    fn abandon_transaction(&mut self) -> Result<()> {
        self.state.pending.lock().clear();
        self.end_env();
        let result = self.txn.take().map_or(Ok(()), |txn| txn.rollback());
        self.state.backend.show_transaction(None);
        result
    }

    /// Rolls the open transaction back.
    pub(crate) fn rollback_transaction(&mut self) -> Result<()> {
        self.portals.retain(|portal| portal.is_held);
        self.block = Block::default();
        let result = self.abandon_transaction();
        self.catalog.rolled_back();
        self.forget_dropped_temporary();
        self.state.settings.rollback();
        result
    }

    /// A statement failed: outside a block everything goes back, inside one it fails.
    pub(crate) fn fail_transaction(&mut self) {
        if !self.block.is_open {
            // The statement's error is what the client is told.
            let _ = self.rollback_transaction();
            return;
        }
        if self.block.is_failed {
            return;
        }
        self.portals.retain(|portal| portal.is_held);
        self.block.is_failed = true;
        if let Some(saved) = self.block.savepoints.last() {
            // The rest stays, with its locks, for ROLLBACK TO.
            let (rows, catalog, settings) = (saved.rows, saved.catalog, saved.settings);
            self.state.pending.lock().rollback_to(saved.notify);
            if let Some(txn) = &mut self.txn {
                let _ = txn.rollback_to(rows);
            }
            self.catalog.rollback_to(catalog);
            self.state.settings.lock().rollback_to(settings);
        } else {
            let _ = self.abandon_transaction();
            self.catalog.rolled_back();
            self.state.settings.rollback();
        }
    }

    fn warn(&mut self, sqlstate: SqlState, message: &str) {
        self.notice(Level::Warning, Error::new(sqlstate, message));
    }

    /// BEGIN, COMMIT and their family; gives the command tag.
    pub(crate) fn transaction_statement(&mut self, statement: &Transaction) -> Result<Tag> {
        match statement {
            Transaction::Begin { start, modes } => {
                let tag = if *start { "START TRANSACTION" } else { "BEGIN" };
                self.check_not_failed()?;
                if self.block.is_open {
                    self.warn(
                        SqlState::ACTIVE_SQL_TRANSACTION,
                        "there is already a transaction in progress",
                    );
                    self.set_modes(*modes)?;
                    return Ok(tag.into());
                }
                self.block.is_open = true;
                self.set_modes(*modes)?;
                self.ensure_transaction()?;
                Ok(tag.into())
            }
            Transaction::Commit { chain } => {
                let modes = (self.block.isolation, self.block.read_only);
                if self.block.is_failed {
                    self.rollback_transaction()?;
                    self.chain(*chain, modes);
                    return Ok("ROLLBACK".into());
                }
                if !self.block.is_open {
                    self.not_in_block(*chain, "COMMIT AND CHAIN")?;
                }
                self.commit_and_defer()?;
                self.chain(*chain, modes);
                Ok("COMMIT".into())
            }
            Transaction::Rollback { chain } => {
                let modes = (self.block.isolation, self.block.read_only);
                if !self.block.is_open {
                    self.not_in_block(*chain, "ROLLBACK AND CHAIN")?;
                }
                self.rollback_transaction()?;
                self.chain(*chain, modes);
                Ok("ROLLBACK".into())
            }
            Transaction::Savepoint(name) => {
                self.check_not_failed()?;
                self.require_block("SAVEPOINT")?;
                self.ensure_transaction()?;
                let rows = self.txn.as_mut().expect("a transaction was ensured").savepoint();
                let saved = Saved {
                    name: name.as_str().to_owned(),
                    rows,
                    catalog: self.catalog.mark(),
                    settings: self.state.settings.lock().mark(),
                    notify: self.state.pending.lock().mark(),
                };
                self.block.savepoints.push(saved);
                Ok("SAVEPOINT".into())
            }
            Transaction::Release(name) => {
                self.check_not_failed()?;
                self.require_block("RELEASE SAVEPOINT")?;
                let at = self.find_savepoint(name.as_str())?;
                let rows = self.block.savepoints[at].rows;
                self.block.savepoints.truncate(at);
                if let Some(txn) = &mut self.txn {
                    txn.release(rows);
                }
                Ok("RELEASE".into())
            }
            Transaction::RollbackTo(name) => {
                self.require_block("ROLLBACK TO SAVEPOINT")?;
                let at = self.find_savepoint(name.as_str())?;
                self.block.savepoints.truncate(at + 1);
                let saved = &self.block.savepoints[at];
                let (rows, catalog, settings) = (saved.rows, saved.catalog, saved.settings);
                self.state.pending.lock().rollback_to(saved.notify);
                self.portals.retain(|portal| portal.is_held);
                if let Some(txn) = &mut self.txn {
                    txn.rollback_to(rows)?;
                }
                self.catalog.rollback_to(catalog);
                self.state.settings.lock().rollback_to(settings);
                self.block.is_failed = false;
                Ok("ROLLBACK".into())
            }
            Transaction::PrepareTransaction(_)
            | Transaction::CommitPrepared(_)
            | Transaction::RollbackPrepared(_) => Err(Error::unsupported("two-phase commit")),
        }
    }

    fn not_in_block(&mut self, chain: bool, what: &str) -> Result<()> {
        if chain {
            return Err(Error::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                format!("{what} can only be used in transaction blocks"),
            ));
        }
        self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        Ok(())
    }

    fn chain(&mut self, chain: bool, modes: (Option<IsolationLevel>, Option<bool>)) {
        if chain {
            self.block =
                Block { is_open: true, isolation: modes.0, read_only: modes.1, ..Block::default() };
        }
    }

    /// # Errors
    /// 25P01.
    pub(crate) fn require_block(&self, what: &str) -> Result<()> {
        if self.block.is_open {
            return Ok(());
        }
        Err(Error::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        ))
    }

    fn find_savepoint(&self, name: &str) -> Result<usize> {
        self.block.savepoints.iter().rposition(|saved| saved.name == name).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_SAVEPOINT_SPECIFICATION,
                format!("savepoint \"{name}\" does not exist"),
            )
        })
    }

    /// SET TRANSACTION, and the modes of BEGIN.
    pub(crate) fn set_modes(&mut self, modes: TransactionModes) -> Result<()> {
        if let Some(isolation) = modes.isolation {
            let level = match isolation {
                Isolation::ReadUncommitted | Isolation::ReadCommitted => {
                    IsolationLevel::ReadCommitted
                }
                Isolation::RepeatableRead => IsolationLevel::RepeatableRead,
                Isolation::Serializable => IsolationLevel::Serializable,
            };
            if let Some(txn) = &mut self.txn {
                txn.set_isolation(level)?;
            }
            self.block.isolation = Some(level);
        }
        if let Some(read_only) = modes.read_only {
            if let Some(txn) = &mut self.txn {
                txn.set_read_only(read_only)?;
            }
            self.block.read_only = Some(read_only);
        }
        Ok(())
    }

    /// What the transaction is, or the next one will be.
    pub(crate) fn modes(&mut self) -> Modes {
        if let Some(txn) = &self.txn {
            return Modes { isolation: txn.isolation(), read_only: txn.is_read_only() };
        }
        let (isolation, read_only) = (self.block.isolation, self.block.read_only);
        let effective = self.effective();
        Modes {
            isolation: isolation.unwrap_or(effective.default_isolation),
            read_only: read_only.unwrap_or(effective.default_read_only),
        }
    }

    /// # Errors
    /// 25006.
    pub(crate) fn check_writable(&self, command: &str) -> Result<()> {
        if self.txn.as_deref().is_some_and(Txn::is_read_only) {
            return Err(Error::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {command} in a read-only transaction"),
            ));
        }
        Ok(())
    }
}
