//! Access paths: which rows of a table are visited, and how.
//!
//! Equalities on a prefix of an index, then one range, give its bounds; the rest of the conjuncts are tested on what it finds. What a
//! bound is compared with must be constant while the scan runs: anything that reads no column of the table itself.

use super::{Lower, PAGE_ROWS, order_predicates};
use crate::column_set::ColumnSet;
use crate::cost::{is_equality, is_inequality, is_unique_lookup};
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::index_expr::{bind_over, implies};
use crate::logical::{Get, Logical};
use crate::physical::{KeyBounds, Operator, PlanId, Scan, SortKey};
use crate::tuning::penalty;
use damask_catalog::object::{Index, IndexKey, IndexMethod, KeySource, RelationKind};
use damask_functions::registry::{self, CastMethod};
use damask_types::{ColumnIndex, PhysicalType, Result, SqlType, TypeId, Value};
use std::sync::Arc;

/// Cost of going down an index, in random pages: inner nodes are nearly always in memory.
const DESCENT_PAGES: f64 = 0.075;
/// Cost of fetching a row that an index found, in random pages.
const FETCH_PAGES: f64 = 0.01125;

/// Rows that a table is taken to have at least when an index is weighed against reading all of it.
const GROWN_ROWS: f64 = 1000.0;

/// A way to read a table through an index.
pub(super) struct Path {
    pub(super) index: Arc<Index>,
    /// The key is the row id: rows lie in its order.
    is_alias: bool,
    bounds: KeyBounds,
    /// Predicates that the bounds make true.
    used: Vec<usize>,
    /// Columns fixed by one value each.
    fixed: usize,
    /// The bounds hold a whole unique key.
    is_unique: bool,
    /// Predicates that the bounds come from: equalities, and those of the range.
    compared: Vec<usize>,
    ranged: Vec<usize>,
    backward: bool,
    /// Whether it was chosen for its order.
    is_ordered: bool,
}

