//! What a request carries to say who sends it: a bearer token, or the session cookie of a page of our own.

use axum::http::{HeaderMap, Method, header};

use crate::identity::Token;

/// Name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "hub_session";

/// Name of the cookie that marks a device which an account has been signed in from.
pub(crate) const DEVICE_COOKIE: &str = "hub_device";

/// A cookie's text. `Lax` lets a link from a mail open a page signed in, and nothing else cross sites.
pub(crate) fn cookie(name: &str, value: &str, seconds: i64, tls: bool) -> String {
    let secure = if tls { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// The values that a browser sends under this name, in its order.
pub(crate) fn cookie_values<'h>(headers: &'h HeaderMap, name: &'h str) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(move |(key, value)| (key == name).then_some(value))
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
    pub(crate) fn of(headers: &HeaderMap) -> Option<Credentials> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            return scheme
                .eq_ignore_ascii_case("bearer")
                .then(|| Token::parse(token.trim()).map(Credentials::Bearer))
                .flatten();
        }
        cookie_values(headers, SESSION_COOKIE).find_map(Token::parse).map(Credentials::Cookie)
    }

    /// The token.
    pub(crate) fn token(&self) -> &Token {
        match self {
            Credentials::Bearer(token) | Credentials::Cookie(token) => token,
        }
    }

    /// Whether the request may act in the name of who it belongs to: a page of another site can make a browser send the
    /// cookie along, and must not change anything with it.
    pub(crate) fn acceptable(&self, method: &Method, headers: &HeaderMap) -> bool {
        matches!(self, Credentials::Bearer(_)) || method.is_safe() || !cross_site(headers)
    }
}

/// Whether a browser says that another site's page sent the request. Programs that are no browsers say nothing.
pub(crate) fn cross_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let of = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    let host = headers.get("x-forwarded-host").or_else(|| headers.get(header::HOST)).map(of);
    let origin = of(origin);
    let origin_host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
    host.as_deref() != Some(origin_host)
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
    fn cookies() {
        let text = "hub_session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60";
        assert_eq!(cookie(SESSION_COOKIE, "abc", 60, false), text);
        assert_eq!(cookie(SESSION_COOKIE, "abc", 60, true), format!("{text}; Secure"));
    }

    #[test]
    fn where_tokens_are_found() {
        let token = "a".repeat(43);
        let found = |pairs: &[(&'static str, &str)]| Credentials::of(&headers(pairs));
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

    #[test]
    fn a_page_of_another_site_cannot_act() {
        let check = |pairs: &[(&'static str, &str)], want: bool| {
            assert_eq!(cross_site(&headers(pairs)), want, "{pairs:?}")
        };
        check(&[], false);
        check(&[("sec-fetch-site", "same-origin")], false);
        check(&[("sec-fetch-site", "none")], false);
        check(&[("sec-fetch-site", "same-site")], true);
        check(&[("sec-fetch-site", "cross-site")], true);
        check(&[("host", "hub.example:8001"), ("origin", "http://hub.example:8001")], false);
        check(&[("host", "hub.example"), ("origin", "https://evil.example")], true);
        check(&[("host", "hub.example"), ("origin", "null")], true);
    }
}
