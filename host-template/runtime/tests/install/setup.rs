//! O6, O9, O10, S17: what a first start, a setup and an upgrade make, refuse and tell.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::program::{Folder, Host, command, run};
use crate::{At, STRANGER, is_root};

/// O9, O10: a start has no samples unless they are asked for, and tells of what is wrong with the customer's plugins.
#[test]
fn o9_o10_samples_are_for_demonstrations_and_bad_customer_plugins_are_warned_of() {
    let folder = Folder::release();
    folder.write("data/plugins/bad/plugin.yaml", "name: bad\nversion: one\ndisplay_name: Bad\n");
    folder.write(
        "data/plugins/mine/plugin.yaml",
        "name: mine\nversion: 1.0.0\ndisplay_name: Mine\ncolour: red\n",
    );
    let host = Host::start_as_admin(&folder, |_| {});
    assert_eq!(host.get("/api/records").json()["total"], 0);
    let log = host.log();
    let told = |log: &str, what: &[&str]| {
        log.lines().any(|line| line.contains(" WARN ") && what.iter().all(|word| line.contains(word)))
    };
    assert!(told(&log, &["plugins/bad is invalid", "version"]), "{log}");
    assert!(told(&log, &["plugins/mine", "colour"]), "{log}");
    // And when they are looked for anew.
    folder
        .write("data/plugins/late/plugin.yaml", "name: late\nversion: 1.0.0\ndisplay_name: Late\nsize: 9\n");
    host.signal("HUP");
    let begun = std::time::Instant::now();
    while !told(&host.log(), &["plugins/late", "size"]) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", host.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    host.stop();
    let host = Host::start_as_admin(&folder, |command| {
        command.arg("--demo");
    });
    assert_eq!(host.get("/api/records").json()["total"], 3);
    host.stop();
    let host = Host::start_as_admin(&folder, |_| {});
    assert_eq!(host.get("/api/records").json()["total"], 0);
    host.stop();
}

/// S17: a key that the release is not signed with is not left behind, nor anything else.
#[test]
fn s17_a_key_is_trusted_only_once_the_release_is_signed_with_it() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let key = at.0.path("vendor.pub");
    fs::write(
        &key,
        "untrusted comment: minisign public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
    )
    .unwrap();
    let data = at.0.path("new-data");
    let mut setup = Command::new(&own);
    setup.args(["setup", "--no-service", "--trust"]).arg(&key).arg("--data-dir").arg(&data);
    let (status, _, said) = run(setup);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("it is not signed") && !said.contains("unpack"), "{said}");
    assert!(!at.install().keys_dir().exists() && !data.exists() && !at.root().join("install.json").exists());
    assert_eq!(at.chosen().as_deref(), Some("7.8.9"));

    // O6: a first start where the customer has a plugin of a name that the release brings.
    let theirs = data.join("plugins/good");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("plugin.yaml"), "name: good\nversion: 1.0.0\ndisplay_name: Ours\n").unwrap();
    let setup = |more: &[&str]| {
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(&data).args(more);
        run(setup)
    };
    let (status, _, said) = setup(&[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("vertical plugin `good`") && said.contains("--take-over good"), "{said}");
    let (status, _, said) = setup(&["--take-over", "other"]);
    assert_eq!(status, Some(1), "{said}");
    let ours = "name: good\nversion: 1.2.3\ndisplay_name: Ours\nenabled: false\n";
    fs::write(theirs.join("plugin.yaml"), ours).unwrap();
    let (status, _, said) = setup(&[]);
    assert_eq!(status, Some(0), "{said}");
    let warned = said.lines().find(|line| line.starts_with("warning: ")).unwrap_or_default();
    for part in
        ["`good` (1.2.3)", &*theirs.display().to_string(), "is off", "the release has one of that name ("]
    {
        assert!(warned.contains(part), "{part}: {said}");
    }
    fs::remove_dir_all(data.join("plugins")).unwrap();
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("plugin.yaml"), "name: good\nversion: 1.0.0\ndisplay_name: Ours\n").unwrap();
    for name in [".env", "../opt/install.json", "../opt/current"] {
        fs::remove_file(data.join(name)).unwrap();
    }
    if is_root() {
        // S17: what root makes in somebody's folder is theirs.
        for path in [&data, &data.join("plugins"), &theirs] {
            chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
        }
    }
    let (status, _, said) = setup(&["--take-over", "good"]);
    assert_eq!(status, Some(0), "{said}");
    for name in [".env", "plugins"] {
        let about = fs::symlink_metadata(data.join(name)).unwrap();
        assert_eq!(about.uid(), fs::metadata(&data).unwrap().uid(), "{name}");
    }
    let settled: serde_json::Value =
        serde_json::from_slice(&fs::read(at.root().join("install.json")).unwrap()).unwrap();
    assert_eq!((&settled["data_dir"], &settled["format"]), (&serde_json::json!(data), &serde_json::json!(1)));
}

