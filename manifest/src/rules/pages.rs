//! Pages of the web shell and of plugins: which paths they answer, and navigation that leads to none.

use super::Subject;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::{alternatives, nearest};

/// The shell's own pages, as `shell/src/App.tsx` has them; a test of the host compares.
pub const SHELL: &[&str] = &[
    "/",
    "/records",
    "/connectors",
    "/dashboards",
    "/dashboards/:id",
    "/datasets",
    "/flow",
    "/plugins",
    "/overrides",
    "/members",
    "/audit",
    "/invitation",
];

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
    use super::{answers, owner_of};

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
