//! Where rows come from: tables, indexes, computed relations, functions.

use super::Operator;
use super::read_bounds::ReadBounds;
use super::recheck::Pin;
use super::simple::{apply_predicates, function_rows};
use crate::build::{Layout, types};
use crate::context::State;
use crate::eval::Eval;
use damask_catalog::object::{Index, KeySource, Relation};
use damask_functions::registry::TableFunction;
use damask_planner::expr::{ColumnId, Expr};
use damask_planner::physical::{self, KeyBounds, Node};
use damask_txn::{ColumnRange, Direction, KeyRange, ScanSpec, Table};
use damask_types::compare::compare;
use damask_types::{
    Batch, ColumnIndex, RelId, Result, RowId, TILE_ROWS, TypeId, Value, Vector, VectorBuilder,
    VectorData,
};
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

/// What every scan of a relation does with the columns it reads: filter, then give some of them.
struct Shape {
    relation: Arc<Relation>,
    /// Columns read: those given, then those that only predicates look at.
    read: Vec<ColumnIndex>,
    given: usize,
    predicates: Vec<Eval>,
    /// The row id, if it follows the columns, for predicates and for the output.
    row_id: Option<ColumnId>,
    table_oid: bool,
    /// Of a transaction that keeps its reads.
    bounds: Option<ReadBounds>,
}

impl Shape {
    fn new(scan: &physical::Scan, state: &State<'_>) -> Self {
        let read: Vec<_> = scan.columns.iter().chain(&scan.filter_columns).copied().collect();
        let mut layout: Vec<_> = read.iter().map(|(_, id)| *id).collect();
        layout.extend(scan.row_id);
        layout.extend(scan.table_oid);
        let layout = Layout::new(layout);
        Self {
            relation: Arc::clone(&scan.table),
            given: scan.columns.len(),
            predicates: layout.evals(&scan.predicates),
            row_id: scan.row_id,
            table_oid: scan.table_oid.is_some(),
            bounds: state.run.view.keeps_reads().then(|| ReadBounds::new(scan)),
            read: read.into_iter().map(|(column, _)| column).collect(),
        }
    }

    /// The scan of the table, or of a part of it.
    fn spec(&self, state: &mut State<'_>) -> ScanSpec {
        let mut spec = ScanSpec::new(self.read.clone());
        spec.want_row_ids = self.row_id.is_some();
        spec.conjuncts = self.conjuncts(state);
        spec
    }

    /// What a transaction that keeps its reads may forget of the rows it visits.
    fn conjuncts(&self, state: &mut State<'_>) -> Vec<ColumnRange> {
        self.bounds.as_ref().map_or_else(Vec::new, |bounds| bounds.ranges(state))
    }

    /// Filters what was read and drops what is not given. The output is the scan's columns, then row id and table OID.
    fn finish(&self, mut batch: Batch, row_ids: &[RowId], state: &mut State<'_>) -> Result<Batch> {
        let rows = batch.rows();
        if self.row_id.is_some() {
            let ids: Vec<i64> = row_ids.iter().map(|id| id.0.cast_signed()).collect();
            batch.columns.push(Vector::flat(
                TypeId::Int8,
                rows,
                VectorData::Int8(ids.into()),
                None,
            ));
        }
        if self.table_oid {
            let oid = Value::Oid(self.relation.oid);
            batch.columns.push(Vector::constant(TypeId::Oid, &oid, rows));
        }
        apply_predicates(&self.predicates, &mut batch, state)?;
        batch.columns.drain(self.given..self.read.len());
        Ok(batch)
    }
}

impl Shape {
    /// What it is to give while a row is tried again ([`super::recheck`]).
    #[inline]
    fn pin(&self, state: &State<'_>) -> Option<Pin> {
        let pins = &state.run.pins;
        if pins.is_empty() {
            return None;
        }
        let row_id = self.row_id?;
        pins.iter().find(|(id, _)| *id == row_id).map(|(_, pin)| *pin)
    }

    /// One row as a batch, if it passes the predicates.
    fn one(&self, row: RowId, values: &[Value], state: &mut State<'_>) -> Result<Option<Batch>> {
        let ty = |column: &ColumnIndex| self.relation.columns[usize::from(column.0)].ty.id;
        let columns = values
            .iter()
            .zip(&self.read)
            .map(|(value, column)| Vector::constant(ty(column), value, 1))
            .collect();
        let batch = self.finish(Batch::new(columns, 1), &[row], state)?;
        Ok((batch.selected_count() > 0).then_some(batch))
    }

    /// The row of a pin.
    fn pinned(&self, pin: Pin, state: &mut State<'_>) -> Result<Option<Batch>> {
        let table = state.ctx.engine.table(self.relation.rel)?;
        match pin.row(&table, &self.read, state)? {
            Some((row, values)) => self.one(row, &values, state),
            None => Ok(None),
        }
    }
}

