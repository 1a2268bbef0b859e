//! Plans as EXPLAIN shows them: PostgreSQL's node names, layout and words.
//!
//! Projections are not shown, as in PostgreSQL; a hash join shows its build side under a `Hash`; a subquery that runs once is an `InitPlan`
//! of the node that reads it.

mod expr;

use crate::expr::{ColumnId, Expr, ExprKind};
use crate::physical::{
    AggregateCall, AggregateStrategy, JoinKind, Node, OnConflict, Operator, Plan, PlanId, Scan,
    SetKind, SortKey,
};
use damask_catalog::ddl::index_expr_text;
use damask_catalog::object::KeySource;
use damask_functions::ScalarFunction;
use damask_types::PhysicalType;
use expr::Printer;
use std::fmt::Write as _;

/// An expression that reads parameters alone, in the manner of PostgreSQL's deparser.
pub(crate) fn expression_text(expr: &Expr) -> String {
    let plan = Plan {
        nodes: vec![],
        root: PlanId(0),
        columns: [].into(),
        parameters: [].into(),
        relations: vec![],
        writes: false,
        locks_rows: false,
    };
    Printer::new(&plan).text(expr)
}

/// The operator of two operands that a function implements.
pub(crate) fn operator_symbol(function: &'static ScalarFunction) -> Option<&'static str> {
    expr::symbol(function).filter(|(_, is_prefix)| !is_prefix).map(|(symbol, _)| symbol)
}

/// What EXPLAIN shows.
#[derive(Clone, Copy, Debug)]
pub struct ExplainOptions {
    /// COSTS.
    pub costs: bool,
    /// VERBOSE.
    pub verbose: bool,
    /// TIMING, of EXPLAIN ANALYZE.
    pub timing: bool,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self { costs: true, verbose: false, timing: true }
    }
}

/// What running a node came to.
#[derive(Clone, Debug, Default)]
pub struct NodeStats {
    /// Rows given, over all loops.
    pub rows: u64,
    /// How often it was started.
    pub loops: u64,
    /// Milliseconds until the first row, over all loops.
    pub first_ms: f64,
    /// Milliseconds until the last row, over all loops.
    pub total_ms: f64,
    /// How a sort went: its method, as PostgreSQL calls it.
    pub sort_method: Option<&'static str>,
    /// Of a hash table: in how many parts its rows were worked on (0 if there is none), and its buckets.
    pub batches: u64,
    /// See `batches`.
    pub buckets: u64,
    /// Most bytes held in memory.
    pub memory_bytes: u64,
    /// Most bytes in temporary files.
    pub disk_bytes: u64,
    /// The expressions that ran as machine code.
    pub compiled: Vec<Expr>,
}

impl NodeStats {
    fn memory_kb(&self) -> u64 {
        self.memory_bytes.div_ceil(1024)
    }

    fn disk_kb(&self) -> u64 {
        self.disk_bytes.div_ceil(1024)
    }
}

/// What compiling expressions came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct JitStats {
    /// Expressions that ran as machine code.
    pub functions: u64,
    /// Milliseconds that compiling took.
    pub total_ms: f64,
}

/// The lines of EXPLAIN ANALYZE about compiled expressions; none if nothing was compiled. Code is generated in one go, so there is one time.
pub fn jit_text(jit: JitStats, options: ExplainOptions) -> Vec<String> {
    if jit.functions == 0 {
        return vec![];
    }
    let mut lines = vec![
        "JIT:".to_owned(),
        format!("  Functions: {}", jit.functions),
        "  Options: Inlining false, Optimization true, Expressions true, Deforming false"
            .to_owned(),
    ];
    if options.timing {
        lines.push(format!(
            "  Timing: Generation {:.3} ms, Total {:.3} ms",
            jit.total_ms, jit.total_ms
        ));
    }
    lines
}

/// The lines of EXPLAIN's text format. `actuals` are those of EXPLAIN ANALYZE.
pub fn text(
    plan: &Plan,
    options: ExplainOptions,
    actuals: Option<&dyn Fn(PlanId) -> NodeStats>,
) -> Vec<String> {
    let mut writer = Writer {
        plan,
        options,
        actuals,
        printer: Printer::new(plan),
        lines: vec![],
        projections: vec![],
        seen: vec![],
        init_plans: vec![],
    };
    writer.node(plan.root, 2, true);
    writer.lines
}

