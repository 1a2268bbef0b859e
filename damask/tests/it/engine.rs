//! The storage parameter `engine` in a file with a small pool: what messages say, and that rows outlive a close whichever layer has them.

use crate::support::{Folder, rows, run};

#[test]
fn a_buffered_table_has_the_rows_of_a_plain_one() {
    let folder = Folder::new("engine");
    // Write buffers of 64 kB.
    let open = || folder.open_with(&[("shared_buffers", "256kB")]);
    let tables = [("plain", ""), ("buffered", "WITH (engine = lsm, compression = lz4)")];
    let content = |table: &str| {
        format!(
            "SELECT count(*), sum(a), sum(length(b)), count(DISTINCT c) FROM {table} WHERE a > 500"
        )
    };
    let database = open();
    let mut connection = database.connect().expect("it opens");
    for (table, with) in tables {
        run(
            &mut connection,
            &[&format!("CREATE TABLE {table} (a bigint PRIMARY KEY, b text, c int) {with}")],
        );
        for round in 0..6 {
            let insert = format!(
                "INSERT INTO {table} SELECT i * 7919 % 10007, repeat('x', i % 90), i % 100 \
                 FROM generate_series({}, {}) i",
                round * 1500 + 1,
                (round + 1) * 1500
            );
            let update =
                format!("UPDATE {table} SET c = {round}, b = b || 'y' WHERE a % 6 = {round}");
            let delete = format!("DELETE FROM {table} WHERE a % 50 = {round}");
            let long = format!(
                "UPDATE {table} SET b = repeat('long', 8000) WHERE a = {}",
                round * 500 + 3
            );
            run(&mut connection, &[&insert, &update, &delete, &long]);
        }
    }
    let expected = rows(&mut connection, &content("plain"));
    assert_eq!(rows(&mut connection, &content("buffered")), expected);
    let report = database.verify().expect("it is checked");
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    drop((connection, database));

    let database = open();
    let mut connection = database.connect().expect("it opens");
    assert_eq!(rows(&mut connection, &content("buffered")), expected);
    let difference = "SELECT count(*) FROM (SELECT * FROM plain EXCEPT SELECT * FROM buffered) d";
    assert_eq!(rows(&mut connection, difference), "0");
    let backward = "SELECT a FROM plain ORDER BY a DESC LIMIT 100";
    let expected = rows(&mut connection, backward);
    assert_eq!(rows(&mut connection, &backward.replace("plain", "buffered")), expected);
    let report = database.verify().expect("it is checked");
    assert!(report.errors.is_empty(), "{:?}", report.errors);
}

#[test]
fn messages_tell_what_can_be() {
    let folder = Folder::new("engine_messages");
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    run(&mut connection, &["CREATE TABLE t (a int) WITH (engine = lsm)"]);
    for (statement, expected) in [
        (
            "CREATE TABLE u (a int) WITH (engine = heap)",
            "invalid value for enum option \"engine\": heap|\
             Valid values are \"btree\" and \"lsm\".",
        ),
        (
            "ALTER TABLE t SET (engine = btree)",
            "changing the storage parameter \"engine\" of a table that exists is not supported|",
        ),
        (
            "ALTER TABLE t RESET (engine)",
            "changing the storage parameter \"engine\" of a table that exists is not supported|",
        ),
    ] {
        let error = connection.execute(statement).expect_err("it cannot be");
        let detail = error.fields().detail.as_deref().unwrap_or_default();
        assert_eq!(format!("{}|{detail}", error.message()), expected, "{statement}");
    }
}
