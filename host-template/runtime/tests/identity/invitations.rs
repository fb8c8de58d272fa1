//! S1: an account belongs to its owner, and a membership begins when its owner accepts.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::world::{Person, World, is, until};
use crate::program::{ADMIN, Host, PASSWORD};
use crate::{anybody, events_of, group, id_of, on_both, put, sign_in_status};

on_both! {
    // S1
    fn s1_an_organisation_never_sets_a_password_that_counts_elsewhere(world: &World) {
        let host = world.host();
        world.create_user(&["--email", "sam@south.example", "--org", "South", "--role", "admin"], "sam's password!\n");
        world.create_user(&["--email", "nia@north.example", "--org", "North", "--role", "admin"], "nia's password!\n");
        let sam = Person::new(&host, "sam@south.example", "sam's password!");
        let nia = Person::new(&host, "nia@north.example", "nia's password!");
        let victim = "victim@north.example";
        for path in ["/api/members", "/api/invitations"] {
            let with = sam.post(path, json!({"email": victim, "role": "member", "password": "south's choice"}));
            assert_eq!((with.status, &with.json()["errors"][0]["field"]), (422, &json!("password")), "{}", with.text);
        }
        assert_eq!(sam.post("/api/members", json!({"email": victim, "role": "admin"})).status, 202);
        assert_eq!(sign_in_status(&host, victim, "south's choice"), 401);
        assert_eq!(sam.get("/api/members").json().as_array().unwrap().len(), 1, "nobody is a member who has not accepted");

        // The owner comes by the link of North, and then by that of South with the password of her own.
        let invited = nia.post("/api/invitations", json!({"email": " Victim@North.example ", "name": "Vic", "role": "admin"}));
        assert_eq!(invited.status, 201, "{}", invited.text);
        let token = invited.json()["token"].clone();
        assert_eq!(invited.json()["link"], format!("/invitation#{}", token.as_str().unwrap()));
        assert!(!nia.get("/api/invitations").text.contains(token.as_str().unwrap()), "shown once");
        let offered = anybody(&host, "/api/invitations/look", json!({"token": token}));
        assert_eq!((offered.status, &offered.json()["org"], &offered.json()["email"]), (200, &json!("North"), &json!(victim)));
        let short = anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "Vic", "password": "short"}));
        assert_eq!((short.status, &short.json()["errors"][0]["field"]), (422, &json!("password")));
        let accepted = anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "Vic", "password": "vic's own password"}));
        assert_eq!((accepted.status, &accepted.json()["org"]["name"]), (200, &json!("North")), "{}", accepted.text);
        assert!(accepted.header("set-cookie").contains("hub_"), "{}", accepted.text);
        let vic = Person { host: &host, token: accepted.json()["token"].as_str().unwrap().to_owned() };
        assert_eq!((&vic.session()["org"]["name"], &vic.session()["role"]), (&json!("North"), &json!("admin")));
        // Once.
        is(&anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "Vic", "password": "another password"})), 404, "invitation-unknown");

        // South's invitation waits. Whoever holds its link has no way past the owner's password.
        let pending = sam.get("/api/invitations").json();
        let id = pending[0]["id"].as_str().unwrap().to_owned();
        let again = sam.post(&format!("/api/invitations/{id}/resend"), json!({}));
        assert_eq!(again.status, 200, "{}", again.text);
        let token = again.json()["token"].clone();
        is(&anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "Sam", "password": "south's choice"})), 409, "account-exists");
        is(&anybody(&host, "/api/invitations/accept", json!({"token": token, "password": "south's choice"})), 401, "wrong-credentials");
        is(&sam.post("/api/invitations/accept", json!({"token": token})), 403, "invitation-for-another");
        assert_eq!(sign_in_status(&host, victim, "vic's own password"), 200);
        let joined = vic.post("/api/invitations/accept", json!({"token": token}));
        assert_eq!((joined.status, &joined.json()["org"]["name"]), (200, &json!("South")), "{}", joined.text);
        assert_eq!(vic.session()["org"]["name"], "South");

        // Nobody sets another's password, and each organisation hears of who comes in.
        let user = id_of(&vic);
        let patched = put(&sam, &user, json!({"role": "admin", "password": "south's choice"}));
        assert_eq!(patched.status, 422, "{}", patched.text);
        let entered = |person: &Person<'_>| events_of(person, "sign_in").iter().filter(|event| event["actor"]["email"] == victim).count();
        assert_eq!((entered(&nia), entered(&sam)), (2, 1));
        let north = nia.session()["org"]["id"].clone();
        assert_eq!(vic.post("/api/session/switch", json!({"org": north})).status, 204);
        assert_eq!((entered(&nia), entered(&sam)), (3, 1));
        assert_eq!(events_of(&nia, "member_joined")[0]["details"]["invited_by"], "nia@north.example");
        // Wrong tries are told to both, and cannot flood the log.
        for _ in 0..9 {
            assert!(matches!(sign_in_status(&host, victim, "not the password"), 401 | 429));
        }
        let failed = |person: &Person<'_>| events_of(person, "sign_in_failed").iter().filter(|event| event["actor"]["email"] == victim).count();
        until("refused sign-ins are not told", || failed(&nia) >= 5 && failed(&sam) >= 4);
        assert!(failed(&nia) <= 7, "{}", failed(&nia));
    }

    // S1
    fn s1_an_invitation_says_the_same_of_a_known_and_of_an_unknown_address(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        world.create_user(&["--email", "known@elsewhere.example", "--org", "Elsewhere"], "a long password\n");
        let shape = |email: &str| {
            let begun = Instant::now();
            let answer = admin.post("/api/invitations", json!({"email": email}));
            let mut body = answer.json();
            for key in ["id", "email", "link", "token", "expires_at"] {
                assert!(body[key].is_string(), "{body}");
                body[key] = json!("");
            }
            (answer.status, body, begun.elapsed())
        };
        let (known, unknown) = (shape("known@elsewhere.example"), shape("unknown@elsewhere.example"));
        assert_eq!((known.0, &known.1), (unknown.0, &unknown.1));
        assert!(known.2 < Duration::from_secs(1) && unknown.2 < Duration::from_secs(1), "nothing is hashed");
        let listed = admin.get("/api/invitations").json();
        let strip = |one: &Value| {
            let mut one = one.clone();
            for key in ["id", "email", "created_at", "expires_at"] {
                one[key] = json!("");
            }
            one
        };
        assert_eq!(strip(&listed[0]), strip(&listed[1]));
        // An address is invited once: the earlier link ends.
        let first = admin.post("/api/invitations", json!({"email": "bo@example.com"})).json();
        let second = admin.post("/api/invitations", json!({"email": "bo@example.com"})).json();
        is(&anybody(&host, "/api/invitations/look", json!({"token": first["token"]})), 404, "invitation-unknown");
        assert_eq!(anybody(&host, "/api/invitations/look", json!({"token": second["token"]})).status, 200);
        assert_eq!(admin.ask("DELETE", &format!("/api/invitations/{}", second["id"].as_str().unwrap()), None).status, 204);
        is(&anybody(&host, "/api/invitations/look", json!({"token": second["token"]})), 404, "invitation-unknown");
        for token in ["", "nonsense", &"a".repeat(43)] {
            is(&anybody(&host, "/api/invitations/look", json!({"token": token})), 404, "invitation-unknown");
        }
        is(&admin.post("/api/invitations", json!({"email": ADMIN})), 409, "member-exists");
    }

    // S1, O7
    fn s1_a_link_holds_the_base_path(world: &World) {
        let host = world.host_with(&[("HUB_BASE_PATH", "/hub")]);
        let admin = Person::new(&host, ADMIN, PASSWORD);
        let made = admin.post("/api/invitations", json!({"email": "bo@example.com"})).json();
        let token = made["token"].as_str().unwrap();
        assert_eq!(made["link"], format!("/hub/invitation#{token}"));
    }

    // S1
    fn s1_an_invitation_ends_with_its_time_and_with_the_right_of_who_made_it(world: &World) {
        let host = world.host_with(&[("HUB_INVITATION_SECONDS", "60"), ("HUB_INVITATIONS_PENDING", "3")]);
        let admin = Person::new(&host, ADMIN, PASSWORD);
        world.create_user(&["--email", "eve@example.com", "--org", "Default", "--role", "admin"], "eve's password!\n");
        let eve = Person::new(&host, "eve@example.com", "eve's password!");
        let left = eve.post("/api/invitations", json!({"email": "friend@eve.example", "role": "admin"})).json();
        // Eve is no admin any more: what she left behind opens nothing.
        assert_eq!(put(&admin, &id_of(&eve), json!({"role": "member"})).status, 200);
        let accept = |token: &Value| anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "F", "password": "a long password"}));
        is(&accept(&left["token"]), 410, "invitation-void");
        is(&anybody(&host, "/api/invitations/look", json!({"token": left["token"]})), 410, "invitation-void");
        assert_eq!(admin.ask("DELETE", &format!("/api/members/{}", id_of(&eve)), None).status, 204);
        is(&accept(&left["token"]), 410, "invitation-void");
        assert_eq!(sign_in_status(&host, "friend@eve.example", "a long password"), 401, "no account is left over");
        for n in 0..2 {
            assert_eq!(admin.post("/api/invitations", json!({"email": format!("a{n}@example.com")})).status, 201);
        }
        is(&admin.post("/api/invitations", json!({"email": "a3@example.com"})), 409, "too-many-invitations");
        // Of two who come with one link at the same moment one is let in.
        let token = admin.post("/api/invitations", json!({"email": "a0@example.com"})).json()["token"].clone();
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| accept(&token).status)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 404 | 409)), "{statuses:?}");
    }

    // S2: a link that is made anew ends no invitation that its maker could not take back.
    fn s2_a_new_link_takes_the_place_of_no_invitation_that_is_others_to_take_back(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        world.create_user(&["--email", "tim@example.com", "--org", "Default"], "tim's password!\n");
        let tim = Person::new(&host, "tim@example.com", "tim's password!");
        let managers = group(&admin, "Managers", &["members.manage", "members.read"]);
        assert_eq!(put(&admin, &id_of(&tim), json!({"role": "member", "groups": [managers]})).status, 200);
        let invite = json!({"email": "bo@example.com", "groups": []});
        let made = tim.post("/api/invitations", invite.clone()).json();
        let of_admins = admin.post("/api/invitations", json!({"email": "boss@example.com", "role": "admin"})).json();
        // An earlier release took these for two addresses.
        if !world.sql("UPDATE hub_invitations SET email = '\u{ff42}o@example.com' WHERE email = 'boss@example.com'") {
            return;
        }
        let resend = format!("/api/invitations/{}/resend", made["id"].as_str().unwrap());
        is(&tim.post(&resend, json!({})), 403, "admins-only");
        is(&tim.post("/api/invitations", invite), 403, "admins-only");
        let look = |invited: &Value| anybody(&host, "/api/invitations/look", json!({"token": invited["token"]})).status;
        assert_eq!((look(&made), look(&of_admins)), (200, 200));
        let again = admin.post(&resend, json!({}));
        assert_eq!(again.status, 200, "{}", again.text);
        assert_eq!((look(&made), look(&of_admins), look(&again.json())), (404, 404, 200));
        assert_eq!(admin.get("/api/invitations").json().as_array().unwrap().len(), 1);
    }
}

