//! One release of the repository's own plugins, from the build to a running host.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use hub_release::hash;
use hub_tests::host::Host;
use hub_tests::release::Built;
use hub_tests::xtask::{run, xtask};
use serde_json::Value;

/// Entries of the tarball in their order: path, mode, mtime, owner, bytes.
fn entries(built: &Built) -> Vec<(String, u32, u64, (u64, u64), Vec<u8>)> {
    let file = File::open(&built.tarball).expect("the tarball");
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let entries = archive.entries().expect("entries");
    entries
        .map(|entry| {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let header = entry.header().clone();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("bytes");
            let owner = (header.uid().expect("uid"), header.gid().expect("gid"));
            (path, header.mode().expect("mode"), header.mtime().expect("mtime"), owner, bytes)
        })
        .collect()
}

#[test]
fn the_build_names_its_artifact() {
    let built = Built::shared();
    assert_eq!(built.finished["type"], "finished");
    assert_eq!(built.finished["ok"], true);
    assert_eq!(built.finished["errors"], 0);
    assert_eq!(built.tarball.file_name().unwrap(), "hub-platform-v0.1.0.tar.gz");
    assert_eq!(built.finished["sha256"], hash::of_bytes(&fs::read(&built.tarball).unwrap()));
}

#[test]
fn the_tarball_is_what_release_json_says() {
    let entries = entries(Built::shared());
    let (last, _, _, _, bytes) = entries.last().expect("entries");
    assert_eq!(last, "releases/0.1.0/RELEASE.json", "RELEASE.json is written last");
    let release: Value = serde_json::from_slice(bytes).expect("JSON");
    assert_eq!(release["version"], "0.1.0");

    let listed: BTreeMap<String, &Value> = release["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| (format!("releases/0.1.0/{}", file["path"].as_str().expect("a path")), file))
        .collect();
    let mut files = 0;
    for (path, mode, mtime, owner, bytes) in &entries {
        assert!(path.starts_with("releases/0.1.0"), "{path} lies outside the one top folder");
        assert_eq!(*owner, (0, 0), "{path}");
        assert_eq!(*mtime, entries[0].2, "{path}: every entry has the same time");
        if path.ends_with('/') || path == last {
            continue;
        }
        files += 1;
        let file = listed.get(path).unwrap_or_else(|| panic!("{path} is not in RELEASE.json"));
        assert_eq!(file["size"], bytes.len(), "{path}");
        assert_eq!(file["sha256"], hash::of_bytes(bytes), "{path}");
        let executable = path.contains("/bin/") || path.ends_with(".sh");
        assert_eq!(*mode & 0o777, if executable { 0o755 } else { 0o644 }, "{path}");
    }
    assert_eq!(files, listed.len(), "a file of RELEASE.json is not in the tarball");

    for path in [
        "bin/hub-platform",
        "bin/hub-launch",
        "web/index.html",
        "overrides.manifest.json",
        "dbt/workspaces.json",
        "drivers.yaml",
        "systemd/hub-platform.service",
        "iaas/scripts/setup-customer.sh",
        "plugins/healthcare/plugin.yaml",
        "plugins/healthcare/dbt/dbt_project.yml",
        "plugins/_demo/plugin.yaml",
    ] {
        assert!(listed.contains_key(&format!("releases/0.1.0/{path}")), "{path} is missing");
    }
    let sources = [".rs", ".tsx", ".ts", "Cargo.toml"];
    let source = listed.keys().find(|path| sources.iter().any(|ending| path.ends_with(ending)));
    assert_eq!(source, None, "a release holds no source");
}

#[test]
fn nothing_in_the_release_names_the_folder_it_was_built_in() {
    let home = std::env::home_dir().unwrap();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), Into::into);
    // What tools keep in a home folder is hidden there. The folder by itself is often a word of other texts, as `/root` is.
    let folders = [hub_tests::xtask::repo(), hub_tests::xtask::target(), home.join("."), cargo];
    let folders = folders.map(|folder| folder.display().to_string());
    for (path, _, _, _, bytes) in entries(Built::shared()) {
        for folder in &folders {
            let found = bytes.windows(folder.len()).any(|window| window == folder.as_bytes());
            assert!(!found, "{path} holds {folder}");
        }
    }
}

#[test]
fn building_again_gives_the_same_bytes() {
    let first = Built::shared();
    let second = Built::new(&[]);
    assert_eq!(first.finished["sha256"], second.finished["sha256"]);
}

