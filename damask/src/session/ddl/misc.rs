//! Schemas, roles, comments, new names and owners.

use super::super::Session;
use super::object_name;
use damask_catalog::object::{Relation, RelationKind, Role, Schema};
use damask_sql::ast::{self, ObjectKind, RoleName, RoleOption};
use damask_txn::TableLock;
use damask_types::{Error, Oid, Position, Result, SqlState};
use std::sync::Arc;

impl Session {
    /// The OID of a role name.
    fn role(&self, name: &RoleName) -> Result<Oid> {
        match name {
            RoleName::CurrentUser(_) | RoleName::SessionUser(_) => Ok(self.state.user.0),
            RoleName::Public(span) => {
                Err(Error::new(SqlState::UNDEFINED_OBJECT, "role \"public\" does not exist")
                    .at(Position(span.start)))
            }
            RoleName::Named(name) => {
                self.catalog.snapshot().role_by_name(name.as_str()).map(|role| role.oid).ok_or_else(
                    || {
                        Error::new(
                            SqlState::UNDEFINED_OBJECT,
                            format!("role \"{}\" does not exist", name.as_str()),
                        )
                        .at(Position(name.span.start))
                    },
                )
            }
        }
    }

    pub(crate) fn create_schema(&mut self, create: &ast::CreateSchema) -> Result<String> {
        if !create.elements.is_empty() {
            return Err(Error::unsupported("CREATE SCHEMA with elements"));
        }
        let owner = match &create.authorization {
            Some(role) => self.role(role)?,
            None => self.state.user.0,
        };
        let name = match &create.name {
            Some(name) => name.as_str().to_owned(),
            None => self
                .catalog
                .snapshot()
                .role(owner)
                .map_or_else(String::new, |role| role.name.clone()),
        };
        if create.if_not_exists && self.catalog.snapshot().schema_by_name(&name).is_some() {
            self.skip_existing(SqlState::DUPLICATE_SCHEMA, &format!("schema \"{name}\""));
            return Ok("CREATE SCHEMA".to_owned());
        }
        self.change(|catalog, txn| catalog.create_schema(txn, &name, owner))?;
        Ok("CREATE SCHEMA".to_owned())
    }

    pub(crate) fn rename(&mut self, rename: &ast::Rename) -> Result<String> {
        let new = rename.new_name.as_str().to_owned();
        match rename.object {
            ObjectKind::Schema => {
                let old = rename.name.base().as_str();
                let schema = self.schema(old)?;
                if self.catalog.snapshot().schema_by_name(&new).is_some() {
                    return Err(Error::new(
                        SqlState::DUPLICATE_SCHEMA,
                        format!("schema \"{new}\" already exists"),
                    ));
                }
                if new.starts_with("pg_") {
                    return Err(Error::new(
                        SqlState::RESERVED_NAME,
                        format!("unacceptable schema name \"{new}\""),
                    )
                    .detail("The prefix \"pg_\" is reserved for system schemas."));
                }
                let changed = Schema { name: new, ..Schema::clone(&schema) };
                self.change(|catalog, txn| catalog.alter_schema(txn, changed))?;
            }
            ObjectKind::Role => {
                let role = self.role(&RoleName::Named(rename.name.base().clone()))?;
                let role = self.catalog.snapshot().role(role).cloned().expect("the role was found");
                let changed = Role { name: new, ..Role::clone(&role) };
                self.change(|catalog, txn| catalog.put_role(txn, changed))?;
            }
            ObjectKind::Index => return self.rename_index(rename, new),
            ObjectKind::Column => {
                let Some(relation) = self.renamed_relation(rename)? else {
                    return Ok("ALTER TABLE".to_owned());
                };
                let part = rename.part.as_ref().expect("a column is named");
                let (column, _) = relation
                    .column(part.as_str())
                    .ok_or_else(|| missing_column(part, &relation))?;
                if relation.column(&new).is_some() {
                    return Err(Error::new(
                        SqlState::DUPLICATE_COLUMN,
                        format!(
                            "column \"{new}\" of relation \"{}\" already exists",
                            relation.name
                        ),
                    ));
                }
                if relation.constraints.iter().any(|constraint| {
                    matches!(&constraint.kind, damask_catalog::object::ConstraintKind::Check { columns, .. } if columns.contains(&column))
                }) {
                    return Err(Error::unsupported("renaming a column that a CHECK constraint reads"));
                }
                let reads = self.catalog.dependents(relation.oid).1;
                if relation.kind == RelationKind::Table && !reads.is_empty() {
                    return Err(Error::unsupported("renaming a column of a table that views read"));
                }
                self.change(|catalog, txn| {
                    let mut changed = catalog.owned(relation.oid);
                    changed.columns[usize::from(column.0)].name = new;
                    catalog.put_relation(txn, changed)
                })?;
                self.refresh_index_names(relation.oid)?;
            }
            ObjectKind::Constraint => {
                let Some(relation) = self.renamed_relation(rename)? else {
                    return Ok("ALTER TABLE".to_owned());
                };
                let part = rename.part.as_ref().expect("a constraint is named");
                let at = relation
                    .constraints
                    .iter()
                    .position(|constraint| constraint.name == part.as_str());
                let at = at.ok_or_else(|| missing_constraint(part.as_str(), &relation))?;
                self.change(|catalog, txn| {
                    let mut changed = catalog.owned(relation.oid);
                    let mut constraint = (*changed.constraints[at]).clone();
                    let old = std::mem::replace(&mut constraint.name, new.clone());
                    changed.constraints[at] = Arc::new(constraint);
                    // A key's index goes by the constraint's name.
                    for index in &mut changed.indexes {
                        if index.name == old {
                            let mut renamed = (**index).clone();
                            renamed.name.clone_from(&new);
                            *index = Arc::new(renamed);
                        }
                    }
                    catalog.put_relation(txn, changed)
                })?;
                self.refresh_index_names(relation.oid)?;
            }
            ObjectKind::Table | ObjectKind::View | ObjectKind::Sequence => {
                if self.find(&rename.name)?.is_none()
                    && let Some(index) = self.index_of(&rename.name)?
                {
                    let _ = index;
                    return self.rename_index(rename, new);
                }
                let Some(relation) = self.renamed_relation(rename)? else {
                    return Ok(format!("ALTER {}", rename.object.as_str()));
                };
                self.catalog.check_name_free(relation.schema, &new)?;
                if !self.catalog.dependents(relation.oid).1.is_empty() {
                    return Err(Error::unsupported("renaming a relation that views read"));
                }
                self.change(|catalog, txn| {
                    let mut changed = catalog.owned(relation.oid);
                    changed.name = new;
                    catalog.put_relation(txn, changed)
                })?;
            }
            other => return Err(Error::unsupported(format!("ALTER {} RENAME", other.as_str()))),
        }
        let shown = match rename.object {
            ObjectKind::Column | ObjectKind::Constraint => rename.relation,
            other => other,
        };
        Ok(format!("ALTER {}", shown.as_str()))
    }

