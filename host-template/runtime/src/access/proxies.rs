//! What proxies in front of the host say of a request: who sent it, whether over TLS, under which name. The only reader of
//! `X-Forwarded-*` and `Forwarded`; everything that needs to know asks [`Proxies::seen`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderName, header};
use hub_manifest::environment;
use ipnet::IpNet;

use crate::fault::Fault;
use crate::networks;
use crate::settings::{self, Env};

/// The proxies in front of the host: those on the same machine, and those named in `HUB_TRUSTED_PROXIES`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    speak: Speak,
}

/// Which headers the proxies write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Speak {
    /// `X-Forwarded-*` where there is one of them, else `Forwarded`.
    #[default]
    Either,
    /// `X-Forwarded-*` alone.
    XForwarded,
    /// `Forwarded` of RFC 7239 alone.
    Forwarded,
}

const VARIABLE: &str = environment::HUB_TRUSTED_PROXIES;
const SPEAK: &str = environment::HUB_FORWARDED_HEADER;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// What nginx's examples write beside, or alone: read by nobody, it tells that there is a proxy.
static REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// A request as it left the caller, before any proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Who sent it.
    pub(crate) address: IpAddr,
    /// Whether it came over TLS.
    pub(crate) tls: bool,
    /// The host that was asked for, with its port where one was named.
    pub(crate) host: Option<String>,
}

/// The other end of the connection that a request came over.
pub(crate) fn peer(extensions: &Extensions) -> IpAddr {
    // Tests of a router alone have no connection.
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    extensions.get::<ConnectInfo<SocketAddr>>().map_or(localhost, |info| info.0.ip()).to_canonical()
}

/// What counts as one sender where senders are counted: an address of IPv4, and a /64 of IPv6, of which anybody has all.
pub(crate) fn sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Proxies {
    /// Those that the environment names.
    pub(crate) fn of(env: Env<'_>) -> Result<Proxies, Fault> {
        let networks = networks::of_variable(env, VARIABLE)?;
        let speak = match settings::one_of(SPEAK, env(SPEAK), &["x-forwarded", "forwarded"])? {
            None => Speak::Either,
            Some("x-forwarded") => Speak::XForwarded,
            Some(_) => Speak::Forwarded,
        };
        Ok(Proxies { networks, speak })
    }

    /// The request as it left the caller. A peer that is no proxy of ours is believed nothing.
    pub(crate) fn seen(&self, peer: IpAddr, headers: &HeaderMap) -> Seen {
        let peer = peer.to_canonical();
        let own = || headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        if !self.believes(peer) {
            return Seen { address: peer, tls: false, host: own() };
        }
        let told = self.told(headers);
        let (address, place) = self.caller(peer, &told.addresses);
        let proto = told.of_caller(&told.protos, place);
        let tls = proto
            .is_some_and(|proto| proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss"));
        let host = match told.of_caller(&told.hosts, place) {
            Some(host) => Some(host.to_owned()),
            None => own(),
        };
        let host = host.map(|host| match told.port {
            Some(port) if port_of(&host).is_none() => format!("{host}:{port}"),
            _ => host,
        });
        Seen { address, tls, host }
    }

    /// Whether any proxy says anything; asked with every request, so the names are looked at once.
    pub(crate) fn speak(headers: &HeaderMap) -> bool {
        headers.keys().any(|name| {
            name.as_str().starts_with("x-forwarded-")
                || [&header::FORWARDED, &header::VIA, &REAL_IP].contains(&name)
        })
    }

    /// Whether the request came over TLS.
    pub(crate) fn tls(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        (headers.contains_key(&PROTO) || headers.contains_key(header::FORWARDED))
            && self.seen(peer, headers).tls
    }

    /// Whom a proxy passes a request on for; none where the peer is no proxy or names nobody.
    pub(crate) fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        Some(self.seen(peer, headers).address).filter(|address| *address != peer)
    }

    fn told<'a>(&self, headers: &'a HeaderMap) -> Told<'a> {
        let x = || Told {
            addresses: list(headers, &FOR),
            protos: list(headers, &PROTO),
            hosts: list(headers, &HOST),
            port: list(headers, &PORT).first().and_then(|port| port.parse().ok()),
        };
        match self.speak {
            Speak::XForwarded => x(),
            Speak::Forwarded => Told::forwarded(headers),
            // A caller can write the header that its proxy does not know: what the proxies of most people write counts.
            Speak::Either if [&FOR, &PROTO, &HOST].into_iter().any(|name| headers.contains_key(name)) => x(),
            Speak::Either => Told::forwarded(headers),
        }
    }

    /// Who a request comes from, and the place in the list. Each proxy adds whom it was asked by at the end of the list, so
    /// the last address that is not a proxy's own is the caller's; what stands before it anybody could have written.
    fn caller(&self, peer: IpAddr, addresses: &[&str]) -> (IpAddr, usize) {
        let (mut caller, mut place) = (peer, addresses.len());
        for (index, word) in addresses.iter().enumerate().rev() {
            let Some(address) = address(word) else { break };
            (caller, place) = (address, index);
            if !self.believes(caller) {
                break;
            }
        }
        (caller, place)
    }

    pub(crate) fn believes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The lists that proxies make, the caller's own proxy first.
