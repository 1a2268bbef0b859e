//! What compression of pages saves and costs: `damask-bench compression FOLDER [SCALE]`.
//!
//! Rows as pgbench's accounts have them, and TPC-H's lineitem. For each codec: bytes that the table has in the file, CPU of the
//! checkpoint that writes it, and CPU of the first scan after opening, which loads every page, and of the second, which loads
//! none. All CPU is the process's, in milliseconds, in steps of ten.

use crate::Failure;
use crate::measure::cpu_seconds;
use damask::{Connection, Database, DatabaseOptions};
use std::fmt::Write;
use std::path::Path;
use tpchgen::generators::LineItemGenerator;

const CODECS: [&str; 4] = ["none", "lz4", "snappy", "zstd"];
/// Rows of accounts at scale 1.
const ACCOUNTS: f64 = 10_000_000.0;
/// Rows of one INSERT.
const BATCH_ROWS: usize = 2000;
/// Whole tables fit.
const POOL: &str = "2GB";

/// A table: its columns, a column to sum, how it is filled.
struct Case {
    name: &'static str,
    columns: &'static str,
    summed: &'static str,
    fill: fn(&mut Connection, f64) -> Result<(), Failure>,
}

const CASES: [Case; 2] = [
    Case {
        name: "accounts",
        columns: "aid int PRIMARY KEY, bid int, abalance int, filler char(84)",
        summed: "abalance",
        fill: accounts,
    },
    Case {
        name: "lineitem",
        columns: "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, \
            l_quantity numeric(15, 2), l_extendedprice numeric(15, 2), l_discount numeric(15, 2), \
            l_tax numeric(15, 2), l_returnflag char(1), l_linestatus char(1), l_shipdate date, \
            l_commitdate date, l_receiptdate date, l_shipinstruct char(25), l_shipmode char(10), \
            l_comment varchar(44)",
        summed: "l_quantity",
        fill: lineitem,
    },
];

/// Runs every codec on both tables and prints a line for each.
pub(crate) fn run(folder: &Path, scale: f64) -> Result<(), Failure> {
    println!("table     codec        bytes   part  checkpoint  first scan  second scan");
    for case in &CASES {
        let mut whole = 0;
        for codec in CODECS {
            let file = folder.join("compression.damask");
            remove(&file)?;
            let [bytes, checkpoint, first, second] = measure(case, codec, &file, scale)?;
            remove(&file)?;
            if codec == "none" {
                whole = bytes;
            }
            let part = bytes as f64 / whole as f64;
            let name = case.name;
            println!(
                "{name:8}  {codec:6}  {bytes:10}  {part:5.3}  {checkpoint:10}  {first:10}  {second:11}"
            );
        }
    }
    Ok(())
}

fn remove(file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn open(file: &Path) -> Result<Database, Failure> {
    let mut options = DatabaseOptions::default();
    for (name, value) in [("shared_buffers", POOL), ("max_wal_size", "100GB")] {
        options.configuration.set(name, value)?;
    }
    Ok(Database::open_with(Some(file), options)?)
}

/// Bytes, then CPU of checkpoint and scans.
fn measure(case: &Case, codec: &str, file: &Path, scale: f64) -> Result<[u64; 4], Failure> {
    let Case { name, columns, summed, fill } = case;
    let database = open(file)?;
    let mut connection = database.connect()?;
    connection.execute(&format!("CREATE TABLE {name} ({columns}) WITH (compression = {codec})"))?;
    fill(&mut connection, scale)?;
    let checkpoint = cpu(|| connection.execute("CHECKPOINT"))?;
    let size = connection.query(&format!("SELECT pg_table_size('{name}')"), &[])?;
    let bytes = size.iter().next().and_then(|row| row[0].as_i64()).ok_or("no size")?;
    drop(connection);
    database.close()?;
    drop(database);

    let database = open(file)?;
    let mut connection = database.connect()?;
    let query = format!("SELECT sum({summed}) FROM {name}");
    let mut scan = || cpu(|| connection.query(&query, &[]));
    let (first, second) = (scan()?, scan()?);
    drop(connection);
    database.close()?;
    Ok([bytes as u64, checkpoint, first, second])
}

/// Milliseconds of CPU that something takes.
fn cpu<T>(work: impl FnOnce() -> damask::Result<T>) -> Result<u64, Failure> {
    let before = cpu_seconds(std::process::id());
    work()?;
    Ok(((cpu_seconds(std::process::id()) - before) * 1000.0).round() as u64)
}

fn accounts(connection: &mut Connection, scale: f64) -> Result<(), Failure> {
    let rows = (ACCOUNTS * scale) as u64;
    connection.execute(&format!(
        "INSERT INTO accounts SELECT i, i / 100000 + 1, 0, '' FROM generate_series(1, {rows}) i"
    ))?;
    Ok(())
}

fn lineitem(connection: &mut Connection, scale: f64) -> Result<(), Failure> {
    let mut rows = LineItemGenerator::new(scale, 1, 1).iter().peekable();
    while rows.peek().is_some() {
        let mut statement = "INSERT INTO lineitem VALUES ".to_owned();
        for (i, row) in rows.by_ref().take(BATCH_ROWS).enumerate() {
            let line = row.to_string().replace('\'', "''");
            let fields = line.strip_suffix('|').unwrap_or(&line).replace('|', "','");
            write!(statement, "{}('{fields}')", if i > 0 { "," } else { "" })?;
        }
        connection.execute(&statement)?;
    }
    Ok(())
}
