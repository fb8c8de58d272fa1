//! S16: a test of a connection reaches only what the operator allows, by whatever way, and tells nothing of the network.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::world::World;
use crate::program::{Host, command, run, skip};
use crate::{Fake, host, test, tested, to, with_drivers};

#[test]
fn s16_a_scan_of_ports_is_slow_and_blind() {
    let world = World::new(None);
    let host = Host::start_as_admin(&world.folder, |command| world.prepare(command));
    // Some of the ports are open: what is there speaks first, waits for others to speak, or hangs up.
    let says = |text: &'static str| {
        Fake::new(move |mut stream| {
            let _ = stream.write_all(text.as_bytes());
        })
    };
    let waits = Fake::new(|mut stream| {
        let mut some = [0; 64];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let silent = Fake::new(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let open = [
        says("SSH-2.0-OpenSSH_9.2p1\r\n"),
        says("220 mail.example ESMTP\r\n"),
        says("-ERR unknown\r\n"),
        says(""),
        waits,
        silent,
    ];
    let mut ports: Vec<u16> = open.iter().map(|fake| fake.port).collect();
    let closed: Vec<TcpListener> = (0..44).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    ports.extend(closed.iter().map(|listener| listener.local_addr().unwrap().port()));
    drop(closed);
    let begun = Instant::now();
    let (mut messages, mut refused) = (Vec::new(), 0);
    for (number, port) in ports.iter().enumerate() {
        let kind = if number % 2 == 0 { "postgresql" } else { "mariadb" };
        let answer = test(&host, kind, &to("127.0.0.1", *port));
        if answer.status == 429 {
            assert_eq!(answer.json()["code"], "too-many-tests", "{}", answer.text);
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0));
            refused += 1;
            continue;
        }
        let told = answer.json();
        assert_eq!((answer.status, &told["ok"]), (200, &json!(false)), "{}", answer.text);
        let name = if number % 2 == 0 { "PostgreSQL" } else { "MariaDB" };
        messages
            .push(told["message"].as_str().unwrap().replace(&port.to_string(), "PORT").replace(name, "KIND"));
    }
    let allowed = 31 + begun.elapsed().as_secs() as usize / 2;
    eprintln!("of 50 ports {} were tried in {} ms", messages.len(), begun.elapsed().as_millis());
    assert!(
        messages.len() <= allowed && refused >= 50 - allowed,
        "{} tried, {refused} refused",
        messages.len()
    );
    messages.dedup();
    assert_eq!(
        messages,
        ["no KIND server answers at 127.0.0.1 port PORT"],
        "an open port is told from a closed one"
    );
}

/// Link-local addresses, those of the metadata services of clouds, and what is no machine's; in many clothes.
const NEVER: &[&str] = &[
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "fe80::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd00:42::42",
    "64:ff9b:1::a9fe:a9fe",
    "100.100.100.200",
    "192.0.0.192",
    "0.0.0.0",
    "0",
    "0x0",
    "::",
    "::ffff:0.0.0.0",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
];

#[test]
fn s16_link_local_and_metadata_addresses_are_never_reached() {
    let world = World::new(None);
    let reached = "class MongoClient:\n    def __init__(self, host, port, **options):\n        raise ValueError('the driver was asked')\n";
    with_drivers(&world, &[("pymongo", reached), ("oss2", "")]);
    // However wide the operator opens the door.
    for variables in [&[][..], &[("HUB_CONNECTOR_ALLOW", "0.0.0.0/0,::/0")][..]] {
        let host = host(&world, variables);
        // What goes to no machine in particular comes to this one.
        let here = Fake::new(|_| {});
        for address in NEVER {
            for kind in ["postgresql", "mysql", "mongodb"] {
                let mut parameters = to(address, here.port);
                if kind == "mysql" {
                    parameters["tls"] = json!("verify");
                }
                let begun = Instant::now();
                let (ok, message) = tested(&host, kind, &parameters);
                let want = format!(
                    "`{address}` is not among the places that connections may be tested to; the operator decides"
                );
                assert_eq!((ok, message), (false, want), "{kind}");
                assert!(begun.elapsed() < Duration::from_secs(5));
            }
        }
        assert_eq!(here.taken(), 0);
        let oss = json!({"endpoint": "169.254.169.254", "bucket": "b", "user": "u"});
        let (ok, message) = tested(&host, "oss", &oss);
        assert!(!ok && message.contains("is not among the places"), "{message}");
        // Another address of this machine is reached.
        assert!(!tested(&host, "postgresql", &to("127.0.0.1", here.port)).0 && here.taken() > 0);
    }
}

