//! Disks that are full: what cannot be done is refused, and nothing else is lost.

use super::crash_tests::{
    Model, change_pages, check, checkpoint, fill, open as open_like, options, path,
};
use super::{Planted, Store, StoreOptions};
use crate::env::{Env, SeededRandom};
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
