//! What the catalog knows of each object: plain immutable data, shared by `Arc`.

use crate::template;
use damask_types::{ColumnIndex, Oid, RelId, SqlType, Value};
use std::sync::Arc;

/// A schema (`pg_namespace`).
#[derive(Clone, Debug)]
pub struct Schema {
    /// Its OID.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// Role that owns it.
    pub owner: Oid,
}

/// What kind of relation (`pg_class.relkind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// `r`: an ordinary table.
    Table,
    /// `i`: an index.
    Index,
    /// `S`: a sequence.
    Sequence,
    /// `v`: a view.
    View,
    /// A relation of `pg_catalog` or `information_schema` whose rows the catalog computes. Shown as `r` or `v`.
    System,
}

/// A table, view, sequence or computed system relation. Indexes are in [`Relation::indexes`] of their table.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its OID (`pg_class.oid`).
    pub oid: Oid,
    /// Schema it lives in.
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Role that owns it.
    pub owner: Oid,
    /// Its storage; `RelId(0)` for views and system relations.
    pub rel: RelId,
    /// Columns by `attnum` - 1, dropped ones included.
    pub columns: Vec<Column>,
    /// Indexes on it.
    pub indexes: Vec<Arc<Index>>,
    /// CHECK, PRIMARY KEY, UNIQUE and FOREIGN KEY constraints declared on it.
    pub constraints: Vec<Arc<Constraint>>,
    /// Foreign keys of other tables (and its own) that refer to it.
    pub referenced_by: Vec<Arc<Constraint>>,
    /// The SELECT of a view, as `pg_get_viewdef` shows it.
    pub view: Option<String>,
    /// What a view reads.
    pub reads: Vec<Read>,
    /// The definition of a sequence.
    pub sequence: Option<Sequence>,
    /// The integer primary-key column whose value is the row id, if there is one.
    pub alias: Option<ColumnIndex>,
    /// Storage parameters of a table, by name, in the order they were set (`pg_class.reloptions`).
    pub parameters: Vec<(String, String)>,
}

/// A relation that a view's text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The relation.
    pub relation: Oid,
    /// Columns of it that the view's text reads; of a relation that is a view itself, none.
    pub columns: Vec<ColumnIndex>,
}

/// A column (`pg_attribute`).
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name; a dropped column's is `........pg.dropped.N........`.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// NOT NULL.
    pub not_null: bool,
    /// Text of the DEFAULT expression, as `pg_get_expr` shows it.
    pub default: Option<String>,
    /// GENERATED { ALWAYS | BY DEFAULT } AS IDENTITY.
    pub identity: Option<Identity>,
    /// Whether it was dropped.
    pub dropped: bool,
    /// What rows older than the column hold in it.
    pub missing: Value,
    /// The sequence it owns (serial, identity).
    pub sequence: Option<Oid>,
}

impl Column {
    /// A nullable column without a default.
    pub fn new(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            name: name.into(),
            ty,
            not_null: false,
            default: None,
            identity: None,
            dropped: false,
            missing: Value::Null,
            sequence: None,
        }
    }
}

/// How an identity column treats explicit values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// They need OVERRIDING SYSTEM VALUE.
    Always,
    /// They win.
    ByDefault,
}

/// An index (`pg_index` with its `pg_class` row).
#[derive(Clone, Debug)]
pub struct Index {
    /// Its OID.
    pub oid: Oid,
    /// Its name; it lives in its table's schema.
    pub name: String,
    /// The table.
    pub table: Oid,
    /// Its storage; `RelId(0)` for the primary key of an alias table, which has none.
    pub rel: RelId,
    /// Key columns.
    pub keys: Vec<IndexKey>,
    /// Columns that are only carried along (INCLUDE).
    pub included: Vec<ColumnIndex>,
    /// The expressions that keys name by [`KeySource::Expr`].
    pub exprs: Vec<IndexExpr>,
    /// Of a partial index, the condition of its rows, written as [`IndexExpr::text`] is.
    pub predicate: Option<String>,
    /// UNIQUE.
    pub unique: bool,
    /// Whether it is the primary key's.
    pub primary: bool,
    /// UNIQUE NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// How it is stored.
    pub method: IndexMethod,
    /// Whether it has every row. One that has not is kept (if it has storage: `rel`) and not used.
    pub valid: bool,
    /// Whether a unique key is checked when a row comes; else its constraint is deferrable.
    pub immediate: bool,
}

/// An index access method (`pg_am`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexMethod {
    /// In the order of its keys.
    #[default]
    Btree,
    /// By the hash of its one key: for nothing but `=`.
    Hash,
}

impl IndexMethod {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Btree => "btree",
            Self::Hash => "hash",
        }
    }

    /// Its OID.
    pub fn oid(self) -> Oid {
        match self {
            Self::Btree => Oid(403),
            Self::Hash => Oid(405),
        }
    }
}

