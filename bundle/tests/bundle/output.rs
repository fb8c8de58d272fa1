//! What the output holds: chunks, styles, assets, names, maps, the page.

use crate::fixture::{Fixture, overrides};
use serde_json::{Value, json};

/// Two overrides that share a module, one with a style sheet of its own, one that shows a picture.
fn two_overrides() -> String {
    overrides(&["crm/frontend/src/Card.tsx", "finance/frontend/src/Board.tsx"])
        + r#"
//- /repo/plugins/crm/frontend/src/Card.tsx
import { useState } from "react";
import styles from "./Card.module.css";
import { money } from "@plugins/finance/frontend/src/money.ts";
export default function Card() { const [total] = useState(1); return <b className={styles.card}>{money(total)}</b>; }
//- /repo/plugins/crm/frontend/src/Card.module.css
.card { color: #ff0000; &:hover { color: blue; } }
.unused { color: green; }
//- /repo/plugins/finance/frontend/src/Board.tsx
import logo from "./logo.svg";
import { money } from "./money";
export default function Board() { return <img src={logo} alt={money(2)} />; }
//- /repo/plugins/finance/frontend/src/money.ts
export interface Currency { code: string }
export function money(amount: number): string { return new Intl.NumberFormat("en").format(amount) + " shared-money"; }
//- /repo/plugins/finance/frontend/src/logo.svg
<svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>
"#
}

fn chunk(reply: &Value, module: &str) -> String {
    reply["modules"][module]["chunk"].as_str().unwrap_or_else(|| panic!("{module} in {reply}")).to_owned()
}

#[test]
fn each_override_is_one_lazy_chunk_and_what_they_share_is_another() {
    let fixture = Fixture::new(&two_overrides());
    let reply = fixture.bundle();
    let card = chunk(&reply, "plugins/crm/frontend/src/Card.tsx");
    let board = chunk(&reply, "plugins/finance/frontend/src/Board.tsx");
    assert_ne!(card, board);
    let (shared, text) = fixture.file("assets/money-", ".js");
    assert!(text.contains("shared-money"));
    for file in [&card, &board] {
        let text = String::from_utf8(fixture.files()[file].clone()).unwrap();
        assert!(
            text.contains(shared.trim_start_matches("assets/")),
            "{file} imports the shared chunk: {text}"
        );
        assert!(!text.contains("shared-money"));
    }
    let (_, main) = fixture.file("assets/main-", ".js");
    assert!(!main.contains("shared-money"), "nothing lazy is on the page");
    assert!(main.contains("$chunk(`Card`).then("), "{main}");
}

#[test]
fn styles_and_shared_scripts_are_fetched_beside_a_chunk() {
    let fixture = Fixture::new(&two_overrides());
    let reply = fixture.bundle();
    let (css, text) = fixture.file("assets/Card-", ".css");
    let (shared, _) = fixture.file("assets/money-", ".js");
    assert_eq!(reply["modules"]["plugins/crm/frontend/src/Card.tsx"]["css"], json!([css]));
    let card = chunk(&reply, "plugins/crm/frontend/src/Card.tsx");
    let preload = fixture.preload();
    let files: Vec<&str> =
        preload["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    let entry = &preload["chunks"]["Card"];
    assert_eq!(format!("assets/{}.js", entry[0].as_str().unwrap()), card);
    let needs: Vec<&str> =
        entry.as_array().unwrap()[1..].iter().map(|at| files[at.as_u64().unwrap() as usize]).collect();
    assert_eq!(needs, [format!("/{css}"), format!("/{shared}")]);
    let class = text.split(['.', '{']).nth(1).unwrap();
    assert!(class.starts_with("card_"), "{text}");
    assert!(String::from_utf8(fixture.files()[&card].clone()).unwrap().contains(class));
}

#[test]
fn the_page_starts_one_script_and_one_style_sheet() {
    let fixture = Fixture::new(&two_overrides());
    fixture.bundle();
    let (_, page) = fixture.file("index", ".html");
    let (script, _) = fixture.file("assets/main-", ".js");
    let (style, text) = fixture.file("assets/main-", ".css");
    assert!(page.contains("<title>A &amp; B</title>"), "{page}");
    assert!(page.contains(&format!("<script type=\"module\" src=\"/{script}\">")), "{page}");
    assert!(page.contains(&format!("<link rel=\"stylesheet\" href=\"/{style}\">")), "{page}");
    assert_eq!(text.trim(), "body{color:#123}body a{color:red}", "minified, nesting lowered");
}

#[test]
fn pictures_fonts_and_raw_text_come_by_import() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/All.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/All.tsx
import picture from "./a b.png";
import text from "./note.txt?raw";
import file from "./data.csv?url";
import "./fonts.css";
export default () => [picture, text, file];
//- /repo/plugins/crm/frontend/src/note.txt
a "raw" note
//- /repo/plugins/crm/frontend/src/data.csv
a,b
//- /repo/plugins/crm/frontend/src/fonts.css
@import "./more.css" layer(base);
@font-face { font-family: F; src: url("./f.woff2") format("woff2"), url(https://fonts.example/f.woff); }
.icon { background: url('data:image/png;base64,AA=='); mask: url(./mask.svg#part); }
//- /repo/plugins/crm/frontend/src/more.css
.more { color: teal; }
//- /repo/plugins/crm/frontend/src/mask.svg
<svg/>
"#),
    );
    fixture.put("plugins/crm/frontend/src/a b.png", [0x89, b'P', 0xff, 0]);
    fixture.put("plugins/crm/frontend/src/f.woff2", [1, 2, 3]);
    fixture.bundle();
    let (picture, _) = fixture.files().into_iter().find(|(path, _)| path.ends_with(".png")).unwrap();
    assert!(picture.starts_with("assets/a_b-"), "{picture}");
    assert_eq!(fixture.files()[&picture], [0x89, b'P', 0xff, 0]);
    let (_, script) = fixture.file("assets/All-", ".js");
    let (csv, _) = fixture.file("assets/data-", ".csv");
    for part in [&format!("/{picture}"), &format!("/{csv}"), r#"a "raw" note"#] {
        assert!(script.contains(part), "{part} in {script}");
    }
    let (font, mask) = (fixture.file("assets/f-", ".woff2").0, fixture.file("assets/mask-", ".svg").0);
    let (_, css) = fixture.file("assets/All-", ".css");
    for part in [
        format!("url(\"/{font}\")").as_str(),
        format!("url(\"/{mask}#part\")").as_str(),
        "url(\"https://fonts.example/f.woff\")",
        "url(\"data:image/png;base64,AA==\")",
        "@layer base{.more{color:teal}}",
    ] {
        assert!(css.contains(part), "{part} in {css}");
    }
}

#[test]
fn composed_classes_and_imported_classes_are_all_named() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/A.tsx
import styles, { plain } from "./a.module.css";
export default () => [styles.big, styles["with-dash"], plain];
//- /repo/plugins/crm/frontend/src/a.module.css
.plain { color: red; }
.big { composes: plain; composes: base from "./b.module.css"; font-size: 2em; }
.with-dash { color: blue; }
//- /repo/plugins/crm/frontend/src/b.module.css
.base { margin: 0; }
"#),
    );
    fixture.bundle();
    let (_, script) = fixture.file("assets/A-", ".js");
    let (_, css) = fixture.file("assets/A-", ".css");
    for class in ["plain_", "big_", "with-dash_", "base_"] {
        let start = css.find(&format!(".{class}")).unwrap_or_else(|| panic!("{class} in {css}"));
        let name = css[start + 1..].split('{').next().unwrap();
        assert!(script.contains(name), "{name} in {script}");
    }
}

#[test]
fn a_sheet_imported_only_for_its_rules_is_kept() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/A.tsx
import "./only.module.css";
import "./plain.css";
export default () => 1;
//- /repo/plugins/crm/frontend/src/only.module.css
.only { color: red; }
//- /repo/plugins/crm/frontend/src/plain.css
.plain { color: red; }
"#),
    );
    fixture.bundle();
    let (_, css) = fixture.file("assets/A-", ".css");
    let (only, plain) = (css.find(".only_").unwrap(), css.find(".plain{").unwrap());
    assert!(only < plain, "in the order of the imports: {css}");
}

