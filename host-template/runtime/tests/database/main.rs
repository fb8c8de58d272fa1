//! What a database does to a host, and a host to its database: migrations that would lose something, servers that are away, busy
//! or only read, files that go away, and what an operator is told. A file for each part.

mod files;
mod migrations;
mod names;
#[path = "../program/mod.rs"]
mod program;
mod reading;
mod servers;

use program::postgres::Server;
use program::world::World;
use program::{command, run};

pub(crate) fn server() -> Option<&'static Server> {
    Server::shared()
}

pub(crate) fn with_port(url: &str, port: u16) -> String {
    let (head, rest) = url.split_once("127.0.0.1:").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("{head}127.0.0.1:{port}/{path}")
}

/// A start that fails; gives what it says.
pub(crate) fn cannot_start(world: &World, arguments: &[&str]) -> String {
    let mut command = command(&world.folder);
    world.prepare(&mut command);
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    let (status, _, stderr) = run(command);
    assert_eq!(status, Some(3), "{stderr}");
    assert!(!stderr.contains("restore"), "{stderr}");
    stderr
}
