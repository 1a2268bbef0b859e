//! ADD CONSTRAINT ... USING INDEX: an index that is there becomes a constraint's, and goes by its name from then on.

use super::super::Session;
use super::super::settings::Level;
use super::table::timing_of;
use damask_catalog::ddl::{NewConstraint, NewConstraintKind};
use damask_catalog::object::{Index, IndexMethod, Relation};
use damask_sql::ast;
use damask_types::{Error, Position, Result, SqlState};
use std::sync::Arc;

impl Session {
    /// The constraint that takes the index `name` of `relation`.
    ///
    /// # Errors
    /// 42704, 55000 and 42809 for an index that is none of this table's, or of a kind that no constraint makes.
    pub(super) fn constraint_using_index(
        &mut self,
        relation: &Relation,
        constraint: &ast::TableConstraint,
        name: &ast::Ident,
        is_primary: bool,
    ) -> Result<NewConstraint> {
        let timing = timing_of(constraint.timing, false, constraint.span)?;
        let at = Position(constraint.span.start);
        let index = self.index_to_take(relation, name).map_err(|error| error.at(at))?;
        if timing.deferrable {
            return Err(Error::unsupported("deferrable constraints USING INDEX").at(at));
        }
        let name = constraint.name.as_ref().map_or(&*index.name, ast::Ident::as_str).to_owned();
        if name != index.name {
            let notice = format!(
                "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{}\" to \"{name}\"",
                index.name
            );
            self.notice(Level::Notice, Error::new(SqlState::SUCCESSFUL_COMPLETION, notice));
        }
        let columns = index.key_columns().unwrap_or_default();
        let kind = NewConstraintKind::Index { index: index.oid, columns, is_primary };
        Ok(NewConstraint { name: Some(name), kind, timing })
    }

    fn index_to_take(&self, relation: &Relation, name: &ast::Ident) -> Result<Arc<Index>> {
        let name = name.as_str();
        let snapshot = self.catalog.snapshot();
        let found = snapshot.name_in(relation.schema, name).and_then(|oid| snapshot.index(*oid));
        let Some((table, index)) = found else {
            let message = format!("index \"{name}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, message));
        };
        let not_ready = |message| Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
        if relation.constraint_of_index(index.oid).is_some() {
            let message = format!("index \"{name}\" is already associated with a constraint");
            return Err(not_ready(message));
        }
        if table.oid != relation.oid {
            let message =
                format!("index \"{name}\" does not belong to table \"{}\"", relation.name);
            return Err(not_ready(message));
        }
        if !index.valid {
            return Err(not_ready(format!("index \"{name}\" is not valid")));
        }
        let ordinary = |key: &damask_catalog::object::IndexKey| !key.descending && !key.nulls_first;
        let unfit = if !index.unique {
            format!("\"{name}\" is not a unique index")
        } else if !index.exprs.is_empty() {
            format!("index \"{name}\" contains expressions")
        } else if index.predicate.is_some() {
            format!("\"{name}\" is a partial index")
        } else if index.method != IndexMethod::Btree {
            format!("index \"{name}\" is not a btree")
        } else if let Some(place) = index.keys.iter().position(|key| !ordinary(key)) {
            format!(
                "index \"{name}\" column number {} does not have default sorting behavior",
                place + 1
            )
        } else {
            return Ok(Arc::clone(index));
        };
        let detail = "Cannot create a primary key or unique constraint using such an index.";
        Err(Error::new(SqlState::WRONG_OBJECT_TYPE, unfit).detail(detail))
    }
}
