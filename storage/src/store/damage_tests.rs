//! Files that are not what was written: flipped bits, and writes that were lost or went elsewhere. All of it is noticed.

use super::crash_tests::{Model, change_pages, check, checkpoint, meta, open, path};
use super::{Planted, verify_file};
use crate::env::{Env, SeededRandom};
use crate::vfs::{Fault, SimVfs};
use damask_types::{SqlState, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// A byte of a closed file is flipped, everywhere: either it is in free space, or it is noticed with the file's name.
#[test]
fn every_flipped_bit_is_noticed() {
    for seed in 0..4 {
        flip_bits(seed);
    }
}

fn flip_bits(seed: u64) {
    let vfs = SimVfs::default();
    let random = SeededRandom::new(4);
    let mut model = Model::default();
    let (store, _) = open(&vfs, seed, Planted::Nothing).unwrap();
    change_pages(&store, &mut model.pages, &random, 40).unwrap();
    checkpoint(&store, &vfs, &mut model).unwrap();
    change_pages(&store, &mut model.pages, &random, 10).unwrap();
    model.ts = 5;
    model.checkpoints.insert(5, model.pages.clone());
    let free: Vec<bool> = {
        store.close(Timestamp(5), &meta(5)).unwrap();
        let unit_count = store.pool().statistics().unit_count;
        let mut free = vec![false; unit_count as usize];
        for run in store.pool().spare_runs() {
            (run.start..run.end()).for_each(|unit| free[unit as usize] = true);
        }
        free
    };
    drop(store);
    let (mut noticed, mut unused) = (0, 0);
    for (unit, is_free) in free.iter().copied().enumerate() {
        for at in [0, 5, 9, 17, 70, 600, 4095] {
            let offset = (unit * 4096 + at) as u64;
            let image = vfs.killed();
            image.flip(path(), offset, 1 << (at % 8));
            assert_eq!(image.counts().flipped_bits, 1);
            let env = Env::simulated(Arc::new(image.clone()), 9);
            let report = verify_file(&env, path()).unwrap();
            // Superblocks are two: the one that is not in force may rot unnoticed, the other one is the older state.
            if unit < 2 {
                continue;
            }
            assert_eq!(report.is_clean(), is_free, "unit {unit}, byte {at}: {report:?}");
            if is_free {
                unused += 1;
                continue;
            }
            noticed += 1;
            assert!(report.problems[0].contains("file \"d\""), "{report:?}");
            // Using the store gives errors, never other content.
            let problem = check(&image, 10, &model, (5, 5), Planted::Nothing).err();
            assert!(problem.is_some(), "unit {unit}, byte {at}");
        }
    }
    assert!(noticed > 100 && unused > 0, "{noticed} noticed, {unused} in free space");
}

/// Damage in the middle of the log is told from a torn end.
#[test]
fn a_damaged_log_is_not_a_short_one() {
    let vfs = SimVfs::default();
    let (store, _) = open(&vfs, 1, Planted::Nothing).unwrap();
    for ts in 1..4 {
        let lsn = store.log().append(Timestamp(ts), b"frame").unwrap();
        store.log().flush(lsn).unwrap();
    }
    drop(store);
    let segment = Path::new("d.wal/0000000000000000.log");
    let image = vfs.killed();
    image.flip(segment, 4096 + 66, 1);
    let error = open(&image, 2, Planted::Nothing).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED);
    let image = vfs.killed();
    image.flip(segment, 2 * 4096 + 66, 1);
    let (_, recovered) = open(&image, 2, Planted::Nothing).unwrap();
    assert_eq!(recovered.frames.count(), 2, "the last flush may have been torn");
}

/// Writes that go nowhere or elsewhere, and say they were done.
#[test]
fn lost_and_misdirected_writes_are_noticed() {
    let mut noticed = 0;
    let mut struck = 0;
    for nth in 1..40 {
        for fault in [Fault::DropWrite(nth), Fault::MisdirectWrite(nth, 4096)] {
            let vfs = SimVfs::default();
            let random = SeededRandom::new(6);
            let mut model = Model::default();
            let (store, _) = open(&vfs, 1, Planted::Nothing).unwrap();
            change_pages(&store, &mut model.pages, &random, 25).unwrap();
            checkpoint(&store, &vfs, &mut model).unwrap();
            vfs.inject(fault);
            change_pages(&store, &mut model.pages, &random, 25).unwrap();
            let done = checkpoint(&store, &vfs, &mut model);
            drop(store);
            let counts = vfs.counts();
            struck += counts.dropped_writes + counts.misdirected_writes;
            if done.is_ok() && counts.dropped_writes + counts.misdirected_writes > 0 {
                // The older superblock may be found if the write of the newer went astray; otherwise it is an error.
                match check(&vfs.killed(), 2, &model, (0, 0), Planted::Nothing) {
                    Ok((_, found)) => {
                        assert!(model.checkpoints.values().any(|p| *p == found.pages));
                    }
                    Err(_) => noticed += 1,
                }
            }
        }
    }
    assert!(struck > 20 && noticed > 10, "{struck} struck, {noticed} noticed");
}
