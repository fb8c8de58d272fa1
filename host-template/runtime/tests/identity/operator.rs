//! O4: what the operator does with accounts from the command line.

use serde_json::{Value, json};

use crate::program::world::{Person, World, until};
use crate::program::{ADMIN, command, run_with};
use crate::{events_of, on_both, sign_in_status};

on_both! {
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

    // O4
    fn o4_an_organisation_keeps_an_admin_and_its_name(world: &World) {
        let host = world.host();
        let create = |arguments: &[&str]| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(["admin", "create-user"]).args(arguments);
            run_with(command, "a long password\n")
        };
        let ann = ["--email", "ann@south.example", "--org", "South", "--role"];
        let (status, _, stderr) = create(&[&ann[..], &["admin"]].concat());
        assert_eq!(status, Some(0), "{stderr}");
        let (status, _, stderr) = create(&[&ann[..], &["member"]].concat());
        assert_eq!((status, stderr.contains("ann@south.example is the only admin of South")), (Some(2), true), "{stderr}");
        // Nothing of it was done: not the password either, nor the end of her session.
        let ann_there = Person::new(&host, "ann@south.example", "a long password");
        assert_eq!(ann_there.session()["role"], "admin");
        assert_eq!(create(&["--email", "bea@south.example", "--org", "South", "--role", "admin"]).0, Some(0));
        assert_eq!(create(&[&ann[..], &["member"]].concat()).0, Some(0));
        for near in ["S0uth", "south", "SOUTH", "\u{ff33}outh"] {
            let (status, _, stderr) = create(&["--email", "eve@south.example", "--org", near]);
            assert_eq!((status, stderr.contains("did you mean `South`?")), (Some(2), true), "{near}: {stderr}");
        }
    }
}
