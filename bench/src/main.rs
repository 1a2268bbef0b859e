//! Data and queries of the benchmarks: `damask-bench tpch-data SCALE FOLDER`, `damask-bench tpch-queries FOLDER`; what
//! writers wait for while checkpoints are made: `damask-bench stall FOLDER [SECONDS]`.
//!
//! The scripts beside this crate load them into Damask, PostgreSQL and DuckDB and compare (`bench/README.md`).
#![expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]
#![expect(clippy::print_stdout, reason = "its tables are its output")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock")]
#![expect(
    clippy::disallowed_types,
    reason = "a generator writes plain files; nothing here is the database's"
)]

mod stall;

use std::fmt::Display;
use std::fs::{File, create_dir_all, write};
use std::io::{BufWriter, Result, Write};
use std::path::Path;
use std::process::ExitCode;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["tpch-data", scale, folder] => match scale.parse() {
            Ok(scale) => tpch_data(scale, Path::new(folder)),
            Err(_) => return usage(),
        },
        ["tpch-queries", folder] => tpch_queries(Path::new(folder)),
        ["stall", folder] => stall::run(Path::new(folder), 10),
        ["stall", folder, seconds] => match seconds.parse() {
            Ok(seconds) => stall::run(Path::new(folder), seconds),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("damask-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: damask-bench tpch-data SCALE FOLDER | tpch-queries FOLDER | stall FOLDER [SECONDS]"
    );
    ExitCode::FAILURE
}

/// Writes the eight tables, fields separated by `|`.
fn tpch_data(scale: f64, folder: &Path) -> Result<()> {
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

/// Writes the 22 queries with the parameters of the validation run.
fn tpch_queries(folder: &Path) -> Result<()> {
    create_dir_all(folder)?;
    for (i, parameters) in PARAMETERS.iter().enumerate() {
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
        write(folder.join(format!("q{number:02}.sql")), text)?;
    }
    Ok(())
}
