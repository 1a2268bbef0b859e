//! Every operator against a model that a reader can check by eye: nested loops and sorted lists of plain values.
//!
//! Inputs are random with fixed seeds and of the sizes at which tiles begin and end. They come in pieces of uneven length with rows
//! filtered out between, so that operators meet short tiles and selections. Every plan runs twice: in memory, and with operators that
//! may hold nothing, so that all they keep goes through temporary files.

mod aggregate;
mod join;
mod order;
mod set;
mod spill;
mod support;
