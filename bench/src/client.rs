//! A connection that costs the machine little: prepared statements over a blocking socket, one write and one read for each, or for all
//! that do not wait for one another's rows.
//!
//! A driver shares the processors with the server it asks, and what it takes itself makes all servers look alike. An asynchronous client
//! takes as long for a small statement as a server does. Here a client is a thread. Trusted users only, and no TLS.
//!
//! It waits in `poll` for something to read, as libpq does. In `recv` it would be woken twice a message over a Unix-domain socket: also
//! when the server has taken what was sent, since there is room to send more then, and `recv` does not tell the two apart.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend::{self, BindError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use tokio_postgres::config::Host;
use tokio_postgres::types::{FromSql, ToSql, Type};

/// Most that is read at a time.
const READ_BYTES: usize = 16 << 10;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Error {
    /// What the server says: SQLSTATE and message.
    Server(String, String),
    /// The connection, or what came over it.
    Broken(String),
}

impl Error {
    /// The SQLSTATE, if the server raised it.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Server(code, _) => Some(code),
            Self::Broken(_) => None,
        }
    }

    fn of_server(body: &ErrorResponseBody) -> Self {
        let (mut code, mut message) = (String::new(), String::new());
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => code = text,
                b'M' => message = text,
                _ => {}
            }
        }
        Self::Server(code, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(code, message) => write!(f, "{code}: {message}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A prepared statement.
#[derive(Debug)]
pub(crate) struct Statement {
    name: String,
    params: Vec<Type>,
    columns: Arc<[Type]>,
}

/// A row of a prepared statement.
#[derive(Debug)]
pub(crate) struct Row {
    body: DataRowBody,
    ranges: Vec<Option<Range<usize>>>,
    columns: Arc<[Type]>,
}

impl Row {
    /// The value of a column.
    ///
    /// # Panics
    /// If it is not of that type, or null and that is not an `Option`.
    pub(crate) fn get<'a, T: FromSql<'a>>(&'a self, index: usize) -> T {
        let value = self.ranges[index].clone().map(|range| &self.body.buffer()[range]);
        let value = T::from_sql_nullable(&self.columns[index], value);
        value.unwrap_or_else(|error| panic!("column {index}: {error}"))
    }
}

/// The rows of statements that were asked, of each that gives rows, in the order in which they were asked.
#[derive(Debug, Default)]
pub(crate) struct Answers(VecDeque<Vec<Row>>);

impl Answers {
    /// The rows of the next statement.
    pub(crate) fn rows(&mut self) -> Result<Vec<Row>, Error> {
        self.0.pop_front().ok_or_else(|| Error::Broken("a statement without an answer".to_owned()))
    }

    /// The only row of the next statement, or none.
    pub(crate) fn row_if_any(&mut self) -> Result<Option<Row>, Error> {
        let mut rows = self.rows()?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            count => Err(Error::Broken(format!("{count} rows instead of one"))),
        }
    }

    /// The only row of the next statement.
    pub(crate) fn row(&mut self) -> Result<Row, Error> {
        self.row_if_any()?.ok_or_else(|| Error::Broken("no row instead of one".to_owned()))
    }
}

/// When what is asked goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// At once; its answer is awaited.
    OneByOne,
    /// With the others that were asked before somebody wants [`Client::answers`].
    Together,
}

/// See the head of the file.
pub(crate) struct Client {
    /// Of either family: what is asked of it is the same.
    socket: UnixStream,
    out: BytesMut,
    input: BytesMut,
    /// What is read goes through here.
    room: Box<[u8; READ_BYTES]>,
    statement_count: usize,
    sending: Sending,
    /// The columns of what was asked and has not gone out.
    asked: Vec<Arc<[Type]>>,
    answers: Answers,
}