#[test]
fn source_maps_name_their_sources_alike_everywhere() {
    let fixture = Fixture::new(&two_overrides());
    fixture.bundle();
    let (_, map) = fixture.file("assets/Card-", ".js.map");
    let map: Value = serde_json::from_str(&map).unwrap();
    let sources: Vec<&str> =
        map["sources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(sources.contains(&"plugins/crm/frontend/src/Card.tsx"), "{sources:?}");
    let (_, script) = fixture.file("assets/Card-", ".js");
    assert!(!script.contains("sourceMappingURL"), "hidden in production");
    let (_, map) = fixture.file("assets/main-", ".js.map");
    assert!(map.contains("\"node_modules/react-dom/client.js\""), "{map}");
}

#[test]
fn development_is_readable_and_its_maps_are_linked() {
    let mut fixture = Fixture::new(&two_overrides());
    fixture.mode = "development";
    fixture.bundle();
    let (_, script) = fixture.file("assets/Card-", ".js");
    assert!(script.contains("function Card()"), "{script}");
    assert!(script.contains("//# sourceMappingURL=Card-"), "{script}");
    let root = fixture.root().display().to_string();
    assert!(fixture.files().values().all(|bytes| !String::from_utf8_lossy(bytes).contains(&root)));
}

#[test]
fn no_file_names_a_folder_of_this_machine() {
    let fixture = Fixture::new(&two_overrides());
    fixture.bundle();
    let root = fixture.root().display().to_string();
    for (path, bytes) in fixture.files() {
        assert!(!String::from_utf8_lossy(&bytes).contains(&root), "{path}");
    }
}

#[test]
fn another_folder_gives_the_same_bytes() {
    let outside = two_overrides()
        + r#"
//- /outside/far/frontend/src/Far.tsx
import styles from "./far.module.css";
export default () => <i className={styles.far} />;
//- /outside/far/frontend/src/far.module.css
.far { color: red; }
"#;
    let outside = outside.replace(
        "export const overrides = {",
        "export const overrides = {\n  far: [{ load: () => import(\"@plugins/far/frontend/src/Far.tsx\") }],",
    );
    let mut fixtures = [Fixture::new(&outside), Fixture::below("some/way/down", &outside)];
    for fixture in &mut fixtures {
        fixture.compress = true;
    }
    let replies = fixtures.each_ref().map(Fixture::bundle);
    assert_eq!(replies[0]["modules"], replies[1]["modules"]);
    let [first, second] = fixtures.each_ref().map(Fixture::files);
    assert!(first.len() > 8);
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    assert!(first == second, "the same bytes in every file");
}

#[test]
fn an_edit_changes_its_own_chunk_and_the_page_only() {
    let fixture = Fixture::new(&two_overrides());
    fixture.bundle();
    let before = fixture.files();
    let card = std::fs::read_to_string(fixture.path("plugins/crm/frontend/src/Card.tsx")).unwrap();
    fixture.put("plugins/crm/frontend/src/Card.tsx", card.replace("useState(1)", "useState(7)"));
    fixture.bundle();
    let after = fixture.files();
    let mut changed: Vec<&str> = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(bytes))
        .map(|(path, _)| path.split(['-', '.']).next().unwrap())
        .collect();
    changed.dedup();
    assert_eq!(changed, ["assets/Card", "index"], "its script and map, and the page");
}

