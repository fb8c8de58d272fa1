//! A folder with a database, SQLite's or PostgreSQL's, and people who ask the host that works there.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::postgres::Server;
use super::{Answer, Folder, Host, command, run, run_with, skip};

/// Runs a test on SQLite and, where it is installed, on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* fn $name:ident($world:ident: &World) $body:block)*) => {
        $(fn $name($world: &World) $body)*

        mod sqlite {
            $(#[test] $(#[$meta])* fn $name() { super::$name(&$crate::program::world::World::new(None)); })*
        }

        mod postgres {
            $(#[test] $(#[$meta])* fn $name() {
                if let Some(server) = $crate::program::postgres::Server::shared() {
                    super::$name(&$crate::program::world::World::new(Some(server.database())));
                }
            })*
        }
    };
}

/// A folder and a database.
pub struct World {
    pub folder: Folder,
    pub url: Option<String>,
}

impl World {
    pub fn new(url: Option<String>) -> World {
        World { folder: Folder::release(), url }
    }

    pub fn prepare(&self, command: &mut std::process::Command) {
        if let Some(url) = &self.url {
            command.env("DATABASE_URL", url);
        }
        command.env("NEEDY_KEY", "x");
    }

    pub fn host(&self) -> Host {
        self.host_with(&[])
    }

    /// A host with these variables besides.
    pub fn host_with(&self, variables: &[(&str, &str)]) -> Host {
        Host::start_as_admin(&self.folder, |command| {
            self.prepare(command);
            command.envs(variables.iter().copied());
        })
    }

    /// What `preflight` says, and its exit code; with what the world's host has in its environment.
    pub fn preflight(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let mut command = command(&self.folder);
        self.prepare(&mut command);
        command.args(["preflight", "--json"]).args(arguments);
        let (status, stdout, stderr) = run(command);
        (status, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("no JSON: {stdout}{stderr}")))
    }

    /// Another host of the same database, in a data folder of its own.
    pub fn other_host(&self) -> Host {
        Host::start_as_admin(&self.folder, |command| {
            self.prepare(command);
            command.env("DATA_DIR", self.folder.path("data-other"));
        })
    }

    /// Does something to the database that no host would; whether this machine can.
    pub fn sql(&self, sql: &str) -> bool {
        if let Some(url) = &self.url {
            let server = Server::shared().expect("the world's database is on it");
            server.sql(url.rsplit_once('/').unwrap().1, sql);
            return true;
        }
        let mut python = Command::new("python3");
        python.args(["-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"]);
        let Ok(status) = python.arg(self.folder.path("data/hub.db")).arg(sql).env("PYTHONUTF8", "1").status()
        else {
            skip("what an earlier release has left: python3 is not installed");
            return false;
        };
        assert!(status.success(), "{sql}");
        true
    }

    /// `admin create-user`; gives what it prints.
    pub fn create_user(&self, arguments: &[&str], password: &str) -> String {
        let mut command = command(&self.folder);
        self.prepare(&mut command);
        command.args(["admin", "create-user"]).args(arguments);
        let (status, stdout, stderr) = run_with(command, password);
        assert_eq!(status, Some(0), "{stderr}");
        stdout
    }
}

/// Somebody who asks.
pub struct Person<'h> {
    pub host: &'h Host,
    pub token: String,
}

impl<'h> Person<'h> {
    /// Signs in.
    pub fn new(host: &'h Host, email: &str, password: &str) -> Person<'h> {
        Person { host, token: host.sign_in(email, password) }
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.host.ask(method, path, &headers, &body.map(|body| body.to_string()).unwrap_or_default())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(body))
    }

    pub fn session(&self) -> Value {
        let answer = self.get("/api/session");
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    pub fn turn(&self, slug: &str, on: bool, target: Value) -> Answer {
        self.post(&format!("/api/plugins/{slug}/{}", if on { "enable" } else { "disable" }), target)
    }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// The answer has this status, and its problem this code.
pub fn is(answer: &Answer, status: u16, word: &str) {
    assert_eq!(code(answer), (status, word.to_owned()), "{}", answer.text);
}

/// Longest wait before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it is so; how long that took.
pub fn until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}
