//! `memory_limit` bounds pages, versions and statements together; `numa` spreads pages over the machine's nodes; `huge_pages` puts
//! them into huge pages; `io_method` reads several at a time; `damask_pool` counts.

use crate::support::{Folder, error, pages_loaded, rows, run};
use damask::{Configuration, Connection, Database, DatabaseOptions};
use damask_storage::vfs::SimVfs;
use damask_storage::{Env, NoHugePages, SimulatedHugePages, SimulatedTopology};
use std::path::Path;
use std::sync::Arc;

/// A database on a simulated disk that may hold 24 MB, and has a table of some 40.
fn open() -> (Database, Connection) {
    let mut configuration = Configuration::default();
    for (name, value) in [("memory_limit", "24MB"), ("shared_buffers", "64MB")] {
        configuration.set(name, value).expect("the setting is taken");
    }
    let env = Env::simulated(Arc::new(SimVfs::default()), 1);
    let options = DatabaseOptions { configuration, ..DatabaseOptions::default() };
    let database = Database::open_in(env, Some(Path::new("/db")), options).expect("it opens");
    let mut connection = database.connect().expect("a connection opens");
    run(&mut connection, &["CREATE TABLE t (a int PRIMARY KEY, b int, pad text)"]);
    for from in (0..80_000).step_by(10_000) {
        let insert = format!(
            "INSERT INTO t SELECT i, 0, repeat('x', 450) FROM generate_series({}, {}) AS g(i)",
            from + 1,
            from + 10_000
        );
        run(&mut connection, &[&insert]);
    }
    (database, connection)
}

/// Megabytes that `damask_memory` shows for a purpose.
fn held(connection: &mut Connection, purpose: &str) -> u64 {
    let query =
        format!("SELECT used_bytes / 1048576 FROM damask_memory WHERE purpose = '{purpose}'");
    rows(connection, &query).parse().expect("a number")
}

#[test]
fn each_use_gives_way_at_the_limit() {
    let (_database, mut connection) = open();
    // The pool stays below its own limit, and pages beyond that are on disk.
    assert_eq!(rows(&mut connection, "SELECT count(*), sum(b) FROM t"), "80000|0");
    assert!((12..=18).contains(&held(&mut connection, "pages")));
    let limits = "SELECT string_agg(purpose || ' ' || coalesce(limit_bytes / 1048576, 0), ', ') FROM damask_memory";
    assert_eq!(rows(&mut connection, limits), "pages 64, versions 0, statements 0, total 24");

    // A statement that cannot do with less is refused, and leaves nothing behind.
    let refused = error(&mut connection, "SELECT array_agg(i) FROM generate_series(1, 3000000) i");
    assert!(refused.starts_with("53200 out of memory"), "{refused}");
    assert_eq!(held(&mut connection, "statements"), 0);

    // One that can goes on in temporary files.
    let sorted = "SELECT count(*) FROM (SELECT a, pad FROM t ORDER BY pad, a DESC OFFSET 1) s";
    assert_eq!(rows(&mut connection, sorted), "79999");

    // What a transaction would leave behind has to fit, too: ranges of rows, of which there is one a row here, and versions.
    run(&mut connection, &["CREATE TABLE scattered (a bigint PRIMARY KEY)"]);
    let scattered =
        "INSERT INTO scattered SELECT i * 7919 % 300007 FROM generate_series(1::bigint, 300000) i";
    let refused = error(&mut connection, scattered);
    assert!(refused.starts_with("53200 out of memory"), "{refused}");
    assert_eq!(held(&mut connection, "versions"), 0);
    let refused = error(&mut connection, "UPDATE t SET b = b + 1");
    assert!(refused.starts_with("53200 out of memory"), "{refused}");
    assert_eq!(rows(&mut connection, "SELECT count(*), sum(b) FROM t"), "80000|0");
    assert_eq!(held(&mut connection, "versions"), 0);
    run(&mut connection, &["UPDATE t SET b = b + 1 WHERE a <= 1000"]);
    assert_eq!(rows(&mut connection, "SELECT sum(b) FROM t"), "1000");
}

/// On a machine with two nodes each has half of the frames, and a session's pages lie on the node that it runs on as long as that has room.
#[test]
fn pages_are_spread_over_nodes() {
    let figures = |numa: &str| {
        let topology = Arc::new(SimulatedTopology::new(2));
        let env = Env { topology, ..Env::simulated(Arc::new(SimVfs::default()), 1) };
        let mut configuration = Configuration::default();
        for (name, value) in [("numa", numa), ("shared_buffers", "8MB")] {
            configuration.set(name, value).expect("the setting is taken");
        }
        let options = DatabaseOptions { configuration, ..DatabaseOptions::default() };
        let database = Database::open_in(env, Some(Path::new("/db")), options).expect("it opens");
        let topology = database.topology();
        topology.bind_thread(topology.nodes().len() - 1);
        let mut connection = database.connect().expect("a connection opens");
        run(
            &mut connection,
            &[
                "CREATE TABLE t (a int PRIMARY KEY, pad text)",
                "INSERT INTO t SELECT i, repeat('x', 450) FROM generate_series(1, 6000) AS g(i)",
            ],
        );
        let query = "SELECT string_agg(concat_ws(' ', node, cpus, frames_max, frames > 100, frames_spare < 10, pages_afar, bound), ', ') FROM damask_numa";
        rows(&mut connection, query)
    };
    assert_eq!(figures("on"), "0 0-1 256 f t 0 t, 1 2-3 256 t t 0 t");
    assert_eq!(figures("off"), "0 512 t t 0 f");
}

