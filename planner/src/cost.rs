//! How many rows, how much work.
//!
//! Row counts come from [`Statistics`]. Conditions on one table are run on its sample; where the sample shows too few rows, and where
//! there is none, selectivities come from distinct counts and PostgreSQL's defaults. Equal columns form classes over the whole
//! statement, so that what `a = b` and `b = c` say of `a` and `c` is not counted again. Costs are in PostgreSQL's units (a sequential page is 1, a row 0.01, an operator 0.0025).

use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Join, Logical};
use crate::physical::JoinKind;
use crate::sample::SampleEval;
use crate::statistics::{Statistics, TableSample};
use damask_catalog::object::{ConstraintKind, Index, Relation, RelationKind};
use damask_functions::Session;
use damask_types::{ColumnIndex, Value};
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// Rows of a table of which nothing is known.
const DEFAULT_ROWS: f64 = 1000.0;
/// Part of the rows that pass an inequality.
const INEQUALITY: f64 = 1.0 / 3.0;
/// Part of the rows that lie in a range open at neither end.
const RANGE: f64 = 0.005;
/// Part of the rows that pass a pattern.
const PATTERN: f64 = 0.05;
/// Part of the rows that pass any other condition.
const OTHER: f64 = 0.5;

/// Rows of a sample that must pass a condition before their share is believed.
const HITS_MIN: usize = 5;

/// Where a stored column comes from.
struct Origin {
    table: Arc<Relation>,
    column: ColumnIndex,
    /// Which reference to the table.
    instance: u32,
}

/// Estimates over the columns of one statement.
pub(crate) struct Estimator<'a> {
    statistics: &'a dyn Statistics,
    session: &'a dyn Session,
    origins: HashMap<ColumnId, Origin>,
    /// References to tables seen so far.
    instances: u32,
    /// Columns that conditions make equal: towards the representative of each class.
    equal: HashMap<ColumnId, ColumnId>,
    /// Expected rows of each common table expression.
    pub(crate) cte_rows: Vec<f64>,
}

impl<'a> Estimator<'a> {
    pub(crate) fn new(statistics: &'a dyn Statistics, session: &'a dyn Session) -> Self {
        Self {
            statistics,
            session,
            origins: HashMap::new(),
            instances: 0,
            equal: HashMap::new(),
            cte_rows: vec![],
        }
    }

    /// Takes note of the tables that a plan reads, and of the columns it makes equal.
    pub(crate) fn learn(&mut self, plan: &Logical) {
        match plan {
            Logical::Get(get) => {
                self.instances += 1;
                for (index, id) in &get.columns {
                    let origin = Origin {
                        table: Arc::clone(&get.table),
                        column: *index,
                        instance: self.instances,
                    };
                    self.origins.insert(*id, origin);
                }
            }
            Logical::Filter { predicates, .. } => self.learn_equal(predicates),
            Logical::Join(join) if join.kind == JoinKind::Inner => {
                self.learn_equal(&join.predicates);
            }
            _ => {}
        }
        for input in plan.inputs() {
            self.learn(input);
        }
    }

    fn learn_equal(&mut self, predicates: &[Expr]) {
        for predicate in predicates {
            if let Some((a, b)) = column_equality(predicate) {
                let (a, b) = (self.class(a), self.class(b));
                if a != b {
                    self.equal.insert(a, b);
                }
            }
        }
    }

    /// The representative of the columns that are equal to this one.
    fn class(&self, mut id: ColumnId) -> ColumnId {
        // No cycle: only representatives are pointed elsewhere, and at a different class.
        while let Some(next) = self.equal.get(&id) {
            id = *next;
        }
        id
    }

    /// Rows of a whole table.
    pub(crate) fn table_rows(&self, relation: &Relation) -> f64 {
        let default = if relation.kind == RelationKind::System { 200.0 } else { DEFAULT_ROWS };
        self.statistics.rows(relation).unwrap_or(default).max(1.0)
    }

