//! Temporary relations: a schema of the session's own, dropped with it.
//!
//! They are stored as all others are; what makes them temporary is their schema, `pg_temp_N` with the session's number, which is
//! made when it is first needed. Names find it first (see [`damask_catalog::SearchPath`]), those of other sessions do not find it.
//!
//! Invariants
//! - T1: a permanent object never depends on a temporary one: views over temporary relations are temporary, foreign keys
//!   stay among temporary tables.
//! - T2: rows of a temporary table are read and written by its own session alone.
//! - T3: nothing outlives the session: its end drops the schema, and the next opening of the database what a crash left.
//!
//! Left out: cheaper storage for them (they are logged), and writing them in a read-only transaction.

use super::super::Session;
use damask_catalog::object::Relation;
use damask_catalog::snapshot::{TEMP_ALIAS, TEMP_PREFIX};
use damask_catalog::{Catalog, CatalogTxn};
use damask_sql::ast::{self, OnCommit};
use damask_txn::{IsolationLevel, TableLock};
use damask_types::{Error, Oid, Position, Result, SqlState};
use std::sync::Arc;

/// What a session knows of its temporary relations.
#[derive(Debug, Default)]
pub(crate) struct Temporary {
    /// Its schema; gone from the catalog if what made it was rolled back.
    schema: Option<Oid>,
    /// Tables that a commit empties or drops.
    on_commit: Vec<(Oid, OnCommit)>,
    /// Whether this transaction may have written one of them.
    is_written: bool,
}

fn definition_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_TABLE_DEFINITION, message)
}

impl Session {
    /// The session's schema of temporary relations, if it is there.
    pub(crate) fn temp_schema(&self) -> Option<Oid> {
        self.temporary.schema.filter(|&oid| self.catalog.snapshot().schema(oid).is_some())
    }

    /// The same, made now if it is not there.
    fn ensure_temp_schema(&mut self) -> Result<Oid> {
        if let Some(oid) = self.temp_schema() {
            return Ok(oid);
        }
        let (number, owner) = (self.pid(), self.state.user.0);
        let oid = self.change(|catalog, txn| catalog.create_temp_schema(txn, number, owner))?;
        self.temporary.schema = Some(oid);
        Ok(oid)
    }

