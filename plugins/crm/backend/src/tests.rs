//! The plugin's routes on a database in memory, with the plugin's own migrations.

use hub::json;
use hub::testing::{App, Running};

fn app() -> Running {
    App::new("crm")
        .migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))
        .permissions(&["customers.read", "customers.write", "accounts.read", "accounts.write"])
        .mount(crate::customers::router)
        .mount(crate::accounts::router)
        .start()
}

#[test]
fn a_customer_belongs_to_an_account() {
    let app = app();
    let account =
        app.post("/accounts", json!({"name": "Ash & Co", "industry": "retail", "owner": "Ada Brandt"}));
    assert_eq!(account.status, 201, "{}", account.text);
    let id = account.json["id"].as_str().unwrap();

    let ann = json!({"name": "Ann Lee", "email": "Ann.Lee@ash.example", "account_id": id});
    let made = app.post("/customers", ann.clone());
    assert_eq!((made.status, &made.json["account"]), (201, &json!("Ash & Co")), "{}", made.text);
    assert_eq!(app.get(&format!("/accounts/{id}")).json["customers"], 1);

    let again = app.post("/customers", ann);
    assert_eq!(again.status, 409);
    assert_eq!(
        again.json["detail"],
        "a customer with the e-mail address ann.lee@ash.example is there already"
    );
}

#[test]
fn lists_are_filtered_and_paged() {
    let app = app();
    let all = app.get("/customers");
    assert_eq!(all.json["total"], all.json["items"].as_array().unwrap().len());
    let found = app.get("/customers?search=NORTH&limit=1").json;
    assert!(found["total"].as_u64().unwrap() >= 1, "{found}");
    // The caller's own `%` stands for itself.
    assert_eq!(app.get("/customers?search=%25").json["total"], 0);
    assert_eq!(app.get("/customers?status=gone").json["errors"][0]["field"], "status");
    assert_eq!(app.get("/accounts?industry=healthcare").json["items"][0]["industry"], "healthcare");
}

#[test]
fn two_organisations_share_nothing_but_the_samples() {
    let mut app = app();
    let ann = json!({"name": "Ann Lee", "email": "ann.lee@ash.example", "account_id": "acc-larch"});
    assert_eq!(app.post("/customers", ann.clone()).status, 201);
    let before = app.get("/customers").json["total"].as_u64().unwrap();
    app.as_admin_of("Another").enable_for("Another");
    assert_eq!(app.get("/customers").json["total"], before - 1);
    let again = app.post("/customers", ann);
    assert_eq!(
        again.status, 201,
        "an address is unique in an organisation, and tells nothing to others: {}",
        again.text
    );
    assert_eq!(app.get("/accounts/acc-larch").json["customers"], 2);
    app.as_member(&["accounts.read"]);
    assert_eq!(app.get("/customers").json["code"], "permission-missing");
}
