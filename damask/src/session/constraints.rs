//! SET CONSTRAINTS, and the checks that wait for the end of a transaction.

use super::Session;
use super::settings::Level;
use damask_catalog::object::{Constraint, Relation};
use damask_executor::Due;
use damask_sql::ast;
use damask_types::{Error, Oid, Result, SqlState};
use std::sync::Arc;

impl Session {
    /// SET CONSTRAINTS.
    ///
    /// # Errors
    /// 42704 for a name that no constraint has, 42809 for one that is not deferrable, and what checks find that are
    /// due now.
    pub(super) fn set_constraints(&mut self, set: &ast::SetConstraints) -> Result<()> {
        if !self.block.is_open() {
            let text = "SET CONSTRAINTS can only be used in transaction blocks";
            self.notice(Level::Warning, Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, text));
        }
        self.begin_statement()?;
        let mut found = vec![];
        for name in &set.names {
            self.named_constraints(name, set.deferred, &mut found)?;
        }
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        if set.names.is_empty() {
            txn.set_deferred(None, set.deferred);
        }
        for constraint in found {
            txn.set_deferred(Some(constraint), set.deferred);
        }
        if set.deferred { Ok(()) } else { self.check_deferred(Due::Immediate) }
    }

    /// The deferrable constraints of a name, in the first schema of the path that has one of this name.
    fn named_constraints(
        &mut self,
        name: &ast::Name,
        deferred: bool,
        found: &mut Vec<Oid>,
    ) -> Result<()> {
        let env = self.statement_env()?;
        let wanted = super::ddl::object_name(name)?;
        let schemas: Vec<Oid> = match &wanted.schema {
            Some(schema) => {
                let found = env.catalog.schema_for(schema, &env.path).ok_or_else(|| {
                    let text = format!("schema \"{schema}\" does not exist");
                    Error::new(SqlState::INVALID_SCHEMA_NAME, text)
                })?;
                vec![found.oid]
            }
            None => env.path.schemas.clone(),
        };
        let of_schema = |schema: Oid| {
            let tables = env.catalog.user_relations().into_iter();
            let tables = tables.filter(move |table: &&Arc<Relation>| table.schema == schema);
            let all = tables.flat_map(|table| &table.constraints);
            let named = all.filter(|constraint| constraint.name == wanted.name);
            named.cloned().collect::<Vec<Arc<Constraint>>>()
        };
        let constraints =
            schemas.into_iter().map(of_schema).find(|found| !found.is_empty()).unwrap_or_default();
        if constraints.is_empty() {
            let text = format!("constraint \"{}\" does not exist", wanted.name);
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, text));
        }
        for constraint in constraints {
            if constraint.timing.deferrable {
                found.push(constraint.oid);
            } else if deferred {
                let text = format!("constraint \"{}\" is not deferrable", wanted.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, text));
            }
        }
        Ok(())
    }

    /// Makes checks that were put off, if there are any.
    pub(super) fn check_deferred(&mut self, due: Due) -> Result<()> {
        if !self.txn.as_deref().is_some_and(damask_txn::Txn::has_deferred) {
            return Ok(());
        }
        let prepared = self.prepare("SELECT", vec![])?;
        self.begin_statement()?;
        let mut execution = self.start(&prepared, &[])?;
        execution.check_deferred(due, self.txn.as_mut().expect("a statement runs in a transaction"))
    }

    /// # Errors
    /// 55006 if the transaction has put off checks of this table: what is to be done to it would undo them.
    pub(super) fn check_no_deferred(&self, command: &str, relation: &Relation) -> Result<()> {
        let Some(txn) = self.txn.as_ref().filter(|txn| txn.has_deferred()) else {
            return Ok(());
        };
        let concerns = |work: &damask_txn::Deferred| match work {
            damask_txn::Deferred::Unique { rel, .. } => *rel == relation.rel,
            damask_txn::Deferred::Referencing { constraint, .. } => {
                relation.constraints.iter().any(|other| other.oid == *constraint)
            }
            damask_txn::Deferred::Referenced { constraint, .. } => {
                relation.referenced_by.iter().any(|other| other.oid == *constraint)
            }
        };
        if txn.deferred(false).iter().any(|(_, work)| concerns(work)) {
            let text = format!(
                "cannot {command} \"{}\" because it has pending trigger events",
                relation.name
            );
            return Err(Error::new(SqlState::OBJECT_IN_USE, text));
        }
        Ok(())
    }
}
