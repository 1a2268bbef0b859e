//! The shell of `damask FILE`: statements and psql's basic meta-commands, from a terminal, a pipe, or `-c`.
//!
//! Reading order: this file is the loop; [`scan`] finds where a statement ends; [`execute`] runs one and takes its results as text;
//! [`print`] lays out tables as psql does, byte for byte; [`report`] errors, too; [`meta`] is the commands with a backslash, and
//! [`describe`] what they say of objects.
//!
//! Left out: variables, conditionals, `\copy`, `\watch`, wrapped and unaligned formats, a pager.

mod describe;
mod edit;
mod execute;
mod meta;
mod print;
mod report;
mod scan;

use crate::command::{io_error, on_signals, say};
use damask::{Configuration, Database, Result, Session, SessionOptions, TransactionStatus};
use edit::{Editor, Input};
use scan::{Piece, Scanner};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::SignalKind;

/// How deep `\i` goes.
const INCLUDE_DEPTH_MAX: usize = 32;

/// What the commands of the shell change.
pub(crate) struct Shell {
    database: Database,
    session: Session,
    name: String,
    /// `\x`.
    is_expanded: bool,
    /// `\timing`.
    is_timing: bool,
    has_failed: bool,
    is_over: bool,
    include_depth: usize,
}

/// Runs the shell on a file.
pub(crate) fn run(file: &Path, commands: &[String]) -> Result<ExitCode> {
    let database = crate::open(file, Configuration::default())?;
    let session = database.session(SessionOptions {
        settings: vec![("application_name".to_owned(), "damask".to_owned())],
        ..SessionOptions::default()
    })?;
    let is_interactive = commands.is_empty() && io::stdin().is_terminal();
    let mut shell = Shell {
        name: file.display().to_string(),
        session,
        is_expanded: false,
        is_timing: false,
        has_failed: false,
        is_over: false,
        include_depth: 0,
        database,
    };
    let (pid, secret) = (shell.session.pid(), shell.session.secret());
    let cancel = shell.database.clone();
    on_signals(&[SignalKind::interrupt()], move || cancel.cancel_request(pid, secret))?;
    if is_interactive {
        shell.interact()?;
    } else if commands.is_empty() {
        let stdin = io::stdin();
        shell.read(&mut stdin.lock())?;
    } else {
        for command in commands {
            shell.read(&mut io::Cursor::new(format!("{command}\n")))?;
        }
    }
    let Shell { database, session, has_failed, .. } = shell;
    drop(session);
    database.close()?;
    Ok(if has_failed && !is_interactive { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

impl Shell {
    fn interact(&mut self) -> Result<()> {
        say(&format!(
            "damask {}, {}. Type \\? for help, \\q to leave.\n",
            env!("CARGO_PKG_VERSION"),
            self.name
        ));
        let mut editor = Editor::new()?;
        while !self.is_over {
            let mark = match self.session.status() {
                TransactionStatus::Idle => "",
                TransactionStatus::Open => "*",
                TransactionStatus::Failed => "!",
            };
            match editor.read(mark)? {
                Input::Text(text) => self.read(&mut io::Cursor::new(format!("{text}\n")))?,
                Input::Interrupt => {}
                Input::End => break,
            }
        }
        Ok(())
    }

    /// Runs what a source holds: statements, which may stand in several lines, and commands, one a line.
    fn read(&mut self, source: &mut dyn BufRead) -> Result<()> {
        let mut scanner = Scanner::default();
        let mut line = String::new();
        while !self.is_over {
            line.clear();
            let count =
                source.read_line(&mut line).map_err(|error| io_error("could not read", error))?;
            if count == 0 {
                break;
            }
            if scanner.is_empty() && line.trim_start().starts_with('\\') {
                self.meta(line.trim())?;
                continue;
            }
            scanner.push(&line);
            while let Some(piece) = scanner.next_piece() {
                match piece {
                    Piece::Statement(text) => self.statement(&text, source)?,
                    // `SELECT 1 \x`: the command comes first, as the statement is not over.
                    Piece::Command(text) => self.meta(text.trim())?,
                }
            }
        }
        let rest = scanner.rest();
        if !rest.trim().is_empty() && !self.is_over {
            self.statement(&rest, source)?;
        }
        Ok(())
    }

    /// Runs one statement and prints what comes of it.
    #[expect(clippy::disallowed_methods, reason = "`\\timing` tells a person how long it took")]
    fn statement(&mut self, text: &str, source: &mut dyn BufRead) -> Result<()> {
        let started = Instant::now();
        let outcome = execute::run(&mut self.session, text, source);
        let elapsed = started.elapsed();
        let mut out = String::new();
        for notice in self.session.take_notices() {
            report::notice(&notice, text, &mut out);
        }
        // Notices and errors go to the other stream, in their order with what is printed.
        Self::tell(&out);
        match outcome {
            Ok(results) => {
                for result in results {
                    self.print_result(&result)?;
                }
            }
            Err((results, error)) => {
                for result in results {
                    self.print_result(&result)?;
                }
                self.fail(&error, text);
            }
        }
        if self.is_timing {
            say(&format!("Time: {:.3} ms\n", elapsed.as_secs_f64() * 1e3));
        }
        Ok(())
    }

    fn print_result(&self, result: &execute::Outcome) -> Result<()> {
        let mut out = vec![];
        if let Some(table) = &result.table {
            print::table(table, self.is_expanded, &mut out);
        }
        out.extend_from_slice(&result.copied);
        if let Some(tag) = &result.tag {
            let is_change = ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| tag.starts_with(verb));
            let is_copy_out = tag.starts_with("COPY") && result.is_copy_out;
            if (result.table.is_none() || is_change) && !is_copy_out {
                out.extend_from_slice(tag.as_bytes());
                out.push(b'\n');
            }
        }
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&out)
            .and_then(|()| stdout.flush())
            .map_err(|error| io_error("could not write", error))
    }

    fn fail(&mut self, error: &damask::Error, text: &str) {
        let mut out = String::new();
        report::error(error, text, &mut out);
        Self::tell(&out);
        self.has_failed = true;
    }

    fn tell(text: &str) {
        // There is nobody else to tell if this fails.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
