//! Who is not let in: too many, or too late.

use crate::scripted::{Puppet, Scripted};
use crate::transcript::{Raw, message, startup};
use damask_server::{Host, Login, Parameters, ServerOptions, serve, start};
use damask_types::Result;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn connections_beyond_the_limit_are_refused() {
    let database = damask::Database::open_in_memory().unwrap();
    let mut configuration = damask::Configuration::default();
    configuration.set("max_connections", "2").unwrap();
    let options = ServerOptions {
        listen: "127.0.0.1:0".into(),
        connections_max: configuration.connections_max(),
        ..ServerOptions::default()
    };
    let server = serve(database.clone(), options).unwrap();
    let mut first = Raw::engine(&server);
    let second = Raw::engine(&server);
    let is_refused = || {
        let mut third = Raw::connect(&server);
        third.send(&startup(b"user\0postgres\0\0"));
        third.until_ready() == "E[SFATAL C53300]"
    };
    assert!(is_refused());
    assert_eq!(first.query("select 1"), "T D C[SELECT 1] ZI");
    drop(second);
    while is_refused() {
        std::thread::yield_now();
    }
    // Sessions that were refused are gone.
    while database.session_count() > 1 {
        std::thread::yield_now();
    }
    server.stop();
}

#[test]
fn silent_connections_are_few() {
    let server = crate::engine::server();
    let mut silent: Vec<Raw> = (0..20).map(|_| Raw::connect(&server)).collect();
    let mut late = Raw::connect(&server);
    assert_eq!(
        late.last_words(),
        "FATAL 53300 too many connections from this address wait to be authenticated"
    );
    // One of them goes on, and makes room.
    silent[0].send(&startup(b"user\0postgres\0\0"));
    assert!(silent[0].until_ready().ends_with(" ZI"));
    let mut next = Raw::connect(&server);
    next.send(&startup(b"user\0postgres\0\0"));
    assert!(next.until_ready().ends_with(" ZI"));
    next.send(&message(b'X', b""));
    server.stop();
}

/// A host whose sessions open when the test says so.
struct Slow {
    host: Scripted,
    opening: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Host for Slow {
    type Session = Puppet;

    fn login(&self, user: &str) -> Login {
        self.host.login(user)
    }

    fn has_password(&self) -> bool {
        self.host.has_password()
    }

    fn open(&self, parameters: &Parameters, peer: Option<SocketAddr>) -> Result<Puppet> {
        self.opening.lock().unwrap().send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        self.host.open(parameters, peer)
    }

    fn clock(&self) -> Arc<dyn Fn() -> Duration + Send + Sync> {
        self.host.clock()
    }

    fn cancel(&self, pid: i32, secret: i32) {
        self.host.cancel(pid, secret);
    }

    fn is_terminated(&self, pid: i32) -> bool {
        self.host.is_terminated(pid)
    }

    fn terminate(&self, pid: i32) {
        self.host.terminate(pid);
    }

    fn client_gone(&self, pid: i32) {
        self.host.client_gone(pid);
    }
}

#[test]
fn who_comes_while_the_server_ends_is_told() {
    let (opening, opens) = channel();
    let (go_on, gate) = channel();
    let host =
        Slow { host: Scripted::default(), opening: Mutex::new(opening), go_on: Mutex::new(gate) };
    let options = ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() };
    let server = start(host, options).unwrap();
    let mut raw = Raw::connect(&server);
    raw.send(&startup(b"user\0me\0\0"));
    opens.recv().unwrap();
    // Its session is being made when the server begins to end.
    let stop: Arc<dyn Fn() + Send + Sync> = server.stopper();
    stop();
    go_on.send(()).unwrap();
    assert_eq!(raw.last_words(), "FATAL 57P03 the database system is shutting down");
    server.wait();
}
