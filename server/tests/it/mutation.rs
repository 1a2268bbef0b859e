//! Valid conversations with random damage: whatever is sent, what comes back is well-formed, holds no internal error, and
//! ends; and the server goes on. A failure names its seed.

use crate::engine::server;
use crate::transcript::{Raw, bind, execute, message, parse, sync};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Conversations of one run.
const CONVERSATIONS: u64 = 3000;
const THREADS: u64 = 3;
const SEED: u64 = 20_261_124;
/// How long a conversation may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

/// What is damaged: each is a list of messages that are right.
fn conversations() -> Vec<Vec<u8>> {
    let insert =
        message(b'P', b"i\0insert into t values ($1, $2) returning a\0\0\x02\0\0\0\x17\0\0\0\x19");
    let values =
        message(b'B', b"p\0i\0\0\x02\0\x01\0\0\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x03abc\0\x01\0\x01");
    let mixed = "b\0select $1::numeric, $2::timestamptz, $3::int[], $4::bytea, $5::interval\0\0\0";
    let texts = b"\0b\0\0\0\0\x05\0\0\0\x0512.50\0\0\0\x0a2024-02-29\0\0\0\x05{1,2}\0\0\0\x04\\x00\0\0\0\x051 day\0\x01\0\x01";
    vec![
        [query("select a, b from t order by a limit 3"), query("select 1; select 2, 'x'")].concat(),
        [query("begin"), query("insert into t values (1, 'x')"), query("rollback")].concat(),
        [query("select 1/0"), query("select nothing"), query("")].concat(),
        [insert, values, message(b'D', b"Pp\0"), message(b'E', b"p\0\0\0\0\x01"), sync()].concat(),
        [
            message(b'P', mixed.as_bytes()),
            message(b'D', b"Sb\0"),
            message(b'B', texts),
            message(b'D', b"P\0"),
            execute(2),
            message(b'C', b"Sb\0"),
            sync(),
        ]
        .concat(),
        [
            parse("select i, i::text from generate_series(1, 50) i"),
            bind(),
            execute(7),
            execute(7),
            message(b'H', b""),
            message(b'C', b"P\0"),
            sync(),
        ]
        .concat(),
        [
            query("copy t from stdin"),
            message(b'd', b"1\tx\n2\t"),
            message(b'd', b"y\\tz\n\\.\n"),
            message(b'c', b""),
            query("copy t to stdout"),
        ]
        .concat(),
        [
            query("copy t from stdin binary"),
            message(b'd', b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"),
            message(b'd', b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x01x\xff\xff"),
            message(b'c', b""),
            query("copy (select 1, 'x') to stdout (format binary)"),
        ]
        .concat(),
        [query("copy t from stdin csv"), message(b'd', b"1,\"a\"\"b\"\n"), message(b'f', b"no\0")]
            .concat(),
        [query("listen c"), query("notify c, 'x'"), query("set extra_float_digits = 1")].concat(),
        [
            query("begin; declare c cursor for select * from t; fetch 2 from c; close c; commit"),
            query("prepare q as select $1::int; execute q(1); deallocate q"),
        ]
        .concat(),
        [
            query("create temp table v (a int primary key); insert into v values (1), (2)"),
            query("update v set a = a + 10; delete from v where a > 11; select * from v"),
        ]
        .concat(),
    ]
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let span = at..(at + 1 + random.below(12)).min(bytes.len());
        match random.below(8) {
            _ if bytes.is_empty() => return,
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'\'', b'(', b'$'][random.below(8)],
            3 => drop(bytes.drain(span)),
            4 => {
                let copy = bytes[span].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            5 => {
                let noise: Vec<u8> = span.map(|_| random.below(256) as u8).collect();
                bytes.splice(at..at, noise);
            }
            6 => bytes.truncate(at),
            _ => {
                // A letter among letters: another message of the same body.
                if let Some(to) =
                    bytes.iter().skip(at).position(|byte| b"QPBDECSHdcfX".contains(byte))
                {
                    bytes[at + to] = b"QPBDECSHdcfX"[random.below(12)];
                }
            }
        }
    }
}

/// One damaged conversation; what is wrong with the answer.
fn converse(address: SocketAddr, seed: u64) -> Result<(), String> {
    let random = &mut Random::new(seed);
    let valid = conversations();
    let mut bytes = crate::transcript::startup(
        b"user\0postgres\0options\0-c statement_timeout=300 -c lock_timeout=100\0\0",
    );
    if random.below(20) == 0 {
        damage(&mut bytes, random);
    }
    let mut rest: Vec<u8> =
        (0..=random.below(2)).flat_map(|_| valid[random.below(valid.len())].clone()).collect();
    damage(&mut rest, random);
    bytes.extend(rest);
    let fail = |what: &str| Err(format!("seed {seed}: {what}"));
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    // The server may have hung up in the middle.
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer)
        && error.kind() == std::io::ErrorKind::WouldBlock
    {
        return fail("no end");
    }
    let mut answer = &answer[..];
    while let [letter, a, b, c, d, tail @ ..] = answer {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if !b"RSKZTDCEN123nstIGHdcAv".contains(letter) || length < 4 || tail.len() < length - 4 {
            return fail(&format!("a broken message {letter} of {length} bytes"));
        }
        let (body, next) = tail.split_at(length - 4);
        if *letter == b'E' && body.split(|&byte| byte == 0).any(|field| field == b"CXX000") {
            return fail(&String::from_utf8_lossy(body));
        }
        answer = next;
    }
    // One byte declines encryption.
    if answer.is_empty() || answer == b"N" { Ok(()) } else { fail("a cut message") }
}

#[test]
fn damaged_conversations_harm_nobody() {
    let server = server();
    let mut raw = Raw::engine(&server);
    raw.query("create table t (a int, b text)");
    raw.query("insert into t select i, 'row ' || i from generate_series(1, 100) i");
    let address = server.local_addr();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let seeds = (SEED + thread..SEED + CONVERSATIONS).step_by(THREADS as usize);
                    seeds.filter_map(|seed| converse(address, seed).err()).take(5).collect()
                })
            })
            .collect();
        runs.into_iter().flat_map(|run| -> Vec<String> { run.join().unwrap() }).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(raw.query("select 7"), "T D C[SELECT 1] ZI");
    // Nothing is left of them.
    let others = "select 1 from pg_stat_activity where pid <> pg_backend_pid() limit 1";
    while raw.query(others).contains('D') {
        std::thread::yield_now();
    }
    assert_eq!(
        raw.query("select count(*) from pg_locks where locktype = 'advisory'"),
        "T D C[SELECT 1] ZI"
    );
    server.stop();
}
