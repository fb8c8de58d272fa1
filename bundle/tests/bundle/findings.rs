//! What is wrong, where, and what to do about it: the exact text of every finding.

use crate::fixture::{Fixture, overrides, run};

/// Bundles one override with this text and compares the findings.
fn check(module: &str, files: &str, expect: &[&str]) {
    let text = format!(
        "{}//- /repo/plugins/crm/frontend/src/A.tsx\n{module}\n{files}",
        overrides(&["crm/frontend/src/A.tsx"])
    );
    let fixture = Fixture::new(&text);
    let (code, findings) = fixture.findings();
    assert_eq!(findings, expect);
    let errors = expect.iter().any(|line| !line.contains(" warning "));
    assert_eq!(code, i32::from(errors));
    assert_eq!(fixture.out().exists(), !errors, "nothing is written when something is wrong");
}

#[test]
fn a_syntax_error_has_its_place() {
    check(
        "export default () => {\n  const é = <b>text</i>;\n};",
        "",
        &[
            "HUB060 repo/plugins/crm/frontend/src/A.tsx:2:22+1 Expected corresponding JSX closing tag for 'b' | ",
        ],
    );
}

#[test]
fn a_missing_file_names_its_neighbour() {
    check(
        "import { x } from './Chrat';\nexport default () => x;",
        "//- /repo/plugins/crm/frontend/src/Chart.tsx\nexport const x = 1;",
        &[
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:19+9 `./Chrat` does not exist | the path is relative to the file that imports",
        ],
    );
    check(
        "import { x } from './Charts';\nexport default () => x;",
        "//- /repo/plugins/crm/frontend/src/Chart.tsx\nexport const x = 1;",
        &[
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:19+10 `./Charts` does not exist | did you mean `Chart.tsx`, which lies in that folder?",
        ],
    );
}

#[test]
fn a_missing_package_names_the_manifest_to_add_it_to() {
    check(
        "import pad from \"left-pad\";\nexport default pad;",
        "//- /repo/plugins/crm/frontend/package.json\n{}",
        &[
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:17+10 the package `left-pad` is not installed | add it to plugins/crm/frontend/package.json and run `npm install`",
        ],
    );
    check(
        "export { jsx as default } from \"reakt/jsx-runtime\";",
        "",
        &[
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:32+19 the package `reakt` is not installed | did you mean `react`? If not, add it to package.json and run `npm install`",
        ],
    );
}

#[test]
fn a_path_that_a_package_does_not_have_is_named() {
    let (_, findings) = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx"])
            + "//- /repo/plugins/crm/frontend/src/A.tsx\nimport x from \"closed/inner\";\nexport default x;\n//- /repo/node_modules/closed/package.json\n{ \"name\": \"closed\", \"exports\": { \".\": \"./index.js\" } }\n"),
    )
    .findings();
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].starts_with(
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:15+14 the package `closed` has no `closed/inner`"
        ),
        "{findings:?}"
    );
}

#[test]
fn a_missing_export_is_marked_where_it_is_imported() {
    check(
        "import { one, two } from \"./b\";\nexport default () => one + two;",
        "//- /repo/plugins/crm/frontend/src/b.ts\nexport const one = 1;",
        &[
            "HUB062 repo/plugins/crm/frontend/src/A.tsx:1:15+3 \"two\" is not exported by \"plugins/crm/frontend/src/b.ts\", imported by \"plugins/crm/frontend/src/A.tsx\" | export it there, or import a name that is exported",
        ],
    );
}

#[test]
fn style_errors_have_their_place() {
    check(
        "import \"./a.css\";\nexport default () => 1;",
        "//- /repo/plugins/crm/frontend/src/a.css\n.ok { color: red; }\n.bad { color red; }\n",
        &[
            "HUB063 repo/plugins/crm/frontend/src/a.css:2:14+3 the style sheet is wrong: `red` is not expected here | ",
        ],
    );
    check(
        "import \"./a.css\";\nexport default () => 1;",
        "//- /repo/plugins/crm/frontend/src/a.css\n.a { background: url(./none.png); }\n",
        &[
            "HUB063 repo/plugins/crm/frontend/src/a.css:1:22+10 `./none.png` cannot be used here: no such file beside repo/plugins/crm/frontend/src/a.css, and no such package | the address is relative to the style sheet; one that begins with `/` or a scheme is left as it is",
        ],
    );
    check(
        "import \"./a.css\";\nexport default () => 1;",
        "//- /repo/plugins/crm/frontend/src/a.css\n@import \"./none.css\";\n",
        &[
            "HUB063 repo/plugins/crm/frontend/src/a.css:1:1+7 the style sheet is wrong: `./none.css`: no such file beside repo/plugins/crm/frontend/src/a.css, and no such package | ",
        ],
    );
}

