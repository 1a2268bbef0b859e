//! How many rows, how much work.
//!
//! Row counts come from [`Statistics`], selectivities from distinct counts and bounds where they are known and from PostgreSQL's
//! defaults where not. Costs are in PostgreSQL's units (a sequential page is 1, a row 0.01, an operator 0.0025).

use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Join, Logical};
use crate::physical::JoinKind;
use damask_catalog::object::{ConstraintKind, Relation, RelationKind};
use damask_types::{ColumnIndex, Value};
use hashbrown::HashMap;
use std::sync::Arc;

/// What is known of the sizes of tables. Every answer may be stale; plans stay correct.
pub trait Statistics {
    /// Rows of a table; `None` if nothing is known.
    fn rows(&self, relation: &Relation) -> Option<f64>;
    /// Distinct values of a column.
    fn distinct(&self, relation: &Relation, column: ColumnIndex) -> Option<f64> {
        let _ = (relation, column);
        None
    }
    /// Least and greatest value of a column.
    fn range(&self, relation: &Relation, column: ColumnIndex) -> Option<(Value, Value)> {
        let _ = (relation, column);
        None
    }
}

/// Nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStatistics;

impl Statistics for NoStatistics {
    fn rows(&self, _: &Relation) -> Option<f64> {
        None
    }
}

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

/// Estimates over the columns of one statement.
pub(crate) struct Estimator<'a> {
    statistics: &'a dyn Statistics,
    /// Where stored columns come from.
    origins: HashMap<ColumnId, (Arc<Relation>, ColumnIndex)>,
    /// Expected rows of each common table expression.
    pub(crate) cte_rows: Vec<f64>,
}

impl<'a> Estimator<'a> {
    pub(crate) fn new(statistics: &'a dyn Statistics) -> Self {
        Self { statistics, origins: HashMap::new(), cte_rows: vec![] }
    }

    /// Takes note of the tables that a plan reads.
    pub(crate) fn learn(&mut self, plan: &Logical) {
        if let Logical::Get(get) = plan {
            for (index, id) in &get.columns {
                self.origins.insert(*id, (Arc::clone(&get.table), *index));
            }
        }
        for input in plan.inputs() {
            self.learn(input);
        }
    }

    /// Rows of a whole table.
    pub(crate) fn table_rows(&self, relation: &Relation) -> f64 {
        let default = if relation.kind == RelationKind::System { 200.0 } else { DEFAULT_ROWS };
        self.statistics.rows(relation).unwrap_or(default).max(1.0)
    }

    /// Distinct values of a column in its whole table.
    pub(crate) fn distinct(&self, id: ColumnId) -> Option<f64> {
        let (relation, column) = self.origins.get(&id)?;
        let rows = self.table_rows(relation);
        let is_key = |columns: &[damask_catalog::object::IndexKey]| matches!(columns, [key] if key.column == *column);
        if relation.alias == Some(*column)
            || relation.indexes.iter().any(|index| index.unique && is_key(&index.keys))
        {
            return Some(rows);
        }
        let guess = || {
            let leads_key = relation
                .indexes
                .iter()
                .any(|index| index.unique && index.keys[0].column == *column);
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
        Some(self.statistics.distinct(relation, *column).unwrap_or_else(guess).max(1.0))
    }

    /// Distinct values of an expression among `rows` rows.
    pub(crate) fn distinct_of(&self, expr: &Expr, rows: f64) -> f64 {
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
        let part = match &expr.kind {
            ExprKind::Literal(Value::Bool(true)) => 1.0,
            ExprKind::Literal(_) => 0.0,
            ExprKind::And(parts) => self.conjunction(parts),
            ExprKind::Or(parts) => {
                1.0 - parts.iter().map(|part| 1.0 - self.selectivity(part)).product::<f64>()
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
                (name, [lhs, rhs]) if is_inequality(name) => self.inequality(name, lhs, rhs),
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
        part.clamp(0.0, 1.0)
    }

    /// Part of the rows for which all are true; two bounds on one column are a range.
    pub(crate) fn conjunction(&self, parts: &[Expr]) -> f64 {
        let mut product = 1.0;
        let mut bounded: Vec<(ColumnId, f64, usize)> = vec![];
        for part in parts {
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

    fn inequality(&self, name: &str, lhs: &Expr, rhs: &Expr) -> f64 {
        let (column, constant, flipped) =
            match (lhs.as_column(), rhs.as_literal(), rhs.as_column(), lhs.as_literal()) {
                (Some(column), Some(constant), ..) => (column, constant, false),
                (_, _, Some(column), Some(constant)) => (column, constant, true),
                _ => return INEQUALITY,
            };
        let less = (name.ends_with("lt") || name.ends_with("le")) != flipped;
        let Some((relation, index)) = self.origins.get(&column) else {
            return INEQUALITY;
        };
        let Some((low, high)) = self.statistics.range(relation, *index) else {
            return INEQUALITY;
        };
        let (Some(low), Some(high), Some(at)) = (number(&low), number(&high), number(constant))
        else {
            return INEQUALITY;
        };
        if high <= low {
            return OTHER;
        }
        let below = ((at - low) / (high - low)).clamp(0.0, 1.0);
        if less { below } else { 1.0 - below }
    }

    /// Expected rows of a plan.
    pub(crate) fn rows(&self, plan: &Logical) -> f64 {
        let rows = match plan {
            Logical::Values { rows, .. } => rows.len() as f64,
            Logical::Input { .. } => DEFAULT_ROWS,
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
        let mut counts: Vec<f64> = exprs.map(|expr| self.distinct_of(expr, rows)).collect();
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
        let part = self.conjunction(&join.predicates);
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
            .any(|index| index.unique && index.keys.iter().all(|key| is_fixed(key.column)))
}

/// Whether a function of this name is an `=`.
pub(crate) fn is_equality(name: &str) -> bool {
    name.ends_with("eq") && !name.contains("like") && !name.contains("regex")
}

/// Whether a function of this name is a `<`, `<=`, `>` or `>=`.
pub(crate) fn is_inequality(name: &str) -> bool {
    ["lt", "le", "gt", "ge"].iter().any(|end| name.ends_with(end))
}

/// A value on a line, if its type has one.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float4(v) => Some(f64::from(*v)),
        Value::Float8(v) => Some(*v),
        Value::Date(v) => Some(f64::from(*v)),
        Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => Some(*v as f64),
        Value::Numeric(damask_types::Numeric::Decimal { mantissa, scale }) => {
            Some(*mantissa as f64 / 10f64.powi(i32::from(*scale)))
        }
        other => other.as_i64().map(|v| v as f64),
    }
}
