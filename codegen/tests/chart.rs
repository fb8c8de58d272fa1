//! The Helm chart: what is generated of it, and what real Helm makes of the whole. Manifests are held to the schemas of
//! Kubernetes itself.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hub_codegen::pack::chart;
use hub_manifest::plan::{HostPlan, HostPlugin};
use serde_json::json;

/// A release with settings of every type; two plugins share one variable.
fn plan() -> HostPlan {
    let plugin = |name: &str, config: serde_json::Value| HostPlugin {
        name: name.to_owned(),
        display_name: name.to_uppercase(),
        config: serde_json::from_value(config).expect("settings"),
        ..HostPlugin::default()
    };
    let plugins = vec![
        plugin(
            "crm",
            json!({
                "api_key": {"type": "password", "env": "CRM_API_KEY", "required": true, "label": "Key of the API"},
                "page_size": {"type": "integer", "env": "CRM_PAGE_SIZE", "default": 25},
                "rate": {"type": "number", "env": "CRM_RATE"},
                "sandbox": {"type": "boolean", "env": "CRM_SANDBOX", "default": true},
                "region": {"type": "enum", "env": "CRM_REGION", "values": ["eu", "us"], "required": true, "default": "eu"},
                "smtp": {"type": "string", "env": "SMTP_HOST", "label": "Mail | server"},
                "fixed": {"type": "string", "default": "no variable leads here"},
            }),
        ),
        plugin("patient-flow", json!({"smtp": {"type": "string", "env": "SMTP_HOST", "required": true}})),
        plugin("finance", json!({})),
    ];
    HostPlan { version: "1.2.3+build.4".to_owned(), plugins }
}

fn files(plan: &HostPlan) -> BTreeMap<String, String> {
    chart::files(&repo().join("host-template/chart"), plan).expect("the chart's files")
}

/// Compares with the text written down beside this file.
fn written_down(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("chart");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Real Helm, and beside it the program that knows the schemas of Kubernetes.
struct Helm {
    program: PathBuf,
    folder: tempfile::TempDir,
    chart: PathBuf,
}

/// Tells the test command, for nobody sees what a test prints that passes.
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(file) = std::env::var_os("HUB_SKIPPED") {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let mut file =
            File::options().append(true).create(true).open(file).expect("the list of what is skipped");
        file.write_all(format!("lack\t{test}\t{why}\n").as_bytes()).expect("what is skipped");
    }
}

impl Helm {
    /// With the chart packed as the build packs it.
    fn with(plan: &HostPlan) -> Option<Helm> {
        let Some(program) = std::env::var_os("HUB_HELM").map(PathBuf::from) else {
            skipped("HUB_HELM is not set; `cargo xtask test` prepares what this test needs");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let packed = chart::write(&chart::Job { repo: &repo(), plan, out: folder.path() }).expect("a chart");
        Some(Helm { program, chart: packed.path, folder })
    }

    fn run(&self, arguments: &[&str], values: &str) -> Output {
        let file = self.folder.path().join("values.yaml");
        fs::write(&file, values).expect("a file of values");
        let mut command = Command::new(&self.program);
        // Its own folders, so that no plugin or setting of whoever runs the test takes part.
        for name in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.folder.path().join("home"));
        }
        command.args(arguments).arg(&self.chart).arg("--values").arg(file);
        command.output().expect("Helm starts")
    }

    /// The manifests, held to the schemas of this version of Kubernetes; what Helm says where it refuses.
    fn template(&self, values: &str, kubernetes: &str) -> Result<String, String> {
        let version = format!("{kubernetes}.0");
        let out = self.run(&["template", "hub", "--kube-version", &version], values);
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let file = self.folder.path().join("manifests.yaml");
        fs::write(&file, &text).expect("a file of manifests");
        let mut validate = Command::new(self.program.with_file_name("kubernetes-validate"));
        validate.args(["--strict", "--kubernetes-version", kubernetes]).arg(file);
        let out = validate.output().expect("kubernetes-validate starts");
        let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{said}\n{text}");
        assert!(said.contains("passed for resource deployment/"), "{said}");
        Ok(text)
    }
}

/// All settings that there are, on PostgreSQL.
const EVERYTHING: &str = r#"
replicas: 3
image: {repository: registry.example.com/hub, pullPolicy: Always}
imagePullSecrets: [{name: registry}]
database: {url: {secret: database, key: url}}
admin: {email: ann@example.com, password: "a b$c"}
plugins:
  crm: {api_key: {secret: crm, key: token}, page_size: 123456789, rate: 2.5, sandbox: false, region: us, smtp: mail}
  patient-flow: {smtp: mail}
trustedProxies: [10.0.0.0/8, 'fd00::/8']
env: [{name: RUST_LOG, value: debug}]
certificates: {configMap: authorities}
service: {type: LoadBalancer, port: 443, annotations: {a: b}}
ingress:
  enabled: true
  className: nginx
  annotations: {c: d}
  hosts: [{host: hub.example.com}, {host: crm.example.com, path: /crm}]
  tls: [{secretName: hub-tls, hosts: [hub.example.com]}]
serviceAccount: {annotations: {e: f}}
podAnnotations: {g: h}
podLabels: {i: j}
nodeSelector: {k: l}
tolerations: [{key: m, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: Exists}]}]}}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {}}]
priorityClassName: high
extraVolumes: [{name: plugins, configMap: {name: plugins}}]
extraVolumeMounts: [{name: plugins, mountPath: /data/honeyframe/plugins}]
"#;

