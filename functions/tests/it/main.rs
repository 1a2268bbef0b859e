//! Tests of the operator table as a whole.

mod aggregate;
mod golden;
mod registry;
mod resolve;

use damask_functions::FixedSession;
use damask_types::format::{FormatSettings, TimeZone};

/// The session of every test here.
fn session() -> FixedSession {
    let time_zone = TimeZone::parse("Europe/Berlin").expect("a zone of the database");
    FixedSession { format: FormatSettings { time_zone, ..FormatSettings::default() } }
}
