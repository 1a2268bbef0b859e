//! A session's settings: `SET`, `SET LOCAL`, `RESET`, `SHOW`.
//!
//! Each setting has a session value and, inside a transaction, perhaps a local one; both go back when the transaction (or a
//! savepoint) rolls back, the local one also when it commits. Values are kept in canonical text, as `SHOW` prints them without
//! unit conversion; the few that shape execution are parsed once into [`Effective`].

use super::setting_list::{Context, DEFINITIONS, Definition, Kind};
use crate::configuration::Configuration;
use damask_planner::Tuning;
use damask_txn::{Durability, IsolationLevel, LogCompression};
use damask_types::format::{DateOrder, DateStyle, FormatSettings, IntervalStyle, TimeZone};
use damask_types::{Error, Result, SqlState};
use hashbrown::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Settings in the form that the engine uses.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    pub(crate) format: FormatSettings,
    /// `search_path`, split into names; `"$user"` still in it.
    pub(crate) search_path: Vec<String>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) deadlock_timeout: Duration,
    /// What the planner prefers.
    pub(crate) tuning: Tuning,
    pub(crate) idle_in_transaction_timeout: Option<Duration>,
    pub(crate) idle_session_timeout: Option<Duration>,
    pub(crate) jit: Jit,
    /// `work_mem` in bytes.
    pub(crate) work_mem_bytes: usize,
    /// `work_mem * hash_mem_multiplier` in bytes.
    pub(crate) hash_mem_bytes: usize,
    /// Smallest level of notices the client is sent.
    pub(crate) client_min_messages: Level,
    /// `synchronous_commit`: there are no standbys, so every value but `off` waits for the flush here.
    pub(crate) durability: Durability,
    /// `wal_compression`.
    pub(crate) log_compression: LogCompression,
    /// `default_transaction_isolation`.
    pub(crate) default_isolation: IsolationLevel,
    /// `default_transaction_read_only`.
    pub(crate) default_read_only: bool,
}

/// `jit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jit {
    /// Interpret.
    Off,
    /// Compile what is worth it.
    On,
    /// Compile everything from the first row on.
    Force,
    /// Run both and compare.
    Verify,
}

/// Severity of a notice, in `client_min_messages`' order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are PostgreSQL's")]
pub enum Level {
    Debug,
    Log,
    Info,
    Notice,
    Warning,
    Error,
}

/// Values that differ from the defaults, and how they were before.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What the database was opened with.
    configuration: Configuration,
    values: HashMap<String, String>,
    /// What `RESET` goes back to where it differs from that: what the client gave at start.
    reset: HashMap<String, String>,
    /// Inside a transaction: old values, newest last, with whether the change was `LOCAL`.
    undo: Vec<Undo>,
    effective: Arc<Effective>,
    /// Counts changes, so that caches of what depends on settings can tell.
    pub(crate) generation: u64,
}

#[derive(Clone, Debug)]
struct Undo {
    name: String,
    old: Option<String>,
    is_local: bool,
}

impl Settings {
    /// What the database was opened with, and what a client gave at start.
    ///
    /// # Errors
    /// As for [`Settings::set`].
    pub(crate) fn new(configuration: &Configuration, startup: &[(String, String)]) -> Result<Self> {
        static DEFAULTS: LazyLock<Arc<Effective>> = LazyLock::new(|| {
            Arc::new(effective(&default).expect("the defaults are values that settings take"))
        });
        let mut settings = Self {
            effective: Arc::clone(&DEFAULTS),
            configuration: configuration.clone(),
            values: HashMap::new(),
            reset: HashMap::new(),
            undo: vec![],
            generation: 0,
        };
        for (name, value) in startup {
            settings.assign(name, Some(value))?;
        }
        if !settings.values.is_empty() || !configuration.is_empty() {
            settings.effective = Arc::new(effective(&|name| settings.raw(name))?);
        }
        settings.reset.clone_from(&settings.values);
        settings.undo.clear();
        Ok(settings)
    }

    /// Settings as the engine uses them.
    pub(crate) fn effective(&self) -> &Arc<Effective> {
        &self.effective
    }

    /// The value of a setting as `SHOW` prints it.
    pub(crate) fn show(&self, name: &str) -> Option<String> {
        let name = canonical(name);
        let Some(definition) = definition(&name) else {
            return self.values.get(&name).cloned();
        };
        Some(display(definition, &self.raw(&name)))
    }