impl Lower<'_> {
    /// A scan of a table by the cheapest path; `extra` are further conjuncts.
    pub(super) fn scan(
        &mut self,
        mut get: Get,
        required: &ColumnSet,
        extra: &[Expr],
    ) -> Result<PlanId> {
        get.predicates.extend(extra.iter().cloned());
        let forced = self.forced.take();
        let table_rows = self.estimator.table_rows(&get.table);
        // What finds one row asks for no sample: a database that has just been opened would have to draw it first.
        let rows = if is_unique_lookup(&get, &get.predicates) {
            1.0
        } else {
            table_rows * self.estimator.conjunction(&get.predicates)
        };
        let sequential =
            self.sequential_cost(&get, table_rows) + penalty(self.tuning.enable_seqscan);
        // A plan may outlive a small table: whether an index pays is asked for a table of some size, and a whole unique key always does.
        let grown = table_rows.max(GROWN_ROWS);
        let grown_sequential =
            self.sequential_cost(&get, grown) + penalty(self.tuning.enable_seqscan);
        let mut best: Option<(f64, Path)> = None;
        if let Some(path) = forced {
            best = Some((self.path_cost(&path, &get, table_rows), path));
        } else if !get.predicates.is_empty() && get.table.kind == RelationKind::Table {
            let mut paths = paths(&get);
            // One that finds a single row is as good as any; to weigh the others takes a sample.
            if paths.iter().any(|path| path.is_unique) {
                paths.retain(|path| path.is_unique);
            }
            for path in paths {
                if path.bounds.equal.is_empty()
                    && path.bounds.lower.is_none()
                    && path.bounds.upper.is_none()
                {
                    continue;
                }
                let cost = self.path_cost(&path, &get, grown);
                if cost < grown_sequential && best.as_ref().is_none_or(|(other, _)| cost < *other) {
                    best = Some((cost, path));
                }
            }
        }
        let mut predicates = std::mem::take(&mut get.predicates);
        if let Some((_, path)) = &best {
            let mut index = 0;
            predicates.retain(|_| {
                index += 1;
                !path.used.contains(&(index - 1))
            });
        }
        let mut read = ColumnSet::default();
        for predicate in &predicates {
            predicate.add_columns(&mut read);
        }
        let columns: Vec<_> =
            get.columns.iter().copied().filter(|(_, id)| required.contains(*id)).collect();
        let filter_columns: Vec<_> = get
            .columns
            .iter()
            .copied()
            .filter(|(_, id)| read.contains(*id) && !required.contains(*id))
            .collect();
        let wants =
            |id: Option<ColumnId>| id.filter(|id| required.contains(*id) || read.contains(*id));
        let (row_id, table_oid) = (wants(get.row_id), wants(get.table_oid));
        let mut output: Vec<ColumnId> = columns.iter().map(|(_, id)| *id).collect();
        output.extend(row_id);
        output.extend(table_oid);
        let scan = Scan {
            table: Arc::clone(&get.table),
            alias: get.alias,
            columns,
            row_id,
            table_oid,
            predicates: self.exprs(order_predicates(predicates))?,
            filter_columns,
        };
        let Some((cost, path)) = best else {
            let operator = match scan.table.kind {
                RelationKind::System | RelationKind::Sequence => Operator::SystemScan(scan),
                _ => Operator::SeqScan(scan),
            };
            return Ok(self.node(operator, output, rows, (0.0, sequential)));
        };
        let covers = |column: ColumnIndex| path.index.gives_back(column, &scan.table);
        let index_only = !path.is_alias
            && self.tuning.enable_indexonlyscan
            && scan.table_oid.is_none()
            && scan.columns.iter().chain(&scan.filter_columns).all(|(column, _)| covers(*column));
        let bounds = KeyBounds {
            equal: self.exprs(path.bounds.equal)?,
            any: path.bounds.any,
            lower: match path.bounds.lower {
                Some((expr, inclusive)) => Some((self.expr(expr)?, inclusive)),
                None => None,
            },
            upper: match path.bounds.upper {
                Some((expr, inclusive)) => Some((self.expr(expr)?, inclusive)),
                None => None,
            },
        };
        let operator = Operator::IndexScan {
            scan,
            index: path.index,
            bounds,
            backward: path.backward,
            index_only,
        };
        Ok(self.node(operator, output, rows, (self.descent(), cost)))
    }

    /// Expected cost of one lookup with these conjuncts through an index, if there is a path that fixes at least one column.
    pub(super) fn lookup_cost(&self, get: &Get, extra: &[Expr]) -> Option<f64> {
        if get.table.kind != RelationKind::Table {
            return None;
        }
        let mut probe = get.clone();
        probe.predicates.extend(extra.iter().cloned());
        let rows = self.estimator.table_rows(&get.table);
        let own = get.predicates.len();
        paths(&probe)
            .iter()
            // The lookup must use one of the join's conjuncts.
            .filter(|path| path.fixed > 0 && path.used.iter().any(|&used| used >= own))
            .map(|path| self.path_cost(path, &probe, rows))
            .min_by(f64::total_cmp)
    }

    /// Cost of reading a whole table of `rows` rows and testing them.
    fn sequential_cost(&self, get: &Get, rows: f64) -> f64 {
        let tuning = &self.tuning;
        let tests = tuning.cpu_operator_cost * get.predicates.len() as f64;
        rows / PAGE_ROWS * tuning.seq_page_cost + rows * (tuning.cpu_tuple_cost * 0.5 + tests)
    }

    fn descent(&self) -> f64 {
        DESCENT_PAGES * self.tuning.random_page_cost
    }

    /// Cost of reading a table of `rows` rows by a path.
    fn path_cost(&self, path: &Path, get: &Get, rows: f64) -> f64 {
        let tuning = &self.tuning;
        let found = if path.is_unique { 1.0 } else { (rows * self.part(path, get)).max(1.0) };
        let fetch = if path.is_alias {
            tuning.cpu_tuple_cost * 0.6
        } else {
            FETCH_PAGES * tuning.random_page_cost + tuning.cpu_index_tuple_cost
        };
        let descents = match path.bounds.equal.last() {
            Some(Expr { kind: ExprKind::Array(items), .. }) if path.bounds.any => {
                items.len() as f64
            }
            _ => 1.0,
        };
        let filters = get.predicates.len() - path.used.len().min(get.predicates.len());
        self.descent() * descents
            + found * (fetch + tuning.cpu_operator_cost * filters as f64)
            + penalty(tuning.enable_indexscan)
    }

    /// Part of the table's rows between the bounds of a path.
    fn part(&self, path: &Path, get: &Get) -> f64 {
        let predicate = |&place: &usize| &get.predicates[place];
        let compared: f64 = path
            .compared
            .iter()
            .map(|place| self.estimator.selectivity(predicate(place)))
            .product();
        let ranged: Vec<Expr> = path.ranged.iter().map(predicate).cloned().collect();
        compared * self.estimator.conjunction(&ranged)
    }

    /// A plan that gives `input` in the order of `keys` by reading an index in its order, if that pays.
    pub(super) fn ordered_scan(
        &mut self,
        input: &Logical,
        keys: &[SortKey],
        needed: &ColumnSet,
        has_limit: bool,
    ) -> Result<Option<PlanId>> {
        let Some(get) = base_table(input) else {
            return Ok(None);
        };
        if keys.is_empty() || get.table.kind != RelationKind::Table {
            return Ok(None);
        }
        let rows = self.estimator.table_rows(&get.table);
        let found = rows * self.estimator.conjunction(&get.predicates);
        let mut best: Option<(f64, Path)> = None;
        for mut path in paths(get) {
            if path.bounds.any || path.index.method == IndexMethod::Hash {
                continue;
            }
            let Some(backward) = order_of(get, &path, keys) else {
                continue;
            };
            path.backward = backward;
            path.is_ordered = true;
            let whole = self.path_cost(&path, get, rows);
            // With a limit only a part is read; how much is not known here, so ten rows' worth and a tenth.
            let first = self.descent() + penalty(self.tuning.enable_indexscan);
            let cost = if has_limit { first + (whole - first) * 0.1 } else { whole };
            if best.as_ref().is_none_or(|(other, _)| cost < *other) {
                best = Some((cost, path));
            }
        }
        let Some((cost, path)) = best else {
            return Ok(None);
        };
        let sort = self.sequential_cost(get, rows)
            + found * 2.0 * self.tuning.cpu_operator_cost * found.max(2.0).log2()
            + penalty(self.tuning.enable_seqscan)
            + penalty(self.tuning.enable_sort);
        if cost > sort {
            return Ok(None);
        }
        self.forced = Some(path);
        let lowered = self.lower(input.clone(), needed)?;
        self.forced = None;
        Ok(Some(lowered))
    }

    /// A plan that gives `input` with equal values of `groups` side by side, from an index that holds all that is read.
    pub(super) fn grouped_scan(
        &mut self,
        input: &Logical,
        groups: &[ColumnId],
        needed: &ColumnSet,
    ) -> Result<Option<PlanId>> {
        let Logical::Get(get) = input else {
            return Ok(None);
        };
        if get.table.kind != RelationKind::Table || !self.tuning.enable_indexscan {
            return Ok(None);
        }
        let mut read = needed.clone();
        for predicate in &get.predicates {
            predicate.add_columns(&mut read);
        }
        for path in paths(get) {
            let id_of = |column: ColumnIndex| {
                get.columns.iter().find(|(other, _)| *other == column).map(|(_, id)| *id)
            };
            // A key that is not read, or is an expression, ends the order that is known.
            let keys: Vec<ColumnId> =
                path.index.keys.iter().map_while(|key| id_of(key.column()?)).collect();
            let covers = read.iter().all(|id| {
                let column = get.columns.iter().find(|(_, other)| *other == id);
                column.is_some_and(|(column, _)| path.index.gives_back(*column, &get.table))
            });
            let prefix = keys.iter().take(groups.len()).all(|key| groups.contains(key))
                && keys.len() >= groups.len();
            let is_ordered = path.index.method == IndexMethod::Btree;
            if (covers || path.is_alias) && prefix && is_ordered && !path.bounds.any {
                self.forced = Some(Path { is_ordered: true, ..path });
                let lowered = self.lower(input.clone(), needed)?;
                self.forced = None;
                return Ok(Some(lowered));
            }
        }
        Ok(None)
    }
}

