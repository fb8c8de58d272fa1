//! What `cargo xtask explain` says, over one fixture.

#[allow(dead_code, reason = "each test binary has its own copy of this module")]
mod fixture;

use std::collections::BTreeSet;

use fixture::Fixture;
use hub_codegen::explain::{Routes, World, explain};
use hub_codegen::load::websource;
use hub_codegen::pack::inventory::Route;

const PLUGINS: &str = r#"//- /plugins/crm/plugin.yaml
name: crm
version: 0.2.0
display_name: CRM
description: Customers and accounts.
dependencies: {finance: "^1"}
optional_dependencies: [maps]
frontend_entry: frontend/pages.tsx
nav: [{label: Customers, path: /crm/customers, icon: users, roles: [admin]}]
permissions: [customers.read, customers.write]
seed_groups: [{name: Sales, permissions: [customers.read]}]
frontend_overrides: {routes: {/records: frontend/View.tsx}}
//- /plugins/crm/frontend/overrides.json
{ "overrides": { "dashboard.view": "View.tsx", "records.card": { "component": "View.tsx", "export": "Card", "priority": 5 } } }
//- /plugins/crm/frontend/View.tsx
export const Card = () => <p />;
export default Card;
//- /plugins/crm/frontend/pages.tsx
import View from "./View";
export default [{ path: "/crm/customers", component: View }, { path: "/crm/customers/:id", component: View }];
//- /plugins/finance/plugin.yaml
name: finance
version: 1.0.0
display_name: Finance
config: {currency: {type: string, default: EUR}}
//- /plugins/finance/frontend/overrides.json
{ "overrides": { "dashboard.view": "View.tsx", "records.card": { "component": "View.tsx", "priority": 5 } } }
//- /plugins/finance/frontend/View.tsx
import { Surface } from "@platform/plugin-host";
export default () => <Surface name="dashboard.view" />;
//- /plugins/sales/plugin.yaml
name: sales
version: 1.0.0
display_name: Sales
order: {after: [finance], before: [crm]}
//- /plugins/sales/frontend/overrides.json
{ "overrides": { "records.card": { "component": "View.tsx", "priority": 5 } } }
//- /plugins/sales/frontend/View.tsx
export default () => <p />;
"#;

fn route(plugin: Option<&str>, method: &str, path: &str, public: bool) -> Route {
    let plugin = plugin.map(str::to_string);
    Route { plugin, path: path.to_string(), method: method.to_string(), public }
}

fn told(questions: &[&str]) -> String {
    let fixture = Fixture::new(PLUGINS);
    let front = fixture.front(false);
    let shell = websource::scan(&fixture.folder().join("host-template/shell/src"));
    let known = vec![
        route(None, "GET", "/api/health", true),
        route(Some("crm"), "GET", "/api/crm/customers", true),
        route(Some("crm"), "POST", "/api/crm/customers", false),
        route(Some("crm"), "GET", "/api/crm/customers/{id}", false),
        route(Some("crm"), "GET", "/api/crm/customers/new", false),
    ];
    let routes = Routes { known, unknown: BTreeSet::from(["sales".to_string()]) };
    let world = World { front: &front, shell: &shell, routes };
    let answers = questions.iter().map(|question| {
        let answer = explain(&world, question).unwrap_or_else(|message| format!("error: {message}\n"));
        format!("$ cargo xtask explain {question}\n{answer}")
    });
    let text = answers.collect::<Vec<_>>().join("\n");
    text.replace(&format!("{}/", fixture.folder().display()), "")
}

/// Holds the answers against `explain/<name>.snap`.
fn check(name: &str, questions: &[&str]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("explain");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, told(questions)));
}

#[test]
fn override_keys() {
    check("override_keys", &["dashboard.view", "records.card", "route:/records"]);
}

#[test]
fn routes_and_pages() {
    check(
        "routes_and_pages",
        &[
            "/api/crm/customers",
            "DELETE /api/crm/customers/7",
            "/api/crm/customers/new",
            "get /api/health",
            "/api/sales/orders",
            "/crm/customers",
            "/crm/customers/7",
            "/records",
        ],
    );
}

#[test]
fn plugins() {
    check("plugins", &["crm", "finance", "sales"]);
}

#[test]
fn codes_and_what_is_unknown() {
    check("codes_and_what_is_unknown", &["hub045", "dashbord.view", "/api/crm/custmers", "fin", "HUB145"]);
}
