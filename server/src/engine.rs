//! The engine's sessions behind the protocol: results go straight from batches into the connection's buffer.

use crate::auth::Login;
use crate::listener::{Host, Server, ServerOptions, Started, start};
use crate::protocol::frontend::Bind;
use crate::protocol::startup::Parameters;
use crate::protocol::{Column, Columns, Status, violation};
use crate::reactor::{Clock, about_to_wait};
use crate::session::{Outcome, Session, Waker};
use crate::wire::Replies;
use damask::session::{
    ByName, Completion, CopyShape, Level, OutputColumn, SessionOptions, Sink, TransactionStatus,
};
use damask::topology::Topology;
use damask::{Database, Error, Result};
use damask_types::format::{FormatSettings, parse_binary, utf8};
use damask_types::{Batch, Oid, SqlType, TypeId, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Serves `database` as `options` say, in threads of its own.
///
/// # Errors
/// 55000 when the address cannot be had (the message says why), 28000 for an address beyond this machine while no role
/// has a password.
pub fn serve(database: Database, options: ServerOptions) -> Result<Server> {
    start(Engine(database), options)
}

struct Engine(Database);

impl Host for Engine {
    type Session = EngineSession;

    fn login(&self, user: &str) -> Login {
        match self.0.login_role(user) {
            None => Login::Unknown,
            Some((false, _)) => Login::Forbidden,
            Some((true, None)) => Login::Passwordless,
            Some((true, Some(verifier))) => Login::Verifier(verifier),
        }
    }

    fn has_password(&self) -> bool {
        self.0.has_password()
    }

    fn open(&self, parameters: &Parameters, peer: Option<SocketAddr>) -> Result<EngineSession> {
        let mut session = self.0.session(SessionOptions {
            user: parameters.user.clone(),
            database: Some(parameters.database.clone()),
            settings: parameters.settings.clone(),
            client: peer.map(|peer| (peer.ip().to_string(), i32::from(peer.port()))),
        })?;
        // The connection settles before it writes, and a worker that waits for a lock makes room for another.
        session.hold_output();
        session.set_before_wait(about_to_wait);
        Ok(EngineSession { session, parameters: ByName::default(), waker: None })
    }

    fn cancel(&self, pid: i32, secret: i32) {
        self.0.cancel_request(pid, secret);
    }

    fn clock(&self) -> Clock {
        self.0.clock()
    }

    fn topology(&self) -> Arc<dyn Topology> {
        self.0.topology()
    }

    fn flushes_max(&self) -> usize {
        self.0.log_lanes()
    }

    fn is_terminated(&self, pid: i32) -> bool {
        self.0.is_terminated(pid)
    }

    fn terminate(&self, pid: i32) {
        self.0.terminate(pid);
    }

    fn client_gone(&self, pid: i32) {
        self.0.client_gone(pid);
    }
}

/// One client's session.
struct EngineSession {
    session: damask::Session,
    /// Types of the parameters of prepared statements, found at the first bind of each.
    parameters: ByName<Arc<[SqlType]>>,
    /// What others are to call when they notify this session; the session's own once it listens.
    waker: Option<Waker>,
}

impl Started for EngineSession {
    fn key(&self) -> (i32, i32) {
        (self.session.pid(), self.session.secret())
    }

    fn parameters(&mut self) -> Vec<(String, String)> {
        let changes = self.session.take_parameter_changes();
        changes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A statement's way out.
struct Door<'a, 'b> {
    replies: &'a mut Replies<'b>,
    /// COPY TO has begun.
    copying: bool,
}

impl Sink for Door<'_, '_> {
    fn columns(&mut self, columns: &Arc<[OutputColumn]>) -> Result<()> {
        if self.replies.describes() {
            self.replies.columns(&Described(Arc::clone(columns)));
        }
        Ok(())
    }

    fn row(&mut self, types: &[TypeId], values: &[Value], settings: &FormatSettings) -> Result<()> {
        self.replies.row(types, values, settings)
    }

    fn rows(&mut self, batch: &Batch, settings: &FormatSettings) -> Result<()> {
        self.replies.rows(batch, 0..batch.rows(), settings)
    }

    fn copy_out(&mut self, data: &[u8]) -> Result<()> {
        self.replies.copy_out_data(data)
    }

    fn copy_out_start(&mut self, shape: CopyShape) -> Result<()> {
        self.copying = true;
        self.replies.copy_out(shape.binary, shape.columns);
        Ok(())
    }

    fn hold(&mut self, is_held: bool) -> bool {
        self.replies.hold(is_held);
        true
    }
}

/// The columns of a plan, as the protocol describes them.
struct Described(Arc<[OutputColumn]>);

impl Columns for Described {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn column(&self, index: usize) -> Column<'_> {
        let column = &self.0[index];
        let (table, attribute) = column.origin.unwrap_or((Oid::NONE, 0));
        Column { name: &column.name, table, attribute: attribute.cast_signed(), ty: column.ty }
    }
}

impl EngineSession {
    /// Sends how a statement ended. A COPY FROM STDIN takes its data first.
    fn finish(
        &mut self,
        completion: Completion,
        copied_out: bool,
        replies: &mut Replies<'_>,
    ) -> Result<Outcome> {
        if copied_out {
            replies.copy_out_done();
        }
        match completion {
            Completion::Tag(tag) => replies.complete(&tag),
            Completion::Empty => replies.empty(),
            Completion::Suspended => return Ok(Outcome::Suspended),
            Completion::CopyIn(shape) => {
                let tag = self.copy_in(shape, replies)?;
                replies.complete(&tag);
            }
        }
        Ok(Outcome::Complete)
    }

    fn copy_in(&mut self, shape: CopyShape, replies: &mut Replies<'_>) -> Result<String> {
        replies.copy_in(shape.binary, shape.columns);
        let mut data = Vec::new();
        loop {
            match replies.copy_in_data(&mut data) {
                Ok(more) => {
                    if !data.is_empty() {
                        self.session.copy_data(&data)?;
                        data.clear();
                    }
                    if !more {
                        return self.session.copy_done();
                    }
                }
                Err(error) => {
                    self.session.copy_fail("");
                    // The end of the data may be the end of the session.
                    return Err(self.session.end_reason().unwrap_or(error));
                }
            }
        }
    }

    /// Types of a statement's parameters.
    fn parameter_types(&mut self, statement: &str) -> Result<Arc<[SqlType]>> {
        if let Some(types) = self.parameters.get(statement) {
            return Ok(Arc::clone(types));
        }
        let types = self.session.describe_statement(statement)?.0;
        self.parameters.insert(statement, Arc::clone(&types));
        Ok(types)
    }
}

impl Session for EngineSession {
    type Columns = Described;

    fn query(&mut self, text: &str, replies: &mut Replies<'_>) -> Result<()> {
        if let Some(lifted) = self.session.lift(text) {
            let mut door = Door { replies, copying: false };
            let completion = self.session.run_lifted(&lifted, text, &mut door)?;
            self.session.end_message()?;
            self.finish(completion, false, replies)?;
            return Ok(());
        }
        let statements = self.session.prepare_text(text)?;
        if statements.is_empty() {
            replies.empty();
            return Ok(());
        }
        let last = statements.len() - 1;
        for (index, statement) in statements.iter().enumerate() {
            let mut door = Door { replies, copying: false };
            let completion = self.session.run(statement, &mut door)?;
            let copied_out = door.copying;
            if let Completion::CopyIn(shape) = completion {
                let tag = self.copy_in(shape, replies)?;
                if index == last {
                    self.session.end_message()?;
                }
                replies.complete(&tag);
                continue;
            }
            // A commit is acknowledged when it is done: the last statement's completion waits for it.
            if index == last {
                self.session.end_message()?;
            }
            self.finish(completion, copied_out, replies)?;
        }
        Ok(())
    }

    fn parse(&mut self, name: &str, text: &str, types: &[Oid]) -> Result<()> {
        self.parameters.remove(name);
        self.session.parse(name, text, types)
    }

    fn describe_statement(&mut self, name: &str) -> Result<(Vec<Oid>, Option<Described>)> {
        let (types, columns) = self.session.describe_statement(name)?;
        let oids = types.iter().map(|ty| ty.id.oid()).collect();
        Ok((oids, columns.map(Described)))
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<()> {
        let types = self.parameter_types(bind.statement)?;
        let count = bind.parameters.len();
        if bind.parameter_formats.len() > 1 && bind.parameter_formats.len() != count {
            return Err(violation(format!(
                "bind message has {} parameter formats but {count} parameters",
                bind.parameter_formats.len()
            )));
        }
        if count != types.len() {
            return Err(violation(format!(
                "bind message supplies {count} parameters, but prepared statement \"{}\" requires {}",
                bind.statement,
                types.len()
            )));
        }
        let mut values = Vec::with_capacity(count);
        for (index, (ty, value)) in types.iter().zip(&bind.parameters).enumerate() {
            let binary = match bind.parameter_formats.as_slice() {
                [] => false,
                [all] => *all,
                each => each[index],
            };
            let value = match value {
                None => Ok(Value::Null),
                Some(bytes) if binary => parse_binary(*ty, bytes),
                Some(bytes) => utf8(bytes).and_then(|text| self.session.read_text(*ty, text)),
            };
            values.push(value.map_err(|error| {
                error.context(if bind.portal.is_empty() {
                    format!("unnamed portal parameter ${}", index + 1)
                } else {
                    format!("portal \"{}\" parameter ${}", bind.portal, index + 1)
                })
            })?);
        }
        if bind.portal.is_empty() {
            self.session.close_portal("");
        }
        self.session.bind(bind.portal, bind.statement, values)?;
        self.check_result_formats(bind)
    }

    fn describe_portal(&mut self, name: &str) -> Result<Option<Described>> {
        Ok(self.session.describe_portal(name)?.map(Described))
    }

    fn execute(&mut self, portal: &str, limit: u32, replies: &mut Replies<'_>) -> Result<Outcome> {
        let mut door = Door { replies, copying: false };
        let completion = self.session.execute(portal, u64::from(limit), &mut door)?;
        let copied_out = door.copying;
        self.finish(completion, copied_out, replies)
    }

    fn close_statement(&mut self, name: &str) {
        self.parameters.remove(name);
        self.session.close_statement(name);
    }

    fn close_portal(&mut self, name: &str) {
        self.session.close_portal(name);
    }

    fn sync(&mut self) -> Result<()> {
        self.session.end_message()
    }

    fn is_settled(&self) -> bool {
        self.session.is_settled()
    }

    fn expects_commits(&self) -> bool {
        self.session.expects_commits()
    }

    fn settle(&mut self) -> Result<()> {
        self.session.settle_output()
    }

    fn failed(&mut self, _error: &Error) {
        self.session.fail();
    }

    fn status(&self) -> Status {
        match self.session.status() {
            TransactionStatus::Idle => Status::Idle,
            TransactionStatus::Open => Status::Active,
            TransactionStatus::Failed => Status::Failed,
        }
    }

    fn failed_text(&self) -> Option<Arc<str>> {
        self.session.failed_text().map(Arc::clone)
    }

    fn notices(&mut self, replies: &mut Replies<'_>) {
        for notice in self.session.take_notices() {
            replies.notice(word(notice.level), &notice.error);
        }
    }

    fn changes(&mut self, replies: &mut Replies<'_>) {
        for (name, value) in self.session.take_parameter_changes() {
            replies.parameter(name, &value);
        }
    }

    fn notifications(&mut self, replies: &mut Replies<'_>) {
        if !self.session.listens() {
            return;
        }
        // Before the look below, so that nothing comes between the two.
        if let Some(waker) = self.waker.take() {
            self.session.set_waker(waker);
        }
        for note in self.session.take_notifications() {
            replies.notification(note.pid, &note.channel, &note.payload);
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.waker = Some(waker);
    }

    fn end_reason(&self) -> Option<Error> {
        self.session.end_reason()
    }

    fn idle_limit(&mut self) -> Option<(Duration, Error)> {
        self.session.idle_limit()
    }
}

impl EngineSession {
    /// Result formats are none, one for all, or one a column.
    fn check_result_formats(&mut self, bind: &Bind<'_>) -> Result<()> {
        let formats = bind.result_formats.len();
        if formats < 2 {
            return Ok(());
        }
        let columns = self.session.describe_portal(bind.portal)?.map_or(0, |columns| columns.len());
        if formats == columns {
            return Ok(());
        }
        self.session.close_portal(bind.portal);
        Err(violation(format!(
            "bind message has {formats} result formats but query has {columns} columns"
        )))
    }
}

/// PostgreSQL's word for a level.
fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Log => "LOG",
        Level::Info => "INFO",
        Level::Notice => "NOTICE",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    }
}
