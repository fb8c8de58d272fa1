//! The exact text that people and programs get.

use super::*;
use crate::base::failure::Machine;
use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};

const MANIFEST: &str =
    "name: crm\nversion: one\ndisplay_name: CRM\nrouters:\n  - plugins.crm.backend.customers:ruoter\n";

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("plugins/crm")).unwrap();
        std::fs::write(dir.path().join("plugins/crm/plugin.yaml"), MANIFEST).unwrap();
        Fixture(dir)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn human(&self, diagnostics: Vec<Diagnostic>) -> String {
        let findings: Vec<Finding> = diagnostics.into_iter().map(Finding::from).collect();
        human(&findings, &Style::plain(self.0.path()))
    }
}

fn place(text: &str, part: &str) -> Span {
    Span::at(text, text.find(part).unwrap(), part.len())
}

#[test]
fn a_finding_shows_its_place_its_relatives_and_the_way_out() {
    let fixture = Fixture::new();
    let file = fixture.path("plugins/crm/plugin.yaml");
    let other = fixture.path("plugins/crm/backend/src/customers.rs");
    let text = fixture.human(vec![
        Diagnostic::error(codes::MALFORMED_NAME, "the version `one` is not a semantic version")
            .plugin("crm")
            .at(&file, place(MANIFEST, "one"))
            .label("not like 1.2.3")
            .help("write three numbers, as in version: 1.0.0"),
        Diagnostic::error(
            codes::DUPLICATE_PLUGIN,
            "there is no function `ruoter` in plugins.crm.backend.customers",
        )
        .plugin("crm")
        .at(&file, place(MANIFEST, "ruoter"))
        .related(&file, place(MANIFEST, "routers"), "listed here")
        .related(other, Span { offset: 12, len: 6, line: 3, column: 8 }, "a similar function"),
        Diagnostic::warning(codes::MISSING_FILE, "two claims on one key")
            .plugin("finance")
            .help("set a priority"),
    ]);
    insta::assert_snapshot!(text, @"
    error[HUB012]: the version `one` is not a semantic version
     --> plugins/crm/plugin.yaml:2:10
      |
    2 | version: one
      |          ^^^ not like 1.2.3
      |
      = help: write three numbers, as in version: 1.0.0

    error[HUB030]: there is no function `ruoter` in plugins.crm.backend.customers
     --> plugins/crm/plugin.yaml:5:35
      |
    4 | routers:
      | ------- listed here
    5 |   - plugins.crm.backend.customers:ruoter
      |                                   ^^^^^^
      |
      = note: a similar function: plugins/crm/backend/src/customers.rs:3:8

    warning[HUB049]: two claims on one key
     |
     = note: in plugin finance
     = help: set a priority

    2 errors, 1 warning in 2 plugins
    ");
}

#[test]
fn places_that_cannot_be_shown_are_named() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("long.json"), format!("{{\"a\": \"{}\"}}", "x".repeat(10_000_000))).unwrap();
    std::fs::write(fixture.path("binary.yaml"), b"a: \xff\n").unwrap();
    std::fs::write(fixture.path("empty.yaml"), "").unwrap();
    std::fs::write(
        fixture.path("wide.txt"),
        format!("{} wrong {}", "left ".repeat(100), "right ".repeat(100)),
    )
    .unwrap();
    let at = |file: &str, offset: usize, line: usize, column: usize| {
        Diagnostic::error(codes::UNREADABLE, format!("{file} is wrong"))
            .at(file, Span { offset, len: 5, line, column })
    };
    let text = fixture.human(vec![
        at("long.json", 7, 1, 8),
        at("binary.yaml", 3, 1, 4),
        at("empty.yaml", 0, 1, 1),
        at("gone.yaml", 0, 1, 1),
        at("wide.txt", 501, 1, 502),
        at("plugins/crm/plugin.yaml", 9999, 80, 1),
    ]);
    insta::assert_snapshot!(text, @"
    error[HUB001]: long.json is wrong
    --> long.json:1:8

    error[HUB001]: binary.yaml is wrong
    --> binary.yaml:1:4

    error[HUB001]: empty.yaml is wrong
    --> empty.yaml:1:1

    error[HUB001]: gone.yaml is wrong
    --> gone.yaml:1:1

    error[HUB001]: wide.txt is wrong
     --> wide.txt:1:502
      |
    1 | ... left left left left left left left left left left left left  wrong right right right right right right right right right right ri...
      |                                                                  ^^^^^

    error[HUB001]: plugins/crm/plugin.yaml is wrong
    --> plugins/crm/plugin.yaml:80:1

    6 errors
    ");
}

#[test]
fn text_of_a_plugin_cannot_steer_the_terminal() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("evil.yaml"), "name: \u{1b}[31mred\u{1b}[0m\n").unwrap();
    let text = fixture.human(vec![
        Diagnostic::error(codes::EMPTY, "the name `\u{1b}[31mred` is no slug")
            .at("evil.yaml", Span::at("name: x", 6, 1))
            .help("not \u{1b}[31mred\u{7}"),
    ]);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}

