//! Crashes, failures and damage among flushes of the log that overlap, each begun, written, synced and acknowledged when the test says so.
//!
//! The random lives are in [`super::crash_tests`].

use super::crash_tests::{options, path};
use super::{Planted, Store, StoreOptions};
use crate::env::{Env, SeededRandom};
use crate::log::Flush;
use crate::vfs::{Fault, ImageKind, OpenOptions, SimVfs, Vfs};
use damask_types::{Result, SqlState, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// Opens with so many lanes; what the log has.
fn open_lanes(vfs: &SimVfs, lanes: usize, planted: Planted) -> Result<(Store, Vec<u64>)> {
    let env = Env::simulated(Arc::new(vfs.clone()), 1);
    let options = StoreOptions { log_lanes: lanes, ..options(planted, 1) };
    let (store, recovered) = Store::open(env, path(), options)?;
    let found = recovered.frames.map(|frame| {
        let (ts, bytes) = frame.unwrap();
        assert_eq!(bytes, frame_of(ts.0));
        ts.0
    });
    let found = found.collect();
    Ok((store, found))
}

/// A frame that tells its time and is the same in every life.
fn frame_of(ts: u64) -> Vec<u8> {
    format!("frame {ts}").into_bytes()
}

/// Appends the frames of these times and begins a flush of each.
fn begin_flushes(store: &Store, times: std::ops::RangeInclusive<u64>) -> Vec<Flush<'_>> {
    let begin = |ts| {
        store.log().append(Timestamp(ts), &frame_of(ts)).unwrap();
        store.log().begin_flush().unwrap().expect("a lane is free")
    };
    times.map(begin).collect()
}

fn write_and_sync(flush: &mut Flush<'_>) {
    flush.write().unwrap();
    flush.sync().unwrap();
}

/// What reached the disk before something earlier did not is not there, and does not come back when the same is logged again.
fn log_over_a_gap(planted: Planted) -> Vec<u64> {
    let vfs = SimVfs::default();
    let (store, _) = open_lanes(&vfs, 3, planted).unwrap();
    let lsn = store.log().append(Timestamp(1), &frame_of(1)).unwrap();
    store.log().flush(lsn).unwrap();
    let mut flushes = begin_flushes(&store, 2..=4);
    flushes[1..].iter_mut().for_each(write_and_sync);
    flushes.drain(1..).for_each(Flush::finish);
    assert_eq!(store.log().durable_ts(), Timestamp(1), "flush 2 is not done");
    let image = vfs.killed();
    drop(flushes);
    drop(store);

    let (store, found) = open_lanes(&image, 3, planted).unwrap();
    assert_eq!(found, [1]);
    let lsn = store.log().append(Timestamp(2), &frame_of(2)).unwrap();
    store.log().flush(lsn).unwrap();
    drop(store);
    open_lanes(&image.killed(), 2, planted).unwrap().1
}

#[test]
fn what_lies_behind_a_gap_never_comes_back() {
    assert_eq!(log_over_a_gap(Planted::Nothing), [1, 2]);
    assert_eq!(log_over_a_gap(Planted::NoRestart), [1, 2, 3, 4], "the harness sees what it is for");
}

