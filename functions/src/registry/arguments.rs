//! Names and defaults of arguments, for calls such as `make_interval(days => 10)`.
//!
//! Only functions whose arguments `pg_proc` names are listed. The defaults belong to the last arguments; they are texts of
//! literals without a type.

use damask_types::Oid;

/// What a function's arguments are called.
struct Arguments {
    oid: u32,
    names: &'static [&'static str],
    defaults: &'static [&'static str],
}

const fn named(oid: u32, names: &'static [&'static str]) -> Arguments {
    Arguments { oid, names, defaults: &[] }
}

const YEARS: &[&str] = &["years", "months", "weeks", "days", "hours", "mins", "secs"];
const MOMENT: &[&str] = &["year", "month", "mday", "hour", "min", "sec"];
const MOMENT_IN_ZONE: &[&str] = &["year", "month", "mday", "hour", "min", "sec", "timezone"];

static ARGUMENTS: &[Arguments] = &[
    Arguments { oid: 1268, names: &["str", "strict"], defaults: &["true"] }, // parse_ident
    Arguments { oid: 2096, names: &["pid", "timeout"], defaults: &["0"] },   // pg_terminate_backend
    Arguments { oid: 3464, names: YEARS, defaults: &["0", "0", "0", "0", "0", "0", "0.0"] }, // make_interval
    named(3461, MOMENT),                    // make_timestamp
    named(3462, MOMENT),                    // make_timestamptz
    named(3463, MOMENT_IN_ZONE),            // make_timestamptz
    named(3846, &["year", "month", "day"]), // make_date
    named(3847, &["hour", "min", "sec"]),   // make_time
];

fn arguments(oid: Oid) -> Option<&'static Arguments> {
    ARGUMENTS.iter().find(|arguments| arguments.oid == oid.0)
}

/// The names of the arguments of a function; empty if they have none.
pub fn argument_names(oid: Oid) -> &'static [&'static str] {
    arguments(oid).map_or(&[], |arguments| arguments.names)
}

/// The defaults of the last arguments of a function.
pub fn argument_defaults(oid: Oid) -> &'static [&'static str] {
    arguments(oid).map_or(&[], |arguments| arguments.defaults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::function_by_oid;

    #[test]
    fn names_and_defaults_fit_the_signatures() {
        for arguments in ARGUMENTS {
            let function = function_by_oid(Oid(arguments.oid)).expect("a listed function exists");
            assert_eq!(function.args.len(), arguments.names.len(), "{}", function.name);
            assert_eq!(function.defaults, arguments.defaults.len(), "{}", function.name);
        }
    }
}
