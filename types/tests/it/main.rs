//! Replays cases whose expectations came from PostgreSQL 15.
//!
//! Files under `testdata/` hold one case a line: the kind, its arguments and the expected text, with tabs between. An
//! expected error is `!SQLSTATE message`, with ` D:` and ` H:` before detail and hint.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic")]

mod cases;
mod properties;
