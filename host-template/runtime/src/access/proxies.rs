//! Whom to believe when a request says for whom it was passed on.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::fault::Fault;
use crate::settings::Env;

/// The proxies in front of the host: those on the same machine, and those named in `HUB_TRUSTED_PROXIES`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies(Vec<Network>);

const VARIABLE: &str = "HUB_TRUSTED_PROXIES";

impl Proxies {
    /// Those that the environment names.
    pub(crate) fn of(env: Env<'_>) -> Result<Proxies, Fault> {
        let text = env(VARIABLE).unwrap_or_default();
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let networks = words.map(|word| {
            Network::parse(word).ok_or_else(|| {
                Fault::machine(
                    format!("{VARIABLE} holds `{}`, which is no network", word.escape_debug()),
                    "write addresses or networks with commas between them, such as 10.0.0.0/8,192.0.2.7",
                )
            })
        });
        networks.collect::<Result<_, _>>().map(Proxies)
    }

    /// Who a request comes from. Each proxy adds whom it was asked by at the end of the list, so the last address that is
    /// not a proxy's own is the caller's; what stands before it anybody could have written.
    pub(crate) fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.believes(peer) {
            return peer;
        }
        let lists = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let named: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
        let mut caller = peer;
        for word in named.into_iter().rev() {
            let Ok(address) = word.parse::<IpAddr>() else { break };
            caller = address.to_canonical();
            if !self.believes(caller) {
                break;
            }
        }
        caller
    }

    fn believes(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.0.iter().any(|network| network.holds(address))
    }
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= all)?,
            None => all,
        };
        Some(Network { address, bits })
    }

    fn holds(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
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
        proxies(trusted).unwrap().caller(peer.parse().unwrap(), &headers).to_string()
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
