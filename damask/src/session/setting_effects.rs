//! What each setting that somebody may change does here, so that none is taken and quietly ignored.
//!
//! The rule: a setting *acts* as in PostgreSQL; or it takes only the values that ask for what is done anyway, or that act, and refuses
//! the others with 0A000; or it steers a mechanism that does not exist here, so that no result could tell whether it was obeyed, and
//! takes every value. `pg_settings.extra_desc` says so of the last two.
//!
//! Invariant E1: every setting but those that are internal is in [`EFFECTS`] once; a test holds that. Another test holds that
//! every setting that acts has a case that shows it (`damask/tests/it/settings.rs`).

use super::setting_list::Definition;
use damask_types::{Error, Result};

/// What setting something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What PostgreSQL's manual says.
    Acts,
    /// Nothing: it cannot be set.
    Fixed,
    /// Only these values are taken; what others ask for does not exist.
    Only(&'static [&'static str]),
    /// Nothing that a result could show, for this reason.
    Moot(&'static str),
}

use Effect::{Acts, Moot, Only};

const NO_PARALLEL: &str = "There are no parallel plans.";
const NO_REPLICATION: &str = "There is no replication.";
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
    ("archive_mode", Only(&["off"])),
    ("array_nulls", Only(&["on"])),
    ("autovacuum", Moot("There is nothing to vacuum.")),
    ("backslash_quote", Only(&["safe_encoding", "on"])),
    ("bonjour", Only(&["off"])),
    ("bytea_output", Acts),
    ("check_function_bodies", Moot("There are no functions with bodies.")),
    ("checkpoint_timeout", Acts),
    ("client_connection_check_interval", Moot("The server looks for clients that are gone by itself.")),
    ("client_encoding", Acts),
    ("client_min_messages", Acts),
    ("cluster_name", Moot("The process keeps its title.")),
    ("commit_delay", Moot("A flush waits for no time; commits that come meanwhile share the next.")),
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
    ("default_transaction_deferrable", Moot("A read-only transaction never fails to serialize and never waits for others.")),
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
    ("event_source", Moot("There is no event log.")),
    ("extra_float_digits", Acts),
    ("from_collapse_limit", Moot("The order of joins is searched whatever their number.")),
    ("fsync", Only(&["on"])),
    ("full_page_writes", Moot("No page is ever overwritten.")),
    ("geqo", Moot("The order of joins is not searched at random.")),
    ("gin_fuzzy_search_limit", Moot("There are no GIN indexes.")),
    ("hash_mem_multiplier", Acts),
    ("hot_standby", Moot(NO_REPLICATION)),
    ("huge_pages", Acts),
    ("idle_in_transaction_session_timeout", Acts),
    ("idle_session_timeout", Acts),
    ("IntervalStyle", Acts),
    ("io_method", Acts),
    ("jit", Acts),
    ("join_collapse_limit", Moot("The order of joins is searched whatever their number.")),
    ("lc_messages", ENGLISH_LOCALES),
    ("lc_monetary", C_LOCALES),
    ("lc_numeric", C_LOCALES),
    ("lc_time", ENGLISH_LOCALES),
    ("listen_addresses", Acts),
    ("lo_compat_privileges", Moot("There are no large objects.")),
    ("lock_timeout", Acts),
    ("log_duration", Only(&["off"])),
    ("log_min_messages", Only(&["warning", "error", "log", "fatal", "panic"])),
    ("log_statement", Only(&["none"])),
    ("log_timezone", Moot("There is no log for people.")),
    ("maintenance_work_mem", Moot("Indexes are built within the memory of pages.")),
    ("max_connections", Acts),
    ("max_locks_per_transaction", Moot("Memory for locks grows.")),
    ("max_parallel_workers", Moot(NO_PARALLEL)),
    ("max_parallel_workers_per_gather", Moot(NO_PARALLEL)),
    ("max_prepared_transactions", Only(&["0"])),
    ("max_stack_depth", Moot("The depth of statements has a limit of its own.")),
    ("max_wal_senders", Moot(NO_REPLICATION)),
    ("max_wal_size", Acts),
    ("memory_limit", Acts),
    ("min_wal_size", Moot("Segments of the log are kept for the next turn as far as there is use for them.")),
    ("numa", Acts),
    ("parallel_setup_cost", Moot(NO_PARALLEL)),
    ("parallel_tuple_cost", Moot(NO_PARALLEL)),
    ("password_encryption", Only(&["scram-sha-256"])),
    ("plan_cache_mode", Moot("Plans of prepared statements are always generic.")),
    ("port", Acts),
    ("query_memory_limit", Acts),
    ("quote_all_identifiers", Only(&["off"])),
    ("random_page_cost", Acts),
    ("recursive_worktable_factor", Moot("Estimates of recursive queries do not use it.")),
    ("row_security", Moot("There are no row security policies.")),
    ("search_path", Acts),
    ("seq_page_cost", Acts),
    ("session_replication_role", Only(&["origin", "local"])),
    ("shared_buffers", Acts),
    ("ssl", Only(&["off"])),
    ("standard_conforming_strings", Only(&["on"])),
    ("statement_timeout", Acts),
    ("superuser_reserved_connections", Moot("Every role is a superuser.")),
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
    ("transaction_deferrable", Moot("A read-only transaction never fails to serialize and never waits for others.")),
    ("transaction_isolation", Acts),
    ("transaction_read_only", Acts),
    ("transform_null_equals", Acts),
    ("unix_socket_directories", Acts),
    ("vacuum_cost_delay", Moot("There is nothing to vacuum.")),
    ("wal_buffers", Moot("The buffer of the log has one size.")),
    ("wal_compression", Only(&["off", "lz4"])),
    ("wal_lanes", Acts),
    ("wal_level", Only(&["minimal", "replica"])),
    ("wal_sync_method", Acts),
    ("wal_writer_delay", Acts),
    ("work_mem", Acts),
    ("xmlbinary", Moot(NO_XML)),
    ("xmloption", Moot(NO_XML)),
];

impl Definition {
    /// What it does here.
    pub fn effect(&self) -> Effect {
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
    pub(crate) fn check_supported(&self, value: &str) -> Result<()> {
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
    use super::super::setting_list::{Context, DEFINITIONS};
    use super::*;

    #[test]
    fn every_setting_is_classified_once() {
        for definition in DEFINITIONS {
            let found = EFFECTS.iter().filter(|(name, _)| *name == definition.name).count();
            let is_fixed = definition.context == Context::Internal;
            assert_eq!(found, usize::from(!is_fixed), "{}", definition.name);
            if let Only(values) = definition.effect() {
                assert!(values.contains(&definition.default), "{}", definition.name);
            }
        }
        for (name, _) in EFFECTS {
            assert!(DEFINITIONS.iter().any(|definition| definition.name == *name), "{name}");
        }
    }
}