// S1, S19: whoever holds a link may try often, so a try waits for nobody who writes, and keeps nobody waiting.
#[test]
fn s1_a_try_to_accept_takes_no_lock_before_it_is_counted() {
    let world = World::new(None);
    let host = world.host();
    let admin = Person::new(&host, ADMIN, PASSWORD);
    world.create_user(&["--email", "eve@example.com", "--org", "North"], "eve's password!\n");
    let invite =
        |email: &str| admin.post("/api/invitations", json!({"email": email})).json()["token"].clone();
    let (eves, dees) = (invite("eve@example.com"), invite("dee@example.com"));
    // As an earlier release kept it: no address that one would write finds it.
    let kept = "\u{ff45}ve@example.com";
    if !world.sql(&format!("UPDATE hub_users SET email = '{kept}' WHERE email = 'eve@example.com'")) {
        return;
    }
    // Another program holds the file for as long as this test keeps its standard input open.
    let python = format!(
        "import sqlite3,sys; c=sqlite3.connect({:?}); c.isolation_level=None; c.execute('BEGIN IMMEDIATE'); print('x', flush=True); sys.stdin.read()",
        world.folder.path("data/hub.db").display().to_string()
    );
    let mut holder = Command::new("python3");
    holder.args(["-c", &python]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let accept = |token: &Value, password: &str| {
        anybody(&host, "/api/invitations/accept", json!({"token": token, "password": password}))
    };
    for _ in 0..2 {
        is(&accept(&eves, "not the password"), 401, "wrong-credentials");
    }
    let statuses: Vec<u16> = (0..20).map(|_| accept(&dees, "not the password").status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    // Waiting closes its standard input.
    holder.wait().unwrap();
    let accepted = accept(&eves, "eve's password!");
    assert_eq!(
        (accepted.status, &accepted.json()["user"]["email"]),
        (200, &json!(kept)),
        "{}",
        accepted.text
    );
}

// O7: for systemd and for the host all that stands behind `=` is the value.
#[test]
fn o7_no_example_has_a_comment_behind_a_value() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let mut examples = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        for (at, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let Some((name, value)) = line.trim_start().split_once('=') else { continue };
            let is_variable = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            if is_variable && !name.is_empty() {
                examples += 1;
                assert!(!value.contains(" #"), "{}:{}: {line}", file.display(), at + 1);
            }
        }
    }
    assert!(examples > 0, "no example in {folder}");
}