/// Every index with the bounds that the conjuncts give it.
fn paths(get: &Get) -> Vec<Path> {
    let own: ColumnSet =
        get.columns.iter().map(|(_, id)| *id).chain(get.row_id).chain(get.table_oid).collect();
    let mut paths = vec![];
    for index in get.table.indexes.iter().filter(|index| index.valid) {
        let Some(computed) = Computed::new(get, index) else {
            continue;
        };
        let predicates = computed.predicates.as_deref().unwrap_or(&get.predicates);
        let mut own = own.clone();
        own.extend(computed.ids.iter().copied());
        let mut bounds = KeyBounds::default();
        let mut used = vec![];
        let (mut compared, mut ranged) = (vec![], vec![]);
        let mut fixed = 0;
        for key in &index.keys {
            let (id, ty, not_null) = match key.source {
                KeySource::Column(number) => {
                    let found = get.columns.iter().find(|(column, _)| *column == number);
                    let Some((_, id)) = found else { break };
                    let column = &get.table.columns[usize::from(number.0)];
                    (id, column.ty, column.not_null)
                }
                KeySource::Expr(place) => {
                    let Some(id) = computed.ids.get(place) else { break };
                    (id, index.exprs[place].ty, false)
                }
            };
            if let Some((place, value)) = predicates
                .iter()
                .enumerate()
                .find_map(|(place, predicate)| Some((place, equality(predicate, *id, ty, &own)?)))
            {
                bounds.equal.push(value);
                compared.push(place);
                used.push(place);
                fixed += 1;
                continue;
            }
            if index.method == IndexMethod::Hash {
                break;
            }
            if let Some((place, value)) = predicates
                .iter()
                .enumerate()
                .find_map(|(place, predicate)| Some((place, any_of(predicate, *id, ty, &own)?)))
            {
                bounds.equal.push(value);
                bounds.any = true;
                compared.push(place);
                used.push(place);
                break;
            }
            for (place, predicate) in predicates.iter().enumerate() {
                let Some((value, is_lower, inclusive)) = range(predicate, *id, ty, &own) else {
                    continue;
                };
                let slot = if is_lower { &mut bounds.lower } else { &mut bounds.upper };
                if slot.is_none() {
                    *slot = Some((value, inclusive));
                    ranged.push(place);
                }
            }
            // A null may lie between the bounds of a nullable column: the conjunct is tested again.
            if not_null {
                used.extend(&ranged);
            }
            break;
        }
        // A row that is tried again has no computed key to look at.
        if !index.exprs.is_empty() {
            used.clear();
        }
        let is_alias = index.primary
            && index.keys.len() == 1
            && get.table.alias.is_some_and(|alias| index.keys[0].column() == Some(alias));
        paths.push(Path {
            index: Arc::clone(index),
            is_alias,
            bounds,
            used,
            is_unique: index.unique && index.immediate && fixed == index.keys.len(),
            fixed,
            compared,
            ranged,
            backward: false,
            is_ordered: false,
        });
    }
    paths
}

