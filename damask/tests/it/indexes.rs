//! Covering, partial and expression indexes through a crash: recovery computes what they hold, as sessions do.

use crate::support::{Folder, error, rows, run};
use damask::Database;
use std::path::Path;

/// What a crash would leave of a folder now.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            std::fs::create_dir_all(&target).expect("a folder is made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it is copied");
        }
    }
}

fn check(database: &Database) {
    let report = database.verify().expect("it can be checked");
    assert!(report.errors.is_empty(), "{:?}", report.errors);
}

#[test]
fn computed_indexes_come_through_a_crash() {
    let folder = Folder::new("indexes");
    let database = folder.open();
    let (mut a, mut b) =
        (database.connect().expect("it opens"), database.connect().expect("it opens"));
    run(
        &mut a,
        &[
            "CREATE TABLE t (a int, b text, c int)",
            "CREATE INDEX t_e ON t (lower(b), (a % 10))",
            "CREATE UNIQUE INDEX t_p ON t (a) INCLUDE (b) WHERE c = 3",
            "INSERT INTO t SELECT x, 'B' || x % 50, x % 7 FROM generate_series(1, 500) AS x",
        ],
    );
    database.checkpoint().expect("a checkpoint");
    run(
        &mut a,
        &[
            "UPDATE t SET c = c + 1 WHERE a <= 100 AND c < 3",
            "DELETE FROM t WHERE a > 450",
            "CREATE INDEX t_q ON t ((a + c)) WHERE b IS NOT NULL",
            "UPDATE t SET b = NULL WHERE a = 42",
        ],
    );
    run(&mut b, &["BEGIN", "UPDATE t SET c = 3, b = 'Open' WHERE a BETWEEN 200 AND 210"]);
    database.checkpoint().expect("a checkpoint");
    run(&mut a, &["UPDATE t SET b = upper(b) || 'X' WHERE a BETWEEN 300 AND 310"]);
    check(&database);

    let after = Folder::new("indexes-after");
    copy(&folder.0, &after.0);
    let recovered = after.open();
    check(&recovered);
    let mut c = recovered.connect().expect("it opens");
    for (query, wanted) in [
        ("SELECT count(*) FROM t WHERE lower(b) = 'open'", "0"),
        ("SELECT count(*) FROM t WHERE lower(b) = 'b5x' AND a % 10 = 5", "1"),
        ("SELECT a FROM t WHERE a < 12 AND c = 3 ORDER BY a", "2;3;9;10"),
        ("SELECT count(*) FROM t WHERE a + c = 45 AND b IS NOT NULL", "2"),
    ] {
        assert_eq!(rows(&mut c, query), wanted, "{query}");
    }
    assert!(error(&mut c, "INSERT INTO t VALUES (3, 'x', 3)").contains("23505"));
    run(&mut c, &["INSERT INTO t VALUES (3, 'x', 2)", "DELETE FROM t WHERE lower(b) < 'b3'"]);
    check(&recovered);
    recovered.close().expect("it closes");
    drop((c, recovered));
    check(&after.open());
    run(&mut b, &["ROLLBACK"]);
    check(&database);
}

#[test]
fn an_index_that_could_not_be_filled_stays_invalid_over_a_restart() {
    let folder = Folder::new("invalid-index");
    let mut database = folder.open();
    let mut connection = database.connect().expect("it opens");
    run(&mut connection, &["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)"]);
    let create = "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)";
    assert!(error(&mut connection, create).starts_with("23505"));
    let validity = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass";
    for closes in [true, false] {
        assert_eq!(rows(&mut connection, validity), "false", "closes: {closes}");
        assert_eq!(rows(&mut connection, "SELECT count(*) FROM t WHERE a = 1"), "2");
        if closes {
            database.close().expect("it closes");
        }
        drop((connection, database));
        database = folder.open();
        connection = database.connect().expect("it opens");
    }
}