    /// The schema that a new relation of this name goes into.
    ///
    /// # Errors
    /// 3F000; 42P16 for a temporary relation in another schema than the session's own.
    pub(crate) fn creation_schema(
        &mut self,
        name: &ast::Name,
        persistence: ast::Persistence,
    ) -> Result<Oid> {
        let wants_temp = persistence == ast::Persistence::Temporary;
        let at = Position(name.span().start);
        let env = self.statement_env()?;
        super::object_name(name)?;
        let Some(qualifier) = name.qualifier() else {
            if wants_temp || env.path.creates_temp {
                return self.ensure_temp_schema();
            }
            return env.path.creation.ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    "no schema has been selected to create in",
                )
                .at(at)
            });
        };
        let schema = qualifier.as_str();
        if schema == TEMP_ALIAS {
            return self.ensure_temp_schema();
        }
        let Some(found) = env.catalog.schema_by_name(schema) else {
            return Err(Error::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            )
            .at(at));
        };
        if env.path.temp == Some(found.oid) {
            return Ok(found.oid);
        }
        if schema.starts_with(TEMP_PREFIX) {
            return Err(definition_error(
                "cannot create relations in temporary schemas of other sessions",
            )
            .at(at));
        }
        if wants_temp {
            return Err(definition_error(
                "cannot create temporary relation in non-temporary schema",
            )
            .at(at));
        }
        Ok(found.oid)
    }

    /// # Errors
    /// 42P16 for ON COMMIT of a table that is not temporary.
    pub(crate) fn check_on_commit(&self, schema: Oid, on_commit: Option<OnCommit>) -> Result<()> {
        if on_commit.is_some() && self.temp_schema() != Some(schema) {
            return Err(definition_error("ON COMMIT can only be used on temporary tables"));
        }
        Ok(())
    }

    /// Remembers what a commit does to a new temporary table.
    pub(crate) fn note_on_commit(&mut self, table: Oid, on_commit: Option<OnCommit>) {
        if let Some(action @ (OnCommit::DeleteRows | OnCommit::Drop)) = on_commit {
            self.temporary.on_commit.push((table, action));
        }
    }

    /// Before a statement uses a relation.
    ///
    /// # Errors
    /// 0A000 for the temporary tables of other sessions (T2).
    pub(crate) fn use_relation(&mut self, relation: &Relation, written: bool) -> Result<()> {
        if !self.catalog.snapshot().is_temp(relation.schema) {
            return Ok(());
        }
        if self.temp_schema() != Some(relation.schema) {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot access temporary tables of other sessions",
            ));
        }
        self.temporary.is_written |= written;
        Ok(())
    }

    /// ON COMMIT DELETE ROWS and ON COMMIT DROP, before the commit.
    pub(crate) fn run_on_commit(&mut self) -> Result<()> {
        if self.temporary.on_commit.is_empty() || self.txn.is_none() {
            return Ok(());
        }
        let is_written = std::mem::take(&mut self.temporary.is_written);
        let mut emptied: Vec<Arc<Relation>> = vec![];
        for (oid, action) in self.temporary.on_commit.clone() {
            let Some(relation) = self.catalog.snapshot().relation(oid).cloned() else { continue };
            match action {
                OnCommit::PreserveRows => {}
                OnCommit::DeleteRows if is_written => emptied.push(relation),
                OnCommit::DeleteRows => {}
                OnCommit::Drop => self.drop_quietly(oid)?,
            }
        }
        for table in &emptied {
            self.check_emptied(table, &emptied)?;
            self.lock(table.oid, TableLock::AccessExclusive)?;
            self.change(|_, txn| {
                txn.begin_statement()?;
                txn.truncate(table.rel)
            })?;
        }
        Ok(())
    }

    /// # Errors
    /// 0A000 if a table that is not emptied refers to one that is.
    fn check_emptied(&self, table: &Relation, emptied: &[Arc<Relation>]) -> Result<()> {
        for reference in &table.referenced_by {
            if emptied.iter().any(|other| other.oid == reference.table) {
                continue;
            }
            let snapshot = self.catalog.snapshot();
            let other = snapshot.relation(reference.table).map_or("", |other| &other.name);
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "unsupported ON COMMIT and foreign key combination",
            )
            .detail(format!(
                "Table \"{other}\" references \"{}\", but they do not have the same ON COMMIT setting.",
                table.name
            )));
        }
        Ok(())
    }

    fn drop_quietly(&mut self, oid: Oid) -> Result<()> {
        self.lock(oid, TableLock::AccessExclusive)?;
        let (_, views) = self.catalog.dependents(oid);
        self.change(|catalog, txn| {
            for view in views {
                catalog.drop_relation(txn, view)?;
            }
            catalog.drop_relation(txn, oid)
        })
    }

    /// Forgets the ON COMMIT of tables that are gone; after the end of a transaction.
    pub(crate) fn forget_dropped_temporary(&mut self) {
        if self.temporary.on_commit.is_empty() {
            return;
        }
        self.temporary.is_written = false;
        let snapshot = self.catalog.snapshot();
        self.temporary.on_commit.retain(|(oid, _)| snapshot.relation(*oid).is_some());
    }

    /// Drops the session's temporary relations in its transaction (DISCARD TEMP).
    pub(crate) fn discard_temporary(&mut self) -> Result<()> {
        let Some(oid) = self.temp_schema() else { return Ok(()) };
        self.begin_statement()?;
        self.change(|catalog, txn| catalog.drop_whole_schema(txn, oid, false))
    }

    /// Drops the session's schema at its end. What cannot be dropped now is dropped by the next opening (T3).
    pub(crate) fn end_temporary(&mut self) {
        self.catalog.refresh();
        if let Some(oid) = self.temp_schema() {
            let _ = drop_schemas(&mut self.catalog, &self.database.shared.catalog, &[oid]);
        }
    }
}

/// Drops what a crash left of sessions' temporary relations; the database has no sessions yet.
pub(crate) fn drop_leftovers(catalog: &Arc<Catalog>) -> Result<()> {
    let mut changes = CatalogTxn::new(Arc::clone(catalog));
    let left = changes.temp_schemas();
    if left.is_empty() {
        return Ok(());
    }
    drop_schemas(&mut changes, catalog, &left)
}

/// Drops schemas with what is in them, in a transaction of its own that nothing interrupts.
fn drop_schemas(changes: &mut CatalogTxn, catalog: &Catalog, schemas: &[Oid]) -> Result<()> {
    let mut txn = catalog.engine().begin(IsolationLevel::ReadCommitted, false)?;
    let dropped = txn.begin_statement().and_then(|()| {
        schemas.iter().try_for_each(|&oid| changes.drop_whole_schema(&mut txn, oid, true))
    });
    let result = match dropped {
        Ok(()) => txn.commit().and_then(damask_txn::CommitTicket::wait),
        Err(error) => txn.rollback().and(Err(error)),
    };
    match result {
        Ok(()) => changes.committed(),
        Err(_) => changes.rolled_back(),
    }
    result
}
