//! Operators that must not hold much: full disks, cancels, and what is left behind.

use crate::support::*;
use damask_executor::{Control, ExecContext, Execution};
use damask_planner::physical::{Operator, Plan, SortKey};
use damask_storage::vfs::{Fault, OpenOptions, SimVfs, Vfs};
use damask_txn::{Engine, EngineOptions, Env, IsolationLevel, Location};
use damask_types::{Error, Result, SqlState};
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

/// Every plan whose operator goes to disk.
fn plans() -> Vec<(&'static str, Arc<Plan>)> {
    vec![("sort", sort_plan())]
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
        execution.next(&mut txn).expect("the plan does not raise");
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
