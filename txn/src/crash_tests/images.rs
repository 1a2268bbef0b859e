//! A hundred thousand crashed disks: every event of many runs, several disks each, recovery crashed too.
//!
//! A run is recorded once for each workload and seed. Behind each of its events the power is cut, and each disk that
//! could be left ([`ImageKind`]; several of the kinds that chance decides) is opened and compared as `check` says. The
//! recovery of some of these disks is recorded and crashed at each of *its* events, and the recovery from that, too.
//! Two disks of one moment that are alike are one image. Some of the recovered databases go on for ten transactions. Runs have one to three
//! lanes of the log by their seed, and each recovery another number than what it recovers.
//!
//! What is counted, and fails the test if it stays at zero: crashes behind each kind of event, for runs and for
//! recoveries; disks of each kind; recoveries of recoveries. The controls plant defects that must be found.
//!
//! `DAMASK_CRASH_ROUNDS=n` takes n times as many seeds.

use super::{
    Noted, Planted, Run, beside, compressed, early_writers, full_disk, go_on, large_rows,
    mixed_durability, relations, savepoints, several_tables, single_changes, workloads,
};
use crate::Engine;
use damask_storage::env::SeededRandom;
use damask_storage::vfs::{CrashImages, Event, Fault, ImageKind, SimVfs};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that open images.
const WORKERS: usize = 2;

/// Disks of each kind that a crash of a run is tried with, the same ones counted once.
const OF_RUN: [ImageKind; 12] = [
    ImageKind::All,
    ImageKind::Nothing,
    ImageKind::Torn,
    ImageKind::Torn,
    ImageKind::Prefix,
    ImageKind::Prefix,
    ImageKind::Hole,
    ImageKind::Hole,
    ImageKind::Random,
    ImageKind::Random,
    ImageKind::Random,
    ImageKind::Random,
];

/// Recoveries are crashed this deep.
const DEPTH_MAX: usize = 2;

/// Of the images of recoveries, one in so many has its own recovery crashed.
const DEEPER_ONE_IN: usize = 60;

/// Runs with different chance for each workload.
const SEEDS: u64 = 24;

/// Of the recovered databases, one in so many goes on.
const GOES_ON_ONE_IN: usize = 16;

/// Problems after which a run is given up.
const PROBLEMS_MAX: usize = 5;

/// Images that the whole test must come to.
const IMAGES_MIN: usize = 100_000;

