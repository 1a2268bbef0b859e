//! Advisory locks as one session sees them, and `pg_locks`. Who waits for whom is in `testdata/locking/advisory.txt`.

use crate::support::{connect, rows, run};

#[test]
fn a_lock_that_is_not_held_is_warned_of() {
    let (_database, mut connection) = connect();
    run(&mut connection, &["SELECT pg_advisory_lock(7)"]);
    assert_eq!(rows(&mut connection, "SELECT pg_advisory_unlock(7)"), "true");
    assert!(connection.session().take_notices().is_empty());
    for (unlock, mode) in [
        ("pg_advisory_unlock(7)", "ExclusiveLock"),
        ("pg_advisory_unlock_shared(1, 2)", "ShareLock"),
    ] {
        assert_eq!(rows(&mut connection, &format!("SELECT {unlock}")), "false");
        let notices = connection.session().take_notices();
        let texts: Vec<&str> = notices.iter().map(|notice| notice.error.message()).collect();
        assert_eq!(texts, [format!("you don't own a lock of type {mode}")]);
    }
}

#[test]
fn locks_go_with_their_session() {
    let (database, mut connection) = connect();
    let mut other = database.connect().unwrap();
    run(&mut other, &["SELECT pg_advisory_lock(7)", "SELECT pg_advisory_lock(8)", "DISCARD ALL"]);
    assert_eq!(rows(&mut connection, "SELECT pg_try_advisory_lock(8)"), "true");
    run(&mut other, &["SELECT pg_advisory_lock(7)"]);
    assert_eq!(rows(&mut connection, "SELECT pg_try_advisory_lock(7)"), "false");
    drop(other);
    assert_eq!(rows(&mut connection, "SELECT pg_try_advisory_lock(7)"), "true");
}

#[test]
fn pg_locks_shows_relations_transactions_and_advisory_locks() {
    let (database, mut connection) = connect();
    let mut other = database.connect().unwrap();
    run(&mut other, &["CREATE TABLE t (a int)", "SELECT pg_advisory_lock(5000000000)", "BEGIN"]);
    run(&mut other, &["SELECT pg_advisory_xact_lock_shared(-1, 2)", "INSERT INTO t VALUES (1)"]);
    let pid = rows(&mut other, "SELECT pg_backend_pid()");
    let query =
        "SELECT locktype, relation::regclass::text, classid, objid, objsubid, mode, granted,
            virtualxid IS NOT NULL, transactionid IS NOT NULL
        FROM pg_locks WHERE pid = ";
    assert_eq!(
        rows(&mut connection, &format!("{query}{pid} ORDER BY 1, 3, 6")),
        "advisory|null|1|705032704|1|ExclusiveLock|true|false|false;\
         advisory|null|4294967295|2|2|ShareLock|true|false|false;\
         relation|t|null|null|null|RowExclusiveLock|true|false|false;\
         transactionid|null|null|null|null|ExclusiveLock|true|false|true;\
         virtualxid|null|null|null|null|ExclusiveLock|true|true|false"
    );
    run(&mut other, &["COMMIT"]);
    assert_eq!(
        rows(&mut connection, &format!("SELECT count(*) FROM pg_locks WHERE pid = {pid}")),
        "1"
    );
}

#[test]
fn who_blocks_is_named() {
    let (database, mut connection) = connect();
    let mut other = database.connect().unwrap();
    run(&mut connection, &["SELECT pg_advisory_lock(1)"]);
    let pid = rows(&mut other, "SELECT pg_backend_pid()");
    let waits = std::thread::spawn(move || other.execute("SELECT pg_advisory_lock(1)"));
    let query = format!("SELECT pg_blocking_pids({pid}) = ARRAY[pg_backend_pid()]");
    while rows(&mut connection, &query) != "true" {
        std::thread::yield_now();
    }
    assert_eq!(rows(&mut connection, "SELECT pg_blocking_pids(pg_backend_pid()) = '{}'"), "true");
    assert_eq!(
        rows(
            &mut connection,
            "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ),
        "ExclusiveLock"
    );
    run(&mut connection, &["SELECT pg_advisory_unlock_all()"]);
    waits.join().unwrap().unwrap();
}
