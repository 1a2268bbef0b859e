//! The embedded door: statements in, rows out.

use crate::notify::Notification;
use crate::parameter;
use crate::rows::{Rows, affected};
use crate::session::plan::Prepared;
use crate::session::{Completion, Session};
use arrow_array::RecordBatch;
use damask_types::{Error, Result, SqlState, SqlType, Value};
use std::sync::Arc;
use std::time::Duration;

/// A connection to a database: one transaction at a time.
#[derive(Debug)]
pub struct Connection {
    session: Session,
}

/// A prepared statement of a connection.
#[derive(Clone, Debug)]
pub struct Statement {
    prepared: Arc<Prepared>,
    parameters: Arc<[SqlType]>,
}

impl Statement {
    /// Types of `$1`, `$2`, ...
    pub fn parameters(&self) -> &[SqlType] {
        &self.parameters
    }
}

impl Connection {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Runs statements, separated by semicolons, in one transaction unless they hold their own; gives the rows changed by the last.
    ///
    /// # Errors
    /// What a statement raises; what was done outside a block is rolled back.
    pub fn execute(&mut self, sql: &str) -> Result<u64> {
        let mut rows = Rows::default();
        if let Some(lifted) = self.session.lift(sql) {
            let completion = self.session.run_lifted(&lifted, sql, &mut rows)?;
            self.session.end_message()?;
            if let Completion::Tag(tag) = completion {
                rows.tag = tag;
            }
            return Ok(rows.affected());
        }
        for prepared in self.session.prepare_text(sql)? {
            rows = Rows::default();
            if let Completion::Tag(tag) = self.run(&prepared, &[], &mut rows)? {
                rows.tag = tag;
            }
        }
        self.session.end_message()?;
        Ok(rows.affected())
    }

    /// Runs one statement with parameters; gives its rows, all of them.
    ///
    /// A parameter has the type that the statement gives it. Text is read as that type, an integer or float is widened or
    /// narrowed to it, as far as nothing is lost. [`params!`](crate::params) makes the values.
    ///
    /// # Errors
    /// What the statement raises; 08P01 for a wrong number of parameters, 42804 for a value of another type.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows> {
        let statement = self.prepare(sql)?;
        self.query_prepared(&statement, params)
    }

    /// As [`Connection::query`], as Arrow's record batches: all of one schema, at least one.
    ///
    /// # Errors
    /// As [`Connection::query`]; 22008 and 0A000 for what Arrow cannot hold ([`damask_types::arrow`]).
    pub fn query_arrow(&mut self, sql: &str, params: &[Value]) -> Result<Vec<RecordBatch>> {
        self.query(sql, params)?.record_batches()
    }

    /// Prepares a statement.
    ///
    /// # Errors
    /// What parsing and binding raise.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        self.session.tick();
        let prepared = self.session.prepare(sql, vec![])?;
        let (parameters, _) = self.session.guarded(|session| session.describe(&prepared))?;
        Ok(Statement { prepared, parameters })
    }

    /// Runs a prepared statement.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn query_prepared(&mut self, statement: &Statement, params: &[Value]) -> Result<Rows> {
        if params.len() != statement.parameters.len() {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                format!(
                    "the statement has {} parameters, {} values were given",
                    statement.parameters.len(),
                    params.len()
                ),
            ));
        }
        let types = &*statement.parameters;
        let made;
        let params = if params.iter().zip(types).all(|(value, ty)| parameter::lies_as(value, ty.id))
        {
            params
        } else {
            let conform = |(index, (value, ty)): (usize, (&Value, &SqlType))| {
                parameter::conform(&mut self.session, index + 1, value, *ty)
            };
            made = params.iter().zip(types).enumerate().map(conform).collect::<Result<Vec<_>>>()?;
            &made
        };
        let mut rows = Rows::default();
        let completion = self.run(&statement.prepared, params, &mut rows)?;
        self.session.end_message()?;
        if let Completion::Tag(tag) = completion {
            rows.tag = tag;
        }
        Ok(rows)
    }

    fn run(
        &mut self,
        prepared: &Arc<Prepared>,
        params: &[Value],
        rows: &mut Rows,
    ) -> Result<Completion> {
        let completion = self.session.run_with(prepared, params, rows)?;
        if let Completion::CopyIn(_) = completion {
            let error = self.session.copy_fail("use Connection::copy_in");
            return Err(error);
        }
        Ok(completion)
    }

    /// Runs `COPY ... FROM STDIN` with this data; gives the rows put in.
    ///
    /// # Errors
    /// What the data raises; 42601 if the statement is no COPY FROM STDIN.
    pub fn copy_in(&mut self, sql: &str, data: &[u8]) -> Result<u64> {
        let prepared = self.session.prepare(sql, vec![])?;
        let completion = self.session.run_with(&prepared, &[], &mut Rows::default())?;
        let Completion::CopyIn(_) = completion else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "copy_in takes COPY ... FROM STDIN"));
        };
        self.session.copy_data(data)?;
        let tag = self.session.copy_done()?;
        self.session.end_message()?;
        Ok(affected(&tag))
    }

    /// Begins a transaction, which is rolled back unless it is committed.
    pub fn transaction(&mut self) -> Result<Transaction<'_>> {
        self.execute("BEGIN")?;
        Ok(Transaction { connection: self, is_done: false })
    }

    /// What `LISTEN` has brought since the last call; nothing inside a transaction. Connections that listen must call this, or
    /// [`Connection::wait_for_notifications`], now and then: what they have not taken is kept for them.
    pub fn notifications(&mut self) -> Vec<Notification> {
        self.session.take_notifications()
    }

    /// As [`Connection::notifications`]; waits until there is something, at most so long.
    pub fn wait_for_notifications(&mut self, limit: Duration) -> Vec<Notification> {
        self.session.wait_for_notifications(limit)
    }

    /// The session under it.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }
}

/// An open transaction of a connection; rolled back when dropped.
#[derive(Debug)]
pub struct Transaction<'a> {
    connection: &'a mut Connection,
    is_done: bool,
}

impl Transaction<'_> {
    /// Keeps what was done; returns when it is durable.
    pub fn commit(mut self) -> Result<()> {
        self.is_done = true;
        self.connection.execute("COMMIT").map(|_| ())
    }

    /// Takes back what was done.
    pub fn rollback(mut self) -> Result<()> {
        self.is_done = true;
        self.connection.execute("ROLLBACK").map(|_| ())
    }
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl std::ops::DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            // A connection that cannot roll back is closed by its next statement's error.
            let _ = self.connection.execute("ROLLBACK");
        }
    }
}
