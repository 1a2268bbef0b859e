//! Storage parameters: `WITH (...)` of tables and indexes, `ALTER TABLE ... SET (...)` and `RESET (...)`.
//!
//! Two are Damask's own: `compression` says how the pages of a table and its indexes are stored, from then on, `engine` what a new table
//! keeps its rows in. PostgreSQL's
//! parameters are checked as it does and kept (`pg_class.reloptions`), those of indexes only checked; they steer nothing here.
//! There are no TOAST tables, so parameters in the namespace `toast` are taken and forgotten.

use super::super::settings;
use damask_sql::ast::DefinitionOption;
use damask_txn::{PageCodec, TableEngine};
use damask_types::{Error, Result, SqlState};

/// What a parameter's value may be.
enum Kind {
    Bool,
    Integer(i64, i64),
    Real(f64, f64),
    /// The words, in lower case, and how a message lists them.
    Enum(&'static [&'static str], &'static str),
}

const INT_MAX: i64 = i32::MAX as i64;

/// Parameters of tables.
const OF_TABLES: [(&str, Kind); 24] = [
    (
        COMPRESSION,
        Kind::Enum(
            &["none", "lz4", "snappy", "zstd"],
            "\"none\", \"lz4\", \"snappy\", and \"zstd\"",
        ),
    ),
    (ENGINE, Kind::Enum(&["btree", "lsm"], "\"btree\" and \"lsm\"")),
    ("fillfactor", Kind::Integer(10, 100)),
    ("autovacuum_enabled", Kind::Bool),
    ("user_catalog_table", Kind::Bool),
    ("vacuum_truncate", Kind::Bool),
    (
        "vacuum_index_cleanup",
        Kind::Enum(
            &["auto", "on", "off", "true", "false", "yes", "no", "1", "0"],
            "\"on\", \"off\", and \"auto\"",
        ),
    ),
    ("toast_tuple_target", Kind::Integer(128, 8160)),
    ("parallel_workers", Kind::Integer(0, 1024)),
    ("autovacuum_vacuum_threshold", Kind::Integer(0, INT_MAX)),
    ("autovacuum_vacuum_insert_threshold", Kind::Integer(-1, INT_MAX)),
    ("autovacuum_analyze_threshold", Kind::Integer(0, INT_MAX)),
    ("autovacuum_vacuum_cost_limit", Kind::Integer(1, 10_000)),
    ("autovacuum_freeze_min_age", Kind::Integer(0, 1_000_000_000)),
    ("autovacuum_freeze_max_age", Kind::Integer(100_000, 2_000_000_000)),
    ("autovacuum_freeze_table_age", Kind::Integer(0, 2_000_000_000)),
    ("autovacuum_multixact_freeze_min_age", Kind::Integer(0, 1_000_000_000)),
    ("autovacuum_multixact_freeze_max_age", Kind::Integer(10_000, 2_000_000_000)),
    ("autovacuum_multixact_freeze_table_age", Kind::Integer(0, 2_000_000_000)),
    ("log_autovacuum_min_duration", Kind::Integer(-1, INT_MAX)),
    ("autovacuum_vacuum_cost_delay", Kind::Real(0.0, 100.0)),
    ("autovacuum_vacuum_scale_factor", Kind::Real(0.0, 100.0)),
    ("autovacuum_vacuum_insert_scale_factor", Kind::Real(0.0, 100.0)),
    ("autovacuum_analyze_scale_factor", Kind::Real(0.0, 100.0)),
];

/// Parameters of indexes.
const OF_INDEXES: [(&str, Kind); 2] =
    [("fillfactor", Kind::Integer(10, 100)), ("deduplicate_items", Kind::Bool)];

/// The parameters that are ours.
const COMPRESSION: &str = "compression";
const ENGINE: &str = "engine";

/// A relation's parameters by name, in the order they were set.
pub(super) type Parameters = Vec<(String, String)>;

