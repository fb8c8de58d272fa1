//! What the plan says of plugins that are in order: who comes first, who wins, who is in it at all.

mod fixture;

use fixture::Fixture;
use hub_codegen::generate::webgen::{Chunk, overrides_d_ts, overrides_manifest, overrides_ts};
use hub_codegen::pipeline::Front;

/// A plugin as text: `crm; dependencies: [finance] | dashboard.view=10 records.card`. In front of the bar its slug and
/// further lines of its manifest, behind it the keys that it claims, each with its priority.
fn plugin(text: &str) -> String {
    let (manifest, claims) = text.split_once('|').unwrap_or((text, ""));
    let mut lines = manifest.split(';').map(str::trim);
    let slug = lines.next().unwrap_or_default();
    let root = slug.split_once('/').map_or("plugins", |(root, _)| root);
    let slug = slug.rsplit('/').next().unwrap_or_default();
    let mut out =
        format!("//- /{root}/{slug}/plugin.yaml\nname: {slug}\nversion: 1.0.0\ndisplay_name: {slug}\n");
    lines.for_each(|line| out.push_str(&format!("{line}\n")));
    let claims: Vec<String> = claims
        .split_whitespace()
        .map(|claim| {
            let (key, priority) = claim.split_once('=').unwrap_or((claim, "0"));
            format!(r#""{key}": {{ "component": "View.tsx", "priority": {priority} }}"#)
        })
        .collect();
    if !claims.is_empty() {
        let overrides = format!("{{ \"overrides\": {{ {} }} }}\n", claims.join(", "));
        out.push_str(&format!("//- /{root}/{slug}/frontend/overrides.json\n{overrides}"));
    }
    out.push_str(&format!("//- /{root}/{slug}/frontend/View.tsx\nexport default () => <p />;\n"));
    out
}

fn front(plugins: &[&str]) -> Front {
    Fixture::new(&plugins.iter().map(|text| plugin(text)).collect::<String>()).front(false)
}

fn codes(front: &Front) -> String {
    let codes: Vec<&str> = front.resolved.diagnostics.iter().map(|found| found.code.id()).collect();
    codes.join(" ")
}

fn order(front: &Front) -> String {
    let plugins = &front.resolved.plan.host.plugins;
    plugins.iter().map(|plugin| plugin.name.as_str()).collect::<Vec<_>>().join(" ")
}

/// Claims are `plugin=priority`, the winner first.
fn chain(front: &Front, key: &str) -> String {
    let chain = front.resolved.plan.web.keys.get(key).map(Vec::as_slice).unwrap_or_default();
    chain.iter().map(|claim| format!("{}={}", claim.plugin, claim.priority)).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check_order(plugins: &[&str], expect: &str) {
    let front = front(plugins);
    assert_eq!((order(&front).as_str(), codes(&front).as_str()), (expect, ""), "{plugins:?}");
}

#[track_caller]
fn check_chain(plugins: &[&str], key: &str, expect: &str, expect_codes: &str) {
    let front = front(plugins);
    assert_eq!((chain(&front, key).as_str(), codes(&front).as_str()), (expect, expect_codes), "{plugins:?}");
}

#[test]
fn plugins_stand_in_order_of_dependency_then_wish_then_slug() {
    check_order(&["c", "a", "b"], "a b c");
    check_order(&["a; dependencies: [c]", "b", "c"], "b c a");
    check_order(&["a; dependencies: {c: ^1.0}", "b; dependencies: [a]", "c"], "c a b");
    check_order(&["a; optional_dependencies: [c, gone]", "b", "c"], "b c a");
    check_order(&["a; order: {after: [c, gone]}", "b", "c"], "b c a");
    check_order(&["a", "b", "c; order: {before: [a, gone]}"], "b c a");
    check_order(&["a; dependencies: [c]", "b; order: {after: [a]}", "c"], "c a b");
}

#[test]
fn the_higher_priority_wins() {
    let key = "dashboard.view";
    check_chain(&["a | dashboard.view=10", "b | dashboard.view=20"], key, "b=20 a=10", "");
    check_chain(&["a | dashboard.view=-5", "b | dashboard.view"], key, "b=0 a=-5", "");
    check_chain(
        &["a | dashboard.view=30", "b | dashboard.view=10", "c | dashboard.view=20"],
        key,
        "a=30 c=20 b=10",
        "",
    );
}

#[test]
fn on_a_tie_the_later_plugin_wins() {
    let key = "dashboard.view";
    check_chain(&["a | dashboard.view=10", "b | dashboard.view=10"], key, "b=10 a=10", "HUB045");
    // Who builds on another overrides it, and both know of it.
    let (a, b) = ("a; dependencies: [b] | dashboard.view=10", "b | dashboard.view=10");
    check_chain(&[a, b], key, "a=10 b=10", "");
    let through = "c; dependencies: [b]";
    check_chain(&["a; dependencies: [c] | dashboard.view", b, through], key, "b=10 a=0", "");
    check_chain(&["a; dependencies: [c] | dashboard.view=10", b, through], key, "a=10 b=10", "");
    // `order` settles who wins, but neither knows of the other.
    check_chain(&["a; order: {after: [b]} | dashboard.view=10", b], key, "a=10 b=10", "HUB045");
    // Of three, only the two that do not know of each other are warned of.
    let three = ["a | dashboard.view", "b | dashboard.view", "c; dependencies: [a, b] | dashboard.view"];
    check_chain(&three, key, "c=0 b=0 a=0", "HUB045");
}

#[test]
fn a_claim_has_its_files_priority_unless_it_names_its_own() {
    let text = "//- /plugins/a/plugin.yaml\nname: a\nversion: 1.0.0\ndisplay_name: A\n\
        frontend_overrides:\n  routes: {/records: plugins/a/frontend/View.tsx}\n  blocks: {Card: frontend/View.tsx}\n\
        //- /plugins/a/frontend/overrides.json\n\
        {\"priority\": 7, \"overrides\": {\"dashboard.view\": \"View.tsx\",\n\
        \"records.card\": {\"component\": \"./View.tsx\", \"export\": \"Card\", \"priority\": 9}}}\n\
        //- /plugins/a/frontend/View.tsx\nexport const Card = () => <p />;\nexport default Card;\n";
    let front = Fixture::new(text).front(false);
    let keys = &front.resolved.plan.web.keys;
    let all: Vec<String> = keys
        .iter()
        .flat_map(|(key, chain)| chain.iter().map(move |claim| (key, claim)))
        .map(|(key, claim)| format!("{key} {} {} {}", claim.priority, claim.file, claim.export))
        .collect();
    assert_eq!(
        all,
        [
            "block:Card 7 frontend/View.tsx default",
            "dashboard.view 7 frontend/View.tsx default",
            "records.card 9 frontend/View.tsx Card",
            "route:/records 7 frontend/View.tsx default",
        ]
    );
    assert_eq!(codes(&front), "");
}

#[test]
fn routes_and_blocks_are_chains_like_any_other() {
    let route =
        "frontend_overrides: {routes: {/records: frontend/View.tsx}, blocks: {Card: frontend/View.tsx}}";
    let (a, b) = (format!("a; {route}"), format!("b; {route}"));
    let tie = front(&[&a, &b]);
    assert_eq!(
        (chain(&tie, "route:/records"), chain(&tie, "block:Card")),
        ("b=0 a=0".into(), "b=0 a=0".into())
    );
    assert_eq!(codes(&tie), "HUB045 HUB045");
    let settled = front(&[&format!("{a}; dependencies: [b]"), &b]);
    assert_eq!((chain(&settled, "route:/records").as_str(), codes(&settled).as_str()), ("a=0 b=0", ""));
}

#[test]
fn of_two_claims_of_one_plugin_the_higher_stays() {
    let block = "a; frontend_overrides: {blocks: {Card: frontend/View.tsx}} | block:Card=3";
    check_chain(&[block, "b | block:Card=1"], "block:Card", "a=3 b=1", "HUB029");
}

#[test]
fn the_earlier_root_wins_a_name() {
    let front =
        front(&["plugins/a | dashboard.view=1", "vendor/a; colour: red | dashboard.view=2", "vendor/b"]);
    assert_eq!((order(&front).as_str(), chain(&front, "dashboard.view").as_str()), ("a b", "a=1"));
    // What is wrong in the plugin that nobody builds is of no concern.
    assert_eq!(codes(&front), "HUB031");
    assert!(front.resolved.roots["a"].ends_with("plugins/a"));

    // So is a folder of that name whose manifest cannot even be read.
    let broken = "//- /vendor/a/plugin.yaml\n- not a manifest\n";
    let front = Fixture::new(&format!("{}{broken}", plugin("a"))).front(true);
    assert_eq!((order(&front).as_str(), codes(&front).as_str()), ("a", "HUB031"));
    assert!(front.left_out.is_empty());
}

#[test]
fn a_plugin_that_is_switched_off_is_not_there() {
    let off = front(&["a; enabled: false; colour: red | dashboard.view=20", "b | dashboard.view=10"]);
    assert_eq!((order(&off).as_str(), chain(&off, "dashboard.view").as_str()), ("b", "b=10"));
    assert_eq!((codes(&off).as_str(), off.resolved.plugins), ("", 1));
    let needed = front(&["a; enabled: false", "b; dependencies: [a]"]);
    assert_eq!(codes(&needed), "HUB032");
    let wished = front(&["a; enabled: false", "b; optional_dependencies: [a]"]);
    assert_eq!(codes(&wished), "");
}

#[test]
fn a_broken_manifest_is_told_once_and_not_again_by_those_who_need_it() {
    let text = format!("//- /plugins/a/plugin.yaml\nname: [a\n{}", plugin("b; dependencies: [a]"));
    let front = Fixture::new(&text).front(false);
    assert_eq!(codes(&front), "HUB003");
}

#[test]
fn a_mistake_in_one_plugin_hides_none_in_another() {
    let text = format!(
        "//- /plugins/a/plugin.yaml\n- not a manifest\n{}{}",
        plugin("b; visibility: secret; migrations: gone; nav: [{label: X, path: /x}]"),
        plugin("c; dependencies: [gone] | dashbord.view"),
    );
    assert_eq!(codes(&Fixture::new(&text).front(false)), "HUB004 HUB021 HUB049 HUB070 HUB077 HUB032");
}

#[test]
fn keep_going_leaves_out_what_is_broken_and_who_needs_it() {
    let text: String = [
        "a; migrations: gone | dashboard.view=50",
        "b; dependencies: [a] | dashboard.view=40",
        "c; dependencies: [b] | dashboard.view=30",
        "d; optional_dependencies: [a] | dashboard.view=20",
        "e | dashboard.view=10",
    ]
    .iter()
    .map(|text| plugin(text))
    .collect();
    let fixture = Fixture::new(&text);
    let strict = fixture.front(false);
    assert!(!strict.resolved.is_sound() && strict.left_out.is_empty());

    let front = fixture.front(true);
    assert_eq!(front.left_out, ["a", "b", "c"]);
    assert_eq!((order(&front).as_str(), chain(&front, "dashboard.view").as_str()), ("d e", "d=20 e=10"));
    assert_eq!(front.resolved.roots.keys().collect::<Vec<_>>(), ["d", "e"]);
    let told: Vec<String> = front
        .resolved
        .diagnostics
        .iter()
        .map(|found| format!("{} {}", found.plugin.as_deref().unwrap_or("-"), found.code))
        .collect();
    assert_eq!(told, ["a HUB049", "b HUB032", "c HUB032"], "all errors stay among the findings");
}

#[test]
fn keep_going_with_every_plugin_broken_ends() {
    let front = Fixture::new(&plugin("a; migrations: gone")).front(true);
    assert_eq!((order(&front).as_str(), front.left_out.join(" ").as_str()), ("", "a"));
}

#[test]
fn the_plan_is_the_same_wherever_and_in_whatever_order_its_files_were_made() {
    let text: String = [
        "a; dependencies: [c]; permissions: [a.read] | dashboard.view=5 records.card=1",
        "b; nav: [{label: B, path: /records}]; public_routes: {GET: [x], ALL: ['y/*']} | dashboard.view=5",
        "c | records.card=1 dashboard.view=9",
        "vendor/d; config: {z: {type: string}, a: {type: integer, default: 3}} | records.card=1",
    ]
    .iter()
    .map(|text| plugin(text))
    .collect();
    let plan = |fixture: &Fixture| {
        let front = fixture.front(false);
        let report = fixture.report(&front);
        (serde_json::to_string_pretty(&front.resolved.plan).expect("JSON"), report)
    };
    let (first, second) = (Fixture::new(&text), Fixture::backwards(&text));
    assert_ne!(first.folder(), second.folder());
    let (plan_of_first, report_of_first) = plan(&first);
    let (plan_of_second, report_of_second) = plan(&second);
    assert_eq!(plan_of_first, plan_of_second);
    assert_eq!(report_of_first, report_of_second);
    assert!(!plan_of_first.contains(&first.folder().display().to_string()), "the plan names the folder");
}

#[test]
fn a_folder_of_another_name_is_the_only_mistake() {
    let misnamed = |folder: &str| plugin(folder).replace(&format!("name: {folder}\nver"), "name: a\nver");
    let codes_of = |text: String| codes(&Fixture::new(&text).front(false));
    // Whichever stands first: not a second time as "two plugins are called".
    assert_eq!(codes_of(format!("{}{}", plugin("a"), misnamed("b"))), "HUB013");
    assert_eq!(codes_of(format!("{}{}", misnamed("0-x"), plugin("a"))), "HUB013");
}

#[test]
fn shadowed_plugins_are_not_counted() {
    let front = front(&["plugins/a", "vendor/a", "vendor/b", "vendor/c; enabled: false"]);
    assert_eq!((codes(&front).as_str(), front.resolved.plugins), ("HUB031", 2));
}

#[test]
fn the_plan_knows_the_dbt_projects_and_their_models() {
    let dbt = |slug: &str, project: &str| format!("//- /plugins/{slug}/dbt/dbt_project.yml\n{project}\n");
    let model = |path: &str| format!("//- /plugins/{path}\nselect 1 as id\n");
    let text = format!(
        "{}{}{}{}{}",
        plugin("a; dbt_workspace: dbt"),
        dbt("a", "name: hub_a\nmodel-paths: [models, more]"),
        model("a/dbt/models/marts/b.sql"),
        model("a/dbt/more/a.py"),
        model("a/dbt/models/schema.yml"),
    );
    let front = Fixture::new(&text).front(false);
    assert_eq!(codes(&front), "");
    let workspace = &front.resolved.plan.host.plugins[0].dbt_workspaces[0];
    assert_eq!((workspace.project.as_str(), workspace.models.join(" ").as_str()), ("hub_a", "a b"));

    // Two models of one name are dbt's to judge where one of them may be switched off.
    let twice = |project: &str| {
        let models = format!("{}{}", model("a/dbt/models/x/b.sql"), model("a/dbt/models/y/b.sql"));
        let text = format!("{}{}{models}", plugin("a; dbt_workspace: dbt"), dbt("a", project));
        codes(&Fixture::new(&text).front(false))
    };
    assert_eq!(twice("name: hub_a"), "HUB080");
    assert_eq!(twice("name: hub_a\nmodels: {hub_a: {y: {+enabled: false}}}"), "");
}

#[test]
fn prefixes_alone_do_not_clash() {
    let tables = |slug: &str, table: &str| {
        format!(
            "//- /plugins/{slug}/migrations/0001_x.sql\nCREATE TABLE {table} (id TEXT); -- plugin_crm_extra_x\n"
        )
    };
    let (a, b) = (plugin("crm; migrations: migrations"), plugin("crm-extra; migrations: migrations"));
    let text =
        format!("{a}{}{b}{}", tables("crm", "plugin_crm_notes"), tables("crm-extra", "plugin_crm_extra_x"));
    assert_eq!(codes(&Fixture::new(&text).front(false)), "");
}

#[test]
fn entries_for_other_roles_may_lead_to_one_page() {
    let nav = |roles: &str| {
        front(&[&format!(
            "a; nav: [{{label: A, path: /records, roles: [x]}}, {{label: B, path: /records{roles}}}]"
        )])
    };
    assert_eq!(codes(&nav(", roles: [y]")), "");
    assert_eq!(codes(&nav(", roles: [y, x]")), "HUB082");
    assert_eq!(codes(&nav("")), "HUB082");
}

#[test]
fn a_renamed_surface_has_its_chain_under_both_keys_in_every_output() {
    let shell = r#"//- /host-template/shell/src/surfaces.tsx
import { Surface } from "@platform/plugin-host";
declare module "@platform/plugin-host" {
  interface SurfaceProps {
    "entry.card": object;
    /** @renamedTo entry.card */
    "entry.item": object;
    /** @renamedTo entry.item */
    "entry.row": object;
  }
}
export const card = <Surface name="entry.card" />;
"#;
    let plugins = [plugin("a | entry.row=1"), plugin("b | entry.item=3"), plugin("c | entry.card=2")];
    let front = Fixture::new(&format!("{}{shell}", plugins.concat())).front(false);
    assert_eq!(codes(&front), "HUB066 HUB066");
    let web = &front.resolved.plan.web;
    let keys = ["entry.card", "entry.item", "entry.row"];
    for key in keys {
        assert_eq!(chain(&front, key), "b=3 c=2 a=1", "{key}");
    }
    let (module, types) = (overrides_ts(web), overrides_d_ts(web));
    let files = ["a", "b", "c"].map(|slug| (format!("plugins/{slug}/frontend/View.tsx"), Chunk::default()));
    let manifest = overrides_manifest(web, &files.into()).expect("every module has a chunk");
    for key in keys {
        assert!(module.contains(&format!("id: \"{key}#a\"")), "{key} is not in overrides.ts:\n{module}");
        assert!(types.contains(&format!("\"{key}\"")), "{key} is not in overrides.d.ts:\n{types}");
        let chain = manifest["keys"][key].as_array().expect("a chain");
        let plugins: Vec<_> =
            chain.iter().map(|claim| claim["plugin"].as_str().unwrap_or_default()).collect();
        assert_eq!(plugins, ["b", "c", "a"], "{key} in overrides.manifest.json");
    }
    let surface = |key: &str| web.surfaces[key].renamed_to.as_deref();
    assert_eq!(keys.map(surface), [None, Some("entry.card"), Some("entry.item")]);
}

#[test]
fn navigation_may_lead_to_the_page_of_another_plugin() {
    let pages = |slug: &str, path: &str| {
        format!(
            "//- /plugins/{slug}/frontend/pages.tsx\nconst P = () => <p />;\nexport default [{{ path: {path}, component: P }}];\n"
        )
    };
    let nav = plugin("a; nav: [{label: B, path: /b/list}]");
    let other = plugin("b; frontend_entry: frontend/pages.tsx");
    let codes_with =
        |path: &str| codes(&Fixture::new(&format!("{nav}{other}{}", pages("b", path))).front(false));
    assert_eq!(codes_with("\"/b/list\""), "");
    assert_eq!(codes_with("\"/b/:what\""), "");
    assert_eq!(codes_with("\"/b/other\""), "HUB070");
    // Only the running program knows the page, so nothing can be said.
    assert_eq!(codes_with("`/b/${location.hash}`"), "");
}
