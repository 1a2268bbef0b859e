//! ON CONFLICT from several threads: no update is lost, no key comes twice.

use crate::support::{connect, rows, run};
use damask::Database;

const THREADS: i64 = 8;
const ROUNDS: i64 = 40;

/// Runs `work` with a number and a connection in each of the threads.
fn in_threads(database: &Database, work: impl Fn(i64, &mut damask::Connection) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let work = &work;
            scope.spawn(move || {
                let mut connection = database.connect().expect("a connection opens");
                work(thread, &mut connection);
            });
        }
    });
}

fn count(key: &str) {
    let (database, mut connection) = connect();
    run(&mut connection, &[&format!("CREATE TABLE t (k {key}, n bigint)")]);
    in_threads(&database, |_, connection| {
        for round in 0..ROUNDS {
            let insert = format!(
                "INSERT INTO t VALUES ({}, 1) ON CONFLICT (k) DO UPDATE SET n = t.n + 1",
                round % 2
            );
            run(connection, &[&insert]);
        }
    });
    let half = THREADS * ROUNDS / 2;
    let expected = format!("0|{half};1|{half}");
    assert_eq!(rows(&mut connection, "SELECT * FROM t ORDER BY k"), expected);
}

#[test]
fn a_counter_by_row_id_counts_everything() {
    count("int PRIMARY KEY");
}

#[test]
fn a_counter_by_index_counts_everything() {
    count("bigint UNIQUE");
}

#[test]
fn one_of_several_inserts_of_a_key_wins() {
    let (database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (k int PRIMARY KEY, u int UNIQUE, w int UNIQUE)"]);
    in_threads(&database, |thread, connection| {
        for key in 0..ROUNDS {
            // Of the three keys each thread shares another with another thread.
            let insert = format!(
                "INSERT INTO t VALUES ({}, {key}, {}) ON CONFLICT DO NOTHING",
                key * THREADS + thread,
                key * THREADS + thread / 2,
            );
            run(connection, &[&insert]);
        }
    });
    let sums = "SELECT count(*), count(DISTINCT u), count(DISTINCT w) FROM t";
    assert_eq!(rows(&mut connection, sums), format!("{ROUNDS}|{ROUNDS}|{ROUNDS}"));
}

#[test]
fn a_key_that_comes_and_goes_is_there_once_or_not() {
    let (database, mut connection) = connect();
    run(&mut connection, &["CREATE TABLE t (k bigint UNIQUE, n bigint NOT NULL)"]);
    in_threads(&database, |thread, connection| {
        for _ in 0..ROUNDS {
            if thread % 4 == 0 {
                run(connection, &["DELETE FROM t WHERE k = 1"]);
            } else {
                let insert =
                    "INSERT INTO t VALUES (1, 1) ON CONFLICT (k) DO UPDATE SET n = t.n + 1";
                run(connection, &[insert]);
            }
        }
    });
    run(&mut connection, &["INSERT INTO t VALUES (1, 1) ON CONFLICT (k) DO UPDATE SET n = 7"]);
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "1");
}
