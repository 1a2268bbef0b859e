//! The catalog as of one moment.

use crate::object::{Constraint, Index, Relation, RelationKind, Role, Schema};
use crate::system;
use damask_types::{Error, Oid, Result, SqlState};
use hashbrown::HashMap;
use std::fmt;
use std::sync::Arc;

/// `pg_catalog`'s OID.
pub const PG_CATALOG: Oid = Oid(11);
/// `public`'s OID.
pub const PUBLIC: Oid = Oid(2200);
/// `information_schema`'s OID.
pub const INFORMATION_SCHEMA: Oid = Oid(13_183);
/// The OID of the role `postgres`.
pub const BOOTSTRAP_ROLE: Oid = Oid(10);
/// What the names of sessions' schemas of temporary relations begin with; a number follows.
pub const TEMP_PREFIX: &str = "pg_temp_";
/// The name under which each session finds its own schema of temporary relations.
pub const TEMP_ALIAS: &str = "pg_temp";
/// The OID of the database `postgres`.
pub const DATABASE: Oid = Oid(5);
/// Its name.
pub const DATABASE_NAME: &str = "postgres";

/// Every object of the database.
#[derive(Clone, Debug, Default)]
pub struct CatalogSnapshot {
    /// Counts published changes; plans made under another version are stale.
    pub version: u64,
    schemas: HashMap<Oid, Arc<Schema>>,
    schema_names: HashMap<String, Oid>,
    relations: HashMap<Oid, Arc<Relation>>,
    /// Relations and indexes by schema and name (C3).
    names: HashMap<(Oid, String), Oid>,
    /// The table of each index.
    index_tables: HashMap<Oid, Oid>,
    /// The table of each constraint.
    constraint_tables: HashMap<Oid, Oid>,
    roles: HashMap<Oid, Arc<Role>>,
    /// Comments by catalog (`pg_class`, ...), object and sub-object (column number from 1, or 0).
    comments: HashMap<(Oid, Oid, i32), Arc<str>>,
}

/// A possibly qualified name of a relation, as text after folding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The schema, if written.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// A name without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// The schemas that unqualified names are looked up in, resolved against one snapshot.
///
/// `pg_catalog` comes first unless the setting names it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct SearchPath {
    /// Schemas in the order they are searched.
    pub schemas: Vec<Oid>,
    /// Where new objects go: the first schema of the setting that exists.
    pub creation: Option<Oid>,
    /// The session's schema of temporary relations, if it has one; `pg_temp` names it.
    pub temp: Option<Oid>,
    /// The setting names `pg_temp` before every other schema: new objects are temporary.
    pub creates_temp: bool,
}

impl CatalogSnapshot {
    /// A snapshot of just these objects, for tests of what stands on it.
    pub fn of(
        schemas: impl IntoIterator<Item = Schema>,
        relations: impl IntoIterator<Item = Relation>,
    ) -> Self {
        let mut snapshot = Self::default();
        for schema in schemas {
            snapshot.put_schema(Arc::new(schema));
        }
        for relation in relations {
            snapshot.put_relation(Arc::new(relation));
        }
        snapshot
    }

    /// The schema of this OID.
    pub fn schema(&self, oid: Oid) -> Option<&Arc<Schema>> {
        self.schemas.get(&oid)
    }

    /// The schema of this name.
    pub fn schema_by_name(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas.get(self.schema_names.get(name)?)
    }

    /// The schema that a name written by a session means: `pg_temp` is its own.
    pub fn schema_for(&self, name: &str, path: &SearchPath) -> Option<&Arc<Schema>> {
        if name == TEMP_ALIAS {
            return self.schema(path.temp?);
        }
        self.schema_by_name(name)
    }

    /// Whether a schema holds the temporary relations of some session.
    pub fn is_temp(&self, schema: Oid) -> bool {
        schema >= Oid::FIRST_USER && self.schema_name(schema).starts_with(TEMP_PREFIX)
    }

    /// The name of a schema; empty if there is none of this OID.
    pub fn schema_name(&self, oid: Oid) -> &str {
        self.schemas.get(&oid).map_or("", |schema| &schema.name)
    }

    /// Every schema, by OID.
    pub fn schemas(&self) -> Vec<&Arc<Schema>> {
        let mut all: Vec<_> = self.schemas.values().collect();
        all.sort_by_key(|schema| schema.oid);
        all
    }

    /// The relation of this OID (tables, views, sequences, system relations; not indexes).
    pub fn relation(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(&oid).or_else(|| system::relation(oid))
    }