#[test]
fn a_large_package_of_one_override_is_a_chunk_of_its_own() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/Chart.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/Chart.tsx
import { draw } from "charts";
import { useState } from "react";
export default function Chart() { return <b>{draw(useState(1))}</b>; }
//- /repo/node_modules/charts/package.json
{ "name": "charts", "type": "module", "exports": "./index.js" }
"#),
    );
    let table = "a long table of colours ".repeat(4000);
    fixture.put("node_modules/charts/index.js", format!("export const draw = (x) => [x, {table:?}];"));
    let reply = fixture.bundle();
    let (packages, text) = fixture.file("assets/packages-", ".js");
    assert!(text.contains("table of colours") && !text.contains("JSON.stringify"));
    assert!(
        fixture.file("assets/main-", ".js").1.contains("JSON.stringify"),
        "the page's packages stay on the page"
    );
    let entry = &fixture.preload()["chunks"]["Chart"];
    assert_eq!(
        fixture.preload()["files"][entry[1].as_u64().unwrap() as usize],
        json!(format!("/{packages}"))
    );
    let chart = std::fs::read_to_string(fixture.path("plugins/crm/frontend/src/Chart.tsx")).unwrap();
    fixture.put("plugins/crm/frontend/src/Chart.tsx", chart.replace("useState(1)", "useState(2)"));
    let again = fixture.bundle();
    assert_ne!(reply["modules"], again["modules"]);
    assert_eq!(fixture.file("assets/packages-", ".js").0, packages, "an edit does not send the package anew");
}