    /// Distinct values of a column in its whole table.
    pub(crate) fn distinct(&self, id: ColumnId) -> Option<f64> {
        let Origin { table: relation, column, .. } = self.origins.get(&id)?;
        let rows = self.table_rows(relation);
        let is_key = |index: &Index| index.unique_columns().is_some_and(|key| key == [*column]);
        if relation.alias == Some(*column) || relation.indexes.iter().any(|index| is_key(index)) {
            return Some(rows);
        }
        let guess = || {
            let leads_key = relation
                .indexes
                .iter()
                .any(|index| index.unique_columns().is_some_and(|key| key[0] == *column));
            let refers = relation.constraints.iter().any(|constraint| {
                matches!(&constraint.kind, ConstraintKind::ForeignKey { columns, .. } if columns.contains(column))
            });
            // A key's first column repeats a few times, a reference ten times, anything else has 200 values.
            let part = if leads_key {
                0.25
            } else if refers {
                0.1
            } else {
                0.0
            };
            (rows * part).max(rows.min(200.0))
        };
        let sampled = || {
            let sample = self.statistics.sample(relation)?;
            Some(sample.columns.get(usize::from(column.0))?.distinct.min(rows))
        };
        Some(sampled().unwrap_or_else(guess).max(1.0))
    }

    /// The one reference to a table whose columns are all that an expression reads.
    fn instance(&self, expr: &Expr) -> Option<&Origin> {
        let mut found: Option<&Origin> = None;
        for id in expr.columns().iter() {
            let origin = self.origins.get(&id)?;
            if found.is_some_and(|other| other.instance != origin.instance) {
                return None;
            }
            found = Some(origin);
        }
        found
    }

    /// Calls `f` with the sample of the table of `origin`, if there is one with rows.
    fn with_sample<R>(
        &self,
        origin: &Origin,
        f: impl FnOnce(&SampleEval<'_>, &TableSample) -> Option<R>,
    ) -> Option<R> {
        let sample = self.statistics.sample(&origin.table).filter(|sample| sample.rows > 0)?;
        let column = |id| self.origins.get(&id).map(|origin| origin.column);
        f(&SampleEval { sample: &sample, column: &column, session: self.session }, &sample)
    }

    /// Part of a sample's rows that pass all of the conditions, which read one table; `None` if it shows too few.
    fn sampled(&self, parts: &[&Expr]) -> Option<f64> {
        let origin = self.instance(parts.first()?)?;
        self.with_sample(origin, |eval, sample| {
            let mut rows = eval.true_rows(parts[0])?;
            for part in &parts[1..] {
                rows = rows.and(&eval.true_rows(part)?);
            }
            let hits = rows.count();
            (hits >= HITS_MIN || sample.is_whole()).then(|| hits as f64 / sample.rows as f64)
        })
    }

    /// The most that a condition can let pass if the sample shows hardly a row for it.
    fn rare(&self, expr: &Expr) -> f64 {
        let bound = self.instance(expr).and_then(|origin| {
            self.with_sample(origin, |eval, sample| {
                eval.true_rows(expr).map(|_| HITS_MIN as f64 / sample.rows as f64)
            })
        });
        bound.unwrap_or(1.0).min(1.0)
    }

    /// Whether columns of one reference to a table hold a unique key of it.
    fn holds_key(&self, columns: &[ColumnId]) -> Option<&Arc<Relation>> {
        let origins: Vec<&Origin> =
            columns.iter().map(|id| self.origins.get(id)).collect::<Option<_>>()?;
        let first = origins.first()?;
        let has = |column: ColumnIndex| origins.iter().any(|origin| origin.column == column);
        let is_key =
            first.table.alias.is_some_and(has)
                || first.table.indexes.iter().any(|index| {
                    index.unique_columns().is_some_and(|key| key.into_iter().all(has))
                });
        is_key.then_some(&first.table)
    }

    /// Part of the pairs of rows that join conditions let pass.
    ///
    /// Of conditions that make the same columns equal one counts, and equalities that hold a unique key of one side
    /// find one row of it. Other equalities between the same two tables depend on each other in part.
    pub(crate) fn join_part<'e>(&self, predicates: impl Iterator<Item = &'e Expr>) -> f64 {
        struct Between {
            sides: (u32, u32),
            /// Columns of the lesser and of the greater reference, class, part.
            keys: Vec<(ColumnId, ColumnId, ColumnId, f64)>,
        }
        let mut groups: Vec<Between> = vec![];
        let mut others: Vec<Expr> = vec![];
        for predicate in predicates {
            let pair = column_equality(predicate).and_then(|(a, b)| {
                Some((a, self.origins.get(&a)?.instance, b, self.origins.get(&b)?.instance))
            });
            let Some((mut a, mut first, mut b, mut second)) = pair.filter(|pair| pair.1 != pair.3)
            else {
                others.push(predicate.clone());
                continue;
            };
            if first > second {
                (a, first, b, second) = (b, second, a, first);
            }
            let key = (a, b, self.class(a), self.selectivity(predicate));
            match groups.iter_mut().find(|group| group.sides == (first, second)) {
                Some(group) => group.keys.push(key),
                None => groups.push(Between { sides: (first, second), keys: vec![key] }),
            }
        }
        let mut product = self.conjunction(&others);
        let mut counted: HashSet<ColumnId> = HashSet::new();
        groups.retain(|group| {
            let first: Vec<ColumnId> = group.keys.iter().map(|key| key.0).collect();
            let second: Vec<ColumnId> = group.keys.iter().map(|key| key.1).collect();
            let key = self.holds_key(&first).or_else(|| self.holds_key(&second));
            let Some(table) = key.filter(|_| group.keys.len() > 1) else {
                return true;
            };
            product /= self.table_rows(table);
            counted.extend(group.keys.iter().map(|key| key.2));
            false
        });
        // The most selective equality of a class is the one that counts.
        for group in &mut groups {
            group.keys.sort_by(|a, b| a.3.total_cmp(&b.3));
        }
        groups.sort_by(|a, b| a.keys[0].3.total_cmp(&b.keys[0].3));
        for group in groups {
            let mut is_first = true;
            for (_, _, class, part) in group.keys {
                if counted.insert(class) {
                    product *= if is_first { part } else { part.sqrt() };
                    is_first = false;
                }
            }
        }
        product
    }

