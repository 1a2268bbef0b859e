//! Crashes at every event of a recorded run, on the simulated disk.
//!
//! A workload of page changes, frames and checkpoints runs once. Then the run is crashed behind every event, four disks
//! each, and the store is opened from each. What must hold
//! - the frames found, behind the checkpoint found, are those appended, in order, without a gap, and contain every
//!   acknowledged one;
//! - pages and meta are exactly those of the checkpoint found, which is the last acknowledged one or a later one;
//! - verification finds nothing, and the store goes on: it commits, checkpoints, closes and opens again.
//!
//! Checkpoints are written at once or piece by piece with all of this in between. Recovery is crashed likewise at sampled
//! events. The controls plant defects that must be found. Pages of three lives in four are compressed.
//!
//! Lives have one to three lanes of the log. With several, flushes are begun, written, synced and acknowledged step by step, in any order,
//! so that a crash finds later ones done before earlier ones.

use super::{CheckpointProgress, Planted, Store, StoreOptions, verify_file};
use crate::codec::PageCodec;
use crate::env::{Env, Random, SeededRandom};
use crate::log::{FRAME_HEAD_BYTES, Flush, LogCompression, LogFrame, LogPosition, LogSync};
use crate::page::{PAGE_BYTES_MIN, PAGE_HEADER_BYTES, PageId, PageKind, TreeId};
use crate::vfs::{Fault, ImageKind, SimVfs};
use damask_types::{Result, SqlState, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Marks above this are checkpoints, those below are frames.
const CHECKPOINT_MARK: u64 = 1 << 32;

/// Few pages at a time make many writes.
const PAGES_MAX: usize = 2;

/// The tree of all pages.
const TREE: TreeId = TreeId(1);

/// What each page should hold: see [`content`].
type Pages = BTreeMap<PageId, u8>;

/// What compresses the pages of a life. A page is 8192 bytes then, so that compression saves a unit; those of a database that
/// was made without are too small, and stay whole.
fn codec(seed: u64) -> PageCodec {
    [PageCodec::Lz4, PageCodec::None, PageCodec::Zstd, PageCodec::Snappy][seed as usize % 4]
}

/// Bytes of a page behind its header. Every fourth number stands for bytes that nothing compresses.
fn content(number: u8, len: usize) -> Vec<u8> {
    if !number.is_multiple_of(4) {
        return vec![number; len];
    }
    let random = SeededRandom::new(number.into());
    (0..len).map(|_| random.next_u64() as u8).collect()
}

pub(super) fn fill(page: &mut [u8], number: u8) {
    let body = &mut page[PAGE_HEADER_BYTES..];
    body.copy_from_slice(&content(number, body.len()));
}

/// Lanes of the log of a life.
fn lane_count(seed: u64) -> usize {
    1 + (seed / 4 % 3) as usize
}

/// Every third life writes its log through.
pub(super) fn options(planted: Planted, seed: u64) -> StoreOptions {
    let log_sync = if seed.is_multiple_of(3) { LogSync::OpenDatasync } else { LogSync::Fdatasync };
    let is_compressed = codec(seed) != PageCodec::None;
    StoreOptions {
        page_bytes: if is_compressed { 2 * PAGE_BYTES_MIN } else { PAGE_BYTES_MIN },
        pool_bytes: 16 * PAGE_BYTES_MIN,
        log_segment_bytes: 32 << 10,
        log_sync,
        log_lanes: lane_count(seed),
        planted,
        ..StoreOptions::default()
    }
}

pub(super) fn path() -> &'static Path {
    Path::new("d")
}

/// What was done, as the test knows it.
#[derive(Clone, Default)]
pub(super) struct Model {
    /// Pages at each checkpoint, by its time.
    pub(super) checkpoints: BTreeMap<u64, Pages>,
    /// Pages now.
    pub(super) pages: Pages,
    /// The last frame's time; frame `ts` has the content of [`frame`].
    pub(super) ts: u64,
    /// The time of the checkpoint that is being written.
    running: Option<u64>,
    /// Of checkpoints that keep the log, the time that all frames after are kept, by their own.
    kept: BTreeMap<u64, u64>,
}