    /// The stored value: a bare number of the setting's unit, or text.
    pub(crate) fn raw(&self, name: &str) -> String {
        self.values.get(name).cloned().unwrap_or_else(|| self.configured(name))
    }

    /// What the database was opened with, or the default.
    fn configured(&self, name: &str) -> String {
        self.configuration.get(name).map_or_else(|| default(name), str::to_owned)
    }

    /// What `RESET` goes back to.
    pub(crate) fn reset_value(&self, name: &str) -> String {
        self.reset.get(name).cloned().unwrap_or_else(|| self.configured(name))
    }

    /// Where the present value comes from, in the words of `pg_settings.source`.
    pub(crate) fn source(&self, name: &str) -> &'static str {
        match self.values.get(name) {
            Some(value) if self.reset.get(name) == Some(value) => "client",
            Some(_) => "session",
            None if self.configuration.get(name).is_some() => "command line",
            None => "default",
        }
    }

    /// Changes a setting; `None` is `DEFAULT`.
    ///
    /// # Errors
    /// 42704 for an unknown name without a dot, 22023 for a value it does not take, 55P02 if it cannot be changed now.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, is_local: bool) -> Result<()> {
        let (key, old) = self.assign(name, value)?;
        self.generation += 1;
        match effective(&|name| self.raw(name)) {
            Ok(effective) => self.effective = Arc::new(effective),
            Err(error) => {
                self.restore(&key, old);
                return Err(error);
            }
        }
        self.undo.push(Undo { name: key, old, is_local });
        Ok(())
    }

    /// Stores a value, without its effects; gives the setting's spelling and the value it had.
    fn assign(&mut self, name: &str, value: Option<&str>) -> Result<(String, Option<String>)> {
        let key = canonical(name);
        let value = match definition(&key) {
            None if key.contains('.') => value.map(str::to_owned),
            None => return Err(unknown(name)),
            Some(definition) => {
                check_context(definition)?;
                let value = value.map(|value| self.parse(definition, value)).transpose()?;
                if let Some(value) = &value {
                    definition.check_supported(value)?;
                }
                value
            }
        };
        let value = value.or_else(|| self.reset.get(&key).cloned());
        let old = match value {
            Some(value) => self.values.insert(key.clone(), value),
            None => self.values.remove(&key),
        };
        Ok((key, old))
    }

    /// A new value in canonical form: of `DateStyle`, what it does not name stays as it is.
    fn parse(&self, definition: &Definition, value: &str) -> Result<String> {
        if definition.name != "DateStyle" {
            return parse(definition, value);
        }
        let present = kept_date_style(&self.raw("DateStyle"))?;
        let default = kept_date_style(&self.reset_value("DateStyle"))?;
        date_style(value, present, default).map(date_style_text)
    }

    fn restore(&mut self, name: &str, old: Option<String>) {
        match old {
            Some(old) => self.values.insert(name.to_owned(), old),
            None => self.values.remove(name),
        };
    }

    /// `RESET ALL`.
    pub(crate) fn reset_all(&mut self) -> Result<()> {
        let names: Vec<String> = self.values.keys().cloned().collect();
        for name in names {
            self.set(&name, None, false)?;
        }
        Ok(())
    }

    /// The present state, for [`Settings::rollback_to`].
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back every change since `mark`.
    pub(crate) fn rollback_to(&mut self, mark: usize) {
        if self.undo.len() <= mark {
            return;
        }
        while self.undo.len() > mark {
            let undo = self.undo.pop().expect("the stack is longer than the mark");
            self.restore(&undo.name, undo.old);
        }
        self.recompute();
    }

    /// Ends a transaction that committed: `LOCAL` changes go back, the others stay.
    pub(crate) fn commit(&mut self) {
        if self.undo.is_empty() {
            return;
        }
        // The value under the first LOCAL change of a name is its session value, unless a later plain SET replaced it.
        let undo = std::mem::take(&mut self.undo);
        let mut session: HashMap<&str, Option<String>> = HashMap::new();
        for (i, change) in undo.iter().enumerate() {
            if change.is_local {
                session.entry(&change.name).or_insert_with(|| change.old.clone());
            } else {
                // What this plain SET stored is what the next change of the name found.
                let next = undo[i + 1..].iter().find(|later| later.name == change.name);
                let stored = match next {
                    Some(next) => next.old.clone(),
                    None => self.values.get(&change.name).cloned(),
                };
                session.insert(&change.name, stored);
            }
        }
        for (name, value) in session {
            self.restore(name, value);
        }
        self.recompute();
    }

    fn recompute(&mut self) {
        self.generation += 1;
        self.effective =
            Arc::new(effective(&|name| self.raw(name)).expect("these values were accepted before"));
    }

    /// Every known setting with its value and description, for `SHOW ALL` and `pg_settings`.
    pub(crate) fn all(&self) -> Vec<(&'static Definition, String)> {
        DEFINITIONS
            .iter()
            .map(|definition| (definition, display(definition, &self.raw(definition.name))))
            .collect()
    }
}

