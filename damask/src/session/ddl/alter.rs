//! ALTER TABLE.

use super::super::Session;
use super::super::plan::Prepared;
use super::super::settings::Level;
use super::misc::{missing_column, missing_constraint};
use super::parameters::{self, Parameters};
use super::table::default_text;
use damask_catalog::ddl::{NewColumn, dependents_error};
use damask_catalog::object::{Constraint, ConstraintKind, Relation, RelationKind};
use damask_planner::ColumnUse;
use damask_sql::ast::{self, AlterActionKind, ObjectKind};
use damask_txn::TableLock;
use damask_types::{ColumnIndex, Error, Oid, Position, Result, SqlState, SqlType, Value};
use std::sync::Arc;

impl Session {
    pub(crate) fn alter_table(
        &mut self,
        prepared: &Prepared,
        alter: &ast::AlterTable,
    ) -> Result<String> {
        let tag = format!("ALTER {}", alter.object.as_str());
        let Some(relation) = self.find(&alter.name)? else {
            if alter.if_exists {
                self.notice(
                    Level::Notice,
                    Error::new(
                        SqlState::SUCCESSFUL_COMPLETION,
                        format!("relation \"{}\" does not exist, skipping", alter.name),
                    ),
                );
                return Ok(tag);
            }
            self.resolve(&alter.name)?;
            return Err(Error::internal("the name resolved after all"));
        };
        Self::check_user_relation(&relation)?;
        let relation = self.lock_and_refresh(&relation, TableLock::AccessExclusive)?;
        let only_owner =
            alter.actions.iter().all(|action| matches!(action.kind, AlterActionKind::OwnerTo(_)));
        if relation.kind != RelationKind::Table
            && !only_owner
            && (alter.object == ObjectKind::Table || relation.kind == RelationKind::View)
        {
            return Err(Error::unsupported(format!(
                "this form of ALTER {}",
                alter.object.as_str()
            )));
        }
        self.check_no_deferred("ALTER TABLE", &relation)?;
        for action in &alter.actions {
            self.alter_action(prepared, relation.oid, action)?;
        }
        Ok(tag)
    }

    pub(super) fn present(&self, oid: Oid) -> Arc<Relation> {
        self.catalog.snapshot().relation(oid).cloned().expect("the relation is locked")
    }

