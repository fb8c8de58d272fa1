//! S11: signing in holds out against guesses and floods.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::world::World;
use crate::program::{ADMIN, Host, PASSWORD};
use crate::{JSON, on_both};

on_both! {
    // S11
    fn s11_a_known_device_gets_in_whatever_others_try(world: &World) {
        let host = Host::start(&world.folder, |command| world.prepare(command));
        let try_from = |address: &str, cookie: &str, password: &str| {
            let body = json!({"email": ADMIN, "password": password}).to_string();
            host.ask("POST", "/api/auth/login", &[JSON, ("x-forwarded-for", address), ("cookie", cookie)], &body)
        };
        let first = try_from("203.0.113.7", "a=b", PASSWORD);
        assert_eq!(first.status, 200, "{}", first.text);
        let cookies = first.all("set-cookie");
        let device = cookies.iter().find(|cookie| cookie.contains("hub_device=")).expect("a mark of the device").clone();
        for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=31536000"] {
            assert!(device.contains(part), "{device}");
        }
        let device = device.split(';').next().unwrap().to_owned();
        let refused = (0..70u8).map(|n| try_from(&format!("198.51.100.{n}"), "a=b", "wrong wrong").status).filter(|status| *status == 429).count();
        assert!(refused >= 30, "{refused}");
        // On a slow machine a try has become free meanwhile: the next is asked for right after a refusal.
        let locked_out = |network: &str, cookie: &str| {
            (0..5).any(|round| {
                let mut tries = (0..20).map(|n| try_from(&format!("{network}.{}", round * 20 + n), "a=b", "wrong wrong").status);
                tries.any(|status| status == 429) && {
                    let answer = try_from(&format!("{network}.{}", 200 + round), cookie, PASSWORD);
                    answer.status == 429 && answer.json()["code"] == "too-many-attempts"
                }
            })
        };
        assert!(locked_out("192.0.2", "a=b"), "{}", host.log());
        // From anywhere with the device, and from where it was before without.
        assert_eq!(try_from("198.51.100.201", &device, PASSWORD).status, 200);
        assert_eq!(try_from("203.0.113.7", "a=b", PASSWORD).status, 200);
        // What only looks like a mark is none.
        let forged = format!("hub_device={}.{}", "a".repeat(22), "b".repeat(43));
        assert!(locked_out("100.64.0", &forged), "{}", host.log());
        // One /64 is one sender.
        let statuses: Vec<u16> = (0..12).map(|n| {
            let body = json!({"email": format!("n{n}@example.com"), "password": "wrong wrong"}).to_string();
            let from = format!("2001:db8:0:1::{n:x}");
            host.ask("POST", "/api/auth/login", &[JSON, ("x-forwarded-for", &from)], &body).status
        }).collect();
        assert!(statuses.iter().all(|status| *status == 401));
        let limited = (0..70).map(|n| {
            let body = json!({"email": "one@example.com", "password": "wrong wrong"}).to_string();
            let from = format!("2001:db8:0:2::{n:x}");
            host.ask("POST", "/api/auth/login", &[JSON, ("x-forwarded-for", &from)], &body).status
        }).filter(|status| *status == 429).count();
        assert!(limited >= 50, "{limited}");
    }
}

// S11: 1 000 at once. The queue is bounded, and whoever is known does not stand in it.
#[test]
fn s11_a_thousand_sign_ins_at_once_do_not_hold_up_a_known_device() {
    let world = World::new(None);
    let host = Host::start(&world.folder, |command| world.prepare(command));
    let ask = |from: &str, cookie: &str, email: &str, password: &str| {
        let body = json!({"email": email, "password": password}).to_string();
        host.ask("POST", "/api/auth/login", &[JSON, ("x-forwarded-for", from), ("cookie", cookie)], &body)
    };
    let first = ask("203.0.113.7", "a=b", ADMIN, PASSWORD);
    let device = first.all("set-cookie").into_iter().find(|cookie| cookie.contains("hub_device=")).unwrap();
    let device = device.split(';').next().unwrap();
    let (statuses, took, known) = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..250u32)
            .map(|worker| {
                scope.spawn(move || {
                    let (mut busy, mut other) = (0, 0);
                    for n in 0..4u32 {
                        let at = worker * 4 + n;
                        let from = format!("10.{}.{}.1", at / 250, at % 250);
                        match ask(&from, "a=b", &format!("n{at}@example.com"), "wrong wrong").status {
                            503 => busy += 1,
                            401 => other += 1,
                            status => panic!("{status}"),
                        }
                    }
                    (busy, other)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        let known = ask("198.51.100.9", device, ADMIN, PASSWORD).status;
        let took = begun.elapsed();
        let all: Vec<(u32, u32)> = crowd.into_iter().map(|one| one.join().unwrap()).collect();
        (all, took, known)
    });
    let answered: u32 = statuses.iter().map(|(busy, other)| busy + other).sum();
    assert_eq!((answered, known), (1000, 200));
    eprintln!("a known device signs in after {took:?} beside 250 strangers at any moment");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

// S11: clients that do not wait for their answer. What has begun for them goes on, and counts.
#[test]
fn s11_five_hundred_who_hang_up_take_no_more_memory_than_those_who_wait() {
    let world = World::new(None);
    let host = Host::start(&world.folder, |command| world.prepare(command));
    std::thread::scope(|scope| {
        for worker in 0..25u32 {
            let host = &host;
            scope.spawn(move || {
                for n in 0..20u32 {
                    let at = worker * 20 + n;
                    let body =
                        json!({"email": format!("n{at}@example.com"), "password": "wrong wrong"}).to_string();
                    let head = format!(
                        "POST /api/auth/login HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n\
                         x-forwarded-for: 10.{}.{}.1\r\ncontent-length: {}\r\n\r\n",
                        at / 250,
                        at % 250,
                        body.len()
                    );
                    let mut stream = host.connect();
                    stream.write_all((head + &body).as_bytes()).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let peak = host.peak();
    eprintln!("the host's peak after 500 sign-ins that nobody waited for: {peak} MB");
    assert!(peak <= 200, "{peak} MB");
    let body = json!({"email": ADMIN, "password": PASSWORD}).to_string();
    let begun = Instant::now();
    while host.ask("POST", "/api/auth/login", &[JSON], &body).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the queue is full still: {}", host.log());
        std::thread::sleep(Duration::from_millis(500));
    }
}