/// Every visible row of a table.
pub(crate) struct SeqScan {
    shape: Shape,
    scan: Option<damask_txn::Scan>,
    /// Whether the row of a pin was given.
    is_given: bool,
}

impl SeqScan {
    pub(crate) fn new(scan: &physical::Scan, state: &State<'_>) -> Self {
        Self { shape: Shape::new(scan, state), scan: None, is_given: false }
    }
}

impl Operator for SeqScan {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if let Some(pin) = self.shape.pin(state) {
            let is_given = std::mem::replace(&mut self.is_given, true);
            return if is_given { Ok(None) } else { self.shape.pinned(pin, state) };
        }
        if self.scan.is_none() {
            let table = state.ctx.engine.table(self.shape.relation.rel)?;
            let spec = self.shape.spec(state);
            self.scan = Some(table.scan(&state.run.view, spec)?);
        }
        loop {
            state.check()?;
            let Some(scan) = &mut self.scan else { return Ok(None) };
            let Some((batch, row_ids)) = scan.next()? else {
                return Ok(None);
            };
            let batch = self.shape.finish(batch, &row_ids, state)?;
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        (self.scan, self.is_given) = (None, false);
    }
}

/// Rows through an index, in key order.
pub(crate) struct IndexScan {
    shape: Shape,
    index: RelId,
    /// The key columns; none if one of them is an expression. Then no conjunct is left out because the bounds make it true.
    columns: Option<Vec<ColumnIndex>>,
    /// Type and order of each key column.
    keys: Vec<(TypeId, bool, bool)>,
    equal: Vec<Eval>,
    any: bool,
    lower: Option<(Eval, bool)>,
    upper: Option<(Eval, bool)>,
    direction: Direction,
    /// Ranges still to visit, last first; set on the first call.
    ranges: Option<Vec<Range>>,
    scan: Option<Running>,
    /// Whether the row of a pin was given.
    is_given: bool,
}

/// A range of an index.
enum Range {
    Keys(KeyRange),
    /// Of a table whose row id is the key.
    Rows(Bound<RowId>, Bound<RowId>),
    /// One row of such a table.
    Row(RowId),
}

#[expect(clippy::large_enum_variant, reason = "one for each running scan")]
enum Running {
    Index(damask_txn::IndexScan),
    Rows(damask_txn::Scan),
}

impl IndexScan {
    pub(crate) fn new(
        scan: &physical::Scan,
        index: &Index,
        bounds: &KeyBounds,
        backward: bool,
        state: &State<'_>,
    ) -> Self {
        let layout = Layout::default();
        let range = |bound: &Option<(Expr, bool)>| {
            bound.as_ref().map(|(expr, inclusive)| (Eval::new(expr, &layout), *inclusive))
        };
        let keys = index.keys.iter().map(|key| {
            let ty = match key.source {
                KeySource::Column(column) => scan.table.columns[usize::from(column.0)].ty.id,
                KeySource::Expr(place) => index.exprs[place].ty.id,
            };
            (ty, key.descending, key.nulls_first)
        });
        Self {
            shape: Shape::new(scan, state),
            index: index.rel,
            columns: index.key_columns(),
            keys: keys.collect(),
            equal: layout.evals(&bounds.equal),
            any: bounds.any,
            lower: range(&bounds.lower),
            upper: range(&bounds.upper),
            direction: if backward { Direction::Backward } else { Direction::Forward },
            ranges: None,
            scan: None,
            is_given: false,
        }
    }

    /// The ranges that the bounds' present values mean; none if one of them is null.
    fn ranges(&self, state: &mut State<'_>) -> Result<Vec<Range>> {
        let mut prefix = Vec::with_capacity(self.equal.len());
        for eval in &self.equal {
            let value = eval.value(state)?;
            if value.is_null() {
                return Ok(vec![]);
            }
            prefix.push(value);
        }
        let mut bound = |bound: &Option<(Eval, bool)>| -> Result<Option<Option<(Value, bool)>>> {
            Ok(match bound {
                None => Some(None),
                Some((eval, inclusive)) => {
                    let value = eval.value(state)?;
                    if value.is_null() { None } else { Some(Some((value, *inclusive))) }
                }
            })
        };
        let (Some(lower), Some(upper)) = (bound(&self.lower)?, bound(&self.upper)?) else {
            return Ok(vec![]);
        };
        let mut prefixes = if self.any { self.alternatives(prefix) } else { vec![prefix] };
        if self.direction == Direction::Forward {
            // Ranges are taken from the end.
            prefixes.reverse();
        }
        let range = |prefix| self.range(prefix, lower.as_ref(), upper.as_ref());
        Ok(prefixes.into_iter().filter_map(range).collect())
    }