/// The frame of a time: its length varies, its bytes tell the time.
fn frame(ts: u64) -> Vec<u8> {
    let len = match ts % 7 {
        0 => 9000,
        1 => 0,
        2 => 40_000,
        other => 30 * other as usize,
    };
    (0..len).map(|i| (ts as usize * 31 + i) as u8).collect()
}

pub(super) fn change_pages(
    store: &Store,
    pages: &mut Pages,
    random: &SeededRandom,
    count: u64,
) -> Result<()> {
    for _ in 0..count {
        let number = random.next_u64() as u8;
        let some = pages.keys().nth(random.below(pages.len().max(1) as u64) as usize).copied();
        match (random.below(10), some) {
            (0..5, _) | (_, None) => {
                let mut page = store.pool().allocate(PageKind::RowLeaf, TREE)?;
                fill(&mut page, number);
                pages.insert(page.page(), number);
            }
            (5..8, Some(page)) => {
                fill(&mut store.pool().write(page)?, number);
                pages.insert(page, number);
            }
            (_, Some(page)) => {
                store.pool().free(page)?;
                pages.remove(&page);
            }
        }
    }
    Ok(())
}

/// Flushes under way, each with how many steps of it are done: written, synced, then finished.
#[derive(Default)]
struct Flights<'l>(Vec<(Flush<'l>, u8)>);

impl<'l> Flights<'l> {
    /// Begins one if a lane is free.
    fn begin(&mut self, store: &'l Store) -> Result<()> {
        self.0.extend(store.log().begin_flush()?.map(|flush| (flush, 0)));
        Ok(())
    }

    /// A step of one of them; what is acknowledged then is marked.
    fn step(&mut self, store: &Store, vfs: &SimVfs, random: &SeededRandom) -> Result<()> {
        let at = random.below(self.0.len() as u64) as usize;
        match self.0.get_mut(at) {
            None => return Ok(()),
            Some((flush, 0)) => flush.write()?,
            Some((flush, 1)) => flush.sync()?,
            Some(_) => {
                self.0.swap_remove(at).0.finish();
                vfs.mark(store.log().durable_ts().0);
                return Ok(());
            }
        }
        self.0[at].1 += 1;
        Ok(())
    }

    /// All steps of all.
    fn settle(&mut self, store: &Store, vfs: &SimVfs, random: &SeededRandom) -> Result<()> {
        while !self.0.is_empty() {
            self.step(store, vfs, random)?;
        }
        Ok(())
    }
}