/// What a query must have in common with an index that computes.
#[derive(Default)]
struct Computed {
    /// The conjuncts, with a column in place of each key expression; none if the index has no expression.
    predicates: Option<Vec<Expr>>,
    /// The columns that stand for the expressions, by their place.
    ids: Vec<ColumnId>,
}

impl Computed {
    /// None if the index may lack rows that the scan wants, or has an expression that does not bind.
    fn new(get: &Get, index: &Index) -> Option<Self> {
        if !index.computes() {
            return Some(Self::default());
        }
        let types: Vec<SqlType> = get.table.columns.iter().map(|column| column.ty).collect();
        let column = |place: usize| {
            let found = get.columns.iter().find(|(column, _)| usize::from(column.0) == place);
            found.map(|(_, id)| *id)
        };
        if let Some(text) = &index.predicate
            && !implies(&get.predicates, &bind_over(text, &types, column)?)
        {
            return None;
        }
        if index.exprs.is_empty() {
            return Some(Self::default());
        }
        let mut predicates = get.predicates.clone();
        let mut ids = vec![];
        let mut known: ColumnSet = get.columns.iter().map(|(_, id)| *id).collect();
        for predicate in &predicates {
            predicate.add_columns(&mut known);
        }
        let free = known.iter().map(|id| id.0 + 1).max().unwrap_or(0);
        for (place, expr) in index.exprs.iter().enumerate() {
            let id = ColumnId(free + place as u32);
            ids.push(id);
            // One over columns that the query does not read stands nowhere in it.
            let Some(wanted) = bind_over(&expr.text, &types, column) else { continue };
            for predicate in &mut predicates {
                predicate.transform(&mut |found| {
                    if found.same(&wanted) {
                        *found = Expr::column(id, expr.ty);
                    }
                });
            }
        }
        Some(Self { predicates: Some(predicates), ids })
    }
}

