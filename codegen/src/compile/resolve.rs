//! What cargo says before it compiles anything: dependencies that cannot be found, features that do not exist.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};

use super::{Failure, Job, Machine, TARGET, common_args, of_plugin, text_of, unlocked};
use crate::base::cargo::{self, Call};
use crate::compile::graph::{self, Graph};
use crate::compile::stage::Origin;

/// The resolved graph of the staged workspace. Cargo chooses versions for what the lock does not name; it is asked only
/// where a manifest or the lock changed.
pub(super) fn graph(job: &Job) -> Result<Graph, Failure> {
    let file = job.stamp.with_file_name("graph.json");
    let lock = job.staged.root.join("Cargo.lock");
    let key = || graph::key(&job.staged.manifests, &fs::read(&lock).unwrap_or_default());
    if let Some(graph) = graph::read(&file, &key()) {
        return Ok(graph);
    }
    let mut args: Vec<OsString> =
        ["metadata", "--format-version", "1", "--filter-platform", TARGET].map(Into::into).into();
    args.extend(common_args(job).into_iter().filter(|arg| arg != "--locked"));
    let (outcome, answer) =
        cargo::answer(&Call { folder: job.staged.root.clone(), args, ..Call::default() })?;
    if !outcome.success {
        let said = cargo::complaint(&outcome.stderr);
        return Err(match (cargo::machine_lack(&said), complaint(job, &said)) {
            (Some(machine), _) => machine.into(),
            (None, Some(diagnostic)) => vec![diagnostic].into(),
            (None, None) => {
                Machine::new("cargo cannot resolve the plugins' dependencies", "").details(said).into()
            }
        });
    }
    let graph: Graph = serde_json::from_slice(&answer)
        .map_err(|error| Machine::new(format!("cannot read what cargo says of the crates: {error}"), ""))?;
    Ok(graph::keep(&file, key(), graph))
}

/// Refuses to go on if the build needs a package that no lock names.
pub(super) fn check_locked(job: &Job) -> Result<(), Failure> {
    let diagnostics: Vec<Diagnostic> = unlocked(job)
        .into_iter()
        .map(|package| {
            let what =
                format!("{} {} is neither in Cargo.lock nor in hub.lock", package.name, package.version);
            let help =
                "build once without --locked, which records the package in hub.lock, and commit that file";
            let diagnostic = Diagnostic::error(codes::PACKAGE_NOT_LOCKED, what).help(help);
            match user_of(job, &package.name) {
                Some((origin, span)) => of_plugin(diagnostic, origin.plugin).at(origin.file, span),
                None => diagnostic,
            }
        })
        .collect();
    if diagnostics.is_empty() { Ok(()) } else { Err(diagnostics.into()) }
}

/// The plugin's `Cargo.toml` that names a package, and where.
fn user_of(job: &Job, package: &str) -> Option<(Origin, Span)> {
    manifests(job).into_iter().find_map(|staged| {
        let origin = job.staged.paths.origin(&staged)?;
        let text = text_of(&origin.file);
        let at = text.lines().enumerate().find_map(|(index, line)| {
            let key = line.trim_start().trim_start_matches("[dependencies.");
            let named = key.strip_prefix(package)?.starts_with([' ', '=', '.', ']']);
            named.then_some(index)
        })?;
        let offset = text.split_inclusive('\n').take(at).map(str::len).sum();
        Some((origin, Span::at(&text, offset, package.len())))
    })
}

/// The manifests of the plugins' crates, relative to the staged workspace.
fn manifests(job: &Job) -> Vec<PathBuf> {
    let crates = &job.plan.crates;
    crates.iter().map(|c| Path::new("plugins").join(&c.plugin).join(&c.dir).join("Cargo.toml")).collect()
}

