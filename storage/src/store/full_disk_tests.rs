//! Disks that are full: what cannot be done is refused, and nothing else is lost.

use super::crash_tests::{
    Model, change_pages, check, checkpoint, fill, open as open_like, open_in, options, path,
};
use super::{Planted, Store, StoreOptions};
use crate::env::{Env, Random, SeededRandom};
use crate::governor::Governor;
use crate::page::{PAGE_HEADER_BYTES, PageId, PageKind, TreeId};
use crate::pool::Change;
use crate::vfs::{Fault, ImageKind, SimVfs};
use damask_types::{Result, SqlState, Timestamp};
use std::sync::Arc;

/// Opens with so many lanes; what the log has.
fn open(
    vfs: &SimVfs,
    lanes: usize,
    planted: Planted,
) -> Result<(Store, Vec<(Timestamp, Vec<u8>)>)> {
    let env = Env::simulated(Arc::new(vfs.clone()), 1);
    let options = StoreOptions { log_lanes: lanes, ..options(planted, 1) };
    let (store, recovered) = Store::open(env, path(), options)?;
    let found = recovered.frames.map(Result::unwrap).collect();
    Ok((store, found))
}

/// Frames of all lengths on a disk with so much room, flushed one by one or several together, until one is refused; then there is room again.
/// What was taken is durable, whatever the disk is like.
fn frames_until_it_is_full(lanes: usize, room: u64, planted: Planted) -> Result<()> {
    let vfs = SimVfs::default();
    let random = SeededRandom::new(room);
    let (store, _) = open(&vfs, lanes, planted).unwrap();
    let (log, mut expected) = (store.log(), Vec::new());
    for is_full in [true, false] {
        if is_full {
            vfs.inject(Fault::Budget(vfs.used_bytes() + room));
        } else {
            vfs.heal();
        }
        for i in 0.. {
            let ts = Timestamp(expected.len() as u64 + 1);
            let len = [0, 40, 3950, 4000, 5000, 40_000][random.below(6) as usize];
            let frame = vec![ts.0 as u8; len];
            match log.append(ts, &frame) {
                Ok(_) => expected.push((ts, frame)),
                Err(error) => {
                    assert_eq!((error.sqlstate(), is_full), (SqlState::DISK_FULL, true));
                    break;
                }
            }
            if random.below(3) == 0 {
                log.flush_all()?;
            }
            if !is_full && i == 20 {
                break;
            }
        }
        log.flush_all()?;
    }
    assert!(vfs.counts().disk_full > 0 && expected.len() > 20);
    drop(store);
    let image = vfs.crashed(ImageKind::Nothing, &random);
    assert_eq!(open(&image, 1, Planted::Nothing)?.1, expected);
    Ok(())
}

#[test]
fn a_full_disk_refuses_a_frame_and_nothing_else() {
    let rooms = || (0..30).map(|i| i * 12_345);
    for (lanes, room) in (1..=3).flat_map(|lanes| rooms().map(move |room| (lanes, room))) {
        frames_until_it_is_full(lanes, room, Planted::Nothing).unwrap();
    }
    let fails = |room| frames_until_it_is_full(1, room, Planted::NoRoom).is_err();
    assert!(rooms().any(fails), "the test sees what it is for");
}

/// Room is synced in a file that others have written to and not synced. If that fails, what they wrote may be lost, and is not acknowledged.
#[test]
fn a_failed_sync_of_room_is_one_of_the_log() {
    let mut struck = 0;
    for (nth, len) in (1..12).flat_map(|nth| (1..20).map(move |i| (nth, 700 * i))) {
        let vfs = SimVfs::default();
        let (store, _) = open(&vfs, 1, Planted::Nothing).unwrap();
        let (log, frame) = (store.log(), vec![7; len]);
        vfs.inject(Fault::FailSync(nth));
        let mut acknowledged = 0;
        for ts in 1..30 {
            let written = log.append(Timestamp(2 * ts), &frame).and_then(|_| {
                let mut flush = log.begin_flush()?.expect("the lane is free");
                flush.write()?;
                Ok(flush)
            });
            let Ok(mut flush) = written else { break };
            // It may need room.
            let _ = log.append(Timestamp(2 * ts + 1), &frame);
            if flush.sync().is_err() {
                break;
            }
            flush.finish();
            acknowledged = log.durable_ts().0;
        }
        struck += vfs.counts().failed_syncs;
        drop(store);
        let image = vfs.crashed(ImageKind::Nothing, &SeededRandom::new(nth));
        let found = open(&image, 1, Planted::Nothing).unwrap().1;
        let last = found.last().map_or(0, |(ts, _)| ts.0);
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is there");
    }
    assert!(struck > 150, "{struck} syncs failed");
}

