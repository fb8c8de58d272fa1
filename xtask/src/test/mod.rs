//! `cargo xtask test`: everything the project checks, one step after the other, the end-to-end tests last.

mod machine;
mod python;
mod skips;
mod suites;

use std::fs::{self, File};
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hub_codegen::bundle::npm;
use hub_codegen::pipeline::Repo;
use hub_codegen::scaffold;
use toml_edit::DocumentMut;

use crate::Outcome;
use crate::audit;
use crate::bench;
use crate::cli::{AuditArgs, Bench, BenchArgs, TestArgs};
use crate::crates;
use crate::like_the_host::{self, of_the_runtime};
use crate::progress::seconds;
use machine::Machine;
use python::Python;
use skips::Skips;
use suites::{Rounds, pass};

/// Names the long tests that are wanted to the end-to-end tests.
const LONG: &str = "HUB_LONG";

/// One thing that is checked.
struct Step<'a> {
    name: &'static str,
    work: Work<'a>,
}

enum Work<'a> {
    /// Brings what test programs use, and does next to nothing where it is there.
    Setup(Box<dyn Fn() -> Result<(), String> + 'a>),
    /// Checks something without test programs.
    Plain(Box<dyn Fn() -> Result<(), String> + 'a>),
    /// Gives the command that runs test programs.
    Tests(Box<dyn Fn() -> Result<Command, String> + 'a>),
}

/// What all steps are made of.
struct Tester<'a> {
    repo: &'a Repo,
    machine: &'a Machine,
    args: &'a TestArgs,
    skips: &'a Skips,
}

/// Runs all steps and says first which are skipped; stops at the first that fails.
pub fn run(args: &TestArgs) -> Outcome {
    let repo = Repo::find();
    let machine = Machine::look();
    let missing = machine.missing();
    for (what, how) in &missing {
        eprintln!("skipped: {what}; to run it: {how}");
    }
    if args.require_all && !missing.is_empty() {
        eprintln!("error: with --require-all nothing may be skipped");
        return Outcome::Machine;
    }
    let skips = match Skips::new(&repo) {
        Ok(skips) => skips,
        Err(problem) => {
            eprintln!("error: {problem}");
            return Outcome::Machine;
        }
    };
    let tester = Tester { repo: &repo, machine: &machine, args, skips: &skips };
    let steps = chosen(tester.steps(), &args.only);
    if steps.is_empty() {
        eprintln!("error: no step is called so; the steps are: {}", tester.names().join(", "));
        return Outcome::Usage;
    }
    match args.repeat {
        Some(rounds) => tester.repeat(&steps, rounds),
        None => tester.once(&steps),
    }
}

/// The steps whose names hold one of the words, all of them without words; and before test programs what these use, which a
/// machine that has never run all steps does not have.
fn chosen<'a>(steps: Vec<Step<'a>>, words: &[String]) -> Vec<Step<'a>> {
    let named = |step: &Step| words.is_empty() || words.iter().any(|word| step.name.contains(word.as_str()));
    let tests = steps.iter().any(|step| named(step) && matches!(step.work, Work::Tests(_)));
    let setup = |step: &Step| tests && matches!(step.work, Work::Setup(_));
    steps.into_iter().filter(|step| named(step) || setup(step)).collect()
}

impl<'a> Tester<'a> {
    fn once(&self, steps: &[Step]) -> Outcome {
        let begun = Instant::now();
        let said = AtomicBool::new(false);
        // Said once: before the last verdict of the last test programs, or where it ends early.
        let closing = || {
            if !said.swap(true, Ordering::Relaxed) {
                self.closing();
            }
        };
        for (at, step) in steps.iter().enumerate() {
            // Said before a step, not after it: the last lines are the test runner's own.
            eprintln!("\n== {} (after {})", step.name, seconds(begun.elapsed()));
            let last = at + 1 == steps.len();
            let done = match &step.work {
                Work::Setup(work) | Work::Plain(work) => work(),
                Work::Tests(tests) => tests().and_then(|mut command| {
                    suites::run(&mut command, &mut io::stdout(), &|| {
                        if last {
                            closing()
                        }
                    })
                    .1
                }),
            };
            if let Err(problem) = done {
                closing();
                eprintln!("== {}: {problem}", step.name);
                return Outcome::Failed;
            }
        }
        closing();
        self.complete()
    }

