//! What must hold, written down a second time and as simply as can be: nothing here calls the code that it judges.

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{METHODS, RouterCrate, RouterSpec};
use hub_manifest::plugin::Manifest;
use hub_manifest::source::Source;

/// Most findings that one file may give.
const MAX_FINDINGS: usize = 201;
/// Longest message or help, in bytes.
const MAX_SENTENCE: usize = 3200;

/// Every finding lies in the text, has a known code, and says something.
pub fn be_sound(source: &Source, found: &[Diagnostic]) {
    assert!(found.len() <= MAX_FINDINGS, "{} findings in one file", found.len());
    for finding in found {
        say_something(finding);
        lie_within(&source.text, finding.span);
        finding.related.iter().for_each(|related| lie_within(&source.text, related.span));
    }
}

/// The same for a file whose bytes are no text.
pub fn be_sound_without_text(data: &[u8], found: &Diagnostic) {
    say_something(found);
    assert!(found.span.offset + found.span.len <= data.len());
}

fn say_something(found: &Diagnostic) {
    sentence(&found.message);
    sentence(&found.help);
    assert!(!found.label.chars().any(char::is_control), "{:?}", found.label);
}

/// One line, neither empty nor endless, and nothing that a terminal would obey.
fn sentence(text: &str) {
    assert!(!text.trim().is_empty(), "a finding says nothing");
    assert!(!text.chars().any(char::is_control), "a control character in {text:?}");
    assert!(text.len() <= MAX_SENTENCE, "{} bytes in one sentence", text.len());
}

/// What a grammar says of a text that it refuses. It becomes the help of a finding, which cleans it.
pub fn be_help(help: &str) {
    assert!(!help.trim().is_empty());
}

fn lie_within(text: &str, span: Span) {
    let end = span.offset + span.len;
    assert!(end <= text.len(), "{span:?} in a text of {} bytes", text.len());
    assert!(text.is_char_boundary(span.offset) && text.is_char_boundary(end), "{span:?} splits a character");
    let before = &text[..span.offset];
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    assert_eq!((span.line, span.column), (line, column), "{span:?}");
}

/// Every name and path that was accepted keeps to its grammar, and none leaves the plugin.
pub fn be_accepted(manifest: &Manifest) {
    let paths = manifest.migrations.iter().chain(&manifest.frontend_entry);
    let paths = paths.chain(manifest.dbt_workspaces.iter().map(|workspace| &workspace.project_dir));
    let paths = paths.chain(manifest.known_scripts.iter().map(|script| &script.script_path));
    let paths = paths.chain(manifest.frontend_overrides.iter().map(|(_, file)| file));
    paths.for_each(|path| be_inner_path(&path.value));

    let named = manifest.dependencies.iter().chain(&manifest.optional_dependencies).map(|other| &other.slug);
    let slugs = named.chain(&manifest.name).chain(&manifest.before).chain(&manifest.after);
    slugs.for_each(|slug| be_slug(&slug.value, "-"));
    let lesser = manifest.dbt_workspaces.iter().map(|workspace| &workspace.slug);
    let lesser = lesser.chain(manifest.known_scripts.iter().map(|script| &script.slug));
    let lesser = lesser.chain(manifest.dataset_templates.iter().map(|template| &template.slug));
    let lesser = lesser.chain(manifest.dashboard_seeds.iter().map(|seed| &seed.slug));
    lesser.for_each(|slug| be_slug(&slug.value, "-_"));

    manifest.frontend_overrides.iter().for_each(|(key, _)| be_override_key(&key.value));
    for widget in manifest.dashboard_seeds.iter().flat_map(|seed| &seed.widgets) {
        assert!(widget.value.block.starts_with("block:"));
        be_override_key(&widget.value.block);
    }
    manifest.nav.iter().for_each(|item| be_shell_path(&item.path.value));
    manifest.routers.iter().for_each(|router| be_router(&router.value));
    for route in &manifest.public_routes {
        assert!(route.value.0.as_deref().is_none_or(|method| METHODS.contains(&method)));
        if manifest.name.as_ref().is_none_or(|name| name.value == crate::targets::PLUGIN) {
            be_public_route(&route.value.1);
        }
    }
    let granted = manifest.seed_groups.iter().flat_map(|group| &group.permissions);
    for permission in manifest.permissions.iter().chain(granted) {
        let words: Vec<&str> = permission.value.split('.').collect();
        assert!(words.len() >= 2 && words.iter().all(|word| only(word, "-_") && !word.is_empty()));
    }
    for (key, field) in &manifest.config {
        assert!(only(&key.value, "_") && !key.value.is_empty());
        let name = field.env.as_ref().map_or("A", |env| env.value.as_str());
        assert!(!name.is_empty() && name.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '_')));
    }
}

