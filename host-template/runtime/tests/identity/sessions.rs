//! S8: sessions and streams follow a changed membership.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::postgres::Server;
use crate::program::world::{Person, World, is, until};
use crate::program::{ADMIN, Host, PASSWORD};
use crate::{id_of, on_both, put, tenant};

on_both! {
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