struct Writer<'a> {
    plan: &'a Plan,
    options: ExplainOptions,
    actuals: Option<&'a dyn Fn(PlanId) -> NodeStats>,
    printer: Printer<'a>,
    lines: Vec<String>,
    /// Projections above the node that is shown next.
    projections: Vec<PlanId>,
    /// Shared sources that were shown.
    seen: Vec<PlanId>,
    /// Subplans that were shown, by number.
    init_plans: Vec<PlanId>,
}

impl Writer<'_> {
    fn node(&mut self, id: PlanId, indent: usize, is_root: bool) {
        let node = self.plan.node(id);
        // Projections are part of the node below.
        if let Operator::Project { input, exprs } = &node.operator {
            let below = self.plan.node(*input);
            let is_result = matches!(&below.operator, Operator::Values { rows } if rows.iter().all(Vec::is_empty));
            self.projections.push(id);
            if is_result {
                self.title("Result", id, indent, is_root);
                self.compiled(*input, indent);
                self.init_plans_of(exprs.iter(), indent);
                return;
            }
            self.node(*input, indent, is_root);
            self.init_plans_of(exprs.iter(), indent);
            return;
        }
        let title = Self::name(node);
        self.title(&title, id, indent, is_root);
        self.details(node, indent);
        self.measures(id, node, indent);
        self.compiled(id, indent);
        let mut exprs: Vec<&Expr> = vec![];
        node.operator.for_each_expr(&mut |expr| exprs.push(expr));
        self.init_plans_of(exprs.into_iter(), indent);
        for (index, child) in node.operator.inputs().into_iter().enumerate() {
            if let Operator::HashJoin { .. } = node.operator
                && index == 1
            {
                self.title("Hash", child, indent + 6, false);
                self.hash_measures(id, indent + 6);
                self.node(child, indent + 12, false);
                continue;
            }
            if let Operator::Shared { source } = node.operator {
                if self.seen.contains(&source) {
                    continue;
                }
                self.seen.push(source);
            }
            self.node(child, indent + 6, false);
        }
    }

    fn init_plans_of<'e>(&mut self, exprs: impl Iterator<Item = &'e Expr>, indent: usize) {
        let mut found = vec![];
        for expr in exprs {
            expr.walk(&mut |expr| {
                if let ExprKind::Subplan(id) | ExprKind::Exists(id) | ExprKind::ArraySubplan(id) =
                    expr.kind
                {
                    found.push(id);
                }
            });
        }
        for id in found {
            if self.init_plans.contains(&id) {
                continue;
            }
            self.init_plans.push(id);
            let number = self.printer.subplan_number(id);
            self.lines.push(format!(
                "{}InitPlan {} (returns ${})",
                pad(indent),
                number + 1,
                number
            ));
            self.node(id, indent + 8, false);
        }
    }

    fn title(&mut self, title: &str, id: PlanId, indent: usize, is_root: bool) {
        let node = self.plan.node(id);
        let mut line =
            if is_root { title.to_owned() } else { format!("{}->  {title}", pad(indent - 6)) };
        if self.options.costs {
            let _ = write!(
                line,
                "  (cost={:.2}..{:.2} rows={:.0} width={})",
                node.cost.0,
                node.cost.1.max(node.cost.0),
                node.rows,
                width(node)
            );
        }
        if let Some(actuals) = self.actuals {
            let stats = actuals(id);
            if stats.loops == 0 {
                line.push_str(" (never executed)");
            } else {
                let loops = stats.loops as f64;
                let rows = (stats.rows as f64 / loops).round();
                if self.options.timing {
                    let _ = write!(
                        line,
                        " (actual time={:.3}..{:.3} rows={rows:.0} loops={})",
                        stats.first_ms / loops,
                        stats.total_ms / loops,
                        stats.loops
                    );
                } else {
                    let _ = write!(line, " (actual rows={rows:.0} loops={})", stats.loops);
                }
            }
        }
        self.lines.push(line);
    }

    /// What a node that sorts or groups took.
    fn measures(&mut self, id: PlanId, node: &Node, indent: usize) {
        let Some(actuals) = self.actuals else { return };
        let stats = actuals(id);
        if let Some(method) = stats.sort_method {
            let (place, kb) = if stats.disk_bytes > 0 {
                ("Disk", stats.disk_kb())
            } else {
                ("Memory", stats.memory_kb())
            };
            self.lines.push(format!("{}Sort Method: {method}  {place}: {kb}kB", pad(indent)));
        }
        // PostgreSQL says it of a HashAggregate alone; we say it too when something did not fit.
        let is_grouping = match &node.operator {
            Operator::Aggregate { strategy, .. } => *strategy == AggregateStrategy::Hash,
            Operator::Distinct { .. } => true,
            _ => false,
        };
        let is_join = matches!(node.operator, Operator::HashJoin { .. });
        if !is_join && stats.batches > u64::from(!is_grouping) {
            let mut line = format!(
                "{}Batches: {}  Memory Usage: {}kB",
                pad(indent),
                stats.batches,
                stats.memory_kb()
            );
            if stats.disk_bytes > 0 {
                let _ = write!(line, "  Disk Usage: {}kB", stats.disk_kb());
            }
            self.lines.push(line);
        }
    }

    /// What the table of a hash join took.
    fn hash_measures(&mut self, join: PlanId, indent: usize) {
        let Some(stats) = self.actuals.map(|actuals| actuals(join)) else { return };
        if stats.batches > 0 {
            self.lines.push(format!(
                "{}Buckets: {}  Batches: {}  Memory Usage: {}kB",
                pad(indent),
                stats.buckets,
                stats.batches,
                stats.memory_kb()
            ));
        }
    }

    /// The expressions of a node, and of the projections above it, that ran as machine code.
    fn compiled(&mut self, id: PlanId, indent: usize) {
        let mut nodes = std::mem::take(&mut self.projections);
        nodes.push(id);
        let Some(actuals) = self.actuals else { return };
        let mut texts: Vec<String> = vec![];
        for id in nodes {
            for expr in &actuals(id).compiled {
                texts.push(self.printer.text(expr));
            }
        }
        if !texts.is_empty() {
            self.detail(indent, "Compiled", &texts.join(", "));
        }
    }

    fn detail(&mut self, indent: usize, label: &str, text: &str) {
        self.lines.push(format!("{}{label}: {text}", pad(indent)));
    }

    fn name(node: &Node) -> String {
        let on = |scan: &Scan| {
            let name = quote(&scan.table.name);
            if scan.alias == scan.table.name {
                name
            } else {
                format!("{name} {}", quote(&scan.alias))
            }
        };
        match &node.operator {
            Operator::Values { rows } if rows.len() == 1 => "Result".to_owned(),
            Operator::Values { .. } => "Values Scan on \"*VALUES*\"".to_owned(),
            Operator::Input => "Input".to_owned(),
            Operator::SeqScan(scan) | Operator::SystemScan(scan) => {
                format!("Seq Scan on {}", on(scan))
            }
            Operator::IndexScan { scan, index, backward, index_only, .. } => {
                let only = if *index_only { " Only" } else { "" };
                let backward = if *backward { " Backward" } else { "" };
                format!("Index{only} Scan{backward} using {} on {}", quote(&index.name), on(scan))
            }
            Operator::FunctionScan { function, .. } => {
                format!("Function Scan on {}", function.name)
            }
            Operator::Filter { .. } | Operator::Project { .. } => "Result".to_owned(),
            Operator::ProjectSet { .. } => "ProjectSet".to_owned(),
            Operator::HashJoin { kind, .. } => format!("Hash{} Join", join_word(*kind)),
            Operator::NestedLoopJoin { kind, .. } | Operator::Apply { kind, .. } => {
                let word = join_word(*kind);
                if word.is_empty() {
                    "Nested Loop".to_owned()
                } else {
                    format!("Nested Loop{word} Join")
                }
            }
            Operator::Aggregate { strategy, groups, .. } => match (strategy, groups.is_empty()) {
                (AggregateStrategy::Hash, _) => "HashAggregate",
                (AggregateStrategy::Streaming, _) => "GroupAggregate",
                (AggregateStrategy::Plain, _) => "Aggregate",
            }
            .to_owned(),
            Operator::Distinct { sorted: true, .. } => "Unique".to_owned(),
            Operator::Distinct { .. } => "HashAggregate".to_owned(),
            Operator::Sort { .. } => "Sort".to_owned(),
            Operator::TopN { .. } => "Top-N Sort".to_owned(),
            Operator::Limit { .. } => "Limit".to_owned(),
            Operator::Append { .. } => "Append".to_owned(),
            Operator::SetOperation { kind, all, .. } => {
                let word = match kind {
                    SetKind::Intersect => "Intersect",
                    SetKind::Except => "Except",
                };
                format!("HashSetOp {word}{}", if *all { " All" } else { "" })
            }
            Operator::Shared { .. } => "CTE Scan".to_owned(),
            Operator::Insert(insert) => format!("Insert on {}", quote(&insert.table.name)),
            Operator::Update(update) => format!("Update on {}", quote(&update.table.name)),
            Operator::Delete(delete) => format!("Delete on {}", quote(&delete.table.name)),
            Operator::LockRows { .. } => "LockRows".to_owned(),
        }
    }

    fn details(&mut self, node: &Node, indent: usize) {
        match &node.operator {
            Operator::SeqScan(scan) | Operator::SystemScan(scan) => {
                self.conjuncts(indent, "Filter", &scan.predicates);
            }
            Operator::IndexScan { scan, index, bounds, .. } => {
                let mut parts = vec![];
                let name = |at: usize| {
                    index.keys.get(at).map_or_else(String::new, |key| match key.source {
                        KeySource::Column(column) => {
                            quote(&scan.table.columns[usize::from(column.0)].name)
                        }
                        KeySource::Expr(place) => {
                            index_expr_text(&scan.table, &index.exprs[place].text, false)
                        }
                    })
                };
                let equal = bounds.equal.len();
                for (at, value) in bounds.equal.iter().enumerate() {
                    let value = self.printer.text(value);
                    parts.push(if bounds.any && at + 1 == equal {
                        format!("({} = ANY ({value}))", name(at))
                    } else {
                        format!("({} = {value})", name(at))
                    });
                }
                if let Some((value, inclusive)) = &bounds.lower {
                    let sign = if *inclusive { ">=" } else { ">" };
                    parts.push(format!("({} {sign} {})", name(equal), self.printer.text(value)));
                }
                if let Some((value, inclusive)) = &bounds.upper {
                    let sign = if *inclusive { "<=" } else { "<" };
                    parts.push(format!("({} {sign} {})", name(equal), self.printer.text(value)));
                }
                match &parts[..] {
                    [] => {}
                    [one] => self.detail(indent, "Index Cond", &one.clone()),
                    many => {
                        let joined = format!("({})", many.join(" AND "));
                        self.detail(indent, "Index Cond", &joined);
                    }
                }
                self.conjuncts(indent, "Filter", &scan.predicates);
            }
            Operator::Filter { predicates, .. } => self.conjuncts(indent, "Filter", predicates),
            Operator::HashJoin { keys, residual, .. } => {
                let parts: Vec<String> = keys
                    .iter()
                    .map(|key| {
                        let (left, right) =
                            (self.printer.text(&key.left), self.printer.text(&key.right));
                        if key.null_safe {
                            format!("(NOT ({left} IS DISTINCT FROM {right}))")
                        } else {
                            format!("({left} = {right})")
                        }
                    })
                    .collect();
                let joined = if parts.len() == 1 {
                    parts[0].clone()
                } else {
                    format!("({})", parts.join(" AND "))
                };
                self.detail(indent, "Hash Cond", &joined);
                self.conjuncts(indent, "Join Filter", residual);
            }
            Operator::NestedLoopJoin { predicates, .. } | Operator::Apply { predicates, .. } => {
                self.conjuncts(indent, "Join Filter", predicates);
            }
            Operator::Aggregate { groups, .. } if !groups.is_empty() => {
                let keys: Vec<String> =
                    groups.iter().map(|group| self.printer.text(group)).collect();
                self.detail(indent, "Group Key", &keys.join(", "));
            }
            Operator::Distinct { keys, sorted: false, .. } => {
                let keys: Vec<String> = keys.iter().map(|&id| self.printer.column(id)).collect();
                self.detail(indent, "Group Key", &keys.join(", "));
            }
            Operator::Sort { keys, .. } | Operator::TopN { keys, .. } => {
                let keys: Vec<String> = keys.iter().map(|key| self.sort_key(key)).collect();
                self.detail(indent, "Sort Key", &keys.join(", "));
            }
            Operator::Insert(insert) => {
                if let Some(conflict) = &insert.conflict {
                    self.conflict(conflict, indent);
                }
            }
            _ => {}
        }
    }

    fn conflict(&mut self, conflict: &OnConflict, indent: usize) {
        let word = if conflict.update.is_some() { "UPDATE" } else { "NOTHING" };
        self.detail(indent, "Conflict Resolution", word);
        if let Some(arbiters) = &conflict.arbiters {
            let names: Vec<String> = arbiters.iter().map(|index| quote(&index.name)).collect();
            self.detail(indent, "Conflict Arbiter Indexes", &names.join(", "));
        }
        if let Some(update) = &conflict.update {
            self.conjuncts(indent, "Conflict Filter", &update.predicates);
        }
    }

    fn sort_key(&self, key: &SortKey) -> String {
        let mut text = self.printer.text(&key.expr);
        if key.descending {
            text.push_str(" DESC");
        }
        if key.nulls_first != key.descending {
            text.push_str(if key.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
        }
        text
    }

    fn conjuncts(&mut self, indent: usize, label: &str, predicates: &[Expr]) {
        let text = match predicates {
            [] => return,
            [one] => self.printer.text(one),
            many => {
                let parts: Vec<String> = many.iter().map(|part| self.printer.text(part)).collect();
                format!("({})", parts.join(" AND "))
            }
        };
        self.detail(indent, label, &text);
    }
}