/// Lowercase letters, digits, and a few more.
fn only(text: &str, more: &str) -> bool {
    text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9') || more.contains(c))
}

fn be_slug(slug: &str, joints: &str) {
    let body = slug.strip_prefix('_').unwrap_or(slug);
    assert!(only(body, joints), "{slug:?}");
    assert!(body.starts_with(|c: char| c.is_ascii_lowercase()), "{slug:?}");
    assert!(!body.ends_with('-') && slug.len() <= 40, "{slug:?}");
}

/// Names of files, one after the other, that stay below the folder they start at on any machine.
pub fn be_inner_path(path: &str) {
    assert!(
        !path.is_empty() && !path.contains(['\\', '\0']) && !path.chars().any(char::is_control),
        "{path:?}"
    );
    assert!(!path.starts_with(['/', '~']) && path.as_bytes().get(1) != Some(&b':'), "{path:?}");
    let names = || path.split('/');
    assert!(path == "." || names().all(|name| !matches!(name, "" | "." | "..")), "{path:?}");
    let joined = std::path::Path::new("/plugin").join(path);
    assert!(joined.starts_with("/plugin"), "{path:?}");
}

/// `block:Name`, `route:/path`, or dotted words.
pub fn be_override_key(key: &str) {
    match key.split_once(':') {
        Some(("block", name)) => {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{key:?}");
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{key:?}");
        }
        Some(("route", path)) => be_shell_path(path),
        Some(_) => panic!("{key:?}"),
        None => {
            let word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            assert!(key.split('.').all(|part| !part.is_empty() && part.chars().all(word)), "{key:?}");
        }
    }
}

fn be_shell_path(path: &str) {
    assert!(path.starts_with('/') && path != "/api" && !path.starts_with("/api/"), "{path:?}");
    assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~:*".contains(c)), "{path:?}");
    assert!(!path.split('/').any(|part| matches!(part, "." | "..")), "{path:?}");
}

/// Identifiers only: they become Rust paths.
pub fn be_router(spec: &RouterSpec) {
    let (RouterCrate::Backend(krate) | RouterCrate::Named(krate)) = &spec.krate;
    for name in spec.modules.iter().chain([krate, &spec.function]) {
        let mut chars = name.chars();
        assert!(chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_'), "{spec:?}");
        assert!(chars.all(|c| c.is_ascii_alphanumeric() || c == '_'), "{spec:?}");
        assert!(!matches!(name.as_str(), "_" | "crate" | "self" | "super" | "Self" | "unsafe"), "{spec:?}");
    }
}

/// A router's parts, put together again.
pub fn written(spec: &RouterSpec) -> String {
    match &spec.krate {
        RouterCrate::Backend(slug) => {
            let modules: String = spec.modules.iter().map(|name| format!(".{name}")).collect();
            format!("plugins.{slug}.backend{modules}:{}", spec.function)
        }
        RouterCrate::Named(krate) => {
            let modules: String = spec.modules.iter().map(|name| format!("{name}::")).collect();
            format!("{krate}::{modules}{}", spec.function)
        }
    }
}

/// A pattern below the plugin's own part of the API, with no parameter of the router's.
pub fn be_public_route(pattern: &str) {
    let own = format!("/api/{}", crate::targets::PLUGIN);
    let rest = pattern.strip_prefix(own.as_str()).unwrap_or_else(|| panic!("{pattern:?} is not below {own}"));
    assert!(rest.is_empty() || rest.starts_with('/'), "{pattern:?}");
    for segment in rest.split('/').skip(1) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        assert!(!segment.is_empty() && !matches!(segment, "." | ".."), "{pattern:?}");
        assert!(matches!(segment, "*" | "**") || segment.chars().all(plain), "{pattern:?}");
    }
}

/// Whether a public route covers a path, by trying every way that there is; none where there are too many of them.
pub fn covers_slowly(pattern: &str, path: &str) -> Option<bool> {
    fn covers(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], rest) => rest.is_empty(),
            (["**", after @ ..], rest) => (0..=rest.len()).any(|skip| covers(after, &rest[skip..])),
            (["*", after @ ..], [first, rest @ ..]) => !first.starts_with("{*") && covers(after, rest),
            ([literal, after @ ..], [first, rest @ ..]) => literal == first && covers(after, rest),
            (_, []) => false,
        }
    }
    let split = |text: &str| -> Vec<String> {
        text.split('/').filter(|segment| !segment.is_empty()).map(str::to_string).collect()
    };
    let (pattern, path) = (split(pattern), split(path));
    let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    (pattern.len() <= 8 && path.len() <= 12).then(|| covers(&pattern, &path))
}