#[test]
fn a_full_disk_fails_a_checkpoint_and_nothing_else() {
    let vfs = SimVfs::default();
    let random = SeededRandom::new(3);
    let mut model = Model::default();
    let (store, _) = open_like(&vfs, 1, Planted::Nothing).unwrap();
    change_pages(&store, &mut model.pages, &random, 300).unwrap();
    checkpoint(&store, &vfs, &mut model).unwrap();
    let pages = model.pages.clone();
    for (page, number) in &mut model.pages {
        // Frames must run out of room only in the checkpoint, so few pages change.
        if page.0 % 16 == 0 {
            *number ^= 1;
            fill(&mut store.pool().write(*page).unwrap(), *number);
        }
    }
    vfs.inject(Fault::Budget(vfs.used_bytes()));
    let error = store.checkpoint(Timestamp(1), &vec![0; 2_000_000]).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::DISK_FULL);
    assert!(vfs.counts().disk_full > 0);
    assert!(store.check_health().is_ok());
    let report = store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    let image = vfs.crashed(ImageKind::All, &random);
    let (old, _) = check(&image, 7, &model, (0, 0), Planted::Nothing).unwrap();
    assert_eq!(old.pool().statistics().page_count, pages.len());
    vfs.heal();
    checkpoint(&store, &vfs, &mut model).unwrap();
    let image = vfs.crashed(ImageKind::Nothing, &random);
    check(&image, 8, &model, (0, 2), Planted::Nothing).unwrap();
}

/// More pages than frames are made, half of them changed since the checkpoint, then there is no more room: those are changed again and again, the others
/// until that is refused, and all are read. What the checkpoint has stays. Every other pool is never as large as it may be, for want of memory.
fn pages_on_a_full_disk(seed: u64, is_admitted: bool, planted: Planted) -> Result<(), String> {
    const COUNT: usize = 120;
    let text = |error: damask_types::Error| error.to_string();
    let vfs = SimVfs::default();
    let random = SeededRandom::new(seed);
    let mut model = Model::default();
    let mut env = Env::simulated(Arc::new(vfs.clone()), seed);
    let mut options = options(planted, seed);
    if seed % 8 > 3 {
        env.memory = Arc::new(Governor::new(options.pool_bytes * 2));
        options.pool_bytes *= 8;
    }
    let (store, _) = open_in(env, seed, options).unwrap();
    let pool = store.pool();
    for _ in 0..COUNT {
        let mut page = pool.allocate(PageKind::RowLeaf, TreeId(1)).unwrap();
        fill(&mut page, 4);
        model.pages.insert(page.page(), 4);
    }
    checkpoint(&store, &vfs, &mut model).unwrap();
    let pages: Vec<PageId> = model.pages.keys().copied().collect();
    let (changed, others) = pages.split_at(COUNT / 2);
    let mut change = |page: &PageId, change: Change| -> Result<()> {
        if is_admitted {
            pool.admit(change)?;
        }
        // Blocks become no longer than they are when there is no more room.
        let number = if vfs.counts().disk_full == 0 { 8 } else { random.next_u64() as u8 | 1 };
        fill(&mut pool.write(*page)?, number);
        model.pages.insert(*page, number);
        Ok(())
    };
    for page in changed {
        change(page, Change::Forward).unwrap();
    }
    vfs.inject(Fault::Budget(vfs.used_bytes()));
    let forward = || std::iter::repeat(Change::Forward);
    let mut go_on = |pages: &[PageId], changes: &mut dyn Iterator<Item = Change>| {
        pages.iter().zip(changes).try_for_each(|(page, kind)| change(page, kind))
    };
    let refused = (0..4).find_map(|_| go_on(others, &mut forward()).err());
    let is_refused = refused.is_some_and(|error| error.sqlstate() == SqlState::DISK_FULL);
    assert!(is_refused || planted == Planted::WrittenOver);
    for _ in 0..3 {
        go_on(changed, &mut std::iter::repeat(Change::Back)).map_err(text)?;
    }
    for (page, number) in &model.pages {
        let mut wanted = vec![0; pool.page_bytes()];
        fill(&mut wanted, *number);
        let found = pool.read(*page).map_err(text)?;
        if found[PAGE_HEADER_BYTES..] != wanted[PAGE_HEADER_BYTES..] {
            return Err(format!("page {page} is not {number}"));
        }
    }
    for kind in [ImageKind::All, ImageKind::Nothing] {
        check(&vfs.crashed(kind, &random), seed, &model, (0, 1), Planted::Nothing)?;
    }
    vfs.heal();
    checkpoint(&store, &vfs, &mut model).unwrap();
    let report = store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    let image = vfs.crashed(ImageKind::Nothing, &random);
    check(&image, seed, &model, (0, 2), Planted::Nothing).map(drop)
}

#[test]
fn a_full_disk_stops_neither_readers_nor_who_takes_back() {
    for seed in 0..12 {
        pages_on_a_full_disk(seed, true, Planted::Nothing).unwrap();
        assert!(pages_on_a_full_disk(seed, false, Planted::Nothing).is_err(), "{seed}: without L6");
    }
    for seed in 0..12 {
        let found = pages_on_a_full_disk(seed, true, Planted::WrittenOver);
        assert!(found.is_err_and(|what| what.contains("invalid page")), "{seed}");
    }
}
