//! The real engine behind the protocol, with a stock client.

use crate::client::{block_on, connect};
use damask_server::{Server, ServerOptions, serve};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

pub(crate) fn server() -> Server {
    let database = damask::Database::open_in_memory().unwrap();
    let options = ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() };
    serve(database, options).unwrap()
}

const CONFIG: &str = "user=postgres dbname=postgres";

#[test]
fn statements_travel_the_whole_way() {
    let server = server();
    block_on(async {
        let client = connect(&server, CONFIG).await.unwrap();
        client
            .batch_execute(
                "create table t (a int primary key, b text); insert into t values (1, 'x')",
            )
            .await
            .unwrap();
        let insert = client.prepare("insert into t values ($1, $2)").await.unwrap();
        for a in 2..10_i32 {
            assert_eq!(client.execute(&insert, &[&a, &format!("row {a}")]).await.unwrap(), 1);
        }
        let row = client.query_one("select b from t where a = $1", &[&5_i32]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "row 5");
        // The name of a relation as a parameter.
        let rows = client
            .query_typed("select $1::regclass::oid = 't'::regclass::oid", &[(&"t", Type::TEXT)])
            .await
            .unwrap();
        assert!(rows[0].get::<_, bool>(0));
        let row = client.query_one("select count(*), sum(a) from t", &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (9, 45));
    });
    server.stop();
}

#[test]
fn errors_have_positions_and_blocks_fail() {
    let server = server();
    block_on(async {
        let mut client = connect(&server, CONFIG).await.unwrap();
        let error = client.batch_execute("select 'é', nothing").await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "42703");
        assert_eq!(error.position(), Some(&tokio_postgres::error::ErrorPosition::Original(13)));
        let transaction = client.transaction().await.unwrap();
        let error = transaction.batch_execute("select 1/0").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "22012");
        let error = transaction.batch_execute("select 1").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "25P02");
        transaction.rollback().await.unwrap();
        client.batch_execute("select 1").await.unwrap();
    });
    server.stop();
}

#[test]
fn every_type_travels_as_text() {
    let server = server();
    block_on(async {
        let client = connect(&server, CONFIG).await.unwrap();
        for (ty, text) in [
            ("bool", "t"),
            ("int2", "-7"),
            ("int4", "2147483647"),
            ("int8", "-9223372036854775808"),
            ("numeric", "12345678901234567890.000100"),
            ("float4", "1.5"),
            ("float8", "-1e-300"),
            ("text", "a'é"),
            ("varchar(3)", "abc"),
            ("char(4)", "ab  "),
            ("bytea", "\\x00ff"),
            ("date", "2024-02-29"),
            ("time", "23:59:59.123456"),
            ("timestamp", "2024-02-29 12:34:56.5"),
            ("interval", "1 mon 2 days 03:04:05"),
            ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ("oid", "4000000000"),
            ("name", "n"),
            ("int4[]", "{1,NULL,3}"),
            ("text[]", "{a,\"b c\"}"),
        ] {
            let query = format!("select '{}'::{ty}", text.replace('\'', "''"));
            let messages = client.simple_query(&query).await.unwrap();
            let found = messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            assert_eq!(found, Some(text), "{ty}");
        }
    });
    server.stop();
}

#[test]
fn copies_go_in_and_out() {
    let server = server();
    block_on(async {
        let client = connect(&server, CONFIG).await.unwrap();
        client.batch_execute("create table t (a int, b text)").await.unwrap();
        let sink = client.copy_in("copy t from stdin").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        use futures_util::SinkExt;
        for part in ["1\ton", "e\n2\t", "\\N\n", "3\tthree\n"] {
            sink.send(bytes::Bytes::from(part)).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 3);
        let stream = client.copy_out("copy t to stdout").await.unwrap();
        use futures_util::TryStreamExt;
        let parts: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(parts.concat(), b"1\tone\n2\t\\N\n3\tthree\n");
        let sink = client.copy_in::<_, bytes::Bytes>("copy t from stdin").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(bytes::Bytes::from("x\ty\n")).await.unwrap();
        let error = sink.finish().await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "22P02");
        let row = client.query_one("select count(*) from t", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 3);
    });
    server.stop();
}

