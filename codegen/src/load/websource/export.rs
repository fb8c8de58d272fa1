//! Does a module export what a plugin claims it does? Follows re-exports from file to file.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use hub_manifest::codes::{self, Code};
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::source::name_of;

use super::module::{ExportKind, Module, Pages};
use super::nearest;

/// A place in a manifest that names an export.
#[derive(Debug, Clone, Copy)]
pub struct Claimed<'a> {
    /// Slug of the plugin that claims.
    pub plugin: &'a str,
    /// The manifest, as shown to the reader.
    pub file: &'a Path,
    /// Where in it the claim stands.
    pub span: Span,
    /// The override key, or the manifest's field (`frontend_entry`).
    pub key: &'a str,
    /// Name of the export; `default` for the default export.
    pub export: &'a str,
    /// What the export is used as.
    pub wanted: Wanted,
}

/// What an export is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A React component.
    Component,
    /// A list of pages.
    Pages,
}

/// Finds other modules: none where there is no such file, or where it could not be read (which is reported elsewhere).
pub type Load<'a> = &'a dyn Fn(&Path) -> Option<Module>;

/// What is wrong with the claim, if anything: the module has no such export (`HUB042`), it is only a type (`HUB043`),
/// or it plainly is no component or no list of pages (`HUB046`).
///
/// What comes from a package or through an alias is taken as given, and so is a relative file that cannot be loaded.
pub fn check_export(claimed: &Claimed<'_>, module: &Module, load: Load<'_>) -> Option<Diagnostic> {
    let Claimed { plugin, file, span, key, export, wanted } = *claimed;
    let shown = name_of(&module.path);
    let report = |code, message| Diagnostic::error(code, message).plugin(plugin).at(file, span);
    let aim = match export {
        "default" => "default export".to_owned(),
        name => format!("export `{name}`"),
    };
    let found = find(module, export, load, &mut BTreeSet::new());
    match found {
        Found::Unknown => None,
        Found::Is { kind: ExportKind::Type, path, span } => Some(
            report(
                codes::EXPORT_IS_TYPE,
                format!("the {aim} of {shown}, claimed for `{key}`, is only a type"),
            )
            .label("is only a type")
            .help(match wanted {
                Wanted::Component => "export the component itself: a function or class, not its type",
                Wanted::Pages => "export the list of pages itself, not its type",
            })
            .related(path, span, "the type"),
        ),
        Found::Is { kind: ExportKind::Namespace { .. }, path, span } => {
            Some(wrong_kind(report, claimed, module, &aim, "a module's namespace", (path, span)))
        }
        Found::Is { kind: ExportKind::Plain(what), path, span } => {
            let fits = wanted == Wanted::Pages && what == "an array";
            (!fits).then(|| wrong_kind(report, claimed, module, &aim, what, (path, span)))
        }
        Found::Is { kind: ExportKind::Function | ExportKind::Class, path, span }
            if wanted == Wanted::Pages =>
        {
            Some(wrong_kind(report, claimed, module, &aim, "a function or class", (path, span)))
        }
        Found::Is { .. } => None,
        Found::Missing { hops } => {
            let mut finding =
                report(codes::MISSING_EXPORT, format!("{shown} has no {aim}, claimed for `{key}`"));
            if !hops.is_empty() {
                finding.help = match export {
                    "default" => "give the module that it comes from a default export".to_owned(),
                    name => format!("export `{name}` from the module that it comes from"),
                };
                for (path, span) in hops {
                    finding = finding.related(path, span, "passed on from here, and not found there");
                }
                return Some(finding);
            }
            let names = names(module, load);
            finding.label = listing(export, &names);
            finding.help = mend(claimed, module, &names);
            let own = meant(claimed, &names).and_then(|name| module.export(name));
            let (place, label) = own.map_or((Span::START, "the module"), |own| (own.span, "exported here"));
            Some(finding.related(&module.path, place, label))
        }
    }
}