    /// Prepares everything once and runs the test programs again and again, all of them each time: what fails now and then is
    /// told by name.
    fn repeat(&self, steps: &[Step], rounds: u32) -> Outcome {
        for step in steps {
            if let Work::Setup(work) | Work::Plain(work) = &step.work {
                eprintln!("\n== {}", step.name);
                if let Err(problem) = work() {
                    eprintln!("== {}: {problem}", step.name);
                    return Outcome::Failed;
                }
            }
        }
        let folder = self.repo.target.join("test/repeat");
        if let Err(error) = fs::create_dir_all(&folder) {
            eprintln!("error: cannot make {}: {error}", folder.display());
            return Outcome::Machine;
        }
        let load = Load::new(self.args.load);
        let mut all = Rounds::default();
        for round in 1..=rounds {
            for step in steps {
                let Work::Tests(tests) = &step.work else { continue };
                let begun = Instant::now();
                let log = folder.join(format!("{round}-{}.log", step.name.replace(' ', "-")));
                let (said, ended) = match (tests(), File::create(&log)) {
                    (Ok(mut command), Ok(mut file)) => {
                        suites::run(command.arg("--no-fail-fast"), &mut file, &|| {})
                    }
                    (Err(problem), _) => (suites::Said::default(), Err(problem)),
                    (_, Err(error)) => (suites::Said::default(), Err(error.to_string())),
                };
                all.add(step.name, &said, &ended);
                let (passed, failed, time) = (said.passed, &said.failed, seconds(begun.elapsed()));
                let verdict =
                    if ended.is_ok() { String::new() } else { format!("; FAILED: {}", failed.join(", ")) };
                eprintln!(
                    "round {round} of {rounds}: {}: {passed} passed in {time}{verdict} ({})",
                    step.name,
                    log.display()
                );
            }
            all.next();
        }
        drop(load);
        self.closing();
        for line in all.told() {
            eprintln!("{line}");
        }
        if all.sound() { self.complete() } else { Outcome::Failed }
    }

    /// What was not run, and how it is.
    fn closing(&self) {
        for (what, how) in self.machine.missing() {
            eprintln!("skipped: {what}; to run it: {how}");
        }
        let told = match self.skips.read() {
            Ok(told) => told,
            Err(error) => return eprintln!("error: what was skipped cannot be read: {error}"),
        };
        for test in told.lack {
            eprintln!("skipped: {test}");
        }
        for (name, what) in told.long {
            eprintln!(
                "not run, as it takes long: {what}; to run it: cargo xtask test --long={name} 'end to end'"
            );
        }
    }

    /// Done, unless something was skipped that may not be.
    fn complete(&self) -> Outcome {
        let skipped = self.skips.read().map(|told| !told.lack.is_empty()).unwrap_or(true);
        if self.args.require_all && skipped {
            eprintln!("error: with --require-all nothing may be skipped");
            return Outcome::Failed;
        }
        Outcome::Done
    }

