//! Disks that become full and have room again while transactions go on: some are refused, nothing stops.

use super::{Run, SEQUENCE, dump, index, try_change};
use damask_storage::vfs::Fault;
use damask_types::{Error, SqlState};

/// A transaction is refused for one reason only.
fn assert_full(error: &Error) {
    assert_eq!(error.sqlstate(), SqlState::DISK_FULL, "{error}");
}

/// Transactions of a few changes, large ones among them, on a disk that has a little room, none, or all that is asked for, with checkpoints
/// and a sequence. What is refused changes nothing; what is taken is durable.
pub(super) fn full_disks(run: &mut Run) {
    let mut txn = run.begin();
    let t = txn.create_relation(run.desc(true, vec![index(&[1], false)])).unwrap();
    let u = txn.create_relation(run.desc(false, vec![index(&[0], true)])).unwrap();
    run.sequence = Some(txn.create_sequence(&SEQUENCE).unwrap());
    run.commit(txn);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..50 {
        if run.random.below(3) == 0 {
            run.vfs.heal();
            if run.random.below(4) > 0 {
                let room = run.random.below(5) * 4096;
                run.vfs.inject(Fault::Budget(run.vfs.used_bytes() + room));
            }
        }
        if run.random.below(8) == 0
            && let Err(error) = run.engine.checkpoint()
        {
            assert_full(&error);
        }
        match run.sequence.map(|rel| run.engine.sequence_next(rel, &SEQUENCE)) {
            Some(Ok(value)) => run.value = value,
            Some(Err(error)) => assert_full(&error),
            None => {}
        }
        let mut txn = run.begin();
        let changes = 1 + run.random.below(6);
        let changed = (0..changes).try_for_each(|i| {
            let rel = if i % 2 == 0 { t } else { u };
            try_change(run, &mut txn, rel)
        });
        let committed = match changed {
            Ok(()) => txn.commit(),
            Err(error) => txn.rollback().and(Err(error)),
        };
        match committed {
            Ok(ticket) => {
                run.acknowledge(ticket);
                taken += 1;
            }
            Err(error) => {
                assert_full(&error);
                assert_eq!(dump(&run.engine).unwrap(), *run.states.last().unwrap());
                refused += 1;
            }
        }
    }
    assert!(taken > 9 && refused > 0, "{taken} were taken, {refused} refused");
    run.vfs.heal();
    let mut txn = run.begin();
    try_change(run, &mut txn, t).unwrap();
    run.commit(txn);
}
