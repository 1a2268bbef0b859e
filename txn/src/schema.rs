//! What tables and indexes are made of, as far as storage must know.

use damask_storage::PageCodec;
use damask_types::{ColumnIndex, SqlType, Value};
use std::ops::Bound;

/// A table to be made.
#[derive(Clone, Debug, Default)]
pub struct RelationDesc {
    /// Types of the columns by position, dropped ones included.
    pub columns: Vec<SqlType>,
    /// The integer primary key whose value is the row id.
    pub alias: Option<AliasKey>,
    /// Indexes made with the table.
    pub indexes: Vec<IndexDesc>,
    /// What compresses its pages and those of its indexes.
    pub codec: PageCodec,
    /// What its rows are kept in.
    pub engine: TableEngine,
}

/// What a table's rows are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum TableEngine {
    /// A B+ tree.
    #[default]
    BTree = 0,
    /// A B+ tree behind a write buffer ([`damask_storage::tree::BufferedTree`]): for rows that are written at random keys into a table
    /// larger than the pool.
    Lsm = 1,
}

impl TableEngine {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::BTree, Self::Lsm];

    /// The engine a byte stands for.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::BTree,
            1 => Self::Lsm,
            _ => return None,
        })
    }

    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BTree => "btree",
            Self::Lsm => "lsm",
        }
    }
}

/// A primary key of one int2, int4 or int8 column: it has no index, the row id *is* the key (sign bit flipped).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasKey {
    /// The key column; never null.
    pub column: ColumnIndex,
    /// The constraint's name, for errors.
    pub name: String,
    /// The column's name, for errors.
    pub column_name: String,
}

/// An index to be made.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct IndexDesc {
    /// Its name, for errors; see [`crate::Txn::rename_index`].
    pub name: String,
    /// Key columns; at least one. The last [`IndexDesc::included`] of them are only carried along.
    pub keys: Vec<KeyColumn>,
    /// Names of the key columns, for errors.
    pub key_names: Vec<String>,
    /// Whether two live rows may not have equal keys.
    pub unique: bool,
    /// Whether rows with equal keys are noted for [`crate::Deferred::Unique`] and not refused at once.
    pub deferrable: bool,
    /// Whether the tree has the hashes of its one key (USING hash): it answers nothing but `=`.
    pub hash: bool,
    /// Whether it is made empty, to be filled while others write ([`crate::Txn::fill_index`]); until
    /// [`crate::Txn::finish_index`] it lacks rows.
    pub building: bool,
    /// Whether a unique index takes nulls for equal.
    pub nulls_not_distinct: bool,
    /// How many of the last keys are no part of what is unique (INCLUDE).
    pub included: usize,
    /// The expressions that keys name by [`KeySource::Computed`], as texts for the engine's compiler.
    pub exprs: Vec<String>,
    /// The condition of the rows that are in the index, as such a text; all rows if there is none.
    pub predicate: Option<String>,
}

/// Where a key's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// A column of the table.
    Column(ColumnIndex),
    /// An expression of the index, by its place, and its type.
    Computed(u16, SqlType),
}

/// One key column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyColumn {
    /// Where its value comes from.
    pub source: KeySource,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST (PostgreSQL's default is last for ASC, first for DESC).
    pub nulls_first: bool,
}

impl KeyColumn {
    /// An ascending key with nulls last.
    pub fn ascending(column: ColumnIndex) -> Self {
        Self { source: KeySource::Column(column), descending: false, nulls_first: false }
    }

    /// The table's column, if it is one.
    pub fn column(&self) -> Option<ColumnIndex> {
        match self.source {
            KeySource::Column(column) => Some(column),
            KeySource::Computed(..) => None,
        }
    }
}

/// A range of index keys *in index order*: of a descending key column, the larger value comes first.
///
/// A bound may be a prefix of the key: as an inclusive lower (upper) bound it stands before (after) every key that starts
/// with it, as an exclusive one after (before) them. Values have the key columns' types; a null bounds nulls.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRange {
    /// Where the range begins.
    pub lower: Bound<Vec<Value>>,
    /// Where it ends.
    pub upper: Bound<Vec<Value>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self { lower: Bound::Unbounded, upper: Bound::Unbounded }
    }

    /// Every key that starts with `prefix`.
    pub fn prefix(prefix: Vec<Value>) -> Self {
        Self { lower: Bound::Included(prefix.clone()), upper: Bound::Included(prefix) }
    }
}

/// Values that a condition lets through in a column; never null.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRange {
    /// The column.
    pub column: ColumnIndex,
    /// Where the range begins: a value of the column's type.
    pub lower: Bound<Value>,
    /// Where it ends.
    pub upper: Bound<Value>,
}

/// The way through an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// From the lower bound up.
    #[default]
    Forward,
    /// From the upper bound down.
    Backward,
}

impl From<Direction> for damask_storage::tree::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Forward => Self::Forward,
            Direction::Backward => Self::Backward,
        }
    }
}
