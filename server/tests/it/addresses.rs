//! Lists of TCP addresses (`listen_addresses`).

use crate::client::block_on;
use damask::Database;
use damask_server::{Place, Server, ServerOptions, serve};
use damask_types::Result;
use std::net::SocketAddr;
use tokio_postgres::SimpleQueryMessage;

fn serve_at(database: &Database, listen: &str) -> Result<Server> {
    let options = ServerOptions { listen: listen.to_owned(), ..ServerOptions::default() };
    serve(database.clone(), options)
}

fn addresses(server: &Server) -> Vec<SocketAddr> {
    let address = |place: &Place| match place {
        Place::Tcp(address) => *address,
        Place::Local(..) => panic!("a socket nobody asked for: {place}"),
    };
    server.places().iter().map(address).collect()
}

/// What a session there says of its client.
fn ask(address: SocketAddr) -> String {
    let config =
        format!("host={} port={} user=postgres password=secret", address.ip(), address.port());
    block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let host = "SELECT client_addr FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let answer = client.simple_query(host).await.unwrap();
        let rows = answer.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        let host = rows.collect::<String>();
        drop(client);
        connection.await.unwrap().unwrap();
        host
    })
}

#[test]
fn a_server_listens_at_several_addresses() {
    let database = Database::open_in_memory().unwrap();
    let server = serve_at(&database, "127.0.0.1, 127.0.0.2,127.0.0.1:0").unwrap();
    let port = server.local_addr().port();
    let expected =
        ["127.0.0.1", "127.0.0.2"].map(|host| SocketAddr::new(host.parse().unwrap(), port));
    assert_eq!(addresses(&server), expected);
    assert!(server.warnings().is_empty());
    assert_eq!(expected.map(ask), ["127.0.0.1"; 2]);
    server.stop();
}

#[test]
fn an_address_that_cannot_be_had_is_told() {
    let database = Database::open_in_memory().unwrap();
    let first = serve_at(&database, "127.0.0.1:0").unwrap();
    let port = first.local_addr().port();
    // Longer than a name can be, so that nobody is asked for it.
    let nowhere = "a".repeat(64);
    let second = serve_at(&database, &format!("127.0.0.1,{nowhere},127.0.0.2:{port}")).unwrap();
    assert_eq!(addresses(&second), [format!("127.0.0.2:{port}").parse().unwrap()]);
    let told: Vec<&str> = second.warnings().iter().map(damask::Error::message).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with(&format!("could not listen on {nowhere}:{port}: ")));
    assert_eq!(told[1], format!("could not listen on 127.0.0.1:{port}: the port is taken"));
    let error = serve_at(&database, &format!("127.0.0.1:{port}")).unwrap_err();
    assert_eq!(error.sqlstate().as_str(), "55000");
    second.stop();
    first.stop();
}

#[test]
fn all_addresses_are_for_servers_with_passwords() {
    let database = Database::open_in_memory().unwrap();
    for listen in ["*:0", "127.0.0.1, 0.0.0.0:0"] {
        let error = serve_at(&database, listen).unwrap_err();
        assert_eq!(error.sqlstate().as_str(), "28000", "{listen}");
    }
    database.connect().unwrap().execute("ALTER ROLE postgres PASSWORD 'secret'").unwrap();
    let server = serve_at(&database, "*:0").unwrap();
    let port = server.local_addr().port();
    let expected = ["0.0.0.0", "::"].map(|host| SocketAddr::new(host.parse().unwrap(), port));
    // A machine may lack the sixth version.
    let (served, told) = (addresses(&server), server.warnings().len());
    assert_eq!(served, expected[..2 - told]);
    assert_eq!(ask((std::net::Ipv4Addr::LOCALHOST, port).into()), "127.0.0.1");
    server.stop();
}

#[test]
fn an_address_has_a_port() {
    let database = Database::open_in_memory().unwrap();
    for listen in ["127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:x"] {
        let error = serve_at(&database, listen).unwrap_err();
        assert_eq!(error.sqlstate().as_str(), "22023", "{listen}");
    }
}
