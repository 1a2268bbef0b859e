//! REINDEX, and indexes that are built while others write (CONCURRENTLY).
//!
//! ```text
//!   1  the index is made, empty and not valid; from the commit on every writer keeps it
//!   2  every row gets its entries (`damask_txn`); a duplicate key ends it here, and leaves an index that is not valid and empty
//!   3  the index is valid
//! ```
//!
//! REINDEX CONCURRENTLY builds a second index in this way, under a name that ends in `ccnew`, lets the two change places, waits until nobody
//! who may have planned with the old one is left, and drops it.

use super::super::Session;
use super::super::settings::Level;
use damask_catalog::ddl::NewIndex;
use damask_catalog::object::{Index, Relation, RelationKind};
use damask_sql::ast::{self, ObjectKind};
use damask_txn::{LockTag, TableLock};
use damask_types::{Error, Oid, Position, RelId, Result, SqlState, TxnId};
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether transactions have ended.
const WAIT_SLICE: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    concurrently: bool,
    verbose: bool,
}

fn options(reindex: &ast::Reindex) -> Result<Options> {
    let mut options = Options::default();
    for option in &reindex.options {
        let name = option.name.as_str();
        let value = || {
            option.as_bool().ok_or_else(|| {
                Error::new(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))
            })
        };
        match name {
            "concurrently" => options.concurrently = value()?,
            "verbose" => options.verbose = value()?,
            "tablespace" => return Err(Error::unsupported("REINDEX (TABLESPACE)")),
            _ => {
                let text = format!("unrecognized REINDEX option \"{name}\"");
                let at = Position(option.name.span.start);
                return Err(Error::new(SqlState::SYNTAX_ERROR, text).at(at));
            }
        }
    }
    Ok(options)
}

/// Whether an index can be built: the primary key that is the row id has no storage.
fn has_storage(index: &Index) -> bool {
    index.rel != RelId(0) || !index.valid
}

impl Session {
    /// REINDEX.
    pub(crate) fn reindex(&mut self, reindex: &ast::Reindex) -> Result<()> {
        let options = options(reindex)?;
        if options.concurrently {
            self.check_outside_block("REINDEX CONCURRENTLY")?;
        }
        match reindex.object {
            ObjectKind::Schema => self.check_outside_block("REINDEX SCHEMA")?,
            ObjectKind::Database => self.check_outside_block("REINDEX DATABASE")?,
            _ => {}
        }
        self.begin_statement()?;
        self.check_writable("REINDEX")?;
        let tables = self.reindexed(reindex, options)?;
        for (table, index) in tables {
            let Some(relation) = self.catalog.snapshot().relation(table).cloned() else {
                continue;
            };
            let wanted = |other: &&Arc<Index>| index.is_none_or(|index| other.oid == index);
            let indexes: Vec<Oid> =
                relation.indexes.iter().filter(wanted).map(|index| index.oid).collect();
            for index in indexes {
                if options.concurrently {
                    self.rebuild_beside(table, index)?;
                } else {
                    let relation = self.lock_and_refresh(&relation, TableLock::AccessExclusive)?;
                    self.check_no_deferred("REINDEX INDEX", &relation)?;
                    self.change(|catalog, txn| catalog.rebuild_index(txn, index))?;
                }
                if options.verbose
                    && let Some((_, index)) = self.index_with_table(index)
                {
                    let text = format!("index \"{}\" was reindexed", index.name);
                    self.notice(Level::Info, Error::new(SqlState::SUCCESSFUL_COMPLETION, text));
                }
            }
        }
        Ok(())
    }