/// Damage in the middle of a log of several lanes is told from what flushes under way left undone.
#[test]
fn a_log_with_lanes_that_is_damaged_is_not_a_short_one() {
    // Flushes 1 and 2 overlap; 3 begins when 1 is acknowledged, and overlaps 2. Frame n is in the place (lane, block).
    let places = [(0, 0), (1, 0), (0, 1)];
    let log = |is_written: [bool; 3]| {
        let vfs = SimVfs::default();
        let (store, _) = open_lanes(&vfs, 2, Planted::Nothing).unwrap();
        let mut flushes = begin_flushes(&store, 1..=2);
        let mut second = flushes.pop().unwrap();
        let mut first = flushes.pop().unwrap();
        write_and_sync(&mut first);
        first.finish();
        let mut third = begin_flushes(&store, 3..=3).remove(0);
        if is_written[1] {
            write_and_sync(&mut second);
        }
        if is_written[2] {
            write_and_sync(&mut third);
        }
        vfs.killed()
    };
    let damage = |vfs: &SimVfs, frame: usize| {
        let (lane, block) = places[frame - 1];
        let name = if lane == 0 { "" } else { "01-" };
        let segment = format!("d.wal/{name}0000000000000000.log");
        vfs.flip(Path::new(&segment), block * 4096 + 66, 1);
        assert_eq!(vfs.counts().flipped_bits, 1);
    };
    let found = |vfs: &SimVfs| open_lanes(vfs, 2, Planted::Nothing).map(|(_, found)| found);
    assert_eq!(found(&log([true, true, true])).unwrap(), [1, 2, 3]);
    assert_eq!(found(&log([true, false, true])).unwrap(), [1], "the second was under way");
    for (frame, is_written) in [(1, [true, true, true]), (1, [true, false, true])] {
        let vfs = log(is_written);
        damage(&vfs, frame);
        let error = found(&vfs).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED, "the third says it was durable");
    }
    for (frame, left) in [(2, vec![1]), (3, vec![1, 2])] {
        let vfs = log([true, true, true]);
        damage(&vfs, frame);
        assert_eq!(found(&vfs).unwrap(), left, "{frame} was under way for all that one knows");
    }
    let vfs = log([true, true, false]);
    damage(&vfs, 1);
    assert_eq!(found(&vfs).unwrap(), [], "the second was begun before the first was durable");
}

/// A sync that fails in one lane takes along what is behind it in the stream, in whatever lane, and leaves what is before it.
#[test]
fn a_failed_sync_in_a_lane_fails_all_behind_it() {
    let vfs = SimVfs::default();
    let (store, _) = open_lanes(&vfs, 3, Planted::Nothing).unwrap();
    let mut flushes = begin_flushes(&store, 1..=3);
    for flush in &mut flushes {
        flush.write().unwrap();
    }
    let mut third = flushes.pop().unwrap();
    third.sync().unwrap();
    third.finish();
    vfs.inject(Fault::FailSync(1));
    assert_eq!(flushes[1].sync().unwrap_err().sqlstate(), SqlState::IO_ERROR);
    assert_eq!(vfs.counts().failed_syncs, 1);
    flushes.truncate(1);
    let mut first = flushes.pop().unwrap();
    first.sync().unwrap();
    assert_eq!(store.log().durable_ts(), Timestamp(0));
    first.finish();
    assert_eq!(store.log().durable_ts(), Timestamp(1));
    let error = store.log().flush_ts(Timestamp(3)).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::IO_ERROR);
    assert!(store.log().append(Timestamp(4), b"four").is_err());
    assert!(store.log().begin_flush().unwrap().is_none());
    assert!(store.checkpoint(Timestamp(3), b"").is_err());
    drop(flushes);
    drop(store);
    assert_eq!(open_lanes(&vfs.killed(), 2, Planted::Nothing).unwrap().1, [1]);
}

/// One life has more lanes than the last, the next fewer; with crashes in between and checkpoints and closes.
#[test]
fn lives_have_as_many_lanes_as_they_like() {
    for end in ["crash", "checkpoint", "close"] {
        let mut vfs = SimVfs::default();
        let mut expected = Vec::new();
        let mut ts = 0;
        for lanes in [1, 3, 2, 1, 16, 4, 4, 1, 2] {
            let (store, found) = open_lanes(&vfs, lanes, Planted::Nothing).unwrap();
            assert_eq!(found, expected, "{end}, {lanes} lanes");
            // Twice as many flushes as there are lanes, those of a round in the other order.
            for _ in 0..2 {
                let mut flushes = begin_flushes(&store, ts + 1..=ts + lanes as u64);
                assert!(store.log().begin_flush().unwrap().is_none(), "nothing is left to flush");
                flushes.iter_mut().rev().for_each(write_and_sync);
                flushes.into_iter().rev().for_each(Flush::finish);
                expected.extend(ts + 1..=ts + lanes as u64);
                ts += lanes as u64;
                assert_eq!(store.log().durable_ts(), Timestamp(ts));
            }
            assert_eq!(store.log().flush_count(), 2 * lanes as u64);
            match end {
                "checkpoint" => {
                    store.checkpoint(Timestamp(ts), b"").unwrap();
                    expected.clear();
                    let names = vfs.list(Path::new("d.wal")).unwrap();
                    let of_lanes: std::collections::BTreeSet<_> =
                        names.iter().map(|name| name.split_once('-').map(|name| name.0)).collect();
                    assert_eq!(of_lanes.len(), lanes, "lanes that are not used go: {names:?}");
                }
                "close" => {
                    store.close(Timestamp(ts), b"").unwrap();
                    expected.clear();
                }
                _ => {}
            }
            drop(store);
            vfs = vfs.crashed(ImageKind::Nothing, &SeededRandom::new(1));
        }
    }
}

