//! The n-th call that fails: every statement of a list runs with its first disk call failing, then with its second, and
//! so on until it succeeds untouched; likewise with a disk that fails from that call on, writes that find the disk full, writes of which half arrives, and
//! grants of memory that are refused.
//!
//! What must hold after each failure
//! - the error's SQLSTATE says what happened: 58030, 53100 or 53200;
//! - the session answers on, or the database takes no more changes as it does after a failed write of the log; then the
//!   next opening recovers it;
//! - the data is as before or as after, never in between, and `verify` finds nothing;
//! - nothing is held any more: latches, frames, snapshots, locks, temporary files, open files, memory.
//!
//! Calls are counted up one by one at first, then in growing steps ([`DENSE`]), so that long statements do not take all the time.
//! A kind of failure that never struck fails the test. The control plants remains that must be found.

mod cases;

use crate::support::Discard;
use cases::{CASES, Case, Run, SETUP};
use damask::session::{Completion, TransactionStatus};
use damask::{Connection, Database, DatabaseOptions, Error, Result, Rows, SqlState};
use damask_storage::vfs::{Fault, RoomClock, SimVfs};
use damask_storage::{Env, Purpose};
use damask_txn::engine::Holdings;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Failures that the whole test must come to.
const POINTS_MIN: usize = 10_000;

/// Up to this call every one fails in turn; then the steps grow in proportion.
const DENSE: u64 = 300;

/// Calls that fail one after the other, more than any statement makes once one has failed.
const CALLS: u64 = 100;

/// Threads that run cases.
const WORKERS: usize = 2;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A call on the disk, whichever.
    Call,
    /// That call and those after it.
    Calls,
    /// Writes, from one on: the disk is full.
    FullDisk,
    /// A write of which half arrives.
    ShortWrite,
    /// A grant of memory.
    Memory,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Call, Self::Calls, Self::FullDisk, Self::ShortWrite, Self::Memory];

    /// The SQLSTATEs that the failure may have.
    fn is_clean(self, error: &Error) -> bool {
        let state = error.sqlstate();
        match self {
            Self::Call | Self::Calls => state.as_str() == "58030",
            // A log that could not be written takes nothing more: 58030.
            Self::FullDisk | Self::ShortWrite => ["53100", "58030"].contains(&state.as_str()),
            Self::Memory => state.as_str() == "53200",
        }
    }
}

/// An open database on its simulated disk.
struct Opened {
    vfs: SimVfs,
    database: Database,
    connection: Connection,
    /// What is held when nothing runs.
    idle: (Holdings, usize),
}

impl Opened {
    fn open(vfs: SimVfs) -> Result<Self> {
        // A rollback waits for room on the disk if it must.
        let clock = Arc::new(RoomClock::new(vfs.clone()));
        let env = Env { clock, ..Env::simulated(Arc::new(vfs.clone()), 1) };
        // The smallest pool there is, so that statements read and write pages.
        let mut options = DatabaseOptions::default();
        options.configuration.set("shared_buffers", "128kB")?;
        let database = Database::open_in(env, Some(Path::new("d")), options)?;
        let mut connection = database.connect()?;
        connection.execute("SET work_mem = '64kB'; SET lock_timeout = '1s'")?;
        // The first commit opens the log.
        connection.execute("INSERT INTO probe VALUES (1)").or_else(|error| {
            // There is no such table yet in the database that is being made.
            if error.sqlstate().as_str() == "42P01" { Ok(0) } else { Err(error) }
        })?;
        let mut opened = Self { vfs, database, connection, idle: Default::default() };
        opened.idle = opened.held();
        Ok(opened)
    }

    fn held(&self) -> (Holdings, usize) {
        (self.database.holdings(), self.vfs.open_file_count())
    }

    /// What the tables and the catalog hold, in words.
    fn digest(&mut self) -> String {
        let queries = [
            "SELECT count(*), sum(a), sum(b), sum(length(c)) FROM t",
            "SELECT sum(d) FROM t",
            "SELECT count(*), sum(k), sum(length(e)), sum(a) FROM u",
            "SELECT count(*), sum(a), sum(length(b)), max(b) FROM w",
            "SELECT count(*) FROM n",
            "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE oid >= 16384",
            "SELECT count(*) FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped",
            "SELECT count(*) FROM pg_constraint",
        ];
        let show = |answer: Result<Rows>| match answer {
            Ok(rows) => format!("{:?}\n", rows.iter().collect::<Vec<_>>()),
            Err(error) => format!("{}\n", error.sqlstate()),
        };
        queries.iter().map(|query| show(self.connection.query(query, &[]))).collect()
    }