    /// Distinct values of an expression among `rows` rows.
    pub(crate) fn distinct_of(&self, expr: &Expr, rows: f64) -> f64 {
        // A function of few values, such as the year of a date.
        if expr.as_column().is_none()
            && let Some(origin) = self.instance(expr)
            && let Some(found) = self.with_sample(origin, |eval, sample| {
                let vector = eval.eval(expr)?;
                let values: Vec<Value> = (0..sample.rows).map(|row| vector.value(row)).collect();
                Some(crate::statistics::distinct(values.iter(), sample.table_rows))
            })
        {
            return found.min(rows).max(1.0);
        }
        let mut columns = vec![];
        expr.walk(&mut |expr| columns.extend(expr.as_column()));
        let mut product = 1.0;
        for column in columns {
            product *= self.distinct(column).unwrap_or(200.0);
        }
        product.min(rows).max(1.0)
    }

    /// Part of the rows for which a condition is true.
    pub(crate) fn selectivity(&self, expr: &Expr) -> f64 {
        if let Some(part) = self.sampled(&[expr]) {
            return part;
        }
        let part = match &expr.kind {
            ExprKind::Literal(Value::Bool(true)) => 1.0,
            ExprKind::Literal(_) => 0.0,
            ExprKind::And(parts) => self.conjunction(parts),
            ExprKind::Or(parts) => {
                let whole =
                    1.0 - parts.iter().map(|part| 1.0 - self.selectivity(part)).product::<f64>();
                whole / self.implied_part(expr)
            }
            ExprKind::Not(arg) => 1.0 - self.selectivity(arg),
            ExprKind::IsNull { negated, .. } => {
                if *negated {
                    0.99
                } else {
                    0.01
                }
            }
            ExprKind::IsDistinct { lhs, rhs, negated, .. } => {
                let equal = self.equality(lhs, rhs);
                if *negated { equal } else { 1.0 - equal }
            }
            ExprKind::AnyAll { lhs, array, all: false, function } if is_equality(function.name) => {
                let count = match &array.kind {
                    ExprKind::Array(items) => items.len() as f64,
                    ExprKind::Literal(Value::Array(items)) => items.values.len() as f64,
                    _ => 10.0,
                };
                count / self.distinct_of(lhs, f64::INFINITY)
            }
            ExprKind::Call { function, args } => match (function.name, &args[..]) {
                (name, [lhs, rhs]) if is_equality(name) => self.equality(lhs, rhs),
                (name, [_, _]) if is_inequality(name) => INEQUALITY,
                (name, [lhs, rhs])
                    if name.ends_with("ne") && function.result == damask_types::TypeId::Bool =>
                {
                    1.0 - self.equality(lhs, rhs)
                }
                (name, [_, _]) if name.contains("like") || name.contains("regex") => {
                    let excludes = name.contains("nlike")
                        || name.contains("icnlike")
                        || name.contains("regexne");
                    if excludes { 1.0 - PATTERN } else { PATTERN }
                }
                _ => OTHER,
            },
            _ => OTHER,
        };
        part.clamp(0.0, 1.0).min(self.rare(expr))
    }

