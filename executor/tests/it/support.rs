//! Plans by hand, inputs by chance, rows as text.

use damask_catalog::CatalogSnapshot;
use damask_catalog::object::Relation;
use damask_executor::context::Jit;
use damask_executor::{ExecContext, Execution, NoControl, SystemRows};
use damask_functions::FixedSession;
use damask_functions::registry::{aggregates, operator};
use damask_planner::expr::{ColumnId, Expr};
use damask_planner::physical::{
    AggregateCall, JoinKey, JoinKind, Node, Operator, OutputColumn, Plan, PlanId,
};
use damask_txn::{Engine, EngineOptions, Env, IsolationLevel, Location};
use damask_types::{Result, SqlType, TypeId, Value};
use std::sync::Arc;

/// Sizes at which something begins or ends.
pub(crate) const SIZES: [usize; 6] = [0, 1, 7, 1023, 1024, 1025];

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// The columns of every input: two keys that may be null, and the row's number.
pub(crate) type Row = (Option<i32>, Option<i32>, i32);

/// `size` rows with keys below `keys`, one in `nulls` of them null.
pub(crate) fn random_rows(random: &mut Random, size: usize, keys: usize, nulls: usize) -> Vec<Row> {
    let mut key = || (!random.once_in(nulls)).then(|| random.below(keys) as i32);
    (0..size).map(|number| (key(), key(), number as i32)).collect()
}

pub(crate) fn int(value: Option<i32>) -> Value {
    value.map_or(Value::Null, Value::Int4)
}

pub(crate) fn row_values(row: Row) -> Vec<Value> {
    vec![int(row.0), int(row.1), Value::Int4(row.2)]
}

/// Values as text: `1|null|t`.
pub(crate) fn show(values: &[Value]) -> String {
    let one = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => if *value { "t" } else { "f" }.to_owned(),
        Value::Text(text) => text.to_string(),
        Value::Numeric(number) => number.to_string(),
        other => other.as_i64().map_or_else(|| format!("{other:?}"), |number| number.to_string()),
    };
    values.iter().map(one).collect::<Vec<_>>().join("|")
}

pub(crate) fn show_all(rows: &[Vec<Value>]) -> Vec<String> {
    rows.iter().map(|row| show(row)).collect()
}

pub(crate) fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Asserts that two lists of rows are equal, and says where they are not.
pub(crate) fn assert_rows(found: &[String], expected: &[String], what: &str) {
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = differs.unwrap_or(found.len().min(expected.len()));
    assert!(
        found == expected,
        "{what}: {} rows for {}; at {at}: {:?} for {:?}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at)
    );
}

/// A plan in the making.
#[derive(Default)]
pub(crate) struct Planner {
    nodes: Vec<Node>,
    columns: u32,
}

/// A node and the columns that it gives.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) id: PlanId,
    pub(crate) columns: Vec<Expr>,
}

impl Planner {
    pub(crate) fn column(&mut self, ty: TypeId) -> Expr {
        self.columns += 1;
        Expr::column(ColumnId(self.columns), SqlType::plain(ty))
    }

    pub(crate) fn add(&mut self, operator: Operator, columns: &[Expr]) -> Input {
        let output = columns.iter().map(id).collect();
        let types = columns.iter().map(|column| column.ty).collect();
        self.nodes.push(Node { operator, output, types, rows: 1.0, cost: (0.0, 1.0) });
        Input { id: PlanId(self.nodes.len() as u32 - 1), columns: columns.to_vec() }
    }

