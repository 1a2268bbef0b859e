//! Constraints, and the links between a foreign key and what it references.

use super::{
    CatalogTxn, NewConstraint, NewConstraintKind, NewIndex, index_key_names, multiple_primary_keys,
};
use crate::object::{Constraint, ConstraintKind, Index, IndexKey, Relation, Timing};
use damask_functions::resolve::resolve_operator;
use damask_txn::Txn;
use damask_types::{ColumnIndex, Error, Oid, Result, SqlState};
use std::sync::Arc;

impl CatalogTxn {
    /// Adds a constraint. Existing rows are checked by the index for keys; for CHECK and FOREIGN KEY the session checks them.
    ///
    /// # Errors
    /// 42710 if the name is taken on the table, 42P16 for a second primary key, 42830 and 42804 for foreign keys that do not fit.
    pub fn add_constraint(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        new: NewConstraint,
    ) -> Result<Arc<Constraint>> {
        let relation =
            Arc::clone(self.current.relation(table).expect("the caller resolved the table"));
        if let Some(name) = &new.name
            && relation.constraints.iter().any(|constraint| constraint.name == *name)
        {
            return Err(Error::new(
                SqlState::DUPLICATE_OBJECT,
                format!("constraint \"{name}\" for relation \"{}\" already exists", relation.name),
            ));
        }
        let column_name =
            |column: &ColumnIndex| relation.columns[usize::from(column.0)].name.as_str();
        let suffix = match &new.kind {
            NewConstraintKind::Check { .. } => "check",
            NewConstraintKind::PrimaryKey { .. } => "pkey",
            NewConstraintKind::Unique { .. } | NewConstraintKind::Index { .. } => "key",
            NewConstraintKind::ForeignKey { .. } => "fkey",
        };
        let name = new.name.unwrap_or_else(|| {
            let mut parts = vec![relation.name.as_str()];
            match &new.kind {
                NewConstraintKind::PrimaryKey { .. } => {}
                NewConstraintKind::Check { columns, .. } => {
                    if let [column] = &columns[..] {
                        parts.push(column_name(column));
                    }
                }
                NewConstraintKind::Unique { columns, .. }
                | NewConstraintKind::Index { columns, .. }
                | NewConstraintKind::ForeignKey { columns, .. } => {
                    parts.extend(columns.iter().map(column_name));
                }
            }
            self.choose_constraint_name(&relation, &parts, suffix)
        });
        let timing = new.timing;
        let kind = match new.kind {
            NewConstraintKind::Check { expr, columns } => ConstraintKind::Check { expr, columns },
            NewConstraintKind::PrimaryKey { columns } => {
                let index = self.key_index(txn, table, &name, &columns, (false, true), timing)?;
                ConstraintKind::PrimaryKey { index, columns }
            }
            NewConstraintKind::Unique { columns, nulls_not_distinct } => {
                let index = self.key_index(
                    txn,
                    table,
                    &name,
                    &columns,
                    (nulls_not_distinct, false),
                    timing,
                )?;
                ConstraintKind::Unique { index, columns }
            }
            NewConstraintKind::Index { index, columns, is_primary } => {
                self.take_index(txn, table, index, &name, is_primary)?;
                if is_primary {
                    ConstraintKind::PrimaryKey { index, columns }
                } else {
                    ConstraintKind::Unique { index, columns }
                }
            }
            NewConstraintKind::ForeignKey {
                columns,
                target,
                target_columns,
                on_update,
                on_delete,
                match_full,
            } => {
                let target = target.unwrap_or(table);
                self.check_same_persistence(&relation, target)?;
                let (target_columns, target_index) =
                    self.referenced_key(&relation, &name, &columns, target, &target_columns)?;
                ConstraintKind::ForeignKey {
                    columns,
                    target,
                    target_columns,
                    target_index,
                    on_update,
                    on_delete,
                    match_full,
                }
            }
        };
        let constraint = Arc::new(Constraint { oid: self.new_oid()?, name, table, kind, timing });
        let mut relation = self.owned(table);
        if let ConstraintKind::PrimaryKey { columns, .. } = &constraint.kind {
            for column in columns {
                relation.columns[usize::from(column.0)].not_null = true;
            }
        }
        relation.constraints.push(Arc::clone(&constraint));
        self.put_relation(txn, relation)?;
        if let ConstraintKind::ForeignKey { target, .. } = &constraint.kind {
            let mut target = self.owned(*target);
            target.referenced_by.push(Arc::clone(&constraint));
            self.put_relation(txn, target)?;
        }
        Ok(constraint)
    }

