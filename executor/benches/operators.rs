//! Time per row of the operators that statements spend their time in: scan and filter, hash join, hash aggregate, sort, top-n; also
//! with so little memory that they go to temporary files (which are in memory here).
//!
//! `cargo bench -p damask-executor --bench operators` measures; without `--bench` (as `cargo test` runs it) everything runs once at
//! tiny size; another argument picks those whose name contains it. The figure is the best of five rounds: the machine's noise only
//! adds. Rows come from a table in memory (a int4, b int4, c text), of which scans alone are the first line.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![allow(dead_code, reason = "the support is shared with the tests, which need more of it")]

#[path = "../tests/it/support.rs"]
mod support;

use damask_catalog::object::{Column, Relation, RelationKind};
use damask_executor::Execution;
use damask_executor::context::Jit;
use damask_planner::expr::Expr;
use damask_planner::physical::{AggregateStrategy, JoinKey, JoinKind, Operator, Scan, SortKey};
use damask_txn::{Engine, Env, IsolationLevel, RelationDesc};
use damask_types::{Batch, ColumnIndex, Oid, Result, SqlType, TypeId, Value, Vector};
use std::hint::black_box;
use std::sync::Arc;
use support::{Input, Planner, aggregate, binary, context, join, literal, memory};

struct Bench {
    env: Env,
    engine: Arc<Engine>,
    table: Arc<Relation>,
    rows: usize,
    rounds: usize,
    /// What a name must contain to be run.
    filter: String,
}

/// Fills a table with `rows` rows: a counts up, b is scattered, c has 1,000 different texts.
fn fill(engine: &Arc<Engine>, rows: usize) -> Result<Relation> {
    let types = [TypeId::Int4, TypeId::Int4, TypeId::Text];
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    let columns = types.map(SqlType::plain).to_vec();
    let rel =
        txn.create_relation(RelationDesc { columns, alias: None, ..RelationDesc::default() })?;
    txn.commit()?.wait()?;
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false)?;
    txn.begin_statement()?;
    let table = engine.table(rel)?;
    let scattered = |i: usize| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as i32;
    for start in (0..rows).step_by(1024) {
        let numbers: Vec<usize> = (start..rows.min(start + 1024)).collect();
        let column = |ty, value: &dyn Fn(usize) -> Value| {
            let values: Vec<Value> = numbers.iter().map(|&i| value(i)).collect();
            Vector::from_values(ty, &values)
        };
        let columns = vec![
            column(TypeId::Int4, &|i| Value::Int4(i as i32)),
            column(TypeId::Int4, &|i| Value::Int4(scattered(i) % rows as i32)),
            column(TypeId::Text, &|i| Value::text(format!("text number {}", scattered(i) % 1000))),
        ];
        table.insert_batch(&mut txn, &Batch::new(columns, numbers.len()))?;
    }
    txn.commit()?.wait()?;
    let mut relation = Relation::new(Oid(20_000), Oid(2200), "t", RelationKind::Table);
    relation.rel = rel;
    relation.columns = types
        .iter()
        .zip(["a", "b", "c"])
        .map(|(ty, name)| Column::new(name, SqlType::plain(*ty)))
        .collect();
    Ok(relation)
}

impl Bench {
    /// A scan of the first `columns` columns.
    fn scan(&self, planner: &mut Planner, columns: usize, below: Option<i32>) -> Input {
        let ids: Vec<Expr> = self.table.columns[..columns]
            .iter()
            .map(|column| planner.column(column.ty.id))
            .collect();
        let predicates = below
            .map(|below| vec![binary("<", &ids[1], &literal(Value::Int4(below)))])
            .unwrap_or_default();
        let scan = Scan {
            table: Arc::clone(&self.table),
            alias: "t".to_owned(),
            columns: (0..).map(ColumnIndex).zip(ids.iter().map(support::id)).collect(),
            row_id: None,
            table_oid: None,
            predicates,
            filter_columns: vec![],
        };
        planner.add(Operator::SeqScan(scan), &ids)
    }

    /// Prints the nanoseconds that the plan takes for each row of the table, in memory and with half a byte a row.
    fn time_both(&self, name: &str, make: impl Fn(&mut Planner) -> Input) -> Result<()> {
        self.time(name, &make)?;
        self.time_within(&format!("{name}, on disk"), self.rows / 2, make)
    }

