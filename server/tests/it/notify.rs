//! Notifications over the wire: between statements, and at once to a client that is idle.

use crate::engine::server;
use crate::transcript::{Raw, bind, execute, message, parse, sync};

#[test]
fn an_idle_client_is_told_at_once() {
    let server = server();
    let mut listener = Raw::engine(&server);
    let mut notifier = Raw::engine(&server);
    assert_eq!(listener.query("listen x"), "C[LISTEN] ZI");
    assert_eq!(notifier.query("notify x, 'hello'"), "C[NOTIFY] ZI");
    let (letter, body) = listener.read().unwrap();
    assert_eq!((letter, &body[4..]), (b'A', &b"x\0hello\0"[..]));
    // It goes on as before.
    assert_eq!(listener.query("select 1"), "T D C[SELECT 1] ZI");
    assert_eq!(listener.query("notify x"), "C[NOTIFY] A ZI");
    server.stop();
}

#[test]
fn a_client_in_a_block_is_told_after_it() {
    let server = server();
    let mut listener = Raw::engine(&server);
    let mut notifier = Raw::engine(&server);
    listener.query("listen x");
    listener.query("begin");
    notifier.query("notify x, '1'");
    assert_eq!(listener.query("select 1"), "T D C[SELECT 1] ZT");
    assert_eq!(listener.query("commit"), "C[COMMIT] A ZI");
    // Nor in the middle of an extended batch.
    listener.send(&[parse("select 1"), bind(), message(b'H', b"")].concat());
    assert_eq!(listener.read().unwrap().0, b'1');
    assert_eq!(listener.read().unwrap().0, b'2');
    notifier.query("notify x, '2'");
    listener.send(&[execute(0), sync()].concat());
    assert_eq!(listener.until_ready(), "D C[SELECT 1] A ZI");
    // Who listens no more, and again, is woken again.
    listener.query("unlisten *");
    notifier.query("notify x, '3'");
    assert_eq!(listener.query("listen x"), "C[LISTEN] ZI");
    notifier.query("notify x, '4'");
    let (_, body) = listener.read().unwrap();
    assert_eq!(&body[4..], b"x\x004\0");
    server.stop();
}

#[test]
fn a_listener_is_idle_and_may_be_ended() {
    let server = server();
    let mut listener = Raw::engine(&server);
    listener.query("listen x");
    listener.query("set idle_session_timeout = 50");
    assert!(listener.last_words().starts_with("FATAL 57P05"));
    let mut listener = Raw::engine(&server);
    listener.query("listen x");
    server.stop();
    assert!(listener.last_words().starts_with("FATAL 57P01"));
}
