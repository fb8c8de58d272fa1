//! Packing real files, and reading the tarball back with other eyes.

use super::*;
use crate::base::digest::sha256_hex;
use std::process::Command;
use std::time::{Duration, SystemTime};

struct Fixture {
    dir: tempfile::TempDir,
    files: Files,
    plugins: Vec<ReleasePlugin>,
    inventory: Inventory,
    origin: Origin,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("host");
        fs::write(&binary, "binary").unwrap();
        let text = |text: &str| File { source: Source::from(text.to_string()), executable: false };
        let long = format!("web/assets/{}.js", "long-name-".repeat(15));
        let files = Files::from([
            ("bin/hub-platform".to_string(), File { source: Source::Copy(binary), executable: true }),
            ("web/index.html".to_string(), text("<html>")),
            (long, text("export {}")),
            ("plugins/crm/plugin.yaml".to_string(), text("name: crm\n")),
            ("plugins/crm-extra/plugin.yaml".to_string(), text("name: crm-extra\n")),
        ]);
        let plugin = |name: &str, errors: &[&str]| ReleasePlugin {
            name: name.to_string(),
            version: Some("1.0.0".to_string()),
            errors: errors.iter().map(|e| e.to_string()).collect(),
        };
        Fixture {
            dir,
            files,
            plugins: vec![plugin("crm", &[]), plugin("broken", &["no such router"])],
            inventory: crate::pack::inventory::tests::example(),
            origin: Origin { hub_lock_sha256: "ab".to_string(), ..Origin::default() },
        }
    }

    fn pack(&self, out: &str) -> Result<Packed, Machine> {
        let mut cache = FileCache::open(&self.dir.path().join("cache.json"));
        let packed = pack(
            &Job {
                version: "0.1.0",
                plugins: &self.plugins,
                inventory: &self.inventory,
                origin: &self.origin,
                files: &self.files,
                sign: None,
                out: &self.dir.path().join(out),
                stamp: &self.dir.path().join("pack.json"),
            },
            &mut cache,
        );
        cache.save().unwrap();
        packed
    }
}

#[test]
fn the_tarball_is_sorted_anonymous_and_ends_with_its_list() {
    let fixture = Fixture::new();
    let packed = fixture.pack("dist").unwrap();
    assert!(packed.path.ends_with("dist/hub-platform-v0.1.0.tar.gz"));
    let bytes = fs::read(&packed.path).unwrap();
    assert_eq!((packed.size, packed.sha256.as_str()), (bytes.len() as u64, sha256_hex(&bytes).as_str()));
    assert_eq!(fs::metadata(&packed.path).unwrap().permissions().mode() & 0o777, 0o644);

    let found = entries(&packed.path).unwrap();
    let shown: Vec<String> = found.iter().map(|e| format!("{:04o} {} {}", e.mode, e.size, e.path)).collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    0755 0 releases/0.1.0/
    0755 0 releases/0.1.0/bin/
    0755 6 releases/0.1.0/bin/hub-platform
    0755 0 releases/0.1.0/plugins/
    0755 0 releases/0.1.0/plugins/crm-extra/
    0644 16 releases/0.1.0/plugins/crm-extra/plugin.yaml
    0755 0 releases/0.1.0/plugins/crm/
    0644 10 releases/0.1.0/plugins/crm/plugin.yaml
    0755 0 releases/0.1.0/web/
    0755 0 releases/0.1.0/web/assets/
    0644 9 releases/0.1.0/web/assets/long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-long-name-.js
    0644 6 releases/0.1.0/web/index.html
    0644 3275 releases/0.1.0/RELEASE.json
    ");
    assert!(found.iter().all(|e| e.mtime == 946_684_800 && e.owner == (0, 0)));
}

