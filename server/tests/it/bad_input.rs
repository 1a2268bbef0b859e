//! Broken messages to the real engine: an error each time, or the end of the connection, as PostgreSQL 15 answers; and the
//! server goes on.
//!
//! Where we differ on purpose: an impossible length is answered with an error before the connection ends, a bad result
//! format is told at Bind, an unknown type is 42704, the function call message is 0A000, and a statement that is nested too
//! deep is 54001.

use crate::engine::server;
use crate::transcript::{Raw, bind, execute, message, parse, sync};
use std::time::Duration;

/// What every case is followed by.
const GOES_ON: &str = "T D C[SELECT 1] ZI";

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

/// A Bind of the unnamed statement with this rest.
fn bind_with(rest: &[u8]) -> Vec<u8> {
    message(b'B', &[b"\0\0", rest].concat())
}

/// The statement `text`, and a Bind of it.
fn bound(text: &str, rest: &[u8]) -> Vec<u8> {
    [parse(text), bind_with(rest), execute(0), sync()].concat()
}

#[test]
fn broken_messages_are_answered_as_in_postgresql() {
    let server = server();
    let deep = format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (message(b'Q', b"select 1"), "E[SERROR C08P01] ZI"),
        (message(b'Q', b"select 1\0select 2\0"), "E[SERROR C08P01] ZI"),
        (message(b'Q', b"select '\xff'\0"), "E[SERROR C22021] ZI"),
        ([message(b'P', b"\0select '\xc3(\0\0\0"), sync()].concat(), "E[SERROR C22021] ZI"),
        ([message(b'P', b"\0select 1\0\xff\xff"), sync()].concat(), "E[SERROR C08P01] ZI"),
        (
            [message(b'P', b"\0select $1\0\0\x01\0\0\xff\xff"), sync()].concat(),
            "E[SERROR C42704] ZI",
        ),
        ([message(b'D', b"Sx\0"), sync()].concat(), "E[SERROR C26000] ZI"),
        ([message(b'D', b"Px\0"), sync()].concat(), "E[SERROR C34000] ZI"),
        ([message(b'D', b"Xx\0"), sync()].concat(), "E[SERROR C08P01] ZI"),
        ([message(b'C', b"Xx\0"), sync()].concat(), "E[SERROR C08P01] ZI"),
        ([message(b'C', b"Sx\0"), message(b'C', b"Px\0"), sync()].concat(), "3 3 ZI"),
        ([message(b'E', b"x\0\0\0\0\0"), sync()].concat(), "E[SERROR C34000] ZI"),
        ([message(b'B', b"\0nope\0\0\0\0\0\0\0"), sync()].concat(), "E[SERROR C26000] ZI"),
        ([message(b'B', b""), sync()].concat(), "E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\0\0\0\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select 1", b"\0\0\0\x01\0\0\0\x01x\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\x02\0\0\0\0\0\x01\0\0\0\x011\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\x01\0\x07\0\x01\0\0\0\x011\0\0"), "1 E[SERROR C22023] ZI"),
        (bound("select 1", b"\0\0\0\0\0\x01\0\x07"), "1 E[SERROR C22023] ZI"),
        (bound("select 1", b"\0\0\0\0\0\x02\0\0\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\0\0\x01\xff\xff\xff\xfe\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\0\0\x01\0\0\x01\0x\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\0\xff\xff\0\0"), "1 E[SERROR C08P01] ZI"),
        (bound("select 1", b"\0\0\0\0\0\0zz"), "1 E[SERROR C08P01] ZI"),
        (bound("select $1::int", b"\0\x01\0\x01\0\x01\0\0\0\x03abc\0\0"), "1 E[SERROR C08P01] ZI"),
        (
            bound("select $1::text", b"\0\x01\0\x01\0\x01\0\0\0\x01\xff\0\0"),
            "1 E[SERROR C22021] ZI",
        ),
        (bound("select $1::text", b"\0\0\0\x01\0\0\0\x01\xff\0\0"), "1 E[SERROR C22021] ZI"),
        (bound("select $1::text", b"\0\0\0\x01\0\0\0\x01\0\0\0"), "1 E[SERROR C22021] ZI"),
        // After an error everything up to Sync is dropped, and not even looked at.
        (
            [
                parse("select 1/0"),
                bind(),
                execute(0),
                execute(0),
                message(b'B', b""),
                message(b'P', b"\xff"),
                query("select 1"),
                sync(),
            ]
            .concat(),
            "1 2 E[SERROR C22012] ZI",
        ),
        ([message(b'H', b"xx"), sync()].concat(), "E[SERROR C08P01] ZI"),
        (message(b'S', b"xx"), "E[SERROR C08P01] ZI"),
        ([message(b'd', b"x"), message(b'c', b"zz"), message(b'f', b"zz"), sync()].concat(), "ZI"),
        (bound("select 1", b"\0\0\0\0\0\0"), "1 2 D C[SELECT 1] ZI"),
        ([parse("select 1"), bind(), execute(u32::MAX), sync()].concat(), "1 2 D C[SELECT 1] ZI"),
        (query(&deep), "E[SERROR C54001] ZI"),
        ([parse(&deep), sync()].concat(), "E[SERROR C54001] ZI"),
        (message(b'F', b"\0"), "E[SERROR C0A000] ZI"),
    ];
    let mut raw = Raw::engine(&server);
    for (sent, expected) in cases {
        raw.send(&sent);
        let shown = String::from_utf8_lossy(&sent[..sent.len().min(60)]).into_owned();
        assert_eq!(without_positions(&raw.until_ready()), expected, "{shown:?}");
        assert_eq!(raw.query("select 7"), GOES_ON, "{shown:?}");
    }
    // These end the connection, and no other.
    for (sent, expected) in [
        (b"Q\0\0\0\x02".to_vec(), "E[SFATAL C08P01]"),
        (b"Q\xff\xff\xff\xff".to_vec(), "E[SFATAL C08P01]"),
        (b"Q\x7f\xff\xff\xff".to_vec(), "E[SFATAL C08P01]"),
        (message(b'!', b""), "E[SFATAL C08P01]"),
        (message(b'p', b"x\0"), "E[SFATAL C08P01]"),
        (message(b'X', b"zzz"), ""),
    ] {
        let mut other = Raw::engine(&server);
        other.send(&sent);
        assert_eq!(other.until_ready(), expected);
    }
    assert_eq!(raw.query("select 7"), GOES_ON);
    server.stop();
}

