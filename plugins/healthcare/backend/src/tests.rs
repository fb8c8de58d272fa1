//! The plugin's routes on a database in memory, with the plugin's own migrations.

use hub::json;
use hub::testing::{App, Running};

fn app() -> Running {
    App::new("healthcare")
        .migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))
        .permissions(&["healthcare.read", "healthcare.write"])
        .mount(crate::records::router)
        .mount(crate::facilities::router)
        .start()
}

#[test]
fn a_record_is_made_read_and_found_by_its_facility() {
    let app = app();
    let facility = json!({"name": "Hill Practice", "kind": "practice", "city": "Elm"});
    let facility = app.post("/facilities", facility);
    assert_eq!(facility.status, 201, "{}", facility.text);
    let id = facility.json["id"].as_str().unwrap();

    let made = app.post("/records", json!({"patient": "P-1", "diagnosis": "Check-up", "facility_id": id}));
    assert_eq!(made.status, 201, "{}", made.text);
    let place = made.headers["location"].to_str().unwrap().trim_start_matches("/api/healthcare");
    assert_eq!(app.get(place).json["facility"], "Hill Practice");

    let found = app.get(&format!("/records?facility_id={id}&limit=1"));
    assert_eq!(found.json["total"], 1);
    assert_eq!(found.json["items"][0], made.json);
    assert_eq!(app.get("/records?status=admitted").json["items"][0]["status"], "admitted");
}

#[test]
fn what_is_wrong_is_named() {
    let app = app();
    let fields = |answer: hub::testing::Answer| -> Vec<String> {
        assert_eq!(answer.status, 422, "{}", answer.text);
        let errors = answer.json["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    };
    let bad = json!({"patient": " ", "diagnosis": "x", "status": "gone", "facility_id": "none"});
    assert_eq!(fields(app.post("/records", bad)), ["patient", "status", "facility_id"]);
    assert_eq!(fields(app.post("/records", json!({"patient": "P-1"}))), ["diagnosis"]);
    let bad = json!({"name": "A", "kind": "hotel", "city": "B", "beds": 10_001});
    assert_eq!(fields(app.post("/facilities", bad)), ["kind", "beds"]);
    assert_eq!(fields(app.get("/facilities?kind=hotel")), ["kind"]);
    assert_eq!(fields(app.get("/facilities?limit=0")), ["limit"]);
    assert_eq!(app.get("/records/none").status, 404);
}

#[test]
fn a_record_is_shown_to_who_may_read_and_to_its_organisation_only() {
    let mut app = app();
    let new = json!({"patient": "P-9", "diagnosis": "Check-up", "facility_id": "fac-mill"});
    let made = app.post("/records", new.clone());
    let place = format!("/records/{}", made.json["id"].as_str().unwrap());
    let samples = app.get("/records").json["total"].as_u64().unwrap() - 1;

    app.as_member(&["healthcare.read"]);
    assert_eq!(app.get(&place).status, 200);
    assert_eq!(app.post("/records", new.clone()).status, 403);
    app.as_member(&[]);
    assert_eq!(app.get(&place).json["code"], "permission-missing");
    app.as_anybody();
    assert_eq!(app.get(&place).status, 401);

    app.as_admin_of("Another");
    assert_eq!(app.get(&place).json["code"], "plugin-not-enabled");
    app.enable_for("Another");
    assert_eq!(app.get(&place).status, 404);
    assert_eq!(app.get("/records").json["total"], samples);
    // As if the record's facility were not there.
    let facility = app.post("/facilities", json!({"name": "Theirs", "kind": "practice", "city": "Elm"}));
    app.as_member(&["healthcare.read", "healthcare.write"]);
    let elsewhere = json!({"patient": "P-9", "diagnosis": "x", "facility_id": facility.json["id"]});
    assert_eq!(app.post("/records", elsewhere).json["errors"][0]["field"], "facility_id");
}