    fn run(&mut self, case: &Case) -> Result<()> {
        match case.run {
            Run::Text => self.connection.execute(case.sql).map(drop),
            Run::CopyIn(first) => {
                let rows = (first..first + 200).map(|i| format!("{i}\t{}\n", "c".repeat(30)));
                let rows = rows.collect::<Vec<_>>().concat();
                self.connection.copy_in(case.sql, rows.as_bytes()).map(drop)
            }
            Run::CopyOut => {
                let session = self.connection.session();
                let prepared = session.prepare_text(case.sql)?;
                match session.run(&prepared[0], &mut Discard { holds: false })? {
                    Completion::Tag(_) => session.end_message(),
                    other => panic!("{}: {other:?}", case.sql),
                }
            }
        }
    }

    fn arm(&self, kind: Kind, nth: u64) {
        match kind {
            Kind::Call => self.vfs.inject(Fault::FailCall(nth)),
            Kind::Calls => {
                (nth..nth + CALLS).for_each(|nth| self.vfs.inject(Fault::FailCall(nth)));
            }
            Kind::FullDisk => self.vfs.inject(Fault::FullDisk(nth)),
            Kind::ShortWrite => self.vfs.inject(Fault::ShortWrite(nth)),
            Kind::Memory => self.database.memory().refuse(nth),
        }
    }

    fn disarm(&self) {
        self.vfs.heal();
        self.database.memory().refuse(0);
    }

    /// How often failures struck.
    fn struck(&self) -> u64 {
        let counts = self.vfs.counts();
        let calls = counts.failed_reads
            + counts.failed_writes
            + counts.failed_syncs
            + counts.failed_others
            + counts.disk_full
            + counts.short_writes;
        calls + self.database.memory().refused_count()
    }
}

/// What a case came to.
#[derive(Debug, Default)]
struct Totals {
    points: BTreeMap<Kind, usize>,
    /// Statements that succeeded although something failed: what they did not need.
    unharmed: usize,
    /// Databases that took no more changes and were opened again.
    reopened: usize,
    problems: Vec<String>,
}

/// Makes the database that all cases begin with; its disk.
fn base() -> SimVfs {
    let vfs = SimVfs::default();
    let mut opened = Opened::open(vfs.clone()).expect("a database opens");
    for statement in SETUP {
        if let Err(error) = opened.connection.execute(statement) {
            panic!("{statement}: {error:?}");
        }
    }
    opened.database.close().expect("it closes");
    drop(opened);
    vfs.killed()
}

/// What was wrong after a failure, if anything; whether the database goes on.
fn judge(
    opened: &mut Opened,
    case: &Case,
    outcome: &Result<()>,
    kind: Kind,
    states: [&str; 2],
    totals: &mut Totals,
) -> std::result::Result<bool, String> {
    if let Err(error) = outcome
        && !kind.is_clean(error)
    {
        return Err(format!("{} {}", error.sqlstate(), error.message()));
    }
    if opened.connection.session().status() != TransactionStatus::Idle {
        opened.connection.execute("ROLLBACK").map_err(|e| format!("ROLLBACK: {e}"))?;
    }
    // A cursor or a prepared statement may have come to be before the failure.
    opened.connection.execute("CLOSE ALL").map_err(|e| format!("CLOSE ALL: {e}"))?;
    opened.connection.execute("DEALLOCATE ALL").map_err(|e| format!("DEALLOCATE ALL: {e}"))?;
    let lives = opened.connection.execute("INSERT INTO probe VALUES (1)");
    if let Err(error) = lives {
        if error.sqlstate().as_str() != "58030" {
            return Err(format!("the session does not go on: {error}"));
        }
        totals.reopened += 1;
        let image = opened.vfs.killed();
        let mut again = Opened::open(image).map_err(|e| format!("does not open again: {e}"))?;
        let report = again.database.verify().map_err(|e| format!("verify: {e}"))?;
        if !report.errors.is_empty() {
            return Err(format!("opened again: {:?}", report.errors));
        }
        let found = again.digest();
        if !states.contains(&found.as_str()) {
            return Err(format!(
                "opened again, it holds\n{found}not\n{}or\n{}",
                states[0], states[1]
            ));
        }
        return Ok(false);
    }
    let held = opened.held();
    if held != opened.idle {
        return Err(format!("holds {held:?}, not {:?}", opened.idle));
    }
    let bytes = opened.database.memory().held(Purpose::Statements);
    if bytes != 0 {
        return Err(format!("{bytes} bytes of memory are still granted"));
    }
    if !case.writes {
        return Ok(true);
    }
    let found = opened.digest();
    let [before, after] = states;
    let allowed = if outcome.is_ok() { [after, after] } else { states };
    if !allowed.contains(&found.as_str()) {
        return Err(format!("{outcome:?} left\n{found}not\n{before}or\n{after}"));
    }
    // What changed is not the database the next failure should begin with.
    Ok(found == before && outcome.is_err())
}