#[test]
fn the_list_says_the_same_to_all_who_read_it() {
    let fixture = Fixture::new();
    let packed = fixture.pack("dist").unwrap();
    let read = inventory::release::read(&packed.path).unwrap();
    let mut expected = fixture.inventory.clone();
    expected.plugins.retain(|plugin| plugin.name == "crm");
    expected.plugins[0].version = "1.0.0".to_string();
    assert_eq!((read.version.as_str(), read.inventory), ("0.1.0", expected));

    let list =
        list::release_json("0.1.0", &fixture.plugins, &fixture.inventory, &fixture.origin, &[]).unwrap();
    assert_eq!(hub_release::Manifest::parse(&list).unwrap().version.to_string(), "0.1.0");
    assert_eq!(
        hub_release::changes::between(b"{}", &list),
        [
            "plugin crm 1.0.0 is new",
            "route GET /api/crm/customers is new",
            "route GET /api/health is new",
            "route POST /api/crm/customers is new",
            "surface dashboard.view: drawn by finance",
        ]
    );
}

#[test]
fn the_list_names_every_other_file_with_its_hash() {
    let fixture = Fixture::new();
    let packed = fixture.pack("dist").unwrap();
    let status =
        Command::new("tar").arg("-xzf").arg(&packed.path).arg("-C").arg(fixture.dir.path()).status().unwrap();
    assert!(status.success());
    let release = fixture.dir.path().join("releases/0.1.0");
    let text = fs::read_to_string(release.join(RELEASE_JSON)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["version"], "0.1.0");
    assert_eq!(json["plugins"][1]["errors"][0], "no such router");
    let files = json["files"].as_array().unwrap();
    assert_eq!(files.len(), fixture.files.len());
    for file in files {
        let path = release.join(file["path"].as_str().unwrap());
        let bytes = fs::read(&path).unwrap();
        assert_eq!(file["sha256"], sha256_hex(&bytes));
        assert_eq!(file["size"], bytes.len());
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(file["mode"], format!("{mode:04o}"));
    }
}

#[test]
fn neither_folder_nor_clock_nor_umask_show() {
    let (one, two) = (Fixture::new(), Fixture::new());
    let Source::Copy(binary) = &two.files["bin/hub-platform"].source else { panic!("a copy") };
    fs::set_permissions(binary, Permissions::from_mode(0o600)).unwrap();
    let old = SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::options().write(true).open(binary).unwrap().set_modified(old).unwrap();
    assert_eq!(one.pack("dist").unwrap().sha256, two.pack("elsewhere/deep").unwrap().sha256);
}

#[test]
fn an_unchanged_release_is_left_alone() {
    let mut fixture = Fixture::new();
    let first = fixture.pack("dist").unwrap();
    let modified = fs::metadata(&first.path).unwrap().modified().unwrap();
    assert_eq!(fixture.pack("dist").unwrap(), Packed { fresh: true, ..first.clone() });
    assert_eq!(fs::metadata(&first.path).unwrap().modified().unwrap(), modified);

    let page = File { source: Source::from("<html lang=en>".to_string()), executable: false };
    fixture.files.insert("web/index.html".to_string(), page);
    let changed = fixture.pack("dist").unwrap();
    assert!(!changed.fresh && changed.sha256 != first.sha256);

    fs::write(&changed.path, "damaged").unwrap();
    assert_eq!(fixture.pack("dist").unwrap(), changed);
}

#[test]
fn a_failure_leaves_the_last_tarball() {
    let mut fixture = Fixture::new();
    let first = fixture.pack("dist").unwrap();
    let gone = fixture.dir.path().join("gone");
    fs::write(&gone, "x").unwrap();
    fixture
        .files
        .insert("drivers.yaml".to_string(), File { source: Source::Copy(gone.clone()), executable: false });
    fs::remove_file(&gone).unwrap();
    let error = fixture.pack("dist").unwrap_err().to_string();
    assert!(error.contains("gone: No such file"), "{error}");
    assert_eq!(sha256_hex(&fs::read(&first.path).unwrap()), first.sha256);
    assert_eq!(fs::read_dir(first.path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn paths_that_would_leave_the_release_are_refused() {
    for path in ["../x", "/x", "a//b", "a/./b", "RELEASE.json", ""] {
        let mut fixture = Fixture::new();
        fixture
            .files
            .insert(path.to_string(), File { source: Source::from(String::new()), executable: false });
        assert!(fixture.pack("dist").is_err(), "{path}");
    }
}
