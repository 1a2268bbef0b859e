//! Changing the catalog inside a transaction.
//!
//! A [`CatalogTxn`] is one transaction's private copy: each operation writes the catalog's tables through the transaction, makes or
//! drops storage, and notes the [`Change`] that the shared snapshot will take at commit. The session names expressions as text it
//! has already bound; this module knows nothing of syntax.
//!
//! Here are the transaction, relations and columns; indexes, schemas, constraints and names have files of their own.

mod constraint;
mod index;
mod name;
mod schema;

pub use index::{index_desc, index_expr_text, index_key_names};
pub use name::{kind_name, quote_identifier};

use crate::object::{
    Column, ConstraintKind, ForeignKeyAction, Identity, IndexExpr, IndexKey, IndexMethod, Read,
    Relation, RelationKind, Role, Sequence, Timing,
};
use crate::snapshot::{CatalogSnapshot, PUBLIC, SearchPath};
use crate::store::{self, Catalog, Change, Record, comment_record, relation_records, role_record};
use damask_txn::{AliasKey, PageCodec, RelationDesc, SequenceSpec, TableEngine, Txn};
use damask_types::{ColumnIndex, Error, Oid, Result, SqlState, SqlType, TypeId, Value};
use name::{check_column_name, choose, duplicate_column};
use std::sync::Arc;

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;
/// Most columns of a table, dropped ones included.
pub const COLUMNS_MAX: usize = 1600;

/// The catalog as one transaction sees and changes it.
#[derive(Debug)]
pub struct CatalogTxn {
    catalog: Arc<Catalog>,
    current: Arc<CatalogSnapshot>,
    changes: Vec<Change>,
    /// Version of the shared snapshot under `current`.
    base: u64,
    /// Where its session looks names up.
    path: Arc<SearchPath>,
}

/// Where to go back to: see [`CatalogTxn::rollback_to`].
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// A table to be made.
#[derive(Clone, Debug)]
pub struct NewTable {
    /// Its schema.
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// Role that owns it.
    pub owner: Oid,
    /// Its columns.
    pub columns: Vec<NewColumn>,
    /// Its constraints, NOT NULL excepted.
    pub constraints: Vec<NewConstraint>,
    /// Its storage parameters.
    pub parameters: Vec<(String, String)>,
    /// What compresses its pages.
    pub codec: PageCodec,
    /// What its rows are kept in.
    pub engine: TableEngine,
}

/// A column to be made.
#[derive(Clone, Debug)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT, as text.
    pub default: Option<String>,
    /// GENERATED ... AS IDENTITY, with its sequence's options.
    pub identity: Option<(Identity, Sequence)>,
    /// Whether it is a serial: an owned sequence that its default draws from.
    pub serial: Option<Sequence>,
    /// What existing rows hold in it (ADD COLUMN with a constant default).
    pub missing: Value,
}

/// A constraint to be made.
#[derive(Clone, Debug)]
pub struct NewConstraint {
    /// Its name, or chosen.
    pub name: Option<String>,
    /// What it demands; columns by place in the table.
    pub kind: NewConstraintKind,
    /// When it is checked.
    pub timing: Timing,
}

/// What a new constraint demands.
#[derive(Clone, Debug)]
pub enum NewConstraintKind {
    /// CHECK.
    Check {
        /// The expression as text.
        expr: String,
        /// Columns it reads.
        columns: Vec<ColumnIndex>,
    },
    /// PRIMARY KEY.
    PrimaryKey {
        /// Its columns.
        columns: Vec<ColumnIndex>,
    },
    /// PRIMARY KEY or UNIQUE by an index that is there, which gets the constraint's name.
    Index {
        /// The index.
        index: Oid,
        /// Its key columns.
        columns: Vec<ColumnIndex>,
        /// PRIMARY KEY.
        is_primary: bool,
    },
    /// UNIQUE.
    Unique {
        /// Its columns.
        columns: Vec<ColumnIndex>,
        /// NULLS NOT DISTINCT.
        nulls_not_distinct: bool,
    },
    /// FOREIGN KEY.
    ForeignKey {
        /// Referencing columns.
        columns: Vec<ColumnIndex>,
        /// Referenced table; the table itself if `None`.
        target: Option<Oid>,
        /// Referenced columns by name; the primary key's if empty.
        target_columns: Vec<String>,
        /// ON UPDATE.
        on_update: ForeignKeyAction,
        /// ON DELETE.
        on_delete: ForeignKeyAction,
        /// MATCH FULL.
        match_full: bool,
    },
}

