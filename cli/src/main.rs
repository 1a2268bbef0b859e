//! The `damask` program: a shell, a server, a checker and the SQL cases' runner over one library.
//!
//! `damask FILE` is the shell; the other commands have a name. Nothing here knows more of the database than the library's public
//! face does.

mod command;
mod shell;

use clap::{Parser, Subcommand};
use damask::{Configuration, Database, DatabaseOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A SQL relational database in one file, which also speaks PostgreSQL over the wire.
#[derive(Debug, Parser)]
#[command(
    name = "damask",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The database file, made if it is not there; `:memory:` is one in memory.
    file: Option<PathBuf>,
    /// Run these statements instead of reading them; may be given several times.
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        requires = "file",
        allow_hyphen_values = true
    )]
    sql: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a database to PostgreSQL clients.
    Serve {
        /// The database file, made if it is not there.
        file: PathBuf,
        /// Where to listen; the same as setting listen_addresses and port.
        #[arg(long, value_name = "HOST:PORT")]
        listen: Option<String>,
        /// A setting, as PostgreSQL names it; may be given several times.
        #[arg(short = 'c', long = "set", value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
    /// Run sqllogictest files and folders, each file in a fresh database.
    Slt {
        /// Files or folders.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Over the wire instead of in the process.
        #[arg(long)]
        wire: bool,
    },
    /// Verify checksums, trees, and every index against its rows.
    Check {
        /// The database file.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.command, arguments.file) {
        (Some(Command::Serve { file, listen, settings }), _) => {
            command::serve(&file, listen.as_deref(), &settings)
        }
        (Some(Command::Slt { files, wire }), _) => command::slt(&files, wire),
        (Some(Command::Check { file }), _) => command::check(&file),
        (None, Some(file)) => shell::run(&file, &arguments.sql),
        (None, None) => Ok(ExitCode::from(2)),
    };
    result.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::from(1)
    })
}

/// Opens a database, or makes it with the caller's name as a superuser beside `postgres`.
fn open(file: &Path, configuration: Configuration) -> damask::Result<Database> {
    let creator = whoami::username().ok().filter(|name| !name.is_empty());
    let options = DatabaseOptions { configuration, creator };
    let in_memory = file == Path::new(":memory:");
    Database::open_with((!in_memory).then_some(file), options)
}

/// Tells an error that ends the program.
fn complain(error: &damask::Error) {
    let fields = error.fields();
    let mut text = format!("damask: {}\n", fields.message);
    for more in [&fields.detail, &fields.hint].into_iter().flatten() {
        text.push_str(more);
        text.push('\n');
    }
    // Nobody is left to tell when this fails.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_may_begin_with_a_comment() {
        let arguments = Arguments::parse_from(["damask", "f", "-c", "-- one\nSELECT 1"]);
        assert_eq!(arguments.sql, ["-- one\nSELECT 1"]);
    }
}
