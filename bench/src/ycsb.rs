//! YCSB's core workloads A to F as SQL: one table, ten fields of a hundred bytes, keys drawn zipfian and scattered.
//!
//! Servers are asked through the extended protocol with prepared statements; SQLite through its library, a thread for
//! each client. Every operation is its own transaction but the read-modify-write of F, which is one. Data is larger than
//! memory if `--records` (about 1.1 KB each) exceeds what the servers' pools and `--sqlite-cache-mb` hold.
//!
//! Differences from YCSB: keys are numbers, not `user` and a number; workload D reads the latest of what this run
//! inserted, spread zipfian backwards, as YCSB does, but each client counts its own inserts.

use crate::chance::{Chance, Zipfian, mix};
use crate::measure::{Latencies, now};
use crate::server::{Server, copy, runtime};
use crate::{Failure, sqlite};
use rusqlite::TransactionBehavior;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Statement};

const FIELDS: usize = 10;

/// Bytes of a field.
const FIELD_BYTES: i32 = 100;

/// Rows of the longest scan.
const SCAN_MAX: i32 = 100;

/// Keys that a client may insert; clients' keys do not meet.
const KEYS_A_CLIENT: i64 = 1 << 32;

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Servers: NAME=URL, or NAME=URL@PID to count their CPU
    #[arg(long = "server")]
    servers: Vec<Server>,
    /// A file for SQLite, which is made anew
    #[arg(long)]
    sqlite: Option<PathBuf>,
    /// SQLite's page cache, for each connection
    #[arg(long, default_value_t = 64)]
    sqlite_cache_mb: usize,
    /// Rows at the beginning
    #[arg(long, default_value_t = 100_000)]
    records: i64,
    /// Clients
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Seconds of each workload
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Which workloads
    #[arg(long, value_delimiter = ',', default_value = "A,B,C,D,E,F")]
    workloads: Vec<Workload>,
    /// What CREATE TABLE ends with on servers whose name is damask: WITH (...)
    #[arg(long, default_value = "")]
    with: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
enum Workload {
    A,
    B,
    C,
    D,
    E,
    F,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Read(i64),
    /// A field's number with it.
    Update(i64, usize),
    Insert(i64),
    Scan(i64, i32),
    ReadModifyWrite(i64, usize),
}

/// What one client will ask for.
struct Plan {
    workload: Workload,
    chance: Chance,
    zipfian: Zipfian,
    records: i64,
    /// The client's inserts so far, and the key of the first.
    inserted: i64,
    first: i64,
}

/// The key of a record: scattered, so that what is asked for most often lies apart.
const fn key(number: i64) -> i64 {
    (mix(number as u64) >> 1) as i64
}

impl Plan {
    fn new(workload: Workload, client: usize, records: i64) -> Self {
        let first = records + KEYS_A_CLIENT * (workload as i64 * 1000 + client as i64 + 1);
        let chance = Chance::new(77 + client as u64 + 1000 * workload as u64);
        let zipfian = Zipfian::new(records as u64);
        Self { workload, chance, zipfian, records, inserted: 0, first }
    }

    fn some(&mut self) -> i64 {
        key(self.zipfian.next(&mut self.chance) as i64)
    }

    /// A key inserted lately.
    fn latest(&mut self) -> i64 {
        let back = self.zipfian.next(&mut self.chance) as i64;
        if back < self.inserted {
            key(self.first + self.inserted - 1 - back)
        } else {
            key((self.records - 1 - (back - self.inserted)).max(0))
        }
    }

    fn insert(&mut self) -> Operation {
        self.inserted += 1;
        Operation::Insert(key(self.first + self.inserted - 1))
    }