#[test]
fn a_style_edit_renames_the_style_sheet() {
    let fixture = Fixture::new(&two_overrides());
    fixture.bundle();
    let (before, _) = fixture.file("assets/Card-", ".css");
    fixture.put("plugins/crm/frontend/src/Card.module.css", ".card { color: rebeccapurple; }");
    fixture.bundle();
    assert_ne!(fixture.file("assets/Card-", ".css").0, before);
}

#[test]
fn plugins_outside_the_repository_share_its_react_and_its_packages() {
    let fixture = Fixture::new(
        &(overrides(&["far/frontend/src/Far.tsx"])
            + r#"
//- /outside/far/frontend/src/Far.tsx
import { useState } from "react";
import { helper } from "own-helper";
import { platform } from "platform-helper";
export default function Far() { return <b>{useState(0)}{helper}{platform}</b>; }
//- /outside/far/frontend/node_modules/react/package.json
{ "name": "react", "version": "18.0.0", "main": "index.js" }
//- /outside/far/frontend/node_modules/react/index.js
exports.useState = () => "a-second-react";
//- /outside/far/frontend/node_modules/own-helper/package.json
{ "name": "own-helper", "type": "module", "main": "index.js" }
//- /outside/far/frontend/node_modules/own-helper/index.js
export const helper = "own-helper-text";
//- /repo/node_modules/platform-helper/package.json
{ "name": "platform-helper", "type": "module", "exports": "./index.js" }
//- /repo/node_modules/platform-helper/index.js
export const platform = "platform-helper-text";
"#),
    );
    let reply = fixture.bundle();
    let scripts: String = fixture
        .files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".js"))
        .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
        .collect();
    assert_eq!(scripts.matches("the-one-react").count(), 1);
    assert!(!scripts.contains("a-second-react"));
    assert!(scripts.contains("own-helper-text") && scripts.contains("platform-helper-text"));
    assert_eq!(chunk(&reply, "plugins/far/frontend/src/Far.tsx").split('-').next(), Some("assets/Far"));
}

#[test]
fn namesakes_are_told_apart() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/Card.tsx", "finance/frontend/src/Card.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/Card.tsx
export default () => "card of crm";
//- /repo/plugins/finance/frontend/src/Card.tsx
export default () => "card of finance";
"#),
    );
    let reply = fixture.bundle();
    let (_, main) = fixture.file("assets/main-", ".js");
    let preload = fixture.preload();
    for (slug, key) in [("crm", "key.0"), ("finance", "key.1")] {
        let name =
            main.split(&format!("\"{key}\":[{{load:()=>$chunk(`")).nth(1).unwrap().split('`').next().unwrap();
        let file = format!("assets/{}.js", preload["chunks"][name][0].as_str().unwrap());
        assert_eq!(chunk(&reply, &format!("plugins/{slug}/frontend/src/Card.tsx")), file);
        assert!(
            String::from_utf8(fixture.files()[&file].clone()).unwrap().contains(&format!("card of {slug}"))
        );
    }
}

#[test]
fn text_has_twins_and_licences_are_listed() {
    let mut fixture = Fixture::new(&two_overrides());
    fixture.compress = true;
    fixture.put(
        "plugins/finance/frontend/src/money.ts",
        format!("export const money = (n: number) => n + {:?};", "money ".repeat(500)),
    );
    let reply = fixture.bundle();
    let files = fixture.files();
    let (shared, _) = fixture.file("assets/money-", ".js");
    assert!(files[&format!("{shared}.br")].len() < files[&shared].len());
    assert!(files[&format!("{shared}.gz")].len() < files[&shared].len());
    assert!(!files.keys().any(|path| path.ends_with(".map.br")));
    let listed: Vec<&str> =
        reply["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(listed, files.keys().map(String::as_str).collect::<Vec<_>>());
    let (_, licenses) = fixture.file("licenses", ".txt");
    assert!(
        licenses.contains("react 19.0.0") && licenses.contains("Copyright of the react stand-in"),
        "{licenses}"
    );
}

#[test]
fn an_unchanged_result_leaves_the_folder_alone() {
    let fixture = Fixture::new(&two_overrides());
    fixture.bundle();
    let stamp = || std::fs::metadata(fixture.out().join("index.html")).unwrap().modified().unwrap();
    let before = stamp();
    fixture.bundle();
    assert_eq!(stamp(), before);
}
