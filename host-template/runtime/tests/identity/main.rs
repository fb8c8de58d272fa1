//! Whose an account is, who may give whom what, and how signing in holds out. A file for each part; most tests run on both
//! databases.

mod grants;
mod invitations;
mod names;
mod operator;
#[path = "../program/mod.rs"]
mod program;
mod sessions;
mod sign_in;

use program::world::Person;
use program::{Answer, Host};
use serde_json::{Value, json};

/// The type of a body.
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// Asks without a session.
pub(crate) fn anybody(host: &Host, path: &str, body: Value) -> Answer {
    // A header of this name keeps the host's own token away.
    host.ask("POST", path, &[JSON, ("cookie", "none=1")], &body.to_string())
}

pub(crate) fn sign_in_status(host: &Host, email: &str, password: &str) -> u16 {
    anybody(host, "/api/auth/login", json!({"email": email, "password": password})).status
}

pub(crate) fn events_of(person: &Person<'_>, event_type: &str) -> Vec<Value> {
    let events = person.get(&format!("/api/audit/events?event_type={event_type}")).json();
    events["items"].as_array().unwrap().clone()
}

pub(crate) fn id_of(person: &Person<'_>) -> String {
    person.session()["user"]["id"].as_str().unwrap().to_owned()
}

/// A group of these permissions; gives its identifier.
pub(crate) fn group(admin: &Person<'_>, name: &str, permissions: &[&str]) -> String {
    let made = admin.post("/api/groups", json!({"name": name, "permissions": permissions}));
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn tenant(admin: &Person<'_>, name: &str) -> String {
    let made = admin.post("/api/tenants", json!({"name": name}));
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn put(admin: &Person<'_>, user: &str, place: Value) -> Answer {
    admin.ask("PUT", &format!("/api/members/{user}"), Some(place))
}
