//! Servers that speak PostgreSQL's protocol, as the command line names them.

use crate::{Failure, client, measure};
use bytes::Bytes;
use futures_util::SinkExt;
use std::pin::pin;
use std::str::FromStr;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

/// Bytes of COPY's data that are collected before they are sent.
const CHUNK_BYTES: usize = 256 << 10;

/// A server under test: `NAME=URL` or `NAME=URL@PID`, where the CPU of process PID and its children is the server's.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    url: String,
    pid: Option<u32>,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("NAME=URL@PID is expected")?;
        // A URL may have an @ before its host.
        let (url, pid) = match rest.rsplit_once('@') {
            Some((url, pid)) if pid.chars().all(|c| c.is_ascii_digit()) && !pid.is_empty() => {
                (url, Some(pid.parse().map_err(|_| "the PID is too large")?))
            }
            _ => (rest, None),
        };
        Ok(Self { name: name.to_owned(), url: url.to_owned(), pid })
    }
}

impl Server {
    /// A connection, and the task that drives it until the client is dropped.
    pub(crate) async fn connect(&self) -> Result<(Client, JoinHandle<()>), Failure> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls)
            .await
            .map_err(|error| format!("{}: {error}", self.name))?;
        let driver = tokio::spawn(async move {
            // Its end shows in the client's calls.
            drop(connection.await);
        });
        Ok((client, driver))
    }

    /// A connection that costs little, for what is measured.
    pub(crate) fn connect_lightly(
        &self,
        sending: client::Sending,
    ) -> Result<client::Client, Failure> {
        let config: tokio_postgres::Config =
            self.url.parse().map_err(|error| format!("{}: {error}", self.name))?;
        let client = client::Client::connect(&config, sending);
        Ok(client.map_err(|error| format!("{}: {error}", self.name))?)
    }

    /// Seconds of CPU used so far, if the server's process is known.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        self.pid.map(measure::cpu_seconds)
    }
}

/// Copies rows, each a line in COPY's text format, into a table.
pub(crate) async fn copy(
    client: &Client,
    table: &str,
    rows: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    copy_with(client, table, "", rows).await
}

/// As [`copy`], with options.
pub(crate) async fn copy_with(
    client: &Client,
    table: &str,
    options: &str,
    rows: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    let command = format!("COPY {table} FROM STDIN {options}");
    let sink = client.copy_in::<_, Bytes>(command.as_str()).await?;
    let mut sink = pin!(sink);
    let mut text = String::with_capacity(CHUNK_BYTES);
    for row in rows {
        text.push_str(&row);
        text.push('\n');
        if text.len() > CHUNK_BYTES - 4096 {
            let full = std::mem::replace(&mut text, String::with_capacity(CHUNK_BYTES));
            sink.feed(Bytes::from(full)).await?;
        }
    }
    sink.send(Bytes::from(text)).await?;
    sink.finish().await?;
    Ok(())
}

/// The runtime of a driver: one thread, so that the driver takes as little of the machine as can be.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_have_a_process() {
        let server: Server =
            "damask=postgres://postgres@127.0.0.1:5433/postgres@77".parse().unwrap();
        assert_eq!((server.name.as_str(), server.pid), ("damask", Some(77)));
        assert_eq!(server.url, "postgres://postgres@127.0.0.1:5433/postgres");
        let server: Server = "p=postgres://postgres@localhost/postgres".parse().unwrap();
        assert_eq!(server.pid, None);
        assert!("nonsense".parse::<Server>().is_err());
    }
}
