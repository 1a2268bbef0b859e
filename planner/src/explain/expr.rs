//! Bound expressions as text, in the manner of PostgreSQL's deparser.

use super::{made_column, quote};
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::physical::{Insert, Operator, Plan, PlanId, Scan};
use damask_functions::ScalarFunction;
use damask_functions::registry;
use damask_types::format::{FormatSettings, format_type, to_text};
use damask_types::{TypeId, Value};
use hashbrown::HashMap;
use std::cell::Cell;
use std::sync::LazyLock;

/// How deep names of computed columns are followed.
const DEPTH_MAX: usize = 40;

/// The operator that a function implements.
static SYMBOLS: LazyLock<HashMap<usize, (&'static str, bool)>> = LazyLock::new(|| {
    let mut map = HashMap::new();
    for operator in registry::all_operators() {
        let key = std::ptr::from_ref::<ScalarFunction>(operator.function) as usize;
        map.entry(key).or_insert((operator.name, operator.lhs.is_none()));
    }
    map
});

/// Prints the expressions of one plan.
pub(crate) struct Printer<'a> {
    pub(crate) plan: &'a Plan,
    /// Whether columns need their table's name.
    qualify: bool,
    /// The node that makes each column.
    makers: HashMap<ColumnId, PlanId>,
    /// Names of the columns of ON CONFLICT's two rows.
    conflict: HashMap<ColumnId, String>,
    subplans: Vec<PlanId>,
    depth: Cell<usize>,
}

/// The columns of the row that is there, and of the one that was to be.
fn name_conflict(insert: &Insert, names: &mut HashMap<ColumnId, String>) {
    let conflict = insert.conflict.as_ref();
    let Some(update) = conflict.and_then(|conflict| conflict.update.as_ref()) else {
        return;
    };
    let table = quote(&insert.table.name);
    for (alias, columns) in [(table.as_str(), &update.old), ("excluded", &update.excluded)] {
        for (column, id) in columns {
            let name = quote(&insert.table.columns[usize::from(column.0)].name);
            names.insert(*id, format!("{alias}.{name}"));
        }
    }
}