/// A user that is not there is refused before anything is written, whoever runs it; and a data folder of somebody else's too.
#[test]
fn setup_names_a_user_that_is_not_there_and_writes_nothing() {
    let at = At::new(&[]);
    let own = at.root().join("releases/7.8.9/bin/hub-platform");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::copy(command(&at.0).get_program(), &own).unwrap();
    let (data, units) = (at.0.path("new-data"), at.0.path("units"));
    let entries = || fs::read_dir(at.root()).unwrap().count();
    let setup = |more: &[&str]| {
        let mut setup = Command::new(&own);
        setup.arg("setup").args(more).arg("--data-dir").arg(&data);
        if !more.contains(&"--no-service") {
            setup.arg("--unit-dir").arg(&units);
        }
        run(setup)
    };
    for more in [
        &["--user", "nope-nobody"][..],
        &["--user", "54321", "--no-service"],
        &["--user", "-x"],
        &["--user="],
    ] {
        let (status, _, said) = setup(more);
        assert_eq!(status, Some(2), "{more:?}: {said}");
        assert!(!data.exists() && !units.exists() && entries() == 1, "{more:?}: {said}");
        if more[0] == "--user" && !more[1].starts_with('-') {
            assert!(said.contains(&format!("`{}`", more[1])) && said.contains("no such user"), "{said}");
        }
    }
    if is_root() {
        fs::create_dir(&data).unwrap();
        chown(&data, Some(STRANGER), Some(STRANGER)).unwrap();
        let (status, _, said) = setup(&["--user", "root"]);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains("belongs to user 54321"), "{said}");
        assert!(fs::read_dir(&data).unwrap().next().is_none() && entries() == 1, "{said}");
    }
}

/// O3: the customer's data does not stay behind in a folder that nobody works with any more, unless somebody says so.
#[test]
fn o3_setup_goes_on_with_another_data_folder_only_where_that_is_meant() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let (data, other) = (at.0.path("new-data"), at.0.path("other-data"));
    let setup = |data: &Path, more: &[&str]| {
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(data).args(more);
        run(setup)
    };
    let settled = || {
        let text = fs::read(at.root().join("install.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["data_dir"].clone()
    };
    assert_eq!(setup(&data, &[]).0, Some(0));
    assert_eq!(setup(&at.0.path("new-data/../new-data"), &[]).0, Some(0));
    let (status, _, said) = setup(&other, &[]);
    assert_eq!(status, Some(2), "{said}");
    for part in [&*data.display().to_string(), &*other.display().to_string(), "--leave-data-dir"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!other.exists(), "{said}");
    let (status, _, said) = setup(&other, &["--leave-data-dir"]);
    assert_eq!((status, settled()), (Some(0), serde_json::json!(other)), "{said}");
    assert!(said.contains("stays there") && data.join(".env").exists(), "{said}");
    // One in which nothing is leaves nothing behind.
    fs::remove_dir_all(&other).unwrap();
    let (status, _, said) = setup(&data, &[]);
    assert_eq!((status, settled()), (Some(0), serde_json::json!(data)), "{said}");
}

/// A unit that cannot be written is found out before anything is.
#[test]
fn o6_setup_changes_nothing_where_the_unit_cannot_be_written() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let (data, file) = (at.0.path("new-data"), at.0.path("file"));
    fs::write(&file, "").unwrap();
    for (units, why) in [(file, "it is not a folder"), (at.0.path("nowhere"), "no such file or directory")] {
        let mut setup = Command::new(&own);
        setup.arg("setup").arg("--data-dir").arg(&data).arg("--unit-dir").arg(&units);
        let (status, _, said) = run(setup);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains(why) && said.contains("nothing was changed"), "{said}");
        assert!(!data.exists() && !at.root().join("current").exists(), "{said}");
    }
}

/// A user that is named gets the folder with a unit and without one; what the host would refuse is refused before anything is
/// written.
#[test]
fn setup_gives_the_data_folder_to_the_user_that_is_named() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let (data, conf) = (at.0.path("new-data"), at.0.path("install.conf"));
    let setup = |more: &[&str]| {
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(&data).args(more);
        run(setup)
    };
    let shown = conf.display().to_string();
    for (text, status, want) in [
        ("customer: {name: ../x}\n", 2, "`customer.name` is `../x`"),
        ("customer: {display_name: 'x\u{202e}y'}\n", 2, "`customer.display_name` is"),
        ("plugins: nosuch\n", 2, "`nosuch` is no driver of this release"),
        ("plugins: '../x'\n", 2, "../x"),
    ] {
        fs::write(&conf, text).unwrap();
        let (found, _, said) = setup(&["--install-conf", &shown]);
        assert_eq!(found, Some(status), "{text}: {said}");
        assert!(said.contains(want) && !data.exists(), "{text}: {said}");
    }
    if !is_root() {
        let (status, _, said) = setup(&["--user", "root"]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("only root can give") && !data.exists(), "{said}");
        crate::program::skip("only root can give a folder to another user");
        return;
    }
    let (status, _, said) = setup(&["--user", "nobody"]);
    assert_eq!(status, Some(0), "{said}");
    let nobody = fs::metadata(&data).unwrap().uid();
    assert!(nobody != 0, "{said}");
    for entry in fs::read_dir(&data).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().uid(), nobody);
    }
    let settled: serde_json::Value =
        serde_json::from_slice(&fs::read(at.root().join("install.json")).unwrap()).unwrap();
    assert_eq!(settled["user"], "nobody");
}

