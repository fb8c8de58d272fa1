//! The bundle stage: builds the bundler where it must, hands it one job, and reads its answer.
//!
//! The bundler is a program of its own, because it takes long to compile and because the other commands do without it.

pub mod npm;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use hub_manifest::diagnostic::{Diagnostic, Level};
use hub_manifest::wire::bundler::{self, Asset, Placed, Reply, Timings};
pub use hub_manifest::wire::bundler::{Mode, WebPackage};
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

use crate::base::cargo::{self, Call, Progress};
use crate::base::digest::{Digest, FileCache};
use crate::base::failure::{Failure, Finding, Machine};
use crate::base::write::write_if_changed;

/// Package and program name of the bundler.
const PACKAGE: &str = "hub-bundle";

/// One run of the bundle stage.
pub struct Job<'a> {
    /// The repository, absolute.
    pub repo: &'a Path,
    /// Folder of the generated TypeScript, absolute.
    pub generated: &'a Path,
    /// Root folder of each plugin with a frontend, absolute, by slug.
    pub plugins: &'a BTreeMap<String, PathBuf>,
    /// Folder of the assets, absolute; replaced when everything succeeded.
    pub out: &'a Path,
    /// For whom.
    pub mode: Mode,
    /// Whether compressed twins are made.
    pub compress: bool,
    /// Fingerprint of the installed npm packages.
    pub packages: &'a str,
    /// Cargo's target folder, absolute.
    pub target_dir: &'a Path,
    /// Where the stage notes what it did last.
    pub stamp: &'a Path,
    /// Whether cargo must not use the network.
    pub offline: bool,
}

/// What the stage gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// Each lazily imported module, by its path (`plugins/<slug>/…`).
    pub modules: BTreeMap<String, Placed>,
    /// The assets.
    pub files: Vec<Asset>,
    /// The packages in them, sorted.
    pub packages: Vec<WebPackage>,
    /// Warnings.
    pub findings: Vec<Finding>,
    /// Milliseconds that linking and compressing took, of the run that made the assets.
    pub timings: Timings,
    /// Whether nothing had to be done.
    pub fresh: bool,
}

/// What the stage did last.
#[derive(Serialize, Deserialize)]
struct Stamp {
    inputs: String,
    bundler: String,
    reply: Reply,
}

/// Bundles the web shell with the plugins' modules.
pub fn bundle(
    job: &Job,
    cache: &mut FileCache,
    progress: &mut dyn FnMut(Progress),
) -> Result<Bundled, Failure> {
    let broken = |error: io::Error| Machine::new(format!("cannot read the web's sources: {error}"), "");
    let bundler = bundler_digest(job, cache).map_err(broken)?;
    let inputs = inputs_digest(job, cache).map_err(broken)?;
    let last: Option<Stamp> = fs::read(job.stamp).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(stamp) = &last
        && stamp.inputs == inputs
        && stamp.bundler == bundler
        && complete(job.out, &stamp.reply.files)
    {
        return Ok(bundled(job, stamp.reply.clone(), true));
    }
    let program = job.target_dir.join("debug").join(PACKAGE);
    if !(program.is_file() && last.is_some_and(|stamp| stamp.bundler == bundler)) {
        build(job, &program, progress)?;
    }
    let reply = run(job, &program)?;
    if !reply.ok {
        return Err(Failure::Plugin(findings(job, &reply.diagnostics)));
    }
    let stamp = Stamp { inputs, bundler, reply };
    // The stamp only saves time: where it cannot be written, the assets are made again.
    let _ = serde_json::to_vec(&stamp)
        .map_err(io::Error::from)
        .and_then(|text| write_if_changed(job.stamp, &text));
    Ok(bundled(job, stamp.reply, false))
}

fn bundled(job: &Job, reply: Reply, fresh: bool) -> Bundled {
    let findings = findings(job, &reply.diagnostics);
    Bundled {
        modules: reply.modules,
        files: reply.files,
        packages: reply.packages,
        findings,
        timings: reply.timings,
        fresh,
    }
}

/// Whether all assets are still there, with the lengths that they had.
fn complete(out: &Path, files: &[Asset]) -> bool {
    !files.is_empty()
        && files
            .iter()
            .all(|file| fs::metadata(out.join(&file.path)).is_ok_and(|meta| meta.len() == file.size))
}

/// Folders of the crates that the bundler is compiled from, relative to the repository.
const CRATES: [&str; 2] = ["bundle", "manifest"];