    /// The row of a pin, if its key is within the bounds.
    fn pinned(&self, pin: Pin, state: &mut State<'_>) -> Result<Option<Batch>> {
        let table = state.ctx.engine.table(self.shape.relation.rel)?;
        if let Some(columns) = &self.columns {
            let Some((_, key)) = pin.row(&table, columns, state)? else {
                return Ok(None);
            };
            if !self.is_within(&key, state)? {
                return Ok(None);
            }
        }
        self.shape.pinned(pin, state)
    }

    /// Whether a key is within the bounds' present values.
    fn is_within(&self, key: &[Value], state: &mut State<'_>) -> Result<bool> {
        let order = |column: usize, bound: &Value| {
            let value = &key[column];
            let has_null = value.is_null() || bound.is_null();
            (!has_null).then(|| compare(self.keys[column].0, value, bound))
        };
        for (column, eval) in self.equal.iter().enumerate() {
            let wanted = eval.value(state)?;
            let is_equal = |wanted: &Value| order(column, wanted).is_some_and(Ordering::is_eq);
            let is_met = match &wanted {
                Value::Array(array) if self.any && column + 1 == self.equal.len() => {
                    array.values.iter().any(is_equal)
                }
                wanted => is_equal(wanted),
            };
            if !is_met {
                return Ok(false);
            }
        }
        for (bound, wanted) in [(&self.lower, Ordering::Greater), (&self.upper, Ordering::Less)] {
            if let Some((eval, inclusive)) = bound {
                let order = order(self.equal.len(), &eval.value(state)?);
                let is_met = order == Some(wanted) || *inclusive && order == Some(Ordering::Equal);
                if !is_met {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// One prefix for each different element of the list that ends it, ascending.
    fn alternatives(&self, mut prefix: Vec<Value>) -> Vec<Vec<Value>> {
        let Some(Value::Array(array)) = prefix.pop() else {
            return vec![];
        };
        let (ty, descending, _) = self.keys[prefix.len()];
        let mut values: Vec<Value> =
            array.values.iter().filter(|value| !value.is_null()).cloned().collect();
        values.sort_by(|a, b| compare(ty, a, b));
        values.dedup_by(|a, b| compare(ty, a, b).is_eq());
        if descending {
            values.reverse();
        }
        values
            .into_iter()
            .map(|value| {
                let mut key = prefix.clone();
                key.push(value);
                key
            })
            .collect()
    }

    fn range(
        &self,
        prefix: Vec<Value>,
        lower: Option<&(Value, bool)>,
        upper: Option<&(Value, bool)>,
    ) -> Option<Range> {
        if self.index == RelId(0) {
            return alias_range(&prefix, lower, upper);
        }
        if lower.is_none() && upper.is_none() {
            return Some(Range::Keys(if prefix.is_empty() {
                KeyRange::all()
            } else {
                KeyRange::prefix(prefix)
            }));
        }
        let (_, descending, nulls_first) = self.keys[prefix.len()];
        // In index order a descending column begins with its largest value.
        let (first, last) = if descending { (upper, lower) } else { (lower, upper) };
        let with = |value: &Value| {
            let mut key = prefix.clone();
            key.push(value.clone());
            key
        };
        let side = |bound: Option<&(Value, bool)>, nulls_here: bool| match bound {
            Some((value, true)) => Bound::Included(with(value)),
            Some((value, false)) => Bound::Excluded(with(value)),
            // No value is beyond, but nulls may be, and they match no comparison.
            None if nulls_here => Bound::Excluded(with(&Value::Null)),
            None if prefix.is_empty() => Bound::Unbounded,
            None => Bound::Included(prefix.clone()),
        };
        Some(Range::Keys(KeyRange {
            lower: side(first, nulls_first),
            upper: side(last, !nulls_first),
        }))
    }
}

/// A range of the keys of a table whose row id is the key; `None` if nothing can match.
fn alias_range(
    prefix: &[Value],
    lower: Option<&(Value, bool)>,
    upper: Option<&(Value, bool)>,
) -> Option<Range> {
    if let Some(key) = prefix.first() {
        return Some(Range::Row(Table::alias_row(key.as_i64()?)));
    }
    let bound = |bound: Option<&(Value, bool)>| match bound {
        None => Some(Bound::Unbounded),
        Some((value, inclusive)) => {
            let row = Table::alias_row(value.as_i64()?);
            Some(if *inclusive { Bound::Included(row) } else { Bound::Excluded(row) })
        }
    };
    Some(Range::Rows(bound(lower)?, bound(upper)?))
}

impl Operator for IndexScan {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if let Some(pin) = self.shape.pin(state) {
            let is_given = std::mem::replace(&mut self.is_given, true);
            return if is_given { Ok(None) } else { self.pinned(pin, state) };
        }
        if self.ranges.is_none() {
            self.ranges = Some(self.ranges(state)?);
        }
        loop {
            state.check()?;
            let next = match &mut self.scan {
                Some(Running::Index(scan)) => scan.next()?,
                Some(Running::Rows(scan)) => scan.next()?,
                None => {
                    let Some(range) = self.ranges.as_mut().and_then(Vec::pop) else {
                        return Ok(None);
                    };
                    let table = state.ctx.engine.table(self.shape.relation.rel)?;
                    match range {
                        Range::Row(row) => {
                            let Some(values) = table.get(&state.run.view, row, &self.shape.read)?
                            else {
                                continue;
                            };
                            if let Some(batch) = self.shape.one(row, &values, state)? {
                                return Ok(Some(batch));
                            }
                            continue;
                        }
                        Range::Rows(lower, upper) => {
                            let mut spec = self.shape.spec(state);
                            spec.row_range = Some((lower, upper));
                            spec.direction = self.direction;
                            self.scan = Some(Running::Rows(table.scan(&state.run.view, spec)?));
                        }
                        Range::Keys(range) => {
                            let mut scan = table.index_scan(
                                &state.run.view,
                                self.index,
                                range,
                                self.direction,
                                self.shape.read.clone(),
                            )?;
                            scan.set_conjuncts(self.shape.conjuncts(state));
                            self.scan = Some(Running::Index(scan));
                        }
                    }
                    continue;
                }
            };
            let Some((batch, row_ids)) = next else {
                self.scan = None;
                continue;
            };
            let batch = self.shape.finish(batch, &row_ids, state)?;
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        (self.ranges, self.scan, self.is_given) = (None, None, false);
    }
}

/// Rows of a relation that the catalog computes.
pub(crate) struct SystemScan {
    shape: Shape,
    rows: Option<std::vec::IntoIter<Vec<Value>>>,
}

impl SystemScan {
    pub(crate) fn new(scan: &physical::Scan, state: &State<'_>) -> Self {
        Self { shape: Shape::new(scan, state), rows: None }
    }
}

impl Operator for SystemScan {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.rows.is_none() {
            self.rows = Some(state.ctx.system.rows(&self.shape.relation)?.into_iter());
        }
        loop {
            state.check()?;
            let Some(rows) = &mut self.rows else { return Ok(None) };
            let mut builders: Vec<_> = self
                .shape
                .read
                .iter()
                .map(|column| self.shape.relation.columns[usize::from(column.0)].ty.id)
                .map(|ty| VectorBuilder::new(ty, TILE_ROWS))
                .collect();
            let mut count = 0;
            for row in rows.by_ref().take(TILE_ROWS) {
                for (builder, column) in builders.iter_mut().zip(&self.shape.read) {
                    builder.push(&row[usize::from(column.0)]);
                }
                count += 1;
            }
            if count == 0 {
                return Ok(None);
            }
            let batch =
                Batch::new(builders.into_iter().map(VectorBuilder::finish).collect(), count);
            let row_ids: Vec<RowId> = (0..count as u64).map(RowId).collect();
            let batch = self.shape.finish(batch, &row_ids, state)?;
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        self.rows = None;
    }
}

/// Rows of a set-returning function.
pub(crate) struct FunctionScan {
    function: &'static TableFunction,
    args: Vec<Eval>,
    ordinality: bool,
    types: Vec<TypeId>,
    rows: Option<Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>>,
    has_started: bool,
    number: i64,
}

impl FunctionScan {
    pub(crate) fn new(
        node: &Node,
        function: &'static TableFunction,
        args: &[Expr],
        ordinality: bool,
    ) -> Self {
        Self {
            function,
            args: Layout::default().evals(args),
            ordinality,
            types: types(node),
            rows: None,
            has_started: false,
            number: 0,
        }
    }
}

impl Operator for FunctionScan {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if !self.has_started {
            self.has_started = true;
            let args = self.args.iter().map(|arg| arg.value(state)).collect::<Result<Vec<_>>>()?;
            self.rows = function_rows(self.function, &args, state)?;
        }
        state.check()?;
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let mut builders: Vec<_> =
            self.types.iter().map(|&ty| VectorBuilder::new(ty, TILE_ROWS)).collect();
        let mut count = 0;
        for row in rows.by_ref().take(TILE_ROWS) {
            let mut row = row?;
            if self.ordinality {
                self.number += 1;
                row.push(Value::Int8(self.number));
            }
            for (builder, value) in builders.iter_mut().zip(&row) {
                builder.push(value);
            }
            count += 1;
        }
        if count == 0 {
            self.rows = None;
            return Ok(None);
        }
        Ok(Some(Batch::new(builders.into_iter().map(VectorBuilder::finish).collect(), count)))
    }

    fn rewind(&mut self) {
        (self.rows, self.has_started, self.number) = (None, false, 0);
    }
}
