//! Text of dates and times.

use crate::format::FormatSettings;
use crate::{Error, Result};

macro_rules! interim {
    ($($name:ident -> $ty:ty),*) => {$(
        /// Reads the text form.
        pub fn $name(text: &str, settings: &FormatSettings, now: i64) -> Result<$ty> {
            let _ = (text, settings, now);
            Err(Error::unsupported("this text form"))
        }
    )*};
}
interim!(parse_date -> i32, parse_time -> i64, parse_timetz -> i64, parse_timestamp -> i64, parse_timestamptz -> i64);