    /// Prints the nanoseconds that the plan takes for each row of the table.
    fn time(&self, name: &str, make: impl Fn(&mut Planner) -> Input) -> Result<()> {
        self.time_within(name, 1 << 30, make)
    }

    /// The same with operators that may hold `work_mem` bytes.
    fn time_within(
        &self,
        name: &str,
        work_mem: usize,
        make: impl Fn(&mut Planner) -> Input,
    ) -> Result<()> {
        if !name.contains(&self.filter) {
            return Ok(());
        }
        let mut best = f64::INFINITY;
        for _ in 0..self.rounds {
            let mut planner = Planner::default();
            let root = make(&mut planner);
            let plan = Arc::new(planner.finish(&root));
            let mut ctx = context(&self.engine);
            ctx.jit = Jit::On;
            (ctx.work_mem_bytes, ctx.hash_mem_bytes) = (work_mem, work_mem);
            let mut txn = self.engine.begin(IsolationLevel::ReadCommitted, true)?;
            txn.begin_statement()?;
            let start = self.env.clock.now();
            let mut execution = Execution::start(plan, ctx, &txn)?;
            while let Some(batch) = execution.next(&mut txn)? {
                black_box(batch);
            }
            let took = self.env.clock.now().saturating_sub(start);
            best = best.min(took.as_nanos() as f64 / self.rows as f64);
        }
        println!("{name:<48} {best:8.1} ns a row");
        Ok(())
    }
}

fn key(expr: &Expr) -> SortKey {
    SortKey { expr: expr.clone(), descending: false, nulls_first: false }
}

fn main() -> Result<()> {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let rows = if measures { 1_000_000 } else { 3000 };
    let engine = memory();
    let table = Arc::new(fill(&engine, rows)?);
    let bench = Bench {
        env: Env::real(),
        engine,
        table,
        rows,
        rounds: if measures { 5 } else { 1 },
        filter: filter.unwrap_or_default(),
    };
    let tenth = rows as i32 / 10;
    bench.time("scan of two columns", |p| bench.scan(p, 2, None))?;
    bench.time("scan of three columns", |p| bench.scan(p, 3, None))?;
    bench.time("scan, filter keeps a tenth", |p| bench.scan(p, 2, Some(tenth)))?;
    for (name, below) in [("a tenth", tenth), ("the whole", rows as i32)] {
        for kind in [JoinKind::Inner, JoinKind::Semi] {
            bench.time_both(&format!("hash join, {kind:?}, {name} is built"), |p| {
                let (left, right) = (bench.scan(p, 2, None), bench.scan(p, 2, Some(below)));
                let (l, r) = (left.columns[1].clone(), right.columns[0].clone());
                let keys = vec![JoinKey { left: l, right: r, null_safe: false }];
                join(p, kind, &left, &right, Some(keys), vec![])
            })?;
        }
    }
    for (name, column, ty) in
        [("1,000 texts", 2, TypeId::Text), ("numbers, mostly different", 1, TypeId::Int4)]
    {
        bench.time_both(&format!("hash aggregate, count and sum by {name}"), |p| {
            let input = bench.scan(p, 3, None);
            let aggregates = vec![
                aggregate("count", vec![], TypeId::Int8),
                aggregate("sum", vec![input.columns[0].clone()], TypeId::Int8),
            ];
            let groups = vec![input.columns[column].clone()];
            let strategy = AggregateStrategy::Hash;
            let output = [p.column(ty), p.column(TypeId::Int8), p.column(TypeId::Int8)];
            let operator = Operator::Aggregate { input: input.id, groups, aggregates, strategy };
            p.add(operator, &output)
        })?;
    }
    for (name, column) in [("a number", 1), ("a text", 2)] {
        bench.time_both(&format!("sort by {name}"), |p| {
            let input = bench.scan(p, 3, None);
            let keys = vec![key(&input.columns[column])];
            let columns = input.columns.clone();
            p.add(Operator::Sort { input: input.id, keys }, &columns)
        })?;
    }
    bench.time("top 10 by a number", |p| {
        let input = bench.scan(p, 3, None);
        let keys = vec![key(&input.columns[1])];
        let limit = Expr::literal(Value::Int8(10), SqlType::plain(TypeId::Int8));
        let columns = input.columns.clone();
        p.add(Operator::TopN { input: input.id, keys, limit, offset: None }, &columns)
    })
}