#[test]
fn vendors_may_write_styles_that_only_old_browsers_take() {
    check(
        "import \"old/old.css\";\nexport default () => 1;",
        "//- /repo/node_modules/old/package.json\n{ \"name\": \"old\" }\n//- /repo/node_modules/old/old.css\n.a { color: red; *zoom: 1; }\n",
        &[],
    );
}

#[test]
fn files_that_are_not_text_are_named() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx", "crm/frontend/src/B.tsx"])
            + "//- /repo/plugins/crm/frontend/src/A.tsx\nimport \"./a.css\";\nimport data from \"./a.json\";\nexport default data;\n"),
    );
    fixture.put("plugins/crm/frontend/src/B.tsx", [b'1', 0xff, 0xfe]);
    fixture.put("plugins/crm/frontend/src/a.css", [b'.', 0xff]);
    fixture.put("plugins/crm/frontend/src/a.json", "{\n  \"a\": nope\n}");
    let (code, findings) = fixture.findings();
    assert_eq!(code, 1);
    assert_eq!(
        findings,
        [
            "HUB060 repo/plugins/crm/frontend/src/B.tsx:1:2+0 the file is not UTF-8 text | save it as UTF-8",
            "HUB063 repo/plugins/crm/frontend/src/a.css:1:1+0 the style sheet is wrong: the file is not UTF-8 text | ",
            "HUB060 repo/plugins/crm/frontend/src/a.json:2:9+3 expected ident at line 2 column 9 | ",
        ]
    );
}

#[test]
fn top_level_await_and_cycles_are_no_mistake() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx", "crm/frontend/src/B.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/A.tsx
import { b } from "./B";
export const a = await Promise.resolve(1);
export default () => b();
//- /repo/plugins/crm/frontend/src/B.tsx
import { a } from "./A";
export const b = () => a;
export default () => import("./C").then((c) => c.default + a);
//- /repo/plugins/crm/frontend/src/C.tsx
export default 3;
"#),
    );
    fixture.bundle();
}

#[test]
fn a_warning_about_own_code_is_told_and_one_about_a_package_is_not() {
    check(
        "import { run } from \"old\";\nexport default () => eval(run(\"1\"));",
        "//- /repo/node_modules/old/package.json\n{ \"name\": \"old\", \"type\": \"module\", \"main\": \"i.js\" }\n//- /repo/node_modules/old/i.js\nexport const run = (code) => eval(code);",
        &[
            "HUB069 warning repo/plugins/crm/frontend/src/A.tsx:2:22+4 Use of direct `eval` in 'plugins/crm/frontend/src/A.tsx' is strongly discouraged as it poses security risks and may cause issues with minification | ",
        ],
    );
}

#[test]
fn all_findings_come_at_once() {
    let (code, findings) = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx", "crm/frontend/src/B.tsx", "crm/frontend/src/C.tsx"])
            + r#"
//- /repo/plugins/crm/frontend/src/A.tsx
import "./none";
import "./bad.css";
export default 1;
//- /repo/plugins/crm/frontend/src/B.tsx
export default (;
//- /repo/plugins/crm/frontend/src/C.tsx
import fs from "fs";
import x from "not-there";
export default [fs, x];
//- /repo/plugins/crm/frontend/src/bad.css
.a { color: }}
"#),
    )
    .findings();
    assert_eq!(code, 1);
    let codes: Vec<&str> = findings.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(codes, ["HUB061", "HUB060", "HUB061", "HUB061", "HUB063"], "{findings:#?}");
}

#[test]
fn what_exists_in_node_only_is_an_error() {
    check(
        "import fs from \"fs\";\nimport path from \"node:path\";\nexport default [fs, path];",
        "",
        &[
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:16+4 `fs` exists in Node only, not in a browser | use what the browser has, or a package that does the same in a browser",
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:2:18+11 `node:path` exists in Node only, not in a browser | use what the browser has, or a package that does the same in a browser",
        ],
    );
}

#[test]
fn scripts_of_other_sites_are_an_error() {
    check(
        "import x from \"https://example.org/x.js\";\nexport default x;",
        "",
        &[
            "HUB061 repo/plugins/crm/frontend/src/A.tsx:1:15+26 `https://example.org/x.js` is on another site, which a customer's network may not reach | install it as a package and import it by its name",
        ],
    );
}

