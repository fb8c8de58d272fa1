//! The real program finds and tells the same, byte for byte, whatever the locale, the time zone, the umask and the folder
//! that it is started in.

use std::fs;
use std::path::Path;
use std::process::Command;

use hub_tests::xtask::{Ran, repo, run, xtask};

/// Locale, time zone, umask.
const ENVIRONMENTS: [(&str, &str, &str); 4] = [
    ("C", "UTC", "022"),
    ("C.UTF-8", "Asia/Kathmandu", "077"),
    ("tr_TR.UTF-8", "America/St_Johns", "002"),
    ("ar_EG.UTF-8", "Pacific/Chatham", "000"),
];

/// Three plugins of the checkout and one with mistakes of many kinds.
fn plugins(folder: &Path) {
    for slug in ["crm", "finance", "healthcare"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(repo().join("plugins").join(slug))
            .arg(folder.join(slug))
            .status()
            .expect("cp");
        assert!(copied.success());
    }
    let odd = folder.join("odd");
    fs::create_dir_all(odd.join("frontend")).expect("a folder");
    let manifest = "name: odd\nversion: one\ndisplay_name: ''\ncolour: red\nTITLE: İı\nmigrations: sql\n\
                    nav: [{label: Gone, path: /odd/İ, icon: x}]\nrouters: [plugins.odd.backend.a:b]\n";
    fs::write(odd.join("plugin.yaml"), manifest).expect("a file");
    let claims = r#"{ "overrides": { "dashboard.View": "A.tsx", "records.card": "B.tsx" } }"#;
    fs::write(odd.join("frontend/overrides.json"), claims).expect("a file");
    fs::write(odd.join("frontend/A.tsx"), "export default () => <p>a</b>;\n").expect("a file");
}

/// Runs a command of xtask as a shell with another umask and another environment would start it.
fn run_under((locale, zone, mask): (&str, &str, &str), arguments: &[&str], root: &Path, from: &Path) -> Ran {
    let plain = xtask(arguments.iter().copied());
    let mut command = Command::new("sh");
    command.args(["-c", "umask \"$1\" && shift && exec \"$@\"", "sh", mask]).arg(plain.get_program());
    command.args(plain.get_args()).arg("--plugins").arg(root).env_remove("RUST_BACKTRACE");
    command.env("NO_COLOR", "1").env("LC_ALL", locale).env("LANG", locale).env("TZ", zone);
    command.current_dir(from);
    run(command)
}

#[test]
fn locale_time_zone_umask_and_folder_change_nothing() {
    let questions: [(&[&str], i32); 5] = [
        (&["check", "--message-format", "json"], 1),
        (&["check", "--message-format", "sarif"], 1),
        (&["check"], 1),
        (&["explain", "dashboard.view"], 0),
        (&["explain", "crm"], 0),
    ];
    for (arguments, code) in questions {
        let mut first: Option<String> = None;
        for (at, environment) in ENVIRONMENTS.into_iter().enumerate() {
            let prefix = ["a", "zz", "ä b", "0"][at];
            let folder = tempfile::Builder::new().prefix(prefix).tempdir().expect("a temporary folder");
            let root = folder.path().join("plugins");
            fs::create_dir(&root).expect("a folder");
            plugins(&root);
            // Paths are shown from the folder that the command is started in.
            let ran = run_under(environment, arguments, Path::new("plugins"), folder.path()).expect(code);
            let said = format!("{}\n{}", ran.stdout, ran.stderr);
            let said = said.replace(&folder.path().display().to_string(), "FOLDER");
            assert!(said.len() > 100, "{said}");
            assert_eq!(
                first.get_or_insert_with(|| said.clone()),
                &said,
                "{arguments:?} under {environment:?}"
            );
        }
    }
}