    fn next(&mut self) -> Operation {
        let field = self.chance.between(0, FIELDS as i32 - 1) as usize;
        match self.workload {
            Workload::A if self.chance.percent(50) => Operation::Update(self.some(), field),
            Workload::B if self.chance.percent(5) => Operation::Update(self.some(), field),
            Workload::D if self.chance.percent(5) => self.insert(),
            Workload::D => Operation::Read(self.latest()),
            Workload::E if self.chance.percent(5) => self.insert(),
            Workload::E => Operation::Scan(self.some(), self.chance.between(1, SCAN_MAX)),
            Workload::F if self.chance.percent(50) => {
                Operation::ReadModifyWrite(self.some(), field)
            }
            Workload::A | Workload::B | Workload::C | Workload::F => Operation::Read(self.some()),
        }
    }
}

fn create(with: &str) -> String {
    let fields: Vec<String> = (0..FIELDS).map(|i| format!("field{i} text")).collect();
    format!("CREATE TABLE usertable (ycsb_key bigint PRIMARY KEY, {}) {with}", fields.join(", "))
}

fn fields(chance: &mut Chance) -> Vec<String> {
    (0..FIELDS).map(|_| chance.text(FIELD_BYTES, FIELD_BYTES)).collect()
}

const READ: &str = "SELECT * FROM usertable WHERE ycsb_key = $1";
const SCAN: &str = "SELECT * FROM usertable WHERE ycsb_key >= $1 ORDER BY ycsb_key LIMIT $2";

fn update(field: usize) -> String {
    format!("UPDATE usertable SET field{field} = $2 WHERE ycsb_key = $1")
}

fn insert() -> String {
    let places: Vec<String> = (1..=FIELDS + 1).map(|i| format!("${i}")).collect();
    format!("INSERT INTO usertable VALUES ({})", places.join(", "))
}

/// A statement as SQLite takes it: to it `$1` is a name, and names are numbered as they come.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

/// Loads and runs everything asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    println!("{:<4} {:<12} {:>10} {:>12}   p50 / p95 / p99 ms", "", "", "op/s", "CPU us/op");
    runtime()?.block_on(async {
        for server in &arguments.servers {
            let start = now();
            load_server(arguments, server).await?;
            report_load(&server.name, arguments.records, start);
        }
        Ok::<_, Failure>(())
    })?;
    if let Some(path) = &arguments.sqlite {
        let start = now();
        load_sqlite(arguments, path)?;
        report_load("sqlite", arguments.records, start);
    }
    for workload in &arguments.workloads {
        for server in &arguments.servers {
            runtime()?.block_on(run_server(arguments, server, *workload))?;
        }
        if let Some(path) = &arguments.sqlite {
            run_sqlite(arguments, path, *workload)?;
        }
    }
    Ok(())
}

fn report_load(name: &str, records: i64, start: Instant) {
    let rate = records as f64 / start.elapsed().as_secs_f64();
    println!("{:<4} {name:<12} {rate:>10.0}", "load");
}

fn report(
    workload: Workload,
    name: &str,
    mut latencies: Latencies,
    seconds: f64,
    cpu: Option<f64>,
) {
    let count = latencies.count().max(1) as f64;
    let cpu = cpu.map_or("?".to_owned(), |cpu| format!("{:.1}", cpu * 1e6 / count));
    let [a, b, c] = [0.5, 0.95, 0.99].map(|part| latencies.percentile(part));
    let rate = count / seconds;
    let workload = format!("{workload:?}");
    println!("{workload:<4} {name:<12} {rate:>10.0} {cpu:>12}   {a:.2} / {b:.2} / {c:.2}");
}

async fn load_server(arguments: &Arguments, server: &Server) -> Result<(), Failure> {
    let (client, _) = server.connect().await?;
    let with = if server.name.starts_with("damask") { arguments.with.as_str() } else { "" };
    client.batch_execute("DROP TABLE IF EXISTS usertable").await?;
    client.batch_execute(&create(with)).await?;
    let mut chance = Chance::new(5);
    let row = |number| format!("{}\t{}", key(number), fields(&mut chance).join("\t"));
    copy(&client, "usertable", (0..arguments.records).map(row)).await?;
    client.batch_execute("ANALYZE usertable").await?;
    Ok(())
}

/// A client of a server with its statements.
struct Asker {
    client: Client,
    read: Statement,
    scan: Statement,
    insert: Statement,
    updates: Vec<Statement>,
}