/// Fingerprint of what the bundler is compiled from.
fn bundler_digest(job: &Job, cache: &mut FileCache) -> io::Result<String> {
    let mut digest = Digest::new("bundler 1");
    for name in ["Cargo.toml", "Cargo.lock"] {
        digest.add(name, cache.hash(&job.repo.join(name))?.sha256.as_bytes());
    }
    for name in CRATES {
        add_folder(&mut digest, cache, name, &job.repo.join(name), |_| true)?;
    }
    digest.add("target", job.target_dir.as_os_str().as_encoded_bytes());
    digest.add("toolchain", std::env::var_os("RUSTUP_TOOLCHAIN").unwrap_or_default().as_encoded_bytes());
    Ok(digest.finish())
}

/// Fingerprint of everything that a bundle is made of.
fn inputs_digest(job: &Job, cache: &mut FileCache) -> io::Result<String> {
    let mut digest = Digest::new("bundle 2");
    digest.add("job", &serde_json::to_vec(&request(job))?);
    digest.add("packages", job.packages.as_bytes());
    for name in ["host-template/shell", "host-template/plugin-host"] {
        add_folder(&mut digest, cache, name, &job.repo.join(name), |_| true)?;
    }
    add_folder(&mut digest, cache, "generated", job.generated, |_| true)?;
    for (slug, root) in job.plugins {
        add_folder(&mut digest, cache, slug, root, is_web)?;
    }
    Ok(digest.finish())
}

/// Whether a file or folder of a plugin can be part of the web: an edit in the backend is none of the bundler's
/// business.
fn is_web(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    if entry.file_type().is_dir() {
        let backend = entry.depth() == 1
            && ["backend", "dbt", "migrations", "target"].iter().any(|n| name == OsStr::new(n));
        return !backend;
    }
    let other = ["rs", "toml", "lock", "sql", "py", "md", "yaml", "yml"];
    Path::new(name).extension().and_then(OsStr::to_str).is_none_or(|extension| !other.contains(&extension))
}

/// Adds the files of a folder that `wanted` accepts; hidden files and installed packages never count.
fn add_folder(
    digest: &mut Digest,
    cache: &mut FileCache,
    name: &str,
    folder: &Path,
    wanted: impl Fn(&DirEntry) -> bool,
) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let kept = |entry: &DirEntry| {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        entry.depth() == 0 || (!hidden && entry.file_name() != OsStr::new("node_modules") && wanted(entry))
    };
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(kept) {
        // A link that leads nowhere or in a circle is the bundler's to report, if it matters at all.
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let hash = cache.hash(entry.path())?;
            digest.add(&format!("{name}/{}", path.display()), hash.sha256.as_bytes());
        }
    }
    Ok(())
}

fn request(job: &Job) -> bundler::Job {
    let shell = job.repo.join("host-template/shell");
    bundler::Job {
        repo: job.repo.to_path_buf(),
        entry: shell.join("src/main.tsx"),
        html: shell.join("index.html.hbs"),
        generated: job.generated.to_path_buf(),
        plugins: job.plugins.clone(),
        out: job.out.to_path_buf(),
        mode: job.mode,
        compress: job.compress,
        title: None,
    }
}

/// Compiles the bundler, in the profile that xtask itself was compiled with.
fn build(job: &Job, program: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), Failure> {
    let mut args: Vec<_> = ["build", "--package", PACKAGE, "--locked"].map(Into::into).into();
    args.extend(["--target-dir".into(), job.target_dir.into()]);
    if job.offline {
        args.push("--offline".into());
    }
    let call = Call { folder: job.repo.to_path_buf(), args, ..Call::default() };
    let outcome = cargo::run(&call, progress)?;
    if outcome.success && program.is_file() {
        return Ok(());
    }
    let mut said = cargo::complaint(&outcome.stderr);
    for message in outcome.messages.iter().filter_map(|m| m.message.rendered.as_deref()) {
        said.push('\n');
        said.push_str(message);
    }
    let machine = cargo::machine_lack(&said).unwrap_or_else(|| {
        Machine::new(
            "the bundler does not compile",
            "this is the platform's own program: see what cargo says below",
        )
        .details(said)
    });
    Err(machine.into())
}

/// Hands the bundler its job.
fn run(job: &Job, program: &Path) -> Result<Reply, Failure> {
    let text = serde_json::to_vec(&request(job))
        .map_err(|e| Machine::new(format!("cannot write the job: {e}"), ""))?;
    let failed = |error: io::Error| Machine::io("run", program, &error);
    let mut command = Command::new(program);
    command.current_dir(job.repo).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // In a thread of its own: the bundler may answer before it has read everything.
        scope.spawn(move || {
            if let Some(stdin) = &mut stdin {
                let _ = stdin.write_all(&text);
            }
        });
        child.wait_with_output()
    })
    .map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
    let line = output.stdout.split(|b| *b == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    match (output.status.code(), serde_json::from_slice::<Reply>(line)) {
        (Some(0 | 1), Ok(reply)) if reply.ok || reply.diagnostics.iter().any(|d| d.level == Level::Error) => {
            Ok(reply)
        }
        (Some(3), _) => {
            let what = said.strip_prefix("hub-bundle: ").unwrap_or(&said);
            Err(Machine::new(format!("the web shell cannot be bundled: {what}"), "").into())
        }
        (None, _) => {
            let help = "if the machine ran out of memory, add memory or swap";
            Err(Machine::new(format!("the bundler was stopped ({})", output.status), help)
                .details(said)
                .into())
        }
        _ => Err(Machine::new("the bundler failed", "this is an error in the platform itself")
            .details(said)
            .into()),
    }
}

