//! Which routes answer anonymous callers: the patterns of `public_routes` against the paths of routes.

use crate::plan::{HostPlugin, PublicRoute, Visibility};

/// Whether every request to this route is public.
pub fn is_public(plugin: &HostPlugin, method: &str, path: &str) -> bool {
    plugin.visibility == Visibility::Public
        || plugin.public_routes.iter().any(|public| covers(public, method, path))
}

/// Whether the pattern covers every request to this route.
pub fn covers(public: &PublicRoute, method: &str, path: &str) -> bool {
    public.method.as_deref().is_none_or(|m| m == method) && matches(&public.pattern, path)
}

/// Whether the pattern covers the route's path, whatever the method.
pub fn matches(pattern: &str, path: &str) -> bool {
    let path: Vec<&str> = segments(path).collect();
    // For each number of segments, whether the pattern so far can stand for that many: as many steps as segments, where
    // trying each way to stretch `**` would take far longer for a pattern with many of them.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for wanted in segments(pattern) {
        if wanted == "**" {
            for at in 1..reached.len() {
                reached[at] |= reached[at - 1];
            }
        } else {
            for at in (1..reached.len()).rev() {
                reached[at] = reached[at - 1] && fits(wanted, path[at - 1]);
            }
            reached[0] = false;
        }
    }
    reached[path.len()]
}

fn fits(wanted: &str, segment: &str) -> bool {
    match wanted {
        // A catch-all parameter stands for any number of segments: only `**` covers that.
        "*" => !segment.starts_with("{*"),
        literal => literal == segment,
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
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
        check("/api/x/**/end", "/api/x/end", true);
        check("/api/x/**/end", "/api/x/end/more", false);
        check("/api/x/**/*", "/api/x", false);
        check("/api/x/7", "/api/x/{id}", false);
        check("/api/x", "/api", false);
    }

    #[test]
    fn many_stars_take_no_time() {
        check(&"/**/a".repeat(500), &"/a".repeat(999), true);
        check(&"/**/a".repeat(500), &"/b".repeat(999), false);
    }

    #[test]
    fn a_pattern_for_one_method_is_for_no_other() {
        let public = PublicRoute { method: Some("GET".to_owned()), pattern: "/api/x".to_owned() };
        assert!(covers(&public, "GET", "/api/x"));
        assert!(!covers(&public, "POST", "/api/x"));
    }
}
