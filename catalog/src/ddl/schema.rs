//! Schemas, also those of temporary objects.

use super::{CatalogTxn, dependents_error, kind_name};
use crate::object::Schema;
use crate::snapshot::{PUBLIC, TEMP_PREFIX};
use crate::store::{self, Change, schema_record};
use damask_txn::Txn;
use damask_types::{Error, Oid, Result, SqlState};
use std::sync::Arc;

impl CatalogTxn {
    /// Makes a schema.
    ///
    /// # Errors
    /// 42P06 if the name is taken, 42939 for `pg_` names.
    pub fn create_schema(&mut self, txn: &mut Txn, name: &str, owner: Oid) -> Result<Oid> {
        if self.current.schema_by_name(name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_SCHEMA,
                format!("schema \"{name}\" already exists"),
            ));
        }
        if name.starts_with("pg_") {
            return Err(Error::new(
                SqlState::RESERVED_NAME,
                format!("unacceptable schema name \"{name}\""),
            )
            .detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        self.put_new_schema(txn, name, owner)
    }

    /// The schema of a session's temporary relations, made when there is none.
    pub fn create_temp_schema(&mut self, txn: &mut Txn, number: i32, owner: Oid) -> Result<Oid> {
        let name = format!("{TEMP_PREFIX}{number}");
        match self.current.schema_by_name(&name) {
            Some(schema) => Ok(schema.oid),
            None => self.put_new_schema(txn, &name, owner),
        }
    }

    /// Drops the relations of a schema whatever depends on them, and the schema itself if `with_schema`.
    pub fn drop_whole_schema(&mut self, txn: &mut Txn, oid: Oid, with_schema: bool) -> Result<()> {
        let inside: Vec<Oid> = self
            .current
            .user_relations()
            .into_iter()
            .filter(|relation| relation.schema == oid)
            .map(|relation| relation.oid)
            .collect();
        for relation in inside {
            // Dropping one may have dropped others.
            self.drop_relation(txn, relation)?;
        }
        if with_schema && self.current.schema(oid).is_some() {
            self.drop_schema(txn, oid)?;
        }
        Ok(())
    }

    /// Schemas of temporary relations: those that no session has are what a crash left.
    pub fn temp_schemas(&self) -> Vec<Oid> {
        let schemas = self.current.schemas().into_iter();
        schemas.filter(|schema| self.current.is_temp(schema.oid)).map(|schema| schema.oid).collect()
    }

    fn put_new_schema(&mut self, txn: &mut Txn, name: &str, owner: Oid) -> Result<Oid> {
        let schema = Schema { oid: self.new_oid()?, name: name.to_owned(), owner };
        store::replace(self.catalog.engine(), txn, &[], &[schema_record(&schema)])?;
        let oid = schema.oid;
        self.note(Change::PutSchema(Arc::new(schema)));
        Ok(oid)
    }

    /// Renames a schema or gives it another owner.
    pub fn alter_schema(&mut self, txn: &mut Txn, new: Schema) -> Result<()> {
        let old = self.current.schema(new.oid).expect("the caller resolved the schema");
        store::replace(self.catalog.engine(), txn, &[schema_record(old)], &[schema_record(&new)])?;
        self.note(Change::PutSchema(Arc::new(new)));
        Ok(())
    }

    /// Drops an empty schema.
    ///
    /// # Errors
    /// 2BP01 if relations live in it (the session drops them first for CASCADE), 42501 for system schemas.
    pub fn drop_schema(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        let schema = Arc::clone(self.current.schema(oid).expect("the caller resolved the schema"));
        if schema.oid < Oid::FIRST_USER && schema.oid != PUBLIC {
            return Err(Error::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!(
                    "cannot drop schema {} because it is required by the database system",
                    schema.name
                ),
            ));
        }
        if let Some(relation) =
            self.current.user_relations().into_iter().find(|relation| relation.schema == oid)
        {
            return Err(dependents_error(
                &format!("schema {}", schema.name),
                &[format!(
                    "{} {} depends on schema {}",
                    kind_name(relation.kind),
                    self.qualified(relation),
                    schema.name
                )],
            ));
        }
        store::replace(self.catalog.engine(), txn, &[schema_record(&schema)], &[])?;
        self.note(Change::RemoveSchema(oid));
        Ok(())
    }
}