    fn names(&self) -> Vec<&'static str> {
        self.steps().iter().map(|step| step.name).collect()
    }

    fn steps<'b>(&'b self) -> Vec<Step<'b>> {
        let (repo, machine) = (self.repo, self.machine);
        let (npm, python, rustfmt) = (machine.has("npm"), machine.has("python"), machine.has("rustfmt"));
        let browser = npm && machine.has("browser");
        let benches = npm && python && machine.has("wrk") && machine.has("pigz");
        let mut steps: Vec<Step<'b>> = Vec::new();
        // What takes a second is told before anything is brought.
        if rustfmt {
            let work = || pass(self.cargo("fmt").args(["--all", "--check"]));
            steps.push(Step { name: "formatting", work: Work::Plain(Box::new(work)) });
        }
        let mut setup = |wanted: bool, name, work: Box<dyn Fn() -> Result<(), String> + 'b>| {
            if wanted {
                steps.push(Step { name, work: Work::Setup(work) });
            }
        };
        setup(
            true,
            "crates of every lock file",
            Box::new(|| crates::fetch_all(repo).map_err(|lack| lack.to_string())),
        );
        setup(npm, "npm packages", Box::new(|| npm_packages(repo)));
        setup(browser, "npm packages of the browser tests", Box::new(|| self.browser_packages()));
        let mut environment = |name, python_of: &'static Python| {
            setup(python, name, Box::new(move || python_of.make(repo)));
        };
        environment("Python environment with Helm", &python::HELM);
        environment("Python environment with dbt", &python::DBT);
        environment("Python environment with Schemathesis", &python::SCHEMATHESIS);
        environment("Python environment with CycloneDX's schemas", &python::CYCLONEDX);
        let mut plain = |wanted: bool, name, work: Box<dyn Fn() -> Result<(), String> + 'b>| {
            if wanted {
                steps.push(Step { name, work: Work::Plain(work) });
            }
        };
        plain(npm, "TypeScript style", Box::new(|| self.npm_run("style")));
        plain(npm, "types of the web shell", Box::new(|| self.npm_run("typecheck")));
        plain(npm, "types of the plugins", Box::new(|| self.check(&["--types"])));
        let postgres = machine.has("postgres");
        plain(postgres, "migrations of the plugins on PostgreSQL", Box::new(|| self.check(&["--postgres"])));
        plain(npm, "tests of the web shell", Box::new(|| self.npm_run("test")));
        plain(true, "terms and sources of the crates", Box::new(|| self.terms()));
        plain(
            python,
            "dbt projects",
            // dbt's parser over the projects of all plugins, and of the sample that new ones are made of.
            Box::new(|| {
                self.check(&["--dbt", "--plugins", "plugins", "--plugins", "host-template/scaffold"])
            }),
        );
        let mut tests = |wanted: bool, name, command: Box<dyn Fn() -> Result<Command, String> + 'b>| {
            if wanted {
                steps.push(Step { name, work: Work::Tests(command) });
            }
        };
        tests(true, "build stages", Box::new(|| Ok(self.build_stages())));
        tests(true, "bundle stage", Box::new(|| Ok(self.suite(&["-p", "hub-bundle"]))));
        tests(true, "host", Box::new(|| Ok(self.host())));
        tests(true, "plugins and the golden host", Box::new(|| Ok(self.plugins())));
        tests(true, "a new plugin's own tests", Box::new(|| self.new_plugin()));
        if benches {
            steps.push(Step { name: "benchmarks, small", work: Work::Plain(Box::new(|| self.benchmarks())) });
        }
        if npm {
            steps.push(Step { name: "end to end", work: Work::Tests(Box::new(|| self.end_to_end())) });
        }
        steps
    }
    fn cargo(&self, verb: &str) -> Command {
        let mut command = Command::new(like_the_host::program());
        command.arg(verb).current_dir(&self.repo.root);
        command
    }

    /// Test programs of the repository's workspace.
    fn suite(&self, arguments: &[&str]) -> Command {
        let mut command = self.cargo("test");
        command.arg("--locked").args(arguments);
        self.tell(&mut command);
        command
    }

    /// Tests of what is linked into the host.
    fn suite_like_the_host(&self, arguments: &[&str]) -> Command {
        let mut command = like_the_host::cargo(self.repo, "test", &self.repo.target);
        command.args(arguments);
        self.tell(&mut command);
        command
    }

    /// Says to tests what there is, what they may not skip, and where to tell what they skipped.
    fn tell(&self, command: &mut Command) {
        self.machine.tell(command);
        self.skips.tell(command);
        match self.args.require_all {
            true => command.env("HUB_REQUIRE_ALL", "1"),
            false => command.env_remove("HUB_REQUIRE_ALL"),
        };
        for python in python::ALL {
            match self.machine.has("python") {
                true => command.env(python.variable, python.program(self.repo)),
                false => command.env_remove(python.variable),
            };
        }
        // Tests of drivers install from the package index, which is there with pip.
        match self.machine.has("python") {
            true => command.env("HUB_REQUIRE_PYPI", "1"),
            false => command.env_remove("HUB_REQUIRE_PYPI"),
        };
    }

    /// This program over the plugins.
    fn check(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
        pass(command.args(["check", "--deny-warnings"]).args(arguments).current_dir(&self.repo.root))
    }

    fn npm_run(&self, script: &str) -> Result<(), String> {
        pass(Command::new("npm").args(["run", "--silent", script]).current_dir(&self.repo.root))
    }

    fn browser_packages(&self) -> Result<(), String> {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        pass(npm.current_dir(self.repo.root.join("tests/browser")))
    }

    /// Tests of the build tool itself.
    fn build_stages(&self) -> Command {
        self.suite(&["-p", "hub-manifest", "-p", "hub-codegen", "-p", "hub-fuzz", "-p", "xtask"])
    }

    /// Tests of the runtime and its macros.
    fn host(&self) -> Command {
        let arguments = of_the_runtime();
        self.suite_like_the_host(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn plugins(&self) -> Command {
        self.suite_like_the_host(&["--locked", "--manifest-path", "plugins/Cargo.toml", "--workspace"])
    }

    /// A plugin as `new-plugin` makes it passes the tests that it comes with, as a crate by itself. It is given the versions
    /// and the profile of the plugins' workspace, so that all it depends on is built already.
    fn new_plugin(&self) -> Result<Command, String> {
        let repo = self.repo;
        let root = repo.target.join("test/new-plugin");
        let told = |error: io::Error| format!("cannot make {}: {error}", root.display());
        if root.exists() {
            fs::remove_dir_all(&root).map_err(told)?;
        }
        let made = scaffold::new_plugin(&repo.root, &root, "patient-flow");
        made.map_err(|error| format!("no plugin was made: {error:?}"))?;
        let (plugins, backend) = (repo.root.join("plugins"), root.join("patient-flow/backend"));
        fs::copy(plugins.join("Cargo.lock"), backend.join("Cargo.lock")).map_err(told)?;
        let text = fs::read_to_string(plugins.join("Cargo.toml")).map_err(told)?;
        let mut settings: DocumentMut =
            text.parse().map_err(|error| format!("plugins/Cargo.toml: {error}"))?;
        settings.as_table_mut().retain(|key, _| key == "profile");
        let profile = root.join("profile.toml");
        fs::write(&profile, settings.to_string()).map_err(told)?;
        // Without the network it can take nothing but what that lock names.
        crates::fetch(&plugins, &["--locked"]).map_err(|lack| lack.to_string())?;
        let (profile, manifest) = (profile.to_string_lossy(), backend.join("Cargo.toml"));
        let manifest = manifest.to_string_lossy();
        Ok(self.suite_like_the_host(&["--offline", "--config", &profile, "--manifest-path", &manifest]))
    }

    /// What `deny.toml` says of terms, bans and sources.
    fn terms(&self) -> Result<(), String> {
        match audit::run(&AuditArgs { no_advisories: true, ..AuditArgs::default() }) {
            Outcome::Done => Ok(()),
            Outcome::Machine => Err("the crates could not be held against deny.toml".to_owned()),
            _ => Err("deny.toml forbids something that is used".to_owned()),
        }
    }

    /// Every benchmark on little, once: that it still runs.
    fn benchmarks(&self) -> Result<(), String> {
        let which = vec![Bench::Bundle, Bench::Check, Bench::Host, Bench::Release];
        match bench::run(&BenchArgs { which, small: true }) {
            Outcome::Done => Ok(()),
            _ => Err("a benchmark does not run".to_owned()),
        }
    }

    fn end_to_end(&self) -> Result<Command, String> {
        let mut command = self.suite(&["-p", "hub-tests"]);
        command.env("HUB_XTASK", std::env::current_exe().map_err(|error| error.to_string())?);
        let long: Vec<&str> = self.args.long.iter().map(|long| long.name()).collect();
        command.env(LONG, long.join(","));
        Ok(command)
    }
}

fn npm_packages(repo: &Repo) -> Result<(), String> {
    npm::ensure(&repo.root, false, &mut || {}).map(|_| ()).map_err(|failure| format!("{failure:?}"))
}

/// Threads that keep the machine busy until they are dropped.
struct Load {
    ended: Arc<AtomicBool>,
}

impl Load {
    fn new(threads: usize) -> Load {
        let ended = Arc::new(AtomicBool::new(false));
        for _ in 0..threads {
            let ended = ended.clone();
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Load { ended }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step that is named on a machine which has run nothing yet finds what it uses.
    #[test]
    fn test_programs_bring_what_they_use() {
        let steps = || {
            let nothing = || -> Result<(), String> { Ok(()) };
            let step = |name, work| Step { name, work };
            vec![
                step("formatting", Work::Plain(Box::new(nothing))),
                step("npm packages", Work::Setup(Box::new(nothing))),
                step("types", Work::Plain(Box::new(nothing))),
                step("end to end", Work::Tests(Box::new(|| Err(String::new())))),
            ]
        };
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            chosen(steps(), &words).iter().map(|step| step.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["formatting", "npm packages", "types", "end to end"]);
        assert_eq!(names(&["end"]), ["npm packages", "end to end"]);
        assert_eq!(names(&["types", "form"]), ["formatting", "types"]);
        assert_eq!(names(&["npm"]), ["npm packages"]);
        assert_eq!(names(&["nothing"]), Vec::<&str>::new());
    }
}
