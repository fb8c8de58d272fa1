//! What a person gets to read who hands the real programs something that cannot be: the exact text and the exit code,
//! and never a panic or a backtrace, even where backtraces are asked for.
//!
//! After a change of a sentence: `INSTA_UPDATE=always cargo test -p hub-tests --test bad_input`, and read the difference.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hub_tests::host;
use hub_tests::release::{Built, Installed};
use hub_tests::xtask::{Ran, repo, run, xtask};
use tempfile::TempDir;

/// Three lines that make a manifest.
const CRM: &str = "name: crm\nversion: 1.0.0\ndisplay_name: CRM\n";

/// Builds share the output tree, so that one follows the other.
fn building() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder of plugins with these files.
fn plugins<T: AsRef<[u8]>>(files: &[(&str, T)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, bytes) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

/// Runs a program to its end, with backtraces asked for.
fn ran(mut command: Command, code: i32) -> Ran {
    command.env("RUST_BACKTRACE", "1");
    let ran = run(command).expect(code);
    for text in [&ran.stdout, &ran.stderr] {
        for word in ["panicked", "stack backtrace", "RUST_BACKTRACE"] {
            assert!(!text.contains(word), "{word} in:\n{text}");
        }
    }
    ran
}

/// The text without what differs from machine to machine.
fn portable(text: &str, folder: &Path) -> String {
    let real = folder.canonicalize().expect("the folder is there");
    let text = text.replace(&real.display().to_string(), "PLUGINS");
    text.replace(&folder.display().to_string(), "PLUGINS").replace(&repo().display().to_string(), "CHECKOUT")
}

/// What `check` says of these files: exit code 1, nothing on standard output, and the same findings as JSON.
fn checked<T: AsRef<[u8]>>(files: &[(&str, T)]) -> String {
    let folder = plugins(files);
    let mut people = xtask(["check", "--plugins"]);
    people.arg(folder.path());
    let people = ran(people, 1);
    assert_eq!(people.stdout, "", "findings for people go to standard error");

    let mut programs = xtask(["check", "--message-format", "json", "--plugins"]);
    programs.arg(folder.path());
    let programs = ran(programs, 1);
    assert_eq!(programs.stderr, "", "with JSON there is nothing else to say");
    let messages = programs.messages();
    let (last, findings) = messages.split_last().expect("a last line");
    assert_eq!(
        (&last["type"], &last["status"], &last["ok"]),
        (&"finished".into(), &"failed".into(), &false.into())
    );
    let errors = findings.iter().filter(|found| found["level"] == "error").count();
    assert!(errors > 0 && last["errors"] == errors, "{last}");
    for found in findings {
        assert_eq!(found["type"], "diagnostic");
        for field in ["code", "message", "plugin", "file", "help"] {
            assert!(found[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {found}");
        }
        assert!(found["line"].is_u64() && found["column"].is_u64(), "{found}");
        assert!(
            people.stderr.contains(found["message"].as_str().expect("text")),
            "{found}\n{}",
            people.stderr
        );
    }
    portable(&people.stderr, folder.path())
}

#[test]
fn a_manifest_that_is_none() {
    let large = b"# all work and no play\n".repeat(470_000);
    assert!(large.len() > 10 << 20);
    let said = checked(&[
        ("empty/plugin.yaml", b"".as_slice()),
        ("large/plugin.yaml", &large),
        ("latin/plugin.yaml", b"name: latin\nauthor: J\xf6rg\n"),
        ("list/plugin.yaml", b"- name: list\n"),
        ("open/plugin.yaml", b"name: [open\nversion: 1.0.0\n"),
        ("types/plugin.yaml", b"name: types\nversion: 1.0\ndisplay_name: []\nnav: none\n"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn overrides_that_are_none() {
    let large = b"{ \"overrides\": {} }\n".repeat(550_000);
    let mut files: Vec<(String, &[u8])> = Vec::new();
    let all: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("large", &large),
        ("latin", b"{ \"overrides\": { \"dashboard.view\": \"src/\xdcbersicht.tsx\" } }"),
        ("list", b"[]"),
        ("open", b"{ \"overrides\": {\n"),
        ("types", b"{ \"priority\": \"10\", \"overrides\": { \"dashboard.view\": 7 } }"),
    ];
    let manifests = all.map(|(slug, _)| format!("name: {slug}\nversion: 1.0.0\ndisplay_name: {slug}\n"));
    for ((slug, bytes), manifest) in all.iter().zip(&manifests) {
        files.push((format!("{slug}/plugin.yaml"), manifest.as_bytes()));
        files.push((format!("{slug}/frontend/overrides.json"), bytes));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    insta::assert_snapshot!(checked(&files));
}

#[test]
fn a_router_that_does_not_exist() {
    let manifest = format!(
        "{CRM}routers:\n  - plugins.crm.backend.customers:route\n  - plugins.crm.backend.gone:router\n"
    );
    let cargo = "[package]\nname = \"hub-plugin-crm\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let said = checked(&[
        ("crm/plugin.yaml", manifest.as_str()),
        ("crm/backend/Cargo.toml", cargo),
        ("crm/backend/src/lib.rs", "pub mod customers;\n"),
        ("crm/backend/src/customers.rs", "pub fn router() -> hub::Router {\n    hub::Router::new()\n}\n"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn an_override_that_cannot_be_shown() {
    let said = checked(&[
        ("crm/plugin.yaml", CRM),
        (
            "crm/frontend/overrides.json",
            "{\n  \"overrides\": {\n    \"dashboard.view\": \"src/Gone.tsx\",\n    \"records.card\": { \"component\": \
             \"src/Card.tsx\", \"export\": \"Crad\" },\n    \"block:Chart\": \"src/Chart.tsx\"\n  }\n}\n",
        ),
        ("crm/frontend/src/Card.tsx", "export function Card() {\n  return <p>card</p>;\n}\n"),
        ("crm/frontend/src/Chart.tsx", "export default function Chart() {\n  return <p>chart</div>;\n}\n"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn a_build_stops_at_the_first_look() {
    let folder = plugins(&[("crm/plugin.yaml", "name: crm\n")]);
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut command = xtask(["build-platform", "--message-format", "json", "--plugins"]);
    command.arg(folder.path()).arg("--out").arg(out.path());
    let ran = ran(command, 1);
    let last = ran.messages().pop().expect("a last line");
    assert_eq!(
        last.to_string(),
        r#"{"errors":2,"ok":false,"status":"failed","type":"finished","warnings":0}"#
    );
    assert_eq!(fs::read_dir(out.path()).expect("the folder").count(), 0, "nothing is packed");
}

#[test]
fn warnings_can_be_denied() {
    let folder = plugins(&[("crm/plugin.yaml", format!("{CRM}colour: red\n"))]);
    let command = |more: &[&str]| {
        let mut command = xtask(["check", "--plugins"]);
        command.arg(folder.path()).args(more);
        command
    };
    let allowed = ran(command(&[]), 0);
    assert!(allowed.stderr.contains("warning[HUB016]"), "{}", allowed.stderr);
    let denied = ran(command(&["--deny-warnings"]), 1);
    assert!(
        denied.stderr.contains("error[HUB016]: unknown field `colour` in plugin.yaml"),
        "{}",
        denied.stderr
    );
    let messages = ran(command(&["--deny-warnings", "--message-format", "json"]), 1).messages();
    assert_eq!(messages[0]["level"], "error");
    assert_eq!(
        messages[1].to_string(),
        r#"{"errors":1,"ok":false,"status":"failed","type":"finished","warnings":0}"#
    );
}

#[test]
fn a_command_line_that_makes_no_sense() {
    let folder = plugins(&[("crm/plugin.yaml", CRM)]);
    let path = |inner: &str| folder.path().join(inner).display().to_string();
    let check = |arguments: &[&str], expect: &str| {
        let ran = ran(xtask(arguments), 2);
        assert_eq!((ran.stdout.as_str(), portable(&ran.stderr, folder.path()).trim_end()), ("", expect));
    };
    check(
        &["check", "--plugins", &path("gone")],
        "error: there is no folder PLUGINS/gone to look for plugins in",
    );
    check(
        &["check", "--plugins", &path("crm/plugin.yaml")],
        "error: PLUGINS/crm/plugin.yaml is a file: name a folder that holds plugins",
    );
    check(
        &["build-platform", "--plugins", &path("crm")],
        "error: cannot look for plugins in PLUGINS/crm: it is a plugin itself: name the folder that holds it",
    );
    for version in ["1.0", "v1.0.0", "latest", "../1.0.0", ""] {
        let expect = format!("error: `{version}` is not a version: write a semantic version like 1.2.0");
        check(&["build-platform", "--plugins", &path(""), "--version", version], &expect);
    }
    for arguments in
        [&["chekc"][..], &["check", "--plugin", "x"], &["build-platform", "--profile", "fast"], &[]]
    {
        ran(xtask(arguments), 2);
    }

    let json = ["check", "--message-format", "json", "--plugins", &path("gone")];
    let messages = ran(xtask(json), 2).messages();
    let codes: Vec<_> = messages.iter().filter_map(|message| message["code"].as_str()).collect();
    assert_eq!(codes, ["HUB000"]);
    assert_eq!(messages.last().expect("a last line")["ok"], false);
}

#[test]
fn findings_for_code_review_are_one_document() {
    let folder = plugins(&[("crm/plugin.yaml", "name: crm\nversion: one\n")]);
    let mut command = xtask(["check", "--message-format", "sarif", "--plugins"]);
    command.arg(folder.path());
    let sarif: serde_json::Value = serde_json::from_str(&ran(command, 1).stdout).expect("one JSON document");
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let told: Vec<_> = results.iter().map(|r| (r["ruleId"].as_str(), r["level"].as_str())).collect();
    assert_eq!(told, [(Some("HUB010"), Some("error")), (Some("HUB015"), Some("error"))]);
    assert_eq!(results[1]["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

/// The xtask that `cargo` built beside this test. Unlike `cargo run` it can be told of another checkout.
fn xtask_itself() -> PathBuf {
    ran(xtask(["--version"]), 0);
    if let Some(program) = std::env::var_os("HUB_XTASK") {
        return program.into();
    }
    let own = std::env::current_exe().expect("this test's path");
    own.ancestors().nth(2).expect("the profile's folder").join("xtask")
}

#[test]
fn npm_is_not_installed() {
    // A checkout without node_modules, and a PATH on which first nothing and then only Node is found.
    let checkout = tempfile::tempdir().expect("a temporary folder");
    for file in ["package.json", "package-lock.json"] {
        fs::copy(repo().join(file), checkout.path().join(file)).expect("a copy");
    }
    let folder = plugins(&[("crm/plugin.yaml", CRM)]);
    let programs = tempfile::tempdir().expect("a temporary folder");
    let how = "help: install Node 20 or newer together with npm: from https://nodejs.org, or with the system's package \
               manager (`apt install nodejs npm`, `dnf install nodejs npm`)";
    let check = |missing: &str| {
        let command = |more: &[&str]| {
            let mut command = Command::new(xtask_itself());
            command.arg("build-platform").args(more).arg("--plugins").arg(folder.path());
            command.env("CARGO_MANIFEST_DIR", checkout.path().join("xtask")).env("PATH", programs.path());
            command.env("CARGO_TARGET_DIR", checkout.path().join("target")).current_dir(checkout.path());
            command
        };
        let what = format!("{missing} is not installed (or not on the PATH)");
        let said = ran(command(&[]), 3).stderr;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("error: {what} | = {how}")), "{said}");
        let messages = ran(command(&["--message-format", "json"]), 3).messages();
        assert_eq!(messages[0]["message"], what);
        assert_eq!(
            messages[1].to_string(),
            r#"{"errors":1,"ok":false,"status":"failed","type":"finished","warnings":0}"#
        );
        assert!(!checkout.path().join("dist").exists() && !checkout.path().join("node_modules").exists());
    };
    check("node");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let node = std::env::split_paths(&paths).map(|folder| folder.join("node")).find(|path| path.is_file());
    std::os::unix::fs::symlink(node.expect("the tests need Node"), programs.path().join("node"))
        .expect("a link");
    check("npm");
}

#[test]
fn the_compilers_and_the_bundlers_findings_come_together_at_the_authors_files() {
    let hub = repo().join("host-template/runtime");
    let cargo = format!(
        "[package]\nname = \"hub-plugin-crm\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         hub = {{ package = \"hub-host\", path = \"{}\" }}\n",
        hub.display()
    );
    let manifest = format!("{CRM}routers: [plugins.crm.backend.customers:router]\n");
    let folder = plugins(&[
        ("crm/plugin.yaml", manifest.as_str()),
        ("crm/backend/Cargo.toml", &cargo),
        ("crm/backend/src/lib.rs", "pub mod customers;\n"),
        (
            "crm/backend/src/customers.rs",
            "use hub::prelude::*;\n\n#[hub::router]\npub fn router<T>() -> Router {\n    Router::new()\n}\n",
        ),
        ("crm/frontend/overrides.json", "{ \"overrides\": { \"dashboard.view\": \"View.tsx\" } }\n"),
        (
            "crm/frontend/View.tsx",
            "import { price } from \"./prices\";\n\nexport default function View() {\n  return <p>{price}</p>;\n}\n",
        ),
    ]);
    let out = tempfile::tempdir().expect("a temporary folder");
    let _one = building();
    let mut command = xtask(["build-platform", "--message-format", "json", "--plugins"]);
    command.arg(folder.path()).arg("--out").arg(out.path());
    let ran = ran(command, 1);
    let messages = ran.messages();
    let said: Vec<String> = messages
        .iter()
        .filter(|found| found["level"] == "error")
        .map(|found| {
            let text = |field: &str| found[field].as_str().unwrap_or_default();
            format!(
                "{} {} {}:{}:{} {}",
                text("plugin"),
                text("code"),
                text("file"),
                found["line"],
                found["column"],
                text("message")
            )
        })
        .collect();
    insta::assert_snapshot!(portable(&said.join("\n"), folder.path()));
    assert_eq!(messages.last().expect("a last line")["ok"], false);
    assert_eq!(fs::read_dir(out.path()).expect("the folder").count(), 0, "nothing is packed");
}

#[test]
fn routes_that_cannot_be_mounted_stop_the_build_before_it_packs() {
    let hub = repo().join("host-template/runtime");
    let cargo = |slug: &str| {
        format!(
            "[package]\nname = \"hub-plugin-{slug}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             hub = {{ package = \"hub-host\", path = \"{}\" }}\n",
            hub.display()
        )
    };
    let (crm, sales) = (cargo("crm"), cargo("sales"));
    let manifest = format!("{CRM}routers: [plugins.crm.backend.a:router, plugins.crm.backend.b:router]\n");
    let folder = plugins(&[
        ("crm/plugin.yaml", manifest.as_str()),
        ("crm/backend/Cargo.toml", &crm),
        ("crm/backend/src/lib.rs", "pub mod a;\npub mod b;\n\nasync fn none() {}\n"),
        (
            "crm/backend/src/a.rs",
            "use hub::prelude::*;\n\n#[hub::router]\npub fn router() -> Router {\n    Router::new()\n        \
             .route(\"/accounts\", get(crate::none))\n        .route(\"/accounts/{id}\", get(crate::none))\n        \
             .route(\"/{*rest}\", get(crate::none))\n}\n",
        ),
        (
            "crm/backend/src/b.rs",
            "use hub::prelude::*;\n\n#[hub::router]\npub fn router() -> Router {\n    Router::new()\n        \
             .route(\"/accounts\", post(crate::none).get(crate::none))\n        \
             .route(\"/accounts/{name}\", put(crate::none))\n        .route(\"/{*others}\", get(crate::none))\n        \
             .route(\"/:id\", get(crate::none))\n}\n",
        ),
        (
            "sales/plugin.yaml",
            "name: sales\nversion: 1.0.0\ndisplay_name: Sales\nrouters: [plugins.sales.backend:router]\n",
        ),
        ("sales/backend/Cargo.toml", &sales),
        (
            "sales/backend/src/lib.rs",
            "use hub::prelude::*;\n\n#[hub::router]\npub fn router() -> Router {\n    let key = \
             std::env::var(\"SALES_KEY\").expect(\"SALES_KEY is set\");\n    Router::new().route(&key, get(none))\n}\n\n\
             async fn none() {}\n",
        ),
    ]);
    let out = tempfile::tempdir().expect("a temporary folder");
    let _one = building();
    let build = |more: &[&str]| {
        let mut command = xtask(["build-platform", "--plugins"]);
        command.arg(folder.path()).arg("--out").arg(out.path()).args(more);
        ran(command, 1)
    };
    let messages = build(&["--message-format", "json"]).messages();
    let codes: Vec<&str> = messages.iter().filter_map(|found| found["code"].as_str()).collect();
    assert_eq!(codes.iter().filter(|code| **code == "HUB093").count(), 4, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "HUB094").count(), 1, "{codes:?}");
    assert_eq!(fs::read_dir(out.path()).expect("the folder").count(), 0, "nothing is packed");
    // The same again, from what the first run kept.
    let said = build(&[]).stderr;
    let frames = said.find("error[HUB").map_or("", |at| &said[at..]);
    insta::assert_snapshot!(portable(frames, folder.path()));
}

/// The release, unpacked.
fn installed() -> Installed {
    let _one = building();
    Built::shared().unpack()
}

/// What the host says on standard error when it cannot start: one error, one way out.
fn refused(release: &Path, prepare: impl FnOnce(&mut Command)) -> String {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut command = host::command(release);
    command
        .arg("serve")
        .env("DATA_DIR", data.path())
        .env("LISTEN", format!("127.0.0.1:{}", host::free_port()));
    prepare(&mut command);
    let ran = ran(command, 3);
    // The log goes before it; the error is what stands last.
    let text = ran.stderr;
    let error = &text[text.rfind("error: ").unwrap_or_else(|| panic!("no error in:\n{text}"))..];
    assert_eq!(error.trim_end().lines().count(), 2, "{error}");
    error.trim_end().replace(&data.path().display().to_string(), "DATA")
}

#[test]
fn a_host_that_cannot_start_says_why() {
    let installed = installed();
    let release = installed.release();

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let address = format!("127.0.0.1:{port}");
    assert_eq!(
        refused(&release, |command| {
            command.env("LISTEN", &address);
        })
        .replace(&address, "ADDRESS")
        .replace(&format!("127.0.0.1:{}", port.wrapping_add(1)), "OTHER"),
        "error: cannot listen on ADDRESS: another program uses that port\n  help: stop that program (a host that runs \
         already?), or choose another port: serve --listen OTHER"
    );

    let file = tempfile::NamedTempFile::new().expect("a file");
    let below = file.path().join("data").display().to_string();
    let unwritable = |folder: &str| {
        refused(&release, |command| {
            command.env("DATA_DIR", folder);
        })
    };
    // Root asks first as whom it goes on.
    let said = unwritable(&below).replace(&below, "FOLDER");
    let (as_root, as_another) = (
        "error: cannot tell whose the data folder FOLDER is: not a directory\n  help: name a folder that is there: \
         --data-dir DIR",
        "error: cannot write to the data folder FOLDER: not a directory\n  help: make it writable for the user that \
         runs the host, or set DATA_DIR to another folder",
    );
    assert!([as_root, as_another].contains(&said.as_str()), "{said}");
    // Not /sys/kernel itself, which holds others' files.
    assert!(
        unwritable("/sys/kernel/hub").starts_with("error: cannot write to the data folder /sys/kernel/hub: ")
    );

    for (url, what) in [
        ("nonsense", "… is of no kind that the host knows"),
        ("mysql://root:secret@db/hub", "mysql:… is of no kind that the host knows"),
        ("sqlite:", "sqlite: names no file"),
    ] {
        let said = refused(&release, |command| {
            command.env("DATABASE_URL", url);
        });
        assert_eq!(said.lines().next(), Some(format!("error: DATABASE_URL {what}").as_str()));
    }
    let said = refused(&release, |command| {
        command.env("DATABASE_URL", "sqlite:///proc/none/hub.db");
    });
    assert!(said.starts_with("error: cannot use the database /proc/none/hub.db: "), "{said}");
    fs::write(file.path(), "this is no database, however long it goes on; ".repeat(100)).expect("written");
    let said = refused(&release, |command| {
        command.env("DATABASE_URL", format!("sqlite://{}", file.path().display()));
    });
    assert!(
        said.replace(&file.path().display().to_string(), "FILE")
            .starts_with("error: cannot use the database FILE: ")
    );

    let nothing = tempfile::tempdir().expect("a temporary folder");
    let shown = nothing.path().display().to_string();
    let said = refused(&release, |command| {
        command.env("INSTALL_DIR", nothing.path());
    });
    insta::assert_snapshot!(said.replace(&shown, "INSTALL"));
    let said = refused(&release, |command| {
        command.env("INSTALL_DIR", nothing.path().join("gone"));
    });
    assert_eq!(
        said.lines().next().map(|line| line.replace(&shown, "INSTALL")).as_deref(),
        Some("error: INSTALL_DIR names `INSTALL/gone`, which is not a folder")
    );
}

#[test]
fn a_command_line_that_the_host_does_not_know() {
    let installed = installed();
    for arguments in [&["serv"][..], &["serve", "--listen", "nowhere"], &["serve", "--port", "1"], &[]] {
        let mut command = host::command(&installed.release());
        command.args(arguments);
        ran(command, 2);
    }
}