    fn alter_action(
        &mut self,
        prepared: &Prepared,
        oid: Oid,
        action: &ast::AlterAction,
    ) -> Result<()> {
        let at = Position(action.span.start);
        let relation = self.present(oid);
        match &action.kind {
            AlterActionKind::AddColumn { column, if_not_exists } => {
                self.add_column(prepared, &relation, column, *if_not_exists)
            }
            AlterActionKind::DropColumn { name, if_exists, cascade } => {
                self.drop_column(&relation, name, *if_exists, *cascade)
            }
            AlterActionKind::SetDefault(name, default) => {
                let (column, definition) = column_of(&relation, name)?;
                if definition.identity.is_some() {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        format!(
                            "column \"{}\" of relation \"{}\" is an identity column",
                            name.as_str(),
                            relation.name
                        ),
                    ));
                }
                let ty = definition.ty;
                let text = match default {
                    None => None,
                    Some(expr) => {
                        let env = self.statement_env()?;
                        let purpose = ColumnUse::Default(name.as_str(), ty);
                        self.bind_definition(&env, prepared, expr, &relation.name, &[], purpose)?;
                        Some(default_text(prepared.slice(expr.span), ty))
                    }
                };
                self.change_column(oid, column, |column| column.default = text)
            }
            AlterActionKind::SetNotNull(name, not_null) => {
                let (column, definition) = column_of(&relation, name)?;
                if *not_null && !definition.not_null {
                    let quote = damask_catalog::ddl::quote_identifier;
                    let probe = format!(
                        "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
                        self.sql_name(&relation),
                        quote(name.as_str())
                    );
                    if self.probe(&probe)?.is_some() {
                        return Err(self.has_nulls(&relation, name.as_str()));
                    }
                }
                if !*not_null {
                    if relation.primary_key().is_some_and(|key| key.uses(column)) {
                        return Err(Error::new(
                            SqlState::INVALID_TABLE_DEFINITION,
                            format!("column \"{}\" is in a primary key", name.as_str()),
                        ));
                    }
                    if definition.identity.is_some() {
                        return Err(Error::new(
                            SqlState::SYNTAX_ERROR,
                            format!(
                                "column \"{}\" of relation \"{}\" is an identity column",
                                name.as_str(),
                                relation.name
                            ),
                        ));
                    }
                }
                let not_null = *not_null;
                self.change_column(oid, column, |column| column.not_null = not_null)
            }
            AlterActionKind::AddConstraint(constraint) => {
                let new = if let ast::TableConstraintKind::UsingIndex(name, is_primary) =
                    &constraint.kind
                {
                    self.constraint_using_index(&relation, constraint, name, *is_primary)?
                } else {
                    let env = self.statement_env()?;
                    let columns = as_new_columns(&relation);
                    self.table_constraint(&env, prepared, &relation.name, constraint, &columns)?
                };
                self.add_constraint(&relation, new)
            }
            AlterActionKind::DropConstraint { name, if_exists, cascade } => {
                let found =
                    relation.constraints.iter().find(|constraint| constraint.name == name.as_str());
                let Some(constraint) = found.cloned() else {
                    if *if_exists {
                        self.notice(
                            Level::Notice,
                            Error::new(
                                SqlState::SUCCESSFUL_COMPLETION,
                                format!(
                                    "constraint \"{}\" of relation \"{}\" does not exist, skipping",
                                    name.as_str(),
                                    relation.name
                                ),
                            ),
                        );
                        return Ok(());
                    }
                    return Err(missing_constraint(name.as_str(), &relation));
                };
                self.drop_constraint(&relation, &constraint, *cascade)
            }
            AlterActionKind::OwnerTo(role) => {
                let owner = self.owner(role)?;
                self.set_owner(&relation, owner)
            }
            AlterActionKind::SetType { name, type_name, collation, using } => {
                if let Some(collation) = collation {
                    let ty = damask_planner::resolve_type(type_name)?;
                    damask_planner::check_collation(collation, ty.id)?;
                }
                self.set_type(prepared, &relation, name, type_name, using.as_deref())
            }
            // Hints for storage that Damask does not need.
            AlterActionKind::SetStatistics(..)
            | AlterActionKind::SetStorage(..)
            | AlterActionKind::ClusterOn(_) => Ok(()),
            AlterActionKind::ValidateConstraint(name) => {
                if relation.constraints.iter().any(|constraint| constraint.name == name.as_str()) {
                    return Ok(());
                }
                Err(missing_constraint(name.as_str(), &relation))
            }
            AlterActionKind::DropIdentity(name, _) => {
                let (column, definition) = column_of(&relation, name)?;
                let Some(sequence) = definition.sequence.filter(|_| definition.identity.is_some())
                else {
                    return Err(Error::new(
                        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                        format!(
                            "column \"{}\" of relation \"{}\" is not an identity column",
                            name.as_str(),
                            relation.name
                        ),
                    ));
                };
                self.change_column(oid, column, |column| {
                    column.identity = None;
                    column.sequence = None;
                })?;
                self.change(|catalog, txn| catalog.drop_relation(txn, sequence))
            }
            AlterActionKind::SetOptions(given) => {
                let mut parameters = relation.parameters.clone();
                check_takes_parameters(&relation, "SET")?;
                parameters::set(&mut parameters, given.iter())?;
                self.set_parameters(&relation, parameters)
            }
            AlterActionKind::ResetOptions(given) => {
                let mut parameters = relation.parameters.clone();
                check_takes_parameters(&relation, "RESET")?;
                parameters::reset(&mut parameters, given)?;
                self.set_parameters(&relation, parameters)
            }
            AlterActionKind::AlterConstraint(name, timing) => {
                self.alter_constraint(oid, name, *timing)
            }
            AlterActionKind::AddIdentity { .. }
            | AlterActionKind::SetIdentity { .. }
            | AlterActionKind::SetLogged(_)
            | AlterActionKind::SetTablespace(_)
            | AlterActionKind::Inherit(..) => {
                Err(Error::unsupported("this form of ALTER TABLE").at(at))
            }
            AlterActionKind::Unsupported(what) => Err(Error::unsupported(what).at(at)),
        }
    }

    fn set_parameters(&mut self, relation: &Relation, parameters: Parameters) -> Result<()> {
        parameters::check_change(&relation.parameters, &parameters)?;
        let codec = parameters::codec_of(&parameters);
        self.change(|catalog, txn| catalog.set_parameters(txn, relation.oid, parameters, codec))
    }

    pub(super) fn change_column(
        &mut self,
        oid: Oid,
        column: ColumnIndex,
        f: impl FnOnce(&mut damask_catalog::object::Column),
    ) -> Result<()> {
        self.change(|catalog, txn| {
            let mut changed = catalog.owned(oid);
            f(&mut changed.columns[usize::from(column.0)]);
            catalog.put_relation(txn, changed)
        })?;
        Ok(())
    }

    fn add_column(
        &mut self,
        prepared: &Prepared,
        relation: &Arc<Relation>,
        column: &ast::ColumnDefinition,
        if_not_exists: bool,
    ) -> Result<()> {
        if if_not_exists && relation.column(column.name.as_str()).is_some() {
            self.notice(
                Level::Notice,
                Error::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!(
                        "column \"{}\" of relation \"{}\" already exists, skipping",
                        column.name.as_str(),
                        relation.name
                    ),
                ),
            );
            return Ok(());
        }
        let env = self.statement_env()?;
        let mut new = self.new_column(&env, prepared, &relation.name, column)?;
        // A constant default is what existing rows hold; others are computed row by row.
        let mut fill = new.serial.is_some() || new.identity.is_some();
        if let Some(text) = new.default.clone() {
            let parsed = damask_sql::parse_expression(&text)
                .map_err(|error| damask_planner::parse_error(&error))?;
            let purpose = ColumnUse::Default(column.name.as_str(), new.ty);
            let (bound, _) =
                self.bind_definition(&env, prepared, &parsed, &relation.name, &[], purpose)?;
            if bound.is_volatile() {
                fill = true;
            } else {
                new.missing = self.value_of(bound, &env)?;
            }
        }
        let needs_value = new.not_null && new.missing.is_null();
        new.not_null = false;
        let name = new.name.clone();
        let not_null = column_is_not_null(column) || new.serial.is_some() || new.identity.is_some();
        let ty = new.ty;
        let number = self.change(|catalog, txn| catalog.add_column(txn, relation.oid, new))?;
        let present = self.present(relation.oid);
        let quote = damask_catalog::ddl::quote_identifier;
        if fill {
            self.run_internal(&format!(
                "UPDATE {} SET {} = DEFAULT",
                self.sql_name(&present),
                quote(&name)
            ))?;
        }
        if not_null {
            if needs_value && !fill {
                let probe = format!("SELECT 1 FROM {} LIMIT 1", self.sql_name(&present));
                if self.probe(&probe)?.is_some() {
                    return Err(self.has_nulls(&present, &name));
                }
            }
            self.change_column(relation.oid, number, |column| column.not_null = true)?;
        }
        let _ = ty;
        let columns = as_new_columns(&self.present(relation.oid));
        for constraint in &column.constraints {
            let made = self.constraint_of_column(
                &env,
                prepared,
                &relation.name,
                number,
                constraint,
                &columns,
            )?;
            if let Some(made) = made {
                let present = self.present(relation.oid);
                self.add_constraint(&present, made)?;
            }
        }
        Ok(())
    }

    fn drop_column(
        &mut self,
        relation: &Arc<Relation>,
        name: &ast::Ident,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let Some((column, _)) = relation.column(name.as_str()) else {
            if if_exists {
                self.notice(
                    Level::Notice,
                    Error::new(
                        SqlState::SUCCESSFUL_COMPLETION,
                        format!(
                            "column \"{}\" of relation \"{}\" does not exist, skipping",
                            name.as_str(),
                            relation.name
                        ),
                    ),
                );
                return Ok(());
            }
            return Err(missing_column(name, relation));
        };
        let (lines, views) = self.catalog.column_dependents(relation.oid, column);
        if !lines.is_empty() && !cascade {
            let table = self.catalog.qualified(relation);
            return Err(dependents_error(
                &format!("column {} of table {table}", name.as_str()),
                &lines,
            ));
        }
        self.notice_cascade(&lines);
        for view in views {
            self.lock(view, TableLock::AccessExclusive)?;
            self.change(|catalog, txn| catalog.drop_relation(txn, view))?;
        }
        for reference in &relation.referenced_by {
            self.lock(reference.table, TableLock::AccessExclusive)?;
        }
        let key = relation
            .constraints
            .iter()
            .find(|constraint| matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }));
        if let Some(key) = key.filter(|_| relation.alias == Some(column)) {
            self.change(|catalog, txn| catalog.drop_constraint(txn, relation.oid, key.oid))?;
            self.number_rows(relation.oid)?;
        }
        self.change(|catalog, txn| catalog.drop_column(txn, relation.oid, column))
    }

    /// ALTER CONSTRAINT: when a foreign key is checked.
    fn alter_constraint(
        &mut self,
        oid: Oid,
        name: &ast::Ident,
        timing: ast::ConstraintTiming,
    ) -> Result<()> {
        let relation = self.present(oid);
        let name = name.as_str();
        let found = relation.constraints.iter().find(|constraint| constraint.name == name);
        let constraint = found.ok_or_else(|| missing_constraint(name, &relation))?;
        let ConstraintKind::ForeignKey { target, .. } = constraint.kind else {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "constraint \"{name}\" of relation \"{}\" is not a foreign key constraint",
                    relation.name
                ),
            ));
        };
        self.lock(target, TableLock::ShareRowExclusive)?;
        let timing = super::table::timing_of(timing, false, ast::Span::new(0, 0))?;
        self.change(|catalog, txn| catalog.set_timing(txn, oid, constraint.oid, timing))
    }

    /// Adds a constraint and looks at the rows that are there.
    fn add_constraint(
        &mut self,
        relation: &Arc<Relation>,
        new: damask_catalog::ddl::NewConstraint,
    ) -> Result<()> {
        use damask_catalog::ddl::NewConstraintKind;
        if let NewConstraintKind::PrimaryKey { columns }
        | NewConstraintKind::Index { columns, is_primary: true, .. } = &new.kind
        {
            for column in columns {
                let quote = damask_catalog::ddl::quote_identifier;
                let definition = &relation.columns[usize::from(column.0)];
                let probe = format!(
                    "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
                    self.sql_name(relation),
                    quote(&definition.name)
                );
                if !definition.not_null && self.probe(&probe)?.is_some() {
                    return Err(self.has_nulls(relation, &definition.name));
                }
            }
        }
        let made = self.change(|catalog, txn| catalog.add_constraint(txn, relation.oid, new))?;
        self.validate(relation, &made)
    }

    fn schema_name(&self, relation: &Relation) -> String {
        self.catalog.snapshot().schema_name(relation.schema).to_owned()
    }

    /// 23502 for a column that is to be NOT NULL.
    fn has_nulls(&self, relation: &Relation, column: &str) -> Error {
        Error::new(
            SqlState::NOT_NULL_VIOLATION,
            format!("column \"{column}\" of relation \"{}\" contains null values", relation.name),
        )
        .table(self.schema_name(relation), relation.name.as_str())
        .column(column)
    }

    /// # Errors
    /// 23514, 23503 for rows that a new constraint forbids.
    fn validate(&mut self, relation: &Arc<Relation>, constraint: &Constraint) -> Result<()> {
        let quote = damask_catalog::ddl::quote_identifier;
        match &constraint.kind {
            ConstraintKind::Check { expr, .. } => {
                let probe =
                    format!("SELECT 1 FROM {} WHERE NOT {expr} LIMIT 1", self.sql_name(relation));
                if self.probe(&probe)?.is_some() {
                    return Err(Error::new(
                        SqlState::CHECK_VIOLATION,
                        format!(
                            "check constraint \"{}\" of relation \"{}\" is violated by some row",
                            constraint.name, relation.name
                        ),
                    )
                    .table(self.schema_name(relation), relation.name.as_str())
                    .constraint(constraint.name.as_str()));
                }
            }
            ConstraintKind::ForeignKey { columns, target, target_columns, .. } => {
                let target = self.present(*target);
                let name = |relation: &Relation, column: &ColumnIndex| {
                    quote(&relation.columns[usize::from(column.0)].name)
                };
                let pairs: Vec<String> = columns
                    .iter()
                    .zip(target_columns)
                    .map(|(from, to)| {
                        format!("p.{} = c.{}", name(&target, to), name(relation, from))
                    })
                    .collect();
                let present: Vec<String> = columns
                    .iter()
                    .map(|column| format!("c.{} IS NOT NULL", name(relation, column)))
                    .collect();
                let shown: Vec<String> = columns
                    .iter()
                    .map(|column| format!("c.{}::text", name(relation, column)))
                    .collect();
                let probe = format!(
                    "SELECT array_to_string(ARRAY[{}], ', ') FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT 1",
                    shown.join(", "),
                    self.sql_name(relation),
                    present.join(" AND "),
                    self.sql_name(&target),
                    pairs.join(" AND ")
                );
                if let Some(Value::Text(key)) = self.probe(&probe)? {
                    let names: Vec<&str> = columns
                        .iter()
                        .map(|column| relation.columns[usize::from(column.0)].name.as_str())
                        .collect();
                    return Err(Error::new(
                        SqlState::FOREIGN_KEY_VIOLATION,
                        format!(
                            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                            relation.name, constraint.name
                        ),
                    )
                    .detail(format!(
                        "Key ({})=({key}) is not present in table \"{}\".",
                        names.join(", "),
                        target.name
                    ))
                    .table(self.schema_name(relation), relation.name.as_str())
                    .constraint(constraint.name.as_str()));
                }
            }
            ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } => {}
        }
        Ok(())
    }

    fn drop_constraint(
        &mut self,
        relation: &Arc<Relation>,
        constraint: &Arc<Constraint>,
        cascade: bool,
    ) -> Result<()> {
        if let Some(index) = constraint.kind.index() {
            let resting = self.catalog.references_on_index(relation.oid, index);
            if !resting.is_empty() && !cascade {
                let lines: Vec<String> = resting
                    .iter()
                    .map(|reference| {
                        let table = self.present(reference.table);
                        format!(
                            "constraint {} on table {} depends on index {}",
                            reference.name,
                            self.catalog.qualified(&table),
                            constraint.name
                        )
                    })
                    .collect();
                return Err(dependents_error(
                    &format!("constraint {} on table {}", constraint.name, relation.name),
                    &lines,
                ));
            }
            let shown: Vec<String> = resting
                .iter()
                .map(|reference| {
                    let table = self.present(reference.table);
                    format!(
                        "constraint {} on table {}",
                        reference.name,
                        self.catalog.qualified(&table)
                    )
                })
                .collect();
            self.notice_cascade(&shown);
            for reference in &resting {
                self.lock(reference.table, TableLock::AccessExclusive)?;
            }
        }
        self.change(|catalog, txn| catalog.drop_constraint(txn, relation.oid, constraint.oid))?;
        let is_key = matches!(constraint.kind, ConstraintKind::PrimaryKey { .. });
        if is_key && relation.alias.is_some() {
            self.number_rows(relation.oid)?;
        }
        Ok(())
    }

    /// ALTER COLUMN TYPE: where the representation stays the catalog changes, else the table is written anew.
    fn set_type(
        &mut self,
        prepared: &Prepared,
        relation: &Arc<Relation>,
        name: &ast::Ident,
        type_name: &ast::TypeName,
        using: Option<&ast::Expr>,
    ) -> Result<()> {
        let (column, definition) = column_of(relation, name)?;
        let ty = damask_planner::resolve_type(type_name)?;
        if definition.ty == ty {
            return Ok(());
        }
        self.check_type_change(prepared, relation, column, ty, using)?;
        let computes = relation.indexes.iter().any(|index| index.computes_with(column));
        let widens = using.is_none() && !computes && is_widening(definition.ty, ty);
        if !widens {
            return self.rewrite_type(prepared, relation, column, ty, using);
        }
        self.change_column(relation.oid, column, |column| column.ty = ty)?;
        let present = self.present(relation.oid);
        self.change(|catalog, txn| catalog.set_columns(txn, &present))
    }
}

