//! What each setting that a session may change does here, so that none is taken and quietly ignored.
//!
//! The rule: a setting *acts* as in PostgreSQL; or it takes only the values that ask for what is done anyway, and refuses the
//! others with 0A000; or it steers a mechanism that does not exist here, so that no result could tell whether it was obeyed, and
//! takes every value. `pg_settings.extra_desc` says so of the last two.
//!
//! Invariant E1: every setting of [`Context::User`] is in [`EFFECTS`] once, and no other is; a test holds that. Another test holds that
//! every setting that acts has a case that shows it (`damask/tests/it/settings.rs`).

use super::setting_list::{Context, Definition};
use damask_types::{Error, Result};

/// What setting something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What PostgreSQL's manual says.
    Acts,
    /// Nothing: it cannot be set in a session.
    Fixed,
    /// Only these values are taken; what others ask for does not exist.
    Only(&'static [&'static str]),
    /// Nothing that a result could show, for this reason.
    Moot(&'static str),
}

use Effect::{Acts, Moot, Only};

const NO_PARALLEL: &str = "There are no parallel plans.";
const NO_XML: &str = "There is no type xml.";
const C_LOCALES: Effect = Only(&["", "C", "POSIX", "C.UTF-8", "C.utf8"]);
/// Where English words are meant, other locales of English ask for the same.
const ENGLISH_LOCALES: Effect = Only(&[
    "",
    "C",
    "POSIX",
    "C.UTF-8",
    "C.utf8",
    "en",
    "en_US",
    "en_US.UTF-8",
    "en_US.utf8",
    "en_GB.UTF-8",
    "en_GB.utf8",
    "English_United States.1252",
]);

/// Settings by name.
#[rustfmt::skip]
static EFFECTS: &[(&str, Effect)] = &[
    ("application_name", Acts),
    ("array_nulls", Only(&["on"])),
    ("backslash_quote", Only(&["safe_encoding", "on"])),
    ("bytea_output", Acts),
    ("check_function_bodies", Moot("There are no functions with bodies.")),
    ("client_connection_check_interval", Moot("The server looks for clients that are gone by itself.")),
    ("client_encoding", Acts),
    ("client_min_messages", Acts),
    ("commit_delay", Moot("A flush waits for nobody; commits that come meanwhile share the next.")),
    ("constraint_exclusion", Moot("There are no inherited tables.")),
    ("cpu_index_tuple_cost", Acts),
    ("cpu_operator_cost", Acts),
    ("cpu_tuple_cost", Acts),
    ("cursor_tuple_fraction", Moot("Cursors are planned for all of their rows.")),
    ("DateStyle", Acts),
    ("deadlock_timeout", Acts),
    ("debug_print_plan", Only(&["off"])),
    ("default_statistics_target", Moot("Samples have a size of their own.")),
    ("default_table_access_method", Only(&["heap"])),
    ("default_tablespace", Only(&["", "pg_default"])),
    ("default_text_search_config", Moot("There is no text search.")),
    ("default_toast_compression", Moot("Large values are not compressed one by one.")),
    ("default_transaction_deferrable", Moot("It matters to SERIALIZABLE transactions alone.")),
    ("default_transaction_isolation", Acts),
    ("default_transaction_read_only", Acts),
    ("effective_cache_size", Moot("Costs do not depend on the size of caches.")),
    ("enable_bitmapscan", Moot("There are no bitmap scans.")),
    ("enable_hashagg", Acts),
    ("enable_hashjoin", Acts),
    ("enable_indexonlyscan", Acts),
    ("enable_indexscan", Acts),
    ("enable_material", Moot("What a nested loop reads again is always kept.")),
    ("enable_memoize", Moot("There are no memoize nodes.")),
    ("enable_mergejoin", Moot("There are no merge joins.")),
    ("enable_nestloop", Acts),
    ("enable_seqscan", Acts),
    ("enable_sort", Acts),
    ("enable_tidscan", Moot("There are no TID scans.")),
    ("escape_string_warning", Moot("It matters while standard_conforming_strings is off, which it cannot be.")),
    ("extra_float_digits", Acts),
    ("from_collapse_limit", Moot("The order of joins is searched whatever their number.")),
    ("geqo", Moot("The order of joins is not searched at random.")),
    ("gin_fuzzy_search_limit", Moot("There are no GIN indexes.")),
    ("hash_mem_multiplier", Acts),
    ("idle_in_transaction_session_timeout", Acts),
    ("idle_session_timeout", Acts),
    ("IntervalStyle", Acts),
    ("jit", Acts),
    ("join_collapse_limit", Moot("The order of joins is searched whatever their number.")),
    ("lc_messages", ENGLISH_LOCALES),
    ("lc_monetary", C_LOCALES),
    ("lc_numeric", C_LOCALES),
    ("lc_time", ENGLISH_LOCALES),
    ("lo_compat_privileges", Moot("There are no large objects.")),
    ("lock_timeout", Acts),
    ("log_duration", Only(&["off"])),
    ("log_min_messages", Only(&["warning", "error", "log", "fatal", "panic"])),
    ("log_statement", Only(&["none"])),
    ("maintenance_work_mem", Moot("Indexes are built within the memory of pages.")),
    ("max_parallel_workers", Moot(NO_PARALLEL)),
    ("max_parallel_workers_per_gather", Moot(NO_PARALLEL)),
    ("max_stack_depth", Moot("The depth of statements has a limit of its own.")),
    ("parallel_setup_cost", Moot(NO_PARALLEL)),
    ("parallel_tuple_cost", Moot(NO_PARALLEL)),
    ("password_encryption", Only(&["scram-sha-256"])),
    ("plan_cache_mode", Moot("Plans of prepared statements are always generic.")),
    ("quote_all_identifiers", Only(&["off"])),
    ("random_page_cost", Acts),
    ("recursive_worktable_factor", Moot("Estimates of recursive queries do not use it.")),
    ("row_security", Moot("There are no row security policies.")),
    ("search_path", Acts),
    ("seq_page_cost", Acts),
    ("session_replication_role", Only(&["origin", "local"])),
    ("standard_conforming_strings", Only(&["on"])),
    ("statement_timeout", Acts),
    ("synchronize_seqscans", Moot("Scans begin at the first row.")),
    ("synchronous_commit", Acts),
    ("tcp_keepalives_idle", Only(&["0"])),
    ("temp_buffers", Moot("Temporary tables share the memory of pages.")),
    ("temp_tablespaces", Only(&["", "pg_default"])),
    ("TimeZone", Acts),
    ("timezone_abbreviations", Only(&["Default"])),
    ("track_activities", Only(&["on"])),
    ("track_counts", Moot("Counts of rows come from the tables.")),
    ("track_io_timing", Only(&["off"])),
    ("transaction_deferrable", Moot("It matters to SERIALIZABLE transactions alone.")),
    ("transaction_isolation", Acts),
    ("transaction_read_only", Acts),
    ("transform_null_equals", Acts),
    ("vacuum_cost_delay", Moot("There is nothing to vacuum.")),
    ("work_mem", Acts),
    ("xmlbinary", Moot(NO_XML)),
    ("xmloption", Moot(NO_XML)),
];

