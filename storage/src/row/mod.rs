//! Rows as bytes: how a table's values lie in a page, and how they come out again.
//!
//! ```text
//! layout u16 | null bitmap | fixed section | end offsets | variable bytes
//! ```
//! - `layout`: the number of columns the row was written with (1..=1600); bit 15 says that end offsets are u32
//!   instead of u16, which a row with more than 65,535 variable bytes needs.
//! - null bitmap: `ceil(columns / 8)` bytes, bit `i % 8` of byte `i / 8` is set when column `i` is null.
//! - fixed section: every fixed-width column, widest first, then by column; nulls are zeros. So each has a constant
//!   offset in all rows of a layout, and a scan loads it without looking at anything else of the row.
//! - end offsets: one for each variable column, counted from the start of the variable bytes. A null is empty.
//!
//! A column is never moved or rewritten by ALTER TABLE: ADD COLUMN appends one, and rows of an earlier layout (fewer
//! columns) read its `missing` value; DROP COLUMN keeps the column's place, reads it as null and writes it as null. So
//! a layout is a prefix of the column list, and no history is stored: the catalog's columns tell every layout.
//! A change of type rewrites the table instead.
//!
//! Invariants
//! - R1: two rows of one layout have every fixed column at the same offset.
//! - R2: bytes that no encoder wrote give an error (XX001), never a panic: every access is checked.
//! - R3: a fixed numeric has exactly its column's scale; the smallest integer of its width stands for NaN.
//!
//! Left out: values are not compressed, and a row is always whole here. A row that does not fit its page is cut by the
//! tree (`tree::overflow`), which hands it out whole again.

mod decode;
mod encode;
mod gather;
mod physical;
mod stored;
mod strings;
#[cfg(test)]
mod tests;

pub use gather::ColumnGatherer;

use damask_types::{ColumnIndex, Error, Result, SqlState, SqlType, Value, Vector};
use encode::Cell;
use physical::Physical;
use std::sync::{Arc, OnceLock};

/// Most columns in a table, PostgreSQL's limit.
pub const COLUMNS_MAX: usize = 1600;

/// Longest row: one value may have 1 GiB, PostgreSQL's limit, and needs a little around it.
pub const ROW_BYTES_MAX: usize = (1 << 30) + (1 << 20);

/// A column as its table knows it now.
#[derive(Clone, Debug)]
pub struct RowColumn {
    /// Its type; a dropped column keeps the one it had.
    pub ty: SqlType,
    /// What rows older than the column hold in it.
    pub missing: Value,
    /// Whether it was dropped: it reads as null.
    pub dropped: bool,
}

impl RowColumn {
    /// A column that every row has.
    pub fn new(ty: impl Into<SqlType>) -> Self {
        Self { ty: ty.into(), missing: Value::Null, dropped: false }
    }
}

/// The layouts of a table's rows: the newest, which is written, and all before it, which are read.
#[derive(Debug)]
pub struct RowLayout {
    columns: Vec<RowColumn>,
    /// By number of columns; made when first needed, save the newest.
    older: Vec<OnceLock<Physical>>,
    newest: Physical,
}

impl RowLayout {
    /// The layout of rows with columns of these types.
    ///
    /// # Errors
    /// 54011 for more than [`COLUMNS_MAX`] columns.
    pub fn new(types: Vec<SqlType>) -> Result<Self> {
        Self::with_columns(types.into_iter().map(RowColumn::new).collect())
    }