#[test]
fn a_plugin_specifier_stays_in_its_plugin() {
    let (code, findings) = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx", "crm/../finance/secret.ts", "nobody/frontend/src/A.tsx", "crm/frontend/src/none.tsx", "crm/frontend/src/link.ts"])
            + "//- /repo/plugins/crm/frontend/src/A.tsx\nexport default 1;\n//- /repo/plugins/finance/secret.ts\nexport default 2;\n"),
    )
    .findings();
    assert_eq!(code, 1);
    assert_eq!(findings.len(), 4, "{findings:#?}");
    assert!(
        findings[0].contains(
            "overrides.ts:3:34+35 `@plugins/crm/../finance/secret.ts` leads out of the folder of plugin `crm`"
        ),
        "{}",
        findings[0]
    );
    assert!(
        findings[1].contains("there is no plugin `nobody` in this build | the plugins are "),
        "{}",
        findings[1]
    );
    assert!(findings[2].contains("`@plugins/crm/frontend/src/none.tsx` does not exist | there is no repo/plugins/crm/frontend/src/none.tsx"), "{}", findings[2]);
}

#[test]
fn a_link_out_of_a_plugin_is_an_error() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/link.ts"])
            + "//- /repo/plugins/crm/frontend/src/A.tsx\nexport default 1;\n//- /repo/plugins/finance/secret.ts\nexport default 2;\n"),
    );
    let link = fixture.path("plugins/crm/frontend/src/link.ts");
    std::os::unix::fs::symlink(fixture.path("plugins/finance/secret.ts"), link).unwrap();
    let (code, findings) = fixture.findings();
    assert_eq!(code, 1);
    assert!(findings[0].contains("leads out of the folder of plugin `crm`"), "{findings:?}");
}

#[test]
fn a_wrong_template_is_an_error_with_its_line() {
    let template = |text: &str| {
        let fixture = Fixture::new(&format!("//- /repo/host-template/shell/index.html.hbs\n{text}"));
        fixture.findings()
    };
    let (code, findings) = template("<!doctype html>\n<title>{{titel}}</title>\n");
    assert_eq!(code, 1);
    assert!(findings[0].starts_with("HUB069 repo/host-template/shell/index.html.hbs:2:"), "{findings:?}");
    let (_, findings) = template("{{#each styles}}\n");
    assert!(findings[0].contains("the page's template is wrong"), "{findings:?}");
}

#[test]
fn the_last_good_output_survives_a_mistake() {
    let fixture = Fixture::new(
        &(overrides(&["crm/frontend/src/A.tsx"])
            + "//- /repo/plugins/crm/frontend/src/A.tsx\nexport default () => 1;\n"),
    );
    fixture.bundle();
    let before = fixture.files();
    fixture.put("plugins/crm/frontend/src/A.tsx", "export default (");
    assert_eq!(fixture.run().code, 1);
    assert!(fixture.files() == before);
    let left: Vec<_> =
        std::fs::read_dir(fixture.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".dist")), "{left:?}");
}

#[test]
fn a_job_that_is_none_is_refused() {
    let outcome = run("not json");
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("expected one JSON job"), "{}", outcome.errors);
    let fixture = Fixture::new("");
    let mut job = fixture.job();
    job["repo"] = "/nowhere/at/all".into();
    let outcome = run(&job.to_string());
    assert_eq!(outcome.code, 1);
    assert!(outcome.reply["diagnostics"][0]["message"].as_str().unwrap().contains("/nowhere/at/all"));
}

#[test]
fn an_output_folder_that_cannot_be_written_is_the_machines_fault() {
    let fixture = Fixture::new("");
    fixture.put("file", "x");
    let mut job = fixture.job();
    job["out"] = fixture.path("file/dist").display().to_string().into();
    let outcome = run(&job.to_string());
    assert_eq!(outcome.code, 3);
    assert!(outcome.errors.contains("cannot be written"), "{}", outcome.errors);
}

#[test]
fn a_file_that_is_no_text_cannot_be_imported_as_text() {
    let text = format!(
        "{}//- /repo/plugins/crm/frontend/src/A.tsx\nimport text from './note.txt?raw';\nexport default () => text;\n\
         //- /repo/plugins/crm/frontend/src/note.txt\nx\n",
        overrides(&["crm/frontend/src/A.tsx"])
    );
    let fixture = Fixture::new(&text);
    fixture.put("plugins/crm/frontend/src/note.txt", [0xe4]);
    let (code, findings) = fixture.findings();
    assert_eq!(code, 1, "{findings:?}");
    assert!(findings[0].starts_with("HUB064 repo/plugins/crm/frontend/src/note.txt"), "{findings:?}");
}
