//! Why text is not a date, a time or an interval.

use crate::{Error, SqlState};

/// Why text is not a date; [`Failure::error`] makes PostgreSQL's error of it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 22007.
    Format,
    /// 22008.
    Overflow,
    /// 22008, with a hint about `DateStyle`.
    MonthOverflow,
    /// 22015.
    IntervalOverflow,
    /// 22009.
    ZoneOverflow,
    /// Anything else.
    Other(Error),
}

pub(crate) type Parse<T> = Result<T, Failure>;

impl Failure {
    #[cold]
    pub(crate) fn error(self, type_name: &str, text: &str) -> Error {
        let overflow =
            |what: &str, state| Error::new(state, format!("{what} out of range: \"{text}\""));
        match self {
            Self::Format => Error::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{text}\""),
            ),
            Self::Overflow => overflow("date/time field value", SqlState::DATETIME_FIELD_OVERFLOW),
            Self::MonthOverflow => {
                overflow("date/time field value", SqlState::DATETIME_FIELD_OVERFLOW)
                    .hint("Perhaps you need a different \"datestyle\" setting.")
            }
            Self::IntervalOverflow => {
                overflow("interval field value", SqlState::INTERVAL_FIELD_OVERFLOW)
            }
            Self::ZoneOverflow => {
                overflow("time zone displacement", SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE)
            }
            Self::Other(error) => error,
        }
    }
}
