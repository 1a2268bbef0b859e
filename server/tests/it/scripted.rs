//! A session that does as it is told: its statements are orders to the protocol.
//!
//! - `rows N`: N rows of one `int4` column, from 0.
//! - `echo TYPE`: its parameter, of that type.
//! - `fail`: an error at byte 3. `notice`: a notice. `begin`, `commit`: a block. `set`: a changed setting.
//! - `panic`: a panic, which a session should have caught.
//! - `copyin`: takes a copy and answers its length. `copyout N`: sends N rows.

use damask::topology::{OneNode, Topology};
use damask_server::{
    Bind, Column, Columns, Host, Login, Outcome, Parameters, Replies, Server, ServerOptions,
    Session, Started, Status, start,
};
use damask_types::format::{FormatSettings, parse_binary, parse_text, type_by_name};
use damask_types::{Batch, Error, Oid, Position, Result, SqlState, SqlType, TypeId, Value, Vector};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Scripted {
    /// Verifiers by role.
    pub(crate) verifiers: HashMap<String, String>,
    /// The machine's nodes; one if there is none.
    topology: Option<Arc<dyn Topology>>,
    next: AtomicI32,
    cancelled: Arc<Mutex<Vec<(i32, i32)>>>,
}

impl Scripted {
    /// One on a machine with these nodes.
    pub(crate) fn on(topology: Arc<dyn Topology>) -> Self {
        Self { topology: Some(topology), ..Self::default() }
    }

    pub(crate) fn serve(self) -> Server {
        let options = ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() };
        start(self, options).unwrap()
    }
}

impl Host for Scripted {
    type Session = Puppet;

    fn login(&self, user: &str) -> Login {
        match (user, self.verifiers.get(user)) {
            (_, Some(verifier)) => Login::Verifier(verifier.clone()),
            ("nobody", None) => Login::Unknown,
            _ => Login::Passwordless,
        }
    }

    fn has_password(&self) -> bool {
        !self.verifiers.is_empty()
    }

    fn open(&self, parameters: &Parameters, _peer: Option<SocketAddr>) -> Result<Puppet> {
        if parameters.database == "missing" {
            return Err(Error::new(
                SqlState::from_text("3D000").unwrap(),
                "database \"missing\" does not exist",
            ));
        }
        Ok(Puppet {
            pid: self.next.fetch_add(1, Ordering::Relaxed) + 1,
            cancelled: Arc::clone(&self.cancelled),
            ..Puppet::default()
        })
    }

    fn topology(&self) -> Arc<dyn Topology> {
        self.topology.clone().unwrap_or_else(|| Arc::new(OneNode::default()))
    }

    fn clock(&self) -> Arc<dyn Fn() -> Duration + Send + Sync> {
        #[expect(clippy::disallowed_methods, reason = "a test has no other clock")]
        let start = Instant::now();
        Arc::new(move || start.elapsed())
    }

    fn cancel(&self, pid: i32, secret: i32) {
        self.cancelled.lock().unwrap().push((pid, secret));
    }

    fn is_terminated(&self, _pid: i32) -> bool {
        false
    }

    fn terminate(&self, _pid: i32) {}

    fn client_gone(&self, _pid: i32) {}
}

#[derive(Default)]
pub(crate) struct Puppet {
    pid: i32,
    cancelled: Arc<Mutex<Vec<(i32, i32)>>>,
    statements: HashMap<String, String>,
    portals: HashMap<String, Portal>,
    status: Option<Status>,
    changed: bool,
    noticed: bool,
    /// The text of the last portal that was run.
    executed: Option<String>,
}

struct Portal {
    text: String,
    parameters: Vec<Value>,
    done: usize,
}

impl Started for Puppet {
    fn key(&self) -> (i32, i32) {
        (self.pid, 42)
    }

    fn parameters(&mut self) -> Vec<(String, String)> {
        vec![("client_encoding".into(), "UTF8".into()), ("server_version".into(), "15.0".into())]
    }
}

fn types(text: &str) -> Vec<TypeId> {
    match text.strip_prefix("echo ") {
        Some(name) => vec![type_by_name(name).unwrap_or(TypeId::Text)],
        None => Vec::new(),
    }
}

/// One column of a type.
pub(crate) struct One(TypeId);

impl Columns for One {
    fn count(&self) -> usize {
        1
    }

    fn column(&self, _index: usize) -> Column<'_> {
        Column { name: "a", table: Oid(0), attribute: 0, ty: SqlType::plain(self.0) }
    }
}

fn columns(text: &str) -> Option<One> {
    Some(One(if text.starts_with("rows ") { TypeId::Int4 } else { *types(text).first()? }))
}