/// Does `steps` random things. Acknowledgements are marked on the disk.
fn work(
    store: &Store,
    vfs: &SimVfs,
    model: &mut Model,
    random: &SeededRandom,
    steps: u64,
) -> Result<()> {
    let mut flights = Flights::default();
    // A place in the log that checkpoints may keep it from, and the last time before it.
    let mut place: Option<(LogPosition, u64)> = None;
    for _ in 0..steps {
        if place.is_none() && random.below(3) == 0 {
            place = Some((store.log().position()?, model.ts));
        }
        let action = random.below(15);
        if !matches!(action, 0..10 | 12..14) || random.below(4) == 0 {
            // Checkpoints wait for the log.
            flights.settle(store, vfs, random)?;
        }
        for _ in 0..random.below(4) {
            flights.step(store, vfs, random)?;
        }
        match action {
            0..4 => change_pages(store, &mut model.pages, random, 8)?,
            10.. if model.running.is_some() => {
                flights.settle(store, vfs, random)?;
                let pages_max = 1 + random.below(3) as usize;
                let progress =
                    store.continue_checkpoint(pages_max).inspect_err(|_| model.running = None)?;
                note_progress(vfs, model, progress);
            }
            10 | 11 => {
                let mut start = store.prepare_checkpoint()?;
                if random.below(2) == 0 {
                    // Between the log's position and the instant.
                    change_pages(store, &mut model.pages, random, 3)?;
                    note_checkpoint(store, model)?;
                }
                note_checkpoint(store, model)?;
                // Once it was let go it cannot be kept.
                place = place.filter(|_| random.below(3) > 0);
                if let Some((position, before)) = &place {
                    start.keep_log(position);
                    model.kept.insert(model.ts, *before);
                }
                store.begin_checkpoint(&start, Timestamp(model.ts), meta(model.ts))?;
                model.running = Some(model.ts);
            }
            4..10 | 12..14 => {
                model.ts += 1;
                let compression = if model.ts.is_multiple_of(2) {
                    LogCompression::Lz4
                } else {
                    LogCompression::Off
                };
                let ts = Timestamp(model.ts);
                let bytes = frame(model.ts);
                let frame = if model.ts.is_multiple_of(3) {
                    LogFrame::Owned([&[0; FRAME_HEAD_BYTES][..], &bytes].concat())
                } else {
                    LogFrame::Borrowed(&bytes)
                };
                let mut room = store.log().reserve([frame.bytes().len()])?;
                let lsn = store.log().append_with(ts, frame, compression, &mut room)?;
                match random.below(3) {
                    0 => {}
                    1 | 2 if store.log().lane_count() > 1 => flights.begin(store)?,
                    _ => {
                        store.log().flush(lsn)?;
                        vfs.mark(model.ts);
                    }
                }
            }
            _ => {
                place = None;
                checkpoint(store, vfs, model)?;
            }
        }
    }
    flights.settle(store, vfs, random)
}

pub(super) fn checkpoint(store: &Store, vfs: &SimVfs, model: &mut Model) -> Result<()> {
    while model.running.is_some() {
        note_progress(vfs, model, store.continue_checkpoint(PAGES_MAX)?);
    }
    note_checkpoint(store, model)?;
    let start = store.prepare_checkpoint()?;
    store.begin_checkpoint(&start, Timestamp(model.ts), meta(model.ts))?;
    model.running = Some(model.ts);
    while model.running.is_some() {
        let progress =
            store.continue_checkpoint(PAGES_MAX).inspect_err(|_| model.running = None)?;
        note_progress(vfs, model, progress);
    }
    Ok(())
}

/// Notes the state now as one that a checkpoint may have: before it is written, since a crash may leave either.
fn note_checkpoint(store: &Store, model: &mut Model) -> Result<()> {
    // A frame of its own, so that no two checkpoints have one time.
    model.ts += 1;
    store.log().append(Timestamp(model.ts), &frame(model.ts))?;
    model.checkpoints.insert(model.ts, model.pages.clone());
    // A time may come again after a crash.
    model.kept.remove(&model.ts);
    Ok(())
}

fn note_progress(vfs: &SimVfs, model: &mut Model, progress: CheckpointProgress) {
    if progress == CheckpointProgress::Finished {
        let ts = model.running.take().expect("a checkpoint was begun");
        vfs.mark(CHECKPOINT_MARK + ts);
    }
}

pub(super) fn meta(ts: u64) -> Vec<u8> {
    vec![ts as u8; ts as usize * 50]
}

pub(super) fn open(vfs: &SimVfs, seed: u64, planted: Planted) -> Result<(Store, super::Recovered)> {
    open_in(Env::simulated(Arc::new(vfs.clone()), seed), seed, options(planted, seed))
}

pub(super) fn open_in(
    env: Env,
    seed: u64,
    options: StoreOptions,
) -> Result<(Store, super::Recovered)> {
    let (store, recovered) = Store::open(env, path(), options)?;
    if codec(seed) != PageCodec::None {
        store.allow_codecs()?;
        store.set_codec(TREE, codec(seed));
    }
    Ok((store, recovered))
}

