//! The commands with a name: `serve`, `slt`, `check`.

use damask::{Configuration, Error, Result, SqlState};
use damask_server::ServerOptions;
use damask_slt::{Door, collect_files, run_files};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};

/// Prints, and forgives a reader that went away.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// 58030: the operating system refused.
pub(crate) fn io_error(what: &str, error: io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("{what}: {error}")).source(error)
}

/// What `-c NAME=VALUE` and `--listen HOST:PORT` set.
fn configuration(listen: Option<&str>, settings: &[String]) -> Result<Configuration> {
    let invalid = |message| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut configuration = Configuration::default();
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| invalid(format!("-c {setting} requires a value: -c NAME=VALUE")))?;
        configuration.set(name.trim(), value.trim())?;
    }
    if let Some(listen) = listen {
        let (host, port) = listen
            .rsplit_once(':')
            .ok_or_else(|| invalid(format!("\"{listen}\" is not of the form HOST:PORT")))?;
        configuration.set("listen_addresses", host)?;
        configuration.set("port", port)?;
    }
    Ok(configuration)
}

/// Serves a file until SIGINT or SIGTERM.
pub(crate) fn serve(file: &Path, listen: Option<&str>, settings: &[String]) -> Result<ExitCode> {
    let configuration = configuration(listen, settings)?;
    let options = ServerOptions {
        listen: configuration.listen(),
        socket_directories: configuration.socket_directories(),
        connections_max: configuration.connections_max(),
        ..ServerOptions::default()
    };
    let database = crate::open(file, configuration)?;
    let server = damask_server::serve(database.clone(), options)?;
    server.warnings().iter().for_each(crate::complain);
    let place = &server.places()[0];
    let (host, port) = (place.host(), place.port());
    say(&format!(
        "Damask {} serves {} on {place}. Connect with\n\n    psql -h {host} -p {port} -U postgres postgres\n\nand stop it with Ctrl-C.\n",
        env!("CARGO_PKG_VERSION"),
        file.display(),
    ));
    let stop = server.stopper();
    on_signals(&[SignalKind::interrupt(), SignalKind::terminate()], move || stop())?;
    server.wait();
    database.close()?;
    Ok(ExitCode::SUCCESS)
}

/// Calls `then` at each of some signals, from a thread of its own, for the rest of the process.
pub(crate) fn on_signals(kinds: &[SignalKind], then: impl Fn() + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| io_error("could not listen for signals", error))?;
    let mut signals = {
        let _guard = runtime.enter();
        kinds
            .iter()
            .map(|&kind| signal(kind))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| io_error("could not listen for signals", error))?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    std::future::poll_fn(|context| {
                        if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                            std::task::Poll::Ready(())
                        } else {
                            std::task::Poll::Pending
                        }
                    })
                    .await;
                    then();
                }
            });
        })
        .map_err(|error| io_error("could not start a thread", error))?;
    Ok(())
}

/// Runs SQL cases and tells what failed.
pub(crate) fn slt(paths: &[PathBuf], wire: bool) -> Result<ExitCode> {
    let mut files = vec![];
    for path in paths {
        let found = collect_files(path)
            .map_err(|error| io_error(&format!("could not read {}", path.display()), error))?;
        files.extend(found);
    }
    let door = if wire { Door::Wire } else { Door::Embedded };
    let summary = run_files(&files, door, |file, summary| {
        for failure in &summary.failures {
            say(&format!("{failure}\n\n"));
        }
        if !summary.is_ok() {
            say(&format!("{}: {summary}\n\n", file.display()));
        }
    });
    say(&format!("{door}: {summary}\n"));
    Ok(if summary.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Verifies a file and prints each problem.
pub(crate) fn check(file: &Path) -> Result<ExitCode> {
    if !file.exists() {
        return Err(Error::new(
            SqlState::UNDEFINED_FILE,
            format!("there is no file \"{}\"", file.display()),
        ));
    }
    let database = damask::Database::open(file)?;
    let report = database.verify()?;
    for problem in &report.errors {
        say(&format!("{problem}\n"));
    }
    say(&format!(
        "{}: {} pages, {} rows, {} index entries, {} problems\n",
        file.display(),
        report.pages,
        report.rows,
        report.index_entries,
        report.errors.len()
    ));
    if report.errors.is_empty() {
        database.close()?;
    }
    Ok(if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