#[test]
fn copies_go_in_and_out_in_binary() {
    use futures_util::TryStreamExt;
    use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
    use tokio_postgres::types::Type;
    let server = server();
    block_on(async {
        let client = connect(&server, CONFIG).await.unwrap();
        client.batch_execute("create table t (a int, b text)").await.unwrap();
        let types = [Type::INT4, Type::TEXT];
        let sink = client.copy_in("copy t from stdin (format binary)").await.unwrap();
        let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &types));
        for a in 0..2_000_i32 {
            let b = (a % 3 > 0).then(|| format!("row {a}"));
            writer.as_mut().write(&[&a, &b]).await.unwrap();
        }
        assert_eq!(writer.finish().await.unwrap(), 2_000);
        let stream = client.copy_out("copy t to stdout with binary").await.unwrap();
        let rows: Vec<_> = BinaryCopyOutStream::new(stream, &types).try_collect().await.unwrap();
        assert_eq!(rows.len(), 2_000);
        assert_eq!(rows[1_000].get::<i32>(0), 1_000);
        assert_eq!(rows[1_000].get::<Option<&str>>(1), Some("row 1000"));
        assert_eq!(rows[999].get::<Option<&str>>(1), None);
    });
    server.stop();
}

#[test]
fn a_running_query_is_cancelled() {
    let server = server();
    block_on(async {
        let client = connect(&server, CONFIG).await.unwrap();
        let token = client.cancel_token();
        let query = client.batch_execute("select count(*) from generate_series(1, 1000000000) a");
        let cancel = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            token.cancel_query(tokio_postgres::NoTls).await.unwrap();
        };
        let (result, ()) = tokio::join!(query, cancel);
        assert_eq!(result.unwrap_err().code().unwrap().code(), "57014");
        client.batch_execute("select 1").await.unwrap();
    });
    server.stop();
}

#[test]
fn portals_stop_at_their_row_limit() {
    let server = server();
    block_on(async {
        let mut client = connect(&server, CONFIG).await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let portal = transaction.bind("select a from generate_series(1, 5) a", &[]).await.unwrap();
        let mut sizes = Vec::new();
        loop {
            let rows = transaction.query_portal(&portal, 2).await.unwrap();
            sizes.push(rows.len());
            if rows.len() < 2 {
                break;
            }
        }
        assert_eq!(sizes, [2, 2, 1]);
    });
    server.stop();
}

/// The types that a client gives are those of the statement inside, too.
#[test]
fn parameters_reach_the_query_of_cursors_and_new_tables() {
    let server = server();
    block_on(async {
        let mut client = connect(&server, CONFIG).await.unwrap();
        client
            .batch_execute("create table t as select a from generate_series(1, 9) a")
            .await
            .unwrap();
        let transaction = client.transaction().await.unwrap();
        let text = "declare c cursor for select a from t where a between $1 and $2 order by a";
        let declare = transaction.prepare_typed(text, &[Type::INT2, Type::INT8]).await.unwrap();
        transaction.execute(&declare, &[&2_i16, &4_i64]).await.unwrap();
        // Without types they are the query's.
        let declare = text.replace("declare c", "declare d");
        transaction.execute(&declare, &[&7_i32, &8_i32]).await.unwrap();
        let mut found: Vec<i32> = Vec::new();
        for fetch in ["fetch all from c", "fetch all from d"] {
            found.extend(
                transaction.query(fetch, &[]).await.unwrap().iter().map(|row| row.get::<_, i32>(0)),
            );
        }
        assert_eq!(found, [2, 3, 4, 7, 8]);
        for text in [
            "create table made as select a from t where a < $1 order by a limit $2",
            "select a into made from t where a < $1 order by a limit $2",
        ] {
            let make = transaction.prepare_typed(text, &[Type::INT2]).await.unwrap();
            assert_eq!(transaction.execute(&make, &[&7_i16, &2_i64]).await.unwrap(), 2, "{text}");
            let rows = transaction.query("select a from made order by a", &[]).await.unwrap();
            let made: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(made, [1, 2], "{text}");
            transaction.batch_execute("drop table made").await.unwrap();
        }
    });
    server.stop();
}