/// Opens a crashed disk and compares; the store, and what the model is for it. `Err` says what is wrong.
pub(super) fn check(
    vfs: &SimVfs,
    seed: u64,
    model: &Model,
    acknowledged: (u64, u64),
    planted: Planted,
) -> Result<(Store, Model), String> {
    let (acknowledged_ts, acknowledged_checkpoint) = acknowledged;
    let (store, recovered) =
        open(vfs, seed, planted).map_err(|error| format!("does not open: {error}"))?;
    let ts_c = recovered.checkpoint_ts.0;
    if ts_c < acknowledged_checkpoint {
        return Err(format!("checkpoint {ts_c}, but {acknowledged_checkpoint} was acknowledged"));
    }
    let kept = model.kept.get(&ts_c).copied();
    let mut last = None;
    for found in recovered.frames {
        let (found_ts, bytes) = found.map_err(|error| format!("a frame: {error}"))?;
        let ts = last.map_or(found_ts.0, |last| last + 1);
        if last.is_none() && ts > kept.unwrap_or(ts_c) + 1 {
            return Err(format!("frames from {ts} on, but {kept:?} was kept"));
        }
        if found_ts.0 != ts || bytes != frame(ts) {
            return Err(format!("frame {found_ts} with {} bytes, not {ts}", bytes.len()));
        }
        last = Some(ts);
    }
    if last.is_none_or(|last| last < ts_c) && kept.is_some_and(|kept| kept < ts_c) {
        return Err(format!("frames up to {last:?}, but up to {ts_c} they were kept"));
    }
    let ts = last.unwrap_or(ts_c).max(ts_c);
    if ts < acknowledged_ts {
        return Err(format!("frames up to {ts}, but {acknowledged_ts} was acknowledged"));
    }
    let none = Pages::new();
    let pages = match model.checkpoints.get(&ts_c) {
        Some(pages) => pages,
        None if ts_c == 0 => &none,
        None => return Err(format!("no checkpoint was taken at {ts_c}")),
    };
    if recovered.meta.unwrap_or_default() != meta(ts_c) {
        return Err(format!("meta is not that of checkpoint {ts_c}"));
    }
    let page_count = store.pool().statistics().page_count;
    if page_count != pages.len() {
        return Err(format!("{page_count} pages, not {}", pages.len()));
    }
    for (page, number) in pages {
        let latched = store.pool().read(*page).map_err(|error| error.to_string())?;
        let body = &latched[PAGE_HEADER_BYTES..];
        if body != content(*number, body.len()) {
            return Err(format!("page {page} is not that of checkpoint {ts_c}"));
        }
    }
    let report = store.verify().map_err(|error| error.to_string())?;
    if !report.is_clean() {
        return Err(format!("{:?}", report.problems));
    }
    let (checkpoints, kept) = (model.checkpoints.clone(), model.kept.clone());
    let mut model = Model { checkpoints, pages: pages.clone(), ts, running: None, kept };
    model.checkpoints.insert(ts_c, pages.clone());
    Ok((store, model))
}

/// What the marks say was acknowledged: the last frame and the last checkpoint.
fn acknowledged(marks: impl Iterator<Item = u64>, before: (u64, u64)) -> (u64, u64) {
    marks.fold(before, |(ts, checkpoint), mark| match mark.checked_sub(CHECKPOINT_MARK) {
        None => (ts.max(mark), checkpoint),
        Some(at) => (ts.max(at), checkpoint.max(at)),
    })
}

