//! The rules between plugins, and between a plugin and its platform: the build holds the plugins that it links to them,
//! the running host those that customers bring.
//!
//! A file an idea, and nothing but functions over values. Where the order of plugins decides who is in the right, the
//! rule is a ledger: it knows what the plugins before have, and is shown one plugin after the other. What follows from one
//! manifest alone is found where it is read ([`crate::plugin::parse`]); what only a build can see says so in
//! the entry of its code ([`crate::codes::BuildOnly`]).

pub mod blocks;
pub mod dependencies;
pub mod files;
pub mod groups;
pub mod navigation;
pub mod order;
pub mod pages;
pub mod permissions;
pub mod platform;
pub mod settings;
pub mod workspaces;

use std::ops::Range;

use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::HostPlugin;
use crate::plugin::Manifest;
use crate::source::Source;

/// A plugin that is held to the rules.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The slug, or the folder's name where the manifest gives none.
    pub slug: &'a str,
    /// What its author wrote.
    pub manifest: &'a Manifest,
    /// The manifest's text, if it could be read.
    pub source: Option<&'a Source>,
}

impl<'a> Subject<'a> {
    /// Gives a finding its place in the plugin's manifest.
    pub fn found(&self, range: &Range<usize>, found: Diagnostic) -> Diagnostic {
        let found = found.plugin(self.slug);
        match self.source {
            Some(source) => found.at(&source.file, source.span(range)),
            None => found,
        }
    }

    fn owner(&self, range: &'a Range<usize>) -> Owner<'a> {
        Owner { slug: self.slug, place: self.source.map(|source| (source, range)) }
    }
}

/// Who has something already, and where that is written; of a plugin that is linked the host knows the name alone.
#[derive(Debug, Clone, Copy)]
struct Owner<'a> {
    slug: &'a str,
    place: Option<(&'a Source, &'a Range<usize>)>,
}

impl<'a> Owner<'a> {
    fn of_release(about: &'a HostPlugin) -> Owner<'a> {
        Owner { slug: &about.name, place: None }
    }

    /// Adds its place to what the finding says.
    fn beside(&self, found: Diagnostic, label: &str) -> Diagnostic {
        match self.place {
            Some((source, range)) => found.related(&source.file, source.span(range), label),
            None => found,
        }
    }
}

/// What plugins can take from one another: each thing belongs to the first that has it.
#[derive(Debug, Clone, Default)]
pub struct Taken<'a> {
    /// Slugs of dbt workspaces.
    pub workspaces: workspaces::Slugs<'a>,
    /// Permissions.
    pub permissions: permissions::Owners<'a>,
    /// Environment variables.
    pub variables: settings::Variables<'a>,
    /// Paths of the navigation.
    pub paths: navigation::Paths<'a>,
}

impl<'a> Taken<'a> {
    /// Takes in a plugin of the release, which is held to the rules no more.
    pub fn know(&mut self, about: &'a HostPlugin) {
        self.workspaces.know(about);
        self.permissions.know(about);
        self.variables.know(about);
        self.paths.know(about);
    }

    /// Takes in the next plugin; what it wants that another one has.
    pub fn take(&mut self, subject: &Subject<'a>) -> Vec<Diagnostic> {
        let mut found = self.workspaces.take(subject);
        found.extend(self.permissions.take(subject));
        found.extend(self.variables.take(subject).into_iter().map(|foreign| foreign.found));
        found.extend(self.paths.take(subject));
        found
    }
}

/// The finding that a second plugin bears a name.
pub fn called_twice(slug: &str) -> Diagnostic {
    Diagnostic::error(codes::DUPLICATE_PLUGIN, format!("two plugins are called `{slug}`"))
        .help("rename one of them: `name` and folder")
}

/// The start of a plugin's manifest, for what concerns the whole of it.
pub fn start(source: Option<&Source>, range: Option<&Range<usize>>) -> Span {
    source.zip(range).map_or(Span::START, |(source, range)| source.span(range))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plugin;

    /// A plugin of a test: a manifest's text, read.
    pub(crate) struct Read {
        source: Source,
        manifest: Manifest,
    }

    impl Read {
        pub(crate) fn new(slug: &str, more: &str) -> Read {
            let text = format!("name: {slug}\nversion: 1.0.0\ndisplay_name: X\n{more}");
            let source = Source { file: format!("{slug}/plugin.yaml").into(), text };
            let (manifest, found) = plugin::parse(&source, slug);
            assert!(found.is_empty(), "{found:?}");
            Read { source, manifest }
        }

        pub(crate) fn subject(&self) -> Subject<'_> {
            let slug = self.manifest.name.as_ref().map_or("", |name| &name.value);
            Subject { slug, manifest: &self.manifest, source: Some(&self.source) }
        }

        pub(crate) fn about(&self) -> HostPlugin {
            HostPlugin::from_manifest(&self.manifest, self.subject().slug)
        }
    }

    /// Code, line and message.
    pub(crate) fn told(found: &[Diagnostic]) -> Vec<String> {
        found.iter().map(|found| format!("{} {}: {}", found.code, found.span.line, found.message)).collect()
    }

    #[test]
    fn what_a_plugin_of_the_release_has_is_taken_like_what_another_manifest_has() {
        let text = "permissions: [notes.read]\ndbt_workspaces: [{slug: notes, profile: p, project_dir: dbt}]\n\
                    config: {key: {type: string, env: NOTES_KEY}}\nnav: [{label: Notes, path: /notes}]\n";
        let (first, second) = (Read::new("first", text), Read::new("second", text));
        let mut of_build = Taken::default();
        assert!(of_build.take(&first.subject()).is_empty());
        let about = first.about();
        let mut of_host = Taken::default();
        of_host.know(&about);
        let (in_build, in_host) = (of_build.take(&second.subject()), of_host.take(&second.subject()));
        assert_eq!(told(&in_build), told(&in_host));
        let codes: Vec<&str> = in_build.iter().map(|found| found.code.id()).collect();
        assert_eq!(codes, ["HUB048", "HUB084", "HUB024", "HUB082"]);
        assert!(in_build.iter().all(|found| found.related.len() == 1));
        assert!(in_host.iter().all(|found| found.related.is_empty()), "of the release no place is known");
    }
}