type Check = fn(&SimVfs, u64, &Noted<'_>, &[u64]) -> Result<Arc<Engine>, String>;

/// A workload, and how its disks are judged.
struct Case {
    name: &'static str,
    workload: fn(&mut Run),
    check: Check,
    /// Runs with different chance.
    seeds: u64,
    /// Of the images of runs, one in so many has its recovery crashed.
    deeper_one_in: usize,
    /// Of the events of a run, one in so many is crashed behind.
    stride: usize,
}

const fn case(name: &'static str, workload: fn(&mut Run)) -> Case {
    let check = workloads::check_commits;
    Case { name, workload, check, seeds: SEEDS, deeper_one_in: 8, stride: 1 }
}

/// Those with much to recover run less often, the slowest first, so that it does not run alone at the end.
const CASES: [Case; 23] = [
    Case { seeds: 1, deeper_one_in: 400, stride: 24, ..case("large rows", large_rows) },
    case("single changes", single_changes),
    case("several tables", several_tables),
    case("relations", relations),
    case("savepoints", savepoints),
    case("commits that do not wait", mixed_durability),
    case("writers that build on each other", early_writers),
    case("growing trees", workloads::growing_trees),
    case("open over checkpoints", workloads::open_over_checkpoints),
    Case { seeds: 8, ..case("large transactions", workloads::interleaved) },
    case("shared flushes", workloads::shared_flushes),
    Case { seeds: 9, ..case("overlapping flushes", workloads::overlapping_flushes) },
    Case { seeds: 9, ..case("full disks", full_disk::full_disks) },
    case("upserts", workloads::upserts),
    case("reopenings", workloads::reopenings),
    Case {
        seeds: 5,
        ..case("several tables beside checkpoints", |run| beside(run, several_tables))
    },
    Case { seeds: 7, ..case("relations beside checkpoints", |run| beside(run, relations)) },
    Case { seeds: 7, ..case("savepoints beside checkpoints", |run| beside(run, savepoints)) },
    Case { seeds: 6, ..case("compressed tables", |run| compressed(run, several_tables)) },
    Case { seeds: 6, ..case("compressed relations", |run| compressed(run, relations)) },
    Case {
        seeds: 3,
        ..case("compressed trees that grow", |run| compressed(run, workloads::growing_trees))
    },
    Case {
        seeds: 3,
        ..case("compressed relations beside checkpoints", |run| {
            beside(run, |run| compressed(run, relations));
        })
    },
    Case { check: workloads::check_threads, ..case("threads", workloads::threads) },
];

/// What an enumeration came to.
#[derive(Debug, Default)]
struct Totals {
    /// Images by depth: of runs, of recoveries, of recoveries of those.
    images: [usize; DEPTH_MAX + 1],
    kinds: BTreeMap<String, usize>,
    /// Images of runs by the event that the crash came behind.
    sites_of_runs: BTreeMap<&'static str, usize>,
    sites_of_recoveries: BTreeMap<&'static str, usize>,
    went_on: usize,
    bad: Vec<String>,
}

impl Totals {
    fn image_count(&self) -> usize {
        self.images.iter().sum()
    }

    fn add(&mut self, other: Self) {
        for (own, more) in self.images.iter_mut().zip(other.images) {
            *own += more;
        }
        for (kind, n) in other.kinds {
            *self.kinds.entry(kind).or_default() += n;
        }
        for (own, more) in [
            (&mut self.sites_of_runs, other.sites_of_runs),
            (&mut self.sites_of_recoveries, other.sites_of_recoveries),
        ] {
            for (site, n) in more {
                *own.entry(site).or_default() += n;
            }
        }
        self.went_on += other.went_on;
        self.bad.extend(other.bad);
    }
}

/// What the crash comes behind, in words.
fn site(crashes: &CrashImages) -> &'static str {
    let Some((event, name)) = crashes.site() else { return "nothing" };
    let is_log = name.is_some_and(|name| name.starts_with(Path::new("d.wal")));
    match event {
        Event::Write { .. } if is_log => "write of the log",
        Event::Write { offset, .. } if *offset < 2 * 4096 => "write of a superblock",
        Event::Write { .. } => "write of pages",
        Event::SetLen { .. } if is_log => "length of the log",
        Event::SetLen { .. } => "length of the pages",
        Event::Sync { .. } | Event::SyncLost { .. } if is_log => "sync of the log",
        Event::Sync { .. } | Event::SyncLost { .. } => "sync of the pages",
        Event::Create { .. } => "create",
        Event::CreateDir { .. } => "create directory",
        Event::Rename { .. } => "rename",
        Event::Remove { .. } => "remove",
        Event::SyncDir { .. } => "sync of a directory",
        Event::Mark(_) => "acknowledgement",
    }
}

/// What crashes of runs must have come behind.
const SITES_OF_RUNS: [&str; 12] = [
    "write of the log",
    "write of a superblock",
    "write of pages",
    "length of the pages",
    "sync of the log",
    "sync of the pages",
    "create",
    "create directory",
    "rename",
    "remove",
    "sync of a directory",
    "acknowledgement",
];

/// What crashes of recoveries must have come behind.
const SITES_OF_RECOVERIES: [&str; 9] = [
    "write of the log",
    "write of a superblock",
    "write of pages",
    "sync of the log",
    "sync of the pages",
    "create",
    "rename",
    "remove",
    "sync of a directory",
];

/// Crashes a recorded run behind each of its events.
fn crash(
    case: &Case,
    vfs: &SimVfs,
    noted: &Noted<'_>,
    before: &[u64],
    seed: u64,
    depth: usize,
    totals: &mut Totals,
) {
    let random = SeededRandom::new(seed ^ 0x5ca1_ab1e);
    let mut crashes = vfs.crashes();
    let mut seen = HashSet::new();
    if depth > 0 {
        // The disk that is being recovered has been an image.
        let itself = crashes.image(ImageKind::Nothing, &random).vfs;
        seen.insert((itself.fingerprint(), before.len()));
    }
    let stride = if depth == 0 { case.stride } else { 1 };
    for event in (0..=crashes.event_count()).step_by(stride) {
        crashes.advance(event);
        let mut marks = before.to_vec();
        marks.extend(crashes.marks());
        for kind in OF_RUN {
            let image = crashes.image(kind, &random).vfs;
            if !seen.insert((image.fingerprint(), marks.len())) {
                continue;
            }
            totals.images[depth] += 1;
            *totals.kinds.entry(format!("{kind:?}")).or_default() += 1;
            let sites = if depth == 0 {
                &mut totals.sites_of_runs
            } else {
                &mut totals.sites_of_recoveries
            };
            *sites.entry(site(&crashes)).or_default() += 1;
            let number = totals.images[depth];
            // Another number of lanes than the life before had.
            let life = seed + 1 + depth as u64;
            let result = (case.check)(&image, life, noted, &marks).and_then(|engine| {
                let one_in = if depth == 0 { case.deeper_one_in } else { DEEPER_ONE_IN };
                if depth < DEPTH_MAX && number.is_multiple_of(one_in) {
                    crash(case, &image, noted, &marks, seed, depth + 1, totals);
                }
                if !number.is_multiple_of(GOES_ON_ONE_IN) {
                    return Ok(());
                }
                totals.went_on += 1;
                go_on(&engine, &image, seed).map_err(|e| format!("does not go on: {e}"))
            });
            if let Err(problem) = result {
                let Case { name, .. } = case;
                let problem = format!(
                    "{name}, seed {seed}, depth {depth}, event {event}, {kind:?}: {problem}"
                );
                println!("{problem}");
                totals.bad.push(problem);
            }
            if totals.bad.len() >= PROBLEMS_MAX {
                return;
            }
        }
    }
}