/// A recovered store goes on: it works, closes, and comes back.
fn go_on(
    store: &Store,
    vfs: &SimVfs,
    model: &mut Model,
    random: &SeededRandom,
) -> Result<(), String> {
    let goes_on = |store: &Store, model: &mut Model| {
        // The first thing recovery does is a checkpoint of what it replayed.
        checkpoint(store, vfs, model)?;
        work(store, vfs, model, random, 4)?;
        note_checkpoint(store, model)?;
        store.close(Timestamp(model.ts), &meta(model.ts))
    };
    goes_on(store, model).map_err(|error| format!("does not go on: {error}"))?;
    let env = Env::simulated(Arc::new(vfs.clone()), 1);
    let report = verify_file(&env, path()).map_err(|error| error.to_string())?;
    if report.is_clean() { Ok(()) } else { Err(format!("{:?}", report.problems)) }
}

/// What an enumeration came to.
#[derive(Debug, Default)]
struct Outcome {
    images: usize,
    writes_at_stake: usize,
    names_at_stake: usize,
    bad: Vec<String>,
}

/// Crashes a recorded run at every `stride`th event; recoveries of every `depth_stride`th image too.
fn crash(
    vfs: &SimVfs,
    model: &Model,
    before: (u64, u64),
    planted: Planted,
    seed: u64,
    strides: &[usize],
    outcome: &mut Outcome,
) {
    let Some((&stride, deeper)) = strides.split_first() else { return };
    let random = SeededRandom::new(seed ^ 0xc4a5_4ed0);
    let mut crashes = vfs.crashes();
    for index in (0..=crashes.event_count()).step_by(stride) {
        let images = crashes.at(index, &random);
        let promised = acknowledged(crashes.marks(), before);
        for image in images {
            outcome.images += 1;
            let seed = seed + outcome.images as u64 * 1000;
            let result = check(&image.vfs, seed, model, promised, planted).and_then(
                |(store, mut recovered)| {
                    let deep = outcome.images.is_multiple_of(23) && !deeper.is_empty();
                    let lives_on = go_on(&store, &image.vfs, &mut recovered, &random);
                    drop(store);
                    if lives_on.is_ok() && deep {
                        crash(&image.vfs, &recovered, promised, planted, seed, deeper, outcome);
                    }
                    lives_on
                },
            );
            if let Err(problem) = result {
                let kind = image.kind;
                outcome.bad.push(format!("seed {seed}, event {index}, {kind:?}: {problem}"));
            }
        }
    }
    let (writes, names) = crashes.at_stake();
    outcome.writes_at_stake += writes;
    outcome.names_at_stake += names;
}

/// Records a run and crashes it.
fn run(
    seed: u64,
    steps: u64,
    planted: Planted,
    fault: Option<Fault>,
    strides: &[usize],
) -> Outcome {
    let vfs = SimVfs::default();
    if let Some(fault) = fault {
        vfs.inject(fault);
    }
    let random = SeededRandom::new(seed);
    let mut model = Model::default();
    let (store, _) = open(&vfs, seed, planted).unwrap();
    work(&store, &vfs, &mut model, &random, steps).unwrap();
    let mut outcome = Outcome::default();
    crash(&vfs, &model, (0, 0), planted, seed, strides, &mut outcome);
    outcome
}

/// `DAMASK_CRASH_SEEDS=n` crashes n longer runs at every event instead of twelve at every third.
#[test]
fn no_crash_loses_what_was_acknowledged() {
    let wanted = std::env::var("DAMASK_CRASH_SEEDS").ok().and_then(|n| n.parse::<u64>().ok());
    let strides: &[usize] = if wanted.is_some() { &[1, 5] } else { &[3, 11] };
    // As many of each number of lanes.
    let seeds = wanted.unwrap_or(12);
    let mut total = Outcome::default();
    for seed in 0..seeds {
        let outcome = run(seed, 40, Planted::Nothing, None, strides);
        assert!(outcome.bad.is_empty(), "{:#?}", &outcome.bad[..outcome.bad.len().min(5)]);
        total.images += outcome.images;
        total.writes_at_stake += outcome.writes_at_stake;
        total.names_at_stake += outcome.names_at_stake;
    }
    println!("{total:?}");
    assert!(total.images as u64 > 400 * seeds, "{total:?}");
    assert!(total.writes_at_stake > 200 && total.names_at_stake > 50, "{total:?}");
}

