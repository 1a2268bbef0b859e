//! The embedded door: statements in, typed rows out.

use crate::session::plan::Prepared;
use crate::session::{Completion, CopyShape, Session, Sink};
use damask_planner::physical::OutputColumn;
use damask_types::format::FormatSettings;
use damask_types::{Batch, Error, Numeric, Result, SqlState, SqlType, Value};
use std::sync::Arc;

/// A connection to a database: one transaction at a time.
#[derive(Debug)]
pub struct Connection {
    session: Session,
}

/// A prepared statement of a connection.
#[derive(Clone, Debug)]
pub struct Statement {
    prepared: Arc<Prepared>,
    parameters: Vec<SqlType>,
}

impl Statement {
    /// Types of `$1`, `$2`, ...
    pub fn parameters(&self) -> &[SqlType] {
        &self.parameters
    }
}

/// The rows of a query.
#[derive(Debug, Default)]
pub struct Rows {
    columns: Vec<OutputColumn>,
    batches: Vec<Batch>,
    tag: String,
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
    /// # Errors
    /// What the statement raises; 08P01 for a wrong number of parameters.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows> {
        let statement = self.prepare(sql)?;
        self.query_prepared(&statement, params)
    }

    /// Prepares a statement.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        let prepared = self.session.prepare(sql, vec![])?;
        let (parameters, _) = self.session.describe(&prepared)?;
        Ok(Statement { prepared, parameters })
    }

    /// Runs a prepared statement.
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

impl Rows {
    /// Names and types of the columns.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.batches.iter().map(Batch::rows).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The command tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Rows that the statement changed (or gave, for a query).
    pub fn affected(&self) -> u64 {
        affected(&self.tag)
    }

    /// The rows as batches of vectors.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// The value in a row and column.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn value(&self, row: usize, column: usize) -> Value {
        let mut at = row;
        for batch in &self.batches {
            if at < batch.rows() {
                return batch.columns[column].value(at);
            }
            at -= batch.rows();
        }
        panic!("row {row} of {}", self.len())
    }

    /// The value in a row and column as a Rust type.
    ///
    /// # Errors
    /// 42804 if the value is not of that type; 22004 for a null that is not asked for as an `Option`.
    pub fn get<T: FromValue>(&self, row: usize, column: usize) -> Result<T> {
        T::from_value(self.value(row, column))
    }

    /// Every row's values.
    pub fn iter(&self) -> impl Iterator<Item = Vec<Value>> + '_ {
        self.batches.iter().flat_map(|batch| {
            (0..batch.rows())
                .map(|row| batch.columns.iter().map(|column| column.value(row)).collect())
        })
    }
}

impl Sink for Rows {
    fn columns(&mut self, columns: &[OutputColumn]) -> Result<()> {
        self.columns = columns.to_vec();
        Ok(())
    }

    fn rows(&mut self, batch: &Batch, _settings: &FormatSettings) -> Result<()> {
        self.batches.push(batch.clone());
        Ok(())
    }

    fn copy_out(&mut self, _data: &[u8]) -> Result<()> {
        Err(Error::unsupported("COPY ... TO STDOUT as a query")
            .hint("Use a session with a sink of its own."))
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        Ok(())
    }
}

/// The number at the end of a command tag.
fn affected(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A Rust type that values come as.
pub trait FromValue: Sized {
    /// The value as this type.
    ///
    /// # Errors
    /// 42804 if it is another type's, 22004 if it is null.
    fn from_value(value: Value) -> Result<Self>;
}

fn mismatch<T>(value: &Value) -> Error {
    if value.is_null() {
        return Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "unexpected null value");
    }
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!("value {value:?} is not a {}", std::any::type_name::<T>()),
    )
}

macro_rules! from_value {
    ($($ty:ty: $pattern:pat => $result:expr;)*) => {$(
        impl FromValue for $ty {
            fn from_value(value: Value) -> Result<Self> {
                match value {
                    $pattern => Ok($result),
                    other => Err(mismatch::<Self>(&other)),
                }
            }
        }
    )*};
}

from_value! {
    bool: Value::Bool(v) => v;
    i16: Value::Int2(v) => v;
    f32: Value::Float4(v) => v;
    f64: Value::Float8(v) => v;
    String: Value::Text(v) => v.as_ref().to_owned();
    Vec<u8>: Value::Bytes(v) => v.to_vec();
    Numeric: Value::Numeric(v) => v;
}

impl FromValue for i32 {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Int2(v) => Ok(v.into()),
            Value::Int4(v) => Ok(v),
            other => Err(mismatch::<Self>(&other)),
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self> {
        value.as_i64().ok_or_else(|| mismatch::<Self>(&value))
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}