/// `off` asks nobody, `try` takes what there is, `on` does without a database rather than without huge pages.
#[test]
fn frames_lie_in_huge_pages() {
    let open = |value: &str, granted_max: Option<usize>| {
        let source = Arc::new(SimulatedHugePages::new(granted_max.unwrap_or(0)));
        let mut env = Env::simulated(Arc::new(SimVfs::default()), 1);
        env.huge_pages = match granted_max {
            Some(_) => Arc::clone(&source) as Arc<dyn damask_storage::HugePageSource>,
            None => Arc::new(NoHugePages),
        };
        let mut configuration = Configuration::default();
        configuration.set("shared_buffers", "4MB").expect("the setting is taken");
        configuration.set("huge_pages", value).expect("the setting is taken");
        let options = DatabaseOptions { configuration, ..DatabaseOptions::default() };
        let database = Database::open_in(env, Some(Path::new("/db")), options)?;
        let mut connection = database.connect()?;
        run(
            &mut connection,
            &[
                "CREATE TABLE t (a int PRIMARY KEY, pad text)",
                "INSERT INTO t SELECT i, repeat('x', 450) FROM generate_series(1, 12000) AS g(i)",
                // An eighth of the frames is for pages that are not dirty.
                "SELECT count(pad) FROM t",
            ],
        );
        let query = "SELECT concat_ws(' ', current_setting('huge_pages'), frames, frames_huge) FROM damask_pool";
        Ok::<_, damask::Error>((rows(&mut connection, query), source.asked().len()))
    };
    let opened = |value, granted_max| open(value, granted_max).expect("it opens");
    assert_eq!(opened("off", Some(9)), ("off 256 0".to_owned(), 0));
    assert_eq!(opened("false", None), ("off 256 0".to_owned(), 0));
    assert_eq!(opened("try", Some(9)), ("try 256 256".to_owned(), 2));
    assert_eq!(opened("try", Some(1)), ("try 256 128".to_owned(), 2));
    assert_eq!(opened("try", None), ("try 256 0".to_owned(), 0));
    assert_eq!(opened("on", Some(9)), ("on 256 256".to_owned(), 3));
    for granted_max in [None, Some(0)] {
        let error = open("on", granted_max).expect_err("there are none");
        assert_eq!(error.sqlstate().as_str(), "0A000");
        assert_eq!(error.message(), "huge pages are not available");
        assert!(
            error.fields().hint.as_ref().is_some_and(|hint| hint.contains("\"try\" or \"off\""))
        );
    }
    let wrong = Configuration::default().set("huge_pages", "maybe").expect_err("it is none");
    assert_eq!(wrong.sqlstate().as_str(), "22023");
}

#[test]
fn the_pool_is_shown() {
    let (_database, mut connection) = open();
    let size = "SELECT frames_max, frames < frames_max, pages > frames, pages_dirty > 0,
        file_bytes = pg_database_size(current_database()), file_free_bytes < file_bytes, leaf_waits, contention_splits FROM damask_pool";
    // The limit of the memory is below the pool's own, which is 64 MB.
    assert_eq!(rows(&mut connection, size), "4096|true|true|true|true|true|0|0");
    let before = pages_loaded(&mut connection);
    assert_eq!(rows(&mut connection, "SELECT sum(length(pad)) FROM t"), "36000000");
    assert!(pages_loaded(&mut connection) > before + 1000, "40 MB of which 20 are in memory");
    run(&mut connection, &["CHECKPOINT"]);
    assert_eq!(rows(&mut connection, "SELECT pages_dirty FROM damask_pool"), "0");
}

/// Whatever reads them, pages that a scan is about to come to are read with others.
#[test]
fn scans_read_ahead() {
    let folder = Folder::new("memory_ahead");
    for method in ["sync", "io_uring"] {
        let database = folder.open_with(&[("io_method", method), ("shared_buffers", "8MB")]);
        let mut connection = database.connect().expect("a connection opens");
        run(
            &mut connection,
            &[
                "DROP TABLE IF EXISTS t",
                "CREATE TABLE t (a int PRIMARY KEY, k int, pad text)",
                "INSERT INTO t SELECT i, i % 1000, repeat('x', 450) FROM generate_series(1, 60000) AS g(i)",
                "CREATE INDEX t_k ON t (k)",
                "ANALYZE t",
            ],
        );
        assert_eq!(rows(&mut connection, "SHOW io_method"), method);
        let sum = "SELECT sum(length(pad)) FROM t";
        assert_eq!(rows(&mut connection, sum), "27000000");
        // All of it, since it is more than there is room for, and most of that ahead.
        let is_ahead = "SELECT pages_ahead > 1000, pages_loaded > pages_ahead FROM damask_pool";
        assert_eq!(rows(&mut connection, is_ahead), "true|true", "{method}");
        // Sixty rows, each in a page of its own, by key and as a part of a range.
        for by_index in
            ["SELECT pad FROM t WHERE k = 7", "SELECT pad FROM t WHERE k BETWEEN 500 AND 501"]
        {
            let ahead = |connection: &mut Connection| -> u64 {
                let query = "SELECT pages_ahead FROM damask_pool";
                rows(connection, query).parse().expect("a number")
            };
            let explained = rows(&mut connection, &format!("EXPLAIN {by_index}"));
            assert!(explained.contains("Index Scan using t_k"), "{explained}");
            let before = ahead(&mut connection);
            rows(&mut connection, by_index);
            assert!(ahead(&mut connection) > before + 20, "{method}: {by_index}");
        }
        // Systems without rings are read without.
        let used = rows(&mut connection, "SELECT io_method FROM damask_pool");
        assert!([method, "sync"].contains(&&*used), "{used}");
    }
}
