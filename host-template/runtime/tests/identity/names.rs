//! S20: what is given a name, by whom, and how often.

use serde_json::json;

use crate::program::world::{Person, World, is};
use crate::program::{ADMIN, Answer, PASSWORD, command, run_with};
use crate::{anybody, group, id_of, on_both, sign_in_status, tenant};

on_both! {
    // S20
    fn s20_no_route_takes_a_name_that_does_not_show_as_what_it_is(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        let user = id_of(&admin);
        assert!(!user.is_empty());
        for hidden in [
            "a\r\nb", "\u{202E}txt.exe", "a\u{1b}[31mb", "a\u{200B}b", "\u{2066}a", "a\u{FE0F}", "a\u{E0100}", "a\u{200D}b", "a\u{1BCA0}b",
            "a\u{1D173}b", "a\u{1107F}", "a\u{16FE4}", "a\u{378}", "a\u{2800}", "\u{1F3F4}\u{E0067}\u{E007F}", "\u{E000}", "a\u{FFFF}", "a\u{0}b",
        ] {
            for (path, field, body) in [
                ("/api/tenants", "name", json!({"name": hidden})),
                ("/api/groups", "name", json!({"name": hidden, "permissions": []})),
                ("/api/dashboards", "title", json!({"title": hidden, "widgets": []})),
                ("/api/records", "title", json!({"title": hidden})),
                ("/api/records", "fields", json!({"title": "a", "fields": {(hidden): 1}})),
                ("/api/dashboards", "widgets[0].block", json!({"title": "a", "widgets": [{"block": format!("block:{hidden}")}]})),
                ("/api/dashboards", "widgets[0].props.a[0]", json!({"title": "a", "widgets": [{"block": "block:A", "props": {"a": ["\u{202E}"]}}]})),
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
        // The flag of England is written with signs that show nowhere else.
        assert_eq!(tenant(&admin, "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} North").is_empty(), false);
        // The two ways to write an accent are one name.
        assert_eq!(tenant(&admin, "Caf\u{e9}").is_empty(), false);
        is(&admin.post("/api/tenants", json!({"name": " Cafe\u{301} "})), 409, "name-taken");
    }

    // S20
    fn s20_no_two_things_have_names_that_people_take_for_one(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        tenant(&admin, "North Wing");
        let readers = group(&admin, "Readers", &["records.read"]);
        let others = group(&admin, "Others", &[]);
        for twin in ["north wing", "NORTH WING", "North\u{a0}Wing", "North  Wing", "\u{ff2e}orth Wing", "North W\u{456}ng"] {
            is(&admin.post("/api/tenants", json!({"name": twin})), 409, "name-taken");
        }
        for twin in ["READERS", " readers ", "Readers", "R\u{435}\u{430}ders"] {
            is(&admin.post("/api/groups", json!({"name": twin, "permissions": []})), 409, "name-taken");
            let renamed = admin.ask("PUT", &format!("/api/groups/{others}"), Some(json!({"name": twin, "permissions": []})));
            is(&renamed, 409, "name-taken");
        }
        // Its own name in another case is a group's to take.
        let renamed = admin.ask("PUT", &format!("/api/groups/{readers}"), Some(json!({"name": "READERS", "permissions": []})));
        assert_eq!((renamed.status, &renamed.json()["name"]), (200, &json!("READERS")), "{}", renamed.text);
        assert_eq!(admin.post("/api/tenants", json!({"name": "  East \u{3000} Wing"})).json()["name"], "East Wing");
        // Of six who ask for twins at once one gets it.
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = |name: &'static str| admin.post("/api/tenants", json!({"name": name})).status;
            let all: Vec<_> = ["South", "SOUTH", "south", "sOUTH", "SouTH", "soUth"].map(|name| scope.spawn(move || ask(name))).into();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 409)), "{statuses:?}");
    }

    // S20
    fn s20_an_invitation_goes_to_an_address_and_to_nothing_else(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        for wrong in ["<a@x.example>", "a,b@x.example", "mailto:a@x.example", "=cmd()@x.example", "a@x.example\r\nBcc: b@x.example", "a@b@x.example"] {
            is(&admin.post("/api/invitations", json!({"email": wrong})), 422, "validation-failed");
        }
        let mut command = command(&world.folder);
        world.prepare(&mut command);
        command.args(["admin", "create-user", "--email", "<x@example.com>", "--org", "Default"]);
        assert_eq!(run_with(command, "a long password\n").0, Some(2));
    }

    // S20: whoever reads two of these takes them for one, and so does the host, on every way in.
    fn s20_ways_to_write_one_address_are_one_account(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        let create = |email: &str| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(["admin", "create-user", "--email", email, "--org", "Default"]);
            run_with(command, "a long password\n")
        };
        let twins = [
            ("ann@example.com", &["ANN@example.com", "\u{ff41}nn@example.com", "ann\u{ff20}example\u{ff0e}com", "ann@\u{ff45}xample.com"][..]),
            ("bo@xn--exmple-cua.de", &["bo@ex\u{e4}mple.de", "bo@exa\u{308}mple.de", "Bo@EX\u{c4}MPLE.de", "bo@XN--EXMPLE-CUA.de"]),
            ("jos\u{e9}@example.com", &["jose\u{301}@example.com", "JOS\u{c9}@example.com"]),
        ];
        for (canonical, written) in twins {
            let (status, stdout, stderr) = create(written[0]);
            assert!(status == Some(0) && stdout.contains(&format!("created user {canonical} (")), "{stdout}{stderr}");
            for email in written.iter().chain([&canonical]) {
                assert_eq!(sign_in_status(&host, email, "a long password"), 200, "{email}");
                is(&admin.post("/api/invitations", json!({"email": email})), 409, "member-exists");
                let (status, stdout, stderr) = create(email);
                assert!(status == Some(0) && stdout.contains(&format!("changed user {canonical} (")), "{stdout}{stderr}");
                for verb in [&["reset-password", "--email", email][..], &["end-sessions", "--email", email]] {
                    let mut command = command(&world.folder);
                    world.prepare(&mut command);
                    let (status, stdout, stderr) = run_with({ command.arg("admin").args(verb); command }, "a long password\n");
                    assert!(status == Some(0) && stdout.contains(canonical), "{verb:?}: {stdout}{stderr}");
                }
            }
        }
        // An invitation takes the place of the one before, and gives an account in the one form.
        let invite = |email: &str| admin.post("/api/invitations", json!({"email": email})).json();
        let first = invite("Cy@exa\u{308}mple.de");
        assert_eq!(first["email"], "cy@xn--exmple-cua.de");
        let second = invite("cy@xn--exmple-cua.de");
        let accept = |invited: &serde_json::Value| {
            anybody(&host, "/api/invitations/accept", json!({"token": invited["token"], "name": "Cy", "password": "a long password"}))
        };
        is(&accept(&first), 404, "invitation-unknown");
        assert_eq!(accept(&second).status, 200);
        assert_eq!(sign_in_status(&host, "cy@ex\u{e4}mple.de", "a long password"), 200);
        let events = admin.get("/api/audit/events?actor=cy%40ex%C3%A4mple.de").json();
        assert!(events["items"].as_array().is_some_and(|items| !items.is_empty()), "{events}");
        // A domain that is none on the network is no address.
        is(&admin.post("/api/invitations", json!({"email": "a@xn--a.de"})), 422, "validation-failed");
    }

    // S20, O12: an array is read as an object by nobody.
    fn s20_an_array_is_no_object_in_a_request(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        for (path, body, field) in [
            ("/api/auth/login", json!([ADMIN, PASSWORD]), "body"),
            ("/api/invitations/look", json!(["token"]), "body"),
            ("/api/invitations/accept", json!(["token", "Ada", "a long password"]), "body"),
            ("/api/invitations", json!(["a@example.com", null, "member", [], null, null]), "body"),
            ("/api/tenants", json!(["East"]), "body"),
            ("/api/groups", json!(["Readers", []]), "body"),
            ("/api/dashboards", json!(["Board", []]), "body"),
            ("/api/dashboards", json!({"title": "Board", "widgets": [["block:A"]]}), "widgets[0]"),
            ("/api/plugins/mine/enable", json!(["org"]), "body"),
            ("/api/auth/password", json!([PASSWORD, "a longer password"]), "body"),
        ] {
            let answer = admin.post(path, body);
            let errors = answer.json()["errors"].clone();
            assert_eq!((answer.status, &errors[0]["field"]), (422, &json!(field)), "{path}: {}", answer.text);
            assert!(errors[0]["message"].as_str().unwrap().contains("expected a JSON object"), "{errors}");
        }
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

    // S20, S2
    fn s20_a_plugins_group_is_no_twin_of_one_that_is_there(world: &World) {
        world.folder.write("data/plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine
permissions: [mine.read]
seed_groups:
  - {name: MEMBERS, permissions: [mine.read, records.write]}
  - {name: \u{ff2d}embers, permissions: [mine.read, records.write]}
  - {name: Old  Miners, permissions: [mine.read]}
  - {name: OLD MINERS, permissions: [records.write]}
  - {name: Readers, permissions: [mine.read]}
");
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        group(&admin, "Readers", &["records.read"]);
        host.enable("mine");
        let groups = host.get("/api/groups").json();
        let mut groups: Vec<(&str, &serde_json::Value, &serde_json::Value)> = groups.as_array().unwrap().iter()
            .map(|one| (one["name"].as_str().unwrap(), &one["plugin"], &one["permissions"])).collect();
        groups.sort_by_key(|group| group.0);
        let may = json!(["connectors.read", "dashboards.read", "datasets.read", "dbt.read", "records.read"]);
        let (nobodys, mine) = (json!(null), json!("mine"));
        assert_eq!(groups, [
            ("Members", &nobodys, &may),
            ("Old Miners", &mine, &json!(["mine.read"])),
            ("Readers", &nobodys, &json!(["records.read"])),
        ]);
    }

    // S2
    fn s2_nobody_begins_in_a_group_that_a_plugin_has_named_members(world: &World) {
        world.folder.write("data/plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine
permissions: [mine.read]
seed_groups: [{name: Members, permissions: [mine.read, records.write]}]
");
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        let named = |name: &str| -> serde_json::Value {
            let groups = admin.get("/api/groups").json();
            groups.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
        };
        let path = format!("/api/groups/{}", named("Members")["id"].as_str().unwrap());
        let renamed = admin.ask("PUT", &path, Some(json!({"name": "Watchers", "permissions": ["records.read"]})));
        assert_eq!(renamed.status, 200, "{}", renamed.text);
        host.enable("mine");
        assert_eq!(named("Members")["plugin"], "mine");
        let groups_of = |email: &str, path: &str| -> serde_json::Value {
            let all = admin.get(path).json();
            let is_it = |one: &&serde_json::Value| one["email"] == email || one["user"]["email"] == email;
            all.as_array().unwrap().iter().find(is_it).unwrap()["groups"].clone()
        };
        let invited = admin.post("/api/invitations", json!({"email": "ann@example.com"}));
        assert_eq!(invited.status, 201, "{}", invited.text);
        assert_eq!(groups_of("ann@example.com", "/api/invitations"), json!([]));
        world.create_user(&["--email", "bo@example.com", "--org", "Default"], "a long password");
        assert_eq!(groups_of("bo@example.com", "/api/members"), json!([]));
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
