//! What indexes compute from rows: keys that are expressions, and which rows a partial index has.
//!
//! This crate knows rows, not expressions. An index's description has them as texts that mean something to whoever opens the
//! engine; a [`ProgramCompiler`] makes a [`RowProgram`] of them, when the index is made and whenever a database with it is
//! opened: recovery changes indexes as it replays rows (M5), before anything above has started.
//!
//! Invariant: a program is a function of the row alone. An entry is found again, to be marked or removed, by computing its key
//! once more.

use damask_types::{ColumnIndex, Error, Result, SqlType, Value};
use std::fmt::Debug;
use std::sync::Arc;

/// Computes an index's part of a row. Runs under the latches of the row's leaf and of the index: it may not block.
pub trait RowProgram: Send + Sync {
    /// The columns it reads.
    fn columns(&self) -> &[ColumnIndex];

    /// The values of the computed keys, in the order of the description's expressions; `None` if the index does not have
    /// the row. `values` are those of [`RowProgram::columns`].
    ///
    /// # Errors
    /// What the expressions raise for this row.
    fn run(&self, values: &[Value]) -> Result<Option<Vec<Value>>>;
}

/// Makes programs of the texts in index descriptions.
pub trait ProgramCompiler: Send + Sync + Debug {
    /// `columns` are the types of the table's columns.
    ///
    /// # Errors
    /// What is wrong with the texts.
    fn compile(
        &self,
        exprs: &[String],
        predicate: Option<&str>,
        columns: &[SqlType],
    ) -> Result<Arc<dyn RowProgram>>;
}

/// The compiler of an engine that was opened without one.
#[derive(Clone, Copy, Debug)]
pub struct NoPrograms;

impl ProgramCompiler for NoPrograms {
    fn compile(
        &self,
        _exprs: &[String],
        _predicate: Option<&str>,
        _columns: &[SqlType],
    ) -> Result<Arc<dyn RowProgram>> {
        Err(Error::unsupported("an index on an expression, or of some rows, without its compiler"))
    }
}
