//! A TPC-C-like load: nine tables, all five transactions in the standard mix, without think times.
//!
//! Each client is a thread with a connection of its own ([`crate::client`]) and works for one warehouse after the other, with statements that it prepared. A transaction
//! that fails with 40001 or 40P01 is tried again with the same request, as its user would. Differences from the
//! specification: no terminals with keying and think times, so a warehouse is asked for far more than 12.86 tpmC; no
//! foreign keys; transactions run at READ COMMITTED unless asked otherwise. A figure from here is no TPC-C result.
//!
//! Servers take turns at each number of clients. After each turn the consistency conditions of clause 3.3.2 are checked.

mod check;
mod load;
mod transactions;

use crate::Failure;
use crate::chance::Chance;
use crate::client::Sending;
use crate::measure::{Latencies, now};
use crate::server::{Server, runtime};
use std::time::{Duration, Instant};
use transactions::{End, Kind, Request, Terminal};

/// Tries of one transaction after which the run fails.
const TRIES_MAX: usize = 1000;

/// Transactions before the clock starts, for each client.
const WARM_UP: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Servers: NAME=URL, or NAME=URL@PID to count their CPU; the last one is what the others are compared with
    #[arg(long = "server", required = true)]
    servers: Vec<Server>,
    /// Warehouses, some 100 MB each
    #[arg(long, default_value_t = 4)]
    warehouses: i32,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "4,16")]
    clients: Vec<usize>,
    /// Seconds of each run
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Runs of each number of clients
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// The transactions' isolation level
    #[arg(long, default_value = "read committed")]
    isolation: String,
    /// Uses the tables that are there
    #[arg(long)]
    no_load: bool,
    /// Sends statements that do not need each other's rows together, as drivers with batches or a pipeline do
    #[arg(long)]
    pipeline: bool,
}

/// What a run came to.
#[derive(Default)]
struct Outcome {
    /// By kind, of transactions that committed or were to be rolled back.
    latencies: [Latencies; 5],
    committed_new_orders: usize,
    rolled_back: usize,
    retries: usize,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        for (own, more) in self.latencies.iter_mut().zip(other.latencies) {
            own.merge(more);
        }
        self.committed_new_orders += other.committed_new_orders;
        self.rolled_back += other.rolled_back;
        self.retries += other.retries;
    }

    fn count(&self) -> usize {
        self.latencies.iter().map(Latencies::count).sum()
    }
}

/// Loads, runs, checks, prints.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    runtime()?.block_on(run_all(arguments))
}

async fn run_all(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.no_load {
        for server in &arguments.servers {
            let start = now();
            let (client, _) = server.connect().await?;
            load::load(&client, arguments.warehouses).await?;
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{}: {} warehouses loaded in {seconds:.0} s",
                server.name, arguments.warehouses
            );
        }
    }
    println!(
        "{:>7} {:<12} {:>9} {:>9} {:>12} {:>8} {:>8}   p50 / p95 / p99 ms",
        "clients", "server", "tpmC", "txn/s", "CPU us/txn", "rolled", "retries"
    );
    let mut is_clean = true;
    for clients in &arguments.clients {
        for round in 0..arguments.rounds {
            let mut figures = Vec::new();
            for server in &arguments.servers {
                let (figure, breaches) = turn(arguments, server, *clients, round as u64).await?;
                figures.push(figure);
                is_clean &= breaches.is_empty();
                for breach in breaches {
                    println!("{}: {breach}", server.name);
                }
            }
            compare(arguments, *clients, &figures);
        }
    }
    if is_clean { Ok(()) } else { Err("the data is not consistent".into()) }
}

/// tpmC and, if it is known, microseconds of CPU a transaction.
type Figure = (f64, Option<f64>);

fn compare(arguments: &Arguments, clients: usize, figures: &[Figure]) {
    let Some(((peer_rate, peer_cpu), others)) = figures.split_last() else { return };
    let peer = &arguments.servers[others.len()].name;
    for (server, (rate, cpu)) in arguments.servers.iter().zip(others) {
        let cpu =
            cpu.zip(*peer_cpu).map_or("?".to_owned(), |(own, peer)| format!("{:.2}", own / peer));
        println!(
            "{clients:>7} {} against {peer}: {:.2} x tpmC, {cpu} x CPU",
            server.name,
            rate / peer_rate
        );
    }
}

