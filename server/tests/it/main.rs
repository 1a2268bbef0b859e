//! The protocol over real sockets, with a small session instead of the engine.
#![expect(clippy::unwrap_used, reason = "tests")]

mod addresses;
mod bad_input;
mod client;
mod ends;
mod engine;
mod limits;
mod local;
mod mutation;
mod noise;
mod notify;
mod parked;
mod scripted;
mod transcript;
