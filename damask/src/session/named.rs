//! Prepared statements by name, and what the session's clients see of them and of its cursors.
//!
//! A statement of a name promises the result columns it had when they were first told or used: after a definition has changed
//! them it fails with 0A000, as in PostgreSQL, so that a client never reads rows by a stale description. The promise
//! belongs to the name and not to the [`Prepared`], which sessions share.
//!
//! `pg_prepared_statements` and `pg_cursors` show what [`Session::show_named`] copied when the statement that reads them
//! began.

use super::Session;
use super::plan::{Prepared, is_planned};
use damask_catalog::object::RelationKind;
use damask_catalog::system::{CursorRow, PreparedRow};
use damask_planner::physical::{OutputColumn, Plan};
use damask_types::{Error, Result, SqlState, SqlType, TypeId};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// A prepared statement of a session.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) statement: Arc<Promised>,
    /// The text that prepared it.
    pub(crate) text: Arc<str>,
    /// When, in microseconds since 2000.
    pub(crate) made: i64,
    /// By PREPARE, not by the protocol.
    pub(crate) from_sql: bool,
    /// Times it was bound or executed.
    pub(crate) uses: i64,
}

/// A statement with the result columns that its name promises, once they are known. The session's own, so that to hand it on writes
/// nothing that other sessions use.
#[derive(Debug)]
pub(crate) struct Promised {
    pub(crate) prepared: Arc<Prepared>,
    columns: OnceLock<Vec<(String, SqlType)>>,
}

impl Promised {
    /// Of a statement; nothing is promised yet.
    pub(crate) fn new(prepared: Arc<Prepared>) -> Arc<Self> {
        Arc::new(Self { prepared, columns: OnceLock::new() })
    }

    /// Takes the columns for a promise, or compares them with it. Only what is planned promises: FETCH gives what its
    /// cursor has.
    ///
    /// # Errors
    /// 0A000 if they have changed.
    pub(crate) fn check(&self, columns: &[OutputColumn]) -> Result<()> {
        if !self.prepared.statement().is_some_and(is_planned) {
            return Ok(());
        }
        let promised = self.columns.get_or_init(|| {
            columns.iter().map(|column| (column.name.clone(), column.ty)).collect()
        });
        let same = promised.len() == columns.len()
            && promised
                .iter()
                .zip(columns)
                .all(|((name, ty), column)| *name == column.name && *ty == column.ty);
        if same {
            return Ok(());
        }
        // asyncpg and pgjdbc prepare again when they see this routine.
        let message = "cached plan must not change result type";
        Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).routine("RevalidateCachedQuery"))
    }

    /// Whether columns are promised.
    pub(crate) fn has_columns(&self) -> bool {
        self.columns.get().is_some_and(|columns| !columns.is_empty())
    }
}

/// What the two views show.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) statements: Mutex<Vec<PreparedRow>>,
    pub(crate) cursors: Mutex<Vec<CursorRow>>,
}

impl Session {
    /// Copies what a plan that reads the views will find there.
    pub(crate) fn show_named(&self, plan: &Plan) {
        for used in &plan.relations {
            if used.relation.kind != RelationKind::System {
                continue;
            }
            match used.relation.name.as_str() {
                "pg_prepared_statements" => {
                    *self.state.shown.statements.lock() = self.prepared_rows();
                }
                "pg_cursors" => *self.state.shown.cursors.lock() = self.cursor_rows(),
                _ => {}
            }
        }
    }

    fn prepared_rows(&self) -> Vec<PreparedRow> {
        self.statements
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, named)| PreparedRow {
                name: name.to_owned(),
                statement: named.text.to_string(),
                prepare_time: named.made,
                parameter_types: named
                    .statement
                    .prepared
                    .parameter_types()
                    .into_iter()
                    .map(|ty| ty.unwrap_or(TypeId::Text).oid())
                    .collect(),
                from_sql: named.from_sql,
                generic_plans: named.uses,
            })
            .collect()
    }

    fn cursor_rows(&self) -> Vec<CursorRow> {
        let rows = self.portals.iter().map(|(name, portal)| CursorRow {
            name: name.to_owned(),
            statement: portal.text().to_string(),
            is_holdable: portal.is_held,
            is_scrollable: portal.is_scrollable,
            creation_time: portal.made,
        });
        rows.collect()
    }
}
