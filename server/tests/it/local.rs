//! Unix-domain sockets (`unix_socket_directories`): the same conversation, and the files that lie where they are.

use crate::client::block_on;
use crate::ends::clients_that_go_away;
use crate::transcript::Raw;
use damask::Database;
use damask_server::{Place, Server, ServerOptions, serve};
use damask_types::Result;
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

const PORT: u16 = 5432;

/// An empty directory for the sockets of a test.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("damask-local-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

/// A server of a new database, there and nowhere else.
fn local_server(directories: &[&Path]) -> Result<Server> {
    let socket_directories = directories.iter().map(|&path| path.to_owned()).collect();
    let listen = format!(":{PORT}");
    let options = ServerOptions { listen, socket_directories, ..ServerOptions::default() };
    serve(Database::open_in_memory().unwrap(), options)
}

fn socket(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}"))
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_client_connects_by_a_file() {
    let directory = directory("connects");
    let server = local_server(&[&directory]).unwrap();
    assert_eq!(server.places(), [Place::Local(directory.clone(), PORT)]);
    assert_eq!(files(&directory), [".s.PGSQL.5432", ".s.PGSQL.5432.lock"]);
    let lock = fs::read_to_string(directory.join(".s.PGSQL.5432.lock")).unwrap();
    assert_eq!(lock, format!("{}\n", std::process::id()));
    let config = format!("host={} port={PORT} user=postgres", directory.display());
    block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let peer = "SELECT client_addr IS NULL, client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = client.query_one(peer, &[]).await.unwrap();
        assert_eq!((row.get(0), row.get(1)), (true, -1));
        // More than a socket's buffers hold, so that it is written in pieces.
        let rows = client.query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)", &[]);
        assert_eq!(rows.await.unwrap().len(), 5000);
        drop(client);
        connection.await.unwrap().unwrap();
    });
    server.stop();
    assert_eq!(files(&directory), Vec::<String>::new());
    fs::remove_dir(directory).unwrap();
}

#[test]
fn a_local_client_that_goes_away_stops_its_statement() {
    let directory = directory("goes");
    let options = ServerOptions {
        listen: "127.0.0.1:0".into(),
        socket_directories: vec![directory.clone()],
        ..ServerOptions::default()
    };
    let server = serve(Database::open_in_memory().unwrap(), options).unwrap();
    let name = format!(".s.PGSQL.{}", server.local_addr().port());
    clients_that_go_away(&server, || Raw::local(&directory.join(&name)).greeted());
    server.stop();
    fs::remove_dir(directory).unwrap();
}

#[test]
fn of_two_servers_one_gives_up() {
    let directory = directory("two");
    let server = local_server(&[&directory]).unwrap();
    let error = local_server(&[&directory]).unwrap_err();
    let taken = format!("could not listen on {}: the port is taken", socket(&directory).display());
    assert_eq!(error.message(), taken);
    // The first one is served as before.
    let mut raw = Raw::local(&socket(&directory)).greeted();
    assert_eq!(raw.query("select 1"), "T D C[SELECT 1] ZI");
    server.stop();
    // One that has no such lock, as PostgreSQL.
    let other = UnixListener::bind(socket(&directory)).unwrap();
    let lock = directory.join(".s.PGSQL.5432.lock");
    fs::write(&lock, "its own\n").unwrap();
    assert_eq!(local_server(&[&directory]).unwrap_err().message(), taken);
    assert!(UnixStream::connect(socket(&directory)).is_ok());
    assert_eq!(fs::read_to_string(&lock).unwrap(), "its own\n");
    drop(other);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_a_crash_left_is_taken_over() {
    let directory = directory("crash");
    drop(UnixListener::bind(socket(&directory)).unwrap());
    fs::write(directory.join(".s.PGSQL.5432.lock"), "123456789\nand more\n").unwrap();
    let server = local_server(&[&directory]).unwrap();
    let mut raw = Raw::local(&socket(&directory)).greeted();
    assert_eq!(raw.query("select 1"), "T D C[SELECT 1] ZI");
    server.stop();
    fs::remove_dir(directory).unwrap();
}

#[test]
fn a_socket_that_cannot_be_had_is_told() {
    let directory = directory("told");
    let missing = directory.join("missing");
    let error = local_server(&[&missing]).unwrap_err();
    assert!(error.message().ends_with("No such file or directory (os error 2)"), "{error}");
    let long = directory.join("x".repeat(100));
    fs::create_dir(&long).unwrap();
    let error = local_server(&[&long]).unwrap_err();
    assert!(error.message().contains("must be shorter than SUN_LEN"), "{error}");
    assert_eq!(files(&long), Vec::<String>::new());
    let elsewhere = directory.join("elsewhere");
    fs::write(&elsewhere, "kept").unwrap();
    std::os::unix::fs::symlink(&elsewhere, directory.join(".s.PGSQL.5432.lock")).unwrap();
    let error = local_server(&[&directory]).unwrap_err();
    assert!(error.message().contains("symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
    fs::remove_file(directory.join(".s.PGSQL.5432.lock")).unwrap();
    // What can be had is.
    let server = local_server(&[&missing, &directory]).unwrap();
    assert_eq!(server.places(), [Place::Local(directory.clone(), PORT)]);
    assert_eq!(server.warnings().len(), 1);
    server.stop();
    assert_eq!(local_server(&[]).unwrap_err().sqlstate().as_str(), "55000");
    fs::remove_dir_all(directory).unwrap();
}