    /// Rows of int4 columns in pieces, with other rows between them that a filter takes out.
    pub(crate) fn rows(&mut self, rows: &[Row], random: &mut Random) -> Input {
        let columns: Vec<Expr> = (0..4).map(|_| self.column(TypeId::Int4)).collect();
        let mut pieces = vec![];
        let mut rest = rows;
        while pieces.is_empty() || !rest.is_empty() {
            let size = match random.below(4) {
                0 => random.below(5),
                1 => random.below(300),
                _ => rest.len(),
            };
            let (piece, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            let mut values = vec![];
            for &row in piece {
                while random.once_in(4) {
                    values.push(literals(&[Value::Int4(1), Value::Null, Value::Int4(-1)], 0));
                }
                values.push(literals(&row_values(row), 1));
            }
            let own: Vec<Expr> = (0..4).map(|_| self.column(TypeId::Int4)).collect();
            pieces.push(self.add(Operator::Values { rows: values }, &own).id);
        }
        let all = self.add(Operator::Append { inputs: pieces }, &columns);
        let predicates = vec![binary("=", &columns[3], &literal(Value::Int4(1)))];
        self.add(Operator::Filter { input: all.id, predicates }, &columns)
    }

    pub(crate) fn finish(self, root: &Input) -> Plan {
        let columns = root
            .columns
            .iter()
            .map(|column| OutputColumn { name: "a".to_owned(), ty: column.ty, origin: None })
            .collect();
        Plan {
            nodes: self.nodes,
            root: root.id,
            columns,
            parameters: [].into(),
            relations: vec![],
            writes: false,
            locks_rows: false,
        }
    }

    /// The rows that a plan gives, all columns. They are the same rows, maybe in another order, if no operator may hold anything.
    pub(crate) fn run(self, root: &Input) -> Result<Vec<Vec<Value>>> {
        let plan = Arc::new(self.finish(root));
        let rows = run_plan(&plan, 1 << 30);
        let spilled = run_plan(&plan, 0);
        match (&rows, &spilled) {
            (Ok(rows), Ok(spilled)) => {
                let what = "spilled";
                assert_rows(&sorted(show_all(spilled)), &sorted(show_all(rows)), what);
            }
            (Err(error), Err(other)) => assert_eq!(error.sqlstate(), other.sqlstate()),
            _ => panic!("{rows:?} in memory, {spilled:?} on disk"),
        }
        rows
    }
}

/// Runs a plan whose operators may each hold `work_mem` bytes.
pub(crate) fn run_plan(plan: &Arc<Plan>, work_mem: usize) -> Result<Vec<Vec<Value>>> {
    thread_local! {
        static ENGINE: Arc<Engine> = memory();
    }
    let mut ctx = ENGINE.with(context);
    (ctx.work_mem_bytes, ctx.hash_mem_bytes) = (work_mem, work_mem);
    run_in(plan, ctx)
}

/// Runs a plan to its end; nothing may be left behind.
pub(crate) fn run_in(plan: &Arc<Plan>, ctx: ExecContext) -> Result<Vec<Vec<Value>>> {
    let engine = Arc::clone(&ctx.engine);
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    let mut execution = Execution::start(Arc::clone(plan), ctx, &txn)?;
    let mut rows = vec![];
    let result = loop {
        match execution.next(&mut txn) {
            Err(error) => break Err(error),
            Ok(None) => break Ok(()),
            Ok(Some(batch)) => {
                assert!(batch.rows() > 0 && batch.rows() <= damask_types::TILE_ROWS);
                for row in batch.active().iter() {
                    rows.push(batch.columns.iter().map(|column| column.value(row)).collect());
                }
            }
        }
    };
    assert_eq!(execution.memory_bytes(), 0, "memory is given back at the end");
    let stats = engine.temp_folder().stats();
    assert_eq!((stats.open, stats.bytes), (0, 0), "files are gone at the end");
    result.map(|()| rows)
}

fn literals(values: &[Value], last: i32) -> Vec<Expr> {
    values.iter().cloned().chain([Value::Int4(last)]).map(literal).collect()
}

pub(crate) fn literal(value: Value) -> Expr {
    Expr::literal(value, SqlType::plain(TypeId::Int4))
}

/// The id of a column.
pub(crate) fn id(column: &Expr) -> ColumnId {
    column.as_column().expect("a column was asked for")
}

/// A comparison or sum of two int4.
pub(crate) fn binary(name: &str, lhs: &Expr, rhs: &Expr) -> Expr {
    let found = operator(name, Some(TypeId::Int4), TypeId::Int4).expect("the operator is there");
    let ty = SqlType::plain(found.function.result);
    Expr::call(found.function, vec![lhs.clone(), rhs.clone()], ty)
}

/// A join of two inputs, by hash if there are keys.
pub(crate) fn join(
    planner: &mut Planner,
    kind: JoinKind,
    left: &Input,
    right: &Input,
    keys: Option<Vec<JoinKey>>,
    conditions: Vec<Expr>,
) -> Input {
    let mut columns = left.columns.clone();
    if kind.gives_right() {
        columns.extend(right.columns.iter().cloned());
    }
    if kind == JoinKind::Mark {
        columns.push(planner.column(TypeId::Bool));
    }
    let (left, right) = (left.id, right.id);
    let operator = match keys {
        Some(keys) => Operator::HashJoin { kind, left, right, keys, residual: conditions },
        None => Operator::NestedLoopJoin { kind, left, right, predicates: conditions },
    };
    planner.add(operator, &columns)
}

/// A call of an aggregate over int4 arguments.
pub(crate) fn aggregate(name: &str, args: Vec<Expr>, result: TypeId) -> AggregateCall {
    let is_fit = |args: &[TypeId], given: &[Expr]| {
        args.len() == given.len()
            && args.iter().zip(given).all(|(ty, arg)| *ty == arg.ty.id || *ty == TypeId::Any)
    };
    let function = aggregates(name)
        .iter()
        .find(|function| is_fit(function.args, &args))
        .expect("the aggregate is there");
    let ty = SqlType::plain(result);
    AggregateCall { function, args, distinct: false, filter: None, order: vec![], ty }
}

pub(crate) fn memory() -> Arc<Engine> {
    let options = EngineOptions { pool_bytes: 64 << 20, ..Default::default() };
    Engine::open(Env::in_memory(1), Location::Memory, options).expect("memory can be opened")
}

pub(crate) fn context(engine: &Arc<Engine>) -> ExecContext {
    ExecContext {
        params: vec![],
        session: Arc::new(FixedSession::default()),
        engine: Arc::clone(engine),
        catalog: Arc::new(CatalogSnapshot::default()),
        system: Arc::new(NoRows),
        control: Arc::new(NoControl),
        memory_bytes_max: 1 << 30,
        memory: Arc::default(),
        work_mem_bytes: 1 << 30,
        hash_mem_bytes: 1 << 30,
        jit: Jit::Off,
        timing: false,
    }
}

struct NoRows;

impl SystemRows for NoRows {
    fn rows(&self, _: &Relation) -> Result<Vec<Vec<Value>>> {
        Ok(vec![])
    }
}
