//! O4: what the operator does with accounts from the command line.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::world::{Person, World, until};
use crate::program::{ADMIN, PASSWORD, command, run_with};
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
        for (round, (org, tenant)) in [("North", "Alder"), ("South", "Birch"), ("Elsewhere", "Cedar")].into_iter().enumerate() {
            let said: Vec<_> = std::thread::scope(|scope| {
                let adding: Vec<_> = (0..4)
                    .map(|number| {
                        // Two of them are the same person.
                        let email = format!("p{}@{round}.example", number.min(2));
                        let add = &add;
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
        let (status, _, stderr) = admin(&["--org", "North", "--tenant", "Alde"]);
        assert_eq!(status, Some(2), "{stderr}");
        for part in ["there is no tenant of North named `Alde`", "did you mean `Alder`?", "--new-tenant"] {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
        let (status, stdout, stderr) = admin(&["--org", "North", "--tenant", "Alde", "--new-tenant"]);
        assert!(status == Some(0) && stdout.contains("made the tenant Alde of North"), "{stdout}{stderr}");
        // Wherever the slip is, and however short the name: an organisation is made where somebody says so.
        let (status, _, stderr) = admin(&["--org", "ACME"]);
        assert_eq!(status, Some(0), "{stderr}");
        for (slip, meant) in [("Nortj", "North"), ("Morth", "North"), ("orth", "North"), ("ACM", "ACME"), ("ACME2", "ACME")] {
            let (status, stdout, stderr) = admin(&["--org", slip]);
            assert_eq!((status, stdout.as_str()), (Some(2), ""), "{slip}: {stderr}");
            assert!(stderr.contains(&format!("did you mean `{meant}`?")) && stderr.contains("--new-org"), "{slip}: {stderr}");
        }
        let (status, stdout, stderr) = admin(&["--org", "ACM", "--new-org"]);
        assert!(status == Some(0) && stdout.contains("made the organisation ACM"), "{stdout}{stderr}");
        // Without an organisation nothing is guessed, and without a tenant there is none to make.
        for arguments in [&["--tenant", "alder"][..], &["--org", "North", "--new-tenant"]] {
            let (status, _, stderr) = admin(arguments);
            assert_eq!(status, Some(2), "{stderr}");
            let missing = if arguments[0] == "--tenant" { "--org <ORG>" } else { "--tenant <TENANT>" };
            assert!(stderr.contains(missing), "{stderr}");
        }
    }

    // O4, S20: what the API makes no twins of, the command line makes none of either, whatever it is told.
    fn o4_no_option_makes_twins_of_names(world: &World) {
        let admin = |arguments: &[&str]| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(["admin", "create-user", "--email", "ann@north.example"]).args(arguments);
            run_with(command, "a long password\n")
        };
        let (status, stdout, stderr) = admin(&["--org", "North Wing", "--tenant", "Alder"]);
        assert!(status == Some(0) && stdout.contains("made the tenant Alder of North Wing"), "{stdout}{stderr}");
        for twin in ["north wing", "NORTH WING", "\u{ff2e}orth Wing", "Nor\u{ff54}h  wing", "North w\u{131}ng"] {
            for options in [&[][..], &["--new-org"], &["--new-org", "--tenant", "Beech", "--new-tenant"]] {
                let (status, stdout, stderr) = admin(&[&["--org", twin], options].concat());
                assert_eq!((status, stdout.as_str()), (Some(2), ""), "{twin} {options:?}: {stderr}");
                assert!(stderr.contains("the organisation `North Wing` is there already"), "{twin}: {stderr}");
            }
        }
        for twin in ["alder", "ALDER", "\u{ff21}lder"] {
            for options in [&[][..], &["--new-tenant"], &["--new-org", "--new-tenant"]] {
                let (status, stdout, stderr) = admin(&[&["--org", "North Wing", "--tenant", twin], options].concat());
                assert_eq!((status, stdout.as_str()), (Some(2), ""), "{twin} {options:?}: {stderr}");
                assert!(stderr.contains("the tenant of North Wing `Alder` is there already"), "{twin}: {stderr}");
            }
        }
        // Blanks are no difference at all: that is the one that there is.
        let (status, stdout, stderr) = admin(&["--org", " North\u{a0} Wing ", "--tenant", "Alder ", "--new-org", "--new-tenant"]);
        assert_eq!((status, stdout.contains("made the")), (Some(0), false), "{stdout}{stderr}");
        // What differs to the eye is another name, where somebody says so.
        let (status, stdout, stderr) = admin(&["--org", "North Wings", "--new-org"]);
        assert!(status == Some(0) && stdout.contains("made the organisation North Wings"), "{stdout}{stderr}");
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

    // O4, S20: an account that an earlier release kept in a form of its own opens with what anybody would write.
    fn o4_a_new_password_mends_an_address_that_nobody_would_write(world: &World) {
        let host = world.host();
        let reset = |email: &str, password: &str| {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(["admin", "reset-password", "--email", email]);
            let (status, stdout, stderr) = run_with(command, password);
            assert_eq!(status, Some(0), "{stderr}");
            stdout
        };
        let (eve, dee, flo) = ("\u{ff45}ve@example.com", "\u{ff44}ee@example.com", "\u{ff46}lo@example.com");
        for email in ["eve@example.com", "dee@example.com", "flo@example.com", "twin@example.com"] {
            world.create_user(&["--email", email, "--org", "Default"], "a long password\n");
        }
        for (now, then) in [("eve@example.com", eve), ("dee@example.com", dee), ("twin@example.com", flo)] {
            if !world.sql(&format!("UPDATE hub_users SET email = '{then}' WHERE email = '{now}'")) {
                return;
            }
        }
        assert_eq!(sign_in_status(&host, "eve@example.com", "a long password"), 401);
        let said = reset("eve@example.com", "eve's new one!\n");
        assert!(said.starts_with("set the password of eve@example.com ("), "{said}");
        assert!(said.contains(&format!("its address is now eve@example.com; an earlier release kept it as {eve}")), "{said}");
        for written in ["eve@example.com", eve, "EVE@example.com"] {
            assert_eq!(sign_in_status(&host, written, "eve's new one!"), 200, "{written}");
        }
        let said = reset(eve, "eve's new one!\n");
        assert!(said.starts_with("set the password of eve@example.com (") && said.lines().count() == 1, "{said}");
        let said = world.create_user(&["--email", "dee@example.com", "--org", "Default"], "dee's new one!\n");
        assert!(said.starts_with("changed user dee@example.com ("), "{said}");
        assert!(said.contains(&format!("its address is now dee@example.com; an earlier release kept it as {dee}")), "{said}");
        assert_eq!(sign_in_status(&host, "dee@example.com", "dee's new one!"), 200);
        // Two accounts have the address: each stays its owner's, who is told what to write.
        let said = reset(flo, "flo's new one!\n");
        assert!(said.contains(&format!("this one signs in as {flo}, to the letter")), "{said}");
        assert_eq!(sign_in_status(&host, flo, "flo's new one!"), 200);
        assert_eq!(sign_in_status(&host, "flo@example.com", "a long password"), 200);
        let events = events_of(&Person::new(&host, ADMIN, PASSWORD), "password_reset");
        let was: BTreeSet<&str> = events.iter().filter_map(|event| event["details"]["was"].as_str()).collect();
        assert_eq!(was, BTreeSet::from([eve, dee]));
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
        for (near, said) in [
            ("S0uth", "did you mean `South`?"),
            ("south", "write --org `South` if that is meant"),
            ("SOUTH", "write --org `South` if that is meant"),
            ("\u{ff33}outh", "write --org `South` if that is meant"),
        ] {
            let (status, _, stderr) = create(&["--email", "eve@south.example", "--org", near]);
            assert_eq!((status, stderr.contains(said)), (Some(2), true), "{near}: {stderr}");
        }
    }
}