fn unknown(name: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    )
}

/// The error of `SHOW` and `current_setting` for a name that does not exist.
pub(crate) fn unknown_setting(name: &str) -> Error {
    unknown(name)
}

/// The spelling of a name in the list; names of no setting are lower case.
fn canonical(name: &str) -> String {
    definition(name)
        .map_or_else(|| name.to_ascii_lowercase(), |definition| definition.name.to_owned())
}

/// The setting of this name.
pub(crate) fn definition(name: &str) -> Option<&'static Definition> {
    // Nearly every name comes in the spelling of the list: a session that begins looks up dozens.
    static BY_NAME: LazyLock<HashMap<&str, &Definition>> = LazyLock::new(|| {
        DEFINITIONS.iter().map(|definition| (definition.name, definition)).collect()
    });
    if let Some(definition) = BY_NAME.get(name) {
        return Some(definition);
    }
    let name = match name.to_ascii_lowercase().as_str() {
        "session_authorization" => return None,
        "time zone" => "TimeZone".to_owned(),
        _ => name.to_owned(),
    };
    DEFINITIONS.iter().find(|definition| definition.name.eq_ignore_ascii_case(&name))
}

fn default(name: &str) -> String {
    definition(name).map_or_else(String::new, |definition| definition.default.to_owned())
}

fn check_context(definition: &Definition) -> Result<()> {
    match definition.context {
        Context::User => Ok(()),
        Context::Internal => Err(Error::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{}\" cannot be changed", definition.name),
        )),
        Context::Sighup => Err(Error::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{}\" cannot be changed now", definition.name),
        )),
        Context::Postmaster => Err(Error::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!(
                "parameter \"{}\" cannot be changed without restarting the server",
                definition.name
            ),
        )),
    }
}

/// The stored form of a value.
pub(crate) fn parse(definition: &Definition, value: &str) -> Result<String> {
    let invalid = || invalid_value(definition.name, value);
    match definition.kind {
        Kind::Bool => match parse_bool(value) {
            Some(true) => Ok("on".to_owned()),
            Some(false) => Ok("off".to_owned()),
            None => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", definition.name),
            )),
        },
        Kind::Integer { min, max, unit } => {
            let number = parse_number(value, unit).ok_or_else(invalid)?.round();
            if number < min as f64 || number > max as f64 {
                return Err(out_of_range(
                    definition,
                    &format!("{number}"),
                    &format!("{min}"),
                    &format!("{max}"),
                    unit,
                ));
            }
            Ok(format!("{}", number as i64))
        }
        Kind::Real { min, max, unit } => {
            let number = parse_number(value, unit).ok_or_else(invalid)?;
            if number < min || number > max {
                return Err(out_of_range(
                    definition,
                    &format!("{number}"),
                    &format!("{min}"),
                    &format!("{max}"),
                    unit,
                ));
            }
            Ok(format!("{number}"))
        }
        Kind::Enum(words) => {
            let lower = value.to_ascii_lowercase();
            let word = match lower.as_str() {
                "true" | "yes" | "1" if words.contains(&"on") => "on",
                "false" | "no" | "0" if words.contains(&"off") => "off",
                other => other,
            };
            words
                .iter()
                .find(|known| **known == word)
                .map(|known| (*known).to_owned())
                .ok_or_else(|| invalid().hint(format!("Available values: {}.", words.join(", "))))
        }
        Kind::Text => parse_special(definition, value),
    }
}

/// 22023.
fn invalid_value(name: &str, value: &str) -> Error {
    let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn out_of_range(definition: &Definition, value: &str, min: &str, max: &str, unit: &str) -> Error {
    let space = if unit.is_empty() { "" } else { " " };
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!(
            "{value}{space}{unit} is outside the valid range for parameter \"{}\" ({min} .. {max})",
            definition.name
        ),
    )
}

