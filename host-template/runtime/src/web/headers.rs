//! Headers of pages and files: what a page may do, what the caller has already, what they take.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::base::Base;

/// The page runs its own scripts only. Styles may be inline: the component library writes them at run time.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; \
                      base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// What a device has is asked for by the page itself, never by a frame in it.
const OWN_DEVICES: &str = "camera=(self), display-capture=(self), geolocation=(self), microphone=(self), \
                           payment=(self), usb=(self)";

/// The host is asked over TLS only from now on, for a year. Nothing is said of its neighbours.
pub(crate) const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Puts in what every answer has, whoever gives it: nothing guesses what it is.
pub(crate) fn of_all(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Puts in what an answer of the API has that does not say so itself: nothing keeps it, and what a browser could show is in no
/// other site's frame. A stream of events goes through proxies as it comes.
pub(crate) fn of_api(headers: &mut HeaderMap) {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let data = kind.starts_with(b"application/json") || kind.starts_with(b"application/problem");
    if kind.starts_with(b"text/event-stream") {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
        headers.insert(ACCEL_BUFFERING.clone(), HeaderValue::from_static("no"));
    } else if !headers.contains_key(header::CACHE_CONTROL) {
        // Who gives an entity tag wants to be asked by it.
        let kept = if headers.contains_key(header::ETAG) { "private, no-cache" } else { "no-store" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    }
    if !data && !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'self'"));
    }
}

static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Puts the base path in front of an address of this host.
pub(crate) fn below(headers: &mut HeaderMap, base: &Base) {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(path) = location.filter(|path| path.starts_with('/') && !path.starts_with("//")) else { return };
    // Two values of headers one after the other are one.
    if let Ok(value) = HeaderValue::try_from(format!("{}{path}", base.prefix())) {
        headers.insert(header::LOCATION, value);
    }
}

/// Puts in what keeps a page to itself; `page` where it is HTML.
pub(crate) fn secure(headers: &mut HeaderMap, page: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if page {
        set(header::CONTENT_SECURITY_POLICY, POLICY);
        set(header::REFERRER_POLICY, "same-origin");
        set(header::X_FRAME_OPTIONS, "DENY");
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        set(HeaderName::from_static("permissions-policy"), OWN_DEVICES);
    }
}

/// How `Accept` speaks of HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Html {
    /// By name: a browser opens a page.
    Named,
    /// As anything else, too.
    Any,
    /// Not at all.
    No,
}

/// What `Accept` says; without it, anything will do.
pub(super) fn accepts_html(headers: &HeaderMap) -> Html {
    let mut values =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if values.peek().is_none() {
        return Html::Any;
    }
    let mut any = Html::No;
    for range in values.flat_map(|value| value.split(',')) {
        match range.split(';').next().unwrap_or_default().trim() {
            "text/html" | "application/xhtml+xml" => return Html::Named,
            "*/*" | "text/*" => any = Html::Any,
            _ => {}
        }
    }
    any
}

/// Whether `If-None-Match` names this entity tag.
pub(super) fn has_already(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Ok(etag) = etag.to_str() else { return false };
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn accept() {
        let check = |value, want| assert_eq!(accepts_html(&with(header::ACCEPT, value)), want, "{value}");
        check("text/html,application/xhtml+xml,*/*;q=0.8", Html::Named);
        check("*/*", Html::Any);
        check("image/avif,image/webp", Html::No);
        check("application/json", Html::No);
        assert_eq!(accepts_html(&HeaderMap::new()), Html::Any);
    }

    #[test]
    fn entity_tags() {
        let etag = HeaderValue::from_static("\"abc-br\"");
        let check = |value, want| {
            assert_eq!(has_already(&with(header::IF_NONE_MATCH, value), &etag), want, "{value}");
        };
        check("\"abc-br\"", true);
        check("\"x\", W/\"abc-br\"", true);
        check("*", true);
        check("\"abc\"", false);
        assert!(!has_already(&HeaderMap::new(), &etag));
    }
}