/// Makes one case fail in every way.
fn run_case(base: &SimVfs, case: &Case, totals: &mut Totals) {
    let fresh = || Opened::open(base.killed()).expect("the database opens");
    let mut opened = fresh();
    let before = opened.digest();
    if let Err(error) = opened.run(case) {
        totals.problems.push(format!("{}: fails without a failure: {error:?}", case.sql));
        return;
    }
    let after = opened.digest();
    opened = fresh();
    for kind in Kind::ALL {
        let mut nth = 1;
        loop {
            let struck = opened.struck();
            opened.arm(kind, nth);
            let outcome = opened.run(case);
            opened.disarm();
            let has_struck = opened.struck() > struck;
            if has_struck {
                *totals.points.entry(kind).or_default() += 1;
                totals.unharmed += usize::from(outcome.is_ok());
            }
            let states = [before.as_str(), after.as_str()];
            match judge(&mut opened, case, &outcome, kind, states, totals) {
                Ok(true) if has_struck => {}
                Ok(_) => opened = fresh(),
                Err(problem) => {
                    totals.problems.push(format!("{}, {kind:?} {nth}: {problem}", case.sql));
                    break;
                }
            }
            if !has_struck {
                if let Err(error) = outcome {
                    totals.problems.push(format!("{}, {kind:?} {nth}: {error:?}", case.sql));
                }
                break;
            }
            nth += 1 + nth / DENSE;
        }
        match opened.database.verify() {
            Ok(report) if report.errors.is_empty() => {}
            other => totals.problems.push(format!("{}, {kind:?}: {other:?}", case.sql)),
        }
        if !totals.problems.is_empty() {
            opened = fresh();
        }
    }
}

#[test]
fn ten_thousand_failures_leave_nothing_behind() {
    let base = base();
    let only = std::env::var("DAMASK_FAILURES_OF").ok();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut totals = Totals::default();
        while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
            if only.as_ref().is_none_or(|text| case.sql.contains(text)) {
                let count = |totals: &Totals| totals.points.values().sum::<usize>();
                let before = count(&totals);
                run_case(&base, case, &mut totals);
                println!("{:5} {}", count(&totals) - before, case.sql);
                totals.problems.iter().for_each(|problem| println!("{problem}"));
            }
        }
        totals
    };
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let of_worker = worker.join().expect("a worker does not panic");
            for (kind, points) in of_worker.points {
                *totals.points.entry(kind).or_default() += points;
            }
            totals.unharmed += of_worker.unharmed;
            totals.reopened += of_worker.reopened;
            totals.problems.extend(of_worker.problems);
        }
    });
    let points: usize = totals.points.values().sum();
    println!("{points} failures of {} cases: {totals:#?}", CASES.len());
    assert!(totals.problems.is_empty(), "{}: {:#?}", totals.problems.len(), totals.problems);
    if only.is_none() {
        assert!(CASES.len() >= 100);
        assert!(points >= POINTS_MIN, "{points} failures");
        assert!(totals.reopened > 0, "no log failed");
        for kind in Kind::ALL {
            assert!(totals.points.contains_key(&kind), "{kind:?} never struck");
        }
    }
}

/// Another session that has done something and stays.
fn beside(opened: &Opened, statements: &str) -> Option<Connection> {
    let mut other = opened.database.connect().expect("it opens");
    other.execute(statements).expect("it runs");
    Some(other)
}

/// The control: what a failure may leave behind is planted, and found.
#[test]
fn planted_remains_are_found() {
    const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t LIMIT 1";
    let base = base();
    let case = CASES.iter().find(|case| case.writes).expect("a case writes");
    let problem = |plant: fn(&mut Opened) -> Option<Connection>, outcome: Error| {
        let mut opened = Opened::open(base.killed()).expect("the database opens");
        let before = opened.digest();
        let kept = plant(&mut opened);
        let states = [before.as_str(), before.as_str()];
        let totals = &mut Totals::default();
        let judged = judge(&mut opened, case, &Err(outcome), Kind::Call, states, totals);
        drop(kept);
        judged.err().unwrap_or_default()
    };
    let failed = || Error::new(SqlState::IO_ERROR, "planted");
    assert_eq!(problem(|_| None, failed()), "");
    let found = [
        problem(|_| None, Error::internal("planted")),
        problem(|opened| beside(opened, "BEGIN; LOCK TABLE u IN SHARE MODE"), failed()),
        problem(|opened| beside(opened, SNAPSHOT), failed()),
        problem(|opened| opened.connection.execute("DELETE FROM u").ok().and(None), failed()),
    ];
    let wanted = ["XX000", "holds", "holds", "left"];
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.contains(wanted), "{found:?} instead of {wanted}");
    }
}