impl Asker {
    async fn new(client: Client) -> Result<Self, Failure> {
        let mut updates = Vec::new();
        for field in 0..FIELDS {
            updates.push(client.prepare(&update(field)).await?);
        }
        let read = client.prepare(READ).await?;
        let scan = client.prepare(SCAN).await?;
        let insert = client.prepare(&insert()).await?;
        Ok(Self { client, read, scan, insert, updates })
    }

    async fn ask(&self, operation: Operation, chance: &mut Chance) -> Result<(), Failure> {
        let text = |chance: &mut Chance| chance.text(FIELD_BYTES, FIELD_BYTES);
        match operation {
            Operation::Read(key) => {
                self.client.query_opt(&self.read, &[&key]).await?;
            }
            Operation::Scan(key, count) => {
                self.client.query(&self.scan, &[&key, &i64::from(count)]).await?;
            }
            Operation::Update(key, field) => {
                self.client.execute(&self.updates[field], &[&key, &text(chance)]).await?;
            }
            Operation::Insert(key) => {
                let fields = fields(chance);
                let mut params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&key];
                params.extend(
                    fields.iter().map(|field| field as &(dyn tokio_postgres::types::ToSql + Sync)),
                );
                self.client.execute(&self.insert, &params).await?;
            }
            Operation::ReadModifyWrite(key, field) => {
                self.client.batch_execute("BEGIN").await?;
                self.client.query_opt(&self.read, &[&key]).await?;
                self.client.execute(&self.updates[field], &[&key, &text(chance)]).await?;
                self.client.batch_execute("COMMIT").await?;
            }
        }
        Ok(())
    }
}

async fn run_server(
    arguments: &Arguments,
    server: &Server,
    workload: Workload,
) -> Result<(), Failure> {
    let mut askers = Vec::new();
    for _ in 0..arguments.clients {
        let (client, _) = server.connect().await?;
        askers.push(Asker::new(client).await?);
    }
    let cpu_before = server.cpu_seconds();
    let end = now() + Duration::from_secs(arguments.seconds);
    let mut tasks = Vec::new();
    for (number, asker) in askers.into_iter().enumerate() {
        let mut plan = Plan::new(workload, number, arguments.records);
        tasks.push(tokio::spawn(async move {
            let mut chance = Chance::new(number as u64);
            let mut latencies = Latencies::default();
            loop {
                let began = now();
                if began >= end {
                    return Ok::<_, Failure>(latencies);
                }
                asker.ask(plan.next(), &mut chance).await?;
                latencies.add(began.elapsed());
            }
        }));
    }
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.merge(task.await??);
    }
    let cpu = cpu_before.zip(server.cpu_seconds()).map(|(before, after)| after - before);
    report(workload, &server.name, latencies, arguments.seconds as f64, cpu);
    Ok(())
}

fn load_sqlite(arguments: &Arguments, path: &Path) -> Result<(), Failure> {
    sqlite::remove(path);
    let mut connection = sqlite::open(path, arguments.sqlite_cache_mb, "FULL")?;
    connection.execute_batch(&create(""))?;
    let mut chance = Chance::new(5);
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(&numbered(&insert()))?;
        for number in 0..arguments.records {
            insert_sqlite(&mut insert, key(number), &fields(&mut chance))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn insert_sqlite(
    insert: &mut rusqlite::Statement<'_>,
    key: i64,
    fields: &[String],
) -> Result<(), Failure> {
    let mut params: Vec<&dyn rusqlite::ToSql> = vec![&key];
    params.extend(fields.iter().map(|field| field as &dyn rusqlite::ToSql));
    insert.execute(&*params)?;
    Ok(())
}

fn run_sqlite(arguments: &Arguments, path: &Path, workload: Workload) -> Result<(), Failure> {
    let end = now() + Duration::from_secs(arguments.seconds);
    let ask_all = |number: usize| {
        let mut connection = sqlite::open(path, arguments.sqlite_cache_mb, "FULL")?;
        let mut plan = Plan::new(workload, number, arguments.records);
        let mut chance = Chance::new(number as u64);
        let mut latencies = Latencies::default();
        loop {
            let began = now();
            if began >= end {
                return Ok::<_, Failure>(latencies);
            }
            ask_sqlite(&mut connection, plan.next(), &mut chance)?;
            latencies.add(began.elapsed());
        }
    };
    let ask = &ask_all;
    let latencies = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..arguments.clients).map(|number| scope.spawn(move || ask(number))).collect();
        let mut latencies = Latencies::default();
        for thread in threads {
            latencies.merge(thread.join().map_err(|_| "a client of SQLite panicked")??);
        }
        Ok::<_, Failure>(latencies)
    })?;
    report(workload, "sqlite", latencies, arguments.seconds as f64, None);
    Ok(())
}

