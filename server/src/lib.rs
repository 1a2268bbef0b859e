//! Damask on the network: PostgreSQL's protocol 3.0 over TCP and Unix-domain sockets.
//!
//! Reading order: [`protocol`] is bytes alone, [`wire`] a connection's two buffers over its [`socket`], [`connection`] the message loop,
//! [`auth`] who may come in, [`client`] a connection from its first byte to its last, [`reactor`] who runs it, [`addresses`] where
//! it listens, [`listener`] who accepts and watches, [`session`] what the loop asks of the engine.
//!
//! Invariants
//! - S1: the protocol adds encoding and nothing else; what a statement means is the session's.
//! - S2: a batch of messages costs one read and one write; a result of any size uses a bounded buffer.
//! - S3: nothing that a session says leaves before the session says that it may ([`Session::settle`]).
//! - S4: a connection that waits for its client has no thread and no buffer.
//! - S5: addresses beyond this machine need a password, always.
//!
//! Left out: TLS (a request is answered `N`), replication, the function call message.

#![cfg_attr(
    test,
    expect(
        clippy::duplicate_mod,
        reason = "a model runs the reactor's files once more, on other threads"
    )
)]

mod addresses;
mod auth;
mod client;
mod connection;
mod engine;
mod listener;
mod protocol;
mod reactor;
mod session;
mod socket;
mod wire;

pub use addresses::Place;
pub use auth::Login;
pub use engine::serve;
pub use listener::{Host, Server, ServerOptions, Started, start};
pub use protocol::frontend::Bind;
pub use protocol::startup::Parameters;
pub use protocol::{Column, Columns, Status};
pub use session::{Outcome, Session, Waker};
pub use wire::Replies;