#[test]
fn the_host_is_linked_statically() {
    let installed = Built::shared().unpack();
    let binary = installed.release().join("bin/hub-platform");
    assert_eq!(fs::metadata(&binary).unwrap().permissions().mode() & 0o777, 0o755);
    // 25 MB: a supervisor and fences for runs, mail, metrics and judgements of databases have come since it was 20.
    assert!(fs::metadata(&binary).unwrap().len() <= 26_000_000, "the host is larger than 26 MB");
    let mut ldd = Command::new("ldd");
    ldd.arg(&binary);
    let ran = run(ldd);
    let text = ran.stdout + &ran.stderr;
    assert!(text.contains("statically linked") || text.contains("not a dynamic executable"), "{text}");
}

/// S18: a static binary that asks the machine's name service for a user loads its libraries, and dies of them.
#[test]
fn s18_the_static_host_needs_no_entry_of_its_user() {
    const NOBODY: &str = "54321";
    let of = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        run(command).expect(0).stdout
    };
    if of("id", &["-u"]) != "0\n" {
        hub_tests::xtask::skip("only root becomes a user without an entry");
        return;
    }
    let installed = Built::shared().unpack();
    let data = tempfile::tempdir().unwrap();
    of("chown", &[NOBODY, &data.path().to_string_lossy()]);
    of("chmod", &["-R", "a+rX", &installed.folder().to_string_lossy()]);
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "correct horse battery\n").unwrap();
    let own = format!("sqlite://{}/own.db", data.path().display());
    for (url, status, said) in [
        ("postgres:///hub", 3, "DATABASE_URL names no user"),
        ("postgres://localhost:1/hub", 3, "DATABASE_URL names no user"),
        ("postgres://hub@localhost:1/hub", 3, "localhost"),
        ("postgres://hub@nobody.invalid:1/hub", 3, "nobody.invalid"),
        (own.as_str(), 0, "created user a@example.com"),
    ] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        command.arg(installed.release().join("bin/hub-platform"));
        command.args(["admin", "create-user", "--email", "a@example.com", "--org", "Some"]);
        command.env_clear().env("DATA_DIR", data.path()).env("DATABASE_URL", url);
        command.stdin(File::open(password.path()).unwrap());
        let ran = run(command);
        let text = ran.stdout.clone() + &ran.stderr;
        assert!(text.contains(said), "{url}: {text}");
        ran.expect(status);
    }
}

#[test]
fn the_chain_of_dashboard_view_stands_in_winning_order() {
    let installed = Built::shared().unpack();
    let text = fs::read(installed.release().join("overrides.manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(manifest["version"], 1);
    let chain = manifest["keys"]["dashboard.view"].as_array().expect("a chain");
    let order: Vec<_> =
        chain.iter().map(|claim| (claim["plugin"].as_str(), claim["priority"].as_i64())).collect();
    assert_eq!(order, [(Some("finance"), Some(20)), (Some("healthcare"), Some(10))]);
    let mut chunks: Vec<&str> = Vec::new();
    for claim in manifest["keys"].as_object().unwrap().values().flat_map(|chain| chain.as_array().unwrap()) {
        let chunk = claim["chunk"].as_str().expect("a chunk");
        let path = installed.release().join("web").join(chunk.trim_start_matches('/'));
        assert!(path.is_file(), "{} is missing", path.display());
        for css in claim["css"].as_array().expect("a list") {
            let path = installed.release().join("web").join(css.as_str().unwrap().trim_start_matches('/'));
            assert!(path.is_file(), "{} is missing", path.display());
        }
        assert!(!chunks.contains(&chunk), "two overrides share the chunk {chunk}");
        chunks.push(chunk);
    }
}

#[test]
fn dbt_workspaces_are_listed_with_the_platforms_own_first() {
    let installed = Built::shared().unpack();
    let release = installed.release();
    let listed: Value =
        serde_json::from_slice(&fs::read(release.join("dbt/workspaces.json")).unwrap()).expect("JSON");
    let workspaces = listed["workspaces"].as_array().expect("workspaces");
    let slugs: Vec<_> = workspaces.iter().filter_map(|workspace| workspace["slug"].as_str()).collect();
    assert_eq!(slugs, ["honeyframe", "finance", "healthcare"]);
    for workspace in workspaces {
        let project = release.join(workspace["project_dir"].as_str().unwrap()).join("dbt_project.yml");
        assert!(project.is_file(), "{} is missing", project.display());
    }
}

#[test]
fn the_unpacked_release_serves_every_plugin() {
    let installed = Built::shared().unpack();
    let host = Host::start(&installed.release());
    let log = host.log();
    assert!(log.contains("plugin_host: 4 vertical plugins discovered (4 ok, 0 invalid)"), "{log}");
    assert!(!log.contains('\u{1b}'), "colour codes in a log that is no terminal:\n{log}");

    assert_eq!(host.get("/api/_demo/ping").status, 200);
    let health = host.get("/api/health").json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], "0.1.0");

    let plugins = host.get("/api/plugins").json();
    let names: Vec<_> =
        plugins.as_array().unwrap().iter().filter_map(|plugin| plugin["name"].as_str()).collect();
    assert_eq!(names, ["_demo", "crm", "finance", "healthcare"]);
    let routers: Vec<_> =
        plugins.as_array().unwrap().iter().filter_map(|plugin| plugin["router_count"].as_u64()).collect();
    assert_eq!(routers, [1, 2, 0, 2]);
    assert_eq!(host.get_as_anybody("/api/session").status, 401);

    for path in
        ["/api/healthcare/records", "/api/healthcare/facilities", "/api/crm/customers", "/api/crm/accounts"]
    {
        let list = host.get(path);
        assert_eq!(list.status, 200, "{path}");
        let list = list.json();
        assert!(list["items"].is_array() && list["total"].is_u64(), "{path}: {list}");
    }

    let openapi = host.get("/api/openapi.json").json();
    for path in ["/api/health", "/api/_demo/ping", "/api/healthcare/records", "/api/crm/customers"] {
        assert!(openapi["paths"][path]["get"].is_object(), "{path} is not in the API description");
    }

    let session = host.get("/api/session").json();
    assert_eq!(session["overrides"]["dashboard.view"]["plugin"], "finance");

    let missing = host.get("/api/nothing");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), "application/problem+json");
    assert_eq!(host.stop(), Some(0), "SIGTERM ends the host in good order");
}

