//! Crashes around indexes: built beside writers, hashed, with keys that are checked later; and with old rows in files.

use super::*;

/// Indexes that are filled while others write; some are never finished, and dropped or left.
fn built_beside_writers(run: &mut Run) {
    let mut txn = run.begin();
    let rel = txn.create_relation(run.desc(false, vec![index(&[0], true)])).unwrap();
    for _ in 0..20 {
        change(run, &mut txn, rel);
    }
    run.commit(txn);
    let mut unfinished = None;
    for i in 0..5 {
        let mut txn = run.begin();
        let building = IndexDesc { building: true, hash: i % 2 == 1, ..index(&[1], false) };
        let made = txn.add_index(rel, building).unwrap();
        run.commit(txn);
        let mut other = run.begin();
        change(run, &mut other, rel);
        if i % 2 == 0 {
            run.engine.checkpoint().unwrap();
        }
        let mut txn = run.begin();
        txn.fill_index(rel, made).unwrap();
        if i % 3 == 1 {
            run.engine.checkpoint().unwrap();
        }
        change(run, &mut other, rel);
        if i % 2 == 0 {
            run.commit(other);
        } else {
            other.rollback().unwrap();
        }
        if let Some(old) = unfinished.take() {
            txn.drop_index(rel, old).unwrap();
        }
        if i % 3 == 2 {
            unfinished = Some(made);
        } else {
            txn.finish_index(rel, made).unwrap();
        }
        run.commit(txn);
        let mut txn = run.begin();
        change(run, &mut txn, rel);
        run.commit(txn);
    }
}

/// Keys of a deferrable index meet for a while; a hash index and an old reader beside it, whose rows go to files.
fn keys_checked_later(run: &mut Run) {
    let mut txn = run.begin();
    let deferrable = IndexDesc { deferrable: true, ..index(&[0], true) };
    let hashed = IndexDesc { hash: true, ..index(&[1], false) };
    let rel = txn.create_relation(run.desc(false, vec![deferrable, hashed])).unwrap();
    for _ in 0..10 {
        change(run, &mut txn, rel);
    }
    run.commit(txn);
    let mut reader = run.engine.begin(IsolationLevel::RepeatableRead, true).unwrap();
    reader.begin_statement().unwrap();
    for i in 0..16 {
        let mut txn = run.begin();
        for _ in 0..4 {
            change(run, &mut txn, rel);
        }
        let unique = |(_, work): &(usize, crate::Deferred)| match work {
            crate::Deferred::Unique { rel, index, row } => txn.check_unique(*rel, *index, *row),
            _ => Ok(()),
        };
        let checked = txn.deferred(false).iter().try_for_each(unique);
        if i % 5 == 2 {
            run.engine.checkpoint().unwrap();
        }
        match checked {
            Ok(()) => run.commit(txn),
            Err(error) => {
                assert_eq!(error.sqlstate().as_str(), "23505", "{error}");
                txn.rollback().unwrap();
            }
        }
    }
}

#[test]
fn crashes_while_indexes_are_built_beside_writers() {
    survives(built_beside_writers, 5);
}

#[test]
fn crashes_with_keys_that_are_checked_later() {
    survives(keys_checked_later, 5);
}