/// O6: a strict umask closes nothing that the service's user has to read; what is closed already is told, and changes nothing.
#[test]
fn o6_what_the_services_user_reads_is_open_whatever_the_umask() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let data = at.0.path("deep/new-data");
    let setup = || {
        let mut setup = Command::new("sh");
        setup.args(["-c", "umask 077 && exec \"$0\" \"$@\""]).arg(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(&data);
        if is_root() {
            setup.args(["--user", "nobody"]);
        }
        run(setup)
    };
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
    let (status, out, said) = setup();
    assert_eq!(status, Some(0), "{out}{said}");
    assert_eq!(mode(data.parent().unwrap()), 0o755);
    assert_eq!((mode(&data), mode(&data.join(".env"))), (0o700, 0o600));
    let verify = || {
        let mut verify = Command::new(&own);
        verify.arg("verify");
        run(verify)
    };
    let (status, out, said) = verify();
    assert_eq!(status, Some(0), "{out}{said}");
    if !is_root() {
        crate::program::skip(
            "what is closed to the service's user: only root can give a folder to another user",
        );
        return;
    }
    let releases = at.root().join("releases");
    fs::set_permissions(&releases, fs::Permissions::from_mode(0o700)).unwrap();
    let shown = releases.display();
    let (closed, opened) = (format!("{shown} (mode 0700)"), format!("chmod a+rx {shown}"));
    let noted = fs::read(at.root().join("install.json")).unwrap();
    for ((status, out, said), want) in [(setup(), Some(3)), (verify(), Some(1))] {
        assert_eq!(status, want, "{out}{said}");
        for part in ["user nobody, whom the service runs as, cannot read", &closed, &opened] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(fs::read(at.root().join("install.json")).unwrap() == noted);
    fs::set_permissions(&releases, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, out, said) = setup();
    assert_eq!(status, Some(0), "{out}{said}");
}

/// S12: a `.env` that was there and was open is closed, and said; one that is not the folder's owner's is told.
#[test]
fn s12_setup_closes_a_settings_file_that_others_may_read() {
    let at = At::new(&[]);
    let own = at.release_of_program("7.8.9");
    let data = at.data();
    let env = data.join(".env");
    let mode = || fs::metadata(&env).unwrap().mode() & 0o777;
    let setup = || {
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(&data);
        let (status, out, said) = run(setup);
        assert_eq!(status, Some(0), "{out}{said}");
        format!("{out}{said}")
    };
    for open in [0o644, 0o640, 0o666] {
        fs::write(&env, "HUB_ADMIN_PASSWORD=correct horse battery\n").unwrap();
        fs::set_permissions(&env, fs::Permissions::from_mode(open)).unwrap();
        let said = setup();
        assert_eq!(mode(), 0o600, "{open:o}: {said}");
        assert!(said.contains(&format!("{} had the mode {open:04o}", env.display())), "{said}");
        assert!(fs::read_to_string(&env).unwrap().starts_with("HUB_ADMIN_PASSWORD="), "it is kept");
        assert!(!setup().contains("had the mode"));
    }
    // A file of another folder is changed by nobody through a link.
    let elsewhere = at.0.path("elsewhere.env");
    fs::rename(&env, &elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &env).unwrap();
    let said = setup();
    assert!(said.contains("warning: others than its owner may read") && mode() == 0o644, "{said}");
    if is_root() {
        fs::remove_file(&env).unwrap();
        fs::rename(&elsewhere, &env).unwrap();
        for path in [&data, &data.join("plugins")] {
            chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
        }
        let said = setup();
        assert!(said.contains(&format!("chown {STRANGER} {}", env.display())) && mode() == 0o644, "{said}");
        chown(&env, Some(STRANGER), Some(STRANGER)).unwrap();
        setup();
        assert_eq!(mode(), 0o600);
    }
}

/// O6: an upgrade does not turn a customer's plugin into the release's.
#[test]
fn o6_a_customers_plugin_is_taken_over_only_when_somebody_says_so() {
    let at = At::new(&["0.1.0"]);
    at.0.write("data/plugins/good/plugin.yaml", "name: good\nversion: 1.0.0\ndisplay_name: Ours\n");
    let preflight = |agreed: &str| {
        let mut preflight = command(&at.0);
        preflight.args(["preflight", "--json"]).env("HUB_TAKE_OVER", agreed);
        let (_, out, said) = run(preflight);
        let report: serde_json::Value = serde_json::from_str(&out).expect(&said);
        report["errors"].to_string()
    };
    for agreed in ["", "other,needy"] {
        let errors = preflight(agreed);
        assert!(errors.contains("vertical plugin `good`") && errors.contains("--take-over good"), "{errors}");
    }
    assert!(!preflight("needy, good").contains("`good`"));

    // One that is off stops nothing, and is told: with its folder and both versions.
    let off = "name: good\nversion: 1.2.3\ndisplay_name: Ours\nenabled: false\n";
    at.0.write("data/plugins/good/plugin.yaml", off);
    assert!(!preflight("").contains("`good`"));
    let mut said = command(&at.0);
    said.args(["preflight", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run(said).1).unwrap();
    let warnings = report["warnings"].to_string();
    let shown = at.0.path("data/plugins/good").display().to_string();
    for part in ["`good` (1.2.3)", &*shown, "is off", "the release has one of that name ("] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

/// Messages name what is wrong, and a cure that cures it.
#[test]
fn messages_of_install_commands_fit_what_is_wrong() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    at.is("0.2.0", &[]);
    let check = |arguments: &[&str], status: i32, want: &[&str], not: &[&str]| {
        let (found, out, said) = at.ran(arguments);
        assert_eq!(found, Some(status), "{arguments:?}: {out}{said}");
        for text in want {
            assert!(
                format!("{out}{said}").contains(text),
                "{arguments:?} does not say `{text}`: {out}{said}"
            );
        }
        for text in not {
            assert!(!format!("{out}{said}").contains(text), "{arguments:?} says `{text}`: {out}{said}");
        }
    };
    check(&["verify"], 0, &["whole  release 0.2.0 (current)"], &[]);
    let folder = at.root().display().to_string();
    check(&["verify", &folder], 1, &["is a folder", "name the file"], &["copy the tarball again"]);
    check(&["verify", "/dev/null"], 1, &["no ordinary file"], &["copy the tarball again"]);
    check(
        &["verify", "/nowhere.tar.gz"],
        3,
        &["cannot read /nowhere.tar.gz", "see that the path is right"],
        &[],
    );
    // Another key is no damage, and unpacking again is no cure.
    fs::create_dir_all(at.install().keys_dir()).unwrap();
    fs::write(
        at.install().keys_dir().join("other.pub"),
        "untrusted comment: minisign public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
    )
    .unwrap();
    check(&["verify"], 1, &["untrusted", "setup --trust"], &["damaged", "unpack"]);
    fs::write(at.install().keys_dir().join("broken.pub"), "no key").unwrap();
    check(&["verify"], 1, &["broken.pub is no public key of minisign"], &["damaged"]);
    // Whatever is named as a key and is none, the disk is not to blame.
    let page = at.root().join("releases/0.2.0/web/index.html").display().to_string();
    fs::remove_file(at.install().keys_dir().join("broken.pub")).unwrap();
    for path in [&*page, &*folder, "/dev/null", "/proc/self/exe"] {
        let no_key = format!("{path} is no public key of minisign");
        let want = [&*no_key, "two lines", "`cargo xtask keygen NAME`"];
        check(&["verify", &page, "--key", path], 1, &want, &["disk"]);
        check(&["setup", "--no-service", "--trust", path], 1, &want, &["disk"]);
    }
    fs::remove_dir_all(at.install().keys_dir()).unwrap();
    fs::write(at.root().join("releases/0.2.0/web/index.html"), "half").unwrap();
    check(
        &["verify"],
        1,
        &["0.2.0 (current): web/index.html has other bytes", "`hub-platform upgrade TARBALL`"],
        &[],
    );
    check(
        &["rollback", "--restart", "true", "--health-timeout", "1"],
        1,
        &["release 0.1.0 does not serve"],
        &[],
    );
    fs::remove_dir_all(at.root().join("releases/0.1.0")).unwrap();
    check(&["rollback"], 1, &["there is no whole release before", "upgrade --allow-downgrade"], &["unpack"]);
    // A FIFO in the place of the list is waited for by nobody.
    fs::remove_file(at.root().join("releases/0.2.0/RELEASE.json")).unwrap();
    let mut fifo = Command::new("mkfifo");
    fifo.arg(at.root().join("releases/0.2.0/RELEASE.json"));
    assert_eq!(run(fifo).0, Some(0));
    check(&["verify"], 1, &["RELEASE.json cannot be read: it is not a regular file"], &[]);
}
