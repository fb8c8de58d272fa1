//! Who may see what, on a running host: signing in, switching plugins, members and groups, the audit log. Each test runs
//! on both databases.

mod program;

use std::time::Duration;

use program::postgres::Server;
use program::proxy::Proxy;
use program::world::{Person, World, is, until};
use program::{ADMIN, Folder, Host, PASSWORD, command, run_with};
use serde_json::{Value, json};

on_both! {
    fn nobody_gets_past_the_gate_without_a_session(world: &World) {
        let host = Host::start(&world.folder, |command| world.prepare(command));
        for path in ["/api/session", "/api/plugins", "/api/good/boom", "/api/audit/events", "/api/records"] {
            is(&host.get(path), 401, "not-signed-in");
        }
        assert_eq!(host.get("/api/health").status, 200);
        // A public route answers whatever is enabled; the table it reads is not there yet.
        assert_ne!(host.get("/api/good/notes/none").status, 401);
        let bad = |token: &str| host.ask("GET", "/api/session", &[("authorization", token)], "").status;
        assert_eq!(bad("Bearer nonsense"), 401);
        assert_eq!(bad(&format!("Bearer {}", "a".repeat(43))), 401);
        is(&host.post("/api/auth/login", r#"{"email":"admin@example.com","password":"wrong wrong"}"#), 401, "wrong-credentials");
        is(&host.post("/api/auth/login", r#"{"email":"nobody@example.com","password":"wrong wrong"}"#), 401, "wrong-credentials");
        let malformed = host.post("/api/auth/login", r#"{"email":"admin@example.com"}"#);
        assert_eq!((malformed.status, &malformed.json()["errors"][0]["field"]), (422, &json!("password")));
    }

    fn every_route_wants_a_session_unless_the_table_of_routes_calls_it_public(world: &World) {
        // Its name and its mistakes are no matter of the platform's own routes.
        world.folder.write("data/plugins/platform/plugin.yaml", "name: platform\nversion: 1.0.0\ndisplay_name: X\nvisibility: public\n");
        let host = Host::start(&world.folder, |command| world.prepare(command));
        let mut command = command(&world.folder);
        world.prepare(&mut command);
        command.args(["routes", "--json"]);
        let table: Value = serde_json::from_str(&run_with(command, "").1).unwrap();
        let routes = table["routes"].as_array().unwrap();
        assert!(routes.len() > 50, "{table}");
        let mut public = 0;
        for route in routes {
            let path = route["path"].as_str().unwrap();
            let filled: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
            let answer = host.ask(route["method"].as_str().unwrap(), &filled.join("/"), &[], "");
            let is_public = route["public"].as_bool().unwrap();
            public += usize::from(is_public);
            assert_eq!(answer.status != 401, is_public, "{route}: {} {}", answer.status, answer.text);
        }
        assert!((5..15).contains(&public), "{public}");
    }

    // S14
    fn s14_a_page_of_records_agrees_with_itself_while_others_write(world: &World) {
        let host = world.host();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..150 {
                    assert_eq!(host.post("/api/records", r#"{"title": "t"}"#).status, 201);
                }
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            let begun = std::time::Instant::now();
            while !done.load(std::sync::atomic::Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(60) {
                let page = host.get("/api/records?limit=500").json();
                assert_eq!(page["items"].as_array().unwrap().len() as u64, page["total"], "{}", page["total"]);
            }
        });
        assert_eq!(host.get("/api/records").json()["total"], 150);
    }

    // O6
    fn o6_what_was_switched_on_does_not_become_another_plugin(world: &World) {
        world.folder.write("data/plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine\n");
        let host = world.host();
        host.enable("good");
        host.enable("mine");
        assert_eq!(host.get("/api/good/boom").status, 500);
        host.stop();
        // As if `good` had been the customer's before somebody unpacked this release, and `mine` the release's that was before it.
        if !world.sql("UPDATE hub_org_plugins SET origin = CASE plugin WHEN 'good' THEN 'data' ELSE 'install' END") {
            return;
        }
        let mut looked = command(&world.folder);
        world.prepare(&mut looked);
        looked.args(["preflight", "--json"]);
        let (status, report, said) = run_with(looked, "");
        assert_eq!(status, Some(0), "{report}{said}");
        let folder = world.folder.path("data/plugins/mine").display().to_string();
        for warning in [
            "vertical plugin `good` is on for 1 organisation as the customer's own, and the one of that name would be the release's",
            &format!("vertical plugin `mine` is on for 1 organisation as the release's, and the one of that name would be the \
                customer's own in {folder}"),
        ] {
            assert!(report.contains(warning), "{warning}: {report}");
        }
        let host = world.host();
        host.logs("vertical plugin `good` is off for 1 organisation, having been enabled as the customer's own");
        host.logs("vertical plugin `mine` is off for 1 organisation, having been enabled as the release's");
        is(&host.get("/api/good/boom"), 404, "plugin-not-enabled");
        let listed = |host: &Host, slug: &str| {
            let all = host.get("/api/plugins").json();
            let one = all.as_array().unwrap().iter().find(|plugin| plugin["name"] == slug).unwrap();
            let told = one["warnings"].to_string().contains("off: your organisation has enabled");
            (one["enabled"].as_bool().unwrap(), told)
        };
        assert_eq!((listed(&host, "good"), listed(&host, "mine")), ((false, true), (false, true)));
        // An admin's word about it settles it, whichever.
        host.enable("good");
        assert_eq!(host.post("/api/plugins/mine/disable", r#"{"scope": "org"}"#).status, 200);
        assert_eq!((listed(&host, "good"), listed(&host, "mine")), ((true, false), (false, false)));
        assert_eq!(host.get("/api/good/boom").status, 500);
        host.stop();
        // What the release before has written means what it has always meant, and is noted at the first start.
        assert!(world.sql("UPDATE hub_org_plugins SET origin = NULL"));
        let host = world.host();
        assert_eq!(listed(&host, "good"), (true, false));
        host.stop();
        assert!(world.sql("UPDATE hub_org_plugins SET origin = 'data' WHERE origin IS NULL"));
        let host = world.host();
        assert_eq!(listed(&host, "good"), (true, false));
        host.stop();
        // After a rollback: a release that does not know of it has switched the plugin off and on again.
        for sql in [
            "UPDATE hub_org_plugins SET origin = 'data' WHERE plugin = 'good'",
            "UPDATE hub_org_plugins SET state = 'disabled' WHERE plugin = 'good'",
            "UPDATE hub_org_plugins SET origin = 'data' WHERE plugin = 'good'",
            "UPDATE hub_org_plugins SET state = 'enabled' WHERE plugin = 'good'",
        ] {
            assert!(world.sql(sql));
        }
        assert_eq!(listed(&world.host(), "good"), (true, false));
    }

    fn a_session_is_a_cookie_and_a_token_and_outlives_the_host(world: &World) {
        let host = Host::start(&world.folder, |command| world.prepare(command));
        let body = json!({"email": " Admin@Example.com ", "password": PASSWORD}).to_string();
        let json_type = ("content-type", "application/json");
        let answer = host.ask("POST", "/api/auth/login", &[json_type, ("x-forwarded-proto", "https")], &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.header("set-cookie").to_owned();
        for part in ["hub_session=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let pair = cookie.split(';').next().unwrap().to_owned();
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        // S20: over TLS the name says that the cookie is this host's alone.
        assert_eq!(pair, format!("__Host-hub_session={token}"));
        host.stop();

        let host = Host::start(&world.folder, |command| world.prepare(command));
        let with = |headers: &[(&str, &str)], method: &str, path: &str| host.ask(method, path, headers, "");
        assert_eq!(with(&[("cookie", &pair)], "GET", "/api/session").status, 200);
        let bearer = format!("Bearer {token}");
        assert_eq!(with(&[("authorization", &bearer)], "GET", "/api/session").status, 200);
        // What another site's page makes a browser send changes nothing.
        let evil = [("cookie", pair.as_str()), ("sec-fetch-site", "cross-site")];
        is(&with(&evil, "POST", "/api/auth/logout"), 403, "cross-site-request");
        let evil = [("cookie", pair.as_str()), ("origin", "https://evil.example")];
        is(&with(&evil, "POST", "/api/auth/logout"), 403, "cross-site-request");
        let out = with(&[("cookie", &pair), ("sec-fetch-site", "same-origin")], "POST", "/api/auth/logout");
        assert_eq!(out.status, 204, "{}", out.text);
        assert!(out.header("set-cookie").contains("Max-Age=0"));
        is(&with(&[("authorization", &bearer)], "GET", "/api/session"), 401, "not-signed-in");
    }

    fn too_many_attempts_have_to_wait(world: &World) {
        let host = Host::start(&world.folder, |command| world.prepare(command));
        let attempt = || host.post("/api/auth/login", r#"{"email":"admin@example.com","password":"wrong wrong"}"#);
        let last = (0..12).map(|_| attempt()).find(|answer| answer.status != 401).expect("a limit");
        is(&last, 429, "too-many-attempts");
        let wait: u64 = last.header("retry-after").parse().unwrap();
        assert!((1..=7).contains(&wait), "{wait}");
    }

    fn a_plugin_is_switched_for_an_organisation_and_its_tenants(world: &World) {
        let host = world.host();
        world.create_user(&["--email", "anna@north.example", "--org", "North", "--role", "admin"], "anna's password\n");
        world.create_user(&["--email", "ben@north.example", "--org", "North", "--tenant", "Alder"], "ben's password!\n");
        world.create_user(&["--email", "cleo@north.example", "--org", "North", "--tenant", "Birch"], "cleo's password\n");
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let anna = Person::new(&host, "anna@north.example", "anna's password");
        let ben = Person::new(&host, "ben@north.example", "ben's password!");
        let cleo = Person::new(&host, "cleo@north.example", "cleo's password");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        let see = |person: &Person<'_>| person.session()["plugins"].as_array().unwrap().iter().any(|p| p == "good");
        let all = || [see(&anna), see(&ben), see(&cleo), see(&dan)];
        let tenant = |person: &Person<'_>| person.session()["tenant"]["id"].as_str().unwrap().to_owned();
        let (alder, birch) = (tenant(&ben), tenant(&cleo));

        assert_eq!(all(), [false; 4], "a new organisation starts with every plugin off");
        is(&anna.get("/api/good/boom"), 404, "plugin-not-enabled");
        is(&ben.turn("good", true, json!({"scope": "org"})), 403, "admins-only");
        is(&ben.get("/api/plugins"), 403, "admins-only");
        is(&anna.turn("nothing", true, json!({"scope": "org"})), 404, "plugin-unknown");
        let wrong = anna.turn("good", true, json!({"scope": "galaxy"}));
        assert_eq!(wrong.status, 422, "{}", wrong.text);
        let foreign = dan.turn("good", true, json!({"scope": "tenant", "tenant": alder}));
        assert_eq!((foreign.status, &foreign.json()["errors"][0]["field"]), (422, &json!("tenant")));

        let on = anna.turn("good", true, json!({"scope": "org"}));
        assert_eq!(on.json(), json!({"plugin": "good", "scope": "org", "tenant": null, "from": "disabled", "to": "enabled"}));
        assert_eq!(all(), [true, true, true, false]);
        assert_eq!(anna.get("/api/good/boom").status, 500, "the handler itself answers");
        let out = anna.turn("good", false, json!({"scope": "tenant", "tenant": alder}));
        assert_eq!(out.status, 200, "{}", out.text);
        assert_eq!(all(), [true, false, true, false]);
        is(&ben.get("/api/good/boom"), 404, "plugin-not-enabled");
        anna.turn("good", false, json!({"scope": "org"}));
        assert_eq!(all(), [false; 4], "off for the organisation is off for all its tenants");
        // Only for a chosen tenant.
        let chosen = anna.turn("good", true, json!({"scope": "tenant", "tenant": birch}));
        assert_eq!(chosen.json()["to"], "enabled");
        assert_eq!(all(), [false, false, true, false]);
        let listed = anna.get("/api/plugins").json();
        let good = listed.as_array().unwrap().iter().find(|plugin| plugin["name"] == "good").unwrap().clone();
        assert_eq!((&good["enabled"], &good["org_state"]), (&json!(false), &json!("chosen")));
        assert_eq!(good["tenants"][1], json!({"id": birch, "name": "Birch", "enabled": true, "follows": false}));
        anna.turn("good", true, json!({"scope": "org"}));
        assert_eq!(all(), [true, false, true, false], "who opted out stays out");

        let events = anna.get("/api/audit/events?event_type=plugin_state_change").json();
        let seen: Vec<Value> = events["items"].as_array().unwrap().iter().map(|event| json!([
            event["actor"]["email"], event["plugin"], event["scope"], event["tenant"], event["from"], event["to"]
        ])).collect();
        let who = "anna@north.example";
        assert_eq!(seen, [
            json!([who, "good", "org", null, "chosen", "enabled"]),
            json!([who, "good", "tenant", birch, "disabled", "enabled"]),
            json!([who, "good", "org", null, "enabled", "disabled"]),
            json!([who, "good", "tenant", alder, "enabled", "disabled"]),
            json!([who, "good", "org", null, "disabled", "enabled"]),
        ]);
        assert!(dan.get("/api/audit/events?event_type=plugin_state_change").json()["items"].as_array().unwrap().is_empty());
    }

    fn a_dependency_comes_first_and_stays(world: &World) {
        world.folder.write("data/plugins/leaf/plugin.yaml", "name: leaf\nversion: 1.0.0\ndisplay_name: Leaf\ndependencies: [good]\n");
        let host = world.host();
        let early = host.post("/api/plugins/leaf/enable", r#"{"scope": "org"}"#);
        is(&early, 409, "dependency-not-enabled");
        assert!(early.text.contains("`good`"), "{}", early.text);
        host.enable("good");
        host.enable("leaf");
        let late = host.post("/api/plugins/good/disable", r#"{"scope": "org"}"#);
        is(&late, 409, "plugin-needed");
        assert!(late.text.contains("`leaf`"), "{}", late.text);
    }

    fn a_permission_gates_and_a_group_gives_it(world: &World) {
        let host = world.host();
        world.create_user(&["--email", "mia@example.com", "--org", "Default"], "mia's password!\n");
        let mia = Person::new(&host, "mia@example.com", "mia's password!");
        let admin = Person::new(&host, ADMIN, PASSWORD);
        is(&mia.get("/api/audit/events"), 403, "permission-missing");
        is(&mia.get("/api/members"), 403, "permission-missing");
        assert_eq!(mia.get("/api/records").status, 200, "the group Members may look");
        is(&mia.post("/api/records", json!({"title": "x"})), 403, "permission-missing");

        let group = admin.post("/api/groups", json!({"name": "Auditors", "permissions": ["audit.read"]}));
        assert_eq!(group.status, 201, "{}", group.text);
        let unknown = admin.post("/api/groups", json!({"name": "X", "permissions": ["audit.read", "moon.walk"]}));
        assert_eq!((unknown.status, &unknown.json()["errors"][0]["field"]), (422, &json!("permissions[1]")));
        is(&admin.post("/api/groups", json!({"name": "Auditors", "permissions": []})), 409, "name-taken");
        let id = group.json()["id"].clone();
        let user = mia.session()["user"]["id"].as_str().unwrap().to_owned();
        let put = admin.ask("PUT", &format!("/api/members/{user}"), Some(json!({"role": "member", "groups": [id]})));
        assert_eq!(put.status, 200, "{}", put.text);
        assert_eq!(put.json()["groups"][0]["name"], "Auditors");
        // At once, in the session that is open.
        assert_eq!(mia.get("/api/audit/events").status, 200);
        is(&mia.get("/api/records"), 403, "permission-missing");
        assert_eq!(mia.session()["permissions"], json!(["audit.read"]));

        is(&admin.ask("PUT", &format!("/api/members/{}", admin.session()["user"]["id"].as_str().unwrap()),
            Some(json!({"role": "member"}))), 409, "last-admin");
        assert_eq!(admin.ask("DELETE", &format!("/api/members/{user}"), None).status, 204);
        is(&mia.get("/api/session"), 401, "not-signed-in");
    }

    fn what_belongs_to_one_organisation_is_not_shown_to_another(world: &World) {
        let host = world.host();
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        let made = host.post("/api/records", r#"{"title": "ours"}"#);
        assert_eq!(made.status, 201, "{}", made.text);
        let place = made.header("location").to_owned();
        assert_eq!(host.get(&place).status, 200);
        assert_eq!(dan.get(&place).status, 404);
        assert_eq!(dan.get("/api/records").json()["total"], 0);
        assert_eq!(host.get("/api/records").json()["total"], 1);
    }

    fn what_only_one_database_could_keep_is_refused_by_both(world: &World) {
        let host = world.host();
        let nul = host.post("/api/records", r#"{"title": "a\u0000b"}"#);
        assert_eq!((nul.status, &nul.json()["errors"][0]["message"]), (422, &json!("must not hold the invisible character U+0000")));
        assert_eq!(host.get("/api/records/a%00b").status, 422);
        assert_eq!(host.get("/api/audit/export?actor=%00").status, 422);
        let export = host.get("/api/audit/export?event_type=sign_in");
        assert!(export.text.contains("time,event_type,actor") && export.text.contains("\"sign_in\",\"admin@example.com\""), "{}", export.text);
        assert_eq!(host.post("/api/records", r#"{"title": "a\ufffdb 😀"}"#).status, 201);
    }

    fn customer_plugins_are_looked_for_anew(world: &World) {
        let host = world.host();
        let names = || -> Vec<String> {
            let plugins = host.get("/api/plugins").json();
            plugins.as_array().unwrap().iter().filter(|p| p["source"] == "data")
                .map(|p| format!("{} {}", p["name"].as_str().unwrap(), p["state"].as_str().unwrap())).collect()
        };
        assert!(names().is_empty());
        world.folder.write("data/plugins/mine/plugin.yaml",
            "name: mine\nversion: 1.0.0\ndisplay_name: Mine\nnav: [{label: Mine, path: /mine, icon: star}]\npermissions: [mine.read]\n");
        world.folder.write("data/plugins/good/plugin.yaml", "name: good\nversion: 9.0.0\ndisplay_name: Another\n");
        world.folder.write("data/plugins/bad/plugin.yaml", "name: [\n");
        world.folder.write("data/plugins/chroma/__init__.py", "");
        assert_eq!(host.post("/api/plugins/reload", "").status, 200);
        assert_eq!(names(), ["bad invalid", "good shadowed", "mine ok"]);
        host.enable("mine");
        let session = host.get("/api/session").json();
        assert_eq!(session["nav"][0]["path"], "/mine");
        assert!(session["permissions"].as_array().unwrap().iter().any(|name| name == "mine.read"));
        is(&host.post("/api/plugins/bad/enable", r#"{"scope": "org"}"#), 409, "plugin-invalid");
        std::fs::remove_dir_all(world.folder.path("data/plugins/mine")).unwrap();
        host.signal("HUP");
        until("SIGHUP is not heard", || names() == ["bad invalid", "good shadowed"]);
        assert!(host.get("/api/session").json()["nav"].as_array().unwrap().is_empty());
    }

    fn seeds_come_once_and_stay_as_people_leave_them(world: &World) {
        world.folder.write("data/plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine
permissions: [mine.read]
seed_groups: [{name: Miners, permissions: [mine.read, dashboards.write]}]
dashboard_seeds:
  - {slug: first, title: First, widgets: [{block: 'block:Revenue', props: {months: 6}}]}
  - {slug: second, title: Second, widgets: []}
dataset_templates: [{slug: ores, display_name: Ores, columns: [{name: kind, type: text}]}]
");
        let host = world.host();
        let titles = || -> Vec<String> {
            let all = host.get("/api/dashboards").json();
            all.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
        };
        let of = |title: &str| -> Value {
            let all = host.get("/api/dashboards").json();
            all.as_array().unwrap().iter().find(|one| one["title"] == title).unwrap().clone()
        };
        assert!(titles().is_empty() && host.get("/api/datasets/templates").json().as_array().unwrap().is_empty());
        host.enable("mine");
        assert_eq!(titles(), ["First", "Second"]);
        assert_eq!(of("First")["widgets"], json!([{"block": "block:Revenue", "props": {"months": 6}}]));
        assert_eq!(host.get("/api/datasets/templates").json()[0]["columns"][0], json!({"name": "kind", "type": "text"}));
        let groups = host.get("/api/groups").json();
        let miners = groups.as_array().unwrap().iter().find(|group| group["name"] == "Miners").unwrap();
        assert_eq!((&miners["plugin"], &miners["permissions"]), (&json!("mine"), &json!(["dashboards.write", "mine.read"])));

        let admin = Person::new(&host, ADMIN, PASSWORD);
        let path = |title: &str| format!("/api/dashboards/{}", of(title)["id"].as_str().unwrap());
        let mine = json!({"title": "My own", "widgets": [{"block": "block:Cost"}]});
        assert_eq!(admin.ask("PUT", &path("First"), Some(mine)).status, 200);
        assert_eq!(admin.ask("DELETE", &path("Second"), None).status, 204);
        let wrong = admin.post("/api/dashboards", json!({"title": "x", "widgets": [{"block": "Cost"}]}));
        assert_eq!((wrong.status, &wrong.json()["errors"][0]["field"]), (422, &json!("widgets[0].block")));
        assert_eq!(admin.turn("mine", false, json!({"scope": "org"})).status, 200);
        assert!(titles().is_empty(), "a plugin that is off shows none of its dashboards");
        host.enable("mine");
        assert_eq!(titles(), ["My own"], "nothing is seeded twice, and what was changed stays changed");
    }

    fn the_page_hears_of_a_change(world: &World) {
        let host = world.host();
        let mut events = host.stream("/api/session/events");
        assert!(events.next().contains("event: hello"));
        host.enable("good");
        // The client's own patience is the limit: a stream that stays silent ends in an error.
        assert!(events.next().contains("event: changed"));
        let (status, log) = host.stop();
        assert_eq!(status, Some(0), "an open stream keeps no host from ending: {log}");
        assert!(!log.contains("cut off"), "{log}");
    }
}

#[test]
fn another_host_on_the_same_database_hears_of_a_change() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let world = World::new(Some(url));
    // Both bring the empty database up to date at the same moment.
    let (one, other) = std::thread::scope(|scope| {
        // Each has a data folder of its own.
        let other = scope.spawn(|| {
            Host::start(&world.folder, |command| {
                world.prepare(command);
                command.env("DATA_DIR", world.folder.path("data-2"));
            })
        });
        (Host::start(&world.folder, |command| world.prepare(command)), other.join().unwrap())
    });
    let admin = Person::new(&one, ADMIN, PASSWORD);
    let there = Person { host: &other, token: admin.token.clone() };
    is(&there.get("/api/good/boom"), 404, "plugin-not-enabled");
    for on in [true, false, true] {
        assert_eq!(admin.turn("good", on, json!({"scope": "org"})).status, 200);
        let want = if on { 500 } else { 404 };
        let took = until("the other host does not hear", || there.get("/api/good/boom").status == want);
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let out = admin.ask("POST", "/api/auth/logout", None);
    assert_eq!(out.status, 204);
    until("signing out is not heard", || there.get("/api/session").status == 401);
}

/// A customer's plugin in the data folder of one host.
fn customers(world: &World, data: &str, slug: &str) {
    let folder = world.folder.path(&format!("{data}/plugins/{slug}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plugin.yaml"), format!("name: {slug}\nversion: 1.0.0\ndisplay_name: X\n"))
        .unwrap();
}

#[test]
fn looking_for_plugins_anew_reaches_the_other_hosts() {
    let Some(server) = Server::shared() else { return };
    let world = World::new(Some(server.database()));
    let (one, other) = (world.host(), world.other_host());
    let of_data = |host: &Host| -> Vec<String> {
        let plugins = host.get("/api/plugins").json();
        let of_data = plugins.as_array().unwrap().iter().filter(|plugin| plugin["source"] == "data");
        of_data.map(|plugin| plugin["name"].as_str().unwrap().to_owned()).collect()
    };
    customers(&world, "data", "mine");
    customers(&world, "data-other", "theirs");
    assert!(of_data(&one).is_empty() && of_data(&other).is_empty());
    assert_eq!(one.post("/api/plugins/reload", "").status, 200);
    assert_eq!(of_data(&one), ["mine"]);
    let took = until("the other host does not look", || of_data(&other) == ["theirs"]);
    assert!(took < Duration::from_secs(5), "{took:?}");
    customers(&world, "data", "more");
    other.signal("HUP");
    until("the first host does not look", || of_data(&one) == ["mine", "more"]);
    // Another change makes nobody look.
    customers(&world, "data-other", "unasked");
    let admin = Person::new(&one, ADMIN, PASSWORD);
    let there = Person { host: &other, token: admin.token.clone() };
    assert_eq!(admin.turn("good", true, json!({"scope": "org"})).status, 200);
    until("the other host does not hear", || there.get("/api/good/boom").status == 500);
    assert_eq!(of_data(&other), ["theirs"]);
}

#[test]
fn while_the_database_is_away_callers_are_told_so_and_the_host_recovers() {
    let Some(server) = Server::shared() else { return };
    let proxy = Proxy::to(server.port);
    let url = server.database().replace(&format!(":{}/", server.port), &format!(":{}/", proxy.port));
    let world = World::new(Some(url));
    let host = world.host();
    host.enable("good");
    proxy.cut();
    let away = host.get("/api/records");
    is(&away, 503, "database-unavailable");
    assert_eq!(away.header("retry-after"), "5");
    is(&host.post("/api/plugins/good/disable", r#"{"scope": "org"}"#), 503, "database-unavailable");
    assert_eq!(host.get("/api/health").status, 200, "the host itself is well");
    until("the log does not say so", || host.log().contains("cannot look for changes in the database"));
    proxy.mend();
    until("it does not recover", || host.get("/api/records").status == 200);
    assert_eq!(host.get("/api/good/boom").status, 500, "and the plugin is on as before");
    until("the log does not say so", || host.log().contains("the database answers again"));
}

#[test]
fn the_audit_log_cannot_be_changed_even_in_the_database() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    let world = World::new(Some(url));
    world.host().enable("good");
    let refused = |sql: &str| {
        let error = std::panic::catch_unwind(|| server.sql(&name, sql)).unwrap_err();
        let text = error.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(text.contains("the audit log is append-only"), "{sql}: {text}");
    };
    refused("UPDATE hub_audit_events SET actor_email = 'somebody else'");
    refused("DELETE FROM hub_audit_events");
    refused("TRUNCATE hub_audit_events");
}

#[test]
fn a_group_that_another_removes_meanwhile_is_404() {
    let Some(server) = Server::shared() else { return };
    let world = World::new(Some(server.database()));
    let database = world.url.clone().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let host = world.host();
    for (method, body) in [("PUT", r#"{"name": "Auditors", "permissions": ["audit.read"]}"#), ("DELETE", "")]
    {
        let made = host.post("/api/groups", r#"{"name": "Readers", "permissions": ["audit.read"]}"#);
        let path = format!("/api/groups/{}", made.json()["id"].as_str().unwrap());
        std::thread::scope(|scope| {
            // As the other's request does it, only slower.
            let other = scope.spawn(|| {
                server.sql(
                    &database,
                    "BEGIN; UPDATE hub_orgs SET revision = revision + 1; SELECT pg_sleep(2);
                     DELETE FROM hub_group_permissions USING hub_groups WHERE group_id = id AND name = 'Readers';
                     DELETE FROM hub_groups WHERE name = 'Readers'; COMMIT",
                )
            });
            let asleep = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'"
            );
            until("nothing sleeps there", || server.sql("postgres", &asleep) == "1");
            is(&host.ask(method, &path, &[("content-type", "application/json")], body), 404, "");
            other.join().unwrap();
        });
    }
}

#[test]
fn the_command_line_says_what_is_wrong_with_a_user() {
    let folder = Folder::release();
    let ask = |arguments: &[&str], password: &str| {
        let mut command = command(&folder);
        command.args(["admin", "create-user"]).args(arguments);
        run_with(command, password)
    };
    let (status, stdout, stderr) =
        ask(&["--email", "Ann@Example.com", "--org", "North", "--role", "admin"], "long enough\n");
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stdout.starts_with("created user ann@example.com (") && stdout.contains("): admin of North ("),
        "{stdout}"
    );
    let (status, stdout, _) = ask(&["--email", "ann@example.com", "--org", "South"], "another password\n");
    assert!(status == Some(0) && stdout.starts_with("changed user ann@example.com ("), "{stdout}");
    let (status, _, stderr) = ask(&["--email", "ann", "--org", "North"], "long enough\n");
    assert_eq!(
        (status, stderr.lines().find(|line| line.starts_with("error: "))),
        (Some(2), Some("error: --email `ann` is not an e-mail address, like ann@example.com"))
    );
    let (status, _, stderr) = ask(&["--email", "ann@example.com", "--org", "North"], "short\n");
    assert_eq!(status, Some(2), "{stderr}");
    assert_eq!(ask(&["--email", "ann@example.com"], "").0, Some(2));
}
