//! What plugins need of one another: who must be there, in which version, and nobody waits for whoever waits for them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;

use semver::Version;

use super::Subject;
use super::order::Constraints;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::{alternatives, ident_of, nearest};
use crate::plugin::Dependency;

/// The plugins that can be needed.
#[derive(Debug)]
pub struct Present<'a> {
    whose: Whose,
    /// Those that are there, by slug, with their version where it is known.
    plugins: BTreeMap<&'a str, Option<Version>>,
    /// Those that are not, by the identifier of their slug.
    absent: HashMap<String, Absent>,
}

/// Where plugins stand beside one another.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// In one build.
    Build,
    /// On a running host: those of its release, and the customer's.
    Host,
}

impl Whose {
    /// As the end of a sentence about what is missing.
    fn there(self) -> &'static str {
        match self {
            Whose::Build => "in the build",
            Whose::Host => "on this host",
        }
    }

    fn this(self) -> &'static str {
        match self {
            Whose::Build => "in this build",
            Whose::Host => "on this host",
        }
    }

    fn add(self) -> &'static str {
        match self {
            Whose::Build => "add the plugin to the build",
            Whose::Host => "put that plugin beside this one, or take a release with it",
        }
    }
}

/// Why a plugin is not there though its folder is.
#[derive(Debug, Clone)]
pub enum Absent {
    /// The manifest named here leaves it out.
    SwitchedOff(PathBuf),
    /// What is wrong with it is told elsewhere.
    Told,
}

impl<'a> Present<'a> {
    /// None yet.
    pub fn new(whose: Whose) -> Present<'a> {
        Present { whose, plugins: BTreeMap::new(), absent: HashMap::new() }
    }

    /// Takes in a plugin that is there.
    pub fn add(&mut self, slug: &'a str, version: Option<Version>) {
        self.plugins.entry(slug).or_insert(version);
    }

    /// Takes in one that is not, though somebody may look for it here.
    pub fn add_absent(&mut self, slug: &str, why: Absent) {
        self.absent.entry(ident_of(slug)).or_insert(why);
    }

    fn has_like(&self, slug: &str) -> bool {
        let ident = ident_of(slug);
        self.absent.contains_key(&ident) || self.plugins.keys().any(|there| ident_of(there) == ident)
    }

    /// A plugin that need not be there is named, and is not; where one is called nearly so, the name is most likely wrong.
    fn likely_slip(&self, slug: &str, field: &str) -> Option<Diagnostic> {
        if self.plugins.contains_key(slug) {
            return None;
        }
        let near = nearest(slug, self.plugins.keys().copied());
        if near.is_empty() || self.has_like(slug) {
            return None;
        }
        let message = format!("`{field}` names the plugin `{slug}`, which is not {}", self.whose.there());
        Some(
            Diagnostic::warning(codes::MISSPELT_ORDER, message)
                .help(format!("did you mean {}?", alternatives(&near))),
        )
    }

    fn missing(&self, slug: &str) -> Option<Diagnostic> {
        let (message, help) = match self.absent.get(&ident_of(slug)) {
            Some(Absent::SwitchedOff(manifest)) => (
                format!("the plugin `{slug}` is needed, but its manifest leaves it out of the build"),
                format!("remove `enabled: false` from {}, or the dependency", manifest.display()),
            ),
            Some(Absent::Told) => return None,
            None => {
                let help = match nearest(slug, self.plugins.keys().copied()).as_slice() {
                    [] => format!("{}, or name it in `optional_dependencies`", self.whose.add()),
                    near => format!("did you mean {}?", alternatives(near)),
                };
                let there = self.whose.there();
                (format!("the plugin `{slug}` is needed, but it is not {there}"), help)
            }
        };
        Some(Diagnostic::error(codes::MISSING_PLUGIN, message).help(help))
    }

    fn dependency(&self, dependency: &Dependency, required: bool) -> Option<Diagnostic> {
        let slug = dependency.slug.value.as_str();
        let Some(version) = self.plugins.get(slug) else {
            return match required {
                true => self.missing(slug),
                false => self.likely_slip(slug, "optional_dependencies"),
            };
        };
        let (requirement, version) = (dependency.requirement.as_ref()?, version.as_ref()?);
        if requirement.matches(version) {
            return None;
        }
        let this = self.whose.this();
        let message = format!("`{slug}` is {version} {this}, but {requirement} is needed");
        Some(
            Diagnostic::error(codes::PLUGIN_VERSION, message)
                .help("update the plugin, or widen the requirement"),
        )
    }
}