    /// Part of the rows that pass what an OR over several tables implies for each: that was tested below already.
    fn implied_part(&self, or: &Expr) -> f64 {
        let mut instances: Vec<u32> =
            or.columns().iter().filter_map(|id| Some(self.origins.get(&id)?.instance)).collect();
        instances.sort_unstable();
        instances.dedup();
        if instances.len() < 2 {
            return 1.0;
        }
        let part: f64 = instances
            .iter()
            .filter_map(|instance| {
                let within = |id: ColumnId| {
                    self.origins.get(&id).is_some_and(|origin| origin.instance == *instance)
                };
                Some(self.selectivity(&crate::rewrite::implied(or, &within)?))
            })
            .product();
        part.max(1e-9)
    }

    /// Part of the rows for which all are true; two bounds on one column are a range.
    pub(crate) fn conjunction(&self, parts: &[Expr]) -> f64 {
        let mut product = 1.0;
        let mut rest: Vec<&Expr> = vec![];
        let mut together: Vec<(u32, Vec<&Expr>)> = vec![];
        for part in parts {
            match self.instance(part).map(|origin| origin.instance) {
                Some(instance) => match together.iter_mut().find(|(own, _)| *own == instance) {
                    Some((_, list)) => list.push(part),
                    None => together.push((instance, vec![part])),
                },
                None => rest.push(part),
            }
        }
        // What the sample shows of conditions together counts their dependence on each other in.
        for (_, list) in together {
            match if list.len() > 1 { self.sampled(&list) } else { None } {
                Some(part) => product *= part,
                None => rest.extend(list),
            }
        }
        let mut bounded: Vec<(ColumnId, f64, usize)> = vec![];
        for part in rest {
            let own = self.selectivity(part);
            if let ExprKind::Call { function, args } = &part.kind
                && is_inequality(function.name)
                && let [lhs, rhs] = &args[..]
                && rhs.is_row_constant()
                && let Some(column) = lhs.as_column()
            {
                match bounded.iter_mut().find(|(other, ..)| *other == column) {
                    Some((_, sum, count)) => {
                        *sum += own - 1.0;
                        *count += 1;
                    }
                    None => bounded.push((column, own, 1)),
                }
                continue;
            }
            product *= own;
        }
        for (_, sum, _) in bounded {
            product *= if sum > 0.0 { sum } else { RANGE };
        }
        product
    }

    fn equality(&self, lhs: &Expr, rhs: &Expr) -> f64 {
        match (lhs.is_row_constant(), rhs.is_row_constant()) {
            (false, false) => {
                1.0 / self.distinct_of(lhs, f64::INFINITY).max(self.distinct_of(rhs, f64::INFINITY))
            }
            (false, true) => 1.0 / self.distinct_of(lhs, f64::INFINITY),
            (true, false) => 1.0 / self.distinct_of(rhs, f64::INFINITY),
            (true, true) => OTHER,
        }
    }

    /// Expected rows of a plan.
    pub(crate) fn rows(&self, plan: &Logical) -> f64 {
        let rows = match plan {
            Logical::Values { rows, .. } => rows.len() as f64,
            Logical::Input { rows, .. } => *rows,
            Logical::Get(get) => {
                let rows = self.table_rows(&get.table);
                if is_unique_lookup(get, &get.predicates) {
                    1.0
                } else {
                    rows * self.conjunction(&get.predicates)
                }
            }
            Logical::Function { .. } => 100.0,
            Logical::Filter { input, predicates } => {
                self.rows(input) * self.conjunction(predicates)
            }
            Logical::Project { input, .. }
            | Logical::Sort { input, .. }
            | Logical::Lock { input, .. } => self.rows(input),
            Logical::ProjectSet { input, .. } => self.rows(input) * 10.0,
            Logical::Join(join) => {
                self.join_rows(join, self.rows(&join.left), self.rows(&join.right))
            }
            Logical::Aggregate { input, groups, .. } => {
                if groups.is_empty() {
                    return 1.0;
                }
                let rows = self.rows(input);
                self.groups(groups.iter().map(|(_, expr)| expr), rows)
            }
            Logical::Distinct { input, keys } => {
                let rows = self.rows(input);
                let keys: Vec<Expr> = keys
                    .iter()
                    .map(|&id| Expr::column(id, damask_types::TypeId::Bool.into()))
                    .collect();
                self.groups(keys.iter(), rows)
            }
            Logical::Limit { input, limit, .. } => {
                let rows = self.rows(input);
                match limit.as_ref().map(|limit| limit.as_literal().and_then(Value::as_i64)) {
                    Some(Some(limit)) => rows.min(limit as f64),
                    Some(None) => rows * 0.1,
                    None => rows,
                }
            }
            Logical::Append { inputs, .. } => inputs.iter().map(|input| self.rows(input)).sum(),
            Logical::SetOperation { left, .. } => self.rows(left) * OTHER,
            Logical::Cte { id, .. } => self.cte_rows.get(*id).copied().unwrap_or(DEFAULT_ROWS),
        };
        rows.max(1.0)
    }

