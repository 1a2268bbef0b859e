//! Text and binary forms of every type.