fn number(text: &str) -> usize {
    text.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl Puppet {
    fn run(
        &mut self,
        text: &str,
        parameters: &[Value],
        range: std::ops::Range<usize>,
        replies: &mut Replies<'_>,
    ) -> Result<()> {
        let settings = FormatSettings::default();
        let word = text.split(' ').next().unwrap_or("");
        if self.status == Some(Status::Failed) && word != "commit" {
            return Err(Error::new(
                SqlState::from_text("25P02").unwrap(),
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        match word {
            "rows" => {
                let mut at = range.start;
                while at < range.end {
                    let to = range.end.min(at + 1000);
                    let values: Vec<Value> = (at..to).map(|n| Value::Int4(n as i32)).collect();
                    let batch =
                        Batch::new(vec![Vector::from_values(TypeId::Int4, &values)], to - at);
                    replies.rows(&batch, 0..to - at, &settings)?;
                    at = to;
                }
            }
            "echo" => {
                let batch = Batch::new(vec![Vector::from_values(types(text)[0], parameters)], 1);
                replies.rows(&batch, 0..1, &settings)?;
            }
            "fail" => {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "failed as told")
                    .at(Position(3))
                    .detail("It was told to."));
            }
            "notice" => self.noticed = true,
            "set" => self.changed = true,
            "begin" => self.status = Some(Status::Active),
            "commit" => self.status = None,
            "panic" => panic!("as told"),
            "wait" => {
                while !self.cancelled.lock().unwrap().contains(&(self.pid, 42)) {
                    std::thread::yield_now();
                }
                return Err(Error::new(
                    SqlState::QUERY_CANCELED,
                    "canceling statement due to user request",
                ));
            }
            "copyin" => {
                replies.copy_in(false, 1);
                let mut data = Vec::new();
                while replies.copy_in_data(&mut data)? {}
                replies.complete(&format!("COPY {}", data.len()));
                return Ok(());
            }
            "copyout" => {
                replies.copy_out(false, 1);
                for row in 0..number(text) {
                    replies.copy_out_data(format!("{row}\n").as_bytes())?;
                }
                replies.copy_out_done();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Session for Puppet {
    type Columns = One;

    fn query(&mut self, text: &str, replies: &mut Replies<'_>) -> Result<()> {
        if text.trim().is_empty() {
            replies.empty();
            return Ok(());
        }
        for statement in text.split(';').filter(|statement| !statement.is_empty()) {
            if let Some(columns) = columns(statement) {
                replies.columns(&columns);
            }
            self.run(statement, &[], 0..number(statement), replies)?;
            if statement != "copyin" {
                replies.complete(&statement.to_uppercase());
            }
        }
        Ok(())
    }

    fn parse(&mut self, name: &str, text: &str, _types: &[Oid]) -> Result<()> {
        if text == "broken" {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "broken").at(Position(1)));
        }
        self.statements.insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    fn describe_statement(&mut self, name: &str) -> Result<(Vec<Oid>, Option<One>)> {
        let text = self.statements.get(name).ok_or_else(|| missing(name))?;
        Ok((types(text).iter().map(|ty| ty.oid()).collect(), columns(text)))
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<()> {
        let text = self.statements.get(bind.statement).ok_or_else(|| missing(bind.statement))?;
        let mut parameters = Vec::new();
        for (index, (ty, value)) in types(text).iter().zip(&bind.parameters).enumerate() {
            let binary = match bind.parameter_formats.as_slice() {
                [] => false,
                [all] => *all,
                each => each[index],
            };
            let ty = SqlType::plain(*ty);
            parameters.push(match value {
                None => Value::Null,
                Some(bytes) if binary => parse_binary(ty, bytes)?,
                Some(bytes) => {
                    let text = std::str::from_utf8(bytes).unwrap();
                    parse_text(ty, text, &FormatSettings::default(), 0)?
                }
            });
        }
        let portal = Portal { text: text.clone(), parameters, done: 0 };
        self.portals.insert(bind.portal.to_owned(), portal);
        Ok(())
    }

    fn describe_portal(&mut self, name: &str) -> Result<Option<One>> {
        self.portals.get(name).map(|portal| columns(&portal.text)).ok_or_else(|| missing(name))
    }

    fn execute(&mut self, name: &str, limit: u32, replies: &mut Replies<'_>) -> Result<Outcome> {
        let mut portal = self.portals.remove(name).ok_or_else(|| missing(name))?;
        self.executed = Some(portal.text.clone());
        let all = number(&portal.text);
        let left = all - portal.done;
        let count = if limit == 0 { left } else { left.min(limit as usize) };
        let range = portal.done..portal.done + count;
        let result = self.run(&portal.text, &portal.parameters, range, replies);
        portal.done += count;
        let suspended = limit > 0 && portal.done < all;
        let (text, done) = (portal.text.clone(), portal.done);
        self.portals.insert(name.to_owned(), portal);
        result?;
        if suspended {
            return Ok(Outcome::Suspended);
        }
        if text == "copyin" {
            return Ok(Outcome::Complete);
        }
        replies.complete(&if text.starts_with("rows") {
            format!("SELECT {done}")
        } else {
            text.to_uppercase()
        });
        Ok(Outcome::Complete)
    }

    fn close_statement(&mut self, name: &str) {
        self.statements.remove(name);
    }

    fn close_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn failed(&mut self, _error: &Error) {
        if self.status == Some(Status::Active) {
            self.status = Some(Status::Failed);
        }
    }

    fn status(&self) -> Status {
        self.status.unwrap_or(Status::Idle)
    }

    fn failed_text(&self) -> Option<Arc<str>> {
        self.executed.as_deref().map(Arc::from)
    }

    fn changes(&mut self, replies: &mut Replies<'_>) {
        if std::mem::take(&mut self.changed) {
            replies.parameter("TimeZone", "UTC");
        }
    }

    fn notices(&mut self, replies: &mut Replies<'_>) {
        if std::mem::take(&mut self.noticed) {
            let notice = Error::new(SqlState::SUCCESSFUL_COMPLETION, "noticed");
            replies.notice("NOTICE", &notice);
        }
    }

    fn end_reason(&self) -> Option<Error> {
        None
    }

    fn idle_limit(&mut self) -> Option<(Duration, Error)> {
        None
    }
}

fn missing(name: &str) -> Error {
    Error::new(SqlState::from_text("26000").unwrap(), format!("\"{name}\" does not exist"))
}
