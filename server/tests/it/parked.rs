//! Many connections on few threads: who waits holds nobody up, and parked connections are told what concerns them.

use crate::engine::server;
use crate::scripted::Scripted;
use crate::transcript::{Raw, bind, execute, message, parse, startup, sync};
use damask::topology::{SimulatedTopology, Topology};
use damask_server::{Server, ServerOptions, serve};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// More than a machine for tests has processors, and so more than there are workers at first.
const MANY: usize = 40;

fn server_for(connections_max: usize) -> Server {
    let database = damask::Database::open_in_memory().unwrap();
    let listen = "127.0.0.1:0".into();
    serve(database, ServerOptions { listen, connections_max, ..ServerOptions::default() }).unwrap()
}

/// A server of a new database in a folder of its own.
fn on_disk(name: &str) -> (PathBuf, damask::Database, Server) {
    let folder = std::env::temp_dir().join(format!("damask-parked-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let database = damask::Database::open(folder.join("db")).unwrap();
    let listen = "127.0.0.1:0".into();
    let options = ServerOptions { listen, connections_max: MANY, ..ServerOptions::default() };
    let server = serve(database.clone(), options).unwrap();
    (folder, database, server)
}

/// Waits until so many sessions wait for a lock.
fn wait_for_blocked(raw: &mut Raw, count: usize) {
    let blocked = format!(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' having count(*) >= {count}"
    );
    while !raw.query(&blocked).contains('D') {}
}

/// Each node of the machine has its part of the workers.
#[test]
fn workers_are_bound_to_nodes() {
    for node_count in [1, 2] {
        let topology = Arc::new(SimulatedTopology::new(node_count));
        let server = Scripted::on(Arc::clone(&topology) as Arc<dyn Topology>).serve();
        let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        if node_count > 1 {
            while topology.bound_threads().iter().sum::<usize>() < workers {
                std::thread::yield_now();
            }
            let most = workers.div_ceil(2);
            assert_eq!(topology.bound_threads(), [most, workers - most]);
        }
        let mut raw = Raw::connect(&server);
        raw.send(&startup(b"user\0postgres\0\0"));
        assert!(raw.until_ready().ends_with(" ZI"));
        server.stop();
        assert!(node_count > 1 || topology.bound_threads() == [0], "one node binds nobody");
    }
}

#[test]
fn who_waits_for_a_row_holds_nobody_up() {
    let server = server_for(MANY + 10);
    let mut holder = Raw::engine(&server);
    holder.query("create table t (a int primary key, b int)");
    holder.query("insert into t values (1, 0)");
    holder.query("begin");
    assert_eq!(holder.query("update t set b = b + 1"), "C[UPDATE 1] ZT");
    let mut waiting: Vec<Raw> = (0..MANY).map(|_| Raw::engine(&server)).collect();
    for raw in &mut waiting {
        raw.send(&message(b'Q', b"update t set b = b + 1\0"));
    }
    // Others are served meanwhile, also new ones.
    let mut other = Raw::engine(&server);
    wait_for_blocked(&mut other, MANY);
    assert_eq!(other.query("select b from t"), "T D C[SELECT 1] ZI");
    // So is the one that all wait for.
    assert_eq!(holder.query("select 1"), "T D C[SELECT 1] ZT");
    assert_eq!(holder.query("commit"), "C[COMMIT] ZI");
    for raw in &mut waiting {
        assert_eq!(raw.until_ready(), "C[UPDATE 1] ZI");
    }
    let all = format!("select 1 from t where b = {}", MANY + 1);
    assert_eq!(other.query(&all), "T D C[SELECT 1] ZI");
    server.stop();
}

#[test]
fn a_commit_waits_for_no_open_transaction() {
    let (folder, database, server) = on_disk("open");
    let mut open = Raw::engine(&server);
    open.query("create table t (a int primary key)");
    open.query("begin");
    assert_eq!(open.query("insert into t values (0)"), "C[INSERT 0 1] ZT");
    // It may yet commit, and does not; others are busy, too.
    let mut busy = Raw::engine(&server);
    for key in 1..100 {
        busy.send(&message(b'Q', b"select 1\0"));
        let insert = format!("insert into t values ({key})");
        assert_eq!(Raw::engine(&server).query(&insert), "C[INSERT 0 1] ZI");
        assert_eq!(busy.until_ready(), "T D C[SELECT 1] ZI");
    }
    assert_eq!(open.query("commit"), "C[COMMIT] ZI");
    server.stop();
    drop(database);
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn what_runs_long_holds_nobody_up() {
    let server = server_for(MANY + 10);
    let mut long: Vec<Raw> = (0..MANY).map(|_| Raw::engine(&server)).collect();
    for (number, raw) in long.iter_mut().enumerate() {
        let statement: &[u8] = match number % 3 {
            0 => b"select pg_sleep(600)\0",
            1 => b"select count(*) from generate_series(1, 100000000000) a\0",
            _ => b"copy (select repeat('x', 1000) from generate_series(1, 10000000)) to stdout\0",
        };
        raw.send(&message(b'Q', statement));
    }
    let mut other = Raw::engine(&server);
    while !other
        .query("select 1 from pg_stat_activity where state = 'active' having count(*) > 40")
        .contains('D')
    {}
    for _ in 0..100 {
        assert_eq!(other.query("select 1"), "T D C[SELECT 1] ZI");
    }
    drop(long);
    server.stop();
}

#[test]
fn copies_that_wait_for_their_clients_hold_nobody_up() {
    let server = server_for(MANY + 10);
    let mut other = Raw::engine(&server);
    other.query("create table t (a int)");
    let mut copying: Vec<Raw> = (0..MANY).map(|_| Raw::engine(&server)).collect();
    for raw in &mut copying {
        raw.send(&message(b'Q', b"copy t from stdin\0"));
        assert_eq!(raw.read().map(|(letter, _)| letter), Some(b'G'));
    }
    for _ in 0..3 {
        for raw in &mut copying {
            raw.send(&message(b'd', b"1\n"));
        }
        assert_eq!(other.query("select 1"), "T D C[SELECT 1] ZI");
    }
    for raw in &mut copying {
        raw.send(&message(b'c', b""));
        assert_eq!(raw.until_ready(), "C[COPY 3] ZI");
        // What is sent afterwards is noticed again.
        assert_eq!(raw.query("select 1"), "T D C[SELECT 1] ZI");
    }
    server.stop();
}

#[test]
fn silent_beginners_hold_nobody_up() {
    let server = server_for(10);
    // Half a packet each.
    let silent: Vec<Raw> = (0..19)
        .map(|_| {
            let mut raw = Raw::connect(&server);
            raw.send(&startup(b"user\0postgres\0\0")[..9]);
            raw
        })
        .collect();
    let mut other = Raw::engine(&server);
    assert_eq!(other.query("select 1"), "T D C[SELECT 1] ZI");
    drop(silent);
    server.stop();
}

/// How many connections the process may have both ends of, beside what other tests need, up to 2,000.
fn connection_count() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let files = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    (files.saturating_sub(400) / 2).clamp(200, 2000)
}

#[test]
fn thousands_are_parked_told_and_ended() {
    let server = server_for(2100);
    let count = connection_count();
    let mut parked: Vec<Raw> = (0..count).map(|_| Raw::engine(&server)).collect();
    let (listening, rest) = parked.split_at_mut(100);
    for raw in &mut *listening {
        assert_eq!(raw.query("listen x"), "C[LISTEN] ZI");
    }
    for raw in &mut *rest {
        assert_eq!(raw.query("select 1"), "T D C[SELECT 1] ZI");
    }
    // All threads of the process: few are the server's.
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    assert!(threads < 500, "{threads} threads");
    let mut other = Raw::engine(&server);
    other.query("notify x, 'hello'");
    for raw in &mut *listening {
        let (letter, body) = raw.read().unwrap();
        assert_eq!((letter, &body[4..]), (b'A', &b"x\0hello\0"[..]));
    }
    server.stop();
    for raw in &mut parked {
        assert!(raw.last_words().starts_with("FATAL 57P01"));
    }
}

#[test]
fn a_silent_client_is_ended_in_time_and_not_before() {
    let server = server();
    let mut raw = Raw::engine(&server);
    raw.query("set idle_session_timeout = 300");
    // Each message begins the time anew, though the first deadline is looked at in between.
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(raw.query("select 1"), "T D C[SELECT 1] ZI");
    }
    // A part of a message does not.
    raw.send(b"Q\0\0");
    assert!(raw.last_words().starts_with("FATAL 57P05"));
    server.stop();
}

#[test]
fn batches_are_answered_in_order_on_disk() {
    let (folder, database, server) = on_disk("batches");
    let mut first = Raw::engine(&server);
    first.query("create table t (a int primary key, b int)");
    first.query("insert into t select a, 0 from generate_series(1, 10) a");
    let mut clients: Vec<Raw> = (0..20).map(|_| Raw::engine(&server)).collect();
    // Each commits three times in one go, with what others have not made durable yet under it.
    let query = message(b'Q', b"update t set b = b + 1 where a = 1\0");
    let block = message(b'Q', b"begin; update t set b = b + 1 where a = 2; commit; select 1\0");
    let update = parse("update t set b = b + 1 where a = 3");
    let batch = [query, block, update, bind(), execute(0), sync()].concat();
    for _ in 0..10 {
        for raw in &mut clients {
            raw.send(&batch);
        }
        for raw in &mut clients {
            assert_eq!(raw.until_ready(), "C[UPDATE 1] ZI");
            assert_eq!(raw.until_ready(), "C[BEGIN] C[UPDATE 1] C[COMMIT] T D C[SELECT 1] ZI");
            assert_eq!(raw.until_ready(), "1 2 C[UPDATE 1] ZI");
        }
    }
    assert_eq!(
        first.query("select 1 from t where b = 200 having count(*) = 3"),
        "T D C[SELECT 1] ZI"
    );
    server.stop();
    database.close().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