/// The bundler's findings in the words of all stages.
fn findings(job: &Job, said: &[bundler::Finding]) -> Vec<Finding> {
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    said.iter().map(|said| Finding::from(diagnostic(job, said, &mut texts))).collect()
}

fn diagnostic(job: &Job, said: &bundler::Finding, texts: &mut BTreeMap<PathBuf, String>) -> Diagnostic {
    let diagnostic =
        Diagnostic { level: said.level, ..Diagnostic::error(said.code, &said.message) }.help(&said.help);
    let Some(file) = &said.file else { return diagnostic };
    let path = job.repo.join(file);
    let text = texts.entry(path.clone()).or_insert_with(|| fs::read_to_string(&path).unwrap_or_default());
    let span = said.spot().span(text);
    let plugin = job.plugins.iter().find(|(_, root)| path.starts_with(root)).map(|(slug, _)| slug.clone());
    Diagnostic { plugin, ..diagnostic.at(path, span) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    use hub_manifest::diagnostic::Span;

    /// A repository with a shell and one plugin; its bundler is a script that stands in where the real one's failures
    /// cannot be had at will.
    struct Fixture {
        dir: tempfile::TempDir,
        plugins: BTreeMap<String, PathBuf>,
    }

    impl Fixture {
        fn new() -> Fixture {
            let dir = tempfile::tempdir().unwrap();
            let plugins = BTreeMap::from([("crm".to_string(), dir.path().join("elsewhere/crm"))]);
            let fixture = Fixture { dir, plugins };
            for (path, text) in [
                ("Cargo.toml", ""),
                ("Cargo.lock", ""),
                ("bundle/src/main.rs", ""),
                ("host-template/shell/src/main.tsx", "start();"),
                ("host-template/shell/node_modules/x/index.js", ""),
                ("generated/overrides.ts", ""),
                ("elsewhere/crm/frontend/src/Card.tsx", "const ä = 1;\nconst b = <Card;\n"),
                ("elsewhere/crm/backend/src/lib.rs", ""),
                ("elsewhere/crm/plugin.yaml", "name: crm"),
            ] {
                fixture.write(path, text);
            }
            fixture
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// Puts a script in the bundler's place, and a note that says that it is up to date.
        fn bundler(&self, script: &str) -> PathBuf {
            self.write("bundler", &format!("#!/bin/sh\ncat > /dev/null\n{script}\n"));
            let program = self.dir.path().join("bundler");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            program
        }

        fn with<T>(&self, check: impl FnOnce(&Job, &mut FileCache) -> T) -> T {
            let (root, at) = (self.dir.path(), |path: &str| self.dir.path().join(path));
            let mut cache = FileCache::open(&at("cache.json"));
            let (generated, out, target_dir, stamp) =
                (at("generated"), at("dist"), at("target"), at("bundle.json"));
            let job = Job {
                repo: root,
                generated: &generated,
                plugins: &self.plugins,
                out: &out,
                mode: Mode::Production,
                compress: true,
                packages: "packages",
                target_dir: &target_dir,
                stamp: &stamp,
                offline: true,
            };
            check(&job, &mut cache)
        }

        fn digest(&self) -> String {
            self.with(|job, cache| inputs_digest(job, cache).unwrap())
        }

        fn failure(&self, script: &str) -> String {
            let program = self.bundler(script);
            match self.with(|job, _| run(job, &program)) {
                Err(Failure::Machine(machine)) => machine.to_string(),
                other => panic!("no failure of the machine: {other:?}"),
            }
        }
    }

    #[test]
    fn only_what_the_web_is_made_of_counts() {
        let fixture = Fixture::new();
        let first = fixture.digest();
        fixture.write("elsewhere/crm/backend/src/lib.rs", "// edited");
        fixture.write("elsewhere/crm/plugin.yaml", "name: crm\nversion: 1.0.0");
        fixture.write("host-template/shell/node_modules/x/index.js", "edited");
        fixture.write("host-template/shell/src/.main.tsx.swp", "");
        assert_eq!(fixture.digest(), first);
        let mut seen = vec![first];
        for (path, text) in [
            ("elsewhere/crm/frontend/src/Card.tsx", "const c = 1;"),
            ("elsewhere/crm/frontend/src/logo.svg", "<svg/>"),
            ("elsewhere/crm/shared/util.ts", ""),
            ("host-template/plugin-host/src/index.ts", ""),
            ("generated/overrides.ts", "export {}"),
        ] {
            fixture.write(path, text);
            let next = fixture.digest();
            assert!(!seen.contains(&next), "{path}");
            seen.push(next);
        }
    }

    #[test]
    fn the_bundler_is_compiled_again_when_one_of_its_crates_changed() {
        let fixture = Fixture::new();
        let digest = || fixture.with(|job, cache| bundler_digest(job, cache).unwrap());
        let mut seen = vec![digest()];
        for path in ["bundle/src/main.rs", "manifest/src/codes/build.rs"] {
            fixture.write(path, "// edited");
            let next = digest();
            assert!(!seen.contains(&next), "{path}");
            seen.push(next);
        }
    }

    /// A crate that the bundler depends on and that [`CRATES`] lacks would leave an old bundler in use.
    #[test]
    fn the_bundlers_crates_are_all_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bundle");
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let paths = text.split("path = \"../").skip(1).filter_map(|rest| rest.split('"').next());
        let known: Vec<&str> = CRATES.into_iter().filter(|name| *name != "bundle").collect();
        assert_eq!(paths.collect::<Vec<_>>(), known);
    }

    #[test]
    fn findings_are_placed_in_the_authors_file() {
        let fixture = Fixture::new();
        let file = fixture.dir.path().join("elsewhere/crm/frontend/src/Card.tsx");
        let reply = format!(
            r#"{{"ok":false,"diagnostics":[{{"level":"error","code":"HUB060","message":"unexpected end","file":"{}","line":1,"column":9,"length":1,"help":"close the tag"}},{{"level":"warning","code":"HUB999","message":"odd","file":null,"help":""}}]}}"#,
            file.display()
        );
        let program = fixture.bundler(&format!("echo noise\necho '{reply}'\nexit 1"));
        let found = fixture.with(|job, _| findings(job, &run(job, &program).unwrap().diagnostics));
        let first = &found[0].diagnostic;
        assert_eq!(
            (first.code.id(), first.plugin.as_deref(), first.file.as_ref()),
            ("HUB060", Some("crm"), Some(&file))
        );
        // `ä` is two bytes: the column counts characters, the offset bytes.
        assert_eq!(first.span, Span { offset: 9, len: 1, line: 1, column: 9 });
        assert_eq!((found[1].diagnostic.code.id(), found[1].diagnostic.level), ("HUB069", Level::Warning));
    }

    #[test]
    fn the_bundlers_own_failures_are_told_apart() {
        let fixture = Fixture::new();
        insta::assert_snapshot!(fixture.failure("echo 'hub-bundle: cannot write /dist: full' >&2; exit 3"), @"the web shell cannot be bundled: cannot write /dist: full");
        insta::assert_snapshot!(fixture.failure("echo 'thread main panicked' >&2; exit 101"), @"
        the bundler failed
          = help: this is an error in the platform itself

        thread main panicked
        ");
        insta::assert_snapshot!(fixture.failure("kill -9 $$"), @"
        the bundler was stopped (signal: 9 (SIGKILL))
          = help: if the machine ran out of memory, add memory or swap
        ");
        insta::assert_snapshot!(fixture.failure("echo '{\"ok\":false,\"diagnostics\":[]}'; exit 1"), @"
        the bundler failed
          = help: this is an error in the platform itself
        ");
    }

    #[test]
    fn nothing_is_done_while_nothing_changed() {
        let fixture = Fixture::new();
        fixture.write("dist/index.html", "<html>");
        let reply = Reply {
            ok: true,
            files: vec![Asset { path: "index.html".to_string(), size: 6 }],
            ..Reply::default()
        };
        fixture.with(|job, cache| {
            let stamp = Stamp {
                inputs: inputs_digest(job, cache).unwrap(),
                bundler: bundler_digest(job, cache).unwrap(),
                reply,
            };
            fs::write(job.stamp, serde_json::to_vec(&stamp).unwrap()).unwrap();
        });
        let fresh = fixture.with(|job, cache| bundle(job, cache, &mut |_| {})).unwrap();
        assert!(fresh.fresh && fresh.files.len() == 1);
        // An asset that is gone or cut short is made again: here that needs a bundler, which there is not.
        fixture.write("dist/index.html", "");
        assert!(fixture.with(|job, cache| bundle(job, cache, &mut |_| {})).is_err());
    }
}
