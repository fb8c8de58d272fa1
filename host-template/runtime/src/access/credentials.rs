//! What a request carries to say who sends it: a bearer token, or the session cookie of a page of our own.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};

use super::Token;
use super::proxies::{self, Proxies, Seen, port_of};
use crate::base::Base;
use crate::problem::Problem;

/// Name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "hub_session";
/// Name of the cookie that marks a device which an account has been signed in from.
pub(crate) const DEVICE_COOKIE: &str = "hub_device";

/// Before a cookie's name over TLS: a browser takes such a name from this host alone, over TLS alone.
const HOST: &str = "__Host-";
/// The same below a path, where the other one may not be.
const SECURE: &str = "__Secure-";

/// A cookie's text. `Lax` lets a link from a mail open a page signed in, and nothing else cross sites.
pub(crate) fn cookie(name: &str, value: &str, seconds: i64, tls: bool, base: &Base) -> String {
    let prefix = if tls { prefix(base) } else { "" };
    let secure = if tls { "; Secure" } else { "" };
    let path = base.path();
    format!("{prefix}{name}={value}; Path={path}; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// What stands before a cookie's name over TLS.
fn prefix(base: &Base) -> &'static str {
    if base.is_root() { HOST } else { SECURE }
}

/// The values that a browser sends under this name, those first that it gives to nobody else. Over TLS only the name counts
/// that this host gives: under another one, a neighbour of the same domain could have set it.
pub(crate) fn cookie_values<'h>(
    headers: &'h HeaderMap,
    name: &'h str,
    base: &Base,
    tls: impl FnOnce() -> bool,
) -> impl Iterator<Item = &'h str> {
    let (mut found, mut plain) = (Vec::new(), Vec::new());
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    for (key, value) in
        values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
    {
        if key == name {
            plain.push(value);
        } else if key.strip_prefix(prefix(base)) == Some(name) {
            found.push(value);
        }
    }
    if !plain.is_empty() && !tls() {
        found.append(&mut plain);
    }
    found.into_iter()
}

/// A token, and how it came.
pub(crate) enum Credentials {
    /// In the `Authorization` header: no other site can make a browser send it.
    Bearer(Token),
    /// In the cookie, which a browser adds to every request.
    Cookie(Token),
}

impl Credentials {
    /// The first that is there and has the form of a token.
    pub(crate) fn of(headers: &HeaderMap, base: &Base, tls: impl FnOnce() -> bool) -> Option<Credentials> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            return scheme
                .eq_ignore_ascii_case("bearer")
                .then(|| Token::parse(token.trim()).map(Credentials::Bearer))
                .flatten();
        }
        let mut tokens = cookie_values(headers, SESSION_COOKIE, base, tls);
        tokens.find_map(Token::parse).map(Credentials::Cookie)
    }

    /// Those of a request that came from `peer`.
    pub(crate) fn of_request(request: &Request, proxies: &Proxies, base: &Base) -> Option<Credentials> {
        let tls = || proxies.tls(proxies::peer(request.extensions()), request.headers());
        Credentials::of(request.headers(), base, tls)
    }

    /// The token.
    pub(crate) fn token(&self) -> &Token {
        match self {
            Credentials::Bearer(token) | Credentials::Cookie(token) => token,
        }
    }

    /// Whether the request may act in the name of who it belongs to: a page of another site can make a browser send the
    /// cookie along, and must not change anything with it.
    pub(crate) fn acceptable(&self, request: &Request, proxies: &Proxies) -> Result<(), CrossSite> {
        if matches!(self, Credentials::Bearer(_)) || request.method().is_safe() {
            return Ok(());
        }
        let seen = proxies.seen(proxies::peer(request.extensions()), request.headers());
        cross_site(&seen, request.headers()).map_or(Ok(()), Err)
    }
}

/// A request that a page of another site sent, as far as the browser tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CrossSite {
    /// Where the page is from, by the browser's word.
    origin: Option<String>,
    /// The host that the request asks for, by what arrived here.
    host: Option<String>,
}