    /// The relation of this name in this schema.
    pub fn relation_in(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        if schema == PG_CATALOG || schema == INFORMATION_SCHEMA {
            return system::relation_by_name(schema, name);
        }
        self.relations.get(self.name_in(schema, name)?)
    }

    /// The OID of the relation or index of this name in this schema.
    pub fn name_in(&self, schema: Oid, name: &str) -> Option<&Oid> {
        // The map's key owns its name; looking one up borrows through `equivalent`.
        self.names.get(&NameKey(schema, name))
    }

    /// Every relation that a user made, by OID.
    pub fn user_relations(&self) -> Vec<&Arc<Relation>> {
        let mut all: Vec<_> = self.relations.values().collect();
        all.sort_by_key(|relation| relation.oid);
        all
    }

    /// Every relation, system relations included.
    pub fn all_relations(&self) -> Vec<&Arc<Relation>> {
        let mut all: Vec<_> = system::all_relations().collect();
        all.extend(self.user_relations());
        all
    }

    /// Finds a relation by name.
    ///
    /// # Errors
    /// 42P01 if there is none, 3F000 if the schema does not exist.
    pub fn resolve(&self, name: &ObjectName, path: &SearchPath) -> Result<&Arc<Relation>> {
        self.find(name, path)?.ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        })
    }

    /// Finds a relation by name, if there is one.
    ///
    /// # Errors
    /// None today; a missing schema means a missing relation, as in PostgreSQL.
    pub fn find(&self, name: &ObjectName, path: &SearchPath) -> Result<Option<&Arc<Relation>>> {
        match &name.schema {
            Some(schema) => Ok(self
                .schema_for(schema, path)
                .and_then(|schema| self.relation_in(schema.oid, &name.name))),
            None => {
                Ok(path.schemas.iter().find_map(|&schema| self.relation_in(schema, &name.name)))
            }
        }
    }

    /// Finds an index by name: its table and itself.
    pub fn find_index(
        &self,
        name: &ObjectName,
        path: &SearchPath,
    ) -> Option<(&Arc<Relation>, &Arc<Index>)> {
        let oid = match &name.schema {
            Some(schema) => self.name_in(self.schema_for(schema, path)?.oid, &name.name)?,
            None => path.schemas.iter().find_map(|&schema| self.name_in(schema, &name.name))?,
        };
        self.index(*oid)
    }

    /// The index of this OID with its table.
    pub fn index(&self, oid: Oid) -> Option<(&Arc<Relation>, &Arc<Index>)> {
        let table = self.relations.get(self.index_tables.get(&oid)?)?;
        Some((table, table.indexes.iter().find(|index| index.oid == oid)?))
    }

    /// The constraint of this OID with its table.
    pub fn constraint(&self, oid: Oid) -> Option<(&Arc<Relation>, &Arc<Constraint>)> {
        let table = self.relations.get(self.constraint_tables.get(&oid)?)?;
        Some((table, table.constraints.iter().find(|constraint| constraint.oid == oid)?))
    }

    /// The role of this OID.
    pub fn role(&self, oid: Oid) -> Option<&Arc<Role>> {
        self.roles.get(&oid)
    }

    /// The role of this name.
    pub fn role_by_name(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name == name)
    }

    /// Every role, by OID.
    pub fn roles(&self) -> Vec<&Arc<Role>> {
        let mut all: Vec<_> = self.roles.values().collect();
        all.sort_by_key(|role| role.oid);
        all
    }

    /// The comment on an object: its catalog's OID, its own, and the column number from 1 (0 for the object).
    pub fn comment(&self, class: Oid, object: Oid, sub: i32) -> Option<&Arc<str>> {
        self.comments.get(&(class, object, sub))
    }

    /// Every comment.
    pub fn comments(&self) -> impl Iterator<Item = (&(Oid, Oid, i32), &Arc<str>)> {
        self.comments.iter()
    }

    /// Resolves the `search_path` setting: names in order, `"$user"` already replaced or left out. Missing schemas are skipped.
    ///
    /// `temp` is the session's schema of temporary relations: it comes first unless the setting names `pg_temp` elsewhere.
    pub fn search_path<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        temp: Option<Oid>,
    ) -> SearchPath {
        let mut path = SearchPath { temp, ..SearchPath::default() };
        for name in names {
            if name == TEMP_ALIAS && path.creation.is_none() {
                path.creates_temp = true;
                path.creation = temp;
            }
            let Some(schema) = self.schema_for(name, &path) else {
                continue;
            };
            let oid = schema.oid;
            if !path.schemas.contains(&oid) {
                path.schemas.push(oid);
            }
            path.creation.get_or_insert(oid);
        }
        if !path.schemas.contains(&PG_CATALOG) {
            path.schemas.insert(0, PG_CATALOG);
        }
        if let Some(temp) = temp.filter(|temp| !path.schemas.contains(temp)) {
            path.schemas.insert(0, temp);
        }
        path
    }

    /// Whether an unqualified name would find exactly this relation or index.
    pub fn is_visible(&self, oid: Oid, path: &SearchPath) -> bool {
        self.relation_name(oid).is_some_and(|(schema, name)| self.finds(schema, name, path))
    }

    /// Whether an unqualified name would find a relation or index of this schema, if the schema has it.
    pub(crate) fn finds(&self, schema: Oid, name: &str, path: &SearchPath) -> bool {
        for &candidate in &path.schemas {
            if candidate == schema {
                return true;
            }
            let hidden = if candidate == PG_CATALOG || candidate == INFORMATION_SCHEMA {
                system::relation_by_name(candidate, name).is_some()
            } else {
                self.name_in(candidate, name).is_some()
            };
            if hidden {
                return false;
            }
        }
        false
    }

    /// Schema and name of a relation or index.
    pub fn relation_name(&self, oid: Oid) -> Option<(Oid, &str)> {
        if let Some(relation) = self.relation(oid) {
            return Some((relation.schema, &relation.name));
        }
        let (table, index) = self.index(oid)?;
        Some((table.schema, &index.name))
    }

    pub(crate) fn put_schema(&mut self, schema: Arc<Schema>) {
        if let Some(old) = self.schemas.get(&schema.oid) {
            self.schema_names.remove(&old.name);
        }
        self.schema_names.insert(schema.name.clone(), schema.oid);
        self.schemas.insert(schema.oid, schema);
    }

    pub(crate) fn remove_schema(&mut self, oid: Oid) {
        if let Some(old) = self.schemas.remove(&oid) {
            self.schema_names.remove(&old.name);
        }
    }

    /// Puts a relation in, replacing the one of its OID with all its names.
    pub(crate) fn put_relation(&mut self, relation: Arc<Relation>) {
        self.forget_names(relation.oid);
        self.names.insert((relation.schema, relation.name.clone()), relation.oid);
        for index in &relation.indexes {
            self.names.insert((relation.schema, index.name.clone()), index.oid);
            self.index_tables.insert(index.oid, relation.oid);
        }
        for constraint in &relation.constraints {
            self.constraint_tables.insert(constraint.oid, relation.oid);
        }
        self.relations.insert(relation.oid, relation);
    }

    pub(crate) fn remove_relation(&mut self, oid: Oid) {
        self.forget_names(oid);
        self.relations.remove(&oid);
    }

    fn forget_names(&mut self, oid: Oid) {
        let Some(old) = self.relations.get(&oid).cloned() else {
            return;
        };
        self.names.remove(&NameKey(old.schema, &old.name));
        for index in &old.indexes {
            self.names.remove(&NameKey(old.schema, &index.name));
            self.index_tables.remove(&index.oid);
        }
        for constraint in &old.constraints {
            self.constraint_tables.remove(&constraint.oid);
        }
    }

    pub(crate) fn put_role(&mut self, role: Arc<Role>) {
        self.roles.insert(role.oid, role);
    }

    pub(crate) fn remove_role(&mut self, oid: Oid) {
        self.roles.remove(&oid);
    }

    pub(crate) fn put_comment(&mut self, key: (Oid, Oid, i32), text: Option<Arc<str>>) {
        match text {
            Some(text) => self.comments.insert(key, text),
            None => self.comments.remove(&key),
        };
    }

    /// Whether any relation lives in this schema.
    pub fn schema_is_empty(&self, oid: Oid) -> bool {
        !self.relations.values().any(|relation| relation.schema == oid)
    }

    /// Views whose definition reads `oid`, found by the OIDs each view records when it is made.
    pub fn kind(&self, oid: Oid) -> Option<RelationKind> {
        self.relation(oid)
            .map(|relation| relation.kind)
            .or_else(|| self.index_tables.contains_key(&oid).then_some(RelationKind::Index))
    }
}

/// A borrowed key of [`CatalogSnapshot::names`].
#[derive(Hash)]
struct NameKey<'a>(Oid, &'a str);

impl hashbrown::Equivalent<(Oid, String)> for NameKey<'_> {
    fn equivalent(&self, key: &(Oid, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}
