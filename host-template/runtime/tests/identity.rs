//! Whose an account is, who may give whom what, and how signing in holds out: invitations, grants, sessions that follow a
//! changed membership, known devices, names, and the operator's commands. Each test runs on both databases.

mod program;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use program::postgres::Server;
use program::world::{Person, World, is, until};
use program::{ADMIN, Answer, Host, PASSWORD, command, run_with};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Asks without a session.
fn anybody(host: &Host, path: &str, body: Value) -> Answer {
    // A header of this name keeps the host's own token away.
    host.ask("POST", path, &[JSON, ("cookie", "none=1")], &body.to_string())
}

fn sign_in_status(host: &Host, email: &str, password: &str) -> u16 {
    anybody(host, "/api/auth/login", json!({"email": email, "password": password})).status
}

fn events_of(person: &Person<'_>, event_type: &str) -> Vec<Value> {
    let events = person.get(&format!("/api/audit/events?event_type={event_type}")).json();
    events["items"].as_array().unwrap().clone()
}

fn id_of(person: &Person<'_>) -> String {
    person.session()["user"]["id"].as_str().unwrap().to_owned()
}

/// A group of these permissions; gives its identifier.
fn group(admin: &Person<'_>, name: &str, permissions: &[&str]) -> String {
    let made = admin.post("/api/groups", json!({"name": name, "permissions": permissions}));
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

fn tenant(admin: &Person<'_>, name: &str) -> String {
    let made = admin.post("/api/tenants", json!({"name": name}));
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

fn put(admin: &Person<'_>, user: &str, place: Value) -> Answer {
    admin.ask("PUT", &format!("/api/members/{user}"), Some(place))
}

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

    // S1
    fn s1_an_invitation_ends_with_its_time_and_with_the_right_of_who_made_it(world: &World) {
        let host = Host::start_as_admin(&world.folder, |command| {
            world.prepare(command);
            command.env("HUB_INVITATION_SECONDS", "60").env("HUB_INVITATIONS_PENDING", "3");
        });
        let admin = Person::new(&host, ADMIN, PASSWORD);
        world.create_user(&["--email", "eve@example.com", "--org", "Default", "--role", "admin"], "eve's password!\n");
        let eve = Person::new(&host, "eve@example.com", "eve's password!");
        let left = eve.post("/api/invitations", json!({"email": "friend@eve.example", "role": "admin"})).json();
        // Eve is no admin any more: what she left behind opens nothing.
        assert_eq!(put(&admin, &id_of(&eve), json!({"role": "member"})).status, 200);
        let accept = |token: &Value| anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "F", "password": "a long password"}));
        is(&accept(&left["token"]), 410, "invitation-void");
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

    // S2
    fn s2_nobody_gives_what_they_do_not_hold_by_any_route(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        for (email, password) in [("mo@example.com", "mo's password!!"), ("tim@example.com", "tim's password!"), ("pat@example.com", "pat's password!")] {
            world.create_user(&["--email", email, "--org", "Default"], &format!("{password}\n"));
        }
        let mo = Person::new(&host, "mo@example.com", "mo's password!!");
        let tim = Person::new(&host, "tim@example.com", "tim's password!");
        let pat = Person::new(&host, "pat@example.com", "pat's password!");
        let (alder, birch) = (tenant(&admin, "Alder"), tenant(&admin, "Birch"));
        let managers = group(&admin, "Managers", &["members.manage", "members.read", "records.read"]);
        let auditors = group(&admin, "Auditors", &["audit.read"]);
        let readers = group(&admin, "Readers", &["records.read"]);
        let (mo_id, tim_id, pat_id) = (id_of(&mo), id_of(&tim), id_of(&pat));
        assert_eq!(put(&admin, &mo_id, json!({"role": "member", "groups": [managers], "tenants": [alder]})).status, 200);
        assert_eq!(put(&admin, &tim_id, json!({"role": "member", "groups": [managers]})).status, 200);
        let admin_id = id_of(&admin);

        // Everything that somebody could try, by every route: who, method, path, body, what comes of it.
        let invite = |email: &str, more: Value| {
            let mut body = json!({"email": email});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let member = |id: &str| format!("/api/members/{id}");
        let the_group = |id: &str| format!("/api/groups/{id}");
        let cases: Vec<(&Person<'_>, &str, String, Value, u16)> = vec![
            // Oneself.
            (&tim, "PUT", member(&tim_id), json!({"role": "member", "groups": [managers, auditors]}), 403),
            (&tim, "PUT", member(&tim_id), json!({"role": "admin"}), 403),
            (&mo, "PUT", member(&mo_id), json!({"role": "member", "groups": [managers]}), 403),
            (&mo, "PUT", member(&mo_id), json!({"role": "member", "groups": [managers], "tenants": [alder, birch]}), 403),
            // Another member.
            (&tim, "PUT", member(&pat_id), json!({"role": "member", "groups": [auditors]}), 403),
            (&tim, "PUT", member(&pat_id), json!({"role": "admin"}), 403),
            (&tim, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers]}), 200),
            (&mo, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers], "tenants": [alder]}), 403),
            (&mo, "DELETE", member(&pat_id), json!(null), 403),
            (&admin, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers, auditors], "tenants": [alder]}), 200),
            // What somebody holds already may stay.
            (&mo, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers, auditors], "tenants": [alder]}), 200),
            // Though not in more tenants than before.
            (&tim, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers, auditors], "tenants": [alder, birch]}), 403),
            (&tim, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers, auditors], "tenants": [birch]}), 403),
            (&tim, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers, auditors], "tenants": []}), 403),
            (&mo, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers], "tenants": []}), 403),
            (&mo, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers], "tenants": [birch]}), 403),
            (&mo, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers], "tenants": [alder]}), 200),
            (&mo, "PUT", member(&pat_id), json!({"role": "member", "groups": [readers, auditors], "tenants": [alder]}), 403),
            // An admin.
            (&tim, "PUT", member(&admin_id), json!({"role": "member"}), 403),
            (&tim, "DELETE", member(&admin_id), json!(null), 403),
            (&admin, "PUT", member(&admin_id), json!({"role": "member"}), 409),
            (&admin, "DELETE", member(&admin_id), json!(null), 409),
            // Invitations, by both names.
            (&tim, "POST", "/api/invitations".into(), invite("a@x.example", json!({"role": "admin"})), 403),
            (&tim, "POST", "/api/members".into(), invite("a@x.example", json!({"role": "admin"})), 403),
            (&tim, "POST", "/api/invitations".into(), invite("a@x.example", json!({"groups": [auditors]})), 403),
            (&tim, "POST", "/api/invitations".into(), invite("a@x.example", json!({"groups": [readers], "tenants": [birch]})), 201),
            (&mo, "POST", "/api/invitations".into(), invite("b@x.example", json!({"groups": [readers]})), 403),
            (&mo, "POST", "/api/invitations".into(), invite("b@x.example", json!({"groups": [readers], "tenants": [birch]})), 403),
            (&mo, "POST", "/api/invitations".into(), invite("b@x.example", json!({"groups": [readers], "tenants": [alder]})), 201),
            // Taking the place of another's invitation.
            (&mo, "POST", "/api/invitations".into(), invite("a@x.example", json!({"groups": [readers], "tenants": [alder]})), 403),
            (&tim, "POST", "/api/invitations".into(), invite("c@x.example", json!({"groups": [readers], "tenants": [alder, alder]})), 422),
            (&tim, "POST", "/api/invitations".into(), invite("c@x.example", json!({"groups": ["nothing"]})), 422),
            // Groups.
            (&tim, "POST", "/api/groups".into(), json!({"name": "G", "permissions": ["audit.read"]}), 403),
            (&tim, "POST", "/api/groups".into(), json!({"name": "G", "permissions": ["records.read"]}), 201),
            (&mo, "POST", "/api/groups".into(), json!({"name": "H", "permissions": ["records.read"]}), 403),
            (&tim, "PUT", the_group(&managers), json!({"name": "Managers", "permissions": ["members.manage", "members.read", "records.read", "audit.read"]}), 403),
            (&tim, "PUT", the_group(&readers), json!({"name": "Readers", "permissions": ["records.read", "dbt.run"]}), 403),
            (&tim, "PUT", the_group(&auditors), json!({"name": "Auditors", "permissions": ["audit.read", "records.read"]}), 200),
            (&mo, "PUT", the_group(&readers), json!({"name": "Readers", "permissions": ["records.read"]}), 403),
            (&mo, "DELETE", the_group(&readers), json!(null), 403),
            // What is admins' alone.
            (&tim, "POST", "/api/tenants".into(), json!({"name": "Cedar"}), 403),
            (&tim, "POST", "/api/plugins/good/enable".into(), json!({"scope": "org"}), 403),
            (&tim, "POST", "/api/plugins/reload".into(), json!({}), 403),
        ];
        for (at, (who, method, path, body, want)) in cases.iter().enumerate() {
            let body = (!body.is_null()).then(|| body.clone());
            let answer = who.ask(method, path, body.clone());
            assert_eq!(answer.status, *want, "case {at}: {method} {path} {body:?}: {}", answer.text);
        }
        // An invitation of an admin's is not for a manager to take back or to send to itself.
        let made = admin.post("/api/invitations", json!({"email": "boss@x.example", "role": "admin"})).json();
        let path = format!("/api/invitations/{}", made["id"].as_str().unwrap());
        assert_eq!(tim.ask("DELETE", &path, None).status, 403);
        assert_eq!(tim.post(&format!("{path}/resend"), json!({})).status, 403);
        assert_eq!(mo.session()["tenant"]["name"], "Alder");
        let held: BTreeSet<String> = serde_json::from_value(tim.session()["permissions"].clone()).unwrap();
        assert_eq!(held, ["members.manage", "members.read", "records.read"].map(str::to_owned).into());
    }

    // S8
    fn s8_a_session_follows_a_changed_membership_and_streams_end(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        world.create_user(&["--email", "lee@example.com", "--org", "Default"], "lee's password!\n");
        let lee = Person::new(&host, "lee@example.com", "lee's password!");
        let (alder, birch) = (tenant(&admin, "Alder"), tenant(&admin, "Birch"));
        let user = id_of(&lee);
        assert_eq!(lee.session()["tenant"], json!(null));
        let place = |tenants: &[&String]| assert_eq!(put(&admin, &user, json!({"role": "member", "tenants": tenants})).status, 200);
        place(&[&birch]);
        assert_eq!(lee.session()["tenant"]["name"], "Birch", "the wider place is gone at once");
        place(&[&alder]);
        assert_eq!(lee.session()["tenant"]["name"], "Alder");
        is(&lee.post("/api/session/switch", json!({"tenant": birch})), 422, "validation-failed");
        // By the operator too.
        place(&[]);
        assert_eq!(lee.session()["tenant"], json!(null));
        let kept = lee.token.clone();
        let stream = |token: &str| host.stream_as("/api/session/events", token);
        let mut events = stream(&kept);
        assert!(events.next().contains("event: hello"));
        place(&[&alder]);
        assert!(events.next().contains("event: changed"));
        let begun = Instant::now();
        assert_eq!(admin.ask("DELETE", &format!("/api/members/{user}"), None).status, 204);
        events.end();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        is(&lee.get("/api/session/events"), 401, "not-signed-in");
    }

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

    // O4
    fn o4_every_organisation_of_an_account_hears_of_a_new_password(world: &World) {
        let host = world.host();
        for org in ["North", "South"] {
            world.create_user(&["--email", "ann@north.example", "--org", org], "ann's password!\n");
            let admin = format!("admin@{org}.example").to_lowercase();
            world.create_user(&["--email", &admin, "--org", org, "--role", "admin"], "the admin's one\n");
        }
        let heard = |org: &str| {
            let admin = Person::new(&host, &format!("admin@{org}.example"), "the admin's one");
            ["password_reset", "user_changed"].map(|event_type| events_of(&admin, event_type).len())
        };
        // Taking her into South was a new password too.
        assert_eq!((heard("north"), heard("south")), ([1, 0], [0, 1]));
        world.create_user(&["--email", "ann@north.example", "--org", "South"], "ann's second one\n");
        assert_eq!((heard("north"), heard("south")), ([2, 0], [1, 2]));
    }

    // O4: whoever comes second uses what the first has made, and says so; also where nobody has begun the database.
    fn o4_users_of_one_new_organisation_are_added_at_the_same_time(world: &World) {
        let add = |email: &str, org: &str, tenant: &str| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(["admin", "create-user", "--email", email, "--org", org, "--tenant", tenant]);
            run_with(command, "a long password\n")
        };
        for round in 0..3 {
            let (org, tenant) = (format!("New {round}"), format!("Alder {round}"));
            let said: Vec<_> = std::thread::scope(|scope| {
                let adding: Vec<_> = (0..4)
                    .map(|number| {
                        // Two of them are the same person.
                        let email = format!("p{}@{round}.example", number.min(2));
                        let (add, org, tenant) = (&add, &org, &tenant);
                        scope.spawn(move || add(&email, org, tenant))
                    })
                    .collect();
                adding.into_iter().map(|one| one.join().unwrap()).collect()
            });
            for (status, _, stderr) in &said {
                assert_eq!(*status, Some(0), "{stderr}");
            }
            let count = |text: &str| said.iter().filter(|(_, stdout, _)| stdout.contains(text)).count();
            assert_eq!(count(&format!("made the organisation {org}")), 1, "{said:?}");
            assert_eq!(count(&format!("made the tenant {tenant} of {org}")), 1, "{said:?}");
            assert_eq!((count("created user"), count("changed user")), (3, 1), "{said:?}");
        }
    }

    // O4: what is asked of a tenant is said of a tenant.
    fn o4_a_tenant_that_is_mistyped_is_asked_about(world: &World) {
        let admin = |arguments: &[&str]| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(["admin", "create-user", "--email", "ann@north.example"]).args(arguments);
            run_with(command, "a long password\n")
        };
        let (status, stdout, stderr) = admin(&["--org", "North", "--tenant", "Alder"]);
        assert!(status == Some(0) && stdout.contains("made the tenant Alder of North"), "{stdout}{stderr}");
        let (status, _, stderr) = admin(&["--org", "North", "--tenant", "alder"]);
        assert_eq!(status, Some(2), "{stderr}");
        for part in ["there is no tenant of North named `alder`", "did you mean `Alder`?", "--new-tenant"] {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
        let (status, stdout, stderr) = admin(&["--org", "North", "--tenant", "alder", "--new-tenant"]);
        assert!(status == Some(0) && stdout.contains("made the tenant alder of North"), "{stdout}{stderr}");
        // Without an organisation nothing is guessed, and without a tenant there is none to make.
        for arguments in [&["--tenant", "alder"][..], &["--org", "North", "--new-tenant"]] {
            let (status, _, stderr) = admin(arguments);
            assert_eq!(status, Some(2), "{stderr}");
            let missing = if arguments[0] == "--tenant" { "--org <ORG>" } else { "--tenant <TENANT>" };
            assert!(stderr.contains(missing), "{stderr}");
        }
    }

    // O4
    fn o4_nothing_is_created_or_demoted_unless_asked(world: &World) {
        let host = world.host();
        let admin = |arguments: &[&str], input: &str| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.arg("admin").args(arguments);
            run_with(command, input)
        };
        world.create_user(&["--email", "ann@north.example", "--org", "North", "--role", "admin"], "ann's password!\n");
        let ann = Person::new(&host, "ann@north.example", "ann's password!");
        let (status, _, stderr) = admin(&["create-user", "--email", "bob@north.example", "--org", "Nroth"], "bob's password!\n");
        assert_eq!((status, stderr.contains("did you mean `North`?"), stderr.contains("--new-org")), (Some(2), true, true), "{stderr}");
        let (status, stdout, stderr) = admin(&["create-user", "--email", "bob@north.example", "--org", "Nroth", "--new-org"], "bob's password!\n");
        assert!(status == Some(0) && stdout.contains("made the organisation Nroth"), "{stdout}{stderr}");
        assert!(stderr.contains("data folder ") && stderr.contains(", database "), "{stderr}");
        assert!(!stderr.contains("hub@127") || world.url.is_some(), "{stderr}");
        // The same person again, without a role: what she is stays, her sessions end with the old password.
        let said = world.create_user(&["--email", "ann@north.example", "--org", "North"], "ann's second one\n");
        assert!(said.contains("changed user ann@north.example") && said.contains("): admin of North ("), "{said}");
        assert!(said.contains("set the password, and ended 1 session"), "{said}");
        until("the old session lives", || ann.get("/api/session").status == 401);
        let ann = Person::new(&host, "ann@north.example", "ann's second one");
        assert_eq!(ann.session()["role"], "admin");

        let (status, stdout, _) = admin(&["reset-password", "--email", "Ann@North.example"], "ann's third one!\n");
        assert!(status == Some(0) && stdout.starts_with("set the password of ann@north.example ("), "{stdout}");
        assert!(stdout.contains("ended 1 session"), "{stdout}");
        until("the old session lives", || ann.get("/api/session").status == 401);
        assert_eq!(sign_in_status(&host, "ann@north.example", "ann's second one"), 401);
        let ann = Person::new(&host, "ann@north.example", "ann's third one!");
        // Once by `create-user`, once by `reset-password`.
        assert_eq!((ann.session()["role"].clone(), events_of(&ann, "password_reset").len()), (json!("admin"), 2));
        let (status, _, stderr) = admin(&["reset-password", "--email", "nobody@north.example"], "a long password\n");
        assert_eq!((status, stderr.contains("there is no account `nobody@north.example`")), (Some(2), true), "{stderr}");

        let (status, stdout, _) = admin(&["list-users", "--json"], "");
        assert_eq!(status, Some(0));
        let listed: Value = serde_json::from_str(&stdout).unwrap();
        let emails: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap()).collect();
        assert_eq!(emails, [ADMIN, "ann@north.example", "bob@north.example"]);
        assert_eq!((&listed[1]["orgs"][0]["name"], &listed[1]["orgs"][0]["role"], &listed[1]["sessions"]), (&json!("North"), &json!("admin"), &json!(1)));
        assert!(!stdout.contains("argon2"), "{stdout}");
        assert!(admin(&["list-users"], "").1.contains("ann@north.example (ann): admin of North; 1 session, since 2"));
        let (status, stdout, _) = admin(&["end-sessions", "--email", "ann@north.example"], "");
        assert_eq!((status, stdout.trim()), (Some(0), "ended 1 session of ann@north.example"));
        until("the old session lives", || ann.get("/api/session").status == 401);
        let (status, stdout, _) = admin(&["end-sessions", "--all"], "");
        assert!(status == Some(0) && stdout.contains("of everybody"), "{stdout}");
        until("a session lives", || host.get("/api/session").status == 401);
        assert_eq!(admin(&["end-sessions"], "").0, Some(2));
    }

    // S20
    fn s20_no_route_takes_a_name_that_does_not_show_as_what_it_is(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        let user = id_of(&admin);
        assert!(!user.is_empty());
        for hidden in ["a\r\nb", "\u{202E}txt.exe", "a\u{1b}[31mb", "a\u{200B}b", "\u{2066}a"] {
            for (path, field, body) in [
                ("/api/tenants", "name", json!({"name": hidden})),
                ("/api/groups", "name", json!({"name": hidden, "permissions": []})),
                ("/api/dashboards", "title", json!({"title": hidden, "widgets": []})),
                ("/api/records", "title", json!({"title": hidden})),
                ("/api/invitations", "name", json!({"email": "a@example.com", "name": hidden})),
                ("/api/members", "name", json!({"email": "a@example.com", "name": hidden})),
                ("/api/invitations", "email", json!({"email": format!("{hidden}@example.com")})),
            ] {
                let answer = admin.post(path, body);
                assert_eq!((answer.status, &answer.json()["errors"][0]["field"]), (422, &json!(field)), "{path} {hidden:?}: {}", answer.text);
            }
        }
        let token = admin.post("/api/invitations", json!({"email": "a@example.com"})).json()["token"].clone();
        let named = anybody(&host, "/api/invitations/accept", json!({"token": token, "name": "a\u{202E}b", "password": "a long password"}));
        assert_eq!((named.status, &named.json()["errors"][0]["field"]), (422, &json!("name")), "{}", named.text);
        let mut command = command(&world.folder);
        world.prepare(&mut command);
        command.args(["admin", "create-user", "--email", "x@example.com", "--org", "a\u{202E}b"]);
        assert_eq!(run_with(command, "a long password\n").0, Some(2));
        // The two ways to write an accent are one name.
        assert_eq!(tenant(&admin, "Caf\u{e9}").is_empty(), false);
        is(&admin.post("/api/tenants", json!({"name": " Cafe\u{301} "})), 409, "name-taken");
    }

    // S20
    fn s20_a_customers_plugin_brings_no_group_that_manages_members(world: &World) {
        let manifest = |groups: &str| format!("name: mine\nversion: 1.0.0\ndisplay_name: Mine
permissions: [mine.read]
seed_groups:
  - {{name: Miners, permissions: [mine.read, records.read]}}
{groups}");
        let write = |groups: &str| world.folder.write("data/plugins/mine/plugin.yaml", &manifest(groups));
        write("  - {name: Helpers, permissions: [mine.read, members.manage]}\n  - {name: Watchers, permissions: [audit.read]}\n");
        let host = world.host();
        let refused = host.post("/api/plugins/mine/enable", r#"{"scope": "org"}"#);
        is(&refused, 409, "plugin-invalid");
        let plugins = host.get("/api/plugins").json();
        let mine = plugins.as_array().unwrap().iter().find(|plugin| plugin["name"] == "mine").unwrap().clone();
        assert_eq!(mine["state"], "invalid");
        for wrong in [
            "HUB109 plugin.yaml:7:46: the group `Helpers` grants `members.manage`, which only people grant",
            "HUB109 plugin.yaml:8:36: the group `Watchers` grants `audit.read`, which only people grant",
        ] {
            assert!(mine["errors"].to_string().contains(wrong), "{mine}");
            host.logs(wrong);
        }
        write("");
        assert_eq!(host.post("/api/plugins/reload", "").status, 200);
        host.enable("mine");
        let groups = host.get("/api/groups").json();
        let names: Vec<&str> = groups.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Members", "Miners"], "nothing is made of the groups that it had");
    }

    // S20
    fn s20_looking_for_plugins_300_times_is_limited(world: &World) {
        let host = world.host();
        let mut statuses: Vec<Answer> = (0..300).map(|_| host.post("/api/plugins/reload", "")).collect();
        let done = statuses.iter().filter(|answer| answer.status == 200).count();
        assert!((20..60).contains(&done), "{done}");
        let last = statuses.pop().unwrap();
        is(&last, 429, "too-many-attempts");
        assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(host.get("/api/session").status, 200);
    }
}

// S8
#[test]
fn s8_every_host_re_places_and_ends_sessions() {
    let Some(server) = Server::shared() else { return };
    let world = World::new(Some(server.database()));
    let one = world.host();
    let other = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("DATA_DIR", world.folder.path("data-2"));
    });
    let admin = Person::new(&one, ADMIN, PASSWORD);
    world.create_user(&["--email", "lee@example.com", "--org", "Default"], "lee's password!\n");
    let lee = Person::new(&other, "lee@example.com", "lee's password!");
    let alder = tenant(&admin, "Alder");
    let user = id_of(&lee);
    let mut events = other.stream_as("/api/session/events", &lee.token);
    assert!(events.next().contains("event: hello"));
    assert_eq!(put(&admin, &user, json!({"role": "member", "tenants": [alder]})).status, 200);
    until("the other host keeps the wider place", || lee.session()["tenant"]["name"] == "Alder");
    assert_eq!(admin.ask("DELETE", &format!("/api/members/{user}"), None).status, 204);
    let took = until("the other host keeps the session", || lee.get("/api/session").status == 401);
    assert!(took < Duration::from_secs(5), "{took:?}");
    events.end();
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
            program::skip("aiosmtpd is not installed (Debian: python3-aiosmtpd)");
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