impl<'a> Printer<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let mut makers: HashMap<ColumnId, PlanId> = HashMap::new();
        let mut tables = 0;
        let mut subplans = vec![];
        let mut conflict = HashMap::new();
        for (index, node) in plan.nodes.iter().enumerate() {
            let id = PlanId(index as u32);
            if matches!(
                node.operator,
                Operator::SeqScan(_) | Operator::IndexScan { .. } | Operator::SystemScan(_)
            ) {
                tables += 1;
            }
            if let Operator::Insert(insert) = &node.operator {
                name_conflict(insert, &mut conflict);
            }
            for column in &node.output {
                // Nodes come before those that read them, so the first to give a column makes it.
                makers.entry(*column).or_insert(id);
            }
            if let Operator::SeqScan(scan)
            | Operator::IndexScan { scan, .. }
            | Operator::SystemScan(scan) = &node.operator
            {
                for (_, column) in &scan.filter_columns {
                    makers.entry(*column).or_insert(id);
                }
            }
            node.operator.for_each_expr(&mut |expr| {
                expr.walk(&mut |expr| {
                    if let ExprKind::Subplan(id) | ExprKind::Exists(id) | ExprKind::ArraySubplan(id) = expr.kind
                        && !subplans.contains(&id)
                    {
                        subplans.push(id);
                    }
                });
            });
        }
        Self { plan, qualify: tables > 1, makers, conflict, subplans, depth: Cell::new(0) }
    }

    /// A subplan's number, from 0.
    pub(crate) fn subplan_number(&self, id: PlanId) -> usize {
        self.subplans.iter().position(|other| *other == id).unwrap_or(0)
    }

    /// A column by the name of what makes it.
    pub(crate) fn column(&self, id: ColumnId) -> String {
        if let Some(name) = self.conflict.get(&id) {
            return name.clone();
        }
        let unnamed = || format!("column{}", id.0);
        let Some(&maker) = self.makers.get(&id) else {
            return unnamed();
        };
        if self.depth.get() > DEPTH_MAX {
            return unnamed();
        }
        self.depth.set(self.depth.get() + 1);
        let node = self.plan.node(maker);
        let name = match &node.operator {
            Operator::SeqScan(scan)
            | Operator::IndexScan { scan, .. }
            | Operator::SystemScan(scan) => self.scan_column(scan, id),
            _ => made_column(self, node, id),
        };
        self.depth.set(self.depth.get() - 1);
        name.unwrap_or_else(unnamed)
    }

    pub(crate) fn scan_column(&self, scan: &Scan, id: ColumnId) -> Option<String> {
        let name = if scan.row_id == Some(id) {
            "ctid".to_owned()
        } else if scan.table_oid == Some(id) {
            "tableoid".to_owned()
        } else {
            let (column, _) =
                scan.columns.iter().chain(&scan.filter_columns).find(|(_, other)| *other == id)?;
            quote(&scan.table.columns[usize::from(column.0)].name)
        };
        Some(if self.qualify { format!("{}.{name}", quote(&scan.alias)) } else { name })
    }

    /// An expression.
    pub(crate) fn text(&self, expr: &Expr) -> String {
        let list = |exprs: &[Expr]| {
            exprs.iter().map(|expr| self.text(expr)).collect::<Vec<_>>().join(", ")
        };
        match &expr.kind {
            ExprKind::Column(id) | ExprKind::Outer(id) => self.column(*id),
            ExprKind::Literal(value) => literal(value, expr),
            ExprKind::Parameter(index) => format!("${}", index + 1),
            ExprKind::Subplan(id) | ExprKind::Exists(id) | ExprKind::ArraySubplan(id) => {
                format!("${}", self.subplan_number(*id))
            }
            ExprKind::Call { function, args } => self.call(function, args, expr),
            ExprKind::Retype(arg) | ExprKind::InOut(arg) => {
                format!("({})::{}", self.text(arg), format_type(expr.ty))
            }
            ExprKind::ArrayCast { arg, .. } => {
                format!("({})::{}", self.text(arg), format_type(expr.ty))
            }
            ExprKind::Element => "element".to_owned(),
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                let word = if matches!(expr.kind, ExprKind::And(_)) { " AND " } else { " OR " };
                format!(
                    "({})",
                    parts.iter().map(|part| self.text(part)).collect::<Vec<_>>().join(word)
                )
            }
            ExprKind::Not(arg) => format!("(NOT {})", self.text(arg)),
            ExprKind::IsNull { arg, negated } => {
                format!("({} IS {}NULL)", self.text(arg), if *negated { "NOT " } else { "" })
            }
            ExprKind::IsBool { arg, value, negated } => {
                let word = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                format!("({} IS {}{word})", self.text(arg), if *negated { "NOT " } else { "" })
            }
            ExprKind::IsDistinct { lhs, rhs, negated, .. } => {
                let inner = format!("({} IS DISTINCT FROM {})", self.text(lhs), self.text(rhs));
                if *negated { format!("(NOT {inner})") } else { inner }
            }
            ExprKind::Case { branches, otherwise } => {
                let mut text = "CASE".to_owned();
                for (condition, result) in branches {
                    text.push_str(" WHEN ");
                    text.push_str(&self.text(condition));
                    text.push_str(" THEN ");
                    text.push_str(&self.text(result));
                }
                if let Some(otherwise) = otherwise {
                    text.push_str(" ELSE ");
                    text.push_str(&self.text(otherwise));
                }
                text + " END"
            }
            ExprKind::Coalesce(parts) => format!("COALESCE({})", list(parts)),
            ExprKind::NullIf { lhs, rhs, .. } => {
                format!("NULLIF({}, {})", self.text(lhs), self.text(rhs))
            }
            ExprKind::MinMax { args, least, .. } => {
                format!("{}({})", if *least { "LEAST" } else { "GREATEST" }, list(args))
            }
            ExprKind::AnyAll { lhs, function, array, all } => {
                let symbol = symbol(function).map_or(function.name, |(symbol, _)| symbol);
                let word = if *all { "ALL" } else { "ANY" };
                format!("({} {symbol} {word} ({}))", self.text(lhs), self.text(array))
            }
            ExprKind::Array(items) => format!("ARRAY[{}]", list(items)),
            ExprKind::Subscript { array, subscripts } => {
                let mut text = self.text(array);
                for index in subscripts {
                    text.push('[');
                    text.push_str(&self.text(index));
                    text.push(']');
                }
                text
            }
            ExprKind::Slice { array, lower, upper } => {
                let bound = |bound: &Option<Box<Expr>>| {
                    bound.as_ref().map_or(String::new(), |bound| self.text(bound))
                };
                format!("{}[{}:{}]", self.text(array), bound(lower), bound(upper))
            }
            ExprKind::Row(fields) => format!("ROW({})", list(fields)),
            ExprKind::Field { arg, index } => format!("({}).f{}", self.text(arg), index + 1),
            ExprKind::Raise(error) => format!("error({})", error.sqlstate().as_str()),
        }
    }

    fn call(&self, function: &'static ScalarFunction, args: &[Expr], expr: &Expr) -> String {
        match (symbol(function), args) {
            (Some((symbol, false)), [lhs, rhs]) => {
                format!("({} {symbol} {})", self.text(lhs), self.text(rhs))
            }
            (Some((symbol, true)), [arg]) => format!("({symbol} {})", self.text(arg)),
            _ => {
                let is_cast = registry::cast(args.first().map_or(TypeId::Void, |arg| arg.ty.id), expr.ty.id).is_some_and(
                    |cast| matches!(cast.method, registry::CastMethod::Function(found) if std::ptr::eq(found, function)),
                );
                if is_cast && !args.is_empty() {
                    return format!("({})::{}", self.text(&args[0]), format_type(expr.ty));
                }
                let args: Vec<String> = args.iter().map(|arg| self.text(arg)).collect();
                format!("{}({})", function.name, args.join(", "))
            }
        }
    }
}

pub(super) fn symbol(function: &'static ScalarFunction) -> Option<(&'static str, bool)> {
    SYMBOLS.get(&(std::ptr::from_ref(function) as usize)).copied()
}

fn literal(value: &Value, expr: &Expr) -> String {
    let ty = format_type(expr.ty);
    match value {
        Value::Null => format!("NULL::{ty}"),
        Value::Bool(value) => value.to_string(),
        Value::Int4(value) if *value >= 0 => value.to_string(),
        Value::Numeric(_) if expr.ty.typmod == -1 => {
            to_text(expr.ty.id, value, &FormatSettings::default())
        }
        other => {
            let text = to_text(expr.ty.id, other, &FormatSettings::default());
            format!("'{}'::{ty}", text.replace('\'', "''"))
        }
    }
}