/// Blanks before the details of a node.
fn pad(indent: usize) -> String {
    " ".repeat(indent)
}

fn join_word(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "",
        JoinKind::Left => " Left",
        JoinKind::Right => " Right",
        JoinKind::Full => " Full",
        JoinKind::Semi => " Semi",
        JoinKind::Anti => " Anti",
        JoinKind::NullAwareAnti => " Null-Aware Anti",
        JoinKind::Mark => " Mark",
        JoinKind::Single => " Single",
    }
}

fn width(node: &Node) -> usize {
    node.types
        .iter()
        .map(|ty| match ty.id.physical() {
            PhysicalType::Bool => 1,
            PhysicalType::Int2 => 2,
            PhysicalType::Int4 | PhysicalType::Oid | PhysicalType::Float4 => 4,
            PhysicalType::Int8 | PhysicalType::Float8 => 8,
            PhysicalType::Interval | PhysicalType::Uuid => 16,
            PhysicalType::Numeric | PhysicalType::Bytes | PhysicalType::Boxed => 32,
        })
        .sum()
}

/// An identifier, quoted if it must be.
pub(crate) fn quote(name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
        && !name.as_bytes()[0].is_ascii_digit();
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl Operator {
    /// The nodes it reads, left to right.
    pub fn inputs(&self) -> Vec<PlanId> {
        match self {
            Self::Values { .. }
            | Self::Input
            | Self::SeqScan(_)
            | Self::IndexScan { .. }
            | Self::SystemScan(_)
            | Self::FunctionScan { .. } => vec![],
            Self::Filter { input, .. }
            | Self::Project { input, .. }
            | Self::ProjectSet { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Distinct { input, .. }
            | Self::Sort { input, .. }
            | Self::TopN { input, .. }
            | Self::Limit { input, .. }
            | Self::LockRows { input, .. } => vec![*input],
            Self::HashJoin { left, right, .. }
            | Self::NestedLoopJoin { left, right, .. }
            | Self::Apply { left, right, .. }
            | Self::SetOperation { left, right, .. } => vec![*left, *right],
            Self::Append { inputs } => inputs.clone(),
            Self::Shared { source } => vec![*source],
            Self::Insert(insert) => {
                let update = insert.conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
                let source = update.and_then(|update| update.source);
                std::iter::once(insert.input).chain(source).collect()
            }
            Self::Update(update) => vec![update.input],
            Self::Delete(delete) => vec![delete.input],
        }
    }

    /// Calls `f` for each of its expressions.
    pub fn for_each_expr<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Values { rows } => rows.iter().flatten().for_each(f),
            Self::Input
            | Self::Distinct { .. }
            | Self::Append { .. }
            | Self::SetOperation { .. }
            | Self::Shared { .. }
            | Self::LockRows { .. } => {}
            Self::SeqScan(scan) | Self::SystemScan(scan) => scan.predicates.iter().for_each(f),
            Self::IndexScan { scan, bounds, .. } => {
                bounds.equal.iter().for_each(&mut *f);
                bounds.lower.iter().chain(&bounds.upper).for_each(|(expr, _)| f(expr));
                scan.predicates.iter().for_each(f);
            }
            Self::FunctionScan { args, .. } => args.iter().for_each(f),
            Self::Filter { predicates, .. }
            | Self::NestedLoopJoin { predicates, .. }
            | Self::Apply { predicates, .. } => predicates.iter().for_each(f),
            Self::Project { exprs, .. } => exprs.iter().for_each(f),
            Self::ProjectSet { functions, .. } => {
                functions.iter().flat_map(|(_, args)| args).for_each(f);
            }
            Self::HashJoin { keys, residual, .. } => {
                for key in keys {
                    f(&key.left);
                    f(&key.right);
                }
                residual.iter().for_each(f);
            }
            Self::Aggregate { groups, aggregates, .. } => {
                groups.iter().for_each(&mut *f);
                for call in aggregates {
                    call.args.iter().for_each(&mut *f);
                    call.filter.iter().for_each(&mut *f);
                    call.order.iter().for_each(|key| f(&key.expr));
                }
            }
            Self::Sort { keys, .. } => keys.iter().for_each(|key| f(&key.expr)),
            Self::TopN { keys, limit, offset, .. } => {
                for key in keys {
                    f(&key.expr);
                }
                f(limit);
                offset.iter().for_each(f);
            }
            Self::Limit { limit, offset, .. } => limit.iter().chain(offset).for_each(f),
            Self::Insert(insert) => {
                if let Some(update) =
                    insert.conflict.as_ref().and_then(|conflict| conflict.update.as_ref())
                {
                    update.assignments.iter().for_each(|(_, expr)| f(expr));
                    update.predicates.iter().for_each(&mut *f);
                }
                insert.checks.checks.iter().for_each(|(_, expr)| f(expr));
                insert.returning.iter().for_each(f);
            }
            Self::Update(update) => {
                update.assignments.iter().for_each(|(_, expr)| f(expr));
                update.recheck.iter().for_each(&mut *f);
                update.checks.checks.iter().for_each(|(_, expr)| f(expr));
                update.returning.iter().for_each(f);
            }
            Self::Delete(delete) => delete.recheck.iter().chain(&delete.returning).for_each(f),
        }
    }
}