#[test]
fn web_assets_are_cached_for_ever_and_the_page_never() {
    let installed = Built::shared().unpack();
    let host = Host::start(&installed.release());
    let page = host.get_with("/plugins", &[("accept", "text/html")]);
    assert_eq!(page.status, 200, "a path of the shell gets the page");
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(page.header("cache-control"), "no-cache");
    let text = page.text();
    let entry = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");

    let script = host.get_with(entry, &[("accept-encoding", "br, gzip")]);
    assert_eq!(script.status, 200);
    assert_eq!(script.header("content-encoding"), "br");
    assert!(script.header("cache-control").contains("immutable"));
    let plain = host.get_with(entry, &[("accept-encoding", "identity")]);
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.body.len() > script.body.len());

    let etag = host.get("/").header("etag").to_string();
    assert!(!etag.is_empty());
    assert_eq!(host.get_with("/", &[("if-none-match", &etag)]).status, 304);
    assert_eq!(host.get("/assets/none.js").status, 404, "a missing asset is not the page");
}

#[test]
fn a_bad_customer_plugin_is_listed_and_does_not_stop_the_start() {
    let installed = Built::shared().unpack();
    let host = Host::start_with(&installed.release(), |data| {
        for (name, text) in
            [("broken", "name: [broken"), ("good", "name: good\nversion: 1.0.0\ndisplay_name: Good\n")]
        {
            let folder = data.join("plugins").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("plugin.yaml"), text).unwrap();
        }
        fs::create_dir_all(data.join("plugins/driver")).unwrap();
    });
    let log = host.log();
    assert!(log.contains("plugin_host: 6 vertical plugins discovered (5 ok, 1 invalid)"), "{log}");
    let plugins = host.get("/api/plugins").json();
    let broken =
        plugins.as_array().unwrap().iter().find(|plugin| plugin["name"] == "broken").expect("listed");
    assert_eq!(broken["source"], "data");
    assert!(broken["errors"][0].as_str().unwrap().contains("HUB003"), "{broken}");
}

#[test]
fn setup_customer_switches_the_current_release() {
    let installed = Built::shared().unpack();
    let data = tempfile::tempdir().unwrap();
    let mut setup = Command::new(installed.release().join("iaas/scripts/setup-customer.sh"));
    setup.arg("--data-dir").arg(data.path());
    run(setup).expect(0);
    assert!(installed.folder().join("current/bin/hub-platform").is_file());
    assert!(data.path().join("plugins").is_dir());
}

#[test]
fn a_failed_build_leaves_the_last_good_tarball() {
    let built = Built::shared();
    let before = fs::read(&built.tarball).unwrap();
    let broken = tempfile::tempdir().unwrap();
    fs::create_dir(broken.path().join("crm")).unwrap();
    fs::write(broken.path().join("crm/plugin.yaml"), "name: crm\n").unwrap();
    let mut command = xtask(["build-platform", "--plugins"]);
    command.arg(broken.path()).arg("--out").arg(built.out());
    let ran = run(command).expect(1);
    assert!(ran.stderr.contains("HUB010"), "{}", ran.stderr);
    assert_eq!(fs::read(&built.tarball).unwrap(), before);
}