/// Parameters of a new table.
///
/// # Errors
/// As [`set`]; 0A000 for `oids = true`.
pub(super) fn of_new_table(given: &[DefinitionOption]) -> Result<Parameters> {
    let mut parameters = Parameters::new();
    let is_oids = |option: &&DefinitionOption| {
        option.name.qualifier().is_none() && option.name.base().as_str() == "oids"
    };
    for option in given.iter().filter(is_oids) {
        if parse_bool("oids", text_of(option))? {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "tables declared WITH OIDS are not supported",
            ));
        }
    }
    set(&mut parameters, given.iter().filter(|option| !is_oids(option)))?;
    Ok(parameters)
}

/// Sets parameters of a table: those it has and that are not `given` stay, before the others.
///
/// # Errors
/// 22023 for an unknown name, one given twice, a value that cannot be.
pub(super) fn set<'a>(
    parameters: &mut Parameters,
    given: impl Iterator<Item = &'a DefinitionOption>,
) -> Result<()> {
    let mut new = checked(&OF_TABLES, given)?;
    parameters.retain(|(name, _)| !new.iter().any(|(other, _)| other == name));
    parameters.append(&mut new);
    Ok(())
}

/// Takes parameters of a table back. Names that mean nothing are passed over, as PostgreSQL does.
///
/// # Errors
/// 42601 if a value is given, 22023 for an unknown namespace.
pub(super) fn reset(parameters: &mut Parameters, given: &[DefinitionOption]) -> Result<()> {
    for option in given {
        if option.value.is_some() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "RESET must not include values for parameters",
            ));
        }
        if !is_toast(option)? {
            parameters.retain(|(name, _)| name != option.name.base().as_str());
        }
    }
    Ok(())
}

/// Checks parameters of an index.
///
/// # Errors
/// As [`set`].
pub(super) fn check_index(given: &[DefinitionOption]) -> Result<()> {
    checked(&OF_INDEXES, given.iter()).map(drop)
}

/// How the pages of a table with these parameters are stored.
pub(super) fn codec_of(parameters: &Parameters) -> PageCodec {
    let is_meant = |codec: &PageCodec| says(parameters, COMPRESSION, codec.name());
    PageCodec::ALL.into_iter().find(is_meant).unwrap_or_default()
}

/// What a table with these parameters keeps its rows in.
pub(super) fn engine_of(parameters: &Parameters) -> TableEngine {
    let is_meant = |engine: &TableEngine| says(parameters, ENGINE, engine.name());
    TableEngine::ALL.into_iter().find(is_meant).unwrap_or_default()
}

/// Checks that a table's parameters may be changed so.
///
/// # Errors
/// 0A000 if it would have to keep its rows in something else.
pub(super) fn check_change(old: &Parameters, new: &Parameters) -> Result<()> {
    if engine_of(old) == engine_of(new) {
        return Ok(());
    }
    Err(Error::unsupported("changing the storage parameter \"engine\" of a table that exists")
        .hint("Create a table with the other engine and copy the rows."))
}

/// Whether the parameter of an enumeration has this word for its value.
fn says(parameters: &Parameters, name: &str, word: &str) -> bool {
    parameters.iter().any(|(known, value)| known == name && value.eq_ignore_ascii_case(word))
}

fn checked<'a>(
    known: &[(&str, Kind)],
    given: impl Iterator<Item = &'a DefinitionOption>,
) -> Result<Parameters> {
    let mut parameters = Parameters::new();
    for option in given {
        if is_toast(option)? {
            continue;
        }
        let (name, value) = (option.name.base().as_str(), text_of(option));
        let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(invalid(format!("unrecognized parameter \"{name}\"")));
        };
        if parameters.iter().any(|(other, _)| other == name) {
            return Err(invalid(format!("parameter \"{name}\" specified more than once")));
        }
        check_value(name, kind, value)?;
        parameters.push((name.to_owned(), value.to_owned()));
    }
    Ok(parameters)
}

