//! Damask as a library beside SQLite, each in a process of its own: the same statements, prepared once.
//!
//! `select` and `update` run a fixed number of operations in one thread, for counting instructions
//! (`bench/embedded.py` runs them twice and takes the difference). `ycsb-a` runs threads for a time, half of their
//! operations durable updates.

use crate::chance::{Chance, Zipfian, mix};
use crate::measure::{Latencies, now};
use crate::{Failure, sqlite};
use damask::{Connection, Database, DatabaseOptions, Statement, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rows of a transaction while a table is filled.
const FILL_ROWS: i64 = 1000;

/// SQLite's page cache; Damask's pool is larger than the data, too.
const CACHE_MB: usize = 256;

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    engine: Engine,
    #[arg(long, value_enum)]
    work: Work,
    /// A folder, in which the database is made anew
    #[arg(long)]
    folder: PathBuf,
    /// Rows of the table
    #[arg(long, default_value_t = 100_000)]
    records: i64,
    /// Operations of select and update
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Threads of ycsb-a
    #[arg(long, default_value_t = 4)]
    threads: usize,
    /// Seconds of ycsb-a
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Whether commits wait for the disk; ycsb-a's always do
    #[arg(long)]
    durable: bool,
    /// Settings that Damask is opened with, each NAME=VALUE
    #[arg(short = 'c')]
    settings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    Damask,
    Sqlite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Work {
    /// Point selects
    Select,
    /// Updates of one row, each between BEGIN and COMMIT
    Update,
    /// Threads that read and update rows in equal parts
    YcsbA,
}

/// One connection of either engine.
trait Client {
    fn select(&mut self, key: i64) -> Result<i64, Failure>;

    /// In a transaction of its own, which begins and commits by statements if `explicit`.
    fn update(&mut self, key: i64, text: &str, explicit: bool) -> Result<(), Failure>;
}

const TABLE: &str = "CREATE TABLE t (a bigint PRIMARY KEY, b bigint, c text)";
const INSERT: &str = "INSERT INTO t VALUES ($1, $2, $3)";
const SELECT: &str = "SELECT b, c FROM t WHERE a = $1";
const UPDATE: &str = "UPDATE t SET b = b + 1, c = $2 WHERE a = $1";

/// To SQLite `$1` is a name, and names are numbered as they come; here that makes a difference.
const UPDATE_SQLITE: &str = "UPDATE t SET b = b + 1, c = ?2 WHERE a = ?1";

/// What every row's text begins as.
fn text() -> String {
    "x".repeat(100)
}

struct Library {
    connection: Connection,
    select: Statement,
    update: Statement,
    begin: Statement,
    commit: Statement,
}

impl Library {
    fn new(database: &Database, is_durable: bool) -> Result<Self, Failure> {
        let mut connection = database.connect()?;
        if !is_durable {
            connection.execute("SET synchronous_commit = off")?;
        }
        let select = connection.prepare(SELECT)?;
        let update = connection.prepare(UPDATE)?;
        let begin = connection.prepare("BEGIN")?;
        let commit = connection.prepare("COMMIT")?;
        Ok(Self { connection, select, update, begin, commit })
    }
}

impl Client for Library {
    fn select(&mut self, key: i64) -> Result<i64, Failure> {
        let rows = self.connection.query_prepared(&self.select, &params![key])?;
        std::hint::black_box(rows.get::<String>(0, 1)?.len());
        Ok(rows.get::<i64>(0, 0)?)
    }

    fn update(&mut self, key: i64, text: &str, explicit: bool) -> Result<(), Failure> {
        if explicit {
            self.connection.query_prepared(&self.begin, &[])?;
        }
        self.connection.query_prepared(&self.update, &params![key, text])?;
        if explicit {
            self.connection.query_prepared(&self.commit, &[])?;
        }
        Ok(())
    }
}

impl Client for rusqlite::Connection {
    fn select(&mut self, key: i64) -> Result<i64, Failure> {
        let mut statement = self.prepare_cached(SELECT)?;
        let read = |row: &rusqlite::Row<'_>| {
            std::hint::black_box(row.get_ref(1)?.as_str()?.len());
            row.get(0)
        };
        Ok(statement.query_row([key], read)?)
    }

    fn update(&mut self, key: i64, text: &str, explicit: bool) -> Result<(), Failure> {
        if explicit {
            self.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        self.prepare_cached(UPDATE_SQLITE)?.execute((key, text))?;
        if explicit {
            self.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }
}

/// Runs what is asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    std::fs::create_dir_all(&arguments.folder)?;
    let is_durable = arguments.durable || arguments.work == Work::YcsbA;
    match arguments.engine {
        Engine::Damask => {
            let path = arguments.folder.join("bench.damask");
            remove_damask(&path);
            let mut options = DatabaseOptions::default();
            for setting in &arguments.settings {
                let (name, value) = setting.split_once('=').ok_or("a setting is NAME=VALUE")?;
                options.configuration.set(name, value)?;
            }
            let database = Database::open_with(Some(&path), options)?;
            fill_damask(&database, arguments.records)?;
            let before = flushes(&database)?;
            work(arguments, &|| Ok(Box::new(Library::new(&database, is_durable)?)))?;
            println!("{} flushes of the log", flushes(&database)? - before);
            database.close()?;
            remove_damask(&path);
        }
        Engine::Sqlite => {
            let path = arguments.folder.join("bench.sqlite");
            sqlite::remove(&path);
            fill_sqlite(&path, arguments.records)?;
            let synchronous = if is_durable { "FULL" } else { "OFF" };
            work(arguments, &|| Ok(Box::new(sqlite::open(&path, CACHE_MB, synchronous)?)))?;
            sqlite::remove(&path);
        }
    }
    Ok(())
}

/// Flushes of the log since it was opened.
fn flushes(database: &Database) -> Result<i64, Failure> {
    let rows = database.connect()?.query("SELECT wal_sync FROM pg_stat_wal", &[])?;
    Ok(rows.get::<i64>(0, 0)?)
}

fn remove_damask(path: &Path) {
    // It is most often not there.
    drop(std::fs::remove_file(path));
    let mut log = path.as_os_str().to_owned();
    log.push(".wal");
    drop(std::fs::remove_dir_all(log));
}

fn fill_damask(database: &Database, records: i64) -> Result<(), Failure> {
    let mut connection = database.connect()?;
    connection.execute(TABLE)?;
    let insert = connection.prepare(INSERT)?;
    for first in (0..records).step_by(FILL_ROWS as usize) {
        let mut transaction = connection.transaction()?;
        for key in first..(first + FILL_ROWS).min(records) {
            transaction.query_prepared(&insert, &params![key, key, text()])?;
        }
        transaction.commit()?;
    }
    Ok(())
}

fn fill_sqlite(path: &Path, records: i64) -> Result<(), Failure> {
    let mut connection = sqlite::open(path, CACHE_MB, "OFF")?;
    connection.execute_batch(TABLE)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(INSERT)?;
        for key in 0..records {
            insert.execute((key, key, text()))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

type Connect<'c> = &'c (dyn Fn() -> Result<Box<dyn Client>, Failure> + Sync);

fn work(arguments: &Arguments, connect: Connect<'_>) -> Result<(), Failure> {
    if arguments.work == Work::YcsbA {
        return threads(arguments, connect);
    }
    let mut client = connect()?;
    let mut chance = Chance::new(3);
    let start = now();
    let mut sum = 0;
    for i in 0..arguments.count {
        let key = (chance.next() % arguments.records as u64) as i64;
        match arguments.work {
            Work::Update => {
                let text = format!("{i:0100}");
                client.update(key, &text, true)?;
            }
            Work::Select | Work::YcsbA => sum += client.select(key)?,
        }
    }
    let rate = arguments.count as f64 / start.elapsed().as_secs_f64();
    println!(
        "{:?} {:?}: {} operations, {rate:.0} a second, sum {sum}",
        arguments.engine, arguments.work, arguments.count
    );
    Ok(())
}

/// YCSB's workload A in threads of this process.
fn threads(arguments: &Arguments, connect: Connect<'_>) -> Result<(), Failure> {
    let end = now() + Duration::from_secs(arguments.seconds);
    let zipfian = Zipfian::new(arguments.records as u64);
    let ask = |number: usize| {
        let mut client = connect()?;
        let mut chance = Chance::new(number as u64 + 1);
        let mut times = [Latencies::default(), Latencies::default()];
        loop {
            let began = now();
            if began >= end {
                return Ok::<_, Failure>(times);
            }
            let rank = zipfian.next(&mut chance);
            let key = (mix(rank) % arguments.records as u64) as i64;
            let reads = chance.percent(50);
            if reads {
                client.select(key)?;
            } else {
                client.update(key, &format!("{rank:0100}"), false)?;
            }
            times[usize::from(!reads)].add(began.elapsed());
        }
    };
    let ask = &ask;
    let [mut reads, mut updates] = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..arguments.threads).map(|number| scope.spawn(move || ask(number))).collect();
        let mut all = [Latencies::default(), Latencies::default()];
        for client in clients {
            let times = client.join().map_err(|_| "a thread panicked")??;
            for (own, more) in all.iter_mut().zip(times) {
                own.merge(more);
            }
        }
        Ok::<_, Failure>(all)
    })?;
    let seconds = arguments.seconds as f64;
    println!(
        "{:?}: {:.0} operations a second; reads {:.0}, p99 {:.2} ms; updates {:.0}, p50 {:.2} p99 {:.2} ms",
        arguments.engine,
        (reads.count() + updates.count()) as f64 / seconds,
        reads.count() as f64 / seconds,
        reads.percentile(0.99),
        updates.count() as f64 / seconds,
        updates.percentile(0.5),
        updates.percentile(0.99),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_do_all_work() {
        for engine in [Engine::Damask, Engine::Sqlite] {
            for kind in [Work::Select, Work::Update, Work::YcsbA] {
                let name = format!("damask-embedded-{engine:?}-{kind:?}-{}", std::process::id());
                let arguments = Arguments {
                    engine,
                    work: kind,
                    folder: std::env::temp_dir().join(name),
                    records: 100,
                    count: 20,
                    threads: 2,
                    seconds: 0,
                    durable: false,
                    settings: vec!["wal_lanes=2".to_owned()],
                };
                run(&arguments).unwrap();
                std::fs::remove_dir_all(&arguments.folder).unwrap();
            }
        }
    }
}