#[test]
fn s16_the_operators_lists_count_on_what_a_name_leads_to() {
    let world = World::new(None);
    let denied = |variables: &[(&str, &str)], to_host: &str| {
        let host = host(&world, variables);
        let here = Fake::new(|_| {});
        let (ok, message) = tested(&host, "postgresql", &to(to_host, here.port));
        assert!(!ok);
        let denied = message.contains("is not among the places");
        assert_eq!(denied, here.taken() == 0, "{to_host}: {message}");
        denied
    };
    let (allow, deny) = ("HUB_CONNECTOR_ALLOW", "HUB_CONNECTOR_DENY");
    for to_host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "::ffff:127.0.0.1", "::ffff:7f00:1"] {
        // Some systems know the name by its address of IPv6 too, where nobody listens.
        if to_host != "localhost" {
            assert!(!denied(&[], to_host), "{to_host}");
        }
        assert!(denied(&[(deny, "127.0.0.0/8")], to_host), "{to_host}");
        assert!(denied(&[(allow, "10.0.0.0/8, 192.0.2.7")], to_host), "{to_host}");
    }
    assert!(!denied(&[(allow, "127.0.0.1")], "127.0.0.1"));
    assert!(denied(&[(allow, "127.0.0.0/8"), (deny, "127.0.0.1")], "127.0.0.1"), "what is denied is denied");

    let mut wrong = command(&world.folder);
    wrong.args(["serve", "--listen", "127.0.0.1:0"]).env(deny, "10.0.0.0/99");
    let (status, _, stderr) = run(wrong);
    assert_eq!(status, Some(3), "{stderr}");
    assert!(stderr.contains("HUB_CONNECTOR_DENY holds `10.0.0.0/99`, which is no network"), "{stderr}");
}

/// A driver that follows where it is led: to the machines that a cluster names, in all the ways to write them.
const LED: &str = "
import socket, urllib.request

class errors:
    class ConnectionFailure(Exception):
        pass

class MongoClient:
    def __init__(self, host, port, **options):
        self.names = socket.create_connection((host, port), 5).makefile().read().split()

    def __enter__(self):
        return self

    def __exit__(self, *nothing):
        pass

    def server_info(self):
        reached, told = [], []
        for name in self.names:
            host, port = name.rsplit(':', 1)
            for family in (socket.AF_INET, socket.AF_INET6):
                try:
                    with socket.socket(family) as to:
                        to.settimeout(5)
                        to.connect((host, int(port)))
                        reached.append(name)
                except Exception as error:
                    told.append(str(error))
        raise ValueError('reached ' + str(reached) + ' ' + str(set(told)))
";

/// A driver that follows redirections.
const REDIRECTED: &str = "
import urllib.request

class Settings:
    def __init__(self, **options):
        pass

class HttpClient:
    def __init__(self, host, port, **options):
        self.version = urllib.request.urlopen('http://%s:%s/' % (host, port), timeout=5).read().decode()

    def get_version(self):
        return self.version

    def count_collections(self):
        return 0
";

#[test]
fn s16_second_addresses_and_redirections_are_held_to_the_lists_too() {
    let world = World::new(None);
    with_drivers(&world, &[("pymongo", LED), ("chromadb", REDIRECTED)]);
    let secret = Fake::on("127.0.0.2", |mut stream| {
        let mut some = [0; 1000];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret");
    });
    let port = secret.port;
    let names = Fake::new(move |mut stream| {
        let ways = [
            "127.0.0.2",
            "2130706434",
            "0x7f000002",
            "127.2",
            "::ffff:127.0.0.2",
            "::ffff:7f00:2",
            "169.254.169.254",
        ];
        // A port is no way round: not even that of name servers, unless the machine asks there.
        let named = "127.0.0.2:53\n".to_owned() + &ways.map(|way| format!("{way}:{port}\n")).concat();
        let _ = stream.write_all(named.as_bytes());
    });
    let redirects = Fake::new(move |mut stream| {
        let mut some = [0; 1000];
        let _ = stream.read(&mut some);
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2:{port}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let _ = stream.write_all(head.as_bytes());
    });
    let chroma = json!({"host": "127.0.0.1", "port": redirects.port});
    for variables in [[("HUB_CONNECTOR_DENY", "127.0.0.2")], [("HUB_CONNECTOR_ALLOW", "127.0.0.1")]] {
        let host = host(&world, &variables);
        let (ok, message) = tested(&host, "mongodb", &json!({"host": "127.0.0.1", "port": names.port}));
        assert!(!ok && message.starts_with("reached []") && !message.contains("refused"), "{message}");
        let (ok, message) = tested(&host, "chroma", &chroma);
        assert!(!ok && message.contains("not among those that connections may be tested to"), "{message}");
    }
    assert_eq!(secret.taken(), 0);
    // Where nothing forbids it, it is reached: the test can tell.
    let open = host(&world, &[]);
    let (ok, message) = tested(&open, "chroma", &chroma);
    assert!(ok && message.contains("secret"), "{message}");
    assert_eq!(secret.taken(), 1);
}

/// A driver whose library opens connections by itself, in all the ways that the system has; Python's own module hears nothing of it.
const IN_C: &str = "
import ctypes, os, socket, struct

libc = ctypes.CDLL(None, use_errno=True)