/// Positions are another test's.
fn without_positions(words: &str) -> String {
    let mut text = String::new();
    for word in words.split(' ') {
        let position = word.strip_prefix('P').and_then(|rest| rest.strip_suffix(']'));
        if position.is_some_and(|digits| digits.parse::<u32>().is_ok()) {
            text.push(']');
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[test]
fn broken_copies_are_refused_as_in_postgresql() {
    let server = server();
    let mut raw = Raw::engine(&server);
    assert_eq!(raw.query("create table t (a int, b text)"), "C[CREATE TABLE] ZI");
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let row = b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x01x";
    let end = b"\xff\xff";
    let binary = |parts: &[&[u8]]| ("copy t from stdin binary", parts.concat());
    let text = |data: &[u8]| ("copy t from stdin", data.to_vec());
    let csv = |data: &[u8]| ("copy t from stdin csv", data.to_vec());
    let ok = "C[COPY 1]";
    for ((copy, data), expected) in [
        (text(b"1\tx"), ok),
        (text(b"1\ta\n\\.\n2\tb\n"), ok),
        (text(b"1\t\xff\n"), "E[SERROR C22021]"),
        (text(b"1\ta\0b\n"), "E[SERROR C22021]"),
        (text(b"1\ta\\0b\n"), "E[SERROR C22021]"),
        (text(b"1\ta\\xffb\n"), "E[SERROR C22021]"),
        (text(b"1\n"), "E[SERROR C22P04]"),
        (text(b"1\ta\tb\n"), "E[SERROR C22P04]"),
        (text(b"x\ta\n"), "E[SERROR C22P02]"),
        (text(b"1\ta\n\\.x\n"), "E[SERROR C22P04]"),
        (text(b"1\ta\r\n2\tb\n"), "E[SERROR C22P04]"),
        (csv(b"1,\"a\n"), "E[SERROR C22P04]"),
        (csv(b"1,\"a\"\"b\n\"\n"), ok),
        (csv(b"1,\"a\"b\n"), ok),
        (binary(&[header, row, end]), ok),
        (binary(&[header, row]), ok),
        (binary(&[]), "E[SERROR C22P04]"),
        (binary(&[b"PGCOPX\n\xff\r\n\0\0\0\0\0\0\0\0\0"]), "E[SERROR C22P04]"),
        (binary(&[&header[..13]]), "E[SERROR C22P04]"),
        (binary(&[&header[..17]]), "E[SERROR C22P04]"),
        (binary(&[&header[..11], b"\0\x01\0\0\0\0\0\0", end]), "E[SERROR C22P04]"),
        (binary(&[&header[..11], b"\x40\0\0\0\0\0\0\0", end]), "E[SERROR C22P04]"),
        (binary(&[&header[..11], b"\0\0\0\0\xff\xff\xff\xff", end]), "E[SERROR C22P04]"),
        (binary(&[&header[..11], b"\0\0\0\0\0\0\0\x64", end]), "E[SERROR C22P04]"),
        (binary(&[header, b"\0\x01\0\0\0\x04\0\0\0\x01", end]), "E[SERROR C22P04]"),
        (binary(&[header, b"\xff\xfe"]), "E[SERROR C22P04]"),
        (binary(&[header, b"\0\x02\xff\xff\xff\xfe"]), "E[SERROR C22P04]"),
        (binary(&[header, b"\0\x02\x7f\xff\xff\xff", b"x"]), "E[SERROR C54000]"),
        (binary(&[header, b"\0\x02\0\0\0\x03abc\0\0\0\x01x", end]), "E[SERROR C08P01]"),
        (binary(&[header, b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x01\xff", end]), "E[SERROR C22021]"),
        (binary(&[header, b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x01\0", end]), "E[SERROR C22021]"),
        (binary(&[header, end, b"junk"]), "E[SERROR C22P04]"),
        (binary(&[header, &row[..row.len() - 1]]), "E[SERROR C22P04]"),
    ] {
        // Whole, and byte by byte.
        for piece in [data.len().max(1), 1] {
            let pieces: Vec<u8> =
                data.chunks(piece).flat_map(|piece| message(b'd', piece)).collect();
            raw.send(&[query(copy), pieces, message(b'c', b"")].concat());
            assert_eq!(raw.until_ready(), format!("G {expected} ZI"), "{data:?}");
            assert_eq!(raw.query("select 7"), GOES_ON, "{data:?}");
        }
    }
    let data = message(b'd', b"1\tx\n");
    for (rest, expected) in [
        (message(b'f', b"why\0"), "E[SERROR C57014] ZI"),
        (message(b'f', b"why"), "E[SERROR C08P01] ZI"),
        (message(b'c', b"junk"), "C[COPY 1] ZI"),
        ([sync(), message(b'H', b""), message(b'c', b"")].concat(), "C[COPY 1] ZI"),
    ] {
        raw.send(&[query("copy t from stdin"), data.clone(), rest].concat());
        assert_eq!(raw.until_ready(), format!("G {expected}"));
        assert_eq!(raw.query("select 7"), GOES_ON);
    }
    // Who says something else in the middle is cut off; so is who leaves.
    let before = raw.query("select count(*) from t");
    for rest in [query("select 1"), parse("select 1"), message(b'!', b""), message(b'X', b"")] {
        let mut other = Raw::engine(&server);
        other.send(&[query("copy t from stdin"), data.clone(), rest].concat());
        assert_eq!(other.until_ready(), "G E[SERROR C08P01] E[SFATAL C08P01]");
    }
    let mut other = Raw::engine(&server);
    other.send(&[query("copy t from stdin"), data].concat());
    other.finish();
    assert_eq!(other.until_ready(), "G E[SERROR C08006] ZI");
    assert_eq!(other.read(), None);
    assert_eq!(raw.query("select count(*) from t"), before);
    server.stop();
}

#[test]
fn no_binary_value_of_any_type_harms() {
    let server = server();
    let mut raw = Raw::engine(&server);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut accepted = 0;
    for ty in [
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "numeric",
        "numeric(5,2)",
        "text",
        "varchar(3)",
        "char(3)",
        "\"char\"",
        "name",
        "bytea",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
        "uuid",
        "oid",
        "regclass",
        "json",
        "jsonb",
        "int4[]",
        "text[]",
        "numeric[]",
        "timestamptz[]",
        "bool[]",
    ] {
        raw.send(&[message(b'P', format!("s\0select $1::{ty}\0\0\0").as_bytes()), sync()].concat());
        match raw.until_ready().as_str() {
            "1 ZI" => {}
            // The type is not there yet.
            refused => {
                assert!(
                    refused.contains("C42704") || refused.contains("C0A000"),
                    "{ty}: {refused}"
                );
                continue;
            }
        }
        let mut values: Vec<Vec<u8>> = vec![];
        for length in 0..=24 {
            values.extend([0, 0x7f, 0x80, 0xff, b'1'].map(|byte| vec![byte; length]));
            values.push((0..length).map(|_| random() as u8).collect());
            // Small numbers: counts, signs, dimensions that may be right.
            values.push((0..length).map(|_| (random() % 4) as u8).collect());
            values.push((0..length).map(|at| u8::from(at % 4 == 3)).collect());
        }
        // Arrays: dimensions, nulls, the element's type; then something.
        for _ in 0..60 {
            let element = [23_u32, 25, 1700, 1184, 16][(random() % 5) as usize];
            let mut value: Vec<u8> = [1, (random() % 2) as u32, element, (random() % 4) as u32, 1]
                .map(u32::to_be_bytes)
                .concat();
            for _ in 0..random() % 4 {
                let length = [0_u32, 1, 4, 8, 9, u32::MAX][(random() % 6) as usize];
                value.extend_from_slice(&length.to_be_bytes());
                let bytes = if length > 9 { 0 } else { length };
                value.extend((0..bytes).map(|_| (random() % 3) as u8));
            }
            values.push(value);
        }
        for result in [0_u8, 1] {
            for value in &values {
                let mut body = b"\0s\0\0\x01\0\x01\0\x01".to_vec();
                body.extend_from_slice(&(value.len() as u32).to_be_bytes());
                body.extend_from_slice(value);
                body.extend_from_slice(&[0, 1, 0, result]);
                raw.send(&[message(b'B', &body), execute(0), sync()].concat());
                let answer = raw.until_ready();
                assert!(answer.ends_with(" ZI"), "{ty} {value:?}: {answer}");
                assert!(!answer.contains("CXX000"), "{ty} {value:?}: {answer}");
                accepted += usize::from(answer.contains(" D "));
            }
        }
        raw.send(&[message(b'C', b"Ss\0"), sync()].concat());
        assert_eq!(raw.until_ready(), "3 ZI");
    }
    assert!(accepted > 1000, "{accepted} values were accepted");
    server.stop();
}

#[test]
fn a_broken_start_ends_cleanly() {
    let server = server();
    let whole = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0";
    for cut in 0..whole.len() {
        let mut raw = Raw::connect(&server);
        raw.send(&whole[..cut]);
        raw.finish();
        assert_eq!(raw.until_ready(), "", "{cut} bytes");
    }
    for (bytes, expected) in [
        (&b"\0\0\0\x08\0\x02\0\0"[..], "E[SFATAL C0A000]"),
        (b"\0\0\0\x08\0\x04\0\0", "E[SFATAL C0A000]"),
        (b"\0\0\0\0", "E[SFATAL C08P01]"),
        (b"\0\0\0\x04", "E[SFATAL C08P01]"),
        (b"\xff\xff\xff\xff", "E[SFATAL C08P01]"),
        (b"\0\0\0\x0d\0\x03\0\0user\0", "E[SFATAL C08P01]"),
        (b"\0\0\0\x0f\0\x03\0\0user\0a\0", "E[SFATAL C08P01]"),
        (b"\0\0\0\x10\0\x03\0\0user\0\xff\0\0", "E[SFATAL C22021]"),
        (b"\0\0\0\x09\0\x03\0\0\0", "E[SFATAL C28000]"),
        (b"\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\x01", "E[SFATAL C08P01]"),
    ] {
        let mut raw = Raw::connect(&server);
        raw.send(bytes);
        assert_eq!(raw.until_ready(), expected, "{bytes:?}");
    }
    assert_eq!(Raw::engine(&server).query("select 7"), GOES_ON);
    server.stop();
}

#[test]
fn a_cancel_request_needs_the_key() {
    let server = server();
    let mut raw = Raw::connect(&server);
    raw.send(&crate::transcript::startup(b"user\0postgres\0\0"));
    let mut key = [0; 8];
    while let Some((letter, body)) = raw.read() {
        match letter {
            b'K' => key.copy_from_slice(&body),
            b'Z' => break,
            _ => {}
        }
    }
    let cancel = |key: [u8; 8]| {
        let mut other = Raw::connect(&server);
        other.send(&[&b"\0\0\0\x10\x04\xd2\x16\x2e"[..], &key].concat());
        assert_eq!(other.until_ready(), "");
    };
    let mut wrong_secret = key;
    wrong_secret[7] ^= 1;
    let mut wrong_pid = key;
    wrong_pid[0] ^= 1;
    raw.send(&query("select pg_sleep(0.2)"));
    cancel(wrong_secret);
    cancel(wrong_pid);
    assert_eq!(raw.until_ready(), GOES_ON);
    // Too late for this one, and not for the next.
    cancel(key);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(raw.query("select 7"), GOES_ON);
    raw.send(&query("select pg_sleep(60)"));
    let mut observer = Raw::engine(&server);
    while !observer
        .query("select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()")
        .contains('D')
    {}
    cancel(key);
    assert_eq!(raw.until_ready(), "T E[SERROR C57014] ZI");
    server.stop();
}