/// A superblock may arrive before the length of its file.
#[test]
fn no_crash_spoils_a_database_in_the_making() {
    for seed in 0..40 {
        let outcome = run(seed, 0, Planted::Nothing, None, &[1]);
        assert!(outcome.bad.is_empty(), "{:#?}", outcome.bad);
    }
}

#[test]
fn planted_defects_are_found() {
    let lying = |text| Some(Fault::LyingSync(text));
    let cases = [
        ("superblock before sync", Planted::SuperblockBeforeSync, None),
        ("early reuse", Planted::EarlyReuse, None),
        ("changes in a checkpoint's pages", Planted::NoCopyAside, None),
        ("changes in a checkpoint's page table", Planted::NoFrozenPlace, None),
        ("log acknowledged without sync", Planted::Nothing, lying(".wal")),
        ("a flush acknowledged before an earlier one", Planted::OutOfOrder, None),
        ("log let go that is to be kept", Planted::LogLetGo, None),
    ];
    for (name, planted, fault) in cases {
        let found = (0..12).any(|seed| !run(seed, 60, planted, fault.clone(), &[2]).bad.is_empty());
        assert!(found, "{name} was not noticed");
    }
}

/// Every call fails once, at each place of a run. After that the store refuses or goes on, but it never lies.
#[test]
fn any_failing_call_is_survived() {
    let mut struck = 0;
    for nth in (1..400).step_by(3) {
        let vfs = SimVfs::default();
        let random = SeededRandom::new(5);
        let mut model = Model::default();
        let seed = nth;
        vfs.inject(Fault::FailCall(nth));
        if let Ok((store, _)) = open(&vfs, seed, Planted::Nothing) {
            let _ = work(&store, &vfs, &mut model, &random, 80);
        }
        let counts = vfs.counts();
        struck += counts.failed_reads + counts.failed_writes + counts.failed_syncs;
        struck += counts.failed_others;
        let marks = vfs.events().into_iter().filter_map(|event| match event {
            crate::vfs::Event::Mark(number) => Some(number),
            _ => None,
        });
        let promised = acknowledged(marks, (0, 0));
        for kind in ImageKind::ALL {
            let image = vfs.crashed(kind, &random);
            let result = check(&image, seed + 1, &model, promised, Planted::Nothing);
            assert!(result.is_ok(), "call {nth}, {kind:?}: {}", result.err().unwrap());
        }
    }
    assert!(struck > 80, "{struck} calls failed");
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let vfs = SimVfs::default();
    let (store, _) = open(&vfs, 1, Planted::Nothing).unwrap();
    let lsn = store.log().append(Timestamp(1), b"one").unwrap();
    store.log().flush(lsn).unwrap();
    vfs.inject(Fault::FailSync(1));
    let lost = store.log().append(Timestamp(2), b"two").unwrap();
    let error = store.log().flush(lost).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::IO_ERROR);
    assert_eq!(vfs.counts().failed_syncs, 1);
    for _ in 0..2 {
        let error = store.log().flush(lost).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::IO_ERROR);
    }
    assert!(store.log().append(Timestamp(3), b"three").is_err());
    assert!(store.checkpoint(Timestamp(2), b"").is_err());
    assert!(store.close(Timestamp(2), b"").is_err());
    assert_eq!(store.log().durable_ts(), Timestamp(1));
    drop(store);
    let (store, recovered) = open(&vfs.killed(), 2, Planted::Nothing).unwrap();
    let found: Vec<_> = recovered.frames.map(Result::unwrap).collect();
    assert_eq!(found, [(Timestamp(1), b"one".to_vec())]);
    assert!(store.check_health().is_ok());
}
