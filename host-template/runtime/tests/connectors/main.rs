//! What tests of connections can be made to do: to the host, by servers that answer with too much or nothing, and to others, by
//! people who want to know what there is on a network. Every server here is a thread of the test on a loopback address.
//!
//! A file for each part.

mod limits;
#[path = "../program/mod.rs"]
mod program;
mod reach;

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use program::world::World;
use program::{Answer, Host};
use serde_json::{Value, json};

/// The file of the release.
const DRIVERS: &str = include_str!("../../../drivers.yaml");

/// A server that does this with each connection. It ignores what it cannot read or write: the tested side may hang up at any
/// moment, and what that side says is what tests look at.
struct Fake {
    port: u16,
    /// How many connections were taken, how many are open, and how many were at once.
    taken: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
}

impl Fake {
    fn new(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Fake {
        Fake::on("127.0.0.1", talk)
    }

    fn on(address: &str, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, at_once) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counts, talk) = ((taken.clone(), at_once.clone()), Arc::new(talk));
        std::thread::spawn(move || {
            let open = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming().flatten() {
                counts.0.fetch_add(1, Ordering::SeqCst);
                counts.1.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let (talk, open) = (talk.clone(), open.clone());
                std::thread::spawn(move || {
                    talk(stream);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Fake { port, taken, at_once }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// A world with drivers that are modules of these texts.
fn with_drivers(world: &World, modules: &[(&str, &str)]) {
    world.folder.write("drivers.yaml", DRIVERS);
    for (name, text) in modules {
        world.folder.write(&format!("data/drivers/.set-1/{name}.py"), text);
    }
    symlink(".set-1", world.folder.path("data/drivers/current")).unwrap();
}

fn host(world: &World, variables: &[(&str, &str)]) -> Host {
    Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("HUB_CONNECTOR_TESTS_OF_USER", "10000").env("HUB_CONNECTOR_TESTS_OF_ORG", "10000");
        command.envs(variables.iter().copied());
    })
}

fn test(host: &Host, kind: &str, parameters: &Value) -> Answer {
    host.post(&format!("/api/connectors/{kind}/test"), &parameters.to_string())
}

/// Whether the connection was made, and the message.
fn tested(host: &Host, kind: &str, parameters: &Value) -> (bool, String) {
    let answer = test(host, kind, parameters);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    (json["ok"].as_bool().unwrap(), json["message"].as_str().unwrap().to_owned())
}

fn to(host: &str, port: u16) -> Value {
    json!({"host": host, "port": port, "database": "a", "user": "ann", "password": "open sesame"})
}
