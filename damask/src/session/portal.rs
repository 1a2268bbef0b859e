//! Portals: a statement with its parameters, perhaps half run.

use super::named::Promised;
use damask_executor::{Execution, HeldRows};
use damask_types::{Batch, Value};
use std::sync::Arc;

/// A statement on its way.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(crate) statement: Arc<Promised>,
    pub(crate) params: Vec<Value>,
    /// The running plan, once it was started.
    pub(crate) execution: Option<Box<Execution>>,
    /// Rows fetched and not yet given: a batch and the first of its rows that is left.
    pub(crate) left: Option<(Batch, usize)>,
    /// Rows given so far.
    pub(crate) given: u64,
    pub(crate) is_done: bool,
    /// Whether DECLARE made it: it lives until its transaction ends.
    pub(crate) is_named_cursor: bool,
    /// WITH HOLD: it outlives its transaction; its rows are all in `held`.
    pub(crate) is_held: bool,
    pub(crate) held: Option<HeldRows>,
    /// The text that made it, if that is another than its statement's.
    pub(crate) declared: Option<Arc<str>>,
    /// When, in microseconds since 2000.
    pub(crate) made: i64,
    pub(crate) is_scrollable: bool,
}

impl Portal {
    pub(crate) fn new(statement: Arc<Promised>, params: Vec<Value>, made: i64) -> Self {
        Self {
            declared: None,
            made,
            is_scrollable: false,
            statement,
            params,
            execution: None,
            left: None,
            given: 0,
            is_done: false,
            is_named_cursor: false,
            is_held: false,
            held: None,
        }
    }

    /// The text that made it.
    pub(crate) fn text(&self) -> &Arc<str> {
        self.declared.as_ref().unwrap_or(self.statement.prepared.text())
    }
}