impl Client {
    /// Connects to the server that `config` names.
    pub(crate) fn connect(
        config: &tokio_postgres::Config,
        sending: Sending,
    ) -> Result<Self, Error> {
        let port = *config.get_ports().first().unwrap_or(&5432);
        let socket = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => {
                let socket = TcpStream::connect((host.as_str(), port))?;
                socket.set_nodelay(true)?;
                UnixStream::from(OwnedFd::from(socket))
            }
            Some(Host::Unix(directory)) => {
                UnixStream::connect(directory.join(format!(".s.PGSQL.{port}")))?
            }
            None => return Err(Error::Broken("a host is needed".to_owned())),
        };
        let mut client = Self {
            socket,
            out: BytesMut::new(),
            input: BytesMut::new(),
            room: Box::new([0; READ_BYTES]),
            statement_count: 0,
            sending,
            asked: Vec::new(),
            answers: Answers::default(),
        };
        let user = config.get_user().unwrap_or("postgres");
        let database = config.get_dbname().unwrap_or(user);
        let parameters = [("user", user), ("database", database), ("client_encoding", "UTF8")];
        frontend::startup_message(parameters, &mut client.out)?;
        client.exchange(|message| match message {
            Message::AuthenticationOk | Message::BackendKeyData(_) => Ok(()),
            _ => Err(Error::Broken("the server wants a password".to_owned())),
        })?;
        Ok(client)
    }

    /// Sends what was written and hands everything that comes back to `take`, until the server is ready. The first error is given.
    fn exchange(
        &mut self,
        mut take: impl FnMut(Message) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.socket.write_all(&self.out)?;
        self.out.clear();
        let mut outcome = Ok(());
        loop {
            match Message::parse(&mut self.input)? {
                None => self.fill()?,
                Some(Message::ReadyForQuery(_)) => return outcome,
                Some(Message::ErrorResponse(body)) => {
                    outcome = outcome.and(Err(Error::of_server(&body)));
                }
                Some(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => {}
                Some(message) => outcome = outcome.and(take(message)),
            }
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        while let Err(error) = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None) {
            if error != Errno::INTR {
                return Err(io::Error::from(error).into());
            }
        }
        match self.socket.read(&mut self.room[..])? {
            0 => Err(Error::Broken("the server closed the connection".to_owned())),
            count => {
                self.input.extend_from_slice(&self.room[..count]);
                Ok(())
            }
        }
    }

    /// Prepares a statement.
    pub(crate) fn prepare(&mut self, text: &str) -> Result<Statement, Error> {
        self.statement_count += 1;
        self.prepare_as(format!("s{}", self.statement_count), text)
    }

    /// Prepares a statement under a name.
    pub(crate) fn prepare_as(&mut self, name: String, text: &str) -> Result<Statement, Error> {
        frontend::parse(&name, text, [], &mut self.out)?;
        frontend::describe(b'S', &name, &mut self.out)?;
        frontend::sync(&mut self.out);
        let (mut params, mut columns) = (vec![], vec![]);
        self.exchange(|message| {
            match message {
                Message::ParameterDescription(body) => {
                    params = body.parameters().map(|oid| Ok(known_type(oid))).collect()?;
                }
                Message::RowDescription(body) => {
                    columns =
                        body.fields().map(|field| Ok(known_type(field.type_oid()))).collect()?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(Statement { name, params, columns: columns.into() })
    }

    /// Asks for a prepared statement. Its rows are in [`Client::answers`], its failure may be told there, too.
    pub(crate) fn ask(
        &mut self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Error> {
        let Statement { name, params: types, columns } = statement;
        let write = |(value, ty): (&&(dyn ToSql + Sync), &Type), out: &mut BytesMut| {
            Ok(match value.to_sql_checked(ty, out)? {
                tokio_postgres::types::IsNull::Yes => IsNull::Yes,
                tokio_postgres::types::IsNull::No => IsNull::No,
            })
        };
        let values = params.iter().zip(types);
        frontend::bind("", name, [1], values, write, [1], &mut self.out).map_err(unbound)?;
        frontend::execute("", 0, &mut self.out)?;
        self.asked.push(Arc::clone(columns));
        match self.sending {
            Sending::OneByOne => self.receive(),
            Sending::Together => Ok(()),
        }
    }

    /// The answers to all that was asked since the last call.
    pub(crate) fn answers(&mut self) -> Result<Answers, Error> {
        if !self.asked.is_empty() {
            self.receive()?;
        }
        Ok(std::mem::take(&mut self.answers))
    }

    /// Sends what was asked and keeps the answers; after an error there are none.
    fn receive(&mut self) -> Result<(), Error> {
        frontend::sync(&mut self.out);
        let mut asked = std::mem::take(&mut self.asked).into_iter();
        let mut answers = std::mem::take(&mut self.answers);
        let mut rows = vec![];
        self.exchange(|message| {
            match message {
                Message::DataRow(body) => {
                    let ranges = body.ranges().collect()?;
                    rows.push((body, ranges));
                }
                Message::CommandComplete(_) => {
                    let columns = asked
                        .next()
                        .ok_or_else(|| Error::Broken("an answer without a statement".to_owned()))?;
                    let rows = std::mem::take(&mut rows);
                    if !columns.is_empty() {
                        let row =
                            |(body, ranges)| Row { body, ranges, columns: Arc::clone(&columns) };
                        answers.0.push_back(rows.into_iter().map(row).collect());
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        self.answers = answers;
        Ok(())
    }

    /// Runs a statement, parsed for this once, with parameters and rows as text, in the messages that libpq sends.
    pub(crate) fn parse_and_run(&mut self, text: &str, params: &[String]) -> Result<(), Error> {
        frontend::parse("", text, [], &mut self.out)?;
        self.run_as_text("", params)
    }

    /// Runs a prepared statement with parameters and rows as text, in the messages that libpq sends.
    pub(crate) fn run_as_text(&mut self, name: &str, params: &[String]) -> Result<(), Error> {
        let write = |value: &String, out: &mut BytesMut| {
            out.extend_from_slice(value.as_bytes());
            Ok(IsNull::No)
        };
        frontend::bind("", name, [], params, write, [], &mut self.out).map_err(unbound)?;
        frontend::describe(b'P', "", &mut self.out)?;
        frontend::execute("", 0, &mut self.out)?;
        frontend::sync(&mut self.out);
        self.exchange(|_| Ok(()))
    }

    /// Runs a text whose rows nobody wants.
    pub(crate) fn run(&mut self, text: &str) -> Result<(), Error> {
        frontend::query(text, &mut self.out)?;
        self.exchange(|_| Ok(()))
    }
}

fn unbound(error: BindError) -> Error {
    match error {
        BindError::Conversion(error) => Error::Broken(error.to_string()),
        BindError::Serialization(error) => error.into(),
    }
}

/// A type that every server knows; others are read and written as bytes.
fn known_type(oid: u32) -> Type {
    Type::from_oid(oid).unwrap_or(Type::BYTEA)
}