/// Cargo's complaint about the manifest of a plugin, if it names one.
pub(super) fn complaint(job: &Job, said: &str) -> Option<Diagnostic> {
    let root = job.staged.root.display().to_string();
    let staged = manifests(job).into_iter().find(|path| {
        let folder = path.parent().unwrap_or(path).display().to_string();
        said.contains(&format!("{root}/{folder}")) || said.contains(&format!("{folder}/Cargo.toml"))
    });
    let named =
        |package: &str| said.contains(&format!("`{package} v")) || said.contains(&format!("`{package}`"));
    let staged = staged.or_else(|| {
        let found = job.plan.crates.iter().find(|c| named(&c.package))?;
        Some(Path::new("plugins").join(&found.plugin).join(&found.dir).join("Cargo.toml"))
    })?;
    let origin = job.staged.paths.origin(&staged)?;
    let author = origin.file.parent().unwrap_or(&origin.file).display().to_string();
    let folder = format!("{root}/{}", staged.parent().unwrap_or(&staged).display());
    let said = said.replace(&folder, &author);
    let text = text_of(&origin.file);
    let span = framed_in(&text, &said).unwrap_or_else(|| quoted_in(&text, &said));
    let help =
        "mend the dependency in Cargo.toml; `cargo check` in the crate's own folder shows the same error";
    Some(
        of_plugin(Diagnostic::error(codes::CRATES_UNRESOLVED, one_line(&said)), origin.plugin)
            .at(origin.file, span)
            .help(help),
    )
}

/// Cargo's complaint and its causes as one sentence. Left out are frames, which show staged files, and the chain of
/// who requires whom, which ends in the generated host.
fn one_line(said: &str) -> String {
    const LEFT_OUT: [&str; 9] = [
        "|",
        "-->",
        "= ",
        "... ",
        "Caused by:",
        "required by package",
        "failed to load manifest",
        "referenced by workspace",
        "versions that meet",
    ];
    let told = |line: &&str| {
        !line.is_empty() && !LEFT_OUT.iter().any(|part| line.starts_with(part)) && source_line(line).is_none()
    };
    let lines: Vec<&str> = said
        .lines()
        .map(|line| line.trim().trim_start_matches("error: ").trim_end_matches('.'))
        .filter(told)
        .take(4)
        .collect();
    lines.join("; ")
}

/// The source in a line of a frame, `3 | version = "one"`.
fn source_line(line: &str) -> Option<&str> {
    let (number, source) = line.split_once(" | ")?;
    number.trim().bytes().all(|b| b.is_ascii_digit()).then_some(source)
}

/// The place that cargo's own frame marks. Lines are numbered as in the staged file, so the line is found by its text.
fn framed_in(text: &str, said: &str) -> Option<Span> {
    let mut lines = said.lines().map(str::trim_start).skip_while(|line| !line.starts_with("--> "));
    let column: usize = lines.next()?.rsplit(':').next()?.trim().parse().ok()?;
    let source = lines.find_map(source_line)?;
    let before: usize =
        text.split_inclusive('\n').take_while(|line| line.trim_end() != source).map(str::len).sum();
    (before < text.len()).then(|| Span::at(text, before + column.saturating_sub(1), 0))
}

/// The place in a manifest of the first name that the complaint quotes: most often the dependency.
fn quoted_in(text: &str, said: &str) -> Span {
    let quoted = said.split('`').skip(1).step_by(2);
    let names = quoted.filter_map(|q| q.split([' ', '=', '@']).next()).filter(|name| !name.is_empty());
    for name in names {
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let key = line.trim_start().trim_start_matches("[dependencies.");
            if key.starts_with(name) || line.contains(&format!("package = \"{name}\"")) {
                let at = line.find(name).unwrap_or(0);
                return Span::at(text, offset + at, name.len());
            }
            offset += line.len();
        }
    }
    Span::START
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dependency_that_cargo_quotes_is_found() {
        let text = "[package]\nname = \"hub-plugin-crm\"\n\n[dependencies]\nserdee = \"1\"\n";
        let said = "error: no matching package named `serdee` found\nlocation searched: example index\nrequired by package `hub-plugin-crm v0.1.0 (/x)`";
        let span = quoted_in(text, said);
        assert_eq!((span.line, span.column, span.len), (5, 1, 6));
        assert_eq!(
            one_line(said),
            "no matching package named `serdee` found; location searched: example index"
        );
    }
}
