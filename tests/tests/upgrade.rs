//! Installing, upgrading, going back: the real host and launcher on a real folder, with a service that is restarted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hub_tests::forge::forge;
use hub_tests::installation::Installation;
use hub_tests::release::{Built, unpack_into};
use hub_tests::xtask::{prepared, run, skip, xtask};
use tempfile::TempDir;

/// Two releases of this checkout, signed with one key.
struct Releases {
    folder: TempDir,
    old: Built,
    new: Built,
}

const OLD: &str = "0.1.0";
const NEW: &str = "0.2.0";

impl Releases {
    fn shared() -> &'static Releases {
        static SHARED: OnceLock<Releases> = OnceLock::new();
        SHARED.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let key = folder.path().join("vendor");
            let mut command = xtask(["keygen", "--no-password"]);
            command.arg(&key);
            run(command).expect(0);
            let key = key.display().to_string();
            let new = Built::new(&["--locked", "--sign", &key, "--version", NEW]);
            let old = Built::new(&["--locked", "--sign", &key, "--version", OLD]);
            Releases { folder, old, new }
        })
    }

    fn public(&self) -> String {
        self.folder.path().join("vendor.pub").display().to_string()
    }

    fn new(&self) -> String {
        self.new.tarball.display().to_string()
    }

    fn set_up(&self, arguments: &[&str]) -> Installation {
        Installation::set_up(&self.old.tarball, OLD, arguments)
    }

    /// A release whose host does `serve` in this way, and says of everything else that it is fine.
    fn broken(&self, version: &str, serve: &str) -> PathBuf {
        let script = format!(
            "#!/bin/sh\ncase $1 in\npreflight) echo '{{\"ok\":true,\"errors\":[]}}' ;;\n*) {serve} ;;\nesac\n"
        );
        forge(&self.new.tarball, version, &[("bin/hub-platform", script.as_bytes())], self.folder.path())
    }
}

fn link(path: &Path) -> PathBuf {
    fs::read_link(path).unwrap()
}

#[test]
fn a_release_is_set_up_upgraded_and_rolled_back() {
    let releases = Releases::shared();
    let mut at = Installation::new();
    unpack_into(&releases.old.tarball, &at.root());
    let conf = at.file("install.conf");
    // Drivers come with pip, where there is Python.
    let driver = if prepared("HUB_DBT").is_some() { "mysql" } else { "" };
    let text = format!("customer:\n  name: acme\n  display_name: Acme Health\nplugins: {driver}\n");
    fs::write(&conf, text).unwrap();
    let said =
        at.setup(OLD, &["--trust", &releases.public(), "--install-conf", conf.to_str().unwrap()]).expect(0);
    assert_eq!(said.stdout.contains("driver  mysql"), !driver.is_empty(), "{}", said.stdout);
    assert_eq!(at.current(), OLD);
    assert_eq!(link(&at.root().join("plugins")), Path::new("current/plugins"));
    assert!(at.root().join("iaas/scripts/setup-customer.sh").is_file());
    let env = fs::read_to_string(at.data().join(".env")).unwrap();
    assert!(env.contains("HUB_CUSTOMER_NAME=\"Acme Health\"\n"), "{env}");
    fs::write(at.data().join(".env"), format!("{env}CUSTOM=mine\n")).unwrap();

    at.start();
    assert_eq!(at.serving().as_deref(), Some(OLD));
    let org = serde_json::json!({"scope": "org"});
    at.post("/api/plugins/healthcare/enable", &org);
    at.post("/api/plugins/crm/enable", &org);
    let enabled = at.enabled();
    assert_eq!(enabled, ["crm", "healthcare"]);
    let said = at.hub(&["upgrade", "--dry-run", &releases.new()]).expect(0).stdout;
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!((at.current(), at.releases()), (OLD.to_owned(), vec![OLD.to_owned()]));

    let said = at.hub(&["upgrade", &releases.new()]).expect(0).stdout;
    assert!(said.contains("signed with vendor") && said.contains("healthy"), "{said}");
    assert_eq!((at.current().as_str(), at.serving().as_deref()), (NEW, Some(NEW)));
    assert_eq!(at.chosen().as_deref(), Some(NEW));
    assert!(fs::read_to_string(at.data().join(".env")).unwrap().ends_with("CUSTOM=mine\n"));
    assert_eq!(at.enabled(), enabled);
    let drivers = at.command(&["drivers", "list", "--json"]).env("DATA_DIR", at.data()).output().unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&drivers.stdout).unwrap();
    let mysql = rows.as_array().unwrap().iter().find(|row| row["alias"] == "mysql").unwrap();
    assert_eq!(mysql["version"].is_string(), !driver.is_empty(), "{mysql}");
    // The old release's own script, by the path that old instructions name.
    let mut script = Command::new(at.root().join("iaas/scripts/setup-customer.sh"));
    script.arg("--upgrade");
    run(script).expect(0);
    assert_eq!(at.serving().as_deref(), Some(NEW));

    at.hub(&["doctor"]).expect(0);
    at.hub(&["rollback"]).expect(0);
    assert_eq!((at.current().as_str(), at.serving().as_deref()), (OLD, Some(OLD)));
    assert_eq!(at.enabled(), enabled);
    // Not started again by itself, but by whoever asks for it.
    assert_eq!(at.chosen().as_deref(), Some(OLD));
    at.hub(&["upgrade", &releases.new()]).expect(0);
    assert_eq!((at.chosen().as_deref(), at.serving().as_deref()), (Some(NEW), Some(NEW)));
    let refused = at.hub(&["upgrade", releases.old.tarball.to_str().unwrap()]).expect(1).stderr;
    assert!(refused.contains("release 0.1.0 is older than 0.2.0"), "{refused}");
    at.hub(&["upgrade", "--allow-downgrade", releases.old.tarball.to_str().unwrap()]).expect(0);
    assert_eq!((at.chosen().as_deref(), at.serving().as_deref()), (Some(OLD), Some(OLD)));
}