impl CrossSite {
    /// 403 that says which two hosts differ, and what makes them one behind a proxy.
    pub(crate) fn problem(&self) -> Problem {
        let shown = |text: &Option<String>, none: &str| match text {
            Some(text) => format!("`{}`", text.chars().take(200).collect::<String>().escape_debug()),
            None => none.to_owned(),
        };
        Problem::new(StatusCode::FORBIDDEN).code("cross-site-request").detail(format!(
            "a page of another site sent this request: the page is from {}, and the request asks for the host {}. Where \
             both are meant to be one, let the proxy in front pass on the name that the browser asked for (`Host`, or \
             `X-Forwarded-Host` with `X-Forwarded-Proto`), and name the proxy in HUB_TRUSTED_PROXIES unless it runs on \
             this machine. Programs send a bearer token instead of the cookie",
            shown(&self.origin, "an origin that the browser does not tell"),
            shown(&self.host, "that it does not name"),
        ))
    }
}

/// What a browser says of another site's page that sent the request. Programs that are no browsers say nothing.
pub(crate) fn cross_site(seen: &Seen, headers: &HeaderMap) -> Option<CrossSite> {
    let origin =
        headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned());
    let same = match headers.get("sec-fetch-site") {
        Some(site) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        None => origin.as_deref().is_none_or(|origin| is_own(origin, seen)),
    };
    (!same).then(|| CrossSite { origin, host: seen.host.clone() })
}