/// Texts that have a canonical form, or that must name something known.
fn parse_special(definition: &Definition, value: &str) -> Result<String> {
    let invalid = || invalid_value(definition.name, value);
    match definition.name {
        "TimeZone" => Ok(time_zone(value).ok_or_else(invalid)?.name),
        "DateStyle" => kept_date_style(value).map(date_style_text),
        "client_encoding" => {
            match value.to_ascii_lowercase().replace(['-', '_', '\''], "").as_str() {
                "utf8" | "unicode" => Ok("UTF8".to_owned()),
                "sqlascii" => Ok("SQL_ASCII".to_owned()),
                "latin1" | "iso88591" | "win1252" | "windows1252" => {
                    Err(Error::unsupported(format!("client encoding \"{value}\""))
                        .hint("Use UTF8."))
                }
                _ => Err(invalid()),
            }
        }
        _ => Ok(value.to_owned()),
    }
}

pub(super) fn parse_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "tru" | "tr" | "t" | "yes" | "ye" | "y" | "1" => Some(true),
        "off" | "of" | "false" | "fals" | "fal" | "fa" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A number with an optional unit, in units of `unit`.
fn parse_number(value: &str, unit: &str) -> Option<f64> {
    let value = value.trim();
    let digits = value.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')));
    let (number, suffix) = value.split_at(digits.unwrap_or(value.len()));
    let number: f64 = number.parse().ok()?;
    let suffix = suffix.trim();
    if suffix.is_empty() {
        return Some(number);
    }
    let bytes = |unit: &str| {
        Some(match unit {
            "B" => 1.0,
            "kB" => 1024.0,
            "8kB" => 8192.0,
            "MB" => 1024.0 * 1024.0,
            "GB" => 1024.0 * 1024.0 * 1024.0,
            "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return None,
        })
    };
    let micros = |unit: &str| {
        Some(match unit {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            "min" => 6e7,
            "h" => 3.6e9,
            "d" => 8.64e10,
            _ => return None,
        })
    };
    let from = bytes(suffix).or_else(|| micros(suffix))?;
    let to = if bytes(suffix).is_some() { bytes(unit)? } else { micros(unit)? };
    Some(number * from / to)
}

/// A stored value as `SHOW` prints it: numbers with the largest unit that divides them.
fn display(definition: &Definition, raw: &str) -> String {
    let Kind::Integer { unit, .. } = definition.kind else {
        return raw.to_owned();
    };
    let Ok(number) = raw.parse::<i64>() else {
        return raw.to_owned();
    };
    if number <= 0 || unit.is_empty() {
        return raw.to_owned();
    }
    let ladder: &[(&str, i64)] = match unit {
        "kB" => &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)],
        "8kB" => &[("TB", 1 << 27), ("GB", 1 << 17), ("MB", 1 << 7)],
        "B" => &[("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)],
        "MB" => &[("TB", 1 << 20), ("GB", 1 << 10), ("MB", 1)],
        "ms" => &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)],
        "s" => &[("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)],
        "min" => &[("d", 1_440), ("h", 60), ("min", 1)],
        _ => &[],
    };
    for &(name, factor) in ladder {
        if number % factor == 0 {
            return format!("{}{name}", number / factor);
        }
    }
    if unit == "8kB" {
        return format!("{}kB", number * 8);
    }
    raw.to_owned()
}

/// A `TimeZone` setting: a name, or hours as a number.
fn time_zone(value: &str) -> Option<TimeZone> {
    TimeZone::parse(value).ok()
}

