//! A stock client: prepared statements with binary values both ways, portals, pipelines, passwords.

use crate::scripted::Scripted;
use tokio_postgres::{Client, NoTls};

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) async fn connect(
    server: &damask_server::Server,
    rest: &str,
) -> Result<Client, tokio_postgres::Error> {
    let port = server.local_addr().port();
    let config = format!("host=127.0.0.1 port={port} {rest}");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[test]
fn values_go_both_ways_in_binary() {
    let server = Scripted::default().serve();
    block_on(async {
        let client = connect(&server, "user=me").await.unwrap();
        macro_rules! echo {
            ($ty:literal, $rust:ty, $value:expr) => {
                let value: $rust = $value;
                let row = client.query_one(concat!("echo ", $ty), &[&value]).await.unwrap();
                assert_eq!(row.get::<_, $rust>(0), value, $ty);
                let none: Option<$rust> = None;
                let row = client.query_one(concat!("echo ", $ty), &[&none]).await.unwrap();
                assert_eq!(row.get::<_, Option<$rust>>(0), None, $ty);
            };
        }
        echo!("bool", bool, true);
        echo!("int2", i16, -7);
        echo!("int4", i32, i32::MIN);
        echo!("int8", i64, i64::MAX);
        echo!("float4", f32, 1.5);
        echo!("float8", f64, -0.1);
        echo!("text", String, "aé".to_owned());
        echo!("varchar", String, String::new());
        echo!("bytea", Vec<u8>, vec![0, 255]);
        echo!("oid", u32, 4_000_000_000);
    });
    server.stop();
}

#[test]
fn large_results_stream_and_pipelines_keep_order() {
    let server = Scripted::default().serve();
    block_on(async {
        let client = connect(&server, "user=me").await.unwrap();
        let rows = client.query("rows 100000", &[]).await.unwrap();
        assert_eq!(rows.len(), 100_000);
        assert_eq!(rows[99_999].get::<_, i32>(0), 99_999);
        let echo = client.prepare("echo int4").await.unwrap();
        let (a, b) =
            tokio::join!(client.query_one(&echo, &[&1_i32]), client.query_one(&echo, &[&2_i32]));
        assert_eq!((a.unwrap().get::<_, i32>(0), b.unwrap().get::<_, i32>(0)), (1, 2));
        let error = client.query("fail", &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("42601", "failed as told"));
        assert_eq!(error.detail(), Some("It was told to."));
        assert!(client.batch_execute("set").await.is_ok());
    });
    server.stop();
}

/// The verifier of the password `secret`, from PostgreSQL 15.
const VERIFIER: &str = "SCRAM-SHA-256$4096:GO/KnLwXxt21e0guSJWvnQ==$wU8NORzDJmK8fmiYefp7Lb8J4p8W12XAAuI/N2cxYlQ=:BuZB7yheeJRSEH4jUG4qDm6/zLBC75CcIHGSlFbEQUU=";

#[test]
fn passwords_are_checked() {
    let mut host = Scripted::default();
    host.verifiers.insert("me".into(), VERIFIER.into());
    let server = host.serve();
    block_on(async {
        assert!(connect(&server, "user=me password=secret").await.is_ok());
        let error = connect(&server, "user=me password=wrong").await.err().unwrap();
        assert_eq!(error.code().unwrap().code(), "28P01");
        let error = connect(&server, "user=nobody").await.err().unwrap();
        assert_eq!(error.code().unwrap().code(), "28000");
    });
    server.stop();
}
