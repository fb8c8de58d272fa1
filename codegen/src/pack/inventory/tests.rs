//! The lock as a text, and changes as people read them.

use super::*;

fn package(text: &str) -> Package {
    let (name, version) = text.split_once(' ').unwrap();
    Package { name: name.to_string(), version: version.to_string() }
}

fn claim(plugin: &str, priority: i64, file: &str) -> Claim {
    Claim { plugin: plugin.to_string(), priority, file: file.to_string(), export: "default".to_string() }
}

fn route(plugin: Option<&str>, method: &str, path: &str, public: bool) -> Route {
    Route { plugin: plugin.map(str::to_string), path: path.to_string(), method: method.to_string(), public }
}

/// A build of two plugins.
pub(crate) fn example() -> Inventory {
    let crm = Plugin {
        name: "crm".to_string(),
        version: "0.1.0".to_string(),
        digest: "c1".repeat(32),
        dependencies: vec!["finance".to_string()],
        permissions: vec!["customers.read".to_string()],
        crates: vec![package("csv 1.3.0"), package("csv-core 0.1.12")],
        ..Plugin::default()
    };
    let finance = Plugin {
        name: "finance".to_string(),
        version: "0.1.0".to_string(),
        digest: "f1".repeat(32),
        npm: vec![package("@x/charts 3.10.1")],
        ..Plugin::default()
    };
    let mut inventory = Inventory {
        platform: "0.1.0".to_string(),
        plugins: vec![finance, crm],
        overrides: BTreeMap::from([(
            "dashboard.view".to_string(),
            vec![claim("finance", 20, "frontend/src/A.tsx"), claim("crm", 10, "frontend/src/B.tsx")],
        )]),
        pages: vec![Page {
            plugin: "crm".to_string(),
            path: "/crm/customers".to_string(),
            file: "frontend/src/pages.tsx".to_string(),
        }],
        nav: vec![Nav {
            plugin: "crm".to_string(),
            path: "/crm/customers".to_string(),
            label: "Customers".to_string(),
        }],
        dbt_workspaces: vec![Workspace {
            slug: "finance".to_string(),
            plugin: "finance".to_string(),
            project_dir: "dbt".to_string(),
            models: vec!["mart_finance".to_string(), "stg_finance".to_string()],
        }],
        routes: vec![
            route(Some("crm"), "POST", "/api/crm/customers", false),
            route(Some("crm"), "GET", "/api/crm/customers", true),
            route(None, "GET", "/api/health", true),
        ],
        permissions: vec!["customers.read".to_string()],
        cargo_packages: vec![Locked {
            name: "csv".to_string(),
            version: "1.3.0".to_string(),
            source: "registry+https://example.org/index".to_string(),
            checksum: Some("ab".repeat(32)),
        }],
    };
    inventory.settle();
    inventory
}

#[test]
fn the_lock_reads_well_and_reads_back() {
    let text = lock::text(&example());
    insta::assert_snapshot!("hub_lock", text);
    assert_eq!(lock::parse(&text).unwrap(), example());
    assert_eq!(lock::parse(&lock::text(&Inventory::default())).unwrap(), Inventory::default());
}

#[test]
fn a_lock_that_is_none_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.lock");
    let told = |text: &str| {
        fs_write(&path, text);
        match lock::read(&path) {
            Err(crate::base::failure::Failure::Plugin(found)) => {
                let found = &found[0].diagnostic;
                format!("{} {}:{} {}", found.code, found.span.line, found.span.column, found.message)
            }
            other => format!("{other:?}"),
        }
    };
    let merged = format!("{}<<<<<<< ours\n", lock::text(&example()));
    insta::assert_snapshot!(
        [told("[plugins"), told(&merged), told("format = 2\n"), told("format = 1\norder = 3\n")].join("\n")
    );
    std::fs::remove_file(&path).unwrap();
    assert!(lock::read(&path).unwrap().is_none());
}

fn fs_write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn changes_read_as_sentences() {
    let before = example();
    assert_eq!(diff(&before, &before), []);
    let mut after = example();
    after.platform = "0.2.0".to_string();
    after.plugins.reverse();
    after.plugins[0].version = "0.2.0".to_string();
    after.plugins[0].dependencies.clear();
    after.plugins[0].crates = vec![package("csv 1.4.0"), package("itoa 1.0.15")];
    after.plugins[0].permissions.push("customers.write".to_string());
    after.plugins[1].digest = "f2".repeat(32);
    after.plugins[1].npm.clear();
    after.plugins.push(Plugin { name: "sales".into(), version: "1.0.0".into(), ..Plugin::default() });
    let chain = after.overrides.get_mut("dashboard.view").unwrap();
    chain.reverse();
    chain[0].priority = 30;
    after.overrides.insert("records.card".to_string(), vec![claim("sales", 0, "frontend/Card.tsx")]);
    after.pages[0].path = "/crm/people".to_string();
    after.nav[0].label = "People".to_string();
    after.dbt_workspaces[0].models[0] = "mart_revenue".to_string();
    after.routes[0].public = true;
    after.routes[1].public = false;
    after.routes[2] = route(Some("sales"), "GET", "/api/sales/orders/{id}", false);
    after.cargo_packages[0].version = "1.4.0".to_string();
    let changes = diff(&before, &after);
    insta::assert_snapshot!("changes", diff::text(&changes));
    insta::assert_snapshot!(
        "changes_json",
        changes.iter().take(4).map(Change::json).collect::<Vec<_>>().join("\n")
    );
    let found = lock::refusal(Path::new("/x/hub.lock"), &changes).unwrap();
    insta::assert_snapshot!("refusal", format!("{}: {}\n= help: {}", found.code, found.message, found.help));
    assert_eq!(lock::refusal(Path::new("/x/hub.lock"), &[]), None);
}

/// A route as the host prints it.
fn of_host(route: &Route) -> routes::Route {
    routes::Route {
        plugin: route.plugin.clone(),
        router: None,
        method: route.method.clone(),
        path: route.path.clone(),
        public: route.public,
        place: None,
    }
}

#[test]
fn what_only_a_build_knows_is_no_change_before_it() {
    let old = example();
    let mut planned = example();
    planned.routes.clear();
    planned.cargo_packages.clear();
    planned.plugins.iter_mut().for_each(|plugin| plugin.crates.clear());
    assert_eq!(diff(&old, &planned.clone().with_built_parts_of(&old)), []);
    let built = Additions {
        routes: old.routes.iter().rev().map(of_host).collect(),
        crates: old.plugins.iter().map(|plugin| (plugin.name.clone(), plugin.crates.clone())).collect(),
        cargo_packages: old.cargo_packages.clone(),
    };
    assert_eq!(complete(planned, built), old);
}

#[test]
fn tools_leave_nothing_behind_that_counts() {
    let counts = |file: &str| is_content(file, &["dbt", "."]);
    assert!(counts("dbt/models/a.sql") && counts("backend/src/logs/x.rs") && counts("target.txt"));
    assert!(!counts("dbt/logs/dbt.log") && !counts("dbt/target/x") && !counts("backend/Cargo.lock"));
}