#[test]
fn what_follows_from_the_plan() {
    let files = files(&plan());
    let schema: serde_json::Value = serde_json::from_str(&files["values.schema.json"]).expect("JSON");
    written_down("schema", &format!("{:#}", schema["properties"]["plugins"]));
    written_down("variables", &files["files/settings.json"]);
    written_down("readme", &files["README.md"]);
    written_down("chart", &files["Chart.yaml"]);
}

#[test]
fn a_release_without_settings_says_so() {
    let files = files(&HostPlan { version: "1.0.0".to_owned(), plugins: Vec::new() });
    assert!(files["README.md"].contains("None of this release's plugins has any."));
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let made = || {
        let folder = tempfile::tempdir().expect("a folder");
        let (plan, repo) = (plan(), repo());
        let packed =
            chart::write(&chart::Job { repo: &repo, plan: &plan, out: folder.path() }).expect("a chart");
        assert_eq!(packed.path.file_name().expect("a name"), "hub-platform-1.2.3+build.4.tgz");
        packed.sha256
    };
    assert_eq!(made(), made());
}

#[test]
fn helm_finds_nothing_wrong() {
    let Some(helm) = Helm::with(&plan()) else { return };
    for values in ["", EVERYTHING] {
        let out = helm.run(&["lint", "--strict"], values);
        assert!(
            out.status.success(),
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn manifests() {
    let Some(helm) = Helm::with(&plan()) else { return };
    let template = |values, kubernetes| helm.template(values, kubernetes).expect("manifests");
    written_down("defaults", &template("", "1.31"));
    written_down("everything", &template(EVERYTHING, "1.31"));
    written_down("sqlite", &template("persistence: {enabled: true, storageClass: fast}", "1.31"));
    // Clusters that cannot wait by themselves are not asked to.
    let (new, old) = (template(EVERYTHING, "1.36"), template(EVERYTHING, "1.25"));
    assert!(new.contains("preStop") && !old.contains("preStop"));
}

#[test]
fn passwords_are_in_no_configmap() {
    let Some(helm) = Helm::with(&plan()) else { return };
    let values = "database: {url: 'postgres://hub:hidden@db/hub'}\n\
                  admin: {password: hidden}\nplugins: {crm: {api_key: hidden}}";
    let text = helm.template(values, "1.31").expect("manifests");
    assert!(!text.contains("hidden"), "{text}");
    for name in ["DATABASE_URL", "HUB_ADMIN_PASSWORD", "CRM_API_KEY"] {
        let with = text.split("\n---\n").find(|part| part.contains(name)).expect("a manifest");
        assert!(with.contains("kind: Secret"), "{with}");
    }
}

#[test]
fn other_settings_are_other_pods() {
    let Some(helm) = Helm::with(&plan()) else { return };
    let sum = |password: &str| {
        let values = format!("database: {{url: 'postgres://hub:{password}@db/hub'}}");
        let text = helm.template(&values, "1.31").expect("manifests");
        text.lines().find(|line| line.contains("checksum/settings")).expect("a checksum").to_owned()
    };
    assert_eq!(sum("a"), sum("a"));
    assert_ne!(sum("a"), sum("b"));
}

#[test]
fn values_that_cannot_work_are_refused_with_the_way_out() {
    let Some(helm) = Helm::with(&plan()) else { return };
    let cases = [
        (
            "replicas: 2",
            "replicas is 2, but database.url is empty: SQLite serves one host; name a PostgreSQL database",
        ),
        (
            "replicas: 2\ndatabase: {url: 'postgres://db/hub'}\npersistence: {enabled: true}",
            "hosts cannot share a data folder; with PostgreSQL leave persistence.enabled false, or set replicas to 1",
        ),
        ("database: {url: 'mysql://db/hub'}", "database.url: Does not match pattern"),
        ("database: {url: {secret: a}}", "database.url: key is required"),
        ("trustedProxies: [ingress.local]", "trustedProxies.0: Does not match pattern"),
        ("replica: 2", "Additional property replica is not allowed"),
        ("ingress: {enabled: true}", "ingress.hosts: Array must have at least 1 items"),
        ("plugins: {crn: {}}", "plugins: Additional property crn is not allowed"),
        ("plugins: {crm: {region: eu}}", "plugins.crm: api_key is required"),
        ("plugins: {crm: {api_key: a, region: mars}}", "plugins.crm.region must be one of the following"),
        (
            "plugins: {crm: {api_key: a, page_size: many}}",
            "plugins.crm.page_size: Invalid type. Expected: integer",
        ),
        ("plugins: {crm: {api_key: a, fixed: b}}", "plugins.crm: Additional property fixed is not allowed"),
        (
            "plugins: {patient-flow: {smtp: ''}}",
            "plugins.patient-flow.smtp: String length must be greater than",
        ),
        (
            "plugins: {crm: {api_key: a, smtp: one}, patient-flow: {smtp: two}}",
            "plugins.crm.smtp and plugins.patient-flow.smtp both set the variable SMTP_HOST, to different values",
        ),
    ];
    for (values, wanted) in cases {
        let said = helm.template(values, "1.31").expect_err(values);
        assert!(said.contains(wanted), "{values}\n{said}");
    }
}