impl Definition {
    /// What it does here.
    pub fn effect(&self) -> Effect {
        if self.context != Context::User {
            return Effect::Fixed;
        }
        let found = EFFECTS.iter().find(|(name, _)| *name == self.name);
        found.map_or(Effect::Fixed, |(_, effect)| *effect)
    }

    /// What is to be known of its effect, for `pg_settings.extra_desc`.
    pub(super) fn remark(&self) -> Option<String> {
        match self.effect() {
            Acts | Effect::Fixed => None,
            Only([value]) => Some(format!("Only {value:?} is supported.")),
            Only(values) => Some(format!("Only {values:?} are supported.").replace(['[', ']'], "")),
            Moot(reason) => Some(format!("It has no effect. {reason}")),
        }
    }

    /// Refuses a value, in canonical form, that asks for what is not there.
    ///
    /// # Errors
    /// 0A000 that names setting and value.
    pub(super) fn check_supported(&self, value: &str) -> Result<()> {
        // Else every statement would be refused, the one that sets it back among them.
        if self.name == "default_transaction_isolation" && value == "serializable" {
            return Err(Error::unsupported("isolation level SERIALIZABLE"));
        }
        match self.effect() {
            Only(values) if !values.contains(&value) => {
                let error = Error::unsupported(format!("{} = '{value}'", self.name));
                Err(error.hint(format!("Supported values: {}.", values.join(", "))))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::setting_list::DEFINITIONS;
    use super::*;

    #[test]
    fn every_setting_is_classified_once() {
        for definition in DEFINITIONS {
            let found = EFFECTS.iter().filter(|(name, _)| *name == definition.name).count();
            let is_user = definition.context == Context::User;
            assert_eq!(found, usize::from(is_user), "{}", definition.name);
            if let Only(values) = definition.effect() {
                assert!(values.contains(&definition.default), "{}", definition.name);
            }
        }
        for (name, _) in EFFECTS {
            assert!(DEFINITIONS.iter().any(|definition| definition.name == *name), "{name}");
        }
    }
}