/// The table under projections.
fn base_table(plan: &Logical) -> Option<&Get> {
    match plan {
        Logical::Get(get) => Some(get),
        Logical::Project { input, .. } => base_table(input),
        _ => None,
    }
}

/// Whether the path's index is in the order of `keys`; `Some(true)` if backward.
fn order_of(get: &Get, path: &Path, keys: &[SortKey]) -> Option<bool> {
    let mut backward = None;
    let fixed: Vec<ColumnIndex> =
        path.index.keys.iter().take(path.fixed).filter_map(IndexKey::column).collect();
    let mut places = path.index.keys.iter().skip(path.fixed);
    for key in keys {
        let id = key.expr.as_column()?;
        let (column, _) = get.columns.iter().find(|(_, other)| *other == id)?;
        // A column with one value orders nothing.
        if fixed.contains(column) {
            continue;
        }
        let Some(place) = places.next() else {
            // Beyond a unique key every order is the same; several rows may have a null in it.
            let is_unique = path.index.unique
                && path.index.immediate
                && path.index.keys.iter().all(|key| {
                    let not_null =
                        |column: ColumnIndex| get.table.columns[usize::from(column.0)].not_null;
                    key.column().is_some_and(not_null)
                });
            return is_unique.then_some(backward.unwrap_or(false));
        };
        if place.column() != Some(*column) {
            return None;
        }
        let not_null = get.table.columns[usize::from(column.0)].not_null;
        let flip = place.descending != key.descending;
        if !not_null && (place.nulls_first != key.nulls_first) != flip {
            return None;
        }
        if *backward.get_or_insert(flip) != flip {
            return None;
        }
    }
    Some(backward.unwrap_or(false))
}

/// The value of `column = value`.
pub(super) fn equality(
    predicate: &Expr,
    column: ColumnId,
    ty: SqlType,
    own: &ColumnSet,
) -> Option<Expr> {
    let ExprKind::Call { function, args } = &predicate.kind else {
        return None;
    };
    let [lhs, rhs] = &args[..] else {
        return None;
    };
    if !is_equality(function.name) {
        return None;
    }
    let value = other_side(lhs, rhs, column)?;
    as_key(value.0, ty, own)
}