/// One key column of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexKey {
    /// What it is the value of.
    pub source: KeySource,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// What a key of an index is the value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A column of the table.
    Column(ColumnIndex),
    /// An expression of the index, by its place.
    Expr(usize),
}

/// An expression of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexExpr {
    /// The name of the index's column (`pg_attribute.attname`).
    pub name: String,
    /// Its text in the manner of `pg_get_expr`, columns written as parameters: `lower($2)` reads the second column. So no new
    /// name of a column changes it.
    pub text: String,
    /// Its type.
    pub ty: SqlType,
}

impl IndexKey {
    /// An ascending key of a column.
    pub fn ascending(column: ColumnIndex) -> Self {
        Self { source: KeySource::Column(column), descending: false, nulls_first: false }
    }

    /// The table's column, if it is one.
    pub fn column(&self) -> Option<ColumnIndex> {
        match self.source {
            KeySource::Column(column) => Some(column),
            KeySource::Expr(_) => None,
        }
    }
}

impl Index {
    /// The columns of its keys; none if one is an expression.
    pub fn key_columns(&self) -> Option<Vec<ColumnIndex>> {
        self.keys.iter().map(IndexKey::column).collect()
    }

    /// Whether its keys tell all rows apart at every moment: it is unique, without a predicate, and not deferrable.
    pub fn tells_rows_apart(&self) -> bool {
        self.unique && self.valid && self.immediate && self.predicate.is_none()
    }

    /// The key columns of an index that tells rows apart.
    pub fn unique_columns(&self) -> Option<Vec<ColumnIndex>> {
        self.key_columns().filter(|_| self.tells_rows_apart())
    }

    /// The same, also if it is deferrable.
    pub fn constraint_columns(&self) -> Option<Vec<ColumnIndex>> {
        self.key_columns().filter(|_| self.unique && self.valid && self.predicate.is_none())
    }

    /// Whether it computes something of a row: a key that is an expression, or whether it has the row.
    pub fn computes(&self) -> bool {
        !self.exprs.is_empty() || self.predicate.is_some()
    }

    /// Whether a scan finds a column's values in its entries, without the rows. A key is read from its beginning, so no column
    /// before it may be one whose values keys do not give back.
    pub fn gives_back(&self, column: ColumnIndex, table: &Relation) -> bool {
        if self.method == IndexMethod::Hash {
            return false;
        }
        let ty_of = |source| match source {
            KeySource::Column(column) => {
                table.columns.get(usize::from(column.0)).map(|column| column.ty.id)
            }
            KeySource::Expr(place) => self.exprs.get(place).map(|expr| expr.ty.id),
        };
        let included = self.included.iter().map(|column| KeySource::Column(*column));
        self.keys
            .iter()
            .map(|key| key.source)
            .chain(included)
            .take_while(|source| ty_of(*source).is_some_and(damask_txn::key_is_lossless))
            .any(|source| source == KeySource::Column(column))
    }

    /// Whether its keys or what it carries, its expressions or its predicate read a column.
    pub fn uses(&self, column: ColumnIndex) -> bool {
        self.keys.iter().any(|key| key.column() == Some(column))
            || self.included.contains(&column)
            || self.computes_with(column)
    }

    /// Whether its expressions or its predicate read a column.
    pub fn computes_with(&self, column: ColumnIndex) -> bool {
        let texts = self.exprs.iter().map(|expr| &expr.text).chain(&self.predicate);
        texts.into_iter().any(|text| {
            let mut reads = false;
            template::each_column(text, |found| reads |= found == column);
            reads
        })
    }
}

/// A constraint (`pg_constraint`).
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Its OID.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// The table it is on.
    pub table: Oid,
    /// What it demands.
    pub kind: ConstraintKind,
    /// When it is checked.
    pub timing: Timing,
}

/// When a constraint is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// DEFERRABLE: `SET CONSTRAINTS` may put its checks off to the end of the transaction.
    pub deferrable: bool,
    /// INITIALLY DEFERRED: they are put off without that.
    pub deferred: bool,
}

