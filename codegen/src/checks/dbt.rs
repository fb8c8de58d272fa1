//! What dbt itself finds in the plugins' projects: dbt's own parser is run over each workspace of the plan.
//!
//! Nothing is written into a plugin: dbt's output, its log and a profile for it lie below the target folder.

mod messages;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hub_manifest::codes;
use hub_manifest::dbt_packages::INSTALL_PATH;
use hub_manifest::diagnostic::{self, Diagnostic};
use hub_manifest::plan::{DbtWorkspace, Plan};
use hub_manifest::rules::files::join;
use serde_json::json;

use crate::base::failure::Machine;
use crate::base::write::write_if_changed;
use crate::load::LoadedPlugin;

/// What is installed, relative to the checkout: dbt's parser, pinned.
const REQUIREMENTS: &str = "tests/dbt/parser.txt";
/// The parser's program.
const PARSER: &str = "dbt-core-experimental-parser";

/// One project to be parsed.
struct Project<'a> {
    plugin: &'a LoadedPlugin,
    workspace: &'a DbtWorkspace,
}

/// Where dbt's parser is and where its output goes.
#[derive(Debug)]
pub struct Dbt {
    program: PathBuf,
    output: PathBuf,
}

impl Dbt {
    /// Installs the parser into an environment of its own below `target`, unless it is there. `starting` is called before
    /// anything is downloaded.
    pub fn ensure(repo: &Path, target: &Path, starting: impl FnOnce()) -> Result<Dbt, Machine> {
        let output = target.join("dbt");
        let folder = output.join("python");
        let dbt = Dbt { program: folder.join("bin").join(PARSER), output };
        let requirements = repo.join(REQUIREMENTS);
        let text = fs::read_to_string(&requirements).map_err(|e| Machine::io("read", &requirements, &e))?;
        let stamp = folder.join("requirements.stamp");
        if dbt.program.is_file() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
            return Ok(dbt);
        }
        starting();
        // Another check may be at it: then this one waits, and finds it done.
        fs::create_dir_all(&dbt.output).map_err(|e| Machine::io("write", &dbt.output, &e))?;
        let lock = dbt.output.join("install.lock");
        let held = File::create(&lock).and_then(|file| file.lock().map(|()| file));
        let _held = held.map_err(|e| Machine::io("lock", &lock, &e))?;
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
            return Ok(dbt);
        }
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        install(venv, "install Python 3 with venv (Debian: python3-venv)")?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements);
        let help = format!(
            "with a network, run `{}/bin/python -m pip install -r {REQUIREMENTS}`, or leave `--dbt` out",
            folder.display()
        );
        install(pip, &help)?;
        write_if_changed(&stamp, text.as_bytes()).map_err(|e| Machine::io("write", &stamp, &e))?;
        Ok(dbt)
    }

    /// Everything that dbt finds in the workspaces of the plan, sorted.
    pub fn check(&self, plan: &Plan, loaded: &[LoadedPlugin]) -> Result<Vec<Diagnostic>, Machine> {
        let of = |name: &str| loaded.iter().find(|plugin| plugin.slug() == name);
        let plugins = plan.host.plugins.iter().filter_map(|planned| Some((planned, of(&planned.name)?)));
        let projects: Vec<Project<'_>> = plugins
            .flat_map(|(planned, plugin)| {
                planned.dbt_workspaces.iter().map(move |workspace| Project { plugin, workspace })
            })
            .collect();
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(projects.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(project) = projects.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let parsed = self.parse(project);
                        found.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(parsed);
                    }
                });
            }
        });
        let parsed = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut diagnostics: Vec<Diagnostic> =
            parsed.into_iter().collect::<Result<Vec<_>, Machine>>()?.into_iter().flatten().collect();
        diagnostic::sort(&mut diagnostics);
        Ok(diagnostics)
    }

    /// Runs the parser over one project.
    fn parse(&self, project: &Project<'_>) -> Result<Vec<Diagnostic>, Machine> {
        let workspace = project.workspace;
        // A folder of its own: another check may be looking at a workspace of this name.
        let projects = self.output.join("projects");
        let folder = fs::create_dir_all(&projects).and_then(|()| tempfile::tempdir_in(&projects));
        let folder = folder.map_err(|e| Machine::io("write", &projects, &e))?;
        let output = folder.path();
        let profiles = output.join("profiles.yml");
        // JSON is YAML. The parser asks for a profile and never connects.
        let profile = json!({ &workspace.profile: {
            "target": "check", "outputs": { "check": { "type": "duckdb", "path": ":memory:" } },
        }});
        write_if_changed(&profiles, profile.to_string().as_bytes())
            .map_err(|e| Machine::io("write", &profiles, &e))?;
        let mut command = Command::new(&self.program);
        command.args(["parse", "--log-format", "json", "--project-dir", ".", "--profiles-dir"]).arg(output);
        command.arg("--profile").arg(&workspace.profile);
        command.arg("--target-path").arg(output.join("target"));
        command.arg("--log-path").arg(output.join("logs"));
        command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false").env("RUST_BACKTRACE", "0");
        let stage = output.join("plugin");
        stage_project(project, &stage).map_err(|e| Machine::io("copy the project to", &stage, &e))?;
        command.current_dir(stage.join(&workspace.project_dir));
        let ran =
            command.stdin(Stdio::null()).output().map_err(|e| Machine::io("start", &self.program, &e))?;
        let errors = messages::errors(&String::from_utf8_lossy(&ran.stdout));
        if errors.is_empty() && !ran.status.success() {
            let what = format!("dbt's parser failed on the workspace `{}` ({})", workspace.slug, ran.status);
            let help = "run the command again, or leave `--dbt` out";
            return Err(Machine::new(what, help).details(String::from_utf8_lossy(&ran.stderr)));
        }
        let known = messages::Known::read(&output.join("target/manifest.json"));
        Ok(errors
            .iter()
            .map(|error| messages::diagnostic(error, project.plugin, &workspace.project_dir, &known))
            .collect())
    }
}