/// The array of `column = ANY (array)`.
pub(super) fn any_of(
    predicate: &Expr,
    column: ColumnId,
    ty: SqlType,
    own: &ColumnSet,
) -> Option<Expr> {
    let ExprKind::AnyAll { lhs, function, array, all: false } = &predicate.kind else {
        return None;
    };
    if !is_equality(function.name) || bare(lhs) != Some(column) {
        return None;
    }
    let element = array.ty.id.element()?;
    let same = element == ty.id || is_string(element) && is_string(ty.id);
    (same && is_constant(array, own)).then(|| (**array).clone())
}

/// The bound that `column < value` and the like give: value, whether it is a lower bound, whether it is in.
pub(super) fn range(
    predicate: &Expr,
    column: ColumnId,
    ty: SqlType,
    own: &ColumnSet,
) -> Option<(Expr, bool, bool)> {
    let ExprKind::Call { function, args } = &predicate.kind else {
        return None;
    };
    let [lhs, rhs] = &args[..] else {
        return None;
    };
    if !is_inequality(function.name) || function.result != TypeId::Bool {
        return None;
    }
    let (value, flipped) = other_side(lhs, rhs, column)?;
    let name = function.name;
    let is_lower = (name.ends_with("gt") || name.ends_with("ge")) != flipped;
    let inclusive = name.ends_with("le") || name.ends_with("ge");
    Some((as_key(value, ty, own)?, is_lower, inclusive))
}

/// The operand beside the column, and whether it is the left one.
fn other_side<'e>(lhs: &'e Expr, rhs: &'e Expr, column: ColumnId) -> Option<(&'e Expr, bool)> {
    if bare(lhs) == Some(column) {
        return Some((rhs, false));
    }
    (bare(rhs) == Some(column)).then_some((lhs, true))
}

/// The column under a change of type that leaves the order as it is.
fn bare(expr: &Expr) -> Option<ColumnId> {
    match &expr.kind {
        ExprKind::Column(id) => Some(*id),
        ExprKind::Retype(arg) if is_string(arg.ty.id) && is_string(expr.ty.id) => bare(arg),
        _ => None,
    }
}

fn is_string(ty: TypeId) -> bool {
    matches!(ty, TypeId::Text | TypeId::Varchar)
}

fn is_constant(expr: &Expr, own: &ColumnSet) -> bool {
    !expr.is_volatile() && !expr.columns().intersects(own)
}

/// A value as a key of a column's type, if it can be one without changing what it equals.
fn as_key(value: &Expr, ty: SqlType, own: &ColumnSet) -> Option<Expr> {
    if !is_constant(value, own) {
        return None;
    }
    let plain = SqlType::plain(ty.id);
    if value.ty.id == ty.id || is_string(value.ty.id) && is_string(ty.id) {
        return Some(value.clone());
    }
    if let Some(number) =
        value.as_literal().and_then(Value::as_i64).filter(|_| is_integer(value.ty.id))
    {
        let value = match ty.id {
            TypeId::Int2 => Value::Int2(number.try_into().ok()?),
            TypeId::Int4 => Value::Int4(number.try_into().ok()?),
            TypeId::Int8 => Value::Int8(number),
            _ => return None,
        };
        return Some(Expr::literal(value, plain));
    }
    // Widening keeps every value.
    widen(value.clone(), ty.id)
}

fn is_integer(ty: TypeId) -> bool {
    matches!(ty, TypeId::Int2 | TypeId::Int4 | TypeId::Int8)
}

/// An integer as a wider integer.
pub(super) fn widen(value: Expr, target: TypeId) -> Option<Expr> {
    let width = |ty: TypeId| match ty.physical() {
        PhysicalType::Int2 => 2,
        PhysicalType::Int4 => 4,
        _ => 8,
    };
    if value.ty.id == target {
        return Some(value);
    }
    if !is_integer(value.ty.id) || !is_integer(target) || width(value.ty.id) > width(target) {
        return None;
    }
    match registry::cast(value.ty.id, target)?.method {
        CastMethod::Function(function) => Some(Expr::call(function, vec![value], target.into())),
        CastMethod::Binary | CastMethod::InOut => None,
    }
}