/// What a call of an aggregate looks like.
pub(crate) fn call_text(printer: &Printer<'_>, call: &AggregateCall) -> String {
    let args: Vec<String> = call.args.iter().map(|arg| printer.text(arg)).collect();
    let args = if call.args.is_empty() { "*".to_owned() } else { args.join(", ") };
    format!("{}({}{args})", call.function.name, if call.distinct { "DISTINCT " } else { "" })
}

/// The name of a column made by a node, for printing.
pub(crate) fn made_column(printer: &Printer<'_>, node: &Node, id: ColumnId) -> Option<String> {
    let place = node.output.iter().position(|other| *other == id)?;
    match &node.operator {
        Operator::Project { exprs, .. } => {
            let expr = exprs.get(place)?;
            (expr.as_column() != Some(id)).then(|| printer.text(expr))
        }
        Operator::Aggregate { groups, aggregates, .. } => match groups.get(place) {
            Some(group) => (group.as_column() != Some(id)).then(|| printer.text(group)),
            None => aggregates.get(place - groups.len()).map(|call| call_text(printer, call)),
        },
        Operator::SeqScan(scan) | Operator::SystemScan(scan) | Operator::IndexScan { scan, .. } => {
            printer.scan_column(scan, id)
        }
        Operator::FunctionScan { function, .. } => Some(function.name.to_owned()),
        Operator::ProjectSet { functions, input } => {
            let own = place.checked_sub(printer.plan.node(*input).output.len())?;
            functions.get(own).map(|(function, args)| {
                let args: Vec<String> = args.iter().map(|arg| printer.text(arg)).collect();
                format!("{}({})", function.name, args.join(", "))
            })
        }
        Operator::Shared { source } => {
            let below = printer.plan.node(*source).output.get(place)?;
            Some(printer.column(*below))
        }
        Operator::Append { inputs } => {
            let below = printer.plan.node(*inputs.first()?).output.get(place)?;
            Some(printer.column(*below))
        }
        Operator::Values { .. } => Some(format!("column{}", place + 1)),
        _ => None,
    }
}