    /// The layouts of a table whose columns, dropped ones included, are `columns` in order of their making.
    ///
    /// # Errors
    /// 54011 for more than [`COLUMNS_MAX`] columns.
    pub fn with_columns(columns: Vec<RowColumn>) -> Result<Self> {
        if columns.len() > COLUMNS_MAX {
            return Err(Error::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("tables can have at most {COLUMNS_MAX} columns"),
            ));
        }
        let newest = Physical::new(&columns);
        let older = (0..columns.len()).map(|_| OnceLock::new()).collect();
        Ok(Self { columns, older, newest })
    }

    /// Number of columns, dropped ones included.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// The columns.
    pub fn columns(&self) -> &[RowColumn] {
        &self.columns
    }

    /// The bytes of a row: one value a column, of its type; a dropped column's is ignored.
    ///
    /// # Errors
    /// 54000 if the row is longer than [`ROW_BYTES_MAX`]; 22003 for a numeric its column cannot hold.
    pub fn encode(&self, values: &[Value]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.encode_into(values, &mut out)?;
        Ok(out)
    }

    /// [`Self::encode`] into `out`, which is cleared first.
    pub fn encode_into(&self, values: &[Value], out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        self.append(values, out)
    }

    /// [`Self::encode`], appended to `out`, which stays as it was if that fails.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn append(&self, values: &[Value], out: &mut Vec<u8>) -> Result<()> {
        let cell = |index: usize| Cell::from(&values[index]);
        encode::append(&self.newest, &self.columns, values.len(), cell, out)
    }

    /// The same for row `row` of vectors, one a column; what has no vector is null.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn append_row(
        &self,
        vectors: &[Option<&Vector>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let cell = |index: usize| vectors[index].map_or(Cell::Null, |vector| Cell::of(vector, row));
        encode::append(&self.newest, &self.columns, vectors.len(), cell, out)
    }

    /// The values of a row, one a column.
    pub fn decode(&self, row: &[u8]) -> Result<Vec<Value>> {
        let mut out = Vec::with_capacity(self.columns.len());
        self.decode_into(row, &mut out)?;
        Ok(out)
    }

    /// [`Self::decode`] into `out`, which is cleared first.
    pub fn decode_into(&self, row: &[u8], out: &mut Vec<Value>) -> Result<()> {
        out.clear();
        let view = self.view(row)?;
        for index in 0..self.columns.len() {
            out.push(self.value_of(&view, index)?);
        }
        Ok(())
    }

    /// The value of one column.
    ///
    /// # Errors
    /// XX000 for a column the table does not have.
    pub fn column(&self, row: &[u8], column: ColumnIndex) -> Result<Value> {
        let view = self.view(row)?;
        self.value_of(&view, usize::from(column.0))
    }

    /// The values of some columns, into `out`, which is cleared first.
    ///
    /// # Errors
    /// As for [`Self::column`].
    pub fn columns_into(
        &self,
        row: &[u8],
        columns: &[ColumnIndex],
        out: &mut Vec<Value>,
    ) -> Result<()> {
        out.clear();
        let view = self.view(row)?;
        for column in columns {
            out.push(self.value_of(&view, usize::from(column.0))?);
        }
        Ok(())
    }

    /// The row with some columns changed, in the newest layout.
    pub fn update(&self, row: &[u8], changes: &[(ColumnIndex, Value)]) -> Result<Vec<u8>> {
        if let Some(out) = encode::patch(self, row, changes)? {
            return Ok(out);
        }
        let mut values = self.decode(row)?;
        for (column, value) in changes {
            *values
                .get_mut(usize::from(column.0))
                .ok_or_else(|| unknown_column(usize::from(column.0)))? = value.clone();
        }
        self.encode(&values)
    }

    /// Columns `columns` of `rows` (at most [`damask_types::TILE_ROWS`]) as vectors.
    ///
    /// A scan keeps a [`ColumnGatherer`] instead, which fills one tile from several pages.
    pub fn gather(
        self: &Arc<Self>,
        rows: &[&[u8]],
        columns: &[ColumnIndex],
    ) -> Result<Vec<Vector>> {
        let mut gatherer = ColumnGatherer::new(self, columns)?;
        let taken = gatherer.push_rows(rows)?;
        if taken < rows.len() {
            return Err(Error::internal("more rows than a tile holds"));
        }
        gatherer.finish()
    }

    /// The layout with `columns` columns.
    fn physical(&self, columns: usize) -> Option<&Physical> {
        if columns == self.columns.len() {
            return Some(&self.newest);
        }
        let cell = self.older.get(columns)?;
        Some(cell.get_or_init(|| Physical::new(&self.columns[..columns])))
    }

    fn view<'a>(&'a self, row: &'a [u8]) -> Result<decode::RowView<'a>> {
        decode::RowView::new(row, |columns| self.physical(columns))
    }

    fn value_of(&self, view: &decode::RowView<'_>, index: usize) -> Result<Value> {
        let column = self.columns.get(index).ok_or_else(|| unknown_column(index))?;
        if column.dropped {
            return Ok(Value::Null);
        }
        match view.value(index)? {
            Some(value) => Ok(value),
            None => Ok(column.missing.clone()),
        }
    }
}

#[cold]
fn unknown_column(index: usize) -> Error {
    Error::internal(format!("a row has no column {index}"))
}

/// XX001: the bytes of a row are not what an encoder wrote.
#[cold]
pub(crate) fn bad_row(what: &str) -> Error {
    Error::corrupted(format!("a row's bytes are damaged: {what}"))
}