/// Style and order of a `DateStyle` list. What it does not name stays as it is in `present`, or in `default` if it names that.
///
/// # Errors
/// 22023, with what is wrong with the list.
fn date_style(
    value: &str,
    present: (DateStyle, DateOrder),
    default: (DateStyle, DateOrder),
) -> Result<(DateStyle, DateOrder)> {
    let invalid = |detail: String| invalid_value("DateStyle", value).detail(detail);
    let conflict = || invalid("Conflicting \"datestyle\" specifications.".to_owned());
    let (mut style, mut order) = present;
    let (mut has_style, mut has_order) = (false, false);
    let words = value.split(',').map(|word| word.trim().to_ascii_lowercase());
    for word in words.filter(|_| !value.trim().is_empty()) {
        let (named_style, named_order) = match word.as_str() {
            "iso" => (Some(DateStyle::Iso), None),
            "sql" => (Some(DateStyle::Sql), None),
            "german" => (Some(DateStyle::German), None),
            word if word.starts_with("postgres") => (Some(DateStyle::Postgres), None),
            "ymd" => (None, Some(DateOrder::Ymd)),
            "dmy" => (None, Some(DateOrder::Dmy)),
            word if word.starts_with("euro") => (None, Some(DateOrder::Dmy)),
            "mdy" | "us" => (None, Some(DateOrder::Mdy)),
            word if word.starts_with("noneuro") => (None, Some(DateOrder::Mdy)),
            "default" => {
                style = if has_style { style } else { default.0 };
                order = if has_order { order } else { default.1 };
                continue;
            }
            "" => return Err(invalid("List syntax is invalid.".to_owned())),
            word => return Err(invalid(format!("Unrecognized key word: \"{word}\"."))),
        };
        if let Some(named) = named_style {
            if has_style && style != named {
                return Err(conflict());
            }
            (style, has_style) = (named, true);
            if named == DateStyle::German && !has_order {
                order = DateOrder::Dmy;
            }
        }
        if let Some(named) = named_order {
            if has_order && order != named {
                return Err(conflict());
            }
            (order, has_order) = (named, true);
        }
    }
    Ok((style, order))
}

/// Style and order of a value in the form in which it is kept.
fn kept_date_style(value: &str) -> Result<(DateStyle, DateOrder)> {
    let default = FormatSettings::default();
    let default = (default.date_style, default.date_order);
    date_style(value, default, default)
}

/// The form in which `DateStyle` is kept and shown.
fn date_style_text((style, order): (DateStyle, DateOrder)) -> String {
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Ymd => "YMD",
        DateOrder::Dmy => "DMY",
        DateOrder::Mdy => "MDY",
    };
    format!("{style}, {order}")
}

/// Parses what the engine uses; the values were checked one by one before.
fn effective(raw: &dyn Fn(&str) -> String) -> Result<Effective> {
    let millis = |name: &str| {
        let millis: u64 = raw(name).parse().unwrap_or(0);
        (millis > 0).then(|| Duration::from_millis(millis))
    };
    let invalid = |name: &str| invalid_value(name, &raw(name));
    let (date_style, date_order) = kept_date_style(&raw("DateStyle"))?;
    let format = FormatSettings {
        date_style,
        date_order,
        interval_style: match raw("IntervalStyle").as_str() {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        },
        extra_float_digits: raw("extra_float_digits").parse().unwrap_or(1),
        bytea_hex: raw("bytea_output") == "hex",
        time_zone: time_zone(&raw("TimeZone")).ok_or_else(|| invalid("TimeZone"))?,
    };
    let work_mem_bytes = raw("work_mem").parse::<usize>().unwrap_or(64) << 10;
    let multiplier: f64 = raw("hash_mem_multiplier").parse().unwrap_or(1.0);
    Ok(Effective {
        format,
        work_mem_bytes,
        hash_mem_bytes: (work_mem_bytes as f64 * multiplier) as usize,
        search_path: split_names(&raw("search_path"))
            .ok_or_else(|| invalid("search_path").detail("List syntax is invalid."))?,
        statement_timeout: millis("statement_timeout"),
        lock_timeout: millis("lock_timeout"),
        deadlock_timeout: millis("deadlock_timeout").unwrap_or_default(),
        tuning: tuning(raw),
        default_isolation: match raw("default_transaction_isolation").as_str() {
            "repeatable read" => IsolationLevel::RepeatableRead,
            "serializable" => IsolationLevel::Serializable,
            _ => IsolationLevel::ReadCommitted,
        },
        default_read_only: raw("default_transaction_read_only") == "on",
        idle_in_transaction_timeout: millis("idle_in_transaction_session_timeout"),
        idle_session_timeout: millis("idle_session_timeout"),
        jit: match raw("jit").as_str() {
            "off" => Jit::Off,
            "force" => Jit::Force,
            "verify" => Jit::Verify,
            _ => Jit::On,
        },
        client_min_messages: match raw("client_min_messages").as_str() {
            "warning" => Level::Warning,
            "error" => Level::Error,
            "notice" => Level::Notice,
            "log" => Level::Log,
            _ => Level::Debug,
        },
        durability: match raw("synchronous_commit").as_str() {
            "off" => Durability::Relaxed,
            _ => Durability::Flushed,
        },
        log_compression: match raw("wal_compression").as_str() {
            "lz4" => LogCompression::Lz4,
            _ => LogCompression::Off,
        },
    })
}

