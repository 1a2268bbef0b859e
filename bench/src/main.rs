//! Benchmarks that need a program: TPC-H's data, and drivers of TPC-C, YCSB and the embedded library.
//!
//! `damask-bench --help` lists them; `bench/README.md` has commands that run as they stand.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod chance;
mod client;
mod compression;
mod embedded;
mod measure;
mod server;
mod sqlite;
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it measures the machine's clock and disk"
)]
mod stall;
mod text;
mod tpcc;
mod tpch;
mod ycsb;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What drivers fail with: a sentence for the user.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The program.
#[derive(Parser)]
#[command(name = "damask-bench", about = "Benchmarks of Damask and its peers")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes TPC-H's eight tables
    TpchData { scale: f64, folder: PathBuf },
    /// Writes TPC-H's 22 queries
    TpchQueries { folder: PathBuf },
    /// Loads TPC-H into a server and runs its queries
    Tpch(tpch::Arguments),
    /// Runs small statements on a server in each form in which clients send text
    Text(text::Arguments),
    /// What writers wait for while checkpoints are made
    Stall {
        folder: PathBuf,
        #[arg(default_value_t = 10)]
        seconds: u64,
    },
    /// What compression of pages saves and costs
    Compression {
        folder: PathBuf,
        #[arg(default_value_t = 0.05)]
        scale: f64,
    },
    /// Runs a TPC-C-like load on servers
    Tpcc(tpcc::Arguments),
    /// Runs YCSB's workloads on servers and on SQLite
    Ycsb(ycsb::Arguments),
    /// Runs the library or SQLite inside this process
    Embedded(embedded::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::TpchData { scale, folder } => tpch::data(scale, &folder).map_err(Failure::from),
        Task::TpchQueries { folder } => tpch::queries(&folder).map_err(Failure::from),
        Task::Tpch(arguments) => tpch::run(&arguments),
        Task::Text(arguments) => text::run(&arguments),
        Task::Stall { folder, seconds } => stall::run(&folder, seconds).map_err(Failure::from),
        Task::Compression { folder, scale } => compression::run(&folder, scale),
        Task::Tpcc(arguments) => tpcc::run(&arguments),
        Task::Ycsb(arguments) => ycsb::run(&arguments),
        Task::Embedded(arguments) => embedded::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("damask-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