fn invalid(message: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// Whether a parameter is one of a TOAST table.
fn is_toast(option: &DefinitionOption) -> Result<bool> {
    match option.name.qualifier() {
        None => Ok(false),
        Some(namespace) if namespace.as_str() == "toast" => Ok(true),
        Some(namespace) => {
            let namespace = namespace.as_str();
            Err(invalid(format!("unrecognized parameter namespace \"{namespace}\"")))
        }
    }
}

/// A bare name stands for true.
fn text_of(option: &DefinitionOption) -> &str {
    option.value.as_deref().unwrap_or("true")
}

fn parse_bool(name: &str, value: &str) -> Result<bool> {
    settings::parse_bool(value)
        .ok_or_else(|| invalid(format!("invalid value for boolean option \"{name}\": {value}")))
}

fn check_value(name: &str, kind: &Kind, value: &str) -> Result<()> {
    let bounds = |is_inside: bool, low: String, high: String| {
        if is_inside {
            return Ok(());
        }
        Err(invalid(format!("value {value} out of bounds for option \"{name}\""))
            .detail(format!("Valid values are between \"{low}\" and \"{high}\".")))
    };
    match kind {
        Kind::Bool => parse_bool(name, value).map(drop),
        Kind::Integer(low, high) => {
            let number = parse_integer(value).ok_or_else(|| {
                invalid(format!("invalid value for integer option \"{name}\": {value}"))
            })?;
            bounds((*low..=*high).contains(&number), low.to_string(), high.to_string())
        }
        Kind::Real(low, high) => {
            let number: f64 = value.trim().parse().map_err(|_| {
                invalid(format!("invalid value for floating point option \"{name}\": {value}"))
            })?;
            bounds((*low..=*high).contains(&number), format!("{low:.6}"), format!("{high:.6}"))
        }
        Kind::Enum(words, listed) => {
            if words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                return Ok(());
            }
            Err(invalid(format!("invalid value for enum option \"{name}\": {value}"))
                .detail(format!("Valid values are {listed}.")))
        }
    }
}

/// An integer, decimal, hexadecimal or rounded from a fraction.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok();
    }
    let number = text.parse::<f64>().ok()?.round_ties_even();
    (number.abs() <= INT_MAX as f64).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_postgresql_reads_them() {
        for (text, number) in [
            ("70", Some(70)),
            (" 70 ", Some(70)),
            ("70.5", Some(70)),
            ("0x46", Some(70)),
            ("-1", Some(-1)),
            ("1e2", Some(100)),
            ("", None),
            ("x", None),
            ("99999999999", None),
            ("nan", None),
        ] {
            assert_eq!(parse_integer(text), number, "{text}");
        }
    }

    #[test]
    fn the_codec_is_what_compression_says() {
        let with = |value: &str| vec![(COMPRESSION.to_owned(), value.to_owned())];
        for codec in PageCodec::ALL {
            assert_eq!(codec_of(&with(codec.name())), codec);
            let (_, Kind::Enum(words, listed)) = &OF_TABLES[0] else { panic!("an enum") };
            assert!(words.contains(&codec.name()) && listed.contains(codec.name()));
        }
        assert_eq!(codec_of(&with("ZSTD")), PageCodec::Zstd);
        assert_eq!(codec_of(&Vec::new()), PageCodec::None);
    }

    #[test]
    fn the_engine_is_what_engine_says() {
        let with = |value: &str| vec![(ENGINE.to_owned(), value.to_owned())];
        for engine in TableEngine::ALL {
            assert_eq!(engine_of(&with(engine.name())), engine);
            let (_, Kind::Enum(words, listed)) = &OF_TABLES[1] else { panic!("an enum") };
            assert!(words.contains(&engine.name()) && listed.contains(engine.name()));
        }
        assert_eq!(engine_of(&with("LSM")), TableEngine::Lsm);
        assert_eq!(engine_of(&Vec::new()), TableEngine::BTree);
        assert!(check_change(&with("btree"), &Vec::new()).is_ok());
        assert!(check_change(&with("lsm"), &Vec::new()).is_err());
    }
}
