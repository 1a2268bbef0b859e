//! Operators that must not hold much: full disks, cancels, and what is left behind.

use crate::support::*;
use damask_executor::{Control, ExecContext, Execution};
use damask_planner::expr::Expr;
use damask_planner::physical::{
    AggregateStrategy, JoinKey, JoinKind, Operator, Plan, SetKind, SortKey,
};
use damask_txn::vfs::{Fault, OpenOptions, SimVfs, Vfs};
use damask_txn::{Engine, EngineOptions, Env, IsolationLevel, Location};
use damask_types::{Error, Result, SqlState, SqlType, TypeId, Value};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const ROWS: usize = 20_000;

/// A sort of many rows by both keys.
fn sort_plan() -> Arc<Plan> {
    let mut random = Random::new(5);
    let rows = random_rows(&mut random, ROWS, 1000, 7);
    let mut planner = Planner::default();
    let input = planner.rows(&rows, &mut random);
    let key = |at: usize| SortKey {
        expr: input.columns[at].clone(),
        descending: at == 1,
        nulls_first: false,
    };
    let operator = Operator::Sort { input: input.id, keys: vec![key(0), key(1)] };
    let root = planner.add(operator, &input.columns.clone());
    Arc::new(planner.finish(&root))
}

/// A plan over one input of many rows.
fn over_rows(make: impl Fn(&mut Planner, &Input) -> Input) -> Arc<Plan> {
    let mut random = Random::new(6);
    let rows = random_rows(&mut random, ROWS, 15_000, 7);
    let mut planner = Planner::default();
    let input = planner.rows(&rows, &mut random);
    let root = make(&mut planner, &input);
    Arc::new(planner.finish(&root))
}

/// `count(*), sum(b), count(DISTINCT number)` by `a`, or of all rows.
fn aggregate_plan(grouped: bool) -> Arc<Plan> {
    over_rows(|planner, input| {
        let mut different = aggregate("count", vec![input.columns[2].clone()], TypeId::Int8);
        different.distinct = true;
        let aggregates = vec![
            aggregate("count", vec![], TypeId::Int8),
            aggregate("sum", vec![input.columns[1].clone()], TypeId::Int8),
            different,
        ];
        let groups = if grouped { vec![input.columns[0].clone()] } else { vec![] };
        let strategy = if grouped { AggregateStrategy::Hash } else { AggregateStrategy::Plain };
        let mut columns: Vec<_> = groups.iter().map(|_| planner.column(TypeId::Int4)).collect();
        columns.extend((0..3).map(|_| planner.column(TypeId::Int8)));
        let operator = Operator::Aggregate { input: input.id, groups, aggregates, strategy };
        planner.add(operator, &columns)
    })
}

/// Every plan whose operator goes to disk.
fn plans() -> Vec<(&'static str, Arc<Plan>)> {
    let distinct = over_rows(|planner, input| {
        let keys = vec![id(&input.columns[0]), id(&input.columns[1])];
        let operator = Operator::Distinct { input: input.id, keys, sorted: false };
        planner.add(operator, &input.columns)
    });
    let intersect = over_rows(|planner, input| {
        let (kind, all) = (SetKind::Intersect, true);
        let operator = Operator::SetOperation { kind, all, left: input.id, right: input.id };
        planner.add(operator, &input.columns)
    });
    let cross = over_rows(|planner, input| {
        let operator = Operator::Limit {
            input: input.id,
            limit: Some(Expr::literal(Value::Int8(3), SqlType::plain(TypeId::Int8))),
            offset: None,
        };
        let few = planner.add(operator, &input.columns);
        join(planner, JoinKind::Right, &few, input, None, vec![])
    });
    let hash = |kind| {
        over_rows(move |planner, input| {
            let mut right = input.clone();
            right.columns.clone_from(&planner.rows(&[], &mut Random::new(1)).columns);
            let exprs = input.columns.clone();
            let operator = Operator::Project { input: input.id, exprs };
            let right = planner.add(operator, &right.columns);
            let (l, r) = (input.columns[0].clone(), right.columns[0].clone());
            let keys = vec![JoinKey { left: l, right: r, null_safe: false }];
            join(planner, kind, input, &right, Some(keys), vec![])
        })
    };
    vec![
        ("hash join", hash(JoinKind::Full)),
        ("hash anti join", hash(JoinKind::Anti)),
        ("sort", sort_plan()),
        ("aggregate", aggregate_plan(true)),
        ("distinct within one group", aggregate_plan(false)),
        ("distinct", distinct),
        ("intersect", intersect),
        ("nested loop", cross),
    ]
}

