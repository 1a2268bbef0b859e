//! Every setting: PostgreSQL's names, types, limits and defaults.
//!
//! What setting each of them does here is in [`super::setting_effects`]: it acts as in PostgreSQL, or refuses the values that it
//! could not obey, or there is nothing here that it could steer. Whoever adds one says there which of the three it is.

/// Who may change a setting, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Fixed: a property of the build or of the database.
    Internal,
    /// At start alone.
    Postmaster,
    /// By the server's configuration, which is read at start alone here.
    Sighup,
    /// By any session.
    User,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// on or off.
    Bool,
    /// A whole number between two limits, perhaps with a unit (`kB`, `8kB`, `ms`, `s`, `min`, `MB`).
    Integer {
        /// Lowest.
        min: i64,
        /// Highest.
        max: i64,
        /// Unit of a bare number.
        unit: &'static str,
    },
    /// A number between two limits.
    Real {
        /// Lowest.
        min: f64,
        /// Highest.
        max: f64,
        /// Unit of a bare number.
        unit: &'static str,
    },
    /// One of some words.
    Enum(&'static [&'static str]),
    /// Any text.
    Text,
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name as `SHOW ALL` spells it; names are looked up without regard to case.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its value when nobody set it, in the form that is stored (a bare number of its unit).
    pub default: &'static str,
    /// Who may change it.
    pub context: Context,
    /// Its group in `pg_settings`.
    pub category: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// All of them, by name.