/// S9: whatever of the install folder is a link to another disk, the host that its launcher starts works with its data.
#[test]
fn s9_a_host_knows_its_installation_whatever_of_it_is_a_link() {
    let mut at = Releases::shared().set_up(&[]);
    at.start();
    at.stop();
    let settled = format!("data folder {} (settled by setup)", at.data().display());
    let list = |at: &Installation, named: &[&str]| {
        let ran = run(at.launch(&[&["admin", "list-users"][..], named].concat()));
        assert!(!at.file("home").exists(), "nothing is begun in the user's own folder: {}", ran.stderr);
        ran
    };
    let lies = |part: &str| {
        let there = at.file(&format!("disk-{part}"));
        fs::rename(at.root().join(part), &there).unwrap();
        std::os::unix::fs::symlink(&there, at.root().join(part)).unwrap();
    };
    for part in ["releases", "bin"] {
        lies(part);
        let ran = list(&at, &[]).expect(0);
        assert!(
            ran.stderr.contains(&settled) && ran.stdout.contains(hub_tests::host::ADMIN),
            "{part}: {}",
            ran.stderr
        );
        let said = at.hub(&["verify"]).expect(0).stdout;
        assert!(said.contains(&format!("disk-{part}")), "{part}: {said}");
    }
    // Who names another folder means that one.
    let other = at.file("other").display().to_string();
    let ran = list(&at, &["--data-dir", &other]).expect(2);
    assert!(ran.stderr.contains(&format!("{other} (--data-dir)")), "{}", ran.stderr);
    // A link in a folder of programs leads to the launcher too.
    let linked = at.file("hub-launch");
    std::os::unix::fs::symlink(at.root().join("bin/hub-launch"), &linked).unwrap();
    let mut which = Command::new(&linked);
    which.arg("which");
    let found = run(which).expect(0).stdout;
    assert_eq!(Path::new(found.trim()), at.root().join("releases").join(OLD));
    // An upgrade, and a host that hands over to it, stay with that data.
    at.start();
    let said = at.hub(&["upgrade", "--graceful", &Releases::shared().new()]).expect(0).stdout;
    assert!(said.contains("handed over") && at.serving().as_deref() == Some(NEW), "{said}");
}

