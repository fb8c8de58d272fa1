//! What `plugin.yaml` and `overrides.json` may hold, and every mistake with its place. `check` is the only way in.

use std::path::Path;

use hub_manifest::diagnostic::{Diagnostic, Level};
use hub_manifest::overrides;
use hub_manifest::plugin::{self, Manifest};
use hub_manifest::source::Source;

/// `error HUB010 1:1 message`, one finding a line.
fn render(found: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let level = if found.level == Level::Error { "error" } else { "warning" };
        assert!(!found.help.is_empty(), "a finding without a way out: {found:?}");
        format!("{level} {} {}:{} {}", found.code, found.span.line, found.span.column, found.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn parse(text: &str) -> (Manifest, String) {
    match Source::decode(Path::new("plugin.yaml"), text.as_bytes()) {
        Ok(source) => {
            let (manifest, found) = plugin::parse(&source, "crm");
            (manifest, render(&found))
        }
        Err(found) => (Manifest::default(), render(&[*found])),
    }
}

/// A manifest with the three required fields and these lines, from line 4 on.
fn check(lines: &str, expect: &str) -> Manifest {
    let (manifest, found) = parse(&format!("name: crm\nversion: 1.0.0\ndisplay_name: CRM\n{lines}"));
    assert_eq!(found, expect, "{lines}");
    manifest
}

fn check_whole(text: &str, expect: &str) {
    assert_eq!(parse(text).1, expect, "{text}");
}

#[test]
fn three_fields_are_enough() {
    let manifest = check("", "");
    assert_eq!(manifest.name.unwrap().value, "crm");
    assert_eq!(manifest.version.unwrap().value.to_string(), "1.0.0");
}

#[test]
fn a_file_that_is_no_manifest() {
    check_whole("", "error HUB002 1:1 plugin.yaml is empty");
    check_whole("# nothing\n", "error HUB002 1:1 plugin.yaml is empty");
    check_whole("- a\n", "error HUB004 1:1 plugin.yaml must be a mapping of fields, but this is a list");
    check_whole(
        "---\nname: a\n---\nname: b\n",
        "error HUB003 4:1 the file holds more than one YAML document",
    );
    let not_yaml = |text: &str, place: &str, cause: &str| {
        check_whole(text, &format!("error HUB003 {place} plugin.yaml is not YAML: {cause}"));
    };
    not_yaml("name: [crm\nversion: 1.0.0", "1:7", "the bracket `[` is not closed");
    not_yaml("name: {a: [b, c]\nversion: 1", "1:7", "the bracket `{` is not closed");
    not_yaml("name: [crm", "1:7", "the bracket `[` is not closed");
    not_yaml("name: [crm}", "1:7", "the bracket `[` is closed by `}`");
    not_yaml("name: \"crm\nversion: 1", "2:1", "a text in quotes is not closed");
    not_yaml("name: CRM: customers", "1:10", "this `:` cannot begin a value");
    not_yaml("a: don't [\nb: c: d", "2:5", "this `:` cannot begin a value");
    not_yaml("order:\n\tafter: [a]", "2:2", "a tab stands where only spaces may");
    not_yaml("order:\n    after: [a]\n  before: [b]", "3:3", "the line fits no field above it");
    not_yaml("name crm\nversion: 1.0.0", "2:8", "this `:` cannot begin a value");
    let bytes = Source::decode(Path::new("plugin.yaml"), b"name: crm\nauthor: J\xf6rg").unwrap_err();
    assert_eq!(
        render(&[*bytes]),
        "error HUB001 2:10 plugin.yaml is not UTF-8: byte 20 (0xf6) fits no character"
    );
    let large = Source::decode(Path::new("plugin.yaml"), &vec![b'a'; 10 << 20]).unwrap_err();
    assert_eq!(
        render(&[*large]),
        "error HUB001 1:1 plugin.yaml has 10485760 bytes, more than the 262144 that are read"
    );
}

#[test]
fn required_fields() {
    check_whole(
        "description: x",
        "error HUB010 1:1 plugin.yaml lacks the required field `name`\n\
         error HUB010 1:1 plugin.yaml lacks the required field `version`\n\
         error HUB010 1:1 plugin.yaml lacks the required field `display_name`",
    );
    check_whole(
        "name: Crm\nversion: 1\ndisplay_name: [a]",
        "error HUB012 1:7 the slug `Crm` is malformed\n\
         error HUB011 2:10 the version must be text, but this is a whole number\n\
         error HUB011 3:15 `display_name` must be text, but this is a list",
    );
    check_whole(
        "name: sales\nversion: \"1.0\"\ndisplay_name: S",
        "error HUB013 1:7 the plugin is called `sales`, but its folder is `crm`\n\
         error HUB015 2:10 the version `1.0` is malformed",
    );
    check_whole(
        "name: auth\nversion: 1.0.0\ndisplay_name: A",
        "error HUB014 1:7 the slug `auth` is reserved: the platform's own routes and pages use it",
    );
}

#[test]
fn unknown_and_repeated_fields() {
    check("router: []", "warning HUB016 4:1 unknown field `router` in plugin.yaml");
    check("author: a\nauthor: b", "error HUB005 5:1 the key `author` stands twice");
}

#[test]
fn dependencies_in_every_form() {
    let manifest = check("dependencies: [a, {b: ^1.2}]\noptional_dependencies:\n  c: '*'\n  d:", "");
    let slugs: Vec<_> = manifest.dependencies.iter().map(|d| d.slug.value.as_str()).collect();
    assert_eq!(slugs, ["a", "b"]);
    assert!(manifest.dependencies[1].requirement.is_some());
    assert_eq!(manifest.optional_dependencies.len(), 2);
    check("dependencies: {b: latest}", "error HUB023 4:19 the requirement `latest` is malformed");
    check("dependencies: [crm]", "error HUB026 4:16 a plugin cannot depend on itself");
    check("dependencies: [a, a]", "warning HUB025 4:19 `a` stands twice in `dependencies`");
    check(
        "dependencies: b",
        "error HUB011 4:15 `dependencies` must be a list of slugs, or a mapping of slugs to versions, but this is text",
    );
    check("order: {befor: [a]}", "warning HUB016 4:9 unknown field `befor` in `order`");
}

#[test]
fn routers() {
    let manifest = check("routers:\n  - plugins.crm.backend.a.b:router\n  - hub_plugin_crm::c::router", "");
    assert_eq!(manifest.routers[0].value.modules, ["a", "b"]);
    assert_eq!(manifest.routers[1].value.function, "router");
    for spec in [
        "plugins.crm.backend.a",
        "crm",
        "plugins.crm.front.a:b",
        "a::",
        "plugins.crm.backend.a:b:c",
        "plugins.a-b.backend.x:y",
    ] {
        check(
            &format!("routers: ['{spec}']"),
            &format!("error HUB020 4:11 the router `{spec}` is malformed"),
        );
    }
    check("routers: ['a::b', 'a::b']", "error HUB027 4:19 the router `a::b` stands twice");
}

#[test]
fn public_routes() {
    let manifest = check("public_routes: [ping, /pong, /api/crm/x/*, '**']", "");
    let patterns: Vec<_> = manifest.public_routes.iter().map(|route| route.value.1.as_str()).collect();
    assert_eq!(patterns, ["/api/crm/ping", "/api/crm/pong", "/api/crm/x/*", "/api/crm/**"]);
    let manifest = check("public_routes: {ALL: [a], get: [b]}", "");
    assert_eq!(manifest.public_routes[0].value.0, None);
    assert_eq!(manifest.public_routes[1].value.0.as_deref(), Some("GET"));
    for route in ["/api/health", "/api/crmx", "../x", "a//b", "a/b*", "{id}", "https://x", "a?b"] {
        check(
            &format!("public_routes: ['{route}']"),
            &format!("error HUB019 4:17 the public route `{route}` is malformed"),
        );
    }
    check("public_routes: {FETCH: [a]}", "error HUB019 4:17 `FETCH` is not an HTTP method");
}

#[test]
fn paths_stay_inside_the_plugin() {
    let manifest = check("migrations: ./a//b\nfrontend_entry: plugins/crm/frontend/p.tsx", "");
    assert_eq!(manifest.migrations.unwrap().value, "a/b");
    assert_eq!(manifest.frontend_entry.unwrap().value, "frontend/p.tsx");
    for path in ["../x", "/etc/passwd", "a/../../b", "~/x", "C:/x", "a\\b"] {
        check(
            &format!("migrations: '{path}'"),
            &format!("error HUB018 4:13 the path of `migrations` `{path}` is malformed"),
        );
    }
}

#[test]
fn both_forms_of_dbt_workspaces_add_up() {
    let manifest = check("dbt_workspace: dbt\ndbt_workspaces: [{slug: x, profile: p, project_dir: d}]", "");
    let slugs: Vec<_> =
        manifest.dbt_workspaces.iter().map(|workspace| workspace.slug.value.as_str()).collect();
    assert_eq!(slugs, ["crm", "x"]);
    check(
        "dbt_workspaces: [{slug: x, project_dir: d}]",
        "error HUB010 4:19 entry 1 of `dbt_workspaces` lacks the required field `profile`",
    );
}

#[test]
fn contributions() {
    let manifest = check(
        "nav: [{label: A, path: /crm/a}]\npermissions: [a.read]\nseed_groups: [{name: G, permissions: [a.read]}]\n\
         dataset_templates: [{slug: t, display_name: T, columns: [{name: a, type: text}]}]\n\
         dashboard_seeds: [{slug: d, title: D, widgets: [{block: 'block:Chart', props: {n: 1}}]}]\n\
         known_scripts: [{slug: s, display_name: S, script_path: s.py, output_schema: raw}]\n\
         frontend_overrides: {routes: {/crm: a.tsx}, blocks: {Card: b.tsx}}",
        "",
    );
    assert_eq!(manifest.dashboard_seeds[0].widgets[0].value.block, "block:Chart");
    assert_eq!(manifest.frontend_overrides[0].0.value, "route:/crm");
    assert_eq!(manifest.frontend_overrides[1].0.value, "block:Card");
    check("nav: [{label: A, path: crm}]", "error HUB018 4:24 the path `crm` is malformed");
    check("nav: {label: A}", "error HUB011 4:6 `nav` must be a list, but this is a mapping");
    check("permissions: [read]", "error HUB017 4:15 `read` in `permissions` is malformed");
    check("visibility: secret", "error HUB021 4:13 `visibility` cannot be `secret`");
    check("enabled: 'no'", "error HUB011 4:10 `enabled` must be true or false, but this is text");
}

#[test]
fn config() {
    let manifest = check(
        "config:\n  key: {type: integer, default: 3, env: CRM_KEY}\n  mode: {type: enum, values: [a, b], default: b}",
        "",
    );
    assert_eq!(manifest.config.len(), 2);
    check("config: {k: {type: int}}", "error HUB021 4:20 `type` cannot be `int`");
    check(
        "config: {k: {type: integer, default: x}}",
        "error HUB011 4:38 the default of setting `k` does not fit its type",
    );
    check("config: {k: {type: enum}}", "error HUB010 4:14 the setting `k` lacks the required field `values`");
    check("config: {Key: {type: string}}", "error HUB012 4:10 the name of the setting `Key` is malformed");
}

#[test]
fn hostile_documents_are_bounded() {
    let deep = format!("x: {}{}", "[".repeat(200), "]".repeat(200));
    check(&deep, "error HUB006 4:36 lists and mappings are nested more than 32 deep");
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", ")));
    }
    let (_, found) = parse(&bomb);
    assert!(found.contains("HUB006") && found.contains("aliases followed"), "{found}");
    let (_, found) = parse("a: &a [*a]");
    assert!(found.starts_with("error HUB003"), "{found}");
}