/// The settings that steer planning.
fn tuning(raw: &dyn Fn(&str) -> String) -> Tuning {
    let on = |name: &str| raw(name) == "on";
    let cost = |name: &str| raw(name).parse().unwrap_or(0.0);
    Tuning {
        enable_seqscan: on("enable_seqscan"),
        enable_indexscan: on("enable_indexscan"),
        enable_indexonlyscan: on("enable_indexonlyscan"),
        enable_hashjoin: on("enable_hashjoin"),
        enable_nestloop: on("enable_nestloop"),
        enable_hashagg: on("enable_hashagg"),
        enable_sort: on("enable_sort"),
        seq_page_cost: cost("seq_page_cost"),
        random_page_cost: cost("random_page_cost"),
        cpu_tuple_cost: cost("cpu_tuple_cost"),
        cpu_index_tuple_cost: cost("cpu_index_tuple_cost"),
        cpu_operator_cost: cost("cpu_operator_cost"),
        transform_null_equals: on("transform_null_equals"),
    }
}

/// Splits a list of identifiers: quoted ones as they are, others folded to lower case.
fn split_names(list: &str) -> Option<Vec<String>> {
    let mut names = vec![];
    let mut rest = list.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut tail = quoted;
            loop {
                let (part, after) = tail.split_once('"')?;
                text.push_str(part);
                if let Some(after) = after.strip_prefix('"') {
                    text.push('"');
                    tail = after;
                } else {
                    rest = after;
                    break;
                }
            }
            name = text;
        } else {
            let end = rest.find([',', '"']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            name = word.trim_end().to_lowercase();
            rest = after;
            if name.is_empty() {
                return None;
            }
        }
        names.push(name);
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_style_that_is_not_taken_says_why() {
        let mut settings = Settings::new(&Configuration::default(), &[]).unwrap();
        for (value, detail) in [
            ("iso, sql", "Conflicting \"datestyle\" specifications."),
            ("ymd, iso, dmy", "Conflicting \"datestyle\" specifications."),
            ("iso, Nonsense", "Unrecognized key word: \"nonsense\"."),
            ("iso,,dmy", "List syntax is invalid."),
        ] {
            let error = settings.set("datestyle", Some(value), false).unwrap_err();
            let message = format!("invalid value for parameter \"DateStyle\": \"{value}\"");
            assert_eq!(error.message(), message);
            assert_eq!(error.fields().detail.as_deref(), Some(detail), "{value}");
        }
        assert_eq!(settings.show("DateStyle").unwrap(), "ISO, MDY");
    }

    #[test]
    fn local_changes_end_with_the_transaction() {
        let mut settings = Settings::new(&Configuration::default(), &[]).unwrap();
        settings.set("work_mem", Some("8MB"), false).unwrap();
        settings.set("work_mem", Some("16MB"), true).unwrap();
        assert_eq!(settings.show("work_mem").unwrap(), "16MB");
        settings.commit();
        assert_eq!(settings.show("work_mem").unwrap(), "8MB");
        settings.set("work_mem", Some("1GB"), true).unwrap();
        settings.rollback_to(0);
        assert_eq!(settings.show("WORK_MEM").unwrap(), "8MB");
    }

    #[test]
    fn values_are_checked() {
        let mut settings = Settings::new(&Configuration::default(), &[]).unwrap();
        let code = |result: Result<()>| result.unwrap_err().sqlstate();
        assert_eq!(code(settings.set("no_such", Some("1"), false)), SqlState::UNDEFINED_OBJECT);
        assert_eq!(
            code(settings.set("work_mem", Some("1kB"), false)),
            SqlState::INVALID_PARAMETER_VALUE
        );
        assert_eq!(
            code(settings.set("server_version", Some("1"), false)),
            SqlState::CANT_CHANGE_RUNTIME_PARAM
        );
        settings.set("my.own", Some("x"), false).unwrap();
        assert_eq!(settings.show("my.own").unwrap(), "x");
        settings.set("statement_timeout", Some("2min"), false).unwrap();
        assert_eq!(settings.effective().statement_timeout, Some(Duration::from_mins(2)));
    }

    #[test]
    fn search_paths_split() {
        assert_eq!(split_names("\"$user\", Public").unwrap(), ["$user", "public"]);
        assert_eq!(split_names("\"a\"\"b\"").unwrap(), ["a\"b"]);
        assert_eq!(split_names("").unwrap(), Vec::<String>::new());
        assert!(split_names("a,,b").is_none());
    }
}