#[test]
fn a_release_that_does_not_serve_gives_way_to_the_one_before() {
    let releases = Releases::shared();
    let mut at = releases.set_up(&[]);
    at.start();
    let broken = releases.broken("0.3.0", "exit 1");
    let ran = at.hub(&["upgrade", "--health-timeout", "2", broken.to_str().unwrap()]).expect(1);
    assert!(ran.stderr.contains("release 0.3.0 does not serve, and 0.1.0 serves again"), "{}", ran.stderr);
    assert_eq!((at.current().as_str(), at.serving().as_deref()), (OLD, Some(OLD)));
    assert_eq!(at.chosen().as_deref(), Some(OLD));

    // One that is found out before anything is switched.
    let refuses = forge(
        &releases.new.tarball,
        "0.4.0",
        &[(
            "bin/hub-platform",
            b"#!/bin/sh\necho '{\"errors\":[{\"what\":\"no disk\",\"help\":\"buy one\"}]}'\n",
        )],
        releases.folder.path(),
    );
    let ran = at.hub(&["upgrade", refuses.to_str().unwrap()]).expect(1);
    assert!(
        ran.stderr.contains("release 0.4.0 would not serve here") && ran.stderr.contains("buy one"),
        "{}",
        ran.stderr
    );
    assert_eq!(at.releases(), [OLD, "0.3.0"]);

    // Handing over to it fails too, and the host that runs notices nothing.
    let before = fs::read_to_string(at.file("pid")).unwrap();
    let broken = releases.broken("0.5.0", "exit 1");
    at.hub(&["upgrade", "--graceful", broken.to_str().unwrap()]).expect(1);
    assert_eq!(fs::read_to_string(at.file("pid")).unwrap(), before);
    assert_eq!((at.serving().as_deref(), at.chosen().as_deref()), (Some(OLD), Some(OLD)));
}

#[test]
fn d2_an_upgrade_that_removes_data_asks_the_operator() {
    let releases = Releases::shared();
    let mut at = releases.set_up(&[]);
    at.start();
    // Its tables come with samples.
    at.post("/api/plugins/crm/enable", &serde_json::json!({"scope": "org"}));
    let migration = b"-- hub: removes plugin_crm_customers\nDELETE FROM plugin_crm_customers;\n";
    let file = "plugins/crm/migrations/0900_less.sql";
    // Its host answers with the version that it was built as.
    let folder = tempfile::tempdir().unwrap();
    let less = forge(&releases.new.tarball, NEW, &[(file, migration)], folder.path());
    let less = less.to_str().unwrap();

    let said = at.hub(&["upgrade", less]).expect(1).stderr;
    assert!(said.contains("upgrade --accept-loss plugin_crm_customers"), "{said}");
    assert!(said.contains("crm"), "{said}");
    assert_eq!((at.current().as_str(), at.serving().as_deref()), (OLD, Some(OLD)));
    // The name of another table accepts nothing.
    at.hub(&["upgrade", "--accept-loss", "plugin_crm_accounts", less]).expect(1);
    assert_eq!((at.current().as_str(), at.chosen().as_deref()), (OLD, Some(OLD)));

    at.hub(&["upgrade", "--accept-loss", "plugin_crm_customers", less]).expect(0);
    assert_eq!((at.current().as_str(), at.serving().as_deref()), (NEW, Some(NEW)));
    assert_eq!(at.enabled(), ["crm"]);
}

