//! Staging real folders.

use super::*;
use hub_manifest::plan::PluginCrate;

struct Fixture {
    dir: tempfile::TempDir,
    plugins: BTreeMap<String, PathBuf>,
    plan: Plan,
}

const RUNTIME: &str = r#"[package]
name = "hub-host"
version = "0.1.0"
[lib]
name = "hub"
[dependencies]
hub-macros = { path = "../../macros" }
hub-manifest = { path = "../../manifest" }
"#;

impl Fixture {
    /// A repository with the platform's crates and these files.
    fn new(files: &[(&str, &str)]) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let platform = [
            ("repo/Cargo.lock", "version = 4\n"),
            ("repo/rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
            ("repo/host-template/runtime/Cargo.toml", RUNTIME),
            ("repo/host-template/runtime/src/lib.rs", ""),
            ("repo/launcher/Cargo.toml", "[package]\nname = \"hub-launch\"\n"),
            ("repo/launcher/src/main.rs", "fn main() {}\n"),
            ("repo/macros/Cargo.toml", "[package]\nname = \"hub-macros\"\n"),
            ("repo/macros/src/lib.rs", ""),
            ("repo/manifest/Cargo.toml", "[package]\nname = \"hub-manifest\"\n"),
            ("repo/manifest/src/lib.rs", ""),
            ("repo/release/Cargo.toml", "[package]\nname = \"hub-release\"\n"),
            ("repo/release/src/lib.rs", ""),
        ];
        let fixture = Fixture { dir, plugins: BTreeMap::new(), plan: Plan::default() };
        platform.iter().chain(files).for_each(|(path, text)| fixture.write(path, text));
        fixture
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn plugin(mut self, slug: &str, folder: &str) -> Fixture {
        self.plugins.insert(slug.to_string(), self.dir.path().join(folder));
        self.plan.crates.push(PluginCrate {
            plugin: slug.to_string(),
            package: format!("hub-plugin-{slug}"),
            lib: format!("hub_plugin_{slug}"),
            dir: "backend".to_string(),
            routers: Vec::new(),
        });
        self
    }

    fn stage(&self) -> Result<Staged, Failure> {
        let generated = BTreeMap::from([
            ("host/Cargo.toml".to_string(), "[package]\nname = \"hub-platform\"\n".to_string()),
            ("host/src/main.rs".to_string(), "fn main() {}\n".to_string()),
        ]);
        stage(&Input {
            repo: &self.dir.path().join("repo"),
            plugins: &self.plugins,
            plan: &self.plan,
            generated: &generated,
            out: &self.out(),
            packages: &[],
        })
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("repo/target/platform/release/src")
    }

    fn staged(&self, path: &str) -> String {
        fs::read_to_string(self.out().join(path)).unwrap()
    }

    fn errors(&self) -> String {
        let Err(Failure::Plugin(findings)) = self.stage() else { panic!("no errors in the plugins") };
        let shown = findings.iter().map(|f| {
            let d = &f.diagnostic;
            let file = d.file.as_deref().unwrap_or(Path::new("")).display();
            format!(
                "{} {file}:{}:{} [{}] {}",
                d.code,
                d.span.line,
                d.span.column,
                d.plugin.as_deref().unwrap_or("-"),
                d.message
            )
        });
        shown.collect::<Vec<_>>().join("\n").replace(&self.dir.path().display().to_string(), "$DIR")
    }
}

fn manifest(package: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n"
    )
}

const HUB: &str = r#"hub = { package = "hub-host", path = "../../../host-template/runtime" }"#;

