//! LISTEN and NOTIFY between connections of one process.

use crate::support::{connect, error, rows, run};
use damask::{Connection, Database};
use std::time::Duration;

fn heard(connection: &mut Connection) -> String {
    let notes = connection.notifications();
    let texts: Vec<String> =
        notes.iter().map(|note| format!("{}:{}", note.channel, note.payload)).collect();
    texts.join(" ")
}

fn pair() -> (Database, Connection, Connection) {
    let (database, listener) = connect();
    let notifier = database.connect().expect("a connection opens");
    (database, listener, notifier)
}

#[test]
fn commits_are_heard_in_order_and_once() {
    let (_database, mut a, mut b) = pair();
    run(&mut a, &["LISTEN x", "LISTEN \"Y\""]);
    assert_eq!(rows(&mut a, "SELECT pg_listening_channels()"), "Y;x");
    run(&mut b, &["NOTIFY x, '1'", "SELECT pg_notify('Y', '2'), pg_notify('z', '3')"]);
    run(&mut b, &["BEGIN", "NOTIFY x", "NOTIFY x, ''", "NOTIFY x, '4'", "NOTIFY x"]);
    assert_eq!(heard(&mut a), "x:1 Y:2");
    run(&mut b, &["COMMIT"]);
    assert_eq!(heard(&mut a), "x: x:4");
    assert_eq!(heard(&mut a), "");
    // Its own are heard too, and the sender is named.
    run(&mut a, &["NOTIFY x, 'own'"]);
    let pid = rows(&mut a, "SELECT pg_backend_pid()");
    assert_eq!(a.notifications()[0].pid.to_string(), pid);
}

#[test]
fn what_is_rolled_back_is_not_heard() {
    let (_database, mut a, mut b) = pair();
    run(&mut a, &["LISTEN x", "BEGIN", "LISTEN y", "UNLISTEN x", "ROLLBACK"]);
    run(&mut b, &["BEGIN", "NOTIFY x, 'a'", "ROLLBACK"]);
    run(&mut b, &["BEGIN", "NOTIFY x, 'b'", "SAVEPOINT s", "NOTIFY x, 'c'", "NOTIFY y, 'd'"]);
    run(&mut b, &["ROLLBACK TO s", "NOTIFY x, 'e'", "COMMIT"]);
    run(&mut b, &["NOTIFY y, 'f'"]);
    assert_eq!(error(&mut b, "NOTIFY x, 'g'; SELECT 1/0"), "22012 division by zero");
    assert_eq!(heard(&mut a), "x:b x:e");
}

#[test]
fn a_block_is_not_disturbed() {
    let (_database, mut a, mut b) = pair();
    run(&mut a, &["LISTEN x", "BEGIN"]);
    run(&mut b, &["NOTIFY x, '1'"]);
    assert_eq!(heard(&mut a), "");
    run(&mut a, &["COMMIT"]);
    assert_eq!(heard(&mut a), "x:1");
    run(&mut a, &["UNLISTEN *", "LISTEN y"]);
    run(&mut b, &["NOTIFY x, '2'", "NOTIFY y, '3'"]);
    assert_eq!(heard(&mut a), "y:3");
    run(&mut a, &["DISCARD ALL"]);
    assert_eq!(rows(&mut a, "SELECT count(*) FROM pg_listening_channels()"), "0");
    run(&mut b, &["NOTIFY y, '4'"]);
    assert_eq!(heard(&mut a), "");
}

#[test]
fn names_and_payloads_have_limits() {
    let (_database, mut a, mut b) = pair();
    run(&mut a, &["LISTEN x"]);
    assert_eq!(error(&mut b, "SELECT pg_notify('', '')"), "22023 channel name cannot be empty");
    assert_eq!(error(&mut b, "SELECT pg_notify(NULL, '')"), "22023 channel name cannot be empty");
    assert_eq!(
        error(&mut b, "SELECT pg_notify(repeat('x', 64), '')"),
        "22023 channel name too long"
    );
    assert_eq!(
        error(&mut b, "SELECT pg_notify('x', repeat('p', 8000))"),
        "22023 payload string too long"
    );
    run(&mut b, &["SELECT pg_notify('x', repeat('p', 7999))"]);
    assert_eq!(a.notifications()[0].payload.len(), 7999);
}

#[test]
fn a_listener_that_does_not_read_fills_the_queue() {
    let (database, mut a, mut b) = pair();
    run(&mut a, &["LISTEN x"]);
    let fill = "SELECT count(pg_notify('x', i::text || repeat('p', 7900))) FROM generate_series(1, 1000) i";
    let full = (0..100).find_map(|_| b.execute(fill).err()).expect("the queue is bounded");
    assert_eq!(full.message(), "too many notifications in the NOTIFY queue");
    assert_eq!(full.sqlstate().as_str(), "54000");
    assert_eq!(rows(&mut b, "SELECT pg_notification_queue_usage() > 0.8"), "true");
    assert!(a.notifications().len() > 1000);
    assert_eq!(rows(&mut b, "SELECT pg_notification_queue_usage() = 0"), "true");
    // Who is gone holds nothing back.
    run(&mut b, &[fill]);
    drop(a);
    assert_eq!(rows(&mut b, "SELECT pg_notification_queue_usage() = 0"), "true");
    drop(database);
}

#[test]
fn waiting_ends_with_news_or_time() {
    let (_database, mut a, mut b) = pair();
    run(&mut a, &["LISTEN x"]);
    assert!(a.wait_for_notifications(Duration::from_millis(1)).is_empty());
    let sender = std::thread::spawn(move || b.execute("NOTIFY x, 'news'"));
    let heard = a.wait_for_notifications(Duration::from_secs(30));
    assert_eq!(&*heard[0].payload, "news");
    sender.join().expect("the sender ends").expect("it notifies");
}
