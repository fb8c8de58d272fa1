//! Pages of the web shell and of plugins: which paths they answer, and navigation that leads to none.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Subject;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::{alternatives, nearest};
use crate::override_kind::OverrideKind;

/// The table of the web shell's own pages, as people find it in the repository.
pub const SHELL_TABLE: &str = "host-template/shell/src/pages.json";

/// One of the web shell's own pages: a row of [`SHELL_TABLE`], which the shell reads too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellPage {
    /// Its path; `:name` stands for a segment.
    pub path: String,
    /// What it is called.
    pub title: String,
    /// What the caller has to be or hold: `admin`, or a permission; nothing where everybody who is signed in sees it.
    pub access: Option<String>,
    /// Its entry in the navigation.
    pub nav: Option<ShellNav>,
    /// Whether a plugin may take its place.
    #[serde(default)]
    pub replaceable: bool,
    /// Whether it is shown to whoever comes, without a session.
    #[serde(default)]
    pub anonymous: bool,
}

/// Where a page of the shell is in the navigation; its title is the label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellNav {
    /// The group that it is in.
    pub group: String,
    /// Name of its icon.
    pub icon: String,
}

/// The shell's own pages.
pub static SHELL: LazyLock<Vec<ShellPage>> = LazyLock::new(|| {
    // Named as a plain text, which is how the stage before compiling finds what it has to copy.
    let table = include_str!("../../../host-template/shell/src/pages.json");
    serde_json::from_str(table).expect("a test reads the table of the shell's pages")
});

/// The override keys of those of them that a plugin may replace.
pub fn keys_of_shell() -> impl Iterator<Item = String> {
    SHELL.iter().filter(|page| page.replaceable).map(|page| OverrideKind::Route.key(&page.path))
}

/// The slug that a page's path lies under.
pub fn owner_of(path: &str) -> Option<&str> {
    let mut segments = path.strip_prefix('/')?.split('/');
    match segments.next()? {
        "plugins" => segments.next(),
        slug => Some(slug),
    }
}

/// Whether a page's path, with `:name` for a segment and a closing `*` for the rest, answers a path: in any case, with or
/// without a `/` at the end, as the page's router does.
pub fn answers(page: &str, path: &str) -> bool {
    let mut wanted = path.trim_matches('/').split('/');
    for segment in page.trim_matches('/').split('/') {
        match (segment, wanted.next()) {
            ("*", _) => return true,
            (_, None) => return false,
            (segment, Some(text))
                if segment.eq_ignore_ascii_case(text) || segment.starts_with(':') && !text.is_empty() => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

/// The entries of the navigation that lead nowhere: `serves` says whether there is a page at a path, `own` are the paths
/// of the plugin's own pages, one of which may be meant; none where it can have none.
pub fn check(
    subject: &Subject<'_>,
    serves: &dyn Fn(&str) -> bool,
    own: Option<&[String]>,
) -> Vec<Diagnostic> {
    let dead = subject.manifest.nav.iter().filter(|item| !serves(&item.path.value));
    dead.map(|item| {
        let path = item.path.value.as_str();
        let help = match nearest(path, own.iter().copied().flatten().map(String::as_str)).as_slice() {
            [] if own.is_none() => "lead it to a page of the release, or remove it".to_string(),
            [] => "add a page with this path to the module of `frontend_entry`".to_string(),
            near => format!("did you mean {}?", alternatives(near)),
        };
        let message =
            format!("the navigation entry `{}` leads to `{path}`, but no page has that path", item.label);
        subject
            .found(&item.path.range, Diagnostic::warning(codes::NAVIGATION_WITHOUT_PAGE, message).help(help))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{SHELL, answers, keys_of_shell, owner_of};
    use crate::grammar::{PLATFORM_PERMISSIONS, RESERVED_SLUGS};

    #[test]
    fn o8_every_row_of_the_shells_pages_makes_sense() {
        let paths: BTreeSet<&str> = SHELL.iter().map(|page| page.path.as_str()).collect();
        assert_eq!(paths.len(), SHELL.len(), "a path is in two rows");
        for page in SHELL.iter() {
            let path = page.path.as_str();
            assert!(path.starts_with('/') && (path == "/" || !path.ends_with('/')), "{path}");
            assert!(!page.title.is_empty(), "{path}: a title");
            let access = page.access.as_deref();
            let known = |access: &str| access == "admin" || PLATFORM_PERMISSIONS.contains(&access);
            assert!(access.is_none_or(known), "{path}: nobody can hold {access:?}");
            assert!(
                !page.anonymous || access.is_none() && page.nav.is_none() && !page.replaceable,
                "{path}: only who is signed in has permissions, navigation and plugins"
            );
            // Whoever has a link to `/invitation` reads it before there are plugins, so none can stand in its way.
            let slug = path.split('/').nth(1).unwrap_or_default();
            assert!(
                slug.is_empty() || page.anonymous || RESERVED_SLUGS.contains(&slug),
                "{path}: a plugin of the name `{slug}` would have its pages there; reserve it in grammar.rs"
            );
        }
        let keys: Vec<String> = keys_of_shell().collect();
        assert!(
            keys.contains(&"route:/".to_owned()) && keys.contains(&"route:/records".to_owned()),
            "{keys:?}"
        );
    }

    #[test]
    fn pages_answer_paths() {
        for (page, path, expect) in [
            ("/crm/customers", "/crm/customers", true),
            ("/crm/customers", "/CRM/Customers/", true),
            ("/crm/customers", "/crm/accounts", false),
            ("/crm/:id", "/crm/7", true),
            ("/crm/*", "/crm/a/b", true),
            ("/crm/:id", "/crm", false),
            ("/crm", "/crm/7", false),
            ("/", "/", true),
            ("/", "/crm", false),
        ] {
            assert_eq!(answers(page, path), expect, "{page} {path}");
        }
    }

    #[test]
    fn a_path_lies_under_one_slug() {
        for (path, expect) in [
            ("/crm", Some("crm")),
            ("/crm/customers", Some("crm")),
            ("/plugins/crm/x", Some("crm")),
            ("/plugins", None),
            ("/", Some("")),
            ("crm/x", None),
        ] {
            assert_eq!(owner_of(path), expect, "{path}");
        }
    }
}