/// One server's turn; what breaks consistency after it.
async fn turn(
    arguments: &Arguments,
    server: &Server,
    clients: usize,
    round: u64,
) -> Result<(Figure, Vec<String>), Failure> {
    let sending = if arguments.pipeline { Sending::Together } else { Sending::OneByOne };
    let mut terminals = Vec::new();
    for _ in 0..clients {
        terminals.push(Terminal::new(server.connect_lightly(sending)?, &arguments.isolation)?);
    }
    let start = now() + WARM_UP;
    let end = start + Duration::from_secs(arguments.seconds);
    let mut tasks = Vec::new();
    for (number, terminal) in terminals.into_iter().enumerate() {
        let chance = Chance::new(1 + number as u64 + 1000 * round);
        let warehouses = arguments.warehouses;
        let home = number as i32 % warehouses + 1;
        tasks.push(tokio::task::spawn_blocking(move || {
            work(terminal, chance, home, warehouses, start, end)
        }));
    }
    tokio::time::sleep_until(start.into()).await;
    let cpu_before = server.cpu_seconds();
    tokio::time::sleep_until(end.into()).await;
    let cpu_after = server.cpu_seconds();
    let mut outcome = Outcome::default();
    for task in tasks {
        outcome.merge(task.await??);
    }
    let (client, _) = server.connect().await?;
    let breaches = check::breaches(&client).await?;
    let count = outcome.count().max(1);
    let seconds = arguments.seconds as f64;
    let cpu =
        cpu_before.zip(cpu_after).map(|(before, after)| (after - before) * 1e6 / count as f64);
    let rate = outcome.committed_new_orders as f64 * 60.0 / seconds;
    let latencies: Vec<String> = Kind::ALL
        .iter()
        .zip(&mut outcome.latencies)
        .map(|(kind, times)| {
            let [a, b, c] = [0.5, 0.95, 0.99].map(|part| times.percentile(part));
            format!("{} {a:.1} / {b:.1} / {c:.1}", kind.name())
        })
        .collect();
    println!(
        "{clients:>7} {:<12} {rate:>9.0} {:>9.0} {:>12} {:>8} {:>8}   {}",
        server.name,
        count as f64 / seconds,
        cpu.map_or("?".to_owned(), |cpu| format!("{cpu:.0}")),
        outcome.rolled_back,
        outcome.retries,
        latencies.join(", ")
    );
    Ok(((rate, cpu), breaches))
}

/// A client's work; what was begun before `start` does not count.
fn work(
    mut terminal: Terminal,
    mut chance: Chance,
    home: i32,
    warehouses: i32,
    start: Instant,
    end: Instant,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    loop {
        let began = now();
        if began >= end {
            return Ok(outcome);
        }
        let kind = Kind::draw(&mut chance);
        let request = Request::draw(&mut chance, kind, home, warehouses);
        let counts = began >= start;
        let mut tries = 0;
        let ended = loop {
            match terminal.run(&request) {
                Ok(ended) => break ended,
                Err(error) if is_retried(&error) && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(format!("{}: {error:?}", kind.name()).into()),
            }
        };
        let done = now();
        // What is answered after the end belongs to no second that is counted.
        if !counts || done > end {
            continue;
        }
        outcome.retries += tries;
        outcome.latencies[kind as usize].add(done - began);
        match (ended, kind) {
            (End::RolledBack, _) => outcome.rolled_back += 1,
            (End::Committed, Kind::NewOrder) => outcome.committed_new_orders += 1,
            (End::Committed, _) => {}
        }
    }
}

/// Whether the server asks to try again.
fn is_retried(error: &crate::client::Error) -> bool {
    // A transaction that cannot be serialized, or a deadlock.
    matches!(error.code(), Some("40001" | "40P01"))
}
