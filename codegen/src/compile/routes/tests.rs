//! Route tables by hand, and what is said of them at the authors' files.

use std::collections::BTreeMap;

use hub_manifest::plan::{HostPlan, HostPlugin, RouterMount};

use super::*;
use crate::base::failure::Finding;
use crate::load::load;
use crate::report::{Style, human};
use crate::scan::scan;

const A: &str = "use hub::prelude::*;\n\n#[hub::router]\npub fn router() -> Router {\n    Router::new()\n        \
                 .route(\"/accounts/{id}\", get(one))\n        .route(\"/accounts\", get(list).post(create))\n}\n";
const B: &str = "use hub::prelude::*;\n\n#[hub::router]\npub fn router() -> Router {\n    \
                 Router::new().route(\"/accounts/{name}\", get(one))\n}\n";

/// The plugin `crm` of a temporary folder, with two routers.
struct Fixture {
    folder: tempfile::TempDir,
    loaded: Vec<LoadedPlugin>,
    plan: Plan,
    paths: PathMap,
}

impl Fixture {
    fn new(public_routes: &str) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            (
                "plugin.yaml",
                format!("name: crm\nversion: 1.0.0\ndisplay_name: CRM\npublic_routes: {public_routes}\n"),
            ),
            ("backend/src/a.rs", A.to_string()),
            ("backend/src/b.rs", B.to_string()),
        ];
        for (path, text) in files {
            let path = folder.path().join("crm").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (folders, _) = scan(&[folder.path().to_path_buf()]).unwrap();
        let roots = BTreeMap::from([("crm".to_string(), folders[0].root.clone())]);
        let (loaded, _) = load(folders);
        let routers = ["a", "b"].map(|module| RouterMount {
            spec: spec(module),
            modules: vec![module.to_string()],
            function: "router".to_string(),
        });
        let found = PluginCrate {
            plugin: "crm".to_string(),
            package: "hub-plugin-crm".to_string(),
            lib: "hub_plugin_crm".to_string(),
            dir: "backend".to_string(),
            routers: routers.to_vec(),
        };
        let host = HostPlugin { name: "crm".to_string(), ..HostPlugin::default() };
        let plan = Plan {
            host: HostPlan { plugins: vec![host], ..HostPlan::default() },
            crates: vec![found],
            ..Plan::default()
        };
        let paths = PathMap::new(Path::new("/repo"), &roots, ["host-template/runtime"]);
        Fixture { folder, loaded, plan, paths }
    }

    fn said(&self, table: &RouteTable) -> String {
        let root = self.folder.path().canonicalize().unwrap();
        let found: Vec<Finding> = findings(table, &self.plan, &self.loaded, &self.paths)
            .into_iter()
            .map(|mut found| {
                // What lies outside of the current folder is named in full.
                found.message = found.message.replace(&format!("{}/", root.display()), "");
                found.into()
            })
            .collect();
        human(&found, &Style::plain(root))
    }
}

fn spec(module: &str) -> String {
    format!("plugins.crm.backend.{module}:router")
}

fn route(module: &str, method: &str, path: &str, line: u32, column: u32) -> Route {
    let file = format!("plugins/crm/backend/src/{module}.rs");
    Route {
        plugin: Some("crm".to_string()),
        router: Some(spec(module)),
        method: method.to_string(),
        path: format!("/api/crm{path}"),
        public: false,
        place: Some(Place { file, line, column }),
    }
}

fn accounts() -> [Route; 3] {
    [
        route("a", "GET", "/accounts/{id}", 6, 10),
        route("a", "GET", "/accounts", 7, 10),
        route("a", "POST", "/accounts", 7, 10),
    ]
}

#[test]
fn conflicts_point_at_both_places() {
    let fixture = Fixture::new("[]");
    let [one, list, _] = accounts();
    let same = route("b", "GET", "/accounts/{name}", 5, 19);
    let conflicts = vec![
        RouteConflict::overlap(one.clone(), same.clone()),
        RouteConflict::overlap(one.clone(), Route { method: "PUT".to_string(), ..same.clone() }),
        RouteConflict::overlap(one, Route { path: "/api/crm/{kind}/x".to_string(), ..same.clone() }),
        RouteConflict::twice(list, route("b", "GET", "/accounts", 5, 19)),
        RouteConflict::malformed(Route { path: "a".to_string(), ..same }, "does not begin with `/`"),
    ];
    insta::assert_snapshot!(fixture.said(&RouteTable { conflicts, ..RouteTable::default() }));
}

#[test]
fn a_route_that_a_library_wrote_is_shown_at_its_router() {
    let fixture = Fixture::new("[]");
    let [_, list, _] = accounts();
    let place = Place { file: "/cargo/registry/src/x/lib.rs".to_string(), line: 9, column: 1 };
    let conflicts = vec![RouteConflict::twice(list.clone(), Route { place: Some(place), ..list })];
    insta::assert_snapshot!(fixture.said(&RouteTable { conflicts, ..RouteTable::default() }));
}

#[test]
fn a_router_that_gives_none() {
    let fixture = Fixture::new("[]");
    let panic = |message: &str, place: Option<(&str, u32, u32)>| RouterPanic {
        plugin: "crm".to_string(),
        router: spec("b"),
        message: message.to_string(),
        place: place.map(|(file, line, column)| Place { file: file.to_string(), line, column }),
    };
    let panics = vec![
        panic("no number\nand more", Some(("plugins/crm/backend/src/b.rs", 5, 19))),
        panic("in a library", Some(("/rustc/abc/library/core/src/option.rs", 1, 1))),
        panic("does not come back within 20 s", None),
    ];
    insta::assert_snapshot!(fixture.said(&RouteTable { panics, ..RouteTable::default() }));
}

#[test]
fn a_public_route_that_is_none() {
    let fixture = Fixture::new(
        "{ALL: [accounts, 'accounts/*', acounts, 'acounts/*', elsewhere], GET: [accounts], PUT: [accounts], DELETE: ['**']}",
    );
    let table = RouteTable { routes: accounts().to_vec(), ..RouteTable::default() };
    insta::assert_snapshot!(fixture.said(&table));
    let none = Fixture::new("[ping]").said(&RouteTable::default());
    assert!(none.contains("help: the plugin has no routes: remove the line, or add a router"), "{none}");
}

#[test]
fn the_length_of_a_call() {
    let check = |text: &str, want: &str| assert_eq!(&text[..call_length(text)], want);
    check("route(\"/a)\", get(a)).route(\"/b\", get(b))", "route(\"/a)\", get(a))");
    check("routes!(list)) // all", "routes!(list)");
    check("route(   ", "route(");
    check("x) + y", "x");
    assert_eq!(span("a\nbc(d)\n", 2, 1), Span { offset: 2, len: 5, line: 2, column: 1 });
    assert_eq!(span("", 7, 9), Span { offset: 0, len: 0, line: 1, column: 1 });
}
