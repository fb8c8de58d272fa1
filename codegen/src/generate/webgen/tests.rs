//! Snapshots of the generated files, and names that need quoting.

use std::path::Path;

use hub_manifest::plan::FrontendEntry;
use insta::assert_snapshot;

use super::*;
use crate::load::websource::parse;

fn claim(plugin: &str, priority: i64, file: &str, export: &str) -> Claim {
    Claim { plugin: plugin.into(), priority, file: file.into(), export: export.into() }
}

fn plan() -> WebPlan {
    let dashboards = vec![
        claim("finance", 20, "frontend/src/FinanceDashboard.tsx", "default"),
        claim("healthcare", -10, "frontend/src/RecordsDashboard.tsx", "default"),
    ];
    WebPlan {
        keys: BTreeMap::from([
            ("dashboard.view".to_owned(), dashboards),
            (
                "block:RecordCard".to_owned(),
                vec![claim("healthcare", 0, "frontend/src/RecordCard.tsx", "RecordCard")],
            ),
        ]),
        entries: vec![FrontendEntry {
            plugin: "crm".into(),
            file: "frontend/src/pages.tsx".into(),
            paths: vec!["/crm/customers".into(), "/crm/accounts".into()],
        }],
        asked: vec!["records.card".into(), "dashboard.view".into()],
        surfaces: BTreeMap::new(),
    }
}

/// Names that break naive quoting, as keys, slugs, files and exports.
fn odd_plan() -> WebPlan {
    let odd = "a\"b'c`d\\e\nf\u{2028}g${h}</script>ü🙂";
    let claims = vec![claim("x\"y", i64::MIN, odd, "not-a name"), claim("x\"y", i64::MAX, odd, "\"")];
    WebPlan {
        keys: BTreeMap::from([
            (odd.to_owned(), claims),
            ("__proto__".to_owned(), vec![claim("p", 1, "a.tsx", "default")]),
            ("route:/crm/:id".to_owned(), vec![claim("p", 1, "a.tsx", "Größe")]),
        ]),
        entries: vec![FrontendEntry { plugin: "x\"y".into(), file: odd.into(), paths: vec![odd.into()] }],
        asked: vec![odd.to_owned()],
        surfaces: BTreeMap::new(),
    }
}

#[test]
fn the_module_of_overrides() {
    assert_snapshot!(overrides_ts(&plan()));
}

#[test]
fn the_typed_keys() {
    assert_snapshot!(overrides_d_ts(&plan()));
}

#[test]
fn nothing_claimed() {
    assert_snapshot!(overrides_ts(&WebPlan::default()));
    assert_snapshot!(overrides_d_ts(&WebPlan::default()));
}

#[test]
fn odd_names_are_quoted() {
    let text = overrides_ts(&odd_plan());
    assert_snapshot!(text);
    let module = parse(Path::new("overrides.ts"), &text).expect("valid TypeScript");
    let imported: Vec<_> = module.dynamic_imports.iter().map(|import| import.value.as_str()).collect();
    let odd = "@plugins/x\"y/a\"b'c`d\\e\nf\u{2028}g${h}</script>ü🙂";
    assert_eq!(imported, ["@plugins/p/a.tsx", odd, odd, "@plugins/p/a.tsx", odd]);

    let text = overrides_d_ts(&odd_plan());
    assert_snapshot!(text);
    parse(Path::new("overrides.d.ts"), &text).expect("valid declarations");
}

#[test]
fn the_manifest() {
    let chunk = |name: &str, css: &[&str]| Chunk {
        chunk: format!("assets/{name}.js"),
        css: css.iter().map(|css| (*css).to_owned()).collect(),
    };
    let modules = BTreeMap::from([
        (
            "plugins/finance/frontend/src/FinanceDashboard.tsx".to_owned(),
            chunk("FinanceDashboard-1", &["assets/a.css"]),
        ),
        ("plugins/healthcare/frontend/src/RecordsDashboard.tsx".to_owned(), chunk("RecordsDashboard-2", &[])),
        ("plugins/healthcare/frontend/src/RecordCard.tsx".to_owned(), chunk("RecordCard-3", &[])),
    ]);
    let manifest = overrides_manifest(&plan(), &modules).expect("all modules have a chunk");
    assert_snapshot!(serde_json::to_string_pretty(&manifest).expect("JSON"));
    assert_eq!(
        overrides_manifest(&plan(), &BTreeMap::new()),
        Err("the bundle holds no asset for plugins/healthcare/frontend/src/RecordCard.tsx, which claims `block:RecordCard`"
            .to_owned())
    );
}
