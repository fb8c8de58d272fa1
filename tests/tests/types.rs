//! `cargo xtask check --types`, with TypeScript's real checker, over plugins that lie outside the checkout.

use std::fs;

use hub_tests::xtask::{repo, run, skip, xtask};
use tempfile::TempDir;

/// A plugin with one claim on the surface `records.card`, whose component is the given text.
fn plugin(card: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = [
        ("crm/plugin.yaml", "name: crm\nversion: 1.0.0\ndisplay_name: CRM\n"),
        ("crm/frontend/overrides.json", r#"{ "overrides": { "records.card": "src/Card.tsx" } }"#),
        ("crm/frontend/src/Card.tsx", card),
    ];
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

/// Code, line and message of each finding; none where the packages are not installed, and the test is skipped.
fn findings(card: &str, code: i32) -> Option<Vec<(String, u64, String)>> {
    if !repo().join("node_modules/typescript").is_dir() {
        skip("the npm packages are not installed; `cargo xtask test` installs them");
        return None;
    }
    let folder = plugin(card);
    let mut command = xtask(["check", "--types", "--message-format", "json", "--plugins"]);
    command.arg(folder.path());
    let ran = run(command).expect(code);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let found = ran.messages().into_iter().filter(|message| message["type"] == "diagnostic").map(|message| {
        (text(&message["code"]), message["line"].as_u64().unwrap_or_default(), text(&message["message"]))
    });
    Some(found.collect())
}

#[test]
fn what_fits_is_not_spoken_of() {
    let card = "import type { OverrideProps } from \"@platform/plugin-host\";\n\
                export default function Card({ record, Original }: OverrideProps<\"records.card\">) {\n\
                \x20 return <Original record={record} />;\n}\n";
    if let Some(found) = findings(card, 0) {
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn props_that_do_not_fit_are_told_at_the_export() {
    let card = "interface Props { readonly record: { readonly colour: string } }\n\
                export default function Card({ record }: Props) {\n  return <p>{record.colour}</p>;\n}\n";
    let Some(found) = findings(card, 1) else { return };
    let [(code, line, message)] = found.as_slice() else { panic!("one finding wanted: {found:?}") };
    assert_eq!((code.as_str(), *line), ("HUB091", 2), "{message}");
    assert!(message.contains("`records.card`") && message.contains("colour"), "{message}");
}

#[test]
fn other_errors_are_told_where_they_are() {
    let card =
        "export default function Card() {\n  const total: number = \"three\";\n  return <p>{total}</p>;\n}\n";
    let Some(found) = findings(card, 1) else { return };
    let [(code, line, message)] = found.as_slice() else { panic!("one finding wanted: {found:?}") };
    assert_eq!((code.as_str(), *line), ("HUB092", 2), "{message}");
    assert!(message.contains("`string`") && message.contains("`number`"), "{message}");
}
