//! Random bytes and broken messages: the server answers on.

use crate::scripted::Scripted;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

#[test]
fn noise_harms_nobody() {
    let server = Scripted::default().serve();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let greeting = b"\0\0\0\x12\0\x03\0\0user\0me\0\0\0";
    let letters = b"QPBDECSHdcfFpXz\0";
    for round in 0..300 {
        let mut bytes = Vec::new();
        if round % 3 > 0 {
            bytes.extend_from_slice(&greeting[..17]);
            bytes[3] = 17;
        }
        for _ in 0..random(12) {
            let body: Vec<u8> =
                (0..random(24)).map(|_| random(4) as u8 * random(64) as u8).collect();
            if round % 3 == 2 {
                bytes.push(letters[random(letters.len() as u64) as usize]);
                bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
            }
            bytes.extend_from_slice(&body);
        }
        let mut stream = TcpStream::connect(server.local_addr()).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.write_all(b"\0\0\0\x11\0\x03\0\0user\0me\0\0").unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"R");
    drop(stream);
    server.stop();
}