/// A checkpoint lets lanes go that are not used any more, and is crashed at every event of that. Lanes of these numbers begin anew, whatever is
/// left of the old ones.
#[test]
fn lanes_that_a_crash_left_behind_mean_nothing() {
    let vfs = SimVfs::default();
    let (store, _) = open_lanes(&vfs, 3, Planted::Nothing).unwrap();
    // More than a segment in each lane.
    for round in 0..12 {
        for mut flush in begin_flushes(&store, round * 3 + 1..=round * 3 + 3) {
            write_and_sync(&mut flush);
            flush.finish();
        }
    }
    drop(store);
    let vfs = vfs.killed();
    let (store, found) = open_lanes(&vfs, 1, Planted::Nothing).unwrap();
    assert!(found.into_iter().eq(1..=36));
    store.checkpoint(Timestamp(36), b"").unwrap();
    drop(store);
    let random = SeededRandom::new(1);
    let mut crashes = vfs.crashes();
    let mut with_leftovers = 0;
    for event in 0..=crashes.event_count() {
        for image in crashes.at(event, &random) {
            let vfs = image.vfs;
            let has_lanes = vfs.list(Path::new("d.wal")).unwrap().iter().any(|it| it.contains('-'));
            let (store, expected) = open_lanes(&vfs, 3, Planted::Nothing).unwrap();
            with_leftovers += usize::from(has_lanes && expected.is_empty());
            drop(store);
            let (store, mut found) = open_lanes(&vfs, 3, Planted::Nothing).unwrap();
            assert_eq!(found, expected, "event {event}, {:?}", image.kind);
            begin_flushes(&store, 37..=39).iter_mut().for_each(write_and_sync);
            drop(store);
            found.extend(37..=39);
            let (_, again) = open_lanes(&vfs, 2, Planted::Nothing).unwrap();
            assert_eq!(again, found, "event {event}, {:?}", image.kind);
        }
    }
    assert!(with_leftovers > 0, "no crash came before the lanes were gone");
}

/// Lanes that nobody writes in have room for what collects, and no more, however much others write.
#[test]
fn room_ahead_is_bounded_in_every_lane() {
    const FRAME_BYTES: usize = 600_000;
    let vfs = SimVfs::default();
    let (store, _) = open_lanes(&vfs, 3, Planted::Nothing).unwrap();
    for ts in 1..=20 {
        store.log().append(Timestamp(ts), &vec![0; FRAME_BYTES]).unwrap();
        store.log().flush_all().unwrap();
        store.log().append(Timestamp(ts), &frame_of(ts)).unwrap();
        store.log().flush_all().unwrap();
    }
    let directory = Path::new("d.wal");
    let names = vfs.list(directory).unwrap();
    let lane_bytes = |lane: &str| -> u64 {
        let of_lane = names.iter().filter(|name| name.starts_with(lane));
        let len = |name| vfs.open(&directory.join(name), OpenOptions::EXISTING)?.len();
        of_lane.map(|name| len(name).unwrap()).sum()
    };
    for lane in ["01-", "02-"] {
        let bytes = lane_bytes(lane);
        assert!((FRAME_BYTES as u64..3 * FRAME_BYTES as u64).contains(&bytes), "{bytes}");
    }
}
