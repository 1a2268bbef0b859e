//! How connections end: the client is told why, and what it held is given back.

use crate::engine::server;
use crate::scripted::Scripted;
use crate::transcript::{Raw, bind, execute, message, parse, sync};
use std::time::Duration;

const ENDED: &str = "FATAL 57P01 terminating connection due to administrator command";

#[test]
fn a_terminated_session_says_so_idle_or_busy() {
    let server = server();
    let mut admin = Raw::engine(&server);
    let terminate =
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()";
    let mut idle = Raw::engine(&server);
    assert_eq!(admin.query(terminate), "T D C[SELECT 1] ZI");
    assert_eq!(idle.last_words(), ENDED);
    let mut busy = Raw::engine(&server);
    busy.send(&message(b'Q', b"select pg_sleep(60)\0"));
    while !admin
        .query("select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()")
        .contains('D')
    {}
    admin.query(terminate);
    assert_eq!(busy.last_words(), ENDED);
    // In the middle of a copy.
    admin.query("create table t (a int)");
    let mut copying = Raw::engine(&server);
    copying.send(&message(b'Q', b"copy t from stdin\0"));
    assert_eq!(copying.read().map(|(letter, _)| letter), Some(b'G'));
    admin.query(terminate);
    assert_eq!(copying.last_words(), ENDED);
    server.stop();
}

#[test]
fn the_end_of_the_server_is_told() {
    let server = server();
    let mut idle = Raw::engine(&server);
    let mut in_block = Raw::engine(&server);
    assert_eq!(in_block.query("begin"), "C[BEGIN] ZT");
    let mut busy = Raw::engine(&server);
    busy.send(&message(b'Q', b"select pg_sleep(60)\0"));
    server.stop();
    for raw in [&mut idle, &mut in_block, &mut busy] {
        assert_eq!(raw.last_words(), ENDED);
    }
}

#[test]
fn idle_clients_are_cut_off_and_their_locks_given_back() {
    let server = server();
    let mut other = Raw::engine(&server);
    other.query("create table t (a int primary key)");
    other.query("insert into t values (1)");
    let mut raw = Raw::engine(&server);
    raw.query("set idle_in_transaction_session_timeout = 100");
    raw.query("begin");
    assert_eq!(raw.query("update t set a = 2"), "C[UPDATE 1] ZT");
    assert_eq!(
        raw.last_words(),
        "FATAL 25P03 terminating connection due to idle-in-transaction timeout"
    );
    assert_eq!(other.query("update t set a = 3 where a = 1"), "C[UPDATE 1] ZI");
    // A failed block is one too.
    let mut raw = Raw::engine(&server);
    raw.query("set idle_in_transaction_session_timeout = 100");
    raw.query("begin");
    raw.query("select 1/0");
    assert!(raw.last_words().starts_with("FATAL 25P03"));
    let mut raw = Raw::engine(&server);
    assert_eq!(raw.query("set idle_session_timeout = '100ms'"), "C[SET] ZI");
    assert_eq!(raw.last_words(), "FATAL 57P05 terminating connection due to idle-session timeout");
    server.stop();
}

#[test]
fn running_is_not_idling() {
    let server = server();
    let mut raw = Raw::engine(&server);
    raw.query("set idle_session_timeout = 400");
    raw.query("set idle_in_transaction_session_timeout = 400");
    assert_eq!(raw.query("select pg_sleep(0.6)"), "T D C[SELECT 1] ZI");
    raw.query("create table t (a int)");
    // Between a message and its Sync, and while a copy is under way, the client may take its time.
    raw.send(&[parse("copy t from stdin"), bind(), execute(0)].concat());
    std::thread::sleep(Duration::from_millis(600));
    raw.send(&[message(b'd', b"1\n"), message(b'c', b""), sync()].concat());
    assert_eq!(raw.until_ready(), "1 2 G C[COPY 1] ZI");
    server.stop();
}

#[test]
fn a_client_that_goes_away_stops_its_statement() {
    let server = server();
    clients_that_go_away(&server, || Raw::engine(&server));
    server.stop();
}

/// `connect` gives new clients of `server`'s engine.
pub(crate) fn clients_that_go_away(server: &damask_server::Server, connect: impl Fn() -> Raw) {
    let mut other = Raw::engine(server);
    other.query("create table t (a int)");
    for statement in [
        "select pg_sleep(600)",
        "select count(*) from generate_series(1, 100000000000) a",
        "begin; lock t; select pg_sleep(600)",
    ] {
        let mut raw = connect();
        raw.send(&message(b'Q', format!("{statement}\0").as_bytes()));
        while !other
            .query(
                "select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()",
            )
            .contains('D')
        {}
        drop(raw);
        // A hang is what this looks for, so it gives up in the end.
        let is_gone = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let others = "select 1 from pg_stat_activity where pid <> pg_backend_pid()";
            !other.query(others).contains('D')
        });
        assert!(is_gone, "{statement}");
    }
    assert_eq!(other.query("insert into t values (1)"), "C[INSERT 0 1] ZI");
}

#[test]
fn a_panic_of_the_protocol_ends_its_connection_alone() {
    let server = Scripted::default().serve();
    let mut other = Raw::ready(&server);
    let mut raw = Raw::ready(&server);
    raw.send(&message(b'Q', b"rows 1;panic\0"));
    assert_eq!(raw.last_words(), "FATAL XX000 internal error: as told");
    assert_eq!(other.query("rows 1"), "T D C[ROWS 1] ZI");
    server.stop();
}

#[test]
fn a_client_that_sends_no_more_gets_its_answer() {
    let server = server();
    let mut raw = Raw::engine(&server);
    raw.send(&message(b'Q', b"select pg_sleep(1.6); select 2\0"));
    raw.finish();
    // After a while it is sent a setting that it knows, to find out whether it is there.
    assert_eq!(raw.until_ready(), "S T D C[SELECT 1] T D C[SELECT 1] ZI");
    assert_eq!(raw.read(), None);
    server.stop();
}
