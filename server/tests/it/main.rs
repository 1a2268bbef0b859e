//! The protocol over real sockets, with a small session instead of the engine.
#![expect(clippy::unwrap_used, reason = "tests")]

mod client;
mod ends;
mod engine;
mod noise;
mod notify;
mod scripted;
mod transcript;
