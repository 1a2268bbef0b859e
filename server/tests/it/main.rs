//! The protocol over real sockets, with a small session instead of the engine.

mod client;
mod noise;
mod scripted;
mod transcript;