#[test]
fn a_frame_of_the_compiler_is_kept() {
    let fixture = Fixture::new();
    let root = fixture.0.path().display();
    let frame = format!(
        " \u{1b}[1m\u{1b}[94m--> \u{1b}[0m{root}/plugins/crm/backend/src/lib.rs:3:5\n  |\n3 |     1u8\n  |     ^^^ expected `()`"
    );
    let diagnostic = Diagnostic::error(codes::COMPILE_ERROR, "mismatched types (rustc E0308)").plugin("crm");
    let findings = [Finding { diagnostic, rendered: Some(frame) }];
    insta::assert_snapshot!(human(&findings, &Style::plain(fixture.0.path())), @"
    error[HUB054]: mismatched types (rustc E0308)
     --> plugins/crm/backend/src/lib.rs:3:5
      |
    3 |     1u8
      |     ^^^ expected `()`

    1 error in 1 plugin
    ");
    let color = Style { color: true, ..Style::plain(fixture.0.path()) };
    assert!(human(&findings, &color).contains("\u{1b}[94m--> \u{1b}[0mplugins/crm"));
}

#[test]
fn a_flood_is_cut_with_errors_first() {
    let fixture = Fixture::new();
    let mut all: Vec<Diagnostic> =
        (0..60).map(|n| Diagnostic::warning(codes::COMPILE_WARNING, format!("warning {n}"))).collect();
    all.extend((0..45).map(|n| Diagnostic::error(codes::UNREADABLE, format!("error {n}"))));
    let text = fixture.human(all);
    assert_eq!(text.matches("error[").count(), 45);
    assert_eq!(text.matches("warning[").count(), 5);
    assert!(
        text.ends_with("… and 55 more; --message-format json lists all of them\n\n45 errors, 60 warnings\n"),
        "{text}"
    );
}

#[test]
fn counts_read_well() {
    let text = |errors, warnings, plugins| summary(Counts { errors, warnings, plugins });
    assert_eq!(text(3, 1, 2), "3 errors, 1 warning in 2 plugins");
    assert_eq!(text(1, 0, 1), "1 error in 1 plugin");
    assert_eq!(text(0, 2, 0), "2 warnings");
    assert_eq!(text(0, 0, 0), "no errors, no warnings");
}

#[test]
fn programs_get_one_object_a_line() {
    let current = Path::new("/repo");
    let placed = Diagnostic::error(codes::MALFORMED_NAME, "a \"quoted\"\nmessage")
        .plugin("crm")
        .at("/repo/plugins/crm/plugin.yaml", Span { offset: 19, len: 3, line: 2, column: 10 })
        .related("/elsewhere/x.yaml", Span::START, "the first")
        .help("write 1.0.0");
    let lines = [
        diagnostic_line(&placed, current),
        diagnostic_line(&Diagnostic::warning(codes::MISSING_FILE, "no place"), current),
        machine_line(&Machine::new("npm is not installed", "install Node")),
        finished_line(&Finished { warnings: 1, errors: 2, ..Finished::default() }),
        finished_line(&Finished {
            status: Status::Ok,
            artifact: Some(Path::new("/repo/dist/x.tar.gz")),
            sha256: Some("00ff"),
            also: &[Also { kind: "image", path: "/repo/dist/x.oci.tar".into(), sha256: "11ee".to_owned() }],
            ..Finished::default()
        }),
    ];
    assert!(lines.iter().all(|line| !line.contains('\n')));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"type":"diagnostic","level":"error","code":"HUB012","message":"a \"quoted\"\nmessage","plugin":"crm","file":"plugins/crm/plugin.yaml","line":2,"column":10,"help":"write 1.0.0","related":[{"file":"/elsewhere/x.yaml","line":1,"column":1,"label":"the first"}]}
    {"type":"diagnostic","level":"warning","code":"HUB049","message":"no place","plugin":null,"file":null,"line":null,"column":null,"help":""}
    {"type":"diagnostic","level":"error","code":"HUB090","message":"npm is not installed","plugin":null,"file":null,"line":null,"column":null,"help":"install Node"}
    {"type":"finished","status":"failed","ok":false,"errors":2,"warnings":1}
    {"type":"finished","status":"ok","ok":true,"errors":0,"warnings":0,"artifact":"/repo/dist/x.tar.gz","sha256":"00ff","also":[{"kind":"image","path":"/repo/dist/x.oci.tar","sha256":"11ee"}]}
    "#);
}

#[test]
fn what_the_machine_lacks_is_told_with_the_way_to_get_it() {
    let machine_error = Machine::new("npm is not installed", "install Node 20")
        .details("\u{1b}[31mnpm\u{1b}[0m: not found\n");
    insta::assert_snapshot!(machine(&machine_error, &Style::plain("/")), @"
    error: npm is not installed
     |
     = help: install Node 20

    npm: not found
    ");
}