/// A real SMTP server that prints each mail that it takes as one line of JSON.
struct Smtp {
    child: Child,
    port: u16,
    mails: BufReader<std::process::ChildStdout>,
}

const SMTP: &str = r#"
import asyncio, email, email.policy, json, sys
from aiosmtpd.smtp import SMTP
class Handler:
    async def handle_DATA(self, server, session, envelope):
        if any("refused" in to for to in envelope.rcpt_tos):
            return "550 nobody of that name"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": message["subject"],
                          "sender": message["from"], "text": message.get_content()}), flush=True)
        return "250 taken"
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="mail.example"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"#;

impl Smtp {
    /// None where there is no `aiosmtpd`, which `HUB_REQUIRE_SMTP` forbids.
    fn start() -> Option<Smtp> {
        let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
            let asked = Command::new(python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        });
        let Some(python) = python else {
            assert!(std::env::var_os("HUB_REQUIRE_SMTP").is_none(), "aiosmtpd is not installed");
            crate::program::skip("aiosmtpd is not installed (Debian: python3-aiosmtpd)");
            return None;
        };
        let mut child =
            Command::new(python).args(["-c", SMTP]).stdout(Stdio::piped()).spawn().expect("python starts");
        let mut mails = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        mails.read_line(&mut line).unwrap();
        Some(Smtp { child, port: line.trim().parse().unwrap(), mails })
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.mails.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn s1_invitations_go_by_mail_and_a_failing_server_loses_none() {
    let Some(mut smtp) = Smtp::start() else { return };
    let world = World::new(None);
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("HUB_SMTP_URL", format!("smtp://127.0.0.1:{}", smtp.port));
        command
            .env("HUB_MAIL_FROM", "Hub <hub@example.com>")
            .env("HUB_PUBLIC_URL", "https://hub.example.com/");
        command.env("HUB_MAIL_TIMEOUT", "3");
    });
    let admin = Person::new(&host, ADMIN, PASSWORD);
    let invited = admin.post("/api/invitations", json!({"email": "ada@example.com", "groups": []}));
    let body = invited.json();
    assert_eq!(
        (invited.status, &body["mail"], &body["link"], &body["token"]),
        (201, &json!("sent"), &json!(null), &json!(null))
    );
    let mail = smtp.next();
    assert_eq!((&mail["from"], &mail["to"]), (&json!("hub@example.com"), &json!(["ada@example.com"])));
    assert_eq!(
        (&mail["subject"], &mail["sender"]),
        (&json!("Invitation to Default"), &json!("Hub <hub@example.com>"))
    );
    let text = mail["text"].as_str().unwrap();
    let (_, rest) = text.split_once("https://hub.example.com/invitation#").expect(text);
    let token = rest.split_whitespace().next().unwrap();
    let accepted = anybody(
        &host,
        "/api/invitations/accept",
        json!({"token": token, "name": "Ada", "password": "ada's own password"}),
    );
    assert_eq!(accepted.status, 200, "{}", accepted.text);

    // A server that refuses, and then one that is gone: the invitation stays, and the link is given by hand.
    let refused = admin.post("/api/invitations", json!({"email": "refused@example.com"})).json();
    assert_eq!((&refused["mail"], refused["link"].is_string()), (&json!("failed"), true), "{refused}");
    drop(smtp);
    let gone = admin.post("/api/invitations", json!({"email": "bo@example.com"})).json();
    assert_eq!(gone["mail"], "failed");
    let offered = anybody(&host, "/api/invitations/look", json!({"token": gone["token"]}));
    assert_eq!((offered.status, &offered.json()["email"]), (200, &json!("bo@example.com")));
    let listed = admin.get("/api/invitations").json();
    let states: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["email"].as_str().unwrap(), one["mail"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("bo@example.com", "failed"), ("refused@example.com", "failed")]);
    assert!(host.log().contains("an invitation was not sent"), "{}", host.log());
}

// O7: `--listen` counts more than what `.env` says, for links too.
#[test]
fn o7_links_in_mails_begin_where_the_host_listens() {
    let Some(mut smtp) = Smtp::start() else { return };
    let world = World::new(None);
    world.folder.write("data/.env", "LISTEN=127.0.0.1:1\n");
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("HUB_SMTP_URL", format!("smtp://127.0.0.1:{}", smtp.port));
        command.env("HUB_MAIL_FROM", "Hub <hub@example.com>").env_remove("HUB_PUBLIC_URL");
    });
    host.logs(&format!("links in mails begin with http://{}, where this host listens", host.address));
    let admin = Person::new(&host, ADMIN, PASSWORD);
    assert_eq!(admin.post("/api/invitations", json!({"email": "ada@example.com"})).status, 201);
    let mail = smtp.next();
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains(&format!("\nhttp://{}/invitation#", host.address)), "{text}");
}
