//! SELECT ... FOR UPDATE and its kin of one row: found, locked, and given as it is then.

use super::scalar::{Given, Scalar, all};
use super::write::{Target, Tried, give_row};
use super::{Give, ShortContext, column_of};
use crate::operator::simple::{lock_error, lock_of};
use damask_planner::physical::{Node, Operator, Plan};
use damask_txn::{LockOutcome, RowLock, Txn, Wait, WriteOutcome};
use damask_types::{RelId, Result};

/// SELECT by a unique key, with a row lock.
#[derive(Debug)]
pub(super) struct Lock {
    target: Target,
    strength: RowLock,
    wait: Wait,
    /// What is given, over the columns read.
    exprs: Vec<Scalar>,
}

impl Lock {
    pub(super) fn of(plan: &Plan, node: &Node) -> Option<Self> {
        let Operator::Project { input, exprs } = &node.operator else {
            return None;
        };
        let Operator::LockRows { input, tables, kept: _ } = &plan.node(*input).operator else {
            return None;
        };
        let [table] = &tables[..] else {
            return None;
        };
        let (target, exprs) = Target::of(plan, *input, table.row_id, |places, scan| {
            let mut place = |id| Some(places.place(column_of(scan, id)?));
            all(exprs, &mut place)
        })?;
        let (strength, wait) = lock_of(table);
        Some(Self { target, strength, wait, exprs })
    }

    pub(super) fn table(&self) -> RelId {
        self.target.table()
    }

    pub(super) fn run(
        &self,
        ctx: &mut ShortContext<'_>,
        txn: &mut Txn,
        give: &mut Give<'_>,
    ) -> Result<u64> {
        let given = Given { params: ctx.params, session: ctx.session };
        let target = &self.target;
        let relation = &target.access.relation;
        let table = &ctx.tables[0];
        let is_locked = target.change(table, txn, given, ctx.room, |txn, _, tried| {
            let Tried::Seen(row) = tried else {
                // Whoever finds the row changed has its lock.
                return Ok(WriteOutcome::Done);
            };
            let outcome = table.lock_row(txn, row, self.strength, self.wait);
            let outcome = outcome.map_err(|error| lock_error(error, self.wait, &relation.name))?;
            Ok(match outcome {
                LockOutcome::Locked | LockOutcome::SelfModified => WriteOutcome::Done,
                LockOutcome::Changed(now) => WriteOutcome::Changed(now),
                LockOutcome::Gone | LockOutcome::Skipped => WriteOutcome::Gone,
            })
        })?;
        if !is_locked {
            return Ok(0);
        }
        give_row(&self.exprs, ctx.room, given, give)?;
        Ok(1)
    }
}