#[test]
fn an_upgrade_that_hands_over_loses_no_request() {
    let releases = Releases::shared();
    let mut at = releases.set_up(&[]);
    at.start();
    let mut wrk = Command::new("wrk");
    wrk.args(["-t2", "-c32", "-d8s"]).arg(format!("{}/api/health", at.url()));
    let Ok(wrk) = wrk.stdout(std::process::Stdio::piped()).spawn() else {
        skip("wrk is not installed (Debian: wrk)");
        return;
    };
    std::thread::sleep(std::time::Duration::from_secs(1));
    let said = at.hub(&["upgrade", "--graceful", &releases.new()]).expect(0).stdout;
    assert!(said.contains("handed over"), "{said}");
    at.hub(&["rollback", "--graceful"]).expect(0);
    let report = String::from_utf8(wrk.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(hub_tests::bench_release::errors(&report), 0, "{report}");
    assert!(report.contains("requests in"), "{report}");
    assert_eq!((at.serving().as_deref(), at.chosen().as_deref()), (Some(OLD), Some(OLD)));
}

#[test]
fn what_is_not_trusted_is_not_unpacked() {
    let releases = Releases::shared();
    let at = releases.set_up(&["--trust", &releases.public()]);
    let check = |tarball: &Path, want: &str| {
        for command in ["verify", "upgrade"] {
            let ran = at.hub(&[command, tarball.to_str().unwrap()]).expect(1);
            assert!(ran.stderr.contains(want), "{}", ran.stderr);
        }
        assert_eq!((at.current(), at.releases()), (OLD.to_owned(), vec![OLD.to_owned()]));
    };
    check(&releases.broken("0.6.0", "exit 0"), "it is not signed");
    let bytes = fs::read(&releases.new.tarball).unwrap();
    let cut = at.file("cut.tar.gz");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    check(&cut, "it is cut off");
    at.hub(&["verify", &releases.new()]).expect(0);
    at.hub(&["verify"]).expect(0);

    // A release that somebody unpacked by hand is held to the same.
    unpack_into(&releases.broken("0.7.0", "exit 0"), &at.root());
    assert_eq!(at.chosen().as_deref(), Some(OLD));
    let ran = at.hub(&["verify"]).expect(1);
    assert!(ran.stderr.contains("release 0.7.0"), "{}", ran.stderr);
}

#[test]
fn unpacking_and_a_restart_are_an_upgrade_too() {
    let releases = Releases::shared();
    let mut at = releases.set_up(&[]);
    at.start();
    unpack_into(&releases.new.tarball, &at.root());
    let restart = |at: &Installation, want: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &at.restart()]);
        run(command).expect(0);
        let begun = std::time::Instant::now();
        while at.serving().as_deref() != Some(want) {
            assert!(begun.elapsed().as_secs() < 60, "{want} does not serve:\n{}", at.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    restart(&at, NEW);
    assert_eq!(at.current(), NEW);
    let page = at.root().join("releases").join(NEW).join("web/index.html");
    fs::write(&page, "<html>half").unwrap();
    restart(&at, OLD);
    assert!(at.log().contains("release 0.2.0 is damaged and skipped: web/index.html has"), "{}", at.log());
    assert_eq!(at.current(), OLD);
    // The tarball mends it.
    at.hub(&["upgrade", &releases.new()]).expect(0);
    assert_eq!(at.serving().as_deref(), Some(NEW));
}

#[test]
fn old_releases_are_removed_and_the_way_back_stays() {
    let releases = Releases::shared();
    let mut at = releases.set_up(&[]);
    for version in ["0.0.1", "0.0.2", "0.0.3"] {
        unpack_into(&forge(&releases.old.tarball, version, &[], releases.folder.path()), &at.root());
    }
    at.start();
    let said = at.hub(&["upgrade", "--keep", "2", &releases.new()]).expect(0).stdout;
    assert!(said.contains("releases 0.0.3, 0.0.2, 0.0.1"), "{said}");
    assert_eq!(at.releases(), [OLD, NEW]);
    at.hub(&["rollback"]).expect(0);
    assert_eq!(at.serving().as_deref(), Some(OLD));
}

#[test]
fn one_command_at_a_time_changes_an_install_folder() {
    let releases = Releases::shared();
    let at = releases.set_up(&[]);
    let file = fs::File::options().write(true).open(at.root().join(".lock")).unwrap();
    file.lock().unwrap();
    let ran = at.hub(&["upgrade", &releases.new()]).expect(3);
    assert!(ran.stderr.contains("another command is changing"), "{}", ran.stderr);
    drop(file);
    at.hub(&["upgrade", "--dry-run", &releases.new()]).expect(0);
}
