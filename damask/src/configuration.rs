//! Settings that a database is opened with: `damask serve FILE -c NAME=VALUE`, or an embedder's own.
//!
//! A setting that only a start may change steers the engine or the server from then on. One that a session may change is what
//! every session begins with, and what RESET goes back to.
//!
//! Invariant: what is held was checked, so that the getters cannot fail.

use crate::session::setting_list::Context;
use crate::session::settings;
use damask_txn::{HugePages, IoMethod, LANES_MAX, LogSync};
use damask_types::{Error, Result, SqlState};
use hashbrown::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// Settings by their spelling in the list, in stored form; what is not set has its default.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    values: HashMap<&'static str, String>,
}

impl Configuration {
    /// Sets one, as PostgreSQL's `-c NAME=VALUE` does.
    ///
    /// # Errors
    /// 42704 for a name that is none, 22023 for a value it does not take, 55P02 for one that is a property of the build, 0A000 for a
    /// value that asks for what is not there.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let definition =
            settings::definition(name).ok_or_else(|| settings::unknown_setting(name))?;
        if definition.context == Context::Internal {
            return Err(Error::new(
                SqlState::CANT_CHANGE_RUNTIME_PARAM,
                format!("parameter \"{}\" cannot be changed", definition.name),
            ));
        }
        let value = settings::parse(definition, value)?;
        definition.check_supported(&value)?;
        self.values.insert(definition.name, value);
        Ok(())
    }

    /// Whether nothing was set.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The stored value of a setting that was set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Memory for pages (`shared_buffers`).
    pub fn pool_bytes(&self) -> usize {
        self.number("shared_buffers") as usize * 8192
    }

    /// Whether memory for pages is to lie in huge pages (`huge_pages`).
    pub fn huge_pages(&self) -> HugePages {
        match self.text("huge_pages") {
            "on" => HugePages::On,
            "try" => HugePages::Try,
            _ => HugePages::Off,
        }
    }

    /// Log since the last checkpoint that begins the next (`max_wal_size`).
    pub fn checkpoint_log_bytes(&self) -> u64 {
        self.number("max_wal_size") << 20
    }

    /// Time since the last checkpoint that begins the next, if something was logged (`checkpoint_timeout`).
    pub fn checkpoint_interval(&self) -> Duration {
        Duration::from_secs(self.number("checkpoint_timeout"))
    }

    /// After which a commit that did not wait for the log is durable (`wal_writer_delay`).
    pub fn flush_delay(&self) -> Duration {
        Duration::from_millis(self.number("wal_writer_delay"))
    }

    /// How the log becomes durable (`wal_sync_method`).
    pub fn log_sync(&self) -> LogSync {
        match self.text("wal_sync_method") {
            "fsync" => LogSync::Fsync,
            "open_datasync" => LogSync::OpenDatasync,
            "open_sync" => LogSync::OpenSync,
            _ => LogSync::Fdatasync,
        }
    }

    /// How many flushes of the log may be under way at a time (`wal_lanes`).
    pub fn log_lanes(&self) -> usize {
        match self.number("wal_lanes") as usize {
            0 => lanes_for(std::thread::available_parallelism().map_or(1, usize::from)),
            lanes => lanes,
        }
    }

    /// How pages are read together (`io_method`).
    pub fn io_method(&self) -> IoMethod {
        match self.text("io_method") {
            "io_uring" => IoMethod::IoUring,
            _ => IoMethod::Sync,
        }
    }

    /// Where to listen, as `HOST:PORT` (`listen_addresses`, `port`), with commas between several hosts.
    pub fn listen(&self) -> String {
        format!("{}:{}", self.text("listen_addresses"), self.number("port"))
    }

    /// Where Unix-domain sockets are made (`unix_socket_directories`, separated by commas).
    pub fn socket_directories(&self) -> Vec<PathBuf> {
        let directories = self.text("unix_socket_directories").split(',').map(str::trim);
        directories.filter(|directory| !directory.is_empty()).map(PathBuf::from).collect()
    }

    /// Most sessions at one time (`max_connections`).
    pub fn connections_max(&self) -> usize {
        self.number("max_connections") as usize
    }

    /// Most bytes that one statement may hold (`query_memory_limit`).
    pub fn query_memory_bytes(&self) -> usize {
        (self.number("query_memory_limit") as usize) << 10
    }

    /// Most bytes that pages, row versions and statements may hold together (`memory_limit`); none to leave it to the machine's memory.
    pub fn memory_bytes(&self) -> Option<usize> {
        Some((self.number("memory_limit") as usize) << 10).filter(|bytes| *bytes > 0)
    }

    /// Whether memory and workers are bound to the machine's nodes, if there are several (`numa`).
    pub fn knows_nodes(&self) -> bool {
        self.text("numa") == "on"
    }

    fn text(&self, name: &str) -> &str {
        let default = || settings::definition(name).map_or("", |definition| definition.default);
        self.get(name).unwrap_or_else(default)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

/// Lanes of the log where nobody said how many: where few processors are, committers rather share a flush.
fn lanes_for(processors: usize) -> usize {
    if processors < 8 { 1 } else { (processors / 4).min(LANES_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_units_and_limits() {
        let mut configuration = Configuration::default();
        configuration.set("SHARED_BUFFERS", "64MB").unwrap();
        assert_eq!(configuration.pool_bytes(), 64 << 20);
        configuration.set("max_wal_size", "1GB").unwrap();
        assert_eq!(configuration.checkpoint_log_bytes(), 1 << 30);
        let code = |name: &str, value: &str| {
            Configuration::default().set(name, value).unwrap_err().sqlstate()
        };
        assert_eq!(code("no_such", "1"), SqlState::UNDEFINED_OBJECT);
        assert_eq!(code("shared_buffers", "1kB"), SqlState::INVALID_PARAMETER_VALUE);
        assert_eq!(code("block_size", "8192"), SqlState::CANT_CHANGE_RUNTIME_PARAM);
        assert_eq!(code("fsync", "off"), SqlState::FEATURE_NOT_SUPPORTED);
        assert_eq!(
            code("default_transaction_isolation", "none"),
            SqlState::INVALID_PARAMETER_VALUE
        );
    }

    #[test]
    fn defaults_are_the_engines() {
        let configuration = Configuration::default();
        let engine = damask_txn::EngineOptions::default();
        assert_eq!(configuration.pool_bytes(), engine.pool_bytes);
        assert_eq!(configuration.huge_pages(), engine.huge_pages);
        assert_eq!(configuration.io_method(), IoMethod::default());
        assert_eq!(configuration.checkpoint_log_bytes(), engine.checkpoint_log_bytes);
        assert_eq!(configuration.checkpoint_interval(), engine.checkpoint_interval);
        assert_eq!(configuration.flush_delay(), engine.flush_delay);
    }

    #[test]
    fn lanes_grow_with_the_processors() {
        for (processors, lanes) in [(1, 1), (7, 1), (8, 2), (15, 3), (64, 16), (256, 16)] {
            assert_eq!(lanes_for(processors), lanes, "{processors} processors");
        }
        let mut configuration = Configuration::default();
        configuration.set("wal_lanes", "3").unwrap();
        assert_eq!(configuration.log_lanes(), 3);
        assert!(configuration.set("wal_lanes", "17").is_err());
    }
}