fn check_overrides(text: &str, expect: &str) -> overrides::Overrides {
    let source = Source::decode(Path::new("overrides.json"), text.as_bytes()).expect("text");
    let (overrides, found) = overrides::parse(&source, "crm");
    assert_eq!(render(&found), expect, "{text}");
    overrides
}

#[test]
fn overrides_in_both_forms() {
    let overrides = check_overrides(
        r#"{ "priority": 10, "overrides": { "a.b": "src/A.tsx", "c": { "component": "B.tsx", "export": "B", "priority": 20 } } }"#,
        "",
    );
    assert_eq!(overrides.priority, Some(10));
    assert_eq!(overrides.claims[0].component.value, "src/A.tsx");
    assert_eq!(overrides.claims[1].export.as_ref().unwrap().value, "B");
    assert_eq!(overrides.claims[1].priority, Some(20));
}

#[test]
fn overrides_that_are_wrong() {
    let check = check_overrides;
    check("[]", "error HUB004 1:1 overrides.json must be an object, but this is a list");
    check("{}", "error HUB010 1:1 overrides.json lacks the required field `overrides`");
    check(r#"{"overrides": {}, "prio": 1}"#, "warning HUB016 1:19 unknown field `prio` in overrides.json");
    check(
        r#"{"overrides": {"a": 1}}"#,
        "error HUB011 1:21 the claim on `a` must be a file, or an object with `component`, but this is a whole number",
    );
    check(
        r#"{"overrides": {"a": {"export": "x"}}}"#,
        "error HUB010 1:16 the claim on `a` lacks the required field `component`",
    );
    check(r#"{"overrides": {"a": "../x.tsx"}}"#, "error HUB018 1:21 the path `../x.tsx` is malformed");
    check(r#"{"overrides": {"A b": "x.tsx"}}"#, "error HUB022 1:16 the override key `A b` is malformed");
    check(r#"{"overrides": {"a": "x", "a": "y"}}"#, "error HUB005 1:26 the key `a` stands twice");
    check(
        r#"{"priority": "9", "overrides": {}}"#,
        "error HUB011 1:14 `priority` must be a whole number, but this is text",
    );
    check(
        r#"{"priority": 1.5, "overrides": {}}"#,
        "error HUB011 1:14 `priority` must be a whole number, but this is a number",
    );
    let source = Source::decode(Path::new("overrides.json"), b"{\n  \"overrides\": {},\n}").unwrap();
    let (_, found) = overrides::parse(&source, "crm");
    assert!(render(&found).starts_with("error HUB003 "), "{}", render(&found));
}
