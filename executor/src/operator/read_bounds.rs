//! What a scan's conjuncts let through, for transactions that keep what they read (SERIALIZABLE).

use crate::build::Layout;
use crate::context::State;
use crate::eval::Eval;
use damask_planner::bounds::{Comparison, column_bounds};
use damask_planner::physical;
use damask_txn::ColumnRange;
use damask_types::compare::compare;
use damask_types::{ColumnIndex, TypeId, Value};
use std::ops::Bound;

/// Conjuncts that compare a column with a value.
pub(crate) struct ReadBounds(Vec<ReadBound>);

struct ReadBound {
    column: ColumnIndex,
    ty: TypeId,
    comparison: Comparison,
    value: Eval,
}

impl ReadBounds {
    /// Those of a scan.
    pub(crate) fn new(scan: &physical::Scan) -> Self {
        let layout = Layout::default();
        let bounds = column_bounds(scan).into_iter().map(|bound| ReadBound {
            column: bound.column,
            ty: scan.table.columns[usize::from(bound.column.0)].ty.id,
            comparison: bound.comparison,
            value: Eval::new(&bound.value, &layout),
        });
        Self(bounds.collect())
    }

    /// Their present values. One that cannot be evaluated lets everything through: the scan raises it, if it comes to it.
    pub(crate) fn ranges(&self, state: &mut State<'_>) -> Vec<ColumnRange> {
        let range = |bound: &ReadBound| bound.range(bound.value.value(state).ok()?);
        self.0.iter().filter_map(range).collect()
    }
}

impl ReadBound {
    /// The values that `value` lets through; none for a null, which is rare and lets nothing through.
    fn range(&self, value: Value) -> Option<ColumnRange> {
        if value.is_null() {
            return None;
        }
        let at = |value: Value, inclusive: bool| {
            if inclusive { Bound::Included(value) } else { Bound::Excluded(value) }
        };
        let (lower, upper) = match self.comparison {
            Comparison::Equal => (Bound::Included(value.clone()), Bound::Included(value)),
            Comparison::Above { inclusive } => (at(value, inclusive), Bound::Unbounded),
            Comparison::Below { inclusive } => (Bound::Unbounded, at(value, inclusive)),
            Comparison::Any => {
                let Value::Array(array) = value else { return None };
                let values = || array.values.iter().filter(|value| !value.is_null());
                let least = values().min_by(|a, b| compare(self.ty, a, b))?;
                let greatest = values().max_by(|a, b| compare(self.ty, a, b))?;
                (Bound::Included(least.clone()), Bound::Included(greatest.clone()))
            }
        };
        Some(ColumnRange { column: self.column, lower, upper })
    }
}