#[derive(Default)]
struct Told<'a> {
    addresses: Vec<&'a str>,
    protos: Vec<&'a str>,
    hosts: Vec<&'a str>,
    port: Option<u16>,
}

impl<'a> Told<'a> {
    /// One element a proxy, of `key=value` pairs.
    fn forwarded(headers: &'a HeaderMap) -> Told<'a> {
        let mut told = Told::default();
        let values = headers.get_all(header::FORWARDED).iter().filter_map(|value| value.to_str().ok());
        for element in values.flat_map(|value| split(value, ',')) {
            let of = |key: &str| {
                let pairs = split(element, ';').filter_map(|pair| pair.split_once('='));
                pairs
                    .filter(|(name, _)| name.trim().eq_ignore_ascii_case(key))
                    .map(|(_, value)| bare(value))
                    .next()
            };
            told.addresses.push(of("for").unwrap_or_default());
            told.protos.push(of("proto").unwrap_or_default());
            told.hosts.push(of("host").unwrap_or_default());
        }
        told
    }

    /// The caller's entry of a list: that at its place where every proxy added to both lists, else the first one, which
    /// the proxy that the caller spoke to has written.
    fn of_caller(&self, list: &[&'a str], place: usize) -> Option<&'a str> {
        let same = (list.len() == self.addresses.len()).then(|| list.get(place)).flatten();
        same.or(list.first()).copied().filter(|word| !word.is_empty())
    }
}

fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(bare).filter(|word| !word.is_empty()).collect()
}

/// The parts of a header's value between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == separator && !quoted
    })
}

