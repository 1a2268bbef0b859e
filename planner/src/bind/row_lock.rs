//! FOR UPDATE and its weaker kin: which tables of a query they lock.

use super::scope::{Scope, ScopeTable};
use super::{Binder, at};
use crate::expr::ColumnId;
use crate::physical::{LockStrength, LockWait};
use damask_catalog::object::RelationKind;
use damask_sql::ast::{self, Distinct, Query, Select};
use damask_types::{Error, Result, SqlState};

impl Binder<'_> {
    pub(super) fn bind_locks(
        query: &Query,
        select: &Select,
        scope: &Scope<'_>,
        is_aggregated: bool,
    ) -> Result<
        Vec<(std::sync::Arc<damask_catalog::object::Relation>, ColumnId, LockStrength, LockWait)>,
    > {
        let mut locks: Vec<(
            std::sync::Arc<damask_catalog::object::Relation>,
            ColumnId,
            LockStrength,
            LockWait,
        )> = vec![];
        for locking in &query.locking {
            let word = lock_word(locking.strength);
            let forbidden = |what: &str| {
                Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("{word} is not allowed with {what}"),
                )
            };
            if !select.group_by.is_empty() {
                return Err(forbidden("GROUP BY clause"));
            }
            if select.having.is_some() {
                return Err(forbidden("HAVING clause"));
            }
            if is_aggregated {
                return Err(forbidden("aggregate functions"));
            }
            if !matches!(select.distinct, Distinct::No) {
                return Err(forbidden("DISTINCT clause"));
            }
            let strength = match locking.strength {
                ast::LockStrength::KeyShare => LockStrength::KeyShare,
                ast::LockStrength::Share => LockStrength::Share,
                ast::LockStrength::NoKeyUpdate => LockStrength::NoKeyUpdate,
                ast::LockStrength::Update => LockStrength::Update,
            };
            let wait = match locking.wait {
                ast::LockWait::Block => LockWait::Wait,
                ast::LockWait::NoWait => LockWait::NoWait,
                ast::LockWait::SkipLocked => LockWait::Skip,
            };
            for name in &locking.tables {
                if !scope.tables.iter().any(|table| table.alias == name.base().as_str()) {
                    return Err(Error::new(
                        SqlState::UNDEFINED_TABLE,
                        format!(
                            "relation \"{}\" in {word} clause not found in FROM clause",
                            name.base().as_str()
                        ),
                    )
                    .at(at(name.span())));
                }
            }
            let chosen = |table: &ScopeTable| {
                locking.tables.is_empty()
                    || locking.tables.iter().any(|name| name.base().as_str() == table.alias)
            };
            for table in scope.tables.iter().filter(|table| chosen(table)) {
                if let (Some(relation), Some(row_id)) = (&table.relation, table.row_id)
                    && relation.kind == RelationKind::Table
                    && !locks.iter().any(|(_, id, ..)| *id == row_id)
                {
                    locks.push((std::sync::Arc::clone(relation), row_id, strength, wait));
                }
            }
        }
        Ok(locks)
    }
}

pub(super) fn lock_word(strength: ast::LockStrength) -> &'static str {
    match strength {
        ast::LockStrength::KeyShare => "FOR KEY SHARE",
        ast::LockStrength::Share => "FOR SHARE",
        ast::LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        ast::LockStrength::Update => "FOR UPDATE",
    }
}