    fn renamed_relation(&mut self, rename: &ast::Rename) -> Result<Option<Arc<Relation>>> {
        let Some(relation) = self.find(&rename.name)? else {
            if rename.if_exists {
                return Ok(None);
            }
            return self.resolve(&rename.name).map(Some);
        };
        Self::check_user_relation(&relation)?;
        self.lock_and_refresh(&relation, TableLock::AccessExclusive).map(Some)
    }

    fn index_of(&mut self, name: &ast::Name) -> Result<Option<(Arc<Relation>, Oid)>> {
        let env = self.statement_env()?;
        let wanted = object_name(name)?;
        Ok(env
            .catalog
            .find_index(&wanted, &env.path)
            .map(|(table, index)| (Arc::clone(table), index.oid)))
    }

    fn rename_index(&mut self, rename: &ast::Rename, new: String) -> Result<String> {
        let Some((table, oid)) = self.index_of(&rename.name)? else {
            if rename.if_exists {
                return Ok("ALTER INDEX".to_owned());
            }
            return Err(Error::new(
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{}\" does not exist", rename.name),
            ));
        };
        let table = self.lock_and_refresh(&table, TableLock::AccessExclusive)?;
        self.catalog.check_name_free(table.schema, &new)?;
        self.change(|catalog, txn| {
            let mut changed = catalog.owned(table.oid);
            for index in &mut changed.indexes {
                if index.oid == oid {
                    let mut renamed = (**index).clone();
                    let old = std::mem::replace(&mut renamed.name, new.clone());
                    *index = Arc::new(renamed);
                    // A constraint goes by its index's name.
                    for constraint in &mut changed.constraints {
                        if constraint.name == old {
                            let mut renamed = (**constraint).clone();
                            renamed.name.clone_from(&new);
                            *constraint = Arc::new(renamed);
                        }
                    }
                }
            }
            catalog.put_relation(txn, changed)
        })?;
        self.refresh_index_names(table.oid)?;
        Ok("ALTER INDEX".to_owned())
    }

    /// Tells the storage the names that its errors show.
    pub(crate) fn refresh_index_names(&mut self, table: Oid) -> Result<()> {
        let relation =
            self.catalog.snapshot().relation(table).cloned().expect("the table is there");
        for index in relation.indexes.iter().filter(|index| index.rel.0 != 0) {
            let names = damask_catalog::ddl::index_key_names(&relation, index);
            self.change(|_, txn| {
                txn.rename_index(relation.rel, index.rel, index.name.clone(), names)
            })?;
        }
        Ok(())
    }

    fn schema(&self, name: &str) -> Result<Arc<Schema>> {
        self.catalog.snapshot().schema_by_name(name).cloned().ok_or_else(|| {
            Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
        })
    }

    pub(crate) fn set_schema(&mut self, set: &ast::SetSchema) -> Result<String> {
        let tag = format!("ALTER {}", set.object.as_str());
        let Some(relation) = self.find(&set.name)? else {
            if set.if_exists {
                return Ok(tag);
            }
            self.resolve(&set.name)?;
            return Err(Error::internal("the name resolved after all"));
        };
        Self::check_user_relation(&relation)?;
        let relation = self.lock_and_refresh(&relation, TableLock::AccessExclusive)?;
        let env = self.statement_env()?;
        let schema = match env.catalog.schema_for(set.schema.as_str(), &env.path) {
            Some(schema) => Arc::clone(schema),
            None => self.schema(set.schema.as_str())?,
        };
        if env.catalog.is_temp(schema.oid) || env.catalog.is_temp(relation.schema) {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot move objects into or out of temporary schemas",
            ));
        }
        self.catalog.check_name_free(schema.oid, &relation.name)?;
        if !self.catalog.dependents(relation.oid).1.is_empty() {
            return Err(Error::unsupported("moving a relation that views read"));
        }
        self.change(|catalog, txn| {
            let mut changed = catalog.owned(relation.oid);
            changed.schema = schema.oid;
            catalog.put_relation(txn, changed)?;
            // Owned sequences move along.
            for sequence in relation.columns.iter().filter_map(|column| column.sequence) {
                let mut sequence = catalog.owned(sequence);
                sequence.schema = schema.oid;
                catalog.put_relation(txn, sequence)?;
            }
            Ok(())
        })?;
        Ok(tag)
    }

    pub(crate) fn change_owner(&mut self, change: &ast::ChangeOwner) -> Result<String> {
        let owner = self.role(&change.owner)?;
        match change.object {
            ObjectKind::Schema => {
                let schema = self.schema(change.name.base().as_str())?;
                let changed = Schema { owner, ..Schema::clone(&schema) };
                self.change(|catalog, txn| catalog.alter_schema(txn, changed))?;
            }
            ObjectKind::View | ObjectKind::Sequence | ObjectKind::Table => {
                let relation = self.resolve(&change.name)?;
                self.set_owner(&relation, owner)?;
            }
            other => return Err(Error::unsupported(format!("ALTER {} OWNER TO", other.as_str()))),
        }
        Ok(format!("ALTER {}", change.object.as_str()))
    }

    /// OWNER TO of a relation.
    pub(crate) fn set_owner(&mut self, relation: &Relation, owner: Oid) -> Result<()> {
        Self::check_user_relation(relation)?;
        self.change(|catalog, txn| {
            let mut changed = catalog.owned(relation.oid);
            changed.owner = owner;
            catalog.put_relation(txn, changed)
        })?;
        Ok(())
    }

    /// The owner that an ALTER TABLE action names.
    pub(crate) fn owner(&self, name: &RoleName) -> Result<Oid> {
        self.role(name)
    }

    pub(crate) fn comment(&mut self, comment: &ast::Comment) -> Result<String> {
        const CLASS: Oid = Oid(1259);
        const NAMESPACE: Oid = Oid(2615);
        const CONSTRAINT: Oid = Oid(2606);
        const DATABASE: Oid = Oid(1262);
        const ROLE: Oid = Oid(1260);
        let key = match comment.object {
            ObjectKind::Table | ObjectKind::View | ObjectKind::Sequence => {
                let relation = self.resolve(&comment.name)?;
                (CLASS, relation.oid, 0)
            }
            ObjectKind::Index => {
                let (_, oid) = self.index_of(&comment.name)?.ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_TABLE,
                        format!("relation \"{}\" does not exist", comment.name),
                    )
                })?;
                (CLASS, oid, 0)
            }
            ObjectKind::Column => {
                let mut table = comment.name.clone();
                let column = table.0.pop().filter(|_| !table.0.is_empty()).ok_or_else(|| {
                    Error::new(SqlState::SYNTAX_ERROR, "column name must be qualified")
                })?;
                let relation = self.resolve(&table)?;
                let (number, _) = relation
                    .column(column.as_str())
                    .ok_or_else(|| missing_column(&column, &relation))?;
                (CLASS, relation.oid, i32::from(number.0) + 1)
            }
            ObjectKind::Constraint => {
                let table = comment
                    .on
                    .as_ref()
                    .ok_or_else(|| Error::unsupported("COMMENT ON CONSTRAINT of a domain"))?;
                let relation = self.resolve(table)?;
                let name = comment.name.base().as_str();
                let constraint =
                    relation.constraints.iter().find(|constraint| constraint.name == name);
                (CONSTRAINT, constraint.ok_or_else(|| missing_constraint(name, &relation))?.oid, 0)
            }
            ObjectKind::Schema => (NAMESPACE, self.schema(comment.name.base().as_str())?.oid, 0),
            ObjectKind::Database => (DATABASE, damask_catalog::snapshot::DATABASE, 0),
            ObjectKind::Role => {
                (ROLE, self.role(&RoleName::Named(comment.name.base().clone()))?, 0)
            }
            other => return Err(Error::unsupported(format!("COMMENT ON {}", other.as_str()))),
        };
        let text = comment.text.as_deref().filter(|text| !text.is_empty());
        self.change(|catalog, txn| catalog.set_comment(txn, key, text))?;
        Ok("COMMENT".to_owned())
    }

    pub(crate) fn create_role(&mut self, create: &ast::CreateRole) -> Result<String> {
        let RoleName::Named(name) = &create.name else {
            return Err(Error::new(SqlState::RESERVED_NAME, "role name is reserved"));
        };
        let name = name.as_str();
        if self.catalog.snapshot().role_by_name(name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_OBJECT,
                format!("role \"{name}\" already exists"),
            ));
        }
        let mut role = Role {
            oid: self.catalog.new_oid()?,
            name: name.to_owned(),
            superuser: false,
            login: create.user,
            password: None,
        };
        self.role_options(&mut role, &create.options)?;
        if !role.superuser {
            // Privileges are not there yet: a role that is not a superuser would be one in all but name.
            return Err(Error::unsupported("roles that are not superusers").hint("Add SUPERUSER."));
        }
        self.change(|catalog, txn| catalog.put_role(txn, role))?;
        Ok("CREATE ROLE".to_owned())
    }

    pub(crate) fn alter_role(&mut self, alter: &ast::AlterRole) -> Result<String> {
        if alter.setting.is_some() || alter.database.is_some() {
            return Err(Error::unsupported("ALTER ROLE ... SET"));
        }
        let Some(name) = &alter.name else {
            return Err(Error::unsupported("ALTER ROLE ALL"));
        };
        let oid = self.role(name)?;
        let role = self.catalog.snapshot().role(oid).cloned().expect("the role was found");
        let mut changed = Role::clone(&role);
        self.role_options(&mut changed, &alter.options)?;
        if !changed.superuser {
            return Err(Error::unsupported("roles that are not superusers"));
        }
        self.change(|catalog, txn| catalog.put_role(txn, changed))?;
        Ok("ALTER ROLE".to_owned())
    }

    fn role_options(&self, role: &mut Role, options: &[RoleOption]) -> Result<()> {
        for option in options {
            match option {
                RoleOption::Superuser(value) => role.superuser = *value,
                RoleOption::Login(value) => role.login = *value,
                RoleOption::Password(password) => {
                    role.password = match password.as_deref() {
                        None | Some("") => None,
                        Some(password) => Some(super::super::password::verifier(
                            password,
                            &*self.database.shared.env.random,
                        )),
                    };
                }
                // Superusers can do all of it.
                RoleOption::CreateDb(_)
                | RoleOption::CreateRole(_)
                | RoleOption::Inherit(_)
                | RoleOption::Replication(_)
                | RoleOption::BypassRls(_)
                | RoleOption::SysId => {}
                RoleOption::ConnectionLimit(_) => {
                    return Err(Error::unsupported("CONNECTION LIMIT"));
                }
                RoleOption::ValidUntil(_) => return Err(Error::unsupported("VALID UNTIL")),
                RoleOption::InRole(_) | RoleOption::Members(_) | RoleOption::Admins(_) => {
                    return Err(Error::unsupported("role membership"));
                }
            }
        }
        Ok(())
    }
}

/// 42703.
pub(crate) fn missing_column(name: &ast::Ident, relation: &Relation) -> Error {
    Error::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{}\" of relation \"{}\" does not exist", name.as_str(), relation.name),
    )
    .at(Position(name.span.start))
}

/// 42704.
pub(crate) fn missing_constraint(name: &str, relation: &Relation) -> Error {
    Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{}\" does not exist", relation.name),
    )
}