/// The pages that a module exports by default, through as many `export { default } from` as there are; none where
/// the text does not tell. With them the file that lists them.
pub fn pages_of(module: &Module, load: Load<'_>) -> Option<(PathBuf, Pages)> {
    let mut seen = BTreeSet::from([module.path.clone()]);
    let mut current = module.clone();
    let mut name = "default".to_owned();
    loop {
        if name == "default"
            && let Some(pages) = current.pages
        {
            return Some((current.path, pages));
        }
        let ExportKind::Reexport { from, name: there } = &current.export(&name)?.kind else { return None };
        let next = resolve(&current.path, from, load)?;
        if !seen.insert(next.path.clone()) {
            return None;
        }
        name = there.clone();
        current = next;
    }
}

enum Found {
    /// Not to be known from the text: taken as given.
    Unknown,
    Is {
        kind: ExportKind,
        path: PathBuf,
        span: Span,
    },
    /// Not there; through which re-exports it was looked for.
    Missing {
        hops: Vec<(PathBuf, Span)>,
    },
}

/// Looks an export up, through re-exports; each name of each file once.
fn find(module: &Module, name: &str, load: Load<'_>, seen: &mut BTreeSet<(PathBuf, String)>) -> Found {
    let missing = || Found::Missing { hops: Vec::new() };
    if module.commonjs {
        return Found::Unknown;
    }
    if !seen.insert((module.path.clone(), name.to_owned())) {
        return missing();
    }
    if let Some(export) = module.export(name) {
        let ExportKind::Reexport { from, name: there } = &export.kind else {
            return Found::Is { kind: export.kind.clone(), path: module.path.clone(), span: export.span };
        };
        return match follow(module, from, there, load, seen) {
            Found::Missing { mut hops } => {
                hops.insert(0, (module.path.clone(), export.span));
                Found::Missing { hops }
            }
            found => found,
        };
    }
    if name == "default" {
        return missing();
    }
    let stars = module.exports.iter().filter_map(|export| match &export.kind {
        ExportKind::Star { from } => Some(from),
        _ => None,
    });
    let mut unknown = false;
    for from in stars {
        match follow(module, from, name, load, seen) {
            Found::Missing { .. } => {}
            Found::Unknown => unknown = true,
            found => return found,
        }
    }
    if unknown { Found::Unknown } else { missing() }
}

fn follow(
    module: &Module,
    from: &str,
    name: &str,
    load: Load<'_>,
    seen: &mut BTreeSet<(PathBuf, String)>,
) -> Found {
    match resolve(&module.path, from, load) {
        Some(next) => find(&next, name, load, seen),
        None => Found::Unknown,
    }
}

/// The module that a relative specifier means, tried in the bundler's order.
fn resolve(importer: &Path, specifier: &str, load: Load<'_>) -> Option<Module> {
    candidates(importer, specifier).iter().find_map(|candidate| load(candidate))
}

/// The files that a relative specifier can mean; none for packages and aliases.
pub(super) fn candidates(importer: &Path, specifier: &str) -> Vec<PathBuf> {
    const EXTENSIONS: [&str; 4] = ["tsx", "ts", "jsx", "js"];
    let relative =
        specifier == "." || specifier == ".." || specifier.starts_with("./") || specifier.starts_with("../");
    let Some(folder) = importer.parent().filter(|_| relative) else { return Vec::new() };
    let base = normalized(&folder.join(specifier));
    let with = |extension: &str| {
        let mut name = base.clone().into_os_string();
        name.push(".");
        name.push(extension);
        PathBuf::from(name)
    };
    let mut all = Vec::new();
    if super::is_source(&base) {
        all.push(base.clone());
        // TypeScript names the file that will be written: `./x.js` may stand for `x.ts`.
        match base.extension().and_then(|extension| extension.to_str()) {
            Some("js") => all.extend([base.with_extension("ts"), base.with_extension("tsx")]),
            Some("jsx") => all.push(base.with_extension("tsx")),
            Some("mjs") => all.push(base.with_extension("mts")),
            _ => {}
        }
    }
    if base.file_name().is_some() {
        all.extend(EXTENSIONS.map(with));
    }
    all.extend(EXTENSIONS.map(|extension| base.join("index").with_extension(extension)));
    all
}

