//! What storage calls when an index computes something of a row: the planner's programs, under the engine's trait.

use damask_planner::IndexProgram;
use damask_txn::{ProgramCompiler, RowProgram};
use damask_types::{ColumnIndex, Result, SqlType, Value};
use std::sync::Arc;

/// Compiles the texts of indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Programs;

impl ProgramCompiler for Programs {
    fn compile(
        &self,
        exprs: &[String],
        predicate: Option<&str>,
        columns: &[SqlType],
    ) -> Result<Arc<dyn RowProgram>> {
        Ok(Arc::new(Program(IndexProgram::compile(exprs, predicate, columns)?)))
    }
}

struct Program(IndexProgram);

impl RowProgram for Program {
    fn columns(&self) -> &[ColumnIndex] {
        self.0.columns()
    }

    fn run(&self, values: &[Value]) -> Result<Option<Vec<Value>>> {
        self.0.run(values)
    }
}