    fn key_index(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        name: &str,
        columns: &[ColumnIndex],
        (nulls_not_distinct, primary): (bool, bool),
        timing: Timing,
    ) -> Result<Oid> {
        let relation = self.current.relation(table).expect("the caller resolved the table");
        if primary && relation.primary_key().is_some() {
            return Err(multiple_primary_keys(&relation.name));
        }
        let new = NewIndex {
            keys: columns.iter().map(|&column| IndexKey::ascending(column)).collect(),
            unique: true,
            deferrable: timing.deferrable,
            nulls_not_distinct,
            ..NewIndex::default()
        };
        let index = self.build_index(txn, table, name.to_owned(), new, primary)?;
        Ok(index.oid)
    }

    /// Gives an index to the constraint `name`.
    fn take_index(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        oid: Oid,
        name: &str,
        is_primary: bool,
    ) -> Result<()> {
        let mut relation = self.owned(table);
        if is_primary && relation.primary_key().is_some() {
            return Err(multiple_primary_keys(&relation.name));
        }
        let Some(place) = relation.indexes.iter().position(|index| index.oid == oid) else {
            return Err(Error::internal("the index of a constraint is not its table's"));
        };
        let mut index = Index::clone(&relation.indexes[place]);
        if index.name != name {
            self.check_name_free(relation.schema, name)?;
            name.clone_into(&mut index.name);
        }
        index.primary = is_primary;
        let names = index_key_names(&relation, &index);
        txn.rename_index(relation.rel, index.rel, name.to_owned(), names)?;
        relation.indexes[place] = Arc::new(index);
        self.put_relation(txn, relation).map(drop)
    }

