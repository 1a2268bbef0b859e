//! The storage parameter `compression` in a file: what it saves, what messages say, and that it outlives a close.

use crate::support::{Folder, rows, run};
use damask::Connection;

fn size(connection: &mut Connection, function: &str, name: &str) -> u64 {
    rows(connection, &format!("SELECT {function}('{name}')")).parse().expect("a size")
}

/// Rows as pgbench has them, and an index.
fn fill(connection: &mut Connection, name: &str, parameters: &str) {
    let create = format!(
        "CREATE TABLE {name} (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) {parameters}"
    );
    let insert = format!("INSERT INTO {name} SELECT i, 1, 0, '' FROM generate_series(1, 5000) i");
    let index = format!("CREATE INDEX {name}_bid ON {name} (bid)");
    run(connection, &[&create, &insert, &index, "CHECKPOINT"]);
}

#[test]
fn every_codec_saves_units_of_rows_and_indexes() {
    let folder = Folder::new("compression");
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    fill(&mut connection, "whole", "");
    let rows_whole = size(&mut connection, "pg_table_size", "whole");
    let keys_whole = size(&mut connection, "pg_indexes_size", "whole");
    let content = "SELECT count(*), sum(aid), min(filler) FROM ";
    let expected = rows(&mut connection, &format!("{content} whole"));
    for codec in ["lz4", "snappy", "zstd"] {
        fill(&mut connection, codec, &format!("WITH (compression = {codec})"));
        let saved = size(&mut connection, "pg_relation_size", codec);
        assert!(saved * 2 < rows_whole, "{codec}: {saved} of {rows_whole} bytes");
        let keys = size(&mut connection, "pg_indexes_size", codec);
        assert!(keys < keys_whole, "{codec}: {keys} of {keys_whole} bytes of the index");
        assert_eq!(rows(&mut connection, &format!("{content} {codec}")), expected);
    }
    drop(connection);
    database.close().expect("it closes");
    drop(database);

    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    for codec in ["lz4", "snappy", "zstd"] {
        assert!(size(&mut connection, "pg_table_size", codec) * 2 < rows_whole, "{codec}");
        assert_eq!(rows(&mut connection, &format!("{content} {codec}")), expected);
        // Written again, whole.
        let reset = format!("ALTER TABLE {codec} RESET (compression)");
        let update = format!("UPDATE {codec} SET abalance = 1");
        run(&mut connection, &[&reset, &update, "CHECKPOINT"]);
        assert!(size(&mut connection, "pg_table_size", codec) * 10 > rows_whole * 9, "{codec}");
    }
}

#[test]
fn messages_are_postgresqls() {
    let folder = Folder::new("compression_messages");
    let database = folder.open();
    let mut connection = database.connect().expect("it opens");
    let mut message = |parameters: &str| {
        let text = format!("CREATE TABLE t (a int) WITH ({parameters})");
        let error = connection.execute(&text).expect_err("it cannot be");
        format!("{}|{}", error.message(), error.fields().detail.as_deref().unwrap_or_default())
    };
    for (parameters, expected) in [
        (
            "compression = gzip",
            "invalid value for enum option \"compression\": gzip|\
             Valid values are \"none\", \"lz4\", \"snappy\", and \"zstd\".",
        ),
        ("compress = lz4", "unrecognized parameter \"compress\"|"),
        ("x.compression = lz4", "unrecognized parameter namespace \"x\"|"),
        (
            "compression = lz4, compression = lz4",
            "parameter \"compression\" specified more than once|",
        ),
        (
            "fillfactor = 5",
            "value 5 out of bounds for option \"fillfactor\"|\
             Valid values are between \"10\" and \"100\".",
        ),
        ("fillfactor", "invalid value for integer option \"fillfactor\": true|"),
        (
            "autovacuum_vacuum_scale_factor = -1",
            "value -1 out of bounds for option \"autovacuum_vacuum_scale_factor\"|\
             Valid values are between \"0.000000\" and \"100.000000\".",
        ),
        (
            "autovacuum_enabled = maybe",
            "invalid value for boolean option \"autovacuum_enabled\": maybe|",
        ),
    ] {
        assert_eq!(message(parameters), expected, "{parameters}");
    }
}