/// Records a run and crashes it.
fn enumerate(case: &Case, seed: u64, planted: Planted, fault: Option<Fault>) -> Totals {
    let mut run = Run::new(seed, planted);
    if let Some(fault) = fault {
        run.vfs.inject(fault);
    }
    (case.workload)(&mut run);
    let noted = Noted { states: &run.states, values: &run.values, sequence: run.sequence };
    let mut totals = Totals::default();
    crash(case, &run.vfs, &noted, &[], seed, 0, &mut totals);
    totals
}

#[test]
fn a_hundred_thousand_crashes_lose_nothing() {
    let rounds = std::env::var("DAMASK_CRASH_ROUNDS").ok().and_then(|n| n.parse().ok());
    let rounds: u64 = rounds.unwrap_or(1);
    let jobs: Vec<(&Case, u64)> = CASES
        .iter()
        .flat_map(|case| (0..case.seeds * rounds).map(move |seed| (case, 1000 + seed)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut totals = Totals::default();
        while let Some((case, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_run = enumerate(case, *seed, Planted::Nothing, None);
            println!("{}, seed {seed}: {:?} images", case.name, of_run.images);
            totals.add(of_run);
        }
        totals
    };
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            totals.add(worker.join().unwrap());
        }
    });
    println!("{} images of {} runs: {totals:#?}", totals.image_count(), jobs.len());
    assert!(totals.bad.is_empty(), "{} bad: {:#?}", totals.bad.len(), totals.bad);
    assert!(totals.image_count() >= IMAGES_MIN, "{} images", totals.image_count());
    assert!(totals.images.iter().all(|n| *n > 0) && totals.went_on > 0, "{totals:#?}");
    for kind in ImageKind::EVERY {
        assert!(totals.kinds.contains_key(&format!("{kind:?}")), "no disk {kind:?}");
    }
    for site in SITES_OF_RUNS {
        assert!(totals.sites_of_runs.contains_key(site), "no crash of a run behind {site}");
    }
    for site in SITES_OF_RECOVERIES {
        assert!(
            totals.sites_of_recoveries.contains_key(site),
            "no crash of recovery behind {site}"
        );
    }
}

#[test]
fn planted_defects_are_found() {
    // A checkpoint syncs pages, then the superblock.
    let pages_late = || Some(Fault::LyingEverySecondSync { file: "d", lies_next: true });
    let lying = || Some(Fault::LyingSync(".wal"));
    let case_of = |name: &str| CASES.iter().find(|case| case.name == name).unwrap();
    let controls = [
        ("acknowledged before it is durable", "shared flushes", Planted::NoFlush, None),
        ("acknowledged before it is durable", "threads", Planted::NoFlush, None),
        ("superblock before pages", "growing trees", Planted::Nothing, pages_late()),
        ("superblock before pages", "upserts", Planted::Nothing, pages_late()),
        ("a log that is not synced", "upserts", Planted::Nothing, lying()),
        ("a checkpoint without undo", "open over checkpoints", Planted::NoUndo, None),
        ("a log that is let go", "large transactions", Planted::LogLetGo, None),
    ];
    for (defect, name, planted, fault) in controls {
        let totals = enumerate(case_of(name), 7, planted, fault);
        let images = totals.image_count();
        assert!(!totals.bad.is_empty(), "{defect} was not noticed in {images} images of {name}");
        println!("{defect}, {name}: found within {images} images: {}", totals.bad[0]);
    }
}