    /// # Errors
    /// 42P16 for a foreign key between a temporary table and one that is not of the same session's.
    fn check_same_persistence(&self, table: &Relation, target: Oid) -> Result<()> {
        let target = self.current.relation(target).expect("the caller resolved the target");
        let message =
            match (self.current.is_temp(table.schema), self.current.is_temp(target.schema)) {
                (false, true) => {
                    "constraints on permanent tables may reference only permanent tables"
                }
                (true, false) => {
                    "constraints on temporary tables may reference only temporary tables"
                }
                (true, true) if table.schema != target.schema => {
                    "constraints on temporary tables must involve temporary tables of this session"
                }
                (true, true) | (false, false) => return Ok(()),
            };
        Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message))
    }

    /// The referenced columns of a foreign key and the unique index on them.
    fn referenced_key(
        &self,
        table: &Relation,
        name: &str,
        columns: &[ColumnIndex],
        target: Oid,
        names: &[String],
    ) -> Result<(Vec<ColumnIndex>, Oid)> {
        let target = self.current.relation(target).expect("the caller resolved the target");
        let (target_columns, index) = if names.is_empty() {
            let key = target.primary_key().ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("there is no primary key for referenced table \"{}\"", target.name),
                )
            })?;
            if !key.immediate {
                return Err(cannot_defer("primary key", target));
            }
            (key.key_columns().unwrap_or_default(), key)
        } else {
            let wanted = names
                .iter()
                .map(|name| {
                    target.column(name).map(|(column, _)| column).ok_or_else(|| {
                        Error::new(
                            SqlState::UNDEFINED_COLUMN,
                            format!("column \"{name}\" referenced in foreign key constraint does not exist"),
                        )
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            let fits = |index: &&Arc<Index>| {
                index.constraint_columns().is_some_and(|columns| {
                    columns.len() == wanted.len()
                        && columns.iter().all(|column| wanted.contains(column))
                })
            };
            let fitting = || target.indexes.iter().filter(fits);
            let index = fitting().find(|index| index.immediate).ok_or_else(|| {
                if fitting().next().is_some() {
                    return cannot_defer("unique constraint", target);
                }
                Error::new(
                    SqlState::INVALID_FOREIGN_KEY,
                    format!(
                        "there is no unique constraint matching given keys for referenced table \"{}\"",
                        target.name
                    ),
                )
            })?;
            (wanted, index)
        };
        if target_columns.len() != columns.len() {
            return Err(Error::new(
                SqlState::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        check_comparable(name, (table, columns), (target, &target_columns))?;
        Ok((target_columns, index.oid))
    }

    /// Checks that the foreign keys of a table and those on it still compare when its columns are those of `changed`.
    ///
    /// # Errors
    /// 42804.
    pub fn check_foreign_keys(&self, changed: &Relation) -> Result<()> {
        for constraint in changed.constraints.iter().chain(&changed.referenced_by) {
            if let ConstraintKind::ForeignKey { columns, target, target_columns, .. } =
                &constraint.kind
            {
                let relation = |oid: Oid| {
                    if oid == changed.oid {
                        Some(changed)
                    } else {
                        self.current.relation(oid).map(AsRef::as_ref)
                    }
                };
                if let (Some(table), Some(target)) = (relation(constraint.table), relation(*target))
                {
                    check_comparable(&constraint.name, (table, columns), (target, target_columns))?;
                }
            }
        }
        Ok(())
    }

    /// Changes when a foreign key is checked (`ALTER CONSTRAINT`).
    pub fn set_timing(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        oid: Oid,
        timing: Timing,
    ) -> Result<()> {
        let mut relation = self.owned(table);
        let Some(found) = relation.constraints.iter_mut().find(|found| found.oid == oid) else {
            return Ok(());
        };
        let changed = Arc::new(Constraint { timing, ..Constraint::clone(found) });
        *found = Arc::clone(&changed);
        self.put_relation(txn, relation)?;
        if let ConstraintKind::ForeignKey { target, .. } = &changed.kind {
            let mut target = self.owned(*target);
            let references = target.referenced_by.iter_mut();
            for reference in references.filter(|reference| reference.oid == oid) {
                *reference = Arc::clone(&changed);
            }
            self.put_relation(txn, target)?;
        }
        Ok(())
    }

    /// Drops a constraint with its index; foreign keys that rest on that index go with it.
    pub fn drop_constraint(&mut self, txn: &mut Txn, table: Oid, oid: Oid) -> Result<()> {
        let mut relation = self.owned(table);
        let Some(at) = relation.constraints.iter().position(|constraint| constraint.oid == oid)
        else {
            return Ok(());
        };
        let constraint = relation.constraints.remove(at);
        self.put_relation(txn, relation)?;
        match &constraint.kind {
            ConstraintKind::Check { .. } => {}
            ConstraintKind::ForeignKey { target, .. } => {
                self.forget_reference(txn, *target, oid)?;
            }
            ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } => {
                let resting = self.references_on_index(table, *index);
                for reference in resting {
                    self.drop_constraint(txn, reference.table, reference.oid)?;
                }
                self.drop_index(txn, *index)?;
            }
        }
        Ok(())
    }

    /// Foreign keys that rest on a unique index.
    pub fn references_on_index(&self, table: Oid, index: Oid) -> Vec<Arc<Constraint>> {
        let Some(relation) = self.current.relation(table) else {
            return vec![];
        };
        let rests = |constraint: &&Arc<Constraint>| matches!(constraint.kind, ConstraintKind::ForeignKey { target_index, .. } if target_index == index);
        relation.referenced_by.iter().filter(rests).cloned().collect()
    }

    /// Takes a foreign key off its target's list.
    pub(super) fn forget_reference(
        &mut self,
        txn: &mut Txn,
        target: Oid,
        constraint: Oid,
    ) -> Result<()> {
        if self.current.relation(target).is_none() {
            return Ok(());
        }
        let mut target = self.owned(target);
        target.referenced_by.retain(|reference| reference.oid != constraint);
        self.put_relation(txn, target)?;
        Ok(())
    }
}

/// 55000 for a foreign key that would rest on a deferrable key.
fn cannot_defer(what: &str, target: &Relation) -> Error {
    Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("cannot use a deferrable {what} for referenced table \"{}\"", target.name),
    )
}

/// # Errors
/// 42804 for columns of a foreign key that have no `=` with those they refer to.
fn check_comparable(
    name: &str,
    (table, columns): (&Relation, &[ColumnIndex]),
    (target, target_columns): (&Relation, &[ColumnIndex]),
) -> Result<()> {
    for (&from, &to) in columns.iter().zip(target_columns) {
        let (from, to) = (&table.columns[usize::from(from.0)], &target.columns[usize::from(to.0)]);
        if resolve_operator("=", Some(from.ty.id), to.ty.id).is_err() {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!("foreign key constraint \"{name}\" cannot be implemented"),
            )
            .detail(format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                from.name,
                to.name,
                damask_types::format::format_type(from.ty),
                damask_types::format::format_type(to.ty)
            )));
        }
    }
    Ok(())
}
