//! The `damask` binary.
fn main() {}