/// The path without `.` and `..`, by its text alone.
fn normalized(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The names that importers can take from a module at run time, `export *` included.
fn names(module: &Module, load: Load<'_>) -> Vec<String> {
    fn add(
        module: &Module,
        load: Load<'_>,
        seen: &mut BTreeSet<PathBuf>,
        names: &mut BTreeSet<String>,
        top: bool,
    ) {
        if !seen.insert(module.path.clone()) {
            return;
        }
        for export in &module.exports {
            match &export.kind {
                ExportKind::Type => {}
                ExportKind::Star { from } => {
                    if let Some(next) = resolve(&module.path, from, load) {
                        add(&next, load, seen, names, false);
                    }
                }
                _ if export.name == "default" && !top => {}
                _ => {
                    names.insert(export.name.clone());
                }
            }
        }
    }
    let mut all = BTreeSet::new();
    add(module, load, &mut BTreeSet::new(), &mut all, true);
    all.into_iter().collect()
}

/// "it exports `a`, `b`, `c` and 2 more", the nearest first.
fn listing(wanted: &str, names: &[String]) -> String {
    let mut ranked: Vec<&String> = names.iter().collect();
    ranked.sort_by_cached_key(|name| strsim::damerau_levenshtein(wanted, name));
    let shown: Vec<String> = ranked.iter().take(3).map(|name| format!("`{name}`")).collect();
    match (shown.split_last(), ranked.len().saturating_sub(3)) {
        (None, _) => "it exports nothing".to_owned(),
        (Some((only, [])), 0) => format!("it exports {only}"),
        (Some((last, rest)), 0) => format!("it exports {} and {last}", rest.join(", ")),
        (_, more) => format!("it exports {} and {more} more", shown.join(", ")),
    }
}

/// The export that a claim on a missing one most likely means.
fn meant<'a>(claimed: &Claimed<'_>, names: &'a [String]) -> Option<&'a str> {
    let mut candidates = names.iter().map(String::as_str);
    match claimed.export {
        "default" => candidates.next().filter(|_| names.len() == 1),
        name => nearest(name, candidates).first().copied(),
    }
}

/// How to mend a missing export.
fn mend(claimed: &Claimed<'_>, module: &Module, names: &[String]) -> String {
    let shown = module.path.display();
    if claimed.wanted == Wanted::Pages {
        return format!("end {shown} with `export default definePages([…])`");
    }
    match (claimed.export, meant(claimed, names)) {
        (_, Some("default")) => {
            "leave `export` out of the claim: the component is the default export".to_owned()
        }
        ("default", Some(name)) => {
            format!("name the export in the claim, `\"export\": \"{name}\"`, or make it the default export")
        }
        (_, Some(name)) => format!("write `\"export\": \"{name}\"` in the claim"),
        ("default", None) => format!("export the component from {shown} with `export default`"),
        (wanted, None) => format!("export the component from {shown} with `export function {wanted}`"),
    }
}

fn wrong_kind(
    report: impl Fn(Code, String) -> Diagnostic,
    claimed: &Claimed<'_>,
    module: &Module,
    aim: &str,
    what: &str,
    (path, span): (PathBuf, Span),
) -> Diagnostic {
    let (wanted, help) = match claimed.wanted {
        Wanted::Component => ("a component", "export a function or class that renders the surface"),
        Wanted::Pages => ("a list of pages", "export `definePages([{ path, component }, …])`"),
    };
    let shown = name_of(&module.path);
    let key = claimed.key;
    report(codes::WRONG_EXPORT, format!("the {aim} of {shown}, claimed for `{key}`, is {what}, not {wanted}"))
        .label(format!("is {what}"))
        .help(help)
        .related(path, span, what)
}
