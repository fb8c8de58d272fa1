//! Tests of finding customers' plugins: folders of all kinds, and the rules that they are held to.

use hub_manifest::codes::customers::held_by_both;
use hub_manifest::plan::{ConfigField, ConfigKind, DbtWorkspace, HostPlugin, NavItem};
use hub_manifest::source::MAX_BYTES;

use super::*;
use crate::config::Config;
use crate::scratch::Scratch;

/// A data folder.
struct Data(Scratch);

impl Data {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Data {
        let root = Scratch::new(&format!("discover-{name}"));
        for (path, bytes) in files {
            let file = root.join("plugins").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        Data(root)
    }

    /// The plugins of this folder, beside those of a release.
    fn plugins(&self, of_build: &[HostPlugin]) -> Vec<Plugin> {
        let Found { plugins, trouble } = self.found(of_build);
        assert_eq!(trouble, [""; 0]);
        plugins
    }

    fn found(&self, of_build: &[HostPlugin]) -> Found {
        let of_build = of_build.iter().cloned();
        let plugins: Vec<Arc<Plugin>> = of_build
            .map(|about| Arc::new(Plugin::of_build(about, Vec::new(), Config::default(), Vec::new())))
            .collect();
        let release = Release {
            plugins: &plugins,
            chains: &Chains::default(),
            pages: &Pages::read(&self.0, std::iter::empty()),
            version: Version::new(0, 2, 0),
            env: &|name| (name == "CRM_KEY" || name == "EXTRA_KEY").then(|| format!("value of {name}")),
        };
        customer_plugins(&self.0, &release)
    }
}

const SOUND: &str = "name: extra\nversion: 1.0.0\ndisplay_name: Extra\n";

#[test]
fn a_bad_manifest_is_listed_and_the_others_stand() {
    let data = Data::new(
        "bad",
        &[
            ("extra/plugin.yaml", SOUND.as_bytes()),
            ("broken/plugin.yaml", b"name: [\n"),
            ("binary/plugin.yaml", b"\xff\xfe\x00"),
            ("large/plugin.yaml", &vec![b'a'; MAX_BYTES + 1]),
            ("folder/plugin.yaml/file", b""),
            ("notes/README.md", b"no manifest here"),
            (".driver", b"a file"),
        ],
    );
    let found = data.plugins(&[]);
    let seen: Vec<_> = found.iter().map(|p| (p.name(), p.ok())).collect();
    assert_eq!(
        seen,
        [("binary", false), ("broken", false), ("extra", true), ("folder", false), ("large", false)]
    );
    for plugin in found.iter().filter(|p| !p.ok()) {
        assert!(plugin.errors[0].starts_with("HUB0"), "{:?}", plugin.errors);
    }
    assert_eq!(found[2].about.display_name, "Extra");
    assert_eq!(found[2].origin, Origin::Data);
}

#[test]
fn s5_a_manifest_that_is_a_link_shows_nothing_of_what_it_leads_to() {
    let data = Data::new("link", &[("extra/README.md", b""), ("../.env", b"secret_of_the_host: x\n")]);
    std::os::unix::fs::symlink("../../.env", data.0.join("plugins/extra/plugin.yaml")).unwrap();
    let plugin = data.plugins(&[]).remove(0);
    assert!(!plugin.ok() && plugin.errors.len() == 1, "{:?}", plugin.errors);
    assert!(
        plugin.errors[0].contains("cannot read") && !plugin.errors[0].contains("secret"),
        "{:?}",
        plugin.errors
    );
    // As a ConfigMap of Kubernetes lies there.
    let data = Data::new("config-map", &[("extra/..2026/plugin.yaml", SOUND.as_bytes())]);
    std::os::unix::fs::symlink("..2026", data.0.join("plugins/extra/..data")).unwrap();
    std::os::unix::fs::symlink("..data/plugin.yaml", data.0.join("plugins/extra/plugin.yaml")).unwrap();
    let plugin = data.plugins(&[]).remove(0);
    assert!(plugin.ok(), "{:?}", plugin.errors);
}

#[test]
fn o10_a_copy_beside_a_plugin_harms_nobody() {
    let files: [(&str, &[u8]); 3] = [
        ("extra/plugin.yaml", SOUND.as_bytes()),
        (".extra.bak/plugin.yaml", SOUND.as_bytes()),
        ("Copy-of-extra/plugin.yaml", SOUND.as_bytes()),
    ];
    let found = Data::new("copy", &files).plugins(&[]);
    let ok: Vec<bool> = found.iter().map(Plugin::ok).collect();
    assert_eq!(ok.iter().filter(|ok| **ok).count(), 1, "{ok:?}");
    assert!(found.iter().any(|plugin| plugin.ok() && plugin.root.ends_with("extra")), "{ok:?}");
}

#[test]
fn a_name_of_the_release_cannot_be_taken() {
    let data = Data::new("taken", &[("extra/plugin.yaml", SOUND.as_bytes())]);
    let found = data.plugins(&[HostPlugin { name: "extra".to_owned(), ..HostPlugin::default() }]);
    assert!(found[0].shadowed && !found[0].ok());
    assert_eq!(
        found[0].warnings,
        ["not used: the release has a vertical plugin `extra` already; give this one another name"]
    );
}

/// A plugin of the release that has something of everything.
fn crm() -> HostPlugin {
    let key = ConfigField {
        kind: ConfigKind::String,
        label: None,
        env: Some("CRM_KEY".to_owned()),
        default: None,
        required: false,
        values: Vec::new(),
    };
    let nav = NavItem {
        label: "CRM".to_owned(),
        path: "/records".to_owned(),
        icon: "x".to_owned(),
        roles: Vec::new(),
    };
    let workspace = DbtWorkspace {
        slug: "sales".to_owned(),
        profile: "sales".to_owned(),
        project_dir: "dbt".to_owned(),
        project: "sales".to_owned(),
        models: Vec::new(),
        packages: Vec::new(),
    };
    HostPlugin {
        name: "crm".to_owned(),
        version: "1.0.0".to_owned(),
        permissions: vec!["customers.read".to_owned()],
        config: BTreeMap::from([("key".to_owned(), key)]),
        nav: vec![nav],
        dbt_workspaces: vec![workspace],
        ..HostPlugin::default()
    }
}

/// What a manifest of these lines is told, error or warning, beside `crm`.
fn told(more: &str) -> (Vec<String>, Vec<String>) {
    let text = format!("name: mine\nversion: 1.0.0\ndisplay_name: Mine\n{more}");
    let files: &[(&str, &[u8])] = &[
        ("mine/plugin.yaml", text.as_bytes()),
        ("mine/dbt/dbt_project.yml", b"name: mine\n"),
        ("mine/ok.py", b""),
    ];
    let data = Data::new("told", files);
    let plugin = data.plugins(&[crm()]).remove(0);
    (plugin.errors, plugin.warnings)
}

/// Each rule between plugins that the build has: what breaks it, and whether that is an error.
#[test]
fn customers_plugins_are_held_to_the_rules_of_the_build() {
    let group = |permission: &str| {
        format!("permissions: [mine.read]\nseed_groups: [{{name: G, permissions: [{permission}]}}]\n")
    };
    let cases: &[(&str, bool, &str)] = &[
        ("HUB024", false, "config: {key: {type: string, env: CRM_KEY}}\n"),
        ("HUB024", false, "config: {key: {type: string, env: HUB_ADMIN_PASSWORD}}\n"),
        ("HUB024", false, "config: {key: {type: string, env: AWS_SECRET_ACCESS_KEY}}\n"),
        ("HUB024", false, "config: {key: {type: string, env: CRM_OTHER}}\n"),
        ("HUB032", true, "dependencies: [healthcare]\n"),
        ("HUB034", true, "dependencies: {crm: \"^2\"}\n"),
        ("HUB035", true, "min_platform_version: \">=0.3\"\n"),
        ("HUB048", true, "dbt_workspaces: [{slug: sales, profile: p, project_dir: dbt}]\n"),
        ("HUB048", true, "dbt_workspaces: [{slug: honeyframe, profile: p, project_dir: dbt}]\n"),
        ("HUB049", true, "dbt_workspace: gone\n"),
        (
            "HUB049",
            true,
            "known_scripts: [{slug: s, display_name: S, script_path: gone.py, output_schema: s}]\n",
        ),
        ("HUB070", false, "nav: [{label: Gone, path: /mine/gone}]\n"),
        ("HUB076", true, &group("mine.write")),
        ("HUB082", false, "nav: [{label: Records, path: /records}]\n"),
        ("HUB084", false, "permissions: [customers.read]\n"),
        ("HUB085", false, "dashboard_seeds: [{slug: d, title: D, widgets: [{block: Gone}]}]\n"),
        ("HUB086", false, "order: {after: [crn]}\n"),
        ("HUB109", true, &group("members.manage")),
        ("HUB109", true, &group("customers.read")),
    ];
    for (code, is_error, more) in cases {
        let (errors, warnings) = told(more);
        let (said, silent) = if *is_error { (errors, warnings) } else { (warnings, errors) };
        assert!(said.len() == 1 && said[0].starts_with(&format!("{code} plugin.yaml:")), "{more}{said:?}");
        assert!(silent.is_empty(), "{more}{silent:?}");
    }
    // The others of both follow from one manifest, or are looked at below.
    let between: BTreeSet<&str> = cases.iter().map(|(code, ..)| *code).chain(["HUB030", "HUB033"]).collect();
    let of_one = held_by_both().map(|code| code.id()).filter(|code| !between.contains(code));
    assert!(
        of_one.clone().all(|code| code < "HUB028"),
        "a rule has no case: {:?}",
        of_one.collect::<Vec<_>>()
    );

    let sound = "dependencies: {crm: \"^1\"}\nmin_platform_version: \">=0.1.0\"\ndbt_workspace: dbt\nknown_scripts: [{slug: s, \
                 display_name: S, script_path: ok.py, output_schema: s}]\nnav: [{label: Plugins, path: /plugins}]\n";
    assert_eq!(told(sound), (Vec::new(), Vec::new()));
    assert_eq!(told(&group("mine.read, records.read")), (Vec::new(), Vec::new()));
}

#[test]
fn a_setting_is_read_and_one_that_is_required_is_missed() {
    let settings = "config:
  key: {type: string, env: EXTRA_KEY}
  other: {type: string, env: CRM_KEY, required: true}
  more: {type: string, env: EXTRA_MORE, required: true}
";
    let text = format!("{}{settings}", SOUND);
    let data = Data::new("settings", &[("extra/plugin.yaml", text.as_bytes())]);
    let plugin = data.plugins(&[crm()]).remove(0);
    assert_eq!(plugin.config.str("key"), Some("value of EXTRA_KEY"));
    assert_eq!(plugin.config.str("other"), None, "it is another plugin's");
    assert_eq!(
        plugin.unset,
        ["setting `more` is required: set EXTRA_MORE", "setting `other` is required and has no value"]
    );
    assert!(plugin.ok() && !plugin.works());
}

#[test]
fn one_plugins_mistake_is_no_other_plugins() {
    let permissions = "permissions: [a.read]\n";
    let plugin = |slug: &str, more: &str| format!("name: {slug}\nversion: 1.0.0\ndisplay_name: X\n{more}");
    let workspace = "dbt_workspaces: [{slug: shared, profile: p, project_dir: .}]\n";
    let files = [
        ("a/plugin.yaml", plugin("a", &format!("{workspace}{permissions}dependencies: [none-such]\n"))),
        ("a/dbt_project.yml", String::new()),
        ("b/plugin.yaml", plugin("b", &format!("{workspace}dependencies: [c]\n"))),
        ("b/dbt_project.yml", String::new()),
        ("c/plugin.yaml", plugin("c", "")),
        ("x-y/plugin.yaml", plugin("x-y", "dependencies: [z]\n")),
        ("x_y/plugin.yaml", plugin("x-y", "")),
        ("z/plugin.yaml", plugin("z", "order: {after: [x-y]}\n")),
    ];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let data = Data::new("others", &files);
    let found = data.plugins(&[]);
    let seen: Vec<(&str, Vec<&str>)> = found
        .iter()
        .map(|plugin| (plugin.name(), plugin.errors.iter().map(|error| &error[..6]).collect()))
        .collect();
    assert_eq!(
        seen,
        [
            ("a", vec!["HUB032"]),
            ("c", vec![]),
            ("b", vec![]),
            ("x-y", vec!["HUB033"]),
            ("x-y", vec!["HUB030"]),
            ("z", vec!["HUB033"]),
        ],
        "dependencies come first, and who cannot be switched on takes nothing from the others"
    );
}

/// What cannot be looked at is told, with its path and what to do; what is there besides is found all the same.
#[test]
fn a_folder_that_cannot_be_looked_at_is_told() {
    let data = Data::new("trouble", &[("extra/plugin.yaml", SOUND.as_bytes()), ("README.md", b"")]);
    let folder = data.0.join("plugins");
    let told = |want: usize| {
        let Found { plugins, trouble } = data.found(&[]);
        assert_eq!(plugins.len(), want, "{trouble:?}");
        trouble
    };
    assert_eq!(told(1), [""; 0]);
    for (name, target) in [("gone", "../elsewhere"), ("loop", "loop")] {
        std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
    }
    let trouble = told(1);
    let gone =
        format!("{}, a link to ../elsewhere, cannot be read: no such file", folder.join("gone").display());
    let [first, second] = trouble.as_slice() else { panic!("{trouble:?}") };
    assert!(first.starts_with("a vertical plugin of the customer's may be missing: "), "{first}");
    assert!(first.contains(&gone) && first.ends_with("or remove it"), "{first}");
    assert!(second.contains("a link to loop, cannot be read: "), "{second}");
    // Root enters every folder.
    if !rustix::process::geteuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        let closed = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        closed(&folder.join("extra"), 0);
        assert!(told(0).iter().any(|text| text.contains("plugins/extra cannot be read: permission denied")));
        closed(&folder.join("extra"), 0o700);
        closed(&folder, 0);
        let trouble = told(0);
        closed(&folder, 0o700);
        assert!(trouble[0].contains("plugins cannot be read: permission denied"), "{trouble:?}");
    }
    // The folder itself: a file, a link that leads nowhere, and none at all.
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(told(0), [""; 0], "nobody has made it");
    fs::write(&folder, "").unwrap();
    let is_file = format!("{} cannot be read: not a directory; make it a folder", folder.display());
    assert!(told(0)[0].starts_with(&format!("no vertical plugin of the customer's is found: {is_file}")));
    fs::remove_file(&folder).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", &folder).unwrap();
    assert!(told(0)[0].contains("plugins, a link to /nowhere/at/all, cannot be read: no such file"));
}

#[test]
fn one_entry_that_cannot_be_listed_hides_no_other() {
    let entries =
        [Ok("b".into()), Err(io::Error::other("first")), Ok("a".into()), Err(io::Error::other("second"))];
    let (found, error) = names(entries.into_iter());
    assert_eq!(found, ["a", "b"]);
    assert_eq!(error.unwrap().to_string(), "first");
    assert!(names(std::iter::empty()).1.is_none());
}