/// Whether a page of this origin is one that the host served. The protocol's own port may be left out on either side.
fn is_own(origin: &str, seen: &Seen) -> bool {
    let Some((scheme, origin)) = origin.split_once("://") else { return false };
    let tls = scheme.eq_ignore_ascii_case("https");
    let Some(host) = seen.host.as_deref() else { return false };
    let parts = |text: &str| {
        let port = port_of(text);
        let name = match port {
            Some(_) => text.rsplit_once(':').map_or(text, |(name, _)| name),
            None => text,
        };
        (name.trim_end_matches(['.', ':']).to_ascii_lowercase(), port.unwrap_or(if tls { 443 } else { 80 }))
    };
    // A page that came without TLS says nothing of who wrote it.
    (tls || !seen.tls) && parts(origin) == parts(host)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn where_tokens_are_found() {
        let token = "a".repeat(43);
        let found =
            |pairs: &[(&'static str, &str)]| Credentials::of(&headers(pairs), &Base::default(), || false);
        assert!(matches!(
            found(&[("authorization", &format!("bearer {token}"))]),
            Some(Credentials::Bearer(_))
        ));
        let cookies = format!("theme=dark; hub_session={token}");
        assert!(matches!(found(&[("cookie", &cookies)]), Some(Credentials::Cookie(_))));
        assert!(found(&[("cookie", "hub_session=short")]).is_none());
        assert!(found(&[("authorization", "Basic YTpi"), ("cookie", &cookies)]).is_none());
        assert!(found(&[]).is_none());
    }

    /// S20: over TLS only the name counts that a browser gives to nobody else.
    #[test]
    fn s20_over_tls_the_cookie_is_bound_to_the_host() {
        let (root, below) = (Base::default(), Base::parse("/hub").unwrap());
        assert_eq!(
            cookie(SESSION_COOKIE, "abc", 60, true, &root),
            "__Host-hub_session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert_eq!(
            cookie(SESSION_COOKIE, "abc", 60, true, &below),
            "__Secure-hub_session=abc; Path=/hub; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert_eq!(
            cookie(SESSION_COOKIE, "abc", 60, false, &below),
            "hub_session=abc; Path=/hub; HttpOnly; SameSite=Lax; Max-Age=60"
        );
        let (a, b) = ("a".repeat(43), "b".repeat(43));
        let found_at = |cookies: &str, base: &Base, tls: bool| {
            Credentials::of(&headers(&[("cookie", cookies)]), base, || tls)
                .map(|found| found.token().secret().to_owned())
        };
        let found = |cookies: &str, tls: bool| found_at(cookies, &root, tls);
        let both = format!("hub_session={a}; __Host-hub_session={b}");
        assert_eq!(found(&both, true), Some(b.clone()));
        assert_eq!(found(&both, false), Some(b.clone()));
        // A neighbour under the same domain can set this one, and with a longer path it would come first.
        assert_eq!(
            found(&format!("__Secure-hub_session={a}; __Host-hub_session={b}"), true),
            Some(b.clone())
        );
        assert_eq!(found(&format!("__Secure-hub_session={b}"), true), None);
        assert_eq!(found_at(&format!("__Secure-hub_session={b}"), &below, true), Some(b.clone()));
        assert_eq!(found_at(&format!("__Host-hub_session={b}"), &below, true), None);
        assert_eq!(found(&format!("hub_session={a}"), true), None);
        assert_eq!(found(&format!("hub_session={a}"), false), Some(a));
    }

    #[test]
    fn a_page_of_another_site_cannot_act() {
        let check = |pairs: &[(&'static str, &str)], want: bool| {
            let headers = headers(pairs);
            let seen = Proxies::default().seen("127.0.0.1".parse().unwrap(), &headers);
            assert_eq!(cross_site(&seen, &headers).is_some(), want, "{pairs:?}");
        };
        check(&[], false);
        check(&[("sec-fetch-site", "same-origin")], false);
        check(&[("sec-fetch-site", "none")], false);
        check(&[("sec-fetch-site", "same-site")], true);
        check(&[("sec-fetch-site", "cross-site")], true);
        check(&[("host", "hub.example:8001"), ("origin", "http://hub.example:8001")], false);
        check(&[("host", "hub.example"), ("origin", "https://evil.example")], true);
        check(&[("host", "hub.example"), ("origin", "null")], true);
        // O7: any case, and the protocol's own port, which either side may name.
        check(&[("host", "HUB.example"), ("origin", "https://hub.example")], false);
        check(&[("host", "hub.example:443"), ("origin", "https://hub.example")], false);
        check(&[("host", "hub.example"), ("origin", "http://hub.example:80")], false);
        check(&[("host", "hub.example:8443"), ("origin", "https://hub.example")], true);
        check(&[("host", "hub.example"), ("origin", "https://hub.example:8443")], true);
        check(&[("host", "[::1]:8001"), ("origin", "http://[::1]:8001")], false);
        check(&[("host", "[::1]"), ("origin", "http://[::1]")], false);
        let proxied = |host: &'static str, proto: &'static str, origin: &'static str| {
            [
                ("host", "127.0.0.1:8001"),
                ("x-forwarded-host", host),
                ("x-forwarded-proto", proto),
                ("origin", origin),
            ]
        };
        check(&proxied("hub.example", "https", "https://hub.example"), false);
        check(&proxied("hub.example, inner", "HTTPS, http", "https://hub.example"), false);
        check(&proxied("hub.example:8443", "https", "https://hub.example:8443"), false);
        // A page without TLS is nobody's once there is TLS.
        check(&proxied("hub.example", "https", "http://hub.example"), true);
        check(&proxied("hub.example", "https", "http://hub.example:443"), true);
        check(&proxied("hub.example", "https", "https://evil.example"), true);
    }

    /// O7: the refusal names both hosts and the cure.
    #[test]
    fn o7_the_refusal_names_both_hosts() {
        let headers = headers(&[("host", "127.0.0.1:8001"), ("origin", "http://hub.example")]);
        let seen = Proxies::default().seen("127.0.0.1".parse().unwrap(), &headers);
        let text = cross_site(&seen, &headers).unwrap().problem().to_string();
        for part in ["`http://hub.example`", "`127.0.0.1:8001`", "X-Forwarded-Host", "HUB_TRUSTED_PROXIES"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
