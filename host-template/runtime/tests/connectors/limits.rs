//! S4: whatever a server or a driver answers with, it costs the host little memory and time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::Answer;
use crate::program::world::World;
use crate::{Fake, host, test, tested, to, with_drivers};

/// Most memory of the host's process, in MB, whatever answers.
const MOST: u64 = 200;

/// Sends these bytes, then zeros until nobody wants them or a gigabyte and more is sent.
fn flood(mut stream: TcpStream, first: &[u8], each: &[u8]) {
    let block = vec![0; 1 << 20];
    if stream.write_all(first).is_err() {
        return;
    }
    for number in 0..1200 {
        let head = if number % 16 == 0 { each } else { &[] };
        if stream.write_all(head).is_err() || stream.write_all(&block[..block.len() - head.len()]).is_err() {
            return;
        }
    }
}

/// A PostgreSQL server whose first word, of this kind, announces a gigabyte, and which sends it.
fn huge_postgresql(kind: u8) -> Fake {
    Fake::new(move |mut stream| {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).is_err() {
            return;
        }
        // It has no encryption; then comes the beginning of a session.
        if request[4..] == 80_877_103_u32.to_be_bytes() {
            if stream.write_all(b"N").is_err() || stream.read_exact(&mut request).is_err() {
                return;
            }
        }
        let mut word = vec![kind];
        word.extend(0x4000_0000_u32.to_be_bytes());
        flood(stream, &word, &[]);
    })
}

/// A MySQL server whose greeting is a gigabyte: as many packets of the greatest size as that takes.
fn huge_mysql() -> Fake {
    Fake::new(|stream| flood(stream, &[], &[0xff, 0xff, 0xff, 0]))
}

/// A driver that reads what a server announces, as careless ones do.
const CARELESS: &str = "
import socket, struct

class err:
    class Error(Exception):
        pass

def connect(host, port, **others):
    server = socket.create_connection((host, port), 5)
    size = 1 << 30
    got = bytearray(size)
    server.recv_into(got, size, socket.MSG_WAITALL)
    raise ValueError('it had room for all of it')
";

/// A driver that says more than anybody wants to hear, or takes more than there is.
const LOUD: &str = "
import os, sys

class MongoClient:
    def __init__(self, host, port, username, **options):
        if username == 'takes':
            self.all = [bytearray(64 << 20) for _ in range(100)]
        block = b'x' * (1 << 20)
        for number in range(1024):
            os.write(1 if username == 'out' else 2, block)
        raise ValueError('y' * (100 << 20))
";

#[test]
fn s4_a_server_that_answers_with_a_gigabyte_is_nobodys_trouble() {
    let world = World::new(None);
    with_drivers(&world, &[("pymysql", CARELESS), ("pymongo", LOUD)]);
    let host = host(&world, &[]);
    let servers = [
        ("postgresql", huge_postgresql(b'R')),
        ("postgresql", huge_postgresql(b'E')),
        ("postgresql", huge_postgresql(b'N')),
        ("mysql", huge_mysql()),
        ("mariadb", huge_mysql()),
    ];
    let check = |kind: &str, parameters: &Value| {
        let begun = Instant::now();
        let (ok, message) = tested(&host, kind, parameters);
        let took = begun.elapsed();
        eprintln!("{kind}: {} ms, the host's peak {} MB: {message}", took.as_millis(), host.peak());
        assert!(!ok && message.len() <= 1000, "{message}");
        assert!(took < Duration::from_secs(14), "{took:?}");
        assert!(host.peak() <= MOST, "{} MB", host.peak());
    };
    for (kind, server) in &servers {
        check(kind, &to("127.0.0.1", server.port));
        assert!(server.taken() > 0, "it was not even asked");
    }
    let mut through = to("127.0.0.1", servers[3].1.port);
    through["through"] = json!("driver");
    check("mysql", &through);
    // All at once, as many as may be.
    std::thread::scope(|scope| {
        for (kind, server) in &servers {
            scope.spawn(|| check(kind, &to("127.0.0.1", server.port)));
        }
    });
    assert_eq!(host.get("/api/health").status, 200);
}

#[test]
fn s4_what_a_driver_says_or_takes_is_bounded() {
    let world = World::new(None);
    with_drivers(&world, &[("pymongo", LOUD)]);
    let host = host(&world, &[]);
    for way in ["out", "err", "takes"] {
        let begun = Instant::now();
        let (ok, message) = tested(&host, "mongodb", &json!({"host": "127.0.0.1", "user": way}));
        eprintln!("{way}: {} ms, the host's peak {} MB: {message}", begun.elapsed().as_millis(), host.peak());
        assert!(!ok && message.len() <= 1000 && !message.contains("no MongoDB server"), "{message}");
        assert!(begun.elapsed() < Duration::from_secs(14));
        assert!(host.peak() <= MOST, "{way}: {} MB", host.peak());
    }
}

#[test]
fn s4_few_are_tested_at_once() {
    let world = World::new(None);
    let host = host(&world, &[]);
    // One that takes the connection and says nothing.
    let silent = Fake::new(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let begun = Instant::now();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let ask = || test(&host, "postgresql", &to("127.0.0.1", silent.port));
        let asked: Vec<_> = (0..40).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let took = begun.elapsed();
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    eprintln!("of 40 at once {done} were made in {} s, {} refused", took.as_secs(), refused.len());
    assert_eq!(done + refused.len(), 40);
    assert!((4..=20).contains(&done), "{done}");
    assert!(
        refused
            .iter()
            .all(|answer| answer.json()["code"] == "too-many-tests"
                && !answer.header("retry-after").is_empty())
    );
    assert!(silent.at_once.load(Ordering::SeqCst) <= 4, "{} at once", silent.at_once.load(Ordering::SeqCst));
    assert!(took < Duration::from_secs(35), "{took:?}");
    assert!(host.peak() <= MOST, "{} MB", host.peak());
}