    /// Distinct combinations of expressions among `rows` rows.
    pub(crate) fn groups<'e>(&self, exprs: impl Iterator<Item = &'e Expr>, rows: f64) -> f64 {
        let mut counts: Vec<f64> = vec![];
        let mut tables: Vec<(u32, Vec<ColumnId>)> = vec![];
        for expr in exprs {
            let origin = expr.as_column().and_then(|id| Some((id, self.origins.get(&id)?)));
            match origin {
                Some((id, Origin { instance, .. })) => {
                    match tables.iter_mut().find(|(own, _)| own == instance) {
                        Some((_, columns)) => columns.push(id),
                        None => tables.push((*instance, vec![id])),
                    }
                }
                None => counts.push(self.distinct_of(expr, rows)),
            }
        }
        for (_, columns) in tables {
            // A key decides its row's other columns.
            match self.holds_key(&columns) {
                Some(table) => counts.push(self.table_rows(table)),
                None => counts
                    .extend(columns.iter().map(|&id| self.distinct(id).unwrap_or(200.0).min(rows))),
            }
        }
        counts.sort_by(|a, b| b.total_cmp(a));
        // Beyond the second, columns are taken to depend on each other in part.
        let product: f64 = counts
            .iter()
            .enumerate()
            .map(|(i, count)| if i < 2 { *count } else { count.sqrt() })
            .product();
        product.min(rows).max(1.0)
    }

    /// Expected rows of a join of inputs with so many rows.
    pub(crate) fn join_rows(&self, join: &Join, left: f64, right: f64) -> f64 {
        let part = self.join_part(join.predicates.iter());
        let pairs = left * right * part;
        match join.kind {
            JoinKind::Inner => pairs,
            JoinKind::Left | JoinKind::Single => {
                if join.kind == JoinKind::Single {
                    left
                } else {
                    pairs.max(left)
                }
            }
            JoinKind::Right => pairs.max(right),
            JoinKind::Full => pairs.max(left + right - pairs.min(left)),
            JoinKind::Semi => {
                if join.predicates.is_empty() {
                    left * OTHER
                } else {
                    (left * (right * part).min(1.0)).max(1.0)
                }
            }
            JoinKind::Anti | JoinKind::NullAwareAnti => {
                (left * (1.0 - (right * part).min(0.9))).max(1.0)
            }
            JoinKind::Mark => left,
        }
    }
}

/// Whether equalities with constants fix all columns of a unique key.
pub(crate) fn is_unique_lookup(get: &crate::logical::Get, predicates: &[Expr]) -> bool {
    let is_fixed = |column: ColumnIndex| {
        let Some((_, id)) = get.columns.iter().find(|(index, _)| *index == column) else {
            return false;
        };
        predicates.iter().any(|predicate| {
            matches!(&predicate.kind, ExprKind::Call { function, args }
                if is_equality(function.name) && args.len() == 2
                    && (args[0].as_column() == Some(*id) && args[1].is_row_constant()
                        || args[1].as_column() == Some(*id) && args[0].is_row_constant()))
        })
    };
    get.table.alias.is_some_and(is_fixed)
        || get
            .table
            .indexes
            .iter()
            .any(|index| index.unique_columns().is_some_and(|key| key.into_iter().all(is_fixed)))
}

/// Whether a function of this name is an `=`.
pub(crate) fn is_equality(name: &str) -> bool {
    name.ends_with("eq") && !name.contains("like") && !name.contains("regex")
}

/// Whether a function of this name is a `<`, `<=`, `>` or `>=`.
pub(crate) fn is_inequality(name: &str) -> bool {
    ["lt", "le", "gt", "ge"].iter().any(|end| name.ends_with(end))
}

/// The two columns that a condition makes equal.
pub(crate) fn column_equality(predicate: &Expr) -> Option<(ColumnId, ColumnId)> {
    let ExprKind::Call { function, args } = &predicate.kind else {
        return None;
    };
    let [a, b] = &args[..] else {
        return None;
    };
    if !is_equality(function.name) {
        return None;
    }
    Some((a.as_column()?, b.as_column()?))
}
