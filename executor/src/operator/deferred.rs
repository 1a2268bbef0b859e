//! Checks of deferrable constraints that were put off, until the statement's end or the transaction's.
//!
//! What is to be checked lies in the transaction ([`damask_txn::Deferred`]). A check asks for what is there now: a referencing row that is
//! gone again, or a key that came back, is no violation.

use super::foreign_key::check_later;
use crate::context::State;
use damask_catalog::CatalogSnapshot;
use damask_catalog::object::{Constraint, Relation};
use damask_txn::{Deferred, Txn};
use damask_types::{Oid, RelId, Result};
use hashbrown::HashMap;
use std::sync::Arc;

/// Which checks are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Those of the statement that ends, unless they are deferred.
    Statement,
    /// Those that are not deferred, whenever they were put off (`SET CONSTRAINTS ... IMMEDIATE`).
    Immediate,
    /// All: the transaction commits.
    All,
}

/// Makes the checks that are due.
///
/// # Errors
/// 23505, 23503.
pub(crate) fn run(due: Due, state: &mut State<'_>) -> Result<()> {
    let mut found = HashMap::new();
    let catalog = Arc::clone(&state.ctx.catalog);
    for (place, work) in state.txn.deferred(due == Due::Statement) {
        // A constraint that is gone wants nothing.
        if let Some((table, constraint)) = constraint_of(&catalog, &work, &mut found) {
            if due != Due::All && is_deferred(state.txn, &constraint) {
                continue;
            }
            state.check()?;
            match &work {
                Deferred::Unique { rel, index, row } => {
                    let checked = state.txn.check_unique(*rel, *index, *row);
                    checked.map_err(|error| {
                        super::modify::of_table(error, &table, &state.ctx.catalog)
                    })?;
                }
                Deferred::Referencing { .. } | Deferred::Referenced { .. } => {
                    state.txn.begin_statement()?;
                    check_later(&table, &constraint, work, state)?;
                }
            }
        }
        state.txn.done_deferred(place);
    }
    state.txn.sweep();
    Ok(())
}

/// Whether a constraint's checks are put off to the end of the transaction now.
pub(crate) fn is_deferred(txn: &Txn, constraint: &Constraint) -> bool {
    constraint.timing.deferrable && txn.is_deferred(constraint.oid, constraint.timing.deferred)
}

type Found = HashMap<RelId, Option<(Arc<Relation>, Arc<Constraint>)>>;

/// The constraint that work is for, and the table it is on.
fn constraint_of(
    catalog: &CatalogSnapshot,
    work: &Deferred,
    found: &mut Found,
) -> Option<(Arc<Relation>, Arc<Constraint>)> {
    let of_oid = |oid: Oid| {
        let (table, constraint) = catalog.constraint(oid)?;
        Some((Arc::clone(table), Arc::clone(constraint)))
    };
    match work {
        Deferred::Referencing { constraint, .. } | Deferred::Referenced { constraint, .. } => {
            of_oid(*constraint)
        }
        Deferred::Unique { rel, index, .. } => {
            let look = || {
                let table = catalog.user_relations().into_iter().find(|table| table.rel == *rel)?;
                let index = table.indexes.iter().find(|other| other.rel == *index)?.oid;
                Some((Arc::clone(table), Arc::clone(table.constraint_of_index(index)?)))
            };
            found.entry(*index).or_insert_with(look).clone()
        }
    }
}