/// Reads every column, as a client would.
fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<()> {
    for i in 1..=FIELDS {
        std::hint::black_box(row.get_ref(i)?.as_bytes()?);
    }
    Ok(())
}

fn ask_sqlite(
    connection: &mut rusqlite::Connection,
    operation: Operation,
    chance: &mut Chance,
) -> Result<(), Failure> {
    let text = |chance: &mut Chance| chance.text(FIELD_BYTES, FIELD_BYTES);
    match operation {
        Operation::Read(key) => {
            let mut statement = connection.prepare_cached(&numbered(READ))?;
            for row in statement.query_map([key], read_row)? {
                row?;
            }
        }
        Operation::Scan(key, count) => {
            let mut statement = connection.prepare_cached(&numbered(SCAN))?;
            for row in statement.query_map([key, i64::from(count)], read_row)? {
                row?;
            }
        }
        Operation::Update(key, field) => {
            let mut statement = connection.prepare_cached(&numbered(&update(field)))?;
            statement.execute((key, text(chance)))?;
        }
        Operation::Insert(key) => {
            let mut statement = connection.prepare_cached(&numbered(&insert()))?;
            insert_sqlite(&mut statement, key, &fields(chance))?;
        }
        Operation::ReadModifyWrite(key, field) => {
            // A transaction that begins as a reader could not become a writer beside another.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for row in transaction.prepare_cached(&numbered(READ))?.query_map([key], read_row)? {
                row?;
            }
            transaction.prepare_cached(&numbered(&update(field)))?.execute((key, text(chance)))?;
            transaction.commit()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_have_their_mixes() {
        let share = |workload, is_counted: fn(&Operation) -> bool| {
            let mut plan = Plan::new(workload, 0, 1000);
            (0..10_000).filter(|_| is_counted(&plan.next())).count()
        };
        let updates = share(Workload::A, |op| matches!(op, Operation::Update(..)));
        assert!((4700..5300).contains(&updates), "{updates}");
        let scans = share(Workload::E, |op| matches!(op, Operation::Scan(_, 1..=SCAN_MAX)));
        assert!((9300..9700).contains(&scans), "{scans}");
        assert_eq!(share(Workload::C, |op| matches!(op, Operation::Read(_))), 10_000);
    }

    #[test]
    fn sqlite_takes_every_operation() {
        let path = std::env::temp_dir().join(format!("damask-ycsb-{}", std::process::id()));
        let arguments = Arguments {
            servers: vec![],
            sqlite: Some(path.clone()),
            sqlite_cache_mb: 1,
            records: 50,
            clients: 2,
            seconds: 0,
            workloads: vec![],
            with: String::new(),
        };
        load_sqlite(&arguments, &path).unwrap();
        let mut connection = sqlite::open(&path, 1, "OFF").unwrap();
        let mut chance = Chance::new(1);
        for workload in [Workload::A, Workload::D, Workload::E, Workload::F] {
            let mut plan = Plan::new(workload, 1, 50);
            for _ in 0..50 {
                ask_sqlite(&mut connection, plan.next(), &mut chance).unwrap();
            }
        }
        drop(connection);
        sqlite::remove(&path);
    }
}