#[test]
fn a_plugin_from_elsewhere_is_staged_beside_the_runtime() {
    let backend = manifest("hub-plugin-crm", &format!("{HUB}\ncore = {{ path = \"../core\" }}"));
    let fixture = Fixture::new(&[
        ("elsewhere/crm-checkout/backend/Cargo.toml", &backend),
        ("elsewhere/crm-checkout/backend/src/lib.rs", "const A: &str = include_str!(\"../../data/a.txt\");"),
        ("elsewhere/crm-checkout/backend/tests/api.rs", ""),
        ("elsewhere/crm-checkout/core/Cargo.toml", &manifest("hub-plugin-crm-core", "")),
        ("elsewhere/crm-checkout/core/src/lib.rs", ""),
        ("elsewhere/crm-checkout/data/a.txt", "text"),
        ("elsewhere/crm-checkout/data/b.txt", "not named"),
    ])
    .plugin("crm", "elsewhere/crm-checkout");
    let staged = fixture.stage().unwrap();
    assert!(!staged.opaque);

    let mut files: Vec<String> = walkdir::WalkDir::new(fixture.out())
        .into_iter()
        .map(Result::unwrap)
        .filter(|e| e.file_type().is_file())
        .map(|e| e.path().strip_prefix(fixture.out()).unwrap().display().to_string())
        .collect();
    files.sort();
    insta::assert_snapshot!(files.join("\n"), @"
    .lock-stamp
    Cargo.lock
    Cargo.toml
    host-template/runtime/Cargo.toml
    host-template/runtime/src/lib.rs
    host/Cargo.toml
    host/src/main.rs
    launcher/Cargo.toml
    launcher/src/main.rs
    macros/Cargo.toml
    macros/src/lib.rs
    manifest/Cargo.toml
    manifest/src/lib.rs
    plugins/crm/backend/Cargo.toml
    plugins/crm/backend/src/lib.rs
    plugins/crm/core/Cargo.toml
    plugins/crm/core/src/lib.rs
    plugins/crm/data/a.txt
    release/Cargo.toml
    release/src/lib.rs
    rust-toolchain.toml
    ");
    assert!(fixture.staged("Cargo.toml").contains("\"plugins/crm/core\""));
    assert_eq!(fixture.staged("Cargo.lock"), "version = 4\n");
    let origin = staged.paths.origin(Path::new("plugins/crm/backend/src/lib.rs")).unwrap();
    assert_eq!(origin.file, fixture.dir.path().join("elsewhere/crm-checkout/backend/src/lib.rs"));
}

#[test]
fn only_what_changed_is_written_and_the_fingerprint_tells() {
    let fixture = Fixture::new(&[
        ("repo/plugins/crm/backend/Cargo.toml", &manifest("hub-plugin-crm", HUB)),
        ("repo/plugins/crm/backend/src/lib.rs", "// one"),
        ("repo/plugins/crm/backend/src/old.rs", ""),
    ])
    .plugin("crm", "repo/plugins/crm");
    let first = fixture.stage().unwrap();
    let runtime = fixture.out().join("host-template/runtime/src/lib.rs");
    let before = fs::metadata(&runtime).unwrap().modified().unwrap();
    assert_eq!(fixture.stage().unwrap().digest, first.digest);

    fixture.write("repo/plugins/crm/backend/src/lib.rs", "// two");
    fs::remove_file(fixture.dir.path().join("repo/plugins/crm/backend/src/old.rs")).unwrap();
    assert_ne!(fixture.stage().unwrap().digest, first.digest);
    assert_eq!(fixture.staged("plugins/crm/backend/src/lib.rs"), "// two");
    assert!(!fixture.out().join("plugins/crm/backend/src/old.rs").exists());
    assert_eq!(fs::metadata(&runtime).unwrap().modified().unwrap(), before);
}

#[test]
fn build_scripts_and_environment_leave_the_decision_to_cargo() {
    for (path, text) in
        [("build.rs", "fn main() {}"), ("src/lib.rs", "const C: Option<&str> = option_env!(\"COMMIT\");")]
    {
        let fixture = Fixture::new(&[
            ("repo/plugins/crm/backend/Cargo.toml", &manifest("hub-plugin-crm", HUB)),
            (&format!("repo/plugins/crm/backend/{path}"), text),
        ])
        .plugin("crm", "repo/plugins/crm");
        assert!(fixture.stage().unwrap().opaque, "{path}");
    }
}

#[test]
fn errors_are_reported_all_at_once_and_nothing_is_written() {
    let fixture = Fixture::new(&[
        (
            "repo/plugins/a/backend/Cargo.toml",
            &manifest("hub-plugin-a", "x = { path = \"../../b/backend\" }"),
        ),
        ("repo/plugins/b/backend/Cargo.toml", &manifest("hub_plugin_a", "y = { path = \"../missing\" }")),
        ("repo/plugins/c/backend/Cargo.toml", "[package"),
        ("repo/plugins/e/backend/Cargo.toml", &manifest("hub-host", "")),
    ])
    .plugin("a", "repo/plugins/a")
    .plugin("b", "repo/plugins/b")
    .plugin("c", "repo/plugins/c")
    .plugin("d", "repo/plugins/d")
    .plugin("e", "repo/plugins/e");
    let binary = fixture.dir.path().join("repo/plugins/d/backend/Cargo.toml");
    fs::create_dir_all(binary.parent().unwrap()).unwrap();
    fs::write(binary, b"[package]\nname = \"\xff\"").unwrap();
    insta::assert_snapshot!(fixture.errors(), @"
    HUB050 $DIR/repo/plugins/a/backend/Cargo.toml:7:14 [a] dependency `x` leads out of the plugin: ../../b/backend
    HUB053 $DIR/repo/plugins/b/backend/Cargo.toml:2:8 [b] the package name `hub_plugin_a` is already that of a crate of plugin a
    HUB052 $DIR/repo/plugins/b/backend/Cargo.toml:7:14 [b] there is no Cargo.toml in missing
    HUB052 $DIR/repo/plugins/c/backend/Cargo.toml:1:9 [c] Cargo.toml is not valid TOML: unclosed table, expected `]`
    HUB052 $DIR/repo/plugins/d/backend/Cargo.toml:2:9 [d] Cargo.toml is not UTF-8 text
    HUB053 $DIR/repo/plugins/e/backend/Cargo.toml:2:8 [e] the package name `hub-host` is already that of a crate of the platform
    ");
    assert!(!fixture.out().exists());
}

#[test]
fn a_link_out_of_the_plugin_is_not_followed() {
    let fixture = Fixture::new(&[
        ("repo/plugins/crm/backend/Cargo.toml", &manifest("hub-plugin-crm", HUB)),
        ("repo/plugins/crm/backend/src/lib.rs", ""),
        ("secret.rs", "pub const KEY: &str = \"\";"),
    ])
    .plugin("crm", "repo/plugins/crm");
    let link = fixture.dir.path().join("repo/plugins/crm/backend/src/secret.rs");
    std::os::unix::fs::symlink("../../../../../secret.rs", link).unwrap();
    let told = fixture.errors();
    assert!(told.contains("HUB057") && told.contains("leads out of the plugin"), "{told}");
}