#[rustfmt::skip]
pub(super) static DEFINITIONS: &[Definition] = &[
    Definition { name: "application_name", kind: Kind::Text, default: "", context: Context::User, category: "Reporting and Logging / What to Log", description: "Sets the application name to be reported in statistics and logs." },
    Definition { name: "archive_mode", kind: Kind::Enum(&["always", "on", "off"]), default: "off", context: Context::Postmaster, category: "Write-Ahead Log / Archiving", description: "Allows archiving of WAL files using archive_command." },
    Definition { name: "array_nulls", kind: Kind::Bool, default: "on", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "Enable input of NULL elements in arrays." },
    Definition { name: "autovacuum", kind: Kind::Bool, default: "on", context: Context::Sighup, category: "Autovacuum", description: "Starts the autovacuum subprocess." },
    Definition { name: "backslash_quote", kind: Kind::Enum(&["safe_encoding", "on", "off"]), default: "safe_encoding", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "Sets whether \"\\'\" is allowed in string literals." },
    Definition { name: "block_size", kind: Kind::Integer { min: 8192, max: 8192, unit: "" }, default: "16384", context: Context::Internal, category: "Preset Options", description: "Shows the size of a disk block." },
    Definition { name: "bonjour", kind: Kind::Bool, default: "off", context: Context::Postmaster, category: "Connections and Authentication / Connection Settings", description: "Enables advertising the server via Bonjour." },
    Definition { name: "bytea_output", kind: Kind::Enum(&["escape", "hex"]), default: "hex", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the output format for bytea." },
    Definition { name: "check_function_bodies", kind: Kind::Bool, default: "on", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE." },
    Definition { name: "checkpoint_timeout", kind: Kind::Integer { min: 30, max: 86400, unit: "s" }, default: "300", context: Context::Sighup, category: "Write-Ahead Log / Checkpoints", description: "Sets the maximum time between automatic WAL checkpoints." },
    Definition { name: "client_connection_check_interval", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "ms" }, default: "0", context: Context::User, category: "Connections and Authentication / Connection Settings", description: "Sets the time interval between checks for disconnection while running queries." },
    Definition { name: "client_encoding", kind: Kind::Text, default: "UTF8", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the client's character set encoding." },
    Definition { name: "client_min_messages", kind: Kind::Enum(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]), default: "notice", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the message levels that are sent to the client." },
    Definition { name: "cluster_name", kind: Kind::Text, default: "", context: Context::Postmaster, category: "Reporting and Logging / Process Title", description: "Sets the name of the cluster, which is included in the process title." },
    Definition { name: "commit_delay", kind: Kind::Integer { min: 0, max: 100_000, unit: "" }, default: "0", context: Context::User, category: "Write-Ahead Log / Settings", description: "Sets the delay in microseconds between transaction commit and flushing WAL to disk." },
    Definition { name: "constraint_exclusion", kind: Kind::Enum(&["partition", "on", "off"]), default: "partition", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Enables the planner to use constraints to optimize queries." },
    Definition { name: "cpu_index_tuple_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "0.005", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of processing each index entry during an index scan." },
    Definition { name: "cpu_operator_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "0.0025", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of processing each operator or function call." },
    Definition { name: "cpu_tuple_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "0.01", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of processing each tuple (row)." },
    Definition { name: "cursor_tuple_fraction", kind: Kind::Real { min: 0.0, max: 1.0, unit: "" }, default: "0.1", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved." },
    Definition { name: "data_checksums", kind: Kind::Bool, default: "on", context: Context::Internal, category: "Preset Options", description: "Shows whether data checksums are turned on for this cluster." },
    Definition { name: "data_directory_mode", kind: Kind::Integer { min: 0, max: 511, unit: "" }, default: "448", context: Context::Internal, category: "Preset Options", description: "Shows the mode of the data directory." },
    Definition { name: "DateStyle", kind: Kind::Text, default: "ISO, MDY", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the display format for date and time values." },
    Definition { name: "deadlock_timeout", kind: Kind::Integer { min: 1, max: 2_147_483_647, unit: "ms" }, default: "5", context: Context::User, category: "Lock Management", description: "Sets the time to wait on a lock before checking for deadlock." },
    Definition { name: "debug_print_plan", kind: Kind::Bool, default: "off", context: Context::User, category: "Reporting and Logging / What to Log", description: "Logs each query's execution plan." },
    Definition { name: "default_statistics_target", kind: Kind::Integer { min: 1, max: 10000, unit: "" }, default: "100", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Sets the default statistics target." },
    Definition { name: "default_table_access_method", kind: Kind::Text, default: "heap", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the default table access method for new tables." },
    Definition { name: "default_tablespace", kind: Kind::Text, default: "", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the default tablespace to create tables and indexes in." },
    Definition { name: "default_text_search_config", kind: Kind::Text, default: "pg_catalog.simple", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets default text search configuration." },
    Definition { name: "default_toast_compression", kind: Kind::Enum(&["pglz", "lz4"]), default: "pglz", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the default compression method for compressible values." },
    Definition { name: "default_transaction_deferrable", kind: Kind::Bool, default: "off", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the default deferrable status of new transactions." },
    Definition { name: "default_transaction_isolation", kind: Kind::Enum(&["serializable", "repeatable read", "read committed", "read uncommitted"]), default: "read committed", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the transaction isolation level of each new transaction." },
    Definition { name: "default_transaction_read_only", kind: Kind::Bool, default: "off", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the default read-only status of new transactions." },
    Definition { name: "effective_cache_size", kind: Kind::Integer { min: 1, max: 2_147_483_647, unit: "8kB" }, default: "524288", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's assumption about the total size of the data caches." },
    Definition { name: "enable_bitmapscan", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of bitmap-scan plans." },
    Definition { name: "enable_hashagg", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of hashed aggregation plans." },
    Definition { name: "enable_hashjoin", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of hash join plans." },
    Definition { name: "enable_indexonlyscan", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of index-only-scan plans." },
    Definition { name: "enable_indexscan", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of index-scan plans." },
    Definition { name: "enable_material", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of materialization." },
    Definition { name: "enable_memoize", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of memoization." },
    Definition { name: "enable_mergejoin", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of merge join plans." },
    Definition { name: "enable_nestloop", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of nested-loop join plans." },
    Definition { name: "enable_seqscan", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of sequential-scan plans." },
    Definition { name: "enable_sort", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of explicit sort steps." },
    Definition { name: "enable_tidscan", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Planner Method Configuration", description: "Enables the planner's use of TID scan plans." },
    Definition { name: "escape_string_warning", kind: Kind::Bool, default: "on", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "Warn about backslash escapes in ordinary string literals." },
    Definition { name: "event_source", kind: Kind::Text, default: "PostgreSQL", context: Context::Postmaster, category: "Reporting and Logging / Where to Log", description: "Sets the application name used to identify PostgreSQL messages in the event log." },
    Definition { name: "extra_float_digits", kind: Kind::Integer { min: -15, max: 3, unit: "" }, default: "1", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the number of digits displayed for floating-point values." },
    Definition { name: "from_collapse_limit", kind: Kind::Integer { min: 1, max: 2_147_483_647, unit: "" }, default: "8", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Sets the FROM-list size beyond which subqueries are not collapsed." },
    Definition { name: "fsync", kind: Kind::Bool, default: "on", context: Context::Sighup, category: "Write-Ahead Log / Settings", description: "Forces synchronization of updates to disk." },
    Definition { name: "full_page_writes", kind: Kind::Bool, default: "on", context: Context::Sighup, category: "Write-Ahead Log / Settings", description: "Writes full pages to WAL when first modified after a checkpoint." },
    Definition { name: "geqo", kind: Kind::Bool, default: "on", context: Context::User, category: "Query Tuning / Genetic Query Optimizer", description: "Enables genetic query optimization." },
    Definition { name: "gin_fuzzy_search_limit", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "" }, default: "0", context: Context::User, category: "Client Connection Defaults / Other Defaults", description: "Sets the maximum allowed result for exact search by GIN." },
    Definition { name: "hash_mem_multiplier", kind: Kind::Real { min: 1.0, max: 1000.0, unit: "" }, default: "2", context: Context::User, category: "Resource Usage / Memory", description: "Multiple of work_mem to use for hash tables." },
    Definition { name: "hot_standby", kind: Kind::Bool, default: "on", context: Context::Postmaster, category: "Replication / Standby Servers", description: "Allows connections and queries during recovery." },
    Definition { name: "huge_pages", kind: Kind::Enum(&["off", "on", "try"]), default: "try", context: Context::Postmaster, category: "Resource Usage / Memory", description: "Use of huge pages on Linux or Windows." },
    Definition { name: "idle_in_transaction_session_timeout", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "ms" }, default: "0", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the maximum allowed idle time between queries, when in a transaction." },
    Definition { name: "idle_session_timeout", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "ms" }, default: "0", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the maximum allowed idle time between queries, when not in a transaction." },
    Definition { name: "in_hot_standby", kind: Kind::Bool, default: "off", context: Context::Internal, category: "Preset Options", description: "Shows whether hot standby is currently active." },
    Definition { name: "integer_datetimes", kind: Kind::Bool, default: "on", context: Context::Internal, category: "Preset Options", description: "Shows whether datetimes are integer based." },
    Definition { name: "IntervalStyle", kind: Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), default: "postgres", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the display format for interval values." },
    Definition { name: "io_method", kind: Kind::Enum(&["sync", "io_uring"]), default: "sync", context: Context::Postmaster, category: "Resource Usage / Asynchronous Behavior", description: "Selects how pages that a scan is about to come to are read together." },
    Definition { name: "jit", kind: Kind::Enum(&["off", "on", "force", "verify"]), default: "on", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Allow JIT compilation." },
    Definition { name: "join_collapse_limit", kind: Kind::Integer { min: 1, max: 2_147_483_647, unit: "" }, default: "8", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Sets the FROM-list size beyond which JOIN constructs are not flattened." },
    Definition { name: "lc_collate", kind: Kind::Text, default: "C", context: Context::Internal, category: "Preset Options", description: "Shows the collation order locale." },
    Definition { name: "lc_ctype", kind: Kind::Text, default: "C.UTF-8", context: Context::Internal, category: "Preset Options", description: "Shows the character classification and case conversion locale." },
    Definition { name: "lc_messages", kind: Kind::Text, default: "C", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the language in which messages are displayed." },
    Definition { name: "lc_monetary", kind: Kind::Text, default: "C", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the locale for formatting monetary amounts." },
    Definition { name: "lc_numeric", kind: Kind::Text, default: "C", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the locale for formatting numbers." },
    Definition { name: "lc_time", kind: Kind::Text, default: "C", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the locale for formatting date and time values." },
    Definition { name: "listen_addresses", kind: Kind::Text, default: "127.0.0.1", context: Context::Postmaster, category: "Connections and Authentication / Connection Settings", description: "Sets the host name or IP address(es) to listen to." },
    Definition { name: "lo_compat_privileges", kind: Kind::Bool, default: "off", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "Enables backward compatibility mode for privilege checks on large objects." },
    Definition { name: "lock_timeout", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "ms" }, default: "0", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the maximum allowed duration of any wait for a lock." },
    Definition { name: "log_duration", kind: Kind::Bool, default: "off", context: Context::User, category: "Reporting and Logging / What to Log", description: "Logs the duration of each completed SQL statement." },
    Definition { name: "log_min_messages", kind: Kind::Enum(&["debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error", "log", "fatal", "panic"]), default: "warning", context: Context::User, category: "Reporting and Logging / When to Log", description: "Sets the message levels that are logged." },
    Definition { name: "log_statement", kind: Kind::Enum(&["none", "ddl", "mod", "all"]), default: "none", context: Context::User, category: "Reporting and Logging / What to Log", description: "Sets the type of statements logged." },
    Definition { name: "log_timezone", kind: Kind::Text, default: "UTC", context: Context::Sighup, category: "Reporting and Logging / What to Log", description: "Sets the time zone to use in log messages." },
    Definition { name: "maintenance_work_mem", kind: Kind::Integer { min: 1024, max: 2_147_483_647, unit: "kB" }, default: "65536", context: Context::User, category: "Resource Usage / Memory", description: "Sets the maximum memory to be used for maintenance operations." },
    Definition { name: "max_connections", kind: Kind::Integer { min: 1, max: 262_143, unit: "" }, default: "100", context: Context::Postmaster, category: "Connections and Authentication / Connection Settings", description: "Sets the maximum number of concurrent connections." },
    Definition { name: "max_identifier_length", kind: Kind::Integer { min: 63, max: 63, unit: "" }, default: "63", context: Context::Internal, category: "Preset Options", description: "Shows the maximum identifier length." },
    Definition { name: "max_index_keys", kind: Kind::Integer { min: 32, max: 32, unit: "" }, default: "32", context: Context::Internal, category: "Preset Options", description: "Shows the maximum number of index keys." },
    Definition { name: "max_locks_per_transaction", kind: Kind::Integer { min: 10, max: 2_147_483_647, unit: "" }, default: "64", context: Context::Postmaster, category: "Lock Management", description: "Sets the maximum number of locks per transaction." },
    Definition { name: "max_parallel_workers", kind: Kind::Integer { min: 0, max: 1024, unit: "" }, default: "8", context: Context::User, category: "Resource Usage / Asynchronous Behavior", description: "Sets the maximum number of parallel workers that can be active at one time." },
    Definition { name: "max_parallel_workers_per_gather", kind: Kind::Integer { min: 0, max: 1024, unit: "" }, default: "2", context: Context::User, category: "Resource Usage / Asynchronous Behavior", description: "Sets the maximum number of parallel processes per executor node." },
    Definition { name: "max_prepared_transactions", kind: Kind::Integer { min: 0, max: 262_143, unit: "" }, default: "0", context: Context::Postmaster, category: "Resource Usage / Memory", description: "Sets the maximum number of simultaneously prepared transactions." },
    Definition { name: "max_stack_depth", kind: Kind::Integer { min: 100, max: 2_147_483_647, unit: "kB" }, default: "100", context: Context::User, category: "Resource Usage / Memory", description: "Sets the maximum stack depth, in kilobytes." },
    Definition { name: "max_wal_senders", kind: Kind::Integer { min: 0, max: 262_143, unit: "" }, default: "10", context: Context::Postmaster, category: "Replication / Sending Servers", description: "Sets the maximum number of simultaneously running WAL sender processes." },
    Definition { name: "max_wal_size", kind: Kind::Integer { min: 2, max: 2_147_483_647, unit: "MB" }, default: "256", context: Context::Sighup, category: "Write-Ahead Log / Checkpoints", description: "Sets the WAL size that triggers a checkpoint." },
    Definition { name: "memory_limit", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "kB" }, default: "0", context: Context::Postmaster, category: "Resource Usage / Memory", description: "Sets the most memory that pages, row versions and statements may hold together; 0 means four fifths of the machine's." },
    Definition { name: "min_wal_size", kind: Kind::Integer { min: 2, max: 2_147_483_647, unit: "MB" }, default: "80", context: Context::Sighup, category: "Write-Ahead Log / Checkpoints", description: "Sets the minimum size to shrink the WAL to." },
    Definition { name: "numa", kind: Kind::Bool, default: "on", context: Context::Postmaster, category: "Resource Usage / Memory", description: "Binds memory of pages and the server's workers to the nodes of a machine that has several." },
    Definition { name: "parallel_setup_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "1000", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of starting up worker processes for parallel query." },
    Definition { name: "parallel_tuple_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "0.1", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend." },
    Definition { name: "password_encryption", kind: Kind::Enum(&["md5", "scram-sha-256"]), default: "scram-sha-256", context: Context::User, category: "Connections and Authentication / Authentication", description: "Chooses the algorithm for encrypting passwords." },
    Definition { name: "plan_cache_mode", kind: Kind::Enum(&["auto", "force_generic_plan", "force_custom_plan"]), default: "auto", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Controls the planner's selection of custom or generic plan." },
    Definition { name: "port", kind: Kind::Integer { min: 1, max: 65535, unit: "" }, default: "5432", context: Context::Postmaster, category: "Connections and Authentication / Connection Settings", description: "Sets the TCP port the server listens on." },
    Definition { name: "query_memory_limit", kind: Kind::Integer { min: 64, max: 2_147_483_647, unit: "kB" }, default: "4194304", context: Context::Postmaster, category: "Resource Usage / Memory", description: "Sets the most memory that one statement may hold." },
    Definition { name: "quote_all_identifiers", kind: Kind::Bool, default: "off", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "When generating SQL fragments, quote all identifiers." },
    Definition { name: "random_page_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "4", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of a nonsequentially fetched disk page." },
    Definition { name: "recursive_worktable_factor", kind: Kind::Real { min: 0.001, max: 1e+06, unit: "" }, default: "10", context: Context::User, category: "Query Tuning / Other Planner Options", description: "Sets the planner's estimate of the average size of a recursive query's working table." },
    Definition { name: "row_security", kind: Kind::Bool, default: "on", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Enable row security." },
    Definition { name: "search_path", kind: Kind::Text, default: "\"$user\", public", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the schema search order for names that are not schema-qualified." },
    Definition { name: "segment_size", kind: Kind::Integer { min: 131_072, max: 131_072, unit: "8kB" }, default: "131072", context: Context::Internal, category: "Preset Options", description: "Shows the number of pages per disk file." },
    Definition { name: "seq_page_cost", kind: Kind::Real { min: 0.0, max: 1.79769e+308, unit: "" }, default: "1", context: Context::User, category: "Query Tuning / Planner Cost Constants", description: "Sets the planner's estimate of the cost of a sequentially fetched disk page." },
    Definition { name: "server_encoding", kind: Kind::Text, default: "UTF8", context: Context::Internal, category: "Preset Options", description: "Shows the server (database) character set encoding." },
    Definition { name: "server_version", kind: Kind::Text, default: "15.0 (Damask)", context: Context::Internal, category: "Preset Options", description: "Shows the server version." },
    Definition { name: "server_version_num", kind: Kind::Integer { min: 150_020, max: 150_020, unit: "" }, default: "150000", context: Context::Internal, category: "Preset Options", description: "Shows the server version as an integer." },
    Definition { name: "session_replication_role", kind: Kind::Enum(&["origin", "replica", "local"]), default: "origin", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the session's behavior for triggers and rewrite rules." },
    Definition { name: "shared_buffers", kind: Kind::Integer { min: 16, max: 1_073_741_823, unit: "8kB" }, default: "32768", context: Context::Postmaster, category: "Resource Usage / Memory", description: "Sets the number of shared memory buffers used by the server." },
    Definition { name: "ssl", kind: Kind::Bool, default: "off", context: Context::Sighup, category: "Connections and Authentication / SSL", description: "Enables SSL connections." },
    Definition { name: "standard_conforming_strings", kind: Kind::Bool, default: "on", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "Causes '...' strings to treat backslashes literally." },
    Definition { name: "statement_timeout", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "ms" }, default: "0", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the maximum allowed duration of any statement." },
    Definition { name: "superuser_reserved_connections", kind: Kind::Integer { min: 0, max: 262_143, unit: "" }, default: "3", context: Context::Postmaster, category: "Connections and Authentication / Connection Settings", description: "Sets the number of connection slots reserved for superusers." },
    Definition { name: "synchronize_seqscans", kind: Kind::Bool, default: "on", context: Context::User, category: "Version and Platform Compatibility / Previous PostgreSQL Versions", description: "Enable synchronized sequential scans." },
    Definition { name: "synchronous_commit", kind: Kind::Enum(&["local", "remote_write", "remote_apply", "on", "off"]), default: "on", context: Context::User, category: "Write-Ahead Log / Settings", description: "Sets the current transaction's synchronization level." },
    Definition { name: "tcp_keepalives_idle", kind: Kind::Integer { min: 0, max: 2_147_483_647, unit: "s" }, default: "0", context: Context::User, category: "Connections and Authentication / Connection Settings", description: "Time between issuing TCP keepalives." },
    Definition { name: "temp_buffers", kind: Kind::Integer { min: 100, max: 1_073_741_823, unit: "8kB" }, default: "1024", context: Context::User, category: "Resource Usage / Memory", description: "Sets the maximum number of temporary buffers used by each session." },
    Definition { name: "temp_tablespaces", kind: Kind::Text, default: "", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the tablespace(s) to use for temporary tables and sort files." },
    Definition { name: "TimeZone", kind: Kind::Text, default: "UTC", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Sets the time zone for displaying and interpreting time stamps." },
    Definition { name: "timezone_abbreviations", kind: Kind::Text, default: "Default", context: Context::User, category: "Client Connection Defaults / Locale and Formatting", description: "Selects a file of time zone abbreviations." },
    Definition { name: "track_activities", kind: Kind::Bool, default: "on", context: Context::User, category: "Statistics / Cumulative Query and Index Statistics", description: "Collects information about executing commands." },
    Definition { name: "track_counts", kind: Kind::Bool, default: "on", context: Context::User, category: "Statistics / Cumulative Query and Index Statistics", description: "Collects statistics on database activity." },
    Definition { name: "track_io_timing", kind: Kind::Bool, default: "off", context: Context::User, category: "Statistics / Cumulative Query and Index Statistics", description: "Collects timing statistics for database I/O activity." },
    Definition { name: "transaction_deferrable", kind: Kind::Bool, default: "off", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures." },
    Definition { name: "transaction_isolation", kind: Kind::Enum(&["serializable", "repeatable read", "read committed", "read uncommitted"]), default: "read committed", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the current transaction's isolation level." },
    Definition { name: "transaction_read_only", kind: Kind::Bool, default: "off", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets the current transaction's read-only status." },
    Definition { name: "transform_null_equals", kind: Kind::Bool, default: "off", context: Context::User, category: "Version and Platform Compatibility / Other Platforms and Clients", description: "Treats \"expr=NULL\" as \"expr IS NULL\"." },
    Definition { name: "unix_socket_directories", kind: Kind::Text, default: "/tmp", context: Context::Postmaster, category: "Connections and Authentication / Connection Settings", description: "Sets the directories where Unix-domain sockets will be created." },
    Definition { name: "vacuum_cost_delay", kind: Kind::Real { min: 0.0, max: 100.0, unit: "ms" }, default: "0", context: Context::User, category: "Resource Usage / Cost-Based Vacuum Delay", description: "Vacuum cost delay in milliseconds." },
    Definition { name: "wal_buffers", kind: Kind::Integer { min: -1, max: 262_143, unit: "8kB" }, default: "-1", context: Context::Postmaster, category: "Write-Ahead Log / Settings", description: "Sets the number of disk-page buffers in shared memory for WAL." },
    Definition { name: "wal_compression", kind: Kind::Enum(&["pglz", "lz4", "zstd", "on", "off"]), default: "off", context: Context::User, category: "Write-Ahead Log / Settings", description: "Compresses full-page writes written in WAL file with specified method." },
    Definition { name: "wal_lanes", kind: Kind::Integer { min: 0, max: 16, unit: "" }, default: "0", context: Context::Postmaster, category: "Write-Ahead Log / Settings", description: "Sets how many flushes of the WAL may be under way at a time; 0 leaves it to the number of processors." },
    Definition { name: "wal_level", kind: Kind::Enum(&["minimal", "replica", "logical"]), default: "replica", context: Context::Postmaster, category: "Write-Ahead Log / Settings", description: "Sets the level of information written to the WAL." },
    Definition { name: "wal_segment_size", kind: Kind::Integer { min: 1_048_576, max: 1_073_741_824, unit: "B" }, default: "16777216", context: Context::Internal, category: "Preset Options", description: "Shows the size of write ahead log segments." },
    Definition { name: "wal_sync_method", kind: Kind::Enum(&["fsync", "fdatasync", "open_sync", "open_datasync"]), default: "fdatasync", context: Context::Sighup, category: "Write-Ahead Log / Settings", description: "Selects the method used for forcing WAL updates to disk." },
    Definition { name: "wal_writer_delay", kind: Kind::Integer { min: 1, max: 10_000, unit: "ms" }, default: "200", context: Context::Sighup, category: "Write-Ahead Log / Settings", description: "Time between WAL flushes performed in the WAL writer." },
    Definition { name: "work_mem", kind: Kind::Integer { min: 64, max: 2_147_483_647, unit: "kB" }, default: "65536", context: Context::User, category: "Resource Usage / Memory", description: "Sets the maximum memory to be used for query workspaces." },
    Definition { name: "xmlbinary", kind: Kind::Enum(&["base64", "hex"]), default: "base64", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets how binary values are to be encoded in XML." },
    Definition { name: "xmloption", kind: Kind::Enum(&["content", "document"]), default: "content", context: Context::User, category: "Client Connection Defaults / Statement Behavior", description: "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments." },
];
