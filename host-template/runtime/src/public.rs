//! Which routes answer anonymous callers: the patterns of `public_routes` against the paths of routes.

use hub_manifest::plan::{HostPlugin, PublicRoute, Visibility};

/// Whether every request to this route is public.
pub(crate) fn is_public(plugin: &HostPlugin, method: &str, path: &str) -> bool {
    plugin.visibility == Visibility::Public
        || plugin.public_routes.iter().any(|public| covers(public, method, path))
}

fn covers(public: &PublicRoute, method: &str, path: &str) -> bool {
    public.method.as_deref().is_none_or(|m| m == method)
        && matches(&segments(&public.pattern), &segments(path))
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|s| !s.is_empty()).collect()
}

fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), None) => matches(rest, path),
        (Some((&"**", rest)), Some((_, tail))) => matches(rest, path) || matches(pattern, tail),
        // A catch-all parameter stands for any number of segments: only `**` covers that.
        (Some((&"*", rest)), Some((head, tail))) => !head.starts_with("{*") && matches(rest, tail),
        (Some((literal, rest)), Some((head, tail))) => literal == head && matches(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, want: bool) {
        let public = PublicRoute { method: None, pattern: pattern.to_owned() };
        assert_eq!(covers(&public, "GET", path), want, "{pattern} on {path}");
    }

    #[test]
    fn patterns() {
        check("/api/x/ping", "/api/x/ping", true);
        check("/api/x/ping", "/api/x/ping/more", false);
        check("/api/x/*", "/api/x/{id}", true);
        check("/api/x/*", "/api/x", false);
        check("/api/x/*", "/api/x/{*rest}", false);
        check("/api/x/**", "/api/x/{*rest}", true);
        check("/api/x/**", "/api/x", true);
        check("/api/x/**/end", "/api/x/a/{b}/end", true);
        check("/api/x/7", "/api/x/{id}", false);
    }

    #[test]
    fn a_pattern_for_one_method_is_for_no_other() {
        let public = PublicRoute { method: Some("GET".to_owned()), pattern: "/api/x".to_owned() };
        assert!(covers(&public, "GET", "/api/x"));
        assert!(!covers(&public, "POST", "/api/x"));
    }
}