/// What a plugin names that is not there, or not in a version that will do.
pub fn check(subject: &Subject<'_>, present: &Present<'_>) -> Vec<Diagnostic> {
    let manifest = subject.manifest;
    let required = manifest.dependencies.iter().map(|dependency| (dependency, true));
    let optional = manifest.optional_dependencies.iter().map(|dependency| (dependency, false));
    let needed = required.chain(optional).filter_map(|(dependency, required)| {
        Some((&dependency.slug, present.dependency(dependency, required)?))
    });
    let before = manifest.before.iter().map(|slug| (slug, "order.before"));
    let after = manifest.after.iter().map(|slug| (slug, "order.after"));
    let ordered = before
        .chain(after)
        .filter_map(|(slug, field)| Some((slug, present.likely_slip(&slug.value, field)?)));
    needed.chain(ordered).map(|(slug, found)| subject.found(&slug.range, found)).collect()
}

/// What decides the place of each plugin, by slug.
pub fn constraints(subjects: &BTreeMap<&str, Subject<'_>>) -> BTreeMap<String, Constraints> {
    let mut out: BTreeMap<String, Constraints> =
        subjects.keys().map(|slug| ((*slug).to_string(), Constraints::default())).collect();
    for (slug, Subject { manifest, .. }) in subjects {
        if let Some(own) = out.get_mut(*slug) {
            let named = manifest.dependencies.iter().chain(&manifest.optional_dependencies);
            own.dependencies.extend(named.map(|dependency| dependency.slug.value.clone()));
            own.after.extend(manifest.after.iter().map(|after| after.value.clone()));
        }
        for before in &manifest.before {
            if let Some(other) = out.get_mut(&before.value) {
                other.after.insert((*slug).to_string());
            }
        }
    }
    out
}

/// The finding of a cycle, a path that begins and ends with one slug: with every place that makes one plugin of it wait
/// for the next.
pub fn cycle(subjects: &BTreeMap<&str, Subject<'_>>, cycle: &[String]) -> Option<Diagnostic> {
    let message = format!("the plugins wait for one another: {}", cycle.join(" → "));
    let mut waits = cycle.windows(2).filter_map(|pair| {
        let (waiting, other) = (subjects.get(pair[0].as_str())?, subjects.get(pair[1].as_str())?);
        let (subject, range) = closing_field(waiting, other)?;
        Some((subject, range, format!("`{}` waits for `{}`", pair[0], pair[1])))
    });
    let (subject, range, label) = waits.next()?;
    let found = Diagnostic::error(codes::DEPENDENCY_CYCLE, message)
        .label(label)
        .help("remove one of these dependencies, or one `order` entry");
    Some(waits.fold(subject.found(range, found), |found, (subject, range, label)| {
        subject.owner(range).beside(found, &label)
    }))
}

/// The field that makes `waiting` come after `other`, and the plugin whose manifest holds it.
fn closing_field<'a>(waiting: &Subject<'a>, other: &Subject<'a>) -> Option<(Subject<'a>, &'a Range<usize>)> {
    let manifest = waiting.manifest;
    let named = manifest.dependencies.iter().chain(&manifest.optional_dependencies).map(|d| &d.slug);
    let own = named.chain(&manifest.after).find(|slug| slug.value == other.slug);
    let others = || other.manifest.before.iter().find(|slug| slug.value == waiting.slug);
    own.map(|slug| (*waiting, slug))
        .or_else(|| others().map(|slug| (*other, slug)))
        .map(|(subject, slug)| (subject, &slug.range))
}