/// Copies a project, with its local packages where dbt looks for them: dbt's parser writes beside what it reads, and
/// nothing is written into a plugin.
fn stage_project(project: &Project<'_>, stage: &Path) -> io::Result<()> {
    let Project { plugin, workspace } = project;
    let copy = |file: &str, to: &str| -> io::Result<()> {
        let to = stage.join(to);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        // The bytes alone: a file that may not be written to is written to here.
        fs::write(to, fs::read(plugin.folder.root.join(file))?)
    };
    let inside = |folder: &str, file: &'_ str| -> Option<String> {
        if folder == "." {
            Some(file.to_owned())
        } else {
            file.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned)
        }
    };
    let install =
        plugin.projects.get(&workspace.project_dir).map(|project| &project.project.packages_install_path);
    let install = join(&workspace.project_dir, install.map_or(INSTALL_PATH, String::as_str));
    for file in &plugin.folder.files {
        if let Some(inner) = inside(&workspace.project_dir, file)
            && !["target/", "logs/"].iter().any(|written| inner.starts_with(written))
        {
            copy(file, file)?;
        }
        for package in &workspace.packages {
            if let Some(inner) = inside(package, file) {
                copy(file, &format!("{install}/{}/{inner}", package.replace('/', "_")))?;
            }
        }
    }
    // A project of no files but its own is a folder all the same.
    fs::create_dir_all(stage.join(&workspace.project_dir))
}

/// Runs one step of the installation.
fn install(mut command: Command, help: &str) -> Result<(), Machine> {
    let failed = |details: String| Machine::new("dbt's parser cannot be installed", help).details(details);
    match command.stdin(Stdio::null()).output() {
        Ok(ran) if ran.status.success() => Ok(()),
        Ok(ran) => Err(failed(String::from_utf8_lossy(&ran.stderr).into_owned())),
        Err(error) => Err(failed(format!("{}: {error}", command.get_program().to_string_lossy()))),
    }
}

/// What dbt found beyond what is told already: two models of one name are found by either, dbt or not.
pub fn untold(found: Vec<Diagnostic>, told: &[Diagnostic]) -> Vec<Diagnostic> {
    let same_name = told.iter().filter(|told| told.code == codes::DUPLICATE_MODEL).map(|told| &told.file);
    let files: BTreeSet<_> = same_name.collect();
    found
        .into_iter()
        .filter(|found| found.code != codes::DBT_DUPLICATE_NAME || !files.contains(&found.file))
        .collect()
}