    /// The tables that are meant, and of each the index if it is one.
    fn reindexed(
        &mut self,
        reindex: &ast::Reindex,
        options: Options,
    ) -> Result<Vec<(Oid, Option<Oid>)>> {
        let env = self.statement_env()?;
        let all = |schema: Option<Oid>| {
            let tables = env.catalog.user_relations().into_iter();
            let is_meant = |table: &&Arc<Relation>| {
                table.kind == RelationKind::Table
                    && schema.is_none_or(|schema| table.schema == schema)
            };
            tables.filter(is_meant).map(|table| (table.oid, None)).collect::<Vec<_>>()
        };
        let Some(name) = &reindex.name else {
            return Ok(all(None));
        };
        let wanted = super::object_name(name)?;
        let wrong = |what: &str| {
            let text = format!("\"{}\" is not {what}", wanted.name);
            Err(Error::new(SqlState::WRONG_OBJECT_TYPE, text))
        };
        match reindex.object {
            ObjectKind::Database if wanted.name == self.state.database => Ok(all(None)),
            ObjectKind::Database => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "can only reindex the currently open database",
            )),
            ObjectKind::Schema => {
                let schema = env.catalog.schema_for(&wanted.name, &env.path).ok_or_else(|| {
                    let text = format!("schema \"{}\" does not exist", wanted.name);
                    Error::new(SqlState::INVALID_SCHEMA_NAME, text)
                })?;
                Ok(all(Some(schema.oid)))
            }
            ObjectKind::Index => match env.catalog.find_index(&wanted, &env.path) {
                Some((table, index)) => Ok(vec![(table.oid, Some(index.oid))]),
                None if self.find(name)?.is_some() => wrong("an index"),
                None => {
                    let text = format!("relation \"{wanted}\" does not exist");
                    Err(Error::new(SqlState::UNDEFINED_TABLE, text))
                }
            },
            _ => {
                if self.is_index(name)? {
                    return wrong("a table or materialized view");
                }
                let table = self.resolve(name)?;
                if table.kind != RelationKind::Table {
                    return wrong("a table or materialized view");
                }
                if table.indexes.is_empty() {
                    let what = if options.concurrently {
                        "that can be reindexed concurrently"
                    } else {
                        "to reindex"
                    };
                    let text = format!("table \"{}\" has no indexes {what}", table.name);
                    self.notice(Level::Notice, Error::new(SqlState::SUCCESSFUL_COMPLETION, text));
                }
                Ok(vec![(table.oid, None)])
            }
        }
    }

    /// Commits what made an index, fills it while others write, and makes it valid.
    ///
    /// # Errors
    /// 23505 for a duplicate key; the index stays then, empty and not valid, as in PostgreSQL.
    pub(super) fn fill_index(&mut self, table: Oid, index: Oid) -> Result<()> {
        self.commit_transaction()?;
        self.begin_statement()?;
        let filled = self.fill_locked(table, index);
        let Err(error) = filled else {
            return Ok(());
        };
        self.rollback_transaction()?;
        self.begin_statement()?;
        self.lock(table, TableLock::ShareUpdateExclusive)?;
        self.catalog.refresh();
        self.change(|catalog, txn| catalog.empty_index(txn, index))?;
        self.commit_transaction()?;
        Err(error)
    }

    fn fill_locked(&mut self, table: Oid, index: Oid) -> Result<()> {
        self.lock(table, TableLock::ShareUpdateExclusive)?;
        self.catalog.refresh();
        let gone = || Error::new(SqlState::UNDEFINED_OBJECT, "the index was dropped meanwhile");
        let snapshot = Arc::clone(self.catalog.snapshot());
        let (relation, found) = snapshot.index(index).ok_or_else(gone)?;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        // What it reads is under latches; an old snapshot would only keep versions.
        txn.end_statement();
        let filled = txn.fill_index(relation.rel, found.rel);
        filled.map_err(|error| {
            if error.sqlstate() == SqlState::UNIQUE_VIOLATION {
                error.table(snapshot.schema_name(relation.schema), relation.name.as_str())
            } else {
                error
            }
        })?;
        self.change(|catalog, txn| catalog.finish_index(txn, index))
    }

    /// Builds an index again while others read and write.
    fn rebuild_beside(&mut self, table: Oid, index: Oid) -> Result<()> {
        let Some((relation, old)) = self.index_with_table(index) else {
            return Ok(());
        };
        if !has_storage(&old) {
            return Ok(());
        }
        let relation = self.lock_and_refresh(&relation, TableLock::ShareUpdateExclusive)?;
        let serves = relation.constraint_of_index(index);
        let deferrable = serves.is_some_and(|constraint| constraint.timing.deferrable);
        let new = NewIndex {
            name: Some(self.catalog.transient_name(&old)),
            keys: old.keys.clone(),
            included: old.included.clone(),
            exprs: old.exprs.clone(),
            predicate: old.predicate.clone(),
            method: old.method,
            concurrently: true,
            unique: old.unique,
            deferrable,
            nulls_not_distinct: old.nulls_not_distinct,
        };
        let made = self.change(|catalog, txn| catalog.create_index(txn, table, new))?;
        self.fill_index(table, made.oid)?;
        self.change(|catalog, txn| catalog.swap_indexes(txn, index, made.oid))?;
        self.commit_transaction()?;
        self.wait_for_holders(table)?;
        self.begin_statement()?;
        self.lock(table, TableLock::ShareUpdateExclusive)?;
        self.catalog.refresh();
        self.change(|catalog, txn| catalog.drop_index(txn, made.oid))?;
        self.commit_transaction()?;
        self.begin_statement()
    }

    fn index_with_table(&self, index: Oid) -> Option<(Arc<Relation>, Arc<Index>)> {
        let (table, index) = self.catalog.snapshot().index(index)?;
        Some((Arc::clone(table), Arc::clone(index)))
    }

    /// Returns when the transactions that hold a lock on a table now have ended.
    fn wait_for_holders(&mut self, table: Oid) -> Result<()> {
        let engine = Arc::clone(self.state.catalog.engine());
        let holders = || {
            let locks = engine.locks().into_iter();
            let on_table =
                locks.filter(|lock| lock.granted && lock.tag == LockTag::Relation(table));
            on_table.map(|lock| lock.owner).collect::<Vec<TxnId>>()
        };
        let old = holders();
        loop {
            let now = holders();
            if !old.iter().any(|owner| now.contains(owner)) {
                return Ok(());
            }
            self.state.backend.check()?;
            self.state.clock.sleep(WAIT_SLICE);
        }
    }
}
