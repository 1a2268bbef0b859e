//! TPC-H's tables and queries as files, which `bench/tpch/run.py` loads into Damask, PostgreSQL and DuckDB, and a driver for servers alone.
#![expect(
    clippy::disallowed_types,
    reason = "a generator writes plain files; nothing here is the database's"
)]

use crate::Failure;
use crate::measure::now;
use crate::server::{Server, copy_with, runtime};
use std::fmt::Display;
use std::fs::{File, create_dir_all, write};
use std::io::{BufRead, BufReader, BufWriter, Result, Write};
use std::path::{Path, PathBuf};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

/// In an order in which they can be loaded.
const TABLES: [&str; 8] =
    ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"];

/// Writes the eight tables, fields separated by `|`.
pub(crate) fn data(scale: f64, folder: &Path) -> Result<()> {
    create_dir_all(folder)?;
    table(folder, "region", RegionGenerator::new(scale, 1, 1).iter())?;
    table(folder, "nation", NationGenerator::new(scale, 1, 1).iter())?;
    table(folder, "supplier", SupplierGenerator::new(scale, 1, 1).iter())?;
    table(folder, "customer", CustomerGenerator::new(scale, 1, 1).iter())?;
    table(folder, "part", PartGenerator::new(scale, 1, 1).iter())?;
    table(folder, "partsupp", PartSuppGenerator::new(scale, 1, 1).iter())?;
    table(folder, "orders", OrderGenerator::new(scale, 1, 1).iter())?;
    table(folder, "lineitem", LineItemGenerator::new(scale, 1, 1).iter())
}

fn table(folder: &Path, name: &str, rows: impl Iterator<Item = impl Display>) -> Result<()> {
    let mut out = BufWriter::new(File::create(folder.join(format!("{name}.tbl")))?);
    for row in rows {
        let line = row.to_string();
        // The classic form ends each line with a separator, which COPY would read as one more field.
        writeln!(out, "{}", line.strip_suffix('|').unwrap_or(&line))?;
    }
    out.flush()
}

/// Parameters of the specification's validation run, by query; Q11's fraction is for scale factor 1.
const PARAMETERS: [&[&str]; 22] = [
    &["90"],
    &["15", "BRASS", "EUROPE"],
    &["BUILDING", "1995-03-15"],
    &["1993-07-01"],
    &["ASIA", "1994-01-01"],
    &["1994-01-01", "0.06", "24"],
    &["FRANCE", "GERMANY"],
    &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"],
    &["green"],
    &["1993-10-01"],
    &["GERMANY", "0.0001"],
    &["MAIL", "SHIP", "1994-01-01"],
    &["special", "requests"],
    &["1995-09-01"],
    &["1996-01-01"],
    &["Brand#45", "MEDIUM POLISHED", "49", "14", "23", "45", "19", "3", "36", "9"],
    &["Brand#23", "MED BOX"],
    &["300"],
    &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"],
    &["forest", "1994-01-01", "CANADA"],
    &["SAUDI ARABIA"],
    &["13", "31", "23", "29", "30", "18", "17"],
];

/// Rows that the specification asks for, of queries that give only the first.
const LIMITS: [(usize, u32); 5] = [(2, 100), (3, 10), (10, 20), (18, 100), (21, 100)];

/// The 22 queries with the parameters of the validation run, by number.
fn texts() -> impl Iterator<Item = (usize, String)> {
    PARAMETERS.iter().enumerate().map(|(i, parameters)| {
        let number = i + 1;
        let mut text =
            tpchgen::q_and_a::queries::query(number as i32).unwrap_or_default().to_owned();
        // Longest names first, so that `:1` leaves `:10` alone.
        for (n, value) in parameters.iter().enumerate().rev() {
            text = text.replace(&format!(":{}", n + 1), value);
        }
        // Spellings that PostgreSQL does not take.
        text = text.replace("revenue:s", "revenue0").replace(" day (3)", " day");
        if let Some((_, limit)) = LIMITS.iter().find(|(limited, _)| *limited == number) {
            text = format!("{}\nlimit {limit};\n", text.trim_end().trim_end_matches(';'));
        }
        (number, text)
    })
}

/// Writes the queries.
pub(crate) fn queries(folder: &Path) -> Result<()> {
    create_dir_all(folder)?;
    for (number, text) in texts() {
        write(folder.join(format!("q{number:02}.sql")), text)?;
    }
    Ok(())
}

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where `tpch-data` wrote the tables
    folder: PathBuf,
    /// A server: NAME=URL
    #[arg(long)]
    server: Server,
    /// Runs of each query; the best counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// Loads a server and runs the queries one after the other.
pub(crate) fn run(arguments: &Arguments) -> std::result::Result<(), Failure> {
    runtime()?.block_on(async {
        let (client, _) = arguments.server.connect().await?;
        let tables = TABLES.join(", ");
        client.batch_execute(&format!("DROP TABLE IF EXISTS {tables} CASCADE")).await?;
        client.batch_execute(include_str!("../tpch/schema.sql")).await?;
        for table in TABLES {
            let file = BufReader::new(File::open(arguments.folder.join(format!("{table}.tbl")))?);
            let lines = file.lines().collect::<Result<Vec<String>>>()?;
            copy_with(&client, table, "WITH (DELIMITER '|')", lines.into_iter()).await?;
        }
        client.batch_execute("ANALYZE").await?;
        for (number, text) in texts() {
            let mut best = f64::INFINITY;
            for _ in 0..arguments.runs {
                let start = now();
                client.simple_query(&text).await?;
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("q{number:02} {best:>10.1} ms");
        }
        Ok(())
    })
}