fn tiny(engine: &Arc<Engine>) -> ExecContext {
    let mut ctx = context(engine);
    (ctx.work_mem_bytes, ctx.hash_mem_bytes) = (64 << 10, 64 << 10);
    ctx
}

/// An engine on a simulated disk.
fn simulated() -> (SimVfs, Arc<Engine>) {
    let disk = SimVfs::default();
    let env = Env::simulated(Arc::new(disk.clone()), 1);
    let options = EngineOptions { pool_bytes: 1 << 20, ..Default::default() };
    let location = Location::File("/a.damask".into());
    (disk, Engine::open(env, location, options).expect("the disk is empty"))
}

fn left_files(engine: &Arc<Engine>) -> u64 {
    engine.temp_folder().stats().open
}

#[test]
fn what_does_not_fit_is_written_and_removed() {
    for (name, plan) in plans() {
        let engine = memory();
        let rows = run_in(&plan, tiny(&engine)).expect("the disk is memory");
        let stats = engine.temp_folder().stats();
        assert!(stats.files > 0 && stats.bytes_written > 100_000, "{name}: {stats:?}");
        let all = run_plan(&plan, 1 << 30).expect("it fits");
        assert_rows(&sorted(show_all(&rows)), &sorted(show_all(&all)), name);
    }
}

#[test]
fn a_full_disk_ends_the_statement_and_names_the_file() {
    for (name, plan) in plans() {
        let (disk, engine) = simulated();
        disk.inject(Fault::Budget(40_000));
        let error = run_in(&plan, tiny(&engine)).expect_err("the disk is full");
        assert_eq!(error.sqlstate(), SqlState::DISK_FULL, "{name}: {error}");
        assert!(error.message().contains("/a.damask.tmp/"), "{name}: {error}");
        assert!(disk.counts().disk_full > 0);
        disk.heal();
        run_in(&plan, tiny(&engine)).expect("there is room again");
    }
}

/// Ends the statement at a certain check.
struct EndAt {
    left: AtomicU64,
}

impl Control for EndAt {
    fn check(&self) -> Result<()> {
        let canceled = || Error::new(SqlState::QUERY_CANCELED, "canceling statement");
        match self.left.load(Ordering::Relaxed) {
            0 => Err(canceled()),
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn a_cancel_at_any_point_leaves_nothing() {
    for (name, plan) in plans() {
        let mut ended = 0;
        for checks in [1, 5, 20, 40, 60, 80, 100, 150, 200, 300, 500] {
            let engine = memory();
            let mut ctx = tiny(&engine);
            ctx.control = Arc::new(EndAt { left: AtomicU64::new(checks) });
            // Asserts that no memory and no file is left.
            if let Err(error) = run_in(&plan, ctx) {
                assert_eq!(error.sqlstate(), SqlState::QUERY_CANCELED, "{name}: {error}");
                ended += u64::from(engine.temp_folder().stats().files > 0);
            }
        }
        assert!(ended > 0, "{name}: no cancel came while files were there");
    }
}

#[test]
fn an_execution_that_is_dropped_half_way_leaves_nothing() {
    for (name, plan) in plans() {
        let engine = memory();
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).expect("it is open");
        txn.begin_statement().expect("it is open");
        let mut execution = Execution::start(plan, tiny(&engine), &txn).expect("a view is there");
        for _ in 0..100 {
            if left_files(&engine) == 0 {
                execution.next(&mut txn).expect("the plan does not raise");
            }
        }
        assert!(left_files(&engine) > 0, "{name}");
        drop(execution);
        assert_eq!(left_files(&engine), 0, "{name}");
    }
}

#[test]
fn the_hard_limit_stands() {
    let engine = memory();
    let mut ctx = tiny(&engine);
    ctx.memory_bytes_max = 10_000;
    let error = run_in(&sort_plan(), ctx).expect_err("not even a tile fits");
    assert_eq!(error.sqlstate(), SqlState::OUT_OF_MEMORY);
}

#[test]
fn left_overs_go_when_the_database_is_opened() {
    let (disk, engine) = simulated();
    drop(engine);
    // As a killed process leaves it.
    let left = Path::new("/a.damask.tmp/1");
    disk.create_dir(Path::new("/a.damask.tmp")).expect("the disk has room");
    disk.open(left, OpenOptions::CREATE).expect("the disk has room");
    let env = Env::simulated(Arc::new(disk.clone()), 1);
    let location = Location::File("/a.damask".into());
    let engine = Engine::open(env, location, EngineOptions::default()).expect("it recovers");
    assert!(!disk.exists(left).expect("the disk works"));
    run_in(&sort_plan(), tiny(&engine)).expect("there is room");
}
