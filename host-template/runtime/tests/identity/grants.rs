//! S2: nobody gives what they do not hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::world::{Person, World};
use crate::program::{ADMIN, PASSWORD};
use crate::{group, id_of, on_both, put, tenant};

on_both! {
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

    // S2: without tenants somebody is in all of them. Nobody gets there by a list that is left out.
    fn s2_what_a_change_does_not_name_is_kept(world: &World) {
        let host = world.host();
        let admin = Person::new(&host, ADMIN, PASSWORD);
        world.create_user(&["--email", "pat@example.com", "--org", "Default"], "pat's password!\n");
        let pat = Person::new(&host, "pat@example.com", "pat's password!");
        let (alder, readers) = (tenant(&admin, "Alder"), group(&admin, "Readers", &["records.read"]));
        let user = id_of(&pat);
        assert_eq!(put(&admin, &user, json!({"role": "member", "tenants": [alder], "groups": [readers]})).status, 200);
        let place = |answer: Value| (answer["role"].clone(), answer["tenants"][0]["id"].clone(), answer["groups"][0]["id"].clone());
        for change in [json!({"role": "member"}), json!({"role": "member", "tenants": null}), json!({"role": "member", "groups": [readers]})] {
            let answer = put(&admin, &user, change.clone());
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(place(answer.json()), (json!("member"), json!(alder), json!(readers)), "{change}");
        }
        let wide = put(&admin, &user, json!({"role": "member", "tenants": [], "groups": []})).json();
        assert_eq!((&wide["tenants"], &wide["groups"]), (&json!([]), &json!([])), "an empty list is said");
        assert_eq!(put(&admin, &user, json!({"tenants": [alder]})).status, 422, "a role is always said");
    }
}
