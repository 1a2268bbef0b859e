//! A panic in a statement is its error; the session, its locks and the others go on.

use crate::support::{connect, error, rows, run, show};
use damask::session::{Completion, CopyShape, OutputColumn, Sink};
use damask::types::Batch;
use damask::{Connection, Result};
use damask_types::format::FormatSettings;
use std::sync::Arc;

/// Panics at the first rows: in the middle of a statement, with its transaction, locks and read views in place.
struct Planted;

impl Sink for Planted {
    fn columns(&mut self, _columns: &Arc<[OutputColumn]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, _batch: &Batch, _settings: &FormatSettings) -> Result<()> {
        panic!("planted")
    }

    fn copy_out(&mut self, _data: &[u8]) -> Result<()> {
        panic!("planted")
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        Ok(())
    }
}

fn panic_in(connection: &mut Connection, sql: &str) -> String {
    let session = connection.session();
    let prepared = session.prepare_text(sql).expect("it parses");
    match session.run(&prepared[0], &mut Planted) {
        Ok(Completion::Tag(tag)) => tag.into_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => show(&error),
    }
}

const PANICKED: &str = "XX000 internal error: planted";

#[test]
fn a_panic_fails_the_statement_alone() {
    let (database, mut connection) = connect();
    let mut other = database.connect().expect("a second connection opens");
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY)", "INSERT INTO t VALUES (1)"]);
    for sql in [
        "SELECT * FROM t",
        "UPDATE t SET a = 2 RETURNING a",
        "DELETE FROM t RETURNING a",
        "SELECT * FROM t FOR UPDATE",
        "COPY t TO STDOUT",
        "SHOW work_mem",
    ] {
        assert_eq!(panic_in(&mut connection, sql), PANICKED, "{sql}");
        assert_eq!(rows(&mut connection, "SELECT a FROM t"), "1", "{sql}");
        // Neither row locks nor table locks are left.
        run(&mut other, &["BEGIN", "LOCK t", "UPDATE t SET a = a", "COMMIT"]);
    }
    assert_eq!(connection.session().end_reason().map(|reason| show(&reason)), None);
}

#[test]
fn a_panic_in_a_block_fails_the_block() {
    let (database, mut connection) = connect();
    let mut other = database.connect().expect("a second connection opens");
    run(
        &mut connection,
        &[
            "CREATE TABLE t (a int PRIMARY KEY)",
            "BEGIN",
            "INSERT INTO t VALUES (1)",
            "SAVEPOINT s",
            "INSERT INTO t VALUES (2)",
        ],
    );
    assert_eq!(panic_in(&mut connection, "UPDATE t SET a = a + 10 RETURNING a"), PANICKED);
    assert!(error(&mut connection, "SELECT 1").starts_with("25P02"));
    run(&mut connection, &["ROLLBACK TO s", "INSERT INTO t VALUES (3)", "COMMIT"]);
    assert_eq!(rows(&mut other, "SELECT a FROM t ORDER BY a"), "1;3");
    assert!(database.verify().expect("it can be verified").errors.is_empty());
}