/// An index to be made.
#[derive(Clone, Debug, Default)]
pub struct NewIndex {
    /// Its name, or chosen.
    pub name: Option<String>,
    /// Key columns.
    pub keys: Vec<IndexKey>,
    /// INCLUDE.
    pub included: Vec<ColumnIndex>,
    /// The expressions of keys.
    pub exprs: Vec<IndexExpr>,
    /// WHERE, written as [`IndexExpr::text`] is.
    pub predicate: Option<String>,
    /// USING.
    pub method: IndexMethod,
    /// Whether it is filled later, while others write; invalid until then.
    pub concurrently: bool,
    /// UNIQUE.
    pub unique: bool,
    /// Whether it is a deferrable constraint's.
    pub deferrable: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
}

impl CatalogTxn {
    /// The catalog as last committed, to be read or changed.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let current = catalog.snapshot();
        let path = Arc::new(current.search_path(["public"], None));
        Self { base: current.version, catalog, current, changes: vec![], path }
    }

    /// The catalog as this transaction sees it.
    pub fn snapshot(&self) -> &Arc<CatalogSnapshot> {
        &self.current
    }

    /// Takes in what other transactions committed since; called at the start of each statement.
    pub fn refresh(&mut self) {
        if self.catalog.version() == self.base {
            return;
        }
        let shared = self.catalog.snapshot();
        self.base = shared.version;
        self.current = if self.changes.is_empty() { shared } else { self.with_changes(&shared) };
    }

    fn with_changes(&self, shared: &CatalogSnapshot) -> Arc<CatalogSnapshot> {
        let mut current = shared.clone();
        for change in &self.changes {
            current.apply(change);
        }
        // A private version: plans made under it serve no other transaction.
        current.version = u64::MAX;
        Arc::new(current)
    }

    /// Whether the transaction changed the catalog.
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The present state, for [`CatalogTxn::rollback_to`].
    pub fn mark(&self) -> Mark {
        Mark(self.changes.len())
    }

    /// Forgets what was changed since `mark`; the transaction itself rolls the rows back.
    pub fn rollback_to(&mut self, mark: Mark) {
        if self.changes.len() > mark.0 {
            self.changes.truncate(mark.0);
            let shared = self.catalog.snapshot();
            self.base = shared.version;
            self.current =
                if self.changes.is_empty() { shared } else { self.with_changes(&shared) };
        }
    }

    /// Publishes the changes; called once the transaction has committed.
    pub fn committed(&mut self) {
        self.catalog.publish(&self.changes);
        self.changes.clear();
        self.refresh();
    }

    /// Forgets every change; called once the transaction has rolled back.
    pub fn rolled_back(&mut self) {
        self.rollback_to(Mark(0));
        self.refresh();
    }

    fn note(&mut self, change: Change) {
        let mut next = CatalogSnapshot::clone(&self.current);
        next.apply(&change);
        next.version = u64::MAX;
        self.current = Arc::new(next);
        self.changes.push(change);
    }

    /// A new OID.
    pub fn new_oid(&self) -> Result<Oid> {
        self.catalog.new_oid()
    }

    // Schemas.

    // Relations.

    /// Stores a new state of a relation: rows of the catalog's tables, then the change.
    pub fn put_relation(&mut self, txn: &mut Txn, relation: Relation) -> Result<Arc<Relation>> {
        let before: Vec<Record> = match self.current.relation(relation.oid) {
            Some(old) => relation_records(old)?,
            None => vec![],
        };
        store::replace(self.catalog.engine(), txn, &before, &relation_records(&relation)?)?;
        let relation = Arc::new(relation);
        self.note(Change::PutRelation(Arc::clone(&relation)));
        Ok(relation)
    }

    /// A table, with its sequences, indexes and constraints.
    ///
    /// # Errors
    /// 42P07 if the name is taken, 42701 for a column named twice, 54011, 42P16 for two primary keys, 42830 for a foreign key
    /// without a matching unique constraint.
    pub fn create_table(&mut self, txn: &mut Txn, new: NewTable) -> Result<Arc<Relation>> {
        self.check_name_free(new.schema, &new.name)?;
        if new.columns.len() > COLUMNS_MAX {
            return Err(Error::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("tables can have at most {COLUMNS_MAX} columns"),
            ));
        }
        for (i, column) in new.columns.iter().enumerate() {
            if new.columns[..i].iter().any(|other| other.name == column.name) {
                return Err(duplicate_column(&column.name));
            }
            check_column_name(&column.name)?;
        }
        let primary = primary_key(&new)?;
        let is_deferrable = |constraint: &NewConstraint| {
            matches!(constraint.kind, NewConstraintKind::PrimaryKey { .. })
                && constraint.timing.deferrable
        };
        // Two rows cannot have one row id for a while.
        let alias = match primary.as_deref() {
            Some(_) if new.constraints.iter().any(is_deferrable) => None,
            Some([column]) if is_alias_type(new.columns[usize::from(column.0)].ty) => Some(*column),
            _ => None,
        };
        let primary_name = new
            .constraints
            .iter()
            .find(|constraint| matches!(constraint.kind, NewConstraintKind::PrimaryKey { .. }))
            .and_then(|constraint| constraint.name.clone())
            .unwrap_or_else(|| choose(&[&new.name], "pkey"));
        let rel = txn.create_relation(RelationDesc {
            columns: new.columns.iter().map(|column| column.ty).collect(),
            alias: alias.map(|column| AliasKey {
                column,
                name: primary_name,
                column_name: new.columns[usize::from(column.0)].name.clone(),
            }),
            indexes: vec![],
            codec: new.codec,
            engine: new.engine,
        })?;
        let oid = self.new_oid()?;
        let mut relation = Relation::new(oid, new.schema, new.name, RelationKind::Table);
        (relation.owner, relation.rel, relation.alias) = (new.owner, rel, alias);
        relation.parameters = new.parameters;
        for column in &new.columns {
            let mut made = Column::new(column.name.as_str(), column.ty);
            made.default.clone_from(&column.default);
            made.not_null = column.not_null;
            relation.columns.push(made);
        }
        for column in primary.iter().flatten() {
            relation.columns[usize::from(column.0)].not_null = true;
        }
        self.put_relation(txn, relation)?;
        for (i, column) in new.columns.iter().enumerate() {
            self.own_sequence(txn, oid, ColumnIndex(i as u16), column)?;
        }
        for constraint in new.constraints {
            self.add_constraint(txn, oid, constraint)?;
        }
        Ok(Arc::clone(self.current.relation(oid).expect("it was just made")))
    }

    /// Gives a serial or identity column its sequence.
    fn own_sequence(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        number: ColumnIndex,
        column: &NewColumn,
    ) -> Result<()> {
        let (identity, mut sequence) = match (&column.identity, &column.serial) {
            (Some((identity, sequence)), _) => (Some(*identity), sequence.clone()),
            (None, Some(sequence)) => (None, sequence.clone()),
            (None, None) => return Ok(()),
        };
        sequence.owned_by = Some((table, number));
        let relation = Arc::clone(self.current.relation(table).expect("the table was just made"));
        let name = self.choose_name(relation.schema, &[&relation.name, &column.name], "seq");
        let made = self.create_sequence(txn, relation.schema, &name, relation.owner, sequence)?;
        let mut relation = Relation::clone(&relation);
        let target = &mut relation.columns[usize::from(number.0)];
        (target.sequence, target.identity, target.not_null) = (Some(made), identity, true);
        if identity.is_none() {
            let schema = self.current.schema_name(relation.schema);
            let name = if relation.schema == PUBLIC {
                quote_identifier(&name)
            } else {
                format!("{}.{}", quote_identifier(schema), quote_identifier(&name))
            };
            target.default = Some(format!("nextval('{}'::regclass)", name.replace('\'', "''")));
        }
        self.put_relation(txn, relation)?;
        Ok(())
    }

    /// Adds a column at the end; existing rows hold `missing` in it.
    pub fn add_column(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        column: NewColumn,
    ) -> Result<ColumnIndex> {
        let mut relation = self.owned(table);
        if relation.column(&column.name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!(
                    "column \"{}\" of relation \"{}\" already exists",
                    column.name, relation.name
                ),
            ));
        }
        check_column_name(&column.name)?;
        if relation.columns.len() >= COLUMNS_MAX {
            return Err(Error::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("tables can have at most {COLUMNS_MAX} columns"),
            ));
        }
        let number = ColumnIndex(relation.columns.len() as u16);
        let mut made = Column::new(column.name.as_str(), column.ty);
        made.default.clone_from(&column.default);
        made.not_null = column.not_null;
        made.missing = column.missing.clone();
        relation.columns.push(made);
        self.set_columns(txn, &relation)?;
        self.put_relation(txn, relation)?;
        self.own_sequence(txn, table, number, &column)?;
        Ok(number)
    }

    /// Tells the storage about a relation's columns.
    pub fn set_columns(&mut self, txn: &mut Txn, relation: &Relation) -> Result<()> {
        let types = relation.columns.iter().map(|column| column.ty).collect();
        let missing = relation.columns.iter().map(|column| column.missing.clone()).collect();
        txn.set_columns(relation.rel, types, missing)
    }

    /// Sets a table's storage parameters; `codec` is what compresses its pages then.
    pub fn set_parameters(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        parameters: Vec<(String, String)>,
        codec: PageCodec,
    ) -> Result<()> {
        let mut relation = self.owned(table);
        txn.set_codec(relation.rel, codec)?;
        relation.parameters = parameters;
        self.put_relation(txn, relation).map(drop)
    }

    /// Drops a column with the indexes and constraints that use it (the session has settled RESTRICT).
    pub fn drop_column(&mut self, txn: &mut Txn, table: Oid, column: ColumnIndex) -> Result<()> {
        let relation = self.owned(table);
        let uses = |columns: &[ColumnIndex]| columns.contains(&column);
        for constraint in
            relation.constraints.iter().filter(|constraint| uses(constraint.kind.columns()))
        {
            self.drop_constraint(txn, table, constraint.oid)?;
        }
        for constraint in &relation.referenced_by {
            if let ConstraintKind::ForeignKey { target_columns, .. } = &constraint.kind
                && uses(target_columns)
                && self.current.constraint(constraint.oid).is_some()
            {
                self.drop_constraint(txn, constraint.table, constraint.oid)?;
            }
        }
        let relation = self.owned(table);
        for index in relation.indexes.iter().filter(|index| index.uses(column)) {
            self.drop_index(txn, index.oid)?;
        }
        let mut relation = self.owned(table);
        let dropped = &mut relation.columns[usize::from(column.0)];
        let sequence = dropped.sequence.take();
        dropped.name = format!("........pg.dropped.{}........", column.0 + 1);
        (dropped.dropped, dropped.not_null, dropped.default, dropped.identity) =
            (true, false, None, None);
        self.put_relation(txn, relation)?;
        if let Some(sequence) = sequence {
            self.drop_relation(txn, sequence)?;
        }
        Ok(())
    }

    /// A view.
    pub fn create_view(
        &mut self,
        txn: &mut Txn,
        (schema, name): (Oid, &str),
        owner: Oid,
        columns: Vec<Column>,
        definition: String,
        reads: Vec<Read>,
    ) -> Result<Arc<Relation>> {
        self.check_name_free(schema, name)?;
        let mut relation = Relation::new(self.new_oid()?, schema, name, RelationKind::View);
        (relation.owner, relation.columns) = (owner, columns);
        (relation.view, relation.reads) = (Some(definition), reads);
        self.put_relation(txn, relation)
    }

    /// A sequence; gives its OID.
    pub fn create_sequence(
        &mut self,
        txn: &mut Txn,
        schema: Oid,
        name: &str,
        owner: Oid,
        sequence: Sequence,
    ) -> Result<Oid> {
        self.check_name_free(schema, name)?;
        let mut relation = Relation::new(self.new_oid()?, schema, name, RelationKind::Sequence);
        relation.owner = owner;
        relation.rel = txn.create_sequence(&sequence_spec(&sequence))?;
        relation.sequence = Some(sequence);
        Ok(self.put_relation(txn, relation)?.oid)
    }

    /// Drops one relation with what belongs to it: indexes, constraints, owned sequences, and the foreign keys of other tables that
    /// refer to it (the session has settled RESTRICT).
    pub fn drop_relation(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        let Some(relation) = self.current.relation(oid).cloned() else {
            return Ok(());
        };
        for constraint in &relation.referenced_by {
            if constraint.table != oid {
                self.drop_constraint(txn, constraint.table, constraint.oid)?;
            }
        }
        for constraint in &relation.constraints {
            if let ConstraintKind::ForeignKey { target, .. } = constraint.kind
                && target != oid
            {
                self.forget_reference(txn, target, constraint.oid)?;
            }
        }
        let relation =
            Arc::clone(self.current.relation(oid).expect("only its references were changed"));
        store::replace(self.catalog.engine(), txn, &relation_records(&relation)?, &[])?;
        match relation.kind {
            RelationKind::Table => txn.drop_relation(relation.rel)?,
            RelationKind::Sequence => txn.drop_sequence(relation.rel)?,
            RelationKind::View | RelationKind::Index | RelationKind::System => {}
        }
        self.note(Change::RemoveRelation(oid));
        for column in &relation.columns {
            if let Some(sequence) = column.sequence {
                self.drop_relation(txn, sequence)?;
            }
        }
        Ok(())
    }

    /// What depends on a relation from outside of it: descriptions for the error or the notice, and the objects to drop with it.
    ///
    /// Views come with everything that reads them; foreign keys are dropped as constraints by [`CatalogTxn::drop_relation`].
    pub fn dependents(&self, oid: Oid) -> (Vec<String>, Vec<Oid>) {
        let mut lines = vec![];
        let mut views = vec![];
        let Some(relation) = self.current.relation(oid) else {
            return (lines, views);
        };
        let itself = format!("{} {}", kind_name(relation.kind), self.qualified(relation));
        for constraint in relation.referenced_by.iter().filter(|constraint| constraint.table != oid)
        {
            if let Some(table) = self.current.relation(constraint.table) {
                lines.push(format!(
                    "constraint {} on table {} depends on {itself}",
                    constraint.name,
                    self.qualified(table)
                ));
            }
        }
        self.reading_views(oid, None, &itself, &mut lines, &mut views);
        (lines, views)
    }

    /// As [`CatalogTxn::dependents`], of one column of a table. The column's own indexes and constraints are none.
    pub fn column_dependents(&self, table: Oid, column: ColumnIndex) -> (Vec<String>, Vec<Oid>) {
        let mut lines = vec![];
        let mut views = vec![];
        let Some(relation) = self.current.relation(table) else {
            return (lines, views);
        };
        let definition = &relation.columns[usize::from(column.0)];
        let itself = format!("column {} of table {}", definition.name, self.qualified(relation));
        for reference in &relation.referenced_by {
            if let ConstraintKind::ForeignKey { target_columns, .. } = &reference.kind
                && target_columns.contains(&column)
                && reference.table != table
                && let Some(from) = self.current.relation(reference.table)
            {
                lines.push(format!(
                    "constraint {} on table {} depends on {itself}",
                    reference.name,
                    self.qualified(from)
                ));
            }
        }
        self.reading_views(table, Some(column), &itself, &mut lines, &mut views);
        (lines, views)
    }

    /// The views that read a relation (or one column of it, called `itself`), and those that read these.
    fn reading_views(
        &self,
        oid: Oid,
        column: Option<ColumnIndex>,
        itself: &str,
        lines: &mut Vec<String>,
        views: &mut Vec<Oid>,
    ) {
        let mut frontier = vec![(oid, column, itself.to_owned())];
        while let Some((target, column, shown)) = frontier.pop() {
            for view in self.current.user_relations() {
                if view.reads(target, column) && !views.contains(&view.oid) {
                    let name = self.qualified(view);
                    lines.push(format!("view {name} depends on {shown}"));
                    views.push(view.oid);
                    frontier.push((view.oid, None, format!("view {name}")));
                }
            }
        }
    }

    /// What messages take for visible from here on.
    pub fn use_path(&mut self, path: &Arc<SearchPath>) {
        if !Arc::ptr_eq(&self.path, path) {
            self.path = Arc::clone(path);
        }
    }

    /// The name of a relation as messages show it: qualified unless the search path finds it.
    pub fn qualified(&self, relation: &Relation) -> String {
        if self.current.finds(relation.schema, &relation.name, &self.path) {
            relation.name.clone()
        } else {
            format!("{}.{}", self.current.schema_name(relation.schema), relation.name)
        }
    }

    // Indexes and constraints.

    /// Stores a new or changed role.
    pub fn put_role(&mut self, txn: &mut Txn, role: Role) -> Result<()> {
        let before: Vec<Record> =
            self.current.role(role.oid).map(|old| role_record(old)).into_iter().collect();
        store::replace(self.catalog.engine(), txn, &before, &[role_record(&role)])?;
        self.note(Change::PutRole(Arc::new(role)));
        Ok(())
    }

    /// Drops a role.
    pub fn drop_role(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        let before: Vec<Record> =
            self.current.role(oid).map(|old| role_record(old)).into_iter().collect();
        store::replace(self.catalog.engine(), txn, &before, &[])?;
        self.note(Change::RemoveRole(oid));
        Ok(())
    }

    /// Sets or removes a comment.
    pub fn set_comment(
        &mut self,
        txn: &mut Txn,
        key: (Oid, Oid, i32),
        text: Option<&str>,
    ) -> Result<()> {
        let (class, object, sub) = key;
        let before: Vec<Record> = self
            .current
            .comment(class, object, sub)
            .map(|old| comment_record(key, old))
            .into_iter()
            .collect();
        let after: Vec<Record> = text.map(|text| comment_record(key, text)).into_iter().collect();
        store::replace(self.catalog.engine(), txn, &before, &after)?;
        self.note(Change::Comment(key, text.map(Into::into)));
        Ok(())
    }

    /// A copy of a relation to change.
    pub fn owned(&self, oid: Oid) -> Relation {
        Relation::clone(self.current.relation(oid).expect("the caller resolved the relation"))
    }
}

