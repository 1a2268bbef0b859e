//! Conversations, message by message.

use crate::scripted::Scripted;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

pub(crate) struct Raw(UnixStream);

/// A message with a letter.
pub(crate) fn message(letter: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![letter];
    bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn startup(pairs: &[u8]) -> Vec<u8> {
    let body = [&[0, 3, 0, 0], pairs].concat();
    [&(body.len() as u32 + 4).to_be_bytes()[..], &body].concat()
}

impl Raw {
    pub(crate) fn connect(server: &damask_server::Server) -> Self {
        let stream = TcpStream::connect(server.local_addr()).unwrap();
        // What is asked of a socket is the same for both families.
        Self(UnixStream::from(OwnedFd::from(stream)))
    }

    /// Connected, with the greeting read.
    pub(crate) fn ready(server: &damask_server::Server) -> Self {
        let mut raw = Self::connect(server);
        raw.send(&startup(b"user\0me\0\0"));
        assert_eq!(raw.until_ready(), "R S S K ZI");
        raw
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends nothing more, but reads on.
    pub(crate) fn finish(&mut self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }

    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.0.read_exact(&mut body).unwrap();
        Some((head[0], body))
    }

    /// Connected by a Unix-domain socket.
    pub(crate) fn local(socket: &Path) -> Self {
        Self(UnixStream::connect(socket).unwrap())
    }

    /// Connected to the engine, with the greeting read.
    pub(crate) fn engine(server: &damask_server::Server) -> Self {
        Self::connect(server).greeted()
    }

    /// With the engine's greeting read.
    pub(crate) fn greeted(self) -> Self {
        let mut raw = self;
        raw.send(&startup(b"user\0postgres\0\0"));
        assert!(raw.until_ready().ends_with(" ZI"));
        raw
    }

    /// Sends a simple query and shows the answer.
    pub(crate) fn query(&mut self, text: &str) -> String {
        self.send(&message(b'Q', format!("{text}\0").as_bytes()));
        self.until_ready()
    }

    /// The severity, SQLSTATE and text of the last message before the server closes.
    pub(crate) fn last_words(&mut self) -> String {
        let mut last = String::from("nothing");
        while let Some((letter, body)) = self.read() {
            let fields: Vec<&[u8]> = body.split(|&byte| byte == 0).collect();
            let field = |letter| fields.iter().find(|field| field.first() == Some(&letter));
            let text = |letter| field(letter).map_or("", |f| str::from_utf8(&f[1..]).unwrap());
            last = match letter {
                b'E' => format!("{} {} {}", text(b'S'), text(b'C'), text(b'M')),
                other => char::from(other).to_string(),
            };
        }
        last
    }

    /// The letters of the messages up to the next ready, with what matters of their bodies.
    pub(crate) fn until_ready(&mut self) -> String {
        let mut words = Vec::new();
        while let Some((letter, body)) = self.read() {
            let letter = char::from(letter);
            words.push(match letter {
                'Z' => format!("Z{}", char::from(body[0])),
                'C' => format!("C[{}]", String::from_utf8_lossy(&body[..body.len() - 1])),
                'E' | 'N' => {
                    let fields: Vec<String> = body
                        .split(|&byte| byte == 0)
                        .filter(|field| field.first().is_some_and(|f| b"SCP".contains(f)))
                        .map(|field| String::from_utf8_lossy(field).into_owned())
                        .collect();
                    format!("{letter}[{}]", fields.join(" "))
                }
                _ => letter.to_string(),
            });
            if letter == 'Z' {
                break;
            }
        }
        words.join(" ")
    }
}

pub(crate) fn parse(text: &str) -> Vec<u8> {
    message(b'P', format!("\0{text}\0\0\0").as_bytes())
}

pub(crate) fn bind() -> Vec<u8> {
    message(b'B', b"\0\0\0\0\0\0\0\0")
}

pub(crate) fn execute(limit: u32) -> Vec<u8> {
    message(b'E', &[&[0][..], &limit.to_be_bytes()].concat())
}

pub(crate) fn sync() -> Vec<u8> {
    message(b'S', b"")
}

#[test]
fn conversations_go_as_in_postgresql() {
    let server = Scripted::default().serve();
    let mut raw = Raw::ready(&server);
    let query = |text: &str| message(b'Q', format!("{text}\0").as_bytes());
    for (sent, expected) in [
        (query("rows 2"), "T D D C[ROWS 2] ZI"),
        (query(""), "I ZI"),
        (query("rows 1;rows 0;set"), "T D C[ROWS 1] T C[ROWS 0] C[SET] S ZI"),
        (query("notice"), "C[NOTICE] N[SNOTICE C00000] ZI"),
        (query("rows 1;fail;rows 1"), "T D C[ROWS 1] E[SERROR C42601 P4] ZI"),
        (query("begin"), "C[BEGIN] ZT"),
        (query("fail"), "E[SERROR C42601 P4] ZE"),
        (query("rows 1"), "T E[SERROR C25P02] ZE"),
        (query("commit"), "C[COMMIT] ZI"),
        (
            [parse("rows 2"), bind(), message(b'D', b"P\0"), execute(0), sync()].concat(),
            "1 2 T D D C[SELECT 2] ZI",
        ),
        (
            [parse("rows 3"), bind(), execute(2), execute(2), sync()].concat(),
            "1 2 D D s D C[SELECT 3] ZI",
        ),
        ([parse("broken"), bind(), execute(0), sync()].concat(), "E[SERROR C42601 P2] ZI"),
        (
            [parse("fail"), bind(), execute(0), parse("rows 1"), sync()].concat(),
            "1 2 E[SERROR C42601 P4] ZI",
        ),
        ([parse("set"), message(b'D', b"S\0"), sync()].concat(), "1 t n ZI"),
        ([message(b'C', b"Snone\0"), sync()].concat(), "3 ZI"),
        ([message(b'D', b"Snone\0"), sync(), parse("set"), sync()].concat(), "E[SERROR C26000] ZI"),
        (Vec::new(), "1 ZI"),
        (message(b'F', b"xx"), "E[SERROR C0A000] ZI"),
        (query("copyout 2"), "H d d c C[COPYOUT 2] ZI"),
        (
            [query("copyin"), message(b'd', b"abc"), message(b'd', b"de"), message(b'c', b"")]
                .concat(),
            "G C[COPY 5] ZI",
        ),
        ([query("copyin"), message(b'f', b"why\0")].concat(), "G E[SERROR C57014] ZI"),
        ([message(b'd', b"stray"), message(b'c', b""), query("set")].concat(), "C[SET] S ZI"),
        (
            [
                parse("copyin"),
                bind(),
                execute(0),
                message(b'd', b"abc"),
                message(b'c', b""),
                sync(),
            ]
            .concat(),
            "1 2 G C[COPY 3] ZI",
        ),
        ([message(b'B', b"x"), execute(0), sync()].concat(), "E[SERROR C08P01] ZI"),
        (message(b'Q', b"\xff\0"), "E[SERROR C22021] ZI"),
    ] {
        raw.send(&sent);
        assert_eq!(raw.until_ready(), expected);
    }
    raw.send(&message(b'!', b""));
    assert_eq!(raw.until_ready(), "E[SFATAL C08P01]");
    // A client that sends something else in a copy is at another place of the conversation.
    let mut raw = Raw::ready(&server);
    raw.send(&[query("copyin"), message(b'P', b"")].concat());
    assert_eq!(raw.until_ready(), "G E[SERROR C08P01] E[SFATAL C08P01]");
    server.stop();
}

#[test]
fn startup_is_guarded() {
    let server = Scripted::default().serve();
    let first = |bytes: &[u8]| {
        let mut raw = Raw::connect(&server);
        raw.send(bytes);
        raw.until_ready()
    };
    assert_eq!(first(&startup(b"user\0nobody\0\0")), "E[SFATAL C28000]");
    assert_eq!(first(&startup(b"user\0me\0database\0missing\0\0")), "E[SFATAL C3D000]");
    assert_eq!(first(&startup(b"database\0x\0\0")), "E[SFATAL C28000]");
    assert_eq!(first(&[0, 0, 0, 8, 0, 2, 0, 0]), "E[SFATAL C0A000]");
    assert_eq!(first(&[0, 0, 0x27, 0x11, 0, 3, 0, 0]), "E[SFATAL C08P01]");
    assert_eq!(first(b"GET / HTTP/1.1\r\n"), "E[SFATAL C08P01]");
    // Encryption is declined with one byte, once; then the session begins.
    let mut raw = Raw::connect(&server);
    for request in [80_877_103_u32, 80_877_104] {
        raw.send(&[&8_u32.to_be_bytes()[..], &request.to_be_bytes()].concat());
        let mut byte = [0];
        raw.0.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"N");
    }
    raw.send(&startup(b"user\0me\0\0"));
    assert_eq!(raw.until_ready(), "R S S K ZI");
    server.stop();
}

#[test]
fn cancel_requests_reach_the_session() {
    let server = Scripted::default().serve();
    let mut raw = Raw::ready(&server);
    raw.send(&message(b'Q', b"wait\0"));
    let mut other = Raw::connect(&server);
    let request = [16_u32, 80_877_102, 1, 42].map(u32::to_be_bytes).concat();
    other.send(&request);
    assert_eq!(other.until_ready(), "");
    assert_eq!(raw.until_ready(), "E[SERROR C57014] ZI");
    server.stop();
}

#[test]
fn a_taken_port_is_named() {
    let server = Scripted::default().serve();
    let listen = server.local_addr().to_string();
    let options = damask_server::ServerOptions { listen, ..Default::default() };
    let error = damask_server::start(Scripted::default(), options).unwrap_err();
    assert!(error.message().ends_with("the port is taken"), "{error}");
    server.stop();
}

#[test]
fn other_addresses_need_a_password() {
    let options = damask_server::ServerOptions { listen: "0.0.0.0:0".into(), ..Default::default() };
    let error = damask_server::start(Scripted::default(), options).unwrap_err();
    assert_eq!(error.sqlstate().as_str(), "28000");
}