/// What a constraint demands.
#[derive(Clone, Debug)]
pub enum ConstraintKind {
    /// CHECK: the expression's text as `pg_get_expr` shows it, and the columns it reads.
    Check {
        /// The expression.
        expr: String,
        /// Columns it reads.
        columns: Vec<ColumnIndex>,
    },
    /// PRIMARY KEY, by this index.
    PrimaryKey {
        /// The index's OID.
        index: Oid,
        /// Its columns.
        columns: Vec<ColumnIndex>,
    },
    /// UNIQUE, by this index.
    Unique {
        /// The index's OID.
        index: Oid,
        /// Its columns.
        columns: Vec<ColumnIndex>,
    },
    /// FOREIGN KEY.
    ForeignKey {
        /// Referencing columns.
        columns: Vec<ColumnIndex>,
        /// The referenced table.
        target: Oid,
        /// Referenced columns, in the order of `columns`.
        target_columns: Vec<ColumnIndex>,
        /// The unique index on them.
        target_index: Oid,
        /// ON UPDATE.
        on_update: ForeignKeyAction,
        /// ON DELETE.
        on_delete: ForeignKeyAction,
        /// MATCH FULL (else SIMPLE).
        match_full: bool,
    },
}

impl ConstraintKind {
    /// The columns of its own table that it uses.
    pub fn columns(&self) -> &[ColumnIndex] {
        match self {
            Self::Check { columns, .. }
            | Self::PrimaryKey { columns, .. }
            | Self::Unique { columns, .. }
            | Self::ForeignKey { columns, .. } => columns,
        }
    }

    /// The index of its own table that keeps it.
    pub fn index(&self) -> Option<Oid> {
        match self {
            Self::PrimaryKey { index, .. } | Self::Unique { index, .. } => Some(*index),
            Self::Check { .. } | Self::ForeignKey { .. } => None,
        }
    }
}

/// What happens to referencing rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKeyAction {
    /// Raise 23503 at the end of the statement.
    NoAction,
    /// Raise 23503 (23001 is not used by PostgreSQL here) at once.
    Restrict,
    /// Do the same to them.
    Cascade,
    /// Set their columns to null.
    SetNull,
    /// Set their columns to their defaults.
    SetDefault,
}

impl ForeignKeyAction {
    /// Its letter in `pg_constraint`.
    pub fn letter(self) -> char {
        match self {
            Self::NoAction => 'a',
            Self::Restrict => 'r',
            Self::Cascade => 'c',
            Self::SetNull => 'n',
            Self::SetDefault => 'd',
        }
    }

    /// The action of a letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'a' => Self::NoAction,
            'r' => Self::Restrict,
            'c' => Self::Cascade,
            'n' => Self::SetNull,
            'd' => Self::SetDefault,
            _ => return None,
        })
    }
}

/// The definition of a sequence (`pg_sequence`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// int2, int4 or int8.
    pub ty: SqlType,
    /// START.
    pub start: i64,
    /// INCREMENT.
    pub increment: i64,
    /// MINVALUE.
    pub min: i64,
    /// MAXVALUE.
    pub max: i64,
    /// CACHE.
    pub cache: i64,
    /// CYCLE.
    pub cycle: bool,
    /// The column that owns it: table and column.
    pub owned_by: Option<(Oid, ColumnIndex)>,
}

/// A role (`pg_authid`).
#[derive(Clone, Debug)]
pub struct Role {
    /// Its OID.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// SUPERUSER.
    pub superuser: bool,
    /// LOGIN.
    pub login: bool,
    /// SCRAM-SHA-256 verifier, as PostgreSQL stores it.
    pub password: Option<String>,
}

impl Relation {
    /// The constraint that an index keeps.
    pub fn constraint_of_index(&self, index: Oid) -> Option<&Arc<Constraint>> {
        self.constraints.iter().find(|constraint| constraint.kind.index() == Some(index))
    }

    /// A relation with nothing in it yet.
    pub fn new(oid: Oid, schema: Oid, name: impl Into<String>, kind: RelationKind) -> Self {
        Self {
            oid,
            schema,
            name: name.into(),
            kind,
            owner: crate::snapshot::BOOTSTRAP_ROLE,
            rel: RelId(0),
            columns: vec![],
            indexes: vec![],
            constraints: vec![],
            referenced_by: vec![],
            view: None,
            reads: vec![],
            sequence: None,
            alias: None,
            parameters: vec![],
        }
    }

    /// The column of this name that was not dropped.
    pub fn column(&self, name: &str) -> Option<(ColumnIndex, &Column)> {
        self.live_columns().find(|(_, column)| column.name == name)
    }

    /// Columns that were not dropped.
    pub fn live_columns(&self) -> impl Iterator<Item = (ColumnIndex, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| !column.dropped)
            .map(|(i, column)| (ColumnIndex(i as u16), column))
    }

    /// Whether this is a view that reads a relation: one column of it, or any.
    pub fn reads(&self, relation: Oid, column: Option<ColumnIndex>) -> bool {
        self.reads.iter().any(|read| {
            read.relation == relation && column.is_none_or(|column| read.columns.contains(&column))
        })
    }

    /// The primary key's index.
    pub fn primary_key(&self) -> Option<&Arc<Index>> {
        self.indexes.iter().find(|index| index.primary)
    }
}
