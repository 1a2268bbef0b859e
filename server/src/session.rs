//! What the protocol asks of a session.
//!
//! The one real implementation is the engine's; the tests of the protocol use a small one of their own.

use crate::protocol::frontend::Bind;
use crate::protocol::{Columns, Status};
use crate::wire::Replies;
use damask_types::{Error, Oid, Result};
use std::sync::Arc;
use std::time::Duration;

/// Makes the connection look for notifications.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// How a portal's execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and its completion is sent.
    Complete,
    /// It stopped at the row limit and may go on.
    Suspended,
}

/// A session, as the protocol uses one.
pub trait Session {
    /// Result columns.
    type Columns: Columns;
    /// Runs the statements of `text` as one simple query. Completions are sent statement by statement.
    fn query(&mut self, text: &str, replies: &mut Replies<'_>) -> Result<()>;
    /// Makes a prepared statement.
    fn parse(&mut self, name: &str, text: &str, types: &[Oid]) -> Result<()>;
    /// The parameters and result columns of a prepared statement.
    fn describe_statement(&mut self, name: &str) -> Result<(Vec<Oid>, Option<Self::Columns>)>;
    /// Makes a portal; its result formats are checked but kept by the connection.
    fn bind(&mut self, bind: &Bind<'_>) -> Result<()>;
    /// The result columns of a portal.
    fn describe_portal(&mut self, name: &str) -> Result<Option<Self::Columns>>;
    /// Runs a portal for at most `limit` rows; 0 is all.
    fn execute(&mut self, portal: &str, limit: u32, replies: &mut Replies<'_>) -> Result<Outcome>;
    /// Drops a statement, if it is there.
    fn close_statement(&mut self, name: &str);
    /// Drops a portal, if it is there.
    fn close_portal(&mut self, name: &str);
    /// Ends a batch: commits what was done outside a transaction block.
    fn sync(&mut self) -> Result<()>;
    /// Whether [`Session::settle`] would not wait.
    fn is_settled(&self) -> bool {
        true
    }
    /// Whether other sessions have begun to write, so that one flush may be enough for their commits and this one.
    fn expects_commits(&self) -> bool {
        false
    }
    /// Returns when what the session has said may leave the process. Called before output is written; an error, which comes again from then
    /// on, is the end of the session.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }
    /// A message failed: rolls back what was done outside a block, and marks a block failed.
    fn failed(&mut self, error: &Error);
    /// The state of the transaction.
    fn status(&self) -> Status;
    /// The text that positions in the error of the last [`Session::execute`] count in, if it has one.
    fn failed_text(&self) -> Option<Arc<str>>;
    /// Sends the notices since the last call.
    fn notices(&mut self, replies: &mut Replies<'_>);
    /// Sends the settings that clients are told about and that have changed since the last call.
    fn changes(&mut self, replies: &mut Replies<'_>);
    /// Sends what other sessions notified this one of.
    fn notifications(&mut self, _replies: &mut Replies<'_>) {}
    /// Gives the session what is to be called, from whatever thread, when it may have been notified of something.
    fn set_waker(&mut self, _waker: Waker) {}
    /// Why the session is to end, if it is: another session, the server, or an error of its own wants it.
    fn end_reason(&self) -> Option<Error>;
    /// How long the client may be silent now, and what it is told when that is over.
    fn idle_limit(&mut self) -> Option<(Duration, Error)>;
}
