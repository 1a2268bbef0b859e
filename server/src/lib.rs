//! Damask on the network: PostgreSQL's protocol 3.0 over TCP.
//!
//! Reading order: [`protocol`] is bytes alone, [`wire`] a connection's two buffers, [`connection`] the message loop,
//! [`auth`] who may come in, [`listener`] sockets and threads, [`session`] what the loop asks of the engine.
//!
//! Invariants
//! - S1: the protocol adds encoding and nothing else; what a statement means is the session's.
//! - S2: a batch of messages costs one read and one write; a result of any size uses a bounded buffer.
//! - S3: addresses beyond this machine need a password, always.
//!
//! Left out: TLS (a request is answered `N`), replication, the function call message.

mod auth;
mod connection;
mod engine;
mod listener;
mod protocol;
mod session;
mod wire;

pub use auth::Login;
pub use engine::serve;
pub use listener::{Host, Server, ServerOptions, Started, start};
pub use protocol::frontend::Bind;
pub use protocol::startup::Parameters;
pub use protocol::{Column, Columns, Status};
pub use session::{Outcome, Session};
pub use wire::Replies;
