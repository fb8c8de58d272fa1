//! The plugin's routes on a database in memory, with the plugin's own migrations.

use hub::json;
use hub::testing::{App, Running};

fn app() -> Running {
    App::new("sample-plugin")
        .migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))
        .permissions(&["sample_plugin.read"])
        .permissions(&["sample_plugin.write"])
        .mount(crate::items::router)
        .start()
}

#[test]
fn an_item_is_made_read_and_listed() {
    let app = app();
    let before = app.get("/items").json["total"].as_u64().unwrap();

    let made = app.post("/items", json!({"title": "  Third  "}));
    assert_eq!((made.status, &made.json["title"]), (201, &json!("Third")), "{}", made.text);
    let id = made.json["id"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/api/sample-plugin/items/{id}"));

    assert_eq!(app.get(&format!("/items/{id}")).json, made.json);
    let listed = app.get("/items?limit=1").json;
    assert_eq!(listed["total"], before + 1);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_named() {
    let app = app();
    let refused = app.post("/items", json!({"title": " "}));
    assert_eq!((refused.status, &refused.json["errors"][0]["field"]), (422, &json!("title")));
    assert_eq!(app.get("/items/none").status, 404);
}

#[test]
fn a_permission_gates_and_what_is_an_organisations_own_stays_its_own() {
    let mut app = app();
    let made = app.post("/items", json!({"title": "Ours"}));
    let place = format!("/items/{}", made.json["id"].as_str().unwrap());
    app.as_member(&["sample_plugin.read"]);
    assert_eq!(app.get(&place).status, 200);
    assert_eq!(app.post("/items", json!({"title": "Mine"})).status, 403);
    app.as_admin_of("Another").enable_for("Another");
    assert_eq!(app.get(&place).status, 404);
}