def address(host, port, family=socket.AF_INET):
    return struct.pack('=H', family) + struct.pack('!H', port) + socket.inet_aton(host) + bytes(8)

def tried(what, got):
    return what + ': ' + ('done' if got >= 0 else os.strerror(ctypes.get_errno()))

def connect(server, port, user, **others):
    to, port = user.split(':')
    port = int(port)
    told = []
    stream = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    told.append(tried('connect', libc.connect(stream, address(to, port), 16)))
    for family in (socket.AF_INET, socket.AF_UNSPEC):
        one = libc.socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
        told.append(tried('sendto', libc.sendto(one, b'x', 1, 0, address(to, port, family), 16)))
        name = ctypes.create_string_buffer(address(to, port, family), 16)
        block = ctypes.create_string_buffer(b'x', 1)
        vector = struct.pack('@PN', ctypes.addressof(block), 1)
        vector = ctypes.create_string_buffer(vector, len(vector))
        head = struct.pack('@PIxxxxPNPNixxxx', ctypes.addressof(name), 16, ctypes.addressof(vector), 1, 0, 0, 0)
        told.append(tried('sendmsg', libc.sendmsg(one, head, 0)))
        many = ctypes.create_string_buffer(head + bytes(8))
        told.append(tried('sendmmsg', libc.sendmmsg(one, many, 1, 0)))
    raise ValueError(', '.join(told))
";

#[test]
fn s16_a_library_that_connects_by_itself_is_held_to_the_lists_too() {
    let world = World::new(None);
    with_drivers(&world, &[("pymssql", IN_C)]);
    let there = Fake::on("127.0.0.2", |_| {});
    let parameters = json!({"host": "127.0.0.1", "port": 1, "user": format!("127.0.0.2:{}", there.port)});
    for variables in [[("HUB_CONNECTOR_DENY", "127.0.0.2")], [("HUB_CONNECTOR_ALLOW", "127.0.0.1")]] {
        let host = host(&world, &variables);
        let (ok, message) = tested(&host, "mssql", &parameters);
        assert!(!ok && !message.contains("done"), "{message}");
        // Either each call was refused, or the test was, where the system cannot ask about calls.
        let refused = message.matches("Permission denied").count();
        assert!(refused == 7 || unheld(&message), "{message}");
    }
    assert_eq!(there.taken(), 0);
    let open = host(&world, &[]);
    let (_, message) = tested(&open, "mssql", &parameters);
    if unheld(&message) {
        skip(&format!("what a library in C connects to: {message}"));
        return;
    }
    assert_eq!(message.matches("done").count(), 7, "{message}");
    assert_eq!(there.taken(), 1);
}

/// Whether a test was refused because the system cannot ask about calls.
fn unheld(message: &str) -> bool {
    message.contains("nothing here can hold them to where connectors may go")
}

/// A path of a connector leads to the organisation's own files, whatever else lies in the data folder.
#[test]
fn s16_a_connectors_files_are_the_organisations_own() {
    let world = World::new(None);
    let faiss = "class Index:\n    def __init__(self, text): self.ntotal, self.d = len(text), 1\n\
        def read_index(path):\n    \
            text = open(path, 'rb').read()\n    \
            if not text.startswith(b'IxF'): raise RuntimeError('Index type 0x%s not recognized' % text[:4].hex())\n    \
            return Index(text)\n";
    with_drivers(&world, &[("faiss", faiss)]);
    world.folder.write("data/.env", "HUB_MORE=secret\n");
    world.folder.write("data/vectors/notes", "IxF2");
    world.folder.write("data/connectors/another/notes", "IxF2");
    world.folder.write("data/dbt/work/another/w/notes", "IxF2");
    let host = host(&world, &[]);
    let org = host.get("/api/session").json()["org"]["id"].as_str().unwrap().to_owned();
    for folder in [format!("connectors/{org}"), format!("dbt/work/{org}/w")] {
        world.folder.write(&format!("data/{folder}/notes"), "IxF2");
        symlink(world.folder.path("data/.env"), world.folder.path(&format!("data/{folder}/link"))).unwrap();
        let (ok, message) = tested(&host, "faiss", &json!({"file": format!("{folder}/notes")}));
        assert!(ok && message.contains("4 vectors"), "{message}");
        let (ok, message) = tested(&host, "faiss", &json!({"file": format!("{folder}/link")}));
        assert!(!ok && message.contains("there is no file") && !message.contains("0x"), "{message}");
    }
    let others = [
        ".env",
        "hub.db",
        "vectors/notes",
        "connectors/another/notes",
        "dbt/work/another/w/notes",
        "dbt/work/another/no",
    ];
    for others in others {
        let (ok, message) = tested(&host, "faiss", &json!({"file": others}));
        // Word for word the same whether it is there or not, but for the path itself.
        let wanted = format!(
            "a file of a connector lies in `connectors/{org}/` of the data folder, or in `dbt/work/{org}/` where runs make it; \
             `{others}` does not"
        );
        assert_eq!((ok, message), (false, wanted));
    }
}