/// How the engine counts a sequence.
pub fn sequence_spec(sequence: &Sequence) -> SequenceSpec {
    SequenceSpec {
        start: sequence.start,
        increment: sequence.increment,
        min: sequence.min,
        max: sequence.max,
        cycle: sequence.cycle,
    }
}

/// Whether a primary key of this one type is the row id.
fn is_alias_type(ty: SqlType) -> bool {
    matches!(ty.id, TypeId::Int2 | TypeId::Int4 | TypeId::Int8)
}

fn primary_key(new: &NewTable) -> Result<Option<Vec<ColumnIndex>>> {
    let mut keys = new.constraints.iter().filter_map(|constraint| match &constraint.kind {
        NewConstraintKind::PrimaryKey { columns } => Some(columns),
        _ => None,
    });
    let first = keys.next().cloned();
    if keys.next().is_some() {
        return Err(multiple_primary_keys(&new.name));
    }
    Ok(first)
}

fn multiple_primary_keys(table: &str) -> Error {
    Error::new(
        SqlState::INVALID_TABLE_DEFINITION,
        format!("multiple primary keys for table \"{table}\" are not allowed"),
    )
}

/// 2BP01 with what still depends.
pub fn dependents_error(what: &str, lines: &[String]) -> Error {
    Error::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop {what} because other objects depend on it"),
    )
    .detail(lines.join("\n"))
    .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}