/// # Errors
/// 42809 unless the relation is a table.
fn check_takes_parameters(relation: &Relation, action: &str) -> Result<()> {
    if relation.kind == RelationKind::Table {
        return Ok(());
    }
    let message =
        format!("ALTER action {action} cannot be performed on relation \"{}\"", relation.name);
    Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message)
        .detail("This operation is not supported for sequences."))
}

/// Whether every value keeps its representation under the new type.
fn is_widening(from: SqlType, to: SqlType) -> bool {
    use damask_types::TypeId::{Text, Varchar};
    match (from.id, to.id) {
        (Varchar | Text, Text) => true,
        (Varchar | Text, Varchar) => {
            to.typmod == -1 || (from.typmod >= 0 && from.typmod <= to.typmod)
        }
        _ => false,
    }
}

fn column_is_not_null(column: &ast::ColumnDefinition) -> bool {
    column.constraints.iter().any(|constraint| {
        matches!(
            constraint.kind,
            ast::ColumnConstraintKind::NotNull | ast::ColumnConstraintKind::PrimaryKey(_)
        )
    })
}

fn column_of<'a>(
    relation: &'a Relation,
    name: &ast::Ident,
) -> Result<(ColumnIndex, &'a damask_catalog::object::Column)> {
    relation.column(name.as_str()).ok_or_else(|| missing_column(name, relation))
}

/// A table's columns as those of one being defined, dropped ones under names nobody can write.
fn as_new_columns(relation: &Relation) -> Vec<NewColumn> {
    relation
        .columns
        .iter()
        .map(|column| NewColumn {
            name: column.name.clone(),
            ty: column.ty,
            not_null: column.not_null,
            default: None,
            identity: None,
            serial: None,
            missing: Value::Null,
        })
        .collect()
}