/// Without white space and quotes.
fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// The address in `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]` and `[2001:db8::7]:4711`.
fn address(word: &str) -> Option<IpAddr> {
    let word = bare(word);
    let host = match word.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon is a port's; an address of IPv6 without brackets has at least two.
        None if word.matches(':').count() == 1 => word.split_once(':')?.0,
        None => word,
    };
    // A zone is known to the machine alone that wrote it.
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The port of `host:port`, where one is named.
pub(crate) fn port_of(host: &str) -> Option<u16> {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(text: &str) -> Result<Proxies, String> {
        Proxies::of(&|name| (name == VARIABLE).then(|| text.to_owned())).map_err(|fault| fault.to_string())
    }

    /// Who a request from `peer` with these lists comes from.
    fn caller(trusted: &str, peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", HeaderValue::from_str(list).unwrap());
        }
        proxies(trusted).unwrap().seen(peer.parse().unwrap(), &headers).address.to_string()
    }

    #[test]
    fn a_proxy_of_this_machine_is_believed_and_nobody_else() {
        assert_eq!(caller("", "127.0.0.1", &["203.0.113.9, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(caller("", "198.51.100.1", &["203.0.113.9"]), "198.51.100.1");
        assert_eq!(caller("", "127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn of_several_proxies_the_first_one_knows_the_caller() {
        let trusted = "10.0.0.0/8, 192.0.2.7";
        assert_eq!(caller(trusted, "10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(caller(trusted, "10.1.2.3", &["1.1.1.1, 203.0.113.9, 192.0.2.7"]), "203.0.113.9");
        assert_eq!(caller(trusted, "10.1.2.3", &["1.1.1.1, 203.0.113.9", "192.0.2.7"]), "203.0.113.9");
        // What a caller wrote himself goes no further than what a proxy said of him.
        assert_eq!(caller(trusted, "10.1.2.3", &["nonsense, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(caller(trusted, "11.1.2.3", &["203.0.113.9"]), "11.1.2.3");
    }

    #[test]
    fn an_address_counts_the_same_in_both_protocols() {
        assert_eq!(caller("10.0.0.0/8", "::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(caller("fd00::/8", "fd12::1", &["2001:db8::9"]), "2001:db8::9");
        assert_eq!(caller("0.0.0.0/0", "fd12::1", &["2001:db8::9"]), "fd12::1");
        for mapped in ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3"] {
            assert_eq!(caller(mapped, "10.1.2.3", &["203.0.113.9"]), "203.0.113.9", "{mapped}");
            assert_eq!(caller(mapped, "::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9", "{mapped}");
            assert_eq!(caller(mapped, "11.1.2.3", &["203.0.113.9"]), "11.1.2.3", "{mapped}");
        }
    }

    /// What a proxy of this machine says, in the form `address tls host`.
    fn seen(pairs: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let Seen { address, tls, host } =
            proxies("10.0.0.0/8").unwrap().seen("127.0.0.1".parse().unwrap(), &headers);
        format!("{address} {tls} {}", host.unwrap_or_default())
    }

    /// S11: a list may name ports, brackets, quotes and zones; each names one address all the same.
    #[test]
    fn s11_an_address_is_read_however_a_proxy_writes_it() {
        for (word, want) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("  203.0.113.9 ", "203.0.113.9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("\"[2001:db8::9]:4711\"", "2001:db8::9"),
            ("2001:db8::9", "2001:db8::9"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9:1, 10.0.0.1:2", "203.0.113.9"),
            // Nobody that could be told apart: the proxy that says so.
            ("unknown", "127.0.0.1"),
            ("_hidden:80", "127.0.0.1"),
            ("203.0.113.9:99999:1", "127.0.0.1"),
            ("203.0.113.9, ", "203.0.113.9"),
            ("[2001:db8::9", "127.0.0.1"),
        ] {
            assert_eq!(caller("10.0.0.0/8", "127.0.0.1", &[word]), want, "{word}");
        }
        assert_eq!(sender("2001:db8:1:2:3::9".parse().unwrap()).to_string(), "2001:db8:1:2::");
        assert_eq!(sender("::ffff:203.0.113.9".parse().unwrap()).to_string(), "203.0.113.9");
    }

    /// O7: lists, any case, ports.
    #[test]
    fn o7_what_proxies_say_of_protocol_and_host() {
        let host = ("host", "127.0.0.1:8001");
        let check = |pairs: &[(&'static str, &str)], want: &str| {
            assert_eq!(seen(&[&[host], pairs].concat()), want, "{pairs:?}");
        };
        check(&[], "127.0.0.1 false 127.0.0.1:8001");
        check(&[("x-forwarded-proto", "HTTPS")], "127.0.0.1 true 127.0.0.1:8001");
        check(&[("x-forwarded-proto", "https, http")], "127.0.0.1 true 127.0.0.1:8001");
        check(
            &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")],
            "127.0.0.1 true 127.0.0.1:8001",
        );
        check(&[("x-forwarded-proto", "http,https")], "127.0.0.1 false 127.0.0.1:8001");
        check(&[("x-forwarded-proto", "wss")], "127.0.0.1 true 127.0.0.1:8001");
        check(&[("x-forwarded-host", "hub.example, inner:8080")], "127.0.0.1 false hub.example");
        check(
            &[("x-forwarded-host", "hub.example"), ("x-forwarded-port", "8443, 80")],
            "127.0.0.1 false hub.example:8443",
        );
        check(
            &[("x-forwarded-host", "[2001:db8::1]"), ("x-forwarded-port", "8443")],
            "127.0.0.1 false [2001:db8::1]:8443",
        );
        check(
            &[("x-forwarded-host", "hub.example:444"), ("x-forwarded-port", "8443")],
            "127.0.0.1 false hub.example:444",
        );
        // The first entries of both lists are the caller's own invention: its proxy has added to each.
        check(
            &[("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-proto", "https, http")],
            "203.0.113.9 false 127.0.0.1:8001",
        );
        let rfc =
            "for=\"[2001:db8::9]:47,11\";proto=HTTPS;host=hub.example, For=10.0.0.2;Proto=http;by=10.0.0.3";
        check(&[("forwarded", &rfc.replace("47,11", "4711"))], "2001:db8::9 true hub.example");
        check(
            &[("forwarded", "for=1.1.1.1;proto=https"), ("forwarded", "for=203.0.113.9;proto=http")],
            "203.0.113.9 false 127.0.0.1:8001",
        );
        // A proxy that writes the one passes the other on as the caller wrote it.
        check(
            &[("forwarded", "for=1.1.1.1;proto=https"), ("x-forwarded-for", "203.0.113.9")],
            "203.0.113.9 false 127.0.0.1:8001",
        );
        assert_eq!(split("a=\"x,\\\",y\", b", ',').count(), 2);
    }

    #[test]
    fn o7_a_peer_that_is_no_proxy_is_believed_nothing() {
        let headers = HeaderMap::from_iter([
            (PROTO.clone(), HeaderValue::from_static("https")),
            (HOST.clone(), HeaderValue::from_static("evil.example")),
            (header::HOST, HeaderValue::from_static("hub.example")),
        ]);
        let stranger = "198.51.100.1".parse().unwrap();
        let seen = Proxies::default().seen(stranger, &headers);
        assert_eq!((seen.tls, seen.host.as_deref()), (false, Some("hub.example")));
        assert!(!Proxies::default().tls(stranger, &headers));
        let fault = Proxies::of(&|name| (name == SPEAK).then(|| "x-real-ip".to_owned())).unwrap_err();
        assert!(fault.to_string().contains("`x-forwarded` or `forwarded`"), "{fault}");
    }

    #[test]
    fn what_is_no_network_is_named() {
        for wrong in ["10.0.0.0/33", "proxy.local", "10.0.0.0/", "::/129"] {
            let said = proxies(&format!("192.0.2.7,{wrong}")).unwrap_err();
            assert!(
                said.contains(&format!("HUB_TRUSTED_PROXIES holds `{wrong}`, which is no network")),
                "{said}"
            );
        }
    }
}
