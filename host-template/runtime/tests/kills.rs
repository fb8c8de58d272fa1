//! A host that is killed at any moment while plugins are switched: the state and the audit log always tell the same, on
//! both databases.

mod program;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use program::postgres::Server;
use program::{Folder, Host};
use serde_json::{Value, json};

/// How often the host is killed on each database.
const KILLS: u64 = 200;

#[test]
fn sqlite() {
    killed_again_and_again(None);
}

#[test]
fn postgres() {
    if let Some(server) = Server::shared() {
        killed_again_and_again(Some(server.database()));
    }
}

fn killed_again_and_again(url: Option<String>) {
    let folder = Folder::release();
    let start = || {
        Host::start(&folder, |command| {
            if let Some(url) = &url {
                command.env("DATABASE_URL", url);
            }
        })
    };
    let mut host = start();
    let token = host.sign_in(program::ADMIN, program::PASSWORD);
    let tenant = ask(&host, &token, "POST", "/api/tenants", json!({"name": "Alder"}));
    let tenant = tenant["id"].as_str().unwrap().to_owned();
    let targets = [json!({"scope": "org"}), json!({"scope": "tenant", "tenant": tenant})];
    let turned = AtomicU32::new(0);
    let cut = AtomicU32::new(0);
    for round in 0..KILLS {
        let killed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Two admins at once, one of them for a tenant.
            for (at, target) in targets.iter().enumerate() {
                let (host, token, turned, cut, killed) = (&host, &token, &turned, &cut, &killed);
                scope.spawn(move || {
                    for step in 0.. {
                        let verb = if (step + at) % 2 == 0 { "enable" } else { "disable" };
                        let path = format!("/api/plugins/good/{verb}");
                        match host.try_ask("POST", &path, token, &target.to_string()) {
                            Some(200) => turned.fetch_add(1, Ordering::Relaxed),
                            _ => cut.fetch_add(1, Ordering::Relaxed),
                        };
                        if killed.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            }
            // Once this round's host has answered a change, at any moment of the next few: how fast the machine is does
            // not matter, since the wait is measured in changes.
            let (begun, before) = (Instant::now(), turned.load(Ordering::Relaxed));
            while turned.load(Ordering::Relaxed) == before {
                assert!(begun.elapsed() < Duration::from_secs(60), "no change is answered");
                std::thread::sleep(Duration::from_micros(200));
            }
            let one_change = begun.elapsed().as_secs_f64();
            let share = (round as f64 * 0.618_034).fract();
            std::thread::sleep(Duration::from_secs_f64(share * 2.0 * one_change));
            host.kill();
            killed.store(true, Ordering::Relaxed);
        });
        host = start();
        state_and_log_agree(&host, &token, &tenant);
    }
    let (turned, cut) = (turned.into_inner(), cut.into_inner());
    println!("{KILLS} kills, {turned} changes answered, {cut} cut off");
    assert!(
        turned > KILLS as u32 && cut >= KILLS as u32,
        "the kills have to hit changes: {turned} and {cut}"
    );
}

fn ask(host: &Host, token: &str, method: &str, path: &str, body: Value) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    // A body that nobody reads makes the host's end of the connection cut off the answer.
    let body = if method == "GET" { String::new() } else { body.to_string() };
    let answer = host.ask(method, path, &headers, &body);
    assert!(answer.status < 300, "{path}: {}", answer.text);
    answer.json()
}

/// The log, read from its beginning, leads from state to state without a gap and ends where the switches stand.
fn state_and_log_agree(host: &Host, token: &str, tenant: &str) {
    let mut events = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("/api/audit/events?event_type=plugin_state_change&limit=500{before}");
        let page = ask(host, token, "GET", &path, json!({}));
        events.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    // What is said of a tenant depends on the organisation too: both are followed.
    let (mut org, mut said) = ("disabled".to_owned(), None::<String>);
    let on = |org: &str, said: &Option<String>| match (org, said.as_deref()) {
        ("enabled", said) => said != Some("disabled"),
        ("chosen", said) => said == Some("enabled"),
        _ => false,
    };
    let word = |on: bool| if on { "enabled" } else { "disabled" };
    for event in events.iter().rev() {
        let (from, to) = (event["from"].as_str().unwrap(), event["to"].as_str().unwrap());
        assert_ne!(from, to, "{event}");
        if event["scope"] == "org" {
            assert_eq!(from, org, "{event}");
            org = to.to_owned();
            if to == "disabled" && said.as_deref() == Some("enabled") {
                said = None;
            }
        } else {
            assert_eq!(from, word(on(&org, &said)), "{event}");
            said = Some(to.to_owned());
            if org == "disabled" && to == "enabled" {
                org = "chosen".to_owned();
            }
        }
    }
    let plugins = ask(host, token, "GET", "/api/plugins", json!({}));
    let by_name: BTreeMap<&str, &Value> =
        plugins.as_array().unwrap().iter().map(|plugin| (plugin["name"].as_str().unwrap(), plugin)).collect();
    let good = by_name["good"];
    assert_eq!(good["org_state"], org, "{events:?}");
    let here = good["tenants"].as_array().unwrap().iter().find(|entry| entry["id"] == tenant).unwrap();
    assert_eq!(here["enabled"], on(&org, &said), "{events:?}");
    if org == "enabled" {
        // Its table came with the change or not at all.
        ask(host, token, "POST", "/api/good/notes", json!({"text": "x"}));
    }
}
