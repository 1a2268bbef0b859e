//! An open database, shared by its sessions.

use crate::configuration::Configuration;
use crate::connection::Connection;
use crate::notify::Bus;
use crate::programs::Programs;
use crate::session::backend::Backends;
use crate::session::plan::PlanCache;
use crate::session::{Session, SessionOptions};
use crate::statistics::Samples;
use damask_catalog::Catalog;
use damask_storage::{Env, Governor, OneNode, Topology};
use damask_txn::{Engine, EngineOptions, Holdings, Location, VerifyReport};
use damask_types::Result;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The one database of a file.
pub(crate) use damask_catalog::snapshot::DATABASE_NAME;

/// How a database is opened.
#[derive(Clone, Debug, Default)]
pub struct DatabaseOptions {
    /// Settings that differ from their defaults.
    pub configuration: Configuration,
    /// In a new database, a superuser role beside `postgres`.
    pub creator: Option<String>,
}

/// An open database. Clones share it; it closes when the last of them and of its connections is gone.
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
}

/// What the sessions of a database share.
pub(crate) struct Shared {
    pub(crate) env: Env,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) backends: Arc<Backends>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) plans: PlanCache,
    pub(crate) samples: Samples,
    pub(crate) options: DatabaseOptions,
}

/// It can be opened again at once.
impl Drop for Shared {
    fn drop(&mut self) {
        self.catalog.engine().end_background();
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database in a file, making it if there is none.
    ///
    /// # Errors
    /// 55006 if another process has it open, XX001 if it is damaged, 58030 if it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(Some(path.as_ref()), DatabaseOptions::default())
    }

    /// Opens an empty database that lives in memory.
    pub fn open_in_memory() -> Result<Self> {
        Self::open_with(None, DatabaseOptions::default())
    }

    /// Opens a database with options; without a path in memory.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(path: Option<&Path>, options: DatabaseOptions) -> Result<Self> {
        let env = Env::real().with_io(options.configuration.io_method());
        Self::open_in(env, path, options)
    }

    /// As [`Database::open_with`], with files, time and chance of the caller's own: a simulated disk, say.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_in(mut env: Env, path: Option<&Path>, options: DatabaseOptions) -> Result<Self> {
        let location = match path {
            Some(path) => Location::File(path.to_owned()),
            None => Location::Memory,
        };
        let engine_options = EngineOptions {
            pool_bytes: options.configuration.pool_bytes(),
            huge_pages: options.configuration.huge_pages(),
            checkpoint_log_bytes: options.configuration.checkpoint_log_bytes(),
            checkpoint_interval: options.configuration.checkpoint_interval(),
            flush_delay: options.configuration.flush_delay(),
            log_sync: options.configuration.log_sync(),
            log_lanes: options.configuration.log_lanes(),
            programs: Arc::new(Programs),
            ..EngineOptions::default()
        };
        if let Some(limit) = options.configuration.memory_bytes() {
            env.memory.set_limit(limit);
        }
        if !options.configuration.knows_nodes() {
            env.topology = Arc::new(OneNode::default());
        }
        let engine = Engine::open(env.clone(), location, engine_options)?;
        let catalog = Arc::new(Catalog::open(engine, options.creator.as_deref())?);
        crate::session::ddl::temporary::drop_leftovers(&catalog)?;
        let backends = Arc::new(Backends::new(Arc::clone(&env.clock)));
        let plans = PlanCache::default();
        let shared = Shared {
            env,
            catalog,
            backends,
            bus: Arc::default(),
            plans,
            samples: Samples::default(),
            options,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A connection as the superuser `postgres`.
    pub fn connect(&self) -> Result<Connection> {
        Ok(Connection::new(self.session(SessionOptions::default())?))
    }

    /// A session, for those who bring their own encoding of results (the server).
    ///
    /// # Errors
    /// 28000 for a role that does not exist or may not log in, 3D000 for a database that does not exist.
    pub fn session(&self, options: SessionOptions) -> Result<Session> {
        Session::new(self.clone(), options)
    }

    /// The database's clock: tells the time since some fixed moment, and does not keep the database open.
    pub fn clock(&self) -> Arc<dyn Fn() -> Duration + Send + Sync> {
        let clock = Arc::clone(&self.shared.env.clock);
        Arc::new(move || clock.now())
    }

    /// The machine's nodes, as far as the database is to know of them; for those who start threads that run sessions.
    pub fn topology(&self) -> Arc<dyn Topology> {
        Arc::clone(&self.shared.env.topology)
    }

    /// How many flushes of the log may be under way at a time (`wal_lanes`).
    pub fn log_lanes(&self) -> usize {
        self.shared.catalog.engine().log_lanes()
    }

    /// Cancels what a session runs, if `secret` is its.
    pub fn cancel_request(&self, pid: i32, secret: i32) {
        self.shared.backends.cancel_request(pid, secret);
    }

    /// Ends a session at its next check.
    pub fn terminate(&self, pid: i32) -> bool {
        self.shared.backends.terminate(pid)
    }

    /// Ends a session at its next check, because its client is gone.
    pub fn client_gone(&self, pid: i32) -> bool {
        self.shared.backends.client_gone(pid)
    }

    /// Whether a session is asked to end.
    pub fn is_terminated(&self, pid: i32) -> bool {
        self.shared.backends.is_terminated(pid)
    }

    /// Sessions that are open.
    pub fn session_count(&self) -> usize {
        self.shared.backends.count()
    }

    /// Whether a role exists and may log in, and its SCRAM-SHA-256 verifier if it has a password.
    pub fn login_role(&self, name: &str) -> Option<(bool, Option<String>)> {
        let snapshot = self.shared.catalog.snapshot();
        snapshot.role_by_name(name).map(|role| (role.login, role.password.clone()))
    }

    /// Whether some role has a password.
    pub fn has_password(&self) -> bool {
        self.shared.catalog.snapshot().roles().iter().any(|role| role.password.is_some())
    }

    /// Writes a checkpoint.
    pub fn checkpoint(&self) -> Result<()> {
        self.shared.catalog.engine().checkpoint()
    }

    /// Verifies checksums, trees, and every index against its rows.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.shared.catalog.engine().verify()
    }

    /// What its transactions and statements hold at this moment.
    pub fn holdings(&self) -> Holdings {
        self.shared.catalog.engine().holdings()
    }

    /// What it holds of memory.
    pub fn memory(&self) -> &Governor {
        &self.shared.env.memory
    }

    /// Closes it: a checkpoint, and the log is gone. Sessions that are still open fail from then on.
    pub fn close(&self) -> Result<()> {
        self.shared.catalog.engine().close()
    }
}
