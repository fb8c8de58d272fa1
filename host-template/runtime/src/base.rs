//! The path below which a proxy serves the platform, `HUB_BASE_PATH`: `/hub` where the page is at `https://host/hub/`.

use std::borrow::Cow;

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use hub_manifest::environment::{self, quoted};

use crate::fault::Fault;
use crate::settings::Env;

const VARIABLE: &str = environment::HUB_BASE_PATH;

/// What the host answers itself: the API, the page's files, and the probes, which are asked past the proxy. A base path
/// that began with one of them would take it away.
const OWN: [&str; 7] = ["api", "assets", "healthz", "livez", "metrics", "readyz", "startupz"];

/// Empty, or `/` and segments, without a `/` at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    /// What the environment says.
    pub(crate) fn of(env: Env<'_>) -> Result<Base, Fault> {
        let Some(text) = env(VARIABLE) else { return Ok(Base::default()) };
        Base::parse(&text).ok_or_else(|| {
            let shown = quoted(&text);
            let own: Vec<String> = OWN.iter().map(|name| format!("/{name}")).collect();
            let what = match own.iter().find(|own| covers(&text, own)) {
                Some(own) => format!("{VARIABLE} is {shown}, which would cover {own}: the host answers there itself"),
                None => format!("{VARIABLE} is {shown}, which is no path to serve below"),
            };
            Fault::machine(
                what,
                format!(
                    "write a `/` and a name of letters, digits, `-`, `_`, `.` or `~`, such as /hub or /tools/hub, but none \
                     that begins with what is the host's own: {}; or leave {VARIABLE} unset",
                    own.join(", ")
                ),
            )
        })
    }

    /// The path, where it is one; `/` and a `/` at the end mean the same as without.
    pub(crate) fn parse(text: &str) -> Option<Base> {
        let path = text.trim().trim_end_matches('/');
        if path.is_empty() {
            return Some(Base::default());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        let segment = |s: &str| !s.is_empty() && s != "." && s != ".." && s.chars().all(plain);
        let mut segments = path.strip_prefix('/')?.split('/');
        let taken = segments.clone().next().is_some_and(|first| OWN.contains(&first));
        (!taken && path.len() <= 200 && segments.all(segment)).then(|| Base(path.to_owned()))
    }

    /// Whether there is none: the page is at `/`.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands before an absolute path: nothing, or `/hub`.
    pub(crate) fn prefix(&self) -> &str {
        &self.0
    }

    /// The path itself, `/` where there is none.
    pub(crate) fn path(&self) -> &str {
        if self.is_root() { "/" } else { &self.0 }
    }

    /// `index.html` with its files' addresses below the path, and the path for the page's own scripts.
    pub(crate) fn page(&self, html: &str) -> String {
        let base = self.prefix();
        let html = html.replace("\"/assets/", &format!("\"{base}/assets/"));
        // Letters, digits and a few signs: the path needs no escaping.
        let tag = format!("<meta name=\"hub-base\" content=\"{base}\">");
        match html.find("<head>") {
            Some(at) => {
                let (before, after) = html.split_at(at + "<head>".len());
                format!("{before}{tag}{after}")
            }
            None => format!("{tag}{html}"),
        }
    }

    /// The address as the host's routes know it. A proxy may pass the base path on or take it away; both are the same here.
    pub(crate) fn strip<'a>(&self, uri: &'a Uri) -> Cow<'a, Uri> {
        let same = Cow::Borrowed(uri);
        if self.is_root() {
            return same;
        }
        let Some(rest) = uri.path().strip_prefix(&self.0) else { return same };
        let path = match rest.as_bytes().first() {
            None => "/",
            Some(b'/') => rest,
            // `/hubble` is another path.
            Some(_) => return same,
        };
        let text = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        match PathAndQuery::try_from(text) {
            Ok(path) => Cow::Owned(Uri::from(path)),
            // A part of what was an address is one.
            Err(_) => same,
        }
    }
}

/// Whether a path is this one or below it.
fn covers(path: &str, own: &str) -> bool {
    path.trim().strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o7_base_paths() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(Base::parse(text).as_ref().map(Base::prefix), want, "{text}");
        };
        check("/hub", Some("/hub"));
        check("/hub/", Some("/hub"));
        check("/tools/hub-1.0", Some("/tools/hub-1.0"));
        check("/", Some(""));
        for wrong in [
            "hub",
            "/hub//x",
            "/a b",
            "/../x",
            "/hub?x",
            "/%68ub",
            "/api",
            "/assets/x",
            "/readyz",
            "/metrics/x",
            "/\"x",
            "/hub;x",
        ] {
            check(wrong, None);
        }
        let fault = Base::of(&|_| Some("hub".to_owned())).unwrap_err().to_string();
        assert!(fault.contains("HUB_BASE_PATH is `hub`, which is no path to serve below"), "{fault}");
        // What is the host's own is named, the probes too: whichever was written, and all there are to keep clear of.
        for own in ["/api", "/assets", "/healthz", "/livez", "/metrics", "/readyz", "/startupz"] {
            for path in [own.to_owned(), format!(" {own}/"), format!("{own}/x")] {
                let fault = Base::of(&|_| Some(path.clone())).unwrap_err().to_string();
                assert!(fault.contains(&format!("which would cover {own}: ")), "{fault}");
                assert!(
                    fault.contains("/api, /assets, /healthz, /livez, /metrics, /readyz, /startupz;"),
                    "{fault}"
                );
            }
            assert!(Base::of(&|_| Some(format!("{own}-2"))).is_ok(), "{own}");
        }
    }

    #[test]
    fn o7_one_build_serves_any_base_path() {
        let page = "<head><link href=\"/assets/a.css\"><script id=\"hub-preload\">{\"files\":[\"/assets/a.js\"]}</script></head>";
        assert_eq!(
            Base::parse("/hub").unwrap().page(page),
            "<head><meta name=\"hub-base\" content=\"/hub\"><link href=\"/hub/assets/a.css\"><script id=\"hub-preload\">\
             {\"files\":[\"/hub/assets/a.js\"]}</script></head>"
        );
    }

    #[test]
    fn o7_the_base_path_is_taken_away_once_and_only_whole() {
        let base = Base::parse("/hub").unwrap();
        let check = |uri: &str, want: &str| {
            assert_eq!(base.strip(&uri.parse().unwrap()).to_string(), want, "{uri}");
        };
        check("/hub", "/");
        check("/hub/", "/");
        check("/hub?x=1", "/?x=1");
        check("/hub/api/health?x=/hub", "/api/health?x=/hub");
        check("/api/health", "/api/health");
        check("/hubble/x", "/hubble/x");
        check("/hub/hub/x", "/hub/x");
        check("/hub//x", "//x");
        assert_eq!(Base::default().strip(&"/hub/x".parse().unwrap()).to_string(), "/hub/x");
    }
}
